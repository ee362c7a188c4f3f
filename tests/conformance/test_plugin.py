"""The pytest plugin: unasked it costs nothing, and asked it runs every vector as a test."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from recorded import suite as vectors

from lrp_ref.conformance.vectors.suite import load

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
MINE = """
    from lrp_ref import explain
    from lrp_ref.conformance.adapter import Hung, Unsupported
    from lrp_ref.rules import Epsilon, Flat

    class Mine:
        '''Epsilon is twice what it should be, Flat is right, and there is nothing else.'''
        name, version, unit_roundoff, conventions = "mine", "1", 2.0**-53, {}

        def relevance(self, network, rules, x, R):
            if not all(isinstance(rule, (Epsilon, Flat)) for rule in rules.values()):
                raise Unsupported("not yet", "https://mine/1")
            factor = 2 if any(isinstance(rule, Epsilon) for rule in rules.values()) else 1
            return factor * explain(network, x, rules, R).relevance

    class Mended(Mine):
        '''Epsilon is right by now.'''
        def relevance(self, network, rules, x, R):
            whole = super().relevance(network, rules, x, R)
            return whole / 2 if any(isinstance(rule, Epsilon) for rule in rules.values()) else whole

    class Refusing(Mine):
        def relevance(self, network, rules, x, R):
            raise Unsupported("not yet")

    class Hanging(Mine):
        def relevance(self, network, rules, x, R):
            if set(map(type, rules.values())) == {Epsilon} and x.shape == (2, 3):   # the smoke test's
                return explain(network, x, rules, R).relevance
            raise Hung("it said nothing")

    class Nothing(Mine):
        def relevance(self, network, rules, x, R):
            return 0 * x
"""
LINEAR = sorted(case.id for case in vectors().cases if case.layers == ("Linear",) and case.level == "required"
                and case.rule in ("Epsilon", "Flat", "ZPlus"))
RIGHT, WRONG, MISSING = (next(id for id in LINEAR if id.startswith(rule)) for rule in ("flat", "epsilon", "zplus"))
THREE = f"{RIGHT} or {WRONG} or {MISSING}"


@pytest.fixture
def run(pytester: pytest.Pytester):
    """pytest with the plugin on three vectors, or as given, in a folder with the adapter; and its result."""
    pytester.makepyfile(mine=MINE)

    def result(*arguments: str, k: str = THREE) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "lrp_ref_pytest", "-p", "no:cacheprovider", "-rA",
                                            *(("-k", k) if k else ()), *arguments)
    return result


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    return {what: n for what, n in result.parseoutcomes().items() if what != "deselected"}


# ---- Unasked ----


def test_without_its_option_it_imports_nothing_but_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it(): assert 'lrp_ref_pytest' in sys.modules and "
        "not [m for m in ('numpy', 'scipy', 'lrp_ref', 'torch') if m in sys.modules]\n", encoding="utf-8")
    code = (f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; "
            "sys.exit(pytest.main(['-q', '-p', 'lrp_ref_pytest', '-p', 'no:cacheprovider']))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_pytest_knows_it_by_its_entry_point() -> None:
    found = {entry.name: entry.value for entry in entry_points(group="pytest11")}
    assert found.get("lrp_ref_pytest") == "lrp_ref_pytest"


def test_without_its_option_no_vector_is_collected(run) -> None:
    assert run("--collect-only", k="").ret == pytest.ExitCode.NO_TESTS_COLLECTED


# ---- Every vector is a test ----


def test_every_vector_is_an_item_by_its_id(run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_my_own(): pass")
    result = run("--lrp-adapter", "mine:Mine", "--collect-only", "-q", k="")
    got = [line.removeprefix("lrp_ref::") for line in result.outlines if line.startswith("lrp_ref::")]
    assert got == [case.id for case in vectors().cases]
    assert "test_every_vector_is_an_item_by_its_id.py::test_my_own" in result.outlines


def test_right_passes_wrong_fails_and_what_is_missing_is_skipped(run) -> None:
    result = run("--lrp-adapter", "mine:Mine")
    assert outcomes(result) == {"passed": 1, "failed": 1, "skipped": 1}
    text = result.stdout.str()
    assert f"PASSED lrp_ref::{RIGHT}" in text and f"FAILED lrp_ref::{WRONG}" in text
    assert "unsupported: not yet https://mine/1" in text
    assert f"lrp-ref conform mine:Mine --case {WRONG}" in text and "needed" in text and "Traceback" not in text


def test_a_mark_chooses_the_vectors_alone(run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_my_own(): pass")
    result = run("--lrp-adapter", "mine:Mine", "-m", "lrp_vector", "--strict-markers", "--collect-only", "-q", k="")
    assert result.parseoutcomes()["deselected"] == 1


def test_the_mark_is_listed_without_the_option_too(run) -> None:
    assert "@pytest.mark.lrp_vector: a case of lrp_ref's conformance suite" in run("--markers", k="").outlines


def test_several_processes_share_the_vectors(run) -> None:
    result = run("--lrp-adapter", "mine:Mine", "-n", "2")
    assert outcomes(result) == {"passed": 1, "failed": 1, "skipped": 1}


# ---- What is expected ----


def expecting(pytester: pytest.Pytester, *lines: str) -> str:
    (pytester.path / "expected.txt").write_text("\n".join(["# of Linear", *lines, ""]), encoding="utf-8")
    return "expected.txt"


def test_what_is_expected_to_fail_is_no_failure(run, pytester: pytest.Pytester) -> None:
    file = expecting(pytester, f"{WRONG} failed https://mine/2", f"{MISSING} unsupported")
    result = run("--lrp-adapter", "mine:Mine", "--lrp-expect", file, k=f"{THREE} or expectations")
    assert outcomes(result) == {"passed": 2, "xfailed": 1, "skipped": 1} and result.ret == 0
    assert "https://mine/2" in result.stdout.str()


FAILS, LACKS = f"{WRONG} failed https://mine/2", f"{MISSING} unsupported"   # as they are


def test_an_expected_failure_that_passes_by_now_fails_the_run(run, pytester: pytest.Pytester) -> None:
    file = expecting(pytester, FAILS, LACKS)
    result = run("--lrp-adapter", "mine:Mended", "--lrp-expect", file, k=f"{THREE} or expectations")
    assert outcomes(result) == {"passed": 2, "failed": 1, "skipped": 1} and result.ret == 1
    assert f"expected.txt: {WRONG}: passed, expected failed: line 2 is stale, delete it" in result.stdout.str()


def test_pytests_own_option_runs_expected_failures_as_if_they_were_not(run, pytester: pytest.Pytester) -> None:
    file = expecting(pytester, FAILS, LACKS)
    result = run("--lrp-adapter", "mine:Mine", "--lrp-expect", file, "--runxfail", k=f"{THREE} or expectations")
    assert outcomes(result) == {"passed": 2, "failed": 1, "skipped": 1} and result.ret == 1


@pytest.mark.parametrize(("lines", "item", "wanted"), [
    ((FAILS, LACKS, f"{RIGHT} failed"), RIGHT, f"{RIGHT}: passed, expected failed: line 4 is stale, delete it"),
    ((f"{WRONG} unsupported", LACKS), WRONG, f"{WRONG}: failed, expected unsupported (line 2)"),
    ((FAILS, f"{MISSING} failed"), MISSING, f"{MISSING}: unsupported, expected failed (line 3): not yet"),
    ((LACKS,), WRONG, f"{WRONG}: failed, expected to pass"),
    ((FAILS,), MISSING, f"{MISSING}: unsupported, expected to pass"),
    ((FAILS, LACKS, f"{WRONG}x failed"), "expectations",
     f"{WRONG}x: no case has this id (line 4): did you mean '{WRONG}'? delete the line"),
], ids=["stale", "failed for unsupported", "unsupported for failed", "no line", "no line, unsupported", "unknown"])
def test_what_is_not_as_expected_fails_and_nothing_else(run, pytester: pytest.Pytester, lines: tuple[str, ...],
                                                        item: str, wanted: str) -> None:
    file = expecting(pytester, *lines)
    result = run("--lrp-adapter", "mine:Mine", "--lrp-expect", file, k=f"{THREE} or expectations")
    assert outcomes(result)["failed"] == 1 and result.ret == 1
    assert f"FAILED lrp_ref::{item} - " in result.stdout.str()
    assert f"expected.txt: {wanted}" in result.stdout.str()


# ---- Errors, each one line before anything runs ----


@pytest.mark.parametrize(("arguments", "wanted"), [
    (("--lrp-adapter", "nobody:Mine"), "got the adapter nobody:Mine, but No module named 'nobody'"),
    (("--lrp-adapter", "mine:Mine", "--lrp-expect", "none.txt"), "got the expectations file none.txt, but there is "
                                                              "no such file: needed a text file"),
    (("--lrp-expect", "none.txt"), "--lrp-expect is for the vectors, needed --lrp-adapter too"),
    (("--lrp-adapter", "mine:explain"), "which has no name, version, unit_roundoff, conventions, relevance"),
    (("--lrp-adapter", "mine:Nothing"), "all relevance is 0"),
], ids=["no module", "no file", "no adapter", "no adapter's parts", "a broken adapter"])
@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one", "two"])
def test_what_cannot_run_is_said_in_one_line(run, arguments, wanted: str, processes) -> None:
    result = run(*arguments, *processes)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line]
    assert line.startswith("ERROR: ") and wanted in line


def test_the_pages_adapter_runs_as_the_page_says(pytester: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        pytester.makepyfile(**{name: text})
    result = pytester.runpytest_inprocess("-p", "lrp_ref_pytest", "--lrp-adapter", "tiny_adapter:Tiny", "-k", THREE)
    assert outcomes(result) == {"passed": 1, "skipped": 2}
    adapter = (pytester.path / "tiny_adapter.py").read_text(encoding="utf-8")
    assert sum(1 for line in adapter.splitlines() if line.strip()) <= 15


def test_an_adapter_that_supports_nothing_is_refused_unless_that_is_expected(
        run: Callable[..., pytest.RunResult], tmp_path: Path) -> None:
    result = run("--lrp-adapter", "mine:Refusing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: mine supports none of {load().count} cases: nothing would be tested"])
    expected = tmp_path / "expected.txt"
    expected.write_text("".join(f"{case.id} unsupported\n" for case in vectors().cases if case.level != "negative"))
    assert outcomes(run("--lrp-adapter", "mine:Refusing", "--lrp-expect", str(expected))) == {"skipped": 3}


def test_a_program_that_is_asked_no_more_fails_every_case_in_one_line(run: Callable[..., pytest.RunResult]) -> None:
    result = run("--lrp-adapter", "mine:Hanging")
    assert outcomes(result) == {"failed": 3}
    result.stdout.fnmatch_lines([f"{RIGHT} is not asked: it said nothing"])
    assert "Traceback" not in result.stdout.str() and "outcome.py" not in result.stdout.str()


def test_a_failure_names_the_command_as_a_shell_takes_it(run: Callable[..., pytest.RunResult], tmp_path: Path) -> None:
    script = tmp_path / "two words.py"
    source = (ROOT / "docs" / "harness.py").read_text(encoding="utf-8")
    assert "r + (z_i" in source
    script.write_text(source.replace("r + (z_i", "r + 2 * (z_i"))
    result = run("--lrp-adapter", f"exec:{sys.executable} '{script}'", k=WRONG)
    line = next(line for line in result.outlines if line.strip().startswith("lrp-ref conform"))
    assert shlex.split(line)[2:] == [f"exec:{sys.executable} '{script}'", "--case", WRONG]
