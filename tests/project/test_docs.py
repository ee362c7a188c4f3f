"""The documentation is true: its examples run, its commands print what the page shows, its links lead somewhere."""

import doctest
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from helpers import SELFCHECK, looked_at

import lrp_ref
from lrp_ref.checks.claims import selfcheck
from lrp_ref.checks.claims.claim import Case, Claim
from lrp_ref.checks.claims.selfcheck import CLAIMS
from lrp_ref.command.cli import main
from lrp_ref.convert import from_onnx, from_sklearn, from_torch
from lrp_ref.convert.torch_table import TORCH

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COURSE = DOCS / "course"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")),
         *sorted(COURSE.glob("*.md"))]
COMMAND_LINE = DOCS / "command-line.md"
FIXTURES = ROOT / "data_fixtures"

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


# ---- What a page prints against what runs print ----


LONG_DECIMAL = re.compile(r"(-?\d+\.\d{3,})")


def agree(want: str, got: str) -> bool:
    """Equal, where `...` is any text and the last digit of decimals with three or more places may be one up or down.

    The bundled model computes in float32, whose sums another processor rounds otherwise in their seventh digit;
    where the printed digits are cut, that can turn the last one. All else is compared letter by letter.
    """
    pieces = LONG_DECIMAL.split(want)   # text, decimal, text, ..
    patterns = [rf"(-?\d+\.\d{{{places(piece)}}})" if n % 2 else re.escape(piece).replace(r"\.\.\.", ".*?")
                for n, piece in enumerate(pieces)]
    match = re.fullmatch("".join(patterns), got, re.DOTALL)
    return match is not None and all(abs(whole(w) - whole(g)) <= 1 for w, g in zip(pieces[1::2], match.groups()))


def places(decimal: str) -> int:
    return len(decimal.partition(".")[2])


def whole(decimal: str) -> int:
    """The digits without the point: decimals of as many places compare as integers."""
    return int(decimal.replace(".", ""))


class Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, got, optionflags) or agree(want, got)


@pytest.mark.parametrize(("want", "got", "same"), [
    ("10.738% of 4", "10.739% of 4", True), ("10.738%", "10.740%", False), ("0.5", "0.4", False),
    ("-0.001", "0.000", True), ("1.000", "1.0001", False), ("5/12", "6/12", False), ("1.250 a", "1.250 b", False),
    ("a ... 1.250", "a b\nc 1.249", True), ("a ... 1.250", "a 1.200", False),
])
def test_only_the_last_digit_of_a_long_decimal_may_differ_by_one(want: str, got: str, same: bool) -> None:
    assert agree(want, got) is same


# ---- Examples and commands ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of: the bundled scene, and a model of one's own."""
    shutil.copy(FIXTURES / "scenes" / "scene.png", tmp_path / "scene.png")
    shutil.copy(FIXTURES / "imagenet" / "chelsea.jpg", tmp_path / "chelsea.jpg")
    shutil.copy(FIXTURES / "cnn.npz", tmp_path / "model.npz")
    shutil.copy(FIXTURES / "fv.npz", tmp_path / "fv.npz")
    for name in ("mine.py", "solution.py"):   # what the course is about
        shutil.copy(COURSE / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(text: str, language: str) -> Iterator[tuple[int, str]]:
    """The line number and the text of every ```language block."""
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start(1)), match.group(1)


def write_modules(page: Path, folder: Path) -> None:
    """The files of a page: every ```python block whose first line is `# name.py`; and its harness."""
    for _, block in blocks(page.read_text(encoding="utf-8"), "python"):
        if match := re.match(r"# (\w+\.py)\n", block):
            (folder / match.group(1)).write_text(block, encoding="utf-8")
    shutil.copy(DOCS / "harness.py", folder / "harness.py")


def run_examples(path: Path) -> dict[str, Any]:
    """Every >>> of a page in one session; the names it leaves behind."""
    text = re.sub(r"^```.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)   # a fence ends an output
    test = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    runner, written = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS), StringIO()
    with np.printoptions():   # a page's settings end with it
        failures = runner.run(test, out=written.write, clear_globs=False).failed
    assert not failures, written.getvalue()
    return test.globs


WITH_TORCH = DOCS / "from-torch.md"


@pytest.mark.parametrize("page", [path for path in PAGES if path != WITH_TORCH], ids=lambda path: path.stem)
def test_the_examples_of_a_page_print_what_it_shows(page: Path, folder: Path) -> None:
    run_examples(page)


def test_the_examples_with_torch_print_what_their_page_shows() -> None:
    pytest.importorskip("torch")
    run_examples(WITH_TORCH)


def test_the_page_on_torch_names_all_that_is_taken() -> None:
    text = WITH_TORCH.read_text(encoding="utf-8")
    vague = {"getattr", "getitem", "Softmax2d", "LogSoftmax", "softmax", "log_softmax"}   # .mT, slices, refused
    assert [name for name in TORCH if f"`{name}`" not in text and "dropout" not in name and name not in vague] == []


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Every `$ lrp-ref ...` of a page's console blocks and the output under it."""
    for _, block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            if line.split()[0] == "lrp-ref":
                yield line, output


@pytest.mark.parametrize("page", [pytest.param(path, id=path.stem, marks=SELFCHECK if path == COMMAND_LINE else ())
                                  for path in PAGES])
def test_the_commands_of_a_page_print_what_it_shows(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "CLAIMS", [replace(claim, cases=partial(cases_of, claim)) for claim in CLAIMS])
    write_modules(page, folder)
    for line, want in commands(page.read_text(encoding="utf-8")):
        written = StringIO()
        with redirect_stdout(written), redirect_stderr(written), suppress(SystemExit):   # --version exits
            main(shlex.split(line, comments=True)[1:])
        got = written.getvalue()
        assert Checker().check_output(want, got, doctest.ELLIPSIS), f"$ {line}\nwanted\n{want}\ngot\n{got}"


def cases_of(claim: Claim) -> Iterator[Case]:
    """A claim's cases with what other tests have found them to be, and those for --full."""
    yield from looked_at(claim)
    yield from (case for case in claim.cases() if case.full)


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    return capsys.readouterr().out


COMMANDS = ["compare", "conform", "demo", "evaluate", "explain", "explore", "faithful", "figure", "layers", "models",
            "report", "sanity", "selfcheck", "train-fv", "vectors"]


def test_the_page_on_models_shows_the_numbers_that_are_kept_with_the_model() -> None:
    (_, table), = blocks((DOCS / "models.md").read_text(encoding="utf-8"), "text")
    assert f"```\n{table}```" in (FIXTURES / "README.md").read_text(encoding="utf-8")


def test_the_command_line_page_shows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(re.findall(r"^    ([\w-]+)(?:  |$)", help_of("", capsys), re.MULTILINE)) == COMMANDS
    lines = [line.split()[1] for line, _ in commands(COMMAND_LINE.read_text(encoding="utf-8"))]
    assert [command for command in COMMANDS if command not in lines] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_page_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = COMMAND_LINE.read_text(encoding="utf-8")
    options = set(re.findall(r"^  (--\w+)", help_of(command, capsys), re.MULTILINE))
    assert options and [option for option in sorted(options) if f"`{option}" not in text] == []


# ---- Links, names, pictures ----


def anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub's links spell them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@page
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), target
            assert not heading or heading in anchors(file), target


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DOCS.glob("*.md") if f"(docs/{path.name})" not in text] == []


@page
def test_every_test_a_page_names_exists(page: Path) -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if f"def {name}(" not in tests] == []


def signature(thing: Any) -> str:
    """(weight, bias=None): a signature without its types, and without `watch`, whose default does not read."""
    parameters = [p for p in inspect.signature(thing).parameters.values() if p.name != "watch"]
    return str(inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters]))


def test_every_public_name_stands_on_the_page_of_the_public_surface_with_its_signature() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    written = {name: name + signature(getattr(lrp_ref, name)) if callable(getattr(lrp_ref, name)) else name
               for name in lrp_ref.__all__}
    written["from_torch"] = "lrp_ref.convert.from_torch" + signature(from_torch)
    written["from_sklearn"] = "lrp_ref.convert.from_sklearn" + signature(from_sklearn)
    written["from_onnx"] = "lrp_ref.convert.from_onnx" + signature(from_onnx)
    assert {name: shown for name, shown in written.items() if f"`{shown}`" not in text} == {}


def data_areas_differ_by(path: Path, drawn: Any) -> float:
    """How far a picture's panels are from those of the same figure drawn here: the mean of 255, of the worst panel."""
    kept = iio.imread(path)
    boxes = [box for row in drawn.panels for box in row]
    return max(float(np.abs(box.of(kept).astype(float) - box.of(drawn.pixels)).mean()) for box in boxes)


# Another processor's float32 turns colours by a level here and there; a heatmap of another rule, cut-off or
# class differs from these by 9 levels or more.
STALE = 1.0


def test_figure_1_is_the_demos(tmp_path: Path) -> None:
    """Its file is a JPEG, so that what is drawn here becomes one too."""
    from lrp_ref import load_model
    from lrp_ref.paper.photographs import photographs_figure
    from lrp_ref.pictures.picture import save_image

    drawn = photographs_figure(load_model("imagenet"))
    save_image(tmp_path / "drawn.jpg", drawn.pixels)
    assert data_areas_differ_by(DOCS / "figure1.jpg", replace(drawn, pixels=iio.imread(tmp_path / "drawn.jpg"))) < STALE


def test_the_figure_of_the_scene_is_the_demos() -> None:
    from lrp_ref import load_model
    from lrp_ref.assignment import paper_rules
    from lrp_ref.paper.figures import Subject, paper_figure

    scene = {"scene.png": iio.imread(FIXTURES / "scenes" / "scene.png") / 255}
    models = {name: load_model(name) for name in ("cnn", "fv")}
    drawn = paper_figure({name: Subject(model, paper_rules, model.class_index("cat"))
                          for name, model in models.items()}, scene)
    assert data_areas_differ_by(DOCS / "figure1_scene.png", drawn) < STALE


def test_the_picture_of_the_cut_offs_is_the_one_that_its_page_draws(folder: Path) -> None:
    assert data_areas_differ_by(DOCS / "cutoff.png", run_examples(DOCS / "cutoff.md")["drawn"]) < STALE


# ---- CITATION.cff ----


def test_the_citation_names_this_version_and_the_paper() -> None:
    """Not a YAML reader: the lines that the file's format, version 1.2.0, requires."""
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r' *(- )?([a-z-]+:( \S.*)?|".*")', line) for line in lines if line)
    top = {key: value.strip('"') for key, _, value in (line.partition(": ") for line in lines) if " " not in key}
    assert top["cff-version"] == "1.2.0" and top["message"] and top["license"] == "BSD-3-Clause"
    assert top["version"] == lrp_ref.__version__
    assert top["title"].startswith("lrp_ref") and '  - name: "The lrp_ref developers"' in lines
    references = lines[lines.index("references:"):]
    names = re.findall(r"family-names: (\S+)", "\n".join(references))
    assert names == ["Bach", "Binder", "Müller", "Samek"]
    assert any("decomposition depth" in line for line in references)
