"""Figures of the course as SVG: circles for units, lines whose widths are relevance, and drains for what is lost."""

from collections.abc import Iterable
from fractions import Fraction
from html import escape
from typing import Any

FOR, AGAINST, DRAIN, INK, PALE = "#c44e1c", "#2a6fb0", "#7a7a7a", "#1b1b1b", "#d9d9d9"
WIDEST = 26   # of a line, in pixels: the largest relevance of a figure


def said(number: Any) -> str:
    """A number as a reader writes it: 3, -5/2, 0.37."""
    if isinstance(number, (int, Fraction)):
        return str(number)
    return f"{float(number):.2f}".rstrip("0").rstrip(".")


class Drawing:
    """Shapes one after another; `svg` is the file."""

    def __init__(self, width: int, height: int, title: str, largest: Any = 1) -> None:
        self.width, self.height, self.title, self.largest = width, height, title, float(largest)
        self.below: list[str] = []   # lines, under everything else
        self.above: list[str] = []

    def text(self, x: float, y: float, words: str, size: int = 15, anchor: str = "middle", colour: str = INK,
             weight: str = "normal") -> None:
        self.above.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}">{escape(words)}</text>')

    def unit(self, x: float, y: float, inside: Any, below: str = "", radius: int = 21) -> None:
        """A circle with a number in it and words under it."""
        self.above.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" fill="white" stroke="{INK}" '
                          'stroke-width="1.6"/>')
        self.text(x, y + 5, inside if isinstance(inside, str) else said(inside))
        if below:
            self.text(x, y + radius + 17, below, 13)

    def drain(self, x: float, y: float, name: str, amount: Any) -> None:
        """A box for what reaches no input."""
        self.above.append(f'<rect x="{x - 46:g}" y="{y - 19:g}" width="92" height="38" rx="5" fill="white" '
                          f'stroke="{DRAIN}" stroke-width="1.4" stroke-dasharray="5 3"/>')
        self.text(x, y - 2, name, 12, colour=DRAIN)
        self.text(x, y + 13, said(amount), 13)

    def line(self, x: float, y: float, to_x: float, to_y: float, amount: Any, colour: str | None = None) -> None:
        """As wide as the amount is large; orange for, blue against; 0 is a thin grey line."""
        size = abs(float(amount)) / self.largest * WIDEST
        hue = colour or (FOR if amount > 0 else AGAINST)
        style = f'stroke="{hue}" stroke-opacity="0.72" stroke-width="{max(size, 1):.2f}"'
        if not amount:
            style = f'stroke="{PALE}" stroke-width="1.2" stroke-dasharray="3 4"'
        middle = (y + to_y) / 2
        self.below.append(f'<path d="M {x:g} {y:g} C {x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}" '
                          f'fill="none" {style}/>')

    def bar(self, x: float, y: float, width: float, height: float, colour: str, words: str = "") -> None:
        self.below.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>')
        if words:
            self.text(x + width / 2, y + height / 2 + 5, words, 13)

    def rule(self, x: float, y: float, to_x: float, to_y: float, colour: str = INK, width: float = 1) -> None:
        self.below.append(f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="{colour}" '
                          f'stroke-width="{width:g}"/>')

    def curve(self, points: Iterable[tuple[float, float]], colour: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.below.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def cell(self, x: float, y: float, side: float, value: Any, fill: str = "white") -> None:
        """A pixel with its number."""
        self.below.append(f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" fill="{fill}" stroke="{INK}" '
                          'stroke-width="1"/>')
        self.text(x + side / 2, y + side / 2 + 5, value if isinstance(value, str) else said(value), 14)

    @property
    def svg(self) -> str:
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="Helvetica, Arial, sans-serif" role="img">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>',
            *self.below, *self.above, "</svg>", ""])


def shade(amount: Any, largest: Any) -> str:
    """White at 0, orange at the largest, blue at minus that."""
    part = min(abs(float(amount)) / float(largest), 1) * 0.8
    hue = (196, 78, 28) if amount > 0 else (42, 111, 176)
    return "#" + "".join(f"{round(255 + (c - 255) * part):02x}" for c in hue)


def units(drawing: Drawing, left: float, width: float, shown: Any, shares: Any, account: Any, R: Any, z: Any,
          top: float = 62, size: int = 15) -> None:
    """One layer: outputs on top with R and z, inputs at the bottom, a line for every message, drains beside.

    shown    what stands in the inputs, and shares[i][j] the message from output j to input i
    account  (bias, stabiliser, dead) of every output
    """
    bottom, inputs, outputs = top + 190, len(shown), len(R)
    places = [left + width * (i + 0.5) / inputs for i in range(inputs)]
    tops = [left + width * (j + 0.5) / outputs for j in range(outputs)]
    for j in range(outputs):
        drawing.unit(tops[j], top, z[j])
        drawing.text(tops[j], top - 31, f"R = {said(R[j])}", 15, weight="bold")
        for i in range(inputs):
            drawing.line(tops[j], top, places[i], bottom, shares[i][j])
    for i in range(inputs):
        drawing.unit(places[i], bottom, shown[i])
        drawing.text(places[i], bottom + 42, f"R = {said(sum(shares[i]))}", size, weight="bold")
    names = ("bias", "stabiliser", "dead")
    for j in range(outputs):
        lost = [(name, amount) for name, amount in zip(names, account[j]) if amount]
        side = 1 if tops[j] >= left + width / 2 else -1
        for n, (name, amount) in enumerate(lost):
            x, y = tops[j] + side * 100, top + 8 + 50 * n
            drawing.line(tops[j], top, x, y, amount, DRAIN)
            drawing.drain(x, y, name, amount)
