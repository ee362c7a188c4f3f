"""Implementations that nobody can ask: what they compute is read off the answers that they left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Right
from recorded import ANSWERS
from recorded import suite as vectors
from test_diagnose import of_rules, suite

from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.diagnose.diagnosis import NOTHING, diagnose
from lrp_ref.conformance.diagnose.explain import Cases
from lrp_ref.conformance.diagnose.model import predicted
from lrp_ref.conformance.diagnose.other_pool import OtherPool
from lrp_ref.conformance.diagnose.pairs import Pairs, Share, shares, written_out
from lrp_ref.conformance.diagnose.read_off import Answered, read_off
from lrp_ref.conformance.diagnose.separate import sentence, separate
from lrp_ref.conformance.judge.record import write
from lrp_ref.conformance.judge.run import Run, run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.layers import AvgPool, Conv2D, Flatten, Linear, MaxPool, SumPool
from lrp_ref.network import Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import AlphaBeta, Epsilon, Rule, Winner, ZBox


def left_behind(adapter: Any, some: Suite, tmp_path: Path) -> Run:
    """The answers of an adapter, which nobody can ask any more."""
    write(str(tmp_path / "answers.json"), run(adapter, some, answers=ANSWERS))
    return run(read(str(tmp_path / "answers.json")), some, answers=ANSWERS)


# ---- Planted faults ----


def test_of_right_answers_nothing_is_said(tmp_path: Path) -> None:
    assert diagnose(left_behind(Right(), suite(), tmp_path), []) is NOTHING


class Keras(Right):
    """A flattened image comes back in the order row, column, channel; z-box takes its bounds from x."""

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Any:
        M = super().messages(rule, p, share)
        if not isinstance(p.layer, Flatten) or p.x.ndim != 4:
            return M
        channels, rows, columns = p.x.shape[1:]
        return M[..., np.arange(p.b.size).reshape(rows, columns, channels).transpose(2, 0, 1).reshape(-1).argsort()]

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        return shares(ZBox(float(p.x.min()), float(p.x.max())), p)[0] if isinstance(rule, ZBox) else share


@pytest.mark.parametrize("alone", [False, True])
def test_an_order_of_axes_and_bounds_of_the_image_are_named(alone: bool, tmp_path: Path) -> None:
    kept = [case for case in vectors().cases if case.layers in (("Flatten",), ("Linear",), ("Conv2D",))
            and case.rule in ("Flat", "Pass", "ZBox") and case.level != "negative"]
    some = replace(vectors(), cases=kept, count=len(kept))
    found = diagnose(left_behind(Keras(), some, tmp_path) if alone else run(Keras(), some, answers=ANSWERS), [])
    said = sorted(one.sentence for one in found.told)
    assert len(said) == 2 and not found.left, (said, found.left)
    assert said[0].endswith("on Flatten: it is handed back in the order row, column, channel")
    assert "with the smallest and the largest number of the input for bounds in place of" in said[1]


class Tutorial(Right):
    """z + epsilon std(z) + 1e-9, of all z of the layer, without a sign."""

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        return replace(share, guard=rule.epsilon * p.z.std() + 1e-9) if isinstance(rule, Epsilon) else share


def test_a_formula_that_is_right_but_for_a_small_number_is_named() -> None:
    found = diagnose(run(Tutorial(), of_rules(("Epsilon",)), answers=ANSWERS), [])
    text = " ".join(one.sentence for one in found.told)
    assert "epsilon times the standard deviation of z over all samples and outputs, without a sign" in text, text


# ---- By hand ----


def answered(layer: Any, rule: Rule, x: Any, R: Any) -> Answered:
    """What is read off the canonical answer."""
    x, R = np.array(x, float), np.array(R, float)
    case = replace(vectors().cases[0], network=Network([("one", layer)]), rules={"one": rule}, x=x, R=R,
                   level="required", id="by-hand", either=())
    answer = through_network(case.network, case.rules, x, R)["input"]
    outcome = replace(run(Right(), of_rules(("Flat",)), answers=ANSWERS).outcomes[0], case=case, answer=answer)
    cases = Cases(replace(run(Right(), of_rules(("Flat",)), answers=ANSWERS), outcomes=[outcome]), {})
    (found,) = read_off(cases, (type(rule).__name__, type(layer).__name__), cases.model.of())
    return found


def test_a_message_is_read_where_one_output_alone_hands_down() -> None:
    # z = (1 - 2 + 3, 4 + 3, 2 - 1 + 3) = (2, 7, 4); R = (0, 14, 0) in the first sample, (2, 0, -4) in the second
    layer = Linear(np.array([[1.0, 4.0, 2.0], [2.0, -3.0, 1.0]]), np.array([3.0, 0.0, 3.0]))
    one = answered(layer, Epsilon(0.0), [[1.0, -1.0], [1.0, -1.0]], [[0.0, 14.0, 0.0], [2.0, 0.0, -4.0]])
    assert one.known.tolist() == [[[False, True, False]] * 2, [[False] * 3] * 2]   # two outputs reach every input
    assert one.M[0].tolist() == [[0.0, 4 / 7, 0.0], [0.0, 3 / 7, 0.0]]   # a w / z


def test_of_windows_beside_each_other_every_message_is_read() -> None:
    layer = Conv2D(np.array([[[[1.0, 3.0]]]]), np.array([0.5]), (1, 2))
    one = answered(layer, AlphaBeta(2, 1), [[[[1.0, 2.0, -2.0, 1.0]]]], [[[[5.0, -3.0]]]])
    # z+ = 7 + 1/2 of the first window; z+ = 3 + 1/2 and z- = -2 of the second
    assert np.allclose(one.M[0], [[2 / 7.5, 0], [12 / 7.5, 0], [0, -1], [0, 6 / 3.5]], rtol=1e-14, atol=0)   # roundings
    assert one.known[0].tolist() == [[True, False]] * 2 + [[False, True]] * 2


def test_what_is_read_of_a_right_implementation_is_what_rules_hand_down() -> None:
    found = run(Right(), suite(), answers=ANSWERS)
    cases, seen = Cases(found, {}), 0
    for place in {(case.rule, case.layers[0]) for case in suite().cases if len(case.network) == 1}:
        for one in read_off(cases, place, cases.model.of()):
            right = predicted([], one.rule, one.pairs)
            known = one.known & np.ones_like(right, dtype=bool)
            assert np.allclose(one.M[known], right[known], rtol=1e-10, atol=1e-13)   # some ten roundings, and 0
            assert one.has(right, 1e-10) and one.answer.any() != one.has(right * 1.001, 1e-10)
            seen += int(known.sum())
    assert seen > 500


def test_another_pooling_stands_in_a_poolings_place() -> None:
    p = written_out(MaxPool((3, 2), (3, 2)), np.array([[[[1.0, 3.0], [2.0, 4.0], [9.0, 5.0]]]]))
    half = OtherPool("an average pooling", "in proportion to the inputs", (2, 2), False,
                     Convention("zero_rule", ("unsigned", 0.5)))
    M = half.messages(Winner(), p, {})   # (1, 3, 2, 4) / 4 over an average of 10 / 4 and 1/2
    assert M is not None and np.allclose(M[0, :, 0], [1 / 12, 3 / 12, 2 / 12, 4 / 12, 0, 0], rtol=1e-15, atol=0)
    assert half.messages(Epsilon(0.0), written_out(Linear(np.ones((2, 1))), np.ones((1, 2))), {}) is None
    layer = SumPool((1, 2), (1, 1))   # which has no padding
    assert repr(OtherPool("an average pooling", "evenly").layer(layer)) == repr(AvgPool((1, 2), (1, 1)))
    nine = written_out(MaxPool((2, 2), (1, 1)), np.arange(9.0).reshape(1, 1, 3, 3))
    M = half.messages(Winner(), nine, {})   # one window there for four here: R of all of them goes through it
    assert M is not None and (M[..., :1] == M).all() and np.allclose(M[0, :, 0].sum(), 8 / 10, rtol=1e-15, atol=0)


def test_failures_of_two_kinds_are_separated_in_two() -> None:
    found = run(Right(), suite(), answers=ANSWERS)
    dilated, grouped = ([one for one in found.outcomes if special(one.case.network) == kind]
                        for kind in ("dilated", "groups"))
    rest = [one for one in found.outcomes if one not in (*dilated, *grouped)]
    told = [sentence(one) for one in separate([*dilated, *grouped], rest)]
    assert len(dilated) >= 2 and len(grouped) >= 2 and len(told) == 2
    assert any(f"{len(dilated)} of them the kernel is dilated, as in none of the {len(rest)}" in one for one in told)
    assert any(f"{len(grouped)} of them have groups, as none of the {len(rest)} that pass" in one for one in told)
    assert separate(dilated[:1], rest) == []   # of one anything might be told


def special(network: Network) -> str:
    layer = network[network.names[0]]
    if getattr(layer, "groups", 1) > 1:
        return "groups"
    return "dilated" if tuple(getattr(layer, "dilation", (1, 1))) != (1, 1) else ""
