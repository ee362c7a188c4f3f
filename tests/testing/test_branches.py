"""lrp_ref.testing on networks with branches: tensors that several layers read, layers that read several tensors."""

from typing import Any

import numpy as np
import pytest
from helpers import refused

from lrp_ref import (
    Add,
    Concat,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    Multiply,
    Network,
    ReLU,
    Sigmoid,
    ZPlus,
    assign,
    cutoff,
    explain,
)
from lrp_ref.testing import assert_cutoff, assert_ledger, assert_relevance_close
from lrp_ref.testing.task import together

RNG = np.random.default_rng(7)
NETWORK = Network([   # a residual block, a gate, and a tensor that one layer reads twice
    ("conv1", Conv2D(RNG.normal(size=(3, 2, 2, 3)), RNG.normal(size=3), pad=((0, 1), (1, 1)))), ("relu1", ReLU()),
    ("conv2", Conv2D(RNG.normal(size=(3, 3, 1, 1)))), ("add", Add(), ("conv2", "relu1")),
    ("gate", Sigmoid()), ("product", Multiply(), ("add", "gate")), ("twice", Concat(), ("product", "product")),
    ("flat", Flatten()), ("fc", Linear(RNG.normal(size=(6 * 4 * 5, 4)), RNG.normal(size=4)))])
X = RNG.normal(size=(2, 2, 4, 5))
RULES = assign(NETWORK, {Conv2D: ZPlus(), Linear: Epsilon(0.01)})
R = RNG.normal(size=(2, 4))


def answer(**changed: Any) -> dict[str, Any]:
    """Every relevance, as right as float64 has it, or with other rules at some layers."""
    return dict(explain(NETWORK, X, {**RULES, **changed}, R).relevances)


def test_what_is_right_passes_tensor_by_tensor_and_as_a_whole() -> None:
    report = assert_relevance_close(answer(), NETWORK, X, RULES, R, u=2.0**-53, undetermined=9)
    assert [c.what for c in report.compared] == [
        "layer fc", "layer flat", "layer twice", "layer product", "layers gate and product", "layer add",
        "layers conv2 and add", "layer relu1", "layer conv1"]
    assert_relevance_close(answer()["input"], NETWORK, X, RULES, R, u=2.0**-53, undetermined=9)
    assert_ledger(NETWORK, X, RULES, answer(), R, u=2.0**-53)


def test_groups_share_no_tensor() -> None:
    assert together(NETWORK) == [
        (["fc"], ["flat"]), (["flat"], ["twice"]), (["twice"], ["product"]), (["gate", "product"], ["add", "gate"]),
        (["conv2", "add"], ["relu1", "conv2"]), (["relu1"], ["conv1"]), (["conv1"], ["input"])]


def test_a_bare_sum_that_gives_all_to_both_is_named_at_the_sum() -> None:
    wrong = answer()
    wrong["conv2"] = wrong["add"]   # what automatic differentiation makes of a + b
    with pytest.raises(AssertionError, match=r"^layer add is the first to diverge: "):
        assert_relevance_close(wrong, NETWORK, X, RULES, R, u=2.0**-53, undetermined=9)
    with pytest.raises(AssertionError, match=r"^layers conv2 and add: sample 0 hands down "):
        assert_ledger(NETWORK, X, RULES, wrong, R, u=2.0**-53)


def test_a_forgotten_reader_is_named_by_all_that_read_the_tensor() -> None:
    e = explain(NETWORK, X, RULES, R)
    wrong = {**e.relevances, "relu1": e.messages["add"][1]}   # what conv2 hands down is lost
    with pytest.raises(AssertionError, match=r"^layers conv2 and add are the first to diverge: "):
        assert_relevance_close(wrong, NETWORK, X, RULES, R, u=2.0**-53, undetermined=9)


def test_of_several_readers_the_one_that_explains_it_is_named() -> None:
    e, other = explain(NETWORK, X, RULES, R), explain(NETWORK, X, {**RULES, "conv2": Epsilon(0)}, R)
    wrong = {**e.relevances, "relu1": e.messages["add"][1] + other.messages["conv2"][0]}
    with pytest.raises(AssertionError, match=r"^layers conv2 and add are the first to diverge: .*; at conv2 it looks "
                                             "as if the rule were Epsilon"):
        assert_relevance_close(wrong, NETWORK, X, RULES, R, u=2.0**-53, undetermined=9)


def test_a_cut_off_below_a_sum_cuts_what_it_is_made_of() -> None:
    cut = cutoff(RULES, "add")
    right = dict(explain(NETWORK, X, cut, R).relevances)
    assert_cutoff(right, NETWORK, X, RULES, "add", R, u=2.0**-53, undetermined=9)
    with pytest.raises(AssertionError, match="it looks as if there were no cut-off"):
        assert_cutoff(answer(), NETWORK, X, RULES, "add", R, u=2.0**-53, undetermined=9)
    with refused("got rules by which …"):
        assert_cutoff(right, NETWORK, X, {**RULES}, "add", R, u=2.0**-53)


def test_activations_are_taken_as_they_are_given() -> None:
    e = explain(NETWORK, X, RULES, R)
    off = {"add": e.activations["add"] * (1 + 1e-9)}   # all above were made of the true sum
    with pytest.raises(AssertionError, match=r"^layer fc is the first to diverge: "):
        assert_relevance_close(dict(e.relevances), NETWORK, X, RULES, R, u=2.0**-53, activations=off, undetermined=9)
