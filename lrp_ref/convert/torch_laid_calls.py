"""What torch's calls make of tensors that have the batch elsewhere than in front.

Calls that work on every number or on rows, or along axes without the batch, are carried out on our tensor, which has
the batch in front; then come torch's axes again.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Shape
from lrp_ref.convert import torch_attention as attention
from lrp_ref.convert import torch_layers as layer
from lrp_ref.convert import torch_parts as parts
from lrp_ref.convert import torch_shapes as shape
from lrp_ref.convert.laid import as_ours, batch_of, constant_in_front, without
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_laid import (
    as_laid,
    as_torch_has,
    brought_back,
    in_shape,
    permuted,
    sizes,
    with_axes,
    with_front,
    with_rows,
)
from lrp_ref.convert.torch_tensor import Laid, Tensor, dims, holds_tensor, indexes, own_array
from lrp_ref.hints import listed, shown
from lrp_ref.layers import Slice

Make = Callable[..., Any]
SHAPES = frozenset((shape.reshape, shape.flatten, shape.transpose, shape.permute, shape.attribute))
EACH = frozenset((layer.relu, layer.relu6, layer.hardtanh, layer.clamp, layer.clamp_max, layer.leaky_relu, layer.elu,
                  layer.gelu, layer.gelu_by_tanh, layer.silu, layer.sigmoid, layer.tanh, layer.hardswish,
                  layer.hardsigmoid, layer.identity, layer.dropout, shape.neg, shape.squared))
ON_ROWS = frozenset((layer.linear, layer.transposed_linear, attention.layer_norm, attention.rms_norm))
TOGETHER = frozenset((shape.add, shape.sub, shape.mul, shape.div, shape.cat, attention.masked_fill, attention.where))
PRODUCTS = frozenset((attention.matmul, attention.scaled_dot_product_attention))
BLOCKS = frozenset((attention.multi_head, attention.encoder_layer, attention.encoder))
ALONG = {attention.softmax: "dim", shape.mean: "dim", shape.summed_up: "dim", parts.chunk: "dim", parts.split: "dim",
         parts.unbind: "dim", parts.roll: "dims", attention.normalize: "dim"}


def has_laid(value: Any) -> bool:
    """Whether a Laid is among a call's arguments."""
    if isinstance(value, dict):
        return any(map(has_laid, value.values()))
    return any(map(has_laid, value)) if isinstance(value, (list, tuple)) else isinstance(value, Laid)


def carried_through(make: Make, args: Any, kwargs: Any, asked: dict[str, Any]) -> Any:
    """What a call makes of tensors of which some are `Laid`."""
    if make in SHAPES or make in (einsum, stack):
        return make(*args, **kwargs, **asked)
    if make is parts.getitem:
        return item(*args)
    if make is shape.expand:
        return expanded(args[0], asked["out"])
    given = inspect.signature(make).bind_partial(*args, **kwargs).arguments | asked
    first = next(iter(inspect.signature(make).parameters))
    if make in TOGETHER or make in PRODUCTS:
        return put_together(make, given)
    if make in (attention.addmm, attention.baddbmm):
        other, *two = (value for name, value in given.items() if name not in ("alpha", "beta"))
        product = call(attention.matmul, *two)
        factors = {name: given.get(name, 1) for name in ("alpha", "beta")}
        scaled = product if factors["alpha"] == 1 else call(shape.mul, product, factors["alpha"])
        return call(shape.add, scaled, call(shape.mul, other, factors["beta"]) if holds_tensor(other) else
                    other * factors["beta"])
    if make in BLOCKS:
        return torchs_block(make, given)
    x = as_laid(given[first])
    if make in EACH:
        return Laid(make(**given | {first: x.tensor}), x.groups)
    if make in ON_ROWS:
        rows, places = with_rows(x)
        return as_torch_has(make(**given | {first: rows}), places)
    if make is attention.embedding:
        words = make(**given | {first: x.tensor})
        return brought_back(Laid(words, (*x.groups, (len(words.shape) - 1,))))
    refuse(make not in ALONG, "the batch is not in front here, or one axis with others, (T, N, ..) or (N T, ..), and "
           "this works on other axes than rows: bring it back to the front before")
    return along_axes(make, x, given, first)


def call(make: Make, *args: Any) -> Any:
    """A call of one row of the table within another."""
    return carried_through(make, args, {}, {}) if has_laid(args) else make(*args)


def batch_in(laids: Sequence[Laid]) -> tuple[int | None, Shape]:
    return batch_of([(one.tensor.shape, one.groups) for one in laids])


# ---- Sums, products, and tensors beside each other ----


def put_together(make: Make, given: dict[str, Any]) -> Any:
    """Tensors and constants that are spread over each other from the last axis on; products of rows and of matrices."""
    if make is attention.matmul and not holds_tensor(given.get("other")):
        rows, places = with_rows(as_laid(given["x"]))
        return as_torch_has(make(**given | {"x": rows}), places)
    every = {(name, n): one for name, value in given.items()
             for n, one in enumerate(value if isinstance(value, (list, tuple)) else [value])}
    laids = {key: as_laid(one) for key, one in every.items() if isinstance(one, (Tensor, Laid))}
    known = {key: one for key, one in every.items() if hasattr(one, "detach")}
    rank = max([len(one.groups) for one in laids.values()] + [one.ndim for one in known.values()])
    laids = {key: Laid(one.tensor, ((),) * (rank - len(one.groups)) + one.groups) for key, one in laids.items()}
    batch, made_of = batch_in([*laids.values()])
    shapes = [sizes(one) for one in laids.values()]
    shapes += [(1,) * (rank - one.ndim) + tuple(one.shape) for one in known.values()]
    kept = {axis for axis in range(rank) if any(one[axis] != 1 for one in shapes)}
    if make in PRODUCTS:
        refuse(batch in (-1, -2), "multiplies along the batch")
        kept |= {rank - 2, rank - 1}
    if make is shape.cat:
        axis = next((given[name] for name in ("axis", "dim") if given.get(name) is not None), 0)
        axis = axis + rank if axis < 0 else axis
        refuse(batch == axis - rank, "puts images behind each other, needed another axis than the batch's")
        kept.add(axis)
    ours, places = dict[tuple[str, int], Any](), ()
    for key, one in laids.items():
        ours[key], places = with_front(one, kept, made_of)
    images = next(iter(laids.values())).tensor.shape[0]
    for key, constant in known.items():
        own: Any = own_array(constant)
        array = constant_in_front(own, rank, batch, made_of, kept, images)
        ours[key] = sys.modules["torch"].from_numpy(np.ascontiguousarray(array))
    new = {name: [ours.get((name, n), one) for n, one in enumerate(value)] if isinstance(value, (list, tuple)) else
           ours.get((name, 0), value) for name, value in given.items()}
    if make is shape.cat:
        new = new | {"dim": places[axis][0], "axis": None}
    return as_torch_has(make(**new), places)


def stack(tensors: Any, dim: Any = 0) -> Any:
    """As `cat` of tensors that have an axis more, which may stand before the batch."""
    if dim != 0 and not has_laid(tensors):
        return shape.stack(tensors, dim)
    refuse(not all(map(holds_tensor, tensors)), "puts constants beside tensors, for which there is no layer")
    laids, axis = list(map(as_laid, tensors)), dim
    axis = axis + len(laids[0].groups) + 1 if axis < 0 else axis
    wide = [Laid(one.tensor, (*one.groups[:axis], (), *one.groups[axis:])) for one in laids]
    return put_together(shape.cat, {"tensors": wide, "dim": axis})


def torchs_block(make: Make, given: dict[str, Any]) -> Any:
    """Torch's own attention and encoders, which say which axis is the batch's."""
    orders = orders_of(given["part"])
    refuse(len(orders) > 1, "blocks of which some have batch_first=True and some have not, needed one kind")
    new, at = dict(given), 0 if orders == {True} else 1
    for name, value in given.items():
        if name in ("query", "key", "value") and not holds_tensor(value) and at and value.ndim == 3:
            new[name] = value.transpose(0, 1)
        if isinstance(value, (Tensor, Laid)):
            x = as_laid(value)
            refuse(len(x.groups) != 3, f"got a tensor of shape {sizes(x)}, needed three axes")
            refuse(x.groups[at] != as_ours(x.tensor.shape[:1])[0], f"batch_first={at == 0}, of a tensor that has the "
                   f"batch elsewhere, or in one axis with others: bring it to axis {at} before")
            new[name], _ = with_front(x, {0, 1, 2} - {at})
    made = make(**new)
    places = ((1,), (0,), (2,)) if at else ((0,), (1,), (2,))
    out = made[0] if isinstance(made, tuple) else made
    return (as_torch_has(out, places), *made[1:]) if isinstance(made, tuple) else as_torch_has(out, places)


def orders_of(part: Any) -> set[bool]:
    """Whether the batch is first, of a module and of all that it is made of."""
    return {one.batch_first for one in part.modules() if hasattr(one, "batch_first")}


def in_order(part: Any, args: Any) -> None:
    """An error where torch's attention takes another axis for the batch than it is."""
    second = part is not None and False in orders_of(part)
    refuse(second and not has_laid(args), "batch_first=False, whose first axis is not the batch's, of a tensor whose "
           "first axis is: transpose(0, 1) before it, or make it with batch_first=True and the same weights")


def einsum(equation: Any, *operands: Any, **more: Any) -> Any:
    """Two operands as the product of matrices that they are: "bhid,bhjd->bhij"; of a constant, x @ weight."""
    parts = re.fullmatch(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", str(equation).replace(" ", ""))
    a, b, out = parts.groups() if parts else ("", "", "")
    refuse(len(operands) != 2 or any(len(set(one)) < len(one) for one in (a, b, out)) or not out, f"the equation "
           f"{shown(equation)}, needed two operands, each letter once in each, as bhid,bhjd->bhij")
    x, y = operands
    if not holds_tensor(x):
        x, y, a, b = y, x, b, a
    both, summed = [k for k in a if k in b and k in out], [k for k in a if k in b and k not in out]
    left, right = [k for k in a if k not in b], [k for k in b if k not in a]
    refuse(not set(left + right) <= set(out) or not summed, f"the equation {shown(equation)}, needed one that sums "
           "over letters which both have, and over no others")
    size = dict(zip(a, sizes(x)))
    other = dict(zip(b, sizes(y) if holds_tensor(y) else tuple(y.shape)))
    refuse(any(size[k] != other[k] for k in a if k in b), f"the equation {shown(equation)} of shapes {sizes(x)} and "
           f"{tuple(other.values())}, needed the same size of each letter in both")
    if holds_tensor(y):
        size |= dict(zip(b, sizes(y)))
        y = permuted(y, [b.index(k) for k in (*both, *summed, *right)])
        y = in_shape(y, (*(size[k] for k in both), prod(size[k] for k in summed), prod(size[k] for k in right)))
        rows: tuple[int, ...] = (prod(size[k] for k in left),)
    else:
        refuse(bool(both), f"the equation {shown(equation)} with a constant that has {listed(both)} too, for which "
               "there is no layer")
        size |= dict(zip(b, y.shape))
        y = y.permute([b.index(k) for k in (*summed, *right)]).reshape(prod(size[k] for k in summed), -1)
        rows = tuple(size[k] for k in left)
    x = permuted(x, [a.index(k) for k in (*both, *left, *summed)])
    x = in_shape(x, (*(size[k] for k in both), *rows, prod(size[k] for k in summed)))
    made = call(attention.matmul, x, y)
    wide = [*both, *left, *right]
    made = in_shape(made, tuple(size[k] for k in wide))
    return permuted(made, [wide.index(k) for k in out])


# ---- Along axes ----


def along_axes(make: Make, x: Laid, given: dict[str, Any], first: str) -> Any:
    """A call that works along axes of torch's, none of them the batch's."""
    name = next((one for one in ("axis", "dim") if given.get(one) is not None), ALONG[make])
    asked = given.get(name, inspect.signature(make).parameters[name].default)
    refuse(asked is None, "names no axis, and the batch is among them")
    rank = len(x.groups)
    axes = [axis + rank if axis < 0 else axis for axis in dims((asked,))]
    refuse(not all(0 <= axis < rank for axis in axes), f"works along the axes {asked} of {rank}")
    batch, _ = batch_in([x])
    refuse(any(axis - rank == batch for axis in axes), f"works along axis {asked}, which the batch is in")
    tensor, places = with_axes(x, axes)
    new = [places[axis][0] for axis in axes]
    given = given | {first: tensor, name: new[0] if isinstance(asked, int) else tuple(new)}
    if "out" in given:
        given["out"] = [ours_of(tensor.shape, new[0], None if make is parts.unbind else one[axes[0]])
                        for one in given["out"]]
    if make is parts.unbind or (make in (shape.mean, shape.summed_up) and not given.get("keepdim")):
        places = without(places, axes)
    return as_torch_has(make(**given), places)


def ours_of(own: Shape, axis: int, size: int | None) -> Shape:
    """Our shape with another size of one axis, or without it."""
    return (*own[:axis], *(() if size is None else (size,)), *own[axis + 1 :])


def item(x: Any, index: Any) -> Any:
    """x[k], x[a:b] and x[None]: parts of axes, of which those with a number are gone, and new ones."""
    if not isinstance(x, Laid):
        return x[index]
    given = index if isinstance(index, tuple) else (index,)
    given = indexes(given)
    taken = sum(one is not None and one is not Ellipsis for one in given)
    where = next((n for n, one in enumerate(given) if one is Ellipsis), len(given))
    full = [*given[:where], *[slice(None)] * (len(x.groups) - taken), *given[where + 1 :]]
    asked_of = [one for one in full if one is not None]
    shape_of, batch = sizes(x), batch_in([x])[0]
    ranges = [(one if isinstance(one, slice) else slice(one, one + 1 or None)).indices(size)
              for one, size in zip(asked_of, shape_of)]
    cut = [axis for axis, (one, size) in enumerate(zip(ranges, shape_of)) if one != (0, size, 1)]
    some = any(axis - len(x.groups) == batch for axis in range(len(asked_of))
               if axis in cut or not isinstance(asked_of[axis], slice))
    refuse(some, "takes some images of the batch, which has to stay whole")
    tensor, places = with_axes(x, cut)
    for axis in cut:
        tensor = tensor.then(Slice(places[axis][0], *ranges[axis]), f"axis_{axis}")
    old = iter(zip(asked_of, places))
    kept = [((), slice(None)) if one is None else next((place, own) for own, place in old) for one in full]
    return as_torch_has(tensor, tuple(place for place, own in kept if isinstance(own, slice)))


def expanded(x: Laid, out: Shape) -> Any:
    """expand: axes of size 1 are repeated."""
    rank = len(out)
    laid = Laid(x.tensor, ((),) * (rank - len(x.groups)) + x.groups)
    repeats = [axis for axis, (n, m) in enumerate(zip(sizes(laid), out)) if n != m]
    tensor, places = with_front(laid, repeats)
    whole = list(tensor.shape)
    for axis in repeats:
        whole[places[axis][0]] = out[axis]
    return as_torch_has(shape.repeated(tensor, tuple(whole)), places)
