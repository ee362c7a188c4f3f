"""A folder with a photograph and a model for every command, and the command line to run there."""


import imageio.v3 as iio
import pytest
from at_hand import MODEL, PIXELS

from lrp_ref import (
    save_model,
)
from lrp_ref.command.cli import main


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
