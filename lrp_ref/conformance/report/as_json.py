"""A report or a comparison as JSON has them: the only place where what was found becomes dicts and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import roundoff
from lrp_ref.conformance.diagnose.diagnosis import facts as diagnosis_facts
from lrp_ref.conformance.diagnose.failures import Failure
from lrp_ref.conformance.judge.outcome import Outcome, Worst
from lrp_ref.conformance.judge.run import Row, place
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.report.facts import (
    Comparison,
    Disagreement,
    Reply,
    Report,
    Share,
    by_capability,
    commented,
    in_words,
)
from lrp_ref.conformance.vectors.suite import Suite

Json = dict[str, Any]


def as_json(found: Report | Comparison) -> Json:
    told = of_report(found) if isinstance(found, Report) else of_comparison(found)
    return told if found.unexpected is None else {**told, "unexpected": list(found.unexpected)}


def of_report(one: Report) -> Json:
    run = one.run
    return {
        "adapter": {"name": one.name, "version": one.version, "unit_roundoff": roundoff(run.adapter),
                    "conventions": dict(run.adapter.conventions), "command": run.command},
        "vectors": of_suite(one.suite), "seconds": round(run.seconds, 3), "counts": dict(run.counts()),
        "matrix": list(map(of_row, run.matrix())), "capabilities": list(map(of_share, by_capability(run))),
        "conventions": list(map(of_reply, one.replies)),
        "contradicted": list(one.contradicted), "diagnosis": diagnosis_facts(one.diagnosis),
        "failures": list(map(of_failure, one.failures)),
        "outcomes": list(map(of_outcome, run.outcomes)),
        "records": [{**asdict(record), "issues": list(record.issues)} for record in one.suite.records]}


def of_comparison(several: Comparison) -> Json:
    names = [one.name for one in several.reports]
    return {"vectors": of_suite(several.suite), "implementations": list(map(of_report, several.reports)),
            "disagreements": [of_disagreement(one, names) for one in several.disagreements]}


def of_suite(suite: Suite) -> Json:
    return {"spec": suite.spec, "count": suite.count, "digest": suite.digest}


def of_row(row: Row) -> Json:
    return {**row.place._asdict(), **row.counts, "count": row.count}


def of_share(share: Share) -> Json:
    return {"capability": share.capability, "claimed": share.claimed, **share.counts, "count": share.count}


def of_reply(reply: Reply) -> Json:
    return {**asdict(reply), "known": list(reply.known), "evidence": list(reply.evidence)}


def of_convention(convention: Convention | None) -> Json | None:
    return None if convention is None else convention._asdict()


def of_outcome(one: Outcome) -> Json:
    return {"id": one.case.id, **place(one.case)._asdict(), "level": one.case.level, "flags": list(one.case.flags),
            "status": one.status, "reason": one.reason, "url": one.url, "convention": of_convention(one.convention)}


def of_failure(one: Failure) -> Json:
    case, first, worst, small = one.outcome.case, one.first, one.outcome.worst, one.counterexample
    return {
        "id": case.id, **place(case)._asdict(), "level": case.level, "comment": commented(case),
        "convention": of_convention(one.outcome.convention),
        "first": None if first is None else {"layer": first.layer, "rule": in_words(first.rule)},
        "worst": None if worst is None else of_worst(worst), "looks_like": str(one.known),
        "counterexample": small and {"text": small.text, "got": small.got, "expected": small.expected},
        "command": one.command, "issues": list(one.known.issues), "reason": one.outcome.reason, "cause": one.cause.text,
        "raised": one.outcome.raised and asdict(one.outcome.raised)}


def of_worst(worst: Worst) -> Json:
    return {"index": list(worst.index), "got": json_number(worst.got), "expected": json_number(worst.expected),
            "error": json_number(worst.error), "bound": json_number(worst.bound)}


def of_disagreement(one: Disagreement, names: Sequence[str]) -> Json:
    case = one.case
    return {"id": case.id, "comment": case.comment, "section": case.section, "issues": list(one.issues),
            "expected": lists(case.relevance),
            "answers": {name: lists(outcome.answer) for name, outcome in zip(names, one.outcomes)},
            "statuses": {name: outcome.status for name, outcome in zip(names, one.outcomes)}}


def lists(x: Array | None) -> Any:
    """Nested lists of numbers."""
    if x is None:
        return None
    return [lists(row) for row in x] if np.ndim(x) else json_number(x)


def json_number(value: Any) -> float | str:
    """A number as JSON has them; of what is none its name."""
    return float(value) if np.isfinite(value) else str(float(value))
