"""Faults that are no convention, seen from a whole answer."""

from typing import Any

import numpy as np
import pytest

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Flat, Flatten, Linear, Network, Pass, ReLU, ZPlus
from lrp_ref.arrays import Array
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule
from lrp_ref.testing.faults import at_a_glance, rounded_to_float32
from lrp_ref.testing.task import Task

RIGHT = np.arange(1.0, 25.0).reshape(2, 2, 2, 3) / 7
SQUARE = np.arange(1.0, 19.0).reshape(2, 1, 3, 3) / 7


@pytest.mark.parametrize(("got", "said"), [
    (0 * RIGHT, "nothing were handed down: all relevance is 0"),
    (RIGHT[::-1], "samples were in the opposite order"),
    (RIGHT[:, ::-1], "channels were in the opposite order"),
    (RIGHT[:, :, ::-1], "the image were upside down"),
    (RIGHT[..., ::-1], "the image were mirrored"),
    (np.swapaxes(RIGHT, 2, 3).reshape(RIGHT.shape), "rows and columns of the image were swapped"),
    (RIGHT / 2, "relevance were divided by the number of samples"),
    (RIGHT / 3, ""), (RIGHT + 1, ""), (RIGHT, "")])
def test_an_answer_is_seen_to_be_elsewhere(got: Array, said: str) -> None:
    assert at_a_glance(got, RIGHT) == said


def test_square_images_are_swapped_too() -> None:
    assert at_a_glance(np.swapaxes(SQUARE, 2, 3), SQUARE) == "rows and columns of the image were swapped"


def test_numbers_that_are_not_finite_are_counted() -> None:
    got = RIGHT.copy()
    got[0, 1, 0, 2], got[1, 0, 1, 1] = np.nan, np.inf
    said = "something were divided by 0: 2 of 24 numbers are not finite"
    assert at_a_glance(got, RIGHT) == f"{said}, and the others are right" and at_a_glance(2 * got, RIGHT) == said


def test_float32_is_known_by_its_digits_unless_the_right_ones_have_no_more() -> None:
    single = np.float32(RIGHT).astype(np.float64)
    assert rounded_to_float32(single, RIGHT) and not rounded_to_float32(RIGHT, RIGHT)
    assert not rounded_to_float32(7 * RIGHT, 7 * RIGHT) and not rounded_to_float32(single + 1, RIGHT)


# ---- Through networks ----


NETWORK = Network([("conv", Conv2D(np.arange(1.0, 13.0).reshape(2, 1, 2, 3) / 3, np.array([-3.5, 2.0]))),
                   ("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(np.arange(-5.0, 7.0).reshape(4, 3) / 5))])
RULES: dict[str, Rule] = {"conv": ZPlus(), "relu": Pass(), "flat": Pass(), "fc": Epsilon(0.25)}
X = np.array([[1.0, -2, 3, 1], [2, 1, -1, 0]]).reshape(1, 1, 2, 4)[..., [0, 1, 2, 3]]


def looks(got: Array, network: Network = NETWORK, rules: dict[str, Rule] = RULES) -> str:
    return Task.of(network, X, rules, network(X), 2.0**-53, None).hint((), got)


def test_the_gradient_times_the_input_is_known_through_several_layers() -> None:
    gradient = X * central_difference(lambda x: (NETWORK(x) * NETWORK(X)).sum())
    assert looks(gradient) == "it looks as if relevance were the gradient times the input"


def test_of_several_ways_to_do_what_one_sentence_says_each_is_tried_through_a_network() -> None:
    weights = [np.array([[1.1, 2.3, 0.7], [-0.003, 1.9, -0.0007]]), np.array([[1.3], [-0.0011], [0.9]])]
    network = Network([(f"fc{n}", Linear(w)) for n, w in enumerate(weights)])
    rules, x = dict.fromkeys(network.names, AlphaBeta(2, 1)), np.array([[1.7, 2.9]])
    R = network(x)
    for a, w in ((x @ weights[0], weights[1]), (x, weights[0])):   # z- is the difference of float32's z and z+
        z, plus = a @ w, a @ np.maximum(w, 0)
        minus = (z.astype(np.float32) - plus.astype(np.float32)).astype(np.float64)
        shares = 2 * R / plus, -R / np.where(minus, minus, 1) * (minus != 0)
        R = a * (shares[0] @ np.maximum(w, 0).T + shares[1] @ np.minimum(w, 0).T)
    found = Task.of(network, x, rules, network(x), 2.0**-53, None).looks_like(None, R)
    assert found is not None and (found.looks, found.layers) == ("z- were computed as z - z+", ("fc0", "fc1"))
    assert str(found) == "z- were computed as z - z+, at fc0, fc1"


def central_difference(f: Any) -> Array:
    """df/dx of a function that is linear near X: exact but for rounding."""
    out = np.zeros_like(X)
    for index in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[index] = 2.0**-10
        out[index] = (f(X + step) - f(X - step)) / 2.0**-9
    return out


def test_a_cut_off_that_reaches_too_high_is_named_by_what_it_took() -> None:
    rules: dict[str, Rule] = {**RULES, "conv": Flat(), "relu": Flat()}
    high: dict[str, Rule] = {**rules, "flat": Flat(), "fc": Flat()}
    assert looks(through_network(NETWORK, high, X, NETWORK(X))["input"], rules=rules) == (
        "it looks as if the cut-off included flat, fc")


def test_one_layer_less_precise_than_said() -> None:
    """R over z in float32, the product in float64: no digit of the answer tells."""
    layer = Linear(np.array([[3.0, 1.0], [1.0, 5.0]]))
    x, R = np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])
    network = Network([("fc", layer)])
    s = np.float32(R / layer(x)).astype(np.float64)
    got = x * (s @ layer.weight.T)
    task = Task.of(network, x, {"fc": Epsilon(0)}, R, 2.0**-53, None)
    assert str(task.looks_like("fc", got * (1 + 1e-14))) == "it were computed in float32"
    assert task.looks_like("fc", through_network(network, {"fc": Epsilon(0)}, x, R)["input"] * (1 + 1e-12)) is None
