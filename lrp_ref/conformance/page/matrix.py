"""Rule by layer by implementation: how many cases passed, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lrp_ref.conformance.judge.outcome import STATUSES
from lrp_ref.conformance.judge.run import Place
from lrp_ref.conformance.page.facts import Facts, Subject, state
from lrp_ref.conformance.page.html import Html, issue, join, slug, table, tag
from lrp_ref.conformance.page.words import FORMULAS, badge, mark
from lrp_ref.conformance.report.text import plural

HIDDEN = "unseen"   # for screen readers


def matrix(facts: Facts) -> Html:
    head = [tag("th", "Rule and layer", scope="col"), *(tag("th", s.title, scope="col") for s in facts.subjects)]
    return tag(
        "section", tag("h2", "Rule by layer"),
        tag("p", "Passed cases of all cases, and beside them what became of the others. The line of a rule speaks of "
            "its required cases alone, of those that are supported: it is ", badge("passed"), " only if all of them "
            "passed", signs() if facts.many else "", "."),
        table(head, [body(facts, rule, layers) for rule, layers in facts.places()],
              caption="Passed cases by rule, layer and implementation", class_=widths(facts),
              style=f"--columns:{len(facts.subjects)}"),
        [unsupported(subject) for subject in facts.subjects], id="matrix")


def widths(facts: Facts) -> str:
    return f"matrix{' many' if len(facts.subjects) > 2 else ''}{' narrow' if facts.many else ''}"


def signs() -> Html:
    """What stands for the words in narrow columns."""
    told = [join(mark(status), f" {status}") for status in STATUSES[1:]]
    return join("; beside it ", [part for one in told for part in (", ", one)][1:])


def body(facts: Facts, rule: str, layers: list[str]) -> Html:
    """A rule's line of required cases, and a line for every layer."""
    formula = tag("span", FORMULAS[rule], class_="formula") if rule in FORMULAS else None
    first = tag("tr", tag("th", tag("span", rule, class_="rule"), formula, scope="rowgroup"),
                [required(subject, rule, facts.many) for subject in facts.subjects], class_="head")
    return tag("tbody", first, [
        tag("tr", tag("th", "whole network" if layer == "network" else layer, scope="row"),
            [count_cell(subject, Place(rule, layer), facts.many) for subject in facts.subjects])
        for layer in layers], id=slug("rule", rule))


def required(subject: Subject, rule: str, narrow: bool) -> Html:
    """Whether all required cases of a rule passed; of how many that it supports."""
    counts = Counter(outcome.status for outcome in subject.outcomes.values()
                     if outcome.case.rule == rule and outcome.case.level == "required")
    is_, total = state(counts), sum(counts.values()) - counts["unsupported"]
    words = {"passed": f"all {total}", "none": "none", "unsupported": "unsupported"}
    text = words.get(is_, f"{counts['passed']}/{total}")
    more = tag("span", " required", class_="word") if is_ != "unsupported" else None
    shown = tag("span", text, class_="word") if narrow and is_ == "unsupported" else text
    return tag("td", badge(is_, [shown, more]), class_=is_)


def other(status: str, count: int, narrow: bool) -> Any:
    """2 failed; in narrow columns with its sign in the place of its word, which stands there for screen readers."""
    return [mark(status), count, tag("span", f" {status}", class_="word")] if narrow else f"{count} {status}"


def count_cell(subject: Subject, place: Place, narrow: bool) -> Html:
    """passed / count, and every other status by its name."""
    row = subject.rows.get(place)
    if row is None:
        return tag("td", tag("span", "no case", class_="quiet"), class_="none")
    is_ = state(row.counts)
    number = tag("a", mark(is_), tag("b", f"{row.counts['passed']}/{row.count}"), tag("span", " passed", class_=HIDDEN),
                 href="#" + slug("cases", *place))
    others = [tag("span", other(status, row.counts[status], narrow), class_=status)
              for status in reversed(STATUSES[1:]) if row.counts[status]]
    hidden = " word" if narrow and is_ == "unsupported" else ""   # which the cell says already
    return tag("td", number, tag("span", others, class_=f"others{hidden}") if others else None,
               class_=is_, id=slug("cell", *place, subject.key))


# ---- What is unsupported, and how much in all ----


def reasons(subject: Subject) -> dict[tuple[str, str], list[str]]:
    """{(why, issue): ids} of what is unsupported, the most frequent first."""
    found: dict[tuple[str, str], list[str]] = {}
    for id, outcome in subject.outcomes.items():
        if outcome.status == "unsupported":
            found.setdefault((outcome.reason or "no reason given", outcome.url), []).append(id)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def unsupported(subject: Subject) -> Html | None:
    found = reasons(subject)
    if not found:
        return None
    return tag(
        "details", tag("summary", f"What {subject.title} does not support: {sum(map(len, found.values()))} cases"),
        tag("ul", [tag("li", why, " ", tag("span", plural(len(ids), "case"), class_="quiet"),
                       [" ", issue(url)] if url else None, id=slug("why", subject.key, n))
                   for n, ((why, url), ids) in enumerate(found.items(), 1)]))


def bar(counts: Mapping[str, int]) -> Html:
    """The counts as lengths; the numbers stand beside it."""
    return tag("div", [tag("span", class_=status, style=f"flex-grow:{counts[status]}")
                       for status in STATUSES if counts[status]], class_="bar", aria_hidden="true")


def card(facts: Facts, subject: Subject, causes: Html | None) -> Html:
    """One implementation at a glance; loud where fewer cases ran than the manifest has."""
    counts, promised = subject.report.run.counts(), facts.suite.count
    ran = sum(counts.values())
    totals = [tag("li", tag("b", counts[status]), " ", badge(status)) for status in STATUSES]   # those of 0 too
    missed = len(subject.unrefused)
    apart = missed and tag("p", tag("a", f"{missed} of the failed", href="#" + slug("refused", subject.key)),
                           " are inputs that must be refused, and were answered.", class_="quiet")
    short = ran != promised and tag("p", f"{ran} cases are accounted for, and the manifest has {promised}: this run is "
                                    "not complete.", class_="warning")
    return tag("article", tag("h3", subject.title),
               tag("p", f"{subject.report.precision} · {ran} of {promised} cases", class_="quiet"), short,
               [tag("p", f"It {sentence}.", class_="warning") for sentence in subject.report.contradicted],
               bar(counts), tag("ul", totals, class_="totals"), apart or None, causes,
               class_="card", id=slug("implementation", subject.key))


def cards(facts: Facts, causes: Mapping[str, Html | None], first: Html | None = None) -> Html:
    return tag("section", tag("h2", "At a glance"), first,
               tag("div", join([card(facts, s, causes.get(s.key)) for s in facts.subjects]), class_="cards"),
               id="glance")
