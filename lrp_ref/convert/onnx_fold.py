"""What a node makes of constants: worked out by onnx's own reference, within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_read import imported, inside_file
from lrp_ref.convert.onnx_reference import evaluated
from lrp_ref.convert.refused import refuse

BUDGET = 3 << 29   # bytes of all constants that nodes make, 1.5 GiB: the weights of VGG-19 have 0.6 GB
Sizes = Callable[[Sequence[Array]], int]   # how many numbers a node makes of these constants, at most


def as_many_as_given(given: Sequence[Array]) -> int:
    return sum(array.size for array in given)


def as_many_as_broadcast(given: Sequence[Array]) -> int:
    return prod(np.broadcast_shapes(*(array.shape for array in given)))


def as_many_as_shape_says(given: Sequence[Array]) -> int:
    """Of a shape as last constant."""
    return product_of(given[-1])


def product_of(sizes: Array) -> int:
    return prod(max(0, int(n)) for n in sizes.ravel()[:16])


def as_many_as_indices_take(given: Sequence[Array]) -> int:
    data, indices = given
    return indices.size * prod(sorted(data.shape)[1:]) if data.ndim else indices.size


def as_many_as_steps(given: Sequence[Array]) -> int:
    start, limit, step = (float(one) for one in given)
    return int(abs((limit - start) / step)) + 1 if step else 0


# The operators whose constants are worked out, and how many numbers they make at most.
FOLDED: dict[str, Sizes] = {
    **dict.fromkeys(("Cast", "Concat", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Identity", "Flatten",
                     "Split", "Neg", "Abs", "Sqrt", "Floor", "Ceil", "Round", "Exp", "Log", "Reciprocal", "Not",
                     "ReduceProd", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "Dropout",
                     "CastLike", "Sign", "Relu", "Sigmoid", "Tanh", "Trilu"),
                    as_many_as_given),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Equal", "Less", "Greater", "And",
                     "Or", "Where", "LessOrEqual", "GreaterOrEqual"), as_many_as_broadcast),
    **dict.fromkeys(("Shape", "Size"), lambda given: 64),
    "ConstantOfShape": as_many_as_shape_says,
    "Expand": lambda given: product_of(np.array(np.broadcast_shapes(given[0].shape, tuple(map(int, given[1]))))),
    "Tile": lambda given: given[0].size * product_of(given[1]),
    "Gather": as_many_as_indices_take,
    "Range": as_many_as_steps,
}


def numbers_of(tensor: Any) -> Array:
    """A tensor of the file as an array of numbers."""
    inside_file(tensor)
    count = prod(tensor.dims)
    refuse(min(tensor.dims, default=1) < 0 or count > BUDGET, f"has a tensor of shape {list(tensor.dims)[:8]}")
    try:
        array = np.asarray(imported().numpy_helper.to_array(tensor))
    except Exception as error:   # of wrong sizes a ValueError, of unknown types TypeError or KeyError
        raise ValueError(f"has a tensor whose numbers do not fit its type and shape ({type(error).__name__})") from None
    return numeric(array)


def numeric(array: Any) -> Array:
    """The array, or an error where its entries are no numbers that NumPy has."""
    known = isinstance(array, (np.ndarray, np.generic)) and array.dtype.kind in "biuf"
    refuse(not known, f"makes {getattr(array, 'dtype', type(array).__name__)}, needed numbers that NumPy has")
    return np.asarray(array)


def worked_out(proto: Any, given: Sequence[Array], opset: int, left: int) -> list[Array]:
    """The outputs of a node of FOLDED whose inputs are all constants; `left` is what the budget has left, in bytes."""
    sizes = FOLDED[proto.op_type]
    try:
        count = sizes(given)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError("its constants do not go together") from None
    refuse(4 * count > left, f"makes a constant of {count:,} numbers, and all have {BUDGET - left:,} bytes already, "
           f"needed at most {BUDGET:,}")
    return [numeric(array) for array in evaluated(proto, dict(zip([n for n in proto.input if n], given)), opset)]
