"""lrp_ref.testing: right float32 results are accepted, every known wrong convention is rejected and named."""

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import refused

from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Network,
    ReLU,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    cutoff,
    epsilon_gamma_box,
    explain,
    paper_cnn,
)
from lrp_ref.arrays import Array
from lrp_ref.layers import IntersectionSVM
from lrp_ref.relevance import relevances, through_layer
from lrp_ref.rules import Rule
from lrp_ref.starts import start
from lrp_ref.testing import assert_cutoff, assert_ledger, assert_relevance_close

f32, f64 = np.float32, np.float64


def fails(message: str) -> Any:
    """An AssertionError of one line with this message, in which … stands for anything."""
    return pytest.raises(AssertionError, match="^" + "[^\n]*".join(map(re.escape, message.split("…"))) + "$")


# ---- The conventions on which libraries differ, one layer each: numbers that they really gave ----


def linear(weight: list[float], bias: float = 0) -> Linear:
    return Linear(np.array(weight, f32)[:, None], np.array([bias], f32))


CORNER = np.zeros((1, 1, 3, 3))
CORNER[..., 0, 0] = 1
KERNEL = Conv2D(np.arange(1, 10, dtype=f32).reshape(1, 1, 3, 3), pad=1)
TWO = Conv2D(np.ones((1, 3, 1, 2), f32))


def corner(*values: float) -> list[float]:
    """A map that is 0 but for its first two by two."""
    a, b, c, d = values
    return [a, b, 0, c, d, 0, 0, 0, 0]


SQUARES = np.array([25, 36, 64, 81.0])

# name: layer, rule, x, R, right, {wrong: what it looks like ("" where no convention is known)}
Case = tuple[Any, Rule, Any, Any, Any, list[tuple[Any, str]]]
CASES: dict[str, Case] = {
    "D1, the stabiliser's sign": (linear([1, 2], -4.5), Epsilon(0.1), [1, 1], -1.5, [0.9375, 1.875], [
        ([1.071428571429, 2.142857142857], "the stabiliser had no sign"),
        ([0.909090909091, 1.818181818182], "the stabiliser were relative to z's root mean square"),
        ([-0.483870967742, -0.967741935484], "the bias were ignored"), ([1, 2], "there were no stabiliser")]),
    "D1, clipped": (linear([1, 2], -2.96), Epsilon(0.1), [1, 1], 1, [1 / 0.14, 2 / 0.14], [
        ([10, 20], "the stabiliser raised |z| to epsilon")]),
    "D1b, z = 0": (linear([1, -1]), Epsilon(0.1), [1, 1], 1, [10, -10], [
        ([-10, 10], "sign(0) = -1"), ([1, -1], "z = 0 were not divided by"),
        ([1e16, -1e16], "z had a stabiliser of 1e-16")]),
    "D1c, the pole": (linear([1]), Epsilon(0.5), [-0.5], 1, [0.5], [
        ([-np.inf], "something were divided by 0: 1 of 1 numbers are not finite")]),
    "D2, a negative bias": (linear([1, 2], -4.5), ZPlus(), [1, 1], -1.5, [-0.5, -1], [
        ([1, 2], "the whole bias stood in every denominator")]),
    "D2b, and z+ + b = 0": (linear([1, -1], -1), ZPlus(), [1, 1], -1, [-1, 0], [
        ([-0.999999000001, 0], "z had a stabiliser"),
        ([-1e7, 0], "the whole bias stood in every denominator, and z had a stabiliser of 1e-07"),
        ([-1e9, 0], "the whole bias stood in every denominator, and z had a stabiliser of 1e-09")]),
    "D2b, beta 1": (linear([1, -1], -1), AlphaBeta(2, 1), [1, 1], -1, [-2, 0.5], [
        ([-2, 1], "the bias were ignored"),
        ([-2e7, 0.5], "the whole bias stood in every denominator, and z had a stabiliser of 1e-07")]),
    "D2c, as ReLU networks have it": (linear([3, -1], -0.5), AlphaBeta(2, 1), [1, 1], 1.5, [3, -1], [
        ([3, -1.5], "the bias were ignored"), ([3.6, -1], "the whole bias stood in every denominator")]),
    "D3, inputs of both signs": (linear([2, 1, -1, 1], 0.5), ZPlus(), [1, -2, 3, 1], -1.5,
                                 [-6 / 7, 0, 0, -3 / 7], [
        ([-2, 2, 0, -1], "weights were split, not products"),
        ([-3, 3, 0, -1.5], "weights were split, not products, and the bias were ignored"),
        ([-1, 0, 0, -0.5], "the bias were ignored")]),
    "D3, beta 1": (linear([2, 1, -1, 1], 0.5), AlphaBeta(2, 1), [1, -2, 3, 1], -1.5, [-12 / 7, 0.6, 0.9, -6 / 7], [
        ([-12 / 7, 2 / 3, 1, -6 / 7], "the whole bias stood in every denominator")]),
    "D4, w^2 and the bias": (linear([1, 2], 2), WSquare(), [1, 1], 1, [0.2, 0.8], [
        ([1 / 9, 4 / 9], "b^2 stood in the denominator")]),
    "D5, flat in a corner": (KERNEL, Flat(), np.ones(9), CORNER, corner(*[0.25] * 4), [
        (corner(*[1 / 9] * 4), "the padding had a share, which is lost")]),
    "D5, w^2 in a corner": (KERNEL, WSquare(), np.ones(9), CORNER, corner(*SQUARES / 206), [
        (corner(*SQUARES / 285), "the padding had a share, which is lost")]),
    "D5, three channels": (TWO, Flat(), np.ones(6), 1, [1 / 6] * 6, [
        ([0.5] * 6, "every input channel were shared out by itself")]),
    "D6, the box and the bias": (linear([1, -2], 3), ZBox(-1, 1), [0.5, 0.25], 1, [0.5, 0.5], [
        ([0.25, 0.25], "b+ stood in the denominator")]),
    "D7, z- as z - z+": (linear([1, -1e-8]), AlphaBeta(2, 1), [1, 1e-9], 1, [2, -1], [
        ([2, -0.1], "z- were computed as z - z+")]),
    "D7, larger": (linear([1, -1e-9]), AlphaBeta(2, 1), [1e8, 1], 1e8, [2e8, -1e8], [
        ([2e8, -1e15], "z- were computed as z - z+")]),
    "D8, gamma and the bias": (linear([2, -1], 1), Gamma(0.25), [1, 1], 2, [20 / 11, -8 / 11], [
        ([2, -0.8], "b stood for b + gamma b+"),
        ([10 / 3, -4 / 3], "the bias were ignored")]),
    "D8, gamma's power": (linear([2, -1], 1), Gamma(0.1), [1, 1], 2, [44 / 23, -20 / 23], [
        ([1.92, -0.8], "w + gamma (w+)^2 stood for the weights"),
        ([2, -10 / 11], "b stood for b + gamma b+")]),
    "D8b, gamma and a negative input": (linear([2, -1], 1), Gamma(0.25), [-1, 1], -2, [-20 / 11, -10 / 11], [
        ([-2, -0.8], "w + gamma w+ stood for every sign of z and a, and b stood for b + gamma b+")]),
    "D9, whose sign": (linear([1, -1], 3), Gamma(0.25), [1, 2], 2, [1 * 1.25 / 3 * 2, -2 / 3 * 2], [
        ([-10 / 3, 16 / 3], "the bias were ignored, but for the sign of z"),
        ([-4 / 3, 10 / 3], "the bias were ignored")]),
    "D9, z = 0": (linear([1, -1]), Gamma(0.25), [1, 1], 1, [0, 0], [([1e6, -1e6], "")]),
    "D10, tied winners": (MaxPool(2), Winner(), [2, 2, 1, 0], 1, [0.5, 0.5, 0, 0], [
        ([1, 0, 0, 0], "the first of tied winners took all"), ([0, 1, 0, 0], "the last of tied winners took all"),
        ([0.25] * 4, "the pooling were Flat()"), ([1, 1, 0, 0], "every tied winner took all")]),
    "D10, a maximum of 0": (MaxPool(2), Winner(), [0, -1, -2, -3], 3, [3, 0, 0, 0], [
        ([0, 0, 0, 0], "relevance were lost where the maximum is 0")]),
    "D11, on the sum or the mean": (AvgPool(2), Epsilon(0.1), [1, -1, 2, 2], 1,
                                    np.array([1, -1, 2, 2]) / 4.4, [
        (np.array([1, -1, 2, 2]) / 4.1, "the stabiliser were added to the sum, not the mean"),
        ([0.2, 0, 0.4, 0.4], "the pooling had AlphaBeta(alpha=1.0, beta=0.0)")]),
    "D11, a sum of 0": (AvgPool(2), Epsilon(0), [1, -1, 0, 0], 1, [0, 0, 0, 0], [
        ([1e12, -1e12, 0, 0], "the stabiliser were added to the sum, not the mean, and z had a stabiliser of 1e-12"),
        ([2.5e5, -2.5e5, 0, 0], "z had a stabiliser of 1e-06"), ([1, -1, 0, 0], "")]),
    "D11b, alpha-beta on a pooling": (AvgPool(2), Epsilon(0), [1, 3, 2, 2], 8, [1, 3, 2, 2], [
        ([2, 6, 4, 4], "the pooling had AlphaBeta(alpha=2.0, beta=1.0)")]),
}
WRONG = [pytest.param(name, wrong, looks, id=f"{name}: {looks or 'unknown'}")
         for name, case in CASES.items() for wrong, looks in case[5]]


def one_layer_case(name: str) -> tuple[Network, Array, dict[str, Rule], Array, Array]:
    layer, rule, x, R, right, _ = CASES[name]
    x = np.array(x, f32)[None] if isinstance(layer, Linear) else np.array(x, f32)
    if not isinstance(layer, Linear):
        x = x.reshape((1, 1, 3, 3) if layer is KERNEL else (1, 3, 1, 2) if layer is TWO else (1, 1, 2, 2))
    network = Network([("layer1", layer)])
    return (network, x, {"layer1": rule}, np.broadcast_to(np.array(R, f32), network.shapes(x.shape)[network.output]),
            np.array(right, f32).reshape(x.shape))


@pytest.mark.parametrize("name", CASES)
def test_right_relevance_in_float32_is_accepted(name: str) -> None:
    network, x, rules, R, right = one_layer_case(name)
    assert_relevance_close(right, network, x, rules, R)
    assert_relevance_close({"input": right}, network, x, rules, R)
    assert_relevance_close(explain(network, x, rules, R).relevance, network, x, rules, R)


@pytest.mark.parametrize(("name", "wrong", "looks"), WRONG)
def test_wrong_conventions_are_rejected_and_named(name: str, wrong: Any, looks: str) -> None:
    network, x, rules, R, right = one_layer_case(name)
    with pytest.raises(AssertionError) as caught:
        assert_relevance_close(np.array(wrong, f32).reshape(right.shape), network, x, rules, R)
    message = str(caught.value)
    assert message.startswith("layer layer1: ") and "worst at (0, " in message and "error over bound" in message
    assert (f"it looks as if {looks}" in message) if looks else ("it looks" not in message)


def test_the_message_in_full() -> None:
    network, x, rules, R, _ = one_layer_case("D1b, z = 0")
    with pytest.raises(AssertionError) as caught:
        assert_relevance_close(np.array([[-10, 10]], f32), network, x, rules, R)
    assert str(caught.value) == ("layer layer1: 2 of 2 relevances are off; worst at (0, 0): got -10, needed 10, error "
                                 "over bound 3.1e+06; it looks as if sign(0) = -1")


def test_a_float16_error_is_no_float32_error() -> None:
    network, x, rules, R, right = one_layer_case("D2c, as ReLU networks have it")
    half = (right * (1 + 2.0**-11)).astype(f32)
    assert_relevance_close(half, network, x, rules, R, u=2.0**-11)
    with fails("layer layer1: 2 of 2 relevances are off; …"):
        assert_relevance_close(half, network, x, rules, R)
    with fails("layer layer1: 2 of 2 relevances are off; …"):
        assert_relevance_close(right.astype(f64) * (1 + 1e-14), network, x, rules, R, u=2.0**-53)


# ---- Undetermined elements ----


def cancelling() -> tuple[Network, Array, dict[str, Rule]]:
    """z = 0.1 * 0.3 - 0.1 * 0.3 in float32: 0 or not, as rounding will have it; the third input pays for another."""
    weight = np.array([[0.1, 0], [-0.1, 0], [0.0, 2.0]], f32)
    return Network([("fc", Linear(weight))]), np.array([[0.3, 0.3, 1]], f32), {"fc": Epsilon(0)}


def test_undetermined_elements_fail_unless_they_are_allowed() -> None:
    network, x, rules = cancelling()
    R = np.array([[1.0, 0.5]], f32)
    with fails("layer fc: 3 of 3 relevances are undetermined at u = 6e-08: at (0, 0) the bound inf exceeds …"):
        assert_relevance_close(np.array([[7, -7, 0.5]], f32), network, x, rules, R)
    report = assert_relevance_close(np.array([[7, -7, 0.5]], f32), network, x, rules, R, undetermined=3)
    assert report.compared[0].verdicts() == {"undetermined": 3}


def test_one_more_undetermined_element_than_is_allowed_fails() -> None:
    network, x, rules = cancelling()
    with fails("layer fc: 3 of 3 relevances are undetermined …"):
        assert_relevance_close(np.array([[7, -7, 0.5]], f32), network, x, rules, np.array([[1, 0.5]], f32),
                               undetermined=2)


def test_messages_that_cancel_are_undetermined_though_their_bound_is_finite() -> None:
    network = Network([("fc", Linear(np.array([[0.1, 0.1], [0.3, 0.7]], f32)))])
    x, R = np.array([[0.9, 0.0]], f32), np.array([[1, -1]], f32)     # 1 - 1, each rounded
    with fails("layer fc: 1 of 2 relevances are undetermined …: at (0, 0) the bound …e-06 exceeds the value …"):
        assert_relevance_close(np.zeros((1, 2), f32), network, x, {"fc": Epsilon(0)}, R)


def test_relevance_that_is_not_finite_fails_even_where_anything_else_would_do() -> None:
    network, x, rules = cancelling()
    with fails("layer fc: 1 of 3 relevances are off; …"):
        assert_relevance_close(np.array([[np.nan, -7, 0.5]], f32), network, x, rules, np.array([[1, 0.5]], f32),
                               undetermined=3)


def test_verdicts_are_told_apart() -> None:
    network = Network([("fc", Linear(np.array([[1.0], [2], [4]], f32)))])
    x, R, rules = np.ones((1, 3), f32), np.array([[1.0]], f32), {"fc": Epsilon(0)}
    right = np.array([[1, 2, 4]], f64) / 7

    def verdicts(*steps: int) -> Mapping[str, int]:
        """Of the right values, so many units in the last place away."""
        near = right.astype(f32).view(np.int32) + np.array([steps], np.int32)
        return assert_relevance_close(near.view(f32), network, x, rules, R).compared[0].verdicts()

    assert verdicts(0, 0, 0) == {"exact": 3}
    assert verdicts(0, 1, 0) == {"exact": 2, "pass": 1}
    assert verdicts(0, 0, 4) == {"exact": 2, "loose": 1}
    table = str(assert_relevance_close(right.astype(f32), network, x, rules, R))
    assert table.split()[:6] == ["exact", "pass", "loose", "fail", "undetermined", "error/bound"]
    assert table.splitlines()[1].split()[:3] == ["layer", "fc", "3"]


# ---- Several layers ----


@pytest.fixture(scope="module")
def cnn() -> tuple[Network, Array]:
    rng = np.random.default_rng(0)
    network = Network([
        ("conv1", Conv2D(rng.normal(size=(4, 2, 3, 2)), rng.normal(size=4), pad=1)), ("relu1", ReLU()),
        ("pool1", MaxPool(2)), ("conv2", Conv2D(rng.normal(size=(5, 4, 2, 3)), rng.normal(size=5))), ("relu2", ReLU()),
        ("pool2", AvgPool((2, 1))), ("flat", Flatten()),
        ("fc", Linear(rng.normal(size=(30, 3)) / 4, rng.normal(size=3)))])
    return network.astype(f32), rng.normal(size=(2, 2, 10, 9)).astype(f32)


WAYS = {"defaults": assign, "paper": paper_cnn, "gamma, box": lambda n: epsilon_gamma_box(n, -5, 5),
        "cut-off": lambda n: cutoff(paper_cnn(n), below="pool1")}


@pytest.mark.parametrize("way", WAYS)
def test_right_relevance_through_several_layers_is_accepted(cnn: Any, way: str) -> None:
    network, x = cnn
    rules = WAYS[way](network)
    e = explain(network, x, rules, 1)
    most = x.size // 50   # sums of both signs that nearly cancel are a few of many
    report = assert_relevance_close(e.relevance, network, x, rules, 1, undetermined=most)
    verdicts = report.compared[0].verdicts()
    assert verdicts["pass"] >= x.size - most and not verdicts["fail"]
    by_layer = assert_relevance_close(dict(e.relevances), network, x, rules, e.start, activations=e.activations,
                                      undetermined=most)
    assert [c.what for c in by_layer.compared] == [f"layer {name}" for name in reversed(network.names)]
    assert all(c.error[np.isfinite(c.radius)].max() <= c.radius[np.isfinite(c.radius)].max() for c in by_layer.compared)
    assert_relevance_close(e.relevances, network, x, rules, 1, undetermined=x.size)   # activations not given
    assert_ledger(network, x, rules, e.relevances, e.start, activations=e.activations)
    assert_ledger(network, x, rules, e.relevances, e.start)


def handed(network: Network, x: Array, rules: dict[str, Rule], which: int = 1) -> dict[str, Array]:
    """{tensor: R} by these rules, beginning with the network's own score."""
    xs = network.activations(x)
    return dict(relevances(network, xs, rules, start(xs[network.output], which)).of)


def without_bias(network: Network, name: str) -> Network:
    return network.mapped(lambda n, layer: replace(layer, bias=None) if n == name else layer)   # type: ignore[type-var]


def test_the_first_layer_that_diverges_is_named(cnn: Any) -> None:
    network, x = cnn
    rules, xs = paper_cnn(network), network.activations(x)
    R = start(xs[network.output], 1)
    theirs = relevances(without_bias(network, "conv2"), xs, rules, R).of   # below it all is off
    with fails("layer conv2 is the first to diverge: …; it looks as if the bias were ignored"):
        assert_relevance_close(theirs, network, x, rules, R, activations=xs, undetermined=x.size)
    with fails("the relevance of the image: … over 6 sigma …; it looks as if the bias were ignored, at layer conv2"):
        assert_relevance_close(theirs["input"], network, x, rules, 1)


def test_a_convention_that_is_wrong_everywhere_is_named_so(cnn: Any) -> None:
    network, x = cnn
    rules = assign(network, {Conv2D: Epsilon(0.5), Linear: Epsilon(0.5)})
    none = handed(network, x, assign(network))
    with fails("…; it looks as if there were no stabiliser, at conv1, conv2, fc"):
        assert_relevance_close(none["input"], network, x, rules, 1)


def test_what_no_convention_explains_asks_for_the_layers(cnn: Any) -> None:
    network, x = cnn
    rules = paper_cnn(network)
    with fails("…; give {tensor: its relevance} to see at which of conv1, relu1, … it begins"):
        assert_relevance_close(handed(network, x, rules)["input"] * f32(1.01), network, x, rules, 1)


def test_a_layer_without_a_bound_is_held_to_monte_carlo() -> None:
    rng = np.random.default_rng(2)
    svm = IntersectionSVM(rng.uniform(size=(7, 5)), rng.normal(size=(3, 7)), rng.normal(size=3)).astype(f32)
    network, x = Network([("svm", svm)]), rng.uniform(size=(2, 5)).astype(f32)
    rules, R = assign(network), np.array([[1, 0.5, -2], [2, 1, 3]], f32)
    e = explain(network, x, rules, R)
    assert_relevance_close(e.relevance, network, x, rules, R)
    with fails("layer svm: …"):
        assert_relevance_close(e.relevance * f32(1.001), network, x, rules, R)


# ---- The ledger ----


def test_a_bias_share_that_is_handed_down_is_named(cnn: Any) -> None:
    network, x = cnn
    rules, e = paper_cnn(network), explain(network, x, paper_cnn(network), 1)
    theirs = {**e.relevances}
    bias = e.ledger["conv2"].bias.sum(axis=(1, 2, 3))[:, None, None, None]
    below = network.reads["conv2"][0]
    some = e.relevances[below] > 0
    theirs[below] = e.relevances[below] + np.where(some, bias / some.sum(axis=(1, 2, 3), keepdims=True), 0)
    with pytest.raises(AssertionError) as caught:
        assert_ledger(network, x, rules, {k: v.astype(f32) for k, v in theirs.items()}, e.start,
                      activations=e.activations)
    assert str(caught.value).startswith("layer conv2: sample ")
    assert str(caught.value).endswith("it looks as if the bias's share were handed down too")


def test_a_sum_that_is_off_by_a_ten_thousandth_fails(cnn: Any) -> None:
    network, x = cnn
    rules = assign(network, {Conv2D: ZPlus(), Linear: ZPlus()})
    e = explain(network, x, rules, 1)
    with fails("layer conv1: sample …; the sums may differ by …"):
        assert_ledger(network, x, rules, {**e.relevances, "input": e.relevance * f32(1.0001)}, e.start,
                      activations=e.activations)


def test_a_ledger_that_cannot_be_told_fails() -> None:
    network, x, rules = cancelling()
    with fails("layer fc: sample 0 …; undetermined: the bound is infinite"):
        assert_ledger(network, x, rules, {"input": np.zeros((1, 3), f32)}, np.array([[1, 0]], f32))


# ---- The cut-off ----


@pytest.mark.parametrize(("how", "looks"), [
    (lambda n: cutoff(paper_cnn(n), below="conv2"), ""),
    (paper_cnn, "there were no cut-off"),
    (lambda n: cutoff(paper_cnn(n), below="relu2"), "conv2 itself were cut off too"),
    (lambda n: cutoff(paper_cnn(n), below="pool1"), "pool1 kept its rule"),
    (lambda n: cutoff(paper_cnn(n), below="conv2", rule=WSquare()), "the filler were WSquare()"),
    (lambda n: {**paper_cnn(n), "conv1": Flat()}, "pool1 kept its rule"),
], ids=["right", "none", "one too high", "one too low", "another filler", "no pooling"])
def test_a_cut_off_is_held_to_its_layer(cnn: Any, how: Any, looks: str) -> None:
    network, x = cnn
    theirs = handed(network, x, how(network))["input"]
    if not looks:
        assert_cutoff(theirs, network, x, paper_cnn(network), "conv2", 1)
    else:
        with fails(f"…; it looks as if {looks}"):
            assert_cutoff(theirs, network, x, paper_cnn(network), "conv2", 1)


def test_a_cut_off_layer_by_layer_names_the_layer(cnn: Any) -> None:
    network, x = cnn
    xs = network.activations(x)
    theirs = handed(network, x, paper_cnn(network))
    with fails("layer pool1 is the first to diverge: …; it looks as if there were no cut-off"):
        assert_cutoff(theirs, network, x, paper_cnn(network), "conv2", start(xs[network.output], 1),
                      activations=xs, undetermined=x.size)


# ---- What may be given ----


class Tensor:
    """What a torch tensor has in common with others of its kind."""

    def __init__(self, values: Array) -> None:
        self.values, self.detached = values, False

    def detach(self) -> "Tensor":
        tensor = Tensor(self.values)
        tensor.detached = True
        return tensor

    def cpu(self) -> "Tensor":
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        if not self.detached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.values


def test_tensors_are_taken() -> None:
    network, x, rules, R, right = one_layer_case("D2c, as ReLU networks have it")
    assert_relevance_close(Tensor(right), network, Tensor(x), rules, R)
    torch = pytest.importorskip("torch")
    assert_relevance_close(torch.tensor(right, requires_grad=True), network, torch.tensor(x), rules, torch.tensor(R))


def test_relevance_may_start_at_a_class_of_each_image() -> None:
    network = Network([("fc", Linear(np.array([[1, 2, 4], [3, -1, 0.5]], np.float32)))])
    x, rules = np.array([[3, 2], [4, 1]], np.float32), {"fc": Epsilon(0)}
    right = np.array([[6, -2], [16, 0.5]], np.float32)      # 3 * 2 - 2 of class 1, 4 * 4 + 0.5 of class 2
    assert_relevance_close(right, network, x, rules, np.array([1, 2]))
    with fails("layer fc: 2 of 4 relevances are off; worst at (1, 1): …"):
        assert_relevance_close(right, network, x, rules, 1)


def test_what_does_not_fit_is_said() -> None:
    network, x, rules, R, right = one_layer_case("D2c, as ReLU networks have it")
    shape = "but the input has shape (1, 2)"
    with refused(f"got the relevance of the input of shape (2, 1), {shape}: transpose it?"):
        assert_relevance_close(right.T, network, x, rules, R)
    with refused(f"got the relevance of the input of shape (2,), {shape}: reshape it?"):
        assert_relevance_close(right[0], network, x, rules, R)
    with refused("got the relevance of the input as int64, needed float16, float32 or float64 numbers"):
        assert_relevance_close(right.astype(int), network, x, rules, R)
    with refused("got x as object, needed float16, float32 or float64 numbers"):
        assert_relevance_close(right, network, x.astype(object), rules, R)
    with refused(f"got the activation of the input of shape (2, 1), {shape}: transpose it?"):
        assert_relevance_close(right, network, x, rules, R, activations={"input": x.T})
    with refused("got no rule for layer1: make the rules with lrp_ref.assign(network, ...)"):
        assert_relevance_close(right, network, x, {}, R)
    with refused("got numbers in weight of fc that float32 does not hold, and u=5.96e-08 is float32's: give those that "
                 "the implementation had, as .astype(numpy.float32)"):
        assert_relevance_close(right, Network([("fc", Linear(np.array([[0.1], [0.2]])))]), x, {"fc": Flat()}, R)
    with refused("got weight of fc as exact numbers, needed the floats that the implementation had"):
        exact = Network([("fc", linear([1, 2]))]).astype(Fraction)
        assert_relevance_close(right, exact, x, {"fc": Flat()}, R)
    two = Network([("fc", linear([1, 2])), ("relu1", ReLU())])
    with refused("got relevances of input, needed one of every tensor that a layer reads, 'input' and the layers' "
                 "outputs by their names: that of fc is missing"):
        assert_relevance_close({"input": right}, two, x, assign(two), R)
    with refused("got the layer name 'fc1', which the network does not have: …"):
        assert_relevance_close({"fc1": right}, two, x, assign(two), R)


def test_one_wrong_element_of_many_is_enough(cnn: Any) -> None:
    network, x = cnn
    rules = assign(network, {Conv2D: ZPlus(), Linear: ZPlus()})
    theirs = handed(network, x, rules)["input"].copy()
    at = np.unravel_index(abs(theirs).argmax(), theirs.shape)
    theirs[at] *= f32(1.0001)
    with fails(f"the relevance of the image: 1 of 360 relevances are off; worst at {tuple(map(int, at))}: …"):
        assert_relevance_close(theirs, network, x, rules, 1)


def test_hand_down_is_what_is_compared_with() -> None:
    network, x, rules, R, right = one_layer_case("D3, beta 1")
    got = through_layer(rules["layer1"], network["layer1"].astype(f64), x.astype(f64), R.astype(f64))[0]
    report = assert_relevance_close(right, network, x, rules, R)
    assert (report.compared[0].value == got).all()
