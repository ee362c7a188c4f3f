"""Tensors that torch has with the batch elsewhere than in front: their axes in another order, parted and joined.

Attention puts the batch second by default, or makes one axis of it and the heads; windows and rows of all images stand
in one axis with it. `Laid` says how torch has a tensor of ours, which has the batch in front: another order or another
shape costs no layer until the batch is in front again. `torch_laid_calls` says what calls make of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lrp_ref.arrays import Shape
from lrp_ref.convert.laid import Groups, as_ours, in_front, is_in_front, order_of, parted, sizes_of, without_ones
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_tensor import Laid, Tensor
from lrp_ref.hints import shown
from lrp_ref.layers import Flatten, Reshape, Transpose

# ---- Axes in another order, parted and joined ----


def as_laid(x: Tensor | Laid) -> Laid:
    """A tensor as torch has it."""
    return x if isinstance(x, Laid) else Laid(x, as_ours(x.shape))


def sizes(x: Tensor | Laid) -> Shape:
    """Torch's shape."""
    return sizes_of(x.tensor.shape, x.groups) if isinstance(x, Laid) else x.shape


def reshaped(x: Tensor, shape: Shape, suffix: str = "") -> Tensor:
    """In another shape with the same number of images."""
    return x if shape == x.shape else x.then(Flatten() if len(shape) == 2 else Reshape(shape[1:]), suffix)


def brought_back(laid: Laid) -> Tensor | Laid:
    """A tensor of ours, where torch has the batch in front again, alone."""
    return reshaped(exchanged(laid), sizes(laid)) if is_in_front(laid.tensor.shape, laid.groups) else laid


def exchanged(laid: Laid) -> Tensor:
    """Our tensor with its axes in torch's order, but for the batch's."""
    order = order_of(laid.groups, len(laid.tensor.shape))
    return laid.tensor if order is None else laid.tensor.then(Transpose(order), "turned")


def permuted(x: Tensor | Laid, order: Sequence[int]) -> Tensor | Laid:
    count = len(sizes(x))
    refuse(sorted(order) != list(range(count)), f"puts the axes in the order {shown(tuple(order))}, of {count}")
    if isinstance(x, Tensor) and order[0] == 0:
        return x if list(order) == list(range(count)) else x.then(Transpose(tuple(order)))
    laid = as_laid(x)
    return brought_back(Laid(laid.tensor, tuple(laid.groups[k] for k in order)))


def in_shape(x: Tensor | Laid, shape: Shape) -> Tensor | Laid:
    """In another shape; with the batch in front before and after, axes may be parted askew too."""
    if isinstance(x, Tensor) and shape[:1] == x.shape[:1]:
        return reshaped(x, shape)
    laid = as_laid(x)
    own, groups = parted(laid.tensor.shape, laid.groups, shape)
    return brought_back(Laid(reshaped(laid.tensor, own, "parted"), groups))


# ---- Ours in torch's order, and back ----


def with_axes(laid: Laid, axes: Sequence[int]) -> tuple[Tensor, Groups]:
    """As `with_front`, but in our own order where each of these axes of torch's is one of ours."""
    single = all(len(laid.groups[axis]) == 1 for axis in axes)
    return (laid.tensor, laid.groups) if single else with_front(laid, axes)


def with_rows(laid: Laid) -> tuple[Tensor, Groups]:
    """As `with_front`, but in our own order where torch's last axis is our last."""
    refuse(0 in laid.groups[-1], "works along the last axis, which the batch is in")
    single = laid.groups[-1] == (len(laid.tensor.shape) - 1,)
    return (laid.tensor, laid.groups) if single else with_front(laid, [len(laid.groups) - 1])


def with_front(laid: Laid, kept: Iterable[int], parts: Shape | None = None) -> tuple[Tensor, Groups]:
    """Our tensor as `in_front` says, and its axes for each of torch's."""
    shape, places = in_front(laid.tensor.shape, laid.groups, kept, parts)
    return reshaped(exchanged(laid), shape, "rows"), places


def as_torch_has(made: Any, places: Groups) -> Any:
    """What was made of such a tensor, laid as torch has it."""
    if isinstance(made, tuple):
        return tuple(as_torch_has(one, places) for one in made)
    return brought_back(Laid(made, without_ones(made.shape, places)))
