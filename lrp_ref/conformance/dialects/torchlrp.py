"""TorchLRP: epsilon with sign 0 = -1, alpha-beta without bias, gamma with squared weights; epsilon and gamma are fixed.

Stabilisers are rounded to float32 whatever the network's numbers. Its convolutions are right for padding 1, stride 1
and one group alone (D18); that is no rule and not here. Layers without a rule get the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref import rules
from lrp_ref.arrays import Array, constant, positive
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import First, Gradient, at_zero, without_bias
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, ReLU
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share


def below_zero(epsilon: Any, z: Array) -> Array:
    """epsilon sign z, sign 0 = -1, epsilon rounded to float32."""
    return constant(float(np.float32(epsilon)), z) * ((z > 0) * constant(2, z) - constant(1, z))


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, sign 0 = -1; epsilon is 0.1 there and cannot be given.

    Departs where z = 0 (D1b), and by the ninth digit of 0.1 in float32 (D1).
    """

    epsilon: Any = 0.1

    def guard(self, z: Array) -> Array:
        return below_zero(self.epsilon, z)


@dataclass(frozen=True)
class AlphaBeta(rules.AlphaBeta):
    """R_i = sum_j (alpha z+_ij / sum_i z+_ij - beta z-_ij / sum_i z-_ij) R_j; a sum of 0 is 1e-6.

    Departs by leaving the bias out (D2b, D2c, D3).
    """

    def guard(self, z: Array) -> Array:
        return at_zero(1e-6, z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class SquaredPositive:
    """f(w) = w + gamma w w+"""

    gamma: Any

    def __call__(self, w: Array) -> Array:
        return w + constant(self.gamma, w) * w * positive(w)


@dataclass(frozen=True)
class Gamma(Rule):
    """R_i = sum_j a_i (w_ij + gamma w_ij w+_ij) / (sum_i (same) + b_j + gamma b_j b+_j) R_j, stabilised by 1e-10.

    Departs by the square of positive weights, where w+ is meant (D8); gamma is 0.1 there and cannot be given.
    """

    gamma: Any = 0.1

    def guard(self, z: Array) -> Array:
        return below_zero(1e-10, z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        f = SquaredPositive(self.gamma)
        return [Share(1, [Term(a, f, f(m.bias))])]


def gradient(*_: Any) -> Rule:
    """Gradient, whatever the parameters."""
    return Gradient()


DIALECT = Dialect(
    "TorchLRP", "2020",
    {"Epsilon": Epsilon, "AlphaBeta": AlphaBeta, "ZPlus": lambda: AlphaBeta(1, 0), "Gamma": Gamma, "Winner": First,
     "Pass": rules.Pass},
    Conventions(start="chosen", sign_of_zero=-1, default_epsilon=0.1, zero_rule=None, stabiliser=0,
                pool_epsilon=None, bias_alpha_beta="left out", gamma="squares", bias_w_square=None, bias_z_box=None,
                flat=None, w_square=None, max_pool="first", flat_max_pool=None, batch_norm=None, lrn="gradient"),
    {AvgPool: {"Epsilon": gradient}, AdaptiveAvgPool: {"Epsilon": gradient}, ReLU: {"Pass": gradient}},
)
