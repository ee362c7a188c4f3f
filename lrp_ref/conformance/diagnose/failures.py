"""Why a case failed, as far as it can be told from outside: convention, layer, worst number, counterexample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, roundoff
from lrp_ref.conformance.diagnose.bisect import Rules, first_divergence
from lrp_ref.conformance.diagnose.detect import MEASURED, Finding, agree
from lrp_ref.conformance.diagnose.known import known
from lrp_ref.conformance.diagnose.shrink import NoCounterexample, shrink
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.expected import expected, right_at
from lrp_ref.conformance.judge.outcome import REFUSE, Outcome, ask, judged, status
from lrp_ref.conformance.judge.run import Run, Watch, place
from lrp_ref.conventions.table import stated
from lrp_ref.network import Network
from lrp_ref.testing.compared import distance

SHRUNK = 10   # causes of which a smallest counterexample is looked for: each takes a second or two
TINY = 2.0**-10   # of the largest relevance: more than any library's stabiliser makes of whole numbers
UNEXPLAINED = "no convention explains it"

Facts = dict[str, Any]


def failures(run: Run, findings: Sequence[Finding], watch: Watch = str) -> list[Facts]:
    """One entry per failed case; of each cause the first has the counterexample."""
    stabilisers = unstated(run, findings)
    found: list[Facts] = []
    shrunk: set[str] = set()
    for outcome in run.failed:
        watch(f"{run.adapter.name}: looking into {outcome.case.id}")
        outcome = renamed(outcome, run, stabilisers)
        facts = failure(outcome, run)
        facts["cause"] = cause(facts)
        if outcome.compared is not None and facts["cause"] not in shrunk and len(shrunk) < SHRUNK:
            shrunk.add(facts["cause"])
            watch(f"{run.adapter.name}: shrinking {outcome.case.id}")
            facts["counterexample"] = counterexample(outcome, run, facts["first"])
        found.append(facts)
    return found


def cause(failure: Facts) -> str:
    """What failures have in common: the convention, what it looks like, the error, or else rule and layer."""
    if failure["convention"]:
        return stated(failure["convention"]["question"], failure["convention"]["value"])
    if failure["likeness"]:
        return str(failure["likeness"]["cause"])
    if failure["worst"] is None:   # of what must be refused, what is wrong with it differs by case
        return REFUSE if failure["reason"].startswith(REFUSE) else str(failure["reason"])
    first = failure["first"] or failure
    return f"{UNEXPLAINED}: {first['rule'].partition('(')[0]} on {failure['layer']}"


def unstated(run: Run, findings: Sequence[Finding]) -> list[Facts]:
    """The stabilisers that the numbers show and that the adapter does not declare: each alone, then together."""
    found = {f.question: f.value for f in findings if f.question in MEASURED
             and not (f.value in (None, getattr(CANONICAL, f.question))
                      or agree(f.value, run.adapter.conventions.get(f.question)))}
    return [*({question: value} for question, value in found.items()), *([found] if len(found) > 1 else [])]


def renamed(outcome: Outcome, run: Run, stabilisers: Sequence[Facts]) -> Outcome:
    """The outcome with the stabiliser that explains it, if one does and nothing else did."""
    if outcome.convention is None and outcome.compared is not None and outcome.answer is not None:
        u, declared = roundoff(run.adapter), run.adapter.conventions
        for more in stabilisers:
            want = expected(outcome.case, u, {**declared, **more})
            if judged(outcome.answer, want, u)[0] != "failed":
                return replace(outcome, convention=next(iter(more.items())))
    return outcome


def failure(outcome: Outcome, run: Run) -> Facts:
    case = outcome.case
    rule, layer = place(case)
    facts: Facts = {
        "id": case.id, "rule": rule, "layer": layer, "level": case.level, "comment": case.comment,
        "convention": convention_facts(outcome), "first": None, "worst": None, "looks_like": "", "likeness": None,
        "counterexample": None, "command": command(run, case.id), "issues": [],
        "reason": outcome.reason}
    if outcome.compared is None or outcome.answer is None:
        return facts
    at, c = outcome.worst, outcome.compared
    assert at is not None
    facts["worst"] = {"index": list(at), **{name: number(values[at]) for name, values in (
        ("got", c.actual), ("expected", c.value), ("error", c.error), ("bound", c.radius))}}
    name = first_layer(outcome, run)
    if name is not None:
        facts["first"] = {"layer": name, "rule": in_words(case.rules[name])}
    found = known(case, outcome.answer, run.suite.notes, roundoff(run.adapter), outcome.convention,
                  lambda: asked(run)(*task(outcome, run)))
    told = {"cause": found.cause, "also": found.also, "text": found.text} if found.cause else None
    return {**facts, "looks_like": str(found), "likeness": told, "issues": list(found.issues)}


def convention_facts(outcome: Outcome) -> Facts | None:
    return None if outcome.convention is None else dict(zip(("question", "value"), outcome.convention))


def command(run: Run, id: str) -> str:
    return f"lrp-ref conform {run.command} --case {id}"


def number(value: Any) -> float | str:
    """A number as JSON has them; of what is none its name."""
    return float(value) if np.isfinite(value) else str(float(value))


def in_words(rule: Any) -> str:
    """AlphaBeta(2, 1)"""
    values = ", ".join(str(value) for value in vars(rule).values())
    return f"{type(rule).__name__}({values})"


# ---- Asking again ----


def asked(run: Run) -> Callable[..., Array]:
    return lambda network, rules, x, R: ask(run.adapter, network, dict(rules), x, R)


def agrees_with(run: Run, near: float = 0.0) -> Callable[..., bool]:
    """Whether an answer to any question is right: within its bound, declared stabilisers allowed for, or that near."""
    u, declared = roundoff(run.adapter), run.adapter.conventions

    def agrees(network: Network, rules: Rules, x: Array, R: Array, answer: Any) -> bool:
        with np.errstate(all="ignore"):
            return np.shape(answer) == x.shape and any(
                status(answer, one, u) != "failed" or distance(answer, one.value, u) < near
                for one in right_at(network, rules, x, R, u, declared))
    return agrees


def first_layer(outcome: Outcome, run: Run) -> str | None:
    """The layer at which a right relevance becomes wrong; None where none does by itself."""
    case = outcome.case
    if len(case.network) == 1:
        return case.network.names[0]
    with np.errstate(all="ignore"):
        network, rules, x, R = task(outcome, run)
        return first_divergence(asked(run), network, rules, x, R, agrees_with(run)).layer


def task(outcome: Outcome, run: Run) -> Any:
    return outcome.case.task(NUMBERS[roundoff(run.adapter)])


def counterexample(outcome: Outcome, run: Run, first: Facts | None) -> Facts | None:
    """A small network of whole numbers that goes wrong in the same layer, or in networks of the same kinds.

    Where the case is off by more than a stabiliser makes it, so must the counterexample be.
    """
    network, rules, x, R = task(outcome, run)
    assert outcome.compared is not None
    much = distance(outcome.compared.actual, outcome.compared.value, roundoff(run.adapter)) > 2 * TINY
    much = much and (outcome.convention is None or outcome.convention[0] not in MEASURED)
    if first is not None and len(network) > 1:
        at = network.index(first["layer"])
        xs = network.activations(x)
        network, rules, x, R = network[at:at + 1], {first["layer"]: rules[first["layer"]]}, xs[at], xs[at + 1]
    with np.errstate(all="ignore"):
        found = shrink(asked(run), network, rules, x, R, agrees_with(run, TINY if much else 0.0))
    if isinstance(found, NoCounterexample):
        return None
    return {"text": found.text, "got": found.got, "expected": found.expected}
