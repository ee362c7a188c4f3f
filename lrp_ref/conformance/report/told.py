"""What experiments told, as a report begins with it: at most five sentences, then formulas side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import fill

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.diagnosis import Told
from lrp_ref.conformance.diagnose.every import Recovered
from lrp_ref.conformance.diagnose.separate import sentence, separate
from lrp_ref.conformance.judge.outcome import RIGHT, Outcome
from lrp_ref.conformance.judge.record import RAISED
from lrp_ref.conformance.report.facts import Report

WIDTH, SENTENCES, NAMED = 120, 5, 3


def summary(report: Report) -> Iterator[str]:
    """What the implementation computes where it departs, how many failures that is, and how many are left."""
    found, total = report.diagnosis, len(report.failures)
    raising = [*what_raises(report)]
    ids_left = set(found.left)
    if not found.told and not found.left and not raising:
        return
    some = [f"{one.sentence[:1].upper()}{one.sentence[1:]}: {len(one.ids)} of {total} failures{but(one)}."
            for one in found.told]
    if len(some) > SENTENCES - 1:
        rest = found.told[SENTENCES - 2:]
        ids = {id for one in rest for id in one.ids}
        named = [f"{one.sentence} ({len(one.ids)})" for one in rest[:NAMED]]
        more = [f"{len(rest) - NAMED} more, told below"] if len(rest) > NAMED else []
        some[SENTENCES - 2:] = [f"{len(rest)} more departures: {len(ids)} of {total} failures: "
                                f"{'; '.join([*named, *more])}."]
    last = []
    kept = {one.outcome.case.id for one in report.failures if getattr(one, "known", None) and one.known.kept}
    if kept:
        last.append(f"{len(kept)} failures have another answer when they are asked again, so that something is kept "
                    "between calls, or is random")
    if left := [id for id in found.left if id not in kept]:
        is_are = "failures with numbers are" if len(left) > 1 else "failure with numbers is"
        last.append("; ".join([f"{len(left)} {is_are} not explained",
                               *([found.common] if found.common else []),
                               *(str(one) for one in found.conditions if ids_left.issuperset(one.ids))]))
    if errors := total - len(found.causes) - len(found.left):
        last.append("; ".join([f"{errors} are errors, or answers to what must be refused", *raising]))
    if found.unasked:
        last.append(f"the budget did not reach {', '.join(' on '.join(place) for place in found.unasked)}")
    if last:
        sentence = "; ".join(last)
        some.append(f"{sentence[:1].upper()}{sentence[1:]}.")
    yield "\n".join(fill(one, WIDTH, break_long_words=False, break_on_hyphens=False, subsequent_indent="   ")
                    for one in some)


def but(one: Told) -> str:
    """Of a departure that is no whole explanation of its rules and layers."""
    return f", and not all of it: {one.against} other cases of these rules and layers are otherwise" if (
        one.against > len(one.ids) / 4) else ""


def what_raises(report: Report) -> Iterator[str]:
    """Of every type of error that several cases raise what these have, and no case that passes."""
    groups: dict[str, list[Outcome]] = {}
    for failure in report.failures:
        outcome = getattr(failure, "outcome", None)
        if outcome is not None and (said := re.match(RAISED + r"(\w+)", outcome.reason)):
            groups.setdefault(said[1], []).append(outcome)
    for kind, outcomes in groups.items():
        if len(outcomes) == 1:
            continue
        right = [one for one in report.run.outcomes if one.status in RIGHT and one.case.level != "negative"]
        yield from (f"of those that raise {kind} {sentence(split, '')}"
                    for split in separate(outcomes, right) if split.exact)
        ids = {one.case.id for one in outcomes}
        yield from (f"of those that raise {kind} {one}" for one in report.diagnosis.conditions
                    if ids.issuperset(one.ids))


def sides_told(one: Told) -> Iterator[tuple[str, str]]:
    """Formulas side by side; of windows that are put elsewhere two grids."""
    seen = set()
    for side in one.sides:
        if (side.theirs, side.regime) in seen:
            continue
        seen.add((side.theirs, side.regime))
        yield "theirs", f"{side.rule}: {side.theirs}"
        yield "ours", f"{side.rule}: {side.ours}"
        if side.regime != "everywhere":
            yield "where", side.regime
    if one.against:
        yield "against", f"{one.against} cases of these rules and layers that it does not give"
    if one.departure.kind in ("map", "meeting") and one.example is not None and one.example.x.ndim == 4:
        example = one.example
        both = [grid(read_back(text).reshape(example.x.shape)) for text in (example.got, example.expected)]
        if both[0] != both[1]:
            yield from zip(("grid theirs", "grid ours"), both)


def formulas_text(found: Sequence[Recovered]) -> Iterator[str]:
    """The formula of every rule and layer, with R_j = 1; * where it is not the canonical one."""
    if found:
        width = max(len(" on ".join(one.place)) for one in found)
        lines = [f"{' ' if one.canonical else '*'}  {' on '.join(one.place):{width}}  {one.formula}" for one in found]
        yield "\n".join(["formulas of what an input gets of R_j = 1 (* departs from the canonical one)", *lines])


def read_back(text: str) -> Array:
    return np.array([float(word) for word in text.replace("[", " ").replace("]", " ").replace(",", " ").split()])


def grid(R: Array) -> str:
    """Which inputs of the first sample and channel that get anything get any: # and . by rows."""
    channel = next((image for sample in R for image in sample if image.any()), R[0, 0])
    return " / ".join("".join("#" if value else "." for value in row) for row in channel)
