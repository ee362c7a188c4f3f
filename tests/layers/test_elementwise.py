"""ReLU, Tanh, Flatten: gates in which every output has one input of its own."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused, types_in

from lrp_ref import Flatten, ReLU, Tanh


def test_relu_closes_its_gate_at_zero_and_below() -> None:
    x = fractions(["-2 0 3"])
    a, m = ReLU().linearize(x)
    assert ReLU()(x).tolist() == [[0, 0, 3]] and m.weight.tolist() == [[0, 0, 1]] and a is x


def test_relu_of_a_negative_zero_is_a_zero_with_a_closed_gate() -> None:
    x = np.array([[-0.0, 1e-320]])
    assert ReLU()(x).tolist() == [[0, 1e-320]] and ReLU().linearize(x)[1].weight.tolist() == [[0, 1]]


def test_tanh_is_its_gate_times_its_input_and_the_gate_is_one_at_zero() -> None:
    x = np.array([[-0.5, 0.0, 2.0]])
    assert Tanh()(x).tolist() == np.tanh(x).tolist()
    gate = Tanh().linearize(x)[1].weight
    assert gate.tolist() == [[np.tanh(-0.5) / -0.5, 1, np.tanh(2.0) / 2]]
    assert gate[0, 2] == pytest.approx(math.tanh(2) / 2, rel=4 * 2.0**-52, abs=0)   # two libraries' tanh: last places


@pytest.mark.parametrize("number", [F, Decimal])
def test_tanh_has_no_exact_form_and_says_so(number: type) -> None:
    x = mixed((1, 3), 1, number)
    for use in (Tanh(), Tanh().linearize):
        with refused("Tanh has no exact form: use float64, or take its map in floats…"):
            use(x)


def test_flatten_counts_along_columns_then_rows_then_channels() -> None:
    x = np.concatenate([image("1 2 3, 4 5 6", "7 8 9, 10 11 12"), image("0 0 1, 0 0 0", "2 0 0, 0 0 3")])
    assert Flatten()(x).tolist() == [list(range(1, 13)), [0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 3]]
    assert Flatten().output_shape((5, 2, 3, 4)) == (5, 24) == (5, *Flatten().output_shape((7, 24))[1:])


def test_flatten_hands_back_in_the_shape_it_was_given() -> None:
    x = image("1 2 3, 4 5 6", "7 8 9, 10 11 12")
    m = Flatten().linearize(x)[1]
    s = fractions([list(range(12))])
    assert m.transpose(s, lambda w: 3 * w, x.shape).tolist() == image("0 3 6, 9 12 15", "18 21 24, 27 30 33").tolist()


@pytest.mark.parametrize("layer", [ReLU(), Tanh(), Flatten()], ids=lambda layer: type(layer).__name__)
def test_gates_of_the_image_are_gates_that_nobody_learned(layer: Any) -> None:
    x = mixed((2, 3, 2, 2), 1, np.float64)
    a, m = layer.linearize(x)
    assert m.gate and not m.learned and not m.bias.any()
    assert layer(x).shape == layer.output_shape(x.shape) == m(a).shape


@pytest.mark.parametrize("number", [np.float32, np.float64, F, Decimal])
def test_gates_keep_the_number_type(number: type) -> None:
    x = mixed((2, 3, 2, 2), 1, number)
    for layer in (ReLU(), Flatten(), *([Tanh()] if number in (np.float32, np.float64) else [])):
        m = layer.linearize(x)[1]
        assert types_in(layer(x)) == types_in(m.weight) == types_in(m.bias) == {number}
