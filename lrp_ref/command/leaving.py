"""A program that is ended from outside tidies up: SIGTERM and SIGHUP leave as Ctrl-C does, with the code 128 + n."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import current_thread, main_thread
from time import monotonic
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
GRACE = 5.0   # seconds to tidy up: ending a program takes two or three


class Stopped(KeyboardInterrupt):
    """A signal came: all that lets Ctrl-C pass lets it pass."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return "interrupted" if self.number == signal.SIGINT else f"ended by {signal.Signals(self.number).name}"


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, a signal that would end the program raises Stopped; one that is ignored, as under nohup, stays so.

    Another within GRACE seconds is not heard: a terminal that closes sends two, and the first tidies up already.
    """
    last = -inf

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        if monotonic() - last > GRACE:
            last = monotonic()
            raise Stopped(number)

    here = SIGNALS if current_thread() is main_thread() else []   # no other may say what signals do
    before = {number: found for number in here
              if (found := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler)}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
