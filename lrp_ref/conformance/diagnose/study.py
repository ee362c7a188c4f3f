"""All experiments on one implementation, within a budget, and the departures that explain its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.diagnose.assignments import ASSIGNMENTS
from lrp_ref.conformance.diagnose.coverage import recovered
from lrp_ref.conformance.diagnose.detect import MEASURED, SMALL, Finding
from lrp_ref.conformance.diagnose.explain import Bundle, Cases, Explained, at, explain, of_one_layer
from lrp_ref.conformance.diagnose.formula import Formula
from lrp_ref.conformance.diagnose.gather import Looked, departures, widened
from lrp_ref.conformance.diagnose.instead import recovered as of_rules
from lrp_ref.conformance.diagnose.model import Departure, Model, Place, conventions, of_one_slot, place_of
from lrp_ref.conformance.diagnose.other_pool import recovered as other_pools
from lrp_ref.conformance.diagnose.pairs import messages_of
from lrp_ref.conformance.diagnose.probes import Asker, Probe, Spent, near, probes
from lrp_ref.conformance.diagnose.read_off import meetings as meetings_of
from lrp_ref.conformance.diagnose.read_off import read_off
from lrp_ref.conformance.diagnose.recover import formulas
from lrp_ref.conformance.diagnose.relevance import PLACES, changes, ends, meetings
from lrp_ref.conformance.diagnose.table import Table, tables
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.changes import FORMS
from lrp_ref.conventions.table import TABLE, spoken
from lrp_ref.hints import Watch, unwatched
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule

NOT_OF_RULES = ("start", "default_epsilon")   # questions that no change of a rule answers
LOOSE = 1e-7   # a formula that is right but for a small number somewhere is told as well
FEW = 4   # answers, the smallest that are not explained, of which a formula must give one to be tried at all
GIVEN = 6   # layers of the cases that a place is asked about, beside those made for it


@dataclass(frozen=True, eq=False)
class Study:
    """What came of all experiments.

    unasked  places that the budget did not reach
    """

    explained: Explained
    places: Sequence[Looked]
    unasked: Sequence[Place]
    questions: int
    ends: Sequence[tuple[str, str]] = ()


def study(run: Run, findings: Sequence[Finding], watch: Watch = unwatched, asker: Asker | None = None) -> Study:
    """Conventions first; what they leave unexplained is asked about, place by place."""
    asker = asker or Asker(run.adapter)
    declared = {name: value for name, value in run.adapter.conventions.items() if value is not None}
    cases = Cases(run, declared)
    bundles = known_bundles(run, findings)
    bundles += [(Departure("rules", words),) for words in ASSIGNMENTS]
    found = explain(cases, bundles)
    if not found.left:
        return Study(found, (), (), asker.asked)
    watch(f"{run.adapter.name}: experiments")
    forms = of_forms(run, findings)
    if forms:
        bundles += [(Departure("convention", form),) for form in forms]
        found = explain(cases, bundles)
    if isinstance(run.adapter, Recorded):   # nobody can be asked: what the answers show
        return of_answers(cases, bundles, found, forms, asker)
    places, unasked, at_ends = [], list[Place](), list[tuple[str, str]]()
    try:
        _, at_ends = ends(asker)
        bundles += [(Departure(where, words),) for where, words in at_ends]   # type: ignore[arg-type]
    except Spent:
        pass
    if at_ends:
        found = explain(cases, bundles)
    if found.left:
        for place in suspects(cases, found):
            try:
                places.append(looked_into(asker, cases, place, declared, forms))
            except Spent:
                unasked.append(place)
        bundles += widened(departures(places, asker.tolerance), suspects(cases, found), places)
        found = explain(cases, bundles)
        unasked = [place for place in unasked if place in dict.fromkeys(suspects(cases, found, left=True))]
    if found.left:   # answers alone tell more where a fault hides in the questions
        answers = of_answers(cases, bundles, found, forms, replace(asker, begin=perf_counter()))
        if len(answers.explained.left) < len(found.left):
            return replace(answers, questions=asker.asked)
    return Study(found, places, unasked, asker.asked, at_ends)


def of_answers(cases: Cases, bundles: list[Bundle], found: Explained, forms: Sequence[Convention], asker: Asker
               ) -> Study:
    """The same of answers alone: messages read off them, and formulas that more of the whole answers bear out."""
    if at_ends := ends_of(cases, found):
        bundles += [(one,) for one in at_ends]
        found = explain(cases, bundles)
    base, places, unasked = cases.model.of(*found.departures), [], list[Place]()
    for place in suspects(cases, found, left=True):
        if perf_counter() - asker.begin > asker.seconds:
            unasked.append(place)
            continue
        with np.errstate(all="ignore"):
            read = sorted(read_off(cases, place, base), key=lambda one: one.M.size)
        here = told_from(read, place, base, asker.tolerance, forms)
        places.append(replace(here, right=False, meetings=meetings_of(read, asker.tolerance), formulas={
            kind: borne_out(cases, found, place, fits) for kind, fits in here.formulas.items()}))
    if found.left:
        more = departures(places, asker.tolerance)
        found = explain(cases, bundles + widened(more, suspects(cases, found), places))
    unasked = [place for place in unasked if place in dict.fromkeys(suspects(cases, found, left=True))]
    return Study(found, places, unasked, asker.asked,
                 [(one.kind, one.what) for one in found.departures if one.kind in PLACES])


def ends_of(cases: Cases, found: Explained) -> list[Departure]:
    """What may become of R at the start, between layers, or at the end: what gives small failures of both kinds."""
    few = [sorted((one for one in found.left if (len(one.case.network) > 1) == several), key=how_large)[:FEW]
           for several in (False, True)]
    kept = []
    for where, symbol in PLACES.items():
        kinds = [some for some in (few[1:] if where == "between" else few) if some]
        kept += [one for one in (Departure(where, words) for words in changes(symbol))   # type: ignore[arg-type]
                 if kinds and all(any(cases.gives((*found.departures, one), each) for each in some) for some in kinds)]
    return kept


def how_large(one: Outcome) -> tuple[int, int]:
    return one.case.x.size * one.case.R.size, len(one.case.network)


def borne_out(cases: Cases, found: Explained, place: Place, fits: Sequence[Formula]) -> list[Formula]:
    """Of formulas those that give the most of a place's answers, of those that give none falsely."""
    here = sorted((one for one in of_one_layer(cases.answered) if at(one) == place), key=how_large)
    here.sort(key=lambda one: one not in found.left)   # what is not explained first
    best, kept = cases.score(found.departures, here), list[Formula]()
    for fit in fits:
        score = cases.score((*found.departures, *of_one_slot(fit, {place})), here, best)
        if score > best:
            best, kept = score, [fit]
        elif kept and score == best:
            kept.append(fit)
    return kept


def known_bundles(run: Run, findings: Sequence[Finding]) -> list[Bundle]:
    """What detection found, one by one and together, and the row of the adapter's own library."""
    row = {f.question: f.value for f in findings if f.value is not None and f.question not in NOT_OF_RULES
           and f.value != getattr(CANONICAL, f.question) and f.value != run.adapter.conventions.get(f.question)}
    every = conventions(row)
    found: list[Bundle] = []
    for name, dialect in DIALECTS.items():   # the adapter's own library first
        called = f"{run.adapter.name} {run.command}".lower()
        if name in called or dialect.name.lower() in called:
            own = {q: a for q, a in dialect.row.items() if q not in NOT_OF_RULES and a is not None}
            found.append(conventions(own))
    found += [*([every] if len(every) > 1 else []), *((one,) for one in every)]
    steady = tuple(one for one in every if one.what.question not in MEASURED)
    if 1 < len(steady) < len(every):
        found.append(steady)
    return found


def of_forms(run: Run, findings: Sequence[Finding]) -> list[Convention]:
    """A stabiliser that is declared or was measured, in every form that a stabiliser can have."""
    said = [*run.adapter.conventions.items(), *((one.question, one.value) for one in findings)]
    numbers = dict.fromkeys(float(value) for name, value in said if name in (*MEASURED, "default_epsilon")
                            and isinstance(value, (int, float)) and 0 < value < SMALL)
    return [Convention(name, (form, number))
            for number in numbers for name in MEASURED for form in FORMS if form not in ("undivided at 0", "scaled")]


def suspects(cases: Cases, found: Explained, left: bool = False) -> list[Place]:
    """Rules and layers of failures, those of one layer with the most that is not explained first; left: of these alone.
    """
    count: Counter[Place] = Counter()
    ids = {one.case.id for one in found.left}
    for one in found.left if left else cases.failed:
        weight = (1000 if one.case.id in ids else 1) if len(one.case.network) == 1 else 0
        for name, layer in one.case.network:
            if weight or one.case.id in ids:
                count[place_of(one.case.rules[name], layer)] += weight
    return [place for place, n in count.most_common() if n]+ [place for place, n in count.items() if not n]


def given(cases: Cases, place: Place) -> Iterator[tuple[Rule, Layer, Any]]:
    """Layers of the cases of one layer, the failed ones first."""
    here = [one for one in of_one_layer(cases.answered) if at(one) == place]
    some = sorted(here, key=lambda one: one.status != "failed")
    for one in [one for one in some if one.case.level != "stress"][:GIVEN]:
        network, rules, x, _ = cases.tasks[one.case.id]
        (name, layer), = network
        yield rules[name], layer, x


def looked_into(asker: Asker, cases: Cases, place: Place, declared: Mapping[str, Any],
                forms: Sequence[Convention] = ()) -> Looked:
    """Formula, map, and how messages meet, of one rule on one kind of layer."""
    found = list(probes(asker, *place, given(cases, place)))
    one = told_from(found, place, Model((), declared), asker.tolerance, forms)
    if not found:
        return one
    with np.errstate(all="ignore"):
        plain, words = meetings(asker, found)
    return replace(one, meetings=() if plain else words, right=one.right and plain)


def told_from(found: Sequence[Probe], place: Place, base: Model, tolerance: float, forms: Sequence[Convention] = ()
              ) -> Looked:
    """Formula and map of messages; base: what is known of the implementation already; forms: of its stabilisers."""
    if not found:
        return Looked(place, found)
    with np.errstate(all="ignore"):
        columns = tables(found, base.declared)
        told = by_share(found, columns, tolerance)
        wrong = told is not None or any(   # where no message can be read the whole answer may be
            probe.own is not None and not probe.has(probe.own, tolerance) for probe in found)
        read = any(probe.own is not None for probe in found)   # which whole answers bear out, and formulas few pairs
        maps: list[Any] = []
        if wrong and (read or not told or not all(told.values()) or off_coverage(found)
                      or place[0] == "Winner"):   # whose weights say who wins: another map is the plainer word
            maps = [*recovered(found, tolerance, base.declared), *of_rules(found, tolerance, base.declared)]
            maps = maps or other_pools(found, tolerance, base.declared, forms)
        unknown = wrong and not maps and not (told and all(told.values()))
        asked = table_rows(found, base, forms, tolerance) if unknown else []
    return Looked(place, found, told or {}, maps, (), not wrong, columns, asked)


def by_share(found: Sequence[Probe], columns: Mapping[str, Table], tolerance: float) -> dict[str, list[Formula]] | None:
    """{kind of share: its formulas} of the shares that depart; None where no message departs."""
    told, wrong = {}, off_coverage(found)
    for kind, t in columns.items():
        if not near(t.M, t.own, tolerance).all():
            wrong = True
            told[kind] = formulas(t, kind, tolerance) or formulas(t, kind, max(LOOSE, tolerance))
    return told if wrong else None


def table_rows(found: Sequence[Probe], base: Model, forms: Sequence[Convention], tolerance: float
               ) -> list[tuple[Convention, ...]]:
    """The answers of the table of conventions, and stabilisers beside them, with which every message is told."""
    kept = []
    found = sorted(found, key=lambda one: one.own is not None and one.has(one.own, tolerance))   # the wrong ones first
    for name, question in TABLE.items():
        for value in question.answers:
            for more in ((), *((form,) for form in forms)):
                row = {**base.row, name: value, **{one.question: one.value for one in more}}
                if value != question.canonical and all(says(row, probe, tolerance) for probe in found):
                    kept.append((Convention(name, value), *more))
                    break
    return kept


def says(row: Mapping[str, Any], probe: Probe, tolerance: float) -> bool:
    """Whether a row's library hands down these messages, output by output."""
    try:
        M = messages_of(spoken(row, probe.rule, probe.pairs.layer), probe.pairs)
    except ValueError:   # it has no such rule
        return False
    return probe.has(M, tolerance)


def off_coverage(found: Sequence[Probe]) -> bool:
    """Whether an input gets anything of an output that it does not reach."""
    return any((probe.M[~(probe.pairs.covered & np.ones_like(probe.M, dtype=bool))] != 0).any() for probe in found)
