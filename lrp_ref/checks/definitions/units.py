"""Units, numbers, and what a layer is at an image: z_j = sum_i c_ij a_i w_ij + b_j, connection by connection."""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

Number = Any
Unit = tuple[int, ...]
Units = dict[Unit, Number]
Pair = tuple[int, int]


def units(nested: Any, at: Unit = ()) -> Units:
    """{(c, y, x): value} from lists [c][y][x], {(i,): value} from a list."""
    if not isinstance(nested, list):
        return {at: nested}
    return {unit: value for n, part in enumerate(nested) for unit, value in units(part, (*at, n)).items()}


def lists(a: Units) -> Any:
    """Lists [c][y][x] from {(c, y, x): value}: `units` undone."""
    if () in a:
        return a[()]
    length = 1 + max(i[0] for i in a)
    return [lists({i[1:]: value for i, value in a.items() if i[0] == n}) for n in range(length)]


def shape(a: Units) -> tuple[int, int, int]:
    """(channels, height, width) of an image."""
    c, y, x = max(a)
    return c + 1, y + 1, x + 1


def rational_root(q: Fraction) -> Fraction:
    """The root of a square of a rational; an error otherwise."""
    root = Fraction(isqrt(q.numerator), isqrt(q.denominator))
    if root * root != q:
        raise ValueError(f"{q} has no rational root")
    return root


def divide(p: Number, q: Number) -> Number:
    """p / q, a Fraction where both are ints."""
    return Fraction(p, q) if isinstance(p, int) and isinstance(q, int) else p / q


def positive(x: Number) -> Number:
    """x+ = max(x, 0)."""
    return x if x > 0 else 0


def negative(x: Number) -> Number:
    """x- = min(x, 0)."""
    return x if x < 0 else 0


Connections = dict[Unit, list[tuple[Unit, Number, Number]]]
"""By output j the inputs (i, c_ij, w_ij) that reach it: coverage c_ij > 0, and a weight that may be 0."""


@dataclass(frozen=True)
class Map:
    """z_j = sum_i c_ij a_i w_ij + b_j: the connections and bias of every j, and the x_j the layer puts out.

    `learned`: the weights are the model's, and not the image's (winners, gates) or mere windows.
    """

    connections: Connections
    bias: Units
    output: Units
    learned: bool


def affine(a: Units, connections: Connections, bias: Units, learned: bool) -> Map:
    """A layer that is its map: x_j = z_j."""
    output = {j: sum(c * a[i] * w for i, c, w in connections[j]) + bias[j] for j in connections}
    return Map(connections, bias, output, learned)


def gate(weight: Units, output: Units) -> Map:
    """x_i = a_i w_i: one weight for each unit, set by the image."""
    connections = {i: [(i, 1, weight[i])] for i in weight}
    return Map(connections, dict.fromkeys(weight, 0), output, learned=False)
