"""Exact arithmetic modulo two primes of 31 bits, as arrays on which layers, rules and ledger run as they are.

A rational number p / q is known by its residues p q^-1 modulo two primes, and sums, products and quotients of residues
are those of the numbers. So an identity of rationals of any length is one of small whole numbers, at a hundredth of the
cost of Fractions. What residues do not know is order: signs and maxima come from a float64 value that each number
carries along. Hence *an identity proved so holds for the gates (signs, winners) that float64 chose*.

Two numbers that differ have equal residues only where both primes divide the numerator of their difference, for
which a numerator without structure has a chance of 2^-62: what is equal here is equal but for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from lrp_ref.arrays import Array

PRIMES = (2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549, 2147483543, 2147483497)
TERMS = 1 << 15   # so many products of 16 by 31 bits stay below 2^62
T = TypeVar("T")


class Unlucky(ArithmeticError):
    """A number to divide by is divisible by this prime and is not 0: another prime is needed."""

    def __init__(self, prime: int) -> None:
        super().__init__(f"{prime} divides a denominator that is not 0: take another prime")
        self.prime = prime


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
    return type(f"Modulo_{p}_{q}", (Residues,), {"primes": (p, q)})


class Residues(np.ndarray[Any, Any]):
    """An array of rational numbers: float64 values for comparisons, and their residues as int64, one array per prime.

    Its dtype is object and its own memory holds nothing, so that NumPy's C code, were it to pass by, would fail.
    A number is zero where both residues are; its value is then made 0 too.
    """

    primes: tuple[int, int]
    value: Array
    residues: tuple[Array, ...]

    def __new__(cls, x: Any) -> Any:
        """Numbers at their exact value: ints, floats, Fractions, arrays of them."""
        if isinstance(x, Residues):
            if type(x) is not cls:
                raise TypeError(f"got residues modulo {x.primes} among those modulo {cls.primes}")
            return x
        x = np.asarray(x)
        if x.dtype == object:
            return cls.made(x.astype(np.float64), [rational_residues(x, p) for p in cls.primes])
        value = x.astype(np.float64)
        if x.dtype.kind in "iu":
            return cls.made(value, [(x % p).astype(np.int64) for p in cls.primes])
        if not np.isfinite(value).all():
            raise ValueError(f"got {value.flat[int((~np.isfinite(value)).argmax())]} to take modulo primes, needed "
                             "finite numbers")
        return cls.made(value, [float_residues(value, p) for p in cls.primes])

    @classmethod
    def made(cls, value: Any, residues: Sequence[Array]) -> Residues:
        """From float64 values and residues."""
        zero = np.logical_and(*(r == 0 for r in residues))
        return cls.seen([np.empty(np.shape(value), dtype=object), np.where(zero, 0.0, value), *residues])

    @classmethod
    def seen(cls, parts: Sequence[Any]) -> Residues:
        """From views of an array's own memory, values and residues."""
        memory, value, *residues = parts
        out = np.asarray(memory, dtype=object).view(cls)
        out.value, out.residues = np.asarray(value), tuple(map(np.asarray, residues))
        return out

    @property
    def parts(self) -> tuple[Array, ...]:
        return self.view(np.ndarray), self.value, *self.residues

    # ---- What NumPy asks for ----

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **more: Any) -> Any:
        form = UFUNCS.get(ufunc) if method == "__call__" and not more else None
        if form is None:
            raise TypeError(f"{type(self).__name__} has no {ufunc.__name__} ({method}): exact modulo primes are "
                            "+ - * / @, comparisons, maximum, minimum, abs and whole powers")
        result = form(*map(type(self), inputs))
        if out:
            out[0][...] = result
            return out[0]
        return result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in SHAPES:
            return type(self).seen([func(part, *args[1:], **kwargs) for part in self.parts])
        if func not in FUNCTIONS:
            raise TypeError(f"{type(self).__name__} has no numpy.{func.__name__}")
        return FUNCTIONS[func](type(self), *args, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.seen([np.asarray(part[index]) for part in self.parts])

    def __setitem__(self, index: Any, x: Any) -> None:
        x = type(self)(x)
        self.value[index] = x.value
        for mine, other in zip(self.residues, x.residues):
            mine[index] = other

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.any())

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    __str__ = __repr__

    @property
    def flat(self) -> Any:
        return self.reshape(-1)

    @property
    def T(self) -> Any:
        return np.transpose(self)

    def reshape(self, *shape: Any, **more: Any) -> Any:
        return self.seen([part.reshape(*shape, **more) for part in self.parts])

    def transpose(self, *axes: Any) -> Any:
        return self.seen([part.transpose(*axes) for part in self.parts])

    def copy(self, order: Any = "C") -> Any:
        return self.seen([part.copy() for part in self.parts])

    def astype(self, dtype: Any, *more: Any, **others: Any) -> Any:
        if np.dtype(dtype) != np.float64:
            raise TypeError(f"{type(self).__name__} can be seen as float64 only, not as {dtype}")
        return self.value.copy()

    def nonzero_mask(self) -> Array:
        """Where a number is not 0."""
        return np.logical_or(*(r != 0 for r in self.residues))

    def any(self, *axis: Any, **more: Any) -> Any:
        return self.nonzero_mask().any(*axis, **more)

    def all(self, *axis: Any, **more: Any) -> Any:
        return self.nonzero_mask().all(*axis, **more)

    def argmax(self, *axis: Any, **more: Any) -> Any:
        return self.value.argmax(*axis, **more)

    def sum(self, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:  # type: ignore[override]
        value, axes = last_axis(self.value, axis)
        residues = [last_axis(r, axis)[0].sum(axis=-1) % p for r, p in zip(self.residues, self.primes)]
        out = self.made(in_order(value), residues)
        return out.reshape([1 if n in axes else size for n, size in enumerate(self.shape)]) if keepdims else out

    def max(self, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:  # type: ignore[override]
        return self.chosen(np.argmax, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:  # type: ignore[override]
        return self.chosen(np.argmin, axis, keepdims)

    def chosen(self, which: Any, axis: Any, keepdims: bool) -> Any:
        """The number that comes first or last by its value."""
        if axis is None:
            return self.reshape(-1)[which(self.value)]
        index = np.expand_dims(which(self.value, axis=axis), axis)
        out = self.seen([np.take_along_axis(part, index, axis) for part in self.parts])
        return out if keepdims else out.reshape([n for i, n in enumerate(out.shape) if i != axis % out.ndim])


# ---- From numbers to residues ----


def float_residues(value: Array, p: int) -> Array:
    """n 2^e mod p of floats n 2^e."""
    fraction, exponents = np.frexp(value)
    n = (fraction * 2.0**53).astype(np.int64)
    different, where = np.unique(exponents, return_inverse=True)
    powers = np.array([pow(2, int(e) - 53, p) for e in different], dtype=np.int64)
    return n % p * powers[where.reshape(value.shape)] % p


def rational_residues(x: Array, p: int) -> Array:
    """Residues of an array of Fractions, ints or floats."""
    out = np.empty(x.shape, dtype=np.int64)
    for index, number in np.ndenumerate(x):
        ratio = Fraction(number)
        if ratio.denominator % p == 0:
            raise Unlucky(p)
        out[index] = ratio.numerator * pow(ratio.denominator, -1, p) % p
    return out


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


def last_axis(x: Array, axis: Any) -> tuple[Array, tuple[int, ...]]:
    """The array with the axes to be summed as its last, in one; and which they were."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(n % x.ndim for n in axes)
    kept = [n for n in range(x.ndim) if n not in axes]
    return x.transpose(*kept, *axes).reshape(*(x.shape[n] for n in kept), -1), axes


def in_order(x: Array) -> Array:
    """The sum over the last axis, one term after the other on every machine."""
    return np.add.accumulate(x, axis=-1)[..., -1] if x.shape[-1] else np.zeros(x.shape[:-1])


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

SHAPES = {np.reshape, np.transpose, np.swapaxes, np.broadcast_to, np.repeat, np.squeeze, np.expand_dims, np.moveaxis,
          np.flip, np.copy, np.lib.stride_tricks.sliding_window_view}


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
