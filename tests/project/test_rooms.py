"""Every file stands in a room, every room has its sentence, and no import runs back or in a circle."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import lrp_ref

ROOT = Path(lrp_ref.__file__).parent
PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
         for path in sorted(ROOT.rglob("*.py"))}
ROWS = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) ?\|$", PAGE, re.MULTILINE)
ROOMS = {room: {one for one in allowed.split(", ") if one} for room, _, allowed in ROWS}
NAMES = [*ROOMS]
CORE = NAMES[: NAMES.index("hints")]
LEAVES = ["files", "hints", "outside", "version", "entry"]
STATIONS = re.findall(r"`(\w+)`", PAGE.partition("each of which may import those before it:")[2].partition(".\n")[0])
FRONT = ("__init__", "__main__")   # of the package: what it exports, and the command line by another name


def reads(name: str) -> set[str]:
    """The files of the package that a file imports, anywhere in it, by their names in FILES."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {one if one.removeprefix("lrp_ref.") in FILES else str(node.module) for one in whole}
    own = {one.partition(".")[2] or "__init__" for one in found if one.partition(".")[0] == "lrp_ref"}
    return {one for one in own if one in FILES or one == "__init__"} - {name}


NAMED = [name for name in FILES if name != "lrp_ref"]


@cache
def all_reads() -> dict[str, set[str]]:
    return {name: reads(name) for name in NAMED}


def room(name: str) -> str:
    return name.partition(".")[0]


def may_import(one: str) -> set[str]:
    """The rooms that a room may import, itself among them; `core` stands for the rooms of the core."""
    allowed = ROOMS[one]
    if "everything" in allowed:
        return set(ROOMS)
    return {one} | (allowed - {"core"}) | (set(CORE) if "core" in allowed else set())


def test_the_table_names_every_room_and_no_other() -> None:
    assert len(ROOMS) == len(ROWS) >= 20
    assert {room(name) for name in FILES} - {"lrp_ref", *FRONT, ""} == set(ROOMS)


def test_the_top_level_is_the_core_and_leaves() -> None:
    top = {path.stem for path in ROOT.glob("*.py")} - set(FRONT)
    assert top == {*CORE, *LEAVES} - {"layers"}


def test_the_table_runs_one_way() -> None:
    for one, allowed in ROOMS.items():
        before = {*NAMES[: NAMES.index(one)], *LEAVES, "core", "everything"}
        assert allowed <= before, one


@pytest.mark.parametrize("name", [name for name in NAMED if name not in FRONT])
def test_a_file_imports_what_its_room_may(name: str) -> None:
    assert {room(one) for one in all_reads()[name]} <= may_import(room(name))


def test_nothing_imports_the_front_or_the_command_line() -> None:
    for name, found in all_reads().items():
        outside = room(name) not in ("command", *FRONT)
        assert not outside or not any(room(one) in ("command", *FRONT) for one in found), name


def test_no_file_reads_itself_by_way_of_others() -> None:
    left = {name: found & all_reads().keys() for name, found in all_reads().items()}
    while left:
        free = {name for name, found in left.items() if not found & left.keys()}
        assert free, f"a circle among {', '.join(left)}"
        left = {name: found for name, found in left.items() if name not in free}


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("conformance.")])
def test_the_stations_of_a_case_are_in_order(name: str) -> None:
    order = {station: n for n, station in enumerate(STATIONS)}
    assert len(order) == 11
    for one in all_reads()[name]:
        if one.startswith("conformance."):
            assert order[one.split(".")[1]] <= order[name.split(".")[1]], one


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("checks.definitions")])
def test_the_definitions_import_each_other_alone(name: str) -> None:
    assert all(one.startswith("checks.definitions") for one in all_reads()[name])


@pytest.mark.parametrize("folder", [path for path in sorted(ROOT.rglob("*")) if (path / "__init__.py").exists()],
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_says_in_its_first_line_what_lives_there(folder: Path) -> None:
    first = (ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or "").split("\n")[0]
    assert first.endswith((".", ":"))


def test_the_idea_names_the_files_of_the_core_in_the_order_of_the_table() -> None:
    page = (PROJECT / "docs" / "the-idea.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \[`(\w+)(?:\.py|/)?`\]", page, re.MULTILINE)
    assert named == CORE


def test_every_room_has_a_folder_of_tests() -> None:
    folders = {path.name for path in (PROJECT / "tests").iterdir() if path.is_dir()}
    assert folders >= {"core", "layers", "fisher", *(set(ROOMS) - set(CORE) - set(LEAVES) - {"checks"}), "oracle"}
