"""Every disagreement with its numbers, by cause, and folded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrp_ref.conformance.page.causes import Cause
from lrp_ref.conformance.page.facts import Entry, Facts, Subject
from lrp_ref.conformance.page.html import Html, issues, shown, slug, tag
from lrp_ref.conformance.page.matrix import plural
from lrp_ref.conformance.page.numbers import numbers
from lrp_ref.conformance.page.words import badge
from lrp_ref.conventions.table import stated


def disagreements(facts: Facts, found: Sequence[Cause]) -> Html:
    if not found:
        return tag("section", tag("h2", "Disagreements"), tag("p", "None: every case that was run passed."),
                   id="disagreements")
    number = sum(len(cause.told) for cause in found)
    if len(facts.subjects) > 1:
        about = ("implementations differ from one another or from the exact answer, by what explains them. Every case "
                 "is told once, under its first cause; its other causes link to it.")
    else:
        about = "the implementation differs from the exact answer, by what explains them."
    return tag("section", tag("h2", "Disagreements"), tag("p", f"{plural(number, 'case')} in which {about}"),
               [group(facts, cause) for cause in found], id="disagreements")


def group(facts: Facts, cause: Cause) -> Html:
    names = {subject.key: subject.title for subject in facts.subjects}
    who = [tag("span", f"{names[key]}: {len(ids)}", class_="count") for key, ids in cause.ids.items()]
    also = [tag("li", tag("a", tag("code", id), href="#" + slug("case", id)), f" {names[key]}")
            for key, id in cause.elsewhere()]
    who = who or [tag("span", cause.count(), class_="count")]
    return tag("details", tag("summary", tag("h3", cause.text), " ", who), [case(facts, id) for id in cause.told],
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
    about = [entry.get("level"), told.get("section"), *map(flag, entry.get("flags", ()))]
    named = {url for found in failures.values() for url in found.get("issues") or ()}
    known = issues(url for url in told.get("issues") or () if url not in named)
    return tag(
        "details", tag("summary", tag("code", id), " ", tag("span", [verdict(facts, s, id) for s in facts.subjects],
                                                            class_="verdicts"), " ",
                       tag("span", comment, class_="comment")),
        tag("p", place, [" · ", " · ".join(map(str, filter(None, about)))], class_="quiet"),
        numbers(facts, told) if told else None,
        [failure(subject, id) for subject in facts.subjects if subject.key in failures],
        [allowed(subject, id) for subject in facts.subjects],
        tag("p", "Known of such cases: ", known) if known else None,
        class_="case", id=slug("case", id), **filtered(facts, id, entry))


def flag(name: str) -> str:
    return name.lower().replace("_", " ")


def allowed(subject: Subject, id: str) -> Html | None:
    """The declared convention that an answer passed by."""
    outcome = subject.outcomes.get(id, {})
    convention = outcome.get("convention")
    if not convention or outcome["status"] == "failed":
        return None
    return tag("p", f"{subject.title} declares another convention, which is allowed for: ",
               f"{stated(convention['question'], convention['value'])}.")


def verdict(facts: Facts, subject: Subject, id: str) -> Html:
    status = subject.status(id)
    name = subject.name if len(facts.subjects) > 1 else ""
    return badge(status, f"{name} {status}".strip()) if status else Html()


def failure(subject: Subject, id: str) -> Html:
    """What one implementation got wrong: the worst number, where it begins, the smallest example, how to see it."""
    found = subject.failures[id]
    first, shrunk = found.get("first"), found.get("counterexample")
    sides = shrunk and f"gives {shown(shrunk['got'])}, should be {shown(shrunk['expected'])}"
    rows: dict[str, Any] = {
        "What": None if found.get("worst") else found.get("reason"),
        "Worst number": worst(found["worst"]) if found.get("worst") else None,
        "Begins at": first and f"layer {first['layer']}, under {first['rule']}",
        "Looks like": (found.get("likeness") or {}).get("text"),
        "Smallest example": shrunk and [tag("pre", shrunk["text"], tabindex=0), tag("span", sides, class_="line")],
        "Repeat it": found.get("command") and tag("pre", tag("code", found["command"]), tabindex=0),
        "Known of it": issues(found.get("issues") or ()),
    }
    told = [[tag("dt", name), tag("dd", value)] for name, value in rows.items() if value]
    return tag("div", tag("h4", subject.title, " ", badge("failed")), tag("dl", told), class_="failure")


def worst(found: Entry) -> str:
    bound = found.get("bound")
    allowed = f", where {shown(bound, 3)} is allowed" if bound is not None else ""
    return (f"at {shown(found['index'])}: {shown(found['got'], 17)} instead of {shown(found['expected'], 17)}, "
            f"off by {shown(found.get('error'), 3)}{allowed}")
