"""What is known of a wrong answer beside what experiments told: something kept between calls, who else answers so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import happened
from lrp_ref.conformance.diagnose.detect import dialects
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.vectors.suite import Note
from lrp_ref.conventions.table import TABLE, stated


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a wrong answer; print it for a sentence: "looks like sign(0) = -1 (TorchLRP)".

    kept        how the same question is answered another time, if otherwise
    convention  the one that the failure is told under
    names       the dialects that answer so
    issues      of the adapter's own library, if it is one of these
    """

    kept: str = ""
    convention: Convention | None = None
    names: Sequence[str] = ()
    issues: Sequence[str] = ()

    @property
    def cause(self) -> str:
        """What it looks like; "" where nothing is known."""
        if self.kept:
            return f"something kept between calls: the same question {self.kept}"
        return "" if self.convention is None else f"{stated(*self.convention)}{of(self.names)}"

    def __str__(self) -> str:
        return f"looks like {self.cause}" if self.cause else ""


def known(convention: Convention | None, run: Run, kept: str = "") -> Known:
    """What is known of a failure told under that convention; a different answer to the same says more than any."""
    if kept or convention is None:
        return Known(kept)
    names = dialects(*convention)
    flags = [TABLE[convention.question].answer(convention.value).disagreement, convention.question.upper()]
    return Known("", convention, names, issues(flags, run.suite.notes, [name for name in names if is_of(name, run)]))


def is_of(name: str, run: Run) -> bool:
    """Whether the adapter is one to that dialect's library."""
    texts = run.adapter.name.lower(), run.command.lower()
    return any(name in text or DIALECTS[name].name.lower() in text for text in texts)


def otherwise(again: Callable[[], Array], answer: Array, u: float) -> str:
    """How it answers another time, if otherwise. Sums in another order, as threads take them, are no other answer: half
    of u's digits of the largest number are the same."""
    try:
        other = again()
    except Exception as error:
        return f"asked again {happened(error)}"
    largest = abs(answer[np.isfinite(answer)]).max(initial=0)
    alike = other.shape == answer.shape and np.allclose(other, answer, rtol=0, atol=u**0.5 * largest, equal_nan=True)
    return "" if alike else "had another answer"


def of(names: Sequence[str]) -> str:
    return f" ({', '.join(DIALECTS[name].name for name in names)})" if names else ""


def issues(flags: Sequence[str], notes: Mapping[str, Note], names: Sequence[str]) -> list[str]:
    """Links of the notes on the flags to the libraries of that name."""
    links = list(dict.fromkeys(link for flag in flags if flag in notes for link in notes[flag].issues))
    return [link for link in links if any(f"/{DIALECTS[name].home}/" in link for name in names)]
