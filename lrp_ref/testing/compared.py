"""|actual - value| <= radius: the verdict on what an implementation gave, element by element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lrp_ref.arrays import Array

SIGMAS = 6
VERDICTS = ("exact", "pass", "loose", "fail", "undetermined")


@dataclass(frozen=True, eq=False)
class Compared:
    """One array of relevance against its value: element by element, how far off and how far it may be.

    layers  those that handed it down, one but where several read a tensor; none: it is the image's, through all layers
    radius  a bound (one layer), or 6 sigma (several): |actual - value| <= radius
    exact   how far the float64 value may be from the exact one; None where that is not known
    """

    layers: tuple[str, ...]
    actual: Array
    value: Array
    radius: Array
    exact: Array | None
    sigma: Callable[[], Array] = field(repr=False)

    @property
    def what(self) -> str:
        if not self.layers:
            return "the relevance of the image"
        return layers_in_words(self.layers)

    @property
    def error(self) -> Array:
        with np.errstate(invalid="ignore"):
            error = abs(self.actual.astype(np.float64) - self.value)
        return np.where(np.isnan(error), np.inf, error)

    @property
    def failed(self) -> Array:
        return (self.error > self.radius) | ~np.isfinite(self.actual)

    @property
    def undetermined(self) -> Array:
        """Not known to be wrong, but the bound exceeds the value: it could have been anything of that size."""
        known = np.isfinite(self.radius) & (self.radius <= abs(self.value))   # of NaN nothing is known
        return ~self.failed & ~known

    @property
    def excess(self) -> Array:
        """Error over bound; 0 where there is no error, infinite where none is allowed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.error == 0, 0.0, np.nan_to_num(self.error / self.radius, nan=np.inf, posinf=np.inf))

    def verdicts(self) -> Counter[str]:
        """How many elements are exact (correctly rounded, and known to be), pass (within half a unit in the last
        place or 6 sigma), loose (within the bound), fail, undetermined."""
        pass_ = self.error <= np.maximum(SIGMAS * self.sigma(), abs(self.value) * np.finfo(self.actual.dtype).eps / 2)
        rounded = np.zeros(self.value.shape, bool)
        if self.exact is not None:
            ends = [(self.value + side * self.exact).astype(self.actual.dtype) for side in (-1, 1)]
            rounded = (ends[0] == ends[1]) & (self.actual == ends[0])
        kinds = np.select([self.failed, self.undetermined, rounded, pass_], ["fail", "undetermined", "exact", "pass"],
                          "loose")
        return Counter({str(kind): int(n) for kind, n in zip(*np.unique(kinds, return_counts=True))})


def layers_in_words(layers: Sequence[str]) -> str:
    """Layers as the beginning of a sentence."""
    return f"layer{'s' * (len(layers) > 1)} {' and '.join(layers)}"


@dataclass(frozen=True, eq=False)
class Report:
    """What was compared, highest layer first; print it for a table of verdicts."""

    compared: Sequence[Compared]

    def __str__(self) -> str:
        width = max(len(c.what) for c in self.compared)
        lines = [" ".join([" " * width, *(f"{v:>12}" for v in VERDICTS), "  error/bound"])]
        for c in self.compared:
            verdicts = c.verdicts()
            lines.append(" ".join([c.what.ljust(width), *(f"{verdicts[v]:12}" for v in VERDICTS),
                                   f"{float(c.excess.max()):13.2g}"]))
        return "\n".join(lines)


def relative_distance(got: Array, wanted: Array, floor: float) -> float:
    """The largest |got - wanted| / |wanted|; numbers of less than `floor` of the largest wanted count as that large.

    floor  1: as a part of the largest; u ** 0.5: what cancels may lose half the digits of a format. Infinite where the
           shapes differ or a number is not finite.
    """
    if got.shape != wanted.shape or not (np.isfinite(wanted).all() and np.isfinite(got).all()):
        return np.inf
    size = np.maximum(abs(wanted), abs(wanted).max(initial=0) * floor)
    error = abs(got.astype(np.float64) - wanted)
    return float(np.where(error == 0, 0.0, error / np.where(size == 0, np.finfo(np.float32).tiny, size)).max(initial=0))


def distance(got: Array, wanted: Array, u: float) -> float:
    """The relative distance in a format of that unit roundoff."""
    return relative_distance(got, wanted, u**0.5)
