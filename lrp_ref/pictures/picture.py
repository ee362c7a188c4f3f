"""Numbers to an image file: single heatmaps, and panels side by side. Pillow is imported here and by few others."""

import io
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lrp_ref.files import writing
from lrp_ref.pictures.colours import colour, limit_of, parts, plane
from lrp_ref.pictures.photograph import enlarge, resize, to_channels
from lrp_ref.pictures.refusal import first_line, told

Size = tuple[int, int]
Bytes = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDEST = 1600  # pixels of a whole figure
NARROWEST, SMALLEST, LARGEST = 80, 240, 320  # a panel's longer side: at least, where there is room, at most
MARGIN, GAP, ROW_GAP = 18, 14, 18
BAR_GAP, BAR, SHORTEST, NOTE = 7, 8, 210, 17  # above a colour bar, its height, its length, the numbers below
TEXT, LINE, SMALL = 15, 19, 13  # size and line height of titles and labels, size of the numbers
INK, PALE, FRAME = (35, 35, 35), (110, 110, 110), (200, 200, 200)
# What is written: pictures of every size and colour, which icons and fax pages are not; and how, where a format would
# otherwise blur the edges of enlarged pixels or mix their colours.
SAVING: dict[str, dict[str, Any]] = {
    **{plain: {} for plain in ("PNG", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "PDF")},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}


@dataclass(frozen=True, eq=False)
class Panel:
    """A photograph, a heatmap, or with both given the photograph with the heatmap as its alpha channel.

    photograph (H, W) or (H, W, 3) in [0, 1]; relevance (H, W) of any number type; `limit` is the relevance
    shown in the strongest colour, None for the largest there is.
    """

    photograph: NDArray[Any] | None = None
    relevance: NDArray[Any] | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.photograph is None and self.relevance is None:
            raise ValueError("a Panel needs a photograph, a relevance or both, but got neither")

    @property
    def shape(self) -> Size:
        shown = self.relevance if self.photograph is None else self.photograph
        height, width, *_ = np.asarray(shown).shape
        return height, width

    def pixels(self, size: Size, colours: str) -> Bytes:
        """What it looks like at `size`: (height, width, 3)."""
        if self.relevance is None:
            return _bytes(_rgb(_fit(np.asarray(self.photograph), size)))
        values, limit = self.shown(size)
        if self.photograph is None:
            return enlarge(colour(values, limit, colours), size)
        return alpha(_fit(self.photograph, size), enlarge(values, size), limit)

    def shown(self, size: Size) -> tuple[NDArray[np.float64], float]:
        """The relevance to show at `size`, areas averaged where it has more pixels; and the limit."""
        values = _shrink(plane(np.asarray(self.relevance)), size)
        return values, limit_of(values) if self.limit is None else self.limit

    @property
    def clipped(self) -> bool:
        return self.limit is not None and limit_of(np.asarray(self.relevance)) > self.limit


@dataclass(frozen=True, eq=False)
class Row:
    """One photograph or model: a label and a panel per column, all drawn in the first's shape; None: nothing."""

    label: str
    panels: Sequence[Panel | None]

    @property
    def shape(self) -> Size:
        return next(panel.shape for panel in self.panels if panel is not None)


@dataclass(frozen=True)
class Box:
    """A rectangle of a figure's pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, eq=False)
class Figure:
    """pixels (H, W, 3), and where the data are: `panels[row][column]`, and the `bars` under the heatmaps."""

    pixels: Bytes
    panels: list[list[Box]]
    bars: list[list[Box | None]]

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return png(self.pixels)


def alpha(photograph: NDArray[Any], values: NDArray[Any], limit: float) -> Bytes:
    """a * photograph + (1 - a) * white, a = clip(R / limit, 0, 1): what is not relevant fades into the page.

    photograph (H, W) or (H, W, 3) in [0, 1], values (H, W), result (H, W, 3).
    """
    a = np.maximum(parts(values, limit), 0)[:, :, None]
    return _bytes(a * _rgb(photograph) + (1 - a))


def save_heatmap(
    path: str | os.PathLike[str],
    values: NDArray[Any],
    size: Size,
    colours: str = "paper",
    limit: float | None = None,
) -> None:
    """A heatmap (H, W) as an image of `size` = (height, width), the photograph's own for example."""
    save_image(path, Panel(relevance=values, limit=limit).pixels(size, colours))


def save_image(path: str | os.PathLike[str], pixels: Bytes) -> None:
    """Pixels (H, W, 3) in the format of the extension, written whole or not at all."""
    file_format = image_format(path)
    options, (height, width, _) = SAVING[file_format], pixels.shape
    with writing(path) as temporary:
        try:
            Image.fromarray(pixels).save(temporary, format=file_format, **options)
        except OSError:
            raise   # writing failed, which `writing` says
        except Exception as error:   # a format has a largest size, and says so in its own way
            raise ValueError(f"cannot write {told(path)}: {file_format} does not take {height} x {width} pixels "
                             f"({first_line(error)}): use .png, or draw fewer") from error


def png(pixels: Bytes) -> bytes:
    """The bytes of a PNG file with these pixels (H, W, 3)."""
    return bytes_of_file(pixels, "PNG")


def jpeg(pixels: Bytes) -> bytes:
    """Those of a JPEG file, to look at and not to compute with."""
    return bytes_of_file(pixels, "JPEG", quality=88)


def bytes_of_file(pixels: Bytes, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format, **options)
    return file.getvalue()


def image_format(path: str | os.PathLike[str]) -> str:
    """The format that the path's extension names; an error where images cannot be written in it."""
    extension = os.path.splitext(os.fspath(path))[1].lower()
    file_format = Image.registered_extensions().get(extension, "")
    if file_format not in Image.SAVE:
        raise ValueError(f"cannot write {told(path)}: no image format is called {told(repr(extension))}: use .png or "
                         ".jpg")
    if file_format not in SAVING:
        raise ValueError(f"cannot write {told(path)}: {file_format} does not hold pictures of every size and colour: "
                         "use .png or .jpg")
    return file_format


def figure(titles: Sequence[str], rows: Sequence[Row], colours: str = "paper") -> Figure:
    """Rows of panels under column titles, a colour bar below each heatmap, at most 1600 pixels wide."""
    if not rows or not titles or any(len(row.panels) != len(titles) for row in rows):
        got = [len(row.panels) for row in rows]
        raise ValueError(f"figure got {len(titles)} titles and rows of {got} panels, but needs one per title")
    text, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    lines = max(min(len(row.label.splitlines()), 3) for row in rows)
    left = MARGIN + lines * LINE + (GAP // 2 if lines else 0)
    side = _side(rows[0], (WIDEST - left - MARGIN + GAP) // len(titles) - GAP)
    heads = [wrap(title, side, text, 3) for title in titles]
    top = MARGIN + max(map(len, heads)) * LINE + BAR_GAP
    panels, bars, bottom = _layout(rows, side, top, left)

    canvas = Image.new("RGB", (left + len(titles) * (side + GAP) - GAP + MARGIN, bottom + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for column, head in enumerate(heads):
        for above, words in enumerate(reversed(head)):
            middle = left + column * (side + GAP) + side // 2
            draw.text((middle, top - BAR_GAP - above * LINE), words, INK, text, anchor="md")
    for row, row_panels, row_bars in zip(rows, panels, bars, strict=True):
        _draw_label(canvas, row.label, row_panels[0], lines, text)
        for panel, box, bar in zip(row.panels, row_panels, row_bars, strict=True):
            if panel is None:
                continue
            frame = (box.left - 1, box.top - 1, box.left + box.width, box.top + box.height)
            draw.rectangle(frame, outline=FRAME)
            _paste(canvas, panel.pixels((box.height, box.width), colours), box)
            if bar is not None:
                _, limit = panel.shown((box.height, box.width))
                ramp = limit * np.linspace(-1, 1, bar.width)[None].repeat(bar.height, axis=0)
                _paste(canvas, colour(ramp, limit, colours), bar)
                _draw_numbers(draw, bar, limit, panel.clipped, small)
    return Figure(np.array(canvas), panels, bars)


def _side(row: Row, room: int) -> int:
    """The longer side of every panel: a whole multiple of the first heatmap's pixels where one fits well."""
    if room < NARROWEST:
        raise ValueError(f"{len(row.panels)} columns leave {room} of {WIDEST} pixels each: give fewer columns")
    room = min(room, LARGEST)
    maps = [panel.relevance for panel in row.panels if panel is not None and panel.relevance is not None]
    sharp = room // max(maps[0].shape) * max(maps[0].shape) if maps else 0
    return sharp if sharp >= SMALLEST else room


def _layout(rows: Sequence[Row], side: int, top: int, left: int) -> tuple[list[list[Box]], list[list[Box | None]], int]:
    """Where panels and bars go, and where the last row ends; smaller panels are centred in their columns."""
    panels: list[list[Box]] = []
    bars: list[list[Box | None]] = []
    for row in rows:
        height, width = (max(1, round(side * n / max(row.shape))) for n in row.shape)
        long = max(width, min(side, SHORTEST))
        columns = [left + column * (side + GAP) for column in range(len(row.panels))]
        panels.append([Box(top, x + (side - width) // 2, height, width) for x in columns])
        under = top + height + BAR_GAP
        heatmaps = [panel is not None and panel.photograph is None for panel in row.panels]
        places = [Box(under, x + (side - long) // 2, BAR, long) for x in columns]
        bars.append([place if shown else None for place, shown in zip(places, heatmaps, strict=True)])
        bottom = under + BAR + NOTE if any(bars[-1]) else top + height
        top = bottom + ROW_GAP
    return panels, bars, bottom


def _paste(canvas: Image.Image, pixels: Bytes, box: Box) -> None:
    canvas.paste(Image.fromarray(pixels), (box.left, box.top))


def _draw_label(canvas: Image.Image, label: str, box: Box, lines: int, font: Font) -> None:
    """The label beside the row's first panel, from bottom to top."""
    written = Image.new("L", (max(box.height, LINE), lines * LINE))
    for line, words in enumerate(reversed(wrap(label, box.height, font, lines)), start=1):
        ImageDraw.Draw(written).text((box.height // 2, (lines - line) * LINE), words, 255, font, anchor="ma")
    turned = written.rotate(90, expand=True)
    canvas.paste(INK, (MARGIN, box.top), turned)


def _draw_numbers(draw: ImageDraw.ImageDraw, bar: Box, limit: float, clipped: bool, font: Font) -> None:
    """-limit, 0 and limit under their places on the bar."""
    under, middle, right = bar.top + bar.height + 3, bar.left + bar.width // 2, bar.left + bar.width
    low, high = _ends(limit, clipped)
    if limit == 0:
        draw.text((middle, under), "0", PALE, font, anchor="ma")
    elif font.getlength(f"{low}  0  {high}") > bar.width:
        draw.text((middle, under), f"+/- {limit:.3g}" + " clipped" * clipped, PALE, font, anchor="ma")
    else:
        draw.text((bar.left, under), low, PALE, font, anchor="la")
        draw.text((middle, under), "0", PALE, font, anchor="ma")
        draw.text((right, under), high, PALE, font, anchor="ra")


def _ends(limit: float, clipped: bool) -> tuple[str, str]:
    """What the two ends of a bar say; clipped, they stand for all beyond."""
    return (f"<= {-limit:.3g}", f">= {limit:.3g}") if clipped else (f"{-limit:.3g}", f"{limit:.3g}")


def wrap(text: str, width: float, font: Font, lines: int) -> list[str]:
    """At most `lines` lines no wider than `width`; what does not fit ends in three dots."""
    given = [" ".join(_ascii(line).split()) for line in text.splitlines()]
    written: list[str] = []
    for line in given:
        written.append("")
        for word in line.split():
            longer = f"{written[-1]} {word}".strip()
            if written[-1] and font.getlength(longer) > width:
                written.append(word)
            else:
                written[-1] = longer
    if len(written) > lines == len(given):
        written = given  # a long first line does not push out the second
    elif len(written) > lines:
        written = [*written[: lines - 1], " ".join(written[lines - 1 :])] if lines else []
    return [_cut(line, width, font) for line in written]


def _cut(text: str, width: float, font: Font) -> str:
    shown = text
    while shown and font.getlength(shown) > width:
        text = text[:-1]
        shown = text.rstrip() + "..." if text else ""
    return shown


def _ascii(text: str) -> str:
    """Accents off, minus signs to hyphens, '?' for what is left: Pillow's own font knows ASCII only."""
    plain = unicodedata.normalize("NFKD", text.replace("\N{MINUS SIGN}", "-"))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode("ascii")


def _shrink(pixels: NDArray[Any], size: Size) -> NDArray[np.float64]:
    """Averaged over areas on each axis that has more pixels than `size`."""
    return resize(pixels, (min(size[0], pixels.shape[0]), min(size[1], pixels.shape[1])))


def _fit(pixels: NDArray[Any], size: Size) -> NDArray[np.float64]:
    return enlarge(_shrink(pixels, size), size)


def _rgb(photograph: NDArray[Any] | None) -> NDArray[Any]:
    return np.moveaxis(to_channels(np.asarray(photograph, dtype=np.float64), "rgb"), 0, 2)


def _bytes(light: NDArray[Any]) -> Bytes:
    return np.rint(255 * np.clip(light, 0, 1)).astype(np.uint8)
