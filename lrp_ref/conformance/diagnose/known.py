"""What is known of a wrong answer: a sentence, which libraries answer so, and the issues that speak of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import happened
from lrp_ref.conformance.diagnose.detect import NEARER, apart, dialects
from lrp_ref.conformance.dialects import DIALECTS, Dialect
from lrp_ref.conformance.dialects.questions import stated
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Note
from lrp_ref.relevance import handed_down
from lrp_ref.testing.task import Task

HOMES = {
    "zennit": "chr5tphr/zennit", "captum": "meta-pytorch/captum", "innvestigate": "albermax/innvestigate",
    "toolbox": "sebastian-lapuschkin/lrp_toolbox", "caffe": "sebastian-lapuschkin/lrp_toolbox",
    "torchlrp": "fhvilshoj/TorchLRP", "lxt": "rachtibat/LRP-eXplains-Transformers",
    "relevance_propagation_jl": "Julia-XAI/RelevancePropagation.jl",
}
HOME = "lrp_ref.conformance.dialects"


@dataclass(frozen=True)
class Known:
    """What is known of a wrong answer; print it for a sentence: "looks like sign(0) = -1 (TorchLRP)", or "".

    names  the dialects that answer so
    """

    sentence: str = ""
    names: Sequence[str] = ()
    issues: Sequence[str] = ()

    @property
    def cause(self) -> str:
        """The first of what is known, without the layers, which differ by case; "" where nothing is."""
        return self.text.partition("; ")[0].partition(", at ")[0]

    @property
    def also(self) -> str:
        """What it looks like beside what a dialect answers."""
        return self.sentence.partition("; ")[2]

    @property
    def text(self) -> str:
        """All of it, after "looks like"."""
        return self.sentence.removeprefix("it ").removeprefix("looks like ").removeprefix("looks ")

    def __str__(self) -> str:
        return self.sentence


def known(case: Case, answer: Array, notes: Mapping[str, Note], u: float = 2.0**-53,
          convention: tuple[str, Any] | None = None, again: Callable[[], Array] | None = None) -> Known:
    """What is known of an answer that is wrong.

    convention  (question, value) of the row that it agrees with, or that detection found, if any
    again       asks the implementation the same once more: a different answer, or an error, says more than any rule
    """
    if kept := again and otherwise(again, answer, u):
        return Known(f"looks like something kept between calls: the same question {kept}", [], [])
    if convention is not None:
        names, flags = dialects(*convention), [convention[0].upper()]   # a question's note has its name
        sentence = f"looks like {stated(*convention)}{of(names)}"
    else:
        spoken = dict(speaking(case, answer, u))
        names, flags = list(spoken), disagreements(case, list(spoken)) or list(case.flags)
        sentence = f"looks like {DIALECTS[names[0]].name}'s {spoken[names[0]]}" if names else ""
        if guess := looks_like(case, answer, u):
            sentence = f"{sentence}; {guess}" if sentence else guess
    return Known(sentence, names, issues(flags, notes, names))


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
    return [link for link in links if not names or any(f"/{HOMES[name]}/" in link for name in names)]


def disagreements(case: Case, names: Sequence[str]) -> list[str]:
    """The disagreements (D1 to D20) that the docstrings of the dialects' own rules for the case speak of."""
    kinds = [type(DIALECTS[name].rule(case.rules[layer_name], layer)) for name in names
             for layer_name, layer in case.network]
    texts = [kind.__doc__ or "" for kind in kinds if kind.__module__.startswith(HOME)]
    return [f"D{n}" for text in texts for n in re.findall(r"\bD(\d+)", text)]


def looks_like(case: Case, answer: Array, u: float) -> str:
    """The sentence of checks.looks_like, if there is one."""
    network, rules, x, R = case.task()
    alone = network.names[0] if len(network) == 1 else None
    try:
        with np.errstate(all="ignore"):
            return Task.of(network, x, rules, R, u, None).looks_like(alone, answer)
    except ValueError:   # a layer of which nothing is known
        return ""


def speaking(case: Case, answer: Array, u: float) -> Iterator[tuple[str, str]]:
    """(dialect, its rules and how they depart) where a dialect gives this answer and the canonical rules do not."""
    assert case.relevance is not None
    if answer.shape != case.relevance.shape:
        return
    near = min(u**0.5, apart(answer, case.relevance) / NEARER)
    for name, dialect in DIALECTS.items():
        spoken = said(dialect, case)
        if spoken is not None and apart(answer, spoken) <= near:
            yield name, departure(dialect, case)


def said(dialect: Dialect, case: Case) -> Array | None:
    """R_0 in a dialect; None where it has no such rule."""
    network, rules, x, R = case.task()
    with np.errstate(all="ignore"):
        try:
            return handed_down(network, dialect.translate(network, rules), x, R)[0]
        except ValueError:
            return None


def departure(dialect: Dialect, case: Case) -> str:
    """The rules that are not canonical, and the sentence that says how the first departs."""
    found = {}
    for name, layer in case.network:
        rule = dialect.rule(case.rules[name], layer)
        if type(rule) is not type(case.rules[name]):
            about = " ".join((type(rule).__doc__ or "").split())
            found[type(rule).__name__] = about.partition("Departs ")[2].partition(" (D")[0].partition(". ")[0]
    first = next((how for how in found.values() if how), "")
    return ", ".join(found) + (f", which departs {first.rstrip('.')}" if first else "")
