"""fl(x op y) = (x op y)(1 + t) + e, |t| <= u, |e| <= eta / 2: floating-point arithmetic as its bounds see it.

u is the unit roundoff, eta the smallest positive (subnormal) number: e is there for products and quotients only, since
sums underflow gradually without an error. Where subnormal numbers are flushed to 0 this does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import wraps
from math import floor, inf, log2
from typing import Any, ParamSpec, TypeVar

import numpy as np

from lrp_ref.arrays import Array, Function, is_number, negative, ones_like, positive, same, square
from lrp_ref.hints import shown
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Raised

Made = ParamSpec("Made")
Value = TypeVar("Value")
V = 2.0**-53   # unit roundoff of float64, in which bounds are themselves computed
FORMATS: dict[float, type] = {2.0**-11: np.float16, 2.0**-24: np.float32, V: np.float64}   # by their unit roundoff


@dataclass(frozen=True)
class Arithmetic:
    """Unit roundoff u, smallest positive number eta, largest number."""

    u: float
    eta: float
    largest: float

    @property
    def least(self) -> float:
        """The smallest normal number: what is made in roundings and comes out below has lost more than u of itself."""
        return self.eta / (2 * self.u)

    def gamma(self, k: Any) -> Any:
        """gamma_k = k u / (1 - k u): how far k roundings take a product from 1 at most; infinite for k u >= 1."""
        k = np.asarray(k, dtype=float) * self.u
        return np.where(k < 1, k / np.where(k < 1, 1 - k, 1.0), inf)


def ieee(number: type) -> Arithmetic:
    """The arithmetic of a type of NumPy's floats."""
    info = np.finfo(number)
    return Arithmetic(float(info.eps) / 2, 2.0 ** (info.minexp - info.nmant), float(info.max))


BFLOAT16 = Arithmetic(2.0**-8, 2.0**-133, 2.0**127)
ARITHMETICS = {u: ieee(number) for u, number in FORMATS.items()} | {BFLOAT16.u: BFLOAT16}
FLOAT32, FLOAT64 = ARITHMETICS[2.0**-24], ARITHMETICS[V]


def arithmetic(u: float) -> Arithmetic:
    """The IEEE format (or bfloat16) of that unit roundoff; another u with float32's range."""
    if not (isinstance(u, (int, float)) and is_number(u, V, below=0.5)):
        raise ValueError(f"got u={shown(u)}, needed a unit roundoff from 2**-53 (float64) up to below 1/2, such as "
                         "2**-24")
    return ARITHMETICS.get(u, replace(FLOAT32, u=u))


def quiet(made: Callable[Made, Value]) -> Callable[Made, Value]:
    """The same function; what overflows on the way to its bound makes that infinite, and is no fault to be told of."""
    @wraps(made)
    def make(*given: Made.args, **named: Made.kwargs) -> Value:
        with np.errstate(all="ignore"):
            return made(*given, **named)
    return make


def upward(x: Any, steps: float) -> Any:
    """At least the true value of a sum of products of non-negative numbers that `steps` float64 roundings made."""
    return x * (1 + 4 * (steps + 2) * V)


# ---- What a rule does to weights ----


@dataclass(frozen=True)
class Size:
    """|f(w)|"""

    f: Function

    def __call__(self, w: Array) -> Array:
        return abs(self.f(w))


@dataclass(frozen=True)
class Present:
    """1 where f(w) is not 0. (The square of a tiny weight is not 0 either, but its float64 may be.)"""

    f: Function

    def __call__(self, w: Array) -> Array:
        return np.where((w if self.f is square else self.f(w)) != 0, 1.0, 0.0)


@dataclass(frozen=True)
class Outside:
    """1 where |f(w)| is above the largest number, or w not 0 and below the least; else 0."""

    f: Function
    least: float
    largest: float

    def __call__(self, w: Array) -> Array:
        f = upward(abs(self.f(w)), 4)   # f takes no more roundings
        return np.where((f <= self.largest) & ((w == 0) | (abs(w) >= self.least)), 0.0, 1.0)


def size(f: Function) -> Function:
    """|f|; the functions that are never negative as they are, since some maps know them by name"""
    return f if f in (ones_like, square, positive) else Size(f)


def present(f: Function) -> Function:
    return f if f is ones_like else Present(f)


def roundings(f: Function, of_weight: int) -> int:
    """How many roundings f(w) takes, w itself having taken so many: w + gamma g(w) three, gamma's own among them."""
    if f is ones_like:
        return 0
    if f is square:
        return 2 * of_weight + 1
    return of_weight if f in (same, positive, negative) else of_weight + 3


def lowest_bit(x: Array) -> float:
    """The largest e for which every number of x is a multiple of 2^e; inf where all are 0."""
    x = x[x != 0]
    if x.size == 0:
        return inf
    fraction, exponent = np.frexp(x)
    whole = (abs(fraction) * 2.0**53).astype(np.int64)
    return float((exponent - 53 + np.frexp((whole & -whole).astype(float))[1] - 1).min())


def lowest_bit_of(f: Function, w: Array) -> float:
    """The same of f(w) in exact arithmetic; -inf where it is not known."""
    if f is ones_like:
        return 0
    e = lowest_bit(w)
    if f in (same, positive, negative):
        return e
    if f is square:
        return 2 * e
    if isinstance(f, Raised) and f.g in (positive, negative):
        gamma = Fraction(f.gamma)
        if gamma.denominator & (gamma.denominator - 1) == 0:
            return e + min(0, 1 - gamma.denominator.bit_length())
    return -inf


def coverage(m: LinearMap) -> tuple[float, float]:
    """The smallest c_ij > 0 of a map, and the largest e for which all are multiples of 2^e; 0, -inf if not known."""
    c = np.asarray(m.coverages, dtype=float)
    return (float(c.min()), lowest_bit(c)) if c.size else (0, -inf)


def precision(u: float) -> float:
    """2^p for the p bits of a format: whole numbers up to it are exact."""
    return 2.0 ** floor(-log2(u))
