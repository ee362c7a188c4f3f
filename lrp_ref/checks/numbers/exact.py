"""Exact numbers: Fractions that refuse to become floats, maps frozen to rationals, Decimals at two precisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from decimal import MAX_EMAX, MIN_EMIN, Context, localcontext
from fractions import Fraction
from math import gcd
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.layers import Layer
from lrp_ref.layers.elementwise import Chord
from lrp_ref.linear_map import LinearMap

DIGITS = (34, 50)


class GuardedFraction(Fraction):
    """p / q that stays a guarded p / q under + - * / ** abs; where the result would be a float it raises.

    Fraction(1, 2) * 0.5 is a float without a word, and one such number spoils a proof by ==. Made deliberately from a
    float, GuardedFraction(0.1), it is the rational number which that float is.
    """

    __slots__ = ()
    _numerator: int     # Fraction's own, in lowest terms; without them the same results in three times the time
    _denominator: int

    def _ratio(self, other: Any, sign: str) -> tuple[int, int] | None:
        """The other operand's numerator and denominator; None where it is for another type to say what to do."""
        kind = type(other)
        if kind is GuardedFraction or kind is Fraction:
            return other._numerator, other._denominator
        if isinstance(other, int):
            return int(other), 1
        if isinstance(other, (float, complex, np.generic)):
            raise TypeError(f"{self} {sign} {other!r}: a {kind.__name__} would turn exact arithmetic into floats; "
                            f"make it GuardedFraction({other!r}) if that number is meant")
        return None

    def __add__(self, other: Any) -> Any:
        if type(other) is GuardedFraction:   # Same results without these lines, as in __mul__; most sums and products
            if not other._numerator:         # are of two of us, and many of those with a 0 that pads or covers.
                return self
            if not self._numerator:
                return other
            n, d = other._numerator, other._denominator
        else:
            ratio = self._ratio(other, "+")
            if ratio is None:
                return NotImplemented
            n, d = ratio
        return reduced(self._numerator * d + n * self._denominator, self._denominator * d)

    def __sub__(self, other: Any) -> Any:
        ratio = self._ratio(other, "-")
        if ratio is None:
            return NotImplemented
        n, d = ratio
        return reduced(self._numerator * d - n * self._denominator, self._denominator * d)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if type(other) is GuardedFraction:
            if not self._numerator:
                return self
            return reduced(self._numerator * other._numerator, self._denominator * other._denominator)
        ratio = self._ratio(other, "*")
        if ratio is None:
            return NotImplemented
        return reduced(self._numerator * ratio[0], self._denominator * ratio[1])

    def __truediv__(self, other: Any) -> Any:
        ratio = self._ratio(other, "/")
        if ratio is None:
            return NotImplemented
        return reduced(self._numerator * ratio[1], self._denominator * ratio[0])

    def __rtruediv__(self, other: Any) -> Any:
        ratio = self._ratio(other, "/")
        if ratio is None:
            return NotImplemented
        return reduced(ratio[0] * self._denominator, ratio[1] * self._numerator)

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, exponent: Any, modulo: Any = None) -> Any:
        ratio = self._ratio(exponent, "**")
        if ratio is None or ratio[1] != 1:
            raise TypeError(f"({self}) ** ({exponent}) is no Fraction: use Decimal")
        return GuardedFraction(super().__pow__(ratio[0]))

    def __rpow__(self, base: Any, modulo: Any = None) -> Any:
        raise TypeError(f"{base} ** ({self}) may be no Fraction: use Decimal, or an int as the exponent")

    def __neg__(self) -> GuardedFraction:
        return reduced(-self._numerator, self._denominator)

    def __pos__(self) -> GuardedFraction:
        return self

    def __abs__(self) -> GuardedFraction:
        return reduced(abs(self._numerator), self._denominator)

    def __repr__(self) -> str:
        return f"GuardedFraction({str(self)!r})"


def reduced(n: int, d: int) -> GuardedFraction:
    """n / d in lowest terms."""
    common = gcd(n, d) if d > 0 else -gcd(n, d)
    if common != 1:   # 1 only if d > 0
        if not common or not d:
            raise ZeroDivisionError(f"{n} / {d} of exact numbers")
        n, d = n // common, d // common
    out = object.__new__(GuardedFraction)
    out._numerator, out._denominator = n, d
    return out


def guarded(nested: Any) -> Array:
    """An array of guarded Fractions from nested lists of ints and texts: guarded([["17/90", 2], [-1, "0"]])."""
    given = np.array(nested, dtype=object)
    for number in given.flat:
        if isinstance(number, (float, np.floating)):
            raise ValueError(f"got the float {number!r} among exact numbers, needed ints, Fractions or texts: "
                             f'write "{Fraction(float(number)).limit_denominator(1000)}", or convert_numbers(x, '
                             "GuardedFraction) for the rationals that floats are")
    out = np.empty(given.shape, dtype=object)
    out.reshape(-1)[:] = [GuardedFraction(int(n) if isinstance(n, np.integer) else n) for n in given.flat]
    return out


def exact(m: LinearMap, number: type = GuardedFraction) -> LinearMap:
    """The map with its numbers taken as the rationals they are: what rules, cut-off and ledger see can be exact."""
    m = m.as_gate() if isinstance(m, Chord) else m   # whose numbers are those of x's floats
    return replace(m, **{f.name: frozen(getattr(m, f.name), number) for f in fields(m)})  # type: ignore[arg-type,type-var]


def frozen(value: Any, number: type) -> Any:
    """Arrays, and lists of arrays, in another number type; what is no array as it is; what was computed, forgotten."""
    if isinstance(value, np.ndarray):
        return convert_numbers(value, number) if value.dtype != bool else value
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        same = {id(part): frozen(part, number) for part in value}   # a pooling's weights may be one array many times
        return [same[id(part)] for part in value]
    return {} if isinstance(value, dict) else value


def exact_map(layer: Layer, x: Array, number: type = GuardedFraction) -> tuple[Array, LinearMap]:
    """(a, m): the map that the layer is at x, computed in x's floats and then taken as the rationals they are."""
    a, m = layer.linearize(x)
    return convert_numbers(a, number), exact(m, number)


def settled(compute: Callable[[], Array], digits: Sequence[int] = DIGITS) -> Array:
    """The float64 array nearest to what `compute` returns in Decimal, where two precisions agree on every number.

    `compute` is called once per precision and makes its Decimals itself, so that nothing of one run is left in the
    other. That both round to the same float64 is strong evidence and no proof; where they do not, it raises.
    """
    runs = []
    for precision in digits:
        with localcontext(Context(prec=precision, Emin=MIN_EMIN, Emax=MAX_EMAX)):
            runs.append(np.asarray(compute()))
    first, second = (run.astype(np.float64) for run in runs)
    if first.shape != second.shape:
        raise ValueError(f"got shapes {first.shape} and {second.shape} at {digits[0]} and {digits[1]} digits")
    differ = ~(first == second)
    if differ.any():
        unit = tuple(map(int, np.argwhere(differ)[0]))
        raise ValueError(f"unit {unit} rounds to {first[unit]!r} at {digits[0]} digits and to {second[unit]!r} at "
                         f"{digits[1]}: too many digits cancel there for a value to count")
    return second
