"""What is known of a wrong answer: who answers so, in a sentence, and where it is spoken of."""

import numpy as np
import pytest
from dialect_adapters import answers, speaker

from lrp_ref.conformance.diagnose.known import Known, issues, known
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Note, load

SUITE = load()


def asked(rule: str, flag: str = "", question: str = "", layer: str = "Linear") -> Case:
    """The first case of one layer, with that flag, that asks that question."""
    return next(case for case in SUITE.cases if case.rule == rule and case.layers == (layer,)
                and (not flag or flag in case.flags)
                and (not question or any(row.convention == question for row in case.either)))


def told(case: Case, name: str, convention: Convention | None = None) -> Known:
    return known(case, answers(speaker(name), [case])[case.id], SUITE.notes, convention=convention)


def test_a_convention_is_said_with_the_libraries_that_follow_it() -> None:
    case = asked("Epsilon", question="sign_of_zero")
    found = told(case, "torchlrp", Convention("sign_of_zero", -1))
    assert (str(found), found.names) == ("looks like sign(0) = -1 (TorchLRP)", ["torchlrp"])


def test_captums_negative_bias_leads_to_its_issue() -> None:
    found = told(asked("ZPlus", "NEGATIVE_BIAS"), "captum")
    assert "captum" in found.names and "captum" in found.cause
    assert "https://github.com/meta-pytorch/captum/issues/1234" in found.issues


def test_innvestigates_whole_bias_leads_to_its_issue_and_not_to_others() -> None:
    case, whole = asked("AlphaBeta", "NEGATIVE_BIAS", "bias_alpha_beta"), Convention("bias_alpha_beta", "whole")
    found = told(case, "innvestigate", whole)
    assert "https://github.com/albermax/innvestigate/issues/273" in found.issues
    assert found.names == ["captum", "innvestigate"] and not any("zennit" in link for link in found.issues)


def test_issues_are_of_the_cause_and_not_of_what_else_the_case_holds() -> None:
    """iNNvestigate 91 speaks of batches; the bias of these two samples is none of its."""
    batch = next(case for case in SUITE.cases if case.id.startswith("alphabeta-conv2d-distinct"))
    assert "BATCH" in batch.flags
    assert any(link.endswith("innvestigate/issues/91") for link in SUITE.notes["BATCH"].issues)
    for found in (told(batch, "innvestigate"), told(batch, "innvestigate", Convention("bias_alpha_beta", "whole"))):
        assert found.issues[0] == "https://github.com/albermax/innvestigate/issues/273"
        assert not any(link.endswith("/91") for link in found.issues)


def test_a_dialect_that_answers_so_is_named_with_its_departure() -> None:
    found = told(asked("WSquare", question="bias_w_square"), "zennit")
    assert found.names == ["zennit"]
    assert ("bias_w_square", "squared") in found.departures and found.likeness is not None
    assert str(found).startswith("looks like ") and found.cause.endswith(" (zennit)")
    assert "bias in w-square: squared into the denominator" in found.cause
    assert found.likeness.row["bias_w_square"] == "squared" and "D4" in found.likeness.disagreements


def test_what_no_library_does_is_described_by_what_it_looks_like() -> None:
    case = asked("ZPlus", "NEGATIVE_BIAS")
    assert case.relevance is not None
    found = known(case, 0 * case.relevance, SUITE.notes)
    assert str(found) == "it looks as if nothing were handed down: all relevance is 0"
    assert found.likeness is not None and not found.likeness.row
    strange = known(case, case.relevance + np.pi, SUITE.notes)
    assert str(strange) == strange.cause == "" and strange.names == []
    assert len(strange.issues) > 1   # all that its flags lead to


def test_another_answer_to_the_same_question_says_more_than_any_rule() -> None:
    case = asked("ZPlus")
    assert case.relevance is not None
    wrong = 2 * case.relevance
    kept = known(case, wrong, SUITE.notes, again=lambda: 3 * wrong)
    assert str(kept) == "looks like something kept between calls: the same question had another answer"
    nothing = np.full_like(wrong, np.nan)
    assert "kept" not in str(known(case, nothing, SUITE.notes, again=lambda: nothing))


def test_rounding_is_no_dialect() -> None:
    case = asked("ZPlus")
    assert case.relevance is not None
    assert known(case, case.relevance * (1 + 2.0**-50), SUITE.notes).names == []


@pytest.mark.parametrize("shape", [(7,), (1, 2, 3)])
def test_an_answer_of_another_shape_is_nobodys(shape: tuple[int, ...]) -> None:
    case = asked("ZPlus")
    assert known(case, np.ones(shape), SUITE.notes).names == []


def test_every_dialect_has_a_home() -> None:
    assert all(dialect.home.count("/") == 1 for dialect in DIALECTS.values())


def test_a_difference_of_rounding_is_nothing_kept_and_hides_no_cause() -> None:
    """Sums on a graphics card come in any order: the last bits of the largest number move, and the smaller with it."""
    case = asked("Epsilon", question="sign_of_zero")
    wrong = answers(speaker("torchlrp"), [case])[case.id].astype(np.float64)
    for u in (2.0**-53, 2.0**-24):
        moved = wrong + 8 * u * abs(wrong).max()
        minus = Convention("sign_of_zero", -1)
        found = known(case, wrong, SUITE.notes, u, minus, again=lambda moved=moved: moved)   # type: ignore[misc]
        assert str(found) == "looks like sign(0) = -1 (TorchLRP)"


@pytest.mark.parametrize("other", [np.array([[1.0, np.nan]]), np.array([[1.0, np.inf]]), np.ones((2, 2)),
                                   np.array([[1.0, 2.001]])], ids=["nan", "infinity", "shape", "number"])
def test_what_is_more_than_rounding_is_something_kept(other: np.ndarray) -> None:
    for one, two in ((np.array([[1.0, 2.0]]), other), (other, np.array([[1.0, 2.0]]))):
        assert "kept" in str(known(asked("ZPlus"), one, SUITE.notes, 2.0**-24, again=lambda two=two: two))   # type: ignore[misc]


def test_who_cannot_be_asked_again_has_kept_something() -> None:
    case = asked("ZPlus")
    assert case.relevance is not None

    def hooked() -> np.ndarray:
        raise RuntimeError("hook is\nregistered already")

    found = known(case, 2 * case.relevance, SUITE.notes, again=hooked)
    assert str(found) == ("looks like something kept between calls: the same question asked again raised "
                              "RuntimeError: hook is registered already")


def test_issues_are_those_of_the_libraries_that_answer_so_or_all_where_none_does() -> None:
    own, other = "https://github.com/chr5tphr/zennit/issues/77", "https://github.com/meta-pytorch/captum/issues/546"
    notes = {"D3": Note("t", "k", "e", [own, other]), "TIES": Note("t", "k", "e", [other])}
    assert issues(["D3", "TIES"], notes, ["zennit"]) == [own]
    assert issues(["TIES", "D3", "D4"], notes, []) == [other, own]
