"""low <= x <= high: numbers that are known to lie in a ball, and the gates and winners that this does not decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.rounding.arithmetic import Arithmetic, quiet, upward
from lrp_ref.layers import Layer


@dataclass(frozen=True, eq=False)
class Ball:
    """low <= the exact number <= high, and a value between them; element by element."""

    value: Array
    low: Array
    high: Array

    @classmethod
    def exact(cls, x: Array) -> Self:
        return cls(x, x, x)

    @classmethod
    @quiet
    def around(cls, value: Array, radius: Array) -> Self:
        """What is not finite is not known: the ball is then the whole line."""
        radius = np.where(np.isfinite(value + radius), radius, np.inf)
        known, centre = radius == 0, np.where(np.isfinite(radius), value, 0.0)
        return cls(value, np.where(known, value, np.nextafter(centre - radius, -np.inf)),
                   np.where(known, value, np.nextafter(centre + radius, np.inf)))

    @property
    def radius(self) -> Array:
        if self.low is self.high:
            return np.zeros_like(self.value)
        infinite = np.isinf(self.low) | np.isinf(self.high)
        low, value, high = (np.where(infinite, 0.0, x) for x in (self.low, self.value, self.high))
        return np.where(infinite, np.inf, upward(np.maximum(high - value, value - low), 1))

    @property
    def size(self) -> Array:
        return np.maximum(abs(self.low), abs(self.high))


def doubts(layer: Layer, x: Ball, to: Arithmetic, ids: Array | None = None) -> Array | bool:
    """Outputs whose weights are not known: x's ball does not decide the gate or winner, or they left the format.

    ids: units of the same number (twins.py) are equal.
    """
    return undecided(layer, x, ids) | layer.vanishing(x.value, to.least, to.largest)


def undecided(layer: Layer, x: Ball, ids: Array | None = None) -> Array | bool:
    """Outputs whose gate or winner x's ball does not decide."""
    if x.low is x.high:
        return False
    ids = np.arange(1, 1 + x.value.size).reshape(x.value.shape) if ids is None else ids
    return layer.undecided(x.low, x.high, x.value, ids)
