"""The formula of every rule on every layer that an implementation has, where all is right as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrp_ref.conformance.diagnose import words
from lrp_ref.conformance.diagnose.explain import Cases
from lrp_ref.conformance.diagnose.gather import Looked, departures
from lrp_ref.conformance.diagnose.model import Departure, Place, joined_slots, place_of
from lrp_ref.conformance.diagnose.probes import Asker, Spent
from lrp_ref.conformance.diagnose.study import looked_into
from lrp_ref.conformance.judge.run import Run
from lrp_ref.hints import Watch, unwatched


@dataclass(frozen=True)
class Recovered:
    """What a rule on a kind of layer computes; canonical: nothing departs; questions: how many were asked."""

    place: Place
    formula: str
    canonical: bool
    questions: int


def formulas(run: Run, watch: Watch = unwatched, asker: Asker | None = None) -> list[Recovered]:
    """One for every rule and layer of which a case of one layer was answered."""
    asker = asker or Asker(run.adapter, 40_000, 60.0)
    declared = {name: value for name, value in run.adapter.conventions.items() if value is not None}
    cases, looked, unasked, count = Cases(run, declared), list[Looked](), list[Place](), dict[Place, int]()
    places = {place_of(next(iter(one.case.rules.values())), one.case.network[one.case.network.names[0]]): None
              for one in cases.answered if len(one.case.network) == 1}
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


def formula_told(one: Looked, every: Sequence[Departure]) -> str:
    if not one.probes:
        return "not asked: no small layer of this kind"
    rule = one.place[0]
    if one.right:
        return words.ours(rule)
    here = [departure for departure in dict.fromkeys(every) if one.place in departure.places]
    if not here:
        return "no formula found"
    slots = [departure.what for departure in here if departure.kind == "formula"]
    where = " and ".join(dict.fromkeys(words_ for slot in slots for words_ in slot.where))
    others = [words.heading(departure).split(": ", 1)[-1] for departure in here if departure.kind != "formula"]
    formula = [words.theirs(joined_slots(slots), rule) + (f" where {where}, else {words.ours(rule)}" if where else "")]
    return "; ".join([*(formula if slots else [words.ours(rule)]), *others])
