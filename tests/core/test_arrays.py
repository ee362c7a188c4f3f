"""Arrays keep the number type they are given, and windows reach exactly the inputs they should."""

from decimal import Decimal
from fractions import Fraction as F
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from helpers import fractions, refused, types_in
from hypothesis import example, given
from hypothesis import strategies as st

from lrp_ref import arrays
from lrp_ref.arrays import (
    Window,
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


# ---- Windows ----


@pytest.mark.parametrize(("n", "size", "stride", "before", "after", "dilation", "ceil", "outputs"), [
    (7, 3, 2, 0, 0, 1, False, 3), (6, 3, 2, 0, 0, 1, False, 2),
    (6, 3, 2, 0, 0, 1, True, 3),    # hangs over by one
    (6, 3, 2, 1, 1, 1, True, 4),    # ceil(5/2) + 1
    (3, 2, 2, 1, 1, 1, True, 2),    # ceil(3/2) + 1 = 3, but the third would begin at 3 = n
    (3, 1, 3, 0, 0, 1, True, 1),    # ceil(2/3) + 1 = 2, but the second would begin at 3 = n
    (9, 3, 2, 0, 0, 3, False, 2),   # extent 7
    (5, 2, 3, 2, 0, 1, False, 2),   # rows -2, -1 and 1, 2
    (5, 2, 3, 0, 2, 1, False, 2),   # rows 0, 1 and 3, 4
    (2, 3, 1, 0, 0, 1, False, 0), (1, 5, 4, 2, 2, 1, False, 1),
    (2, 3, 2, 0, 0, 1, True, 1),    # Caffe: ceil(-1/2) + 1
])
def test_as_many_outputs_as_windows_fit(n: int, size: int, stride: int, before: int, after: int, dilation: int,
                                        ceil: bool, outputs: int) -> None:
    def window(across: int) -> Window:
        """The axis in question, and across it a window of one."""
        def both(along: int, other: int) -> tuple[int, int]:
            return (along, other) if across else (other, along)
        return Window(both(size, 1), both(stride, 1), both(before, 0), both(after, 0), both(dilation, 1), ceil)
    assert window(1).outputs((n, 4)) == (outputs, 4)
    assert window(0).outputs((4, n)) == (4, outputs)


@st.composite
def windows_and_images(draw: Any) -> tuple[Window, tuple[int, int]]:
    def two(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))
    window = Window(two(1, 3), two(1, 3), two(0, 4), two(0, 4), two(1, 2))
    image = two(1, 5)
    while min(window.outputs(image)) < 1:
        image = (image[0] + 1, image[1] + 1)
    return window, image


@given(windows_and_images())
def test_taps_read_what_the_formula_says_and_zero_in_the_padding(case: tuple[Window, tuple[int, int]]) -> None:
    window, (height, width) = case
    x = np.arange(1.0, height * width + 1).reshape(1, height, width)
    outputs = window.outputs((height, width))
    taps = list(window.taps(window.spread(x), outputs))
    assert len(taps) == window.size[0] * window.size[1]
    for n, tap in enumerate(taps):
        t, u = divmod(n, window.size[1])
        for v in range(outputs[0]):
            for h in range(outputs[1]):
                y = v * window.stride[0] + t * window.dilation[0] - window.before[0]
                z = h * window.stride[1] + u * window.dilation[1] - window.before[1]
                inside = 0 <= y < height and 0 <= z < width
                assert tap[0, v, h] == (x[0, y, z] if inside else 0)


@given(windows_and_images())
def test_what_is_inside_the_frame_is_the_image(case: tuple[Window, tuple[int, int]]) -> None:
    window, image = case
    x = np.arange(1.0, image[0] * image[1] + 1).reshape(1, *image)
    assert window.inside(window.spread(x, 99), image).tolist() == x.tolist()


@given(windows_and_images())
@example((Window((2, 3), (1, 2), (1, 1), (1, 1)), (1, 4)))    # every strip reaches the whole image
@example((Window((1, 1), (1, 1), (3, 0), (4, 0)), (2, 3)))    # strips wholly in the padding, above and below
def test_every_strip_of_output_rows_is_a_window_of_its_own(case: tuple[Window, tuple[int, int]]) -> None:
    window, image = case
    x = np.arange(1.0, image[0] * image[1] + 1).reshape(1, *image)
    rows, columns = window.outputs(image)
    whole = [tap.tolist() for tap in window.taps(window.spread(x), (rows, columns))]
    for first, last in combinations(range(rows + 1), 2):
        reach, strip = window.strip(first, last, image[0])
        part = x[:, reach]
        assert strip.outputs(part.shape[1:]) == (last - first, columns)
        taps = strip.taps(strip.spread(part), (last - first, columns))
        assert [tap.tolist() for tap in taps] == [[tap[0][first:last]] for tap in whole]


@number_types
def test_frames_are_of_the_images_number_type(number: type) -> None:
    x = array(number, [[[1, 2]]])
    for fill in (0, -3, x.min()):
        framed = Window((1, 2), (1, 1), (1, 0), (0, 2)).spread(x, fill)
        assert types_in(framed) == {number} and framed[0].tolist() == [[fill] * 4, [1, 2, fill, fill]]
