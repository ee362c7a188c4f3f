"""The list of all cases, by rule and layer: what the cells of the matrix link to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from lrp_ref.conformance.judge.run import Place, place
from lrp_ref.conformance.page.cases import filtered, flag
from lrp_ref.conformance.page.facts import Facts
from lrp_ref.conformance.page.html import Html, join, slug, table, tag
from lrp_ref.conformance.page.matrix import reasons
from lrp_ref.conformance.page.question import question
from lrp_ref.conformance.page.words import badge
from lrp_ref.conformance.vectors.case import Case


def every_case(facts: Facts) -> Html:
    """A line per case; those of disagreements lead to their numbers."""
    order = [Place(rule, layer) for rule, layers in facts.places() for layer in layers]
    cases = sorted(facts.cases.values(), key=lambda case: order.index(place(case)))
    rules = [(rule, list(some)) for rule, some in groupby(cases, key=lambda case: case.rule)]
    return tag(
        "section", tag("h2", "All cases"), tag("p", "Those that are told above link to their numbers."),
        [tag("details", tag("summary", tag("h3", rule), " ", tag("span", len(some), class_="count")),
             cases_of(facts, rule, some)) for rule, some in rules], id="cases")


def cases_of(facts: Facts, rule: str, cases: Sequence[Case]) -> Html:
    told = {id for subject in facts.subjects for id in subject.failures} | set(facts.disagreements)
    whys = {(subject.key, id): slug("why", subject.key, n) for subject in facts.subjects
            for n, ids in enumerate(reasons(subject).values(), 1) for id in ids}
    head = ["Case", "Level, and what is special", *(subject.title for subject in facts.subjects)]

    def bodies() -> Iterator[Html]:
        for (_, layer), some in groupby(cases, key=place):
            name = "whole network" if layer == "network" else layer
            first = tag("tr", tag("th", name, scope="rowgroup", colspan=len(head)), class_="head")
            yield tag("tbody", first, [line(facts, case, case.id in told, whys) for case in some],
                      id=slug("cases", rule, layer))

    return table([tag("th", name, scope="col") for name in head], bodies(), caption=f"Cases of {rule}",
                 class_="cases narrow" if facts.many else "cases")


def line(facts: Facts, case: Case, told: bool, whys: Mapping[tuple[str, str], str]) -> Html:
    own = slug("case", case.id)
    name = tag("a", tag("code", case.id), href=f"#{own}") if told else join(tag("code", case.id), question(case))
    about = " · ".join([case.level, *map(flag, case.flags)])
    return tag("tr", tag("th", name, scope="row"), tag("td", about, class_="quiet"),
               [status_cell(facts, subject.status(case.id), whys.get((subject.key, case.id)))
                for subject in facts.subjects],
               id=None if told else own, **filtered(facts, case))


def status_cell(facts: Facts, status: str, why: str | None) -> Html:
    """The status, in narrow columns by its sign; one that is unsupported leads to the reason."""
    if not status:
        return tag("td", tag("span", "not run", class_="quiet"))
    told = badge(status, tag("span", status, class_="word")) if facts.many else badge(status)
    return tag("td", tag("a", told, href=f"#{why}") if why else told)
