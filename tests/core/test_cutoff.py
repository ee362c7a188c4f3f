"""The cut-off: the claims about it, and what it changes, refuses and leaves alone, in fractions."""

from typing import Any

import pytest
from helpers import QUARTER, F, assert_holds, fractions, law, mixed, refused

from lrp_ref import (
    AlphaBeta,
    Conv2D,
    Epsilon,
    Flat,
    Gamma,
    Linear,
    Network,
    Pass,
    ReLU,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    cutoff,
    explain,
    paper_cnn,
)
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import RATIONAL, relevance_for, small_network
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
    return small_network(seed).astype(F)


NETWORK = network()
X = mixed(SHAPE, 1)
RULES = paper_cnn(NETWORK)


# ---- What selfcheck claims ----


@law("cut-off")
def test_the_cut_off_applies_below_and_nowhere_else(claim: Claim) -> None:
    assert_holds(claim)


@law("cut-off (a)")
def test_flat_is_a_substitution_and_blind(claim: Claim) -> None:
    assert_holds(claim)


@law("cut-off (b)")
def test_flat_averages_messages_but_for_what_is_absorbed(claim: Claim) -> None:
    assert_holds(claim)


@law("cut-off (c)")
def test_stacked_flat_layers_walk_at_random(claim: Claim) -> None:
    assert_holds(claim)


@law("cut-off (d)")
def test_flat_fully_connected_layers_are_uniform(claim: Claim) -> None:
    assert_holds(claim)


# ---- Where it applies ----


def test_below_keeps_its_rule_and_pooling_below_is_flat_too() -> None:
    assert RULES["pool1"] == Winner() and RULES["conv2"] == AlphaBeta(2, 1)
    at_conv2 = cutoff(RULES, below="conv2")
    assert at_conv2 == RULES | dict.fromkeys(["conv1", "relu1", "pool1"], Flat())
    at_relu1 = cutoff(RULES, below="relu1")     # the lowest convolution alone
    assert at_relu1 == RULES | {"conv1": Flat()} and at_relu1["pool1"] == Winner()


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


@pytest.mark.parametrize("name", ["Linear", "Conv2D", "Conv2D, no bias"])
def test_flat_is_epsilon_zero_of_a_layer_of_ones_at_ones(name: str) -> None:
    layer, x = RATIONAL[name].at(F)
    ones = Conv2D(0 * layer.weight + 1, None, layer.stride, layer.pad, layer.dilation, layer.groups) if isinstance(
        layer, Conv2D) else Linear(0 * layer.weight + 1)
    R = relevance_for(layer(x))
    a, m = layer.linearize(x)
    substituted, at_ones = ones.linearize(0 * x + 1)[1], 0 * x + 1
    assert (step(Flat(), m, a, R)[0] == step(Epsilon(0), substituted, at_ones, R)[0]).all()
    assert (step(Flat(), m, a, R)[0] != step(Epsilon(0), substituted, a, R)[0]).any()


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


# ---- (d) Fully connected layers ----


def test_a_cut_off_above_the_fully_connected_layers_gives_every_image_the_same_map() -> None:
    deep = Network([*NETWORK.layers, ("relu3", ReLU()), ("fc2", Linear(mixed((4, 2), 8)))])
    R = fractions(["3 -1"] * 2)
    rules = cutoff(assign(deep, {Linear: Flat()}), "fc2")
    first, second = explain(deep, X, rules, R).relevance
    assert (first == second).all() and (explain(deep, mixed(SHAPE, 7), rules, R).relevance[0] == first).all()
