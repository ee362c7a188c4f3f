"""The numbers of an image that was opened, as light: what 12 bits, 0 for white, a transparent colour mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import listed
from lrp_ref.pictures.refusal import Refused, check_size, told
from lrp_ref.pictures.tiff import check_tiff, tiff_facts

# Modes whose numbers are light, and what others are read as: asking for RGB throughout would turn 16-bit grey white.
LIGHT = ("1", "L", "LA", "RGB", "RGBA", "F", "I;16", "I;16B", "I;16L", "I;16N")
READ_AS = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"} | dict.fromkeys(
    ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"), "RGB"
)

ORIENTATION = 274   # of EXIF


class Stored(NamedTuple):
    """Numbers (H, W) or (H, W, channels) as they are stored, how they are turned, and what is to be known of them."""

    values: NDArray[Any]
    orientation: int = 1
    notes: tuple[str, ...] = ()


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
