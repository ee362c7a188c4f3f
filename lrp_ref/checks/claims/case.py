"""A case of a claim: whether it held, and its exact results for the digest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.residues import Residues


@dataclass(frozen=True, eq=False)
class Case:
    """what was looked at, whether the claim holds there, exact results that belong in the digest, a remark to print."""

    what: str
    holds: bool
    results: tuple[Array, ...] = ()
    remark: str = ""


def digest(cases: list[Case]) -> str:
    """Twelve hexadecimal digits over what the cases were and their exact results, the same on every machine."""
    total = sha256()
    for case in cases:
        total.update(f"{case.what} {case.holds}\n".encode())
        for result in case.results:
            total.update(canonical(result))
    return total.hexdigest()[:12]


def canonical(x: Array) -> bytes:
    """An array as bytes: residues as they are, floats in hexadecimal, other numbers as p/q."""
    if isinstance(x, Residues):
        return b"".join(r.astype("<i8").tobytes() for r in x.residues)
    if x.dtype == np.float64:
        return " ".join(float.hex(float(number)) for number in x.flat).encode()
    return " ".join(str(number) for number in x.flat).encode()


def same(x: Any, y: Any) -> bool:
    """Whether two arrays have one shape and equal numbers: ==, without tolerance."""
    x, y = np.asanyarray(x), np.asanyarray(y)
    return x.shape == y.shape and bool((x == y).all())
