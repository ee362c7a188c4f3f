"""The walk below a cut-off, and what stands there: the library's own cut-off, at every layer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from explored import MIXED, MIXED_MODEL, MODEL, NETWORK, PIXELS, SKIP, SKIP_MODEL

from lrp_ref import (
    AlphaBeta,
    Conv2D,
    Epsilon,
    Explanation,
    Flatten,
    Linear,
    Model,
    Network,
    ZPlus,
    assign,
    cutoff,
    epsilon_plus,
    explain,
    heatmap,
    load_model,
    paper_fv,
)
from lrp_ref.explorer.cuts import at_cut, cuts, largest_messages, no_cut
from lrp_ref.explorer.walk import Spread, Walk, cell_axis
from lrp_ref.layers import MaxPool, Pad
from lrp_ref.network import INPUT

RULES = [Epsilon(0.25), AlphaBeta(2, 1), ZPlus()]
SUMS = 1e-12   # of the largest: sums of some hundred float64 in two orders


def explained(model: Model, rule: object) -> tuple[Network, Explanation, dict]:
    x = model.prepare(PIXELS)
    rules = assign(model.network(x.shape), rule)
    return model.network(x.shape), explain(model.network(x.shape), x, rules), rules


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("model", [MODEL, MIXED_MODEL, SKIP_MODEL], ids=["known", "mixed", "skip"])
def test_what_stands_at_every_cutoff_walks_down_to_the_librarys_own_map(model: Model, rule: object) -> None:
    network, e, rules = explained(model, rule)
    walk = Walk.of(network, e.relevance.shape)
    assert cuts(walk) == list(network.names[1:])
    for below in cuts(walk):
        [cut] = at_cut(walk, [e], below)
        pixels, dead = walk.down(cut.there)
        full = explain(network, e.activations[INPUT], cutoff(rules, below))
        wanted = heatmap(full.relevance)[0]
        np.testing.assert_allclose(pixels, wanted, rtol=0, atol=SUMS * abs(wanted).max())
        own = sum(float(full.ledger[name].dead.sum()) for name in network.below(below))
        assert dead + cut.dead == pytest.approx(own, abs=SUMS * abs(wanted).max())   # sums of float64


def test_without_a_cutoff_the_pixels_are_the_heatmap() -> None:
    network, e, _ = explained(MODEL, Epsilon(0.25))
    pixels, dead = Walk.of(network, e.relevance.shape).down(no_cut(Walk.of(network, e.relevance.shape), e).there)
    assert dead == 0
    np.testing.assert_array_equal(pixels, heatmap(e.relevance)[0])


def test_the_walk_of_two_convolutions_by_hand() -> None:
    """docs/cutoff.md (c): 5/12 5/12 1/6 0; the border's window is clipped."""
    wide = Conv2D(np.ones((1, 1, 1, 3)), pad=(0, 1))
    walk = Walk.of(Network([("one", wide), ("two", wide), ("fc", Flatten())]), (1, 1, 1, 4))
    pixels, dead = walk.down({"two": np.array([[1.0, 0, 0, 0]])})
    wanted = [float(Fraction(n, 12)) for n in (5, 5, 2, 0)]
    assert dead == 0
    np.testing.assert_allclose(pixels[0], wanted, rtol=1e-15, atol=0)   # a few roundings of 1/2 and 1/3


def test_a_window_with_nothing_but_padding_hands_nothing_down() -> None:
    """Three rows of one pixel, the outer two of padding: 7 and 2 are dead there, 5 arrives."""
    walk = Walk.of(Network([("conv", Conv2D(np.ones((1, 1, 1, 1)), pad=(1, 0)))]), (1, 1, 1, 1))
    pixels, dead = walk.down({"conv": np.array([[7.0], [5.0], [2.0]])})
    assert (pixels.tolist(), dead) == ([[5.0]], 9.0)


def test_cells_of_adaptive_pooling_overlap_where_they_do_not_divide() -> None:
    assert cell_axis(5, 2) == ((0, 3, 1), (2, 3, 1))
    assert Spread(cell_axis(5, 2), ((0, 1, 1),)).down(np.array([[6.0], [3.0]]), (5, 1))[0].T.tolist() == [
        [2.0, 2.0, 3.0, 1.0, 1.0]]


def test_the_walk_says_what_it_knows() -> None:
    known = Walk.of(NETWORK, (1, 3, 19, 26))
    assert [*known.spreads] == list(NETWORK.names)
    assert {t: known.grids[t] for t in (INPUT, "conv1", "add", "pool1", "pool2", "pool3", "flat", "fc1", "fc2")} == {
        INPUT: (19, 26), "conv1": (10, 13), "add": (10, 13), "pool1": (5, 7), "pool2": (4, 5), "pool3": (2, 3),
        "flat": (2, 3), "fc1": (1, 1), "fc2": (1, 1)}
    assert [*Walk.of(MIXED, (1, 1, 9, 12)).spreads] == ["conv", "relu", "wide"]
    assert [*Walk.of(SKIP, (1, 1, 9, 12)).spreads] == ["conv"]
    for channels in ((0, 0), (0, 1)):   # a frame of channels, in which relevance is dead
        framed = Network([("pad", Pad((channels[0], 0, 0), (channels[1], 0, 0))), ("flat", Flatten())])
        assert not Walk.of(framed, (1, 1, 9, 12)).spreads


def test_explanations_of_one_input_go_as_one_batch() -> None:
    network, first, _ = explained(MIXED_MODEL, Epsilon(0.25))
    second = explain(network, first.activations[INPUT], assign(network, ZPlus()), target=1)
    walk = Walk.of(network, first.relevance.shape)
    for below in cuts(walk):
        together = at_cut(walk, [first, second], below)
        for cut, e in zip(together, (first, second)):
            [alone] = at_cut(walk, [e], below)
            assert list(cut.there) == list(alone.there)
            for t, values in cut.there.items():   # a product of other matrices may round otherwise
                np.testing.assert_allclose(values, alone.there[t], rtol=0, atol=SUMS * abs(alone.there[t]).max())


def test_the_imagenet_network_walks_down_from_anywhere() -> None:
    """Its blocks of depthwise convolutions, sums beside them, and the mean over everything."""
    model = load_model("imagenet")
    x = model.prepare(np.random.default_rng(5).random((256, 300, 3)))
    network = model.network(x.shape)
    rules = epsilon_plus(network)
    e = explain(network, x, rules, 282)
    walk = Walk.of(network, x.shape)
    assert [*walk.spreads] == list(network.names)
    for below in ("_relu0", "_blocks.6._depthwise_conv", "_fc"):
        [cut] = at_cut(walk, [e], below)
        wanted = heatmap(explain(network, x, cutoff(rules, below), 282).relevance)[0]
        np.testing.assert_allclose(walk.down(cut.there)[0], wanted, rtol=0, atol=SUMS * abs(wanted).max())


def test_a_fisher_pipeline_goes_down_by_its_own_layers() -> None:
    model = load_model("fv")
    x = model.prepare(np.random.default_rng(3).random((44, 53)))
    network = model.network(x.shape)
    e = explain(network, x, paper_fv(network))
    walk = Walk.of(network, x.shape)
    assert not walk.spreads
    wanted = heatmap(explain(network, x, cutoff(paper_fv(network), "fisher")).relevance)[0]
    [cut] = at_cut(walk, [e], "fisher")
    np.testing.assert_array_equal(walk.down(cut.there)[0], wanted.astype(np.float64))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_largest_message_to_a_pixel_is_that_of_the_window_that_hands_it_most(rule: object) -> None:
    """By the definition: one window at a time, all others without relevance."""
    network, e, rules = explained(MODEL, rule)
    found = largest_messages(Walk.of(network, e.relevance.shape), e, rules)
    assert found is not None and found.steps == (2, 1)
    _, _, rows, columns = e.relevances["conv1"].shape
    lowest = Network([("conv1", network["conv1"])])
    messages = np.zeros((rows, columns, 19, 26))
    for v in range(rows):
        for u in range(columns):
            R = np.zeros_like(e.relevances["conv1"])
            R[:, :, v, u] = e.relevances["conv1"][:, :, v, u]
            messages[v, u] = heatmap(explain(lowest, e.activations[INPUT], {"conv1": rules["conv1"]}, R).relevance)[0]
    close = SUMS * abs(messages).max()
    np.testing.assert_allclose(messages.sum(axis=(0, 1)), heatmap(e.relevance)[0], rtol=0, atol=close)
    sizes = abs(messages).reshape(-1, 19, 26)
    np.testing.assert_allclose(abs(found.amount), sizes.max(axis=0), rtol=0, atol=close)
    for y in range(19):
        for x in range(26):
            v, u = np.unravel_index(sizes[:, y, x].argmax(), (rows, columns))
            second = np.sort(sizes[:, y, x])[-2]
            if sizes[:, y, x].max() > second + close:   # not a tie
                assert found.of[y, x] == v % 2, (y, x)
                assert found.amount[y, x] == pytest.approx(messages[v, u, y, x], abs=close)   # as above


def test_there_are_no_messages_of_windows_where_the_lowest_layer_has_none() -> None:
    network = Network([("flat", Flatten()), ("fc", Linear(np.ones((12, 2))))])
    e = explain(network, np.ones((1, 1, 3, 4)), assign(network))
    assert largest_messages(Walk.of(network, (1, 1, 3, 4)), e, assign(network)) is None
    pool = Network([("pool", MaxPool((7, 7), (1, 1)))])
    e = explain(pool, np.ones((1, 1, 8, 9)), assign(pool), target=np.ones((1, 1, 2, 3)))
    assert largest_messages(Walk.of(pool, (1, 1, 8, 9)), e, assign(pool)) is not None   # 2 x 3 windows
