"""R_0 with a cut-off, from an explanation without: down to the cut-off relevance is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, cutoff
from lrp_ref.hints import Watch, unwatched
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import relevances


def cut_off(network: Network, rules: Rules, below: str, xs: Mapping[str, Array], Rs: Mapping[str, Array], begin: Any,
            watch: Watch = unwatched) -> Array:
    """R_0 with a cut-off below that layer; xs and Rs: all tensors and their relevance without one, from R_L = begin.

    Same result without the condition: where all that is filled hands down what it has from one tensor, only that is
    gone through again.
    """
    filled, tops = cutoff(rules, below), network.reads[below]
    if len(tops) == 1 and tops[0] in network.crossings():
        network, begin = network[: network.index(tops[0]) + 1], Rs[tops[0]]
    kept = {name: filled[name] for name in network.names}
    return relevances(network, xs, kept, begin, watch).of[INPUT]
