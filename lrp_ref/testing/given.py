"""What a caller gives: arrays of floats, of the shape that the network has, that the implementation's format holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrp_ref.arrays import Array, as_array
from lrp_ref.checks.rounding.arithmetic import FORMATS
from lrp_ref.hints import SHOWN


def as_floats(given: Any, what: str) -> Array:
    """The numbers as an array of floats: of a torch tensor too, or anything with `__array__`."""
    try:
        array = as_array(given)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise ValueError(f"got {what} as {str(array.dtype)[:SHOWN]}, needed float16, float32 or float64 numbers")
    return array


def fits(array: Array, shape: tuple[int, ...], what: str, other: str) -> None:
    if array.shape != shape:
        hint = ""
        if sorted(array.shape) == sorted(shape):
            hint = ": transpose it?"
        elif array.size == int(np.prod(shape)):
            hint = ": reshape it?"
        raise ValueError(f"got {what} of shape {array.shape}, but {other} has shape {shape}{hint}")


def must_be_held(values: Any, u: float, what: str) -> None:
    """An error unless a format of that unit roundoff holds the numbers exactly: else what is computed is not theirs."""
    number, values = FORMATS.get(u, np.float64), np.asarray(values)
    if values.dtype == object:
        raise ValueError(f"got {what} as exact numbers, needed the floats that the implementation had")
    if number is not np.float64 and not (values.astype(number).astype(values.dtype) == values).all():
        name = np.dtype(number).name
        raise ValueError(f"got numbers in {what} that {name} does not hold, and u={u:.3g} is {name}'s: give those that "
                         f"the implementation had, as .astype(numpy.{name})")
