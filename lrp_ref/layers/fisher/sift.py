"""Dense SIFT: histograms of gradient orientations in 4 x 4 bins around a grid of frames, as VLFeat computes them.

Lowe 2004; VLFeat 0.9.21, vl_dsift and vl_phow. Positions are in pixels, 0 the centre of the first; y points down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, gcd
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Index, Pair, Shape, constant, is_number, ones_like, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Layer, Roundings, several, whole
from lrp_ref.layers.example import Example
from lrp_ref.linear_map import LinearMap

LEAST = 2.0**-10   # of smoothing and window: an image blurred over a thousand bins is grey
SIZES = 64   # of squares in one image; pyramids of descriptors have five
BINS, ORIENTATIONS = 4, 8              # along either axis of a descriptor; of the gradient
LENGTH = BINS * BINS * ORIENTATIONS
TINY = 2.0 ** -23                      # what VLFeat adds to a norm and to |y|
LINES, ROWS, PIECE = 16, 8, 32         # worked on at a time: filtered lines; rows of frames, upwards and downwards
PRODUCT = 1 << 18                      # multiplications at a time, so few that BLAS keeps to one thread
Bands = Sequence[tuple[slice, Array]]


@dataclass(frozen=True)
class Grid:
    """The frames of one size: along either axis bin b of frame n is centred on first + step n + size b.

    first and count are for rows, then for columns.
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

    def bins(self) -> Iterator[tuple[int, int, Index]]:
        """by, bx, and the pixels on which the frames have that bin centred."""
        for by, bx in np.ndindex(BINS, BINS):
            begin = self.first[0] + self.size * by, self.first[1] + self.size * bx
            yield by, bx, tuple(slice(b, b + self.step * (n - 1) + 1, self.step) for b, n in zip(begin, self.count))

    def strip(self, first: int, last: int, height: int) -> tuple[slice, Grid]:
        """The pixel rows that the bins of frame rows first .. last - 1 cover, and these frames as seen from there."""
        half, y = self.size // 2, self.first[0] + self.step * first
        top = max(0, y - half)
        bottom = min(height, y + self.step * (last - first - 1) + self.size * (BINS - 1) + half + 1)
        return slice(top, bottom), replace(self, first=(y - top, self.first[1]), count=(last - first, self.count[1]))


@dataclass(frozen=True, eq=False)
class DenseSift(Layer):
    """x (N, 1, H, W), grey in [0, 1], to descriptors (N, L, 128) in 0 .. 255, coordinate t + 8 (bx + 4 by).

    For every size s: smooth the image with sigma = s / smoothing; split the length of its gradient linearly between the
    two nearest of the 8 orientations 2 pi t / 8; for each bin and orientation sum it under a triangle 1 - |u| / s times
    a Gaussian of sigma = window s around the frame's centre; then h / |h|, min(h, 0.2), h / |h|, min(512 h, 255).
    The descriptors come size by size, row by row. An image without contrast has descriptors of zeros.

    sizes        pixels per bin, an int or several
    step         pixels from frame to frame
    smoothing    6 as in vl_phow; None: the image as it is, as in vl_dsift
    window       in bins
    contrast     a descriptor is 0 where sum h / (3 s + 1)^2 < contrast, before h is normalised
    flat         True: the Gaussian is replaced by its mean over each bin; False: it acts pixel by pixel
    exact_angle  False: VLFeat's approximate arc tangent, wrong by up to 0.006
    truncate     True: whole numbers, rounded down, as VLFeat stores them in bytes
    bounds       (x0, y0, x1, y1), the first and the last pixel for a bin's centre; None: the image's. The first frames
                 of all sizes have their centre in common, to half a pixel
    """

    approximate = True   # its map says which pixels the bins cover
    hands_down = "evenly"
    roundings = Roundings()

    sizes: Any
    step: int
    smoothing: float | None = 6
    window: float = 1.5
    contrast: float = 0.005
    flat: bool = True
    exact_angle: bool = True
    truncate: bool = False
    bounds: tuple[int, int, int, int] | None = None

    @classmethod
    def example(cls) -> Example:
        return Example(cls((2, 1), 3), (1, 7, 8), abs, rational=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = several(self.sizes)
        if not 0 < len(sizes) <= SIZES or not all(whole(s) and s >= 1 for s in sizes):
            raise ValueError(f"DenseSift got sizes={shown(self.sizes)}, needed pixels per bin, at most {SIZES} ints of "
                             "at least 1: (4, 6)?")
        object.__setattr__(self, "sizes", tuple(map(int, sizes)))
        if not (whole(self.step) and self.step >= 1):
            raise ValueError(f"DenseSift got step={shown(self.step)}, needed an int of at least 1")
        object.__setattr__(self, "step", int(self.step))
        for name, value in (("smoothing", 1 if self.smoothing is None else self.smoothing), ("window", self.window)):
            if not is_number(value, LEAST):
                raise ValueError(f"DenseSift got {name}={shown(value)}, needed a number of at least {LEAST}")
        if not is_number(self.contrast, 0):
            raise ValueError(f"DenseSift got contrast={shown(self.contrast)}, needed a number of at least 0")
        for name in ("smoothing", "window", "contrast"):   # its formulas are floats'
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None or isinstance(value, int) else float(value))
        if self.bounds is not None:
            bounds = several(self.bounds)
            if len(bounds) != 4 or not all(map(whole, bounds)) or min(bounds) < 0:
                raise ValueError(f"DenseSift got bounds={shown(self.bounds)}, needed four pixels (x0, y0, x1, y1)")
            object.__setattr__(self, "bounds", tuple(map(int, bounds)))

    def at(self, shape: Shape) -> tuple[Grid, ...]:
        """The frames of every size in images of that shape; an error where the largest has no room."""
        if len(shape) != 4 or shape[1] != 1:
            raise ValueError(f"DenseSift got an input of shape {shape}, needed grey images (N, 1, H, W): "
                             "average the colours?")
        height, width = shape[2:]
        x0, y0, x1, y1 = self.bounds or (0, 0, width - 1, height - 1)
        largest = max(self.sizes)
        reach = (BINS - 1) * largest
        if x1 >= width or y1 >= height or min(x1 - x0, y1 - y0) < reach:
            inside = f" within the bounds {self.bounds}" if self.bounds else ""
            raise ValueError(f"DenseSift got an image of {height} x {width} (shape {shape}), but descriptors of size "
                             f"{largest} need {reach + 1} x {reach + 1} pixels{inside}: use a larger image or smaller "
                             "sizes")
        grids = []
        for s in self.sizes:
            y, x = (start + 3 * (largest - s) // 2 for start in (y0, x0))
            rows, columns = ((room - (BINS - 1) * s) // self.step + 1 for room in (y1 - y, x1 - x))
            grids.append(Grid(s, self.step, (y, x), (rows, columns)))
        return tuple(grids)

    def frames(self, shape: Shape) -> Array:
        """The centre x, y and the size of every descriptor, (L, 3)"""
        parts = []
        for grid in self.at(shape):
            y, x = (grid.centres(axis).mean(axis=1) for axis in (0, 1))
            parts.append(np.stack(np.broadcast_arrays(x, y[:, None], float(grid.size)), axis=-1).reshape(-1, 3))
        return np.concatenate(parts)

    @property
    def squares(self) -> tuple[Pair, ...]:
        return tuple((BINS * s, s) for s in self.sizes)

    def outside(self, x: Array) -> Array | None:
        """1 - n_j / s^2 for a bin of n_j pixels inside the image"""
        a, m = self.linearize(ones_like(x[:1]))
        sizes = constant(self.frames(x.shape)[:, 2, None], x)
        return constant(1, x) - m.apply(a, ones_like) / (sizes * sizes)

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:1], sum(map(len, self.at(shape))), LENGTH)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return x, Coverage(self.at(x.shape), zeros((1,), x))

    def __call__(self, x: Array) -> Array:
        if x.dtype == object:
            raise ValueError("DenseSift has no exact form: use float64 (its map is exact)")
        if not abs(x).max() <= float(np.finfo(x.dtype).max) ** 0.5 / 4:   # or the square of a gradient overflows
            raise ValueError(f"DenseSift got numbers up to {abs(x).max():.3g}, needed grey in [0, 1]: divide them by "
                             "what white is")
        out, first = np.empty_like(x, shape=self.output_shape(x.shape)), 0
        for grid in self.at(x.shape):
            down, across = (self.filters(grid, axis, x.shape[2 + axis], x) for axis in (0, 1))
            for image, descriptors in zip(x[:, 0], out[:, first : first + len(grid)]):
                planes = oriented(smooth(image, grid.size, self.smoothing), self.exact_angle)
                rows = weighted(planes.reshape(len(planes), -1), down.bands).reshape(-1, planes.shape[2])
                sums = weighted(rows.T, across.bands)
                for n in range(0, grid.count[0], ROWS):
                    h = descriptors.reshape(*grid.count, LENGTH)[n : n + ROWS]
                    histograms(sums.reshape(len(sums), -1, ORIENTATIONS), down, across, n, out=h)
                    self.normalise(h, grid.size)
            first += len(grid)
        return out

    def filters(self, grid: Grid, axis: int, n: int, x: Array) -> Filters:
        """The bins' windows along an axis of n pixels."""
        s, step, first, count = grid.size, grid.step, grid.first[axis], grid.count[axis]
        u = np.arange(1 - s, s)                                    # from a pixel to the bin's centre
        delta = s * (np.arange(BINS)[:, None] - (BINS - 1) / 2)    # from the frame's centre to the bin's
        gauss, triangle = np.exp(-0.5 * ((u - delta) / (s * self.window)) ** 2), 1 - abs(u) / s
        if not self.flat:   # a line for every bin of every frame
            lines = [slice(b * count, (b + 1) * count) for b in range(BINS)]
            centres, kernels = grid.centres(axis).T.ravel(), np.repeat(triangle * gauss, count, axis=0)
            return Filters(lines, np.ones(BINS), bands(centres, kernels, n, x))
        apart = gcd(step, s)   # Same result with 1; fewer lines, which bins of several frames share
        centres = np.arange(first, first + step * (count - 1) + (BINS - 1) * s + 1, apart)
        lines = [slice(b * s // apart, (b * s + step * (count - 1)) // apart + 1, step // apart) for b in range(BINS)]
        kernels = np.broadcast_to(triangle, (len(centres), len(u)))
        return Filters(lines, gauss.mean(axis=1), bands(centres, kernels, n, x))

    def normalise(self, h: Array, size: int) -> None:
        """h / |h|, min(h, 0.2), h / |h|, min(512 h, 255), in place; 0 below the contrast threshold."""
        low = h.sum(axis=-1, keepdims=True) < self.contrast * ((BINS - 1) * size + 1) ** 2
        h *= 1 / norm(h)
        np.minimum(h, 0.2, out=h)
        h *= np.where(low, 0, 512 / norm(h))
        np.minimum(h, 255, out=h)
        if self.truncate:
            np.floor(h, out=h)


@dataclass(frozen=True, eq=False)
class Filters:
    """The bins' windows along one axis: weighted sums on lines; and every bin's lines, one per frame, and factor."""

    lines: Sequence[slice]
    factors: Array
    bands: Bands


def bands(centres: Array, kernels: Array, n: int, x: Array) -> Bands:
    """sum_u kernel(u) x[c - u] for centres c (P,) and kernels (P, 2 s - 1), u = 1 - s .. s - 1, as small matrices.

    For some lines at a time: the pixels they reach, and their weights (lines, pixels). Beyond the n pixels of the image
    its last one is repeated.
    """
    out, s = [], (kernels.shape[1] + 1) // 2
    for first in range(0, len(centres), LINES):
        kernel = kernels[first : first + LINES]
        taps = np.clip(centres[first : first + LINES, None] - np.arange(1 - s, s), 0, n - 1)
        pixels = slice(int(taps.min()), int(taps.max()) + 1)
        weights = np.zeros((len(kernel), pixels.stop - pixels.start))
        np.add.at(weights, (np.arange(len(kernel))[:, None], taps - pixels.start), kernel)
        out.append((pixels, weights.astype(x.dtype)))
    return out


def weighted(x: Array, bands: Bands) -> Array:
    """The sums along the first axis of x, (lines, n)

    Same result without the inner loop; threads that wait for each other take ten times as long on a busy machine.
    """
    out, line = np.empty((sum(len(weights) for _, weights in bands), x.shape[1]), x.dtype), 0
    for pixels, weights in bands:
        step = max(1, PRODUCT // weights.size)
        for n in range(0, x.shape[1], step):
            np.matmul(weights, x[pixels, n : n + step], out=out[line : line + len(weights), n : n + step])
        line += len(weights)
    return out


def histograms(sums: Array, down: Filters, across: Filters, first: int, out: Array) -> None:
    """h[y, x, by, bx, t] from the sums on all lines (across, down, 8), into out: rows of frames from `first` on."""
    h = out.reshape(*out.shape[:2], BINS, BINS, ORIENTATIONS)
    for by, bx in np.ndindex(BINS, BINS):
        bins = sums[across.lines[bx], down.lines[by]].swapaxes(0, 1)[first : first + len(out)]
        np.multiply(bins, sums.dtype.type(down.factors[by] * across.factors[bx]), out=h[:, :, by, bx])


def norm(h: Array) -> Array:
    """|h| + 2^-23"""
    return np.sqrt(np.einsum("...j,...j->...", h, h)[..., None]) + TINY


def smooth(image: Array, size: int, smoothing: float | None) -> Array:
    """The image under exp(-(u / sigma)^2 / 2), |u| <= ceil(4 sigma), sigma = size / smoothing, its edge repeated."""
    if smoothing is None:
        return image
    sigma = size / smoothing
    reach = ceil(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for n in image.shape:   # down, then across
        image = weighted(image, bands(np.arange(n), np.broadcast_to(kernel, (n, len(kernel))), n, image)).T
    return np.ascontiguousarray(image)


def oriented(image: Array, exact_angle: bool) -> Array:
    """(H, 8, W): the gradient's length, split between the two orientations 2 pi t / 8 nearest to its angle."""
    gy, gx = np.gradient(image)   # half the difference of the neighbours; at the edge of the image, the difference
    length = np.sqrt(gx * gx + gy * gy)
    t = (np.arctan2(gy, gx) if exact_angle else fast_arctan2(gy, gx)) * (ORIENTATIONS / (2 * np.pi))
    lower = np.floor(t)
    upper_part = (t - lower) * length
    planes = np.zeros((len(image), ORIENTATIONS, image.shape[1]), image.dtype)
    index = lower.astype(int)[:, None]   # -4 .. 4, and an index below 0 counts from the end, as angles do
    np.put_along_axis(planes, index, (length - upper_part)[:, None], axis=1)
    np.put_along_axis(planes, index + 1, upper_part[:, None], axis=1)
    return planes


def fast_arctan2(y: Array, x: Array) -> Array:
    """sign y (base + (0.1821 r^2 - 0.9675) r): VLFeat's, wrong by up to 0.006.

    r = (x - |y|) / (x + |y|), base = pi / 4 for x >= 0; r = (x + |y|) / (|y| - x), base = 3 pi / 4 for x < 0.
    """
    a, right = abs(y) + TINY, x >= 0
    r = np.where(right, x - a, x + a) / np.where(right, x + a, a - x)
    angle = np.where(right, np.pi / 4, 3 * np.pi / 4).astype(x.dtype) + (0.1821 * r * r - 0.9675) * r
    return np.where(y < 0, -angle, angle)


@dataclass(frozen=True, eq=False)
class Coverage(LinearMap):
    """c_ij: the part of pixel i inside the bin of coordinate j, a square c - s/2 .. c + s/2 clipped to the image.

    There are no weights. Bins are centred on pixels: an even s covers its outermost pixels by half, or a corner by a
    quarter. It is the same for the 8 orientations of a bin.
    """

    grids: Sequence[Grid]
    bias: Array
    coverages = (0.25, 0.5, 1)
    weightless = True

    def apply(self, a: Array, f: Function) -> Array:
        only_coverage(f)
        out, first = np.empty_like(a, shape=(len(a), sum(map(len, self.grids)), LENGTH)), 0
        for grid in self.grids:
            sums = box(a[:, 0], grid.size)
            h = out[:, first : first + len(grid)].reshape(len(a), *grid.count, BINS, BINS, ORIENTATIONS)
            for by, bx, pixels in grid.bins():
                h[..., by, bx, :] = sums[:, *pixels, None]
            first += len(grid)
        return out

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        only_coverage(f)
        ones = zeros((ORIENTATIONS,), s) + constant(1, s)
        bins = s.reshape(*s.shape[:2], -1, ORIENTATIONS) @ ones
        out, first = zeros((shape[0], *shape[2:]), s), 0
        for grid in self.grids:
            h = bins[:, first : first + len(grid)].reshape(len(s), *grid.count, BINS, BINS)
            centred = zeros(out.shape, s)
            for by, bx, pixels in grid.bins():
                centred[:, *pixels] += h[..., by, bx]
            out += box(centred, grid.size)
            first += len(grid)
        return out[:, None]

    def pieces(self, shape: Shape) -> Iterator[tuple[Index, Index, LinearMap]]:
        """Some rows of frames of one size at a time."""
        everything, l = slice(None), 0
        for grid in self.grids:
            for n in range(0, grid.count[0], PIECE):
                pixels, part = grid.strip(n, min(n + PIECE, grid.count[0]), shape[2])
                descriptors = slice(l, l + len(part))
                yield (everything, everything, pixels), (everything, descriptors), Coverage([part], self.bias)
                l += len(part)


def only_coverage(f: Function) -> None:
    """An error unless the rule asks where inputs reach, and not for weights."""
    if f is not ones_like:
        raise ValueError("DenseSift has no weights, only pixels that its bins cover: use Flat()")


def box(x: Array, size: int) -> Array:
    """sum over |v|, |u| <= size / 2 of x[.., y + v, x + u] inside the image, the outermost by half for an even size."""
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


