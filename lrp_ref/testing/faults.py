"""Faults that are no convention, seen from a whole answer and what it should be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.testing.compared import relative_distance

NEAR = 1e-3   # of the largest number: what is that near, and was twice as far before, is explained


def off(got: Array, wanted: Array) -> float:
    """The largest difference, as a part of the largest number."""
    return relative_distance(got, wanted, floor=1)


def at_a_glance(got: Array, value: Array) -> str:
    """What is wrong with an answer, whatever the rule: nothing came back, or it came back elsewhere; else ""."""
    got, value = got.astype(np.float64), value.astype(np.float64)
    wild = ~np.isfinite(got)
    if wild.any():
        rest = not wild.all() and off(got[~wild], value[~wild]) <= NEAR
        return (f"something were divided by 0: {int(wild.sum())} of {got.size} numbers are not finite"
                + (", and the others are right" if rest else ""))
    if not got.any() and value.any():
        return "nothing were handed down: all relevance is 0"
    for sentence, other in elsewhere(got, value):
        if off(other, value) <= min(NEAR, off(got, value) / 2):
            return sentence
    return ""


def elsewhere(got: Array, value: Array) -> Iterator[tuple[str, Array]]:
    """(as if .., the answer with that undone)"""
    if got.ndim == 4 and min(got.shape[2:]) > 1:
        n, c, h, w = got.shape
        yield "rows and columns of the image were swapped", np.swapaxes(got.reshape(n, c, w, h), 2, 3)
    if got.ndim == 4:
        yield "the image were upside down", got[:, :, ::-1]
        yield "the image were mirrored", got[..., ::-1]
        if got.shape[1] > 1:
            yield "channels were in the opposite order", got[:, ::-1]
    if len(got) > 1:
        yield "samples were in the opposite order", got[::-1]
        if value.reshape(len(value), -1).any(axis=1).sum() > 1:   # of one sample any stabiliser may look so
            yield "relevance were divided by the number of samples", got * len(got)


def rounded_to_float32(got: Array, value: Array) -> bool:
    """Whether float32 holds every number of the answer, which the right one's nearest float64 are not."""
    with np.errstate(over="ignore"):
        held, right = (np.array_equal(x.astype(np.float32), x) for x in (got, value))
    return held and not right and off(got, value) <= 2.0**-12   # half of float32's digits
