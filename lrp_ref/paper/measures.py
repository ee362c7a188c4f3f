"""How sparse a map is, and how much of it lies in a region: the measures that maps are compared by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.pictures.colours import plane

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
