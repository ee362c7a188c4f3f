"""What users write against the public names passes a strict type checker, and runs."""

import ast
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import lrp_ref
from lrp_ref.layers import LAYERS
from lrp_ref.rules import RULES

USER = Path(__file__).parents[1] / "typing" / "user.py"


def used(tree):
    """The names that are used, not only imported: as `name` or as `lrp_ref.name`."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree)
                    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "lrp_ref"}


def test_user_py_uses_every_public_name():
    """Layers and rules that are not there are in the file that the last test writes."""
    assert set(lrp_ref.__all__) - used(ast.parse(USER.read_text())) - {*LAYERS, *RULES} == set()


KINDS = f"""
from lrp_ref import {", ".join([*LAYERS, *RULES])}
from lrp_ref.layers import Layer
from lrp_ref.rules import Rule
layers: list[type[Layer]] = [{", ".join(LAYERS)}]
rules: list[type[Rule]] = [{", ".join(RULES)}]
"""


def test_user_py_runs():
    runpy.run_path(str(USER), run_name="__main__")


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.parametrize("kinds", [False, True], ids=["user.py", "every layer and rule"])
def test_what_users_write_passes_mypy_strict(kinds, tmp_path):
    """In the user's eyes alone: what is inside the package is for mypy's run over the package."""
    file = tmp_path / "kinds.py" if kinds else USER
    if kinds:
        file.write_text(KINDS)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=",
               f"--cache-dir={tmp_path}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(lrp_ref.__file__).parents[1], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
