"""The fully connected layer: weight[i, j], on the last axis."""

from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, refused

from lrp_ref import Linear
from lrp_ref.arrays import positive, same
from lrp_ref.layers import linear

X = fractions(["2 -1 3"])
W = fractions(["1 0", "1/2 4", "-2 5"])


def test_weight_i_j_leads_from_input_i_to_output_j() -> None:
    # 2 - 1/2 - 6 + 1/3 and -4 + 15 - 7
    assert Linear(W, fractions("1/3 -7"))(X).tolist() == [[F(-25, 6), 4]]


def test_without_bias_nothing_is_added() -> None:
    assert Linear(W)(X).tolist() == [[F(-9, 2), 11]] and Linear(W).linearize(X)[1].bias.tolist() == [0]


def test_it_acts_on_the_last_axis_and_keeps_rows_apart() -> None:
    x = fractions(["1 2", "3 -4", "0 5"])[None]
    layer = Linear(fractions(["2 1 0", "-1 3 7"]), fractions("0 10 0"))
    # rows (1, 2), (3, -4), (0, 5) times columns (2, -1), (1, 3) + 10, (0, 7)
    assert layer(x).tolist() == [[[0, 17, 14], [10, 1, -28], [-5, 25, 35]]]
    assert layer.output_shape((4, 5, 2)) == (4, 5, 3)


def test_its_map_is_learned_covers_everything_and_mixes() -> None:
    a, m = Linear(W).linearize(X)
    assert a is X and m.learned and not m.gate


@pytest.mark.parametrize("block", [1, 2, 5, 6, 7])
def test_blocks_of_inputs_together_are_the_product(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x, s = Linear(mixed((5, 2), 1), mixed((2,), 2)), mixed((3, 5), 3), mixed((3, 2), 4)
    monkeypatch.setattr(linear, "BLOCK", block)
    _, m = layer.linearize(x)
    assert (m(x) == x @ layer.weight + layer.bias).all()
    for z, w in zip(m.apply_each(x, [positive, same]), [positive(layer.weight), layer.weight], strict=True):
        assert (z == x @ w).all()
    assert (m.apply(x, positive) == x @ positive(layer.weight)).all()
    wanted = s @ layer.weight.T + x[:, :2] @ positive(layer.weight).T
    assert (m.transpose_sum([s, x[:, :2]], [same, positive], x.shape) == wanted).all()


@pytest.mark.parametrize("shape", [(2,), (1, 2, 3), (0, 2), (2, 0), ()])
def test_a_weight_is_a_matrix_of_inputs_and_outputs(shape: tuple[int, ...]) -> None:
    text = f"Linear got a weight of shape {shape}, needed (I, J): inputs first"
    with refused(text):
        Linear(np.ones(shape))


@pytest.mark.parametrize("shape", [(3,), (2, 1), (1,), ()])
def test_a_bias_has_one_number_for_each_output(shape: tuple[int, ...]) -> None:
    text = f"Linear got bias of shape {shape}, needed (2,)"
    with refused(text):
        Linear(np.ones((3, 2)), np.ones(shape))


@pytest.mark.parametrize(("shape", "cure"), [
    ((1, 4), "transpose the weight to (inputs, outputs)?"), ((3,), "transpose the weight to (inputs, outputs)?"),
    ((1, 3, 2, 2), "put Flatten() before it"),
])
def test_an_input_has_as_many_numbers_as_the_weight_has_rows(shape: tuple[int, ...], cure: str) -> None:
    text = f"Linear got an input of shape {shape}, but weight (3, 2) needs (..., 3): {cure}"
    for use in (Linear(np.ones((3, 2))), Linear(np.ones((3, 2))).linearize):
        with refused(text):
            use(np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_weight_that_is_not_finite_is_refused_with_its_place(name: str, bad: float) -> None:
    arrays: dict[str, Any] = {"weight": np.ones((3, 2)), "bias": np.ones(2)}
    arrays[name][-1] = bad
    place = "(2, 0)" if name == "weight" else "(1,)"
    text = f"Linear {name} is {bad} at {place}, needed finite numbers: was training stable?"
    with refused(text):
        Linear(**arrays)


@pytest.mark.parametrize("weight", [np.ones((3, 2), int), [[1, 2]], np.ones((3, 2), bool), np.ones((3, 2), np.float16),
                                    np.array([[F(1), 2]], dtype=object), np.array([["1"]])])
def test_weights_of_integers_and_half_floats_are_refused_with_the_cure(weight: Any) -> None:
    with refused("Linear weight: got …, needed …; use x.astype(numpy.float64), or …"):
        Linear(weight)


def test_lists_of_floats_are_arrays() -> None:
    assert Linear([[1.5], [-2.0]])(np.array([[2.0, 1.0]])).tolist() == [[1]]


def test_layers_are_frozen_and_never_compare_by_their_arrays() -> None:
    layer = Linear(W)
    assert layer == layer and layer != Linear(W)
    with pytest.raises(AttributeError):
        layer.weight = W    # type: ignore[misc]
