"""All cases of the vectors, or some, put to an implementation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, NamedTuple

from lrp_ref.conformance.adapter import NUMBERS, Adapter, Unsupported, roundoff
from lrp_ref.conformance.judge.expected import expected
from lrp_ref.conformance.judge.outcome import STATUSES, Outcome, answer_to, outcome
from lrp_ref.conformance.judge.smoke import smoke
from lrp_ref.conformance.judge.tolerance import Expected
from lrp_ref.conformance.vectors.case import LEVELS, Case
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.hints import Watch, did_you_mean, listed, unwatched


class Place(NamedTuple):
    """A row of the matrix: a rule, and a layer's kind, or "network" where there are several layers."""

    rule: str
    layer: str


@dataclass(frozen=True)
class Row:
    """What became of the cases of one place: {status: how many}."""

    place: Place
    counts: Mapping[str, int]

    @property
    def count(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, eq=False)
class Run:
    """An implementation's outcomes, in the suite's order; the suite has the cases that were asked for.

    command  the words of the command line that name the adapter
    """

    adapter: Adapter
    suite: Suite
    outcomes: Sequence[Outcome]
    seconds: float
    command: str

    @property
    def failed(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.status == "failed"]

    def counts(self) -> dict[str, int]:
        return by_status(self.outcomes)

    def matrix(self) -> list[Row]:
        """A row for every rule and layer that has cases."""
        rows: dict[Place, list[Outcome]] = {}
        for one in self.outcomes:
            rows.setdefault(place(one.case), []).append(one)
        return [Row(where, by_status(here)) for where, here in sorted(rows.items())]


def by_status(outcomes: Iterable[Outcome]) -> dict[str, int]:
    found = Counter(one.status for one in outcomes)
    return {status: found[status] for status in STATUSES}


def place(case: Case) -> Place:
    return Place(case.rule, case.layers[0] if len(case.layers) == 1 else "network")


@dataclass(frozen=True, eq=False)
class Answers:
    """The right answers, worked out once for all implementations of one precision that declare the same."""

    known: dict[tuple[Any, ...], list[Expected]] = field(default_factory=dict)

    def of(self, adapter: Adapter) -> Callable[[Case], Sequence[Expected]]:
        declared = tuple(sorted((question, str(answer)) for question, answer in adapter.conventions.items()))

        def want(case: Case) -> Sequence[Expected]:
            key = case.id, roundoff(adapter), declared
            if key not in self.known:
                self.known[key] = expected(case, roundoff(adapter), adapter.conventions)
            return self.known[key]

        return want


def supports(adapter: Adapter, case: Case) -> bool:
    """Whether it answers the case, rightly or not; an error is an answer too, but not to what must be refused."""
    try:
        answer_to(case, adapter, NUMBERS[roundoff(adapter)])
    except Unsupported:
        return False
    except Exception:
        return case.level != "negative"
    return True


def run(adapter: Adapter, suite: Suite, watch: Watch = unwatched, answers: Answers | None = None,
        command: str = "") -> Run:
    """Every case of the suite, after the smoke test; an error where fewer ran than its manifest promises."""
    watch(f"{getattr(adapter, 'name', 'the adapter')}: smoke test")
    smoke(adapter)
    begin, want, outcomes = perf_counter(), (answers or Answers()).of(adapter), []
    for n, case in enumerate(suite.cases, 1):
        watch(f"{adapter.name}: {n} of {suite.count}: {case.id}")
        outcomes.append(outcome(adapter, case, want))
    if len(outcomes) < suite.count:
        raise ValueError(f"{len(outcomes)} cases ran, and the manifest promises {suite.count}: nothing is said about "
                         f"{adapter.name}")
    return Run(adapter, suite, outcomes, perf_counter() - begin, command or adapter.name)


def selected(suite: Suite, ids: Sequence[str] = (), rules: Sequence[str] = (), layers: Sequence[str] = (),
             levels: Sequence[str] = ()) -> Suite:
    """The suite with only these cases; of an option without names all. An error where a name is none of its cases'."""
    cases = suite.cases
    known: Mapping[str, tuple[Sequence[str], set[str]]] = {
        "--case": (ids, {case.id for case in cases}), "--rule": (rules, {case.rule for case in cases}),
        "--layer": (layers, {place(case).layer for case in cases}), "--level": (levels, set(LEVELS))}
    for option, (given, names) in known.items():
        for name in given:
            if name not in names:
                choices = "" if option == "--case" else f"they are {', '.join(sorted(names))}"
                raise ValueError(f"got {option} {name}, which no case of the vectors has: "
                                 f"{did_you_mean(name, sorted(names))}{choices}".rstrip(": "))
    if not (ids or rules or layers or levels):
        return suite
    kept = [case for case in cases if (not ids or case.id in ids) and (not rules or case.rule in rules)
            and (not layers or place(case).layer in layers) and (not levels or case.level in levels)]
    if not kept:
        raise ValueError(f"no case has the rule {one_of(rules)}, the layer {one_of(layers)} and the level "
                         f"{one_of(levels)} together: leave one out")
    return replace(suite, cases=kept, count=len(kept))


def one_of(names: Sequence[str]) -> str:
    return listed(names).replace(", ", " or ") or "(any)"
