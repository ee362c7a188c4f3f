"""A claim is a name, a sentence, an arithmetic and its cases; a case says what it looks at and how to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.residues import Residues

FRACTIONS, FROZEN = "Fractions", "Fractions; float64 maps as the rationals they are"
PRIMES, DECIMALS = "modulo 2 primes of 31 bits", "Decimal, 34 and 50 digits"
PROVED, WITHIN = "proved", "within bound"
SEEDS = range(6)   # that examples are drawn from: the first always, the others with --full


@dataclass(frozen=True, eq=False)
class Found:
    """Whether the claim holds in a case, exact results that belong in the digest, a remark to print."""

    holds: bool
    results: tuple[Array, ...] = ()
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """What is looked at; how to look, which may answer with a mere bool; whether only --full looks."""

    what: str
    check: Callable[[], Found | bool]
    full: bool = False

    def found(self) -> Found:
        found = self.check()
        return found if isinstance(found, Found) else Found(bool(found))


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim: its name, its one text, its arithmetic, its cases, and what it is if they all hold."""

    name: str
    sentence: str
    arithmetic: str
    cases: Callable[[], Iterable[Case]]
    verdict: str = PROVED

    def chosen(self, full: bool = False) -> Iterator[Case]:
        """The cases, without those that only --full looks at unless it does."""
        return (case for case in self.cases() if full or not case.full)


def digest(looked: Iterable[tuple[Case, Found]]) -> str:
    """Twelve hexadecimal digits over what the cases were and their exact results, the same on every machine."""
    total = sha256()
    for case, found in looked:
        total.update(f"{case.what} {found.holds}\n".encode())
        for result in found.results:
            total.update(canonical(result))
    return total.hexdigest()[:12]


def canonical(x: Array) -> bytes:
    """An array as bytes: residues as they are, floats in hexadecimal, other numbers as p/q."""
    if isinstance(x, Residues):
        return b"".join(r.astype("<i8").tobytes() for r in x.residues)
    if x.dtype == np.float64:
        return " ".join(float.hex(float(number)) for number in x.flat).encode()
    return " ".join(str(number) for number in x.flat).encode()


def equal(x: Any, y: Any) -> bool:
    """Whether two arrays have one shape and equal numbers: ==, without tolerance."""
    x, y = np.asanyarray(x), np.asanyarray(y)
    return x.shape == y.shape and bool((x == y).all())
