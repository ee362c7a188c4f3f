"""What cures every failing question if it is left out is the condition, whatever the fault is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faulty import InFloat32, Right
from recorded import ANSWERS
from recorded import suite as vectors

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.diagnose.again import agrees_with, asking, rounded_to_float32
from lrp_ref.conformance.diagnose.assignments import ASSIGNMENTS
from lrp_ref.conformance.diagnose.diagnosis import diagnose
from lrp_ref.conformance.diagnose.leave_out import Asked, Condition, Trial, conditions, omissions, question
from lrp_ref.conformance.diagnose.pairs import Pairs, Share
from lrp_ref.conformance.judge.run import Run, run
from lrp_ref.conformance.report.told import summary
from lrp_ref.layers import AvgPool, Conv2D, Layer, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Pass, Rule, ZBox, ZPlus

LATE = float("inf")


def of(adapter: Any, *begin: str) -> Run:
    kept = [case for case in vectors().cases if case.id.startswith(begin) and case.level == "required"]
    return run(adapter, replace(vectors(), cases=kept, count=len(kept)), answers=ANSWERS)


class Odd(Right):
    """Multiplies messages by what no formula has, wherever `when` says so."""

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Any:
        M = super().messages(rule, p, share)
        return M * np.sqrt(2 + np.arange(M.size)).reshape(M.shape) if self.when(p) else M

    def when(self, p: Pairs) -> bool:
        raise NotImplementedError


class OddStride(Odd):
    def when(self, p: Pairs) -> bool:
        return isinstance(p.layer, Conv2D) and p.layer.stride != (1, 1)


class OddBatch(Odd):
    def when(self, p: Pairs) -> bool:
        return isinstance(p.layer, Conv2D) and len(p.x) > 1


class OddColumns(Odd):
    def when(self, p: Pairs) -> bool:
        return isinstance(p.layer, Conv2D) and bool(p.layer.pad[1])


class OddSigns(Odd):
    def when(self, p: Pairs) -> bool:
        return bool((p.x < 0).any())


class TwoOdd(Odd):
    def when(self, p: Pairs) -> bool:
        layer = p.layer
        return isinstance(layer, Conv2D) and (layer.dilation != (1, 1) or layer.groups > 1)


@pytest.mark.parametrize(("adapter", "begin", "words"), [
    (OddStride, "epsilon-conv2d", ["with stride=1"]), (OddBatch, "epsilon-conv2d", ["with one sample"]),
    (OddColumns, "epsilon-conv2d", ["with pad=0", "with pad=0 in the columns"]),
    (OddSigns, "zplus-linear", ["with an x without negative numbers"])])
def test_what_cures_all_is_the_condition(adapter: Any, begin: str, words: list[str]) -> None:
    found = of(adapter(), begin)
    assert len(found.failed) > 1
    (one,) = conditions(found, found.failed, LATE)
    assert one.words in words and set(one.ids) == {each.case.id for each in found.failed}


def test_of_two_conditions_each_cures_its_own() -> None:
    found = of(TwoOdd(), "epsilon-conv2d", "flat-conv2d", "zplus-conv2d", "alphabeta-conv2d", "gamma-conv2d")
    several = conditions(found, found.failed, LATE)
    assert {one.words for one in several} == {"with dilation=1", "with groups=1"}
    assert set(several[0].ids).isdisjoint(several[1].ids)


def test_a_question_that_has_not_the_thing_denies_it() -> None:
    """All fail, with one sample as with several: the number of samples is no condition."""
    found = of(OddBatch(), "epsilon-conv2d")
    q = next(q for one in found.failed if (q := question(one)) is not None)
    trial = Trial(asking(found), agrees_with(found), LATE)
    assert "with one sample" in trial.cures(q)
    assert "with one sample" not in [words for words, _ in omissions(replace(q, x=q.x[:1], R=q.R[:1]))]


def test_the_report_says_what_cures() -> None:
    found = of(OddStride(), "epsilon-conv2d")
    told = diagnose(found, [])
    count = len(found.failed)
    if told.left:   # a formula that fits by chance would be told instead
        assert str(told.conditions[0]) == f"all {count} that were asked again are right with stride=1"
        assert told.condition(told.left[0]) == "right again with stride=1"


def test_some_of_several_are_counted() -> None:
    assert str(Condition("with pad=0", ("a", "b"), 5)) == "2 of 5 that were asked again are right with pad=0"


LAYERS: list[tuple[Rule, Layer, tuple[int, ...]]] = [
    (Epsilon(0.25), Linear(np.array([[2.0, -1.0, 3.0], [0.0, 4.0, -2.0]]), np.array([1.0, 0.0, -3.0])), (3, 2)),
    (ZBox(np.array([-4.0, -3.0]), np.array([5.0, 6.0])),
     Conv2D(np.arange(-5.0, 7.0).reshape(3, 2, 2, 1), np.array([2.0, -1.0, 0.0]), (2, 1), (1, 0)), (2, 2, 5, 4)),
    (AlphaBeta(2.0, 1.0), Conv2D(np.arange(-7.0, 9.0).reshape(4, 1, 2, 2), None, groups=2), (1, 2, 4, 3)),
    (Flat(), MaxPool((2, 3), (1, 2), (1, 1), ceil=True), (2, 2, 4, 6)), (ZPlus(), AvgPool(2, 1), (1, 2, 4, 3)),
    (Epsilon(0.0), ReLU(), (2, 3))]


@pytest.mark.parametrize(("rule", "layer", "shape"), LAYERS)
def test_whatever_is_left_out_of_a_question_is_a_question(rule: Rule, layer: Layer, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-4, 5, shape) * 1.0
    R = rng.integers(-3, 6, layer.output_shape(shape)) * 1.0
    R.flat[0] = 2
    q, seen = Asked(rule, layer, x, R), set()
    ours = of(Ours(), "epsilon-linear")
    trial = Trial(asking(ours), agrees_with(ours), LATE)
    for words, other in omissions(q):
        assert words not in seen and not q.same(other), words
        seen.add(words)
        network, rules, a, r = other.task
        if through_network(network, rules, a, r)["input"].any():
            assert trial.right(other), words   # it runs, and lrp_ref is right there
    assert len(seen) > 5


# ---- Beside it: rules of other layers, and another format ----


@pytest.mark.parametrize("words", ASSIGNMENTS)
def test_rules_that_go_elsewhere_are_rules_of_all_layers(words: str) -> None:
    network = Network([("a", Linear(np.eye(2))), ("b", ReLU()), ("c", Linear(np.eye(2))), ("d", ReLU()),
                       ("e", Linear(np.eye(2)))])
    rules: dict[str, Rule] = {"a": Flat(), "b": Flat(), "c": ZPlus(), "d": Pass(), "e": Epsilon(0.5)}
    found = ASSIGNMENTS[words](network, rules)
    assert list(found) == list("abcde") and all(isinstance(rule, Rule) for rule in found.values())
    by_hand = {"Flat of the lowest layers reaches one layer too high": "Flat Flat Flat Pass Epsilon",
               "Flat of the lowest layers ends one layer too low": "Flat ZPlus ZPlus Pass Epsilon",
               "WSquare of the lowest layers reaches one layer too high": "Flat Flat ZPlus Pass Epsilon",
               "every layer has the rule of the one above": "Flat ZPlus Pass Epsilon Epsilon",
               "every layer has the rule that it has by default": "Epsilon Pass Epsilon Pass Epsilon",
               "the layers have the rules in reverse order": "Epsilon Pass ZPlus Flat Flat"}
    if words in by_hand:
        assert " ".join(type(rule).__name__ for rule in found.values()) == by_hand[words]


class TooHigh(Right):
    """A cut-off reaches one layer too high."""

    def relevance(self, network: Network, rules: Any, x: Any, R: Any) -> Any:
        names = [*network.names]
        n = next((n for n, name in enumerate(names) if rules[name] != rules[names[0]]), len(names))
        if n < len(names) and isinstance(rules[names[0]], Flat):
            rules = {**rules, names[n]: rules[names[0]]}
        return super().relevance(network, rules, x, R)


def test_a_cut_off_one_layer_too_high_is_named() -> None:
    cut = [case for case in vectors().cases if case.rule == "cutoff" and case.network.is_chain
           and {*case.layers} <= {"Conv2D", "Linear", "ReLU", "MaxPool", "Flatten", "AvgPool"}][:12]
    found = run(TooHigh(), replace(vectors(), cases=cut, count=len(cut)), answers=ANSWERS)
    assert found.failed
    told = diagnose(found, [])
    assert [one.sentence for one in told.told] == ["Flat of the lowest layers reaches one layer too high"]
    assert not told.left


def test_float32_inside_is_named_and_is_no_other_fault() -> None:
    found = of(InFloat32(), "epsilon-linear", "zplus-linear")
    assert len(found.failed) > 9 and {*rounded_to_float32(found)} == {*found.failed}
    (one,) = diagnose(found, []).told
    assert one.sentence == "numbers are right to float32's accuracy, and not to that of float64"
    assert len(one.ids) == len(found.failed)


def test_an_adapter_of_float32_is_not_told_that_it_is() -> None:
    assert not rounded_to_float32(of(Ours(unit_roundoff=2.0**-24), "epsilon-linear"))


def test_the_first_sentences_say_what_cures() -> None:
    class Reported:
        failures = ("a", "b")
        diagnosis = replace(diagnose(of(Ours(), "epsilon-linear"), []), left=["a", "b"],
                            conditions=(Condition("with one row", ("a", "b"), 2),))

    assert "all 2 that were asked again are right with one row" in " ".join(summary(Reported()))   # type: ignore[arg-type]
