"""Every door of the package, tried with made inputs until time or number is used up, and the table of what happened.

    python tests/fuzz/run.py [--cases N] [--seconds S] [--first SEED] [DOOR ...]

A door runs in processes of its own, which may take 2 GB and which a watch kills when a case takes far over ten seconds,
so that a hang in C code is counted and not waited for. Exit code 1 when one of the last four columns is not zero.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from doors import DOORS
from harness import BAD, COLUMNS, SECONDS, SLOW, Door, Seen, in_bounded_memory, tell, try_once


def work(door: Door, first: int, end: int, to: Connection) -> None:
    """Cases `first` to `end` of a door, each told as soon as it is seen, after the seed that is begun."""
    in_bounded_memory()
    for seed in range(first, end):
        to.send(seed)
        to.send(try_once(door, seed))
    to.close()


def tried(door: Door, first: int, end: int, until: float) -> list[Seen]:
    """What the cases of a door did; after a hang or a crash the next seed goes on in a new process."""
    seen: list[Seen] = []
    while first < end and time.monotonic() < until:
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=work, args=(door, first, end, there))
        process.start()
        there.close()
        seed = first
        try:
            while time.monotonic() < until:
                if not here.poll(3 * SECONDS):
                    seen.append(Seen(SLOW, seed, "does not come back", "killed"))
                    break
                told = here.recv()
                if isinstance(told, Seen):
                    seen.append(told)
                else:
                    seed = told
        except EOFError:
            process.join(SECONDS)
            if process.exitcode:
                seen.append(Seen("other exception", seed, "the process died", f"exit code {process.exitcode}"))
        process.kill()
        process.join()
        first = seed + 1
    return seen


def row(name: str, seen: list[Seen]) -> str:
    count = Counter(one.column for one in seen)
    return f"| {name} | {len(seen):,} | " + " | ".join(f"{count[column]:,}" for column in COLUMNS) + " |"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=1000, help="of every door (1000)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="for every door at most (3600)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--show", type=int, default=5, help="how many bad cases of a column are told (5)")
    parser.add_argument("door", nargs="*", help="names, or parts of names; all when none is given")
    asked = parser.parse_args(arguments)
    doors = [door for door in DOORS if not asked.door or any(part in door.name for part in asked.door)]
    print("| door | cases | " + " | ".join(COLUMNS) + " |")
    print("|---" * (2 + len(COLUMNS)) + "|")
    bad = 0
    for door in doors:
        seen = tried(door, asked.first, asked.first + asked.cases, time.monotonic() + asked.seconds)
        print(row(door.name, seen), flush=True)
        for column in BAD:
            wrong = [one for one in seen if one.column == column]
            bad += len(wrong)
            for one in wrong[:asked.show]:
                tell(str(one))
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
