"""z_j = sum_i a_i w_ij + b_j: the fully connected layer and its map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, added_at, negative, nothing, plus, positive, same, zeros
from lrp_ref.layers.base import Drawn, Layer, Roundings, normalised_bias, parameter, same_channels
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.linear_map import LinearMap

BLOCK = 1 << 17   # weights worked on at a time: f(w) of so many stays in the processor's cache
SIGNS = {positive: np.maximum, negative: np.minimum}   # of an array and zeros: faster than of an array and one number


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """Fully connected layer, z_j = sum_i a_i w_ij + b_j (Eq. 2): a (..., I), weight (I, J), bias (J,)."""

    weight: Any
    bias: Any = None

    hands_down = "by contribution"
    affine = True
    rowwise = True
    roundings = Roundings()

    @classmethod
    def example(cls) -> Example:
        """Its last output is 0: two equal inputs with opposite weights."""
        weight = np.concatenate([mixed((5, 2), 52), fractions("2, -2, 0, 0, 0")], axis=1)
        return Example(cls(weight, fractions("2 -3/2 0")), (5,), twins)

    def __post_init__(self) -> None:
        weight = parameter(self, "weight")
        if weight.ndim != 2 or weight.size == 0:
            raise ValueError(f"Linear got a weight of shape {weight.shape}, needed (I, J): inputs first")
        if self.bias is not None:
            parameter(self, "bias", weight.shape[1:])

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        bias = zeros((1,), self.weight) if self.bias is None else self.bias
        return x, Dense(self.weight, bias)

    def output_shape(self, shape: Shape) -> Shape:
        i, j = self.weight.shape
        if len(shape) < 2 or shape[-1] != i:
            cure = "put Flatten() before it" if len(shape) > 2 else "transpose the weight to (inputs, outputs)?"
            raise ValueError(f"Linear got an input of shape {shape}, but weight {(i, j)} needs (..., {i}): {cure}")
        return (*shape[:-1], j)

    def normalised(self, mean: Array, gain: Array, shift: Array) -> Layer | None:
        """On (N, I). (On (N, L, I) the outputs are the last axis, and a BatchNorm's channels the second.)"""
        bias = normalised_bias(self.bias, mean, gain, shift, self.weight.shape[1])
        return replace(self, weight=self.weight * gain, bias=bias)

    def scaled(self, gain: Array, shift: Array, shape: Shape | None) -> Layer | None:
        """On (N, I), likewise."""
        same_channels(gain, len(self.weight))
        moved = shift @ self.weight
        return replace(self, weight=self.weight * gain[:, None], bias=moved if self.bias is None else self.bias + moved)

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return replace(self, weight=drawn.array(shape[-1], drawn.outputs), bias=drawn.bias(drawn.outputs))


def twins(x: Array) -> Array:
    """The first two numbers of the last axis equal."""
    out = x.copy()
    out[..., 1] = out[..., 0]
    return out


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """c_ij = 1: every input reaches every output. weight (I, J), bias (J,) or (1,)."""

    weight: Array
    bias: Array
    learned: bool = True
    coverages = (1,)
    straight = True

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        inputs, outputs = self.weight.shape
        rows = np.reshape(a, (-1, inputs))   # of all samples: one product
        z = [nothing((len(rows), outputs), a) for _ in functions]
        for n, block, w in self.blocks(functions):
            z[n] = plus(z[n], rows[:, block] @ w)
        return [np.reshape(one, (*a.shape[:-1], outputs)) for one in z]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        inputs, outputs = self.weight.shape
        rows = [np.reshape(one, (-1, outputs)) for one in s]
        out = nothing((len(rows[0]), inputs), s[0])
        for n, block, w in self.blocks(functions):
            out = added_at(out, (slice(None), block), rows[n] @ np.swapaxes(w, 0, 1))
        return np.reshape(out, shape)

    def by_weight(self, a: Array, s: Array) -> Array:
        rows, outputs = (np.reshape(x, (len(x), -1, x.shape[-1])) for x in (a, s))
        return np.swapaxes(rows, 1, 2) @ outputs

    def blocks(self, functions: Sequence[Function]) -> Iterator[tuple[int, slice, Array]]:
        """(n, inputs, f_n(w) of their weights), to be used before the next: some inputs at a time, f by f.

        All inputs at once where no function makes new weights. The signs of floats go by SIGNS, into the same memory:
        same result by f(w); float32 takes half the time, float64 as long.
        """
        inputs, outputs = self.weight.shape
        rows = inputs if all(f is same for f in functions) else min(inputs, max(1, BLOCK // outputs))
        quick = self.weight.dtype.kind == "f" and any(f in SIGNS for f in functions)
        none, out = [zeros((rows if quick else 0, outputs), self.weight) for _ in range(2)]
        for block in (slice(i, min(i + rows, inputs)) for i in range(0, inputs, rows)):
            w, there = self.weight[block], slice(block.stop - block.start)
            for n, f in enumerate(functions):
                yield n, block, SIGNS[f](w, none[there], out=out[there]) if quick and f in SIGNS else f(w)
