"""Which definition belongs to which layer and to which rule: the same thing again, by loops."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, ones_like, same
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.definitions import Map, Step, Units, fisher
from lrp_ref.checks.definitions.layers import LAYERS, PRESENCE
from lrp_ref.checks.definitions.rules import RULES
from lrp_ref.layers import Layer
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Rule


def units(x: Array) -> Units:
    """{unit: number} of one sample."""
    return dict(np.ndenumerate(x))


def defined(layer: Layer, x: Array) -> Map:
    """The layer at one sample x, by loops from its formula."""
    kind = type(layer).__name__
    if kind not in LAYERS:
        raise TypeError(f"no definition of {layer!r}")
    return LAYERS[kind](units(x), *field_values(layer))


def field_values(thing: Layer | Rule) -> list[Any]:
    """A layer's or a rule's fields in their order, as definitions take them: nested lists, pairs, exact numbers."""
    return [as_definitions_take(getattr(thing, field.name)) for field in fields(thing)]   # type: ignore[arg-type]


def as_definitions_take(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [as_definitions_take(part) for part in value]
    whole = value is None or isinstance(value, (bool, int, tuple, Fraction))
    return value if whole or value == inf else Fraction(value)


def defined_fisher(m: FisherMap, n: int) -> Map:
    """Sample n of a Fisher vector's map, by loops from Eq. 3 and 4."""
    return fisher.fisher_map(m.x[n].tolist(), m.posteriors[n].tolist(), m.means.tolist(), m.deviations.tolist(),
                             (1 / m.u).tolist(), (1 / m.v).tolist(), m.coverage.tolist())


def read_off(m: LinearMap, a: Array) -> Map:
    """The map of a batch of one as connections, each read off with an input of 1 at one unit and 0 elsewhere."""
    shape = m.apply(a, ones_like).shape
    bias = np.broadcast_to(m.bias, shape)[0]
    connections: by_loops.Connections = {j: [] for j in np.ndindex(shape[1:])}
    for i in np.ndindex(a.shape[1:]):
        alone = 0 * a
        alone[0][i] = alone[0][i] + 1
        covered = m.apply(alone, ones_like)[0]
        weights = covered if m.weightless else m.apply(alone, same)[0]   # 1 for each
        for j, c in np.ndenumerate(covered):
            if c != 0:
                connections[j].append((i, c, weights[j] / c))
    return Map(connections, units(bias), {}, m.learned)


def input_of(layer: Layer, x: Array) -> Array:
    """a: the layer's input; or 1 for each, where the weights say what an input amounts to ("presence")."""
    return ones_like(x) if type(layer).__name__ in PRESENCE else x


def defined_step(rule: Rule, m: Map, a: Array, R: Array) -> Step:
    """The rule at a map and one sample's input and relevance, by loops from its formula."""
    kind = type(rule).__name__
    if kind not in RULES:
        raise TypeError(f"no definition of {rule!r}")
    return RULES[kind](m, units(a), units(R), *field_values(rule))
