"""The first layer that goes wrong, without looking inside: the layers from i on with input a_i must give R_i.

LRP from the top down to layer i is LRP of a network that ends there, so that an implementation can be asked for every
R_i from outside. Where R_i+1 is right and R_i is wrong, layer i is at fault: log2 of the layers in questions find such
an i.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrp_ref.arrays import Array
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule

Rules = Mapping[str, Rule]
Relevance = Callable[[Network, Rules, Array, Array], Any]     # an adapter's
Agrees = Callable[[Network, Rules, Array, Array, Any], bool]  # whether an answer to such a question is right


class Divergence(NamedTuple):
    """A layer at which a right relevance becomes wrong, and how many calls it took to find.

    layer  None where no layer goes wrong by itself: what is wrong is how they are put together
    note   "" where a binary search found it, else why every layer was asked by itself
    """

    layer: str | None
    calls: int
    note: str = ""


def first_divergence(relevance: Relevance, network: Network, rules: Rules, x: Array, R: Array,
                     agrees: Agrees) -> Divergence:
    """The layer at fault in a network whose R_0 is known to be wrong.

    At most ceil(log2(layers)) calls find it, one more confirms that it is wrong by itself, with the right relevance
    arriving. Where it is not (errors of other layers cancelled in between, or the fault lies in how layers are put
    together) every layer is asked by itself, highest first. Of several faults it is one, the highest unless the errors
    of a higher one cancel.
    """
    names, xs = network.names, network.activations(x)
    Rs = through_network(network, rules, x, R, xs)
    crossing = [INPUT, *network.crossings(), network.output]
    cuts = [0, *(network.index(name) + 1 for name in crossing[1:])]   # where a part of the network ends
    calls = 0

    def wrong(part: Network, x: Array, R: Array) -> bool:
        nonlocal calls
        calls += 1
        given = {name: rules[name] for name in part.names}
        try:
            answer = relevance(part, given, x, R)
        except Exception:   # of a part that it refuses nothing is known
            return False
        return not agrees(part, given, x, R, answer)

    def wrong_by_itself(name: str) -> bool:
        return wrong(Network([(name, network[name])]), network.read(name, xs), Rs[name])

    low, high = 0, len(cuts) - 1   # from low on it is wrong, from high on it is right
    while high - low > 1:
        middle = (low + high) // 2
        if wrong(network[cuts[middle]:], xs[crossing[middle]], Rs[network.output]):
            low = middle
        else:
            high = middle
    block = names[cuts[low] : cuts[high]]
    if len(names) == 1:
        return Divergence(names[0], calls)
    for name in reversed(block):
        if wrong_by_itself(name):
            return Divergence(name, calls)
    right = f"{block[0]} is right by itself" if len(block) == 1 else f"{', '.join(block)} are right by themselves"
    note = f"{right}, so every layer was asked by itself"
    for name in reversed(names):
        if name not in block and wrong_by_itself(name):
            return Divergence(name, calls, note)
    return Divergence(None, calls, "every layer is right by itself: what is wrong is how they are put together")
