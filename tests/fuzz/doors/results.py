"""Files of results: bytes changed anywhere, rows changed by SQL, other files of that name; reported and resumed."""

import json
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
from harness import Attempt, Door

from lrp_ref.paper.record import Found, Record
from lrp_ref.paper.results import CHILDREN, Results
from lrp_ref.paper.study import MEASURES

PATH = Path(tempfile.mkdtemp(prefix="results")) / "it.sqlite"
CUTS = {"no cut-off": None, "R(1), below relu1": "relu1"}
RUN = {"measures": json.dumps(MEASURES), "classes": '["a", "b"]', "models": '["m"]', "baselines": "[]", "images": "two",
       "cut-offs of m": json.dumps(CUTS), "layers of m": '["Conv2D", "Linear"]', "lrp_ref": "0.1.0",
       "command": "evaluate", "photographs": "2", "explained": "2"}
LABELS = (*CUTS, "random signs", "|x - mean|")
ODD: tuple[Any, ...] = (None, "", "x", "[", "[]", "{}", "null", "[1, 2]", '["a"]', -1, 0, 1.5, 10**15, b"\0\1\2",
                        "\x1b[2J", "9" * 5000, float("inf"), "[" * 5000)


def one_of(rng: np.random.Generator, choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def written() -> bytes:
    """A file of two photographs."""
    PATH.unlink(missing_ok=True)
    with Results(str(PATH), RUN) as results:
        for n in range(2):
            measured = {label: (0.5,) * len(MEASURES) for label in LABELS}
            found = (Found("m", n, 1.5, 0.25, measured, {"full": (1.0, 0.5)}),)
            results.add(Record(n, f"photo {n}", (n == 0, n == 1), (True, True), True, {"m": (1.5, -0.5)}, found))
    return PATH.read_bytes()


def results(rng: np.random.Generator) -> Attempt:
    data = bytearray(written())
    how = int(rng.integers(3))
    if how == 0:
        for _ in range(int(rng.integers(1, 20))):
            data[rng.integers(len(data))] = rng.integers(256)
        PATH.write_bytes(data[: len(data) if rng.integers(3) else int(rng.integers(len(data)))])
        what = "bytes"
    elif how == 1:
        what = "rows: " + rows_changed(rng)
    else:
        PATH.write_bytes(one_of(rng, (b"", b"SQLite format 3\0", b"x" * 999, b"\0" * 4096)))
        what = "another file"
    call = one_of(rng, (reported, reported, resumed))
    return Attempt(f"{call.__name__}: {what}", call)


def rows_changed(rng: np.random.Generator) -> str:
    with closing(sqlite3.connect(PATH)) as file, file:
        table = one_of(rng, ("run", "run", "run", "photographs", *CHILDREN))
        columns = [row[1] for row in file.execute(f"pragma table_info({table})")]
        column, value = one_of(rng, columns), one_of(rng, ODD)
        where = f"where name = '{one_of(rng, list(RUN))}'" if table == "run" else ""
        with suppress(sqlite3.Error):
            if rng.integers(4):
                file.execute(f"update {table} set {column} = ? {where}", (value,))
            else:
                file.execute(f"drop table {table}" if rng.integers(2) else f"delete from {table} {where}")
        return f"{table}.{column} = {value!r:.80}"


def reported() -> None:
    from argparse import Namespace

    from lrp_ref.command.results_report import report_command

    report_command(Namespace(results=str(PATH), json=False, output=None, save=None), lambda _: None)


def resumed() -> None:
    with Results(str(PATH), RUN) as file:
        file.done()


DOORS = (Door("file of results", results),)
