"""What a person is told besides results: the name that was meant, and what work is at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any
from unicodedata import category

Watch = Callable[[str], object]   # is told, in a few words, what is begun
LONGEST = 500   # letters of a message, which has to be read to its end
LISTED, SHOWN = 200, 80   # of them for all that it lists, and for one value


def unwatched(text: str) -> None:
    """Tells nobody what is begun."""


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """A question that suggests the nearest of the names, or nothing where half of it differs from them all."""
    near = get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""


def printable(text: str) -> str:
    """What a terminal would obey, and half a character, as codes: `\\x1b`, `\\udcff`; a new line stays one."""
    return re.sub(r"[^\n -~]", lambda found: found[0] if shows(found[0]) else ascii(found[0])[1:-1], text)


def shows(letter: str) -> bool:
    """Whether it is seen, or leaves a space that is."""
    return letter.isprintable() or category(letter) == "Zs"


def brief(text: str) -> str:
    """In one line that can be printed; of a very long one, as names make it, the middle is left out."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[:LONGEST // 2]} .. {line[-(LONGEST // 2 - 4):]}"


def quotable(text: object, letters: int = SHOWN) -> str:
    """The text without quotes: what cannot be printed as \\x1b, and of a long one the beginning."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text)[: letters + 1])
    return text if len(text) <= letters else text[: letters - 3] + "..."


def shown(value: object, letters: int = SHOWN) -> str:
    """The value as Python writes it, on one line without control characters, and of a long one the beginning."""
    if (isinstance(value, (list, tuple)) and len(value) > letters) or isinstance(value, (str, bytes)):
        value = value[: letters + 1]
    try:
        return quotable(repr(value), letters)
    except Exception:   # of an int of many digits a ValueError, of lists in lists a RecursionError, of others whatever
        return f"a {type(value).__name__} that cannot be shown"


def nearest_float(c: Any) -> float:
    """The float nearest to a number, to be shown; infinite where it is beyond all."""
    try:
        return float(c)
    except OverflowError:
        return float("inf") if c > 0 else float("-inf")


def listed(names: Iterable[object]) -> str:
    """The names with commas between, as many as a message can take."""
    words = [str(name) for name in names]
    text = ", ".join(words)
    if len(text) <= LISTED:
        return text
    return f"{text[:LISTED].rpartition(', ')[0] or shown(words[0])}, ... ({len(words)} in all)"
