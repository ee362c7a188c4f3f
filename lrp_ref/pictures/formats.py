"""The formats that are read: each by the one reader that a file's first bytes name. No other file is opened."""

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
from typing import Any, TypeVar

from lrp_ref.pictures.refusal import (
    HEAD,
    INSTEAD,
    MOST_BYTES,
    MOST_PIXELS,
    Refused,
    check_size,
    first_line,
    regular,
    told,
)
from lrp_ref.pictures.tiff import check_tiff, tags_of

T = TypeVar("T")

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
# PSD's colours: grey, indexed, RGB, CMYK, duotone as its grey, Lab. Bitmaps, where 1 is black, and loose inks are not.
INKS = (1, 2, 3, 4, 8, 9)

ONE_AT_A_TIME = threading.Lock()   # standard error and the filters of warnings belong to all threads


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
