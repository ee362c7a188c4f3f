"""Activations that a graph writes out in several nodes, known by what they compute and not by how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_reference import evaluated
from lrp_ref.convert.onnx_values import Known
from lrp_ref.layers import GELU, Hardswish, Layer, SiLU

LONGEST = 14   # nodes that an activation is written out in: GELU's approximation has up to ten
CURVED = frozenset(("Erf", "Tanh", "Sigmoid", "HardSigmoid", "Clip", "Min", "Relu", "HardSwish"))
PLAIN = frozenset(("Mul", "Add", "Sub", "Div", "Pow", "Neg", "Max", "Identity", "Cast", "Sum"))
CANDIDATES: tuple[Layer, ...] = (GELU(), GELU(True), SiLU(), Hardswish())
POINTS = np.linspace(-7, 7, 71)[:, None]   # one number per image; 0, tails and both kinks of Hardswish among them
NEAR = 2e-6                # of functions as large as 7: graphs write sqrt(2) and 1 / 6 with the seven digits of float32


@dataclass(frozen=True, eq=False)
class Fused:
    """An activation in place of the nodes between tensor `source` and the one that they make."""

    source: str
    layer: Layer
    protos: tuple[Any, ...]


def fused(name: str, makers: Mapping[str, int], protos: list[Any], values: Mapping[str, Any], opset: int
          ) -> Fused | None:
    """The activation that makes the tensor `name` of an earlier one in several nodes; None: there is none.

    makers: {tensor: position of the node that makes it}
    """
    front, inside = {name}, list[int]()
    while len(inside) < LONGEST:
        last = max(front, key=lambda one: makers.get(one, -1))
        if last not in makers or protos[makers[last]].op_type not in CURVED | PLAIN:
            return None
        at = makers[last]
        inside.append(at)
        front = front - {last} | {one for one in protos[at].input if one and not isinstance(values.get(one), Known)}
        if not all(single(values[one]) for one in protos[at].input if isinstance(values.get(one), Known)):
            return None
        if len(front) == 1 and len(inside) > 1 and any(protos[n].op_type in CURVED for n in inside):
            (source,) = front
            nodes = tuple(protos[n] for n in sorted(inside))
            layer = alike(computed(nodes, {source: POINTS}, values, opset).get(name))
            if layer is not None:
                return Fused(source, layer, nodes)
    return None


def single(value: Known) -> bool:
    return value.fixed and value.values[0].size == 1 and value.values[0].ndim < 2


def alike(found: Any) -> Layer | None:
    """The activation that has these values at the points."""
    if not isinstance(found, np.ndarray) or found.shape != POINTS.shape:
        return None
    return next((layer for layer in CANDIDATES if np.allclose(layer(POINTS), found, rtol=0, atol=NEAR)), None)


def computed(protos: tuple[Any, ...], given: Mapping[str, Array], values: Mapping[str, Any], opset: int
             ) -> dict[str, Any]:
    """What nodes make of these tensors and of constants, in float64; nothing where onnx cannot work it out."""
    found = dict(given)
    for proto in protos:
        if proto.op_type == "Cast":   # of floats; all numbers here are float64
            found[proto.output[0]] = found[proto.input[0]]
            continue
        inputs = {one: found[one] if one in found else wide(values[one].values[0]) for one in proto.input if one}
        try:
            found.update(zip([one for one in proto.output if one], evaluated(proto, inputs, opset)))
        except ValueError:
            return {}
    return found


def wide(value: Array) -> Array:
    """Floats as float64."""
    return value.astype(np.float64) if value.dtype.kind == "f" else value
