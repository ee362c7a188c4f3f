"""Attention in ONNX graphs: masks that leave scores out, token ids, and norms that are written out in several nodes."""

import numpy as np
import pytest

from lrp_ref import Embedding, LayerNorm, MatMul, ReLU, RMSNorm, Softmax, Sum, Transpose, explain
from lrp_ref.convert.from_onnx import converted

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")
model, node, weights = graphs.model, graphs.node, graphs.weights
T, D = 4, 6
ROWS = (2, T, D)
LATER = ~np.tri(T, dtype=bool)   # a token does not see those after it
FIRST = np.arange(T) % 2 > 0   # some columns, which a mask of two hides first
LOW = {"minus infinity": -np.inf, "the lowest float32": np.finfo(np.float32).min, "-10000": -1e4}
ATTENTION = [node("Transpose", "x", "keys", perm=[0, 2, 1]), node("MatMul", "x keys", "scores")]
READ = [node("Softmax", "masked", "a", axis=-1), node("MatMul", "a x", "y")]


def number(value):
    return np.float32(value)


def masks(low):
    return {
        "added": ([node("Add", "scores m", "masked")], {"m": np.where(LATER, number(low), number(0))}),
        "added first": ([node("Add", "m scores", "masked")], {"m": np.where(LATER, number(low), number(0))[None]}),
        "where": ([node("Where", "m low scores", "masked")], {"m": LATER, "low": number(low)}),
        "where not": ([node("Where", "m scores low", "masked")], {"m": ~LATER[None], "low": number(low)}),
        "in two halves": ([node("Add", "scores m", "half"), node("Where", "n low half", "masked")],
                          {"m": np.where(LATER & FIRST, number(low), number(0)), "n": LATER & ~FIRST,
                           "low": number(low)}),
        "with a bias": ([node("Add", "scores m", "masked")],
                        {"m": np.where(LATER, number(low), weights(T, T))}),
    }


@pytest.mark.parametrize("low", LOW.values(), ids=LOW)
@pytest.mark.parametrize("how", masks(0))
def test_a_mask_leaves_scores_out(how, low):
    nodes, constants = masks(low)[how]
    network, _ = converted(model([*ATTENTION, *nodes, *READ], ROWS, constants))
    assert [type(layer) for _, layer in network if type(layer) in (Transpose, MatMul, Softmax)] == [
        Transpose, MatMul, Softmax, MatMul]
    assert np.array_equal(np.broadcast_to(network["a"].mask, (T, T)) == 0, LATER)
    x = np.random.default_rng(7).normal(size=(2, T, D)).astype(np.float32) / 3   # so small that no softmax is 0 or 1
    e = explain(network, x, target=np.ones((2, T, D), np.float32))
    assert not e.relevances["scores"][:, LATER].any()
    assert e.relevances["scores"][:, 1:][:, ~LATER[1:]].all()   # the first sees itself alone: its softmax is 1


def test_a_mask_that_hides_nothing_is_no_layer():
    nodes = [*ATTENTION, node("Where", "m low scores", "masked"), *READ]
    network, _ = converted(model(nodes, ROWS, {"m": LATER & False, "low": number(-1e9)}))
    assert [type(layer) for _, layer in network] == [Transpose, MatMul, Softmax, MatMul] and network["a"].mask is None


def test_a_mask_that_is_repeated_for_every_image_is_one():
    """As exporters write it: expanded to the number of images that the graph sees."""
    nodes = [*ATTENTION, node("Shape", "x", "shape"), node("Slice", "shape zero one", "n"),
             node("Concat", "n sides", "sizes", axis=0), node("Expand", "m sizes", "every"),
             node("Add", "scores every", "masked"), *READ]
    constants = {"m": np.where(LATER, number(-1e9), number(0))[None], "sides": np.array([T, T]),
                 "zero": np.array([0]), "one": np.array([1])}
    network, _ = converted(model(nodes, (None, T, D), constants))
    assert np.array_equal(network["a"].mask == 0, LATER)


def test_a_low_constant_without_a_softmax_is_added():
    network, _ = converted(model([node("Add", "x c", "s"), node("Relu", "s")], ROWS, {"c": number(-2e4)}))
    x = np.full(ROWS, 20001.5, np.float32)
    assert (network(x) == 1.5).all()


def test_token_ids_are_read_by_their_rows():
    table = weights(7, D)
    made = model([node("Gather", "w x", "rows"), node("ReduceSum", "rows axes", "y", keepdims=0)], (2, T),
                 {"w": table, "axes": np.array([1])}, kind=np.int64)
    network, sample = converted(made)
    assert [type(layer) for _, layer in network] == [Embedding, Sum]
    assert sample == (T,)
    ids = np.array([[0, 6, 3, 3]], np.float32)
    # up to a rounding of float32 for each of four terms
    assert np.abs(network(ids) - table[[0, 6, 3, 3]].sum(0)).max() <= 4 * np.finfo(np.float32).eps * abs(table).sum()


AXIS = {"axes": [-1], "keepdims": 1}
NORMS = {   # name: (kind, nodes from x to y, its epsilon, whether it has a shift)
    "of PyTorch": (LayerNorm, [
        ("ReduceMean", "x", "m", AXIS), ("Sub", "x m", "c"), ("Pow", "c two", "p"), ("ReduceMean", "p", "v", AXIS),
        ("Add", "v eps", "e"), ("Sqrt", "e", "s"), ("Div", "c s", "n"), ("Mul", "n g", "g1"), ("Add", "g1 b", "z")],
        True),
    "by products": (LayerNorm, [
        ("ReduceMean", "x", "m", AXIS), ("Sub", "x m", "c"), ("Mul", "c c", "p"), ("ReduceMean", "p", "v", AXIS),
        ("Add", "eps v", "e"), ("Sqrt", "e", "s"), ("Reciprocal", "s", "r"), ("Mul", "r g", "k"), ("Mul", "c k", "z")],
        False),
    "of squares": (RMSNorm, [
        ("Pow", "x two", "p"), ("ReduceMean", "p", "v", AXIS), ("Add", "v eps", "e"), ("Sqrt", "e", "s"),
        ("Div", "x s", "n"), ("Mul", "n g", "z")], False),
}


@pytest.mark.parametrize("epsilon", [1e-5, 1e-12, 0.03])
@pytest.mark.parametrize("case", NORMS)
def test_a_norm_in_several_nodes_is_one_layer(case, epsilon):
    kind, lines, shifted = NORMS[case]
    g, b = weights(D), weights(D)
    nodes = [node(op, inputs, output, **(more[0] if more else {})) for op, inputs, output, *more in lines]
    network, _ = converted(model([*nodes, node("Relu", "z")], ROWS, {
        "g": g, "b": b, "two": number(2), "eps": number(epsilon)}))
    assert [type(layer) for _, layer in network] == [kind, ReLU]
    norm = network["z"]
    # what is seen of an epsilon in float64, beside squares of about 1e-5: some six digits of it, or 1e-12 of these
    assert abs(norm.epsilon - epsilon) <= 1e-5 * epsilon + 1e-12
    assert np.abs(norm.scale - g).max() <= 2e-6 * np.abs(g).max()   # as float32 has it
    if shifted:
        assert np.abs(norm.shift - b).max() <= 2e-6 * np.abs(b).max()


def test_what_is_no_norm_stays_in_its_nodes_or_is_refused():
    """(x - m) / (s + epsilon), with epsilon outside the root, is near a LayerNorm, and no layer here."""
    lines = [("ReduceMean", "x", "m", AXIS), ("Sub", "x m", "c"), ("Mul", "c c", "p"), ("ReduceMean", "p", "v", AXIS),
             ("Sqrt", "v", "s"), ("Add", "s eps", "e"), ("Div", "c e", "y")]
    nodes = [node(op, inputs, output, **(more[0] if more else {})) for op, inputs, output, *more in lines]
    with pytest.raises(ValueError, match="node"):
        converted(model(nodes, ROWS, {"eps": number(0.01)}))
