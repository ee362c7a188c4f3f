"""Implementations that nobody here has seen, in a file of their own: each departure is named, and no wrong cause."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.judge.record import write
from lrp_ref.conformance.judge.run import Answers, run
from lrp_ref.conformance.report.facts import Report, report
from lrp_ref.conformance.vectors.suite import load

FILE = Path(os.environ.get("LRP_REF_STRANGERS", "strangers.py"))
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="needs a file of strangers, named by LRP_REF_STRANGERS")
ANSWERS = Answers()


def strangers() -> Any:
    spec = importlib.util.spec_from_file_location("strangers", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", range(12))
def test_a_stranger_is_named(n: int) -> None:
    adapter = strangers().STRANGERS[n]()
    found = report(run(adapter, load(), answers=ANSWERS))
    assert judged(found, adapter.truth) == ("yes", [])
    assert not found.diagnosis.left and all(one.example for one in found.diagnosis.told)


@pytest.mark.parametrize("n", range(12))
def test_a_stranger_is_named_from_its_answers_alone(n: int, tmp_path: Path) -> None:
    adapter = strangers().STRANGERS[n]()
    write(str(tmp_path / "answers.json"), run(adapter, load(), answers=ANSWERS))
    found = report(run(read(str(tmp_path / "answers.json")), load(), answers=ANSWERS))
    assert judged(found, adapter.truth) == ("yes", []) and not found.diagnosis.left


def judged(found: Report, truth: Any) -> Any:
    text = "\n".join(failure.cause.text for failure in found.failures if failure.outcome.compared is not None)
    text += "\n" + "\n".join(one.sentence for one in found.diagnosis.told)
    return strangers().judged(text, truth)
