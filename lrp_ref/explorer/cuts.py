"""What stands at a cut-off: what the explained layers hand to the tensors below it, which then spreads evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.explorer.walk import Map, Walk
from lrp_ref.ledger import per_sample
from lrp_ref.network import INPUT
from lrp_ref.relevance import Explanation, through_layer
from lrp_ref.rules import Flat, Rule

PHASES = 36   # groups of windows that do not overlap: a window may be six strides wide


@dataclass(frozen=True, eq=False)
class Cut:
    """{tensor: what arrives there on its grid}, and what is dead on the way there."""

    there: Mapping[str, Map]
    dead: float


@dataclass(frozen=True, eq=False)
class Messages:
    """Of the lowest layer's windows that hold a pixel, the one whose message to it is largest: which, and how much.

    of    (H, W): in which group of windows, (row of the window mod steps[0]) steps[1] + column mod steps[1]
    amount (H, W)
    """

    steps: tuple[int, int]
    of: NDArray[np.uint8]
    amount: Map


def cuts(walk: Walk) -> list[str]:
    """The layers below which a cut-off changes a rule, lowest first: every cut-off but none."""
    network = walk.network
    return [name for name in network.names if network.below(name)]


def no_cut(walk: Walk, e: Explanation) -> Cut:
    return Cut({INPUT: walk.summed(e.relevance, INPUT)}, 0.0)


def at_cut(walk: Walk, explained: Sequence[Explanation], below: str) -> list[Cut]:
    """What `cutoff(rules, below)` hands to the tensors from which `walk` knows the way, of explanations by `rules`.

    The layers that the cut-off leaves as they are hand down what they hand down without it. Several explanations of one
    input go as one batch.
    """
    network, Rs, dead = walk.network, dict[str, Array](), np.zeros(len(explained))
    filled, xs = network.below(below), explained[0].activations
    for name, _, reads in network.nodes:
        if name not in filled:
            for k, t in enumerate(reads):
                if t == INPUT or t in filled:
                    put(Rs, t, np.concatenate([e.messages[name][k] for e in explained]))
    for name, layer, reads in reversed(network.nodes):
        if name in filled and name in Rs and name not in walk.spreads:
            x = network.read(name, xs)
            batch = np.broadcast_to(x, (len(explained), *x.shape[1:]))
            R, account = through_layer(Flat(), layer, batch, Rs.pop(name))
            dead += per_sample(np.asarray(account.dead, np.float64))
            for t, message in zip(reads, layer.split(R, *((len(R), *xs[t].shape[1:]) for t in reads))):
                put(Rs, t, message)
    return [Cut({t: walk.summed(R[n], t) for t, R in Rs.items()}, float(dead[n])) for n in range(len(explained))]


def put(Rs: dict[str, Array], t: str, R: Array) -> None:
    Rs[t] = Rs[t] + R if t in Rs else R


def largest_messages(walk: Walk, e: Explanation, rules: Mapping[str, Rule]) -> Messages | None:
    """The largest message to every pixel of the one layer that reads them; None where these are not windows.

    Windows that do not overlap go together: R of the others set to 0, a step down gives every pixel one message.
    """
    lowest = [(name, layer) for name, layer, reads in walk.network.nodes if INPUT in reads]
    spread = walk.spreads.get(lowest[0][0]) if len(lowest) == 1 else None
    if spread is None or spread.rows is None or spread.columns is None:
        return None
    name, layer = lowest[0]
    steps = (apart(spread.rows), apart(spread.columns))
    if steps[0] * steps[1] > PHASES:
        return None
    of, amount = np.zeros(walk.grids[INPUT], np.uint8), np.zeros(walk.grids[INPUT])
    for n in range(steps[0] * steps[1]):
        some = np.zeros_like(e.relevances[name])
        places = (..., slice(n // steps[1], None, steps[0]), slice(n % steps[1], None, steps[1]))
        some[places] = e.relevances[name][places]
        found = walk.summed(through_layer(rules[name], layer, e.activations[INPUT], some)[0], INPUT)
        larger = abs(found) > abs(amount)
        of[larger], amount[larger] = n, found[larger]
    return Messages(steps, of, amount)


def apart(axis: tuple[tuple[int, int, int], ...]) -> int:
    """Every how many-th window of an axis overlaps no other."""
    ends = [(first, first + (count - 1) * step + 1) for first, count, step in axis if count]
    return next(m for m in range(1, len(ends) + 2)
                if all(end <= start for (_, end), (start, _) in zip(ends, ends[m:])))
