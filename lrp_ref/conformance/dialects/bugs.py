"""What libraries compute that no convention says: each a defect of its own, or what they make of a network first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lrp_ref.arrays import Array, constant, negative, ones_like, positive, sign
from lrp_ref.conventions.changes import FORMS
from lrp_ref.layers import BatchNorm, Layer
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.merging import merge_batchnorm
from lrp_ref.network import Network
from lrp_ref.rules import Rule, Share


@dataclass(frozen=True, eq=False)
class BatchNormOfINNvestigate(Rule):
    """R_i = x_i (y_i - shift) / ((x_i - mean) y_i + 1e-7 sign) R_i.

    Of a g R / z it differs by the stabiliser, and by giving nothing where x is the mean (D13).
    """

    layer: BatchNorm

    def guard(self, z: Array) -> Array:
        return constant(1e-7, z) * sign(z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        mean, shift = (p[(slice(None), *(None,) * (a.ndim - 2))] for p in (self.layer.mean, self.layer.shift))
        y = m(a)
        return [Share(1, [Term(a * (y - shift), ones_like)], (a - mean) * y)]


def batch_norm_of_innvestigate(rule: Rule, layer: Any) -> Rule:
    return BatchNormOfINNvestigate(layer)


@dataclass(frozen=True)
class AlphaBetaX(Rule):
    """R_i = sum_j (p pp_ij / pp_j + q nn_ij / nn_j - r pn_ij / pn_j - q np_ij / np_j) R_j, (p, _) alpha, (r, q) beta.

    iNNvestigate's: the second weight of alpha is never read, that of beta stands in its place (D17). pp_ij = a+ w+ and
    np_ij = a- w+ have b+ in their sums, nn_ij = a- w- and pn_ij = a+ w- have b-.
    """

    alpha: tuple[Any, Any]
    beta: tuple[Any, Any]

    def guard(self, z: Array) -> Array | None:
        return FORMS["at 0"](1e-7)(z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        (p, _), (r, q) = (tuple(constant(c, a) for c in pair) for pair in (self.alpha, self.beta))
        ap, an, bp, bn = positive(a), negative(a), positive(m.bias), negative(m.bias)
        return [Share(p, [Term(ap, positive, bp)]), Share(q, [Term(an, negative, bn)]),
                Share(-r, [Term(ap, negative, bn)]), Share(-q, [Term(an, positive, bp)])]


@dataclass(frozen=True)
class Alpha0OfToolbox(Rule):
    """R_i = sum_j z-_ij / (z-_j + c) R_j: lrp_toolbox's alpha = 0, c = -1e-16 on Linear, 1e-16 on Convolution (D16).

    There the stabiliser's sign is wrong: it moves z- towards 0, to a pole at -1e-16.
    """

    stabiliser: float

    def guard(self, z: Array) -> Array:
        return constant(self.stabiliser, z) + 0 * z

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(positive(a), negative, negative(m.bias)), Term(negative(a), positive)])]


# ---- What they make of batch norms (D13) ----


def merged_by_zennit(network: Network) -> Network:
    """merge_batchnorm, but every batch norm stays and divides by sqrt(1 + its epsilon).

    What `SequentialMergeBatchNorm` of 0.5.1 leaves: the forward pass changes.
    """
    folded = merge_batchnorm(network)

    def left(name: str, layer: Layer) -> Layer:
        if not isinstance(layer, BatchNorm) or name in folded.places:
            return folded[name]
        one, nothing = ones_like(layer.mean), 0 * layer.mean
        return BatchNorm(nothing, one.copy(), one.copy(), nothing, layer.epsilon)
    return network.mapped(left)


def fused_by_innvestigate(layer: BatchNorm) -> BatchNorm:
    """g = scale / sqrt(variance^2 + epsilon), b = shift - mean / sqrt(variance^2 + epsilon): what LRPZ makes of it."""
    return BatchNorm(layer.mean / layer.scale, layer.variance * layer.variance, layer.scale, layer.shift,
                     layer.epsilon)


def fused_by_relevance_propagation_jl(layer: BatchNorm) -> BatchNorm:
    """g = scale / sqrt(variance): its canonisation leaves the batch norm's epsilon out."""
    return replace(layer, epsilon=0)
