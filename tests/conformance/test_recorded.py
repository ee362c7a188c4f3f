"""Every dialect is held to what its library answered to the vectors, and every departure stands under a sentence."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import refused
from recorded import (
    DIFFERS,
    FOLDER,
    NAMES,
    RAISES,
    ROUNDING,
    SINGLE,
    Sentence,
    off,
    recorded,
    said_of,
    sentences,
    suite,
    theirs,
    tolerance,
    unlike,
)

from lrp_ref import Network
from lrp_ref.conformance.adapters.ours import InDialect
from lrp_ref.conformance.diagnose.detect import agree, detect
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.changes import unchanged
from lrp_ref.conventions.table import TABLE, But, Row
from lrp_ref.layers import Layer
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, Pass, Rule, ZBox

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
            if not any(one.covers(name, suite()[id], how, detail) for one in SENTENCES)
            and not (how == RAISES and says(name, suite()[id]))}
    assert not left, f"{len(left)} without a sentence: {left}"


def says(name: str, case: Case) -> list[str]:
    """Why, by the dialect, the library itself has no answer."""
    network, rules, _, _ = case.task()
    return DIALECTS[theirs(name).dialect].says(network, rules)


@library
def test_what_a_dialect_says_that_its_library_raises_it_raised(name: str) -> None:
    """Of every sentence a case, and no case that the library answered."""
    raised, answered = set[str](), set[str]()
    for id, one in theirs(name).answers.items():
        if suite()[id].level != "negative":
            (raised if one.raised else answered if one.relevance is not None else set[str]()).update(
                says(name, suite()[id]))
    assert raised == set(DIALECTS[theirs(name).dialect].raises.values()) and not answered


@pytest.mark.parametrize(("name", "sentence"), [(name, one) for one in SENTENCES for name in one.names],
                         ids=lambda value: value if isinstance(value, str) else f"{value.how}: {value.where}")
def test_every_sentence_covers_a_case(name: str, sentence: Sentence) -> None:
    covered = [id for id, (how, detail) in unlike(name).items() if sentence.covers(name, suite()[id], how, detail)]
    assert covered, sentence.why


# ---- The conventions ----


@cache
def found(name: str) -> dict[str, Any]:
    """{question: its answer, as detection finds it in what the library answered}."""
    answers = {id: one.relevance for id, one in theirs(name).answers.items()
               if one.relevance is not None and suite()[id].level != "negative"}
    return {finding.question: finding.value for finding in detect(answers, suite()) if finding.value is not None}


@library
def test_the_conventions_are_what_the_numbers_say(name: str) -> None:
    dialect = DIALECTS[theirs(name).dialect]
    denied = {question: (getattr(dialect.conventions, question), value) for question, value in found(name).items()
              if question not in dialect.read and not agree(value, getattr(dialect.conventions, question))}
    assert not denied, f"{{question: (declared, found)}}: {denied}"


def without(row: Row) -> Iterator[tuple[str, Row]]:
    """(an answer that changes rules, the row without it), exceptions one by one."""
    for question, answer in row.items():
        rest = {name: value for name, value in row.items() if name != question}
        if isinstance(answer, But):
            for place in answer.exceptions:
                fewer = {name: value for name, value in answer.exceptions.items() if name != place}
                yield f"{question}/{place}", {**row, question: But(answer.mostly, fewer)}
            if answer.mostly != TABLE[question].canonical:
                yield question, {**rest, question: But(TABLE[question].canonical, answer.exceptions)}
        elif answer is not None and changes(question, answer):
            yield question, rest


def changes(question: str, answer: Any) -> bool:
    """Whether the answer changes a rule, and is not for the caller to follow."""
    value = answer[0] if isinstance(answer, tuple) else answer
    found = TABLE[question].answers.get(value) or TABLE[question].number
    return found is not None and found.change is not unchanged


def told(name: str, question: str, row: Row) -> bool:
    """Whether some case that the library answered would no longer be alike in that row, or detection finds the answer.

    Where an answer follows from another one of the row, no case would miss it.
    """
    dialect, about = DIALECTS[theirs(name).dialect], TABLE[question.partition("/")[0]]
    other = InDialect(replace(dialect, row=row), name, "1")
    for id, said in said_of(name).items():
        relevance, case = theirs(name).answers[id].relevance, suite()[id]
        asked = any(isinstance(case.rules[layer_name], about.rules) and isinstance(layer, about.layers or Layer)
                    for layer_name, layer in case.network)
        if asked and relevance is not None and not isinstance(said, str):
            far, farther = off(relevance, said), off(relevance, other.relevance(*case.task()))
            if any(far <= near < farther for near in (ROUNDING, tolerance(name, case))):
                return True
    canonical = CANONICAL.answers.get(question)
    return question in dialect.row and found(name).get(question, canonical) == dialect.row[question] != canonical


@pytest.mark.parametrize("dialect", sorted({theirs(name).dialect for name in NAMES}))
def test_an_answer_that_no_recorded_case_would_miss_rests_on_reading(dialect: str) -> None:
    names = [name for name in NAMES if theirs(name).dialect == dialect]
    assert {question for question, row in without(DIALECTS[dialect].row)
            if not any(told(name, question, row) for name in names)} == set(DIALECTS[dialect].read)


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
    with refused(f"lxt.json was recorded from the vectors 0123, and these are {suite().at('1.0').digest}: …"):
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
