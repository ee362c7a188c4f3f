"""Every kind of fault in a folder of vectors is found, once, and the vectors that are shipped have none."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from helpers import refused

from lrp_ref.conformance import lint as linting
from lrp_ref.conformance import make
from lrp_ref.conformance.case import Case
from lrp_ref.conformance.lint import lint
from lrp_ref.conformance.make import notes
from lrp_ref.conformance.vectors import load

VECTORS = Path(__file__).parents[1] / "data_fixtures" / "vectors"
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
        in_manifest(lambda manifest: manifest["files"][path].update(
            sha256=sha256((v1 / path).read_bytes()).hexdigest()))(v1)

    return damage


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


FILES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no JSON": (lambda v1: write(v1 / FILE, "{"), [
        f"{FILE}: is no JSON: Expecting", f"{FILE}: is not the file whose hash", f"{FILE}: has 0 cases",
        "manifest.json: says 6 cases, and its files have 5", "flags.json: ZERO_SLICE", "all files: have 5 cases"]),
    "records are missing": (lambda v1: (v1 / "records.json").unlink(), [
        "records.json: is not there", *(f"D{n}: no case" for n in (11, 12, 15, 16, 18, 20))]),
    "another version": (in_manifest(lambda m: m.update(spec="0.9")), [
        "manifest.json: is lrp-vector-v1 0.9, needed lrp-vector-v1 1.0", "manifest.json: $.spec: '1.0' was expected"]),
    "a promised file is missing": (lambda v1: (v1 / FILE).unlink(), [
        f"{FILE}: is in the manifest and not in the folder", f"{FILE}: has 0 cases, and the manifest says 1",
        "manifest.json: says 6 cases, and its files have 5", "flags.json: ZERO_SLICE: no case has it",
        "all files: have 5 cases, needed at least 300"]),
    "another file": (lambda v1: write(v1 / FILE, (v1 / FILE).read_text() + "\n"), [
        f"{FILE}: is not the file whose hash the manifest has"]),
    "a file too many": (lambda v1: write(v1 / "Epsilon" / "more.json", (v1 / FILE).read_text()), [
        "Epsilon/more.json: is not in the manifest"]),
    "another count": (in_manifest(lambda m: m["files"][FILE].update(count=2)), [
        f"{FILE}: has 1 cases, and the manifest says 2"]),
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
        f"{FILE}: $.cases[0].net[0].op: 'Norm' is not one of", "{id}: cannot be read: KeyError: 'Norm'",
        "flags.json: ZERO_SLICE: no case has it", "all files: have 5 cases"]),
    "another x": ("d4", lambda e: e["x"][0].__setitem__(0, "7"), ["{id}: its network, rules, x and R have the hash"]),
    "another rule": ("d4", lambda e: e["net"][0]["rule"].update(name="Flat"), [
        "{id}: its network, rules, x and R have the hash"]),
    "an unknown level": ("norm-epsilon", lambda e: e.update(level="optional"), [
        f"{FILE}: $.cases[0].level: 'optional' is not one of", "{id}: level optional: unknown"]),
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
    assert found == [f"{first('norm-epsilon')}: level optional: unknown"]
