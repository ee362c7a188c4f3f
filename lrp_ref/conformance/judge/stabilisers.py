"""The rules with the stabiliser that an implementation declares, in the ways that libraries have of adding it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lrp_ref.arrays import Array, ones_like, same
from lrp_ref.conventions.changes import Stabilised
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, Layer, MaxPool, SumPool
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.network import Network
from lrp_ref.rules import Epsilon, Flat, Gamma, Pass, Rule, Share, Winner, WSquare

AVERAGES = (AvgPool, AdaptiveAvgPool, SumPool)

Rules = Mapping[str, Rule]


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
            return Stabilised(rule, at_zero) if not rule.epsilon and at_zero else rule
        case Pass():
            return rule
        case Winner():
            return Epsilon(epsilon) if maximum and epsilon else rule
        case Flat() | WSquare() if mean and isinstance(layer, AVERAGES) and epsilon:
            return OfOnes(epsilon)
        case Gamma() if mean and isinstance(layer, (MaxPool, *AVERAGES)) and epsilon:
            return Epsilon(epsilon)
    return Stabilised(rule, epsilon) if epsilon else rule


@dataclass(frozen=True)
class OfOnes(Rule):
    """R_i = sum_j w_ij / (sum_i w_ij + epsilon) R_j: Flat on an average as what the layer makes of ones."""

    epsilon: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), same)])]
