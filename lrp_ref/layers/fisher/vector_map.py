"""z_d = sum_l c_rl a_li psi_ld: the map of a Fisher vector, whose weights psi are the descriptors' own statistics.

Coordinate i of descriptor l feeds only the dimensions delta(i, Psi) that are made of it: for each region, two of each
Gaussian. Descriptors x Gaussians x dimensions are never there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, everywhere, ones_like, same, zeros
from lrp_ref.layers.fisher.regions import Group, grouped
from lrp_ref.linear_map import LinearMap

ROWS = 2048        # descriptors worked on at a time, so that their posteriors stay in the processor's cache
NUMBERS = 1 << 18  # likewise statistics psi, where a function of the weights needs each of them
SPREAD = 1e5       # (l - mu)^2 / sigma^2 is not expanded where it may be larger: too many digits would cancel


class View(NamedTuple):
    """Some Gaussians (an index of them), and the point from which descriptors and their means are seen."""

    some: Any
    point: Array


class Block(NamedTuple):
    """Some descriptors x (n, D) of a group, their posteriors gamma (n, K), and c_rl (n,) where it is not even.

    at    (group, sample)
    rows  where the descriptors are in the batch
    """

    at: tuple[int, int]
    x: Array
    gamma: Array
    rows: Any
    c: Array | None


@dataclass(frozen=True, eq=False)
class FisherMap(LinearMap):
    """psi_ld = gamma_k u_k (l_i - mu_ki) / sigma_ki  and  gamma_k v_k ((l_i - mu_ki)^2 / sigma_ki^2 - 1), c_ij = c_rl.

    x           the descriptors l (N, L, D)
    posteriors  gamma (N, L, K): an array, or what gives gamma[n, rows] when asked
    means       mu (K, D)
    deviations  sigma (K, D)
    u, v        1 / sqrt(pi) and 1 / sqrt(2 pi), (K,). (No pi has both rational: exact arithmetic wants them given.)
    regions     c_rl (regions, L); None: one region that holds all

    psi = gamma_k (P_0 + P_1 y + P_2 y^2) is a polynomial in y = l_i less some constant. So with f(w) = w both sums are
    products of matrices,

        gamma^T a,  gamma^T (a y),  gamma^T (a y^2)     and     y^2 (gamma A_2) + y (gamma A_1) + gamma A_0,

    A_p being the s_j that coordinate i feeds times their P_p. Other functions of the weights look at every psi.
    """

    x: Array
    posteriors: Any
    means: Array
    deviations: Array
    u: Array
    v: Array
    regions: Array | None = None
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        needed = (*self.x.shape[:2], len(self.means))
        if self.posteriors.shape != needed:
            raise ValueError(f"FisherMap got posteriors of shape {self.posteriors.shape}, needed (N, L, K): {needed}")
        if not self.groups:
            object.__setattr__(self, "groups", grouped(self.coverage))

    @property
    def coverage(self) -> Array:
        """c_rl (regions, L)"""
        return ones_like(self.x[:1, :, 0]) if self.regions is None else self.regions

    @property
    def coverages(self) -> Array:
        return self.coverage[self.coverage > 0]

    @property
    def bias(self) -> Array:  # type: ignore[override]
        return zeros((1,), self.means)

    @property
    def weight(self) -> Array:  # type: ignore[override]
        """Every psi, (N, L, 2, K, D): for looking at a few descriptors."""
        every = slice(None)
        return np.stack([self.statistics(x, self.posteriors[n, every]) for n, x in enumerate(self.x)])

    def statistics(self, x: Array, gamma: Array) -> Array:
        """psi of descriptors (n, D) with posteriors (n, K): (n, 2, K, D)"""
        steps = (x[:, None] - self.means) / self.deviations
        first, second = gamma[:, :, None] * self.u[:, None], gamma[:, :, None] * self.v[:, None]
        return np.stack([first * steps, second * (steps * steps - constant(1, x))], axis=1)

    @property
    def seen(self) -> list[View]:
        return views(self.x, self.means, self.deviations * self.deviations)

    @property
    def polynomial(self) -> Array:
        """P (2, K, 3, D)"""
        mu, u, v = self.means.copy(), self.u[:, None], self.v[:, None]
        for some, point in self.seen:
            mu[some] -= point
        first, second = u / self.deviations, v / (self.deviations * self.deviations)
        return np.stack([np.stack([-mu * first, first, 0 * first], axis=1),
                         np.stack([mu * mu * second - v, -(mu + mu) * second, second], axis=1)])

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        sums = iter(self.sums(a, [f for f in functions if f is not ones_like]))
        out = [zeros((len(a), len(self.coverage), 2, *self.means.shape), a) for _ in functions]
        for z, f in zip(out, functions):
            if f is ones_like:
                z += (self.coverage @ a)[:, :, None, None]
                continue
            for group, part in zip(self.groups, next(sums)):
                z[:, group.regions] += group.share(self.coverage) * part[:, None]
        return [np.reshape(z, (len(a), -1)) for z in out]

    def sums(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        """sum_l a_li f(psi_ld) over every group, (groups, N, 2, K, D) for each f."""
        k, d = self.means.shape
        z = [zeros((len(self.groups), len(a), 2, k, d), a) for _ in functions]
        present = everywhere(1, a)   # Same result with False: then every coordinate has a count of its own.
        total = zeros((len(self.groups), len(a), k, (1 if present else d) + 2 * d), a)
        seen = self.seen if same in functions else []
        others = [(z_f, f) for z_f, f in zip(z, functions) if f is not same]
        for at, x, gamma, rows, c in self.blocks() if functions else ():
            for some, point in seen:
                total[at][some] += gamma[:, some].T @ weighed(powers(x, point, None if present else a[rows]), c)
            for few in self.few(len(x) if others else 0):
                psi = self.statistics(x[few], gamma[few])
                b = weighed(a[rows], c)[few, None, None]
                for z_f, f in others:
                    z_f[at] += (b * f(psi)).sum(axis=0)
        if same in functions:
            counts, rest = total[..., : -2 * d], np.reshape(total[..., -2 * d :], (*total.shape[:-1], 2, d))
            first, second, third = np.moveaxis(self.polynomial, 2, 0)
            moments = first * counts[:, :, None] + second * rest[:, :, None, :, 0] + third * rest[:, :, None, :, 1]
        return [moments if f is same else z_f for z_f, f in zip(z, functions)]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        (k, d), out = self.means.shape, zeros(shape, s[0])
        by_region = [np.reshape(s_f, (shape[0], len(self.coverage), 2, k, d)) for s_f in s]
        slopes, others, seen, polynomial = [], [], self.seen, self.polynomial
        for s_f, f in zip(by_region, functions, strict=True):
            if f is ones_like:
                out += self.coverage.T @ s_f.sum(axis=(2, 3))
            elif f is same:
                slopes.append([(polynomial * s_g[:, :, :, None]).sum(axis=1) for s_g in self.shares(s_f)])
            else:
                others.append((self.shares(s_f), f))
        for (g, n), x, gamma, rows, c in self.blocks() if slopes or others else ():
            received = zeros(x.shape, x)
            for slope, (some, point) in product(slopes, seen):
                received += polynomials(x - point, gamma[:, some], slope[g][n][some])
            for few in self.few(len(x) if others else 0):
                psi = self.statistics(x[few], gamma[few])
                for s_g, f in others:
                    received[few] += (f(psi) * s_g[g][n]).sum(axis=(1, 2))
            out[rows] += weighed(received, c)
        return out

    def shares(self, s: Array) -> list[Array]:
        """sum_r c_r s_r over the regions of each group, s (N, regions, 2, K, D): a (N, 2, K, D) for each."""
        return [(group.share(self.coverage) * s[:, group.regions]).sum(axis=1) for group in self.groups]

    def blocks(self) -> Iterator[Block]:
        """The descriptors of every group, some at a time."""
        for n, x in enumerate(self.x):
            for chunk in slices(len(x), ROWS):
                gamma = self.posteriors[n, chunk]
                for g, group in enumerate(self.groups):
                    rows = group.rows(chunk)
                    if rows is not None:
                        inside = gamma if rows is chunk else gamma[rows - chunk.start]
                        yield Block((g, n), x[rows], inside, (n, rows), group.parts(self.coverage, rows))

    def few(self, rows: int) -> Iterator[slice]:
        """So many descriptors, a few at a time: as many as may have all their psi in memory."""
        return slices(rows, max(1, NUMBERS // (2 * self.means.size)))


def views(x: Array, means: Array, variances: Array) -> list[View]:
    """Which Gaussians to see from which point, so that (l - mu)^2 = y^2 - 2 y mu' + mu'^2 keeps its digits.

    y = l - point, mu' = mu - point: from the mean of the means, all but the Gaussians that are too narrow for that
    (one may hold the empty descriptors, which are all the same); those from their own mean, one by one.
    """
    point = means.sum(axis=0) / constant(len(means), means)
    if x.dtype == object:
        return [View(slice(None), point)]
    reach = np.maximum(x.max(axis=(0, 1)) - point, point - x.min(axis=(0, 1))) + abs(means - point)
    narrow = (reach * reach / variances).sum(axis=1) > SPREAD
    alone = [View(slice(k, k + 1), means[k]) for k in np.flatnonzero(narrow)]
    wide = np.flatnonzero(~narrow) if alone else slice(None)
    return alone if narrow.all() else [View(wide, point), *alone]


def powers(x: Array, point: Array, a: Array | None = None) -> Array:
    """[1, y, y^2] of y = x - point (n, D): (n, 1 + 2 D); or, given a (n, D), [a, a y, a y^2]: (n, 3 D)"""
    d = x.shape[1]
    out = np.empty_like(x, shape=(len(x), (1 if a is None else d) + 2 * d))
    one, y, squares = out[:, : -2 * d], out[:, -2 * d : -d], out[:, -d:]
    np.subtract(x, point, out=y)
    np.multiply(y, y, out=squares)
    if a is None:
        one[...] = constant(1, x)
    else:
        one[...] = a
        y *= a
        squares *= a
    return out


def polynomials(y: Array, gamma: Array, s: Array) -> Array:
    """sum_k gamma_k (s_k0 + s_k1 y + s_k2 y^2) of y (n, D), gamma (n, K) and s (K, 3, D): (n, D)"""
    s0, s1, s2 = np.split(gamma @ np.reshape(s, (len(s), -1)), 3, axis=1)
    return (s2 * y + s1) * y + s0


def weighed(b: Array, c: Array | None) -> Array:
    """c_rl b_li"""
    return b if c is None else c[:, None] * b


def slices(length: int, size: int) -> Iterator[slice]:
    """0 .. length - 1, so many at a time"""
    return (slice(first, min(first + size, length)) for first in range(0, length, size))
