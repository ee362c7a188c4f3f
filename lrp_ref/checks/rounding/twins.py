"""Equal numbers for units that are provably equal: the same function of the same pixels.

On an even patch of an image neighbouring outputs of a convolution are exactly equal, though rounding leaves each a
radius of its own. A max-pooling over them has tied winners, which radii alone cannot decide. Units with the same
number here have the same exact value; of others nothing is said.
"""

from __future__ import annotations

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.layers import Layer
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.window import Window


def equals(x: Array) -> Array:
    """A number from 1 for every value there is: x itself is exact."""
    return by_number(x.ravel()).reshape(x.shape)


def lifted(layer: Layer, ids: Array, outputs: tuple[int, ...]) -> Array:
    """The same of the layer's outputs: equal where all that is summed up, or compared, is (`layer.alike`)."""
    window, how = layer.sees, layer.alike
    if window is None or how is None:
        return np.arange(1, 1 + int(np.prod(outputs))).reshape(outputs)
    groups = getattr(layer, "groups", ids.shape[1])
    if window.extent == (1, 1) == window.stride and groups == ids.shape[1]:
        seen = ids
    else:
        seen = rows(ids, window, groups, outputs[2:], ordered=how != "everywhere, in any order")   # (N, groups, V U)
    if how != "in a channel":
        return seen.reshape(outputs)
    channel = np.arange(outputs[1]).reshape(1, groups, -1, 1)
    return (seen.reshape(len(ids), groups, 1, -1) * outputs[1] + channel).reshape(outputs)


def known(ids: Array, low: Array, high: Array) -> Array:
    """Units whose value is known exactly are equal where the values are."""
    exact = low == high
    if exact.any():
        ids = ids.copy()
        ids[exact] = ids.max() + by_number(low[exact])
    return ids


def rows(ids: Array, window: Window, groups: int, outputs: tuple[int, ...], ordered: bool = True) -> Array:
    """A number for every window of every group; the padding is a number of its own, 0."""
    weight = np.empty((groups, ids.shape[1] // groups, *window.size))
    windows = Convolution(weight, weight, window, groups).gather(window.spread(ids), (outputs[0], outputs[1]))
    n, g, k, v = windows.shape
    flat = np.swapaxes(windows, 2, 3).reshape(-1, k)
    return by_number(np.ascontiguousarray(flat if ordered else np.sort(flat, axis=1))).reshape(n, g, v)


def by_number(x: Array) -> Array:
    """1, 2, .. for the distinct entries of a vector, or rows of a matrix."""
    if x.ndim == 2:
        x = x.view([("", x.dtype)] * x.shape[1])[:, 0]
    return 1 + np.unique(x, return_inverse=True)[1].reshape(-1)
