"""The array code is the definition by loops, in fractions, whatever the geometry and the numbers."""

from math import inf
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_as_defined, mixed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    L2Norm,
    Linear,
    MaxPool,
    Network,
    Pass,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    explain,
)
from lrp_ref.checks.claims.by_loops import defined, units
from lrp_ref.checks.claims.examples import RATIONAL, Example, relevance_for, takes
from lrp_ref.layers import LAYERS as TYPES
from lrp_ref.layers import KernelSVM
from lrp_ref.layers.fisher.norms import pythagorean, signed_squares
from lrp_ref.layers.fisher.pmeans import two_with_a_rational_mean_square
from lrp_ref.rules import Rule

NO_EXACT_FORM = [kind for kind in TYPES.values() if not kind.example().rational]


@pytest.mark.parametrize("name", ["Linear", "Conv2D", "AvgPool", "BatchNorm", "LRN, taylor"])
def test_z_box_with_bounds_by_channel_is_its_definition(name: str) -> None:
    layer, x = RATIONAL[name].at(F)
    channels = x.shape[1]
    low, high = np.array([-1, -4, 0, -2, -3][:channels]), np.array([5, 3, 9, 4, 0][:channels])
    assert_as_defined(layer, ZBox(low, high), x, relevance_for(layer(x)))
    assert_as_defined(layer, ZBox(mixed((channels,), 1) - 6, mixed((channels,), 2) + 6), x, relevance_for(layer(x)))


# ---- Any geometry, any numbers ----


@st.composite
def layers(draw: Any) -> Example:
    """A layer of any type and geometry, and a sample shape that it takes."""
    def whole(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    def two(low: int, high: int) -> tuple[int, int]:
        return whole(low, high), whole(low, high)

    def numbers(*shape: int) -> Any:
        return mixed(shape, whole(0, 999))

    kind = draw(st.sampled_from([kind for kind in TYPES.values() if kind not in NO_EXACT_FORM]))
    channels, size, stride = whole(1, 2), two(1, 3), two(1, 3)
    pad = whole(0, size[0] - 1), whole(0, size[1] - 1)
    image = (channels, size[0] + whole(0, 2), size[1] + whole(0, 2))
    if kind in (Linear, SpreadLinear):
        i, j = two(1, 4)
        return Example(kind(numbers(i, j), numbers(j) if draw(st.booleans()) else None),
                       (whole(1, 2), i) if draw(st.booleans()) else (i,))
    if kind is Conv2D:
        groups, outputs, dilation, pad = whole(1, 2), whole(1, 2), two(1, 2), two(0, 3)
        bias = numbers(groups * outputs) if draw(st.booleans()) else None
        layer = Conv2D(numbers(groups * outputs, channels, *size), bias, stride, pad, dilation, groups)
        rows, columns = (max(1, extent - 2 * p) + whole(0, 2) for extent, p in zip(layer.window.extent, pad))
        return Example(layer, (groups * channels, rows, columns))
    if kind is MaxPool:
        return Example(MaxPool(size, stride, pad, draw(st.booleans())), image)
    if kind is AvgPool:
        return Example(AvgPool(size, stride, pad, draw(st.booleans()), draw(st.booleans())), image)
    if kind is SumPool:
        return Example(SumPool(size, stride, F(whole(1, 4), 3)), image)
    if kind is AdaptiveAvgPool:
        return Example(AdaptiveAvgPool(two(1, 4)), image)
    if kind is BatchNorm:
        roots = numbers(channels) ** 2 + F(0)
        variance = np.where(roots == 0, F(4, 9), roots)
        return Example(BatchNorm(numbers(channels), variance, numbers(channels), numbers(channels), epsilon=0), image)
    if kind is LRN:
        window = draw(st.sampled_from([1, 3, 5]))
        layer = LRN(window, F(whole(0, 6), 3), whole(1, 2), whole(1, 2), draw(st.booleans()))
        return Example(layer, (whole(1, 4), *size))
    if kind is SignedSqrt:
        return Example(SignedSqrt(), image, signed_squares)
    if kind is L2Norm:
        parts = whole(1, 3)
        return Example(L2Norm(parts), (whole(1, 2), 2 * parts), pythagorean)
    if kind is RegionMean:
        regions = whole(1, 3)
        return Example(RegionMean(abs(numbers(regions))), (regions * whole(1, 3),))
    if kind is PMeans:
        p, l, d = draw(st.sampled_from([1, 2, inf])), whole(1, 4), whole(1, 3)
        return Example(PMeans(p), *((2, d), two_with_a_rational_mean_square) if p == 2 else ((l, d), abs))
    if issubclass(kind, KernelSVM):
        vectors, dimensions, classes = whole(1, 3), whole(1, 4), whole(1, 2)
        machine = kind(abs(numbers(vectors, dimensions)), numbers(classes, vectors), numbers(classes))
        return Example(machine, (dimensions,), abs)
    if kind in (ReLU, Flatten):
        return Example(kind(), image)
    own = kind.example()
    return Example(own.layer.astype(F), own.shape, own.suited)


fifths = st.integers(0, 10).map(lambda n: F(n, 5))
rules = st.one_of(
    st.builds(Epsilon, fifths), st.builds(lambda beta: AlphaBeta(1 + beta, beta), fifths), st.just(ZPlus()),
    st.builds(Gamma, fifths), st.builds(ZBox, fifths.map(lambda n: -n), fifths), st.just(WSquare()), st.just(Flat()),
    st.just(Winner()), st.just(Pass()),
)
seeds = st.integers(0, 999)

TIES = Example(MaxPool((2, 3), (1, 2), (1, 1), ceil=True), (1, 3, 4))


@settings(max_examples=250)
@given(layers(), rules, seeds, seeds)
@example(TIES, Winner(), 0, 0)
@example(Example(Conv2D(mixed((1, 1, 1, 1), 1), mixed((1,), 2), pad=2), (1, 1, 2)), Gamma(F(1)), 0, 1)
def test_any_rule_on_any_layer_is_its_definition(case: Example, rule: Rule, seed: int, other: int) -> None:
    layer, x = case.at(F, 1, seed)
    if not takes(layer.linearize(x)[1], rule):
        rule = Epsilon(0)
    outputs = layer(x)
    assert units(outputs[0]) == defined(layer, x[0]).output
    assert_as_defined(layer, rule, x, relevance_for(outputs, other))


@settings(max_examples=60)
@given(layers(), rules, seeds)
def test_any_rule_on_inputs_with_many_ties_and_zeros_is_its_definition(case: Example, rule: Rule, seed: int) -> None:
    layer = case.layer
    rng = np.random.default_rng(seed)
    x = case.suited(np.vectorize(F, otypes=[object])(rng.choice([-1, 0, 0, 1], (1, *case.shape))))
    if not takes(layer.linearize(x)[1], rule):
        rule = Flat()
    assert_as_defined(layer, rule, x, relevance_for(layer(x), seed))


@settings(max_examples=25)
@given(st.lists(rules, min_size=3, max_size=3), seeds, seeds)
def test_a_network_is_its_layers_definitions_one_after_another(chosen: list[Rule], seed: int, other: int) -> None:
    stack: list[Any] = [("conv", Conv2D(mixed((2, 1, 2, 2), seed), mixed((2,), other), pad=(0, 1))), ("relu", ReLU()),
                        ("pool", MaxPool((2, 2), 1)), ("flat", Flatten()), ("fc", Linear(mixed((12, 2), other)))]
    network, x = Network(stack), mixed((1, 1, 4, 3), seed)
    xs = network.activations(x)
    given_rules = iter(chosen)
    table: dict[str, Rule] = {}
    for (name, layer), a in zip(network, xs.values()):
        m = layer.linearize(a)[1]
        rule = next(given_rules) if name in ("conv", "pool", "fc") else Pass()
        table[name] = rule if takes(m, rule) else Epsilon(F(1, 5))
    R = relevance_for(xs["fc"], other)
    e = explain(network, x, table, R)
    for name, layer, (t,) in reversed(network.nodes):
        assert_as_defined(layer, table[name], xs[t], R)
        R = e.relevances[t]
    assert (e.relevance == R).all()
