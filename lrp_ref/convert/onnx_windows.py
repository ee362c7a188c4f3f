"""Convolutions and poolings of ONNX graphs: their windows, paddings and ways of rounding; those of rows as images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lrp_ref.arrays import Array, Pair
from lrp_ref.convert.onnx_node import Node
from lrp_ref.convert.onnx_values import Tensor
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import listed
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, Conv2D, ConvTranspose2D, Layer, MaxPool, Mean, Reshape

Pads = tuple[Pair, Pair]   # ((above, below), (left, right))
AUTO = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Sizes:
    """A node's window for images: rows and columns of its size, stride and dilation, and the padding."""

    size: Pair
    stride: Pair
    dilation: Pair
    pad: Pads


def image(node: Node, x: Tensor) -> tuple[Tensor, bool]:
    """x as images (C, H, W), and whether it was rows (C, L): these become images of one row."""
    refuse(len(x.shape) not in (2, 3), f"works on tensors with {len(x.shape) + 1} axes, needed (N, C, H, W) or (N, C, "
           "L)")
    rows = len(x.shape) == 2
    return (node.add(Reshape((x.shape[0], 1, x.shape[1])), x, part="image") if rows else x), rows


def back(node: Node, x: Tensor, rows: bool) -> Tensor:
    return node.add(Reshape((x.shape[0], x.shape[2])), x, part="rows") if rows else x


def two(node: Node, name: str, given: tuple[int, ...] | None, rows: bool, default: int = 1) -> Pair:
    """Sizes of one or two axes as those of rows and columns."""
    axes = 1 if rows else 2
    sizes = (default,) * axes if given is None else given
    refuse(len(sizes) != axes, f"{name}={list(sizes)}, needed {axes} numbers")
    return (default, sizes[0]) if rows else (sizes[0], sizes[1])


def sizes_of(node: Node, x: Tensor, window: tuple[int, ...], rows: bool) -> Sizes:
    """The window of a convolution or pooling over images x, its padding worked out where the node says `auto_pad`."""
    size = two(node, "kernel_shape", window, rows)
    stride, dilation = (two(node, name, node.ints(name), rows) for name in ("strides", "dilations"))
    refuse(min(*size, *stride, *dilation) < 1, "its window, strides or dilations are below 1")
    return Sizes(size, stride, dilation, padding(node, rows, [
        max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(x.shape[1:], size, stride, dilation)]))


def padding(node: Node, rows: bool, total: list[int]) -> Pads:
    """The padding as given, or for auto_pad the total of rows and columns, the odd one below and right, or above."""
    auto = node.text("auto_pad", "NOTSET")
    refuse(auto not in AUTO, f"auto_pad={auto!r}, needed one of {listed(AUTO)}")
    if auto == "NOTSET":
        return given_pads(node, rows)
    if auto == "VALID":
        return (0, 0), (0, 0)
    upper = auto == "SAME_UPPER"
    one, other = ((p // 2, p - p // 2) if upper else (p - p // 2, p // 2) for p in total)
    return one, other


def given_pads(node: Node, rows: bool) -> Pads:
    axes = 1 if rows else 2
    pads = node.ints("pads") or (0,) * 2 * axes
    refuse(len(pads) != 2 * axes, f"pads={list(pads)}, needed {2 * axes} numbers")
    return ((0, 0), (pads[0], pads[1])) if rows else ((pads[0], pads[2]), (pads[1], pads[3]))


def weight_of(node: Node, rows: bool) -> Array:
    weight = node.needed(1, "weight")
    refuse(weight.ndim != (3 if rows else 4), f"its weight has the shape {weight.shape}")
    return np.ascontiguousarray(weight[:, :, None] if rows else weight)


def conv(node: Node) -> Tensor:
    x, rows = image(node, node.tensor())
    weight = weight_of(node, rows)
    given = node.ints("kernel_shape")
    window = weight.shape[3:] if rows else weight.shape[2:]
    refuse(given is not None and given != window, f"kernel_shape={given}, but its weight is of {window}")
    s = sizes_of(node, x, window, rows)
    layer = Conv2D(weight, node.constant(2, "bias"), s.stride, s.pad, s.dilation, node.integer("group", 1))
    return back(node, node.add(layer, x), rows)


def conv_transpose(node: Node) -> Tensor:
    """Its padding is cut off: given, or so much that the output has output_shape, or the input's size times strides."""
    x, rows = image(node, node.tensor())
    weight = weight_of(node, rows)
    size = (weight.shape[2], weight.shape[3])
    stride, dilation = (two(node, name, node.ints(name), rows) for name in ("strides", "dilations"))
    more = two(node, "output_padding", node.ints("output_padding"), rows, 0)
    auto, asked = node.text("auto_pad", "NOTSET"), node.ints("output_shape")
    refuse(auto not in AUTO, f"auto_pad={auto!r}, needed one of {listed(AUTO)}")
    if asked is None and auto in ("NOTSET", "VALID"):
        pad = given_pads(node, rows) if auto == "NOTSET" else ((0, 0), (0, 0))
    else:
        image_sizes = x.shape[1:]
        wanted = ((1, asked[-1]) if rows else (asked[-2], asked[-1])) if asked else tuple(
            n * s for n, s in zip(image_sizes, stride))
        total = [s * (n - 1) + o + (k - 1) * d + 1 - w
                 for s, n, o, k, d, w in zip(stride, image_sizes, more, size, dilation, wanted)]
        small = [p // 2 for p in total]
        one, other = ((p, t - p) if auto == "SAME_UPPER" else (t - p, p) for p, t in zip(small, total))
        pad = (one, other)
    refuse(min(*pad[0], *pad[1]) < 0, f"would be padded by {pad}, which ConvTranspose2D does not do")
    layer = ConvTranspose2D(weight, node.constant(2, "bias"), stride, pad, dilation, node.integer("group", 1), more)
    return back(node, node.add(layer, x), rows)


def pooled(node: Node, make: Callable[[Sizes, bool], Layer]) -> Tensor:
    node.only(0)
    x, rows = image(node, node.tensor())
    s = sizes_of(node, x, node.ints("kernel_shape") or (), rows)
    refuse(s.dilation != (1, 1), f"dilations={s.dilation}, which {node.op} has not here")
    return back(node, node.add(make(s, bool(node.integer("ceil_mode", 0))), x), rows)


def max_pool(node: Node) -> Tensor:
    return pooled(node, lambda s, ceil: MaxPool(s.size, s.stride, s.pad, ceil))


def average_pool(node: Node) -> Tensor:
    counted = bool(node.integer("count_include_pad", 0))
    return pooled(node, lambda s, ceil: AvgPool(s.size, s.stride, s.pad, ceil, counted))


def global_average(node: Node) -> Tensor:
    x = node.tensor()
    if len(x.shape) == 3:
        return node.add(AdaptiveAvgPool(1), x)
    refuse(len(x.shape) < 2, f"averages a tensor with {len(x.shape) + 1} axes, needed (N, C, ..)")
    return node.add(Mean(tuple(range(2, len(x.shape) + 1)), True), x)


def global_max(node: Node) -> Tensor:
    x, rows = image(node, node.tensor())
    pooled = node.add(MaxPool((x.shape[1], x.shape[2])), x)
    return back(node, pooled, rows)
