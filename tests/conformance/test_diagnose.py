"""Planted faults are named by experiment: each by one departure, in the right words, with an example that shows it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from faulty import FAULTS, LargestZ, Right, SmallNumber
from recorded import ANSWERS
from recorded import suite as vectors

from lrp_ref.arrays import convert_numbers
from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.diagnose.detect import Finding
from lrp_ref.conformance.diagnose.diagnosis import NOTHING, Diagnosis, diagnose, facts
from lrp_ref.conformance.diagnose.explain import Cases, explain
from lrp_ref.conformance.diagnose.formula import Factor, Formula
from lrp_ref.conformance.diagnose.model import Departure, Model, conventions, predicted
from lrp_ref.conformance.diagnose.pairs import TooLarge, shares, written_out
from lrp_ref.conformance.diagnose.probes import Asker, Spent, probes
from lrp_ref.conformance.diagnose.recover import formulas
from lrp_ref.conformance.diagnose.separate import sentence, separate
from lrp_ref.conformance.diagnose.table import tables
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.report.told import grid, summary
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.layers import Conv2D, Linear
from lrp_ref.network import Network
from lrp_ref.relevance import through_layer
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, ZBox

EACH = 2   # cases of a rule and layer
SPECIAL = ("padded", "dilated", "groups", "overlap", "maxpool-padding")
KINDS = ("Linear", "Conv2D", "MaxPool", "AvgPool")


@cache
def suite() -> Suite:
    """Few cases of every rule on every layer, those with the most special of each, and two networks."""
    kept, count = [], dict[Any, int]()
    for case in vectors().cases:
        alone = len(case.network) == 1 and case.layers[0] in KINDS and case.level == "required"
        place = case.rule, case.layers
        if alone and (count.get(place, 0) < EACH or any(word in case.id for word in SPECIAL)):
            kept.append(case)
            count[place] = count.get(place, 0) + 1
    kept += [case for case in vectors().cases if "perceptron" in case.id][:2]
    kept += [case for case in vectors().cases if case.layers == ("MaxPool",) and case.level == "convention"]
    kept += [case for case in vectors().cases if case.id.startswith("bias-")
             and case.layers in (("Linear",), ("Conv2D",))]
    return replace(vectors(), cases=kept, count=len(kept))


def of_rules(rules: tuple[str, ...]) -> Suite:
    kept = [case for case in suite().cases if not rules or case.rule in rules]
    return replace(suite(), cases=kept, count=len(kept))


def told(adapter: Any, rules: tuple[str, ...] = (), **budget: Any) -> Diagnosis:
    found = run(adapter, of_rules(rules), answers=ANSWERS)
    return diagnose(found, [], asker=Asker(adapter, **budget))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_named_and_nothing_else(fault: Any) -> None:
    found = told(fault(), fault.rules)
    assert len(found.told) == 1 and not found.left, [one.sentence for one in found.told]
    (one,) = found.told
    text = one.sentence.lower()
    assert all(any(word in text for word in words) for words in fault.words), text
    assert not any(word in text for word in fault.never), text
    assert one.against <= len(one.ids) and one.example is not None
    got = fault().relevance(one.example.network, one.example.rules, one.example.x, one.example.R)
    right = Right().relevance(one.example.network, one.example.rules, one.example.x, one.example.R)
    assert abs(got - right).max() > 1e-6   # the example shows the fault


def test_of_what_is_right_nothing_is_said() -> None:
    for adapter in (Right(), Ours(), Ours(unit_roundoff=2.0**-24)):
        assert told(adapter) is NOTHING


class Random(Right):
    """No departure: every number is another multiple of the right one."""

    def after(self, below: Any, R: Any, layer: Any) -> Any:
        return below * (1 + np.random.default_rng(int(1e6 * abs(below).sum()) % 2**32).random(below.shape) / 2)


def test_the_budget_is_kept_and_what_it_did_not_reach_is_said() -> None:
    found = told(Random(), ("Epsilon",), questions=40)
    assert found.unasked and ("Epsilon", "Conv2D") in found.unasked
    assert "budget did not reach" in " ".join(" ".join(summary(Reported(found))).split())   # type: ignore[arg-type]


def test_what_the_budget_did_not_reach_may_be_told_by_the_answers_alone() -> None:
    (one,) = told(LargestZ(), ("Epsilon",), questions=40).told
    assert "epsilon times the largest |z| among the outputs" in one.sentence


class Reported:
    """Of a report what a summary reads."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self.failures = [*diagnosis.causes, *diagnosis.left]


def test_an_answer_that_is_random_is_no_departure() -> None:
    found = told(Random(), ("Flat", "ZPlus"))
    assert not found.told and len(found.left) > 9


def test_a_detected_convention_that_cases_deny_is_not_told() -> None:
    found = run(SmallNumber(), of_rules(("ZPlus", "AlphaBeta")), answers=ANSWERS)
    wrong = [Finding("bias_alpha_beta", "left out", [], []), Finding("stabiliser", 1e-4, [], [])]
    sentences = [one.sentence for one in diagnose(found, wrong).told]
    assert sentences == ["stabiliser of the other rules: 0.0001"]


def test_json_has_sentence_failures_and_how_many() -> None:
    (one,) = facts(told(LargestZ(), ("Epsilon",)))
    assert one["explained"] == len(one["failures"]) > 3 and "largest |z|" in one["sentence"]
    assert one["formulas"][0]["theirs"] != one["formulas"][0]["ours"]
    assert one["counterexample"]["got"] != one["counterexample"]["expected"]


# ---- By hand ----


@pytest.mark.parametrize("rule", [Epsilon(0.5), AlphaBeta(2.0, 1.0), Gamma(0.5), ZBox(-4.0, 5.0)])
def test_pairs_are_the_step_of_the_core(rule: Any) -> None:
    rng = np.random.default_rng(2)
    x, R = rng.integers(-4, 5, (2, 4, 3, 3)) * 1.0, rng.integers(-4, 5, (2, 6, 2, 2)) * 1.0
    layer = Conv2D(rng.integers(-3, 4, (6, 2, 2, 2)) * 1.0, rng.integers(-3, 4, 6) * 1.0, groups=2)
    p = written_out(layer, x)
    M = sum(share.messages for share in shares(rule, p))
    got = (M * R.reshape(2, 1, -1)).sum(2).reshape(x.shape)
    np.testing.assert_allclose(got, through_layer(rule, layer, x, R)[0], rtol=1e-12, atol=1e-12)   # some roundings


def test_a_formula_gives_the_fractions_that_it_says() -> None:
    """a = 2 3, w = 5 -1, b = 4: z = 11; a bias keeps 4 / (7 + 4) of R, and 7/11 goes to 10/7 and -3/7."""
    p = written_out(Linear(np.array([[5.0], [-1.0]]), np.array([4.0])), np.array([[2.0, 3.0]]))
    one = Formula(bias="0", factor=Factor(1.0, "|sum|", "|b|", True))
    wanted = [Fraction(7, 11) * Fraction(10, 7), Fraction(7, 11) * Fraction(-3, 7)]
    got = predicted([one], Epsilon(0.0), p)[0, :, 0]
    np.testing.assert_allclose(got, convert_numbers(np.array(wanted), np.float64),
                               rtol=1e-15, atol=0)   # two roundings


def test_a_formula_holds_under_its_condition_alone() -> None:
    """b = 4 is positive: left out, 10/7; b = -4: kept, 10/3."""
    one = Formula(bias="0", where=("the bias is positive",))
    for b, wanted in ((4.0, 10 / 7), (-4.0, 10 / 3)):
        p = written_out(Linear(np.array([[5.0], [-1.0]]), np.array([b])), np.array([[2.0, 3.0]]))
        assert predicted([one], Epsilon(0.0), p)[0, 0, 0] == pytest.approx(wanted, rel=1e-15, abs=0)   # two roundings


def test_a_formula_is_recovered_from_questions_alone() -> None:
    found = list(probes(Asker(LargestZ()), "Epsilon", "Linear"))
    (table,) = tables(found, {}).values()
    best = formulas(table, "all", 1e-10)[0]
    assert best == Formula(guard="epsilon times the largest |z| among the outputs")


def test_a_model_is_an_implementation() -> None:
    departure = Departure("formula", Formula(guard="epsilon times the largest |z| among the outputs"),
                          frozenset({("Epsilon", "Linear")}))
    network = Network([("a", Linear(np.array([[1.0, -2.0], [3.0, 1.0]]))), ("b", Linear(np.array([[2.0], [1.0]])))])
    rules, x, R = dict.fromkeys("ab", Epsilon(0.25)), np.array([[1.0, 2.0]]), np.array([[3.0]])
    got = Model((departure,)).answer(network, rules, x, R)
    np.testing.assert_allclose(got, LargestZ().relevance(network, rules, x, R), rtol=1e-12, atol=0)   # some roundings


def test_questions_beyond_the_budget_are_not_asked() -> None:
    asker = Asker(Right(), questions=1)
    layer, one = Linear(np.ones((1, 1))), np.ones((1, 1))
    assert asker.layer(Epsilon(0.0), layer, one, one) == 1
    with pytest.raises(Spent):
        asker.layer(Epsilon(0.0), layer, one, one)


def test_what_is_too_large_to_write_out_says_so() -> None:
    with pytest.raises(TooLarge):
        written_out(Linear(np.ones((3000, 3000))), np.ones((1, 3000)))


def test_failed_cases_are_separated_from_passed_ones_by_what_they_have() -> None:
    found = run(Right(), suite(), answers=ANSWERS)
    groups = [one for one in found.outcomes if getattr(one.case.network[one.case.network.names[0]], "groups", 1) > 1]
    rest = [one for one in found.outcomes if one not in groups]
    (split,) = separate(groups, rest)
    assert split.exact and "groups" in split.facts
    assert sentence(split).startswith(f"all {len(groups)} have groups; none of the {len(rest)} that pass has")


def test_a_grid_shows_what_is_reached() -> None:
    assert grid(np.array([[[[0.0, 2.0], [0.0, 0.0]]]])) == ".# / .."


class WithoutBias(Right):
    """Leaves the bias out of epsilon's denominator: everywhere, or for so many samples alone."""

    def __init__(self, samples: int | None = None) -> None:
        self.samples = samples

    def relevance(self, network: Network, rules: Any, x: Any, R: Any) -> Any:
        if self.samples not in (None, len(x)):
            return super().relevance(network, rules, x, R)
        return Model(LEFT_OUT, {}).answer(network, rules, x, R)


LEFT_OUT = conventions({"bias_epsilon": "left out"})


@pytest.mark.parametrize(("samples", "told"), [(None, LEFT_OUT), (1, ())])
def test_what_other_cases_contradict_is_not_told(samples: int | None, told: Any) -> None:
    adapter, some = WithoutBias(samples), of_rules(("Epsilon",))
    cases = Cases(run(adapter, some, answers=ANSWERS), {})
    passed = [one for one in cases.answered if one.status != "failed" and cases.touched(LEFT_OUT[0], one)]
    denying = [one for one in passed if not cases.gives(LEFT_OUT, one)]
    assert cases.failed and all(cases.gives(LEFT_OUT, one) for one in cases.failed)
    assert (len(denying) > 0) == (samples == 1)   # what passed is another answer than the convention's
    assert explain(cases, [LEFT_OUT]).departures == told


def test_a_departure_is_told_of_the_rules_and_layers_alone_of_which_an_answer_needs_it() -> None:
    """Flat has no bias to leave out, so that no case denies it there: nothing failed there either."""
    found = run(WithoutBias(), of_rules(("Epsilon", "Flat")), answers=ANSWERS)
    needed = frozenset({("Epsilon", "Linear"), ("Epsilon", "Conv2D")})
    wide = Departure("formula", Formula(bias="0", guard="epsilon sign(sum)"), needed | {("Flat", "Linear")})
    (told_at,) = {one.places for one in explain(Cases(found, {}), [(wide,)]).departures}
    assert told_at == needed
