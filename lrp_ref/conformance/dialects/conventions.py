"""A dialect: a library's rules in this package's algebra, and its answer to every question that formulas leave open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lrp_ref.layers import Layer
from lrp_ref.network import Network
from lrp_ref.rules import Rule

Table = Mapping[str, Callable[..., Rule]]


@dataclass(frozen=True)
class Conventions:
    """One field per question; the defaults are the canonical answers, so that a dialect states its departures only.

    start             what R_L is: "score" of the target, "all scores", "one", "chosen" by the caller (D15d)
    epsilon           what epsilon does to z: "added", "clipped" (z is no smaller than epsilon), or "scaled" by the root
                      mean square of z and added (D1)
    epsilon_sign      the sign that epsilon takes: "z" or "none", which has a pole at z = -epsilon (D1, D1c)
    sign_of_zero      +1 or -1; 0: a z of 0 is not divided by at all (D1b); None where epsilon has no sign
    default_epsilon   of the epsilon rule where none is given
    zero_rule         the stabiliser of Epsilon(0), where z = 0: "dead", "nan", or the number that z gets added
    stabiliser        of every other rule; 0 where R over 0 is dead
    pool_epsilon      what epsilon is added to in an averaging or summing pool: its "output" or the "sum" (D11)
    bias_epsilon      "kept" in the denominator, "left out" (D1)
    bias_alpha_beta   "split" by sign, "whole" in both denominators, "left out" (D2)
    split             what alpha-beta and z+ split by sign: "products", "weights" (D3), or inputs and weights, each of
                      the four "quadrants" with a sum of its own (D17)
    alpha_beta        "difference": alpha - beta = 1 (beta >= 0), "sum": alpha + beta = 1
    small_negative    the negative sum: "own" products, or "difference" z - z+ which cancels (D7)
    gamma             "general", "weights" (w + gamma w+), "squares" (w + gamma w+ w+) (D8, D8b)
    bias_gamma        "raised" as the weights are, "kept" as it is, "left out" (D8, D9)
    bias_w_square     "left out" or "squared" (D4)
    bias_z_box        "cancels" or "positive" (b+ stays in the denominator) (D6)
    flat              what an input gets of R: 1 over the inputs "inside" the image, over the "window" (of all
                      channels), over the window of one "channel" (D5)
    w_square          w^2 over those "inside" the image or in the "window" (D5)
    max_pool          "ties share", "first" winner takes all, "contribution": a w R / z, nothing where z = 0 (D10)
    flat_max_pool     under Flat: "even", "first" pixel of the window, "winner" (D10)
    batch_norm        "pass" or "contribution": a g R / z (D13)
    lrn               "pass", "gradient", "undivided" first-order terms, None where it is not supported (D14)

    None: the library has no such rule or layer, or leaves the question open.
    """

    start: str = "score"
    epsilon: str = "added"
    epsilon_sign: str = "z"
    sign_of_zero: int | None = 1
    default_epsilon: float = 0
    zero_rule: str | float | None = "dead"
    stabiliser: float | None = 0
    pool_epsilon: str | None = "output"
    bias_epsilon: str = "kept"
    bias_alpha_beta: str | None = "split"
    split: str | None = "products"
    alpha_beta: str | None = "difference"
    small_negative: str | None = "own"
    gamma: str | None = "general"
    bias_gamma: str | None = "raised"
    bias_w_square: str | None = "left out"
    bias_z_box: str | None = "cancels"
    flat: str | None = "inside"
    w_square: str | None = "inside"
    max_pool: str | None = "ties share"
    flat_max_pool: str | None = "even"
    batch_norm: str | None = "pass"
    lrn: str | None = "pass"


CANONICAL = Conventions()


@dataclass(frozen=True)
class Dialect:
    """A library: its version, {canonical rule's name: what makes its rule of the same parameters}, its conventions.

    layers: {layer: such a table} for layers whose rules are others.
    """

    name: str
    version: str
    rules: Table
    conventions: Conventions
    layers: Mapping[type[Layer], Table] = field(default_factory=dict)

    def rule(self, canonical: Rule, layer: Layer | None = None) -> Rule:
        """What the library does under the name of a canonical rule, with the same parameters."""
        name = type(canonical).__name__
        tables = [*(self.layers[kind] for kind in type(layer).__mro__ if kind in self.layers), self.rules]
        make = next((table[name] for table in tables if name in table), None)
        if make is None:
            raise ValueError(f"{self.name} {self.version} has no rule {name}, needed one of {', '.join(self.rules)}")
        return make(*(getattr(canonical, parameter.name) for parameter in fields(canonical)))  # type: ignore[arg-type]

    def translate(self, network: Network, rules: Mapping[str, Rule]) -> dict[str, Rule]:
        """`rule` for every layer of a network."""
        return {name: self.rule(rules[name], layer) for name, layer in network}

    def departures(self) -> dict[str, Any]:
        """The conventions that are not the canonical ones."""
        answers = {question.name: getattr(self.conventions, question.name) for question in fields(Conventions)}
        return {name: answer for name, answer in answers.items() if answer != getattr(CANONICAL, name)}
