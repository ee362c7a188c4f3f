"""Arrays of float32, float64, Fraction or Decimal: what goes in comes out.

NumPy changes the number type silently in many places (`np.where(c, 0, x)`, `np.pad`, `0.01 * x`). Everything
that makes a number here takes its type from an array that is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from math import isfinite, isqrt
from numbers import Real
from typing import Any

import numpy as np

from lrp_ref.hints import SHOWN, listed, shown

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Pair = tuple[int, int]
Index = tuple[slice, ...]
Function = Callable[[Array], Array]

CURE = "; use x.astype(numpy.float64), or numpy.vectorize(Fraction, otypes=[object])(x) for exact arithmetic"


# ---- What comes in from outside: one conversion, one check of a number ----


def as_array(given: Any) -> Array:
    """What a caller gives as an array: an array as it is, lists, torch tensors, anything with `__array__`.

    A ValueError where it is none, or one that hides numbers or multiplies in its own way.
    """
    kind = type(given).__name__
    for part in (given, *(given if isinstance(given, (list, tuple)) else ())):
        if isinstance(part, (np.matrix, np.ma.MaskedArray)):
            raise ValueError(f"got a {type(part).__name__}, whose products are not those of an array: use "
                             "numpy.asarray(x), filled where it is masked")
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "toarray"):
        raise ValueError(f"got a {kind}, which is sparse, needed an array: use x.toarray()")
    try:
        if hasattr(given, "detach"):
            given = given.detach().cpu()
        array = np.asarray(given)
    except Exception:   # whatever another library says, or lists of several lengths
        number = f" of {given.dtype}" if hasattr(given, "dtype") else ""
        cure = ": use .float() on a tensor, rows of one length in a list"
        raise ValueError(f"got a {kind}{number}, which NumPy does not take, needed an array of numbers{cure}") from None
    if array.dtype == np.float16 and hasattr(given, "dtype"):
        raise ValueError(f"got a {kind} of {given.dtype}, needed float32 or float64: use x.float() or x.double()")
    if array.dtype == object and not (isinstance(given, (list, tuple, *NUMBERS)) or hasattr(given, "__array__")):
        hint = ": give its .relevance" if hasattr(given, "relevance") else ": numpy.array([[1.0, 2.0]])?"
        raise ValueError(f"got a {kind}, needed an array of numbers{hint}")
    return array


def as_numbers(given: Any, what: str) -> Array:
    """The same, of numbers of any type, ints and truth values too."""
    try:
        x = as_array(given)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    if x.dtype.kind not in "fiub" and not (x.dtype == object and all(isinstance(c, NUMBERS) for c in x.flat)):
        raise ValueError(f"{what}: got {str(x.dtype)[:SHOWN]}, needed numbers")
    return x


NUMBERS = (Real, Decimal)


def is_number(value: Any, least: Any = None, above: Any = None, below: Any = None) -> bool:
    """Whether the value is one finite number of Python or NumPy, and in the range; True, arrays and texts are none."""
    if not isinstance(value, NUMBERS) or isinstance(value, (bool, np.longdouble)):
        return False
    try:
        fine = isfinite(float(value))
    except (OverflowError, ValueError):   # an int or Fraction beyond all floats; a signalling NaN
        return False
    return bool(fine and (least is None or value >= least) and (above is None or value > above)
                and (below is None or value < below))


def number_type(x: Array) -> type:
    """The type of x's numbers: numpy.float32, numpy.float64, or the one class of its objects."""
    if x.dtype == np.float32 or x.dtype == np.float64:
        return x.dtype.type
    if x.dtype == object:
        kinds = set(map(type, x.flat))
        own = type(x) in kinds   # a class of arrays that is its own number type
        if len(kinds) == 1 and (own or (issubclass(kind := next(iter(kinds)), NUMBERS) and not issubclass(
                kind, (int, float, np.generic)))):
            return type(x) if own else kind
        names = listed(sorted(kind.__name__ for kind in kinds)) or "nothing"
        raise ValueError(f"got an object array of {names}, needed one type such as Fraction or Decimal for all numbers"
                         f"{CURE}")
    raise ValueError(f"got numbers of type {str(x.dtype)[:SHOWN]}, needed float32, float64, Fraction or Decimal{CURE}")


def holds(number: Any, c: Any) -> bool:
    """Whether a type of floats has a finite number for c, if that is finite."""
    if type(c) is int and -9 <= c <= 9:   # Same result without these lines; most constants are 0, 1 and 2.
        return True
    try:
        with np.errstate(over="ignore"):
            return bool(np.isfinite(number(c))) or not isfinite(c)
    except (OverflowError, ValueError):   # an int or Fraction beyond all floats; a signalling NaN
        return False


def pythons(c: Any) -> Any:
    """A number of NumPy's as Python's, which Fractions of any size can be compared with and divided by."""
    return c.item() if isinstance(c, np.generic) else c


def to_number(c: Any, number: Any) -> Any:
    """The number c in another number type, exact where that type can hold it."""
    c = pythons(c)
    if type(c) is number and not issubclass(number, Decimal):   # Same result without; a Fraction is never changed.
        return c
    if issubclass(number, np.floating) and not holds(number, c):
        raise ValueError(f"got the number {shown(c)}, which {number.__name__} does not hold: use a smaller one, or "
                         "numbers of a larger type")
    try:
        if issubclass(number, Decimal):
            numerator, denominator = c.as_integer_ratio()
            return number(numerator) / number(denominator)
        return number(c)
    except (ValueError, OverflowError):
        if is_number(c):
            raise
        raise ValueError(f"got the number {shown(c)}, which {number.__name__} does not hold, needed a finite one"
                         ) from None


def constant(c: Any, x: Array) -> Any:
    """The number (or array of numbers) c in x's number type, at its exact value."""
    number = x.dtype.type if x.dtype != object else type(x.flat[0])
    return convert_numbers(c, number) if isinstance(c, np.ndarray) else to_number(c, number)


def convert_numbers(x: Any, number: type) -> Array:
    """The array x with every number in another type: numpy.float32, numpy.float64, Fraction, Decimal."""
    if not (isinstance(number, type) and issubclass(number, (*NUMBERS, np.ndarray))):
        raise ValueError(f"got the number type {shown(number)}, needed numpy.float32, numpy.float64, Fraction or "
                         "Decimal")
    if issubclass(number, np.ndarray):   # a class of arrays that is its own number type
        return number(x)
    x = np.asarray(x)
    if issubclass(number, np.generic):
        try:
            return x.astype(number)
        except (OverflowError, ValueError):   # a Fraction or int beyond all floats, a signalling NaN
            raise ValueError(f"got numbers that {number.__name__} does not hold: use smaller ones, or numbers of a "
                             "larger type") from None
    out = np.empty(x.shape, dtype=object)
    out.reshape(-1)[:] = [to_number(c, number) for c in x.flat]
    return out


def zeros(shape: Shape, x: Array) -> Array:
    """Zeros of x's number type (numpy's zeros of dtype object are ints, whose 0/0 is a float)."""
    if type(x) is np.ndarray:   # Same result without these two lines; `zeros_like` takes longer.
        return np.full(shape, constant(0, x), object) if x.dtype == object else np.zeros(shape, x.dtype)
    out = np.zeros_like(x, shape=shape)
    return out + constant(0, x) if x.dtype == object else out


def same(w: Array) -> Array:
    """f(w) = w"""
    return w


def positive(w: Array) -> Array:
    """w+ = max(w, 0)"""
    return np.maximum(w, constant(0, w))


def negative(w: Array) -> Array:
    """w- = min(w, 0)"""
    return np.minimum(w, constant(0, w))


def by_sign(a: Array) -> tuple[Array, Array]:
    """a+ and a-. Same result without the first lines; after a ReLU nothing is negative."""
    if type(a) is np.ndarray and a.dtype != object and a.size and a.min() >= 0:
        return a, nothing(a.shape, a)
    return positive(a), negative(a)


def square(w: Array) -> Array:
    """f(w) = w^2"""
    return w * w


def ones_like(w: Array) -> Array:
    """f(w) = 1, without memory of its own: one number seen at every index."""
    return np.broadcast_to(constant(1, w), w.shape)


def indicator(c: Array, x: Array) -> Array:
    """1 where c is true and 0 elsewhere, in x's number type."""
    if x.dtype == object:
        return np.where(c, constant(1, x), constant(0, x))
    return c.astype(x.dtype)   # Same result by the line above, in ten times the time where c is mixed.


def sign(z: Array) -> Array:
    """sign z = 1 - 2 (z < 0), so that sign(0) = +1"""
    out = indicator(z < 0, z)
    if z.dtype == object:
        return constant(1, z) - constant(2, z) * out
    out *= -2   # Same result by the line above; into the same memory.
    out += 1
    return out


def divide(x: Array, z: Array) -> Array:
    """x / z, and 0 where z = 0: the paper's 0/0 = 0, extended to x/0."""
    if everywhere(1, z):   # Same result without these lines; saves passes over x.
        return x
    absent = z == 0
    if not absent.any():
        return x / z
    if z.dtype == object:
        return np.where(absent, constant(0, z), x / np.where(absent, constant(1, z), z))
    with np.errstate(divide="ignore", invalid="ignore"):   # Same result by the line above, in more passes.
        out = np.asarray(x / z)
    np.copyto(out, 0, where=absent)
    return out


# ---- Numbers that are the same at every index, without the memory and the work: same results without these ----


def nothing(shape: Shape, x: Array) -> Array:
    """Zeros of x's number type, without memory of their own: one number seen at every index."""
    return np.broadcast_to(zeros((1,) * len(shape), x), shape)


def everywhere(c: int, x: Array) -> bool:
    """Whether x is one number c seen at every index, as `ones_like` makes it; False says nothing."""
    return x.size > 0 and (x.size == 1 or not any(x.strides)) and bool(x.flat[0] == c)


def times(x: Array, y: Array) -> Array:
    """x * y, y broadcasting to x's shape: no work where y is 1 everywhere."""
    return x if everywhere(1, y) else x * y


def plus(x: Array, y: Array) -> Array:
    """x + y, x broadcasting to y's shape or y to x's, or what broadcasts to it: no work where one is 0 everywhere."""
    if everywhere(0, y) and x.ndim >= y.ndim:
        return x
    return y if everywhere(0, x) and y.ndim >= x.ndim else x + y


def total(numbers: Iterable[Any], x: Array) -> Array:
    """The sum of arrays or numbers, 0 where there are none, of x's number type and with as many axes as x or more."""
    none = zeros((1,) * x.ndim, x)
    return reduce(plus, (n if isinstance(n, np.ndarray) else none + constant(n, x) for n in numbers), none)


def added_at(x: Array, where: Index, y: Array) -> Array:
    """x with y more at that place: x itself, written into; but y, or an array of its own, where x is `nothing`."""
    if everywhere(0, x):
        return put_at(x, where, y)
    if not everywhere(0, y):
        x[where] += y
    return x


def put_at(x: Array, where: Index, y: Array) -> Array:
    """x with y at that place, where it is 0: x itself, written into; but y, or an array of its own, for `nothing`."""
    if everywhere(0, y):
        return x
    if everywhere(0, x):
        if y.shape == x.shape:
            return y
        x = zeros(x.shape, x)
    x[where] = y
    return x


def thin(x: Array) -> Array:
    """One number of x where it is one number seen at every index, with as many axes: it broadcasts to the same."""
    return x if 0 in (x.size, x.ndim) or any(x.strides) else x[(slice(0, 1),) * x.ndim]


def some(x: Any) -> bool:
    """Whether a number, or any of an array, is not 0."""
    if not isinstance(x, np.ndarray):
        return bool(x)
    x = thin(x)
    return x.size > 0 and (bool(x.flat[0]) or bool(x.any()))   # Same result without the first, mostly at once.


def finite(x: Array) -> bool:
    """Whether no number of x is NaN or infinite."""
    x = thin(x)
    if x.dtype == object:
        return x.size == 0 or not isinstance(x.flat[0], Decimal) or all(number.is_finite() for number in x.flat)
    x = x.ravel("K")
    if np.isfinite(np.vdot(x, x)):   # Same result without these lines; finite only where all is, and fast.
        return True
    return bool(np.isfinite(x).all())


def not_finite(x: Array) -> Shape:
    """The index of the first number of x that is NaN or infinite."""
    if x.dtype != object:   # Same result without these lines; of millions of numbers one by one takes minutes.
        return tuple(map(int, np.unravel_index(np.isfinite(x).argmin(), x.shape)))
    return next(index for index in np.ndindex(x.shape) if not finite(np.asarray(x[index], dtype=x.dtype)))


def sqrt(x: Array) -> Array:
    """The square root; of Fractions only where it is rational."""
    root: Callable[[Array], Any] = np.frompyfunc(rational_root, 1, 1) if is_fraction(x) else np.sqrt
    return root(x)


def power(x: Array, exponent: Any) -> Array:
    """x ** exponent; of Fractions only where the exponent is whole."""
    if is_fraction(x):
        if to_number(exponent, Fraction).denominator != 1:
            raise ValueError(f"a Fraction to the power {exponent} is no Fraction: use Decimal or a float")
        return x ** int(exponent)
    return x ** constant(exponent, x)


def is_fraction(x: Array) -> bool:
    return x.dtype == object and isinstance(x.flat[0], Fraction)


def rational_root(q: Fraction) -> Fraction:
    root = type(q)(isqrt(q.numerator), isqrt(q.denominator))
    if root * root != q:
        raise ValueError(f"the square root of {q} is no Fraction: use Decimal or a float")
    return root


