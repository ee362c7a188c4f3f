"""The facts of a page: a report of `lrp-ref compare`, or of `lrp-ref conform`, which is a comparison of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lrp_ref.conformance.judge.outcome import STATUSES

Entry = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """One implementation: its facts, what came of every case, and the key by which ids name it."""

    key: str
    run: Entry
    outcomes: Mapping[str, Entry] = field(default_factory=dict)
    failures: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.run["adapter"]["name"])

    @property
    def title(self) -> str:
        return f"{self.name} {self.run['adapter'].get('version') or ''}".strip()

    @property
    def words(self) -> str:
        """How the command line names it."""
        return str(self.run["adapter"]["command"])

    def status(self, id: str) -> str:
        return str(self.outcomes[id]["status"]) if id in self.outcomes else ""

    def count(self, status: str) -> int:
        return int(self.run["counts"].get(status, 0))


@dataclass(frozen=True, eq=False)
class Facts:
    """All that the page shows. `cases` holds {id: what is said of it}: of any subject's outcomes, in their order."""

    vectors: Entry
    subjects: Sequence[Subject]
    disagreements: Mapping[str, Entry]
    cases: Mapping[str, Entry]
    records: Sequence[Entry]
    date: str = ""

    def statuses(self, id: str) -> list[str]:
        return [subject.status(id) for subject in self.subjects]

    def places(self) -> Iterator[tuple[str, list[str]]]:
        """(rule, its layers), both in the order of the matrices."""
        found: dict[str, dict[str, None]] = {}
        for subject in self.subjects:
            for row in subject.run["matrix"]:
                found.setdefault(row["rule"], {})[row["layer"]] = None
        return ((rule, list(layers)) for rule, layers in found.items())


def read(facts: Entry) -> Facts:
    """The facts of either report."""
    runs = facts.get("implementations", [facts])
    if not runs or any("adapter" not in run for run in runs):
        raise ValueError("got facts without an implementation, needed the JSON of lrp-ref conform or lrp-ref compare")
    names = Counter(str(run["adapter"]["name"]) for run in runs)
    subjects = []
    for n, run in enumerate(runs, 1):
        name = str(run["adapter"]["name"])
        key = name if names[name] == 1 else f"{name}.{n}"
        subjects.append(Subject(key, run, by_id(run["outcomes"]), by_id(run["failures"])))
    cases = {id: entry for subject in reversed(subjects) for id, entry in subject.outcomes.items()}
    ordered = {id: cases[id] for subject in subjects for id in subject.outcomes}
    records = by_id(record for run in [facts, *runs] for record in run.get("records", []))
    return Facts(facts["vectors"], subjects, by_id(facts.get("disagreements", [])), ordered, list(records.values()),
                 str(facts.get("date") or ""))


def by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {str(entry["id"]): entry for entry in entries}


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
