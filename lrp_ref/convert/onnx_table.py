"""The table from an operator of ONNX to the function that makes our layers of a node of that kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrp_ref.convert.onnx_activations import (
    cast,
    clip,
    dropout,
    elu,
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    passed_on,
    prelu,
    relu,
    sigmoid,
    swish,
    tanh,
)
from lrp_ref.convert.onnx_arithmetic import (
    batch_norm,
    bounded_by_number,
    concat,
    divided,
    gemm,
    lrn,
    multiplied,
    negated,
    sum_of_inputs,
)
from lrp_ref.convert.onnx_attention import expand, layer_norm, matmul, softmax, taken, where
from lrp_ref.convert.onnx_laid import SHAPES
from lrp_ref.convert.onnx_node import Node
from lrp_ref.convert.onnx_shapes import blocks, pad, reduced, resize, sliced, split
from lrp_ref.convert.onnx_windows import average_pool, conv, conv_transpose, global_average, global_max, max_pool

ROWS: dict[str, Callable[[Node], Any]] = {   # a Tensor, or for several outputs a list
    "Conv": conv, "ConvTranspose": conv_transpose, "Gemm": gemm, "MatMul": matmul,
    "BatchNormalization": batch_norm, "LRN": lrn,
    "Relu": relu, "Clip": clip, "LeakyRelu": leaky_relu, "PRelu": prelu, "Elu": elu, "Sigmoid": sigmoid, "Tanh": tanh,
    "HardSigmoid": hard_sigmoid, "HardSwish": hard_swish, "Gelu": gelu, "Swish": swish,
    "Add": sum_of_inputs, "Sum": sum_of_inputs, "Sub": sum_of_inputs, "Mean": sum_of_inputs, "Mul": multiplied,
    "Div": divided, "Neg": negated,
    "Max": bounded_by_number, "Min": bounded_by_number, "Concat": concat,
    "MaxPool": max_pool, "AveragePool": average_pool, "GlobalAveragePool": global_average, "GlobalMaxPool": global_max,
    "ReduceMean": reduced, "ReduceSum": reduced,
    **SHAPES,
    "Slice": sliced, "Gather": taken, "Split": split, "Pad": pad, "Resize": resize, "Upsample": resize,
    "DepthToSpace": blocks, "SpaceToDepth": blocks,
    "Softmax": softmax, "LayerNormalization": layer_norm, "RMSNormalization": layer_norm, "Where": where,
    "Expand": expand,
    "Identity": passed_on, "Dropout": dropout, "Cast": cast, "CastLike": cast,
}
QUANTISED = ("Quant", "QLinear", "Integer")   # what the names of quantised operators have in them
