"""Sums, products and fully connected layers of ONNX graphs, between tensors or with constants."""

from __future__ import annotations

from math import prod

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.masks import HIDDEN, finite_and_there
from lrp_ref.convert.onnx_node import Node
from lrp_ref.convert.onnx_values import Known, Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import listed
from lrp_ref.layers import LRN, Add, BatchNorm, ClassToken, Clip, Concat, Linear, Multiply, Pad, Scale, Transpose


def for_one(node: Node, k: int, shape: Shape, kind: type = float) -> Array:
    """A constant that is added to a tensor of that shape or multiplied with it, for one image."""
    value = same_for_all(node, k) if kind is float else np.asarray(same_for_all(node, k), bool)
    refuse(kind is float and value.dtype.kind != "f", f"its constant {k} is of {value.dtype}, needed floats")
    value = value if kind is bool else value.astype(node.layers.number, copy=False)
    if value.ndim > len(shape):
        refuse(value.ndim > len(shape) + 1 or bool((value != value[:1]).any()), f"its constant of shape {value.shape} "
               "differs from image to image")
        value = value[0]
    try:
        spreads = np.broadcast_shapes(value.shape, shape) != shape
    except ValueError:
        spreads = True
    refuse(spreads, f"its constant of shape {value.shape} spreads a tensor of shape (N, {listed(shape)}), which no "
           "layer here does")
    return value


def same_for_all(node: Node, k: int) -> Array:
    """A constant that is the same for every image, although it may have been repeated for each."""
    value = node.given(k)
    if not isinstance(value, Known):
        raise ValueError(f"its constant {k} is left out")
    if value.fixed:
        return value.values[0]
    rows = [one[:1] for n, one in zip(node.layers.batches, value.values) if one.ndim and
            len(one) == n and (one == one[:1]).all()]
    refuse(len(rows) < len(value.values) or any(one.shape != rows[0].shape or (one != rows[0]).any() for one in rows),
           f"its constant {k} depends on the number of images")
    return rows[0]


def masked(node: Node, x: Tensor, added: Array, part: str = "") -> Tensor:
    """x + added, of which what is very low says which scores a softmax that follows leaves out."""
    finite, there = finite_and_there(added, node.layers.masks.get(x.name))
    made = node.add(Scale(None, finite.astype(node.layers.number)), x, part=part)
    if there is not None:
        node.layers.masks[made.name] = there
    if not np.isfinite(added).all():
        node.layers.gone.add(node.proto.output[0])
    return made


def constants(node: Node) -> list[int]:
    return [k for k, value in enumerate(node.inputs) if value is not None and not isinstance(value, Tensor)]


def sum_of_inputs(node: Node) -> Tensor:
    """Add, Sum, Sub, Mean: Add() of tensors, with coefficients where they are not 1; constants are a bias or Scale."""
    tensors = [k for k, value in enumerate(node.inputs) if isinstance(value, Tensor)]
    refuse(not tensors, "works on constants, needed a tensor that depends on the network's input")
    weights = [-1 if node.op == "Sub" and k == 1 else 1 for k in range(len(node.inputs))]
    count = len(node.inputs) if node.op == "Mean" else 1
    shape = node.tensor(tensors[0]).shape
    shifts = [weights[k] * for_one(node, k, shape) for k in constants(node)]
    shift = total_of(shifts, count) if shifts else None
    if len(tensors) == 1:
        (k,) = tensors
        if shift is not None and count == weights[k] == 1 and (shift <= HIDDEN).any():
            return masked(node, node.tensor(k), shift)
        scale = None if weights[k] == count else node.number(weights[k] / count, node.tensor(k))
        bias = None if shift is None or scale is not None else per_output(node, k, shift)
        whole = node.absorbed(k, bias) if bias is not None else None
        return whole or node.add(Scale(scale, shift), node.tensor(k))
    each = np.array([weights[k] / count for k in tensors])
    total = node.add(Add(None if (each == 1).all() else each), *(node.tensor(k) for k in tensors))
    return total if shift is None else node.add(Scale(None, shift), total, part="constant")


def total_of(shifts: list[Array], count: int) -> Array:
    """Their sum over count; in float64 unless it is one of them as it stands."""
    if len(shifts) == 1 and count == 1:
        return shifts[0]
    first, *rest = (one.astype(np.float64) for one in shifts)
    for one in rest:
        first = first + one
    return np.asarray(first / count)


def per_output(node: Node, k: int, shift: Array) -> Array | None:
    """The constant as a bias (O,) of the layer that makes input k; None: it is none."""
    layer, _ = node.layers.nodes.get(node.tensor(k).name, (None, ()))
    shape = node.tensor(k).shape
    axis = len(shape) - 1 if isinstance(layer, Linear) else 0
    full = np.reshape(shift, (1,) * (len(shape) - shift.ndim) + shift.shape)
    if full.shape != tuple(n if at == axis else 1 for at, n in enumerate(shape)):
        return None
    return np.ascontiguousarray(full.reshape(-1))


def multiplied(node: Node) -> Tensor:
    """Mul: Multiply() of tensors, Scale by a constant."""
    if not constants(node):
        a, b = node.tensor(0), node.tensor(1)
        refuse(len(a.shape) != len(b.shape), f"multiplies tensors with {len(a.shape) + 1} and {len(b.shape) + 1} axes, "
               "needed as many")
        return node.add(Multiply(), a, b)
    (k,) = constants(node)
    x = node.tensor(1 - k)
    return node.add(Scale(for_one(node, k, x.shape)), x)


def divided(node: Node) -> Tensor:
    """Div by a constant: Scale."""
    refuse(isinstance(node.given(1), Tensor), "divides by a tensor that depends on the network's input, which no layer "
           "here does")
    x = node.tensor(0)
    by = for_one(node, 1, x.shape)
    refuse(bool((by == 0).any()), "divides by 0")
    return node.add(Scale(1 / by.astype(np.float64)), x)


def negated(node: Node) -> Tensor:
    return node.add(Scale(node.number(-1, node.tensor())), node.tensor())


def bounded_by_number(node: Node) -> Tensor:
    """Max and Min of a tensor and one number: Clip."""
    tensors, numbers = node.tensors(), constants(node)
    if len(node.inputs) == 1:
        return node.tensor()
    refuse(len(tensors) != 1 or len(numbers) != 1, "compares tensors with each other, which no layer here does")
    value = node.needed(numbers[0], "bound")
    refuse(value.size != 1 or value.ndim > len(tensors[0].shape) + 1, f"its bound has the shape {value.shape}, needed "
           "one number")
    return node.add(Clip(value.item()) if node.op == "Max" else Clip(None, value.item()), tensors[0])


def gemm(node: Node) -> Tensor:
    """alpha A B + beta C with constants B and C: Linear."""
    refuse(node.integer("transA", 0) != 0, "transA=1 moves the batch axis")
    x, weight = node.tensor(0), node.needed(1, "B")
    refuse(weight.ndim != 2 or not x.shape, f"its B has the shape {weight.shape}, needed (I, J)")
    weight = weight.T if node.integer("transB", 0) else weight
    alpha, beta = node.real("alpha", 1), node.real("beta", 1)
    bias = node.constant(2, "C")
    if bias is not None:
        refuse(bias.ndim > 1 and bias.shape[0] != 1, f"its C of shape {bias.shape} differs from image to image")
        refuse(np.broadcast_shapes(bias.shape, (1, weight.shape[1])) != (1, weight.shape[1]), f"its C has the shape "
               f"{bias.shape}, needed one number per output, {weight.shape[1]}")
        bias = np.array(np.broadcast_to(bias.reshape(-1), weight.shape[1:]))
        bias = bias if beta == 1 else bias * np.float64(beta)
    weight = np.ascontiguousarray(weight if alpha == 1 else weight * np.float64(alpha))
    return node.add(Linear(weight, bias), x)


def batch_norm(node: Node) -> Tensor:
    node.only(0)
    refuse(node.integer("training_mode", 0) != 0, "is in training mode, needed the statistics of training")
    scale, shift, mean, variance = (node.needed(k, what) for k, what in ((1, "scale"), (2, "bias"), (3, "mean"),
                                                                         (4, "variance")))
    return node.add(BatchNorm(mean, variance, scale, shift, node.real("epsilon", 1e-5)), node.tensor())


def lrn(node: Node) -> Tensor:
    return node.add(LRN(node.integer("size", 0), node.real("alpha", 1e-4), node.real("beta", 0.75),
                        node.real("bias", 1)), node.tensor())


def concat(node: Node) -> Tensor:
    """Concat along the channels, or along another axis that is exchanged with them before and after."""
    tensors = node.tensors()
    rank = len(tensors[0].shape) + 1
    axis = node.integer("axis", 1)
    refuse(not -rank <= axis < rank or axis % rank == 0, f"axis={axis}, needed one of {rank}, and not the batch")
    axis %= rank
    tensors = framed(node, axis) if constants(node) else tensors
    if len(tensors) == 1:
        return tensors[0]
    if axis == 1:
        return node.add(Concat(), *tensors)
    refuse(prod(tensors[0].shape) == 0, "has no numbers")
    order = [0, axis, *(k for k in range(2, rank) if k != axis)]
    order.insert(axis, 1)
    turned = {one.name: node.add(Transpose(order), one, part="turned") for one in tensors}
    beside = node.add(Concat(), *(turned[one.name] for one in tensors))
    return node.add(Transpose(order), beside, part="turned")


def framed(node: Node, axis: int) -> list[Tensor]:
    """The tensors with the constants that stand before and behind them: a frame of zeros, to which these are added.

    One row in front of the others is a ClassToken.
    """
    parts = node.inputs
    at = [k for k, one in enumerate(parts) if isinstance(one, Tensor)]
    shape = node.tensor(at[0]).shape
    tensors = []
    for position, k in enumerate(at):
        x = node.tensor(k)
        before = [slab(node, n, shape, axis) for n in (range(k) if position == 0 else ())]
        end = at[position + 1] if position + 1 < len(at) else len(parts)
        after = [slab(node, n, shape, axis) for n in range(k + 1, end)]
        if [one.shape for one in before] == [(1, shape[-1])] and len(shape) == 2 and axis == 1 and not after:
            tensors.append(node.add(ClassToken(np.array(before[0][0])), x, part="" if len(at) == 1 else "token"))
        elif before or after:
            sizes = [sum(one.shape[axis - 1] for one in some) for some in (before, after)]
            frames = [tuple(size if a == axis else 0 for a in range(1, len(shape) + 1)) for size in sizes]
            whole = np.concatenate([*before, np.zeros(x.shape, node.layers.number), *after], axis - 1)
            framed = node.add(Pad(*frames), x, part="frame")
            tensors.append(node.add(Scale(None, whole), framed, part="" if len(at) == 1 else "constants"))
        else:
            tensors.append(x)
    return tensors


def slab(node: Node, k: int, shape: Shape, axis: int) -> Array:
    """A constant beside tensors of that shape along an axis, for one image."""
    value = node.given(k)
    sides = value.values[0].shape if isinstance(value, Known) else ()
    refuse(len(sides) != len(shape) + 1, f"its constant {k} has {len(sides)} axes, needed {len(shape) + 1}")
    return for_one(node, k, (*shape[: axis - 1], sides[axis], *shape[axis:]))
