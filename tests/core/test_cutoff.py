"""The cut-off: where it applies, and when each sentence about it is true, in fractions."""

from typing import Any

import numpy as np
import pytest
from helpers import (
    QUARTER,
    RATIONAL,
    F,
    arrayed,
    defined,
    defined_step,
    fractions,
    image,
    input_of,
    mixed,
    pairs,
    refused,
    relevance_for,
    total,
    units,
)

from lrp_ref import Network, assign, cutoff, explain, paper_cnn
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.definitions import Map
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.elementwise import Flatten, ReLU
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.pool import AvgPool, MaxPool, SumPool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Winner, WSquare, ZBox, ZPlus
from lrp_ref.step import step

SHAPE = (2, 1, 6, 5)


def test_a_cutoff_replaces_rules_that_were_chosen_as_well_as_defaults() -> None:
    chosen = {"conv1": ZBox(-1, 2), "relu1": Epsilon(QUARTER), "pool1": WSquare(), "conv2": Gamma(QUARTER),
              "relu2": Flat(), "avg": ZPlus(), "flat": Epsilon(0), "fc": AlphaBeta(2, 1)}
    rules = assign(network(), by_name=chosen)
    for filler in (Flat(), WSquare()):
        cut = cutoff(rules, "flat", filler)
        assert {name: cut[name] for name in list(chosen)[:6]} == dict.fromkeys(list(chosen)[:6], filler)
        assert cut["flat"] == Epsilon(0) and cut["fc"] == AlphaBeta(2, 1)


def network(seed: int = 0) -> Network:
    """A small CNN, its weights drawn from a seed."""
    return Network([
        ("conv1", Conv2D(mixed((2, 1, 2, 2), seed), mixed((2,), seed + 1), pad=(0, 1))), ("relu1", ReLU()),
        ("pool1", MaxPool((2, 3), (1, 2))), ("conv2", Conv2D(mixed((3, 2, 1, 2), seed + 2))), ("relu2", ReLU()),
        ("avg", AvgPool((2, 1))), ("flat", Flatten()), ("fc", Linear(mixed((6, 4), seed + 3), mixed((4,), seed + 4))),
    ])


NETWORK = network()
X = mixed(SHAPE, 1)
RULES = paper_cnn(NETWORK)


def maps(chain: Network, x: Any) -> list[Map]:
    """The layers at one sample, by loops, lowest first."""
    return [defined(layer, a[0]) for (_, layer), a in zip(chain, chain.activations(x[None]))]


def flattened(chain: Network, x: Any, R: Any) -> Any:
    """Relevance R of the top spread flat through every layer."""
    return explain(chain, x, {name: Flat() for name in chain.names}, R).relevance


# ---- Where it applies ----


@pytest.mark.parametrize("below", NETWORK.names)
def test_every_layer_below_gets_the_filler_and_no_other(below: str) -> None:
    got, i = cutoff(RULES, below), NETWORK.index(below)
    assert list(got) == list(NETWORK.names)
    assert all(rule == Flat() for rule in [*got.values()][:i])
    assert [*got.values()][i:] == [*RULES.values()][i:]


def test_below_keeps_its_rule_and_pooling_below_is_flat_too() -> None:
    assert RULES["pool1"] == Winner() and RULES["conv2"] == AlphaBeta(2, 1)
    at_conv2 = cutoff(RULES, below="conv2")
    assert at_conv2 == RULES | dict.fromkeys(["conv1", "relu1", "pool1"], Flat())
    at_relu1 = cutoff(RULES, below="relu1")     # the lowest convolution alone
    assert at_relu1 == RULES | {"conv1": Flat()} and at_relu1["pool1"] == Winner()


def test_below_the_lowest_layer_there_is_nothing_to_change() -> None:
    assert cutoff(RULES, below="conv1") == RULES
    e = explain(NETWORK, X, cutoff(RULES, below="conv1"))
    assert (e.relevance == explain(NETWORK, X, RULES).relevance).all()


@pytest.mark.parametrize("below", NETWORK.names)
def test_relevance_above_the_cut_is_what_it_was(below: str) -> None:
    plain, cut = explain(NETWORK, X, RULES), explain(NETWORK, X, cutoff(RULES, below))
    i = NETWORK.index(below)
    for name in NETWORK.names[i:]:
        assert (cut.relevances[name] == plain.relevances[name]).all()
    if i > 0:
        assert (cut.relevance != plain.relevance).any()


def test_w_square_fills_by_squared_weights_and_pools_and_gates_flat() -> None:
    filled = cutoff(RULES, below="conv2", rule=WSquare())
    assert filled == RULES | dict.fromkeys(["conv1", "relu1", "pool1"], WSquare())
    mixed_rules = filled | {"relu1": Flat(), "pool1": Flat()}
    got = explain(NETWORK, X, filled).relevance
    assert (got == explain(NETWORK, X, mixed_rules).relevance).all()
    assert (got != explain(NETWORK, X, cutoff(RULES, below="conv2")).relevance).any()


@pytest.mark.parametrize("rule", [Epsilon(0), Winner(), Pass(), ZPlus(), Flat, "flat"], ids=str)
def test_fillers_that_see_activations_are_refused(rule: Any) -> None:
    text = f"cutoff got the filler {rule!r}, needed Flat() or WSquare(), which see no activations"
    with refused(text):
        cutoff(RULES, "relu1", rule)


@pytest.mark.parametrize(("below", "hint"), [("relu_1", "did you mean 'relu1'? "), ("Pool1", "did you mean 'pool1'? "),
                                             ("xyz", ""), (0, "")])
def test_an_unknown_layer_suggests_the_nearest(below: Any, hint: str) -> None:
    text = (f"cutoff got below={below!r}, which the network does not have: {hint}its layers are "
            "conv1, relu1, pool1, conv2, relu2, avg, flat, fc")
    with refused(text):
        cutoff(RULES, below)


def test_a_cut_off_changes_none_of_the_rules_it_is_given() -> None:
    rules = dict(RULES)
    cutoff(rules, "fc")
    assert rules == RULES


def test_of_two_cut_offs_the_higher_holds() -> None:
    assert cutoff(cutoff(RULES, "relu1"), "conv2") == cutoff(cutoff(RULES, "conv2"), "relu1") == cutoff(RULES, "conv2")


# ---- (a) Substitution ----


@pytest.mark.parametrize("example", RATIONAL.values(), ids=RATIONAL)
def test_flat_is_equation_1_with_inputs_one_weights_one_and_no_bias(example: Any) -> None:
    layer, x = example.at()
    a, m = layer.linearize(x)
    R = relevance_for(m(a))
    got = step(Flat(), m, a, R)[0]
    for n, sample in enumerate(x):
        there = defined(layer, sample)
        ones = {j: [(i, c, 1) for i, c, w in there.connections[j]] for j in there.connections}
        substituted = Map(ones, dict.fromkeys(there.bias, 0), {}, there.learned)
        wanted = by_loops.epsilon(substituted, dict.fromkeys(units(sample), 1), units(R[n]))
        assert units(got[n]) == wanted.relevance


@pytest.mark.parametrize("name", ["Linear", "Conv2D", "Conv2D, no bias"])
def test_flat_is_epsilon_zero_of_a_layer_of_ones_at_ones(name: str) -> None:
    layer, x = RATIONAL[name].at()
    ones = Conv2D(0 * layer.weight + 1, None, layer.stride, layer.pad, layer.dilation, layer.groups) if isinstance(
        layer, Conv2D) else Linear(0 * layer.weight + 1)
    R = relevance_for(layer(x))
    a, m = layer.linearize(x)
    substituted, at_ones = ones.linearize(0 * x + 1)[1], 0 * x + 1
    assert (step(Flat(), m, a, R)[0] == step(Epsilon(0), substituted, at_ones, R)[0]).all()
    assert (step(Flat(), m, a, R)[0] != step(Epsilon(0), substituted, a, R)[0]).any()


def test_weights_of_one_alone_share_in_proportion_to_the_inputs() -> None:
    chain, x, R = Network([("fc", Linear(fractions(["1", "1"])))]), fractions(["1 3"]), fractions([[1]])
    assert explain(chain, x, {"fc": Epsilon(0)}, R).relevance.tolist() == [[QUARTER, 3 * QUARTER]]
    assert flattened(chain, x, R).tolist() == [[F(1, 2), F(1, 2)]]


@pytest.mark.parametrize("below", NETWORK.names[1:])
def test_below_the_cut_neither_the_image_nor_the_weights_matter(below: str) -> None:
    lower, others = NETWORK[:NETWORK.index(below)], network(40)[:NETWORK.index(below)]
    R = relevance_for(lower(X))
    wanted = flattened(lower, X, R)
    assert wanted.any()
    for chain, x in ((lower, mixed(SHAPE, 7)), (others, X), (others, 0 * X)):
        assert (flattened(chain, x, R) == wanted).all()


def test_above_the_cut_the_image_matters_still() -> None:
    rules, R = cutoff(RULES, "relu1"), relevance_for(NETWORK(X))
    assert (explain(NETWORK, X, rules, R).relevance != explain(NETWORK, mixed(SHAPE, 7), rules, R).relevance).any()


def test_under_w_square_the_weights_matter_and_the_image_does_not() -> None:
    lower = NETWORK[:2]
    R = relevance_for(lower(X))
    rules = dict.fromkeys(lower.names, WSquare())
    wanted = explain(lower, X, rules, R).relevance
    assert (explain(lower, mixed(SHAPE, 7), rules, R).relevance == wanted).all()
    assert (explain(network(40)[:2], X, rules, R).relevance != wanted).any()


def test_no_cut_off_loses_relevance_but_in_windows_of_padding() -> None:
    e = explain(NETWORK, X, cutoff(RULES, "fc"))
    for name in NETWORK.names[:-1]:
        account = e.ledger[name]
        assert (account.handed == account.received).all() and not any(part.any() for part in account.parts()[1:])


# ---- (b) Averaging ----


@pytest.mark.parametrize(("example", "rule"), pairs(RATIONAL))
def test_averaged_messages_fall_short_of_flat_by_the_absorbed_relevance(example: Any, rule: Any) -> None:
    """Flat(R)_i - sum_j c_ij/n_j sum_i' R_i'<-j = sum_j c_ij/n_j (bias_j + stabiliser_j + dead_j)."""
    layer, x = example.at(samples=1)
    a, m = layer.linearize(x)
    R = relevance_for(m(a))
    there, (_, account) = defined(layer, x[0]), step(rule, m, a, R)
    messages = defined_step(rule, there, input_of(layer, x[0]), R[0]).messages
    averaged, absorbed = dict.fromkeys(units(x[0]), F(0)), dict.fromkeys(units(x[0]), F(0))
    for j, connections in there.connections.items():
        n = sum(c for _, c, _ in connections)
        sent = sum(messages[i, j] for i, _, _ in connections)
        lost = account.bias[0][j] + account.stabiliser[0][j] + account.dead[0][j]
        for i, c, _ in connections:
            averaged[i] += F(c, n) * sent
            absorbed[i] += F(c, n) * lost
    got = units(step(Flat(), m, a, R)[0][0])
    assert {i: got[i] - averaged[i] for i in got} == absorbed


def test_averaging_messages_is_flat_where_nothing_is_absorbed() -> None:
    # no bias, no dead unit: messages 2, 3 of the first window's 5 and 6, 2 of the second's 8
    layer, x, R = Conv2D(image("1 1")), image("2 3 1"), image("5 8")
    e = explain(Network([("conv", layer)]), x, {"conv": Epsilon(0)}, R)
    assert e.relevance.tolist() == image("2 9 2").tolist()
    averages = [F(2 + 3, 2), F(2 + 3, 2) + F(6 + 2, 2), F(6 + 2, 2)]
    assert flattened(Network([("conv", layer)]), x, R).tolist() == [[[averages]]]
    # averaging the summed relevances instead: (2 + 9)/2 and (9 + 2)/2 per window, spread to 11/4 each
    summed = [F(2 + 9, 2), F(9 + 2, 2)]
    spread = [summed[0] / 2, (summed[0] + summed[1]) / 2, summed[1] / 2]
    assert spread == [F(11, 4), F(11, 2), F(11, 4)] and sum(spread) == 11 != total(R)


# ---- (c) Stacking ----

TWO = Network([("conv1", Conv2D(image("1 -2 3"), fractions([1]), pad=(0, 1))),
               ("conv2", Conv2D(image("4 0 -1"), fractions([-2]), pad=(0, 1)))])


def test_stacked_flat_layers_are_a_random_walk_and_no_count_of_paths() -> None:
    x, R = image("2 -1 0 5"), image("1 0 0 0")
    # unit 0 walks to units 0 and 1 with 1/2 each; 0 walks on to pixels 0, 1 and 1 to pixels 0, 1, 2
    assert flattened(TWO, x, R).tolist() == image("5/12 5/12 1/6 0").tolist()
    # the network of ones run forward on ones, and Eq. 1 applied to it: 5 paths, 2 of them to pixel 0
    ones = Network([(name, Conv2D(image("1 1 1"), pad=(0, 1))) for name in TWO.names])
    counted = explain(ones, 0 * x + 1, {name: Epsilon(0) for name in ones.names}, R)
    assert counted.relevance.tolist() == image("2/5 2/5 1/5 0").tolist()
    assert by_loops.paths(maps(TWO, x[0]), (0, 0, 0)) == {(0, 0, 0): F(2, 5), (0, 0, 1): F(2, 5), (0, 0, 2): F(1, 5)}


@pytest.mark.parametrize("below", NETWORK.names[1:])
def test_below_the_cut_relevance_walks_at_random(below: str) -> None:
    lower = NETWORK[:NETWORK.index(below)]
    R = relevance_for(lower(X))
    got = flattened(lower, X, R)
    for n, x in enumerate(X):
        walked = by_loops.walk(maps(lower, x), units(R[n]))
        assert got[n].tolist() == arrayed(walked, x.shape).tolist()


def test_the_walk_counts_paths_where_no_window_is_clipped() -> None:
    chain = Network([("conv1", Conv2D(image("1 -2 3"))), ("conv2", Conv2D(image("4 0 -1")))])
    got = flattened(chain, image("2 -1 0 5 1 3 7"), image("0 1 0"))
    assert got.tolist() == image("0 1/9 2/9 3/9 2/9 1/9 0").tolist()


def test_the_walk_is_one_box_where_the_stride_is_the_window() -> None:
    conv = Conv2D(image("4 0 -1, 1 2 5"), fractions([-2]), stride=(2, 3))
    chain = Network([("avg", AvgPool((1, 2))), ("conv", conv)])
    got = flattened(chain, image("2 -1 0 5 1 3, 7 7 1 2 4 1"), image("6"))
    assert got.tolist() == image("1/2 1/2 1/2 1/2 1/2 1/2, 1/2 1/2 1/2 1/2 1/2 1/2").tolist()


def test_the_walk_is_no_box_where_windows_overlap() -> None:
    chain = Network([("sum", SumPool((1, 2), 1)), ("max", MaxPool((1, 2)))])
    assert flattened(chain, image("3 1 2"), image("4")).tolist() == image("1 2 1").tolist()


# ---- (d) Fully connected layers ----


def test_a_flat_fully_connected_layer_is_uniform_and_blind_to_the_image() -> None:
    chain = Network([("fc", Linear(fractions(["2 -1", "0 3", "5 1"]), fractions("1 2")))])
    for x in ("1 2 3", "0 -7 4"):
        assert flattened(chain, fractions([x]), fractions(["5 4"])).tolist() == [[3, 3, 3]]


def test_flat_fully_connected_layers_show_the_walk_pattern_of_the_layers_below() -> None:
    # 9 x 9 windows, 11 wide and 4 apart, over 43 x 43 pixels; a corner lies in 1 of them, no pixel in more than 3 x 3
    conv = Conv2D(np.ones((2, 1, 11, 11)), stride=4)
    chain = Network([("conv1", conv), ("flat", Flatten()), ("fc", Linear(np.ones((162, 3))))]).astype(F)
    x = fractions(np.arange(43 * 43).reshape(1, 1, 43, 43).tolist())
    R = flattened(chain, x, fractions(["1 0 0"]))[0, 0]
    mean = F(1, 43 * 43)
    assert total(R) == 1 and R[0, 0] / mean == F(43 * 43, 81 * 121) == R.min() / mean and R.max() == 9 * R[0, 0]
    assert round(R.min() / mean, 2) == F("0.19") and round(R.max() / mean, 2) == F("1.70")
    assert (R == R.T).all() and (R[::-1] == R).all() and (R[8:35:4, 8:35:4] == R.max()).all()


def test_a_cut_off_above_the_fully_connected_layers_gives_every_image_the_same_map() -> None:
    deep = Network([*NETWORK.layers, ("relu3", ReLU()), ("fc2", Linear(mixed((4, 2), 8)))])
    R = fractions(["3 -1"] * 2)
    rules = cutoff(assign(deep, {Linear: Flat()}), "fc2")
    first, second = explain(deep, X, rules, R).relevance
    assert (first == second).all() and (explain(deep, mixed(SHAPE, 7), rules, R).relevance[0] == first).all()
