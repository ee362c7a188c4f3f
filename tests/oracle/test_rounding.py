"""The parts of which bounds are made, by hand: counts of roundings, gamma_k, bits, formats."""

from fractions import Fraction

import numpy as np
import pytest

from lrp_ref import LRN, BatchNorm, Conv2D, MaxPool, ReLU, Tanh
from lrp_ref.arrays import negative, ones_like, positive, same, square
from lrp_ref.checks.claims.examples import LAYERS
from lrp_ref.checks.rounding.arithmetic import (
    FLOAT32,
    Arithmetic,
    Size,
    arithmetic,
    coverage,
    lowest_bit,
    lowest_bit_of,
    present,
    roundings,
    size,
    upward,
)
from lrp_ref.layers import DenseSift, FisherVector, Layer
from lrp_ref.rules import Raised

UP = Raised(0.25, positive)


@pytest.mark.parametrize(("f", "of_weight", "count"), [
    (ones_like, 0, 0), (ones_like, 7, 0), (same, 0, 0), (same, 1, 1), (positive, 2, 2), (negative, 0, 0),
    (square, 0, 1), (square, 2, 5),                      # (1 + t)^2 of each factor, and the product
    (UP, 0, 3), (UP, 4, 7)])                             # gamma, its product, the sum
def test_a_function_of_the_weights_is_rounded_so_often(f, of_weight, count) -> None:
    assert roundings(f, of_weight) == count


def test_gamma_k_is_k_u_over_1_minus_k_u() -> None:
    eighth = Arithmetic(1 / 8, 0.0, 1.0)
    assert eighth.gamma(np.array([0, 1, 4, 6, 8, 9])).tolist() == [0, 1 / 7, 1, 3, np.inf, np.inf]


def test_the_lowest_bit_is_that_of_the_finest_number() -> None:
    assert lowest_bit(np.array([12.0, -8, 0])) == 2 and lowest_bit(np.array([12.0, -0.75])) == -2
    assert lowest_bit(np.array([0.1])) == -55 and lowest_bit(np.array([0.0])) == np.inf
    assert lowest_bit(np.array([5e-324, 2.0**-1070])) == -1074 and lowest_bit(np.array([2.0**1000])) == 1000


def test_the_lowest_bit_of_a_function_of_the_weights() -> None:
    w = np.array([0.75, -6])
    assert [lowest_bit_of(f, w) for f in (same, positive, negative, square, ones_like)] == [-2, -2, -2, -4, 0]
    assert lowest_bit_of(UP, w) == -4                    # w + w / 4
    assert lowest_bit_of(Raised(4, positive), w) == -2
    assert lowest_bit_of(Raised(Fraction(1, 3), positive), w) == lowest_bit_of(np.exp, w) == -np.inf


def test_functions_that_are_not_negative_keep_their_names() -> None:
    assert [size(f) for f in (ones_like, square, positive)] == [ones_like, square, positive]
    assert size(negative)(np.array([-2.0, 3])).tolist() == [2, 0] and size(UP) == Size(UP)
    assert present(ones_like) is ones_like and present(negative)(np.array([-2.0, 3])).tolist() == [1, 0]
    assert present(square)(np.array([1e-200, 0])).tolist() == [1, 0]    # the square of 1e-200 is not 0


def test_upward_is_more_than_so_many_roundings_can_take_away() -> None:
    for steps in (1, 10, 10**6):
        assert Fraction(upward(1.0, steps)) > (1 + Fraction(2) ** -53 * steps * 2)


def test_layers_say_how_often_their_weights_were_rounded() -> None:
    assert [layer.roundings.weight for layer in (LAYERS["Conv2D"].layer, ReLU(), DenseSift((4,), 2))] == [0, 0, 0]
    assert MaxPool(2).roundings.weight == 1 and Tanh().roundings.weight == 5
    norm = BatchNorm(np.array([3.0]), np.array([4.0]), np.array([-6.0]), np.array([-1.0]), epsilon=0).roundings
    assert (norm.weight, norm.bias, norm.size.tolist()) == (4, 6, [10])     # |-1| + |3 * -6 / 2|
    assert LRN(5, 1e-4, 0.75, 1).roundings.weight > 5
    assert "cancel" in FisherVector(np.ones(1), np.ones((1, 2)), np.ones((1, 2))).roundings.unknown
    assert Layer().roundings.unknown and not Layer().affine and not Layer().monotone   # a layer that says nothing


def test_what_a_map_covers_in_part_is_known() -> None:
    x = np.random.default_rng(0).uniform(size=(1, 1, 20, 22))
    assert coverage(DenseSift((4,), 2).linearize(x)[1]) == (0.25, -2)
    assert coverage(Conv2D(np.ones((1, 1, 2, 2))).linearize(x)[1]) == (1, 0)
    regions = np.array([[1, 0.375, 0], [0, 1, 0.5]])
    fisher = FisherVector(np.ones(1), np.ones((1, 2)), np.ones((1, 2)), regions)
    assert coverage(fisher.linearize(np.ones((1, 3, 2)))[1]) == (0.375, -3)


def test_the_formats_are_those_of_ieee() -> None:
    for number, u in ((np.float16, 2.0**-11), (np.float32, 2.0**-24), (np.float64, 2.0**-53)):
        info = np.finfo(number)
        to = arithmetic(u)
        assert (to.u, to.eta, to.largest) == (float(info.eps) / 2, float(info.smallest_subnormal), float(info.max))
    assert arithmetic(1e-7) == Arithmetic(1e-7, FLOAT32.eta, FLOAT32.largest)
