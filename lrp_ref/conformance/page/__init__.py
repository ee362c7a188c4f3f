"""One static page, complete in itself, of what `lrp-ref compare` or `lrp-ref conform` found."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib import resources

from lrp_ref.conformance.page.cases import disagreements, every_case
from lrp_ref.conformance.page.causes import causes, in_short
from lrp_ref.conformance.page.conventions import conventions
from lrp_ref.conformance.page.facts import STATUSES, Entry, Facts, read
from lrp_ref.conformance.page.html import Html, issues, join, slug, tag
from lrp_ref.conformance.page.matrix import cards, matrix
from lrp_ref.conformance.page.words import how_to_read, how_to_run

__all__ = ["page"]


def page(facts: Entry) -> str:
    """The HTML of a report: that of `compare`, or that of `conform`, which is a comparison of one.

    It loads nothing, and reads without JavaScript; its script filters, and unfolds for print and for links.
    """
    told = read(facts)
    style, script = contents("page.css"), contents("page.js")
    found = causes(told)
    sections = [
        cards(told, {s.key: in_short(told, found, s) or Html() for s in told.subjects}), matrix(told), conventions(told),
        filter_(told), disagreements(told, found), records(told), every_case(told), how_to_read(),
        how_to_run([subject.name for subject in told.subjects])]
    title = f"LRP conformance: {', '.join(subject.title for subject in told.subjects)}"
    digest = b64encode(sha256(script.encode()).digest()).decode()
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"),
        tag("meta", name="color-scheme", content="light dark"), tag("link", rel="icon", href="data:,"),
        tag("title", title), tag("style", style))
    body = tag("body", header(told), contents_of(told), tag("main", sections, id="main"), tag("script", script))
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def contents(name: str) -> Html:
    return Html((resources.files(__name__) / name).read_text(encoding="utf-8"))


def header(facts: Facts) -> Html:
    vectors, names = facts.vectors, listed([subject.title for subject in facts.subjects])
    meta = [("Vectors", f"{vectors['count']} cases, specification {vectors['spec']}"), ("Digest", vectors["digest"]),
            ("Implementations" if len(facts.subjects) > 1 else "Implementation", names), ("Date", facts.date)]
    return tag(
        "header", tag("a", "Skip to the results", href="#main", class_="skip"), tag("h1", "LRP conformance"),
        tag("p", f"Layer-wise Relevance Propagation as {names} {'compute' if len(facts.subjects) > 1 else 'computes'} it, "
            f"held to {vectors['count']} cases whose exact answers are known. Where a library departs from the published "
            "rule, this page says at which layer, by which convention, by how much, and with which command to see it.",
            class_="lead"),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in meta if value], class_="meta"))


def listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def contents_of(facts: Facts) -> Html:
    places = {"glance": "At a glance", "matrix": "Matrix",
              "conventions": "Conventions" if any(s.run["conventions"] for s in facts.subjects) else "",
              "disagreements": "Disagreements", "records": "Records" if facts.records else "", "cases": "All cases",
              "read": "How to read it", "run": "How to run it"}
    return tag("nav", tag("ul", [tag("li", tag("a", name, href=f"#{id}")) for id, name in places.items() if name]),
               aria_label="On this page")


def filter_(facts: Facts) -> Html:
    """Shown by the script, since nothing filters without it."""
    def choice(label: str, name: str, options: dict[str, str]) -> Html:
        return tag("label", f"{label} ", tag("select", [tag("option", word, value=value)
                                                       for value, word in options.items()], name=name))

    status = {"": "passed or not", "!": "did not pass", **{status: status for status in STATUSES}}
    who = {"": "any implementation", **{str(n): subject.title for n, subject in enumerate(facts.subjects)}}
    rules = {"": "any rule", **{rule: rule for rule, _ in facts.places()}}
    return tag(
        "form", choice("Cases that", "subject", who) if len(facts.subjects) > 1 else None,
        choice("" if len(facts.subjects) > 1 else "Cases that", "status", status), choice("under", "rule", rules),
        tag("button", "Unfold all", type="button", name="unfold"), tag("button", "Fold all", type="button", name="fold"),
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
        tag("div", [tag(
            "article", tag("h3", record["title"], " ", tag("span", "never run", class_="count")), tag("p", record["question"]),
            tag("dl", join([[tag("dt", who), tag("dd", answer)] for who, answer in record["answers"].items()])),
            tag("p", "Known: ", issues(record["issues"])) if record.get("issues") else None,
            class_="record", id=slug("record", record["id"])) for record in facts.records], class_="records"),
        id="records")
