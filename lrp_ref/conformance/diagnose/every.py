"""The formula of every rule on every layer that an implementation has, where all is right as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lrp_ref.conformance.diagnose import words
from lrp_ref.conformance.diagnose.again import can_ask
from lrp_ref.conformance.diagnose.coverage import Map
from lrp_ref.conformance.diagnose.diagnosis import Diagnosis
from lrp_ref.conformance.diagnose.explain import Cases, at, of_one_layer
from lrp_ref.conformance.diagnose.gather import Looked, departures
from lrp_ref.conformance.diagnose.model import SLOTS, Departure, Place, joined_slots
from lrp_ref.conformance.diagnose.probes import Asker, Spent
from lrp_ref.conformance.diagnose.study import looked_into
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.table import TABLE
from lrp_ref.hints import Watch, unwatched


@dataclass(frozen=True)
class Recovered:
    """What a rule on a kind of layer computes; canonical: nothing departs; questions: how many were asked."""

    place: Place
    formula: str
    canonical: bool
    questions: int


def formulas(run: Run, diagnosis: Diagnosis, watch: Watch = unwatched, asker: Asker | None = None) -> list[Recovered]:
    """One for every rule and layer with a case of one layer that was answered; as diagnosed of answers alone."""
    if not can_ask(run):
        return as_diagnosed(run, diagnosis)
    declared = {name: value for name, value in run.adapter.conventions.items() if value is not None}
    cases = Cases(run, declared)
    places = dict.fromkeys(at(one) for one in of_one_layer(cases.answered))
    asker = asker or Asker(run.adapter, 40_000, 60.0)
    looked, unasked, count = list[Looked](), list[Place](), dict[Place, int]()
    for place in places:
        watch(f"{run.adapter.name}: the formula of {' on '.join(place)}")
        before = asker.asked
        try:
            looked.append(looked_into(asker, cases, place, declared))
        except Spent:
            unasked.append(place)
        count[place] = asker.asked - before
    with np.errstate(all="ignore"):
        every = [one for bundle in departures(looked, asker.tolerance) for one in bundle]
    found = [Recovered(one.place, formula_told(one, every), one.right, count[one.place]) for one in looked]
    return found + [Recovered(place, "not asked: the budget is used up", False, 0) for place in unasked]


def as_diagnosed(run: Run, diagnosis: Diagnosis) -> list[Recovered]:
    """The same without a question: what the departures that are told make of the canonical formulas."""
    cases = Cases(run, {})
    alone = of_one_layer(cases.answered)
    return [of_answers([one for one in alone if at(one) == place], place, cases, diagnosis)
            for place in dict.fromkeys(at(one) for one in alone)]


def of_answers(here: Sequence[Outcome], place: Place, cases: Cases, diagnosis: Diagnosis) -> Recovered:
    """What the departures say of a place, and how many answers nothing says."""
    found = [at_place(told.departure, here[0].case) for told in diagnosis.told
             if any(one.case.id in told.ids and cases.touched(told.departure, one) for one in here)]
    left = sum(one.case.id in diagnosis.left for one in here)
    failed = sum(one.status == "failed" for one in here)
    if not found and failed:
        return Recovered(place, "no formula found", False, 0)
    text = formula_text(place[0], found) + (f"; {left} of {len(here)} answers are other ones" if left else "")
    return Recovered(place, text, not failed, 0)


def at_place(one: Departure, case: Case) -> Departure:
    """A convention as the answer that it is for this rule and layer."""
    if one.kind != "convention":
        return one
    (name, layer), = case.network
    question, value = one.what
    return replace(one, what=Convention(question, TABLE[question].at(value, case.rules[name], layer)))


def formula_told(one: Looked, every: Sequence[Departure]) -> str:
    if not one.probes:
        return "not asked: no small layer of this kind"
    here = [departure for departure in dict.fromkeys(every) if one.place in departure.places]
    return "no formula found" if not (one.right or here) else formula_text(one.place[0], [] if one.right else here)


def formula_text(rule: str, here: Sequence[Departure]) -> str:
    """The formula of a rule with these departures, and in words what is none."""
    known = {one: SLOTS[one.what] for one in here if one.kind == "convention" and one.what in SLOTS}
    slots = [*known.values(), *(one.what for one in here if one.kind == "formula")]
    where = " and ".join(dict.fromkeys(words_ for slot in slots for words_ in slot.where))
    others = [words.heading(one) if one.kind == "convention" else words.heading(one).split(": ", 1)[-1]
              for one in here if one.kind != "formula" and one not in known]
    if any(one.kind == "map" and not isinstance(one.what, Map) for one in here):   # another rule or layer in its place
        return "; ".join(others)
    elsewhere = words.theirs(joined_slots(known.values()), rule)
    formula = words.theirs(joined_slots(slots), rule) + (f" where {where}, else {elsewhere}" if where else "")
    return "; ".join([formula, *others])
