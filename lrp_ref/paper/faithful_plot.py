"""What perturbing regions says, drawn: what is left of the score, a line per map with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lrp_ref.paper.faithful import LEAST, MOST, RANDOM, Faithfulness, labelled_map
from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.study import NO_CUTOFF
from lrp_ref.pictures.picture import FRAME, GAP, INK, LINE, MARGIN, PALE, SMALL, TEXT, Bytes, wrap

WIDTH, HEIGHT = 430, 250          # of a panel
NUMBERS, NAMES, LEADER = 46, 190, 22   # widths: left of a panel; right of it, and of it the lines that lead there
THICK, THIN, FINE = 3, 1, 3       # lines of most and least relevant first; parts of a pixel in which they are drawn
SHADES = ((24, 72, 127), (220, 120, 30), (76, 175, 234), (150, 60, 20), (120, 170, 120), (150, 110, 190))
FAINT = 36                        # of 255, the band from quartile to quartile
STEPS, TICKS = [m * 10.0**n for n in range(-2, 300) for m in (1, 2, 5)], 6   # between lines of the grid; lines at most
KEY = ("share of the score that is left, median of the explanations; thick: most relevant regions first, thin: least "
       "relevant first; band: quartiles of the map in dark blue, which says most")

Colour = tuple[int, int, int]
Curve = list[tuple[float, float, float]]   # quartiles after 0, 1, .. regions


@dataclass(frozen=True)
class Panel:
    """Value v after k regions is at (left + k / steps WIDTH, top + (high - v) / (high - low) HEIGHT).

    curves  {map: {"most" or "least": its quartiles}}, the best map first, then random order
    """

    left: int
    top: int
    low: float
    high: float
    steps: int
    curves: Mapping[str, Mapping[str, Curve]]

    def at(self, k: float, value: float) -> tuple[float, float]:
        return (self.left + k / self.steps * WIDTH,
                self.top + (self.high - min(max(value, self.low), self.high)) / (self.high - self.low) * HEIGHT)

    def line(self, curve: Curve, which: int = 1) -> list[tuple[float, float]]:
        return [self.at(k, one[which]) for k, one in enumerate(curve)]


def faithful_plot(found: Mapping[str, Faithfulness]) -> Bytes:
    """A row per model: its rules without a cut-off; the cut-offs of the rule whose map says most."""
    text, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    across, down = NUMBERS + WIDTH + NAMES, 2 * LINE + HEIGHT + LINE + GAP
    size = (2 * across + 2 * MARGIN, 2 * MARGIN + LINE + down * len(found))
    panels: list[tuple[str, Panel]] = []
    for n, (name, f) in enumerate(found.items()):
        rules = best_first(f, {rule: labelled_map(rule, NO_CUTOFF) for rule in f.rules})
        best = next(iter(rules))
        cuts = best_first(f, {label: labelled_map(best, label) for label in f.cutoffs})
        count = len(f.of(RANDOM, MOST))
        for k, (title, maps) in enumerate(((f"{name}: rules without a cut-off, {count} explanations", rules),
                                           (f"{name}: cut-offs of {best}", cuts))):
            left, top = MARGIN + NUMBERS + k * across, MARGIN + LINE + n * down + 2 * LINE
            panels.append((title, panel(f, maps, left, top)))
    lines = Image.new("RGB", (FINE * size[0], FINE * size[1]), "white")
    for _, one in panels:
        draw_lines(lines, one)
    canvas = lines.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN + NUMBERS, MARGIN // 2), KEY, PALE, small)
    for title, one in panels:
        draw.text((one.left, one.top - GAP // 2), wrap(title, WIDTH + NAMES, text, 1)[0], INK, text, anchor="ld")
        for value in grid(one):
            draw.text((one.left - 6, one.at(0, value)[1]), f"{value:g}", INK, small, anchor="rm")
        draw.text((one.left, one.top + HEIGHT + 3), "0", INK, small)
        draw.text((one.left + WIDTH, one.top + HEIGHT + 3), f"{one.steps} regions replaced", INK, small, anchor="ra")
        for (label, colour), y in zip(coloured(one), name_heights(one)):
            draw.text((one.left + WIDTH + LEADER + 3, y), wrap(label, NAMES - LEADER - 9, small, 1)[0], colour, small,
                      anchor="lm")
    return np.array(canvas)


def best_first(f: Faithfulness, maps: Mapping[str, str]) -> dict[str, str]:
    """{name: map} by the median area between a map's curves, the largest first."""
    def area(name: str) -> float:
        middle = quartiles(f.of(maps[name], "between"))[1]
        return math.inf if math.isnan(middle) else -middle
    return {name: maps[name] for name in sorted(maps, key=area)}


def panel(f: Faithfulness, maps: Mapping[str, str], left: int, top: int) -> Panel:
    """As high as all medians and the first map's quartiles need, and from 0 to 1 at least."""
    curves = {name: {way: [quartiles(column) for column in f.curves[label][way].T] if len(f.curves[label][way]) else []
                     for way in (MOST, LEAST)} for name, label in {**maps, RANDOM: RANDOM}.items()}
    shown = [one[1] for both in curves.values() for curve in both.values() for one in curve]
    shown += [end for curve in next(iter(curves.values())).values() for one in curve for end in (one[0], one[2])]
    steps = max(len(curve) for both in curves.values() for curve in both.values()) - 1
    return Panel(left, top, min([0.0, *shown]), max([1.0, *shown]), max(steps, 1), curves)


def grid(one: Panel) -> list[float]:
    step = next(n for n in STEPS if (one.high - one.low) / n <= TICKS)
    return [n * step for n in range(math.ceil(one.low / step), math.floor(one.high / step) + 1)]


def coloured(one: Panel) -> list[tuple[str, Colour]]:
    """(map, its colour), random order grey."""
    return [(label, PALE if label == RANDOM else SHADES[n % len(SHADES)]) for n, label in enumerate(one.curves)]


def name_heights(one: Panel) -> list[float]:
    """The heights of the maps' names: at the ends of their thick lines, LINE apart, none above or below the panel."""
    ends = [one.line(both[MOST])[-1][1] if both[MOST] else one.top for both in one.curves.values()]
    order = np.argsort(ends, kind="stable")
    y = np.array(ends)[order]
    for n in range(1, len(y)):                            # down, where they are too close
        y[n] = max(y[n], y[n - 1] + LINE)
    y[-1] = min(y[-1], one.top + HEIGHT)
    for n in range(len(y) - 2, -1, -1):                   # and up again from the lower edge
        y[n] = min(y[n], y[n + 1] - LINE)
    found = np.empty(len(y))
    found[order] = y
    return [float(value) for value in found]


def draw_lines(canvas: Image.Image, one: Panel) -> None:
    """Grid, the first map's band, the medians, and what leads to the names; FINE times as large."""
    draw = ImageDraw.Draw(canvas)

    def fine(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(FINE * x, FINE * y) for x, y in points]

    for value in grid(one):
        draw.line(fine([one.at(0, value), one.at(one.steps, value)]), FRAME, FINE)
    (_, first), *_ = coloured(one)
    for curve in next(iter(one.curves.values())).values():
        if curve:
            band = Image.new("L", canvas.size, 0)
            ImageDraw.Draw(band).polygon(fine(one.line(curve, 0) + one.line(curve, 2)[::-1]), fill=FAINT)
            canvas.paste(Image.new("RGB", canvas.size, first), mask=band)
    for (label, colour), y in reversed([*zip(coloured(one), name_heights(one))]):   # the first map's on top
        for way, thick in ((LEAST, THIN), (MOST, THICK)):
            if one.curves[label][way] and not (label == RANDOM and way == LEAST):
                points = one.line(one.curves[label][way])
                draw.line(fine(points), colour, FINE * thick, joint="curve")
                if way == MOST:
                    draw.line(fine([points[-1], (one.left + WIDTH + LEADER, y)]), colour, FINE)
