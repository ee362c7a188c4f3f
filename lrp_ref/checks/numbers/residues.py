"""p / q as p q^-1 modulo two primes: arrays of rational numbers, with a float64 value each to tell their order by.

NumPy asks these arrays what + or `concatenate` make of them; they know how to be cut, reshaped and summed, and are told
the rest with their primes (modular.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from lrp_ref.arrays import Array

SHAPES = {np.reshape, np.transpose, np.swapaxes, np.broadcast_to, np.repeat, np.squeeze, np.expand_dims, np.moveaxis,
          np.flip, np.copy, np.lib.stride_tricks.sliding_window_view}


class Unlucky(ArithmeticError):
    """A number to divide by is divisible by this prime and is not 0: another prime is needed."""

    def __init__(self, prime: int) -> None:
        super().__init__(f"{prime} divides a denominator that is not 0: take another prime")
        self.prime = prime


class Residues(np.ndarray[Any, Any]):
    """An array of rational numbers: float64 values for comparisons, and their residues as int64, one array per prime.

    Its dtype is object and its own memory holds nothing, so that NumPy's C code, were it to pass by, would fail.
    A number is zero where both residues are; its value is then made 0 too.

    ufuncs, functions  {NumPy's operation: what it is on residues}
    """

    primes: tuple[int, int]
    ufuncs: Mapping[Any, Callable[..., Any]]
    functions: Mapping[Any, Callable[..., Any]]
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
        form = self.ufuncs.get(ufunc) if method == "__call__" and not more else None
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
        if func not in self.functions:
            raise TypeError(f"{type(self).__name__} has no numpy.{func.__name__}")
        return self.functions[func](type(self), *args, **kwargs)

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


# ---- Sums of values and of residues ----


def last_axis(x: Array, axis: Any) -> tuple[Array, tuple[int, ...]]:
    """The array with the axes to be summed as its last, in one; and which they were."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(n % x.ndim for n in axes)
    kept = [n for n in range(x.ndim) if n not in axes]
    return x.transpose(*kept, *axes).reshape(*(x.shape[n] for n in kept), -1), axes


def in_order(x: Array) -> Array:
    """The sum over the last axis, one term after the other on every machine."""
    return np.add.accumulate(x, axis=-1)[..., -1] if x.shape[-1] else np.zeros(x.shape[:-1])
