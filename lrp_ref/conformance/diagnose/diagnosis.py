"""The diagnosis of a run: departures as sentences with what each accounts for, examples, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrp_ref.conformance.diagnose import words
from lrp_ref.conformance.diagnose.again import can_ask, precision, right_in_float32, rounded_to_float32
from lrp_ref.conformance.diagnose.detect import MEASURED, Finding
from lrp_ref.conformance.diagnose.example import of_answers, smallest
from lrp_ref.conformance.diagnose.explain import Cases
from lrp_ref.conformance.diagnose.formula import Formula
from lrp_ref.conformance.diagnose.leave_out import Condition, conditions
from lrp_ref.conformance.diagnose.model import SLOTS, Departure, Place, conventions, joined_slots
from lrp_ref.conformance.diagnose.probes import Asker
from lrp_ref.conformance.diagnose.separate import sentence, separate
from lrp_ref.conformance.diagnose.shrink import Counterexample
from lrp_ref.conformance.diagnose.study import Study, study
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.outcome import RIGHT, Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.table import TABLE, But
from lrp_ref.hints import Watch, unwatched

ERRORS = 3.0   # seconds for what cures errors of one type
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
    conditions  what cures those of them that were asked again with one thing left out
    unasked  rules and layers that the budget did not reach
    denied   questions whose detected answer other cases contradict
    """

    told: Sequence[Told] = ()
    causes: Mapping[str, Departure] = field(default_factory=dict)
    left: Sequence[str] = ()
    common: str = ""
    conditions: Sequence[Condition] = ()
    unasked: Sequence[Place] = ()
    denied: frozenset[str] = frozenset()
    questions: int = 0

    def of(self, id: str) -> Told | None:
        """What a failure is told under."""
        return next((one for one in self.told if one.departure == self.causes.get(id)), None)

    def condition(self, id: str) -> str:
        """What cures a failure that nothing tells; "" where nothing was found, or it was not asked again."""
        return next((cured(one) for one in self.conditions if id in one.ids), "")


NOTHING = Diagnosis()


def cured(one: Condition) -> str:
    return f"right again {one.words}"


def diagnose(run: Run, findings: Sequence[Finding], watch: Watch = unwatched, asker: Asker | None = None) -> Diagnosis:
    """What the implementation computes where it departs, and what cures what is not told; nothing where none failed."""
    errors = of_errors(run)
    found = of_numbers(run, findings, watch, asker)
    return replace(found, conditions=[*found.conditions, *errors]) if errors else found


def of_errors(run: Run) -> list[Condition]:
    """What cures those that raise errors of one type."""
    kinds: dict[str, list[Outcome]] = {}
    for one in run.failed:
        if one.answer is None:
            kinds.setdefault(one.reason.partition(":")[0], []).append(one)
    return [one for some in kinds.values() if len(some) > 1 and can_ask(run) for one in conditions(run, some, ERRORS)]


def of_numbers(run: Run, findings: Sequence[Finding], watch: Watch, asker: Asker | None) -> Diagnosis:
    """The same of answers that are numbers."""
    if not any(one.compared is not None for one in run.failed):
        return NOTHING
    u = precision(run)
    asker = asker or Asker(run.adapter, u=u)
    with np.errstate(all="ignore"):
        rounded = rounded_to_float32(run)
        rest = without(run, rounded)
        if not any(one.compared is not None for one in rest.failed):
            return of_format(NOTHING, rounded)
        found = study(rest, findings, watch, asker)
        cases = Cases(rest, {name: value for name, value in run.adapter.conventions.items() if value is not None})
        told = in_sentences(rest, found, cases, findings, Asker(run.adapter, 2000, 12.0, u=u), watch)
    return of_format(told, rounded)


def without(run: Run, some: Sequence[Outcome]) -> Run:
    """The run as if these cases had been right, loosely."""
    ids = {one.case.id for one in some}
    return replace(run, outcomes=[replace(one, status="loose") if one.case.id in ids else one for one in run.outcomes])


IN_FLOAT32 = Departure("format", "float32")


def of_format(one: Diagnosis, rounded: Sequence[Outcome]) -> Diagnosis:
    """With what is float32's rounding."""
    ids = [each.case.id for each in rounded]
    if not ids:
        return one
    told = [*one.told, Told(IN_FLOAT32, words.heading(IN_FLOAT32), ids, 0)]
    return replace(one, told=sorted(told, key=lambda told: -len(told.ids)),
                   causes={**one.causes, **dict.fromkeys(ids, IN_FLOAT32)},
                   left=[id for id in one.left if id not in ids])


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
        own = {id for id, departure in causes.items() if departure == one} | set(explained.counts[one])
        ids = [each.case.id for each in run.failed if each.case.id in own]
        example = None if n >= EXAMPLES else smallest(asker, cases, one, by_count, probes) if can_ask(
            run) else of_answers(cases, one, by_count, ids)
        sentences.append(Told(one, words.heading(one), ids, len(explained.against[one]),
                              sides_of(one, explained.departures), example))
    left = [one for one in explained.left if one.case.id not in causes]
    rounded = right_in_float32(run, left)
    left = [one for one in left if one not in rounded]
    known = explained.told   # where the departures give the answer nothing else can be wrong
    split = separate(left, [one for one in run.outcomes if one.case.id in known or (
        one.status in RIGHT and one.case.level != "negative")])
    common = [sentence(one, rest="that pass or are told above" if sentences else "that pass") for one in split]
    if left and all(len(one.case.network) > 1 for one in left):
        common.insert(0, "they are networks, and of layers by themselves no answer is left to explain")
    conditioned: Sequence[Condition] = ()
    if left and can_ask(run):
        watch(f"{run.adapter.name}: leaving one thing out")
        conditioned = conditions(run, left)
    told = Diagnosis([one for one in sentences if one.ids], causes,
                     [one.case.id for one in left], "; ".join(common), conditioned, found.unasked,
                     denied(cases, found, findings), found.questions)
    return of_format(told, rounded)


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
        here = [SLOTS[other.what] for other in every if other.kind == "convention" and asks(other.what, rule)] + here
        formula: Formula = joined_slots(here)
        regime = " and ".join(one.what.where) or "everywhere"
        found.append(Side(rule, tuple(sorted(layers)), words.theirs(formula, rule), words.ours(rule), regime))
    return found


def asks(one: Convention, rule: str) -> bool:
    """Whether an answer of the table is a slot of a rule's formula."""
    kinds = TABLE[one.question].rules
    named = {kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}
    return rule in named and not isinstance(one.value, But) and one in SLOTS


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
