"""Functions of one number in ONNX graphs, and what passes its input on as it is."""

from __future__ import annotations

import numpy as np

from lrp_ref.convert.onnx_node import Node
from lrp_ref.convert.onnx_values import Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import (
    ELU,
    GELU,
    Clip,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Tanh,
)

FLOATS = {1: "float32", 10: "float16", 11: "float64"}   # TensorProto's numbers of the types that a network has
FAR = float(np.finfo(np.float32).max) * (1 - 1e-6)


def relu(node: Node) -> Tensor:
    return node.add(ReLU(), node.tensor())


def tanh(node: Node) -> Tensor:
    return node.add(Tanh(), node.tensor())


def sigmoid(node: Node) -> Tensor:
    return node.add(Sigmoid(), node.tensor())


def hard_swish(node: Node) -> Tensor:
    return node.add(Hardswish(), node.tensor())


def clip(node: Node) -> Tensor:
    """Clip(low, high); bounds are attributes before operator set 11, and inputs since. Without bounds it is nothing."""
    bounds = []
    for k, name in ((1, "min"), (2, "max")):
        value = node.constant(k, name)
        refuse(value is not None and value.size != 1, f"its {name} is no single number")
        bound = node.attribute(name) if node.opset < 11 else None if value is None else value.item()
        # the largest float32 is what exporters write for none
        bounds.append(None if bound is None or abs(bound) > FAR else float(bound))
    return node.tensor() if bounds == [None, None] else node.add(Clip(*bounds), node.tensor())


def leaky_relu(node: Node) -> Tensor:
    return node.add(LeakyReLU(node.real("alpha", 0.01)), node.tensor())


def prelu(node: Node) -> Tensor:
    """PRelu with one slope, or one per channel (C, 1, ..)."""
    x, slope = node.tensor(), node.needed(1, "slope")
    if slope.size == 1 and slope.ndim <= len(x.shape):
        return node.add(LeakyReLU(slope.item()), x)
    full = np.reshape(slope, (1,) * (len(x.shape) - slope.ndim) + slope.shape)
    refuse(full.shape != (*x.shape[:1], *(1,) * (len(x.shape) - 1)), f"its slope has the shape {slope.shape}, needed "
           "one number, or one per channel")
    return node.add(LeakyReLU(np.ascontiguousarray(full.reshape(-1))), x)


def elu(node: Node) -> Tensor:
    return node.add(ELU(node.real("alpha", 1)), node.tensor())


def hard_sigmoid(node: Node) -> Tensor:
    """max(0, min(1, alpha x + beta)): Hardsigmoid where beta is 1/2, else Scale and Clip."""
    alpha, beta, x = node.real("alpha", 0.2), node.real("beta", 0.5), node.tensor()
    if beta == 0.5 and alpha > 0:
        return node.add(Hardsigmoid(1 / alpha), x)
    scale, shift = (node.number(one, x) for one in (alpha, beta))
    return node.add(Clip(0, 1), node.add(Scale(scale, shift), x, part="scaled"))


def gelu(node: Node) -> Tensor:
    form = node.text("approximate", "none")
    refuse(form not in ("none", "tanh"), f"approximate={form!r}, needed none or tanh")
    return node.add(GELU(form == "tanh"), node.tensor())


def swish(node: Node) -> Tensor:
    refuse(node.real("alpha", 1) != 1, f"alpha={node.real('alpha', 1)}, needed 1: SiLU")
    return node.add(SiLU(), node.tensor())


def passed_on(node: Node) -> Tensor:
    return node.tensor()


def dropout(node: Node) -> Tensor:
    """Nothing, outside training."""
    node.only(0)
    mode = node.fixed(2, "training_mode")
    refuse(mode is not None and bool(mode.any()), "is in training mode")
    return node.tensor()


def cast(node: Node) -> Tensor:
    """Nothing, from floats to floats: all numbers here are of one type."""
    to = node.integer("to", 0)
    refuse(node.op == "Cast" and to not in FLOATS, f"makes numbers of ONNX's type {to}, needed floats")
    if node.op == "CastLike" and not isinstance(node.given(1), Tensor):
        like = node.fixed(1, "type")
        refuse(like is None or like.dtype.kind != "f", "makes numbers that are no floats")
    return node.tensor()
