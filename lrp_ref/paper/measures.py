"""How sparse a map is, and how much of it lies in a region: the measures that maps are compared by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.pictures.colours import plane

LEVELS = 20         # of a map's largest number, at which a box is drawn around what reaches it
HELD, OF = 9, 10   # the part of sum |R| that the holding pixels hold: nine tenths, in integers

Map = NDArray[Any]


def gini(values: Map) -> float:
    """G = sum_i (2i - n - 1) |R|_(i) / (n sum |R|), |R|_(1) <= .. <= |R|_(n): the Gini index of a map's n pixels.

    0 where all pixels are equally strong, (n - 1) / n where one holds everything. Hurley and Rickard 2009 compare it
    with other measures of sparsity. A map of zeros has none: NaN.
    """
    sizes, n = ordered(values), values.size
    total = sizes.sum()
    return float(((2 * np.arange(1, n + 1) - n - 1) * sizes).sum() / (n * total)) if total else math.nan


def holding(values: Map) -> float:
    """min {m : |R|_(n) + .. + |R|_(n-m+1) >= 9/10 sum |R|} / n: the share of pixels that holds nine tenths of sum |R|.

    9/10 where all pixels are equally strong, 1/n where one holds everything. A map of zeros has none: NaN.
    """
    held = ordered(values)[::-1].cumsum()
    return float(np.argmax(OF * held >= HELD * held[-1]) + 1) / held.size if held[-1] else math.nan


def inside(values: Map, region: Map) -> float:
    """sum_p m_p R+_p / sum_p R+_p: the share of a map's positive relevance that falls inside a region.

    region  m (H, W), 1 inside, 0 outside, or the part of each pixel that lies inside. Without positive relevance
            there is no share: NaN.
    """
    positive = np.maximum(plane(values), 0)
    if region.shape != positive.shape:
        raise ValueError(f"inside got a map of {positive.shape} and a region of {region.shape}, needed the same shape: "
                         "resize the region")
    total = positive.sum()
    return float((positive * region).sum() / total) if total else math.nan


def pointing(values: Map, region: Map) -> float:
    """The share of the most relevant pixels that lie inside: 1 or 0, or a part where several are equally relevant.

    The pointing game of Zhang et al. 2018, without their margin of 15 pixels. A pixel is inside where at least half of
    it is. Without positive relevance there is no most relevant pixel: NaN.
    """
    R = plane(values)
    most = R.max() <= R
    return float((region[most] >= 1 / 2).mean()) if R.max() > 0 else math.nan


def box_overlap(values: Map, region: Map) -> float:
    """max over t = 1/20, .., 19/20 of |B_t and B| / |B_t or B|: how well a map's best box lies on the region's, B.

    B_t is the box around the largest connected part of the pixels with R_p >= t max R (Choe et al. 2020). NaN without
    positive relevance, or where no pixel is inside.
    """
    from scipy.ndimage import find_objects, label

    R, inside_it = plane(values), region >= 1 / 2
    if not (R.max() > 0 and inside_it.any()):
        return math.nan
    truth = find_objects(inside_it.astype(int))[0]
    found = []
    for t in range(1, LEVELS):
        parts, _ = label(t * R.max() <= LEVELS * R)
        largest = int(np.argmax(np.bincount(parts.ravel())[1:]))
        found.append(overlap(find_objects(parts)[largest], truth))
    return max(found)


def overlap(one: tuple[slice, slice], other: tuple[slice, slice]) -> float:
    """|A and B| / |A or B| of two boxes."""
    both = math.prod(max(0, min(a.stop, b.stop) - max(a.start, b.start)) for a, b in zip(one, other))
    sizes = [math.prod(side.stop - side.start for side in box) for box in (one, other)]
    return both / (sum(sizes) - both)


def ordered(values: Map) -> NDArray[np.float64]:
    """|R| of every pixel, the weakest first."""
    return np.sort(np.abs(plane(values)), axis=None)


def quartiles(values: Any) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile, interpolated between neighbours; NaNs do not count."""
    counted = np.asarray(values, dtype=np.float64)
    counted = counted[~np.isnan(counted)]
    if counted.size == 0:
        return (math.nan,) * 3
    low, middle, high = np.quantile(counted, [1 / 4, 1 / 2, 3 / 4]).tolist()
    return low, middle, high
