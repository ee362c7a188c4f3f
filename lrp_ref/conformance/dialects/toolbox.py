"""lrp_toolbox, its Python version: ties share, alpha + beta = 1, pools that inherit the rule, no padding of its own.

A padded image is there an image: what the padding gets is cropped away, and lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lrp_ref import rules
from lrp_ref.arrays import Array, constant, negative, ones_like, positive, square
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect
from lrp_ref.conformance.dialects.parts import part_inside, signed
from lrp_ref.layers import AvgPool, MaxPool, SumPool
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share


@dataclass(frozen=True)
class Simple(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + 1e-16 sign z_j) R_j: `simple` on Linear and Convolution.

    Departs from Epsilon(0) where z = 0: contributions that cancel get 1e16 R (D1b).
    """

    epsilon: Any = 1e-16


@dataclass(frozen=True)
class SumPoolEpsilon(rules.Epsilon):
    """R_i = sum_j a_i / (sum_i a_i + epsilon sign) R_j; `simple` has epsilon = 1e-12.

    Departs by stabilising the sum of the inputs and not the layer's output (D11).
    """

    epsilon: Any = 1e-12

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, ones_like)])]


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """R_i = sum_j (alpha z+_ij / (z+_j + 1e-16) + (1 - alpha) z-_ij / (z_j - (z+_j + 1e-16) - 1e-16)) R_j.

    Departs by alpha + beta = 1 with any alpha, and by the negative sum z - z+, which cancels (D7); alpha = 0 has its
    own sum. The ledger has every 1e-16 and what cancelled in its bias.
    """

    alpha: Any

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up, down = split(self.alpha, m, a)
        tiny, (pp, nn), (pn, np) = constant(1e-16, a), up.terms, down.terms
        bp, bn = pp.b + tiny, pn.b - tiny
        if up.part:   # what the down share lacks of z - z+ - 1e-16
            zp = m.apply(pp.a, pp.f) + m.apply(nn.a, nn.f) + bp
            bn = m(a) - zp - tiny - m.apply(pn.a, pn.f) - m.apply(np.a, np.f)
        shares = [Share(up.part, [Term(pp.a, pp.f, bp), nn]), Share(down.part, [Term(pn.a, pn.f, bn), np])]
        return [share for share in shares if share.part]


@dataclass(frozen=True)
class AlphaBetaSlow(Rule):
    """R_i = sum_j (alpha z+_ij / z+_j + (1 - alpha) z-_ij / z-_j) R_j.

    `alphabeta_slow` of Linear: departs by 0 / 0 = NaN where a sign is absent (D16, D19).
    """

    alpha: Any

    def guard(self, z: Array) -> Array:
        return 0 * z

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [share for share in split(self.alpha, m, a) if share.part]


@dataclass(frozen=True)
class Alpha0Convolution(Rule):
    """R_i = sum_j z-_ij / (z-_j + 1e-16) R_j: alpha = 0 on Convolution.

    Departs by the sign of its stabiliser, which moves z- towards 0: a pole at z- = -1e-16 (D16).
    """

    def guard(self, z: Array) -> Array:
        return constant(1e-16, z) + 0 * z

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return split(0, m, a)[1:]


@dataclass(frozen=True)
class SumPoolAlphaBeta(Rule):
    """R_i = sum_j (alpha a+_i / (sum_i a+_i + 1e-16) + (1 - alpha) a-_i / (sum_i a-_i - 1e-16)) R_j.

    Departs by reaching pools at all: alpha = 2 doubles R at every pool without negative inputs (D11b). Its fast path
    multiplies the second part by R once more (D16), which is not linear in R, and no rule can say it.
    """

    alpha: Any

    def guard(self, z: Array) -> Array:
        return signed(1e-16, z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        alpha = constant(self.alpha, a)
        return [Share(alpha, [Term(positive(a), ones_like)]),
                Share(constant(1, a) - alpha, [Term(negative(a), ones_like)])]


@dataclass(frozen=True)
class WSquare(rules.WSquare):
    """R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j, the sum over the whole window.

    Departs at a padded border, where what the padding got is lost (D5).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        f = square if m.learned else ones_like
        return [Share(part_inside(m, a, f), share.terms) for share in super().shares(m, a)]


@dataclass(frozen=True)
class Flat(rules.Flat):
    """R_i = sum_j c_ij / n R_j, n = h w d positions of a convolution's window, h w of a pool's, m of a dense layer.

    Departs at a padded border, where what the padding got is lost (D5).
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(part_inside(m, a, ones_like), share.terms) for share in super().shares(m, a)]


def split(alpha: Any, m: LinearMap, a: Array) -> list[Share]:
    """The shares of products of either sign, alpha and 1 - alpha."""
    ap, an, alpha = positive(a), negative(a), constant(alpha, a)
    return [Share(alpha, [Term(ap, positive, positive(m.bias)), Term(an, negative)]),
            Share(constant(1, a) - alpha, [Term(ap, negative, negative(m.bias)), Term(an, positive)])]


def winner(*_: Any) -> Rule:
    """Winner, whatever the parameters."""
    return rules.Winner()


POOL: dict[str, Callable[..., Rule]] = {
    "Epsilon": lambda epsilon: SumPoolEpsilon(epsilon or 1e-12),
    "AlphaBeta": lambda alpha, beta: SumPoolAlphaBeta(alpha), "ZPlus": lambda: SumPoolAlphaBeta(1),
}
DIALECT = Dialect(
    "lrp_toolbox", "Python",
    {"Epsilon": lambda epsilon: rules.Epsilon(epsilon) if epsilon else Simple(),
     "AlphaBeta": lambda alpha, beta: AlphaBeta(alpha), "ZPlus": lambda: AlphaBeta(1), "WSquare": WSquare, "Flat": Flat,
     "Winner": rules.Winner, "Pass": rules.Pass},
    Conventions(start="chosen", zero_rule=1e-16, stabiliser=1e-16, pool_epsilon="sum", alpha_beta="sum",
                small_negative="difference", gamma=None, bias_gamma=None, bias_z_box=None, flat="window",
                w_square="window", batch_norm=None, lrn=None),
    {AvgPool: POOL, SumPool: POOL, MaxPool: {"Epsilon": winner, "AlphaBeta": winner, "ZPlus": winner}},
)
