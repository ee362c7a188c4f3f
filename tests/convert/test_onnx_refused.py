"""What is no network of ours, or no ONNX file: one clear line each, within limits of time and memory."""

import sys
import tracemalloc

import numpy as np
import pytest

from lrp_ref.convert import from_onnx, onnx_fold, onnx_read
from lrp_ref.convert.from_onnx import converted
from lrp_ref.convert.onnx_rows import ROWS
from lrp_ref.layers import Add, LeakyReLU, ReLU

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")

helper = onnx.helper
model, node, weights, written = graphs.model, graphs.node, graphs.weights, graphs.written
FLAT, IMAGE = (2, 5), (2, 4, 7, 6)


def ints(*values):
    return np.array(values, np.int64)


def said(made, *given, **more):
    """What is said where a model is refused: one line of at most 500 letters."""
    with pytest.raises(ValueError) as caught:
        converted(made, *given, **more)
    text = str(caught.value)
    assert len(text) <= 500 and "\n" not in text and text.startswith("from_onnx")
    return text


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
    "softmax inside": (node("Softmax", "x", "s"), FLAT, {}, 17, "relevance starts at the score"),
    "attention": (node("MatMul", "x x"), (2, 3, 3), {}, 17, "multiplies two tensors that depend on the"),
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
    "a constant beside": (node("Concat", "x c", axis=1), FLAT, {"c": weights(2, 3)}, 17, "puts a constant beside"),
    "a constant for each image": (node("Add", "x c"), FLAT, {"c": weights(2, 5)}, 17, "differs from image to image"),
    "a constant that spreads": (node("Add", "x c"), FLAT, {"c": weights(3, 1, 5)}, 17, "differs from image to image"),
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


def test_what_passes_its_input_on_has_no_layer():
    assert "there is no layer" in said(model([node("Identity", "x", "i"), node("Dropout", "i")], FLAT))


def test_names_are_unique_short_and_can_be_printed():
    long = "/" + "a" * 300
    nodes = [node("Relu", "x", "a", name=long), node("Tanh", "a", "b", name=long),
             node("Neg", "b", "c", name="\x1b[2J"), node("Relu", "c", name="input")]
    names = converted(model(nodes, FLAT))[0].names
    assert len(set(names)) == 4 and max(map(len, names)) <= 100 and all(name.isprintable() for name in names)
    assert "input" not in names


# ---- Memory, time, and files ----

BOMBS = {
    "ConstantOfShape": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(2**20, 2**20)}),
    "ConstantOfShape of many axes": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(*[64] * 12)}),
    "Expand": ([node("Expand", "o s", "c"), node("Add", "x c")], {"o": np.float32(1),
                                                                  "s": ints(2**20, 2**20)}),
    "Tile": ([node("Tile", "o s", "c"), node("Add", "x c")], {"o": np.ones((1, 1), np.float32),
                                                              "s": ints(2**20, 2**20)}),
    "Range": ([node("Range", "z n o", "c"), node("Add", "x c")], {"z": np.float32(0), "n": np.float32(1e30),
                                                                  "o": np.float32(1e-3)}),
    "Gather": ([node("Gather", "w i", "c"), node("Add", "x c")], {"w": np.ones((2, 4096), np.float32),
                                                                  "i": np.zeros((700, 700), np.int64)}),
    "an outer sum": ([node("Add", "a b", "c"), node("Add", "x c")], {"a": np.zeros((30000, 1), np.float32),
                                                                     "b": np.zeros((1, 30000), np.float32)}),
}


@pytest.mark.parametrize("case", BOMBS)
def test_constants_have_a_budget(case):
    nodes, constants = BOMBS[case]
    tracemalloc.start()
    text = said(model(nodes, FLAT, constants))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "makes a constant of" in text and peak < 1 << 25


def test_many_constants_share_one_budget(monkeypatch):
    monkeypatch.setattr(onnx_fold, "BUDGET", 10_000)
    monkeypatch.setattr(sys.modules["lrp_ref.convert.from_onnx"], "BUDGET", 10_000)
    nodes = [node("ConstantOfShape", "s", f"c{n}") for n in range(7)]
    nodes += [node("Sum", " ".join(["x", *(f"c{n}" for n in range(7))]))]
    text = said(model(nodes, FLAT, {"s": ints(1, 500)}))   # 2,000 bytes each
    assert "node c5, ConstantOfShape: makes a constant of 500 numbers, and all have 10,000 bytes already" in text


@pytest.fixture
def whole(tmp_path):
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Flatten", "r")]
    return written(tmp_path / "whole.onnx", model(nodes, IMAGE, {"w": weights(3, 4, 2, 2)}))


def test_a_file_cut_off_anywhere_is_refused_in_one_line(whole, tmp_path):
    data = whole.read_bytes()
    assert from_onnx(whole)
    for size in range(0, len(data), 7):
        (tmp_path / "cut.onnx").write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"^from_onnx.*") as caught:
            from_onnx(tmp_path / "cut.onnx")
        assert len(str(caught.value)) <= 500 and "\n" not in str(caught.value)


def test_a_file_with_any_byte_changed_is_read_or_refused(whole, tmp_path):
    data, rng = bytearray(whole.read_bytes()), np.random.default_rng(0)
    for at in rng.choice(len(data), 150, replace=False):
        changed = data.copy()
        changed[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "changed.onnx").write_bytes(changed)
        try:
            from_onnx(tmp_path / "changed.onnx")
        except ValueError as error:
            assert len(str(error)) <= 500 and "\n" not in str(error)


def test_what_is_no_file_of_a_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "zeros.onnx").write_bytes(bytes(1000))
    for path in (tmp_path / "none.onnx", tmp_path, "a\0b", 3, tmp_path / "text.onnx", tmp_path / "zeros.onnx"):
        with pytest.raises(ValueError, match=r"^from_onnx") as caught:
            from_onnx(path)
        assert len(str(caught.value)) <= 500


def test_a_file_of_nothing_but_structure_is_not_unpacked(tmp_path, monkeypatch):
    """Four million empty nodes: 8 MB that would become half a gigabyte."""
    nodes = b"\x0a\x00" * (1 << 22)
    data = b"\x3a" + varint(len(nodes)) + nodes
    monkeypatch.setattr(onnx, "load_model_from_string", lambda data: pytest.fail("was unpacked"))
    (tmp_path / "many.onnx").write_bytes(data)
    with pytest.raises(ValueError, match="1,000,000 parts besides the numbers of its tensors"):
        from_onnx(tmp_path / "many.onnx")
    monkeypatch.setattr(onnx_read, "BYTES", 100)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        from_onnx(tmp_path / "many.onnx")


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def test_graphs_in_graphs_are_refused(tmp_path):
    """protobuf itself reads a hundred messages in each other; two hundred branches are four hundred."""
    inner = helper.make_graph([node("Relu", "x")], "in", [], [helper.make_tensor_value_info("y", 1, None)])
    for depth in (3, 20):
        graph = inner
        for _ in range(depth):
            graph = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=inner)], "g",
                                      [], [helper.make_tensor_value_info("y", 1, None)])
        made = model([*graph.node], FLAT, {"c": np.array(True)})
        path = written(tmp_path / "nested.onnx", made)
        with pytest.raises(ValueError, match="made of no input"):
            from_onnx(path)
    data = b""
    for _ in range(300):   # graph in attribute in node in graph
        data = wrapped(1, wrapped(5, wrapped(6, data)))
    (tmp_path / "deep.onnx").write_bytes(wrapped(7, data))
    with pytest.raises(ValueError, match=r"^from_onnx"):
        from_onnx(tmp_path / "deep.onnx")


def wrapped(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch, whole):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"needs the package onnx: pip install 'lrp-ref\[onnx\]'"):
        from_onnx(whole)
