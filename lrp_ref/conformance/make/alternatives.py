"""Other answers that no dialect gives alone: one convention at a time, and nothing else that departs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref import rules
from lrp_ref.arrays import Array, constant, negative, positive, same, zeros
from lrp_ref.conformance.dialects.parts import Gradient
from lrp_ref.layers import LRN
from lrp_ref.layers.normalize import Band, channels
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Raised, Rule, Share


@dataclass(frozen=True)
class SplitWeights(Rule):
    """R_i = sum_j (alpha a_i w+_ij / (sum_i a_i w+_ij + b+_j) - beta a_i w-_ij / (sum_i a_i w-_ij + b-_j)) R_j"""

    alpha: Any = 1
    beta: Any = 0

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        beta = constant(self.beta, a)
        up = Share(constant(1, a) + beta, [Term(a, positive, positive(m.bias))])
        return [up, Share(-beta, [Term(a, negative, negative(m.bias))])] if self.beta else [up]


@dataclass(frozen=True)
class RaisedWeights(Rule):
    """R_i = sum_j a_i (w_ij + gamma w+_ij) / (sum_i (same) + b_j + gamma b+_j) R_j, whatever the signs of a and z."""

    gamma: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up = Raised(self.gamma, positive)
        return [Share(1, [Term(a, up, up(m.bias))])]


@dataclass(frozen=True)
class KeptBias(Rule):
    """R_i = sum_j a_i (w_ij + gamma w+_ij) / (sum_i (same) + b_j) R_j"""

    gamma: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, Raised(self.gamma, positive), m.bias)])]


@dataclass(frozen=True)
class LRNGradient(Gradient):
    """R_i = sum_j dz_j/da_i R_j, dz_j/da_i = s_j^-beta (i = j) - 2 alpha / size beta a_i a_j s_j^(-beta - 1)"""

    layer: LRN

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        layer = self.layer
        slope = constant(-2 * layer.beta, a) * layer.rate(a) * a * layer.power(layer.sums(a), -layer.beta - 1)
        weights = [slope * a_i for a_i in channels(a, layer.size)]
        weights[layer.size // 2] = weights[layer.size // 2] + layer.gate(a)
        return Band(np.stack(weights), zeros((1,), a))


@dataclass(frozen=True)
class Stabilised(Rule):
    """The shares of a rule, with another stabiliser: z + epsilon sign z."""

    rule: Rule
    epsilon: Any

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return self.rule.seen(m, a)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.rule.shares(m, a)


@dataclass(frozen=True)
class Contribution(Rule):
    """R_i = sum_j a_i w_ij / z_j R_j: Eq. 1 in place of a rule that a layer has for itself."""

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, same, m.bias)])]


@dataclass(frozen=True)
class BelowZero(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, sign 0 = -1"""

    def guard(self, z: Array) -> Array:
        one, two = constant(1, z), constant(2, z)
        return constant(self.epsilon, z) * ((z > 0) * two - one)


@dataclass(frozen=True)
class Difference(Rule):
    """R_i = sum_j (alpha z+_ij / z+_j - beta z-_ij / (z_j - z+_j - 1e-16)) R_j, the difference one of float64 numbers.

    z_j and z+_j + 1e-16 are rounded, their difference and it less 1e-16 too: what is left when they cancel.
    """

    alpha: Any
    beta: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up, down = rules.AlphaBeta(self.alpha, self.beta).shares(m, a)
        z, plus, minus = m(a), *(sum(m.apply(t.a, t.f) + t.b for t in share.terms) for share in (up, down))
        left = (z.astype(np.float64) - (plus.astype(np.float64) + 1e-16)) - 1e-16
        first, second = down.terms
        return [up, Share(down.part, [Term(first.a, first.f, first.b + constant(left, a) - minus), second])]


@dataclass(frozen=True)
class Quadrants(Rule):
    """R_i = sum_j (p pp_ij / pp_j + q nn_ij / nn_j) R_j, pp_ij = a+ w+, nn_ij = a- w-: denominators of their own (D17).

    b+ stands in pp_j, b- in nn_j.
    """

    p: Any
    q: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        p, q = constant(self.p, a), constant(self.q, a)
        return [Share(p, [Term(positive(a), positive, positive(m.bias))]),
                Share(q, [Term(negative(a), negative, negative(m.bias))])]
