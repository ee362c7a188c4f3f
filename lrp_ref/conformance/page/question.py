"""A case as it was asked: its layers and rules, x and R, and what must come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lrp_ref.conformance.page.html import Html, tag
from lrp_ref.conformance.report.case import array_text, value_text
from lrp_ref.conformance.report.facts import in_words
from lrp_ref.conformance.vectors.case import Case, parameters

MOST = 32   # numbers of an array that are written; of more the first, and how many there are
LONG = 24   # letters of a fraction, beyond which the float is written


def question(case: Case) -> Html:
    """Folded: it is one click away."""
    return tag("details", tag("summary", "x, R, weights and rules"),
               tag("pre", "\n".join(lines(case)), tabindex=0), class_="asked")


def lines(case: Case) -> Iterator[str]:
    for name, layer in case.network:
        yield f"{name}: {type(layer).__name__}, {in_words(case.rules[name])}"
        for parameter, value in parameters(layer).items():
            if value is not None:
                yield f"  {parameter} = {parameter_words(getattr(layer, parameter), value)}"
    yield f"x = {array_words(case.x)}"
    yield f"R = {array_words(case.R)}"
    if case.relevance is None:
        yield f"must be refused: {case.error}"
    else:
        exact = case.exact is not None and max(len(str(n)) for n in case.exact.flat) <= LONG
        yield f"expected = {array_words(case.exact if exact else case.relevance)}"


def parameter_words(value: Any, text: Any) -> str:
    """A parameter: an array by its numbers, all else as its case's file has it."""
    return array_words(value) if isinstance(value, np.ndarray) else value_text(text)


def array_words(x: Any) -> str:
    if np.size(x) <= MOST:
        return array_text(x)
    first = ", ".join(array_text(n) for n in np.asarray(x).flat[:MOST // 2])
    return f"{first}, ... {np.size(x)} numbers of shape {np.shape(x)}"
