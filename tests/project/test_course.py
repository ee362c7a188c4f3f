"""The course: its files are what its scripts make, its solutions pass, and every mistake is named in its words."""

import ast
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent, indent

import pytest
import wrong_fillings
from wrong_fillings import FILLINGS  # which puts the course's folder on the path

from lrp_ref.command.cli import main

COURSE = Path(__file__).parents[2] / "docs" / "course"
LESSONS = sorted(COURSE.glob("[0-9]-*.md"))
sys.path.append(str(COURSE))

from grade import EXERCISES, graded  # noqa: E402
from make import files  # noqa: E402


def printed(adapter: str, words: str) -> tuple[int, str]:
    """How `lrp-ref conform` ends, and what it prints with its lines joined."""
    written = StringIO()
    with redirect_stdout(written), redirect_stderr(written):
        ended = main(["conform", adapter, *words.split()])
    return ended, written.getvalue()


def test_figures_and_the_file_to_fill_in_are_what_their_script_makes() -> None:
    made = files()
    assert {name for name in made if (COURSE / name).read_text(encoding="utf-8") != made[name]} == set()
    assert {f"figures/{path.name}" for path in (COURSE / "figures").iterdir()} == made.keys() - {"mine.py"}


def test_the_file_to_fill_in_has_a_method_for_every_exercise_and_no_answer() -> None:
    (mine,) = [node for node in ast.parse((COURSE / "mine.py").read_text(encoding="utf-8")).body
               if isinstance(node, ast.ClassDef) and node.name == "Mine"]
    asked = {}
    for method in mine.body:
        said = isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
        if found := re.match(r"Exercise (\d)\.", said or ""):
            assert ast.unparse(method.body[1:]) == f"raise Unsupported('exercise {found[1]}')"   # type: ignore[arg-type]
            asked.setdefault(int(found[1]), set()).add(method.name)
    table = (COURSE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| .*? \| \d+ \| (.*?) \| `lrp-ref conform mine:Mine (.*?)` \|$", table, re.MULTILINE)
    assert {int(n): set(re.findall(r"`(\w+)`", names)) for n, names, _ in rows} == asked
    assert {int(n): words for n, _, words in rows} == EXERCISES


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_passes(exercise: int) -> None:
    ended, text = printed("solution:Mine", EXERCISES[exercise])
    assert ended == 0 and ", 0 unsupported, 0 failed, of " in text, text


def test_the_solution_passes_whole_networks() -> None:
    ended, text = printed("solution:Mine", "--rule cutoff --level required")
    assert ended == 0 and "51 passed, 0 loose, 0 undetermined, 0 unsupported, 0 failed" in text, text


@pytest.mark.parametrize(("filling", "words", "said"), FILLINGS, ids=[one.__name__ for one, *_ in FILLINGS])
def test_a_mistake_is_named_in_the_first_sentences(filling: type, words: str, said: list[str]) -> None:
    ended, text = printed(f"{wrong_fillings.__name__}:{filling.__name__}", words)
    sentences = " ".join(text.split("\n\n")[1].split())
    assert ended == 1 and [one for one in said if one not in sentences] == [], sentences


def methods(text: str) -> dict[str, str]:
    """{name: its statements as Python writes them, without the docstring}"""
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    return {one.name: "\n".join(ast.unparse(line) for line in one.body if not is_docstring(line)) for one in found}


def is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def test_the_solutions_behind_the_folds_are_the_tested_ones() -> None:
    whole, shown = methods((COURSE / "solution.py").read_text(encoding="utf-8")), {}
    for lesson in LESSONS:
        (fold,) = re.findall(r"<details><summary>A solution</summary>\n\n```\n(.*?)\n```\n.*?</details>",
                             lesson.read_text(encoding="utf-8"), re.DOTALL)
        shown |= methods(f"class Mine:\n{indent(dedent(fold), '    ')}")
    assert [name for name in shown if shown[name] != whole[name]] == []
    table = (COURSE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d \|.*$", table, re.MULTILINE)
    assert shown.keys() == {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_lessons_lead_on_and_ask_by_the_commands_of_the_table() -> None:
    assert [int(path.name[0]) for path in LESSONS] == list(EXERCISES)
    first = (COURSE / "README.md").read_text(encoding="utf-8")
    for n, lesson in enumerate(LESSONS, 1):
        text = lesson.read_text(encoding="utf-8")
        assert f"]({lesson.name})" in first and f"lrp-ref conform mine:Mine {EXERCISES[n]}\n" in text
        assert n == len(LESSONS) or f"]({LESSONS[n].name})" in text.split("\n## ")[0]


def test_every_figure_is_shown_with_words_for_who_does_not_see_it() -> None:
    shown = [one for lesson in LESSONS
             for one in re.findall(r"!\[(.*?)\]\((.*?)\)", lesson.read_text(encoding="utf-8"), re.DOTALL)]
    assert all(len(words) > 20 for words, _ in shown)
    assert {f"figures/{path.name}" for path in (COURSE / "figures").iterdir()} <= {path for _, path in shown}
    assert [path.name for path in (COURSE / "figures").iterdir()
            if not re.search(r"<title>\S.{30,}</title>", path.read_text(encoding="utf-8"))] == []


def test_a_class_is_graded_by_what_the_command_prints_as_json(tmp_path: Path) -> None:
    shutil.copy(COURSE / "solution.py", tmp_path / "anna.py")
    shutil.copy(COURSE / "mine.py", tmp_path / "jan.py")
    text = (COURSE / "solution.py").read_text(encoding="utf-8")
    forgot = text.replace("z = z_ij.sum(0) + m.b\n        sign", "z = z_ij.sum(0)\n        sign")
    (tmp_path / "kim.py").write_text(forgot, encoding="utf-8")
    (tmp_path / "leo.py").write_text("class Mine", encoding="utf-8")
    of: Callable[[str, int], object] = lambda name, exercise: graded(tmp_path / f"{name}.py", exercise)   # noqa: E731
    assert of("anna", 2) == (51, 51, "")
    assert of("jan", 1) == (3, 19, "unsupported: exercise 1")
    assert of("kim", 2) == (35, 51, "bias in epsilon: left out of the denominator")
    right, cases, said = graded(tmp_path / "leo.py", 1)
    assert (right, cases) == (0, 0) and "leo cannot be imported" in said
