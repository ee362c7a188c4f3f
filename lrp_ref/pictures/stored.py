"""What a photograph's file holds: opened by the one reader that its first bytes name, or refused by name."""

from __future__ import annotations

import io
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import listed

T = TypeVar("T")

MOST_PIXELS = 50_000_000  # as many as telephones take; as float64 RGB they fill 1.2 GB
LONGEST = 65_535          # pixels of a side, as JPEG can have: resizing takes a hundred bytes for each of them
MOST_BYTES = 1 << 30      # of a file: some readers take it into memory whole
HEAD = 32                 # bytes of a file that say what it is
MOST_SHOWN = 200          # characters of a name, so that a message has 500 at most
WORDS = 100               # characters of what another library says

# Formats of photographs, by what their files begin with: no format that is a program or names other files.
BEGINS: dict[str, tuple[bytes, ...]] = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "PSD": (b"8BPS\0\1",),
    "PPM": tuple(b"P%d%c" % (n, blank) for n in range(1, 7) for blank in b" \t\r\n"),
}
BRANDS = dict.fromkeys((b"avif", b"avis"), "AVIF") | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), "HEIF"
)
INSTEAD = "give a PNG, JPEG or TIFF file, for example"

# Modes whose numbers are light, and what others are read as: asking for RGB throughout would turn 16-bit grey white.
LIGHT = ("1", "L", "LA", "RGB", "RGBA", "F", "I;16", "I;16B", "I;16L", "I;16N")
READ_AS = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"} | dict.fromkeys(
    ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"), "RGB"
)

# TIFF's tags, and by its PhotometricInterpretation the bits of unsigned numbers that are read as what they are.
ORIENTATION = 274
TAGS = {258: "BitsPerSample", 259: "Compression", 262: "PhotometricInterpretation", 266: "FillOrder",
        284: "PlanarConfiguration", 317: "Predictor", 339: "SampleFormat", 530: "YCbCrSubSampling"}
BITS = {0: (1, 2, 4, 8, 16), 1: (1, 2, 4, 8, 12, 16), 2: (8, 16), 3: (1, 2, 4, 8), 5: (8, 16), 6: (8,), 8: (8,)}
# PSD's colours: grey, indexed, RGB, CMYK, duotone as its grey, Lab. Bitmaps, where 1 is black, and loose inks are not.
INKS = (1, 2, 3, 4, 8, 9)

ONE_AT_A_TIME = threading.Lock()   # standard error and the filters of warnings belong to all threads


class Refused(ValueError):
    """A photograph that is not read, in our words."""


class Missing(Refused, FileNotFoundError):
    """A photograph that is not there."""


class Stored(NamedTuple):
    """Numbers (H, W) or (H, W, channels) as they are stored, how they are turned, and what is to be known of them."""

    values: NDArray[Any]
    orientation: int = 1
    notes: tuple[str, ...] = ()


def told(text: object, most: int = MOST_SHOWN) -> str:
    """A name or another's words on one line, without control characters, the end of it if it is long."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return line if len(line) <= most else "..." + line[3 - most :]


def check_size(height: int, width: int, name: str) -> None:
    """Sizes are declared, checked, then allocated."""
    if not all(isinstance(side, (int, np.integer)) and side > 0 for side in (height, width)):
        raise Refused(f"{name} is {told(height, 50)} x {told(width, 50)} pixels, needed a height and a width of at "
                      "least 1, whole numbers")
    if max(height, width) > LONGEST:
        raise Refused(f"{name} is too long: {height} x {width} pixels, but a side has at most {LONGEST:,} (LONGEST): "
                      "cut it or make it smaller first")
    if height * width > MOST_PIXELS:
        raise Refused(f"{name} is too large: {height} x {width} pixels, but at most {MOST_PIXELS:,} are read "
                      "(MOST_PIXELS): make it smaller first")


def regular(path: Path) -> bytes:
    """The first bytes of a regular file; no other is opened, as a pipe would be waited for and a device has no end."""
    name = told(path)
    try:
        if not path.exists():
            raise Missing(f"{name} does not exist: check the name of the photograph")
        if not path.is_file():
            raise Refused(f"{name} is {'a directory' if path.is_dir() else 'no regular file'}: give an image file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
    except Refused:
        raise
    except (OSError, ValueError) as error:
        cause = told(getattr(error, "strerror", None) or error)
        raise Refused(f"{name} cannot be opened: {cause}: check the file") from error
    if not head:
        raise Refused(f"{name} is empty: give an image file such as PNG, JPEG or TIFF")
    if size > MOST_BYTES:
        raise Refused(f"{name} has {size:,} bytes, but at most {MOST_BYTES:,} are read (MOST_BYTES): make it smaller")
    return head


def format_of(head: bytes, name: str) -> str:
    """The format that a file's first bytes name, as Pillow calls it; of a TGA file, which has no mark, its header."""
    for kind, begins in BEGINS.items():
        if head.startswith(begins):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in BRANDS:
        return BRANDS[head[8:12]]
    # Colour map or none, a kind of image, bits of a pixel, and no bit of the last byte that has no meaning.
    if len(head) > 17 and head[1] < 2 and head[2] in (1, 2, 3, 9, 10, 11) and head[16] in (8, 16, 24, 32) and \
            head[17] < 64:
        return "TGA"
    raise Refused(f"{name} is no image (it begins with {head[:12]!r}): {INSTEAD}")


class Whole(io.BufferedReader):
    """A file of which no more is asked for than it has: what a damaged one declares would be allocated first."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing reaches file descriptor 2: libtiff writes what it thinks of a file there, past Python."""
    try:
        before = os.dup(2)
    except OSError:   # closed: nothing can be written there
        yield
        return
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextmanager
def in_our_words(name: str, kind: str, begins: bytes = bytes(HEAD)) -> Iterator[None]:
    """What a reader says of a photograph, and how it fails, in our words; `begins`: the first bytes, where known."""
    from PIL import Image, UnidentifiedImageError

    # Warnings are readers' own: what matters is said here.
    with ONE_AT_A_TIME, quiet() if kind == "TIFF" else nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (Refused, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            pixels = told(str(error).partition(" exceeds")[0])
            raise Refused(f"{name} is too large: {pixels}, but at most {MOST_PIXELS:,} pixels are read (MOST_PIXELS): "
                          "make it smaller first") from error
        except Exception as error:   # a damaged file can make its reader raise anything
            if len(begins) < HEAD:
                raise Refused(f"{name} is no image (its {len(begins)} bytes begin a {kind}): {INSTEAD}") from error
            cause = "its header" if isinstance(error, UnidentifiedImageError) else first_line(error)
            raise Refused(f"{name} cannot be read as {kind}, damaged or of an unknown kind ({cause}): see that "
                          "it is complete, or save it anew as PNG") from error


@dataclass(frozen=True)
class Packed:
    """A file inside another, as a tar keeps it: `size` bytes from `start` on."""

    path: Path
    name: str
    start: int
    size: int

    def __str__(self) -> str:
        return f"{self.path}: {self.name}"

    def read(self, most: int = MOST_BYTES) -> bytes:
        """Its bytes, `most` of them."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(min(self.size, most))
        except OSError as error:
            raise Refused(f"{told(self.path)} cannot be read: {told(error.strerror)}: check the file") from error


def reading(path: str | os.PathLike[str] | Packed, use: Callable[[Any], T]) -> T:
    """use(image) of a file's image, opened but not yet decoded."""
    if isinstance(path, Packed):
        data = path.read()
        if not data:
            raise Refused(f"{told(path)} is empty: give an image file such as PNG, JPEG or TIFF")
        return opened(io.BytesIO(data), data[:HEAD], told(path), use)
    path = Path(path)
    head = regular(path)
    with Whole(path.open("rb", buffering=0)) as file:
        return opened(file, head, told(path), use)


def opened(file: Any, head: bytes, name: str, use: Callable[[Any], T]) -> T:
    """use(image) of what begins with these bytes, by the one reader that they name."""
    from PIL import Image

    kind = format_of(head, name)
    if kind == "HEIF":
        register_heif(name)
    with in_our_words(name, kind, head):
        if kind == "WEBP":
            check_size(*webp_size(head), name)   # its reader allocates at once
        if kind == "TIFF":
            check_tiff(tags_of(file, head), name)   # which its reader refuses without a word
        if kind == "PSD" and (head[22:24] != b"\0\x08" or head[25] not in INKS):
            raise Refused(f"{name} is a PSD of {int.from_bytes(head[22:24])} bits and colour mode {head[25]}, but "
                          f"8 bits and grey, indexed, RGB, CMYK or Lab colours are read: {INSTEAD}")
        file.seek(0)
        with Image.open(file, formats=[kind]) as image:
            return use(image)


def first_line(error: BaseException) -> str:
    return told((str(error).splitlines() or [type(error).__name__])[0].rstrip("."), WORDS)


def register_heif(name: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise Refused(f"{name} is a HEIC/HEIF photograph, which needs pillow-heif: install that, or save it as JPEG or "
                      "PNG") from None
    register_heif_opener()


def webp_size(head: bytes) -> tuple[int, int]:
    """Height and width that a WebP file declares, in the three ways there are."""
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[27:30], "little"), 1 + int.from_bytes(head[24:27], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits >> 14) % (1 << 14), 1 + bits % (1 << 14)
    return int.from_bytes(head[28:30], "little") % (1 << 14), int.from_bytes(head[26:28], "little") % (1 << 14)


def tags_of(file: Any, head: bytes) -> Any:
    """A TIFF's first directory."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2(head[: 16 if 43 in head[2:4] else 8])
    file.seek(tags.next)
    tags.load(file)
    return tags


def check_tiff(tags: Any, name: str) -> None:
    """A refusal of a TIFF whose numbers its reader would take for others: signed, packed, apart, 0 for white."""
    facts = tiff_facts(tags)
    if not is_ordinary(facts):
        got = ", ".join(f"{TAGS[tag]} {' '.join(map(str, value))[:20]}" for tag, value in facts.items()
                        if tag in (258, 262) or (tag in TAGS and tag in tags and set(value) != {1}))
        raise Refused(f"{name} is a TIFF of {told(got, WORDS)}, a kind that is not read: save it as PNG, or with 8 or "
                      "16 unsigned bits per sample in one plane, or grey as 32-bit floats from 0 to 1")


def tiff_facts(tags: Any) -> dict[int, tuple[Any, ...]]:
    """The tags that say what the numbers are, each as a tuple; where they are missing, what TIFF says they are."""
    missing = {256: 0, 257: 0, 258: 1, 259: 1, 262: 0, 266: 1, 284: 1, 317: 1, 339: 1, 530: 2}
    found = {tag: tags.get(tag, value) for tag, value in missing.items()}
    facts = {tag: value if isinstance(value, tuple) else (value,) for tag, value in found.items()}
    if facts[259] == (6,):   # old JPEG in TIFF is luma and chroma of 8 bits, whatever the tags say
        facts |= {258: (8,), 262: (6,)}
    return facts


def is_ordinary(facts: dict[int, tuple[Any, ...]]) -> bool:
    bits, compression, light, fill, planes, predictor, form, chroma = (
        facts[tag] for tag in (258, 259, 262, 266, 284, 317, 339, 530))
    if len(set(bits)) != 1 or len(set(form)) != 1:
        return False
    if form[0] == 3:
        return bits == (32,) and light in ((0,), (1,)) and planes == (1,)
    if bits == (32,) and form[0] in (1, 2):
        return True   # whole numbers of unknown range, which is said of arrays in the same words
    if form[0] != 1 or bits[0] not in BITS.get(light[0], ()):
        return False
    # Of planes apart, the reader takes all numbers for plain bytes; and of one sample there is one plane only.
    apart = planes == (2,) and bits[0] == 8 and light[0] in (1, 2, 5) and fill == (1,)
    if planes != (1,) and not apart:
        return False
    raw = compression == (1,)   # then nothing undoes a predictor or puts chroma back to every pixel
    return not raw or (predictor == (1,) and (light != (6,) or set(chroma) == {1}))


def turned_by(image: Any) -> int:
    """EXIF orientation, 1 to 8; any other number is none."""
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def size_and_turn(image: Any) -> tuple[tuple[int, int], int]:
    """Height and width of the numbers as they are stored, and how they are turned; the pixels are not read."""
    if image.format == "TIFF":
        facts = tiff_facts(image.tag_v2)
        return (facts[257][0], facts[256][0]), turned_by(image)
    return (image.height, image.width), turned_by(image)


def stored(image: Any, name: str) -> Stored:
    """An image of Pillow's, of a file or made by hand, as numbers that are light."""
    check_size(image.height, image.width, name)
    mode, key = image.mode, image.info.get("transparency")
    tiles = getattr(image, "tile", ())   # how the file's numbers lie, until it is read
    packed = tiles[0][3] if tiles else mode
    packed = packed if isinstance(packed, str) else str((packed or (mode,))[0])
    facts = {}
    if hasattr(image, "tag_v2"):
        check_tiff(image.tag_v2, name)
        facts = tiff_facts(image.tag_v2)
    opaque = image.format == "TGA" and tiles and without_alpha(image)
    load(image)
    values: NDArray[Any]
    if image.format == "PPM" and mode == "I":
        values = np.asarray(image).astype(np.uint16)   # 16-bit PGM is read into wider integers
    elif mode in LIGHT or mode == "I":   # of I the range is unknown, which is said with the others
        values = np.asarray(image)
    elif mode in READ_AS:
        values = np.asarray(image.convert(READ_AS[mode]))
    else:
        raise Refused(f"{name} has pixels of mode {told(mode)}, but {listed((*LIGHT[:6], *READ_AS))} are read: "
                      "convert it to RGB")
    if facts and facts[258] == (12,):
        values = values / 4095
    if facts and facts[262] == (0,) and mode not in ("1", "L", "I"):   # those its reader has turned already
        values = (1.0 if values.dtype.kind == "f" else np.iinfo(values.dtype).max) - values
    if opaque and values.ndim == 3 and values.shape[2] in (2, 4):
        values = values[:, :, :-1]
    notes = []
    if key is not None and mode in ("1", "L", "RGB", "I;16", "I;16B"):
        if packed.startswith("RGB;16"):   # the lower bytes of the numbers are gone
            notes.append(f"{name} has a transparent colour of 16 bits, {told(key)}, that is not laid on white")
        else:
            values = with_key(values, key, {"L;2": 85, "L;4": 17}.get(packed, 1))
    if values.ndim == 3 and values.shape[2] in (2, 4) and not values[:, :, -1].any():
        notes.append(f"{name} has alpha 0 everywhere: nothing of it is seen but a white page")
    images = 1 if image.format == "PSD" else getattr(image, "n_frames", 1)   # of a PSD the whole, not its layers
    if images > 1:
        notes.append(f"{name} holds {images} images: only the first is used")
    # Asked for after reading: some readers turn the image themselves and then drop the mark.
    return Stored(values, turned_by(image), tuple(notes))


def without_alpha(image: Any) -> bool:
    """Whether a TGA file says of its alpha that it has no bits; or it has one, by which programs mean opposites."""
    image.fp.seek(16)
    bits, flags = image.fp.read(2)
    return flags % 16 == 0 or bits == 16


def load(image: Any) -> None:
    """The pixels are read, not mapped by the file's name: of a TIFF that EXIF turns, that takes rows for columns."""
    file = getattr(image, "filename", "")
    if file:
        image.filename = ""
    try:
        image.load()
    finally:
        if file:
            image.filename = file


def with_key(values: NDArray[Any], key: Any, scale: int) -> NDArray[Any]:
    """Alpha after the colours: none where all of them are the transparent one's, `scale` times what the file says."""
    if isinstance(key, bytes) or np.shape(key) != values.shape[2:]:
        return values
    colours = values.astype(np.uint8) * np.uint8(255) if values.dtype == np.bool_ else values
    top, wanted = np.iinfo(colours.dtype).max, scale * np.asarray(key)
    if not (wanted.min() >= 0 and wanted.max() <= top):
        return values   # a colour that no number here is
    seen = np.logical_or.reduce([colour != one for colour, one in zip(
        np.moveaxis(colours.reshape(*values.shape[:2], -1), 2, 0), wanted.ravel().astype(colours.dtype))])
    return np.dstack([colours, seen.astype(colours.dtype) * colours.dtype.type(top)])
