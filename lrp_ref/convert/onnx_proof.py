"""The proof of a conversion: every node computes what onnx.reference says, on random inputs, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.onnx_fused import Fused, computed, wide
from lrp_ref.convert.onnx_node import Layers
from lrp_ref.convert.onnx_reference import evaluated
from lrp_ref.convert.onnx_values import Known, Laid, Tensor, name_of
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import quotable
from lrp_ref.layers import Embedding
from lrp_ref.network import INPUT

SEED = 0
# Of the largest number that a node makes. A sum of a million products is off by 1e-10 of its largest term in float64.
CLOSE = 1e-9
# An activation in several nodes has constants of float32, with seven digits; and onnx.reference takes such for these.
WRITTEN_OUT = 2e-6
SEVEN_DIGITS = ("Gelu", "HardSwish")


def prove(protos: list[Any], values: Mapping[str, Any], fusions: Mapping[str, Fused], layers: Layers, source: str
          ) -> None:
    """An error that names the first of the nodes whose layers compute something else than it.

    Every node is given the numbers that the layers below it made, so that it answers for itself alone.
    """
    n = layers.batches[0]
    x, ids = random_input(layers, n)
    xs = activations(layers, x)
    ours: dict[str, Array] = {source: next(xs)[1]}
    made = {INPUT: ours[source]}
    if ids:
        ours[source] = x.astype(np.int64)
    for proto in protos:
        outputs = [name for name in proto.output if isinstance(values.get(name), (Tensor, Laid))]
        if not outputs or proto.op_type in ("Cast", "CastLike", "Dropout"):   # the numbers stay as they are
            for name in outputs:
                ours[name] = ours[proto.input[0]]
            continue
        for name in outputs:
            while name_of(values[name]) not in made:
                layer, x = next(xs)
                made[layer] = x
            ours[name] = values[name].laid(made[name_of(values[name])])
        theirs = reference(proto, values, fusions, ours, layers.opset)
        for name in outputs:
            if name in layers.gone:
                ours[name] = theirs[name]
            else:
                rough = name in fusions or proto.op_type in SEVEN_DIGITS
                compared(proto, name, ours[name], theirs[name], WRITTEN_OUT if rough else CLOSE)


def random_input(layers: Layers, n: int) -> tuple[Array, bool]:
    """A random input for n images; or token ids, and that it is these."""
    rng, shape = np.random.default_rng(SEED), (n, *layers.shapes[INPUT])
    sizes = [len(layer.weight) for layer, reads in layers.nodes.values()
             if isinstance(layer, Embedding) and INPUT in reads]
    return (rng.integers(0, min(sizes), shape).astype(np.float64), True) if sizes else (rng.normal(size=shape), False)


def activations(layers: Layers, x: Array) -> Iterator[tuple[str, Array]]:
    """Every layer's output by its name, in float64, one layer's weights at a time."""
    made = {INPUT: x}
    yield INPUT, x
    for name, (layer, reads) in layers.nodes.items():
        with np.errstate(all="ignore"):
            made[name] = layer.astype(np.float64)(layer.join(*(made[t] for t in reads)))
        yield name, made[name]


def reference(proto: Any, values: Mapping[str, Any], fusions: Mapping[str, Fused], ours: Mapping[str, Array],
              opset: int) -> Mapping[str, Any]:
    """What onnx.reference makes of our inputs of a node, or of the nodes whose place one layer takes."""
    found = fusions.get(proto.output[0])
    if found is not None:
        return computed(found.protos, {found.source: ours[found.source]}, values, opset)
    inputs = {one: wide(values[one].values[0]) if isinstance(values[one], Known) else ours[one]
              for one in proto.input if one}
    return dict(zip([one for one in proto.output if one], evaluated(proto, inputs, opset)))


def compared(proto: Any, name: str, ours: Array, theirs: Any, close: float) -> None:
    what = f"node {quotable(proto.name or name)}, {proto.op_type}:"
    refuse(np.shape(theirs) != ours.shape, f"{what} its layers make an array of shape {ours.shape}, onnx.reference one "
           f"of {np.shape(theirs)}")
    with np.errstate(all="ignore"):
        size, off = np.max(np.abs(theirs), initial=0), np.max(np.abs(ours - theirs), initial=0)
    refuse(not np.isfinite(size), f"{what} on a random input it makes numbers that are not finite: was training "
           "stable?")
    refuse(not off <= close * size, f"{what} its layers differ from onnx.reference by {off:.3g} where the largest "
           f"number is {size:.3g}")
