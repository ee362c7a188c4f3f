"""Medians and quartiles of every map, drawn: a line per map, a panel per measure, model under model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.study import CONTRAST, SIGNS, Study
from lrp_ref.pictures.colours import COLOURS
from lrp_ref.pictures.picture import FRAME, GAP, INK, LINE, MARGIN, PALE, SMALL, TEXT, WIDEST, Box, Bytes, Font, wrap

TITLES = {"excess": "positive relevance inside the region,\nless the region's share of the area",
          "gini": "Gini index of |R|\n(0: all pixels alike)",
          "holding": "share of pixels that\nholds 9/10 of the sum of |R|"}
LABELS, PANEL, SPACE = 200, 400, 40   # widths of the names, of a panel, between panels
ROW, BAR, TICK, STEP = 25, 13, 5, 0.2   # heights of a line and its box, length of a tick, value between ticks
DARK, LIGHT = (0, -1, 1, -2), (2, -3, 3, -4)   # shades of COLOURS["safe"], a pair per model
LEGEND = "box: from the lower to the upper quartile; line: median; grey: maps without a model's meaning"

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Axis:
    """Value v is at the pixel left + (v - low) / (high - low) width."""

    left: int
    width: int
    low: float
    high: float

    def at(self, value: float) -> int:
        return self.left + round((value - self.low) / (self.high - self.low) * self.width)

    @property
    def ticks(self) -> list[float]:
        first, last = math.ceil(self.low / STEP), math.floor(self.high / STEP)
        return [n * STEP for n in range(first, last + 1)]


@dataclass(frozen=True, eq=False)
class Plot:
    """pixels (H, W, 3); the axis of every measure; `boxes[model, map, measure]` from quartile to quartile."""

    pixels: Bytes
    axes: dict[str, Axis]
    boxes: dict[tuple[str, str, str], Box]


def plot(studies: Mapping[str, Study]) -> Plot:
    """A box from the lower to the upper quartile, a line at the median; controls in grey. 1600 pixels wide at most."""
    text, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    lows = [quartiles(study.of(label, "excess"))[0] for study in studies.values() for label in lines(study)]
    least = min((low for low in lows if not math.isnan(low)), default=0.0)
    lefts = (MARGIN + LABELS + GAP + n * (PANEL + SPACE) for n in range(len(TITLES)))
    axes = {measure: Axis(left, PANEL, STEP * min(0, math.floor(least / STEP)) if measure == "excess" else 0, 1)
            for measure, left in zip(TITLES, lefts)}
    top = MARGIN + 2 * LINE + GAP
    bottom = top + sum(LINE + ROW * len(lines(study)) + GAP for study in studies.values())
    right = max(axis.left + axis.width for axis in axes.values())
    canvas = Image.new("RGB", (min(right + 2 * MARGIN, WIDEST), bottom + TICK + 2 * LINE + GAP + MARGIN), "white")
    draw, boxes, y = ImageDraw.Draw(canvas), {}, top
    for measure, axis in axes.items():
        draw_axis(draw, axis, TITLES[measure], top, bottom, text, small)
    for n, (name, study) in enumerate(studies.items()):
        dark, light = (COLOURS["safe"][shades[n % len(shades)]][1:] for shades in (DARK, LIGHT))
        draw.text((MARGIN + LABELS, y + LINE // 2), wrap(name, LABELS, text, 1)[0], dark, text, anchor="rm")
        y += LINE
        for label in lines(study):
            of_control = label in (SIGNS, CONTRAST)
            written = wrap(label, LABELS, text, 1)[0]
            draw.text((MARGIN + LABELS, y + ROW // 2), written, PALE if of_control else INK, text, anchor="rm")
            for measure, axis in axes.items():
                values = quartiles(study.of(label, measure))
                if not math.isnan(values[1]):
                    colours = (PALE, FRAME) if of_control else (dark, light)
                    boxes[name, label, measure] = draw_box(draw, axis, values, y, *colours)
            y += ROW
        y += GAP
    draw.text((MARGIN + LABELS + GAP, bottom + TICK + LINE + GAP), LEGEND, PALE, small, anchor="la")
    return Plot(np.array(canvas), axes, boxes)


def lines(study: Study) -> list[str]:
    """What has a line of its own: every map, then the controls."""
    return [*study.cutoffs, SIGNS, CONTRAST]


def draw_axis(draw: ImageDraw.ImageDraw, axis: Axis, title: str, top: int, bottom: int, text: Font,
              small: Font) -> None:
    """Title above, a pale line up from every tick, a stronger one at 0, numbers below."""
    for n, words in enumerate(title.splitlines()):
        draw.text((axis.left + axis.width // 2, MARGIN + n * LINE), words, INK, text, anchor="ma")
    for value in axis.ticks:
        x = axis.at(value)
        draw.line((x, top, x, bottom), PALE if value == 0 else FRAME)
        draw.line((x, bottom, x, bottom + TICK), INK)
        draw.text((x, bottom + TICK + 3), f"{value:.1f}", INK, small, anchor="ma")
    draw.line((axis.left, bottom, axis.left + axis.width, bottom), INK)


def draw_box(draw: ImageDraw.ImageDraw, axis: Axis, values: tuple[float, float, float], y: int, dark: Colour,
             light: Colour) -> Box:
    """The box in the middle of its line, and the median across it."""
    low, middle, high = map(axis.at, values)
    above = y + (ROW - BAR) // 2
    draw.rectangle((low, above, high, above + BAR - 1), fill=light, outline=dark)
    draw.rectangle((middle - 1, above - 3, middle + 1, above + BAR + 2), fill=dark)
    return Box(above, low, BAR, high - low + 1)
