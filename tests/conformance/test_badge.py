"""The badge: its number is of what is supported, and green is for all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_suite
from report_facts import one, outcome
from tree import tree

from lrp_ref.command import conform as command
from lrp_ref.command.cli import main
from lrp_ref.conformance.report.badge import ALL, SOME, badge
from lrp_ref.conformance.report.facts import Reply


@pytest.mark.parametrize(("statuses", "text", "colour"), [
    (["passed", "loose", "unsupported"], "2 of 2 supported cases passed", ALL),
    (["passed", "undetermined"], "1 of 2 supported cases passed", SOME),
    (["passed", "failed"], "1 of 2 supported cases passed", SOME),
    (["unsupported"], "0 of 0 supported cases passed", SOME)])
def test_the_number_is_passed_of_supported_and_green_means_all(statuses: list[str], text: str, colour: str) -> None:
    drawn = tree(badge(one(*(outcome(n, status) for n, status in enumerate(statuses)))))
    assert [words.text for words in drawn.all("text")] == ["LRP vectors 1.0", text]
    assert drawn.all("rect")[1].attributes["fill"] == colour


def reply(title: str, value: object, canonical: object = "z", question: str = "epsilon_sign") -> Reply:
    return Reply(question, title, value, canonical, False, [], [])


def test_departures_are_named_and_what_is_left_out_is_counted() -> None:
    replies = [reply("the sign of epsilon", "none"), reply("of x", "z"), reply("of y", None),
               *(reply(f"of {n}", "none") for n in range(3))]
    drawn = tree(badge(one(outcome(1, "passed"), replies=replies)))
    assert drawn.all("text")[2].text == (
        "departs in the sign of epsilon: epsilon has no sign; of 0: epsilon has no sign and 2 more")
    title = drawn.all("title")[0].text
    assert title.count("epsilon has no sign") == 4
    assert title.startswith("mine 1.0: 1 of 1 supported cases passed of the LRP")
    assert title == drawn.all("svg")[0].attributes["aria-label"]


def test_no_text_becomes_a_tag_and_every_text_fits_its_box() -> None:
    drawn = tree(badge(one(outcome(1, "passed"), name="<b>&\x1b", replies=[reply("<i>", "none")])))
    assert "<b>&\\x1b" in drawn.all("title")[0].text and not drawn.all("b") and not drawn.all("i")
    edge = 0
    for box, words in zip(drawn.all("rect"), drawn.all("text")):
        x, width = (int(box.attributes[name] or "") for name in ("x", "width"))
        start, length = (int(words.attributes[name] or "") for name in ("x", "textlength"))
        assert x == edge < start and start + length < x + width
        edge = x + width
    assert int(drawn.all("svg")[0].attributes["width"] or "") == edge


def test_the_command_writes_it_and_only_for_all_cases(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "load", small_suite.suite)
    assert main(["conform", "small_suite:Right", "--badge", "lrp.svg"]) == 0
    assert "badge written to lrp.svg" in capsys.readouterr().out
    assert "13 of 13 supported cases passed" in Path("lrp.svg").read_text(encoding="utf-8")
    for wrong, message in ((["--badge", "lrp.png"], "got --badge lrp.png, needed a name that ends in .svg"),
                           (["--badge", "lrp.svg", "--rule", "Flat"],
                            "got --badge with --rule, which leaves cases out: a badge speaks of all of them")):
        assert main(["conform", "small_suite:Right", *wrong]) == 2
        assert capsys.readouterr().err == f"lrp-ref: error: {message}\n"
