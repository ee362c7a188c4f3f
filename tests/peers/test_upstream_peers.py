"""The lines that repeat a failure of zennit or captum without this project, run: they give what was recorded."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("zennit")
pytest.importorskip("captum")

FOLDER = Path(__file__).parents[2] / "docs" / "upstream"
TEXTS = [path for path in sorted(FOLDER.glob("*.md")) if path.stem.startswith(("zennit-", "captum-"))]
SHOWN = 1e-11   # of the largest: texts have 12 digits


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_the_lines_give_what_the_text_says_that_comes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], names)
    came = np.array(eval(re.findall(r"\*\*What comes\*\*: `(.*?)`", text)[0]))
    got = names["got"].detach().numpy()
    assert got.shape == came.shape and np.allclose(got, came, rtol=0, atol=SHOWN * abs(came).max())


def test_there_are_such_texts() -> None:
    assert len(TEXTS) >= 6
