"""ONNX graphs to networks: which layers of which nodes, under which names, for batches of any size."""

import numpy as np
import pytest

from lrp_ref import Reshape
from lrp_ref.convert.from_onnx import converted
from lrp_ref.layers import (
    ELU,
    GELU,
    LRN,
    Add,
    AvgPool,
    BatchNorm,
    ClassToken,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Flatten,
    Hardsigmoid,
    Hardswish,
    LayerNorm,
    LeakyReLU,
    Linear,
    MatMul,
    MaxPool,
    Mean,
    Multiply,
    Pad,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Sum,
    Tanh,
    Transpose,
    Upsample,
)

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")

model, node, weights, written = graphs.model, graphs.node, graphs.weights, graphs.written
IMAGE, ROWS, FLAT = (2, 4, 7, 6), (2, 4, 9), (2, 5)
INT = np.int64


def kinds(network):
    return [type(layer) for _, layer in network]


def ints(*values):
    return np.array(values, INT)


# What a node becomes. That these compute what the node does is proved by from_onnx itself, against onnx.reference.
CONV = {"w": weights(6, 4, 3, 2), "b": weights(6)}
GROUPS = {"w": weights(6, 2, 3, 2)}
CASES = {
    "Conv": ("Conv", "x w b", {"strides": [2, 1], "pads": [1, 0, 2, 1]}, CONV, IMAGE, [Conv2D]),
    "Conv, dilated": ("Conv", "x w", {"dilations": [2, 3]}, CONV, IMAGE, [Conv2D]),
    "Conv, groups": ("Conv", "x w", {"group": 2, "pads": [1, 1, 1, 1]}, GROUPS, IMAGE, [Conv2D]),
    "Conv, same, more below": ("Conv", "x w", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, CONV, IMAGE, [Conv2D]),
    "Conv, same, more above": ("Conv", "x w", {"auto_pad": "SAME_LOWER", "strides": [1, 3]}, CONV, IMAGE, [Conv2D]),
    "Conv, valid": ("Conv", "x w", {"auto_pad": "VALID"}, CONV, IMAGE, [Conv2D]),
    "Conv of rows": ("Conv", "x w b", {"strides": [2], "pads": [2, 1]}, {"w": weights(5, 4, 3), "b": weights(5)}, ROWS,
                     [Reshape, Conv2D, Reshape]),
    "ConvTranspose": ("ConvTranspose", "x w b", {"strides": [3, 2], "pads": [0, 1, 1, 0], "output_padding": [1, 0]},
                      {"w": weights(4, 3, 2, 4), "b": weights(3)}, IMAGE, [ConvTranspose2D]),
    "ConvTranspose, groups": ("ConvTranspose", "x w", {"group": 2}, {"w": weights(4, 3, 2, 4)}, IMAGE,
                              [ConvTranspose2D]),
    "ConvTranspose, shape": ("ConvTranspose", "x w", {"strides": [2, 2], "output_shape": [15, 12]},
                             {"w": weights(4, 3, 4, 3)}, IMAGE, [ConvTranspose2D]),
    "ConvTranspose of rows": ("ConvTranspose", "x w", {"strides": [2]}, {"w": weights(4, 3, 5)}, ROWS,
                              [Reshape, ConvTranspose2D, Reshape]),
    "Gemm": ("Gemm", "x w b", {"transB": 1, "alpha": 0.7, "beta": 1.5}, {"w": weights(3, 5), "b": weights(1, 3)}, FLAT,
             [Linear]),
    "MatMul": ("MatMul", "x w", {}, {"w": weights(9, 3)}, ROWS, [Linear]),
    "BatchNormalization": ("BatchNormalization", "x s b m v", {"epsilon": 0.01}, {
        "s": weights(4), "b": weights(4), "m": weights(4), "v": abs(weights(4))}, IMAGE, [BatchNorm]),
    "LRN": ("LRN", "x", {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 1.5}, {}, IMAGE, [LRN]),
    "Clip": ("Clip", "x l h", {}, {"l": np.float32(-0.5), "h": np.float32(1.25)}, FLAT, [Clip]),
    "Clip, from below": ("Clip", "x l", {}, {"l": np.float32(-0.5)}, FLAT, [Clip]),
    "Max": ("Max", "l x", {}, {"l": np.float32(-0.5)}, FLAT, [Clip]),
    "Relu": ("Relu", "x", {}, {}, FLAT, [ReLU]),
    "LeakyRelu": ("LeakyRelu", "x", {"alpha": 0.3}, {}, FLAT, [LeakyReLU]),
    "PRelu": ("PRelu", "x s", {}, {"s": weights(4, 1, 1)}, IMAGE, [LeakyReLU]),
    "Elu": ("Elu", "x", {"alpha": 0.4}, {}, FLAT, [ELU]),
    "Sigmoid": ("Sigmoid", "x", {}, {}, FLAT, [Sigmoid]),
    "Tanh": ("Tanh", "x", {}, {}, FLAT, [Tanh]),
    "HardSigmoid": ("HardSigmoid", "x", {}, {}, FLAT, [Hardsigmoid]),
    "HardSigmoid, shifted": ("HardSigmoid", "x", {"alpha": 0.3, "beta": 0.4}, {}, FLAT, [Scale, Clip]),
    "HardSwish": ("HardSwish", "x", {}, {}, FLAT, [Hardswish]),
    "Add, constant": ("Add", "c x", {}, {"c": weights(4, 1, 6)}, IMAGE, [Scale]),
    "Sub, from a constant": ("Sub", "c x", {}, {"c": weights(1, 5)}, FLAT, [Scale]),
    "Mul, constant": ("Mul", "x c", {}, {"c": weights(1, 1, 7, 1)}, IMAGE, [Scale]),
    "Div, constant": ("Div", "x c", {}, {"c": weights(6)}, IMAGE, [Scale]),
    "Neg": ("Neg", "x", {}, {}, FLAT, [Scale]),
    "Add, twice the same": ("Add", "x x", {}, {}, FLAT, [Add]),
    "Sum": ("Sum", "x x c x", {}, {"c": weights(5)}, FLAT, [Add, Scale]),
    "Mean": ("Mean", "x c", {}, {"c": weights(5)}, FLAT, [Scale]),
    "Mul": ("Mul", "x x", {}, {}, FLAT, [Multiply]),
    "Concat": ("Concat", "x x", {"axis": 1}, {}, IMAGE, [Concat]),
    "Concat, columns": ("Concat", "x x", {"axis": -1}, {}, IMAGE, [Transpose, Concat, Transpose]),
    "MaxPool": ("MaxPool", "x", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1]}, {}, IMAGE,
                [MaxPool]),
    "MaxPool, up": ("MaxPool", "x", {"kernel_shape": [2, 4], "strides": [2, 3], "ceil_mode": 1}, {}, IMAGE, [MaxPool]),
    "MaxPool, same": ("MaxPool", "x", {"kernel_shape": [3, 4], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, {}, IMAGE,
                      [MaxPool]),
    "MaxPool, stride 1": ("MaxPool", "x", {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1]}, {}, IMAGE, [MaxPool]),
    "MaxPool of rows": ("MaxPool", "x", {"kernel_shape": [3], "strides": [2]}, {}, ROWS, [Reshape, MaxPool, Reshape]),
    "AveragePool": ("AveragePool", "x", {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1]}, {}, IMAGE, [AvgPool]),
    "AveragePool, padding counted": ("AveragePool", "x", {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1],
                                                          "count_include_pad": 1}, {}, IMAGE, [AvgPool]),
    "AveragePool, up": ("AveragePool", "x", {"kernel_shape": [2, 4], "strides": [2, 3], "ceil_mode": 1}, {}, IMAGE,
                        [AvgPool]),
    "AveragePool, same": ("AveragePool", "x", {"kernel_shape": [3, 4], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, {},
                          IMAGE, [AvgPool]),
    "GlobalMaxPool": ("GlobalMaxPool", "x", {}, {}, IMAGE, [MaxPool, Flatten]),
    "GlobalAveragePool of rows": ("GlobalAveragePool", "x", {}, {}, ROWS, [Mean, Flatten]),
    "ReduceMean": ("ReduceMean", "x", {"axes": [-1, 2], "keepdims": 0}, {}, IMAGE, [Mean]),
    "ReduceSum": ("ReduceSum", "x a", {}, {"a": ints(2)}, IMAGE, [Sum]),
    "Flatten": ("Flatten", "x", {}, {}, IMAGE, [Flatten]),
    "Reshape": ("Reshape", "x s", {}, {"s": ints(0, -1, 3)}, IMAGE, [Reshape]),
    "Reshape, flat": ("Reshape", "x s", {}, {"s": ints(2, -1)}, IMAGE, [Flatten]),
    "Transpose": ("Transpose", "x", {"perm": [0, 2, 3, 1]}, {}, IMAGE, [Transpose]),
    "Unsqueeze": ("Unsqueeze", "x a", {}, {"a": ints(-1, 1)}, FLAT, [Reshape]),
    "Squeeze": ("Squeeze", "x a", {}, {"a": ints(2)}, (2, 3, 1, 4), [Reshape]),
    "Slice": ("Slice", "x f t a s", {}, {"f": ints(1, -1), "t": ints(99, -5), "a": ints(1, -1), "s": ints(2, -2)},
              IMAGE, [Slice, Slice]),
    "Gather": ("Gather", "x i", {"axis": 2}, {"i": np.array(-2, INT)}, IMAGE, [Slice, Reshape]),
    "Softmax": ("Softmax", "x", {}, {}, ROWS, [Softmax]),
    "Softmax along another axis": ("Softmax", "x", {"axis": -2}, {}, IMAGE, [Transpose, Softmax, Transpose]),
    "MatMul of two": ("MatMul", "x x", {}, {}, (2, 3, 4, 4), [MatMul]),
    "LayerNormalization": ("LayerNormalization", "x g b", {"epsilon": 0.2}, {"g": weights(9), "b": weights(9)}, ROWS,
                           [LayerNorm]),
    "LayerNormalization of two axes": ("LayerNormalization", "x g", {"axis": 1}, {"g": weights(4, 9)}, ROWS,
                                       [Flatten, LayerNorm, Reshape]),
    "a token in front": ("Concat", "c x", {"axis": 1}, {"c": np.repeat(weights(1, 1, 9), 2, 0)}, ROWS, [ClassToken]),
    "constants around": ("Concat", "c x d", {"axis": 2}, {
        name: np.repeat(weights(1, 4, n, 6), 2, 0) for name, n in (("c", 2), ("d", 1))}, IMAGE, [Pad, Scale]),
    "Expand": ("Expand", "x s", {}, {"s": ints(1, 4, 1)}, ROWS, []),
    "Split": ("Split", "x", {"axis": 1}, {}, IMAGE, [Slice]),
    "Pad": ("Pad", "x p v", {}, {"p": ints(0, 1, 2, 0, 0, 0, 1, 3), "v": np.float32(0.5)}, IMAGE, [Pad]),
    "Resize": ("Resize", "x  s", {}, {"s": np.float32([1, 1, 2, 3])}, IMAGE, [Upsample]),
    "Resize, asymmetric": ("Resize", "x   s", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
                           {"s": ints(2, 4, 21, 12)}, IMAGE, [Upsample]),
    "DepthToSpace": ("DepthToSpace", "x", {"blocksize": 2}, {}, (2, 8, 3, 5), [Reshape, Transpose, Reshape]),
    "SpaceToDepth": ("SpaceToDepth", "x", {"blocksize": 2}, {}, (2, 3, 4, 6), [Reshape, Transpose, Reshape]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_node_becomes_these_layers(case):
    op, inputs, given, constants, shape, wanted = CASES[case]
    outputs = "y rest" if op == "Split" else "y"
    nodes = [node(op, inputs, outputs, **given)]
    if op in ("Softmax", "Expand"):   # what is at the top is left out, and what passes its input on is no network
        nodes, wanted = [node(op, inputs, "mid", **given), node("Relu", "mid")], [*wanted, ReLU]
    network, sample = converted(model(nodes, shape, constants))
    assert kinds(network) == wanted and sample == shape[1:]
    assert network.number in (None, np.float32)


# Attributes that became inputs, and operators that there no longer are.
OLDER = {
    "Clip": (9, "Clip", "x", {"min": -0.5, "max": 0.75}, {}, FLAT, [Clip]),
    "Clip without bounds": (9, "Clip", "x", {"max": float(np.finfo(np.float32).max)}, {}, FLAT, []),
    "Slice": (9, "Slice", "x", {"starts": [1], "ends": [3], "axes": [1]}, {}, IMAGE, [Slice]),
    "Split": (9, "Split", "x", {"split": [1, 3], "axis": 1}, {}, IMAGE, [Slice]),
    "Pad": (9, "Pad", "x", {"pads": [0, 0, 1, 2, 0, 0, 0, 3], "value": 0.25}, {}, IMAGE, [Pad]),
    "Upsample": (9, "Upsample", "x s", {}, {"s": np.float32([1, 1, 3, 2])}, IMAGE, [Upsample]),
    "Resize": (10, "Resize", "x s", {}, {"s": np.float32([1, 1, 3, 2])}, IMAGE, [Upsample]),
    "ReduceSum": (9, "ReduceSum", "x", {"axes": [1], "keepdims": 0}, {}, IMAGE, [Sum]),
    "Unsqueeze": (9, "Unsqueeze", "x", {"axes": [1]}, {}, FLAT, [Reshape]),
    "BatchNormalization": (9, "BatchNormalization", "x s b m v", {"momentum": 0.9}, {
        "s": weights(4), "b": weights(4), "m": weights(4), "v": abs(weights(4))}, IMAGE, [BatchNorm]),
    "AveragePool": (9, "AveragePool", "x", {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1]}, {}, IMAGE, [AvgPool]),
    "Gelu": (20, "Gelu", "x", {"approximate": "tanh"}, {}, FLAT, [GELU]),
    "Split, uneven": (18, "Split", "x", {"num_outputs": 2, "axis": 2}, {}, IMAGE, [Slice]),
    "Pad of axes": (18, "Pad", "x p  a", {}, {"p": ints(2, 1), "a": ints(-1)}, IMAGE, [Pad]),
    "ReduceMean": (18, "ReduceMean", "x a", {}, {"a": ints(3)}, IMAGE, [Mean]),
    "Swish": (24, "Swish", "x", {}, {}, FLAT, [SiLU]),
}


@pytest.mark.parametrize("case", OLDER)
def test_operator_sets_write_a_node_differently(case):
    opset, op, inputs, given, constants, shape, wanted = OLDER[case]
    outputs = "mid rest" if op == "Split" else "mid"
    nodes = [node(op, inputs, outputs, **given), node("Relu", "mid")]
    assert kinds(converted(model(nodes, shape, constants, opset))[0]) == [*wanted, ReLU]


def number(value):
    return np.float32(value)


# x -> y in several nodes: how exporters write activations that their operator set has not
WRITTEN_OUT = {
    "GELU of PyTorch": (GELU, [("Div", "x root", "d"), ("Erf", "d", "e"), ("Add", "e one", "a"), ("Mul", "x a", "m"),
                               ("Mul", "m half", "y")]),
    "GELU, halved first": (GELU, [("Mul", "x half", "h"), ("Mul", "x inverse", "d"), ("Erf", "d", "e"),
                                  ("Add", "one e", "a"), ("Mul", "h a", "y")]),
    "GELU by tanh": (GELU, [("Pow", "x three", "p"), ("Mul", "p cubic", "c"), ("Add", "x c", "s"), ("Mul", "s pi", "i"),
                            ("Tanh", "i", "t"), ("Add", "t one", "a"), ("Mul", "a half", "g"), ("Mul", "x g", "y")]),
    "SiLU": (SiLU, [("Sigmoid", "x", "s"), ("Mul", "x s", "y")]),
    "Hardswish of Keras": (Hardswish, [("Add", "x three", "a"), ("Clip", "a none six", "c"), ("Mul", "x c", "m"),
                                       ("Div", "m six", "y")]),
    "Hardswish by HardSigmoid": (Hardswish, [("HardSigmoid", "x", "s"), ("Mul", "s x", "y")]),
}
SCALARS = {"root": 2 ** 0.5, "inverse": 0.5 ** 0.5, "one": 1, "half": 0.5, "three": 3, "six": 6, "none": 0,
           "cubic": 0.044715, "pi": (2 / np.pi) ** 0.5}


@pytest.mark.parametrize("case", WRITTEN_OUT)
def test_an_activation_in_several_nodes_is_one_layer(case):
    kind, lines = WRITTEN_OUT[case]
    more = {"HardSigmoid": {"alpha": 1 / 6}}
    nodes = [node(op, inputs, output, **more.get(op, {})) for op, inputs, output in lines]
    network, _ = converted(model(nodes, FLAT, {name: number(value) for name, value in SCALARS.items()}))
    assert kinds(network) == [kind] and network.names == ("y",)
    if kind is GELU:
        assert network["y"].tanh is (case == "GELU by tanh")


def test_what_is_no_activation_stays_in_its_nodes():
    """x sigmoid(1.7 x) is near GELU, and none of the layers; so is a sigmoid that others read too."""
    nodes = [node("Mul", "x c", "m"), node("Sigmoid", "m", "s"), node("Mul", "x s")]
    assert kinds(converted(model(nodes, FLAT, {"c": number(1.7)}))[0]) == [Scale, Sigmoid, Multiply]
    nodes = [node("Sigmoid", "x", "s"), node("Mul", "x s", "m"), node("Add", "m s")]
    assert set(kinds(converted(model(nodes, FLAT))[0])) == {SiLU, Sigmoid, Add}
