import re
import warnings
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

import lrp_ref.files
from lrp_ref.pictures.colours import colour, limit_of
from lrp_ref.pictures.photograph import enlarge
from lrp_ref.pictures.picture import (
    Panel,
    Row,
    _ascii,
    _ends,
    alpha,
    figure,
    image_format,
    save_heatmap,
    save_image,
    wrap,
)

pytestmark = pytest.mark.filterwarnings("error")

DARK_RED, GREEN, DARK_BLUE, YELLOW = (120, 0, 0), (110, 215, 120), (0, 0, 120), (250, 235, 30)
rng = np.random.default_rng(0)
PHOTOGRAPH = rng.random((128, 96, 3))
GREY = rng.random((128, 96))
MAP = rng.normal(size=(128, 96))
MAP[40:80, 30:60] = 0


def read(path):
    with Image.open(path) as picture:
        return np.array(picture)


# --- dependencies -------------------------------------------------------------------------------------------------


def test_imageio_still_requires_pillow():
    # The package imports PIL without naming Pillow among its own requirements.
    hard = [line for line in metadata.requires("imageio") or [] if "extra ==" not in line]
    assert any(re.match(r"pillow\b", line, re.IGNORECASE) for line in hard)


def test_only_the_modules_of_pictures_import_pil():
    package = Path(lrp_ref.files.__file__).parent
    importing = [p.name for p in package.rglob("*.py") if re.search(r"^\s*(from|import)\s+PIL\b", p.read_text(), re.M)]
    assert sorted(importing) == ["faithful_plot.py", "formats.py", "picture.py", "plot.py", "tiff.py"]


# --- one heatmap --------------------------------------------------------------------------------------------------


def test_a_saved_heatmap_has_the_photographs_size_and_no_new_colours(tmp_path):
    save_heatmap(tmp_path / "map.png", np.array([[2.0, 0], [-2, 0.5]]), (3, 6))
    # Three rows from two: the middle one's centre lies on the edge, which belongs to the second.
    top, bottom = 3 * [DARK_RED] + 3 * [GREEN], 3 * [DARK_BLUE] + 3 * [YELLOW]
    np.testing.assert_array_equal(read(tmp_path / "map.png"), [top, bottom, bottom])


def test_a_heatmap_larger_than_asked_for_is_averaged_as_numbers_and_not_as_colours(tmp_path):
    save_heatmap(tmp_path / "map.png", np.array([[4.0, -4, 2, 6]]), (1, 2), limit=4)
    np.testing.assert_array_equal(read(tmp_path / "map.png"), [[GREEN, DARK_RED]])


def test_a_heatmap_of_fractions_is_saved_like_one_of_floats(tmp_path):
    save_heatmap(tmp_path / "map.png", np.array([[Fraction(-1, 3), Fraction(1, 12)]], dtype=object), (1, 2))
    np.testing.assert_array_equal(read(tmp_path / "map.png"), [[DARK_BLUE, YELLOW]])


def test_the_safe_colours_and_a_limit_are_used_when_asked_for(tmp_path):
    save_heatmap(tmp_path / "map.png", MAP, MAP.shape, "safe", limit=0.5)
    np.testing.assert_array_equal(read(tmp_path / "map.png"), colour(MAP, 0.5, "safe"))


@pytest.mark.parametrize("name", [f"map{extension}" for extension in sorted(Image.registered_extensions())])
def test_a_heatmap_is_written_at_the_size_asked_for_or_the_format_is_refused_by_name(tmp_path, name):
    try:
        save_heatmap(tmp_path / name, np.random.default_rng(0).normal(size=(30, 50)), (300, 500))
    except ValueError as error:
        assert name in str(error) and not list(tmp_path.iterdir())
        with pytest.raises(ValueError, match=r"use \.png or \.jpg"):   # before any work
            image_format(name)
    else:
        if not name.endswith(".pdf"):   # which is not read back
            with Image.open(tmp_path / name) as written:
                assert written.size == (500, 300)


@pytest.mark.parametrize("name", ["a.webp", "a.jpg", "a.gif", "a.tga"])
def test_a_picture_larger_than_its_format_is_refused_by_name(tmp_path, name):
    with pytest.raises(ValueError, match=rf"cannot write .*{name}: .*"):
        save_image(tmp_path / name, np.zeros((1, 70_000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_heatmap_of_more_pixels_than_a_photograph_has_is_refused_before_it_is_drawn(tmp_path):
    with pytest.raises(ValueError, match="the enlarged picture is too large: 60000 x 60000 pixels, but at most"):
        save_heatmap(tmp_path / "a.png", MAP, (60_000, 60_000))


@pytest.mark.parametrize("name", ["map.png", "map.bmp", "map.tif", "map.webp", "map.ppm", "MAP.PNG"])
def test_lossless_formats_keep_every_pixel(tmp_path, name):
    save_heatmap(tmp_path / name, MAP, MAP.shape)
    np.testing.assert_array_equal(read(tmp_path / name), colour(MAP, limit_of(MAP)))


def test_jpeg_keeps_neighbouring_colours_apart(tmp_path):
    blocks = enlarge(np.array([[1.0, -1]]), (16, 16))
    save_heatmap(tmp_path / "map.jpg", blocks, blocks.shape)
    # Quality 95 rounds the mean of a flat block by 1/8, and luma, chroma and colours are rounded by 1/2: at most
    # 5/8 + 1.772 * 5/8 + 1/2, of whole numbers 2. Chroma at half the resolution would miss by more than 20.
    np.testing.assert_allclose(read(tmp_path / "map.jpg").astype(int), colour(blocks, 1).astype(int), rtol=0, atol=2)


@pytest.mark.parametrize("name", ["map", "map.xyz", "map.npz", "map.psd", "map.tmp"])
def test_an_extension_that_is_no_image_format_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"cannot write .*map.*: no image format is called '.*': use \.png or \.jpg"):
        save_heatmap(tmp_path / name, MAP, (4, 5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["map.xbm", "map.h5"])
def test_a_format_that_cannot_hold_colours_leaves_nothing(tmp_path, name):
    with pytest.raises(ValueError, match=r"cannot write .*map\.\w+: "):
        save_heatmap(tmp_path / name, MAP, (4, 5))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_picture(tmp_path, monkeypatch):
    save_image(tmp_path / "map.png", np.zeros((2, 3, 3), np.uint8))

    def fail(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(ValueError, match=r"map\.png: No space left on device"):
        save_heatmap(tmp_path / "map.png", MAP, (4, 5))
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
    np.testing.assert_array_equal(read(tmp_path / "map.png"), np.zeros((2, 3, 3)))


# --- the photograph as far as it is relevant ------------------------------------------------------------------------


def test_positive_relevance_is_the_opacity_over_white():
    got = alpha(np.array([[0.2, 0.2, 0.2, 0.2]]), np.array([[8.0, 2, 0, -8]]), 4)
    # a = 1, 1/2, 0, 0; half of 0.2 on white is 0.6.
    np.testing.assert_array_equal(got, [[3 * (51,), 3 * (153,), 3 * (255,), 3 * (255,)]])


def test_the_opacity_is_the_same_for_all_colours():
    got = alpha(np.array([[(1, 0.2, 0)]]), np.array([[3.0]]), 5)
    # a = 3/5: 3/5 c + 2/5.
    np.testing.assert_array_equal(got, [[(255, 133, 102)]])  # 0.52 * 255 = 132.6


def test_with_no_relevance_at_all_nothing_is_seen():
    np.testing.assert_array_equal(alpha(PHOTOGRAPH, 0 * MAP, 0.0), np.full((128, 96, 3), 255))


# --- panels side by side --------------------------------------------------------------------------------------------

TITLES = ["input", "no cut-off", "cut-off", "alpha"]


def row(label="one", relevance=MAP, limit=None):
    return Row(
        label,
        [
            Panel(PHOTOGRAPH),
            Panel(relevance=relevance, limit=limit),
            Panel(relevance=2 * relevance, limit=limit),
            Panel(GREY, relevance, limit),
        ],
    )


def test_every_panel_shows_its_data_where_the_figure_says():
    made = figure(TITLES, [row(), row("two", -MAP)])
    assert made.pixels.dtype == np.uint8
    for boxes, relevance in zip(made.panels, (MAP, -MAP), strict=True):
        shown = [box.of(made.pixels) for box in boxes]
        assert [pixels.shape for pixels in shown] == [(256, 192, 3)] * 4  # two to one: pixel-sharp
        limit = limit_of(relevance)
        lit = alpha(GREY, relevance, limit)
        bytes_ = np.rint(255 * PHOTOGRAPH)
        for pixels, want in zip(
            shown, (bytes_, colour(relevance, limit), colour(relevance, limit), lit), strict=True
        ):
            np.testing.assert_array_equal(pixels, enlarge(want, (256, 192)))


def test_panels_with_a_common_limit_share_one_scale():
    limit = limit_of(MAP, 2 * MAP)
    made = figure(TITLES, [row(limit=limit)])
    shown = [box.of(made.pixels) for box in made.panels[0]]
    np.testing.assert_array_equal(shown[1], enlarge(colour(MAP, limit), (256, 192)))
    np.testing.assert_array_equal(shown[2], enlarge(colour(2 * MAP, limit), (256, 192)))
    assert (shown[1] != shown[2]).any()


@pytest.mark.parametrize("colours", ["paper", "safe"])
def test_the_bar_runs_through_all_colours_from_negative_to_positive(colours):
    made = figure(TITLES, [row()], colours)
    assert [bar is not None for bar in made.bars[0]] == [False, True, True, False]
    bar = made.bars[0][1]
    want = colour(np.linspace(-1, 1, bar.width)[None], 1, colours)
    # x * limit / limit may differ from x in its last bit, which can round a byte the other way.
    np.testing.assert_allclose(bar.of(made.pixels).astype(int), np.repeat(want, bar.height, axis=0), rtol=0, atol=1)


def test_a_map_of_zeros_is_neutral_and_so_is_its_bar():
    made = figure(["zero"], [Row("", [Panel(relevance=0 * MAP)])])
    for box in (made.panels[0][0], made.bars[0][0]):
        np.testing.assert_array_equal(box.of(made.pixels), np.full((box.height, box.width, 3), GREEN))


def boxes_of(made):
    return [box for line in (*made.panels, *made.bars) for box in line if box is not None]


@pytest.mark.parametrize(
    "shape, columns",
    [((128, 128), 5), ((227, 227), 5), ((480, 640), 5), ((300, 100), 3), ((3, 500), 2), ((1, 1), 1), ((28, 28), 12)],
)
def test_panels_are_large_inside_the_page_and_never_overlap(shape, columns):
    relevance = rng.normal(size=shape)
    panels = [Panel(relevance=relevance) for _ in range(columns)]
    long = "a label much too long for the height of its row " * 9
    made = figure([long] * columns, [Row("one\nline\nmore\nand one", panels), Row(long, panels)])
    height, width, _ = made.pixels.shape
    assert width <= 1600
    taken = np.zeros((height, width), int)
    for box in boxes_of(made):
        assert min(box.top, box.left, height - box.top - box.height, width - box.left - box.width) >= 10
        box.of(taken)[...] += 1
    assert taken.max() == 1
    if columns <= 5:
        assert max(made.panels[0][0].height, made.panels[0][0].width) >= 240
    # Columns are aligned: the same middle, twice the left edge plus the width, in every row.
    assert all(2 * a.left + a.width == 2 * b.left + b.width for a, b in zip(*made.panels, strict=True))


@pytest.mark.parametrize("clip", [None, 0.001234])
def test_no_text_touches_the_data(clip):
    texts = figure(["a long title " * 20] * 4, [row("a long label " * 20, limit=clip), row("b\nc\nd", limit=clip)])
    blank = figure([""] * 4, [row("", limit=clip)] * 2)
    for some, none in zip(boxes_of(texts), boxes_of(blank), strict=True):
        np.testing.assert_array_equal(some.of(texts.pixels), none.of(blank.pixels))


def test_rows_of_other_shapes_are_centred_in_the_same_columns():
    tall, wide = Row("tall", [Panel(GREY), Panel(relevance=MAP)]), Row("wide", [Panel(GREY.T), Panel(relevance=MAP.T)])
    made = figure(["input", "map"], [tall, wide])
    for a, b in zip(*made.panels, strict=True):
        assert (a.height, a.width, b.height, b.width) == (256, 192, 192, 256)
        assert a.left - b.left == 32


def test_a_heatmap_is_stretched_to_its_photographs_shape():
    made = figure(["input", "map"], [Row("", [Panel(rng.random((50, 100))), Panel(relevance=rng.random((64, 64)))])])
    assert [(box.height, box.width) for box in made.panels[0]] == [(160, 320), (160, 320)]


def test_a_map_with_more_pixels_than_its_panel_is_averaged_and_its_scale_is_that_of_what_is_shown():
    spots = np.zeros((640, 640))
    spots[::2, ::2] = 8  # averages to 2 over each four
    made = figure(["spots"], [Row("", [Panel(relevance=spots)])])
    box = made.panels[0][0]
    assert (box.height, box.width) == (320, 320)
    np.testing.assert_array_equal(box.of(made.pixels), np.full((320, 320, 3), DARK_RED))


def test_a_panel_knows_whether_its_limit_clips():
    assert Panel(relevance=MAP, limit=0.9 * limit_of(MAP)).clipped
    assert not Panel(relevance=MAP, limit=limit_of(MAP)).clipped
    assert not Panel(relevance=MAP).clipped


def test_a_panel_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a Panel needs a photograph, a relevance or both, but got neither"):
        Panel()


@pytest.mark.parametrize("titles, rows", [(["a", "b"], [row()]), ([], [row()]), (TITLES, [])])
def test_rows_and_titles_that_do_not_match_are_refused(titles, rows):
    with pytest.raises(ValueError, match=r"figure got \d titles and rows of .* panels, but needs one per title"):
        figure(titles, rows)


def test_more_columns_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"30 columns leave \d+ of 1600 pixels each: give fewer columns"):
        figure(["x"] * 30, [Row("", [Panel(relevance=MAP)] * 30)])


# --- words ----------------------------------------------------------------------------------------------------------


def test_words_become_ascii_because_the_font_knows_nothing_else():
    assert _ascii("M\u00fcller \u22123 caf\u00e9 \u03b1=2 \u732b") == "Muller -3 cafe ?=2 ?"


def test_the_ends_of_a_bar_say_when_they_stand_for_all_beyond():
    assert _ends(0.0012345, clipped=False) == ("-0.00123", "0.00123")
    assert _ends(12345.0, clipped=True) == ("<= -1.23e+04", ">= 1.23e+04")


def test_text_is_broken_between_words_and_cut_with_dots():
    font = ImageFont.load_default(15)
    width = font.getlength("cut-off at")
    assert wrap("cut-off at R(1)", width, font, 3) == ["cut-off at", "R(1)"]
    assert wrap("cut-off at\nR(1)\nof conv1 in all", width, font, 2) == ["cut-off at", "R(1) of..."]
    assert wrap("cut-off at R(1)\n4.31", width, font, 2) == ["cut-off...", "4.31"]
    assert wrap("cut-off at R(1)", width, font, 0) == []
    (line,) = wrap("a_name_without_any_space_in_it.png", width, font, 1)
    assert line.startswith("a_na") and line.endswith("...") and font.getlength(line) <= width


@pytest.mark.parametrize("extension", sorted(Image.registered_extensions()))
def test_a_heatmap_is_written_at_the_size_that_is_asked_or_refused_by_its_name(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    with warnings.catch_warnings(action="ignore"):   # of formats that Pillow will give up
        try:
            save_heatmap(path, np.random.default_rng(0).normal(size=(3, 5)), (30, 50))
        except ValueError as error:
            assert path.name in str(error)
            return
        if Image.registered_extensions()[extension] in Image.OPEN:   # a PDF is written and not read
            with Image.open(path) as image:
                assert image.size == (50, 30)
