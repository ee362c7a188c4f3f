"""One case and one implementation: what it was asked, what it answered, and what that is worth."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import (
    NUMBERS,
    Adapter,
    Astray,
    Hung,
    Reported,
    Unsupported,
    happened,
    one_line,
    roundoff,
)
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.tolerance import Expected
from lrp_ref.conformance.vectors.case import Case, Either
from lrp_ref.conformance.vectors.given import unheld
from lrp_ref.network import Network
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import SIGMAS, Compared, distance

STATUSES = ("passed", "loose", "undetermined", "unsupported", "failed")
REFUSE = "answered, and must refuse"
Want = Callable[[Case], Sequence[Expected]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a case.

    status      passed: within 6 sigma or half a unit in the last place; loose: within the bound only; undetermined:
                rounding leaves nothing known; unsupported: refused, with a reason; failed: all else
    compared    the answer against the expectation that it is nearest to being right by; None without an answer
    convention  (question, value) of the `either` row that it agrees with, where that is not the canonical value
    answer      what came back, in float64
    """

    case: Case
    status: str
    reason: str = ""
    url: str = ""
    compared: Compared | None = None
    convention: tuple[str, Any] | None = None
    answer: Array | None = None
    seconds: float = 0.0

    @property
    def worst(self) -> tuple[int, ...] | None:
        """The index of the number that is furthest beyond its bound."""
        if self.compared is None:
            return None
        wrong = failures(self.compared.actual, self.compared.value, self.compared.radius)
        score = np.where(wrong, np.nan_to_num(self.compared.excess, nan=np.inf, posinf=np.inf), -1.0)
        return tuple(map(int, np.unravel_index(int(score.argmax()), score.shape)))


# ---- Asking ----


def ask(adapter: Adapter, network: Network, rules: dict[str, Rule], x: Array, R: Array) -> Array:
    """What the adapter answers, in float64; what it prints goes to stderr, and its warnings nowhere."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        try:
            return numbers(adapter.relevance(network, rules, x, R))
        except SystemExit as error:   # of a library that takes itself for the program
            raise RuntimeError(f"it wanted to end the program: exit({error.code!r})") from None


def numbers(answer: Any) -> Array:
    """The answer as float64: of a torch tensor too, or anything that NumPy makes an array of numbers of."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().double()
    array = np.asarray(answer)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"relevance returned {type(answer).__name__} of {array.dtype}, needed an array of numbers")
    return array.astype(np.float64)


# ---- Judging ----


def outcome(adapter: Adapter, case: Case, want: Want) -> Outcome:
    """What becomes of a case; whatever the implementation does, something does, unless it hangs time and again."""
    begin = perf_counter()

    def ended(status: str, reason: str = "", **more: Any) -> Outcome:
        return Outcome(case, status, " ".join(reason.split()), seconds=perf_counter() - begin, **more)

    u = roundoff(adapter)
    number = NUMBERS[u]
    if case.level != "negative" and number is np.float32 and (what := unheld(case, number)):
        return ended("unsupported", f"float32 does not hold {what}")
    try:
        answer = ask(adapter, *case.task(number))
    except Unsupported as error:
        return ended("unsupported", error.reason, url=error.url)
    except Hung as error:
        raise Hung(f"{case.id} is not asked: {error}") from None
    except Astray as error:   # which says nothing about the case, be it one that must be refused
        return ended("failed", str(error))
    except Exception as error:
        if case.level == "negative":
            return ended("passed", f"refused: {error if isinstance(error, Reported) else one_line(error)}")
        beyond = any(np.isinf(one.radius).any() for one in want(case))   # what the format holds: nothing is known
        return ended("undetermined" if beyond else "failed", happened(error))
    if case.level == "negative":
        return ended("failed", f"{REFUSE}: {case.error}", answer=answer)
    if answer.shape != case.x.shape:
        return ended("failed", f"returned relevance of shape {answer.shape} for an x of shape {case.x.shape}",
                     answer=answer)
    status, compared, row = judged(answer, want(case), u)
    if status == "failed" and row is None:
        row = agreeing(case, answer, u)
    found = ended(status, "", compared=compared, convention=row, answer=answer)
    return found if status != "failed" else ended("failed", off(found), compared=compared, convention=row,
                                                  answer=answer)


def judged(answer: Array, want: Sequence[Expected], u: float) -> tuple[str, Compared, tuple[str, Any] | None]:
    """The best status that any right answer gives it: the canonical one's where it fails them all."""
    found = [(status(answer, one, u), one) for one in want]
    best, one = min(found, key=lambda pair: STATUSES.index(pair[0]))
    compared = Compared("the relevance", answer, one.value, one.radius, None, one.sigma)
    return best, compared, one.convention if best != "failed" else None


def status(answer: Array, want: Expected, u: float) -> str:
    """Of all numbers together: the worst of theirs.

    Undetermined is a number that may be right, but that rounding may take as far as it is large; numbers of less than
    half of u's digits of the largest count as that large.
    """
    if failures(answer, want.value, want.radius).any():
        return "failed"
    size = abs(want.value)
    error = np.where(np.isnan(want.value), 0.0, np.nan_to_num(abs(answer - want.value), nan=np.inf, posinf=np.inf))
    least = np.nan_to_num(size).max(initial=0) * u**0.5
    if ((want.radius > np.maximum(size, least)) & (error > 0)).any():
        return "undetermined"
    if (error <= u * np.nan_to_num(size)).all():
        return "passed"
    return "passed" if (error <= np.maximum(SIGMAS * want.sigma(), u * np.nan_to_num(size))).all() else "loose"


def failures(answer: Array, value: Array, radius: Array) -> Array:
    """Which numbers are wrong. Where nothing is known, anything may come back; where NaN must, only what is finite."""
    with np.errstate(invalid="ignore"):
        wrong = ~(abs(answer - value) <= radius)
    return np.where(np.isnan(value), np.isfinite(answer), wrong & (radius < np.inf))


def agreeing(case: Case, answer: Array, u: float) -> tuple[str, Any] | None:
    """The row of another convention that the answer is near to, and much nearer than to the canonical one.

    It names a cause and excuses nothing. A quarter of u's digits leave room for a stabiliser that comes on top.
    """
    rows = [Either("", None, case.relevance), *case.either]   # type: ignore[arg-type]
    offs = [distance(answer, row.relevance, u) for row in rows]
    nearest = int(np.argmin(offs))
    row = rows[nearest]
    if not nearest or offs[nearest] > min(u**0.25, offs[0] / 2) or row.value == getattr(CANONICAL, row.convention):
        return None
    return row.convention, row.value


def off(found: Outcome) -> str:
    """Where it is furthest off: index, got, needed, error over bound."""
    assert found.compared is not None and found.worst is not None
    at, c = found.worst, found.compared
    return (f"at {at}: got {c.actual[at]:.9g}, needed {c.value[at]:.9g}, error over bound "
            f"{float(c.excess[at]):.2g}")
