"""The nine graphs of the ONNX model zoo that come with the onnx package, without and with weights that are drawn."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
ZOO = ("bvlc_alexnet", "zfnet512", "vgg19", "squeezenet", "inception_v1", "inception_v2", "resnet50", "densenet121",
       "shufflenet")


def path_of(name):
    return FOLDER / f"light_{name}.onnx"


def expected(name):
    """The output that comes with the graph, for an input that rises from 0 to 1."""
    return numpy_helper.to_array(onnx.load_tensor(FOLDER / f"light_{name}_output_0.pb"))


def rising():
    size = 3 * 224 * 224
    return np.arange(size).reshape(1, 3, 224, 224).astype(np.float32) / size


def drawn(name, seed=0):
    """The graph with weights in place of its ConstantOfShape: {tensor: array}, float32, and the other nodes.

    Scores are of ordinary size: He et al. 2015 for weights, statistics of batch norm around 0 and 1.
    """
    graph, rng = onnx.load(path_of(name)).graph, np.random.default_rng(seed)
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    readers = {}
    for node in graph.node:
        for k, one in enumerate(node.input):
            readers.setdefault(one, (node, k))
    rest = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape, (reader, k) = tuple(arrays[node.input[0]]), readers[node.output[0]]
            arrays[node.output[0]] = numbers(rng, reader.op_type, k, shape).astype(np.float32)
        else:
            rest.append(node)
    return arrays, rest


def numbers(rng, op, k, shape):
    if (op in ("Conv", "Gemm") and k == 1) or op == "Reshape":
        return rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)   # Gemm's are (outputs, inputs) here
    if (op, k) == ("BatchNormalization", 4):
        return rng.uniform(0.5, 1.5, shape)
    if (op, k) == ("BatchNormalization", 1) or op == "Unsqueeze":
        return rng.uniform(0.75, 1.25, shape)
    return rng.normal(0, 0.1, shape)


def with_weights(name, seed=0):
    """The same as a model, without its Softmax."""
    arrays, rest = drawn(name, seed)
    graph = onnx.load(path_of(name)).graph
    rest = [node for node in rest if node.op_type != "Softmax"]
    source = next(one for one in graph.input if one.name not in {tensor.name for tensor in graph.initializer})
    top = helper.make_tensor_value_info(rest[-1].output[0], 1, None)
    weights = [numpy_helper.from_array(array, tensor) for tensor, array in arrays.items()]
    return helper.make_model(helper.make_graph(rest, name, [source], [top], weights),
                             opset_imports=[helper.make_opsetid("", 9)])
