"""z_j = sum over the window a_i w_ij + b_j: convolution as matrix products over gathered windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np

from lrp_ref.arrays import Array, Function, Index, Pair, Shape, same, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import (
    WINDOWS,
    Drawn,
    Layer,
    Roundings,
    ends,
    must_fit,
    normalised_bias,
    pair,
    parameter,
    same_channels,
    sides,
    whole,
    windowed,
)
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap

CHUNK = 1 << 21   # numbers worked on at a time, few enough for the processor's cache: the windows of some output rows,
ARRAYS = 4        # and so many arrays of these outputs;
PACKED = 4        # or so many times as many as there are weights, which every product copies before it begins.
NEAR = 1 << 17    # Of groups, whose products are too small to hide it, the windows that a nearer cache holds.


@dataclass(frozen=True, eq=False)
class Conv2D(Layer):
    """z[n, o, v, h] = sum_c,t,u x[n, c, v s + t d - p, h s + u d - p] w[o, c, t, u] + b[o] (Eq. 2).

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,), or (O, V, H) for one bias per position, as batch norm
    before a padding leaves it. Cross-correlation with stride s, dilation d and a padding p of zeros: an int, (rows,
    columns), or ((above, below), (left, right)); output channels of group g see the input channels of group g.
    """

    weight: Any
    bias: Any = None
    stride: Any = 1
    pad: Any = 0
    dilation: Any = 1
    groups: int = 1

    hands_down = "by contribution"
    affine = True
    roundings = Roundings()

    @property
    def alike(self) -> Literal["in a channel"] | None:   # type: ignore[override]
        return None if self.bias is not None and self.bias.ndim == 3 else "in a channel"

    @classmethod
    def example(cls) -> Example:
        return Example(cls(mixed((4, 1, 2, 3), 5), fractions("1/2 -1 0 2"), (1, 2), (2, 1), (2, 1), 2), (2, 3, 5))

    def __post_init__(self) -> None:
        weight = parameter(self, "weight")
        if weight.ndim != 4 or weight.size == 0:
            raise ValueError(f"Conv2D got a weight of shape {weight.shape}, needed (O, C / groups, kh, kw)")
        if self.bias is not None:
            bias = parameter(self, "bias")
            if bias.shape[:1] != weight.shape[:1] or bias.ndim not in (1, 3):
                raise ValueError(f"Conv2D got bias of shape {bias.shape}, needed {weight.shape[:1]}, or one for "
                                 f"every position, ({len(weight)}, rows, columns)")
        object.__setattr__(self, "pad", sides(self.pad, "Conv2D"))
        for name in ("stride", "dilation"):
            object.__setattr__(self, name, pair(getattr(self, name), "Conv2D", name, 1))
        if not whole(self.groups) or self.groups < 1 or weight.shape[0] % self.groups:
            raise ValueError(f"Conv2D got groups={shown(self.groups)}, which does not divide {weight.shape[0]} outputs")

    @property
    def window(self) -> Window:
        return Window(self.weight.shape[2:], self.stride, *ends(self.pad), self.dilation)

    @property
    def sees(self) -> Window | None:
        return self.window

    def __call__(self, x: Array) -> Array:
        return self.linearize(x)[1](x)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        bias = zeros((1, 1, 1), self.weight) if self.bias is None else self.bias
        bias = bias[:, None, None] if bias.ndim == 1 else bias
        return x, Convolution(self.weight, bias, self.window, self.groups)

    def output_shape(self, shape: Shape) -> Shape:
        outputs, channels = self.weight.shape[0], self.weight.shape[1] * self.groups
        if len(shape) == 4 and shape[1] != channels:
            cure = "transpose to (N, C, H, W)?" if shape[-1] == channels else "wrong image mode or weight?"
            raise ValueError(f"Conv2D got an input of shape {shape}, but weight {self.weight.shape} with "
                             f"groups={self.groups} needs {channels} channels: {cure}")
        rows, columns = windowed(self, self.window, shape)
        must_fit("Conv2D", shape, (shape[0], outputs, rows, columns))
        if self.bias is not None and self.bias.ndim == 3 and self.bias.shape[1:] != (rows, columns):
            raise ValueError(f"Conv2D got an input of shape {shape}, which has {rows} x {columns} outputs, but its "
                             f"bias is for {self.bias.shape[1]} x {self.bias.shape[2]}: use images of one size")
        return shape[0], outputs, rows, columns

    def normalised(self, mean: Array, gain: Array, shift: Array) -> Layer | None:
        columns = (...,) if self.bias is None or self.bias.ndim == 1 else (..., None, None)
        bias = normalised_bias(self.bias, mean[columns], gain[columns], shift[columns], len(self.weight))
        return replace(self, weight=self.weight * gain[:, None, None, None], bias=bias)

    def scaled(self, gain: Array, shift: Array, shape: Shape | None) -> Layer | None:
        """z = sum w (g a + s) + b: the padding is not shifted, so that a sum over w s is another at the border."""
        same_channels(gain, self.weight.shape[1] * self.groups)
        padded = any(map(any, ends(self.pad)))
        if padded and shape is None:
            raise ValueError("what the norm adds is another number beside the padding: give the shape of the input, "
                             "merge_batchnorm(network, x.shape)")
        image = (1, len(gain), *(shape[2:] if padded and shape else self.window.extent))
        moved = self(zeros(image, shift) + shift[:, None, None])[0]
        per_channel = np.repeat(np.reshape(gain, (self.groups, 1, -1)), len(self.weight) // self.groups, axis=1)
        weight = self.weight * np.reshape(per_channel, (*self.weight.shape[:2], 1, 1))
        return replace(self, weight=weight, bias=moved if padded else moved[:, 0, 0])

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        groups = shape[1] if self.groups > 1 else 1
        weight = drawn.array(drawn.outputs * groups, shape[1] // groups, *drawn.one_of(*WINDOWS))
        stride, pad, dilation = (drawn.one_of(least, *{least, given} - {least}) for least, given in
                                 (((1, 1), self.stride), ((0, 0), self.pad), ((1, 1), self.dilation)))
        return Conv2D(weight, drawn.bias(len(weight)), stride, pad, dilation, groups)


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """c_ij = 1 where input i is in output j's window and group. weight (O, C / groups, kh, kw).

    bias (O, 1, 1), or (O, V, U) for one per position.

    Gather the windows once, then one product with the weights of all functions stacked; backwards one product with the
    same stack, then fold the windows back, or gather those of the outputs where these are fewer.
    """

    weight: Array
    bias: Array
    window: Window
    groups: int
    stacks: dict[tuple[Function, ...], Array] = field(default_factory=dict)
    learned: bool = True
    coverages = (1,)
    straight = True

    def __call__(self, a: Array) -> Array:
        if self.known is not None and a is self.known.a:   # as in every map
            return self.known.z
        z = zeros((len(a), len(self.weight), *self.window.outputs(a.shape[2:])), a)
        for inputs, outputs, piece in self.pieces(a.shape):
            z[outputs] = piece.apply(a[inputs], same)
        z += self.bias
        return z

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        outputs, stack = self.window.outputs(a.shape[2:]), self.stacked(functions)
        windows, (_, _, taps) = self.windows(self.window.spread(a), outputs), stack.shape
        some = max(1, NEAR // (len(a) * taps * prod(outputs)))   # groups at a time
        parts = [stack[g : g + some] @ np.reshape(windows[:, g : g + some], (len(a), -1, taps, prod(outputs)))
                 for g in range(0, self.groups, some)]
        z = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        z = np.reshape(z, (len(a), self.groups, len(functions), -1, *outputs))
        return [np.reshape(z[:, :, f], (len(a), -1, *outputs)) for f in range(len(functions))]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        n, outputs = len(s[0]), s[0].shape[2:]
        parts = [np.reshape(s_f, (n, self.groups, -1, prod(outputs))) for s_f in s]
        together = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
        if self.folds_nothing and 0 not in shape:   # Same result without these lines; of channels alone half the time.
            back = self.window.turned
            return self.by_phases(s, functions, shape) if back is None else self.turned(functions, back).apply(
                np.reshape(together, (n, -1, *outputs)), same)
        windows = np.swapaxes(self.stacked(functions), 1, 2) @ together
        windows = np.reshape(windows, (n, shape[1], -1, *outputs))
        out = zeros((*shape[:2], *self.window.padded(shape[2:])), s[0])
        for t, view in enumerate(self.window.taps(out, outputs)):
            view += windows[:, :, t]
        return self.window.inside(out, shape[2:])

    @property
    def folds_nothing(self) -> bool:
        """Whether the way back gathers windows of the outputs, as these are few: of one output a group, or position."""
        few = len(self.weight) == self.groups or self.window.size == (1, 1)
        return few and (self.window.turned is not None or self.window.dilation == (1, 1) != self.window.stride)

    def turned(self, functions: Sequence[Function], back: Window) -> Convolution:
        """w'[c, f o, t, u] = f(w)[o, c, kh - 1 - t, kw - 1 - u]: the way back as a convolution of all s together."""
        stack = np.reshape(self.stacked(functions), (self.groups, -1, *self.weight.shape[1:]))
        w = np.swapaxes(stack, 1, 2)[..., ::-1, ::-1]
        return Convolution(np.reshape(w, (-1, *w.shape[2:])), self.bias, back, self.groups)

    def by_phases(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        """The way back at a stride: every so many rows and columns meet taps of their own, at a stride of 1."""
        out = zeros((*shape[:2], *self.window.padded(shape[2:])), s[0])
        (down, right), (rows, columns) = self.window.stride, s[0].shape[2:]
        for y, x in product(range(min(down, self.window.size[0])), range(min(right, self.window.size[1]))):
            w = self.weight[:, :, y::down, x::right]
            (h, width), phase = w.shape[2:], Convolution(w, self.bias, Window(w.shape[2:], (1, 1)), self.groups)
            there = out[:, :, y::down, x::right][:, :, : rows + h - 1, : columns + width - 1]
            there[...] = phase.transpose_sum(s, functions, there.shape)
        return self.window.inside(out, shape[2:])

    def by_weight(self, a: Array, s: Array) -> Array:
        windows = self.gather(self.window.spread(a), s.shape[2:])
        outputs = np.reshape(s, (len(s), self.groups, -1, windows.shape[-1]))
        return np.reshape(outputs @ np.swapaxes(windows, 2, 3), (len(s), *self.weight.shape))

    def stacked(self, functions: Sequence[Function]) -> Array:
        """f(w) for every f, (groups, functions * O / groups, C / groups * kh * kw); pieces of one map share them."""
        key = tuple(functions)
        if key not in self.stacks:
            w = np.reshape(self.weight, (self.groups, -1, self.weight[0].size))
            if functions == [same]:   # Same result without these two lines; no copy of the weights.
                return w
            self.stacks[key] = np.concatenate([f(w) for f in functions], axis=1)
        return self.stacks[key]

    def gather(self, padded: Array, outputs: Pair) -> Array:
        """The windows of all outputs: (N, groups, C / groups * kh * kw, outputs)."""
        return np.reshape(self.windows(padded, outputs), (len(padded), self.groups, -1, prod(outputs)))

    def windows(self, padded: Array, outputs: Pair) -> Array:
        """The same as a view: (N, groups, C / groups, kh, kw, V, U)."""
        (sh, sw), (dh, dw), (rows, columns) = self.window.stride, self.window.dilation, outputs
        views = np.lib.stride_tricks.sliding_window_view(padded, self.window.extent, axis=(2, 3))
        views = views[:, :, : (rows - 1) * sh + 1 : sh, : (columns - 1) * sw + 1 : sw, ::dh, ::dw]
        views = np.transpose(views, (0, 1, 4, 5, 2, 3))
        return np.reshape(views, (len(padded), self.groups, -1, *views.shape[2:]))

    def pieces(self, shape: Shape) -> Iterator[tuple[Index, Index, LinearMap]]:
        """Some images, or one and some output rows, at a time."""
        rows, columns = self.window.outputs(shape[2:])
        numbers = max(CHUNK, PACKED * self.weight.size)
        one = self.window.size == self.window.stride == (1, 1)   # no windows: the inputs themselves
        windows = 0 if one else self.weight[0].size * (1 if self.folds_nothing else self.groups)
        step = max(1, numbers // ((windows + ARRAYS * len(self.weight)) * columns))
        strips = max(self.window.before[0], self.window.after[0]) < self.window.extent[0]
        step = step if strips else rows   # Else some row of outputs sees padding only.
        stacks: dict[tuple[Function, ...], Array] = {}
        everything = slice(None)
        images = max(1, step // rows)
        for n in range(0, shape[0], images):
            for first in range(0, rows, step):
                last = min(first + step, rows)
                reach, window = self.window.strip(first, last, shape[2]) if strips else (everything, self.window)
                bias = self.bias if self.bias.shape[1] == 1 else self.bias[:, first:last]
                piece = Convolution(self.weight, bias, window, self.groups, stacks)
                some = slice(n, min(n + images, shape[0]))
                yield (some, everything, reach), (some, everything, slice(first, last)), piece
