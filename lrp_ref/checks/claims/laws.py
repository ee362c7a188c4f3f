"""Claims about every layer and every rule, in Fractions on small numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, divide
from lrp_ref.checks import definitions as loops
from lrp_ref.checks.claims.by_loops import defined, defined_fisher, defined_step, input_of, read_off, units
from lrp_ref.checks.claims.claim import FRACTIONS, FROZEN, SEEDS, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import (
    IRRATIONAL,
    LAYERS,
    RATIONAL,
    Example,
    F,
    Pair,
    mixed,
    output_of,
    pairs,
    relevance_for,
    small_network,
)
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.layers import Conv2D, Linear, ReLU
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.ledger import Account
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus
from lrp_ref.step import step

COLUMNS = ("handed", "bias", "stabiliser", "dead")


def on_pairs(law: Callable[[Pair, int], Found], layers: dict[str, Example], samples: int = 2,
             first: int = 0) -> Iterator[Case]:
    """The law for every layer and every rule that takes it, at inputs drawn from the first seed on."""
    for seed in SEEDS:
        for pair in pairs(layers, samples, first + seed):
            yield Case(pair.what, partial(law, pair, seed), full=seed > 0)


def per_sample(x: Array) -> list[Any]:
    return [sum(sample.flat) for sample in x]


def closes(account: Account) -> bool:
    """received = handed + bias + stabiliser + dead, unit by unit."""
    return equal(account.received, account.handed + account.bias + account.stabiliser + account.dead)


def parts_equal(one: Account, other: Account) -> bool:
    return all(equal(p, q) for p, q in zip(one.parts(), other.parts(), strict=True))


# ---- Ledger ----


def hands_on(pair: Pair, seed: int) -> Found:
    a, m = pair.map()
    R = relevance_for(output_of(a, m), seed + 9)
    below, account = step(pair.rule, m, a, R)
    holds = closes(account) and equal(account.received, R) and per_sample(account.handed) == per_sample(below)
    return Found(holds, pair.exactly(below, *account.parts()))


def network_hands_on(chain: Network, x: Array, rules: Mapping[str, Rule]) -> Found:
    e = explain(chain, x, rules)
    total = e.ledger.total()
    holds = all(closes(account) for _, account in e.ledger) and equal(
        total["received"], per_sample(e.relevance) + total["bias"] + total["stabiliser"] + total["dead"])
    holds = holds and per_sample(e.start) == total["received"].tolist()
    holds = holds and per_sample(e.relevance) == total["handed"].tolist()
    R = e.start
    for name, layer, (t,) in reversed(chain.nodes):   # without what the forward pass has left behind
        a, m = layer.linearize(e.activations[t])
        R, account = step(rules[name], m, a, R)
        holds = holds and equal(e.relevances[t], R) and parts_equal(e.ledger[name], account)
    return Found(holds, (e.relevance, *total.values()))


def network_ledger() -> Iterator[Case]:
    for seed in SEEDS:
        for rule in (Epsilon(0), Epsilon(F(1, 4)), AlphaBeta(2, 1), Gamma(F(1, 4)), ZPlus(), WSquare(), Flat()):
            chain = small_network(seed)
            rules = assignment.assign(chain, {Conv2D: rule, Linear: rule})
            yield Case(f"{rule!r}, network {seed}",
                       partial(network_hands_on, chain, mixed((2, 1, 6, 5), seed + 1), rules), seed > 0)


# ---- Definitions ----


def is_defined_layer(example: Example, seed: int) -> Found:
    layer, x = example.layer, example.x(3, seed)
    output, (a, m) = layer(x), layer.linearize(x)
    holds = equal(m(a), output) != layer.approximate   # which is of first order only
    for n, sample in enumerate(x):
        there = defined(layer, sample)
        wanted = {j: sum(c * a[n][i] * w for i, c, w in there.connections[j]) + there.bias[j]
                  for j in there.connections}
        holds = holds and units(m(a)[n]) == wanted and units(output[n]) == there.output
    return Found(holds, (output,))


def forward() -> Iterator[Case]:
    for seed in SEEDS:
        for name, example in RATIONAL.items():
            yield Case(name, partial(is_defined_layer, example, seed), seed > 0)


# of the others no definition is rational but those of the maps of Fisher vectors and dense SIFT
DEFINED = RATIONAL | {name: IRRATIONAL[name] for name in ("FisherVector", "DenseSift")}


def is_defined_step(pair: Pair, seed: int) -> Found:
    a, m = pair.map()
    R = relevance_for(output_of(a, m), seed + 9)
    below, account = step(pair.rule, m, a, R)
    layer, x, holds = pair.example.layer, pair.example.x(seed=seed), True
    for n in range(len(a)):
        there = defined_fisher(m, n) if isinstance(m, FisherMap) else defined(layer, x[n])
        wanted = defined_step(pair.rule, there, a[n] if isinstance(m, FisherMap) else input_of(layer, x[n]), R[n])
        holds = holds and not departs(below[n], account, n, wanted)
    return Found(holds, pair.exactly(below))


def departs(below: Array, account: Account, n: int, wanted: loops.Step) -> str:
    """Where sample n's relevance or a column is not that of a definition; a unit that is not listed is 0."""
    if any(below[i] != wanted.relevance.get(i, 0) for i in np.ndindex(below.shape)):
        return "relevance"
    return next((name for name in COLUMNS if units(getattr(account, name)[n]) != getattr(wanted, name)), "")


def dense_matrix() -> Iterator[Case]:
    for seed in SEEDS:
        read: dict[str, Callable[[], loops.Map]] = {}
        for pair in pairs(LAYERS, 1, seed + 20):
            there = read.setdefault(pair.name, cache(partial(matrix_of, pair)))
            yield Case(pair.what, partial(is_its_formula, pair, there, seed), seed > 0)


def matrix_of(pair: Pair) -> loops.Map:
    a, m = pair.map()
    return read_off(m, a)


def is_its_formula(pair: Pair, there: Callable[[], loops.Map], seed: int) -> Found:
    a, m = pair.map()
    R = relevance_for(output_of(a, m), seed + 9)
    below, account = step(pair.rule, m, a, R)
    holds = not departs(below[0], account, 0, defined_step(pair.rule, there(), a[0], R[0]))
    if pair.rule == Epsilon(0):
        holds = holds and loops.matrix_form(there(), units(a[0]), units(R[0])) == units(below[0])
    return Found(holds, pair.exactly(below))


# ---- Batches, linearity, scaling ----


def is_its_samples(pair: Pair, seed: int) -> Found:
    a, m = pair.map()
    R, x = relevance_for(output_of(a, m), seed + 9), pair.example.x(seed=seed)
    below, account = step(pair.rule, m, a, R)
    holds = True
    for n in range(len(a)):
        one, alone = pair.example.linearize(x[n : n + 1])
        lower, single = step(pair.rule, alone, one, R[n : n + 1])
        holds = holds and equal(lower[0], below[n]) and all(
            equal(part[0], whole[n]) for part, whole in zip(single.parts(), account.parts()))
    return Found(holds, pair.exactly(below))


def network_is_its_samples() -> Found:
    chain, x = small_network(), mixed((3, 1, 6, 5), 1)
    rules, holds = assignment.paper_cnn(chain), True
    both = explain(chain, x, rules, 2)
    for n in range(3):
        alone = explain(chain, x[n : n + 1], rules, 2)
        holds = holds and equal(alone.relevance[0], both.relevance[n]) and equal(alone.scores[0], both.scores[n])
        holds = holds and all(equal(part[0], whole[n]) for name, account in alone.ledger for part, whole in zip(
            account.parts(), both.ledger[name].parts()))
    return Found(holds, (both.relevance,))


def batches() -> Iterator[Case]:   # floats of one sample and of two may be summed in another order: exact maps alone
    yield from on_pairs(is_its_samples, RATIONAL | {"DenseSift": IRRATIONAL["DenseSift"]})
    yield Case("a network, samples one by one", network_is_its_samples)


def is_linear(pair: Pair, seed: int) -> Found:
    a, m = pair.map()
    z = output_of(a, m)
    R, S = relevance_for(z, seed + 3), relevance_for(z, seed + 4)
    (r, left), (s, right) = (step(pair.rule, m, a, some) for some in (R, S))
    below, account = step(pair.rule, m, a, 2 * R - 3 * S)
    holds = equal(below, 2 * r - 3 * s) and all(equal(whole, 2 * p - 3 * q) for whole, p, q in zip(
        account.parts(), left.parts(), right.parts()))
    return Found(holds, pair.exactly(below))


C = F(7, 3)   # that weights, biases and inputs are scaled by
SCALED: list[tuple[Rule, Rule]] = [(Epsilon(0), Epsilon(0)), (Epsilon(F(1, 4)), Epsilon(C * F(1, 4))), *(
    (rule, rule) for rule in (AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 4)), ZBox(-4, 5), WSquare(), Flat()))]


def does_not_scale(example: Example, rule: Rule, other: Rule) -> Found:
    layer, x = example.layer, example.x()
    larger = replace(layer, weight=layer.weight * C, bias=None if layer.bias is None else layer.bias * C)
    R = relevance_for(layer(x))
    below = step(rule, layer.linearize(x)[1], x, R)[0]
    holds = equal(step(other, larger.linearize(x)[1], x, R)[0], below)
    if layer.bias is None and not isinstance(rule, (ZBox, WSquare, Flat)):
        holds = holds and equal(step(other, layer.linearize(C * x)[1], C * x, R)[0], below)
    return Found(holds, (below,))


def scales_beside_a_bias() -> Found:
    layer, x = RATIONAL["Linear"].layer, RATIONAL["Linear"].x()   # the bias does not scale with x
    R = relevance_for(layer(x))
    plain, scaled = (step(Epsilon(0), layer.linearize(y)[1], y, R)[0] for y in (x, C * x))
    return Found(not equal(plain, scaled), (plain, scaled))


def scaling() -> Iterator[Case]:
    for name in ("Linear", "Conv2D", "Linear on rows, no bias", "Conv2D, no bias"):
        for rule, other in SCALED:
            yield Case(f"{rule!r} on {name}", partial(does_not_scale, RATIONAL[name], rule, other))
    yield Case("with a bias the scale of x matters", scales_beside_a_bias)


# ---- Rules that are the same ----


def are_the_same(example: Example, one: Rule, other: Rule, seed: int) -> Found:
    a, m = example.map(seed=seed)
    R = relevance_for(output_of(a, m), seed + 9)
    (r, account), (s, wanted) = (step(rule, m, a, R) for rule in (one, other))
    return Found(equal(r, s) and parts_equal(account, wanted), (r,) if example.rational else ())


def are_not_the_same() -> bool:
    m, x = RATIONAL["Linear"].layer.linearize(RATIONAL["Linear"].x())[1], RATIONAL["Linear"].x()
    R = relevance_for(m(x))
    return not equal(step(AlphaBeta(2, 1), m, x, R)[0], step(ZPlus(), m, x, R)[0])


def equal_rules() -> Iterator[Case]:
    for seed in SEEDS:
        for name, example in LAYERS.items():
            for one, other in ((AlphaBeta(1, 0), ZPlus()), (Gamma(0), Epsilon(0))):
                if other in example.rules().values():
                    yield Case(f"{one!r} = {other!r} on {name}", partial(are_the_same, example, one, other, seed),
                               seed > 0)
    yield Case("AlphaBeta(2, 1) is another rule than ZPlus", are_not_the_same)


# ---- LRP-0 is gradient times input, and when ----

STEP = F(1, 1 << 40)   # shorter than the way to the next kink, in numbers as small as these
LRP_0: dict[Any, Rule] = {Conv2D: Epsilon(0), Linear: Epsilon(0)}


def difference_quotient(chain: Network, x: Array, R: Array, h: Any) -> Array:
    """d/dx_i sum_j s_j f_j(x) with f_j s_j = R_j: the exact slope of a piecewise linear function."""
    top = chain(x)
    s = divide(R, top)
    slope = 0 * x
    for i in np.ndindex(x.shape[1:]):
        moved = x.copy()
        moved[0][i] = moved[0][i] + h
        slope[0][i] = (s * (chain(moved) - top)).sum() / h
    return slope


def is_slope_times_input(seed: int) -> Found:
    chain, x = small_network(seed + 30), mixed((1, 1, 6, 5), seed + 31) + F(1, 97)   # so that no z is 0
    e = explain(chain, x, assignment.assign(chain, LRP_0))
    right, left = (difference_quotient(chain, x, e.start, h) for h in (STEP, -STEP))
    maps = [defined(layer, a[0]) for (_, layer), a in zip(chain, chain.activations(x).values())]
    s = {j: R / z for (j, R), z in zip(units(e.start[0]).items(), e.scores[0]) if R}
    chain_rule = loops.gradient_times_input(maps, units(x[0]), s)
    holds = equal(right, left) and equal(e.relevance, x * right) and units(e.relevance[0]) == chain_rule
    return Found(holds, (e.relevance,))


def gradient_at_a_zero() -> Found:
    # z_1 = x_1 - x_2 = 0 with derivative 1 above it: f = z_1 + z_2 = 2 x_1 - x_2
    chain = Network([("fc1", Linear(guarded([["1", "1"], ["-1", "0"]]))), ("fc2", Linear(guarded([["1"], ["1"]])))])
    x = guarded([["1", "1"]])
    e = explain(chain, x, assignment.assign(chain, LRP_0))
    slope = difference_quotient(chain, x, e.start, STEP)
    return Found(e.relevance.tolist() == [[1, 0]] and (x * slope).tolist() == [[2, -1]], (e.relevance, slope),
                 "false where z_j = 0 under a non-zero derivative: z = (x1 - x2, x1), f = z1 + z2 at (1, 1): "
                 "LRP-0 is 1 0, gradient x input 2 -1")


def gradient_beside_a_zero() -> Found:
    chain = Network([("fc1", Linear(guarded([["1", "1"], ["-1", "0"]]), guarded(["1", "0"]))), ("relu", ReLU()),
                     ("fc2", Linear(guarded([["1"], ["1"]])))])
    x = guarded([["1", "1"]])
    e = explain(chain, x, assignment.assign(chain, LRP_0))   # with a bias z_1 = 1, and followed by ReLU: equal again
    return Found(equal(e.relevance, x * difference_quotient(chain, x, e.start, STEP)), (e.relevance,))


def lrp_0() -> Iterator[Case]:
    for seed in range(8):
        yield Case(f"network {seed}", partial(is_slope_times_input, seed), seed > 2)
    yield Case("z_j = 0 under a non-zero derivative: not equal", gradient_at_a_zero)
    yield Case("the same with z_j = 1: equal", gradient_beside_a_zero)


CLAIMS = (
    Claim("layers", "A layer's output is that of its definition by loops, and m(a) = layer(x) for the map it is at x.",
          FRACTIONS, forward),
    Claim("rules", "R_i and all four columns of a rule on a layer are those of both definitions by loops over the "
          "units.", FROZEN, partial(on_pairs, is_defined_step, DEFINED)),
    Claim("matrix", "Every rule is its formula on the matrix W and coverage c read off a map; Epsilon(0) is "
          "R = a * (W' (R / z)).", FROZEN, dense_matrix),
    Claim("ledger", "received = handed + bias + stabiliser + dead at every unit, and what is handed is what arrives "
          "below.", FROZEN, partial(on_pairs, hands_on, LAYERS)),
    Claim("network ledger", "R_L = R_0 + bias + stabiliser + dead, summed over all layers of a network; each layer's "
          "step is its map's own.", FRACTIONS, network_ledger),
    Claim("batches", "A batch is its samples one by one, relevance and ledger alike.", FROZEN, batches),
    Claim("linearity", "Relevance and every ledger column are linear in the relevance that arrives.", FROZEN,
          partial(on_pairs, is_linear, LAYERS, samples=1)),
    Claim("scaling", "Weights and bias times c > 0, and Epsilon's eps times c, change no relevance; nor does x times c "
          "without bias.", FRACTIONS, scaling),
    Claim("equal rules", "AlphaBeta(1, 0) = ZPlus and Gamma(0) = Epsilon(0) where z is not 0, relevance and ledger "
          "alike.", FROZEN, equal_rules),
    Claim("gradient", "LRP-0 = gradient x input: linear layers but the last followed by ReLU, pools on inputs >= 0, "
          "f(x) not 0, and no unit with z_j = 0 under a non-zero derivative.", FRACTIONS, lrp_0),
)
