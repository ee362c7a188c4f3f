"""A photograph file to an array in [0, 1]; that array to a network's size and channels."""

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.pictures.formats import Packed, format_of, in_our_words, reading
from lrp_ref.pictures.refusal import Refused, check_size, first_line, regular, told
from lrp_ref.pictures.samples import Stored, size_and_turn, stored

Pixels = NDArray[np.float64]
Box = tuple[int, int, int, int]  # left, top, right, bottom, counted from 1, the last pixel included

QUARTERS = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}  # turns that undo an orientation, against the clock
MIRRORED = (2, 4, 5, 7)
BLOCK = 1 << 20  # numbers that are worked on at a time, so that no second photograph of floats is needed


def read_photograph(path: str | os.PathLike[str] | Packed) -> Pixels:
    """The file's light in [0, 1]: (H, W) grey or (H, W, 3) RGB, upright, on white where it is transparent.

    Of several images in one file, an animation's frames say, the first is used, with a warning. Colour
    profiles and gamma marks are not applied. The first bytes say what the file is: a PNG, JPEG, TIFF, WebP,
    GIF, BMP, PSD, PPM, TGA or AVIF photograph of at most 50 million pixels; no other is opened.
    """
    name = told(path)
    return _light(reading(path, lambda image: stored(image, name)), name)


def is_photograph(path: str | os.PathLike[str]) -> bool:
    """Whether a file's first bytes are those of an image that is read here."""
    try:
        return bool(format_of(regular(Path(path)), told(path)))
    except Refused:
        return False


def size_of(path: str | os.PathLike[str] | Packed) -> tuple[tuple[int, int], int]:
    """Height and width of a photograph as it is stored, and its EXIF orientation, 1 to 8: no pixel is read."""
    return reading(path, size_and_turn)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """EXIF orientation undone: 3, 4 a half turn; 5, 6 and 7, 8 quarter turns; 2, 4, 5, 7 mirrored as well."""
    pixels = np.rot90(pixels, QUARTERS.get(orientation, 0))
    return pixels[:, ::-1] if orientation in MIRRORED else pixels


def upright_box(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """The box around the same pixels after `upright`; size (height, width) before it."""
    (left, top, right, bottom), (height, width) = box, size
    for _ in range(QUARTERS.get(orientation, 0)):  # against the clock: the last column becomes the first row
        left, top, right, bottom = top, width + 1 - right, bottom, width + 1 - left
        height, width = width, height
    return (width + 1 - right, top, width + 1 - left, bottom) if orientation in MIRRORED else (left, top, right, bottom)


def to_pixels(photograph: Any, name: str = "the photograph") -> Pixels:
    """value / largest value of its type: (H, W), or (H, W, channels) with alpha laid on white, to [0, 1].

    photograph: uint8, uint16 or bool; or floats, which have no largest value and must lie in [0, 1] already; or
    an image of Pillow's, which says itself what its numbers are. The result is (H, W) or (H, W, 3) float64.
    """
    image = sys.modules.get("PIL.Image")   # where it was never imported nothing is an image of Pillow's
    if image is not None and isinstance(photograph, image.Image):
        with in_our_words(name, getattr(photograph, "format", None) or "an image"):
            got = stored(photograph, name)
        return _light(got, name)
    return _light(Stored(_array(photograph, name)), name)


def _array(photograph: Any, name: str) -> NDArray[Any]:
    if isinstance(photograph, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} is a name, {told(repr(photograph))}, needed pixels: give read_photograph(name)")
    if isinstance(photograph, (list, tuple)) and any(np.ndim(one) > 1 or isinstance(one, (str, os.PathLike))
                                                     for one in photograph if not isinstance(one, (list, tuple))):
        raise ValueError(f"{name} is a {type(photograph).__name__} of {len(photograph)}, needed one: prepare each, and "
                         "join what that gives, numpy.concatenate([model.prepare(one) for one in photographs])")
    if isinstance(photograph, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array, whose mask would be lost: fill it with x.filled(value)")
    try:
        values = np.asarray(photograph)
    except Exception as error:   # what comes from other libraries can raise anything
        raise TypeError(f"{name} is a {told(type(photograph).__name__)} that is no array of numbers "
                        f"({first_line(error)}): give pixels (H, W) or (H, W, 3)") from error
    if values.ndim == 3 and values.shape[2] == 4:
        raise ValueError(f"{name} has shape {values.shape}, four channels that may be RGB and alpha or CMYK inks: give "
                         "RGB pixels (H, W, 3), an image of Pillow's, or read_photograph(name of the file)")
    return values


def _light(got: Stored, name: str) -> Pixels:
    """The numbers of a photograph as light, upright; notes are given to who called the caller."""
    values = got.values
    if values.size == 0 or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (1, 2, 3, 4)):
        raise ValueError(f"{name} has shape {told(values.shape)}, but needs (H, W) or (H, W, channels): give grey or "
                         "RGB pixels")
    check_size(values.shape[0], values.shape[1], name)
    for note in got.notes:
        warnings.warn(note, stacklevel=3)
    return upright(_on_white(values, _top(values, name)), got.orientation)


def _top(values: NDArray[Any], name: str) -> int:
    """The number that is white."""
    if values.dtype == np.bool_ or values.dtype.kind == "f":
        if values.dtype.kind == "f":
            low, high = (float(end) for end in (values.min(), values.max()))
            if not (low >= 0 and high <= 1):  # so written that NaN is refused too
                raise ValueError(f"{name} holds floating-point numbers from {low} to {high}, but 0 to 1 is needed: "
                                 "scale them, clip what rounding put beyond, or give uint8 or uint16")
        return 1
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return int(np.iinfo(values.dtype).max)
    raise ValueError(f"{name} holds {told(values.dtype)} numbers, whose range is unknown: give uint8 or uint16")


def _on_white(values: NDArray[Any], top: int) -> Pixels:
    """values / top; with alpha, (H, W, 2) or (H, W, 4), alpha * colour + (1 - alpha) * 1."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    if values.dtype == np.float64 and channels in (1, 3):
        return values[:, :, 0] if values.ndim == 3 and channels == 1 else values
    light = np.empty((*values.shape[:2], *((3,) if channels > 2 else ())))
    for rows in _blocks(*values.shape):
        pixels = light[rows].reshape(*light[rows].shape[:2], -1)
        np.divide(values[rows].reshape(*pixels.shape[:2], -1)[:, :, : pixels.shape[2]], top, out=pixels)
        if channels in (2, 4) and (values[rows, :, -1] < top).any():
            alpha = values[rows, :, -1:] / top
            pixels *= alpha
            pixels += 1 - alpha
    return light


def _blocks(count: int, *others: int) -> Iterator[slice]:
    """The first axis in parts of about BLOCK numbers."""
    step = max(1, BLOCK // int(np.prod(others)))
    return (slice(start, start + step) for start in range(0, count, step))


def resize(pixels: NDArray[Any], size: tuple[int, int]) -> Pixels:
    """y = A_h x A_w' / (n_h n_w): pixels (H, W) or (H, W, C) to `size` = (height, width).

    An axis that shrinks averages: a new pixel is the mean of the area it covers, parts of pixels included,
    so that a one-pixel checkerboard becomes mid grey. An axis that grows is interpolated linearly.
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    height, width = size
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or min(height, width) < 1:
        raise ValueError(
            f"resize got pixels of shape {pixels.shape} and size {size}, but needs (H, W) or (H, W, C), "
            "not empty, and a height and width of at least 1"
        )
    check_size(height, width, "the resized picture")
    pixels = _resize_rows(pixels, height)
    return np.ascontiguousarray(_resize_rows(pixels.swapaxes(0, 1), width).swapaxes(0, 1))


def _resize_rows(pixels: Pixels, count: int) -> Pixels:
    """The first axis to `count` entries. Whole-number weights over their sum: white stays exactly 1."""
    from scipy.sparse import csr_array

    old = pixels.shape[0]
    if old == count:
        return pixels
    rows, columns, weights, total = _area(old, count) if count < old else _linear(old, count)
    matrix = csr_array((weights.astype(np.float64), (rows, columns)), shape=(count, old))
    new = np.empty((count, *pixels.shape[1:]))
    for part in _blocks(pixels.shape[1], old, *pixels.shape[2:]):
        flat = np.ascontiguousarray(pixels[:, part]).reshape(old, -1)
        new[:, part] = (matrix @ flat / total).reshape(new[:, part].shape)
    return new


def _area(old: int, new: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
    """How much of each old pixel a new one covers, in units of 1/new of an old pixel: the sum is `old`."""
    cuts = np.sort(np.concatenate([np.arange(old + 1) * new, np.arange(new + 1) * old]))
    starts, lengths = cuts[:-1], np.diff(cuts)
    starts, lengths = starts[lengths > 0], lengths[lengths > 0]
    return starts // old, starts // new, lengths, old


def _linear(old: int, new: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
    """Old pixels on either side of each new centre, (o + 1/2) old/new - 1/2, in units of 1/(2 new)."""
    unit = 2 * new
    centres = np.clip((2 * np.arange(new) + 1) * old - new, 0, (old - 1) * unit)
    before, beyond = centres // unit, centres % unit
    after = np.minimum(before + 1, old - 1)
    rows = np.tile(np.arange(new), 2)
    return rows, np.concatenate([before, after]), np.concatenate([unit - beyond, beyond]), unit


def enlarge(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Each new pixel shows the old one its centre is in: (H, W) or (H, W, C) to `size` = (height, width)."""
    check_size(*size, "the enlarged picture")
    row, column = ((2 * np.arange(new) + 1) * old // (2 * new) for old, new in zip(pixels.shape[:2], size, strict=True))
    return pixels[row[:, None], column]


def to_channels(pixels: NDArray[Any], colour: str) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, 3) to channels (C, H, W): `colour` is "grey", "rgb" or "bgr".

    Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601 luma); a grey photograph fills every channel.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"to_channels got pixels of shape {pixels.shape}, but needs (H, W) or (H, W, 3)")
    if colour not in ("grey", "rgb", "bgr"):
        raise ValueError(f"to_channels got colour {colour!r}, but knows 'grey', 'rgb' and 'bgr'")
    red, green, blue = (pixels, pixels, pixels) if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    if colour == "rgb":
        return np.stack([red, green, blue])
    if colour == "bgr":
        return np.stack([blue, green, red])
    if pixels.ndim == 2:
        return pixels[None].copy()
    return ((299 * red + 587 * green + 114 * blue) / 1000)[None]  # white stays exactly 1
