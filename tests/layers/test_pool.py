"""Poolings: winners and ties, what an average counts, ceil as Caffe has it."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused, types_in
from hypothesis import given
from hypothesis import strategies as st

from lrp_ref import AdaptiveAvgPool, AvgPool, MaxPool, SumPool, Winner
from lrp_ref.arrays import ones_like, same
from lrp_ref.checks.claims.by_loops import defined, units
from lrp_ref.checks.claims.examples import Example
from lrp_ref.step import step

POOLS: list[Any] = [MaxPool, AvgPool, SumPool, AdaptiveAvgPool]
pools = pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.__name__)
padded_pools = pytest.mark.parametrize("pool", [MaxPool, AvgPool], ids=lambda pool: pool.__name__)


def weights(layer: Any, x: Any) -> list[Any]:
    """w_ij of the inputs of the one output, in the image's order."""
    a, m = layer.linearize(x)
    return m.transpose(ones_like(m(a)), same, x.shape).tolist()


# ---- MaxPool ----


def test_max_pooling_takes_the_maximum_and_tied_winners_share_its_weight() -> None:
    layer = MaxPool((2, 2), stride=1)
    assert layer(image("2 2 1, 0 2 5")).tolist() == image("2 5").tolist()
    # thirds to the three 2s of the first window, 1 to the 5 of the second
    assert weights(layer, image("2 2 1, 0 2 5")) == image("1/3 1/3 0, 0 1/3 1").tolist()


def test_padding_neither_wins_nor_ties_and_is_no_zero() -> None:
    layer = MaxPool((1, 2), pad=(0, 1))
    assert layer(image("-3 0 -1")).tolist() == image("-3 0").tolist()     # windows (padding, -3) and (0, -1)
    assert weights(layer, image("-3 0 -1")) == image("1 1 0").tolist()
    assert layer(image("0 -7 -7")).tolist() == image("0 -7").tolist()
    assert weights(layer, image("0 -7 -7")) == image("1 1/2 1/2").tolist()


def test_padding_as_low_as_the_lowest_pixel_does_not_win() -> None:
    # two samples: the padding must not be the winner where the window's pixel is the smallest of the batch
    x = np.concatenate([image("-9 4"), image("5 -9")])
    layer = MaxPool((1, 2), pad=(0, 1))
    assert layer(x).tolist() == np.concatenate([image("-9 4"), image("5 -9")]).tolist()
    assert weights(layer, x) == np.concatenate([image("1 1"), image("1 1")]).tolist()


def test_max_pooling_with_ceil_keeps_the_partial_window() -> None:
    assert MaxPool((1, 2))(image("1 5 2 7 4")).tolist() == image("5 7").tolist()
    assert MaxPool((1, 2), ceil=True)(image("1 5 2 7 4")).tolist() == image("5 7 4").tolist()
    assert MaxPool((2, 1), ceil=True)(image("1, 5, -2")).tolist() == image("5, -2").tolist()


def test_ceil_makes_one_output_of_an_image_smaller_than_the_window() -> None:
    assert MaxPool(3, 2, ceil=True)(image("1 5, 4 3")).tolist() == image("5").tolist()
    assert AvgPool(3, 2, ceil=True)(image("1 5, 4 2")).tolist() == image("3").tolist()


def test_no_window_begins_outside_the_image() -> None:
    # ceil(3/2) + 1 = 3 windows, of which the third would begin at 3, behind the last pixel
    assert MaxPool((1, 2), stride=2, pad=(0, 1), ceil=True)(image("1 2 3")).tolist() == image("1 3").tolist()


def test_overlapping_windows_each_choose_a_winner() -> None:
    layer = MaxPool((1, 3), stride=1)
    assert weights(layer, image("1 4 0 4 2")) == image("0 3/2 0 3/2 0").tolist()    # 4; 4 and 4; 4


def test_winners_are_exact_in_floats() -> None:
    x = np.array([[[[0.1, 0.1, 0.1, -0.3]]]])
    layer = MaxPool((1, 4))
    assert layer(x).item() == 0.1 and weights(layer, x) == [[[[1 / 3, 1 / 3, 1 / 3, 0]]]]


def test_the_forward_pass_does_not_touch_its_input() -> None:
    x = mixed((1, 2, 4, 4), 3, np.float64)
    before = x.copy()
    MaxPool(1)(x), MaxPool(2, 1)(x), AvgPool(2)(x)
    assert (x == before).all() and not np.shares_memory(MaxPool(1)(x), x)


# ---- AvgPool, SumPool, AdaptiveAvgPool ----


def test_an_average_counts_padding_but_never_what_lies_beyond_it() -> None:
    x = image("1 2 4 8 16 32")
    counted, inside = (AvgPool((1, 3), pad=(0, 1), ceil=True, count_pad=count) for count in (True, False))
    # windows at -1..1, 2..4 and 5..7; the padding ends with pixel 6, so the last one counts pixels 5 and 6
    assert counted(x).tolist() == image("1 28/3 16").tolist()
    assert inside(x).tolist() == image("3/2 28/3 32").tolist()
    assert weights(counted, x) == image("1/3 1/3 1/3 1/3 1/3 1/2").tolist()
    assert weights(inside, x) == image("1/2 1/2 1/3 1/3 1/3 1").tolist()


def test_an_average_counts_rows_and_columns_apart() -> None:
    x = image("3 6 9, 12 15 18")
    # rows -1..1 and 1..3, of which two count, as the padding ends with row 2; columns 0..1 and 2..3 (one counts)
    assert AvgPool((3, 2), 2, pad=(1, 0), ceil=True)(x).tolist() == image("6 9, 27/4 9").tolist()


def test_padding_counts_unless_it_is_asked_not_to() -> None:
    x = image("6 3")
    assert AvgPool((1, 2), pad=(0, 1))(x).tolist() == image("3 3/2").tolist()
    assert AvgPool((1, 2), pad=(0, 1), count_pad=False)(x).tolist() == image("6 3").tolist()


def test_a_sum_pooling_scales_the_sum() -> None:
    layer = SumPool((2, 1), (1, 2), scale=F(1, 2))
    assert layer(image("1 2 3, 4 5 6")).tolist() == image("5/2 9/2").tolist()
    assert SumPool((2, 1))(image("1 2 3, 4 5 6")).tolist() == image("5 7 9").tolist()


def test_adaptive_cells_overlap_where_they_do_not_divide_the_image() -> None:
    # 5 columns in 3 cells: 0..1, 1..3, 3..4; 3 rows in 2 cells: 0..1, 1..2
    x = image("6 12 0 0 30, 0 0 18 0 0, 0 0 0 12 6")
    assert AdaptiveAvgPool((2, 3))(x).tolist() == image("18/4 30/6 30/4, 0 30/6 18/4").tolist()
    assert AdaptiveAvgPool(1)(x).tolist() == image("84/15").tolist()


def test_more_adaptive_cells_than_pixels_repeat_them() -> None:
    # cells 0..0, 0..1, 1..1
    assert AdaptiveAvgPool((1, 3))(image("2 8")).tolist() == image("2 5 8").tolist()


def test_a_pooling_keeps_channels_and_samples_apart() -> None:
    x = np.concatenate([image("1 2, 3 4", "5 6, 7 9"), image("0 0, 0 4", "-1 -2, -3 -6")])
    assert AvgPool(2)(x)[..., 0, 0].tolist() == fractions(["5/2 27/4", "1 -3"]).tolist()
    assert SumPool(2)(x)[..., 0, 0].tolist() == [[10, 27], [4, -12]]
    assert MaxPool(2)(x)[..., 0, 0].tolist() == [[4, 9], [4, -1]]


def test_the_stride_is_the_window_unless_it_is_given() -> None:
    for pool in (MaxPool, AvgPool, SumPool):
        assert pool((2, 3)).stride == (2, 3) and pool((2, 3), 1).stride == (1, 1)


@pools
def test_the_weights_of_a_pooling_are_not_the_models(pool: Any) -> None:
    m = pool((2, 1)).linearize(image("1 2, 3 4"))[1]
    assert not m.learned and not m.gate and not m.bias.any()


def test_a_poolings_weight_is_one_array_of_windows() -> None:
    assert MaxPool((1, 3)).linearize(image("4 1 4 0 2 0"))[1].weight[..., 0, 0, :].tolist() == [
        [[F(1, 2), 0]], [[0, 1]], [[F(1, 2), 0]]]


# ---- Definitions by loops ----


@st.composite
def poolings(draw: Any) -> Example:
    def two(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))
    size, stride, kind = two(1, 3), two(1, 4), draw(st.sampled_from(POOLS))
    shape = (draw(st.integers(1, 2)), *(k + draw(st.integers(0, 4)) for k in size))
    if kind is AdaptiveAvgPool:
        return Example(AdaptiveAvgPool(two(1, 5)), shape)
    if kind is SumPool:
        return Example(SumPool(size, stride, F(draw(st.integers(1, 5)), 3)), shape)
    pad = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    ceil = draw(st.booleans())
    if kind is MaxPool:
        return Example(MaxPool(size, stride, pad, ceil), shape)
    return Example(AvgPool(size, stride, pad, ceil, draw(st.booleans())), shape)


@given(poolings(), st.integers(0, 99))
def test_poolings_are_their_definition(example: Example, seed: int) -> None:
    x = example.x(seed=seed)
    outputs, (a, m) = example.layer(x), example.layer.linearize(x)
    assert outputs.shape == example.layer.output_shape(x.shape) == m(a).shape
    for n, sample in enumerate(x):
        wanted = defined(example.layer, sample)
        assert units(outputs[n]) == units(m(a)[n]) == wanted.output
        pulled = m.transpose(ones_like(outputs), same, x.shape)[n]
        summed = dict.fromkeys(units(sample), F(0))
        for connections in wanted.connections.values():
            for i, c, w in connections:
                summed[i] += c * w
        assert units(pulled) == summed


@pools
@pytest.mark.parametrize("number", [np.float32, np.float64, F, Decimal])
def test_poolings_keep_the_number_type(pool: Any, number: type) -> None:
    x = mixed((2, 1, 3, 5), 1, number)
    layer = pool((2, 2), **{"pad": 1, "ceil": True} if pool in (MaxPool, AvgPool) else {})
    assert types_in(layer(x)) == types_in(layer.linearize(x)[1].weight) == {number}


# ---- Bad input ----


@padded_pools
@pytest.mark.parametrize(("size", "pad"), [(2, 2), ((3, 2), (0, 2)), ((1, 4), (1, 0)), (1, 5)])
def test_a_padding_is_smaller_than_the_window(pool: Any, size: Any, pad: Any) -> None:
    with refused(f"{pool.__name__} got pad=(…) for a window of (…), needed less than the "
                 "window, or the first would hold nothing but padding"):
        pool(size, pad=pad)


@pytest.mark.parametrize("pool", [MaxPool, AvgPool, SumPool], ids=lambda pool: pool.__name__)
def test_a_pooling_needs_an_image_as_large_as_its_window(pool: Any) -> None:
    text = (f"{pool.__name__} got an image of 5 x 2 (shape (2, 7, 5, 2)), but its window needs at least 4 x 3: "
            "use a larger image")
    with refused(text):
        pool((4, 3)).linearize(np.ones((2, 7, 5, 2)))
    text = "…needs at least 2 x 1: use…"
    with refused(text):
        MaxPool((4, 3), pad=1)(np.ones((1, 1, 1, 2)))


@pools
@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (1, 1, 1, 4, 4)])
def test_a_pooling_takes_batches_of_images(pool: Any, shape: tuple[int, ...]) -> None:
    text = f"{pool.__name__} got an input of shape {shape}, needed (N, C, H, W)"
    for use in (pool(2), pool(2).linearize):
        with refused(text):
            use(np.ones(shape))


@pools
@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", None, True, (1, 2, 3), (2, 0)])
def test_a_window_is_an_int_or_a_pair_of_ints(pool: Any, bad: Any) -> None:
    text = f"{pool.__name__} got size={bad!r}, needed an int or a pair of ints of at least 1"
    with refused(text):
        pool(bad)


@padded_pools
def test_strides_and_paddings_are_ints_or_pairs_of_ints(pool: Any) -> None:
    with refused(f"{pool.__name__} got stride=0, needed an int or a pair of ints of at least 1"):
        pool(2, 0)
    with refused(f"{pool.__name__} got pad=-1, needed an int or a pair of ints of at least 0"):
        pool(2, pad=-1)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan"), True])
def test_a_sum_poolings_scale_is_positive(scale: Any) -> None:
    with refused(f"SumPool got scale={scale!r}, needed a positive number"):
        SumPool(2, scale=scale)


@pytest.mark.parametrize(("number", "apart"), [(np.float32, 2.0**-22), (np.float64, 2.0**-51)])
def test_winners_that_differ_in_the_last_digit_do_not_tie(number: type, apart: float) -> None:
    x = np.array([[[[1.5, 1.5 + apart, -3, 0]]]], dtype=number)
    assert x[0, 0, 0, 0] < x[0, 0, 0, 1]
    a, m = MaxPool((1, 4)).linearize(x)
    assert step(Winner(), m, a, np.array([[[[7]]]], dtype=number))[0].tolist() == [[[[0, 7, 0, 0]]]]


def test_an_adaptive_cell_covers_each_of_its_pixels_once() -> None:
    x = mixed((1, 1, 3, 5), 2)
    m = AdaptiveAvgPool((2, 3)).linearize(x)[1]
    assert m.apply(ones_like(x), ones_like).tolist() == [[[[4, 6, 4], [4, 6, 4]]]]
