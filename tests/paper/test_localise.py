"""The measures by hand, in fractions; by their definition in loops; and the laws they must keep."""

import math
from fractions import Fraction

import numpy as np
import pytest
from helpers import assert_holds, law

from lrp_ref.checks.claims.claim import Claim
from lrp_ref.paper.measures import gini, holding, inside, quartiles

rng = np.random.default_rng(0)
# |R| in order: 0 0 1 2 2 5, sum 10, n = 6.
MAP = np.array([[2.0, -5, 0], [0, 1, -2]])


@law("measures")
def test_measures_of_an_experiment(claim: Claim):
    assert_holds(claim)


def test_the_gini_index_by_hand():
    # Weights 2i - 7 are -5 -3 -1 1 3 5: (0 + 0 - 1 + 2 + 6 + 25) / (6 * 10) = 32/60.
    assert gini(MAP) == 8 / 15


def test_the_gini_index_is_zero_for_equal_pixels_whatever_their_signs_and_all_but_one_nth_for_a_single_one():
    assert gini(np.array([[3.0, -3, 3], [-3, -3, 3]])) == 0
    assert gini(np.array([[0.0, 0, 0, 0], [0, 0, -7, 0]])) == 7 / 8


def test_the_gini_index_is_the_mean_difference_of_all_pairs_over_twice_the_mean():
    values = rng.normal(size=(5, 7)) ** 3
    sizes = [Fraction(abs(value)) for value in values.flat]
    pairs = sum(abs(a - b) for a in sizes for b in sizes)
    # A sum of 35 products in floating point: some 35 roundings.
    assert gini(values) == pytest.approx(float(pairs / (2 * len(sizes) * sum(sizes))), rel=1e-14, abs=0)


def test_the_pixels_that_hold_nine_tenths_by_hand():
    # From the strongest: 5 7 9 10 10 10. Three of six reach 9 of 10, exactly.
    assert holding(MAP) == 3 / 6
    assert holding(np.array([[2.0, -5, 0], [0, 1.5, -2]])) == 4 / 6     # 9 of 10.5 are fewer than nine tenths


def test_nine_tenths_of_equal_pixels_are_nine_tenths_of_them_and_a_single_one_holds_all():
    assert holding(np.full((4, 5), -0.1)) == 18 / 20
    assert holding(np.array([[0.0, 0, 0, 0], [0, 0, -7, 0]])) == 1 / 8


def test_a_part_of_a_pixel_is_not_enough_to_hold_nine_tenths():
    assert holding(np.ones((3, 1))) == 1     # 2 of 3 are fewer than nine tenths


def test_the_share_inside_a_region_by_hand_does_not_ask_for_negative_relevance():
    # Positive: 2 and 1 of the sum 3. The region holds the -5, half of the 2 and all of the 1.
    assert inside(MAP, np.array([[1 / 2, 1, 0], [0, 1, 0]])) == 2 / 3
    assert inside(MAP, np.array([[0, 1, 1], [1, 0, 1]], bool)) == 0
    assert inside(MAP, np.ones((2, 3), bool)) == 1


def test_equal_relevance_falls_inside_as_much_as_the_region_covers():
    region = rng.uniform(size=(8, 4))
    # A mean of 32 numbers: some 32 roundings.
    assert inside(np.full((8, 4), 0.7), region) == pytest.approx(region.mean(), rel=1e-14, abs=0)


@pytest.mark.parametrize("measure", [gini, holding, lambda values: inside(values, np.eye(2, 3))],
                         ids=["gini", "holding", "inside"])
def test_no_measure_depends_on_the_unit_of_relevance_and_a_map_of_zeros_has_none(measure):
    assert measure(4 * MAP) == measure(MAP) == measure(MAP.astype(np.float32)) != 0   # a power of 2 rounds nothing
    assert math.isnan(measure(0 * MAP))


def test_without_positive_relevance_there_is_no_share_of_it():
    assert math.isnan(inside(-abs(MAP), np.ones((2, 3))))


def test_a_region_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"map of \(2, 3\) and a region of \(3, 2\).*resize the region"):
        inside(MAP, np.ones((3, 2)))


def test_quartiles_by_hand_leave_out_what_is_no_number():
    # 1 2 4 8 16 in order: the quartiles are the second, third and fourth; of 1 2 4 8 they lie between neighbours.
    assert quartiles([16, 1, math.nan, 8, 2, 4]) == (2, 4, 8)
    assert quartiles([8, 1, 2, 4]) == (1.75, 3, 5)
    assert all(map(math.isnan, quartiles([math.nan]))) and len(quartiles([])) == 3
