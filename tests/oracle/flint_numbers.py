"""Numbers of FLINT's: exact rationals, and balls of 300 bits that hold the true number; arithmetic of its own, in C.

A comparison of balls that overlap is not decided: it raises, and no branch is taken by chance.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from numbers import Real
from typing import Any

import flint
import numpy as np

BITS = 300


class Undecided(ArithmeticError):
    """Two balls overlap."""


class Irrational(ArithmeticError):
    """What is asked for is no rational number."""


def of_one(method: Any) -> Any:
    """The method for a number; an array takes it number by number itself."""
    def asked(self: Any, c: Any) -> Any:
        return NotImplemented if isinstance(c, np.ndarray) else method(self, c)
    return asked


def rational(c: Any) -> flint.fmpq:
    """An int, a Fraction or a finite float, exactly."""
    if isinstance(c, flint.fmpq):
        return c
    top, bottom = (c.item() if isinstance(c, np.generic) else c).as_integer_ratio()
    return flint.fmpq(int(top), int(bottom))


class Exact:
    """A rational number."""

    __slots__ = ("v",)

    def __init__(self, c: Any) -> None:
        self.v = c.v if isinstance(c, Exact) else rational(c)

    @classmethod
    def of(cls, v: Any) -> Any:
        one = object.__new__(cls)
        one.v = v
        return one

    @classmethod
    def taken(cls, c: Any) -> Any:
        """FLINT's number of an operand."""
        return c.v if isinstance(c, cls) else rational(c)

    @of_one
    def __add__(self, c: Any) -> Any:
        return self.of(self.v + self.taken(c))

    @of_one
    def __sub__(self, c: Any) -> Any:
        return self.of(self.v - self.taken(c))

    @of_one
    def __rsub__(self, c: Any) -> Any:
        return self.of(self.taken(c) - self.v)

    @of_one
    def __mul__(self, c: Any) -> Any:
        return self.of(self.v * self.taken(c))

    @of_one
    def __truediv__(self, c: Any) -> Any:
        return self.of(self.v / self.taken(c))

    @of_one
    def __rtruediv__(self, c: Any) -> Any:
        return self.of(self.taken(c) / self.v)

    def __neg__(self) -> Any:
        return self.of(-self.v)

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    @of_one
    def __pow__(self, c: Any) -> Any:
        power = self.taken(c)
        if isinstance(power, flint.fmpq):
            if power.q != 1:
                raise Irrational(f"a rational to the power {power}")
            power = int(power.p)
        return self.of(self.v ** power)

    def compared(self, c: Any, how: Any, other: Any) -> bool:
        return bool(how(self.v, self.taken(c)))

    @of_one
    def __lt__(self, c: Any) -> bool:
        return self.compared(c, operator.lt, operator.ge)

    @of_one
    def __le__(self, c: Any) -> bool:
        return self.compared(c, operator.le, operator.gt)

    @of_one
    def __gt__(self, c: Any) -> bool:
        return self.compared(c, operator.gt, operator.le)

    @of_one
    def __ge__(self, c: Any) -> bool:
        return self.compared(c, operator.ge, operator.lt)

    @of_one
    def __eq__(self, c: object) -> bool:
        return self.compared(c, operator.eq, operator.ne)

    @of_one
    def __ne__(self, c: object) -> bool:
        return self.compared(c, operator.ne, operator.eq)

    def __bool__(self) -> bool:
        return self != 0

    def __hash__(self) -> int:
        return hash(str(self.v))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.v})"

    def as_integer_ratio(self) -> tuple[int, int]:
        return int(self.v.p), int(self.v.q)

    def __float__(self) -> float:
        return float(Fraction(*self.as_integer_ratio()))

    def exp(self) -> Any:
        """Of 0, the only rational whose power of e is one."""
        if self != 0:
            raise Irrational(f"e to the power {self.v}")
        return self.of(flint.fmpq(1))

    def ln(self) -> Any:
        raise Irrational(f"the logarithm of {self.v}")

    def sqrt(self) -> Any:
        """Of a square of a rational."""
        root = flint.fmpq(self.v.p.isqrt(), self.v.q.isqrt())
        if root * root != self.v:
            raise Irrational(f"the root of {self.v}")
        return self.of(root)

    __radd__, __rmul__ = __add__, __mul__


class Ball(Exact):
    """A number that lies within a ball."""

    __slots__ = ()

    def __init__(self, c: Any) -> None:
        self.v = c.v if isinstance(c, Ball) else flint.arb(rational(c))

    @classmethod
    def taken(cls, c: Any) -> Any:
        return c.v if isinstance(c, Ball) else flint.arb(rational(c))

    def compared(self, c: Any, how: Any, other: Any) -> bool:
        x = self.taken(c)
        if x is self.v:   # the very same number
            return bool(how(0, 0))
        yes, no = bool(how(self.v, x)), bool(other(self.v, x))
        if yes == no:
            raise Undecided(f"{self.v} beside {x}")
        return yes

    def as_integer_ratio(self) -> tuple[int, int]:
        raise Undecided(f"{self.v} as a rational")

    def exp(self) -> Any:
        return self.of(self.v.exp())

    def sqrt(self) -> Any:
        return self.of(self.v.sqrt())

    def ln(self) -> Any:
        return self.of(self.v.log())

    def tanh(self) -> Any:
        return self.of(self.v.tanh())

    def normal(self) -> Any:
        """Phi(x) = erfc(-x / sqrt 2) / 2"""
        return self.of((-self.v / flint.arb(2).sqrt()).erfc() / 2)


Real.register(Exact)
flint.ctx.prec = BITS


def nearest(x: Exact, committed: float) -> bool:
    """Whether `committed` is the float64 nearest to x, of two alike the even one, and no other float64 is."""
    from math import inf, nextafter

    middle = [Fraction(committed) / 2 + Fraction(nextafter(committed, end)) / 2 for end in (-inf, inf)]
    even = int(committed.hex().split("p")[0][-1], 16) % 2 == 0
    low, high = (type(x)(m) for m in middle)
    return bool(low < x < high or (even and not (x < low or x > high)))
