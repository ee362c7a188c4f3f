"""A photograph that is not read, in our words; and how large one may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MOST_PIXELS = 50_000_000  # as many as telephones take; as float64 RGB they fill 1.2 GB
LONGEST = 65_535          # pixels of a side, as JPEG can have: resizing takes a hundred bytes for each of them
MOST_BYTES = 1 << 30      # of a file: some readers take it into memory whole
HEAD = 32                 # bytes of a file that say what it is
MOST_SHOWN = 200          # characters of a name, so that a message has 500 at most
WORDS = 100               # characters of what another library says
INSTEAD = "give a PNG, JPEG or TIFF file, for example"


class Refused(ValueError):
    """A photograph that is not read, in our words."""


class Missing(Refused, FileNotFoundError):
    """A photograph that is not there."""


def told(text: object, most: int = MOST_SHOWN) -> str:
    """A name or another's words on one line, without control characters, the end of it if it is long."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return line if len(line) <= most else "..." + line[3 - most :]


def first_line(error: BaseException) -> str:
    return told((str(error).splitlines() or [type(error).__name__])[0].rstrip("."), WORDS)


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
