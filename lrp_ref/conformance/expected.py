"""What R_0 must be of an implementation, and how far rounding at its unit roundoff may take it from there.

One layer, or several through which nothing is rounded on the way up: a derived bound (checks.radius). Else 6 sigma of
Monte-Carlo arithmetic. A stabiliser that the implementation declares changes the exact answer, which is worked out
again; a convention that it declares otherwise is one of the case's own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers, ones_like, same
from lrp_ref.checks.ball import Ball
from lrp_ref.checks.bounds import raised
from lrp_ref.checks.compared import SIGMAS, distance
from lrp_ref.checks.exact import GuardedFraction, settled
from lrp_ref.checks.monte_carlo import RUNS, even, noisy_layer, noisy_step
from lrp_ref.checks.radius import origin_at, step_radius
from lrp_ref.checks.rounding import FLOAT64, V, arithmetic, source, upward
from lrp_ref.conformance.case import Case
from lrp_ref.conformance.dialects.parts import signed
from lrp_ref.conformance.make.decimals import in_decimals
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, Layer, MaxPool, SumPool
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network
from lrp_ref.relevance import hand_down
from lrp_ref.rules import Epsilon, Flat, Gamma, Pass, Rule, Share, Term, Winner, WSquare

AVERAGES = (AvgPool, AdaptiveAvgPool, SumPool)
COMPUTED = 4   # roundings
BATCHES = 8   # in which runs are made, each with computed weights of its own
MOVED = 8   # denominators of the vectors are 1/8 or more (make), so that a stabiliser moves a row by 8 of it

Rules = Mapping[str, Rule]


@dataclass(frozen=True, eq=False)
class Expected:
    """What R_0 must be: |answer - value| <= radius; NaN where no finite number can be expected.

    sigma       of Monte-Carlo arithmetic
    convention  (question, answer) where it is not the canonical one
    """

    value: Array
    radius: Array
    sigma: Callable[[], Array]
    convention: tuple[str, Any] | None = None


def expected(case: Case, u: float, declared: Mapping[str, Any]) -> list[Expected]:
    """The right answers at u of an implementation with these conventions: the canonical one first."""
    assert case.relevance is not None
    network, _, x, R = case.task()
    numbers = given(case)
    value = case.relevance if numbers[0] is case.network else exact(numbers[0], case.rules, *numbers[1:])
    right = bounded(network, case.rules, x, R, u, value)
    found = [right]
    for rules, near in stabilised(network, case.rules, declared):
        value = exact(numbers[0], rules, *numbers[1:])
        if not near or distance(value, right.value, V) <= MOVED * stabiliser(declared):
            found.append(bounded(network, rules, x, R, u, value))
    if declared.get("zero_rule") == "nan":
        found += undivided(case, right)
    found += [rounded_row(row.relevance, u, stabiliser(declared), (row.convention, row.value)) for row in case.either
              if row.convention in declared and declared[row.convention] == row.value]
    return found


def rounded_row(value: Array, u: float, epsilon: float, convention: tuple[str, Any]) -> Expected:
    """A row of the case: no bound is known without its rule, so half of u's digits of its largest number are asked."""
    size = np.abs(np.where(np.isfinite(value), value, 0)).max()
    radius = np.full(value.shape, max(u**0.5, MOVED * epsilon) * size)
    return Expected(value, radius, lambda: radius / SIGMAS, convention)


def right_at(network: Network, rules: Rules, x: Array, R: Array, u: float,
             declared: Mapping[str, Any]) -> list[Expected]:
    """The same of any network of floats, from float64's own R_0; without the rows that cases have."""
    found = [bounded(network, rules, x, R, u)]
    for others, near in stabilised(network, rules, declared):
        one = bounded(network, others, x, R, u)
        if not near or distance(one.value, found[0].value, V) <= MOVED * stabiliser(declared):
            found.append(one)
    return found


# ---- What an implementation is given ----


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


def given(case: Case) -> tuple[Network, Array, Array]:
    """(network, x, R): the exact numbers that an implementation in float64 is given: a few cases have others."""
    if not unheld(case, np.float64):
        return case.network, case.x, case.R

    def rounded(x: Array) -> Array:
        return convert_numbers(convert_numbers(x, np.float64), GuardedFraction)

    layers = [(name, layer.astype(np.float64).astype(GuardedFraction)) for name, layer in case.network]
    return Network(layers), rounded(case.x), rounded(case.R)


# ---- How far rounding may take it ----


def bounded(network: Network, rules: Rules, x: Array, R: Array, u: float, value: Array | None = None) -> Expected:
    """R_0 of a network of floats, and how far an evaluation at u may be from it.

    value: correctly rounded; None: what float64 makes of it, whose own error is allowed for
    """
    network, x, R = network.astype(np.float64), x.astype(np.float64), R.astype(np.float64)
    sigma = cache(lambda: spread(network, rules, x, R, u))
    with np.errstate(all="ignore"):
        balls = certain(network, x, u)
        try:
            bound = None if balls is None else chained(network, rules, balls, R, u)
        except ValueError:   # a layer whose weights have no bound
            bound = None
        if bound is None:
            value = run(network, rules, x, R) if value is None else value
            return Expected(value, np.maximum(SIGMAS * sigma(), u * abs(value)), sigma)
    computed, own, rounding = bound
    if value is None:
        return Expected(computed, upward(own + rounding, 2), sigma)
    return Expected(value, upward(rounding + V * abs(value), 2), sigma)


def spread(network: Network, rules: Rules, x: Array, R: Array, u: float) -> Array:
    """sigma of R_0: the root mean square error of RUNS runs of Monte-Carlo arithmetic, many at once as one batch.

    As checks.monte_carlo has it, but where a layer computes its weights from its input (posteriors, kernels, norms)
    they have errors too: those that an input and numbers of the layer off by 4 u would give them, u for each rounding
    that a transcendental function counts for (checks.rounding).
    """
    rng, centre = np.random.default_rng(0), run(network, rules, x, R)
    batches = BATCHES if any(computes(layer) for _, layer in network) else 1
    errors = [noisy_run(network, rules, copies(x, RUNS // batches), copies(R, RUNS // batches), u, rng)
              .reshape(-1, *x.shape) - centre for _ in range(batches)]
    return np.nan_to_num(np.sqrt((np.concatenate(errors) ** 2).mean(axis=0)), nan=np.inf)


def noisy_run(network: Network, rules: Rules, x: Array, R: Array, u: float, rng: np.random.Generator) -> Array:
    """R_0 with rounding errors, layers off by some u where their weights are computed."""
    xs, layers = [x], []
    for name, layer in network:
        computed = computes(layer)
        layers.append((name, computed, shaken(layer, COMPUTED * u, rng) if computed else layer))
        xs.append(noisy_layer(layers[-1][2], xs[-1], u, rng))
    for (name, computed, layer), a in reversed(list(zip(layers, xs))):
        R = noisy_step(rules[name], layer, even(a, COMPUTED * u, rng) if computed else a, R, u, rng)
    return R


def computes(layer: Layer) -> bool:
    """Whether the layer's weights are computed from its input, and not by comparisons alone."""
    return bool(source(layer).unknown) and getattr(layer, "p", None) != inf


def shaken(layer: Layer, u: float, rng: np.random.Generator) -> Layer:
    """The layer with its numbers off by u; what covers what is as it is."""
    own = {name: even(values, u, rng) for name, values in layer.arrays().items() if name != "regions"}
    return replace(layer, **own) if own else layer  # type: ignore[type-var]


def copies(x: Array, count: int) -> Array:
    return np.tile(x, (count, *(1,) * (x.ndim - 1)))


def certain(network: Network, x: Array, u: float) -> list[Ball] | None:
    """The inputs of all layers, where an evaluation at u rounds none of them."""
    balls = [Ball.exact(x)]
    for name, layer in network.layers[:-1]:
        try:
            above = raised(name, layer, balls[-1], arithmetic(u))
        except ValueError:
            return None
        if above.radius.any():
            return None
        balls.append(Ball.exact(above.value))
    return balls


def chained(network: Network, rules: Rules, balls: list[Ball], R: Array, u: float) -> tuple[Array, Array, Array]:
    """(float64's R_0, how far it is from the exact one, how far an evaluation at u is), from layer to layer downwards.

    Each layer's R is known within the ball of the one above; an evaluation's own R lies in a ball as large as its error
    and float64's together.
    """
    value, ours, theirs = R, Ball.exact(R), Ball.exact(R)
    own = rounding = np.zeros(R.shape)
    for (name, layer), x in reversed(list(zip(network, balls))):
        a, m = layer.linearize(x.value)
        origin = origin_at(source(layer), a)
        ball = x if a is x.value else Ball.exact(a)
        own, _ = step_radius(rules[name], m, ball, ours, FLOAT64, origin)
        rounding, _ = step_radius(rules[name], m, ball, theirs, arithmetic(u), origin)
        value = hand_down(rules[name], layer, x.value, value)[0]
        ours, theirs = Ball.around(value, own), Ball.around(value, upward(own + rounding, 2))
    return value, own, rounding


def run(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    """R_0 by this package, in the numbers that are given, whatever comes of it."""
    xs = network.activations(x)
    for (name, layer), a in reversed(list(zip(network, xs))):
        R = hand_down(rules[name], layer, a, R)[0]
    return R


# ---- Declared stabilisers ----


def stabiliser(declared: Mapping[str, Any]) -> float:
    """The number that is declared for all rules but Epsilon, or 0."""
    value = declared.get("stabiliser")
    return float(value) if isinstance(value, (int, float)) else 0.0


def stabilised(network: Network, rules: Rules, declared: Mapping[str, Any]) -> Iterator[tuple[Rules, bool]]:
    """The rules with the declared stabilisers, in several ways where libraries have several.

    A stabiliser is added to every z but those of Epsilon, of Pass, and of Winner, whose z is a count of winners. In an
    average some add it to the mean of ones where others have their sum (Flat), and raise no weights (Gamma); and some
    divide a maximum by itself. In these ways more than the stabiliser may differ, so that they are to be believed only
    if they come near the canonical answer (the second of each pair).
    """
    epsilon, at_zero = stabiliser(declared), declared.get("zero_rule")
    at_zero = at_zero if isinstance(at_zero, (int, float)) else 0
    seen: list[Rules] = [rules]
    for mean in (False, True):
        for maximum in (False, True):
            other = {name: with_stabiliser(rules[name], layer, epsilon, at_zero, mean, maximum)
                     for name, layer in network}
            if not any(list(map(key, other.values())) == list(map(key, one.values())) for one in seen):
                seen.append(other)
                yield other, mean or maximum


def key(rule: Rule) -> tuple[Any, ...]:
    return type(rule), rule.epsilon, id(rule) if not rule.epsilon else 0


def with_stabiliser(rule: Rule, layer: Layer, epsilon: float, at_zero: float, mean: bool, maximum: bool) -> Rule:
    """The rule with the stabiliser that is its own in that layer; the rule itself where it has none."""
    match rule:
        case Epsilon():
            return with_epsilon(rule, at_zero) if not rule.epsilon and at_zero else rule
        case Pass():
            return rule
        case Winner():
            return Epsilon(Fraction(epsilon)) if maximum and epsilon else rule
        case Flat() | WSquare() if mean and isinstance(layer, AVERAGES) and epsilon:
            return OfOnes(Fraction(epsilon))
        case Gamma() if mean and isinstance(layer, (MaxPool, *AVERAGES)) and epsilon:
            return Epsilon(Fraction(epsilon))
    return with_epsilon(rule, epsilon) if epsilon else rule


def with_epsilon(rule: Rule, epsilon: float) -> Rule:
    """The same rule, but with z + epsilon sign z for z."""
    other = copy(rule)
    object.__setattr__(other, "epsilon", Fraction(epsilon))   # in a rule without this field too
    return other


@dataclass(frozen=True)
class OfOnes(Rule):
    """R_i = sum_j w_ij / (sum_i w_ij + epsilon) R_j: Flat on an average as what the layer makes of ones."""

    epsilon: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), same)])]


def exact(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    """R_0, correctly rounded: in Decimals of two precisions, or Fractions where those do not agree."""
    def decimals() -> Array:
        return run(in_decimals(network), rules, convert_numbers(x, Decimal), convert_numbers(R, Decimal))

    try:
        return settled(decimals)
    except ValueError:
        return convert_numbers(run(network, rules, x, R), np.float64)


class Undivided(Epsilon):
    """Epsilon, but 0 / 0 is what floats make of it."""

    def guard(self, z: Array) -> Array:
        return signed(self.epsilon, z)


def undivided(case: Case, right: Expected) -> list[Expected]:
    """The canonical answer, but not a number wherever 0 / 0 comes down to, for those who declare that of Epsilon(0)."""
    network, _, x, R = case.task()
    rules = {name: Undivided(rule.epsilon) if isinstance(rule, Epsilon) else rule for name, rule in case.rules.items()}
    with np.errstate(all="ignore"):
        known = np.isfinite(run(network, rules, x, R))
    if known.all():
        return []
    return [Expected(np.where(known, right.value, np.nan), right.radius, right.sigma, ("zero_rule", "nan"))]
