"""One photograph is one task, on any `concurrent.futures.Executor`: few in flight, in any order, the same results."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from time import monotonic
from typing import Any

from lrp_ref.hints import Watch
from lrp_ref.version import __version__

AHEAD = 64   # tasks in flight where nobody says how many workers there are: memory does not grow with their number

Work = Callable[[Any], Any]   # from a task to its result; both can be pickled
Make = Callable[[], Work]     # what a worker is sent once, pickled: models, rules, settings


class Kept(threading.local):
    """The last work that this thread of a worker was sent. Same results without: every task would bring the models."""

    digest: str = ""
    work: Work | None = None


KEPT = Kept()


@dataclass(frozen=True)
class Answer:
    """What a worker says of a task: its result and notes; or that it has not been sent the work, or is of a version."""

    result: Any = None
    notes: tuple[str, ...] = ()
    missing: bool = False
    version: str = __version__


def answer(version: str, digest: str, task: Any, sent: bytes | None = None) -> Answer:
    """One task, in a worker."""
    if version != __version__:
        return Answer(version=__version__)
    if KEPT.digest != digest:
        if sent is None:
            return Answer(missing=True)
        KEPT.work, KEPT.digest = pickle.loads(sent)(), digest
    assert KEPT.work is not None
    if threading.current_thread() is not threading.main_thread():   # filters of warnings belong to all threads
        return Answer(KEPT.work(task))
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        result = KEPT.work(task)
    return Answer(result, tuple(str(note.message) for note in notes))


def run_tasks(make: Make, tasks: Iterable[Any], done: Callable[[Any], object], executor: Executor | None = None,
        ahead: int = AHEAD) -> None:
    """done(make()(task)) for every task, here and in their order; or on an executor, in any order, `ahead` in flight.

    make      is pickled once; a worker that does not have it yet is sent it with its first task
    done      is called in this thread, and may be called again with a result when it is interrupted
    executor  any of the standard's: a pool of processes or threads, distributed's `Client.get_executor(pure=False)`

    Where it ends early, by Ctrl-C or an error, tasks that no worker has begun are cancelled, those in flight are
    waited for, and their results are done.
    """
    if executor is None:
        work = make()
        for task in tasks:
            done(work(task))
        return
    try:
        sent = pickle.dumps(make)
    except Exception as error:   # a lambda among the rules, a class of a notebook's
        raise ValueError(f"the work cannot be sent to other processes ({str(error)[:200]}): define its functions and "
                         "classes in a module, or leave the executor out") from error
    digest, waiting = sha256(sent).hexdigest(), iter(tasks)
    flying: dict[Future[Answer], Any] = {}

    def begin(task: Any, *whole: bytes) -> None:
        flying[executor.submit(answer, __version__, digest, task, *whole)] = task

    def land(future: Future[Answer]) -> bool:
        """Whether the task is done; if not, the worker lacks the work."""
        got = future.result()
        if got.version != __version__:
            raise ValueError(f"got a worker with lrp_ref {got.version[:40]}, needed {__version__}, as here: install "
                             "the same version everywhere")
        if not got.missing:
            for note in got.notes:
                warnings.warn(note, stacklevel=3)
            done(got.result)
        return not got.missing

    try:
        for task in islice(waiting, ahead):
            begin(task)
        while flying:
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                if land(future):
                    for task in islice(waiting, 1):
                        begin(task)
                else:
                    begin(flying[future], sent)
                del flying[future]
    except BaseException as error:
        for future in [*flying]:
            if future.cancel():
                del flying[future]
        for future in wait(flying).done:
            with suppress(Exception):
                land(future)
        if isinstance(error, BrokenProcessPool):
            raise ValueError("a worker process was ended by the system, perhaps for want of memory: use fewer "
                             "workers") from error
        raise


class Progress:
    """Tells a watch how many of all are done, at what rate, and how long the rest takes."""

    def __init__(self, watch: Watch, what: str, total: int, before: int = 0) -> None:
        self.watch, self.what, self.total, self.before = watch, what, total, before
        self.done, self.began = before, monotonic()
        self.tell()

    def one_more(self) -> None:
        self.done += 1
        self.tell()

    def tell(self) -> None:
        """Those that were done before do not count in the rate."""
        fresh, seconds = self.done - self.before, monotonic() - self.began
        rate = f", {fresh / seconds:.3g} a second" if fresh and seconds else ""
        rest = self.total - self.done
        left = f", {as_time(rest * seconds / fresh)} left" if rate and rest else ""
        self.watch(f"{self.done} of {self.total} {self.what}{rate}{left}")


def as_time(seconds: float) -> str:
    """1 h 05 min; 3 min 20 s; 12 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
