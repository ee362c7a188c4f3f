"""lrp_toolbox, its Caffe version (read, not run): first winners, padding that takes shares, flat per channel.

All of it in float32. Its alpha-beta is the canonical one, alpha = 1 + beta. Where an average pooling sums to less than
1e-6 it hands down the inputs themselves, whatever R is (D11): that is not linear in R, and no rule can say it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref import rules
from lrp_ref.arrays import Array, constant, negative, ones_like, positive, same, square
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import First, at_zero, part_inside, signed, whole_window
from lrp_ref.layers import LRN, AvgPool, MaxPool
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share, per_channel


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j; where z_j = 0, a_i w_ij R_j undivided.

    Departs where z = 0 (D1b).
    """

    def guard(self, z: Array) -> Array:
        return signed(self.epsilon, z) * (z != 0) + at_zero(1, z)


@dataclass(frozen=True)
class Average(Rule):
    """R_i = sum_j a_i / sum_i a_i R_j, whatever the rule.

    Departs by having no epsilon; where |sum_i a_i| < 1e-6 this rule leaves R dead, Caffe hands down a_i (D11).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        z = m.apply(a, ones_like)
        return [Share((abs(z) >= constant(1e-6, z)) * constant(1, z), [Term(a, ones_like)])]


@dataclass(frozen=True)
class Flat(rules.Flat):
    """R_i = sum_j c_ij / (h w) R_j in a convolution, 1 / n in a dense layer.

    Departs by dividing by the window of one channel, so that C channels get C R, and loses what padding gets (D5).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        window = whole_window(m, ones_like(a), ones_like)
        channels = constant(1, a) if window is None or not m.learned else constant(channels_of(m), a)
        return [Share(channels * part_inside(m, a, ones_like), share.terms) for share in super().shares(m, a)]


@dataclass(frozen=True)
class WSquare(rules.WSquare):
    """R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j, the sum over the whole window.

    Departs at a padded border, where what the padding got is lost (D5).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        f = square if m.learned else ones_like
        return [Share(part_inside(m, a, f), share.terms) for share in super().shares(m, a)]


@dataclass(frozen=True)
class ZBox(rules.ZBox):
    """R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / (sum_i (same) + b+_j) R_j.

    Departs by b+ in the denominator (D6), and by padding, which is 0 between the bounds 0 and high - low and whose
    share is lost.
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        span = (per_channel(self.high, a) - per_channel(self.low, a)) * ones_like(a)
        window = whole_window(m, span, negative)
        padding = 0 if window is None else m.apply(span, negative) - window
        [share] = super().shares(m, a)
        return [Share(1, [*share.terms, Term(0 * a, same, positive(m.bias) + padding)])]


@dataclass(frozen=True)
class LocalResponse(Rule):
    """R_i = sum_j a_i w_ij R_j, w the first-order weights of LRN(taylor=True): `lrn_backward_type 1`.

    Departs by dividing by nothing, so that relevance grows (D14).
    """

    def guard(self, z: Array) -> Array:
        return constant(1, z) - z

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, same)])]


def channels_of(m: LinearMap) -> int:
    """How many channels a window of a convolution sees."""
    return int(np.shape(m.weight)[1])


def average(*_: Any) -> Rule:
    """Average, whatever the parameters."""
    return Average()


def first(*_: Any) -> Rule:
    """First, whatever the parameters."""
    return First()


NAMES = ("Epsilon", "AlphaBeta", "ZPlus", "WSquare", "Flat", "Winner")
DIALECT = Dialect(
    "lrp_toolbox", "Caffe",
    {"Epsilon": Epsilon, "AlphaBeta": rules.AlphaBeta, "ZPlus": rules.ZPlus, "ZBox": ZBox, "WSquare": WSquare,
     "Flat": Flat, "Winner": First, "Pass": rules.Pass},
    Conventions(sign_of_zero=0, zero_rule=1, gamma=None, bias_gamma=None, bias_z_box="positive", flat="channel",
                w_square="window", pool_epsilon=None, max_pool="first", flat_max_pool="winner", batch_norm=None,
                lrn="undivided"),
    {AvgPool: dict.fromkeys(NAMES, average), MaxPool: dict.fromkeys(NAMES, first), LRN: {"Pass": LocalResponse}},
)
