"""v = n * unit, n a whole number of 16 bits: maps as text in a page, compressed, half a unit from what they were."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.explorer.walk import Map

LARGEST = 32767   # unit = max |v| / LARGEST, so that |n * unit - v| <= max |v| / 65534


class Maps:
    """Maps one after the other, each once: `add` says which one it is. `written()` is what a page keeps of them."""

    def __init__(self) -> None:
        self.facts: list[list[float]] = []   # rows, columns, unit
        self.numbers: list[NDArray[np.int16]] = []
        self.places: dict[tuple[tuple[int, ...], bytes], int] = {}

    def add(self, values: Map) -> int:
        key = values.shape, values.tobytes()
        if key not in self.places:
            self.places[key] = len(self.facts)
            unit = float(abs(values).max()) / LARGEST
            self.facts.append([*values.shape, unit])
            self.numbers.append(np.rint(values / (unit or 1)).astype(np.int16).ravel())
        return self.places[key]

    def written(self) -> dict[str, Any]:
        return {"maps": self.facts, "data": packed(np.concatenate(self.numbers))}


def packed(*arrays: NDArray[Any]) -> str:
    """Base64 of their bytes, compressed: of 16-bit numbers all high bytes before all low ones, which are noise."""
    planes = [part for array in arrays for part in (
        ((array.view(np.uint16) >> 8).astype(np.uint8), (array.view(np.uint16) & 255).astype(np.uint8))
        if array.dtype == np.int16 else (array,))]
    return b64encode(zlib.compress(b"".join(plane.tobytes() for plane in planes), 9)).decode()


def twelve_digits(value: Any) -> float:
    """Twelve digits of a number."""
    return float(f"{float(value):.12g}")
