"""Tokens: what a token id amounts to, a token in front of all others, and positions as rotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, ones_like, zeros
from lrp_ref.layers.base import Drawn, Layer, Roundings, parameter
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.layers.shape import Moved, Moving
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """z[n, t, d] = weight[x[n, t], d]: the row of a token's id. At x every token is there, a = 1, its row the weights.

    x (N, T) whole numbers from 0 to V - 1, weight (V, D). A token's relevance is the sum over its row.
    """

    weight: Any

    hands_down = "evenly"
    lean = True
    roundings = Roundings(output=0)   # rows as they stand, of ids that are exact

    @classmethod
    def example(cls) -> Example:
        return Example(cls(mixed((5, 3), 11)), (4,), ids)

    def __post_init__(self) -> None:
        if parameter(self, "weight").ndim != 2 or self.weight.size == 0:
            raise ValueError(f"Embedding got a weight of shape {self.weight.shape}, needed (V, D): a row for every "
                             "token")

    @property
    def weighted(self) -> bool:
        return False

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise ValueError(f"Embedding got an input of shape {shape}, needed token ids (N, T)")
        return (*shape, self.weight.shape[1])

    def rows(self, x: Array) -> Array:
        """The rows of all tokens."""
        self.output_shape(x.shape)
        index = x.astype(float)
        wrong = (index != np.rint(index)) | (index < 0) | (index >= len(self.weight))
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise ValueError(f"Embedding got the token id {x[place]} at {place}, needed whole numbers from 0 to "
                             f"{len(self.weight) - 1}: is it another tokenizer's?")
        return self.weight[index.astype(np.intp)]

    def __call__(self, x: Array) -> Array:
        return self.rows(x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return ones_like(x), Rows(self.rows(x), zeros((1,), x))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return None


def ids(x: Array) -> Array:
    """Token ids 0 to 4 in place of any numbers."""
    out = np.empty_like(x)
    for place, n in np.ndenumerate(x):
        out[place] = type(n)(abs(int(4 * n)) % 5 if abs(n) < 1e9 else 3)
    return out


@dataclass(frozen=True, eq=False)
class Rows(LinearMap):
    """z[n, t, d] = a[n, t] w[n, t, d]"""

    weight: Array
    bias: Array
    learned: bool = True
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        return a[..., None] * f(self.weight)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return np.sum(s * f(self.weight), axis=-1)


@dataclass(frozen=True, eq=False)
class ClassToken(Moving):
    """z = a token of the model's, then all of a: (N, T, D) to (N, T + 1, D). token (D,).

    It has no input, so that all that arrives there is the bias's; under Pass and Flat it is dead.
    """

    token: Any

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1/2 -3")), (3, 2))

    def __post_init__(self) -> None:
        if parameter(self, "token").ndim != 1:
            raise ValueError(f"ClassToken got a token of shape {self.token.shape}, needed (D,)")

    @property
    def roundings(self) -> Roundings:
        return Roundings()

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3 or shape[2] != len(self.token):
            raise ValueError(f"ClassToken got an input of shape {shape}, needed (N, T, {len(self.token)})")
        return shape[0], shape[1] + 1, shape[2]

    def before(self, a: Array, token: Any) -> Array:
        """The token, then a."""
        out = zeros(self.output_shape(a.shape), a)
        out[:, 0], out[:, 1:] = token, a
        return out

    def __call__(self, x: Array) -> Array:
        return self.before(x, self.token)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        none = zeros((1, *x.shape[1:]), x)
        return x, Moved(ones_like(zeros((1,), x)), self.before(none, self.token),
                        lambda a: self.before(a, zeros((1,), a)), lambda s, shape: s[:, 1:])

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return ClassToken(drawn.array(shape[-1]))


@dataclass(frozen=True, eq=False)
class Rotary(Layer):
    """z = (a1 cos - a2 sin, a2 cos + a1 sin), a1 and a2 being the halves of the last axis: positions as rotations.

    cos and sin (T, D / 2), of the angles of every position. Su et al. 2021.
    """

    cos: Any
    sin: Any

    hands_down = "by contribution"
    affine = True
    roundings = Roundings()

    @classmethod
    def example(cls) -> Example:
        return Example(cls(fractions("1 3/5, 0 -4/5, 5/13 1"), fractions("0 4/5, 1 3/5, -12/13 0")), (2, 3, 4))

    def __post_init__(self) -> None:
        if parameter(self, "cos").ndim != 2:
            raise ValueError(f"Rotary got cos of shape {self.cos.shape}, needed (T, D / 2)")
        parameter(self, "sin", self.cos.shape)

    @property
    def weighted(self) -> bool:
        return False

    def output_shape(self, shape: Shape) -> Shape:
        t, half = self.cos.shape
        if len(shape) < 3 or shape[-1] != 2 * half or shape[-2] > t:
            raise ValueError(f"Rotary got an input of shape {shape}, needed (N, .., T, {2 * half}) with at most "
                             f"{t} positions")
        return shape

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        return x, Rotation(np.stack([cos, -sin, sin, cos]), zeros((1,), x))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return None


@dataclass(frozen=True, eq=False)
class Rotation(LinearMap):
    """(z1, z2) = (w11 a1 + w12 a2, w21 a1 + w22 a2) of the halves of the last axis. weight (4, T, D / 2)."""

    weight: Array
    bias: Array
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        w11, w12, w21, w22 = f(self.weight)
        a1, a2 = np.split(a, 2, axis=-1)
        return np.concatenate([a1 * w11 + a2 * w12, a1 * w21 + a2 * w22], axis=-1)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        w11, w12, w21, w22 = f(self.weight)
        s1, s2 = np.split(s, 2, axis=-1)
        return np.concatenate([s1 * w11 + s2 * w21, s1 * w12 + s2 * w22], axis=-1)
