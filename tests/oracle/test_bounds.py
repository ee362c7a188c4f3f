"""The exact value lies within the bound, and so does every evaluation: any order of sums, float32 and float64."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from lrp_ref import (
    AdaptiveAvgPool,
    AlphaBeta,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flatten,
    Gamma,
    Linear,
    ReLU,
    SpreadLinear,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
)
from lrp_ref.arrays import Array, convert_numbers, same
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks import one_layer
from lrp_ref.checks.claims.by_loops import defined, defined_step, units
from lrp_ref.checks.claims.examples import LAYERS, RATIONAL, RULES, takes
from lrp_ref.checks.rounding.arithmetic import arithmetic
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.sums import added
from lrp_ref.layers import IntersectionSVM
from lrp_ref.layers.base import Roundings
from lrp_ref.layers.pool import Pool
from lrp_ref.linear_map import Term
from lrp_ref.rules import Flat, Rule
from lrp_ref.step import step

F, f32, f64 = Fraction, np.float32, np.float64


# ---- Numbers that are hard ----


def tame(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(size=shape)


def whole(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Ties, zeros, sums that cancel exactly."""
    return rng.integers(-3, 4, shape).astype(float)


def cancelling(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Sums that nearly cancel: numbers near 1 and -1."""
    return rng.choice([-1.0, 1.0], shape) * (1 + 2.0**-20 * rng.normal(size=shape))


def wide(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Twelve orders of magnitude, and zeros."""
    return rng.choice([-1.0, 0.0, 1.0, 1.0], shape) * 10.0 ** rng.uniform(-6, 6, shape)


def tiny(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 2.0**-40 * tame(rng, shape)


def subnormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Below float32's smallest normal number, 2^-126; their products vanish."""
    return 2.0**-149 * rng.integers(-2000, 2000, shape)


def vanishing(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal numbers whose products are subnormal and lose most of their digits."""
    return 2.0**-69 * tame(rng, shape)


KINDS = {kind.__name__: kind for kind in (tame, whole, cancelling, wide, tiny, subnormal, vanishing)}


def hard(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """float32 numbers of that kind."""
    return KINDS[kind](rng, shape).astype(f32)


def rationals(x: Any) -> Array:
    return convert_numbers(x, F)


def with_numbers(layer: Any, kind: str, rng: np.random.Generator) -> Any:
    """The layer with hard weights; statistics stay as they are."""
    layer = layer.astype(f32)
    new = {name: hard(kind, rng, array.shape) for name, array in layer.arrays().items() if name in ("weight", "bias")}
    if isinstance(layer, BatchNorm):
        new = {"variance": np.array([4, 2.25, 0.0625], f32)}   # whose roots are rational
    return replace(layer, **new) if new else layer


# ---- Evaluations ----


def loops(rule: Rule, m: by_loops.Map, a: dict[Any, Any], R: dict[Any, Any], number: Any) -> dict[Any, Any]:
    """The definition, in that number type and the order of its connections."""
    match rule:
        case Epsilon():
            return by_loops.epsilon(m, a, R, number(rule.epsilon)).relevance
        case AlphaBeta():
            return by_loops.alpha_beta(m, a, R, number(rule.alpha), number(rule.beta)).relevance
        case Gamma():
            return by_loops.gamma(m, a, R, number(rule.gamma)).relevance
        case ZBox():
            low, high = ([number(bound)] * 9 for bound in (rule.low, rule.high))
            return by_loops.z_box(m, a, R, low, high).relevance
        case ZPlus():
            return by_loops.z_plus(m, a, R).relevance
        case WSquare():
            return by_loops.w_square(m, a, R).relevance
        case Winner():
            return by_loops.winner(m, a, R).relevance
    return by_loops.flat(m, a, R).relevance


def evaluations(rule: Rule, layer: Any, x: Array, R: Array) -> Iterator[tuple[str, Array]]:
    """The layer's relevance in x's floats: as matrix products, and by loops forwards and backwards (one sample)."""
    a, m = layer.linearize(x)
    yield "matrix products", step(rule, m, a, R)[0]
    if not isinstance(layer, (BatchNorm, AdaptiveAvgPool)):
        defined_map = defined(layer, x[0])
        turned = replace(defined_map, connections={j: c[::-1] for j, c in defined_map.connections.items()})
        for order, its_map in (("loops", defined_map), ("loops backwards", turned)):
            R_i = loops(rule, its_map, units(x[0]), units(R[0]), x.dtype.type)
            yield order, np.array([[R_i.get(unit, 0) for unit in np.ndindex(*x.shape[1:])]], x.dtype).reshape(x.shape)


def distance(computed: Array, exact: Array) -> Array:
    """|computed - exact| as Fractions; infinite where it was not computed."""
    return np.vectorize(lambda c, e: abs(F(float(c)) - e) if np.isfinite(c) else F(10) ** 400, otypes=[object])(
        computed, exact)


def within(computed: Array, exact: Array, radius: Array) -> bool:
    return all(r == np.inf or d <= F(r) for d, r in zip(distance(computed, exact).flat, radius.flat.__iter__()))


OF_CNNS = [name for name, example in RATIONAL.items()     # they take any numbers and stay rational
           if isinstance(example.layer, (Linear, Conv2D, Pool, AdaptiveAvgPool, ReLU, Flatten, BatchNorm))
           and not isinstance(example.layer, SpreadLinear)]
COMBINATIONS = [(name, rule) for name in OF_CNNS for rule in RULES
                if takes(RATIONAL[name].map(samples=1)[1], RULES[rule])]


def check(layer: Any, rule: Rule, x: Array, R: Array, kind: str = "") -> tuple[Array, Array]:
    """All that is claimed, of one layer and one sample; the bound at float32 and the error of float32."""
    bound = one_layer(rule, layer, x, R)
    double = one_layer(rule, layer, x, R, 2.0**-53)
    exact_layer = layer.astype(F)
    a, m = exact_layer.linearize(rationals(x))
    exact = step(rule, m, a, rationals(R))[0]
    assert within(bound.value, exact, bound.exact), kind
    if not isinstance(layer, AdaptiveAvgPool):
        by_definition = defined_step(rule, defined(exact_layer, rationals(x)[0]), rationals(x)[0], rationals(R)[0])
        assert units(exact[0]) == by_definition.relevance, kind
    with np.errstate(all="ignore"):
        for how, computed in evaluations(rule, layer, x, R):
            assert within(computed, exact, bound.rounding), (kind, how)
            assert (abs(computed - bound.value) <= bound.radius)[np.isfinite(bound.radius)].all(), (kind, how)
        for how, computed in evaluations(rule, layer.astype(f64), x.astype(f64), R.astype(f64)):
            assert within(computed, exact, double.rounding), (kind, how)
        once = next(evaluations(rule, layer, x, R))[1]
    return bound.rounding, distance(once, exact)


@pytest.mark.parametrize(("name", "rule"), COMBINATIONS)
def test_the_exact_value_and_every_evaluation_lie_within_the_bound(name: str, rule: str) -> None:
    for n, kind in enumerate(KINDS):
        rng = np.random.default_rng([COMBINATIONS.index((name, rule)), n])
        layer, shape = with_numbers(RATIONAL[name].layer, kind, rng), (1, *RATIONAL[name].shape)
        x = hard(kind, rng, shape)
        R = hard("tame" if kind == "subnormal" else kind, rng, layer.output_shape(shape))
        R.flat[0] = 0
        check(layer, RULES[rule], x, R, kind)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(COMBINATIONS), *[st.sampled_from(list(KINDS))] * 3)
def test_mixtures_of_hard_numbers_lie_within_the_bound(seed: int, which: Any, w: str, a: str, r: str) -> None:
    rng, example = np.random.default_rng(seed), RATIONAL[which[0]]
    layer, shape = with_numbers(example.layer, w, rng), (1, *example.shape)
    check(layer, RULES[which[1]], hard(a, rng, shape), hard(r, rng, layer.output_shape(shape)))


@pytest.mark.parametrize(("name", "rule"), [
    (name, rule) for name in ("BatchNorm, epsilon", "LRN, Caffe", "LRN, Caffe, taylor")
    for rule in ("Epsilon(0)", "Epsilon(1/4)", "AlphaBeta(2, 1)", "Gamma(1/4)", "Flat", "Pass")
    if rule != "Pass" or not name.endswith("taylor")])
def test_layers_with_roots_and_powers_lie_within_the_bound(name: str, rule: str) -> None:
    example, rng = LAYERS[name], np.random.default_rng(3)
    layer = example.layer.astype(f32)
    x = hard("tame", rng, (1, *example.shape))
    R = hard("tame", rng, x.shape)
    bound = one_layer(RULES[rule], layer, x, R)
    with localcontext(prec=60):
        a, m = layer.astype(Decimal).linearize(convert_numbers(x, Decimal))
        exact = step(RULES[rule], m, a, convert_numbers(R, Decimal))[0]
    exact = np.vectorize(F, otypes=[object])(exact)
    assert within(bound.value, exact, bound.exact + 1e-40)   # sixty digits are not all
    assert within(step(RULES[rule], *layer.linearize(x)[::-1], R)[0], exact, bound.rounding)
    assert np.isfinite(bound.rounding).mean() > 0.8


# ---- How tight, and where there is none ----


def over_estimates(kind: str) -> Array:
    """Bound over error of float32, wherever float32 errs."""
    out = []
    for n, (name, rule) in enumerate(COMBINATIONS):
        rng = np.random.default_rng(n)
        layer, shape = with_numbers(RATIONAL[name].layer, kind, rng), (1, *RATIONAL[name].shape)
        x, R = hard(kind, rng, shape), hard(kind, rng, layer.output_shape(shape))
        bound = one_layer(RULES[rule], layer, x, R)
        error = abs(step(RULES[rule], *layer.linearize(x)[::-1], R)[0] - bound.value)
        some = (error > 0) & np.isfinite(bound.rounding)
        out.append(bound.rounding[some] / error[some])
    return np.concatenate(out)


@pytest.mark.parametrize("kind", ["tame", "whole", "tiny", "cancelling", "wide"])
def test_half_of_the_bounds_are_less_than_a_hundred_times_the_error(kind: str) -> None:
    # each sum's bound is its length times the roundoff where the error is near the root of it: 29 to 46 times here
    assert 1 < np.median(over_estimates(kind)) < 100


def test_on_layers_of_lenets_size_half_are_less_than_ten_thousand_times_the_error_under_every_rule() -> None:
    rng = np.random.default_rng(1)
    layers = {Conv2D(rng.normal(size=(16, 6, 5, 5)), rng.normal(size=16)): (1, 6, 12, 12),
              Linear(rng.normal(size=(400, 120)), rng.normal(size=120)): (1, 400)}
    for layer, shape in layers.items():
        small = layer.astype(f32)
        for rule in (Epsilon(0), Epsilon(0.01), AlphaBeta(2, 1), ZPlus(), Gamma(0.25), ZBox(0, 6), WSquare(), Flat()):
            for x in (np.maximum(hard("tame", rng, shape), 0) for _ in range(3)):
                R = small(x)
                bound = one_layer(rule, small, x, R)
                error = abs(step(rule, *small.linearize(x)[::-1], R)[0] - bound.value)
                assert (error <= bound.radius).all() and np.isfinite(bound.radius).all()
                # sums of 400 and their cancellation, forwards and backwards
                assert np.median(bound.rounding[error > 0] / error[error > 0]) < 1e4, rule


def test_a_sum_in_the_worst_order_nearly_reaches_its_bound_and_never_passes_it() -> None:
    # every sum of 1 and a little more than half a last place goes up by almost half a last place; then -1 cancels
    little, many = 2.0**-24 * (1 + 2.0**-10), 400
    addends = np.array([1.0, *[little] * many, -1.0], f32)
    sums = f32(0)
    for addend in addends:
        sums = sums + addend
    x, m = np.ones((1, many + 2)), Linear(addends[:, None].astype(f64)).linearize(np.ones((1, many + 2)))[1]
    z = added(m, [(Term(x, same, m.bias), Ball.exact(x))], np.zeros((1, 1)), Roundings())
    error, bound = abs(float(sums) - many * little), z.error(arithmetic(2.0**-24)).item()
    assert 0.95 * bound < error <= bound     # and of |1| + |-1| half, for no partial sum is larger


def linear(weight: list[float], bias: float = 0) -> Linear:
    return Linear(np.array(weight, f32)[:, None], np.array([bias], f32))


def radius_of(rule: Rule, layer: Any, x: list[float], R: float = 1, u: float = 2.0**-24) -> list[float]:
    return one_layer(rule, layer, np.array([x], f32), np.array([[R]], f32), u).rounding[0].tolist()


def test_a_sum_of_whole_numbers_has_no_error_and_its_sign_is_known() -> None:
    layer = linear([3, -2, 5], 1)
    assert radius_of(Epsilon(0), layer, [1, 2, 0]) == [0, 0, 0]                  # z = 0 hands nothing down
    # sign(0) = +1: at most 2 * -2 / 0.5 = -8, within a dozen roundings; were the sign not known, it would be +-8
    assert max(radius_of(Epsilon(0.5), layer, [1, 2, 0])) < 12 * 2.0**-24 * 8
    assert max(radius_of(Gamma(0.5), layer, [1, 2, 0])) == 0


def test_a_denominator_that_may_be_0_leaves_its_inputs_undetermined() -> None:
    layer = linear([0.1, -0.1, 2.0], 0)    # products of 24 digits each, which rounding may or may not cancel
    assert radius_of(Epsilon(0), layer, [0.3, 0.3, 0]) == [np.inf] * 3       # 0 times infinity too
    assert radius_of(Epsilon(0.5), layer, [0.3, 0.3, 0])[0] == np.inf            # which side the stabiliser is on
    assert radius_of(Gamma(0.5), layer, [0.3, 0.3, 0])[0] == np.inf              # which shares
    assert radius_of(Epsilon(0), layer, [0.3, 0.3, 0], R=0) == [0, 0, 0]
    assert np.isfinite(radius_of(Epsilon(0), layer, [0.3, 0.3, 0.1])).all()


def test_the_bound_shrinks_with_the_unit_roundoff() -> None:
    layer = linear([0.1, -0.7, 2.0], 0.3)
    radii = [radius_of(AlphaBeta(2, 1), layer, [0.3, 0.2, -1], u=u)[0] for u in (2.0**-11, 2.0**-24, 2.0**-53)]
    assert radii[0] / radii[1] == pytest.approx(2.0**13, rel=0.01, abs=0)   # gamma_k = k u / (1 - k u): 2^-11 times 15
    assert radii[1] / radii[2] > 2.0**29       # and products of float32 numbers are exact in float64


def test_numbers_beyond_the_format_have_no_bound() -> None:
    layer = linear([1e30, 1], 0)
    assert radius_of(Epsilon(0), layer, [1e30, 1])[0] == np.inf
    assert np.isfinite(radius_of(Epsilon(0), layer, [1e30, 1], u=2.0**-53)).all()


@pytest.mark.parametrize("u", [0.5, 0, 2.0**-60, "float32"])
def test_a_unit_roundoff_out_of_range_is_refused(u: Any) -> None:
    with refused(f"got u={u!r}, needed a unit roundoff from 2**-53 (float64) up to below 1/2, such as 2**-24"):
        radius_of(Epsilon(0), linear([1]), [1], u=u)


def test_weights_without_an_error_of_their_own_size_are_refused_where_a_rule_asks_for_them() -> None:
    svm = IntersectionSVM(np.array([[1.0, 2.0]]), np.array([[1.0]]), np.array([0.5]))
    x, R = np.array([[1.0, 3.0]]), np.array([[2.0]])
    with refused("no bound: the layer computes its weights from sums that may cancel, so …"):
        one_layer(Epsilon(0), svm, x, R)
    assert np.isfinite(one_layer(Flat(), svm, x, R).radius).all()


class OverFive(Epsilon):
    """R_i = sum_j a_i w_ij / 5 R_j"""

    def shares(self, m: Any, a: Array) -> Any:
        return [replace(super().shares(m, a)[0], over=0 * m(a) + 5)]


def test_a_denominator_that_is_not_the_terms_sum_has_no_bound() -> None:
    with refused("no bound: OverFive(epsilon=0) divides by a number that is not the sum of its terms"):
        one_layer(OverFive(0), linear([1, 2]), np.array([[3.0, 5.0]]), np.array([[1.0]]))
