"""The report in words: table, conventions, and each cause of failures with one case in full; several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import fill, wrap
from typing import Any

from lrp_ref.conformance.adapter import NUMBERS
from lrp_ref.conformance.diagnose.failures import Facts
from lrp_ref.conformance.judge.outcome import STATUSES
from lrp_ref.conventions.table import TABLE, departs, phrase

WIDTH = 120
LAYERS = 44   # columns for the names of layers
REASONS = 12   # that are printed
UNDECIDED = "rounding may take a number as far as it is large"
LISTED = 6   # cases of one cause that are named


def text(facts: Facts) -> str:
    """Table, conventions, and each cause of failures with one case in full."""
    adapter, counts = facts["adapter"], facts["counts"]
    parts = [f"{named(adapter)}, {on(facts['vectors'])}", "\n".join(table(facts)), *conventions(facts),
             *unsupported(facts), *undetermined(facts), *causes(facts)]
    total = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
    return "\n\n".join([*parts, f"{total}, of {facts['vectors']['count']}, in {facts['seconds']:.0f} s"])


def named(adapter: Facts) -> str:
    return f"{adapter['name']} {adapter['version']}, {NUMBERS[adapter['unit_roundoff']].__name__}"


def on(vectors: Facts) -> str:
    return f"on {vectors['count']} cases of the vectors {vectors['spec']} ({vectors['digest']})"


def table(facts: Facts) -> list[str]:
    """Rule by layer: how many cases became what, of how many. Layers of which all became the same share a row."""
    head = ["rule", "layer", *STATUSES, "of"]
    rows = grouped([facts["matrix"]], lambda each: numbers(each[0]))
    rows.append(["all", "", *numbers({**facts["counts"], "count": facts["vectors"]["count"]})])
    return aligned([head, *rows], 2)


def grouped(matrices: Sequence[Sequence[Facts]], cells: Callable[[list[Facts]], list[str]]) -> list[list[str]]:
    """Rule, layers, and the cells of what each implementation counts; layers of one rule of which all became the same
    with every implementation share a row."""
    groups: dict[str, dict[tuple[Any, ...], list[tuple[Facts, ...]]]] = {}
    for each in zip(*matrices):
        became = [tuple(status for status in STATUSES if row[status]) for row in each]
        own = "" if all(len(there) == 1 for there in became) else each[0]["layer"]
        groups.setdefault(each[0]["rule"], {}).setdefault((*became, own), []).append(each)
    rows = []
    for rule, here in groups.items():
        for n, group in enumerate(here.values()):
            first, *more = wrap(", ".join(each[0]["layer"] for each in group), LAYERS)
            counts = cells([total(one) for one in zip(*group)])
            rows += [["" if n else rule, first, *counts], *(["", line, *[""] * len(counts)] for line in more)]
    return rows


def total(rows: Sequence[Facts]) -> Facts:
    return {key: sum(row[key] for row in rows) for key in (*STATUSES, "count")}


def numbers(row: Mapping[str, Any]) -> list[str]:
    return [*(str(row[status] or "-") for status in STATUSES), str(row["count"])]


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns of equal width, the first `left` of them to the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) if n < left else cell.rjust(width)
                      for n, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def conventions(facts: Facts) -> Iterator[str]:
    """What the numbers say about the questions that formulas leave open."""
    if not facts["conventions"]:
        return
    rows = [["*" if departs(entry) else " ", entry["title"], phrase(entry["question"], entry["value"]), remark(entry)]
            for entry in facts["conventions"]]
    lines = ["conventions, as its numbers show them (* departs from the canonical answer)", *aligned(rows, 4)]
    yield "\n".join([*lines, *(f"! {sentence}" for sentence in facts["contradicted"])])


def remark(entry: Facts) -> str:
    parts = ["declared"] if entry["declared"] else []
    if departs(entry) and entry["known"]:
        parts.append(f"as {', '.join(entry['known'])}")
    return "; ".join(parts)


def unsupported(facts: Facts) -> Iterator[str]:
    """What it does not have, by reason."""
    reasons: dict[tuple[str, str], int] = {}
    for one in facts["outcomes"]:
        if one["status"] == "unsupported":
            reasons[one["reason"], one["url"]] = reasons.get((one["reason"], one["url"]), 0) + 1
    if reasons:
        rows = sorted(reasons.items(), key=lambda pair: -pair[1])
        lines = [f"{count:4}  {reason}{f' ({url})' if url else ''}" for (reason, url), count in rows[:REASONS]]
        more = [f"      and {len(rows) - REASONS} reasons more"] if len(rows) > REASONS else []
        yield "\n".join(["unsupported, and why", *lines, *more])


def undetermined(facts: Facts) -> Iterator[str]:
    """The cases of which nothing is known, by reason."""
    reasons: dict[str, list[str]] = {}
    for one in facts["outcomes"]:
        if one["status"] == "undetermined":
            reasons.setdefault(one["reason"] or UNDECIDED, []).append(one["id"])
    if reasons:
        rows = [filled(f"{len(ids):4}  ", f"{reason}: {', '.join(ids)}") for reason, ids in reasons.items()]
        yield "\n".join(["undetermined, and why", *rows])


def causes(facts: Facts) -> Iterator[str]:
    """The failures by what they have in common, the largest group first, each with its first case in full."""
    groups: dict[str, list[Facts]] = {}
    for failure in facts["failures"]:
        groups.setdefault(failure["cause"], []).append(failure)
    if groups:
        yield f"{counted(len(facts['failures']), 'case')} failed, for {counted(len(groups), 'cause')}"
    for n, group in enumerate(sorted(groups.values(), key=len, reverse=True), 1):
        head = fill(f"{n}. {counted(len(group), 'case')}: {group[0]['cause']}", WIDTH, subsequent_indent="   ")
        yield "\n".join([head, *indented(told(group[0])), *indented(others(group[1:]))])


def counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def told(failure: Facts) -> Iterator[tuple[str, str]]:
    """(what, text) of a failure."""
    yield "case", f"{failure['id']} ({failure['level']}): {failure['comment']}"
    if failure["first"]:
        yield "first wrong", f"layer {failure['first']['layer']}, {failure['first']['rule']}"
    if failure["worst"]:
        worst = failure["worst"]
        got, expected, error, bound = (shown(worst[name]) for name in ("got", "expected", "error", "bound"))
        yield "worst", f"at {tuple(worst['index'])}: got {got}, expected {expected}, error {error}, bound {bound}"
    else:
        yield "reason", failure["reason"]
    if failure["likeness"] and failure["likeness"]["also"]:
        yield "also", failure["likeness"]["also"]
    if failure["counterexample"]:
        small = failure["counterexample"]
        yield "smallest", f"{small['text']} -> {small['got']}, expected {small['expected']}"
    yield "repeat", failure["command"]
    for issue in failure["issues"]:
        yield "known", issue


def others(rest: Sequence[Facts]) -> Iterator[tuple[str, str]]:
    if rest:
        yield "others", named_cases(rest)


def named_cases(cases: Sequence[Facts]) -> str:
    """Their ids, if they are not too many."""
    more = f" and {len(cases) - LISTED} more" if len(cases) > LISTED else ""
    return ", ".join(case["id"] for case in cases[:LISTED]) + more


def shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"


def indented(lines: Iterator[tuple[str, str]]) -> Iterator[str]:
    for what, line in lines:
        yield filled(f"   {what:<12} ", line)


def filled(indent: str, line: str) -> str:
    """Lines of which the first begins with `indent`; ids and commands are left whole."""
    return fill(line, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_long_words=False,
                break_on_hyphens=False)


def comparison_text(facts: Facts) -> str:
    """The matrix with a column for every implementation, conventions side by side, and who fails what."""
    each = facts["implementations"]
    names = [one["adapter"]["name"] for one in each]
    about = "; ".join(named(one["adapter"]) for one in each)
    parts = [f"{about}; {on(facts['vectors'])}", "\n".join(side_by_side(each, names))]
    if rows := asked(each):
        parts.append("\n".join(["conventions, as their numbers show them (* departs from the canonical answer)",
                                *aligned([["", *names], *rows], 1 + len(names))]))
    if differ := facts["disagreements"]:
        parts.append("\n".join([f"{counted(len(differ), 'case')} on which they, or the expected answer, differ",
                                *indented(disagreements(differ))]))
    return "\n\n".join(parts)


def disagreements(differ: Sequence[Facts]) -> Iterator[tuple[str, str]]:
    """Who failed, and the cases; those that most cases have in common first."""
    groups: dict[str, list[Facts]] = {}
    for one in differ:
        apart = [f"{name} {status}" for name, status in one["statuses"].items() if status not in ("passed", "loose")]
        groups.setdefault(", ".join(apart) or "all passed, by conventions of their own", []).append(one)
    for statuses, here in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        yield counted(len(here), "case"), statuses
        yield "", named_cases(here)


def side_by_side(each: Sequence[Facts], names: Sequence[str]) -> list[str]:
    """Right of all, and of those how many were unsupported or undetermined."""
    head = ["rule", "layer", *names, "of"]
    rows = grouped([one["matrix"] for one in each], lambda counts: [*map(cell, counts), str(counts[0]["count"])])
    totals = [cell({**one["counts"], "count": one["vectors"]["count"]}) for one in each]
    rows.append(["all", "", *totals, str(each[0]["vectors"]["count"])])
    return [*aligned([head, *rows], 2), "right, and what is not: f failed, ? undetermined, - unsupported"]


def cell(row: Mapping[str, Any]) -> str:
    """12, or 9 2f 1-"""
    marks = {"failed": "f", "undetermined": "?", "unsupported": "-"}
    parts = [f"{row[status]}{mark}" for status, mark in marks.items() if row[status]]
    return " ".join([str(row["passed"] + row["loose"]), *parts])


def asked(each: Sequence[Facts]) -> list[list[str]]:
    """A row for every question, with the answer of each."""
    answers = [{entry["question"]: entry for entry in one["conventions"]} for one in each]
    rows = []
    for question in [question for question in TABLE if any(question in one for one in answers)]:
        row = [TABLE[question].title]
        for one in answers:
            entry = one.get(question)
            row.append("not asked" if entry is None
                       else f"{'*' if departs(entry) else ''}{phrase(question, entry['value'])}")
        rows.append(row)
    return rows
