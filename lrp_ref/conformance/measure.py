"""epsilon = A / R_i - |z|: a stabiliser, measured from the relevance R_i = A / (|z| + epsilon) that it lets through.

A and z are known exactly from the case. In floats of unit roundoff u the answer has a relative error of some u, so
that epsilon is known to within that much of |z| + epsilon: best where |z| is smaller than epsilon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.case import Case
from lrp_ref.conformance.make.alternatives import Stabilised
from lrp_ref.relevance import hand_down

ROUNDINGS = 16   # products, sum, quotient, product: six of them in one unit of few inputs, and room for other orders
Interval = tuple[float, float]


def intervals(case: Case, answer: Array, u: float) -> Iterator[Interval]:
    """Within which epsilon lies, for every input whose relevance comes from denominators of one size."""
    if answer.shape != case.x.shape:
        yield np.nan, np.nan
        return
    [(name, layer)] = case.network
    one, three, seven = (hand_down(Stabilised(case.rules[name], Fraction(e)), layer, case.x, case.R)[0]
                         for e in (1, 3, 7))
    for index in np.ndindex(case.x.shape):
        r, s, t, got = one[index], three[index], seven[index], float(answer[index])
        if r == s:   # nothing arrives
            continue
        z = (3 * s - r) / (r - s)
        if t * (z + 7) != r * (z + 1):   # it comes from two denominators
            continue
        if got == 0 or not np.isfinite(got):
            yield np.nan, np.nan
            continue
        whole = Fraction(r * (z + 1)) / Fraction(got)
        middle, around = whole - Fraction(z), abs(whole) * Fraction(ROUNDINGS * u)
        yield float(middle - around), float(middle + around)


def meet(found: Sequence[Interval]) -> float | None:
    """The shortest number in all intervals, 0 before any other; None where there is none."""
    low, high = max((low for low, _ in found), default=np.nan), min((high for _, high in found), default=np.nan)
    if np.isnan([end for interval in found for end in interval]).any() or not low <= high:
        return None
    if low <= 0 <= high:
        return 0.0
    return next(number for digits in range(18)
                if low <= (number := float(f"{(low + high) / 2:.{digits}e}")) <= high or digits == 17)


def format_of(answers: Iterable[Array]) -> float:
    """The unit roundoff of the numbers: 2^-24 if float32 holds them all, thirds among them, else 2^-53."""
    with np.errstate(over="ignore"):
        single = all((answer.astype(np.float32) == answer).all() for answer in answers if np.isfinite(answer).all())
    return 2.0**-24 if single else 2.0**-53
