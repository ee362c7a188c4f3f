"""Fisher vectors: what a mixture of Gaussians says about a set of descriptors (Eq. 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array, Shape, as_numbers, constant, is_fraction, is_number, ones_like, same, sqrt, zeros
from lrp_ref.hints import quotable, shown
from lrp_ref.layers.base import Layer, Roundings, parameter
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.layers.fisher.regions import Group, grouped
from lrp_ref.layers.fisher.vector_map import ROWS, FisherMap, powers, slices, views
from lrp_ref.linear_map import LinearMap

MIXTURE = 0.99, 1.01   # that weights come to in all: fits stop early and files round; counts are off by much more


@dataclass(frozen=True, eq=False)
class FisherVector(Layer):
    """z = sum_l c_rl [Psi_mu_1 .. Psi_mu_K | Psi_sigma_1 .. Psi_sigma_K] of descriptor l, region after region.

    Psi_mu_k    = gamma_k / sqrt(pi_k)    (l - mu_k) / sigma_k                 (Eq. 3)
    Psi_sigma_k = gamma_k / sqrt(2 pi_k)  ((l - mu_k)^2 / sigma_k^2 - 1)       (Eq. 4)

    x (N, L, D) to (N, regions 2 K D), in VLFeat's order; raw sums, without 1/N (see RegionMean). gamma_k is the
    posterior of Gaussian k given l. Its map has a = 1 (presence) and psi as weights, so that Epsilon is Eq. 5.

    weights    pi (K,)
    means      mu (K, D)
    variances  sigma^2 (K, D), the diagonals
    regions    c_rl (regions, L), the part of descriptor l that lies in region r, from `regions_of`; None: one region
               that holds all. A region without descriptors has z = 0, as in VLFeat
    threshold  a posterior below it counts as 0, in the sum and for its relevance; the others stay as they are.
               VLFeat's is 1e-6. (VLFeat also leaves out Gaussians of a weight below 1e-6; here they count.)
    """

    weights: Any
    means: Any
    variances: Any
    regions: Any = None
    threshold: Any = 0

    hands_down = "by contribution"
    roundings = Roundings(unknown="computes its weights from sums that may cancel")

    @classmethod
    def example(cls) -> Example:
        """A region that holds all, one that holds parts, one that holds none."""
        regions = fractions("1 0 1 1, 1/2 1 0 1/4, 0 0 0 0")
        mixture = fractions("2/7 5/7"), mixed((2, 3), 63), abs(mixed((2, 3), 64)) + fractions("1/2")
        return Example(cls(*mixture, regions, Fraction(1, 50)), (4, 3), rational=False)

    @property
    def doubt(self) -> str:
        total = float(self.weights.sum())
        odd = total < MIXTURE[0]   # as where Gaussians were left out
        return f"FisherVector got weights whose sum is {total:.6g}, and not 1: are they all of a mixture's?" * odd

    def __post_init__(self) -> None:
        shape = parameter(self, "means").shape
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"FisherVector got means of shape {shape}, needed (K, D): one row per Gaussian")
        weights, variances = parameter(self, "weights"), parameter(self, "variances")
        if variances.shape != shape:
            raise ValueError(f"FisherVector got variances of shape {variances.shape} for means of shape {shape}, "
                             "needed the diagonals (K, D): fit the mixture with diagonal covariances")
        if weights.shape != shape[:1]:
            cure = ": transpose means and variances to (K, D)?" if weights.shape == shape[1:] else ""
            raise ValueError(f"FisherVector got weights of shape {weights.shape} for means of shape {shape}, needed "
                             f"({shape[0]},){cure}")
        for name, values in (("weight", weights), ("variance", variances)):
            if not (values > 0).all():
                where = tuple(map(int, np.argwhere(values <= 0)[0]))
                raise ValueError(f"FisherVector got a {name} of {values[where]} at {where}, needed {name}s above 0: "
                                 "leave that Gaussian out, or fit the mixture with fewer")
        total = weights.sum()
        if not total <= constant(MIXTURE[1], weights):
            raise ValueError(f"FisherVector got weights whose sum is {quotable(total, 12)}, needed those of a mixture, "
                             "whose sum is 1: use weights / weights.sum()")
        if not is_number(self.threshold, 0, below=1):
            raise ValueError(f"FisherVector got threshold={shown(self.threshold)}, needed a number from 0 to below 1")
        if self.regions is not None:
            object.__setattr__(self, "regions", constant(as_numbers(self.regions, "FisherVector regions"), weights))
            regions = parameter(self, "regions")
            if regions.ndim != 2 or regions.size == 0 or not ((regions >= 0) & (regions <= 1)).all():
                raise ValueError(f"FisherVector got regions of shape {regions.shape}, needed (regions, L), the part of "
                                 "each descriptor in each region, from 0 to 1")

    @property
    def groups(self) -> tuple[Group, ...]:
        return () if self.regions is None else grouped(self.regions)

    def __call__(self, x: Array) -> Array:
        z = zeros(self.output_shape(x.shape), x)
        for n in range(len(x)):   # Same result as linearize(x)[1]; the posteriors of one image may take 150 MB.
            one = x[n : n + 1]
            z[n] = self.at(one, Posteriors.of(self, one)).apply(ones_like(one), same)[0]
        return z

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        return ones_like(x), self.at(x, self.posteriors(x))

    def at(self, x: Array, posteriors: Any) -> FisherMap:
        """The map at descriptors x (N, L, D) with given posteriors (N, L, K)."""
        self.output_shape(x.shape)
        one = constant(1, self.weights)
        try:
            u, v, deviations = one / sqrt(self.weights), one / sqrt(self.weights + self.weights), sqrt(self.variances)
        except ValueError as error:
            raise ValueError(f"FisherVector has no exact form here: {error}; or give FisherMap the roots") from None
        return FisherMap(x, posteriors, self.means, deviations, u, v, self.regions, self.groups)

    def posteriors(self, x: Array) -> Array:
        """gamma_k(l) = pi_k N(l; mu_k, sigma_k^2) / sum of that over k, and 0 where below the threshold: (N, L, K).

        Of float32 also where below 1e-19, of float64 1e-154: the root of the smallest normal number.
        """
        self.output_shape(x.shape)
        few = Posteriors.of(self, x)
        gamma = np.empty_like(x, shape=few.shape)
        for n in range(len(x)):
            for rows in slices(x.shape[1], ROWS):
                few.into(gamma[n, rows], n, rows)
        return gamma

    def output_shape(self, shape: Shape) -> Shape:
        k, d = self.means.shape
        if len(shape) != 3 or shape[1] == 0 or shape[2] != d:
            raise ValueError(f"FisherVector got descriptors of shape {shape}, but means {(k, d)} need (N, L, {d}), "
                             "at least one descriptor")
        count, descriptors = (1, shape[1]) if self.regions is None else self.regions.shape
        if descriptors != shape[1]:
            raise ValueError(f"FisherVector got {shape[1]} descriptors, but its regions are those of {descriptors}: "
                             "make the regions for this image size")
        return shape[0], count * 2 * k * d


class Exponents(NamedTuple):
    """Of some Gaussians (an index of them), seen from a point: the factors (1 + 2 D, K) of [1, y, y^2]."""

    some: Any
    point: Array
    factors: Array


@dataclass(frozen=True, eq=False)
class Posteriors:
    """gamma[n, rows] (rows, K), worked out when asked for.

    With y = l less some point the exponents log pi_k - 1/2 sum_i (log sigma_ki^2 + (l_i - mu_ki)^2 / sigma_ki^2) are
    [1, y, y^2] times factors (1 + 2 D, K). `seen[0]` serves all Gaussians; each later entry replaces one
    that is too narrow for that point.
    """

    x: Array
    seen: Sequence[Exponents]
    least: Any
    shape: Shape

    @staticmethod
    def of(layer: FisherVector, x: Array) -> Posteriors:
        if is_fraction(layer.weights):
            raise ValueError("FisherVector has no exact form, for posteriors are exponentials: use Decimal or a float, "
                             "or FisherMap with posteriors of your own")
        prior = log(layer.weights) - log(layer.variances).sum(axis=1) / 2
        seen: list[Exponents] = []
        for some, point in views(x, layer.means, layer.variances):
            some = some if seen else slice(None)
            mu, variances = layer.means[some] - point, layer.variances[some]
            twice = variances + variances
            rest = prior[some] - (mu * mu / twice).sum(axis=1)
            factors = np.concatenate([rest[:, None], mu / variances, constant(-1, x) / twice], axis=1)
            seen.append(Exponents(some, point, factors.T))
        return Posteriors(x, seen, constant(layer.threshold, x), (*x.shape[:2], len(layer.weights)))

    def __getitem__(self, where: tuple[int, slice]) -> Array:
        n, rows = where
        return self.into(np.empty_like(self.x, shape=(len(self.x[where]), self.shape[2])), n, rows)

    def into(self, gamma: Array, n: int, rows: slice) -> Array:
        x, least = self.x[n, rows], self.least
        (_, first, every), *others = self.seen
        np.matmul(powers(x, first), every, out=gamma)
        for some, point, factors in others:
            gamma[:, some] = powers(x, point) @ factors
        gamma -= gamma.max(axis=1, keepdims=True)
        if x.dtype != object:
            # A posterior below this shows nowhere beside the others, nor does its root. Kept, it would make products
            # below the type's smallest normal number, with which processors are ten times slower.
            root = np.sqrt(np.finfo(x.dtype).tiny)
            least = max(least, root)
            np.maximum(gamma, np.log(root) - 1, out=gamma)
        np.exp(gamma, out=gamma)
        gamma /= gamma.sum(axis=1, keepdims=True)
        gamma *= gamma >= least
        return gamma


def log(x: Array) -> Array:
    """The natural logarithm, of Decimals too."""
    logarithm: Any = np.frompyfunc(lambda number: number.ln(), 1, 1) if x.dtype == object else np.log
    return logarithm(x)
