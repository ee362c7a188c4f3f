"""A rule for every layer: by name, for the first, by type, by default; and the presets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import assert_holds, law, refused

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    DenseSift,
    Epsilon,
    FisherVector,
    Flat,
    Flatten,
    Gamma,
    IntersectionSVM,
    L2Norm,
    Linear,
    MaxPool,
    Network,
    Pass,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tanh,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    paper_cnn,
    paper_fv,
)
from lrp_ref.assignment import DEFAULTS
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.layers import LAYERS, Layer
from lrp_ref.layers.pool import Pool

ONES = np.ones((2, 2, 1, 1))
NETWORK = Network([
    ("bn0", BatchNorm(*np.ones((4, 2)))), ("conv1", Conv2D(ONES)), ("relu1", ReLU()), ("norm1", LRN(3, 1, 1, 1)),
    ("max", MaxPool(1)), ("conv2", Conv2D(ONES)), ("avg", AvgPool(1)), ("sum", SumPool(1)), ("ada", AdaptiveAvgPool(1)),
    ("flat", Flatten()), ("fc1", Linear(np.ones((2, 2)))), ("tanh", Tanh()), ("fc2", Linear(np.ones((2, 3)))),
])
DEFAULT = {"bn0": Pass(), "conv1": Epsilon(0), "relu1": Pass(), "norm1": Pass(), "max": Winner(), "conv2": Epsilon(0),
           "avg": Epsilon(0), "sum": Epsilon(0), "ada": Epsilon(0), "flat": Pass(), "fc1": Epsilon(0), "tanh": Pass(),
           "fc2": Epsilon(0)}


@law("choices")
def test_what_is_settled_stays_settled(claim: Claim) -> None:
    assert_holds(claim)


def test_every_layer_type_has_a_default_and_no_other() -> None:
    assert {kind.hands_down for kind in LAYERS.values()} == set(DEFAULTS) and Layer.hands_down not in DEFAULTS
    assert {kind.__name__: kind for kind in LAYERS.values()} == LAYERS


def test_defaults_are_epsilon_zero_winner_and_pass() -> None:
    assert assign(NETWORK) == DEFAULT and list(assign(NETWORK)) == list(NETWORK.names)


FISHER = Network([
    ("sift", DenseSift(4, 3)), ("pca", Linear(np.ones((128, 2)))), ("pca2", SpreadLinear(np.ones((2, 2)))),
    ("fisher", FisherVector(np.ones(1), np.ones((1, 2)), np.ones((1, 2)))), ("mean", RegionMean(np.ones(1))),
    ("norm", L2Norm()), ("root", SignedSqrt()), ("svm", Linear(np.ones((4, 3)))),
    ("spread", SpreadLinear(np.ones((3, 2)))),
])
FISHER_DEFAULT = {"sift": Flat(), "pca": Epsilon(0), "pca2": Epsilon(0), "fisher": Epsilon(0), "mean": Pass(),
                  "norm": Pass(), "root": Pass(), "svm": Epsilon(0), "spread": Epsilon(0)}


def test_defaults_of_fisher_layers_are_flat_epsilon_zero_and_pass() -> None:
    assert assign(FISHER) == FISHER_DEFAULT
    words = Network([("sift", DenseSift(4, 3)), ("pool", PMeans(2)),
                     ("svm", IntersectionSVM(np.ones((2, 128)), np.ones((1, 2)), np.ones(1)))])
    assert assign(words) == {"sift": Flat(), "pool": Epsilon(0), "svm": Epsilon(0)}


def test_a_rule_by_type_replaces_that_types_default_only() -> None:
    got = assign(NETWORK, {Conv2D: ZPlus(), MaxPool: Flat()})
    assert got == DEFAULT | {"conv1": ZPlus(), "conv2": ZPlus(), "max": Flat()}
    assert assign(NETWORK) == DEFAULT


def test_first_is_the_lowest_convolution_or_linear_and_no_other_layer() -> None:
    box = ZBox(0, 1)
    assert assign(NETWORK, first=box) == DEFAULT | {"conv1": box}
    assert assign(NETWORK, {Conv2D: ZPlus()}, first=box) == DEFAULT | {"conv1": box, "conv2": ZPlus()}
    assert assign(NETWORK[9:], first=WSquare())["fc1"] == WSquare()


def test_a_rule_by_name_wins_over_first_and_over_the_type() -> None:
    by_name = {"conv1": Gamma(1), "tanh": Epsilon(1), "conv2": Flat()}
    got = assign(NETWORK, {Conv2D: ZPlus()}, first=Flat(), by_name=by_name)
    assert got == DEFAULT | by_name
    assert list(got) == list(NETWORK.names)


@dataclass(frozen=True, eq=False)
class Softened(ReLU):
    """A layer of one's own that is a kind of a known one."""


@dataclass(frozen=True, eq=False)
class Own(Layer):
    """A layer of one's own of no known kind."""


def test_a_layer_of_ones_own_takes_the_rule_of_what_it_is_a_kind_of() -> None:
    network = Network([("soft", Softened()), ("relu", ReLU())])
    assert assign(network) == {"soft": Pass(), "relu": Pass()}
    assert assign(network, {Softened: Epsilon(1)}) == {"soft": Epsilon(1), "relu": Pass()}
    assert assign(network, {ReLU: Flat()}) == {"soft": Flat(), "relu": Flat()}


def test_a_layer_of_an_unknown_type_needs_a_rule_by_type_or_by_name() -> None:
    network = Network([("own", Own()), ("relu", ReLU())])
    text = "assign knows no rule for own, a Own: give one by type or by name"
    with refused(text):
        assign(network)
    with refused(text):
        assign(network, {ReLU: Flat()}, by_name={"relu": Flat()})
    assert assign(network, {Own: Flat()})["own"] == assign(network, by_name={"own": Flat()})["own"] == Flat()


@pytest.mark.parametrize("kind", ["Conv2D", Epsilon, 3, Conv2D(ONES)], ids=["text", "a rule", "number", "a layer"])
def test_rules_by_type_are_for_layer_types(kind: Any) -> None:
    text = f"assign got a rule for {repr(kind)[:20]}…, needed layer types such as Linear, Conv2D, MaxPool, AvgPool"
    with refused(f"{text}…"):
        assign(NETWORK, {kind: Flat()})


@pytest.mark.parametrize("bad", [Flat, "flat", 0.01, None])
def test_what_is_no_rule_is_refused_wherever_it_is_given(bad: Any) -> None:
    text = f"got {bad!r}, needed a rule such as Epsilon(0.01)"
    calls: list[dict[str, Any]] = [{"by_type": {Conv2D: bad}}, {"by_name": {"conv1": bad}}]
    for arguments in [*calls, *([{"first": bad}] if bad is not None else [])]:
        with refused(text):
            assign(NETWORK, **arguments)


def test_a_rule_for_an_unknown_name_suggests_the_nearest() -> None:
    with refused("got the layer name 'conv3', …: did you mean '…'? its layers are bn0, …"):
        assign(NETWORK, by_name={"conv3": Flat()})


def test_first_is_refused_in_a_fisher_network_whose_pixels_are_dense_sifts() -> None:
    with refused("assign got first=..., but in a Fisher network the pixels' own layer is DenseSift, which only spreads "
                 "evenly: leave it out, or give rules by name"):
        assign(FISHER, first=ZBox(0, 1))
    with refused("assign got first=..., but in a Fisher network…"):
        epsilon_plus_flat(FISHER)


def test_first_needs_a_convolution_or_linear() -> None:
    with refused("assign got first=..., but the network has no layer with weights, no Conv2D and no Linear"):
        assign(NETWORK[2:5], first=Flat())


# ---- Presets ----


def convolutions(rule: Any, first: Any = None) -> dict[str, Any]:
    return {"conv1": first or rule, "conv2": rule}


def fully_connected(rule: Any) -> dict[str, Any]:
    return {"fc1": rule, "fc2": rule}


@pytest.mark.parametrize(("preset", "arguments", "changed"), [
    (paper_cnn, {}, convolutions(AlphaBeta(2, 1)) | fully_connected(AlphaBeta(2, 1))),
    (paper_cnn, {"alpha": 1.5, "beta": 0.5}, convolutions(AlphaBeta(1.5, 0.5)) | fully_connected(AlphaBeta(1.5, 0.5))),
    (epsilon_plus, {}, convolutions(ZPlus()) | fully_connected(Epsilon(1e-6))),
    (epsilon_plus, {"epsilon": 3}, convolutions(ZPlus()) | fully_connected(Epsilon(3))),
    (epsilon_plus_flat, {}, convolutions(ZPlus(), Flat()) | fully_connected(Epsilon(1e-6))),
    (epsilon_plus_flat, {"epsilon": 3}, convolutions(ZPlus(), Flat()) | fully_connected(Epsilon(3))),
    (epsilon_alpha2_beta1, {}, convolutions(AlphaBeta(2, 1)) | fully_connected(Epsilon(1e-6))),
    (epsilon_alpha2_beta1, {"epsilon": 3}, convolutions(AlphaBeta(2, 1)) | fully_connected(Epsilon(3))),
    (epsilon_alpha2_beta1_flat, {}, convolutions(AlphaBeta(2, 1), Flat()) | fully_connected(Epsilon(1e-6))),
    (epsilon_alpha2_beta1_flat, {"epsilon": 3}, convolutions(AlphaBeta(2, 1), Flat()) | fully_connected(Epsilon(3))),
    (epsilon_gamma_box, {"low": -1, "high": 2},
     convolutions(Gamma(0.25), ZBox(-1, 2)) | fully_connected(Epsilon(1e-6))),
    (epsilon_gamma_box, {"low": -1, "high": 2, "epsilon": 3, "gamma": 4},
     convolutions(Gamma(4), ZBox(-1, 2)) | fully_connected(Epsilon(3))),
], ids=lambda value: value.__name__ if callable(value) else ", ".join(map(str, value)))
def test_presets_change_convolutions_and_linears_and_nothing_else(preset: Any, arguments: Any, changed: Any) -> None:
    assert preset(NETWORK, **arguments) == DEFAULT | changed


def test_the_fisher_preset_stabilises_the_fisher_vector_and_the_linears_below_it_alone() -> None:
    for epsilon, got in ((100, paper_fv(FISHER)), (2.5, paper_fv(FISHER, epsilon=2.5))):
        assert got == FISHER_DEFAULT | dict.fromkeys(["pca", "pca2", "fisher"], Epsilon(epsilon))
        assert list(got) == list(FISHER.names)
    two = Network([*FISHER[:4], ("again", FisherVector(np.ones(1), np.ones((1, 2)), np.ones((1, 2)))), *FISHER[5:]])
    assert [name for name, rule in paper_fv(two).items() if rule == Epsilon(100)] == ["pca", "pca2", "fisher", "again"]


def test_the_fisher_preset_needs_a_fisher_vector() -> None:
    with refused("paper_fv got a network without a FisherVector: use paper_cnn"):
        paper_fv(NETWORK)


def test_a_preset_gives_a_first_linear_the_rule_of_the_first_layer() -> None:
    assert epsilon_plus_flat(NETWORK[9:]) == {"flat": Pass(), "fc1": Flat(), "tanh": Pass(), "fc2": Epsilon(1e-6)}


def test_assigning_does_not_change_what_it_is_given() -> None:
    by_type: Any = {Conv2D: ZPlus()}
    by_name: Any = {"fc1": Flat()}
    assign(NETWORK, by_type, Flat(), by_name)
    assert by_type == {Conv2D: ZPlus()} and by_name == {"fc1": Flat()}


def test_a_rule_for_a_base_class_goes_before_the_default_of_the_layer_itself() -> None:
    network = Network([("max", MaxPool(2)), ("relu", ReLU())])
    assert assign(network, {Pool: Flat()}) == {"max": Flat(), "relu": Pass()}
