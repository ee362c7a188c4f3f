"""A task and an answer as JSON whose numbers nothing rounds: hex floats, "0x1.8p+1"; sizes are JSON's ints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, shown
from lrp_ref.network import Network
from lrp_ref.rules import Rule

SIZES = {"size", "stride", "pad", "dilation", "groups", "parts", "sizes", "step", "bounds"}   # ints; all else is hex
WRITTEN = re.compile(r"[+-]?(0x[0-9a-f]*\.?[0-9a-f]+\.?(p[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII)
LONGEST = 200   # letters of an answer in an error


def task_json(network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> dict[str, Any]:
    """A task: the layers, lowest first, each with its rule, then x and R."""
    net = [{"name": name, "op": type(layer).__name__, **parameters(layer),
            "rule": {"name": type(rules[name]).__name__, **parameters(rules[name])}} for name, layer in network]
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


def unhexed(nested: Any) -> Any:
    return [unhexed(part) for part in nested] if isinstance(nested, list) else unhexed_number(nested)


def unhexed_number(given: Any) -> float:
    """A hex float; nan or inf with any sign and in any case, as C, R and Julia print them; or one of JSON's numbers.

    A JSON number may be rounded.
    """
    try:
        if isinstance(given, str) and WRITTEN.fullmatch(given):
            return float.fromhex(given)
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given)
    except OverflowError:
        raise ValueError(f"got {shortened(given)}, which float64 does not hold, needed a smaller number") from None
    raise ValueError(f"got {shortened(given)}, needed a hex float such as \"0x1.8p+1\"")


def shortened(thing: Any) -> str:
    number = isinstance(thing, int) and not isinstance(thing, bool)   # of more digits than Python writes, perhaps
    text = thing if isinstance(thing, str) else shown(thing) if number else json.dumps(thing)
    return text if len(text) <= LONGEST else text[:LONGEST] + " .."
