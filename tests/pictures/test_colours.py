"""How relevance is scaled and coloured: the limit, the stops, what the colour-blind see."""

from fractions import Fraction

import numpy as np
import pytest

from lrp_ref.pictures.colours import COLOURS, colour, limit_of, parts

NEUTRAL = {"paper": (110, 215, 120), "safe": (247, 247, 247)}


# ---- Scale ----


def test_the_limit_is_the_largest_relevance_of_either_sign():
    assert limit_of(np.array([[0.5, -3, 2]])) == 3
    assert limit_of(np.array([[0.5, 0.25]])) == 0.5


def test_several_maps_share_the_largest_of_all():
    assert limit_of(np.array([[1, -2]]), np.array([[0.5], [7], [-4]])) == 7


def test_a_percentile_is_taken_of_the_absolute_values():
    # |R| sorted: 0 1 2 3 4; three quarters of the way is 3.
    assert limit_of(np.array([[-3, 0, 4, 1, -2]]), percentile=75) == 3


def test_fractions_have_a_limit_too():
    assert limit_of(np.array([[Fraction(-3, 4), Fraction(1, 2)]], dtype=object)) == 0.75


def test_a_percentile_that_would_clip_everything_is_refused():
    with pytest.raises(ValueError, match=r"percentile 50 of \|relevance\| is 0, as 75 % of it is 0: take a higher one"):
        limit_of(np.array([[0, 0, 0, 5]]), percentile=50)


@pytest.mark.parametrize("percentile", [0, -5, 100.5, float("nan")])
def test_a_percentile_outside_0_to_100_is_refused(percentile):
    with pytest.raises(ValueError, match=r"percentile .* is not above 0 and at most 100"):
        limit_of(np.ones((2, 3)), percentile=percentile)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_not_finite_is_refused_with_the_place(wrong):
    values = np.array([[1, 2, 3], [4, 5, wrong]])
    for use in (limit_of, lambda map_: colour(map_, 2)):
        with pytest.raises(ValueError, match=r"the map holds .* at row 1, column 2 \(1 such pixels\), but every"):
            use(values)


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (0, 3)])
def test_a_map_has_rows_and_columns(shape):
    with pytest.raises(ValueError, match=r"got a map of shape .* but needs \(H, W\), not empty"):
        limit_of(np.zeros(shape))


@pytest.mark.parametrize("limit", [-1, np.nan, np.inf])
def test_a_limit_that_is_no_scale_is_refused(limit):
    with pytest.raises(ValueError, match=r"limit .* is no scale, needed 0 or a positive number"):
        colour(np.ones((2, 3)), limit)


def test_values_beyond_the_limit_are_clipped():
    np.testing.assert_array_equal(parts(np.array([[-8, -1, 0, 2, 6]]), 4), [[-1, -0.25, 0, 0.5, 1]])


# ---- Colours ----


def test_the_papers_colours_are_blue_green_yellow_and_dark_red():
    got = colour(np.array([[-2.0, 0, 0.5, 2]]), 2)
    np.testing.assert_array_equal(got, [[(0, 0, 120), (110, 215, 120), (250, 235, 30), (120, 0, 0)]])
    assert got.dtype == np.uint8


def test_between_two_stops_the_colour_is_mixed():
    # 1/8 lies half way from (110, 215, 120) to (250, 235, 30).
    np.testing.assert_array_equal(colour(np.array([[1.0]]), 8), [[(180, 225, 75)]])
    # 1/100 is 4 % of that way: (115.6, 215.8, 116.4), to the nearest byte.
    np.testing.assert_array_equal(colour(np.array([[1.0]]), 100), [[(116, 216, 116)]])


def test_beyond_the_limit_the_colour_is_the_ends():
    np.testing.assert_array_equal(colour(np.array([[-9, 9]]), 2, "safe"), [[(24, 72, 127), (121, 53, 12)]])


@pytest.mark.parametrize("colours", COLOURS)
def test_a_map_of_zeros_is_neutral(colours):
    zeros = np.zeros((2, 3))
    np.testing.assert_array_equal(colour(zeros, limit_of(zeros), colours), np.full((2, 3, 3), NEUTRAL[colours]))


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("size", [1e-320, 1e-30, 1e300])
def test_the_size_of_the_relevance_does_not_matter(colours, size):
    # Doubling and quartering are exact even where numbers are subnormal; the ends are the stops themselves.
    values = np.array([[-4.0, 0, 4]])
    np.testing.assert_array_equal(colour(values * size, 4 * size, colours), colour(values, 4, colours))


@pytest.mark.parametrize("colours", COLOURS)
def test_fractions_and_floats_have_the_same_colours(colours):
    exact = np.array([[Fraction(-1, 2), Fraction(1, 4)]], dtype=object)
    np.testing.assert_array_equal(colour(exact, 1, colours), colour(np.array([[-0.5, 0.25]]), 1, colours))


def test_unknown_colours_are_refused():
    with pytest.raises(ValueError, match=r"colours 'jet' are not known: choose one of paper, safe"):
        colour(np.ones((2, 3)), 1, "jet")


def lightness(rgb):
    """CIE L* of sRGB bytes (..., 3): 0 black to 100 white."""
    linear = np.where(rgb <= 0.04045 * 255, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, (29 / 3) ** 3 * luminance)


def test_the_safe_colours_darken_with_relevance_and_alike_on_both_sides():
    steps = np.linspace(0, 1, 101)
    up, down = (lightness(colour(sign * steps[None], 1, "safe")[0].astype(float)) for sign in (1, -1))
    assert (np.diff(up) < 0).all()
    assert (np.diff(down) < 0).all()
    # Two units of L* are about what an eye tells apart.
    assert np.abs(up - down).max() < 2


def test_the_safe_colours_differ_for_the_colour_blind():
    # Blue and orange are told apart by the blue cones, which are there in all but the rarest colour blindness:
    # at every level the two sides differ by at least 24 of 255 in blue against the mean of red and green.
    steps = np.linspace(0.1, 1, 91)[None]
    sides = [colour(sign * steps, 1, "safe")[0].astype(float) for sign in (1, -1)]
    warm, cold = (side[:, 2] - side[:, :2].mean(axis=1) for side in sides)
    assert (cold - warm).min() > 24
