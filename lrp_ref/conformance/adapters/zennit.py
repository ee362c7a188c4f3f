"""zennit as its users run it: a rule registered on a module, none where the gradient serves, and a gradient from R."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from zennit import rules as theirs

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.to_torch import one_thread, to_torch
from lrp_ref.layers import (
    Add,
    ClassToken,
    Concat,
    Flatten,
    Layer,
    LayerNorm,
    MatMul,
    MaxPool,
    Multiply,
    RMSNorm,
    Rotary,
    Slice,
    Softmax,
    Transpose,
    Upsample,
)
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus


class Zennit:
    """zennit's own rules with their own stabiliser of 1e-6."""

    name, version, unit_roundoff = "zennit", version("zennit"), 2.0**-53
    conventions: Mapping[str, Any] = {"stabiliser": 1e-6}

    @one_thread
    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Any:
        module = to_torch(network, x.shape)
        for part, (name, layer) in zip(module, network):
            if (hook := their(rules[name], layer, x)) is not None:
                hook.register(part)
        t = torch.from_numpy(x.copy()).requires_grad_()
        return torch.autograd.grad(module(t), t, torch.from_numpy(R.copy()))[0]


MOVES = Flatten | Concat | Slice | Transpose | ClassToken | Upsample
# Layers on which any rule but one would be a map that nobody makes.
OWN: dict[type[Layer], type[Rule]] = {RMSNorm: Pass, ClassToken: Pass, Rotary: Epsilon}
UNMAPPED = LayerNorm | Softmax | MatMul | Multiply


def their(rule: Rule, layer: Layer, x: Array) -> Any:
    """zennit's rule of that name; None for what its composites leave to the gradient.

    Those are a reshaping, a maximum, and layers of which none of its composites knows anything.
    """
    match rule:
        case Epsilon() if isinstance(layer, UNMAPPED):
            return None
        case _ if isinstance(layer, UNMAPPED) or not isinstance(rule, OWN.get(type(layer), Rule)):
            pass
        case Winner() if isinstance(layer, MaxPool):
            return None
        case Pass():
            return None if isinstance(layer, MOVES) else theirs.Pass()
        case Epsilon() if isinstance(layer, Add):
            return theirs.Norm(float(rule.epsilon) or 1e-6)   # as its composites do, which know no epsilon there
        case Epsilon():
            return theirs.Epsilon(float(rule.epsilon))
        case AlphaBeta():
            return theirs.AlphaBeta(float(rule.alpha), float(rule.beta))
        case Gamma():
            return theirs.Gamma(float(rule.gamma))
        case ZBox():   # whose bounds per channel zennit wants as (1, C, 1, 1)
            low, high = (np.reshape(bound, (1, -1, *(1,) * (x.ndim - 2))) for bound in (rule.low, rule.high))
            return theirs.ZBox(*(torch.from_numpy(bound.astype(x.dtype)) for bound in (low, high)))
        case ZPlus() | WSquare() | Flat():
            return getattr(theirs, type(rule).__name__)()
    raise Unsupported(f"zennit has no rule for {type(rule).__name__} on {type(layer).__name__}")
