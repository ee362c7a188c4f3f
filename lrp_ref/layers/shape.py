"""z_j = a_i(j): layers that put numbers elsewhere, leave some out, or repeat them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, is_number, ones_like, times, zeros
from lrp_ref.hints import listed, shown
from lrp_ref.layers.base import PIXELS, Drawn, Layer, Roundings, must_fit, pair, several, whole
from lrp_ref.layers.elementwise import Elementwise, Gate
from lrp_ref.layers.example import Example
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


class Moving(Elementwise):
    """A layer that puts every number somewhere else, or nowhere: no output has more than one input."""

    affine = monotone = True
    rowwise = False

    @property
    def roundings(self) -> Roundings:
        return Roundings(output=0)

    @property
    def sees(self) -> Window | None:   # type: ignore[override]
        return None


@dataclass(frozen=True, eq=False)
class Moved(LinearMap):
    """z_j = a_i(j) + b_j: `there` moves numbers to the outputs, `back` from the outputs to an input of that shape."""

    weight: Array
    bias: Array
    there: Callable[[Array], Array]
    back: Callable[[Array, Shape], Array]
    gate: bool = True
    learned: bool = False
    coverages = (1,)
    straight = True

    def apply(self, a: Array, f: Function) -> Array:
        return times(self.there(a), f(self.weight))

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return self.back(times(s, f(self.weight)), shape)


def moved(x: Array, there: Callable[[Array], Array], back: Callable[[Array, Shape], Array], bias: Any = None,
          gate: bool = True) -> LinearMap:
    """The map of a layer that moves numbers."""
    return Moved(ones_like(zeros((1,), x)), zeros((1,), x) if bias is None else bias, there, back, gate)


@dataclass(frozen=True, eq=False)
class Reshape(Moving):
    """z = a in the shape (N, *shape), in the order of the axes, the last counting first. One -1 is what is left."""

    shape: Any

    @classmethod
    def example(cls) -> Example:
        return Example(cls((4, -1)), (2, 3, 2))

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = several(self.shape)
        if not all(map(whole, sizes)) or any(n < -1 for n in sizes) or sizes.count(-1) > 1:
            raise ValueError(f"Reshape got shape={shown(self.shape)}, needed the sizes behind the batch axis, one of "
                             "them -1 at most")
        object.__setattr__(self, "shape", tuple(map(int, sizes)))

    def output_shape(self, shape: Shape) -> Shape:
        known, numbers = prod(n for n in self.shape if n != -1), prod(shape[1:])
        if not shape or (known != numbers if -1 not in self.shape else known == 0 or numbers % known):
            raise ValueError(f"Reshape got an input of shape {shape}, which does not fill (N, "
                             f"{listed(self.shape)}): its numbers are {numbers:,} per sample"
                             + (f"; heads must divide the width of {shape[2]}" if len(shape) == len(self.shape) == 3
                                else ""))
        return (shape[0], *(numbers // known if n == -1 else n for n in self.shape))

    def __call__(self, x: Array) -> Array:
        return np.reshape(x, self.output_shape(x.shape))

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return x, Gate(ones_like(zeros((1,) * x.ndim, x)), zeros((1,), x), self.output_shape(x.shape), straight=True)


@dataclass(frozen=True, eq=False)
class Transpose(Moving):
    """z = a with its axes in another order: axis k of z is axis axes[k] of a. The batch stays first, axes[0] = 0."""

    axes: Any

    @classmethod
    def example(cls) -> Example:
        return Example(cls((0, 3, 1, 2)), (2, 3, 4))

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = several(self.axes)
        if not all(map(whole, axes)) or sorted(axes) != list(range(len(axes))) or axes[:1] != (0,):
            raise ValueError(f"Transpose got axes={shown(self.axes)}, needed every axis once and the batch, 0, first")
        object.__setattr__(self, "axes", tuple(map(int, axes)))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != len(self.axes):
            raise ValueError(f"Transpose got an input of shape {shape}, needed {len(self.axes)} axes")
        return tuple(shape[k] for k in self.axes)

    def __call__(self, x: Array) -> Array:
        self.output_shape(x.shape)
        return np.transpose(x, self.axes)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        return x, moved(x, self, lambda s, shape: np.transpose(s, np.argsort(self.axes)))


@dataclass(frozen=True, eq=False)
class Slice(Moving):
    """z = a[start : stop : step] along one axis: inputs that are left out receive nothing. None: to the end."""

    axis: int
    start: Any = None
    stop: Any = None
    step: int = 1

    @classmethod
    def example(cls) -> Example:
        return Example(cls(2, 1, None, 2), (2, 6, 3))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not whole(self.axis) or self.axis < 1:
            raise ValueError(f"Slice got axis={shown(self.axis)}, needed a number of at least 1: 0 is the batch")
        if not all(end is None or whole(end) for end in (self.start, self.stop)):
            raise ValueError(f"Slice got start={shown(self.start)}, stop={shown(self.stop)}, needed ints or None")
        if not whole(self.step) or self.step == 0:
            raise ValueError(f"Slice got step={shown(self.step)}, needed an int other than 0")

    def cut(self) -> tuple[slice, ...]:
        return (*(slice(None),) * self.axis, slice(self.start, self.stop, self.step))

    def output_shape(self, shape: Shape) -> Shape:
        kept = len(range(*self.cut()[-1].indices(shape[self.axis]))) if self.axis < len(shape) else 0
        if not kept:
            raise ValueError(f"Slice got an input of shape {shape}, of which {shown(self.start)} : {shown(self.stop)} "
                             f": {self.step} along axis {self.axis} keeps nothing")
        return (*shape[: self.axis], kept, *shape[self.axis + 1 :])

    def __call__(self, x: Array) -> Array:
        self.output_shape(x.shape)
        return x[self.cut()]

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        return x, moved(x, self, self.put_back)

    def put_back(self, s: Array, shape: Shape) -> Array:
        out = zeros(shape, s)
        out[self.cut()] = s
        return out


@dataclass(frozen=True, eq=False)
class Pad(Moving):
    """z = a in a frame of `value`: before[k] numbers in front of axis k + 1, after[k] behind it.

    The frame has no input: its value is a bias, and relevance that arrives there is dead.
    """

    before: Any
    after: Any
    value: Any = 0

    @classmethod
    def example(cls) -> Example:
        return Example(cls((0, 1, 2), (1, 0, 1), -3), (2, 3, 2))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("before", "after"):
            sizes = several(getattr(self, name))
            if not all(whole(n) and 0 <= n <= PIXELS for n in sizes):
                raise ValueError(f"Pad got {name}={shown(getattr(self, name))}, needed ints from 0 to {PIXELS}, one "
                                 "for every axis but the batch")
            object.__setattr__(self, name, tuple(map(int, sizes)))
        if len(self.before) != len(self.after):
            raise ValueError(f"Pad got before={self.before} and after={self.after}, needed as many of both")
        if not is_number(self.value):
            raise ValueError(f"Pad got value={shown(self.value)}, needed a finite number")

    @property
    def roundings(self) -> Roundings:
        return Roundings(output=0 if self.value == 0 else None)

    @property
    def sees(self) -> Window | None:   # type: ignore[override]
        if len(self.before) != 3:
            return None
        return Window((1, 1), (1, 1), (self.before[1], self.before[2]), (self.after[1], self.after[2]))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != len(self.before) + 1:
            raise ValueError(f"Pad got an input of shape {shape}, needed {len(self.before) + 1} axes")
        out = (shape[0], *(p + n + q for p, n, q in zip(self.before, shape[1:], self.after)))
        must_fit("Pad", shape, out)
        return out

    def inside(self, shape: Shape) -> tuple[slice, ...]:
        return (slice(None), *(slice(p, p + n) for p, n in zip(self.before, shape[1:])))

    def framed(self, x: Array, value: Any = 0) -> Array:
        out = zeros(self.output_shape(x.shape), x) + constant(value, x)
        out[self.inside(x.shape)] = x
        return out

    def __call__(self, x: Array) -> Array:
        return self.framed(x, self.value)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        bias = self.framed(zeros((1, *x.shape[1:]), x), self.value)
        return x, moved(x, self.framed, lambda s, shape: s[self.inside(shape)], bias)


@dataclass(frozen=True, eq=False)
class Upsample(Layer):
    """z[n, c, y, x] = a[n, c, y // fy, x // fx]: every pixel repeated, fy rows and fx columns of it ("nearest")."""

    factor: Any

    lean = True
    affine = monotone = True
    hands_down = "evenly"
    roundings = Roundings(output=0)

    @classmethod
    def example(cls) -> Example:
        return Example(cls((2, 3)), (2, 3, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factor", pair(self.factor, "Upsample", "factor", 1))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise ValueError(f"Upsample got an input of shape {shape}, needed (N, C, H, W)")
        out = (*shape[:2], shape[2] * self.factor[0], shape[3] * self.factor[1])
        must_fit("Upsample", shape, out)
        return out

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        return Upsample(drawn.one_of((1, 2), (2, 1), (2, 2)))

    def __call__(self, x: Array) -> Array:
        self.output_shape(x.shape)
        return np.repeat(np.repeat(x, self.factor[0], axis=2), self.factor[1], axis=3)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        return x, moved(x, self, self.put_back, gate=False)

    def put_back(self, s: Array, shape: Shape) -> Array:
        (fy, fx), (n, c, h, w) = self.factor, shape
        return np.sum(np.reshape(s, (n, c, h, fy, w, fx)), axis=(3, 5))
