"""c_rl: which descriptors lie in which regions of the image, and which of them lie in the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, as_numbers, convert_numbers, ones_like
from lrp_ref.hints import listed, shown
from lrp_ref.layers.base import whole

PYRAMID = "2x2+3x1+1x1"   # Chatfield et al. 2011: quarters, horizontal bands, the whole image
CELLS = 1 << 26           # of c_rl at most, 512 MB; a pyramid over 100,000 descriptors has a million
REGIONS = 1024            # at most; a Fisher vector is as many times longer, and a pyramid has 8


def regions_of(centres: Any, shape: Shape, regions: str | Sequence[Sequence[float]] = PYRAMID) -> Array:
    """c_rl = 1 where the centre of descriptor l lies in region r, else 0: (regions, L).

    centres  (L, 2) or wider: x, y, with (0, 0) the centre of the first pixel, as DenseSift's frames
    shape    of the image or batch, (..., H, W)
    regions  grids joined by +, each rows x columns ("2x2+3x1+1x1", "1x1"), counted down each column and then from
             column to column: left top, left bottom, right top, right bottom; or rectangles (top, left, bottom, right)
             in pixels, the whole image being (0, 0, H, W)

    A descriptor lies in part p = 1 .. P of an axis of n pixels where p = ceil((x + 1) P / n), that is (p - 1) n <
    (x + 1) P <= p n, as in the reference setup, which counts pixels from 1; so too in a rectangle.
    """
    points = convert_numbers(as_numbers(centres, "regions_of"), np.float64)
    sized = isinstance(shape, (tuple, list)) and len(shape) >= 2 and all(map(whole, shape))
    if points.ndim != 2 or points.shape[1] < 2 or not sized:
        raise ValueError(f"regions_of got centres of shape {points.shape} for an image of shape {shown(shape)}, needed "
                         "(L, 2), x and y, and (..., H, W)")
    x, y = points[:, 0] + 1, points[:, 1] + 1
    height, width = shape[-2:]
    if (cells := counted_regions(regions) * len(points)) > CELLS:
        raise ValueError(f"regions_of got {len(points)} descriptors, which make {cells} numbers of c_rl, needed at "
                         f"most {CELLS}: use a smaller image or fewer regions")
    if isinstance(regions, str):
        inside = [part(x, u, columns, width) & part(y, v, rows, height)
                  for rows, columns in grids(regions) for u in range(columns) for v in range(rows)]
    else:
        inside = [rectangle(x, y, sides) for sides in rectangles(regions)]
    return np.stack(inside).astype(np.float64)


def counted_regions(regions: str | Sequence[Sequence[float]]) -> int:
    """How many regions there are, 1 to REGIONS, without an image; an error where they are none."""
    if isinstance(regions, str):
        what, count = "regions", sum(rows * columns for rows, columns in grids(regions))
    else:
        what, count = "rectangles", len(rectangles(regions))
    if not 0 < count <= REGIONS:
        raise ValueError(f"regions_of got {count or 'no'} {what}, needed at least one and at most {REGIONS}")
    return count


def grids(regions: str) -> list[tuple[int, int]]:
    """Rows and columns of every grid."""
    found = []
    for word in regions.split("+", REGIONS):
        if not re.fullmatch(r"[1-9][0-9]{0,8}x[1-9][0-9]{0,8}", word.strip()):
            raise ValueError(f"regions_of got {shown(regions)}, needed grids such as {PYRAMID!r}, or rectangles")
        rows, columns = map(int, word.split("x"))
        found.append((rows, columns))
    return found


def part(x: Array, p: int, parts: int, n: int) -> Array:
    """Where p n < x P <= (p + 1) n"""
    return (p * n < x * parts) & (x * parts <= (p + 1) * n)


def rectangles(regions: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """The sides of every rectangle, top < bottom and left < right; of more than REGIONS one more than these."""
    try:
        found = tuple(tuple(map(float, sides)) for sides in islice(regions, REGIONS + 1))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"regions_of got {shown(regions)}, needed grids such as "
                         f"{PYRAMID!r}, or rectangles") from None
    for sides in found:
        if len(sides) != 4 or not (sides[0] < sides[2] and sides[1] < sides[3]):
            raise ValueError(f"regions_of got the rectangle ({listed(f'{side:g}' for side in sides[:5])}), needed "
                             "(top, left, bottom, right) in pixels")
    return found


def rectangle(x: Array, y: Array, sides: Sequence[float]) -> Array:
    """Where top < y <= bottom and left < x <= right"""
    top, left, bottom, right = sides
    return (left < x) & (x <= right) & (top < y) & (y <= bottom)


@dataclass(frozen=True, eq=False)
class Group:
    """Descriptors that reach the same regions. Where their coverage is equal, one sum serves all these regions.

    where    (L,) bool: which descriptors
    regions  which regions, ints
    even     False: one region, and not the same c_rl for all
    """

    where: Array
    regions: Array
    even: bool

    def rows(self, chunk: slice) -> Any:
        """Which descriptors of a chunk: the chunk itself, their indices, or None."""
        inside = self.where[chunk]
        if inside.all():   # Same result without; no copies.
            return chunk
        return chunk.start + np.flatnonzero(inside) if inside.any() else None

    def share(self, coverage: Array) -> Array:
        """c_r that all of them have in common (regions, 1, 1, 1); 1 where `parts` says the rest."""
        c = coverage[self.regions, int(self.where.argmax())]
        return (c if self.even else ones_like(c))[:, None, None, None]

    def parts(self, coverage: Array, rows: Any) -> Array | None:
        """c_rl of each of them, (rows,); None where they have it in common."""
        return None if self.even else coverage[self.regions[0], rows]


def grouped(coverage: Array) -> tuple[Group, ...]:
    """The groups of coverage c_rl (regions, L): descriptors in the quarter and the band and the image, and so on."""
    reach = coverage != 0
    cells = np.zeros(reach.shape[1], dtype=np.int64)
    for bits in np.packbits(reach, axis=0):
        cells = np.unique(256 * cells + bits, return_inverse=True)[1]
    groups: list[Group] = []
    for cell in range(int(cells.max(initial=-1)) + 1):
        where = cells == cell
        regions = np.flatnonzero(reach[:, int(where.argmax())])
        inside = coverage[regions][:, where]
        even = (inside == inside[:, :1]).all(axis=1)
        groups += [Group(where, regions[even], True)] if even.any() else []
        groups += [Group(where, regions[r : r + 1], False) for r in np.flatnonzero(~even)]
    return tuple(groups)
