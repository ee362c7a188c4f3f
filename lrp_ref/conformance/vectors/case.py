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
from typing import Any, TypeVar

import numpy as np

from lrp_ref import rules as canonical
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.numbers.exact import GuardedFraction, reduced
from lrp_ref.hints import did_you_mean, listed, shown
from lrp_ref.layers import LAYERS
from lrp_ref.network import Network
from lrp_ref.outside import (
    DIGITS,
    Fields,
    Read,
    anything,
    by_type,
    called,
    each,
    integer,
    list_of,
    nested,
    refused,
    text,
)
from lrp_ref.rules import Rule

T = TypeVar("T")

LEVELS = ("required", "convention", "stress", "negative")
RULES: dict[str, type[Rule]] = {kind.__name__: kind for kind in (
    canonical.Epsilon, canonical.AlphaBeta, canonical.ZPlus, canonical.Gamma, canonical.ZBox, canonical.WSquare,
    canonical.Flat, canonical.Winner, canonical.Pass)}

LEAST = GuardedFraction(1, 8)   # of the denominators of required cases, so that no tiny stabiliser matters
MOVED = int(1 / LEAST)          # a stabiliser moves a number by so many times its own size at most
NUMBER = re.compile(r"[+-]?([0-9]+(/[0-9]+)?|([0-9]+\.?|[0-9]*\.[0-9]+)(e[+-]?[0-9]{1,3})?"
                    r"|0x[0-9a-f]+\.?[0-9a-f]*(p[+-]?[0-9]{1,5})?)", re.IGNORECASE)
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
    since      the specification that it came with (vectors/suite.py), which its file says
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
    since: str = "1.0"

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


def parsed(text: Any) -> Any:
    """The exact number of a text: an integer, p/q, a decimal, a hex float, inf or nan."""
    if text in ("inf", "-inf", "nan"):
        return float(text)
    if not isinstance(text, str) or len(text) > DIGITS or not NUMBER.fullmatch(text):   # 10^999999999 is worked out
        raise ValueError(f"got the number {shown(text)}, needed a text such as \"3\", \"-17/90\" or \"0x1.8p+3\", with "
                         f"at most {DIGITS} letters and three digits of an exponent")
    p, _, q = text.partition("/")
    try:
        if p.lstrip("+-").isdecimal():   # Same result without these lines, in several times the time.
            return reduced(int(p), int(q or 1))
        return GuardedFraction(Fraction(float.fromhex(text)) if "0x" in text.lower() else text)
    except ArithmeticError:   # a denominator of 0; a hex float beyond float64
        raise ValueError(f"got the number {shown(text)}, needed one that there is") from None


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


def read(what: str, name: str, value: Any) -> Any:
    """What `written` wrote: a text is a number, lists of texts become arrays of guarded Fractions, others tuples."""
    if isinstance(value, str):
        return parsed(value)
    if isinstance(value, list) and value and all(isinstance(side, list) and pair_of_ints(side) for side in value):
        return tuple(map(tuple, value))   # a padding whose sides differ
    if isinstance(value, list) and value and isinstance(value[0], (str, list)):
        return array(what, name, value)
    if isinstance(value, list):
        return tuple(list_of(integer())(what, name, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return integer()(what, name, value)
    if value is None or isinstance(value, bool):
        return value
    raise refused(what, name, value, "null, a truth value, a size, a number as a text, or lists of these")


def pair_of_ints(side: Sequence[Any]) -> bool:
    return len(side) == 2 and all(isinstance(n, int) and not isinstance(n, bool) for n in side)


def array(what: str, name: str, value: Any) -> Array:
    """Nested lists of texts as an array of guarded Fractions."""
    shape, texts = nested(what, name, value)
    out = np.empty(shape, dtype=object)
    out.reshape(-1)[:] = [parsed(text) for text in texts]
    return out


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
    """Every layer and its rule; in a graph with what it reads, in a chain as it always was, for ids are made of it."""
    return [{"name": name, "op": type(layer).__name__, **({} if case.network.is_chain else {"reads": list(reads)}),
             **parameters(layer), "rule": written_rule(case.rules[name])} for name, layer, reads in case.network.nodes]


def written_rule(rule: Rule) -> dict[str, Any]:
    return {"name": type(rule).__name__, **parameters(rule)}


def parameters(thing: Any) -> dict[str, Any]:
    """Every field as JSON; a rule's whole numbers are numbers, not sizes, so they are texts too."""
    values = {f.name: getattr(thing, f.name) for f in fields(thing)}
    if isinstance(thing, Rule):
        values = {name: Fraction(value) if isinstance(value, int) else value for name, value in values.items()}
    return {name: written(value) for name, value in values.items()}


def read_network(entries: Sequence[Any], checked: bool = True) -> tuple[Network, dict[str, Rule]]:
    """The network and its rules; checked=False: with rules that their constructors have not looked at."""
    layers: list[tuple[Any, ...]] = []
    rules: dict[str, Rule] = {}
    for n, entry in enumerate(entries):
        given = Fields(entry, f"net[{n}]")
        name, rule = given.take("name", called), given.take("rule", anything)
        kind, reads = given.take("op", one_of(LAYERS)), given.take("reads", list_of(called), None)
        own = arguments(kind, given)
        if kind is LAYERS["DenseSift"]:   # whose geometry is floats
            own = {key: nearest(value) for key, value in own.items()}
        layers.append((name, built(kind, own, given.what), *([tuple(reads)] if reads is not None else [])))
        rules[name] = read_rule(rule, f"net[{n}].rule", checked)
    return Network(layers), rules


def read_rule(entry: Any, what: str, checked: bool = True) -> Rule:
    given = Fields(entry, what)
    kind = given.take("name", one_of(RULES))
    own = arguments(kind, given)
    rule: Rule = built(kind, own, what) if checked else unchecked(kind, own)
    return rule


def one_of(kinds: Mapping[str, T]) -> Read[T]:
    """A reader of names of kinds."""
    def reader(what: str, name: str, value: Any) -> T:
        if not isinstance(value, str) or value not in kinds:
            hint = did_you_mean(shown(value), kinds)
            raise refused(what, name, value, f"one of {listed(kinds)}{hint and f': {hint}'}".rstrip())
        return kinds[value]
    return reader


def arguments(kind: Any, given: Fields) -> dict[str, Any]:
    """All fields of a layer or a rule, and no more."""
    own = {f.name: given.take(f.name, by_type(f.type, read)) for f in fields(kind)}
    given.done()
    return own


def built(kind: Any, own: Mapping[str, Any], what: str) -> Any:
    try:
        return kind(**own)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from None


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


def from_json(entry: Any, rule: str, topic: str, since: str = "1.0") -> Case:
    """The case that `to_json` wrote into `rule/topic.json`, a file of that specification."""
    given = Fields(entry, "the case")
    id, level, comment, section = (given.take(name, text) for name in ("id", "level", "comment", "section"))
    network, rules = read_network(given.take("net", list_of(anything)), level != "negative")
    x, R = given.take("x", array), given.take("R", array)
    expect = Fields(given.take("expect", anything), "expect")
    relevance, exact = expect.take("f64", from_hex, None), expect.take("R", array, None)
    none: Mapping[str, Any] = {}
    ledger, modulo = expect.take("ledger", each(each(text)), none), expect.take("mod", each(text), none)
    error = expect.take("error", text, "")
    expect.done()
    either, flags = given.take("either", list_of(read_either)), given.take("flags", list_of(text))
    exact_in = given.take("exact_in", list_of(text))
    given.done()
    return Case(id, rule, topic, level, comment, section, network, rules, x, R, relevance, exact, ledger, modulo,
                either, flags, exact_in, error, since)


def read_either(what: str, name: str, value: Any) -> Either:
    given = Fields(value, name)
    row = Either(given.take("convention", text), given.take("value", anything), given.take("f64", from_hex))
    given.done()
    return row


def from_hex(what: str, name: str, value: Any) -> Array:
    """Nested lists of hex texts as float64."""
    shape, texts = nested(what, name, value)
    return np.array([hex_float(text) for text in texts], dtype=np.float64).reshape(shape)


def hex_float(text: Any) -> float:
    """The float64 of a hex text, inf or nan; -0 keeps its sign, which no Fraction has."""
    number = parsed(text)
    if isinstance(number, float):
        return number
    if "0x" not in text.lower():
        raise ValueError(f"got the number {shown(text)}, needed a hex float such as \"0x1.8p+3\"")
    return float.fromhex(text)
