"""Another pooling in a pooling's place: of another kind, or with windows that are not the layer's own.

An implementation that makes its own pooling on the way back may forget a size, a stride or a padding, and hands on as
arrays of other shapes are: R is spread over the outputs that are missing, or summed over those that are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.pairs import Pairs, TooLarge, messages_of, written_out
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conventions.table import plain, spoken
from lrp_ref.layers import AvgPool, Layer, MaxPool, SumPool
from lrp_ref.layers.pool import PaddedPool, Pool
from lrp_ref.rules import Epsilon, Flat, Rule, Winner

KINDS = {"an average pooling": AvgPool, "a sum pooling": SumPool, "a max-pooling": MaxPool}
SHARED: dict[str, Rule] = {"in proportion to the inputs": Epsilon(0.0), "evenly": Flat(), "to the winners": Winner()}
BY_SIZE = "by the window's size alone"
SIZES = (None, (2, 2), (3, 3))   # None: the layer's own


@dataclass(frozen=True)
class OtherPool:
    """As if a pooling were of that kind, its windows of that size, side by side and without padding if not `own`."""

    kind: str
    shared: str
    size: tuple[int, int] | None = None
    own: bool = True
    stabiliser: Convention | None = None

    @property
    def name(self) -> str:
        windows = "its windows" if self.size is None else f"windows of {self.size[0]} x {self.size[1]}"
        how = "" if self.own else ", side by side and without padding"
        more = f", with a stabiliser ({plain(self.stabiliser.value)})" if self.stabiliser else ""
        return f"{self.kind} over {windows}{how}, R shared {self.shared}{more}"

    def layer(self, layer: Any) -> Layer:
        size = self.size or layer.size
        kind = KINDS[self.kind]
        if not self.own:
            return kind(size)
        if kind is SumPool or not isinstance(layer, PaddedPool):   # which have no padding
            return kind(size, layer.stride)
        return kind(size, layer.stride, layer.pad, layer.ceil)

    def messages(self, rule: Rule, p: Pairs, declared: Mapping[str, Any]) -> Array | None:
        """M_ij; None where there is no such pooling, or it is the layer's own."""
        if not isinstance(p.layer, Pool):
            return None
        try:
            other = written_out(self.layer(p.layer), p.x)
        except (TooLarge, ValueError):
            return None
        row = {"average": "gradient"} if self.shared == BY_SIZE else dict([self.stabiliser] if self.stabiliser else [])
        M = messages_of(spoken(row, SHARED.get(self.shared, rule), other.layer), other)
        try:   # as arrays of other shapes meet
            theirs = np.broadcast_to(M.reshape(*M.shape[:2], *other.outputs[1:]), (*M.shape[:2], *p.outputs[1:]))
        except ValueError:
            return None
        return theirs.reshape(*M.shape[:2], -1)


def candidates(forms: Sequence[Convention]) -> Iterator[OtherPool]:
    for kind in KINDS:
        for shared in (*SHARED, *([BY_SIZE] if kind == "an average pooling" else [])):
            for size in SIZES:
                for own in (True, False):
                    one = OtherPool(kind, shared, size, own)
                    yield one
                    if shared == "in proportion to the inputs":
                        yield from (replace(one, stabiliser=form) for form in forms if form.question == "zero_rule")


def recovered(found: Sequence[Any], tolerance: float, declared: Mapping[str, Any], forms: Sequence[Convention]
              ) -> list[OtherPool]:
    """Those with which every message is told."""
    if not all(isinstance(probe.pairs.layer, Pool) for probe in found):
        return []
    kept = []
    for one in candidates(forms):
        made = ((probe, one.messages(probe.rule, probe.pairs, declared)) for probe in found)
        if all(M is not None and probe.has(M, tolerance) for probe, M in made):
            kept.append(one)
    return kept
