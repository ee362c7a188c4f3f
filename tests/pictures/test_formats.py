"""What a photograph's file may be and what its numbers mean: read as that, or refused by name."""

import itertools
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

sys.path.insert(0, str(Path(__file__).parent))

from files import chunk, packed, png, tiff

from lrp_ref import Linear, Model, Network, Preprocessing, read_photograph
from lrp_ref.pictures import formats, refusal
from lrp_ref.pictures.photograph import size_of, to_pixels, upright
from lrp_ref.pictures.tiff import TAGS

pytestmark = pytest.mark.filterwarnings("error")

rng = np.random.default_rng(0)
COLOURS = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
MODEL = Model(Network([("fc", Linear(np.eye(2)))]), ["a", "b"], Preprocessing((6, 8), "rgb"))


def written(tmp_path, data, name="a.bin"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def refused(path):
    with pytest.raises(ValueError) as caught:
        read_photograph(path)
    message = str(caught.value)
    assert len(message) <= 500 and message.isprintable()
    return message


# --- which reader is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.eps", "photo"])
@pytest.mark.parametrize("begins", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6" + bytes(28)])
def test_a_program_is_never_run_whatever_its_name(tmp_path, monkeypatch, begins, name):
    asked = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: asked.append("Ghostscript"))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: asked.append("a program"))
    page = begins + b"%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    assert "is no image (it begins with" in refused(written(tmp_path, page, name))
    assert not asked


def test_only_the_reader_that_the_first_bytes_name_is_asked(tmp_path, monkeypatch):
    Image.init()
    asked = []
    for kind, (factory, _) in list(Image.OPEN.items()):
        def noted(*given, kind=kind, factory=factory):
            asked.append(kind)
            return factory(*given)
        monkeypatch.setitem(Image.OPEN, kind, (noted, None))
    ours = {*formats.BEGINS, "WEBP", "AVIF", "TGA"}
    read = set()
    for kind in sorted(Image.SAVE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Image.fromarray(COLOURS).save(tmp_path / "a", kind)
            except (OSError, ValueError, KeyError):   # not of every kind can pixels be written
                continue
            asked.clear()
            try:
                read_photograph(tmp_path / "a")
            except ValueError:
                assert not asked and kind not in ours
            else:
                assert len(asked) == 1 and asked[0] in ours
                read |= set(asked)
    assert {"PNG", "JPEG", "TIFF", "GIF", "BMP", "PPM", "WEBP", "TGA"} <= read


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "PPM", "WEBP", "TGA"])
def test_every_format_gives_its_picture(tmp_path, kind):
    flat = Image.new("RGB", (8, 6), (250, 250, 250))   # JPEG and WebP keep a flat colour, but for a step of 255
    flat.save(tmp_path / "a", kind)
    np.testing.assert_allclose(read_photograph(tmp_path / "a"), 250 / 255, rtol=0, atol=1 / 255)


@pytest.mark.parametrize("name", ["none.png", "a\0b.png", "b" * 300, "a\x1b[31m" * 30, "\udcff.png"])
def test_a_file_that_is_not_there_is_refused_like_others(tmp_path, name):
    refused(tmp_path / name)


def test_pipes_and_devices_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        assert "is no regular file: give an image file" in refused(tmp_path / name)


def test_a_reader_that_speaks_is_not_heard(tmp_path, capfd):
    Image.fromarray(COLOURS).save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[8:40] = b"\xff" * 32   # the codes of the strip
    refused(written(tmp_path, data, "a.tif"))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"still open\n")
    assert capfd.readouterr().err == "still open\n"


def test_threads_that_read_at_once_leave_warnings_and_standard_error_as_they_were(tmp_path, capfd):
    for name in ("a.tif", "b.png"):
        Image.fromarray(COLOURS).save(tmp_path / name)
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda n: read_photograph(tmp_path / ("a.tif" if n % 2 else "b.png")), range(200)))
    assert all((light == COLOURS / 255).all() for light in read)
    assert warnings.filters == before
    os.write(2, b"still open")
    assert capfd.readouterr().err == "still open"


# --- how large ---------------------------------------------------------------------------------------------------


def test_more_pixels_than_are_read_are_refused_before_they_are_there(tmp_path):
    wide = png(np.zeros((1, 1, 1), int), 8, size=(30_000, 40_000))   # 1.2e9 pixels
    assert "at most 50,000,000 pixels are read" in refused(written(tmp_path, wide))
    wide = png(np.zeros((1, 1, 3), int), 8, size=(9_000, 8_000))
    assert "8000 x 9000 pixels, but at most 50,000,000 are read (MOST_PIXELS)" in refused(written(tmp_path, wide))
    size = struct.pack("<I", 9_999)[:3]
    webp = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size + size
    assert "10000 x 10000 pixels" in refused(written(tmp_path, webp))
    with pytest.raises(ValueError, match="the photograph is too large: 60000 x 60000 pixels, but at most"):
        to_pixels(np.broadcast_to(np.uint8(7), (60_000, 60_000)))
    with pytest.raises(ValueError, match=r"is too long: 1 x 70000 pixels, but a side has at most 65,535 \(LONGEST\)"):
        to_pixels(np.broadcast_to(np.uint8(7), (1, 70_000)))


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_a_webp_declares_is_its_own(tmp_path, lossless):
    for mode in ("RGB", "RGBA"):
        Image.new(mode, (83, 61)).save(tmp_path / "a.webp", lossless=lossless, exif=b"Exif\0\0" * (mode == "RGBA"))
        assert formats.webp_size((tmp_path / "a.webp").read_bytes()[:32]) == (61, 83)


def test_a_file_of_more_bytes_than_are_read_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path, png(np.zeros((1, 1, 1), int), 8))
    monkeypatch.setattr(refusal, "MOST_BYTES", 10)
    assert "bytes, but at most 10 are read (MOST_BYTES): make it smaller" in refused(path)


@pytest.mark.parametrize("values", [np.zeros((1500, 900, 3), np.uint8), rng.integers(0, 256, (2000, 801, 4), np.uint8)])
def test_light_by_blocks_is_light(values):
    got = to_pixels(values) if values.shape[2] == 3 else to_pixels(Image.fromarray(values))
    colours, a = values[:, :, :3] / 255, values[:, :, 3:] / 255
    np.testing.assert_array_equal(got, a * colours + (1 - a) if values.shape[2] == 4 else colours)


def test_no_more_is_read_than_a_file_has_whatever_it_declares(tmp_path):
    path = written(tmp_path, psd(8, 3, 3)[:34] + struct.pack(">I", 2**31 - 1))   # of the layers
    long = psd(8, 3, 3)[:26] + struct.pack(">I", 2**30) + bytes(40)   # of the colours
    tracemalloc.start()
    try:
        refused(path)
        refused(written(tmp_path, long))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


# --- what the numbers are ----------------------------------------------------------------------------------------


def tiffs():
    """Every kind of whole numbers and floats that a TIFF can say it holds, with the light that it shows."""
    for order, light, bits, form, planes, fill, compression in itertools.product(
            "<>", (0, 1, 2), (1, 2, 4, 6, 8, 10, 12, 14, 16, 32), (1, 2, 3), (1, 2), (1, 2), (1, 8)):
        channels = 3 if light == 2 else 1
        shape = (5, 11, channels)
        if form == 3:
            if bits != 32:
                continue
            want = rng.random(shape).astype(np.float32)
            numbers = 1 - want if light == 0 else want
            want = 1 - numbers.astype(np.float64) if light == 0 else want
        else:
            top = 2**bits - 1
            numbers = rng.integers(0, top, shape, endpoint=True)
            want = numbers / top
            numbers = top - numbers if light == 0 else numbers
            numbers = (numbers - (top + 1) // 2 if form == 2 else numbers) % (top + 1)
            numbers = numbers.astype({8: np.uint8, 16: np.uint16}.get(bits, np.uint32))
        parts = [numbers.reshape(5, -1)] if planes == 1 else list(np.moveaxis(numbers, 2, 0))
        strips = [packed(part, bits, order) for part in parts]
        strips = [zlib.compress(strip) for strip in strips] if compression == 8 else strips
        if fill == 2:
            strips = [bytes(int(format(byte, "08b")[::-1], 2) for byte in strip) for strip in strips]
        tags = {256: (4, [11]), 257: (4, [5]), 258: (3, [bits] * channels), 259: (3, [compression]), 262: (3, [light]),
                266: (3, [fill]), 277: (3, [channels]), 278: (4, [5]), 284: (3, [planes]), 339: (3, [form] * channels)}
        yield (order, light, bits, form, planes, fill, compression), tiff(tags, strips, order), want


def test_a_tiff_is_read_as_what_its_tags_say_or_refused(tmp_path):
    read, wrong = set(), []
    for kind, data, want in tiffs():
        path = written(tmp_path, data)
        try:
            got = read_photograph(path)
        except ValueError:
            continue
        read.add(kind[1:4])
        # Colours of 16 bits are read with their upper 8: v // 256 / 255 is at most 1/255 from v / 65535.
        far = 1 / 255 if kind[1:3] == (2, 16) else 0
        want = want if want.shape[2] == 3 else want[:, :, 0]
        if got.shape != want.shape or not np.abs(got - want).max() <= far:
            wrong.append(kind)
    assert not wrong
    assert {(0, 16, 1), (1, 12, 1), (1, 16, 1), (0, 32, 3), (1, 32, 3), (2, 8, 1), (2, 16, 1), (0, 4, 1)} <= read


def test_a_refused_tiff_says_what_it_holds(tmp_path):
    tags = {256: (4, [2]), 257: (4, [2]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 339: (3, [2])}
    message = refused(written(tmp_path, tiff(tags, [b"\1\2\3\4"])))
    assert "is a TIFF of BitsPerSample 8, PhotometricInterpretation 1, SampleFormat 2, a kind that is not" in message
    tags |= {tag: (4, [2**32 - 1] * 5) for tag in TAGS}
    refused(written(tmp_path, tiff(tags, [b"\1\2\3\4"]), 250 * "b"))   # of 500 characters at most


def test_raw_luma_with_less_chroma_is_refused(tmp_path):
    tags = {256: (4, [4]), 257: (4, [4]), 258: (3, [8] * 3), 259: (3, [1]), 262: (3, [6]), 277: (3, [3])}
    for chroma in ({}, {530: (3, [2, 2])}, {530: (3, [2, 1])}):
        assert "is a TIFF of" in refused(written(tmp_path, tiff(tags | chroma, [bytes(48)])))
    assert read_photograph(written(tmp_path, tiff(tags | {530: (3, [1, 1])}, [bytes(48)]))).shape == (4, 4, 3)


@pytest.mark.parametrize("bits, channels", [(1, 1), (2, 1), (4, 1), (8, 1), (16, 1), (8, 3)])
def test_the_transparent_colour_of_a_png_is_white_and_no_other(tmp_path, bits, channels):
    top = 2**bits - 1
    values = rng.integers(0, top, (4, 5, channels), endpoint=True)
    values[0, 0] = key = rng.integers(0, top, channels, endpoint=True)
    values[0, 1] = (key + 1) % (top + 1)
    got = read_photograph(written(tmp_path, png(values, bits, key))).reshape(values.shape)
    seen = (values != key).any(axis=2, keepdims=True)
    np.testing.assert_array_equal(got, np.where(seen, values / top, 1))


def test_a_transparent_colour_that_is_not_laid_on_white_is_said(tmp_path):
    path = written(tmp_path, png(np.full((2, 2, 3), 1000), 16, (1000, 1000, 1000)))
    with pytest.warns(UserWarning, match=r"has a transparent colour of 16 bits, \(1000, 1000, 1000\), that is not"):
        read_photograph(path)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_picture_without_anything_to_be_seen_is_said_to_be_a_white_page(tmp_path, mode):
    Image.new(mode, (8, 6)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match=r"a\.png has alpha 0 everywhere: nothing of it is seen but a white") as said:
        assert (read_photograph(tmp_path / "a.png") == 1).all()
    assert said[0].filename == __file__


# --- other formats, by hand ------------------------------------------------------------------------------------------

GREY, ALPHA = COLOURS[:, :, 0], rng.integers(0, 256, (6, 8, 1)).astype(np.uint8)
FIVE = COLOURS >> 3
PALETTE, NUMBERS = rng.integers(0, 256, (4, 3)).astype(np.uint8), rng.integers(0, 4, (6, 8)).astype(np.uint8)


def tga(kind, depth, data, flags, colours=b"", bits=0):
    return struct.pack("<BBBHHBHHHHBB", 0, bool(colours), kind, 0, 4 if colours else 0, bits, 0, 0, 8, 6, depth,
                       flags) + colours + data.tobytes()


def bmp(bits, data, masks=()):
    head = struct.pack("<IiiHHIIiiII", 40, 8, 6, 1, bits, 3 if masks else 0, data.nbytes, 0, 0, 0, 0)
    head += struct.pack(f"<{len(masks)}I", *masks)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + data.nbytes, 0, 0, 14 + len(head)) + head + data.tobytes()


def fives(red, green, blue):
    """FIVE in words of 16 bits, with the channels shifted so far."""
    return (FIVE.astype(np.uint16) << np.array([red, green, blue], np.uint16)).sum(axis=2, dtype=np.uint16)


def pnm(kind, values, top):
    """Numbers up to `top`, those of `values` and their rests, in one byte or two; and their light."""
    numbers = values.astype(int) % (top + 1)
    return b"%s\n8 6\n%d\n" % (kind, top) + numbers.astype("u1" if top < 256 else ">u2").tobytes(), numbers / top


def laid(colours, alpha):
    return alpha / 255 * (colours / 255) + (1 - alpha / 255)


BY_HAND = {
    "TGA of 24 bits": (tga(2, 24, COLOURS[:, :, ::-1], 0x20), COLOURS / 255),
    "TGA from the bottom": (tga(2, 24, COLOURS[::-1, :, ::-1], 0), COLOURS / 255),
    "TGA from the right": (tga(2, 24, COLOURS[:, ::-1, ::-1], 0x30), COLOURS / 255),
    "grey TGA": (tga(3, 8, GREY, 0x20), GREY / 255),
    "TGA with alpha": (tga(2, 32, np.dstack([COLOURS[:, :, ::-1], ALPHA]), 0x28), laid(COLOURS, ALPHA)),
    "TGA whose alpha has no bits": (tga(2, 32, np.dstack([COLOURS[:, :, ::-1], ALPHA]), 0x20), COLOURS / 255),
    "TGA of 16 bits, the last 0": (tga(2, 16, fives(10, 5, 0), 0x20), FIVE / 31),
    "TGA of 16 bits, the last 1": (tga(2, 16, fives(10, 5, 0) | 0x8000, 0x21), FIVE / 31),
    "TGA with a palette": (tga(1, 8, NUMBERS, 0x20, PALETTE[:, ::-1].tobytes(), 24), PALETTE[NUMBERS] / 255),
    "TGA with alpha in its palette": (tga(1, 8, NUMBERS, 0x20, np.c_[PALETTE[:, ::-1], ALPHA[0, :4]].tobytes(), 32),
                                      PALETTE[NUMBERS] / 255),
    "BMP of 24 bits": (bmp(24, COLOURS[::-1, :, ::-1]), COLOURS / 255),
    "BMP of 32 bits": (bmp(32, np.dstack([COLOURS[::-1, :, ::-1], ALPHA])), COLOURS / 255),
    "BMP of 16 bits": (bmp(16, fives(10, 5, 0)[::-1]), FIVE / 31),
    "BMP of 16 bits and masks": (bmp(16, fives(11, 6, 0)[::-1], (0xF800, 0x7E0, 0x1F)), FIVE * (1, 62 / 63, 1) / 31),
    **{f"PPM to {top}": pnm(b"P6", 257 * COLOURS.astype(int), top) for top in (1, 3, 100, 255, 256, 1000, 65535)},
    **{f"PGM to {top}": pnm(b"P5", 257 * GREY.astype(int), top) for top in (1, 100, 255, 256, 4095, 65535)},
    "PBM": (b"P4\n8 6\n" + np.packbits(GREY > 99, axis=1).tobytes(), GREY <= 99),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_a_file_written_by_hand_shows_its_light(tmp_path, what):
    data, want = BY_HAND[what]
    # Pillow has bytes for colours and for grey up to 255: half a step, and half of one when five bits are spread.
    np.testing.assert_allclose(read_photograph(written(tmp_path, data)), want, rtol=0, atol=1 / 255)


# --- formats whose readers need a word more ----------------------------------------------------------------------


def psd(bits, mode, channels, layers=b""):
    return (b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, 6, 8, bits, mode) + struct.pack(">IIIH", 0, 0, 0, 0)
            + layers + COLOURS.transpose(2, 0, 1).tobytes())


def test_of_a_psd_the_merged_picture_is_read(tmp_path):
    np.testing.assert_array_equal(read_photograph(written(tmp_path, psd(8, 3, 3))), COLOURS / 255)


@pytest.mark.parametrize("bits, mode", [(16, 3), (1, 0), (8, 7), (32, 3)])
def test_a_psd_of_other_numbers_is_refused_by_name(tmp_path, bits, mode):
    assert f"is a PSD of {bits} bits and colour mode {mode}, but" in refused(written(tmp_path, psd(bits, mode, 3)))


def test_what_is_wrong_with_a_file_of_a_known_format_is_said(tmp_path):
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 3_000_000))
    message = refused(written(tmp_path, png(np.zeros((2, 2, 1), int), 8, more=text)))
    assert "cannot be read as PNG" in message and "too large" in message
    Image.fromarray(rng.integers(0, 256, (90, 90), np.uint8)).save(tmp_path / "a.jpg")
    assert "cannot be read as JPEG" in refused(written(tmp_path, (tmp_path / "a.jpg").read_bytes()[:150]))


def test_names_are_shown_on_one_line_and_not_whole(tmp_path):
    name = "a\x1b[31m\n" + 180 * "b" + ".png"
    assert "\\x1b[31m\\n" in refusal.told(name)
    assert "bbb.png is no image" in refused(written(tmp_path, b"no image", name))


# --- images of Pillow's and arrays are photographs like files ------------------------------------------------------

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "F",
         "I")


@pytest.mark.parametrize("mode", MODES)
def test_an_image_in_any_mode_shows_its_colours_or_is_refused(mode):
    grey = mode in ("1", "L", "LA", "La", "I;16", "I", "F")
    plain = Image.fromarray(np.repeat(np.repeat([[0, 255]], 6, 0), 4, 1).astype(np.uint8)) if grey else \
        Image.fromarray(np.repeat(np.repeat(np.array([[(200, 100, 50), (20, 30, 90)]], np.uint8), 6, 0), 4, 1))
    if mode in ("F", "I;16"):
        numbers = np.asarray(plain)
        image = Image.fromarray((numbers / 255).astype(np.float32) if mode == "F" else numbers.astype(np.uint16) * 257)
    else:
        four = plain.quantize(4)
        between = {"La": plain.convert("LA"), "RGBa": plain.convert("RGBA"), "P": four, "PA": four}
        image = lab(plain) if mode == "LAB" else between.get(mode, plain).convert(mode)
    assert image.mode == mode
    if mode == "I":
        with pytest.raises(ValueError, match="the photograph holds int32 numbers, whose range is unknown"):
            MODEL.prepare(image)
        return
    # Every colour is rounded to bytes on the way there and back; hue has a step of 1/255 of 360 degrees.
    far = {"YCbCr": 4, "HSV": 4, "LAB": 4}.get(mode, 0) / 255
    np.testing.assert_allclose(MODEL.prepare(image), MODEL.prepare(np.asarray(plain)), rtol=0, atol=far)


def lab(image):
    from PIL import ImageCms

    made = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    return ImageCms.applyTransform(image, made)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif", "a.bmp", "a.webp"])
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "CMYK", "I;16", "1"])
def test_an_opened_image_is_prepared_as_the_file_it_was_opened_from(tmp_path, mode, name):
    picture = Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000) if mode == "I;16" else \
        Image.fromarray(COLOURS).convert(mode)
    exif = Image.Exif()
    exif[274] = 6
    try:
        picture.save(tmp_path / name, exif=exif)
    except (OSError, ValueError):   # not every format holds every mode
        return
    want = read_photograph(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        np.testing.assert_array_equal(to_pixels(image), want)
    with (tmp_path / name).open("rb") as file, Image.open(file) as image:   # by its name Pillow maps rows for columns
        image.load()
        np.testing.assert_array_equal(to_pixels(image), want)


@pytest.mark.parametrize("given, error, said", [
    (np.ma.masked_array(np.zeros((4, 4), np.uint8), mask=np.eye(4, dtype=bool)), ValueError, "is a masked array"),
    ("a.png", TypeError, r"is a name, 'a\.png', needed pixels: give read_photograph"),
    (Path("a.png"), TypeError, "needed pixels: give read_photograph"),
    (b"\x89PNG", TypeError, "needed pixels"),
    ([[1, 2], [3]], TypeError, "is a list that is no array of numbers"),
    (None, ValueError, "has shape"),
    (np.zeros((4, 4, 4), np.uint8), ValueError, "four channels that may be RGB and alpha or CMYK inks"),
    (np.full((2, 2), np.float32(1) + np.finfo(np.float32).eps), ValueError, "from 1.0000001192092896 to 1.0000001"),
    (np.zeros((2, 2), complex), ValueError, "holds complex128 numbers"),
])
def test_what_is_no_photograph_is_refused_in_our_words(given, error, said):
    with pytest.raises(error, match=said):
        MODEL.prepare(given)


# --- how large it is and how it is turned, without its pixels ------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_of_a_file_is_that_of_its_pixels_before_they_are_turned(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(COLOURS).save(tmp_path / name, exif=exif)
    assert size_of(tmp_path / name) == ((6, 8), orientation)
    turned = upright(np.zeros((6, 8)), orientation)
    assert read_photograph(tmp_path / name).shape[:2] == turned.shape
