"""Every dialect is held to what its library answered to the vectors, and every departure stands under a sentence."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import refused
from recorded import (
    DIFFERS,
    FOLDER,
    NAMES,
    ROUNDING,
    SINGLE,
    Sentence,
    off,
    recorded,
    sentences,
    suite,
    theirs,
    tolerance,
    unlike,
)

from lrp_ref import LRN, AlphaBeta, Conv2D, Epsilon, Gamma, Linear, Network, Pass, ZBox
from lrp_ref.conformance.diagnose.detect import MEASURED, agree, detect
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule

README = (FOLDER / "README.md").read_text(encoding="utf-8")
SENTENCES = sentences(README)
library = pytest.mark.parametrize("name", NAMES)


# ---- The same numbers ----


@library
def test_outside_stress_every_case_that_both_answer_is_the_same(name: str) -> None:
    wrong = {id: how for id, how in unlike(name).items() if how[0] == DIFFERS and suite()[id].level != "stress"}
    assert not wrong, f"{len(wrong)} differ: {wrong}"


@library
def test_what_is_not_alike_stands_under_a_sentence(name: str) -> None:
    left = {id: (how, detail) for id, (how, detail) in unlike(name).items()
            if not any(one.covers(name, suite()[id], how, detail) for one in SENTENCES)}
    assert not left, f"{len(left)} without a sentence: {left}"


@pytest.mark.parametrize(("name", "sentence"), [(name, one) for one in SENTENCES for name in one.names],
                         ids=lambda value: value if isinstance(value, str) else f"{value.how}: {value.where}")
def test_every_sentence_covers_a_case(name: str, sentence: Sentence) -> None:
    covered = [id for id, (how, detail) in unlike(name).items() if sentence.covers(name, suite()[id], how, detail)]
    assert covered, sentence.why


# ---- The conventions ----


def found(name: str) -> dict[str, Any]:
    """{question: what detection finds in the answers}; None where it finds none.

    A question is left out where the dialect's answer has no row in the cases it is told from: they cannot tell it.
    """
    conventions = DIALECTS[theirs(name).dialect].conventions
    answers = {id: one.relevance for id, one in theirs(name).answers.items()
               if one.relevance is not None and suite()[id].level != "negative"}
    findings = {}
    for finding in detect(answers, suite()):
        declared = getattr(conventions, finding.question)
        rows = {row.value for id in finding.evidence for row in suite()[id].either
                if row.convention == finding.question}
        if finding.question in MEASURED or declared in rows | {None, getattr(CANONICAL, finding.question)}:
            findings[finding.question] = finding.value
    return findings


@library
def test_the_conventions_are_what_the_numbers_say(name: str) -> None:
    conventions = DIALECTS[theirs(name).dialect].conventions
    denied = {question: (getattr(conventions, question), value) for question, value in found(name).items()
              if value is not None and not agree(value, getattr(conventions, question))}
    assert not denied, f"{{question: (declared, found)}}: {denied}"


@library
def test_the_readme_names_the_questions_that_the_answers_do_not_decide(name: str) -> None:
    conventions = DIALECTS[theirs(name).dialect].conventions
    asked = {row.convention for case in suite().cases for row in case.either}
    decided = {question for question, value in found(name).items() if value is not None}
    [listed] = re.findall(rf"^\| {name}\.json \| (none|`.*`) \|$", README, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed)) == {
        question for question in asked - decided if getattr(conventions, question) is not None}


# ---- The files ----


def test_the_readme_says_how_many_cases_each_library_answered() -> None:
    rows = dict(re.findall(r"^\| (\w+)\.json \|.*\| (\d+ \| \d+ \| \d+) \| BSD", README, re.MULTILINE))
    assert tuple(rows) == NAMES and sorted(NAMES) == sorted(path.stem for path in FOLDER.glob("*.json"))
    for name, counts in rows.items():
        kinds = ["unsupported" if one.unsupported else "raised" if one.raised else "answered"
                 for one in theirs(name).answers.values()]
        assert counts == " | ".join(str(kinds.count(kind)) for kind in ("answered", "unsupported", "raised"))


def test_answers_to_other_vectors_are_refused(tmp_path: Path) -> None:
    entry = json.loads((FOLDER / "lxt.json").read_text(encoding="utf-8"))
    case = suite().cases[0].id

    def read(**changes: Any) -> None:
        (tmp_path / "lxt.json").write_text(json.dumps({**entry, **changes}), encoding="utf-8")
        recorded("lxt", suite(), tmp_path)

    read()
    with refused("lxt.json answers no-such-case-000000, which the vectors do not have: …"):
        read(answers={**entry["answers"], "no-such-case-000000": {"raised": "ValueError"}})
    with refused(f"lxt.json has no answer to {case}: …"):
        read(answers={id: one for id, one in entry["answers"].items() if id != case})
    with refused(f"lxt.json was recorded from the vectors 0123, and these are {suite().digest}: …"):
        read(digest="0123")


# ---- What the comparison sees ----


@pytest.mark.parametrize(("layer", "rule", "single"), [
    (Linear(np.ones((1, 1))), Epsilon(1 / 4), False), (Linear(np.ones((1, 1))), Epsilon(1 / 10), True),
    (Linear(np.ones((1, 1))), AlphaBeta(4 / 3, 1 / 3), True), (Linear(np.ones((1, 1))), AlphaBeta(2, 1), False),
    (Linear(np.ones((1, 1))), Gamma(1 / 10), False), (LRN(3, 1 / 2, 1 / 2, 2), Pass(), False),
    (LRN(3, 1 / 10, 1 / 2, 2), Pass(), True), (LRN(3, 1 / 2, 3 / 4, 1 / 10), Pass(), True),
    (Conv2D(np.ones((1, 1, 1, 1))), ZBox(-1, 2), False), (Conv2D(np.ones((1, 1, 1, 1))), ZBox(-4, 5), True),
    (Conv2D(np.ones((1, 2, 1, 1))), ZBox(np.array([-1, -4]), np.array([2, 5])), True),
])
def test_float32_shows_where_it_does_not_hold_a_parameter_that_caffe_keeps_in_it(
        layer: Layer, rule: Rule, single: bool) -> None:
    """Of a box from -1 to 2 stretched to 255 the mean is 85, of one from -4 to 5 it is 113 1/3."""
    case = replace(suite().cases[0], network=Network([("layer", layer)]), rules={"layer": rule})
    assert tolerance("caffe", case) == (SINGLE if single else ROUNDING)
    assert tolerance("toolbox", case) == ROUNDING


@pytest.mark.parametrize(("theirs", "ours", "wanted"), [
    ([1, 4], [1, 4], 0), ([1, 4], [2, 4], 1 / 4), ([0, 0], [0, 0], 0), ([0, 0], [0, 1e-300], np.inf),
    ([1, np.nan], [1, np.nan], 0), ([1, np.nan], [1, 2], np.inf), ([1, 2], [1, np.nan], np.inf),
    ([np.inf, 2], [np.inf, 3], 1 / 2), ([np.inf, 2], [-np.inf, 2], np.inf), ([np.inf, 2], [np.nan, 2], np.inf),
])
def test_what_is_not_finite_is_compared_too(theirs: list[float], ours: list[float], wanted: float) -> None:
    assert off(np.array(theirs, float), np.array(ours, float)) == wanted
    assert off(np.array(theirs, float), np.array([ours], float)) == np.inf
