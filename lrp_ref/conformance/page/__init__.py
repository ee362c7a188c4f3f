"""One static page, complete in itself, of what `lrp-ref compare` or `lrp-ref conform` found."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib import resources

from lrp_ref.conformance.page.cases import disagreements, not_refused
from lrp_ref.conformance.page.causes import groups, in_short
from lrp_ref.conformance.page.conventions import conventions
from lrp_ref.conformance.page.facts import by_case
from lrp_ref.conformance.page.html import Html, tag
from lrp_ref.conformance.page.listing import every_case
from lrp_ref.conformance.page.matrix import cards, matrix
from lrp_ref.conformance.page.overview import overview
from lrp_ref.conformance.page.parts import filter_, header, navigation, records
from lrp_ref.conformance.page.words import how_to_read, how_to_run
from lrp_ref.conformance.report.facts import Comparison, Report

__all__ = ["page"]


def page(given: Report | Comparison) -> str:
    """The HTML of what `compare` found, or `conform`, which is a comparison of one.

    It loads nothing, and reads without JavaScript; its script filters, and unfolds for print and for links.
    """
    told = by_case(given)
    style, script = contents("page.css"), contents("page.js")
    found = groups(told)
    short = {subject.key: in_short(found, subject) for subject in told.subjects}
    sections = [
        cards(told, short, overview(told) if told.many else None), matrix(told), conventions(told), filter_(told),
        disagreements(told, found), not_refused(told, found), records(told),
        every_case(told), how_to_read(), how_to_run([subject.report.run.command for subject in told.subjects])]
    title = f"LRP conformance: {', '.join(subject.title for subject in told.subjects)}"
    digest = b64encode(sha256(script.encode()).digest()).decode()
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"),
        tag("meta", name="color-scheme", content="light dark"), tag("link", rel="icon", href="data:,"),
        tag("title", title), tag("style", style))
    body = tag("body", header(told), navigation(told), tag("main", sections, id="main"), tag("script", script),
               class_="many" if told.many else None)
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def contents(name: str) -> Html:
    return Html((resources.files(__name__) / name).read_text(encoding="utf-8"))
