"""An implementation as its departures from the canonical rules: what it would answer to any question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.assignments import ASSIGNMENTS, same_rule
from lrp_ref.conformance.diagnose.conditions import facts
from lrp_ref.conformance.diagnose.coverage import Map, alternatives, used
from lrp_ref.conformance.diagnose.formula import ITS_SIGN, ONE, UNSIGNED, Formula
from lrp_ref.conformance.diagnose.pairs import Pairs, messages_of, shares, written_out
from lrp_ref.conformance.diagnose.quantities import OWN
from lrp_ref.conformance.diagnose.relevance import changes, ways_to_meet
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.table import TABLE, spoken
from lrp_ref.layers import Layer
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import handed_down, through_layer
from lrp_ref.rules import AlphaBeta, Rule

# Answers of the table as slots of a formula, for what holds in a region beside them
SLOTS: dict[Any, Formula] = {
    ("epsilon_sign", "none"): Formula(guard=UNSIGNED), ("bias_epsilon", "left out"): Formula(bias="0"),
    ("bias_alpha_beta", "left out"): Formula(bias="0"),
    ("bias_alpha_beta", "whole"): Formula(bias="b"), ("bias_gamma", "kept"): Formula(bias="b"),
    ("bias_gamma", "left out"): Formula(bias="0"), ("bias_w_square", "squared"): Formula(bias="b^2"),
    ("split", "weights"): Formula(numerator="a w, split by the sign of w")}
Place = tuple[str, str]   # a rule's and a layer's kind
Kind = Literal["convention", "formula", "map", "meeting", "start", "between", "end", "rules", "format"]
SYMBOLS = {"start": "z", "between": "a", "end": "the input"}


@dataclass(frozen=True, eq=False)
class Departure:
    """One thing that an implementation does otherwise.

    what    a Convention, a Formula of one slot, a Map, or the words of a change of relevance, or of rules
    places  rules and layers where it does; none: wherever relevance is handed down
    """

    kind: Kind
    what: Any
    places: frozenset[Place] = frozenset()

    def touches_any(self, network: Network, rules: Mapping[str, Rule]) -> bool:
        """Whether it may change what some layer of a network hands down."""
        if self.kind == "rules":
            other = ASSIGNMENTS[self.what](network, rules) if len(network) > 1 else rules
            return not all(same_rule(rules[name], other[name]) for name in network.names)
        return any(self.touches(rules[name], layer) for name, layer in network)

    def touches(self, rule: Rule, layer: Any) -> bool:
        """Whether it may change what such a layer hands down."""
        if self.kind == "convention":
            try:
                return TABLE[self.what.question].applied(self.what.value, rule, layer) is not rule
            except ValueError:   # it has no such rule
                return False
        return not self.places or place_of(rule, layer) in self.places

    @cached_property
    def key(self) -> Any:
        return self.kind, repr(self.what), self.places

    @cached_property
    def digest(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Departure) and self.key == other.key

    def __hash__(self) -> int:
        return self.digest


def place_of(rule: Rule, layer: Any) -> Place:
    return type(rule).__name__, type(layer).__name__


def of_one_slot(formula: Formula, places: Iterable[Place]) -> list[Departure]:
    """A formula as departures of one slot each; a factor, and what it goes with, stays whole.

    Whose denominator has another bias, and the stabiliser the sign of that sum, departs once.
    """
    here = frozenset(places)
    if formula.factor != ONE or "bias" in formula.numerator:
        return [Departure("formula", formula, here)]
    own = Formula(where=formula.where, only=formula.only)
    both = formula.bias != OWN and formula.guard == ITS_SIGN
    of_sum = replace(own, bias=formula.bias, guard=formula.guard if both else OWN)
    parts = [replace(own, numerator=formula.numerator, total=formula.total, part=formula.part),
             of_sum, own if both else replace(own, guard=formula.guard, scale=formula.scale)]
    return [Departure("formula", part, here) for part in parts if part != own]


def joined_slots(formulas: Iterable[Formula]) -> Formula:
    """One formula with the slots of all."""
    found = Formula()
    for one in formulas:
        new: dict[str, Any] = {name: getattr(one, name) for name in ("numerator", "total", "bias", "guard", "part")
               if getattr(one, name) != OWN}
        if one.factor != ONE:
            new["factor"] = one.factor
        if one.scale != 1:
            new["scale"] = one.scale
        found = replace(found, **new)
    return found


def predicted(formulas: Sequence[Formula], rule: Rule, p: Pairs, declared: Mapping[str, Any] | None = None) -> Array:
    """M_ij of all shares of a rule, each by the formulas that are about it."""
    parts = []
    for share in shares(rule, p, declared):
        here = [one for one in formulas if one.only in ("", share.kind)]
        parts.append((here[0] if len(here) == 1 else joined_slots(here)).messages(rule, p, share))
    if isinstance(rule, AlphaBeta) and rule.beta == 0:
        parts = parts[:1]
    total: Array = sum(parts[1:], start=parts[0])
    return total


@dataclass(eq=False)
class Model:
    """Departures together, on top of declared stabilisers."""

    departures: tuple[Departure, ...]
    declared: Mapping[str, Any] = field(default_factory=dict)
    written: dict[Any, Pairs] = field(default_factory=dict)

    def of(self, *departures: Departure) -> Model:
        """Another, that knows the pairs which this one has worked out."""
        return Model(departures, self.declared, self.written)

    @property
    def row(self) -> dict[str, Any]:
        own = {name: value for name, value in self.declared.items() if name in ("stabiliser", "zero_rule") and value}
        return {**own, **{d.what.question: d.what.value for d in self.departures if d.kind == "convention"}}

    def answer(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        """R_0"""
        for one in self.departures:
            if one.kind == "rules":
                rules = ASSIGNMENTS[one.what](network, rules)
        xs = network.activations(x)
        R = self.changed("start", R, xs[network.output])
        top = network.output

        def through(name: str, layer: Layer, a: Array, R: Array) -> Array:
            return self.step(rules[name], layer, a, R if name == top else self.changed("between", R, xs[name]))

        with np.errstate(all="ignore"):
            found = handed_down(network, xs, R, through)[0][INPUT]
            return self.changed("end", found, x)

    def changed(self, where: str, R: Array, numbers: Array) -> Array:
        for one in self.departures:
            if one.kind == where:
                R = changes(SYMBOLS[where])[one.what](R, numbers)
        return R

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        """R_i of a layer's inputs."""
        place = place_of(rule, layer)
        here = [one for one in self.departures if one.places and place in one.places and one.kind != "convention"]
        if not here:
            return through_layer(spoken(self.row, rule, layer), layer, x, R)[0]
        p = self.pairs(layer, x)
        M = self.messages(rule, p, here)
        flat = R.reshape(len(x), -1)
        for one in here:
            if one.kind == "meeting":
                return dict(ways_to_meet(M, flat))[one.what].reshape(x.shape)
        found: Array = (M * flat[:, None]).sum(2).reshape(x.shape)
        return found

    def messages(self, rule: Rule, p: Pairs, here: Sequence[Departure] = ()) -> Array:
        """M_ij: as conventions have it, or a formula; in a formula's region that, on top of what conventions say."""
        formulas = [one.what for one in here if one.kind == "formula"]
        maps = [one.what for one in here if one.kind == "map"]
        whole = [one for one in formulas if not one.where]
        M = predicted(whole, rule, p, self.declared) if whole else self.of_conventions(rule, p)
        if maps:
            made = dict(alternatives(p))
            for one in maps:
                if isinstance(one, Map):
                    other = used(made[one.name], one.way, rule, p, self.declared) if one.name in made else None
                else:
                    other = one.messages(rule, p, self.declared)
                M = M if other is None else other
        for where in dict.fromkeys(one.where for one in formulas if one.where):
            some = [*([] if whole else self.slots(rule, p.layer)),
                    *(one.plain for one in formulas if one.where in ((), where))]
            theirs = predicted(some, rule, p, self.declared)
            holds = np.zeros_like(M)
            for share in shares(rule, p, self.declared):
                known = facts(rule, p, share)
                now = np.ones_like(M, dtype=bool)
                for words in where:
                    now = now & known.get(words, False)
                only = [one.only for one in formulas if one.where == where]
                holds = holds + (now & (share.on != 0) & (share.c != 0 if len(shares(rule, p)) > 1 else True)
                                 & (only[0] in ("", share.kind)))
            M = np.where(holds > 0, theirs, M)
        return M

    def of_conventions(self, rule: Rule, p: Pairs) -> Array:
        """M_ij as the rule that conventions make of it hands down, output by output."""
        here = frozenset(one for one in self.departures if one.kind == "convention" and one.touches(rule, p.layer))
        if not here:
            return predicted([], rule, p, self.declared)
        key = here, repr(rule)
        if key not in p.handed:
            p.handed[key] = messages_of(spoken(self.row, rule, p.layer), p)
        return p.handed[key]

    def slots(self, rule: Rule, layer: Layer) -> list[Formula]:
        """What conventions put into the slots of a formula, as far as they do."""
        found = []
        for one in self.departures:
            if one.kind == "convention" and one.touches(rule, layer):
                question, value = one.what.question, TABLE[one.what.question].at(one.what.value, rule, layer)
                found += [SLOTS[question, value]] if (question, value) in SLOTS else []
        return found

    def pairs(self, layer: Layer, x: Array) -> Pairs:
        key = id(layer), x.shape, x.tobytes()
        if key not in self.written:
            self.written[key] = written_out(layer, x)
        return self.written[key]


def conventions(row: Mapping[str, Any]) -> tuple[Departure, ...]:
    return tuple(Departure("convention", Convention(name, value)) for name, value in row.items())

