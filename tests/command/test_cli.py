"""The command line as users meet it: what it prints and writes, and one line for everything that is wrong."""

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from importlib.metadata import distribution
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from fisher_model import fisher_model, half_flat

import lrp_ref
from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Linear,
    MaxPool,
    Model,
    Network,
    Preprocessing,
    ReLU,
    ZBox,
    ZPlus,
    assign,
    cutoff,
    explain,
    heatmap,
    load_model,
    paper_cnn,
    paper_fv,
    save_model,
)
from lrp_ref.checks import bounds
from lrp_ref.command import explain as command
from lrp_ref.command import report
from lrp_ref.command.cli import main
from lrp_ref.command.of_which import of_which
from lrp_ref.ledger import COLUMNS
from lrp_ref.models.bundled import BUNDLED
from lrp_ref.paper import figures
from lrp_ref.paper import precision as evaluate
from lrp_ref.paper import report as experiment_report
from lrp_ref.paper.plot import plot
from lrp_ref.paper.study import study
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.pictures.picture import Panel

FIXTURES = Path(__file__).parents[2] / "data_fixtures"
rng = np.random.default_rng(0)
# 3 x 11 x 10 -> 4 x 9 x 8 -> 4 x 4 x 4 -> 2 x 3 x 3 -> 2 x 1 x 3 -> 6 -> 3
LAYERS = [("conv1", Conv2D(rng.normal(size=(4, 3, 3, 3)))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
          ("conv2", Conv2D(rng.normal(size=(2, 4, 2, 2)))), ("pool2", AvgPool((3, 1))), ("relu2", ReLU()),
          ("flat", Flatten()), ("fc", Linear(rng.normal(size=(6, 3)), rng.normal(size=3)))]
NETWORK = Network(LAYERS)
RGB = Preprocessing((11, 10), "rgb", mean=0.5, std=0.25)
MODEL = Model(NETWORK, ["left", "right", "both"], RGB)
PIXELS = rng.integers(0, 256, (21, 30, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a photograph, two more of one name, and a model that knows left, right and both."""
    iio.imwrite(tmp_path / "photo.png", PIXELS)
    for name, picture in (("one", PIXELS[:, ::-1]), ("two", PIXELS[::-1])):
        (tmp_path / name).mkdir()
        iio.imwrite(tmp_path / name / "same.png", picture)
    save_model(MODEL, tmp_path / "model.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """lrp-ref's exit code, stdout and stderr."""
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())
    return run


@pytest.fixture
def done(run):
    """stdout of a command that must succeed and keep stderr silent."""
    def done(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out
    return done


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


def parsed(text):
    return json.loads(text, parse_constant=no_constant)


def explained(rules=None, target=None):
    return explain(NETWORK, MODEL.prepare(PIXELS), rules or paper_cnn(NETWORK), target)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- explain ----


def test_explain_prints_scores_from_the_highest_rules_and_ledger(done):
    e, lines = explained(), done("explain", "photo.png", "--model", "model.npz").splitlines()
    order = (-e.scores[0]).argsort()
    assert lines[0] == "photo.png: 21 x 30 pixels (height x width), seen by the model as 11 x 10 rgb"
    scores = lines[lines.index("scores") + 1:lines.index("rules") - 1]
    shown = [[MODEL.classes[n], f"{e.scores[0, n]:.4f}"] for n in order]
    assert [line.split()[:2] for line in scores[:3]] == shown
    assert [line.endswith("<- explained") for line in scores[:3]] == [True, False, False]
    assert lines[lines.index("rules") + 1:lines.index("rules") + 5] == [
        "  AlphaBeta(alpha=2, beta=1)  conv1, conv2, fc", "  Pass()                      relu1, relu2, flat",
        "  Winner()                    pool1", "  Epsilon(epsilon=0)          pool2"]
    assert "\n".join(lines).endswith(e.ledger.table())
    assert max(map(len, lines)) <= 100


def test_explain_prints_how_far_the_exact_relevance_can_be(done):
    b = bounds(NETWORK, MODEL.prepare(PIXELS), paper_cnn(NETWORK), 1)
    options = ["explain", "photo.png", "--model", "model.npz", "--class", "right", "--bound"]
    assert done(*options).endswith(f"\n\nbound: {b}\n")
    assert 0 < b.relative < 1e-12     # float64 has 1e-16; each of four layers that sum costs a digit
    assert parsed(done(*options, "--json"))["bound"] == {
        "relative": b.relative, "undecided": {"relu1": 0, "pool1": 0, "relu2": 0}, "infinite": None}
    assert "bound" not in parsed(done(*options[:-1], "--json"))
    assert report.finite(float("inf")) is None and report.finite(0.5) == 0.5


def test_a_bound_for_a_fisher_pipeline_is_refused_by_the_layer_that_has_none(run):
    scene = FIXTURES / "scenes" / "scene.png"
    code, out, err = run("explain", scene, "--model", "fv", "--bound", "--output", "heatmap.png")
    assert (code, out) == (2, "") and not Path("heatmap.png").exists()
    assert "bounds knows no ball for layer sift, a DenseSift" in err


def test_json_is_all_that_is_printed_and_holds_the_numbers_in_full(done):
    facts = parsed(done("explain", "photo.png", "--model", "model.npz", "--json", "--save", "e.npz"))
    e = explained()
    index = int(e.scores[0].argmax())
    scores = [{"index": n, "name": name, "score": e.scores[0, n]} for n, name in enumerate(MODEL.classes)]
    assert facts["scores"] == scores and facts["target"] == scores[index]
    assert facts["rules"] == {name: repr(rule) for name, rule in paper_cnn(NETWORK).items()}
    assert list(facts["ledger"]) == list(NETWORK.names[::-1])
    for name, account in facts["ledger"].items():
        assert account == dict(zip(COLUMNS, (column[0] for column in e.ledger[name].totals()), strict=True))
    assert facts["total"] == {name: values[0] for name, values in e.ledger.total().items()}
    given = {"image": "photo.png", "model": "model.npz", "output": None, "save": "e.npz"}
    assert {name: facts[name] for name in given} == given
    with np.load("e.npz", allow_pickle=False) as kept:
        assert kept["target"] == index   # the top score's, as none was asked for


def test_what_is_no_number_is_never_printed_as_json():
    with pytest.raises(ValueError, match="JSON"):
        command.dumped({"score": float("nan")})


def test_save_holds_relevance_heatmap_scores_target_and_rules_without_pickles(done):
    done("explain", "photo.png", "--model", "model.npz", "--class", "both", "--cutoff", "pool1",
         "--save", "e.npz")
    rules = cutoff(paper_cnn(NETWORK), "pool1")
    e = explained(rules, 2)
    with np.load("e.npz", allow_pickle=False) as kept:
        assert set(kept) == {"relevance", "heatmap", "scores", "target", "rules"}
        assert (kept["relevance"] == e.relevance).all() and kept["relevance"].shape == (1, 3, 11, 10)
        assert (kept["heatmap"] == heatmap(e.relevance)).all() and kept["heatmap"].shape == (1, 11, 10)
        assert (kept["scores"] == e.scores).all() and kept["scores"].shape == (1, 3)
        assert kept["target"].shape == () and kept["target"] == 2
        assert json.loads(str(kept["rules"])) == {name: repr(rule) for name, rule in rules.items()}


@pytest.mark.parametrize(("options", "limit", "colours"), [
    ((), None, "paper"), (("--percentile", "80", "--colours", "safe"), 80, "safe"),
])
def test_output_is_the_heatmap_at_the_photographs_own_size(done, options, limit, colours):
    out = done("explain", "photo.png", "--model", "model.npz", "--output", "heat.png", *options)
    values = heatmap(explained().relevance)[0]
    limit = None if limit is None else np.percentile(abs(values), limit)
    assert (iio.imread("heat.png") == Panel(relevance=values, limit=limit).pixels((21, 30), colours)).all()
    assert out.endswith("\nheatmap written to heat.png\n")


@pytest.mark.parametrize("shape", [(1, 1), (400, 3), (3, 400), (40, 30, 4)])
def test_a_photograph_of_any_shape_is_explained_at_its_own_size(done, shape):
    iio.imwrite("any.png", rng.integers(0, 256, shape, dtype=np.uint8))
    done("explain", "any.png", "--output", "heat.png", "--model", "model.npz")
    assert iio.imread("heat.png").shape == (*shape[:2], 3)


def test_a_heatmap_lies_as_the_turned_photograph_is_seen(done):
    from PIL import Image  # imageio writes no orientation

    exif = Image.Exif()
    exif[0x0112] = 6   # a quarter turn
    Image.fromarray(PIXELS).save("turned.jpg", exif=exif)
    assert done("explain", "turned.jpg", "--model", "model.npz", "--output", "heat.png").startswith(
        "turned.jpg: 30 x 21 pixels")
    assert iio.imread("heat.png").shape == (30, 21, 3)


def test_a_class_by_name_and_by_index_is_the_same(done):
    one, other = (parsed(done("explain", "photo.png", "--model", "model.npz", "--json", "--class", given))
                  for given in ("both", "2"))
    assert one == other and one["target"]["index"] == 2
    assert one["ledger"]["fc"]["received"] == one["scores"][2]["score"]


def test_rule_first_and_cutoff_reach_every_layer(done):
    rules = assign(NETWORK, {Conv2D: Epsilon(0.5), Linear: Epsilon(0.5)}, first=ZBox(-2.0, 2.0))
    for options, wanted in (([], rules), (["--cutoff", "relu1"], cutoff(rules, "relu1"))):
        facts = parsed(done("explain", "photo.png", "--model", "model.npz", "--json", "--rule", "epsilon:0.5",
                            "--first", "zbox", *options))
        assert facts["rules"] == {name: repr(rule) for name, rule in wanted.items()}


def test_the_first_of_several_images_is_used_with_one_note(run):
    frames = [PIXELS[:, :, 0], PIXELS[::-1, :, 0]]
    iio.imwrite("moving.gif", frames)
    iio.imwrite("still.gif", frames[0])
    code, out, err = run("explain", "moving.gif", "--model", "model.npz", "--json")
    assert (code, err) == (0, "lrp-ref: note: moving.gif holds 2 images: only the first is used\n")
    still = run("explain", "still.gif", "--model", "model.npz", "--json")[1]
    assert parsed(out)["scores"] == parsed(still)["scores"]


def test_what_numpy_warns_of_is_no_note(done, monkeypatch):
    def warned(path):
        return read_photograph(path) + 0 * (np.ones(1) / np.zeros(1) > 0)

    monkeypatch.setattr(command, "read_photograph", warned)
    done("explain", "photo.png", "--model", "model.npz")


def test_a_note_is_not_printed_beside_an_error(run):
    iio.imwrite("moving.gif", [PIXELS[:, :, 0], PIXELS[::-1, :, 0]])
    code, _, err = run("explain", "moving.gif", "--percentile", "0")
    assert code == 2 and err.startswith("lrp-ref: error: percentile 0") and err.count("\n") == 1


# ---- Scores and rules as text ----


def model_of(scores, names=None):
    return Model(NETWORK, names or [f"class {n}" for n in range(len(scores))], RGB)


def test_of_many_scores_the_ten_highest_are_printed_and_always_the_explained_one():
    scores = np.array([(7 * n) % 25 - 3.0 for n in range(25)])   # every whole number from -3 to 21
    for index, last in ((int(scores.argmax()), 12), (int(scores.argmin()), -3)):
        lines = report.scores_text(model_of(scores), scores, index).splitlines()
        assert [float(line.split()[2]) for line in lines[:10]] == [*range(21, 12, -1), last]
        assert [line.split()[1] for line in lines if "<- explained" in line] == [str(index)]
        assert lines[10] == "  (15 more)"


def test_small_scores_are_not_printed_as_zeros():
    scores = np.array([3e-7, -4.5e-8])
    assert report.scores_text(model_of(scores, ["a", "longer"]), scores, 0).splitlines() == [
        "  a       3.0000e-07   <- explained", "  longer -4.5000e-08"]


@pytest.mark.parametrize(("score", "words"), [(-2.0, "negative score"), (0.0, "score of 0"), (0.5, "")])
def test_what_relevance_starts_from_is_said_where_it_is_not_positive(score, words):
    lines = report.scores_text(model_of([1, 2]), np.array([3.0, score]), 1).splitlines()
    assert len(lines) == 2 + bool(words) and words in lines[-1]


def test_a_long_class_name_is_cut():
    line, = report.scores_text(model_of([1], ["x" * 300]), np.array([2.5]), 0).splitlines()
    assert line.startswith(f"  {'x' * 57}... ") and len(line) < 100


def test_many_layers_of_a_rule_are_wrapped_and_long_bounds_shortened():
    bounds = ZBox((-2.1179039301310043, 0.0, -1.8044444444444445), (2.2489082969432315, 1.0, 2.64))
    rules = {"conv": bounds, **{f"features.{n}": AlphaBeta(2, 1) for n in range(40)}}
    lines = report.rules_text(rules).splitlines()
    assert lines[0] == "  ZBox(low=(-2.1179, 0.0, -1.80444), high=(2.24891, 1.0, 2.64))  conv"
    assert lines[1].startswith("  AlphaBeta(alpha=2, beta=1)") and max(map(len, lines)) <= 100
    assert report.rules_text({"convolution" * 4: bounds}).splitlines() == [
        lines[0].removesuffix("  conv"), " " * 37 + "convolution" * 4]   # a rule stays in one piece
    assert " ".join(lines[1:]).split()[2:] == [f"features.{n}," for n in range(39)] + ["features.39"]


# ---- figure and demo ----


@pytest.fixture
def rows(monkeypatch):
    """The rows of every figure that is drawn."""
    seen, draw = [], figures.figure
    monkeypatch.setattr(figures, "figure", lambda *given: seen.append(given[1]) or draw(*given))
    return seen


def test_photographs_of_one_name_are_told_apart_by_their_folders(done, rows):
    done("figure", "one/same.png", "photo.png", "two/same.png", "--cnn", "model.npz")
    assert [row.label.splitlines()[0] for row in rows[0]] == ["one/same.png", "photo.png", "two/same.png"]
    for row, path in zip(rows[0], ["one/same.png", "photo.png", "two/same.png"], strict=True):
        assert (row.panels[0].photograph == iio.imread(path) / 255).all()


def test_a_photograph_given_twice_is_drawn_twice(done, rows):
    done("figure", "photo.png", "photo.png", "--cnn", "model.npz")
    assert len(rows[0]) == 2


def test_a_figure_takes_class_rule_cut_off_and_percentile_and_says_its_size(done, rows):
    out = done("figure", "photo.png", "--cnn", "model.npz", "--class", "both", "--rule", "zplus",
               "--first", "flat", "--cutoff", "pool1", "--percentile", "75", "--output", "f.png")
    height, width, _ = iio.imread("f.png").shape
    assert out == f"figure written to f.png, {height} x {width} pixels\n" and width <= 1600
    panels = rows[0][0].panels
    rules = assign(NETWORK, {Conv2D: ZPlus(), Linear: ZPlus()}, first=Flat())
    assert (panels[1].relevance == heatmap(explained(rules, 2).relevance)[0]).all()
    assert (panels[4].relevance == heatmap(explained(cutoff(rules, "pool1"), 2).relevance)[0]).all()
    assert panels[1].limit == np.percentile(abs(panels[1].relevance), 75)


def test_a_figure_goes_to_figure_png_unless_told_otherwise(done, folder):
    done("figure", "photo.png", "--cnn", "model.npz")
    assert iio.imread(folder / "figure.png").ndim == 3


def test_the_demo_explains_the_bundled_scene_with_both_models_and_draws_it(done, folder):
    scene = FIXTURES / "scenes" / "scene.png"
    out = done("demo", "--output", "demo.png")
    done("figure", scene, "--class", "cat", "--cnn", "cnn", "--fv", "fv", "--output", "again.png")
    assert (folder / "demo.png").read_bytes() == (folder / "again.png").read_bytes()
    cnn, fv = (done("explain", scene, "--class", "cat", "--model", name) for name in ("cnn", "fv"))
    assert out.startswith(f"{cnn}\n{fv}\nfigure written to demo.png, ")
    known = "brick, grass, gravel, cat, text, stars"
    assert f"(the bundled model cnn knows {known} and nothing else)" in cnn
    assert f"(the bundled model fv knows {known} and nothing else)" in fv


# ---- Fisher pipelines ----


@pytest.fixture
def fisher(folder):
    """fisher.npz, a model of its own beside model.npz, and a photograph of which half has no contrast."""
    save_model(fisher_model(), folder / "fisher.npz")
    iio.imwrite(folder / "half.png", (255 * half_flat()).astype(np.uint8))
    return load_model(folder / "fisher.npz")


def fisher_explained(model, below=None, target=None):
    x = model.prepare(iio.imread("half.png"))
    network = model.network(x.shape)
    rules = paper_fv(network)
    return network, explain(network, x, cutoff(rules, below) if below else rules, target)


def test_explain_takes_a_fisher_pipeline_at_the_photographs_own_size(done, fisher):
    network, e = fisher_explained(fisher)
    out = done("explain", "half.png", "--model", "fisher.npz", "--save", "e.npz", "--output", "map.png")
    assert out.startswith("half.png: 21 x 30 pixels (height x width), seen by the model as 21 x 30 grey\n")
    lines = out.splitlines()
    assert lines[lines.index("rules") + 1:lines.index("rules") + 5] == [
        "  Flat()                sift", "  Epsilon(epsilon=100)  pca, fisher",
        "  Pass()                norm, root, norm_all", "  Epsilon(epsilon=0)    svm"]
    assert e.ledger.table() in out
    assert out.split("\nof which\n")[1].startswith("\n".join(part.line(e) for part in of_which(network, e)))
    with np.load("e.npz") as saved:
        assert (saved["relevance"] == e.relevance).all() and saved["heatmap"].shape == (1, 21, 30)
    assert iio.imread("map.png").shape == (21, 30, 3)


def test_a_tall_photograph_is_made_as_tall_as_the_pipeline_wants(done, fisher):
    iio.imwrite("tall.png", np.tile(iio.imread("half.png"), (4, 1)))
    assert "84 x 30 pixels (height x width), seen by the model as 40 x 14 grey" in done(
        "explain", "tall.png", "--model", "fisher.npz")


def test_json_of_a_fisher_pipeline_says_of_which(done, fisher):
    network, e = fisher_explained(fisher, "fisher", 1)
    facts = parsed(done("explain", "half.png", "--model", "fisher.npz", "--cutoff", "fisher", "--class", "far",
                        "--json"))
    assert facts["of_which"] == [{"layer": part.layer, "column": part.column, "what": part.what,
                                  "amount": part.amount[0]} for part in of_which(network, e)]
    assert facts["rules"]["pca"] == "Flat()" and facts["target"]["name"] == "far"


def test_a_rule_for_every_layer_with_weights_is_also_the_fisher_vectors(done, fisher):
    facts = parsed(done("explain", "half.png", "--model", "fisher.npz", "--rule", "epsilon:3", "--json"))
    assert facts["rules"]["fisher"] == facts["rules"]["svm"] == "Epsilon(epsilon=3.0)"


def test_layers_lists_the_squares_that_descriptors_cover(done, fisher):
    listed = {row["name"]: row for row in parsed(done("layers", "fisher.npz", "--size", "21x30", "--json"))}
    # rows: size 3 begins at 1, (20 - 1 - 9) // 2 + 1 = 6; size 4 at 0, (20 - 12) // 2 + 1 = 5;
    # columns alike (29 - 1 - 9) // 2 + 1 = 10, (29 - 12) // 2 + 1 = 9: 60 + 45
    assert listed["pca"]["input"] == [105, 128] and listed["fisher"]["output"] == [72]
    assert {name: row["sees_squares"] for name, row in listed.items()} == {
        "sift": [12, 16], "pca": [12, 16], **dict.fromkeys(("fisher", "norm", "root", "norm_all", "svm"))}
    assert {name: row["cutoff_below_spreads_over_squares"] for name, row in listed.items()} == {
        "sift": None, "pca": [3, 4], "fisher": [12, 16], **dict.fromkeys(("norm", "root", "norm_all", "svm"))}
    table = done("layers", "fisher.npz").splitlines()
    assert table[0] == "(for photographs of 40 x 40; --size HxW for others)"
    assert re.split("  +", table[4])[4:] == ["the whole image", "squares of 12, 16"]


def test_a_figure_has_a_row_for_either_kind_of_model(done, fisher, rows):
    done("figure", "photo.png", "half.png", "--cnn", "model.npz", "--fv", "fisher.npz")
    labels = [row.label.splitlines() for row in rows[0]]
    assert [label[0] for label in labels] == ["photo.png", "photo.png", "half.png", "half.png"]
    assert [label[1].split(",")[0] for label in labels] == ["cnn", "fv", "cnn", "fv"]
    fv = rows[0][3].panels
    assert fv[4] is None and rows[0][2].panels[4] is not None
    for panel, below in ((fv[1], None), (fv[2], "fisher")):
        assert (panel.relevance == heatmap(fisher_explained(fisher, below)[1].relevance)[0]).all()
    assert (fv[3].relevance == fv[2].relevance).all() and fv[3].photograph is not None


@pytest.mark.parametrize(("arguments", "got", "cure"), [
    ("figure half.png --cnn fisher.npz", "--cnn fisher.npz", "write --fv fisher.npz"),
    ("figure half.png --fv model.npz", "--fv model.npz", "write --cnn model.npz"),
    ("explain half.png --model fisher.npz --first flat", "first=...", "give rules by name"),
    ("explain half.png --model fisher.npz --cutoff fischer", "'fischer'", "did you mean 'fisher'?"),
    ("explain small.png --model fisher.npz", "12 x 30", "use a larger image or smaller sizes"),
    ("explain half.png --model fisher.npz --size 12x9", "--size 12x9", "use a larger image or smaller sizes"),
])
def test_what_a_fisher_pipeline_cannot_do_is_one_line_with_the_cure(run, fisher, arguments, got, cure):
    iio.imwrite("small.png", iio.imread("half.png")[:12])
    code, out, err = run(*arguments.split())
    assert (code, out) == (2, "") and err.count("\n") == 1 and got in err and cure in err


def test_a_figure_of_one_kind_of_model_has_that_ones_rows_alone(done, fisher, rows):
    done("figure", "half.png", "--fv", "fisher.npz")
    assert len(rows[0]) == 1 and len(rows[0][0].panels) == 4


# ---- models and layers ----


def test_models_lists_what_the_bundled_models_know(done):
    cnn = load_model(FIXTURES / "cnn.npz")
    fv = load_model(FIXTURES / "fv.npz")
    listed = parsed(done("models", "--json"))
    assert listed == {"cnn": {"classes": list(cnn.classes), "size": [128, 128], "colour": "grey", "tallest": None,
                              "parameters": 44894, "provenance": cnn.provenance},
                      "fv": {"classes": list(fv.classes), "size": None, "colour": "grey", "tallest": 480,
                             "parameters": 80 * 128 + 32 + 2 * 32 * 80 + 6 * 8 * 2 * 32 * 80 + 6,
                             "provenance": fv.provenance}}
    out = done("models")
    assert "knows brick, grass, gravel, cat, text, stars\n" in out
    assert "for your own, bring your own model" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


def test_layers_lists_shapes_and_fields_to_choose_a_cut_off_by(done):
    listed = parsed(done("layers", "model.npz", "--json"))
    assert [row["name"] for row in listed] == list(NETWORK.names)
    assert [row["type"] for row in listed] == [type(layer).__name__ for _, layer in LAYERS]
    shapes = [[3, 11, 10], [4, 9, 8], [4, 9, 8], [4, 4, 4], [2, 3, 3], [2, 1, 3], [2, 1, 3], [6], [3]]
    assert [row["input"] for row in listed] == shapes[:-1] and [row["output"] for row in listed] == shapes[1:]
    # 3 x 3; pooled 2 x 2: 4 x 4, step 2; conv 2 x 2: 4 + 2 = 6; pooled 3 x 1: 6 + 2 * 2 = 10 high, step 6 x 2
    spreads = [[1, 1], [3, 3], [3, 3], [4, 4], [6, 6], [10, 6], [10, 6], [10, 6]]
    assert [row["cutoff_below_spreads_over"] for row in listed] == spreads
    assert listed[4]["sees"] == {"size": [10, 6], "step": [6, 2], "start": [0, 0]}
    assert listed[7]["sees"] is None
    table = done("layers", "model.npz").splitlines()
    assert re.split("  +", table[5]) == ["pool2", "AvgPool", "2 x 3 x 3", "2 x 1 x 3",
                                         "10 x 6, step 6 x 2, from 0, 0", "6 x 6"]
    assert re.split("  +", table[8])[4:] == ["the whole image", "10 x 6"] and len(table) == 9


def test_every_name_that_layers_prints_is_a_cut_off(done):
    for line in done("layers", "model.npz").splitlines()[1:]:
        done("explain", "photo.png", "--model", "model.npz", "--cutoff", line.split()[0])


def test_layers_of_a_text_model_of_two_channels_are_listed(done):
    layers = "layers", FIXTURES / "toolbox_small" / "sumpool.txt", "--size", "13x9"
    listed = parsed(done(*layers, "--json"))
    assert listed[0]["input"] == [2, 13, 9] and listed[-1]["output"] == [3]
    assert listed[-1]["cutoff_below_spreads_over"] is None   # below the second fully connected layer
    assert re.split("  +", done(*layers).splitlines()[-1])[4:] == ["the whole image", "the whole image"]


def test_a_text_model_explains_a_photograph_and_says_that_its_softmax_is_gone(run):
    Path("net.txt").write_text("Convolution 2 3 1 2 2 1\n1 -2 3 0 5 -1 2 2 -3 1 1 4\n0 1\n"
                               "Rect\nFlatten\nLinear 4 2\n1 2 -3 4 5 -6 7 8\n0 0\nSoftMax\n")
    code, out, err = run("explain", "photo.png", "--model", "net.txt", "--size", "2x4", "--json")
    assert code == 0 and [score["name"] for score in parsed(out)["scores"]] == ["0", "1"]
    assert err.startswith("lrp-ref: note: net.txt: the final SoftMax was dropped") and err.count("\n") == 1


def test_a_size_is_given_where_the_model_does_not_say_it(done):
    save_model(Model(NETWORK, MODEL.classes, Preprocessing(None, "rgb", mean=0.5, std=0.25)), "nosize.npz")
    given, known = (parsed(done("explain", "photo.png", "--json", "--model", *options))
                    for options in (("nosize.npz", "--size", "11x10"), ("model.npz",)))
    assert given["scores"] == known["scores"]


# ---- evaluate ----


@pytest.fixture
def quick(monkeypatch):
    """Fewer scenes for the histogram baseline to learn from."""
    monkeypatch.setattr(evaluate, "OTHERS", 5)


def test_evaluate_prints_the_table_of_its_scenes(done, quick):
    out = done("evaluate", "--model", "cnn", "--count", "7", "--seed", "3")
    models, scenes = {"cnn": load_model(FIXTURES / "cnn.npz")}, evaluate.bundled(7, 3)
    table = evaluate.evaluate(models, scenes)
    assert out.startswith(f"average precision (VOC 2007, 11 points) on 7 test scenes, seed 3\n{table}\n\n")
    studies = {"cnn": study(models["cnn"], scenes)}
    assert out == experiment_report.text(scenes, table, studies) + "\n"
    assert len(studies["cnn"].scores) == sum(scene.labels.sum() for scene in scenes.scenes)


def test_a_class_in_no_scene_is_null_in_json(done, quick):
    table = parsed(done("evaluate", "--model", "cnn", "--count", "1", "--json"))
    precisions = table["average_precision"]
    assert table["count"] == 1 and table["seed"] == 2016
    assert list(precisions) == ["brick", "grass", "gravel", "cat", "text", "stars", "mean"]
    unseen = {name: row for name, row in precisions.items() if row["prevalence"] == 0}
    assert unseen and {tuple(row.values()) for row in unseen.values()} == {(0, None, None)}
    assert precisions["mean"]["cnn"] == 1   # one scene, whose classes come first and last


def test_evaluate_announces_every_scene(quick):
    heard = []
    evaluate.evaluate({"cnn": load_model(FIXTURES / "cnn.npz")}, evaluate.bundled(3, watch=heard.append), heard.append)
    assert heard[1:] == [f"cnn: scene {n} of 3" for n in (1, 2, 3)]


def test_without_a_model_all_bundled_ones_are_evaluated_side_by_side(done, quick, folder):
    shutil.copy(FIXTURES / "cnn.npz", folder / "other.npz")
    (folder / "one" / "other.npz").symlink_to(folder / "other.npz")
    given = parsed(done("evaluate", "--count", "2", "--json", "--model", "other.npz", "--model", "cnn",
                        "--model", "one/other.npz"))
    assert list(given["models"]) == ["other.npz", "cnn", "one/other.npz"]     # the path where the name says too little
    assert given["models"]["other.npz"] == given["models"]["cnn"] == given["models"]["one/other.npz"]
    assert list(given["average_precision"]["mean"]) == ["prevalence", "histogram", "other.npz", "cnn", "one/other.npz"]
    assert list(parsed(done("evaluate", "--count", "2", "--json"))["models"]) == list(BUNDLED)


def test_evaluate_writes_a_plot_and_arrays_of_the_numbers_that_it_prints(done, quick, folder):
    out = done("evaluate", "--model", "cnn", "--count", "3", "--plot", "plot.png", "--save", "arrays.npz")
    assert out.endswith("plot written to plot.png\narrays written to arrays.npz\n")
    picture, arrays = iio.imread(folder / "plot.png"), np.load(folder / "arrays.npz")
    scenes = evaluate.bundled(3)
    kept = study(load_model(FIXTURES / "cnn.npz"), scenes)
    assert (picture == plot({"cnn": kept}).pixels).all()
    for name, values in experiment_report.arrays(scenes, {"cnn": kept}).items():
        np.testing.assert_array_equal(arrays[name], values)


@pytest.fixture
def voc(folder):
    """A folder in VOC's layout: on one photograph something is left; on another, difficult, something is right."""
    for part in ("JPEGImages", "ImageSets/Main", "Annotations"):
        (folder / "voc" / part).mkdir(parents=True)
    sets = {"test.txt": "1\n2\n", "left_test.txt": "1 1\n2 -1\n", "right_test.txt": "1 -1\n2 0\n",
            "val.txt": "2\n", "sofa_val.txt": "2 -1\n"}
    for name, text in sets.items():
        (folder / "voc" / "ImageSets" / "Main" / name).write_text(text)
    for name, what, difficult in (("1", "left", 0), ("2", "right", 1)):
        iio.imwrite(folder / "voc" / "JPEGImages" / f"{name}.jpg", PIXELS)
        (folder / "voc" / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><size><width>30</width><height>21</height></size><object><name>{what}</name><difficult>"
            f"{difficult}</difficult><bndbox><xmin>1</xmin><ymin>3</ymin><xmax>12</xmax><ymax>20</ymax></bndbox>"
            "</object></annotation>")
    return folder / "voc"


def test_evaluate_reads_a_folder_in_the_layout_of_voc(done, voc):
    given = parsed(done("evaluate", "voc", "--model", "model.npz", "--json"))
    assert given["images"] == "2 photographs of voc, set test" and given["explained_images"] == 1
    assert given["average_precision"]["left"]["prevalence"] == 1 / 2
    assert given["average_precision"]["right"] == {"prevalence": 0, "model.npz": None}
    both = "evaluate", "voc", "--model", "model.npz", "--difficult", "count", "--json"
    counting = parsed(done(*both, "--set", "test"))
    assert counting["average_precision"]["right"]["prevalence"] == 1 / 2 and counting["explained_images"] == 2
    assert counting["models"]["model.npz"]["explained"] + counting["models"]["model.npz"]["left_out"] == 2
    one = parsed(done(*both, "--count", "1"))
    assert one["explained_images"] == 1 and one["average_precision"] == counting["average_precision"]


# ---- Everything that is wrong ----


@pytest.fixture
def broken(folder):
    """Files that are not what they seem, by name."""
    model = (folder / "model.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(model[:len(model) // 2])
    np.savez(folder / "foreign.npz", a=np.arange(3))
    np.savez(folder / "pickled.npz", manifest=np.array([{}], dtype=object))
    (folder / "short.txt").write_text("Linear 3 2\n1 2 3 4 5 6\n")
    (folder / "mlp.txt").write_text("Linear 4 2\n1 2 3 4 5 6 7 8\n0 0\n")
    (folder / "fake.png").write_text("hello")
    (folder / "huge.npz").mkdir()
    large = [("flat", Flatten()),
             ("fc1", Linear(np.full((330, 3), 1e300))), ("fc2", Linear(np.full((3, 3), 1e300)))]
    save_model(Model(Network(large), MODEL.classes, RGB), folder / "large.npz")
    save_model(Model(NETWORK, ["left", "right"], RGB), folder / "names.npz")
    save_model(Model(Network(LAYERS[:3]), list("abcd"), RGB), folder / "open.npz")
    save_model(Model(NETWORK, MODEL.classes, Preprocessing(None, "rgb")), folder / "nosize.npz")
    return folder


X = "explain photo.png --model model.npz "
WRONG = [
    # the command line itself
    ("", "COMMAND", "lrp-ref --help"),
    ("explian photo.png", "'explian'", "'explain', 'figure', 'demo', 'models', 'layers', 'evaluate'"),
    ("explain", "IMAGE", "lrp-ref explain --help"),
    (X + "--ouput heat.png", "got --ouput heat.png", "did you mean --output?"),
    (X + "other.png", "got photo.png and other.png", "lrp-ref figure for several"),
    (X + "--output", "--output", "expected one argument"),
    (X + "--percentile most", "'most'", "--percentile"),
    (X + "--colours red", "'red'", "'paper', 'safe'"),
    ("evaluate --count few", "'few'", "--count"),
    ("evaluate --count 0", "--count 0", "at least 1"),
    ("evaluate --seed -1", "--seed -1", "at least 0"),
    # the photograph
    ("explain missing.png", "missing.png", "does not exist"),
    ("explain fake.png", "fake.png is no image", "PNG, JPEG or TIFF"),
    ("explain one", "one is a directory", "give an image file"),
    ("figure photo.png missing.png", "missing.png", "does not exist"),
    ("figure" + 101 * " missing.png", "101 photographs", "1 to 50"),
    # the model
    ("explain photo.png --model ccn", "'ccn'", "fv, or the path of a model file"),
    ("explain photo.png --model missing.npz", "missing.npz", "give the path"),
    ("explain photo.png --model huge.npz", "huge.npz", "give the path"),
    ("explain photo.png --model photo.png", "photo.png", "needed .npz"),
    ("explain photo.png --model truncated.npz", "truncated.npz", "truncated"),
    ("explain photo.png --model foreign.npz", "foreign.npz", "no manifest"),
    ("explain photo.png --model pickled.npz", "pickled.npz", "never loaded"),
    ("explain photo.png --model short.txt", "short.txt ends after line 2", "2 numbers for the biases"),
    ("explain photo.png --model large.npz", "fc2", "NaN or infinity"),
    ("explain photo.png --model names.npz", "2 class names", "(3,)"),
    ("figure photo.png --cnn open.npz", "(4, 4, 4)", "Flatten()"),
    ("explain photo.png --model nosize.npz", "the size of its input", "--size HxW"),
    ("layers nosize.npz", "the size of its input", "--size HxW"),
    ("explain photo.png --model mlp.txt --size 2x2", "--size 2x2", "Flatten()"),
    (X + "--size 3x3", "--size 3x3, which does not fit the model: layer pool1", "larger"),
    (X + "--size 9", "--size 9", "227x227"),
    (X + "--size 0x9", "--size 0x9", "height x width"),
    (X + "--size 99999x99999", "--size 99999x99999", "does not fit"),
    ("evaluate --model model.npz", "left, right, both", "its own classes"),
    ("evaluate --model cnn --model model.npz", "model.npz knows left, right, both", "its own classes"),
    ("evaluate --model cnn --model ./model.npz --model cnn", "--model cnn twice", "every model once"),
    ("evaluate missing", "missing/ImageSets/Main/test.txt", "layout of VOC 2007"),
    ("evaluate --set val", "--set val", "needed SCENES"),
    ("evaluate --difficult count", "--difficult count", "needed SCENES"),
    ("evaluate --set tset", "'tset'", "'trainval'"),
    ("evaluate voc --set val --model model.npz", "sofa", "its own classes"),
    ("evaluate voc --set train --model model.npz", "train.txt", "layout of VOC 2007"),
    # what is explained, and how
    (X + "--class write", "'write'", "did you mean 'right'?"),
    (X + "--class 3", "'3'", "0 to 2: left, right, both"),
    (X + "--rule epsylon:1", "'epsylon:1'", "did you mean 'epsilon'?"),
    (X + "--first zbocks", "'zbocks'", "did you mean 'zbox'?"),
    (X + "--cutoff pol1", "'pol1'", "did you mean 'pool1'?"),
    ("figure photo.png --cnn model.npz --cutoff pol1", "'pol1'", "did you mean 'pool1'?"),
    ("figure missing.png --cnn model.npz --rule epsylon", "'epsylon'", "did you mean 'epsilon'?"),
    (X + "--percentile 101", "percentile 101", "at most 100"),
    # what is written
    (X + "--output nowhere/heat.png", "nowhere", "make it or choose another path"),
    (X + "--output one", "one", "it is a folder"),
    (X + "--output model.npz/heat.png", "not a folder", "choose another path"),
    (X + "--output heat.wrong", "'.wrong'", ".png or .jpg"),
    (X + "--output photo.png", "--output photo.png", "would be lost"),
    (X + "--output one/../photo.png", "photo.png", "would be lost"),
    (X + "--save heat.png", "--save heat.png", ".npz"),
    (X + "--save model.npz", "--save model.npz", "would be lost"),
    ("evaluate missing --plot plot.wrong", "'.wrong'", ".png or .jpg"),
    ("evaluate missing --plot nowhere/plot.png", "nowhere", "make it"),
    ("evaluate voc --plot voc/JPEGImages/1.jpg", "--plot voc/JPEGImages/1.jpg", "would be lost"),
    ("evaluate missing --save arrays.txt", "--save arrays.txt", ".npz"),
    ("evaluate missing --model model.npz --save model.npz", "--save model.npz", "would be lost"),
    ("figure one/same.png photo.png --output photo.png", "--output photo.png", "would be lost"),
    ("figure photo.png --cnn model.npz --output nowhere/f.png", "nowhere", "make it"),
    ("demo --output nowhere/f.png", "nowhere", "make it"),
]


@pytest.mark.parametrize(("command", "got", "cure"), WRONG, ids=[line[0][:50] or "nothing" for line in WRONG])
def test_every_error_is_one_line_with_the_cure_and_leaves_every_file(run, broken, voc, quick, command, got, cure):
    before = files(broken)
    code, out, err = run(*command.split())
    assert (code, out) == (2, "")
    assert err.startswith("lrp-ref: error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert got in err and cure in err
    assert files(broken) == before


def test_an_existing_output_survives_a_disk_that_is_full(run, folder, monkeypatch):
    from PIL import Image

    def half(image, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (folder / "heat.png").write_bytes(b"yesterday's")
    before = files(folder)
    monkeypatch.setattr(Image.Image, "save", half)
    code, out, err = run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot write heat.png: No space left on device" in err
    assert files(folder) == before


def test_an_existing_output_is_replaced_by_a_run_that_succeeds(done, folder):
    (folder / "heat.png").write_bytes(b"yesterday's")
    done("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")
    assert iio.imread("heat.png").shape == (21, 30, 3)


@pytest.mark.parametrize(("error", "code", "line"), [
    (KeyboardInterrupt(), 130, "lrp-ref: interrupted\n"),
    (MemoryError("got 9"), 2, "lrp-ref: error: not enough memory (got 9): use a smaller --size, or smaller "
     "or fewer photographs\n"),
    (OSError("a\nb"), 2, "lrp-ref: error: a b\n"),
])
def test_what_ends_the_work_is_said_on_one_line(run, folder, monkeypatch, error, code, line):
    def fail(*_):
        raise error

    before = files(folder)
    monkeypatch.setattr(command, "explain", fail)
    assert run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png") == (code, "", line)
    assert files(folder) == before


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(command, "explain", lambda *_: {}["mistake"])
    with pytest.raises(KeyError):
        main(["explain", "photo.png", "--model", "model.npz"])


# ---- Pipes, terminals, help ----


class Full(io.StringIO):
    """A stream that buffers, and then cannot get rid of what it holds."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise OSError(self.error, os.strerror(self.error))


PRINTING = pytest.mark.parametrize("arguments", [["layers", "model.npz"], ["--help"]], ids=["layers", "help"])


@PRINTING
def test_a_reader_who_has_gone_is_no_error(capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdout", Full(errno.EPIPE))
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert (code, capsys.readouterr().err) == (0, "")


@PRINTING
def test_a_result_that_cannot_be_printed_is_an_error_of_one_line(capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdout", Full(errno.ENOSPC))
    assert main(arguments) == 2
    assert capsys.readouterr().err == ("lrp-ref: error: cannot print the result: No space left on device: "
                                       "is the disk full?\n")


def test_without_stderr_an_error_is_not_printed_elsewhere(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["explain", "missing.png"]) == 2 and capsys.readouterr().out == ""


def test_without_stdout_and_stderr_the_files_are_written_all_the_same(monkeypatch, folder):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["explain", "photo.png", "--model", "model.npz", "--output", "heat.png"]) == 0
    assert main(["explain", "missing.png"]) == 2
    monkeypatch.undo()
    assert iio.imread(folder / "heat.png").shape == (21, 30, 3)


def test_a_name_that_stdout_cannot_encode_is_printed_with_backslashes(monkeypatch, folder):
    (folder / "kätzchen\udcff.png").write_bytes((folder / "photo.png").read_bytes())
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", written)
    assert main(["explain", "kätzchen\udcff.png", "--model", "model.npz"]) == 0
    assert written.buffer.getvalue().startswith(b"k\\xe4tzchen\\udcff.png: 21 x 30 pixels")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_one_line_on_a_terminal_and_wiped_before_anything_else(monkeypatch, run):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")[0] == 0
    up, down = list(NETWORK.names), list(NETWORK.names[::-1])
    shown = ["reading photo.png", *up, *down, "writing heat.png"]
    assert screen.getvalue() == "".join(f"\r\x1b[K{text}" for text in [*shown, ""])
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert run("explain", "photo.png", "--class", "katze")[0] == 2
    assert screen.getvalue().startswith("\r\x1b[Klrp-ref: error: got the class 'katze'")


def test_progress_of_a_figure_names_every_photograph(monkeypatch, run):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert run("figure", "one/same.png", "two/same.png", "--cnn", "model.npz")[0] == 0
    shown = screen.getvalue().split("\r\x1b[K")
    assert shown[1:4] == ["reading one/same.png", "reading two/same.png", "1 of 2, one/same.png: conv1"]
    assert shown[-3:] == ["2 of 2, two/same.png: conv1", "writing figure.png", ""]


LRP_REF = [sys.executable, "-m", "lrp_ref"]


def test_the_program_is_the_module():
    programs = [entry.value for entry in distribution("lrp-ref").entry_points if entry.group == "console_scripts"]
    assert programs == ["lrp_ref.command.cli:main"]
    result = subprocess.run([*LRP_REF, "layers", "cnn", "--size", "9"], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"lrp-ref: error: got --size 9")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_a_real_terminal_sees_progress_while_the_pipe_gets_json():
    ours, theirs = os.openpty()
    seen = []

    def watch():
        try:
            while part := os.read(ours, 4096):
                seen.append(part)
        except OSError:   # Linux says EIO where the other end is closed
            pass

    reader = threading.Thread(target=watch)
    reader.start()
    result = subprocess.run([*LRP_REF, "explain", "photo.png", "--model", "model.npz", "--json"],
                            stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert parsed(result.stdout)["scores"][1]["name"] == "right"
    screen = b"".join(seen)
    assert screen.startswith(b"\r\x1b[Kreading photo.png\r\x1b[Kconv1") and screen.endswith(b"\r\x1b[K")


def test_a_closed_pipe_ends_in_silence_with_the_files_written(folder):
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*LRP_REF, "explain", "photo.png", "--output", "heat.png"],
                            stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")
    assert iio.imread(folder / "heat.png").shape == (21, 30, 3)


def test_help_is_quick_to_come_since_nothing_heavy_is_imported():
    code = ("import sys\nfrom lrp_ref.command.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n"
            "    print([name for name in ('scipy', 'imageio', 'PIL', 'torch') if name in sys.modules])")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]" and result.stderr == ""
    assert "know six textures" in " ".join(result.stdout.split())


@pytest.mark.parametrize("command", ["explain", "figure", "demo", "models", "layers", "evaluate"])
def test_the_help_of_every_command_says_that_the_bundled_models_know_six_textures(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and words.startswith(f"usage: lrp-ref {command}")
    assert "know six textures (brick, grass, gravel, cat, text, stars)" in words
    assert "bring your own model" in words


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"lrp-ref {lrp_ref.__version__}\n"


@pytest.mark.parametrize("command", ["explain", "figure"])
def test_an_extension_that_no_image_has_is_refused_first(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "no such photograph.png", "--output", "heatmap.xyz"]) == 2
    assert "no image format is called '.xyz'" in capsys.readouterr().err
