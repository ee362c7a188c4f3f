"""Guarded Fractions never become floats; maps are frozen at their exact value; a Decimal counts when two runs agree."""

from collections.abc import Callable
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import types_in

from lrp_ref import (
    Conv2D,
    Epsilon,
    FisherVector,
    GaussianSVM,
    L2Norm,
    Linear,
    MaxPool,
    Network,
    ReLU,
    SignedSqrt,
    Tanh,
    explain,
)
from lrp_ref.arrays import (
    constant,
    convert_numbers,
    divide,
    is_fraction,
    number_type,
    ones_like,
    power,
    sign,
    sqrt,
    zeros,
)
from lrp_ref.checks.claims.examples import IRRATIONAL, LAYERS, RULES, mixed, takes
from lrp_ref.checks.numbers.exact import GuardedFraction, exact, exact_map, guarded, settled
from lrp_ref.step import step

G = GuardedFraction
X = guarded([["17/90", 2], [-1, "0"]])

# ---- Guarded Fractions ----


def test_arrays_are_made_from_ints_fractions_and_texts() -> None:
    assert X.tolist() == [[Fraction(17, 90), 2], [-1, 0]] and types_in(X) == {G}
    assert guarded([np.int64(3), Fraction(1, 3), G(2)]).tolist() == [3, Fraction(1, 3), 2]


@pytest.mark.parametrize("number", [0.1, np.float32(0.1), np.float64(0.1)], ids=repr)
def test_a_float_among_exact_numbers_is_refused_with_the_fraction_it_may_mean(number: Any) -> None:
    with pytest.raises(ValueError, match=r'^got the float .* among exact numbers, needed .*: write "1/10", or'):
        guarded([1, number])


KEEPS: dict[str, Callable[[Any], Any]] = {
    "x + 1": lambda x: x + 1, "1 + x": lambda x: 1 + x, "x - 1": lambda x: x - 1, "1 - x": lambda x: 1 - x,
    "x * 2": lambda x: x * 2, "2 * x": lambda x: 2 * x, "x / 3": lambda x: x / 3, "3 / x": lambda x: 3 / x,
    "x ** 3": lambda x: x**3, "x ** -2": lambda x: x**-2, "-x": lambda x: -x, "+x": lambda x: +x, "abs x": abs,
    "x + Fraction": lambda x: x + Fraction(1, 3), "Fraction - x": lambda x: Fraction(1, 3) - x,
    "Fraction * x": lambda x: Fraction(1, 3) * x, "Fraction / x": lambda x: Fraction(1, 3) / x,
    "x + x": lambda x: x + x, "x * x": lambda x: x * x, "x / x": lambda x: x / x, "True * x": lambda x: True * x,
}


@pytest.mark.parametrize("operation", KEEPS.values(), ids=KEEPS)
def test_arithmetic_is_that_of_fractions_and_stays_guarded(operation: Callable[[Any], Any]) -> None:
    for text in ("-17/90", "3/2", "5"):
        result = operation(G(text))
        assert type(result) is G and result == operation(Fraction(text))


@pytest.mark.parametrize("other", [0.5, np.float64(0.5), np.float32(0.5), 1j], ids=repr)
@pytest.mark.parametrize("operation", ["x + c", "c + x", "x - c", "c - x", "x * c", "c * x", "x / c", "c / x",
                                       "x ** c"])
def test_arithmetic_with_a_float_raises_and_names_it(operation: str, other: Any) -> None:
    with pytest.raises(TypeError, match="would turn exact arithmetic into floats; make it GuardedFraction"):
        eval(operation, {"x": G("17/90"), "c": other})
    with pytest.raises(TypeError, match="would turn exact arithmetic into floats"):
        eval(operation, {"x": X + 3, "c": other})


@pytest.mark.parametrize("operation", ["x ** y", "2 ** y", "2.0 ** y"])
def test_powers_that_are_no_fractions_raise(operation: str) -> None:
    with pytest.raises(TypeError, match="no Fraction"):
        eval(operation, {"x": G(2), "y": G("1/2")})


def test_guarded_fractions_compare_with_ints_floats_and_themselves() -> None:
    assert G("1/2") < 1 <= G(1) == Fraction(1) and G("1/2") == 0.5 and G("1/10") != 0.1 and hash(G("1/2")) == hash(0.5)
    assert repr(G("1/2")) == "GuardedFraction('1/2')" and eval(repr(G("-1/2"))) == G("-1/2")


def test_made_deliberately_from_a_float_it_is_the_rational_that_float_is() -> None:
    assert G(0.1) == Fraction(0.1) != Fraction(1, 10) and constant(0.1, X) == Fraction(0.1)


def test_the_arrays_helpers_keep_them_guarded() -> None:
    square = X * X
    results = [sign(X), divide(X, X), zeros((2, 3), X), ones_like(X), sqrt(square), power(X, 2), np.maximum(X, 0 * X),
               X @ X, convert_numbers(np.array([0.5, 3.0]), G)]
    assert set.union(*map(types_in, results)) == {G} and is_fraction(X) and number_type(X) is G
    assert (sqrt(square) == abs(X)).all()


def test_every_layer_and_rule_keeps_them_guarded() -> None:
    seen = set()
    for name, example in LAYERS.items():
        a, m = example.map(samples=1)
        for rule in RULES.values():
            if takes(m, rule):
                R = mixed(m.apply(a, ones_like).shape, 9)
                below, account = step(rule, m, a, R)
                assert set.union(*map(types_in, (below, *account.parts()))) == {G}, (name, rule)
                seen.add(name)
    assert seen == set(LAYERS)


def test_a_float_that_slips_into_a_layer_raises_instead_of_spoiling_the_proof() -> None:
    _, m = Linear(guarded([["1"], ["2"]])).linearize(guarded([["3", "4"]]))
    with pytest.raises(TypeError, match="would turn exact arithmetic into floats"):
        step(Epsilon(0), m, np.array([[0.5, 4.0]]), guarded([["5"]]))


# ---- At the door ----


def test_a_network_of_fractions_refuses_a_float_image_and_says_so() -> None:
    network = Network([("conv", Conv2D(guarded([[[["1", "-1/2"]]]]))), ("relu", ReLU())])
    with pytest.raises(ValueError, match=r"^got an input of float64 for a network of GuardedFraction: use network"):
        explain(network, np.ones((1, 1, 2, 3)), target=guarded([[["1"]]]))
    with pytest.raises(ValueError, match=r"^got an input of float64 for a network of Fraction: use network\.astype"):
        explain(network.astype(Fraction), np.ones((1, 1, 2, 3)))


@pytest.mark.parametrize(("name", "layer", "cure"), [
    ("tanh", Tanh(), "use float64"), ("root", SignedSqrt(), "use Decimal or a float"),
    ("norm", L2Norm(), "use Decimal or a float"),
    ("svm", GaussianSVM(guarded([["1", "2"]]), guarded([["1"]]), guarded(["0"]), guarded(["0", "0"]), gamma=1),
     "use Decimal or a float"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_layer_without_an_exact_form_names_itself_and_suggests_what_to_use(name: str, layer: Any, cure: str) -> None:
    network = Network([("fc", Linear(guarded([["1", "2"], ["3", "5"]]))), (name, layer)])
    with pytest.raises(ValueError, match=f"^layer {name}: {type(layer).__name__} has no exact form.*{cure}"):
        explain(network, guarded([["1", "1/2"]]), target=0)


def test_a_fisher_vector_in_fractions_names_itself_and_suggests_decimals() -> None:
    mixture = FisherVector(guarded(["1/4", "3/4"]), guarded([["1", "2"], ["0", "1"]]), guarded([[1, 4], [1, 1]]))
    network = Network([("fisher", mixture)])
    with pytest.raises(ValueError, match=r"^layer fisher: FisherVector has no exact form, .*: use Decimal or a float"):
        explain(network, guarded([[["1", "2"], ["3", "1"]]]), target=0)
    exact = explain(network.astype(Decimal), convert_numbers(np.array([[[1.0, 2.0], [3.0, 1.0]]]), Decimal), target=0)
    assert types_in(exact.relevance) == {Decimal}


# ---- Maps frozen to rationals ----


@pytest.mark.parametrize("name", [*IRRATIONAL, "MaxPool", "Conv2D", "AvgPool", "AdaptiveAvgPool", "LRN, taylor"])
def test_a_frozen_map_has_the_very_numbers_of_the_float_map(name: str) -> None:
    example = LAYERS[name]
    x = convert_numbers(example.x(seed=3), np.float64)
    layer = example.layer.astype(np.float64)
    (a, m), (b, frozen) = layer.linearize(x), exact_map(layer, x)
    assert types_in(b) == {G} and (b == a).all()
    z = frozen.apply(b, ones_like)
    assert types_in(z) == types_in(frozen.bias) == {G} and (frozen.bias == m.bias).all()
    if name == "FisherVector":     # the weights psi follow from its posteriors, which are what floats computed
        assert (frozen.posteriors == m.posteriors).all() and types_in(frozen.posteriors) == {G}  # type: ignore
    elif name != "DenseSift":      # which has none
        assert types_in(frozen.weight) == {G} and (frozen.weight == m.weight).all()
        # the sums are exact: floats are off by a few parts in 2^53 (2.8 at most here)
        assert (abs(frozen(b).astype(float) - m(a)) <= 8 * 2.0**-53 * (1 + abs(m(a)))).all()


def test_freezing_forgets_products_that_were_computed_in_floats() -> None:
    layer, x = Conv2D(np.array([[[[0.1, 0.2]]]])), np.array([[[[1.0, -3.0, 2.0]]]])
    m = layer.linearize(x)[1]
    m.apply_each(x, [abs, np.negative])
    frozen = exact(m)
    assert m.stacks and not frozen.stacks     # type: ignore[attr-defined]
    assert types_in(frozen.apply(convert_numbers(x, G), abs)) == {G}


def test_a_pooling_keeps_one_array_where_it_had_one() -> None:
    weights = exact_map(MaxPool(2), np.array([[[[1.0, 2.0], [2.0, 0.0]]]]))[1].weights     # type: ignore[attr-defined]
    assert [w.item() for w in weights] == [0, G("1/2"), G("1/2"), 0]


# ---- Decimals at two precisions ----


def test_a_value_counts_where_both_precisions_round_to_one_float() -> None:
    precisions = []

    def compute() -> Any:
        precisions.append(getcontext().prec)
        return np.array([Decimal(2).sqrt(), Decimal(1) / 3])

    assert settled(compute).tolist() == [2**0.5, 1 / 3] and precisions == [34, 50]
    assert getcontext().prec == 28


def test_a_value_that_cancels_all_digits_does_not_count_and_is_named() -> None:
    def compute() -> Any:
        third = Decimal(1) / 3
        return np.array([[third, Decimal(10) ** 40 + third - Decimal(10) ** 40]])

    with pytest.raises(ValueError, match=r"^unit \(0, 1\) rounds to .*0\.0.* at 34 digits and to .*0\.333.* at 50"):
        settled(compute)


def test_runs_of_two_shapes_or_with_nan_do_not_count() -> None:
    with pytest.raises(ValueError, match=r"^got shapes"):
        settled(lambda: np.array([Decimal(1)] * (getcontext().prec // 10)))
    with pytest.raises(ValueError, match=r"^unit \(\) rounds to"):
        settled(lambda: np.array(Decimal("NaN")))
