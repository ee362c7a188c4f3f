"""Maps as text: read back by other code than the page's, half a unit from what they were."""

from __future__ import annotations

import zlib
from base64 import b64decode

import numpy as np

from lrp_ref.explorer.numbers import Maps, packed, twelve_digits


def read_back(written: dict) -> list[np.ndarray]:
    """High bytes, then low bytes, of numbers of 16 bits in the two's complement, by arithmetic on ints."""
    data = zlib.decompress(b64decode(written["data"]))
    half, first, found = len(data) // 2, 0, []
    for rows, columns, unit in written["maps"]:
        count = rows * columns
        ints = [256 * data[i] + data[half + i] for i in range(first, first + count)]
        found.append(np.array([unit * (n - 65536 if n > 32767 else n) for n in ints]).reshape(rows, columns))
        first += count
    assert first == half
    return found


def test_maps_come_back_within_half_a_unit_and_the_largest_exactly() -> None:
    rng = np.random.default_rng(4)
    given = [rng.standard_t(2, size=(5, 7)), -rng.random((2, 3)) * 1e-9, np.zeros((3, 1)), np.array([[-4.0]])]
    maps = Maps()
    assert [maps.add(values) for values in given] == [0, 1, 2, 3]
    for values, found in zip(given, read_back(maps.written()), strict=True):
        largest = abs(values).max()
        assert (abs(found - values) <= largest / 65534 * (1 + 1e-12)).all()   # half a unit, and the product's rounding
        assert abs(found).max() == np.float64(largest / 32767) * 32767


def test_a_map_that_is_there_is_not_kept_twice() -> None:
    maps = Maps()
    values = np.array([[1.0, -2.0]])
    assert [maps.add(values), maps.add(2 * values), maps.add(values.copy()), maps.add(values.T)] == [0, 1, 0, 2]
    assert len(read_back(maps.written())) == 3


def test_bytes_stand_before_the_numbers_that_follow_them() -> None:
    data = zlib.decompress(b64decode(packed(np.array([[1, 2]], np.uint8), np.array([[258, -1]], np.int16))))
    assert list(data) == [1, 2, 1, 255, 2, 255]


def test_sums_have_twelve_digits() -> None:
    assert twelve_digits(np.float64(1) / 3) == 0.333333333333
