"""A finished case from a question: R_0 in exact arithmetic, derived twice, and what other conventions make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers, same
from lrp_ref.assignment import assign
from lrp_ref.checks.claims.by_loops import defined, defined_step, input_of, units
from lrp_ref.checks.numbers.decimals import in_decimals
from lrp_ref.checks.numbers.exact import GuardedFraction, guarded, settled
from lrp_ref.checks.numbers.modular import PRIMES
from lrp_ref.checks.rounding.arithmetic import arithmetic, size
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.radius import origin_at
from lrp_ref.checks.rounding.sums import added, dyadic
from lrp_ref.conformance.vectors.case import FORMATS, LEAST, Case, Either, floats, identity
from lrp_ref.conventions.changes import single
from lrp_ref.conventions.table import TABLE, Row, number, spoken
from lrp_ref.hints import listed
from lrp_ref.layers import Layer
from lrp_ref.ledger import COLUMNS, Ledger
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import relevances
from lrp_ref.rules import Epsilon, Gamma, Rule

F = GuardedFraction
SHORT = 24            # characters that a fraction may take before its residues stand for it
NEAR = 1e-6           # of the largest relevance: alternatives that are no further off tell nothing

Rules = Mapping[str, Rule]


@dataclass(frozen=True, eq=False)
class Other:
    """Another answer to a question of conventions/table.py, the first of the row, and what else its library does there.

    rule  instead of the row's: a defect that no convention says
    """

    row: Row
    rule: Rule | None = None

    @property
    def question(self) -> str:
        return next(iter(self.row))

    @property
    def value(self) -> Any:
        return number(self.row[self.question])


def other(**row: Any) -> Other:
    """other(split="weights", bias_alpha_beta="whole"): both at once, and an answer to the first."""
    return Other(row)


# What 0 is in a denominator of iNNvestigate's and in TorchLRP's alpha-beta, and what TorchLRP adds under gamma.
INNVESTIGATE, TORCHLRP, TORCHLRP_GAMMA = ("at 0", 1e-7), ("at 0", 1e-6), ("sign(0) = -1", single(1e-10))


@dataclass(frozen=True, eq=False)
class Answer:
    """R_0 and the ledger's totals of every layer: Fractions, or float64 where they are irrational."""

    relevance: Array
    totals: Mapping[str, Mapping[str, Any]]


def one(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, **about: Any) -> Case:
    """A case of one layer, which is named for its kind; the file is the rule's and the layer's."""
    kind = type(layer).__name__
    network = Network([(kind.lower(), layer)])
    about = {"topic": kind.lower(), **about}
    return made(slug, type(rule).__name__, network=network, rules={kind.lower(): rule}, x=x, R=R, **about)


def made(slug: str, rule: str, topic: str, network: Network, rules: Rules, x: Array, R: Array, *, comment: str,
         section: str, level: str = "required", flags: Sequence[str] = (), either: Sequence[Other] = (),
         maybe: Sequence[Other] = (), irrational: bool = False, least: Any = LEAST) -> Case:
    """The case, its relevance worked out; an error where two derivations differ or an alternative says the same.

    maybe       alternatives that are left out where they say the same, or nothing finite
    irrational  a layer has no exact form: Decimals of 34 and 50 digits, which must agree on every float64
    least       of a required case's denominators
    """
    rules = assign(network, by_name=dict(rules))
    case = Case("", rule, topic, level, comment, section, network, rules, x, R, flags=tuple(flags))
    if level == "required":
        floating = {INPUT: convert_numbers(x, np.float64)}
        for name, layer in network:
            a = network.read(name, floating)
            if not conditioned(rules[name], layer, a, least):
                raise ValueError(f"{slug}, {name}: got a denominator below {least}: choose other numbers or level")
            floating[name] = in_floats(layer)(a)
    answer = answered(network, lambda _: rules, x, R, irrational)
    if not irrational and not agree(answer, case):
        raise ValueError(f"{slug}: the definition by loops gives another relevance or ledger")
    relevance = convert_numbers(answer.relevance, np.float64)
    fractions = [] if irrational else [str(n) for n in answer.relevance.flat]
    short = bool(fractions) and max(map(len, fractions)) <= SHORT
    others = []
    for one in (*either, *maybe):
        found = other_answer(case, one, relevance, irrational)
        if isinstance(found, Either):
            others.append(found)
        elif one in either:
            raise ValueError(f"{slug}: {one.question} = {one.value} {found}")
    if level == "convention" and not others:
        raise ValueError(f"{slug} asks for a convention and has no other answer")
    ledger = {name: {column: total_text(n) for column, n in columns.items()} for name, columns in answer.totals.items()}
    return replace(
        case, id=f"{slug}-{identity(case)}", relevance=relevance, exact=answer.relevance if short else None,
        ledger=ledger, modulo={} if short or irrational else residues(answer.relevance), either=tuple(others),
        exact_in=() if irrational else tuple(name for name in FORMATS if held(case, *FORMATS[name])))


def answered(network: Network, rules: Callable[[Network], Rules], x: Array, R: Array,
             irrational: bool = False, accounts: bool = True) -> Answer:
    """R_0 and the ledger by the same code that runs in floats: in guarded Fractions, or settled in Decimals.

    accounts=False: without the ledger, whose totals may cancel where R_0 is another convention's.
    """
    if not irrational:
        found = relevances(network, network.activations(x), rules(network), R)
        return Answer(found.of[INPUT], totals(found.ledger))

    def flat() -> Array:
        decimals = in_decimals(network)
        a, start = convert_numbers(x, Decimal), convert_numbers(R, Decimal)
        found = relevances(decimals, decimals.activations(a), rules(decimals), start)
        columns = totals(found.ledger).values() if accounts else ()
        return np.concatenate([found.of[INPUT].ravel(), [n for column in columns for n in column.values()]])

    numbers = settled(flat)
    ledger = iter(numbers[x.size:].tolist())
    columns = {name: {column: next(ledger) for column in COLUMNS} for name in network.names[::-1] if accounts}
    return Answer(numbers[: x.size].reshape(x.shape), columns)


def totals(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """Every column of every layer, summed over samples and units."""
    return {name: {column: getattr(account, column).sum() for column in COLUMNS} for name, account in ledger}


def other_answer(case: Case, other: Other, relevance: Array, irrational: bool) -> Either | str:
    """R_0 by another convention, or why there is none."""
    if other.question not in TABLE:
        raise ValueError(f"got the question {other.question!r}, needed one of {listed(TABLE)}")
    def rules(network: Network) -> Rules:   # whose layers have the numbers that it is answered in
        return {name: other.rule or spoken(other.row, case.rules[name], layer) for name, layer in network}

    try:
        got = answered(case.network, rules, case.x, case.R, irrational, accounts=False).relevance
    except ZeroDivisionError as error:
        return f"has no finite answer: {error}"
    either = Either(other.question, other.value, convert_numbers(got, np.float64))
    near = NEAR * abs(relevance).max() if isinstance(other.value, str) else 0
    return "gives the same relevance" if (abs(either.relevance - relevance) <= near).all() else either


def total_text(total: Any) -> str:
    """A fraction where it is short, else the nearest float64 in hex."""
    text = str(total) if isinstance(total, Fraction) else ""
    return text if 0 < len(text) <= SHORT else float(total).hex()


def residues(relevance: Array) -> dict[str, str]:
    """{prime: sixteen digits of the SHA-256 of p q^-1 modulo it, for every p / q, in decimal, joined by commas}"""
    found = {}
    for prime in PRIMES[:2]:
        text = ",".join(str(n.numerator * pow(n.denominator, -1, prime) % prime) for n in relevance.flat)
        found[str(prime)] = sha256(text.encode()).hexdigest()[:16]
    return found


# ---- The second derivation ----


def agree(answer: Answer, case: Case) -> bool:
    """Whether the definitions by loops give the same relevance of every input and the same totals, with ==."""
    shapes = case.network.shapes(case.x.shape)
    sums = {name: dict.fromkeys(COLUMNS, F(0)) for name in case.network.names}
    for n, x in enumerate(case.x):
        xs, maps, R = {INPUT: x}, {}, {case.network.output: case.R[n]}
        for name, layer in case.network:
            maps[name] = defined(layer, case.network.read(name, {t: a[None] for t, a in xs.items()})[0])
            xs[name] = arrayed(maps[name].output, shapes[name][1:])
        for name, layer, reads in reversed(case.network.nodes):
            a = case.network.read(name, {t: xs[t][None] for t in reads})[0]
            step = defined_step(case.rules[name], maps[name], input_of(layer, a), R[name])
            for column in COLUMNS:
                sums[name][column] += sum(
                    units(R[name]).values() if column == "received" else getattr(step, column).values())
            messages = layer.split(arrayed(step.relevance, a.shape)[None], *((1, *xs[t].shape) for t in reads))
            for t, message in zip(reads, messages):
                R[t] = message[0] if t not in R else R[t] + message[0]
        if not np.array_equal(R[INPUT], answer.relevance[n]):
            return False
    return sums == answer.totals


def arrayed(values: Mapping[Any, Any], shape: tuple[int, ...]) -> Array:
    return guarded([Fraction(values[unit]) for unit in np.ndindex(*shape)]).reshape(shape)


# ---- What a case is fit for ----


def conditioned(rule: Rule, layer: Layer, x: Array, least: Any = LEAST) -> bool:
    """Whether no denominator is small, or 0 though something stands above it: other conventions would show."""
    rule, (a, m) = floats(rule), in_floats(layer).linearize(convert_numbers(x, np.float64))
    if isinstance(rule, Gamma) and (m(a) == 0).any():
        return False
    divided = isinstance(rule, Epsilon) and not rule.epsilon   # by 0 too, where all is 0
    return not any(((part != 0) & ((Z != 0) | divided) & (abs(z) < least)).any()
                   for part, z, Z in denominators(rule, m, a))


def in_floats(layer: Layer) -> Any:
    """The layer in float64."""
    return floats(layer.astype(np.float64))


def denominators(rule: Rule, m: LinearMap, a: Array) -> Iterator[tuple[Any, Array, Array]]:
    """(part, z_j, sum_i |z_ij| + |b_j|) of every share."""
    def added_up(terms: Sequence[Term], absolute: bool) -> Any:
        if not absolute:
            return sum(m.apply(t.a, t.f) + t.b for t in terms)
        return sum(m.apply(abs(t.a), size(t.f)) + abs(t.b) for t in terms)

    for share in rule.shares(m, a):
        yield share.part, added_up(share.terms, False), added_up(share.terms, True)


def held(case: Case, number: type, u: float) -> bool:
    """Whether the format holds x, R and all parameters, and no forward sum in it is rounded."""
    exact = all(float(number(float(n))) == n for n in numbers_in(case))
    if not exact or not all(map(dyadic, case.rules.values())):
        return False
    xs = case.network.activations(case.x)
    for name, layer in case.network:
        x, output, layer = case.network.read(name, xs), xs[name], in_floats(layer)
        a, m = layer.linearize(convert_numbers(x, np.float64))
        sums = added(m, [(Term(a, same, m.bias), Ball.exact(a))], m(a), origin_at(layer.roundings, a))
        if sums.error(arithmetic(u)).any() or not all(float(number(float(n))) == n for n in output.flat):
            return False
    return True


def numbers_in(case: Case) -> Iterator[Any]:
    """Every number of x, R, the layers and the rules."""
    things = [layer for _, layer in case.network] + list(case.rules.values())
    values = [getattr(thing, f.name) for thing in things for f in fields(thing)]  # type: ignore[arg-type]
    for value in [case.x, case.R, *values]:
        for n in np.ravel(np.asarray(value, dtype=object)):
            if isinstance(n, (int, float, Fraction)) and not isinstance(n, bool):
                yield n
