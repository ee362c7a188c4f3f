"""A formula for the message of an output to an input, slot by slot, with the condition where it holds.

    M_ij = factor  part  numerator_ij / (sum_j + bias_j + stabiliser_j)

OWN in a slot is what the canonical rule has there, so that the slots that are not OWN are the departure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.conditions import facts
from lrp_ref.conformance.diagnose.pairs import Pairs, Share, divided, sign
from lrp_ref.conformance.diagnose.quantities import (
    OWN,
    biases,
    contributions,
    factors,
    guards,
    sums,
)
from lrp_ref.rules import Rule

PARTS: dict[str, Any] = {OWN: lambda rule, part: part, "1": lambda rule, part: 1.0,
                         "-part": lambda rule, part: -part,
                         "alpha": lambda rule, part: float(getattr(rule, "alpha", 1)),
                         "beta": lambda rule, part: float(getattr(rule, "beta", 1))}


@dataclass(frozen=True)
class Factor:
    """const top / bottom, or const top / (top + bottom) where `shared`."""

    const: float = 1.0
    top: str = ""
    bottom: str = ""
    shared: bool = False

    @property
    def cost(self) -> int:
        return (self.const != 1) + bool(self.top) + bool(self.bottom) + self.shared

    def of(self, quantities: Mapping[str, Any]) -> Any:
        one = np.ones((1, 1, 1))
        top, bottom = (quantities[name] if name else one for name in (self.top, self.bottom))
        if self.shared:   # of what has nothing beside it the part is the whole
            return self.const * np.where(bottom + 0 * top == 0, 1.0, divided(top + 0 * bottom, top + bottom))
        return self.const * divided(top + 0 * bottom, bottom)


ONE = Factor()


@dataclass(frozen=True)
class Formula:
    """The slots of a formula; `where`: the words of the conditions under which it holds, else the canonical one does.

    only   the kind of share it is about; "": every one
    """

    numerator: str = OWN
    total: str = OWN
    bias: str = OWN
    guard: str = OWN
    part: str = OWN
    factor: Factor = ONE
    scale: float = 1.0     # of the stabiliser, where it was measured
    where: tuple[str, ...] = ()
    only: str = ""

    @property
    def cost(self) -> float:
        slots = sum(slot != OWN for slot in (self.numerator, self.total, self.bias, self.guard, self.part))
        return slots + self.factor.cost + 0.5 * len(self.where) + 0.25 * bool(self.only)

    @property
    def plain(self) -> Formula:
        """The same without its condition."""
        return replace(self, where=(), only="")

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        """M_ij of a share, (N, I, J)."""
        if self.only not in ("", share.kind):
            return share.messages + np.zeros_like(p.w)
        theirs = self.departing(rule, p, share)
        if not self.where:
            return theirs
        known = facts(rule, p, share)
        holds = np.ones_like(p.w, dtype=bool)
        for words in self.where:
            holds = holds & known.get(words, False)
        return np.where(holds, theirs, share.messages)

    def departing(self, rule: Rule, p: Pairs, share: Share) -> Array:
        c = share.c if self.numerator == OWN else contributions(rule, p, share).get(self.numerator, share.c)
        summed = share.c if self.total == "own sum" else c
        total = summed.sum(1, keepdims=True) if self.total in ("own sum", OWN) else (
            sums(rule, p, share, summed)[self.total])
        bias = share.bias if self.bias == OWN else biases(rule, p, share, share.s).get(self.bias, share.bias)
        guard = share.guard if self.guard == OWN else self.guarded(rule, p, share, total + bias)
        part = PARTS[self.part](rule, share.part)
        found = divided(part * share.on * c, total + bias + guard)
        if self.factor != ONE:
            found = found * self.factor.of(factors(rule, p, share))
        return found + np.zeros_like(p.w)

    def guarded(self, rule: Rule, p: Pairs, share: Share, d: Any) -> Any:
        """The stabiliser of a denominator d."""
        if self.guard in MEASURED:
            return self.scale * measured_guard(self.guard, d)
        of_rule = guards(rule, p, share, share.s)
        if self.guard == ITS_SIGN and UNSIGNED in of_rule:
            return of_rule[UNSIGNED] * sign(d)
        return of_rule.get(self.guard, share.guard)


MEASURED = ("a number with the sign of the denominator", "a number without a sign",
            "a number where the denominator is 0")


UNSIGNED, ITS_SIGN = "epsilon without a sign", "epsilon with the sign of that sum"


def measured_guard(name: str, d: Any) -> Any:
    """What a stabiliser of 1 is to a denominator."""
    if name == MEASURED[1]:
        return np.ones_like(d)
    return sign(d) if name == MEASURED[0] else (np.asarray(d) == 0) * 1.0
