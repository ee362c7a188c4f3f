"""Photographs: files of every format with mutated bytes, arrays and images of every kind, folders in VOC's layout."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from harness import Attempt, Door
from PIL import Image

from lrp_ref import Linear, Model, Network, Preprocessing, read_photograph
from lrp_ref.paper.voc import read_voc

KINDS = {"PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"), "JPEG": ("L", "RGB", "CMYK"),
         "TIFF": ("1", "L", "LA", "I;16", "F", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"),
         "BMP": ("1", "L", "P", "RGB"),
         "GIF": ("L", "P", "RGB"), "PPM": ("1", "L", "I;16", "RGB"), "TGA": ("L", "LA", "P", "RGB", "RGBA"),
         "WEBP": ("RGB", "RGBA"), "AVIF": ("RGB",), "PSD": ("RGB",), "EPS": ("L",), "ICO": ("RGB",), "DDS": ("RGB",),
         "JPEG2000": ("RGB",), "SGI": ("L",), "PCX": ("L",)}
ALL = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
PACKED = {"": ALL, "1": (*ALL, "group4", "group3"), "L": (*ALL, "jpeg"), "RGB": (*ALL, "jpeg")}
LARGE = (0, 1, 3, 12, 16, 255, 7000, 20_000, 65_535, 2**16, 2**31 - 1, 2**32 - 1)
INTERESTING = (0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 31, 32, 64, 127, 128, 254, 255)
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I",
         "F")
MODEL = Model(Network([("fc", Linear(np.eye(2)))]), ["a", "b"], Preprocessing((6, 8), "rgb"))
FREE = Model(Network([("fc", Linear(np.eye(2)))]), ["a", "b"], Preprocessing(None, "grey", tallest=40))


@cache
def folder() -> Path:
    """One folder for all cases of this process, as every case writes over what the one before it left."""
    kept = tempfile.TemporaryDirectory(prefix="photographs")
    _kept.append(kept)
    return Path(kept.name)


_kept: list[Any] = []


def picture(rng: np.random.Generator, mode: str) -> Image.Image:
    """A small image of Pillow's in a mode."""
    shape = tuple(int(n) for n in rng.integers(1, 40, 2))
    colours = Image.fromarray(rng.integers(0, 256, (*shape, 3), np.uint8))
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, shape).astype(np.uint16))
    if mode in ("F", "I"):
        return Image.fromarray(rng.random(shape, np.float32) if mode == "F" else rng.integers(0, 300, shape, np.int32))
    if mode == "LAB":
        return Image.frombytes("LAB", colours.size, colours.tobytes())
    between = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode)
    return (colours.convert(between) if between else colours).convert(mode)


def psd(rng: np.random.Generator) -> bytes:
    height, width = (int(n) for n in rng.integers(1, 30, 2))
    mode, bits = int(rng.integers(10)), int(rng.choice([1, 8, 8, 8, 16]))
    channels = int(rng.integers(1, 6))
    return (b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, bits, mode) + struct.pack(">III", 0, 0, 0)
            + struct.pack(">H", 0) + rng.bytes(channels * height * width))


def tagged(rng: np.random.Generator) -> bytes:
    """A TIFF whose tags are drawn one by one, some of other types, some of numbers that no file has."""
    order, data = str(rng.choice(["<", ">"])), rng.bytes(int(rng.integers(0, 3000)))
    channels, bits = int(rng.choice([1, 1, 2, 3, 4, 5])), int(rng.choice([1, 2, 4, 8, 8, 8, 12, 16, 16, 32, 64]))
    tags = {256: [int(rng.integers(1, 40))], 257: [int(rng.integers(1, 40))], 258: [bits] * channels, 277: [channels],
            259: [int(rng.choice([1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 50000]))], 273: [8],
            262: [int(rng.choice([0, 1, 2, 3, 5, 6, 8, 9]))], 278: [int(rng.choice([1, 7, 40]))], 279: [len(data)],
            339: [int(rng.choice([1, 1, 1, 1, 2, 3, 4]))] * channels, 284: [int(rng.choice([1, 1, 1, 2]))],
            266: [int(rng.choice([1, 1, 1, 2]))], 274: [int(rng.integers(0, 10))], 317: [int(rng.choice([1, 1, 2, 3]))],
            338: [int(rng.integers(0, 3))] * max(channels - 3, 0), 530: [int(n) for n in rng.integers(0, 5, 2)],
            320: [int(n) for n in rng.integers(0, 65536, 3 << min(bits, 8))], 700: [60, 63], 34665: [8]}
    if rng.random() < 0.3:
        tags |= {322: [int(rng.choice([1, 16, 5, 2**31]))], 323: [16], 324: [8, 9, 10, 11], 325: [256] * 4}
    tags = {tag: values for tag, values in tags.items() if values and rng.random() < 0.9}
    for tag in rng.choice(sorted(tags), 2).tolist() if rng.random() < 0.5 else []:
        tags[tag] = [int(n) for n in rng.choice(LARGE, int(rng.integers(1, 4)))]
    entries, extra, at = b"", b"", 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        code = "I" if max(values) > 65535 or rng.random() < 0.1 else "H"
        place = struct.pack(f"{order}{len(values)}{code}", *values)
        kind = {"I": 4, "H": 3}[code] if rng.random() < 0.98 else int(rng.integers(0, 14))
        if len(place) > 4:
            place, extra = struct.pack(order + "I", at + len(extra)), extra + place
        count = len(values) if rng.random() < 0.98 else int(rng.choice(LARGE))
        entries += struct.pack(order + "HHI", tag, kind, count) + place.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data))
    return head + data + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + extra


def file_of(rng: np.random.Generator, kind: str) -> bytes:
    """A good file of a format."""
    if kind == "PSD":
        return psd(rng)
    made = picture(rng, str(rng.choice(KINDS[kind])))
    options: dict[str, Any] = {}
    if kind == "TIFF":
        options["compression"] = str(rng.choice(PACKED.get(made.mode, PACKED[""])))
    if kind in ("GIF", "PNG", "TIFF", "WEBP") and rng.random() < 0.2:
        options |= {"save_all": True, "append_images": [made.copy() for _ in range(3)]}
    if kind in ("JPEG", "PNG", "TIFF", "WEBP") and rng.random() < 0.5:
        exif = Image.Exif()
        exif[274] = int(rng.integers(*((1, 9) if kind == "TIFF" else (0, 12))))
        options["exif"] = exif
    if kind == "PNG" and made.mode in ("1", "L", "I;16", "P") and rng.random() < 0.3:
        options["transparency"] = int(rng.integers(0, 255))
    if kind == "JPEG":
        options["progressive"] = bool(rng.random() < 0.3)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made.save(file, kind, **options)
        except Exception:   # not every combination can be written
            file = io.BytesIO()
            made.convert("RGB").convert("L").save(file, kind)
    return file.getvalue()


def mutated(rng: np.random.Generator, data: bytes, kind: str) -> bytes:
    """Some bytes of it others, most of them in the header; cut, repeated, filled up; a PNG's sums put right again."""
    found = bytearray(data)
    for _ in range(int(rng.integers(0, 6))):
        # A TIFF's and a TGA's facts can stand at the end.
        start = 0 if rng.random() < 0.7 else max(0, len(found) - 250)
        at = start + int(min(rng.exponential(40 if rng.random() < 0.8 else len(found)), max(len(found) - start - 1, 0)))
        if not found:
            break
        choice = rng.random()
        if choice < 0.5:
            found[at] = int(rng.choice(INTERESTING))
        elif choice < 0.6:
            found[at] ^= 1 << int(rng.integers(8))
        elif choice < 0.75:
            found[at:at + 4] = int(rng.choice(LARGE)).to_bytes(4, str(rng.choice(["little", "big"])))
        elif choice < 0.85:
            found[at:at + 2] = int(rng.choice(LARGE) % 2**16).to_bytes(2, str(rng.choice(["little", "big"])))
        elif choice < 0.92:
            del found[at:]
        elif choice < 0.96:
            found[at:at] = rng.bytes(int(rng.integers(1, 30)))
        else:
            found[at:at] = found[at:at + int(rng.integers(1, 100))]
    return summed(found) if kind == "PNG" and rng.random() < 0.8 else bytes(found)


def summed(data: bytearray) -> bytes:
    """A PNG whose chunks have the check sums of what is in them."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at:at + 4])
        if end + 4 > len(data):
            break
        data[end:end + 4] = struct.pack(">I", zlib.crc32(data[at + 4:end]))
        at = end + 4
    return bytes(data)


def photograph(rng: np.random.Generator) -> Attempt:
    kind = str(rng.choice([*KINDS, "tags", "tags"]))
    data = tagged(rng) if kind == "tags" else mutated(rng, file_of(rng, kind), kind)
    path = folder() / str(rng.choice(["a.png", "a.jpg", "a.tif", "a", "a\x1b[31m.eps", "b" * 240 + ".png"]))
    path.write_bytes(data)
    what = f"a mutated {kind} of {len(data)} bytes named {path.name[-12:]!r}"
    return Attempt(what, lambda: seen(read_photograph(path)))


def seen(light: Any) -> None:
    """What comes out is light, whatever came in."""
    if not (light.dtype == np.float64 and light.ndim in (2, 3) and light.size and 0 <= light.min() <= light.max() <= 1):
        raise AssertionError(f"{light.shape} from {light.min()} to {light.max()} is no light")


ARRAYS: tuple[Callable[[np.random.Generator], Any], ...] = (
    lambda rng: picture(rng, str(rng.choice(MODES))),
    lambda rng: picture(rng, str(rng.choice(MODES))),
    lambda rng: opened(rng),
    lambda rng: opened(rng),
    lambda rng: rng.integers(0, 256, shape(rng)).astype(str(rng.choice(list("?bBhHiIqQefdgFDO")))),
    lambda rng: rng.random(shape(rng)).astype(str(rng.choice(list("efdgO")))) * rng.choice([1, 1.0000001, -1]),
    lambda rng: np.full(shape(rng), rng.choice([np.nan, np.inf, -np.inf, 1e308, 5e-324, -0.0])),
    lambda rng: np.ma.masked_array(rng.random(two := shape(rng)), rng.random(two) < 0.5),
    lambda rng: rng.random((3, 4)).view(np.matrix),
    lambda rng: np.broadcast_to(np.uint8(7), (int(rng.choice([1, 65_535, 10**9])), int(rng.choice([1, 700, 10**5])))),
    lambda rng: rng.choice(["a", "b"], shape(rng)),
    lambda rng: np.zeros(3, [("a", int), ("b", float)]),
    lambda rng: np.zeros((2, 3), "M8[s]"),
    lambda rng: rng.integers(0, 256, shape(rng), np.uint8).tolist(),
    lambda rng: STRANGE[int(rng.integers(len(STRANGE)))],
)


class Strange:
    """What says it is an array and is none."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("no \x07 array\n" * 200)


STRANGE: tuple[Any, ...] = (
    None, "a.png", Path("a.png"), b"\x89PNG", b"", 7, 0.5, [], [[1, 2], [3]], {}, {"a": 1}, object(), range(5),
    [[0.1, "a"]], [[[[]]]], MODEL, np, int, Strange(), memoryview(b"abcd"), 10**400, [[10**400]], "a\x1b" * 900,
    slice(3), Ellipsis, NotImplemented, io.BytesIO(b"\x89PNG"), [Image.new("L", (3, 4))] * 2, Image, Image.Image())


def shape(rng: np.random.Generator) -> tuple[int, ...]:
    sizes = [int(n) for n in rng.integers(0, 30, int(rng.integers(0, 5)))]
    channels = [(), (1,), (2,), (3,), (4,)][int(rng.integers(5))]
    return tuple(sizes) if rng.random() < 0.3 else (*map(int, rng.integers(1, 30, 2)), *channels)


def opened(rng: np.random.Generator) -> Any:
    """An image of Pillow's whose file is not read yet, good or mutated; where that cannot be opened, none."""
    kind = str(rng.choice(["PNG", "JPEG", "TIFF", "BMP", "GIF", "TGA", "PPM", "WEBP", "PSD"]))
    data = tagged(rng) if kind == "TIFF" and rng.random() < 0.5 else file_of(rng, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(mutated(rng, data, kind) if rng.random() < 0.7 else data), formats=[kind])
        except Exception:
            return None


def prepared(rng: np.random.Generator) -> Attempt:
    made = ARRAYS[int(rng.integers(len(ARRAYS)))](rng)
    model = MODEL if rng.random() < 0.5 else FREE
    facts = [getattr(made, fact, "") for fact in ("mode", "shape", "dtype")]
    what = " ".join(map(str, (type(made).__name__, *facts)))
    return Attempt(what, lambda: model.prepare(made))


ANNOTATION = ("<annotation><size><width>{}</width><height>{}</height></size><object><name>{}</name><bndbox>"
              "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>")
NUMBERS = ("0", "1", "5", "8", "9", "-1", "1e400", "nan", "inf", "", " 3 ", "2.5", "9" * 500, "0x10", "\u0661", "1e9",
           "1_0")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")
WORDS = ("a", "b", "é", "a b", "../a", "/etc/passwd", "a" * 300, "\x1b[31m", "\u2028", "a\0", "*", "..", "\ufeff")
XML = ("", "<a/>", "<", "<annotation>" * 3000, "<a>&b;</a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "\0",
       "<?xml version='1.0' encoding='utf-7'?><a/>", "<?xml version='1.0' encoding='none'?><a/>", "{}",
       "<!DOCTYPE a [<!ENTITY b0 'c'>" + "".join(f"<!ENTITY b{n} '{10 * f'&b{n - 1};'}'>" for n in range(1, 12))
       + "]><a>&b11;</a>")


def lines(rng: np.random.Generator, *columns: tuple[str, ...]) -> str:
    rows = [" ".join(str(rng.choice(column)) for column in columns) for _ in range(int(rng.integers(0, 4)))]
    return str(rng.choice(["\n", "\r\n", "\n\n", " \n"])).join(rows)


def voc(rng: np.random.Generator) -> Attempt:
    """A folder of two photographs and two classes in which some things are others."""
    root = Path(tempfile.mkdtemp(dir=folder()))
    main = root / "ImageSets" / "Main"
    for part in (root / "JPEGImages", root / "Annotations", main):
        part.mkdir(parents=True)
    for name in ("a", "b"):
        exif = Image.Exif()
        exif[274] = int(rng.integers(0, 9)) if rng.random() < 0.3 else 1
        Image.new("L", (8, 9) if rng.random() < 0.97 else (9, 8)).save(root / "JPEGImages" / f"{name}.jpg", exif=exif)
        good = ("8", "9", "cat", "1", "2", "3", "4")
        numbers = [str(rng.choice(NUMBERS)) if rng.random() < 0.02 else n for n in good]
        text = ANNOTATION.format(*numbers) if rng.random() < 0.95 else str(rng.choice(XML))
        (root / "Annotations" / f"{name}.xml").write_bytes(encoded(rng, text))
    sets = {"test.txt": "a\nb\n", "cat_test.txt": "a 1\nb -1\n", "dog_test.txt": "a 0\nb -1\n"}
    for name, text in sets.items():
        if rng.random() < 0.05:
            text = lines(rng, WORDS, *([] if name == "test.txt" else [("1", "-1", "0", "+1", "2", "1.0", "")]))
        elif rng.random() < 0.1:
            text += text.splitlines()[0].replace("1", "-1")
        (main / name).write_bytes(encoded(rng, text))
    if rng.random() < 0.3:
        spoil(rng, root)
    which = str(rng.choice(["test"] * 70 + ["val", "", "../test", "*", "te\0st", "/", "x" * 300]))
    return Attempt(f"the folder {root.name}, set {which[:9]!r}", lambda: looked_at(root, which))


def encoded(rng: np.random.Generator, text: str) -> bytes:
    data = text.encode(str(rng.choice(ENCODINGS)) if rng.random() < 0.03 else "utf-8", "replace")
    if rng.random() < 0.03 and data:
        at = int(rng.integers(len(data)))
        data = data[:at] + rng.bytes(int(rng.integers(0, 3))) + data[at + int(rng.integers(0, 4)):]
    return data


def spoil(rng: np.random.Generator, root: Path) -> None:
    """One file of a folder is gone, is another, a folder, a pipe, a link to nowhere, without an end, or no words."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    one = files[int(rng.integers(len(files)))]
    other = files[int(rng.integers(len(files)))].read_bytes()
    one.unlink()
    match int(rng.integers(9)):
        case 1:
            one.write_bytes(other)
        case 2:
            one.mkdir()
        case 3:
            os.mkfifo(one)
        case 4:
            one.symlink_to("/dev/zero")
        case 5:
            one.symlink_to(one)
        case 6:
            one.write_bytes(other)
            os.truncate(one, 10**9)
        case 7:
            one.write_bytes(rng.bytes(300))
        case 8:
            one.write_bytes(other)
            (one.parent / ("._" + one.name)).write_bytes(b"\0\5\x16\7\xb0")
            with open(os.fsencode(one.parent) + b"/\xff\x1b_test.txt", "w") as file:
                file.write("a 1\nb 1\n")


def looked_at(root: Path, which: str) -> None:
    found = read_voc(root, which)
    for scene in found.scenes:
        if scene.image.shape[:2] != scene.masks.shape[1:]:
            raise AssertionError(f"{scene.image.shape} pixels, but regions of {scene.masks.shape}")


DOORS = (Door("read_photograph", photograph), Door("prepare", prepared), Door("read_voc", voc))
