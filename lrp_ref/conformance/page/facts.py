"""What the page shows, by its cases: a comparison, or one report, which is a comparison of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lrp_ref.conformance.diagnose.failures import Failure
from lrp_ref.conformance.judge.outcome import STATUSES, Outcome
from lrp_ref.conformance.judge.run import Place, Row
from lrp_ref.conformance.report.facts import Comparison, Disagreement, Reply, Report
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Record, Suite

FEW = 3   # implementations whose columns hold words


@dataclass(frozen=True, eq=False)
class Subject:
    """One implementation: the key by which ids name it, its report, and of that outcomes, failures and the matrix."""

    key: str
    report: Report
    outcomes: Mapping[str, Outcome]
    failures: Mapping[str, Failure]
    rows: Mapping[Place, Row]

    @property
    def name(self) -> str:
        return self.report.name

    @property
    def title(self) -> str:
        return f"{self.name} {self.report.version}".strip()

    @property
    def unrefused(self) -> list[str]:
        """The cases that it answered and must refuse: failures of another kind than wrong numbers."""
        return [id for id, one in self.outcomes.items() if one.answered and one.status == "failed"]

    def status(self, id: str) -> str:
        return self.outcomes[id].status if id in self.outcomes else ""

    def answers(self, id: str) -> bool:
        """Whether it has the case at all, rightly or not."""
        return self.status(id) not in ("", "unsupported")

    def reply(self, question: str) -> Reply | None:
        return next((one for one in self.report.replies if one.question == question), None)


@dataclass(frozen=True, eq=False)
class Facts:
    """All that the page shows. `cases` holds {id: case}: of any subject's outcomes, in their order."""

    suite: Suite
    subjects: Sequence[Subject]
    disagreements: Mapping[str, Disagreement]
    cases: Mapping[str, Case]

    @property
    def many(self) -> bool:
        """Whether their columns must be narrow."""
        return len(self.subjects) > FEW

    @property
    def records(self) -> Sequence[Record]:
        return self.suite.records

    def statuses(self, id: str) -> list[str]:
        return [subject.status(id) for subject in self.subjects]

    def places(self) -> Iterator[tuple[str, list[str]]]:
        """(rule, its layers), both in the order of the matrices."""
        found: dict[str, dict[str, None]] = {}
        for subject in self.subjects:
            for rule, layer in subject.rows:
                found.setdefault(rule, {})[layer] = None
        return ((rule, list(layers)) for rule, layers in found.items())


def by_case(given: Report | Comparison) -> Facts:
    """The facts of either."""
    several = given if isinstance(given, Comparison) else Comparison([given], [])
    names = Counter(one.name for one in several.reports)
    subjects = []
    for n, one in enumerate(several.reports, 1):
        key = one.name if names[one.name] == 1 else f"{one.name}.{n}"
        subjects.append(Subject(key, one, {outcome.case.id: outcome for outcome in one.run.outcomes},
                                {failure.outcome.case.id: failure for failure in one.failures},
                                {row.place: row for row in one.run.matrix()}))
    cases = {id: outcome.case for subject in subjects for id, outcome in subject.outcomes.items()}
    return Facts(several.suite, subjects, {one.case.id: one for one in several.disagreements}, cases)


def state(counts: Mapping[str, int]) -> str:
    """What many cases together are: the worst that is among them; `passed` where all passed, `none` where none is.

    `part`: some are unsupported and the rest passed, or were loose or undetermined.
    """
    there = [status for status in STATUSES if counts.get(status)]
    if not there:
        return "none"
    if "unsupported" in there and "failed" not in there and len(there) > 1:
        return "part"
    return there[-1]
