"""lrp-ref explore: what it prints is on the page it writes, and what cannot be is said before the work."""

import json
import re

import pytest
from at_hand import MODEL, NETWORK, PIXELS, parsed

from lrp_ref import assign, explain
from lrp_ref.rules import ZPlus

ASKED = ["explore", "photo.png", "--model", "model.npz"]


def page_of(folder, name="explorer.html"):
    html = (folder / name).read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_the_page_is_written_and_what_is_on_it_is_printed(done, folder):
    lines = done(*ASKED, "--class", "both", "--rule", "zplus", "--rule", "epsilon:0.5").splitlines()
    scores = NETWORK(MODEL.prepare(PIXELS))[0]
    first, second = sorted((0, 1), key=lambda n: -scores[n])
    named = ", ".join(f"{MODEL.classes[n]} {scores[n]:.2f}" for n in (2, first, second))
    assert lines[:3] == ["photo.png: 21 x 30 pixels (height x width)",
                         f"  model.npz: {named}; zplus, epsilon:0.5; 8 cut-offs", ""]
    assert re.fullmatch(r"page written to explorer\.html, 0\.\d MB: open it in a browser", lines[3])
    [one] = page_of(folder)["photographs"][0]["views"]
    e = explain(NETWORK, MODEL.prepare(PIXELS), assign(NETWORK, ZPlus()), 2)
    close = 1e-11 * abs(e.relevance).sum()   # twelve digits of a sum that cancels
    assert one["strips"][0][0]["cuts"][0]["pixels"] == pytest.approx(e.relevance.sum(), abs=close)


def test_json_says_the_same_as_values_and_several_photographs_and_models_share_a_page(done, folder):
    found = parsed(done("explore", "photo.png", "one", "--model", "model.npz", "--model", "cnn", "--rule", "zplus",
                        "--output", "two.html", "--json"))
    assert [one["image"] for one in found["photographs"]] == ["photo.png", "one/same.png"]
    assert [[view["model"] for view in one["views"]] for one in found["photographs"]] == [["model.npz", "cnn"]] * 2
    assert found["photographs"][0]["views"][1]["cutoffs"] == 11 and found["left_out"] == []
    assert found["bytes"] == (folder / "two.html").stat().st_size and found["output"] == "two.html"
    assert [len(one["views"]) for one in page_of(folder, "two.html")["photographs"]] == [2, 2]


def test_what_is_left_out_is_printed_and_no_longer_listed(done, folder):
    lines = done("explore", "photo.png", "--model", "cnn", "--megabytes", "0.2").splitlines()
    assert "zplus" in lines[3] and "zplus" not in lines[1] and "paper" in lines[1]
    assert lines[3].startswith("to stay under 0.2 MB: photo.png, cnn: without the largest message to every pixel, ")
    assert (folder / "explorer.html").stat().st_size <= 200_000
    assert page_of(folder)["left_out"] == [lines[3].removeprefix("to stay under 0.2 MB: ")]


@pytest.mark.parametrize(("given", "message"), [
    (["--output", "page.png"], "got --output page.png, needed a name that ends in .html"),
    (["--output", "gone/page.html"], "folder .*gone does not exist"),
    (["--class", "wren"], "got the class 'wren', which the model does not have"),
    (["--rule", "zplu"], "did you mean 'zplus'"), (["--rule", "zplus", "--rule", "zplus"], "the same --rule twice"),
    (["--model", "model.npz"], "got --model 2 times, needed at most 4 different ones"),
    (["--megabytes", "0"], "got --megabytes 0, needed a number from 0.1 to 1000"),
    (["--megabytes", "nan"], "got --megabytes nan, needed a number"),
    (["--model", "dog"], "got the model 'dog', needed")])
def test_what_cannot_be_is_an_error_in_one_line_and_no_page(run, folder, given, message):
    code, out, err = run(*ASKED, *given)
    assert (code, out) == (2, "") and err.count("\n") == 1 and re.search(message, err), err
    assert not (folder / "explorer.html").exists()


def test_a_photograph_is_not_overwritten(run, folder):
    code, _, err = run("explore", "model.html", "--model", "cnn", "--output", "model.html")
    assert code == 2 and "model.html" in err
    (folder / "model.html").write_bytes((folder / "photo.png").read_bytes())
    code, _, err = run("explore", "model.html", "--model", "cnn", "--output", "model.html")
    assert code == 2 and "an input that would be lost" in err
