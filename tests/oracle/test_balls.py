"""Balls: arithmetic of a value and how far it may be off, layer by layer, and units that are provably equal."""

from typing import Any

import numpy as np
import pytest
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bounds import KINDS, F, f32, f64, hard, linear, rationals, within

from lrp_ref import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    MaxPool,
    Network,
    ReLU,
    SumPool,
    Tanh,
    WSquare,
    assign,
    cutoff,
    epsilon_gamma_box,
    explain,
    paper_cnn,
)
from lrp_ref.arrays import Array
from lrp_ref.checks import bounds
from lrp_ref.checks.rounding import twins
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.layers import IntersectionSVM
from lrp_ref.relevance import relevances
from lrp_ref.rules import Flat, Pass, Rule
from lrp_ref.starts import start

# ---- Balls ----


def a_network(kind: str, rng: np.random.Generator, pool: Any) -> Network:
    """Every layer that has a ball, of any size; small, for it runs on Fractions."""
    side = (4, 2) if isinstance(pool, AdaptiveAvgPool) else (2, 2)
    layers: list[tuple[str, Any]] = [
        ("conv1", Conv2D(hard(kind, rng, (3, 2, 2, 3)), hard(kind, rng, (3,)), pad=(1, 0))),
        ("norm", BatchNorm(hard("tame", rng, (3,)), np.array([1, 4, 0.25], f32), abs(hard("tame", rng, (3,))),
                           hard("tame", rng, (3,)), epsilon=0)),
        ("relu1", ReLU()), ("pool", pool), ("flat", Flatten()),
        ("fc1", Linear(hard(kind, rng, (3 * side[0] * side[1], 4)), hard(kind, rng, (4,)))), ("relu2", ReLU()),
        ("fc2", Linear(hard(kind, rng, (4, 3)), hard(kind, rng, (3,))))]
    return Network(layers)


POOLS = [MaxPool(2), AvgPool((2, 3), 2, (0, 1)), SumPool(2, scale=0.75), AdaptiveAvgPool((4, 2))]
WAYS: dict[str, Any] = {
    "defaults": assign, "epsilon": lambda n: assign(n, {Conv2D: Epsilon(0.01), Linear: Epsilon(F(1, 3))}),
    "paper": paper_cnn, "gamma, box": lambda n: epsilon_gamma_box(n, -9, 9),
    "cut-off": lambda n: cutoff(paper_cnn(n), below="relu2"),
    "wsquare": lambda n: cutoff(paper_cnn(n), below="fc2", rule=WSquare()),
    "epsilon on all": lambda n: dict.fromkeys(n.names, Epsilon(0.5)),
}


def assert_contained(network: Network, x: Array, rules: dict[str, Rule], target: Any = None) -> Any:
    """Every relevance of exact arithmetic lies within its radius; the bounds."""
    b = bounds(network, x, rules, target)
    exact, image = network.astype(F), rationals(x)
    xs = exact.activations(image)
    index = network(x.astype(x.dtype)).argmax(axis=1) if target is None else target
    found = relevances(exact, xs, rules, start(xs[network.output], index))
    for t in ("input", *network.names):
        assert within(b.relevances[t], found.of[t], b.radii[t]), t
        ball = b.activations[t]
        assert all(F(low) <= value <= F(high) for low, value, high in zip(ball.low.flat, xs[t].flat, ball.high.flat))
    return b


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(list(KINDS)[:5]), st.sampled_from(range(len(POOLS))),
       st.sampled_from(list(WAYS)))
def test_the_exact_relevance_of_every_layer_lies_within_its_radius(seed: int, kind: str, pool: int, way: str) -> None:
    rng = np.random.default_rng(seed)
    network = a_network(kind, rng, POOLS[pool])
    network = Network((name, layer) for name, layer in network)
    x = hard(kind, rng, (1, 2, 3, 6))
    assert_contained(network.astype(f64), x.astype(f64), WAYS[way](network))


@pytest.mark.parametrize("way", WAYS)
def test_on_tame_numbers_no_radius_is_infinite_and_all_are_small(way: str) -> None:
    network = a_network("tame", np.random.default_rng(5), POOLS[0]).astype(f64)
    b = assert_contained(network, np.random.default_rng(6).normal(size=(1, 2, 3, 6)), WAYS[way](network), 1)
    assert b.infinite is None and 0 < b.relative < 1e-12   # float64 has 1e-16; each of four sums costs a digit
    assert sum(b.undecided.values()) == 0 and set(b.undecided) == {"relu1", "relu2", "pool"}


def test_float32_networks_have_the_balls_of_their_exact_numbers() -> None:
    network = a_network("tame", np.random.default_rng(5), POOLS[0])
    x = hard("tame", np.random.default_rng(6), (2, 2, 3, 6))
    b = assert_contained(network, x, paper_cnn(network))
    again = explain(network.astype(f64), x.astype(f64), paper_cnn(network))
    assert (abs(b.relevances["input"] - again.relevance) <= b.radius).all()


def test_relevance_that_is_given_is_exact_and_that_of_a_class_has_the_scores_radius() -> None:
    network = Network([("fc", linear([0.1, 0.7, -0.3], 0.2).astype(f64))])
    x = np.array([[0.3, 0.6, 0.9]])
    given_R = bounds(network, x, {"fc": Flat()}, network(x)).radius
    assert (given_R < bounds(network, x, {"fc": Flat()}, 0).radius).all()


def test_without_a_target_the_class_is_the_one_that_explain_explains() -> None:
    weight = np.array([[1, 1, 0.5], [2.0**-25, 2.0**-24, 0]], f32)   # in float32 the scores tie, in float64 not
    network, x = Network([("fc", Linear(weight))]), np.ones((1, 2), f32)
    assert network(x).argmax() == 0 != network.astype(f64)(x.astype(f64)).argmax()
    b, e = bounds(network, x), explain(network, x)
    assert (b.relevances["input"] == e.relevance).all()     # of powers of 2; class 1 has 2^-24 for 2^-25


def test_an_input_that_is_known_badly_makes_its_own_relevance_known_badly() -> None:
    # 0.1 + 0.2 - 0.3 is 5.6e-17 in float64 and 2.8e-17 exactly; the output is its bias, which is known well
    network = Network([("fc1", Linear(np.array([[0.1], [0.2], [-0.3]]))), ("fc2", Linear(np.ones((1, 1)), np.ones(1)))])
    b = assert_contained(network, np.ones((1, 3)), assign(network), 0)
    assert 1e-17 < b.radii["fc1"][0, 0] < 1e-14
    assert not within(b.relevances["fc1"], rationals([[2.7755575615628914e-17]]), np.array([[1e-18]]))


@pytest.mark.parametrize("pool", [AvgPool((1, 2)), SumPool((1, 2)), AdaptiveAvgPool((2, 1))], ids=str)
def test_averages_of_numbers_of_both_signs_have_balls_of_both_signs(pool: Any) -> None:
    rng = np.random.default_rng(8)
    network = Network([("conv1", Conv2D(rng.normal(size=(2, 1, 1, 1)))), ("pool1", pool), ("flat", Flatten()),
                       ("fc", Linear(rng.normal(size=(4, 2))))])
    b = assert_contained(network, rng.normal(size=(1, 1, 2, 2)), assign(network), 1)
    assert (b.activations["pool1"].value < 0).any()


def near_tie(a: float) -> Network:
    """Two units that are 0.3 a + 0.6 a and 0.9 a, alike but for rounding; a max-pooling chooses between them."""
    weight = np.array([[[[0.3, 0.6]]], [[[0.0, 0.9]]]]) * a
    return Network([("conv1", Conv2D(weight)), ("swap", Swap()), ("pool1", MaxPool((1, 2))), ("flat", Flatten()),
                    ("fc", Linear(np.array([[2.0]])))])


class Swap(Flatten):
    """(N, 2, 1, 1) to (N, 1, 1, 2)"""

    def __call__(self, x: Array) -> Array:
        return x.reshape(self.output_shape(x.shape))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 1, 1, 2


def test_a_winner_that_the_radius_does_not_decide_is_counted_and_named() -> None:
    b = bounds(near_tie(1), np.array([[[[1.0, 1.0]]]]))
    assert b.undecided == {"pool1": 1}
    assert b.infinite == ("layer pool1: the radius is infinite below output unit (0, 0, 0, 0), whose gate or winner "
                          "the radius does not decide")
    assert (b.radii["swap"] == np.inf).all() and np.isfinite(b.radii["pool1"]).all() and b.relative == np.inf
    assert "undecided gates and winners: 1" in str(b) and "layer pool1" in str(b)


def test_an_undecided_winner_does_not_matter_where_the_pooling_is_flat_or_no_relevance_arrives() -> None:
    network, x = near_tie(1), np.array([[[[1.0, 1.0]]]])
    flat = bounds(network, x, cutoff(assign(network), below="flat"))
    assert flat.undecided == {"pool1": 1} and flat.infinite is None
    assert flat.relative < 100 * 2.0**-53    # gamma of the roundings of five short layers: some seventy
    assert bounds(network, x, None, np.array([[0.0]])).relative == 0


def test_an_undecided_gate_matters_to_epsilon_and_not_to_pass() -> None:
    weight = np.array([[0.3, 1.0], [0.6, 0.5], [-0.9, 0.25]])   # the first output is 0 but for rounding
    network = Network([("fc1", Linear(weight)), ("relu1", ReLU()),
                       ("fc2", Linear(np.array([[1.0], [1.0]]), np.ones(1)))])
    x = np.array([[1.0, 1.0, 1.0]])
    passed, asked = bounds(network, x), bounds(network, x, assign(network, {ReLU: Epsilon(0)}))
    assert passed.undecided == asked.undecided == {"relu1": 1}
    assert np.isfinite(passed.radii["fc1"]).all() and not np.isfinite(asked.radii["fc1"]).all()
    assert passed.infinite and passed.infinite.startswith("layer fc1: the radius is infinite below output unit (0, 0), "
                                                          "whose denominator may be 0")


def test_layers_without_a_ball_and_exact_images_are_refused() -> None:
    svm = IntersectionSVM(np.array([[1.0, 2.0]]), np.array([[1.0]]), np.array([0.5]))
    with refused("bounds knows no ball for layer svm, a IntersectionSVM: use lrp_ref.checks.monte_carlo, or …"):
        bounds(Network([("svm", svm)]), np.array([[1.0, 3.0]]))
    with refused("got an input of Fraction, which is exact: bounds are for floats"):
        bounds(Network([("relu1", ReLU())]), rationals([[1.0]]))
    huge = Network([("fc", Linear(np.array([[1e300]])))])
    with refused("layer fc: the radius overflows: are its weights too large?"), np.errstate(over="ignore"):
        bounds(huge, np.array([[1e300]]))


def test_tanh_has_a_ball() -> None:
    network = Network([("fc1", Linear(np.array([[0.5, -0.25]]))), ("tanh1", Tanh()), ("fc2", Linear(np.ones((2, 1))))])
    b = bounds(network, np.array([[1.5]]), assign(network))
    # tanh of 3/4 and -3/8 to 20 digits
    for value, digits in zip(b.activations["tanh1"].value[0], ("0.63514895238728731921", "-0.35835739835078590")):
        low, high = b.activations["tanh1"].low[0], b.activations["tanh1"].high[0]
        assert value and any(F(lo) <= F(digits) <= F(hi) for lo, hi in zip(low, high))
    assert b.relative < 1e-13     # float64 has 1e-16; each of three layers costs a digit


def test_a_ball_holds_its_ends() -> None:
    ball = Ball.around(np.array([1.0, 0.0, 3.0]), np.array([1e-20, 0.0, 2.0]))
    assert (ball.low < [1, 1e-300, 1]).all() and (ball.high > [1, -1e-300, 5]).all()
    assert ball.low[1] == ball.high[1] == 0 and Pass() is not None


# ---- Units that are provably equal ----


def even_patch(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Hard numbers with an even patch in them, as a photograph's background."""
    x = rng.normal(size=shape)
    x[..., :2, :5] = 0.3
    return x


@pytest.mark.parametrize("seed", range(8))
def test_tied_winners_of_an_even_patch_are_known_to_tie(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = Network([("conv1", Conv2D(rng.normal(size=(4, 1, 2, 2)), 3 + rng.normal(size=4), groups=2)),
                       ("norm", BatchNorm(rng.normal(size=4), np.array([1, 4, 0.25, 9]), np.ones(4), rng.normal(size=4),
                                          epsilon=0)),
                       ("relu1", ReLU()), ("pool1", MaxPool((1, 2))), ("conv2", Conv2D(rng.normal(size=(3, 4, 1, 2)))),
                       ("pool2", MaxPool((2, 1), 1)), ("flat", Flatten()),
                       ("fc", Linear(rng.normal(size=(12, 2)), rng.normal(size=2)))])
    b = assert_contained(network, even_patch(rng, (1, 2, 4, 7)), assign(network), 1)
    assert b.infinite is None and b.undecided["pool1"] == 0
    radii = b.activations["relu1"]
    tied = (radii.value[..., 0, 0] == radii.value[..., 0, 1]) & (radii.value[..., 0, 0] > 0)
    assert tied.any() and (radii.radius[..., 0, 0][tied] > 0).all()   # radii alone would not have known


def test_units_of_one_number_have_one_exact_value() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (1, 2, 5, 6)) * 0.3
    norm = BatchNorm(np.array([0.5, -1]), np.array([4, 0.25]), np.array([3, 2.0]), np.array([1, 0.75]), epsilon=0)
    network = Network([("norm", norm), ("conv1", Conv2D(rng.normal(size=(4, 1, 2, 2)), pad=1, groups=2)),
                       ("relu1", ReLU()), ("pool1", MaxPool(2, pad=1)),
                       ("conv2", Conv2D(rng.normal(size=(3, 4, 1, 1))))])
    ids, values, shared = twins.equals(x), rationals(x), 0
    for _, layer in network:
        values = layer.astype(F)(values)
        ids = twins.lifted(layer, ids, values.shape)
        by_number: dict[int, set[Any]] = {}
        for number, value in zip(ids.flat, values.flat):
            by_number.setdefault(int(number), set()).add(value)
        assert all(len(equal) == 1 for equal in by_number.values())
        shared += values.size - len(by_number)
    assert shared > 20   # or nothing was tested
