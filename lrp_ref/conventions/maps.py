"""Maps that libraries read in another way: what automatic differentiation sees, and windows whose padding counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, ones_like, same, zeros
from lrp_ref.layers import LRN, AvgPool, Conv2D, LayerNorm, MatMul, MaxPool, Multiply, SumPool
from lrp_ref.layers.activation import Activation
from lrp_ref.layers.attention import among
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.pool import Pooling
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap, Term


class NoRule(ValueError):
    """What a library has not, in words that go on after "it has no"."""


# ---- Maxima ----


def firsts(marks: Sequence[Array]) -> list[Array]:
    """1 at the first of the arrays that is not 0 there, else 0."""
    free, out = constant(1, marks[0]) + 0 * marks[0], []
    for mark in marks:
        out.append(free * (mark != 0))
        free = free - out[-1]
    return out


def first_winner(m: LinearMap, a: Array) -> LinearMap:
    """A max-pooling in which the first winner of a window, row by row, has the weight; any other map as it is."""
    return m if even(m) or not isinstance(m, Pooling) else replace(m, weights=firsts(m.weights))


def first_pixel(m: Any, a: Array) -> LinearMap:
    """A max-pooling all of whose inputs tie: the first pixel of a window inside the image has the weight."""
    inside = m.window.taps(m.window.spread(ones_like(a)), m.weights[0].shape[-2:])
    return replace(m, weights=firsts(list(inside)))


def average_of(layer: MaxPool, a: Array) -> LinearMap:
    """The map of the average over a max-pooling's windows."""
    return AvgPool(layer.size, layer.stride, layer.pad, layer.ceil).linearize(a)[1]


def even(m: Any) -> bool:
    """Whether it is an average or a sum over windows: one weight at every position."""
    return isinstance(m, Pooling) and all(w is m.weights[0] for w in m.weights)


# ---- Softmax ----


@dataclass(frozen=True, eq=False)
class PerOutput(LinearMap):
    """w_ij / z_j of a softmax, d_ij - z_i for scores i that take part: every output is 1, of those left out as well.

    weight: z; for f(w) = w alone.
    """

    weight: Array
    bias: Array
    there: Array

    def apply(self, a: Array, f: Function) -> Array:
        a = among(self.there, a)
        return a - np.sum(self.weight * a, axis=-1, keepdims=True)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return among(self.there, s - self.weight * np.sum(s, axis=-1, keepdims=True))


def per_output(m: Any, a: Array) -> LinearMap:
    """Of a softmax's own map, what its outputs are divided by themselves."""
    bare = PerOutput(m.weight, zeros((1,), a), m.there)
    return replace(bare, bias=constant(1, a) - bare.apply(a, same))


# ---- Derivatives ----


def product(m: Any, a: Array) -> Array:
    """sum_i a_i w_ij, an average summed first and then divided, so that a sum of 0 stays 0."""
    total: Array = m.apply(a, ones_like) * m.weights[0] if even(m) else m.apply(a, same)
    return total


def tangent(layer: Any, x: Array) -> tuple[Any, Array]:
    """The map that a layer's derivatives at x are, and its output: first winners, slopes in place of gates."""
    z, m = layer(x), layer.linearize(x)[1]
    match layer:
        case MaxPool():
            m = first_winner(m, x)
        case AvgPool() | SumPool():
            z = product(m, x)
        case MatMul() | Multiply() if layer.shares is not None and (layer.shares == 0).any():
            pass   # what has no share is a constant, and the whole of the other factor is its derivative
        case Activation() | LRN() | LayerNorm() | MatMul() | Multiply():
            m = layer.derivative(x)
    return m, z


@dataclass(frozen=True, eq=False)
class At:
    """In a term's place for a function of the weights: the weights of another map, as they are."""

    m: LinearMap

    def __call__(self, w: Array) -> Array:
        """That map's weights, whatever w."""
        return self.m.weight


def meant(f: Any, own: LinearMap) -> tuple[LinearMap, Function]:
    """The map whose weights a function takes, and what it makes of them: those of At(m) are m's, also inside |f(w)|."""
    if isinstance(f, At):
        return f.m, same
    if not hasattr(f, "f"):
        return own, f
    m, inner = meant(f.f, own)
    return m, f if m is own else replace(f, f=inner)


@dataclass(frozen=True, eq=False)
class Switched(LinearMap):
    """A map of which a term may name another, f = At(another)."""

    m: LinearMap
    weight = property(lambda self: self.m.weight)
    bias = property(lambda self: self.m.bias)
    learned = property(lambda self: self.m.learned)
    gate = property(lambda self: self.m.gate)
    coverages = property(lambda self: self.m.coverages)

    def apply(self, a: Array, f: Function) -> Array:
        m, inner = meant(f, self.m)
        return product(m, a) if isinstance(f, At) else m.apply(a, inner)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        m, inner = meant(f, self.m)
        return m.transpose(s, inner, shape)


@dataclass(frozen=True, eq=False)
class Normal(LinearMap):
    """a_i f(scale) / deviation + shift: a batch norm without its mean, of whose own scale f is taken."""

    weight: Array
    bias: Array
    deviation: Array
    learned = gate = True

    def apply(self, a: Array, f: Function) -> Array:
        return a * (f(self.weight) / self.deviation)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return s * (f(self.weight) / self.deviation)


# ---- Windows ----


def whole_window(m: Any, t: Term) -> Array:
    """sum_i a_i f(w_ij) over a window that lies in the image, for a term's a that is one number per channel.

    In a pooling it is the number of positions, whatever f.
    """
    if isinstance(m, Pooling):
        return t.a[:1, :1, :1, :1] * constant(len(m.weights), t.a)
    window = Window(m.window.size, (1, 1), dilation=m.window.dilation)
    image = np.broadcast_to(t.a[:1, :, :1, :1], (1, t.a.shape[1], *window.extent))
    return Convolution(m.weight, m.bias, window, m.groups).apply(image, t.f)


@dataclass(frozen=True, eq=False)
class Misreturned(LinearMap):
    """A convolution that hands back as if padding and stride were 1 without groups, and spreads what is 1 wide (D18).

    Of a layer that has that padding and stride its groups alone are lost.
    """

    m: Convolution
    layer: Conv2D
    learned = True
    bias = property(lambda self: self.m.bias)

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        return self.m.apply_each(a, functions)

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        size, w, window = self.m.window.size, self.m.weight, self.m.window
        rows, columns = shape[2:]
        if (self.layer.pad, self.layer.stride, self.layer.dilation) != ((1, 1), (1, 1), (1, 1)):
            window = Window(size, (1, 1), (1, 1), (1, 1))
            rows, columns = (n + k - 3 for n, k in zip(s[0].shape[2:], size))
        there = len(s[0]), w.shape[1], rows, columns
        back = Convolution(w, self.m.bias, window, 1).transpose_sum(s, functions, there)
        if any(n not in (1, needed) for n, needed in zip(there, shape)):
            raise NoRule(f"relevance of shape {shape}, but one of {there}, for {self.layer.window}")
        return np.broadcast_to(back, shape)
