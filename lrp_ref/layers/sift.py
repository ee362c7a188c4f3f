"""Dense SIFT: histograms of gradient orientations in 4 x 4 bins around a grid of frames, as VLFeat has them.

Lowe 2004; VLFeat 0.9.21 (vl_dsift, vl_phow). Positions are pixels, (0, 0) the centre of the first; y points down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Pair, Shape, constant, ones_like, zeros
from lrp_ref.layers.base import Layer, whole
from lrp_ref.linear_map import Index, LinearMap

BINS, ORIENTATIONS = 4, 8   # along either axis; of the gradient
LENGTH = BINS * BINS * ORIENTATIONS
TINY = 2.0 ** -23           # what VLFeat adds to a norm
ROWS, COLUMNS = 16, 32      # frames worked on at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Grid:
    """The frames of one size: bin b of frame n is centred on first + step n + size b, along either axis.

    first, count: rows, then columns.
    """

    size: int
    step: int
    first: Pair
    count: Pair

    def __len__(self) -> int:
        return self.count[0] * self.count[1]

    def centres(self, axis: int) -> Array:
        """The bins' centres, (count, 4)"""
        return self.first[axis] + self.step * np.arange(self.count[axis])[:, None] + self.size * np.arange(BINS)

    def bins(self) -> Iterator[tuple[Index, int, int]]:
        """For each bin (by, bx) the pixels on which the frames have it centred."""
        for by in range(BINS):
            for bx in range(BINS):
                begin = self.first[0] + self.size * by, self.first[1] + self.size * bx
                yield tuple(slice(b, b + self.step * (n - 1) + 1, self.step) for b, n in zip(begin, self.count)), by, bx

    def rows(self, first: int, last: int, height: int) -> tuple[slice, Grid]:
        """The pixel rows that the bins of frame rows first .. last - 1 reach, and these frames seen from there."""
        y = self.first[0] + self.step * first
        bottom = y + self.step * (last - 1 - first) + self.size * (BINS - 1) + self.size // 2
        top = max(0, y - self.size // 2)
        return (slice(top, min(height, bottom + 1)),
                replace(self, first=(y - top, self.first[1]), count=(last - first, self.count[1])))


@dataclass(frozen=True, eq=False)
class DenseSift(Layer):
    """x (N, 1, H, W), grey in [0, 1], to descriptors (N, L, 128): coordinate t + 8 (bx + 4 by), 0 .. 255.

    Per size s: the image smoothed by a Gaussian of sigma s / smoothing; its gradient, split linearly between the two
    nearest of 8 orientations 2 pi t / 8; per orientation and bin the sum under a triangle 1 - |u| / s, weighted by a
    Gaussian of sigma window * s around the frame's centre. Then h / |h|, min(h, 0.2), h / |h|, min(512 h, 255).
    Order of the descriptors: sizes as given, frames by row, by column.

    sizes        pixels per bin, one or several
    step         pixels from frame to frame
    smoothing    6 as in vl_phow; None: none, as in vl_dsift
    window       in bins
    contrast     a descriptor is 0 where sum h / (3 s + 1)^2 < contrast, h before it is normalised
    flat         True: the Gaussian is taken as constant, its mean, over each bin; False: at every pixel
    exact_angle  False: VLFeat's approximation of the arc tangent, which is wrong by up to 0.006
    truncate     True: whole numbers, rounded down, as VLFeat stores them in a byte
    bounds       (x0, y0, x1, y1), the first and the last pixel for the bins' centres; None: the image. The frames of
                 all sizes have their first centre in common
    """

    sizes: Any
    step: int
    smoothing: float | None = 6
    window: float = 1.5
    contrast: float = 0.005
    flat: bool = True
    exact_angle: bool = True
    truncate: bool = False
    bounds: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        sizes = tuple(self.sizes) if isinstance(self.sizes, (tuple, list, np.ndarray)) else (self.sizes,)
        if not sizes or not all(whole(s) and s >= 1 for s in sizes):
            raise ValueError(f"DenseSift got sizes={self.sizes!r}, needed pixels per bin, ints of at least 1: (4, 6, 8, 10)?")
        object.__setattr__(self, "sizes", tuple(map(int, sizes)))
        if not (whole(self.step) and self.step >= 1):
            raise ValueError(f"DenseSift got step={self.step!r}, needed an int of at least 1")
        for name, value in (("smoothing", 1 if self.smoothing is None else self.smoothing), ("window", self.window)):
            if not (number(value) and value > 0):
                raise ValueError(f"DenseSift got {name}={value!r}, needed a positive number")
        if not (number(self.contrast) and self.contrast >= 0):
            raise ValueError(f"DenseSift got contrast={self.contrast!r}, needed a number of at least 0")
        if self.bounds is not None:
            bounds = tuple(self.bounds)
            if len(bounds) != 4 or not all(map(whole, bounds)) or min(bounds) < 0:
                raise ValueError(f"DenseSift got bounds={self.bounds!r}, needed pixels (x0, y0, x1, y1)")
            object.__setattr__(self, "bounds", tuple(map(int, bounds)))

    def at(self, shape: Shape) -> tuple[Grid, ...]:
        """The frames of every size in an image batch of that shape; an error where the largest does not fit."""
        if len(shape) != 4 or shape[1] != 1:
            raise ValueError(f"DenseSift got an input of shape {shape}, needed grey images (N, 1, H, W): "
                             "sum or average the channels?")
        height, width = shape[2:]
        x0, y0, x1, y1 = self.bounds or (0, 0, width - 1, height - 1)
        largest = max(self.sizes)
        reach = (BINS - 1) * largest
        if x1 >= width or y1 >= height or min(y1 - y0, x1 - x0) < reach:
            within = f" within rows {y0} .. {y1}, columns {x0} .. {x1}" if self.bounds else ""
            raise ValueError(f"DenseSift got an image of {height} x {width} (shape {shape}), but its largest descriptor, "
                             f"of size {largest}, needs {reach + 1} x {reach + 1} pixels{within}: use a larger image")
        grids = []
        for s in self.sizes:
            inward = 3 * (largest - s) // 2
            first = y0 + inward, x0 + inward
            count = [(last - start - (BINS - 1) * s) // self.step + 1 for last, start in zip((y1, x1), first)]
            grids.append(Grid(s, self.step, first, (count[0], count[1])))
        return tuple(grids)

    def frames(self, shape: Shape) -> Array:
        """The centre x, y and the size of every descriptor, (L, 3)"""
        parts = []
        for grid in self.at(shape):
            y, x = (grid.centres(axis).mean(axis=1) for axis in (0, 1))
            parts.append(np.stack(np.broadcast_arrays(x, y[:, None], float(grid.size)), axis=-1).reshape(-1, 3))
        return np.concatenate(parts)

    def output_shape(self, shape: Shape) -> Shape:
        return shape[0], sum(map(len, self.at(shape))), LENGTH

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return x, Coverage(self.at(x.shape), zeros((1,), x))

    def __call__(self, x: Array) -> Array:
        if x.dtype == object:
            raise ValueError("DenseSift has no exact form: use float64; its map is exact")
        out, first = zeros(self.output_shape(x.shape), x), 0
        for grid in self.at(x.shape):
            across, down = ([self.windows(grid.size, c, n, x) for c in blocks]
                            for blocks, n in ((parts(grid.centres(1), COLUMNS), x.shape[3]),
                                              (parts(grid.centres(0), ROWS), x.shape[2])))
            for image, descriptors in zip(x[:, 0], out[:, first : first + len(grid)]):
                planes = oriented(smooth(image, grid.size, self.smoothing), self.exact_angle)
                self.fill(descriptors.reshape(*grid.count, LENGTH), planes, down, across, grid.size)
            first += len(grid)
        return out

    def fill(self, descriptors: Array, planes: Array, down: Any, across: Any, size: int) -> None:
        """The descriptors (rows, columns, 128) of one size from the orientation planes (H, 8, W)."""
        q = 0
        for y, A_y in down:
            filtered = (A_y @ planes[y].reshape(len(planes[y]), -1)).reshape(-1, planes.shape[2])
            rows = descriptors[q : q + len(A_y) // BINS]
            h, p = rows.reshape(*rows.shape[:2], BINS, BINS, ORIENTATIONS), 0
            for x, A_x in across:
                columns = len(A_x) // BINS
                bins = (A_x @ filtered[:, x].T).reshape(columns, BINS, len(rows), BINS, ORIENTATIONS)
                h[:, p : p + columns] = bins.transpose(2, 0, 3, 1, 4)
                p += columns
            rows[...] = self.normalised(rows, size)
            q += len(rows)

    def normalised(self, h: Array, size: int) -> Array:
        """h / |h|, min(h, 0.2), h / |h|, min(512 h, 255); 0 below the contrast threshold."""
        low = h.sum(axis=-1, keepdims=True) < self.contrast * ((BINS - 1) * size + 1) ** 2
        h = np.minimum(h / norm(h), 0.2)
        h *= np.where(low, 0, 512 / norm(h))
        np.minimum(h, 255, out=h)
        return np.floor(h, out=h) if self.truncate else h

    def windows(self, size: int, centres: Array, n: int, x: Array) -> tuple[slice, Array]:
        """One axis: the pixels from the first to the last that these bins reach, and every bin's weights of them.

        centres (frames, 4). Beyond the image its last pixel is repeated.
        """
        u = np.arange(1 - size, size)
        delta = size * (np.arange(BINS)[:, None] - (BINS - 1) / 2)       # from the frame's centre to the bin's
        gauss = np.exp(-0.5 * ((u - delta) / (size * self.window)) ** 2)
        weights = (1 - abs(u) / size) * (gauss.mean(axis=1, keepdims=True) if self.flat else gauss)
        pixels = np.clip(centres[:, :, None] - u, 0, n - 1)
        reach = slice(int(pixels.min()), int(pixels.max()) + 1)
        out = np.zeros((len(centres), BINS, reach.stop - reach.start))
        np.add.at(out, (*np.ogrid[: len(centres), :BINS, :0][:2], pixels - reach.start), weights)
        return reach, out.reshape(-1, out.shape[-1]).astype(x.dtype)


def number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and isfinite(value)


def parts(centres: Array, length: int) -> list[Array]:
    return [centres[n : n + length] for n in range(0, len(centres), length)]


def norm(h: Array) -> Array:
    """|h| + 2^-23"""
    return np.sqrt(np.einsum("...j,...j->...", h, h)[..., None]) + TINY


def smooth(image: Array, size: int, smoothing: float | None) -> Array:
    """The image under exp(-(j / sigma)^2 / 2), |j| <= ceil(4 sigma), sigma = size / smoothing, its edges repeated."""
    if smoothing is None or (sigma := size / smoothing) < 0.01:
        return image
    from scipy.ndimage import correlate1d

    reach = ceil(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    return correlate1d(correlate1d(image, kernel, axis=0, mode="nearest"), kernel, axis=1, mode="nearest")


def oriented(image: Array, exact_angle: bool) -> Array:
    """(H, 8, W): the gradient's length, split between the two orientations t, at angle 2 pi t / 8, nearest to its own."""
    gy, gx = np.gradient(image)
    length = np.sqrt(gx * gx + gy * gy)
    t = (np.arctan2(gy, gx) if exact_angle else fast_arctan2(gy, gx)) * (ORIENTATIONS / (2 * np.pi))
    lower = np.floor(t)
    upper_part = (t - lower) * length
    planes = np.zeros((len(image), ORIENTATIONS, image.shape[1]), image.dtype)
    below = lower.astype(int)[:, None] % ORIENTATIONS
    np.put_along_axis(planes, below, (length - upper_part)[:, None], axis=1)
    np.put_along_axis(planes, (below + 1) % ORIENTATIONS, upper_part[:, None], axis=1)
    return planes


def fast_arctan2(y: Array, x: Array) -> Array:
    """sign y (base + (0.1821 r^2 - 0.9675) r), r = (x - |y|) / (x + |y|), base = pi / 4 for x >= 0; VLFeat's."""
    a = abs(y) + TINY
    right = x >= 0
    r = np.where(right, x - a, x + a) / np.where(right, x + a, a - x)
    angle = np.where(right, np.pi / 4, 3 * np.pi / 4).astype(x.dtype) + (0.1821 * r * r - 0.9675) * r
    return np.where(y < 0, -angle, angle)


@dataclass(frozen=True, eq=False)
class Coverage(LinearMap):
    """c_ij: the part of pixel i inside the bin rectangle of coordinate j, clipped to the image; there are no weights.

    The rectangle is centre - s / 2 .. centre + s / 2 along both axes, the same for the 8 orientations: centres are
    pixels, so that for even s the outermost pixels are covered by half.
    """

    grids: tuple[Grid, ...]
    bias: Array

    def apply(self, a: Array, f: Function) -> Array:
        only_coverage(f)
        out, first = zeros((len(a), sum(map(len, self.grids)), LENGTH), a), 0
        for grid in self.grids:
            sums = box(a[:, 0], grid.size)
            h = out[:, first : first + len(grid)].reshape(len(a), *grid.count, BINS, BINS, ORIENTATIONS)
            for pixels, by, bx in grid.bins():
                h[..., by, bx, :] = sums[:, *pixels, None]
            first += len(grid)
        return out

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        only_coverage(f)
        bins, first = orientation_sum(s), 0
        out = zeros((shape[0], *shape[2:]), s)
        for grid in self.grids:
            plane = zeros(out.shape, s)
            h = bins[:, first : first + len(grid)].reshape(len(s), *grid.count, BINS, BINS)
            for pixels, by, bx in grid.bins():
                plane[:, *pixels] += h[..., by, bx]
            out += box(plane, grid.size)
            first += len(grid)
        return out[:, None]


def only_coverage(f: Function) -> None:
    if f is not ones_like:
        raise ValueError("DenseSift has no weights, only pixels that its bins cover: use Flat()")


def orientation_sum(s: Array) -> Array:
    """(N, L, 128) to (N, L, 16)"""
    ones = zeros((ORIENTATIONS,), s) + constant(1, s)
    return s.reshape(*s.shape[:2], -1, ORIENTATIONS) @ ones


def box(x: Array, size: int) -> Array:
    """sum over |v|, |u| <= size / 2 of x[y + v, x + u] inside the image, the outermost by half where size is even."""
    half = size // 2
    for axis in (-2, -1):
        lines = np.swapaxes(x, axis, -1)
        n, ends = lines.shape[-1], lines / constant(2, x) if size % 2 == 0 else lines
        x = zeros(x.shape, x)
        sums = np.swapaxes(x, axis, -1)
        for u in range(-half, half + 1):
            part = ends if abs(u) == half else lines
            sums[..., max(0, -u) : n - max(0, u)] += part[..., max(0, u) : n + min(0, u)]
    return x
