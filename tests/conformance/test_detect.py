"""Detection sees numbers only: dialects without their names, mixtures of them, stabilisers that no library has."""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from dialect_adapters import answers, mixture, speaker
from recorded import suite as vectors

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapters.ours import InDialect, Ours
from lrp_ref.conformance.diagnose.detect import NEARER, Finding, agree, apart, contradicted, detect, sentences
from lrp_ref.conformance.diagnose.measure import epsilon_of, format_of, stabilised
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.conformance.make import told_apart
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.changes import Stabilised, kind
from lrp_ref.conventions.table import TABLE, phrase, spoken_in
from lrp_ref.relevance import through_network
from lrp_ref.rules import AlphaBeta, ZPlus

QUESTIONS = list(TABLE)
# What a dialect of this package's layers cannot show: where to begin and how parameters are written are the caller's.
# No vector asks what one library alone does in layers without weights, groups or padding 1.
UNSEEN = {"start", "default_epsilon", "alpha_beta", "parameters", "activation", "flatten", "average", "other_max_pool",
          "convolution", "batch_norm_rules", "left_out"}


@cache
def cases() -> tuple[Case, ...]:
    return tuple({case.id: case for case in [*vectors().cases, *told_apart.cases()] if case.either}.values())


@cache
def heard(name: str, u: float = 2.0**-53) -> dict[str, Finding]:
    return found(speaker(name, u))


def found(adapter: Any) -> dict[str, Finding]:
    return {finding.question: finding for finding in detect(answers(adapter, cases()), cases())}


# ---- Dialects ----


@pytest.mark.parametrize("u", [2.0**-53, 2.0**-24], ids=["float64", "float32"])
@pytest.mark.parametrize("name", DIALECTS)
def test_every_question_that_the_vectors_show_is_answered_as_the_dialects_conventions_say(name: str, u: float) -> None:
    conventions = DIALECTS[name].conventions
    shown = {question: finding.value for question, finding in heard(name, u).items()
             if getattr(conventions, question) is not None}
    assert all(agree(shown[question], getattr(conventions, question)) for question in shown) and len(shown) >= 4
    assert all(name in heard(name, u)[question].known for question in shown)


def test_the_vectors_ask_every_question_that_numbers_can_answer() -> None:
    assert set(found(Ours())) == set(QUESTIONS) - UNSEEN


def test_this_package_is_canonical() -> None:
    assert {question: finding.value for question, finding in found(Ours()).items()} == {
        question: getattr(CANONICAL, question) for question in QUESTIONS if question not in UNSEEN}


def test_a_question_whose_cases_are_unsupported_is_not_answered() -> None:
    assert not {"gamma", "flat", "bias_z_box"} & set(heard("lxt")) and "sign_of_zero" not in heard("lxt")


MIXTURES: list[tuple[str, dict[str, str]]] = [
    ("zennit", {"Gamma": "captum"}), ("captum", {"WSquare": "zennit", "Flat": "caffe"}),
    ("innvestigate", {"AlphaBeta": "torchlrp", "Epsilon": "lxt"}),
    ("relevance_propagation_jl", {"Epsilon": "torchlrp", "ZBox": "caffe"})]
OF_RULE = {"Gamma": ("gamma", "bias_gamma"), "WSquare": ("bias_w_square",), "Flat": ("flat",), "ZBox": ("bias_z_box",),
           "AlphaBeta": ("bias_alpha_beta",), "Epsilon": ("epsilon_sign", "bias_epsilon")}


@pytest.mark.parametrize(("base", "others"), MIXTURES, ids=[f"{b} with {' '.join(o.values())}" for b, o in MIXTURES])
def test_a_mixture_is_told_rule_by_rule(base: str, others: dict[str, str]) -> None:
    heard, told = found(mixture(base, others)), 0
    for rule, questions in OF_RULE.items():
        conventions = DIALECTS[others.get(rule, base)].conventions
        for question in questions:
            if question in heard and getattr(conventions, question) is not None:
                assert heard[question].value == getattr(conventions, question), question
                told += 1
    assert told >= 6     # of eight: some libraries lack Gamma or ZBox


# ---- Rows ----


def made(**others: Any) -> Case:
    """A case of epsilon whose numbers are made up: 8 canonically, 4 without bias, -8 without a sign."""
    case = next(case for case in cases() if case.x.shape == (1, 2) and case.rule == "Epsilon")
    rows = {"bias_epsilon": ("left out", 4.0), "epsilon_sign": ("none", -8.0)}
    either = [replace(case.either[0], convention=question, value=value, relevance=np.full((1, 2), number))
              for question, (value, number) in rows.items()]
    return replace(case, relevance=np.full((1, 2), 8.0), either=either, id="made", **others)


def told(*numbers: float, copies: int = 1) -> dict[str, Any]:
    """The findings where the n-th copy of the made-up case is answered by the n-th number."""
    suite = [replace(made(), id=f"made{n}") for n in range(len(numbers))]
    answered = {case.id: np.full((1, 2), number) for case, number in zip(suite, numbers)}
    return {finding.question: finding.value for finding in detect(answered, suite)}


def test_the_nearest_row_is_the_answer_to_its_question_and_says_nothing_about_another() -> None:
    assert told(4.0) == {"bias_epsilon": "left out", "epsilon_sign": None}
    assert told(8.0) == {"bias_epsilon": "kept", "epsilon_sign": "z"}


@pytest.mark.parametrize(("question", "value"), [
    ("sign_of_zero", "nan"), ("sign_of_zero", "dead"), ("gamma", "positive products"), ("split", "weights alone"),
    ("gamma", "general")])
def test_an_answer_that_has_no_rows_is_worked_out(question: str, value: Any) -> None:
    """Also where rows would have told another: of gamma, `positive products` has no row near and none far enough."""
    here = [case for case in cases() if case.layers == ("Linear",) and case.level == "convention"]
    got = {}
    for case in here:
        network, rules, x, R = case.task()
        with np.errstate(all="ignore"):
            got[case.id] = through_network(network, spoken_in({question: value}, rules, network), x, R)["input"]
    (finding,) = [one for one in detect(got, here) if one.question == question]
    assert finding.value == value


def test_a_library_without_such_a_rule_is_no_answer() -> None:
    """An epsilon that is scaled needs a fully connected layer: of convolutions alone it is not told."""
    here = [case for case in cases() if case.layers == ("Conv2D",) and case.rule == "Epsilon"]
    told = {one.question: one.value for one in detect(answers(Ours(), tuple(here)), here)}
    assert told["epsilon_sign"] == "z" and set(told) <= set(QUESTIONS)


def test_cases_that_contradict_each_other_answer_nothing() -> None:
    assert told(4.0, 8.0)["bias_epsilon"] is None and told(4.0, 4.0)["bias_epsilon"] == "left out"


def test_what_is_near_to_nothing_is_no_answer_and_outvotes_a_minority() -> None:
    assert told(5.0) == {"bias_epsilon": None, "epsilon_sign": None}
    assert told(4.0, 5.0)["bias_epsilon"] == "left out" and told(4.0, 5.0, 6.0)["bias_epsilon"] is None


def test_a_stabiliser_on_top_of_a_row_does_not_hide_it_and_a_tenth_is_no_stabiliser() -> None:
    assert told(4.0 * (1 - 2e-5))["bias_epsilon"] == "left out" and told(4.1)["bias_epsilon"] is None


def test_answers_of_another_shape_or_that_are_no_numbers_are_near_to_nothing() -> None:
    [case] = [made()]
    for answer in (np.full((2, 1), 8.0), np.array([[8.0, np.nan]]), np.array([[8.0, np.inf]])):
        assert {finding.value for finding in detect({"made": answer}, [case])} == {None}


def test_rows_of_a_case_are_far_apart() -> None:
    """So that two are never within NEARER of what rounding or a stabiliser may move an answer by.

    Some are one answer but for a library's own 1e-9 (captum's): those count as the same.
    """
    for case in cases():
        rows: list[tuple[Any, Array]] = [("", case.relevance), *((row.value, row.relevance) for row in case.either
                                         if row.convention != "stabiliser")]   # type: ignore[list-item]
        for n, (value, row) in enumerate(rows):
            for other, same in rows[:n]:
                off = apart(row, same)
                assert value == other or off < 1e-8 or off > NEARER * 1e-5, (case.id, value, other, off)


# ---- Measured ----


@dataclass(frozen=True)
class OfItsOwn(InDialect):
    """Canonical rules with a stabiliser that no library has."""

    size: float = 0

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        own = {name: Stabilised(rule, self.size) if isinstance(rule, (ZPlus, AlphaBeta)) else rule
               for name, rule in rules.items()}
        return Ours().relevance(network, own, x, R)


@pytest.mark.parametrize("u", [2.0**-53, 2.0**-24], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [3e-5, 1.234e-10, 7e-17])
def test_a_stabiliser_that_no_library_has_is_measured(size: float, u: float) -> None:
    finding = found(OfItsOwn(DIALECTS["zennit"], "own", "1", u, size=size))["stabiliser"]
    assert finding.value == size and finding.known == []


@pytest.mark.parametrize("u", [2.0**-53, 2.0**-24], ids=["float64", "float32"])
@pytest.mark.parametrize("size", [2.0**-20, 2.0**-23, 2.0**-52, 1.2345678901e-7, math.pi * 1e-9])
def test_a_stabiliser_that_is_no_short_decimal_is_measured_too(size: float, u: float) -> None:
    finding = found(OfItsOwn(DIALECTS["zennit"], "own", "1", u, size=size))["stabiliser"]
    assert finding.value == pytest.approx(size, rel=640 * u, abs=0)   # 64 roundings of R, moved by a tenth of that
    assert contradicted([finding], {"stabiliser": size}) == []
    assert len(contradicted([finding], {"stabiliser": 1.001 * size})) == 1


def test_a_stabiliser_that_differs_from_case_to_case_is_none_known() -> None:
    answered = answers(speaker("zennit"), cases())
    asking = [case for case in cases() if case.rule == "ZPlus" and case.layers == ("Linear",)
              and any(row.convention == "stabiliser" for row in case.either)]
    other = answers(speaker("captum"), asking[:1])
    assert len(asking) > 1
    [value] = [f.value for f in detect({**answered, **other}, cases()) if f.question == "stabiliser"]
    assert value is None


def test_the_least_stabiliser_that_is_told_from_none() -> None:
    case = next(case for case in cases() if case.rule == "ZPlus" and case.either[0].convention == "stabiliser")
    for u, least in ((2.0**-53, 1e-27), (2.0**-24, 1e-18)):
        kind = np.float64 if u == 2.0**-53 else np.float32
        given = [stabilised(case, e).astype(kind).astype(np.float64) for e in (least, least / 1e4)]
        assert [epsilon_of([(case, answer)], u) for answer in given] == [least, 0]


def test_no_epsilon_fits_an_answer_that_is_wrong_otherwise() -> None:
    case = next(case for case in cases() if case.rule == "ZPlus" and case.either[0].convention == "stabiliser")
    assert epsilon_of([(case, -case.relevance)], 2.0**-53) is None   # type: ignore[operator]
    assert epsilon_of([(case, case.relevance)], 2.0**-53) == 0       # type: ignore[list-item]


def test_numbers_of_float32_are_known_by_their_digits() -> None:
    thirds = np.array([1 / 3, 2 / 3])
    assert format_of([thirds]) == 2.0**-53 and format_of([thirds.astype(np.float32).astype(np.float64)]) == 2.0**-24


# ---- The difference that cancels, as lrp_toolbox computes it ----


@dataclass(frozen=True)
class FastPath(InDialect):
    """lrp_toolbox's own sums, in its own order of roundings: z- = z - (z+ + 1e-16) - 1e-16."""

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        name, layer = network.layers[0]
        if len(network) > 1 or not isinstance(rules[name], AlphaBeta) or x.ndim != 2 or not hasattr(layer, "bias"):
            return super().relevance(network, rules, x, R)
        products = x[:, :, None] * layer.weight
        bias = 0 if layer.bias is None else layer.bias
        up = np.maximum(products, 0)
        plus = up.sum(axis=1) + np.maximum(bias, 0) + 1e-16
        minus = products.sum(axis=1) + bias - plus - 1e-16
        alpha = rules[name].alpha
        return (alpha * up * (R / plus)[:, None] + (1 - alpha) * np.minimum(products, 0) * (R / minus)[:, None]).sum(2)


def test_a_negative_sum_that_cancels_is_told() -> None:
    finding = found(FastPath(DIALECTS["toolbox"], "toolbox", "1"))["small_negative"]
    assert finding.value == "difference" and finding.known == ["toolbox"]
    assert DIALECTS["toolbox"].row["small_negative"] == "difference"
    assert kind(DIALECTS["toolbox"].rule(ZPlus())) == ZPlus()


# ---- In words ----


def test_every_question_has_a_title_and_every_answer_of_a_dialect_a_phrase() -> None:
    titles = [question.title for question in TABLE.values()]
    assert len(set(titles)) == len(titles) >= 23
    for dialect in DIALECTS.values():
        for question in QUESTIONS:
            value = getattr(dialect.conventions, question)
            numeric = isinstance(value, (int, float)) and TABLE[question].number
            assert value is None or numeric or value in TABLE[question].answers, (question, value)
    for case in cases():
        for row in case.either:
            assert isinstance(row.value, (int, float)) or row.value in TABLE[row.convention].answers, row


def test_numbers_are_written_short() -> None:
    assert [phrase("stabiliser", value) for value in (0.0, 1e-6, 1.234e-10, None)] == [
        "none", "1e-6", "1.234e-10", "none known"]


def test_one_line_says_it_all() -> None:
    line = sentences(list(heard("zennit").values()))
    assert line.startswith("eps: signed, sign(0) = +1, 1e-6; ")
    assert "; Epsilon(0) where z = 0: not a number; " in line
    assert "; bias in w-square: squared into the denominator; " in line
    assert sentences(list(heard("torchlrp").values())).startswith("eps: signed, sign(0) = -1, no stabiliser in other")
    assert sentences(list(heard("lxt").values())).startswith("eps: without a sign; ")
    assert sentences([]) == ""


def test_what_is_declared_and_denied_by_the_numbers_is_a_lie() -> None:
    findings = list(heard("torchlrp").values())
    assert contradicted(findings, {"sign_of_zero": 1, "epsilon_sign": "z", "start": "one"}) == [
        "declares sign(0) = +1, but its numbers say sign(0) = -1"]
    assert contradicted(findings, {"bias_alpha_beta": "split"}) == [
        "declares bias in alpha-beta: split by sign, but its numbers say left out"]


