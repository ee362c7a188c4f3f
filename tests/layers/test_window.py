"""Windows reach exactly the inputs they should, padded or in strips."""

from decimal import Decimal
from fractions import Fraction as F
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from helpers import types_in
from hypothesis import example, given
from hypothesis import strategies as st

from lrp_ref import arrays
from lrp_ref.arrays import (
    convert_numbers,
)
from lrp_ref.layers.window import Window

NUMBERS = [np.float32, np.float64, F, Decimal]
number_types = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.__name__)


def array(number: type, values: Any = (-2, 0, 1.5)) -> arrays.Array:
    return convert_numbers(np.array(values, dtype=float), number)


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


@given(windows_and_images())
@example((Window((2, 3), (1, 1), (1, 0), (1, 2)), (1, 4)))
@example((Window((3, 2), (1, 1), (1, 1), (4, 2), (2, 1)), (4, 3)))
@example((Window((3, 2), (1, 1), (4, 1), (4, 2), (2, 1)), (4, 3)))   # the third output column sees padding alone
def test_a_window_turned_sees_the_outputs_that_see_the_input(case: tuple[Window, tuple[int, int]]) -> None:
    window, (height, width) = case
    rows, columns = window.outputs((height, width))
    least = [min(k - 1 - p for p in pads) for k, *pads in zip(window.extent, window.before, window.after)]
    assert (window.turned is not None) == (window.stride == (1, 1) and min(least) >= 0)
    if window.turned:
        x, v = (np.arange(1.0, h * w + 1).reshape(1, h, w) for h, w in ((height, width), (rows, columns)))
        seen = [tap[0] for tap in window.taps(window.spread(x), (rows, columns))]
        assert window.turned.outputs((rows, columns)) == (height, width)
        back = list(window.turned.taps(window.turned.spread(v), (height, width)))
        for there, here in zip(seen, back[::-1], strict=True):
            assert {(i, j) for i, j in zip(there.flat, v.flat) if i} == {(i, j) for i, j in zip(x.flat, here.flat) if j}


@number_types
def test_frames_are_of_the_images_number_type(number: type) -> None:
    x = array(number, [[[1, 2]]])
    for fill in (0, -3, x.min()):
        framed = Window((1, 2), (1, 1), (1, 0), (0, 2)).spread(x, fill)
        assert types_in(framed) == {number} and framed[0].tolist() == [[fill] * 4, [1, 2, fill, fill]]
