"""What is wrong with a folder of vectors, one line each: it is looked at as it stands, and nothing in it is trusted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from hashlib import sha256
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.compared import Compared
from lrp_ref.checks.task import Task
from lrp_ref.conformance.case import FORMATS, LEVELS, Case, from_json, identity
from lrp_ref.conformance.dialects.conventions import CANONICAL, Conventions
from lrp_ref.conformance.given import unheld
from lrp_ref.conformance.vectors import FORMAT, SPEC

LARGEST, FEWEST, QUESTIONS, DISAGREEMENTS = 2_000_000, 300, 12, 20
SCHEMAS = {"manifest.json": "manifest", "records.json": "records", "flags.json": "flags"}   # all others: cases


@dataclass
class Folder:
    """The files of v1 as they were read, and what was found on the way."""

    root: Traversable
    data: dict[str, bytes]
    parsed: dict[str, Any] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)

    def get(self, name: str, otherwise: Any) -> Any:
        """A file's contents; something else where it is not there or of another kind."""
        found = self.parsed.get(name, otherwise)
        return found if isinstance(found, type(otherwise)) else otherwise


def lint(root: Traversable, watch: Callable[[str], object] = str) -> tuple[list[str], int]:
    """Every finding about the vectors in `root`, which holds v1 and the schemas; and how many cases were read."""
    folder = Folder(root, dict(walked(root / "v1")))
    if not folder.data:
        raise ValueError(f"got {root}, which has no folder v1 with files: give the folder that lrp-ref vectors export "
                         "made")
    found = [*readable(folder), *promised(folder), *in_form(folder), *read_cases(folder), *named(folder),
             *explained(folder)]
    for case in folder.cases:
        watch(case.id)
        found += [f"{case.id}: {finding}" for finding in (*answered(case), *held(case), *decided(case))]
    return [*found, *enough(folder)], len(folder.cases)


def walked(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, contents) of every file, in the order of their names."""
    for part in sorted(folder.iterdir(), key=lambda part: part.name) if folder.is_dir() else ():
        if part.is_dir():
            yield from walked(part, f"{path}{part.name}/")
        else:
            yield path + part.name, part.read_bytes()


# ---- Files ----


def readable(folder: Folder) -> Iterator[str]:
    """Every file is JSON, in UTF-8."""
    for path, data in folder.data.items():
        try:
            folder.parsed[path] = json.loads(data.decode())
        except ValueError as error:
            yield f"{path}: is no JSON: {error}"
    yield from (f"{name}: is not there" for name in SCHEMAS if name not in folder.data)


def promised(folder: Folder) -> Iterator[str]:
    """The manifest's files are there, all of them and no others, as it says."""
    manifest = folder.get("manifest.json", {})
    if (manifest.get("schema"), manifest.get("spec")) != (FORMAT, SPEC):
        yield f"manifest.json: is {manifest.get('schema')} {manifest.get('spec')}, needed {FORMAT} {SPEC}"
    files = manifest.get("files", {})
    for path, entry in files.items():
        if path not in folder.data:
            yield f"{path}: is in the manifest and not in the folder"
        elif sha256(folder.data[path]).hexdigest() != entry.get("sha256"):
            yield f"{path}: is not the file whose hash the manifest has"
    yield from (f"{path}: is not in the manifest" for path in folder.data if path not in files and path not in SCHEMAS)
    counts = {path: len(folder.get(path, {}).get("cases", [])) for path in files}
    yield from (f"{path}: has {count} cases, and the manifest says {files[path].get('count')}"
                for path, count in counts.items() if count != files[path].get("count"))
    if sum(counts.values()) != manifest.get("count"):
        yield f"manifest.json: says {manifest.get('count')} cases, and its files have {sum(counts.values())}"
    if (size := sum(map(len, folder.data.values()))) > LARGEST:
        yield f"all files: have {size} bytes, needed at most {LARGEST}"


def in_form(folder: Folder) -> Iterator[str]:
    """Every file is of the form that its schema says. See `knows_schemas`."""
    if not knows_schemas():
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validators = {}
    for path, contents in folder.parsed.items():
        name = SCHEMAS.get(path, "cases")
        if name not in validators:
            schema = json.loads((folder.root / f"{name}.schema.json").read_text(encoding="utf-8"))
            validators[name] = Draft202012Validator(schema)
        if error := best_match(validators[name].iter_errors(thinned(contents))):
            yield f"{path}: {error.json_path}: {' '.join(error.message.split())[:200]}"


def thinned(contents: Any, key: str = "") -> Any:
    """Every different number of an array once. Same result without; half the time."""
    if isinstance(contents, dict):
        return {name: thinned(part, name) for name, part in contents.items()}
    if not isinstance(contents, list):
        return contents
    texts = key not in ("flags", "exact_in", "issues") and all(isinstance(part, str) for part in contents)
    return list(dict.fromkeys(contents)) if texts else [thinned(part, key) for part in contents]


def knows_schemas() -> bool:
    """Whether the package jsonschema is here: it is no requirement of this one."""
    return find_spec("jsonschema") is not None


def read_cases(folder: Folder) -> Iterator[str]:
    """Every case can be made a network, and is the one whose hash is in its id."""
    for path in folder.get("manifest.json", {}).get("files", {}):
        rule, _, topic = path.removesuffix(".json").partition("/")
        for entry in folder.get(path, {}).get("cases", []):
            try:
                case = from_json(entry, rule, topic)
            except (ValueError, TypeError, KeyError, ArithmeticError) as error:
                yield f"{entry.get('id', path)}: cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"
                continue
            folder.cases.append(case)
            if case.id.rpartition("-")[2] != identity(case):
                yield f"{case.id}: its network, rules, x and R have the hash {identity(case)}"


# ---- Names ----


def named(folder: Folder) -> Iterator[str]:
    """No slug, id or flag twice; levels, formats, questions and flags are known; notes are there and used."""
    slugs = Counter([case.id.rpartition("-")[0] for case in folder.cases])
    slugs.update(entry["id"] for entry in folder.get("records.json", []))
    yield from (f"{slug}: is the name of {count} cases or records" for slug, count in slugs.items() if count > 1)
    notes, questions = folder.get("flags.json", {}), {question.name for question in fields(Conventions)}
    for case in folder.cases:
        unknown = {"level": {case.level} - {*LEVELS}, "flag without a note": {*case.flags} - {*notes},
                   "convention": {row.convention for row in case.either} - questions,
                   "format": {*case.exact_in} - {*FORMATS}}
        yield from (f"{case.id}: {kind} {name}: unknown" for kind, names in unknown.items() for name in sorted(names))
    used = {flag for case in folder.cases for flag in case.flags}
    yield from (f"flags.json: {flag}: no case has it" for flag in notes if flag not in used)


def explained(folder: Folder) -> Iterator[str]:
    """Every disagreement D1 .. D20 is a case's slug or flag, or a record."""
    texts = [case.id for case in folder.cases] + [flag for case in folder.cases for flag in case.flags]
    texts += [entry["id"] for entry in folder.get("records.json", [])]
    there = {int(n) for text in texts for n in re.findall(r"(?<![a-z0-9])d(\d{1,2})[a-z]?(?![a-z0-9])", text.lower())}
    yield from (f"D{n}: no case, flag or record shows it" for n in range(1, DISAGREEMENTS + 1) if n not in there)


def enough(folder: Folder) -> Iterator[str]:
    """Enough cases, and enough questions that some case tells the answers to apart."""
    if len(folder.cases) < FEWEST:
        yield f"all files: have {len(folder.cases)} cases, needed at least {FEWEST}"
    questions = {row.convention for case in folder.cases for row in case.either}
    if len(questions) < QUESTIONS:
        yield f"all files: tell the answers to {len(questions)} conventions apart, needed at least {QUESTIONS}"


# ---- Answers ----


def answered(case: Case) -> Iterator[str]:
    """What its level needs is there; its float64 is the exact number rounded; other answers are others."""
    if case.level == "negative":
        if not case.error or case.relevance is not None or case.either:
            yield "is negative, needed an error and no relevance"
        return
    if case.relevance is None:
        yield f"is {case.level} without relevance"
        return
    if case.error:
        yield f"is {case.level} with an error"
    if case.level == "convention" and not case.either:
        yield "is of level convention without another answer"
    if case.relevance.shape != case.x.shape:
        yield f"expects relevance of shape {case.relevance.shape} for an x of shape {case.x.shape}"
        return
    if case.exact is not None and not same(case.exact.astype(np.float64), case.relevance):
        yield "its float64 relevance is not the exact one rounded"
    for row in case.either:
        what = f"either: {row.convention} = {row.value!r}"
        if row.value == getattr(CANONICAL, row.convention, object()):
            yield f"{what}: is the canonical answer"
        if same(row.relevance, case.relevance):
            yield f"{what}: has the expectation's numbers"


def same(x: Array, y: Array) -> bool:
    return x.shape == y.shape and bool(((x == y) | np.isnan(x) & np.isnan(y)).all())


def held(case: Case) -> Iterator[str]:
    """Formats that it is exact in, and of a required case float64, hold x, R and the weights: rounded, they ask
    another case."""
    for name in dict.fromkeys([*["f64"] * (case.level == "required"), *case.exact_in]):
        if unheld(case, FORMATS.get(name, FORMATS["f64"])[0]):
            yield f"{name} does not hold all its numbers"


def decided(case: Case) -> Iterator[str]:
    """A required case leaves no number undetermined in the coarsest format that it is exact in; else in float64.

    And this package's own float64 is near enough to be told from a wrong answer.
    """
    if case.level != "required" or case.relevance is None or case.relevance.shape != case.x.shape:
        return
    name = "f32" if "f32" in case.exact_in else "f64"   # what float32 decides float64 does
    compared = judged(case, *FORMATS[name])
    if count := sum(int(c.undetermined.sum()) for c in compared):
        yield f"in {name}: {count} of {case.relevance.size} numbers are undetermined"
    if count := sum(int(c.failed.sum()) for c in compared):
        yield f"in {name}: {count} of {case.relevance.size} numbers are not what this package computes"


def judged(case: Case, number: type, u: float) -> list[Compared]:
    """The expectation against what this package computes, in a format with unit roundoff u."""
    network, rules, x, R = case.task(number)
    assert case.relevance is not None
    with np.errstate(all="ignore"):
        return list(Task.of(network, x, rules, R, u, None).compare(case.relevance.astype(number)))
