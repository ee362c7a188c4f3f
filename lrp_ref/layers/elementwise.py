"""z_i = g_i a_i + b_i: layers in which every output has one input of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, indicator, ones_like, positive, times, zeros
from lrp_ref.layers.base import Layer, Roundings
from lrp_ref.layers.example import Example
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


class Diagonal(LinearMap):
    """z_i = g_i a_i + b_i, in a shape of its own: c_ij = 1 for i = j."""

    shape: Shape
    gate = True
    coverages = (1,)

    def apply(self, a: Array, f: Function) -> Array:
        return np.reshape(times(a, f(self.weight)), self.shape)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return times(np.reshape(s, shape), f(self.weight))


@dataclass(frozen=True, eq=False)
class Gate(Diagonal):
    """z_i = g_i a_i + b_i for given weights g and bias b, which broadcast against the inputs."""

    weight: Array
    bias: Array
    shape: Shape
    learned: bool = False
    straight: bool = False
    derivative: Callable[[Array], LinearMap] | None = None

    def by_weight(self, a: Array, s: Array) -> Array:
        if not self.learned:
            return super().by_weight(a, s)
        full = (1,) * (a.ndim - 1 - self.weight.ndim) + self.weight.shape
        axes = tuple(n for n, (size, own) in enumerate(zip(a.shape[1:], full), 1) if size != own)
        return np.reshape(np.sum(a * s, axis=axes), (len(a), *self.weight.shape))


@dataclass(frozen=True, eq=False)
class Chord(Diagonal):
    """z_i = g_i a_i + b_i, g = chord(x): the gate of an activation at its input x.

    Same result with `as_gate()`. Here the chord is worked out when a rule asks for it: Pass does not.
    """

    x: Array
    chord: Callable[[Array], Array]
    bias: Array
    straight: bool = False
    derivative: Callable[[Array], LinearMap] | None = None

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        return self.x.shape

    @property
    def weight(self) -> Array:  # type: ignore[override]
        return self.chord(self.x)

    def as_gate(self) -> Gate:
        """The same map with its gate worked out."""
        return Gate(self.weight, self.bias, self.shape, straight=self.straight, derivative=self.derivative)

    def apply(self, a: Array, f: Function) -> Array:
        return a if f is ones_like else super().apply(a, f)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return s if f is ones_like else super().transpose(s, f, shape)


class Elementwise(Layer):
    """z_i = g_i a_i + b_i: a layer whose map is a gate, and what there is to say of all of these."""

    lean = True
    rowwise = True
    hands_down = "as it is"
    sees = Window((1, 1), (1, 1))


@dataclass(frozen=True, eq=False)
class ReLU(Elementwise):
    """z = max(a, 0) = g a, the gate g being 1 where a > 0 and else 0."""

    monotone = True
    alike = "everywhere"
    roundings = Roundings(output=0)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4))

    def __call__(self, x: Array) -> Array:
        return positive(x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return x, Chord(x, self.chord, zeros((1,), x), straight=True)

    def chord(self, x: Array) -> Array:
        return indicator(x > 0, x)

    def undecided(self, low: Array, high: Array, value: Array, alike: Array) -> Array:
        return (low <= 0) & (high > 0)


@dataclass(frozen=True, eq=False)
class Flatten(Elementwise):
    """z = a in the shape (N, C H W), in the order channel, row, column."""

    affine = monotone = True
    rowwise = False
    alike = "everywhere"
    roundings = Roundings(output=0)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4))

    def __call__(self, x: Array) -> Array:
        return np.reshape(x, self.output_shape(x.shape))

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        one = zeros((1,) * x.ndim, x) + constant(1, x)
        return x, Gate(one, zeros((1,), x), self.output_shape(x.shape), straight=True)

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ValueError("Flatten got a number without axes, needed a batch (N, ...)")
        return shape[0], prod(shape[1:])
