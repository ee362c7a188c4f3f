"""All experiments on one implementation, within a budget, and the departures that explain its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.diagnose.assignments import ASSIGNMENTS
from lrp_ref.conformance.diagnose.coverage import recovered
from lrp_ref.conformance.diagnose.detect import MEASURED, Finding
from lrp_ref.conformance.diagnose.explain import Bundle, Cases, Explained, explain
from lrp_ref.conformance.diagnose.formula import Formula
from lrp_ref.conformance.diagnose.instead import recovered as of_rules
from lrp_ref.conformance.diagnose.model import Departure, Place, conventions, of_one_slot, place_of
from lrp_ref.conformance.diagnose.probes import Asker, Probe, Spent, probes
from lrp_ref.conformance.diagnose.recover import formulas, holds
from lrp_ref.conformance.diagnose.relevance import ends, meetings
from lrp_ref.conformance.diagnose.table import Table, near, tables
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.table import TABLE, spoken
from lrp_ref.hints import Watch, unwatched
from lrp_ref.layers import Layer
from lrp_ref.relevance import through_layer
from lrp_ref.rules import Rule

NOT_OF_RULES = ("start", "default_epsilon")   # questions that no change of a rule answers
CANDIDATES = 16   # formulas of a place that are tried at the others
WIDENED = 3   # departures, those of most places first, that are tried at places of which nothing is told
GIVEN = 6   # layers of the cases that a place is asked about, beside those made for it


@dataclass(frozen=True, eq=False)
class Looked:
    """What was told of one rule on one kind of layer.

    tables    {kind of share: its pairs}
    formulas  {kind of share: all that fit}; maps and meetings likewise
    right     nothing departs there
    """

    place: Place
    probes: Sequence[Probe]
    formulas: Mapping[str, Sequence[Formula]] = field(default_factory=dict)
    maps: Sequence[Any] = ()
    meetings: Sequence[str] = ()
    right: bool = False
    tables: Mapping[str, Table] = field(default_factory=dict)
    rows: Sequence[Convention] = ()


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
    if not found.left or isinstance(run.adapter, Recorded):   # of recorded answers nobody can be asked
        return Study(found, (), (), asker.asked)
    watch(f"{run.adapter.name}: experiments")
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
                places.append(looked_into(asker, cases, place, declared))
            except Spent:
                unasked.append(place)
        bundles += widened(departures(places, asker.tolerance), suspects(cases, found), places)
        found = explain(cases, bundles)
        unasked = [place for place in unasked if place in dict.fromkeys(suspects(cases, found, left=True))]
    return Study(found, places, unasked, asker.asked, at_ends)


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
    here = [one for one in cases.answered if len(one.case.network) == 1
            and place_of(next(iter(one.case.rules.values())), one.case.network[0:][one.case.network.names[0]]) == place]
    some = sorted(here, key=lambda one: one.status != "failed")
    for one in [one for one in some if one.case.level != "stress"][:GIVEN]:
        network, rules, x, _ = cases.tasks[one.case.id]
        (name, layer), = network
        yield rules[name], layer, x


def looked_into(asker: Asker, cases: Cases, place: Place, declared: Mapping[str, Any]) -> Looked:
    """Formula, map, and how messages meet, of one rule on one kind of layer."""
    found = list(probes(asker, *place, given(cases, place)))
    if not found:
        return Looked(place, found)
    with np.errstate(all="ignore"):
        columns = tables(found, declared)
        told = by_share(found, columns, asker.tolerance)
        wrong = told is not None
        maps: list[Any] = []
        if wrong and (not told or not all(told.values()) or off_coverage(found)
                      or place[0] == "Winner"):   # whose weights say who wins: another map is the plainer word
            maps = [*recovered(found, asker.tolerance, declared), *of_rules(found, asker.tolerance, declared)]
        unknown = wrong and not maps and not (told and all(told.values()))
        asked = table_rows(found, asker.tolerance) if unknown else []
        plain, words = meetings(asker, found)
    return Looked(place, found, told or {}, maps, () if plain else words, not wrong and plain, columns, asked)


def by_share(found: Sequence[Probe], columns: Mapping[str, Table], tolerance: float) -> dict[str, list[Formula]] | None:
    """{kind of share: its formulas} of the shares that depart; None where no message departs."""
    told, wrong = {}, off_coverage(found)
    for kind, t in columns.items():
        if not near(t.M, t.own, tolerance).all():
            wrong = True
            told[kind] = formulas(t, kind, tolerance)
    return told if wrong else None


def table_rows(found: Sequence[Probe], tolerance: float) -> list[Convention]:
    """The answers of the table of conventions with which every probe's messages are told."""
    kept = []
    for name, question in TABLE.items():
        for value in question.answers:
            if value != question.canonical and all(says({name: value}, probe, tolerance) for probe in found):
                kept.append(Convention(name, value))
    return kept


def says(row: Mapping[str, Any], probe: Probe, tolerance: float) -> bool:
    """Whether a row's library hands down these messages, output by output."""
    p = probe.pairs
    try:
        rule = spoken(row, probe.rule, p.layer)
        for j in range(p.b.size):
            R = np.zeros((len(p.x), p.b.size))
            R[:, j] = 1
            M = through_layer(rule, p.layer, p.x, R.reshape(p.outputs))[0].reshape(len(p.x), -1)
            theirs = probe.M[..., j]
            finite = np.isfinite(theirs)
            if (np.isfinite(M) != finite).any() or not near(M[finite], theirs[finite], tolerance).all():
                return False
    except ValueError:   # it has no such rule
        return False
    return True


def off_coverage(found: Sequence[Probe]) -> bool:
    """Whether an input gets anything of an output that it does not reach."""
    return any((probe.M[~(probe.pairs.covered & np.ones_like(probe.M, dtype=bool))] != 0).any() for probe in found)


# ---- From places to departures ----


def departures(places: Sequence[Looked], tolerance: float) -> list[Bundle]:
    """Bundles of departures, each of which holds at as many places as it can: one fault, one departure."""
    found: list[Bundle] = []
    columns = {(one.place, kind): one.tables[kind] for one in places if not one.maps for kind in one.formulas}
    candidates = dict.fromkeys(replace(fit, only="") for one in places if not one.maps   # in order: equals are tied
                               for fits in one.formulas.values() for fit in fits[:CANDIDATES])
    covers = {one: {where for where, t in columns.items() if holds(t, one, tolerance)} for one in candidates}
    left = set(columns)
    while left:
        useful = [one for one in covers if covers[one] & left]
        if not useful:
            break
        best = max(useful, key=lambda one: (len(covers[one] & left) - 0.25 * one.cost, -one.cost, -rank(one)))
        here = covers[best] & left
        only_at = {place: only_of(place, here, columns, best, places, tolerance) for place, _ in here}
        for only in sorted(set(only_at.values())):
            at = {place for place in only_at if only_at[place] == only}
            found.append(tuple(of_one_slot(replace(best, only=only), at)))
        left -= here
    if len(found) > 1:
        found.append(tuple(dict.fromkeys(one for bundle in found for one in bundle)))
    found += [(Departure("convention", one),) for one in dict.fromkeys(row for place in places for row in place.rows)]
    for slot in ("maps", "meetings"):
        rest = {one.place: list(getattr(one, slot)) for one in places if getattr(one, slot)}
        while rest:
            names: dict[Any, set[Place]] = {}
            for place, options in rest.items():
                for option in options:
                    names.setdefault(option, set()).add(place)
            most = max(names, key=lambda option: len(names[option]))
            found.append((Departure("map" if slot == "maps" else "meeting", most, frozenset(names[most])),))
            rest = {place: options for place, options in rest.items() if place not in names[most]}
    return found


def widened(found: list[Bundle], suspected: Sequence[Place], places: Sequence[Looked]) -> list[Bundle]:
    """Those, and each at all places in doubt of its rules, of its layers; the widest at all. Cases say if it holds."""
    right = {one.place for one in places if one.right}
    doubtful = [place for place in suspected if place not in right]
    more: list[Bundle] = []
    for n, bundle in enumerate(sorted(found, key=lambda bundle: -max(len(one.places) for one in bundle))[:WIDENED]):
        if all(one.kind in ("map", "formula") for one in bundle):
            rules, layers = ({place[side] for one in bundle for place in one.places} for side in (0, 1))
            for some in ([place for place in doubtful if place[0] in rules],
                         [place for place in doubtful if place[1] in layers], doubtful if n == 0 else []):
                wide = tuple(replace(one, places=one.places | frozenset(some)) for one in bundle)
                more += [wide] if wide not in (bundle, *more) else []
    return [*found, *more]


def only_of(place: Place, here: set[Any], columns: Mapping[Any, Table], one: Formula, places: Sequence[Looked],
            tolerance: float) -> str:
    """The kind of share that a formula is about at a place; "" where it is about all that depart and holds in all."""
    kinds = {kind for p, kind in here if p == place}
    others = [t for looked in places if looked.place == place for kind, t in looked.tables.items() if kind not in kinds]
    every = kinds == {kind for p, kind in columns if p == place}
    return "" if every and all(holds(t, one, tolerance) for t in others) else min(kinds)


def rank(one: Formula) -> int:
    """What is said later of two that explain as much: the odder factor, and where it is what was asked by chance."""
    odd = "the weight", "|weight|", "the sum of |w|", "the inputs that are not 0", "|input|", "|sum|"
    chance = sum(words.startswith(("there is more than one", "there is one", "some input")) for words in one.where)
    return (one.factor != Formula().factor) + sum(name in odd for name in (one.factor.top, one.factor.bottom)) + chance

