"""Layers that move numbers, leave some out, repeat or add them up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused

from lrp_ref import (
    Conv2D,
    Epsilon,
    Flat,
    Mean,
    Network,
    Pad,
    ReceptiveField,
    ReLU,
    Reshape,
    Slice,
    Sum,
    Transpose,
    Upsample,
    explain,
    receptive_field,
)
from lrp_ref.layers import Layer

X = image("1 2 3, 4 5 6", "7 8 9, 10 11 12")   # (1, 2, 2, 3)


def back(layer: Layer, x: Any, R: Any) -> Any:
    """What the input receives by the layer's own rule."""
    return explain(Network([("it", layer)]), x, target=R).relevance


def test_reshape_keeps_the_order_and_hands_back_in_the_shape_it_was_given() -> None:
    z = Reshape((3, -1))(X)
    assert z.shape == (1, 3, 4) and z[0, 1].tolist() == [5, 6, 7, 8]
    assert back(Reshape((3, -1)), X, z * 2).tolist() == (2 * X).tolist()
    assert Reshape(-1)(X).shape == (1, 12)


def test_transpose_puts_axis_axes_k_in_place_k() -> None:
    z = Transpose((0, 3, 1, 2))(X)   # (N, columns, channels, rows)
    assert z.shape == (1, 3, 2, 2) and z[0, 2].tolist() == [[3, 6], [9, 12]]
    assert back(Transpose((0, 3, 1, 2)), X, z).tolist() == X.tolist()   # of a cycle of three, whose inverse is another


def test_the_channel_shuffle_of_shufflenet_and_its_relevance() -> None:
    x = fractions(["0 1 2 3 4 5"])
    network = Network([("split", Reshape((2, 3))), ("swap", Transpose((0, 2, 1))), ("shuffled", Reshape((6,)))])
    assert network(x).tolist() == [[0, 3, 1, 4, 2, 5]]
    assert explain(network, x, target=fractions(["10 13 11 14 12 15"])).relevance.tolist() == [[10, 11, 12, 13, 14, 15]]


@pytest.mark.parametrize(("layer", "kept"), [
    (Slice(3, 1), [[[2, 3], [5, 6]], [[8, 9], [11, 12]]]), (Slice(3, None, -1), [[[1, 2], [4, 5]], [[7, 8], [10, 11]]]),
    (Slice(3, 2, None, -2), [[[3, 1], [6, 4]], [[9, 7], [12, 10]]]), (Slice(1, 1, 2), [[[7, 8, 9], [10, 11, 12]]]),
])
def test_what_a_slice_leaves_out_receives_nothing(layer: Slice, kept: Any) -> None:
    assert layer(X)[0].tolist() == kept
    received = back(layer, X, layer(X))
    assert received.shape == X.shape and received.sum() == np.sum(kept)
    assert ((received == X) | (received == 0)).all()


def test_the_frame_of_a_padding_is_a_bias_and_relevance_there_is_dead() -> None:
    layer, x = Pad((0, 1, 0), (0, 0, 2), F(5)), image("1 2")
    assert layer(x).tolist() == [[[[5, 5, 5, 5], [1, 2, 5, 5]]]]
    e = explain(Network([("pad", layer)]), x, target=image("1 1 1 1, 3 4 1 1"))
    assert e.relevance.tolist() == [[[[3, 4]]]] and e.ledger["pad"].dead.sum() == 6
    e = explain(Network([("pad", layer)]), x, {"pad": Epsilon(0)}, image("1 1 1 1, 3 4 1 1"))
    assert e.relevance.tolist() == [[[[3, 4]]]] and e.ledger["pad"].bias.sum() == 6


def test_padding_before_a_convolution_is_the_convolutions_own_padding() -> None:
    w, x = mixed((2, 2, 2, 3), 5), mixed((2, 2, 3, 4), 6)
    padded = Network([("pad", Pad((0, 0, 2), (0, 1, 1))), ("conv", Conv2D(w))])
    own = Network([("conv", Conv2D(w, pad=((0, 1), (2, 1))))])
    R = mixed(own(x).shape, 7)
    for rule in (Epsilon(F(1, 4)), Flat()):   # Flat knows no number outside the image, and a frame is units of its own
        a = explain(padded, x, {"pad": Flat(), "conv": rule}, R)
        b = explain(own, x, {"conv": rule}, R)
        assert (a.relevance == b.relevance).all() == (rule != Flat())
    assert receptive_field(padded, "conv") == receptive_field(own, "conv") == ReceptiveField((2, 3), (1, 1), (0, -2))


def test_a_pixel_has_the_relevance_of_all_its_copies() -> None:
    layer, x = Upsample((2, 3)), image("3 0")
    assert layer(x).tolist() == [[[[3, 3, 3, 0, 0, 0]] * 2]]
    assert back(layer, x, image("1 2 3 4 5 6, 1 1 1 2 2 2")).tolist() == [[[[9, 21]]]]   # also where it is 0


def test_sums_and_means_by_contribution() -> None:
    x = image("1 3, 0 4", "2 -2, 1 0")
    for layer, z, received in (
            (Mean((2, 3)), [2, F(1, 4)], [[[[1, 3], [0, 4]], [[16, -16], [8, 0]]]]),   # 8 of 8; 2 z of 1/4: 8 a
            (Sum((2, 3)), [8, 1], [[[[1, 3], [0, 4]], [[16, -16], [8, 0]]]])):
        assert layer(x).tolist() == [z]
        assert back(layer, x, fractions(["8 8"])).tolist() == received
    kept = Mean((1, 3), keep=True)
    assert type(Sum(1, np.True_).keep) is bool
    assert kept(x).tolist() == [[[[1], [F(5, 4)]]]] and Sum((3, 1))(x).tolist() == [[4, 5]]
    assert back(kept, x, kept(x)).tolist() == (x / 4).tolist()


def test_a_mean_of_all_pixels_is_the_adaptive_pooling_of_zero_z() -> None:
    e = explain(Network([("mean", Mean((2, 3)))]), image("1 -1"), target=fractions(["5"]))
    assert not e.relevance.any() and e.ledger["mean"].dead.tolist() == [[5]]


@pytest.mark.parametrize(("make", "text"), [
    (lambda: Reshape((2, -1, -1)), "Reshape got shape=(2, -1, -1), needed the sizes behind the batch axis, …"),
    (lambda: Reshape("12"), "Reshape got shape='12', needed the sizes behind the batch axis, …"),
    (lambda: Reshape((5, -1))(X), "Reshape got an input of shape (1, 2, 2, 3), which does not fill (N, 5, -1): its "
                                  "numbers are 12 per sample"),
    (lambda: Reshape((0, -1))(X), "Reshape got an input of shape (1, 2, 2, 3), which does not fill (N, 0, -1): …"),
    (lambda: Transpose((1, 0, 2)), "Transpose got axes=(1, 0, 2), needed every axis once and the batch, 0, first"),
    (lambda: Transpose((0, 2, 2)), "Transpose got axes=(0, 2, 2), needed every axis once and the batch, 0, first"),
    (lambda: Transpose((0, 2, 1))(X), "Transpose got an input of shape (1, 2, 2, 3), needed 3 axes"),
    (lambda: Slice(0, 1), "Slice got axis=0, needed a number of at least 1: 0 is the batch"),
    (lambda: Slice(1, 0, 2, 0), "Slice got step=0, needed an int other than 0"),
    (lambda: Slice(1, 0.5), "Slice got start=0.5, stop=None, needed ints or None"),
    (lambda: Slice(1, 2)(X),
     "Slice got an input of shape (1, 2, 2, 3), of which 2 : None : 1 along axis 1 keeps nothing"),
    (lambda: Slice(4)(X), "Slice got an input of shape (1, 2, 2, 3), of which None : None : 1 along axis 4 keeps …"),
    (lambda: Pad((0, 1), (1,)), "Pad got before=(0, 1) and after=(1,), needed as many of both"),
    (lambda: Pad((-1,), (0,)), "Pad got before=(-1,), needed ints from 0 to 65536, one for every axis but the batch"),
    (lambda: Pad((1,), (0,), "zero"), "Pad got value='zero', needed a finite number"),
    (lambda: Pad((1,), (0,))(X), "Pad got an input of shape (1, 2, 2, 3), needed 2 axes"),
    (lambda: Pad((0, 60000, 0), (0, 0, 60000))(X), "Pad makes …, needed at most …: is its padding or size a mistake?"),
    (lambda: Upsample(0), "Upsample got factor=0, needed an int or a pair of ints of at least 1"),
    (lambda: Upsample(2)(fractions(["1 2"])), "Upsample got an input of shape (1, 2), needed (N, C, H, W)"),
    (lambda: Sum(0), "Sum got axes=0, needed axes from 1 on, each once: 0 is the batch"),
    (lambda: Mean((1, 1)), "Mean got axes=(1, 1), needed axes from 1 on, each once: 0 is the batch"),
    (lambda: Mean(4)(X), "Mean got an input of shape (1, 2, 2, 3), needed more than 4 axes"),
    (lambda: Mean(1, keep=1), "Mean got keep=1, needed True or False"),
])
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with refused(text):
        make()


def test_where_an_image_is_moved_otherwise_no_window_is_claimed() -> None:
    network = Network([("relu", ReLU()), ("swap", Transpose((0, 1, 3, 2))), ("again", ReLU())])
    assert receptive_field(network, "again") is None
