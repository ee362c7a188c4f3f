"""Small ONNX models, made in tests: nodes, weights, one input `x` and one output `y`."""

import numpy as np
from onnx import helper, numpy_helper

RNG = np.random.default_rng(5)


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(op, inputs, output="y", **given):
    """`node("Conv", "x w b", strides=[2, 1])`; a name of its own only where one is given."""
    return helper.make_node(op, inputs.split(" "), output.split(), **given)


def model(nodes, shape, constants=None, opset=17, kind=np.float32, outputs=("y",), **more):
    """shape: of the batch; a text or None in it leaves that size open."""
    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    source = helper.make_tensor_value_info("x", number, shape)
    tops = [helper.make_tensor_value_info(name, number, None) for name in outputs]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    return helper.make_model(helper.make_graph(nodes, "test", [source], tops, held),
                             opset_imports=[helper.make_opsetid("", opset)], **more)


def written(path, made):
    path.write_bytes(made.SerializeToString())
    return path
