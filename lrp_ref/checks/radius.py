"""|R_i computed - R_i| <= B_i: how far rounding can carry a layer's relevance.

The inputs a, the weights and R are given exactly; an evaluation in a format with unit roundoff u sums the
rule's own terms in any order, and multiplies and divides each product in any order. For every share (rules.py), with
p its part, z_ij = sum over terms c_ij a_i f(w_ij), z_j = sum_i z_ij + sum over terms b_j, d_j = z_j + epsilon sign z_j,
q_j = p_j R_j / d_j:

    Z_j  = sum |c_ij a_i f(w_ij)| + |b_j|             N_j  how many of these numbers are not 0
    S_j  = (Z_j + |z_j|) / 2                          the largest sum of one sign: no partial sum is larger
    dz_j = gamma_(F + 3) Z_j + (1 + gamma_(F + 3)) gamma_(N_j - 1) S_j + eta N_j (3 + A)
                                                       F roundings of f(w), one of a (a rule's bound), products
                                                       with a and c; N_j - 1 sums
    dd_j = (1 + u) (dz_j + u epsilon) + u |d_j|        only dz_j where epsilon = 0
    dq_j = |p_j R_j| dd_j / (|d_j| (|d_j| - dd_j)) + gamma_5 |p_j R_j| / (|d_j| - dd_j) + 2 eta (1 + 1 / (|d_j| - dd_j))
    B_i  = sum over shares, terms  |a_i| sum_j |c_ij f(w_ij)| (dq_j + gamma_(F + 3 + M_i) (|q_j| + dq_j))
           + eta (2 + |a_i|) sum_j (1 + |q_j| + |p_j R_j| + 1 / (|d_j| - dd_j))      M_i  messages that are not 0

gamma_k = k u / (1 - k u) bounds the product of k roundings; gamma_5: p = 1 + beta, p R, 1 / d, times 1 / d. A is the
largest |a_i|, eta the smallest positive number: a product or quotient that underflows is wrong by eta / 2.

Whatever the order, each of the N - 1 additions makes a partial sum s + e, e being what it is off already, and rounds it
by u |s + e| <= u (S + |e|). So e grows by at most the factor 1 + u and the amount u S with every addition that it goes
through, and in the end |e| <= ((1 + u)^(N - 1) - 1) S <= gamma_(N - 1) S.

dz_j = 0 where no sum can round: all c a f(w) and b are multiples of one 2^e and Z_j <= 2^e / u, as whole numbers are.
Then z_j = 0 is known to be 0, and sign(0) and "0 hands nothing down" can be told. Elsewhere, an output with
|d_j| <= dd_j is undetermined: every input it reaches has an infinite radius. So is one whose sign chooses between
shares (Gamma) or the stabiliser's side where |z_j| <= dz_j, and one where a number exceeds the format's largest.

If a and R are only known within da and dR, each formula has one product more:

    dz_j += sum |c_ij f(w_ij)| da_i,  S_j += half of that,  dq_j += |p_j| dR_j / |d_j|,
    B_i += da_i sum_j |c_ij f(w_ij)| (|q_j| + dq_j).

A term's a_i may be any monotone function of a; it is taken at both ends of a's interval.

All this is computed in float64, upwards: |d_j| above stands for its float64 value less that value's own error (the
same formula at u = 2^-53); every sum of non-negative numbers is multiplied by 1 + 4 k 2^-53, k being more than the
roundings it took; eta in place of eta / 2 leaves as much for the bound's own underflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, Self

import numpy as np

from lrp_ref.arrays import Array, ones_like, same, sign
from lrp_ref.checks.rounding import (
    FLOAT64,
    Arithmetic,
    Source,
    V,
    arithmetic,
    coverage,
    lowest_bit,
    lowest_bit_of,
    precision,
    present,
    roundings,
    size,
    source,
    upward,
)
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, BatchNorm, Conv2D, Flatten, Layer, Linear, MaxPool, ReLU, SumPool
from lrp_ref.linear_map import LinearMap
from lrp_ref.relevance import hand_down
from lrp_ref.rules import Rule, Term

LEARNED = Source()
MARGIN = 64   # more float64 roundings than a bound takes besides its sums


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
    def around(cls, value: Array, radius: Array) -> Self:
        known = radius == 0
        return cls(value, np.where(known, value, np.nextafter(value - radius, -np.inf)),
                   np.where(known, value, np.nextafter(value + radius, np.inf)))

    @property
    def radius(self) -> Array:
        if self.low is self.high:
            return np.zeros_like(self.value)
        return upward(np.maximum(self.high - self.value, self.value - self.low), 1)

    @property
    def size(self) -> Array:
        return np.maximum(abs(self.low), abs(self.high))


@dataclass(frozen=True, eq=False)
class Sum:
    """z_j of some terms; Z_j, N_j, what z_j may be off for the inputs' sake, F and A; the bits for exactness."""

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


def added(m: LinearMap, terms: Sequence[tuple[Term, Ball]], R: Array, origin: Source, rule: Rule | None = None) -> Sum:
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
    """Whether every parameter of the rule that its sums are made with is a float exactly (a third is not)."""
    values = [value for name, value in vars(rule).items() if name != "epsilon"]
    return all(dyadic(value) if isinstance(value, Rule) else
               all(n == Fraction(float(n)) for n in np.ravel(np.asarray(value, dtype=object))) for value in values)


def powers_of_two(m: LinearMap, origin: Source) -> bool:
    """Whether weights made in one rounding (1 / n, a scale) are powers of two, and so exact."""
    return origin.weight == 1 and bool(np.isin(np.frexp(m.weight)[0], (0.0, 0.5, -0.5)).all())


def terms_at(rule: Rule, m: LinearMap, a: Ball) -> list[tuple[Any, list[tuple[Term, Ball]]]]:
    """The shares: the part, and the terms with the balls of their inputs."""
    shares = rule.shares(m, a.value)
    if a.low is a.high:
        return [(s.part, [(t, Ball.exact(t.a)) for t in s.terms]) for s in shares]
    ends = rule.shares(m, a.low), rule.shares(m, a.high)
    return [(s.part, [(t, hull(t.a, low.a, high.a)) for t, low, high in zip(s.terms, below.terms, above.terms)])
            for s, below, above in zip(shares, *ends, strict=True)]


def hull(value: Array, *ends: Array) -> Ball:
    return Ball(value, np.minimum(*ends), np.maximum(*ends))


def step_radius(rule: Rule, m: LinearMap, a: Ball, R: Ball, to: Arithmetic, origin: Source = LEARNED,
                doubtful: Array | bool = False) -> tuple[Array, Array]:
    """(B_i, undetermined outputs) of `step` evaluated with that arithmetic at a.value, R.value. See the module.

    doubtful: outputs whose weights are not known for certain: gates and winners that a's ball does not decide.
    """
    shares = terms_at(rule, m, a)
    plain = all(t.f is ones_like for _, terms in shares for t, _ in terms)
    if origin.unknown and not plain:
        raise ValueError(f"no bound: the layer {origin.unknown}, so its weights have no error of their own size")
    epsilon = float(rule.epsilon)
    known = np.isfinite(R.size)
    lost = ~known
    R_size, dR = np.where(lost, 0.0, R.size), np.where(lost, 0.0, R.radius)
    if not plain:
        lost = lost | doubtful
    if any(isinstance(part, np.ndarray) for part, _ in shares):   # chosen by the sign of m(a)
        z = added(m, [(Term(a.value, same, m.bias), a)], R.value, origin)
        error = z.error(to) + z.error(FLOAT64)
        lost = lost | (abs(z.z) <= error) & (error > 0)
    zero, undetermined, messages = np.zeros(R.value.shape), np.zeros(R.value.shape, bool), []
    for part, terms in shares:
        sums = added(m, terms, R.value, origin, rule)
        d = sums.z + epsilon * sign(sums.z)
        here, ours = sums.error(to), sums.error(FLOAT64)
        bad = ~(sums.size <= to.largest)
        if epsilon:
            bad = bad | (abs(sums.z) <= here + ours) & (here > 0)
            ours = upward(guarded(FLOAT64, ours, epsilon, abs(d)), 4)
            here = upward(guarded(to, here, epsilon, abs(d) + ours), 4)
        dead = (d == 0) & (here == 0)
        least = (abs(d) - ours) * (1 - 4 * V)
        below = (least - here) * (1 - 4 * V)
        p = abs(np.asarray(part, dtype=float)) + zero
        bad = lost | (p > 0) & (bad | (below <= 0) & ~dead)
        fine = ~bad & ~dead & (p > 0)
        least, below = np.where(fine, least, 1.0), np.where(fine, below, 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            pR = p * R_size
            dq = p * dR / least + pR * (here / least) / below + to.gamma(5) * pR / below + 2 * to.eta * (1 + 1 / below)
            q = upward(pR / below + dq, MARGIN)
        much = fine & ~(np.maximum(q, sums.size * pR) <= to.largest)   # R / d, or z R in another order
        silent = (R_size == 0) & known
        bad, fine = (bad | much) & ~silent, fine & ~much & ~silent
        undetermined |= bad
        messages.append((terms, np.where(fine, dq, 0.0), np.where(fine, q, 0.0), pR + 1 / below, bad))
    return gathered(m, messages, a.value, to, origin), undetermined


def guarded(to: Arithmetic, dz: Array, epsilon: float, d: Array) -> Array:
    """dd_j = (1 + u) (dz_j + u epsilon) + u |d_j|; epsilon itself may have underflowed."""
    return (1 + to.u) * (dz + to.u * epsilon + to.eta) + to.u * d


def gathered(m: LinearMap, messages: Sequence[tuple[Any, ...]], a: Array, to: Arithmetic, origin: Source) -> Array:
    """B_i from the dq_j and |q_j| of every share, and infinity where an undetermined output reaches."""
    shape, smallest = a.shape, coverage(m)[0]
    zero = np.zeros(shape)
    off, size_of, count, underflow, infinite = zero, zero, zero, zero, np.zeros(shape, bool)
    most = 0
    for terms, dq, q, unscaled, bad in messages:
        for t, a_t in terms:
            f, there = size(t.f), a_t.size > 0
            weighed = m.transpose(q, f, shape)
            off = off + a_t.size * m.transpose(dq, f, shape) + a_t.radius * weighed
            size_of = size_of + a_t.size * weighed
            infinite |= ~(upward(weighed, MARGIN) <= to.largest)
            hit = m.transpose(np.where(q > 0, 1.0, 0.0), present(t.f), shape)
            count = count + there * (np.ceil(hit / smallest) if smallest else (hit > 0) * float(q[0].size))
            y = np.where(q > 0, 1 + q + unscaled, 0.0)
            reached = m.transpose(y, present(t.f), shape) / smallest if smallest else np.full(shape, y.sum())
            underflow = underflow + there * (2 + a_t.size) * reached
            if bad.any():   # also where a, w or c is 0, if the map multiplies by it: 0 times infinity
                infinite |= np.isnan(m.transpose(np.where(bad, np.nan, 0.0), ones_like, shape))
            most = max(most, roundings(t.f, origin.weight))
    zero_q = messages[0][2]
    B = off + to.gamma(count + most + 3) * size_of + to.eta * underflow
    infinite |= ~(size_of <= to.largest)
    return np.where(infinite, np.inf, upward(B, count.max(initial=0) + 2 * zero_q[0].size + MARGIN))


# ---- One layer ----


@dataclass(frozen=True, eq=False)
class OneLayer:
    """A layer's relevance: the float64 value, how far it is from the exact one, and how far an evaluation at u is.

    exact      |value - exact| <= exact
    rounding   |an evaluation at u - exact| <= rounding
    """

    value: Array
    exact: Array
    rounding: Array

    @property
    def radius(self) -> Array:
        """|an evaluation at u - value| <= radius"""
        return upward(self.exact + self.rounding, 2)


def one_layer(rule: Rule, layer: Layer, x: Any, R: Any, u: float = 2.0**-24) -> OneLayer:
    """The relevance of x, from R at the layer's outputs, with B_i: x, the layer's arrays and R are taken as exact.

    x and R are Balls where they are not (then an evaluation is one at their values).
    """
    layer = layer.astype(np.float64)
    a_x, R = (v if isinstance(v, Ball) else Ball.exact(np.asarray(v, dtype=np.float64)) for v in (x, R))
    value, _ = hand_down(rule, layer, a_x.value, R.value)
    origin, doubtful = source(layer), doubts(layer, a_x)
    a, m = layer.linearize(a_x.value)
    ball = a_x if a is a_x.value else Ball.exact(a)
    both = [step_radius(rule, m, ball, R, to, origin_at(origin, a), doubtful)[0] for to in (FLOAT64, arithmetic(u))]
    return OneLayer(value, *both)


def origin_at(origin: Source, a: Array) -> Source:
    """The sizes of a BatchNorm's bias, one per channel, shaped to broadcast against its output."""
    if not isinstance(origin.size, np.ndarray):
        return origin
    return Source(origin.weight, origin.bias, origin.size.reshape(-1, *(1,) * (a.ndim - 2)))


def doubts(layer: Layer, x: Ball, ids: Array | None = None) -> Array | bool:
    """Outputs whose gate or winner x's ball does not decide; units of the same number (twins.py) are equal."""
    if x.low is x.high:
        return False
    if isinstance(layer, ReLU):
        return (x.low <= 0) & (x.high > 0)
    if isinstance(layer, MaxPool):
        outputs, window = layer.output_shape(x.value.shape)[2:], layer.window
        least, value = layer(x.low), layer(x.value)
        ids = np.arange(1.0, 1 + x.value.size).reshape(x.value.shape) if ids is None else ids.astype(float)
        all_taps = (window.taps(window.spread(y, -np.inf), outputs) for y in (x.low, x.high, x.value, ids))
        candidates, certain, first = np.zeros(least.shape, int), np.ones(least.shape, bool), np.zeros(least.shape)
        alike = np.ones(least.shape, bool)
        for low, high, here, number in zip(*all_taps):
            may = high >= least
            candidates += may
            certain &= ~may | (low == high)
            first = np.where(may & (first == 0), number, first)
            alike &= ~may | (number == first) & (here == value)   # and float64 sees that they are
        return (candidates > 1) & ~certain & ~alike
    if isinstance(layer, (Linear, Conv2D, AvgPool, AdaptiveAvgPool, SumPool, Flatten, BatchNorm)):
        return False
    return np.ones(layer.output_shape(x.value.shape), bool) & (x.low != x.high).any()
