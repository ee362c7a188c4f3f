"""z = w sum of a over some axes: sums and means, global average pooling among them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, times, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Layer, Roundings, several, whole
from lrp_ref.layers.example import Example
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Sum(Layer):
    """z = sum of a over some axes. keep=True leaves them there with one number each."""

    axes: Any
    keep: bool = False

    hands_down = "by contribution"
    affine = True
    roundings = Roundings(1)

    @classmethod
    def example(cls) -> Example:
        return Example(cls((1, 3)), (2, 3, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = several(self.axes)
        if not axes or not all(map(whole, axes)) or min(axes) < 1 or len(set(axes)) < len(axes):
            raise ValueError(f"{type(self).__name__} got axes={shown(self.axes)}, needed axes from 1 on, each once: 0 "
                             "is the batch")
        object.__setattr__(self, "axes", tuple(sorted(map(int, axes))))

    def output_shape(self, shape: Shape) -> Shape:
        if self.axes[-1] >= len(shape):
            raise ValueError(f"{type(self).__name__} got an input of shape {shape}, needed more than "
                             f"{self.axes[-1]} axes")
        kept = [1 if k in self.axes else n for k, n in enumerate(shape)]
        return tuple(n for k, n in enumerate(kept) if self.keep or k not in self.axes)

    def weight(self, shape: Shape, x: Array) -> Any:
        """1"""
        return constant(1, x)

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        weight = zeros((1,) * x.ndim, x) + self.weight(x.shape, x)
        return x, Summed(weight, zeros((1,), x), self.axes, self.keep)


@dataclass(frozen=True, eq=False)
class Mean(Sum):
    """z = mean of a over some axes. keep=True leaves them there with one number each."""

    @classmethod
    def example(cls) -> Example:
        return Example(cls((2, 3), True), (2, 3, 4))

    def weight(self, shape: Shape, x: Array) -> Any:
        """1 / n"""
        return constant(1, x) / constant(prod(shape[k] for k in self.axes), x)


@dataclass(frozen=True, eq=False)
class Summed(LinearMap):
    """z = w sum of a over the axes. weight (1, ..), one number."""

    weight: Array
    bias: Array
    axes: Shape
    keep: bool
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        w = f(self.weight)
        return np.sum(times(a, w), axis=self.axes, keepdims=self.keep)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        s = s if self.keep else np.expand_dims(s, self.axes)
        return times(np.broadcast_to(s, shape), f(self.weight))
