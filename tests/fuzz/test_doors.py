"""A short run of every door: nothing ends in foreign words, another exception, ten seconds or two gigabytes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from doors import DOORS
from harness import BAD, Door, try_once

CASES = 12   # a second or so of every door; `make fuzz` goes on


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_nothing_that_comes_in_breaks_a_door(door: Door) -> None:
    seen = [try_once(door, seed) for seed in range(CASES)]
    assert not [str(one) for one in seen if one.column in BAD]
