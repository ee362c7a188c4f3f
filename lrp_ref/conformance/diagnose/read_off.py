"""Messages read off answers that are there already: where one output alone hands down, its message is R_i / R_j.

    M_ij = R_i / R_j    where of the outputs that input i reaches one alone has R_j != 0

Of an implementation that nobody can ask this is all that is known pair by pair; every whole answer stays a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.explain import Cases, at, of_one_layer
from lrp_ref.conformance.diagnose.model import Model, Place
from lrp_ref.conformance.diagnose.pairs import TooLarge, written_out
from lrp_ref.conformance.diagnose.probes import Probe, same_numbers
from lrp_ref.conformance.diagnose.relevance import ways_to_meet


@dataclass(frozen=True, eq=False)
class Answered(Probe):
    """A case: the messages that can be read, and R (N, 1, J) and the answer (N, I), which all of them must give."""

    R: Array = field(default_factory=lambda: np.zeros((1, 1, 1)))
    answer: Array = field(default_factory=lambda: np.zeros((1, 1)))

    def has(self, M: Array, tolerance: float) -> bool:
        return M.shape == self.M.shape and same_numbers((M * self.R).sum(2), self.answer, tolerance)


def meetings(found: Sequence[Answered], tolerance: float) -> list[str]:
    """How messages meet where they are not simply added: every way that gives each answer, if one gives a wrong one."""
    left: list[str] | None = None
    plain = True
    for probe in found:
        assert probe.own is not None
        with np.errstate(all="ignore"):
            plain &= probe.has(probe.own, tolerance)
            ways = {words for words, made in ways_to_meet(probe.own, probe.R[:, 0])
                    if same_numbers(made, probe.answer, tolerance)}
        left = [words for words in (ways if left is None else left) if words in ways]
    return [] if plain else left or []


def read_off(cases: Cases, place: Place, base: Model) -> Iterator[Answered]:
    """The cases of a rule on a kind of layer; base: the implementation as far as it is known."""
    for one in of_one_layer(cases.answered):
        network, rules, x, R = cases.tasks[one.case.id]
        ((name, layer, reads),) = network.nodes
        if at(one) != place or len(reads) > 1 or (   # an answer is the sum over what it reads
                one.case.level == "stress"):   # whose numbers round otherwise
            continue
        try:
            p = written_out(layer, x)
            own = base.messages(rules[name], p)
        except (TooLarge, ValueError):   # or a convention has no such rule
            continue
        assert one.answer is not None
        handed = R.reshape(len(x), 1, -1).astype(np.float64)
        reaching = p.covered & (handed != 0)
        single = (handed != 0).sum(2, keepdims=True) == 1
        known = (handed != 0) & (single | (p.covered & (reaching.sum(2, keepdims=True) == 1)))
        answer = one.answer.reshape(len(x), -1)
        M = np.where(known, answer[..., None] / np.where(handed == 0, 1.0, handed), 0.0)
        yield Answered(rules[name], p, M, known, own, handed, answer)
