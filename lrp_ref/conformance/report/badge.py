"""A badge: how many of the cases that it supports an implementation passes, of which vectors, and where it departs."""

from __future__ import annotations

from html import escape

from lrp_ref.conformance.judge.outcome import RIGHT
from lrp_ref.conformance.report.facts import Report
from lrp_ref.conventions.table import phrase
from lrp_ref.hints import printable

NAMED = 2   # departures; how many more there are is said
LETTER, MARGIN, HEIGHT = 6.7, 10, 20   # pixels: a letter's width at 11 pixels, which `textLength` holds every font to
ALL, SOME = "#0a5f43", "#8a3a00"       # of white text on it: a contrast of more than 7
LABEL, DEPARTS = "#3d4751", "#5b5300"


def badge(report: Report) -> str:
    """SVG that needs nothing else. Green is for an implementation that passes all it supports, and nothing else."""
    parts = [(f"LRP vectors {report.suite.spec}", LABEL), (count(report), ALL if passes_all(report) else SOME)]
    if departures(report):
        parts.append((in_few(departures(report)), DEPARTS))
    return drawn(parts, f"{report.name} {report.version}: {sentence(report)}")


def passes_all(report: Report) -> bool:
    passed, supported = passed_of(report)
    return passed == supported > 0


def passed_of(report: Report) -> tuple[int, int]:
    """(passed, tightly or loosely; supported): what rounding leaves undetermined is supported, and not passed."""
    counts = report.run.counts()
    return sum(counts[status] for status in RIGHT), report.suite.count - counts["unsupported"]


def count(report: Report) -> str:
    passed, supported = passed_of(report)
    return f"{passed} of {supported} supported cases passed"


def departures(report: Report) -> list[str]:
    """Every answer of its own to a question that formulas leave open."""
    return [f"{one.title}: {phrase(one.question, one.value)}" for one in report.replies if one.departs]


def in_few(departs: list[str]) -> str:
    more = f" and {len(departs) - NAMED} more" if len(departs) > NAMED else ""
    return f"departs in {'; '.join(departs[:NAMED])}{more}"


def sentence(report: Report) -> str:
    """All of it, for who points at the badge or hears it."""
    counts = report.run.counts()
    rest = ", ".join(f"{counts[status]} {status}" for status in ("failed", "undetermined", "unsupported"))
    suite = report.suite
    whole = f"{count(report)} of the LRP vectors {suite.spec} ({suite.digest}); {rest}, of {suite.count}"
    return ". ".join([whole, *([f"It departs in {'; '.join(departures(report))}"] if departures(report) else [])]) + "."


def drawn(parts: list[tuple[str, str]], title: str) -> str:
    x, boxes = 0, ""
    for words, colour in parts:
        length = round(LETTER * len(printable(words)))
        boxes += (f'<rect x="{x}" width="{length + 2 * MARGIN}" height="{HEIGHT}" fill="{colour}"/>'
                  f'<text x="{x + MARGIN}" y="14" textLength="{length}">{escape(printable(words))}</text>')
        x += length + 2 * MARGIN
    told = escape(printable(title))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{x}" height="{HEIGHT}" role="img" aria-label="{told}">'
            f'<title>{told}</title><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
            f"{boxes}</g></svg>\n")
