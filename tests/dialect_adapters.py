"""What libraries compute, by their dialects, as implementations under test; and mixtures of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, Unsupported
from lrp_ref.conformance.adapters.ours import InDialect
from lrp_ref.conformance.dialects import DIALECTS, Dialect
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule


def speaker(name: str, u: float = 2.0**-53) -> InDialect:
    """A dialect without its name, of which detection is to be told nothing."""
    return InDialect(DIALECTS[name], "anonymous", "1", u)


def mixture(base: str, others: Mapping[str, str]) -> InDialect:
    """A dialect with some rules of others: mixture("zennit", {"Gamma": "captum"})."""
    return InDialect(Mixed(**vars(DIALECTS[base]), others=others), "anonymous", "1")


@dataclass(frozen=True)
class Mixed(Dialect):
    """A dialect that has some canonical rules as others have them."""

    others: Mapping[str, str] = field(default_factory=dict)

    def rule(self, canonical: Rule, layer: Layer | None = None) -> Rule:
        other = self.others.get(type(canonical).__name__)
        return DIALECTS[other].rule(canonical, layer) if other else super().rule(canonical, layer)


def answers(adapter: Any, cases: Iterable[Case]) -> dict[str, Array]:
    """{case id: R_0}, in float64, of what the adapter supports."""
    found = {}
    for case in cases:
        if case.level != "negative":
            try:
                found[case.id] = np.asarray(adapter.relevance(*case.task(NUMBERS[adapter.unit_roundoff])), np.float64)
            except Unsupported:
                continue
    return found
