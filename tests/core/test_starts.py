"""What relevance begins with: one class, a difference, the gradient of a probability, any array at any tensor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, refused

from lrp_ref import (
    Add,
    Epsilon,
    Linear,
    Network,
    ReLU,
    explain,
    logit_difference,
    of_probabilities,
    one_hot,
    softmax_gradient,
)

SCORES = fractions(["1 -5 2", "4 3 -6"])


def test_one_at_the_target_or_at_the_top() -> None:
    assert one_hot(1)(SCORES).tolist() == [[0, 1, 0], [0, 1, 0]] == one_hot([1, 1])(SCORES).tolist()
    assert one_hot()(SCORES).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_the_difference_of_two_scores() -> None:
    assert logit_difference(0, 2)(SCORES).tolist() == [[1, 0, -2], [4, 0, 6]]
    assert logit_difference([1, 0], 2)(SCORES).tolist() == [[0, -5, -2], [4, 0, 6]]
    assert logit_difference(2, [0, 1])(SCORES).tolist() == [[-1, 0, 2], [0, -3, -6]]


def test_the_gradient_of_a_probability_by_hand() -> None:
    # p = (1/2, 1/3, 1/6): p_1 (1 - p_1) = 1/4, -p_1 p_2 = -1/6, -p_1 p_3 = -1/12
    p = fractions(["1/2 1/3 1/6"])
    assert of_probabilities(p, 0).tolist() == [[F(1, 4), F(-1, 6), F(-1, 12)]] == of_probabilities(p).tolist()
    assert of_probabilities(p, 2).tolist() == [[F(-1, 12), F(-1, 18), F(5, 36)]]
    assert softmax_gradient(1)(fractions(["7 7 7 7"])).tolist() == [[F(-1, 16), F(3, 16), F(-1, 16), F(-1, 16)]]


def test_it_is_the_derivative_of_the_softmax() -> None:
    z, h = np.array([[0.5, -1.0, 2.0]]), 2.0**-17

    def p(z: Any) -> Any:
        return np.exp(z[0, 0]) / np.exp(z).sum()

    slopes = [(p(z + h * np.eye(3)[n]) - p(z - h * np.eye(3)[n])) / (2 * h) for n in range(3)]
    # h^2 times a third derivative below 1, and 2u / h
    assert np.allclose(softmax_gradient(0)(z)[0], slopes, rtol=0, atol=1e-10)
    assert softmax_gradient(0)(z).sum() == pytest.approx(0, abs=2.0**-52)   # three roundings of numbers below 1/4
    assert np.isfinite(softmax_gradient(0)(np.array([[1e4, -1e4]]))).all()


def test_explain_takes_a_function_of_the_scores() -> None:
    network = Network([("fc", Linear(fractions(["1 2", "3 -1"])))])
    e = explain(network, fractions(["1 1"]), target=logit_difference(0, 1))   # z = (4, 1)
    assert e.start.tolist() == [[4, -1]] and e.relevance.tolist() == [[1 - 2, 3 + 1]]
    assert explain(network, fractions(["1 1"]), target=one_hot(1)).relevance.tolist() == [[2, -1]]


SKIP = Network([("fc", Linear(fractions(["1 0", "1 2"]))), ("relu", ReLU()), ("add", Add(), ("relu", "input")),
                ("top", Linear(fractions(["1", "-1"])))])
X = fractions(["1 2"])   # fc and relu (3, 4), add (4, 6), top -2


def test_relevance_may_begin_anywhere_and_the_ledger_balances() -> None:
    # relu gets 8: of its first unit 3, 1 and 2 to the inputs; of its second 5 to the second input
    e = explain(SKIP, X, target={"relu": fractions(["3 5"])})
    assert e.relevance.tolist() == [[1, 7]] and list(e.start) == ["relu"]
    assert not e.relevances["add"].any() and not e.ledger["top"].received.any()
    total = e.ledger.total()
    assert total["received"].tolist() == [8] == total["handed"].tolist()


def test_at_several_tensors_messages_are_added_to_what_begins_there() -> None:
    # add: (4, 6), to relu (3, 4) and to the input (1, 2); relu begins with (3, 5) more, the input with (10, 0)
    begin = {"add": fractions(["4 6"]), "relu": fractions(["3 5"]), "input": fractions(["10 0"])}
    e = explain(SKIP, X, target=begin)
    assert e.relevances["relu"].tolist() == [[6, 9]]
    assert e.relevance.tolist() == [[1 + 2 + 10, 2 + 4 + 9]]      # fc: 6 as 2 and 4, 9 to the second
    total = e.ledger.total()
    assert total["received"].tolist() == [28] == total["handed"].tolist()
    assert "28" in e.ledger.table().splitlines()[-1].split()
    assert begin["relu"].tolist() == [[3, 5]]                     # what was given is not written into


def test_it_is_what_a_network_of_the_layers_below_gives() -> None:
    R = fractions(["3 5"])
    below = explain(SKIP[:2], X, {"fc": Epsilon(1), "relu": Epsilon(0)}, R)
    e = explain(SKIP, X, dict.fromkeys(SKIP.names, Epsilon(0)) | {"fc": Epsilon(1)}, {"relu": R})
    assert e.relevance.tolist() == below.relevance.tolist()
    assert e.ledger["fc"].stabiliser.tolist() == below.ledger["fc"].stabiliser.tolist()


@pytest.mark.parametrize(("call", "text"), [
    (lambda: logit_difference(1, 1)(SCORES), "logit_difference got class 1 on both sides, needed two"),
    (lambda: one_hot(3)(SCORES), "got target 3, needed class indices from 0 to 2"),
    (lambda: one_hot("a")(SCORES), "got a target of shape () and type <U1, needed a class index, 2 indices, or …"),
    (lambda: one_hot(0)(SCORES[0]), "the scores have shape (3,), needed (N, classes) to choose a class: …"),
    (lambda: softmax_gradient(0)(SCORES), "Softmax has no exact form unless all scores are equal: …"),
    (lambda: of_probabilities([[np.inf, 1.0]]), "got probabilities with NaN or infinity, needed finite numbers"),
    (lambda: of_probabilities(np.zeros((0, 2)), 0), "the scores have shape (0, 2), needed (N, classes) …"),
    (lambda: of_probabilities(0.5), "the scores have shape (), needed (N, classes) to choose a class: …"),
    (lambda: of_probabilities([["a", "b"]]), "got numbers of type <U1, needed float32, …"),
    (lambda: explain(SKIP, X, target={"relu": [[1], [1, 2]]}), "got a list, which NumPy does not take, needed …"),
    (lambda: explain(SKIP, X, target={}), "got no relevance to begin with, needed {layer name: R}"),
    (lambda: explain(SKIP, X, target={"ad": X}), "got relevance to begin with at 'ad', which is no tensor: …"),
    (lambda: explain(SKIP, X, target={"top": X}), "got relevance of shape (1, 2) to begin with at top, needed (1, 1)"),
    (lambda: explain(SKIP, X, target={"relu": np.ones((1, 2))}),
     "got relevance at relu of float64, needed its object: use target.astype"),
    (lambda: explain(SKIP.astype(np.float64), np.ones((1, 2)), target={"relu": np.array([[np.nan, 1]])}),
     "got relevance at relu with NaN or infinity, needed finite relevance"),
])
def test_what_makes_no_sense_is_refused(call: Callable[[], Any], text: str) -> None:
    with refused(text):
        call()
