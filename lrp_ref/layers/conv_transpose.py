"""z_j = sum over the windows that reach j of a_i w_ij + b_j: the transpose of a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Pair, Shape, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import WINDOWS, Drawn, Layer, Roundings, ends, must_fit, pair, parameter, sides, whole
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class ConvTranspose2D(Layer):
    """z[n, o, v s + t d - p, h s + u d - p] += x[n, c, v, h] w[c, o, t, u], and b[o]: what decoders enlarge maps with.

    x (N, C, H, W), weight (C, O / groups, kh, kw), bias (O,). Stride s, dilation d and padding p as of the convolution
    that takes z to the shape of x: p rows and columns are cut off; output_pad more are kept below and to the right.
    """

    weight: Any
    bias: Any = None
    stride: Any = 1
    pad: Any = 0
    dilation: Any = 1
    groups: int = 1
    output_pad: Any = 0

    hands_down = "by contribution"
    affine = True
    roundings = Roundings()

    @classmethod
    def example(cls) -> Example:
        return Example(cls(mixed((2, 3, 2, 3), 9), fractions("1/2 -1 0"), (3, 2), ((0, 1), (1, 1)), output_pad=(1, 0)),
                       (2, 3, 2))

    def __post_init__(self) -> None:
        weight = parameter(self, "weight")
        if weight.ndim != 4 or weight.size == 0:
            raise ValueError(f"ConvTranspose2D got a weight of shape {weight.shape}, needed (C, O / groups, kh, kw)")
        if not whole(self.groups) or self.groups < 1 or weight.shape[0] % self.groups:
            raise ValueError(f"ConvTranspose2D got groups={shown(self.groups)}, which does not divide "
                             f"{weight.shape[0]} inputs")
        if self.bias is not None:
            parameter(self, "bias", (weight.shape[1] * self.groups,))
        object.__setattr__(self, "pad", sides(self.pad, "ConvTranspose2D"))
        for name, least in (("stride", 1), ("dilation", 1), ("output_pad", 0)):
            object.__setattr__(self, name, pair(getattr(self, name), "ConvTranspose2D", name, least))
        if any(more >= s for more, s in zip(self.output_pad, self.stride)):
            raise ValueError(f"ConvTranspose2D got output_pad={self.output_pad} for strides of {self.stride}, needed "
                             "less than the stride")

    @property
    def window(self) -> Window:
        """Of the convolution from z to x."""
        return Window(self.weight.shape[2:], self.stride, *ends(self.pad), self.dilation)

    def output_shape(self, shape: Shape) -> Shape:
        channels = self.weight.shape[0]
        if len(shape) != 4 or shape[1] != channels or 0 in shape[2:]:
            raise ValueError(f"ConvTranspose2D got an input of shape {shape}, needed (N, {channels}, H, W)")
        window = self.window
        rows, columns = ((n - 1) * s + k - p - q + more for n, s, k, p, q, more in
                         zip(shape[2:], window.stride, window.extent, window.before, window.after, self.output_pad))
        if min(rows, columns) < 1:
            raise ValueError(f"ConvTranspose2D got an input of shape {shape}, of which a padding of {self.pad} leaves "
                             "nothing")
        out = (shape[0], self.weight.shape[1] * self.groups, rows, columns)
        must_fit("ConvTranspose2D", shape, out)
        return out

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        outputs = self.output_shape(x.shape)
        none = zeros((1, 1, 1), self.weight)
        bias = none if self.bias is None else self.bias[:, None, None]
        return x, Transposed(self.weight, bias, Convolution(self.weight, none, self.window, self.groups),
                             (outputs[2], outputs[3]))

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        groups = shape[1] if self.groups > 1 else 1
        weight = drawn.array(shape[1], drawn.outputs, *drawn.one_of(*WINDOWS))
        stride = drawn.one_of((1, 1), *{(1, 1), self.stride} - {(1, 1)})
        return ConvTranspose2D(weight, drawn.bias(drawn.outputs * groups), stride, groups=groups)


@dataclass(frozen=True, eq=False)
class Transposed(LinearMap):
    """c_ij = 1 where output j is in the window of input i of `core`, the convolution from the outputs to the inputs."""

    weight: Array
    bias: Array
    core: Convolution
    image: Pair
    learned: bool = True
    coverages = (1,)
    straight = True

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        shape = (len(a), self.weight.shape[1] * self.core.groups, *self.image)
        return [self.core.transpose_sum([a], [f], shape) for f in functions]

    def by_weight(self, a: Array, s: Array) -> Array:
        return self.core.by_weight(s, a)

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        return np.sum([self.core.apply_each(s_f, [f])[0] for s_f, f in zip(s, functions)], axis=0)
