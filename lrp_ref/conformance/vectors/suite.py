"""The vectors: every case and record of data_fixtures/vectors/v1, checked against its manifest when it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from lrp_ref.conformance.vectors.case import Case, from_json
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.outside import Fields, Read, anything, each, integer, json_value, list_of, text

FORMAT = "lrp-vector-v1"
SPECS = ("1.0", "1.1")   # released, the newest last; each has the cases of those before it, which never change
SPEC = SPECS[-1]
LARGEST = 20_000_000   # bytes of a file; the largest of the vectors has 120,000, and all may have 2.5 million
PATH = re.compile(r"\w[\w-]*/\w[\w-]*\.json")
T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """A disagreement that no case can hold, as numbers and a sentence: shown, never run, never counted as passed.

    answers: {library: what it gives}, as texts
    """

    id: str
    title: str
    question: str
    answers: Mapping[str, str]
    issues: Sequence[str] = ()


@dataclass(frozen=True)
class Note:
    """What a flag means: the kind of bug that such a case finds, what it does to relevance, and what is known of it."""

    title: str
    kind: str
    effect: str
    issues: Sequence[str] = ()


@dataclass(frozen=True)
class Version:
    """A released specification: how many cases it has, and the digest of exactly these."""

    count: int
    digest: str


@dataclass(frozen=True)
class Suite:
    """All cases, in the order of their files, the records, and the notes on the flags.

    versions  every released specification, the oldest first, this one among them
    """

    cases: Sequence[Case]
    records: Sequence[Record]
    notes: Mapping[str, Note]
    spec: str
    count: int
    digest: str
    versions: Mapping[str, Version] = field(default_factory=dict)

    @property
    def released(self) -> Mapping[str, Version]:
        return self.versions or {self.spec: Version(self.count, self.digest)}

    def at(self, spec: str) -> Suite:
        """The suite as it was released: the cases, the count and the digest of that specification."""
        if spec not in self.released:
            raise ValueError(f"got the specification {shown(spec)}, needed one of {listed(self.released)}")
        version, there = self.released[spec], until(spec)
        return replace(self, cases=[case for case in self.cases if case.since in there], spec=spec,
                       count=version.count, digest=version.digest)

    def __getitem__(self, id: str) -> Case:
        for case in self.cases:
            if case.id == id:
                return case
        raise ValueError(f"got the case {id!r}, which the vectors do not have: see lrp-ref vectors lint")


def load(folder: Traversable | None = None) -> Suite:
    """The suite in a folder, or that of this package; an error where a file is not the one that the manifest promises.
    """
    return shipped() if folder is None else suite_in(folder)


@cache
def shipped() -> Suite:
    """The suite of this package, read once: nobody changes it."""
    return suite_in(resources.files("lrp_ref.data_fixtures") / "vectors" / "v1")


def suite_in(folder: Traversable) -> Suite:
    """See `load`."""
    manifest = Fields(contents(folder, "manifest.json"), "manifest.json")
    schema, spec = manifest.take("schema", anything), manifest.take("spec", anything)
    if (schema, spec) != (FORMAT, SPEC):
        raise ValueError(f"the vectors are {quotable(schema)} {quotable(spec)}, this program reads {FORMAT} {SPEC}")
    files, count = manifest.take("files", each(anything)), manifest.take("count", integer())
    promised_versions = manifest.take("versions", each(anything))
    cases: list[Case] = []
    since, entries_of = dict[str, str](), dict[str, dict[str, Any]]()
    for path, promised in files.items():
        if not PATH.fullmatch(path):   # and nothing outside of the folder
            raise ValueError(f"manifest.json promises {shown(path)}, needed rule/topic.json")
        data, entry = data_of(folder, path), Fields(promised, path)
        entries_of[path] = {"sha256": entry.take("sha256", text), "count": entry.take("count", integer())}
        if sha256(data).hexdigest() != entries_of[path]["sha256"]:
            raise ValueError(f"{path} is not the file that manifest.json promises: regenerate the vectors, or copy "
                             "them again")
        rule, topic = path.removesuffix(".json").split("/")
        contained = Fields(json_value(data, path), path)
        since[path], entries = contained.take("spec", text), contained.take("cases", list_of(anything))
        if since[path] not in SPECS:
            raise ValueError(f"{path} is of the specification {shown(since[path])}, needed one of {listed(SPECS)}")
        try:
            cases += [from_json(entry, rule, topic, since[path]) for entry in entries]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    if len(cases) != count:
        raise ValueError(f"got {len(cases)} cases, and manifest.json promises {count}")
    records = list_of(lambda what, name, value: record(Record, value, f"records.json{name}"))(
        "records.json", "", contents(folder, "records.json"))
    notes = {flag: record(Note, value, f"flags.json: {quotable(flag)}")
             for flag, value in each(anything)("flags.json", "", contents(folder, "flags.json")).items()}
    versions = versions_of(entries_of, since)
    for name, version in versions.items():
        if promised_versions.get(name) != vars(version):
            raise ValueError(f"manifest.json says of the specification {name} {shown(promised_versions.get(name))}, "
                             f"and its files have {version.count} cases and the digest {version.digest}: copy them "
                             "again")
    return Suite(cases, records, notes, spec, count, versions[SPEC].digest, versions)


# ---- Versions ----


def until(spec: str) -> tuple[str, ...]:
    """The specifications whose cases it has: those released before it, and itself."""
    return SPECS[: SPECS.index(spec) + 1] if spec in SPECS else (spec,)


def versions_of(files: Mapping[str, Mapping[str, Any]], since: Mapping[str, str]) -> dict[str, Version]:
    """Every specification's count and digest, of what the manifest says of its files: {path: {sha256, count}}.

    since: {path: the specification that the file came with}
    """
    found = {}
    for spec in SPECS:
        there = {path: entry for path, entry in files.items() if since.get(path) in until(spec)}
        digest = sha256(json.dumps(there, sort_keys=True).encode()).hexdigest()[:12]
        found[spec] = Version(sum(entry["count"] for entry in there.values()), digest)
    return found


def record(kind: type[T], entry: Any, what: str) -> T:
    """A record or a note: its texts, the addresses of its issues, and what libraries answer."""
    given = Fields(entry, what)
    readers: dict[str, Read[Any]] = {"issues": list_of(text), "answers": each(text)}
    own = {f.name: given.take(f.name, readers.get(f.name, text), *([()] if f.name == "issues" else []))
           for f in fields(kind)}  # type: ignore[arg-type]
    given.done()
    return kind(**own)


def contents(folder: Traversable, name: str) -> Any:
    return json_value(data_of(folder, name), name)


def data_of(folder: Traversable, path: str) -> bytes:
    """What is in a file: a regular one, no larger than LARGEST."""
    file = folder / path
    if not file.is_file():
        raise ValueError(f"the vectors have no file {path}: copy them again")
    with file.open("rb") as opened:
        data: bytes = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST} bytes, which no file of the vectors has: copy them again")
    return data
