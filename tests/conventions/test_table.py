"""The table of conventions: every answer is one change of a rule, and the page that shows the table shows its data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import F, mixed

from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.dialects.dialect import EVERYTHING
from lrp_ref.conventions.changes import Bare, Changed, Stabilised, kind
from lrp_ref.conventions.maps import NoRule
from lrp_ref.conventions.table import TABLE, But, number, phrase, plain, spoken, stated
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.pool import AvgPool, MaxPool
from lrp_ref.relevance import through_layer
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

RULES = (Epsilon(0), Epsilon(F(1, 4)), AlphaBeta(1, 0), AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 10)), ZBox(-1, 2),
         WSquare(), Flat(), Winner(), Pass())
CONVOLUTION = Conv2D(mixed((4, 1, 2, 3), 4), mixed((4,), 5), (1, 2), (2, 1), (2, 1), 2)


def test_an_answer_may_have_exceptions_by_rule_and_layer() -> None:
    but = But("whole", {"ZPlus": "left out", "AvgPool": "split", "Flat/Linear": "none"})
    pool, dense = AvgPool(2), Linear(mixed((2, 1), 1))
    found = [but.at(*place) for place in ((ZPlus(), pool), (AlphaBeta(2, 1), pool), (Flat(), None), (Flat(), dense))]
    assert found == ["left out", "split", "whole", "none"]


def test_a_question_that_is_not_about_a_rule_gives_back_the_very_rule() -> None:
    for name, question in TABLE.items():
        for rule in RULES:
            assert question.applied(question.canonical, rule, None) is rule
            if question.rules is not Rule and not isinstance(rule, question.rules):
                assert all(question.applied(answer, rule, None) is rule for answer in question.answers), name


def test_a_rule_keeps_its_kind_through_every_answer_that_does_not_replace_it() -> None:
    replaced = {"activation", "flatten", "average", "batch_norm", "lrn", "other_max_pool", "flat_max_pool", "max_pool"}
    for name in TABLE.keys() - replaced:
        for answer in TABLE[name].answers:
            for rule in RULES[:-2]:
                try:
                    changed = TABLE[name].applied(answer, rule, CONVOLUTION)
                except NoRule:
                    continue
                assert type(kind(changed)) is type(rule), (name, answer)


def test_a_rule_that_replaces_another_is_asked_no_more_what_that_one_was() -> None:
    """Of a gradient nothing is stabilised, of a contribution what is asked of Epsilon(0)."""
    pool = AvgPool(2)
    for answer, kept in (("gradient", Bare(False)), ("contribution", Epsilon(0))):
        rule = spoken({"average": answer, "stabiliser": 1e-6, "zero_rule": 1e-9}, ZPlus(), pool)
        assert kind(rule) == kept and isinstance(rule, Stabilised) == (answer == "contribution")


def test_guards_are_the_last_and_the_difference_takes_them_into_its_sums() -> None:
    layer = Linear(np.array([[1.0], [-2.0]]))
    rule = spoken({"stabiliser": 0.5, "small_negative": "difference"}, AlphaBeta(2, 1), layer)
    a, m = layer.linearize(np.ones((1, 2)))
    up, down = rule.shares(m, a)
    assert up.over == 1.5 and down.over == -2 and rule.guard(np.ones(1)) is None   # 1 + 1/2; -1 - 1


@pytest.mark.parametrize(("row", "rule", "x", "w", "b", "R", "wanted"), [
    # z 6, -5 and 1: of w+ 2/(2 + 1) twice 3 is 4, of w- all of -3; by products it would be 6/7 and 5/5 of them
    ({"split": "weights alone"}, AlphaBeta(2, 1), [3, 5], [2, -1], 1, 3, [4, -3]),
    ({}, AlphaBeta(2, 1), [3, 5], [2, -1], 1, 7, [12, -7]),
    # z = 1 - 6 + 2 = -3; 3/2, -6 and a bias of 3 are -3/2
    ({"gamma": "positive products"}, Gamma(F(1, 2)), [1, 2], [1, -3], 2, 9, [-9, 36]),
    ({}, Gamma(F(1, 2)), [1, 2], [1, -3], 2, 6, [-1, 9]),   # 1, -9 and 2 are -6
    ({"gamma": "positive products"}, Gamma(1), [1, 2], [4, -2], 0, 8, [16, -8]),   # z = 0, which has a share then
    ({"sign_of_zero": "dead"}, Epsilon(F(1, 4)), [3, 1], [1, -3], 0, 5, [0, 0]),
    ({"sign_of_zero": "dead"}, Epsilon(1), [3, 1], [1, -4], 0, 4, [-6, 8]),   # z = -1 is stabilised: -2
    ({}, Epsilon(F(1, 4)), [3, 1], [1, -3], 0, 5, [60, -60]),
])
def test_answers_without_vectors_by_hand(row: Any, rule: Rule, x: Any, w: Any, b: Any, R: Any, wanted: Any) -> None:
    fractions = np.vectorize(F, otypes=[object])
    layer = Linear(fractions([[v] for v in w]), fractions([b]))
    got, account = through_layer(spoken(row, rule, layer), layer, fractions([x]), fractions([[R]]))
    assert got[0].tolist() == wanted
    assert account.received == account.handed + account.bias + account.stabiliser + account.dead


def test_a_maximum_run_back_as_an_average_by_hand() -> None:
    # windows (1, 3, 2) and (2, 5, -4) with R of 6 and 9: 6/6 (1, 3, 2), and 9/3 (2, 5, -4), the 2 in both
    layer, x = MaxPool((1, 3), (1, 2)), np.array([[[[F(1), F(3), F(2), F(5), F(-4)]]]])
    R = np.array([[[[F(6), F(9)]]]])
    got = through_layer(spoken({"max_pool": "average"}, Winner(), layer), layer, x, R)[0]
    assert got.tolist() == [[[[1, 3, 8, 15, -12]]]]
    row = {"max_pool": "average", "zero_rule": ("unsigned", F(1, 2))}   # over averages of 5/2 and 3/2
    got = through_layer(spoken(row, Winner(), layer), layer, x, R)[0]
    assert got.tolist() == [[[[F(4, 5), F(12, 5), F(28, 5), 10, -8]]]]


def test_what_is_dead_at_0_is_the_sum_without_a_bias_that_is_left_out() -> None:
    # the sums are 0 and 6, with the bias 2 and 8: 12 / (6 + 2) of (2, 4)
    layer, x = Linear(np.array([[1.0, 2.0], [-1.0, 4.0]]), np.array([2.0, 2.0])), np.array([[1.0, 1.0]])
    rule = spoken({"bias_epsilon": "left out", "sign_of_zero": "dead"}, Epsilon(2.0), layer)
    assert through_layer(rule, layer, x, np.array([[5.0, 12.0]]))[0].tolist() == [[3, 6]]


def test_a_sign_of_0_that_is_0_divides_by_0() -> None:
    layer = Linear(np.array([[1.0], [-3.0]]))
    with np.errstate(all="ignore"):
        rule = spoken({"sign_of_zero": "nan"}, Epsilon(0.25), layer)
        got = through_layer(rule, layer, np.array([[3.0, 1], [3, 2]]), np.array([[5.0], [13]]))[0]
    assert got[0].tolist() == [np.inf, -np.inf] and got[1].tolist() == [-12, 24]   # z = -3 is -13/4 then


def test_numbers_that_mean_an_answer_are_told_from_its_names() -> None:
    zero_rule = TABLE["zero_rule"]
    assert zero_rule.answer("nan") is zero_rule.answers["nan"]
    assert zero_rule.answer(1e-9) is zero_rule.answer(("at 0", 1e-9)) is zero_rule.number
    with pytest.raises(KeyError):
        TABLE["flat"].answer("colour")


def test_answers_in_words() -> None:
    assert phrase("stabiliser", ("at 0", 1e-7)) == "at 0: 1e-7" and phrase("flat", None) == "none known"
    assert stated("sign_of_zero", -1) == "sign(0) = -1"
    assert stated("bias_gamma", "kept") == "bias in gamma: as it is"
    assert plain(But(1e-16, {"WSquare": "nan"})) == "1e-16; WSquare nan"
    assert number(But(("at 0", 1e-7))) == 1e-7 and number("dead") == "dead"


def test_the_numbers_of_the_disagreements_are_those_of_the_table() -> None:
    told = {answer.disagreement for question in TABLE.values() for answer in question.answers.values()}
    assert {"D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D13", "D14", "D17", "D18"} <= told


def test_what_a_change_makes_prints_short() -> None:
    assert repr(Changed(Changed(ZPlus()))) == "Changed(Changed(ZPlus()))"


# ---- The page ----


def cell(name: str, question: str) -> str:
    """What the page says a library answers."""
    dialect = DIALECTS[name]
    value: Any = dialect.row.get(question, TABLE[question].canonical)
    if value is None or not dialect.asks(question):
        return "-"
    mark = "†" if question in dialect.read else ""
    text = "·" if value == TABLE[question].canonical else plain(value)
    if isinstance(value, But):
        mostly = "·" if value.mostly == TABLE[question].canonical else plain(value.mostly)
        read = {place for place in value.exceptions if f"{question}/{place}" in dialect.read}
        text = "; ".join([mostly, *(f"{place}{'†' if place in read else ''} {plain(one)}"
                                    for place, one in value.exceptions.items())])
    unset = f" ({plain(dialect.unset[question])} unset)" if question in dialect.unset else ""
    return f"{text}{mark if text != '·' or question in dialect.read else ''}{unset}"


def table() -> list[str]:
    """The lines of the page's table."""
    head = ["question", "canonical", *(f"{name}†" if DIALECTS[name].read == EVERYTHING else name for name in DIALECTS)]
    rows = [[f"`{name}`", plain(question.canonical), *(cell(one, name) for one in DIALECTS)]
            for name, question in TABLE.items()]
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def test_the_table_of_the_page_is_that_of_the_data() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8").splitlines()
    first = lines.index(table()[0])
    assert lines[first : first + len(table())] == table()


def test_every_question_of_the_page_has_its_answers_in_words() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
    for name, question in TABLE.items():
        answers = "; ".join(f"{plain(value)}: {answer.phrase}" if plain(value) != answer.phrase else answer.phrase
                            for value, answer in question.answers.items()).replace("|", "\\|")
        more = "; or a number" if question.number else ""
        assert f"| `{name}` | {question.title} | {answers}{more} |" in page, name
