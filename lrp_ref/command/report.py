"""What an explanation says: as text of at most about 100 columns, and as plain values for JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from textwrap import fill
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules
from lrp_ref.command.of_which import of_which
from lrp_ref.hints import quotable
from lrp_ref.ledger import COLUMNS, SHORT
from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.relevance import Explanation
from lrp_ref.rules import Rule

WIDTH, MOST, LONGEST = 100, 10, 60   # columns, scores, letters of a class name
MANY, TOP = 100, 5   # of so many scores the highest are shown
FEW = 12   # layers of a rule that are all named


def text(model: Model, network: Network, e: Explanation, index: int, rules: Rules, whole: bool = False) -> str:
    """Scores, rules and ledger: of many layers the ends, and those that lose most, or the whole."""
    parts = "\n".join(part.line(e) for part in of_which(network, e))
    table = e.ledger.table() if whole else e.ledger.brief() + short_of(e)
    return (f"scores\n{scores_text(model, e.scores[0], index)}\n\nrules\n{rules_text(rules, whole)}\n\n"
            f"ledger: where the relevance went, in per cent of the sum of |R| that arrives at each layer\n"
            f"{table}" + (f"\nof which\n{parts}" if parts else ""))


def scores_text(model: Model, scores: Array, index: int) -> str:
    """The scores, highest first, at most ten, or five of hundreds; the explained one is among them and marked."""
    order, most = sorted(range(len(scores)), key=lambda n: -scores[n]), TOP if len(scores) >= MANY else MOST
    shown = order[:most] if index in order[:most] else [*order[:most - 1], index]
    names = [quotable(name, LONGEST) for name in model.classes]
    width, number = max(len(names[n]) for n in shown), "10.4f" if 0.01 <= abs(scores).max() < 1e6 else "11.4e"
    mark = {index: "   <- explained"}
    lines = [f"  {names[n]:<{width}} {scores[n]:{number}}{mark.get(n, '')}" for n in shown]
    if len(scores) > len(shown):
        lines.append(f"  ({len(scores) - len(shown)} more)")
    if scores[index] <= 0:
        lines.append("  (relevance starts from a negative score)" if scores[index] else
                     "  (relevance starts from a score of 0: there is none)")
    return "\n".join(lines)


def short_of(e: Explanation) -> str:
    """How the rest of a ledger is seen, where there is any."""
    return f"\n(--ledger prints all {len(e.ledger.names)} layers, and every layer's rule)" if len(
        e.ledger.names) > SHORT else ""


def rules_text(rules: Mapping[str, Rule], whole: bool = True) -> str:
    """A line per rule: the layers that have it; how many, the lowest and the highest, where these are many."""
    layers: dict[str, list[str]] = {}
    for name, rule in names(rules).items():
        layers.setdefault(short(rule), []).append(name)
    width = min(max(map(len, layers)), WIDTH // 3)
    listed = {rule: ", ".join(having) if whole or len(having) <= FEW else ends_of(having)
              for rule, having in layers.items()}
    lines = (fill(f"{rule:<{width}}  {having}", WIDTH, initial_indent="  ",
                  subsequent_indent=" " * (width + 4), break_long_words=False, break_on_hyphens=False)
             for rule, having in listed.items())
    return "\n".join(lines)


def ends_of(names: list[str]) -> str:
    return f"{len(names)} layers, {names[0]} .. {names[-1]}"


def short(rule: str) -> str:
    """The rule with six digits of every number."""
    return re.sub(r"\d+\.\d{6,}", lambda number: f"{float(number[0]):.6g}", rule)


def names(rules: Mapping[str, Rule]) -> dict[str, str]:
    """{layer: the rule as it is written in Python}"""
    return {name: repr(rule) for name, rule in rules.items()}


def facts(model: Model, network: Network, e: Explanation, index: int, rules: Rules) -> dict[str, Any]:
    """The same as plain values. Scores are a list: two classes may have the same name."""
    scores = [{"index": n, "name": name, "score": float(score)}
              for n, (name, score) in enumerate(zip(model.classes, e.scores[0]))]
    return {
        "target": scores[index], "scores": scores, "rules": names(rules),
        "ledger": {name: dict(zip(COLUMNS, (float(column[0]) for column in columns)))
                   for name, columns in e.ledger.sums().items()},
        "total": {column: float(values[0]) for column, values in e.ledger.total().items()},
        "of_which": [{"layer": part.layer, "column": part.column, "what": part.what, "amount": float(part.amount[0])}
                     for part in of_which(network, e)],
    }


def finite(value: float) -> float | None:
    """The value, or None in place of infinity, which is not JSON."""
    return value if isfinite(value) else None
