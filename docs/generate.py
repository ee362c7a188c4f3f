"""Write what classes know themselves into the pages: `make docs`.

Between `<!-- NAME -->` and `<!-- / -->` a page has the table NAME: layers, rules (docs/api.md), what is proved of them
(docs/selfcheck.md).
"""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lrp_ref.checks.claims.examples import LAYERS as EXAMPLES
from lrp_ref.checks.claims.examples import RULES as TRIED
from lrp_ref.checks.claims.examples import takes
from lrp_ref.layers import LAYERS
from lrp_ref.rules import RULES

DOCS = Path(__file__).parent
PARAMETER = re.compile(r"^\s*\w+(, \w+)*  +\S", re.MULTILINE)


def signature(thing: Any) -> str:
    """Name(weight, bias=None): without types, and without `watch`, whose default does not read."""
    parameters = [p for p in inspect.signature(thing).parameters.values() if p.name != "watch"]
    return thing.__name__ + str(inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters]))


def said(kind: type) -> str:
    """What a class says of itself, up to its list of parameters."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    return " ".join(" ".join(part.split()) for part in paragraphs if not PARAMETER.search(part)).replace("|", r"\|")


def listed(kinds: Iterable[type]) -> list[str]:
    return ["| name | |", "|---|---|", *(f"| `{signature(kind)}` | {said(kind)} |" for kind in kinds)]


def proved() -> list[str]:
    """For every kind of layer and of rule whether the laws hold exactly, or of the layer's float64 map."""
    cells: dict[tuple[str, str], str] = {}
    for example in EXAMPLES.values():
        m = example.map(1)[1]
        for rule in TRIED.values():
            if takes(m, rule):
                key = type(example.layer).__name__, type(rule).__name__
                cells[key] = "exact" if example.rational or cells.get(key) == "exact" else "map"
    return [f"| layer | {' | '.join(RULES)} |", "|---" * (len(RULES) + 1) + "|", *(
        f"| {layer} | {' | '.join(cells.get((layer, rule), '') for rule in RULES)} |"
        for layer in sorted(LAYERS, key=str.lower))]


def tables() -> dict[str, list[str]]:
    of_fisher = [kind for kind in LAYERS.values() if ".fisher." in kind.__module__]
    others = [kind for kind in LAYERS.values() if kind not in of_fisher]
    return {"rules": listed(RULES.values()), "layers": listed(others), "layers of Fisher vectors": listed(of_fisher),
            "proved": proved()}


def written(text: str) -> str:
    """The page with its tables as they are today."""
    made = tables()
    return re.sub(r"(<!-- ([\w ]+) -->\n).*?(<!-- / -->)",
                  lambda found: "\n".join([found[1], *made[found[2]], "", found[3]]), text, flags=re.DOTALL)


PAGES = [DOCS / "api.md", DOCS / "selfcheck.md"]

if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
