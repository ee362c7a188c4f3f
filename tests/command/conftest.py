"""A folder with a photograph and a model for every command, and the command line to run there."""


import imageio.v3 as iio
import pytest
from at_hand import MODEL, PIXELS

from lrp_ref import (
    save_model,
)
from lrp_ref.command.cli import main
from lrp_ref.paper import figures
from lrp_ref.paper import precision as evaluate


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a photograph, two more of one name, and a model that knows left, right and both."""
    iio.imwrite(tmp_path / "photo.png", PIXELS)
    for name, picture in (("one", PIXELS[:, ::-1]), ("two", PIXELS[::-1])):
        (tmp_path / name).mkdir()
        iio.imwrite(tmp_path / name / "same.png", picture)
    save_model(MODEL, tmp_path / "model.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """lrp-ref's exit code, stdout and stderr."""
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())
    return run


@pytest.fixture
def done(run):
    """stdout of a command that must succeed and keep stderr silent."""
    def done(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out
    return done


@pytest.fixture
def rows(monkeypatch):
    """The rows of every figure that is drawn."""
    seen, draw = [], figures.figure
    monkeypatch.setattr(figures, "figure", lambda *given: seen.append(given[1]) or draw(*given))
    return seen


@pytest.fixture
def voc(folder):
    """A folder in VOC's layout: on one photograph something is left; on another, difficult, something is right."""
    for part in ("JPEGImages", "ImageSets/Main", "Annotations"):
        (folder / "voc" / part).mkdir(parents=True)
    sets = {"test.txt": "1\n2\n", "left_test.txt": "1 1\n2 -1\n", "right_test.txt": "1 -1\n2 0\n",
            "val.txt": "2\n", "sofa_val.txt": "2 -1\n"}
    for name, text in sets.items():
        (folder / "voc" / "ImageSets" / "Main" / name).write_text(text)
    for name, what, difficult in (("1", "left", 0), ("2", "right", 1)):
        iio.imwrite(folder / "voc" / "JPEGImages" / f"{name}.jpg", PIXELS)
        (folder / "voc" / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><size><width>30</width><height>21</height></size><object><name>{what}</name><difficult>"
            f"{difficult}</difficult><bndbox><xmin>1</xmin><ymin>3</ymin><xmax>12</xmax><ymax>20</ymax></bndbox>"
            "</object></annotation>")
    return folder / "voc"


@pytest.fixture
def quick(monkeypatch):
    """Fewer scenes for the histogram baseline to learn from."""
    monkeypatch.setattr(evaluate, "OTHERS", 5)
