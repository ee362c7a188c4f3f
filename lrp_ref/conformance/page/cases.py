"""Every disagreement with its numbers, by cause, and the list of all cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import isfinite
from typing import Any

from lrp_ref.conformance.page.causes import Cause
from lrp_ref.conformance.page.facts import Entry, Facts, Subject
from lrp_ref.conformance.page.html import Html, issues, shown, slug, table, tag
from lrp_ref.conformance.page.matrix import HIDDEN, plural, reasons
from lrp_ref.conformance.page.words import badge

MOST = 12     # numbers of an array to show
DIGITS = 10   # and 17, which tell any two float64 apart, where these do not

Numbers = Mapping[tuple[int, ...], Any]


def disagreements(facts: Facts, found: Sequence[Cause]) -> Html:
    if not found:
        return tag("section", tag("h2", "Disagreements"), tag("p", "None: every case that was run passed."),
                   id="disagreements")
    number = sum(len(cause.told) for cause in found)
    several = len(facts.subjects) > 1
    return tag(
        "section", tag("h2", "Disagreements"),
        tag("p", f"{plural(number, 'case')} in which ", "implementations differ from one another or from" if several else
            "the implementation differs from", " the exact answer, by what explains them. Every case is told once, "
            "under its first cause; its other causes link to it." if several else " the exact answer, by what explains "
            "them."),
        [group(facts, cause) for cause in found], id="disagreements")


def group(facts: Facts, cause: Cause) -> Html:
    names = {subject.key: subject.title for subject in facts.subjects}
    who = [tag("span", f"{names[key]}: {len(ids)}", class_="count") for key, ids in cause.ids.items()]
    also = [tag("li", tag("a", tag("code", id), href="#" + slug("case", id)), f" {names[key]}")
            for key, id in cause.elsewhere()]
    return tag("details", tag("summary", tag("h3", cause.text), " ", who or tag("span", cause.count(), class_="count")),
               [case(facts, id) for id in cause.told],
               tag("div", tag("p", "Also behind these, which another cause tells in full:"),
                   tag("ul", also, class_="evidence")) if also else None, class_="cause", id=cause.key)


def filtered(facts: Facts, id: str, entry: Entry) -> dict[str, Any]:
    """What the filter goes by."""
    return {"data_rule": entry.get("rule", ""), "data_status": " ".join(facts.statuses(id))}


def case(facts: Facts, id: str) -> Html:
    failures = {subject.key: subject.failures[id] for subject in facts.subjects if id in subject.failures}
    entry = {**next(iter(failures.values()), {}), **facts.cases.get(id, {})}
    told = facts.disagreements.get(id, {})
    comment = told.get("comment") or next((f["comment"] for f in failures.values() if f.get("comment")), "")
    layer = "a whole network" if entry.get("layer") == "network" else entry.get("layer", "")
    place = tag("a", f"{entry.get('rule', '')} on {layer}", href="#" + slug("cases", entry["rule"], entry["layer"]))
    about = [entry.get("level"), told.get("section"), *entry.get("flags", ())]
    return tag(
        "details", tag("summary", tag("code", id), " ", tag("span", [verdict(facts, s, id) for s in facts.subjects],
                                                            class_="verdicts"), " ",
                       tag("span", comment, class_="comment")),
        tag("p", place, [" · ", " · ".join(map(str, filter(None, about)))], class_="quiet"),
        numbers(facts, told) if told else None,
        [failure(subject, id) for subject in facts.subjects if subject.key in failures],
        tag("p", "Known: ", issues(told["issues"])) if told.get("issues") else None,
        class_="case", id=slug("case", id), **filtered(facts, id, entry))


def verdict(facts: Facts, subject: Subject, id: str) -> Html:
    status = subject.status(id)
    name = subject.name if len(facts.subjects) > 1 else ""
    return badge(status, f"{name} {status}".strip()) if status else Html()


def failure(subject: Subject, id: str) -> Html:
    """What one implementation got wrong: the worst number, where it begins, the smallest example, how to see it."""
    found = subject.failures[id]
    first, shrunk = found.get("first"), found.get("counterexample")
    sides = shrunk and tag("span", f"gives {shown(shrunk['got'])}, should be {shown(shrunk['expected'])}", class_="line")
    rows: dict[str, Any] = {
        "What": found.get("reason"),
        "Worst number": worst(found["worst"]) if found.get("worst") else None,
        "Begins at": first and f"layer {first['layer']}, under {first['rule']}",
        "Looks like": found.get("looks_like"),
        "Smallest example": shrunk and [tag("pre", shrunk["text"], tabindex=0), sides],
        "Repeat it": found.get("command") and tag("pre", tag("code", found["command"]), tabindex=0),
        "Known": issues(found.get("issues") or ()),
    }
    return tag("div", tag("h4", subject.title, " ", badge("failed")),
               tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in rows.items() if value]), class_="failure")


def worst(found: Entry) -> str:
    bound = found.get("bound")
    allowed = f", where {shown(bound, 3)} is allowed" if bound is not None else ""
    return (f"at {shown(found['index'])}: {shown(found['got'], 17)} instead of {shown(found['expected'], 17)}, "
            f"off by {shown(found.get('error'), 3)}{allowed}")


# ---- The numbers of a case, side by side ----


def numbers(facts: Facts, told: Entry) -> Html:
    """What is expected and every answer, number by number; of many numbers those that are furthest off."""
    expected = flat(told.get("expected"))
    answers = {subject.key: flat(told["answers"].get(subject.name)) for subject in facts.subjects}
    wrong = [subject.key for subject in facts.subjects if told["statuses"].get(subject.name) == "failed"]
    every = list(dict.fromkeys([*expected, *(index for found in answers.values() for index in found)]))
    off = {index: max((apart(found.get(index), expected.get(index)) for found in answers.values() if found), default=0)
           for index in every}
    columns = sorted(sorted(every, key=lambda index: -off[index])[:MOST])
    alike = all(text(answers[key], index, DIGITS) == text(expected, index, DIGITS) for key in wrong for index in columns)
    digits = 17 if wrong and alike else DIGITS
    rows = [tag("tr", tag("th", "expected", scope="row"), [tag("td", text(expected, i, digits)) for i in columns])]
    for subject in facts.subjects:
        found, judged = answers[subject.key], told["statuses"].get(subject.name, "")
        if not found:
            cells: Any = tag("td", tag("span", judged or "no answer", class_="quiet"), colspan=max(len(columns), 1))
        else:
            cells = [number(found, expected, index, digits, judged == "failed") for index in columns]
        rows.append(tag("tr", tag("th", subject.name, scope="row"), cells))
    head = [tag("td"), *(tag("th", shown(list(index)), scope="col") for index in columns)]
    caption = "The relevance of the input" if len(columns) == len(every) else (
        f"The relevance of the input: {len(columns)} of {len(every)} numbers, those that are furthest off")
    return table(head, tag("tbody", rows if expected or any(answers.values()) else rows[1:]), caption=caption,
                 class_="numbers")


def number(found: Numbers, expected: Numbers, index: tuple[int, ...], digits: int, failed: bool) -> Html:
    """A number of an answer; one that differs from what was expected, where that failed, is marked in words too."""
    differs = failed and text(found, index, digits) != text(expected, index, digits)
    written = text(found, index, digits)
    return tag("td", tag("b", written, tag("span", " differs", class_=HIDDEN)) if differs else written,
               class_="differs" if differs else None)


def flat(nested: Any, index: tuple[int, ...] = ()) -> dict[tuple[int, ...], Any]:
    """{index: number} of nested lists; nothing where there is no answer."""
    if isinstance(nested, list):
        return {place: value for n, part in enumerate(nested) for place, value in flat(part, (*index, n)).items()}
    return {} if nested is None and not index else {index: nested}


def text(values: Numbers, index: tuple[int, ...], digits: int) -> str:
    return shown(values[index], digits) if index in values else "missing"


def apart(got: Any, expected: Any) -> float:
    """How far a number is off; infinite where either is none."""
    if not all(isinstance(value, (int, float)) and isfinite(value) for value in (got, expected)):
        return 0.0 if str(got) == str(expected) else float("inf")
    return abs(float(got) - float(expected))


# ---- All cases ----


def every_case(facts: Facts) -> Html:
    """A line per case, by rule and layer: what the cells of the matrix link to."""
    full = {id for subject in facts.subjects for id in subject.failures} | set(facts.disagreements)
    whys = {(subject.key, id): slug("why", subject.key, n) for subject in facts.subjects
            for n, ids in enumerate(reasons(subject).values(), 1) for id in ids}
    head = [tag("th", name, scope="col") for name in ("Case", "Level", *(subject.title for subject in facts.subjects))]
    places = [(rule, layer) for rule, layers in facts.places() for layer in layers]
    order = {place: n for n, place in enumerate(places)}

    def place(pair: tuple[str, Entry]) -> tuple[str, str]:
        return pair[1]["rule"], pair[1]["layer"]

    here = sorted(facts.cases.items(), key=lambda pair: order.get(place(pair), len(order)))

    def bodies(pairs: Sequence[tuple[str, Entry]]) -> Iterator[Html]:
        for (rule, layer), some in groupby(pairs, key=place):
            first = tag("tr", tag("th", "whole network" if layer == "network" else layer, scope="rowgroup",
                                  colspan=len(head)), class_="head")
            yield tag("tbody", first, [line(facts, id, entry, id in full, whys) for id, entry in some],
                      id=slug("cases", rule, layer))

    rules = [(rule, list(pairs)) for rule, pairs in groupby(here, key=lambda pair: pair[1]["rule"])]
    return tag(
        "section", tag("h2", "All cases"),
        tag("p", "Those that are told above link to their numbers."),
        [tag("details", tag("summary", tag("h3", rule), " ", tag("span", len(pairs), class_="count")),
             table(head, bodies(pairs), caption=f"Cases of {rule}", class_="cases")) for rule, pairs in rules], id="cases")


def line(facts: Facts, id: str, entry: Entry, full: bool, whys: Mapping[tuple[str, str], str]) -> Html:
    name = tag("code", id)
    own = slug("case", id)
    level = " · ".join([entry["level"], *entry.get("flags", ())])

    def status(subject: Subject) -> Html:
        is_ = subject.status(id)
        if not is_:
            return tag("td", tag("span", "not run", class_="quiet"))
        href = whys.get((subject.key, id))
        return tag("td", tag("a", badge(is_), href=f"#{href}") if href else badge(is_))

    return tag("tr", tag("th", tag("a", name, href=f"#{own}") if full else name, scope="row"), tag("td", level),
               map(status, facts.subjects), id=None if full else own, **filtered(facts, id, entry))
