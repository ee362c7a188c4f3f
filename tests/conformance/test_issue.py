"""A text for a library's maintainers: what was expected by which equation, what came, how to repeat it, versions."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_suite
from helpers import refused
from recorded import suite as vectors
from small_suite import Partial, SquaredBias

from lrp_ref.command import conform as command
from lrp_ref.command.cli import main
from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.judge.run import run, selected
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conformance.report.issue import issue
from lrp_ref.conformance.report.snippet import listed_numbers, snippet

SUITE = small_suite.suite()
UPSTREAM = Path(__file__).parents[2] / "docs" / "upstream"


@pytest.fixture(autouse=True)
def unshrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 0)


def found(adapter: Any) -> Report:
    return report(run(adapter, SUITE, command="my:Adapter"))


def test_a_text_says_what_was_expected_by_which_formula_what_came_how_to_repeat_it_and_in_which_versions() -> None:
    text = " ".join(issue(found(SquaredBias()), 1).split())
    [case] = [case for case in SUITE.cases if case.id.startswith("squared-")]
    told = SquaredBias().relevance(*case.task())
    for part in ("# squared_bias 1.2: bias in w-square: squared into the denominator", "WSquare()", "(Eq. 1)",
                 "R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j",
                 f"**Expected** (Eq. 1): `{listed_numbers(case.relevance, 12)}`",
                 f"**What comes**: `{listed_numbers(told, 12)}`", "vectors 1.0, digest 0123456789ab",
                 "in float64 by lrp_ref",
                 f"`lrp-ref conform my:Adapter --case {case.id}`", "another answer may be meant"):
        assert part in text, part


def test_what_raises_has_no_numbers_and_what_must_be_refused_no_expectation() -> None:
    text = issue(found(Partial()), 1)
    assert "**What comes**: it raised KeyError: 'flat\\nrule'." in text and "raised an error" in text

    class Careless(SquaredBias):
        def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
            return np.zeros(x.shape) if rules.get("linear") == SUITE.cases[-1].rules["linear"] else \
                super().relevance(network, rules, x, R)
    texts = [issue(found(Careless()), n) for n in (1, 2)]
    assert any("**Expected**: an error. alpha - beta = 0" in text and "# needed: an error" in text for text in texts)


def test_a_cause_that_there_is_not_is_refused() -> None:
    with refused("got --issue 2, needed 1 to 1: the number is that of a cause in the report"):
        issue(found(SquaredBias()), 2)
    with refused("got --issue 1, but no case failed: …"):
        issue(found(small_suite.Right()), 1)


def test_the_command_prints_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "load", lambda: SUITE)
    assert main(["conform", "small_suite:SquaredBias", "--issue", "1"]) == 0
    assert capsys.readouterr().out.startswith("# squared_bias 1.2: bias in w-square")
    assert main(["conform", "small_suite:SquaredBias", "--issue", "7"]) == 2
    capsys.readouterr()
    assert main(["conform", "small_suite:SquaredBias", "--issue", "1", "--json"]) == 2
    assert capsys.readouterr().err == ("lrp-ref: error: got --issue with --json: it prints a text and writes nothing: "
                                       "run the command once for each\n")


def test_numbers_that_stand_ready_for_a_call_are_those_of_the_case() -> None:
    case = vectors()["d2c-alpha2-fbe782"]
    names: dict[str, Any] = {}
    exec(snippet("unknown", "1", case, None), names)
    network, _, x, R = case.task()
    [(name, layer)] = network
    for given, right in (("x", x), ("R", R), (f"{name}_weight", layer.arrays()["weight"]),
                         (f"{name}_bias", np.array([-0.5]))):
        assert np.array_equal(names[given], right), given


# ---- Those that are kept in the documentation ----


def generate() -> Any:
    spec = spec_from_file_location("upstream_generate", UPSTREAM / "generate.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_text_in_the_documentation_is_what_the_recorded_answers_show_today() -> None:
    texts = {row.name: text for row, text in generate().texts(vectors())}
    here = {path.stem: path.read_text(encoding="utf-8") for path in UPSTREAM.glob("*.md") if path.name != "README.md"}
    assert here == texts and len(texts) >= 20


def test_every_text_is_of_a_number_that_is_wrong_or_an_error_and_every_library_has_one() -> None:
    rows = generate().rows()
    for row in rows:
        one, case = read(str(generate().RECORDED / row.answers)), vectors()[row.case]
        [outcome] = run(one, selected(vectors(), [row.case])).outcomes
        assert outcome.status == "failed", row
        assert case.relevance is not None and ("raised" in one.answers[case.id] or outcome.worst is not None)
    libraries = {re.split(r"[._]", row.answers)[0] for row in rows}
    assert libraries == {"zennit", "captum", "innvestigate", "toolbox", "caffe", "torchlrp", "lxt", "autolrp",
                         "moboehle", "kaifishr"}   # zennit-crp computes by zennit's rules
