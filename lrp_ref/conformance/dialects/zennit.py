"""zennit 0.5.1: the canonical rules with 1e-6 in every denominator, a squared bias under w-square, first winners.

Layers that its composites leave out get the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref import rules
from lrp_ref.arrays import Array, Function, constant, ones_like, same, sign, sqrt, square
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import First, first_pixel, first_winner, signed, without_bias
from lrp_ref.layers import BatchNorm, Layer
from lrp_ref.layers.linear import Dense
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.network import Network, merge_batchnorm
from lrp_ref.rules import Share


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, sign 0 = +1; also `Norm`, on the mean of an average pooling.

    Departs at epsilon = 0, where 0 / 0 is NaN and not 0 (D1), and at tied maxima, of which the first wins (D10).
    """

    epsilon: Any = 1e-6

    def guard(self, z: Array) -> Array:
        return signed(self.epsilon, z)

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)


@dataclass(frozen=True)
class EpsilonClipped(Epsilon):
    """R_i = sum_j a_i w_ij / (sign z_j max(|z_j|, epsilon)) R_j.

    The option `Stabilizer(clip=True)`: a z larger than epsilon is left alone (D1).
    """

    def guard(self, z: Array) -> Array:
        return sign(z) * np.maximum(abs(z), constant(self.epsilon, z)) - z


@dataclass(frozen=True)
class EpsilonScaled(Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon r sign z_j) R_j, r the root mean square of all outputs of the sample.

    The option `Stabilizer(norm_scale=True)` (D1). For dense layers alone: convolutions are worked on piece by piece.
    """

    def guard(self, z: Array) -> Array:
        mean = np.mean(z * z, axis=tuple(range(1, z.ndim)), keepdims=True)
        return signed(self.epsilon, z) * sqrt(mean)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        if not isinstance(m, Dense):
            raise ValueError("EpsilonScaled needs all outputs of a sample at once: use it on Linear")
        return super().shares(m, a)


@dataclass(frozen=True)
class EpsilonNoBias(Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, z_j = sum_i a_i w_ij.

    The option `zero_params='bias'`: no bias in the denominator (D1).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class AlphaBeta(rules.AlphaBeta):
    """R_i = sum_j (alpha z+_ij / (z+_j + 1e-6) - beta z-_ij / (z-_j + 1e-6 sign z-_j)) R_j.

    Departs by its stabiliser alone, so that an absent sign is the stabiliser's and not dead (D2).
    """

    epsilon: Any = 1e-6


@dataclass(frozen=True)
class ZPlus(rules.ZPlus):
    """R_i = sum_j z+_ij / (z+_j + 1e-6) R_j.

    Departs by its stabiliser alone (D2, D3).
    """

    epsilon: Any = 1e-6


@dataclass(frozen=True)
class Gamma(rules.Gamma):
    """R_i = sum_j (z_ij + gamma z+_ij) / (sum_i (same) + 1e-6) R_j where z_j > 0; with z-_ij where z_j < 0.

    Departs by its stabiliser alone: it is the general form, b + gamma b+ in the denominator (D8).
    """

    epsilon: Any = 1e-6


@dataclass(frozen=True)
class GammaNoBias(Gamma):
    """As Gamma without bias in the denominators, but the sign is that of z_j with the bias.

    The option `zero_params='bias'`, which is not a layer built without bias (D9).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class ZBox(rules.ZBox):
    """R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / (sum_i (same) + 1e-6 sign) R_j.

    Departs by its stabiliser alone; the bias cancels, and padding has no bounds (D6).
    """

    epsilon: Any = 1e-6


@dataclass(frozen=True)
class WSquare(rules.WSquare):
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2 + b_j^2 + 1e-6) R_j.

    Departs by the bias, which is squared as the weights are and keeps its share (D4).
    """

    epsilon: Any = 1e-6

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_pixel(m, a)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), square, square(m.bias)) if m.learned else even(m, a)])]


@dataclass(frozen=True)
class WSquareNoBias(WSquare):
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2 + 1e-6) R_j.

    The option `zero_params='bias'`: the canonical rule but for the stabiliser (D4).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return without_bias(super().shares(m, a))


@dataclass(frozen=True)
class Flat(rules.Flat):
    """R_i = sum_j c_ij / (sum_i c_ij + 1e-6) R_j.

    Departs by its stabiliser (D5), and in a max-pooling: of ones all tie, and the first pixel of the window wins (D10).
    """

    epsilon: Any = 1e-6

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_pixel(m, a)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), ones_like) if m.learned else even(m, a)])]


def even(m: LinearMap, a: Array) -> Term:
    """A layer without parameters at ones: of an average 1 / n each, so that 1e-6 is added to 1 and not to n."""
    f: Function = ones_like if m.gate else same
    return Term(ones_like(a), f)


def merged(network: Network) -> Network:
    """merge_batchnorm, but every batch norm stays and divides by sqrt(1 + its epsilon) (D13).

    What `SequentialMergeBatchNorm` of 0.5.1 leaves: the forward pass changes.
    """
    folded = merge_batchnorm(network)
    layers: list[tuple[str, Layer]] = []
    for name, layer in network:
        if isinstance(layer, BatchNorm):
            one, nothing = ones_like(layer.mean), 0 * layer.mean
            layers.append((name, BatchNorm(nothing, one.copy(), one.copy(), nothing, layer.epsilon)))
        else:
            layers.append((name, folded[name]))
    return Network(layers)


DIALECT = Dialect(
    "zennit", "0.5.1",
    {"Epsilon": Epsilon, "AlphaBeta": AlphaBeta, "ZPlus": ZPlus, "Gamma": Gamma, "ZBox": ZBox, "WSquare": WSquare,
     "Flat": Flat, "Winner": First, "Pass": rules.Pass},
    Conventions(start="all scores", default_epsilon=1e-6, zero_rule="nan", stabiliser=1e-6, bias_w_square="squared",
                max_pool="first", flat_max_pool="first", lrn="gradient"),
)
