"""A model: a network, what it wants of a photograph, and its class names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from math import floor, prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, convert_numbers
from lrp_ref.hints import Watch, did_you_mean, listed, quotable, shown, unwatched
from lrp_ref.layers import DenseSift, FisherVector, Linear
from lrp_ref.layers.base import whole
from lrp_ref.layers.fisher.regions import counted_regions, rectangles, regions_of
from lrp_ref.models.explained import Explained, Given, explained_photograph, rules_of
from lrp_ref.network import Network, Node
from lrp_ref.outside import AXES, MOST, among, as_float, counted, integer, or_none, real, refused, text

PIXELS = 1 << 24          # of a network's input, 4096 x 4096: in three colours and float64 that is 400 MB already
NUMBERS = 1 << 28         # of all layers for one image, 2 GB in float64; VGG-16 has 15 million, a Fisher pipeline 30

@dataclass(frozen=True)
class Preprocessing:
    """x = (maximum * pixels - mean) / std, pixels in [0, 1], at the size the network wants.

    The whole photograph is squeezed to that size, unless `crop` says which part of it is seen.

    size     (H, W); None: each photograph's own, if `tallest` says how large it may be
    colour   grey, rgb or bgr: the order of the channels
    maximum  what white is before the mean is taken: 1, or 255
    mean     one number, or one per channel
    std      likewise
    tallest  where size is None, the most rows: a taller photograph is made so tall, in its own proportions
    crop     what is seen is the middle of the photograph, in the proportions of size: this part of the largest such
             rectangle's sides, 224/256 say; None: all of the photograph
    """

    size: Pair | None
    colour: str = "grey"
    maximum: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    tallest: int | None = None
    crop: float | None = None

    def __post_init__(self) -> None:
        kind = "Preprocessing"
        for name, read in (("size", image_size), ("tallest", integer(1, PIXELS, "a number of rows"))):
            object.__setattr__(self, name, or_none(read)(kind, name, getattr(self, name)))
        if not isinstance(self.colour, str) or self.colour not in ("grey", "rgb", "bgr"):
            raise refused(kind, "colour", self.colour, "grey, rgb or bgr")
        for name in ("mean", "std"):
            object.__setattr__(self, name, by_channel(kind, name, getattr(self, name), self.channels))
        object.__setattr__(self, "maximum", real(kind, "maximum", self.maximum))
        if not (min(self.std) > 0 and self.maximum > 0):
            raise ValueError(f"Preprocessing got std={self.std} and maximum={self.maximum}, needed positive numbers")
        if self.crop is not None:
            object.__setattr__(self, "crop", real(kind, "crop", self.crop))
            if self.size is None or not 0 < self.crop <= 1:
                raise refused(kind, "crop", self.crop, "a number above 0 and at most 1, and a size to crop for")
        extremes = [(end - m) / s for m, s in zip(np.resize(self.mean, 3).tolist(), np.resize(self.std, 3).tolist())
                    for end in (0.0, self.maximum)]
        if not np.isfinite(extremes).all():
            raise ValueError(f"Preprocessing got maximum={self.maximum}, mean={self.mean} and std={self.std}, which "
                             "make an input that is not finite: are mean and std those of the pixels?")

    @property
    def channels(self) -> int:
        return 1 if self.colour == "grey" else 3

    @property
    def box(self) -> tuple[Any, Any]:
        """What black and white become, the bounds of a ZBox: numbers, or tuples with one per channel."""
        mean, std = np.array(self.mean), np.array(self.std)
        low, high = (bound.item() if bound.size == 1 else tuple(bound.tolist())
                     for bound in ((0 - mean) / std, (self.maximum - mean) / std))
        return low, high

    def part_of(self, photograph: Pair) -> tuple[slice, slice]:
        """The rows and columns of a photograph of that height and width that are seen."""
        if self.crop is None or self.size is None:
            return slice(0, photograph[0]), slice(0, photograph[1])
        fits = min(Fraction(there, wanted) for there, wanted in zip(photograph, self.size))
        sides = [max(1, floor(Fraction(self.crop) * fits * wanted)) for wanted in self.size]
        firsts = [(there - side + 1) // 2 for there, side in zip(photograph, sides)]
        rows, columns = (slice(first, first + side) for first, side in zip(firsts, sides))
        return rows, columns

    def size_of(self, photograph: Pair) -> Pair:
        """Height and width at which a photograph of that height and width goes into the network."""
        height, width = photograph
        if self.size is not None:
            return self.size
        if self.tallest is None:
            raise ValueError("the model does not say the size of its input: give one with model.at_size((H, W))")
        if height <= self.tallest:
            return height, width
        return self.tallest, max(1, -(-(2 * width * self.tallest - height) // (2 * height)))   # to the nearest


def image_size(what: str, name: str, value: Any) -> Pair:
    """Height and width: one int for both, or a pair, and not more pixels than PIXELS."""
    sides = entries_of(value) or (value, value)
    if len(sides) != 2 or not all(whole(side) and side >= 1 for side in sides) or prod(map(int, sides)) > PIXELS:
        raise refused(what, name, value, "an int or a pair of ints of at least 1, height and width, of at most "
                      f"{PIXELS} pixels")
    return int(sides[0]), int(sides[1])


def entries_of(value: Any) -> tuple[Any, ...]:
    """The numbers of a list, a tuple or an array with one axis; of anything else none."""
    array = isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray) and value.ndim == 1
    return tuple(value) if array or isinstance(value, (tuple, list)) else ()


def by_channel(what: str, name: str, value: Any, channels: int) -> tuple[float, ...]:
    """One number for all channels, or one for each."""
    values = [as_float(one) for one in entries_of(value) or (value,)]
    if len(values) not in (1, channels) or not all(one is not None and np.isfinite(one) for one in values):
        raise refused(what, name, value, f"a finite number or {channels} of them")
    return tuple(one for one in values if one is not None)


def class_names(classes: Any) -> tuple[str, ...] | list[str]:
    """A name for every score, as a tuple, or a list where that is given: texts; a number becomes the text it prints."""
    a_list = all(hasattr(classes, name) for name in ("__len__", "__iter__", "__getitem__"))
    axes = classes.ndim if isinstance(classes, np.ndarray) else 1
    if not a_list or axes != 1 or isinstance(classes, (str, bytes, Mapping)):
        raise refused("Model", "classes", classes, "a list of names, one for every score")
    names = []
    for n, name in enumerate(classes):
        if not isinstance(name, str) and as_float(name) is None:
            raise refused("Model", f"classes[{n}]", name, "a text, or a number that becomes one")
        names.append(str(name))
    return names if isinstance(classes, list) else tuple(names)


def a_name_for_every_score(classes: Sequence[str], scores: int | None) -> None:
    """An error where there are names, but not as many as scores; None: how many scores there are is not known."""
    if classes and scores is not None and len(classes) != scores:
        raise ValueError(f"Model got {len(classes)} class names ({listed(map(quotable, classes))}) for {scores} "
                         "scores, needed a name for every score, in their order")


def bounded(nodes: Sequence[Node], shape: Shape) -> None:
    """An error, before any work, where a layer cannot take its input, or all put out more than NUMBERS for an image."""
    sizes = [prod(shape[1:])]
    names = ["the input", *(f"layer {name}" for name, _, _ in nodes)]
    if sizes[0] <= NUMBERS and nodes:
        sizes = [prod(one[1:]) for one in Network(nodes).shapes(shape).values()]
    for name, count in zip(names, accumulate(sizes)):
        if count > NUMBERS:
            raise ValueError(f"got an input of shape {shape}, for which {name} and all below have {count} numbers per "
                             f"image, needed at most {NUMBERS}: use a smaller image")


@dataclass(frozen=True, eq=False)
class Model:
    """A network with what surrounds it: `x = model.prepare(photograph); network = model.network(x.shape)`.

    chain          the layers
    classes        a name for every score
    preprocessing  from a photograph to the network's input
    provenance     who made it, from what
    regions        of its FisherVector, as `regions_of` takes them ("2x2+3x1+1x1"): which descriptors they hold depends
                   on the size of the image, so that `network` puts them in; None: one region that holds all
    """

    chain: Network
    classes: Sequence[str]
    preprocessing: Preprocessing
    provenance: str = field(default="", kw_only=True)
    regions: str | Sequence[Sequence[float]] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, kind in (("chain", Network), ("preprocessing", Preprocessing)):
            if not isinstance(getattr(self, name), kind):
                raise refused("Model", name, getattr(self, name), f"a {kind.__name__}")
        object.__setattr__(self, "classes", class_names(self.classes))
        object.__setattr__(self, "provenance", text("Model", "provenance", self.provenance))
        last = self.chain[self.chain.output]   # of others the image's size says how many scores there are
        a_name_for_every_score(self.classes, last.weight.shape[-1] if isinstance(last, Linear) else None)
        for name, layer in self.chain:
            if layer.doubt:
                warnings.warn(f"layer {name}: {layer.doubt}", UserWarning, stacklevel=3)
        kinds = {type(layer) for _, layer in self.chain}
        if self.regions is None:
            return
        if not {DenseSift, FisherVector} <= kinds:
            raise ValueError(f"Model got regions={shown(self.regions)}, but its network has no DenseSift and "
                             "FisherVector to put them in: leave regions=None")
        if not isinstance(self.regions, str):
            object.__setattr__(self, "regions", rectangles(self.regions))
        counted_regions(self.regions)   # an error where they are none

    def explain(self, photograph: Any, target: str | int | None = None, rules: Given = None, below: str | None = None,
                watch: Watch = unwatched, start: Any = None, through: Mapping[str, Any] | None = None) -> Explained:
        """From a photograph to its explanation: `lrp_ref.explain` of what the network sees of it.

        photograph  a path, or what `prepare` takes
        target      a class by its name or its number; None: the one with the highest score
        rules       a preset (paper_cnn), a rule for all layers with weights (Epsilon(0.01)), or {layer: rule}; None:
                    the paper's preset, of a network with more than 20 layers with weights epsilon_gamma_box
        below       the layer of a cut-off, or "R1" for the paper's: above the lowest convolution, at the FisherVector
        start       what relevance begins with, as `lrp_ref.explain` takes its target; None: the class's score
        through     as `lrp_ref.explain` takes it
        """
        from lrp_ref.pictures.photograph import read_photograph, to_pixels

        index = None if target is None else self.class_index(target) if self.classes else target
        path = isinstance(photograph, (str, os.PathLike))
        pixels = read_photograph(photograph) if path else to_pixels(photograph)
        x = self.prepare(pixels)
        network = self.network(x.shape)
        made = rules_of(network, rules, below, self.preprocessing.box)
        return explained_photograph(network, x, self.classes, self.seen(pixels), index, rules=made, watch=watch,
                                    start=start, through=through)

    def prepare(self, photograph: Any) -> Array:
        """(1, C, H, W): what is `seen` of the photograph, squeezed to the network's size if that is fixed, normalised.

        photograph: (H, W) or (H, W, 3), uint8, uint16, bool, or floats in [0, 1]; what `read_photograph` gives of a
        file; or an image of Pillow's in any mode, which gives the same as its file.
        """
        from lrp_ref.pictures.photograph import resize, to_channels, to_pixels

        pixels = self.seen(to_pixels(photograph))
        size = self.preprocessing.size_of(pixels.shape[:2])
        if self.preprocessing.crop is not None and any(n < wanted for n, wanted in zip(pixels.shape, size)):
            warnings.warn(f"the model sees {pixels.shape[0]} x {pixels.shape[1]} pixels of the photograph (height x "
                          f"width), enlarged to {size[0]} x {size[1]}: a larger photograph shows it more",
                          UserWarning, stacklevel=2)
        pixels = resize(pixels, size)
        x = self.preprocessing.maximum * to_channels(pixels, self.preprocessing.colour)
        mean, std = (np.array(v)[:, None, None] for v in (self.preprocessing.mean, self.preprocessing.std))
        return convert_numbers(((x - mean) / std)[None], self.chain.number or np.float64)

    def __repr__(self) -> str:
        """The network by its layers, and the names of its classes."""
        return (f"Model({self.chain!r}, {len(self.classes)} classes: {listed(map(quotable, self.classes))}, "
                f"{self.preprocessing!r})")

    def seen(self, pixels: Array) -> Array:
        """The part of pixels (H, W) or (H, W, 3) that the model sees: what heatmaps are drawn over."""
        rows, columns = self.preprocessing.part_of((pixels.shape[0], pixels.shape[1]))
        return pixels[rows, columns]

    def network(self, shape: Shape) -> Network:
        """The network for inputs of that shape; for a CNN the same one for all shapes that it can take.

        A FisherVector with regions gets the descriptors of this image size that lie in each.
        """
        known = isinstance(shape, (tuple, list)) and 2 <= len(shape) <= AXES
        if not known or not all(whole(n) and 0 <= n <= MOST for n in shape):
            raise refused("network", "shape", shape, "the shape of the input, (N, C, H, W)")
        network, shape = self.chain, tuple(map(int, shape))
        if self.regions is not None:
            first = next(n for n, (_, layer) in enumerate(network) if isinstance(layer, FisherVector))
            bounded(network.nodes[:first], shape)
            frames = next(layer.frames(shape) for _, layer in network if isinstance(layer, DenseSift))
            regions = regions_of(frames, shape, self.regions)
            network = network.mapped(
                lambda _, layer: replace(layer, regions=regions) if isinstance(layer, FisherVector) else layer)
        bounded(network.nodes, shape)
        return network

    def at_size(self, size: Pair) -> Model:
        """The model for inputs of another height and width."""
        return replace(self, preprocessing=replace(self.preprocessing, size=size))

    def class_index(self, name: str | int) -> int:
        """The position of a class given by its name or its number."""
        names = list(self.classes)
        if not isinstance(name, str) and not whole(name):
            raise refused("class_index", "name", name, "the name of a class or its number")
        places = [n for n, one in enumerate(names) if one == name]
        if len(places) > 1:
            numbers = ", ".join(map(str, places[:20])) + (", ..." if len(places) > 20 else "")
            raise ValueError(f"got the class {shown(name)}, which is the name of the classes {numbers}: give one of "
                             "these numbers")
        if places:
            return places[0]
        index = counted(name) if isinstance(name, str) else int(name)
        if index is not None and 0 <= index < len(names):
            return index
        there = f"its classes are 0 to {len(names) - 1}: {among(names)}" if names else "it has no class names"
        hint = did_you_mean(quotable(name), map(quotable, names)) if isinstance(name, str) else ""
        raise ValueError(f"got the class {shown(name)}, which the model does not have: {hint}{there}")
