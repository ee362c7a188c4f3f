"""The report in words: table, conventions, and each cause of failures with one case in full; several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import fill, wrap

from lrp_ref.conformance.diagnose.diagnosis import Told
from lrp_ref.conformance.diagnose.failures import Cause, Failure
from lrp_ref.conformance.judge.outcome import REFUSE, RIGHT, STATUSES
from lrp_ref.conformance.judge.run import Row
from lrp_ref.conformance.report.facts import (
    Comparison,
    Disagreement,
    Reply,
    Report,
    by_capability,
    commented,
    in_words,
)
from lrp_ref.conformance.report.told import sides_told, summary
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES, special
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.conventions.table import TABLE, phrase

WIDTH = 120
LAYERS = 44   # columns for the names of layers
REASONS = 5   # that are printed for a capability
CLAIMED = {True: "; claimed", False: "; not claimed"}
UNDECIDED = "rounding may take a number as far as it is large"
LISTED = 6   # cases of one cause that are named

Counts = Mapping[str, int]   # {status: how many cases}


def text(report: Report) -> str:
    """Table, conventions, and each cause of failures with one case in full."""
    counts = report.run.counts()
    parts = [f"{title(report)}, {on(report.suite)}", *summary(report), "\n".join(table(report)), *conventions(report),
             *unsupported(report), *undetermined(report), *causes(report)]
    total = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
    return "\n\n".join([*parts, f"{total}, of {report.suite.count}, in {report.run.seconds:.0f} s"])


def title(report: Report) -> str:
    return f"{report.name} {report.version}, {report.precision}"


def on(suite: Suite) -> str:
    return f"on {suite.count} cases of the vectors {suite.spec} ({suite.digest})"


def table(report: Report) -> list[str]:
    """Rule by layer: how many cases became what, of how many. Layers of which all became the same share a row."""
    head = ["rule", "layer", *STATUSES, "of"]
    rows = grouped([report.run.matrix()], lambda each: numbered(each[0], sum(each[0].values())))
    rows.append(["all", "", *numbered(report.run.counts(), report.suite.count)])
    return aligned([head, *rows], 2)


def grouped(matrices: Sequence[Sequence[Row]], cells: Callable[[Sequence[Counts]], list[str]]) -> list[list[str]]:
    """Rule, layers, and the cells of what each implementation counts; layers of one rule of which all became the same
    with every implementation share a row."""
    groups: dict[str, dict[tuple[object, ...], list[tuple[Row, ...]]]] = {}
    for each in zip(*matrices):
        became = [tuple(status for status in STATUSES if row.counts[status]) for row in each]
        rule, layer = each[0].place
        own = "" if all(len(there) == 1 for there in became) else layer
        groups.setdefault(rule, {}).setdefault((*became, own), []).append(each)
    rows = []
    for rule, here in groups.items():
        for n, group in enumerate(here.values()):
            first, *more = wrap(", ".join(each[0].place.layer for each in group), LAYERS)
            counts = cells([total(one) for one in zip(*group)])
            rows += [["" if n else rule, first, *counts], *(["", line, *[""] * len(counts)] for line in more)]
    return rows


def total(rows: Sequence[Row]) -> Counts:
    return {status: sum(row.counts[status] for row in rows) for status in STATUSES}


def numbered(counts: Counts, count: int) -> list[str]:
    return [*(str(counts[status] or "-") for status in STATUSES), str(count)]


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns of equal width, the first `left` of them to the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) if n < left else cell.rjust(width)
                      for n, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def conventions(report: Report) -> Iterator[str]:
    """What the numbers say about the questions that formulas leave open."""
    if not report.replies:
        return
    rows = [["*" if one.departs else " ", one.title, phrase(one.question, one.value), remark(one)]
            for one in report.replies]
    lines = ["conventions, as its numbers show them (* departs from the canonical answer)", *aligned(rows, 4)]
    yield "\n".join([*lines, *(f"! {sentence}" for sentence in report.contradicted)])


def remark(reply: Reply) -> str:
    parts = ["declared"] if reply.declared else []
    if reply.departs and reply.known:
        parts.append(f"as {', '.join(reply.known)}")
    return "; ".join(parts)


def unsupported(report: Report) -> Iterator[str]:
    """What it does not have: by what the cases need most, and by reason."""
    reasons: dict[str, dict[tuple[str, str], int]] = {}
    for one in report.run.outcomes:
        if one.status == "unsupported":
            here = reasons.setdefault(special(one.case), {})
            here[one.reason, one.url] = here.get((one.reason, one.url), 0) + 1
    lines = []
    for share in by_capability(report.run):
        if share.capability in reasons:
            rows = sorted(reasons[share.capability].items(), key=lambda pair: -pair[1])
            claimed = "" if share.claimed is None else CLAIMED[share.claimed]
            lines.append(f"{share.counts['unsupported']:4} of {share.count:<4} {share.capability}: "
                         f"{CAPABILITIES[share.capability].title}{claimed}")
            lines += [f"      {count:4}  {reason}{f' ({url})' if url else ''}"
                      for (reason, url), count in rows[:REASONS]]
            lines += [f"            and {len(rows) - REASONS} reasons more"] if len(rows) > REASONS else []
    if lines:
        yield "\n".join(["unsupported, by what the cases need, and why", *lines])


def undetermined(report: Report) -> Iterator[str]:
    """The cases of which nothing is known, by reason."""
    reasons: dict[str, list[str]] = {}
    for one in report.run.outcomes:
        if one.status == "undetermined":
            reasons.setdefault(one.reason or UNDECIDED, []).append(one.case.id)
    if reasons:
        rows = [filled(f"{len(ids):4}  ", f"{reason}: {', '.join(ids)}") for reason, ids in reasons.items()]
        yield "\n".join(["undetermined, and why", *rows])


def causes(report: Report) -> Iterator[str]:
    """The failures by what they have in common, the largest group first, each with its first case in full."""
    groups = by_cause(report)
    if groups:
        yield f"{plural(len(report.failures), 'case')} failed, for {plural(len(groups), 'cause')}"
    departures = {Cause(one.sentence): one for one in report.diagnosis.told}
    for n, (cause, group) in enumerate(groups, 1):
        here = departures.get(cause)
        head = fill(f"{n}. {plural(len(group), 'case')}: {cause.text}", WIDTH, subsequent_indent="   ")
        yield "\n".join([head, *indented(entries(group[0], here)), *indented(sides_told(here) if here else iter(())),
                         *indented(others(group[1:]))])


def by_cause(report: Report) -> list[tuple[Cause, list[Failure]]]:
    """The failures of every cause, the largest group first, and what must be refused last: as they are numbered."""
    groups: dict[Cause, list[Failure]] = {}
    for failure in report.failures:
        groups.setdefault(failure.cause, []).append(failure)
    own = set(groups)
    for cause, told in by_departure(report).items():   # a case of two departures is told under both
        groups.setdefault(cause, told)
    return sorted(groups.items(), key=lambda pair: (pair[0] not in own, pair[0].text == REFUSE, -len(pair[1])))


def by_departure(report: Report) -> dict[Cause, list[Failure]]:
    """The failures of every departure, also of those that another cause tells."""
    by_id = {failure.outcome.case.id: failure for failure in report.failures}
    return {Cause(one.sentence): [by_id[id] for id in one.ids if id in by_id] for one in report.diagnosis.told}


def plural(count: int, what: str) -> str:
    """1 case, 2 cases"""
    return f"{count} {what}{'' if count == 1 else 's'}"


def entries(failure: Failure, told: Told | None = None) -> Iterator[tuple[str, str]]:
    """(what, text) of a failure."""
    outcome = failure.outcome
    yield "case", f"{outcome.case.id} ({outcome.case.level}): {commented(outcome.case)}"
    if failure.first:
        yield "first wrong", f"layer {failure.first.layer}, {in_words(failure.first.rule)}"
    if worst := outcome.worst:
        yield "worst", (f"at {worst.index}: got {worst.got:.9g}, expected {worst.expected:.9g}, "
                        f"error {worst.error:.9g}, bound {worst.bound:.9g}")
    else:
        yield "reason", outcome.reason
        if outcome.raised:
            yield "raised at", outcome.raised.place
    if small := (told and told.example) or failure.counterexample:
        yield "smallest", f"{small.text} -> {small.got}, expected {small.expected}"
    yield "repeat", failure.command
    for issue in failure.known.issues:
        yield "known", issue


def others(rest: Sequence[Failure]) -> Iterator[tuple[str, str]]:
    if rest:
        yield "others", named_cases([one.outcome.case.id for one in rest])


def named_cases(ids: Sequence[str]) -> str:
    """All of them, if they are not too many."""
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return ", ".join(ids[:LISTED]) + more


def indented(lines: Iterator[tuple[str, str]]) -> Iterator[str]:
    for what, line in lines:
        yield filled(f"   {what:<12} ", line)


def filled(indent: str, line: str) -> str:
    """Lines of which the first begins with `indent`; ids and commands are left whole."""
    return fill(line, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_long_words=False,
                break_on_hyphens=False)


def comparison_text(comparison: Comparison) -> str:
    """The matrix with a column for every implementation, conventions side by side, and who fails what."""
    reports = comparison.reports
    names = [one.name for one in reports]
    parts = [f"{'; '.join(map(title, reports))}; {on(comparison.suite)}", "\n".join(side_by_side(reports))]
    if rows := reply_rows(reports):
        parts.append("\n".join(["conventions, as their numbers show them (* departs from the canonical answer)",
                                *aligned([["", *names], *rows], 1 + len(names))]))
    if differ := comparison.disagreements:
        parts.append("\n".join([f"{plural(len(differ), 'case')} on which they, or the expected answer, differ",
                                *indented(disagreements(differ, names))]))
    return "\n\n".join(parts)


def disagreements(differ: Sequence[Disagreement], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Who failed, and the cases; those that most cases have in common first."""
    groups: dict[str, list[str]] = {}
    for one in differ:
        apart = [f"{name} {outcome.status}" for name, outcome in zip(names, one.outcomes)
                 if outcome.status not in RIGHT]
        groups.setdefault(", ".join(apart) or "all passed, by conventions of their own", []).append(one.case.id)
    for statuses, here in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        yield plural(len(here), "case"), statuses
        yield "", named_cases(here)


def side_by_side(reports: Sequence[Report]) -> list[str]:
    """Right of all, and of those how many were unsupported or undetermined."""
    count = str(reports[0].suite.count)
    head = ["rule", "layer", *(one.name for one in reports), "of"]
    rows = grouped([one.run.matrix() for one in reports],
                   lambda each: [*map(cell, each), str(sum(each[0].values()))])
    rows.append(["all", "", *(cell(one.run.counts()) for one in reports), count])
    return [*aligned([head, *rows], 2), "right, and what is not: f failed, ? undetermined, - unsupported"]


def cell(counts: Counts) -> str:
    """12, or 9 2f 1-"""
    marks = {"failed": "f", "undetermined": "?", "unsupported": "-"}
    parts = [f"{counts[status]}{mark}" for status, mark in marks.items() if counts[status]]
    return " ".join([str(sum(counts[status] for status in RIGHT)), *parts])


def reply_rows(reports: Sequence[Report]) -> list[list[str]]:
    """A row for every question, with the reply of each."""
    replies = [{reply.question: reply for reply in one.replies} for one in reports]
    return [[question.title, *(said(one.get(name)) for one in replies)]
            for name, question in TABLE.items() if any(name in one for one in replies)]


def said(reply: Reply | None) -> str:
    return "not asked" if reply is None else f"{'*' if reply.departs else ''}{phrase(reply.question, reply.value)}"
