"""What a wrong relevance looks like: the rules again with other conventions, as shares and terms, one sentence each.

Libraries differ in these (conventions.md). Every alternative is a rule of its own at the same map; the one whose
relevance agrees says what went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, constant, negative, ones_like, positive, same, sign, square
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.pool import Pooling
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Raised, Rule, Share, Winner, WSquare, ZBox, ZPlus
from lrp_ref.testing.windows import other_windows

GUARDS = (1e-16, 1e-12, 1e-9, 1e-7, 1e-6)   # stabilisers that libraries add of their own accord
OTHERS = {"Epsilon(0)": Epsilon(0), "ZPlus()": ZPlus(), "AlphaBeta(2, 1)": AlphaBeta(2, 1), "Flat()": Flat(),
          "WSquare()": WSquare()}
GUARDED = "z had a stabiliser of"
BOTH = f", and {GUARDED}"
NOTHING: Any = 0

Alternative = tuple[str, Rule, LinearMap]


@dataclass(frozen=True)
class Otherwise(Rule):
    """The shares as given, at one map and one input."""

    given: list[Share]
    epsilon: Any = 0

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.given


@dataclass(frozen=True)
class Squares:
    """f(w) = w + gamma w w+"""

    gamma: float

    def __call__(self, w: Array) -> Array:
        return w + self.gamma * w * positive(w)


def alternatives(rule: Rule, m: LinearMap, a: Array) -> Iterator[Alternative]:
    """(as if .., that rule, its map) for everything known that can go wrong with this rule at this map."""
    first = [*conventions(rule, m, a)]
    yield from first
    if m.learned or isinstance(rule, (WSquare, ZBox, Gamma)):
        yield from ((f"the rule were {sentence}", other, m) for sentence, other in OTHERS.items() if other != rule)
    elif isinstance(rule, (AlphaBeta, ZPlus, Flat)):
        yield "the rule were Epsilon(0)", Epsilon(0), m
    if len(a) > 1:
        yield "all samples of the batch shared one denominator", Otherwise([*shared(rule, m, a)], rule.epsilon), m
    yield from ((sentence, rule, other) for sentence, other in other_windows(m, a))
    for guard in GUARDS:
        for sentence, other, its_map in [("", rule, m), *first]:
            if not other.epsilon:
                sentence = "" if sentence == "there were no stabiliser" else sentence
                stabilised = Otherwise(other.shares(its_map, a), guard)
                yield (f"{sentence}{BOTH} {guard:g}" if sentence else f"{GUARDED} {guard:g}"), stabilised, its_map


def shared(rule: Rule, m: LinearMap, a: Array) -> Iterator[Share]:
    """The rule's shares, every denominator summed over the samples."""
    for share in rule.shares(m, a):
        z = sum(m.apply(t.a, t.f) + t.b for t in share.terms)
        first = share.terms[0]
        yield replace(share, terms=[replace(first, b=first.b + z.sum(axis=0) - z), *share.terms[1:]])


def conventions(rule: Rule, m: LinearMap, a: Array) -> Iterator[Alternative]:
    """The same without stabilisers of a library's own."""
    found: Iterator[tuple[Any, ...]]
    match rule:
        case Epsilon():
            found = of_epsilon(float(rule.epsilon), m, a)
        case AlphaBeta():
            found = of_alpha_beta(float(rule.alpha), float(rule.beta), m, a)
        case ZPlus():
            found = of_alpha_beta(1.0, 0.0, m, a)
        case Gamma():
            found = of_gamma(float(rule.gamma), m, a)
        case ZBox():
            terms = rule.shares(m, a)[0].terms
            found = iter([("b+ stood in the denominator", one(replace(terms[0], b=positive(m.bias)), *terms[1:])),
                          ("the bias stood in the denominator", one(replace(terms[0], b=m.bias), *terms[1:]))])
        case WSquare() | Flat():
            found = of_filler(square if isinstance(rule, WSquare) and m.learned else ones_like, m, a)
        case Winner():
            found = of_winner(m, a)
        case Pass():
            slope = m.apply(ones_like(a), same)
            found = iter([("the gradient were handed down", one(Term(ones_like(a), same, 1 - slope))),
                          ("nothing passed a gate of 0", one(Term(a, same, m.bias)))])
        case _:
            found = iter(())
    for sentence, how, *its_map in found:
        yield sentence, Otherwise(how) if isinstance(how, list) else how, its_map[0] if its_map else m


def one(*terms: Term) -> list[Share]:
    return [Share(1, list(terms))]


def of_epsilon(epsilon: float, m: LinearMap, a: Array) -> Iterator[Any]:
    z = m(a)

    def guarded(guard: Any) -> list[Share]:
        return one(Term(a, same, m.bias + guard))

    if epsilon:
        yield "sign(0) = -1", guarded(epsilon * np.where(z > 0, 1.0, -1.0))
        yield "the stabiliser had no sign", guarded(epsilon)
        yield "the stabiliser had the opposite sign", guarded(-epsilon * sign(z))
        yield "there were no stabiliser", guarded(NOTHING)
        yield "the stabiliser raised |z| to epsilon", guarded(sign(z) * np.maximum(epsilon - abs(z), 0))
        axes = tuple(range(1, z.ndim))
        yield ("the stabiliser were relative to z's root mean square",
               guarded(epsilon * sign(z) * np.sqrt((z * z).mean(axis=axes, keepdims=True))))
        yield "the stabiliser were relative to z itself", guarded(epsilon * z)
        yield ("the stabiliser were relative to the largest |z|",
               guarded(epsilon * sign(z) * abs(z).max(axis=axes, keepdims=True)))
        yield "z = 0 were not divided by", guarded(np.where(z == 0, 1.0, epsilon * sign(z)))
        if isinstance(m, Pooling):
            yield "the stabiliser were added to the sum, not the mean", guarded(epsilon * sign(z) * m.weights[0])
    if m.bias.any():
        yield "the bias were ignored", Otherwise(one(Term(a, same)), epsilon), m
    if isinstance(m, Pooling):
        for guard in () if epsilon else GUARDS:
            yield f"the sum, not the mean, had a stabiliser of {guard:g}", guarded(guard * sign(z) * m.weights[0])
        for alpha in (1.0, 2.0):
            rule = AlphaBeta(alpha, alpha - 1)
            yield f"the pooling had {rule}", rule, m
        yield "the pooling were Flat()", Flat(), m
    yield "nothing were divided by z", one(Term(a, same, 1 - m.apply(a, same)))


def of_alpha_beta(alpha: float, beta: float, m: LinearMap, a: Array) -> Iterator[Any]:
    ap, an = positive(a), negative(a)

    def split(up: Any, down: Any, products: bool = True) -> list[Share]:
        first = [Term(ap, positive, up), Term(an, negative)] if products else [Term(a, positive, up)]
        second = [Term(ap, negative, down), Term(an, positive)] if products else [Term(a, negative, down)]
        return [Share(alpha, first), Share(-beta, second)][: 2 if beta else 1]

    for products, weights in ((True, ""), (False, "weights were split, not products")):
        kinds = [("the whole bias stood in every denominator", m.bias, m.bias),
                 ("the bias were ignored", NOTHING, NOTHING), ("", positive(m.bias), negative(m.bias)),
                 ("b+ stood in the negative sum and b- in the positive", negative(m.bias), positive(m.bias))]
        for bias, up, down in kinds:
            both = " and ".join(filter(None, (weights, bias)))
            if both and (m.bias.any() or not bias):
                yield both, split(up, down, products)
    if beta:
        z, plus = m(a), m.apply(ap, positive) + m.apply(an, negative) + positive(m.bias)
        left = m.apply(ap, negative) + m.apply(an, positive) + negative(m.bias)
        for number in (np.float32, np.float64):
            for guard in (0.0, 1e-16):
                difference = (z.astype(number) - plus.astype(number)).astype(np.float64) - guard
                yield "z- were computed as z - z+", split(positive(m.bias), negative(m.bias) + difference - left)
        yield "beta had the other sign", [replace(s, part=abs(s.part)) for s in AlphaBeta(alpha, beta).shares(m, a)]
        yield "beta were 0", [replace(AlphaBeta(alpha, beta).shares(m, a)[0], part=1)]


def of_gamma(gamma: float, m: LinearMap, a: Array) -> Iterator[Any]:
    up, shares = Raised(gamma, positive), Gamma(gamma).shares(m, a)

    def plain(part: Any, b: Any, f: Function = up) -> list[Share]:
        return [Share(part, [Term(a, f, b)])]

    yield "w + gamma w+ stood for every sign of z and a", plain(1, up(m.bias))
    yield "w + gamma w+ stood for every sign of z and a, and b for b + gamma b+", plain(1, m.bias)
    yield "w + gamma (w+)^2 stood for the weights", plain(1, Squares(gamma)(m.bias), Squares(gamma))
    if m.bias.any():
        bare = [replace(s, terms=[replace(t, b=0) for t in s.terms]) for s in shares]
        yield "the bias were ignored, but for the sign of z", bare
        z = m.apply(a, same)
        parts = [np.where(z > 0, 1.0, 0.0), np.where(z < 0, 1.0, 0.0)]
        yield "the bias were ignored", [replace(s, part=part) for s, part in zip(bare, parts)]
        whole = [replace(s, terms=[replace(s.terms[0], b=m.bias), *s.terms[1:]]) for s in shares]
        yield "b stood for b + gamma b+", whole


def of_filler(f: Function, m: LinearMap, a: Array) -> Iterator[Any]:
    ones = ones_like(a)
    z = m.apply(ones, f) + np.zeros(m.apply(ones, ones_like).shape)
    if f is square and m.bias.any():
        yield "b^2 stood in the denominator", one(Term(ones, f, m.bias * m.bias))
    if z.ndim == 4:
        full = z.max(axis=(2, 3), keepdims=True)
        if (full != z).any():
            yield "the padding had a share, which is lost", one(Term(ones, f, full - z))
    if isinstance(m, Convolution) and f is ones_like and m.weight.shape[1] > 1:
        yield "every input channel were shared out by itself", one(Term(ones, f, z / m.weight.shape[1] - z))
    if not m.learned:
        yield "the rule were Epsilon(0)", Epsilon(0), m


def of_winner(m: LinearMap, a: Array) -> Iterator[Any]:
    if isinstance(m, Pooling):
        yield "the first of tied winners took all", Winner(), replace(m, weights=firsts(m.weights))
        yield "the last of tied winners took all", Winner(), replace(m, weights=firsts(m.weights[::-1])[::-1])
        wins = [np.where(w > 0, 1.0, 0.0) for w in m.weights]
        every = Otherwise(one(Term(ones_like(a), same, 1 - sum(wins))))
        yield "every tied winner took all", every, replace(m, weights=wins)
    yield "relevance were lost where the maximum is 0", Epsilon(0), m
    yield "the pooling were Flat()", Flat(), m
    yield "the pooling shared in proportion to its inputs", one(Term(a, ones_like))


def firsts(marks: Sequence[Array]) -> list[Array]:
    """1 at the first of the arrays that is not 0 there, else 0."""
    free, out = constant(1, marks[0]) + 0 * marks[0], []
    for mark in marks:
        out.append(free * (mark != 0))
        free = free - out[-1]
    return out
