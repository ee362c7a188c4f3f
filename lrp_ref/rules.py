"""The rules of LRP, side by side: with which inputs, weights and bias the relevance R_j of an output is shared out.

A rule is given a layer's linear map m, z_j = sum_i c_ij a_i w_ij + b_j, and its input a. It answers with shares: a part
of R_j and the terms among which that part goes,

    R_i = sum over shares, sum_j  z_ij / (z_j + guard(z_j))  part_j R_j,
    z_ij = sum over terms of c_ij a'_i f(w_ij),     z_j = sum_i z_ij + sum over terms of b'_j

(Eq. 1 and 2 of the paper), the guard being epsilon sign z_j. What no share claims, 1 - sum of the parts, is handed to
nobody. A rule names functions f of the weights and never does arithmetic on a weight array, so it knows no layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from lrp_ref.arrays import (
    Array,
    Function,
    as_numbers,
    by_sign,
    constant,
    divide,
    indicator,
    is_number,
    negative,
    ones_like,
    positive,
    same,
    sign,
    square,
    thin,
    times,
    to_number,
    total,
)
from lrp_ref.hints import SHOWN, nearest_float, shown
from lrp_ref.linear_map import LinearMap
from lrp_ref.linear_map import Term as Term


@dataclass(frozen=True, eq=False)
class Share:
    """A part of R (a number, or an array over the outputs) and the terms among which it goes.

    over  the denominator, before the guard, where it is not the terms' sum; None: it is. What it has beyond that sum
          is in the ledger the stabiliser's. (As a bias, in the last term, it would round away what cancels.)
    """

    part: Any
    terms: Sequence[Term]
    over: Array | None = None

    def of(self, R: Array) -> Array:
        """part_j R_j"""
        return times(R, self.part if isinstance(self.part, np.ndarray) else total([self.part], R))


# What a denominator z gets added before R is divided by it is one of three:
# DEAD  nothing; R over 0 is 0, and that R is dead: it stays where it is (the paper's 0/0 = 0)
# 0     nothing; R over 0 is what the number type makes of it: infinite, NaN or an error (as some libraries have it)
# else  epsilon sign z, or another number: z is stabilised
DEAD = None
Guard = Array | None


class Rule:
    """shares(m, a): how a rule divides relevance; epsilon: its stabiliser, z + epsilon sign z.

    `guard` is for rules that stabilise in another way, `seen` for rules that share R by another map than the layer's
    own. What else others need to know of a rule it states itself:

    only_for          maps it is for: "gates", "winners" (weights that are the image's), "a box" of inputs; None: all
    sees_activations  False: it shares alike at every input, so that it may fill a cut-off
    condition         what its parameters must be besides numbers of at least 0
    """

    epsilon: Any = 0
    only_for: Literal["gates", "winners", "a box"] | None = None
    sees_activations = True
    condition = ""

    @classmethod
    def examples(cls) -> tuple[Rule, ...]:
        """Rules of this kind on which laws and definitions are tried: by default one, every parameter 1/4."""
        return (cls(*(Fraction(1, 4) for _ in fields(cls))),)  # type: ignore[arg-type]

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        raise NotImplementedError

    def doubt(self, a: Array) -> str:
        """What a person should know of the rule at these inputs: that they are not those it is for."""
        return ""

    def guard(self, z: Array) -> Guard:
        """What a denominator z gets added: epsilon sign z, and without an epsilon nothing, so that R over 0 is dead."""
        epsilon = constant(self.epsilon, z)
        return epsilon * sign(z) if epsilon else DEAD

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        """The map whose weights and coverage share R out: the layer's own."""
        return m

    def share_out(self, R: Array, z: Array, over: Array | None = None) -> tuple[Any, Any, Array]:
        """(guard, dead, s): s = R / (z + guard) is what a product z_ij = 1 is handed; dead says where R is dead.

        over: the denominator, where it is not z; the guard is then what that and its own guard have beyond z.
        """
        d = z if over is None else over
        guard: Any = self.guard(d)
        if guard is DEAD:
            guard, dead, s = 0, d == 0, divide(R, d)
        else:
            dead, s = False, R / (d + guard)
        return guard if over is None else guard + (over - z), dead, s


def unclaimed(shares: Sequence[Share], R: Array) -> Array:
    """1 - sum of the parts: what no share claims of R."""
    one = thin(ones_like(R))
    return one - total((share.of(one) for share in shares), R)


@dataclass(frozen=True)
class Epsilon(Rule):
    """R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, z_j = sum_i a_i w_ij + b_j, sign 0 = +1.

    Epsilon(0) is Eq. 1 itself (LRP-0, the z-rule). The stabilised form is the paper's for Fisher vectors.

    Use it where one output sums up many inputs: on fully connected layers, Fisher vectors, averages. On convolutions
    its maps are noisy. epsilon is an absolute number, to be chosen by the size of z: 1e-6 if it is only to keep small z
    from exploding, a quarter of the usual |z| if weak contributions are to be absorbed (Montavon et al. 2019), 100 on
    the paper's sums over all descriptors of an image.
    """

    epsilon: Any = 0

    @classmethod
    def examples(cls) -> tuple[Rule, ...]:
        return cls(0), cls(Fraction(1, 4))

    def __post_init__(self) -> None:
        must_be_number(self, "epsilon", self.epsilon, 0)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, same, m.bias)])]


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """R_i = sum_j (alpha z+_ij / z+_j - beta z-_ij / z-_j) R_j, alpha - beta = 1.

    z+_ij and z-_ij are the positive and negative products a_i w_ij (a+ w+ + a- w-, and a+ w- + a- w+); b+ belongs to
    z+_j, b- to z-_j. Where a sign is absent its share goes nowhere. Bach et al. 2015; the paper's
    "beta = 1" is AlphaBeta(2, 1).

    Use it on convolutions and fully connected layers between ReLUs. beta = 0 shows what speaks for a class, beta = 1
    also what speaks against it; hardly anybody takes more.
    """

    alpha: Any
    beta: Any

    condition = "alpha - beta = 1"

    @classmethod
    def examples(cls) -> tuple[Rule, ...]:
        return cls(2, 1), cls(Fraction(4, 3), Fraction(1, 3))

    def __post_init__(self) -> None:
        must_be_number(self, "beta", self.beta, 0)
        must_be_number(self, "alpha", self.alpha, 0)
        difference = to_number(self.alpha, Fraction) - to_number(self.beta, Fraction)
        if abs(float(difference - 1)) > 4 * np.spacing(float(self.alpha)):   # alpha = 1 + beta was rounded
            raise ValueError(f"AlphaBeta got alpha={self.alpha!s:.{SHOWN}}, beta={self.beta!s:.{SHOWN}}, needed "
                             f"alpha - beta = 1: AlphaBeta({(1 + self.beta)!s:.{SHOWN}}, {self.beta!s:.{SHOWN}})?")

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        (ap, an), beta = by_sign(a), constant(self.beta, a)
        up = Share(constant(1, a) + beta, [Term(ap, positive, positive(m.bias)), Term(an, negative)])
        down = Share(-beta, [Term(ap, negative, negative(m.bias)), Term(an, positive)])
        return [up, down] if self.beta else [up]


@dataclass(frozen=True)
class ZPlus(Rule):
    """R_i = sum_j z+_ij / z+_j R_j, z+_j = sum_i z+_ij + b+_j: AlphaBeta(1, 0). Montavon et al. 2017.

    Use it on convolutions between ReLUs for quiet maps that show only what speaks for a class.
    """

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return AlphaBeta(1, 0).shares(m, a)


@dataclass(frozen=True)
class Gamma(Rule):
    """R_i = sum_j (z_ij + gamma z+_ij) / sum_i (z_ij + gamma z+_ij) R_j where z_j > 0; with z-_ij where z_j < 0.

    z_j is the layer's own output, bias included, and b_j + gamma b+_j (or b-_j) stands in the denominator; z_j = 0
    hands nothing down. On non-negative inputs and z_j > 0 the weights are w + gamma w+ (Montavon et al. 2019); the
    general form is Andeol et al. 2021.

    Use it on convolutions, as something between Epsilon(0), which it is for gamma = 0, and ZPlus, to which it tends
    where z_j > 0 as gamma grows. gamma is usually 0.25, or falls from layer to layer upwards.
    """

    gamma: Any

    def __post_init__(self) -> None:
        must_be_number(self, "gamma", self.gamma, 0)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up, down = Raised(self.gamma, positive), Raised(self.gamma, negative)
        (ap, an), z = by_sign(a), m(a)
        return [Share(indicator(z > 0, z), [Term(ap, up, up(m.bias)), Term(an, down)]),
                Share(indicator(z < 0, z), [Term(ap, down, down(m.bias)), Term(an, up)])]


@dataclass(frozen=True)
class Raised:
    """f(w) = w + gamma g(w); a value, so that two of the same gamma and g are the same function."""

    gamma: Any
    g: Function

    def __call__(self, w: Array) -> Array:
        return w + constant(self.gamma, w) * self.g(w)


@dataclass(frozen=True)
class ZBox(Rule):
    """R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / sum_i (same) R_j, for inputs in a box low <= a <= high.

    low and high: a number, or one per channel (C,). The bias cancels. Montavon et al. 2017.

    Use it on the layer that sees the pixels: low and high are what black and white are after the preprocessing.
    """

    low: Any
    high: Any

    only_for = "a box"

    @classmethod
    def examples(cls) -> tuple[Rule, ...]:
        return (cls(-4, 5),)

    def __post_init__(self) -> None:
        low, high = (as_numbers(bound, "ZBox") for bound in (self.low, self.high))
        fine = all(is_number(bound) for bound in (*low.flat, *high.flat)) and max(low.ndim, high.ndim) <= 1
        if not (fine and len({*low.shape, *high.shape}) <= 1 and low.size and high.size and (low <= high).all()):
            raise ValueError(f"ZBox got low={shown(self.low, SHOWN)}, high={shown(self.high, SHOWN)}, needed finite "
                             "low <= high in every channel")

    def doubt(self, a: Array) -> str:
        """That a_i lies outside the box, where its term has the other sign."""
        low, high = (per_channel(bound, a) for bound in (self.low, self.high))
        outside = (a < low) | (a > high)
        if not outside.any():
            return ""
        ends = f"from {nearest_float(a.min()):.4g} to {nearest_float(a.max()):.4g}"
        return (f"{int(outside.sum())} of {a.size} inputs, which go {ends}, lie outside the box of "
                f"ZBox({shown(self.low, SHOWN)}, {shown(self.high, SHOWN)}): relevance there may have the wrong sign; "
                "give what black and white are after the preprocessing")

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        low, high = (per_channel(bound, a) * ones_like(a) for bound in (self.low, self.high))
        return [Share(1, [Term(a, same), Term(-low, positive), Term(-high, negative)])]


@dataclass(frozen=True)
class WSquare(Rule):
    """R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j, over the inputs inside the image.

    Where the weights are not the model's (pooling, gates) it is Flat. Montavon et al. 2017; the paper, Section 3.

    Use it below a cut-off, or on the lowest layer where its inputs have no range for a ZBox: an input of 0 gets its
    share too.
    """

    sees_activations = False

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), square if m.learned else ones_like)])]


@dataclass(frozen=True)
class Flat(Rule):
    """R_i = sum_j c_ij / sum_i c_ij R_j: evenly over the inputs that reach j. Lapuschkin et al. 2019; paper, Sec. 3.

    Use it below a cut-off, where it no longer matters what the units mean, and on pixels that bins or windows cover.
    """

    sees_activations = False

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), ones_like)])]


@dataclass(frozen=True)
class Winner(Rule):
    """R_i = sum_j w_ij / sum_i w_ij R_j, the image's own weights: in a max-pooling to the winners, ties evenly.

    Use it on max-pooling, as is the default: R_j follows the maximum even when that is 0.
    """

    only_for = "winners"

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        if m.learned:
            raise ValueError("Winner needs a pooling, whose weights say who won; use Epsilon(0) or Flat()")
        return [Share(1, [Term(ones_like(a), same)])]


@dataclass(frozen=True)
class Pass(Rule):
    """R_i = R_j, for layers in which every output has one input of its own.

    Use it on ReLU, Flatten, batch norm and other norms, as is the default. Epsilon there would leave dead what arrives
    at an output of 0, or give a part to the bias.
    """

    only_for = "gates"
    sees_activations = False

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        if not m.gate:
            raise ValueError("Pass needs a gate, and this layer mixes units; use Epsilon(0) or Flat()")
        return Flat().shares(m, a)


RULES: dict[str, type[Rule]] = {
    "Epsilon": Epsilon, "AlphaBeta": AlphaBeta, "ZPlus": ZPlus, "Gamma": Gamma, "ZBox": ZBox,
    "WSquare": WSquare, "Flat": Flat, "Winner": Winner, "Pass": Pass,
}

__all__ = ["RULES", "AlphaBeta", "Epsilon", "Flat", "Gamma", "Pass", "Rule", "Share", "WSquare", "Winner", "ZBox",
           "ZPlus"]


def must_be_number(rule: Rule, name: str, value: Any, least: int) -> None:
    """An error unless the parameter is a finite number of at least `least`."""
    if not is_number(value, least):
        raise ValueError(f"{type(rule).__name__} got {name}={shown(value)}, needed a finite number of at least {least}")


def per_channel(bound: Any, a: Array) -> Array:
    """A number, or one per channel (C,), in a's number type and shaped to broadcast along a's channel axis."""
    bound = constant(np.asarray(bound), a)
    if bound.ndim == 0:
        return bound
    if bound.shape != a.shape[1:2]:
        raise ValueError(f"ZBox got bounds of shape {bound.shape} for an input of shape {a.shape}, needed one number "
                         f"or ({a.shape[1]},)")
    return bound.reshape(-1, *(1,) * (a.ndim - 2))
