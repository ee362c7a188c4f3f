"""What implementations compute that nobody can ask: three libraries without a dialect, and every planted fault."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from faulty import FAULTS
from recorded import ANSWERS, FOLDER
from recorded import suite as vectors
from test_diagnose import of_rules
from test_diagnose_answers import left_behind
from tree import tree

from lrp_ref.command.cli import main
from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.diagnose.diagnosis import diagnose
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.page import page
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conformance.report.told import summary
from lrp_ref.relevance import through_network

if not os.environ.get("LRP_REF_EXPERIMENT"):
    pytest.skip("needs half a minute (LRP_REF_EXPERIMENT=1; the gate has it)", allow_module_level=True)

LIBRARIES = {   # their reports' first sentences must say; how many of their failures are not explained
    "autolrp": (7, ("a bias keeps |b| / (|z without its bias| + |b|) of R",
                    "a bias and epsilon keep (|b| + epsilon) / (|z without its bias| + |b| + epsilon) of R")),
    "moboehle": (4, ("where inputs contribute with one sign only, they hand down all of R",
                     "of an input that several windows reach the last message overwrites the others",
                     "in 2 of them the kernel is dilated, as in none of the")),
    "kaifishr": (3, ("run back as an average pooling over windows of 2 x 2, side by side and without padding",
                     "stabiliser of the other rules: without a sign: 1e-5")),
}


@cache
def told_of(library: str) -> Report:
    return report(run(read(str(FOLDER / f"{library}.json.gz")), vectors(), answers=ANSWERS))


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_first_sentences_say_what_a_library_computes(library: str) -> None:
    found = told_of(library)
    left, said = LIBRARIES[library]
    text = " ".join(" ".join(summary(found)).split())
    assert text.count(". ") < 5 and all(words in text for words in said), text
    assert len(found.diagnosis.left) == left
    for one in found.diagnosis.told:
        if (example := one.example) is not None:   # which shows it
            right = through_network(example.network, example.rules, example.x, example.R)["input"]
            assert example.got != example.expected and right.shape == example.x.shape


def test_formulas_of_a_library_that_nobody_can_ask(capsys: pytest.CaptureFixture[str]) -> None:
    main(["conform", f"recorded:{FOLDER / 'kaifishr.json.gz'}", "--formulas"])
    lines = capsys.readouterr().out.partition("formulas of what")[2].splitlines()
    told = {" ".join(line[3:].split()[:3]): (line[0], line) for line in lines[1:] if line}
    assert [mark for mark, _ in told.values()].count("*") == 5
    (mark, text), right = told["Epsilon on Linear"], told["Epsilon on AvgPool"]
    assert mark == "*" and text.endswith("(a w) / (the same summed over the inputs + b + epsilon without a sign)")
    assert right[0] == " " and right[1].endswith("+ epsilon sign z)")
    assert "(a w, split by the sign of w) / (the same summed over the inputs); stabiliser" in told["ZPlus on Linear"][1]
    assert "an average pooling over windows of 2 x 2" in told["Winner on MaxPool"][1]
    assert "(w) / (the same" not in told["Winner on MaxPool"][1]   # which is not what it computes


def test_a_page_has_the_formulas_of_every_rule() -> None:
    text = " ".join(tree(page(told_of("kaifishr"))).text.split())
    assert "Epsilon on Conv2D, Linear (a w) / (the same summed over the inputs + b + epsilon without a sign)" in text
    assert "As the published rule: Epsilon on AvgPool; Pass on Flatten, ReLU" in text


# ---- Planted faults ----


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_named_from_answers_alone(fault: Any, tmp_path: Path) -> None:
    found = diagnose(left_behind(fault(), of_rules(fault.rules), tmp_path), [])
    (one,) = found.told
    text = one.sentence.lower()
    said = all(any(word in text for word in words) for words in fault.words)
    assert said or text in OTHERWISE, text
    assert not any(word in text for word in fault.never), text
    assert len(found.left) <= 2   # of those that few answers tell apart


OTHERWISE = {   # said in other words than where it can be asked, and as right of these few answers
    "relevance starts from r where z is positive alone and not from r itself",
    "zbox on avgpool, conv2d and linear: an input contributes a w - high w+ - low w- in place of a w - low w+ - high "
    "w-",
    "winner on maxpool: sums and the way back go through windows as if stride were none, with r cut to fit"}
