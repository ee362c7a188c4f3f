"""Did you mean: the nearest of some names, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A question that suggests the nearest of the names, or nothing where half of it differs from them all."""
    near = get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""
