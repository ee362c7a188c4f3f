"""Six sigma: what correct float32 implementations stay within, and small enough to tell them from wrong ones."""

from typing import Any

import numpy as np
import pytest

from lrp_ref import (
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Tanh,
    ZPlus,
    assign,
    epsilon_gamma_box,
    explain,
    paper_cnn,
)
from lrp_ref.arrays import Array
from lrp_ref.checks import monte_carlo
from lrp_ref.checks.claims.examples import LAYERS, RULES, relevance_for

f32, f64 = np.float32, np.float64


def network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    return Network([
        ("conv1", Conv2D(rng.normal(size=(6, 2, 3, 3)), rng.normal(size=6))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
        ("conv2", Conv2D(rng.normal(size=(8, 6, 3, 2)) / 4, rng.normal(size=8))),
        ("norm", BatchNorm(rng.normal(size=8), rng.uniform(1, 2, 8), rng.normal(size=8), rng.normal(size=8))),
        ("tanh1", Tanh()), ("pool2", AvgPool(2)), ("flat", Flatten()),
        ("fc1", Linear(rng.normal(size=(32, 30)) / 4, rng.normal(size=30))), ("relu3", ReLU()),
        ("fc2", Linear(rng.normal(size=(30, 4)) / 4, rng.normal(size=4)))]).astype(f32)


X = np.random.default_rng(9).normal(size=(1, 2, 16, 14)).astype(f32)
WAYS: dict[str, Any] = {
    "defaults": assign, "epsilon": lambda n: assign(n, {Conv2D: Epsilon(0.01), Linear: Epsilon(0.01)}),
    "zplus": lambda n: assign(n, {Conv2D: ZPlus(), Linear: ZPlus()}), "paper": paper_cnn,
    "gamma, box": lambda n: epsilon_gamma_box(n, -5, 5)}


@pytest.mark.parametrize("way", WAYS)
def test_float32_stays_within_six_sigma_and_uses_some_of_it(way: str) -> None:
    worst = []
    for seed in range(3):
        small = network(seed)
        rules = WAYS[way](small)
        sigma = monte_carlo(small, X, rules)["input"]
        error = abs(explain(small, X, rules).relevance - explain(small.astype(f64), X.astype(f64), rules).relevance)
        assert (error <= np.maximum(6 * sigma, 2.0**-24 * abs(error))).all()
        worst.append((error[sigma > 0] / sigma[sigma > 0]).max())
    assert max(worst) > 0.2   # a sigma far too large would accept anything


def one_after_the_other(a: Array, w: Array) -> Array:
    """sum_i a_i w_ij in float32, from the first i to the last: the order that rounds most."""
    z = np.zeros(w.shape[1], f32)
    for i in range(len(a)):
        z = z + a[i] * w[i]
    return z


def test_sums_one_after_the_other_stay_within_six_sigma() -> None:
    rng = np.random.default_rng(4)
    w, a = rng.uniform(0.5, 1.5, (600, 7)).astype(f32), rng.uniform(0.5, 1.5, 600).astype(f32)
    R, small = rng.normal(size=7).astype(f32), Network([("fc", Linear(w))])
    s = R / one_after_the_other(a, w)
    computed = a * one_after_the_other(s, w.T)
    sigma = monte_carlo(small, a[None], {"fc": Epsilon(0)}, R[None])["input"][0]
    exact = explain(small.astype(f64), a[None].astype(f64), {"fc": Epsilon(0)}, R[None].astype(f64)).relevance[0]
    assert (abs(computed - exact) <= 6 * sigma).all() and (abs(computed - exact) > sigma / 10).any()


@pytest.mark.parametrize("rule", ["AlphaBeta(2, 1)", "Gamma(1/4)", "ZPlus"])
@pytest.mark.parametrize("name", ["NegativeChiSquareSVM", "ExponentialChiSquareSVM", "FisherVector"])
def test_weights_that_are_results_of_sums_are_off_too(name: str, rule: str) -> None:
    worst, example = [], LAYERS[name]
    for seed in range(2, 8):
        small, x = Network([("one", example.layer.astype(f32))]), example.x(2, seed).astype(f32)
        R, rules = relevance_for(small(x), seed + 9), {"one": RULES[rule]}
        sigma = monte_carlo(small, x, rules, R)["input"]
        exact = explain(small.astype(f64), x.astype(f64), rules, R.astype(f64)).relevance
        error = abs(explain(small, x, rules, R).relevance - exact)
        assert (error <= np.maximum(6 * sigma, 2.0**-24 * abs(exact))).all(), seed
        worst.append((error[sigma > 0] / sigma[sigma > 0]).max(initial=0))
    assert max(worst) > 0.2


def test_sigma_grows_with_the_unit_roundoff_and_is_the_same_every_time() -> None:
    small = network()
    first, again = monte_carlo(small, X, paper_cnn(small)), monte_carlo(small, X, paper_cnn(small))
    assert all((first[name] == again[name]).all() for name in ("input", *small.names))
    double = monte_carlo(small, X, paper_cnn(small), u=2.0**-53)
    ratio = np.median(first["input"][double["input"] > 0] / double["input"][double["input"] > 0])
    assert 0.9 < ratio / 2.0**29 < 1.1      # the same draws, and hardly any higher order
    other = monte_carlo(small, X, paper_cnn(small), seed=1)["input"]
    # other draws, of which a root mean square is known to some tens of per cent
    assert 0.5 < np.median(other / np.maximum(first["input"], 1e-300)) < 2


def test_what_is_not_rounded_has_no_sigma() -> None:
    small = Network([("relu1", ReLU()), ("flat", Flatten())])
    R = np.ones((1, X.size), f32)
    assert not monte_carlo(small, X, assign(small), R)["input"].any()


def test_a_winner_that_rounding_may_turn_has_a_large_sigma() -> None:
    tie = Network([("fc", Linear(np.array([[1, 1]], f32))), ("image", Square()), ("pool1", MaxPool((1, 2))),
                   ("flat", Flatten())])
    sigma = monte_carlo(tie, np.array([[0.7]], f32), assign(tie), np.array([[1.0]], f32))
    assert 0.3 < sigma["image"].min() < 0.51   # a half either way, half the time or more


class Square(Flatten):
    """(N, 2) to (N, 1, 1, 2)"""

    def __call__(self, x: Array) -> Array:
        return x.reshape(self.output_shape(x.shape))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], 1, 1, 2
