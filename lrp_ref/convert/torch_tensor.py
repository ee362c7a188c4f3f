"""A tensor on its way to a network: the input, or what a layer makes of other tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.laid import Groups
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import shown
from lrp_ref.layers import Layer

NEEDS = ("its sizes depend on the image's: give an example, from_torch(module, example), a batch such as the module "
         "takes")


@dataclass(frozen=True, eq=False)
class Tensor:
    """What a layer makes of the tensors that it reads; without a layer, the network's input.

    sizes   its shape at the example; None: no example was given
    number  the type of its numbers, likewise
    suffix  what its name has after that of the module or the call which it is a part of
    stacked the tensors that it has beside each other along a new axis, and that axis
    mask    0 for scores that a softmax after it leaves out, for one sample
    """

    sizes: Shape | None
    number: Any = None
    layer: Layer | None = None
    reads: tuple[Tensor, ...] = ()
    suffix: str = ""
    stacked: tuple[tuple[Tensor, ...], int] | None = None
    mask: Array | None = None

    @property
    def shape(self) -> Shape:
        if self.sizes is None:
            raise ValueError(NEEDS)
        return self.sizes

    def then(self, layer: Layer, suffix: str = "") -> Tensor:
        """What the layer makes of this tensor alone."""
        return together(layer, self, suffix=suffix)

    def axis(self, dim: int) -> int:
        """Torch's number of an axis, which may be negative, as a positive one; an error where it is the batch's."""
        axis = dim + len(self.shape) if dim < 0 else dim
        refuse(not 0 < axis < len(self.shape), f"works along axis {shown(dim)} of a tensor of shape {self.shape}, and "
               "the batch's own axis, the first, has to stay as it is")
        return axis


@dataclass(frozen=True, eq=False)
class Laid:
    """A tensor of ours, (N, ..), that torch has as (T, N, ..), (T, N h, ..) or (N T, ..): the batch elsewhere.

    groups  for every axis of torch's, the axes of ours that it is made of, as in `lrp_ref.convert.laid`
    """

    tensor: Tensor
    groups: Groups


@dataclass(frozen=True, eq=False)
class InverseRoot:
    """1 / sqrt(mean of x^2 + epsilon) over the last axis: what x is multiplied by in a norm that is written out."""

    tensor: Tensor
    epsilon: Any


def together(layer: Layer, *tensors: Tensor, suffix: str = "") -> Tensor:
    """What a layer makes of several tensors."""
    shapes = [tensor.sizes for tensor in tensors]
    known = [shape for shape in shapes if shape is not None]
    sizes = layer.output_shape(layer.joined(*known)) if len(known) == len(shapes) else None
    return Tensor(sizes, tensors[0].number, layer, tensors, suffix)


def holds_tensor(value: Any) -> bool:
    """Whether a call's argument is made of the network's input: a Tensor, or a list or a tuple with one in it."""
    if isinstance(value, (list, tuple)):
        return any(map(holds_tensor, value))
    if isinstance(value, dict):
        return any(map(holds_tensor, value.values()))
    return isinstance(value, (Tensor, Laid, InverseRoot))


def own_array(tensor: Any) -> Array | None:
    """A tensor's values as an array of its own, which training the network further does not touch; or None."""
    if tensor is None:
        return None
    refuse(holds_tensor(tensor), "its weights are made of the image, and a layer's are the model's")
    try:
        return np.array(tensor.detach().cpu().numpy())
    except (TypeError, NotImplementedError, RuntimeError):   # bfloat16, which NumPy does not have; the meta device
        raise ValueError(f"got weights of {tensor.dtype} on {tensor.device}, needed float32 or float64 numbers: "
                         "use network.float()") from None


def integers(sizes: Any, count: int) -> tuple[Any, ...]:
    """Torch's sizes, a number or a tuple or list of one or `count`, as so many numbers; None stays None."""
    sides = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,)
    known = len(sides) in (1, count) and all(side is None or isinstance(side, (int, np.integer)) for side in sides)
    needed = "an int, or one for rows and one for columns" if count == 2 else f"an int, or {count} of them"
    refuse(not known, f"the size {shown(sizes)}, needed {needed}")
    return sides * count if len(sides) == 1 else sides


def both(sizes: Any) -> tuple[Any, ...]:
    """Rows and columns."""
    return integers(sizes, 2)


def indexes(given: Sequence[Any]) -> tuple[Any, ...]:
    """Numbers, slices, None and Ellipsis; a list of one entry as a slice."""
    made = tuple(slice(k[0], k[0] + 1 or None) if isinstance(k, list) and len(k) == 1 and type(k[0]) is int else k
                 for k in given)
    known = all(one is None or one is Ellipsis or isinstance(one, slice) or type(one) is int or (
        isinstance(one, int) and not isinstance(one, bool)) for one in made)
    refuse(not known, "an index that is no number and no slice")
    return made


def dims(given: Sequence[Any]) -> tuple[Any, ...]:
    """Axes or sizes that may be given one by one, or all in one tuple."""
    one = given[0] if len(given) == 1 else given
    return tuple(one) if isinstance(one, (tuple, list)) else (one,)
