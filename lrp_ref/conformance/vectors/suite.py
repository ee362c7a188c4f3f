"""The vectors: every case and record of data_fixtures/vectors/v1, checked against its manifest when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from lrp_ref.conformance.vectors.case import Case, from_json

FORMAT, SPEC = "lrp-vector-v1", "1.0"


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
class Suite:
    """All cases, in the order of their files, the records, and the notes on the flags."""

    cases: Sequence[Case]
    records: Sequence[Record]
    notes: Mapping[str, Note]
    spec: str
    count: int
    digest: str

    def __getitem__(self, id: str) -> Case:
        for case in self.cases:
            if case.id == id:
                return case
        raise ValueError(f"got the case {id!r}, which the vectors do not have: see lrp-ref vectors lint")


def load(folder: Traversable | None = None) -> Suite:
    """The suite in a folder; an error where a file is not the one that the manifest promises."""
    folder = folder or resources.files("lrp_ref.data_fixtures") / "vectors" / "v1"
    manifest = contents(folder, "manifest.json")
    if (manifest["schema"], manifest["spec"]) != (FORMAT, SPEC):
        raise ValueError(f"the vectors are {manifest['schema']} {manifest['spec']}, this program reads {FORMAT} {SPEC}")
    cases: list[Case] = []
    for path, promised in manifest["files"].items():
        data = (folder / path).read_bytes()
        if sha256(data).hexdigest() != promised["sha256"]:
            raise ValueError(f"{path} is not the file that manifest.json promises: regenerate the vectors, or copy "
                             "them again")
        rule, topic = path.removesuffix(".json").split("/")
        cases += [from_json(entry, rule, topic) for entry in json.loads(data)["cases"]]
    if len(cases) != manifest["count"]:
        raise ValueError(f"got {len(cases)} cases, and manifest.json promises {manifest['count']}")
    records = [Record(**entry) for entry in contents(folder, "records.json")]
    notes = {flag: Note(**entry) for flag, entry in contents(folder, "flags.json").items()}
    digest = sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest()[:12]
    return Suite(cases, records, notes, manifest["spec"], manifest["count"], digest)


def contents(folder: Traversable, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))
