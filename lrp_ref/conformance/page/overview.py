"""Many implementations at a glance: a line for each, with what became of its cases."""

from __future__ import annotations

from lrp_ref.conformance.judge.outcome import RIGHT
from lrp_ref.conformance.page.facts import Facts, Subject
from lrp_ref.conformance.page.html import Html, slug, table, tag
from lrp_ref.conformance.page.matrix import bar

COLUMNS = {"right": "passed, tightly or loosely", "wrong": "answered wrongly, or with an error",
           "not refused": "answered what must be refused", "?": "undetermined: rounding decides",
           "lacks": "unsupported: no such rule or layer"}


def overview(facts: Facts) -> Html:
    head = [tag("th", "Implementation", scope="col"),
            *(tag("th", name, scope="col", title=about) for name, about in COLUMNS.items()),
            tag("th", "right, of what it supports", scope="col")]
    return tag("div", table(head, tag("tbody", [line(subject) for subject in facts.subjects]),
                            caption=f"{facts.suite.count} cases for each: how many are what", class_="overview"),
               tag("p", "; ".join(f"{name}: {about}" for name, about in COLUMNS.items()),
                   ". Shares do not rank libraries: "
                   "who supports more is asked more.", class_="quiet"))


def line(subject: Subject) -> Html:
    counts = subject.report.run.counts()
    right, supported = sum(counts[status] for status in RIGHT), supports(subject)
    numbers = (right, counts["failed"] - len(subject.unrefused), len(subject.unrefused), counts["undetermined"],
               counts["unsupported"])
    share = f"{right} of {supported}" + (f", {100 * right // supported} %" if supported else "")
    return tag("tr", tag("th", tag("a", subject.title, href="#" + slug("implementation", subject.key)), scope="row"),
               [tag("td", number or tag("span", "0", class_="quiet")) for number in numbers],
               tag("td", bar(counts), tag("span", share, class_="quiet")))


def supports(subject: Subject) -> int:
    counts = subject.report.run.counts()
    return sum(counts.values()) - counts["unsupported"]
