"""Tasks on executors of every kind: each is done once, few are in flight, and the results are those of one process."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from test_experiment import BOX, MODEL, OTHER, collection, known

from lrp_ref import paper_cnn
from lrp_ref.paper import tasks
from lrp_ref.paper.study import study
from lrp_ref.paper.tasks import Answer, Died, Kept, Progress, as_time, run_tasks


@dataclass(frozen=True)
class Squares:
    """From a number to itself and its square; some are refused."""

    refused: tuple[int, ...] = ()

    def __call__(self):
        def one(n):
            if n in self.refused:
                raise ValueError(f"no {n}")
            return n, n * n
        return one


class Late(Executor):
    """One thread that does the task that was submitted last when somebody waits; counts what is in flight."""

    def __init__(self):
        self.waiting, self.most, self.sizes = [], 0, []

    def submit(self, function, *given):
        future = Future()
        self.sizes.append(len(given))
        self.waiting.append((future, function, given))
        self.most = max(self.most, len(self.waiting))
        return future

    def wait(self, flying, return_when=None):
        future, function, given = self.waiting.pop()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*given))
            except BaseException as error:
                future.set_exception(error)
        return tasks_wait(flying, return_when="FIRST_COMPLETED")


tasks_wait = tasks.wait


@pytest.fixture
def late(monkeypatch):
    executor = Late()
    monkeypatch.setattr(tasks, "wait", lambda flying, return_when=None: executor.wait(flying))
    monkeypatch.setattr(tasks, "KEPT", Kept())
    return executor


def test_every_task_is_done_once_in_any_order_and_no_more_are_in_flight_than_asked_for(late):
    found = []
    run_tasks(Squares(), range(20), found.append, late, ahead=3)
    assert sorted(found) == [(n, n * n) for n in range(20)] and found != sorted(found)
    # The last submitted is done first, so that all but the first two tasks overtake these.
    assert found[-2:] == [(1, 1), (0, 0)] and late.most == 3


def test_a_worker_is_sent_the_work_once(late):
    run_tasks(Squares(), range(5), lambda one: None, late, ahead=2)
    # Version, digest, task; and of the first that is done, once more, the work. Five tasks, one of them twice.
    assert sorted(late.sizes) == [3] * 5 + [4]


def test_tasks_are_taken_only_when_there_is_room_for_them(late):
    taken = []
    tasks_taken = (taken.append(n) or n for n in range(100))
    run_tasks(Squares(), tasks_taken, lambda one: len(taken) <= one[0] + 100 or pytest.fail(), late, ahead=4)
    waiting = iter(range(100))

    def stop(one):
        raise KeyboardInterrupt
    late.waiting.clear()
    with pytest.raises(KeyboardInterrupt):
        run_tasks(Squares(), waiting, stop, late, ahead=4)
    assert next(waiting) == 4


def test_threads_and_this_process_give_the_same():
    found, here = [], []
    with ThreadPoolExecutor(3) as pool:
        run_tasks(Squares(), range(50), found.append, pool)
    run_tasks(Squares(), range(50), here.append)
    assert sorted(found) == here == [(n, n * n) for n in range(50)]


class Two(Executor):
    """Two workers, which are at the first two tasks; a task is done when somebody waits for it."""

    def __init__(self):
        self.submitted = []

    def submit(self, function, *given):
        future = Future()
        if len(self.submitted) < 2:
            future.set_running_or_notify_cancel()
        self.submitted.append((future, function, given))
        return future

    def finish(self, n):
        future, function, given = self.submitted[n]
        try:
            future.set_result(function(*given))
        except ValueError as error:
            future.set_exception(error)


class Blames(Executor):
    """Dask, when a worker dies: whatever that worker had been sent is blamed, whether it had begun or not."""

    def __init__(self, deadly):
        self.deadly, self.waiting, self.begun = deadly, [], []

    def submit(self, function, version, digest, task, *sent):
        self.begun.append(task)
        self.waiting.append((task, Future()))
        return self.waiting[-1][1]

    def wait(self, flying, return_when=None):
        died = any(task in self.deadly for task, _ in self.waiting)
        for task, future in self.waiting:
            if died:
                future.set_exception(Died(f"{task} was on a worker that died"))
            else:
                future.set_result(Answer((task, task * task)))
        self.waiting.clear()
        return tasks_wait(flying, return_when="FIRST_COMPLETED")


def test_a_task_that_was_blamed_with_others_is_done_again_alone_before_it_is_given_up(monkeypatch):
    executor, found = Blames({102, 104}), []   # numbers above 100: none is another's neighbour by identity
    monkeypatch.setattr(tasks, "wait", executor.wait)
    run_tasks(Squares(), range(100, 107), found.append, executor, 3, lambda n, error: (n, str(error)))
    assert sorted(found) == [(n, tasks.DIED if n in (102, 104) else n * n) for n in range(100, 107)]
    # Three in flight, all blamed; each alone, of which 102 once, as the cluster has tried it often; and the next three.
    alone = sorted(executor.begun[3:6]), sorted(executor.begun[9:12])
    assert len(executor.begun) == 13 and alone == ([100, 101, 102], [103, 104, 105])


def test_what_is_in_flight_is_done_before_an_error_ends_it_and_what_has_not_begun_is_not(monkeypatch):
    """Of nine tasks the first fails while another worker is at the second: that is waited for, and its result kept."""
    executor, found = Two(), []
    monkeypatch.setattr(tasks, "answer", lambda version, digest, task: Answer(Squares((0,))()(task)))

    def wait(flying, return_when=None):
        executor.finish(0 if return_when else 1)
        return tasks_wait(flying, return_when="FIRST_COMPLETED" if return_when else "ALL_COMPLETED")
    monkeypatch.setattr(tasks, "wait", wait)
    with pytest.raises(ValueError, match="no 0"):
        run_tasks(Squares(), range(9), found.append, executor, ahead=9)
    assert found == [(1, 1)]
    assert [future.cancelled() for future, *_ in executor.submitted] == [False] * 2 + [True] * 7


def test_a_worker_of_another_version_is_named(late, monkeypatch):
    monkeypatch.setattr(tasks, "answer", lambda version, *given: Answer(version="0.0.7"))
    with pytest.raises(ValueError, match=r"got a worker with lrp_ref 0\.0\.7, needed .*: install the same version"):
        run_tasks(Squares(), range(3), print, late)


def test_an_answer_says_its_version_to_whoever_has_another():
    assert tasks.answer("0.0.7", "", 3) == Answer(version=tasks.__version__)


def test_work_that_cannot_be_sent_is_refused_before_any_task():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="define its functions and classes in a module"):
        study(MODEL, collection(known(BOX, OTHER)), lambda network: paper_cnn(network), executor=pool)


def test_a_study_is_the_same_to_the_bit_on_threads_and_in_any_order(late):
    scenes = collection(*(known(BOX, OTHER) for _ in range(6)))
    here = study(MODEL, scenes)
    there = study(MODEL, scenes, executor=late)
    assert here.scores.tobytes() == there.scores.tobytes() and here.scenes.tolist() == there.scenes.tolist()
    assert list(here.measures) == list(there.measures)
    for label, values in here.measures.items():
        assert values.tobytes() == there.measures[label].tobytes() and np.isfinite(values).any()


def test_progress_says_how_many_at_what_rate_and_how_long_the_rest_takes(monkeypatch):
    times, heard = iter([100.0, 100.0, 104.0, 108.0]), []
    monkeypatch.setattr(tasks, "monotonic", lambda: next(times))
    progress = Progress(heard.append, "photographs", 12, before=10)
    progress.one_more()
    progress.one_more()
    # One in 4 seconds, of two that were left: those before do not count.
    assert heard == ["10 of 12 photographs", "11 of 12 photographs, 0.25 a second, 4 s left",
                     "12 of 12 photographs, 0.25 a second"]
    assert [as_time(seconds) for seconds in (59.4, 200, 3900)] == ["59 s", "3 min 20 s", "1 h 05 min"]
