"""Windows mistaken in a known way: every map differs from the layer's where it says so, and only there."""

from typing import Any

import numpy as np
import pytest

from lrp_ref import AvgPool, Conv2D, Epsilon, Linear, MaxPool, Network
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule, WSquare
from lrp_ref.step import step
from lrp_ref.testing.looks_like import mistakes
from lrp_ref.testing.task import Task
from lrp_ref.testing.windows import other_windows

rng = np.random.default_rng(5)
GROUPED = Conv2D(rng.integers(1, 9, (4, 1, 2, 3)) + 0.0, np.ones(4), (2, 1), (1, 2), (1, 2), 2)
SQUARE = Conv2D(rng.integers(1, 9, (2, 3, 3, 3)) + 0.0, np.ones(2), 1, 1)
IMAGES = {2: rng.integers(1, 9, (2, 2, 6, 7)) + 0.0, 3: rng.integers(1, 9, (2, 3, 5, 4)) + 0.0}


def sentences(layer: Layer, x: Any) -> list[str]:
    return [sentence for sentence, _ in other_windows(layer.linearize(x)[1], x)]


def test_what_may_be_mistaken_is_what_the_layer_has() -> None:
    grouped, square = sentences(GROUPED, IMAGES[2]), sentences(SQUARE, IMAGES[3])
    for part in ("dilation", "groups were ignored", "the stride were (1, 2), not (2, 1)"):
        assert any(part in sentence for sentence in grouped) and not any(part in sentence for sentence in square), part
    paddings = {sentence for sentence in square if "padding" in sentence}
    assert len(paddings) == 8 and "backwards the padding were (2, 1), not (1, 1)" in paddings
    assert "backwards the padding were (0, 0), not (1, 1)" in square and "backwards the kernel were flipped" in square
    assert sentences(Linear(np.ones((3, 2))), np.ones((2, 3))) == []
    assert sentences(AvgPool(2), np.ones((1, 1, 4, 4)))[-1] == "backwards the stride were (1, 1), not (2, 2)"


@pytest.mark.parametrize(("layer", "x"), [(GROUPED, IMAGES[2]), (SQUARE, IMAGES[3]), (MaxPool(3, 2, 1), IMAGES[2])],
                         ids=["grouped", "square", "max-pooling"])
def test_every_one_changes_relevance_and_is_named_by_it(layer: Layer, x: Any) -> None:
    rule: Rule = WSquare()
    network = Network([("layer", layer)])
    a, m = layer.linearize(x)
    R = np.arange(1.0, 1 + m(a).size).reshape(m(a).shape)
    right = step(rule, m, a, R)[0]
    task = Task.of(network, x, {"layer": rule}, R, 2.0**-53, None)
    for sentence, other in other_windows(m, a):
        with np.errstate(all="ignore"):
            wrong = step(rule, other, a, R)[0]
        assert wrong.shape == x.shape, sentence
        assert abs(wrong - right).max() > 1, sentence    # R is 1 and more: far beyond rounding
        assert str(task.looks_like("layer", wrong)) == sentence


def test_backwards_alone_the_denominators_are_right() -> None:
    a, m = SQUARE.linearize(IMAGES[3])
    for sentence, other in other_windows(m, a):
        same = np.array_equal(other(a), m(a))
        assert same == sentence.startswith("backwards"), sentence


def test_the_padding_by_hand() -> None:
    """Weights 1 2, padding 1 on either side: relevance 1 of the third output goes to inputs 2 and 3, 1 : 2. With no
    padding backwards it would go to inputs 3 and 4, of which there are three."""
    layer = Conv2D(np.array([[[[1.0, 2.0]]]]), None, 1, (0, 1))
    x, R = np.ones((1, 1, 1, 3)), np.array([[[[0.0, 0, 3, 0]]]])
    a, m = layer.linearize(x)
    assert step(Epsilon(0), m, a, R)[0].ravel().tolist() == [0, 1, 2]
    [other] = [other for sentence, other in other_windows(m, a)
               if sentence == "backwards the padding were (0, 0), not (0, 1)"]
    assert step(Epsilon(0), other, a, R)[0].ravel().tolist() == [0, 0, 1]


def test_one_denominator_for_a_batch_is_an_alternative_of_batches_alone() -> None:
    a, m = Linear(np.array([[1.0], [2.0]])).linearize(np.array([[1.0, 1.0], [2.0, 1.0]]))
    shared = "all samples of the batch shared one denominator"
    [rule] = [found.rule for found in mistakes(Epsilon(0), m, a) if found.looks == shared]
    assert rule is not None
    assert step(rule, m, a, np.array([[7.0], [14.0]]))[0].tolist() == [[1, 2], [4, 4]]   # z = 3 + 4
    assert shared not in [found.looks for found in mistakes(Epsilon(0), m, a[:1])]
