"""|R_i computed - R_i| <= B_i: how far rounding can carry a layer's relevance.

The inputs a, the weights and R are given exactly; an evaluation in a format with unit roundoff u sums the
rule's own terms in any order, and multiplies and divides each product in any order. For every share (rules.py), with
p its part, z_j its sum and Z_j, dz_j and F as in sums.py, d_j = z_j + epsilon sign z_j, q_j = p_j R_j / d_j:

    dd_j = (1 + u) (dz_j + u epsilon) + u |d_j|        only dz_j where epsilon = 0
    dq_j = |p_j R_j| dd_j / (|d_j| (|d_j| - dd_j)) + gamma_5 |p_j R_j| / (|d_j| - dd_j) + 2 eta (1 + 1 / (|d_j| - dd_j))
    B_i  = sum over shares, terms  |a_i| sum_j |c_ij f(w_ij)| (dq_j + gamma_(F + 3 + M_i) (|q_j| + dq_j))
           + eta (2 + |a_i|) sum_j (1 + |q_j| + |p_j R_j| + 1 / (|d_j| - dd_j))      M_i  messages that are not 0

gamma_5: p = 1 + beta, p R, 1 / d, times 1 / d. A product or quotient that underflows is wrong by eta / 2.

An output is undetermined, too, where an evaluation may leave the format on the way, so that infinities or NaN follow:
where a sum, an f(w) or the inputs' own sum exceeds the largest number, or a weight that is computed is below the least;
and with it every output that such an infinity reaches, for a map may multiply it by the zeros of its coverage.

Where dz_j = 0, z_j = 0 is known to be 0, and sign(0) and "0 hands nothing down" can be told. Elsewhere, an output with
|d_j| <= dd_j is undetermined: every input it reaches has an infinite radius. So is one whose sign chooses between
shares (Gamma) or the stabiliser's side where |z_j| <= dz_j, and one where a number exceeds the format's largest.

If a and R are only known within da and dR, each formula has one product more:

    dq_j += |p_j| dR_j / |d_j|,  B_i += da_i sum_j |c_ij f(w_ij)| (|q_j| + dq_j).

A term's a_i may be any monotone function of a; it is taken at both ends of a's interval.

All this is computed in float64, upwards, as the sums are: |d_j| above stands for its float64 value less that value's
own error (the same formula at u = 2^-53).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, as_numbers, convert_numbers, ones_like, same, sign
from lrp_ref.assignment import a_rule
from lrp_ref.checks.rounding.arithmetic import (
    FLOAT64,
    Arithmetic,
    Outside,
    V,
    arithmetic,
    coverage,
    present,
    quiet,
    roundings,
    size,
    upward,
)
from lrp_ref.checks.rounding.ball import Ball, doubts
from lrp_ref.checks.rounding.sums import MARGIN, added
from lrp_ref.hints import shown
from lrp_ref.layers import Layer
from lrp_ref.layers.base import Roundings
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.relevance import through_layer
from lrp_ref.rules import Rule
from lrp_ref.seen import Tangent


def terms_at(rule: Rule, m: LinearMap, a: Ball) -> list[tuple[Any, list[tuple[Term, Ball]]]]:
    """The shares: the part, and the terms with the balls of their inputs."""
    shares = rule.shares(m, a.value)
    if any(share.over is not None for share in shares):
        raise ValueError(f"no bound: {rule} divides by a number that is not the sum of its terms")
    if a.low is a.high:
        return [(s.part, [(t, Ball.exact(t.a)) for t in s.terms]) for s in shares]
    ends = rule.shares(m, a.low), rule.shares(m, a.high)
    return [(s.part, [(t, hull(t.a, low.a, high.a)) for t, low, high in zip(s.terms, below.terms, above.terms)])
            for s, below, above in zip(shares, *ends, strict=True)]


def hull(value: Array, *ends: Array) -> Ball:
    return Ball(value, np.minimum(*ends), np.maximum(*ends))


@dataclass(frozen=True, eq=False)
class Quotients:
    """q_j = p_j R_j / d_j of a share with these terms: dq_j, at most |q_j|, |p_j R_j| + 1 / (|d_j| - dd_j).

    bad  where d_j may be 0 or a number too large: what is undetermined
    """

    terms: Sequence[tuple[Term, Ball]]
    dq: Array
    q: Array
    unscaled: Array
    bad: Array


@quiet
def step_radius(rule: Rule, m: LinearMap, a: Ball, R: Ball, to: Arithmetic, origin: Roundings,
                doubtful: Array | bool = False) -> tuple[Array, Array, Array]:
    """(B_i, undetermined outputs, those of them where numbers may leave the format) of `step` at a.value, R.value.

    doubtful: outputs whose weights are not known for certain: gates and winners that a's ball does not decide.
    """
    own, m = m, rule.seen(m, a.value)
    if isinstance(rule, Tangent) and m is not own:
        raise ValueError("no bound: layers do not say in how many roundings their derivatives are made")
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
    zero, undetermined, outside = np.zeros(R.value.shape), np.zeros(R.value.shape, bool), np.zeros(R.value.shape, bool)
    quotients = []
    for part, terms in shares:
        sums = added(m, terms, R.value, origin, rule)
        over = beyond(m, terms, sums.size + epsilon, to, origin)
        d = sums.z + addend(rule, sums.z, epsilon)
        here, ours = sums.error(to), sums.error(FLOAT64)
        bad = over
        if epsilon:
            bad = bad | (abs(sums.z) <= here + ours) & (here > 0)
            ours = upward(guard_of(FLOAT64, ours, epsilon, abs(d)), 4)
            here = upward(guard_of(to, here, epsilon, abs(d) + ours), 4)
        dead = (d == 0) & (here == 0)
        least = (abs(d) - ours) * (1 - 4 * V)
        below = (least - here) * (1 - 4 * V)
        p = abs(np.asarray(part, dtype=float)) + zero
        bad = lost | over | (p > 0) & (bad | (below <= 0) & ~dead)
        fine = ~bad & ~dead & (p > 0)
        least, below = np.where(fine, least, 1.0), np.where(fine, below, 1.0)
        pR = p * R_size
        dq = p * dR / least + pR * (here / least) / below + to.gamma(5) * pR / below + 2 * to.eta * (1 + 1 / below)
        q = upward(pR / below + dq, MARGIN)
        much = fine & ~(np.maximum(q, sums.size * pR) <= to.largest)   # R / d, or z R in another order
        silent = (R_size == 0) & known & ~over   # 0 over NaN is NaN
        bad, fine = (bad | much) & ~silent, fine & ~much & ~silent
        undetermined |= bad
        outside |= bad & (over | much)
        quotients.append(Quotients(terms, np.where(fine, dq, 0.0), np.where(fine, q, 0.0), pR + 1 / below, bad))
    return gathered(m, quotients, a.value, to, origin), undetermined, outside


def beyond(m: LinearMap, terms: Sequence[tuple[Term, Ball]], sizes: Array, to: Arithmetic, origin: Roundings) -> Array:
    """Outputs for which an evaluation may leave the format on the way to z_j, sizes being what z_j comes to at most."""
    over, shape = ~(sizes <= to.largest), terms[0][1].value.shape
    for t, a in terms:
        if not upward(a.size.sum(), a.size.size) <= to.largest:   # an average may be a sum first
            over = over | ~(upward(m.apply(a.size, ones_like), a.size[0].size) <= to.largest)
        outside = Outside(t.f, to.least if origin.weight else 0.0, to.largest)
        if t.f is not ones_like and outside(m.weight).any():
            over = over | (m.apply(np.ones(shape), outside) > 0)
    if over.any():
        over = np.isnan(m.apply(np.where(reached(m, over, shape), np.nan, 0.0), ones_like))
    return over


def reached(m: LinearMap, outputs: Array, shape: Shape) -> Array:
    """The inputs that these outputs reach; also where a, w or c is 0, if the map multiplies by it: 0 times infinity."""
    return np.isnan(m.transpose(np.where(outputs, np.nan, 0.0), ones_like, shape))


def addend(rule: Rule, z: Array, epsilon: float) -> Array:
    """epsilon sign z, which is all that the error of a denominator is known for."""
    own, known = rule.guard(z), epsilon * sign(z)
    if own is not None and not np.array_equal(own, known, equal_nan=True):
        raise ValueError(f"no bound: {rule} adds something else than epsilon sign z to a denominator")
    return known


def guard_of(to: Arithmetic, dz: Array, epsilon: float, d: Array) -> Array:
    """dd_j = (1 + u) (dz_j + u epsilon) + u |d_j|; epsilon itself may have underflowed."""
    return (1 + to.u) * (dz + to.u * epsilon + to.eta) + to.u * d


def gathered(m: LinearMap, shares: Sequence[Quotients], a: Array, to: Arithmetic, origin: Roundings) -> Array:
    """B_i from the dq_j and |q_j| of every share, and infinity where an undetermined output reaches."""
    shape, smallest = a.shape, coverage(m)[0]
    zero = np.zeros(shape)
    off, size_of, count, underflow, infinite = zero, zero, zero, zero, np.zeros(shape, bool)
    most = 0
    for share in shares:
        q = share.q
        for t, a_t in share.terms:
            f, there = size(t.f), a_t.size > 0
            weighed = m.transpose(q, f, shape)
            off = off + a_t.size * m.transpose(share.dq, f, shape) + a_t.radius * weighed
            size_of = size_of + a_t.size * weighed
            infinite |= ~(upward(weighed, MARGIN) <= to.largest)
            hit = m.transpose(np.where(q > 0, 1.0, 0.0), present(t.f), shape)
            count = count + there * (np.ceil(hit / smallest) if smallest else (hit > 0) * float(q[0].size))
            y = np.where(q > 0, to.eta + to.eta * q + to.eta * share.unscaled, 0.0)   # their sum may overflow
            lost = m.transpose(y, present(t.f), shape) / smallest if smallest else np.full(shape, y.sum())
            underflow = underflow + there * (2 + a_t.size) * lost
            if share.bad.any():
                infinite |= reached(m, share.bad, shape)
            most = max(most, roundings(t.f, origin.weight))
    B = upward(off + to.gamma(count + most + 3) * size_of + underflow,
               count.max(initial=0) + 2 * shares[0].q[0].size + MARGIN)
    return np.where(infinite | ~(size_of <= to.largest) | np.isnan(B), np.inf, B)   # NaN: infinity times 0


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
    if not isinstance(layer, Layer):
        raise ValueError(f"got {shown(layer)}, needed a layer such as Linear(weight)")
    layer, rule = layer.astype(np.float64), a_rule(rule)
    a_x, R = (v if isinstance(v, Ball) else Ball.exact(convert_numbers(as_numbers(v, what), np.float64))
              for v, what in ((x, "x"), (R, "R")))
    outputs = layer.output_shape(a_x.value.shape)
    if R.value.shape != outputs or 0 in outputs:
        raise ValueError(f"got R of shape {R.value.shape}, needed that of the layer's outputs, {outputs}")
    value, _ = through_layer(rule, layer, a_x.value, R.value)
    a, m = layer.linearize(a_x.value)
    ball, origin = a_x if a is a_x.value else Ball.exact(a), origin_at(layer.roundings, a)
    both = [step_radius(rule, m, ball, R, to, origin, doubts(layer, a_x, to))[0] for to in (FLOAT64, arithmetic(u))]
    return OneLayer(value, *both)


def origin_at(origin: Roundings, a: Array) -> Roundings:
    """The sizes of a BatchNorm's bias, one per channel, shaped to broadcast against its output."""
    if not isinstance(origin.size, np.ndarray):
        return origin
    return replace(origin, size=origin.size.reshape(-1, *(1,) * (a.ndim - 2)))
