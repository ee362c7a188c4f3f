"""Signed square root, L2 norm, mean over a region: gates that follow a Fisher vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, divide, ones_like, sqrt, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Roundings, parameter, whole
from lrp_ref.layers.elementwise import Elementwise, Gate
from lrp_ref.layers.example import Example, fractions
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Norm(Elementwise):
    """z_i = g_i a_i: what these layers share."""

    def gate(self, x: Array) -> Array:
        raise NotImplementedError

    def __call__(self, x: Array) -> Array:
        return x * self.linearize(x)[1].weight

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        try:
            return x, Gate(self.gate(x), zeros((1,), x), x.shape, straight=self.affine)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__} has no exact form here: {error}") from None


def signed_squares(x: Array) -> Array:
    """x |x|, whose signed root is x"""
    return x * abs(x)


def pythagorean(x: Array) -> Array:
    """Pairs (p, q) of the last axis as (p^2 - q^2, 2 p q), whose norm is p^2 + q^2."""
    p, q = x[..., ::2], x[..., 1::2]
    return np.reshape(np.stack([p * p - q * q, 2 * p * q], axis=-1), x.shape)


@dataclass(frozen=True, eq=False)
class SignedSqrt(Norm):
    """z_i = sign(a_i) sqrt|a_i| = g_i a_i, the gate g_i being 1 / sqrt|a_i|.

    At a_i = 0 the gate is 0 (Pass hands R_i down through it all the same; Epsilon leaves it dead).
    """

    roundings = Roundings(2)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), (2, 3, 4), signed_squares)

    def gate(self, x: Array) -> Array:
        return divide(ones_like(x), sqrt(abs(x)))


@dataclass(frozen=True, eq=False)
class L2Norm(Norm):
    """z_i = a_i / |a|, |a|^2 the sum of a_i^2 over its part: each of `parts` equal slices of the last axis by itself.

    A slice of norm 0 stays 0, its gate being 0. The norm's own change with a_i is not followed.
    """

    parts: int = 1

    roundings = Roundings(unknown="divides by the norm of all inputs")

    @classmethod
    def example(cls) -> Example:
        return Example(cls(3), (6,), pythagorean)

    def __post_init__(self) -> None:
        if not whole(self.parts) or self.parts < 1:
            raise ValueError(f"L2Norm got parts={shown(self.parts)}, needed a number of equal slices, at least 1")

    def gate(self, x: Array) -> Array:
        slices = np.reshape(x, (*x.shape[:-1], self.parts, -1))
        largest = abs(slices).max(axis=-1, keepdims=True)   # Same result without; squares might overflow or vanish.
        scaled = divide(slices, largest)
        norm = largest * sqrt((scaled * scaled).sum(axis=-1, keepdims=True))
        return np.repeat(divide(ones_like(norm), norm)[..., 0], slices.shape[-1], axis=-1)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[-1] % self.parts or shape[-1] == 0:
            raise ValueError(f"L2Norm got an input of shape {shape}, needed (N, ..., I) with I a multiple of "
                             f"{self.parts} parts")
        return shape


@dataclass(frozen=True, eq=False)
class RegionMean(Norm):
    """z_d = a_d / n_r: sums over the n_r descriptors of a region to means, VLFeat's 1/N; slice r of the last axis.

    counts  n_r (regions,); a region of 0 stays 0. L2Norm(parts=regions) undoes it: a pipeline with that needs it not.
    """

    counts: Any

    affine = True
    roundings = Roundings(1)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("4 0 3/2")), (6,))

    def __post_init__(self) -> None:
        counts = parameter(self, "counts")
        if counts.ndim != 1 or counts.size == 0 or not (counts >= 0).all():
            raise ValueError(f"RegionMean got counts of shape {counts.shape}, needed (regions,) numbers from 0 up: "
                             "regions.sum(axis=1)")

    def gate(self, x: Array) -> Array:
        gate = divide(ones_like(self.counts), self.counts)
        return np.broadcast_to(np.repeat(gate, x.shape[-1] // len(gate)), x.shape)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[-1] % len(self.counts) or shape[-1] == 0:
            raise ValueError(f"RegionMean got an input of shape {shape}, needed (N, ..., I) with I a multiple of "
                             f"{len(self.counts)} regions")
        return shape
