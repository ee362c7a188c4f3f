"""Exact arithmetic modulo two primes of 31 bits, as arrays on which layers, rules and ledger run as they are.

A rational number p / q is known by its residues p q^-1 modulo two primes, and sums, products and quotients of residues
are those of the numbers. So an identity of rationals of any length is one of small whole numbers, at a hundredth of the
cost of Fractions. What residues do not know is order: signs and maxima come from a float64 value that each number
carries along. Hence *an identity proved so holds for the gates (signs, winners) that float64 chose*.

Two numbers that differ have equal residues only where both primes divide the numerator of their difference, for
which a numerator without structure has a chance of 2^-62: what is equal here is equal but for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.residues import Residues, Unlucky

PRIMES = (2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549, 2147483543, 2147483497)
TERMS = 1 << 15   # so many products of 16 by 31 bits stay below 2^62
T = TypeVar("T")


def modulo_primes(compute: Callable[[type[Residues]], T], primes: Sequence[int] = PRIMES) -> T:
    """compute(number type) modulo the first two primes; again with the next one where a prime is unlucky."""
    spare = list(primes)
    chosen = [spare.pop(0), spare.pop(0)]
    while True:
        try:
            return compute(modulo(*chosen))
        except Unlucky as unlucky:
            if not spare:
                raise
            chosen[chosen.index(unlucky.prime)] = spare.pop(0)


def modulo(p: int, q: int) -> type[Residues]:
    """The number type modulo p and q: network.astype(modulo(p, q))."""
    return type(f"Modulo_{p}_{q}", (Residues,), {"primes": (p, q), "ufuncs": UFUNCS, "functions": FUNCTIONS})


# ---- Arithmetic ----


def plus(x: Residues, y: Residues) -> Residues:
    return x.made(x.value + y.value, [(r + s) % p for r, s, p in zip(x.residues, y.residues, x.primes)])


def minus(x: Residues, y: Residues) -> Residues:
    return x.made(x.value - y.value, [(r - s) % p for r, s, p in zip(x.residues, y.residues, x.primes)])


def times(x: Residues, y: Residues) -> Residues:
    return x.made(x.value * y.value, [r * s % p for r, s, p in zip(x.residues, y.residues, x.primes)])


def over(x: Residues, y: Residues) -> Residues:
    """x / y; where y is not 0 but one of its residues is, that prime is unlucky."""
    zero = [r == 0 for r in y.residues]
    if np.logical_and(*zero).any():
        raise ZeroDivisionError("division by a number whose residues are all 0")
    for absent, p in zip(zero, y.primes):
        if absent.any():
            raise Unlucky(p)
    residues = [r * inverse(s, p) % p for r, s, p in zip(x.residues, y.residues, x.primes)]
    return x.made(x.value / y.value, residues)


def inverse(r: Array, p: int) -> Array:
    """r^(p - 2), which is r^-1 modulo a prime p."""
    out, power = np.ones_like(r), r
    for bit in reversed(f"{p - 2:b}"):
        if bit == "1":
            out = out * power % p
        power = power * power % p
    return out


def minus_x(x: Residues) -> Residues:
    return x.made(-x.value, [-r % p for r, p in zip(x.residues, x.primes)])


def absolute(x: Residues) -> Residues:
    return where(type(x), x.value < 0, minus_x(x), x)


def power(x: Residues, exponent: Residues) -> Residues:
    n = int(exponent.value) if exponent.ndim == 0 else 0
    if exponent.ndim or not equal(exponent, type(x)(n)):
        raise TypeError("a power modulo primes needs one whole number as its exponent")
    base, out = (x if n >= 0 else over(type(x)(1), x)), type(x)(np.ones(x.shape))
    for _ in range(abs(n)):
        out = times(out, base)
    return out


def matrix_product(x: Residues, y: Residues) -> Residues:
    """x @ y; the values are summed in order, so that they do not depend on the machine."""
    if x.ndim == 1 or y.ndim == 1:
        column = matrix_product(x[None] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y)
        return column.reshape([n for axis, n in enumerate(column.shape)
                               if not (x.ndim == 1 and axis == column.ndim - 2)
                               and not (y.ndim == 1 and axis == column.ndim - 1)])
    a, b = x.value, y.value
    value = np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]))
    for i in range(a.shape[-1]):
        value += a[..., :, i, None] * b[..., None, i, :]
    return x.made(value, [residue_product(r, s, p) for r, s, p in zip(x.residues, y.residues, x.primes)])


def residue_product(r: Array, s: Array, p: int) -> Array:
    """r @ s modulo p in int64: r as 2^16 high + low, some terms at a time, so that no sum reaches 2^63."""
    total: Any = 0
    for first in range(0, r.shape[-1], TERMS):
        some, other = r[..., first : first + TERMS], s[..., first : first + TERMS, :]
        high, low = (some >> 16) @ other % p, (some & 0xFFFF) @ other % p
        total = (total + (high << 16) + low) % p
    return total


# ---- Order: zero and equality by residues, the rest by values ----


def equal(x: Residues, y: Residues) -> Array:
    return np.logical_and(*(r == s for r, s in zip(x.residues, y.residues)))


def below(x: Residues, y: Residues) -> Array:
    return (x.value < y.value) & ~equal(x, y)


def where(number: type[Residues], condition: Any, x: Any, y: Any) -> Residues:
    x, y = number(x), number(y)
    return number.seen([np.where(condition, p, q) for p, q in zip(x.parts, y.parts)])


UFUNCS: dict[Any, Callable[..., Any]] = {
    np.add: plus, np.subtract: minus, np.multiply: times, np.true_divide: over, np.negative: minus_x,
    np.positive: lambda x: x, np.absolute: absolute, np.power: power, np.square: lambda x: times(x, x),
    np.matmul: matrix_product, np.equal: equal, np.not_equal: lambda x, y: ~equal(x, y), np.less: below,
    np.greater: lambda x, y: ~below(x, y) & ~equal(x, y), np.less_equal: lambda x, y: below(x, y) | equal(x, y),
    np.greater_equal: lambda x, y: ~below(x, y),
    np.maximum: lambda x, y: where(type(x), below(x, y), y, x),
    np.minimum: lambda x, y: where(type(x), below(x, y), x, y),
}


def joined(join: Any) -> Callable[..., Residues]:
    def form(number: type[Residues], arrays: Sequence[Any], axis: int = 0) -> Residues:
        return number.seen([join(part, axis=axis) for part in zip(*(number(x).parts for x in arrays))])
    return form


def new(number: type[Residues], x: Any, dtype: Any = None, shape: Any = None, **more: Any) -> Residues:
    return number(np.zeros(np.shape(x) if shape is None else shape))


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.concatenate: joined(np.concatenate), np.stack: joined(np.stack), np.where: where,
    np.array_equal: lambda number, x, y: np.shape(x) == np.shape(y) and bool(equal(number(x), number(y)).all()),
    np.zeros_like: new, np.empty_like: new, np.ndim: lambda number, x: x.ndim, np.shape: lambda number, x: x.shape,
    np.sum: lambda number, x, axis=None, **more: x.sum(axis, **more), np.any: lambda number, x, **more: x.any(**more),
    np.all: lambda number, x, **more: x.all(**more),
    np.broadcast_arrays: lambda number, *xs: [
        np.broadcast_to(number(x), np.broadcast_shapes(*(np.shape(y) for y in xs))) for x in xs],
}
