"""Arrays keep the number type they are given."""

from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from helpers import fractions, refused, types_in

from lrp_ref import arrays
from lrp_ref.arrays import (
    constant,
    convert_numbers,
    divide,
    everywhere,
    finite,
    negative,
    number_type,
    ones_like,
    plus,
    positive,
    power,
    sqrt,
    square,
    times,
    zeros,
)

NUMBERS = [np.float32, np.float64, F, Decimal]
number_types = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.__name__)


def array(number: type, values: Any = (-2, 0, 1.5)) -> arrays.Array:
    return convert_numbers(np.array(values, dtype=float), number)


# ---- Number types ----


@number_types
def test_number_type_is_the_one_class_of_all_numbers(number: type) -> None:
    assert number_type(array(number)) is number


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.float16, np.complex128, np.longdouble])
def test_other_dtypes_are_refused_with_the_cure(dtype: type) -> None:
    with refused(f"got numbers of type {np.dtype(dtype)}, needed float32, float64, "
                 "Fraction or Decimal; use x.astype(numpy.float64), or "
                 "numpy.vectorize(Fraction, otypes=[object])(x)…"):
        number_type(np.ones(2, dtype))


@pytest.mark.parametrize(("values", "names"), [
    ([F(1), 2], "Fraction, int"), ([F(1), 0.5], "Fraction, float"), ([1, 2], "int"), ([0.5], "float"),
    ([True], "bool"), ([F(1), Decimal(1)], "Decimal, Fraction"), ([], "nothing"),
])
def test_object_arrays_of_several_or_of_plain_python_types_are_refused(values: list[Any], names: str) -> None:
    with refused(f"got an object array of {names}, needed one type such as Fraction…"):
        number_type(np.array(values, dtype=object))


@number_types
@pytest.mark.parametrize("c", [0.1, np.float32(0.1), np.float64(0.1), 3, F(1, 8), Decimal("0.5")],
                         ids=lambda c: type(c).__name__)
def test_a_constant_takes_the_arrays_number_type_at_its_exact_value(c: Any, number: type) -> None:
    got = constant(c, array(number))
    assert type(got) is number
    exact = F(*c.as_integer_ratio())
    if number is F:
        assert got == exact
    elif number is Decimal:   # 0.1 has 55 digits as a decimal, more than Decimal's context of 28 keeps
        assert got == Decimal(exact.numerator) / Decimal(exact.denominator)
    else:
        assert got == number(float(exact))


def test_a_float_constant_is_no_rounded_decimal_of_itself() -> None:
    assert constant(0.1, fractions("1")) == F(3602879701896397, 36028797018963968) != F(1, 10)


@number_types
def test_an_array_of_constants_takes_the_arrays_number_type(number: type) -> None:
    got = constant(np.array([[0.5, -2]]), array(number))
    assert types_in(got) == {number} and got.tolist() == [[0.5, -2]]


@number_types
@pytest.mark.parametrize("source", NUMBERS, ids=lambda number: number.__name__)
def test_numbers_convert_to_every_type_and_keep_their_value(source: type, number: type) -> None:
    got = convert_numbers(array(source), number)
    assert types_in(got) == {number} and got.tolist() == [-2, 0, 1.5]


def test_a_third_becomes_the_nearest_float() -> None:
    assert convert_numbers(fractions("1/3"), np.float64)[0] == 1 / 3
    assert convert_numbers(fractions("1/3"), np.float32)[0] == np.float32(1 / 3)


@number_types
def test_what_is_made_from_an_array_has_its_number_type(number: type) -> None:
    x = array(number)
    for made in (zeros((2, 3), x), zeros((1,), x), positive(x), negative(x), square(x), ones_like(x), divide(x, x),
                 divide(x, ones_like(x)), times(x, x), plus(x, x)):
        assert types_in(made) == {number}


def test_zeros_of_fractions_divide_to_fractions() -> None:
    zero = zeros((2,), fractions("1"))
    assert types_in(zero / (zero + 3)) == {F}


def test_zeros_have_the_shape_asked_for_and_are_zero() -> None:
    assert zeros((2, 1, 3), fractions("7")).tolist() == [[[0, 0, 0]], [[0, 0, 0]]]
    assert zeros((2,), np.array([np.nan])).tolist() == [0, 0]


# ---- Functions of the weights ----


def test_positive_and_negative_split_at_zero() -> None:
    w = fractions("-2 0 3/2")
    assert positive(w).tolist() == [0, 0, F(3, 2)] and negative(w).tolist() == [-2, 0, 0]
    assert square(w).tolist() == [4, 0, F(9, 4)] and ones_like(w).tolist() == [1, 1, 1]


def test_ones_like_takes_no_memory_of_its_own() -> None:
    assert not any(ones_like(np.zeros((1000, 1000))).strides)


def test_division_by_zero_gives_zero_whatever_is_divided() -> None:
    assert divide(fractions("3 0 3 -4"), fractions("2 0 0 -8")).tolist() == [F(3, 2), 0, 0, F(1, 2)]
    assert divide(np.array([1.0, np.inf]), np.zeros(2)).tolist() == [0, 0]


def test_division_without_a_zero_is_division() -> None:
    assert divide(fractions("3 -1"), fractions("2 5")).tolist() == [F(3, 2), F(-1, 5)]


# ---- Shortcuts give what the operators give ----

SOME = {"ones": ones_like(fractions([[0, 0, 0]])), "one": fractions([[1]]), "zero": fractions([[0]]),
        "row": fractions([[0, 2, -3]]), "column": fractions([[1], [4]]),
        "zeros": np.broadcast_to(fractions([[0]]), (2, 3)),
        "first one": fractions([[1, 5, 6]]), "twos": np.broadcast_to(fractions([[2]]), (2, 3))}


@pytest.mark.parametrize("x", SOME.values(), ids=SOME)
@pytest.mark.parametrize("y", SOME.values(), ids=SOME)
def test_shortcuts_give_what_the_operators_give(x: Any, y: Any) -> None:
    assert np.broadcast_arrays(plus(x, y), x + y)[0].tolist() == (x + y).tolist()
    if np.broadcast_shapes(x.shape, y.shape) == x.shape:
        assert times(x, y).tolist() == (x * y).tolist()
        if not (y == 0).any():
            assert divide(x, y).tolist() == (x / y).tolist()


def test_everywhere_is_true_only_of_one_number_seen_at_every_index() -> None:
    assert everywhere(1, SOME["ones"]) and everywhere(0, SOME["zeros"]) and everywhere(1, SOME["one"])
    assert not everywhere(1, SOME["first one"]) and not everywhere(1, SOME["twos"])
    assert not everywhere(0, SOME["row"])


# ---- What is not finite, roots, powers ----


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinities_are_not_finite(bad: float) -> None:
    assert finite(np.array([1e308])) and finite(fractions("1/3"))
    assert not finite(np.array([[1.0, bad]])) and not finite(np.array([bad], np.float32))


def test_roots_of_fractions_are_exact_or_refused() -> None:
    assert sqrt(fractions("4 0 9/16")).tolist() == [2, 0, F(3, 4)]
    assert types_in(sqrt(fractions("4 9/16"))) == {F}
    for q in ("2", "1/2", "4/3"):
        with refused(f"the square root of {q} is no Fraction: use Decimal or a float…"):
            sqrt(fractions(q))


def test_powers_of_fractions_are_exact_or_refused() -> None:
    assert power(fractions("2/3 -3"), -2).tolist() == [F(9, 4), F(1, 9)]
    assert power(fractions("2"), 3.0).tolist() == [8] and power(fractions("2"), F(-1)).tolist() == [F(1, 2)]
    with refused("a Fraction to the power -0.75 is no Fraction: use Decimal or a float…"):
        power(fractions("2"), -0.75)


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal])
def test_roots_and_powers_keep_the_number_type(number: type) -> None:
    x = array(number, [2.25, 16])
    assert types_in(sqrt(x)) == {number} and sqrt(x).tolist() == [1.5, 4]
    assert types_in(power(x, -0.5)) == {number} and types_in(power(x, np.float64(-0.5))) == {number}
    assert float(power(x, -0.5)[1]) == 0.25


# ---- Floats have ways of their own, for speed ----


@pytest.mark.parametrize("number", [np.float32, np.float64], ids=lambda number: number.__name__)
@pytest.mark.parametrize("values", [[[3, 0, 1.5], [0, 2, 0.25]], [[3, 0, -1.5], [0, -2, 0.25]], [[-1, -0.5, -4]]])
def test_floats_go_another_way_to_the_numbers_of_fractions(values: Any, number: type) -> None:
    ways = {"by sign": arrays.by_sign, "sign": lambda x: [arrays.sign(x)], "finite": lambda x: [finite(x)],
            "indicator": lambda x: [arrays.indicator(x > 0, x)],
            "divide": lambda x: [divide(x - constant(5, x), x), divide(ones_like(x), x[:1])]}
    for what, way in ways.items():
        wanted, got = way(array(F, values)), way(array(number, values))
        assert len(got) == len(wanted), what
        for w, g in zip(wanted, got):
            assert getattr(g, "dtype", bool) in (number, bool), what
            assert np.array_equal(g, convert_numbers(np.asarray(w), number) if w is not True else True), what


def test_one_number_that_is_not_finite_is_found_wherever_it_is_and_large_ones_are_finite() -> None:
    for dtype in (np.float32, np.float64):
        largest = np.full((2, 3, 4), np.finfo(dtype).max, dtype)   # whose squares are none
        assert all(map(finite, (largest, largest.transpose(2, 0, 1), largest[:, ::2, 1:3])))
        for bad in (np.nan, np.inf, -np.inf):
            x = largest.copy()
            x[1, 2, 3] = bad
            assert not any(map(finite, (x, x.transpose(2, 0, 1), x[:, ::2, 1:])))
