"""The site: the pages of docs/ and the README, as they are, with every public name's docstring (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import lrp_ref  # noqa: E402  (of this folder, not of another installation)

project, author, version = "lrp_ref", "", lrp_ref.__version__
release, copyright = version, "BSD-3-Clause"
extensions = ["myst_nb", "sphinx.ext.autodoc"]
root_doc = "docs/site/index"
include_patterns = ["docs/*.md", "docs/*/*.md", "docs/notebooks/*.ipynb", "README.md", "CONTRIBUTING.md",
                    "CHANGELOG.md",
                    "data_fixtures/README.md", "data_fixtures/recorded/README.md", "examples/README.md",
                    "examples/runners/README.md",
                    "tests/mutants/README.md"]
html_theme, html_title = "furo", f"lrp_ref {version}"
html_extra_path = ["root", *(str(page) for page in sorted(ROOT.glob("docs/*.html")))]   # pages that need nothing else
html_static_path, html_css_files = ["wrapped.css"], ["wrapped.css"]
html_show_copyright = html_show_sourcelink = False
nb_execution_mode = "off"   # notebooks are kept with what they print, and run by a test
myst_heading_anchors = 4
autodoc_typehints = "none"
autodoc_member_order = "bysource"
SHOWN = ("Network", "Model", "Explanation", "Preprocessing", "ReceptiveField")   # whose methods are for use


def as_written(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A docstring in the letters in which it is written: formulas stand in their columns."""
    lines[:] = ["", ".. code-block:: none", "", *("   " + line for line in lines), ""] if any(lines) else []


def of_every_layer(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Layers and rules by what they are alone: what every one of them answers stands in docs/extending.md."""
    own = getattr(getattr(thing, "fget", thing), "__qualname__", "").split(".")[0]
    return True if what == "class" and own not in SHOWN else None


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", of_every_layer)
    app.connect("autodoc-process-docstring", as_written)
