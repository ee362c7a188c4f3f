"""Pooling over descriptors by p-means. Its laws and definition: test_laws.py, test_against_definitions.py."""

import decimal
from decimal import Decimal
from math import inf
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, types_in

from lrp_ref import Epsilon, Flat, Winner
from lrp_ref.arrays import convert_numbers
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.layers.fisher.pmeans import PMeans
from lrp_ref.step import step

# Three descriptors, four coordinates: sums of squares / 3 are 25, 4 and 0, and 9 with a tie.
X = fractions(["1 0 0 3", "5 2 0 3", "7 2 0 3"])[None]
X[0, 0, 1] = F(2)


def power_of(number: Any, exponent: Any) -> Any:
    """number^exponent, 0^0 = 1"""
    return number ** exponent if exponent else exponent + 1


def test_p_1_is_the_mean() -> None:
    a, m = PMeans(1).linearize(X)
    assert PMeans(1)(X).tolist() == [[F(13, 3), 2, 0, 3]] and set(m.weight.flat) == {F(1, 3)} and a is X


def test_p_infinity_is_the_winner_and_ties_share_evenly() -> None:
    a, m = PMeans(inf).linearize(X)
    assert PMeans(inf)(X).tolist() == m(a).tolist() == [[7, 2, 0, 3]]
    third = F(1, 3)
    assert m.weight[0].tolist() == [[0, third, third, third], [0, third, third, third], [1, third, third, third]]


def test_p_2_is_the_root_of_the_mean_square_with_weights_a_over_L_z() -> None:
    a, m = PMeans(2).linearize(X)
    assert PMeans(2)(X).tolist() == m(a).tolist() == [[5, 2, 0, 3]]
    # w = a / (3 z)
    assert m.weight[0].tolist() == [[F(1, 15), F(1, 3), 0, F(1, 3)], [F(1, 3), F(1, 3), 0, F(1, 3)],
                                    [F(7, 15), F(1, 3), 0, F(1, 3)]]


def test_relevance_goes_by_the_powers() -> None:
    # Eq. 1 with z_l = a^2 / (3 z): shares 1, 25, 49 of 75
    a, m = PMeans(2).linearize(X)
    R = fractions(["3 1 2 6"])
    below, account = step(Epsilon(0), m, a, R)
    assert below[0].tolist() == [[F(1, 25), F(1, 3), 0, 2], [1, F(1, 3), 0, 2], [F(49, 25), F(1, 3), 0, 2]]
    assert account.dead.tolist() == [[0, 0, 2, 0]]      # a coordinate of nothing but zeros
    assert step(Flat(), m, a, R)[0][0].tolist() == [[1, F(1, 3), F(2, 3), 2]] * 3
    a, m = PMeans(inf).linearize(X)
    assert step(Winner(), m, a, R)[0][0].tolist() == [[0, F(1, 3), F(2, 3), 2], [0, F(1, 3), F(2, 3), 2],
                                                      [3, F(1, 3), F(2, 3), 2]]


@pytest.mark.parametrize("p", [1, 1.5, F(5, 2), 3, 40], ids=str)
def test_every_p_is_its_formula_to_forty_five_digits(p: Any) -> None:
    with decimal.localcontext() as context:
        context.prec = 50     # powers and their roots lose three digits, or two
        x = abs(mixed((2, 5, 3), 2, Decimal))
        x[:, :, 1] = Decimal(0)
        a, m = PMeans(p).linearize(x)
        z, exponent = m(a), Decimal(p.numerator) / p.denominator if isinstance(p, F) else Decimal(p)
        for n in range(2):
            for d in range(3):
                wanted, w = by_loops.p_means(x[n, :, d].tolist(), exponent, power_of)
                assert abs(z[n, d] - wanted) < Decimal("1e-45")
                if d != 1 or p != 1:      # the mean's weights are 1 / L, also of zeros
                    assert max(abs(g - v) for g, v in zip(m.weight[n, :, d], w)) < Decimal("1e-45")


def test_a_large_p_neither_overflows_nor_vanishes_and_nears_the_maximum() -> None:
    x = np.array([[[300.0, 1e-300], [250.0, 2e-300], [10.0, 1e-301]]])
    a, m = PMeans(400).linearize(x)
    # (max^p / 3)^(1 / p): less than the maximum by the 400th root of 3
    assert np.allclose(m(a), x.max(axis=1) * 3 ** (-1 / 400), rtol=400 * 2.0**-53, atol=0)   # 400 roundings of a power
    assert np.allclose(m.weight.max(axis=1), 3 ** (399 / 400) / 3, rtol=400 * 2.0**-53, atol=0)


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal], ids=lambda number: number.__name__)
@pytest.mark.parametrize("p", [1, np.float64(1.5), F(5, 2), 2, inf], ids=str)
def test_the_number_type_is_kept_whatever_that_of_p(p: Any, number: type) -> None:
    x = convert_numbers(X, number)
    a, m = PMeans(p).linearize(x)
    z = PMeans(p)(x)
    assert types_in(z) == types_in(m(a)) == types_in(m.weight) == types_in(m.bias) == {number}
    assert z.shape == PMeans(p).output_shape(x.shape) == (1, 4) and not m.learned and not m.gate


def test_exact_forms_are_those_of_p_1_2_and_infinity() -> None:
    with pytest.raises(ValueError, match=r"^PMeans\(3\) has no exact form: use Decimal or a float, or p = 1, 2, inf"):
        PMeans(3)(X)
    with pytest.raises(ValueError, match=r"^PMeans\(2\) has no exact form here: the square root of 5/9 is no Fraction"):
        PMeans(2)(fractions(["1", "3"])[None])


def test_bad_input_is_refused() -> None:
    for p in (0.5, float("nan"), True, "2"):
        with pytest.raises(ValueError, match=r"^PMeans got p=.*, needed a number from 1 \(the mean\) to inf"):
            PMeans(p)
    for p in (1, 3, inf):
        with pytest.raises(ValueError, match=r"^PMeans got -2.0 at \(0, 1, 0\), needed numbers of at least 0: put"):
            PMeans(p)(np.array([[[1.0], [-2.0]]]))
    for shape in ((2, 3), (1, 0, 3)):
        with pytest.raises(ValueError, match=r"^PMeans got an input of shape .*, needed descriptors \(N, L, D\), at"):
            PMeans(2)(np.zeros(shape))


def test_a_maximum_with_ties_is_the_maximum_to_the_last_digit() -> None:
    x = np.full((1, 10, 1), 0.1)     # a tenth of it, ten times over, is another float
    a, m = PMeans(inf).linearize(x)
    assert m(a).item() != 0.1 and PMeans(inf)(x).tolist() == [[0.1]]


def test_a_negative_number_is_named_by_its_place() -> None:
    x = np.ones((2, 3, 4))
    x[1, 2, 0], x[1, 2, 3] = -5, -7
    with pytest.raises(ValueError, match=r"^PMeans got -5.0 at \(1, 2, 0\), needed numbers of at least 0"):
        PMeans(2)(x)
