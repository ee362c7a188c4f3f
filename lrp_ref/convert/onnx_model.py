"""An ONNX file as a model of photographs: which size and how many channels is in the file, the rest has to be said."""

from __future__ import annotations

from typing import Any

from lrp_ref.arrays import Pair, Shape
from lrp_ref.convert.from_onnx import converted
from lrp_ref.convert.onnx_read import read_onnx
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import LISTED, quotable
from lrp_ref.layers import Transpose
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import INPUT, Network

COLOURS = {1: "grey", 3: "rgb"}   # by the number of channels


def onnx_model(path: Any, size: Pair | None = None) -> Model:
    """The network of an ONNX file for photographs in [0, 1]; its classes are called 0, 1, 2, ..

    size  height and width, where the file leaves them open

    A network for channels last, (N, H, W, C), as TensorFlow exports it, gets a Transpose in front. What the file does
    not say, mean, std, the order of colours and the names of classes, goes in by dataclasses.replace.
    """
    model, what = read_onnx(path), f"got {quotable(path, LISTED)}, whose"
    network, shape = converted(model, shape=filled_in(model, size))
    refuse(len(shape) != 3, f"{what} input has the shape {shape} for one image, needed (C, H, W)")
    if shape[0] not in COLOURS and shape[2] in COLOURS:
        network, shape = channels_first(network), (shape[2], *shape[:2])
    refuse(shape[0] not in COLOURS, f"{what} input has {shape[0]} channels, needed 1 or 3 to explain photographs")
    scores = network.shapes((1, *shape))[network.output][1:]
    refuse(len(scores) != 1, f"{what} output has the shape {scores} for one image, needed a score for every class")
    return Model(network, tuple(map(str, range(scores[0]))), Preprocessing((shape[1], shape[2]), COLOURS[shape[0]]),
                 provenance=f"from {quotable(getattr(path, 'name', path))}")


def filled_in(model: Any, size: Pair | None) -> Shape | None:
    """The shape of one image where the file leaves height and width open; None: it says all, or nothing is known."""
    weights = {tensor.name for tensor in model.graph.initializer}
    source = next((one for one in model.graph.input if one.name not in weights), None)
    axes = [] if source is None else [one.dim_value for one in source.type.tensor_type.shape.dim][1:]
    if len(axes) != 3 or 0 not in axes:
        return None
    if size is None:
        raise ValueError("the model leaves the size of its input open: give height and width, --size HxW")
    first = axes[0] in COLOURS or axes[2] not in COLOURS
    return (axes[0] or 3, *size) if first else (*size, axes[2])


def channels_first(network: Network) -> Network:
    """The network for images (N, C, H, W), which it turns into (N, H, W, C) itself."""
    name = "channels_last"
    return Network([(name, Transpose((0, 2, 3, 1)), (INPUT,)), *(
        (one, layer, tuple(name if t == INPUT else t for t in reads)) for one, layer, reads in network.nodes)])
