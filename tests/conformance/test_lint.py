"""Every kind of fault in a folder of vectors is found, once, and the vectors that are shipped have none."""

import json
import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from helpers import refused

from lrp_ref.conformance import make
from lrp_ref.conformance.make import lint as linting
from lrp_ref.conformance.make import notes
from lrp_ref.conformance.make.lint import lint
from lrp_ref.conformance.make.lint_folder import BYTES, ENTRIES, walked
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import load, versions_of

VECTORS = Path(__file__).parents[2] / "data_fixtures" / "vectors"
SLUGS = ("norm-epsilon", "p-means-2", "d2c-alpha2", "d4", "stress-absent-weights-flat", "refused-nan-in-x")
FILE = "Epsilon/l2norm.json"   # of norm-epsilon, the only case in it

pytestmark = pytest.mark.xdist_group("lint")   # they share what `some` has read

Entry = dict[str, Any]


@cache
def some() -> dict[str, Case]:
    """A few cases of every level, by their slugs."""
    return {slug: case for case in load(VECTORS / "v1").cases if (slug := case.id.rpartition("-")[0]) in SLUGS}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with these cases and the notes they need, which is as it should be but for how little it has."""
    used = {flag for case in some().values() for flag in case.flags}
    monkeypatch.setattr(make, "NOTES", {flag: note for flag, note in notes.NOTES.items() if flag in used})
    for schema in VECTORS.glob("*.schema.json"):
        shutil.copy(schema, tmp_path)
    for path, text in make.files(list(some().values())).items():
        write(tmp_path / "v1" / path, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def new(root: Path, damage: Callable[[Path], object]) -> list[str]:
    """What is found after the damage and was not before it."""
    before = lint(root)[0]
    damage(root / "v1")
    return [finding for finding in lint(root)[0] if finding not in before]


def changed(slug: str, change: Callable[[Entry], object]) -> Callable[[Path], object]:
    """The damage that a case is another, in a file whose hash the manifest has."""
    case = some()[slug]
    path = f"{case.rule}/{case.topic}.json"

    def damage(v1: Path) -> None:
        contents = json.loads((v1 / path).read_text(encoding="utf-8"))
        for entry in contents["cases"]:
            if entry["id"] == case.id:
                change(entry)
        write(v1 / path, json.dumps(contents))
        in_manifest(lambda manifest: promised(manifest, v1, path))(v1)

    return damage


def promised(manifest: Entry, v1: Path, path: str) -> None:
    """The manifest has the file's hash, and the digests that follow from it."""
    manifest["files"][path].update(sha256=sha256((v1 / path).read_bytes()).hexdigest())
    since = {name: json.loads((v1 / name).read_text(encoding="utf-8")).get("spec") for name in manifest["files"]}
    manifest["versions"] = {spec: vars(version) for spec, version in versions_of(manifest["files"], since).items()}


def in_manifest(change: Callable[[Entry], object]) -> Callable[[Path], object]:
    def damage(v1: Path) -> None:
        manifest = json.loads((v1 / "manifest.json").read_text(encoding="utf-8"))
        change(manifest)
        write(v1 / "manifest.json", json.dumps(manifest))

    return damage


# ---- What is shipped ----


def test_the_shipped_vectors_have_no_fault() -> None:
    found, cases = lint(VECTORS)
    assert found == [] and cases == json.loads((VECTORS / "v1" / "manifest.json").read_text())["count"] >= 300


def test_a_folder_with_few_cases_lacks_cases_questions_and_disagreements_and_nothing_else(root: Path) -> None:
    missing = [f"D{n}: no case, flag or record shows it" for n in (1, 3, 5, 6, 7, 8, 9, 10, 13, 14, 17, 19)]
    assert lint(root) == ([*missing, "all files: have 6 cases, needed at least 300",
                           "all files: tell the answers to 2 conventions apart, needed at least 12"], 6)


# ---- Files ----


def respelt(v1: Path, spec: str) -> None:
    """The file is of that specification, and the manifest has its hash and the digests that it had before."""
    text = (v1 / FILE).read_text(encoding="utf-8").replace('"spec": "1.0"', f'"spec": "{spec}"')
    write(v1 / FILE, text)
    in_manifest(lambda manifest: manifest["files"][FILE].update(sha256=sha256(text.encode()).hexdigest()))(v1)


FILES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no JSON": (lambda v1: write(v1 / FILE, "{"), [
        f"{FILE}: is no JSON: Expecting", f"{FILE}: is not the file whose hash", f"{FILE}: has 0 cases",
        "manifest.json: says 6 cases, and its files have 5", "flags.json: ZERO_SLICE", "all files: have 5 cases"]),
    "records are missing": (lambda v1: (v1 / "records.json").unlink(), [
        "records.json: is not there", *(f"D{n}: no case" for n in (11, 12, 15, 16, 18, 20))]),
    "another version": (in_manifest(lambda m: m.update(spec="0.9")), [
        "manifest.json: is lrp-vector-v1 0.9, needed lrp-vector-v1 1.1", "manifest.json: $.spec: '1.1' was expected"]),
    "a promised file is missing": (lambda v1: (v1 / FILE).unlink(), [
        f"{FILE}: is in the manifest and not in the folder", f"{FILE}: has 0 cases, and the manifest says 1",
        "manifest.json: says 6 cases, and its files have 5", "flags.json: ZERO_SLICE: no case has it",
        "all files: have 5 cases, needed at least 300"]),
    "another file": (lambda v1: write(v1 / FILE, (v1 / FILE).read_text() + "\n"), [
        f"{FILE}: is not the file whose hash the manifest has"]),
    "a file too many": (lambda v1: write(v1 / "Epsilon" / "more.json", (v1 / FILE).read_text()), [
        "Epsilon/more.json: is not in the manifest"]),
    "another count": (in_manifest(lambda m: m["files"][FILE].update(count=2)), [
        f"{FILE}: has 1 cases, and the manifest says 2",
        "manifest.json: says of the specification 1.0 {'count': 6, 'digest': ",
        "manifest.json: says of the specification 1.1 {'count': 6, 'digest': "]),
    "another digest of a version": (in_manifest(lambda m: m["versions"]["1.0"].update(digest="0123456789ab")), [
        "manifest.json: says of the specification 1.0 {'count': 6, 'digest': '0123456789ab'}, and its files have 6"]),
    "a version that is not told": (in_manifest(lambda m: m["versions"].pop("1.0")), [
        "manifest.json: says of the specification 1.0 None, and its files have 6 cases and the digest ",
        "manifest.json: $.versions: '1.0' is a required property"]),
    "a file of another version": (lambda v1: respelt(v1, "1.1"), [
        "manifest.json: says of the specification 1.0 {'count': 6, 'digest': ",
        "manifest.json: says of the specification 1.1 {'count': 6, 'digest': "]),
    "a file of no version": (lambda v1: respelt(v1, "1.2"), [
        f"{FILE}: is of the specification 1.2, needed one of 1.0, 1.1",
        "manifest.json: says of the specification 1.0 {'count': 6", "manifest.json: says of the specification 1.1 {'co",
        f"{FILE}: $.spec: '1.2' is not one of"]),
    "another count of a level": (in_manifest(lambda m: m["levels"].update(stress=7)), [
        "manifest.json: its levels are not those of its cases"]),
    "another count of a capability": (in_manifest(lambda m: m["capabilities"]["dense"]["levels"].update(stress=7)), [
        "manifest.json: its capabilities are not those of its cases"]),
    "a layer that another capability needs": (in_manifest(lambda m: m["capabilities"]["dense"]["ops"].append("Conv2D")),
                                              ["manifest.json: its capabilities are not those of its cases"]),
    "another count of all": (in_manifest(lambda m: m.update(count=7)), [
        "manifest.json: says 7 cases, and its files have 6"]),
    "a note that nobody needs": (lambda v1: write(v1 / "flags.json", json.dumps(
        json.loads((v1 / "flags.json").read_text()) | {"MORE": {"title": "t", "kind": "k", "effect": "e", "issues": []}}
    )), ["flags.json: MORE: no case has it"]),
    "an issue that is no address": (lambda v1: write(v1 / "records.json", (v1 / "records.json").read_text().replace(
        "https://github.com/meta-pytorch/captum/issues/546", "#546")), ["records.json: $[1].issues[0]: '#546' does"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_fault_of_the_files_is_found(name: str, root: Path) -> None:
    damage, expected = FILES[name]
    found = new(root, damage)
    assert len(found) == len(expected) and all(map(str.startswith, found, expected)), found


def test_a_folder_without_vectors_is_refused(tmp_path: Path) -> None:
    with refused(f"got {tmp_path}, which has no folder v1 with files: give the folder that lrp-ref vectors export "
                 "made"):
        lint(tmp_path)


def test_too_many_bytes_are_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(path.stat().st_size for path in (root / "v1").rglob("*") if path.is_file())
    assert new(root, lambda v1: monkeypatch.setattr(linting, "LARGEST", size - 1)) == [
        f"all files: have {size} bytes, needed at most {size - 1}"]


# ---- Cases ----


def first(slug: str) -> str:
    return some()[slug].id


def unknown_flag(entry: Entry) -> None:
    entry["flags"] = [*entry["flags"], "UNHEARD_OF"]


def otherwise(**row: Any) -> Callable[[Entry], None]:
    """An `either` row more: of the expectation's own numbers where none are given."""
    return lambda entry: entry["either"].append({"f64": entry["expect"].get("f64"), **row})


CASES: dict[str, tuple[str, Callable[[Entry], Any], list[str]]] = {
    "a decimal": ("p-means-2", lambda e: e["x"][0][0].__setitem__(0, "1.5"), [
        "Epsilon/pmeans.json: $.cases[0].x[0][0]", "{id}: its network, rules, x and R have the hash",
        "{id}: in f64"]),
    "an unknown layer": ("norm-epsilon", lambda e: e["net"][0].update(op="Norm"), [
        f"{FILE}: $.cases[0].net[0].op: 'Norm' is not one of",
        "{id}: cannot be read: ValueError: net[0] got op='Norm', needed one of",
        "flags.json: ZERO_SLICE: no case has it", "all files: have 5 cases"]),
    "another x": ("d4", lambda e: e["x"][0].__setitem__(0, "7"), ["{id}: its network, rules, x and R have the hash"]),
    "another rule": ("d4", lambda e: e["net"][0]["rule"].update(name="Flat"), [
        "{id}: its network, rules, x and R have the hash"]),
    "an unknown level": ("norm-epsilon", lambda e: e.update(level="optional"), [
        f"{FILE}: $.cases[0].level: 'optional' is not one of", "manifest.json: its levels are not",
        "manifest.json: its capabilities are not", "{id}: level optional: unknown"]),
    "a flag without a note": ("norm-epsilon", unknown_flag, ["{id}: flag without a note UNHEARD_OF: unknown"]),
    "an unknown question": ("d4", otherwise(convention="taste", value=1, f64=[["0x1p+0", "0x0p+0"]]), [
        "{id}: convention taste: unknown", "all files: tell the answers to 3 conventions apart"]),
    "an unknown format": ("norm-epsilon", lambda e: e.update(exact_in=["f8"]), [
        f"{FILE}: $.cases[0].exact_in[0]: 'f8' is not one of", "{id}: format f8: unknown"]),
    "a refusal with relevance": ("refused-nan-in-x", lambda e: e.update(expect={"f64": [["0x1p+0"] * 3]}), [
        "{id}: is negative, needed an error and no relevance"]),
    "no relevance": ("norm-epsilon", lambda e: e.update(expect={"error": "?"}), [
        "{id}: is required without relevance"]),
    "an error beside relevance": ("norm-epsilon", lambda e: e["expect"].update(error="?"), [
        f"{FILE}: $.cases[0].expect", "{id}: is required with an error"]),
    "a question without answers": ("d4", lambda e: e.update(either=[]), [
        "{id}: is of level convention without another answer", "all files: tell the answers to 1 conventions apart"]),
    "relevance of another shape": ("norm-epsilon", lambda e: e["expect"].update(f64=[["0x1p+0"]]), [
        "{id}: expects relevance of shape (1, 1) for an x of shape (1, 6)"]),
    "float64 that is not the fraction": ("norm-epsilon", lambda e: e["expect"]["f64"][0].__setitem__(0, "0x1.8p+0"), [
        "{id}: its float64 relevance is not the exact one rounded",
        "{id}: in f64: 1 of 6 numbers are not what this package computes"]),
    "an answer that is the expectation": ("norm-epsilon", otherwise(convention="flat", value="window"), [
        "{id}: either: flat = 'window': has the expectation's numbers",
        "all files: tell the answers to 3 conventions apart"]),
    "the canonical answer": ("d4", otherwise(convention="bias_w_square", value="left out", f64=[["0x1p+0"] * 2]), [
        "{id}: either: bias_w_square = 'left out': is the canonical answer"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_of_a_case_is_found(name: str, root: Path) -> None:
    slug, change, expected = CASES[name]
    expected = [text.replace("{id}", first(slug)) for text in expected]
    found = new(root, changed(slug, change))
    assert len(found) == len(expected) and all(map(str.startswith, found, expected)), found


def test_a_slug_that_two_cases_or_records_have_is_found(root: Path) -> None:
    def damage(v1: Path) -> None:
        records = json.loads((v1 / "records.json").read_text(encoding="utf-8"))
        write(v1 / "records.json", json.dumps([*records, {**records[0], "id": "norm-epsilon"}]))

    assert new(root, damage) == ["norm-epsilon: is the name of 2 cases or records"]


@pytest.mark.parametrize(("x", "formats", "finding"), [
    (["6", "-6", "0"], [], "in f64: 3 of 3 numbers are undetermined"),   # 3/2 - 3/2 + 2^-60
    (["5", "3", "1"], ["f32"], "in f32: 3 of 3 numbers are not what this package computes"),
    (["16777217", "0", "0"], ["f32"], "f32 does not hold all its numbers"),
    (["1/3", "1", "1"], [], "f64 does not hold all its numbers"),
])
def test_a_required_case_that_cannot_be_told_from_others_is_found(
        x: list[str], formats: list[str], finding: str, root: Path) -> None:
    def change(entry: Entry) -> None:
        entry.update(level="required", x=[x], R=[["1"]], exact_in=formats, either=[])
        entry["net"] = [{"name": "fc", "op": "Linear", "weight": [["1/4"], ["1/4"], ["3"]], "bias": ["0x1p-60"],
                         "rule": {"name": "Epsilon", "epsilon": "0"}}]
        entry["expect"] = {"f64": [["0x1p+0", "0x1p+0", "0x1p-60"]]}

    found = new(root, changed("stress-absent-weights-flat", change))
    assert f"{first('stress-absent-weights-flat')}: {finding}" in found, found


def test_without_jsonschema_everything_else_is_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting, "find_spec", lambda name: None)
    found = new(root, changed("norm-epsilon", lambda e: e.update(level="optional")))
    assert found == ["manifest.json: its levels are not those of its cases",
                     "manifest.json: its capabilities are not those of its cases",
                     f"{first('norm-epsilon')}: level optional: unknown"]


# ---- Nothing is trusted ----


def rewritten(path: str, data: bytes | str | Any) -> Callable[[Path], object]:
    """The damage that a file holds this, or as JSON this; the manifest has its hash."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()

    def damage(v1: Path) -> None:
        (v1 / path).write_bytes(content)
        if path == FILE:
            in_manifest(lambda manifest: manifest["files"][path].update(sha256=sha256(content).hexdigest()))(v1)

    return damage


def case_file(**contents: Any) -> Callable[[Path], object]:
    return rewritten(FILE, {"schema": "lrp-vector-v1", "spec": "1.0", "count": 1, **contents})


def case(**values: Any) -> Callable[[Path], object]:
    """The damage that `norm-epsilon` has these values."""
    return lambda v1: changed("norm-epsilon", lambda entry: entry.update(values))(v1)


def layer(**values: Any) -> Callable[[Path], object]:
    return lambda v1: changed("norm-epsilon", lambda entry: entry["net"][0].update(values))(v1)


def expecting(**values: Any) -> Callable[[Path], object]:
    return lambda v1: changed("norm-epsilon", lambda entry: entry["expect"].update(values))(v1)


def nested(depth: int) -> Any:
    return ["1"] if not depth else [nested(depth - 1)]


def without(key: str) -> Callable[[Path], object]:
    return lambda v1: changed("norm-epsilon", lambda entry: entry.pop(key))(v1)


ONE = {"id": "d11", "title": "t", "question": "q", "answers": {"a": "1", "b": "2"}, "issues": []}
NOTE = {"title": "t", "kind": "k", "effect": "e", "issues": []}
HUGE = str(10**400)

CORRUPTIONS: dict[str, tuple[Callable[[Path], object], str]] = {
    # manifest.json
    "an empty manifest": (rewritten("manifest.json", b""), "manifest.json: is no JSON"),
    "a manifest in UTF-16": (rewritten("manifest.json", '{"count": 1}'.encode("utf-16")), "manifest.json: is no JSON"),
    "a manifest with a key twice": (rewritten("manifest.json", b'{"count": 1, "count": 2}'), "manifest.json: is no"),
    "a manifest that is a list": (rewritten("manifest.json", []), "manifest.json: cannot be read"),
    "a manifest that is null": (rewritten("manifest.json", None), "manifest.json: cannot be read"),
    "a manifest without anything": (rewritten("manifest.json", {}), "manifest.json: cannot be read"),
    "brackets without end": (rewritten("manifest.json", b"[" * 100_000), "manifest.json: is no JSON: maximum"),
    "brackets with an end": (rewritten("manifest.json", b"[" * 900 + b"]" * 900), "manifest.json: cannot be read"),
    "files in a list": (in_manifest(lambda m: m.update(files=["a"])), "manifest.json: cannot be read"),
    "files that are null": (in_manifest(lambda m: m.update(files=None)), "manifest.json: cannot be read"),
    "a file that is 5": (in_manifest(lambda m: m["files"].update({FILE: 5})), f"{FILE}: cannot be read"),
    "a file without a hash": (in_manifest(lambda m: m["files"][FILE].pop("sha256")), f"{FILE}: is not the file who"),
    "a count in words": (in_manifest(lambda m: m.update(count="six")), "manifest.json: says six cases"),
    "a number of 5000 digits": (rewritten("manifest.json", b'{"count": ' + b"9" * 5000 + b"}"), "manifest.json: is no"),
    # records.json
    "records of texts": (rewritten("records.json", ["a"]), "records.json: entry 1: cannot be read"),
    "records that are null": (rewritten("records.json", None), "records.json: cannot be read"),
    "an object of records": (rewritten("records.json", {"a": ONE}), "records.json: cannot be read"),
    "a record without a question": (rewritten("records.json", [{"id": "d11", "title": "t", "answers": {}}]),
                                    "records.json: entry 1: cannot be read"),
    "a record with an id of 5": (rewritten("records.json", [ONE, {**ONE, "id": 5}]), "records.json: entry 2: cannot"),
    "a record with more": (rewritten("records.json", [{**ONE, "more": 1}]), "records.json: entry 1: cannot be read"),
    "records in Latin-1": (rewritten("records.json", '["ä"]'.encode("latin-1")), "records.json: is no JSON"),
    # flags.json
    "flags in a list": (rewritten("flags.json", ["ZERO_SLICE"]), "flags.json: cannot be read"),
    "a note that is a text": (rewritten("flags.json", {"ZERO_SLICE": "t"}), "flags.json: ZERO_SLICE: cannot be read"),
    "a note without an effect": (rewritten("flags.json", {"ZERO_SLICE": {"title": "t", "kind": "k"}}),
                                 "flags.json: ZERO_SLICE: cannot be read"),
    "a note that is null": (rewritten("flags.json", {"D11": NOTE, "D12": None}), "flags.json: D12: cannot be read"),
    "a byte-order mark": (rewritten("flags.json", b"\xef\xbb\xbf{}"), "flags.json: is no JSON"),
    "a flag twice": (rewritten("flags.json", b'{"A": 1, "A": 1}'), "flags.json: is no JSON: 'A' is there twice"),
    # files of cases
    "an empty file": (rewritten(FILE, b""), f"{FILE}: is no JSON"),
    "a file that is a text": (rewritten(FILE, "cases"), f"{FILE}: cannot be read"),
    "no cases": (rewritten(FILE, {}), f"{FILE}: cannot be read"),
    "cases that are null": (case_file(cases=None), f"{FILE}: cannot be read"),
    "cases in an object": (case_file(cases={"a": 1}), f"{FILE}: cannot be read"),
    "a case that is a text": (case_file(cases=["x"]), f"{FILE}: entry 1: cannot be read"),
    "a case that is null": (case_file(cases=[None]), f"{FILE}: entry 1: cannot be read"),
    "a case without anything": (case_file(cases=[{}]), f"{FILE}: entry 1: cannot be read"),
    "a file of NaN": (rewritten(FILE, b'{"cases": [NaN]}'), f"{FILE}: is no JSON"),
    # cases
    "no id": (without("id"), f"{FILE}: entry 1: cannot be read: ValueError: the case: 'id' is missing"),
    "an id of 5": (case(id=5), f"{FILE}: entry 1: cannot be read"),
    "an id of half a character": (case(id="\ud800"), "\\ud800: its network, rules, x and R have the hash"),
    "an id of two lines": (case(id="a\nb"), "a b: its network, rules, x and R have the hash"),
    "flags that are null": (case(flags=None), "{id}: cannot be read"),
    "flags in an object": (case(flags={}), "{id}: cannot be read"),
    "a flag that is a list": (case(flags=[["ZERO_SLICE"]]), "{id}: cannot be read"),
    "a level in a list": (case(level=["required"]), "{id}: cannot be read"),
    "a comment of 7": (case(comment=7), "{id}: cannot be read"),
    "formats that are null": (case(exact_in=None), "{id}: cannot be read"),
    "a format that is 64": (case(exact_in=[64]), "{id}: cannot be read"),
    "no other answers": (without("either"), "{id}: cannot be read: ValueError: the case: 'either' is missing"),
    "other answers of texts": (case(either=["flat"]), "{id}: cannot be read"),
    "a question of 5": (case(either=[{"convention": 5, "value": 1, "f64": [["0x1p+0"]]}]), "{id}: cannot be read"),
    "another answer of another shape": (case(either=[{"convention": "flat", "value": "window", "f64": ["0x1p+0"]}]),
                                        "{id}: either: flat = 'window': has the shape (1,), needed (1, 6)"),
    "no network": (case(net=[]), "{id}: cannot be read"),
    "a network that is null": (case(net=None), "{id}: cannot be read"),
    "a layer that is a text": (case(net=["L2Norm"]), "{id}: cannot be read"),
    "an unknown rule": (layer(rule={"name": "Zeta"}), "{id}: cannot be read: ValueError: net[0].rule got name='Zeta'"),
    "a rule without its number": (layer(rule={"name": "Gamma"}), "{id}: cannot be read"),
    "a rule that this layer has not": (case(R=[["1"]], net=[
        {"name": "fc", "op": "Linear", "weight": [["1"]] * 6, "bias": ["0"], "rule": {"name": "Winner"}}]),
        "{id}: cannot be read: ValueError: Winner needs a pooling"),
    "parts by a list": (layer(parts=["3"]), "{id}: cannot be read"),
    "more parts than numbers": (layer(parts=7), "{id}: cannot be read"),
    "x that is null": (case(x=None), "{id}: cannot be read"),
    "x of a number": (case(x=5), "{id}: cannot be read"),
    "x of unequal rows": (case(x=[["1", "2"], ["3"]]), "{id}: cannot be read"),
    "x of words": (case(x=[["one"] * 6]), "{id}: cannot be read"),
    "x divided by 0": (case(x=[["1/0"] * 6]), "{id}: cannot be read: ValueError: got the number"),
    "a huge x": (case(x=[[HUGE] * 6]), "{id}: cannot be read: ValueError: got the number"),
    "an exponent without end": (case(x=[["1e999999999"] * 6]), "{id}: cannot be read: ValueError"),
    "x nested a hundred deep": (case(x=nested(100)), "{id}: cannot be read"),
    "R one column too wide": (case(R=[["1"] * 7]), "{id}: cannot be read: ValueError: R has the shape (1, 7)"),
    "R of no dimension": (case(R="1"), "{id}: cannot be read"),
    "no expectation": (case(expect=None), "{id}: cannot be read"),
    "an expectation of nulls": (expecting(f64=[[None] * 6]), "{id}: cannot be read"),
    "an expectation of words": (expecting(f64=[["one"] * 6]), "{id}: cannot be read"),
    "a huge exact number": (expecting(R=[[HUGE] * 6]), "{id}: cannot be read: ValueError: got the number"),
    "an error of 5": (expecting(error=5), "{id}: cannot be read"),
    "a ledger that is a list": (expecting(ledger=[]), "{id}: cannot be read"),
    # schemas
    "no schema": (lambda v1: (v1.parent / "cases.schema.json").unlink(), "cases.schema.json: cannot be read: FileNot"),
    "a schema that is none": (lambda v1: (v1.parent / "flags.schema.json").write_text("{"), "flags.schema.json"),
}


@pytest.mark.parametrize("forms", [True, False], ids=["forms", "no forms"])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_whatever_a_file_holds_is_a_finding_that_names_it_and_never_an_exception(
        name: str, forms: bool, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage, expected = CORRUPTIONS[name]
    if not forms:
        if ".schema.json" in expected:
            return   # they are not looked at
        monkeypatch.setattr(linting, "find_spec", lambda name: None)
    damage(root / "v1")
    found, _ = lint(root)
    assert any(finding.startswith(expected.replace("{id}", first("norm-epsilon"))) for finding in found), found
    assert all(finding.isprintable() and len(finding) < 400 for finding in found)


def test_a_fault_hides_no_other_case(root: Path) -> None:
    found = new(root, case(flags=None))
    assert [finding for finding in found if not finding.startswith((first("norm-epsilon"), FILE))] == [
        "flags.json: ZERO_SLICE: no case has it", "all files: have 5 cases, needed at least 300"]


# ---- What is not read ----


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with a name")
def test_a_pipe_a_device_and_a_circle_are_findings_and_never_opened(root: Path) -> None:
    os.mkfifo(root / "v1" / "pipe.json")
    (root / "v1" / "zero.json").symlink_to("/dev/zero")
    (root / "v1" / "circle").symlink_to(root / "v1")
    (root / "records.schema.json").unlink()
    os.mkfifo(root / "records.schema.json")
    begin = time.monotonic()
    found = lint(root)[0]
    assert time.monotonic() - begin < 60
    for name in ("v1/pipe.json", "v1/zero.json"):
        assert any(f"{name}, which is no regular file, and is not opened" in finding for finding in found)
    assert any(finding.startswith("records.schema.json: cannot be read: ") for finding in found)
    assert any(finding.startswith("circle: is a link to a folder") for finding in found)
    assert all(finding.isprintable() and len(finding) < 500 for finding in found)


def test_files_beyond_what_vectors_may_have_are_not_read(tmp_path: Path) -> None:
    """Files of a gigabyte that take no room on the disk."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "b.json").write_bytes(b"1")
    for name in ("a.json", "c.json"):
        with open(tmp_path / "v1" / name, "wb") as file:
            file.truncate(1 << 30)
    found: list[str] = []
    assert dict(walked(tmp_path / "v1", found)) == {"b.json": b"1"}
    assert len(found) == 2 and all(f"has more than {BYTES - n} bytes" in one for n, one in enumerate(found))


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c/x/y", "B"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert list(walked(tmp_path)) == [(name, name.encode()) for name in ("B", "a", "b/1", "b/2", "c/x/y")]
    assert list(walked(tmp_path / "a")) == list(walked(tmp_path / "none")) == []


def test_a_folder_with_very_many_files_is_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.make.lint_folder.ENTRIES", 5)
    for n in range(9):
        (tmp_path / f"{n}").touch()
    found: list[str] = []
    assert len(dict(walked(tmp_path, found))) == 5 and ENTRIES > 1000
    assert [one.partition(": ")[2] for one in found] == [
        "after 5 files and folders what follows is not looked at: is it the right folder?"]
