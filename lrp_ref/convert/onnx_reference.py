"""What a node computes by onnx.reference, with its operators put right where they depart from ONNX's definition."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_read import imported


def evaluated(proto: Any, given: Mapping[str, Array], opset: int) -> list[Any]:
    """The outputs of a node for its inputs by their names."""
    onnx = imported()
    info = onnx.helper.make_tensor_value_info
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
    from onnx.reference.ops import op_conv_transpose, op_max_pool

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

    class MaxPool(op_max_pool.MaxPool):
        """Theirs rounds the number of outputs down for SAME_LOWER."""

        def _run(self, x: Array, auto_pad: str = "NOTSET", **given: Any) -> Any:
            if auto_pad == "SAME_LOWER":
                size, strides = given["kernel_shape"], given.get("strides") or [1] * (x.ndim - 2)
                total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(x.shape[2:], size, strides)]
                auto_pad, given["pads"] = "NOTSET", [p - p // 2 for p in total] + [p // 2 for p in total]
            return super()._run(x, auto_pad=auto_pad, **given)

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

    return LRN, BatchNormalization, Upsample, Resize, MaxPool, ConvTranspose


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
