"""The notebooks in docs/ run, and print what is kept in them."""

import re
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("torch")
pytest.importorskip("sklearn")
FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
sys.path.insert(0, str(FOLDER))

from run import executed, printed  # noqa: E402

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
TRAINED = {"digit.ipynb"}   # trained as it runs: what rounding does to the last digits, training makes large


def words(text):
    """The text with # for every number, of whatever width; but for how long it took."""
    return re.sub(r"[ -]*#", " #", NUMBER.sub("#", re.sub(r"in \d+ s$", "", text, flags=re.MULTILINE)))


def numbers(text):
    return [float(number) for number in NUMBER.findall(re.sub(r"in \d+ s$", "", text, flags=re.MULTILINE))]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.ipynb")))
def test_a_notebook_prints_what_is_kept_in_it(name):
    kept = nbformat.read(FOLDER / name, as_version=4)
    now = executed(FOLDER / name)
    assert [words(text) for text in printed(now)] == [words(text) for text in printed(kept)]
    if name not in TRAINED:
        for text, wanted in zip(printed(now), printed(kept), strict=True):
            # numbers are printed with at least three digits, of which the last may be another's on another processor
            assert numbers(text) == pytest.approx(numbers(wanted), rel=2e-3, abs=2e-3)
    kinds = [[[*output.get("data", {})] for output in cell.outputs] for cell in kept.cells if cell.cell_type == "code"]
    assert kinds == [[[*output.get("data", {})] for output in cell.outputs] for cell in now.cells
                     if cell.cell_type == "code"]
