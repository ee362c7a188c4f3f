"""Adapters that need nothing else: this package itself, and what other libraries would compute by their dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, Adapter, Unsupported
from lrp_ref.conformance.dialects import DIALECTS, Dialect
from lrp_ref.conventions.maps import NoRule
from lrp_ref.hints import did_you_mean, listed
from lrp_ref.network import Network
from lrp_ref.relevance import explain, through_network
from lrp_ref.rules import Rule
from lrp_ref.version import __version__

FORMATS = {number.__name__: u for u, number in NUMBERS.items()}


@dataclass(frozen=True)
class Ours:
    """R_0 as `explain` computes it, from rules that their constructors accept."""

    name: str = "lrp_ref"
    version: str = __version__
    unit_roundoff: float = 2.0**-53
    conventions: Mapping[str, Any] = field(default_factory=dict)

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        return explain(network, x, {name: replace(rule) for name, rule in rules.items()}, R).relevance   # type: ignore[type-var]


@dataclass(frozen=True)
class InDialect:
    """R_0 by the rules that a library has under the names of the canonical ones; it declares nothing."""

    dialect: Dialect
    name: str
    version: str
    unit_roundoff: float = 2.0**-53
    conventions: Mapping[str, Any] = field(default_factory=dict)

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        try:
            theirs = self.dialect.translate(network, rules)
        except ValueError as error:
            raise Unsupported(str(error)) from None
        try:
            with np.errstate(all="ignore"):   # NaN and infinity are answers too
                return through_network(network, theirs, x, R)["input"]
        except NoRule as error:
            raise Unsupported(f"{self.dialect.name} {self.dialect.version} has no {error}") from None


def ours(text: str) -> Adapter | None:
    """The adapter of "lrp_ref", "dialect:zennit", "lrp_ref:float32", "dialect:zennit:float32"; None for other texts."""
    parts = text.split(":")
    number = parts.pop() if len(parts) > 1 and parts[-1] in FORMATS else "float64"
    name = text if number != "float64" else ":".join(parts)
    if parts == ["lrp_ref"]:
        return Ours(name, unit_roundoff=FORMATS[number])
    if len(parts) == 2 and parts[0] == "dialect":
        if parts[1] not in DIALECTS:
            raise ValueError(f"got the dialect {parts[1]!r}, which is not known: {did_you_mean(parts[1], DIALECTS)}"
                             f"the dialects are {listed(DIALECTS)}")
        dialect = DIALECTS[parts[1]]
        return InDialect(dialect, name, dialect.version, FORMATS[number])
    return None
