"""Expectations, the page, several implementations beside each other, a program in another language."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_suite import ISSUE, Partial, Right
from test_conform import CONV, ID, NORM, SUITE, became, conform, small  # noqa: F401
from tree import tree

from lrp_ref.command import conform as command
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.report import text as report_text
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.layers import ReLU

# ---- Expectations and the page ----


@pytest.fixture
def expected(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "partial.txt").write_text(f"{ID['split']} unsupported\n{ID['even']} failed\n", encoding="utf-8")
    yield tmp_path


def test_an_outcome_as_expected_ends_with_0(capsys: pytest.CaptureFixture[str], expected: Path) -> None:
    code, out, _ = conform(capsys, "small_suite:Partial", "--expect", str(expected / "partial.txt"))
    assert code == 0 and out.endswith("\n\nall as expected\n")


def test_a_stale_line_ends_with_1(capsys: pytest.CaptureFixture[str], expected: Path) -> None:
    code, out, _ = conform(capsys, "small_suite:Right", "--expect", str(expected / "partial.txt"))
    assert code == 1 and out.endswith(f"\n\n2 not as expected\n{ID['split']}: passed, expected unsupported: line 1 is "
                                      f"stale, delete it\n{ID['even']}: passed, expected failed: line 2 is stale, "
                                      "delete it\n")
    code, out, _ = conform(capsys, "small_suite:Right", "--json", "--expect", str(expected / "partial.txt"))
    assert code == 1 and len(json.loads(out)["unexpected"]) == 2


def test_expectations_are_written_and_hold_from_then_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "expected.txt"
    code, out, _ = conform(capsys, "small_suite:Partial", "--write-expect", str(path))
    assert code == 1 and out.endswith(f"\n\n2 expectations written to {path}\n")
    assert path.read_text(encoding="utf-8") == (
        "# partial 1.2 on 13 cases of the vectors 1.0 (0123456789ab)\n"
        f"{ID['split']} unsupported https://example.org/partial/3\n{ID['even']} failed\n")
    assert conform(capsys, "small_suite:Partial", "--expect", str(path))[0] == 0


def test_a_version_of_several_lines_is_one_comment_of_the_expectations(
        capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Partial, "version", "1.2\nof today failed twice")
    path = tmp_path / "expected.txt"
    conform(capsys, "small_suite:Partial", "--write-expect", str(path))
    assert path.read_text(encoding="utf-8").splitlines()[0] == (
        "# partial 1.2 of today failed twice on 13 cases of the vectors 1.0 (0123456789ab)")
    assert conform(capsys, "small_suite:Partial", "--expect", str(path))[0] == 0


def test_expectations_overwrite_nothing_and_are_refused_before_the_work(
        capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun() -> None:
        raise AssertionError("the vectors were read")

    monkeypatch.setattr(command, "load", begun)
    path = tmp_path / "expected.txt"
    path.write_text("# by hand\n", encoding="utf-8")
    code, _, err = conform(capsys, "small_suite:Partial", "--write-expect", str(path))
    assert code == 2 and f"got --write-expect {path}, which is there already: give the name of a new file" in err
    assert path.read_text(encoding="utf-8") == "# by hand\n" and list(tmp_path.iterdir()) == [path]
    missing = str(tmp_path / "nowhere" / "expected.txt")
    assert conform(capsys, "small_suite:Partial", "--write-expect", missing)[0] == 2


def test_a_page_is_written_whatever_the_outcome(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    code, out, _ = conform(capsys, "small_suite:Partial", "--report", str(path))
    assert code == 1 and out.endswith(f"\n\nreport written to {path}\n")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and ID["even"] in page and "partial" in page


def test_commands_of_a_page_without_failures_name_the_adapter_as_it_was_named(
        capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    conform(capsys, "lrp_ref", "small_suite:Right", "--report", str(path), name="compare")
    assert tree(path.read_text(encoding="utf-8")).by_id("run").all("pre")[0].text == (
        "lrp-ref conform lrp_ref\nlrp-ref conform small_suite:Right\nlrp-ref compare lrp_ref small_suite:Right")
    _, out, _ = conform(capsys, "small_suite:Right", "--json")
    assert json.loads(out)["adapter"]["command"] == "small_suite:Right"


# ---- compare ----


def test_implementations_are_compared_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "small_suite:Right", "small_suite:Partial", "dialect:lxt", name="compare")
    assert code == 1
    assert out.startswith("right 1.2, float64; partial 1.2, float64; dialect:lxt 2.1, float64; on 13 cases of the ")
    assert re.search(r"^AlphaBeta  Linear +2 +1 1- +0 2- +2$", out, re.MULTILINE)
    assert re.search(r"^Flat       Conv2D +1 +0 1f +0 1- +1$", out, re.MULTILINE)
    assert re.search(r"^the sign of epsilon +that of z +that of z +\*epsilon has no sign$", out, re.MULTILINE)
    assert re.search(rf"^   1 case +partial failed, dialect:lxt unsupported\n +{ID['even']}$", out, re.MULTILINE)


def test_layers_that_fare_alike_with_all_implementations_share_a_row_of_the_comparison() -> None:
    def rows(*statuses: str) -> Report:
        places = ("Flat", CONV), ("Flat", NORM), ("Flat", ReLU()), ("ZBox", NORM)
        return became([(*place, status, 2) for place, status in zip(places, statuses)])

    bad, good = "unsupported", "passed"
    lines = report_text.side_by_side([rows(bad, good, bad, bad), rows(good, good, good, bad)])
    assert [line.split() for line in lines[1:-2]] == [
        ["Flat", "Conv2D,", "ReLU", "0", "4-", "4", "4"], ["LRN", "2", "2", "2"],
        ["ZBox", "LRN", "0", "2-", "0", "2-", "2"]]


def test_the_comparison_as_json_has_the_answers_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "small_suite:Right", "dialect:lxt", "--json", name="compare")
    facts = json.loads(out)
    assert code == 1 and [one["adapter"]["name"] for one in facts["implementations"]] == ["right", "dialect:lxt"]
    assert facts["vectors"]["count"] == 13
    entry = next(one for one in facts["disagreements"] if one["id"] == ID["minus"])
    assert entry == {"id": ID["minus"], "comment": "Told in the test.", "section": "Eq. 1",
                     "issues": [ISSUE], "expected": [[0.9375, 1.875]],
                     "answers": {"right": [[0.9375, 1.875]], "dialect:lxt": [[1.0714285714285714, 2.142857142857143]]},
                     "statuses": {"right": "passed", "dialect:lxt": "failed"}}
    assert {one["id"] for one in facts["disagreements"]} == {ID[slug] for slug in ("plain", "minus", "dead")}


def test_implementations_that_agree_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "small_suite:Right", "lrp_ref", name="compare")
    assert code == 0 and "differ" not in out


def test_comparisons_have_an_expectation_for_each(capsys: pytest.CaptureFixture[str], expected: Path) -> None:
    arguments = ["small_suite:Partial", "small_suite:Right", "--expect", str(expected)]
    code, _, err = conform(capsys, *arguments, name="compare")
    assert code == 2 and f"got --expect {expected}, which has no file right.txt: make an empty one if every case" in err
    (expected / "right.txt").touch()
    code, out, _ = conform(capsys, *arguments, name="compare")
    assert code == 0 and out.endswith("all as expected\n")
    (expected / "right.txt").write_text(f"{ID['plain']} failed\n", encoding="utf-8")
    code, out, _ = conform(capsys, *arguments, name="compare")
    assert code == 1 and out.endswith(f"1 not as expected\nright: {ID['plain']}: passed, expected failed: line 1 is "
                                      "stale, delete it\n")


def test_two_adapters_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = conform(capsys, "lrp_ref", "lrp_ref", name="compare")
    assert code == 2 and "got two adapters named lrp_ref: give each a name of its own" in err


# ---- A program in another language ----


def test_a_program_is_asked_in_lines_and_named_again_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    program = f"{sys.executable} {Path(__file__).parents[2] / 'docs' / 'harness.py'}"
    _, out, _ = conform(capsys, "--exec", program, "--json")
    facts = json.loads(out)
    assert facts["counts"]["passed"] > 0 and sum(facts["counts"].values()) == 13
    one, words = command.adapter(None, program)
    with command.ending(one):
        assert words == f"--exec '{program}'"


def test_of_each_cause_the_first_failure_has_the_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 2)
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SECONDS", float("inf"))   # on any machine

    class Doubled(Right):
        def changed(self, relevance: Any) -> Any:
            return 2 * relevance

    told = [one for one in as_json(report(run(Doubled(), SUITE)))["failures"] if one["worst"]]
    causes = {cause: [bool(one["counterexample"]) for one in told if one["cause"] == cause]
              for cause in (one["cause"] for one in told)}
    assert max(map(len, causes.values())) > 2
    assert all(not any(here[1:]) for here in causes.values()) and sum(here[0] for here in causes.values()) == 2
