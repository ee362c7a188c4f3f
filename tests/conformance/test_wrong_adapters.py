"""The suite tests itself: what is deliberately wrong fails, and what is printed names the mistake."""

from collections import Counter
from functools import cache
from typing import Any

import pytest
from wrong_adapters import WRONG

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.diagnose.detect import contradicted, detect
from lrp_ref.conformance.diagnose.known import known
from lrp_ref.conformance.judge.outcome import ask, outcome
from lrp_ref.conformance.judge.run import Answers
from lrp_ref.conformance.judge.smoke import Broken, smoke
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Suite, load

EACH, EXPLAINED = 1, 8   # cases of a rule and layers, and failures explained of an adapter: the rest only takes time
RIGHT = Answers()
LAYERS = {"Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "ReLU", "Flatten", "BatchNorm"}


@cache
def suite() -> Suite:
    return load()


@cache
def some_cases() -> list[Case]:
    """The first case of every rule on every network of a CNN's layers, of every convention, and of every flag."""
    seen: Counter[Any] = Counter()
    chosen = []
    for case in suite().cases:
        if case.level not in ("required", "convention") or not set(case.layers) <= LAYERS:
            continue
        kinds = [(case.rule, case.layers), *(row.convention for row in case.either), *case.flags]
        seen.update(kinds)
        if min(seen[kind] for kind in kinds) <= EACH:
            chosen.append(case)
    return chosen


def told(adapter: Any) -> list[str]:
    """Every sentence about an adapter: of the smoke test, or of the failures and of declared conventions."""
    try:
        smoke(adapter)
    except Broken as error:
        return [str(error)]
    outcomes = [outcome(adapter, case, RIGHT.of(Ours())) for case in some_cases()]
    failed = [one for one in outcomes if one.status == "failed" and one.answer is not None]
    sentences = []
    for one in failed[:: max(1, len(failed) // EXPLAINED)]:
        task = one.case.task()
        assert one.answer is not None
        sentences.append(str(known(one.case, one.answer, suite().notes, adapter.unit_roundoff, one.convention,
                                   lambda task=task: ask(adapter, *task))))   # type: ignore[misc]
    if adapter.conventions:
        answers = {one.case.id: one.answer for one in outcomes if one.answer is not None}
        sentences += contradicted(detect(answers, suite()), adapter.conventions)
    return sentences


@pytest.mark.parametrize(("adapter", "words"), WRONG, ids=[adapter.name for adapter, _ in WRONG])
def test_a_wrong_implementation_is_caught_and_named(adapter: Any, words: str) -> None:
    """Most of what is said of its failures names the mistake."""
    sentences = told(adapter)
    naming = [sentence for sentence in sentences if words in sentence]
    assert sentences and len(naming) > len(sentences) / 2, Counter(sentences).most_common(4)


def test_a_lie_is_reported_as_one() -> None:
    [liar] = [adapter for adapter, _ in WRONG if adapter.name == "sign(0) liar"]
    assert "declares sign(0) = +1, but its numbers say sign(0) = -1" in told(liar)


def test_of_what_is_right_nothing_is_said() -> None:
    assert told(Ours()) == []


def test_the_wrong_ones_are_wrong_in_as_many_ways_as_there_are() -> None:
    assert len({words for _, words in WRONG}) == len(WRONG) >= 16
