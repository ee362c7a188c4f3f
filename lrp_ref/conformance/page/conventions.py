"""The questions that formulas leave open, and every implementation's answer to them, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.page.facts import Entry, Facts, Subject
from lrp_ref.conformance.page.html import Html, capital, slug, table, tag
from lrp_ref.conformance.page.words import mark
from lrp_ref.conventions.table import departs, phrase

EVIDENCE = 1   # cases to show at once; more unfold


def conventions(facts: Facts) -> Html | None:
    asked = questions(facts)
    if not asked:
        return None
    head = [tag("th", "Question", scope="col"), tag("th", "Canonical answer", scope="col"),
            *(tag("th", subject.title, scope="col") for subject in facts.subjects)]
    body = [tag("tr", tag("th", title(entry), " ", tag("code", name), scope="row", role="rowheader"),
                cell("Canonical answer", phrase(name, entry["canonical"])),
                [cell(s.title, *answer(facts, s, name), departing=departs(entry_of(s, name))) for s in facts.subjects],
                id=slug("question", name), role="row") for name, entry in asked.items()]
    return tag(
        "section", tag("h2", "Conventions"),
        tag("p", "What each implementation was found to do where the published formulas leave a question open: seen in "
            "its numbers alone, and in no source code. ", departure(), " marks an answer that is not the canonical "
            "one."),
        table(head, tag("tbody", body), caption="Conventions by implementation", class_="conventions"),
        id="conventions")


def questions(facts: Facts) -> dict[str, Entry]:
    """{question: the first entry that there is of it}, in the order in which they are asked."""
    found: dict[str, Entry] = {}
    for subject in facts.subjects:
        for entry in subject.run["conventions"]:
            found.setdefault(entry["question"], entry)
    return found


def title(entry: Entry) -> str:
    return capital(str(entry.get("title") or entry["question"]))


def departure() -> Html:
    return tag("span", tag("span", "≠", aria_hidden="true"), " departs", class_="departs")


def cell(by: str, *children: Any, departing: bool = False) -> Html:
    """A cell that says whose it is where a narrow screen puts the columns one below the other, and stays a cell."""
    return tag("td", *children, class_="departing" if departing else None, data_by=by, role="cell")


def entry_of(subject: Subject, question: str) -> Entry:
    return next((entry for entry in subject.run["conventions"] if entry["question"] == question), {})


def answer(facts: Facts, subject: Subject, question: str) -> list[Any]:
    """The value, whether it departs, whether it is declared, who else answers so, and the cases that show it."""
    entry = entry_of(subject, question)
    if not entry:
        return [tag("span", "not asked", class_="quiet")]
    evidence = [str(id) for id in entry.get("evidence") or ()]
    if entry["value"] is None:
        word = "none of the known answers" if evidence else "not determined"
        return [tag("span", mark("undetermined"), " ", word), links(facts, evidence)]
    others = [called(name) for name in entry.get("known") or () if name.lower() != subject.name.lower()]
    differs = departs(entry)
    return [tag("b", phrase(question, entry["value"])), [" ", departure()] if differs else None,
            tag("span", "declared", class_="quiet line") if entry.get("declared") else None,
            tag("span", f"as {', '.join(others)}", class_="quiet line") if differs and others else None,
            links(facts, evidence)]


def called(dialect: str) -> str:
    """What a dialect calls itself."""
    return f"{DIALECTS[dialect].name} {DIALECTS[dialect].version}" if dialect in DIALECTS else dialect


def links(facts: Facts, ids: Sequence[str]) -> Html | None:
    if not ids:
        return None
    all_ = [tag("li", tag("a", tag("code", id), href="#" + slug("case", id)) if id in facts.cases else tag("code", id))
            for id in ids]
    if len(ids) <= EVIDENCE:
        return tag("ul", all_, class_="evidence")
    return tag("details", tag("summary", f"{len(ids)} cases"), tag("ul", all_, class_="evidence"))
