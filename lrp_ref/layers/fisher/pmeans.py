"""z_d = (mean over l of a_ld^p)^(1/p): pooling over descriptors by the mean, the maximum and all that is in between."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, divide, is_fraction, is_number, power, sqrt, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Layer, Roundings
from lrp_ref.layers.example import Example
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class PMeans(Layer):
    """z_d = (1/L sum_l a_ld^p)^(1/p) = sum_l a_ld w_ld, w_ld = a_ld^(p-1) z_d^(1-p) / L, for a_ld >= 0.

    x (N, L, D) to (N, D). p = 1 is the mean, p = inf the maximum (w = 1 / number of winners for winners, else 0). In
    between, where all a_ld are 0 so are all weights. "Sum, max and anything in between": the paper, Section 2.2.
    """

    p: Any

    hands_down = "by contribution"
    roundings = Roundings(unknown="computes its weights from sums that may cancel")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(2), (2, 5), two_with_a_rational_mean_square)

    def __post_init__(self) -> None:
        if not is_number(self.p, 1) and not (isinstance(self.p, float) and self.p == inf):
            raise ValueError(f"PMeans got p={shown(self.p)}, needed a number from 1 (the mean) to inf (the maximum)")

    def __call__(self, x: Array) -> Array:
        a, m = self.linearize(x)
        return x.max(axis=1) if self.p == inf else m(a)   # Same number; without, ties may round.

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        if (x < 0).any():
            index = tuple(map(int, np.argwhere(x < 0)[0]))
            raise ValueError(f"PMeans got {x[index]} at {index}, needed numbers of at least 0: put ReLU() before it?")
        return x, OverDescriptors(self.weights(x), zeros((1,), x))

    def weights(self, x: Array) -> Array:
        """w (N, L, D)"""
        one, largest, count = constant(1, x), x.max(axis=1, keepdims=True), constant(x.shape[1], x)
        if self.p == 1:
            return zeros(x.shape, x) + one / count
        if self.p == inf:
            wins = np.where(x == largest, one, constant(0, x))
            return wins / wins.sum(axis=1, keepdims=True)
        if is_fraction(x) and self.p != 2:
            raise ValueError(f"PMeans({self.p}) has no exact form: use Decimal or a float, or p = 1, 2, inf")
        scaled = divide(x, largest)   # Same result without; powers might overflow or vanish.
        mean = power(scaled, self.p).sum(axis=1, keepdims=True) / count
        try:
            z = sqrt(mean) if self.p == 2 else power(mean, one / constant(self.p, x))
        except ValueError as error:
            raise ValueError(f"PMeans({self.p}) has no exact form here: {error}") from None
        return power(divide(scaled, z), self.p - 1) / count

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3 or shape[1] == 0:
            raise ValueError(f"PMeans got an input of shape {shape}, needed descriptors (N, L, D), at least one")
        return shape[0], shape[2]


def two_with_a_rational_mean_square(x: Array) -> Array:
    """Descriptors p, q as |p^2 - q^2 + 2 p q| and |p^2 - q^2 - 2 p q|, whose mean square is (p^2 + q^2)^2."""
    p, q = x[:, 0], x[:, 1]
    return abs(np.stack([p * p - q * q + 2 * p * q, p * p - q * q - 2 * p * q], axis=1))


@dataclass(frozen=True, eq=False)
class OverDescriptors(LinearMap):
    """c_ij = 1 for every descriptor, coordinate by coordinate. weight (N, L, D)"""

    weight: Array
    bias: Array
    learned: bool = False
    coverages = (1,)

    def apply(self, a: Array, f: Function) -> Array:
        return (a * f(self.weight)).sum(axis=1)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return s[:, None] * f(self.weight)
