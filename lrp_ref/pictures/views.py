"""Pictures for a person: a heatmap on its photograph, panels side by side, in the terminal or in a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import shown
from lrp_ref.pictures.colours import colour, limit_of, parts, plane
from lrp_ref.pictures.photograph import enlarge, resize, to_channels, to_pixels
from lrp_ref.pictures.picture import Bytes, Figure, Panel, Row, Size, figure, save_image

COLOURS = "safe"      # seen by every colour vision; the paper's are asked for by name
WORDS = {"safe": ("orange", "blue"), "paper": ("yellow to red", "blue")}   # the colours of R > 0 and of R < 0
PALEST = 0.45         # the light of what is black in the photograph under an overlay, white staying white
OPAQUE = 0.5          # the power of |R| / limit with which an overlay's colour covers the photograph
WIDEST = 72           # columns of a picture in a terminal
SEES, OVER = "what the model sees", "the same, on the photograph"


def smoothed(values: NDArray[Any], size: int | Size) -> NDArray[np.float64]:
    """R'_p = sum_q R_q / n_q over the pixels q in a window of that size around p, n_q of whose own are in the image.

    The sum stays. For pictures alone: under a cut-off a first convolution whose windows do not tile the image leaves a
    comb of its stride's period, since pixels lie in unequally many windows; a window as wide as the stride takes it
    away, and with it what is finer.
    """
    values = plane(values)
    sides = size if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2 or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in sides):
        raise ValueError(f"smoothed got size={shown(size)}, needed an int of at least 1, or a pair: rows, columns")
    return band(len(values), sides[0]) @ values @ band(values.shape[1], sides[1]).T


def band(n: int, size: int) -> NDArray[np.float64]:
    """(n, n): 1 / n_q where p lies in the window around q, which begins size // 2 before it; columns sum to 1."""
    after = np.arange(n)[:, None] - np.arange(n) + size // 2
    inside = ((after >= 0) & (after < size)).astype(np.float64)
    return inside / inside.sum(axis=0)


def overlay(photograph: Any, values: NDArray[Any], colours: str = COLOURS, limit: float | None = None) -> Bytes:
    """(1 - a) * photograph in pale grey + a * colour of R, a = sqrt(|R| / limit): bytes (H, W, 3).

    photograph  (H, W) or (H, W, 3), as `Model.prepare` takes it
    values      (H, W) of any size: the relevance of every pixel
    limit       the relevance in the strongest colour; None: the largest there is
    """
    grey = to_channels(to_pixels(photograph), "grey")[0]
    size = (grey.shape[0], grey.shape[1])
    values = plane(values)
    values = resize(values, (min(size[0], len(values)), min(size[1], values.shape[1])))
    limit = limit_of(values) if limit is None else limit
    a = enlarge(abs(parts(values, limit)) ** OPAQUE, size)[:, :, None]
    pale = PALEST + (1 - PALEST) * grey[:, :, None]
    coloured = enlarge(colour(values, limit, colours), size) / 255
    return np.rint(255 * ((1 - a) * pale + a * coloured)).astype(np.uint8)


def panels(photograph: Any, maps: Mapping[str, NDArray[Any]], colours: str = COLOURS, percentile: float = 100,
           what: str = "relevance") -> Figure:
    """A row for every map: the photograph, the map with its scale, and the map on the photograph.

    photograph  (H, W) or (H, W, 3), as `Model.prepare` takes it: the part that the model sees
    maps        {what the row is called: (H, W)}, every one with a scale of its own
    percentile  of |relevance|, shown in the strongest colour
    what        what the maps are, for the title above them
    """
    pixels = to_pixels(photograph)
    rows = []
    for label, values in maps.items():
        values = plane(values)
        limit = None if percentile == 100 else limit_of(values, percentile=percentile)
        on_it = overlay(pixels, values, colours, limit) / 255
        rows.append(Row(label, [Panel(pixels), Panel(relevance=values, limit=limit), Panel(on_it)]))
    positive, negative = WORDS[colours]
    return figure([SEES, f"{what}: {positive} for it, {negative} against it", OVER], rows, colours)


def pixels_of(picture: Any) -> Bytes:
    """The pixels (H, W, 3) of a figure, of pixels, or of a map (H, W), which gets its colours."""
    pixels = getattr(picture, "pixels", picture)
    if isinstance(pixels, np.ndarray) and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        return pixels
    if isinstance(pixels, np.ndarray) and pixels.ndim == 2:
        return colour(pixels, limit_of(pixels), COLOURS)
    raise ValueError(f"got {shown(picture)}, needed a figure, pixels (H, W, 3) of uint8, or a map (H, W) of relevance")


def save(path: str | os.PathLike[str], picture: Any) -> None:
    """A figure, pixels (H, W, 3) of uint8, or a map (H, W) into an image file, written whole or not at all."""
    save_image(path, pixels_of(picture))


def show(picture: Any) -> None:
    """Draw it in the terminal, or where there is none write it into a temporary file and print where that is."""
    pixels = pixels_of(picture)
    if draws():
        print(half_blocks(pixels))
        return
    path = Path(tempfile.mkdtemp(prefix="lrp-ref-")) / "picture.png"
    save_image(path, pixels)
    print(f"picture written to {path}")


def draws() -> bool:
    """Whether standard output is a terminal that has colours."""
    return (sys.stdout is not None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
            and os.environ.get("TERM", "") not in ("", "dumb"))


def half_blocks(pixels: Bytes, columns: int = WIDEST) -> str:
    """The picture as text for a terminal: every letter is an upper half block, two pixels in 24-bit colours."""
    width = min(columns, pixels.shape[1])
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1] / 2)) * 2
    small = np.rint(resize(pixels / 255, (height, width)) * 255).astype(int)
    lines = ("".join(f"\x1b[38;2;{r};{g};{b}m\x1b[48;2;{u};{v};{w}m\u2580"
                     for (r, g, b), (u, v, w) in zip(above, under))
             for above, under in zip(small[::2].tolist(), small[1::2].tolist()))
    return "".join(f"{line}\x1b[0m\n" for line in lines)
