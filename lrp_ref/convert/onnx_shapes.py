"""Reshape, Transpose, Slice, Pad and their like, and sums over axes, of ONNX graphs."""

from __future__ import annotations

from math import prod

import numpy as np

from lrp_ref.arrays import Shape
from lrp_ref.convert.laid import MOVES
from lrp_ref.convert.onnx_node import Node, axis_in, axis_of
from lrp_ref.convert.onnx_values import Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import Flatten, Layer, Mean, Pad, Reshape, Slice, Sum, Transpose, Upsample


def shaped(node: Node, x: Tensor, shape: Shape, part: str = "") -> Tensor:
    """x in another shape for one image: itself, Flatten or Reshape."""
    if shape == x.shape:
        return x
    layer: Layer = Flatten() if shape == (prod(x.shape),) else Reshape(shape)
    return node.add(layer, x, part=part)


def resolved(node: Node, whole: Shape, target: list[int]) -> Shape:
    """A Reshape's target: 0 is the input's size there (unless allowzero), -1 what is left."""
    refuse(len(target) > 16 or not target, f"its shape has {len(target)} axes")
    if not node.integer("allowzero", 0):
        refuse(any(size == 0 and k >= len(whole) for k, size in enumerate(target)), f"its shape is {target}")
        target = [whole[k] if size == 0 else size for k, size in enumerate(target)]
    known = prod(size for size in target if size != -1)
    refuse(min(target) < -1 or target.count(-1) > 1 or (-1 in target and known == 0), f"its shape is {target}")
    sizes = tuple(prod(whole) // known if size == -1 else size for size in target)
    refuse(prod(sizes) != prod(whole), f"its shape {target} does not hold a tensor of shape {whole}")
    return sizes


def cut(node: Node, x: Tensor, axis: int, start: int, stop: int, step: int = 1, part: str = "") -> Tensor:
    """x[start:stop:step] along an axis, as NumPy counts; x itself where that is all of it."""
    size = x.shape[axis - 1]
    first, last, step = slice(start, stop, step).indices(size)
    kept = range(first, last, step)
    refuse(not len(kept), f"keeps nothing of axis {axis}, of {size}")
    if kept == range(size):
        return x
    return node.add(Slice(axis, first, None if last < 0 else last, step), x, part=part)


def sliced(node: Node) -> Tensor:
    x = node.tensor()
    for axis, start, stop, step in slices(node, len(x.shape) + 1):
        if axis == 0:
            refuse(any(range(*slice(start, stop, step).indices(n)) != range(n) for n in node.layers.batches), MOVES)
        else:
            x = cut(node, x, axis, start, stop, step)
    return x


def slices(node: Node, rank: int) -> list[tuple[int, int, int, int]]:
    """Axis, start, stop and step of all that a Slice cuts."""
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (node.ints(name) if node.opset < 10 else node.whole(k, name)
                                 for k, name in enumerate(names, 1))
    refuse(starts is None or ends is None, "needs starts and ends")
    axes = tuple(range(len(starts or ()))) if axes is None else axes
    steps = (1,) * len(axes) if steps is None else steps
    refuse(len({len(starts or ()), len(ends or ()), len(axes), len(steps)}) > 1 or 0 in steps, "its starts, ends, axes "
           "and steps do not go together")
    return [(axis_in(axis, rank), start, end, step)
            for start, end, axis, step in zip(starts or (), ends or (), axes, steps)]


def gather(node: Node) -> Tensor:
    """One entry of an axis, which then is gone, or, where it stands in a row by itself, is kept: Slice and Reshape."""
    x, index = node.tensor(), node.fixed(1, "indices")
    axis = axis_of(node.integer("axis", 0), len(x.shape) + 1)
    refuse(index is None or index.size != 1 or index.ndim > 1, "takes several entries, needed one")
    size, at = x.shape[axis - 1], int(index.item())   # type: ignore[union-attr]
    refuse(not -size <= at < size, f"takes entry {at} of {size}")
    if index.ndim:   # type: ignore[union-attr]
        return cut(node, x, axis, at % size, at % size + 1)
    one = cut(node, x, axis, at % size, at % size + 1, part="one")
    return shaped(node, one, (*x.shape[: axis - 1], *x.shape[axis:]))


def split(node: Node) -> list[Tensor | None]:
    """A Slice for every part that is read."""
    x = node.tensor()
    axis = axis_of(node.integer("axis", 0), len(x.shape) + 1)
    size, count = x.shape[axis - 1], len(node.proto.output)
    parts = node.ints("split") if node.opset < 13 else node.whole(1, "split")
    if parts is None:
        most = -(-size // count)
        parts = tuple(min(most, size - k * most) for k in range(count))
    refuse(len(parts) != count or sum(parts) != size or min(parts) < 1, f"splits {size} into {parts[:8]} for {count} "
           "outputs")
    ends = np.cumsum(parts).tolist()
    return [cut(node, x, axis, end - part, end, part=f"part{k}") if node.readers.get(name, 0) else None
            for k, (name, part, end) in enumerate(zip(node.proto.output, parts, ends))]


def pad(node: Node) -> Tensor:
    """Pad with one number; the batch gets none."""
    x, rank = node.tensor(), len(node.tensor().shape) + 1
    mode = node.text("mode", "constant")
    refuse(mode != "constant", f"mode={mode!r}, needed constant")
    sizes = (node.ints("pads") if node.opset < 11 else node.whole(1, "pads")) or ()
    axes = node.whole(3, "axes") if node.opset >= 18 else None
    axes = tuple(range(rank)) if axes is None else tuple(a % rank if -rank <= a < rank else rank for a in axes)
    refuse(len(sizes) != 2 * len(axes) or len(set(axes)) < len(axes) or max(axes, default=0) >= rank, "its pads and "
           "axes do not go together")
    before, after = [0] * rank, [0] * rank
    for axis, p, q in zip(axes, sizes[: len(axes)], sizes[len(axes):]):
        before[axis], after[axis] = p, q
    refuse((before[0], after[0]) != (0, 0), "pads the batch")
    given = node.constant(2, "constant_value") if node.opset >= 11 else None
    refuse(given is not None and given.size != 1, "its constant_value is no single number")
    value = node.real("value", 0) if given is None else float(given.item())
    return node.add(Pad(before[1:], after[1:], value), x) if any(before + after) else x


def reduced(node: Node) -> Tensor:
    """ReduceMean and ReduceSum over axes other than the batch."""
    x, rank = node.tensor(), len(node.tensor().shape) + 1
    axes = node.axes(rank)
    refuse(0 in (axes or ()), "works along axis 0, which is the batch")
    if not axes:
        refuse(not node.integer("noop_with_empty_axes", 0), "sums over all axes, the batch among them")
        return x
    keep = bool(node.integer("keepdims", 1))
    kind = Mean if node.op == "ReduceMean" else Sum
    return node.add(kind(tuple(sorted(set(axes))), keep), x)


def resize(node: Node) -> Tensor:
    """Upsample by whole factors, "nearest": that it takes these neighbours is left to the proof."""
    x = node.tensor()
    mode = node.text("mode", "nearest")
    refuse(mode != "nearest", f"mode={mode!r}, needed nearest")
    at = {"Upsample": 1}.get(node.op, 2 if node.opset > 10 else 1)
    scales, sizes = node.fixed(at, "scales"), node.whole(3, "sizes") if node.op == "Resize" else None
    axes = node.ints("axes") or tuple(range(len(x.shape) + 1))
    whole = dict(zip(range(len(x.shape) + 1), (node.layers.batches[0], *x.shape)))
    refuse(any(a not in whole for a in axes), f"axes={axes}")
    if scales is not None and scales.size:
        factors = dict(zip(axes, map(float, scales.ravel())))
    else:
        refuse(sizes is None or node.text("keep_aspect_ratio_policy", "stretch") != "stretch", "needs scales or sizes")
        factors = {a: size / whole[a] for a, size in zip(axes, sizes or ())}
    rows, columns = (factors.get(k, 1) for k in (2, 3))
    plain = len(x.shape) == 3 and all(factors.get(k, 1) == 1 for k in (0, 1))
    refuse(not plain or rows % 1 != 0 or columns % 1 != 0 or min(rows, columns) < 1, f"resizes by "
           f"{tuple(factors.values())}, needed whole factors of rows and columns of (N, C, H, W)")
    return node.add(Upsample((int(rows), int(columns))), x)


def blocks(node: Node) -> Tensor:
    """DepthToSpace and SpaceToDepth: Reshape, Transpose, Reshape."""
    x, b = node.tensor(), node.integer("blocksize", 0)
    refuse(len(x.shape) != 3 or b < 1, f"blocksize={b} of a tensor with {len(x.shape) + 1} axes")
    c, h, w = x.shape
    if node.op == "SpaceToDepth":
        refuse(h % b != 0 or w % b != 0, f"blocksize={b} of {h} x {w}")
        parts, order, out = (c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4), (c * b * b, h // b, w // b)
    else:
        refuse(c % (b * b) != 0, f"blocksize={b} of {c} channels")
        columns_first = node.text("mode", "DCR") == "DCR"
        parts = (b, b, c // b // b, h, w) if columns_first else (c // b // b, b, b, h, w)
        order = (0, 3, 4, 1, 5, 2) if columns_first else (0, 1, 4, 2, 5, 3)
        out = (c // b // b, h * b, w * b)
    turned = node.add(Transpose(order), node.add(Reshape(parts), x, part="blocks"), part="turned")
    return node.add(Reshape(out), turned)
