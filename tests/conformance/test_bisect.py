"""The first layer that diverges is found from outside, in few calls, whatever the network's length."""

from collections.abc import Callable
from math import ceil, log2
from typing import Any

import numpy as np
import pytest

from lrp_ref import Epsilon, Linear, Network, ReLU
from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.diagnose.bisect import Divergence, first_divergence
from lrp_ref.relevance import through_layer, through_network
from lrp_ref.rules import Rule

Fault = Callable[[str, Array, Array], Array]   # of a layer's name, what is right, and the R above


def chain(length: int) -> tuple[Network, dict[str, Rule], Array, Array]:
    """Fully connected layers of 2 to 4 units, none of whose sums is 0."""
    rng = np.random.default_rng(length)
    sizes = [2 + n % 3 for n in range(length + 1)]
    layers = [(f"fc{n}", Linear(rng.integers(1, 5, sizes[n:n + 2]) + 0.0)) for n in range(length)]
    network = Network(layers)
    x = np.arange(1.0, 2 * sizes[0] + 1).reshape(2, sizes[0])
    return network, dict.fromkeys(network.names, Epsilon(0.25)), x, network(x)


def implementation(fault: Fault, calls: list[tuple[str, ...]] | None = None) -> Any:
    def relevance(network: Network, rules: dict[str, Rule], x: Array, R: Array) -> Array:
        if calls is not None:
            calls.append(network.names)
        xs = network.activations(x)
        for (name, layer), a in reversed(list(zip(network, xs.values()))):
            R = fault(name, through_layer(rules[name], layer, a, R)[0], R)
        return R

    return relevance


def agrees(network: Network, rules: Any, x: Array, R: Array, answer: Array) -> bool:
    # 1e-16 for each of 17 layers' sums of 2 to 4 numbers of one sign
    return bool(np.allclose(answer, through_network(network, rules, x, R)["input"], rtol=1e-14, atol=0))


def wrong_in(*names: str, factor: float = 2.0) -> Fault:
    return lambda name, good, R: good * factor if name in names else good


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 12, 17])
def test_the_layer_is_found_in_log2_calls_and_one(length: int) -> None:
    task = chain(length)
    for n in range(length):
        calls: list[tuple[str, ...]] = []
        found = first_divergence(implementation(wrong_in(f"fc{n}"), calls), *task, agrees)
        assert found == Divergence(f"fc{n}", len(calls)) and len(calls) <= ceil(log2(length)) + 1
        assert length == 1 or calls[-1] == (f"fc{n}",)   # the layer found is asked by itself


def test_of_two_faults_the_higher_is_found() -> None:
    assert first_divergence(implementation(wrong_in("fc2", "fc9")), *chain(12), agrees).layer == "fc9"


def test_where_a_higher_fault_is_undone_another_one_is_found_and_is_at_fault() -> None:
    def undone(name: str, good: Array, R: Array) -> Array:
        return good * {"fc10": 2.0, "fc5": 0.5, "fc1": 3.0}.get(name, 1.0)

    assert first_divergence(implementation(undone), *chain(12), agrees).layer in {"fc10", "fc5", "fc1"}


def test_a_layer_that_is_right_by_itself_makes_every_layer_be_asked_and_the_note_says_so() -> None:
    """fc3 is wrong only above a network's end, which a suffix has too; fc6 by itself."""
    def whole(network: Network, rules: Any, x: Array, R: Array) -> Array:
        R_0 = through_network(network, rules, x, R)["input"]
        odd = len(network) >= 9 or network.names == ("fc6",)
        return R_0 * 2 if odd else R_0

    found = first_divergence(whole, *chain(12), agrees)
    assert found.layer == "fc6" and "right by itself, so every layer was asked" in found.note
    assert found.calls > ceil(log2(12)) + 1


def test_no_layer_is_named_where_only_the_whole_is_wrong() -> None:
    def whole(network: Network, rules: Any, x: Array, R: Array) -> Array:
        return through_network(network, rules, x, R)["input"] * (2 if len(network) > 1 else 1)

    found = first_divergence(whole, *chain(5), agrees)
    assert found.layer is None and found.note.startswith("every layer is right by itself: ")


def test_a_part_that_is_refused_counts_as_right() -> None:
    def refusing(network: Network, rules: Any, x: Array, R: Array) -> Array:
        if network.names[0] == "fc6":
            raise Unsupported("no network begins with fc6")
        return np.asarray(implementation(wrong_in("fc4"))(network, rules, x, R))

    assert first_divergence(refusing, *chain(12), agrees).layer == "fc4"


def test_layers_without_weights_are_found_too() -> None:
    network, rules, x, R = chain(3)
    layers = [*network.layers[:2], ("relu", ReLU()), network.layers[2]]
    found = first_divergence(implementation(wrong_in("relu")), Network(layers),
                             {**rules, "relu": Epsilon(0)}, x, R, agrees)
    assert found.layer == "relu"


def test_activations_that_are_there_are_those_that_relevance_is_handed_down_at() -> None:
    """By hand: 6 units of R, shared 2 : 1 at the hidden layer that is given, where the network's own has 1 : 1."""
    network = Network([("fc1", Linear(np.eye(2))), ("fc2", Linear(np.ones((2, 1))))])
    rules, x, R = dict.fromkeys(network.names, Epsilon(0)), np.array([[3.0, 3]]), np.array([[6.0]])
    assert through_network(network, rules, x, R)["fc1"].tolist() == [[3, 3]]
    given = {"input": x, "fc1": np.array([[4.0, 2]]), "fc2": R}
    assert through_network(network, rules, x, R, given)["fc1"].tolist() == [[4, 2]]
