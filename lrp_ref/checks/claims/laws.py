"""Claims about every layer and every rule, in Fractions on small numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lrp_ref import assignment, network, relevance
from lrp_ref.arrays import Array, divide
from lrp_ref.checks import definitions as loops
from lrp_ref.checks.claims.by_loops import defined, defined_fisher, defined_step, input_of, read_off, units
from lrp_ref.checks.claims.case import Case, same
from lrp_ref.checks.claims.examples import (
    IRRATIONAL,
    LAYERS,
    RATIONAL,
    STATISTICS,
    Example,
    F,
    mixed,
    output_of,
    pairs,
    relevance_for,
    small_network,
)
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.layers import BatchNorm, Conv2D, Linear, ReLU
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.ledger import Account
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, WSquare, ZBox, ZPlus

COLUMNS = ("handed", "bias", "stabiliser", "dead")


def seeds(full: bool) -> range:
    return range(6 if full else 1)


def per_sample(x: Array) -> list[Any]:
    return [sum(sample.flat) for sample in x]


def closes(account: Account) -> bool:
    """received = handed + bias + stabiliser + dead, unit by unit."""
    return same(account.received, account.handed + account.bias + account.stabiliser + account.dead)


def results_of(example: Example, *results: Array) -> tuple[Array, ...]:
    """What goes into the digest: nothing that comes from floats, which another machine rounds otherwise."""
    return results if example.rational else ()


def ledger(full: bool) -> Iterator[Case]:
    """received = handed + bias + stabiliser + dead at every unit, and what is handed is what arrives below."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(LAYERS, seed=seed):
            R = relevance_for(output_of(a, m), seed + 9)
            below, account = relevance.step(rule, m, a, R)
            holds = closes(account) and same(account.received, R) and per_sample(account.handed) == per_sample(below)
            yield Case(what, holds, results_of(example, below, *account.parts()))


def network_ledger(full: bool) -> Iterator[Case]:
    """R_L = R_0 + bias + stabiliser + dead, summed over all layers of a network; each layer's step is its map's own."""
    for seed in seeds(full):
        chain, x = small_network(seed), mixed((2, 1, 6, 5), seed + 1)
        for rule in (Epsilon(0), Epsilon(F(1, 4)), AlphaBeta(2, 1), Gamma(F(1, 4)), ZPlus(), WSquare(), Flat()):
            rules = assignment.assign(chain, {Conv2D: rule, Linear: rule})
            e = explain(chain, x, rules)
            total = e.ledger.total()
            holds = all(closes(account) for _, account in e.ledger) and same(
                total["received"], per_sample(e.relevance) + total["bias"] + total["stabiliser"] + total["dead"])
            holds = holds and per_sample(e.start) == total["received"].tolist()
            holds = holds and per_sample(e.relevance) == total["handed"].tolist()
            R = e.start
            for name, layer in reversed(list(chain)):   # without what the forward pass has left behind
                a, m = layer.linearize(e.activations[name])
                R, account = relevance.step(rules[name], m, a, R)
                holds = holds and same(e.relevances[name], R) and all(
                    same(p, q) for p, q in zip(e.ledger[name].parts(), account.parts()))
            yield Case(f"{rule!r}, network {seed}", holds, (e.relevance, *total.values()))


def forward(full: bool) -> Iterator[Case]:
    """A layer's output is that of its definition by loops, and m(a) = layer(x) for the map it is at x."""
    for seed in seeds(full):
        for name, example in RATIONAL.items():
            layer, x = example.layer, example.x(3, seed)
            output, (a, m) = layer(x), layer.linearize(x)
            holds = layer.tangent or same(m(a), output)
            for n, sample in enumerate(x):
                there = defined(layer, sample)
                wanted = {j: sum(c * a[n][i] * w for i, c, w in there.connections[j]) + there.bias[j]
                          for j in there.connections}
                holds = holds and units(m(a)[n]) == wanted and units(output[n]) == there.output
            yield Case(name, holds, (output,))


def by_definition(full: bool) -> Iterator[Case]:
    """R_i and all four columns of a rule on a layer are those of both definitions by loops over the units."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(LAYERS, seed=seed):
            name = what.partition(" on ")[2]
            if name in IRRATIONAL and name not in ("FisherVector", "DenseSift"):
                continue
            R = relevance_for(output_of(a, m), seed + 9)
            below, account = relevance.step(rule, m, a, R)
            x, holds = example.x(seed=seed), True
            for n in range(len(a)):
                there = defined_fisher(m, n) if isinstance(m, FisherMap) else defined(example.layer, x[n])
                wanted = defined_step(rule, there, a[n] if isinstance(m, FisherMap) else input_of(example.layer, x[n]),
                                      R[n])
                holds = holds and as_defined(below[n], account, n, wanted)
            yield Case(what, holds, results_of(example, below))


def as_defined(below: Array, account: Account, n: int, wanted: loops.Step) -> bool:
    """Whether sample n's relevance and columns are those of a definition; a unit that is not listed is 0."""
    return (all(below[i] == wanted.relevance.get(i, 0) for i in np.ndindex(below.shape))
            and all(units(getattr(account, column)[n]) == getattr(wanted, column) for column in COLUMNS))


def dense_matrix(full: bool) -> Iterator[Case]:
    """Every rule is its formula on the matrix W and coverage c read off a map; Epsilon(0) is R = a * (W' (R / z))."""
    for seed in seeds(full):
        read: dict[str, loops.Map] = {}
        for what, example, rule, a, m in pairs(LAYERS, samples=1, seed=seed + 20):
            R = relevance_for(output_of(a, m), seed + 9)
            below, account = relevance.step(rule, m, a, R)
            name = what.partition(" on ")[2]
            there = read[name] = read[name] if name in read else read_off(m, a)
            holds = as_defined(below[0], account, 0, defined_step(rule, there, a[0], R[0]))
            if rule == Epsilon(0):
                formula = loops.matrix_form(there, units(a[0]), units(R[0]))
                holds = holds and formula == units(below[0])
            yield Case(what, holds, results_of(example, below))


def batches(full: bool) -> Iterator[Case]:
    """A batch is its samples one by one, relevance and ledger alike."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(RATIONAL, seed=seed):
            R, x = relevance_for(output_of(a, m), seed + 9), example.x(seed=seed)
            below, account = relevance.step(rule, m, a, R)
            holds = True
            for n in range(len(a)):
                one, alone = example.layer.linearize(x[n : n + 1])
                lower, single = relevance.step(rule, alone, one, R[n : n + 1])
                holds = holds and same(lower[0], below[n]) and all(
                    same(part[0], whole[n]) for part, whole in zip(single.parts(), account.parts()))
            yield Case(what, holds, (below,))
    chain, x = small_network(), mixed((3, 1, 6, 5), 1)
    rules = assignment.paper_cnn(chain)
    both = explain(chain, x, rules, 2)
    holds = all(same(explain(chain, x[n : n + 1], rules, 2).relevance[0], both.relevance[n]) for n in range(3))
    yield Case("a network, samples one by one", holds, (both.relevance,))


def linear(full: bool) -> Iterator[Case]:
    """Relevance and every ledger column are linear in the relevance that arrives."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(LAYERS, samples=1, seed=seed):
            z = output_of(a, m)
            R, S = relevance_for(z, seed + 3), relevance_for(z, seed + 4)
            (r, left), (s, right) = (relevance.step(rule, m, a, some) for some in (R, S))
            below, account = relevance.step(rule, m, a, 2 * R - 3 * S)
            holds = same(below, 2 * r - 3 * s) and all(same(whole, 2 * p - 3 * q) for whole, p, q in zip(
                account.parts(), left.parts(), right.parts()))
            yield Case(what, holds, results_of(example, below))


def scaling(full: bool) -> Iterator[Case]:
    """Weights and bias times c > 0, and Epsilon's eps times c, change no relevance; nor does x times c without bias."""
    c = F(7, 3)
    rules: list[tuple[Rule, Rule]] = [(Epsilon(0), Epsilon(0)), (Epsilon(F(1, 4)), Epsilon(c * F(1, 4))), *(
        (rule, rule) for rule in (AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 4)), ZBox(-4, 5), WSquare(), Flat()))]
    for name in ("Linear", "Conv2D", "Linear on rows, no bias", "Conv2D, no bias"):
        example = RATIONAL[name]
        layer, x = example.layer, example.x()
        bias = None if layer.bias is None else layer.bias * c
        larger = replace(layer, weight=layer.weight * c, bias=bias)
        R = relevance_for(layer(x))
        for rule, other in rules:
            below = relevance.step(rule, layer.linearize(x)[1], x, R)[0]
            holds = same(relevance.step(other, larger.linearize(x)[1], x, R)[0], below)
            if layer.bias is None and not isinstance(rule, (ZBox, WSquare, Flat)):
                holds = holds and same(relevance.step(other, layer.linearize(c * x)[1], c * x, R)[0], below)
            yield Case(f"{rule!r} on {name}", holds, (below,))
    layer, x = RATIONAL["Linear"].layer, RATIONAL["Linear"].x()   # the bias does not scale with x
    R = relevance_for(layer(x))
    plain, scaled = (relevance.step(Epsilon(0), layer.linearize(y)[1], y, R)[0] for y in (x, c * x))
    yield Case("with a bias the scale of x matters", not same(plain, scaled), (plain, scaled))


def equal_rules(full: bool) -> Iterator[Case]:
    """AlphaBeta(1, 0) = ZPlus and Gamma(0) = Epsilon(0) where z is not 0, relevance and ledger alike."""
    for seed in seeds(full):
        for name, example in LAYERS.items():
            a, m = example.map(seed=seed)
            if m.weightless:
                continue
            R = relevance_for(output_of(a, m), seed + 9)
            for one, other in ((AlphaBeta(1, 0), ZPlus()), (Gamma(0), Epsilon(0))):
                (r, account), (s, wanted) = (relevance.step(rule, m, a, R) for rule in (one, other))
                holds = same(r, s) and all(same(p, q) for p, q in zip(account.parts(), wanted.parts()))
                yield Case(f"{one!r} = {other!r} on {name}", holds, results_of(example, r))
    m, x = RATIONAL["Linear"].layer.linearize(RATIONAL["Linear"].x())[1], RATIONAL["Linear"].x()
    R = relevance_for(m(x))
    differ = not same(relevance.step(AlphaBeta(2, 1), m, x, R)[0], relevance.step(ZPlus(), m, x, R)[0])
    yield Case("AlphaBeta(2, 1) is another rule than ZPlus", differ)


NORM = BatchNorm(*STATISTICS, epsilon=0)
MERGES = {
    "Linear": (Network([("fc", Linear(mixed((4, 3), 1), mixed((3,), 2))), ("bn", NORM)]), (2, 4)),
    "Conv2D, no bias": (Network([("conv", Conv2D(mixed((3, 2, 2, 1), 3), None, (1, 2), (1, 0))), ("bn", NORM)]),
                        (2, 2, 3, 4)),
    "Conv2D in groups": (Network([("conv", Conv2D(mixed((3, 1, 1, 2), 4), mixed((3,), 5), dilation=(1, 2), groups=3)),
                                  ("bn", NORM)]), (2, 3, 2, 4)),
}


def batch_norm(full: bool) -> Iterator[Case]:
    """Merged into the layer below, the same function; Epsilon(0) on it = Epsilon(0) on both where no output is 0."""
    for seed in seeds(full):
        for name, (chain, shape) in MERGES.items():
            x, merged = mixed(shape, seed + 8), network.merge_batchnorm(chain)
            yield Case(f"the same function, {name}", same(merged(x), chain(x)) and len(merged) == 1, (merged(x),))
            lower, upper = chain.activations(x)[1:]
            R = relevance_for(upper, seed + 9) * ((lower != 0) & (upper != 0))
            below = chain.names[0]
            both = explain(chain, x, {below: Epsilon(0), "bn": Epsilon(0)}, R).relevance
            once = explain(merged, x, {below: Epsilon(0)}, R).relevance
            passed = explain(chain, x, {below: Epsilon(0), "bn": Pass()}, R).relevance
            yield Case(f"the same relevance, another than Pass, {name}", same(once, both) and not same(once, passed),
                       (once, passed))
    bn = BatchNorm(guarded(["1"]), guarded(["4"]), guarded(["2"]), guarded(["5"]), epsilon=0)
    chain = Network([("fc", Linear(guarded([["1"], ["-1"]]))), ("bn", bn)])
    x, R = guarded([["3", "3"]]), guarded([["4"]])   # fc gives 3 - 3 = 0, bn (0 - 1) + 5 = 4
    both = explain(chain, x, {"fc": Epsilon(0), "bn": Epsilon(0)}, R).relevance
    once = explain(network.merge_batchnorm(chain), x, {"fc": Epsilon(0)}, R).relevance
    yield Case("where the lower output is 0 they differ", both.tolist() == [[0, 0]] and once.tolist() == [[3, -3]],
               (both, once), "where the lower output is 0: both 0 0, merged 3 -3")


# ---- LRP-0 is gradient times input, and when ----

STEP = F(1, 1 << 40)   # shorter than the way to the next kink, in numbers as small as these


def difference_quotient(chain: Network, x: Array, R: Array, step: Any) -> Array:
    """d/dx_i sum_j s_j f_j(x) with f_j s_j = R_j: the exact slope of a piecewise linear function."""
    top = chain(x)
    s = divide(R, top)
    slope = 0 * x
    for i in np.ndindex(x.shape[1:]):
        moved = x.copy()
        moved[0][i] = moved[0][i] + step
        slope[0][i] = (s * (chain(moved) - top)).sum() / step
    return slope


def gradient(full: bool) -> Iterator[Case]:
    """LRP-0 = gradient x input: linear layers but the last followed by ReLU, pools on inputs >= 0, f(x) not 0, and no
    unit with z_j = 0 under a non-zero derivative."""
    zero = {Conv2D: Epsilon(0), Linear: Epsilon(0)}
    for seed in range(8 if full else 3):
        chain, x = small_network(seed + 30), mixed((1, 1, 6, 5), seed + 31) + F(1, 97)   # so that no z is 0
        e = explain(chain, x, assignment.assign(chain, zero))
        right, left = (difference_quotient(chain, x, e.start, h) for h in (STEP, -STEP))
        maps = [defined(layer, a[0]) for (_, layer), a in zip(chain, chain.activations(x))]
        s = {j: R / z for (j, R), z in zip(units(e.start[0]).items(), e.scores[0]) if R}
        chain_rule = loops.gradient_times_input(maps, units(x[0]), s)
        holds = same(right, left) and same(e.relevance, x * right) and units(e.relevance[0]) == chain_rule
        yield Case(f"network {seed}", holds, (e.relevance,))
    # z_1 = x_1 - x_2 = 0 with derivative 1 above it: f = z_1 + z_2 = 2 x_1 - x_2
    chain = Network([("fc1", Linear(guarded([["1", "1"], ["-1", "0"]]))), ("fc2", Linear(guarded([["1"], ["1"]])))])
    x = guarded([["1", "1"]])
    e = explain(chain, x, assignment.assign(chain, zero))
    slope = difference_quotient(chain, x, e.start, STEP)
    holds = e.relevance.tolist() == [[1, 0]] and (x * slope).tolist() == [[2, -1]]
    yield Case("z_j = 0 under a non-zero derivative: not equal", holds, (e.relevance, slope),
               "false where z_j = 0 under a non-zero derivative: z = (x1 - x2, x1), f = z1 + z2 at (1, 1): "
               "LRP-0 is 1 0, gradient x input 2 -1")
    chain = Network([("fc1", Linear(guarded([["1", "1"], ["-1", "0"]]), guarded(["1", "0"]))), ("relu", ReLU()),
                     ("fc2", Linear(guarded([["1"], ["1"]])))])
    e = explain(chain, x, assignment.assign(chain, zero))   # with a bias z_1 = 1, and followed by ReLU: equal again
    holds = same(e.relevance, x * difference_quotient(chain, x, e.start, STEP))
    yield Case("the same with z_j = 1: equal", holds, (e.relevance,))
