"""What is wrong with a folder of vectors, one line each: it is looked at as it stands, and nothing in it is trusted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from typing import Any

from lrp_ref.conformance.make.lint_case import faults, read_case
from lrp_ref.conformance.make.lint_folder import SCHEMAS, Folder, a, contained, readable, shortened, tried, walked
from lrp_ref.conformance.vectors.capabilities import counted, levels
from lrp_ref.conformance.vectors.case import FORMATS, LEVELS
from lrp_ref.conformance.vectors.suite import FORMAT, SPEC, SPECS, versions_of
from lrp_ref.conventions.table import TABLE
from lrp_ref.files import read_regular
from lrp_ref.hints import Watch, brief, unwatched

LARGEST, FEWEST, QUESTIONS, DISAGREEMENTS = 2_500_000, 300, 12, 20


def lint(root: Traversable, watch: Watch = unwatched) -> tuple[list[str], int]:
    """Every finding about the vectors in `root`, which holds v1 and the schemas; and how many cases were read."""
    unread: list[str] = []
    folder = Folder(root, dict(walked(root / "v1", unread)))
    if not folder.data:
        raise ValueError(f"got {root}, which has no folder v1 with files: give the folder that lrp-ref vectors export "
                         "made")
    found = [*unread, *readable(folder), *contained(folder), *promised(folder), *in_form(folder),
             *read_cases(folder, watch), *capable(folder), *named(folder), *explained(folder), *enough(folder)]
    return list(map(brief, found)), len(folder.cases)


# ---- Files ----


def promised(folder: Folder) -> Iterator[str]:
    """The manifest's files are there, all of them and no others, as it says."""
    manifest = folder.parsed.get("manifest.json")
    manifest = manifest if isinstance(manifest, dict) else {}
    if (manifest.get("schema"), manifest.get("spec")) != (FORMAT, SPEC):
        yield f"manifest.json: is {manifest.get('schema')} {manifest.get('spec')}, needed {FORMAT} {SPEC}"
    for path, entry in folder.files.items():
        if path not in folder.data:
            yield f"{path}: is in the manifest and not in the folder"
        elif sha256(folder.data[path]).hexdigest() != entry.get("sha256"):
            yield f"{path}: is not the file whose hash the manifest has"
    yield from (f"{path}: is not in the manifest" for path in folder.data
                if path not in folder.files and path not in SCHEMAS)
    counts = {path: len(folder.entries.get(path, [])) for path in folder.files}
    yield from (f"{path}: has {count} cases, and the manifest says {folder.files[path].get('count')}"
                for path, count in counts.items() if count != folder.files[path].get("count"))
    if sum(counts.values()) != manifest.get("count"):
        yield f"manifest.json: says {manifest.get('count')} cases, and its files have {sum(counts.values())}"
    yield from released(folder, manifest)
    if (size := sum(map(len, folder.data.values()))) > LARGEST:
        yield f"all files: have {size} bytes, needed at most {LARGEST}"


def released(folder: Folder, manifest: dict[str, Any]) -> Iterator[str]:
    """Every file is of a specification; the manifest has what each of these has, and what its cases need."""
    since = {path: contents.get("spec") for path, contents in folder.parsed.items()
             if path in folder.files and isinstance(contents, dict)}
    yield from (f"{path}: is of the specification {shortened(spec)}, needed one of {', '.join(SPECS)}"
                for path, spec in since.items() if spec not in SPECS)
    known = all(isinstance(entry.get("count"), int) for entry in folder.files.values())
    if len(since) < len(folder.files) or not known:
        return   # what cannot be read is told already
    for spec, version in versions_of(folder.files, {path: str(spec) for path, spec in since.items()}).items():
        said = manifest.get("versions")
        if (said := said.get(spec) if isinstance(said, dict) else None) != vars(version):
            yield (f"manifest.json: says of the specification {spec} {shortened(said)}, and its files have "
                   f"{version.count} cases and the digest {version.digest}")


def capable(folder: Folder) -> Iterator[str]:
    """The manifest counts cases by level and by what they need as they are."""
    manifest = folder.parsed.get("manifest.json")
    if not isinstance(manifest, dict) or manifest.get("count") != len(folder.cases):
        return   # nor this
    for name, right in (("levels", levels(folder.cases)), ("capabilities", counted(folder.cases))):
        if manifest.get(name) != right:
            yield f"manifest.json: its {name} are not those of its cases"


def in_form(folder: Folder) -> list[str]:
    """Every file is of the form that its schema says. See `knows_schemas`."""
    found: list[str] = []
    if not knows_schemas():
        return found
    from jsonschema.exceptions import best_match

    validators = {}
    for name in ("cases", *SCHEMAS.values()):
        with tried(f"{name}.schema.json", found):
            validators[name] = validator(read_regular(folder.root / f"{name}.schema.json", LARGEST))
    for path, contents in folder.parsed.items():
        name = SCHEMAS.get(path, "cases")
        with tried(path, found):
            if name in validators and (error := best_match(validators[name].iter_errors(thinned(contents)))):
                found.append(f"{path}: {error.json_path}: {shortened(error.message)}")
    return found


@lru_cache(maxsize=16)   # the schemas of one format, which are checked themselves
def validator(text: str | bytes) -> Any:
    """What holds files to the schema of that text."""
    from jsonschema import Draft202012Validator

    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


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


def read_cases(folder: Folder, watch: Watch) -> list[str]:
    """Every case can be made a network and a question, is the one whose hash is in its id, and has the right answer."""
    found: list[str] = []
    for path, entries in folder.entries.items():
        rule, _, topic = path.removesuffix(".json").partition("/")
        for n, entry in enumerate(entries, 1):
            id = entry.get("id") if isinstance(entry, dict) else None
            with tried(id if isinstance(id, str) else f"{path}: entry {n}", found):
                case = read_case(a(dict, entry, "a case"), rule, topic)
                folder.cases.append(case)
                watch(case.id)
                for finding in faults(case):   # one by one: what was found before it breaks off stays
                    found.append(finding)
    return found


# ---- Names ----


def named(folder: Folder) -> Iterator[str]:
    """No slug, id or flag twice; levels, formats, questions and flags are known; notes are there and used."""
    slugs = Counter([case.id.rpartition("-")[0] for case in folder.cases])
    slugs.update(record.id for record in folder.records)
    yield from (f"{slug}: is the name of {count} cases or records" for slug, count in slugs.items() if count > 1)
    questions = set(TABLE)
    for case in folder.cases:
        unknown = {"level": {case.level} - {*LEVELS}, "flag without a note": {*case.flags} - {*folder.notes},
                   "convention": {row.convention for row in case.either} - questions,
                   "format": {*case.exact_in} - {*FORMATS}}
        yield from (f"{case.id}: {kind} {name}: unknown" for kind, names in unknown.items() for name in sorted(names))
    used = {flag for case in folder.cases for flag in case.flags}
    yield from (f"flags.json: {flag}: no case has it" for flag in folder.notes if flag not in used)


def explained(folder: Folder) -> Iterator[str]:
    """Every disagreement D1 .. D20 is a case's slug or flag, or a record."""
    texts = [case.id for case in folder.cases] + [flag for case in folder.cases for flag in case.flags]
    texts += [record.id for record in folder.records]
    there = {int(n) for text in texts for n in re.findall(r"(?<![a-z0-9])d(\d{1,2})[a-z]?(?![a-z0-9])", text.lower())}
    yield from (f"D{n}: no case, flag or record shows it" for n in range(1, DISAGREEMENTS + 1) if n not in there)


def enough(folder: Folder) -> Iterator[str]:
    """Enough cases, and enough questions that some case tells the answers to apart."""
    if len(folder.cases) < FEWEST:
        yield f"all files: have {len(folder.cases)} cases, needed at least {FEWEST}"
    questions = {row.convention for case in folder.cases for row in case.either}
    if len(questions) < QUESTIONS:
        yield f"all files: tell the answers to {len(questions)} conventions apart, needed at least {QUESTIONS}"
