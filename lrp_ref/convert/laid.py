"""Axes of tensors that a graph has with the batch elsewhere than in front, or one axis of it and others.

A tensor of ours has the shape `own`, (N, ..). A graph may have its numbers as (T, N, ..), (T, N h, ..) or (N T, ..).
Its `groups` are, for every axis there, the axes of ours (0 the batch) that it is made of, the slowest first; none for
an axis of size 1. Of one image the batch is one of these: no group has it, and any of size 1 in front is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.refused import refuse

Groups = tuple[tuple[int, ...], ...]
MOVES = "moves the batch axis or mixes images, needed the batch as axis 0 throughout"


def as_ours(own: Shape) -> Groups:
    """Of a tensor that the graph has as we have it."""
    return without_ones(own, [(k,) for k in range(len(own))])


def without_ones(own: Shape, places: Iterable[Iterable[int]]) -> Groups:
    return tuple(tuple(k for k in place if own[k] > 1) for place in places)


def sizes_of(own: Shape, groups: Groups) -> Shape:
    """The graph's shape."""
    return tuple(prod(own[k] for k in group) for group in groups)


def laid_out(ours: Array, groups: Groups) -> Array:
    """Our numbers in the graph's order."""
    order = [k for group in groups for k in group]
    return np.transpose(ours, [*order, *rest_of(order, ours.ndim)]).reshape(sizes_of(ours.shape, groups))


def taken_back(theirs: Array, groups: Groups, own: Shape) -> Array:
    """The graph's numbers in our order."""
    order = [k for group in groups for k in group]
    order += rest_of(order, len(own))
    return np.transpose(theirs.reshape([own[k] for k in order]), np.argsort(order))


def rest_of(order: Sequence[int], rank: int) -> list[int]:
    return [k for k in range(rank) if k not in order]


def is_in_front(own: Shape, groups: Groups) -> bool:
    """Whether the graph has the batch in front, alone."""
    return groups[:1] == as_ours(own[:1])


def order_of(groups: Groups, rank: int) -> tuple[int, ...] | None:
    """Our axes in the graph's order, those of size 1 that it does not have last; None where this is ours already."""
    order = [k for group in groups for k in group if k]
    return None if order == sorted(order) else (0, *order, *(k for k in range(1, rank) if k not in order))


def parted(own: Shape, groups: Groups, target: Shape) -> tuple[Shape, Groups]:
    """The shape that ours has to get, and its groups, for the graph to have the target: axes are parted and joined.

    An error where one would be parted askew, or the batch's.
    """
    refuse(prod(target) != prod(own), f"its shape {target} does not hold a tensor of shape {sizes_of(own, groups)}")
    left = [(k, own[k]) for group in groups for k in group][::-1]   # the slowest last
    parts: dict[int, list[int]] = {k: [] for k, _ in left}
    made = list[list[tuple[int, int]]]()
    for wanted in target:
        made.append([])
        while wanted > 1:
            k, size = left.pop()
            taken = size if wanted % size == 0 else wanted
            refuse(size % taken != 0 or (k == 0 and taken < size), f"makes {target} of a tensor of shape "
                   f"{sizes_of(own, groups)}: {MOVES}")
            if taken < size:
                left.append((k, size // taken))
            made[-1].append((k, len(parts[k])))
            parts[k].append(taken)
            wanted //= taken
    if all(len(each) == 1 for each in parts.values()):
        return own, tuple(tuple(k for k, _ in group) for group in made)
    every = [(k, p) for k in range(1, len(own)) for p in range(len(parts.get(k, ())))]
    new = {(0, 0): 0} | {one: at for at, one in enumerate(every, 1)}
    return (own[0], *(parts[k][p] for k, p in every)), tuple(tuple(new[one] for one in group) for group in made)


def in_front(own: Shape, groups: Groups, kept: Iterable[int] = (), parts: Shape | None = None) -> tuple[Shape, Groups]:
    """The shape with the batch in front, then what it is joined with and every other axis of the graph's, each as one.

    Of axes of size 1 it has those that are kept. Second, its axes for each of the graph's.
    parts  as `batch_of` says, where several tensors are to have the same
    """
    shape, places = [own[0]], list[tuple[int, ...]]()
    for axis, group in enumerate(groups):
        place = list[int]()
        for size in (parts or made_of(own, group)) if 0 in group else ():
            shape += [size] if size else []
            place.append(len(shape) - 1 if size else 0)
        if 0 not in group and (group or axis in kept):
            shape.append(prod(own[k] for k in group))
            place.append(len(shape) - 1)
        places.append(tuple(place))
    return tuple(shape), tuple(places)


def made_of(own: Shape, group: Sequence[int]) -> Shape:
    """The sizes of a group, 0 for the batch."""
    return tuple(own[k] if k else 0 for k in group)


def batch_of(every: Sequence[tuple[Shape, Groups]]) -> tuple[int | None, Shape]:
    """The graph's axis that has the batch, counted from the last, and the sizes it is made of, 0 for the batch.

    Where they are made of it in different ways: as what is before the batch, the batch, and what is behind it.
    """
    found = {(k - len(groups), made_of(own, group))
             for own, groups in every for k, group in enumerate(groups) if 0 in group}
    if len(found) > 1:
        found = {(axis, tuple(size for size in (prod(parts[: parts.index(0)]), 0, prod(parts[parts.index(0) + 1 :]))
                              if size != 1)) for axis, parts in found}
    refuse(len(found) > 1, "puts together tensors that have the batch in different places, or one axis of it and "
           "others that are not the same: transpose one before")
    return next(iter(found), (None, ()))


def constant_in_front(value: Array, rank: int, batch: int | None, parts: Shape, kept: Iterable[int], images: int
                      ) -> Array:
    """A constant of the graph's as `in_front` has it, for one image: its first axis is of size 1.

    batch, parts  as `batch_of` says, of all tensors of this rank that it is put together with
    """
    shape, at, kept = list[int](), None, set(kept)
    for axis, size in enumerate((1,) * (rank - value.ndim) + value.shape):
        if batch is not None and axis == batch + rank:
            at = len(shape) + parts.index(0)
            shape += [part or images for part in parts] if size > 1 else [1] * len(parts)
        elif axis in kept:
            shape.append(size)
    refuse(prod(shape) != value.size, f"its constant of shape {value.shape} does not go with the others")
    array = value.reshape(shape)
    array = array[None] if at is None else np.moveaxis(array, at, 0)
    refuse(bool((array != array[:1]).any()), f"its constant of shape {value.shape} differs from image to image")
    return array[:1]


def without(places: Groups, axes: Sequence[int]) -> Groups:
    """The places after these axes of the graph, one of ours each, are gone."""
    gone = [places[axis][0] for axis in axes]
    return tuple(tuple(k - sum(one < k for one in gone) for k in place) for axis, place in enumerate(places)
                 if axis not in axes)
