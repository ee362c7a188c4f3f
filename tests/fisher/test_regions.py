"""Regions of an image: which descriptors lie in which, and which of them lie in the same."""

from typing import Any

import numpy as np
import pytest
from helpers import F, assert_holds, fractions, law

from lrp_ref.arrays import zeros
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.layers.fisher.regions import grouped, regions_of

ROWS, COLUMNS = np.meshgrid(np.arange(0, 7, 0.5), np.arange(0, 5, 0.5), indexing="ij")
POINTS = np.stack([COLUMNS.ravel(), ROWS.ravel()], axis=1)   # x, y on a grid of half pixels


@law("regions")
def test_the_regions_of_a_descriptor(claim: Claim) -> None:
    assert_holds(claim)


def test_quarters_are_counted_down_then_across_then_bands_then_the_whole() -> None:
    # 6 x 4 pixels (width x height): left top, left bottom, right top, right bottom
    corners = [(0, 0), (0, 3), (5, 0), (5, 3)]
    c = regions_of(np.array(corners), (1, 1, 4, 6))
    assert c.shape == (8, 4) and c.dtype == np.float64
    assert [np.flatnonzero(column).tolist() for column in c.T] == [[0, 4, 7], [1, 6, 7], [2, 4, 7], [3, 6, 7]]


def test_a_centre_on_the_border_of_two_parts_lies_in_the_first() -> None:
    # 6 pixels wide, 3 in each half: counted from 1, pixel 3 lies at 3 <= 6 / 2; 2.5 from 0 is 3.5 from 1
    c = regions_of(np.array([[1.5, 0], [2, 0], [2.5, 0]]), (3, 6), "1x2")
    assert c.tolist() == [[1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("shape", [(7, 5), (6, 6), (9, 4), (100, 73)], ids=str)
def test_the_pyramid_is_that_of_the_reference_setup(shape: tuple[int, int]) -> None:
    points = POINTS[(POINTS[:, 0] < shape[1]) & (POINTS[:, 1] < shape[0])]
    points = points * [(shape[1] - 1) // points[:, 0].max(), (shape[0] - 1) // points[:, 1].max()]
    c = regions_of(points, shape)
    for (x, y), column in zip(points.tolist(), c.T):
        if max(x - shape[1], y - shape[0]) <= -1:   # beyond the last pixel's centre there is no region
            assert np.flatnonzero(column).tolist() == by_loops.pyramid(F(x), F(y), shape[1], shape[0])


def test_further_columns_of_a_frame_are_not_looked_at() -> None:
    frames = np.array([[1.0, 0, 4], [3, 2, 10]])
    assert (regions_of(frames, (3, 4)) == regions_of(frames[:, :2], (3, 4))).all()


def test_a_centre_on_the_border_of_two_rectangles_lies_in_the_upper_and_in_the_left_one() -> None:
    points = np.array([[2, 1], [1, 3]])     # x + 1 = 3, y + 1 = 2; x + 1 = 2, y + 1 = 4
    c = regions_of(points, (7, 6), [(0, 0, 2, 5), (2, 0, 4, 5), (0, 0, 6, 3), (0, 3, 6, 5)])
    assert c.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]


def test_rectangles_are_top_left_bottom_right_and_closed_at_the_bottom_and_the_right() -> None:
    points = np.array([[0, 0], [1, 0], [0, 2], [3, 4], [2, 1]])
    c = regions_of(points, (5, 4), [(0, 0, 5, 4), (0, 1, 2, 3), (2, 0, 5, 1)])
    assert c.tolist() == [[1, 1, 1, 1, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]]
    assert (regions_of(points, (5, 4), [(0, 0, 2.5, 2)]) == regions_of(points, (5, 4), "2x2")[:1]).all()


@pytest.mark.parametrize(("regions", "message"), [
    ("2x2+3", r"got '2x2\+3', needed grids such as '2x2\+3x1\+1x1', or rectangles"),
    ("", r"got '', needed grids"),
    ("0x2", r"got '0x2', needed grids"),
    ([], "got no rectangles, needed at least one"),
    (3, r"got 3, needed grids such as '2x2\+3x1\+1x1', or rectangles"),
    ([0, 0, 7, 5], r"got \[0, 0, 7, 5\], needed grids"),
    (["2x2"], r"got \['2x2'\], needed grids"),
    ([(0, 0, 5)], r"got the rectangle \(0, 0, 5\), needed \(top, left, bottom, right\) in pixels"),
    ([(3, 0, 2, 5)], r"got the rectangle \(3, 0, 2, 5\), needed"),
])
def test_regions_that_are_none_are_refused(regions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^regions_of {message}"):
        regions_of(POINTS, (7, 5), regions)


def test_centres_without_two_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^regions_of got centres of shape \(3,\) for an image of shape \(4, 5\)"):
        regions_of(np.zeros(3), (4, 5))


COVERAGES = {
    "pyramid": regions_of(POINTS, (7, 5)),
    "seventeen regions": regions_of(POINTS, (7, 5), "4x4+1x1"),
    "parts": np.array([[1, 0.5, 0, 0.25, 1, 0], [0, 0.5, 0, 0.5, 1, 0], [1, 1, 0, 1, 1, 0.0]]),
    "fractions": fractions(["1/3 1/3 0 1", "1/2 1/3 1 1", "0 0 0 0"]),
    "one": np.ones((1, 4)),
}


@pytest.mark.parametrize("coverage", COVERAGES.values(), ids=COVERAGES)
def test_groups_together_are_the_coverage(coverage: Any) -> None:
    got = zeros(coverage.shape, coverage)
    for group in grouped(coverage):
        for size in (1, 4, 1000):
            rows = [group.rows(slice(n, min(n + size, len(got[0])))) for n in range(0, len(got[0]), size)]
            index = np.arange(len(got[0]))
            assert np.concatenate([index[r] for r in rows if r is not None]).tolist() == index[group.where].tolist()
        parts = group.parts(coverage, np.flatnonzero(group.where))
        for r, share in zip(group.regions, group.share(coverage).ravel()):
            got[r, group.where] += share if parts is None else share * parts
    assert (got == coverage).all()


def test_the_pyramid_has_eight_groups_one_for_each_quarter_and_band() -> None:
    groups = grouped(COVERAGES["pyramid"])
    assert len(groups) == 8 and all(group.even and len(group.regions) == 3 for group in groups)


def test_a_region_whose_parts_differ_has_a_group_of_its_own() -> None:
    groups = grouped(COVERAGES["parts"])
    assert [(np.flatnonzero(g.where).tolist(), g.regions.tolist(), g.even) for g in groups] == [
        ([0], [0, 2], True), ([1, 3, 4], [2], True), ([1, 3, 4], [0], False), ([1, 3, 4], [1], False)]


def test_centres_of_any_numbers_are_places() -> None:
    points = [[254, 3], [255, 0], [0, 2]]     # in a byte 255 + 1 would be 0; a float16 has no 2049
    wanted = regions_of(np.array(points, np.float64), (4, 256), "1x2").tolist()
    assert wanted == [[0, 0, 1], [1, 1, 0]]
    assert regions_of(np.array(points, np.uint8), (4, 256), "1x2").tolist() == wanted == regions_of(
        points, (4, 256), "1x2").tolist()
    assert regions_of(np.array([[2048, 0]], np.float16), (4, 4098), "1x2").tolist() == [[1], [0]]


def test_an_image_has_rows_and_columns() -> None:
    with pytest.raises(ValueError, match=r"^regions_of got centres of shape \(1, 2\) for an image of shape \(5,\)"):
        regions_of([[0, 0]], (5,))


def test_a_rectangle_holds_something() -> None:
    for sides in ((1, 1, 1, 3), (1, 1, 3, 1), (3, 1, 1, 3)):
        with pytest.raises(ValueError, match=r"^regions_of got the rectangle .*, needed \(top, left, bottom, right\)"):
            regions_of([[0, 1], [1, 0]], (9, 9), [sides])
