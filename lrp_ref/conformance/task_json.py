"""A task and an answer as JSON whose numbers nothing rounds: hex floats, "0x1.8p+1"; sizes are JSON's ints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import accumulate
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import spaced
from lrp_ref.hints import shown
from lrp_ref.network import Network
from lrp_ref.rules import Rule

NUMBER = re.compile(r"[+-]?(0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(p[+-]?[0-9]{1,5})?|nan|inf|infinity)",
                    re.ASCII | re.IGNORECASE)   # an exponent of more digits is worked out for long, and none
# A text that is never closed goes to the end: there is one way to match, however a line is quoted.
NO_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^][{}"]+', re.DOTALL)
SIZES = {"size", "stride", "pad", "dilation", "groups", "parts", "sizes", "step", "bounds", "output_pad", "factor",
         "shape", "axes", "axis", "start", "stop", "before", "after", "left", "right"}   # ints; all else is hex
LONGEST = 200   # letters of an answer in an error
DEPTH = 32      # of brackets in one another: arrays of NumPy 1 have no more axes


def task_json(network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> dict[str, Any]:
    """A task: the layers, lowest first, each with its rule, then x and R; in a graph with what each reads."""
    net = [{"name": name, "op": type(layer).__name__, **({} if network.is_chain else {"reads": list(reads)}),
            **parameters(layer), "rule": {"name": type(rules[name]).__name__, **parameters(rules[name])}}
           for name, layer, reads in network.nodes]
    return {"net": net, "x": hexed(x), "R": hexed(R)}


def parameters(thing: Any) -> dict[str, Any]:
    values = {f.name: getattr(thing, f.name) for f in fields(thing)}
    return {name: plain(value) if name in SIZES and not isinstance(thing, Rule) else hexed(value)
            for name, value in values.items()}


def plain(value: Any) -> Any:
    return [plain(part) for part in value] if isinstance(value, (tuple, list, np.ndarray)) else value


def hexed(value: Any) -> Any:
    """Numbers and arrays as hex floats; truth values, texts and None as they are."""
    if isinstance(value, (np.ndarray, list, tuple)):
        return [hexed(part) for part in value]
    return value if value is None or isinstance(value, (bool, str)) else float(value).hex()


def read_object(line: str) -> dict[str, Any]:
    """The JSON object that a line is; an error where it is none, or deeper or larger than arrays and their numbers."""
    try:
        if depth(line) > DEPTH:
            raise ValueError(f"with brackets in one another more than {DEPTH} deep")
        found = json.loads(line, parse_int=held_integer)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("needed one JSON object per line: print all else to stderr, and flush")
    return found


def depth(line: str) -> int:
    """How many brackets are open at once at most, those in texts left out: known before any is followed."""
    brackets = NO_BRACKET.sub("", line)
    return max(accumulate((c in "[{") - (c in "]}") for c in brackets), default=0)


def held_integer(digits: str) -> int:
    """An integer that float64 holds, at least nearly."""
    try:
        float(number := int(digits))
    except (ValueError, OverflowError):   # of more digits than Python reads; of more than float64 holds
        raise ValueError(f"with an integer of {len(digits)} digits, which float64 does not hold: write it as a hex "
                         "float, or inf") from None
    return number


def unhexed(nested: Any) -> Any:
    return [unhexed(part) for part in nested] if isinstance(nested, list) else unhexed_number(nested)


def unhexed_number(given: Any) -> float:
    """A hex float, nan, inf, each with a sign or without and in letters of any size, or one of JSON's numbers, which
    may be rounded."""
    with suppress(OverflowError):   # of 0x1p9999, of 10^400
        if isinstance(given, str) and NUMBER.fullmatch(given):
            return float.fromhex(given)
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given)
    raise ValueError(f"got {shortened(given)}, needed a hex float of float64 such as \"0x1.8p+1\"")


def shortened(thing: Any, most: int = LONGEST) -> str:
    """Its beginning, of which a terminal obeys nothing."""
    text = thing if isinstance(thing, str) else shown(thing) if isinstance(thing, int) else json.dumps(thing)
    return spaced(text) if len(text) <= most else spaced(text[:most]) + " .."
