"""The numbers of a case, side by side: what is expected, and every answer."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.page.facts import Facts
from lrp_ref.conformance.page.html import Html, shown, table, tag
from lrp_ref.conformance.page.matrix import HIDDEN
from lrp_ref.conformance.report.facts import Disagreement

MOST = 8      # numbers of an array to show: as many as fit the page
DIGITS = 10   # or 17, which tell any two float64 apart, where these do not

Index = tuple[int, ...]
Numbers = Mapping[Index, float]


def numbers_table(facts: Facts, told: Disagreement) -> Html:
    """Number by number; of many numbers those that are furthest off."""
    expected = flat(told.case.relevance)
    answers = {subject.key: flat(one.answer) for subject, one in zip(facts.subjects, told.outcomes)}
    statuses = {subject.key: one.status for subject, one in zip(facts.subjects, told.outcomes)}
    every = list(dict.fromkeys(index for found in (expected, *answers.values()) for index in found))
    given = [found for found in answers.values() if found]
    off = {index: max((gap(found.get(index), expected.get(index)) for found in given), default=0) for index in every}
    columns = sorted(sorted(every, key=lambda index: -off[index])[:MOST])
    wrong = [answers[key] for key, status in statuses.items() if status == "failed"]
    alike = all(text(found, index, DIGITS) == text(expected, index, DIGITS) for found in wrong for index in columns)
    digits = 17 if wrong and alike else DIGITS
    rows = []
    if expected:
        cells: Any = [tag("td", text(expected, index, digits)) for index in columns]
        rows.append(tag("tr", tag("th", "expected", scope="row"), cells))
    for subject in facts.subjects:
        if facts.many and not subject.answers(told.case.id):
            continue
        found, status = answers[subject.key], statuses[subject.key]
        cells = [number(found, expected, index, digits, status == "failed") for index in columns]
        if not found:
            cells = tag("td", tag("span", status or "no answer", class_="quiet"), colspan=max(len(columns), 1))
        rows.append(tag("tr", tag("th", subject.name, scope="row"), cells))
    part = f": {len(columns)} of {len(every)} numbers, those that are furthest off" if columns != every else ""
    return table([tag("td"), *(tag("th", shown(list(index)), scope="col") for index in columns)], tag("tbody", rows),
                 caption=f"The relevance of the input{part}", class_="numbers")


def number(found: Numbers, expected: Numbers, index: Index, digits: int, failed: bool) -> Html:
    """A number of an answer; one that differs from what was expected, where that failed, is marked in words too."""
    shows = text(found, index, digits)
    differs = failed and shows != text(expected, index, digits)
    return tag("td", tag("b", shows, tag("span", " differs", class_=HIDDEN)) if differs else shows,
               class_="differs" if differs else None)


def flat(x: Array | None) -> dict[Index, float]:
    """{index: number}; nothing where there is no answer."""
    return {} if x is None else {index: float(value) for index, value in np.ndenumerate(x)}


def text(values: Numbers, index: Index, digits: int) -> str:
    return shown(values[index], digits) if index in values else "missing"


def gap(got: float | None, expected: float | None) -> float:
    """How far a number is off; infinite where one of the two is missing or not finite."""
    if got is None or expected is None or not (isfinite(got) and isfinite(expected)):
        return 0.0 if str(got) == str(expected) else inf
    return abs(got - expected)
