"""A network is a chain of named layers; receptive fields follow its connections."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_holds, fractions, law, mixed, refused, types_in
from hypothesis import given
from hypothesis import strategies as st

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    Conv2D,
    DenseSift,
    Epsilon,
    FisherVector,
    Flat,
    Flatten,
    IntersectionSVM,
    Linear,
    MaxPool,
    Network,
    PMeans,
    ReceptiveField,
    ReLU,
    SpreadLinear,
    SumPool,
    Tanh,
    explain,
    receptive_field,
)
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import LAYERS

NETWORK = Network([
    ("conv1", Conv2D(mixed((2, 1, 2, 3), 1), mixed((2,), 2), pad=(0, 1))), ("relu1", ReLU()),
    ("pool1", MaxPool((2, 1))), ("flat", Flatten()), ("fc", Linear(mixed((12, 4), 3), mixed((4,), 4))),
])
X = mixed((3, 1, 5, 3), 5)


# ---- Network ----


def test_names_and_layers_are_in_order_from_the_lowest() -> None:
    assert NETWORK.names == ("conv1", "relu1", "pool1", "flat", "fc") and len(NETWORK) == 5
    assert [name for name, layer in NETWORK] == list(NETWORK.names)
    assert NETWORK["pool1"] is dict(NETWORK)["pool1"] and isinstance(NETWORK["pool1"], MaxPool)


def test_a_slice_is_a_network_and_chains_to_the_whole() -> None:
    for i in range(1, 5):
        lower, upper = NETWORK[:i], NETWORK[i:]
        assert isinstance(upper, Network) and lower.names + upper.names == NETWORK.names
        assert upper["fc"] is NETWORK["fc"] and (upper(lower(X)) == NETWORK(X)).all()
    assert NETWORK[-1:].names == ("fc",) and NETWORK[1:3].names == ("relu1", "pool1")


def test_activations_are_the_input_and_every_output() -> None:
    xs = NETWORK.activations(X)
    assert list(xs) == ["input", *NETWORK.names] and xs["input"] is X
    for (name, layer), x in zip(NETWORK, xs.values()):
        assert (layer(x) == xs[name]).all(), name
    assert (NETWORK(X) == xs["fc"]).all()


def test_a_number_is_no_input() -> None:
    for x in (F(1, 3), np.array(F(1, 3)), np.array(0.5)):
        with refused("got a number as an input, needed a batch (N, ...)"):
            Network([("relu", ReLU())])(x)


def test_no_image_at_all_is_no_input_whatever_the_layers_say_of_nothing() -> None:
    for example in LAYERS.values():
        none = example.x(1)[:0]
        with refused(f"got an input of shape {none.shape}, needed a batch (N, ...) of at least one: x[None]?"):
            Network([("layer", example.layer)])(none)


def test_shapes_are_those_of_the_activations_without_computing_them() -> None:
    assert NETWORK.shapes(X.shape) == {name: x.shape for name, x in NETWORK.activations(X).items()}
    shapes = NETWORK.shapes((7, 1, 5, 3))
    assert shapes["conv1"] == shapes["relu1"] == (7, 2, 4, 3)
    for example in LAYERS.values():
        layer, x = example.at(np.float64)
        assert layer.output_shape(x.shape) == layer(x).shape


def test_watch_hears_every_name_as_its_turn_comes() -> None:
    heard: list[str] = []
    NETWORK.activations(X, heard.append)
    assert heard == list(NETWORK.names)
    explain(NETWORK, X, watch=heard.append)
    assert heard == [*NETWORK.names, *NETWORK.names, *NETWORK.names[::-1]]


@pytest.mark.parametrize("number", [np.float32, np.float64, F, Decimal])
def test_astype_converts_every_array_and_changes_nothing_else(number: type) -> None:
    network = NETWORK.astype(number)
    assert network.number is number and network.names == NETWORK.names and network["relu1"] is NETWORK["relu1"]
    for (_, got), (_, wanted) in zip(network, NETWORK):
        assert got.arrays().keys() == wanted.arrays().keys()
        assert all(types_in(array) == {number} for array in got.arrays().values())
    conv1: Any = network["conv1"]
    assert conv1.pad == (0, 1) and conv1.weight.shape == (2, 1, 2, 3)
    # the weights are quarters, so every number type holds them
    assert network["fc"].arrays()["weight"].tolist() == NETWORK["fc"].arrays()["weight"].tolist()


def test_a_float_network_becomes_exactly_the_fractions_its_floats_are() -> None:
    network = Network([("fc", Linear(np.array([[0.1], [1 / 3]]), np.array([-0.7])))]).astype(F)
    assert network(fractions(["1 0"])).item() == F(0.1) + F(-0.7)
    assert network["fc"].arrays()["weight"][1, 0] == F(1 / 3)


def test_a_network_without_weights_has_no_number_type_and_takes_any() -> None:
    network = Network([("relu", ReLU()), ("pool", SumPool(1))])
    assert network.number is None
    for number in (np.float32, F, Decimal):
        assert types_in(network(mixed((1, 2, 2, 2), 1, number))) == {number}


def test_a_network_has_layers() -> None:
    for layers in ([], NETWORK.layers[5:]):
        with refused("Network got no layers, needed at least one"):
            Network(layers)


@pytest.mark.parametrize(("pair", "got"), [
    (("flat", Epsilon()), r"('flat', Epsilon(epsilon=0))"), ((1, ReLU()), "(1, ReLU())"), (ReLU(), "ReLU()"),
    (("relu", ReLU), "('relu', <class 'lrp_ref.layers.elementwise.ReLU'>)"),
    (("relu", ReLU(), 3), "('relu', ReLU(), 3)"),
], ids=["a rule", "a number", "no name", "a type", "a triple"])
def test_layers_come_in_pairs_with_names(pair: Any, got: str) -> None:
    text = f"Network got {got}, needed pairs of a name and a layer, or triples with the name or names that it reads"
    with refused(text):
        Network([("first", ReLU()), pair])


def test_every_layer_has_a_name_of_its_own() -> None:
    with refused("Network got two tensors named a, c: give every layer a name of its own, and none of them 'input'"):
        Network([(name, ReLU()) for name in "cabac"])


def test_weights_of_several_number_types_are_refused() -> None:
    with refused("Network got weights of several number types (float32 in a, float64 in b), "
                 "needed one: use layer.astype"):
        Network([("a", Linear(np.ones((2, 2), np.float32))), ("r", ReLU()), ("b", Linear(np.ones((2, 2))))])


@pytest.mark.parametrize(("name", "hint"), [("convl", "did you mean 'conv1'? "), ("Relu1", "did you mean 'relu1'? "),
                                            ("xyz", ""), (0, "")])
def test_an_unknown_name_suggests_the_nearest(name: Any, hint: str) -> None:
    text = (f"got the layer name {name!r}, which the network does not have: {hint}its layers are "
            "conv1, relu1, pool1, flat, fc")
    with refused(text):
        NETWORK[name]


def test_an_error_in_a_layer_names_it() -> None:
    with refused("layer conv1: Conv2D got an input of shape (1, 3, 5, 3), but weight …"):
        NETWORK(mixed((1, 3, 5, 3), 1))
    with refused("layer fc: Linear got an input of shape (1, 18), but weight (12, 4) needs…"):
        NETWORK(mixed((1, 1, 7, 3), 1))
    with refused("layer fc: Linear got an input of shape (1, 18), but weight (12, 4) needs…"):
        NETWORK.shapes((1, 1, 7, 3))
    with refused("layer conv1: Conv2D got an image of 1 x 3 …needs at least 2 x 1: use a larger…"):
        NETWORK.shapes((1, 1, 1, 3))


# ---- receptive_field ----


@law("receptive fields")
def test_a_receptive_field_is_where_relevance_goes(claim: Claim) -> None:
    assert_holds(claim)


def test_a_receptive_field_grows_by_extents_and_steps_by_strides() -> None:
    network = Network([
        ("conv1", Conv2D(np.ones((1, 1, 5, 3)), stride=(2, 1), pad=(2, 0))), ("relu1", ReLU()),
        ("pool1", MaxPool((3, 2), (1, 2), (1, 0))), ("norm1", LRN(3, 1, 1, 1)),
        ("conv2", Conv2D(np.ones((1, 1, 2, 2)), dilation=(3, 2))), ("flat", Flatten()), ("tanh", Tanh()),
    ])
    first = ReceptiveField(size=(5, 3), step=(2, 1), start=(-2, 0))
    assert receptive_field(network, "conv1") == first == receptive_field(network, "relu1")
    # rows: 5 + 2 * 2, step 2, start -2 - 1 * 2; columns: 3 + 1, step 2
    second = ReceptiveField(size=(9, 4), step=(2, 2), start=(-4, 0))
    assert receptive_field(network, "pool1") == second == receptive_field(network, "norm1")
    # rows: extent 4, 9 + 3 * 2; columns: extent 3, 4 + 2 * 2
    assert receptive_field(network, "conv2") == ReceptiveField(size=(15, 8), step=(2, 2), start=(-4, 0))


def test_a_first_layer_without_windows_sees_one_pixel() -> None:
    assert receptive_field(Network([("relu", ReLU())]), "relu") == ReceptiveField((1, 1), (1, 1), (0, 0))


@pytest.mark.parametrize("layer", [
    Linear(np.ones((2, 2))), SpreadLinear(np.ones((2, 2))), AdaptiveAvgPool(2), DenseSift((2, 3), 1), PMeans(2),
    FisherVector(np.ones(1), np.ones((1, 2)), np.ones((1, 2))),
    IntersectionSVM(np.ones((3, 2)), np.ones((1, 3)), np.ones(1)),
], ids=lambda layer: type(layer).__name__)
def test_layers_that_see_the_whole_image_have_no_receptive_field_nor_those_above(layer: Any) -> None:
    network = Network([("pool", SumPool(2)), ("all", layer), ("relu", ReLU()), ("max", MaxPool(2))])
    assert receptive_field(network, "pool") == ReceptiveField((2, 2), (2, 2), (0, 0))
    assert all(receptive_field(network, name) is None for name in ("all", "relu", "max"))


def test_flatten_changes_the_order_of_units_and_not_what_they_see() -> None:
    network = Network([("pool", MaxPool(3, 2)), ("flat", Flatten()), ("relu", ReLU())])
    assert receptive_field(network, "pool") == receptive_field(network, "flat") == receptive_field(network, "relu")


def test_the_receptive_field_of_an_unknown_layer_suggests_the_nearest() -> None:
    with refused("got the layer name 'pool', …did you mean 'pool1'?…"):
        receptive_field(NETWORK, "pool")


@st.composite
def windowed_networks(draw: Any) -> Network:
    """One to three windowed layers, a gate between them."""
    def two(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))
    layers: list[Any] = []
    for n in range(draw(st.integers(1, 3))):
        size, stride = two(1, 3), two(1, 2)
        pad = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        layers.append((f"window{n}", draw(st.sampled_from([
            Conv2D(np.ones((1, 1, *size)), None, stride, pad, two(1, 2)), MaxPool(size, stride, pad, ceil=True),
            AvgPool(size, stride, pad, count_pad=False), SumPool(size, stride)]))))
        layers.append((f"relu{n}", ReLU()))
    return Network(layers)


@given(windowed_networks(), st.integers(0, 4), st.integers(0, 4), st.data())
def test_the_receptive_field_is_where_flat_hands_relevance(network: Network, more: int, yet: int, data: Any) -> None:
    field = receptive_field(network, network.names[-1])
    assert field is not None
    height, width = field.size[0] + more, field.size[1] + yet
    rows, columns = network.shapes((1, 1, height, width))[network.output][2:]
    v, u = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    R = np.zeros((1, 1, rows, columns))
    R[0, 0, v, u] = 1
    e = explain(network, np.ones((1, 1, height, width)), {name: Flat() for name in network.names}, R)
    seen = e.relevance[0, 0] > 0
    for axis, n, at in ((0, height, v), (1, width, u)):
        first = at * field.step[axis] + field.start[axis]
        here = np.flatnonzero(seen.any(axis=1 - axis))
        # the first and last pixel reached; those between may be skipped by a dilation or a stride
        inside = max(0, first), min(n, first + field.size[axis])
        assert inside[0] <= here[0] and here[-1] < inside[1]
        if first >= 0 and first + field.size[axis] <= n and not clipped(network, (height, width), (v, u), axis):
            assert (here[0], here[-1] + 1) == inside
    if np.prod(field.step) == 1 and not any(getattr(layer, "dilation", (1, 1)) != (1, 1) for _, layer in network):
        assert seen.sum() <= field.size[0] * field.size[1]


def clipped(network: Network, image: tuple[int, int], unit: tuple[int, int], axis: int) -> bool:
    """Whether some window on the way down from the unit hangs over its own layer's border."""
    shapes = network.shapes((1, 1, *image))
    low = high = unit[axis]
    for (_, layer), below in reversed(list(zip(network, shapes.values()))):
        if hasattr(layer, "window"):
            window, n = layer.window, below[2 + axis]
            low = low * window.stride[axis] - window.before[axis]
            high = high * window.stride[axis] - window.before[axis] + window.extent[axis] - 1
            if low < 0 or high >= n:
                return True
    return False
