"""What is wrong with a case of the vectors: its question, its answer, and whether that tells right from wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.expected import expected
from lrp_ref.conformance.judge.outcome import wrong
from lrp_ref.conformance.make.lint_folder import a
from lrp_ref.conformance.vectors.case import FORMATS, Case, from_json, identity
from lrp_ref.conformance.vectors.given import unheld
from lrp_ref.relevance import through_network


def read_case(entry: dict[str, Any], rule: str, topic: str) -> Case:
    """A case whose fields are of their types, and whose relevance can be handed down; an error where it is none."""
    case = from_json(entry, rule, topic)
    for what in ("flags", "either", "exact_in"):
        a(list, entry[what], what)
    for what, columns in (("ledger", case.ledger), ("mod", case.modulo)):
        a(dict, columns, what)
    for text in (case.id, case.level, case.comment, case.section, case.error, *case.flags, *case.exact_in,
                 *(row.convention for row in case.either)):
        a(str, text, "a text")
    network, rules, x, R = case.task()
    if case.level != "negative":
        if R.shape != (shape := network.shapes(x.shape)[network.output]):
            raise ValueError(f"R has the shape {R.shape}, needed the outputs' {shape}")
        with np.errstate(all="ignore"):
            through_network(network, rules, x, R)
    return case


def faults(case: Case) -> Iterator[str]:
    """Every finding about a case that was read."""
    for finding in chain(same_question(case), answered(case), held(case), decided(case)):
        yield f"{case.id}: {finding}"


def same_question(case: Case) -> Iterator[str]:
    if case.id.rpartition("-")[2] != (hashed := identity(case)):
        yield f"its network, rules, x and R have the hash {hashed}"


def answered(case: Case) -> Iterator[str]:
    """What its level needs is there; its float64 is the exact number rounded; other answers are others."""
    if case.level == "negative":
        if not case.error or case.relevance is not None or case.either:
            yield "is negative, needed an error and no relevance"
        return
    if case.relevance is None:
        yield f"is {case.level} without relevance"
        return
    if case.error:
        yield f"is {case.level} with an error"
    if case.level == "convention" and not case.either:
        yield "is of level convention without another answer"
    if case.relevance.shape != case.x.shape:
        yield f"expects relevance of shape {case.relevance.shape} for an x of shape {case.x.shape}"
        return
    if case.exact is not None and not same(case.exact.astype(np.float64), case.relevance):
        yield "its float64 relevance is not the exact one rounded"
    for row in case.either:
        what = f"either: {row.convention} = {row.value!r}"
        if row.relevance.shape != case.x.shape:
            yield f"{what}: has the shape {row.relevance.shape}, needed {case.x.shape}"
        if row.value == getattr(CANONICAL, row.convention, object()):
            yield f"{what}: is the canonical answer"
        if same(row.relevance, case.relevance):
            yield f"{what}: has the expectation's numbers"


def same(x: Array, y: Array) -> bool:
    return x.shape == y.shape and bool(((x == y) | np.isnan(x) & np.isnan(y)).all())


def held(case: Case) -> Iterator[str]:
    """Formats that it is exact in, and of a required case float64, hold x, R and the weights: rounded, they ask
    another case."""
    for name in dict.fromkeys([*["f64"] * (case.level == "required"), *case.exact_in]):
        if unheld(case, FORMATS.get(name, FORMATS["f64"])[0]):
            yield f"{name} does not hold all its numbers"


def decided(case: Case) -> Iterator[str]:
    """A required case leaves no number undetermined in the coarsest format that it is exact in; else in float64.

    And this package's own float64 is near enough to be told from a wrong answer.
    """
    if case.level != "required" or case.relevance is None or case.relevance.shape != case.x.shape:
        return
    name = "f32" if "f32" in case.exact_in else "f64"   # what float32 decides float64 does
    number, u = FORMATS[name]
    want, *_ = expected(case, u, {})
    size = np.maximum(abs(want.value), abs(want.value).max() * u**0.5)
    if count := int((want.radius > size).sum()):
        yield f"in {name}: {count} of {size.size} numbers are undetermined"
    with np.errstate(all="ignore"):
        ours = through_network(*case.task(number))["input"]
    if count := int(wrong(ours, want.value, want.radius).sum()):
        yield f"in {name}: {count} of {size.size} numbers are not what this package computes"
