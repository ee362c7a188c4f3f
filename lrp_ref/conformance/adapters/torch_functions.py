"""Layers that torch has as functions and not as modules: sums, products, norms and what moves numbers, as modules.

torch is imported here, and this module only by `to_torch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from lrp_ref.arrays import Array, Shape
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.layers import ClassToken, Layer, MatMul, Mean, Multiply, Rotary, Slice, Softmax, Sum, Transpose


class Function(nn.Module):  # type: ignore[misc]
    """A module that is a function of its input, and has no parameters of its own."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class Moving(Function):
    """A function that puts numbers elsewhere: its gradient moves them back."""


def tensor(array: Array) -> Any:
    return torch.from_numpy(np.ascontiguousarray(array))


def factors(layer: Any) -> Callable[[list[Any]], list[Any]]:
    """The factors of a product, those without a share as constants."""
    shares = layer.shares
    if shares is not None and sorted(shares.tolist()) != [*[0] * (len(shares) - 1), 1]:
        raise Unsupported("torch has no product whose factors have shares, but for one of all")
    keeps = None if shares is None else shares.tolist()
    return lambda parts: [part if keeps is None or keep else part.detach()
                          for part, keep in zip(parts, keeps or parts, strict=True)]


def multiply(layer: Multiply, shape: Shape) -> Any:
    of = factors(layer)
    return Function(lambda x: math.prod(of(list(x.unbind(1)))))


def mat_mul(layer: MatMul, shape: Shape) -> Any:
    of, cut = factors(layer), math.prod(layer.left)

    def product(x: Any) -> Any:
        a, b = of([x[:, :cut].reshape(-1, *layer.left), x[:, cut:].reshape(-1, *layer.right)])
        return a @ b
    return Function(product)


def softmax(layer: Softmax, shape: Shape) -> Any:
    if layer.mask is None:
        return nn.Softmax(-1)
    out = tensor(layer.mask == 0)
    return Function(lambda x: torch.softmax(x.masked_fill(out, -math.inf), -1))


def summed(layer: Mean | Sum, shape: Shape) -> Any:
    axes, keep = layer.axes, layer.keep
    if isinstance(layer, Mean):
        return Function(lambda x: x.mean(axes, keep))
    return Function(lambda x: x.sum(axes, keep))


def transpose(layer: Transpose, shape: Shape) -> Any:
    return Moving(lambda x: x.permute(layer.axes))


def sliced(layer: Slice, shape: Shape) -> Any:
    if layer.step < 0:
        raise Unsupported("torch has no slice that goes backwards")
    return Moving(lambda x: x[layer.cut()])


def class_token(layer: ClassToken, shape: Shape) -> Any:
    token = tensor(layer.token)
    return Moving(lambda x: torch.cat([token.expand(len(x), 1, -1), x], 1))


def rotary(layer: Rotary, shape: Shape) -> Any:
    cos, sin = (tensor(part[: shape[-2]]) for part in (layer.cos, layer.sin))

    def turned(x: Any) -> Any:
        first, second = x.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)
    return Function(turned)


FUNCTIONS: dict[type[Layer], Callable[..., Any]] = {
    Multiply: multiply, MatMul: mat_mul, Softmax: softmax, Mean: summed, Sum: summed, Transpose: transpose,
    Slice: sliced, ClassToken: class_token, Rotary: rotary,
}
