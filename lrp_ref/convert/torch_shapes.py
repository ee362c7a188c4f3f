"""What torch's sums, products and changes of shape are here, by the shapes that they have at the example.

As in `torch_layers`; `out` is the shape of what torch makes, or the list of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.masks import HIDDEN, finite_and_there
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_laid import in_shape, permuted, sizes
from lrp_ref.convert.torch_tensor import NEEDS, InverseRoot, Laid, Tensor, dims, holds_tensor, own_array, together
from lrp_ref.hints import shown
from lrp_ref.layers import (
    Add,
    ClassToken,
    Concat,
    Flatten,
    Hardsigmoid,
    LayerNorm,
    Mean,
    Multiply,
    Pad,
    Reshape,
    RMSNorm,
    Scale,
    Sigmoid,
    Sum,
    Transpose,
    Upsample,
)

# ---- Sums and products ----


def add(x: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    return linear_sum((x, other), (1, alpha))


def sub(x: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    return linear_sum((x, other), (1, -alpha))


def linear_sum(parts: tuple[Any, Any], factors: tuple[Any, Any]) -> Tensor:
    """factors[0] parts[0] + factors[1] parts[1], one of which may be a constant."""
    (x, y), (c, d) = parts, factors
    if holds_tensor(x) and holds_tensor(y):
        x, y = alike(x, y)
        return together(Add() if (c, d) == (1, 1) else Add(np.array([c, d], x.number)), x, y)
    x, y, c, d = (x, y, c, d) if holds_tensor(x) else (y, x, d, c)
    if isinstance(y, (int, float)) and y == 0 and c == 1:   # what Python's sum begins with
        return x
    shift = d * constant(y, x)
    if c == 1 and (shift <= HIDDEN).any():
        return masked(x, shift)
    return x.then(Scale(None if c == 1 else constant(c, x), shift))


def masked(x: Tensor, added: Array, suffix: str = "") -> Tensor:
    """x + added, of which what is very low says which scores a softmax that follows leaves out."""
    (finite, there), kept = finite_and_there(added, x.mask), x
    if finite.any() or x.layer is None:   # of the input itself no other can be made
        kept = x.then(Scale(None, np.asarray(finite, x.number)), suffix)
    return replace(kept, mask=None if there is None else np.asarray(there, x.number))


def mul(x: Any, other: Any) -> Tensor:
    """Of two tensors the gate is the second: the one that is spread, or a sigmoid; a norm that is written out is one.
    """
    for one, root in ((x, other), (other, x)):
        if isinstance(root, InverseRoot):
            if centred(one) is not None and centred(one) is centred(root.tensor):
                return centred(one).then(LayerNorm(None, None, root.epsilon))
            refuse(one is not root.tensor, "multiplies by the inverse root of another tensor's mean square, for which "
                   "there is no layer: x * rsqrt(mean(x^2) + epsilon) is an RMSNorm")
            return root.tensor.then(RMSNorm(None, root.epsilon))
    if not (holds_tensor(x) and holds_tensor(other)):
        x, other = (x, other) if holds_tensor(x) else (other, x)
        factor = constant(other, x)
        if isinstance(x.layer, (LayerNorm, RMSNorm)) and bare_norm(x.layer) and factor.shape == x.shape[-1:]:
            return x.reads[0].then(replace(x.layer, scale=factor))
        return x.then(Scale(factor))
    spreads = prod(x.shape) < prod(other.shape) if x.shape != other.shape else gate(x) and not gate(other)
    return together(Multiply(), other, x) if spreads else together(Multiply(), x, other)


def bare_norm(layer: LayerNorm | RMSNorm) -> bool:
    """Whether a norm has no scale and no shift of its own yet."""
    return layer.scale is None and getattr(layer, "shift", None) is None


def centred(x: Any) -> Any:
    """The tensor of which x is what is left without its mean over the last axis; None: of none."""
    if not (isinstance(x, Tensor) and isinstance(x.layer, Add) and x.layer.coefficients is not None and (
            list(x.layer.coefficients) == [1, -1])):
        return None
    whole, mean = x.reads
    while isinstance(mean.layer, (Reshape, Upsample)):   # which spread it over the row
        mean = mean.reads[0]
    fits = isinstance(mean.layer, Mean) and mean.reads[0] is whole and mean.layer.axes == (len(x.shape) - 1,)
    return whole if fits else None


def gate(x: Tensor) -> bool:
    return isinstance(x.layer, (Sigmoid, Hardsigmoid))


def div(x: Any, other: Any, *, rounding_mode: Any = None) -> Tensor:
    refuse(holds_tensor(other) or rounding_mode is not None, "divides by a tensor of the image, or rounds")
    return x.then(Scale(1 / constant(other, x)))


def neg(x: Tensor) -> Tensor:
    return x.then(Scale(constant(-1, x)))


def squared(x: Tensor, exponent: Any = 2) -> Tensor:
    refuse(exponent != 2, f"the power {shown(exponent)}, needed 2")
    return together(Multiply(), x, x)


def inverse_root(x: Tensor) -> InverseRoot:
    """torch.rsqrt of mean(x^2) + epsilon over the last axis, kept: x times that is an RMSNorm."""
    shift = x.layer.shift if isinstance(x.layer, Scale) and x.layer.scale is None else None
    mean = x if shift is None else x.reads[0]
    square = mean.reads[0] if isinstance(mean.layer, Mean) else x
    fits = isinstance(mean.layer, Mean) and (mean.layer.axes, mean.layer.keep) == ((len(x.shape) - 1,), True) and (
        isinstance(square.layer, Multiply) and square.reads[0] is square.reads[1]) and (
        shift is None or shift.size == 1)
    refuse(not fits, "the inverse root of what is no mean of squares over the last axis, for which there is no layer")
    return InverseRoot(square.reads[0], 0 if shift is None else np.reshape(shift, -1)[0].item())


def constant(value: Any, x: Tensor) -> Array:
    """A number, or a tensor that torch spreads over x, as an array for one sample."""
    given: Any = own_array(value) if hasattr(value, "detach") else np.asarray(value)
    array = given[0] if given.ndim == len(x.shape) and (given == given[:1]).all() else given
    small = array.ndim < len(x.shape) and all(n in (1, m) for n, m in zip(array.shape[::-1], x.shape[::-1]))
    refuse(not small, f"a constant of shape {given.shape} with a tensor of shape {x.shape}, needed one that is spread "
           "over it, alike for every image")
    return np.asarray(array, x.number)


def alike(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both spread to one shape."""
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ValueError(f"puts together tensors of shapes {x.shape} and {y.shape}") from None
    return repeated(x, shape), repeated(y, shape)


def repeated(x: Tensor, shape: Shape) -> Tensor:
    """x with what stands along axes of size 1 repeated."""
    if x.shape == tuple(shape):
        return x
    refuse(len(x.shape) != len(shape) or x.shape[0] != shape[0], f"spreads a tensor of shape {x.shape} to "
           f"{tuple(shape)}, and only axes of one image are repeated")
    if len(shape) == 4 and x.shape[:2] == tuple(shape[:2]):
        return x.then(Upsample((shape[2] // x.shape[2], shape[3] // x.shape[3])), "spread")
    k = next(axis for axis, (n, m) in enumerate(zip(x.shape, shape)) if n != m)   # as of keys that several heads share
    whole = (*x.shape[:k], shape[k], *x.shape[k + 1 :])
    image = x.then(Reshape((prod(x.shape[1:k]), 1, prod(x.shape[k + 1 :]))), "as_image")
    return repeated(image.then(Upsample((shape[k], 1)), "spread").then(Reshape(whole[1:])), shape)


def expand(x: Tensor, *given: Any, out: Any) -> Tensor:
    return repeated(x, out)


# ---- Axes summed ----


def mean(x: Tensor, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> Tensor:
    return x.then(Mean(summed(x, dim), bool(keepdim)))


def summed_up(x: Tensor, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> Tensor:
    axes = summed(x, dim)
    if x.stacked is not None and axes == x.stacked[1:] and not keepdim:
        return together(Add(), *x.stacked[0])
    return x.then(Sum(axes, bool(keepdim)))


def summed(x: Tensor, dim: Any) -> tuple[int, ...]:
    refuse(dim is None, "sums over the whole batch: name the axes, dim=(2, 3)")
    return tuple(sorted(x.axis(n) for n in dims((dim,))))


# ---- Other shapes ----


def flatten(x: Tensor, start_dim: Any = 0, end_dim: Any = -1, *, out: Any) -> Tensor:
    if out is None:
        refuse((start_dim, end_dim) != (1, -1), f"start_dim and end_dim other than 1 and -1; {NEEDS}")
        return x.then(Flatten())
    return reshape(x, out=out)


def reshape(x: Tensor | Laid, *sizes: Any, out: Any, **named: Any) -> Any:
    """view, reshape, squeeze, unsqueeze and unflatten: the numbers in their order."""
    if out is None:
        raise ValueError(NEEDS)
    return in_shape(x, tuple(out))


def transpose(x: Tensor | Laid, dim0: Any, dim1: Any) -> Any:
    count = len(sizes(x))
    axes = list(range(count))
    refuse(not all(-count <= n < count for n in (dim0, dim1)), f"exchanges the axes {shown(dim0)} and {shown(dim1)} of "
           f"{count}")
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return permute(x, axes)


def permute(x: Tensor | Laid, *axes: Any, **named: Any) -> Any:
    given = dims(axes or (named["dims"],))
    return permuted(x, [n + len(given) if n < 0 else n for n in given])


def attribute(x: Tensor | Laid, name: Any) -> Any:
    refuse(name != "mT", f"asks for {shown(name)}, needed sizes or .mT")
    return transpose(x, -2, -1)


def unsuffixed(x: Tensor) -> Tensor:
    """The last of several layers that a call becomes, which has the call's own name."""
    return replace(x, suffix="") if x.suffix else x


def cat(tensors: Any, dim: Any = 0, *, axis: Any = None) -> Tensor:
    first = next(filter(holds_tensor, tensors))
    along = first.axis(dim if axis is None else axis)
    tensors = framed([one for one in tensors if holds_tensor(one) or one.numel()], along)   # a cache begins empty
    if len(tensors) == 1:
        return unsuffixed(tensors[0])
    if along == 1:
        return together(Concat(), *tensors)
    order = list(range(len(first.shape)))
    order[1], order[along] = along, 1
    turned = [x.then(Transpose(tuple(order)), f"turned_{n}") for n, x in enumerate(tensors)]
    return together(Concat(), *turned, suffix="cat").then(Transpose(tuple(order)))


def framed(parts: Any, axis: int) -> list[Tensor]:
    """The tensors, each in a frame for the constants behind it, the first also for those before it."""
    tensors, before = list[Tensor](), list[Any]()
    for n, part in enumerate(parts):
        if holds_tensor(part):
            tensors.append(beside(before, part, (), axis, n))
            before = []
        elif tensors:
            tensors[-1] = beside((), tensors[-1], (part,), axis, n)
        else:
            before.append(part)
    return tensors


def beside(before: Sequence[Any], x: Tensor, after: Sequence[Any], axis: int, n: int) -> Tensor:
    """Constants before and after x along an axis: a frame of zeros, and the constants added to it."""
    if not before and not after:
        return x
    if axis == 1 and len(before) == 1 and not after and len(x.shape) == 3 and before[0].shape[1] == 1:
        return x.then(ClassToken(constant(before[0], replace(x, sizes=before[0].shape))[0]), f"token_{n}")
    shape = x.shape[1:]
    shapes = [(*shape[: axis - 1], c.shape[axis], *shape[axis:]) for c in (*before, *after)]
    arrays = [np.broadcast_to(constant(c, replace(x, sizes=(len(c), *own))), own)
              for c, own in zip((*before, *after), shapes)]
    sizes = [sum(array.shape[axis - 1] for array in some) for some in (arrays[: len(before)], arrays[len(before) :])]
    frames = [tuple(size if k == axis - 1 else 0 for k in range(len(shape))) for size in sizes]
    arrays.insert(len(before), np.zeros(shape, x.number))
    return x.then(Pad(*frames), f"frame_{n}").then(Scale(None, np.concatenate(arrays, axis - 1)), f"constants_{n}")


def stack(tensors: Any, dim: Any = 0) -> Tensor:
    refuse(not all(map(holds_tensor, tensors)), "puts constants beside tensors, for which there is no layer")
    shape = tensors[0].shape
    axis = dim + len(shape) + 1 if dim < 0 else dim
    refuse(axis == 0, "puts a new axis before the batch's own, which has to stay the first")
    wide = Reshape((*shape[1:axis], 1, *shape[axis:]))
    beside = cat([x.then(wide, f"part_{n}") for n, x in enumerate(tensors)], axis)
    return replace(beside, stacked=(tuple(tensors), axis))
