"""What torch's attention, norms of rows, tables of tokens and masks are here. As in `torch_shapes`.

A block of torch's own becomes the layers that it is made of: q, k and v, their scores, a softmax, what it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.masks import HIDDEN
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_layers import gelu, relu, silu
from lrp_ref.convert.torch_shapes import cat, constant, linear_sum, masked, repeated
from lrp_ref.convert.torch_tensor import NEEDS, Tensor, holds_tensor, own_array, together
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.layers import (
    Add,
    Embedding,
    Layer,
    LayerNorm,
    Linear,
    MatMul,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Softmax,
    Transpose,
)

LEAVE_OUT = "at the end of a network leave it out, relevance starts at the score before it"
ACTIVATIONS = {"relu": relu, "gelu": gelu, "silu": silu}

# ---- Products, softmax, masks ----


def matmul(x: Any, other: Any, suffix: str = "") -> Tensor:
    """x @ other: a Linear where the second is the model's own, (inputs, outputs), and MatMul where both are made of x.
    """
    if holds_tensor(x) and holds_tensor(other):
        if len(x.shape) == len(other.shape) > 3:   # heads of queries that share keys
            heads = np.broadcast_shapes(x.shape[:-2], other.shape[:-2])
            x, other = (repeated(one, (*heads, *one.shape[-2:])) for one in (x, other))
        left, right = x.shape, other.shape
        fits = len(left) == len(right) > 2 and left[1:-2] == right[1:-2] and left[-1] == right[-2]
        refuse(not fits, f"multiplies tensors of shapes {left} and {right}, needed (N, .., T, S) and (N, .., S, D), "
               "alike but for the last two axes")
        return together(MatMul(left[1:], right[1:]), x, other, suffix=suffix)
    fine = holds_tensor(x) and other.ndim == 2
    refuse(not fine, "a product of matrices whose first is a constant, or whose second is one with more than two axes: "
           "needed x @ weight, with weight (inputs, outputs), or both made of the image")
    return x.then(Linear(own_array(other)))


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta input + alpha mat1 @ mat2"""
    if beta == alpha == 1 and not holds_tensor(input) and not holds_tensor(mat2) and input.ndim == 1:
        return mat1.then(Linear(own_array(mat2), own_array(input)))
    return linear_sum((matmul(mat1, mat2, "product"), input), (alpha, beta))


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return addmm(input, batch1, batch2, beta=beta, alpha=alpha)


def normalize(x: Tensor, p: Any = 2.0, dim: Any = 1, eps: Any = 1e-12, **more: Any) -> Tensor:
    """x / |x| over the last axis: by the root of the mean square and eps^2 / D, which is torch's where |x| > eps."""
    refuse(not 0 <= eps <= 1e-6, f"eps={shown(eps)}, below which |x| is not divided by, needed at most 1e-6")
    refuse(p != 2 or x.axis(dim) != len(x.shape) - 1, f"p={shown(p)} along axis {shown(dim)}, needed p=2 along the "
           "last")
    return x.then(RMSNorm(np.full(x.shape[-1], x.shape[-1] ** -0.5, x.number), float(eps) ** 2 / x.shape[-1]))


def softmax(x: Tensor, dim: Any = None, dtype: Any = None, **more: Any) -> Tensor:
    """Along an axis, with the mask that was put on the scores before."""
    refuse(dim is None, "dim=None, needed the axis along which it sums to 1")
    if x.sizes is None:
        refuse(dim != -1, f"{NEEDS}; {LEAVE_OUT}")
        return x.then(Softmax())
    last = len(x.shape) - 1
    axis = x.axis(dim)
    if axis == last:
        return x.then(Softmax(x.mask))
    order = list(range(last + 1))
    order[axis], order[last] = last, axis
    mask = None if x.mask is None else np.swapaxes(np.broadcast_to(x.mask, x.shape[1:]), axis - 1, last - 1)
    turned = x.then(Transpose(tuple(order)), "turned").then(Softmax(mask), "turned_back")
    return turned.then(Transpose(tuple(order)))


def log_softmax(x: Tensor, *axes: Any, **more: Any) -> Tensor:
    raise ValueError(f"there is no layer for the logarithm of a softmax: {LEAVE_OUT}")


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    """Scores of a constant mask that become so low that a softmax leaves them out."""
    refuse(holds_tensor(mask) or holds_tensor(value), "a mask that is made of the image, needed a constant one")
    refuse(float(value) > HIDDEN, f"fills in {shown(float(value))}, needed a number of at most {HIDDEN:g}, for a "
           "softmax to leave out")
    return masked(x, np.where(constant(mask, replace(x, number=bool)), -np.inf, 0))


def where(condition: Any, x: Any, other: Any) -> Tensor:
    """The scores where a constant says so, and elsewhere a number so low that a softmax leaves it out."""
    refuse(holds_tensor(condition), "chooses by the image, needed a constant mask")
    if holds_tensor(x) and not holds_tensor(other):
        return masked_fill(x, ~condition, other)
    refuse(not holds_tensor(other) or holds_tensor(x), "chooses between two tensors of the image, needed one and a "
           "number so low that a softmax leaves it out")
    return masked_fill(other, condition, x)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None,
                                 dropout_p: Any = 0.0, is_causal: Any = False, scale: Any = None,
                                 enable_gqa: Any = False) -> Tensor:
    """softmax(scale q k^T + mask) v"""
    refuse(dropout_p not in (0, 0.0), f"dropout_p={shown(dropout_p)}, which drops at random: needed 0.0")
    refuse(enable_gqa, "enable_gqa=True, needed as many heads of keys as of queries")
    every = (query, key, value)
    refuse(not all(map(holds_tensor, every)), "queries, keys or values that are constants")
    return attended(*every, mask_of(attn_mask, is_causal, query, key), scale)


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Array | None, scale: Any = None, prefix: str = "",
             last: str = "") -> Tensor:
    """softmax(scale q k^T + mask) v: (N, .., T, D) of q (N, .., T, E), k (N, .., S, E), v (N, .., S, D)."""
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    order = (*range(len(k.shape) - 2), len(k.shape) - 1, len(k.shape) - 2)
    scaled = q.then(Scale(np.asarray(factor, q.number)), f"{prefix}scaled")
    turned = k.then(Transpose(order), f"{prefix}keys")
    scores = matmul(scaled, turned, f"{prefix}scores")
    if mask is not None:
        scores = masked(scores, mask, f"{prefix}masked")
    return matmul(scores.then(Softmax(scores.mask), f"{prefix}softmax"), v, last)


def mask_of(mask: Any, is_causal: Any, q: Tensor, k: Tensor, inverted: bool = False) -> Array | None:
    """What is added to the scores of a sample. Of truths: those that take part, or, inverted, that do not."""
    if mask is None:
        return np.where(np.tri(q.shape[-2], k.shape[-2], dtype=bool), 0, -np.inf) if is_causal else None
    refuse(holds_tensor(mask), "a mask that is made of the image, needed a constant one")
    array: Any = own_array(mask)
    if array.ndim == len(q.shape):
        refuse((array != array[:1]).any(), "a mask of its own for every image, needed one for all")
        array = array[0]
    return np.where(array != inverted, 0, -np.inf) if array.dtype == bool else np.asarray(array, float)


# ---- Torch's blocks ----


def multi_head(query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Any = None, need_weights: Any = True,
               attn_mask: Any = None, average_attn_weights: Any = True, is_causal: Any = False, *, part: Any) -> Any:
    """nn.MultiheadAttention: what it reads; its weights, which it gives too, are not to be explained."""
    return heads_of(part, (query, key, value), attn_mask, key_padding_mask), None


def heads_of(part: Any, every: tuple[Tensor, Tensor, Tensor], mask: Any = None, padding: Any = None, prefix: str = "",
             last: str = "") -> Tensor:
    """softmax(q k^T / sqrt(E)) v for each head, and the projection of them all."""
    if not holds_tensor(every[0]) and holds_tensor(every[1]):
        every = learned(every[0], every[1]), *every[1:]
    refuse(not all(map(holds_tensor, every)), "keys or values that are constants")
    refuse(len(every[0].shape) != 3, f"queries of shape {every[0].shape}, needed (N, T, E)")
    refuse(part.bias_k is not None or part.add_zero_attn, "add_bias_kv or add_zero_attn, needed False")
    refuse(padding is not None, "a padding mask, another one for every image: give images without padding")
    refuse(mask is not None and mask.ndim != 2, "a mask of its own for every image or head, needed one, (T, S)")
    rows, bias = own_array(part.in_proj_weight), own_array(part.in_proj_bias)
    weights: Any = ([own_array(getattr(part, f"{name}_proj_weight")) for name in "qkv"] if rows is None
                    else np.split(rows, 3))
    q, k, v = (by_head(connected(x, w, b, f"{prefix}{name}"), part.num_heads, f"{prefix}{name}")
               for x, name, w, b in zip(every, "qkv", weights, [None] * 3 if bias is None else np.split(bias, 3)))
    read = attended(q, k, v, mask_of(mask, False, q, k, inverted=True), None, prefix, f"{prefix}read")
    tokens = read.then(Transpose((0, 2, 1, 3)), f"{prefix}tokens")
    joined = tokens.then(Reshape((read.shape[2], read.shape[1] * read.shape[3])), f"{prefix}joined")
    return connected(joined, own_array(part.out_proj.weight), own_array(part.out_proj.bias), last)


def learned(query: Any, x: Tensor) -> Tensor:
    """Queries of the model's own, as a part of a tensor of the image that has them in front: all of them bias."""
    refuse(query.ndim != 3, f"queries of shape {tuple(query.shape)}, needed (N, T, E)")
    beside = replace(cat([query, x], 1), suffix="beside")
    return beside.then(Slice(1, 0, query.shape[1]), "learned")


def by_head(x: Tensor, heads: int, name: str) -> Tensor:
    """(N, heads, T, E) of (N, T, heads E)"""
    _, tokens, size = x.shape
    parted = x.then(Reshape((tokens, heads, size // heads)), f"{name}_heads")
    return parted.then(Transpose((0, 2, 1, 3)), f"{name}_by_head")


def connected(x: Tensor, weight: Any, bias: Any, suffix: str) -> Tensor:
    """torch_layers.linear, under the name of a part of a block."""
    return x.then(Linear(np.ascontiguousarray(weight.T), bias), suffix)


def encoder_layer(src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = False, *,
                  part: Any, prefix: str = "", last: str = "") -> Tensor:
    """nn.TransformerEncoderLayer: x + attention(x), then x + mlp(x); a norm before each, or after each sum."""
    def norm(x: Tensor, name: str, last: str = "") -> Tensor:
        return row_norm(x, getattr(part, name), last or f"{prefix}{name}")

    def attention(x: Tensor) -> Tensor:
        return heads_of(part.self_attn, (x, x, x), src_mask, src_key_padding_mask, f"{prefix}self_attn.",
                        f"{prefix}self_attn")

    def mlp(x: Tensor) -> Tensor:
        one, two = part.linear1, part.linear2
        hidden = connected(x, own_array(one.weight), own_array(one.bias), f"{prefix}linear1")
        active = replace(activation_of(part.activation)(hidden), suffix=f"{prefix}activation")
        return connected(active, own_array(two.weight), own_array(two.bias), f"{prefix}linear2")

    if part.norm_first:
        middle = together(Add(), src, attention(norm(src, "norm1")), suffix=f"{prefix}add1")
        return together(Add(), middle, mlp(norm(middle, "norm2")), suffix=last)
    middle = norm(together(Add(), src, attention(src), suffix=f"{prefix}add1"), "norm1")
    return norm(together(Add(), middle, mlp(middle), suffix=f"{prefix}add2"), "norm2", last or f"{prefix}norm2")


def activation_of(function: Any) -> Callable[..., Tensor]:
    """Torch's function or module between the two Linears of a block, as it is here."""
    name = getattr(function, "__name__", type(function).__name__).lower()
    refuse(name not in ACTIVATIONS, f"the activation {quotable(name)}, needed {listed(ACTIVATIONS)}")
    return partial(ACTIVATIONS[name], **({"approximate": function.approximate} if hasattr(function, "approximate")
                                         else {}))


def encoder(src: Tensor, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None, *,
            part: Any) -> Tensor:
    """nn.TransformerEncoder: its layers one after another, and a norm"""
    x, count = src, len(part.layers)
    for n, layer in enumerate(part.layers):
        end = "" if n == count - 1 and part.norm is None else f"layers.{n}"
        x = encoder_layer(x, mask, src_key_padding_mask, part=layer, prefix=f"layers.{n}.", last=end)
    return x if part.norm is None else row_norm(x, part.norm, "")


# ---- Norms of rows, and tokens ----


def row_norm(x: Tensor, part: Any, suffix: str) -> Tensor:
    return replace(layer_norm(x, part.normalized_shape, part.weight, part.bias, part.eps), suffix=suffix)


def layer_norm(x: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5) -> Tensor:
    """Over the last axis, or over several as one."""
    return over_rows(x, normalized_shape, lambda n: LayerNorm(flat(weight), flat(bias), eps))


def rms_norm(x: Tensor, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Tensor:
    return over_rows(x, normalized_shape,
                     lambda n: RMSNorm(flat(weight), float(np.finfo(x.number).eps) if eps is None else eps))


def flat(weight: Any) -> Array | None:
    array = own_array(weight)
    return None if array is None else array.reshape(-1)


def over_rows(x: Tensor, normalized_shape: Any, layer: Callable[[int], Layer]) -> Tensor:
    """A norm over the last axes of this shape, as a row."""
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if x.sizes is None and len(sizes) == 1:
        return x.then(layer(sizes[0]))
    refuse(len(sizes) >= len(x.shape) or x.shape[-len(sizes) :] != sizes, f"a norm over {sizes} of a tensor of shape "
           f"{x.shape}, needed its last axes but the batch's")
    if len(sizes) == 1:
        return x.then(layer(sizes[0]))
    row = (*x.shape[1 : -len(sizes)], prod(sizes))
    return x.then(Reshape(row), "row").then(layer(row[-1]), "norm").then(Reshape(x.shape[1:]))


def embedding(x: Tensor, weight: Any, padding_idx: Any = None, max_norm: Any = None, norm_type: Any = 2.0,
              scale_grad_by_freq: Any = False, sparse: Any = False) -> Tensor:
    refuse(not holds_tensor(x), "token ids that are constants with a table made of the image")
    refuse(max_norm is not None, "max_norm, which changes the table in every call: needed None")
    table: Any = own_array(weight)
    return replace(x.then(Embedding(table)), number=table.dtype.type)
