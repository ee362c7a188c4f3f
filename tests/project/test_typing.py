"""What users write against the public names passes a strict type checker, and runs."""

import ast
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import lrp_ref

USER = Path(__file__).parents[1] / "typing" / "user.py"


def used(tree):
    """The names that are used, not only imported: as `name` or as `lrp_ref.name`."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree)
                    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "lrp_ref"}


def test_user_py_uses_every_public_name():
    assert set(lrp_ref.__all__) - used(ast.parse(USER.read_text())) == set()


def test_user_py_runs():
    runpy.run_path(str(USER), run_name="__main__")


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_user_py_passes_mypy_strict(tmp_path):
    """In the user's eyes alone: what is inside the package is for mypy's run over the package."""
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=",
               f"--cache-dir={tmp_path}", str(USER)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(lrp_ref.__file__).parents[1], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
