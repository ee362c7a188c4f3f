"""Attention, norms of rows, tables of tokens and masks of ONNX graphs."""

from __future__ import annotations

from math import prod

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.laid import MOVES
from lrp_ref.convert.onnx_arithmetic import for_one, masked
from lrp_ref.convert.onnx_node import Node, axis_of, few
from lrp_ref.convert.onnx_shapes import gather, shaped
from lrp_ref.convert.onnx_values import Known, Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import shown
from lrp_ref.layers import Embedding, LayerNorm, Linear, MatMul, RMSNorm, Softmax, Transpose


def matmul(node: Node) -> Tensor:
    """A B: Linear along the last axis where B (I, J) is a constant, MatMul of two tensors."""
    refuse(not isinstance(node.given(0), Tensor), "multiplies a constant from the left, which no layer here does")
    left = node.tensor(0)
    if isinstance(node.given(1), Tensor):
        right = node.tensor(1)
        fits = len(left.shape) == len(right.shape) > 1 and left.shape[:-2] == right.shape[:-2]
        refuse(not fits, f"multiplies tensors of shapes (N, *{left.shape}) and (N, *{right.shape}), needed "
               "(N, .., T, S) and (N, .., S, D), alike but for the last two axes")
        return node.add(MatMul(left.shape, right.shape), left, right)
    weight = node.needed(1, "matrix")
    refuse(weight.ndim != 2, f"its matrix has the shape {weight.shape}, needed (I, J)")
    return node.add(Linear(np.ascontiguousarray(weight)), left)


def softmax(node: Node) -> Tensor:
    """Along an axis; before operator set 13 along all from an axis on, which has to be the last."""
    x = node.tensor()
    rank = len(x.shape) + 1
    axis = axis_of(node.integer("axis", 1 if node.opset < 13 else -1), rank)
    refuse(node.opset < 13 and axis != rank - 1, f"axis={axis} of {rank}, which takes {rank - axis} axes as one in "
           "operator set 12 and before: export it with a later one")
    mask = node.layers.masks.get(x.name)
    if axis == rank - 1:
        return node.add(Softmax(in_numbers(node, mask)), x)
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    turned = None if mask is None else np.swapaxes(np.broadcast_to(mask, x.shape), axis - 1, -1)
    along = node.add(Softmax(in_numbers(node, turned)), node.add(Transpose(order), x, part="turned"), part="along")
    return node.add(Transpose(order), along)


def in_numbers(node: Node, mask: Array | None) -> Array | None:
    return None if mask is None else mask.astype(node.layers.number)


def where(node: Node) -> Tensor:
    """Scores where a constant says so, and elsewhere a number so low that a softmax leaves it out."""
    refuse(isinstance(node.given(0), Tensor), "chooses by the network's input, which no layer here does")
    first = isinstance(node.given(1), Tensor)
    refuse(first == isinstance(node.given(2), Tensor), "chooses between two tensors, which no layer here does")
    x, other = (node.tensor(1), 2) if first else (node.tensor(2), 1)
    low = for_one(node, other, x.shape)
    there = np.broadcast_to(for_one(node, 0, x.shape, bool) == first, x.shape)
    refuse(bool(np.isnan(low).any()), "fills in numbers that are none")
    if there.all():   # a text without padding
        return x
    made = masked(node, x, np.where(there, 0, low), "where")
    refuse(made.name not in node.layers.masks, f"fills in {shown(float(low.max()))}, needed a number so low that a "
           "softmax leaves it out")
    node.layers.gone.add(node.proto.output[0])
    return made


def layer_norm(node: Node) -> Tensor:
    """LayerNormalization and RMSNormalization: over the axes from one on, as a row."""
    node.only(0)
    x = node.tensor()
    axis = axis_of(node.integer("axis", -1), len(x.shape) + 1)
    epsilon = node.real("epsilon", 1e-5)
    scale, shift = (None if one is None else np.ascontiguousarray(np.broadcast_to(one, x.shape[axis - 1 :]).reshape(-1))
                    for one in (node.constant(1, "scale"), node.constant(2, "bias")))
    layer = RMSNorm(scale, epsilon) if node.op == "RMSNormalization" else LayerNorm(scale, shift, epsilon)
    if axis == len(x.shape):
        return node.add(layer, x)
    row = shaped(node, x, (*x.shape[: axis - 1], prod(x.shape[axis - 1 :])), part="row")
    return shaped(node, node.add(layer, row, part="norm"), x.shape)


def taken(node: Node) -> Tensor:
    """Gather of rows of a constant table by the network's token ids: Embedding; else of one entry of an axis."""
    table = node.given(0)
    if not (isinstance(table, Known) and isinstance(node.given(1), Tensor)):
        return gather(node)
    weight, ids = node.needed(0, "table"), node.tensor(1)
    refuse(node.integer("axis", 0) != 0 or weight.ndim != 2 or len(ids.shape) != 1, "takes entries of a table of shape "
           f"{weight.shape} by ids (N, *{ids.shape}), needed rows of (V, D) by (N, T)")
    return node.add(Embedding(weight), ids)


def expand(node: Node) -> Tensor:
    """Nothing, where the shape stays as it is."""
    x, target = node.tensor(), node.given(1)
    known = isinstance(target, Known)
    refuse(not known, "its shape depends on the network's input, needed a constant")
    for n, value in zip(node.layers.batches, target.values if isinstance(target, Known) else ()):
        whole, wanted = (n, *x.shape), few(value, "shape")
        try:
            same = np.broadcast_shapes(whole, wanted) == whole
        except ValueError:
            same = False
        refuse(not same, f"spreads a tensor of shape (N, *{x.shape}), which no layer here does: {MOVES}")
    return x
