"""Why a case failed, as far as it can be told from outside: convention, layer, worst number, counterexample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.conformance.adapter import roundoff
from lrp_ref.conformance.diagnose.again import agrees_with, asking, can_ask, first_layer, task
from lrp_ref.conformance.diagnose.detect import MEASURED, Finding, agree
from lrp_ref.conformance.diagnose.diagnosis import NOTHING as UNDIAGNOSED
from lrp_ref.conformance.diagnose.diagnosis import Diagnosis, diagnose
from lrp_ref.conformance.diagnose.known import Known, known, otherwise
from lrp_ref.conformance.diagnose.shrink import Counterexample, shrink
from lrp_ref.conformance.judge.outcome import REFUSE, Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.table import But, stated
from lrp_ref.hints import Watch, unwatched
from lrp_ref.network import Network
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import distance

SHRUNK = 10   # causes of which a smallest counterexample is looked for: each takes a second or two
VISIBLE = 2.0**-10   # of the largest relevance: more than any library's stabiliser makes of whole numbers
NOTHING = Known()   # is known
UNEXPLAINED = "not explained"
SECONDS = 15.0   # for first layers and shrinking


@dataclass(frozen=True)
class First:
    """The first layer that goes wrong, and its rule."""

    layer: str
    rule: Rule


@dataclass(frozen=True)
class Cause:
    """What failures have in common: a convention, what they look like, an error, or else rule and layer."""

    text: str
    explained: bool = True


@dataclass(frozen=True, eq=False)
class Failure:
    """A case that failed, and why, as far as it can be told.

    outcome         with the convention that explains it
    command         that repeats it
    known           what it looks like; nothing where no numbers were compared
    counterexample  the first failure of each cause has one, if one is found
    """

    outcome: Outcome
    cause: Cause
    command: str
    first: First | None = None
    known: Known = NOTHING
    counterexample: Counterexample | None = None


def failures(run: Run, findings: Sequence[Finding], watch: Watch = unwatched,
             diagnosis: Diagnosis | None = None) -> list[Failure]:
    """One for every failed case; of each cause the first has the counterexample."""
    diagnosis = diagnose(run, findings, watch) if diagnosis is None else diagnosis
    found: list[Failure] = []
    errors = causes_of_errors([one for one in run.failed if one.compared is None and not one.answered])
    shrunk: set[Cause] = set()
    begin = perf_counter()
    for outcome in run.failed:
        watch(f"{run.adapter.name}: looking into {outcome.case.id}")
        one = failure(as_it_is_told(outcome, findings, diagnosis), run, diagnosis, perf_counter() - begin < SECONDS)
        one = replace(one, cause=errors.get(outcome.case.id, one.cause))
        if outcome.compared is not None and one.cause not in shrunk and len(shrunk) < SHRUNK:
            shrunk.add(one.cause)
            told = diagnosis.of(outcome.case.id)
            small = told.example if told else None
            if small is None and can_ask(run) and perf_counter() - begin < SECONDS:
                watch(f"{run.adapter.name}: shrinking {outcome.case.id}")
                small = counterexample(one, run)
            one = replace(one, counterexample=small)
        found.append(one)
    return found


def failure(outcome: Outcome, run: Run, diagnosis: Diagnosis, bisect: bool = True) -> Failure:
    """Told under a departure, or by an error, or not explained; bisect: whether there is time to find a first layer."""
    command = f"lrp-ref conform {run.command} --case {outcome.case.id}"
    if outcome.compared is None or outcome.answer is None:
        return Failure(outcome, cause(outcome), command)
    name = first_layer(outcome, run) if bisect or len(outcome.case.network) == 1 else None
    first = None if name is None else First(name, outcome.case.rules[name])
    kept = otherwise(lambda: asking(run)(*task(outcome, run)), outcome.answer, roundoff(run.adapter)) if can_ask(
        run) else ""
    found = known(outcome.convention, run, kept)
    return Failure(outcome, cause(outcome, found, diagnosis), command, first, found)


def as_it_is_told(outcome: Outcome, findings: Sequence[Finding], diagnosis: Diagnosis) -> Outcome:
    """The outcome with the convention that it is told under; one that other cases deny is not named."""
    told = diagnosis.of(outcome.case.id)
    if told is not None:
        departure = told.departure
        return replace(outcome, convention=mostly(departure.what) if departure.kind == "convention" else None)
    if outcome.convention is None:
        return outcome
    values = {f.question: f.value for f in findings if f.question not in diagnosis.denied}
    kept = agree(values.get(outcome.convention.question), outcome.convention.value)
    return outcome if kept else replace(outcome, convention=None)


def causes_of_errors(failed: Sequence[Outcome]) -> dict[str, Cause]:
    """Of one type and raised in one line, or with texts that differ in numbers and shapes alone: one cause."""
    groups: dict[Any, list[Outcome]] = {}
    for one in failed:
        said = without_numbers(one.reason)
        groups.setdefault((said.partition(":")[0], one.raised.place) if one.raised else said, []).append(one)
    found: dict[str, Cause] = {}
    for some in groups.values():
        texts = list(dict.fromkeys(one.reason for one in some))
        plain = list(dict.fromkeys(map(without_numbers, texts)))
        text = texts[0] if len(texts) == 1 else plain[0] if len(plain) == 1 else f"{plain[0]} (and other texts)"
        found |= {one.case.id: Cause(text) for one in some}
    return found


def without_numbers(text: str) -> str:
    """Every number, and every list of numbers, as N."""
    return re.sub(r"N(?:,? *N)*,?", "N", re.sub(r"[-+]?\b\d+(?:\.\d*)?(?:e[-+]?\d+)?\b", "N", text))


def mostly(what: Convention) -> Convention:
    """Without the exceptions that a dialect's row makes of some rules and layers."""
    return Convention(what.question, what.value.mostly) if isinstance(what.value, But) else what


def cause(outcome: Outcome, known: Known = NOTHING, diagnosis: Diagnosis = UNDIAGNOSED) -> Cause:
    """What failures have in common: a departure, a convention, the error, or that nothing explains them."""
    if known.kept:
        return Cause(known.cause)
    if told := diagnosis.of(outcome.case.id):
        return Cause(told.sentence)
    if outcome.convention is not None:
        return Cause(stated(*outcome.convention))
    if known.cause:
        return Cause(known.cause)
    if outcome.answered:   # what is wrong with what must be refused differs by case
        return Cause(REFUSE)
    if outcome.compared is None:
        return Cause(outcome.reason)
    if outcome.answer is not None and not np.isfinite(outcome.answer).all():
        return Cause(f"{UNEXPLAINED}: numbers that are not finite", False)
    common = diagnosis.condition(outcome.case.id) or diagnosis.common
    return Cause(f"{UNEXPLAINED}{': ' if common else ''}{common}", False)


def counterexample(failure: Failure, run: Run) -> Counterexample | None:
    """A small network of whole numbers that goes wrong in the same layer, or in networks of the same kinds.

    Where the case is off by more than a stabiliser makes it, so must the counterexample be.
    """
    outcome, first = failure.outcome, failure.first
    network, rules, x, _ = task(outcome, run)
    assert outcome.compared is not None
    much = distance(outcome.compared.actual, outcome.compared.value, roundoff(run.adapter)) > 2 * VISIBLE
    much = much and (outcome.convention is None or outcome.convention.question not in MEASURED)
    if first is not None and len(network) > 1:
        name, x = first.layer, network.read(first.layer, network.activations(x))
        network, rules = Network([(name, network[name])]), {name: rules[name]}
    with np.errstate(all="ignore"):
        return shrink(asking(run), network, rules, x, agrees_with(run, VISIBLE if much else 0.0)) or None
