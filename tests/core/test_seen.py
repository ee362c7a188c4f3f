"""Rules that see another map of a layer: derivatives, other shares, a norm before its affine part; their presets."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_holds, fractions, law, refused

from lrp_ref import (
    GELU,
    LRN,
    Add,
    Clip,
    Conv2D,
    Epsilon,
    Factors,
    Flat,
    Hardswish,
    LayerNorm,
    Linear,
    MatMul,
    MaxPool,
    Multiply,
    Network,
    Pass,
    ReLU,
    Reshape,
    RMSNorm,
    Scale,
    SignedSqrt,
    Softmax,
    Tangent,
    Tanh,
    Unscaled,
    ali,
    assign,
    attnlrp,
    cp_lrp,
    cutoff,
    explain,
    gradient_times_input,
)
from lrp_ref.arrays import number_type
from lrp_ref.checks import bounds
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import LAYERS
from lrp_ref.checks.definitions.derivatives import LAYERS as DEFINED
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.layers.activation import Activation


def of_one(layer: Any, x: Any, R: Any, rule: Any) -> Any:
    """Relevance, and every column of the ledger, of one layer and one sample."""
    e = explain(Network([("it", layer)]), x, {"it": rule}, R)
    return e.relevance[0].tolist(), [column[0].tolist() for column in e.ledger["it"].parts()]


@law("other maps")
def test_other_maps_are_epsilon_on_what_is_defined(claim: Claim) -> None:
    assert_holds(claim)


@law("derivatives")
def test_derivatives_are_slopes(claim: Claim) -> None:
    assert_holds(claim)


@law("gradients")
def test_tangents_everywhere_are_gradient_times_input(claim: Claim) -> None:
    assert_holds(claim)


# ---- By hand ----

A, V = ["1/4", "3/4"], ["4", "8"]
PAIR = fractions([" ".join(A), " ".join(V)])[None]   # A = (1/4, 3/4) and V = (4, 8), joined


@pytest.mark.parametrize(("rule", "received", "bias"), [
    (Epsilon(0), [[F(1, 2), 3], [F(1, 2), 3]], [0, 0]),
    (Factors((0, 1)), [[0, 0], [1, 6]], [0, 0]),
    (Factors((F(1, 4), F(3, 4))), [[F(1, 4), F(3, 2)], [F(3, 4), F(9, 2)]], [0, 0]),
    (Tangent(0), [[1, 6], [1, 6]], [-1, -6]),          # dz/dA = V and dz/dV = A: 2 z of z, -z is left
])
def test_a_product_by_its_halves_by_other_parts_and_by_its_derivatives(rule: Any, received: Any, bias: Any) -> None:
    # z = (1, 6), R = (1, 6)
    got, columns = of_one(Multiply(), PAIR, fractions(["1 6"]), rule)
    assert got == received and columns[1] == bias


def test_of_three_factors_two_times_the_product_is_left_over() -> None:
    # 2 * 3 * 5 = 30: the derivatives are 15, 10 and 6, each with its factor 30; 30 - 90 is the bias's
    x, R = fractions([[[2], [3], [5]]]), fractions(["7"])
    got, columns = of_one(Multiply(), x, R, Tangent(0))
    assert got == [[7], [7], [7]] and columns == [[21], [-14], [0], [0]]
    assert of_one(Multiply(), x, R, Factors((F(1, 2), 0, F(1, 2))))[0] == [[F(7, 2)], [0], [F(7, 2)]]


def test_attention_that_decides_receives_nothing() -> None:
    # (1/4, 3/4) times (4, 8) is 7: parts (0, 1) give 1 and 6 of it; the derivatives 1, 6, 1, 6 and -7
    layer, x, R = MatMul((1, 2), (2, 1)), fractions(["1/4 3/4 4 8"]), fractions([[[7]]])
    assert of_one(layer, x, R, Factors((0, 1)))[0] == [0, 0, 1, 6]
    assert of_one(layer, x, R, Factors((1, 0)))[0] == [1, 6, 0, 0]
    got, columns = of_one(layer, x, R, Tangent(0))
    assert got == [1, 6, 1, 6] and columns == [[[14]], [[-7]], [[0]], [[0]]]
    assert of_one(layer, x, R, Factors((0, 1), 7))[0] == [0, 0, F(1, 2), 3]   # 7 and a stabiliser of 7


def test_a_layer_norm_in_three_ways() -> None:
    # x = (1, 3), scale 2, shift 1: n = (-1, 1), z = (-1, 3), R = (0, 3)
    layer, x, R = LayerNorm(fractions("2 2"), fractions("1 1"), epsilon=0), fractions(["1 3"]), fractions(["0 3"])
    assert of_one(layer, x, R, Epsilon(0))[0] == [-1, 3]                       # the shift has 1 of the 3
    got, columns = of_one(layer, x, R, Unscaled(0))
    assert got == [F(-3, 2), F(9, 2)] and columns[0] == [0, 3]                 # -1/2 and 3/2 of n = 1
    assert of_one(layer, x, R, Unscaled(1))[0] == [F(-3, 4), F(9, 4)]          # over n + 1 = 2
    got, columns = of_one(layer, x, R, Tangent(0))                             # of two numbers n is (-1, 1) whatever x
    assert got == [0, 0] and columns[1] == [0, 3]


def test_the_root_of_an_rms_norm_moves_with_its_inputs() -> None:
    # x = (1, 7): r = 5, dz_j/dx_i = (d_ij - x_i x_j / 50) / 5: 49/250, -7/250; -7/250, 1/250. z = (1/5, 7/5)
    x, R = fractions(["1 7"]), fractions(["5 0"])
    got, columns = of_one(RMSNorm(epsilon=0), x, R, Tangent(0))
    assert got == [F(49, 10), F(-49, 10)] and columns[1] == [5, 0]   # z stays where x is scaled: nothing is handed
    assert of_one(RMSNorm(epsilon=0), x, R, Pass())[0] == [5, 0]


def test_at_a_kink_the_derivative_is_that_of_the_left() -> None:
    x = fractions(["-1 0 2 3"])
    assert Clip(-1, 2).derivative(x).weight.tolist() == [[0, 1, 1, 0]]
    assert Hardswish().derivative(fractions(["-3 3 4 0"])).weight.tolist() == [[0, F(3, 2), 1, F(1, 2)]]
    assert ReLU().derivative(x).weight.tolist() == [[0, 0, 1, 1]]


CURVED = [name for name, example in LAYERS.items() if not example.rational and isinstance(example.layer, Activation)]
CURVED += ["Softmax", "LayerNorm", "RMSNorm", "LRN", "LRN, Caffe", "LRN, Caffe, taylor", "Hardswish"]


@pytest.mark.parametrize("name", CURVED)
def test_derivatives_of_curves_are_central_differences(name: str) -> None:
    layer, x = LAYERS[name].at(np.float64, 2, 3)
    x = x + 0.01 * np.arange(1, x.size + 1).reshape(x.shape)   # off the kink of ELU at 0, where it has two
    m, h = layer.derivative(x), 2.0**-17
    # h^2 times a third derivative of up to 40, and 2u / h times numbers up to 10: below 1e-8
    assert np.allclose(m(x), layer(x), rtol=1e-14, atol=1e-14)   # a bias is z less a sum, and that is added again
    for i in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[i] = h
        slope = (layer(x + moved) - layer(x - moved)) / (2 * h)
        assert np.allclose(m.apply(moved / h, lambda w: w), slope, rtol=0, atol=1e-8)


FISHER = {"DenseSift", "FisherVector", "SignedSqrt", "L2Norm", "PMeans", "SpreadLinear", "IntersectionSVM",
          "ChiSquareSVM", "NegativeChiSquareSVM", "ExponentialChiSquareSVM", "GaussianSVM"}


def test_every_layer_of_a_cnn_or_a_transformer_states_its_derivatives() -> None:
    for example in LAYERS.values():
        layer, x = example.at(np.float64, 1)
        if type(layer).__name__ in FISHER:
            with refused("Tangent needs the layer's derivatives, which this layer does not state: give it another …"):
                layer.linearize(x)[1].tangent(x)
        else:
            layer.linearize(x)[1].tangent(x)
    assert set(DEFINED) <= {type(example.layer).__name__ for example in LAYERS.values()}


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal])
def test_other_maps_keep_the_number_type(number: Any) -> None:
    for name, example in LAYERS.items():
        kind = type(example.layer).__name__
        if kind in FISHER or (number is Decimal and not example.rational):
            continue   # that states no derivatives; no exact form, and no Decimals
        layer, x = example.at(number, 1, 3)
        a, m = layer.linearize(x)
        maps = [m.tangent(a)] + ([m.shared(a, (F(1, 4), F(3, 4)))] if kind in ("MatMul", "Multiply") else []) + (
            [m.unscaled()] if kind == "LayerNorm" else [])
        assert all(number_type(some.weight) is number_type(some(a)) is number for some in maps), name


# ---- Presets ----

BLOCK = Network([
    ("norm", LayerNorm(np.ones(4), np.ones(4))), ("q", Linear(np.ones((4, 4)))), ("k", Linear(np.ones((4, 4))), "norm"),
    ("v", Linear(np.ones((4, 4))), "norm"), ("kt", Reshape((4, 3)), "k"),
    ("scores", MatMul((3, 4), (4, 3)), ("q", "kt")), ("scale", Scale(np.ones(1) / 2)), ("weights", Softmax()),
    ("same", Reshape((3, 3))), ("read", MatMul((3, 3), (3, 4)), ("same", "v")), ("skip", Add(), ("read", "input")),
    ("gelu", GELU()), ("gate", Multiply(), ("gelu", "skip")), ("rms", RMSNorm(np.ones(4)))])
ATTNLRP = {"norm": Epsilon(1), "q": Epsilon(1), "k": Epsilon(1), "v": Epsilon(1), "kt": Pass(), "scores": Epsilon(1),
           "scale": Pass(), "weights": Epsilon(0), "same": Pass(), "read": Epsilon(1), "skip": Epsilon(1),
           "gelu": Pass(), "gate": Epsilon(1), "rms": Pass()}


def test_attnlrp_stabilises_what_mixes_units_but_no_softmax() -> None:
    assert attnlrp(BLOCK, 1) == ATTNLRP and attnlrp(BLOCK)["q"] == Epsilon(1e-6)


def test_cp_lrp_detaches_what_a_softmax_made_and_ali_the_norms_too() -> None:
    assert cp_lrp(BLOCK, 1) == ATTNLRP | {"read": Factors((0, 1), 1)}
    assert ali(BLOCK, 1) == ATTNLRP | {"read": Factors((0, 1), 1), "norm": Unscaled(1)}
    assert cp_lrp(BLOCK)["read"] == Factors((0, 1), 1e-6) and ali(BLOCK)["norm"] == Unscaled(1e-6)
    turned = Network([("weights", Softmax()), ("v", Linear(np.ones((3, 3))), "input"),
                      ("read", MatMul((2, 3), (3, 3)), ("v", "weights"))])
    assert cp_lrp(turned, 0)["read"] == Factors((1, 0), 0)


def test_a_product_of_others_than_attention_keeps_its_halves() -> None:
    twice = Network([("weights", Softmax()), ("square", MatMul((3, 3), (3, 3)), ("weights", "weights"))])
    through = Network([("weights", Softmax()), ("fc", Linear(np.ones((3, 3)))),
                       ("read", MatMul((3, 3), (3, 3)), ("fc", "input"))])
    assert cp_lrp(twice, 0)["square"] == Epsilon(0) == cp_lrp(through, 0)["read"]


def test_presets_carry_the_graph_for_a_cut_off_and_for_changes() -> None:
    for preset in (attnlrp, cp_lrp, ali, gradient_times_input):
        rules = preset(BLOCK) | {"skip": Epsilon(2)}
        cut = cutoff(rules, "read")
        assert list(cut) == list(BLOCK.names) and cut["v"] == cut["norm"] == Flat() and cut["skip"] == Epsilon(2)


def test_gradient_times_input_sees_tangents_everywhere() -> None:
    assert set(gradient_times_input(BLOCK).values()) == {Tangent(0)}
    rng = np.random.default_rng(4)
    network, x = BLOCK.mapped(lambda name, layer: Linear(rng.normal(size=(4, 4))) if name in "qkv" else layer), \
        rng.normal(size=(1, 3, 4))
    rules = gradient_times_input(network)
    e = explain(network, x, rules, rng.normal(size=(1, 3, 4)))
    s, h = e.start / e.scores, 2.0**-17
    for i in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[i] = h
        slope = ((network(x + moved) - network(x - moved)) * s).sum() / (2 * h)
        # h^2 and u / h times numbers of some hundreds that s, a quotient, brings in
        assert e.relevance[i] == pytest.approx(x[i] * slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("call", "text"), [
    (lambda: Factors(1), "Factors got parts=1, needed a number for each tensor, 1 in all: (0, 1)"),
    (lambda: Factors((1, 1)), "Factors got parts=(1, 1), needed …"),
    (lambda: Factors((1,)), "Factors got parts=(1,), needed …"),
    (lambda: Factors(("a", 1)), "Factors got parts=('a', 1), needed …"),
    (lambda: Factors((0, 1), -1), "Factors got epsilon=-1, needed a finite number of at least 0"),
    (lambda: Tangent(-1), "Tangent got epsilon=-1, needed …"),
    (lambda: of_one(Linear(np.ones((2, 1))), np.ones((1, 2)), np.ones((1, 1)), Factors((0, 1))),
     "layer it: Factors is for products of tensors, MatMul and Multiply; use Epsilon(0)"),
    (lambda: of_one(Multiply(), np.ones((1, 3, 2)), np.ones((1, 2)), Factors((0, 1))),
     "layer it: Factors got 2 shares for 3 tensors: give one for each"),
    (lambda: of_one(MatMul((1, 2), (2, 1)), np.ones((1, 4)), np.ones((1, 1, 1)), Factors((0, 0, 1))),
     "layer it: Factors got 3 shares for a MatMul, needed two"),
    (lambda: of_one(RMSNorm(), np.ones((1, 2)), np.ones((1, 2)), Unscaled()),
     "layer it: Unscaled is for LayerNorm; use Epsilon(0)"),
    (lambda: of_one(SignedSqrt(), np.ones((1, 2)), np.ones((1, 2)), Tangent()),
     "layer it: Tangent needs the layer's derivatives, which this layer does not state: …"),
    (lambda: one_layer(Tangent(0), Tanh(), np.ones((1, 2)), np.ones((1, 2))),
     "no bound: layers do not say in how many roundings their derivatives are made"),
    (lambda: attnlrp("network"), "got a str, needed a Network: …"),     # type: ignore[arg-type]
    (lambda: cp_lrp(3), "got a int, needed a Network: …"),              # type: ignore[arg-type]
    (lambda: ali(None), "got a NoneType, needed a Network: …"),         # type: ignore[arg-type]
    (lambda: gradient_times_input(None), "got a NoneType, needed a Network: …"),   # type: ignore[arg-type]
])
def test_what_makes_no_sense_is_refused(call: Callable[[], Any], text: str) -> None:
    with refused(text):
        call()


def test_where_a_layer_is_its_own_tangent_there_is_the_usual_bound() -> None:
    network = Network([("conv", Conv2D(np.ones((2, 1, 2, 3)))), ("pool", MaxPool(2)), ("relu", ReLU())])
    x = np.arange(24.0).reshape(1, 1, 4, 6) % 7
    R = network(x)
    assert bounds(network, x, gradient_times_input(network), R).relative == bounds(
        network, x, dict.fromkeys(network.names, Epsilon(0)), R).relative


def test_a_taylor_map_has_the_derivatives_of_its_layer() -> None:
    x = np.arange(6.0).reshape(1, 3, 1, 2) - 2
    assert (LRN(3, 1, 2, 1, taylor=True).derivative(x).weight == LRN(3, 1, 2, 1).derivative(x).weight).all()


def test_the_defaults_see_the_layers_own_maps() -> None:
    assert not any(isinstance(rule, (Tangent, Factors, Unscaled)) for rule in assign(BLOCK).values())
