"""Relevance through given channels, heads or units; what bypasses them; which channels have most."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_holds, fractions, law, mixed, refused

from lrp_ref import (
    Add,
    Conv2D,
    Epsilon,
    Linear,
    Network,
    ReLU,
    Reshape,
    Transpose,
    assign,
    explain,
    top_channels,
)
from lrp_ref.checks.claims.claim import Claim

SKIP = Network([("fc", Linear(fractions(["1 0", "1 2"]))), ("relu", ReLU()), ("add", Add(), ("relu", "input")),
                ("top", Linear(fractions(["1 2", "-1 1"])))])
X = fractions(["1 2"])            # fc and relu (3, 4), add (4, 6), top (-2, 14)
R = fractions(["2 7"])            # to add: -4 + 4 = 0 and 6 + 3 = 9; of 9 to relu 6, to the input 3


@law("concepts")
def test_channels_of_a_partition_and_what_bypasses_them_are_the_whole(claim: Claim) -> None:
    assert_holds(claim)


def test_relevance_through_one_unit_by_hand() -> None:
    whole = explain(SKIP, X, target=R)
    assert whole.relevances["add"].tolist() == [[0, 9]] and whole.relevances["relu"].tolist() == [[0, 6]]
    assert whole.relevance.tolist() == [[0, 9]]
    e = explain(SKIP, X, target=R, through={"relu": 1})
    assert e.relevance.tolist() == [[0, 6]]                        # without the 3 that the skip takes
    assert e.ledger["relu"].dead.tolist() == [[0, 0]] and e.start["relu"].tolist() == [[0, 6]]
    none = explain(SKIP, X, target=R, through={"relu": [0]})
    assert none.relevance.tolist() == [[0, 0]] and none.ledger["relu"].dead.tolist() == [[0, 6]]
    total = none.ledger.total()
    assert total["received"].tolist() == [6] == total["dead"].tolist() and total["handed"].tolist() == [0]


def test_a_mask_may_keep_a_part() -> None:
    e = explain(SKIP, X, target=R, through={"relu": np.array([1, F(1, 3)], dtype=object)})
    assert e.relevance.tolist() == [[0, 2]] and e.ledger["relu"].dead.tolist() == [[0, 4]]
    assert e.ledger["relu"].received.tolist() == [[0, 6]] == e.relevances["relu"].tolist()


def test_the_output_s_own_units_and_several_layers_one_below_the_other() -> None:
    # top's second unit alone: 7 as 4 and 3; of add's first unit 4: 3 to relu, 1 to the input
    e = explain(SKIP, X, target=R, through={"top": 1})
    assert e.relevances["add"].tolist() == [[4, 3]] and e.start.tolist() == R.tolist()
    both = explain(SKIP, X, target=R, through={"fc": [0, 1], "top": [1], "add": 0})
    assert both.relevances["fc"].tolist() == [[3, 0]] and both.relevance.tolist() == [[1, 2]]
    assert both.ledger.total()["received"].tolist() == [3]


def test_channels_of_images_and_heads_and_units_of_tokens() -> None:
    conv = Network([("conv", Conv2D(mixed((3, 2, 1, 2), 3))), ("out", Reshape((-1,)))])
    x = mixed((2, 2, 3, 4), 5)
    e = explain(conv, x, target=conv(x), through={"conv": [0, 2]})
    dead = e.ledger["conv"].dead
    assert (dead[:, 1] == e.relevances["conv"][:, 1]).all() and not dead[:, [0, 2]].any() and dead[:, 1].any()
    heads = Network([("heads", Reshape((3, 2, 2))), ("turned", Transpose((0, 2, 1, 3)))])   # (N, T, H, D), (N, H, T, D)
    rows, R = mixed((1, 3, 4), 6), mixed((1, 2, 3, 2), 7)
    e = explain(heads, rows, target=R, through={"turned": 1})
    assert (e.relevance[0, :, 2:] == R[0, 1]).all() and not e.relevance[0, :, :2].any()
    e = explain(heads, rows, target=R, through={"turned": np.arange(2) == 0})              # the units of a mask
    assert (e.relevance[0, :, ::2] == R[0, :, :, 0].T).all() and not e.relevance[0, :, 1::2].any()


def test_the_highest_channels_are_found_per_sample_and_the_lower_of_ties_first() -> None:
    relevance = np.array([[[[1, 2]], [[4, -1]], [[-5, 0]], [[0, 5]]], [[[0, 0]], [[1, 0]], [[0, 7]], [[0, 0]]]])
    assert top_channels(relevance.astype(float), 3) == [[(3, 5), (0, 3), (1, 3)], [(2, 7), (1, 1), (0, 0)]]
    assert [len(row) for row in top_channels(relevance.astype(float), 9)] == [4, 4]
    e = explain(SKIP, X, target=R)
    assert e.top("relu", 1) == [[(1, 6)]] and e.top("input") == [[(1, 9), (0, 0)]]


def test_rules_and_cut_offs_stay_what_they_are() -> None:
    rules = assign(SKIP, by_name={"fc": Epsilon(1)})
    e = explain(SKIP, X, rules, R, through={"relu": 1})
    assert e.relevance.tolist() == [[0, F(24, 5)]] and e.ledger["fc"].stabiliser.tolist() == [[0, F(6, 5)]]


@pytest.mark.parametrize(("call", "text"), [
    (lambda: explain(SKIP, X, through={"rely": 1}),
     "got the layer name 'rely', which the network does not have: did you mean 'relu'? its layers are fc, relu, …"),
    (lambda: explain(SKIP, X, through={"relu": 2}), "through got channel 2 of relu, needed channels from 0 to 1"),
    (lambda: explain(SKIP, X, through={"relu": [0, -1]}), "through got channel -1 of relu, needed …"),
    (lambda: explain(SKIP, X, through={"relu": "a"}), "through got 'a' for relu, needed channels such as [0, 5], …"),
    (lambda: explain(SKIP, X, through={"relu": np.ones(3, bool)}),
     "through got a mask of shape (3,) for relu, needed one that broadcasts to (2,)"),
    (lambda: explain(SKIP, X, through={"relu": np.array([np.nan, 1])}), "through got array([nan,  1.]) for relu, …"),
    (lambda: explain(SKIP, X, through={}), "got through={}, needed {layer name: channels}"),
    (lambda: explain(SKIP, X, through="relu:1"), "got through='relu:1', needed {layer name: channels}"),
    (lambda: explain(Network([("a", ReLU()), ("b", ReLU(), "input"), ("add", Add(), ("a", "b"))]), X, target=R,
                     through={"a": 0, "b": 1}),
     "got through=b, a, but b is not made of a: nothing passes through both"),
    (lambda: explain(SKIP, X).top("relu", 0), "got 0 channels to find, needed a whole number of at least 1"),
    (lambda: explain(SKIP, X).top("rely"), "got the layer name 'rely', needed one of input, fc, relu, add, top"),
    (lambda: explain(SKIP, X).top(["relu"]), "got the layer name ['relu'], needed one of input, fc, …"),
    (lambda: top_channels(np.array([[np.nan, 1]])), "got relevance with NaN or infinity, needed finite numbers"),
    (lambda: top_channels(None), "got a NoneType, needed an array of numbers…"),
    (lambda: top_channels([["a"]]), "got numbers of type <U1, needed float32, …"),
    (lambda: top_channels(np.ones(3)), "got relevance of shape (3,), needed (N, C, ...)"),
])
def test_what_makes_no_sense_is_refused(call: Callable[[], Any], text: str) -> None:
    with refused(text):
        call()
