"""y = v stride + t dilation - before: which inputs an output of a convolution or a pooling reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from lrp_ref.arrays import Array, Pair, constant, zeros


@dataclass(frozen=True)
class Window:
    """The inputs y that output row v reaches: y = v stride + t dilation - before, t = 0 .. size - 1; columns alike.

    before and after: rows and columns of padding above and left, below and right.
    """

    size: Pair
    stride: Pair
    before: Pair = (0, 0)
    after: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil: bool = False

    @property
    def extent(self) -> Pair:
        """Rows and columns from the first tap to the last."""
        (h, w), (dh, dw) = self.size, self.dilation
        return (h - 1) * dh + 1, (w - 1) * dw + 1

    def outputs(self, image: Sequence[int]) -> Pair:
        """(n + before + after - extent) / stride + 1, rounded down; or up, but no window begins outside (as Caffe)."""
        out = []
        for n, k, s, p, q in zip(image, self.extent, self.stride, self.before, self.after):
            room = n + p + q - k
            v = max(0, (-(-room // s) if self.ceil else room // s) + 1)
            out.append(v - 1 if self.ceil and (v - 1) * s >= n + p else v)
        return out[0], out[1]

    def padded(self, image: Sequence[int]) -> Pair:
        """Rows and columns of the image with the padding before it and all that its windows reach."""
        out = [max(p + n, (v - 1) * s + k) for n, p, v, s, k in
               zip(image, self.before, self.outputs(image), self.stride, self.extent)]
        return out[0], out[1]

    def spread(self, x: Array, fill: Any = 0) -> Array:
        """x (..., H, W) inside a frame of `fill`."""
        (h, w), (top, left) = x.shape[-2:], self.before
        height, width = self.padded((h, w))
        if (height, width) == (h, w):
            return x
        out = zeros((*x.shape[:-2], height, width), x)
        if fill != 0:
            out = out + constant(fill, x)
        out[..., top : top + h, left : left + w] = x
        return out

    def inside(self, padded: Array, image: Sequence[int]) -> Array:
        """What `spread` put a frame around."""
        (h, w), (top, left) = image, self.before
        return padded[..., top : top + h, left : left + w]

    def taps(self, padded: Array, outputs: Sequence[int]) -> Iterator[Array]:
        """One view (..., V, U) per position in the window, in the order of the weights."""
        (rows, columns), (sh, sw), (dh, dw) = outputs, self.stride, self.dilation
        for t, u in product(range(self.size[0]), range(self.size[1])):
            y, x = t * dh, u * dw
            yield padded[..., y : y + (rows - 1) * sh + 1 : sh, x : x + (columns - 1) * sw + 1 : sw]

    @property
    def turned(self) -> Window | None:
        """v = y - t dilation + before: the window of outputs that an input reaches; None: it is not one.

        It is one where the stride is 1 and no output sees the padding alone.
        """
        (h, w), (top, left), (bottom, right) = self.extent, self.before, self.after
        before, after = (h - 1 - top, w - 1 - left), (h - 1 - bottom, w - 1 - right)
        one = self.stride == (1, 1) and min(*before, *after) >= 0
        return Window(self.size, (1, 1), before, after, self.dilation) if one else None

    def strip(self, first: int, last: int, height: int) -> tuple[slice, Window]:
        """The input rows that output rows first .. last - 1 reach in an image of that height, and their window."""
        top = first * self.stride[0] - self.before[0]
        bottom = (last - 1) * self.stride[0] - self.before[0] + self.extent[0]
        rows = slice(max(0, top), max(0, min(height, bottom)))
        above, under = max(0, -top), max(0, bottom - height)
        if rows.start >= rows.stop:   # nothing but padding
            above, under = bottom - top, 0
        before, after = (above, self.before[1]), (under, self.after[1])
        return rows, Window(self.size, self.stride, before, after, self.dilation)
