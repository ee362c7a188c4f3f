"""lrp-ref vectors: what is exported is whole or not there, what is made anew is compared byte by byte."""

import json
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from helpers import refused

from lrp_ref.command import vectors as vectors_command
from lrp_ref.command.cli import main
from lrp_ref.command.vectors import check_text, first_difference, shipped
from lrp_ref.conformance import make
from lrp_ref.conformance.make import refused as negative
from lrp_ref.conformance.make.lint_folder import walked
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import load
from lrp_ref.files import writing_folder
from lrp_ref.relevance import explain
from lrp_ref.rules import Rule

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "data_fixtures" / "vectors"
SHIPPED = dict(walked(VECTORS))
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Three cases in the place of all, and the files that they make."""
    cases = load(VECTORS / "v1").cases[:3]
    monkeypatch.setattr(make, "cases", lambda: cases)
    return make.files(cases)


def run(*arguments: str) -> int:
    return main(["vectors", *arguments])


# ---- export ----


def test_an_export_has_every_file_that_is_shipped(folder: Path, capsys: Capture) -> None:
    assert run("export", "out") == 0
    assert capsys.readouterr().out == f"written to out: {len(SHIPPED)} files, begin with README.md\n"
    assert dict(walked(folder / "out")) == SHIPPED
    assert {"README.md", "LICENSE", "cases.schema.json", "v1/manifest.json", "v1/records.json"} <= SHIPPED.keys()


def test_an_exported_zip_has_the_same_in_a_folder_of_its_name_and_the_same_bytes_each_time(folder: Path) -> None:
    (folder / "more").mkdir()
    assert run("export", "out.zip") == 0 and run("export", "more/out.zip") == 0
    with zipfile.ZipFile("out.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"out/{name}": data for name, data in SHIPPED.items()}
    assert (folder / "out.zip").read_bytes() == (folder / "more" / "out.zip").read_bytes()


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_what_is_there_is_not_written_over(name: str, folder: Path, capsys: Capture) -> None:
    (folder / name).write_text("mine")
    assert run("export", name) == 2
    assert (folder / name).read_text() == "mine"
    assert capsys.readouterr().err == (f"lrp-ref: error: got {name}, which is there already: give the name of a new "
                                       "folder\n")


def test_a_folder_that_is_there_is_not_written_into(folder: Path, capsys: Capture) -> None:
    (folder / "out").mkdir()
    assert run("export", "out") == 2 and [*(folder / "out").iterdir()] == []
    assert "got out, which is there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_export_that_fails_leaves_nothing(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_command, "walked", lambda root: [("a/b", b"1"), ("a", b"a file where a folder is")])
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *given: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert run("export", name) == 2 and [*folder.iterdir()] == []


def test_a_folder_is_written_whole_or_not_at_all(folder: Path) -> None:
    with pytest.raises(KeyError), writing_folder("out") as temporary:
        (temporary / "half").write_text("1")
        raise KeyError
    assert [*folder.iterdir()] == []
    (folder / "file").write_text("1")
    with refused("cannot write file: it exists: choose another path"), writing_folder("file"):
        pass


def test_the_description_is_the_page_and_the_licence_the_projects() -> None:
    assert SHIPPED["README.md"] == (ROOT / "docs" / "vectors.md").read_bytes(), "copy docs/vectors.md there"
    assert SHIPPED["LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_the_description_names_every_layer_and_every_rule() -> None:
    schema = json.loads(SHIPPED["cases.schema.json"])["$defs"]
    text = SHIPPED["README.md"].decode()
    names = [*schema["layer"]["properties"]["op"]["enum"], *schema["rule"]["properties"]["name"]["enum"]]
    assert len(names) == 47 + 9 and [name for name in names if f"`{name}`" not in text] == []


# ---- regenerate ----


def test_check_passes_where_every_file_is_what_is_made(few: dict[str, str], monkeypatch: pytest.MonkeyPatch,
                                                       folder: Path, capsys: Capture) -> None:
    assert run("regenerate", "--output", "new") == 0
    monkeypatch.setattr(vectors_command, "shipped", lambda: folder / "new")
    capsys.readouterr()
    assert run("regenerate", "--check") == 0
    assert capsys.readouterr().out == f"{len(few)} files are byte for byte what is made anew\n"


def test_check_names_the_first_file_and_line_that_differ(few: dict[str, str], capsys: Capture) -> None:
    assert run("regenerate", "--check") == 1
    path = min(path for path, text in few.items() if SHIPPED[f"v1/{path}"] != text.encode())
    n = first_difference(SHIPPED[f"v1/{path}"], few[path].encode())
    first = min(path, *(name.removeprefix("v1/") for name in SHIPPED if name.startswith("v1/") and name[3:] not in few))
    wanted = (f"{path}: line {n} is not what is made anew" if first == path else f"{first}: is here and not made")
    assert capsys.readouterr().out == f"{wanted}: it is the first of the files that differ\n"


@pytest.mark.parametrize(("new", "here", "finding"), [
    ({"a": b"1\n2\n", "b": b"1"}, {"a": b"1\n3\n", "b": b"2"}, "a: line 2 is not what is made anew"),
    ({"b": b"1\n2\n"}, {"b": b"1\n"}, "b: line 2 is not what is made anew"),
    ({"b": b"1"}, {"a": b"1", "b": b"1"}, "a: is here and not made"),
    ({"a": b"1", "c": b"1"}, {"a": b"1", "b": b"1"}, "b: is here and not made"),
    ({"a": b"1", "b": b"1"}, {"a": b"1"}, "b: is made and not here"),
])
def test_a_difference_is_named(new: dict[str, bytes], here: dict[str, bytes], finding: str) -> None:
    with pytest.raises(vectors_command.Failed) as failed:
        check_text(new, here)
    assert str(failed.value) == f"{finding}: it is the first of the files that differ"


def test_making_anew_writes_a_whole_folder(few: dict[str, str], folder: Path) -> None:
    assert run("regenerate", "--output", "new") == 0
    made = dict(walked(folder / "new"))
    assert {name[3:]: data.decode() for name, data in made.items() if name.startswith("v1/")} == few
    assert {name: data for name, data in made.items() if not name.startswith("v1/")} == {
        name: data for name, data in SHIPPED.items() if not name.startswith("v1/")}
    assert len(load(folder / "new" / "v1").cases) == 3
    assert run("regenerate", "--output", "new") == 2


# ---- lint, and wrong options ----


def test_lint_prints_every_finding_and_ends_with_1(few: dict[str, str], folder: Path, capsys: Capture) -> None:
    run("regenerate", "--output", "new")
    capsys.readouterr()
    assert run("lint", "new") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"3 cases, {len(lines) - 1} findings"
    assert "all files: have 3 cases, needed at least 300" in lines


def test_lint_says_what_it_has_not_looked_at(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(vectors_command, "lint", lambda root, watch: ([], 499))
    assert run("lint") == 0 and capsys.readouterr().out == "499 cases, 0 findings\n"
    monkeypatch.setattr(vectors_command, "knows_schemas", lambda: False)
    assert run("lint") == 0
    assert capsys.readouterr().out == ("note: without the package jsonschema the forms of the files were not looked "
                                       "at\n499 cases, 0 findings\n")


@pytest.mark.parametrize(("arguments", "error"), [
    ("export", "lrp-ref vectors export needs to know where to: lrp-ref vectors export vectors.zip"),
    ("export out --check", "got --check for lrp-ref vectors export, which takes none"),
    ("regenerate", "lrp-ref vectors regenerate needs either --check, to compare with the files that are here, or "
     "--output FOLDER, to write them"),
    ("regenerate --check --output out", "lrp-ref vectors regenerate needs either --check, to compare with the files "
     "that are here, or --output FOLDER, to write them"),
    ("regenerate out", "got a folder for lrp-ref vectors regenerate, which takes none: write --output"),
    ("lint --output out", "got --output for lrp-ref vectors lint, which takes none"),
    ("export missing/out", "cannot write missing/out: folder {} does not exist: make it or choose another path"),
])
def test_wrong_options_are_one_line(arguments: str, error: str, folder: Path, capsys: Capture) -> None:
    assert run(*arguments.split()) == 2
    assert capsys.readouterr().err == f"lrp-ref: error: {error.format(folder / 'missing')}\n"


# ---- What the cases ask ----


@pytest.mark.parametrize("case", list(negative.cases()), ids=lambda case: case.id)
def test_what_must_be_refused_is_refused_here(case: Case) -> None:
    """The rules' constructors, which the case has gone round, refuse some; explain the others."""
    network, rules, x, R = case.task()
    with pytest.raises(ValueError):
        explain(network, x, {name: made(rule) for name, rule in rules.items()}, R)


def made(rule: Rule) -> Rule:
    """The rule, looked at by its constructor."""
    return type(rule)(**vars(rule))


def test_the_digest_of_the_manifest_is_that_of_its_files() -> None:
    manifest = json.loads(SHIPPED["v1/manifest.json"])
    assert {path: sha256(SHIPPED[f"v1/{path}"]).hexdigest() for path in manifest["files"]} == {
        path: entry["sha256"] for path, entry in manifest["files"].items()}
    assert shipped().joinpath("v1").is_dir()
