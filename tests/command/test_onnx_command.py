"""--model FILE.onnx wherever a model file is taken, with what the file does not say from options."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from at_hand import MODEL, NETWORK, RGB, parsed

from lrp_ref import Network, Preprocessing, load_model, save_model
from lrp_ref.layers import Conv2D, Linear

onnx = pytest.importorskip("onnx")
helper, from_array = onnx.helper, onnx.numpy_helper.from_array


def exported(path, size=(11, 10), channels_last=False, softmax=True):
    """The model at hand in float32, written by hand as an exporter would."""
    nodes, held = [], []
    before = "photograph"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [before], ["nchw"], perm=[0, 3, 1, 2]))
        before = "nchw"
    for name, layer in NETWORK:
        inputs = [before]
        for key, array in layer.arrays().items():
            held.append(from_array(array.astype(np.float32), f"{name}.{key}"))
            inputs.append(f"{name}.{key}")
        match type(layer).__name__:
            case "Conv2D":
                node = helper.make_node("Conv", inputs, [name])
            case "Linear":
                node = helper.make_node("Gemm", inputs, [name])
            case "MaxPool" | "AvgPool" as kind:
                op = {"MaxPool": "MaxPool", "AvgPool": "AveragePool"}[kind]
                node = helper.make_node(op, inputs, [name], kernel_shape=layer.size, strides=layer.stride)
            case kind:
                node = helper.make_node({"ReLU": "Relu", "Flatten": "Flatten"}[kind], inputs, [name])
        nodes.append(node)
        before = name
    if softmax:
        nodes.append(helper.make_node("Softmax", [before], ["probability"]))
        before = "probability"
    shape = ["N", *size, 3] if channels_last else ["N", 3, *size]
    graph = helper.make_graph(nodes, "at hand", [helper.make_tensor_value_info("photograph", 1, shape)],
                              [helper.make_tensor_value_info(before, 1, ["N", 3])], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    Path(path).write_bytes(made.SerializeToString())


TOLD = ("--mean", "0.5", "--std", "0.25", "--classes", "classes.txt")


@pytest.fixture
def wanted(folder, done):
    """What the same network as .npz says."""
    Path("classes.txt").write_text("left\nright\nboth\n")
    single = Network((name, layer.astype(np.float32) if isinstance(layer, (Conv2D, Linear)) else layer)
                     for name, layer in NETWORK)
    save_model(replace(MODEL, chain=single, preprocessing=RGB), "single.npz")
    return parsed(done("explain", "photo.png", "--model", "single.npz", "--json"))


def same(out, wanted):
    """All that is printed but the names of layers; by the same layers in the same numbers."""
    found = parsed(out)
    assert found["scores"] == wanted["scores"] and found["total"] == wanted["total"]


def test_an_onnx_file_explains_as_the_same_network_does(run, wanted):
    exported("net.onnx")
    code, out, err = run("explain", "photo.png", "--model", "net.onnx", "--json", *TOLD)
    assert code == 0 and "the Softmax at the top, is left out: relevance starts at the score" in err
    assert err.startswith("lrp-ref: note: ") and err.count("\n") == 1
    same(out, wanted)


def test_an_open_size_is_given(done, run, wanted):
    exported("open.onnx", ("H", "W"), softmax=False)
    same(done("explain", "photo.png", "--model", "open.onnx", "--size", "11x10", "--json", *TOLD), wanted)
    code, out, err = run("explain", "photo.png", "--model", "open.onnx", *TOLD)
    assert (code, out) == (2, "") and "give height and width, --size HxW" in err


def test_a_network_with_channels_last_takes_photographs_too(done, wanted):
    exported("last.onnx", channels_last=True, softmax=False)
    found = parsed(done("explain", "photo.png", "--model", "last.onnx", "--json", *TOLD))
    assert found["scores"] == wanted["scores"]
    # a Transpose more: the same numbers in another order, whose sums round otherwise in float32
    assert found["total"]["handed"] == pytest.approx(wanted["total"]["handed"], rel=1e-5, abs=0)


def test_layers_and_figure_take_it(done):
    exported("net.onnx", softmax=False)
    rows = parsed(done("layers", "net.onnx", "--json"))
    assert [row["name"] for row in rows] == list(NETWORK.names) and rows[0]["input"] == [3, 11, 10]
    assert "figure written to f.png" in done("figure", "photo.png", "--cnn", "net.onnx", "--output", "f.png")


def test_what_is_not_said_is_numbers_and_pixels_in_0_to_1(done):
    exported("net.onnx", softmax=False)
    found = parsed(done("explain", "photo.png", "--model", "net.onnx", "--json"))
    assert [score["name"] for score in found["scores"]] == ["0", "1", "2"]


def test_options_hold_for_other_files_too(done, folder):
    save_model(replace(MODEL, preprocessing=Preprocessing((11, 10), "bgr", 255.0, 100.0)), "wrong.npz")
    told = ("--colour", "rgb", "--maximum", "1", "--mean", "0.5", "--std", "0.25,0.25,0.25")
    found, right = (parsed(done("explain", "photo.png", "--json", "--model", *given))["scores"]
                    for given in (("wrong.npz", *told), ("model.npz",)))
    assert found == right and load_model("wrong.npz").preprocessing.colour == "bgr"


REFUSED = {
    "no numbers": (("--mean", "a,b"), "got --mean a,b, needed a number, or one per channel"),
    "numbers of other channels": (("--std", "1,2"), "needed a finite number or 3 of them"),
    "too few names": (("--classes", "one.txt"), "Model got 1 class names (cat) for 3 scores, needed a name for every"),
    "no file of names": (("--classes", "none.txt"), "got --classes: got none.txt, which does not exist"),
    "names that are no text": (("--classes", "photo.png"), "which is no text in UTF-8, needed a name per line"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_options_cannot_mean_is_refused(run, case):
    options, wanted = REFUSED[case]
    exported("net.onnx", softmax=False)
    Path("one.txt").write_text("cat\n")
    code, out, err = run("explain", "photo.png", "--model", "net.onnx", *options)
    assert (code, out) == (2, "") and wanted in err and err.count("\n") == 1


def test_a_file_that_is_no_onnx_file_is_told_in_one_line(run):
    Path("text.onnx").write_text("no model")
    code, out, err = run("explain", "photo.png", "--model", "text.onnx")
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("lrp-ref: error: from_onnx got text.onnx")
    assert run("layers", "gone.onnx")[0] == 2
