"""What an implementation was asked, and its answer layer by layer beside what it should have been."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array, as_array
from lrp_ref.assignment import a_mapping
from lrp_ref.checks.rounding.arithmetic import FLOAT64, arithmetic, upward
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.bounds import above, start_ball, taken, upwards
from lrp_ref.checks.rounding.monte_carlo import monte_carlo
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.hints import listed
from lrp_ref.layers import Layer
from lrp_ref.network import INPUT, Network, a_network
from lrp_ref.relevance import checked, every_layer, must_be_finite, through_layer, through_network
from lrp_ref.rules import Flat, Pass, Rule
from lrp_ref.starts import start
from lrp_ref.testing.compared import SIGMAS, Compared
from lrp_ref.testing.explained import Answer
from lrp_ref.testing.given import as_floats, fits, must_be_held
from lrp_ref.testing.looks_like import Likeness

Rules = Mapping[str, Rule]


class Messages(NamedTuple):
    """What a layer hands to each tensor it reads: values, how far an implementation may be off, and how far they are.

    exact  None where no bound is known, and `allowed` is 6 sigma
    """

    values: tuple[Array, ...]
    allowed: tuple[Array, ...]
    exact: tuple[Array, ...] | None
    sigma: Callable[[], tuple[Array, ...]]


@dataclass(frozen=True, eq=False)
class Task:
    """The network in float64, the ball of every tensor, and of R_L."""

    network: Network
    x: Array
    rules: Rules
    R: Ball
    target: Any
    u: float
    balls: Mapping[str, Ball]

    @classmethod
    def of(cls, network: Network, x: Any, rules: Rules, R: Any, u: float,
           activations: Mapping[str, Any] | None) -> Task:
        arithmetic(u)
        x = as_floats(x, "x")
        every_layer(a_network(network), rules, "lrp_ref.assign")
        seen = a_mapping({} if activations is None else activations, "activations: {layer: its output}")
        for name, layer in network:
            for array, values in layer.arrays().items():
                must_be_held(values, u, f"{array} of {name}")
        must_be_held(x, u, "x")
        network = network.astype(np.float64)
        x64 = checked(network, x.astype(np.float64))
        given = {t: as_floats(a, f"the activation of {in_words(t)}") for t, a in seen.items()}
        all_tensors(network, given)
        balls, shapes = {INPUT: Ball.exact(x64)}, network.shapes(x.shape)
        for t in (INPUT, *network.names):
            if t != INPUT:
                balls[t] = lifted(t, network[t], taken(network, t, balls), u)
            if t in given and t != network.output:
                fits(given[t], shapes[t], f"the activation of {in_words(t)}", in_words(t))
                balls[t] = Ball.exact(given[t].astype(np.float64))
        scores, target = balls[network.output], R
        if R is not None and as_array(R).shape == scores.value.shape:
            target = as_floats(R, "R")
            must_be_held(target, u, "R")
            target = target.astype(np.float64)
        return cls(network, x64, rules, start_ball(scores, target), target, u, balls)

    def layer(self, name: str) -> Layer:
        return self.network[name]

    def taken(self, name: str) -> Ball:
        """What a layer takes: a tensor, or several joined into one array."""
        return taken(self.network, name, self.balls)

    def readers(self, t: str) -> list[str]:
        return [name for name, reads in self.network.reads.items() if t in reads]

    def given(self, relevances: Mapping[str, Any], t: str) -> Array:
        """The relevance of a tensor, as the implementation says it is."""
        if t not in a_mapping(relevances, "relevances: {\"input\": R_0, layer: relevance of its output}"):
            raise ValueError(f"got relevances of {listed(relevances)}, needed one of every tensor that a layer reads, "
                             f"{INPUT!r} and the layers' outputs by their names: that of {in_words(t)} is missing")
        here = as_floats(relevances[t], f"the relevance of {in_words(t)}")
        fits(here, self.balls[t].value.shape, f"the relevance of {in_words(t)}", in_words(t))
        return here

    def above(self, name: str, relevances: Mapping[str, Any]) -> Ball:
        """The relevance of the layer's outputs, as the implementation says it is."""
        if name == self.network.output:
            return self.R
        return Ball.exact(self.given(relevances, name).astype(np.float64))

    def start(self) -> Array:
        return start(self.network(self.x), self.target)

    def relevance(self, rules: Rules) -> Array:
        """R_0 from R_L by these rules."""
        xs = {t: ball.value for t, ball in self.balls.items()}
        return through_network(self.network, rules, self.x, self.start(), xs)[INPUT]

    def compare(self, actual: Any) -> Iterator[Compared]:
        """Tensor by tensor from the score down, or the image's relevance alone."""
        if isinstance(actual, Mapping):
            all_tensors(self.network, actual)
            for t in (*self.network.names[-2::-1], INPUT):
                yield self.compare_tensor(t, actual)
            return
        actual = self.given({INPUT: actual}, INPUT)
        if len(self.network) == 1:
            yield self.compare_tensor(INPUT, {INPUT: actual})
            return
        sigma = monte_carlo(self.network, self.x, self.rules, self.target, self.u)[INPUT]
        yield self.by_sigma((), actual, self.relevance(self.rules), sigma)

    def compare_tensor(self, t: str, relevances: Mapping[str, Any]) -> Compared:
        """What all readers of a tensor hand to it, from what the implementation says their outputs have."""
        actual, layers = self.given(relevances, t), self.readers(t)
        parts = [(found, k) for name in layers for found in [self.messages(name, self.above(name, relevances))]
                 for k, read in enumerate(self.network.reads[name]) if read == t]
        value = total_of([found.values[k] for found, k in parts])
        radius = total_of([found.allowed[k] for found, k in parts])
        exact = None
        if all(found.exact is not None for found, _ in parts):
            exact = total_of([found.exact[k] for found, k in parts if found.exact is not None])
        if len(parts) > 1:
            sizes = total_of([abs(found.values[k]) for found, k in parts])
            own = FLOAT64.gamma(len(parts) - 1) * sizes
            radius = upward(radius + own + arithmetic(self.u).gamma(len(parts) - 1) * (sizes + radius), 2 * len(parts))
            exact = None if exact is None else upward(exact + own, len(parts))
        return Compared(tuple(layers), actual, value, radius, exact, lambda: reduce(
            np.hypot, [found.sigma()[k] for found, k in parts]))

    def messages(self, name: str, R: Ball) -> Messages:
        """What the layer hands down from its outputs' relevance."""
        rule, layer, x = self.rules[name], self.layer(name), self.taken(name)
        shapes = [self.balls[t].value.shape for t in self.network.reads[name]]

        @cache
        def sigma() -> Array:
            return monte_carlo(Network([(name, layer)]), x.value, {name: rule}, R.value, self.u)[INPUT]

        def each(array: Array) -> tuple[Array, ...]:
            return layer.split(array, *shapes)

        if layer.roundings.unknown and not isinstance(rule, (Flat, Pass)):   # its weights have no bound
            value = through_layer(rule, layer, x.value, R.value)[0]
            return Messages(each(value), each(self.some_sigma(sigma(), value)), None, lambda: each(sigma()))
        one = one_layer(rule, layer, x, R, self.u)
        return Messages(each(one.value), each(one.radius), each(one.exact), lambda: each(sigma()))

    def some_sigma(self, sigma: Array, value: Array) -> Array:
        """Where no bound is known: 6 sigma, and no less than the value's own rounding."""
        return np.maximum(SIGMAS * sigma, self.u * abs(value))

    def by_sigma(self, layers: tuple[str, ...], actual: Array, value: Array, sigma: Array) -> Compared:
        return Compared(layers, actual, value, self.some_sigma(sigma, value), None, lambda: sigma)

    def alone(self, name: str, relevances: Mapping[str, Any]) -> Array:
        """What the layer handed to all it reads, joined, if the other readers of these tensors did as they should."""
        messages = []
        for n, t in enumerate(self.network.reads[name]):
            rest = self.given(relevances, t).astype(np.float64)
            for other in self.readers(t):
                for k, read in enumerate(self.network.reads[other]):
                    if read == t and (other, k) != (name, n):
                        rest = rest - self.messages(other, self.above(other, relevances)).values[k]
            messages.append(rest)
        if len(messages) == 1 and len(self.readers(self.network.reads[name][0])) == 1:
            return self.given(relevances, self.network.reads[name][0])
        return self.layer(name).join(*messages)

    def looks_like(self, layer: str | None, actual: Any) -> Likeness | None:
        """The fault or convention that explains the layer's relevance, or the image's, better than none."""
        network, balls = self.network, self.balls
        if layer is None:
            got, R = as_floats(actual, "the relevance"), self.start()
        else:
            network, balls = Network([(layer, self.layer(layer))]), {INPUT: self.taken(layer)}
            whole = not isinstance(actual, Mapping)
            got, R = (as_floats(actual, "the relevance"), self.R.value) if whole else (
                self.alone(layer, actual), self.above(layer, actual).value)
        answer = Answer(got, network, self.rules, balls, R, self.u)
        return next(filter(None, answer.explained()), None)

    def hint(self, layers: Sequence[str], actual: Any) -> str:
        """What it looks like, or else what would tell more of several layers."""
        for layer in layers or (None,):
            if found := self.looks_like(layer, actual):
                return f"it looks as if {found}" if len(layers) < 2 else f"at {layer} it looks as if {found}"
        return (not layers) * (
            f"give {{tensor: its relevance}} to see at which of {', '.join(self.network.names)} it begins")


def total_of(parts: Sequence[Array]) -> Array:
    """Their sum; of one itself."""
    return reduce(np.add, parts)


def together(network: Network) -> list[tuple[list[str], list[str]]]:
    """Layers and the tensors they read, in the smallest groups that share none, highest first.

    What all layers of a group hand down is what all tensors of it receive.
    """
    groups: list[tuple[set[str], set[str]]] = []
    for name, reads in network.reads.items():
        layers, tensors = {name}, set(reads)
        for group in [group for group in groups if group[1] & tensors]:
            groups.remove(group)
            layers, tensors = layers | group[0], tensors | group[1]
        groups.append((layers, tensors))
    order = [INPUT, *network.names]
    found = [(sorted(layers, key=order.index), sorted(tensors, key=order.index)) for layers, tensors in groups]
    return sorted(found, key=lambda group: -order.index(group[0][-1]))


def all_tensors(network: Network, tensors: Mapping[str, Any]) -> None:
    """An error unless all are tensors of the network."""
    for t in tensors:
        if t != INPUT:
            network.index(t)


def in_words(t: str) -> str:
    """A tensor's name in a sentence."""
    return "the input" if t == INPUT else t


def lifted(name: str, layer: Layer, x: Ball, u: float) -> Ball:
    """The ball of the layer's output at u.

    Where no ball is known, as if exact: its error is then not allowed for, but that a number may have vanished or left
    the format on the way.
    """
    to = arithmetic(u)
    if upwards(layer):
        ball = above(layer, x, to)
    else:
        z = layer(x.value)
        small = np.where((z != 0) & (abs(z) < to.least), to.least, 0.0)
        radius = np.where(layer.vanishing(x.value, to.least, to.largest), np.inf, small)
        ball = Ball.around(z, radius) if radius.any() else Ball.exact(z)
    must_be_finite(name, ball.value)
    return ball
