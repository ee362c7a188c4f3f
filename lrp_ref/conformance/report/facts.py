"""What a run found, as plain data: everything that is printed, written as JSON, or shown on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import roundoff, spaced
from lrp_ref.conformance.diagnose.detect import contradicted, detect
from lrp_ref.conformance.diagnose.failures import Facts, convention_facts, failures, number
from lrp_ref.conformance.dialects import CANONICAL
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run, Watch, place
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.conventions.table import TABLE


def vectors_facts(suite: Suite) -> Facts:
    return {"spec": suite.spec, "count": suite.count, "digest": suite.digest}


def facts(run: Run, watch: Watch = str) -> Facts:
    """Everything about one implementation."""
    adapter = run.adapter
    answers = {one.case.id: one.answer for one in run.outcomes if one.answer is not None and one.compared is not None}
    watch(f"{adapter.name}: telling its conventions")
    with np.errstate(all="ignore"):
        findings = detect(answers, run.suite)
    return {
        "adapter": {"name": spaced(adapter.name), "version": spaced(adapter.version),
                    "unit_roundoff": roundoff(adapter), "conventions": dict(adapter.conventions),
                    "command": run.command},
        "vectors": vectors_facts(run.suite), "seconds": round(run.seconds, 3), "counts": run.counts(),
        "matrix": run.matrix(),
        "conventions": [{"question": f.question, "title": TABLE[f.question].title, "value": f.value,
                         "canonical": getattr(CANONICAL, f.question), "declared": f.question in adapter.conventions,
                         "known": list(f.known), "evidence": list(f.evidence)} for f in findings],
        "contradicted": contradicted(findings, adapter.conventions),
        "failures": failures(run, findings, watch), "outcomes": list(map(outcome_facts, run.outcomes)),
        "records": [{**asdict(record), "issues": list(record.issues)} for record in run.suite.records]}


def outcome_facts(one: Outcome) -> Facts:
    rule, layer = place(one.case)
    return {"id": one.case.id, "rule": rule, "layer": layer, "level": one.case.level, "flags": list(one.case.flags),
            "status": one.status, "reason": one.reason, "url": one.url, "convention": convention_facts(one)}


def comparison(runs: Sequence[Run], each: Sequence[Facts]) -> Facts:
    """Several implementations side by side, and the cases on which they or the expectation differ."""
    names = [one["adapter"]["name"] for one in each]
    differ = []
    for outcomes in zip(*(run.outcomes for run in runs)):
        case = outcomes[0].case
        if any(one.status == "failed" or one.convention for one in outcomes):
            notes = [runs[0].suite.notes[flag] for flag in case.flags if flag in runs[0].suite.notes]
            differ.append({
                "id": case.id, "comment": case.comment, "section": case.section,
                "issues": list(dict.fromkeys(issue for note in notes for issue in note.issues)),
                "expected": listed(case.relevance),
                "answers": {name: listed(one.answer) for name, one in zip(names, outcomes)},
                "statuses": {name: one.status for name, one in zip(names, outcomes)}})
    return {"vectors": vectors_facts(runs[0].suite), "implementations": list(each), "disagreements": differ}


def listed(x: Array | None) -> Any:
    """Nested lists of numbers as JSON has them."""
    if x is None:
        return None
    return [listed(row) for row in x] if np.ndim(x) else number(x)
