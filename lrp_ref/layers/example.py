"""Small exact examples of layers, on which laws and definitions are tried: both signs, zeros, ties, no size twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, same

MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Example:
    """A layer in Fractions, the shape of one sample that it takes, and what makes any numbers an input for it.

    suited    a histogram has no negative numbers, and a root is rational of squares alone
    rational  False: the layer has no exact form, so that exact arithmetic takes its float64 map as the rationals it is
    """

    layer: Any
    shape: Shape
    suited: Callable[[Array], Array] = same
    rational: bool = True


def fractions(text: str) -> Array:
    """fractions("1/2 -3 0") (3,); commas end rows."""
    rows = [[Fraction(word) for word in row.split()] for row in text.split(",")]
    return np.array(rows if "," in text else rows[0], dtype=object)


def mixed(shape: Shape, seed: int = 0) -> Array:
    """Small Fractions of both signs, with zeros and ties among them."""
    tops, bottoms = whole_numbers(shape, seed, -4, 5), whole_numbers(shape, seed + 1000, 0, 3)
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        out[index] = Fraction(int(tops[index]), (1, 1, 2, 4)[bottoms[index]])
    return out


def whole_numbers(shape: Shape, seed: int, low: int, high: int) -> Array:
    """An array of ints from low to high, drawn from a seed."""
    numbers = [low + n % (high - low + 1) for n in drawn(prod(shape), seed)]
    return np.array(numbers, dtype=np.int64).reshape(shape)


def drawn(count: int, seed: int) -> Iterator[int]:
    """Whole numbers below 2^64 from a seed: SplitMix64, the same on every machine and under every NumPy."""
    state = seed * 0x9E3779B97F4A7C15 & MASK
    for _ in range(count):
        state = state + 0x9E3779B97F4A7C15 & MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        yield z ^ z >> 31
