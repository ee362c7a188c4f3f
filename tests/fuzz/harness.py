"""What a door of the package does with what comes in from outside, counted in six columns.

A door makes one input from a generator of random numbers and gives the call that takes it, so that a seed is the
whole of a case. The columns: it worked; it was refused in our own words (the innermost frame is a `raise` of ours, the
type is ValueError, TypeError or NotImplementedError, the message can be shown: at most 500 characters, no control
characters but line ends); it was refused in the words of Python, NumPy or another library; any other exception; more
than 10 seconds; more than 2 GB.
"""

from __future__ import annotations

import ast
import functools
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

import numpy as np

import lrp_ref

COLUMNS = WORKED, CLEAR, FOREIGN, OTHER, SLOW, LARGE = (
    "worked", "clear", "foreign words", "other exception", "over 10 s", "over 2 GB")
BAD = (FOREIGN, OTHER, SLOW, LARGE)
SECONDS = 10
BYTES = 2 << 30
CHARACTERS = 500
PACKAGE = Path(lrp_ref.__file__).parent
REFUSALS = (ValueError, TypeError, NotImplementedError)


class Attempt(NamedTuple):
    """One input: what it is, in a line, and the call that takes it in."""

    what: str
    call: Callable[[], object]


class Door(NamedTuple):
    """Where something comes in: `attempt(rng)` makes one input of it."""

    name: str
    attempt: Callable[[np.random.Generator], Attempt]


class Seen(NamedTuple):
    """One case of a door: its column, what came in and what was said."""

    column: str
    seed: int
    what: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.column}: seed {self.seed}: {self.what}\n    {self.said}"


class TooSlow(BaseException):
    """Ten seconds are over; no `except Exception` holds it."""


@functools.cache
def raises(path: str) -> frozenset[int]:
    """The lines of a file that a `raise` statement of it covers."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return frozenset(line for node in ast.walk(tree) if isinstance(node, ast.Raise)
                     for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def is_ours(trace: TracebackType | None) -> bool:
    """Whether the innermost frame stands in a `raise` statement of the package."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    path = trace.tb_frame.f_code.co_filename
    return Path(path).is_relative_to(PACKAGE) and trace.tb_lineno in raises(path)


def can_be_shown(message: str) -> bool:
    return 0 < len(message) <= CHARACTERS and all(c.isprintable() or c == "\n" for c in message)


def column_of(error: BaseException) -> str:
    """The column of a call that ended in an error."""
    if isinstance(error, TooSlow):
        return SLOW
    if isinstance(error, MemoryError):
        return LARGE
    if not isinstance(error, REFUSALS):
        return OTHER
    return CLEAR if is_ours(error.__traceback__) and can_be_shown(str(error)) else FOREIGN


def _stop(signum: int, frame: FrameType | None) -> None:
    raise TooSlow("still at work")


def try_once(door: Door, seed: int) -> Seen:
    """The case of this seed, in this process: ten seconds at most."""
    made = door.attempt(np.random.default_rng(seed))
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.call()
        return Seen(WORKED, seed, made.what)
    except Exception as error:
        return Seen(column_of(error), seed, made.what, f"{type(error).__name__}: {error}")
    except TooSlow as error:
        return Seen(SLOW, seed, made.what, str(error))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def in_bounded_memory() -> None:
    """From here on this process gets 2 GB more than it has, and then a MemoryError."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (has + BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
