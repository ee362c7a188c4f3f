"""What R_0 must be of an implementation.

A stabiliser that it declares changes the exact answer, which is worked out again; a convention that it declares
otherwise is one of the case's own rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.numbers.decimals import in_decimals
from lrp_ref.checks.numbers.exact import settled
from lrp_ref.checks.rounding.arithmetic import V
from lrp_ref.conformance.judge.stabilisers import stabilised, stabiliser
from lrp_ref.conformance.judge.tolerance import ROUNDINGS, Convention, Expected, bounded
from lrp_ref.conformance.vectors.case import MOVED, Case
from lrp_ref.conformance.vectors.given import given
from lrp_ref.conventions.table import Row, spoken_in
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import SIGMAS, distance

Rules = Mapping[str, Rule]
NO_ROW: Row = {}


def expected(case: Case, u: float, declared: Mapping[str, Any]) -> list[Expected]:
    """The right answers at u of an implementation with these conventions: the canonical one first."""
    assert case.relevance is not None
    network, _, x, R = case.task()
    asked = given(case)
    value = case.relevance if asked.own else exact(asked.network, case.rules, asked.x, asked.R)
    right = bounded(network, case.rules, x, R, u, value)
    found = [right]
    for row, near in stabilised(network, case.rules, declared):
        value = exact(asked.network, case.rules, asked.x, asked.R, row)
        if not near or distance(value, right.value, V) <= MOVED * stabiliser(declared):
            found.append(bounded(network, spoken_in(row, case.rules, network), x, R, u, value))
    if declared.get("zero_rule") == "nan":
        found += undivided(case, right)
    rows = [row for row in case.either if row.convention in declared and declared[row.convention] == row.value]
    return [*found, *(rounded_row(row.relevance, u, stabiliser(declared), Convention(row.convention, row.value))
                      for row in rows)]


def rounded_row(value: Array, u: float, epsilon: float, convention: Convention) -> Expected:
    """A row of the case: no bound is known without its rule, so half of u's digits of its largest number are asked.

    A stabiliser may move it further, by no more than to leave a quarter of the digits. What is further off than some
    roundings is loose.
    """
    size = np.abs(np.where(np.isfinite(value), value, 0)).max()
    radius = np.full(value.shape, max(u**0.5, min(MOVED * epsilon, u**0.25)) * size)
    return Expected(value, radius, lambda: np.full(value.shape, ROUNDINGS * u * size / SIGMAS), convention)


def right_at(network: Network, rules: Rules, x: Array, R: Array, u: float,
             declared: Mapping[str, Any]) -> list[Expected]:
    """The same of any network of floats, from float64's own R_0; without the rows that cases have."""
    found = [bounded(network, rules, x, R, u)]
    for row, near in stabilised(network, rules, declared):
        one = bounded(network, spoken_in(row, rules, network), x, R, u)
        if not near or distance(one.value, found[0].value, V) <= MOVED * stabiliser(declared):
            found.append(one)
    return found


def exact(network: Network, rules: Rules, x: Array, R: Array, row: Row = NO_ROW) -> Array:
    """R_0 with that row's rules, correctly rounded: in Decimals of two precisions, or Fractions if these disagree."""
    def decimals() -> Array:
        there, a, R_L = in_decimals(network), convert_numbers(x, Decimal), convert_numbers(R, Decimal)
        return through_network(there, spoken_in(row, rules, there), a, R_L)[INPUT]

    try:
        return settled(decimals)
    except ValueError:
        return convert_numbers(through_network(network, spoken_in(row, rules, network), x, R)[INPUT], np.float64)


def undivided(case: Case, right: Expected) -> list[Expected]:
    """The canonical answer, but not a number wherever 0 / 0 comes down to, for those who declare that of Epsilon(0)."""
    network, _, x, R = case.task()
    rules = spoken_in({"zero_rule": "nan"}, case.rules, network)
    with np.errstate(all="ignore"):
        known = np.isfinite(through_network(network, rules, x, R)[INPUT])
    if known.all():
        return []
    return [Expected(np.where(known, right.value, np.nan), right.radius, right.sigma, Convention("zero_rule", "nan"))]
