"""lrp-ref sanity: the table, the picture and the JSON of what a map is compared with."""

import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from at_hand import MODEL, NETWORK, PIXELS, parsed

from lrp_ref import (
    AlphaBeta,
    Conv2D,
    Flatten,
    Linear,
    Model,
    Network,
    ZPlus,
    assign,
    cutoff,
    epsilon_plus,
    save_model,
)
from lrp_ref.checks.sanity import sanity
from lrp_ref.command import sanity as command
from lrp_ref.pictures.picture import figure

X = MODEL.prepare(PIXELS)
ASKED = ["sanity", "photo.png", "--model", "model.npz"]


def numbers(line):
    return [None if word == "-" else float(word) for word in re.findall(r" (-?\d\.\d{3}|-)(?= |$)", line)]


def test_every_line_has_the_numbers_of_its_comparison_for_every_rule(done):
    lines = done(*ASKED, "--class", "both", "--rule", "zplus", "--rule", "alphabeta:2,1", "--seed", "7").splitlines()
    scores = NETWORK(X)[0]
    assert lines[0] == ("photo.png: 21 x 30 pixels (height x width), class both "
                        f"({scores[2]:.2f}) of model.npz, seed 7")
    assert lines[2].split() == ["zplus", "alphabeta:2,1"] and lines[3].split() == ["rank", "|rank|", "cosine"] * 2
    others = sorted((0, 1), key=lambda n: -scores[n])
    found = [sanity(NETWORK, X, assign(NETWORK, {Conv2D: rule, Linear: rule}), 2, others, 7)
             for rule in (ZPlus(), AlphaBeta(2, 1))]
    heads = "layers shuffled, from the top", "another class"
    table = [line for line in lines[4:lines.index("", 4)] if line not in heads]
    assert [re.split("  +", line.strip())[0] for line in table] == [
        "fc", "2 layers, down to conv2", "3 layers, down to conv1",
        *(f"{MODEL.classes[n]} ({scores[n]:.2f})" for n in others), "edges"]
    wanted = [[each.compared[n].likeness for each in found] for n in range(5)] + [[each.edges for each in found]]
    for line, row in zip(table, wanted, strict=True):
        exact = [value for one in row for value in vars(one).values()]
        assert numbers(line) == [None if value is None else round(value, 3) + 0.0 for value in exact]
    assert max(map(len, lines)) <= 100


def test_json_has_the_numbers_in_full_and_the_rules(done):
    facts = parsed(done(*ASKED, "--json", "--rule", "epsilon_plus", "--cutoff", "R1"))
    best = int(NETWORK(X)[0].argmax())
    rules = cutoff(epsilon_plus(NETWORK), "relu1")
    assert (facts["class"], facts["seed"], facts["output"]) == (MODEL.classes[best], 0, None)
    of = facts["rules"]["epsilon_plus"]
    assert of["layers"] == {name: repr(rule) for name, rule in rules.items()}
    order = sorted((n for n in range(3) if n != best), key=lambda n: -NETWORK(X)[0][n])
    found = sanity(NETWORK, X, rules, best, order)
    assert of["edges"] == vars(found.edges)
    what = [{"layers": list(one.what)} if one.kind == "weights" else {"class": MODEL.classes[one.what]}
            for one in found.compared]
    assert of["compared"] == [{"kind": one.kind, **words, **vars(one.likeness)}
                              for one, words in zip(found.compared, what)]


def test_of_many_classes_the_next_and_the_lowest_are_compared_and_layers_in_stages(done):
    layers = [(f"fc{n}", Linear(np.eye(9) + n / 100)) for n in range(20)]
    first = np.random.default_rng(0).normal(size=(330, 9))
    chain = Network([("flat", Flatten()), ("first", Linear(first)), *layers])
    save_model(Model(chain, [*"abcdefghi"], MODEL.preprocessing), "deep.npz")
    lines = done("sanity", "photo.png", "--model", "deep.npz", "--rule", "zplus").splitlines()
    classes = lines[lines.index("another class") + 1:lines.index("", 4) - 1]
    scores = chain(X)[0]
    order = sorted(range(9), key=lambda n: -scores[n])
    assert [line.split()[0] for line in classes] == ["abcdefghi"[n] for n in (*order[1:5], order[-1])]
    shuffled = lines[lines.index("layers shuffled, from the top") + 1:lines.index("another class")]
    assert [line.split()[0] for line in shuffled] == ["fc19", "5", "9", "13", "17", "21"]


def test_the_picture_has_a_row_for_every_rule_and_says_what_its_panels_are(done, monkeypatch):
    drawn = []
    monkeypatch.setattr(command, "figure", lambda *given: drawn.append(given) or figure(*given))
    out = done(*ASKED, "--class", "left", "--rule", "zplus", "--rule", "epsilon:0.1", "--output", "s.png")
    assert out.endswith("\npicture written to s.png\n") and iio.imread("s.png").ndim == 3
    (titles, rows, colours), = drawn
    others = sorted((1, 2), key=lambda n: -NETWORK(X)[0][n])
    assert titles == ["what the model sees", "left: orange for it, blue against it", "fc shuffled",
                      "2 layers shuffled, down to conv2", "3 layers shuffled, down to conv1",
                      *(f"{MODEL.classes[n]} instead" for n in others)]
    assert [row.label for row in rows] == ["zplus", "epsilon:0.1"] and colours == "safe"
    found = sanity(NETWORK, X, assign(NETWORK, ZPlus()), 0, others)
    for panel, values in zip(rows[0].panels[1:], [found.values, *(one.values for one in found.compared)], strict=True):
        assert (panel.relevance == values).all()


@pytest.mark.parametrize(("options", "words"), [
    (["--seed", "-1"], "got --seed -1, needed a number of at least 0"),
    (["--rule", "zplus", "--rule", "zplus"], "got 2 times --rule, needed at most 4 different ones"),
    (["--rule", "zpuls"], "did you mean 'zplus'?"), (["--class", "rihgt"], "did you mean 'right'?"),
    (["--output", "photo.png"], "an input that would be lost"), (["--output", "s.wrong"], "no image format is called"),
    (["--cutoff", "relu9"], "which the network does not have"),
])
def test_what_is_wrong_is_told_in_a_line(run, options, words):
    code, out, err = run(*ASKED, *options)
    assert (code, out, err.count("\n")) == (2, "", 1) and words in err
    assert not Path("s.wrong").exists()


def test_what_no_map_can_be_compared_with_is_a_dash(done):
    assert command.cell(None) == "-" and command.cell(-0.0001) == "0.000" and command.cell(0.98765) == "0.988"
    assert command.panel(None) is None
