"""An error says where in the adapter's own file it was raised, and many texts of one fault are one cause."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache

import pytest
from raising import Raising
from recorded import ANSWERS
from recorded import suite as vectors

from lrp_ref.conformance.diagnose.failures import without_numbers
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.case import case_text
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conformance.report.text import by_cause
from lrp_ref.conformance.report.text import text as report_text
from lrp_ref.conformance.report.told import summary


@cache
def reported() -> Report:
    kept = [case for case in vectors().cases if case.id.startswith(("epsilon-conv2d", "epsilon-linear"))
            and case.level == "required"]
    return report(run(Raising(), replace(vectors(), cases=kept, count=len(kept)), answers=ANSWERS))


def line_of(method: object, words: str) -> int:
    lines, first = inspect.getsourcelines(method)   # type: ignore[arg-type]
    return first + next(n for n, line in enumerate(lines) if words in line)


def test_errors_of_one_line_are_one_cause_and_say_which_line() -> None:
    at = f"raising.py:{line_of(Raising.broadcast, 'never fit')}, in broadcast"
    (first, some), (second, others) = by_cause(reported())
    assert len({one.outcome.reason for one in some}) > 3
    assert first.text == ("raised ValueError: operands could not be broadcast together with shapes (N) (N)")
    assert {one.outcome.raised.place for one in some if one.outcome.raised} == {at}
    assert second.text == "raised KeyError: 'bias'" and len(others) > 2


def test_text_json_and_a_single_case_say_where() -> None:
    found = reported()
    at = f"raising.py:{line_of(Raising.broadcast, 'never fit')}"
    assert f"raised at    {at}" in report_text(found)
    one = next(one for one in as_json(found)["failures"] if "ValueError" in one["reason"])
    assert one["raised"]["place"].startswith(at) and "np.zeros((*R.shape, 3))" in one["raised"]["trace"]
    outcome = next(one for one in found.run.failed if "ValueError" in one.reason)
    shown = case_text(outcome)
    assert "in relevance" in shown and "in broadcast" in shown
    assert shown.splitlines()[-1].startswith("ValueError: operands could not be broadcast together with shapes (2,")
    assert "outcome.py" not in shown   # who asks is not the adapter's business


def test_what_cures_errors_is_said() -> None:
    text = " ".join(" ".join(summary(reported())).split())
    assert "of those that raise KeyError all" in text and "are right without a bias" in text


@pytest.mark.parametrize(("text", "plain"), [
    ("shapes (1,2,3) (4,)", "shapes (N) (N)"), ("shapes (2, 3, 4) and (5,)", "shapes (N) and (N)"),
    ("size of tensor a (7) must match b (-3) at dim 2", "size of tensor a (N) must match b (N) at dim N"),
    ("got 1.5e-3", "got N"), ("conv2d of float32", "conv2d of float32")])
def test_numbers_and_shapes_are_left_out_of_texts(text: str, plain: str) -> None:
    assert without_numbers(text) == plain
