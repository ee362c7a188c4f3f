"""The definitions against numbers worked by hand, their own second derivations, and the ledger law."""

import math
from fractions import Fraction as F

import pytest

from lrp_ref.checks.definitions import (
    Map,
    Unit,
    Units,
    avg_pool,
    batch_norm,
    conv2d,
    flat,
    flatten,
    linear,
    lists,
    lrn,
    max_pool,
    relu,
    starts,
    sum_pool,
    tanh,
    units,
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
    assert starts(n, size, stride, (pad, pad), ceil) == begins


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
