"""Concepts: the channels, heads or units of a layer that relevance passes through, and those that have most of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, as_array, constant, convert_numbers, finite, is_number, number_type, zeros
from lrp_ref.hints import listed, shown
from lrp_ref.layers.base import whole
from lrp_ref.network import Network

Top = list[list[tuple[int, Any]]]


def mask_of(name: str, units: Any, z: Array) -> Array:
    """1 where relevance of the output z of layer `name` passes, 0 where it does not; for one sample, (1, ...).

    units  channels, numbers along the first axis of a sample (of attention (N, H, T, D) its heads): 3, or [0, 5]. Or a
           mask, truth values or parts, that broadcasts to a sample
    """
    mask = as_array(units) if not isinstance(units, (list, tuple)) or len(units) else np.zeros(0, int)
    if mask.dtype.kind in "iu":
        return of_channels(name, mask, z)
    if mask.dtype.kind != "b" and not (mask.dtype.kind in "fO" and finite(mask) and all(map(is_number, mask.flat))):
        raise ValueError(f"through got {shown(units)} for {name}, needed channels such as [0, 5], or a mask")
    try:
        mask = np.broadcast_to(mask, z.shape[1:])
    except ValueError:
        raise ValueError(f"through got a mask of shape {mask.shape} for {name}, needed one that broadcasts to "
                         f"{z.shape[1:]}") from None
    return convert_numbers(mask.astype(int) if mask.dtype.kind == "b" else mask, number_type(z))[None]


def of_channels(name: str, channels: Array, z: Array) -> Array:
    """1 at these channels, 0 at the others."""
    count = z.shape[1]
    wrong = [n for n in channels.flat if not 0 <= n < count]
    if wrong or channels.ndim > 1:
        raise ValueError(f"through got channel {wrong[0] if wrong else listed(channels)} of {name}, needed channels "
                         f"from 0 to {count - 1}")
    keep = zeros((1, *z.shape[1:]), z)
    keep[:, channels] = constant(1, z)
    return keep


def highest_first(network: Network, through: Any) -> list[str]:
    """The layers in the order in which relevance comes to them; an error where it cannot pass through all."""
    if not isinstance(through, Mapping) or not through:
        raise ValueError(f"got through={shown(through)}, needed {{layer name: channels}}")
    names = sorted(through, key=lambda name: -network.index(name))
    for upper, lower in pairwise(names):
        if lower not in network.below(upper):
            raise ValueError(f"got through={listed(names)}, but {upper} is not made of {lower}: nothing passes through "
                             "both")
    return names


def top_channels(relevance: Array, count: int = 5) -> Top:
    """The channels that have most relevance, highest first, and how much: [(channel, sum over it), ..] per sample.

    relevance: a tensor's, (N, C, ...). Of equal ones the lower number comes first.
    """
    if not whole(count) or count < 1:
        raise ValueError(f"got {shown(count)} channels to find, needed a whole number of at least 1")
    relevance = as_array(relevance)
    number_type(relevance)   # an error where it is none
    if relevance.ndim < 2:
        raise ValueError(f"got relevance of shape {relevance.shape}, needed (N, C, ...)")
    if not finite(relevance):
        raise ValueError("got relevance with NaN or infinity, needed finite numbers")
    sums = np.sum(relevance, axis=tuple(range(2, relevance.ndim)))
    return [[(int(c), row[c]) for c in np.argsort(-row, kind="stable")[:count]] for row in sums]
