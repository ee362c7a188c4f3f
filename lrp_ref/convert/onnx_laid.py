"""Axes exchanged, parted and joined in ONNX graphs, the batch's among them: (T, N, ..), (T, N h, ..), (N T, ..).

PyTorch's own attention is exported so. What a graph has that way is `Laid` over a tensor of ours, which has the batch
first: another order or another shape costs no layer as long as the batch is not back in front. `onnx_laid_nodes` says
what nodes make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from lrp_ref.arrays import Shape
from lrp_ref.convert.onnx_node import Node, few
from lrp_ref.convert.onnx_shapes import MOVES, resolved, shaped
from lrp_ref.convert.onnx_values import Known, Laid, Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import Transpose

Groups = tuple[tuple[int, ...], ...]
Row = Callable[[Node], Any]

# ---- Axes in another order, parted and joined ----


def as_laid(value: Any, images: int) -> Laid:
    """A tensor as the graph has it. Of one image the batch's axis is one of size 1, and any such may become it."""
    if isinstance(value, Laid):
        return value
    return Laid(value, tuple((k,) if size > 1 else () for k, size in enumerate((images, *value.shape))))


def brought_back(node: Node, laid: Laid) -> Tensor | Laid:
    """A tensor of ours, where the batch is back in front, alone."""
    batch = (0,) if node.images > 1 else ()
    if laid.groups[:1] != (batch,):
        return laid
    order = [k for group in laid.groups[1:] for k in group]
    return shaped(node, exchanged(node, laid.tensor, order), laid.sizes(node.images)[1:])


def exchanged(node: Node, x: Tensor, order: list[int]) -> Tensor:
    """Our tensor with its axes in that order, those of size 1 that are not in it last."""
    if order == sorted(order):
        return x
    return node.add(Transpose((0, *order, *(k for k in range(1, len(x.shape) + 1) if k not in order))), x,
                    part="turned")


def permuted(node: Node, x: Tensor | Laid, order: Sequence[int]) -> Tensor | Laid:
    laid = as_laid(x, node.images)
    refuse(sorted(order) != list(range(len(laid.groups))), f"perm={tuple(order)} of {len(laid.groups)} axes")
    return brought_back(node, Laid(laid.tensor, tuple(laid.groups[k] for k in order)))


def in_shape(node: Node, x: Tensor | Laid, targets: Sequence[Shape]) -> Tensor | Laid:
    """In another shape, one for each number of images that is tried: axes are parted and joined, none askew."""
    laid = as_laid(x, node.images)
    tried = [parted(laid, n, target) for n, target in zip(node.layers.batches, targets)]
    parts, groups = tried[0]
    same = all(groups == other and {**parts, 0: []} == {**own, 0: []} for own, other in tried)
    refuse(not same, MOVES)
    tensor, new = laid.tensor, {(0, 0): 0}
    if any(len(own) > 1 for own in parts.values()):
        shape = list[int]()
        for k in range(1, len(tensor.shape) + 1):
            for p, size in enumerate(parts.get(k, ())):
                shape.append(size)
                new[k, p] = len(shape)
        tensor = shaped(node, tensor, tuple(shape), part="parted")
    else:
        new.update({(k, 0): k for k in parts})
    return brought_back(node, Laid(tensor, tuple(tuple(new[one] for one in group) for group in groups)))


def parted(laid: Laid, images: int, target: Shape) -> tuple[dict[int, list[int]], list[list[tuple[int, int]]]]:
    """{axis of ours: the sizes of its parts}, and for every axis of the target the parts (axis, part) it is made of."""
    own = images, *laid.tensor.shape
    refuse(prod(target) != prod(own), f"its shape {target} does not hold a tensor of shape {laid.sizes(images)}")
    left = [(k, own[k]) for group in laid.groups for k in group][::-1]   # the slowest last
    parts: dict[int, list[int]] = {k: [] for k, _ in left}
    groups = []
    for wanted in target:
        group = list[tuple[int, int]]()
        while wanted > 1:
            k, size = left.pop()
            taken = size if wanted % size == 0 else wanted
            refuse(size % taken != 0 or (k == 0 and taken < size), f"makes {target} of a tensor of shape "
                   f"{laid.sizes(images)}: {MOVES}")
            if taken < size:
                left.append((k, size // taken))
            group.append((k, len(parts[k])))
            parts[k].append(taken)
            wanted //= taken
        groups.append(group)
    return parts, groups


# ---- Ours in the graph's order, and back ----


def with_axes(node: Node, laid: Laid, axes: Sequence[int]) -> tuple[Tensor, Groups]:
    """As `in_front`, but in our own order where each of these axes of the graph is one of ours."""
    single = all(len(laid.groups[axis]) == 1 for axis in axes)
    return (laid.tensor, laid.groups) if single else in_front(node, laid, set(axes))


def with_rows(node: Node, laid: Laid) -> tuple[Tensor, Groups]:
    """As `in_front`, but in our own order where the graph's last axis is our last."""
    single = laid.groups[-1] == (len(laid.tensor.shape),)
    return (laid.tensor, laid.groups) if single else in_front(node, laid, {len(laid.groups) - 1})


def in_front(node: Node, laid: Laid, kept: set[int]) -> tuple[Tensor, Groups]:
    """Our tensor with the batch in front and all else in the graph's order; and its axes for each of the graph's.

    An axis without the batch is one of ours, but of those of size 1 the ones that are not kept have none.
    """
    own = node.images, *laid.tensor.shape
    order, shape, places = list[int](), list[int](), list[tuple[int, ...]]()
    for axis, group in enumerate(laid.groups):
        place = list[int]()
        order += [k for k in group if k]
        for k in group if 0 in group else ():
            shape += [own[k]] if k else []
            place.append(len(shape) if k else 0)
        if 0 not in group and (group or axis in kept):
            shape.append(prod(own[k] for k in group))
            place.append(len(shape))
        places.append(tuple(place))
    return shaped(node, exchanged(node, laid.tensor, order), tuple(shape), part="rows"), tuple(places)


def as_the_graph_has(node: Node, made: Any, places: Sequence[Sequence[int]]) -> Any:
    """What was made of such a tensor, as the graph has it."""
    if isinstance(made, list):
        return [None if one is None else as_the_graph_has(node, one, places) for one in made]
    own = node.images, *made.shape
    return brought_back(node, Laid(made, tuple(tuple(k for k in place if own[k] > 1) for place in places)))


# ---- Nodes that change the shape ----


def transpose(node: Node) -> Tensor | Laid:
    x = node.laid()
    rank = len(x.sizes(node.images))
    order = node.ints("perm") or tuple(range(rank))[::-1]
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
