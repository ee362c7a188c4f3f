"""kill -9 of `lrp-ref evaluate --workers 2` or of one of its workers at random moments; then the results are those of
a run that nobody disturbed.

    python benchmarks/killed.py FOLDER [KILLS]     FOLDER in the layout of VOC 2007
"""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np


def workers_of(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            spawned = b"spawn_main" in (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and spawned:
            found.append(int(path.parent.name))
    return found


def rows(path: str) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            return int(file.execute("select count(*) from photographs").fetchone()[0])
    except sqlite3.Error:
        return 0


def main(folder: str, kills: int) -> None:
    rng, killed, whole, orphans = np.random.default_rng(50), {"parent": 0, "worker": 0}, 0, set[int]()
    command = [sys.executable, "-m", "lrp_ref", "evaluate", str(Path(folder).resolve()), "--model", "cnn", "--json"]
    with tempfile.TemporaryDirectory() as work:
        def run(*more: str) -> bytes:
            return subprocess.run([*command, *more], check=True, capture_output=True, cwd=work).stdout
        want = run("--workers", "1", "--results", "whole.sqlite")
        while sum(killed.values()) < kills:
            path = f"killed{whole}.sqlite"
            process = subprocess.Popen([*command, "--workers", "2", "--results", path], cwd=work,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None and sum(killed.values()) < kills:   # until it is killed itself, or is done
                there = rows(f"{work}/{path}")
                while process.poll() is None and rows(f"{work}/{path}") < there + int(rng.integers(1, 5)):
                    time.sleep(0.01)
                time.sleep(float(rng.uniform(0, 0.2)))
                pool = workers_of(process.pid)
                if process.poll() is None and pool:
                    which = ("parent", "worker")[int(rng.integers(2))]
                    os.kill(process.pid if which == "parent" else pool[0], signal.SIGKILL)
                    killed[which] += 1
                    orphans |= set(pool)
                    if which == "parent":
                        process.wait()
                    print(f"{sum(killed.values())} killed, {rows(f'{work}/{path}')} rows", file=sys.stderr, flush=True)
            if process.wait() == 0:
                assert run("--results", path) == want
                whole += 1
        path = f"killed{whole}.sqlite"
        assert run("--workers", "2", "--results", path) == want
        for n in range(whole + 1):
            file = sqlite3.connect(f"{work}/killed{n}.sqlite")
            assert file.execute("select count(*), count(distinct name) from photographs").fetchone() == (
                rows(f"{work}/whole.sqlite"),) * 2
        time.sleep(3)
        alive = [pid for pid in orphans if Path(f"/proc/{pid}").exists()
                 and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]]
        left = sorted(set(os.listdir(work)) - {f"killed{n}.sqlite" for n in range(whole + 1)} - {"whole.sqlite"})
    print(f"{killed['parent']} parents and {killed['worker']} workers killed in {whole + 1} runs of {len(want)} bytes: "
          f"every result is that of the undisturbed run; other files left: {left}; workers left: {alive}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50)
