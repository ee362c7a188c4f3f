"""What whole data sets cost: a task's overhead, the parent's memory, two workers beside one, seconds a photograph.

    python benchmarks/study.py overhead          10,000 tasks that do nothing, kept in a file of results
    python benchmarks/study.py speed FOLDER      evaluate FOLDER (VOC's layout) with one worker and with two
    python benchmarks/study.py photograph        the Fisher pipeline at full size, 375 x 500, and the CNN
"""

import os
import resource
import subprocess
import sys
import tempfile
from argparse import Namespace
from functools import partial
from time import perf_counter

import numpy as np

from lrp_ref.command.workers import workers
from lrp_ref.paper.record import Found, Record
from lrp_ref.paper.results import Results
from lrp_ref.paper.tasks import run_tasks


def nothing(n: int) -> Record:
    """A record as large as that of two classes under a CNN's seven maps."""
    found = tuple(Found("cnn", k, 1.0, 0.5, {f"map {m}": (n / 7, 0.5, 0.25) for m in range(7)}) for k in range(2))
    return Record(n, str(n), (True,) * 6, (True,) * 6, True, {"cnn": (0.5,) * 6}, found)


def overhead(count: int, keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, Results(f"{folder}/r.sqlite", {"measures": '["a", "b", "c"]'}) as r, \
            workers(Namespace(dask=None, workers=2)) as (executor, ahead):
        done = r.add if keep else (lambda one: None)
        run_tasks(partial(partial, nothing), range(8), done, executor, ahead)   # the workers are there
        began, used = perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        run_tasks(partial(partial, nothing), range(8, count + 8), done, executor, ahead)
        seconds = (perf_counter() - began) / count
        used = (resource.getrusage(resource.RUSAGE_SELF).ru_utime - used) / count
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} tasks, {'kept' if keep else 'not kept'}: {1000 * seconds:.2f} ms each ({1000 * used:.2f} ms of the "
          f"parent's processor), parent's peak {peak:.0f} MB, load {os.getloadavg()[0]:.1f}", flush=True)


def speed(folder: str) -> None:
    for count in (1, 2, 1, 2):
        began = perf_counter()
        subprocess.run([sys.executable, "-m", "lrp_ref", "evaluate", folder, "--model", "cnn", "--json", "--workers",
                        str(count)], check=True, stdout=subprocess.DEVNULL)
        print(f"{count} workers: {perf_counter() - began:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)


def photograph() -> None:
    from lrp_ref import DenseSift, FisherVector, L2Norm, Linear, Model, Network, Preprocessing, SignedSqrt
    from lrp_ref.paper.record import Task
    from lrp_ref.paper.study import Studying

    rng = np.random.default_rng(0)
    chain = Network([
        ("sift", DenseSift((4, 6, 8, 10), step=3)), ("pca", Linear(rng.normal(size=(128, 80)) / 11)),
        ("fisher", FisherVector(np.full(256, 1 / 256), rng.normal(size=(256, 80)) / 9, np.full((256, 80), 0.01))),
        ("norm", L2Norm(8)), ("root", SignedSqrt()), ("norm_all", L2Norm()),
        ("svm", Linear(rng.normal(size=(8 * 2 * 256 * 80, 20)), np.full(20, 50.0)))]).astype(np.float32)
    model = Model(chain, [str(n) for n in range(20)], Preprocessing(None, tallest=480), regions="2x2+3x1+1x1")
    masks = np.zeros((20, 375, 500), bool)
    masks[3, 90:200, 100:300] = True
    seen = Namespace(image=rng.uniform(size=(375, 500)), masks=masks, labels=masks.any(axis=(1, 2)),
                     counted=np.ones(20, bool))
    work = Studying({"fv": model}, tuple(model.classes))()
    for what, explain in (("scores", False), ("scores and two maps", True)):
        times = []
        for n in range(3):
            began, used = perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
            found = work(Task(n, str(n), seen, explain, 0, {}))
            times.append((resource.getrusage(resource.RUSAGE_SELF).ru_utime - used, perf_counter() - began))
        assert not explain or found.found[0].measures
        used, seconds = min(times)
        print(f"{what}: {used:.2f} s of one core ({seconds:.2f} s by the clock), peak "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB, load {os.getloadavg()[0]:.1f}",
              flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["overhead"]:
            for number in (100, 10_000):
                overhead(number, False)
                overhead(number, True)
        case ["speed", path]:
            speed(path)
        case ["photograph"]:
            photograph()
        case _:
            print(__doc__)
