"""ONNX files: a small network whose bytes, attributes, constants, wires and operators are changed."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import Attempt, Door

from lrp_ref.convert import from_onnx
from lrp_ref.convert.onnx_fold import FOLDED
from lrp_ref.convert.onnx_table import ROWS

KEPT = tempfile.TemporaryDirectory(prefix="lrp-ref-fuzz-onnx-")   # as long as this process lives
Rng = np.random.Generator
ODD = (0, 1, -1, 2, 3, 4, 7, 64, 2**16, 2**20, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), -2)
OPERATORS = sorted({*ROWS, *FOLDED, "Softmax", "If", "Loop", "QLinearConv", "Softplus", "Attention", "Einsum", "TopK"})


def small(rng: Rng) -> Any:
    from onnx import helper, numpy_helper

    held = {"w": rng.normal(size=(4, 2, 3, 2)), "b": rng.normal(size=4), "v": np.ones(4), "m": rng.normal(size=(24, 3)),
            "c": rng.normal(size=(1, 4, 1, 1))}
    shapes = {"s": [0, -1], "p": [0, 0, 1, 0, 0, 0, 0, 1], "f": [1], "t": [4], "a": [2], "k": [2, 3]}
    nodes = [("Conv", "x w b", "y1", {"pads": [1, 0, 1, 1], "strides": [1, 2], "dilations": [1, 1], "group": 1}),
             ("BatchNormalization", "y1 b b b v", "y2", {"epsilon": 0.1}), ("Relu", "y2", "y3", {}),
             ("Pad", "y3 p", "y4", {}), ("MaxPool", "y4", "y5", {"kernel_shape": [2, 2], "strides": [2, 1]}),
             ("ConstantOfShape", "k", "k1", {}), ("ReduceSum", "k1", "k2", {"keepdims": 0}),
             ("Mul", "c k2", "c1", {}), ("Mul", "y5 c1", "y6", {}), ("Sigmoid", "y6", "y7", {}),
             ("Mul", "y6 y7", "y8", {}), ("Add", "y8 y5", "y9", {}), ("Transpose", "y9", "z1", {"perm": [0, 2, 3, 1]}),
             ("Slice", "z1 f t a", "z2", {}), ("Concat", "z2 z2", "z3", {"axis": 2}), ("Reshape", "z2 s", "z4", {}),
             ("MatMul", "z4 m", "z5", {}), ("Clip", "z5", "z6", {}), ("Softmax", "z6", "out", {"axis": 1})]
    made = [helper.make_node(op, inputs.split(), [output], **given) for op, inputs, output, given in nodes]
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()]
    weights += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in shapes.items()]
    x = helper.make_tensor_value_info("x", 1, ["N", 2, 5, 6])
    return helper.make_model(
        helper.make_graph(made, "small", [x], [helper.make_tensor_value_info("out", 1, None)], weights),
        opset_imports=[helper.make_opsetid("", int(rng.choice([13, 17, 18, 21])))])


def one_of(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def graph_changed(rng: Rng) -> Attempt:
    """Up to three changes in what the file says."""
    from onnx import helper, numpy_helper

    model = small(rng)
    graph, said = model.graph, []
    for _ in range(int(rng.integers(0, 4))):
        node = one_of(rng, graph.node)
        match int(rng.integers(7)):
            case 0 if node.attribute:
                at = one_of(rng, node.attribute)
                if at.ints:
                    at.ints[int(rng.integers(len(at.ints)))] = one_of(rng, ODD)
                else:
                    at.i = one_of(rng, ODD)
                said.append(f"{node.op_type}.{at.name}")
            case 1:
                node.op_type = one_of(rng, OPERATORS)
                said.append(f"a {node.op_type}")
            case 2:
                names = [name for one in graph.node for name in (*one.input, *one.output)]
                node.input[int(rng.integers(len(node.input)))] = one_of(rng, names)
                said.append(f"another input of {node.op_type}")
            case 3:
                tensor = one_of(rng, small(rng).graph.initializer)
                values = numpy_helper.to_array(tensor).copy()
                values.flat[int(rng.integers(values.size))] = one_of(rng, ODD if values.dtype.kind == "i" else
                                                                     [0, np.nan, np.inf, -1, 1e30, 1e-40])
                next(one for one in graph.initializer if one.name == tensor.name).CopyFrom(
                    numpy_helper.from_array(values, tensor.name))
                said.append(f"a number in {tensor.name}")
            case 4:
                tensor = one_of(rng, graph.initializer)
                if tensor.dims:
                    tensor.dims[int(rng.integers(len(tensor.dims)))] = one_of(rng, ODD)
                tensor.data_type = int(rng.integers(0, 25)) if not rng.integers(4) else tensor.data_type
                said.append(f"a size of {tensor.name}")
            case 5:
                node.attribute.append(helper.make_attribute(
                    one_of(rng, ["axis", "axes", "pads", "auto_pad", "ceil_mode", "perm", "group", "mode", "to"]),
                    one_of(rng, [3, [1, 2], "SAME_UPPER", 0.5, [-1], [2**62, 2**62]])))
                said.append(f"an attribute of {node.op_type}")
            case _:
                dim = one_of(rng, graph.input[0].type.tensor_type.shape.dim)
                dim.dim_value = one_of(rng, [size for size in ODD if not 2**16 < size < 2**30])   # those take some 12 s
                said.append("a size of x")
    return Attempt(f"an ONNX file with {', '.join(said) or 'no change'}", lambda: read(model.SerializeToString()))


def bytes_changed(rng: Rng) -> Attempt:
    """Bytes changed, added, left out."""
    data = bytearray(small(rng).SerializeToString())
    for _ in range(int(rng.integers(1, 6))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    if not rng.integers(4):
        del data[int(rng.integers(len(data))):]
    if not rng.integers(4):
        at = int(rng.integers(len(data) + 1))
        data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 40))).astype(np.uint8))
    return Attempt("an ONNX file with other bytes", lambda: read(bytes(data)))


def read(data: bytes) -> None:
    path = Path(KEPT.name) / "changed.onnx"
    path.write_bytes(data)
    from_onnx(path)


DOORS = ((Door("ONNX file, bytes", bytes_changed), Door("ONNX file, graph", graph_changed))
         if importlib.util.find_spec("onnx") else ())
