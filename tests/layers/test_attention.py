"""Products of tensors, softmax, the norms of rows, tokens: worked out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, refused

from lrp_ref import (
    ClassToken,
    Embedding,
    Epsilon,
    Flat,
    LayerNorm,
    Linear,
    MatMul,
    Network,
    Pass,
    Reshape,
    RMSNorm,
    Rotary,
    Scale,
    Slice,
    Softmax,
    Transpose,
    assign,
    explain,
)


def of_one(layer: Any, x: Any, R: Any, rule: Any = None) -> Any:
    """Relevance and ledger of one layer, by its own rule."""
    e = explain(Network([("it", layer)]), x, {"it": rule} if rule else None, R)
    return e.relevance.tolist(), e.ledger["it"]


# ---- A product of two tensors ----

PAIR = Network([("a", Slice(1, 0, 2)), ("left", Reshape((1, 2))), ("b", Slice(1, 2), "input"),
                ("right", Reshape((2, 1))), ("av", MatMul((1, 2), (2, 1)), ("left", "right")), ("out", Reshape((1,)))])
AV = fractions(["1/4 3/4 4 8"])   # A = (1/4, 3/4), V = (4, 8), A V = 7


def with_shares(*shares: Any) -> Network:
    shared = MatMul((1, 2), (2, 1), np.array(shares, dtype=object))
    return PAIR.mapped(lambda name, layer: shared if name == "av" else layer)


def test_both_factors_have_half_of_every_product() -> None:
    e = explain(PAIR, AV, target=fractions(["7"]))
    assert e.scores.tolist() == [[7]] and e.relevance.tolist() == [[F(1, 2), 3, F(1, 2), 3]]


@pytest.mark.parametrize(("shares", "received"), [((0, 1), [0, 0, 1, 6]), ((1, 0), [1, 6, 0, 0]),
                                                  ((F(1, 4), F(3, 4)), [F(1, 4), F(3, 2), F(3, 4), F(9, 2)])])
def test_or_what_they_are_given(shares: Any, received: Any) -> None:
    network = with_shares(*map(F, shares))
    assert explain(network, AV, target=fractions(["7"])).relevance.tolist() == [received]


def test_a_factor_without_a_share_is_not_covered() -> None:
    flat = assign(with_shares(F(0), F(1)), by_name={"av": Flat()})
    assert explain(with_shares(F(0), F(1)), AV, flat, fractions(["7"])).relevance.tolist() == [[0, 0, F(7, 2), F(7, 2)]]
    flat = assign(PAIR, by_name={"av": Flat()})
    assert explain(PAIR, AV, flat, fractions(["8"])).relevance.tolist() == [[2, 2, 2, 2]]


def test_heads_are_multiplied_each_by_itself() -> None:
    layer, x = MatMul((2, 1, 3), (2, 3, 2)), mixed((2, 18), 4)
    a, b = layer.parts(x)
    assert layer(x).tolist() == [[[[sum(a[n, h, 0, s] * b[n, h, s, d] for s in range(3)) for d in range(2)]]
                                  for h in range(2)] for n in range(2)]


# ---- Softmax ----

@pytest.mark.parametrize("c", [F(1), F(3)])
def test_softmax_of_equal_scores_makes_relevance_of_a_difference(c: Any) -> None:
    x = np.array([[c, c]], dtype=object)
    received, account = of_one(Softmax(), x, fractions(["1 0"]))
    assert received == [[c / 2, -c / 2]] and account.bias.sum() == 1 and account.dead.sum() == 0


def test_softmax_is_its_proposition() -> None:
    x, R = np.array([[0.5, -1.0, 2.0, 0.0]]), np.array([[1.0, 3.0, -2.0, 0.5]])
    s = np.exp(x) / np.exp(x).sum()
    received, account = of_one(Softmax(), x, R)
    assert np.allclose(received, x * (R - s * R.sum()), rtol=1e-14, atol=1e-15)   # a dozen roundings of numbers up to 4
    bias = account.received - account.handed
    assert np.allclose(account.bias, bias, rtol=1e-13, atol=1e-14)


def test_what_a_mask_hides_is_not_covered_and_changes_nothing() -> None:
    mask = np.array([1.0, 0.0, 1.0])
    for hidden in (0.0, 50.0, 800.0):
        x, R = np.array([[0.5, hidden, 2.0]]), np.array([[1.0, 7.0, -2.0]])
        z = Softmax(mask)(x)
        assert z[0, 1] == 0 and z.sum() == pytest.approx(1, rel=2.0**-52, abs=0)   # a quotient each, and a sum
        alone = explain(Network([("it", Softmax())]), x[:, [0, 2]], target=R[:, [0, 2]]).relevance
        masked = explain(Network([("it", Softmax(mask))]), x, target=R).relevance
        assert (masked[:, [0, 2]] == alone).all() and masked[0, 1] == 0
        assert explain(Network([("it", Softmax(mask))]), x, {"it": Flat()}, R).relevance.tolist() == [[-0.5, 0, -0.5]]


def test_large_scores_do_not_overflow() -> None:
    assert Softmax()(np.array([[1e4, 1e4, -1e4]])).tolist() == [[0.5, 0.5, 0]]


# ---- Norms of rows ----

TWO = LayerNorm(fractions("2 2"), fractions("1 1"), epsilon=0)


def test_layer_norm_by_hand() -> None:
    # x = (1, 3): mean 2, deviation 1, z = 2 (-1, 1) + 1 = (-1, 3); of 3: w = 2 (-1/2, 1/2), 1 (-1) and 3 (1), bias 1
    received, account = of_one(TWO, fractions(["1 3"]), fractions(["0 3"]))
    assert TWO(fractions(["1 3"])).tolist() == [[-1, 3]]
    assert received == [[-1, 3]] and account.bias.tolist() == [[0, 1]]


@pytest.mark.parametrize(("x", "received"), [
    ("1 3", [F(-1, 2), F(3, 2)]), ("0 2", [0, 1]), ("-1 1", [F(1, 2), F(1, 2)])])
def test_relevance_of_a_layer_norm_depends_on_a_shift_that_its_output_does_not(x: str, received: Any) -> None:
    layer = LayerNorm(epsilon=0)
    assert layer(fractions([x])).tolist() == [[-1, 1]]
    assert of_one(layer, fractions([x]), fractions(["0 1"]))[0] == [received]


def test_rms_norm_by_hand_passes_relevance_on() -> None:
    x = fractions(["1 7"])   # (1 + 49) / 2 = 25
    layer = RMSNorm(fractions("3 -5"), epsilon=0)
    assert layer(x).tolist() == [[F(3, 5), -7]] and of_one(layer, x, fractions(["2 4"]))[0] == [[2, 4]]
    assert of_one(layer, x, fractions(["2 4"]), Epsilon(1))[0] == [[F(3, 4), F(7, 2)]]   # 3/5 of 8/5, 7 of 8


# ---- Tokens ----

def test_a_tokens_relevance_is_the_sum_over_its_row() -> None:
    layer, x = Embedding(fractions(["1 2 0", "-1 3 5"])), fractions(["1 0 1 1"])
    assert layer(x)[0, 0].tolist() == [-1, 3, 5]
    received, account = of_one(layer, x, mixed((1, 4, 3), 3))
    assert received == mixed((1, 4, 3), 3).sum(axis=2).tolist() and not account.dead.any()
    assert of_one(layer, x, layer(x), Epsilon(0))[0] == [[7, 3, 7, 7]]   # where a row has a 0, nothing stood there


def test_a_class_token_has_no_input() -> None:
    layer, x = ClassToken(fractions("1/2 -3")), fractions(["1 2", "3 4"])[None]
    assert layer(x).tolist() == [[[F(1, 2), -3], [1, 2], [3, 4]]]
    R = mixed((1, 3, 2), 5) + 7
    received, account = of_one(layer, x, R)
    assert received == R[:, 1:].tolist() and account.dead.sum() == R[:, 0].sum()
    assert of_one(layer, x, R, Epsilon(0))[1].bias.sum() == R[:, 0].sum()


def test_a_rotation_mixes_the_halves() -> None:
    layer, x = Rotary(fractions(["3/5"]), fractions(["4/5"])), fractions(["5 10"])[None]
    assert layer(x).tolist() == [[[-5, 10]]]                                      # 3 - 8, 4 + 6
    assert of_one(layer, x, fractions(["5 10"])[None])[0] == [[[-3 + 4, 8 + 6]]]  # 3 / -5 and 4 / 10 of them


def test_attention_as_a_graph() -> None:
    rng = np.random.default_rng(3)
    weights = {name: Linear(rng.normal(size=(4, 4)), rng.normal(size=4)) for name in ("q", "k", "v")}
    network = Network([
        *((name, layer, "input") for name, layer in weights.items()),
        *((f"{name}.heads", Reshape((3, 2, 2)), name) for name in weights),
        ("q.t", Transpose((0, 2, 1, 3)), "q.heads"), ("k.t", Transpose((0, 2, 3, 1)), "k.heads"),
        ("v.t", Transpose((0, 2, 1, 3)), "v.heads"),
        ("scores", MatMul((2, 3, 2), (2, 2, 3)), ("q.t", "k.t")), ("weights", Softmax()),
        ("read", MatMul((2, 3, 3), (2, 3, 2)), ("weights", "v.t")), ("back", Transpose((0, 2, 1, 3))),
        ("out", Reshape((3, 4)))])
    x = rng.normal(size=(2, 3, 4))
    q, k, v = (weights[name](x).reshape(2, 3, 2, 2).transpose(0, 2, 1, 3) for name in "qkv")
    scores = q @ k.transpose(0, 1, 3, 2)
    power = np.exp(scores)
    wanted = (power / power.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(2, 3, 4)
    assert np.allclose(network(x), wanted, rtol=1e-13, atol=1e-14)   # a dozen roundings of numbers of about 1
    e = explain(network, x, target=wanted)
    total = e.ledger.total()
    assert np.allclose(total["received"], sum(total[c] for c in ("handed", "bias", "stabiliser", "dead")),
                       rtol=1e-9, atol=0)   # sums of a hundred numbers of both signs, from quotients by small sums


@pytest.mark.parametrize(("make", "text"), [
    (lambda: MatMul((2, 3), (4, 2)), "MatMul got left=(2, 3) and right=(4, 2), needed (.., T, S) and (.., S, D)"),
    (lambda: MatMul(3, (3, 2)), "MatMul got left=3, needed a shape (.., rows, columns) without the batch"),
    (lambda: MatMul((1, 2), (2, 1), np.array([1.0, 1.0])), "MatMul got shares …, needed two numbers that sum to 1"),
    (lambda: MatMul((1, 2), (2, 1)).join(np.ones((1, 1, 2)), np.ones((1, 3, 1))),
     "MatMul got tensors of shapes (1, 1, 2) and (1, 3, 1), needed (N, 1, 2) and (N, 2, 1)"),
    (lambda: MatMul((1, 2), (2, 1))(np.ones((1, 5))),
     "MatMul got an input of shape (1, 5), needed two tensors joined to (N, 4)"),
    (lambda: Softmax(np.array([[1.0, 0], [0, 0]])),
     "Softmax got a mask that leaves out all of row (1,), needed one score …"),
    (lambda: Softmax(np.array([0.5, 1])), "Softmax got a mask of shape (2,), needed 0 and 1 for every score of a row"),
    (lambda: Softmax(np.array([1.0, 1, 0]))(np.ones((1, 2))),
     "Softmax got an input of shape (1, 2) and a mask of shape (3,)…"),
    (lambda: Softmax()(fractions(["1 2"])), "Softmax has no exact form unless all scores are equal: …"),
    (lambda: LayerNorm()(np.ones((2, 1))),
     "LayerNorm got an input of shape (2, 1), needed (N, .., D) with at least two …"),
    (lambda: LayerNorm(epsilon=0)(np.ones((2, 3))),
     "LayerNorm got a row without spread, and epsilon=0: use a small epsilon"),
    (lambda: LayerNorm(np.ones(2), np.ones(3)),
     "LayerNorm got a scale of shape (2,) and a shift of shape (3,), needed …"),
    (lambda: LayerNorm(epsilon=0)(fractions(["1 2 3"])),
     "LayerNorm has no exact form here: the square root of 2/3 is no …"),
    (lambda: RMSNorm(np.ones(3))(np.ones((2, 4))),
     "RMSNorm got an input of shape (2, 4), needed (N, .., 3) with at least …"),
    (lambda: RMSNorm(epsilon=-1), "RMSNorm got epsilon=-1, needed a number of at least 0"),
    (lambda: Embedding(np.ones((5, 2)))(np.array([[0.0, 5.0]])),
     "Embedding got the token id 5.0 at (0, 1), needed whole …"),
    (lambda: Embedding(np.ones((5, 2)))(np.array([[0.5]])),
     "Embedding got the token id 0.5 at (0, 0), needed whole numbers …"),
    (lambda: ClassToken(np.ones(2))(np.ones((1, 3, 4))),
     "ClassToken got an input of shape (1, 3, 4), needed (N, T, 2)"),
    (lambda: Scale(None, np.ones((5, 6)))(np.ones((1, 7, 6))),
     "Scale got an input of shape (1, 7, 6) and a shift of shape (5, 6), needed one that broadcasts to (7, 6): is the "
     "sequence longer than its 5 positions?"),
    (lambda: Scale(None, np.ones((5, 6)))(np.ones((1, 4, 7))), "Scale got … needed one that broadcasts to (4, 7)"),
    (lambda: Scale(None, np.ones((5, 6)))(np.ones((1, 4, 6))), "Scale got … needed one that broadcasts to (4, 6)"),
    (lambda: Reshape((5, 4, 2))(np.ones((1, 5, 6))),
     "Reshape got an input of shape (1, 5, 6), which does not fill (N, 5, 4, 2): its numbers are 30 per sample; heads "
     "must divide the width of 6"),
    (lambda: Reshape((4, 2))(np.ones((1, 5, 6))), "Reshape got … its numbers are 30 per sample"),
    (lambda: Embedding(np.ones((5, 2)))(np.array([[0.0, -1.0]])),
     "Embedding got the token id -1.0 at (0, 1), needed whole numbers from 0 to 4: is it another tokenizer's?"),
    (lambda: RMSNorm()(np.ones((2, 1))), "RMSNorm got an input of shape (2, 1), needed (N, .., D) with at least two …"),
    (lambda: Rotary(np.ones((2, 1)), np.ones((2, 1)))(np.ones((1, 3, 2))),
     "Rotary got an input of shape (1, 3, 2), needed (N, .., T, 2) with at most 2 positions"),
])
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with refused(text):
        make()


def test_softmax_under_pass_is_refused() -> None:
    with refused("…Pass needs a gate, and this layer mixes units; …"):
        explain(Network([("it", Softmax())]), np.ones((1, 2)), {"it": Pass()}, np.ones((1, 2)))
