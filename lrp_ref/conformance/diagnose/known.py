"""What is known of a wrong answer: a sentence, which libraries answer so, and the issues that speak of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import happened
from lrp_ref.conformance.diagnose.detect import NEARER, apart, dialects
from lrp_ref.conformance.dialects import DIALECTS, Dialect
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Note
from lrp_ref.conventions.table import TABLE, stated
from lrp_ref.layers import Layer
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule
from lrp_ref.testing.looks_like import Likeness
from lrp_ref.testing.task import Task


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a wrong answer; print it for a sentence: "looks like sign(0) = -1 (TorchLRP)".

    kept        how the same question is answered another time, if otherwise
    convention  the row that it agrees with, or that detection found
    names       the dialects that answer so
    departures  of the first of them: the answers without which it would be another
    likeness    the answers or the mistake that it looks like
    """

    kept: str = ""
    convention: Convention | None = None
    names: Sequence[str] = ()
    departures: Sequence[Convention] = ()
    likeness: Likeness | None = None
    issues: Sequence[str] = ()

    @property
    def cause(self) -> str:
        """The first of what is known, without the layers, which differ by case; "" where nothing is."""
        if self.kept:
            return f"something kept between calls: the same question {self.kept}"
        if self.convention:
            return f"{stated(*self.convention)}{of(self.names)}"
        if self.names:
            return f"{'; '.join(stated(*found) for found in self.departures) or 'an answer'}{of(self.names)}"
        return f"as if {self.likeness.looks}" if self.likeness else ""

    @property
    def also(self) -> str:
        """What it looks like beside what a dialect answers."""
        return f"it looks as if {self.likeness}" if self.likeness and self.names and not self.convention else ""

    @property
    def text(self) -> str:
        """All of it, after "looks like"."""
        alone = self.likeness and not (self.kept or self.convention or self.names)
        return f"as if {self.likeness}" if alone else "; ".join(filter(None, (self.cause, self.also)))

    def __str__(self) -> str:
        return "" if not self.text else f"it looks {self.text}" if self.text.startswith("as if") else (
            f"looks like {self.text}")


def known(case: Case, answer: Array, notes: Mapping[str, Note], u: float = 2.0**-53,
          convention: Convention | None = None, again: Callable[[], Array] | None = None) -> Known:
    """What is known of an answer that is wrong.

    convention  of the row that it agrees with, or that detection found, if any
    again       asks the implementation the same once more: a different answer, or an error, says more than any rule
    """
    if kept := again and otherwise(again, answer, u):
        return Known(kept)
    if convention is not None:
        names, flags = dialects(*convention), [convention.question.upper()]   # a question's note has its name
        return Known(convention=convention, names=names, issues=issues(flags, notes, names))
    names, likeness = speaking(case, answer, u), looks_like(case, answer, u)
    departures = {name: departing(DIALECTS[name], case, answer, u) for name in names}
    row = dict(found for some in departures.values() for found in some)
    flags = [TABLE[question].answer(value).disagreement for question, value in row.items()]
    flags = [flag for flag in flags if flag] or (likeness.disagreements if likeness else []) or list(case.flags)
    return Known("", None, names, departures[names[0]] if names else (), likeness, issues(flags, notes, names))


def otherwise(again: Callable[[], Array], answer: Array, u: float) -> str:
    """How it answers another time, if otherwise. Sums in another order, as threads take them, are no other answer: half
    of u's digits of the largest number are the same."""
    try:
        other = again()
    except Exception as error:
        return f"asked again {happened(error)}"
    largest = abs(answer[np.isfinite(answer)]).max(initial=0)
    alike = other.shape == answer.shape and np.allclose(other, answer, rtol=0, atol=u**0.5 * largest, equal_nan=True)
    return "" if alike else "had another answer"


def of(names: Sequence[str]) -> str:
    return f" ({', '.join(DIALECTS[name].name for name in names)})" if names else ""


def issues(flags: Sequence[str], notes: Mapping[str, Note], names: Sequence[str]) -> list[str]:
    """Links of the notes on the flags: to the libraries that answer so; all where none is known to."""
    links = list(dict.fromkeys(link for flag in flags if flag in notes for link in notes[flag].issues))
    return [link for link in links if not names or any(f"/{DIALECTS[name].home}/" in link for name in names)]


def looks_like(case: Case, answer: Array, u: float) -> Likeness | None:
    """The likeness of testing.looks_like, if there is one."""
    network, rules, x, R = case.task()
    alone = network.names[0] if len(network) == 1 else None
    try:
        with np.errstate(all="ignore"):
            return Task.of(network, x, rules, R, u, None).looks_like(alone, answer)
    except ValueError:   # a layer of which nothing is known
        return None


def speaking(case: Case, answer: Array, u: float) -> list[str]:
    """The dialects that give this answer, where the canonical rules do not."""
    return [name for name, dialect in DIALECTS.items() if says(dialect, case, answer, u)]


def says(dialect: Dialect, case: Case, answer: Array, u: float) -> bool:
    assert case.relevance is not None
    network, rules, x, R = case.task()
    with np.errstate(all="ignore"):
        try:
            said = through_network(network, dialect.translate(network, rules), x, R)["input"]
        except ValueError:   # it has no such rule
            return False
    return answer.shape == said.shape and apart(answer, said) <= min(u**0.5, apart(answer, case.relevance) / NEARER)


def departing(dialect: Dialect, case: Case, answer: Array, u: float) -> list[Convention]:
    """The answers of a dialect that are asked in the case and without which it would give another."""
    found = [(name, TABLE[name].at(value, case.rules[layer_name], layer)) for name, value in dialect.row.items()
             for layer_name, layer in case.network if asked(name, value, case.rules[layer_name], layer)]
    row = dict(found)
    needed = {name: value for name, value in row.items() if not says(dialect.but(**{name: TABLE[name].canonical}),
                                                                     case, answer, u)}
    return [Convention(*one) for one in (needed or row).items()]


def asked(question: str, value: Any, rule: Rule, layer: Layer) -> bool:
    """Whether an answer changes a rule at a layer."""
    try:
        return TABLE[question].applied(value, rule, layer) is not rule
    except ValueError:
        return False
