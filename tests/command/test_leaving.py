"""How the program starts and ends: signals, the current folder, what is left behind."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from at_hand import files

from lrp_ref.command import cli, leaving
from lrp_ref.command.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
ROOT = Path(__file__).parents[2]
SCRIPT = "import re, sys\nfrom lrp_ref.command.cli import main\nsys.exit(main())\n"   # as pip writes it
SIGNALS = pytest.mark.parametrize(("number", "said"), [
    (signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP")])
READY = json.dumps({"name": "it", "version": "1", "unit_roundoff": "0x1p-53", "conventions": {}})


@pytest.fixture
def command(tmp_path):
    """The command's script, and `python -m lrp_ref`."""
    script = tmp_path / "bin" / "lrp-ref"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    return {"lrp-ref": [sys.executable, str(script)], "python -m lrp_ref": [sys.executable, "-m", "lrp_ref"]}


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def heard():
    """Signals as a terminal's programs have them, whatever nohup or a shell's & has made of them for the tests."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def begun(words, **given):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard,
                            env={**os.environ, "PYTHONPATH": str(ROOT)}, **given)


def until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def alive(word):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if word.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


# ---- Signals ----


@SIGNALS
def test_a_signal_ends_the_programs_and_the_command_with_its_own_code(tmp_path, number, said):
    """The program ignores all of them, and goes into a session of its own."""
    hangs = (f"import signal, sys, time\n[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]\ninput()\n"
             f"print({READY!r}, flush=True)\nopen({str(tmp_path / 'ready')!r}, 'w')\ntime.sleep(60)")
    program = shlex.join([sys.executable, "-c", hangs])
    process = begun([sys.executable, "-m", "lrp_ref", "conform", "--exec", program, "--report", "r.html"], cwd=tmp_path)
    until((tmp_path / "ready").exists)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (128 + number, "", f"lrp-ref: {said}\n")
    assert sys.platform != "linux" or alive(str(tmp_path / "ready")) == []
    assert not (tmp_path / "r.html").exists()


SLOWLY = """
import sys, time
from pathlib import Path
from lrp_ref.command import cli, vectors
def slow(folder, files):
    (folder / "half").write_text("half")
    Path("begun").touch()
    for _ in range(600):   # a signal that comes just before a sleep is heard after it
        time.sleep(0.1)
vectors.write_files = slow
sys.exit(cli.main(["vectors", "export", "new"]))
"""


@SIGNALS
def test_a_signal_leaves_nothing_of_what_was_half_written(empty, number, said):
    process = begun([sys.executable, "-c", SLOWLY], cwd=empty)
    until((empty / "begun").exists)
    assert len(list(empty.iterdir())) == 2
    process.send_signal(number)
    process.send_signal(signal.SIGHUP)   # as a terminal that closes sends it twice
    first = {128 + number: said, 128 + signal.SIGHUP: "ended by SIGHUP"}   # of two at once Python takes one
    assert process.communicate(timeout=30)[1] == f"lrp-ref: {first[process.returncode]}\n"
    assert [path.name for path in empty.iterdir()] == ["begun"]


def test_what_a_killed_program_leaves_says_whose_it_is_and_is_no_half_of_the_file(empty):
    process = begun([sys.executable, "-c", SLOWLY], cwd=empty)
    until((empty / "begun").exists)
    process.kill()
    process.communicate()
    [left] = [path.name for path in empty.iterdir() if path.name != "begun"]
    assert left.startswith(".lrp-ref-")


def test_a_signal_that_is_ignored_stays_ignored(empty):
    """As nohup makes it."""
    process = begun([sys.executable, "-c", "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + SLOWLY],
                    cwd=empty)
    until((empty / "begun").exists)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.terminate()
    assert process.communicate(timeout=30)[1] == "lrp-ref: ended by SIGTERM\n" and process.returncode == 143


def test_a_second_signal_is_not_heard_while_the_first_is_tidied_up_and_later_is(monkeypatch):
    tidied = []
    monkeypatch.setattr(leaving, "GRACE", 0.5)
    with pytest.raises(leaving.Stopped) as stopped, leaving.stoppable():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            tidied.append(1)
            time.sleep(0.6)
            with pytest.raises(leaving.Stopped):
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(1)
    assert tidied == [1] and stopped.value.number == signal.SIGTERM


def test_afterwards_signals_do_what_they_did(monkeypatch):
    before = [signal.getsignal(number) for number in leaving.SIGNALS]
    inside = []
    monkeypatch.setattr(cli, "run", lambda *_: inside.extend(map(signal.getsignal, leaving.SIGNALS)) or "")
    assert main(["models"]) == 0
    assert [signal.getsignal(number) for number in leaving.SIGNALS] == before
    assert len(set(inside)) == 1 and inside[0] not in before


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has loaded is read from /proc")
@pytest.mark.parametrize("way", ["lrp-ref", "python -m lrp_ref"])
def test_an_interrupt_while_the_program_loads_is_silent(way, command):
    """NumPy is being loaded; Python itself, before that, is not ours."""
    process = begun([*command[way], "models"])
    until(lambda: "numpy" in Path(f"/proc/{process.pid}/maps").read_text())
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    assert (process.returncode, err) in [(-signal.SIGINT, ""), (130, "lrp-ref: interrupted\n")]


# ---- The current folder ----

TRAP = "raise RuntimeError('the wrong module')\n"
HIDDEN = ["html", "json", "secrets", "signal", "argparse", "shlex", "base64", "hashlib", "zipfile", "queue", "textwrap"]


@pytest.mark.parametrize("way", ["lrp-ref", "python -m lrp_ref"])
def test_modules_of_the_current_folder_hide_none_of_pythons(way, command, tmp_path):
    """And are adapters all the same."""
    for name in HIDDEN if way == "lrp-ref" else [*HIDDEN, "numpy", "scipy"]:
        (tmp_path / f"{name}.py").write_text(TRAP)
    (tmp_path / "mine.py").write_text(
        "import html, json, late_one\nfrom lrp_ref.conformance.adapters.ours import Ours as Adapter\n")
    (tmp_path / "late_one.py").write_text("")
    process = begun([*command[way], "conform", "mine:Adapter", "--rule", "Flat", "--layer", "Linear", "--report",
                     "r.html"], cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "") and "0 failed" in out
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("way", ["lrp-ref", "python -m lrp_ref"])
def test_a_current_folder_that_has_been_deleted_is_named(way, command, empty):
    words = [*command[way], "models"]
    code = f"import os, shutil; shutil.rmtree(os.getcwd()); os.execv({sys.executable!r}, {words!r})"
    process = begun([sys.executable, "-c", code], cwd=empty)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err == "lrp-ref: error: the current folder has been deleted: go into another one (cd)\n"


def test_a_command_that_fails_leaves_every_file(folder, run):
    before = files(folder)
    assert run("explain", "photo.png", "--model", "model.npz", "--output", "x" * 255 + ".png")[0] == 2
    assert files(folder) == before
