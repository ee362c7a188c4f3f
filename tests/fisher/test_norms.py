"""Signed square root, L2 norm, mean over a region. Laws and definitions: test_laws, test_against_definitions."""

import decimal
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed

from lrp_ref import Epsilon, Pass
from lrp_ref.arrays import Array
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.layers.fisher.norms import L2Norm, RegionMean, SignedSqrt
from lrp_ref.step import step


def test_the_signed_root_keeps_signs_and_zeros() -> None:
    x = fractions(["-9/4 0 16", "1/25 -1 4"])
    assert SignedSqrt()(x).tolist() == [[F(-3, 2), 0, 4], [F(1, 5), -1, 2]]
    assert SignedSqrt().linearize(x)[1].weight.tolist() == [[F(2, 3), 0, F(1, 4)], [5, 1, F(1, 2)]]


def test_each_part_is_divided_by_its_own_norm_and_a_part_of_zeros_stays() -> None:
    # (3, 4): 5; (0, 0): 0; (-5, 12): 13.   As one part: 9 + 16 + 25 + 144 = 194
    x = fractions(["3 4 0 0 -5 12", "-8 6 1 0 0 -2"])
    assert L2Norm(3)(x).tolist() == [[F(3, 5), F(4, 5), 0, 0, F(-5, 13), F(12, 13)], [F(-4, 5), F(3, 5), 1, 0, 0, -1]]
    assert L2Norm(3).linearize(x)[1].weight[0].tolist() == [F(1, 5), F(1, 5), 0, 0, F(1, 13), F(1, 13)]
    assert L2Norm()(fractions(["2 -1 2"])).tolist() == [[F(2, 3), F(-1, 3), F(2, 3)]]
    assert L2Norm()(fractions(["0 0 0"])).tolist() == [[0, 0, 0]]


def test_every_row_of_a_batch_of_descriptors_has_a_norm_of_its_own() -> None:
    x = np.stack([fractions(["3 4", "0 -2"]), fractions(["5 12", "8 -6"])])
    assert L2Norm()(x).tolist() == [[[F(3, 5), F(4, 5)], [0, -1]], [[F(5, 13), F(12, 13)], [F(4, 5), F(-3, 5)]]]


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_a_norm_neither_overflows_nor_vanishes(size: float) -> None:
    # squares, a sum, a root and a quotient
    assert np.allclose(L2Norm()(size * np.array([[3.0, -4.0]])), [[0.6, -0.8]], rtol=1e-15, atol=0)


def test_a_mean_divides_each_region_by_its_count_and_an_empty_one_stays() -> None:
    layer = RegionMean(fractions("4 0 3/2"))
    x = fractions(["2 -8 0 0 3 1"])
    assert layer(x).tolist() == [[F(1, 2), -2, 0, 0, 2, F(2, 3)]]
    assert layer.astype(np.float64).counts.tolist() == [4, 0, 1.5]


def test_normalising_each_region_undoes_its_mean() -> None:
    x = fractions(["6 8 -5 12"])
    assert (L2Norm(2)(RegionMean(fractions("7 3"))(x)) == L2Norm(2)(x)).all()


def test_region_norm_root_norm_is_its_closed_form_to_forty_eight_digits() -> None:
    with decimal.localcontext() as context:
        context.prec = 50     # two digits more than are compared
        x = mixed((1, 12), 5, Decimal)
        x[0, 4:8] = Decimal(0)
        got = L2Norm()(SignedSqrt()(L2Norm(3)(x)))[0]
        wanted = by_loops.improved(np.reshape(x, (3, 4)).tolist(), Decimal.sqrt)
        assert (x < 0).any() and max(abs(g - w) for g, w in zip(got, wanted)) < Decimal("1e-48")


LAYERS = {"SignedSqrt": SignedSqrt(), "L2Norm": L2Norm(), "L2Norm, parts": L2Norm(2),
          "RegionMean": RegionMean(np.array([3.0, 0.0]))}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


@layers
def test_they_are_gates_that_pass_relevance_on_also_through_zeros(layer: Any) -> None:
    x = np.array([[0.0, -4, 1, 0, 0, 0], [1, 2, -3, 4, 0, 5.0]])
    a, m = layer.linearize(x)
    R = np.arange(12.0).reshape(2, 6)
    assert m.gate and not m.learned and not m.bias.any() and a is x
    below, account = step(Pass(), m, a, R)
    assert (below == R).all() and not account.dead.any()
    below, account = step(Epsilon(0), m, a, R)
    zero = layer(x) == 0
    assert np.allclose(below, np.where(zero, 0, R), rtol=1e-15, atol=0)   # a quotient, and its product again
    assert (account.dead == np.where(zero, R, 0)).all()


@pytest.mark.parametrize(("layer", "x"), [(SignedSqrt(), fractions(["2 1"])), (L2Norm(), fractions(["1 1"]))], ids=str)
def test_an_irrational_root_is_refused_by_name(layer: Any, x: Array) -> None:
    name = type(layer).__name__
    with pytest.raises(ValueError, match=f"^{name} has no exact form here: the square root of 2 is no"):
        layer(x)


def test_parts_that_are_none_are_refused() -> None:
    for parts in (0, 1.5, True):
        with pytest.raises(ValueError, match=r"^L2Norm got parts=.*, needed a number of equal slices, at least 1"):
            L2Norm(parts)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^L2Norm got an input of shape \(2, 5\), needed .* a multiple of 2 parts"):
        L2Norm(2)(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"^RegionMean got an input of shape \(2, 5\), .* multiple of 2 regions"):
        RegionMean(np.ones(2))(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"^RegionMean got counts of shape \(2,\), needed \(regions,\) numbers from 0"):
        RegionMean(np.array([1.0, -1]))


def test_a_slice_may_overflow_and_another_vanish() -> None:
    x = np.array([[3e200, 4e200, 3e-200, -4e-200]])
    assert np.allclose(L2Norm(2)(x), [[0.6, 0.8, 0.6, -0.8]], rtol=1e-15, atol=0)   # as above


def test_rows_of_one_number_are_normed_and_rows_of_none_refused() -> None:
    assert L2Norm()(np.array([[-3.0], [0.0]])).tolist() == [[-1], [0]]
    assert L2Norm(2).output_shape((3, 0, 4)) == (3, 0, 4)
    for layer, parts in ((L2Norm(), "1 parts"), (RegionMean(np.ones(1)), "1 regions")):
        for shape in ((2, 0), (2,)):
            with pytest.raises(ValueError, match=rf"needed \(N, \.\.\., I\) with I a multiple of {parts}"):
                layer.output_shape(shape)


def test_a_mean_takes_descriptors_too_and_counts_along_one_axis() -> None:
    x = fractions(["2 -8 3 1", "4 0 6 9"])[None]
    assert RegionMean(fractions("4 3"))(x).tolist() == [[[F(1, 2), -2, 1, F(1, 3)], [1, 0, 2, 3]]]
    for counts in (np.ones((2, 1)), np.ones(0)):
        with pytest.raises(ValueError, match=r"^RegionMean got counts of shape .*, needed \(regions,\) numbers from 0"):
            RegionMean(counts)
