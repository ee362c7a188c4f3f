"""Implementations that nobody here has seen, in a file of their own: each departure is named, and no wrong cause."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from lrp_ref.conformance.judge.run import Answers, run
from lrp_ref.conformance.report.facts import report
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
    module = strangers()
    adapter = module.STRANGERS[n]()
    found = report(run(adapter, load(), answers=ANSWERS))
    text = "\n".join(failure.cause.text for failure in found.failures if failure.outcome.compared is not None)
    text += "\n" + "\n".join(one.sentence for one in found.diagnosis.told)
    assert module.judged(text, adapter.truth) == ("yes", [])
    assert not found.diagnosis.left and all(one.example for one in found.diagnosis.told)
