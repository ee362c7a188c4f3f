"""z = sum_k c_k a_k, z = prod_k a_k, or all a_k beside each other: layers that read several tensors.

They take them joined into one array, and are linear maps of it like any other layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, ones_like, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Layer, Roundings, parameter
from lrp_ref.layers.elementwise import Elementwise, Gate
from lrp_ref.layers.example import Example, fractions
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


class Stacked(Layer):
    """A layer that takes the K tensors it reads as one array (N, K, ...), or one tensor that is such an array."""

    joins = True
    lean = True
    hands_down = "by contribution"
    sees = Window((1, 1), (1, 1))

    def join(self, *parts: Array) -> Array:
        self.joined(*(part.shape for part in parts))
        return np.stack(np.broadcast_arrays(*parts), axis=1) if len(parts) > 1 else parts[0]

    def joined(self, *shapes: Shape) -> Shape:
        if len(shapes) == 1:
            return shapes[0]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(f"{type(self).__name__} got tensors of shapes {' and '.join(map(str, shapes))}, needed "
                             "one shape: is a stride or a padding missing in a branch?")
        return (shapes[0][0], len(shapes), *shapes[0][1:])

    def split(self, x: Array, *shapes: Shape) -> tuple[Array, ...]:
        return tuple(x[:, k] for k in range(len(shapes))) if len(shapes) > 1 else (x,)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ValueError(f"{type(self).__name__} got an input of shape {shape}, needed tensors joined to "
                             "(N, K, ...)")
        return (shape[0], *shape[2:])


@dataclass(frozen=True, eq=False)
class Add(Stacked):
    """z = sum_k c_k a_k: what a residual network puts together, of tensors of one shape.

    coefficients  c (K,), 1 each if there are none
    """

    coefficients: Any = None

    affine = True

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1 -2 1/2")), (3, 2, 4))

    def __post_init__(self) -> None:
        if self.coefficients is not None:
            parameter(self, "coefficients")
            if self.coefficients.ndim != 1:
                raise ValueError(f"Add got coefficients of shape {self.coefficients.shape}, needed (K,), one for each "
                                 "tensor")

    @property
    def roundings(self) -> Roundings:
        return Roundings()

    @property
    def weighted(self) -> bool:
        return False

    def output_shape(self, shape: Shape) -> Shape:
        out = super().output_shape(shape)
        self.count(shape[1])
        return out

    def count(self, tensors: int) -> None:
        if self.coefficients is not None and len(self.coefficients) != tensors:
            raise ValueError(f"Add got {tensors} tensors and {len(self.coefficients)} coefficients: give one for each")

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        each = ones_like(x[0, :, ...]) if self.coefficients is None else np.reshape(
            self.coefficients, (-1, *(1,) * (x.ndim - 2)))
        return x, Across(each[None], zeros((1,), x))


@dataclass(frozen=True, eq=False)
class Multiply(Stacked):
    """z = prod_k a_k: gates and squeeze-and-excitation. Read at a as sum_k share_k (prod_l/=k a_l) a_k.

    Each factor is given a share of z: 1/K each, so that every factor receives as much (Achtibat et al. 2024,
    Proposition 3.3, for K = 2); or `shares` that sum to 1, such as (1, 0) where the second tensor is a gate that
    decides and is to receive nothing. Tensors of size 1 along an axis are spread along it.
    """

    shares: Any = None

    roundings = Roundings(unknown="multiplies tensors that are computed themselves")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1/4 3/4")), (2, 3, 4))

    def __post_init__(self) -> None:
        if self.shares is not None:
            parameter(self, "shares")
            if self.shares.ndim != 1 or abs(self.shares.sum() - 1) > 2.0**-20:   # of float32 decimals
                raise ValueError(f"Multiply got shares {shown(self.shares)}, needed (K,) numbers that sum to 1")

    @property
    def weighted(self) -> bool:
        return False

    def joined(self, *shapes: Shape) -> Shape:
        if len(shapes) == 1:
            return shapes[0]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"Multiply got tensors of shapes {' and '.join(map(str, shapes))}, needed one shape, or "
                             "sizes of 1 where they differ") from None
        return (shape[0], len(shapes), *shape[1:])

    def split(self, x: Array, *shapes: Shape) -> tuple[Array, ...]:
        parts = super().split(x, *shapes)
        return parts if len(parts) == 1 else tuple(map(gathered, parts, shapes))

    def output_shape(self, shape: Shape) -> Shape:
        out = super().output_shape(shape)
        if self.shares is not None and len(self.shares) != shape[1]:
            raise ValueError(f"Multiply got {shape[1]} tensors and {len(self.shares)} shares: give one for each")
        return out

    def __call__(self, x: Array) -> Array:
        self.output_shape(x.shape)
        return reduce(np.multiply, (x[:, k] for k in range(x.shape[1])))

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        k = x.shape[1]
        shares = [constant(1, x) / constant(k, x)] * k if self.shares is None else self.shares
        return x, Factored(self.others(x, shares), zeros((1,), x), self)

    def others(self, x: Array, shares: Sequence[Any]) -> Array:
        """w_k = share_k prod_l/=k a_l"""
        factors = [x[:, k] for k in range(x.shape[1])]
        one = ones_like(factors[0])
        before = list(accumulate([one, *factors[:-1]], np.multiply))
        after = list(accumulate([one, *factors[:0:-1]], np.multiply))[::-1]
        return np.stack([b * a * share for b, a, share in zip(before, after, shares)], axis=1)

    def derivative(self, x: Array) -> LinearMap:
        """dz / da_k = prod_l/=k a_l"""
        k = x.shape[1]
        return Factored(self.others(x, [constant(1, x)] * k), constant(1 - k, x) * self(x), self)


@dataclass(frozen=True, eq=False)
class Concat(Elementwise):
    """All tensors beside each other along the channels: z = a, every output with one input of its own."""

    joins = True
    affine = monotone = True
    alike = "everywhere"
    roundings = Roundings(output=0)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (3, 2, 4))

    def join(self, *parts: Array) -> Array:
        self.joined(*(part.shape for part in parts))
        return np.concatenate(parts, axis=1)

    def joined(self, *shapes: Shape) -> Shape:
        rest = {(shape[0], *shape[2:]) for shape in shapes}
        if len(rest) > 1 or min(map(len, shapes)) < 2:
            raise ValueError(f"Concat got tensors of shapes {' and '.join(map(str, shapes))}, needed the same but for "
                             "the channels, the second axis: is a stride or a padding missing in a branch?")
        return (shapes[0][0], sum(shape[1] for shape in shapes), *shapes[0][2:])

    def split(self, x: Array, *shapes: Shape) -> tuple[Array, ...]:
        ends = list(accumulate(shape[1] for shape in shapes))
        return tuple(x[:, end - shape[1] : end] for end, shape in zip(ends, shapes))

    def __call__(self, x: Array) -> Array:
        return x

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        one = zeros((1,) * x.ndim, x) + constant(1, x)
        return x, Gate(one, zeros((1,), x), x.shape, straight=True)


@dataclass(frozen=True, eq=False)
class Across(LinearMap):
    """z = sum_k w_k a_k along the second axis of (N, K, ...). weight broadcasts against it."""

    weight: Array
    bias: Array
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        return np.sum(a * f(self.weight), axis=1)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return np.broadcast_to(s[:, None] * f(self.weight), shape)


@dataclass(frozen=True, eq=False)
class Factored(Across):
    """z = sum_k w_k a_k of a product: what w_k is depends on the factors' shares."""

    layer: Multiply
    straight = False

    def tangent(self, a: Array) -> LinearMap:
        return self.layer.derivative(a)

    def shared(self, a: Array, shares: Sequence[Any]) -> LinearMap:
        if len(shares) != a.shape[1]:
            raise ValueError(f"Factors got {len(shares)} shares for {a.shape[1]} tensors: give one for each")
        return Factored(self.layer.others(a, [constant(share, a) for share in shares]), zeros((1,), a), self.layer)


def gathered(x: Array, shape: Shape) -> Array:
    """x summed along the axes on which a tensor of that shape was spread."""
    axes = tuple(n for n, (size, own) in enumerate(zip(x.shape, shape)) if size != own)
    return np.sum(x, axis=axes, keepdims=True) if axes else x
