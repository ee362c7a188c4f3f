"""Which conventions an implementation follows, told from its numbers alone.

A case with `either` rows says what R_0 is under each answer to a question. The row that an answer is near to is its
vote; a question has an answer if all its cases vote alike. Where the answer is a number it is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.case import Case, Either
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS, Conventions
from lrp_ref.conformance.make.alternatives import Stabilised
from lrp_ref.conformance.measure import Interval, format_of, intervals, meet
from lrp_ref.conformance.questions import phrase, stated
from lrp_ref.conformance.vectors import Suite
from lrp_ref.relevance import hand_down
from lrp_ref.rules import Epsilon

MEASURED = ("stabiliser", "zero_rule")
LARGEST = 1e-6   # the largest stabiliser that a library is known to add: allowed for where none was measured
SMALL = 1e-2     # what is larger is no stabiliser but another rule
# Denominators of the vectors are no smaller than 1/16, so that a stabiliser moves a row by 16 of it, and a sum of two
# shares by twice that.
MOVED = 32
# Rows of one case are a tenth apart or more (a test says so) and what moves an answer off its row is smaller than a
# thousandth: a factor of 100 between the nearest row and the next is never met by two.
NEARER = 100


@dataclass(frozen=True)
class Finding:
    """What an implementation answers to a question of `Conventions`: a value, or None where none is known.

    known     the dialects that answer so
    evidence  the ids of the cases it is told from
    """

    question: str
    value: Any
    known: Sequence[str]
    evidence: Sequence[str]


def detect(answers: Mapping[str, Array], suite: Suite | Iterable[Case]) -> list[Finding]:
    """The answer to every question that the suite's answered cases ask, in the order of `Conventions`."""
    cases = suite.cases if isinstance(suite, Suite) else suite
    cases = [case for case in cases if case.id in answers and case.either]
    u = format_of(answers[case.id] for case in cases)
    asked = {field.name: [case for case in cases if any(row.convention == field.name for row in case.either)]
             for field in fields(Conventions)}
    values = {question: measured(question, asked[question], answers, u) for question in MEASURED if asked[question]}
    sizes = [abs(value) for value in values.values() if isinstance(value, float) and abs(value) < SMALL]
    allowed = u**0.5 + MOVED * max([LARGEST, *sizes])
    for question in [question for question in asked if asked[question] and question not in MEASURED]:
        values[question] = agreed(vote(question, case, answers[case.id], allowed, values.get("stabiliser"))
                                  for case in asked[question])
    if values.get("epsilon_sign") == "none":   # then 0 has none either
        values.pop("sign_of_zero", None)
    return [Finding(question, values[question], dialects(question, values[question]), [case.id for case in evidence])
            for question, evidence in asked.items() if question in values]


def dialects(question: str, value: Any) -> list[str]:
    """The dialects whose convention it is."""
    return [] if value is None else [name for name, dialect in DIALECTS.items()
                                     if getattr(dialect.conventions, question) == value]


ABSTAINS = object()   # of a case whose answer is another question's


def agreed(votes: Iterable[Any]) -> Any:
    """The value that all votes name, else None."""
    values = [value for value in votes if value is not ABSTAINS]
    return values[0] if values and all(value == values[0] for value in values) else None


def vote(question: str, case: Case, answer: Array, allowed: float, stabiliser: float | None = None) -> Any:
    """The value whose row is near and much nearer than the others'; None if there is none."""
    canonical = [case.relevance] if not stabiliser else [case.relevance, with_stabiliser(case, stabiliser)]
    rows = [*(Either("", getattr(CANONICAL, question), row) for row in canonical if row is not None), *case.either]
    offs = [apart(answer, row.relevance) for row in rows]
    nearest = rows[int(np.argmin(offs))]
    others = [off for row, off in zip(rows, offs) if (row.convention, row.value) != (nearest.convention, nearest.value)]
    if not (min(offs) <= allowed and NEARER * min(offs) <= min(others, default=np.inf)):
        return None
    return nearest.value if nearest.convention in ("", question) else ABSTAINS


def with_stabiliser(case: Case, epsilon: float) -> Array:
    """The case's relevance if every rule but Epsilon had that stabiliser."""
    network, rules, x, R = case.task()
    xs = network.activations(x)
    for (name, layer), a in reversed(list(zip(network, xs))):
        rule = rules[name] if isinstance(rules[name], Epsilon) else Stabilised(rules[name], epsilon)
        R = hand_down(rule, layer, a, R)[0]
    return R


def apart(got: Array, row: Array) -> float:
    """The largest relative difference; numbers of less than a thousandth of the largest count as that large."""
    if got.shape != row.shape or not (np.isfinite(got) == np.isfinite(row)).all():
        return np.inf
    got, row = (x[np.isfinite(row)].astype(np.float64) for x in (got, row))
    size = np.maximum(abs(got), abs(row))
    if not size.any():
        return 0.0
    return float((abs(got / size.max() - row / size.max()) / np.maximum(size / size.max(), 1e-3)).max())


def measured(question: str, cases: Sequence[Case], answers: Mapping[str, Array], u: float) -> Any:
    """The number that all answers admit; of Epsilon(0) at z = 0 also "nan" and "dead"."""
    if question == "zero_rule":
        kinds = {kind_at_zero(answers[case.id]) for case in cases}
        if len(kinds) != 1:
            return None
        if (kind := kinds.pop()) != "number":
            return kind
    found: list[Interval] = [interval for case in cases for interval in intervals(case, answers[case.id], u)]
    return meet(found)


def kind_at_zero(answer: Array) -> str:
    if not np.isfinite(answer).all():
        return "nan"
    return "number" if answer.any() else "dead"


# ---- In words ----


def sentences(findings: Sequence[Finding]) -> str:
    """One line: "eps: signed, sign(0) = +1, 1e-6; bias in w-square: squared into the denominator"."""
    values = {finding.question: finding.value for finding in findings}
    parts = [f"eps: {', '.join(of_epsilon(values))}"] if any(of_epsilon(values)) else []
    rest = [finding for finding in findings if finding.question not in EPSILON]
    return "; ".join(parts + [stated(finding.question, finding.value) for finding in rest])


EPSILON = ("epsilon", "epsilon_sign", "sign_of_zero", "stabiliser")


def of_epsilon(values: Mapping[str, Any]) -> Iterator[str]:
    if "epsilon_sign" in values:
        yield {"z": "signed", "none": "without a sign"}.get(values["epsilon_sign"], "its sign is none known")
    if values.get("epsilon", "added") != "added":
        yield phrase("epsilon", values["epsilon"])
    if "sign_of_zero" in values and values.get("epsilon_sign") != "none":
        value = values["sign_of_zero"]
        yield phrase("sign_of_zero", value) if value is not None else "sign(0) none known"
    if "stabiliser" in values:
        value = values["stabiliser"]
        yield "no stabiliser in other rules" if value == 0 else phrase("stabiliser", value)


def contradicted(findings: Iterable[Finding], declared: Mapping[str, Any]) -> list[str]:
    """One sentence for every convention that is declared and that the numbers deny."""
    return [f"declares {stated(finding.question, declared[finding.question])}, but its numbers say "
            f"{phrase(finding.question, finding.value)}"
            for finding in findings
            if finding.question in declared and finding.value != declared[finding.question]]
