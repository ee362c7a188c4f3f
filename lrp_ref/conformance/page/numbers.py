"""The numbers of a case, side by side: what is expected, and every answer."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from lrp_ref.conformance.page.facts import Entry, Facts
from lrp_ref.conformance.page.html import Html, shown, table, tag
from lrp_ref.conformance.page.matrix import HIDDEN

MOST = 8      # numbers of an array to show: as many as fit the page
DIGITS = 10   # or 17, which tell any two float64 apart, where these do not

Index = tuple[int, ...]
Numbers = Mapping[Index, Any]


def numbers(facts: Facts, told: Entry) -> Html:
    """Number by number; of many numbers those that are furthest off."""
    expected = flat(told.get("expected"))
    answers = {subject.key: flat(told["answers"].get(subject.name)) for subject in facts.subjects}
    judged = {subject.key: str(told["statuses"].get(subject.name, "")) for subject in facts.subjects}
    every = list(dict.fromkeys(index for found in (expected, *answers.values()) for index in found))
    given = [found for found in answers.values() if found]
    off = {index: max((apart(found.get(index), expected.get(index)) for found in given), default=0) for index in every}
    columns = sorted(sorted(every, key=lambda index: -off[index])[:MOST])
    wrong = [answers[key] for key, status in judged.items() if status == "failed"]
    alike = all(text(found, index, DIGITS) == text(expected, index, DIGITS) for found in wrong for index in columns)
    digits = 17 if wrong and alike else DIGITS
    rows = []
    if expected:
        cells: Any = [tag("td", text(expected, index, digits)) for index in columns]
        rows.append(tag("tr", tag("th", "expected", scope="row"), cells))
    for subject in facts.subjects:
        found, status = answers[subject.key], judged[subject.key]
        cells = [number(found, expected, index, digits, status == "failed") for index in columns]
        if not found:
            cells = tag("td", tag("span", status or "no answer", class_="quiet"), colspan=max(len(columns), 1))
        rows.append(tag("tr", tag("th", subject.name, scope="row"), cells))
    part = f": {len(columns)} of {len(every)} numbers, those that are furthest off" if columns != every else ""
    return table([tag("td"), *(tag("th", shown(list(index)), scope="col") for index in columns)], tag("tbody", rows),
                 caption=f"The relevance of the input{part}", class_="numbers")


def number(found: Numbers, expected: Numbers, index: Index, digits: int, failed: bool) -> Html:
    """A number of an answer; one that differs from what was expected, where that failed, is marked in words too."""
    differs = failed and text(found, index, digits) != text(expected, index, digits)
    written = text(found, index, digits)
    return tag("td", tag("b", written, tag("span", " differs", class_=HIDDEN)) if differs else written,
               class_="differs" if differs else None)


def flat(nested: Any, index: Index = ()) -> dict[Index, Any]:
    """{index: number} of nested lists; nothing where there is no answer."""
    if isinstance(nested, list):
        return {place: value for n, part in enumerate(nested) for place, value in flat(part, (*index, n)).items()}
    return {} if nested is None and not index else {index: nested}


def text(values: Numbers, index: Index, digits: int) -> str:
    return shown(values[index], digits) if index in values else "missing"


def apart(got: Any, expected: Any) -> float:
    """How far a number is off; infinite where either is none."""
    if not all(isinstance(value, (int, float)) and isfinite(value) for value in (got, expected)):
        return 0.0 if str(got) == str(expected) else float("inf")
    return abs(float(got) - float(expected))
