"""What an implementation answered, as a file that is its adapter from then on (`adapters.recorded`)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import claims, roundoff, spaced
from lrp_ref.conformance.adapters.recorded import SCHEMA
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.task_json import shortened
from lrp_ref.files import writing

REFUSED, RAISED = "refused: ", "raised "   # what the judge says before an error's own words
ENDINGS = (".json", ".json.gz")


def recordable(path: str) -> None:
    """An error unless the name is that of such a file."""
    if not path.endswith(ENDINGS):
        raise ValueError(f"got --record {path}, needed a name that ends in {' or '.join(ENDINGS)}")


def write(path: str, run: Run) -> int:
    """The answers of a run into a file; how many cases it has."""
    answers = {one.case.id: entry(one) for one in run.outcomes}
    data = file_bytes(header(run), answers)
    with writing(path) as temporary:
        Path(temporary).write_bytes(gzip.compress(data, mtime=0) if path.endswith(".gz") else data)
    return len(answers)


def header(run: Run) -> dict[str, Any]:
    adapter = run.adapter
    claimed = claims(adapter)
    return {"schema": SCHEMA, "library": spaced(adapter.name), "version": spaced(adapter.version),
            "unit_roundoff": roundoff(adapter), "declared": dict(adapter.conventions),
            **({} if claimed is None else {"capabilities": sorted(claimed)}), "spec": run.suite.spec,
            "digest": run.suite.digest}


def file_bytes(head: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The file, a case a line: the same answers make the same bytes."""
    top = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
    lines = ",\n".join(f"  {json.dumps(id)}: {json.dumps(one)}" for id, one in answers.items())
    return f'{{\n{top} "answers": {{\n{lines}\n }}\n}}\n'.encode()


def entry(one: Outcome) -> dict[str, Any]:
    """Numbers, why it is unsupported, or an error: what is not counted as raised, a program did that went astray."""
    if one.answer is not None:
        return answer_json(one.answer)
    if one.status == "unsupported":
        return {"unsupported": one.reason, **({"url": one.url} if one.url else {})}
    if one.status == "failed" and not one.reason.startswith(RAISED):
        return {"astray": shortened(one.reason)}
    return {"raised": shortened(one.reason.removeprefix(REFUSED).removeprefix(RAISED))}


def answer_json(answer: Array) -> dict[str, Any]:
    return {"shape": list(answer.shape), "values": [number_or_name(float(value)) for value in answer.flat]}


def number_or_name(value: float) -> float | str:
    """A number that JSON has, or its name."""
    return value if isfinite(value) else str(value)
