"""R_y = sum of R_v / n_v over the outputs v that see y: what a cut-off does to sums over channels, axis by axis.

Flat gives every input of an output the same. Which channel it is in does not matter then, so that of a tensor (C, H, W)
the sum over its channels is enough, and of a window its rows and its columns can go one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array, Pair, Shape
from lrp_ref.layers import AdaptiveAvgPool, Add, Conv2D, Layer, Linear
from lrp_ref.layers.elementwise import Elementwise
from lrp_ref.layers.pool import Pool
from lrp_ref.layers.shape import Moving
from lrp_ref.layers.window import Window
from lrp_ref.network import INPUT, Network

Seen = tuple[int, int, int]   # of one output: the first row that it sees inside the image, how many, how far apart
Axis = tuple[Seen, ...]
Map = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """How a layer under a cut-off spreads what an output of its grid has; None: it stays in its place.

    parts  among how many tensors that it reads it goes evenly first
    """

    rows: Axis | None = None
    columns: Axis | None = None
    parts: int = 1

    def down(self, R: Map, grid: Pair) -> tuple[Map, float]:
        """What each tensor that is read gets, on its grid; and what stays where an output sees nothing: dead."""
        if self.rows is None or self.columns is None:
            return R / self.parts, 0.0
        rows, columns = share_matrix(self.rows, grid[0]), share_matrix(self.columns, grid[1])
        blind = ~np.outer(rows.any(axis=0), columns.any(axis=0))
        return rows @ R @ columns.T, float(R[blind].sum())


def share_matrix(axis: Axis, n: int) -> Map:
    """(n, outputs): 1 / n_v where output v sees row y; a column sums to 1, or to 0 where it sees none."""
    out = np.zeros((n, len(axis)))
    for v, (first, count, apart) in enumerate(axis):
        if count:
            out[first: first + (count - 1) * apart + 1: apart, v] = 1 / count
    return out


def window_axes(window: Window, image: Sequence[int], outputs: Sequence[int]) -> tuple[Axis, Axis]:
    """y = v stride + t dilation - before, those inside the image."""
    rows, columns = (
        tuple(seen_inside([v * s + t * d - p for t in range(k)], n, d) for v in range(count))
        for n, count, k, s, p, d in zip(image, outputs, window.size, window.stride, window.before, window.dilation))
    return rows, columns


def seen_inside(places: Sequence[int], n: int, apart: int) -> Seen:
    found = [y for y in places if 0 <= y < n]
    return (found[0], len(found), apart) if found else (0, 0, apart)


def cell_axis(n: int, parts: int) -> Axis:
    """floor(v n / parts) .. ceil((v + 1) n / parts) - 1, as adaptive pooling has it."""
    return tuple((v * n // parts, -(-(v + 1) * n // parts) - v * n // parts, 1) for v in range(parts))


def spread_of(layer: Layer, shapes: Sequence[Shape], grids: Sequence[Pair], output: Shape) -> Spread | None:
    """Of a layer that reads tensors of these shapes and grids; None: not known here."""
    grid = grids[0]
    if isinstance(layer, Add):
        return Spread(parts=len(grids)) if len(grids) > 1 else None
    if len(grids) > 1 or layer.joins:
        return None
    if isinstance(layer, Elementwise):
        return Spread() if layer.sees == Window((1, 1), (1, 1)) and not isinstance(layer, Moving) else None
    if isinstance(layer, Linear):
        return Spread(((0, grid[0], 1),), ((0, grid[1], 1),)) if len(shapes[0]) == 2 else None
    if isinstance(layer, AdaptiveAvgPool):
        return Spread(cell_axis(grid[0], layer.size[0]), cell_axis(grid[1], layer.size[1]))
    if isinstance(layer, (Conv2D, Pool)):
        return Spread(*window_axes(layer.window, grid, output[2:]))
    return None


@dataclass(frozen=True, eq=False)
class Walk:
    """The layers from the pixels up to which a cut-off's way is known here, and the grid (H, W) of every tensor there.

    A vector that was flattened keeps the grid it had; a unit of a fully connected layer has a grid of one.
    """

    network: Network
    spreads: Mapping[str, Spread]
    grids: Mapping[str, Pair]

    @classmethod
    def of(cls, network: Network, shape: Shape) -> Walk:
        shapes, spreads = network.shapes(shape), {}
        grids: dict[str, Pair] = {INPUT: (shape[2], shape[3])}
        for name, layer, reads in network.nodes:
            if all(t in grids for t in reads):
                found = spread_of(layer, [shapes[t] for t in reads], [grids[t] for t in reads], shapes[name])
                if found is not None:
                    spreads[name] = found
                    grids[name] = grids[reads[0]] if found.rows is None or found.columns is None else (
                        len(found.rows), len(found.columns))
        return cls(network, spreads, grids)

    def summed(self, R: Array, tensor: str) -> Map:
        """The sum over channels of one sample's relevance of a tensor, on its grid."""
        values: Map = np.asarray(R, np.float64).reshape(-1, *self.grids[tensor]).sum(axis=0)
        return values

    def down(self, there: Mapping[str, Map]) -> tuple[Map, float]:
        """What arrives at the pixels of what tensors have, {tensor: map}, and what is dead on the way."""
        Rs: dict[str, Any] = dict(there)
        dead = 0.0
        for name, _, reads in reversed(self.network.nodes):
            if name in Rs and name in self.spreads:
                below, lost = self.spreads[name].down(Rs.pop(name), self.grids[reads[0]])
                dead += lost
                for t in reads:
                    Rs[t] = Rs[t] + below if t in Rs else below
        return Rs.get(INPUT, np.zeros(self.grids[INPUT])), dead
