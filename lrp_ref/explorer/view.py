"""One photograph by one model as JSON, of which classes and rules can be left out where a page would be too large."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lrp_ref.arrays import Array


@dataclass(eq=False)
class View:
    """One photograph seen by one model: facts of the page, and strips[class][rule], each written as JSON."""

    name: str
    facts: dict[str, Any]
    strips: list[list[str]]
    messages: list[list[str]]
    picture: Array
    classes: int = 0
    rules: int = 0
    with_messages: bool = True

    def __post_init__(self) -> None:
        self.classes, self.rules = len(self.strips), len(self.strips[0])

    def kept(self) -> dict[str, Any]:
        """The facts, with so many classes and rules as it is to have."""
        return {**self.facts, "classes": self.facts["classes"][:self.classes],
                "rules": self.facts["rules"][:self.rules]}

    def written(self) -> str:
        """The JSON of what is kept of the view."""
        strips = [[self.strips[c][r] for r in range(self.rules)] for c in range(self.classes)]
        messages = [[self.messages[c][r] if self.with_messages else "null" for r in range(self.rules)]
                    for c in range(self.classes)]
        facts = json.dumps(self.kept(), allow_nan=False, separators=(",", ":"))
        tables = (f'"{name}":{json_list(map(json_list, rows))}'
                  for name, rows in (("strips", strips), ("messages", messages)))
        return f"{facts[:-1]},{','.join(tables)}}}"

    def smaller(self) -> str | None:
        """Leave out what is missed least; what that was, or None where nothing more can be left out."""
        if self.with_messages and any(one != "null" for row in self.messages for one in row):
            self.with_messages = False
            return "the largest message to every pixel"
        if self.rules > 2 or (self.rules > 1 and self.classes == 1):
            self.rules -= 1
            return f"the rule {self.facts['rules'][self.rules]['name']}"
        if self.classes > 1:
            self.classes -= 1
            return f"the class {self.facts['classes'][self.classes]['name']}"
        return None


def json_list(parts: Iterable[str]) -> str:
    return "[" + ",".join(parts) + "]"
