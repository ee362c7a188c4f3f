"""Pictures for a person: what an overlay, a smoothed map and a drawing in a terminal are made of."""

import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from helpers import refused

import lrp_ref.pictures
from lrp_ref.pictures import overlay, panels, save, show, smoothed, views
from lrp_ref.pictures.colours import colour
from lrp_ref.pictures.picture import Panel

MAP = np.array([[4.0, -1.0, 0.0], [0.0, 2.0, -3.0]])


def test_where_nothing_is_relevant_an_overlay_is_the_photograph_in_pale_grey() -> None:
    grey = overlay(np.array([[0.0, 0.5, 1.0]]), np.zeros((1, 3)))
    assert grey[:, :, 0].tolist() == [[round(255 * 0.45), round(255 * 0.725), 255]] and (grey == grey[:, :, :1]).all()


def test_the_most_relevant_pixel_of_an_overlay_has_the_strongest_colour_and_a_quarter_of_it_covers_half() -> None:
    drawn = overlay(np.zeros((2, 3, 3), np.uint8), MAP)
    strongest, quarter = colour(np.array([[4.0, -1.0]]), 4.0, "safe")[0].astype(int)
    assert (drawn[0, 0] == strongest).all()
    assert abs(drawn[0, 1] - (0.5 * 255 * 0.45 + 0.5 * quarter)).max() <= 0.5   # sqrt(1 / 4) = 1/2, rounded to a byte
    clipped = overlay(np.zeros((2, 3, 3), np.uint8), MAP, limit=2.0)
    assert (clipped[0, 0] == clipped[1, 1]).all() and (overlay(np.zeros((2, 3)), MAP, "paper") != drawn).any()


def test_an_overlay_has_the_photographs_size() -> None:
    small = np.arange(6.0).reshape(2, 3)
    assert overlay(np.zeros((7, 5, 3)), small).shape == (7, 5, 3)
    assert overlay(np.zeros((2, 2)), np.ones((7, 5))).shape == (2, 2, 3)


@pytest.mark.parametrize("size", [1, 2, 3, (1, 2), 9])
def test_a_smoothed_map_has_the_sum_of_the_map(size: int | tuple[int, int]) -> None:
    assert smoothed(MAP, size).sum() == pytest.approx(MAP.sum(), abs=1e-13)   # six sums of six numbers
    assert (smoothed(MAP, 1) == MAP).all()


def test_a_pixel_is_smoothed_evenly_over_the_pixels_around_it_that_are_in_the_image() -> None:
    """A window of 3 holds 2 columns at the border and 3 inside; one of 2 begins one pixel before."""
    corner = np.zeros((3, 4))
    corner[0, 0] = 12
    assert smoothed(corner, 3).tolist() == [[3, 3, 0, 0], [3, 3, 0, 0], [0, 0, 0, 0]]
    assert smoothed(corner[:, ::-1], (1, 2)).tolist() == [[0, 0, 6, 6], [0, 0, 0, 0], [0, 0, 0, 0]]
    for size in (0, (1, 0), 2.5, "3"):
        with refused("smoothed got size=…, needed an int of at least 1, or a pair: rows, columns"):
            smoothed(MAP, size)   # type: ignore[arg-type]


def test_the_comb_of_a_stride_is_gone_when_it_is_smoothed_over_the_stride() -> None:
    """Windows of 11 with stride 3: a pixel lies in 4 or 3 of them, 3 in 2 of 3 columns; their means are one."""
    pixels, counts = np.arange(50), np.zeros(50)
    for start in range(0, 40, 3):
        counts[start:start + 11] += 1
    middle = slice(12, 36)
    assert set(counts[middle]) == {3.0, 4.0} and pixels[middle].size == 24
    assert np.ptp(smoothed(counts[None], (1, 3))[0, middle]) < 1e-14   # sums of three numbers below 4


def test_panels_have_a_row_for_every_map_and_say_what_the_colours_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    figure = views.figure
    monkeypatch.setattr(views, "figure", lambda *given: drawn.append(given) or figure(*given))   # type: ignore[func-returns-value]
    made = panels(np.zeros((4, 6)), {"cat": MAP, "stars": -MAP}, percentile=80, what="a map")
    titles, rows, colours = drawn[0]
    assert titles == ["what the model sees", "a map: orange for it, blue against it", "the same, on the photograph"]
    assert [row.label for row in rows] == ["cat", "stars"] and colours == "safe" and len(made.panels) == 2
    limit = np.percentile(abs(MAP), 80)
    assert rows[0].panels[1].limit == limit and (rows[1].panels[1].relevance == -MAP).all()
    assert (rows[0].panels[2].photograph * 255 == overlay(np.zeros((4, 6)), MAP, "safe", limit)).all()
    panels(np.zeros((4, 6)), {"cat": MAP}, "paper")
    assert "yellow to red for it, blue against it" in drawn[1][0][1] and drawn[1][1][0].panels[1].limit is None


def test_figures_pixels_and_maps_are_saved(tmp_path: Path) -> None:
    made = panels(np.zeros((4, 6)), {"cat": MAP})
    for n, (picture, pixels) in enumerate(((made, made.pixels), (made.pixels, made.pixels),
                                           (MAP, Panel(relevance=MAP).pixels((2, 3), "safe")))):
        save(tmp_path / f"{n}.png", picture)
        assert (iio.imread(tmp_path / f"{n}.png") == pixels).all()
    for wrong in (None, "x", np.zeros(3), np.zeros((2, 3, 3))):
        with refused("got …, needed a figure, pixels (H, W, 3) of uint8, or a map (H, W) of relevance"):
            save(tmp_path / "no.png", wrong)
    assert len(list(tmp_path.iterdir())) == 3


def test_show_draws_in_a_terminal_and_elsewhere_says_where_the_picture_is(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    show(MAP)
    path = Path(capsys.readouterr().out.removeprefix("picture written to ").strip())
    assert (iio.imread(path) == colour(MAP, 4.0, "safe")).all()
    path.unlink()
    path.parent.rmdir()
    monkeypatch.setattr(views, "draws", lambda: True)
    show(MAP)
    drawn = capsys.readouterr().out
    assert drawn.count("\u2580") == 3 and drawn.endswith("\x1b[0m\n\n")
    shown = [tuple(map(int, numbers)) for numbers in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)m", drawn)]
    pixels = colour(MAP, 4.0, "safe").tolist()
    assert shown == [tuple(pixels[row][column]) for column in range(3) for row in range(2)]


@pytest.mark.parametrize(("tty", "variables", "draws"), [
    (True, {"TERM": "xterm"}, True), (False, {"TERM": "xterm"}, False), (True, {"TERM": "dumb"}, False),
    (True, {}, False), (True, {"TERM": "xterm", "NO_COLOR": ""}, False)])
def test_a_terminal_draws_if_it_has_colours(monkeypatch: pytest.MonkeyPatch, tty: bool, variables: dict[str, str],
                                            draws: bool) -> None:
    monkeypatch.setattr(views.os, "environ", variables)
    monkeypatch.setattr(views.sys.stdout, "isatty", lambda: tty)
    assert views.draws() is draws


def test_what_pictures_does_not_have_is_said() -> None:
    with pytest.raises(AttributeError, match=r"module lrp_ref\.pictures has no attribute shwo"):
        lrp_ref.pictures.shwo   # noqa: B018
