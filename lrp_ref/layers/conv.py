"""z_j = sum over the window a_i w_ij + b_j: convolution as matrix products over gathered windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Pair, Shape, Window, zeros
from lrp_ref.layers.base import Layer, pair, parameter, windowed
from lrp_ref.linear_map import LinearMap

CHUNK = 1 << 20   # numbers gathered at a time: windows of some output rows, small enough for the processor's cache


@dataclass(frozen=True, eq=False)
class Conv2D(Layer):
    """z[n, o, v, h] = sum_c,t,u x[n, c, v s + t d - p, h s + u d - p] w[o, c, t, u] + b[o] (Eq. 2).

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,). Cross-correlation with stride s, dilation d and a
    padding p of zeros; output channels of group g see the input channels of group g.
    """

    weight: Any
    bias: Any = None
    stride: Any = 1
    pad: Any = 0
    dilation: Any = 1
    groups: int = 1

    def __post_init__(self) -> None:
        weight = parameter(self, "weight")
        if weight.ndim != 4 or weight.size == 0:
            raise ValueError(f"Conv2D got a weight of shape {weight.shape}, needed (O, C / groups, kh, kw)")
        if self.bias is not None:
            parameter(self, "bias", weight.shape[:1])
        for name, least in (("stride", 1), ("pad", 0), ("dilation", 1)):
            object.__setattr__(self, name, pair(getattr(self, name), "Conv2D", name, least))
        if isinstance(self.groups, bool) or self.groups < 1 or weight.shape[0] % self.groups:
            raise ValueError(f"Conv2D got groups={self.groups!r}, which does not divide {weight.shape[0]} outputs")

    @property
    def window(self) -> Window:
        return Window(self.weight.shape[2:], self.stride, self.pad, self.dilation)

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        bias = zeros((1, 1, 1), self.weight) if self.bias is None else self.bias[:, None, None]
        return x, Convolution(self.weight, bias, self.window, self.groups)

    def output_shape(self, shape: Shape) -> Shape:
        outputs, channels = self.weight.shape[0], self.weight.shape[1] * self.groups
        if len(shape) == 4 and shape[1] != channels:
            cure = "transpose to (N, C, H, W)?" if shape[-1] == channels else "wrong image mode or weight?"
            raise ValueError(f"Conv2D got an input of shape {shape}, but weight {self.weight.shape} with "
                             f"groups={self.groups} needs {channels} channels: {cure}")
        return (shape[0], outputs, *windowed(self, self.window, shape))


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """c_ij = 1 where input i lies in the window and the group of output j. weight (O, C/groups, kh, kw), bias (O, 1, 1).

    Image by image and some output rows at a time: gather the windows once, then one product with the weights of all
    functions stacked; backwards one product with the same stack, then the windows are folded back.
    """

    weight: Array
    bias: Array
    window: Window
    groups: int
    learned: bool = True

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        rows, columns = self.window.outputs(a.shape[2:])
        stack, g, padded = self.stacked(functions), self.groups, self.window.spread(a)
        z = zeros((len(a), g, stack.shape[1], rows * columns), a)
        for n, (first, last) in self.chunks(len(a), (rows, columns)):
            windows = self.gather(padded[n], (rows, columns), first, last)
            np.matmul(stack, windows, out=z[n, :, :, first * columns : last * columns])
        z = z.reshape(len(a), g, len(functions), -1, rows, columns)
        return [z[:, :, f].reshape(len(a), -1, rows, columns) for f in range(len(functions))]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        rows, columns = self.window.outputs(shape[2:])  # type: ignore[arg-type]
        stack, g = np.swapaxes(self.stacked(functions), 1, 2), self.groups
        out = zeros((*shape[:2], *self.window.padded(shape[2:])), s[0])  # type: ignore[arg-type]
        taps = self.weight.shape[2] * self.weight.shape[3]
        for n, (first, last) in self.chunks(len(out), (rows, columns)):
            parts = [s_f[n, :, first:last].reshape(g, -1, (last - first) * columns) for s_f in s]
            windows = stack @ (np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0])
            windows = windows.reshape(shape[1], taps, last - first, columns)
            for t, view in enumerate(self.window.taps(out[n], (last - first, columns), first)):
                view += windows[:, t]
        return self.window.inside(out, shape[2:])  # type: ignore[arg-type]

    def stacked(self, functions: Sequence[Function]) -> Array:
        """f(w) for every f, (groups, functions * O / groups, C / groups * kh * kw)."""
        w = self.weight.reshape(self.groups, -1, self.weight[0].size)
        return np.concatenate([f(w) for f in functions], axis=1) if len(functions) > 1 else functions[0](w)

    def gather(self, image: Array, outputs: Pair, first: int, last: int) -> Array:
        """The windows of output rows first .. last - 1 of one padded image: (groups, C/groups * kh * kw, outputs)."""
        (sh, sw), (dh, dw) = self.window.stride, self.window.dilation
        rows = image[:, first * sh : (last - 1) * sh + self.window.extent[0]]
        views = np.lib.stride_tricks.sliding_window_view(rows, self.window.extent, axis=(1, 2))
        views = views[:, ::sh, : (outputs[1] - 1) * sw + 1 : sw, ::dh, ::dw]
        return np.transpose(views, (0, 3, 4, 1, 2)).reshape(self.groups, -1, (last - first) * outputs[1])

    def chunks(self, images: int, outputs: Pair) -> Iterator[tuple[int, Pair]]:
        """An image and some of its output rows, at a time."""
        size = self.weight[0].size * self.groups * outputs[1]
        rows = max(1, CHUNK // size)
        for n in range(images):
            for first in range(0, outputs[0], rows):
                yield n, (first, min(first + rows, outputs[0]))
