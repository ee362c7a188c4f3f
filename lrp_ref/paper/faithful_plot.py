"""What perturbing regions says, drawn: medians of curves over bands between their quartiles."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lrp_ref.paper.faithful import MOST, RANDOM, Faithfulness, labelled_map
from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.study import NO_CUTOFF
from lrp_ref.pictures.colours import COLOURS
from lrp_ref.pictures.picture import FRAME, GAP, INK, LINE, MARGIN, PALE, SMALL, TEXT, Bytes, wrap

PLOT = (430, 260)   # width and height of a panel
SHADES = (0, -1, 3, -3, 1, -4)   # of COLOURS["safe"], a rule or a cut-off each
FAINT = 40          # of 255, the band from quartile to quartile
STEPS, TICKS = [m * 10.0**n for n in range(-2, 300) for m in (1, 2, 5)], 8   # between lines of the grid; lines at most
KEY = "solid: most relevant regions first; dotted: least relevant first; band: quartiles; grey: random order"


def faithful_plot(found: Mapping[str, Faithfulness]) -> Bytes:
    """A row per model: the rules without a cut-off; the cut-offs of the first rule. What is left of the score."""
    text, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    most = max((max(len(f.rules), len(f.cutoffs)) for f in found.values()), default=1) + 1
    width, height = PLOT
    row = 2 * LINE + height + LINE * (most + 2) + GAP
    size = (2 * (width + 4 * MARGIN) + MARGIN, MARGIN + LINE + row * len(found) + GAP)
    canvas = Image.new("RGB", size, "white")
    ImageDraw.Draw(canvas).text((MARGIN, MARGIN // 2), KEY, PALE, small)
    for n, (name, f) in enumerate(found.items()):
        top = MARGIN + LINE + n * row
        rules = {rule: labelled_map(rule, NO_CUTOFF) for rule in f.rules}
        cuts = {label: labelled_map(f.rules[0], label) for label in f.cutoffs}
        for k, (title, labels) in enumerate(((f"{name}: rules, no cut-off", rules),
                                             (f"{name}: cut-offs of {f.rules[0]}", cuts))):
            left = 3 * MARGIN + k * (width + 4 * MARGIN)
            draw_panel(canvas, (left, top + LINE + GAP // 2), f, labels)
            draw = ImageDraw.Draw(canvas)
            draw.text((left, top), wrap(title, width, text, 1)[0], INK, text)
            y = top + 2 * LINE + height + GAP
            for m, label in enumerate(labels):
                colour = COLOURS["safe"][SHADES[m % len(SHADES)]][1:]
                draw.line((left, y + LINE // 2, left + 24, y + LINE // 2), colour, 3)
                draw.text((left + 32, y), wrap(label, width - 32, small, 1)[0], INK, small)
                y += LINE
    return np.array(canvas)


def draw_panel(canvas: Image.Image, corner: tuple[int, int], f: Faithfulness, labels: Mapping[str, str]) -> None:
    """Axes, and per map both curves' medians over a band between their quartiles."""
    left, top = corner
    width, height = PLOT
    shown = {label: (f.curves[map_], COLOURS["safe"][SHADES[m % len(SHADES)]][1:])
             for m, (label, map_) in enumerate(labels.items())}
    every = {RANDOM: (f.curves[RANDOM], PALE)} | shown
    found = {(label, way): [quartiles(column) for column in values.T] for label, (both, _) in every.items()
             for way, values in both.items() if len(values)}
    low = min([0.0, *(one[0] for (label, way), of in found.items() for one in of if way == MOST and label != RANDOM),
               *(one[1] for of in found.values() for one in of)])
    high = max([1.0, *(one[2] for (label, way), of in found.items() for one in of if way == MOST and label != RANDOM),
                *(one[1] for of in found.values() for one in of)])
    draw, small = ImageDraw.Draw(canvas), ImageFont.load_default(SMALL)
    steps = max((len(of) - 1 for of in found.values()), default=1)

    def points(of: list[tuple[float, float, float]], which: int) -> list[tuple[float, float]]:
        return [(left + k / steps * width, top + (high - one[which]) / (high - low) * height)
                for k, one in enumerate(of)]

    step = next(n for n in STEPS if (high - low) / n <= TICKS)
    for n in range(math.ceil(low / step), math.floor(high / step) + 1):
        y = top + (high - n * step) / (high - low) * height
        draw.line((left, y, left + width, y), FRAME)
        draw.text((left - 6, y), f"{n * step:g}", INK, small, anchor="rm")
    for (label, way), of in found.items():
        if way == MOST and label != RANDOM:
            band = Image.new("L", canvas.size, 0)
            ImageDraw.Draw(band).polygon(points(of, 0) + points(of, 2)[::-1], fill=FAINT)
            canvas.paste(Image.new("RGB", canvas.size, every[label][1]), mask=band)
    for (label, way), of in found.items():
        middle = points(of, 1)
        for k in range(steps):
            if way == MOST or k % 2 == 0:
                draw.line((*middle[k], *middle[k + 1]), every[label][1], 3 if way == MOST else 2)
    draw.text((left, top + height + 3), "0", INK, small)
    draw.text((left + width, top + height + 3), f"{steps} regions", INK, small, anchor="ra")
