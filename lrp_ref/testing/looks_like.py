"""What a wrong relevance looks like: the rule with every other answer of the table, and with mistakes no library makes.

Each is a change of the rule; the one whose relevance agrees says what went wrong, and the fewest that do say it best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, negative, ones_like, positive, same, sign
from lrp_ref.conventions.changes import (
    SPLIT,
    Change,
    Changed,
    Stabilised,
    bias,
    guarded,
    kind,
    left,
    when,
)
from lrp_ref.conventions.maps import firsts
from lrp_ref.conventions.table import STABILISED, TABLE, Question, Row
from lrp_ref.layers.pool import Pooling
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Share, Winner, WSquare, ZBox, ZPlus
from lrp_ref.testing.windows import other_windows

GUARDS = (1e-16, 1e-12, 1e-9, 1e-7, 1e-6)   # stabilisers that libraries add of their own accord
SIZED = ("zero_rule", "stabiliser")
PLAINEST = "there were no stabiliser"
RULES: tuple[Rule, ...] = (Epsilon(0), ZPlus(), AlphaBeta(2, 1), Flat(), WSquare())


@dataclass(frozen=True, eq=False)
class Likeness:
    """looks: "the bias were ignored"; row: {question: answer} of the conventions in it; layers: in a network, where."""

    looks: str
    rule: Rule | None = None
    row: Row = field(default_factory=dict)
    layers: Sequence[str] = ()

    @property
    def sized(self) -> bool:
        """Whether it is a stabiliser of one size of many."""
        return self.looks.startswith(STABILISED.partition("{")[0])

    def at(self, *layers: str) -> Likeness:
        return replace(self, layers=layers)

    def __str__(self) -> str:
        """What follows "it looks as if"."""
        where = "layer " * (len(self.layers) == 1) + ", ".join(self.layers)
        return f"{self.looks}, at {where}" if where else self.looks


def likenesses(rule: Rule, layer: Any, m: LinearMap, a: Array) -> Iterator[Likeness]:
    """One mistake or answer of the table, the plainest first."""
    found = [*mistakes(rule, m, a)]
    plainest = [one for one in found if one.looks == PLAINEST]
    yield from [*plainest, *answers(rule, layer, TABLE), *(one for one in found if one not in plainest)]


def pairs(rule: Rule, layer: Any, m: LinearMap, a: Array) -> Iterator[Likeness]:
    """Two answers of the table; or a mistake of the rule's own, and a stabiliser."""
    names = list(TABLE)
    for one in [*answers(rule, layer, TABLE), *of_the_rule(rule, m)]:
        assert one.rule is not None
        later = names[names.index(next(iter(one.row))) + 1:] if one.row else SIZED
        for other in answers(one.rule, layer, {name: TABLE[name] for name in later}):
            yield replace(other, looks=f"{one.looks}, and {other.looks}", row={**one.row, **other.row})


def answers(rule: Rule, layer: Any, table: Mapping[str, Question]) -> Iterator[Likeness]:
    """The rule with each answer that is not the canonical one; none where a question is not about it."""
    for name, question in table.items():
        for value in [*question.answers, *(GUARDS if question.number else ())]:
            answer = question.answer(value)
            try:
                changed = question.applied(value, rule, layer)
            except ValueError:   # a library that has no such rule
                continue
            if changed is not rule and answer.looks:
                yield Likeness(answer.looks.format(value), changed, {name: value})


# ---- Mistakes that no library makes ----


def shares(new: Callable[[Any, list[Share], Any, Array], list[Share]]) -> Change:
    """new(canonical rule, its shares, m, a): other shares."""
    return lambda rule, layer, value: Changed(rule, divides=lambda shares, m, a: new(kind(rule), shares, m, a))


def one(*terms: Term) -> list[Share]:
    return [Share(1, list(terms))]


def becomes(rule: Rule) -> Change:
    return lambda given, layer, value: rule


def guard(of: Callable[[Any, Array], Any]) -> Change:
    """of(epsilon, z) is added to z, epsilon the rule's own, if it has one."""
    def change(rule: Rule, layer: Any, value: Any) -> Rule:
        epsilon = kind(rule).epsilon
        return Changed(rule, stabilises=partial(of, float(epsilon))) if epsilon else rule
    return change


def becomes_stabilised(c: float) -> Change:
    return lambda rule, layer, value: Stabilised(rule, c) if kind(rule).epsilon else rule


def largest(z: Array) -> Any:
    return abs(z).max(axis=tuple(range(1, z.ndim)), keepdims=True)


def cancels(number: Any, c: float) -> Change:
    """z- as the difference of z and z+ in that number type."""
    def new(rule: Any, shares: list[Share], m: Any, a: Array) -> list[Share]:
        up, *downs = shares
        plus = sum(m.apply(t.a, t.f) + t.b for t in up.terms)
        return [up, *(replace(s, over=left(m(a), plus, number, c)) for s in downs)]
    return shares(new)


def signed_without_bias(rule: Any, shares: list[Share], m: Any, a: Array) -> list[Share]:
    z = m.apply(a, same)
    parts = [np.where(z > 0, 1.0, 0.0), np.where(z < 0, 1.0, 0.0)]
    return [Share(part, [replace(t, b=0) for t in s.terms]) for s, part in zip(shares, parts)]


def swapped_bias(rule: Any, shares: list[Share], m: Any, a: Array) -> list[Share]:
    biases = negative(m.bias), positive(m.bias)
    return [replace(s, terms=[replace(s.terms[0], b=b), *s.terms[1:]]) for s, b in zip(shares, biases)]


def only_last(m: Any, a: Array) -> LinearMap:
    return replace(m, weights=firsts(m.weights[::-1])[::-1]) if isinstance(m, Pooling) else m


def every_winner(rule: Any, shares: list[Share], m: Any, a: Array) -> list[Share]:
    return one(Term(ones_like(a), np.sign, 1 - sum(np.sign(w) for w in m.weights)))


BIASED = (Epsilon, *SPLIT, Gamma)
MISTAKES: list[tuple[str, Any, Change]] = [
    ("the stabiliser had the opposite sign", Epsilon, guard(lambda epsilon, z: -epsilon * sign(z))),
    (PLAINEST, Epsilon, guard(lambda epsilon, z: None)),
    ("the stabiliser were relative to z itself", Epsilon, guard(lambda epsilon, z: epsilon * z)),
    ("the stabiliser were relative to z's root mean square", Epsilon, guard(
        lambda epsilon, z: guarded(Epsilon(0), "scaled", epsilon).guard(z))),
    ("the stabiliser were relative to the largest |z|", Epsilon, guard(
        lambda epsilon, z: epsilon * sign(z) * largest(z))),
    *((STABILISED.format(c), Epsilon, becomes_stabilised(c)) for c in GUARDS),
    ("nothing were divided by z", Epsilon, lambda rule, layer, value: Changed(rule, stabilises=lambda z: 1 - z)),
    ("b+ stood in the negative sum and b- in the positive", SPLIT, shares(swapped_bias)),
    *(("z- were computed as z - z+", SPLIT, cancels(number, c)) for number in (np.float32, np.float64)
      for c in (0.0, 1e-16)),
    ("beta had the other sign", AlphaBeta, shares(lambda rule, shares, m, a: [
        replace(s, part=abs(s.part)) for s in shares])),
    ("beta were 0", AlphaBeta, shares(lambda rule, shares, m, a: [replace(shares[0], part=1)])),
    ("the bias were ignored", Gamma, shares(signed_without_bias)),
    ("the bias stood in the denominator", ZBox, bias(same)),
    ("nothing passed a gate of 0", Pass, shares(lambda rule, shares, m, a: one(Term(a, same, m.bias)))),
    ("the gradient were handed down", Pass, shares(lambda rule, shares, m, a: one(
        Term(ones_like(a), same, 1 - m.apply(ones_like(a), same))))),
]
OF_POOLS: list[tuple[str, Any, Change]] = [
    ("the last of tied winners took all", Winner, lambda rule, layer, value: Changed(rule, only_last)),
    ("every tied winner took all", Winner, shares(every_winner)),
    ("relevance were lost where the maximum is 0", Winner, becomes(Epsilon(0))),
    ("the pooling were Flat()", (Winner, Epsilon), becomes(Flat())),
    ("the pooling shared in proportion to its inputs", Winner, shares(
        lambda rule, shares, m, a: one(Term(a, ones_like)))),
    *((f"the pooling had {rule}", Epsilon, becomes(rule)) for rule in (AlphaBeta(1.0, 0.0), AlphaBeta(2.0, 1.0))),
]


def mistakes(rule: Rule, m: LinearMap, a: Array) -> Iterator[Likeness]:
    """The rule with each mistake that it may have at this map."""
    yield from of_the_rule(rule, m)
    if m.learned or isinstance(rule, (WSquare, ZBox, Gamma)):
        yield from (Likeness(f"the rule were {written(other)}", other) for other in RULES if other != rule)
    elif isinstance(rule, (*SPLIT, Flat)):
        yield Likeness("the rule were Epsilon(0)", Epsilon(0))
    if len(a) > 1:
        yield Likeness("all samples of the batch shared one denominator", shares(shared)(rule, None, None))
    yield from (Likeness(looks, Changed(rule, lambda m, a, other=other: other))   # type: ignore[misc]
                for looks, other in other_windows(m, a))


def written(rule: Rule) -> str:
    """AlphaBeta(2, 1)"""
    return f"{type(rule).__name__}({', '.join(str(value) for value in vars(rule).values())})"


def of_the_rule(rule: Rule, m: LinearMap) -> Iterator[Likeness]:
    """The mistakes of its own that a rule may have."""
    for looks, rules, change in [*(OF_POOLS if isinstance(m, Pooling) else []), *MISTAKES]:
        changed = when(rules, None, change)(rule, None, None)
        if changed is not rule:
            yield Likeness(looks, changed)


def shared(rule: Any, shares: list[Share], m: Any, a: Array) -> list[Share]:
    """Every denominator summed over the samples."""
    sums = [sum(m.apply(t.a, t.f) + t.b for t in share.terms) for share in shares]
    return [replace(share, over=z.sum(axis=0) + 0 * z) for share, z in zip(shares, sums)]
