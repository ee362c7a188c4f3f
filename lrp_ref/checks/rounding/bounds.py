"""Balls from the image up and from the score down: for every tensor a radius that holds the exact relevance.

Upwards a layer widens the ball of its input by dz (sums.py, u = 2^-53), and a ReLU and a max-pooling change nothing:
they are monotone. Of a layer that states neither (`affine`, `monotone`) nothing is known. Downwards every ball is B, of
a's ball and R's ball above; where K layers read a tensor, their messages' radii and gamma_(K-1) sum |messages|.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, as_array, convert_numbers, ones_like, same
from lrp_ref.assignment import assign
from lrp_ref.checks.rounding import twins
from lrp_ref.checks.rounding.arithmetic import FLOAT64, Arithmetic, quiet, upward
from lrp_ref.checks.rounding.ball import Ball, doubts
from lrp_ref.checks.rounding.radius import beyond, origin_at, step_radius
from lrp_ref.checks.rounding.sums import added
from lrp_ref.layers import Layer
from lrp_ref.linear_map import Term
from lrp_ref.network import INPUT, Network, a_network
from lrp_ref.relevance import Relevances, checked, every_layer, relevances
from lrp_ref.rules import Rule
from lrp_ref.starts import start


@dataclass(frozen=True, eq=False)
class Bounds:
    """A radius for every relevance, within which the exact one lies. The exact one: exact arithmetic on these floats.

    relevances   {tensor: its float64 relevance}, as explain computes them
    radii        {tensor: |that - exact| <= radius}, inf where nothing is known
    activations  {tensor: its Ball}
    undecided    {layer: how many ReLU gates or max-pooling winners the radius does not decide}
    infinite     the first layer and output unit that made a radius infinite, and why; None
    """

    relevances: Mapping[str, Array]
    radii: Mapping[str, Array]
    activations: Mapping[str, Ball]
    undecided: Mapping[str, int]
    infinite: str | None

    @property
    def radius(self) -> Array:
        """The radius of R_0."""
        return self.radii[INPUT]

    @property
    def relative(self) -> float:
        """The largest radius of R_0 over the largest |R_0|."""
        largest = float(abs(self.relevances[INPUT]).max())
        worst = float(self.radius.max())
        return worst / largest if largest else (0.0 if worst == 0 else np.inf)

    def __str__(self) -> str:
        return (f"the exact relevance lies within {self.relative:.1e} of the largest; "
                f"undecided gates and winners: {sum(self.undecided.values())}"
                + (f"\n{self.infinite}" if self.infinite else ""))


def upwards(layer: Layer) -> bool:
    """Whether the ball of layer(x) follows from that of x: it is one sum at every x, or monotone."""
    how = layer.roundings
    return (layer.affine and not how.unknown) or (layer.monotone and how.output is not None)


def selects(layer: Layer) -> bool:
    """Whether the layer's outputs are inputs as they are, and x decides which: a gate or a winner."""
    return layer.monotone and layer.roundings.output == 0 and not layer.affine


def bounds(network: Network, x: Array, rules: Mapping[str, Rule] | None = None, target: Any = None) -> Bounds:
    """For every layer a radius within which the exact value of every relevance lies: balls in float64.

    Arguments as `explain` takes them, floats; the exact value is what exact arithmetic would give from these very
    weights and this image, for the same class: with target=None the one that `explain` explains.
    """
    for name, layer in a_network(network):
        if not upwards(layer):
            raise ValueError(f"bounds knows no ball for layer {name}, a {type(layer).__name__}: "
                             "use lrp_ref.checks.monte_carlo, or the layers above it, network[i:]")
    x = checked(network, x)
    if x.dtype == object:
        raise ValueError(f"got an input of {type(x.flat[0]).__name__}, which is exact: bounds are for floats")
    if target is None:   # what explain explains: the top score in the network's own numbers
        scores = network(x)
        target = scores.argmax(axis=1) if scores.ndim == 2 else None
    network, x = network.astype(np.float64), convert_numbers(x, np.float64)
    rules = assign(network) if rules is None else every_layer(network, rules)
    balls, ids = {INPUT: Ball.exact(x)}, {INPUT: twins.equals(x)}
    for name, layer in network:
        ball = balls[name] = raised(name, layer, taken(network, name, balls), FLOAT64)
        ids[name] = twins.known(twins.lifted(layer, network.read(name, ids), ball.value.shape), ball.low, ball.high)
    target = None if target is None else as_array(target)
    if target is not None and target.dtype == np.float32:
        target = convert_numbers(target, np.float64)
    R = start_ball(balls[network.output], target)
    found = relevances(network, {t: ball.value for t, ball in balls.items()}, rules, R.value)
    return downwards(network, balls, ids, rules, R, found)


def taken(network: Network, name: str, balls: Mapping[str, Ball]) -> Ball:
    """The ball of what a layer takes."""
    value = network.read(name, {t: ball.value for t, ball in balls.items()})
    if all(balls[t].low is balls[t].high for t in network.reads[name]):
        return Ball.exact(value)
    return Ball(value, network.read(name, {t: ball.low for t, ball in balls.items()}),
                network.read(name, {t: ball.high for t, ball in balls.items()}))


def start_ball(scores: Ball, target: Any) -> Ball:
    """R_L: exact where it is given, the ball of the target's score where it is a class."""
    R = start(scores.value, target)
    if np.shape(target) == R.shape and target is not None:
        return Ball.exact(R)
    index = scores.value.argmax(axis=1) if target is None else target
    chosen = start(ones_like(scores.value) + 0.0, index) != 0
    return Ball(R, *(np.where(chosen, end, 0.0) for end in (scores.low, scores.high)))


def raised(name: str, layer: Layer, x: Ball, to: Arithmetic) -> Ball:
    """The ball of layer(x); an error where it is not finite."""
    ball = above(layer, x, to)
    if not np.isfinite(ball.radius).all():
        raise ValueError(f"layer {name}: the radius overflows: are its weights too large?")
    return ball


@quiet
def above(layer: Layer, x: Ball, to: Arithmetic) -> Ball:
    """The ball of layer(x); the whole line where an evaluation may leave the format."""
    value = layer(x.value)
    k = layer.roundings.output
    if layer.monotone and k is not None:
        ends = Ball(value, *((value, value) if x.low is x.high else (layer(x.low), layer(x.high))))
        slack = (to.gamma(k) + FLOAT64.gamma(k)) * ends.size + k * to.eta
        return Ball.around(value, upward(ends.radius + slack, 6)) if k else ends
    a, m = layer.linearize(x.value)
    terms, origin = [(Term(x.value, same, m.bias), x)], origin_at(layer.roundings, a)
    sums = added(m, terms, value, origin)
    radius = upward(sums.error(to) + (0 if to is FLOAT64 else sums.error(FLOAT64)), 2)
    unknown = beyond(m, terms, sums.size, to, origin) | layer.vanishing(x.value, to.least, to.largest)
    ball = Ball.around(value, np.where(unknown, np.inf, radius))
    if not m.learned:   # an average of numbers that are not negative is not negative
        safe = layer(np.minimum(x.low, 0)) == 0
        ball = Ball(value, np.where(safe, np.maximum(ball.low, 0), ball.low), ball.high)
    return ball


def downwards(network: Network, balls: Mapping[str, Ball], ids: Mapping[str, Array], rules: Mapping[str, Rule], R: Ball,
              found: Relevances) -> Bounds:
    """The radii of all relevances, from the balls of the activations and of R_L."""
    undecided, infinite, values = {}, None, found.of
    off, sizes = {network.output: R.radius}, dict[str, Array]()
    readers = Counter(t for reads in network.reads.values() for t in reads)
    for name, layer, reads in reversed(network.nodes):
        R = R if name == network.output else Ball.around(values[name], added_up(readers[name], off, sizes, name))
        x, numbers = taken(network, name, balls), network.read(name, ids)
        doubtful = doubts(layer, x, FLOAT64, numbers)
        if selects(layer):
            undecided[name] = int(np.sum(doubtful))
        a, m = layer.linearize(x.value)
        origin = origin_at(layer.roundings, a)
        radius, undetermined, outside = step_radius(rules[name], m, x, R, FLOAT64, origin, doubtful)
        if infinite is None and not np.isfinite(radius).all():
            infinite = cause(name, undetermined, doubtful, outside, radius)
        shapes = [values[t].shape for t in reads]
        for t, part, message in zip(reads, layer.split(radius, *shapes), found.messages[name]):
            off[t] = off[t] + part if t in off else part
            sizes[t] = sizes[t] + abs(message) if t in sizes else abs(message)
    added_up(readers[INPUT], off, sizes, INPUT)
    return Bounds(values, {t: off[t] for t in values}, balls, dict(reversed(undecided.items())), infinite)


def added_up(readers: int, off: dict[str, Array], sizes: Mapping[str, Array], name: str) -> Array:
    """The radius of a tensor's relevance: of its readers' messages, and gamma_(K-1) sum |messages| of their sum."""
    if readers > 1:
        off[name] = upward(off[name] + FLOAT64.gamma(readers - 1) * sizes[name], 2 * readers)
    return off[name]


def cause(name: str, undetermined: Array, doubtful: Array | bool, outside: Array, radius: Array) -> str:
    """Where and why a radius became infinite."""
    if not undetermined.any():
        unit = tuple(map(int, np.argwhere(~np.isfinite(radius))[0]))
        return f"layer {name}: the radius is infinite at input unit {unit}, where the numbers overflow"
    unit = tuple(map(int, np.argwhere(undetermined)[0]))
    count = int(undetermined.sum())
    why = ("whose gate or winner the radius does not decide" if np.broadcast_to(doubtful, undetermined.shape)[unit]
           else "where the numbers overflow" if outside[unit] else "whose denominator may be 0")
    return (f"layer {name}: the radius is infinite below output unit {unit}, {why}"
            + (f" ({count} such units)" if count > 1 else ""))
