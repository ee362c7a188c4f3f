"""What stands around the results: the header, the contents, the filter, and the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrp_ref.conformance.judge.outcome import STATUSES
from lrp_ref.conformance.page.facts import Facts
from lrp_ref.conformance.page.html import Html, issues, slug, tag
from lrp_ref.conformance.vectors.suite import Record


def header(facts: Facts) -> Html:
    suite, names = facts.suite, enumerated([subject.title for subject in facts.subjects])
    several = len(facts.subjects) > 1
    they = f"{len(facts.subjects)} implementations" if facts.many else names
    meta = [("Vectors", f"{suite.count} cases, specification {suite.spec}"), ("Digest", suite.digest),
            ("Implementations" if several else "Implementation", names)]
    return tag(
        "header", tag("a", "Skip to the results", href="#main", class_="skip"), tag("h1", "LRP conformance"),
        tag("p", f"Layer-wise Relevance Propagation as {they} {'compute' if several else 'computes'} it, held to "
            f"{suite.count} cases whose exact answers are known. Where a library departs from the published rule, "
            "this page says at which layer, by which convention, by how much, and with which command to see it.",
            class_="lead"),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in meta], class_="meta"))


def enumerated(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def navigation(facts: Facts) -> Html:
    places = {"glance": "At a glance", "matrix": "Matrix",
              "conventions": "Conventions" if any(s.report.replies for s in facts.subjects) else "",
              "disagreements": "Disagreements",
              "refused": "Not refused" if any(s.unrefused for s in facts.subjects) else "",
              "records": "Records" if facts.records else "", "cases": "All cases",
              "read": "How to read it", "run": "How to run it"}
    return tag("nav", tag("ul", [tag("li", tag("a", name, href=f"#{id}")) for id, name in places.items() if name]),
               aria_label="On this page")


def filter_(facts: Facts) -> Html:
    """Shown by the script, since nothing filters without it."""
    def choice(label: str, name: str, options: Mapping[str, str]) -> Html:
        words = [tag("option", word, value=value) for value, word in options.items()]
        return tag("label", f"{label} ", tag("select", words, name=name))

    status = {"": "passed or not", "!": "did not pass", **{status: status for status in STATUSES}}
    who = {"": "any implementation", **{str(n): subject.title for n, subject in enumerate(facts.subjects)}}
    rules = {"": "any rule", **{rule: rule for rule, _ in facts.places()}}
    choices = [choice("Cases that", "subject", who), choice("", "status", status)]
    if len(facts.subjects) == 1:
        choices = [choice("Cases that", "status", status)]
    return tag(
        "form", choices, choice("under", "rule", rules), tag("button", "Unfold all", type="button", name="unfold"),
        tag("button", "Fold all", type="button", name="fold"),
        tag("output", aria_live="polite"), id="filter", aria_label="Which cases to show below", hidden=True)


def records(facts: Facts) -> Html | None:
    """Disagreements that no case can hold: numbers and a sentence."""
    if not facts.records:
        return None
    return tag(
        "section", tag("h2", "Records"),
        tag("p", f"{len(facts.records)} known disagreements that no case can hold, because they need layers, graphs or "
            "calls that the cases do not have. They were never run here and count nowhere; the numbers are those that "
            "were seen in the versions named."),
        tag("div", map(record, facts.records), class_="records"), id="records")


def record(one: Record) -> Html:
    return tag(
        "article", tag("h3", one.title, " ", tag("span", "never run", class_="count")),
        tag("p", one.question),
        tag("dl", [[tag("dt", who), tag("dd", answer)] for who, answer in one.answers.items()]),
        tag("p", "Known: ", issues(one.issues)) if one.issues else None, class_="record",
        id=slug("record", one.id))
