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
from lrp_ref.layers import Add, Concat, Flatten, Layer, MaxPool
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


def their(rule: Rule, layer: Layer, x: Array) -> Any:
    """zennit's rule of that name; None for a reshaping and a maximum, which its composites leave to the gradient."""
    match rule:
        case Winner() if isinstance(layer, MaxPool):
            return None
        case Pass():
            return None if isinstance(layer, Flatten | Concat) else theirs.Pass()
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
