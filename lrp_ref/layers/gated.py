"""z = a g(a), functions of one number that are a gate times that number: Hardswish, SiLU, GELU."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from lrp_ref.arrays import Array, constant, ones_like
from lrp_ref.layers.activation import Activation, logistic
from lrp_ref.layers.base import Roundings
from lrp_ref.layers.example import Example

TAIL = "is an error function, whose rounding far from 0 is no small multiple of u"


@dataclass(frozen=True, eq=False)
class Hardswish(Activation):
    """z = g a, the gate g being min(max(a + 3, 0), 6) / 6."""

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4))

    roundings = Roundings(3, output=4)

    def gradient(self, x: Array) -> Array:
        three = constant(3, x)
        bent = (constant(2, x) * x + three) / constant(6, x)
        return np.where(x <= -three, constant(0, x), np.where(x <= three, bent, constant(1, x)))

    def chord(self, x: Array) -> Array:
        return np.minimum(np.maximum(x + constant(3, x), constant(0, x)), constant(6, x)) / constant(6, x)


@dataclass(frozen=True, eq=False)
class SiLU(Activation):
    """z = g a, the gate g being 1 / (1 + e^-a): SiLU, or Swish."""

    roundings = Roundings(5, output=6)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4), rational=False)

    def gradient(self, x: Array) -> Array:
        one = constant(1, x)
        return self.chord(x) * (one + x * logistic(-x))

    def chord(self, x: Array) -> Array:
        return logistic(self.floats(x))


@dataclass(frozen=True, eq=False)
class GELU(Activation):
    """z = g a, the gate g being Phi(a), the normal distribution; Hendrycks and Gimpel 2016.

    tanh  with True their approximation, g = (1 + tanh(sqrt(2 / pi) (a + 0.044715 a^3))) / 2
    """

    tanh: bool = False

    roundings = Roundings(unknown=TAIL)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4), rational=False)

    def gradient(self, x: Array) -> Array:
        if not self.tanh:
            return self.chord(x) + x * np.exp(constant(-0.5, x) * x * x) * constant(1 / sqrt(2 * pi), x)
        one, half, cubic = constant(1, x), constant(0.5, x), constant(0.044715, x)
        t = np.tanh(constant(sqrt(2 / pi), x) * (self.floats(x) + cubic * x * x * x))
        inner = constant(sqrt(2 / pi), x) * (one + constant(3, x) * cubic * x * x)
        return half * (one + t) + half * x * (one - t * t) * inner

    def chord(self, x: Array) -> Array:
        if not self.tanh:
            from scipy.special import ndtr  # here, for it takes as long to import as all of the core

            return np.asarray(ndtr(self.floats(x)))
        inner = constant(sqrt(2 / pi), x) * (self.floats(x) + constant(0.044715, x) * x * x * x)
        return constant(0.5, x) * (ones_like(x) + np.tanh(inner))
