"""x_l+1 = layer_l(x_l): a network is a chain of named layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import DecimalException
from typing import overload

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, as_array, number_type
from lrp_ref.hints import Watch, did_you_mean, listed, shown, unwatched
from lrp_ref.layers import BatchNorm, Layer
from lrp_ref.layers.base import whole

MOST = 10_000   # layers of a network: ten times the deepest there are; a cut-off compares their names in pairs
NAME = 100   # characters of a layer's name: a refusal shows it whole


@dataclass(frozen=True, eq=False, init=False)
class Network:
    """Named layers, lowest first: `Network([("conv1", Conv2D(weight)), ("relu1", ReLU())])`."""

    layers: tuple[tuple[str, Layer], ...]

    def __init__(self, layers: Iterable[tuple[str, Layer]]) -> None:
        try:
            layers = tuple(layers)
        except TypeError:
            raise ValueError(f"Network got {shown(layers)}, needed pairs of a name and a layer") from None
        if not layers:
            raise ValueError("Network got no layers, needed at least one")
        if len(layers) > MOST:
            raise ValueError(f"Network got {len(layers):,} layers, needed at most {MOST:,}")
        for pair in layers:
            kinds = tuple(map(type, pair)) if isinstance(pair, tuple) else ()
            if len(kinds) != 2 or not (issubclass(kinds[0], str) and issubclass(kinds[1], Layer)):
                raise ValueError(f"Network got {shown(pair)}, needed pairs of a name and a layer")
        for name, _ in layers:
            if not (name.isprintable() and 0 < len(name) <= NAME):
                raise ValueError(f"Network got the name {shown(name)}, needed 1 to {NAME} printable characters")
        twice = sorted(name for name, count in Counter(name for name, _ in layers).items() if count > 1)
        if twice:
            raise ValueError(f"Network got two layers named {listed(twice)}: give every layer a name of its own")
        numbers = {number_type(array).__name__: name for name, layer in layers for array in layer.arrays().values()}
        if len(numbers) > 1:
            mixed = listed(f"{kind} in {name}" for kind, name in numbers.items())
            raise ValueError(f"Network got weights of several number types ({mixed}), needed one: use layer.astype")
        object.__setattr__(self, "layers", layers)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.layers)

    @property
    def number(self) -> type | None:
        """The number type of the weights; None where no layer has any."""
        arrays = (array for _, layer in self.layers for array in layer.arrays().values())
        return next((number_type(array) for array in arrays), None)

    def __iter__(self) -> Iterator[tuple[str, Layer]]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, key: str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Network: ...
    def __getitem__(self, key: str | slice) -> Layer | Network:
        """network["conv1"] is a layer, network[i:] a network."""
        if isinstance(key, slice):
            return Network(self.layers[key])
        return self.layers[self.index(key)][1]

    def index(self, name: str) -> int:
        """The position of a layer; an error that suggests the nearest name."""
        if isinstance(name, str) and name in self.names:
            return self.names.index(name)
        hint = did_you_mean(shown(name).strip("'"), self.names)
        raise ValueError(f"got the layer name {shown(name)}, which the network does not have: {hint}"
                         f"its layers are {listed(self.names)}")

    def __call__(self, x: Array) -> Array:
        """The last layer's output."""
        return self.activations(x)[-1]

    def activations(self, x: Array, watch: Watch = unwatched) -> list[Array]:
        """[x_0, .., x_L]: the input, then every layer's output. `watch` hears each layer's name as its turn comes."""
        xs = [as_array(x)]
        same_numbers(self, xs[0])
        for name, layer in self.layers:
            watch(name)
            with named(name):
                xs.append(layer(xs[-1]))
        return xs

    def shapes(self, shape: Shape) -> list[Shape]:
        """The shapes of x_0 .. x_L for an input of that shape, without computing them."""
        if not isinstance(shape, (tuple, list)) or not shape or not all(whole(n) and n >= 0 for n in shape):
            raise ValueError(f"got the shape {shown(shape)}, needed that of a batch: (N, C, H, W)")
        shapes = [tuple(shape)]
        for name, layer in self.layers:
            with named(name):
                shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    def astype(self, number: type) -> Network:
        """The network in another number type: numpy.float32, numpy.float64, Fraction (exact), Decimal."""
        return Network((name, layer.astype(number)) for name, layer in self.layers)


@dataclass(frozen=True)
class ReceptiveField:
    """Output v of an axis sees the pixels v * step + start .. v * step + start + size - 1; rows, then columns."""

    size: Pair
    step: Pair
    start: Pair


def receptive_field(network: Network, name: str) -> ReceptiveField | None:
    """size += (extent - 1) step, start -= pad step, step *= stride: what an output of layer `name` sees of the input.

    None from the first layer on whose outputs see no windows of one size (`layer.sees`): the whole image (fully
    connected, Fisher vector), cells of it (adaptive pooling), descriptors of several sizes (dense SIFT: a square of
    4 s x 4 s pixels).
    A cut-off below the layer above `name` spreads relevance over fields of this size; at the border the part inside the
    image remains.
    """
    size, step, start = [1, 1], [1, 1], [0, 0]
    a_network(network)
    for _, layer in network.layers[: network.index(name) + 1]:
        window = layer.sees
        if window is None:
            return None
        for axis in (0, 1):
            size[axis] += (window.extent[axis] - 1) * step[axis]
            start[axis] -= window.before[axis] * step[axis]
            step[axis] *= window.stride[axis]
    return ReceptiveField((size[0], size[1]), (step[0], step[1]), (start[0], start[1]))


def merge_batchnorm(network: Network) -> Network:
    """w' = w g, b' = (b - mean) g + shift, g = scale / sqrt(variance + epsilon): the same function without BatchNorm.

    Every BatchNorm must directly follow a layer that it can be folded into (`layer.normalised`): a Linear on (N, I) or
    a Conv2D. (A Linear on (N, L, D) has its outputs on the last axis and BatchNorm its channels on the second: that
    pair is not to be merged.)
    """
    merged: list[tuple[str, Layer]] = []
    for name, layer in a_network(network):
        if not isinstance(layer, BatchNorm):
            merged.append((name, layer))
            continue
        below, before = merged[-1] if merged else ("the input", None)
        try:
            both = before and before.normalised(layer.mean, layer.factor(), layer.shift)
        except ValueError as error:
            raise ValueError(f"merge_batchnorm got {name} after {below}: {error}") from None
        if both is None:
            raise ValueError(f"merge_batchnorm got {name} after {below}, needed a Linear or Conv2D directly before it")
        merged[-1] = below, both
    return Network(merged)


@contextmanager
def named(name: str) -> Iterator[None]:
    """What a layer refuses or cannot compute, told with its name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"layer {name}: {error}") from None
    except ZeroDivisionError:   # a rule without a guard says so
        raise
    except DecimalException as error:   # Decimals raise where floats give infinity or NaN
        raise ValueError(f"layer {name}: its numbers end in {type(error).__name__}: are they too large?") from None


def a_network(given: object) -> Network:
    """The network, or an error where it is none."""
    if not isinstance(given, Network):
        cure = ("lrp_ref.convert.from_torch" if hasattr(given, "state_dict") else
                "model.network(shape)" if hasattr(given, "preprocessing") else "Network([(\"fc\", Linear(weight))])")
        raise ValueError(f"got a {type(given).__name__}, needed a Network: use {cure}")
    return given


def same_numbers(network: Network, x: Array) -> None:
    """An error unless x's numbers are of the network's type."""
    got, needed = number_type(x), network.number
    if needed is not None and got is not needed:
        cure = f"network.astype({got.__name__})"
        if issubclass(needed, np.floating):
            cure += f", or x.astype(numpy.{needed.__name__})"
        raise ValueError(f"got an input of {got.__name__} for a network of {needed.__name__}: use {cure}")
