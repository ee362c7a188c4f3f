"""What is known of a wrong answer: who answers so, in a sentence, and where it is spoken of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from dialect_adapters import speaker
from recorded import suite as vectors

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.diagnosis import NOTHING
from lrp_ref.conformance.diagnose.failures import UNEXPLAINED, Failure, failure
from lrp_ref.conformance.diagnose.known import issues, known, otherwise
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.run import Run, run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Note

SUITE = vectors()
WHOLE = Convention("bias_alpha_beta", "whole")


def asked(rule: str, flag: str = "", question: str = "", layer: str = "Linear") -> Case:
    """The first case of one layer, with that flag, that asks that question."""
    return next(case for case in SUITE.cases if case.rule == rule and case.layers == (layer,)
                and (not flag or flag in case.flags)
                and (not question or any(row.convention == question for row in case.either)))


class Answering:
    """Answers the smoke test rightly, and a case by the next of some functions of the right relevance."""

    name, version, unit_roundoff, conventions = "answering", "1", 2.0**-53, {}

    def __init__(self, case: Case, *answers: Callable[[Array], Array]) -> None:
        self.case, self.answers = case, iter(answers)

    def relevance(self, network: Any, rules: Any, x: Array, R: Array) -> Array:
        if dict(rules) != dict(self.case.rules) or not np.array_equal(x, self.case.task()[2]):
            return speaker("zennit").relevance(network, rules, x, R)
        return next(self.answers)(np.asarray(self.case.relevance))


def told(case: Case, adapter: Any, command: str = "") -> Failure:
    """The case's failure, as every report has it."""
    found = run(adapter, replace(SUITE, cases=[case], count=1), command=command)
    [one] = found.failed
    return failure(one, found, NOTHING)


def by_dialect(case: Case, name: str, command: str = "") -> Failure:
    return told(case, speaker(name), command)


def of_library(name: str) -> Run:
    """The run of an adapter to that library."""
    return Run(speaker(name), SUITE, [], 0.0, name)


def test_a_convention_is_said_with_the_libraries_that_follow_it() -> None:
    found = by_dialect(asked("Epsilon", question="sign_of_zero"), "torchlrp").known
    assert (str(found), found.names) == ("looks like sign(0) = -1 (TorchLRP)", ["torchlrp"])


def test_captums_negative_bias_leads_to_its_issue() -> None:
    found = by_dialect(asked("ZPlus", "NEGATIVE_BIAS", "bias_alpha_beta"), "captum", "captum").known
    assert "captum" in found.names and "captum" in found.cause
    assert "https://github.com/meta-pytorch/captum/issues/1234" in found.issues


def test_innvestigates_whole_bias_leads_to_its_issue_and_not_to_others() -> None:
    case = asked("AlphaBeta", "NEGATIVE_BIAS", "bias_alpha_beta")
    found = by_dialect(case, "innvestigate", "recorded:innvestigate.json").known
    assert "https://github.com/albermax/innvestigate/issues/273" in found.issues
    assert found.names == ["captum", "innvestigate"] and not any("zennit" in link for link in found.issues)
    assert not any("captum" in link for link in found.issues)


def test_of_an_adapter_to_no_library_no_issues_are_told() -> None:
    found = by_dialect(asked("AlphaBeta", "NEGATIVE_BIAS", "bias_alpha_beta"), "innvestigate").known
    assert found.convention == WHOLE and not found.issues


def test_issues_are_of_the_cause_and_not_of_what_else_the_case_holds() -> None:
    """iNNvestigate 91 speaks of batches; the bias of these two samples is none of its."""
    batch = next(case for case in SUITE.cases if case.id.startswith("alphabeta-conv2d-distinct"))
    assert "BATCH" in batch.flags
    assert any(link.endswith("innvestigate/issues/91") for link in SUITE.notes["BATCH"].issues)
    found = known(WHOLE, of_library("innvestigate"))
    assert found.issues[0] == "https://github.com/albermax/innvestigate/issues/273"
    assert not any(link.endswith("/91") for link in found.issues)


def test_a_convention_that_a_dialect_follows_is_named_with_it() -> None:
    found = by_dialect(asked("WSquare", question="bias_w_square"), "zennit").known
    assert "zennit" in found.names and found.convention == ("bias_w_square", "squared")
    assert str(found).startswith("looks like ") and found.cause.endswith(")")
    assert "bias in w-square: squared into the denominator (zennit" in found.cause


@pytest.mark.parametrize("wrong", [lambda right: 0 * right, lambda right: right + np.pi], ids=["zero", "strange"])
def test_of_what_no_library_does_nothing_is_known(wrong: Callable[[Array], Array]) -> None:
    case = asked("ZPlus", "NEGATIVE_BIAS")
    found = told(case, Answering(case, wrong, wrong))
    assert (str(found.known), found.known.cause, *found.known.names, *found.known.issues) == ("", "")
    assert (found.cause.text, found.cause.explained) == (UNEXPLAINED, False)


def test_another_answer_to_the_same_question_says_more_than_any_rule() -> None:
    case = asked("Epsilon", question="sign_of_zero")
    row = next(row.relevance for row in case.either if row.convention == "sign_of_zero")
    for second, said in ((3 * row, "something kept between calls: the same question had another answer"),
                         (row, "sign(0) = -1 (TorchLRP)")):
        found = told(case, Answering(case, lambda right: row, lambda right, second=second: second))   # type: ignore[misc]
        assert found.outcome.convention == ("sign_of_zero", -1)
        assert str(found.known) == f"looks like {said}"
    nothing = np.full(3, np.nan)
    assert otherwise(lambda: nothing, nothing, 2.0**-53) == ""


def test_rounding_is_no_dialect() -> None:
    case = asked("Flat")   # whose numbers may not be off by 2^-40 of themselves

    def rounded(right: Array) -> Array:
        return right * (1 + 2.0**-40)

    found = told(case, Answering(case, rounded, rounded)).known
    assert (found.convention, *found.names) == (None,)


@pytest.mark.parametrize("shape", [(7,), (1, 2, 3)])
def test_an_answer_of_another_shape_is_nobodys(shape: tuple[int, ...]) -> None:
    case = asked("ZPlus")
    found = told(case, Answering(case, lambda right: np.ones(shape), lambda right: np.ones(shape)))
    assert not found.known.names and found.cause.text == found.outcome.reason
    assert found.outcome.reason.startswith(f"returned relevance of shape {shape}")


def test_every_dialect_has_a_home() -> None:
    assert all(dialect.home.count("/") == 1 for dialect in DIALECTS.values())


def test_a_difference_of_rounding_is_nothing_kept_and_hides_no_cause() -> None:
    """Sums on a graphics card come in any order: the last bits of the largest number move, and the smaller with it."""
    wrong = np.array([[3.0, -1e-9, 0.0], [-2.0, 0.1, 5.0]])
    for u in (2.0**-53, 2.0**-24):
        moved = wrong + 8 * u * abs(wrong).max()
        kept = otherwise(lambda moved=moved: moved, wrong, u)   # type: ignore[misc]
        assert str(known(Convention("sign_of_zero", -1), of_library("torchlrp"), kept)) == (
            "looks like sign(0) = -1 (TorchLRP)")


@pytest.mark.parametrize("other", [np.array([[1.0, np.nan]]), np.array([[1.0, np.inf]]), np.ones((2, 2)),
                                   np.array([[1.0, 2.001]])], ids=["nan", "infinity", "shape", "number"])
def test_what_is_more_than_rounding_is_something_kept(other: np.ndarray) -> None:
    for one, two in ((np.array([[1.0, 2.0]]), other), (other, np.array([[1.0, 2.0]]))):
        kept = otherwise(lambda two=two: two, one, 2.0**-24)   # type: ignore[misc]
        assert str(known(WHOLE, of_library("captum"), kept)) == (
            "looks like something kept between calls: the same question had another answer")


def test_who_cannot_be_asked_again_has_kept_something() -> None:
    case = asked("ZPlus")

    def hooked(right: Array) -> Array:
        raise RuntimeError("hook is\nregistered already")

    found = told(case, Answering(case, lambda right: 2 * right, hooked))
    assert str(found.known) == ("looks like something kept between calls: the same question asked again raised "
                                "RuntimeError: hook is registered already")
    assert found.cause.text == found.known.cause


def test_issues_are_those_of_the_libraries_that_answer_so() -> None:
    own, other = "https://github.com/chr5tphr/zennit/issues/77", "https://github.com/meta-pytorch/captum/issues/546"
    notes = {"D3": Note("t", "k", "e", [own, other]), "TIES": Note("t", "k", "e", [other])}
    assert issues(["D3", "TIES"], notes, ["zennit"]) == [own]
    assert issues(["TIES", "D3", "D4"], notes, ["captum", "zennit"]) == [other, own]
    assert issues(["TIES", "D3", "D4"], notes, []) == []
