"""Where commands write, checked before the work; arrays and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.files import writable, writing


class Pictured(str):
    """What a command prints, after a drawing for the terminal, which shows colours and is printed as it is."""

    drawing: str

    def __new__(cls, text: str, drawing: str) -> Pictured:
        one = super().__new__(cls, text)
        one.drawing = drawing
        return one


def writes_arrays(path: str | None, *inputs: str) -> None:
    """An error unless arrays can be written there, if anywhere."""
    spare("--save", path, *inputs)
    if path and Path(path).suffix != ".npz":
        raise ValueError(f"got --save {path}, needed a name that ends in .npz")


def save_arrays(path: str, arrays: dict[str, Any]) -> None:
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def spare(option: str, path: str | None, *inputs: str) -> None:
    """An error if nothing can be written to `path`, or if it is one of the files that are read, or in such a folder."""
    for other in inputs if path and writable(path).exists() else ():
        if path and Path(other).exists() and any(one.samefile(other) for one in (Path(path), *writable(path).parents)):
            raise ValueError(f"got {option} {path}, an input that would be lost: choose another path")


def lines_on(written: Mapping[str, str | None]) -> list[str]:
    """Where the files are that were asked for."""
    what = {"output": "heatmap", "panels": "panels", "save": "arrays", "page": "page"}
    return [f"{what[name]} written to {path}" for name, path in written.items() if path]


def dumped(values: Any) -> str:
    return json.dumps(values, indent=2, allow_nan=False)
