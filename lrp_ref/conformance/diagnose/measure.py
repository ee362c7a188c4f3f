"""epsilon, measured: the number which, added to every denominator, gives the relevance that came back.

R_i = sum_j z_ij / (z_j + epsilon sign z_j) R_j of a case whose z_j go down to 2^-48, or are 0, is another number for
every epsilon. What fits within rounding is reported as the shortest decimal that does, and 0 before any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.judge.tolerance import ROUNDINGS
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.changes import Stabilised, guarded
from lrp_ref.layers import Layer
from lrp_ref.relevance import through_layer
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import relative_distance

DECIMALS = [float(f"{digit}e{power}") for power in range(-31, 1) for digit in range(1, 10)]
GRID = np.array(sorted([*DECIMALS, *(2.0**-n for n in range(1, 104))]))   # what is typed, or a format's own epsilon
VALLEYS, THIRDS = 3, 95   # (2 / 3)^95 is less than a rounding of float64

Answered = Sequence[tuple[Case, Array]]


def epsilon_of(answered: Answered, u: float, at_zero: bool = False) -> float | None:
    """The stabiliser with which every case of one layer has its answer; None if there is none.

    at_zero  it may be added to a z of 0 alone, and negative
    """
    tasks = [(task_of(case), answer) for case, answer in answered]

    @cache
    def of_case(n: int, epsilon: float) -> float:
        task, answer = tasks[n]
        return relative_distance(answer, with_stabiliser(*task, epsilon, at_zero), 1) / (ROUNDINGS * u)

    def off(epsilon: float, enough: float = np.inf) -> float:
        """The largest difference, in roundings that are allowed, at most 1 if it fits; or the first above `enough`."""
        largest = 0.0
        for n in range(len(tasks)):
            largest = max(largest, of_case(n, epsilon))
            if largest > enough:
                break
        return largest

    if off(0.0) <= 1:
        return 0.0
    grid = [*GRID, *-GRID] if at_zero else [*GRID]
    offs = [off(epsilon, enough=1) for epsilon in grid]
    if min(offs) <= 1:   # someone typed it
        return float(grid[int(np.argmin(offs))])
    offs = [off(epsilon) for epsilon in grid]
    found = [shortest(off, narrowed(off, grid[n])) for n in valleys(offs)]
    return min((number for number in found if number is not None), key=lambda number: len(repr(number)), default=None)


def valleys(offs: Sequence[float]) -> list[int]:
    """Where it is lower than beside it, the lowest first: relevance of both signs may have several such places."""
    around = [np.inf, *offs, np.inf]
    found = [n for n, here in enumerate(offs) if np.isfinite(here) and around[n] > here <= around[n + 2]]
    return sorted(found, key=lambda n: offs[n])[:VALLEYS]


def shortest(off: Callable[[float], float], near: float) -> float | None:
    """The decimal with the fewest digits that fits."""
    decimals = (float(f"{near:.{digits}e}") for digits in range(17))
    return next((number for number in decimals if off(number) <= 1), None)


def stabilised(case: Case, epsilon: float, at_zero: bool = False) -> Array:
    """R_0 of a case of one layer with that stabiliser, sign 0 = +1."""
    return with_stabiliser(*task_of(case), epsilon, at_zero)


def task_of(case: Case) -> tuple[Rule, Layer, Array, Array]:
    """The rule, layer, x and R of a case of one layer."""
    network, rules, x, R = case.task()
    [(name, layer)] = network
    return rules[name], layer, x, R


def with_stabiliser(rule: Rule, layer: Layer, x: Array, R: Array, epsilon: float, at_zero: bool) -> Array:
    rule = guarded(rule, "at 0", epsilon) if at_zero else Stabilised(rule, epsilon)
    return through_layer(rule, layer, x, R)[0]


def narrowed(off: Callable[[float], float], near: float) -> float:
    """The number between near / 2 and 2 near where `off` is least, by thirds of the logarithm."""
    low, high = -1.0, 1.0
    for _ in range(THIRDS):
        third = (high - low) / 3
        if off(near * 2 ** (low + third)) <= off(near * 2 ** (high - third)):
            high -= third
        else:
            low += third
    return near * 2 ** ((low + high) / 2)


def format_of(answers: Iterable[Array]) -> float:
    """The unit roundoff of the numbers: 2^-24 if float32 holds them all, thirds among them, else 2^-53."""
    with np.errstate(over="ignore"):
        single = all((answer.astype(np.float32) == answer).all() for answer in answers if np.isfinite(answer).all())
    return 2.0**-24 if single else 2.0**-53
