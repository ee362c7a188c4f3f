"""What runs found: everything that is printed, written as JSON, or shown on the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.conformance.adapter import NUMBERS, claims, roundoff, spaced
from lrp_ref.conformance.diagnose.detect import contradicted, detect
from lrp_ref.conformance.diagnose.diagnosis import NOTHING, Diagnosis, diagnose
from lrp_ref.conformance.diagnose.failures import Failure, failures
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run, by_status
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES, special
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.conventions.table import TABLE
from lrp_ref.hints import Watch, unwatched
from lrp_ref.rules import Rule

CLASS = re.compile(r"GuardedFraction\('([^']*)'\)")


@dataclass(frozen=True)
class Reply:
    """What an implementation's numbers answer to a question that formulas leave open; None where that is not known.

    declared  whether the adapter declares an answer
    known     the dialects that answer so
    evidence  the ids of the cases it is told from
    """

    question: str
    title: str
    value: Any
    canonical: Any
    declared: bool
    known: Sequence[str]
    evidence: Sequence[str]

    @property
    def departs(self) -> bool:
        """Whether it is known, and not the canonical one: where none is known, it may be."""
        return self.value is not None and bool(self.value != self.canonical)


@dataclass(frozen=True, eq=False)
class Report:
    """Everything about one implementation.

    contradicted  a sentence for every convention that is declared and that the numbers deny
    unexpected    what is not as the expectations say; None without expectations
    diagnosis     what experiments told of the failures
    """

    run: Run
    replies: Sequence[Reply]
    contradicted: Sequence[str]
    failures: Sequence[Failure]
    unexpected: Sequence[str] | None = None
    diagnosis: Diagnosis = NOTHING

    @property
    def suite(self) -> Suite:
        return self.run.suite

    @property
    def name(self) -> str:
        return spaced(self.run.adapter.name)

    @property
    def version(self) -> str:
        return spaced(self.run.adapter.version)

    @property
    def precision(self) -> str:
        """float32 or float64"""
        return NUMBERS[roundoff(self.run.adapter)].__name__


@dataclass(frozen=True)
class Share:
    """Of the cases whose most special need is a capability: {status: how many}, and whether the adapter claims it.

    claimed  None where it says nothing of capabilities
    """

    capability: str
    counts: Mapping[str, int]
    claimed: bool | None

    @property
    def count(self) -> int:
        return sum(self.counts.values())


def by_capability(run: Run) -> list[Share]:
    """A share of the cases for every capability that some case needs, each case in one."""
    claimed, found = claims(run.adapter), dict[str, list[Outcome]]()
    for one in run.outcomes:
        found.setdefault(special(one.case), []).append(one)
    return [Share(name, by_status(found[name]), None if claimed is None else name in claimed)
            for name in CAPABILITIES if name in found]


@dataclass(frozen=True, eq=False)
class Disagreement:
    """A case on which implementations differ, or the expectation does: what became of it with each, in their order."""

    outcomes: Sequence[Outcome]
    issues: Sequence[str]

    @property
    def case(self) -> Case:
        return self.outcomes[0].case


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several implementations side by side, and the cases on which they or the expectation differ."""

    reports: Sequence[Report]
    disagreements: Sequence[Disagreement]
    unexpected: Sequence[str] | None = None

    @property
    def suite(self) -> Suite:
        return self.reports[0].suite


def commented(case: Case) -> str:
    """The comment, in which numbers stand as they are read: 1/4 for GuardedFraction('1/4')."""
    return CLASS.sub(r"\1", case.comment)


def in_words(rule: Rule) -> str:
    """AlphaBeta(2, 1)"""
    values = ", ".join(str(value) for value in vars(rule).values())
    return f"{type(rule).__name__}({values})"


def report(run: Run, watch: Watch = unwatched) -> Report:
    """Everything about one implementation."""
    adapter = run.adapter
    answered = {one.case.id: one.answer for one in run.outcomes if one.answer is not None and one.compared is not None}
    watch(f"{adapter.name}: telling its conventions")
    with np.errstate(all="ignore"):
        findings = detect(answered, run.suite)
    diagnosis = diagnose(run, findings, watch)
    findings = [replace(f, value=None, known=[]) if f.question in diagnosis.denied else f for f in findings]
    replies = [Reply(f.question, TABLE[f.question].title, f.value, getattr(CANONICAL, f.question),
                      f.question in adapter.conventions, f.known, f.evidence) for f in findings]
    return Report(run, replies, contradicted(findings, adapter.conventions), failures(run, findings, watch, diagnosis),
                  None, diagnosis)


def comparison(reports: Sequence[Report]) -> Comparison:
    notes = reports[0].suite.notes
    found = []
    for outcomes in zip(*(one.run.outcomes for one in reports)):
        if any(one.status == "failed" or one.convention for one in outcomes):
            issues = [issue for flag in outcomes[0].case.flags if flag in notes for issue in notes[flag].issues]
            found.append(Disagreement(outcomes, list(dict.fromkeys(issues))))
    return Comparison(reports, found)
