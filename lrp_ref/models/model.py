"""A model: a network, what it wants of a photograph, and its class names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, convert_numbers
from lrp_ref.hints import did_you_mean
from lrp_ref.layers import DenseSift, FisherVector
from lrp_ref.layers.base import pair, whole
from lrp_ref.layers.fisher.regions import rectangles, regions_of
from lrp_ref.network import Network


@dataclass(frozen=True)
class Preprocessing:
    """x = (maximum * pixels - mean) / std, pixels in [0, 1], at the size the network wants.

    size     (H, W); None: each photograph's own, if `tallest` says how large it may be
    colour   grey, rgb or bgr: the order of the channels
    maximum  what white is before the mean is taken: 1, or 255
    mean     one number, or one per channel
    std      likewise
    tallest  where size is None, the most rows: a taller photograph is made so tall, in its own proportions
    """

    size: Pair | None
    colour: str = "grey"
    maximum: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    tallest: int | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", pair(self.size, "Preprocessing", "size", 1))
        if self.tallest is not None:
            if not (whole(self.tallest) and self.tallest >= 1):
                raise ValueError(f"Preprocessing got tallest={self.tallest!r}, needed a number of rows, at least 1")
            object.__setattr__(self, "tallest", int(self.tallest))
        if self.colour not in ("grey", "rgb", "bgr"):
            raise ValueError(f"Preprocessing got colour={self.colour!r}, needed grey, rgb or bgr")
        for name in ("mean", "std"):
            values = np.atleast_1d(getattr(self, name)).astype(float)
            if values.shape not in ((1,), (self.channels,)) or not np.isfinite(values).all():
                raise ValueError(f"Preprocessing got {name}={getattr(self, name)}, needed a finite number or "
                                 f"{self.channels} of them")
            object.__setattr__(self, name, tuple(values.tolist()))
        if not (min(self.std) > 0 and 0 < self.maximum < float("inf")):
            raise ValueError(f"Preprocessing got std={self.std} and maximum={self.maximum}, needed positive numbers")

    @property
    def channels(self) -> int:
        return 1 if self.colour == "grey" else 3

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
        kinds = {type(layer) for _, layer in self.chain}
        if self.regions is None:
            return
        if not {DenseSift, FisherVector} <= kinds:
            raise ValueError(f"Model got regions={self.regions!r}, but its network has no DenseSift and FisherVector "
                             "to put them in: leave regions=None")
        if not isinstance(self.regions, str):
            object.__setattr__(self, "regions", rectangles(self.regions))
        regions_of(np.zeros((1, 2)), (1, 1), self.regions)   # an error where they are none

    def prepare(self, photograph: Any) -> Array:
        """(1, C, H, W): the photograph at the network's size (the whole of it, squeezed to a fixed one), normalised.

        photograph: (H, W) or (H, W, 3), uint8, uint16, bool, or floats in [0, 1]; what `read_photograph` gives of a
        file; or an image of Pillow's in any mode, which gives the same as its file.
        """
        from lrp_ref.pictures.photograph import resize, to_channels, to_pixels

        pixels = to_pixels(photograph)
        pixels = resize(pixels, self.preprocessing.size_of(pixels.shape[:2]))
        x = self.preprocessing.maximum * to_channels(pixels, self.preprocessing.colour)
        mean, std = (np.array(v)[:, None, None] for v in (self.preprocessing.mean, self.preprocessing.std))
        return convert_numbers(((x - mean) / std)[None], self.chain.number or np.float64)

    def network(self, shape: Shape) -> Network:
        """The network for inputs of that shape; for a CNN the same one for all shapes that it can take.

        A FisherVector with regions gets the descriptors of this image size that lie in each.
        """
        network = self.chain
        if self.regions is not None:
            frames = next(layer.frames(shape) for _, layer in network if isinstance(layer, DenseSift))
            regions = regions_of(frames, shape, self.regions)
            network = Network((name, replace(layer, regions=regions) if isinstance(layer, FisherVector) else layer)
                              for name, layer in network)
        network.shapes(shape)
        return network

    def at_size(self, size: Pair) -> Model:
        """The model for inputs of another height and width."""
        return replace(self, preprocessing=replace(self.preprocessing, size=size))

    def class_index(self, name: str | int) -> int:
        """The position of a class given by its name or its number."""
        names = list(self.classes)
        if name in names:
            return names.index(name)
        if str(name).isdecimal() and int(name) < len(names):
            return int(name)
        shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
        raise ValueError(f"got the class {name!r}, which the model does not have: {did_you_mean(name, names)}"
                         f"its classes are 0 to {len(names) - 1}: {shown}")


