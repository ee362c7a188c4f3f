"""No bound is NaN and none is wrong, whatever the numbers: the largest, the smallest, zeros of both signs, ties."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from test_bounds import rationals, within

from lrp_ref import LRN, AdaptiveAvgPool, BatchNorm, Epsilon, Flatten, Gamma, Linear, Network, ReLU, SignedSqrt, explain
from lrp_ref.arrays import Array, same
from lrp_ref.checks import bounds, one_layer
from lrp_ref.checks.claims.examples import LAYERS, RATIONAL, RULES, takes
from lrp_ref.checks.rounding.arithmetic import FLOAT32, FLOAT64, Outside, quiet
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.rules import Flat
from lrp_ref.step import step
from lrp_ref.testing import assert_ledger, assert_relevance_close

f32, f64 = np.float32, np.float64
EXTREMES = {f64: (1.7976931348623157e308, 1e308, 1e200, 1e154, 3.5, 1.0, 0.0, 1e-154, 2.2250738585072014e-308, 5e-324),
            f32: (3.4028235e38, 1e38, 1e19, 3.5, 1.0, 0.0, 1e-19, 1.1754944e-38, 1e-45)}
U = {f64: 2.0**-53, f32: 2.0**-24}
WITH_A_BOUND = [name for name, example in LAYERS.items() if not example.layer.astype(f64).roundings.unknown]
SEEDS = 25


def extreme(number: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A few extreme numbers of either sign, many times each: so that there are ties, and sums that cancel."""
    few = rng.choice(EXTREMES[number], rng.integers(1, 5)) * rng.choice([1, -1], 1 if rng.integers(2) else 4)[0]
    return (rng.choice(few, shape) * rng.choice([1, 1, -1], shape)).astype(number)


def a_case(name: str, number: Any, rng: np.random.Generator) -> tuple[Any, Array, Array]:
    """The example's layer, often with extreme parameters; an input, often extreme; extreme relevance."""
    example = LAYERS[name]
    layer, shape = example.layer.astype(number), (1, *example.shape)
    if rng.integers(2):
        layer = replace(layer, **{key: extreme(number, rng, array.shape) for key, array in layer.arrays().items()
                                  if key in ("weight", "bias", "mean", "scale", "shift")})
    x = example.suited(extreme(number, rng, shape) if rng.integers(3) else rng.normal(size=shape).astype(number))
    return layer, x, extreme(number, rng, layer.output_shape(shape))


@pytest.mark.parametrize("number", [f32, f64])
@pytest.mark.parametrize("name", WITH_A_BOUND)
def test_no_radius_is_nan_and_what_is_computed_lies_within_it(name: str, number: Any) -> None:
    rng = np.random.default_rng(WITH_A_BOUND.index(name))
    for _ in range(SEEDS):
        with np.errstate(all="ignore"):
            layer, x, R = a_case(name, number, rng)
            a, m = layer.linearize(x)
            rule = rng.choice([rule for rule in RULES.values() if takes(m, rule)])
            computed = step(rule, m, a, R)[0]
            bound = one_layer(rule, layer, x, R, U[number])
        for radius, values in ((bound.exact, bound.value), (bound.rounding, computed), (bound.radius, computed)):
            assert not np.isnan(radius).any() and (radius >= 0).all()
            assert (np.isfinite(values) | (radius == np.inf)).all()
        if name in RATIONAL and np.isfinite(x).all() and not isinstance(layer, (BatchNorm, SignedSqrt)):   # their roots
            a, m = layer.astype(Fraction).linearize(rationals(x))
            exact = step(rule, m, a, rationals(R))[0]
            assert within(bound.value, exact, bound.exact) and within(computed, exact, bound.rounding)


@pytest.mark.parametrize("number", [f32, f64])
def verdict(check: Any, *given: Any, **named: Any) -> str:
    """passed, or what is wrong: the numbers are off, or undetermined."""
    try:
        check(*given, **named)
    except AssertionError as error:
        return "undetermined" if "undetermined" in str(error) else "off"
    return "passed"


@pytest.mark.parametrize("number", [f32, f64])
def test_our_own_answers_pass_or_are_undetermined_and_others_never_pass(number: Any) -> None:
    seen = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        with np.errstate(all="ignore"):
            try:
                layer, x, _ = a_case(WITH_A_BOUND[seed % len(WITH_A_BOUND)], number, rng)
                network = Network([("it", layer), ("relu", ReLU()), ("flat", Flatten())])
                lowest = rng.choice([rule for rule in RULES.values() if takes(layer.linearize(x)[1], rule)])
                rules = {"it": lowest, "relu": RULES["Epsilon(1/4)"], "flat": RULES["Pass"]}
                e = explain(network, x, rules, extreme(number, rng, network.shapes(x.shape)[network.output]))
            except ValueError:   # what overflows is refused
                continue
            rest, here = (e.start, U[number]), {"activations": e.activations}
            other = {name: R + abs(R) + number(7e30) for name, R in e.relevances.items()}
            ours = (verdict(assert_relevance_close, e.relevances, network, x, rules, *rest, **here),
                    verdict(assert_ledger, network, x, rules, e.relevances, *rest, **here))
            assert "off" not in ours
            seen += [*ours, verdict(assert_relevance_close, other, network, x, rules, *rest, **here)]
            assert seen[-1] != "passed"
    assert seen.count("passed") > 20 and seen.count("off") > 20


def test_a_large_relevance_at_a_closed_gate_has_a_bound() -> None:
    network, x, R = Network([("relu", ReLU())]), np.array([[-1.0, 2.0]]), np.array([[1e308, 1e307]])
    rules = {"relu": Epsilon(1)}
    e = explain(network, x, rules, R)
    assert np.isfinite(one_layer(Epsilon(1), ReLU(), x, R, U[f64]).radius).all()
    assert_ledger(network, x, rules, e.relevances, R, U[f64])
    assert_relevance_close(e.relevance, network, x, rules, R, U[f64])
    with pytest.raises(AssertionError, match="are off"):
        assert_relevance_close(np.array([[7e300, e.relevance[0, 1]]]), network, x, rules, R, U[f64], undetermined=2)


def test_a_sum_over_samples_may_overflow_where_no_relevance_does() -> None:
    network, x, R = Network([("relu", ReLU())]), np.ones((1, 4)), np.full((1, 4), 1.5e308)
    e = explain(network, x, {"relu": Flat()}, R)
    assert_ledger(network, x, {"relu": Flat()}, e.relevances, R, U[f64])
    with pytest.raises(AssertionError, match="the sums may differ"):
        assert_ledger(network, x, {"relu": Flat()}, {"input": e.relevance * (1 - 1e-12)}, R, U[f64])


@pytest.mark.parametrize(("layer", "rule", "x", "why"), [
    (LRN(1, 1, 2, 1), Epsilon(0), np.full((1, 1, 1, 1), 1e100), "its square's fourth power overflows: the weight is 0"),
    (LRN(1, 1, 2, 1), Epsilon(0), np.full((1, 1, 1, 1), 1e200), "its square overflows"),
    (LRN(1, 1, 1, 1, taylor=True), Epsilon(0), np.full((1, 1, 1, 1), 1e-200), "the slope's product vanishes"),
    (AdaptiveAvgPool(1), Epsilon(0), np.full((1, 1, 2, 2), 1e308), "the sum overflows before it is divided"),
    (Linear(np.array([[1.7e308], [1.0]])), Gamma(1), np.array([[0.0, 1.0]]), "w + gamma w overflows, and 0 times it"),
    (BatchNorm(*np.array([[0.0], [1e4], [5e-324], [1.0]])), Epsilon(0), np.ones((1, 1)), "scale / deviation vanishes"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_where_an_evaluation_leaves_the_format_there_is_no_bound(layer: Any, rule: Any, x: Array, why: str) -> None:
    with np.errstate(all="ignore"):
        assert (one_layer(rule, layer, x, np.ones(layer.output_shape(x.shape)), U[f64]).radius == np.inf).any()


def test_an_infinite_radius_says_where_it_comes_from() -> None:
    network = Network([("fc", Linear(np.array([[1e30], [1e-30]]))), ("relu", ReLU())])
    found = bounds(network, np.array([[2e-30, 0.0]]), {"fc": Flat(), "relu": Epsilon(1)}, np.array([[1e308]]))
    assert found.radius.tolist() == [[np.inf, np.inf]] and found.relative == np.inf   # 2 times 1e308
    assert str(found).splitlines()[1]== (
        "layer relu: the radius is infinite below output unit (0, 0), where the numbers overflow")


def test_a_ball_around_what_is_not_known_is_the_whole_line() -> None:
    ball = Ball.around(np.array([1.0, np.inf, np.nan, 1e308]), np.array([np.inf, 1.0, 1.0, 1e308]))
    assert (ball.low == -np.inf).all() and ball.high[:3].tolist() == [np.inf] * 3
    assert ball.radius.tolist() == [np.inf] * 4 and ball.size.tolist() == [np.inf] * 4


def test_the_smallest_normal_numbers_are_those_of_ieee() -> None:
    assert [FLOAT32.least, FLOAT64.least] == [float(np.finfo(number).smallest_normal) for number in (f32, f64)]
    outside = Outside(same, FLOAT32.least, FLOAT32.largest)
    assert outside(np.array([0, 1e-38, -2e-38, 1.0, -4e38])).tolist() == [0, 1, 0, 0, 1]


def test_what_is_quiet_gives_the_same_and_warns_of_nothing() -> None:
    with np.errstate(over="raise"):
        assert quiet(lambda x: x * x)(np.array([1e200])).item() == np.inf
