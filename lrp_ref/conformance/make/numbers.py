"""Small numbers for cases: whole, exact in every format, the same on every machine (SplitMix64)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.numbers.exact import GuardedFraction, guarded
from lrp_ref.layers import BatchNorm
from lrp_ref.layers.example import whole_numbers

F = GuardedFraction
T = TypeVar("T")
TRIES = 3000


def small(shape: tuple[int, ...], seed: int, low: int = -3, high: int = 3) -> Array:
    """Whole numbers from low to high, zeros and ties among them."""
    return convert_numbers(whole_numbers(shape, seed, low, high), F)


def halves(shape: tuple[int, ...], seed: int, low: int = -3, high: int = 2) -> Array:
    """n + 1/2 for n from low to high: as a bias among whole numbers they keep every z at least 1/2 away from 0."""
    return small(shape, seed, low, high) + F(1, 2)


def row(text: str) -> Array:
    """(1, I) from "1 -2 1/2"."""
    return guarded([text.split()])


def column(text: str) -> Array:
    """(I, 1): the weights of one output."""
    return row(text).T


def picture(text: str) -> Array:
    """(1, 1, H, W) from "1 2, 3 4"."""
    return guarded([[[line.split() for line in text.split(",")]]])


def batch_norm(mean: str, variance: str, scale: str, shift: str, epsilon: Any) -> BatchNorm:
    """Each a text with a number for every channel."""
    m, v, g, b = (guarded(text.split()) for text in (mean, variance, scale, shift))
    return BatchNorm(m, v, g, b, epsilon)


def first(build: Callable[[int], T], suits: Callable[[T], Any]) -> T:
    """build(seed) for the first seed from 0 on that suits."""
    for made in map(build, range(TRIES)):
        if suits(made):
            return made
    raise ValueError(f"none of {TRIES} draws suits: draw from other numbers")
