"""What `lrp-ref conform` and `lrp-ref compare` print stays key for key and word for word what it was.

Saved in reports.json, whose own text says what of. To save anew, where a change is meant: run this file as a program.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_suite
from small_suite import Partial

from lrp_ref import AlphaBeta, Gamma, Winner
from lrp_ref.arrays import Array
from lrp_ref.command import conform as command
from lrp_ref.command.cli import main
from lrp_ref.conformance.diagnose import failures

SAVED = Path(__file__).with_name("reports.json")
ABOUT = ("The small suite of tests/small_suite.py, put to `Mixed` of test_saved_report.py, to Right and to the dialect "
         "of LXT; two causes are shrunk; seconds are 0.")
CONFORM = ["conform", "test_saved_report:Mixed", "--expect", "expected.txt"]
COMPARE = ["compare", "small_suite:Right", "test_saved_report:Mixed", "dialect:lxt"]
EXPECTED = "plain-0 failed\n"   # no case has this id, and nothing else is expected to fail
PRINTED = {"conform as JSON": [*CONFORM, "--json"], "conform": CONFORM,
           "compare as JSON": [*COMPARE, "--json"], "compare": COMPARE}
SUITE = small_suite.suite()


class Mixed(Partial):
    """It ends cases in every way, and declares a convention that its numbers deny."""

    name, conventions = "mixed", {"sign_of_zero": -1}

    def rule(self, rule: Any, layer: Any) -> Any:
        return type(rule)(1) if isinstance(rule, Gamma) else super().rule(rule, layer)

    def relevance(self, network: Any, rules: Any, x: Array, R: Array) -> Any:
        (rule, *_) = rules.values()
        if isinstance(rule, AlphaBeta) and rule.alpha - rule.beta != 1:
            return 3 * x
        if isinstance(rule, Winner):
            return x * R.sum()
        found = super().relevance(network, rules, x, R)
        none = getattr(rule, "epsilon", 1) == 0 and not network(x).any()
        return np.where([True, False], np.inf, np.nan) * np.ones_like(x) if none else found


def printed(arguments: list[str], capsys: Any) -> list[str]:
    main(arguments)
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepared(monkeypatch)
    (tmp_path / "expected.txt").write_text(EXPECTED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load", lambda: SUITE)
    monkeypatch.setattr(failures, "SHRUNK", 2)


@pytest.mark.parametrize("name", [name for name in PRINTED if "JSON" in name])
def test_the_json_is_key_for_key_what_was_saved(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert same(json.loads("\n".join(printed(PRINTED[name], capsys))), json.loads(SAVED.read_text("utf-8"))[name]) == []


@pytest.mark.parametrize("name", [name for name in PRINTED if "JSON" not in name])
def test_the_text_is_word_for_word_what_was_saved(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert settled(printed(PRINTED[name], capsys)) == json.loads(SAVED.read_text("utf-8"))[name]


def same(got: Any, saved: Any, at: str = "") -> list[str]:
    """Where they differ.

    Numbers are sums of a few terms, in an order that depends on the machine; bounds of networks come from such sums of
    rounding errors, of which half of the digits are rounding themselves.
    """
    if at.endswith("/seconds"):
        return []
    if at.endswith("/raised") and got and saved:   # lines of this file, and more
        return [] if list(got) == list(saved) else [f"{at}: the keys {list(got)}, saved {list(saved)}"]
    if isinstance(got, float) and isinstance(saved, float):
        near = 2.0**-26 if at.endswith("/bound") else 2.0**-50
        return [] if abs(got - saved) <= near * abs(saved) else [f"{at}: {got!r}, saved {saved!r}"]
    if isinstance(got, dict) and isinstance(saved, dict):
        if list(got) != list(saved):
            return [f"{at}: the keys {list(got)}, saved {list(saved)}"]
        return [found for key in got for found in same(got[key], saved[key], f"{at}/{key}")]
    if isinstance(got, list) and isinstance(saved, list) and len(got) == len(saved):
        return [found for n, (x, y) in enumerate(zip(got, saved)) for found in same(x, y, f"{at}/{n}")]
    return [] if type(got) is type(saved) and got == saved else [f"{at}: {got!r}, saved {saved!r}"]


def settled(lines: list[str]) -> list[str]:
    """Without how long the run took, and in which line an error was raised, and with three digits of bounds."""
    lines = [re.sub(r", in \d+ s$", "", line) for line in lines]
    lines = [re.sub(r"(?<=\.py:)\d+(?=, in )", "N", line) for line in lines]
    return [re.sub(r"(?<=, bound )\S+$", lambda found: f"{float(found[0]):.3g}", line) for line in lines]


@pytest.mark.parametrize(("got", "saved"), [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": 1}, {"a": 1, "b": 2}), ([1], [1, 2]), ({"a": [1.0]}, {"a": [1.1]}),
    ({"a": 1}, {"a": 1.0}), ("x", "y"), (None, 0), (True, 1)])
def test_what_is_not_the_same_is_found(got: Any, saved: Any) -> None:
    assert same(got, saved) and not same(got, got)


if __name__ == "__main__":
    from contextlib import redirect_stdout
    from io import StringIO
    from os import chdir
    from tempfile import TemporaryDirectory

    sys.modules["test_saved_report"] = sys.modules["__main__"]
    saved: dict[str, Any] = {"about": ABOUT}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        prepared(patch)
        chdir(folder)
        Path("expected.txt").write_text(EXPECTED, encoding="utf-8")
        for name, arguments in PRINTED.items():
            with redirect_stdout(StringIO()) as out:
                main(arguments)
            saved[name] = json.loads(out.getvalue()) if "JSON" in name else settled(out.getvalue().splitlines())
    SAVED.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
