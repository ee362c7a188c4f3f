"""z_j = sum_i c_ij a_i w_ij + b_j: what every layer is at a given input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lrp_ref.arrays import Array, Function, Shape, same

Index = tuple[slice, ...]


class LinearMap:
    """z_j = sum_i c_ij a_i w_ij + b_j, with coverage c, weight w and bias b.

    A map says where inputs reach (the coverage, which no rule can change) and holds the weights; a rule only names
    the function f of the weights it wants. A kind of map defines `apply` and `transpose`, or, where several functions
    of the weights can share work, `apply_each` and `transpose_sum`.

    weight     the weights w, in whatever layout the map has
    bias       b, shaped to broadcast against z
    learned    False where the weights are the image's and not the model's: winners, gates
    gate       True where every output has one input of its own
    coverages  the numbers c_ij > 0 that there are; none: they are not known
    """

    weight: Array
    bias: Array
    learned: bool = False
    gate: bool = False

    @property
    def coverages(self) -> Any:
        return ()

    def __call__(self, a: Array) -> Array:
        """z_j = sum_i c_ij a_i w_ij + b_j"""
        return self.apply(a, same) + self.bias

    def apply(self, a: Array, f: Function) -> Array:
        """sum_i c_ij a_i f(w_ij)"""
        return self.apply_each(a, [f])[0]

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        """sum_j c_ij f(w_ij) s_j, an array of the given shape (the inputs')."""
        return self.transpose_sum([s], [f], shape)

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        """[sum_i c_ij a_i f(w_ij) for f in functions]"""
        return [self.apply(a, f) for f in functions]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        """sum over the functions f and their s: sum_j c_ij f(w_ij) s_j"""
        parts = [self.transpose(s_f, f, shape) for s_f, f in zip(s, functions, strict=True)]
        return sum(parts[1:], start=parts[0])

    def pieces(self, shape: Shape) -> Iterator[tuple[Index, Index, LinearMap]]:
        """The map as maps of some outputs each: (where their inputs are, where the outputs are, the map between them).

        Together they are the map. Where the whole is too large for the processor's cache, pieces are faster.
        """
        yield (), (), self
