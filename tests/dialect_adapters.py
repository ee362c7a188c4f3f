"""What libraries compute, by their dialects, as implementations under test; and mixtures of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, Unsupported
from lrp_ref.conformance.adapters.ours import InDialect
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.vectors.case import Case


def speaker(name: str, u: float = 2.0**-53) -> InDialect:
    """A dialect without its name, of which detection is to be told nothing."""
    return InDialect(DIALECTS[name], "anonymous", "1", u)


def mixture(base: str, others: Mapping[str, str]) -> InDialect:
    """A dialect with some rules of others: mixture("zennit", {"Gamma": "captum"})."""
    rules = {rule: DIALECTS[other].rules[rule] for rule, other in others.items()}
    return InDialect(replace(DIALECTS[base], rules={**DIALECTS[base].rules, **rules}), "anonymous", "1")


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
