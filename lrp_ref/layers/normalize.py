"""Batch norm and local response norm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, is_number, power, sqrt, zeros
from lrp_ref.hints import SHOWN, shown
from lrp_ref.layers.base import Drawn, Layer, Roundings, must_fit, parameter, whole
from lrp_ref.layers.elementwise import Elementwise, Gate
from lrp_ref.layers.example import Example, fractions
from lrp_ref.linear_map import LinearMap

CHANNELS = 4096   # of an LRN's window at most, which is worked on channel by channel: layers have hundreds

STEEPEST = 1000   # |beta| of an LRN: networks have less than 1, and a Fraction's power has as many times its digits


@dataclass(frozen=True, eq=False)
class BatchNorm(Elementwise):
    """z = (a - mean) / sqrt(variance + epsilon) * scale + shift, each (C,), at the statistics of training.

    x (N, C, H, W) or (N, C). A gate scale / sqrt(variance + epsilon) with a bias.
    """

    mean: Any
    variance: Any
    scale: Any
    shift: Any
    epsilon: Any = 1e-5

    affine = True
    alike = "in a channel"

    @classmethod
    def example(cls) -> Example:
        """Its deviations are rational: 2, 3/2 and 1/3."""
        mean, variance, scale, shift = map(fractions, ("1 -1/2 3", "4 9/4 1/9", "-1 3/2 2", "1/4 -2 0"))
        return Example(cls(mean, variance, scale, shift, epsilon=0), (3, 2, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = parameter(self, "mean").shape
        if len(shape) != 1:
            raise ValueError(f"BatchNorm got a mean of shape {shape}, needed (C,)")
        for name in ("variance", "scale", "shift"):
            parameter(self, name, shape)
        if not (is_number(self.epsilon, 0) and (self.variance >= 0).all() and (self.deviation2() > 0).all()):
            raise ValueError(f"BatchNorm got a smallest variance of {min(self.variance, default=0)!s:.60} with epsilon="
                             f"{shown(self.epsilon, SHOWN)}, needed variance + epsilon > 0")

    def deviation2(self) -> Array:
        """variance + epsilon, (C,)"""
        return self.variance + constant(self.epsilon, self.variance)

    def factor(self) -> Array:
        """scale / sqrt(variance + epsilon), (C,)"""
        try:
            return self.scale / sqrt(self.deviation2())
        except ValueError as error:
            raise ValueError(f"BatchNorm has no exact form here: {error}") from None

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        g = self.factor()
        columns = (slice(None), *(None,) * (x.ndim - 2))
        return x, Gate(g[columns], (self.shift - self.mean * g)[columns], x.shape, learned=True,
                       straight=True)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[1] != len(self.mean):
            raise ValueError(f"BatchNorm got an input of shape {shape}, needed (N, {len(self.mean)}, ...)")
        return shape

    @property
    def roundings(self) -> Roundings:
        """A weight: epsilon, its sum, root, quotient; a bias: a product and a sum more."""
        return Roundings(4, 6, abs(self.shift) + abs(self.mean * self.factor()))

    def vanishing(self, x: Array, least: float, largest: float) -> Array | bool:
        lost = (self.deviation2() < least) | (self.scale != 0) & (self.factor() == 0)
        return np.broadcast_to(lost[(slice(None), *(None,) * (x.ndim - 2))], x.shape)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        """variance + epsilon is a square"""
        mean, scale, shift = (drawn.array(shape[1]) for _ in range(3))
        variance = np.array([drawn.one_of(0, 3, 8) for _ in mean], dtype=mean.dtype)
        return BatchNorm(mean, variance, scale, shift, 1)


@dataclass(frozen=True, eq=False)
class Scale(Elementwise):
    """z = scale a + shift: constants by which a model multiplies, or that it adds, such as the embedding of positions.

    scale and shift broadcast against one sample, x[0], without making it larger. None: 1, and 0.
    """

    scale: Any = None
    shift: Any = None

    affine = True
    rowwise = False
    roundings = Roundings()

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("-1 0 3/2 1/4"), fractions("1/2 -2 0 3, 1 1 -1/4 0")), (3, 2, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("scale", "shift"):
            if getattr(self, name) is not None:
                parameter(self, name)

    def output_shape(self, shape: Shape) -> Shape:
        for name in ("scale", "shift"):
            value = getattr(self, name)
            if value is not None and not broadcasts(value.shape, shape[1:]):
                longer = len(shape) == 3 and value.ndim == 2 and shape[2:] == value.shape[1:] and shape[1] > len(value)
                raise ValueError(f"Scale got an input of shape {shape} and a {name} of shape {value.shape}, needed one "
                                 f"that broadcasts to {shape[1:]}"
                                 + (f": is the sequence longer than its {len(value)} positions?" if longer else ""))
        return shape

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        one = zeros((1,), x) + constant(1, x)
        return x, Gate(one if self.scale is None else self.scale, zeros((1,), x) if self.shift is None else self.shift,
                       x.shape, learned=True, straight=True)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return Scale(drawn.array(*shape[1:]), drawn.array(*shape[1:]))


def broadcasts(shape: Shape, sample: Shape) -> bool:
    """Whether an array of that shape broadcasts to the sample's."""
    return len(shape) <= len(sample) and all(n in (1, m) for n, m in zip(shape[::-1], sample[::-1]))


@dataclass(frozen=True, eq=False)
class LRN(Elementwise):
    """z_i = x_i s_i^-beta, s_i = k + alpha / size * sum over the `size` channels around i of x_j^2 (as Caffe).

    x (N, C, H, W). Its map is the gate s^-beta; with taylor=True the first-order map of Binder et al. 2016, for which
    m(a) is not layer(x): w_ii = (k + alpha / size x_i^2)^-beta, w_ij = -2 alpha / size beta x_i x_j s_j^(-beta - 1).
    """

    size: int
    alpha: Any
    beta: Any
    k: Any
    taylor: bool = False

    rowwise = False

    @classmethod
    def example(cls) -> Example:
        return Example(cls(3, Fraction(3, 4), 2, 2), (4, 2, 3))

    @property
    def lean(self) -> bool:  # type: ignore[override]
        return not self.taylor

    @property
    def approximate(self) -> bool:  # type: ignore[override]
        return self.taylor

    @property
    def roundings(self) -> Roundings:
        """s: alpha / size, squares, sum; s^-beta; the slope's products."""
        return Roundings(ceil((abs(float(self.beta)) + 1) * (self.size + 6)) + 12)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not whole(self.size) or self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"LRN got size={shown(self.size)}, needed an odd number of channels")
        if self.size > CHANNELS:
            raise ValueError(f"LRN got size={shown(self.size)}, needed at most {CHANNELS} channels")
        if not (is_number(self.alpha, 0) and is_number(self.k, above=0)):
            raise ValueError(f"LRN got alpha={shown(self.alpha, SHOWN)}, k={shown(self.k, SHOWN)}, needed alpha >= 0 "
                             "and k > 0")
        if not is_number(self.beta, -STEEPEST, below=STEEPEST):
            raise ValueError(f"LRN got beta={shown(self.beta)}, needed a number of less than {STEEPEST}, as 0.75")

    def __call__(self, x: Array) -> Array:
        return x * self.gate(x)

    def sums(self, x: Array) -> Array:
        """s_i = k + alpha / size * sum_j x_j^2"""
        return constant(self.k, x) + self.rate(x) * sum(channels(x * x, self.size))

    def rate(self, x: Array) -> Any:
        return constant(self.alpha, x) / constant(self.size, x)

    def gate(self, x: Array) -> Array:
        """s^-beta"""
        self.output_shape(x.shape)
        return self.power(self.sums(x), -self.beta)

    def power(self, s: Array, exponent: Any) -> Array:
        try:
            return power(s, exponent)
        except ValueError as error:
            raise ValueError(f"LRN has no exact form here: {error}") from None

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        if not self.taylor:
            return x, Gate(self.gate(x), zeros((1,), x), x.shape, derivative=self.derivative)
        self.output_shape(x.shape)
        own = self.power(constant(self.k, x) + self.rate(x) * x * x, -self.beta)
        weights = self.slopes(x)
        weights[self.size // 2] = own
        return x, Band(np.stack(weights), zeros((1,), x), derivative=self.derivative)

    def slopes(self, x: Array) -> list[Array]:
        """-2 alpha / size beta x_i x_j s_j^(-beta - 1), for each channel i of the window around j"""
        slope = constant(-2 * self.beta, x) * self.rate(x) * x * self.power(self.sums(x), -self.beta - 1)
        return [slope * x_i for x_i in channels(x, self.size)]

    def derivative(self, x: Array) -> LinearMap:
        """dz_j / dx_i: the slopes, and s_j^-beta more of x_j itself"""
        weights = self.slopes(x)
        weights[self.size // 2] = weights[self.size // 2] + self.gate(x)
        m = Band(np.stack(weights), zeros((1,), x))
        return Band(m.weight, self(x) - m(x))

    def vanishing(self, x: Array, least: float, largest: float) -> Array | bool:
        """A square that vanishes beside k shows nowhere."""
        k, rate, beta = float(self.k), float(self.rate(x)), float(self.beta)
        squares: Array = np.sum(channels(x * x, self.size), axis=0)
        s = k + rate * squares
        lost: Array = ~((squares <= largest) & (s <= largest)) | (k < 4 * self.size * (1 + rate) * least)
        lost = lost | (0 < rate < least) | (s ** -beta < least)
        if not self.taylor or not rate * beta:
            return lost
        own, power = rate * abs(x), s ** (-beta - 1)
        slope = 2 * abs(beta) * own * power
        products = [np.where(x_i == 0, inf, slope * abs(x_i)) for x_i in channels(x, self.size)]   # of 0: exactly 0
        for number in (own, power, slope, *products):
            lost = lost | (number < least) & (x != 0)
        return lost

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise ValueError(f"LRN got an input of shape {shape}, needed (N, C, H, W)")
        must_fit("LRN", shape, (self.size if self.taylor else 1, *shape))
        return shape


@dataclass(frozen=True, eq=False)
class Band(LinearMap):
    """c_ij = 1 where channel i is one of the channels around j. weight (size, N, C, H, W), at output j."""

    weight: Array
    bias: Array
    learned: bool = False
    derivative: Callable[[Array], LinearMap] | None = None
    coverages = (1,)

    def apply(self, a: Array, f: Function) -> Array:
        z = zeros(a.shape, a)
        for a_i, w in zip(channels(a, len(self.weight)), self.weight):
            z += a_i * f(w)
        return z

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        reach = len(self.weight) // 2
        out = zeros((shape[0], shape[1] + 2 * reach, *shape[2:]), s)
        for n, w in enumerate(self.weight):
            out[:, n : n + shape[1]] += s * f(w)
        return out[:, reach : reach + shape[1]]


def channels(x: Array, size: int) -> list[Array]:
    """For each position in a window of `size` channels: the channel there, 0 beyond the first and the last."""
    reach = size // 2
    padded = zeros((x.shape[0], x.shape[1] + 2 * reach, *x.shape[2:]), x)
    padded[:, reach : reach + x.shape[1]] = x
    return [padded[:, n : n + x.shape[1]] for n in range(size)]


