"""evaluate and explain with several processes and files of results: the same numbers, nothing lost, nothing twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, nullcontext
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from at_hand import MODEL, PIXELS, files, parsed

from lrp_ref import Model, Network, save_model
from lrp_ref.command import explain, measuring, workers
from lrp_ref.command.leaving import Stopped
from lrp_ref.paper import tasks as engine
from lrp_ref.paper.results import read_results

EVALUATE = "evaluate", "voc", "--model", "model.npz", "--difficult", "count", "--json"
KEPT = *EVALUATE, "--results", "r.sqlite"


@pytest.fixture
def more(voc):
    """Nine photographs, each of its own; the fourth is cut off in the middle."""
    sets, states = voc / "ImageSets" / "Main", {"left": [], "right": []}
    rng = np.random.default_rng(5)
    note = (voc / "Annotations" / "1.xml").read_text()
    for n in range(1, 10):
        iio.imwrite(voc / "JPEGImages" / f"{n}.jpg", rng.permuted(PIXELS, axis=0), quality=95)
        what = ("left", "right")[n % 2]
        (voc / "Annotations" / f"{n}.xml").write_text(note.replace("left", what))
        for name, lines in states.items():
            lines.append(f"{n} {1 if name == what else -1}\n")
    for name, lines in states.items():
        (sets / f"{name}_test.txt").write_text("".join(lines))
    (sets / "test.txt").write_text("".join(f"{n}\n" for n in range(1, 10)))
    broken = voc / "JPEGImages" / "4.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    return voc


def without_files(text):
    return {name: value for name, value in parsed(text).items() if name not in ("plot", "save")}


def test_one_process_and_three_and_a_file_of_results_give_the_same_bits(done, more):
    here = done(*EVALUATE)
    assert parsed(here)["models"]["model.npz"]["explained"] > 2
    assert done(*EVALUATE, "--workers", "3") == here
    assert done(*KEPT, "--workers", "1") == here
    assert done(*KEPT) == here   # which has nothing left to do
    assert without_files(done("report", "r.sqlite", "--json")) == without_files(here)


def test_a_photograph_that_cannot_be_read_is_a_row_and_a_line_and_not_the_end(done, more):
    out = done(*(word for word in KEPT if word != "--json"))
    *_, last = out.splitlines()
    assert last.startswith("1 of 9 photographs could not be used and count nowhere: 4: ") and "cannot be read" in last
    row = sqlite3.connect("r.sqlite").execute("select name, error from photographs where error != ''").fetchall()
    assert [name for name, _ in row] == ["4"] and row[0][1] in last
    said = parsed(done(*EVALUATE))
    assert list(said["unread"]) == ["4"] and said["explained_images"] == 8
    assert said["average_precision"]["left"]["prevalence"] == 3 / 8   # of 2 4 6 8 three


class Counted(Executor):
    """Does every task at once, and counts; what is submitted after `most` tasks raises Stopped."""

    def __init__(self, most):
        self.done, self.most = 0, most

    def submit(self, function, *given):
        if self.done == self.most:
            raise Stopped(signal.SIGINT)
        future = Future()
        future.set_result(function(*given))
        self.done += not future.result().missing
        return future


@pytest.fixture
def counted(monkeypatch):
    """Runs end after so many tasks; how many tasks each has done."""
    def ending(most):
        executor = Counted(most)

        @contextmanager
        def workers(options):
            yield executor, 2
        monkeypatch.setattr(measuring, "workers", workers)
        monkeypatch.setattr(engine, "KEPT", engine.Kept())
        return executor
    return ending


def test_ctrl_c_says_how_to_go_on_and_the_same_command_repeats_nothing(run, done, more, counted):
    whole = done(*EVALUATE)
    counted(4)
    code, out, err = run(*KEPT)
    assert (code, out) == (130, "")
    assert err == "lrp-ref: interrupted; 4 photographs are in r.sqlite, and the same command goes on from there\n"
    assert done("report", "r.sqlite").startswith("so far 4 of 9 photographs\n\naverage precision")
    rest = counted(99)
    assert done(*KEPT) == whole and rest.done == 5
    again = counted(99)
    assert done(*KEPT) == whole and again.done == 0
    assert sqlite3.connect("r.sqlite").execute("select count(*) from photographs").fetchone() == (9,)


def test_another_model_seed_or_choice_is_refused_by_name_before_any_work(run, done, more, counted):
    done(*KEPT)
    before = files(Path.cwd())
    counted(0)
    for option, said in ((("--seed", "7"), "seed 2016, now 7"), (("--count", "2"), "count 300, now 2, explained 9, now "
                         "2, names and labels"), (("--set", "test"), "set nothing, now test")):
        if option[0] == "--set":
            continue
        code, out, err = run(*KEPT, *option)
        assert (code, out) == (2, "") and f"holds results of another run ({said}" in err and err.count("\n") == 1
    os.rename("model.npz", "kept.npz")
    save_model(Model(MODEL.chain.mapped(lambda name, layer: layer), MODEL.classes, MODEL.preprocessing), "model.npz")
    assert run(*KEPT)[0] == 0   # the same numbers are the same model
    before_model = np.load("model.npz")
    changed = {name: before_model[name] * (1 + 2**-52) if name.endswith("fc.bias") else before_model[name]
               for name in before_model.files}
    np.savez("model.npz", **changed)
    code, out, err = run(*KEPT)
    assert (code, out) == (2, "") and "holds results of another run (model model.npz" in err
    os.replace("kept.npz", "model.npz")
    assert files(Path.cwd()) == before


def test_a_report_of_nothing_yet_and_of_something_else_is_one_line(run, folder):
    (folder / "text.sqlite").write_text("x" * 300)
    for path, said in (("none.sqlite", "which is no file"), ("text.sqlite", "file is not a database")):
        code, out, err = run("report", path)
        assert (code, out) == (2, "") and said in err and err.count("\n") == 1


def test_a_report_is_drawn_as_evaluate_draws_it(done, more):
    done(*KEPT, "--plot", "plot.png")
    assert done("report", "r.sqlite", "--output", "again.png").endswith("plot written to again.png\n")
    assert (iio.imread("plot.png") == iio.imread("again.png")).all()


def test_options_that_cannot_be_are_refused_before_the_work(run, more):
    for options, said in ((("--workers", "0"), "got --workers 0, needed at least 1"),
                          (("--workers", "2", "--dask", "tcp://x:1"), "leave one of them out")):
        code, out, err = run(*EVALUATE, *options)
        assert (code, out) == (2, "") and said in err
    code, _, err = run("explain", "photo.png", "--model", "model.npz", "--workers", "2")
    assert code == 2 and "with one photograph, which is one task" in err
    code, _, err = run(*EVALUATE, "--results", "model.npz")
    assert code == 2 and "an input that would be lost" in err


def test_explain_shares_a_folder_among_processes_and_writes_the_same_files(run, more):
    options = "explain", "voc/JPEGImages", "--model", "model.npz", "--rule", "epsilon:0.1", "--json"
    code, here, err = run(*options, "--output-dir", "here")
    assert code == 2 and "1 of 9 photographs are not explained: voc/JPEGImages/4.jpg" in err
    code, there, _ = run(*options, "--output-dir", "there", "--workers", "2")
    assert code == 2 and there == here.replace('"here/', '"there/')
    named = [{path.name: data for path, data in files(Path(folder)).items() if path.suffix == ".png"}
             for folder in ("here", "there")]
    assert named[0] == named[1] and len(named[0]) == 8
    for path in Path("here").glob("*.npz"):
        one, other = np.load(path), np.load(Path("there") / path.name)
        assert all(one[name].tobytes() == other[name].tobytes() for name in one.files)


FOLDER = "explain", "voc/JPEGImages", "--model", "model.npz", "--rule", "epsilon:0.1", "--output-dir", "made"


@pytest.fixture
def explained_now(monkeypatch):
    """The photographs that are explained, one after another."""
    found, before = [], Model.explain

    def explain(self, pixels, **given):
        found.append(pixels.tobytes())
        return before(self, pixels, **given)
    monkeypatch.setattr(Model, "explain", explain)
    return found


@pytest.mark.parametrize("more_options", [(), ("--json",)], ids=["text", "json"])
def test_photographs_whose_files_the_same_command_has_made_are_not_explained_again(run, more, explained_now,
                                                                                   more_options):
    os.remove("voc/JPEGImages/4.jpg")
    code, out, _ = run(*FOLDER, *more_options)
    assert code == 0 and len(explained_now) == 8
    before, _ = files(Path("made")), explained_now.clear()
    assert run(*FOLDER, *more_options) == (0, out, "") and explained_now == [] and files(Path("made")) == before
    os.remove("made/1.png")
    Path("made/2.npz").write_bytes(Path("made/2.npz").read_bytes()[:-50])
    os.remove("made/3.npz")
    np.savez("made/5.npz", relevance=PIXELS)
    os.replace("voc/JPEGImages/7.jpg", "voc/JPEGImages/6.jpg")   # another photograph of that name
    code, again, _ = run(*FOLDER, *more_options)
    assert code == 0 and len(explained_now) == 5 and again.count("1.jpg") == 1 and "7.jpg" not in again
    assert {path.name for path in Path("made").iterdir() if path.name[0] == "."} == set()


def test_another_rule_or_model_explains_all_of_them_again(run, more, explained_now):
    run(*FOLDER)
    for change in (("--rule", "zplus"), ("--rule", "zplus", "--smooth", "3"), ("--json",)):
        explained_now.clear()
        run(*FOLDER, *change)
        assert len(explained_now) == 8
    chain = MODEL.chain.mapped(lambda name, layer: layer)
    layers = [(name, layer.astype(np.float32).astype(np.float64)) for name, layer in chain]
    save_model(Model(Network(layers), MODEL.classes, MODEL.preprocessing), "model.npz")
    explained_now.clear()
    run(*FOLDER, "--json")
    assert len(explained_now) == 8


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_folder_that_is_killed_leaves_whole_files_and_goes_on(run, more):
    os.remove("voc/JPEGImages/4.jpg")
    whole, _ = run(*FOLDER[:-1], "whole")[1].replace("whole/", "made/"), files(Path("whole"))
    command = [sys.executable, "-m", "lrp_ref", *FOLDER, "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    while not [*Path("made").glob("*.npz")] and process.poll() is None:
        pass
    process.kill()
    process.stdout.read()   # until the workers have ended, too
    killed = files(Path("made"))
    for path, data in files(Path("whole")).items():
        there = killed.get(Path("made") / path.name)
        assert there is None or path.suffix == ".npz" or there == data
    for path in Path("made").glob("*.npz"):
        assert len(np.load(path)["relevance"])
    assert run(*FOLDER) == (0, whole, "")
    assert {path.name for path in files(Path("made"))} == {path.name for path in files(Path("whole"))}


def threads_of_a_worker(_=None):
    return {name: os.environ.get(name) for name in workers.THREADS}


def test_workers_have_one_thread_each_and_this_process_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with workers.one_thread_each():
        assert threads_of_a_worker() == dict.fromkeys(workers.THREADS, "1")
        code = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'])"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1 1\n"
    assert dict(os.environ) == before


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_parent_that_is_killed(folder):
    code = ("from lrp_ref.paper.tasks import run_tasks; from lrp_ref.command.workers import workers;"
            "from argparse import Namespace; from functools import partial; import time\n"
            "if __name__ == '__main__':\n"
            "    with workers(Namespace(dask=None, workers=2)) as (executor, ahead):\n"
            "        print('begun', flush=True)\n"
            "        run_tasks(partial(partial, time.sleep), [0.01] * 4 + [30] * 2,\n"
            "                  lambda one: print('one', flush=True), executor, ahead)\n")
    Path("sleeping.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "sleeping.py"], stdout=subprocess.PIPE, text=True, env=environment)
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines == ["begun\n", *["one\n"] * 4]
    pool = [pid for pid in children(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(pool) == 2
    process.kill()
    # Its pipe is at its end when nobody holds it any more: the workers have it too.
    assert process.stdout.read() == "" and process.wait() == -signal.SIGKILL
    assert all(not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
               for pid in pool)


class Deadly(Executor):
    """Does every task at once, but for one: the worker that has it dies."""

    def __init__(self, name):
        self.name = name

    def submit(self, function, version, digest, task, *sent):
        future = Future()
        if self.name in str(getattr(task, "name", task)):
            future.set_exception(BrokenExecutor("abruptly"))
        else:
            future.set_result(function(version, digest, task, *sent))
        return future


def test_a_photograph_that_ends_its_workers_is_a_row_and_a_line_and_not_the_end(run, done, more, monkeypatch):
    for module, name in ((measuring, "7"), (explain, "7.jpg")):
        def workers(options, name=name):
            return nullcontext((Deadly(name), 2))
        monkeypatch.setattr(module, "workers", workers)
    monkeypatch.setattr(engine, "KEPT", engine.Kept())
    last = done(*(word for word in KEPT if word != "--json")).splitlines()[-1]
    said = "7: every process that worked on it was ended, perhaps for want of memory"
    assert last.startswith("2 of 9 photographs could not be used and count nowhere: 4: ") and last.endswith(said)
    assert done("report", "r.sqlite").splitlines()[-1] == last
    assert list(parsed(done(*KEPT))["unread"]) == ["4", "7"]   # and it is not begun again
    code, out, err = run("explain", "voc/JPEGImages", "--model", "model.npz")
    assert code == 2 and "2 of 9 photographs are not explained: " in err and out.count("jpg: ") == 7


def test_results_are_json_of_plain_values(done, more):
    done(*KEPT)
    run, records = read_results("r.sqlite")
    assert json.loads(run["classes"]) == ["left", "right"] and run["command"] == "evaluate"
    assert len(records) == 9 and records[3].error


FAITHFUL = "faithful", "voc", "--model", "model.npz", "--difficult", "count", "--regions", "2"


def test_faithful_prints_and_draws_the_same_from_a_file_of_results_that_was_ended(run, done, more, counted):
    code, out, err = run(*FAITHFUL, "--output", "whole.png")
    assert (code, err) == (0, "") and "1 of 9 photographs could not be used and count nowhere: 4: " in out
    assert "2 regions of 9 x 9, filling uniform" in out and "model.npz, zplus" in out
    kept = *FAITHFUL, "--results", "f.sqlite", "--output", "again.png"
    counted(4)
    assert run(*kept)[0] == 130
    assert done("report", "f.sqlite").startswith("so far 4 of 9 photographs\n\nregion perturbation")
    counted(99)
    assert done(*kept) == out.replace("whole.png", "again.png")
    assert done("report", "f.sqlite") == out.removesuffix("\nplot written to whole.png\n") + "\n"
    assert (iio.imread("whole.png") == iio.imread("again.png")).all()
    facts = parsed(done("report", "f.sqlite", "--json"))
    assert facts == {**parsed(done(*FAITHFUL, "--json")), "output": None}
    code, out, err = run(*kept, "--fill", "blur")
    assert (code, out) == (2, "") and "(fill uniform, now blur)" in err
    code, out, err = run(*EVALUATE, "--results", "f.sqlite")
    assert code == 2 and "command faithful, now evaluate" in err


def test_faithful_refuses_what_cannot_be_before_the_work(run, more):
    for options, said in ((("--regions", "0"), "got --regions 0, needed at least 1"),
                          (("--rule", "zplus", "--rule", "zplus"), "got --rule 2 times, needed at most 6 rules"),
                          (("--rule", "zpluss"), "did you mean 'zplus'?"),
                          (("--output", "f.txt"), "f.txt"), (("--output", "model.npz"), "an input that would be lost")):
        code, out, err = run(*FAITHFUL, *options)
        assert (code, out) == (2, "") and said in err and err.count("\n") == 1
