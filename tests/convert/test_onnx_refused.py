"""What is no network of ours, or no ONNX file: one clear line each, within limits of time and memory."""


import numpy as np
import pytest
from onnx_said import said

from lrp_ref.convert.from_onnx import converted
from lrp_ref.convert.onnx_table import ROWS
from lrp_ref.layers import Add, LeakyReLU, ReLU

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")

helper = onnx.helper
model, node, weights, written = graphs.model, graphs.node, graphs.weights, graphs.written
FLAT, IMAGE = (2, 5), (2, 4, 7, 6)


def ints(*values):
    return np.array(values, np.int64)


# ---- The proof ----


def test_a_row_that_is_wrong_is_found_by_the_node_and_the_size(monkeypatch):
    nodes = [node("Tanh", "x", "t"), node("Relu", "t", "r", name="second"), node("Neg", "r")]
    monkeypatch.setitem(ROWS, "Relu", lambda n: n.add(LeakyReLU(0.5), n.tensor()))
    text = said(model(nodes, FLAT))
    assert "node second, Relu: its layers differ from onnx.reference by 0.4" in text and "largest number is 0." in text


def test_a_wrong_shape_is_found(monkeypatch):
    monkeypatch.setitem(ROWS, "Flatten", lambda n: n.add(ReLU(), n.tensor()))
    assert "node y, Flatten: its layers make an array of shape (2, 4, 7, 6), onnx.reference one of (2, 168)" in said(
        model([node("Flatten", "x")], IMAGE))


def test_a_sign_that_is_lost_is_found(monkeypatch):
    monkeypatch.setitem(ROWS, "Sub", lambda n: n.add(Add(), *n.tensors()))
    assert "node y, Sub: its layers differ" in said(model([node("Relu", "x", "r"), node("Sub", "x r")], FLAT))


def test_an_epsilon_a_little_off_is_found(monkeypatch):
    """1e-5 for 1.001e-5 beside a variance of about 1: 5e-9 of the output."""
    row = ROWS["BatchNormalization"]

    def off(n):
        tensor = row(n)
        layer, reads = n.layers.nodes[tensor.name]
        object.__setattr__(layer, "epsilon", layer.epsilon * 1.001)
        n.layers.nodes[tensor.name] = layer, reads
        return tensor

    made = model([node("BatchNormalization", "x o z z o")], IMAGE, {
        "o": np.ones(4, np.float32), "z": np.zeros(4, np.float32)})
    assert converted(made)
    monkeypatch.setitem(ROWS, "BatchNormalization", off)
    assert "BatchNormalization: its layers differ" in said(made)


# ---- Nodes ----

NODES = {
    "an operator that there is not": (node("Softplus", "x"), FLAT, {}, 17, "node y, Softplus: an operator that is not"),
    "quantised": (node("DynamicQuantizeLinear", "x", "y s z"), FLAT, {}, 17, "quantised model: give the one"),
    "log-softmax inside": (node("LogSoftmax", "x", "s"), FLAT, {}, 17, "relevance starts at the score"),
    "softmax of two axes": (node("Softmax", "x", "s"), (2, 3, 4), {}, 12, "axis=1 of 3, which takes 2 axes as"),
    "matrices apart": (node("MatMul", "x x"), FLAT, {}, 17, "multiplies tensors of shapes (N, *(5,)) and"),
    "the input chooses": (node("Where", "x x x"), FLAT, {}, 17, "chooses by the network's input"),
    "two tensors chosen from": (node("Where", "m x x"), FLAT, {"m": np.ones(5, bool)}, 17, "chooses between"),
    "no mask": (node("Where", "m x c"), FLAT, {"m": np.eye(5)[0] > 0, "c": np.float32(-9)}, 17, "fills in -9.0"),
    "ids of two axes": (node("Gather", "w x"), (2, 3, 4), {"w": weights(6, 2)}, 17, "takes entries of a table"),
    "a shape that is a table": (node("Reshape", "x s"), FLAT, {"s": ints(1, 5).reshape(2, 1)}, 17, "a few whole"),
    "a shape of fractions": (node("Expand", "x s"), FLAT, {"s": np.ones((2, 1), np.float32)}, 17, "a few whole"),
    "spread": (node("Expand", "x s"), (2, 1, 5), {"s": ints(2, 3, 5)}, 17, "spreads a tensor of shape (N, *(1, 5))"),
    "a constant from the left": (node("MatMul", "w x"), FLAT, {"w": weights(3, 2)}, 17, "a constant from the left"),
    "batch norm in training": (node("BatchNormalization", "x o o o o", training_mode=1), IMAGE,
                               {"o": np.ones(4, np.float32)}, 17, "is in training mode"),
    "LRN of an even size": (node("LRN", "x", size=4), IMAGE, {}, 17, "LRN got size=4, needed an odd number"),
    "max pool, dilated": (node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 1]), IMAGE, {}, 17,
                          "dilations=(2, 1), which MaxPool has not here"),
    "three axes": (node("MaxPool", "x", kernel_shape=[2, 2, 2]), (2, 3, 4, 5, 6), {}, 17, "tensors with 5 axes"),
    "transposed batch": (node("Transpose", "x", perm=[1, 0]), FLAT, {}, 17, "moves the batch axis"),
    "sum over images": (node("ReduceMean", "x", axes=[0]), FLAT, {}, 17, "works along axis 0, which is the batch"),
    "sum over all": (node("ReduceMean", "x"), FLAT, {}, 17, "sums over all axes, the batch among them"),
    "images beside each other": (node("Concat", "x x", axis=0), FLAT, {}, 17, "and not the batch"),
    "a constant beside": (node("Concat", "x c", axis=1), FLAT, {"c": weights(3)}, 17, "its constant 1 has 1 axes"),
    "a constant for each": (node("Concat", "x c", axis=1), FLAT, {"c": weights(2, 3)}, 17, "differs from image to"),
    "a constant for each image": (node("Add", "x c"), FLAT, {"c": weights(2, 5)}, 17, "differs from image to"),
    "a constant that spreads": (node("Add", "x c"), FLAT, {"c": weights(3, 1, 5)}, 17, "differs from image to"),
    "a quotient": (node("Div", "c x"), FLAT, {"c": weights(5)}, 17, "divides by a tensor that depends on"),
    "linear resizing": (node("Resize", "x  s", mode="linear"), IMAGE, {"s": np.float32([1, 1, 2, 2])}, 17,
                        "mode='linear', needed nearest"),
    "other neighbours": (node("Resize", "x  s", nearest_mode="ceil"), IMAGE, {"s": np.float32([1, 1, 2, 2])}, 17,
                         "node y, Resize: its layers differ from onnx.reference"),
    "mirrored padding": (node("Pad", "x p", mode="reflect"), IMAGE, {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}, 17,
                         "mode='reflect', needed constant"),
    "an attribute of another type": (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape="3"), IMAGE, {}, 17,
                                     "kernel_shape=b'3', needed whole numbers"),
    "sizes below 1": (node("MaxPool", "x", kernel_shape=[2, 2], strides=[0, 1]), IMAGE, {}, 17, "are below 1"),
    "a stride beyond all": (node("MaxPool", "x", kernel_shape=[2, 2], strides=[2**62, 1]), IMAGE, {}, 17, "strid"),
    "a huge padding": (node("Pad", "x p"), IMAGE, {"p": ints(0, 0, 2**40, 0, 0, 0, 0, 0)}, 17, "Pad got before="),
    "dropout in training": (node("Dropout", "x r t"), FLAT, {"r": np.float32(0.5), "t": np.array(True)}, 17,
                            "is in training mode"),
    "weights that do not fit": (node("Conv", "x w"), IMAGE, {"w": weights(6, 3, 2, 2)}, 17, "needs 3 channels"),
    "weights not finite": (node("MatMul", "x w"), FLAT, {"w": np.full((5, 2), np.inf, np.float32)}, 17, "finite"),
    "too large a sum": (node("MatMul", "x w"), FLAT, {"w": np.full((5, 2), 1e308)}, 17, "that are not finite"),
}


@pytest.mark.parametrize("case", NODES)
def test_a_node_is_refused_by_its_name(case):
    one, shape, constants, opset, wanted = NODES[case]
    double = any(value.dtype == np.float64 for value in map(np.asarray, constants.values()))
    nodes = [one, node("Neg", "s")] if one.output[0] == "s" else [one]
    text = said(model(nodes, shape, constants, opset, np.float64 if double else np.float32))
    assert wanted in text and one.op_type in text


def test_the_nodes_below_the_chosen_output_alone_are_asked():
    nodes = [node("Relu", "x", "r"), node("Softplus", "r", "y")]
    assert [type(layer) for _, layer in converted(model(nodes, FLAT), "r")[0]] == [ReLU]


def test_an_operator_of_somebody_elses_is_refused():
    made = model([node("Relu", "x", domain="com.example")], FLAT)
    assert "node y, Relu: is an operator of the domain com.example" in said(made)


# ---- The model ----


def test_two_inputs_are_refused_unless_one_alone_is_used():
    made = model([node("Relu", "x", "r"), node("Add", "r other")], FLAT)
    made.graph.input.append(helper.make_tensor_value_info("other", 1, FLAT))
    assert "is made of 2 inputs, x, other, needed one" in said(made)
    assert converted(made, "r")


@pytest.mark.parametrize(("opset", "wanted"), [(8, "operator set 8, needed 9 to"), (999, "or a newer onnx package")])
def test_other_operator_sets_are_refused(opset, wanted):
    assert wanted in said(model([node("Relu", "x")], FLAT, opset=opset))


def test_numbers_of_other_types():
    half = model([node("MatMul", "x w")], FLAT, {"w": weights(5, 3).astype(np.float16)}, kind=np.float16)
    with pytest.warns(UserWarning, match="float16 numbers are widened to float32"):
        assert converted(half)[0].number is np.float32
    assert "of ONNX's type 2, needed float32 or float64" in said(model([node("Relu", "x")], FLAT, kind=np.uint8))


def test_sizes_that_are_open_are_asked_for():
    made = model([node("Relu", "x")], ("N", 3, "height", "width"))
    assert "input x is (N, 3, height, width): say how large one image is, shape=(C, H, W)" in said(made)
    assert converted(made, shape=(3, 4, 5))[1] == (3, 4, 5)
    assert "shape=(2, 4, 5), but the model's input is (N, 3, height, width)" in said(made, shape=(2, 4, 5))
    assert "needed the sizes of one image" in said(made, shape="3x4")


def test_weights_in_another_file_are_refused_and_not_opened(tmp_path):
    made = model([node("MatMul", "x w")], FLAT, {"w": weights(5, 3)})
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    assert "the weights w in another file, needed all in one" in said(made)


def test_functions_sparse_weights_and_doubled_names_are_refused():
    made = model([node("Relu", "x")], FLAT)
    made.functions.add(name="mine", domain="d")
    assert "functions of its own (mine): onnx.inliner.inline_local_functions(model)" in said(made)
    made = model([node("Relu", "x", "y"), node("Tanh", "x", "y")], FLAT)
    assert "two tensors named 'y'" in said(made)
    made = model([node("Relu", "x")], FLAT)
    made.graph.sparse_initializer.add()
    assert "sparse weights" in said(made)


def test_a_graph_that_is_out_of_order_or_goes_in_a_circle_is_refused():
    assert "nothing makes 'r' before 0 reads it" in said(model([node("Neg", "r"), node("Relu", "x", "r")], FLAT))
    assert "nothing makes" in said(model([node("Add", "x b", "a"), node("Add", "x a", "b"), node("Neg", "b")], FLAT))
    assert "nothing makes 'gone'" in said(model([node("Add", "x gone")], FLAT))
    for kind in ("Softmax", "Identity"):   # at the top, where they are left out
        assert "nothing makes" in said(model([node(kind, "s", "y"), node(kind, "y", "s")], FLAT))
    assert "on the number of images" in said(model([node("Size", "x", "s"), node("Cast", "s", "f", to=1),
                                                    node("Mul", "x f")], ("N", 5)))
    assert "works on constants" in said(model([node("Mean", "c c", "s"), node("Add", "x s")], FLAT, {"c": weights(5)}))
    assert "CastLike" in said(model([node("CastLike", "c", "s"), node("Add", "x s")], FLAT, {"c": weights(5)}))


def test_a_name_of_an_axis_that_is_no_text_is_shown_as_it_is(tmp_path):
    made = model([node("Neg", "x")], FLAT)
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "zzzz"
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString().replace(b"zzzz", b"z\xffzz"))
    assert "say how large one image is" in said(onnx.load(tmp_path / "m.onnx"))


def test_a_batch_that_the_file_fixes_has_a_limit():
    made = model([node("Relu", "x")], (1 << 20, 5, 5))
    assert "for the batch of 1,048,576 that the file is made for" in said(made)
    made = model([node("Relu", "x")], (3, 1 << 20, 300))
    assert "node y, Relu: it and all below make 314,572,800 numbers per image" in said(made)


def test_what_passes_its_input_on_has_no_layer():
    assert "there is no layer" in said(model([node("Identity", "x", "i"), node("Dropout", "i")], FLAT))


def test_names_are_unique_short_and_can_be_printed():
    long = "/" + "a" * 300
    nodes = [node("Relu", "x", "a", name=long), node("Tanh", "a", "b", name=long),
             node("Neg", "b", "c", name="\x1b[2J"), node("Relu", "c", name="input")]
    names = converted(model(nodes, FLAT))[0].names
    assert len(set(names)) == 4 and max(map(len, names)) <= 100 and all(name.isprintable() for name in names)
    assert "input" not in names
