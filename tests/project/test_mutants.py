"""The mutants are for the code as it is, and their runner reads what it runs. (`make mutants` runs them.)"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

MUTANTS = Path(__file__).parents[1] / "mutants"
sys.path.insert(0, str(MUTANTS))

import run as runner  # noqa: E402
from mutant import Edit, Mutant  # noqa: E402

CODE = Path(__file__).parents[2] / "lrp_ref"
STUB = """
from types import SimpleNamespace
import lrp_ref.rules
CLAIMS = [SimpleNamespace(name=name) for name in ("crash", "full", "bias", "another")]
def selfcheck(claims):
    [claim] = claims
    if claim.name == "full":
        return []
    bias = "same, m.bias" in open(lrp_ref.rules.__file__).read()
    found = {"crash": ["TypeError after z = 2: no"], "bias": ["z = 2", "z = 3"], "another": ["x"]}[claim.name]
    return [SimpleNamespace(name=claim.name, failures=() if bias else tuple(found))]
def facts(outcomes):
    return {"claims": [{"name": one.name, "verdict": "FAILED" if one.failures else "proved",
                        "failures": one.failures} for one in outcomes]}
"""


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in runner.MUTANTS}))
def test_every_mutant_is_for_the_code_as_it_is(file: str) -> None:
    for mutant in runner.MUTANTS:
        if mutant.file == file:
            texts = {edit.file: (CODE / edit.file).read_text(encoding="utf-8") for edit in mutant.edits}
            for edit in mutant.edits:
                texts[edit.file] = edit.applied(texts[edit.file])
            for name, text in texts.items():
                ast.parse(text, name)
            assert mutant.breaks.endswith(".") and "'" in mutant.breaks, mutant.name


def test_mutants_have_names_of_their_own_and_no_two_are_the_same() -> None:
    assert len({mutant.name for mutant in runner.MUTANTS}) == len(runner.MUTANTS)
    assert len({mutant.edits for mutant in runner.MUTANTS}) == len(runner.MUTANTS)


def test_an_old_text_that_is_not_there_exactly_once_is_an_error() -> None:
    for text in ("a + b", "x + y, x + y"):
        with pytest.raises(ValueError, match="needed once"):
            Edit("rules.py", "x + y", "x - y").applied(text)


def test_the_working_tree_keeps_its_code_and_the_copy_has_the_mutant(tmp_path: Path) -> None:
    mutant = runner.chosen(["wsquare_by_size"])[0]
    before = (CODE / mutant.file).read_text(encoding="utf-8")
    runner.copied(mutant.edits, tmp_path)
    assert (CODE / mutant.file).read_text(encoding="utf-8") == before
    assert (tmp_path / "lrp_ref" / mutant.file).read_text(encoding="utf-8") == before.replace(mutant.old, mutant.new)
    runner.same_code(tmp_path)


def test_a_killed_mutant_names_the_test_that_kills_it() -> None:
    outcome = runner.tried(runner.chosen(["heatmap_sum_of_sizes"])[0], runner.by_tests, 300)
    assert outcome.killed == "value" and outcome.by[0].startswith("test_heatmap.py::")


@pytest.mark.parametrize(("new", "killed"), [("return np.sum(relevance, axis=1) / None", "error"),
                                             ("return np.add.reduce(relevance, axis=1)", "")], ids=["crashes", "lives"])
def test_a_mutant_that_only_crashes_is_marked_and_one_that_lives_has_no_killer(
        new: str, killed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CORE", ("heatmap",))
    mutant = Mutant("one", "Nothing: 'no'.", "heatmap.py", "return np.sum(relevance, axis=1)", new)
    outcome = runner.tried(mutant, runner.by_tests, 300)
    assert outcome.killed == killed and bool(outcome.by) == bool(killed)


def test_the_tests_go_on_after_an_error_until_an_assertion_fails(tmp_path: Path) -> None:
    runner.copied((), tmp_path)
    (tmp_path / "tests" / "test_stub.py").write_text("def test_error(): None + 1\n\ndef test_value(): assert 1 == 2\n")
    assert runner.pytest(tmp_path, ["stub"], 300) == ("value", "test_stub.py::test_value")


def test_a_mutant_that_no_longer_applies_is_an_error() -> None:
    stale = Mutant("stale", "Nothing: 'this text was here once'.", "rules.py", "no such text", "another")
    assert runner.tried(stale, runner.by_tests, 300).killed == "does not apply"


def test_the_first_claim_is_named_that_a_case_fails_and_not_one_that_only_raises(tmp_path: Path) -> None:
    mutant = runner.chosen(["epsilon_without_bias"])[0]
    for edits, found in (((), ("", (), "0 of 3 claims")), (mutant.edits, ("claim", ("bias",), "2 of 2 claims"))):
        folder = tmp_path / str(len(edits))
        folder.mkdir()
        runner.copied(edits, folder)
        claims = folder / "lrp_ref" / "checks" / "claims" / "selfcheck.py"
        claims.write_text(STUB, encoding="utf-8")
        assert runner.by_selfcheck(folder, mutant, 300) == found
    raising = STUB.replace('["z = 2", "z = 3"]', '["KeyError: 3"]').replace('["x"]', "()")
    claims.write_text(raising, encoding="utf-8")
    assert runner.by_selfcheck(folder, mutant, 300) == ("error", ("crash",), "2 of 3 claims")


def test_a_selfcheck_without_claims_is_no_success(tmp_path: Path) -> None:
    for text in ("{}", "[]", '{"claims": []}', '{"claims": [{"name": "a", "verdict": "proved"}]}'):
        with pytest.raises(ValueError, match="claims"):
            runner.claims(text)
    runner.copied((), tmp_path)
    selfcheck = tmp_path / "lrp_ref" / "checks" / "claims" / "selfcheck.py"
    selfcheck.write_text("raise SystemExit('no such claims')", "utf-8")
    assert runner.by_selfcheck(tmp_path, runner.MUTANTS[0], 300)[0] == "error"
    with pytest.raises(RuntimeError, match="no such claims"):
        runner.by_selfcheck(tmp_path, None, 300)


@pytest.mark.parametrize(("name", "found"), [
    ("sign_of_zero_is_minus_one", ("value", ("Epsilon(1/4) on Linear, u = 2**-24: sign(0) = -1",))),
    ("dead_is_unsigned", ("", ())),     # the ledger's alone, which lrp_ref.testing does not ask for
])
def test_answers_of_a_mutant_are_held_to_the_code_as_it_is(name: str, found: tuple[str, tuple[str, ...]]) -> None:
    outcome = runner.tried(runner.chosen([name])[0], runner.by_testing, 300)
    assert (outcome.killed, outcome.by) == found
    assert outcome.reason == "no answer differs" if not found[0] else "needed -16" in outcome.reason


def test_a_column_of_the_table_is_written_and_the_others_stay() -> None:
    one, other = (mutant.name for mutant in runner.MUTANTS[:2])
    first = runner.table([runner.Outcome(one, "value", ("test_a.py::test_b[c]",), "", 1.0)], "tests")
    second = runner.table([runner.Outcome(one, "claim", ("a",), "", 1.0),
                           runner.Outcome(other, "", (), "0 of 3 claims", 1.0)], "selfcheck", first)
    rows = {line.split(" | ")[0]: line.split(" | ")[2:] for line in second.splitlines()}
    assert rows[f"| `{one}`"] == ["`test_a: test_b`", "`a`", " |"]
    assert rows[f"| `{other}`"] == ["", "**lives**", " |"] and len(rows) == len(runner.MUTANTS) + 2


def test_an_unknown_name_ends_the_runner() -> None:
    done = subprocess.run([sys.executable, str(MUTANTS / "run.py"), "no_such_mutant"], capture_output=True, text=True)
    assert done.returncode == 1 and "no mutant is named no_such_mutant" in done.stderr
