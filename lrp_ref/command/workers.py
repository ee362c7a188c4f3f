"""Who does the tasks: this process, processes of this machine (`--workers`), or a Dask cluster (`--dask`)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from multiprocessing import get_context, parent_process
from typing import Any, NoReturn

from lrp_ref.hints import listed, quotable
from lrp_ref.paper.tasks import AHEAD, Died
from lrp_ref.version import __version__

MOST = 256      # processes of one machine
GRACE = 0.5     # seconds in which a worker that is ended tidies up
TIMEOUT = 10    # seconds in which a scheduler must answer
# What the libraries that work out NumPy's products take their number of threads from, when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PACKAGE = "lrp_ref"


def workers_asked(options: Namespace) -> None:
    """An error, before any work, where the options cannot be."""
    if options.workers is not None and options.dask:
        raise ValueError("got --workers with --dask, whose workers are the cluster's: leave one of them out")
    if options.workers is not None and not 1 <= options.workers <= MOST:
        raise ValueError(f"got --workers {options.workers}, needed at least 1 and at most {MOST}")


@contextmanager
def workers(options: Namespace) -> Iterator[tuple[Executor | None, int]]:
    """The executor that the options ask for, None for this process, and how many tasks it is to have in flight."""
    if options.dask:
        with cluster(options.dask) as found:
            yield found
    elif options.workers:
        with one_thread_each(), Pool(options.workers) as pool:
            yield pool, 2 * options.workers   # one that is worked on, and one that waits
    else:
        yield None, AHEAD


class Pool(Executor):
    """Processes of this machine. Where one dies the standard's pool ends them all: the next task begins a new one."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = self.new()

    def new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, get_context("spawn"), begin_worker)

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        try:
            return self.pool.submit(work, *given, **named)
        except BrokenExecutor:
            self.pool.shutdown()
            self.pool = self.new()
            return self.pool.submit(work, *given, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait, cancel_futures=cancel_futures)


class Cluster(Executor):
    """Dask's workers. A task that was sent counts as begun: nobody knows which are, and all are waited for."""

    def __init__(self, there: Executor, killed: type[Exception]) -> None:
        self.there, self.killed = there, killed   # what Dask says when it has begun a task again in vain

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        here: Future[Any] = Future()
        here.set_running_or_notify_cancel()

        def land(there: Future[Any]) -> None:
            if there.cancelled():
                here.set_exception(ValueError("the Dask scheduler has dropped a task: is it still running?"))
            elif isinstance(error := there.exception(), self.killed):
                here.set_exception(Died(str(error)))
            elif error is not None:
                here.set_exception(error)
            else:
                here.set_result(there.result())

        self.there.submit(work, *given, **named).add_done_callback(land)
        return here


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that begin inside have one thread for their products: as many threads as cores would wait for each
    other, and the last digit of a sum may depend on their number."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def begin_worker() -> None:
    """A worker does not hear Ctrl-C, which is for its parent, and ends with it, also where that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_worker)
    threading.Thread(target=follow, daemon=True).start()


def end_worker(*_: object) -> NoReturn:
    """What is being written is tidied up; whatever holds that up ends GRACE later."""
    timer = threading.Timer(GRACE, os._exit, (1,))
    timer.daemon = True
    timer.start()
    sys.exit(1)


def follow() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask scheduler. How many threads their products have is theirs to say; Dask's default is one."""
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ValueError('got --dask, which needs another package: pip install "lrp-ref[dask]"') from None
    try:
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"no Dask scheduler at {quotable(address)} ({quotable(error, 120)}): start one, dask "
                         "scheduler, and give its address, as in tcp://127.0.0.1:8786") from None
    try:
        same_version(client.run(version_of, PACKAGE, on_error="return"))
        threads = sum(client.nthreads().values())
        yield Cluster(client.get_executor(pure=False), KilledWorker), 2 * threads
    finally:
        client.close()


version_of = installed   # the standard library's, which a worker has that lacks this package


def same_version(found: dict[str, Any]) -> None:
    """An error that names the workers whose lrp_ref is not the one here."""
    if not found:
        raise ValueError("the Dask scheduler has no worker: start some, dask worker ADDRESS")
    others = [f"{worker} has {quotable('none' if isinstance(got, PackageNotFoundError) else got, 40)}"
              for worker, got in found.items() if got != __version__]
    if others:
        raise ValueError(f"got workers with another lrp_ref ({listed(others)}), needed {__version__}, as here: install "
                         "the same version everywhere")
