"""docs/explorer.html is what the code makes today, and docs/explorer.md says what is on it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
from test_numbers_of_page import read_back

from lrp_ref.explorer.page import put_in

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "explorer.html").read_text(encoding="utf-8")
TEXT = re.sub(r"\s+", " ", (DOCS / "explorer.md").read_text(encoding="utf-8"))
DATA = re.search(r'<script type="application/json" id="data">(.*?)</script>', PAGE, re.DOTALL)[1]
FACTS = json.loads(DATA)


def test_the_ready_page_has_todays_script_and_is_under_three_megabytes() -> None:
    assert put_in(DATA, re.search("<title>(.*?)</title>", PAGE)[1]) == PAGE, "make explorer"
    assert len(PAGE.encode()) < 3_000_000


def test_the_ready_page_has_todays_numbers() -> None:
    """Of the scene, which takes a moment; the others are made by the same lines."""
    spec = importlib.util.spec_from_file_location("explorer_page", DOCS / "explorer_page.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    name, views = made.scene()
    kept = FACTS["photographs"][-1]
    assert kept["name"] == name == "scene.png"
    for view, there in zip(views, kept["views"], strict=True):
        fresh = json.loads(view.written())
        assert {key: fresh[key] for key in ("layers", "axes", "rules", "size")} == {
            key: there[key] for key in ("layers", "axes", "rules", "size")}
        for row, kept_row in zip(fresh["strips"], there["strips"], strict=True):
            for one, other in zip(row, kept_row, strict=True):
                size = np.abs(np.array(one["ledger"])).max()
                np.testing.assert_allclose(one["ledger"], other["ledger"], rtol=0, atol=1e-4 * size)   # float32, summed
                for found, before in zip(read_back(one), read_back(other), strict=True):
                    near = 1e-3 * np.abs(before).max()   # another processor's float32
                    np.testing.assert_allclose(found, before, rtol=0, atol=near)


def test_the_page_on_the_explorer_tells_the_numbers_of_the_ready_one() -> None:
    coffee = FACTS["photographs"][0]["views"][0]
    names, strip = [layer["name"] for layer in coffee["layers"]], coffee["strips"][0][0]
    assert coffee["classes"][0]["name"] == "espresso" and coffee["rules"][0]["name"] == "epsilon_gamma_box"
    pixels = [strip["cuts"][n]["pixels"] for n in (0, names.index("_blocks.4._depthwise_conv"), names.index("_fc"))]
    told = [f"of {strip['start']:.3g} only {pixels[0]:.3g} arrive", f"{pixels[1]:.3g} arrive with the cut-off below "
            "`_blocks.4._depthwise_conv`", f"{pixels[2]:.3g} with that below `_fc`"]
    assert [text for text in told if text not in TEXT] == []
    grids = {tuple(layer["grid"]) for layer in coffee["layers"] if layer["grid"]}
    assert "from 112 x 112 places at `_relu0`, from 7 x 7 at the top" in TEXT and {(112, 112), (7, 7)} <= grids
    cnn, fv = (view["scores"] for view in FACTS["photographs"][-1]["views"])
    assert cnn[0][0] != fv[0][0] and all(dict(scores)["cat"] > 0 for scores in (cnn, fv))
