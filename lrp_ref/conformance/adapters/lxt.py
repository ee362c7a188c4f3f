"""LXT's explicit functions as its users call them: forwards a layer, backwards its relevance in place of a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from lxt.explicit import functional as theirs
from lxt.explicit.rules import identity
from torch.nn import functional as plain

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.to_torch import one_thread
from lrp_ref.layers import (
    GELU,
    Add,
    Flatten,
    LayerNorm,
    Linear,
    MatMul,
    Mean,
    Multiply,
    ReLU,
    Reshape,
    RMSNorm,
    SiLU,
    Softmax,
    Tanh,
    Transpose,
)
from lrp_ref.network import INPUT, Network
from lrp_ref.rules import Epsilon, Pass, Rule


class Lxt:
    """What LXT has a function for: Epsilon where layers add, its identity rule on gates; nothing else."""

    name, version, unit_roundoff = "lxt", version("lxt"), 2.0**-53
    conventions: Mapping[str, Any] = {}

    @one_thread
    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Any:
        made = {INPUT: torch.from_numpy(x.copy()).requires_grad_()}
        for name, layer, reads in network.nodes:
            parts = [made[t] for t in reads]
            if layer.joins and len(parts) == 1:   # read alone: the tensors joined
                parts = of_joined(layer, parts[0])
            made[name] = handed(layer, rules[name], *parts)
        made[network.output].backward(torch.from_numpy(R.copy()))
        return made[INPUT].grad


def of_joined(layer: Any, x: Any) -> list[Any]:
    """The tensors that a layer joins, of the joined one."""
    if isinstance(layer, MatMul):
        sizes = [math.prod(shape) for shape in (layer.left, layer.right)]
        a, b = x.split(sizes, 1)
        return [a.reshape(-1, *layer.left), b.reshape(-1, *layer.right)]
    return list(x.unbind(1))


def handed(layer: Any, rule: Rule, *parts: Any) -> Any:
    """What LXT's function for a layer makes of the tensors that it reads."""
    x, epsilon = parts[0], float(getattr(rule, "epsilon", 0))
    halves = getattr(layer, "shares", None) is None and len(parts) == 2
    match rule, layer:
        case Pass(), Flatten() | Reshape() | Transpose():
            shape = layer.output_shape(tuple(x.shape))
            return x.permute(layer.axes) if isinstance(layer, Transpose) else x.reshape(shape)
        case Pass(), ReLU() | Tanh() | SiLU() | GELU():
            return identity(gate_of(layer), x)
        case Pass(), RMSNorm():
            return theirs.rms_norm_identity(x, tensor(layer.scale), float(layer.epsilon))
        case Epsilon(), Linear() if type(layer) is Linear:
            return theirs.linear_epsilon(x, tensor(layer.weight.T), tensor(layer.bias), epsilon)
        case Epsilon(), Add() if layer.coefficients is None and len(parts) == 2:
            return theirs.add2(*parts, False, epsilon)
        case Epsilon(), Mean() if len(layer.axes) == 1:
            return theirs.mean(x, layer.axes[0], layer.keep, epsilon)
        case Epsilon(), MatMul() if halves:
            return theirs.matmul(*parts, False, epsilon)
        case Epsilon(epsilon=0), Multiply() if halves:
            return theirs.mul2(*parts)
        case Epsilon(epsilon=0), LayerNorm():   # which has a stabiliser of its own
            return theirs.layer_norm(x, tensor(layer.scale), tensor(layer.shift), float(layer.epsilon))
        case Epsilon(epsilon=0), Softmax():
            scores = x if layer.mask is None else x.masked_fill(tensor(layer.mask) == 0, -torch.inf)
            return theirs.softmax(scores, -1)
    raise Unsupported(f"LXT has no function for {type(rule).__name__} on {type(layer).__name__}")


def gate_of(layer: Any) -> Callable[[Any], Any]:
    """The function of a gate."""
    match layer:
        case GELU():
            return partial(plain.gelu, approximate="tanh" if layer.tanh else "none")
        case SiLU():
            return plain.silu
    return torch.relu if isinstance(layer, ReLU) else torch.tanh


def tensor(array: Array | None) -> Any:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array))
