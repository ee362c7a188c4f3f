"""What comes in from outside as JSON or as arguments: read within limits, every field by its name, type and range."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import numpy as np

from lrp_ref.hints import did_you_mean, nearest_float, quotable, shown

T = TypeVar("T")
Read = Callable[[str, str, Any], T]   # (what has the field, its name, its value), e.g. ("LRN", "size", 3)

DEEPEST = 32      # brackets in brackets: a weight has 4 axes and stands 6 deep in its file; Python's stack ends at 1000
DIGITS = 400      # of a number: the largest float64 has 309, and int() of a million takes minutes
MOST = 2**31 - 1  # of a whole number whose field has no limit of its own: NumPy multiplies sizes in 64 bits
NAME = 100        # letters of a name, so that a message that quotes one can be read
LETTERS = 200     # of a file's path in a message
AXES = 8          # of an array in nested lists: batches of images have 4


def among(names: Sequence[str]) -> str:
    """The first names of many, so that a message stays short."""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(quotable(name, 30) for name in names[:8]) + more


def json_value(text: str | bytes, what: str) -> Any:
    """What a JSON text says; an error where it is none, says a name twice or a number too long, or nests too deep."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, object_pairs_hook=once, parse_int=whole_of)
    except RecursionError:
        raise ValueError(f"{what} has brackets in brackets, needed at most {DEEPEST} deep") from None
    except UnicodeDecodeError:
        raise ValueError(f"{what} is no text in UTF-8, needed JSON") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, (list, dict))]:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"{what} has brackets in brackets, needed at most {DEEPEST} deep")
        level = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with every name once: of two values readers would take different ones."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"has the field {shown(name)} twice, needed it once")
        fields[name] = value
    return fields


def whole_of(text: str) -> int:
    """A whole number from its digits."""
    if len(text) > DIGITS:
        raise ValueError(f"has a number of {len(text)} digits, needed at most {DIGITS}")
    return int(text)


def counted(text: str, most: int = MOST) -> int | None:
    """The number from 0 to `most` that the text writes in digits; None: it writes none."""
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) > most:
        return None
    return int(text)


class Fields:
    """The fields of a JSON object, taken one by one by name and type; `done` refuses what nobody took."""

    def __init__(self, given: Any, what: str) -> None:
        if not isinstance(given, Mapping):
            raise ValueError(f"{quotable(what)} is {shown(given)}, needed fields {{name: value}}")
        self.left, self.what, self.known = dict(given), quotable(what), list[str]()

    def take(self, name: str, read: Read[T], *default: T) -> T:
        """The field, read; the default where there is none."""
        self.known.append(name)
        if name not in self.left and default:
            return default[0]
        if name not in self.left:
            raise ValueError(f"{self.what}: {shown(name)} is missing")
        return read(self.what, name, self.left.pop(name))

    def done(self) -> None:
        for name in self.left:
            raise ValueError(f"{self.what} has a field {shown(name)} that this program does not know: "
                             f"{did_you_mean(quotable(name), self.known)}it knows {among(self.known)}")


def refused(what: str, name: str, value: object, needed: str) -> ValueError:
    """The one error of all readers."""
    return ValueError(f"{quotable(what)} got {quotable(name)}={shown(value)}, needed {needed}")


def anything(what: str, name: str, value: Any) -> Any:
    return value


def text(what: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise refused(what, name, value, "a text")
    return str(value)


def called(what: str, name: str, value: Any) -> str:
    """A name: a text that can be printed on a line."""
    if not isinstance(value, str) or not 0 < len(value) <= NAME or not value.isprintable():
        raise refused(what, name, value, f"a name of 1 to {NAME} letters that can be printed")
    return str(value)


def truth(what: str, name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise refused(what, name, value, "true or false")
    return bool(value)


def integer(least: int = 0, most: int = MOST, needed: str = "a whole number") -> Read[int]:
    """A reader of whole numbers, of Python or NumPy, from least to most."""
    def read(what: str, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise refused(what, name, value, f"{needed} from {least} to {most}")
        return int(value)
    return read


def real(what: str, name: str, value: Any) -> float:
    """A finite number, as float."""
    found = as_float(value)
    if found is None or not isfinite(found):
        raise refused(what, name, value, "a finite number")
    return found


def as_float(value: Any) -> float | None:
    """A number as float, infinite where it is beyond float64; None: it is no number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    return nearest_float(value)


def list_of(read: Read[T], most: int = MOST) -> Read[list[T]]:
    """A reader of lists, every entry read: a text or a number is none."""
    def reader(what: str, name: str, value: Any) -> list[T]:
        if not isinstance(value, (list, tuple)) or len(value) > most:
            raise refused(what, name, value, "a list" + (f" of at most {most}" if most < MOST else ""))
        return [read(what, f"{name}[{n}]", part) for n, part in enumerate(value)]
    return reader


def each(read: Read[T]) -> Read[Mapping[str, T]]:
    """A reader of objects, every value read."""
    def reader(what: str, name: str, value: Any) -> Mapping[str, T]:
        given = Fields(value, f"{what}: {name}")
        return {key: given.take(key, read) for key in [*given.left]}
    return reader


def nested(what: str, name: str, value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and numbers of an array that stands in nested lists, of which all rows are of one length."""
    shape, flat = list[int](), [value]
    while flat and isinstance(flat[0], list):
        lengths = {len(row) if isinstance(row, list) else -1 for row in flat}
        if len(lengths) > 1 or len(shape) == AXES:
            raise refused(what, name, value, f"nested lists of at most {AXES} axes, in which all rows have one length")
        shape += lengths
        flat = [part for row in flat for part in row]
    if not shape:
        raise refused(what, name, value, "nested lists of numbers")
    return tuple(shape), flat


def or_none(read: Read[T]) -> Read[T | None]:
    def reader(what: str, name: str, value: Any) -> T | None:
        return None if value is None else read(what, name, value)
    return reader


def by_type(declared: Any, other: Read[Any]) -> Read[Any]:
    """The reader of a dataclass's field by the type that its class declares; the other where that says too little."""
    known: dict[Any, Read[Any]] = {"bool": truth, "int": integer(1), "str": text}
    return known.get(declared, other)
