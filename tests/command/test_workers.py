"""Processes that are killed in the middle of the work: what they were at is done again, and the work goes on."""

import os
import signal
import time
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest

from lrp_ref.command.workers import workers
from lrp_ref.paper.tasks import run_tasks


@dataclass(frozen=True)
class Mortal:
    """Squares; each task that is begun leaves a file. deadly {n: how many processes it ends}, by this signal."""

    folder: Path
    deadly: dict[int, int]
    by: int = signal.SIGKILL

    def __call__(self):
        return self.one

    def one(self, n):
        times = len([*self.folder.glob(f"{n}.*")])
        (self.folder / f"{n}.{times}").touch()
        if times < self.deadly.get(n, 0):
            try:
                os.kill(os.getpid(), self.by)
                time.sleep(20)
            finally:   # which SIGKILL leaves out
                (self.folder / "tidied").touch()
        return n, n * n


def gone_on(job, count):
    found = []
    with workers(Namespace(dask=None, workers=2)) as (executor, ahead):
        run_tasks(job, range(count), found.append, executor, ahead, lambda n, error: (n, str(error)))
    return found


def begun(folder):
    """{number: how often it was begun}"""
    names = [path.name.partition(".")[0] for path in folder.glob("[0-9]*.*")]
    return {int(name): names.count(name) for name in names}


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM], ids=lambda one: one.name)
def test_a_worker_that_dies_ends_nothing_and_what_it_was_at_is_done_again(tmp_path, by):
    found = gone_on(Mortal(tmp_path, {3: 1}, by), 12)
    assert sorted(found) == [(n, n * n) for n in range(12)]
    times = begun(tmp_path)
    # Of the others at most those that were in flight with it, four with two workers, are begun twice.
    assert times[3] == 2 and sum(times.values()) <= 12 + 4 and max(times.values()) == 2
    assert (tmp_path / "tidied").exists() == (by == signal.SIGTERM)


def test_a_task_that_is_alone_when_a_worker_is_killed_is_not_given_up_for_that(tmp_path):
    assert sorted(gone_on(Mortal(tmp_path, {3: 2}), 6)) == [(n, n * n) for n in range(6)]


def test_a_task_that_ends_its_worker_twice_is_given_up_and_no_other_is(tmp_path):
    found = gone_on(Mortal(tmp_path, {4: 99, 9: 99}), 10)
    said = "every process that worked on it was ended, perhaps for want of memory"
    assert sorted(found) == [*((n, said if n == 4 else n * n) for n in range(9)), (9, said)]
    assert begun(tmp_path)[4] == begun(tmp_path)[9] == 3   # with others in flight, and twice alone


def test_workers_that_die_of_everything_end_it_in_one_line_and_nothing_is_given_up(tmp_path):
    found = []
    with workers(Namespace(dask=None, workers=2)) as (executor, ahead), pytest.raises(
            ValueError, match=r"^worker processes were ended by the system, perhaps for want of memory: use fewer"):
        run_tasks(Mortal(tmp_path, dict.fromkeys(range(9), 99)), range(9), found.append, executor, ahead,
                  lambda n, error: pytest.fail("given up"))
    assert found == []


def test_a_pool_that_cannot_go_on_is_one_line(tmp_path):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(
            ValueError, match=r"^worker processes were ended by the system"):
        run_tasks(Mortal(tmp_path, {1: 1}), range(3), lambda one: None, pool)
