"""The suite tests itself: what is deliberately wrong fails, and what is told of it names the mistake, or nothing wrong.

Two tell: the report of a run, and what an assertion of lrp_ref.testing says that a wrong answer looks like.
"""

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from recorded import ANSWERS
from recorded import suite as vectors
from wrong_adapters import SAID, WRONG

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.diagnose.failures import UNEXPLAINED
from lrp_ref.conformance.judge.outcome import Outcome, outcome
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.judge.smoke import Broken
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.testing.task import Task

EACH, EXPLAINED = 1, 8   # cases of a rule and layers, and failures looked at of an adapter: the rest only takes time
LAYERS = {"Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "ReLU", "Flatten", "BatchNorm"}
ADAPTERS = {adapter.name: adapter for adapter, _ in WRONG}


@cache
def suite() -> Suite:
    return vectors()


def judged() -> list[Case]:
    return [case for case in suite().cases if case.level in ("required", "convention")]


@cache
def some_cases() -> list[Case]:
    """The first case of every rule on every network of a CNN's layers, of every convention, and of every flag."""
    seen: Counter[Any] = Counter()
    chosen = []
    for case in judged():
        if not set(case.layers) <= LAYERS:
            continue
        kinds = [(case.rule, case.layers), *(row.convention for row in case.either), *case.flags]
        seen.update(kinds)
        if min(seen[kind] for kind in kinds) <= EACH:
            chosen.append(case)
    return chosen


def reported(adapter: Any, *begin: str) -> Report:
    """The report on the cases whose ids begin so."""
    cases = [case for case in judged() if case.id.startswith(begin)]
    return report(run(adapter, replace(suite(), cases=cases, count=len(cases)), answers=ANSWERS))


@pytest.mark.parametrize("name", SAID)
def test_the_report_names_what_is_wrong_or_that_it_is_not_explained(name: str) -> None:
    said = SAID[name]
    found = reported(ADAPTERS[name], *said.begin)
    causes = Counter(failure.cause.text for failure in found.failures)
    [(most, count), *_] = causes.most_common()
    assert said.words in most and 2 * count > len(found.failures), causes
    if said.words.startswith(UNEXPLAINED):   # then no wrong cause stands beside
        assert not found.diagnosis.told and all(text.startswith(UNEXPLAINED) for text in causes)


def test_who_hands_nothing_down_is_not_even_run() -> None:
    with pytest.raises(Broken, match="always zero: all relevance is 0"):
        run(ADAPTERS["always zero"], suite())


def test_every_wrong_adapter_has_what_is_said_of_it() -> None:
    assert {*SAID, "always zero"} == set(ADAPTERS)


def failed(adapter: Any) -> list[Outcome]:
    outcomes = [outcome(adapter, case, ANSWERS.of(Ours())) for case in some_cases()]
    return [one for one in outcomes if one.status == "failed" and one.answer is not None]


def looks(one: Outcome) -> str:
    network, rules, x, R = one.case.task()
    with np.errstate(all="ignore"):
        task = Task.of(network, x, rules, R, 2.0**-53, None)
        return str(task.looks_like(network.names[0] if len(network) == 1 else None, one.answer))


@pytest.mark.parametrize(("adapter", "words"), WRONG, ids=[adapter.name for adapter, _ in WRONG])
def test_a_wrong_answer_looks_like_the_mistake(adapter: Any, words: str) -> None:
    """Most of the answers that fail do; those of a memory change from call to call and look like nothing."""
    found = failed(adapter)
    sentences = [looks(one) for one in found[:: max(1, len(found) // EXPLAINED)]]
    naming = [sentence for sentence in sentences if words in sentence]
    assert sentences and 2 * len(naming) >= len(sentences), Counter(sentences).most_common(4)


def test_a_lie_is_reported_as_one() -> None:
    found = reported(ADAPTERS["sign(0) liar"], "sign-of-zero", "epsilon-linear")
    assert "declares sign(0) = +1, but its numbers say sign(0) = -1" in found.contradicted


def test_of_what_is_right_nothing_is_said() -> None:
    assert not failed(Ours())
    found = reported(Ours(), "epsilon-", "sign-of-zero")
    assert (*found.failures, *found.contradicted, *found.diagnosis.told) == ()


def test_the_wrong_ones_are_wrong_in_as_many_ways_as_there_are() -> None:
    assert len({words for _, words in WRONG}) == len(WRONG) >= 16
