"""Other maps than a layer's own: where its windows are put back, which weights come back, who wins.

Generated from the fields of a window (stride, dilation, padding, kernel, groups) and from what a maximum can mean. In
one of three ways an implementation can use such a map: "throughout" for numerators and denominators, "back" for
numerators alone, "put" to put what the right inputs should get into other places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.pairs import Pairs, TooLarge, divided, shares, written_out
from lrp_ref.conformance.diagnose.windows import Other, in_its_place, of_channels, of_windows, rows_moved
from lrp_ref.layers import Conv2D, Flatten
from lrp_ref.layers.pool import Pool
from lrp_ref.rules import Rule

WAYS = ("throughout", "back", "put")


@dataclass(frozen=True)
class Map:
    """An alternative of a layer's map, by its name in `alternatives`, and the way in which it is used."""

    name: str
    way: str

    def messages(self, rule: Rule, p: Pairs, declared: Mapping[str, Any]) -> Array | None:
        """M_ij; None where the layer has no such alternative, or where it is the layer's own map."""
        made = dict(alternatives(p)).get(self.name)
        return None if made is None else used(made, self.way, rule, p, declared)


def used(other: Other, way: str, rule: Rule, p: Pairs, declared: Mapping[str, Any]) -> Array | None:
    own = shares(rule, p, declared)
    if way == "put":
        if other.put is None:
            return None
        return rows_moved(sum_of([share.messages + np.zeros_like(p.w) for share in own]), other.put)
    if other.pairs is None:
        return None
    if way == "throughout" and (other.whole or other.at is None):
        M = sum_of([s.messages for s in shares(rule, other.pairs, declared)])
        return M if other.at is None else columns_gathered(M, other.at, p.b.size)
    if way == "throughout" or other.whole:
        return None
    theirs = []
    for there, here in zip(shares(rule, other.pairs, declared), own):
        c = there.c if other.at is None else columns_gathered(there.c, other.at, p.b.size)
        theirs.append(divided(here.part * here.on * c, here.d))
    return sum_of(theirs)


def sum_of(parts: list[Array]) -> Array:
    total: Array = sum(parts[1:], start=parts[0])
    return total


def columns_gathered(c: Array, at: Array, outputs: int) -> Array:
    """The columns of c that belong to one output, summed."""
    found = np.zeros((*c.shape[:2], outputs))
    where: Any = (slice(None), slice(None), at[at >= 0])
    np.add.at(found, where, c[:, :, at >= 0])
    return found


# ---- What there is ----


def alternatives(p: Pairs) -> Iterator[tuple[str, Other]]:
    """Every alternative of a layer at an input, by the words that say what is done."""
    if isinstance(p.layer, (Conv2D, Pool)):
        yield from of_windows(p)
        yield from of_channels(p)
        yield from in_its_place(p)
    if len(p.x) > 1:
        yield "every sample is taken for the first", Other(lambda: written_out(p.layer, p.x[:1] + 0 * p.x))
    if isinstance(p.layer, Pool):
        yield from of_pooling(p)
    if isinstance(p.layer, Conv2D):
        yield from of_kernel(p)
    if isinstance(p.layer, Flatten) and p.x.ndim > 2:
        yield from of_orders(p)
    if p.b.any():
        for words, b in other_biases(p).items():
            yield words, Other(lambda b=b: replace(p, b=b))   # type: ignore[misc]
    if not isinstance(p.layer, (Conv2D, Pool)) and p.covered.sum(1).max() == 1:
        yield "its slope is 1 everywhere", Other(lambda: with_weights(p, p.covered * 1.0))
        yield "it passes where the input is not 0", Other(lambda: with_weights(p, p.covered * (p.a != 0)))
        yield "it passes where the input is at least 0", Other(lambda: with_weights(p, p.covered * (p.a >= 0)))
        yield "it passes where the input is positive", Other(lambda: with_weights(p, p.covered * (p.a > 0)))
    weight: Any = getattr(p.layer, "weight", None)
    if np.ndim(weight) == 2 and weight.shape[0] == weight.shape[1]:
        yield "the weights are transposed", Other(lambda: written_out(replace(p.layer, weight=weight.T), p.x))  # type: ignore[type-var]


def of_orders(p: Pairs) -> Iterator[tuple[str, Other]]:
    """A flattened image handed back in another order of its axes."""
    axes, own = p.x.shape[1:], np.arange(p.b.size)
    names = ("channel", "row", "column") if len(axes) == 3 else tuple(f"axis {n + 1}" for n in range(len(axes)))
    for order in permutations(range(len(axes))):
        if list(order) != sorted(order):
            theirs = own.reshape([axes[n] for n in order]).transpose(np.argsort(order)).reshape(-1)
            w = (theirs[:, None] == own) * 1.0 + np.zeros_like(p.w)
            words = f"it is handed back in the order {', '.join(names[n] for n in order)}"
            yield words, Other(lambda w=w: replace(p, w=w, covered=w != 0))   # type: ignore[misc]


def with_weights(p: Pairs, w: Array) -> Pairs:
    return replace(p, w=np.where(p.covered, w, 0.0))


def other_biases(p: Pairs) -> dict[str, Array]:
    """The biases of other outputs: a bias is one per channel, and stands at all its positions."""
    flat, width = np.arange(p.b.size), int(p.channel.max()) + 1
    own, each = p.channel.reshape(-1), width // p.groups
    first = np.unique(own, return_index=True)[1]
    return {words: p.b[..., first[taken % width]] for words, taken in {
        "with the biases one after another, repeated whole, where each is to be repeated over positions": flat,
        "with the biases of every group's outputs those of the first group": own % each,
        "with the biases in reverse order": width - 1 - own, "with the bias of the next output": own + 1,
        "with the bias of the first output everywhere": 0 * own}.items() if (taken % width != own).any()}


def of_pooling(p: Pairs) -> Iterator[tuple[str, Other]]:
    """Who wins, and what an average counts."""
    wins, inside = p.w != 0, p.covered
    size = float(np.prod(p.layer.size))   # type: ignore[attr-defined]
    a = np.where(inside, p.a, -np.inf)
    first = wins & (np.cumsum(wins, axis=1) == 1)
    last = wins & (np.cumsum(wins[:, ::-1], axis=1)[:, ::-1] == 1)
    absolute = np.where(inside, abs(p.a), -1.0)
    e = np.exp(a - a.max(1, keepdims=True))
    count = np.maximum(inside.sum(1, keepdims=True), 1)
    for words, w in {
            "the first of tied winners takes all": first, "the last of tied winners takes all": last,
            "every tied winner takes all": wins, "the window shares evenly, as in an average pooling": inside / count,
            "the window's size divides, padding included": inside / size, "every input has the weight 1": inside * 1.0,
            "the largest |a| wins": absolute == absolute.max(1, keepdims=True), "the smallest input wins":
            inside & (np.where(inside, p.a, np.inf) == np.where(inside, p.a, np.inf).min(1, keepdims=True)),
            "the inputs share by their softmax": e / e.sum(1, keepdims=True),
            "the largest input takes all, as in a max-pooling": inside & (a == a.max(1, keepdims=True)),
            "the first input of the window takes all": inside & (np.cumsum(inside, axis=1) == 1),
            "the last input of the window takes all": inside & (np.cumsum(inside[:, ::-1], axis=1)[:, ::-1] == 1)
    }.items():
        yield words, Other(lambda w=w: with_weights(p, w * 1.0 + np.zeros_like(p.a)))   # type: ignore[misc]


def of_kernel(p: Pairs) -> Iterator[tuple[str, Other]]:
    """Weights of other channels and groups."""
    w, groups = p.layer.weight, p.groups   # type: ignore[attr-defined]

    def other(weight: Array) -> Other:
        return Other(lambda: written_out(replace(p.layer, weight=weight), p.x))   # type: ignore[type-var]

    if groups > 1:
        each = len(w) // groups
        yield "with the weights of the first group in every group", other(np.concatenate([w[:each]] * groups))
        yield "as if there were no groups: every group reads the channels of the first", first_channels(p)
        yield "with the weights of groups in reverse order", other(np.concatenate(np.split(w, groups)[::-1]))
        yield "as if there were no groups: every input channel gets all", ungrouped(p)
        turned = np.arange(len(w)).reshape(groups, each).T.reshape(-1)
        yield "with the output channels of groups interleaved", other(w[turned])
    if w.shape[1] > 1:
        yield "with the input channels in reverse order", other(w[:, ::-1])
    if len(w) > 1:
        yield "with the output channels in reverse order", other(w[::-1])
    yield "with the kernel's rows and columns reversed in the weights", other(w[:, :, ::-1, ::-1])
    if w.shape[2] == w.shape[3]:
        yield "with the kernel transposed in the weights", other(w.swapaxes(2, 3))


def first_channels(p: Pairs) -> Other:
    """What inputs of a group hold lies at those of the first group."""
    inputs, each = p.w.shape[1], p.w.shape[1] // p.groups
    put = np.where(p.covered[0], (np.arange(inputs) % each)[:, None], -1)
    return Other(lambda: replace(p, w=rows_moved(p.w, put), covered=rows_moved(p.covered * 1.0, put) != 0), None, put)


def ungrouped(p: Pairs) -> Other:
    def make() -> Pairs:
        w, groups = p.layer.weight, p.groups   # type: ignore[attr-defined]
        try:
            return written_out(replace(p.layer, weight=np.tile(w, (1, groups, 1, 1)), groups=1), p.x)   # type: ignore[type-var]
        except ValueError as error:
            raise TooLarge(str(error)) from None
    return Other(make)


def recovered(found: Any, tolerance: float, declared: Mapping[str, Any]) -> list[Map]:
    """The maps with which every probe's messages are told, to rounding."""
    names: dict[str, None] = {}
    for probe in found:
        names |= dict.fromkeys(name for name, _ in alternatives(probe.pairs))
    left = [Map(name, way) for name in names for way in WAYS]
    for probe in sorted(found, key=lambda probe: right(probe, tolerance, declared)):
        own = sum_of([s.messages + np.zeros_like(probe.pairs.w) for s in shares(probe.rule, probe.pairs, declared)])
        made = dict(alternatives(probe.pairs))
        kept = []
        for one in left:
            M = used(made[one.name], one.way, probe.rule, probe.pairs, declared) if one.name in made else own
            if M is None:
                M = own
            if probe.has(M, tolerance):
                kept.append(one)
        left = kept
        if not left:
            break
    return left


def right(probe: Any, tolerance: float, declared: Mapping[str, Any]) -> bool:
    own = sum_of([s.messages + np.zeros_like(probe.pairs.w) for s in shares(probe.rule, probe.pairs, declared)])
    return bool(probe.has(own, tolerance))
