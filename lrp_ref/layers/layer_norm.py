"""LayerNorm and RMSNorm: the norm of each row at the statistics of that row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, is_number, sqrt, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Drawn, Layer, Roundings, parameter
from lrp_ref.layers.elementwise import Elementwise, Gate
from lrp_ref.layers.example import Example, fractions
from lrp_ref.linear_map import LinearMap


class RowNorm(Layer):
    """What both share: scale and shift (D,) of the last axis, epsilon, and rows of more than one number."""

    scale: Any
    epsilon: Any

    def check(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) is not None and parameter(self, name).ndim != 1:
                raise ValueError(f"{type(self).__name__} got a {name} of shape {getattr(self, name).shape}, needed "
                                 "(D,)")
        if not is_number(self.epsilon, 0):
            raise ValueError(f"{type(self).__name__} got epsilon={shown(self.epsilon)}, needed a number of at least 0")

    def output_shape(self, shape: Shape) -> Shape:
        size = None if self.scale is None else len(self.scale)
        if len(shape) < 2 or shape[-1] < 2 or size not in (None, shape[-1]):
            raise ValueError(f"{type(self).__name__} got an input of shape {shape}, needed (N, .., {size or 'D'}) with "
                             "at least two numbers in a row: of one there is no spread")
        return shape

    def root(self, squares: Array, x: Array) -> Array:
        """sqrt(squares + epsilon); an error where a row has no spread, or no exact root."""
        total = squares + constant(self.epsilon, x)
        if (total == 0).any():
            raise ValueError(f"{type(self).__name__} got a row without spread, and epsilon=0: use a small epsilon")
        try:
            return sqrt(total)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__} has no exact form here: {error}") from None

    def slopes(self, x: Array, off: Array, root: Array, centre: Any) -> LinearMap:
        """dz_j / dx_i = g_j (d_ij - centre - off_i off_j / (D root^2)) / root: the root moves with every x_i."""
        n, one = x.shape[-1], constant(1, x)
        gain = one / root if self.scale is None else self.scale / root
        turned = off[..., :, None] * off[..., None, :] / (constant(n, x) * root * root)[..., None]
        w = (np.where(np.eye(n, dtype=bool), one, constant(0, x)) - centre - turned) * gain[..., None, :]
        return Whole(w, self(x) - np.squeeze(x[..., None, :] @ w, axis=-2))

    @property
    def weighted(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class LayerNorm(RowNorm):
    """z_j = g_j (a_j - mean) / s + b_j over the last axis, s = sqrt(variance + epsilon), read with s as it is at x.

    w_ij = g_j (d_ij - 1/D) / s. Relevance is not the same when a number is added to all of a row, though z is: a_i is
    what is shared by. scale g and shift b (D,); None: 1, and 0. Ba et al. 2016.
    """

    scale: Any = None
    shift: Any = None
    epsilon: Any = 1e-5

    hands_down = "by contribution"
    rowwise = True
    roundings = Roundings(unknown="divides by the spread of all inputs")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("2 -1/2 3 1"), fractions("1/2 0 -1 2"), epsilon=0), (3, 4), of_rational_spread)

    def __post_init__(self) -> None:
        self.check("scale", "shift")
        if self.scale is not None and self.shift is not None and self.scale.shape != self.shift.shape:
            raise ValueError(f"LayerNorm got a scale of shape {self.scale.shape} and a shift of shape "
                             f"{self.shift.shape}, needed one shape")

    def output_shape(self, shape: Shape) -> Shape:
        super().output_shape(shape)
        if self.shift is not None and len(self.shift) != shape[-1]:
            raise ValueError(f"LayerNorm got an input of shape {shape} and a shift of shape {self.shift.shape}, needed "
                             f"({shape[-1]},)")
        return shape

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        deviation = self.statistics(x)[1]
        gain = constant(1, x) / deviation if self.scale is None else self.scale / deviation
        return x, Centred(centred(np.broadcast_to(gain, x.shape)), zeros((1,), x) if self.shift is None else self.shift,
                          deviation, derivative=self.derivative)

    def statistics(self, x: Array) -> tuple[Array, Array]:
        """x - mean, and s"""
        self.output_shape(x.shape)
        n = constant(x.shape[-1], x)
        off = x - np.sum(x, axis=-1, keepdims=True) / n
        return off, self.root(np.sum(off * off, axis=-1, keepdims=True) / n, x)

    def derivative(self, x: Array) -> LinearMap:
        return self.slopes(x, *self.statistics(x), constant(1, x) / constant(x.shape[-1], x))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return LayerNorm(drawn.array(shape[-1]), drawn.array(shape[-1]), 1)


def of_rational_spread(x: Array) -> Array:
    """Rows m + d (-3, -1, -1, 5), turned by one place from row to row: their deviation is 3 |d|, a rational."""
    pattern = np.array([constant(n, x) for n in (-3, -1, -1, 5)], dtype=x.dtype)
    turned = np.stack([np.roll(pattern, row) for row in range(x.shape[-2])])
    d = np.where(x[..., 1:2] == 0, constant(1, x), x[..., 1:2])
    return x[..., :1] + d * turned


@dataclass(frozen=True, eq=False)
class RMSNorm(RowNorm, Elementwise):
    """z_i = g_i a_i / r over the last axis, r = sqrt(mean of a^2 + epsilon): a gate at the r that there is.

    scale g (D,); None: 1. Zhang and Sennrich 2019.
    """

    scale: Any = None
    epsilon: Any = 1e-6

    roundings = Roundings(unknown="divides by the norm of all inputs")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("2 -1/2 3 1"), epsilon=0), (3, 4), rooted)

    def __post_init__(self) -> None:
        self.check("scale")

    def __call__(self, x: Array) -> Array:
        return x * self.gate(x)

    def gate(self, x: Array) -> Array:
        """g_i / r"""
        return (constant(1, x) if self.scale is None else self.scale) / self.rms(x) + zeros(x.shape, x)

    def rms(self, x: Array) -> Array:
        """r"""
        self.output_shape(x.shape)
        return self.root(np.sum(x * x, axis=-1, keepdims=True) / constant(x.shape[-1], x), x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return x, Gate(self.gate(x), zeros((1,), x), x.shape, derivative=self.derivative)

    def derivative(self, x: Array) -> LinearMap:
        return self.slopes(x, x, self.rms(x), constant(0, x))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return RMSNorm(drawn.array(shape[-1]), 1)


def rooted(x: Array) -> Array:
    """Rows d (1, -5, 3, 1), turned by one place from row to row: the mean of their squares is 9 d^2."""
    pattern = np.array([constant(n, x) for n in (1, -5, 3, 1)], dtype=x.dtype)
    turned = np.stack([np.roll(pattern, row) for row in range(x.shape[-2])])
    return np.where(x[..., 1:2] == 0, constant(1, x), x[..., 1:2]) * turned


@dataclass(frozen=True, eq=False)
class Centred(LinearMap):
    """z_j = w_jj a_j + sum over i /= j of w_j a_i along the last axis. weight (2, N, .., D): w_jj, and w_j."""

    weight: Array
    bias: Array
    deviation: Array
    learned: bool = False
    derivative: Callable[[Array], LinearMap] | None = None
    coverages = (1,)

    def unscaled(self) -> LinearMap:
        """(a_j - mean) / s"""
        gain = np.broadcast_to(constant(1, self.deviation) / self.deviation, self.weight.shape[1:])
        return Centred(centred(gain), zeros((1,), gain), self.deviation)

    def apply(self, a: Array, f: Function) -> Array:
        own, other = f(self.weight)
        return own * a + other * (np.sum(a, axis=-1, keepdims=True) - a)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        own, other = f(self.weight)
        return own * s + np.sum(other * s, axis=-1, keepdims=True) - other * s


def centred(gain: Array) -> Array:
    """g (1 - 1/D) of an output's own input, and -g / D of every other."""
    one, n = constant(1, gain), constant(gain.shape[-1], gain)
    return np.stack([gain * (one - one / n), -gain / n])


@dataclass(frozen=True, eq=False)
class Whole(LinearMap):
    """z_j = sum_i a_i w_ij + b_j along the last axis, with weights of every row's own. weight (N, .., D, D)."""

    weight: Array
    bias: Array
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        return np.squeeze(a[..., None, :] @ f(self.weight), axis=-2)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return np.squeeze(f(self.weight) @ s[..., None], axis=-1)
