"""Makes the vectors: `write` works out every case anew and gives the same files, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from lrp_ref.conformance.make import (
    attention,
    cut_offs,
    descriptors,
    disagreements,
    edges,
    extremes,
    geometry,
    graphs,
    grid,
    networks,
    plain_cut_offs,
    questions,
    refused,
    residuals,
    told_apart,
)
from lrp_ref.conformance.make.notes import NOTES
from lrp_ref.conformance.make.records import RECORDS
from lrp_ref.conformance.vectors.capabilities import counted, levels
from lrp_ref.conformance.vectors.case import Case, to_json
from lrp_ref.conformance.vectors.suite import FORMAT, SPEC, versions_of
from lrp_ref.files import writing
from lrp_ref.hints import listed

MODULES: dict[str, tuple[ModuleType, ...]] = {   # by specification, each with cases() -> iterable of Case
    "1.0": (grid, questions, disagreements, edges, descriptors, cut_offs, networks, extremes, refused, told_apart),
    "1.1": (geometry, plain_cut_offs, graphs, residuals, attention),
}


def cases() -> list[Case]:
    """Every case, worked out anew."""
    with np.errstate(all="ignore"):   # what float32 does not hold is asked of it
        made = [replace(case, since=spec) for spec, modules in MODULES.items() for module in modules
                for case in module.cases()]
    ids = [case.id for case in made]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"two cases have the id {listed(twice)}")
    return made


def write(folder: str | PathLike[str]) -> None:
    """All files of a folder of vectors."""
    folder = Path(folder)
    for path, text in files(cases()).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with writing(folder / path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def files(made: Sequence[Case]) -> dict[str, str]:
    """{path: text} of everything that `write` writes, the manifest last."""
    texts = {f"{rule}/{topic}.json": text for (rule, topic), text in vectors(made)}
    promised = {path: {"sha256": sha256(text.encode()).hexdigest(), "count": json.loads(text)["count"]}
                for path, text in texts.items()}
    since = {path: json.loads(text)["spec"] for path, text in texts.items()}
    versions = {spec: vars(version) for spec, version in versions_of(promised, since).items()}
    manifest = {"schema": FORMAT, "spec": SPEC, "count": len(made), "versions": versions, "levels": levels(made),
                "capabilities": counted(made), "files": promised}
    return {**texts, "flags.json": pretty(NOTES), "records.json": pretty(RECORDS), "manifest.json": pretty(manifest)}


def vectors(made: Sequence[Case]) -> Iterator[tuple[tuple[str, str], str]]:
    """((rule, topic), text) of every file, in alphabetical order; cases in the order in which they are made."""
    for place in sorted({(case.rule, case.topic) for case in made}):
        here = [case for case in made if (case.rule, case.topic) == place]
        specs = sorted({case.since for case in here})
        if len(specs) > 1:
            raise ValueError(f"{'/'.join(place)}.json would have cases of {listed(specs)}: a file that is released "
                             "never changes, so give new cases another topic")
        head = f'{{"schema": "{FORMAT}", "spec": "{specs[0]}", "count": {len(here)}, "cases": [\n'
        yield place, head + ",\n".join(map(written, here)) + "\n]}\n"


def written(case: Case) -> str:
    """A case as JSON, one line for every key."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'), ensure_ascii=False)}"
             for key, value in to_json(case).items()]
    return "{" + ",\n ".join(lines) + "}"


def pretty(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
