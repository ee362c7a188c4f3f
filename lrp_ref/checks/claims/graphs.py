"""Claims about networks with branches: the ledger at every frontier, and what a cut-off changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

from lrp_ref import assignment
from lrp_ref.arrays import Array
from lrp_ref.checks.claims.claim import FRACTIONS, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import F, mixed
from lrp_ref.layers import Add, Concat, Conv2D, Layer, Multiply, ReLU
from lrp_ref.layers.example import whole_numbers
from lrp_ref.ledger import per_sample
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import Explanation, explain, handed_down, through_layer
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, Share, ZPlus

GRAPHS = range(12)   # that are drawn: the first four always, the others with --full
SHAPE = (2, 2, 3, 4)
RULES: tuple[Rule, ...] = (Epsilon(0), Epsilon(F(1, 4)), AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 4)), Flat())


class Drawn:
    """Choices of a seed."""

    def __init__(self, seed: int) -> None:
        self.numbers = iter(whole_numbers((200,), seed, 0, 1 << 20).tolist())

    def one_of(self, some: Any) -> Any:
        return some[next(self.numbers) % len(some)]


def graph(seed: int) -> Network:
    """Some layers on images (N, 2, 3, 4), sums and products of earlier tensors among them, whose loose ends meet."""
    draw, layers, made = Drawn(seed), list[tuple[str, Layer, tuple[str, ...]]](), [INPUT]
    for n in range(draw.one_of((4, 5, 6, 7))):
        reads = tuple(draw.one_of(made) for _ in range(draw.one_of((2, 3))))
        layer = draw.one_of((
            Conv2D(mixed((2, 2, 1, 3), seed + n), mixed((2,), seed + n + 50), pad=(0, 1)), ReLU(), Add(), Multiply(),
            Conv2D(mixed((2, 1, 2, 1), seed + n), None, dilation=(2, 1), pad=(1, 0), groups=2),
            Add(mixed((len(reads),), seed + n + 9))))
        made.append(f"{type(layer).__name__}{n}")
        layers.append((made[-1], layer, reads if layer.joins else reads[:1]))
    read = {t for _, _, reads in layers for t in reads}
    ends = tuple(t for t in made if t not in read)
    fc = Conv2D(mixed((3, 2 * len(ends), 3, 4), seed + 99), mixed((3,), seed))
    return Network([*layers, ("ends", Concat(), ends), ("fc", fc)])


def rules_of(network: Network, seed: int) -> assignment.Rules:
    """A rule of its own for every convolution and sum."""
    draw = Drawn(seed + 1000)
    return assignment.assign(network, by_name={name: draw.one_of(RULES) for name, layer in network
                                               if isinstance(layer, (Conv2D, Add))})


def explained(seed: int) -> tuple[Network, assignment.Rules, Explanation]:
    network = graph(seed)
    rules, R = rules_of(network, seed), mixed((2, 3, 1, 1), seed + 8)
    return network, rules, explain(network, mixed(SHAPE, seed + 7), rules, R)


def upper_parts(network: Network) -> Iterator[set[str]]:
    """All sets of layers with the output in them and, of every layer, all that read it: what is above a frontier."""
    for n in range(1, len(network) + 1):
        for some in combinations(network.names, n):
            above = set(some)
            if network.output in above and all(name in above for name, _, reads in network.nodes
                                               if above & set(reads)):
                yield above


def absorbed(e: Explanation, names: set[str]) -> Array:
    """bias + stabiliser + dead of these layers, per sample."""
    nothing = 0 * per_sample(e.relevance)
    return sum((sum(e.ledger[name].totals()[2:], start=nothing) for name in names), start=nothing)


def balances_at_every_frontier(seed: int) -> Found:
    network, _, e = explained(seed)
    began, count, holds = per_sample(e.start), 0, True
    for above in upper_parts(network):
        crossing = [e.messages[name][k] for name in above for k, t in enumerate(network.reads[name]) if t not in above]
        there = sum(map(per_sample, crossing), start=0 * began)
        holds, count = holds and equal(began, there + absorbed(e, above)), count + 1
    received = all(equal(e.ledger[name].received, e.relevances[name]) for name in network.names)
    total = e.ledger.total()
    whole = equal(total["handed"], per_sample(e.relevance)) and equal(began, per_sample(e.relevance) + absorbed(
        e, {*network.names}))
    return Found(holds and received and whole and count >= len(network), (e.relevance,), "")


def is_a_walk_below(seed: int) -> Found:
    network, rules, whole = explained(seed)
    x, other = whole.activations, network.activations(mixed(SHAPE, seed + 77))
    holds, found = True, []
    for below in network.names:
        made_of, cut = network.below(below), assignment.cutoff(rules, below)
        e = explain(network, x[INPUT], cut, whole.start)
        beside = [name for name in network.names if name not in made_of]
        holds = holds and all(cut[name] == (Flat() if name in made_of else rules[name]) for name in network.names)
        holds = holds and all(equal(e.relevances[name], whole.relevances[name]) for name in beside)

        def through(name: str, layer: Layer, a: Array, R: Array, made_of: set[str] = made_of,
                    cut: assignment.Rules = cut) -> Array:
            return through_layer(cut[name], layer, network.read(name, other) if name in made_of else a, R)[0]

        holds = holds and equal(handed_down(network, x, whole.start, through)[0][INPUT], e.relevance)
        found.append(e.relevance)
    return Found(holds, tuple(found))


@dataclass(frozen=True)
class Nothing(Rule):
    """R_i = 0: all is dead."""

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return []


def passes_or_bypasses(seed: int) -> Found:
    """Whole = through each part of a partition + what bypasses the layer, tensor by tensor below it; columns alike."""
    network, rules, whole = explained(seed)
    x, holds, found = whole.activations[INPUT], True, []
    for name in network.names:
        below = network.below(name)
        channels = [*range(whole.activations[name].shape[1])]
        parts = [explain(network, x, rules, whole.start, through={name: some}) for some in (
            channels[:1], channels[1:]) if some]
        beside = explain(network, x, rules | {name: Nothing()}, whole.start)
        for t in (INPUT, *below):
            summed = sum((e.relevances[t] for e in parts), start=beside.relevances[t])
            holds = holds and equal(summed, whole.relevances[t])
        for one in below:
            columns = zip(*(e.ledger[one].parts() for e in (whole, beside, *parts)))
            holds = holds and all(equal(all_of_it, sum(some)) for all_of_it, *some in columns)
        for e in parts:
            began, account = per_sample(whole.relevances[name]), e.ledger[name]
            holds = holds and equal(began, per_sample(e.relevance) + absorbed(e, {name, *below}))
            holds = holds and equal(account.received, account.handed + account.bias + account.stabiliser + account.dead)
            found.append(e.relevance)
        dead = sum((e.ledger[name].dead for e in parts), start=-(len(parts) - 1) * whole.relevances[name])
        holds = holds and equal(dead, whole.ledger[name].dead)   # of every part the others' relevance is dead
    return Found(holds, tuple(found))


def cases(check: Any) -> Iterator[Case]:
    for seed in GRAPHS:
        yield Case(f"graph {seed}", partial(check, seed), seed > 3)


CLAIMS = (
    Claim("graph ledger", "At every frontier of a network with branches, what began is what the messages over it have "
          "and what was absorbed above it.", FRACTIONS, partial(cases, balances_at_every_frontier)),
    Claim("graph cut-off", "A cut-off changes the rules of what a layer is made of and no others; relevance beside it "
          "stays, and below it no image matters.", FRACTIONS, partial(cases, is_a_walk_below)),
    Claim("concepts", "Relevance through the channels of a partition of a layer and what bypasses it are the whole, in "
          "every tensor and column below; of each part the rest is dead.", FRACTIONS,
          partial(cases, passes_or_bypasses)),
)
