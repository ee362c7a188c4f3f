"""What comes in as an array or a number is one, or is refused in words that say what it was: at every door."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import fractions, refused

from lrp_ref import (
    AvgPool,
    BatchNorm,
    Conv2D,
    DenseSift,
    Epsilon,
    FisherVector,
    Linear,
    MaxPool,
    Model,
    Multiply,
    Network,
    Pass,
    Preprocessing,
    ReLU,
    ZBox,
    assign,
    cutoff,
    explain,
    heatmap,
)
from lrp_ref.arrays import Array, as_array, is_number, to_number
from lrp_ref.checks import bounds, monte_carlo, one_layer
from lrp_ref.checks.claims.examples import LAYERS
from lrp_ref.hints import listed, shown
from lrp_ref.layers import LRN, AdaptiveAvgPool
from lrp_ref.testing import assert_ledger, assert_relevance_close

NETWORK, X = Network([("fc", Linear(np.ones((3, 2)))), ("relu", ReLU())]), np.ones((1, 3))
RULES = assign(NETWORK)


class Sparse:
    def toarray(self) -> Array:
        return X


class Tensor:
    """A torch tensor of a type that NumPy has not."""

    dtype = "torch.bfloat16"

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError("Got unsupported ScalarType BFloat16")


NO_ARRAYS = {   # and the word by which they are refused
    "masked": (np.ma.masked_array(X, [[0, 1, 0]]), "MaskedArray"),
    "mask of nothing": (np.ma.masked_array(X, False), "Masked"),
    "masked in a list": ([np.ma.masked_array(X[0])], "MaskedArray"), "matrix": (np.asmatrix(X), "matrix"),
    "sparse": (Sparse(), "toarray"), "none": (None, "array"), "bfloat16": (Tensor(), r"bfloat16.*\.float\(\)"),
    "rows of two lengths": ([[1.0, 2.0], [3.0]], "list"),
    "explanation": (explain(NETWORK, X), r"Explanation.*\.relevance"),
    "objects, no numbers": (np.full((1, 3), None), "NoneType.*number|object.*numbers"), "text": ("text", "<U4"),
    "whole numbers": (np.ones((1, 3), int), "int64"), "a function": (len, "builtin_function"),
    "network": (NETWORK, "Network"),
}
MAY_BE_NONE = ("Linear bias", "Conv2D bias", "GaussianSVM root")
DOORS: dict[str, Callable[[Any], object]] = {
    "explain": lambda x: explain(NETWORK, x), "network(x)": NETWORK, "bounds": lambda x: bounds(NETWORK, x),
    "assert_relevance_close": lambda x: assert_relevance_close(x, NETWORK, X, RULES, u=2.0**-53),
    "assert_ledger": lambda x: assert_ledger(NETWORK, X, RULES, {"fc": x, "relu": x}, u=2.0**-53),
    "their activations": lambda x: assert_ledger(NETWORK, X, RULES, {}, u=2.0**-53, activations={"fc": x}),
}
for name in ("Linear", "Conv2D", "BatchNorm", "FisherVector", "RegionMean", "IntersectionSVM", "GaussianSVM"):
    for array in LAYERS[name].layer.arrays():
        if array != "regions":   # a bool or an int is a number there
            DOORS[f"{name} {array}"] = lambda x, layer=LAYERS[name].layer, array=array: replace(layer, **{array: x})


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", NO_ARRAYS)
def test_what_is_no_array_is_refused_by_its_name_at_every_door(door: str, what: str) -> None:
    given, word = NO_ARRAYS[what]
    if given is None and door in MAY_BE_NONE:
        return
    with pytest.raises(ValueError, match=word) as caught:
        DOORS[door](given)
    assert len(str(caught.value)) <= 500 and "astype(" not in str(caught.value).replace("x.astype(numpy.float64)", "")


@pytest.mark.parametrize("given", [[[1, 2]], [[1.0, 2.0]], ((1.0, 2.0),)])
def test_lists_and_tensors_are_the_arrays_of_their_numbers(given: Any) -> None:
    assert as_array(given).shape == (1, 2)
    assert Linear([[1.0, 2.0]]).weight.shape == (1, 2) and heatmap([[[[1, 2]], [[3, 4]]]]).tolist() == [[[4, 6]]]


def test_what_is_no_network_is_told_what_to_do() -> None:
    class Module:
        state_dict = None
    module: Any = Module()
    for call in (lambda: explain(module, X), lambda: assign(module), lambda: bounds(module, X)):
        with refused("got a Module, needed a Network: use lrp_ref.convert.from_torch"):
            call()
    with refused("got a ndarray, needed a Network: use Network([…"):
        explain(X, X)   # type: ignore[arg-type]
    with refused("got 5, needed rules of every layer, assign(network)"):
        explain(NETWORK, X, 5)   # type: ignore[arg-type]
    with refused("got None, needed rules of every layer, …"):
        cutoff(None, "fc")   # type: ignore[arg-type]


def test_a_model_a_network_or_a_rule_alone_is_told_what_to_do_with_it() -> None:
    model = Model(NETWORK, (), Preprocessing((1, 1)))
    with refused("got a Model, needed a Network: use model.network(x.shape), or model.explain(photograph)"):
        explain(model, X)   # type: ignore[arg-type]
    with refused("got Epsilon(epsilon=0.5) alone, needed a rule for every layer: assign(network, "
                 "Epsilon(epsilon=0.5)) gives it …"):
        explain(NETWORK, X, Epsilon(0.5))   # type: ignore[arg-type]
    with refused("got a Network, needed the rules of every layer: assign(network), or a preset such as …"):
        cutoff(NETWORK, "fc")   # type: ignore[arg-type]
    assert assign(NETWORK, Epsilon(0.5)) == {"fc": Epsilon(0.5), "relu": Pass()}
    assert assign(NETWORK, Epsilon(0.5), first=Epsilon(2)) == {"fc": Epsilon(2), "relu": Pass()}


@pytest.mark.parametrize("both", [[np.zeros((3, 2))] * 2, ["one.png"], (Path("one.png"), Path("two.png"))])
def test_several_photographs_are_prepared_one_by_one(both: Any) -> None:
    with refused(f"the photograph is a {type(both).__name__} of {len(both)}, needed one: prepare each, and join …"):
        Model(NETWORK, (), Preprocessing((1, 3))).prepare(both)
    assert Model(NETWORK, (), Preprocessing((1, 3))).prepare([[0.0, 0.5, 1.0]]).tolist() == [[[[0, 0.5, 1]]]]


def test_a_half_precision_tensor_is_told_in_torchs_words() -> None:
    class Half(Tensor):
        dtype = "torch.float16"

        def __array__(self, *_: Any, **__: Any) -> Array:
            return np.ones((1, 3), np.float16)
    with refused("got a Half of torch.float16, needed float32 or float64: use x.float() or x.double()"):
        explain(NETWORK, Half())   # type: ignore[arg-type]


def test_what_a_network_an_explanation_and_a_ledger_show_is_short() -> None:
    e = explain(NETWORK, np.array([[1.0, 2.0, -0.5]] * 4))
    assert repr(NETWORK) == "Network(fc Linear, relu ReLU)"
    assert repr(e) == ("Explanation(relevance (4, 3), scores (4, 2): 0 2.5, 1 2.5; 0 2.5, 1 2.5; 0 2.5, 1 2.5; ... of "
                       "4 inputs; relevances and activations of 3 tensors: input, fc, relu; print(e.ledger))")
    assert repr(e.ledger) == str(e.ledger) and repr(e.ledger).startswith(" " * 6 + "    sum |R|")
    assert e._repr_html_().count("<pre>") == 1 and "sum |R|" in e._repr_html_()
    many = Network([(f"layer {n}", ReLU()) for n in range(3000)])
    assert len(repr(many)) < 300 and len(repr(explain(many, np.ones((2, 2, 3)), target=np.ones((2, 2, 3))))) < 500


NO_NUMBERS = (None, "1", True, np.nan, np.inf, -np.inf, Fraction(10**400), Decimal("NaN"), Decimal("sNaN"), 10**5000,
              np.array(1.0), [1.0], (1, 2, 3), 1j, np.longdouble(2), object(), "x" * 2000, "\x1b[2J")
ALLOWED: dict[str, tuple[Any, ...]] = {
    "p": (np.inf,), **dict.fromkeys(("sizes", "shape", "axes", "before", "after"), ((1, 2, 3),))}


@pytest.mark.parametrize("value", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_every_parameter_of_every_layer_and_rule_is_checked(value: Any) -> None:
    assert not is_number(value)
    for example in LAYERS.values():
        layer = example.layer.astype(np.float64)
        for field in fields(layer):
            may_be = getattr(layer, field.name) is None or isinstance(getattr(layer, field.name), np.ndarray)
            flag = isinstance(field.default, bool) and isinstance(value, bool)
            allowed = value in ALLOWED.get(field.name, ()) if isinstance(value, (float, tuple)) else (
                value is None and field.name in ("smoothing", "bounds", "stride", "low", "high", "start", "stop"))
            if not (may_be or flag or allowed):
                with pytest.raises(ValueError, match=type(layer).__name__) as caught:
                    replace(layer, **{field.name: value})
                assert len(str(caught.value)) <= 500 and all(c.isprintable() or c == "\n" for c in str(caught.value))
    with pytest.raises(ValueError, match=r"^Epsilon got epsilon="):
        Epsilon(value)
    with pytest.raises(ValueError, match=r"^ZBox"):
        ZBox([value, [1.0]], 1)


def test_numbers_of_every_kind_are_taken_and_held_or_refused() -> None:
    assert all(is_number(one) for one in (0, 1.5, Fraction(1, 3), Decimal("0.1"), np.float32(1), np.int8(2), 5e-324))
    assert is_number(1, 1) and not is_number(1, above=1) and not is_number(1, below=1) and not is_number(0, 1)
    with refused("got the number 1e+300, which float32 does not hold: …"):
        to_number(1e300, np.float32)
    with refused("got the number …, which float64 does not hold: …"):
        to_number(10**400, np.float64)
    assert to_number(np.inf, np.float32) == np.inf
    with refused("got the number type 5, needed numpy.float32, numpy.float64, Fraction or Decimal"):
        NETWORK.astype(5)   # type: ignore[arg-type]


@pytest.mark.parametrize("number", [Fraction, Decimal])
@pytest.mark.parametrize("c", [float("nan"), np.float32("-inf"), Decimal("NaN"), Decimal("Infinity"), Decimal("sNaN")],
                         ids=str)
def test_what_is_not_finite_is_no_exact_number(c, number):
    with refused(f"got the number …, which {number.__name__} does not hold, needed a finite one"):
        to_number(c, number)


def test_regions_of_a_fisher_vector_that_are_not_finite_are_refused_in_our_words():
    plain = FisherVector(fractions("1"), fractions("2")[None], fractions("3")[None])
    with refused("got the number nan, which Fraction does not hold, needed a finite one"):
        replace(plain, regions=np.array([np.nan, 0.0]))


@pytest.mark.parametrize("make", [
    lambda: LRN(10**12 + 1, 1, 1, 1), lambda: MaxPool(10**9), lambda: MaxPool((60000, 60000), pad=59999),
    lambda: Conv2D(np.ones((1, 1, 1, 1)), pad=60000)(np.ones((1, 1, 2, 2))), lambda: AvgPool(2, stride=10**9),
    lambda: AdaptiveAvgPool(60000)(np.ones((1, 1, 2, 2))),
    lambda: LRN(4095, 1, 1, 1, taylor=True)(np.ones((1, 9, 99, 99)))])
def test_sizes_are_checked_before_anything_is_made(make: Any) -> None:
    with pytest.raises(ValueError, match="needed at most"):
        make()


def test_a_network_of_many_layers_or_of_strange_names_is_told_in_few_words() -> None:
    many = Network([(f"layer {n}", ReLU()) for n in range(5000)])
    for call in (lambda: many["no"], lambda: cutoff(assign(many), "no"), lambda: explain(many, X, {}),
                 lambda: explain(many, X, dict(reversed(assign(many).items())))):
        with pytest.raises(ValueError, match=r"in all\)") as caught:
            call()
        assert len(str(caught.value)) <= 500
    for name in ("", "a\x1b", "x" * 101):
        with refused(f"Network got the name {shown(name)}, needed 1 to 100 printable characters"):
            Network([(name, ReLU())])


def test_what_is_shown_is_short_and_can_be_printed() -> None:
    assert shown("a\x1b\u202e") == r"'a\x1b\u202e'" and len(shown("x" * 1000)) == 80
    assert shown("x" * 99, 9) == "'xxxxx..." and shown(10**5000) == "a int that cannot be shown"
    assert listed("abc") == "a, b, c" and listed(["x" * 90] * 9) == f"{'x' * 90}, {'x' * 90}, ... (9 in all)"


def test_decimals_that_leave_their_range_are_told_with_the_layers_name() -> None:
    network = Network([("fc", Linear(np.array([[Decimal("1e999999")]])))])
    with refused("layer fc: its numbers end in Overflow: are they too large?"):
        explain(network, np.array([[Decimal("1e999999")]]))


def test_dense_sift_refuses_numbers_whose_squares_overflow() -> None:
    with refused("DenseSift got numbers up to 1e+300, needed grey in [0, 1]: divide them by what white is"):
        DenseSift(2, 3)(np.full((1, 1, 8, 8), 1e300))


def test_one_layer_says_what_does_not_fit() -> None:
    with refused("got R of shape (1, 3), needed that of the layer's outputs, (1, 2)"):
        one_layer(Epsilon(0), Linear(np.ones((3, 2))), X, X)
    with refused("got 'no', needed a layer such as Linear(weight)"):
        one_layer(Epsilon(0), "no", X, X)   # type: ignore[arg-type]


# ---- Near misses: a note ----


def test_a_box_that_does_not_hold_the_input_is_noted_with_the_layers_name() -> None:
    network = Network([("fc", Linear(np.array([[1.0], [1.0], [-1.0]]), np.array([10.0])))])
    x = np.array([[-1.5, 1.0, 0.25]])
    with pytest.warns(UserWarning, match=r"^layer fc: 1 of 3 inputs, which go from -1.5 to 1, lie outside the box"):
        explain(network, x, {"fc": ZBox(0, 1)}, 0)
    with pytest.warns(UserWarning, match="^layer fc: 2 of 3 inputs"):
        explain(network, x, {"fc": ZBox(np.array([-2.0, 0, 1]), np.array([-1.6, 2, 3]))}, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explain(network, x, {"fc": ZBox(-1.5, 1)}, 0)


def test_weights_of_a_mixture_have_the_sum_1() -> None:
    means = np.zeros((2, 3))
    with refused("FisherVector got weights whose sum is 40.0, needed those of a mixture, whose …"):
        FisherVector(np.array([10.0, 30.0]), means, means + 1)
    half = Network([("fisher", FisherVector(np.array([0.25, 0.25]), means, means + 1))])   # Gaussians were left out
    with pytest.warns(UserWarning, match="layer fisher: FisherVector got weights whose sum is 0.5, and not 1"):
        Model(half, (), Preprocessing((1, 1)))
    assert FisherVector(np.array([0.25, 0.7501]), means, means + 1).weights.sum() != 1


def test_infinite_parameters_of_norms_are_refused() -> None:
    ones = np.ones(2)
    with refused("LRN got alpha=inf, k=1, needed alpha >= 0 and k > 0"):
        LRN(3, np.inf, 1, 1)
    with refused("BatchNorm got a smallest variance of 1.0 with epsilon=inf, needed …"):
        BatchNorm(ones, ones, ones, ones, np.inf)


def test_powers_sizes_and_runs_have_limits() -> None:
    with refused("LRN got beta=1000000000, needed a number of less than 1000, as 0.75"):
        LRN(3, 1, 10**9, 1)
    with refused("DenseSift got sizes=…, needed pixels per bin, at most 64 ints of at least 1: (4, 6)?"):
        DenseSift(tuple(range(1, 66)), 3)
    network = Network([("relu", ReLU())])
    for runs, seed in ((0, 0), (2.5, 0), (10**7, 0), (1, -1), (1, None)):
        with refused("monte_carlo got runs=…, needed 1 to 1000000 runs and a seed of at least 0, whole numbers"):
            monte_carlo(network, np.ones((1, 2)), runs=runs, seed=seed)   # type: ignore[arg-type]


@pytest.mark.parametrize("name", LAYERS)
def test_a_shape_that_a_layer_cannot_take_is_refused_in_our_words(name: str) -> None:
    for shape in ((), (2,), (2, 3), (2, 3, 4), (0,), (2, 0, 3, 4)):
        with suppress(ValueError):
            LAYERS[name].layer.output_shape(shape)


def test_numbers_beyond_all_floats_are_told_in_a_line() -> None:
    huge = fractions([[10**400, 10**400]])[0]
    with refused("Multiply got shares array([Fraction(1000…, needed (K,) numbers that sum to 1"):
        Multiply(huge)
    with refused("FisherVector got weights whose sum is …, needed those of a mixture, whose …"):
        FisherVector(huge, fractions([[1], [2]]), fractions([[1], [1]]))
    with refused("…, needed …"):
        relu = Network([("relu", ReLU())])
        assert_relevance_close(np.ones((1, 2)), relu, np.ones((1, 2)), {"relu": Pass()}, [[1], [1, 2]])


@pytest.mark.parametrize("smoothing", [5e-324, Fraction(1, 10**400), 1e-9])
def test_an_image_is_not_blurred_over_more_than_a_thousand_bins(smoothing: Any) -> None:
    with refused("DenseSift got smoothing=…, needed a number of at least 0.0009765625"):
        DenseSift((2, 1), 3, smoothing)


def test_numbers_beyond_all_floats_are_explained_and_shown():
    """Of exact numbers, which have no largest: a rule's doubt, the ledger in per cent, and the scores."""
    large = Fraction(10) ** 400
    network = Network([("fc", Linear(np.array([[Fraction(1), Fraction(-3)], [Fraction(2), Fraction(1)]])))])
    with pytest.warns(UserWarning, match="2 of 2 inputs, which go from -inf to inf, lie outside the box"):
        boxed = explain(network, np.array([[large, -large]]), assign(network, ZBox(-4, 5)))
    assert "inf" in repr(boxed)
    exact = explain(network, np.array([[large, large]]), assign(network, Epsilon(0)))
    # 3 10^400 = 10^400 + 2 10^400: all of it is handed down.
    assert exact.relevance.tolist() == [[large, 2 * large]]
    lines = str(exact.ledger).splitlines()
    assert lines[1].split() == ["fc", "inf", *["100.000%"] * 2, *["0.000%"] * 3] and exact.ledger.brief()
