"""What a tensor of an ONNX graph is for us: one that our network makes, as it is or laid otherwise, or a constant."""

from __future__ import annotations

from dataclasses import dataclass

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.laid import Groups, laid_out, sizes_of


@dataclass(frozen=True)
class Tensor:
    """What a layer of ours makes, by the layer's name; its shape is that of one sample, without the batch axis."""

    name: str
    shape: Shape

    def sizes(self, n: int) -> Shape:
        """The shape for n images."""
        return n, *self.shape

    def laid(self, ours: Array) -> Array:
        return ours


@dataclass(frozen=True)
class Laid:
    """A tensor of ours, (N, ..), that the graph has as (T, N, ..), (T, N h, ..) or (N T, ..): the batch elsewhere.

    groups  for every axis of the graph's tensor, the axes of ours that it is made of, as in `lrp_ref.convert.laid`
    """

    tensor: Tensor
    groups: Groups

    def sizes(self, n: int) -> Shape:
        """The graph's shape, for n images."""
        return sizes_of(self.tensor.sizes(n), self.groups)

    def laid(self, ours: Array) -> Array:
        """Our numbers in the graph's order."""
        return laid_out(ours, self.groups)


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


Value = Tensor | Laid | Known


def name_of(value: Tensor | Laid) -> str:
    """The layer that makes it."""
    return value.name if isinstance(value, Tensor) else value.tensor.name
