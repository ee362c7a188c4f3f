"""How far rounding at a unit roundoff may take R_0 from what it must be.

One layer, or several through which nothing is rounded on the way up: a derived bound (checks.radius). Else 6 sigma of
Monte-Carlo arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.rounding.arithmetic import FLOAT64, V, arithmetic, upward
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.bounds import raised
from lrp_ref.checks.rounding.monte_carlo import COVERS, RUNS, noisy_layer, noisy_step, perturbed
from lrp_ref.checks.rounding.radius import origin_at, step_radius
from lrp_ref.layers import Layer
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import handed_down, through_layer, through_network
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import SIGMAS

COMPUTED = 4   # roundings
# A sum of six terms, a quotient, a product and a sum, here and there: 2 x 10 roundings, and three times that where
# terms of both signs leave a third of their size.
ROUNDINGS = 64
BATCHES = 8   # in which runs are made, each with computed weights of its own

Rules = Mapping[str, Rule]


class Convention(NamedTuple):
    """An answer to a question that formulas leave open."""

    question: str
    value: Any


@dataclass(frozen=True, eq=False)
class Expected:
    """What R_0 must be: |answer - value| <= radius; NaN where no finite number can be expected.

    sigma       of Monte-Carlo arithmetic
    convention  whose value it is, where that is not the canonical one
    """

    value: Array
    radius: Array
    sigma: Callable[[], Array]
    convention: Convention | None = None


class Chained(NamedTuple):
    """float64's R_0, how far it is from the exact one, and how far an evaluation at u is."""

    value: Array
    own: Array
    rounding: Array


def bounded(network: Network, rules: Rules, x: Array, R: Array, u: float, value: Array | None = None) -> Expected:
    """R_0 of a network of floats, and how far an evaluation at u may be from it.

    value: correctly rounded; None: what float64 makes of it, whose own error is allowed for
    """
    network, x, R = network.astype(np.float64), x.astype(np.float64), R.astype(np.float64)
    sigma = cache(lambda: spread(network, rules, x, R, u))
    with np.errstate(all="ignore"):
        xs = certain(network, x, u)
        try:
            bound = None if xs is None else chained(network, rules, xs, R, u)
        except ValueError:   # a layer whose weights have no bound
            bound = None
        if bound is None:
            value = through_network(network, rules, x, R)[INPUT] if value is None else value
            return Expected(value, np.maximum(SIGMAS * sigma(), u * abs(value)), sigma)
    if value is None:
        return Expected(bound.value, upward(bound.own + bound.rounding, 2), sigma)
    return Expected(value, upward(bound.rounding + V * abs(value), 2), sigma)


def spread(network: Network, rules: Rules, x: Array, R: Array, u: float) -> Array:
    """sigma of R_0: the root mean square error of RUNS runs of Monte-Carlo arithmetic, many at once as one batch.

    As checks.monte_carlo has it, but where a layer computes its weights from its input (posteriors, kernels, norms)
    they have errors too: those that an input and numbers of the layer off by 4 u would give them, u for each rounding
    that a transcendental function counts for (checks.rounding).
    """
    rng, centre = np.random.default_rng(0), through_network(network, rules, x, R)[INPUT]
    batches = BATCHES if any(computes(layer) for _, layer in network) else 1
    errors = [noisy_run(network, rules, copies(x, RUNS // batches), copies(R, RUNS // batches), u, rng)
              .reshape(-1, *x.shape) - centre for _ in range(batches)]
    return np.nan_to_num(np.sqrt((np.concatenate(errors) ** 2).mean(axis=0)), nan=np.inf)


def noisy_run(network: Network, rules: Rules, x: Array, R: Array, u: float, rng: np.random.Generator) -> Array:
    """R_0 with rounding errors, layers off by some u where their weights are computed."""
    xs, off = {INPUT: x}, dict[str, Layer]()
    for name, layer in network:
        off[name] = shaken(layer, COMPUTED * u, rng) if computes(layer) else layer
        xs[name] = noisy_layer(off[name], network.read(name, xs), u, rng)

    def through(name: str, layer: Layer, a: Array, R: Array) -> Array:
        a = perturbed(a, COMPUTED * u, rng) if computes(layer) else a
        return noisy_step(rules[name], off[name], a, R, u, rng)

    return handed_down(network, xs, R, through)[0][INPUT]


def computes(layer: Layer) -> bool:
    """Whether the layer's weights are computed from its input, and not by comparisons alone."""
    return bool(layer.roundings.unknown) and getattr(layer, "p", None) != inf


def shaken(layer: Layer, u: float, rng: np.random.Generator) -> Layer:
    """The layer with its numbers off by u; what covers what is as it is."""
    own = {name: perturbed(values, u, rng) for name, values in layer.arrays().items() if name not in COVERS}
    return replace(layer, **own) if own else layer  # type: ignore[type-var]


def copies(x: Array, count: int) -> Array:
    return np.tile(x, (count, *(1,) * (x.ndim - 1)))


def certain(network: Network, x: Array, u: float) -> list[Array] | None:
    """The inputs of all layers, where an evaluation at u rounds none of them."""
    xs = [x]
    if not network.is_chain:   # sums where branches meet have no balls here yet
        return None
    for name, layer in network.layers[:-1]:
        try:
            above = raised(name, layer, Ball.exact(xs[-1]), arithmetic(u))
        except ValueError:
            return None
        if above.radius.any():
            return None
        xs.append(above.value)
    return xs


def chained(network: Network, rules: Rules, xs: list[Array], R: Array, u: float) -> Chained:
    """From layer to layer downwards, at inputs that are exact.

    Each layer's R is known within the ball of the one above; an evaluation's own R lies in a ball as large as its error
    and float64's together.
    """
    value, ours, theirs = R, Ball.exact(R), Ball.exact(R)
    own = rounding = np.zeros(R.shape)
    for (name, layer), x in reversed(list(zip(network, xs))):
        a, m = layer.linearize(x)
        origin = origin_at(layer.roundings, a)
        own, *_ = step_radius(rules[name], m, Ball.exact(a), ours, FLOAT64, origin)
        rounding, *_ = step_radius(rules[name], m, Ball.exact(a), theirs, arithmetic(u), origin)
        value = through_layer(rules[name], layer, x, value)[0]
        ours, theirs = Ball.around(value, own), Ball.around(value, upward(own + rounding, 2))
    return Chained(value, own, rounding)
