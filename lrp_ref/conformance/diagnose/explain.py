"""The smallest set of departures that gives every answer: what failed, and what passed as well.

A departure is kept if, together with the others, it gives answers that would not be given without it, and takes none
away. What an implementation answered where it was right counts as much as where it was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.again import precision
from lrp_ref.conformance.diagnose.model import Departure, Model, Place, place_of
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.testing.compared import distance

Bundle = tuple[Departure, ...]
LEAST = 2   # networks that other rules must tell: one may be told by chance
SMALLEST = 4   # networks that are not told: what tells none of the smallest is not tried at all


@dataclass(frozen=True, eq=False)
class Explained:
    """What departures account for.

    counts   {departure: ids of failures that are not told without it}
    told     ids of failures that all together tell
    against  {departure: ids of cases of its rules and layers that it does not tell}
    """

    departures: Bundle
    counts: Mapping[Departure, Sequence[str]]
    told: frozenset[str]
    left: Sequence[Outcome]
    against: Mapping[Departure, Sequence[str]]


@dataclass(eq=False)
class Cases:
    """The cases that were answered with numbers, and which of them a set of departures gives."""

    run: Run
    declared: Mapping[str, Any]
    seconds: float = 15.0
    begin: float = field(default_factory=perf_counter)
    known: dict[Any, bool] = field(default_factory=dict)
    met: dict[Any, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.u = precision(self.run)
        self.answered = [one for one in self.run.outcomes
                         if one.answer is not None and one.compared is not None and one.case.level != "negative"
                         and one.answer.shape == one.case.x.shape]
        self.tasks = {one.case.id: one.case.task() for one in self.answered}
        self.model = Model((), self.declared)

    @property
    def failed(self) -> list[Outcome]:
        return [one for one in self.answered if one.status == "failed"]

    def gives(self, bundle: Bundle, one: Outcome) -> bool:
        """Whether an implementation with these departures gives this answer."""
        here = tuple(d for d in bundle if self.touched(d, one))
        if not here:
            return one.status != "failed"
        key = frozenset(here), one.case.id
        if key not in self.known:
            self.known[key] = self.same(self.model.of(*here), one)
        return self.known[key]

    def touched(self, departure: Departure, one: Outcome) -> bool:
        key = departure, one.case.id
        if key not in self.met:
            network, rules, _, _ = self.tasks[one.case.id]
            self.met[key] = departure.touches_any(network, rules)
        return self.met[key]

    def same(self, model: Model, one: Outcome) -> bool:
        try:
            wanted = model.answer(*self.tasks[one.case.id])
        except (ValueError, KeyError, ArithmeticError):   # too large to write out, or no such layer
            return one.status != "failed"
        assert one.answer is not None
        if one.status != "failed" and one.case.relevance is not None and half_alike(wanted, one.case.relevance, self.u):
            return True
        return half_alike(one.answer, wanted, self.u)

    @property
    def late(self) -> bool:
        return perf_counter() - self.begin > self.seconds

    def score(self, bundle: Bundle, some: Sequence[Outcome], least: int | None = None) -> int:
        """How many failures are told, less twice the others that are not; less than `least` where it cannot be more."""
        found, left = 0, sum(one.status == "failed" for one in some)
        for one in some:
            failed = one.status == "failed"
            if self.gives(bundle, one):
                found += failed
            elif not failed:
                found -= 2
            left -= failed
            if least is not None and found + left < least:
                break
        return found


def half_alike(got: Array, wanted: Array, u: float) -> bool:
    """The same to half of u's digits; what is not finite in the same places."""
    if got.shape != wanted.shape or not (np.isfinite(got) == np.isfinite(wanted)).all():
        return False
    here = np.isfinite(wanted)
    if not here.any():
        return True
    return distance(got[here], wanted[here], u) <= u**0.5


def of_one_layer(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if len(one.case.network) == 1]


def at(one: Outcome) -> Place:
    """The rule and the layer of a case of one layer."""
    (name, layer), = one.case.network
    return place_of(one.case.rules[name], layer)


def explain(cases: Cases, bundles: Sequence[Bundle]) -> Explained:
    """The best set of bundles, found one by one, and what each of its departures accounts for."""
    cases.begin = perf_counter()
    alone = of_one_layer(cases.answered) or cases.answered
    chosen = grown(cases, bundles, between(cases, bundles), alone)
    best = cases.score(chosen, alone)
    of_layers = [one for one in chosen if one.kind != "between"]
    for one in sorted(of_layers, key=lambda d: (d.kind != "convention", len(d.places))):   # what nothing needs goes
        rest = tuple(d for d in chosen if d != one)
        if cases.score(rest, alone) >= best:
            chosen, best = rest, cases.score(rest, alone)
    networks = [one for one in cases.answered if one not in alone]
    left = [one for one in networks if one.status == "failed" and not cases.gives(chosen, one)]
    if left:   # what no layer alone showed
        few = sorted(left, key=lambda one: (one.case.x.size, len(one.case.network)))
        chosen = grown(cases, bundles, chosen, networks, few[:SMALLEST])
    found = narrowed(cases, accounted(cases, chosen))
    chosen = found.departures
    chance = {one for one in chosen if one.kind == "rules" and len(found.counts[one]) < LEAST}
    return accounted(cases, tuple(one for one in chosen if one not in chance)) if chance else found


def grown(cases: Cases, bundles: Sequence[Bundle], chosen: Bundle, some: Sequence[Outcome],
          few: Sequence[Outcome] | None = None) -> Bundle:
    """With the bundles added, one by one, that tell most of these cases; few: what tells none of them is not tried."""
    best = cases.score(chosen, some)
    for _ in range(12):
        most, fewest, found = best, 0, chosen
        for bundle in bundles:
            joint = (*chosen, *(d for d in bundle if d not in chosen))
            if joint != chosen and not cases.late and (few is None or any(cases.gives(joint, one) for one in few)):
                score = cases.score(joint, some, most)
                if (score, -len(joint)) > (most, -fewest) and score > best:
                    most, fewest, found = score, len(joint), joint
        if found == chosen:
            break
        best, chosen = most, found
    return chosen


def between(cases: Cases, bundles: Sequence[Bundle]) -> Bundle:
    """The change between two layers that explains most networks, if one explains any: cases of one layer show none."""
    networks = [one for one in cases.answered if len(one.case.network) > 1]
    scores = [(cases.score(bundle, networks), n) for n, bundle in enumerate(bundles)
              if any(one.kind == "between" for one in bundle)]
    score, n = max(scores, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
    return bundles[n] if scores and score > cases.score((), networks) else ()


def narrowed(cases: Cases, found: Explained) -> Explained:
    """With every departure at the rules and layers alone of which an answer needs it; the same if that tells less."""
    asked = {at(one) for one in of_one_layer(cases.answered)}

    def narrow(one: Departure) -> Departure:
        needed = [case for case in cases.failed if case.case.id in found.counts[one]]
        alone = {at(case) for case in of_one_layer(needed)}
        inside = {place_of(case.case.rules[name], layer) for case in needed for name, layer in case.case.network}
        places = one.places & (alone | (inside - asked))
        return replace(one, places=frozenset(places)) if places else one

    fewer = accounted(cases, tuple(narrow(one) for one in found.departures))
    return fewer if len(fewer.told) == len(found.told) else found


def accounted(cases: Cases, chosen: Bundle) -> Explained:
    told = frozenset(one.case.id for one in cases.failed if cases.gives(chosen, one))
    counts: dict[Departure, list[str]] = {one: [] for one in chosen}
    against: dict[Departure, list[str]] = {one: [] for one in chosen}
    for outcome in cases.answered:
        here = [d for d in chosen if cases.touched(d, outcome)]
        for one in here:
            if outcome.case.id in told:
                if len(here) == 1 or not cases.gives(tuple(d for d in chosen if d != one), outcome):
                    counts[one].append(outcome.case.id)
            elif outcome.status != "undetermined" and len(outcome.case.network) == 1 and (
                    not cases.gives(chosen, outcome)):
                against[one].append(outcome.case.id)
    left = [one for one in cases.failed if one.case.id not in told]
    return Explained(chosen, counts, told, left, against)
