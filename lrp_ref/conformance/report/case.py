"""A case in words, with all its numbers."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.report.facts import commented, in_words
from lrp_ref.conformance.report.text import WIDTH
from lrp_ref.conformance.vectors.case import parameters


def case_text(outcome: Outcome) -> str:
    """A case in full: what became of it, network, rules, x, R, what was expected and what came back."""
    case = outcome.case
    named = "" if outcome.convention is None else f" ({' = '.join(map(str, outcome.convention))})"
    lines = [f"{case.id} ({case.level}; {case.section})",
             f"{outcome.status}{named}{': ' if outcome.reason else ''}{outcome.reason}", fill(commented(case), WIDTH),
             ""]
    for name, layer in case.network:
        lines.append(f"layer {name}: {type(layer).__name__}, {in_words(case.rules[name])}")
        lines += [f"  {parameter} = {value_text(value)}" for parameter, value in parameters(layer).items()
                  if value is not None]
    lines += [f"x = {array_text(case.x)}", f"R = {array_text(case.R)}"]
    if case.relevance is None:
        lines.append(f"must be refused: {case.error}")
    else:
        lines.append(f"expected = {array_text(case.relevance if case.exact is None else case.exact)}")
    lines += [f"{row.convention} = {row.value}: {array_text(row.relevance)}" for row in case.either]
    if outcome.answer is not None:
        lines.append(f"got = {array_text(outcome.answer)}")
    if outcome.raised is not None:
        lines += ["raised in the adapter:", *outcome.raised.trace.splitlines()]
    return "\n".join(lines)


def value_text(value: Any) -> str:
    """A parameter as the case's file has it."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return unquoted(value)
    return str(value)


def unquoted(value: Any) -> str:
    return f"[{', '.join(map(unquoted, value))}]" if isinstance(value, list) else str(value)


def array_text(x: Array) -> str:
    """All its numbers: fractions as they are, floats to their last digit."""
    if np.ndim(x):
        return f"[{', '.join(map(array_text, x))}]"
    return f"{float(x):.17g}" if isinstance(x, (float, np.floating)) else str(x)
