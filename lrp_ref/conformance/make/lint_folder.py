"""A folder of vectors as it stands: what its files hold that can be relied on, and a finding for all that cannot."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Note, Record
from lrp_ref.files import read_regular

SCHEMAS = {"manifest.json": "manifest", "records.json": "records", "flags.json": "flags"}   # all others: cases
ENTRIES = 10_000       # files and folders that are looked at: the vectors have a hundred
BYTES = 20_000_000     # of all files: ten times what the vectors may have, so that a mistake is told and not read
T = TypeVar("T")


@dataclass
class Folder:
    """The files of v1 as they were read, and what is in them: every field holds what its type says, and no more.

    files    {path: what the manifest says of it}
    entries  {path: its cases, which may be anything}
    """

    root: Traversable
    data: dict[str, bytes]
    parsed: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, list[Any]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)


@contextmanager
def tried(name: str, found: list[str]) -> Iterator[None]:
    """Whatever happens inside is a finding.

    The one place that catches every exception: a folder may hold anything, and which exception comes of it (of 10^400
    an OverflowError, of brackets a RecursionError) is a matter of the line that meets it first. What gets past it into
    a `Folder` is what later checks rely on.
    """
    try:
        yield
    except Exception as error:
        found.append(f"{name}: cannot be read: {type(error).__name__}: {shortened(error)}")


def a(kind: type[T], value: Any, what: str) -> T:
    """The value, or an error where it is of another kind."""
    if not isinstance(value, kind):
        raise TypeError(f"got {what} of {type(value).__name__}, needed {kind.__name__}")
    return value


def shortened(message: object) -> str:
    return " ".join(str(message).split())[:200]


def walked(folder: Traversable, found: list[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """(path, contents) of every file, in the order of their names; a finding for what is not read.

    That is a pipe, a device, a link to a folder, what is beyond the BYTES of all together, and all that comes after so
    many ENTRIES.
    """
    found, left = [] if found is None else found, BYTES
    waiting = children("", folder, found)
    for _ in range(ENTRIES):
        if not waiting:
            return
        path, part = waiting.pop()
        if part.is_dir() and isinstance(part, Path) and part.is_symlink():
            found.append(f"{path}: is a link to a folder, which may lead in a circle: needed the folder itself")
        elif part.is_dir():
            waiting += children(f"{path}/", part, found)
        else:
            data = b""
            with tried(path, found):
                data = read_regular(part, left)
                yield path, data
            left -= len(data)
    found.append(f"{path}: after {ENTRIES} files and folders what follows is not looked at: is it the right folder?")


def children(path: str, folder: Traversable, found: list[str]) -> list[tuple[str, Traversable]]:
    """What is in a folder, the last name first; nothing where it is none, or may not be looked into."""
    parts: list[Traversable] = []
    with tried(path or "v1", found):
        parts = list(islice(folder.iterdir(), ENTRIES + 1)) if folder.is_dir() else []
    return [(path + part.name, part) for part in sorted(parts, key=lambda part: part.name, reverse=True)]


def readable(folder: Folder) -> Iterator[str]:
    """Every file is JSON, in UTF-8."""
    for path, data in folder.data.items():
        try:
            folder.parsed[path] = json.loads(data.decode(), object_pairs_hook=once, parse_constant=no_number)
        except (ValueError, RecursionError) as error:
            yield f"{path}: is no JSON: {shortened(error)}"
    yield from (f"{name}: is not there" for name in SCHEMAS if name not in folder.data)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with every key once: of two values readers would take different ones."""
    counts = Counter(key for key, _ in pairs)
    if len(counts) < len(pairs):
        raise ValueError(f"{counts.most_common(1)[0][0]!r} is there twice")
    return dict(pairs)


def no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def contained(folder: Folder) -> list[str]:
    """What the manifest, the files of cases, records.json and flags.json hold. A file that is no JSON holds nothing."""
    found: list[str] = []
    with tried("manifest.json", found):
        manifest = a(dict, folder.parsed.get("manifest.json", {"files": {}}), "a manifest")
        for path, entry in a(dict, manifest["files"], "files").items():
            folder.files[path] = {}
            with tried(path, found):
                folder.files[path] = a(dict, entry, "its entry in the manifest")
    for path in folder.files:
        with tried(path, found):
            contents = a(dict, folder.parsed.get(path, {"cases": []}), "a file of cases")
            folder.entries[path] = a(list, contents["cases"], "cases")
    with tried("records.json", found):
        for n, entry in enumerate(a(list, folder.parsed.get("records.json", []), "records"), 1):
            with tried(f"records.json: entry {n}", found):
                record = Record(**entry)
                a(str, record.id, "an id")
                folder.records.append(record)
    with tried("flags.json", found):
        for flag, entry in a(dict, folder.parsed.get("flags.json", {}), "flags").items():
            with tried(f"flags.json: {flag}", found):
                folder.notes[flag] = Note(**entry)
    return found
