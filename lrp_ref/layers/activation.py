"""z = f(a), a function of one number, read on its chord: z_i = g_i a_i + f(0), g_i = (f(a_i) - f(0)) / a_i.

The chord from f(0) is the map that gives the output itself and has no more bias than the output at 0. At a_i = 0, where
there is no chord, g_i is the slope there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, constant, indicator, is_number, ones_like, pythons, zeros
from lrp_ref.hints import SHOWN, shown
from lrp_ref.layers.base import Drawn, Layer, Roundings, parameter
from lrp_ref.layers.elementwise import Chord, Elementwise, Gate
from lrp_ref.layers.example import Example, fractions
from lrp_ref.linear_map import LinearMap


class Activation(Elementwise):
    """z_i = g_i a_i + f(0): what is left to say of a kind is its chord g(a), and f(0) where that is not 0."""

    alike = "everywhere"

    def __call__(self, x: Array) -> Array:
        return x * self.chord(x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        m = Chord(x, self.chord, zeros((1,), x) + self.at_rest(x), derivative=self.derivative)
        return x, m.as_gate() if x.dtype == object else m   # a kind without an exact form says so here

    def derivative(self, x: Array) -> LinearMap:
        """z_i = f'(x_i) a_i + b_i"""
        slope = self.gradient(x)
        return Gate(slope, self(x) - slope * x, x.shape, straight=True)

    def gradient(self, x: Array) -> Array:
        """f'(x); at a kink that of the left"""
        raise NotImplementedError

    def chord(self, x: Array) -> Array:
        """(f(x) - f(0)) / x, and f'(0) at 0"""
        raise NotImplementedError

    def at_rest(self, x: Array) -> Any:
        """f(0)"""
        return constant(0, x)

    def floats(self, x: Array) -> Array:
        """x; an error where its numbers are exact."""
        if x.dtype == object:
            raise ValueError(f"{type(self).__name__} has no exact form: use float64, or take its map in floats and "
                             "convert that")
        return x


def logistic(x: Array) -> Array:
    """1 / (1 + e^-x) = e^x / (1 + e^x), of which that is taken whose e^.. cannot overflow."""
    power, one = np.exp(-abs(x)), constant(1, x)
    return np.where(x >= 0, one, power) / (one + power)


def over(rise: Array, x: Array, slope: Any) -> Array:
    """rise / x, and the slope where x = 0"""
    rest = x == 0
    return np.where(rest, slope, rise / np.where(rest, constant(1, x), x))


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """z = tanh a = g a, the gate g being tanh(a) / a, and 1 at a = 0."""

    monotone = True
    roundings = Roundings(5, output=4)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4), rational=False)

    def __call__(self, x: Array) -> Array:
        return np.tanh(self.floats(x))

    def gradient(self, x: Array) -> Array:
        z = self(x)
        return constant(1, x) - z * z

    def chord(self, x: Array) -> Array:
        return over(self(x), x, constant(1, x))


@dataclass(frozen=True, eq=False)
class Clip(Activation):
    """z = min(max(a, low), high); ReLU6 is Clip(0, 6). None: no bound on that side."""

    low: Any = None
    high: Any = None

    monotone = True
    roundings = Roundings(3, output=1)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(-1, 2), (2, 3, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            if getattr(self, name) is not None and not is_number(getattr(self, name)):
                raise ValueError(f"Clip got {name}={shown(getattr(self, name))}, needed a finite number or None")
        if self.low is not None and self.high is not None and pythons(self.low) >= pythons(self.high):
            raise ValueError(f"Clip got low={shown(self.low, SHOWN)}, high={shown(self.high, SHOWN)}, needed low below "
                             "high")

    def __call__(self, x: Array) -> Array:
        x = x if self.low is None else np.maximum(x, constant(self.low, x))
        return x if self.high is None else np.minimum(x, constant(self.high, x))

    def chord(self, x: Array) -> Array:
        inside = (self.low is None or self.low < 0) and (self.high is None or self.high > 0)
        return over(self(x) - self.at_rest(x), x, constant(int(inside), x))   # at a kink 0, as ReLU's gate

    def gradient(self, x: Array) -> Array:
        inside = ones_like(x) == constant(1, x)
        inside = inside if self.low is None else inside & (x > constant(self.low, x))
        inside = inside if self.high is None else inside & (x <= constant(self.high, x))
        return indicator(inside, x)

    def at_rest(self, x: Array) -> Any:
        return self(zeros((1,), x))[0]

    def undecided(self, low: Array, high: Array, value: Array, alike: Array) -> Array:
        return (low != high) & ((self(low) != low) | (self(high) != high))


@dataclass(frozen=True, eq=False)
class LeakyReLU(Activation):
    """z = g a, the gate g being 1 where a > 0 and else the slope: one number, or one per channel (C,) (PReLU)."""

    slope: Any

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1/4 -1/2 2")), (3, 2, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_number(self.slope):
            return
        if not isinstance(self.slope, np.ndarray) or parameter(self, "slope").ndim != 1:
            raise ValueError(f"LeakyReLU got slope={shown(self.slope)}, needed a finite number, or one per channel, "
                             "(C,)")

    @property
    def alike(self) -> Any:   # type: ignore[override]
        return "in a channel" if isinstance(self.slope, np.ndarray) else "everywhere"

    @property
    def monotone(self) -> bool:   # type: ignore[override]
        return bool(np.min(self.slope) >= 0)

    roundings = Roundings(output=1)

    def slopes(self, x: Array) -> Any:
        if not isinstance(self.slope, np.ndarray):
            return constant(self.slope, x)
        self.output_shape(x.shape)
        return self.slope[(slice(None), *(None,) * (x.ndim - 2))]

    def chord(self, x: Array) -> Array:
        return np.where(x > 0, constant(1, x), self.slopes(x))

    def gradient(self, x: Array) -> Array:
        return self.chord(x)

    def output_shape(self, shape: Shape) -> Shape:
        if isinstance(self.slope, np.ndarray) and (len(shape) < 2 or shape[1] != len(self.slope)):
            raise ValueError(f"LeakyReLU got an input of shape {shape}, needed (N, {len(self.slope)}, ...)")
        return shape

    def undecided(self, low: Array, high: Array, value: Array, alike: Array) -> Array:
        return (low <= 0) & (high > 0)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return LeakyReLU(drawn.array(shape[1])) if isinstance(self.slope, np.ndarray) else self


@dataclass(frozen=True, eq=False)
class ELU(Activation):
    """z = a where a > 0, else alpha (e^a - 1)."""

    alpha: Any = 1

    monotone = True
    roundings = Roundings(6, output=5)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(0.75), (2, 3, 4), rational=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.alpha, 0):
            raise ValueError(f"ELU got alpha={shown(self.alpha)}, needed a finite number of at least 0")

    def __call__(self, x: Array) -> Array:
        return np.where(self.floats(x) > 0, x, constant(self.alpha, x) * np.expm1(np.minimum(x, constant(0, x))))

    def gradient(self, x: Array) -> Array:
        below = constant(self.alpha, x) * np.exp(np.minimum(self.floats(x), constant(0, x)))
        return np.where(x > 0, constant(1, x), below)

    def chord(self, x: Array) -> Array:
        return over(self(x), x, constant(self.alpha, x))


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """z = 1 / (1 + e^-a) = g a + 1/2, the gate g being tanh(a / 2) / (2 a), and 1/4 at a = 0."""

    monotone = True
    roundings = Roundings(5, output=5)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4), rational=False)

    def __call__(self, x: Array) -> Array:
        return logistic(self.floats(x))

    def chord(self, x: Array) -> Array:
        half = constant(0.5, x) * self.floats(x)
        return constant(0.25, x) * over(np.tanh(half), half, constant(1, x))

    def gradient(self, x: Array) -> Array:
        return logistic(self.floats(x)) * logistic(-x)

    def at_rest(self, x: Array) -> Any:
        return constant(0.5, x)


@dataclass(frozen=True, eq=False)
class Hardsigmoid(Activation):
    """z = min(max(a / width + 1/2, 0), 1): torch's has width 6, that of Keras 5."""

    width: Any = 6

    monotone = True
    roundings = Roundings(3, output=4)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(5), (2, 3, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.width, above=0):
            raise ValueError(f"Hardsigmoid got width={shown(self.width)}, needed a positive number")

    def __call__(self, x: Array) -> Array:
        return np.minimum(np.maximum(x / constant(self.width, x) + self.at_rest(x), constant(0, x)), constant(1, x))

    def chord(self, x: Array) -> Array:
        half = self.at_rest(x)
        return half / np.maximum(half * constant(self.width, x), abs(x))   # 1 / width, and further out 1/2 / |x|

    def gradient(self, x: Array) -> Array:
        half = constant(self.width, x) / constant(2, x)
        return np.where((x > -half) & (x <= half), constant(1, x) / constant(self.width, x), constant(0, x))

    def at_rest(self, x: Array) -> Any:
        return constant(1, x) / constant(2, x)
