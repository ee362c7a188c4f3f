"""captum as its users run it: a rule as an attribute of a module, and LRP.attribute of a network with one score."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from captum.attr import LRP
from captum.attr._utils import lrp_rules as theirs

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.to_torch import one_thread, to_torch
from lrp_ref.conformance.adapters.torch_functions import Moving
from lrp_ref.layers import (
    ClassToken,
    Concat,
    Flatten,
    Layer,
    LayerNorm,
    MatMul,
    MaxPool,
    Multiply,
    ReLU,
    RMSNorm,
    Slice,
    Softmax,
    Tanh,
    Transpose,
)
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, Pass, Rule, Winner, ZPlus


class Captum:
    """captum's own rules with their own stabiliser of 1e-9, which is also its epsilon where none is given."""

    name, version, unit_roundoff = "captum", version("captum"), 2.0**-53
    conventions: Mapping[str, Any] = {"stabiliser": 1e-9, "zero_rule": 1e-9}

    @one_thread
    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Any:
        whole, given = to_torch(network, x.shape), torch.from_numpy(R.copy())
        for part, (name, layer) in zip(whole, network):
            if (rule := their(rules[name], layer)) is not None:
                part.rule = rule
        unseen = torch.nn.Flatten, torch.nn.Identity, Moving   # called, not in the model: captum refuses them
        model = torch.nn.ModuleList(part for part in whole if not isinstance(part, unseen))

        def score(x: Any) -> Any:
            """1 with the gradient R: captum begins with the gradient of a score and ends by multiplying by it."""
            zero = ((z := whole(x)) - z.detach()).flatten(1)
            return torch.stack([r.dot(z) for r, z in zip(given.flatten(1), zero, strict=True)]) + 1
        model.forward = score
        return LRP(model).attribute(torch.from_numpy(x.copy()).requires_grad_()).detach()


def their(rule: Rule, layer: Layer) -> Any:
    """captum's rule of that name; None for what it gives a module by itself."""
    match rule, layer:
        case _, LayerNorm() | RMSNorm() | Softmax() | MatMul() | Multiply():
            pass
        case (Winner(), MaxPool()) | (Pass(), ReLU() | Tanh() | Flatten() | Concat() | Slice() | Transpose()
                                      | ClassToken()):
            return None
        case Pass(), _:
            return theirs.IdentityRule()
        case _, Flatten() | Concat() | Slice() | Transpose() | ClassToken():
            pass
        case Epsilon(), _:
            return theirs.EpsilonRule(float(rule.epsilon)) if rule.epsilon else theirs.EpsilonRule()
        case Gamma(), _:
            return theirs.GammaRule(float(rule.gamma))
        case (ZPlus() | AlphaBeta(beta=0)), _:
            return theirs.Alpha1_Beta0_Rule()
    url = "" if isinstance(rule, Epsilon | Gamma | Winner) else "https://github.com/meta-pytorch/captum/issues/485"
    raise Unsupported(f"captum has no rule for {type(rule).__name__} on {type(layer).__name__}", url)
