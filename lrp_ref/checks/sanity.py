"""What a map depends on: how like itself it stays when the network's weights, or the class, are others.

Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018: a map that stays as it is when weights are drawn anew
says nothing of what was learned. Sixt, Granz and Landgraf, When explanations lie, ICML 2020: under rules that keep only
positive contributions a map loses the class on its way down. No such number says whether a map is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.heatmap import heatmap
from lrp_ref.hints import Watch, unwatched
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import Rule
from lrp_ref.starts import one_hot

STAGES = 6   # of a cascade of many layers: evenly among them, the first and the last always
Map = NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """How like two maps are, 1 being the same: in the order of their pixels by R, by |R|, and in direction.

    rank      Spearman's correlation of R
    absolute  Spearman's correlation of |R|
    cosine    sum R R' / sqrt(sum R^2 sum R'^2)

    None: a map is the same everywhere, or 0, so that there is no such number.
    """

    rank: float | None
    absolute: float | None
    cosine: float | None


@dataclass(frozen=True, eq=False)
class Compared:
    """A map beside the one that it is compared with.

    kind  "weights": layers have their numbers in another order; "class": another class is explained
    what  the layers, from the top; or the class's index
    """

    kind: str
    what: tuple[str, ...] | int
    values: Map | None
    likeness: Likeness


@dataclass(frozen=True, eq=False)
class Sanity:
    """The map of one class under some rules, all that it is compared with, and the photograph's edges."""

    values: Map
    compared: Sequence[Compared]
    edges: Likeness


def shuffled(network: Network, names: Sequence[str], seed: int) -> Network:
    """Every array of these layers with its numbers in another order, drawn by the seed: nothing learned is left.

    Each layer's order is its own, the same whichever others are shuffled with it.
    """
    def other(name: str, array: Array) -> Array:
        rng = np.random.default_rng([seed, network.index(name)])
        return rng.permutation(array.ravel()).reshape(array.shape)

    return network.mapped(lambda name, layer: layer if name not in names else replace(
        layer, **{of: other(name, array) for of, array in layer.arrays().items()}))  # type: ignore[type-var]


def cascade(network: Network, stages: int = STAGES) -> list[tuple[str, ...]]:
    """The layers that have weights, from the top: the first, .., the first n, .., all; some stages of many."""
    learned = [name for name, layer in reversed(network.layers) if layer.arrays()]
    if not learned:
        raise ValueError("got a network without weights, needed some to put in another order")
    counts = np.unique(np.rint(np.linspace(1, len(learned), min(stages, len(learned)))).astype(int))
    return [tuple(learned[:count]) for count in counts]


def map_of(network: Network, x: Array, rules: Mapping[str, Rule], index: int, watch: Watch) -> Map | None:
    """The heatmap of 1 at the class; None where the network has no finite one.

    It starts from 1, not from the score: one below 0, as a network with other weights may have, would turn it round.
    """
    try:
        return np.asarray(heatmap(explain(network, x, rules, one_hot(index), watch).relevance)[0], dtype=np.float64)
    except ValueError:
        return None


def sanity(network: Network, x: Array, rules: Mapping[str, Rule], index: int, others: Sequence[int] = (), seed: int = 0,
           watch: Watch = unwatched) -> Sanity:
    """The map of class `index` compared: while layers are shuffled one after another from the top, and with others'.

    x       one photograph, (1, C, H, W)
    rules   every layer's rule
    others  indices of other classes
    """
    own = map_of(network, x, rules, index, watch)
    if own is None:
        explain(network, x, rules, index)   # whose error says why
        raise ValueError("got a network without a finite map of this class")

    def compared() -> Iterator[Compared]:
        for names in cascade(network):
            watch(f"{len(names)} layers shuffled")
            values = map_of(shuffled(network, names, seed), x, rules, index, watch)
            yield Compared("weights", names, values, likeness(own, values))
        for other in others:
            values = map_of(network, x, rules, other, watch)
            yield Compared("class", other, values, likeness(own, values))

    return Sanity(own, list(compared()), likeness(own, edges(x)))


def edges(x: Array) -> Map:
    """sqrt((dx/du)^2 + (dx/dv)^2) of the mean over the channels: central differences, no network."""
    light = np.asarray(x[0], dtype=np.float64).mean(axis=0)
    rows, columns = (np.gradient(light, axis=axis) if light.shape[axis] > 1 else 0 * light for axis in (0, 1))
    return np.hypot(rows, columns)


def likeness(one: Map, other: Map | None) -> Likeness:
    """All three numbers of two maps of one shape."""
    if other is None:
        return Likeness(None, None, None)
    a, b = one.ravel(), other.ravel()
    return Likeness(correlation(ranks(a), ranks(b)), correlation(ranks(abs(a)), ranks(abs(b))), cosine(a, b))


def ranks(values: Map) -> Map:
    """The place of every number in their order; equal numbers share the mean of their places."""
    from scipy.stats import rankdata

    found: Map = rankdata(values)
    return found


def correlation(a: Map, b: Map) -> float | None:
    return cosine(a - a.mean(), b - b.mean())


def cosine(a: Map, b: Map) -> float | None:
    """sum a b / sqrt(sum a^2 sum b^2), each scaled by its largest so that no square overflows or vanishes."""
    largest = [float(abs(v).max()) for v in (a, b)]
    if min(largest) == 0 or not np.isfinite(largest).all():
        return None
    a, b = (v / size for v, size in zip((a, b), largest))
    return float(np.clip(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)), -1, 1))


def facts_of(one: Compared, classes: Sequence[str]) -> dict[str, Any]:
    """As plain values."""
    what = {"layers": list(one.what)} if isinstance(one.what, tuple) else {"class": classes[one.what]}
    return {"kind": one.kind, **what, **vars(one.likeness)}
