"""Dense SIFT by loops over frames, bins, pixels and orientations, straight from the formulas; and what a bin covers.

Images are lists of rows. A frame is the (x, y) of its first bin's centre and its size s; its bin (by, bx) is centred on
(x + s bx, y + s by), and coordinate t + 8 (bx + 4 by) of its descriptor is that bin's orientation t.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from lrp_ref.checks.definitions.units import Connections, Map, Units, affine, shape

Frame = tuple[int, int, int]
Image = Sequence[Sequence[float]]
HALF = Fraction(1, 2)


def frames(height: int, width: int, sizes: Sequence[int], step: int, bounds: Any = None) -> list[Frame]:
    """(x, y, s), size by size, row by row: every `step` pixels, as long as the last bin's centre is inside."""
    x0, y0, x1, y1 = bounds or (0, 0, width - 1, height - 1)
    found = []
    for s in sizes:
        inward = math.floor(1.5 * (max(sizes) - s))
        for y in range(y0 + inward, y1 + 1, step):
            for x in range(x0 + inward, x1 + 1, step):
                if x + 3 * s <= x1 and y + 3 * s <= y1:
                    found.append((x, y, s))
    return found


def at(image: Image, y: int, x: int) -> float:
    """A pixel; outside the image, the nearest one inside."""
    return image[min(max(y, 0), len(image) - 1)][min(max(x, 0), len(image[0]) - 1)]


def pixels(image: Image) -> list[tuple[int, int]]:
    return [(y, x) for y in range(len(image)) for x in range(len(image[0]))]


def smoothed(image: Image, sigma: float) -> list[list[float]]:
    """sum_v sum_u k(v) k(u) image(y + v, x + u), k(u) ~ exp(-u^2 / (2 sigma^2)) of sum 1, |u|, |v| <= ceil(4 sigma)."""
    reach = range(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1)
    total = sum(math.exp(-u * u / (2 * sigma * sigma)) for u in reach)
    k = {u: math.exp(-u * u / (2 * sigma * sigma)) / total for u in reach}
    return [[sum(k[v] * k[u] * at(image, y + v, x + u) for v in reach for u in reach) for x in range(len(image[0]))]
            for y in range(len(image))]


def gradient(image: Image, y: int, x: int) -> tuple[float, float]:
    """Its length and its angle in eighths of a turn, 0 .. 8, from +x (0) over +y, which is down (2).

    Half the difference of the two neighbours; at the image's edge the difference of the two pixels there are.
    """
    def slope(dy: int, dx: int) -> float:
        inside = [(y + n * dy, x + n * dx) for n in (-1, 0, 1)
                  if 0 <= y + n * dy < len(image) and 0 <= x + n * dx < len(image[0])]
        (y0, x0), (y1, x1) = inside[0], inside[-1]
        return (image[y1][x1] - image[y0][x0]) / (len(inside) - 1)
    gx, gy = slope(0, 1), slope(1, 0)
    return math.hypot(gx, gy), math.atan2(gy, gx) / (2 * math.pi) * 8 % 8


def part(angle: float, t: int) -> float:
    """Of a gradient at that angle the part that orientation t gets: 1 at t, 0 at t - 1 and t + 1, linear between."""
    apart = abs(angle - t)
    return max(0.0, 1 - min(apart, 8 - apart))


def window(s: int, b: int, u: int, width: float, flat: bool) -> float:
    """Weight along an axis, in bin b, of a pixel u before the bin's centre: a triangle times a Gaussian on the frame.

    The frame's centre is s (1.5 - b) behind the bin's. With `flat` the Gaussian is averaged over |u| < s.
    """
    def gauss(u: int) -> float:
        return math.exp(-((u - s * (b - 1.5)) / (s * width)) ** 2 / 2)
    height = sum(gauss(v) for v in range(1 - s, s)) / (2 * s - 1) if flat else gauss(u)
    return (1 - abs(u) / s) * height


def histogram(image: Image, frame: Frame, width: float, flat: bool) -> list[float]:
    """h, 128 numbers, before it is normalised. Pixels outside the image repeat the gradient at its edge."""
    x, y, s = frame
    h = [0.0] * 128
    for by in range(4):
        for bx in range(4):
            for v in range(1 - s, s):
                for u in range(1 - s, s):
                    weight = window(s, by, v, width, flat) * window(s, bx, u, width, flat)
                    row = min(max(y + s * by - v, 0), len(image) - 1)
                    column = min(max(x + s * bx - u, 0), len(image[0]) - 1)
                    length, angle = gradient(image, row, column)
                    for t in range(8):
                        h[t + 8 * (bx + 4 * by)] += weight * length * part(angle, t)
    return h


def norm(h: Sequence[float]) -> float:
    return math.sqrt(sum(v * v for v in h)) + 2 ** -23


def descriptors(image: Image, sizes: Sequence[int], step: int, smoothing: float | None = 6, window: float = 1.5,
                contrast: float = 0.005, flat: bool = True, bounds: Any = None) -> list[list[float]]:
    """min(512 h, 255) of h / |h|, cut at 0.2, over its norm again; 0 where sum h < contrast (3 s + 1)^2."""
    found = []
    for x, y, s in frames(len(image), len(image[0]), sizes, step, bounds):
        h = histogram(image if smoothing is None else smoothed(image, s / smoothing), (x, y, s), window, flat)
        if sum(h) / (3 * s + 1) ** 2 < contrast:
            found.append([0.0] * 128)
            continue
        cut = [min(v / norm(h), 0.2) for v in h]
        found.append([min(512 * v / norm(cut), 255) for v in cut])
    return found


def overlap(pixel: int, centre: int, s: int) -> Fraction:
    """The length that pixel - 1/2 .. pixel + 1/2 and centre - s/2 .. centre + s/2 have in common."""
    return max(Fraction(0), min(pixel + HALF, centre + s * HALF) - max(pixel - HALF, centre - s * HALF))


def coverage(a: Units, sizes: Sequence[int], step: int, bounds: Any = None) -> Map:
    """c_ij: the area that pixel i and the bin of coordinate j have in common. z_j = sum_i c_ij a_i."""
    _, height, width = shape(a)
    connections: Connections = {}
    for l, (x, y, s) in enumerate(frames(height, width, sizes, step, bounds)):
        for by in range(4):
            for bx in range(4):
                areas = {i: overlap(i[1], y + s * by, s) * overlap(i[2], x + s * bx, s) for i in a}
                for t in range(8):
                    connections[l, t + 8 * (bx + 4 * by)] = [(i, c, 1) for i, c in areas.items() if c]
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)
