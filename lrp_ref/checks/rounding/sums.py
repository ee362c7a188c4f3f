"""|z_j computed - z_j| <= dz_j: how far rounding can carry a layer's sums.

The inputs a and the weights are given exactly; an evaluation in a format with unit roundoff u sums the rule's own terms
in any order. With z_ij = sum over terms c_ij a_i f(w_ij) and z_j = sum_i z_ij + sum over terms b_j (rules.py):

    Z_j  = sum |c_ij a_i f(w_ij)| + |b_j|             N_j  how many of these numbers are not 0
    S_j  = (Z_j + |z_j|) / 2                          the largest sum of one sign: no partial sum is larger
    dz_j = gamma_(F + 3) Z_j + (1 + gamma_(F + 3)) gamma_(N_j - 1) S_j + eta N_j (3 + A)
                                                       F roundings of f(w), one of a (a rule's bound), products
                                                       with a and c; N_j - 1 sums

gamma_k = k u / (1 - k u) bounds the product of k roundings. A is the largest |a_i|, eta the smallest positive number: a
product that underflows is wrong by eta / 2.

Whatever the order, each of the N - 1 additions makes a partial sum s + e, e being what it is off already, and rounds it
by u |s + e| <= u (S + |e|). So e grows by at most the factor 1 + u and the amount u S with every addition that it goes
through, and in the end |e| <= ((1 + u)^(N - 1) - 1) S <= gamma_(N - 1) S.

dz_j = 0 where no sum can round: all c a f(w) and b are multiples of one 2^e and Z_j <= 2^e / u, as whole numbers are.

If a is only known within da, dz_j += sum |c_ij f(w_ij)| da_i and S_j += half of that.

All this is computed in float64, upwards: every sum of non-negative numbers is multiplied by 1 + 4 k 2^-53, k being more
than the roundings it took; eta in place of eta / 2 leaves as much for the bound's own underflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from lrp_ref.arrays import Array, ones_like
from lrp_ref.checks.rounding.arithmetic import (
    FLOAT64,
    Arithmetic,
    coverage,
    lowest_bit,
    lowest_bit_of,
    precision,
    present,
    roundings,
    size,
    upward,
)
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.layers.base import Roundings
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule

MARGIN = 64   # more float64 roundings than a bound takes besides its sums


@dataclass(frozen=True, eq=False)
class Sum:
    """z_j of some terms; Z_j, N_j, what z_j may be off for the inputs' sake, F and A.

    bias    the roundings of b, the size of what it was made of where it is a term and where it is not, and b itself
    lowest  the largest e for which all products and biases are multiples of 2^e; -inf if not known, inf if all are 0
    """

    z: Array
    size: Array
    count: Array
    spread: Array
    roundings: int
    largest: float
    bias: tuple[int, Array, Array, Array]
    lowest: float

    def error(self, to: Arithmetic) -> Array:
        """dz_j of an evaluation in that arithmetic on inputs that are themselves off"""
        unit = np.ldexp(1.0, int(max(self.lowest, -3000))) if np.isfinite(self.lowest) else 0.0
        exact = (unit >= to.eta) & (self.size <= min(unit * precision(to.u), to.largest))
        k, own, other, b = self.bias
        unsure = abs(b) <= to.gamma(k + 8) * other   # positive(b) is 0 where b < 0; but is it?
        bias = own + np.where(unsure, other, 0.0)
        product = to.gamma(self.roundings + 3)
        of_one_sign = (self.size + abs(self.z) + self.spread) / 2
        of_one_sign = of_one_sign + FLOAT64.gamma(self.count + self.roundings + 2) * self.size   # z is a float64
        sums = to.gamma(np.maximum(self.count - 1, 0)) * np.where(self.count > 1, of_one_sign, 0.0)
        rounded = (product * self.size + (1 + product) * sums
                   + to.eta * self.count * (3 + self.largest) + to.gamma(self.count + k + 8) * bias)
        rounded = np.where(exact | (self.count == 0) & (bias == 0), 0.0, rounded)
        return upward(rounded + self.spread, self.count.max(initial=0) + MARGIN)


def added(m: LinearMap, terms: Sequence[tuple[Term, Ball]], R: Array, origin: Roundings,
          rule: Rule | None = None) -> Sum:
    """z_j = sum over terms, sum_i c_ij a_i f(w_ij) + b_j, with all that bounds it; the rule's, or the layer's own."""
    zero = np.zeros_like(R)
    z, total, count, spread = zero, zero, zero, zero
    smallest, lowest = coverage(m)
    counted, bits, largest = smallest > 0, [], 0.0
    exact_weights = origin.weight == 0 or all(t.f is ones_like for t, _ in terms) or powers_of_two(m, origin)
    exact_weights = exact_weights and (rule is None or dyadic(rule))
    stretch = 1 + float(getattr(rule, "gamma", 0))   # f(b) = b + gamma g(b) is so much further off than b
    for t, a in terms:
        z = z + m.apply(t.a, t.f) + t.b
        total = total + m.apply(a.size, size(t.f)) + abs(t.b)
        there = m.apply(np.where(a.size > 0, 1.0, 0.0), present(t.f))
        addends = there / smallest if counted else np.where(there > 0, float(a.size[0].size), 0.0)
        count = count + np.ceil(addends) + (np.asarray(t.b) != 0)
        if a.low is not a.high:
            spread = spread + m.apply(a.radius, size(t.f))
            bits += [-np.inf] if (a.low != a.high).any() else []
        if (t.a != 0).any() and counted and exact_weights:
            bits.append(lowest_bit(t.a) + (lowest_bit_of(t.f, m.weight) if t.f is not ones_like else 0) + lowest)
        bits.append(lowest_bit(np.asarray(t.b, dtype=float)))
        largest = max(largest, float(a.size.max(initial=0)))
    has_bias = reduce(np.logical_or, (np.asarray(t.b) != 0 for t, _ in terms), zero != 0)
    sizes = zero + origin.size * stretch
    bias = origin.bias, np.where(has_bias, sizes, 0.0), np.where(has_bias, 0.0, sizes), m.bias + zero
    low = min(bits) if counted and exact_weights and not sizes.any() else -np.inf
    most = max(roundings(t.f, origin.weight) for t, _ in terms)
    return Sum(z, upward(total, count.max(initial=0) + MARGIN), count, spread, most, largest, bias, low)


def dyadic(rule: Rule) -> bool:
    """Whether every parameter of the rule that its sums are made with is known as a float exactly (a third is not)."""
    values = [value for name, value in vars(rule).items() if name != "epsilon"]
    return not any(map(callable, values)) and all(dyadic(value) if isinstance(value, Rule) else
               all(n == Fraction(float(n)) for n in np.ravel(np.asarray(value, dtype=object))) for value in values)


def powers_of_two(m: LinearMap, origin: Roundings) -> bool:
    """Whether weights made in one rounding (1 / n, a scale) are powers of two, and so exact."""
    return origin.weight == 1 and bool(np.isin(np.frexp(m.weight)[0], (0.0, 0.5, -0.5)).all())
