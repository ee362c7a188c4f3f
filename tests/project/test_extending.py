"""docs/extending.md is true: whoever follows its steps has a layer and a rule of which all laws hold."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lrp_ref

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
HEADER = re.compile(r"^# ([\w/]+\.py)(?:, (on top|above|in)(?: (\w+))?)?\n", re.MULTILINE)


def steps() -> list[tuple[str, str, str, str]]:
    """(file, how, name, text) of every part of a code block that says where it goes: `# FILE, above NAME`."""
    found = []
    for block in re.findall(r"^```python\n(# \w+/.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        parts = HEADER.split(block)
        found += [(file, how or "", name or "", text) for file, how, name, text in
                  zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4])]
    return found


STEPS = steps()


def follow(step: tuple[str, str, str, str], folder: Path) -> None:
    """What a step says is done in the folder."""
    name, how, where, text = step
    file = folder / name
    if not how:
        assert not file.exists()
        file.write_text(text, encoding="utf-8")
        return
    old = file.read_text(encoding="utf-8")
    pattern = {"on top": r"^(?=from )", "above": rf"^(?={where}\b.* = )",
               "in": rf"^{where}\b.* = [\[{{](?s:.*?)(?=\n?[\]}}]\n)"}[how]
    place = re.search(pattern, old, re.MULTILINE)
    assert place, f"{name} has no place {how} {where}"
    ends = "" if how != "in" else "\n" if old[: place.end()].endswith(",") else ",\n"   # a row comes last
    file.write_text(old[: place.end()] + ends + text + old[place.end() :], encoding="utf-8")


# Every claim of selfcheck, on the new layer with every rule and on the new rule with every layer.
LAWS = """
import sys
import numpy as np
import lrp_ref
from lrp_ref import Difference, Size, assign, receptive_field
from lrp_ref.checks.claims.selfcheck import CLAIMS
from lrp_ref.checks.rounding.bounds import bounds
from lrp_ref.command.rule_names import RULES
from lrp_ref.network import Network

tried = {}
for claim in CLAIMS:
    for case in claim.chosen():
        for name in ("Difference", "Size on"):
            if name in case.what:
                assert case.found().holds, (claim.name, case.what)
                tried[name, claim.name] = tried.get((name, claim.name), 0) + 1
print(tried)
assert tried["Difference", "layers"] == 1
for law in ("rules", "matrix", "ledger", "batches", "linearity", "floats"):
    assert tried["Difference", law] >= 10 and tried["Size on", law] >= 20, (law, tried)
assert tried["Difference", "equal rules"] == 2

network, x = Network([("difference", Difference())]), np.array([[3.0, 5.0, 1.0]])
assert assign(network) == {"difference": lrp_ref.Epsilon(0)} and receptive_field(network, "difference") is None
assert np.isfinite(bounds(network, x).radius).all() and RULES["size"][0] is Size
assert {"Difference", "Size"} <= set(lrp_ref.__all__)

sys.path[:0] = ["docs", "tests/layers"]
import generate
import test_facts
test_facts.test_what_a_layer_states_is_so("Difference")
test_facts.test_the_rule_that_a_layer_has_by_default_takes_it("Difference")
for page in generate.PAGES:
    text = generate.written(page.read_text(encoding="utf-8"))
    assert "| `Difference()` | z_j = a_j+1 - a_j along the last axis. |" in text or page.name != "api.md"
    assert "| Difference | exact |" in text or page.name != "selfcheck.md"
    assert "| `Size()` | R_i = " in text or page.name != "api.md"
"""


def laws_in(folder: Path, steps: list[tuple[str, str, str, str]]) -> subprocess.CompletedProcess[str]:
    """The laws in a copy of the package in which these steps have been followed."""
    shutil.copytree(ROOT / "lrp_ref", folder / "lrp_ref", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.png"))
    shutil.copytree(ROOT / "tests" / "layers", folder / "tests" / "layers")
    for step in steps:
        follow(step, folder)
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", LAWS], capture_output=True, text=True, cwd=folder, env=environment,
                          check=False)


def test_who_follows_the_page_has_a_layer_and_a_rule_that_all_laws_hold(tmp_path: Path) -> None:
    done = laws_in(tmp_path, STEPS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("left_out", range(len(STEPS)), ids=[" ".join(step[:3]).strip() for step in STEPS])
def test_a_step_left_out_is_missed(left_out: int, tmp_path: Path) -> None:
    done = laws_in(tmp_path, STEPS[:left_out] + STEPS[left_out + 1 :])
    assert done.returncode == 1 and "Error" in done.stderr


@pytest.mark.parametrize("wrong", [("a_j+1 - a_j", "x[..., 1:] - x", "x[..., :-1] - x"),
                                   ("adjoint", "out[..., 1:] += s * right", "out[..., 1:] += s * left"),
                                   ("definition", "(*row, j), 1, -1", "(*row, j), 1, 1"),
                                   ("rule", "Term(abs(a), abs, abs(m.bias))", "Term(abs(a), abs)"),
                                   ("fact", "coverages = (1,)", "coverages = (2,)")],
                         ids=lambda wrong: wrong[0])
def test_a_step_done_wrong_fails_a_law(wrong: tuple[str, str, str], tmp_path: Path) -> None:
    _, old, new = wrong
    changed = [(*step[:3], step[3].replace(old, new)) for step in STEPS]
    assert changed != STEPS
    done = laws_in(tmp_path, changed)
    assert done.returncode == 1 and "AssertionError" in done.stderr


def test_a_layer_and_a_rule_touch_four_files_each() -> None:
    layer, rule = PAGE.split("\n## A rule\n")
    for half in (layer, rule):
        numbers = re.findall(r"^\*\*(\d)\.", half, re.MULTILINE)
        assert numbers == ["1", "2", "3", "4"]      # a step is a file
    written = {name for name, *_ in STEPS}
    assert len(written) == 5 and "CHANGELOG.md" in layer and "CHANGELOG.md" in rule and "docs/rules.md" in rule


def test_every_path_that_the_page_names_exists() -> None:
    written = {name for name, how, *_ in STEPS if not how}
    named = set(re.findall(r"`([\w/]+(?:\.py|\.md))`", PAGE)) | {name for name, *_ in STEPS}
    assert len(named) >= 8
    missing = [name for name in named if not (ROOT / name).exists() and not (ROOT / "lrp_ref" / name).exists()]
    assert set(missing) == written and lrp_ref.__file__


def test_what_the_pages_show_of_layers_and_rules_is_what_the_classes_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generate  # type: ignore[import-not-found]

    for page in generate.PAGES:
        text = page.read_text(encoding="utf-8")
        assert "<!-- / -->" in text and generate.written(text) == text, f"{page.name} is stale: make docs"


def test_the_table_of_anything_else_names_what_is_there() -> None:
    table = PAGE.partition("## Anything else")[2]
    rows = [line.split("|")[2:4] for line in table.splitlines() if line.startswith("| a")]
    assert len(rows) > 10
    for opened, said in rows:
        files = re.findall(r"`([\w/]+\.py)`", opened)
        texts = [(ROOT / file).read_text(encoding="utf-8") for file in files]
        inner = re.findall(r"`([\w/]+/)`|`([\w/]+\.py)`", said)
        assert texts and all((ROOT / (folder or file)).exists() for folder, file in inner), opened
        named = [word for word in re.findall(r"`(\w+)`", said) if word[0].isupper()]
        beside = [path.read_text(encoding="utf-8") for file in files for path in (ROOT / file).parent.glob("*.py")]
        assert all(any(re.search(rf"^(class )?{word}\b", text, re.MULTILINE) or f"import {word}" in text
                       or f"{word}," in text for text in (*texts, *beside)) for word in named), (opened, named)
