"""The row of the table of conventions that is the stabiliser which an implementation declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lrp_ref.conventions.table import TABLE, But, Row
from lrp_ref.network import Network
from lrp_ref.rules import Rule

Rules = Mapping[str, Rule]

# Where libraries with a stabiliser differ in more than its number: what a layer without weights is at every term, and
# whether a maximum is divided by itself.
WAYS: tuple[Row, ...] = ({}, {"without_weights": "layer"}, {"max_pool": "contribution"},
                         {"without_weights": "layer", "max_pool": "contribution"})


def stabiliser(declared: Mapping[str, Any]) -> float:
    """The number that is declared for all rules but Epsilon, or 0."""
    return number(declared, "stabiliser")


def number(declared: Mapping[str, Any], question: str) -> float:
    value = declared.get(question)
    return float(value) if isinstance(value, (int, float)) else 0.0


def stabilised(network: Network, rules: Rules, declared: Mapping[str, Any]) -> Iterator[tuple[Row, bool]]:
    """The declared stabilisers, in every way that changes some rule.

    All ways but the first may change more than a stabiliser does, so that they are to be believed only if they come
    near the canonical answer (the second of each pair).
    """
    own = {name: n for name in ("zero_rule", "stabiliser") if (n := number(declared, name))}
    seen: list[set[tuple[str, str]]] = [set()]
    for way in WAYS if "stabiliser" in own else WAYS[:1]:
        row = {**way, **own}
        if "max_pool" in way:   # what is divided by itself has the stabiliser, and not only where it is 0
            row["zero_rule"] = But(own.get("zero_rule", "dead"), {"MaxPool": own["stabiliser"]})
        asked = {(question, name) for question, value in row.items() for name, layer in network
                 if TABLE[question].applied(value, rules[name], layer) is not rules[name]}
        if asked not in seen:
            seen.append(asked)
            yield row, bool(way)
