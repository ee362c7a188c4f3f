"""captum 0.9.0: epsilon on everything, gamma and alpha1-beta0 by changed weights with the bias as it is.

Every rule computes a_i w'_ij R_j / z'_j, by automatic differentiation of the layer with changed weights w'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lrp_ref import rules
from lrp_ref.arrays import Array, positive, same
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import first_winner, signed, without_bias
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Raised, Rule, Share


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, sign 0 = +1, epsilon = 1e-9 where none is given.

    Departs in pools: a maximum is a sum of one term, so that where it is 0 its relevance is lost (D10).
    """

    epsilon: Any = 1e-9

    def guard(self, z: Array) -> Array:
        return signed(self.epsilon, z)

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)


@dataclass(frozen=True)
class Gamma(Rule):
    """R_i = sum_j a_i (w_ij + gamma w+_ij) / (sum_i (same) + b_j + 1e-9 sign) R_j.

    Departs by the bias, which is not raised, and by the one form for all inputs and outputs, whatever their signs
    (D8, D8b).
    """

    gamma: Any = 0.25

    def guard(self, z: Array) -> Array:
        return signed(1e-9, z)

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, Raised(self.gamma, positive) if m.learned else same, m.bias)])]


@dataclass(frozen=True)
class GammaNoBias(Gamma):
    """R_i = sum_j a_i (w_ij + gamma w+_ij) / (sum_i (same) + 1e-9 sign) R_j.

    The option `set_bias_to_zero` (D8).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class Alpha1Beta0(Rule):
    """R_i = sum_j a_i w+_ij / (sum_i a_i w+_ij + b_j + 1e-9 sign) R_j.

    Departs by splitting weights and not products (D3), and keeps a negative bias in the denominator: R changes its sign
    or explodes (D2, D2b; captum issue 1234).
    """

    def guard(self, z: Array) -> Array:
        return signed(1e-9, z)

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, positive if m.learned else same, m.bias)])]


@dataclass(frozen=True)
class Alpha1Beta0NoBias(Alpha1Beta0):
    """R_i = sum_j a_i w+_ij / (sum_i a_i w+_ij + 1e-9 sign) R_j.

    The option `set_bias_to_zero`: weights are still split alone (D2, D3).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


def alpha_beta(alpha: Any, beta: Any) -> Rule:
    """Alpha1Beta0, the only one there is."""
    if beta:
        raise ValueError(f"captum 0.9.0 has no AlphaBeta({alpha}, {beta}), needed alpha = 1, beta = 0")
    return Alpha1Beta0()


DIALECT = Dialect(
    "captum", "0.9.0",
    {"Epsilon": lambda epsilon: Epsilon(epsilon or 1e-9), "AlphaBeta": alpha_beta, "ZPlus": Alpha1Beta0,
     "Gamma": Gamma, "Winner": Epsilon, "Pass": rules.Pass},
    Conventions(default_epsilon=1e-9, zero_rule=1e-9, stabiliser=1e-9, bias_alpha_beta="whole", split="weights",
                gamma="weights", bias_gamma="kept", bias_w_square=None, bias_z_box=None, flat=None, w_square=None,
                max_pool="contribution", flat_max_pool=None, batch_norm="contribution", lrn=None),
)
