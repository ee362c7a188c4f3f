"""Claims about floating point: what goes in comes out, and is off by no more than rounding can make it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from lrp_ref import relevance
from lrp_ref.arrays import convert_numbers, ones_like
from lrp_ref.checks.claims.claim import WITHIN, Case, Claim, equal
from lrp_ref.checks.claims.examples import RATIONAL, Example, Pair, output_of, pairs, relevance_for
from lrp_ref.checks.rounding.arithmetic import FLOAT32, FLOAT64, FORMATS
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.layers import (
    L2Norm,
    Layer,
    Linear,
    MaxPool,
    PMeans,
    Tanh,
)
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.rules import AlphaBeta, Epsilon, Winner
from lrp_ref.step import step


def of_any_floats(example: Example) -> bool:
    """Whether the layer has a bound and is rational of any floats (roots are not)."""
    try:
        example.layer.astype(np.float32).astype(Fraction).linearize(
            convert_numbers(convert_numbers(example.x(1), np.float32) / np.float32(7), Fraction))
    except ValueError:
        return False
    return not example.layer.roundings.unknown


def is_within(pair: Pair, number: Any, u: float, seed: int) -> bool:
    """Whether the layer's step in these floats has their type and lies within its bound, where there is one."""
    z = output_of(*pair.map())
    layer: Layer = pair.example.layer.astype(number)
    x, R = pair.example.x(1, seed, number) / number(7), convert_numbers(relevance_for(z, seed + 9), number)
    below, account = relevance.through_layer(pair.rule, layer, x, R)
    bound = one_layer(pair.rule, layer, x, R, u).rounding
    a, m = layer.astype(Fraction).linearize(convert_numbers(x, Fraction))
    exact = step(pair.rule, m, a, convert_numbers(R, Fraction))[0]
    known = np.isfinite(bound)
    off = abs(convert_numbers(below[known], Fraction) - exact[known])
    return (bool((off <= convert_numbers(bound[known], Fraction)).all())
            and {part.dtype for part in (below, *account.parts())} == {np.dtype(number)})


def keeps_a_small_part() -> bool:
    # products 3, 1 and -2^-60; 4 - 2^-60 rounds to 4, so z - z+ would be 0
    layer, x, R = Linear(np.array([[3.0], [1.0], [-(2.0**-60)]])), np.ones((1, 3)), np.array([[2.0]])
    return relevance.through_layer(AlphaBeta(2, 1), layer, x, R)[0].tolist() == [[3, 1, -2]]


def gates_of_tanh() -> bool:
    x = np.array([[0.0, 0.5, -2.0]])
    a, m = Tanh().linearize(x)
    wanted = [1, *(float(np.tanh(t)) / t for t in x[0, 1:])]
    return equal(a, x) and all(abs(w - v) <= 2.0**-51 for w, v in zip(m.apply(ones_like(a), lambda w: w)[0], wanted))


def squares_that_overflow() -> bool:
    huge = np.array([[3e200, 4e200]])
    normed, mean = L2Norm()(huge), PMeans(3)(np.full((1, 2, 1), 1e200))
    return bool((abs(normed - [[0.6, 0.8]]) < 2.0**-50).all()) and abs(mean.item() / 1e200 - 1) < 2.0**-50


def near_ties() -> bool:
    near = np.array([[[[1.0, 1 + 2.0**-52]]]])
    return relevance.through_layer(Winner(), MaxPool((1, 2)), near, np.ones((1, 1, 1, 1)))[0].tolist() == [[[[0, 1]]]]


def narrow_gaussians() -> bool:
    """Eq. 5 of Gaussians whose means are 2^30 of their deviations apart, in numbers that need no rounding."""
    means, sigma = np.array([[1024.0], [-1024.0]]), np.full((2, 1), 2.0**-20)
    x = np.array([[[1024 + 2.0**-20], [1024 + 2.0**-19], [-1024 - 2.0**-20]]])
    gamma = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    m = FisherMap(x, gamma, means, sigma, np.ones(2), np.ones(2))
    # (l - mu) / sigma is 1 and 2 of the first, -1 of the second; less 1 squared: 0, 3 and 0
    z = m(ones_like(x))
    below, _ = step(Epsilon(0), m, ones_like(x), np.array([[3.0, 5.0, 6.0, 7.0]]))
    return z.tolist() == [[3, -1, 3, 0]] and below.tolist() == [[[1], [8], [5]]]


def rounded() -> Iterator[Case]:
    layers = {name: example for name, example in RATIONAL.items() if of_any_floats(example)}
    for seed in range(6):
        for pair in pairs(layers, samples=1, seed=seed):
            for u in (FLOAT32.u, FLOAT64.u):
                number = FORMATS[u]
                yield Case(f"{pair.what}, {number.__name__}, seed {seed}", partial(is_within, pair, number, u, seed),
                           seed > 0)
    yield Case("a negative part of 2^-60 beside a positive one of 4", keeps_a_small_part)
    yield Case("the gate of tanh is tanh(a) / a, and 1 at 0", gates_of_tanh)
    yield Case("norms and means of numbers whose squares overflow", squares_that_overflow)
    yield Case("near ties do not tie", near_ties)
    yield Case("narrow Gaussians far from each other", narrow_gaussians)


CLAIMS = (
    Claim("floats", "In float32 and float64 every rule on a layer keeps the number type, and is off the exact "
          "relevance of these very floats by no more than rounding can make it; small parts, gates and narrow "
          "Gaussians keep their digits.", "float32, float64", rounded, WITHIN),
)
