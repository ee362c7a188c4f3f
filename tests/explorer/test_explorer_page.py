"""The page's facts are the explanation's, and what does not fit is left out and said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from explored import CLASSES, MIXED_MODEL, MODEL, NETWORK, PIXELS

from lrp_ref import Epsilon, Model, Network, ZPlus, assign, cutoff, explain, load_model
from lrp_ref.explorer import explorer, page, view
from lrp_ref.explorer.facts import spreads_over, usual_choice
from lrp_ref.layers import Flatten, Linear, ReLU
from lrp_ref.models.model import Preprocessing

RULES = {"zplus": ZPlus(), "epsilon:0.5": Epsilon(0.5)}


def facts(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_scores_classes_and_rules_are_the_models_with_those_asked_for_first() -> None:
    [photograph] = facts(explorer({"noise": PIXELS}, {"small": MODEL}, [1], RULES).html)["photographs"]
    [one] = photograph["views"]
    scores = NETWORK(MODEL.prepare(PIXELS))[0]
    order = np.argsort(-scores)
    assert (photograph["name"], one["model"], one["about"], one["size"]) == ("noise", "small", "drawn", [19, 26])
    assert one["scores"] == [[CLASSES[n], pytest.approx(scores[n], rel=1e-11, abs=0)] for n in order]   # twelve digits
    assert [c["name"] for c in one["classes"]] == [CLASSES[n] for n in (1, *(n for n in order if n != 1))]
    assert [rule["name"] for rule in one["rules"]] == ["zplus", "epsilon:0.5"]
    assert one["rules"][1]["layers"].startswith("Epsilon(epsilon=0.5): ")
    assert [layer["name"] for layer in one["layers"]] == list(NETWORK.names)
    assert one["layers"][5]["reads"] == [4, 2] and one["layers"][0]["reads"] == [-1] and one["paper"] == 1


def test_the_ledger_and_the_sums_of_every_cutoff_are_the_librarys() -> None:
    [photograph] = facts(explorer({"noise": PIXELS}, {"small": MODEL}, [2], RULES).html)["photographs"]
    [one] = photograph["views"]
    x = MODEL.prepare(PIXELS)
    for r, rule in enumerate(RULES.values()):
        rules, strip = assign(NETWORK, rule), one["strips"][0][r]
        e = explain(NETWORK, x, rules, 2)
        assert strip["start"] == pytest.approx(e.scores[0, 2], rel=1e-11, abs=0)   # twelve digits
        for n, name in enumerate(NETWORK.names):
            totals = [float(column[0]) for column in e.ledger[name].totals()]
            assert strip["ledger"][n] == pytest.approx(totals, rel=1e-11, abs=1e-14)   # twelve digits, and sums of 0
            cut = explain(NETWORK, x, cutoff(rules, name), 2)
            close = 1e-11 * abs(cut.relevance).sum()   # twelve digits of sums that cancel
            assert strip["cuts"][n]["pixels"] == pytest.approx(cut.relevance.sum(), abs=close)
            lost = sum(sum(float(column[0]) for column in cut.ledger[one].totals()[2:]) for one in NETWORK.names)
            assert strip["start"] - lost == pytest.approx(strip["cuts"][n]["pixels"], abs=close)


def test_what_does_not_fit_is_left_out_and_said_the_least_missed_first() -> None:
    views = [view(PIXELS, "small", MODEL, [], RULES), view(PIXELS, "mixed", MIXED_MODEL, [], RULES)]
    whole = len(page([("noise", views)]).html)
    views = [view(PIXELS, "small", MODEL, [], RULES), view(PIXELS, "mixed", MIXED_MODEL, [], RULES)]
    made = page([("noise", views)], whole - 1)
    assert made.left_out == ("noise, small: without the largest message to every pixel",)
    assert facts(made.html)["left_out"] == list(made.left_out)
    [photograph] = facts(made.html)["photographs"]
    assert [one["messages"][0][0] is None for one in photograph["views"]] == [True, False]
    assert [len(one["classes"]) for one in photograph["views"]] == [3, 2]

    views = [view(PIXELS, "small", MODEL, [2], RULES)]
    made = page([("noise", views)], 1)
    scores = NETWORK(MODEL.prepare(PIXELS))[0]
    low, high = sorted((0, 1), key=lambda n: scores[n])
    assert made.left_out[0] == (f"noise, small: without the largest message to every pixel, the class {CLASSES[low]}, "
                                f"the class {CLASSES[high]}, the rule epsilon:0.5")
    assert re.fullmatch(r"noise, even so [\d,]+ bytes, of 0", made.left_out[1])
    [one] = facts(made.html)["photographs"][0]["views"]
    assert [c["name"] for c in one["classes"]] == [CLASSES[2]] and [len(row) for row in one["strips"]] == [1]


def test_no_text_of_anyones_becomes_a_tag_or_a_part_of_the_page() -> None:
    name = "</script><script>alert(1)</script>@data@ & @script@"
    html = explorer({name: PIXELS}, {name: MODEL}, rules={name: ZPlus()}).html
    assert len(re.findall("<script", html)) == 2 and html.count("</script>") == 2
    assert facts(html)["photographs"][0]["name"] == name == facts(html)["photographs"][0]["views"][0]["model"]
    assert "alert(1)" in re.search("<title>(.*?)</title>", html)[1] and "http" not in re.sub(
        r"http://www\.w3\.org/2000/svg|http-equiv", "", html)


def test_the_usual_rules_are_those_for_the_kind_of_network() -> None:
    first = {name: next(iter(usual_choice(load_model(name).network((1, 1, 128, 128)), 0, 1)))
             for name in ("cnn", "fv", "vit")}
    assert first == {"cnn": "paper", "fv": "paper", "vit": "attnlrp"}


def test_over_what_a_cutoff_spreads_is_said_of_every_layer() -> None:
    said = dict(zip(NETWORK.names, spreads_over(NETWORK, (1, 3, 19, 26))))
    assert [said[name] for name in ("conv1", "norm", "relu2", "pool1", "fc1", "fc2")] == [
        "1 x 1 pixels", "3 x 2 pixels", "11 x 10 pixels", "11 x 10 pixels", "windows of several sizes",
        "the whole image"]
    network = load_model("fv").network((1, 1, 60, 70))
    assert spreads_over(network, (1, 1, 60, 70))[:3] == [
        "1 x 1 pixels", "squares of 4, 6, 8, 10 pixels", "squares of 16, 24, 32, 40 pixels"]


def test_photographs_and_models_are_paths_names_or_themselves(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    iio.imwrite(path, (255 * PIXELS).astype(np.uint8))
    made = explorer(path, MODEL, rules={"zplus": ZPlus()})
    [photograph] = facts(made.html)["photographs"]
    assert (photograph["name"], photograph["views"][0]["model"]) == ("one.png", "model")
    (tmp_path / "other").mkdir()
    iio.imwrite(tmp_path / "other" / "one.png", (255 * PIXELS[::-1]).astype(np.uint8))
    both = facts(explorer([path, tmp_path / "other" / "one.png"], MODEL, rules={"zplus": ZPlus()}).html)["photographs"]
    assert [one["name"] for one in both] == ["one.png", "one.png"]
    assert both[0]["views"][0]["scores"] != both[1]["views"][0]["scores"]
    named = facts(explorer({"mine": path}, {"m": MODEL}, rules={"zplus": ZPlus()}).html)["photographs"]
    assert named[0]["name"] == "mine" and named[0]["views"][0]["scores"] == photograph["views"][0]["scores"]
    made.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == made.html
    assert re.fullmatch(r"Explorer\([\d,]+ bytes; \.save\(path\), then open it in a browser\)", repr(made))


@pytest.mark.parametrize(("given", "message"), [
    (([], "cnn"), "got photographs=[], needed a path"), ((7, "cnn"), "got photographs=7, needed a path"),
    (({}, "cnn"), "got no photograph"), (({"a": PIXELS}, {}), "got models={}, needed a name"),
    (({"a": PIXELS}, [3]), "got models=[3], needed a name"), (({"a": PIXELS}, 3), "got models=3, needed a name"),
    (({"a": PIXELS}, MODEL, ["wren"]), "got the class 'wren', which the model does not have"),
    (({"a": PIXELS}, MODEL, [], {"a": 3}), "explain got rules=3, needed a preset"),
    (({"a": PIXELS}, MODEL, [], [ZPlus()]), "got rules=[ZPlus()], needed {name: preset or rule}"),
    (({"a": PIXELS[0, 0]}, MODEL), "the photograph"), (({"a": PIXELS}, MODEL, "hen"), "needed a list of classes")])
def test_what_cannot_be_shown_is_refused_in_own_words(given: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        explorer(*given)
    assert len(str(error.value)) <= 500 and "\n" not in str(error.value)


def test_a_model_without_class_names_shows_their_numbers_and_one_with_too_few_is_refused() -> None:
    network = Network([("flat", Flatten()), ("fc", Linear(np.arange(24.0).reshape(12, 2)))])
    model = Model(network, [], Preprocessing((3, 4)))
    [photograph] = facts(explorer({"a": PIXELS}, model).html)["photographs"]
    assert [one["name"] for one in photograph["views"][0]["classes"]] == ["1", "0"]
    [photograph] = facts(explorer({"a": PIXELS}, model, [0]).html)["photographs"]
    assert [one["name"] for one in photograph["views"][0]["classes"]] == ["0", "1"]
    for wrong in ("hen", 2, -1, True, 0.5):
        with pytest.raises(ValueError, match="for a model without class names, needed a number from 0 to 1"):
            explorer({"a": PIXELS}, model, [wrong])
    with pytest.raises(ValueError, match="got a model with 3 class names for 2 scores"):
        view(PIXELS, "few", Model(Network([*network.layers, ("last", ReLU())]), ["a", "b", "c"], Preprocessing((3, 4))),
             [], None)


def test_numbers_that_are_not_finite_are_told_with_their_layer() -> None:
    huge = Network([("flat", Flatten()), ("fc", Linear(np.full((12, 2), 1e308)))])
    with pytest.raises(ValueError, match="layer fc gives NaN or infinity"), np.errstate(over="ignore"):
        explorer({"a": np.ones((3, 4))}, Model(huge, ["a", "b"], Preprocessing((3, 4))))
