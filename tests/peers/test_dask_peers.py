"""A Dask cluster with two worker processes of this machine: the same bits as here, and one line for what is wrong."""

import json
import os
import signal
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs distributed (make peers)")

import dask
from distributed import Client, LocalCluster

from lrp_ref import load_model
from lrp_ref.command import workers
from lrp_ref.command.cli import main
from lrp_ref.paper.precision import bundled
from lrp_ref.paper.study import study
from lrp_ref.paper.tasks import run_tasks

EVALUATE = ["evaluate", "--model", "cnn", "--count", "12", "--json"]


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())
    return run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lrp_ref.paper.precision.OTHERS", 5)   # scenes for the histogram's baseline


def test_a_cluster_gives_the_bits_of_this_process_and_resumes(run, cluster):
    here = run(*EVALUATE)
    assert here[0] == 0 and len(json.loads(here[1])["models"]["cnn"]["maps"]) == 5
    there = *EVALUATE, "--dask", cluster.scheduler_address, "--results", "r.sqlite"
    assert run(*there) == here and run(*there) == here
    with Client(cluster) as client:   # both workers have done some of it, with a thread each
        done = client.run(lambda dask_worker: (dask_worker.nanny is not None, dask_worker.state.nthreads))
    assert list(done.values()) == [(True, 1)] * 2


def test_the_executor_of_a_client_is_an_executor_like_others(cluster):
    model, scenes = load_model("cnn"), bundled(4)
    with Client(cluster, set_as_default=False) as client:
        there = study(model, scenes, executor=client.get_executor(pure=False))
    here = study(model, scenes)
    assert all(there.measures[label].tobytes() == values.tobytes() for label, values in here.measures.items())


def test_workers_with_another_version_are_named(run, cluster, monkeypatch):
    monkeypatch.setattr(workers, "__version__", "9.9")
    code, out, err = run(*EVALUATE, "--dask", cluster.scheduler_address)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "error: got workers with another lrp_ref (tcp://" in err and err.count(" has 0.1.0") == 2


def test_workers_without_it_are_named(run, cluster, monkeypatch):
    monkeypatch.setattr(workers, "PACKAGE", "a-package-that-nobody-has")
    code, _, err = run(*EVALUATE, "--dask", cluster.scheduler_address)
    assert code == 2 and err.count(" has none") == 2


def test_a_cluster_that_cannot_be_reached_is_one_line(run, monkeypatch):
    monkeypatch.setattr(workers, "TIMEOUT", 0.3)
    code, out, err = run(*EVALUATE, "--dask", "tcp://127.0.0.1:9", "--results", "r.sqlite")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("lrp-ref: error: no Dask scheduler at tcp://127.0.0.1:9 (")


def test_explain_shares_a_folder_among_the_workers(run, cluster):
    folder = Path(__file__).parents[2] / "data_fixtures" / "photographs"
    options = "explain", folder, "--model", "cnn", "--json"
    assert run(*options, "--dask", cluster.scheduler_address) == run(*options)


@dataclass(frozen=True)
class Slow:
    """Squares, a fifth of a second each; each task that is begun leaves a file. One number ends its process."""

    folder: Path
    deadly: int = -1

    def __call__(self):
        return self.one

    def one(self, n):
        (self.folder / f"{n}.begun").touch()
        if n == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)
        return n, n * n


def test_ctrl_c_waits_for_what_the_cluster_is_at_and_the_rest_is_all_that_is_left(cluster, tmp_path):
    found = {}

    def done(one):
        again = one[0] in found   # as it is where it was interrupted
        found[one[0]] = one[1]
        if len(found) == 3 and not again:
            raise KeyboardInterrupt
    options = Namespace(dask=cluster.scheduler_address, workers=None)
    with workers.workers(options) as (executor, ahead), pytest.raises(KeyboardInterrupt):
        run_tasks(Slow(tmp_path), range(30), done, executor, ahead)
    time.sleep(1)   # in which a task that was forgotten would begin
    begun = {int(path.stem) for path in tmp_path.glob("*.begun")}
    assert ahead == 4 and begun == set(found) and 3 <= len(found) <= 3 + ahead


def test_a_task_that_ends_its_workers_is_given_up_and_the_rest_is_done(tmp_path):
    found = []
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as mortal:
        options = Namespace(dask=mortal.scheduler_address, workers=None)
        with workers.workers(options) as (executor, ahead):
            run_tasks(Slow(tmp_path, deadly=2), range(7), found.append, executor, ahead,
                      lambda n, error: (n, str(error)))
    said = "every process that worked on it was ended, perhaps for want of memory"
    assert sorted(found) == [(n, said if n == 2 else n * n) for n in range(7)]
