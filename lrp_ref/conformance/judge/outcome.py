"""One case and one implementation: what it was asked, what it answered, and what that is worth."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
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
    claims,
    happened,
    one_line,
    roundoff,
    spaced,
)
from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.tolerance import Convention, Expected
from lrp_ref.conformance.vectors.capabilities import unclaimed
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.given import unheld
from lrp_ref.network import Network
from lrp_ref.rules import Rule
from lrp_ref.testing.compared import SIGMAS, Compared, distance

STATUSES = ("passed", "loose", "undetermined", "unsupported", "failed")
RIGHT = ("passed", "loose")
REFUSE = "answered, and must refuse"
UNCLAIMED = "not claimed: "
Want = Callable[[Case], Sequence[Expected]]


@dataclass(frozen=True)
class Worst:
    """The number that is furthest off: where it is, what came back and should have, and how far off that is and may be.
    """

    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    bound: float
    excess: float   # error over bound


@dataclass(frozen=True)
class Raised:
    """Where an error was raised: the last line of the adapter's own file on the way there; and all lines from it on."""

    place: str
    trace: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a case.

    status      passed: within 6 sigma or half a unit in the last place; loose: within the bound only; undetermined:
                rounding leaves nothing known; unsupported: refused, with a reason; failed: all else
    compared    the answer against the expectation that it is nearest to being right by; None without an answer
    convention  of the `either` row that it agrees with, where that is not the canonical one
    answer      what came back, in float64
    raised      where in the adapter's own file an error was raised
    """

    case: Case
    status: str
    reason: str = ""
    url: str = ""
    compared: Compared | None = None
    convention: Convention | None = None
    answer: Array | None = None
    seconds: float = 0.0
    raised: Raised | None = None

    @property
    def answered(self) -> bool:
        """Whether numbers came back where an error should have."""
        return self.case.level == "negative" and self.answer is not None

    @property
    def by_luck(self) -> bool:
        """Whether it passed, or is undetermined, where no bound is finite: in another order of sums it is the other."""
        return self.status not in ("failed", "unsupported") and self.compared is not None and bool(
            np.isinf(self.compared.radius).any())

    @property
    def worst(self) -> Worst | None:
        """The number that is furthest beyond its bound."""
        if (c := self.compared) is None:
            return None
        off = wrong(c.actual, c.value, c.radius)
        score = np.where(off, np.nan_to_num(c.excess, nan=np.inf, posinf=np.inf), -1.0)
        at = tuple(map(int, np.unravel_index(int(score.argmax()), score.shape)))
        return Worst(at, *(float(values[at]) for values in (c.actual, c.value, c.error, c.radius, c.excess)))


@dataclass(frozen=True, eq=False)
class Verdict:
    """What an answer is worth, against the expectation that it is nearest to being right by, and whose that is."""

    status: str
    compared: Compared
    convention: Convention | None


# ---- Asking ----


def ask(adapter: Adapter, network: Network, rules: dict[str, Rule], x: Array, R: Array) -> Array:
    """What the adapter answers, in float64; what it prints goes to stderr, and its warnings nowhere."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        try:
            return in_float64(adapter.relevance(network, rules, x, R))
        except SystemExit as error:   # of a library that takes itself for the program
            raise RuntimeError(f"it wanted to end the program: exit({error.code!r})") from None


def answer_to(case: Case, adapter: Adapter, number: type) -> Array:
    """What the adapter answers to a case, or has answered."""
    return adapter.answer(case) if isinstance(adapter, Recorded) else ask(adapter, *case.task(number))


def in_float64(answer: Any) -> Array:
    """The answer as float64: of a torch tensor too, or anything that NumPy makes an array of numbers of."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().double()
    array = np.asarray(answer)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"relevance returned {type(answer).__name__} of {array.dtype}, needed an array of numbers")
    return array.astype(np.float64)


# ---- Judging ----


def outcome(adapter: Adapter, case: Case, want: Want) -> Outcome:
    """What becomes of a case. Every answer or exception gets a status; only repeated silence raises Hung."""
    begin = perf_counter()
    found = ended(adapter, case, want)
    return replace(found, reason=spaced(found.reason), seconds=perf_counter() - begin)


def ended(adapter: Adapter, case: Case, want: Want) -> Outcome:
    u = roundoff(adapter)
    number = NUMBERS[u]
    if missing := unclaimed(case, claims(adapter)):
        return Outcome(case, "unsupported", f"{UNCLAIMED}{', '.join(missing)}")
    if case.level != "negative" and number is np.float32 and (what := unheld(case, number)):
        return Outcome(case, "unsupported", f"float32 does not hold {what}")
    try:
        answer = answer_to(case, adapter, number)
    except Unsupported as error:
        return Outcome(case, "unsupported", error.reason, error.url)
    except Hung as error:
        raise Hung(f"{case.id} is not asked: {error}") from None
    except Astray as error:   # which has not refused the case, even one that must be refused: it fails
        return Outcome(case, "failed", str(error))
    except Exception as error:
        if case.level == "negative":
            return Outcome(case, "passed", f"refused: {error if isinstance(error, Reported) else one_line(error)}")
        beyond = any(np.isinf(one.radius).any() for one in want(case))   # what the format holds: nothing is known
        became = "undetermined" if beyond else "failed"
        return Outcome(case, became, happened(error), raised=where_raised(error, adapter))
    if case.level == "negative":
        return Outcome(case, "failed", f"{REFUSE}: {case.error}", answer=answer)
    if answer.shape != case.x.shape:
        return Outcome(case, "failed", f"returned relevance of shape {answer.shape} for an x of shape {case.x.shape}",
                       answer=answer)
    verdict = judged(answer, want(case), u)
    found = Outcome(case, verdict.status, compared=verdict.compared, convention=verdict.convention, answer=answer)
    if found.status != "failed":
        return found
    return replace(found, reason=furthest(found), convention=agreeing(case, answer, u))


def where_raised(error: BaseException, adapter: Adapter) -> Raised | None:
    """Where in the file of the adapter's class; None where its lines are not on the way, as those of another process.
    """
    file = getattr(sys.modules.get(type(adapter).__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [n for n, frame in enumerate(frames) if frame.filename == file]
    if file is None or not own:
        return None
    some = [traceback.FrameSummary(Path(frame.filename).name, frame.lineno, frame.name, line=frame.line)
            for frame in frames[own[0]:]]   # reports are passed on: without the folders of a machine
    lines = traceback.format_list(some) + traceback.format_exception_only(error)
    last = some[own[-1] - own[0]]
    return Raised(f"{last.filename}:{last.lineno}, in {last.name}", "".join(lines).rstrip())


def judged(answer: Array, want: Sequence[Expected], u: float) -> Verdict:
    """The best status that any right answer gives it: the canonical one's where it fails them all."""
    found = [(status(answer, one, u), one) for one in want]
    best, one = min(found, key=lambda pair: STATUSES.index(pair[0]))
    compared = Compared((), answer, one.value, one.radius, None, one.sigma)
    return Verdict(best, compared, one.convention if best != "failed" else None)


def status(answer: Array, want: Expected, u: float) -> str:
    """Of all numbers together: the worst of theirs.

    Undetermined is a number that may be right, but that rounding may take as far as it is large; numbers of less than
    half of u's digits of the largest count as that large.
    """
    if wrong(answer, want.value, want.radius).any():
        return "failed"
    size = abs(want.value)
    error = np.where(np.isnan(want.value), 0.0, np.nan_to_num(abs(answer - want.value), nan=np.inf, posinf=np.inf))
    least = np.nan_to_num(size).max(initial=0) * u**0.5
    if ((want.radius > np.maximum(size, least)) & (error > 0)).any():
        return "undetermined"
    if (error <= u * np.nan_to_num(size)).all():
        return "passed"
    return "passed" if (error <= np.maximum(SIGMAS * want.sigma(), u * np.nan_to_num(size))).all() else "loose"


def wrong(answer: Array, value: Array, radius: Array) -> Array:
    """Which numbers are wrong. Where nothing is known, anything may come back; where NaN must, only what is finite."""
    with np.errstate(invalid="ignore"):
        beyond = ~(abs(answer - value) <= radius)
    return np.where(np.isnan(value), np.isfinite(answer), beyond & (radius < np.inf))


def agreeing(case: Case, answer: Array, u: float) -> Convention | None:
    """The row of another convention that the answer is near to, and much nearer than to the canonical one.

    It names a cause and excuses nothing. A quarter of u's digits leave room for a stabiliser that comes on top.
    """
    assert case.relevance is not None
    canonical = distance(answer, case.relevance, u)
    offs = [distance(answer, row.relevance, u) for row in case.either]
    if not offs or not min(offs) < canonical:
        return None
    nearest = int(np.argmin(offs))
    row = case.either[nearest]
    if offs[nearest] > min(u**0.25, canonical / 2) or row.value == getattr(CANONICAL, row.convention):
        return None
    return Convention(row.convention, row.value)


def furthest(found: Outcome) -> str:
    """Where it is furthest off: index, got, needed, error over bound."""
    worst = found.worst
    assert worst is not None
    return (f"at {worst.index}: got {worst.got:.9g}, needed {worst.expected:.9g}, error over bound "
            f"{worst.excess:.2g}")
