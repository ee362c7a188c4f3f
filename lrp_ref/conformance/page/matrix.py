"""Rule by layer by implementation: how many cases passed, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lrp_ref.conformance.adapter import claims
from lrp_ref.conformance.diagnose.every import as_diagnosed
from lrp_ref.conformance.judge.outcome import RIGHT, STATUSES
from lrp_ref.conformance.judge.run import Place, place
from lrp_ref.conformance.page.facts import Facts, Subject, state
from lrp_ref.conformance.page.html import Html, issue, join, slug, table, tag
from lrp_ref.conformance.page.words import FORMULAS, badge, mark
from lrp_ref.conformance.report.text import plural
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES, special

NETWORKS = "networks"   # of several layers, which need several capabilities
HIDDEN = "unseen"   # for screen readers


def matrix(facts: Facts) -> Html:
    head = [tag("th", "Rule and layer", scope="col"), *(tag("th", s.title, scope="col") for s in facts.subjects)]
    return tag(
        "section", tag("h2", "Rule by layer"),
        tag("p", "By what cases need. Passed cases of all cases, and beside them what became of the others. A library "
            "is judged on what it claims: the first line of a group counts what is right of the cases that it "
            "answers. The line of a rule speaks of the group's required cases alone, of those that are supported: it "
            "is ", badge("passed"), " only if all of them passed", signs() if facts.many else "", "."),
        table(head, [bodies(facts, capability, places) for capability, places in by_needs(facts).items()],
              caption="Passed cases by rule, layer and implementation", class_=widths(facts),
              style=f"--columns:{len(facts.subjects)}"),
        [unsupported(subject) for subject in facts.subjects], id="matrix")


def widths(facts: Facts) -> str:
    return f"matrix{' many' if len(facts.subjects) > 2 else ''}{' narrow' if facts.many else ''}"


def signs() -> Html:
    """What stands for the words in narrow columns."""
    told = [join(mark(status), f" {status}") for status in STATUSES[1:]]
    return join("; beside it ", [part for one in told for part in (", ", one)][1:])


def by_needs(facts: Facts) -> dict[str, dict[str, list[str]]]:
    """{capability: {rule: its layers}}, capabilities in the order of their table; of several layers NETWORKS, last."""
    of_place: dict[Place, str] = {}
    for case in facts.cases.values():
        of_place.setdefault(place(case), special(case) if len(case.layers) == 1 else NETWORKS)
    found: dict[str, dict[str, list[str]]] = {name: {} for name in (*CAPABILITIES, NETWORKS)}
    for rule, layers in facts.places():
        for layer in layers:
            found[of_place[Place(rule, layer)]].setdefault(rule, []).append(layer)
    return {name: rules for name, rules in found.items() if rules}


def bodies(facts: Facts, capability: str, rules: Mapping[str, list[str]]) -> list[Html]:
    """The line of a capability, and a body for every rule that has cases there."""
    places = {Place(rule, layer) for rule, layers in rules.items() for layer in layers}
    title = CAPABILITIES[capability].title if capability in CAPABILITIES else "networks of several layers"
    line = tag("tr", tag("th", tag("b", f"{capability}: "), title, scope="rowgroup"),
               [claimed_cell(subject, capability, places) for subject in facts.subjects], class_="head")
    first = tag("tbody", line, class_="capability", id=slug("capability", capability))
    return [first, *(body(facts, rule, layers, capability) for rule, layers in rules.items())]


def first_of(facts: Facts, rule: str) -> str:
    """The capability under which a rule stands first, and with its formula."""
    return next(capability for capability, rules in by_needs(facts).items() if rule in rules)


def claimed_cell(subject: Subject, capability: str, places: set[Place]) -> Html:
    """What is right of what it answers; that it does not claim the capability, or answers none."""
    claimed = claims(subject.report.run.adapter)
    if claimed is not None and capability in CAPABILITIES and capability not in claimed:
        return tag("td", tag("span", "not claimed", class_="quiet"), class_="none")
    counts = Counter(one.status for one in subject.outcomes.values() if place(one.case) in places)
    right, answered = sum(counts[status] for status in RIGHT), sum(counts.values()) - counts["unsupported"]
    if not answered:
        return tag("td", tag("span", "has none", class_="quiet"), class_="none")
    return tag("td", f"{right}/{answered}", class_=state({**counts, "unsupported": 0}))


def body(facts: Facts, rule: str, layers: list[str], capability: str) -> Html:
    """A rule's line of required cases, and a line for every layer."""
    told = rule in FORMULAS and first_of(facts, rule) == capability
    formula = tag("span", FORMULAS[rule], class_="formula") if told else None
    places = {Place(rule, layer) for layer in layers}
    first = tag("tr", tag("th", tag("span", rule, class_="rule"), formula, scope="rowgroup"),
                [required(subject, places, facts.many) for subject in facts.subjects], class_="head")
    return tag("tbody", first, [
        tag("tr", tag("th", "whole network" if layer == "network" else layer, scope="row"),
            [count_cell(subject, Place(rule, layer), facts.many) for subject in facts.subjects])
        for layer in layers], id=slug("rule", rule, capability))


def required(subject: Subject, places: set[Place], narrow: bool) -> Html:
    """Whether all required cases of a rule passed in these places; of how many that it supports."""
    counts = Counter(outcome.status for outcome in subject.outcomes.values()
                     if place(outcome.case) in places and outcome.case.level == "required")
    is_, total = state(counts), sum(counts.values()) - counts["unsupported"]
    words = {"passed": f"all {total}", "none": "none", "unsupported": "unsupported"}
    text = words.get(is_, f"{counts['passed']}/{total}")
    more = tag("span", " required", class_="word") if is_ != "unsupported" else None
    shown = tag("span", text, class_="word") if narrow and is_ == "unsupported" else text
    return tag("td", badge(is_, [shown, more]), class_=is_)


def other(status: str, count: int, narrow: bool) -> Any:
    """2 failed; in narrow columns with its sign in the place of its word, which stands there for screen readers."""
    return [mark(status), count, tag("span", f" {status}", class_="word")] if narrow else f"{count} {status}"


def count_cell(subject: Subject, where: Place, narrow: bool) -> Html:
    """passed / count, and every other status by its name."""
    row = subject.rows.get(where)
    if row is None:
        return tag("td", tag("span", "no case", class_="quiet"), class_="none")
    is_ = state(row.counts)
    if is_ == "unsupported" and narrow:   # eleven columns are mostly that: the sign says it
        return tag("td", tag("a", mark(is_), tag("b", f"0/{row.count}"), href="#" + slug("cases", *where)), class_=is_,
                   id=slug("cell", *where, subject.key))
    number = tag("a", mark(is_), tag("b", f"{row.counts['passed']}/{row.count}"), tag("span", " passed", class_=HIDDEN),
                 href="#" + slug("cases", *where))
    others = [tag("span", other(status, row.counts[status], narrow), class_=status)
              for status in reversed(STATUSES[1:]) if row.counts[status]]
    return tag("td", number, tag("span", others, class_="others") if others else None,
               class_=is_, id=slug("cell", *where, subject.key))


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
               bar(counts), tag("ul", totals, class_="totals"), apart or None, causes, formulas(subject),
               class_="card", id=slug("implementation", subject.key))


def formulas(subject: Subject) -> Html | None:
    """What every rule computes, layers with one formula together; those that are not canonical in full."""
    told = as_diagnosed(subject.report.run, subject.report.diagnosis)
    if not told:
        return None
    groups: dict[tuple[str, str], list[str]] = {}
    canonical: dict[str, list[str]] = {}
    for rule, layer, formula, right in sorted((*one.place, one.formula, one.canonical) for one in told):
        (canonical.setdefault(rule, []) if right else groups.setdefault((rule, formula), [])).append(layer)
    rows = [tag("li", f"{rule} on {', '.join(layers)} ", tag("code", formula))
            for (rule, formula), layers in groups.items()]
    rest = "; ".join(f"{rule} on {', '.join(layers)}" for rule, layers in canonical.items())
    return tag("details", tag("summary", "Its formulas: what an input gets of R = 1"),
               tag("ul", rows, tag("li", "As the published rule: ", rest, class_="quiet") if rest else None,
                   class_="formulas"))


def cards(facts: Facts, causes: Mapping[str, Html | None], first: Html | None = None) -> Html:
    return tag("section", tag("h2", "At a glance"), first,
               tag("div", join([card(facts, s, causes.get(s.key)) for s in facts.subjects]), class_="cards"),
               id="glance")
