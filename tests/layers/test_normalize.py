"""Batch norm and local response norm: by hand, and as Caffe defines the second."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_as_defined, fractions, image, mixed, refused, types_in

from lrp_ref import LRN, BatchNorm, Epsilon
from lrp_ref.arrays import constant, ones_like, same
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.claims.by_loops import defined, units
from lrp_ref.checks.claims.examples import STATISTICS
from lrp_ref.checks.definitions.units import rational_root


def test_batch_norm_divides_by_the_deviation_then_scales_and_shifts() -> None:
    layer = BatchNorm(fractions("1 2"), fractions("16 9"), fractions("2 -6"), fractions("1/2 7"), epsilon=0)
    # (3 - 1) / 4 * 2 + 1/2 and (5 - 1) / 4 * 2 + 1/2; (-1 - 2) / 3 * -6 + 7 and (2 - 2) / 3 * -6 + 7
    assert layer(image("3 5", "-1 2")).tolist() == image("3/2 5/2", "13 7").tolist()
    m = layer.linearize(image("3 5", "-1 2"))[1]
    assert m.weight.ravel().tolist() == [F(1, 2), -2] and m.bias.ravel().tolist() == [0, 11]
    assert m.learned and m.gate


def test_epsilon_is_added_to_the_variance_before_the_root() -> None:
    layer = BatchNorm(fractions("1"), fractions("2"), fractions("3"), fractions("5"), epsilon=F(1, 4))
    assert layer(fractions(["4"])).tolist() == [[11]]    # (4 - 1) / (3/2) * 3 + 5
    assert BatchNorm(*np.ones((4, 1))).epsilon == 1e-5


def test_batch_norm_takes_images_and_vectors_and_channels_are_the_second_axis() -> None:
    layer = BatchNorm(*STATISTICS, epsilon=0)
    vectors = mixed((2, 3), 1)
    images = np.broadcast_to(vectors[:, :, None, None], (2, 3, 3, 2))
    assert (layer(images) == layer(vectors)[:, :, None, None]).all()
    assert (layer(images[..., 0]) == layer(vectors)[:, :, None]).all()


def test_batch_norm_is_its_definition() -> None:
    layer, x = BatchNorm(*STATISTICS, epsilon=0), mixed((1, 3, 2, 4), 5)
    assert units(layer(x)[0]) == defined(layer, x[0]).output
    assert [rational_root(v) for v in layer.variance] == [2, F(3, 2), F(1, 3)]


def test_batch_norm_without_an_exact_root_says_so() -> None:
    layer = BatchNorm(*STATISTICS)
    with refused("BatchNorm has no exact form here: the square root of …/… is no Fraction: "
                 "use Decimal or a float…"):
        layer(mixed((1, 3), 1))


def test_local_response_norm_divides_by_the_whole_size_at_the_clipped_ends() -> None:
    x = image("1", "2", "-3", "4")
    # alpha / size = 1/2, so s = 2 + (1 + 4)/2 = 9/2, 2 + 14/2 = 9, 2 + 29/2 = 33/2, 2 + 25/2 = 29/2
    layer = LRN(3, F(3, 2), 2, 2)
    assert layer(x).ravel().tolist() == [F(4, 81), F(2, 81), F(-4, 363), F(16, 841)]
    m = layer.linearize(x)[1]
    assert m.weight.ravel().tolist() == [F(4, 81), F(1, 81), F(4, 1089), F(4, 841)] and m.gate and not m.learned


def test_local_response_norm_reaches_across_channels_and_not_across_pixels_or_samples() -> None:
    x = np.concatenate([image("1 5", "2 6", "3 7"), image("0 1", "0 2", "0 4")])
    z = LRN(3, 3, 1, 1)(x)
    assert z[0, 0, 0, 1] == F(5, 1 + 25 + 36) and z[1, 1, 0, 1] == F(2, 1 + 1 + 4 + 16)
    assert z[0, 2, 0, 0] == F(3, 1 + 4 + 9)


def test_local_response_norm_may_reach_over_both_ends() -> None:
    assert LRN(5, 5, 1, 1)(image("1", "2")).ravel().tolist() == [F(1, 6), F(2, 6)]
    assert LRN(1, 1, 1, 1)(image("1", "2")).ravel().tolist() == [F(1, 2), F(2, 5)]


def test_local_response_norm_is_caffes_to_28_digits() -> None:
    # Decimal carries 28 digits; the definition and the layer divide and add in different orders
    layer = LRN(5, 1e-4, 0.75, 1)
    x = mixed((1, 7, 1, 2), 3, Decimal)
    alpha = constant(1e-4, x)      # the float, and not one ten-thousandth
    wanted = by_loops.lrn(units(x[0]), 5, alpha, Decimal("0.75"), Decimal(1)).output
    for unit, z in units(layer(x)[0]).items():
        assert abs(z - wanted[unit]) <= abs(z) * Decimal("1e-27")


def test_taylor_weights_are_those_of_the_expansion() -> None:
    x = image("1", "2", "-3", "4")
    m = LRN(3, F(3, 2), 2, 2, taylor=True).linearize(x)[1]
    one = np.zeros((1, 4, 1, 1), dtype=object) + F(0)

    def into(j: int) -> list[Any]:
        s = one.copy()
        s[0, j] = F(1)
        return m.transpose(s, same, x.shape).ravel().tolist()
    # into j = 0: w_00 = (2 + 1/2)^-2; w_10 = -2 * 1/2 * 2 * (2 * 1) * (9/2)^-3
    assert into(0) == [F(4, 25), F(-32, 729), 0, 0]
    # into j = 1 (s = 9): w_01 = -2 * 2 / 729, w_11 = (2 + 2)^-2, w_21 = -2 * -6 / 729
    assert into(1) == [F(-4, 729), F(1, 16), F(12, 729), 0]
    assert not m.gate and not m.learned


def test_the_taylor_form_changes_the_map_and_not_the_forward_pass() -> None:
    x = mixed((1, 4, 2, 3), 1)
    layer = LRN(3, F(3, 4), 2, 2, taylor=True)
    assert (layer(x) == LRN(3, F(3, 4), 2, 2)(x)).all()
    a, m = layer.linearize(x)
    assert (m(a) != layer(x)).any()


def test_the_taylor_form_covers_the_channels_inside() -> None:
    a, m = LRN(3, F(3, 2), 2, 2, taylor=True).linearize(image("1", "2", "-3", "0"))
    ones = ones_like(a)
    assert m.apply(ones, ones_like).ravel().tolist() == [2, 3, 3, 2]
    assert m.transpose(ones, ones_like, a.shape).ravel().tolist() == [2, 3, 3, 2]


@pytest.mark.parametrize("taylor", [False, True])
def test_a_broken_exponent_has_no_exact_form_and_says_so(taylor: bool) -> None:
    layer = LRN(5, 1e-4, 0.75, 1, taylor)
    for use in (layer, layer.linearize):
        with refused("…LRN has no exact form here: a Fraction to the power -0.75 is no Fraction…"):
            use(mixed((1, 3, 2, 2), 1))


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal])
@pytest.mark.parametrize("taylor", [False, True])
def test_normalisations_keep_the_number_type(number: type, taylor: bool) -> None:
    x = mixed((2, 3, 1, 2), 1, number)
    for layer in (LRN(5, 1e-4, 0.75, 1, taylor), LRN(5, np.float64(1e-4), F(3, 4), 1, taylor),
                  BatchNorm(*STATISTICS).astype(number)):
        a, m = layer.linearize(x)
        assert types_in(layer(x)) == types_in(m.weight) == types_in(m.bias) == types_in(m(a)) == {number}


# ---- Bad input ----


@pytest.mark.parametrize("size", [0, -3, 2, 4, True, 5.0, "5", None])
def test_local_response_norm_has_a_middle_channel(size: Any) -> None:
    with refused(f"LRN got size={size!r}, needed an odd number of channels"):
        LRN(size, 1, 1, 1)


@pytest.mark.parametrize(("alpha", "k"), [(-1, 1), (1, 0), (1, -2), (float("nan"), 1), (1, float("nan"))])
def test_local_response_norm_never_divides_by_zero(alpha: float, k: float) -> None:
    with refused(f"LRN got alpha={alpha}, k={k}, needed alpha >= 0 and k > 0"):
        LRN(3, alpha, 0.75, k)


@pytest.mark.parametrize("shape", [(2, 3), (3, 4, 4)])
def test_local_response_norm_takes_batches_of_images(shape: tuple[int, ...]) -> None:
    for layer in (LRN(3, 1, 1, 1), LRN(3, 1, 1, 1, taylor=True)):
        for use in (layer, layer.linearize):
            with refused(f"LRN got an input of shape {shape}, needed (N, C, H, W)"):
                use(np.ones(shape))


def test_batch_norm_has_one_of_each_statistic_for_each_channel() -> None:
    with refused("BatchNorm got a mean of shape (1, 2), needed (C,)"):
        BatchNorm(np.ones((1, 2)), *np.ones((3, 2)))
    for name in ("variance", "scale", "shift"):
        arrays = dict.fromkeys(("mean", "variance", "scale", "shift"), np.ones(2)) | {name: np.ones(3)}
        with refused(f"BatchNorm got {name} of shape (3,), needed (2,)"):
            BatchNorm(**arrays)
        with refused(f"BatchNorm {name} is nan at (1,), needed finite numbers…"):
            BatchNorm(**(arrays | {name: np.array([1, np.nan])}))


@pytest.mark.parametrize(("variance", "epsilon"), [(0, 0), (-1, 2), (1, -0.5), (1, float("nan"))])
def test_batch_norm_never_divides_by_zero(variance: float, epsilon: float) -> None:
    text = (f"BatchNorm got a smallest variance of {float(variance)} with epsilon={epsilon}, "
            "needed variance + epsilon > 0")
    with refused(text):
        BatchNorm(np.ones(2), np.array([3.0, variance]), np.ones(2), np.ones(2), epsilon)


@pytest.mark.parametrize("shape", [(1, 4, 3, 3), (3,), (2, 4)])
def test_batch_norm_takes_as_many_channels_as_it_has_statistics(shape: tuple[int, ...]) -> None:
    layer = BatchNorm(*np.ones((4, 3)))
    for use in (layer, layer.linearize):
        with refused(f"BatchNorm got an input of shape {shape}, needed (N, 3, ...)"):
            use(np.ones(shape))


def test_the_taylor_form_of_five_channels_is_its_definition() -> None:
    layer, x, R = LRN(5, F(3, 4), 2, 2, taylor=True), mixed((2, 6, 2, 3), 7), mixed((2, 6, 2, 3), 8)
    assert_as_defined(layer, Epsilon(0), x, R)
    assert_as_defined(layer, Epsilon(F(1, 4)), x, R)


def test_a_variance_of_zero_is_enough_where_epsilon_is_not() -> None:
    layer = BatchNorm(np.array([1.0]), np.array([0.0]), np.array([3.0]), np.array([-1.0]), epsilon=0.25)
    assert layer(np.array([[2.0]])).tolist() == [[5]]     # (2 - 1) / 0.5 * 3 - 1


def test_a_local_response_norm_without_alpha_divides_by_k() -> None:
    assert LRN(3, 0, 2, 4)(fractions(["1 -3 0"]).reshape(1, 3, 1, 1)).ravel().tolist() == [F(1, 16), F(-3, 16), 0]


def test_the_expansions_middle_of_five_channels_is_the_channel_itself() -> None:
    # alpha / size = 1, beta = 1, k = 1: w_ii = 1 / (1 + x_i^2); the others 0 where no other channel is there
    x = fractions(["0 0 2 0 0"]).reshape(1, 5, 1, 1)
    a, m = LRN(5, 5, 1, 1, taylor=True).linearize(x)
    assert m(a).ravel().tolist() == [0, 0, F(2, 5), 0, 0]
    assert m.weight[2].ravel().tolist() == [1, 1, F(1, 5), 1, 1]
