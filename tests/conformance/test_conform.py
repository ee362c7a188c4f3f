"""lrp-ref conform and compare as a maintainer meets them: what is printed, how the program ends, what goes wrong."""

import errno
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_suite
from small_suite import ISSUE, Partial, Right, Stabilised
from tree import tree

from lrp_ref import AlphaBeta, Flat, WSquare
from lrp_ref.command import conform as command
from lrp_ref.command.cli import main
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.ours import ours
from lrp_ref.conformance.diagnose.detect import Finding
from lrp_ref.conformance.diagnose.failures import failures
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run, run, selected
from lrp_ref.conformance.page import page
from lrp_ref.conformance.report import text as report_text
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conventions.table import TABLE
from lrp_ref.layers import LRN, Conv2D, Layer, Linear, ReLU
from lrp_ref.network import Network

SUITE = small_suite.suite()
ID = {case.id.rpartition("-")[0]: case.id for case in SUITE.cases}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load", lambda: SUITE)
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 0)   # which takes a second for every cause


def conform(capsys: pytest.CaptureFixture[str], *arguments: str, name: str = "conform") -> tuple[int, str, str]:
    """(how the program ends, what it prints, what it says on stderr)"""
    code = main([name, *arguments])
    return (code, *capsys.readouterr())


class Named(Partial):
    """Whose name and reasons no encoding holds, and a terminal would obey."""

    name, version = "half \ud800", "\x1b[2J"

    def relevance(self, *task: Any) -> Any:
        try:
            return super().relevance(*task)
        except Unsupported:
            raise Unsupported("\x07 not \udcff", "https://\ud800") from None


def test_what_no_encoding_holds_loses_no_report(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    expect, report = tmp_path / "expect.txt", tmp_path / "report.html"
    files = ["--report", str(report), "--write-expect", str(expect)]
    for form in ([], ["--json"]):
        assert main(["conform", "test_conform:Named", *files, *form]) == 1
        out, err = capfdbinary.readouterr()
        for text in (out, report.read_bytes(), expect.read_bytes()):
            assert rb"half \ud800" in text.replace(b"\\\\", b"\\")
            assert not {*text.decode()} & {"\x1b", "\x07"} and err == b""
        report.unlink()
        expect.unlink()
    named = json.loads(out)["adapter"]
    assert (named["name"], named["version"]) == (r"half \ud800", r"\x1b[2J")


@pytest.mark.parametrize("option", ["--report", "--write-expect"])
def test_a_disk_that_is_full_loses_the_file_alone(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    plain = conform(capsys, "small_suite:Partial")[1]
    monkeypatch.setattr(Path, "write_text", full)
    file = str(tmp_path / "file.html")
    code, out, err = conform(capsys, "small_suite:Partial", option, file)
    assert (code, err) == (2, f"lrp-ref: error: cannot write {file}: No space left on device: choose another path\n")
    assert re.sub(r" in \d+ s", "", out) == re.sub(r" in \d+ s", "", plain) and list(tmp_path.iterdir()) == []


# ---- How the program ends ----


def test_an_implementation_without_failures_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = conform(capsys, "small_suite:Right")
    assert (code, err) == (0, "")
    assert out.startswith("right 1.2, float64, on 13 cases of the vectors 1.0 (0123456789ab)\n\nrule       layer")
    assert re.search(r"^all +13 +- +- +- +- +13$", out, re.MULTILINE)
    assert re.search(r"\n13 passed, 0 loose, 0 undetermined, 0 unsupported, 0 failed, of 13, in \d+ s\n$", out)


def test_a_failure_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(capsys, "small_suite:Partial")[0] == 1


def test_what_is_undetermined_or_unsupported_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "small_suite:Single")
    assert code == 0 and "11 passed, 0 loose, 1 undetermined, 1 unsupported, 0 failed, of 13" in out
    told = out.partition("unsupported, by what the cases need, and why\n")[2].splitlines()
    assert told[0].startswith("   1 of ") and told[0].endswith(" dense: fully connected layers, ReLU, flattening")
    assert told[1] == "         1  float32 does not hold x"


def test_undetermined_cases_are_listed_with_their_reason(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = conform(capsys, "small_suite:Single")
    assert ("\n\nundetermined, and why\n   1  rounding may take a number as far as it is large: "
            f"{ID['cancels']}\n\n") in out
    assert "undetermined, and why" not in conform(capsys, "small_suite:Right")[1]
    said = [Outcome(replace(SUITE.cases[0], id=f"a-{n}"), "undetermined", reason)
            for n, reason in enumerate(["raised OverflowError", "", "raised OverflowError"])]
    assert list(report_text.undetermined(Report(Run(Right(), SUITE, said, 0, ""), [], [], []))) == [
        "undetermined, and why\n   2  raised OverflowError: a-0, a-2\n"
        "   1  rounding may take a number as far as it is large: a-1"]


class Empty(Right):
    """It has no rule."""

    name = "empty"

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        raise Unsupported("not yet" if "linear" in rules else "never")


def test_an_implementation_that_supports_nothing_ends_with_2(capsys: pytest.CaptureFixture[str],
                                                             tmp_path: Path) -> None:
    """Nothing failed, and nothing is known to be right."""
    here = "test_conform:Empty"
    for arguments, name, count, why in ((["--rule", "Flat"], "conform", 1, "never"), ([], "conform", 13, "not yet"),
                                        (["small_suite:Right"], "compare", 13, "not yet")):
        code, out, err = conform(capsys, here, *arguments, name=name)
        assert (code, out) == (2, "") and err == (
            f"lrp-ref: error: no case passed or failed: empty supports none of {count}; most often because: {why}\n")
    assert conform(capsys, here, "--case", ID["even"])[0] == 0   # whose numbers are shown
    expected = tmp_path / "empty.txt"
    expected.write_text("".join(f"{case.id} unsupported\n" for case in SUITE.cases), encoding="utf-8")
    assert conform(capsys, here, "--expect", str(expected))[0] == 0


def test_a_broken_adapter_ends_with_2_and_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = conform(capsys, "small_suite:Zero", "--json")
    assert (code, out) == (2, "")
    assert err.startswith("lrp-ref: error: broken adapter: zero: all relevance is 0, needed [[-5.0,")
    assert err.count("\n") == 1


def test_a_run_of_too_few_cases_ends_with_2(capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load", lambda: replace(SUITE, count=353))
    code, _, err = conform(capsys, "small_suite:Right")
    assert code == 2 and "13 cases ran, and the manifest promises 353" in err


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "lrp-ref conform needs the name of an adapter, or --exec COMMAND"),
    (["small_suite:Right", "--exec", "julia harness.jl"], "got the adapter small_suite:Right and --exec julia "
                                                          "harness.jl, needed one of them, not both"),
    (["small_suite:Right", "--report", "page.txt"], "got --report page.txt, needed a name that ends in .html"),
    (["small_suite:Right", "--report", "nowhere/page.html"], "cannot write nowhere/page.html: folder "),
    (["small_suite:Right", "--rule", "Epsilom"], "got --rule Epsilom, which no case of the vectors has: did you mean"),
    (["small_suite:Right", "--expect", "nowhere.txt"], "got the expectations file nowhere.txt, but there is no such "
                                                        "file: needed"),
    (["small_suite:Wright"], "got the adapter small_suite:Wright, but small_suite has no Wright: did you mean "),
])
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], message: str,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = conform(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err


def test_where_no_page_can_be_written_nothing_is_begun(capsys: pytest.CaptureFixture[str],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    def begun() -> None:
        raise AssertionError("the vectors were read")

    monkeypatch.setattr(command, "load", begun)
    assert conform(capsys, "lrp_ref", "--report", "nowhere/page.html")[0] == 2
    assert conform(capsys, "lrp_ref", "--report", "nowhere/page.html", name="compare")[0] == 2


# ---- What is printed ----


CONV, FC, NORM = Conv2D(np.ones((1, 1, 1, 1))), Linear(np.ones((1, 1))), LRN(3, 1, 0.75, 1)


def became(places: list[tuple[str, Layer, str, int]]) -> Report:
    """A report in which so many cases of a rule and layer became one and the same."""
    outcomes = [Outcome(replace(SUITE.cases[0], rule=rule, network=Network([("layer", layer)])), status)
                for rule, layer, status, count in places for _ in range(count)]
    return Report(Run(Right(), replace(SUITE, count=len(outcomes)), outcomes, 0, ""), [], [], [])


def test_the_table_counts_and_layers_that_fare_alike_share_a_row() -> None:
    places = [("Flat", CONV, "passed", 3), ("Flat", FC, "failed", 2), ("Flat", ReLU(), "passed", 4)]
    lines = report_text.table(became(places))
    assert [line.split() for line in lines] == [
        ["rule", "layer", "passed", "loose", "undetermined", "unsupported", "failed", "of"],
        ["Flat", "Conv2D,", "ReLU", "7", "-", "-", "-", "-", "7"], ["Linear", "-", "-", "-", "-", "2", "2"],
        ["all", "7", "-", "-", "-", "2", "9"]]


def test_a_failure_says_layer_worst_number_counterexample_command_and_issues(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 1)
    _, out, _ = conform(capsys, "dialect:lxt", "--level", "convention")
    told = out[out.index("1 case failed, for 1 cause\n\n1. 1 case: epsilon has no sign\n"):].splitlines()[3:]
    assert told[:2] == [f"   case         {ID['minus']} (convention): Told in the test.",
                        "   first wrong  layer linear, Epsilon(1/10)"]
    # 1 * -3/2 / (-3/2 + 1/10) = 15/14, and with the sign of z 15/16
    assert told[2].startswith("   worst        at (0, 0): got 1.07142857, expected 0.9375, error 0.133928571, bound ")
    assert told[3].startswith("   smallest     Epsilon(") and ", expected " in told[3]
    assert told[4:6] == [f"   repeat       lrp-ref conform dialect:lxt --case {ID['minus']}",
                         f"   known        {ISSUE}"]


def test_failures_of_one_cause_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = conform(capsys, "small_suite:Stabilised")
    heads = re.findall(r"^\d+\. (.*)$", out, re.MULTILINE)
    assert len(heads) < 6 and re.search(r"^\d cases failed, for \d causes?$", out, re.MULTILINE)
    assert out.count("   repeat  ") == len(heads) and "   others  " in out


class Moved(Stabilised):
    """Wrong by a convention, by an error, as no convention explains, and where it must refuse."""

    name = "moved"

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        (rule, *_) = rules.values()
        if isinstance(rule, AlphaBeta):
            return 3 * x * x
        if isinstance(rule, Flat):
            raise KeyError("no")
        return super().relevance(network, rules, x, R)


def test_text_and_page_tell_the_same_failures_under_the_same_causes() -> None:
    found = report(run(Moved(), SUITE))
    _, *told = (" ".join(block.split()).casefold() for block in report_text.causes(found))
    document = tree(page(found))
    shown = {group.all("h3")[0].text.casefold(): len(group.all("details", "case"))
             for group in document.all("details", "cause")}
    shown["answered, and must refuse"] = len(document.by_id("refused").all("details", "case"))   # which stand apart
    assert len(shown) == len(told) and sum(shown.values()) == len(found.failures) == found.run.counts()["failed"]
    for heading, count in shown.items():
        assert any(f". {count} case{'s' * (count > 1)}: {heading} case " in block for block in told), (heading, told)
    assert {"raised keyerror: 'no'", "answered, and must refuse"} <= shown.keys()
    assert any("stabiliser of 1e-06" in heading for heading in shown)


def test_conventions_are_marked_where_they_depart(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = conform(capsys, "dialect:lxt")
    assert re.search(r"^\*  the sign of epsilon +epsilon has no sign +as lxt$", out, re.MULTILINE)
    assert re.search(r"^   the sign of epsilon +that of z$", conform(capsys, "lrp_ref")[1], re.MULTILINE)


@pytest.mark.parametrize(("value", "departs"), [(None, False), (1, False), (-1, True)])
def test_text_comparison_and_page_agree_on_what_departs_and_an_answer_that_is_not_known_does_not(
        value: Any, departs: bool) -> None:
    found = report(run(Right(), SUITE))
    found = replace(found, replies=[replace(one, value=value) if one.question == "sign_of_zero" else one
                                    for one in found.replies])   # canonical is 1
    (line,) = (line for line in "".join(report_text.conventions(found)).splitlines() if "the sign of 0" in line)
    (row,) = (row for row in report_text.reply_rows([found]) if row[0] == "the sign of 0")
    cell = tree(page(found)).by_id("question/sign_of_zero").all("td")[1]
    assert [line.startswith("*"), row[1].startswith("*"), "departs" in cell.text] == [departs] * 3


def test_one_case_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "dialect:lxt", "--case", ID["minus"])
    assert code == 1
    assert out.startswith("1 case failed, for 1 cause\n\n1. 1 case: epsilon has no sign\n")
    shown = out[out.index(f"\n\n{ID['minus']}"):]
    assert shown.startswith(f"\n\n{ID['minus']} (convention; Eq. 1)\n"
                            "failed (epsilon_sign = none): at (0, 0): got 1.07142857, needed 0.9375, error over bound ")
    assert shown.endswith("\nTold in the test.\n\n"
                          "layer linear: Linear, Epsilon(1/10)\n  weight = [[1], [2]]\n  bias = [-9/2]\n"
                          "x = [[1, 1]]\nR = [[-3/2]]\nexpected = [[15/16, 15/8]]\n"
                          "epsilon_sign = none: [[1.0714285714285714, 2.1428571428571428]]\n"
                          "got = [[1.0714285714285714, 2.1428571428571428]]\n")


def test_a_negative_case_is_shown_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = conform(capsys, "small_suite:Right", "--case", ID["refused"])
    assert code == 0 and out.splitlines()[1].startswith("passed: refused: ValueError: AlphaBeta got")
    assert "must be refused: alpha - beta = 0\n" in out


def test_what_an_adapter_prints_does_not_spoil_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = conform(capsys, "small_suite:Talkative", "--json")
    assert code == 0 and json.loads(out)["counts"]["passed"] == 13 and "here I am" in err


class Wordy(Partial):
    name, version = "wor\ndy ", "1\n.2\t3"

    def rule(self, rule: Any, layer: Any) -> Any:
        if isinstance(rule, WSquare):
            raise Unsupported("none\nyet", "https://example.org/\n3")
        return super().rule(rule, layer)


def test_what_an_adapter_says_of_itself_breaks_no_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "expected.txt"
    code, out, _ = conform(capsys, "test_conform:Wordy", "--write-expect", str(path))
    assert code == 1 and out.startswith("wor dy 1 .2 3, float64, on 13 cases ")
    assert path.read_text(encoding="utf-8").startswith("# wor dy 1 .2 3 on 13 cases ")
    assert conform(capsys, "test_conform:Wordy", "--expect", str(path))[0] == 0
    _, out, _ = conform(capsys, "test_conform:Wordy", "small_suite:Right", "--json", name="compare")
    facts = json.loads(out)
    names = [one["adapter"]["name"] for one in facts["implementations"]]
    assert names == ["wor dy", "right"]
    assert all(list(one["statuses"]) == names for one in facts["disagreements"])


# ---- Facts ----


@pytest.fixture(scope="module")
def partial() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(json.dumps(as_json(report(run(Partial(), SUITE))), allow_nan=False))
    return facts


def test_json_has_what_a_page_needs(partial: dict[str, Any]) -> None:
    assert partial["adapter"] == {"name": "partial", "version": "1.2", "unit_roundoff": 2.0**-53, "conventions": {},
                                  "command": "partial"}
    assert partial["vectors"] == {"spec": "1.0", "count": 13, "digest": "0123456789ab"}
    assert partial["counts"] == {"passed": 11, "loose": 0, "undetermined": 0, "unsupported": 1, "failed": 1}
    assert partial["records"] == [{"id": "kept", "title": "A record", "question": "What?", "answers": {"zennit": "1"},
                                   "issues": []}]
    by_id = {one["id"]: one for one in partial["outcomes"]}
    assert by_id[ID["split"]] == {
        "id": ID["split"], "rule": "AlphaBeta", "layer": "Linear", "level": "required", "flags": [],
        "status": "unsupported", "reason": "there is no alpha-beta", "url": "https://example.org/partial/3",
        "convention": None}
    raised = partial["failures"][0].pop("raised")
    assert raised["place"].startswith("small_suite.py:") and raised["place"].endswith(", in rule")
    assert raised["trace"].splitlines()[-1] == r"KeyError: 'flat\nrule'" and "/" not in raised["trace"]
    assert partial["failures"] == [{
        "id": ID["even"], "rule": "Flat", "layer": "Conv2D", "level": "required", "comment": "Told in the test.",
        "convention": None, "first": None, "worst": None, "looks_like": "", "counterexample": None,
        "cause": "raised KeyError: 'flat\\nrule'",
        "command": f"lrp-ref conform partial --case {ID['even']}", "issues": [],
        "reason": "raised KeyError: 'flat\\nrule'"}]


def test_json_of_conventions_says_value_canonical_and_evidence() -> None:
    facts = as_json(report(run(small_suite.SquaredBias(), SUITE)))
    entry = next(one for one in facts["conventions"] if one["question"] == "bias_w_square")
    assert entry == {"question": "bias_w_square", "title": "bias in w-square", "value": "squared",
                     "canonical": "left out", "declared": False, "known": ["zennit"], "evidence": [ID["squared"]]}
    (failure,) = facts["failures"]
    assert failure["convention"] == {"question": "bias_w_square", "value": "squared"}
    assert failure["worst"]["index"] == [0, 1] and failure["worst"]["error"] > failure["worst"]["bound"] > 0


def test_numbers_that_json_has_none_of_are_names() -> None:
    facts = as_json(report(run(Dividing(), SUITE)))
    (failure,) = (one for one in facts["failures"] if one["id"] == ID["dead"])
    assert failure["worst"]["got"] == "inf" and failure["worst"]["error"] == "inf" and failure["worst"]["expected"] == 0
    json.dumps(facts, allow_nan=False)


class Dividing(Right):
    """1 / 0 is infinite."""

    name = "dividing"

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        found = super().relevance(network, rules, x, R)
        return np.array([[np.inf, -np.inf]]) if not network(x).any() and not rules["linear"].epsilon else found


def test_the_first_wrong_layer_of_a_network_is_named() -> None:
    class WrongGamma(Right):
        name = "wrong_gamma"

        def rule(self, rule: Any, layer: Any) -> Any:
            return type(rule)(1) if hasattr(rule, "gamma") else rule

    found = {one["id"]: one for one in as_json(report(run(WrongGamma(), SUITE)))["failures"]}
    assert found.keys() == {ID["whole"], ID["rounded"]}
    assert found[ID["whole"]]["first"] == {"layer": "fc1", "rule": "Gamma(1/4)"}
    assert found[ID["whole"]]["layer"] == "network"


def test_a_counterexample_is_as_wrong_as_the_case_and_not_by_a_stabiliser(monkeypatch: pytest.MonkeyPatch) -> None:
    """zennit's dialect has b^2 in the denominator, and 1e-6 beside it: whole numbers show the one, not the other."""
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 1)
    adapter = ours("dialect:zennit")
    assert adapter is not None
    (failure,) = as_json(report(run(adapter, selected(SUITE, [ID["squared"]]))))["failures"]
    small = failure["counterexample"]
    assert abs(float(small["got"]) - float(small["expected"])) > 2.0**-10, small   # 1e-6 of 1 is less


class Hooked(Right):
    """Twice what is right of w-square, and an error to whoever asks anything of it twice."""

    name = "hooked"

    def __init__(self) -> None:
        self.heard: set[str] = set()

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        question = repr((network.layers, rules, x, R))
        if isinstance(next(iter(rules.values())), WSquare) and question in self.heard:
            raise RuntimeError("hook is registered already")
        self.heard.add(question)
        found = super().relevance(network, rules, x, R)
        return 2 * found if isinstance(next(iter(rules.values())), WSquare) else found


def test_who_raises_when_asked_again_is_told_so_in_a_whole_report(capsys: pytest.CaptureFixture[str],
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 1)
    code, out, err = conform(capsys, "test_conform:Hooked")
    assert (code, err) == (1, "") and "\n12 passed, 0 loose, 0 undetermined, 0 unsupported, 1 failed, of 13" in out
    assert ("1 case: something kept between calls: the same question asked again raised RuntimeError: hook is "
            "registered already") in " ".join(out.split())


def test_an_undeclared_stabiliser_is_the_cause_that_is_named() -> None:
    """Where the numbers of other cases have shown it."""
    one = run(Stabilised(), SUITE)
    causes = {f.outcome.case.id: f.cause for f in failures(one, [Finding("stabiliser", 1e-6, [], [])])}
    assert {causes[ID[slug]].text for slug in ("split", "even", "whole", "squared")} == {
        "stabiliser of the other rules: 1e-6"}


def test_every_question_has_a_title() -> None:
    assert all(question.title for question in TABLE.values())


@pytest.mark.parametrize("name", ["conform", "compare", "vectors", "selfcheck", "explain", "models"])
def test_help_speaks_of_the_bundled_models_only_where_models_are_asked(
        name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert ("bundled models, a CNN," in " ".join(capsys.readouterr().out.split())) == (name in ("explain", "models"))
