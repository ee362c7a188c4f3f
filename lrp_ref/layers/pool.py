"""Pooling: z_j = sum over the window of a_i w_ij, with the weights of an average, of a sum, or of the winners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, is_number, ones_like, thin, times, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import WINDOWS, Drawn, Layer, Roundings, ends, must_fit, pair, sides, windowed
from lrp_ref.layers.example import Example
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap

TAPS = 1 << 18   # pixels of a window, each a pass over the outputs: a 512 x 512 image under one window


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """What the poolings share: the window, and shapes (N, C, H, W) to (N, C, H', W'). stride=None is the window."""

    size: Any
    stride: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        object.__setattr__(self, "size", pair(self.size, kind, "size", 1))
        stride = self.size if self.stride is None else pair(self.stride, kind, "stride", 1)
        object.__setattr__(self, "stride", stride)
        if self.size[0] * self.size[1] > TAPS:
            raise ValueError(f"{kind} got a window of {self.size}, needed at most {TAPS:,} pixels in it")

    @property
    def window(self) -> Window:
        return Window(self.size, self.stride)

    @property
    def sees(self) -> Window | None:
        return self.window

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:2], *windowed(self, self.window, shape))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        size = drawn.one_of(*WINDOWS)
        return replace(self, size=size, stride=drawn.one_of(size, *{self.stride} - {size}))

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)


@dataclass(frozen=True, eq=False)
class PaddedPool(Pool):
    """A pooling whose windows may begin in a padding, or with ceil=True end outside the image (as Caffe's do)."""

    pad: Any = 0
    ceil: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "pad", sides(self.pad, type(self).__name__))
        if any(p >= k for side in ends(self.pad) for p, k in zip(side, self.size)):
            raise ValueError(f"{type(self).__name__} got pad={self.pad} for a window of {self.size}, needed less "
                             "than the window, or the first would hold nothing but padding")

    @property
    def window(self) -> Window:
        return Window(self.size, self.stride, *ends(self.pad), ceil=self.ceil)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        size = drawn.one_of(*WINDOWS)
        stride = drawn.one_of(size, *{self.stride} - {size})
        return replace(self, size=size, stride=stride, pad=drawn.one_of((0, 0), *{self.pad} - {(0, 0)}))


@dataclass(frozen=True, eq=False)
class MaxPool(PaddedPool):
    """z_j = max of the window = sum_i a_i w_ij, w_ij = 1 / (number of winners) for winners, else 0.

    The padding never wins and never ties.
    """

    hands_down = "to the winners"
    monotone = True
    alike = "everywhere, in any order"
    roundings = Roundings(1, output=0)

    @classmethod
    def example(cls) -> Example:
        return Example(cls((3, 2), (2, 1), (1, 1)), (2, 4, 3), coarse)

    def __call__(self, x: Array) -> Array:
        outputs = self.output_shape(x.shape)[2:]
        taps = self.window.taps(self.window.spread(x, x.min()), outputs)
        z = next(taps).copy()
        for tap in taps:
            np.maximum(z, tap, out=z)
        return z

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        z, window = self(x), self.window
        outputs = z.shape[2:]
        covered = window.taps(window.spread(ones_like(x[:1, :1])), outputs)
        taps = window.taps(window.spread(x, x.min()), outputs)
        wins = [((tap == z) & (thin(inside) != 0)) * constant(1, x) for tap, inside in zip(taps, covered)]
        winners = sum(wins)
        return x, Pooling([win / winners for win in wins], zeros((1,), x), window)

    def undecided(self, low: Array, high: Array, value: Array, alike: Array) -> Array:
        """Where several might win, unless these are equal for certain: known exactly, or alike and computed so."""
        outputs, window = self.output_shape(low.shape)[2:], self.window
        least, most = self(low), self(value)
        candidates, certain, first = np.zeros(least.shape, int), np.ones(least.shape, bool), np.zeros(least.shape)
        same = np.ones(least.shape, bool)
        taps = (window.taps(window.spread(y, -np.inf), outputs) for y in (low, high, value, alike.astype(float)))
        for under, over, here, number in zip(*taps):
            may = over >= least
            candidates += may
            certain &= ~may | (under == over)
            first = np.where(may & (first == 0), number, first)
            same &= ~may | (number == first) & (here == most)
        return (candidates > 1) & ~certain & ~same


def coarse(x: Array) -> Array:
    """-1, 0 or 1: full of ties."""
    return (x > 0) * constant(1, x) - (x < 0) * constant(1, x)


@dataclass(frozen=True, eq=False)
class AvgPool(PaddedPool):
    """z_j = sum_i a_i / n_j: n_j counts the padding too with count_pad=True, but never what lies beyond it."""

    count_pad: bool = True

    hands_down = "by contribution"
    affine = True
    roundings = Roundings(1)

    @classmethod
    def example(cls) -> Example:
        return Example(cls((2, 3), (1, 2), (1, 2)), (2, 3, 4))

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        outputs = self.output_shape(x.shape)[2:]
        (height, width), ((top, left), (bottom, right)) = x.shape[2:], ends(self.pad)
        counted = self.window.spread(ones_like(x[:1, :1]))
        if self.count_pad:
            counted = zeros((1, 1, *self.window.padded((height, width))), x)
            counted[..., : top + height + bottom, : left + width + right] = constant(1, x)
        n = sum(self.window.taps(counted, outputs))
        return x, Pooling([constant(1, x) / n] * (self.size[0] * self.size[1]), zeros((1,), x), self.window)


@dataclass(frozen=True, eq=False)
class SumPool(Pool):
    """z_j = scale * sum_i a_i. lrp_toolbox's pooling has scale 1 / sqrt(h w), average pooling 1 / (h w)."""

    scale: Any = 1

    hands_down = "by contribution"
    affine = True
    roundings = Roundings(1)

    @classmethod
    def example(cls) -> Example:
        return Example(cls((3, 2), (1, 2), Fraction(2, 3)), (2, 4, 5))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.scale, above=0):
            raise ValueError(f"SumPool got scale={shown(self.scale)}, needed a positive number")

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        weight = zeros((1, 1, 1, 1), x) + constant(self.scale, x)
        return x, Pooling([weight] * (self.size[0] * self.size[1]), zeros((1,), x), self.window)


@dataclass(frozen=True, eq=False)
class Pooling(LinearMap):
    """c_ij = 1 where input i lies in the window of output j, channel by channel.

    weights has one array per position in the window, each of the outputs' shape (N, C, H', W') or broadcasting to it.
    """

    weights: Sequence[Array]
    bias: Array
    window: Window
    learned: bool = False
    coverages = (1,)
    straight = True

    @property
    def weight(self) -> Array:  # type: ignore[override]
        return np.stack(np.broadcast_arrays(*self.weights))

    def apply(self, a: Array, f: Function) -> Array:
        outputs = self.window.outputs(a.shape[2:])
        z = zeros((*a.shape[:2], *outputs), a)
        for tap, w in zip(self.window.taps(self.window.spread(a), outputs), self.weights):
            z += times(tap, f(w))
        return z

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        image = shape[2:]
        out = zeros((*shape[:2], *self.window.padded(image)), s)
        for tap, w in zip(self.window.taps(out, s.shape[2:]), self.weights):
            tap += times(s, f(w))
        return self.window.inside(out, image)


@dataclass(frozen=True, eq=False)
class AdaptiveAvgPool(Layer):
    """z_j = mean of a_i over rows floor(v H / V) .. ceil((v + 1) H / V) - 1, and columns alike, V x U = size."""

    size: Any

    hands_down = "by contribution"
    affine = True
    roundings = Roundings(1)

    @classmethod
    def example(cls) -> Example:
        """Cells of 2 x 2 and of 2 x 3."""
        return Example(cls((2, 3)), (2, 3, 5))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "size", pair(self.size, "AdaptiveAvgPool", "size", 1))

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        rows, columns = (cells(n, parts, x) for n, parts in zip(x.shape[2:], self.size))
        n = np.sum(rows, axis=1)[:, None] * np.sum(columns, axis=1)
        return x, Cells(constant(1, x) / n, zeros((1,), x), rows, columns)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise ValueError(f"AdaptiveAvgPool got an input of shape {shape}, needed (N, C, H, W)")
        must_fit("AdaptiveAvgPool", shape, (*shape[:2], *self.size))
        must_fit("AdaptiveAvgPool", shape, (sum(self.size), max(shape[2:])))
        return (*shape[:2], *self.size)

    def sees_in(self, shape: Shape) -> Window | None:
        """One window, n / V rows, where V divides n; else the parts are of two sizes, or overlap."""
        if any(n % parts for n, parts in zip(shape[2:], self.size)):
            return None
        window = (shape[2] // self.size[0], shape[3] // self.size[1])
        return Window(window, window)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return AdaptiveAvgPool(drawn.one_of((1, 1), (1, 2), (2, 1)))


@dataclass(frozen=True, eq=False)
class Cells(LinearMap):
    """c_ij = rows[v, y] columns[u, x]: rectangles of any size, channel by channel. weight (V, U)."""

    weight: Array
    bias: Array
    rows: Array
    columns: Array
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        return self.rows @ a @ np.transpose(self.columns) * f(self.weight)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return np.transpose(self.rows) @ (s * f(self.weight)) @ self.columns


def cells(n: int, parts: int, x: Array) -> Array:
    """(parts, n): 1 where a row belongs to a part, floor(v n / parts) <= row < ceil((v + 1) n / parts)."""
    out = zeros((parts, n), x)
    for v in range(parts):
        out[v, v * n // parts : -(-(v + 1) * n // parts)] = constant(1, x)
    return out
