"""Answers recorded: `--record FILE` writes them, and `recorded:FILE` is the implementation from then on."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_suite
from helpers import refused
from recorded import suite as vectors
from small_suite import Partial, Right, Single, SquaredBias, Stabilised
from tree import tree

from lrp_ref.command import conform as command
from lrp_ref.command.cli import main
from lrp_ref.conformance.adapter import Astray, Unsupported
from lrp_ref.conformance.adapters import find
from lrp_ref.conformance.adapters.recorded import ALONE, Recorded, read
from lrp_ref.conformance.judge.record import write
from lrp_ref.conformance.judge.run import Run, run
from lrp_ref.conformance.report.facts import report

SUITE = small_suite.suite()
FOLDER = Path(__file__).parents[2] / "data_fixtures" / "recorded"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load", lambda: SUITE)
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 0)   # which takes a second for every cause


class Mixed(Right):
    """NaN, infinity, -0, a wrong shape, an error without words, and a program that went astray."""

    name, conventions = "mixed", {"zero_rule": "nan"}

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        kind = type(next(iter(rules.values()))).__name__
        if kind == "Winner":
            raise ValueError
        if kind == "WSquare":
            raise Astray("the process said nothing for 60 seconds")
        if kind == "AlphaBeta":
            return [[1.0, 2.0, 3.0, 4.0]]
        numbers = {"Flat": np.nan, "Gamma": -np.inf}
        right = super().relevance(network, rules, x, R)
        return np.full(x.shape, numbers[kind]) if kind in numbers else np.where(right == 0, -0.0, right)


def kept(run: Run, folder: Path, name: str = "answers.json.gz") -> Recorded:
    write(str(folder / name), run)
    one = find(f"recorded:{folder / name}")
    assert isinstance(one, Recorded)
    return one


@pytest.mark.parametrize("kind", [Right, Single, Stabilised, Partial, Mixed])
@pytest.mark.parametrize("name", ["answers.json", "answers.json.gz"])
def test_what_was_recorded_is_judged_as_it_was(kind: type[Right], name: str, tmp_path: Path) -> None:
    first = run(kind(), SUITE)
    again = run(kept(first, tmp_path, name), SUITE)
    assert [(one.case.id, one.status, one.url, one.convention) for one in again.outcomes] == [
        (one.case.id, one.status, one.url, one.convention) for one in first.outcomes]
    for one, two in zip(first.outcomes, again.outcomes):
        assert (one.answer is None) == (two.answer is None) and one.reason == two.reason
        if one.answer is not None and two.answer is not None:   # to the last bit, the sign of 0 and NaN too
            assert one.answer.tobytes() == two.answer.tobytes() and one.answer.shape == two.answer.shape


def test_the_same_answers_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        write(str(tmp_path / name), run(Partial(), SUITE))
    one, two = ((tmp_path / name).read_bytes() for name in ("a.json.gz", "b.json.gz"))
    assert one == two


# ---- Nobody to ask ----


def test_what_was_not_recorded_is_unsupported(tmp_path: Path) -> None:
    one = kept(run(Right(), SUITE), tmp_path)
    with pytest.raises(Unsupported, match=f"^{ALONE}$"):
        one.relevance(*SUITE.cases[0].task())
    with pytest.raises(Unsupported, match=r"^right was not asked when .*answ.* was recorded$"):
        one.answer(vectors().cases[0])


def test_a_smallest_example_is_a_case_and_no_first_layer_of_several_is_looked_for(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 10)
    monkeypatch.setattr(Recorded, "relevance", lambda self, *task: asked.append(task))
    for kind in (SquaredBias, Mixed):
        one = kept(run(kind(), SUITE), tmp_path)
        monkeypatch.setattr("lrp_ref.conformance.judge.run.smoke", lambda adapter: None)
        found = report(run(one, SUITE)).failures
        shown = [failure.counterexample for failure in found if failure.counterexample is not None]
        assert found and all(any(one.x is failure.outcome.case.x or np.array_equal(one.x, failure.outcome.case.x)
                                 for failure in found) for one in shown)   # a case, as it was answered
        assert all(failure.first is None or len(failure.outcome.case.network) == 1 for failure in found)
        assert any(failure.first for failure in found)
    assert asked == []


# ---- The commands ----


def test_conform_writes_and_compare_sets_side_by_side_what_is_not_installed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["conform", "small_suite:SquaredBias", "--record", "squared.json"]) == 1
    assert "13 answers written to squared.json" in capsys.readouterr().out
    assert main(["conform", "small_suite:Right", "--record", "right.json.gz"]) == 0
    capsys.readouterr()
    assert main(["compare", "recorded:squared.json", "recorded:right.json.gz", "--report", "two.html"]) == 1
    out = capsys.readouterr().out
    assert "squared_bias 1.2, float64; right 1.2, float64" in out
    assert "lrp-ref conform recorded:squared.json --case" in tree(Path("two.html").read_text(encoding="utf-8")).text
    assert main(["conform", "recorded:right.json.gz", "--rule", "Flat"]) == 0


@pytest.mark.parametrize(("name", "message"), [
    ("answers.txt", "got --record answers.txt, needed a name that ends in .json or .json.gz"),
    ("there.json", "got --record there.json, which is there already: give the name of a new file")])
def test_a_record_is_a_new_file_of_json(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.json").touch()
    assert main(["conform", "small_suite:Right", "--record", name]) == 2
    assert capsys.readouterr().err == f"lrp-ref: error: {message}\n"


# ---- Files that are none ----


def test_answers_to_other_vectors_are_refused_by_name(tmp_path: Path) -> None:
    one = kept(run(Right(), SUITE), tmp_path)
    one.check(SUITE)
    whole = vectors()
    with refused(f"…answ… has right's answers to the vectors 1.0 ({SUITE.digest}), and these are 1.1 "
                 f"({whole.digest}): record it anew"):
        one.check(whole)
    entry = json.loads(gzip.decompress((tmp_path / "answers.json.gz").read_bytes()))
    entry.pop("digest")
    (tmp_path / "other.json").write_text(json.dumps(entry))
    read(str(tmp_path / "other.json")).check(SUITE)
    with refused(f"…oth… answers {sorted(entry['answers'])[0]}, which the vectors do not have: …"):
        read(str(tmp_path / "other.json")).check(whole)


def changed(**entry: Any) -> str:
    good: dict[str, Any] = {"library": "mine", "version": "1", "answers": {}}
    return json.dumps(good | entry)


@pytest.mark.parametrize(("text", "message"), [
    ("", "…is no JSON: …"), ("[]", "…needed fields {name: value}"), ("\x1f\x8b\x08rest", "…is no whole gzip file: …"),
    ('{"version": "1", "answers": {}}', "…'library' is missing"),
    (changed(schema="lrp-answers-v2"), "…is lrp-answers-v2, this program reads lrp-answers-v1"),
    (changed(unit_roundoff="x"), "…got unit_roundoff='x', needed 2^-53 or 2^-24 as a number"),
    (changed(more=1), "…has a field 'more' that this program does not know: …"),
    (changed(answers={"a": {"shape": [2], "values": [1.0]}}),
     "…got values='1 numbers', needed 2, as the shape [2] says"),
    (changed(answers={"a": {"shape": [1], "values": ["1"]}}), "…got values[0]='1', needed a number, or one of nan, …"),
    (changed(answers={"a": {"shape": [1]}}), "…'values' is missing"),
    (changed(answers={"a": {"shape": [0, 10**7, 10**7, 10**7], "values": []}}), "…got values='0 numbers', needed 0, …"),
    (changed(answers={"a": {"shape": [1] * 33, "values": [1]}}), "…got shape=[1, …, needed a list of at most 32"),
    (changed(answers={"a": {"raised": 1}}), "…got raised=1, needed a text"),
])
def test_a_file_that_is_none_is_refused_in_words(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(text.encode("latin-1"))
    with refused(message):
        read(str(path))


def test_a_file_that_is_cut_off_or_has_no_end_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "file.json.gz", gzip.compress(changed().encode())
    path.write_bytes(data[:-9])
    with refused("…is cut off, or has more than 20000000 bytes: is it the right file?"):
        read(str(path))
    path.write_bytes(gzip.compress(b" " * 20_000_001))
    with refused("…is cut off, or has more than 20000000 bytes: is it the right file?"):
        read(str(path))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read(str(tmp_path / "none.json"))


# ---- The answers that are kept here ----


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json*")), ids=lambda path: path.name.partition(".")[0])
def test_every_file_of_this_project_is_of_these_vectors_and_has_its_row_in_the_readme(path: Path) -> None:
    one, suite = read(str(path)), vectors()
    one.check(suite)
    suite = suite.at(one.spec)
    assert one.digest == suite.digest and one.answers.keys() == {case.id for case in suite.cases}
    kinds = ["unsupported" if "unsupported" in a else "raised" if "raised" in a else "answered"
             for a in one.answers.values()]
    row, = [line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
            if line.startswith(f"| {path.name} |")]
    counts = [str(kinds.count(kind)) for kind in ("answered", "unsupported", "raised")]
    assert row.split(" | ")[3:6] == counts and row.endswith("| BSD-3-Clause, as the project |")
    assert one.unit_roundoff in (2.0**-53, 2.0**-24)


def test_answers_to_an_earlier_specification_stand_and_say_that_later_cases_were_not_asked() -> None:
    one, suite = read(str(FOLDER / "captum.json")), vectors()
    one.check(suite)
    assert one.spec == "1.0" and len(one.answers) == suite.at("1.0").count
    later = next(case for case in suite.cases if case.since == "1.1")
    with pytest.raises(Unsupported, match=r"^not asked: captum answered the vectors 1\.0, and the case came "):
        one.answer(later)


def test_the_page_in_the_documentation_is_of_these_files() -> None:
    """`make compare-all` takes minutes: what is compared is whose answers it shows, how many, and to which vectors."""
    text = (FOLDER.parents[1] / "docs" / "compare.html").read_text(encoding="utf-8")
    document = tree(text.partition('<section id="matrix">')[0] + "</main></body></html>")
    recorded = re.findall(r"[\w.]+\.json(?:\.gz)?", (FOLDER.parents[1] / "Makefile").read_text(encoding="utf-8"))
    rows = document.all("div", "overview")[0].all("tbody")[0].all("tr")
    assert len(rows) == len(recorded) == 11 and f"{vectors().at('1.0').count} cases, specification" in document.text
    for row, name in zip(rows, recorded):
        one = read(str(FOLDER / name))
        counts = [int(cell.text) for cell in row.all("td")[:5]]
        answers = {case.id: one.answers[case.id] for case in vectors().at("1.0").cases}
        assert row.all("th")[0].text == f"{one.name} {one.version}" and sum(counts) == len(answers)
        lacks = sum("unsupported" in answer for answer in answers.values())
        assert counts[4] == lacks or (one.unit_roundoff == 2.0**-24 and counts[4] > lacks)   # which holds fewer numbers
        assert vectors().at("1.0").digest in document.text
