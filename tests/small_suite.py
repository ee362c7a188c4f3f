"""A suite of a dozen cases, one for every way a case can end, and implementations that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Flat, Gamma, Linear, MaxPool, Network, ReLU, Winner, WSquare
from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import GuardedFraction as F
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.make.made import made, one, other
from lrp_ref.conformance.vectors.case import Case, identity, unchecked
from lrp_ref.conformance.vectors.suite import Note, Record, Suite
from lrp_ref.conventions import changes
from lrp_ref.conventions.table import spoken
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule

ABOUT = {"comment": "Told in the test.", "section": "Eq. 1"}
ISSUE = "https://github.com/rachtibat/LRP-eXplains-Transformers/issues/32"
THIRD = F(float(np.float32(1 / 3)))   # sums of its multiples are rounded in float32


def row(text: str) -> Array:
    return guarded([text.split()])


def layer(weight: list[Any], bias: str) -> Linear:
    return Linear(guarded(weight), guarded(bias.split()))


def network(weight: Any) -> Network:
    first = Linear(guarded([[1, -2, 2], [weight, 1, -1]]), guarded(["1/2", 0, -1]))
    return Network([("fc1", first), ("relu", ReLU()), ("fc2", layer([[2, 1], [-1, 3], [1, 1]], "1 -1/2"))])


def refused() -> Case:
    """AlphaBeta(2, 2): alpha - beta is not 1."""
    case = one("refused", AlphaBeta(2, 1), layer([[2], [-1]], "0"), row("1 3"), row("5"), **ABOUT)
    rules = {"linear": unchecked(AlphaBeta, {"alpha": 2, "beta": 2})}
    case = replace(case, rules=rules, level="negative", relevance=None, exact=None, error="alpha - beta = 0")
    return replace(case, id=f"refused-{identity(case)}")


def cases() -> list[Case]:
    wide = layer([[4097], [-1]], "0")   # 4097 * 4097 - 16785408 = 1, and 4097 * 4097 takes 25 bits
    rules = {"fc1": Gamma(F(1, 4)), "fc2": Epsilon(F(1, 4))}
    return [
        one("plain", Epsilon(F(1, 4)), layer([[1, 2, -1], [3, -1, 2]], "1/2 1 -1"), row("2 -1"), row("3 -5 7"),
            **ABOUT),
        one("minus", Epsilon(F(1, 10)), layer([[1], [2]], "-9/2"), row("1 1"), row("-3/2"), level="convention",
            either=[other(epsilon_sign="none")], flags=["EPSILON_SIGN"], **ABOUT),
        one("zero", Epsilon(F(1, 10)), layer([[1], [-1]], "0"), row("1 1"), row("1"), level="convention",
            either=[other(sign_of_zero=-1, parameters="float32")], **ABOUT),
        one("squared", WSquare(), layer([[1, 2], [3, -1]], "2 -1"), row("2 5"), row("7 11"), level="convention",
            either=[other(bias_w_square="squared")], **ABOUT),
        one("split", AlphaBeta(2, 1), layer([[2, 1], [-1, 3], [1, -2]], "1 -1"), row("1 2 3"), row("5 -3"), **ABOUT),
        one("even", Flat(), Conv2D(guarded([[[[1, 2]], [[3, 4]]]]), pad=(0, 1)), guarded([[[[1, 2, 3]], [[4, 5, 6]]]]),
            guarded([[[[2, 3, 5, 7]]]]), **ABOUT),
        one("winner", Winner(), MaxPool((1, 2)), guarded([[[[1, 2, 5, 3]]]]), guarded([[[[7, 11]]]]), **ABOUT),
        made("whole", "network", "small", network(2), rules, row("3 1"), row("2 7"), **ABOUT),
        made("rounded", "network", "small", network(THIRD), rules, row("2 1") * THIRD, row("2 7"),
             level="stress", **ABOUT),
        one("dead", Epsilon(0), layer([[1], [-1]], "0"), row("1 1"), row("1"), level="stress", **ABOUT),
        one("cancels", Epsilon(0), wide, row("4097 16785408"), row("3"), level="stress", **ABOUT),
        one("fine", Epsilon(F(1, 4)), layer([[1], [2]], "1"), guarded([[1 + Fraction(1, 2**40), 2]]), row("3"),
            level="stress", **ABOUT),
        refused()]


def suite() -> Suite:
    here = cases()
    return Suite(here, [Record("kept", "A record", "What?", {"zennit": "1"})],
                 {"EPSILON_SIGN": Note("a sign", "sign", "it is wrong", [ISSUE])}, "1.0", len(here),
                 "0123456789ab")


# ---- Implementations ----


class Right:
    """This package's steps, by rules that `rule` may replace, and numbers that `changed` may change."""

    name, version, unit_roundoff = "right", "1.2", 2.0**-53
    conventions: Mapping[str, Any] = {}

    def rule(self, rule: Rule, layer: Any) -> Rule:
        return rule

    def changed(self, relevance: Array) -> Any:
        return relevance

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Any:
        for rule in rules.values():
            if isinstance(rule, AlphaBeta):
                AlphaBeta(rule.alpha, rule.beta)   # refused here, as a library would
        own = {name: self.rule(rules[name], layer) for name, layer in network}
        with np.errstate(all="ignore"):
            return self.changed(through_network(network, own, x, R)["input"])


class Single(Right):
    name, unit_roundoff = "single", 2.0**-24


class Zero(Right):
    name = "zero"

    def changed(self, relevance: Array) -> Any:
        return 0 * relevance


class SquaredBias(Right):
    """zennit's w-square, without its stabiliser."""

    name = "squared_bias"

    def rule(self, rule: Rule, layer: Any) -> Rule:
        return spoken({"bias_w_square": "squared"}, rule, layer)


class Stabilised(Right):
    """1e-6 in every denominator but epsilon's, as it may say or not."""

    name = "stabilised"

    def rule(self, rule: Rule, layer: Any) -> Rule:
        own = isinstance(rule, (Epsilon, Winner)) or isinstance(layer, ReLU)
        return rule if own else changes.Stabilised(rule, 1e-6)


class Partial(Right):
    """No AlphaBeta, and an error in every Flat."""

    name = "partial"

    def rule(self, rule: Rule, layer: Any) -> Rule:
        if isinstance(rule, AlphaBeta):
            raise Unsupported("there is no alpha-beta", "https://example.org/partial/3")
        if isinstance(rule, Flat):
            raise KeyError("flat\nrule")
        return rule


class Talkative(Right):
    """It prints, warns, and answers lists."""

    name = "talkative"

    def changed(self, relevance: Array) -> Any:
        print("here I am")
        np.float64(1) / np.float64(0)
        return relevance.tolist()
