"""Windows that lie elsewhere: other strides, dilations, paddings, kernels turned round.

Generated from the fields of a window; `coverage.py` says in which ways an implementation can use such a map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Pair
from lrp_ref.conformance.diagnose.pairs import Pairs, written_out
from lrp_ref.layers import Conv2D
from lrp_ref.layers.pool import Pool


@dataclass(frozen=True, eq=False)
class Other:
    """A map beside a layer's own: pairs whose columns belong to outputs (at), or a permutation of inputs per output.

    at     (J',): the layer's own output that an output of the pairs belongs to; -1 for none
    put    (I, J): in which input's place what input i should get of output j is put; -1 for nowhere
    whole  the pairs are those of another layer in the layer's place, sums and all
    """

    make: Callable[[], Pairs] | None = None
    at: Array | None = None
    put: Array | None = None
    whole: bool = False

    @cached_property
    def pairs(self) -> Pairs | None:
        return self.make() if self.make else None


def rows_moved(M: Array, put: Array) -> Array:
    """M with every column's numbers in other rows, summed."""
    found = np.zeros_like(M)
    inputs, outputs = np.nonzero(put >= 0)
    where: Any = (slice(None), put[inputs, outputs], outputs)
    np.add.at(found, where, M[:, inputs, outputs])
    return found


# ---- What there is ----


def of_windows(p: Pairs) -> Iterator[tuple[str, Other]]:
    """Windows that lie elsewhere: what the kernel's taps hand back is put into other rows and columns."""
    window = p.layer.window if isinstance(p.layer, (Conv2D, Pool)) else None
    assert window is not None
    (top, left), (h, w) = window.before, window.size
    own = window.stride, window.dilation, window.before
    moves: dict[str, Any] = {words: (*own[:n], there, *own[n + 1:]) for n, (what, neutral, words_) in enumerate(FIELDS)
                             for words, there in other_pairs(what, words_, own[n], neutral)}
    moves |= {"as if the stride were the window": ((h, w), *own[1:]), "as if the padding were 1": (*own[:2], (1, 1)),
              "as if the dilation were the stride": (own[0], own[0], own[2])}
    for words, (y, x) in {"a row too low": (-1, 0), "a row too high": (1, 0), "a column too far right": (0, -1),
                          "a column too far left": (0, 1), "a row and a column too low": (-1, -1),
                          "a row and a column too high": (1, 1)}.items():
        moves[words] = (*own[:2], (top + y, left + x))
    for words, there in moves.items():
        if there != own:
            yield words, placed(p, taps(p, *own), taps(p, *there))
    if top + left > 0:
        yield from of_padding(p, taps(p, *own))
    flips: dict[str, Any] = {"with the kernel's rows and columns reversed": (-1, -1),
                             "with the kernel's rows reversed": (-1, 1), "with the kernel's columns reversed": (1, -1)}
    here = taps(p, *own)
    for words, (rows, columns) in flips.items():
        yield words, placed(p, here, tuple(t.reshape(h, w, -1)[::rows, ::columns].reshape(h * w, -1) for t in here))
    if h == w and h > 1:
        yield "with the kernel transposed", placed(p, here, tuple(
            t.reshape(h, w, -1).swapaxes(0, 1).reshape(h * w, -1) for t in here))
    if window.stride != (1, 1) and not window.ceil:
        yield "repeated stride times, as by nearest upsampling, by the layer without its stride", upsampled(p)


FIELDS = (("stride", 1, "as if the stride were 1"), ("dilation", 1, "as if the kernel were not dilated"),
          ("padding", 0, "as if there were no padding"))   # what, what it is where there is none, and that in words


def other_pairs(what: str, none: str, own: Pair, neutral: int) -> Iterator[tuple[str, Pair]]:
    """What may stand for a number of rows and one of columns: none, in one or in both, exchanged, one for both."""
    rows, columns = own
    yield none, (neutral, neutral)
    yield f"{none} in the rows", (neutral, columns)
    yield f"{none} in the columns", (rows, neutral)
    yield f"with the {what}s of rows and columns exchanged", (columns, rows)
    yield f"as if the {what} were that of the rows", (rows, rows)
    yield f"as if the {what} were that of the columns", (columns, columns)


def in_its_place(p: Pairs) -> Iterator[tuple[str, Other]]:
    """Another layer in the layer's place, in which one field has its default; R is cut to fit, or ends in zeros."""
    for field in fields(p.layer):   # type: ignore[arg-type]
        own = getattr(p.layer, field.name)
        if field.default is MISSING or isinstance(own, np.ndarray):
            continue
        try:
            default = getattr(replace(p.layer, **{field.name: field.default}), field.name)   # type: ignore[type-var]
        except ValueError:
            continue
        several = np.shape(own) == np.shape(default) == (2,)
        for where, there in {"": default, **({" in the rows": (default[0], own[1]), " in the columns": (
                own[0], default[1])} if several else {})}.items():
            if there == own or (where and there == default):
                continue
            try:
                other = replace(p.layer, **{field.name: there})   # type: ignore[type-var]
                outputs = other.output_shape(p.x.shape)
            except ValueError:
                continue
            if len(outputs) == len(p.outputs) == 4 and outputs[:2] == p.outputs[:2]:
                yield (f"as if {field.name} were {field.default}{where}, with R cut to fit",
                       Other(lambda other=other: written_out(other, p.x), cut(p.outputs, outputs), None, True))   # type: ignore[misc]


def cut(own: tuple[int, ...], other: tuple[int, ...]) -> Array:
    """Which output of an image of one size is in the same place of another's; -1 where there is none."""
    k, v, q = np.indices(other[1:]).reshape(3, -1)
    return np.where((v < own[2]) & (q < own[3]), (k * own[2] + v) * own[3] + q, -1)


def of_channels(p: Pairs) -> Iterator[tuple[str, Other]]:
    """What inputs get lies in the place of other channels."""
    channels, positions = p.x.shape[1], int(np.prod(p.x.shape[2:]))
    each, number = channels // p.groups, np.arange(channels)
    by_group = number.reshape(p.groups, each)
    for words, order in {"with the groups in reverse order": by_group[::-1], "with the channels in reverse order":
                         number[::-1], "with the channels of each group in reverse order": by_group[:, ::-1],
                         "with the channels of groups interleaved": by_group.T, "a channel too high":
                         np.roll(number, -1), "a channel too low": np.roll(number, 1)}.items():
        if (order.reshape(-1) != number).any():
            there = (order.reshape(-1)[:, None] * positions + np.arange(positions)).reshape(-1)
            yield words, Other(None, None, np.repeat(there[:, None], p.b.size, axis=1))


def of_padding(p: Pairs, here: tuple[Array, Array]) -> Iterator[tuple[str, Other]]:
    """Pixels of the image in the padding's place."""
    sizes = p.x.shape[2:]
    wrapped = tuple(np.where(t < 0, t + n, t) for t, n in zip(here, sizes))
    clipped = tuple(np.clip(t, 0, n - 1) for t, n in zip(here, sizes))
    for words, there in {"with the image's other end in the padding, where negative indices lead": wrapped,
                         "with the pixels of the image's edge in the padding": clipped}.items():
        yield words, placed(p, here, there)
        if isinstance(layer := p.layer, Conv2D):
            yield f"{words}, of several weights of a pixel the last", Other(
                lambda there=there, layer=layer: laid(p, layer, there, last=True))   # type: ignore[misc]


def taps(p: Pairs, stride: Any, dilation: Any, before: Any) -> tuple[Array, Array]:
    """Rows and columns of every tap (kh kw) of every window (V U)."""
    (h, w), (rows, columns) = p.layer.window.size, p.outputs[2:]   # type: ignore[attr-defined]
    t, u, v, q = np.ix_(np.arange(h), np.arange(w), np.arange(rows), np.arange(columns))
    y, x = v * stride[0] + t * dilation[0] - before[0], q * stride[1] + u * dilation[1] - before[1]
    shape = (h, w, rows, columns)
    return (np.broadcast_to(y, shape).reshape(h * w, -1), np.broadcast_to(x, shape).reshape(h * w, -1))


def placed(p: Pairs, here: tuple[Array, ...], there: tuple[Array, ...]) -> Other:
    """The map whose taps lie `there` in place of `here`."""
    _, channels, height, width = p.x.shape
    _, outputs, rows, columns = p.outputs
    put = np.full((channels, height * width, outputs, rows * columns), -1)
    q = np.broadcast_to(np.arange(rows * columns), here[0].shape)
    inside = [(y >= 0) & (y < height) & (x >= 0) & (x < width) for y, x in (here, there)]
    good = inside[0] & inside[1]
    source, target = (here[0] * width + here[1])[good], (there[0] * width + there[1])[good]
    for c in range(channels):
        put[c, source, :, q[good]] = c * height * width + target[:, None]
    put = put.reshape(channels * height * width, -1)
    put = np.where(p.covered[0], put, -1)

    def make() -> Pairs:
        if isinstance(p.layer, Conv2D):
            return laid(p, p.layer, there)
        w = rows_moved(p.w, put)
        return replace(p, w=w, covered=rows_moved(p.covered * 1.0, put) != 0)
    return Other(make, None, put)


def laid(p: Pairs, layer: Conv2D, there: tuple[Array, ...], last: bool = False) -> Pairs:
    """The kernel's weights on the pixels `there`, those that the layer itself lays into the padding among them.

    last: of several that lie on one pixel that alone counts, and not their sum.
    """
    (outputs, each, *_), (_, channels, height, width) = layer.weight.shape, p.x.shape
    w = np.zeros((channels, height * width, outputs, there[0].shape[1]))
    covered = np.zeros(w.shape)
    for t, (y, x) in enumerate(zip(*there)):
        q = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        for o in range(outputs):
            first = o // (outputs // layer.groups) * each
            for c in range(each):
                at = first + c, (y * width + x)[q], o, q
                w[at] = layer.weight[o, c].reshape(-1)[t] + (0 if last else w[at])
                covered[at] = 1
    w, covered = (array.reshape(1, *p.w.shape[1:]) + 0 * p.w for array in (w, covered))
    return replace(p, w=w, covered=covered != 0)


def upsampled(p: Pairs) -> Other:
    """Every output stands for as many windows of the layer without stride as its stride covers."""
    stride, (_, outputs, rows, columns) = p.layer.window.stride, p.outputs   # type: ignore[attr-defined]
    dense = replace(p.layer, stride=(1, 1))   # type: ignore[type-var]
    _, _, down, across = dense.output_shape(p.x.shape)
    y = np.minimum(np.arange(down) // stride[0], rows - 1)[:, None]
    one = (y * columns + np.minimum(np.arange(across) // stride[1], columns - 1)).reshape(-1)
    at = (np.arange(outputs)[:, None] * rows * columns + one).reshape(-1)
    return Other(lambda: written_out(dense, p.x), at)
