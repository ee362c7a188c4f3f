"""The definitions against numbers worked by hand, their own second derivations, and the ledger law."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import pytest

from lrp_ref.checks.definitions import (
    Map,
    Step,
    Unit,
    Units,
    alpha_beta,
    avg_pool,
    batch_norm,
    conv2d,
    epsilon,
    flat,
    flatten,
    gamma,
    gradient_times_input,
    linear,
    lists,
    lrn,
    matrix_form,
    max_pool,
    passed,
    paths,
    receptive_field,
    relu,
    starts,
    sum_pool,
    tanh,
    units,
    w_square,
    walk,
    winner,
    z_box,
    z_plus,
)


def fractions(text: str) -> list[F]:
    """Fractions from their text: "1/2 -3" is [1/2, -3]."""
    return [F(word) for word in text.split()]


def image(text: str) -> list[list[F]]:
    """One channel from its text: rows are separated by commas."""
    return [fractions(row) for row in text.split(",")]


def vector(text: str) -> Units:
    """A vector from its text."""
    return units(fractions(text))


def one_output(weight: str, bias: str, x: str) -> tuple[Map, Units]:
    """A fully connected layer with a single output, and its input."""
    a = vector(x)
    return linear(a, [[w] for w in fractions(weight)], fractions(bias)), a


def outputs_at(m: Map, text: str) -> Units:
    """Numbers for the outputs of a map, in order."""
    return dict(zip(m.output, fractions(text), strict=True))


def weights_to(m: Map, *j: int) -> dict[Unit, F]:
    """w_ij of the inputs i of unit j."""
    return {i: w for i, c, w in m.connections[j]}


def one_row(m: Map) -> list[F]:
    """The output of a layer whose image has one channel and one row."""
    return lists(m.output)[0][0]


# ---- Layers ----


def test_units_and_lists_undo_each_other() -> None:
    nested = [image("1 2 3, 4 5 6"), image("7 8 9, 0 -1 -2")]
    assert units(nested)[1, 0, 2] == 9
    assert lists(units(nested)) == nested
    assert lists(vector("3 1 2")) == [3, 1, 2]


def test_linear_sums_over_inputs_and_keeps_connections_of_weight_zero() -> None:
    a = vector("2 -1 3")
    m = linear(a, [[1, 0], [F(1, 2), 4], [-2, 5]], [F(1, 3), -7])
    # j = 0: 2 * 1 - 1 * 1/2 + 3 * -2 + 1/3 = -25/6; j = 1: 2 * 0 - 1 * 4 + 3 * 5 - 7 = 4
    assert lists(m.output) == [F(-25, 6), 4]
    assert m.connections[1,] == [((0,), 1, 0), ((1,), 1, 4), ((2,), 1, 5)]


def test_linear_acts_on_the_last_axis_and_keeps_rows_apart() -> None:
    a = units(image("1 2, 3 -4, 0 5"))
    m = linear(a, [[2, 1, 0], [-1, 3, 7]], [0, 10, 0])
    # rows (1, 2), (3, -4), (0, 5) times columns (2, -1), (1, 3) + 10, (0, 7)
    assert lists(m.output) == [[0, 17, 14], [10, 1, -28], [-5, 25, 35]]
    assert [i for i, c, w in m.connections[1, 2]] == [(1, 0), (1, 1)]


def test_convolution_correlates_without_flipping_the_kernel() -> None:
    a = units([image("1 2 3, 4 5 6")])
    m = conv2d(a, [[image("1 10, 100 1000")]], [F(1, 2)])
    # 1 + 20 + 400 + 5000 + 1/2 and 2 + 30 + 500 + 6000 + 1/2
    assert lists(m.output) == [[[F(10843, 2), F(13065, 2)]]]


def test_convolution_padding_is_no_unit_and_stride_is_height_then_width() -> None:
    a = units([image("1 2 3 4, 5 6 7 8, 9 10 11 12")])
    m = conv2d(a, [[image("1 1 1, 1 1 1")]], [0], stride=(2, 1), pad=(1, 0))
    # rows (-1, 0) and (1, 2), columns 0..2 and 1..3
    assert lists(m.output) == [[[6, 9], [5 + 6 + 7 + 9 + 10 + 11, 6 + 7 + 8 + 10 + 11 + 12]]]
    assert [i for i, c, w in m.connections[0, 0, 1]] == [(0, 0, 1), (0, 0, 2), (0, 0, 3)]


def test_convolution_window_wholly_in_the_padding_puts_out_its_bias() -> None:
    m = conv2d(units([image("3 4")]), [[image("5")]], [F(7)], pad=(1, 0))
    assert lists(m.output) == [[[7, 7], [22, 27], [7, 7]]]
    assert m.connections[0, 2, 1] == []
    step = flat(m, units([image("3 4")]), dict.fromkeys(m.output, F(2)))
    assert step.dead[0, 2, 1] == 2 and lists(step.relevance) == [[[2, 2]]]


def test_convolution_dilation_spreads_the_kernel_per_axis() -> None:
    a = units([image("1 2 3 4 5, 6 7 8 9 10")])
    m = conv2d(a, [[image("1 10, 100 1000")]], [0], dilation=(1, 3))
    # columns 0 and 3, then 1 and 4
    assert lists(m.output) == [[[1 + 40 + 600 + 9000, 2 + 50 + 700 + 10000]]]


def test_convolution_groups_read_their_own_channels_only() -> None:
    a = units([image("1"), image("10"), image("100"), image("1000")])
    weight = [[image("1"), image("2")], [image("3"), image("4")], [image("5"), image("6")]] * 2
    m = conv2d(a, weight, [0] * 6, groups=2)
    # output channels 0..2 read inputs 0 and 1, output channels 3..5 read inputs 2 and 3
    assert lists(m.output) == [[[21]], [[43]], [[65]], [[2100]], [[4300]], [[6500]]]
    assert [i for i, c, w in m.connections[4, 0, 0]] == [(2, 0, 0), (3, 0, 0)]


@pytest.mark.parametrize(
    ("n", "size", "stride", "pad", "ceil", "begins"),
    [
        (7, 3, 2, 0, False, [0, 2, 4]),
        (6, 3, 2, 0, False, [0, 2]),
        (6, 3, 2, 0, True, [0, 2, 4]),  # hangs over by one
        (6, 3, 2, 1, True, [-1, 1, 3, 5]),  # ceil(5/2) + 1 = 4
        (3, 2, 2, 1, True, [-1, 1]),  # ceil(3/2) + 1 = 3, but the third would begin at 3 = n
        (3, 1, 3, 0, True, [0]),  # likewise without padding: ceil(2/3) + 1 = 2, but 3 = n
        (2, 3, 2, 0, True, [0]),  # ceil(-1/2) + 1 = 1
    ],
)
def test_windows_begin_where_caffe_begins_them(
    n: int, size: int, stride: int, pad: int, ceil: bool, begins: list[int]
) -> None:
    assert starts(n, size, stride, pad, ceil) == begins


def test_tied_winners_share_evenly_and_losers_have_weight_zero() -> None:
    m = max_pool(units([image("2 2 1, 0 2 5")]), size=(2, 2), stride=(1, 1))
    assert lists(m.output) == [[[2, 5]]]
    assert weights_to(m, 0, 0, 0) == {
        (0, 0, 0): F(1, 3),
        (0, 0, 1): F(1, 3),
        (0, 1, 0): 0,
        (0, 1, 1): F(1, 3),
    }
    assert weights_to(m, 0, 0, 1) == {(0, 0, 1): 0, (0, 0, 2): 0, (0, 1, 1): 0, (0, 1, 2): 1}


def test_padding_neither_wins_nor_ties_in_max_pooling() -> None:
    m = max_pool(units([image("-3 0 -1")]), size=(1, 2), stride=(1, 2), pad=(0, 1))
    assert one_row(m) == [-3, 0]  # windows (padding, 0) and (1, 2)
    assert weights_to(m, 0, 0, 0) == {(0, 0, 0): 1}
    assert weights_to(m, 0, 0, 1) == {(0, 0, 1): 1, (0, 0, 2): 0}


def test_max_pooling_with_ceil_keeps_the_partial_window() -> None:
    a = units([image("1 5 2 7 4")])
    assert one_row(max_pool(a, size=(1, 2), stride=(1, 2))) == [5, 7]
    assert one_row(max_pool(a, size=(1, 2), stride=(1, 2), ceil=True)) == [5, 7, 4]


def test_average_pooling_counts_padding_but_not_the_overhang() -> None:
    a = units([image("1 2 4 8 16 32")])
    counted = avg_pool(a, size=(1, 3), stride=(1, 3), pad=(0, 1), ceil=True)
    inside = avg_pool(a, size=(1, 3), stride=(1, 3), pad=(0, 1), ceil=True, count_pad=False)
    # windows at -1..1, 2..4 and 5..7; the padding ends with pixel 6, so the last one counts pixels 5 and 6
    assert one_row(counted) == [F(3, 3), F(28, 3), F(32, 2)]
    assert one_row(inside) == [F(3, 2), F(28, 3), F(32, 1)]
    assert weights_to(counted, 0, 0, 2) == {(0, 0, 5): F(1, 2)}
    assert weights_to(inside, 0, 0, 0) == {(0, 0, 0): F(1, 2), (0, 0, 1): F(1, 2)}


def test_average_pooling_counts_rows_and_columns_apart() -> None:
    a = units([image("3 6 9, 12 15 18")])
    m = avg_pool(a, size=(3, 2), stride=(2, 2), pad=(1, 0), ceil=True)
    # rows -1..1 and 1..3, of which two count, as the padding ends with row 2; columns 0..1 and 2..3 (one counts)
    assert lists(m.output) == [[[F(36, 6), F(27, 3)], [F(27, 4), F(18, 2)]]]


def test_sum_pooling_scales_the_sum() -> None:
    m = sum_pool(units([image("1 2 3, 4 5 6")]), size=(2, 1), stride=(1, 2), scale=F(1, 2))
    assert lists(m.output) == [[[F(5, 2), F(9, 2)]]]
    assert weights_to(m, 0, 0, 1) == {(0, 0, 2): F(1, 2), (0, 1, 2): F(1, 2)}


def test_relu_closes_its_gate_at_zero_and_below() -> None:
    m = relu(vector("-2 0 3"))
    assert lists(m.output) == [0, 0, 3]
    assert [weights_to(m, n) for n in range(3)] == [{(0,): 0}, {(1,): 0}, {(2,): 1}]


def test_tanh_gate_reproduces_tanh() -> None:
    a = units([-0.5, 0.0, 2.0])
    m = tanh(a)
    assert lists(m.output) == [math.tanh(-0.5), 0.0, math.tanh(2.0)]
    assert weights_to(m, 2) == {(2,): math.tanh(2.0) / 2.0} and weights_to(m, 1) == {(1,): 1}


def test_flatten_counts_along_x_first() -> None:
    nested = [image("1 2 3, 4 5 6"), image("7 8 9, 10 11 12")]
    assert lists(flatten(units(nested)).output) == [F(n) for n in range(1, 13)]
    shuffled = dict(reversed(units(nested).items()))
    assert lists(flatten(shuffled).output) == [F(n) for n in range(1, 13)]


def test_batch_norm_divides_by_the_deviation_it_is_given() -> None:
    a = units([image("3 5"), image("-1 2")])
    m = batch_norm(a, mean=[1, 2], deviation=[4, 3], scale=[2, -6], shift=[F(1, 2), 7])
    # (3 - 1) / 4 * 2 + 1/2 and (5 - 1) / 4 * 2 + 1/2; (-1 - 2) / 3 * -6 + 7 and (2 - 2) / 3 * -6 + 7
    assert lists(m.output) == [[[F(3, 2), F(5, 2)]], [[13, 7]]]
    assert weights_to(m, 1, 0, 0) == {(1, 0, 0): -2} and m.bias[1, 0, 0] == 11


def test_lrn_divides_by_the_whole_size_at_the_clipped_ends() -> None:
    a = vector("1 2 -3 4")
    m = lrn(a, size=3, alpha=F(3, 2), beta=2, k=2)
    # alpha / size = 1/2, so s = 2 + (1 + 4)/2 = 9/2, 2 + 14/2 = 9, 2 + 29/2 = 33/2, 2 + 25/2 = 29/2
    assert lists(m.output) == [F(4, 81), F(2, 81), F(-4, 363), F(16, 841)]
    assert weights_to(m, 2) == {(2,): F(4, 1089)}


def test_lrn_reaches_across_channels_and_not_across_pixels() -> None:
    m = lrn(units([image("1 5"), image("2 6"), image("3 7")]), size=3, alpha=3, beta=1, k=1, taylor=True)
    assert [i for i, c, w in m.connections[0, 0, 1]] == [(0, 0, 1), (1, 0, 1)]
    assert m.output[0, 0, 1] == F(5, 1 + 25 + 36)


def test_lrn_taylor_weights_are_those_of_the_expansion() -> None:
    m = lrn(vector("1 2 -3 4"), size=3, alpha=F(3, 2), beta=2, k=2, taylor=True)
    # into j = 0: w_00 = (2 + 1/2)^-2 = 4/25; w_10 = -2 * 1/2 * 2 * (2 * 1) * (9/2)^-3 = -32/729
    assert weights_to(m, 0) == {(0,): F(4, 25), (1,): F(-32, 729)}
    # into j = 1 (s = 9): w_01 = -2 * 2 / 729, w_11 = (2 + 2)^-2, w_21 = -2 * -6 / 729
    assert weights_to(m, 1) == {(0,): F(-4, 729), (1,): F(1, 16), (2,): F(12, 729)}


def test_lrn_refuses_an_even_window() -> None:
    with pytest.raises(ValueError, match=r"LRN got a window of 4 channels.*odd"):
        lrn(vector("1 2 3 4 5"), size=4, alpha=1, beta=1, k=1)


# ---- Rules ----


def check(step: Step, relevance: str, **columns: str) -> None:
    """The relevance of the inputs and the named ledger columns of the one output, as fractions."""
    assert [*step.relevance.values()] == fractions(relevance)
    for column, value in columns.items():
        assert [*getattr(step, column).values()] == fractions(value), column


def test_epsilon_moves_a_negative_denominator_away_from_zero() -> None:
    # z = 1 + 2 - 9/2 = -3/2, denominator -16/10
    m, a = one_output("1 2", "-9/2", "1 1")
    step = epsilon(m, a, m.output, F(1, 10))
    # each part of R = -3/2 is (part of z) * 15/16; the stabiliser's part is -1/10 * 15/16
    check(step, "15/16 15/8", handed="45/16", bias="-135/32", stabiliser="-3/32", dead="0")


def test_epsilon_takes_the_sign_of_zero_to_be_plus() -> None:
    m, a = one_output("1 -1", "0", "1 1")
    check(epsilon(m, a, vector("1"), F(1, 10)), "10 -10", handed="0", stabiliser="1", dead="0")


def test_epsilon_has_no_pole_at_minus_epsilon() -> None:
    m, a = one_output("1", "0", "-1/2")
    check(epsilon(m, a, vector("1"), F(1, 2)), "1/2", stabiliser="1/2", dead="0")


def test_zero_denominator_hands_nothing_down_and_is_dead() -> None:
    m, a = one_output("1 -1", "0", "1 1")  # x/0: contributions that cancel
    check(epsilon(m, a, vector("3")), "0 0", handed="0", bias="0", stabiliser="0", dead="3")
    m, a = one_output("1 1", "0", "0 0")  # 0/0: no contribution
    check(epsilon(m, a, vector("3")), "0 0", dead="3")
    check(alpha_beta(m, a, vector("3"), 2, 1), "0 0", dead="3")


def test_dead_unit_still_shares_under_flat_and_w_square() -> None:
    m, a = one_output("1 1", "0", "0 0")
    check(flat(m, a, vector("1")), "1/2 1/2", dead="0")
    check(w_square(m, a, vector("1")), "1/2 1/2", dead="0")


def test_alpha1_beta0_leaves_a_negative_bias_out_of_the_denominator() -> None:
    m, a = one_output("1 2", "-9/2", "1 1")  # z+ = 3
    check(alpha_beta(m, a, m.output, 1, 0), "-1/2 -1", bias="0", dead="0")


@pytest.mark.parametrize(
    ("weight", "bias", "x", "R", "one_zero", "two_one"),
    [
        # z+ = 1, z- = -1 - 1: 2 * -1 * 1/1 and -1 * -1 * 1/2
        ("1 -1", "-1", "1 1", "-1", "-1 0", "-2 1/2"),
        # z+ = 3, z- = -1 - 1/2: 2 * 3/2 and -3/2 * 2/3
        ("3 -1", "-1/2", "1 1", "3/2", "3/2 0", "3 -1"),
        # products 2, -2, -3, 1: z+ = 3 + 1/2, z- = -5; the products are split, not the weights
        ("2 1 -1 1", "1/2", "1 -2 3 1", "-3/2", "-6/7 0 0 -3/7", "-12/7 3/5 9/10 -6/7"),
    ],
)
def test_alpha_beta_splits_products_and_bias_by_sign(
    weight: str, bias: str, x: str, R: str, one_zero: str, two_one: str
) -> None:
    m, a = one_output(weight, bias, x)
    check(alpha_beta(m, a, vector(R), 1, 0), one_zero)
    check(z_plus(m, a, vector(R)), one_zero)
    check(alpha_beta(m, a, vector(R), 2, 1), two_one)


def test_alpha_beta_bias_is_absorbed_by_sign() -> None:
    # z+ = 3 + 1/2, R = -3/2, alpha 2: bias gets -3 * 1/7
    m, a = one_output("2 1 -1 1", "1/2", "1 -2 3 1")
    check(alpha_beta(m, a, vector("-3/2"), 2, 1), "-12/7 3/5 9/10 -6/7", handed="-15/14", bias="-3/7", dead="0")
    # z- = -1 - 1, R = -1, beta 1: bias gets 1 * 1/2
    m, a = one_output("1 -1", "-1", "1 1")
    check(alpha_beta(m, a, vector("-1"), 2, 1), "-2 1/2", handed="-3/2", bias="1/2", dead="0")


def test_alpha_beta_leaves_an_absent_sign_dead() -> None:
    m, a = one_output("1 3", "2", "1 1")  # nothing negative: -beta R is dead
    check(alpha_beta(m, a, vector("5"), F(3, 2), F(1, 2)), "5/4 15/4", bias="5/2", dead="-5/2")
    m, a = one_output("-1 -3", "0", "1 1")  # nothing positive: alpha R is dead
    check(alpha_beta(m, a, vector("5"), F(3, 2), F(1, 2)), "-5/8 -15/8", bias="0", dead="15/2")


def test_alpha_beta_does_not_lose_a_small_negative_part() -> None:
    m, a = one_output("1 -1/100000000", "0", "1 1/1000000000")
    check(alpha_beta(m, a, vector("1"), 2, 1), "2 -1")


def test_gamma_strengthens_positive_parts_and_positive_bias() -> None:
    m, a = one_output("2 -1", "1", "1 1")  # z = 2: (5/2, -1, bias 5/4), denominator 11/4
    check(gamma(m, a, vector("2"), F(1, 4)), "20/11 -8/11", handed="12/11", bias="10/11", dead="0")
    # gamma 1/10: (22/10, -1, bias 11/10), denominator 23/10
    check(gamma(m, a, vector("2"), F(1, 10)), "44/23 -20/23", bias="22/23")


def test_gamma_strengthens_negative_parts_where_z_is_negative() -> None:
    m, a = one_output("2 -1", "1", "-1 1")  # z = -2: (-5/2, -5/4, bias 1), denominator -11/4
    check(gamma(m, a, vector("-2"), F(1, 4)), "-20/11 -10/11", bias="8/11")


def test_gamma_takes_the_sign_with_the_bias() -> None:
    m, a = one_output("1 -1", "0", "1 2")  # z = -1: (1, -5/2), denominator -3/2
    check(gamma(m, a, vector("2"), F(1, 4)), "-4/3 10/3")
    m, a = one_output("1 -1", "3", "1 2")  # z = 2: (5/4, -2, bias 15/4), denominator 3
    check(gamma(m, a, vector("2"), F(1, 4)), "5/6 -4/3", bias="5/2")


def test_gamma_at_zero_is_dead_though_its_denominator_would_not_be() -> None:
    m, a = one_output("1 -1", "1", "1 2")  # z = 1 - 2 + 1
    check(gamma(m, a, vector("5"), F(1, 4)), "0 0", handed="0", bias="0", stabiliser="0", dead="5")


def test_gamma_equals_the_four_quadrants_of_inputs_and_weights() -> None:
    m, a = one_output("2 -3 5 -7", "-11", "-1 2 3 -4")  # -2 - 6 + 15 + 28 - 11 = 24
    # a+ (w + w+/3) + a- (w + w-/3): -1 * 2, 2 * -3, 3 * 20/3, -4 * -28/3; the sum with b is -19 + 20 + 112/3
    check(gamma(m, a, vector("115/3"), F(1, 3)), "-2 -6 20 112/3", bias="-11")


def test_z_box_cancels_the_bias() -> None:
    m, a = one_output("1 -2", "3", "1/2 1/4")
    # 1/2 + 1 and -1/2 + 2; low and high for the vector's two channels
    check(z_box(m, a, vector("1"), low=[-1, -1], high=[1, 1]), "1/2 1/2", bias="0")


def test_z_box_bounds_belong_to_channels() -> None:
    a = units([image("1 2"), image("3 4")])
    m = conv2d(a, [[image("2 -1"), image("3 -5")]], [F(7)])
    # channel 0 in [-1, 3]: 2 + 2, -2 + 3; channel 1 in [1, 6]: 9 - 3, -20 + 30; in all 21
    step = z_box(m, a, {(0, 0, 0): F(21)}, low=[-1, 1], high=[3, 6])
    assert lists(step.relevance) == [[[4, 1]], [[6, 10]]]


def test_w_square_leaves_the_bias_out() -> None:
    m, a = one_output("1 2", "2", "3 0")
    check(w_square(m, a, vector("1")), "1/5 4/5", bias="0")


def test_w_square_is_flat_where_the_weights_are_the_images() -> None:
    a = units([image("2 0 -1 2")])
    for m in (max_pool(a, (1, 3), (1, 1)), avg_pool(a, (1, 3), (1, 1)), relu(a)):
        R = dict.fromkeys(m.output, F(3))
        assert w_square(m, a, R) == flat(m, a, R)


def test_flat_and_w_square_give_padding_nothing_at_a_corner() -> None:
    a = units([image("1 1 1, 1 1 1, 1 1 1")])
    m = conv2d(a, [[image("1 2 3, 4 5 6, 7 8 9")]], [0], pad=(1, 1))
    corner: Units = {(0, 0, 0): F(1)}
    assert lists(flat(m, a, corner).relevance) == [image("1/4 1/4 0, 1/4 1/4 0, 0 0 0")]
    # 25 + 36 + 64 + 81 = 206
    assert lists(w_square(m, a, corner).relevance) == [image("25/206 36/206 0, 64/206 81/206 0, 0 0 0")]


def test_winner_hands_all_to_the_winner_even_where_the_maximum_is_zero() -> None:
    a = units([image("2 2 1 0")])
    m = max_pool(a, (1, 4), (1, 4))
    check(winner(m, a, outputs_at(m, "1")), "1/2 1/2 0 0", dead="0")
    check(flat(m, a, outputs_at(m, "1")), "1/4 1/4 1/4 1/4", dead="0")
    a = units([image("0 -1 -2 -3")])
    m = max_pool(a, (1, 4), (1, 4))
    check(winner(m, a, outputs_at(m, "3")), "3 0 0 0", dead="0")


def test_epsilon_on_pools_stabilises_the_layers_own_output() -> None:
    a = units([image("1 -1 2 2")])
    m = avg_pool(a, (1, 4), (1, 4))  # z = 1, denominator 11/10
    check(epsilon(m, a, outputs_at(m, "1"), F(1, 10)), "5/22 -5/22 5/11 5/11", stabiliser="1/11")
    m = sum_pool(a, (1, 4), (1, 4))  # z = 4, denominator 41/10
    check(epsilon(m, a, outputs_at(m, "1"), F(1, 10)), "10/41 -10/41 20/41 20/41", stabiliser="1/41")
    check(z_plus(m, a, outputs_at(m, "1")), "1/5 0 2/5 2/5")
    a = units([image("1 -1 0 0")])
    m = avg_pool(a, (1, 4), (1, 4))
    check(epsilon(m, a, outputs_at(m, "1")), "0 0 0 0", dead="1")


def test_pass_hands_relevance_through_closed_gates() -> None:
    a = vector("-2 0 3")
    m = relu(a)
    check(passed(m, a, vector("5 -7 11")), "5 -7 11", dead="0 0 0")
    check(epsilon(m, a, vector("5 -7 11")), "0 0 11", dead="5 -7 0")


def test_pass_on_batch_norm_differs_from_epsilon() -> None:
    a = vector("3")
    m = batch_norm(a, mean=[1], deviation=[2], scale=[2], shift=[F(1, 2)])  # w = 1, b = -1/2, z = 5/2
    check(passed(m, a, vector("5/2")), "5/2", bias="0")
    check(epsilon(m, a, vector("5/2")), "3", bias="-1/2")


def test_pass_refuses_a_map_that_mixes_units() -> None:
    for weight, bias in ([[2], [3]], [5]), ([[2, 3]], [5, 7]):
        a = units([F(1)] * len(weight))
        m = linear(a, weight, bias)
        with pytest.raises(ValueError, match=r"Pass needs a gate.*mixes units"):
            passed(m, a, m.output)


def test_coverage_multiplies_what_every_rule_shares_by() -> None:
    a = vector("2 -1")
    m = Map({(0,): [((0,), F(1, 4), F(3)), ((1,), F(3, 4), F(-4))]}, vector("1/2"), {}, learned=True)
    # products 1/4 * 2 * 3 and 3/4 * -1 * -4: with the bias, z = 3/2 + 3 + 1/2
    check(epsilon(m, a, vector("5")), "3/2 3", bias="1/2")
    check(flat(m, a, vector("4")), "1 3")
    check(w_square(m, a, vector("57")), "9 48")  # 1/4 * 9 and 3/4 * 16
    check(winner(m, a, vector("3")), "-1 4")  # 1/4 * 3 and 3/4 * -4
    # low -2 and -3, high 4 and 5: 1/4 * (6 + 6) and 3/4 * (4 + 20)
    check(z_box(m, a, vector("7"), low=[-2, -3], high=[4, 5]), "1 6")


def test_messages_go_to_inputs_from_outputs() -> None:
    a = vector("1 3")
    m = linear(a, [[2, 5], [4, -1]], [0, 0])  # z = (14, 2); products 2, 12 and 5, -3
    step = epsilon(m, a, vector("7 6"))
    assert step.messages == {((0,), (0,)): 1, ((1,), (0,)): 6, ((0,), (1,)): 15, ((1,), (1,)): -9}
    assert lists(step.relevance) == [16, -3] and lists(step.handed) == [7, 6]


def test_relevance_of_inputs_that_reach_nothing_is_zero() -> None:
    a = units([image("1 2 3")])
    m = sum_pool(a, (1, 1), (1, 3))
    assert lists(flat(m, a, m.output).relevance) == [[[1, 0, 0]]]


# ---- Laws over every layer and rule ----

Rule = Callable[[Map, Units, Units], Step]


def as_number(kind: type, nested: Any) -> Any:
    """Fractions in nested lists, in another number type."""
    if isinstance(nested, list):
        return [as_number(kind, part) for part in nested]
    return kind(F(nested).numerator) / kind(F(nested).denominator)


def pixels(kind: type = F) -> Units:
    """Two channels of 3 x 4 pixels with ties, zeros and both signs."""
    first, second = "1/2 -2 0 3, 1 1 -1 2, 0 5/3 -4 1", "2 0 -1/3 1, -3 2 2 0, 1 -1 4 4/5"
    return units(as_number(kind, [image(first), image(second)]))


def layers_in(kind: type) -> dict[str, Map]:
    """Every rational layer at `pixels`, its parameters in the given number type."""
    a = pixels(kind)

    def n(nested: Any) -> Any:
        return as_number(kind, nested)

    matrix = [[1, -2, 0], [F(1, 2), 3, 0], [-1, 0, 0], [2, F(-5, 3), 0]]  # the last output is 0 everywhere
    kernels = [[image("1 -2 0, 3 1/2 -1")], [image("-1 0 2, 1 1 -3")], [image("2 1 -1, 0 -1/4 5")]] * 2
    convolution: dict[str, Any] = {"stride": (1, 2), "pad": (1, 2), "dilation": (2, 1), "groups": 2}
    return {
        "linear": linear(a, n(matrix), n([F(-1, 2), 2, 0])),
        "conv2d": conv2d(a, n(kernels), n([1, 0, F(-1, 3), 2, -2, 0]), **convolution),
        "max_pool": max_pool(a, (2, 3), (2, 2), (1, 0), ceil=True),
        "avg_pool": avg_pool(a, (2, 3), (1, 2), (1, 1), ceil=True),
        "avg_pool inside": avg_pool(a, (2, 3), (1, 2), (1, 1), ceil=True, count_pad=False),
        "sum_pool": sum_pool(a, (3, 2), (1, 1), n(F(-2, 3))),
        "relu": relu(a),
        "flatten": flatten(a),
        "batch_norm": batch_norm(a, n([1, F(-1, 2)]), n([2, 3]), n([-1, F(3, 2)]), n([F(1, 4), -2])),
        "lrn": lrn(a, 3, n(F(3, 4)), 2, n(2)),
        "lrn taylor": lrn(a, 3, n(F(3, 4)), 2, n(2), taylor=True),
    }


def rules_in(kind: type) -> dict[str, Rule]:
    """Every rule but Pass, its parameters in the given number type."""
    quarter, third, low, high = as_number(kind, [F(1, 4), F(1, 3), [-4, -3], [F(7, 2), 5]])
    return {
        "epsilon 0": epsilon,
        "epsilon 1/4": lambda m, a, R: epsilon(m, a, R, quarter),
        "alpha 2, beta 1": lambda m, a, R: alpha_beta(m, a, R, 2, 1),
        "alpha 4/3, beta 1/3": lambda m, a, R: alpha_beta(m, a, R, 1 + third, third),
        "z_plus": z_plus,
        "gamma 1/4": lambda m, a, R: gamma(m, a, R, quarter),
        "z_box": lambda m, a, R: z_box(m, a, R, low, high),
        "w_square": w_square,
        "flat": flat,
        "winner": winner,
    }


PIXELS, LAYERS, RULES = pixels(), layers_in(F), rules_in(F)
GATES = ("relu", "flatten", "batch_norm", "lrn")
layers = pytest.mark.parametrize("m", LAYERS.values(), ids=LAYERS)
rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def relevance_of(m: Map) -> Units:
    """A relevance for every output that has nothing to do with the output: signs mixed, zeros among them."""
    return {j: F((5 * n) % 7 - 3, 2) for n, j in enumerate(m.output)}


@layers
def test_coverage_is_one_and_no_input_is_listed_twice(m: Map) -> None:
    for connections in m.connections.values():
        assert all(c == 1 for _, c, _ in connections)
        assert len({i for i, _, _ in connections}) == len(connections)


def test_only_the_weights_of_the_model_are_learned() -> None:
    assert {name for name, m in LAYERS.items() if m.learned} == {"linear", "conv2d", "batch_norm"}


@layers
def test_map_reproduces_the_output_in_all_layers_but_the_taylor_form(m: Map) -> None:
    z = {j: sum(c * PIXELS[i] * w for i, c, w in m.connections[j]) + m.bias[j] for j in m.output}
    assert (z == m.output) == (m is not LAYERS["lrn taylor"])


@rules
@layers
def test_received_is_handed_and_bias_and_stabiliser_and_dead(m: Map, rule: Rule) -> None:
    R = relevance_of(m)
    step = rule(m, PIXELS, R)
    for j in R:
        assert R[j] == step.handed[j] + step.bias[j] + step.stabiliser[j] + step.dead[j]
    assert sum(step.relevance.values()) == sum(step.handed.values())


@pytest.mark.parametrize("name", GATES)
def test_pass_conserves_through_every_gate(name: str) -> None:
    m = LAYERS[name]
    R = relevance_of(m)
    assert [*passed(m, PIXELS, R).relevance.values()] == [*R.values()]


@layers
def test_epsilon_zero_is_the_matrix_form(m: Map) -> None:
    R = relevance_of(m)
    assert epsilon(m, PIXELS, R).relevance == matrix_form(m, PIXELS, R)


@layers
def test_flat_is_equation_1_with_inputs_and_weights_one_and_no_bias(m: Map) -> None:
    R = relevance_of(m)
    ones = {j: [(i, c, 1) for i, c, w in m.connections[j]] for j in m.connections}
    flattened = Map(ones, dict.fromkeys(m.bias, 0), {}, m.learned)
    assert flat(m, PIXELS, R) == epsilon(flattened, dict.fromkeys(PIXELS, 1), R)


def test_weights_one_alone_are_not_flat() -> None:
    m, a = one_output("1 1", "0", "1 3")
    check(epsilon(m, a, vector("1")), "1/4 3/4")
    check(flat(m, a, vector("1")), "1/2 1/2")


@rules
@layers
def test_averaged_messages_fall_short_of_flat_by_the_absorbed_relevance(m: Map, rule: Rule) -> None:
    """Flat(R)_i - sum_j c_ij/n_j sum_i' R_i'<-j = sum_j c_ij/n_j (bias_j + stabiliser_j + dead_j)."""
    R = relevance_of(m)
    step = rule(m, PIXELS, R)
    averaged, absorbed = dict.fromkeys(PIXELS, F(0)), dict.fromkeys(PIXELS, F(0))
    for j in R:
        n = sum(c for _, c, _ in m.connections[j])
        messages = sum(step.messages[i, j] for i, _, _ in m.connections[j])
        for i, c, _ in m.connections[j]:
            averaged[i] += F(c, n) * messages
            absorbed[i] += F(c, n) * (step.bias[j] + step.stabiliser[j] + step.dead[j])
    full = flat(m, PIXELS, R).relevance
    assert {i: full[i] - averaged[i] for i in PIXELS} == absorbed


def test_gradient_times_input_is_epsilon_zero_all_the_way_down() -> None:
    a = units([image("1 2 -3, 4 -1 2")])
    conv = conv2d(a, [[image("1 -2, 3 1")], [image("2 1, -1 1")]], [F(1, 2), -1])
    gates = relu(conv.output)
    flattened = flatten(gates.output)
    score = linear(flattened.output, [[2, 1], [-1, 3], [1, 5], [4, -2]], [F(3), F(-1, 2)])
    # 1 - 4 + 12 - 1 + 1/2 and 2 + 6 - 3 + 2 + 1/2; 2 + 2 - 4 - 1 - 1 and 4 - 3 + 1 + 2 - 1
    assert lists(conv.output) == [[[F(17, 2), F(15, 2)]], [[-2, 3]]]
    assert lists(score.output) == [17 - F(15, 2) + 0 + 12 + 3, F(17, 2) + F(45, 2) - 6 - F(1, 2)]
    R: Units = {(0,): score.output[0,], (1,): F(0)}
    for m, x in (score, flattened.output), (flattened, gates.output), (gates, conv.output), (conv, a):
        R = epsilon(m, x, R).relevance
    assert gradient_times_input([conv, gates, flattened, score], a, units([1, 0])) == R


# ---- The cut-off: flat layers stacked ----


def test_flat_layers_are_a_random_walk_and_not_a_count_of_paths() -> None:
    """Two 3-wide convolutions with padding 1 over 4 pixels, seen from unit 0."""
    a = units([image("2 -1 0 5")])
    first = conv2d(a, [[image("1 -2 3")]], [1], pad=(0, 1))
    second = conv2d(first.output, [[image("4 0 -1")]], [-2], pad=(0, 1))
    start: Units = {(0, 0, 0): F(1)}
    stepped = flat(first, a, flat(second, first.output, start).relevance).relevance
    # unit 0 walks to units 0 and 1 with 1/2 each; 0 walks on to pixels 0, 1 and 1 to pixels 0, 1, 2
    assert lists(stepped) == [image("5/12 5/12 1/6 0")]
    assert lists(walk([first, second], start)) == [image("5/12 5/12 1/6")]
    assert lists(paths([first, second], (0, 0, 0))) == [image("2/5 2/5 1/5")]


def test_walk_counts_paths_where_no_window_is_clipped() -> None:
    a = units([image("2 -1 0 5 1 3 7")])
    first = conv2d(a, [[image("1 -2 3")]], [1])
    second = conv2d(first.output, [[image("4 0 -1")]], [-2])
    counted = paths([first, second], (0, 0, 1))
    assert [counted[0, 0, x] for x in range(1, 6)] == fractions("1/9 2/9 3/9 2/9 1/9") and len(counted) == 5
    assert walk([first, second], {(0, 0, 1): F(1)}) == counted


def test_walk_is_one_box_where_the_stride_is_the_window() -> None:
    a = units([image("2 -1 0 5 1 3, 7 7 1 2 4 1")])
    first = avg_pool(a, (1, 2), (1, 2))
    second = conv2d(first.output, [[image("4 0 -1, 1 2 5")]], [-2], stride=(2, 3))
    assert walk([first, second], {(0, 0, 0): F(6)}) == dict.fromkeys(a, F(1, 2))


def test_walk_below_a_wide_strided_convolution_is_a_fixed_pattern() -> None:
    """Uniform relevance over 9 x 9 windows, 11 wide and 4 apart, over 43 x 43 pixels."""
    a = units([[[0] * 43 for _ in range(43)]])
    m = sum_pool(a, (11, 11), (4, 4))
    R = walk([m], dict.fromkeys(m.output, F(1, 81)))
    # a corner lies in 1 window and no pixel in more than 3 x 3; each hands 1/81 of 1/121 to each pixel
    assert R[0, 0, 0] * 43 * 43 == F(43 * 43, 81 * 121) and round(F(43 * 43, 81 * 121), 2) == F(19, 100)
    assert max(R.values()) == 9 * R[0, 0, 0] and round(9 * F(43 * 43, 81 * 121), 2) == F(17, 10)


def test_flat_fully_connected_layer_is_uniform_and_blind_to_the_image() -> None:
    weight = [[2, -1], [0, 3], [5, 1]]
    for x in "1 2 3", "0 -7 4":
        m = linear(vector(x), weight, [1, 2])
        check(flat(m, vector(x), vector("5 4")), "3 3 3")


def test_receptive_field_follows_connections() -> None:
    a = units([image("2 -1 0 5 1 3 7")])
    first = conv2d(a, [[image("0 0 0")]], [0], stride=(1, 2))  # weights of zero connect all the same
    second = max_pool(first.output, (1, 2), (1, 1))
    assert receptive_field([first, second], (0, 0, 1)) == {(0, 0, x) for x in range(2, 7)}


# ---- Number types ----


def test_ints_stay_exact() -> None:
    a = units([[[2, 2, 1]]])
    m = max_pool(a, (1, 3), (1, 3))
    assert winner(m, a, {(0, 0, 0): 1}).relevance == {(0, 0, 0): F(1, 2), (0, 0, 1): F(1, 2), (0, 0, 2): 0}
    assert lists(avg_pool(a, (1, 3), (1, 3)).output) == [[[F(5, 3)]]]
    assert isinstance(lrn(a, 1, 1, 2, 1).output[0, 0, 1], F)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", [float, Decimal])
def test_floats_and_decimals_stay_what_they_are(kind: type, layer: str, rule: str) -> None:
    m = layers_in(kind)[layer]
    step = rules_in(kind)[rule](m, pixels(kind), dict.fromkeys(m.output, kind(3)))
    numbers = [*m.output.values()] + [number for column in step for number in column.values()]
    assert {type(number) for number in numbers} <= {kind, int}  # an int is a 0: padding, or nothing to share
    assert all(number == 0 for number in numbers if type(number) is int)
