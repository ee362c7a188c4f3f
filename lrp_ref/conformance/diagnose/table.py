"""All pairs of all probes as columns: messages, and every quantity that a formula may be made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.conditions import facts
from lrp_ref.conformance.diagnose.formula import PARTS
from lrp_ref.conformance.diagnose.pairs import shares
from lrp_ref.conformance.diagnose.probes import Probe
from lrp_ref.conformance.diagnose.quantities import biases, contributions, factors, guards, sums


@dataclass(frozen=True, eq=False)
class Table:
    """All pairs of all probes, of one kind of share, as columns: names and arrays (names, pairs)."""

    M: Array
    own: Array
    columns: Mapping[str, Mapping[str, Array]]
    part: Mapping[str, Array]

    def __getitem__(self, name: str) -> Mapping[str, Array]:
        return self.columns[name]


def tables(found: Sequence[Probe], declared: Mapping[str, Any]) -> dict[str, Table]:
    """One for every kind of share that the rule has; own are the messages that it is known to hand down."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for probe in found:
        for share in shares(probe.rule, probe.pairs, declared):
            rows.setdefault(share.kind, []).append((probe, share))
    made = {kind: table(some, declared) for kind, some in rows.items()}
    return {kind: one for kind, one in made.items() if one is not None}


def table(rows: Sequence[tuple[Any, ...]], declared: Mapping[str, Any]) -> Table | None:
    M, own = [], []
    part: dict[str, list[Array]] = {}
    columns: dict[str, dict[str, list[Array]]] = {}
    for probe, share in rows:
        p, rule = probe.pairs, probe.rule
        others = sum((other.messages != 0) | ((other.on != 0) & (other.c != 0)) for other in shares(rule, p, declared)
                     if other.kind != share.kind) + np.zeros_like(p.w)
        here = p.covered & (others == 0) & (share.on != 0) & probe.known
        here = here | np.zeros((len(p.a), 1, 1), bool)
        if not here.any():
            continue

        def flat(value: Any, here: Array = here) -> Array:
            return np.broadcast_to(value, here.shape)[here].astype(np.float64)

        M.append(flat(probe.M))
        own.append(flat(share.messages if probe.own is None else probe.own))
        for name, of in PARTS.items():
            part.setdefault(name, []).append(flat(of(rule, share.part)))
        every = contributions(rule, p, share)
        slots = {"numerator": every, "total": sums(rule, p, share, share.c),
                 "sum of": {name: c.sum(1, keepdims=True) for name, c in every.items()},
                 "bias": biases(rule, p, share, share.s), "guard": guards(rule, p, share, share.s),
                 "factor": factors(rule, p, share), "fact": facts(rule, p, share)}
        for slot, values in slots.items():
            for name, value in values.items():
                columns.setdefault(slot, {}).setdefault(name, []).append(flat(value))
    pieces = len(M)
    if not pieces:
        return None
    return Table(np.concatenate(M), np.concatenate(own),
                 {slot: {name: np.concatenate(v) for name, v in values.items() if len(v) == pieces}
                  for slot, values in columns.items()}, {name: np.concatenate(v) for name, v in part.items()})


