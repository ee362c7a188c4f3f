"""Relevance as one number per pixel: the sum over channels, in its own number type."""

from fractions import Fraction

import numpy as np
import pytest

from lrp_ref.heatmap import heatmap


def test_a_pixel_gets_the_sum_of_its_channels():
    relevance = np.array([[[[1.0, -2, 0]], [[0.5, 5, 0]]], [[[3, 0, 7]], [[-3, 0, 0.25]]]])  # (2, 2, 1, 3)
    np.testing.assert_array_equal(heatmap(relevance), [[[1.5, 3, 0]], [[0, 0, 7.25]]])


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_floats_keep_their_precision(number):
    assert heatmap(np.ones((1, 3, 2, 4), number)).dtype == number


def test_fractions_are_summed_exactly():
    relevance = np.array([[[[Fraction(1, 3)]], [[Fraction(1, 6)]], [[Fraction(-1, 10)]]]], dtype=object)
    (total,) = heatmap(relevance).ravel()
    assert type(total) is Fraction
    assert total == Fraction(2, 5)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (1, 0, 4, 5), (1, 1, 3, 4, 5)])
def test_what_is_no_image_relevance_is_refused(shape):
    with pytest.raises(ValueError, match=r"heatmap got relevance of shape .* but needs \(N, C, H, W\)"):
        heatmap(np.zeros(shape))
