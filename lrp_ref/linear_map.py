"""z_j = sum_i c_ij a_i w_ij + b_j: what every layer is at a given input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lrp_ref.arrays import Array, Function, Index, Shape, same, some, thin, times, zeros


@dataclass(frozen=True, eq=False)
class Term:
    """z_ij = c_ij a_i f(w_ij), and b_j: what a rule asks of a map."""

    a: Array
    f: Function
    b: Any = 0


@dataclass(frozen=True, eq=False)
class Known:
    """The output z of a map at the input a, which the forward pass has left."""

    a: Array
    z: Array


class LinearMap:
    """z_j = sum_i c_ij a_i w_ij + b_j, with coverage c, weight w and bias b.

    A map says where inputs reach (the coverage, which no rule can change) and holds the weights; a rule only names
    the function f of the weights it wants. A kind of map defines `apply` and `transpose`, or, where several functions
    of the weights can share work, `apply_each` and `transpose_sum`.

    weight     the weights w, in whatever layout the map has
    bias       b, shaped to broadcast against z
    learned    False where the weights are the image's and not the model's: winners, gates
    gate       True where every output has one input of its own, or none
    coverages  the numbers c_ij > 0 that there are; none: they are not known
    weightless True where there is nothing but a coverage, and no function of weights but 1 to ask for
    known      an output of the map that is there already, see `recalling`
    straight   True where the weights are the derivatives of the layer's output too
    derivative what gives the map of these derivatives at an input, where that is another map
    """

    weight: Array
    bias: Array
    learned: bool = False
    gate: bool = False
    weightless: bool = False
    known: Known | None = None
    straight = False
    derivative: Callable[[Array], LinearMap] | None = None

    @property
    def coverages(self) -> Any:
        return ()

    def __call__(self, a: Array) -> Array:
        """z_j = sum_i c_ij a_i w_ij + b_j"""
        if self.known is not None and a is self.known.a:   # Same result without these lines, by a product.
            return self.known.z
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

    # ---- What the layer can be read as besides: for rules that see another map (seen.py) ----

    def tangent(self, a: Array) -> LinearMap:
        """w_ij = dz_j / da_i and b_j = z_j - sum_i a_i w_ij: the map that the layer's derivatives are at a."""
        if self.straight:
            return self
        if self.derivative is None:
            raise ValueError("Tangent needs the layer's derivatives, which this layer does not state: give it another "
                             "rule by name, such as Epsilon(0)")
        return self.derivative(a)

    def shared(self, a: Array, shares: Sequence[Any]) -> LinearMap:
        """The map of a product in which these are the factors' shares of z."""
        raise ValueError("Factors is for products of tensors, MatMul and Multiply; use Epsilon(0)")

    def unscaled(self) -> LinearMap:
        """The map of a norm before its scale and shift."""
        raise ValueError("Unscaled is for LayerNorm; use Epsilon(0)")

    def by_weight(self, a: Array, s: Array) -> Array:
        """sum of a_i s_j over the connections (i, j) that have a weight, for every weight and sample: (N, *weight)."""
        raise ValueError("relevance of weights is for layers with weights of their own: Linear, Conv2D, "
                         "ConvTranspose2D, BatchNorm and Scale")

    # ---- What a step asks for ----

    def products(self, terms: Sequence[Term]) -> Iterator[Any]:
        """sum_i c_ij a_i f(w_ij) of every term, in their order; a number 0 for inputs that are all 0.

        Same result with `(self.apply(t.a, t.f) for t in terms)`. What is there for speed: a term of zeros takes no
        product; nor does the map's own output where it is known; terms with the same input are worked on together.
        """
        known = self.known
        found: dict[int, Any] = {n: known.z - self.bias for n, t in enumerate(terms)
                                 if known is not None and t.a is known.a and self.is_own(t)}
        for a, group in by_input(terms):
            asked = [n for n in group if n not in found]
            found |= zip(asked, self.apply_each(a, [terms[n].f for n in asked]) if asked else (), strict=True)
        return (thin(found[n]) if n in found else 0 for n in range(len(terms)))

    def returns(self, sent: Sequence[tuple[Term, Array]], shape: Shape) -> Array:
        """sum over the terms and their s of a_i sum_j c_ij f(w_ij) s_j, of that shape: what every input i receives.

        Same result with `t.a * self.transpose(s, t.f, shape)` of every term; the speed is that of `products`.
        """
        received = [times(self.transpose_sum([sent[n][1] for n in group], [sent[n][0].f for n in group], shape), a)
                    for a, group in by_input([t for t, _ in sent])]
        return sum(received[1:], start=received[0]) if received else zeros(shape, self.bias)

    def recalling(self, a: Array, z: Array) -> Self:
        """The same map, which knows its output z = m(a). Same result as without, up to the rounding of z.

        `products` gives z - b for the map's own term, and step adds b again. In floats (z - b) + b is z, z being a
        rounded sum p + b itself, but for one number in 100,000, off by half a unit in its last place. For these
        two roundings, of at most sum |c a w| + |b| each, bounds have room (checks/rounding/sums.py): F + 3 counts one
        of a rule's a and one of a coverage c, and Epsilon's term has neither where a map has a bias.
        """
        m = copy(self)
        object.__setattr__(m, "known", Known(a, z))
        return m

    def is_own(self, t: Term) -> bool:
        """Whether the term's weights and bias are the map's as they are."""
        return t.f is same and np.array_equal(t.b, self.bias)


def by_input(terms: Sequence[Term]) -> Iterable[tuple[Array, list[int]]]:
    """The inputs of the terms, and the positions of the terms that have the very same one; none that is all 0."""
    groups: dict[int, list[int]] = {}
    for n, t in enumerate(terms):
        groups.setdefault(id(t.a), []).append(n)
    return [(a, group) for group in groups.values() if some(a := terms[group[0]].a)]
