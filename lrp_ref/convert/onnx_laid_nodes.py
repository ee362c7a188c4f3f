"""What nodes of ONNX graphs make of tensors that have the batch elsewhere than in front.

Nodes that work on every number or on rows, or along axes without the batch, are carried out on our tensor, which has
the batch in front; then come the graph's axes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lrp_ref.arrays import Shape
from lrp_ref.convert.laid import batch_of, constant_in_front, without
from lrp_ref.convert.onnx_laid import (
    SHAPES,
    Row,
    as_laid,
    as_the_graph_has,
    brought_back,
    with_axes,
    with_front,
    with_rows,
)
from lrp_ref.convert.onnx_node import Node, axis_in
from lrp_ref.convert.onnx_shapes import cut, slices
from lrp_ref.convert.onnx_values import Known, Laid, Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import Layer

EACH = ("Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Gelu", "Swish", "Clip", "Neg",
        "Identity", "Dropout", "Cast", "CastLike")
TOGETHER = ("Add", "Sum", "Sub", "Mean", "Mul", "Div", "Max", "Min", "Where", "Concat")
ROWS_OF = ("MatMul", "Gemm")
ALONG = ("Softmax", "ReduceMean", "ReduceSum", "LayerNormalization", "RMSNormalization", "Split", "Slice", "Gather")


def carried_out(node: Node, row: Row) -> Any:
    """What a node makes of tensors of which some are `Laid`."""
    if node.op in SHAPES:
        return row(node)
    if node.op in EACH:
        x = as_laid(node.laid(), node.images)
        return Laid(row(node.with_inputs({0: x.tensor})), x.groups)
    if node.op in TOGETHER:
        return spread_over_each_other(node, row)
    if node.op in ROWS_OF:
        return multiplied(node, row)
    if node.op == "Gather" and isinstance(node.given(0), Known):
        ids = as_laid(node.laid(1), node.images)
        words = row(node.with_inputs({1: ids.tensor}))
        return brought_back(node, Laid(words, (*ids.groups, (len(words.shape),))))
    refuse(node.op not in ALONG, "reads a tensor that has the batch elsewhere than in front, or one axis of it and "
           "others: that is done for what works on rows or along other axes; export it with the batch in front")
    return along_axes(node, row)


def on_rows(node: Node, layer: Layer, x: Tensor | Laid) -> Tensor | Laid:
    """A layer that works on every number, or on rows along the last axis."""
    if isinstance(x, Tensor):
        return node.add(layer, x)
    rows, places = with_rows(node, x)
    made: Tensor | Laid = as_the_graph_has(node, node.add(layer, rows), places)
    return made


def batch_in(node: Node, laids: Sequence[Laid]) -> tuple[int | None, Shape]:
    return batch_of([(one.tensor.sizes(node.images), one.groups) for one in laids])


def spread_over_each_other(node: Node, row: Row) -> Any:
    """Sums and products of tensors and constants, spread over each other from the last axis on; and Concat."""
    laids = {k: as_laid(one, node.images) for k, one in enumerate(node.inputs) if isinstance(one, (Tensor, Laid))}
    known = {k: one for k, one in enumerate(node.inputs) if isinstance(one, Known)}
    rank = max([len(one.groups) for one in laids.values()] + [one.values[0].ndim for one in known.values()])
    laids = {k: Laid(one.tensor, ((),) * (rank - len(one.groups)) + one.groups) for k, one in laids.items()}
    batch, parts = batch_in(node, [*laids.values()])
    shapes = [one.sizes(node.images) for one in laids.values()]
    shapes += [(1,) * (rank - one.values[0].ndim) + one.values[0].shape for one in known.values()]
    kept = {k for k in range(rank) if any(shape[k] != 1 for shape in shapes)}
    changes = dict[str, Any]()
    if node.op == "Concat":
        axis = axis_in(node.integer("axis", 1), rank)
        refuse(batch == axis - rank, "puts images behind each other, needed another axis than the batch's")
        kept.add(axis)
    ours = dict[int, Any]()
    for k, one in laids.items():
        ours[k], places = with_front(node, one, kept, parts)
    for k, constant in known.items():
        if node.op == "Concat" or any(value.size > 1 for value in constant.values):
            ours[k] = Known(tuple(constant_in_front(value, rank, batch, parts, kept, n)
                                  for n, value in zip(node.layers.batches, constant.values)))
    if node.op == "Concat":
        changes["axis"] = places[axis][0]
    return as_the_graph_has(node, row(node.with_inputs(ours, **changes)), places)


def multiplied(node: Node, row: Row) -> Any:
    """MatMul of rows with a constant, or of tensors alike but for the last two axes; Gemm."""
    left, right = as_laid(node.laid(0), node.images), node.given(1)
    rank = len(left.groups)
    if not isinstance(right, (Tensor, Laid)):
        x, places = with_rows(node, left)
        return as_the_graph_has(node, row(node.with_inputs({0: x})), places)
    other = as_laid(right, node.images)
    refuse(len(other.groups) != rank or rank < 3, f"multiplies tensors with {rank} and {len(other.groups)} axes, "
           "needed as many, and three at least")
    batch, parts = batch_in(node, [left, other])
    refuse(batch in (-1, -2), "multiplies along the batch")
    both = [one.sizes(node.images) for one in (left, other)]
    kept = {k for k in range(rank) if k >= rank - 2 or any(shape[k] > 1 for shape in both)}
    (x, places), (y, _) = (with_front(node, one, kept, parts) for one in (left, other))
    return as_the_graph_has(node, row(node.with_inputs({0: x, 1: y})), places)


def along_axes(node: Node, row: Row) -> Any:
    """A node that works along axes of the graph's tensor, none of them the batch's."""
    laid = as_laid(node.laid(), node.images)
    rank, reduces, rows = len(laid.groups), node.op in ("ReduceMean", "ReduceSum"), tuple[int, ...]()
    batch, _ = batch_in(node, [laid])
    if node.op == "Slice":
        cuts = [one for one in slices(node, rank) if not keeps_all(node, laid, *one)]
        axes = tuple(axis for axis, *_ in cuts)
    elif reduces:
        axes = node.axes(rank) or ()
        refuse(not axes, "sums over all axes, the batch among them")
    else:
        last = node.op in ("Softmax", "LayerNormalization", "RMSNormalization") and node.opset > 12
        first = axis_in(node.integer("axis", -1 if last else 1 if node.op == "Softmax" else 0), rank)
        rows = tuple(range(first, rank)) if node.op.endswith("Normalization") else ()
        axes = rows or (first,)
    refuse(any(batch == axis - rank for axis in axes), f"works along axis {(batch or 0) + rank}, which the batch is in")
    x, places = (with_rows(node, laid) if rows == (rank - 1,) else with_front(node, laid, {*axes}) if rows else
                 with_axes(node, laid, axes))
    new = [places[k][0] for k in axes]
    if node.op == "Slice":
        for (_, start, stop, step), k in zip(cuts, new):
            x = cut(node, x, k, start, stop, step)
        return as_the_graph_has(node, x, places)
    if reduces:
        given = {} if node.attribute("axes") is not None else {1: Known((np.array(new),) * len(node.layers.batches))}
        made = row(node.with_inputs({0: x, **given}, **({} if given else {"axes": new})))
    else:
        made = row(node.with_inputs({0: x}, axis=new[0]))
    if (node.op == "Gather" and len(made.shape) < len(x.shape)) or (reduces and not node.integer("keepdims", 1)):
        places = without(places, axes)
    return as_the_graph_has(node, made, places)


def keeps_all(node: Node, laid: Laid, axis: int, start: int, stop: int, step: int) -> bool:
    """Whether a cut keeps all of an axis, for every number of images."""
    return all(range(*slice(start, stop, step).indices(laid.sizes(n)[axis])) == range(laid.sizes(n)[axis])
               for n in node.layers.batches)
