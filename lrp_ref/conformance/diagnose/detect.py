"""Which conventions an implementation follows, told from its numbers alone.

A case with `either` rows says what R_0 is under each answer to a question. The row that an answer is near to is its
vote; a question has an answer if all its cases vote alike. Where the answer is a number it is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isclose
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.measure import epsilon_of, format_of
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.conformance.judge.tolerance import ROUNDINGS
from lrp_ref.conformance.vectors.case import MOVED, Case, Either
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.conventions.changes import Stabilised
from lrp_ref.conventions.maps import NoRule
from lrp_ref.conventions.table import TABLE, phrase, spoken_in, stated
from lrp_ref.relevance import through_network
from lrp_ref.rules import Epsilon

MEASURED = ("stabiliser", "zero_rule")
LARGEST = 1e-6   # the largest stabiliser that a library is known to add: allowed for where none was measured
TOLD = 10 * ROUNDINGS * 2.0**-24   # a stabiliser is told to float32's roundings of what it moves by a tenth of its own
SMALL = 1e-2     # what is larger is no stabiliser but another rule
MOST_MOVED = 4 * MOVED   # where shares of both signs leave a quarter of their size
# Rows of one case are a thousandth apart or more (a test says so), and what moves an answer off its row is less than
# a hundredth of that: the next row is more than 100 times as far as the nearest.
NEARER = 100
# Where rules or layers of one library have answers of their own, whose answer counts, first to last; then all others'.
FIRST: dict[str, tuple[str, ...]] = {
    "stabiliser": ("ZPlus/Linear", "AlphaBeta/Linear"), "zero_rule": ("Epsilon/Linear",),
    "bias_alpha_beta": ("AlphaBeta/Linear", "AlphaBeta/Conv2D"), "flat": ("Flat/Conv2D",),
    "split": ("AlphaBeta/Linear", "ZPlus/Linear"), "bias_gamma": ("Gamma/Linear", "Gamma/Conv2D"),
}


@dataclass(frozen=True)
class Finding:
    """What an implementation answers to a question of the table: a value, or None where none is known.

    known     the dialects that answer so
    evidence  the ids of the cases it is told from
    """

    question: str
    value: Any
    known: Sequence[str]
    evidence: Sequence[str]


def detect(answers: Mapping[str, Array], suite: Suite | Iterable[Case]) -> list[Finding]:
    """The answer to every question that the suite's answered cases ask, in the table's order."""
    cases = suite.cases if isinstance(suite, Suite) else suite
    cases = [case for case in cases if case.id in answers and case.either]
    u = format_of(answers[case.id] for case in cases)
    asked = {question: evidence(question, cases) for question in TABLE}
    values = {question: measured(question, asked[question], answers, u) for question in MEASURED if asked[question]}
    sizes = [abs(value) for value in values.values() if isinstance(value, float) and abs(value) < SMALL]
    room = Room(u, u**0.5 + MOST_MOVED * max([LARGEST, *sizes]), values.get("stabiliser") or 0)
    told = [question for question in asked if asked[question] and question not in MEASURED]
    for question in told:
        values[question] = agreed(question, [(case, answers[case.id]) for case in asked[question]], room)
    known = {question: values[question] for question in told
             if values[question] not in (None, getattr(CANONICAL, question))}
    for question in [question for question in told if values[question] is None and known]:   # beside what is known
        values[question] = agreed(question, [(case, answers[case.id]) for case in asked[question]], room, known)
    for question in [question for question in told if values[question] != getattr(CANONICAL, question)]:
        values[question] = without_row(question, asked[question], answers, room, values[question])
    for question in [question for question in told if hidden(question, values[question], asked[question])]:
        values.pop(question)
    if values.get("epsilon_sign") == "none":   # then 0 has none either
        values.pop("sign_of_zero", None)
    return [Finding(question, values[question], dialects(question, values[question]), [case.id for case in here])
            for question, here in asked.items() if question in values]


def dialects(question: str, value: Any) -> list[str]:
    """The dialects whose convention it is."""
    return [] if value is None else [name for name, dialect in DIALECTS.items()
                                     if agree(value, getattr(dialect.conventions, question))]


def evidence(question: str, cases: Sequence[Case]) -> list[Case]:
    """The cases that ask it: those of the rule and layer whose answer counts, if there are any."""
    asking = [case for case in cases if any(row.convention == question for row in case.either)]
    for place in FIRST.get(question, ()):
        if here := [case for case in asking if (case.rule, *case.layers) == tuple(place.split("/"))]:
            return here
    return asking


# ---- Rows ----


@dataclass(frozen=True)
class Room:
    """How far an answer may be from its row: rounding, and a stabiliser on top."""

    u: float
    allowed: float
    stabiliser: float


def agreed(question: str, answered: Sequence[tuple[Case, Array]], room: Room, known: Mapping[str, Any] | None = None
           ) -> Any:
    """The one value that all cases admit, if at least half of them name some; else None.

    known: what is known of other questions; rows are worked out with that.

    Where they contradict each other, an answer without a row of its own may have been taken for a neighbour's: the
    value that is left when every case admits those too, if it is one.
    """
    canonical = getattr(CANONICAL, question)
    every = {canonical, *(row.value for case, _ in answered for row in case.either if row.convention == question)}
    votes = [(values, every - {canonical, *(row.value for row in case.either if row.convention == question)})
             for case, answer in answered if (values := vote(question, case, answer, room, known)) is not None]
    named = [values for values, _ in votes if values]
    if 2 * len(named) < len(votes) or not named:
        return None
    # Who answers as canonical rules do may give any answer that has no row there.
    strict = every.intersection(*(values | rest if canonical in values else values for values, rest in votes if values))
    lenient = every.intersection(*(values | rest for values, rest in votes if values))
    if canonical in strict:
        return canonical
    return next((left.pop() for left in (strict, lenient) if len(left) == 1), None)


def vote(question: str, case: Case, answer: Array, room: Room, known: Mapping[str, Any] | None = None
         ) -> set[Any] | None:
    """The values whose rows are near, and much nearer than the others'; none where nothing is near.

    None: nothing is said, for the answer is another question's.
    """
    assert case.relevance is not None
    canonical = Either(question, getattr(CANONICAL, question), case.relevance)
    rows = [canonical, replace(canonical, relevance=with_stabiliser(case, room.stabiliser)),
            *(row for row in case.either if row.convention not in MEASURED)]
    if known:
        own = dict.fromkeys(row.value for row in rows if row.convention == question)
        rows = [Either(question, value, under(case, {**known, question: value})) for value in own]
    offs = [apart(answer, row.relevance) for row in rows]
    if min(offs) > room.allowed:
        return set()
    near = [row for row, off in zip(rows, offs) if off <= NEARER * max(min(offs), room.u)]
    values = {row.value for row in near if row.convention == question}
    others = any(row.convention != question for row in near)
    return None if others and canonical.value not in values else values


def under(case: Case, row: Mapping[str, Any]) -> Array:
    """The case's relevance by a library that answers so."""
    network, rules, x, R = case.task()
    return through_network(network, spoken_in(row, rules, network), x, R)["input"]


def hidden(question: str, value: Any, cases: Sequence[Case]) -> bool:
    """Whether an answer without a row would have given the canonical one's numbers in all cases: nothing is known."""
    if value is None or value != getattr(CANONICAL, question):
        return False
    return any(all(off == 0 for off in offs) for offs in (
        differences(cases, {case.id: under(case, {}) for case in cases}, {question: other})
        for other in unrowed(question, cases) if other != value))


def without_row(question: str, cases: Sequence[Case], answers: Mapping[str, Array], room: Room, told: Any) -> Any:
    """The one answer without rows whose numbers, worked out here, are those of all cases; else what rows told.

    If that gives all numbers too, it stays.
    """
    def gives(value: Any) -> bool:
        return max(differences(cases, answers, {question: value})) <= room.allowed

    found = [value for value in unrowed(question, cases) if value != getattr(CANONICAL, question) and gives(value)]
    return found[0] if len(found) == 1 and (told is None or not gives(told)) else told


def unrowed(question: str, cases: Sequence[Case]) -> list[Any]:
    """The answers that no case has a row for."""
    seen = {row.value for case in cases for row in case.either if row.convention == question}
    return [value for value in TABLE[question].answers if value not in seen]


def differences(cases: Sequence[Case], answers: Mapping[str, Array], row: Mapping[str, Any]) -> list[float]:
    """How far each case's answer is from a row's; without end where that has no such rule."""
    try:
        with np.errstate(all="ignore"):
            return [apart(answers[case.id], under(case, row)) for case in cases]
    except NoRule:
        return [np.inf]


@lru_cache(1 << 11)
def with_stabiliser(case: Case, epsilon: float) -> Array:
    """The case's relevance if every rule but Epsilon had that stabiliser; every question that a case asks wants it."""
    network, rules, x, R = case.task()
    others = {name: rule if isinstance(rule, Epsilon) else Stabilised(rule, epsilon) for name, rule in rules.items()}
    return through_network(network, others, x, R)["input"]


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
    answered = [(case, answers[case.id]) for case in cases if len(case.network) == 1]
    if question == "zero_rule":
        kinds = {kind_at_zero(case, answer, u) for case, answer in answered}
        if kinds != {"number"}:
            return kinds.pop() if len(kinds) == 1 else None
    answered = [(case, answer) for case, answer in answered if not another(case, answer, u)]
    value = epsilon_of(answered, u, at_zero=question == "zero_rule") if answered else None
    return None if question == "stabiliser" and value is not None and value >= SMALL else value


def another(case: Case, answer: Array, u: float) -> bool:
    """Whether the answer is a row of a question that is not about stabilisers."""
    return any(apart(answer, row.relevance) <= u**0.5 for row in case.either if row.convention not in MEASURED)


def kind_at_zero(case: Case, answer: Array, u: float) -> str:
    assert case.relevance is not None
    if not np.isfinite(answer).all():
        return "nan"
    return "dead" if apart(answer, case.relevance) <= u**0.5 else "number"


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
            if finding.question in declared and not agree(finding.value, declared[finding.question])]


def agree(value: Any, declared: Any) -> bool:
    """Whether what was measured is what is declared: a number to the digits that are sure to be told."""
    numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (value, declared))
    return isclose(value, declared, rel_tol=TOLD) if numbers else value == declared
