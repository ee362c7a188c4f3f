"""RelevancePropagation.jl 3.0.0 (read, not run): the canonical rules with 1e-9 in every denominator.

Its numbers are Float32 unless told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lrp_ref import rules
from lrp_ref.arrays import Array, positive
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import first_winner
from lrp_ref.layers import BatchNorm, MaxPool
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Raised, Rule, Share


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j; with epsilon = 1e-9 its `ZeroRule`, the rule of every layer.

    Departs in max-pools: a maximum is a sum of one term, so that where it is 0 its relevance is lost (D10).
    """

    epsilon: Any = 1e-6

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)


@dataclass(frozen=True)
class AlphaBeta(rules.AlphaBeta):
    """R_i = sum_j (alpha z+_ij / (z+_j + 1e-9) - beta z-_ij / (z-_j + 1e-9 sign z-_j)) R_j.

    Departs by its stabiliser alone (D2).
    """

    epsilon: Any = 1e-9


@dataclass(frozen=True)
class ZPlus(rules.ZPlus):
    """R_i = sum_j z+_ij / (z+_j + 1e-9) R_j.

    Departs by its stabiliser alone (D2).
    """

    epsilon: Any = 1e-9


@dataclass(frozen=True)
class Gamma(Rule):
    """R_i = sum_j a_i (w_ij + gamma w+_ij) / (sum_i (same) + b_j + gamma b+_j + 1e-9 sign) R_j: `GammaRule`.

    Departs by the one form for all inputs and outputs, whatever their signs (D8).
    """

    gamma: Any = 0.25
    epsilon: Any = 1e-9

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up = Raised(self.gamma, positive)
        return [Share(1, [Term(a, up, up(m.bias))])]


@dataclass(frozen=True)
class GeneralizedGamma(rules.Gamma):
    """As the canonical Gamma, stabilised by 1e-9: `GeneralizedGammaRule` on a layer without activation.

    Departs by its stabiliser alone (D8).
    """

    epsilon: Any = 1e-9


@dataclass(frozen=True)
class GeneralizedGammaReLU(GeneralizedGamma):
    """As GeneralizedGamma where z_j > 0, and nothing where z_j < 0: `GeneralizedGammaRule` on a layer with its ReLU.

    Departs by the sign, which is the activation's and not that of z: a negative z is dead (D8).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return super().shares(m, a)[:1]


@dataclass(frozen=True)
class ZBox(rules.ZBox):
    """R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / (sum_i (same) + 1e-9 sign) R_j.

    Departs by its stabiliser alone (D6).
    """

    epsilon: Any = 1e-9


@dataclass(frozen=True)
class WSquare(rules.WSquare):
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2 + 1e-9) R_j, over the inputs inside the image.

    Departs by its stabiliser alone (D4, D5).
    """

    epsilon: Any = 1e-9


@dataclass(frozen=True)
class Flat(rules.Flat):
    """R_i = sum_j c_ij / (sum_i c_ij + 1e-9) R_j.

    Departs by its stabiliser alone (D5).
    """

    epsilon: Any = 1e-9


def fused(layer: BatchNorm) -> BatchNorm:
    """g = scale / sqrt(variance): what its canonisation folds into the layer before.

    Departs from merge_batchnorm by leaving the batch norm's epsilon out (D13).
    """
    return replace(layer, epsilon=0)


def zero(epsilon: Any = 0) -> Rule:
    """`EpsilonRule`, or `ZeroRule` where epsilon is 0."""
    return Epsilon(epsilon or 1e-9)


DIALECT = Dialect(
    "RelevancePropagation.jl", "3.0.0",
    {"Epsilon": zero, "AlphaBeta": AlphaBeta, "ZPlus": ZPlus, "Gamma": Gamma, "ZBox": ZBox, "WSquare": WSquare,
     "Flat": Flat, "Winner": zero, "Pass": rules.Pass},
    Conventions(start="one", default_epsilon=1e-6, zero_rule=1e-9, stabiliser=1e-9, gamma="weights",
                max_pool="contribution", flat_max_pool=None, lrn=None),
    {MaxPool: {"Epsilon": zero}},
)
