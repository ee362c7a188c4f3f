"""Layers that move, repeat, leave out or add up numbers, unit by unit."""

import math
from collections.abc import Sequence
from typing import Any

from lrp_ref.checks.definitions.units import Connections, Map, Number, Pair, Unit, Units, affine, divide, units


def extent(a: Units) -> Unit:
    """How many units there are along every axis."""
    return tuple(1 + max(places) for places in zip(*a))


def moved(a: Units, source: dict[Unit, Unit | None], bias: Number = 0) -> Map:
    """x_j = a_i for i = source[j], or the bias where there is none."""
    connections: Connections = {j: [] if i is None else [(i, 1, 1)] for j, i in source.items()}
    return affine(a, connections, {j: bias if i is None else 0 for j, i in source.items()}, learned=False)


def flatten(a: Units) -> Map:
    """x_n = a_cyx, where n counts along x first, then y, then c."""
    return moved(a, dict(zip(units([*a]), sorted(a), strict=True)))


def reshape(a: Units, shape: Sequence[int]) -> Map:
    """x_j = a_i: the n-th unit becomes the n-th, counting along the last axis first."""
    known = math.prod(n for n in shape if n != -1)
    sizes = [len(a) // known if n == -1 else n for n in shape]
    places: list[Unit] = [()]
    for n in sizes:
        places = [(*place, k) for place in places for k in range(n)]
    return moved(a, dict(zip(places, sorted(a), strict=True)))


def transpose(a: Units, axes: Sequence[int]) -> Map:
    """x_j = a_i, j_k = i_axes[k]; the batch is axis 0 and no part of a unit."""
    return moved(a, {tuple(i[k - 1] for k in axes[1:]): i for i in a})


def slice_of(a: Units, axis: int, start: int | None, stop: int | None, step: int) -> Map:
    """x_j = a_i, where i is in the j-th place of list[start:stop:step] along the axis."""
    kept = list(range(extent(a)[axis - 1]))[start:stop:step]
    return moved(a, {(*i[: axis - 1], kept.index(i[axis - 1]), *i[axis:]): i for i in a if i[axis - 1] in kept})


def pad(a: Units, before: Sequence[int], after: Sequence[int], value: Number) -> Map:
    """x_j = a_i, i = j - before, and the value where there is no such unit."""
    places: list[Unit] = [()]
    for p, n, q in zip(before, extent(a), after, strict=True):
        places = [(*place, k) for place in places for k in range(p + n + q)]
    inside = {j: tuple(k - p for k, p in zip(j, before)) for j in places}
    return moved(a, {j: i if i in a else None for j, i in inside.items()}, value)


def upsample(a: Units, factor: Pair) -> Map:
    """x_cyx = a of channel c, row y / fy and column x / fx, rounded down."""
    return moved(a, {(c, y * factor[0] + v, x * factor[1] + u): (c, y, x) for c, y, x in a
                     for v in range(factor[0]) for u in range(factor[1])})


def sums(a: Units, axes: Sequence[int], keep: bool) -> Map:
    """x_j = sum of all a_i that differ from j along the axes alone; these are 0 in j, or left out."""
    return added(a, axes, keep, 1)


def means(a: Units, axes: Sequence[int], keep: bool) -> Map:
    """The same, divided by how many there are."""
    return added(a, axes, keep, divide(1, math.prod(extent(a)[k - 1] for k in axes)))


def added(a: Units, axes: Sequence[int], keep: bool, w: Number) -> Map:
    connections: Connections = {}
    for i in sorted(a):
        j = tuple(0 if k in axes else n for k, n in enumerate(i, 1) if keep or k not in axes)
        connections.setdefault(j, []).append((i, 1, w))
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)


def scale(a: Units, factor: Any, shift: Any) -> Map:
    """x_i = factor_i a_i + shift_i; of an axis with one number that, and of one with fewer axes the last ones."""

    def at(value: Any, i: Unit, absent: Number) -> Number:
        if value is None:
            return absent
        depth, inner = 0, value
        while isinstance(inner, list):
            depth, inner = depth + 1, inner[0]
        for k in i[len(i) - depth :]:
            value = value[k if len(value) > 1 else 0]
        return value

    connections: Connections = {i: [(i, 1, at(factor, i, 1))] for i in a}
    return affine(a, connections, {i: at(shift, i, 0) for i in a}, learned=True)
