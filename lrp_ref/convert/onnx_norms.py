"""LayerNorm and RMSNorm that a graph writes out in several nodes, known by what they compute, as activations are.

With u the row, m its mean (0 for RMSNorm) and v the mean of (u - m)^2 it is f(u) = g (u - m) / sqrt(v + epsilon) + b: b
is what f(u) and f(-u) have in common, epsilon is seen where u is small, and g is what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_fused import NEAR, Fused, computed
from lrp_ref.convert.onnx_values import Known, Laid, Tensor
from lrp_ref.layers import Layer, LayerNorm, RMSNorm

LONGEST = 14   # nodes that a norm is written out in; exporters use nine, and casts
INSIDE = frozenset(("ReduceMean", "Sub", "Pow", "Mul", "Add", "Sqrt", "Div", "Cast", "Identity", "Reciprocal"))
LAST = frozenset(("Div", "Mul", "Add"))
SMALL = 2.0**-9   # of rows in which epsilon shows: their squares are near the usual ones, 1e-5 and 1e-6


def written_out(name: str, makers: Mapping[str, int], protos: list[Any], values: Mapping[str, Any], opset: int
                ) -> Fused | None:
    """The norm that makes the tensor `name` of an earlier one in several nodes; None: there is none."""
    front, inside = {name}, list[int]()
    while len(inside) < LONGEST:
        last = max(front, key=lambda one: makers.get(one, -1))
        if last not in makers or protos[makers[last]].op_type not in INSIDE:
            return None
        inside.append(makers[last])
        front = front - {last} | {one for one in protos[makers[last]].input
                                  if one and not isinstance(values.get(one), Known)}
        kinds = {protos[n].op_type for n in inside}
        if len(front) == 1 and {"ReduceMean"} < kinds and kinds & {"Div", "Reciprocal"}:
            (source,) = front
            nodes, x = tuple(protos[n] for n in sorted(inside)), values.get(source)
            size = x.sizes(1)[-1] if isinstance(x, (Tensor, Laid)) and len(x.sizes(1)) > 1 else 0
            layer = norm_of(name, source, size, nodes, values, opset) if size > 1 else None
            if layer is not None:
                return Fused(source, layer, nodes)
    return None


def norm_of(name: str, source: str, size: int, nodes: tuple[Any, ...], values: Mapping[str, Any], opset: int
         ) -> Layer | None:
    """The norm that nodes are, on rows of so many numbers."""
    rank = len(values[source].sizes(1)) - 1
    rng = np.random.default_rng(0)
    if not all(fits_row(values[one], size) for node in nodes for one in node.input
                           if isinstance(values.get(one), Known)):
        return None

    def f(rows: Array) -> Array | None:
        found = computed(nodes, {source: rows.reshape(len(rows), *(1,) * (rank - 1), size)}, values, opset).get(name)
        return found.reshape(rows.shape) if isinstance(found, np.ndarray) and found.size == rows.size else None

    u, other = rng.normal(size=size), rng.normal(size=(3, size))
    seen, wanted = f(np.stack([u, -u, SMALL * u])), f(other)
    if seen is None or wanted is None:
        return None
    shift = (seen[0] + seen[1]) / 2
    for kind, centred in ((LayerNorm, u - u.mean()), (RMSNorm, u)):
        v = np.mean(centred**2)
        with np.errstate(all="ignore"):
            ratio = np.abs(seen[2] - shift).max() / np.abs(seen[0] - shift).max()
            epsilon = float(f"{SMALL**2 * v * (1 - ratio**2) / (ratio**2 - SMALL**2):.6g}")
            if not 0 <= epsilon < 1:
                continue
            scale = (seen[0] - shift) * np.sqrt(v + epsilon) / centred
        if not np.isfinite(scale).all():
            continue
        layer: Layer = LayerNorm(scale, shift, epsilon) if kind is LayerNorm else RMSNorm(scale, epsilon)
        if np.allclose(layer(other), wanted, rtol=0, atol=NEAR * np.abs(wanted).max()):
            return layer
    return None


def fits_row(value: Any, size: int) -> bool:
    """Whether a constant is one number, or one for every number of a row; or the axes of a mean."""
    array = value.values[0]
    return bool(value.fixed and (array.size == 1 or (array.shape[-1:] == (size,) and array.size == size)))
