"""What an implementation is given: a case's numbers in its own format, which holds most of them exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.numbers.exact import GuardedFraction
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.network import Network


def unheld(case: Case, number: type) -> str:
    """Which of x, R and the layers' arrays the format does not hold exactly; "" where it holds them all."""
    arrays = [("x", case.x), ("R", case.R)]
    arrays += [(f"{array} of {name}", values) for name, layer in case.network
               for array, values in layer.arrays().items()]
    for what, values in arrays:
        if not all(held(n, number) for n in values.flat):
            return what
    return ""


def held(n: Any, number: type) -> bool:
    try:
        with np.errstate(all="ignore"):
            return bool(float(number(float(n))) == n)
    except OverflowError:   # of a fraction beyond float64
        return False


class Given(NamedTuple):
    """The exact numbers that an implementation in float64 is given.

    own  whether they are the case's own: float64 does not hold those of a few cases
    """

    network: Network
    x: Array
    R: Array
    own: bool


def given(case: Case) -> Given:
    if not unheld(case, np.float64):
        return Given(case.network, case.x, case.R, True)

    def rounded(x: Array) -> Array:
        return convert_numbers(convert_numbers(x, np.float64), GuardedFraction)

    return Given(case.network.astype(np.float64).astype(GuardedFraction), rounded(case.x), rounded(case.R), False)
