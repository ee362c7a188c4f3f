"""What an implementation was asked, and its answer layer by layer beside what it should have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, as_array
from lrp_ref.assignment import a_mapping
from lrp_ref.checks.rounding.arithmetic import arithmetic
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.bounds import above, start_ball, upwards
from lrp_ref.checks.rounding.monte_carlo import monte_carlo
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.hints import listed
from lrp_ref.layers import Layer
from lrp_ref.network import INPUT, Network, a_network
from lrp_ref.relevance import checked, every_layer, must_be_finite, start, through_layer, through_network
from lrp_ref.rules import Flat, Pass, Rule
from lrp_ref.testing.compared import SIGMAS, Compared
from lrp_ref.testing.explained import Answer
from lrp_ref.testing.given import as_floats, fits, must_be_held
from lrp_ref.testing.looks_like import Likeness

Rules = Mapping[str, Rule]


@dataclass(frozen=True, eq=False)
class Task:
    """The network in float64, the ball of every layer's input, and of R_L."""

    network: Network
    x: Array
    rules: Rules
    R: Ball
    target: Any
    u: float
    inputs: Mapping[str, Ball]

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
        if not network.is_chain:
            raise ValueError("lrp_ref.testing takes chains of layers so far, and this network has branches: compare "
                             f"its parts, network[i:j]; one tensor alone crosses after "
                             f"{listed(network.crossings()) or 'no layer'}")
        balls, inputs, shapes = Ball.exact(x64), {}, network.shapes(x.shape)
        for name, layer, (t,) in network.nodes:
            if t in given:
                fits(given[t], shapes[t], f"the activation of {in_words(t)}", in_words(t))
                balls = Ball.exact(given[t].astype(np.float64))
            inputs[name] = balls
            balls = lifted(name, layer, balls, u)
        target = R
        if R is not None and as_array(R).shape == balls.value.shape:
            target = as_floats(R, "R")
            must_be_held(target, u, "R")
            target = target.astype(np.float64)
        return cls(network, x64, rules, start_ball(balls, target), target, u, inputs)

    def layer(self, name: str) -> Layer:
        return self.network[name]

    def given(self, relevances: Mapping[str, Any], name: str) -> Array:
        (t,) = self.network.reads[name]
        if t not in a_mapping(relevances, "relevances: {\"input\": R_0, layer: relevance of its output}"):
            raise ValueError(f"got relevances of {listed(relevances)}, needed one of every tensor that a layer reads, "
                             f"{INPUT!r} and the layers' outputs by their names: that of {in_words(t)} is missing")
        here = as_floats(relevances[t], f"the relevance of {in_words(t)}")
        fits(here, self.inputs[name].value.shape, f"the relevance of {in_words(t)}", in_words(t))
        return here

    def above(self, name: str, relevances: Mapping[str, Any]) -> Ball:
        """The relevance of the layer's outputs, as the implementation says it is."""
        if name == self.network.output:
            return self.R
        return Ball.exact(self.given(relevances, self.network.names[self.network.index(name) + 1]).astype(np.float64))

    def start(self) -> Array:
        return start(self.network(self.x), self.target)

    def relevance(self, rules: Rules) -> Array:
        """R_0 from R_L by these rules."""
        xs = {self.network.reads[name][0]: x.value for name, x in self.inputs.items()}
        return through_network(self.network, rules, self.x, self.start(), xs)[INPUT]

    def compare(self, actual: Any) -> Iterator[Compared]:
        """Layer by layer from the score down, or the image's relevance alone."""
        if isinstance(actual, Mapping):
            all_tensors(self.network, actual)
            for name in reversed(self.network.names):
                yield self.compare_layer(name, self.given(actual, name), self.above(name, actual))
            return
        name = self.network.names[0]
        actual = self.given({INPUT: actual}, name)
        if len(self.network) == 1:
            yield self.compare_layer(name, actual, self.R)
            return
        sigma = monte_carlo(self.network, self.x, self.rules, self.target, self.u)[INPUT]
        yield self.by_sigma(None, actual, self.relevance(self.rules), sigma)

    def compare_layer(self, name: str, actual: Array, R: Ball) -> Compared:
        rule, layer, x = self.rules[name], self.layer(name), self.inputs[name]

        def sigma() -> Array:
            return monte_carlo(Network([(name, layer)]), x.value, {name: rule}, R.value, self.u)[INPUT]

        if layer.roundings.unknown and not isinstance(rule, (Flat, Pass)):   # its weights have no bound
            return self.by_sigma(name, actual, through_layer(rule, layer, x.value, R.value)[0], sigma())
        one = one_layer(rule, layer, x, R, self.u)
        return Compared(name, actual, one.value, one.radius, one.exact, sigma)

    def by_sigma(self, layer: str | None, actual: Array, value: Array, sigma: Array) -> Compared:
        """Where no bound is known: 6 sigma, and no less than the value's own rounding."""
        return Compared(layer, actual, value, np.maximum(SIGMAS * sigma, self.u * abs(value)), None, lambda: sigma)

    def looks_like(self, layer: str | None, actual: Any) -> Likeness | None:
        """The fault or convention that explains the layer's relevance, or the image's, better than none."""
        network = self.network
        if layer is None:
            got, R = as_floats(actual, "the relevance"), self.start()
        else:
            network = Network([(layer, self.layer(layer))])
            whole = not isinstance(actual, Mapping)
            got, R = (as_floats(actual, "the relevance"), self.R.value) if whole else (
                self.given(actual, layer), self.above(layer, actual).value)
        answer = Answer(got, network, self.rules, self.inputs, R, self.u)
        return next(filter(None, answer.explained()), None)

    def hint(self, layer: str | None, actual: Any) -> str:
        """What it looks like, or else what would tell more of several layers."""
        if found := self.looks_like(layer, actual):
            return f"it looks as if {found}"
        return (layer is None) * (
            f"give {{tensor: its relevance}} to see at which of {', '.join(self.network.names)} it begins")


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
