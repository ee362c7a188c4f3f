"""BVLC reference CaffeNet at its real size, on weights that take no memory: shapes, parameters, what is refused."""

from typing import Any

import numpy as np
import pytest
from helpers import refused

from lrp_ref import LRN, Conv2D, Linear, MaxPool, ReceptiveField, caffenet, paper_cnn, receptive_field
from lrp_ref.arrays import Array

# name: weight; outputs first for convolutions, last for fully connected layers
WEIGHTS: dict[str, tuple[int, ...]] = {
    "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3), "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3), "fc6": (9216, 4096), "fc7": (4096, 4096), "fc8": (4096, 7),
}
SHAPES = {
    "conv1": (96, 55, 55), "relu1": (96, 55, 55), "pool1": (96, 27, 27), "norm1": (96, 27, 27),
    "conv2": (256, 27, 27), "relu2": (256, 27, 27), "pool2": (256, 13, 13), "norm2": (256, 13, 13),
    "conv3": (384, 13, 13), "relu3": (384, 13, 13), "conv4": (384, 13, 13), "relu4": (384, 13, 13),
    "conv5": (256, 13, 13), "relu5": (256, 13, 13), "pool5": (256, 6, 6), "flatten": (9216,),
    "fc6": (4096,), "relu6": (4096,), "fc7": (4096,), "relu7": (4096,), "fc8": (7,),
}


def given() -> dict[str, Array]:
    """Weights and biases of every layer, each one number seen at every index."""
    arrays: dict[str, Array] = {}
    for n, (name, shape) in enumerate(WEIGHTS.items(), 1):
        arrays[f"{name}.weight"] = np.broadcast_to(np.float32(n), shape)
        arrays[f"{name}.bias"] = np.broadcast_to(np.float32(-n), shape[:1] if len(shape) == 4 else shape[1:])
    return arrays


@pytest.fixture(scope="module")
def network() -> Any:
    return caffenet(7, given())


def test_every_layer_has_the_reference_networks_name_and_shape(network: Any) -> None:
    assert list(network.names) == list(SHAPES)
    shapes = {name: (2, *shape) for name, shape in SHAPES.items()}
    assert network.shapes((2, 3, 227, 227)) == {"input": (2, 3, 227, 227), **shapes}


def test_geometry_is_the_reference_networks(network: Any) -> None:
    convolutions = {name: (layer.stride, layer.pad, layer.dilation, layer.groups)
                    for name, layer in network if isinstance(layer, Conv2D)}
    assert convolutions == {
        "conv1": ((4, 4), (0, 0), (1, 1), 1), "conv2": ((1, 1), (2, 2), (1, 1), 2),
        "conv3": ((1, 1), (1, 1), (1, 1), 1),
        "conv4": ((1, 1), (1, 1), (1, 1), 2), "conv5": ((1, 1), (1, 1), (1, 1), 2)}
    for _, layer in network:
        if isinstance(layer, MaxPool):
            assert (layer.size, layer.stride, layer.pad, layer.ceil) == ((3, 3), (2, 2), (0, 0), True)
        if isinstance(layer, LRN):
            assert (layer.size, layer.alpha, layer.beta, layer.k, layer.taylor) == (5, 1e-4, 0.75, 1, False)


def test_the_top_pooling_sees_195_pixels_every_32(network: Any) -> None:
    assert receptive_field(network, "conv1") == ReceptiveField((11, 11), (4, 4), (0, 0))
    # 11, + 2 * 4, + 4 * 8, + 2 * 8, then three times + 2 * 16, + 2 * 16; starts -2 * 8 and three times -16
    assert receptive_field(network, "pool5") == ReceptiveField((195, 195), (32, 32), (-64, -64))
    assert receptive_field(network, "fc6") is None


def test_given_weights_are_the_ones_used(network: Any) -> None:
    for n, name in enumerate(WEIGHTS, 1):
        assert network[name].weight.shape == WEIGHTS[name] and network[name].weight.flat[0] == n
        assert network[name].bias.flat[0] == -n
    assert network.number is np.float32


def test_the_preset_gives_every_weighted_layer_alpha_beta(network: Any) -> None:
    rules = paper_cnn(network)
    assert {name for name, rule in rules.items() if repr(rule) == "AlphaBeta(alpha=2, beta=1)"} == set(WEIGHTS)


@pytest.mark.parametrize(("change", "message"), [
    ({"fc6.weight": (4096, 9216)}, "caffenet got shape (4096, 9216) for fc6.weight, needed (9216, 4096)"),
    ({"conv2.weight": (256, 96, 5, 5)}, "caffenet got shape (256, 96, 5, 5) for conv2.weight, needed (256, 48, 5, 5)"),
    ({"conv1.bias": None}, "caffenet got nothing for conv1.bias, needed (96,)"),
    ({"fc8.bias": (1000,)}, "caffenet got shape (1000,) for fc8.bias, needed (7,)"),
    ({"fc9.weight": (7, 7), "prob": (7,)}, "caffenet got weights it has no layer for: fc9.weight, prob"),
])
def test_wrong_missing_and_surplus_weights_are_refused(change: dict[str, Any], message: str) -> None:
    weights = {name: array for name, array in given().items() if change.get(name, ()) is not None}
    weights |= {name: np.zeros(shape) for name, shape in change.items() if shape is not None and np.prod(shape) < 1e6}
    weights |= {name: np.broadcast_to(0.0, shape) for name, shape in change.items() if shape and np.prod(shape) >= 1e6}
    kept = dict(weights)
    with refused(message):
        caffenet(7, weights)
    assert weights.keys() == kept.keys()


def test_weights_are_drawn_from_the_seed_as_wide_as_their_inputs_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    class Generator:
        """Draws that take no memory: the standard deviation, seen everywhere."""

        def __init__(self, seed: int) -> None:
            seeds.append(seed)

        def normal(self, mean: float, deviation: float, shape: tuple[int, ...]) -> Array:
            assert mean == 0
            return np.broadcast_to(np.float64(deviation), shape)

    seeds: list[int] = []
    monkeypatch.setattr(np.random, "default_rng", Generator)
    network = caffenet(seed=12)
    assert seeds == [12] and network.shapes((1, 3, 227, 227))[network.output] == (1, 20)
    for name, layer in network:
        if isinstance(layer, (Conv2D, Linear)):
            # He et al. 2015: a variance of 2 / inputs
            inputs = len(layer.weight) if isinstance(layer, Linear) else layer.weight[0].size
            assert layer.weight.flat[0] == (2 / inputs) ** 0.5, name
            assert abs(layer.bias.flat[0]) < layer.weight.flat[0]


@pytest.mark.parametrize(("shape", "message"), [
    ((1, 3, 10, 227), "layer conv1: Conv2D got an image of 10 x 227 … needs at least 11 x 11: use a larger image"),
    ((1, 3, 195, 195), "layer fc6: Linear got an input of shape (1, 6400), but weight (9216, 4096) needs…"),
    ((1, 1, 227, 227), "layer conv1: Conv2D got an input of shape (1, 1, 227, 227), … needs 3 channels…"),
])
def test_images_of_another_size_are_refused_by_the_layer_that_cannot_take_them(
        network: Any, shape: tuple[int, ...], message: str) -> None:
    with refused(message):
        network.shapes(shape)


@pytest.mark.parametrize("given", [
    {"classes": 10**9}, {"classes": 0}, {"classes": "20"}, {"classes": True}, {"weights": 3}, {"weights": [1]},
    {"weights": {"conv1.weight": None}}, {"weights": {"conv1.weight": [1, 2]}}, {"seed": -1}, {"seed": "a"},
], ids=str)
def test_what_caffenet_is_not_made_of_is_refused_before_there_is_room_for_it(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^caffenet got .*, needed "):
        caffenet(**given)
