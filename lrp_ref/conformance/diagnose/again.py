"""An implementation asked again: another question than the case's, and whether the answer to it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, roundoff
from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.diagnose.bisect import Rules, first_divergence
from lrp_ref.conformance.diagnose.measure import format_of
from lrp_ref.conformance.judge.expected import expected, right_at
from lrp_ref.conformance.judge.outcome import Outcome, ask, status
from lrp_ref.conformance.judge.run import Run
from lrp_ref.network import Network
from lrp_ref.testing.compared import distance

SINGLE = 2.0**-24   # float32's unit roundoff
LEAST = SINGLE / 2   # what is off by less was rounded to more digits: a small number was added
JUDGED, SECONDS = 24, 6.0   # failures that are judged by it


def can_ask(run: Run) -> bool:
    """Whether there is somebody who answers more than the cases: of recorded answers there is not."""
    return not isinstance(run.adapter, Recorded)


def asking(run: Run) -> Callable[..., Array]:
    return lambda network, rules, x, R: ask(run.adapter, network, dict(rules), x, R)


def agrees_with(run: Run, near: float = 0.0) -> Callable[..., bool]:
    """Whether an answer to any question is right: within its bound, declared stabilisers allowed for, or that near."""
    u, declared = roundoff(run.adapter), run.adapter.conventions

    def agrees(network: Network, rules: Rules, x: Array, R: Array, answer: Any) -> bool:
        with np.errstate(all="ignore"):
            return np.shape(answer) == x.shape and any(
                status(answer, one, u) != "failed" or distance(answer, one.value, u) < near
                for one in right_at(network, rules, x, R, u, declared))
    return agrees


def first_layer(outcome: Outcome, run: Run) -> str | None:
    """The layer at which a right relevance becomes wrong; None where none does by itself."""
    case = outcome.case
    if len(case.network) == 1:
        return case.network.names[0]
    if not can_ask(run):
        return None
    with np.errstate(all="ignore"):
        network, rules, x, R = task(outcome, run)
        return first_divergence(asking(run), network, rules, x, R, agrees_with(run)).layer


def task(outcome: Outcome, run: Run) -> Any:
    return outcome.case.task(NUMBERS[roundoff(run.adapter)])


def precision(run: Run) -> float:
    """The unit roundoff of the answers: of float32 where all of them are its numbers, whatever the adapter says."""
    answers = [one.answer for one in run.outcomes if one.answer is not None and one.compared is not None]
    return max(roundoff(run.adapter), format_of(answers))


def rounded_to_float32(run: Run) -> list[Outcome]:
    """Failures that are float32's rounding, where all answers are numbers of float32."""
    if roundoff(run.adapter) == SINGLE or precision(run) < SINGLE:
        return []
    near = [one for one in run.failed if nearly(one)]
    few = [one for one in run.failed if one.compared is not None and not nearly(one)][:JUDGED]
    return [*near, *(one for one in few if of_bounds(one, run))] if len(near) > len(few) else []


def nearly(one: Outcome) -> bool:
    """Whether the answer is right to half of float32's digits."""
    return one.compared is not None and one.answer is not None and (
        distance(one.answer, one.compared.value, SINGLE) <= SINGLE**0.5)


def of_bounds(one: Outcome, run: Run) -> bool:
    """Whether the answer is right to float32's bounds."""
    assert one.answer is not None
    with np.errstate(all="ignore"):
        want = expected(one.case, SINGLE, run.adapter.conventions)
        return one.answer.shape == one.case.x.shape and any(
            status(one.answer, right, SINGLE) != "failed" for right in want)


def right_in_float32(run: Run, failed: Sequence[Outcome]) -> list[Outcome]:
    """Those of them that are right to float32's bounds and off by as much, as far as there is time to judge."""
    begin = perf_counter()
    return [one for one in failed if nearly(one) and off_by(one) > LEAST and perf_counter() - begin < SECONDS
            and of_bounds(one, run)]


def off_by(one: Outcome) -> float:
    """How far an answer with numbers is off."""
    assert one.compared is not None and one.answer is not None
    return float(distance(one.answer, one.compared.value, SINGLE))
