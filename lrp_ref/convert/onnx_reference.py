"""What a node computes by onnx.reference, with its operators put right where they depart from ONNX's definition."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_read import imported

FIRST = ("MaxPool", "BatchNormalization")   # of whose outputs the first is made, the only one that networks read


def evaluated(proto: Any, given: Mapping[str, Array], opset: int) -> list[Any]:
    """The outputs of a node for its inputs by their names."""
    onnx = imported()
    info = onnx.helper.make_tensor_value_info
    if proto.op_type in FIRST and len(proto.output) > 1:
        kept = onnx.NodeProto()
        kept.CopyFrom(proto)
        del kept.output[1:]
        proto = kept
    outputs = [name for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "node", [info(name, 1, None) for name in given],
                                   [info(name, 1, None) for name in outputs])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            return list(onnx.reference.ReferenceEvaluator(model, new_ops=[*corrected()]).run(outputs, dict(given)))
    except MemoryError:
        raise
    except Exception as error:   # an attribute or an input may be anything
        raise ValueError(f"cannot be worked out by onnx.reference ({type(error).__name__})") from None


@cache
def corrected() -> tuple[Any, ...]:
    """Operators that onnx.reference 1.23 computes otherwise than they are defined, not at all, or number by number."""
    imported()
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops import op_conv_transpose

    class LRN(OpRun):
        """x_c / (bias + alpha / size sum over the channels around c of x^2)^beta. Theirs loops over the batch."""

        def _run(self, x: Array, alpha: float, beta: float, bias: float, size: int) -> tuple[Array]:
            squares = np.zeros_like(x)
            for c in range(x.shape[1]):
                around = slice(max(0, c - (size - 1) // 2), c + size // 2 + 1)
                squares[:, c] = np.sum(x[:, around] ** 2, axis=1)
            return (x / (float(bias) + float(alpha) / size * squares) ** float(beta),)

    class BatchNormalization(OpRun):
        """By given statistics. Theirs takes the batch's own before operator set 14, where there is a momentum."""

        def _run(self, x: Array, scale: Array, shift: Array, mean: Array, variance: Array, epsilon: float,
                 **training: Any) -> tuple[Array]:
            scale, shift, mean, variance = (np.reshape(one, (-1, *(1,) * (x.ndim - 2)))
                                            for one in (scale, shift, mean, variance))
            return ((x - mean) / np.sqrt(variance + float(epsilon)) * scale + shift,)

    class Upsample(OpRun):
        """The nearest number below: index i of the input is floor(i / scale). Theirs has none."""

        def _run(self, x: Array, scales: Array, mode: str) -> tuple[Array]:
            for axis, scale in enumerate(scales):
                x = np.take(x, np.floor(np.arange(int(x.shape[axis] * scale)) / scale).astype(int), axis)
            return (x,)

    class Resize(OpRun):
        """The nearest number, axis by axis. Theirs works out one number after the other, for minutes."""

        def _run(self, x: Array, *given: Array, axes: Any = None, coordinate_transformation_mode: str = "half_pixel",
                 nearest_mode: str = "round_prefer_floor", **others: Any) -> tuple[Array]:
            scales = given[0] if len(given) == 1 else given[1] if len(given) > 1 else None
            sizes = given[2] if len(given) > 2 else None
            for k, axis in enumerate(range(x.ndim) if axes is None else axes):
                n = x.shape[axis]
                scale = float(sizes[k]) / n if sizes is not None else float(scales[k])   # type: ignore[index]
                count = int(sizes[k]) if sizes is not None else int(n * scale)
                at = coordinates(np.arange(count), n, count, scale, coordinate_transformation_mode)
                x = np.take(x, np.clip(neighbours(at, nearest_mode), 0, n - 1).astype(int), axis)
            return (x,)

    class MaxPool(OpRun):
        """The largest of every window. Theirs takes the padding of strides of 1 for that of other sides."""

        def _run(self, x: Array, **given: Any) -> tuple[Array]:
            windows, _ = windows_of(x, -np.inf, given)
            return (np.max(windows, axis=tuple(range(x.ndim, windows.ndim))),)

    class AveragePool(OpRun):
        """The mean of every window, with or without the padding. Theirs likewise, and window by window."""

        def _run(self, x: Array, count_include_pad: int = 0, **given: Any) -> tuple[Array]:
            windows, counted = windows_of(x, 0.0, given, bool(count_include_pad))
            axes = tuple(range(x.ndim, windows.ndim))
            return (np.sum(windows, axis=axes) / np.sum(counted, axis=axes),)

    class ConvTranspose(op_conv_transpose.ConvTranspose):
        """Theirs fails on groups of several outputs, and takes output_shape without the padding that it asks for."""

        def _run(self, x: Array, w: Array, b: Array | None = None, group: int = 1, output_shape: Any = None,
                 auto_pad: str = "NOTSET", **given: Any) -> tuple[Array]:
            if output_shape is not None:
                axes = range(x.ndim - 2)
                strides, dilations = (given.get(name) or [1] * len(axes) for name in ("strides", "dilations"))
                more = given.get("output_padding") or [0] * len(axes)
                total = [strides[k] * (x.shape[k + 2] - 1) + more[k] + (w.shape[k + 2] - 1) * dilations[k] + 1
                         - output_shape[k] for k in axes]
                small, large = ([p // 2 for p in total], [p - p // 2 for p in total])
                given["pads"] = small + large if auto_pad == "SAME_UPPER" else large + small
                auto_pad = "NOTSET"
            parts = [super(ConvTranspose, self)._run(*one, None, group=1, auto_pad=auto_pad, **given)[0]
                     for one in zip(np.split(x, group, axis=1), np.split(w, group, axis=0))]
            y = np.concatenate(parts, axis=1)
            return (y if b is None else y + np.reshape(b, (-1, *(1,) * (x.ndim - 2))),)

    return LRN, BatchNormalization, Upsample, Resize, MaxPool, AveragePool, ConvTranspose


def windows_of(x: Array, fill: float, given: Mapping[str, Any], count_pads: bool = False) -> tuple[Array, Array]:
    """Every window of x in a frame, (N, C, outputs .., window ..), and 1 in it for what counts: the image, or its pads.

    For each axis: n numbers, window k, stride s, padding p before and q behind. `given` holds a node's attributes.
    """
    axes = x.ndim - 2
    size, strides = given["kernel_shape"], given.get("strides") or [1] * axes
    pads, auto = given.get("pads") or [0] * 2 * axes, given.get("auto_pad") or "NOTSET"
    if max(given.get("dilations") or [1]) > 1:
        raise ValueError("dilations")
    frame, counted, steps = [(0, 0)] * 2, [(0, 0)] * 2, [slice(None)] * 2
    for n, k, s, p, q in zip(x.shape[2:], size, strides, pads[:axes], pads[axes:]):
        if auto == "VALID":
            p = q = 0
        elif auto != "NOTSET":
            total = max((-(-n // s) - 1) * s + k - n, 0)
            p = total // 2 if auto == "SAME_UPPER" else total - total // 2
            q = total - p
        room = n + p + q - k
        outputs = (-(-room // s) if given.get("ceil_mode") else room // s) + 1
        outputs -= (outputs - 1) * s >= n + p   # no window begins behind the image
        frame.append((p, max(q, (outputs - 1) * s + k - n - p)))
        counted.append((p, q) if count_pads else (0, 0))
        steps.append(slice(0, (outputs - 1) * s + 1, s))
    ones = np.pad(np.ones((1, 1, *x.shape[2:])), counted, constant_values=1)
    ones = np.pad(ones, [(one[0] - two[0], one[1] - two[1]) for one, two in zip(frame, counted)])
    every = [np.lib.stride_tricks.sliding_window_view(y, tuple(size), axis=tuple(range(2, x.ndim)))[tuple(steps)]
             for y in (np.pad(x, frame, constant_values=fill), ones)]
    return every[0], every[1]


def coordinates(i: Array, n: int, count: int, scale: float, mode: str) -> Array:
    """Where index i of `count` outputs lies among n inputs, as Resize defines it."""
    match mode:
        case "asymmetric":
            return i / scale
        case "align_corners":
            return i * (n - 1) / max(count - 1, 1)
        case "pytorch_half_pixel" if count == 1:
            return 0.0 * i
        case "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric":   # alike where count = n scale
            return (i + 0.5) / scale - 0.5
        case _:
            raise ValueError(mode)


def neighbours(at: Array, mode: str) -> Array:
    """The nearest whole number."""
    match mode:
        case "floor":
            return np.asarray(np.floor(at))
        case "ceil":
            return np.asarray(np.ceil(at))
        case "round_prefer_floor":
            return np.asarray(np.ceil(at - 0.5))
        case "round_prefer_ceil":
            return np.asarray(np.floor(at + 0.5))
        case _:
            raise ValueError(mode)
