"""A photograph file to an array in [0, 1]; that array to a network's size and channels."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]

# Modes whose numbers are not grey or RGB light, and what they are read as. All others keep their mode: asking
# for RGB throughout would turn 16-bit grey white.
READ_AS = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"} | dict.fromkeys(
    ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"), "RGB"
)
# One colour, not a channel, can be declared transparent.
COLOUR_KEYED = {"1": "LA", "L": "LA", "RGB": "RGBA"}
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


def read_photograph(path: str | os.PathLike[str]) -> Pixels:
    """The file's light in [0, 1]: (H, W) grey or (H, W, 3) RGB, upright, on white where it is transparent.

    Of several images in one file, an animation's frames say, the first is used, with a warning. Colour
    profiles and gamma marks are not applied.
    """
    path = Path(path)
    header = _header(path)
    pixels = _read(path, header)
    if pixels.dtype == np.int32 and header[:2] in (b"P2", b"P5"):
        pixels = pixels.astype(np.uint16)  # 16-bit PGM is read into wider integers
    return to_pixels(pixels, str(path))


def _header(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: check the name of the photograph")
    if not path.is_file():
        raise ValueError(f"{path} is {'a directory' if path.is_dir() else 'no regular file'}: give an image file")
    try:
        with path.open("rb") as file:
            header = file.read(12)
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror or error}: check the file") from error
    if not header:
        raise ValueError(f"{path} is empty: give an image file such as PNG, JPEG or TIFF")
    return header


def _read(path: Path, header: bytes) -> NDArray[Any]:
    """The pixels as the file holds them: (H, W) or (H, W, channels) of uint8, uint16, bool or float32."""
    import imageio.v3 as iio

    # By name: for .tif imageio would choose another reader, which knows neither modes nor orientation.
    try:
        file: Any = iio.imopen(path, "r", plugin="pillow")
    except Exception as error:  # a file that is no image can make its reader raise anything
        raise ValueError(f"{path} {_not_an_image(header, error)}") from error
    with file:
        try:
            facts = file.metadata(index=0, exclude_applied=False)
            mode = READ_AS.get(facts["mode"])
            if "transparency" in facts:
                mode = mode or COLOUR_KEYED.get(facts["mode"])
            pixels = np.asarray(file.read(index=0, mode=mode))
            # Asked for after reading: some readers turn the image themselves and then drop the mark.
            orientation = file.metadata(index=0, exclude_applied=False).get("Orientation", 1)
            images = file.properties(index=...).n_images or 1
        except Exception as error:  # and so can a damaged one
            raise ValueError(f"{path} cannot be read: {_first_line(error)}: is the file complete?") from error
    if images > 1:
        warnings.warn(f"{path} holds {images} images: only the first is used", stacklevel=3)
    return upright(pixels, orientation)


def _not_an_image(header: bytes, error: Exception) -> str:
    if header[4:8] == b"ftyp" and header[8:12] in HEIF:
        return "is a HEIC/HEIF photograph, which needs pillow-heif: install that, or save it as JPEG or PNG"
    cause = error.__cause__
    if type(cause).__name__ == "DecompressionBombError":  # of PIL, which is imported where pictures are drawn only
        return f"is too large to be opened safely ({str(cause).partition(',')[0]}): make it smaller first"
    return f"is no image (it begins with {header!r}): give a PNG, JPEG or TIFF file, for example"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """EXIF orientation undone: 3, 4 a half turn; 5, 6 and 7, 8 quarter turns; 2, 4, 5, 7 mirrored as well.

    imageio's `rotate=True` does the same, but exchanges the colour channels of mirrored palette images.
    """
    quarters = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    pixels = np.rot90(pixels, quarters)
    return pixels[:, ::-1] if orientation in (2, 4, 5, 7) else pixels


def to_pixels(values: NDArray[Any], name: str = "the photograph") -> Pixels:
    """value / largest value of its type: (H, W), or (H, W, channels) with alpha laid on white, to [0, 1].

    values: uint8, uint16 or bool; or floats, which have no largest value and must lie in [0, 1] already.
    The result is (H, W) or (H, W, 3) float64.
    """
    values = np.asarray(values)
    if values.size == 0 or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (1, 2, 3, 4)):
        raise ValueError(
            f"{name} has shape {values.shape}, but needs (H, W) or (H, W, channels): give grey or RGB pixels"
        )
    if values.dtype == np.bool_ or (values.dtype.kind == "u" and values.dtype.itemsize <= 2):
        top = 1 if values.dtype == np.bool_ else np.iinfo(values.dtype).max
        return _on_white(values.astype(np.float64) / top)
    if values.dtype.kind != "f":
        raise ValueError(f"{name} holds {values.dtype} numbers, whose range is unknown: give uint8 or uint16")
    if not (values.min() >= 0 and values.max() <= 1):  # so written that NaN is refused too
        raise ValueError(
            f"{name} holds floating-point numbers from {values.min():g} to {values.max():g}, but 0 to 1 is needed: "
            "scale them, or give uint8 or uint16"
        )
    return _on_white(values.astype(np.float64))


def _on_white(pixels: Pixels) -> Pixels:
    """alpha * colour + (1 - alpha) * 1, for grey with alpha (H, W, 2) and RGBA (H, W, 4)."""
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1:]
        pixels = alpha * pixels[:, :, :-1] + (1 - alpha)
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


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
    flat = np.ascontiguousarray(pixels).reshape(old, -1)
    return (matrix @ flat / total).reshape(count, *pixels.shape[1:])


def _area(old: int, new: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
    """How much of each old pixel a new one covers, in units of 1/new of an old pixel: the sum is `old`."""
    cuts = np.union1d(np.arange(old + 1) * new, np.arange(new + 1) * old)
    starts, lengths = cuts[:-1], np.diff(cuts)
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
