"""lrp-ref models, layers and evaluate: what they say of models and of their maps."""

import os
import re
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from at_hand import FIXTURES, LAYERS, MODEL, NETWORK, files, parsed

from lrp_ref import (
    AdaptiveAvgPool,
    Conv2D,
    Flatten,
    Linear,
    Model,
    Network,
    Preprocessing,
    ReLU,
    load_model,
    save_model,
)
from lrp_ref.models.bundled import PAPERS
from lrp_ref.paper import precision as evaluate
from lrp_ref.paper import report as experiment_report
from lrp_ref.paper.plot import plot
from lrp_ref.paper.study import study

# ---- models and layers ----


# The convolution and the patches; the token and all places; of three blocks queries, keys, values and what is read,
# two matrices between 64 and 128, two norms, the root of 16 that divides queries; then the last norm, and the scores.
VIT = (24 * 121 + 24) + (64 * 24 * 4 + 64) + 64 + 101 * 64 + 3 * (
    4 * (64 * 64 + 64) + (64 * 128 + 128) + (128 * 64 + 64) + 4 * 64 + 1) + 2 * 64 + (64 * 6 + 6)


def test_models_lists_what_the_bundled_models_know(done):
    cnn = load_model(FIXTURES / "cnn.npz")
    fv = load_model(FIXTURES / "fv.npz")
    listed = parsed(done("models", "--json"))
    imagenet = listed.pop("imagenet")
    assert (imagenet["size"], imagenet["colour"], imagenet["tallest"]) == ([224, 224], "rgb", None)
    assert len(imagenet["classes"]) == 1000 and imagenet["classes"][282] == "tiger cat"
    assert imagenet["parameters"] == 3_328_992 + 21_008 + 1280 * 1000 + 1000   # 49 convolutions, their biases, dense
    assert listed == {"cnn": {"classes": list(cnn.classes), "size": [128, 128], "colour": "grey", "tallest": None,
                              "parameters": 44894, "provenance": cnn.provenance},
                      "fv": {"classes": list(fv.classes), "size": None, "colour": "grey", "tallest": 480,
                             "parameters": 80 * 128 + 32 + 2 * 32 * 80 + 6 * 8 * 2 * 32 * 80 + 6,
                             "provenance": fv.provenance},
                      "vit": {"classes": list(cnn.classes), "size": [128, 128], "colour": "grey", "tallest": None,
                              "parameters": VIT, "provenance": load_model(FIXTURES / "vit.npz").provenance}}
    out = done("models")
    assert "\n  knows 1,000 classes: tench, goldfish, great white shark, ...\n" in out
    assert "knows brick, grass, gravel, cat, text, stars\n" in out
    assert "Or bring your own model" in " ".join(out.split())
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


def test_layers_says_what_adaptive_pooling_sees(done):
    """7 x 7 of 14 x 14 are windows of 2 x 2 over 3 x 3, (2 - 1) + 3 pixels; 3 of 7 are cells of several sizes."""
    chain = Network([("conv", Conv2D(np.ones((2, 1, 3, 3)), pad=1)), ("same", AdaptiveAvgPool((14, 10))),
                     ("halves", AdaptiveAvgPool((7, 5))), ("cells", AdaptiveAvgPool((3, 2))), ("relu", ReLU()),
                     ("mean", AdaptiveAvgPool(1)), ("flat", Flatten()), ("fc", Linear(np.ones((2, 3))))])
    save_model(Model(chain, [*"abc"], Preprocessing((14, 10))), "adaptive.npz")
    table = [re.split("  +", line)[4:] for line in done("layers", "adaptive.npz").splitlines()[1:]]
    cells = "windows of several sizes"
    assert table == [
        ["3 x 3, step 1 x 1, from -1, -1", "1 x 1"], ["3 x 3, step 1 x 1, from -1, -1", "3 x 3"],
        ["4 x 4, step 2 x 2, from -1, -1", "3 x 3"], [cells, "4 x 4"], [cells, cells],
        ["the whole image", cells], *[["the whole image"] * 2] * 2]
    whole = Network([("conv", Conv2D(np.ones((2, 1, 3, 3)), pad=1)), ("mean", AdaptiveAvgPool(1)),
                     ("flat", Flatten()), ("fc", Linear(np.ones((2, 3))))])
    save_model(Model(whole, [*"abc"], Preprocessing((14, 10))), "whole.npz")
    table = [re.split("  +", line)[4:] for line in done("layers", "whole.npz").splitlines()[2:]]
    assert table == [["the whole image", "3 x 3"], ["the whole image", "16 x 12"], ["the whole image", "16 x 12"]]


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
    assert list(parsed(done("evaluate", "--count", "2", "--json"))["models"]) == list(PAPERS)


def test_evaluate_writes_a_plot_and_arrays_of_the_numbers_that_it_prints(done, quick, folder):
    out = done("evaluate", "--model", "cnn", "--count", "3", "--plot", "plot.png", "--save", "arrays.npz")
    assert out.endswith("plot written to plot.png\narrays written to arrays.npz\n")
    picture, arrays = iio.imread(folder / "plot.png"), np.load(folder / "arrays.npz")
    scenes = evaluate.bundled(3)
    kept = study(load_model(FIXTURES / "cnn.npz"), scenes)
    assert (picture == plot({"cnn": kept}).pixels).all()
    for name, values in experiment_report.arrays(scenes, {"cnn": kept}).items():
        np.testing.assert_array_equal(arrays[name], values)


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


def test_a_folder_of_photographs_is_not_walked_and_nothing_in_it_is_written_over(run, voc):
    os.mkfifo(voc / "pipe")
    (voc / "up").symlink_to("/")
    (voc / "kept.png").write_text("kept")
    code, out, err = run("evaluate", "voc", "--model", "model.npz", "--plot", "voc/kept.png")
    assert (code, out) == (2, "") and "got --plot voc/kept.png, an input that would be lost" in err
    assert (voc / "kept.png").read_text() == "kept"


def test_photographs_that_are_links_are_not_written_over_and_nothing_else_is_looked_through(run, voc, folder, quick):
    """Nor waited for: a pipe, and a folder that leads in a circle."""
    os.mkfifo(voc / "JPEGImages" / "pipe")
    (voc / "circle").symlink_to(voc)
    photograph = (voc / "JPEGImages" / "1.jpg").rename(folder / "elsewhere.jpg")
    (voc / "JPEGImages" / "1.jpg").symlink_to(photograph)
    (voc / "notes.npz").write_bytes(b"mine")
    before = files(folder)
    for option, path in (("--plot", "elsewhere.jpg"), ("--save", "voc/notes.npz")):
        code, out, err = run("evaluate", "voc", "--model", "model.npz", option, path)
        assert (code, out) == (2, "") and f"got {option} {path}, an input that would be lost" in err
    assert files(folder) == before


def test_a_plot_that_cannot_be_written_loses_no_numbers(run, done, voc, quick, monkeypatch):
    def full(*_):
        raise ValueError("cannot write plot.png: No space left on device: choose another path")

    plain = done("evaluate", "voc", "--model", "model.npz")
    monkeypatch.setattr("lrp_ref.command.evaluate.save_image", full)
    code, out, err = run("evaluate", "voc", "--model", "model.npz", "--plot", "plot.png")
    assert (code, out, err) == (2, plain, "lrp-ref: error: cannot write plot.png: No space left on device: choose "
                                          "another path\n")
