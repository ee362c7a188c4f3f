"""Fisher vectors, Eq. 5, regions, kernel machines and p-means by loops, one number at a time, from their formulas.

Nested lists in, nested lists or dicts out; no arrays. Numbers may be Fractions, Decimals or floats: what is irrational
(exp, square roots) is given as a function or as the roots themselves.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from lrp_ref.checks.definitions.units import Connections, Map, Units, affine, gate, lists, rational_root, units

Number = Any
Vector = Sequence[Number]
Matrix = Sequence[Vector]


# ---- Fisher vectors ----


def posteriors(x: Matrix, pi: Vector, mu: Matrix, variance: Matrix, exp: Callable[[Number], Number],
               sqrt: Callable[[Number], Number], threshold: Number = 0) -> list[list[Number]]:
    """gamma[l][k] = pi_k N(l; mu_k, sigma_k^2) / sum_k (the same); those below the threshold become 0."""
    gamma = []
    for descriptor in x:
        density = []
        for k in range(len(pi)):
            p = pi[k]
            for i in range(len(descriptor)):
                step = descriptor[i] - mu[k][i]
                p = p * exp(-step * step / (2 * variance[k][i])) / sqrt(variance[k][i])
            density.append(p)
        shares = [p / sum(density) for p in density]
        gamma.append([share if share >= threshold else 0 * share for share in shares])
    return gamma


def statistics(descriptor: Vector, gamma: Vector, mu: Matrix, sigma: Matrix, root_pi: Vector,
               root_2pi: Vector) -> dict[tuple[int, int, int], Number]:
    """{(0, k, i): Psi_mu_k(l)_i of Eq. 3, (1, k, i): Psi_sigma_k(l)_i of Eq. 4}"""
    psi = {}
    for k in range(len(mu)):
        for i in range(len(descriptor)):
            step = (descriptor[i] - mu[k][i]) / sigma[k][i]
            psi[0, k, i] = gamma[k] / root_pi[k] * step
            psi[1, k, i] = gamma[k] / root_2pi[k] * (step ** 2 - 1)
    return psi


def delta(r: int, which: int, k: int, i: int, gaussians: int, dimensions: int) -> int:
    """The Fisher dimension: region r, [mu_1 .. mu_K | sigma_1 .. sigma_K], coordinate i."""
    return r * 2 * gaussians * dimensions + which * gaussians * dimensions + k * dimensions + i


def fisher_map(x: Matrix, gamma: Matrix, mu: Matrix, sigma: Matrix, root_pi: Vector, root_2pi: Vector,
               coverage: Matrix) -> Map:
    """z_d = sum_l c_rl a_li psi_ld at a = 1; unit (l, i) reaches (d,) where d is made of coordinate i and c_rl > 0."""
    gaussians, dimensions = len(mu), len(x[0])
    psi = [statistics(descriptor, gamma[l], mu, sigma, root_pi, root_2pi) for l, descriptor in enumerate(x)]
    connections: Connections = {}
    for r in range(len(coverage)):
        for which in (0, 1):
            for k in range(gaussians):
                for i in range(dimensions):
                    d = delta(r, which, k, i, gaussians, dimensions)
                    connections[d,] = [((l, i), coverage[r][l], psi[l][which, k, i]) for l in range(len(x))
                                       if coverage[r][l] > 0]
    presence = dict.fromkeys(units([list(descriptor) for descriptor in x]), 1)
    return affine(presence, connections, dict.fromkeys(connections, 0), learned=False)


def away_from_zero(z: Number, epsilon: Number) -> Number:
    """z + epsilon sign z, sign 0 = +1"""
    return z + epsilon if z >= 0 else z - epsilon


def equation_5(m: Map, R: Vector, epsilon: Number) -> dict[tuple[int, ...], Number]:
    """R_li = sum_d Psi(l)_i / (sum_l' Psi(l')_i + epsilon sign) R_d over the d that coordinate i feeds; 0/0 = 0."""
    relevance: dict[tuple[int, ...], Number] = {}
    for (d,), reached in m.connections.items():
        below = away_from_zero(sum(c * psi for _, c, psi in reached), epsilon)
        for unit, c, psi in reached:
            share = c * psi / below * R[d] if below != 0 else 0
            relevance[unit] = relevance.get(unit, 0) + share
    return relevance


def per_descriptor(m: Map, R: Vector, epsilon: Number, descriptors: int) -> list[Number]:
    """R_l = sum_d m_ld / (sum_l' m_l'd + epsilon sign) R_d: the rule for whole descriptors."""
    out = []
    for l in range(descriptors):
        total = 0
        for (d,), reached in m.connections.items():
            s = sum(c * psi for _, c, psi in reached)
            m_ld = sum(c * psi for unit, c, psi in reached if unit[0] == l)
            if away_from_zero(s, epsilon) != 0:
                total += m_ld * R[d] / away_from_zero(s, epsilon)
        out.append(total)
    return out


def improved(z: Matrix, sqrt: Callable[[Number], Number]) -> list[Number]:
    """sgn(z_d) sqrt(|z_d| / |z_r|_2) / sqrt(sum_r |z_r|_1 / |z_r|_2), z[r] being region r: L2 each, signed root, L2."""
    norms = [sqrt(sum(z_d * z_d for z_d in region)) for region in z]
    whole = sqrt(sum(sum(abs(z_d) for z_d in region) / norm for region, norm in zip(z, norms) if norm))
    return [(1 if z_d > 0 else -1) * sqrt(abs(z_d) / norm) / whole if z_d else 0 * z_d
            for region, norm in zip(z, norms) for z_d in region]


# ---- Gates that follow it ----


def reciprocal(number: Number) -> Number:
    """1 / x, and 0 of 0"""
    return 1 / number if number else 0


def gated(a: Units, weight: Units) -> Map:
    """z_i = a_i w_i"""
    return gate(weight, {i: a[i] * weight[i] for i in a})


def signed_sqrt(a: Units) -> Map:
    """w_i = 1 / sqrt|a_i|, of squares of rationals"""
    return gated(a, {i: reciprocal(rational_root(abs(a[i]))) for i in a})


def parts(a: Units, count: int) -> Units:
    """In which of so many equal parts of the last axis a unit lies."""
    length = 1 + max(i[-1] for i in a)
    return {i: i[-1] * count // length for i in a}


def l2_norm(a: Units, count: int) -> Map:
    """w_i = 1 / |a|, the norm being that of the unit's part of its row"""
    part = parts(a, count)
    norms = {(i[:-1], p): rational_root(sum(a[k] ** 2 for k in a if (k[:-1], part[k]) == (i[:-1], p)))
             for i, p in part.items()}
    return gated(a, {i: reciprocal(norms[i[:-1], part[i]]) for i in a})


def region_mean(a: Units, counts: Vector) -> Map:
    """w_i = 1 / n_r of the unit's region r"""
    return gated(a, {i: reciprocal(counts[r]) for i, r in parts(a, len(counts)).items()})


# ---- Regions ----


def pyramid(x: Number, y: Number, width: int, height: int) -> list[int]:
    """The regions of 2x2 + 3x1 + 1x1 that hold the point (x, y), counted from 0."""
    axes = ((x, width, 2), (y, height, 2), (y, height, 3))
    xb, yb, hb = (math.ceil(Fraction(p + 1) * parts / n) for p, n, parts in axes)
    return [2 * (xb - 1) + (yb - 1), 4 + hb - 1, 7]


# ---- Kernel machines ----


def intersection(v: Number, x: Number) -> Number:
    return v if v < x else x


def chi_square(v: Number, x: Number) -> Number:
    return 2 * v * x / (v + x) if v + x else 0


def negative_chi_square(v: Number, x: Number) -> Number:
    return -(v - x) ** 2 / (v + x) if v + x else 0


def additive(k: Callable[[Number, Number], Number], support: Matrix, alphas: Matrix, bias: Vector,
             x: Vector) -> tuple[list[list[Number]], list[Number]]:
    """w[d][c] = sum_s alpha_cs k(v_sd, x_d), and f_c = sum_d w_dc + b_c"""
    w = [[sum(alphas[c][s] * k(support[s][d], x[d]) for s in range(len(support))) for c in range(len(bias))]
         for d in range(len(x))]
    return w, [sum(w[d][c] for d in range(len(x))) + bias[c] for c in range(len(bias))]


def additive_map(k: Callable[[Number, Number], Number]) -> Callable[..., Map]:
    """The map of a machine whose kernel is a sum over dimensions: w_dc at a = 1, and b_c"""
    def at(a: Units, support: Matrix, alphas: Matrix, bias: Vector, root: Vector | None, spread: bool) -> Map:
        if root or spread:
            raise TypeError("no definition of a machine at a root, or whose bias is spread")
        w, f = additive(k, support, alphas, bias, lists(a))
        connections: Connections = {(c,): [((d,), 1, w[d][c]) for d in range(len(w))] for c in range(len(f))}
        return affine(dict.fromkeys(a, 1), connections, {(c,): bias[c] for c in range(len(f))}, learned=False)
    return at


def machine(kernel: Callable[[Vector, Vector], Number], support: Matrix, alphas: Matrix, bias: Vector,
            x: Vector) -> list[Number]:
    """f_c = sum_s alpha_cs k(v_s, x) + b_c"""
    return [sum(alphas[c][s] * kernel(support[s], x) for s in range(len(support))) + bias[c] for c in range(len(bias))]


# ---- Pooling ----


def p_means(m: Vector, p: Number, power: Callable[[Number, Number], Number]) -> tuple[Number, list[Number]]:
    """z = (1/L sum_l m_l^p)^(1/p), w_l = m_l^(p-1) z^(1-p) / L; all 0 where z is."""
    mean = sum(power(number, p) for number in m) / len(m)
    if mean == 0:
        return 0 * mean, [0 * mean for _ in m]
    z = power(mean, 1 / p)
    return z, [power(number, p - 1) / power(z, p - 1) / len(m) for number in m]


def rational_p_means(a: Units, p: Number) -> Map:
    """z_d = sum_l a_ld w_ld, for p = 1 with w = 1 / L, for p = inf with w shared by the winners, for p = 2 rational."""
    connections: Connections = {}
    for d, column in enumerate(zip(*lists(a))):
        if p in (1, math.inf):
            chosen = [p == 1 or value == max(column) for value in column]
            w: Vector = [Fraction(one, sum(chosen)) for one in chosen]
        else:
            w = p_means(column, Fraction(p), rational_power)[1]
        connections[d,] = [((l, d), 1, w[l]) for l in range(len(column))]
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)


def rational_power(number: Fraction, exponent: Fraction) -> Fraction:
    return rational_root(number) if exponent == Fraction(1, 2) else number ** int(exponent)
