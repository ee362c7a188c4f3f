"""Convolutions and poolings as they would be with another padding, stride, dilation or order of axes.

Every one is a map of its own: forwards as the layer is, backwards with other windows; or other windows both ways, for
as many outputs as the layer has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lrp_ref.arrays import Array, Function, Pair, Shape
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.pool import Pooling
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class Apart(LinearMap):
    """Forwards one map, backwards another."""

    up: LinearMap
    down: LinearMap
    outputs: Pair

    @property
    def weight(self) -> Array:  # type: ignore[override]
        return self.up.weight

    @property
    def bias(self) -> Array:  # type: ignore[override]
        return self.up.bias

    @property
    def learned(self) -> bool:  # type: ignore[override]
        return self.up.learned

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        rows, columns = self.outputs
        return [z[:, :, :rows, :columns] for z in self.up.apply_each(a, functions)]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        return self.down.transpose_sum(s, functions, shape)


def other_windows(m: LinearMap, a: Array) -> Iterator[tuple[str, LinearMap]]:
    """(as if .., the map) for what is often mistaken about windows; nothing for a map without."""
    if not isinstance(m, (Convolution, Pooling)) or a.ndim != 4:
        return
    window, outputs = m.window, m.window.outputs(a.shape[2:])

    def backwards(sentence: str, other: Window) -> tuple[str, LinearMap]:
        return f"backwards {sentence}", Apart(m, replace(m, window=roomy(other, outputs)), outputs)

    def both_ways(sentence: str, other: Convolution) -> Iterator[tuple[str, LinearMap]]:
        other = replace(other, window=roomy(other.window, outputs), stacks={})
        yield f"backwards {sentence}", Apart(m, other, outputs)
        yield sentence, Apart(other, other, outputs)

    (top, left), (sh, sw), dilation = window.before, window.stride, window.dilation
    for before in ((top + dy, left + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
        if before != window.before and min(before) >= 0:
            yield backwards(f"the padding were {before}, not {window.before}", replace(window, before=before))
    if (sh, sw) != (1, 1):
        for stride in {(sw, sh), (1, 1)} - {(sh, sw)}:
            yield backwards(f"the stride were {stride}, not {(sh, sw)}", replace(window, stride=stride))
    if isinstance(m, Convolution):
        if dilation != (1, 1):
            yield from both_ways("there were no dilation", replace(m, window=replace(window, dilation=(1, 1))))
        if dilation[0] != dilation[1]:
            yield from both_ways("rows and columns of the dilation were swapped",
                                 replace(m, window=replace(window, dilation=dilation[::-1])))
        swapped = replace(m, weight=np.swapaxes(m.weight, 2, 3), window=replace(window, size=window.size[::-1]))
        yield from both_ways("rows and columns of the kernel were swapped", swapped)
        yield from both_ways("the kernel were flipped", replace(m, weight=m.weight[:, :, ::-1, ::-1]))
        if m.groups > 1:
            whole = np.concatenate([m.weight] * m.groups, axis=1)
            yield from both_ways("groups were ignored, and every output saw all channels",
                                 replace(m, weight=whole, groups=1))


def roomy(window: Window, outputs: Pair) -> Window:
    """The window with so much padding behind the image that as many outputs fit, wherever they lie."""
    room = [v * s + k for v, s, k in zip(outputs, window.stride, window.extent)]
    return replace(window, after=(room[0], room[1]), ceil=False)
