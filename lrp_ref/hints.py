"""What a person is told besides results: the name that was meant, and what work is at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

Watch = Callable[[str], object]   # is told, in a few words, what is begun


def unwatched(text: str) -> None:
    """Tells nobody what is begun."""


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A question that suggests the nearest of the names, or nothing where half of it differs from them all."""
    near = get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""
