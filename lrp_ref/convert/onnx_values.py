"""What a tensor of an ONNX graph is for us: one that our network makes, or a constant."""

from __future__ import annotations

from dataclasses import dataclass

from lrp_ref.arrays import Array, Shape


@dataclass(frozen=True)
class Tensor:
    """What a layer of ours makes, by the layer's name; its shape is that of one sample, without the batch axis."""

    name: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Known:
    """A constant: one array for every number of images that is tried, the same one where it does not depend on it.

    What a graph works out of the shape of a batch, to reshape another with, depends on it in its first number.
    """

    values: tuple[Array, ...]

    @property
    def fixed(self) -> bool:
        first = self.values[0]
        return all(one is first or (one.shape == first.shape and bool((one == first).all())) for one in self.values)


Value = Tensor | Known
