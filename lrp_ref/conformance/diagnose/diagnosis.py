"""The diagnosis of a run: departures as sentences with what each accounts for, examples, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lrp_ref.conformance.diagnose import words
from lrp_ref.conformance.diagnose.detect import MEASURED, Finding
from lrp_ref.conformance.diagnose.example import smallest
from lrp_ref.conformance.diagnose.explain import Cases
from lrp_ref.conformance.diagnose.formula import Formula
from lrp_ref.conformance.diagnose.model import Departure, Place, conventions, joined_slots
from lrp_ref.conformance.diagnose.probes import Asker
from lrp_ref.conformance.diagnose.separate import sentence, separate
from lrp_ref.conformance.diagnose.shrink import Counterexample
from lrp_ref.conformance.diagnose.study import Study, study
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.outcome import RIGHT
from lrp_ref.conformance.judge.run import Run
from lrp_ref.hints import Watch, unwatched

EXAMPLES = 8   # departures, those of most failures first, of which an example is looked for


@dataclass(frozen=True)
class Side:
    """Theirs and ours, of one rule where a formula departs."""

    rule: str
    layers: tuple[str, ...]
    theirs: str
    ours: str
    regime: str


@dataclass(frozen=True, eq=False)
class Told:
    """A departure in a sentence.

    ids      failures that are not told without it
    against  how many cases of its rules and layers it does not tell
    """

    departure: Departure
    sentence: str
    ids: Sequence[str]
    against: int
    sides: Sequence[Side] = ()
    example: Counterexample | None = None


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """All that experiments told.

    told     departures, those of most failures first
    causes   {id of a failure: the departure that it is told under}
    left     ids of failures that nothing tells, and what they have in common, if anything
    unasked  rules and layers that the budget did not reach
    denied   questions whose detected answer other cases contradict
    """

    told: Sequence[Told] = ()
    causes: Mapping[str, Departure] = field(default_factory=dict)
    left: Sequence[str] = ()
    common: str = ""
    unasked: Sequence[Place] = ()
    denied: frozenset[str] = frozenset()
    questions: int = 0

    def of(self, id: str) -> Told | None:
        """What a failure is told under."""
        return next((one for one in self.told if one.departure == self.causes.get(id)), None)


NOTHING = Diagnosis()


def diagnose(run: Run, findings: Sequence[Finding], watch: Watch = unwatched, asker: Asker | None = None) -> Diagnosis:
    """What the implementation computes where it departs; nothing where no case with numbers failed."""
    if not any(one.compared is not None for one in run.failed):
        return NOTHING
    asker = asker or Asker(run.adapter)
    with np.errstate(all="ignore"):
        found = study(run, findings, watch, asker)
        cases = Cases(run, {name: value for name, value in run.adapter.conventions.items() if value is not None})
        return in_sentences(run, found, cases, findings, Asker(run.adapter, 2000, 12.0), watch)


def in_sentences(run: Run, found: Study, cases: Cases, findings: Sequence[Finding], asker: Asker,
                 watch: Watch) -> Diagnosis:
    explained = found.explained
    by_count = sorted(explained.departures, key=lambda one: -len(explained.counts[one]))
    causes: dict[str, Departure] = {}
    for one in sorted(by_count, key=small):   # what shows most first
        for id in explained.counts[one]:
            causes.setdefault(id, one)
    for id in explained.told - causes.keys():   # by several of which any would do
        outcome = next(each for each in cases.failed if each.case.id == id)
        causes[id] = next(one for one in sorted(by_count, key=small) if cases.touched(one, outcome))
    probes = [probe for place in found.places for probe in place.probes]
    sentences = []
    for n, one in enumerate(by_count):
        watch(f"{run.adapter.name}: smallest example of {n + 1} of {len(by_count)} departures")
        example = smallest(asker, cases, one, by_count, probes) if n < EXAMPLES else None
        own = {id for id, departure in causes.items() if departure == one} | set(explained.counts[one])
        ids = [each.case.id for each in run.failed if each.case.id in own]
        sentences.append(Told(one, words.heading(one), ids, len(explained.against[one]),
                              sides_of(one, explained.departures), example))
    left = [one for one in explained.left if one.case.id not in causes]
    split = separate(left, [one for one in run.outcomes if one.status in RIGHT and one.case.level != "negative"])
    return Diagnosis([one for one in sentences if one.ids], causes,
                     [one.case.id for one in left], sentence(split) if split else "", found.unasked,
                     denied(cases, found, findings), found.questions)


def small(one: Departure) -> bool:
    """Whether it is a stabiliser, beside which another departure shows more."""
    return one.kind == "convention" and one.what.question in MEASURED


def sides_of(one: Departure, every: Sequence[Departure]) -> list[Side]:
    """Formulas side by side: of each rule, with all that departs at the same places."""
    if one.kind != "formula":
        return []
    by_rule: dict[str, set[str]] = {}
    for rule, layer in one.places:
        by_rule.setdefault(rule, set()).add(layer)
    found = []
    for rule, layers in sorted(by_rule.items()):
        here = [other.what for other in every if other.kind == "formula" and other.what.where in ((), one.what.where)
                and any((rule, layer) in other.places for layer in layers)]
        formula: Formula = joined_slots(here)
        regime = " and ".join(one.what.where) or "everywhere"
        found.append(Side(rule, tuple(sorted(layers)), words.theirs(formula, rule), words.ours(rule), regime))
    return found


def denied(cases: Cases, found: Study, findings: Sequence[Finding]) -> frozenset[str]:
    """Questions whose detected answer is not needed, and not what cases say that are told without it."""
    row = {f.question: f.value for f in findings if f.value is not None and f.value != getattr(CANONICAL, f.question)
           and f.question not in MEASURED}
    none = set()
    for one in conventions(row):
        if one in found.explained.departures:
            continue
        for outcome in cases.answered:
            if not cases.touched(one, outcome) or len(outcome.case.network) > 1:
                continue
            here = tuple(d for d in found.explained.departures if cases.touched(d, outcome))
            if here and all(d.kind != "convention" for d in here) and outcome.case.id in found.explained.told and (
                    not cases.gives((one,), outcome)):
                none.add(one.what.question)
                break
    return frozenset(none)


def facts(one: Diagnosis) -> list[dict[str, Any]]:
    """For JSON."""
    return [{"sentence": each.sentence, "failures": list(each.ids), "explained": len(each.ids),
             "kind": each.departure.kind, "against": each.against,
             "formulas": [{"rule": side.rule, "layers": list(side.layers), "theirs": side.theirs, "ours": side.ours,
                           "where": side.regime} for side in each.sides],
             "counterexample": each.example and {"text": each.example.text, "got": each.example.got,
                                                 "expected": each.example.expected}} for each in one.told]
