"""Convolution: cross-correlation with stride, padding, dilation and groups, whole or in pieces."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused
from hypothesis import example, given
from hypothesis import strategies as st

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Flat, Gamma, Network, ZBox, explain
from lrp_ref.arrays import negative, positive, same
from lrp_ref.checks.claims.by_loops import defined, units
from lrp_ref.checks.claims.examples import relevance_for
from lrp_ref.layers import conv
from lrp_ref.layers.window import Window


def kernel(*channels: str) -> Any:
    """One output channel from its input channels, rows separated by commas."""
    return image(*channels)


def test_a_convolution_correlates_without_flipping_the_kernel() -> None:
    layer = Conv2D(kernel("1 10, 100 1000"), fractions("1/2"))
    # 1 + 20 + 400 + 5000 + 1/2 and 2 + 30 + 500 + 6000 + 1/2
    assert layer(image("1 2 3, 4 5 6")).tolist() == image("10843/2 13065/2").tolist()


def test_stride_and_padding_are_rows_then_columns_and_the_padding_is_zero() -> None:
    layer = Conv2D(kernel("1 1 1, 1 1 1"), stride=(2, 1), pad=(1, 0))
    # rows (-1, 0) and (1, 2), columns 0..2 and 1..3
    assert layer(image("1 2 3 4, 5 6 7 8, 9 10 11 12")).tolist() == image("6 9, 48 54").tolist()


def test_dilation_spreads_the_kernel_per_axis() -> None:
    layer = Conv2D(kernel("1 10, 100 1000"), dilation=(1, 3))
    # columns 0 and 3, then 1 and 4
    assert layer(image("1 2 3 4 5, 6 7 8 9 10")).tolist() == image("9641 10752").tolist()
    layer = Conv2D(kernel("1 10, 100 1000"), dilation=(2, 1))
    assert layer(image("1 2, 3 4, 5 6, 7 8")).tolist() == image("6521, 8743").tolist()


def test_output_channels_of_a_group_see_its_own_input_channels() -> None:
    weight = np.concatenate([kernel("1", "2"), kernel("3", "4"), kernel("5", "6")] * 2)
    layer = Conv2D(weight, groups=2)
    # output channels 0..2 see inputs 0 and 1, output channels 3..5 see inputs 2 and 3
    x = image("1", "10", "100", "1000")
    assert layer(x).tolist() == image("21", "43", "65", "2100", "4300", "6500").tolist()


def test_channels_rows_and_columns_of_the_weight_are_in_this_order() -> None:
    layer = Conv2D(kernel("1 2, 3 4", "5 6, 7 8"))
    # with a single 1 at channel c, row y, column x, that weight comes out
    for c, y, x in product(range(2), repeat=3):
        a = np.where(np.arange(8).reshape(1, 2, 2, 2) == 4 * c + 2 * y + x, F(1), F(0))
        assert layer(a).item() == 4 * c + 2 * y + x + 1


def test_the_bias_belongs_to_output_channels_also_where_columns_are_as_many() -> None:
    layer = Conv2D(np.concatenate([kernel("1"), kernel("-1"), kernel("2")]), fractions("10 20 30"))
    assert layer(image("1 2 3")).tolist() == image("11 12 13", "19 18 17", "32 34 36").tolist()


def test_a_window_wholly_in_the_padding_puts_out_its_bias() -> None:
    layer = Conv2D(kernel("5"), fractions("7"), pad=(1, 0))
    assert layer(image("3 4")).tolist() == image("7 7, 22 27, 7 7").tolist()


def test_an_int_means_both_axes() -> None:
    layer = Conv2D(np.ones((1, 1, 2, 3)), stride=2, pad=3, dilation=np.int64(4))
    assert (layer.stride, layer.pad, layer.dilation) == ((2, 2), (3, 3), (4, 4))
    layer = Conv2D(np.ones((1, 1, 2, 3)), stride=[2, 1], pad=np.array([0, 3]))
    assert (layer.stride, layer.pad, layer.dilation) == ((2, 1), (0, 3), (1, 1))


# ---- Pieces ----


@st.composite
def convolutions(draw: Any) -> tuple[Conv2D, Any]:
    """A convolution of any geometry, and an input that it takes; some windows may lie in the padding alone."""
    def two(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))
    groups, outputs, channels = draw(st.sampled_from([(1, 1, 2), (1, 2, 1), (2, 1, 1), (2, 2, 1)]))
    size, stride, pad, dilation = two(1, 3), two(1, 3), two(0, 3), two(1, 2)
    bias = mixed((groups * outputs,), 2) if draw(st.booleans()) else None
    layer = Conv2D(mixed((groups * outputs, channels, *size), draw(st.integers(0, 99))), bias, stride, pad, dilation,
                   groups)
    least = [max(1, extent - 2 * p) for extent, p in zip(layer.window.extent, pad)]
    height, width = (draw(st.integers(n, n + 3)) for n in least)
    return layer, mixed((draw(st.integers(1, 2)), groups * channels, height, width), draw(st.integers(0, 99)))


SHORT = Conv2D(mixed((1, 1, 3, 2), 1), pad=1), mixed((1, 1, 2, 3), 2)     # one output row reaches the whole image
FRAMED = Conv2D(mixed((1, 1, 1, 1), 1), mixed((1,), 3), pad=3), mixed((1, 1, 2, 3), 2)   # rows in the padding only

ALONE = Conv2D(mixed((3, 1, 2, 3), 1), pad=((1, 0), (2, 1)), groups=3), mixed((1, 3, 3, 2), 2)   # every channel alone
LAST = Conv2D(mixed((1, 2, 3, 2), 1), pad=(1, 0)), mixed((2, 2, 2, 3), 2)                        # one output channel
STRIDED = Conv2D(mixed((2, 1, 5, 3), 4), None, 2, ((2, 1), (0, 1)), groups=2), mixed((1, 2, 6, 5), 5)   # by phases
APART = Conv2D(mixed((2, 1, 2, 1), 7), None, (3, 2), groups=2), mixed((1, 2, 6, 4), 8)   # inputs that nobody sees
POINTS = Conv2D(mixed((3, 2, 1, 1), 9), None, (2, 3)), mixed((1, 2, 4, 5), 3)


@given(convolutions(), st.sampled_from([1, 7, 40, 400]))
@example(SHORT, 1)
@example(FRAMED, 1)
@example(ALONE, 7)
def test_the_forward_pass_is_the_definition_whole_or_in_pieces(case: tuple[Conv2D, Any], chunk: int) -> None:
    layer, x = case
    wanted = [defined(layer, sample).output for sample in x]
    assert [units(z) for z in layer(x)] == wanted
    with pytest.MonkeyPatch.context() as patch:
        for name, numbers in {"CHUNK": chunk, "PACKED": 0, "NEAR": chunk}.items():
            patch.setattr(conv, name, numbers)
        assert [units(z) for z in layer(x)] == wanted


@given(convolutions(), st.sampled_from([1, 7, 40, 400]))
@example(SHORT, 1)
@example(FRAMED, 1)
def test_pieces_together_are_the_map(case: tuple[Conv2D, Any], chunk: int) -> None:
    layer, x = case
    a, m = layer.linearize(x)
    s = relevance_for(layer(x))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "CHUNK", chunk)
        patch.setattr(conv, "PACKED", 0)
        z, below, met = 0 * s, 0 * x, np.zeros(s.shape, int)
        for inputs, outputs, piece in m.pieces(x.shape):
            z[outputs] = piece(a[inputs])
            below[inputs] += piece.transpose(s[outputs], same, a[inputs].shape)
            met[outputs] += 1
    assert (met == 1).all()
    assert z.tolist() == layer(x).tolist() and below.tolist() == m.transpose(s, same, x.shape).tolist()


@given(convolutions(), st.sampled_from([1, 7, 40, 400]))
@example(SHORT, 1)
@example(FRAMED, 1)
@example(ALONE, 7)
@example(LAST, 1)
@example(STRIDED, 400)
@example(STRIDED, 1)
@example(APART, 7)
@example(POINTS, 40)
def test_what_every_output_hands_back_are_the_weights_of_its_inputs(case: tuple[Conv2D, Any], near: int) -> None:
    layer, x = case
    m, functions = layer.linearize(x)[1], (positive, negative)
    ones = [np.where(np.arange(x[0].size).reshape(x[:1].shape) == i, F(1), F(0)) for i in range(x[0].size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "NEAR", near)
        columns = [m.apply_each(one, functions) for one in ones]   # of every input: its weight in every output
        s = [relevance_for(z) for z in columns[0]]
        s = [s[0], 3 - s[1]]
        for some in ((0,), (1,), (0, 1)):
            back = m.transpose_sum([s[f] for f in some], [functions[f] for f in some], x[:1].shape)
            assert back.ravel().tolist() == [sum((column[f] * s[f]).sum() for f in some) for column in columns], some


@given(convolutions(), st.sampled_from([Epsilon(F(1, 4)), AlphaBeta(2, 1), Gamma(F(1, 2)), ZBox(-4, 5), Flat()]),
       st.sampled_from([1, 7, 40, 400]))
@example(SHORT, Flat(), 1)
@example(FRAMED, Epsilon(0), 1)
@example(STRIDED, AlphaBeta(2, 1), 40)
def test_relevance_and_ledger_are_the_same_whole_or_in_pieces(case: tuple[Conv2D, Any], rule: Any, chunk: int) -> None:
    layer, x = case
    network, R = Network([("conv", layer)]), relevance_for(layer(x))
    whole = explain(network, x, {"conv": rule}, R)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "CHUNK", chunk)
        patch.setattr(conv, "PACKED", 0)
        pieces = explain(network, x, {"conv": rule}, R)
    assert pieces.relevance.tolist() == whole.relevance.tolist()
    for column in ("received", "handed", "bias", "stabiliser", "dead"):
        got, wanted = getattr(pieces.ledger["conv"], column), getattr(whole.ledger["conv"], column)
        assert got.shape == R.shape and got.tolist() == wanted.tolist(), column


@pytest.mark.parametrize(("layer", "shape"), [
    (Conv2D(np.ones((1, 24, 3, 3)), pad=1), (1, 24, 30, 20)), (Conv2D(np.ones((2, 24, 3, 3)), pad=1), (1, 24, 30, 20)),
    (Conv2D(np.ones((3, 9, 3, 2)), None, 2, groups=3), (1, 27, 61, 40)),
    (Conv2D(np.ones((40, 1, 3, 3)), pad=1, groups=40), (1, 40, 30, 20)),
    (Conv2D(np.ones((1, 30, 1, 1)), None, 2), (1, 30, 80, 60))],
    ids=["one output", "two", "one a group", "channels alone", "points apart"])
def test_a_piece_gathers_no_more_numbers_at_once_than_a_chunk(layer: Conv2D, shape: Any,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of one group at a time, which are as many numbers for few outputs as for many."""
    monkeypatch.setattr(conv, "CHUNK", 20_000)
    monkeypatch.setattr(conv, "PACKED", 0)
    m = layer.linearize(np.ones(shape))[1]
    windows = [layer.weight[0].size * layer(np.ones(shape))[outputs][0, 0].size for _, outputs, _ in m.pieces(shape)]
    assert len(windows) > 1 and max(windows) <= 20_000


def test_a_small_chunk_makes_pieces_of_one_row_of_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Conv2D(mixed((2, 1, 2, 2), 1)), mixed((2, 1, 4, 3), 2)
    monkeypatch.setattr(conv, "CHUNK", 1)
    monkeypatch.setattr(conv, "PACKED", 0)
    assert len(list(layer.linearize(x)[1].pieces(x.shape))) == 2 * 3
    monkeypatch.setattr(conv, "ARRAYS", 3)
    monkeypatch.setattr(conv, "CHUNK", 2 * 2 * (4 + 3 * 2))   # two rows of two windows, four numbers each, and outputs
    assert len(list(layer.linearize(x)[1].pieces(x.shape))) == 2 * 2


def test_small_images_go_several_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Conv2D(mixed((2, 1, 2, 2), 1)), mixed((5, 1, 4, 3), 2)
    monkeypatch.setattr(conv, "ARRAYS", 3)
    monkeypatch.setattr(conv, "PACKED", 0)
    for images, found in ((1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (5, [5])):
        monkeypatch.setattr(conv, "CHUNK", images * 3 * 2 * (4 + 3 * 2))   # three rows as above for every image
        places = [outputs for _, outputs, _ in layer.linearize(x)[1].pieces(x.shape)]
        assert [place[0].stop - place[0].start for place in places] == found


def test_padding_at_the_sides_leaves_rows_to_go_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Conv2D(mixed((2, 1, 2, 5), 1), pad=(0, 2)), mixed((1, 1, 4, 3), 2)   # more of it than the window is high
    monkeypatch.setattr(conv, "CHUNK", 1)
    monkeypatch.setattr(conv, "PACKED", 0)
    assert len(list(layer.linearize(x)[1].pieces(x.shape))) == 3


def test_pieces_have_at_least_so_many_numbers_as_make_the_weights_small_beside_them(
        monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Conv2D(mixed((2, 1, 2, 2), 1)), mixed((2, 1, 4, 3), 2)
    monkeypatch.setattr(conv, "CHUNK", 1)
    monkeypatch.setattr(conv, "ARRAYS", 3)
    for packed, pieces in ((4, 3), (5, 2), (7, 2), (8, 1)):   # of 8 weights; a row is 20 numbers
        monkeypatch.setattr(conv, "PACKED", packed)
        assert len(list(layer.linearize(x)[1].pieces(x.shape))) == 2 * pieces, packed


# ---- Bad input ----


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3), (0, 1, 2, 2), (1, 1, 0, 2), (1, 1, 1, 2, 2)])
def test_a_weight_has_four_axes(shape: tuple[int, ...]) -> None:
    text = f"Conv2D got a weight of shape {shape}, needed (O, C / groups, kh, kw)"
    with refused(text):
        Conv2D(np.ones(shape))


def test_a_bias_has_one_number_for_each_output_channel() -> None:
    with refused("Conv2D got bias of shape (1,), needed (8,), or one for every position, (8, rows, columns)"):
        Conv2D(np.ones((8, 3, 3, 3)), np.ones(1))


@pytest.mark.parametrize(("shape", "cure"), [((1, 4, 8, 8), "wrong image mode or weight?"),
                                             ((1, 8, 9, 3), "transpose to (N, C, H, W)?")])
def test_an_input_has_the_channels_of_the_weight(shape: tuple[int, ...], cure: str) -> None:
    layer = Conv2D(np.ones((8, 3, 3, 3)))
    text = f"Conv2D got an input of shape {shape}, but weight (8, 3, 3, 3) with groups=1 needs 3 channels: {cure}"
    for use in (layer, layer.linearize):
        with refused(text):
            use(np.ones(shape))


def test_channels_needed_are_those_of_all_groups() -> None:
    with refused("…with groups=2 needs 6 channels…"):
        Conv2D(np.ones((8, 3, 1, 1)), groups=2)(np.ones((1, 3, 2, 2)))


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8), (1, 1, 3, 8, 8)])
def test_an_input_is_a_batch_of_images(shape: tuple[int, ...]) -> None:
    text = f"Conv2D got an input of shape {shape}, needed (N, C, H, W)"
    with refused(text):
        Conv2D(np.ones((8, 3, 3, 3)))(np.ones(shape))


def test_an_image_is_at_least_as_large_as_the_window_less_its_padding() -> None:
    layer = Conv2D(np.ones((2, 1, 3, 5)), pad=(1, 0), dilation=(2, 1))
    assert layer(np.ones((1, 1, 3, 5))).shape == (1, 2, 1, 1)
    for height, width in ((2, 5), (3, 4)):
        text = (f"Conv2D got an image of {height} x {width} (shape (1, 1, {height}, {width})), but its window "
                "needs at least 3 x 5: use a larger image")
        with refused(text):
            layer(np.ones((1, 1, height, width)))


@pytest.mark.parametrize("groups", [0, -1, 3, True, 2.0, "2", None])
def test_groups_divide_the_output_channels(groups: Any) -> None:
    text = f"Conv2D got groups={groups!r}, which does not divide 4 outputs"
    with refused(text):
        Conv2D(np.ones((4, 1, 1, 1)), groups=groups)


@pytest.mark.parametrize(("name", "least"), [("stride", 1), ("pad", 0), ("dilation", 1)])
@pytest.mark.parametrize("bad", [-1, 1.5, "2", None, True, (1, 2, 3), (1,), (2, -1), (1, 2.0), (True, 1)])
def test_geometry_is_an_int_or_a_pair_of_ints(name: str, least: int, bad: Any) -> None:
    text = f"Conv2D got {name}={bad!r}, needed an int or a pair of ints of at least {least}"
    with refused(text):
        Conv2D(np.ones((1, 1, 1, 1)), **{name: bad})


def test_a_stride_or_dilation_of_zero_is_refused() -> None:
    for name in ("stride", "dilation"):
        with refused(f"Conv2D got {name}=0, needed an int or a pair of ints of at least 1"):
            Conv2D(np.ones((1, 1, 1, 1)), **{name: 0})


def test_an_image_that_no_window_touches_has_the_bias_alone_in_every_number_type() -> None:
    layer, x = Conv2D(np.array([[[[F(2)]]]]), np.array([F(3)]), stride=7, pad=3), np.array([[[[F(5)]]]])
    assert layer(x).tolist() == [[[[F(3)]]]]
    below = explain(Network([("conv", layer)]), x, {"conv": Flat()}, np.array([[[[F(4)]]]])).relevance
    assert below.tolist() == [[[[F(0)]]]]


def test_an_image_without_rows_receives_nothing_and_ends_no_way_back() -> None:
    """As one convention has it, which hands back to an image of another size: an output of padding alone."""
    m = conv.Convolution(np.ones((2, 1, 2, 2)), np.zeros((2, 1, 1)), Window((2, 2), (1, 1), (1, 1), (1, 1)), 2)
    assert m.transpose(np.ones((3, 2, 1, 4)), same, (3, 2, 0, 3)).shape == (3, 2, 0, 3)
