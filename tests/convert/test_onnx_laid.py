"""The batch elsewhere than in front, or one axis of it and others: as PyTorch exports its own attention."""

import numpy as np
import pytest

from lrp_ref import (
    GELU,
    Add,
    Embedding,
    LayerNorm,
    Linear,
    MatMul,
    Mean,
    Multiply,
    ReLU,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Transpose,
)
from lrp_ref.convert.from_onnx import converted

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")
said = pytest.importorskip("onnx_said").said
model, node, weights = graphs.model, graphs.node, graphs.weights
T, D, HEADS = 5, 6, 3
OPEN = ("N", T, D)
BACK = (1, 0, 2)


def ints(*values):
    return np.array(values, np.int64)


CONSTANTS = {
    "row": weights(D), "square": weights(D, D), "scale": weights(D),
    "rows": ints(-1, D), "images": ints(-1, T, D), "tokens": ints(T, -1, D), "heads": ints(T, -1, D // HEADS),
    "second": ints(1), "two": ints(2), "three": ints(3), "last": ints(-1), "zero": ints(0), "one": np.int64(1),
    "four": np.array([2, 4]), "half": np.array(0.5, np.float32), "all": ints(2**62), "first": ints(0),
}

# How a graph has x (N, T, D), as "t", and how it gets from "u" back to it, "y"; which of its axes are rows
LAYOUTS = {
    "(T, N, D)": ([node("Transpose", "x", "t", perm=BACK)], [node("Transpose", "u", perm=BACK)]),
    "(N T, D)": ([node("Reshape", "x rows", "t")], [node("Reshape", "u images")]),
    "(T N, D)": ([node("Transpose", "x", "b0", perm=BACK), node("Reshape", "b0 rows", "t")],
                 [node("Reshape", "u tokens", "b1"), node("Transpose", "b1", perm=BACK)]),
    "(1, T, N, D)": ([node("Transpose", "x", "b0", perm=BACK), node("Unsqueeze", "b0 zero", "t")],
                     [node("Squeeze", "u zero", "b1"), node("Transpose", "b1", perm=BACK)]),
}
NODES = {
    "an activation": ([node("Relu", "t", "u")], [ReLU]),
    "an activation in several nodes": ([node("Div", "t root", "e0"), node("Erf", "e0", "e1"), node("Add", "e1 1", "e2"),
                                        node("Mul", "t e2", "e3"), node("Mul", "e3 half", "u")], [GELU]),
    "a sum": ([node("Relu", "t", "r"), node("Add", "t r", "u")], [ReLU, Add]),
    "a product": ([node("Sigmoid", "t", "r"), node("Mul", "t r", "u")], None),
    "a row added": ([node("Add", "row t", "u")], [Scale]),
    "a number": ([node("Mul", "t half", "u")], [Scale]),
    "a matrix": ([node("MatMul", "t square", "u0"), node("Add", "row u0", "u")], [Linear]),
    "a norm": ([node("LayerNormalization", "t scale row", "u", axis=-1)], [LayerNorm]),
    "a norm in several nodes": (
        [node("ReduceMean", "t", "m", axes=[-1]), node("Sub", "t m", "n"), node("Pow", "n square2", "q"),
         node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v small5", "v1"), node("Sqrt", "v1", "s"),
         node("Div", "n s", "d"), node("Mul", "d scale", "d1"), node("Add", "d1 row", "u")], [LayerNorm]),
    "a softmax": ([node("Softmax", "t", "u", axis=-1)], [Softmax]),
    "a mean, kept": ([node("ReduceMean", "t", "m", axes=[-1], keepdims=1), node("Mul", "t m", "u")], [Mean, Multiply]),
    "a mean": ([node("ReduceMean", "t", "m", axes=[-1], keepdims=0), node("Unsqueeze", "m last", "m1"),
                node("Mul", "t m1", "u")], None),
    "parts": ([node("Split", "t four", "p q", axis=-1), node("Concat", "q p", "u", axis=-1)], None),
    "one entry": ([node("Gather", "t one", "m", axis=-1), node("Unsqueeze", "m last", "m1"), node("Mul", "t m1", "u")],
                  None),
    "a cut": ([node("Slice", "t second three last", "p"), node("Concat", "p p p", "u", axis=-1)], None),
    "a cut of all": ([node("Slice", "t first all first", "p"), node("Relu", "p", "u")], [ReLU]),
    "a number of images": ([node("Shape", "t", "s"), node("Reshape", "t s", "u0"), node("Relu", "u0", "u")], [ReLU]),
}
MORE = {"root": np.float32(2**0.5), "1": np.float32(1), "square2": np.float32(2), "small5": np.float32(1e-5)}


def held_to_reference(made, x):
    """The network does what onnx.reference makes of the whole graph, in float32: 1e-5 of the largest."""
    network, _ = converted(made)
    theirs, = onnx.reference.ReferenceEvaluator(made).run(None, {"x": x})
    ours = network(x)
    assert ours.shape == theirs.shape and abs(ours - theirs).max() < 1e-5 * abs(theirs).max()
    return network


def drawn(*shape):
    return np.random.default_rng(11).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", NODES)
def test_a_node_is_carried_out_on_ours(case, layout):
    (there, back), (nodes, wanted) = LAYOUTS[layout], NODES[case]
    network = held_to_reference(model([*there, *nodes, *back], OPEN, CONSTANTS | MORE), drawn(4, T, D))
    if wanted is not None:   # exchanged axes cost no layer
        assert [type(layer) for _, layer in network] == wanted


@pytest.mark.parametrize("n", [1, 3, "N"])
def test_heads_beside_the_images_in_one_axis(n):
    """(T, N, D) as (T, N h, d) as (N h, T, d): attention of every head by products of three axes."""
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Reshape", "t heads", "b0"),
             node("Transpose", "b0", "q", perm=BACK), node("Transpose", "b0", "k", perm=(1, 2, 0)),
             node("MatMul", "q k", "s"), node("Add", "s later", "s0"), node("Softmax", "s0", "a", axis=-1),
             node("MatMul", "a q", "o"), node("Transpose", "o", "o0", perm=BACK), node("Reshape", "o0 rows", "o1"),
             node("Gemm", "o1 square row", "o2"), node("Reshape", "o2 tokens", "o3"),
             node("Transpose", "o3", perm=BACK)]
    later = np.where(np.tri(T, dtype=bool), np.float32(0), np.float32(-np.inf))
    made = model(nodes, (n, T, D), CONSTANTS | {"later": later})
    network = held_to_reference(made, drawn(4 if n == "N" else n, T, D))
    kinds = [type(layer) for _, layer in network]
    assert kinds.count(MatMul) == 2 and kinds.count(Transpose) == 4 and kinds[-1] is Linear
    softmax, = (layer for _, layer in network if isinstance(layer, Softmax))
    assert np.array_equal(softmax.mask.reshape(T, T) > 0, np.tri(T, dtype=bool))
    assert network(drawn(2, T, D)).shape == (2, T, D)   # any number of images, however many the file is for


def test_a_constant_for_every_image_and_head_is_one_where_all_are_alike():
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Reshape", "t heads", "b0"), node("Add", "b0 c", "u"),
             node("Reshape", "u tokens", "u0"), node("Transpose", "u0", perm=BACK)]
    own = weights(T, 1, HEADS, 2)
    alike = np.broadcast_to(own, (T, 2, HEADS, 2)).reshape(T, 2 * HEADS, 2)
    network = held_to_reference(model(nodes, (2, T, D), CONSTANTS | {"c": alike}), drawn(2, T, D))
    assert [type(layer) for _, layer in network] == [Reshape, Scale, Reshape]
    other = alike.copy()
    other[1, -1] += 1
    assert "differs from image to image" in said(model(nodes, (2, T, D), CONSTANTS | {"c": other}))


def test_token_ids_with_the_batch_second():
    nodes = [node("Transpose", "x", "t", perm=(1, 0)), node("Gather", "table t", "w"), node("Add", "w place", "v"),
             node("Transpose", "v", perm=BACK)]
    made = model(nodes, ("N", T), {"table": weights(7, D), "place": weights(T, 1, D)}, kind=np.int64)
    network, _ = converted(made)
    assert [type(layer) for _, layer in network] == [Embedding, Scale]
    ids = np.array([[0, 3, 6, 6, 1], [5, 2, 0, 4, 4]])
    theirs, = onnx.reference.ReferenceEvaluator(made).run(None, {"x": ids})
    assert np.array_equal(network(ids.astype(np.float32)), theirs)


def test_the_file_of_one_image_may_have_no_axis_for_it_inside():
    nodes = [node("Squeeze", "x zero", "t"), node("Transpose", "t", "k", perm=(1, 0)),
             node("ReduceMean", "k", "m", axes=[1], keepdims=0), node("Mul", "t m", "u"), node("Unsqueeze", "u zero")]
    network = held_to_reference(model(nodes, (1, T, D), CONSTANTS), drawn(1, T, D))
    x = drawn(3, T, D)
    assert abs(network(x) - x * x.mean(1, keepdims=True)).max() < 1e-6   # float32: products of numbers below 4


def test_a_class_token_with_the_batch_second():
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Shape", "t", "s"), node("Slice", "s second two", "n"),
             node("Concat", "second n width", "whole", axis=0), node("Expand", "token whole", "c"),
             node("Concat", "c t", "u", axis=0), node("Gather", "u nought", "v", axis=0), node("MatMul", "v square")]
    constants = CONSTANTS | {"token": weights(1, 1, D), "width": ints(D), "nought": np.int64(0)}
    network = held_to_reference(model(nodes, OPEN, constants), drawn(4, T, D))
    kinds = [type(layer) for _, layer in network]
    assert kinds[-1] is Linear and Slice in kinds


def test_a_constant_beside_rows_is_the_same_for_all_images():
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Concat", "c t c", "u", axis=-1),
             node("Transpose", "u", perm=BACK)]
    beside = np.broadcast_to(weights(T, 1, 2), (T, 3, 2))
    held_to_reference(model(nodes, (3, T, D), {"c": beside}), drawn(3, T, D))
    assert "differs from image to image" in said(model(nodes, (3, T, D), {"c": beside * ints(1, 1, 2)[:, None]}))


def test_a_constant_for_every_row_of_all_images():
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Reshape", "t rows", "r"), node("Add", "r c", "u"),
             node("Reshape", "u tokens", "v"), node("Transpose", "v", perm=BACK)]
    rows = np.repeat(weights(T, D), 3, axis=0)   # (T N, D): every token's three times
    network = held_to_reference(model(nodes, (3, T, D), CONSTANTS | {"c": rows}), drawn(3, T, D))
    assert [type(layer) for _, layer in network] == [Scale]


def test_an_axis_that_is_made_of_two_of_ours():
    """(h T, N, d): its mean and its entries are of both."""
    nodes = [node("Reshape", "x four_axes", "a"), node("Transpose", "a", "b", perm=(2, 1, 0, 3)),
             node("Reshape", "b joined", "c")]
    constants = CONSTANTS | {"four_axes": ints(-1, T, HEADS, 2), "joined": ints(T * HEADS, -1, 2), "seven": np.int64(7)}
    for last in (node("ReduceMean", "c", axes=[0], keepdims=0), node("Gather", "c seven", axis=0)):
        held_to_reference(model([*nodes, last], OPEN, constants), drawn(4, T, D))


def test_axes_of_size_1_are_put_beside_each_other_and_moved_without_a_layer():
    cut = [node("Transpose", "x", "t", perm=BACK), node("Gather", "t one", "m", axis=-1),
           node("Unsqueeze", "m last", "u")]
    nodes = [*cut, node("Concat", "u u", "v", axis=-1), node("Transpose", "v", perm=BACK)]
    held_to_reference(model(nodes, OPEN, CONSTANTS), drawn(4, T, D))
    nodes = [node("Transpose", "x", "t", perm=BACK), node("Slice", "t second two last", "u"),
             node("Transpose", "u", perm=(1, 2, 0))]
    network = held_to_reference(model(nodes, OPEN, CONSTANTS), drawn(4, T, D))
    assert [type(layer) for _, layer in network] == [Slice, Reshape]


def test_a_softmax_of_operator_set_12_has_its_axis_by_default():
    nodes = [node("Reshape", "x rows", "t"), node("Softmax", "t", "u"), node("Reshape", "u images")]
    network = held_to_reference(model(nodes, OPEN, CONSTANTS, opset=12), drawn(4, T, D))
    assert [type(layer) for _, layer in network] == [Softmax]


def test_axes_that_are_parted_otherwise_for_another_number_of_images_are_refused():
    nodes = [node("Reshape", "x six", "t"), node("Relu", "t", "u"), node("Reshape", "u back")]
    made = model(nodes, ("N", 6, 4), {"six": ints(6, -1), "back": ints(-1, 6, 4)})
    assert "moves the batch axis or mixes images" in said(made)


def test_axes_may_be_counted_from_the_last_and_one_entry_kept():
    nodes = [node("Transpose", "x", "t", perm=(1, 0, -1)), node("Gather", "t row1", "u", axis=-1),
             node("Gather", "x row1", "v", axis=1), node("Transpose", "u", "w", perm=(-2, -3, 2)), node("Mul", "w v")]
    held_to_reference(model(nodes, OPEN, {"row1": ints(1)}), drawn(4, T, D))


def refused(*nodes, shape=OPEN, **constants):
    return said(model([node("Transpose", "x", "t", perm=BACK), *nodes], shape, CONSTANTS | constants))


REFUSED = {
    "left so": ((node("Relu", "t", name="act"),), "node t, Transpose: moves the batch axis or mixes images, needed the "
                "batch as axis 0 throughout, or in front again in y"),
    "a softmax of images": ((node("Softmax", "t", "u", axis=1), node("Neg", "u")), "works along axis 1, which the "),
    "a mean of images": ((node("ReduceMean", "t", axes=[1]),), "works along axis 1, which the batch is in"),
    "some images": ((node("Slice", "t first second second"),), "works along axis 1, which the batch is in"),
    "images behind each other": ((node("Concat", "t t", axis=1),), "puts images behind each other"),
    "images multiplied": ((node("MatMul", "t t"),), "multiplies along the batch"),
    "images as columns": ((node("Transpose", "t", "k", perm=(0, 2, 1)), node("MatMul", "k two2")), "works along the "
                          "last axis, which the batch is in"),
    "two places": ((node("Add", "t x"),), "the batch in different places"),
    "a convolution": ((node("Conv", "t kernel"),), "reads a tensor that has the batch elsewhere than in front"),
    "parts askew": ((node("Reshape", "t askew"),), "moves the batch axis or mixes images"),
    "images in parts": ((node("Reshape", "t parts"),), "moves the batch axis or mixes images"),
    "another axis than there is": ((node("Transpose", "t", perm=(0, 1, 3)),), "perm=(0, 1, 3) of 3 axes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused(case):
    nodes, wanted = REFUSED[case]
    shape = (4, T, D) if case in ("images as columns", "images in parts", "parts askew") else OPEN
    more = {"kernel": weights(2, D, 1), "two2": weights(4, 2), "askew": ints(T, 3, 4, 2), "parts": ints(T, 2, 2, D)}
    assert wanted in refused(*nodes, shape=shape, **more)
