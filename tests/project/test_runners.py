"""What examples/ shows is run: the runners in every language that is here, the archive, the server, the steps of CI."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
import small_suite
from recorded import suite as vectors

from lrp_ref.conformance.adapters import find
from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.lines import Lines
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Suite

ROOT = Path(__file__).parents[2]
EXAMPLES, VECTORS = ROOT / "examples", ROOT / "data_fixtures" / "vectors"
RUNNERS = EXAMPLES / "runners"
HERE = {"PYTHONPATH": str(ROOT), "PATH": str(Path(sys.executable).parent) + ":/usr/local/bin:/usr/bin:/bin"}
[COUNTS] = re.findall(r"^\d+ passed, 0 failed, .*, of \d+$", (RUNNERS / "README.md").read_text(encoding="utf-8"),
                     re.MULTILINE)   # what the README shows
PASSED, COUNT = int(COUNTS.split()[0]), int(COUNTS.split()[-1])


def done(command: list[str], folder: Path = RUNNERS) -> tuple[int, str]:
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=HERE, check=False)
    return result.returncode, result.stdout + result.stderr


# ---- Runners ----


def started(path: Path, folder: Path) -> list[str]:
    """The command that runs it, after it is compiled if it must be."""
    program = {".py": sys.executable, ".js": "node", ".R": "Rscript", ".cpp": "g++"}[path.suffix]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    if path.suffix != ".cpp":
        return [program, str(path)]
    built = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", str(path), "-o", str(folder / "runner")]
    assert done(built) == (0, "")
    return [str(folder / "runner")]


def test_the_python_runner_passes_all_it_supports_and_a_wrong_one_fails(tmp_path: Path) -> None:
    runs_and_can_fail(RUNNERS / "runner.py", tmp_path)


@pytest.mark.parametrize("name", ["runner.js", "runner.R", "runner.cpp"])
def test_a_runner_passes_all_it_supports_and_a_wrong_one_fails(name: str, tmp_path: Path) -> None:
    runs_and_can_fail(RUNNERS / name, tmp_path)


def runs_and_can_fail(path: Path, folder: Path) -> None:
    """As it is; with sign(0) = -1; and on fewer cases than the manifest has."""
    assert done([*started(path, folder), str(VECTORS)]) == (0, COUNTS + "\n")
    wrong = folder / path.name
    wrong.write_text(path.read_text(encoding="utf-8").replace("total >= 0", "total > 0"), encoding="utf-8")
    command = started(wrong, folder)
    code, said = done([*command, str(VECTORS)])
    ids = re.findall(r"^failed ([\w-]+) ?$", said, re.MULTILINE)
    assert code == 1 and "sign-of-zero-linear-ed4010" in ids
    assert f"{PASSED - len(ids)} passed, {len(ids)} failed" in said
    fewer = folder / "v1"
    shutil.copytree(VECTORS / "v1", fewer)
    text = (fewer / "manifest.json").read_text(encoding="utf-8")
    (fewer / "manifest.json").write_text(text.replace(f'"count": {COUNT}', f'"count": {COUNT + 1}'), encoding="utf-8")
    code, said = done([*command, str(folder)])
    assert code not in (0, 1) or "fewer cases than" in said


def test_julias_runner_says_that_it_was_never_run() -> None:
    assert "NOT RUN" in (RUNNERS / "runner.jl").read_text(encoding="utf-8")
    assert "never run" in (RUNNERS / "README.md").read_text(encoding="utf-8")


def test_every_runner_says_where_ones_own_goes() -> None:
    runners = [path for path in RUNNERS.iterdir() if path.name != "README.md"]
    assert len(runners) == 5
    assert all(path.read_text(encoding="utf-8").count("PUT YOUR OWN HERE") == 1 for path in runners)
    assert vectors().count == COUNT


# ---- The archive ----


def test_the_archive_is_the_same_bytes_twice_and_has_all_that_a_stranger_needs(tmp_path: Path) -> None:
    said = [done([sys.executable, str(EXAMPLES / "release.py"), str(tmp_path / name)], ROOT) for name in "ab"]
    assert [code for code, _ in said] == [0, 0]
    one, two = (tmp_path / name / "lrp-vectors-1.1.zip" for name in "ab")
    assert one.read_bytes() == two.read_bytes() and said[0][1].split()[0] == said[1][1].split()[0]
    with ZipFile(one) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        archive.extractall(tmp_path)
    assert names >= {"README.md", "LICENSE", "cases.schema.json", "protocol.schema.json", "v1/manifest.json",
                     "runners/README.md", *(f"runners/runner.{kind}" for kind in ("py", "js", "R", "cpp", "jl"))}
    folder = tmp_path / "lrp-vectors-1.1"
    assert done([sys.executable, "runners/runner.py", "."], folder) == (0, COUNTS + "\n")


# ---- The server ----

SERVED = """
import sys
from serve import Unsupported

def relevance(net, x, R):
    print("printed, and no answer")
    [layer] = net
    if (layer["op"], layer["rule"]["name"]) != ("Linear", "Flat"):
        raise Unsupported("only Flat", "https://example.org/1")
    if len(x[0]) == 99:
        raise KeyError("x")
    return [[sum(r) / len(x_n) for _ in x_n] for x_n, r in zip(x, R)]
"""


def test_any_callable_is_served_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "serve.py", "serve.py")
    Path("mine.py").write_text(SERVED)
    lines = find(f"exec:{sys.executable} serve.py mine:relevance --name mine --version 7 --declare stabiliser=1e-6")
    assert isinstance(lines, Lines)
    assert (lines.name, lines.version, lines.unit_roundoff) == ("mine", "7", 2.0**-53)
    assert lines.conventions == {"stabiliser": 1e-6}
    suite = vectors()
    cases = [case for case in suite.cases if case.rule == "Flat" and case.layers == ("Linear",) and case.x.ndim == 2
             and case.level == "required"][:3]
    statuses = [one.status for one in run(lines, small(cases)).outcomes]
    assert statuses == ["passed"] * 3
    [other] = run(lines, small([suite["d2c-alpha2-fbe782"]])).outcomes
    assert (other.status, other.reason, other.url) == ("unsupported", "only Flat", "https://example.org/1")
    lines.close()


def small(cases: list[Case]) -> Suite:
    return replace(small_suite.suite(), cases=cases, count=len(cases))


def test_the_server_is_one_file_without_lrp_ref_that_python_3_8_reads() -> None:
    text = (EXAMPLES / "serve.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
    later = {"removeprefix", "removesuffix", "strict", "pairwise", "bit_count"}   # of Python 3.9 and later
    names = {getattr(node, "attr", getattr(node, "arg", "")) for node in ast.walk(tree)}
    assert not names & later and not any(isinstance(node, ast.AnnAssign) for node in ast.walk(tree))


# ---- A project's own tests, and its CI ----


def test_the_steps_of_the_workflow_and_pytests_recipe_run(tmp_path: Path) -> None:
    for path in (EXAMPLES / "project").iterdir():
        shutil.copy(path, tmp_path)
    steps = re.findall(r"^ +run: (.+)$", (tmp_path / "github-workflow.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert [step.split()[0] for step in steps] == ["python", "lrp-ref"] and steps[0] == "python -m pip install lrp-ref"
    code, said = done([sys.executable, "-m", "lrp_ref", *shlex.split(steps[1])[1:]], tmp_path)
    assert code == 0 and f" 0 failed, of {COUNT}" in said, said[-2000:]
    passed = re.search(r"(\d+) passed", said)
    uploaded = re.findall(r"^ +(lrp\.[\w.]+)$", (tmp_path / "github-workflow.yml").read_text(), re.MULTILINE)
    assert uploaded == ["lrp.html", "lrp.svg", "lrp.json.gz"]
    assert all((tmp_path / name).stat().st_size for name in uploaded)
    assert read(str(tmp_path / "lrp.json.gz")).name == "my library"
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "lrp_ref_pytest"]
    code, said = done(pytest_, tmp_path)
    assert code == 0 and passed and f"{passed[1]} passed" in said, said[-2000:]
