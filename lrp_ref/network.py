"""x_t = layer_t(x_r, ..): a network is a graph of named layers, each of which reads tensors that stand before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import DecimalException
from typing import Any, NamedTuple, overload

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, as_array, number_type
from lrp_ref.hints import Watch, did_you_mean, listed, shown, unwatched
from lrp_ref.layers import Layer
from lrp_ref.layers.base import whole
from lrp_ref.layers.window import Window

MOST = 10_000   # layers of a network: ten times the deepest there are
NAME = 100   # characters of a layer's name: a refusal shows it whole
INPUT = "input"   # the tensor that the network is given; every other one has the name of the layer that makes it


class Node(NamedTuple):
    """A layer, its name, which is also that of the tensor it makes, and the names of the tensors that it reads."""

    name: str
    layer: Layer
    reads: tuple[str, ...]


@dataclass(frozen=True, eq=False, init=False)
class Network:
    """Named layers, lowest first; each reads the one before it, or the tensors that it names.

        Network([("conv", Conv2D(weight)), ("relu", ReLU()), ("add", Add(), ("relu", "input"))])

    The last layer's output is the network's; every other tensor is read by somebody.
    """

    nodes: tuple[Node, ...]
    places: Mapping[str, int] = field(repr=False)   # {name: position}

    def __init__(self, layers: Iterable[Any]) -> None:
        try:
            entries = tuple(layers)
        except TypeError:
            raise ValueError(f"Network got {shown(layers)}, needed pairs of a name and a layer") from None
        if not entries:
            raise ValueError("Network got no layers, needed at least one")
        if len(entries) > MOST:
            raise ValueError(f"Network got {len(entries):,} layers, needed at most {MOST:,}")
        nodes: list[Node] = []
        for entry in entries:
            nodes.append(node(entry, nodes[-1].name if nodes else INPUT))
        twice = sorted(name for name, count in Counter((INPUT, *(one.name for one in nodes))).items() if count > 1)
        if twice:
            raise ValueError(f"Network got two tensors named {listed(twice)}: give every layer a name of its own, and "
                             f"none of them {INPUT!r}")
        wired(nodes)
        numbers = {number_type(array).__name__: n.name for n in nodes for array in n.layer.arrays().values()}
        if len(numbers) > 1:
            mixed = listed(f"{kind} in {name}" for kind, name in numbers.items())
            raise ValueError(f"Network got weights of several number types ({mixed}), needed one: use layer.astype")
        object.__setattr__(self, "nodes", tuple(nodes))
        object.__setattr__(self, "places", {one.name: n for n, one in enumerate(nodes)})

    @property
    def layers(self) -> tuple[tuple[str, Layer], ...]:
        return tuple((name, layer) for name, layer, _ in self.nodes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.nodes)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """{layer: the tensors that it reads}"""
        return {name: reads for name, _, reads in self.nodes}

    @property
    def output(self) -> str:
        """The name of the last layer, whose output is the network's."""
        return self.nodes[-1].name

    @property
    def is_chain(self) -> bool:
        """Whether every layer reads the one before it alone."""
        return all(reads == (before,) for (_, _, reads), before in zip(self.nodes, (INPUT, *self.names)))

    @property
    def number(self) -> type | None:
        """The number type of the weights; None where no layer has any."""
        arrays = (array for _, layer in self for array in layer.arrays().values())
        return next((number_type(array) for array in arrays), None)

    def __repr__(self) -> str:
        """The layers by name and type, without their weights."""
        return f"Network({listed(f'{name} {type(layer).__name__}' for name, layer in self)})"

    def __iter__(self) -> Iterator[tuple[str, Layer]]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.nodes)

    @overload
    def __getitem__(self, key: str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Network: ...
    def __getitem__(self, key: str | slice) -> Layer | Network:
        """network["conv1"] is a layer, network[i:] a network: there is one where a single tensor crosses."""
        if not isinstance(key, slice):
            return self.nodes[self.index(key)].layer
        nodes = self.nodes[key]
        inside = {one.name for one in nodes}
        outside = list(dict.fromkeys(t for one in nodes for t in one.reads if t not in inside))
        if len(outside) > 1:
            raise ValueError(f"the layers {nodes[0].name} .. {nodes[-1].name} read {listed(outside)} from outside, "
                             f"needed one tensor to begin with: one alone crosses after "
                             f"{listed(self.crossings()) or 'no layer'}")
        return Network((name, layer, tuple(t if t in inside else INPUT for t in reads)) for name, layer, reads in nodes)

    def crossings(self) -> list[str]:
        """The tensors that are all of what the layers after them read: where the network can be cut in two."""
        found = []
        for n, (name, _, _) in enumerate(self.nodes[:-1], 1):
            made = {INPUT, *self.names[:n]}
            if {t for one in self.nodes[n:] for t in one.reads} & made == {name}:
                found.append(name)
        return found

    def index(self, name: str) -> int:
        """The position of a layer; an error that suggests the nearest name."""
        if isinstance(name, str) and name in self.places:
            return self.places[name]
        hint = did_you_mean(shown(name).strip("'"), self.names)
        raise ValueError(f"got the layer name {shown(name)}, which the network does not have: {hint}"
                         f"its layers are {listed(self.names)}")

    def below(self, *names: str) -> set[str]:
        """The layers that these tensors are made of, themselves not among them: what a cut-off below them changes."""
        for name in names:
            self.index(name)
        return made_of(self.reads, *names)

    def read(self, name: str, xs: Mapping[str, Array]) -> Array:
        """What a layer takes: the tensor that it reads, or those that it reads joined into one array."""
        _, layer, reads = self.nodes[self.index(name)]
        return layer.join(*(xs[t] for t in reads))

    def __call__(self, x: Array) -> Array:
        """The last layer's output."""
        return self.activations(x)[self.output]

    def activations(self, x: Array, watch: Watch = unwatched) -> dict[str, Array]:
        """{"input": x, and every layer's output by its name}. `watch` hears each name as its turn comes."""
        xs = {INPUT: as_array(x)}
        if 0 in xs[INPUT].shape:   # what NumPy says of nothing differs from layer to layer
            raise no_batch(xs[INPUT])
        same_numbers(self, xs[INPUT])
        if xs[INPUT].ndim == 0:
            raise ValueError("got a number as an input, needed a batch (N, ...)")
        for name, layer, reads in self.nodes:
            watch(name)
            with named(name):
                xs[name] = layer(layer.join(*(xs[t] for t in reads)))
        return xs

    def shapes(self, shape: Shape) -> dict[str, Shape]:
        """{"input": shape, and that of every layer's output by its name}, without computing them."""
        if not isinstance(shape, (tuple, list)) or not shape or not all(whole(n) and n >= 0 for n in shape):
            raise ValueError(f"got the shape {shown(shape)}, needed that of a batch: (N, C, H, W)")
        shapes = {INPUT: tuple(shape)}
        for name, layer, reads in self.nodes:
            with named(name):
                shapes[name] = layer.output_shape(layer.joined(*(shapes[t] for t in reads)))
        return shapes

    def astype(self, number: type) -> Network:
        """The network in another number type: numpy.float32, numpy.float64, Fraction (exact), Decimal."""
        return self.mapped(lambda name, layer: layer.astype(number))

    def mapped(self, change: Callable[[str, Layer], Layer]) -> Network:
        """The same graph with change(name, layer) in every layer's place."""
        return Network((name, change(name, layer), reads) for name, layer, reads in self.nodes)


def node(entry: Any, before: str) -> Node:
    """The node that an entry of a network's list is; without names to read it reads the tensor before it."""
    match entry if isinstance(entry, tuple) else ():
        case (str(name), Layer() as layer):
            reads: tuple[str, ...] = (before,)
        case (str(name), Layer() as layer, str(one)):
            reads = (one,)
        case (str(name), Layer() as layer, [str(), *_] as several) if all(isinstance(t, str) for t in several):
            reads = tuple(several)
        case _:
            raise ValueError(f"Network got {shown(entry)}, needed pairs of a name and a layer, or triples with the "
                             "name or names that it reads")
    if not (name.isprintable() and 0 < len(name) <= NAME):
        raise ValueError(f"Network got the name {shown(name)}, needed 1 to {NAME} printable characters")
    if len(reads) > 1 and not layer.joins:
        raise ValueError(f"layer {name}, a {type(layer).__name__}, got {len(reads)} tensors to read "
                         f"({listed(reads)}), needed one: join them before it with Add(), Multiply() or Concat()")
    return Node(name, layer, reads)


def wired(nodes: Sequence[Node]) -> None:
    """An error unless every layer reads tensors that are made before it, and every tensor but the last is read."""
    names, made = {one.name for one in nodes}, {INPUT: None}   # a set in order
    for name, _, reads in nodes:
        for t in reads:
            if t in names and t not in made:
                raise ValueError(f"layer {name} reads {t}, which is made {'by itself' if t == name else 'after it'}: "
                                 "list every layer after those that it reads; a network has no cycles")
            if t not in made:
                raise ValueError(f"layer {name} reads {shown(t)}, which nothing makes: {did_you_mean(t, made)}"
                                 f"the tensors before it are {listed(made)}")
        made[name] = None
    read, last = {t for one in nodes for t in one.reads}, nodes[-1].name
    unread = [t for t in made if t not in read and t != last]
    if unread:
        raise ValueError(f"nobody reads {listed(unread)}: a network has one output, that of its last layer, {last}; "
                         f"leave them out, or let a layer read them")


def made_of(reads: Mapping[str, Sequence[str]], *names: str) -> set[str]:
    """The layers that these tensors are made of, themselves not among them."""
    found: set[str] = set()
    for name in reversed(list(reads)):
        if name in names or name in found:
            found.update(reads[name])
    inner = found.intersection(names)
    if inner:
        raise ValueError(f"got {listed(names)}, of which {listed(sorted(inner))} is below another: leave it out")
    return found - {INPUT}


@dataclass(frozen=True)
class ReceptiveField:
    """Output v of an axis sees the pixels v * step + start .. v * step + start + size - 1; rows, then columns."""

    size: Pair
    step: Pair
    start: Pair


def receptive_field(network: Network, name: str, shape: Shape | None = None) -> ReceptiveField | None:
    """size += (extent - 1) step, start -= pad step, step *= stride: what an output of layer `name` sees of the input.

    Where branches meet, from the smallest start to the largest end, if their steps are equal.

    None from the first layer on whose outputs see no windows of one size (`layer.sees`): the whole image (fully
    connected, Fisher vector), cells of it (adaptive pooling), descriptors of several sizes (dense SIFT: a square of
    4 s x 4 s pixels); and where branches of other steps meet. With the shape of the input, adaptive pooling whose cells
    are all alike has windows.
    A cut-off below the layer above `name` spreads relevance over fields of this size; at the border the part inside the
    image remains.
    """
    a_network(network).index(name)
    return receptive_fields(network, shape)[name]


def receptive_fields(network: Network, shape: Shape | None = None) -> dict[str, ReceptiveField | None]:
    """{tensor: what one of its units sees of the input}"""
    shapes = None if shape is None else network.shapes(shape)
    fields: dict[str, ReceptiveField | None] = {INPUT: ReceptiveField((1, 1), (1, 1), (0, 0))}
    for name, layer, reads in network.nodes:
        window = layer.sees if shapes is None else layer.sees_in(layer.joined(*(shapes[t] for t in reads)))
        field = where_they_meet([fields[t] for t in reads])
        fields[name] = None if field is None or window is None else windowed(field, window)
    return fields


def windowed(field: ReceptiveField, window: Window) -> ReceptiveField:
    """What an output of a window over units with that field sees."""
    rows, columns = ((field.size[axis] + (window.extent[axis] - 1) * field.step[axis],
                      field.step[axis] * window.stride[axis],
                      field.start[axis] - window.before[axis] * field.step[axis]) for axis in (0, 1))
    return ReceptiveField((rows[0], columns[0]), (rows[1], columns[1]), (rows[2], columns[2]))


def where_they_meet(fields: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    """The field of what is made of tensors with these fields."""
    there = [field for field in fields if field is not None]
    if len(there) < len(fields) or any(field.step != there[0].step for field in there):
        return None
    starts = [min(field.start[axis] for field in there) for axis in (0, 1)]
    ends = [max(field.start[axis] + field.size[axis] for field in there) for axis in (0, 1)]
    return ReceptiveField((ends[0] - starts[0], ends[1] - starts[1]), there[0].step, (starts[0], starts[1]))


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
                "model.network(x.shape), or model.explain(photograph)" if hasattr(given, "preprocessing") else
                "Network([(\"fc\", Linear(weight))])")
        raise ValueError(f"got a {type(given).__name__}, needed a Network: use {cure}")
    return given


def no_batch(x: Array) -> ValueError:
    """What is said of an input that is no batch, or one of nothing."""
    return ValueError(f"got an input of shape {x.shape}, needed a batch (N, ...) of at least one: x[None]?")


def same_numbers(network: Network, x: Array) -> None:
    """An error unless x's numbers are of the network's type."""
    got, needed = number_type(x), network.number
    if needed is not None and got is not needed:
        cure = f"network.astype({got.__name__})"
        if issubclass(needed, np.floating):
            cure += f", or x.astype(numpy.{needed.__name__})"
        raise ValueError(f"got an input of {got.__name__} for a network of {needed.__name__}: use {cure}")
