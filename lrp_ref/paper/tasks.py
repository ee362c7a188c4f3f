"""One photograph is one task, on any `concurrent.futures.Executor`: few in flight, in any order, the same results."""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from multiprocessing import parent_process
from time import monotonic
from typing import Any

from lrp_ref.hints import Watch
from lrp_ref.version import __version__

AHEAD = 64   # tasks in flight where nobody says how many workers there are: memory does not grow with their number
MOST_DEATHS, MOST_LOST = 2, 3   # of workers that were at one task alone; tasks, one after another, that were given up
DIED = "every process that worked on it was ended, perhaps for want of memory"

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


class Died(BrokenExecutor):
    """Several workers have died that had this task: where nothing else was in flight, of it, and once is enough."""


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
        try:
            result = KEPT.work(task)
        except SystemExit:   # a process that is told to end has tidied up: this is no answer of the task's
            if parent_process() is not None:
                os._exit(1)
            raise
    return Answer(result, tuple(str(note.message) for note in notes))


def run_tasks(make: Make, tasks: Iterable[Any], done: Callable[[Any], object], executor: Executor | None = None,
              ahead: int = AHEAD, given_up: Callable[[Any, Exception], Any] | None = None) -> None:
    """done(make()(task)) for every task, here and in their order; or on an executor, in any order, `ahead` in flight.

    make      is pickled once; a worker that does not have it yet is sent it with its first task
    done      is called in this thread, and may be called again with a result when it is interrupted
    executor  any of the standard's: a pool of processes or threads, distributed's `Client.get_executor(pure=False)`
    given_up  makes the result of a task that ends its workers; without it such a task is an error

    Where a worker dies, and the executor takes tasks all the same, those that were in flight are done again, one at a
    time: one that ends MOST_DEATHS workers so is given up; if MOST_LOST are in a row, something else is wrong.
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
    Flight(executor, sent, done, given_up).of_all(iter(tasks), ahead)


class Flight:
    """Tasks on their way.

    flying    {future: task}
    doubtful  tasks that were in flight when a worker died; the first is done alone
    deaths    of workers that were at that one alone
    lost      tasks that have been given up since the last one that was done
    """

    def __init__(self, executor: Executor, sent: bytes, done: Callable[[Any], object],
                 given_up: Callable[[Any, Exception], Any] | None) -> None:
        self.executor, self.sent, self.done, self.given_up = executor, sent, done, given_up
        self.digest = sha256(sent).hexdigest()
        self.flying: dict[Future[Answer], Any] = {}
        self.doubtful: list[Any] = []
        self.deaths = 0
        self.lost: list[Any] = []

    def of_all(self, waiting: Iterator[Any], ahead: int) -> None:
        try:
            while self.begun(waiting, ahead):
                for future in wait(self.flying, return_when=FIRST_COMPLETED).done:
                    self.land(future)
            self.bury()
        except BaseException as error:
            for future in [*self.flying]:
                if future.cancel():
                    del self.flying[future]
            for future in wait(self.flying).done:
                with suppress(Exception):
                    self.is_done(future)
            if isinstance(error, BrokenExecutor):
                raise ValueError("worker processes were ended by the system, perhaps for want of memory: use fewer "
                                 "workers") from error
            raise

    def begun(self, waiting: Iterator[Any], ahead: int) -> bool:
        """As many tasks as may be are in flight; whether there are any."""
        if self.doubtful:
            begin = [] if self.flying else self.doubtful[:1]
        else:
            begin = [*islice(waiting, ahead - len(self.flying))]
        for task in begin:
            self.begin(task)
        return bool(self.flying)

    def begin(self, task: Any, *sent: bytes) -> None:
        self.flying[self.executor.submit(answer, __version__, self.digest, task, *sent)] = task

    def land(self, future: Future[Answer]) -> None:
        """The task is done; or begun again with the work, which its worker lacks; or its worker has died."""
        task = self.flying[future]
        alone = bool(self.doubtful) and task is self.doubtful[0]
        try:
            if self.is_done(future):
                self.bury()
            else:
                alone = False   # not yet
                self.begin(task, self.sent)
        except BrokenExecutor as error:
            self.deaths += alone
            if self.deaths == MOST_DEATHS or (alone and isinstance(error, Died)):
                self.lost.append(task)
                if self.given_up is None or len(self.lost) == MOST_LOST:
                    raise
            else:
                self.doubtful += [] if alone else [task]
                alone = False   # still, or again
        if alone:
            del self.doubtful[0]
            self.deaths = 0
        del self.flying[future]

    def is_done(self, future: Future[Answer]) -> bool:
        """Whether the task is done; if not, the worker lacks the work."""
        got = future.result()
        if got.version != __version__:
            raise ValueError(f"got a worker with lrp_ref {got.version[:40]}, needed {__version__}, as here: install "
                             "the same version everywhere")
        if not got.missing:
            for note in got.notes:
                warnings.warn(note, stacklevel=5)
            self.done(got.result)
        return not got.missing

    def bury(self) -> None:
        """The results of tasks that are given up: workers that do other tasks died of these."""
        while self.lost and self.given_up is not None:
            self.done(self.given_up(self.lost[0], Died(DIED)))
            del self.lost[0]


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
