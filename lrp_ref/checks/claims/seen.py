"""Claims about rules that see another map of a layer, and about what a layer's derivatives are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, same
from lrp_ref.checks.claims.by_loops import field_values, input_of, units
from lrp_ref.checks.claims.claim import FRACTIONS, SEEDS, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import RATIONAL, Example, F, mixed, output_of, relevance_for, small_network
from lrp_ref.checks.claims.laws import closes, departs, difference_quotient, per_sample
from lrp_ref.checks.definitions import Map, attention, derivatives, layers
from lrp_ref.checks.definitions.rules import epsilon
from lrp_ref.layers import Linear, Multiply
from lrp_ref.layers.pool import MaxPool
from lrp_ref.ledger import Account
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import Rule
from lrp_ref.seen import Factors, Tangent, Unscaled
from lrp_ref.step import step

CURVED = {"LRN", "LayerNorm", "RMSNorm", "Hardswish", "Multiply", "MatMul", "Embedding"}   # no straight pieces
RULES: tuple[tuple[Rule, Any], ...] = ((Tangent(0), 0), (Tangent(F(1, 4)), F(1, 4)))


def stated() -> dict[str, Example]:
    """The examples whose derivatives are stated."""
    return {name: example for name, example in RATIONAL.items()
            if example.linearize(example.x(1))[1].straight or type(example.layer).__name__ in derivatives.LAYERS}


def derivatives_of(example: Example, sample: Array) -> Map:
    """The layer's derivatives at one sample, by loops from its formula."""
    kind = type(example.layer).__name__
    return derivatives.LAYERS.get(kind, layers.LAYERS[kind])(units(sample), *field_values(example.layer))


def is_defined(example: Example, rule: Rule, stabiliser: Any, there: Any, seed: int) -> Found:
    """Relevance and all four columns of the rule are Epsilon's on the map that `there` defines, sample by sample."""
    x = example.x(2, seed)
    a, m = example.linearize(x)
    R = relevance_for(output_of(a, m), seed + 9)
    below, account = step(rule, m, a, R)
    holds = closes(account)
    for n, sample in enumerate(x):
        wanted = epsilon(there(example, sample), units(input_of(example.layer, sample)), units(R[n]), stabiliser)
        holds = holds and not departs(below[n], account, n, wanted)
    return Found(holds, (below,))


def shared(example: Example, sample: Array, parts: Any) -> Map:
    """A product whose factors have these shares."""
    kind = type(example.layer).__name__
    *fields, _ = field_values(example.layer)
    return layers.LAYERS[kind](units(sample), *fields, parts)


def unscaled(example: Example, sample: Array) -> Map:
    """A LayerNorm without scale and shift."""
    return attention.layer_norm(units(sample), None, None, field_values(example.layer)[-1])


def other_maps() -> Iterator[Case]:
    for seed in SEEDS:
        for name, example in stated().items():
            for rule, stabiliser in RULES:
                yield Case(f"{rule!r} on {name}", partial(is_defined, example, rule, stabiliser, derivatives_of, seed),
                           seed > 0)
        for name in ("MatMul", "Multiply"):
            for parts in ((0, 1), (F(3, 4), F(1, 4))):
                yield Case(f"Factors of {parts[0]} and {parts[1]} on {name}", partial(
                    is_defined, RATIONAL[name], Factors(parts, F(1, 4)), F(1, 4), partial(shared, parts=parts), seed),
                    seed > 0)
        yield Case("Unscaled on LayerNorm", partial(is_defined, RATIONAL["LayerNorm"], Unscaled(F(1, 4)), F(1, 4),
                                                    unscaled, seed), seed > 0)


STEP = F(1, 1 << 40)   # shorter than the way to the next kink, in numbers as small as these


def is_its_slope(example: Example, seed: int) -> Found:
    """(layer(x) - layer(x - h)) / h, input by input, is what the derivatives give: exact where pieces are straight."""
    x = example.x(1, seed)
    if isinstance(example.layer, MaxPool):   # without ties, at which sides differ
        x = x + np.reshape([F(n, 1000) for n in range(x.size)], x.shape)
    m, z = example.layer.derivative(x), example.layer(x)
    holds = equal(m(x), z)
    for i in np.ndindex(x.shape):
        moved, alone = x.copy(), 0 * x
        moved[i], alone[i] = moved[i] - STEP, alone[i] + 1
        holds = holds and equal(m.apply(alone, same), (z - example.layer(moved)) / STEP)
    return Found(holds, (m(x),))


def slopes() -> Iterator[Case]:
    for seed in SEEDS:
        for name, example in stated().items():
            kind = type(example.layer).__name__
            if kind not in CURVED or kind in ("Multiply", "MatMul"):   # a product is straight in every factor
                yield Case(name, partial(is_its_slope, example, seed), seed > 0)


def with_a_product(seed: int) -> Network:
    """A network of pieces and a square: z = fc(flat), z * z, (..)"""
    chain = small_network(seed + 30)
    square = [("square", Multiply(), (chain.output, chain.output)), ("top", Linear(mixed((4, 2), seed + 40)))]
    return Network([*chain.nodes, *square])


def is_gradient_times_input(seed: int) -> Found:
    network, x = with_a_product(seed), mixed((1, 1, 6, 5), seed + 31) + F(1, 97)   # so that no z is 0
    e = explain(network, x, assignment.gradient_times_input(network))
    ahead, behind = (difference_quotient(network, x, e.start, h) for h in (STEP, -STEP))
    gradient = (ahead + behind) / 2   # of polynomials of degree 2 on every piece
    absorbed = sum(per_sample(account.bias + account.stabiliser + account.dead)[0] for _, account in e.ledger)
    closed = all(map(closes, accounts(e))) and per_sample(e.start)[0] == per_sample(e.relevance)[0] + absorbed
    chord = explain(network, x).relevance
    return Found(equal(e.relevance, x * gradient) and closed and not equal(chord, e.relevance), (e.relevance,))


def accounts(e: Any) -> list[Account]:
    return [account for _, account in e.ledger]


def gradients() -> Iterator[Case]:
    for seed in range(6):
        yield Case(f"network {seed}", partial(is_gradient_times_input, seed), seed > 1)


CLAIMS = (
    Claim("other maps", "Tangent, Factors and Unscaled are Epsilon on the layer's derivatives, on a product with other "
          "shares, on a norm without scale and shift, each defined by loops.", FRACTIONS, other_maps),
    Claim("derivatives", "A layer's derivatives are the slopes of its output, from the left where there is a kink.",
          FRACTIONS, slopes),
    Claim("gradients", "Tangent(0) on every layer is gradient times input where no output is 0, and its ledger closes.",
          FRACTIONS, gradients),
)
