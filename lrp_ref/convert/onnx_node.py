"""A node as the rows of the table see it: its inputs, its attributes, and the layers that they put in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.onnx_read import imported
from lrp_ref.convert.onnx_values import Known, Laid, Tensor, Value
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import quotable, shown
from lrp_ref.layers import Conv2D, ConvTranspose2D, Layer, Linear
from lrp_ref.models.model import NUMBERS
from lrp_ref.network import INPUT, NAME

PROVED = 1 << 24      # numbers of all layers for all images, where the file says how many these are: a second's work
FEW = 3               # images are never too many
LONGEST = NAME - 20   # letters of a name that a node has, so that what is put to it fits


@dataclass
class Layers:
    """The layers made so far, what they read, and the shapes of what they make for one image."""

    opset: int
    batches: tuple[int, ...]   # the numbers of images that are tried: one where the file allows one alone
    number: type               # of the network; what is worked out of its weights is float64 until the proof
    nodes: dict[str, tuple[Layer, tuple[str, ...]]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)   # {layer: the ONNX tensor that it makes}
    numbers: int = 0                                       # that all layers make for one image
    gone: set[str] = field(default_factory=set)            # ONNX tensors that no layer makes: without the bias
    masks: dict[str, Array] = field(default_factory=dict)  # {layer: scores that a softmax after it does not leave out}

    def add(self, name: str, layer: Layer, reads: Sequence[str]) -> Tensor:
        """The layer under a name of its own; an error where it cannot take what it reads."""
        n = self.batches[0]
        name = self.free(name)
        shape = layer.output_shape(layer.joined(*((n, *self.shapes[t]) for t in reads)))
        self.nodes[name], self.shapes[name] = (layer, tuple(reads)), tuple(shape[1:])
        self.numbers += prod(shape[1:])
        count = self.numbers
        refuse(count > NUMBERS, f"it and all below make {count:,} numbers per image, needed at most {NUMBERS:,}")
        refuse(n > FEW and n * count > PROVED, f"it and all below make {n * count:,} numbers for the batch of {n:,} "
               f"that the file is made for, needed at most {PROVED:,}: export it for one image, or for any number")
        return Tensor(name, self.shapes[name])

    def free(self, name: str) -> str:
        """The name where nobody has it, else with a number behind it."""
        base = quotable(name, LONGEST).strip("/ ") or "layer"
        taken, n = {INPUT, *self.nodes}, 2
        name = base
        while name in taken:
            name, n = f"{base}_{n}", n + 1
        return name


@dataclass(frozen=True)
class Node:
    """A node, what it reads, and where its layers go."""

    proto: Any
    inputs: tuple[Value | None, ...]   # None: left out
    layers: Layers
    readers: Mapping[str, int]         # how often every ONNX tensor is read

    @property
    def op(self) -> str:
        return str(self.proto.op_type)

    @property
    def name(self) -> str:
        return str(self.proto.name or next((one for one in self.proto.output if one), "") or self.op)

    @property
    def opset(self) -> int:
        return self.layers.opset

    @property
    def images(self) -> int:
        """The first of the numbers of images that are tried."""
        return self.layers.batches[0]

    def add(self, layer: Layer, *tensors: Tensor, part: str = "") -> Tensor:
        """The layer, named after the node, and after which part of it it is."""
        name = f"{self.name[:LONGEST]}.{part}" if part else self.name
        return self.layers.add(name, layer, [one.name for one in tensors])

    def given(self, k: int) -> Value | None:
        return self.inputs[k] if k < len(self.inputs) else None

    def tensor(self, k: int = 0) -> Tensor:
        """An input that the network makes, with the batch in front."""
        value = self.laid(k)
        refuse(isinstance(value, Laid), "its tensor has the batch elsewhere than in front")
        return value   # type: ignore[return-value]

    def laid(self, k: int = 0) -> Tensor | Laid:
        """An input that the network makes, wherever the graph has the batch."""
        value = self.given(k)
        if value is None or isinstance(value, Known):
            raise ValueError(f"its input {k} is {'left out' if value is None else 'a constant'}, needed a tensor that "
                             "depends on the network's input")
        return value

    def tensors(self) -> list[Tensor]:
        return [one for one in self.inputs if isinstance(one, Tensor)]

    def constant(self, k: int, what: str) -> Array | None:
        """A constant input in the network's numbers; None where it is left out."""
        value = self.fixed(k, what)
        if value is None or value.dtype == self.layers.number:
            return value
        refuse(value.dtype.kind not in "f", f"its {what} is of {value.dtype}, needed floats")
        return value.astype(self.layers.number)

    def number(self, value: float, x: Tensor) -> Array:
        """A number as the array that Scale takes for x; in float64, as all that is worked out, until the proof."""
        return np.full((1,) * len(x.shape), value, np.float64)

    def needed(self, k: int, what: str) -> Array:
        value = self.constant(k, what)
        if value is None:
            raise ValueError(f"its {what} is left out")
        return value

    def fixed(self, k: int, what: str) -> Array | None:
        """A constant input that is the same for every number of images."""
        value = self.given(k)
        refuse(isinstance(value, Tensor), f"its {what} depends on the network's input, needed a constant")
        refuse(isinstance(value, Known) and not value.fixed, f"its {what} depends on the number of images")
        return value.values[0] if isinstance(value, Known) else None

    def whole(self, k: int, what: str) -> tuple[int, ...] | None:
        """A constant input of whole numbers; None where it is left out."""
        value = self.fixed(k, what)
        return None if value is None else few(value, what)

    def with_inputs(self, inputs: Mapping[int, Value], **attributes: Any) -> Node:
        """The node with other inputs at some places, and other attributes."""
        proto = self.proto
        if attributes:
            proto = type(proto)()
            proto.CopyFrom(self.proto)
            del proto.attribute[:]
            proto.attribute.extend(one for one in self.proto.attribute if one.name not in attributes)
            proto.attribute.extend(imported().helper.make_attribute(*one) for one in attributes.items())
        return replace(self, proto=proto, inputs=tuple(inputs.get(k, one) for k, one in enumerate(self.inputs)))

    def attribute(self, name: str) -> Any:
        """The attribute as Python's numbers, or None."""
        found = next((one for one in self.proto.attribute if one.name == name), None)
        return None if found is None else imported().helper.get_attribute_value(found)

    def ints(self, name: str) -> tuple[int, ...] | None:
        value = self.attribute(name)
        known = value is None or (isinstance(value, (list, tuple)) and all(isinstance(one, int) for one in value))
        refuse(not known, f"{name}={shown(value)}, needed whole numbers")
        return None if value is None else tuple(value)

    def integer(self, name: str, default: int) -> int:
        value = self.attribute(name)
        refuse(value is not None and not isinstance(value, int), f"{name}={shown(value)}, needed a whole number")
        return default if value is None else int(value)

    def real(self, name: str, default: float) -> float:
        """The attribute, or the default as float32, the type of all real attributes."""
        value = self.attribute(name)
        refuse(value is not None and not isinstance(value, (int, float)), f"{name}={shown(value)}, needed a number")
        return float(np.float32(default) if value is None else value)

    def text(self, name: str, default: str) -> str:
        value = self.attribute(name)
        refuse(value is not None and not isinstance(value, bytes), f"{name}={shown(value)}, needed a text")
        return default if value is None else value.decode("utf-8", "replace")

    def axes(self, rank: int, k: int = 1) -> tuple[int, ...] | None:
        """The attribute axes, or since operator set 11 or 13 the input k; counted from 0, each at least that."""
        given = self.ints("axes") if self.attribute("axes") is not None else self.whole(k, "axes")
        return None if given is None else tuple(axis_in(one, rank) for one in given)

    def only(self, *outputs: int) -> None:
        """An error where another output of the node than these is asked for."""
        for k, name in enumerate(self.proto.output):
            refuse(k not in outputs and self.readers.get(name, 0) > 0, f"its output {k}, {quotable(name)}, is read, "
                   "which no layer here makes")

    def absorbed(self, k: int, bias: Array) -> Tensor | None:
        """The layer that makes input k with that bias (O,) in it, where it has none and nobody else reads it."""
        tensor, name = self.tensor(k), self.proto.input[k]
        layer, reads = self.layers.nodes.get(tensor.name, (None, ()))
        alone = self.readers[name] == 1 and self.layers.origin.get(tensor.name) == name
        if not alone or not isinstance(layer, (Linear, Conv2D, ConvTranspose2D)) or layer.bias is not None:
            return None
        self.layers.nodes[tensor.name] = replace(layer, bias=bias), reads
        self.layers.origin[tensor.name] = self.proto.output[0]
        self.layers.gone.add(name)
        return tensor


def axis_in(axis: int, rank: int) -> int:
    """An axis counted from the first; an error where there is none."""
    refuse(not -rank <= axis < rank, f"axis {axis} of a tensor with {rank} axes")
    return axis % rank


def axis_of(axis: int, rank: int) -> int:
    """As `axis_in`; an error where it is that of the batch."""
    refuse(axis in (0, -rank), "works along axis 0, which is the batch")
    return axis_in(axis, rank)


def few(value: Array, what: str) -> tuple[int, ...]:
    """A row of whole numbers, or one."""
    refuse(value.dtype.kind not in "iu" or value.ndim > 1 or value.size > 64, f"its {what} is of {value.dtype} and "
           f"shape {value.shape}, needed a few whole numbers")
    return tuple(map(int, np.atleast_1d(value)))
