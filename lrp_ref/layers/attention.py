"""z = A B and softmax: what attention is made of, as linear maps at the numbers that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, everywhere, indicator, is_fraction, ones_like, same, zeros
from lrp_ref.hints import listed, shown
from lrp_ref.layers.base import Drawn, Layer, Roundings, parameter, several, whole
from lrp_ref.layers.example import Example, fractions
from lrp_ref.layers.normalize import broadcasts
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class MatMul(Layer):
    """z = A B of the two tensors it reads, A (N, .., T, S) and B (N, .., S, D): attention's scores, and what it reads.

    Both depend on the input, and each is given a share of z: 1/2 each (Achtibat et al. 2024, Proposition 3.3), or
    `shares` that sum to 1, (0, 1) where A decides and is to receive nothing, not even under Flat.

    left, right  shapes of A and B without the batch. The joined array is (N, I): the numbers of A, then those of B
    """

    left: Any
    right: Any
    shares: Any = None

    joins = True
    hands_down = "by contribution"
    roundings = Roundings(unknown="multiplies tensors that are computed themselves")

    @classmethod
    def example(cls) -> Example:
        return Example(cls((2, 1, 3), (2, 3, 2), fractions("1/4 3/4")), (18,))

    def __post_init__(self) -> None:
        for name in ("left", "right"):
            sizes = several(getattr(self, name))
            if len(sizes) < 2 or not all(whole(n) and n > 0 for n in sizes):
                raise ValueError(f"MatMul got {name}={shown(getattr(self, name))}, needed a shape (.., rows, columns) "
                                 "without the batch")
            object.__setattr__(self, name, tuple(map(int, sizes)))
        if self.left[:-2] != self.right[:-2] or self.left[-1] != self.right[-2]:
            raise ValueError(f"MatMul got left={self.left} and right={self.right}, needed (.., T, S) and (.., S, D)")
        if self.shares is not None:
            parameter(self, "shares", (2,))
            if abs(self.shares.sum() - 1) > 2.0**-20:   # of float32 decimals
                raise ValueError(f"MatMul got shares {shown(self.shares)}, needed two numbers that sum to 1")

    @property
    def weighted(self) -> bool:
        return False

    def join(self, *parts: Array) -> Array:
        self.joined(*(part.shape for part in parts))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.reshape(part, (len(part), -1)) for part in parts], axis=1)

    def joined(self, *shapes: Shape) -> Shape:
        if len(shapes) == 1:
            return shapes[0]
        if [shape[1:] for shape in shapes] != [self.left, self.right]:
            raise ValueError(f"MatMul got tensors of shapes {' and '.join(map(str, shapes))}, needed (N, "
                             f"{listed(self.left)}) and (N, {listed(self.right)})")
        return shapes[0][0], prod(self.left) + prod(self.right)

    def split(self, x: Array, *shapes: Shape) -> tuple[Array, ...]:
        return self.parts(x) if len(shapes) > 1 else (x,)

    def parts(self, x: Array) -> tuple[Array, Array]:
        """A and B of the joined array."""
        cut = prod(self.left)
        return np.reshape(x[:, :cut], (len(x), *self.left)), np.reshape(x[:, cut:], (len(x), *self.right))

    def output_shape(self, shape: Shape) -> Shape:
        numbers = prod(self.left) + prod(self.right)
        if len(shape) != 2 or shape[1] != numbers:
            raise ValueError(f"MatMul got an input of shape {shape}, needed two tensors joined to (N, {numbers})")
        return (shape[0], *self.left[:-1], self.right[-1])

    def __call__(self, x: Array) -> Array:
        self.output_shape(x.shape)
        a, b = self.parts(x)
        return a @ b

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        half = constant(1, x) / constant(2, x)
        return x, self.among(x, (half, half) if self.shares is None else self.shares, zeros((1,), x))

    def among(self, x: Array, shares: Sequence[Any], bias: Array) -> LinearMap:
        """w = share_1 B for A, share_2 A for B; what has no share is not covered."""
        (a, b), (of_a, of_b) = self.parts(x), (constant(n, x) for n in shares)
        weight = np.concatenate([np.reshape(part, (len(x), -1)) for part in (of_b * a, of_a * b)], axis=1)
        return Product(weight, bias, self, (of_a != 0, of_b != 0))

    def derivative(self, x: Array) -> LinearMap:
        """dz_td / dA_ts = B_sd and dz_td / dB_sd = A_ts"""
        return self.among(x, (1, 1), -self(x))


@dataclass(frozen=True, eq=False)
class Product(LinearMap):
    """z_td = sum_s A_ts w_sd + w'_ts B_sd with w = share_1 B, w' = share_2 A: linear in A and B together.

    weight   w' and w, laid out like A and B in the joined array
    covered  whether A reaches z, and B: what has no share is not covered
    """

    weight: Array
    bias: Array
    layer: MatMul
    covered: tuple[bool, bool]
    learned: bool = False
    coverages = (1,)

    def tangent(self, a: Array) -> LinearMap:
        return self.layer.derivative(a)

    def shared(self, a: Array, shares: Sequence[Any]) -> LinearMap:
        if len(shares) != 2:
            raise ValueError(f"Factors got {len(shares)} shares for a MatMul, needed two")
        return self.layer.among(a, shares, zeros((1,), a))

    def apply(self, a: Array, f: Function) -> Array:
        (A, B), (of_b, of_a) = self.layer.parts(a), self.layer.parts(f(self.weight))
        none = zeros((1,), a)
        return (A @ of_a if self.covered[0] else none) + (of_b @ B if self.covered[1] else none)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        of_b, of_a = self.layer.parts(f(self.weight))
        A = s @ np.swapaxes(of_a, -1, -2) if self.covered[0] else zeros(of_b.shape, s)
        B = np.swapaxes(of_b, -1, -2) @ s if self.covered[1] else zeros(of_a.shape, s)
        return np.concatenate([np.reshape(part, (len(part), -1)) for part in (A, B)], axis=1)


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """z_j = e^x_j / sum_i e^x_i along the last axis, read on its tangent: w_ij = z_j (d_ij - z_i).

    By contribution relevance is then R_i = x_i (R_i - z_i sum_j R_j) (Achtibat et al. 2024, Proposition 3.1). It is not
    conserved: the bias, z_j - sum_i x_i w_ij, has the rest.

    mask  0 for scores that are left out, 1 for others, broadcasting to one sample: what is left out is not covered
    """

    mask: Any = None

    hands_down = "by contribution"
    rowwise = True
    roundings = Roundings(unknown="divides by a sum over all inputs")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1 1 0 1")), (3, 4), rational=False)

    def __post_init__(self) -> None:
        if self.mask is None:
            return
        mask = parameter(self, "mask")
        if mask.ndim < 1 or not ((mask == 0) | (mask == 1)).all():
            raise ValueError(f"Softmax got a mask of shape {mask.shape}, needed 0 and 1 for every score of a row")
        if not (mask != 0).any(axis=-1).all():
            hidden = tuple(map(int, np.argwhere(~(mask != 0).any(axis=-1))[0]))
            raise ValueError(f"Softmax got a mask that leaves out all of row {hidden}, needed one score in each: their "
                             "sum would be 0")

    @property
    def weighted(self) -> bool:
        return False

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or (self.mask is not None and not broadcasts(self.mask.shape, shape[1:])):
            own = None if self.mask is None else self.mask.shape
            raise ValueError(f"Softmax got an input of shape {shape} and a mask of shape {own}, needed one that "
                             f"broadcasts to {shape[1:]}")
        return shape

    def there(self, x: Array) -> Array:
        """Which scores take part, in x's shape."""
        self.output_shape(x.shape)
        return np.broadcast_to(np.True_ if self.mask is None else self.mask != 0, x.shape)

    def __call__(self, x: Array) -> Array:
        there = self.there(x)
        if is_fraction(x):
            return equal_scores(x, there)
        if x.dtype == object or everywhere(1, there):
            shifted = x - x.max(axis=-1, keepdims=True)
        else:
            shifted = x - np.max(x, axis=-1, keepdims=True, where=there, initial=-np.inf)
        power = among(there, np.exp(among(there, shifted)))
        return power / np.sum(power, axis=-1, keepdims=True)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        z, there = self(x), self.there(x)
        mean = np.sum(among(there, x) * z, axis=-1, keepdims=True)
        bias = z * (constant(1, x) - among(there, x) + mean)
        return x, SoftmaxMap(z, bias, there)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return Softmax()


def among(there: Array, x: Array) -> Array:
    """x where scores take part, and 0 elsewhere: in the shape of both. No work where all take part."""
    return np.broadcast_to(x, there.shape) if everywhere(1, there) else np.where(there, x, constant(0, x))


def equal_scores(x: Array, there: Array) -> Array:
    """1 / n for each of the n scores that take part, where these are equal: all that is exact of a softmax."""
    for row, kept in zip(x.reshape(-1, x.shape[-1]), there.reshape(-1, x.shape[-1])):
        if len(set(row[kept])) > 1:
            raise ValueError("Softmax has no exact form unless all scores are equal: use float64, or take its map in "
                             "floats and convert that")
    count = np.sum(there, axis=-1, keepdims=True)
    return indicator(there, x) / np.vectorize(Fraction, otypes=[object])(count)


@dataclass(frozen=True, eq=False)
class SoftmaxMap(LinearMap):
    """w_ij = z_j (d_ij - z_i) along the last axis, c_ij = 1 where i and j take part. weight: z."""

    weight: Array
    bias: Array
    there: Array
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        a = among(self.there, a)
        if f is same:   # Same result without these lines; no array of (N, .., T, T).
            return self.weight * (a - np.sum(self.weight * a, axis=-1, keepdims=True))
        if f is ones_like:
            return among(self.there, np.sum(a, axis=-1, keepdims=True))
        return np.squeeze(a[..., None, :] @ self.dense(f), axis=-2)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        s = among(self.there, s)
        if f is same:
            sent = self.weight * s
            return sent - self.weight * np.sum(sent, axis=-1, keepdims=True)
        if f is ones_like:
            return among(self.there, np.sum(s, axis=-1, keepdims=True))
        return np.squeeze(self.dense(f) @ s[..., None], axis=-1)

    def dense(self, f: Function) -> Array:
        """c_ij f(w_ij), (N, .., i, j)"""
        z, n = self.weight, self.weight.shape[-1]
        one = indicator(np.eye(n, dtype=bool), z)
        w = z[..., None, :] * (one - z[..., :, None])
        return np.where(self.there[..., None, :] & self.there[..., :, None], f(w), constant(0, z))
