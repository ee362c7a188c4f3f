"""epsilon, measured: the number which, added to every denominator, gives the relevance that came back.

R_i = sum_j z_ij / (z_j + epsilon sign z_j) R_j of a case whose z_j go down to 2^-48, or are 0, is another number for
every epsilon. What fits within rounding is reported as the shortest decimal that does, and 0 before any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.judge.tolerance import ROUNDINGS
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.changes import Stabilised, guarded
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule
from lrp_ref.step import step

DECIMALS = [float(f"{digit}e{power}") for power in range(-31, 1) for digit in range(1, 10)]
GRID = np.array(sorted([*DECIMALS, *(2.0**-n for n in range(1, 104))]))   # what is typed, or a format's own epsilon
VALLEYS, ROUNDS, POINTS = 3, 12, 65   # (2 / 64)^12 is less than a rounding of float64

Answered = Sequence[tuple[Case, Array]]


def epsilon_of(answered: Answered, u: float, at_zero: bool = False) -> float | None:
    """The stabiliser with which every case of one layer has its answer; None if there is none.

    at_zero  it may be added to a z of 0 alone, and negative
    """
    tasks = [(task_of(case), answer) for case, answer in answered]

    def offs(epsilons: Array, enough: float = np.inf) -> Array:
        """The largest difference with each, in roundings that are allowed, at most 1 if it fits; or one above `enough`.
        """
        largest = np.zeros(len(epsilons))
        for task, answer in tasks:
            asked = largest <= enough
            if asked.any():
                here = furthest(answer, with_stabilisers(*task, epsilons[asked], at_zero)) / (ROUNDINGS * u)
                largest[asked] = np.maximum(largest[asked], here)
        return largest

    if offs(np.zeros(1))[0] <= 1:
        return 0.0
    grid = np.array([*GRID, *-GRID]) if at_zero else GRID
    near = offs(grid, enough=1)
    if near.min() <= 1:   # someone typed it
        return float(grid[near.argmin()])
    found = [shortest(offs, narrowed(offs, grid[n])) for n in valleys(offs(grid))]
    return min((number for number in found if number is not None), key=lambda number: len(repr(number)), default=None)


def valleys(offs: Array) -> list[int]:
    """Where it is lower than beside it, the lowest first: relevance of both signs may have several such places."""
    around = [np.inf, *offs, np.inf]
    found = [n for n, here in enumerate(offs) if np.isfinite(here) and around[n] > here <= around[n + 2]]
    return sorted(found, key=lambda n: offs[n])[:VALLEYS]


def shortest(offs: Callable[[Array], Array], near: float) -> float | None:
    """The decimal with the fewest digits that fits."""
    decimals = np.array([float(f"{near:.{digits}e}") for digits in range(17)])
    fitting = decimals[offs(decimals) <= 1]
    return float(fitting[0]) if len(fitting) else None


def stabilised(case: Case, epsilon: float, at_zero: bool = False) -> Array:
    """R_0 of a case of one layer with that stabiliser, sign 0 = +1."""
    return with_stabilisers(*task_of(case), np.array([epsilon]), at_zero)[0]


def task_of(case: Case) -> tuple[Rule, Layer, Array, Array]:
    """The rule, layer, x and R of a case of one layer."""
    network, rules, x, R = case.task()
    [(name, layer)] = network
    return rules[name], layer, x, R


def with_stabilisers(rule: Rule, layer: Layer, x: Array, R: Array, epsilons: Array, at_zero: bool) -> Array:
    """(E, *x.shape): relevance with each of E stabilisers, as one batch of E times the samples."""
    each = np.repeat(epsilons, len(x)).reshape(-1, *(1,) * (R.ndim - 1))
    dead = not at_zero and not epsilons.any()   # without a stabiliser R over 0 is dead
    rule = Stabilised(rule, 0) if dead else guarded(rule, "at 0" if at_zero else "signed", each)
    a, m = layer.linearize(np.concatenate([x] * len(epsilons)))
    with np.errstate(all="ignore"):
        return step(rule, m, a, np.concatenate([R] * len(epsilons)))[0].reshape(len(epsilons), *x.shape)


def furthest(answer: Array, wanted: Array) -> Array:
    """(E,): max |answer - wanted| / max |wanted| of each, infinite where a number is not finite."""
    if wanted.shape[1:] != answer.shape:
        return np.full(len(wanted), np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        error, size = (abs(x).reshape(len(wanted), -1).max(axis=1, initial=0) for x in (answer - wanted, wanted))
        off = np.where(error == 0, 0.0, error / np.where(size == 0, np.finfo(np.float32).tiny, size))
    return np.where(np.isfinite(error) & np.isfinite(size), off, np.inf)


def narrowed(offs: Callable[[Array], Array], near: float) -> float:
    """The number between near / 2 and 2 near where it is off least, on ever finer grids of the logarithm."""
    low, high = -1.0, 1.0
    for _ in range(ROUNDS):
        here = np.linspace(low, high, POINTS)
        least = int(offs(near * 2**here).argmin())
        low, high = here[max(least - 1, 0)], here[min(least + 1, POINTS - 1)]
    return float(near * 2 ** ((low + high) / 2))


def format_of(answers: Iterable[Array]) -> float:
    """The unit roundoff of the numbers: 2^-24 if float32 holds them all, thirds among them, else 2^-53."""
    with np.errstate(over="ignore"):
        single = all((answer.astype(np.float32) == answer).all() for answer in answers if np.isfinite(answer).all())
    return 2.0**-24 if single else 2.0**-53
