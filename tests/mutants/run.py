"""Which test kills each mutant: python tests/mutants/run.py [NAME ...] [--with HOW] [--json FILE] [--page FILE]

Every mutant is applied to a copy of the code, in a temporary folder, where the tests of the core run until an assertion
fails: a killed mutant. One that lives shows a gap in the tests. Where tests end in other errors and no assertion fails
(the mutant may only crash, or change a shape), the kill is marked "error".

--with selfcheck goes through the claims of `lrp-ref selfcheck` in the copies instead, up to the first that FAILED;
--with testing holds what the copies answer on small networks to the code as it is, by lrp_ref.testing's assertions.
--page writes what came of it into a column of the page's table.
Exit code 1: a mutant lives, or no longer applies, or the tests fail on the code as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import log2
from pathlib import Path
from typing import Any

import first_assertion
import the_fisher_pipeline
import the_graphs
import the_layers
import the_readings
import the_rules
import the_seams
import the_shortcuts
import the_step
from mutant import Edit, Mutant

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
MUTANTS = [*the_step.MUTANTS, *the_rules.MUTANTS, *the_layers.MUTANTS, *the_fisher_pipeline.MUTANTS,
           *the_seams.MUTANTS, *the_graphs.MUTANTS, *the_readings.MUTANTS,
           *the_shortcuts.MUTANTS]
COPIED = ("lrp_ref", "data_fixtures", "tests", "setup.cfg", "pyproject.toml")

# The core: what runs in seconds and looks at numbers. The law over all layers comes last, as it takes longest.
CORE = ("rules", "relevance", "graphs", "seen", "starts", "concepts", "weights", "attention", "transformer",
        "merging", "ledger", "cutoff", "assignment", "arrays", "linear_map", "window",
        "linear", "conv", "conv_transpose", "pool", "elementwise", "activation", "shape", "normalize", "norms",
        "pmeans", "svm", "regions", "fisher", "fisher_map",
        "fisher_pipeline", "sift", "network", "heatmap", "colours", "of_which", "localise", "voc", "evaluate",
        "toolbox_small", "caffenet", "rule_names", "definitions", "definitions_of_rules", "definitions_in_all",
        "against_definitions", "laws")
SLOW = "paper/test_evaluate.py::test_the_bundled_models_reach_the_committed_numbers",

# The tests that look at a file, likely killers first.
LIKELY = {
    "hints.py": ("given",),
    "arrays.py": ("arrays", "rules", "relevance"),
    "linear_map.py": ("linear_map", "rules", "relevance"),
    "relevance.py": ("relevance", "graphs", "starts", "concepts", "rules", "ledger"),
    "step.py": ("rules", "relevance", "ledger"),
    "ledger.py": ("ledger", "starts"),
    "rules.py": ("rules", "against_definitions"),
    "seen.py": ("seen",),
    "starts.py": ("starts", "relevance"),
    "concepts.py": ("concepts",),
    "weights.py": ("weights",),
    "assignment.py": ("assignment", "cutoff", "seen"),
    "network.py": ("network", "graphs", "conv", "normalize"),
    "layers/merge.py": ("graphs", "seen"),
    "layers/attention.py": ("attention", "seen"),
    "layers/layer_norm.py": ("attention", "seen"),
    "checks/rounding/bounds.py": ("graphs",),
    "heatmap.py": ("heatmap",),
    "pictures/colours.py": ("colours",),
    "paper/precision.py": ("evaluate",),
    "paper/voc.py": ("voc",),
    "paper/measures.py": ("localise",),
    "command/of_which.py": ("of_which",),
    "layers/base.py": ("network", "linear", "conv"),
    "layers/linear.py": ("linear", "linear_map", "weights"),
    "layers/window.py": ("window", "conv", "pool"),
    "layers/conv.py": ("conv", "weights", "against_definitions"),
    "layers/pool.py": ("pool", "against_definitions"),
    "layers/elementwise.py": ("elementwise", "against_definitions"),
    "layers/activation.py": ("activation", "elementwise", "seen"),
    "layers/gated.py": ("activation", "seen"),
    "layers/shape.py": ("shape",),
    "layers/reduce.py": ("shape",),
    "layers/conv_transpose.py": ("conv_transpose",),
    "merging.py": ("merging",),
    "layers/normalize.py": ("normalize", "seen", "against_definitions"),
    "layers/fisher/norms.py": ("norms",),
    "layers/fisher/pmeans.py": ("pmeans",),
    "layers/fisher/svm.py": ("svm",),
    "layers/fisher/sift.py": ("sift",),
    "layers/fisher/regions.py": ("regions", "fisher_map"),
    "layers/fisher/vector.py": ("fisher", "fisher_pipeline"),
    "layers/fisher/vector_map.py": ("fisher_map", "fisher"),
}

HEADING = "## Mutants and what kills them"
COLUMNS = {"tests": "killed by", "selfcheck": "claim that fails", "testing": "refused by `lrp_ref.testing`"}

# The claims one by one, as `lrp-ref selfcheck --json` prints them, until a case of one fails: not one that only raises.
# Those that take longest come last.
LONG = ("rules", "matrix", "ledger", "batches", "linearity", "floats", "LeNet ledger", "LeNet identities", "gates")
RAISED = r"\w*(?:Error|Exception)(?: after .*)?: "
CLAIMS = f"""
import json, re
from lrp_ref.checks.claims.selfcheck import CLAIMS, facts, selfcheck
outcomes = []
for claim in sorted(CLAIMS, key=lambda claim: claim.name in {LONG!r}):
    outcomes += selfcheck(claims=[claim])
    if any(not re.match({RAISED!r}, failure) for failure in outcomes[-1].failures):
        break
print(json.dumps(facts(outcomes)))
"""

# What the plugin prints, and pytest's own summary.
FAILURES = {
    "value": re.compile(rf"^{re.escape(first_assertion.MARK)} (?:tests/(?:\w+/)?)?(?P<test>.*)$", re.MULTILINE),
    "error": re.compile(r"^(?:FAILED|ERROR) (?:tests/(?:\w+/)?)?(?P<test>.*?)(?: - .*)?$", re.MULTILINE),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    killed  by a failed assertion ("value"), by nothing else than errors ("error"), by "time"; by a claim ("claim");
            or not at all ("")
    by      the tests, or the claims, that say so
    """

    name: str
    killed: str
    by: tuple[str, ...]
    reason: str
    seconds: float


def copied(edits: Sequence[Edit], to: Path) -> None:
    """The project's code in a folder of its own, with the edits applied."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, to / name)
    # An installed lrp_ref finds its fixtures elsewhere; here they lie where the package is.
    shutil.copytree(ROOT / "data_fixtures", to / "lrp_ref" / "data_fixtures", dirs_exist_ok=True)
    for edit in edits:
        path = to / "lrp_ref" / edit.file
        path.write_text(edit.applied(path.read_text(encoding="utf-8")), encoding="utf-8")


def run(command: Sequence[str], folder: Path, seconds: float) -> tuple[int | None, str, str]:
    """Exit code, output and errors of Python in the copy; None where it takes too long."""
    single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    environment = {**os.environ, **single, "PYTHONDONTWRITEBYTECODE": "1",
                   "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "tests" / "mutants")])}
    try:
        done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return None, "", ""
    return done.returncode, done.stdout, done.stderr


def pytest(folder: Path, files: Sequence[str], seconds: float) -> tuple[str, str]:
    """How these tests kill ("value", "error", "time" or not at all) and which of them, the first assertion if any."""
    code, output, errors = run(["-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "first_assertion",
                                "--continue-on-collection-errors", *(f"--deselect=tests/{slow}" for slow in SLOW),
                                *(str(where(folder, file)) for file in files)], folder, seconds)
    if code is None:
        return "time", f"one of {', '.join(files)}"
    if code == 0:
        return "", ""
    found = {how: pattern.search(output) for how, pattern in FAILURES.items()}
    for how, match in found.items():
        if match:
            return how, match["test"]
    raise RuntimeError(f"pytest ended with {code}:\n{output[-2000:]}{errors[-2000:]}")


def where(folder: Path, file: str) -> Path:
    """The path of test_<file>.py, in whatever room of the tests it stands."""
    found = [*(folder / "tests").rglob(f"test_{file}.py")]
    if len(found) != 1:
        raise RuntimeError(f"{folder}/tests has {len(found)} files test_{file}.py, needed one")
    return found[0].relative_to(folder)


def by_tests(folder: Path, mutant: Mutant | None, seconds: float) -> tuple[str, tuple[str, ...], str]:
    """How the mutant in that folder dies, by which test: first of those that look at its file, then of all."""
    likely = list(dict.fromkeys([*mutant.first, *LIKELY[mutant.file]])) if mutant else []
    first = ""
    for files in filter(None, (likely, [file for file in CORE if file not in likely])):
        killed, test = pytest(folder, files, seconds)
        if killed == "error":
            first = first or test
        elif killed:
            return killed, (test,), ""
    return ("error", (first,), "no assertion fails") if first else ("", (), "")


def by_selfcheck(folder: Path, mutant: Mutant | None, seconds: float) -> tuple[str, tuple[str, ...], str]:
    """The first claim of `lrp-ref selfcheck` that FAILED in that folder by a wrong case; by errors, where none did."""
    code, output, errors = run(["-c", CLAIMS], folder, seconds)
    if code is None:
        return "time", ("selfcheck",), f"more than {seconds:g} s"
    try:
        listed = claims(output)
    except ValueError as error:
        last = errors.strip().splitlines()[-1:] or ["no output"]
        if mutant is None:
            raise RuntimeError(f"selfcheck ended with {code} and no claims ({error}): {last[0]}") from None
        return "error", ("selfcheck",), f"ended with {code}: {last[0]}"
    failed = [one for one in listed if one["verdict"] == "FAILED"]
    wrong = [one["name"] for one in failed if not all(re.match(RAISED, failure) for failure in one["failures"])]
    names = wrong or [one["name"] for one in failed[:1]]
    return "claim" if wrong else "error" if failed else "", tuple(names), f"{len(failed)} of {len(listed)} claims"


def claims(output: str) -> list[dict[str, Any]]:
    """Every claim in selfcheck's JSON: its name, verdict and failures."""
    facts = json.loads(output)
    listed = facts.get("claims") if isinstance(facts, dict) else None
    if not listed or not all({"name", "verdict", "failures"} <= set(one) for one in listed):
        raise ValueError('needed {"claims": [{"name": .., "verdict": .., "failures": [..]}, ..]}')
    return listed


def by_testing(folder: Path, mutant: Mutant | None, seconds: float) -> tuple[str, tuple[str, ...], str]:
    """Which answer of the code in that folder is refused by lrp_ref.testing, as it is here, and with what hint."""
    import answers  # and with it lrp_ref, which nothing else here needs

    file = folder / "answers"
    code, _, errors = run([answers.__file__, str(file)], folder, seconds)
    if code != 0:
        last = errors.strip().splitlines()[-1:] or ["no output"]
        return "error" if code else "time", (last[0],), "no answers"
    facts = answers.judged(pickle.loads(file.read_bytes()), every=mutant is None)
    if facts["refused"]:
        case, u, message = facts["refused"]
        hint = message.partition("it looks as if ")[2]
        return "value", (f"{case}, u = 2**{round(log2(u))}" + (f": {hint}" if hint else ""),), message
    changed = facts["differ"] - facts["errors"]
    if facts["errors"] and not changed:
        return "error", (f"{facts['errors']} errors",), "answers with errors alone"
    return "", (), f"{changed} answers differ, and pass" if changed else "no answer differs"


def tried(mutant: Mutant | None, how: Callable[..., tuple[str, tuple[str, ...], str]], seconds: float) -> Outcome:
    """The mutant in a copy of its own; without one, the code as it is."""
    began, name = time.monotonic(), mutant.name if mutant else "(the code as it is)"
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        try:
            copied(mutant.edits if mutant else (), Path(folder))
        except ValueError as error:
            return Outcome(name, "does not apply", (), str(error), 0.0)
        killed, by, reason = how(Path(folder), mutant, seconds)
    return Outcome(name, killed, by, reason, round(time.monotonic() - began, 1))


def same_code(folder: Path) -> None:
    """An error unless the copy's tests see the copy's code."""
    code, output, errors = run(["-c", "import lrp_ref; print(lrp_ref.__file__)"], folder, 60)
    if code != 0 or not Path(output.strip()).is_relative_to(folder.resolve()):
        raise RuntimeError(f"the copy in {folder} imports {output.strip() or errors}")


def chosen(names: Sequence[str]) -> list[Mutant]:
    """All mutants, or those named."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no mutant is named {', '.join(unknown)}")
    return [known[name] for name in names] if names else MUTANTS


def line(outcome: Outcome) -> str:
    width = max(len(mutant.name) for mutant in MUTANTS)
    verdict = {"": "LIVES", "value": "killed"}.get(outcome.killed, outcome.killed)
    return f"{outcome.name:{width}}  {verdict:7} {outcome.seconds:5.1f} s  {'; '.join(outcome.by) or outcome.reason}"


def table(outcomes: Sequence[Outcome], how: str, page: str = "") -> str:
    """Name, what it breaks, what kills it, one way or another: a line for each. What the page says besides stays."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in page.splitlines()]
    heads = next((row for row in rows if row[:1] == ["mutant"]), [])
    known = {row[0]: dict(zip(heads, row)) for row in rows if len(row) == len(heads)}
    for outcome in outcomes:
        known.setdefault(f"`{outcome.name}`", {})[COLUMNS[how]] = killer(outcome)
    heads = ["mutant", "what it breaks", *COLUMNS.values()]
    cells = [[f"`{m.name}`", escaped(m.breaks), *(known.get(f"`{m.name}`", {}).get(column, "") for column in heads[2:])]
             for m in MUTANTS]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *cells])


def killer(outcome: Outcome) -> str:
    """The test, the claims, the answer; and by what, where it is no wrong number. Or that it lives."""
    if not outcome.killed:
        return "**lives**" if not outcome.reason.endswith("differs") else "-"
    by = ", ".join(f"`{shortened(one)}`" for one in outcome.by)
    return by.replace("|", "\\|") if outcome.killed in ("value", "claim") else f"{by} ({outcome.killed})"


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def shortened(test: str) -> str:
    """A test without its parameters."""
    return test.split("[")[0].replace(".py::", ": ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--with", dest="how", choices=COLUMNS, default="tests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="what became of every mutant")
    parser.add_argument("--page", type=Path, metavar="FILE", help=f"a column of the table below {HEADING!r}")
    parser.add_argument("--seconds", type=float, default=300, help="a run that takes longer kills the mutant")
    options = parser.parse_args()
    how = {"tests": by_tests, "selfcheck": by_selfcheck, "testing": by_testing}[options.how]
    began, mutants = time.monotonic(), chosen(options.names)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copied((), Path(folder))
        same_code(Path(folder))
    outcomes = []
    with ThreadPoolExecutor(options.jobs) as pool:
        healthy = pool.submit(tried, None, how, options.seconds)
        for outcome in pool.map(lambda mutant: tried(mutant, how, options.seconds), mutants):
            outcomes.append(outcome)
            print(line(outcome), flush=True)
    if healthy.result().killed:
        print(f"without a mutant: {line(healthy.result())}: nothing above means anything")
        return 1
    lives, stale = ([o for o in outcomes if o.killed == verdict] for verdict in ("", "does not apply"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(outcomes)} mutants, {len(outcomes) - len(lives) - len(stale)} killed, {len(lives)} live"
          f"{f', {len(stale)} do not apply' if stale else ''}; "
          f"{sum(o.killed == 'error' for o in outcomes)} killed by errors alone; {time.monotonic() - began:.0f} s, "
          f"{used.ru_utime + used.ru_stime:.0f} s of processor time")
    for outcome in lives:
        print(f"  {outcome.name} ({outcome.reason}): {next(m.breaks for m in mutants if m.name == outcome.name)}")
    if options.json:
        facts = [{**asdict(o), "breaks": m.breaks, "file": m.file} for o, m in zip(outcomes, mutants)]
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if options.page:
        above, _, below = options.page.read_text(encoding="utf-8").partition(HEADING)
        options.page.write_text(f"{above}{HEADING}\n\n{table(outcomes, options.how, below)}\n", encoding="utf-8")
    return 1 if lives or stale else 0


if __name__ == "__main__":
    sys.exit(main())
