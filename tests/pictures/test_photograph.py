import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lrp_ref.pictures import formats, refusal
from lrp_ref.pictures.photograph import enlarge, read_photograph, resize, to_channels, to_pixels

# Nothing but the tests that expect a warning may cause one.
pytestmark = pytest.mark.filterwarnings("error")

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def image(rows, dtype=np.uint8):
    return Image.fromarray(np.array(rows, dtype=dtype))


def saved(tmp_path, picture, name, **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


# --- numbers to light -----------------------------------------------------------------------------------------


def test_8_bit_grey_is_divided_by_255(tmp_path):
    pixels = read_photograph(saved(tmp_path, image([[0, 51, 102], [204, 255, 17]]), "grey.png"))
    assert pixels.dtype == np.float64
    np.testing.assert_array_equal(pixels, np.array([[0, 3, 6], [12, 15, 1]]) / 15)


def test_8_bit_colour_keeps_the_order_red_green_blue(tmp_path):
    pixels = read_photograph(saved(tmp_path, image([[(255, 51, 0), (0, 102, 204)]]), "colour.png"))
    np.testing.assert_array_equal(pixels, np.array([[(5, 1, 0), (0, 2, 4)]]) / 5)


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
def test_16_bit_grey_is_divided_by_65535_and_does_not_turn_white(tmp_path, name):
    rows = [[0, 4369, 65535], [256, 13107, 300]]
    pixels = read_photograph(saved(tmp_path, image(rows, np.uint16), name))
    np.testing.assert_array_equal(pixels, np.array(rows) / 65535)


@pytest.mark.parametrize("name", ["bits.png", "bits.tif", "bits.pbm"])
def test_1_bit_is_black_and_white(tmp_path, name):
    rows = [[True, False, False], [False, True, True]]
    np.testing.assert_array_equal(read_photograph(saved(tmp_path, image(rows, bool), name)), rows)


def test_floats_in_0_to_1_are_taken_as_they_are(tmp_path):
    rows = [[0, 0.25, 0.75], [1, 0.375, 0.5]]
    np.testing.assert_array_equal(read_photograph(saved(tmp_path, image(rows, np.float32), "float.tif")), rows)


@pytest.mark.parametrize("wrong", [1.5, -0.25, np.nan])
def test_floats_outside_0_to_1_are_refused(tmp_path, wrong):
    path = saved(tmp_path, image([[0.5, wrong]], np.float32), "float.tif")
    with pytest.raises(ValueError, match=r"float\.tif holds floating-point numbers from .* but 0 to 1 is needed"):
        read_photograph(path)


def test_whole_numbers_of_unknown_range_are_refused(tmp_path):
    path = saved(tmp_path, image([[7, 70000]], np.int32), "wide.tif")
    with pytest.raises(ValueError, match=r"wide\.tif holds int32 numbers, whose range is unknown: give uint8"):
        read_photograph(path)


def test_arrays_are_taken_like_files():
    np.testing.assert_array_equal(to_pixels(np.array([[0, 13107]], np.uint16)), [[0, 0.2]])
    np.testing.assert_array_equal(to_pixels(np.array([[[51, 0]]], np.uint8)), [[1]])
    np.testing.assert_array_equal(to_pixels(np.array([[[0.5], [0.25]]])), [[0.5, 0.25]])
    with pytest.raises(ValueError, match=r"the photograph holds uint32 numbers"):
        to_pixels(np.array([[7]], np.uint32))


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 4, 5), (1, 2, 4, 3)])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"the photograph has shape .* but needs \(H, W\)"):
        to_pixels(np.zeros(shape))


# --- transparency, palettes, inks -----------------------------------------------------------------------------


def test_grey_with_alpha_lies_on_white(tmp_path):
    path = saved(tmp_path, image([[(0, 255), (0, 51), (102, 153), (7, 0)]]), "alpha.png")
    with Image.open(path) as picture:
        assert picture.mode == "LA"
    # 51/255 = 1/5: black leaves 4/5 white. 153/255 = 3/5: 3/5 * 2/5 + 2/5 = 16/25.
    np.testing.assert_allclose(read_photograph(path), [[0, 4 / 5, 16 / 25, 1]], rtol=4e-16, atol=0)  # 2 roundings


def test_colour_with_alpha_lies_on_white(tmp_path):
    path = saved(tmp_path, image([[(255, 0, 0, 255), (255, 0, 102, 51), (9, 9, 9, 0)]]), "alpha.png")
    want = [[(1, 0, 0), (1, 4 / 5, 22 / 25), (1, 1, 1)]]
    np.testing.assert_allclose(read_photograph(path), want, rtol=4e-16, atol=0)  # 2 roundings


def palette_image():
    picture = image([[0, 1, 2, 1]]).convert("P")
    picture.putpalette([*RED, *GREEN, *BLUE])
    return picture


@pytest.mark.parametrize("name", ["p.png", "p.gif", "p.bmp", "p.tif"])
def test_a_palette_image_shows_its_colours_and_not_their_numbers(tmp_path, name):
    pixels = read_photograph(saved(tmp_path, palette_image(), name))
    np.testing.assert_array_equal(255 * pixels, [[RED, GREEN, BLUE, GREEN]])


@pytest.mark.parametrize("name", ["p.png", "p.gif"])
def test_the_transparent_colour_of_a_palette_is_white(tmp_path, name):
    pixels = read_photograph(saved(tmp_path, palette_image(), name, transparency=1))
    np.testing.assert_array_equal(255 * pixels, [[RED, WHITE, BLUE, WHITE]])


def test_a_palette_with_an_alpha_per_colour_lies_on_white(tmp_path):
    pixels = read_photograph(saved(tmp_path, palette_image(), "p.png", transparency=bytes([255, 51, 0])))
    # 1/5 of green on white is (4, 5, 4) / 5.
    np.testing.assert_array_equal(255 * pixels, [[RED, (204, 255, 204), WHITE, (204, 255, 204)]])


def test_a_single_transparent_grey_or_colour_is_white(tmp_path):
    grey = read_photograph(saved(tmp_path, image([[51, 76, 0]]), "grey.png", transparency=76))
    np.testing.assert_array_equal(grey, [[0.2, 1, 0]])
    colour = read_photograph(saved(tmp_path, image([[RED, BLUE]]), "colour.png", transparency=BLUE))
    np.testing.assert_array_equal(255 * colour, [[RED, WHITE]])


@pytest.mark.parametrize("name", ["inks.jpg", "inks.tif"])
def test_cmyk_is_read_as_rgb(tmp_path, name):
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16] = (0, 255, 255, 0)  # magenta and yellow make red
    inks[:, 16:] = (255, 255, 0, 0)  # cyan and magenta make blue
    path = saved(tmp_path, Image.fromarray(inks, mode="CMYK"), name)
    pixels = read_photograph(path)
    assert pixels.shape == (16, 32, 3)
    # JPEG rounds the coefficients of its flat blocks: one or two steps of 255.
    rounding = 2 if name.endswith("jpg") else 0
    np.testing.assert_allclose(255 * pixels[:, 0], np.broadcast_to(RED, (16, 3)), rtol=0, atol=rounding)
    np.testing.assert_allclose(255 * pixels[:, 31], np.broadcast_to(BLUE, (16, 3)), rtol=0, atol=rounding)


def test_luma_and_chroma_in_a_tiff_are_read_as_rgb(tmp_path):
    path = saved(tmp_path, image([[RED, BLUE]]).convert("YCbCr"), "ycc.tif")
    # Luma and chroma are rounded by 1/2, the colours too: at most 1/2 + 1.772 / 2 + 1/2, of whole numbers 1.
    np.testing.assert_allclose(255 * read_photograph(path), [[RED, BLUE]], rtol=0, atol=1)


# --- upright, first of several, small --------------------------------------------------------------------------

# A stored row is, by the EXIF standard's table, the visual top, top, bottom, bottom, left, right, right, left,
# and a stored column the visual left, right, right, left, top, top, bottom, bottom.
STORED = [[1, 2, 3], [4, 5, 6]]
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("name", ["turned.png", "turned.tif"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA", "1", "I;16"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_respected_in_every_kind_of_image(tmp_path, orientation, mode, name):
    stored = 40 * np.array(STORED)
    picture = image(stored, np.uint16) if mode == "I;16" else image(stored).convert(mode)
    path = saved(tmp_path, picture, name, exif=turned(orientation))
    plain = read_photograph(saved(tmp_path, picture, "plain.png"))
    want = np.array([[plain[(n - 1) // 3, (n - 1) % 3] for n in row] for row in UPRIGHT[orientation]])
    np.testing.assert_array_equal(read_photograph(path), want)


def test_a_jpeg_of_a_turned_camera_stands_upright(tmp_path):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:, :16] = RED  # stored left, shown on top
    stored[:, 16:] = BLUE
    path = saved(tmp_path, Image.fromarray(stored), "turned.jpg", exif=turned(6), subsampling=0, quality=100)
    pixels = read_photograph(path)
    assert pixels.shape == (32, 16, 3)
    np.testing.assert_allclose(255 * pixels[0], np.broadcast_to(RED, (16, 3)), rtol=0, atol=2)  # JPEG rounds
    np.testing.assert_allclose(255 * pixels[31], np.broadcast_to(BLUE, (16, 3)), rtol=0, atol=2)


def test_an_unknown_orientation_changes_nothing(tmp_path):
    path = saved(tmp_path, image([[0, 51]]), "odd.png", exif=turned(9))
    np.testing.assert_array_equal(read_photograph(path), [[0, 0.2]])


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.webp", "film.tif"])
def test_of_an_animation_the_first_frame_is_used_and_said_so(tmp_path, name):
    first, second, third = (Image.new("RGB", (4, 3), colour) for colour in (RED, BLUE, GREEN))
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, first, name, save_all=True, append_images=[second, third], **options)
    with pytest.warns(UserWarning, match=r"film\.\w+ holds 3 images: only the first is used$") as caught:
        pixels = read_photograph(path)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(255 * pixels, np.broadcast_to(RED, (3, 4, 3)))


@pytest.mark.parametrize("rows", [[[51]], [[0, 51, 102, 255, 204]], [[0], [51], [255]]], ids=["1x1", "row", "column"])
@pytest.mark.parametrize("name", ["small.png", "small.tif", "small.bmp"])
def test_images_one_pixel_high_or_wide_are_images(tmp_path, rows, name):
    np.testing.assert_array_equal(read_photograph(saved(tmp_path, image(rows), name)), np.array(rows) / 255)


def test_a_single_colour_pixel_is_not_taken_for_three_grey_ones(tmp_path):
    pixels = read_photograph(saved(tmp_path, image([[(0, 51, 255)]]), "small.png"))
    np.testing.assert_array_equal(pixels, [[(0, 0.2, 1)]])


def test_the_content_counts_and_not_the_name(tmp_path):
    path = saved(tmp_path, image([[0, 51]]), "grey.png")
    np.testing.assert_array_equal(read_photograph(path.rename(tmp_path / "grey.jpg")), [[0, 0.2]])


# --- files that are no photograph -------------------------------------------------------------------------------


def refused(path, error=ValueError):
    with pytest.raises(error) as caught:
        read_photograph(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and ": " in message
    return message.removeprefix(str(path))


def test_a_missing_file_is_not_found(tmp_path):
    assert refused(tmp_path / "no.png", FileNotFoundError) == " does not exist: check the name of the photograph"


def test_a_folder_is_refused(tmp_path):
    assert refused(tmp_path) == " is a directory: give an image file"


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.jpg").touch()
    assert "is empty" in refused(tmp_path / "empty.jpg")


def test_text_named_jpg_is_refused_with_what_it_begins_with(tmp_path):
    (tmp_path / "notes.jpg").write_text("hello\nworld, and more\n")
    assert r"is no image (it begins with b'hello\nworld,')" in refused(tmp_path / "notes.jpg")


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_is_named(tmp_path, brand):
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + b"\0" * 100)
    assert "is a HEIC/HEIF photograph, which needs pillow-heif: install that, or save it as" in refused(path)


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg", "cut.gif", "cut.tif", "cut.webp"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, name, part):
    noise = np.random.default_rng(0).integers(0, 256, (60, 50, 3)).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    message = refused(path)
    assert "cannot be read" in message or "is no image" in message


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
def test_a_file_cut_in_its_header_is_no_image(tmp_path, name):
    path = saved(tmp_path, Image.new("RGB", (50, 60), RED), name)
    path.write_bytes(path.read_bytes()[:20])
    assert "is no image" in refused(path)


def test_an_image_too_large_to_be_opened_says_so(tmp_path, monkeypatch):
    path = saved(tmp_path, image([[0] * 10] * 9), "large.png")
    for module in (refusal, formats):
        monkeypatch.setattr(module, "MOST_PIXELS", 89)
    assert refused(path) == (" is too large: 9 x 10 pixels, but at most 89 are read (MOST_PIXELS): make it smaller "
                             "first")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 44)  # the reader itself refuses beyond twice as many
    assert refused(path) == (" is too large: Image size (90 pixels), but at most 89 pixels are read (MOST_PIXELS): "
                             "make it smaller first")


def test_a_file_that_may_not_be_opened_says_so(tmp_path, monkeypatch):
    path = saved(tmp_path, image([[0]]), "secret.png")

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", deny)
    assert "cannot be opened: Permission denied" in refused(path)


# --- size --------------------------------------------------------------------------------------------------------


def test_a_one_pixel_checkerboard_becomes_mid_grey():
    board = np.indices((6, 10)).sum(axis=0) % 2
    np.testing.assert_array_equal(resize(board, (3, 5)), np.full((3, 5), 0.5))


def test_shrinking_counts_parts_of_pixels():
    # Three pixels to two: each covers one and a half. (0 + 6/2) / 1.5 = 2, (6/2 + 9) / 1.5 = 8.
    np.testing.assert_array_equal(resize(np.array([[0, 6, 9]]), (1, 2)), [[2, 8]])
    # Five to three, each covering 5/3: (3 + 2/3 * 6) * 3/5, (1/3 * 6 + 1 * 9 + 1/3 * 0) * 3/5, (2/3 * 0 + 4) * 3/5.
    np.testing.assert_array_equal(resize(np.array([[3], [6], [9], [0], [4]]), (3, 1)), np.array([[21], [33], [12]]) / 5)


def test_enlarging_draws_straight_lines_between_centres():
    # Two pixels to four: centres at -1/4, 1/4, 3/4, 5/4 of the old ones, the ends held.
    np.testing.assert_array_equal(resize(np.array([[0, 8]]), (1, 4)), [[0, 2, 6, 8]])
    # Three to five: centres at -1/5, 2/5, 1, 8/5, 11/5.
    np.testing.assert_array_equal(resize(np.array([[0], [5], [-5]]), (5, 1)), [[0], [2], [5], [-1], [-5]])


def test_an_axis_may_shrink_while_the_other_grows():
    np.testing.assert_array_equal(resize(np.array([[0, 8], [4, 2]]), (1, 4)), [[2, 2.75, 4.25, 5]])


def test_channels_are_resized_one_by_one():
    pixels = np.random.default_rng(0).random((7, 5, 3))
    each = [resize(pixels[:, :, c], (4, 9)) for c in range(3)]
    np.testing.assert_array_equal(resize(pixels, (4, 9)), np.stack(each, axis=-1))


def test_the_same_size_changes_nothing():
    pixels = np.random.default_rng(0).random((7, 5, 3))
    np.testing.assert_array_equal(resize(pixels, (7, 5)), pixels)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, 255), min_size=1, max_size=12), data=st.data())
def test_a_shrunken_pixel_is_the_exact_mean_of_the_area_it_covers(values, data):
    old, new = len(values), data.draw(st.integers(1, len(values)))
    want = []
    for o in range(new):
        low, high = Fraction(o * old, new), Fraction((o + 1) * old, new)
        covered = [max(min(high, i + 1) - max(low, i), 0) for i in range(old)]
        want.append(float(sum(c * v for c, v in zip(covered, values, strict=True)) / (high - low)))
    # Sums of whole numbers divided once: no tolerance.
    np.testing.assert_array_equal(resize(np.array([values]), (1, new)), [want])


@settings(max_examples=60, deadline=None)
@given(st.tuples(*4 * [st.integers(1, 40)]))
def test_white_stays_exactly_white_at_any_size(sizes):
    np.testing.assert_array_equal(resize(np.ones(sizes[:2]), sizes[2:]), np.ones(sizes[2:]))


@pytest.mark.parametrize("shape, size", [((3,), (2, 2)), ((3, 0), (2, 2)), ((3, 4), (0, 2)), ((1, 2, 3, 4), (1, 1))])
def test_resize_refuses_what_has_no_area(shape, size):
    with pytest.raises(ValueError, match=r"resize got pixels of shape .* needs \(H, W\) or \(H, W, C\), not empty"):
        resize(np.zeros(shape), size)


def test_an_enlarged_pixel_shows_the_one_its_centre_lies_in():
    # Two to three: centres at 1/3, 1, 5/3 of the old pixels; an edge belongs to the pixel after it.
    # Three to five: centres at 3/10, 9/10, 3/2, 21/10, 27/10.
    got = enlarge(np.array([[1, 2, 3], [4, 5, 6]]), (3, 5))
    np.testing.assert_array_equal(got, [[1, 1, 2, 3, 3], [4, 4, 5, 6, 6], [4, 4, 5, 6, 6]])


def test_an_enlarged_colour_stays_whole():
    got = enlarge(np.array([[RED, BLUE]]), (2, 4))
    np.testing.assert_array_equal(got, [[RED, RED, BLUE, BLUE]] * 2)


# --- channels -----------------------------------------------------------------------------------------------------


def test_grey_weighs_red_green_blue_as_luma():
    got = to_channels(np.array([[(1.0, 0, 0), (0, 1, 0)], [(0, 0, 1), (1, 1, 1)]]), "grey")
    np.testing.assert_array_equal(got, [[[0.299, 0.587], [0.114, 1]]])


def test_rgb_and_bgr_differ_in_order():
    pixels = np.array([[(1.0, 2, 3), (4, 5, 6)]])
    np.testing.assert_array_equal(to_channels(pixels, "rgb"), [[[1, 4]], [[2, 5]], [[3, 6]]])
    np.testing.assert_array_equal(to_channels(pixels, "bgr"), [[[3, 6]], [[2, 5]], [[1, 4]]])


@pytest.mark.parametrize("colour, channels", [("grey", 1), ("rgb", 3), ("bgr", 3)])
def test_a_grey_photograph_fills_every_channel(colour, channels):
    pixels = np.random.default_rng(0).random((5, 7))
    np.testing.assert_array_equal(to_channels(pixels, colour), [pixels] * channels)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="colour 'gray', but knows 'grey', 'rgb' and 'bgr'"):
        to_channels(np.zeros((2, 3)), "gray")
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\), but needs \(H, W\) or \(H, W, 3\)"):
        to_channels(np.zeros((2, 3, 4)), "rgb")


def test_the_module_loads_no_other_library_before_it_is_used():
    heavy = "{'scipy', 'imageio', 'PIL'} & {name.partition('.')[0] for name in sys.modules}"
    code = f"import sys, lrp_ref.pictures.photograph, lrp_ref.heatmap, lrp_ref.files; print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
