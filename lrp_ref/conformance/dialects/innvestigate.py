"""iNNvestigate 2.1.2: no stabiliser but 1e-7 for a denominator that is exactly 0; the whole bias under both signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lrp_ref import rules
from lrp_ref.arrays import Array, constant, negative, positive
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import First, at_zero, without_bias
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, BatchNorm, MaxPool
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share


@dataclass(frozen=True)
class SafelyDivided(Rule):
    """A denominator of exactly 0 is 1e-7 instead; every other is as it is.

    Departs where the canonical rules leave R dead (D2b).
    """

    def guard(self, z: Array) -> Array | None:
        return at_zero(1e-7, z)


@dataclass(frozen=True)
class Z(SafelyDivided):
    """R_i = sum_j a_i w_ij / z_j R_j, z_j = 1e-7 where it is 0.

    Departs from Epsilon(0) where z = 0 (D2b).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return rules.Epsilon(0).shares(m, a)


@dataclass(frozen=True)
class ZIgnoreBias(Z):
    """R_i = sum_j a_i w_ij / sum_i a_i w_ij R_j.

    Departs by leaving the bias out.
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, sign 0 = +1.

    Departs in nothing but that epsilon = 0 is an error (D1).
    """

    epsilon: Any = 1e-7


@dataclass(frozen=True)
class AlphaBeta(SafelyDivided):
    """R_i = sum_j (alpha z+_ij / (sum_i z+_ij + b_j) - beta z-_ij / (sum_i z-_ij + b_j)) R_j.

    Departs by the whole bias in both denominators, where b+ belongs to one and b- to the other: relevance changes its
    sign, or is divided by 1e-7 (D2, D2b, D2c, D3; iNNvestigate issue 273).
    """

    alpha: Any
    beta: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        shares = rules.AlphaBeta(self.alpha, self.beta).shares(m, a)
        return [Share(share.part, [Term(t.a, t.f, m.bias if n == 0 else 0) for n, t in enumerate(share.terms)])
                for share in shares]


@dataclass(frozen=True)
class AlphaBetaIgnoreBias(AlphaBeta):
    """R_i = sum_j (alpha z+_ij / sum_i z+_ij - beta z-_ij / sum_i z-_ij) R_j.

    Departs by leaving the bias out (D2).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class ZPlus(SafelyDivided):
    """R_i = sum_j z+_ij / sum_i z+_ij R_j.

    Departs by leaving the bias out, unlike Alpha1Beta0 of the same library (D2, D3).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(rules.ZPlus().shares(m, a))


@dataclass(frozen=True)
class ZPlusFast(SafelyDivided):
    """R_i = sum_j a_i w+_ij / sum_i a_i w+_ij R_j.

    Departs by splitting weights and not products, and leaves the bias out (D3).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, positive)])]


@dataclass(frozen=True)
class AlphaBetaX(SafelyDivided):
    """R_i = sum_j (p pp_ij / pp_j + q nn_ij / nn_j - r pn_ij / pn_j - q np_ij / np_j) R_j, (p, _) alpha, (r, q) beta.

    Departs from its own intention: the second weight of alpha is never read, that of beta stands in its place (D17).
    pp_ij = a+ w+ and np_ij = a- w+ have b+ in their sums, nn_ij = a- w- and pn_ij = a+ w- have b-.
    """

    alpha: tuple[Any, Any]
    beta: tuple[Any, Any]

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        (p, _), (r, q) = (tuple(constant(c, a) for c in pair) for pair in (self.alpha, self.beta))
        ap, an, bp, bn = positive(a), negative(a), positive(m.bias), negative(m.bias)
        return [Share(p, [Term(ap, positive, bp)]), Share(q, [Term(an, negative, bn)]),
                Share(-r, [Term(ap, negative, bn)]), Share(-q, [Term(an, positive, bp)])]


@dataclass(frozen=True)
class WSquare(SafelyDivided):
    """R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j, over the inputs inside the image.

    Departs where all weights are 0 (D4, D5).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return rules.WSquare().shares(m, a)


@dataclass(frozen=True)
class Bounded(rules.ZBox):
    """R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / sum_i (same) R_j, low and high numbers.

    Departs where the denominator is 0 (D6).
    """

    def guard(self, z: Array) -> Array:
        return at_zero(1e-7, z)


def fused(layer: BatchNorm) -> BatchNorm:
    """g = scale / sqrt(variance^2 + epsilon), b = shift - mean / sqrt(variance^2 + epsilon): what LRPZ makes of it.

    Departs from merge_batchnorm by the variance, which is squared, and by the bias, which lacks the scale (D13).
    """
    return BatchNorm(layer.mean / layer.scale, layer.variance * layer.variance, layer.scale, layer.shift,
                     layer.epsilon)


def z_rule(*_: Any) -> Rule:
    """Z, whatever the parameters."""
    return Z()


def first(*_: Any) -> Rule:
    """First, whatever the parameters."""
    return First()


NAMES = ("Epsilon", "AlphaBeta", "ZPlus", "WSquare", "Flat", "Winner")
DIALECT = Dialect(
    "iNNvestigate", "2.1.2",
    {"Epsilon": lambda epsilon: Epsilon(epsilon) if epsilon else Z(), "AlphaBeta": AlphaBeta, "ZPlus": ZPlus,
     "ZBox": Bounded, "WSquare": WSquare, "Flat": rules.Flat, "Winner": First, "Pass": rules.Pass},
    Conventions(default_epsilon=1e-7, zero_rule=1e-7, pool_epsilon=None, bias_alpha_beta="whole", gamma=None,
                bias_gamma=None, max_pool="first", flat_max_pool="winner", batch_norm="contribution", lrn="gradient"),
    {AvgPool: dict.fromkeys(NAMES, z_rule), AdaptiveAvgPool: dict.fromkeys(NAMES, z_rule),
     MaxPool: dict.fromkeys(NAMES, first), BatchNorm: {"Pass": Z}},
)
