"""The relevance of weights and biases: by hand, by the definitions' messages, and in sum what was handed down."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, refused

from lrp_ref import (
    AlphaBeta,
    BatchNorm,
    Conv2D,
    Epsilon,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Scale,
    WSquare,
    ZBox,
    assign,
    explain,
    logit_difference,
    one_hot,
    softmax_gradient,
    weight_relevance,
)
from lrp_ref.arrays import number_type
from lrp_ref.checks.claims.by_loops import defined, defined_step
from lrp_ref.checks.claims.examples import RATIONAL, RULES, relevance_for

KINDS = ("Linear", "Linear on rows, no bias", "Conv2D", "Conv2D, no bias", "Conv2D, sides and a bias per position",
         "ConvTranspose2D", "ConvTranspose2D, groups")


def of_one(layer: Any, x: Any, rule: Any, R: Any) -> Any:
    """The explanation and the relevance of weights of a network of one layer."""
    network, rules = Network([("it", layer)]), {"it": rule}
    e = explain(network, x, rules, R)
    return e, weight_relevance(network, e, rules, "it")


def test_weights_of_one_output_by_hand() -> None:
    # z = 6 - 3 - 2 + 0 + 2 = 3, R = 15: 5 for each of it
    layer = Linear(fractions([[2], [3], [-1], [4]]), fractions([2]))
    _, found = of_one(layer, fractions(["3 -1 2 0"]), Epsilon(0), fractions(["15"]))
    assert found["weight"].tolist() == [[[30], [-15], [-10], [0]]] and found["bias"].tolist() == [[10]]


def test_a_weight_that_is_used_twice_has_both() -> None:
    # z = 2 * 2 + 1 * 3 = 7 and 2 * 3 + 1 * 5 = 11, R = 7 and 22: 1 and 2 for each of it
    layer = Conv2D(fractions([[[[2, 1]]]]))
    _, found = of_one(layer, fractions([[[[2, 3, 5]]]]), Epsilon(0), fractions([[[[7, 22]]]]))
    assert found["weight"].tolist() == [[[[[4 + 12, 3 + 10]]]]]
    assert not found["bias"].any()


def place(layer: Any, i: Any, j: Any) -> Any:
    """The index of the weight between input i and output j, straight from the layer's formula."""
    if isinstance(layer, Linear):
        return i[-1], j[-1]
    (c, *there), (o, *window) = i, j
    if not isinstance(layer, Conv2D):   # transposed: as the convolution from outputs to inputs
        (c, *there), (o, *window) = j, i
    pads = [side if isinstance(side, int) else side[0] for side in layer.pad]
    taps = [(y + p - v * s) // d for y, v, p, s, d in zip(there, window, pads, layer.stride, layer.dilation)]
    return (o, c % layer.weight.shape[1], *taps)


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.only_for in (None, "a box")], ids=repr)
@pytest.mark.parametrize("name", KINDS)
def test_they_are_the_sums_of_the_messages_over_their_connections(name: str, rule: Any) -> None:
    example = RATIONAL[name]
    layer, x = example.layer, example.x(2, 4)
    R = relevance_for(layer(x), 5)
    e, found = of_one(layer, x, rule, R)
    account = e.ledger["it"]
    for n, sample in enumerate(x):
        step = defined_step(rule, defined(layer, sample), sample, R[n])
        wanted = 0 * found["weight"][n]
        for (i, j), message in step.messages.items():
            wanted[place(layer, i, j)] += message
        assert (found["weight"][n] == wanted).all()
        assert found["weight"][n].sum() == account.handed[n].sum() == e.relevance[n].sum()
        assert found["bias"][n].sum() == account.bias[n].sum()
    assert found["weight"].shape == (2, *layer.weight.shape)
    assert layer.bias is None or found["bias"].shape == (2, *layer.bias.shape)


def test_biases_are_summed_where_they_are_added() -> None:
    layer, x = Linear(mixed((3, 2), 3), fractions("5 7")), mixed((2, 4, 3), 4)
    R = mixed((2, 4, 2), 5)
    e, found = of_one(layer, x, Epsilon(F(1, 4)), R)
    assert (found["bias"] == e.ledger["it"].bias.sum(axis=1)).all() and found["bias"].any()
    conv = Conv2D(mixed((3, 2, 1, 2), 6), fractions("5 7 -4"))
    x = mixed((1, 2, 3, 4), 7)
    e, found = of_one(conv, x, AlphaBeta(2, 1), mixed((1, 3, 3, 3), 8))
    assert (found["bias"] == e.ledger["it"].bias.sum(axis=(2, 3))).all() and found["bias"].any()


@pytest.mark.parametrize("layer", [RATIONAL["BatchNorm"].layer.astype(F),
                                   Scale(fractions("-1 3 1/2 2"), mixed((3, 4), 2))],
                         ids=lambda layer: type(layer).__name__)
def test_what_an_input_is_multiplied_by_has_relevance_too(layer: Any) -> None:
    x = mixed((2, 3, 2, 4), 4) if isinstance(layer, BatchNorm) else mixed((2, 3, 4), 4)
    e, found = of_one(layer, x, Epsilon(F(1, 4)), mixed(x.shape, 6))
    axis = (2, 3) if isinstance(layer, BatchNorm) else (1,)
    assert (np.reshape(found["weight"], (2, -1)) == e.relevance.sum(axis=axis)).all()
    assert found["bias"].sum() == e.ledger["it"].bias.sum()


def test_inside_a_network() -> None:
    network = Network([("fc", Linear(fractions(["1 0", "1 2"]))), ("relu", ReLU()),
                       ("top", Linear(fractions(["1", "2"])))])
    rules = {"fc": WSquare(), "relu": Epsilon(0), "top": ZBox(-1, 9)}
    e = explain(network, fractions(["1 2"]), rules)
    for name in ("fc", "top"):
        found = weight_relevance(network, e, rules, name)
        assert found["weight"].sum() == e.ledger[name].handed.sum() and found["weight"].any()
    with refused("layer fc hands down something else by these rules than in this explanation: give those that …"):
        weight_relevance(network, e, rules | {"fc": Epsilon(1)}, "fc")
    with refused("layer relu: relevance of weights is for layers with weights of their own: Linear, Conv2D, …"):
        weight_relevance(network, e, rules, "relu")
    with refused("got the layer name 'tap', which the network does not have: did you mean 'top'? …"):
        weight_relevance(network, e, rules, "tap")
    with refused("got a str, needed a Network: …"):
        weight_relevance("fc", e, rules, "fc")   # type: ignore[arg-type]
    with refused("got None, needed what explain(network, x, rules) gives"):
        weight_relevance(network, None, rules, "fc")   # type: ignore[arg-type]
    masked = explain(network, fractions(["1 2"]), rules, through={"fc": 0})
    with refused("layer fc hands down something else …"):
        weight_relevance(network, masked, rules, "fc")
    with refused("got an input of Fraction for a network of Decimal: …"):
        weight_relevance(network.astype(Decimal), e, rules, "fc")
    with refused("layer fc: gives something else here than in this explanation: give the network that it explains"):
        weight_relevance(Network([(name, Linear(-layer.weight) if name == "fc" else layer)
                                  for name, layer, _ in network.nodes]), e, rules, "fc")
    with refused("got an explanation with the tensors input, it, needed one of this network: fc, …"):
        weight_relevance(network, of_one(Linear(fractions([[2], [3]])), fractions(["1 2"]), Epsilon(0),
                                         fractions(["1"]))[0], rules, "fc")


def test_windows_of_a_pooling_have_no_weights_of_the_model() -> None:
    with refused("layer it: relevance of weights is for layers with weights of their own: …"):
        of_one(MaxPool(2), mixed((1, 1, 2, 4), 3), Epsilon(0), mixed((1, 1, 1, 2), 4))


@pytest.mark.parametrize("number", [np.float32, np.float64, F])
def test_every_way_keeps_the_number_type(number: Any) -> None:
    layers = [("fc", Linear(mixed((3, 4), 2), mixed((4,), 3))), ("top", Linear(mixed((4, 2), 4)))]
    network = Network(layers).astype(number)
    x = mixed((2, 3), 5).astype(number) if number is not F else mixed((2, 3), 5)
    starts = [one_hot(1), logit_difference(0, 1)] + ([softmax_gradient(0)] if number is not F else [])
    for start in starts:
        e = explain(network, x, target=start, through={"fc": np.array([True, False, True, True])})
        found = weight_relevance(network, e, assign(network), "top")
        arrays = (e.relevance, *e.ledger.total().values(), *found.values(), e.start["fc"])
        assert {number_type(array) for array in arrays} == {number}
        assert {number_type(np.array([R], dtype=e.relevance.dtype)) for _, R in e.top("fc")[0]} == {number}
