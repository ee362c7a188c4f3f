"""Axes exchanged, parted and joined in ONNX graphs, the batch's among them: (T, N, ..), (T, N h, ..), (N T, ..).

PyTorch's own attention is exported so. What a graph has that way is `Laid` over a tensor of ours, which has the batch
first: another order or another shape costs no layer as long as the batch is not back in front. `onnx_laid_nodes` says
what nodes make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

from lrp_ref.arrays import Shape
from lrp_ref.convert.laid import MOVES, Groups, as_ours, in_front, is_in_front, order_of, parted, without_ones
from lrp_ref.convert.onnx_node import Node, few
from lrp_ref.convert.onnx_shapes import resolved, shaped
from lrp_ref.convert.onnx_values import Known, Laid, Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import Transpose

Row = Callable[[Node], Any]

# ---- Axes in another order, parted and joined ----


def as_laid(value: Tensor | Laid, images: int) -> Laid:
    """A tensor as the graph has it."""
    return value if isinstance(value, Laid) else Laid(value, as_ours(value.sizes(images)))


def brought_back(node: Node, laid: Laid) -> Tensor | Laid:
    """A tensor of ours, where the batch is in front again, alone."""
    if not is_in_front(laid.tensor.sizes(node.images), laid.groups):
        return laid
    return shaped(node, exchanged(node, laid), laid.sizes(node.images)[1:])


def exchanged(node: Node, laid: Laid) -> Tensor:
    """Our tensor with its axes in the graph's order, but for the batch's."""
    order = order_of(laid.groups, len(laid.tensor.shape) + 1)
    return laid.tensor if order is None else node.add(Transpose(order), laid.tensor, part="turned")


def permuted(node: Node, x: Tensor | Laid, order: Sequence[int]) -> Tensor | Laid:
    laid = as_laid(x, node.images)
    refuse(sorted(order) != list(range(len(laid.groups))), f"perm={tuple(order)} of {len(laid.groups)} axes")
    return brought_back(node, Laid(laid.tensor, tuple(laid.groups[k] for k in order)))


def in_shape(node: Node, x: Tensor | Laid, targets: Sequence[Shape]) -> Tensor | Laid:
    """In another shape, one for each number of images that is tried."""
    laid = as_laid(x, node.images)
    tried = [parted(laid.tensor.sizes(n), laid.groups, target) for n, target in zip(node.layers.batches, targets)]
    shape, groups = tried[0]
    refuse(any((own[1:], other) != (shape[1:], groups) for own, other in tried), MOVES)
    return brought_back(node, Laid(shaped(node, laid.tensor, shape[1:], part="parted"), groups))


# ---- Ours in the graph's order, and back ----


def with_axes(node: Node, laid: Laid, axes: Sequence[int]) -> tuple[Tensor, Groups]:
    """As `with_front`, but in our own order where each of these axes of the graph is one of ours."""
    single = all(len(laid.groups[axis]) == 1 for axis in axes)
    return (laid.tensor, laid.groups) if single else with_front(node, laid, axes)


def with_rows(node: Node, laid: Laid) -> tuple[Tensor, Groups]:
    """As `with_front`, but in our own order where the graph's last axis is our last."""
    refuse(0 in laid.groups[-1], "works along the last axis, which the batch is in")
    single = laid.groups[-1] == (len(laid.tensor.shape),)
    return (laid.tensor, laid.groups) if single else with_front(node, laid, [len(laid.groups) - 1])


def with_front(node: Node, laid: Laid, kept: Iterable[int], parts: Shape | None = None) -> tuple[Tensor, Groups]:
    """Our tensor as `in_front` says, and its axes for each of the graph's."""
    shape, places = in_front(laid.tensor.sizes(node.images), laid.groups, kept, parts)
    return shaped(node, exchanged(node, laid), shape[1:], part="rows"), places


def as_the_graph_has(node: Node, made: Any, places: Groups) -> Any:
    """What was made of such a tensor, laid as the graph has it."""
    if isinstance(made, list):
        return [None if one is None else as_the_graph_has(node, one, places) for one in made]
    return brought_back(node, Laid(made, without_ones(made.sizes(node.images), places)))


# ---- Nodes that change the shape ----


def transpose(node: Node) -> Tensor | Laid:
    x = node.laid()
    rank = len(x.sizes(node.images))
    order = tuple(k + rank if k < 0 else k for k in node.ints("perm") or tuple(range(rank))[::-1])
    if isinstance(x, Laid) or order[0] != 0:
        return permuted(node, x, order)
    return x if order == tuple(range(len(order))) else node.add(Transpose(order), x)


def reshape(node: Node) -> Tensor | Laid:
    """The target may depend on the number of images."""
    x, target = node.laid(), node.given(1)
    if not isinstance(target, Known):
        raise ValueError("its shape depends on the network's input, needed a constant")
    return in_any_shape(node, x, [resolved(node, shape, [*few(value, "shape")])
                                  for shape, value in zip(sizes(node, x), target.values)])


def in_any_shape(node: Node, x: Tensor | Laid, shapes: Sequence[Shape]) -> Tensor | Laid:
    """As `in_shape`; with the batch in front before and after, axes may be parted askew too."""
    ours = {shape[1:] for n, shape in zip(node.layers.batches, shapes) if shape[:1] == (n,)}
    whole = all(shape[:1] == (n,) for n, shape in zip(node.layers.batches, shapes))
    if isinstance(x, Tensor) and whole and len(ours) == 1:
        return shaped(node, x, ours.pop())
    return in_shape(node, x, shapes)


def flatten(node: Node) -> Tensor | Laid:
    x = node.laid()
    rank = len(x.sizes(node.images))
    axis = node.integer("axis", 1)
    refuse(not -rank <= axis <= rank, f"axis={axis} of {rank}")
    at = axis + rank if axis < 0 else axis
    return in_any_shape(node, x, [(prod(s[:at]), prod(s[at:])) for s in sizes(node, x)])


def squeeze(node: Node) -> Tensor | Laid:
    x = node.laid()
    every = sizes(node, x)
    axes = node.axes(len(every[0]))
    if axes is None:
        refuse(node.images == 1, MOVES)
        axes = tuple(k for k, size in enumerate(every[0]) if size == 1)
    refuse(any(shape[k] != 1 for k in axes for shape in every), f"axes={axes} of a tensor of shape {every[0]}")
    return in_any_shape(node, x, [tuple(size for k, size in enumerate(shape) if k not in axes) for shape in every])


def unsqueeze(node: Node) -> Tensor | Laid:
    x = node.laid()
    every = sizes(node, x)
    count = len(node.ints("axes") or node.whole(1, "axes") or ())
    rank = len(every[0]) + count
    axes = node.axes(rank)
    refuse(axes is None or len(set(axes)) < count, "needs axes, each once")
    spread = []
    for shape in every:
        old = iter(shape)
        spread.append(tuple(1 if k in (axes or ()) else next(old) for k in range(rank)))
    return in_any_shape(node, x, spread)


def sizes(node: Node, x: Tensor | Laid) -> list[Shape]:
    """The graph's shape for each number of images that is tried."""
    return [x.sizes(n) for n in node.layers.batches]


SHAPES: dict[str, Row] = {
    "Transpose": transpose, "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze}
