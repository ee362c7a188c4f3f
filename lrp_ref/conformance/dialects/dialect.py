"""A dialect: a library's row of the table of conventions, what it lacks, and what of it no convention says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lrp_ref.conventions.maps import NoRule
from lrp_ref.conventions.table import TABLE, Row, number, spoken
from lrp_ref.hints import listed
from lrp_ref.layers import Layer
from lrp_ref.network import Network
from lrp_ref.rules import Rule

EVERYTHING = ("everything",)   # of a library that was read and never run
NAMES = ("Epsilon", "AlphaBeta", "ZPlus", "Gamma", "ZBox", "WSquare", "Flat", "Winner", "Pass")


@dataclass(frozen=True)
class Conventions:
    """An answer to every question of the table: `conventions.flat == "window"`; None: the library has no such rule or
    layer, or leaves the question open."""

    answers: Mapping[str, Any]

    def __getattr__(self, question: str) -> Any:
        try:
            return vars(self)["answers"][question]
        except KeyError:
            raise AttributeError(f"{question!r} is no question: they are {listed(TABLE)}") from None


CANONICAL = Conventions({name: question.canonical for name, question in TABLE.items()})


@dataclass(frozen=True)
class Dialect:
    """A library in one version.

    home        owner/repository on GitHub
    row         {question: answer}, where it is not the canonical one; None where it has none
    lacks       rules and layers that it does not have: "ZBox", "LRN", "Gamma/AvgPool"
    bugs        {the same: canonical rule, layer -> rule} of what no convention says
    raises      {the same: a sentence} where the library itself raises an error or gives NaN, and the dialect says what
                it would give without that
    unset       {question: answer} where a layer is given no rule at all
    read        questions whose answer here rests on reading, with no number of the library's own that shows it; of an
                exception "stabiliser/ZPlus"
    """

    name: str
    version: str
    home: str
    row: Row
    lacks: Collection[str] = ()
    bugs: Mapping[str, Callable[[Rule, Any], Rule]] = field(default_factory=dict)
    raises: Mapping[str, str] = field(default_factory=dict)
    unset: Row = field(default_factory=dict)
    read: Collection[str] = ()

    @property
    def rules(self) -> list[str]:
        """The names of the canonical rules that it has."""
        return [name for name in NAMES if name not in self.lacks]

    @property
    def conventions(self) -> Conventions:
        """Its answer to every question, as reports show it."""
        row = {**{name: None for name in TABLE if not self.asks(name)}, **self.row}
        return Conventions({name: number(row.get(name, TABLE[name].canonical)) for name in TABLE})

    def asks(self, question: str) -> bool:
        """Whether it has a rule and a layer that the question is about."""
        asked = TABLE[question]
        kinds = [kind.__name__ for kind in flat(asked.rules)], [kind.__name__ for kind in flat(asked.layers)]
        return all(not names or any(name not in self.lacks for name in names) for names in kinds)

    def departures(self) -> dict[str, Any]:
        """The conventions that are not the canonical ones."""
        return {name: answer for name, answer in self.conventions.answers.items()
                if answer != CANONICAL.answers[name]}

    def rule(self, canonical: Rule, layer: Layer | None = None) -> Rule:
        """What the library does under the name of a canonical rule, with the same parameters."""
        found = places(canonical, layer)
        for lacking in (place for place in found if place in self.lacks):
            needed = f", needed one of {', '.join(self.rules)}" if lacking in NAMES else ""
            raise ValueError(f"{self.name} {self.version} has no {what(lacking)}{needed}")
        for place in found:
            if place in self.bugs:
                return self.bugs[place](canonical, layer)
        try:
            return spoken(self.row, canonical, layer)
        except NoRule as error:
            raise ValueError(f"{self.name} {self.version} has no {error}") from None

    def translate(self, network: Network, rules: Mapping[str, Rule]) -> dict[str, Rule]:
        """`rule` for every layer of a network."""
        return {name: self.rule(rules[name], layer) for name, layer in network}

    def says(self, network: Network, rules: Mapping[str, Rule]) -> list[str]:
        """The sentences of `raises` about a network's rules and layers."""
        return list(dict.fromkeys(self.raises[place] for name, layer in network
                                  for place in places(rules[name], layer) if place in self.raises))

    def but(self, **row: Any) -> Dialect:
        """The library with another option: zennit.but(epsilon="clipped")."""
        return replace(self, row={**self.row, **row})


def places(rule: Rule, layer: Layer | None) -> list[str]:
    """"Gamma/AvgPool", "Gamma", "AvgPool" """
    names = type(rule).__name__, type(layer).__name__
    return ["/".join(names), *names]


def what(place: str) -> str:
    rule, _, layer = place.partition("/")
    return f"rule {rule} for {layer}" if layer else f"rule {rule}" if rule in NAMES else f"layer {rule}"


def flat(kinds: Any) -> tuple[type, ...]:
    """The kinds that a question is about; none where it is about all."""
    return () if kinds in (None, Rule) else kinds if isinstance(kinds, tuple) else (kinds,)
