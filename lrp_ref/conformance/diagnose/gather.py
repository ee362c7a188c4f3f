"""What was told of every rule and layer, gathered: one fault, one departure at as many places as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lrp_ref.conformance.diagnose.explain import Bundle
from lrp_ref.conformance.diagnose.formula import Formula
from lrp_ref.conformance.diagnose.model import Departure, Place, of_one_slot
from lrp_ref.conformance.diagnose.probes import Probe
from lrp_ref.conformance.diagnose.recover import holds
from lrp_ref.conformance.diagnose.table import Table
from lrp_ref.conformance.judge.tolerance import Convention

CANDIDATES = 16   # formulas of a place that are tried at the others
WIDENED = 6   # departures, those of most places first, that are tried at places of which nothing is told


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
    rows: Sequence[tuple[Convention, ...]] = ()


def departures(places: Sequence[Looked], tolerance: float) -> list[Bundle]:
    """Bundles of departures, each of which holds at as many places as it can: one fault, one departure."""
    found: list[Bundle] = []
    columns = {(one.place, kind): one.tables[kind] for one in places if not one.maps for kind in one.formulas}
    candidates = dict.fromkeys(replace(fit, only="") for one in places if not one.maps   # in order: equals are tied
                               for fits in one.formulas.values() for fit in fits[:CANDIDATES])
    own = {where: {replace(fit, only="") for fit in one.formulas[where[1]]}   # told there, if but for a small number
           for one in places for where in columns if where[0] == one.place and where[1] in one.formulas}
    covers = {one: {where for where, t in columns.items() if one in own[where] or holds(t, one, tolerance)}
              for one in candidates}
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
    found += [tuple(Departure("convention", one) for one in row)
              for row in dict.fromkeys(row for place in places for row in place.rows)]
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
        if all(one.kind in ("map", "formula", "meeting") for one in bundle):
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

