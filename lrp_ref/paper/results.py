"""Every finished photograph is one transaction in a file of SQLite: a run that was ended goes on, repeating nothing."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import numpy as np

from lrp_ref.files import writable
from lrp_ref.hints import listed, quotable
from lrp_ref.paper.record import Found, Record
from lrp_ref.pictures.refusal import told

MARK = 0x4C525021   # application_id: "LRP!"
WAIT = 60.0         # seconds for which a reader or another writer is waited for
SAFE = 1.0          # seconds after which what was written is safe from a power cut, too
SETTLE = 5.0        # seconds for which a reader is waited for at the end
PAUSE = 50          # milliseconds between the times that it is looked for
BESIDE = ("-wal", "-journal")   # what SQLite writes beside a file, and reads with it
RUN_TABLE = "create table run (name text primary key, value text not null);"
TABLES = """
create table photographs (position integer primary key, name text not null, labels text not null, counted text not null,
  explain integer not null, error text not null, seal text not null);
create table scores (position integer, model text, place integer, score real, primary key (position, model, place))
  without rowid;
create table found (position integer, n integer, model text, place integer, score real, area real,
  primary key (position, n)) without rowid;
create table measures (position integer, n integer, map text, measure text, value real,
  primary key (position, n, map, measure)) without rowid;
create table curves (position integer, n integer, map text, value blob, primary key (position, n, map)) without rowid;
"""
CHILDREN = ("scores", "found", "measures", "curves")
SEAL = "seal"
SAID = "cannot use {}: {}: choose another path, or make room"
LIKE = "give another --results FILE, or repeat the command as it was"


class RunFile:
    """A file of SQLite that belongs to one run: `run` says of what, {name: value}; with other values it is refused.

    A transaction is first written to FILE-wal, beside it, and is there whoever is killed: to wait for the disk each
    time takes longer than many a photograph. Every SAFE seconds FILE itself gets all that is in FILE-wal, and has it
    when the power is cut. FILE-wal goes when a run ends; one that was killed goes on, and ends.
    """

    tables = ""   # statements that make those of a new file, besides `run`

    def __init__(self, path: str, run: Mapping[str, str]) -> None:
        self.path, self.saved = path, monotonic()
        writable(path)
        with sqlites_words(path):
            self.file = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            self.file.text_factory = readable
        try:
            with sqlites_words(path):
                self.file.execute("pragma synchronous = normal")
                self.file.execute("pragma wal_autocheckpoint = 0")
                if empty(self.file):
                    with self.transaction():
                        for statement in f"{RUN_TABLE}{self.tables}".split(";"):
                            self.file.execute(statement)
                        self.file.execute(f"pragma application_id = {MARK}")
                        self.file.executemany("insert into run values (?, ?)", [*run.items(), (SEAL, sealed(run))])
                same_run(path, run_in(path, self.file), run)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """All of it into FILE; what lies beside it stays only where somebody reads for longer than SETTLE."""
        until = monotonic() + SETTLE
        with closing(self.file), suppress(sqlite3.Error):   # a disk that is full: it is all in FILE-wal
            self.file.execute(f"pragma busy_timeout = {PAUSE}")
            while not settled(self.file) and monotonic() < until:
                sleep(PAUSE / 1000)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it, or nothing."""
        self.file.execute("pragma journal_mode = wal")   # a file system that cannot goes on without, slower
        self.file.execute("begin immediate")
        try:
            yield
            self.file.execute("commit")
            if monotonic() - self.saved > SAFE:
                self.file.execute("pragma wal_checkpoint(passive)")
                self.saved = monotonic()
        except BaseException:
            if self.file.in_transaction:
                self.file.execute("rollback")
            raise


class Results(RunFile):
    """Every photograph that was measured."""

    tables = TABLES

    def __init__(self, path: str, run: Mapping[str, str]) -> None:
        self.measures = tuple(json.loads(run["measures"]))
        super().__init__(path, run)

    def done(self) -> set[int]:
        """The positions of the photographs that are in the file, undamaged; those that could not be read too."""
        with sqlites_words(self.path):
            there = self.file.execute("select position, seal from photographs").fetchall()
            return {position for position, seal in there if sealed(rows_of(self.file, position)) == seal}

    def add(self, one: Record) -> None:
        """A photograph, in the place of what was known of it."""
        at = one.position
        found = [*enumerate(one.found)]
        with sqlites_words(self.path), self.transaction():
            for table in CHILDREN:
                self.file.execute(f"delete from {table} where position = ?", (at,))
            self.file.execute("insert or replace into photographs values (?, ?, ?, ?, ?, ?, '')",
                              (at, one.name, bits(one.labels), bits(one.counted), one.explain, one.error))
            self.file.executemany("insert into scores values (?, ?, ?, ?)", (
                (at, model, n, score) for model, scores in one.scores.items() for n, score in enumerate(scores)))
            self.file.executemany("insert into found values (?, ?, ?, ?, ?, ?)", (
                (at, n, f.model, f.place, f.score, f.area) for n, f in found))
            self.file.executemany("insert into measures values (?, ?, ?, ?, ?)", (
                (at, n, label, *pair) for n, f in found for label, values in f.measures.items()
                for pair in zip(self.measures, values, strict=True)))
            self.file.executemany("insert into curves values (?, ?, ?, ?)", (
                (at, n, label, np.array(values, "<f8").tobytes()) for n, f in found
                for label, values in f.curves.items()))
            self.file.execute("update photographs set seal = ? where position = ?",
                              (sealed(rows_of(self.file, at)), at))


def read_results(path: str) -> tuple[dict[str, str], list[Record]]:
    """What a file is a run of, and its records so far; it may be written to meanwhile."""
    if not os.path.isfile(path):
        raise ValueError(f"got {told(path)}, which is no file: give what evaluate --results has written")
    beside = [f"{path}{one}" for one in BESIDE if os.path.exists(f"{path}{one}")]
    # A file that nothing lies beside is one that nobody writes to: read so it can be where nothing can be written.
    address = f"{Path(path).resolve().as_uri()}?mode=ro{'' if beside else '&immutable=1'}"
    with sqlites_words(path, beside), closing(sqlite3.connect(address, WAIT, uri=True)) as file:
        file.text_factory = readable
        file.execute("begin")   # one state of the file for all that is read
        run = run_in(path, file)
        if "measures" not in run:
            raise ValueError(f"{told(path)} holds what {run.get('command', 'another command')} has made, which no "
                             "report is of: give what evaluate --results has written")
        return run, [*records(path, file, json.loads(run["measures"]))]


def records(path: str, file: sqlite3.Connection, names: list[str]) -> Iterator[Record]:
    for at, seal in file.execute("select position, seal from photographs order by position").fetchall():
        rows = rows_of(file, at)
        if sealed(rows) != seal:
            raise ValueError(f"{told(path)} is damaged: photograph {at} is not what was written; evaluate, with this "
                             "file as its --results, does it again")
        scores: dict[str, list[float]] = {}
        for _, model, _place, score in sorted(rows["scores"], key=lambda row: row[2]):
            scores.setdefault(model, []).append(or_nan(score))
        measures: dict[int, dict[str, dict[str, float]]] = {}
        for _, n, label, measure, value in rows["measures"]:
            measures.setdefault(n, {}).setdefault(label, {})[measure] = or_nan(value)
        curves: dict[int, dict[str, tuple[float, ...]]] = {}
        for _, n, label, value in rows["curves"]:
            curves.setdefault(n, {})[label] = tuple(np.frombuffer(value, "<f8").tolist())
        found = tuple(
            Found(model, place, or_nan(score), or_nan(area),
                  {label: tuple(of[one] for one in names) for label, of in measures.get(n, {}).items()},
                  curves.get(n, {}))
            for _, n, model, place, score, area in rows["found"])
        [(_, name, labels, counted, explain, error)] = rows["photographs"]
        yield Record(at, name, tuple(one == "1" for one in labels), tuple(one == "1" for one in counted),
                     bool(explain), {model: tuple(values) for model, values in scores.items()}, found, error)


def rows_of(file: sqlite3.Connection, position: int) -> dict[str, list[tuple[Any, ...]]]:
    """{table: its rows on a photograph, in the order of their keys}"""
    columns = {"photographs": "position, name, labels, counted, explain, error"}
    return {table: file.execute(f"select {columns.get(table, '*')} from {table} where position = ? order by 1, 2, 3, 4",
                                (position,)).fetchall() for table in ("photographs", *CHILDREN)}


def sealed(rows: Any) -> str:
    """Sixteen digits of a SHA-256 of what was written: rows that are not these are damaged."""
    return sha256(repr(dict(rows)).encode("utf-8", "replace")).hexdigest()[:16]


def readable(data: bytes) -> str:
    """Text, also where it is damaged."""
    return data.decode("utf-8", "replace")


def bits(of: tuple[bool, ...]) -> str:
    return "".join("01"[one] for one in of)


def or_nan(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else value


def empty(file: sqlite3.Connection) -> bool:
    return not file.execute("select count(*) from sqlite_master").fetchone()[0]


def run_in(path: str, file: sqlite3.Connection) -> dict[str, str]:
    """The table `run`, or an error where the file is not one of these."""
    if file.execute("pragma application_id").fetchone()[0] != MARK:
        raise ValueError(f"got {told(path)}, which holds no results of lrp-ref: give another file")
    run = dict(file.execute("select name, value from run order by rowid"))
    seal = run.pop(SEAL, "")
    if sealed(run) != seal:
        raise ValueError(f"{told(path)} is damaged: what it says of its run is not what was written: give another file")
    return run


def same_run(path: str, there: Mapping[str, str], run: Mapping[str, str]) -> None:
    """An error that names what differs, unless the file is of this very run."""
    differs = [name for name in {**run, **there} if there.get(name) != run.get(name)]
    if differs:
        said = [f"{name} {quotable(there.get(name, 'nothing'), 30)}, now {quotable(run.get(name, 'nothing'), 30)}"
                for name in differs]
        raise ValueError(f"{told(path)} holds results of another run ({listed(said)}): {LIKE}")


def settled(file: sqlite3.Connection) -> bool:
    """Whether all that was written is in the file itself, and nothing beside it; False where somebody is reading."""
    try:
        file.execute("pragma journal_mode = delete")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


@contextmanager
def sqlites_words(path: str, beside: Sequence[str] = ()) -> Iterator[None]:
    """What SQLite says, in one line: a full disk, a file that is none of its own; beside: what it has to read, too."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if beside and error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            raise ValueError(f"cannot read {told(path)} with what lies beside it, {told(beside[0])}, where nothing can "
                             "be written: copy both to another folder") from error
        raise ValueError(SAID.format(told(path), quotable(error))) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:   # the second where a damaged file is quoted in the first
        raise ValueError(SAID.format(told(path), quotable(error))) from error
