"""What the dialects share: denominators guarded in other ways, maps read in other ways, and some terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, constant, divide, ones_like, same, sign
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.pool import Pooling
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share
from lrp_ref.testing.looks_like import firsts

# ---- Guards ----


def signed(epsilon: Any, z: Array) -> Array:
    """epsilon sign z, sign 0 = +1, also where epsilon is 0: then R over 0 is what the number type makes of it, NaN."""
    return constant(epsilon, z) * sign(z)


def at_zero(c: Any, z: Array) -> Array:
    """c where z = 0, else nothing."""
    return constant(c, z) * (z == 0)


# ---- Shares ----


def without_bias(shares: Iterable[Share]) -> list[Share]:
    """The same shares of denominators without bias."""
    return [Share(share.part, [Term(t.a, t.f) for t in share.terms]) for share in shares]


@dataclass(frozen=True)
class Gradient(Rule):
    """R_i = sum_j w_ij R_j: what automatic differentiation hands down where a library has no rule for a layer.

    Departs by dividing by nothing: the guard makes every denominator 1.
    """

    def guard(self, z: Array) -> Array:
        return constant(1, z) - z

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), same)])]


@dataclass(frozen=True)
class First(Rule):
    """R_i = sum of the R_j of the windows in which i is the first winner.

    Departs from Winner, where tied winners share: automatic differentiation of a maximum knows but one (D10).
    """

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return first_winner(m)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(ones_like(a), same)])]


# ---- Maps ----


def first_winner(m: LinearMap) -> LinearMap:
    """A max-pooling of which only the first winner of a window, row by row, has a weight; any other map as it is."""
    return replace(m, weights=firsts(m.weights)) if isinstance(m, Pooling) and not even(m) else m


def first_pixel(m: LinearMap, a: Array) -> LinearMap:
    """A max-pooling all of whose inputs tie: the first pixel of a window inside the image has the weight."""
    if not isinstance(m, Pooling) or even(m):
        return m
    return replace(m, weights=firsts(list(m.window.taps(m.window.spread(ones_like(a)), m.weights[0].shape[-2:]))))


def even(m: Pooling) -> bool:
    """Whether it is an average or a sum, whose weights are the same at every position of the window."""
    return all(w is m.weights[0] for w in m.weights)


# ---- Windows whose padding counts ----


def part_inside(m: LinearMap, a: Array, f: Function) -> Array:
    """sum_i c_ij f(w_ij) inside the image over the same sum for the whole window, padding included."""
    inside, whole = m.apply(ones_like(a), f), whole_window(m, ones_like(a), f)
    return ones_like(inside) if whole is None else divide(inside, whole + 0 * inside)


def whole_window(m: LinearMap, a: Array, f: Function) -> Array | None:
    """sum_i a_i f(w_ij) over a window that lies in the image, for an a that is one number per channel.

    None for maps without windows. In a pooling it is the number of positions, whatever f.
    """
    if isinstance(m, Pooling):
        return a[:1, :1, :1, :1] * constant(len(m.weights), a)
    if not isinstance(m, Convolution):
        return None
    window = Window(m.window.size, (1, 1), dilation=m.window.dilation)
    image = np.broadcast_to(a[:1, :, :1, :1], (1, a.shape[1], *window.extent))
    return Convolution(m.weight, m.bias, window, m.groups).apply(image, f)
