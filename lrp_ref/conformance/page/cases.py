"""Every disagreement with its numbers, by cause, and folded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrp_ref.conformance.judge.outcome import Worst
from lrp_ref.conformance.judge.run import place
from lrp_ref.conformance.page.causes import Group
from lrp_ref.conformance.page.facts import Facts, Subject
from lrp_ref.conformance.page.html import Html, issues, shown, slug, tag
from lrp_ref.conformance.page.numbers import numbers_table
from lrp_ref.conformance.page.question import question
from lrp_ref.conformance.page.words import badge
from lrp_ref.conformance.report.facts import commented, in_words
from lrp_ref.conformance.report.text import plural
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.table import stated


def disagreements(facts: Facts, found: Sequence[Group]) -> Html:
    found = [group for group in found if not group.refusals]
    if not found:
        return tag("section", tag("h2", "Disagreements"), tag("p", "None: every number that came back is right."),
                   id="disagreements")
    number = sum(len(group.told) for group in found if group.told)
    if len(facts.subjects) > 1:
        about = ("implementations differ from one another or from the exact answer, by what explains them. Every case "
                 "is told once, under its first cause; its other causes link to it.")
    else:
        about = "the implementation differs from the exact answer, by what explains them."
    return tag("section", tag("h2", "Disagreements"), tag("p", f"{plural(number, 'case')} in which {about}"),
               [group_in_full(facts, group) for group in found], id="disagreements")


def not_refused(facts: Facts, found: Sequence[Group]) -> Html | None:
    """What must be refused, and who answered it: no numbers can be right there."""
    missed = {subject.key: subject.unrefused for subject in facts.subjects if subject.unrefused}
    if not missed:
        return None
    names = {subject.key: subject.title for subject in facts.subjects}
    ids = [id for id in facts.cases if any(id in here for here in missed.values())]
    return tag(
        "section", tag("h2", "Not refused"),
        tag("p", f"{plural(len(ids), 'case')} that an implementation must refuse, by an error of any kind: with NaN in "
            "x, a shape that does not fit, a parameter that a rule does not have. These were answered with numbers."),
        tag("ul", [tag("li", names[key], " ", tag("span", len(here), class_="count"), id=slug("refused", key))
                   for key, here in missed.items()], class_="who"),
        [case_in_full(facts, facts.cases[id]) for id in ids], id="refused")


def group_in_full(facts: Facts, group: Group) -> Html:
    names = {subject.key: subject.title for subject in facts.subjects}
    who = [tag("span", f"{names[key]}: {len(ids)}", class_="count") for key, ids in group.ids.items()]
    also = [tag("li", tag("a", tag("code", id), href="#" + slug("case", id)), f" {names[key]}")
            for key, id in group.elsewhere()]
    who = who or [tag("span", group.count(), class_="count")]
    told = [case_in_full(facts, facts.cases[id]) for id in group.told]
    return tag("details", tag("summary", tag("h3", group.text), " ", who), told,
               tag("div", tag("p", "Also behind these, which another cause tells in full:"),
                   tag("ul", also, class_="evidence")) if also else None, class_="cause", id=group.key)


def filtered(facts: Facts, case: Case) -> dict[str, Any]:
    """What the filter goes by."""
    return {"data_rule": case.rule, "data_status": " ".join(facts.statuses(case.id))}


def case_in_full(facts: Facts, case: Case) -> Html:
    failures = [subject.failures[case.id] for subject in facts.subjects if case.id in subject.failures]
    told, where = facts.disagreements.get(case.id), place(case)
    layer = "a whole network" if where.layer == "network" else where.layer
    leads = tag("a", f"{where.rule} on {layer}", href="#" + slug("cases", *where))
    about = [case.level, case.section if told else "", *map(flag, case.flags)]
    named = {url for failure in failures for url in failure.known.issues}
    known = issues(url for url in (told.issues if told else ()) if url not in named)
    return tag(
        "details", tag("summary", tag("code", case.id), " ",
                       tag("span", [verdict(facts, s, case.id) for s in facts.subjects if told_of(facts, s, case.id)],
                           class_="verdicts"), " ",
                       tag("span", commented(case), class_="comment")),
        tag("p", leads, [" · ", " · ".join(filter(None, about))], class_="quiet"),
        numbers_table(facts, told) if told else None, question(case), lacking(facts, case),
        [what_failed(subject, case.id) for subject in facts.subjects if case.id in subject.failures],
        [allowed(subject, case.id) for subject in facts.subjects],
        tag("p", "Known of such cases: ", known) if known else None,
        class_="case", id=slug("case", case.id), **filtered(facts, case))


def flag(name: str) -> str:
    return name.lower().replace("_", " ")


def allowed(subject: Subject, id: str) -> Html | None:
    """The declared convention that an answer passed by."""
    outcome = subject.outcomes.get(id)
    if outcome is None or outcome.convention is None or outcome.status == "failed":
        return None
    return tag("p", f"{subject.title} declares another convention, which is allowed for: ",
               f"{stated(*outcome.convention)}.")


def told_of(facts: Facts, subject: Subject, id: str) -> bool:
    """Of many implementations those that have the case, and do not pass it as all others do."""
    return subject.answers(id) if facts.many else bool(subject.status(id))


def lacking(facts: Facts, case: Case) -> Html | None:
    """Who does not have it, where they have no row of their own."""
    names = [subject.name for subject in facts.subjects if subject.status(case.id) == "unsupported"]
    return tag("p", f"Unsupported by {', '.join(names)}.", class_="quiet") if names and facts.many else None


def verdict(facts: Facts, subject: Subject, id: str) -> Html:
    status = subject.status(id)
    name = subject.name if len(facts.subjects) > 1 else ""
    return badge(status, f"{name} {status}".strip()) if status else Html()


def what_failed(subject: Subject, id: str) -> Html:
    """What one implementation got wrong: the worst number, where it begins, the smallest example, how to see it."""
    failure = subject.failures[id]
    worst, first, small = failure.outcome.worst, failure.first, failure.counterexample
    sides = small and f"gives {shown(small.got)}, should be {shown(small.expected)}"
    rows: dict[str, Any] = {
        "What": None if worst else failure.outcome.reason,
        "Worst number": worst and worst_text(worst),
        "Begins at": first and f"layer {first.layer}, under {in_words(first.rule)}",
        "Looks like": failure.known.cause,
        "Smallest example": small and [tag("pre", small.text, tabindex=0), tag("span", sides, class_="line")],
        "Repeat it": tag("pre", tag("code", failure.command), tabindex=0),
        "Known of it": issues(failure.known.issues),
    }
    told = [[tag("dt", name), tag("dd", value)] for name, value in rows.items() if value]
    return tag("div", tag("h4", subject.title, " ", badge("failed")), tag("dl", told), class_="failure")


def worst_text(worst: Worst) -> str:
    return (f"at {shown(worst.index)}: {shown(worst.got, 17)} instead of {shown(worst.expected, 17)}, "
            f"off by {shown(worst.error, 3)}, where {shown(worst.bound, 3)} is allowed")
