"""Another rule, or another parameter, in a rule's place; generated from the canonical rules and a few functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.pairs import Pairs, shares
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, Winner, WSquare, ZPlus

CHANGES: dict[str, Callable[[float], float]] = {
    "{}^2": lambda c: c * c, "sqrt({})": sqrt, "2 {}": lambda c: 2 * c, "{} / 2": lambda c: c / 2,
    "1 / {}": lambda c: 1 / c if c else 0.0, "{} + 1": lambda c: c + 1, "0": lambda c: 0.0, "1": lambda c: 1.0,
    **{f"{number:g}": lambda c, number=number: number for number in   # type: ignore[misc]
       (0.1, 0.25, 0.5, 0.01, 1e-3, 1e-6, 1e-9, 2.0)}}
OTHERS: dict[str, Callable[[], Rule]] = {
    "Epsilon(0)": lambda: Epsilon(0.0), "ZPlus()": ZPlus, "Flat()": Flat, "WSquare()": WSquare, "Winner()": Winner,
    "AlphaBeta(2, 1)": lambda: AlphaBeta(2.0, 1.0), "Gamma(0.25)": lambda: Gamma(0.25)}


@dataclass(frozen=True)
class Instead:
    """The canonical rule, but with another parameter ("gamma^2"), or as another rule ("Flat()")."""

    name: str

    def rule(self, rule: Rule) -> Rule | None:
        """None where the rule has no such parameter, or is that rule itself."""
        if self.name in OTHERS:
            other = OTHERS[self.name]()
            return None if other == rule else other
        parameter = {Epsilon: "epsilon", Gamma: "gamma", AlphaBeta: "beta"}.get(type(rule))
        if parameter is None or not self.name.startswith(f"{parameter} = "):
            return None
        change = CHANGES[self.name.removeprefix(f"{parameter} = ").replace(parameter, "{}")]
        value = change(float(getattr(rule, parameter)))
        return AlphaBeta(1 + value, value) if isinstance(rule, AlphaBeta) else type(rule)(value)   # type: ignore[call-arg]

    def messages(self, rule: Rule, p: Pairs, declared: Mapping[str, Any]) -> Array | None:
        try:
            other = self.rule(rule)
            if other is None:
                return None
            parts = [share.messages + np.zeros_like(p.w) for share in shares(other, p, declared)]
        except ValueError:   # no such parameter, or too large to write out
            return None
        total: Array = sum(parts[1:], start=parts[0])
        return total


def candidates(rule: str) -> list[Instead]:
    parameter = {"Epsilon": "epsilon", "Gamma": "gamma", "AlphaBeta": "beta"}.get(rule)
    named = [f"{parameter} = {name.format(parameter)}" for name in CHANGES] if parameter else []
    return [Instead(name) for name in [*named, *OTHERS]]


def recovered(found: Sequence[Any], tolerance: float, declared: Mapping[str, Any]) -> list[Instead]:
    """Those with which every probe's messages are told, to rounding."""
    if not found:
        return []
    left = candidates(type(found[0].rule).__name__)
    for probe in found:
        kept = []
        for one in left:
            M = one.messages(probe.rule, probe.pairs, declared)
            if M is None:
                M = sum((s.messages + np.zeros_like(probe.pairs.w) for s in shares(probe.rule, probe.pairs, declared)),
                        np.zeros_like(probe.pairs.w))
            if probe.has(M, tolerance):
                kept.append(one)
        left = kept
        if not left:
            break
    return left
