"""A case: a small network, its rules, an input and R_L, and the relevance that R_0 must be; and its JSON.

Numbers are texts, so that no reader rounds them: "3", "-17/90", or a hex float "0x1.8p+3". Sizes are JSON's ints. A
list of texts is an array. That holds for everything in a case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref import rules as canonical
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.numbers.exact import GuardedFraction
from lrp_ref.layers import LAYERS, Layer
from lrp_ref.network import Network
from lrp_ref.rules import Rule

LEVELS = ("required", "convention", "stress", "negative")
RULES: dict[str, type[Rule]] = {kind.__name__: kind for kind in (
    canonical.Epsilon, canonical.AlphaBeta, canonical.ZPlus, canonical.Gamma, canonical.ZBox, canonical.WSquare,
    canonical.Flat, canonical.Winner, canonical.Pass)}

LEAST = GuardedFraction(1, 8)   # of the denominators of required cases, so that no tiny stabiliser matters
MOVED = int(1 / LEAST)          # a stabiliser moves a number by so many times its own size at most
FORMATS: dict[str, tuple[type, float]] = {"f32": (np.float32, 2.0**-24), "f64": (np.float64, 2.0**-53)}


@dataclass(frozen=True, eq=False)
class Either:
    """What R_0 is under another answer to a question that formulas leave open (conventions/table.py)."""

    convention: str
    value: Any
    relevance: Array          # float64, correctly rounded


@dataclass(frozen=True, eq=False)
class Case:
    """One question to an implementation, in exact numbers, and its answer.

    id         slug-hash, of network, rules, x and R: never given twice, never renumbered
    rule, topic  the file it is in, `rule/topic.json`
    level      required: every implementation; convention: the formula leaves it open, `either` holds other answers;
               stress: at the edges of the number format; negative: must be refused, `error` says why (its rules and
               inputs are as the file says, whatever constructors here think of them)
    flags      what is special about it; flags.json explains each and links to what is known of it
    relevance  R_0 as correctly rounded float64; None where the case is negative
    exact      R_0 as fractions where they are short, else None
    ledger     {layer: {column: total}} as texts, exact where short
    modulo     {prime: digest of the residues of R_0's numerator over denominator}, for long fractions
    exact_in   formats that hold x, R and all parameters, and in which forward sums do not round: f32, f64
    """

    id: str
    rule: str
    topic: str
    level: str
    comment: str
    section: str
    network: Network
    rules: Mapping[str, Rule]
    x: Array
    R: Array
    relevance: Array | None = None
    exact: Array | None = None
    ledger: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    modulo: Mapping[str, str] = field(default_factory=dict)
    either: Sequence[Either] = ()
    flags: Sequence[str] = ()
    exact_in: Sequence[str] = ()
    error: str = ""

    @property
    def layers(self) -> tuple[str, ...]:
        """The kinds of its layers, lowest first."""
        return tuple(type(layer).__name__ for _, layer in self.network)

    def task(self, number: type = np.float64) -> tuple[Network, dict[str, Rule], Array, Array]:
        """(network, rules, x, R) in float64 or float32: what an adapter is given."""
        network = self.network.mapped(lambda _, layer: floats(layer.astype(number)))
        return (network, {name: floats(rule) for name, rule in self.rules.items()},
                convert_numbers(self.x, number), convert_numbers(self.R, number))


def identity(case: Case) -> str:
    """The six hexadecimal digits at the end of an id: a hash of the network, the rules, x and R."""
    question = {"net": written_network(case), "x": written(case.x), "R": written(case.R)}
    return sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:6]


# ---- Numbers ----


def parsed(text: str) -> Any:
    """The exact number of a text: an integer, p/q, a hex float, inf or nan."""
    if text in ("inf", "-inf", "nan"):
        return float(text)
    if "0x" not in text and re.search(r"[eE][+-]?\d{4}", text):   # 10^999999999 would be worked out
        raise ValueError(f"got the number {text}, needed one without such an exponent")
    return GuardedFraction(Fraction(float.fromhex(text)) if "0x" in text else text)


def text_of(number: Any) -> str:
    """A number as the shortest of its exact texts: an integer, p/q, or a hex float."""
    if isinstance(number, (float, np.floating)) and not np.isfinite(number):
        return str(float(number))
    n = Fraction(number)
    plain = str(n)
    if len(plain) > 12 and float(n) == n:
        return float(n).hex()
    return plain


def hexed(x: Array) -> Any:
    """Nested lists of float64 as hex texts."""
    return [hexed(row) for row in x] if isinstance(x, np.ndarray) else float(x).hex()


def written(value: Any) -> Any:
    """A parameter or an array as JSON: numbers as texts, sizes, names and truth values as they are."""
    if isinstance(value, (np.ndarray, list, tuple)):
        return [written(part) for part in value]
    if isinstance(value, (Fraction, float, np.floating)):
        return text_of(value)
    return value


def read(value: Any) -> Any:
    """What `written` wrote: lists of texts become arrays of guarded Fractions, other lists tuples."""
    if isinstance(value, str):
        try:
            return parsed(value)
        except ValueError:
            return value
    if not isinstance(value, list):
        return value
    return array(value) if isinstance(first(value), str) else tuple(map(read, value))


def array(nested: Any) -> Array:
    """Nested lists of texts as an array of guarded Fractions."""
    texts = np.array(nested)
    out = np.empty(texts.shape, dtype=object)
    out.reshape(-1)[:] = [parsed(str(text)) for text in texts.flat]
    return out


def first(nested: Any) -> Any:
    return first(nested[0]) if isinstance(nested, list) and nested else nested


def floats(thing: Any) -> Any:
    """A layer or a rule with its exact parameters as the nearest floats; arrays as they are."""
    given = {f.name: getattr(thing, f.name) for f in fields(thing)}
    exact = {name: nearest(value) for name, value in given.items()}
    return unchecked(type(thing), exact) if any(exact[name] is not given[name] for name in given) else thing


def unchecked(kind: type, given: Mapping[str, Any]) -> Any:
    """A dataclass with these fields that its constructor has not looked at.

    So that a negative case can hold AlphaBeta(2, 2): whether that is refused is asked of the implementation.
    """
    thing: Any = object.__new__(kind)
    for f in fields(kind):
        object.__setattr__(thing, f.name, given[f.name])
    return thing


def nearest(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, tuple) and any(isinstance(part, Fraction) for part in value):
        return tuple(map(nearest, value))
    if isinstance(value, np.ndarray) and value.dtype == object:
        return convert_numbers(value, np.float64)
    return value


# ---- Networks and cases ----


def written_network(case: Case) -> list[dict[str, Any]]:
    return [{"name": name, "op": type(layer).__name__, **parameters(layer), "rule": written_rule(case.rules[name])}
            for name, layer in case.network]


def written_rule(rule: Rule) -> dict[str, Any]:
    return {"name": type(rule).__name__, **parameters(rule)}


def parameters(thing: Any) -> dict[str, Any]:
    """Every field as JSON; a rule's whole numbers are numbers, not sizes, so they are texts too."""
    values = {f.name: getattr(thing, f.name) for f in fields(thing)}
    if isinstance(thing, Rule):
        values = {name: Fraction(value) if isinstance(value, int) else value for name, value in values.items()}
    return {name: written(value) for name, value in values.items()}


def read_network(entries: Sequence[Mapping[str, Any]], checked: bool = True) -> tuple[Network, dict[str, Rule]]:
    """The network and its rules; checked=False: with rules that their constructors have not looked at."""
    layers: list[tuple[str, Layer]] = []
    rules: dict[str, Rule] = {}
    for entry in entries:
        own = {key: read(value) for key, value in entry.items() if key not in ("name", "op", "rule")}
        if entry["op"] == "DenseSift":   # whose geometry is floats
            own = {key: nearest(value) for key, value in own.items()}
        layers.append((entry["name"], LAYERS[entry["op"]](**own)))
        rules[entry["name"]] = read_rule(entry["rule"], checked)
    return Network(layers), rules


def read_rule(entry: Mapping[str, Any], checked: bool = True) -> Rule:
    kind, given = RULES[entry["name"]], {key: read(value) for key, value in entry.items() if key != "name"}
    return kind(**given) if checked else unchecked(kind, given)


def to_json(case: Case) -> dict[str, Any]:
    """The case as it stands in its file."""
    expect: dict[str, Any] = {"error": case.error} if case.relevance is None else {"f64": hexed(case.relevance)}
    if case.exact is not None:
        expect["R"] = written(case.exact)
    if case.ledger:
        expect["ledger"] = {name: dict(columns) for name, columns in case.ledger.items()}
    if case.modulo:
        expect["mod"] = dict(case.modulo)
    either = [{"convention": e.convention, "value": e.value, "f64": hexed(e.relevance)} for e in case.either]
    return {"id": case.id, "level": case.level, "section": case.section, "comment": case.comment,
            "flags": list(case.flags), "net": written_network(case), "x": written(case.x), "R": written(case.R),
            "expect": expect, "either": either, "exact_in": list(case.exact_in)}


def from_json(entry: Mapping[str, Any], rule: str, topic: str) -> Case:
    """The case that `to_json` wrote into `rule/topic.json`."""
    network, rules = read_network(entry["net"], entry["level"] != "negative")
    expect = entry["expect"]
    either = [Either(e["convention"], e["value"], from_hex(e["f64"])) for e in entry["either"]]
    return Case(
        entry["id"], rule, topic, entry["level"], entry["comment"], entry["section"], network, rules,
        array(entry["x"]), array(entry["R"]), from_hex(expect["f64"]) if "f64" in expect else None,
        array(expect["R"]) if "R" in expect else None, expect.get("ledger", {}), expect.get("mod", {}), either,
        entry["flags"], entry["exact_in"], expect.get("error", ""))


def from_hex(nested: Any) -> Array:
    """Nested lists of hex texts as float64."""
    texts = np.array(nested)
    return np.array([float.fromhex(str(text)) for text in texts.flat], dtype=np.float64).reshape(texts.shape)
