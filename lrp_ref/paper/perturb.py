"""f(x_k), k = 0, 1, ..: what is left of a class's score when the regions that a map names are replaced one by one.

Region perturbation after Samek, Binder, Montavon, Lapuschkin and Müller 2017 (Evaluating the visualization of what a
deep neural network has learned, IEEE TNNLS 28(11)). All of it but the blurred filling runs in any number type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.hints import listed

SIDE = 9                 # pixels of a region's side, as in the paper
FILLS = ("uniform", "mean", "blur")
SIGMA = SIDE / 2         # of the Gaussian that blurs, in pixels
BATCH = 16               # images that are run at a time
MOST_SETS = 1 << 16      # of tied regions, every one of which is a run

Score = Callable[[Array], Array]   # images (n, C, H, W) to the scores (n,) of a class


def region_sums(values: Array, side: int = SIDE) -> Array:
    """R_r = sum of R_p over the pixels of region r: (rows, columns) of squares; those at the far edges may be cut."""
    rows, columns = (np.arange(0, n, side) for n in values.shape)
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


def ranking(sums: Array, seed: int, least: bool = False) -> NDArray[np.int64]:
    """The regions, the one with the largest sum first (or the smallest); ties in an order that the seed draws."""
    drawn = np.random.PCG64(seed).random_raw(sums.size).argsort(kind="stable")
    values = sums.ravel()[drawn]
    return drawn[(values if least else -values).argsort(kind="stable")]


def replaced(x: Array, fill: Array, taken: Sequence[int] | NDArray[np.int64], side: int = SIDE) -> Array:
    """The image (C, H, W) with the filling in the regions taken."""
    columns = -(-x.shape[2] // side)
    out = x.copy()
    for region in taken:
        row, column = divmod(int(region), columns)
        where = (slice(None), slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
        out[where] = fill[where]
    return out


def curve(score: Score, x: Array, fill: Array, order: NDArray[np.int64], steps: int, side: int = SIDE) -> Array:
    """f(x_0), .., f(x_L): the score (L + 1,) with none, one, .. L regions replaced, in their order. x (C, H, W)."""
    return np.concatenate([score(np.stack(images)) for images in batches(x, fill, order[:steps], side)])


def batches(x: Array, fill: Array, order: NDArray[np.int64], side: int) -> Iterator[list[Array]]:
    """The image and what becomes of it, BATCH at a time."""
    images = [x]
    for region in order:
        x = replaced(x, fill, [region], side)
        if len(images) == BATCH:
            yield images
            images = []
        images.append(x)
    yield images


def curve_over_ties(score: Score, x: Array, fill: Array, sums: Array, steps: int, side: int = SIDE,
                    least: bool = False) -> tuple[Array, Array, Array]:
    """The lowest, the mean and the highest curve over all orders of regions with equal sums, by enumeration.

    After k regions, m of a group of g tied ones are replaced; in the orders of the group each set of m is as frequent,
    so that the mean over orders is the mean over the C(g, m) sets. In Fractions it is exact.
    """
    regions = sorted(range(sums.size), key=lambda r: sums.flat[r], reverse=not least)
    groups = [[*group] for _, group in groupby(regions, key=lambda r: sums.flat[r])]
    found, before = [score(x[None])], list[int]()
    for group in groups:
        for m in range(1, min(len(group), steps - len(before)) + 1):
            if comb(len(group), m) > MOST_SETS:
                raise ValueError(f"got {len(group)} regions with equal sums, of which there are {comb(len(group), m)} "
                                 f"sets of {m}, needed at most {MOST_SETS}: draw an order, ranking(sums, seed)")
            found.append(np.concatenate([score(replaced(x, fill, [*before, *taken], side)[None])
                                         for taken in combinations(group, m)]))
        before += group
        if len(before) >= steps:
            break
    low, mean, high = ([of(scores) for scores in found] for of in (min, lambda s: sum(s[1:], s[0]) / len(s), max))
    return np.array(low), np.array(mean), np.array(high)


def aopc(scores: Array) -> Any:
    """AOPC = 1/(L + 1) sum over k = 0 .. L of f(x_0) - f(x_k): the area over the perturbation curve."""
    total = sum((scores[0] - one for one in scores[1:]), scores[0] - scores[0])
    return total / len(scores)


def filling(x: Array, kind: str, seed: int, low: Array, high: Array) -> Array:
    """What regions are replaced by, (C, H, W) like the image.

    uniform  every pixel and channel drawn from low to high (each (C,)), the seed's
    mean     every channel's mean over the image
    blur     the image under a Gaussian of SIGMA pixels
    """
    if kind == "uniform":
        words = np.random.PCG64(seed).random_raw(x.size) >> np.uint64(11)
        drawn = (words / 2.0**53).reshape(x.shape)
        return low[:, None, None] + drawn * (high - low)[:, None, None]
    if kind == "mean":
        return 0 * x + x.sum(axis=(1, 2), keepdims=True) / (x.shape[1] * x.shape[2])
    if kind == "blur":
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(np.asarray(x, np.float64), (0, SIGMA, SIGMA), mode="nearest")
    raise ValueError(f"got the filling {kind!r}, needed one of {listed(FILLS)}")
