"""The list of all cases, by rule and layer: what the cells of the matrix link to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from lrp_ref.conformance.page.cases import filtered, flag
from lrp_ref.conformance.page.facts import Entry, Facts, Subject
from lrp_ref.conformance.page.html import Html, slug, table, tag
from lrp_ref.conformance.page.matrix import reasons
from lrp_ref.conformance.page.words import badge

Pair = tuple[str, Entry]


def every_case(facts: Facts) -> Html:
    """A line per case; those of disagreements lead to their numbers."""
    order = {place: n for n, place in enumerate((rule, layer) for rule, layers in facts.places() for layer in layers)}
    pairs = sorted(facts.cases.items(), key=lambda pair: order.get(place(pair), len(order)))
    rules = [(rule, list(some)) for rule, some in groupby(pairs, key=lambda pair: str(pair[1]["rule"]))]
    return tag(
        "section", tag("h2", "All cases"), tag("p", "Those that are told above link to their numbers."),
        [tag("details", tag("summary", tag("h3", rule), " ", tag("span", len(some), class_="count")),
             listed(facts, rule, some)) for rule, some in rules], id="cases")


def place(pair: Pair) -> tuple[str, str]:
    return pair[1]["rule"], pair[1]["layer"]


def listed(facts: Facts, rule: str, pairs: Sequence[Pair]) -> Html:
    told = {id for subject in facts.subjects for id in subject.failures} | set(facts.disagreements)
    whys = {(subject.key, id): slug("why", subject.key, n) for subject in facts.subjects
            for n, ids in enumerate(reasons(subject).values(), 1) for id in ids}
    head = ["Case", "Level, and what is special", *(subject.title for subject in facts.subjects)]

    def bodies() -> Iterator[Html]:
        for (_, layer), some in groupby(pairs, key=place):
            name = "whole network" if layer == "network" else layer
            first = tag("tr", tag("th", name, scope="rowgroup", colspan=len(head)), class_="head")
            yield tag("tbody", first, [line(facts, id, entry, id in told, whys) for id, entry in some],
                      id=slug("cases", rule, layer))

    return table([tag("th", name, scope="col") for name in head], bodies(), caption=f"Cases of {rule}", class_="cases")


def line(facts: Facts, id: str, entry: Entry, told: bool, whys: Mapping[tuple[str, str], str]) -> Html:
    own = slug("case", id)
    name = tag("a", tag("code", id), href=f"#{own}") if told else tag("code", id)
    about = " · ".join([entry["level"], *map(flag, entry.get("flags", ()))])
    return tag("tr", tag("th", name, scope="row"), tag("td", about, class_="quiet"),
               [status(subject, id, whys.get((subject.key, id))) for subject in facts.subjects],
               id=None if told else own, **filtered(facts, id, entry))


def status(subject: Subject, id: str, why: str | None) -> Html:
    """The status; one that is unsupported leads to the reason."""
    is_ = subject.status(id)
    if not is_:
        return tag("td", tag("span", "not run", class_="quiet"))
    return tag("td", tag("a", badge(is_), href=f"#{why}") if why else badge(is_))
