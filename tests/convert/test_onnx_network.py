"""ONNX graphs to networks: names, wires, outputs, batches of any size; and the relevance of one is that of the hand."""

import numpy as np
import pytest

from lrp_ref import Epsilon, Network, assign, epsilon_plus, explain
from lrp_ref.convert import from_onnx
from lrp_ref.convert.from_onnx import converted
from lrp_ref.layers import Add, Conv2D, Flatten, Linear, Multiply, ReLU, Scale, Tanh

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")

model, node, weights, written = graphs.model, graphs.node, graphs.weights, graphs.written
IMAGE, FLAT = (2, 4, 7, 6), (2, 5)


def kinds(network):
    return [type(layer) for _, layer in network]


def ints(*values):
    return np.array(values, np.int64)


def test_a_bias_that_is_added_goes_into_the_layer_below_unless_others_read_that():
    w, b = weights(5, 3), weights(3)
    nodes = [node("MatMul", "x w", "m", name="dense/MatMul"), node("Add", "m b", name="dense/BiasAdd")]
    network, _ = converted(model(nodes, FLAT, {"w": w, "b": b}))
    assert network.names == ("dense/MatMul",) and (network["dense/MatMul"].bias == b).all()
    nodes = [node("MatMul", "x w", "m"), node("Add", "m b", "a"), node("Mul", "m a")]
    assert kinds(converted(model(nodes, FLAT, {"w": w, "b": b}))[0]) == [Linear, Scale, Multiply]
    nodes = [node("Conv", "x w", "m"), node("Add", "m b")]
    network, _ = converted(model(nodes, IMAGE, {"w": weights(3, 4, 2, 2), "b": b[:, None, None]}))
    assert kinds(network) == [Conv2D] and (network["m"].bias == b).all()


def flattened(batch):
    """The way PyTorch flattens a batch of any size: its shape is read, cut, and joined with the rest."""
    constants = {"first": ints(0), "rest": ints(-1), "w": weights(168, 3)}
    nodes = [node("Relu", "x", "r"), node("Shape", "r", "shape"), node("Gather", "shape first", "n"),
             node("Concat", "n rest", "target", axis=0), node("Reshape", "r target", "flat"),
             node("MatMul", "flat w")]
    return model(nodes, (batch, 4, 7, 6), constants)


@pytest.mark.parametrize("batch", ["N", None, 0, -1, 1, 3])
def test_the_batch_is_free(batch):
    network, _ = converted(flattened(batch))
    assert kinds(network) == [ReLU, Flatten, Linear]
    assert network(np.ones((5, 4, 7, 6), np.float32)).shape == (5, 3)


def test_a_shape_for_one_number_of_images_is_refused_where_the_file_leaves_it_open():
    nodes = [node("Reshape", "x s")]
    assert kinds(converted(model(nodes, (1, 4, 3), {"s": ints(1, 12)}))[0]) == [Flatten]
    with pytest.raises(ValueError, match=r"node y, Reshape: its shape .* does not hold|moves the batch"):
        converted(model(nodes, ("N", 4, 3), {"s": ints(1, 12)}))
    with pytest.raises(ValueError, match="node y, Reshape: moves the batch"):
        converted(model(nodes, ("N", 4, 3), {"s": ints(-1, 6)}))


def residual(tmp_path):
    """Two branches that meet, by nodes with and without names."""
    constants = {"w1": weights(3, 2, 3, 3), "b1": weights(3), "w2": weights(3, 3, 1, 1), "w3": weights(4, 3)}
    nodes = [node("Conv", "x w1 b1", "/c1", name="/layer1/conv", pads=[1, 1, 1, 1]), node("Relu", "/c1", "r1"),
             node("Conv", "r1 w2", "c2", name="/layer1/conv"), node("Add", "c2 r1", "sum"), node("Relu", "sum", "r2"),
             node("GlobalAveragePool", "r2", "g"), node("Flatten", "g", "f"),
             node("Gemm", "f w3", "scores", name="fc", transB=1), node("Softmax", "scores", "y", name="top")]
    return constants, written(tmp_path / "residual.onnx", model(nodes, ("N", 2, 5, 4), constants))


def test_a_residual_network_is_the_one_written_by_hand(tmp_path):
    c, path = residual(tmp_path)
    with pytest.warns(UserWarning, match="top, the Softmax at the top, is left out: relevance starts at the score"):
        network = from_onnx(path)
    assert network.names == ("layer1/conv", "r1", "layer1/conv_2", "sum", "r2", "g", "f", "fc")
    by_hand = Network([
        ("layer1/conv", Conv2D(c["w1"], c["b1"], 1, 1)), ("r1", ReLU()), ("layer1/conv_2", Conv2D(c["w2"])),
        ("sum", Add(), ("layer1/conv_2", "r1")), ("r2", ReLU()), ("g", network["g"]), ("f", Flatten()),
        ("fc", Linear(c["w3"].T))])
    assert network.reads == by_hand.reads
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype(np.float32)
    ours, wanted = (explain(one, x, epsilon_plus(one)) for one in (network, by_hand))
    assert (ours.scores == wanted.scores).all() and (ours.relevance == wanted.relevance).all()
    total = ours.ledger.total()
    kept = total["handed"] + total["bias"] + total["stabiliser"] + total["dead"]
    # float32: a few hundred roundings of 6e-8 each
    assert np.allclose(total["received"], kept, rtol=1e-4, atol=0)


def test_scores_with_axes_of_one_are_flattened():
    network, _ = converted(model([node("GlobalAveragePool", "x", name="pool")], IMAGE))
    assert network.names == ("pool", "flatten") and network(np.ones(IMAGE, np.float32)).shape == (2, 4)


def test_one_of_several_outputs_is_chosen_and_the_rest_is_left_out():
    made = model([node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Neg", "a", "c")], FLAT, outputs=("b", "c"))
    with pytest.raises(ValueError, match="2 outputs, b, c: choose one with output='NAME'"):
        converted(made)
    assert kinds(converted(made, "b")[0]) == [ReLU, Tanh] and kinds(converted(made, "a")[0]) == [ReLU]
    with pytest.raises(ValueError, match="output='d', which no node makes"):
        converted(made, "d")


def test_a_chain_gives_the_relevance_of_the_hand():
    """z = 2 x1 + 3 x2 + 1 at x = (1, -1): R = 7 is shared 2 : -3 over z = 0 + ..: with bias 1, z = 0 and all is dead;
    at x = (1, 1), z = 6, R1 = 2/6 R, R2 = 3/6 R and the bias has 1/6."""
    made = model([node("Gemm", "x w b", name="fc")], (1, 2), {"w": np.array([[2.], [3.]]), "b": np.array([1.])},
                 kind=np.float64)
    network, _ = converted(made)
    e = explain(network, np.array([[1.0, 1.0]]), assign(network, by_name={"fc": Epsilon(0)}), np.array([[6.0]]))
    assert e.relevance.tolist() == [[2.0, 3.0]] and e.ledger["fc"].bias.tolist() == [[1.0]]
