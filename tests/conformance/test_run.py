"""A run counts every case that the manifest promises, and expectations hold it to what is written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_suite
from recorded import ANSWERS
from recorded import suite as vectors
from small_suite import Partial, Right, Single, Zero

from lrp_ref.conformance.adapters.ours import ours
from lrp_ref.conformance.judge import expectations
from lrp_ref.conformance.judge.outcome import STATUSES, Outcome
from lrp_ref.conformance.judge.run import Answers, Place, Row, Run, run, selected
from lrp_ref.conformance.judge.smoke import Broken
from lrp_ref.conformance.vectors.suite import Suite

SUITE = small_suite.suite()
ID = {case.id.rpartition("-")[0]: case.id for case in SUITE.cases}


@pytest.fixture(scope="module")
def partial() -> Run:
    return run(Partial(), SUITE)


def test_every_case_ends_in_one_way(partial: Run) -> None:
    assert partial.counts() == {"passed": 11, "loose": 0, "undetermined": 0, "unsupported": 1, "failed": 1}
    single = run(Single(), SUITE)
    assert single.counts() == {"passed": 11, "loose": 0, "undetermined": 1, "unsupported": 1, "failed": 0}
    assert [one.case.id for one in single.outcomes] == [case.id for case in SUITE.cases]


def test_the_matrix_has_every_case_once(partial: Run) -> None:
    rows = {row.place: row for row in partial.matrix()}
    assert sum(row.count for row in rows.values()) == SUITE.count == 13
    place = Place("AlphaBeta", "Linear")
    counts = {"passed": 1, "loose": 0, "undetermined": 0, "unsupported": 1, "failed": 0}
    assert rows[place] == Row(place, counts) and rows[place].count == 2
    assert rows["network", "network"].counts["passed"] == 2 and rows["Flat", "Conv2D"].counts["failed"] == 1


def test_a_run_of_fewer_cases_than_the_manifest_promises_says_nothing() -> None:
    with pytest.raises(ValueError, match="13 cases ran, and the manifest promises 14: nothing is said about right"):
        run(Right(), replace(SUITE, count=14))


def test_a_broken_adapter_is_asked_no_case() -> None:
    heard: list[str] = []
    with pytest.raises(Broken, match="broken adapter: zero: all relevance is 0"):
        run(Zero(), SUITE, heard.append)
    assert heard == ["zero: smoke test"]


def test_progress_is_told_case_by_case() -> None:
    heard: list[str] = []
    run(Right(), SUITE, heard.append)
    assert len(heard) == 14 and heard[1] == f"right: 1 of 13: {ID['plain']}"


def test_right_answers_are_worked_out_once_for_adapters_of_one_kind() -> None:
    answers = Answers()
    case = SUITE[ID["plain"]]
    first = answers.of(Right())(case)
    assert answers.of(Partial())(case) is first and answers.of(Single())(case) is not first


# ---- Which cases ----


def ids(suite: Suite) -> list[str]:
    return [case.id.rpartition("-")[0] for case in suite.cases]


@pytest.mark.parametrize(("asked", "found"), [
    ({"ids": [ID["even"], ID["dead"]]}, ["even", "dead"]), ({"rules": ["AlphaBeta"]}, ["split", "refused"]),
    ({"layers": ["network"]}, ["whole", "rounded"]), ({"levels": ["negative"]}, ["refused"]),
    ({"rules": ["Epsilon"], "levels": ["required"]}, ["plain"]),
    ({"rules": ["AlphaBeta", "Epsilon"], "levels": ["required", "negative"]}, ["plain", "split", "refused"]),
])
def test_cases_are_chosen_by_id_rule_layer_and_level(asked: dict[str, Any], found: list[str]) -> None:
    some = selected(SUITE, **asked)
    assert ids(some) == found and some.count == len(found)


def test_without_a_choice_the_suite_is_the_whole_one() -> None:
    assert selected(SUITE) is SUITE


@pytest.mark.parametrize(("asked", "message"), [
    ({"ids": ["plain"]}, f"got --case plain, which no case of the vectors has: did you mean '{ID['plain']}'?"),
    ({"rules": ["Flat", "Gama"]}, "got --rule Gama, which no case of the vectors has: they are "),
    ({"ids": ["nosuch"]}, "got --case nosuch, which no case of the vectors has"),
    ({"layers": ["Conv2d"]}, "got --layer Conv2d, which no case of the vectors has: did you mean 'Conv2D'? they are "),
    ({"levels": ["hard"]}, "got --level hard, which no case of the vectors has: "),
    ({"rules": ["Flat"], "layers": ["Linear", "MaxPool"]},
     "no case has the rule Flat, the layer Linear or MaxPool and the level (any) together"),
])
def test_a_name_that_no_case_has_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        selected(SUITE, **asked)
    assert str(error.value).startswith(message) and ("did you mean" in message or "?" not in str(error.value))


# ---- Expectations ----


def written(folder: Path, *lines: str) -> dict[str, expectations.Line]:
    (folder / "right.txt").write_text("\n".join(lines), encoding="utf-8")
    return expectations.read(folder / "right.txt")


def differences(one: Run, expected: dict[str, expectations.Line]) -> list[str]:
    return expectations.differences(one.outcomes, expected, SUITE)


def test_what_is_expected_is_no_surprise(partial: Run, tmp_path: Path) -> None:
    expected = written(tmp_path, "# of partial", "", f"{ID['split']} unsupported https://example.org/partial/3",
                       f"{ID['even']}  failed")
    assert differences(partial, expected) == []
    assert written(tmp_path, expectations.lines_of(partial.outcomes)).keys() == expected.keys()


def test_a_case_without_a_line_must_pass(partial: Run) -> None:
    assert differences(partial, {}) == [
        f"{ID['split']}: unsupported, expected to pass: there is no alpha-beta",
        f"{ID['even']}: failed, expected to pass: raised KeyError: 'flat\\nrule'"]


def test_a_line_whose_case_passes_now_is_stale(partial: Run, tmp_path: Path) -> None:
    expected = written(tmp_path, f"{ID['split']} unsupported", f"{ID['even']} failed", f"{ID['plain']} failed")
    assert differences(partial, expected) == [f"{ID['plain']}: passed, expected failed: line 3 is stale, delete it"]


def test_a_line_of_another_status_is_no_expectation(partial: Run, tmp_path: Path) -> None:
    expected = written(tmp_path, f"{ID['split']} failed", f"{ID['even']} failed")
    assert differences(partial, expected) == [
        f"{ID['split']}: unsupported, expected failed (line 1): there is no alpha-beta"]


@pytest.mark.parametrize(("radius", "surprises"), [(np.inf, 0), (1e300, 1)])
def test_where_no_bound_is_finite_a_pass_and_none_are_as_expected(partial: Run, tmp_path: Path, radius: float,
                                                                  surprises: int) -> None:
    plain = next(one for one in partial.outcomes if one.case.id == ID["plain"])
    assert plain.compared is not None
    compared = replace(plain.compared, radius=np.full_like(plain.compared.radius, radius))
    line = written(tmp_path, f"{ID['plain']} undetermined")
    for status, expected in (("undetermined", {}), ("passed", line)):
        one = replace(plain, status=status, compared=compared)
        assert len(expectations.differences([one], expected, SUITE)) == surprises
    assert len(expectations.differences([replace(one, status="failed")], {}, SUITE)) == 1


def test_a_line_without_a_case_is_stale(partial: Run, tmp_path: Path) -> None:
    expected = written(tmp_path, f"{ID['split']} unsupported", f"{ID['even']} failed", f"{ID['dead'][:-1]} failed")
    assert differences(partial, expected) == [
        f"{ID['dead'][:-1]}: no case has this id (line 3): did you mean '{ID['dead']}'? delete the line"]


def test_a_line_of_no_such_name_gets_no_suggestion(partial: Run, tmp_path: Path) -> None:
    expected = written(tmp_path, f"{ID['split']} unsupported", f"{ID['even']} failed", "nosuchdea failed")
    assert differences(partial, expected) == ["nosuchdea: no case has this id (line 3): delete the line"]


def test_a_file_that_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe9\xff")
    for name, why in (("none.txt", "there is no such file"), ("", "it is a folder"), ("latin", "it is no UTF-8 text")):
        with pytest.raises(ValueError) as error:
            expectations.read(tmp_path / name)
        assert str(error.value) == (f"got the expectations file {tmp_path / name}, but {why}: needed a text file, one "
                                    "with no lines if every case is expected to pass")


def test_lines_of_cases_that_are_not_asked_for_are_left_alone(tmp_path: Path) -> None:
    expected = written(tmp_path, f"{ID['split']} unsupported", f"{ID['even']} failed")
    assert differences(run(Partial(), selected(SUITE, rules=["Flat"])), expected) == []


@pytest.mark.parametrize(("lines", "message"), [
    (["plain-1 failed", "plain-1 unsupported"], "right.txt, line 2: plain-1 is in line 1 already"),
    (["plain-1 passed"], "right.txt, line 1: got 'plain-1 passed', needed a case's id, one of undetermined, "
                         "unsupported, failed, and the url of an issue (which may be left out)"),
    (["plain-1"], "right.txt, line 1: got 'plain-1', needed"), (["a failed b c"], "line 1: got 'a failed b c', needed"),
])
def test_a_line_that_is_none_is_refused(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        written(tmp_path, *lines)
    assert message in str(error.value)


URLS = {   # what an adapter gives: what is read again
    "": "", "https://example.org/3": "https://example.org/3", "https://example.org/a b": "https://example.org/a%20b",
    " https://example.org/3\n": "https://example.org/3", "see the wiki, page 3": "see%20the%20wiki,%20page%203",
    "\t": "", "https://example.org/\u2028x\x85y": "https://example.org/%20x%20y", "#3": "#3",
    "https://example.org/\ud800": "https://example.org/\\ud800"}


def test_what_is_written_is_read_as_the_same_whatever_the_outcomes(tmp_path: Path) -> None:
    pairs = [(status, url) for status in STATUSES for url in URLS]
    cases = [replace(SUITE.cases[0], id=f"plain-{n}") for n in range(len(pairs))]
    outcomes = [Outcome(case, status, "two\nlines", url) for case, (status, url) in zip(cases, pairs)]
    path = tmp_path / "expected.txt"
    expectations.write(path, "mine 1.0\nof \u2028 today\r\ud800", outcomes)
    read = expectations.read(path)
    assert {id: (line.status, line.url) for id, line in read.items()} == {
        case.id: (status, URLS[url]) for case, (status, url) in zip(cases, pairs) if status not in ("passed", "loose")}
    assert expectations.differences(outcomes, read, replace(SUITE, cases=cases)) == []


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "right.txt").write_bytes(b"\xef\xbb\xbfplain-1 failed\r\n")
    assert expectations.read(tmp_path / "right.txt") == {"plain-1": expectations.Line("failed", "", 1)}


# ---- The vectors ----


@pytest.mark.xdist_group("answers")
@pytest.mark.parametrize("number", ["float64", "float32"])
def test_this_package_fails_no_vector_and_leaves_no_required_one_open(number: str) -> None:
    adapter = ours(f"lrp_ref:{number}")
    assert adapter is not None
    one = run(adapter, vectors(), answers=ANSWERS)
    assert [(bad.case.id, bad.reason) for bad in one.failed] == []
    assert [open_.case.id for open_ in one.outcomes
            if open_.status == "undetermined" and open_.case.level != "stress"
            and (number == "float64" or "f32" in open_.case.exact_in)] == []
