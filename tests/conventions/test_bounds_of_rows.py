"""The bound of a rule that a library changes is that of the map and the terms it then has."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lrp_ref import Epsilon, Linear, Winner
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks import one_layer
from lrp_ref.checks.claims.examples import RATIONAL, RULES, takes
from lrp_ref.checks.rounding.monte_carlo import noisy_step
from lrp_ref.conventions.table import spoken
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, MaxPool, ReLU, SumPool
from lrp_ref.layers.example import Example
from lrp_ref.relevance import through_layer

ROUNDING = 1e-15   # of a few products and a quotient
C = 2.0**-10   # a power of two: what it is added to decides the rounding
ROWS: Mapping[str, Mapping[str, Any]] = {
    "own": {"stabiliser": C, "zero_rule": C},
    "layer": {"without_weights": "layer", "stabiliser": C, "zero_rule": C},
    "divided": {"max_pool": "contribution", "stabiliser": C, "zero_rule": C}}
CASES = [(row, name, rule) for row in ROWS for name, example in RATIONAL.items() for rule in RULES
         if isinstance(example.layer, (AvgPool, SumPool, AdaptiveAvgPool, MaxPool, ReLU))
         and takes(example.map(samples=1)[1], RULES[rule])
         and spoken(ROWS[row], RULES[rule], example.layer) is not RULES[rule]]


def numbers(example: Example, seed: int, whole: bool) -> tuple[Any, Array, Array]:
    """float32, with ties, zeros and negatives where they are whole numbers."""
    rng, layer = np.random.default_rng(seed), example.layer.astype(np.float32)
    shape = (1, *example.shape)
    x, R = (rng.integers(-2, 3, s) if whole else rng.normal(size=s) for s in (shape, layer.output_shape(shape)))
    return layer, x.astype(np.float32), R.astype(np.float32)


def within(values: Array, exact: Array, radius: Array) -> bool:
    known = np.isfinite(radius)
    return all(abs(Fraction(float(v)) - e) <= Fraction(float(r))
               for v, e, r in zip(values[known], exact[known], radius[known]))


@pytest.mark.parametrize(("row", "name", "rule"), CASES)
def test_the_exact_value_and_an_evaluation_lie_within_the_bound(row: str, name: str, rule: str) -> None:
    seed = CASES.index((row, name, rule))
    whole = seed % 2 == 0
    layer, x, R = numbers(RATIONAL[name], seed, whole)
    changed = spoken(ROWS[row], RULES[rule], layer)
    bound = one_layer(changed, layer, x, R)
    exact = through_layer(changed, layer.astype(Fraction), *(convert_numbers(v, Fraction) for v in (x, R)))[0]
    computed = through_layer(changed, layer, x, R)[0]
    assert within(bound.value, exact, bound.exact) and within(computed, exact, bound.rounding)
    assert whole or np.isfinite(bound.rounding).any()   # sums of whole numbers may all cancel


def test_the_maps_of_a_row_are_what_is_bounded() -> None:
    # Epsilon on an average of 1 2 3, the layer itself at its input: z = 2, R_i = (a_i / 3) 6 / (2 + C)
    x, R = np.array([1.0, 2, 3]).reshape(1, 1, 1, 3), np.full((1, 1, 1, 1), 6.0)
    rule = spoken({"without_weights": "layer"}, Epsilon(C), AvgPool((1, 3)))
    bound = one_layer(rule, AvgPool((1, 3)), x, R)
    assert np.allclose(bound.value[0, 0, 0], np.array([1, 2, 3]) * 2 / (2 + C), rtol=ROUNDING, atol=0)
    assert 0 < bound.rounding.max() < 1e-5
    # first of tied winners alone: 2 / (2 + C) of 7 to it, and to the others exactly nothing
    x, R = np.array([2.0, -5, 2]).reshape(1, 1, 1, 3), np.full((1, 1, 1, 1), 7.0)
    rule = spoken({"max_pool": "contribution", "zero_rule": C}, Winner(), MaxPool((1, 3)))
    bound = one_layer(rule, MaxPool((1, 3)), x, R)
    assert np.allclose(bound.value[0, 0, 0], [14 / (2 + C), 0, 0], rtol=ROUNDING, atol=0)
    noisy = noisy_step(rule, MaxPool((1, 3)), x, R, 1e-3, np.random.default_rng(0))[0, 0, 0]
    assert 0 < abs(noisy[0] - 14 / (2 + C)) < 7e-2 and not noisy[1:].any()   # ten roundings of 1e-3


def test_another_addend_has_no_bound() -> None:
    rule = spoken({"zero_rule": ("at 0", C)}, Epsilon(0), AvgPool((1, 2)))
    with pytest.raises(ValueError, match=r"no bound: .* adds something else than epsilon sign z"):
        one_layer(rule, Linear(np.array([[1.0], [-1.0]])), np.ones((1, 2)), np.ones((1, 1)))
