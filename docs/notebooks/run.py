"""Run the notebooks of this folder and keep what they print: `make notebooks`. A test holds them to what is kept.

    python docs/notebooks/run.py [NAME.ipynb ...]

Besides what the cells print nothing is kept that differs from run to run: no times, no numbers of the kernel's.
"""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
SECONDS = 300      # of a cell at most
LARGE = 100_000    # letters of a picture


def executed(path: Path) -> Any:
    """The notebook with what its cells print now."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}},
                   record_timing=False).execute()
    for n, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{n}", {}
        if cell.cell_type == "code":
            cell.outputs = joined([plain(output) for output in cell.outputs])
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def plain(output: Any) -> Any:
    """An output; of an object that shows itself the picture alone, where there is one, or the text."""
    data = output.get("data", {})
    kept = next((kind for kind in ("text/html", "image/png", "text/plain") if kind in data), None)
    if kept == "text/html":
        output.data = {"text/html": data["text/html"], "text/plain": data["text/plain"]}
    elif kept == "image/png":
        output.data = dict([smaller(data[kept])])
    elif kept:
        output.data = {kept: data[kept]}
    return output


def smaller(png: str) -> tuple[str, str]:
    """A large picture as JPEG."""
    if len(png) < LARGE:
        return "image/png", png
    made = BytesIO()
    Image.open(BytesIO(b64decode(png))).convert("RGB").save(made, "JPEG", quality=85)
    return "image/jpeg", b64encode(made.getvalue()).decode()


def joined(outputs: list[Any]) -> list[Any]:
    """Pieces of one stream that were printed one after another as one piece."""
    found: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def printed(notebook: Any) -> list[str]:
    """What every code cell prints, as text; without pictures."""
    return ["".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            for cell in notebook.cells if cell.cell_type == "code"]


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.name for path in FOLDER.glob("*.ipynb")):
        nbformat.write(executed(FOLDER / name), FOLDER / name)
        print(name)
