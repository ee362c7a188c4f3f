"""What tests of several rooms share: the cases of claims, arrays from texts, refusals, comparisons with definitions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from lrp_ref.arrays import Array, convert_numbers, negative, ones_like, positive, same, square
from lrp_ref.checks.claims import examples
from lrp_ref.checks.claims.by_loops import defined, defined_step, input_of
from lrp_ref.checks.claims.claim import Case, Claim, Found
from lrp_ref.checks.claims.laws import departs
from lrp_ref.checks.claims.selfcheck import CLAIMS
from lrp_ref.checks.definitions import Units
from lrp_ref.ledger import Account
from lrp_ref.rules import Raised, Rule
from lrp_ref.step import step
from lrp_ref.testing.compared import relative_distance

F = Fraction
QUARTER, THIRD = F(1, 4), F(1, 3)


SELFCHECK = pytest.mark.xdist_group("selfcheck")   # for tests that share what `looked_at` has found


def law(name: str) -> Any:
    """Give a test the claim of that name, of those that `lrp-ref selfcheck` makes."""
    [claim] = [claim for claim in CLAIMS if claim.name == name]
    return lambda test: SELFCHECK(pytest.mark.parametrize("claim", [pytest.param(claim, id=name)])(test))


@cache
def looked_at(claim: Claim) -> list[Case]:
    """The claim's cases, without those for --full, which tell what was found when each was looked at: once a process.

    A case that raised raises it again.
    """
    cases = []
    for case in claim.chosen():
        try:
            check = partial(same, case.found())
        except Exception as error:
            check = partial(raise_again, error)
        cases.append(replace(case, check=check))
    return cases


def raise_again(error: Exception) -> Found:
    raise error


def assert_holds(claim: Claim) -> None:
    """Every case of the claim holds; where some only raise, the first error."""
    wrong, errors = [], []
    for case in looked_at(claim):
        try:
            wrong += [] if case.found().holds else [case.what]
        except Exception as error:
            errors.append(error)
    assert not wrong, f"{claim.name} does not hold of {', '.join(wrong)}"
    if errors:
        raise errors[0]


FUNCTIONS: dict[str, Callable[[Array], Array]] = {   # of weights, that maps are asked for
    "same": same, "positive": positive, "negative": negative, "square": square, "ones_like": ones_like,
    "w - 3 w+": lambda w: w - 3 * positive(w), "w + w-/2": Raised(F(1, 2), negative),
}


# ---- Arrays ----


def fractions(nested: Any) -> Array:
    """An array of Fractions from nested lists of numbers or of texts such as "1/2 -3", which are rows."""
    if isinstance(nested, str):
        nested = [F(word) for word in nested.split()]
    if isinstance(nested, list) and any(isinstance(part, str) for part in nested):
        nested = [[F(word) for word in row.split()] for row in nested]
    return convert_numbers(np.array(nested, dtype=object), F)


def image(*channels: str) -> Array:
    """A batch of one image of Fractions; channels are texts whose rows are separated by commas."""
    return fractions(examples.image(*channels))


def mixed(shape: tuple[int, ...], seed: int = 0, number: type = F) -> Array:
    """The examples' small fractions of both signs, with zeros and ties among them, as plain Fractions or in a type."""
    return examples.mixed(shape, seed, number)


def types_in(x: Array) -> set[type]:
    """The types of an array's numbers, every one looked at."""
    return set(map(type, x.flat))


def total(x: Array) -> Any:
    """The sum of all numbers, exact for Fractions."""
    return sum(x.flat)


def refused(message: str) -> Any:
    """A ValueError of one line with this message, in which … stands for anything."""
    return pytest.raises(ValueError, match="^" + "[^\n]*".join(map(re.escape, message.split("…"))) + "$")


# ---- The same, as definitions by loops ----


def distance(got: Any, wanted: Any) -> Any:
    """The largest difference, as a part of the largest number of the batch."""
    return relative_distance(np.asarray(got), np.asarray(wanted), floor=1)


def arrayed(values: Units, shape: tuple[int, ...]) -> Array:
    """One sample from {unit: number}; a unit that is not listed is 0."""
    return fractions([values.get(unit, 0) for unit in np.ndindex(*shape)]).reshape(shape)


def assert_as_defined(layer: Any, rule: Rule, x: Array, R: Array) -> None:
    """Relevance and all four ledger columns of every sample are exactly those of the definition."""
    a, m = layer.linearize(x)
    relevance, account = step(rule, m, a, R)
    for n in range(len(x)):
        wanted = defined_step(rule, defined(layer, x[n]), input_of(layer, x[n]), R[n])
        assert not departs(relevance[n], account, n, wanted)
    assert (account.received == R).all()


def columns(account: Account) -> list[Any]:
    """[handed, bias, stabiliser, dead] of a single output."""
    return [column.item() for column in account.parts()]
