"""The questions that formulas leave open, and every implementation's answer to them, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.page.facts import Facts, Subject
from lrp_ref.conformance.page.html import Html, capital, slug, table, tag
from lrp_ref.conformance.page.words import mark
from lrp_ref.conformance.report.facts import Reply
from lrp_ref.conventions.table import phrase

EVIDENCE = 1   # cases to show at once; more unfold


def conventions(facts: Facts) -> Html | None:
    asked = questions(facts)
    if not asked:
        return None
    head = [tag("th", "Question", scope="col"), tag("th", "Canonical answer", scope="col"),
            *(tag("th", subject.title, scope="col") for subject in facts.subjects)]
    body = [tag("tr", tag("th", capital(one.title), " ", tag("code", name), scope="row", role="rowheader"),
                reply_cell("Canonical answer", phrase(name, one.canonical)),
                [of_subject(facts, subject, subject.reply(name)) for subject in facts.subjects],
                id=slug("question", name), role="row") for name, one in asked.items()]
    return tag(
        "section", tag("h2", "Conventions"),
        tag("p", "What each implementation was found to do where the published formulas leave a question open: seen in "
            "its numbers alone, and in no source code. ", departure(), " marks an answer that is not the canonical "
            "one."),
        table(head, tag("tbody", body), caption="Conventions by implementation", class_="conventions"),
        id="conventions")


def questions(facts: Facts) -> dict[str, Reply]:
    """{question: the first reply that there is to it}, in the order in which they are asked."""
    found: dict[str, Reply] = {}
    for subject in facts.subjects:
        for reply in subject.report.replies:
            found.setdefault(reply.question, reply)
    return found


def departure() -> Html:
    return tag("span", tag("span", "≠", aria_hidden="true"), " departs", class_="departs")


def reply_cell(by: str, *children: Any, departing: bool = False) -> Html:
    """A cell that names its implementation, for narrow screens, where columns stand one below the other."""
    return tag("td", *children, class_="departing" if departing else None, data_by=by, role="cell")


def of_subject(facts: Facts, subject: Subject, reply: Reply | None) -> Html:
    """The value, whether it departs, whether it is declared, who else answers so, and the cases that show it."""
    if reply is None:
        return reply_cell(subject.title, tag("span", "not asked", class_="quiet"))
    evidence = links(facts, reply.evidence)
    if reply.value is None:
        word = "none of the known answers" if reply.evidence else "not determined"
        return reply_cell(subject.title, tag("span", mark("undetermined"), " ", word), evidence)
    others = [called(name) for name in reply.known if name.lower() != subject.name.lower()]
    return reply_cell(
        subject.title, tag("b", phrase(reply.question, reply.value)), [" ", departure()] if reply.departs else None,
        tag("span", "declared", class_="quiet line") if reply.declared else None,
        tag("span", f"as {', '.join(others)}", class_="quiet line") if reply.departs and others else None,
        evidence, departing=reply.departs)


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
