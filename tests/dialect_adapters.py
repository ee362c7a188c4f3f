"""Implementations made of dialects: what a library computes, in floats, through this package's own step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.case import Case
from lrp_ref.conformance.dialects import DIALECTS, Dialect
from lrp_ref.network import Network
from lrp_ref.relevance import hand_down
from lrp_ref.rules import Rule


@dataclass(frozen=True)
class Speaker:
    """An adapter to a dialect; anonymous: detection is given its numbers and not its name."""

    dialect: Dialect
    unit_roundoff: float = 2.0**-53
    conventions: Mapping[str, Any] = field(default_factory=dict)
    name: str = "anonymous"
    version: str = "1"

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        try:
            own = self.dialect.translate(network, rules)
        except ValueError as error:
            raise Unsupported(str(error)) from None
        with np.errstate(all="ignore"):
            xs = network.activations(x)
            for (name, layer), a in reversed(list(zip(network, xs))):
                R = hand_down(own[name], layer, a, R)[0]
        return R


def speaker(name: str, u: float = 2.0**-53) -> Speaker:
    return Speaker(DIALECTS[name], u)


def mixture(base: str, others: Mapping[str, str]) -> Speaker:
    """A dialect with some rules of others: mixture("zennit", {"Gamma": "captum"})."""
    rules = {rule: DIALECTS[other].rules[rule] for rule, other in others.items()}
    return Speaker(replace(DIALECTS[base], rules={**DIALECTS[base].rules, **rules}))


def answers(adapter: Any, cases: Iterable[Case]) -> dict[str, Array]:
    """{case id: R_0}, in float64, of what the adapter supports."""
    found = {}
    number = np.float32 if adapter.unit_roundoff == 2.0**-24 else np.float64
    for case in cases:
        if case.level == "negative":
            continue
        try:
            found[case.id] = np.asarray(adapter.relevance(*case.task(number)), dtype=np.float64)
        except Unsupported:
            continue
    return found
