"""What perturbing regions says: as text, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np

from lrp_ref.paper.faithful import CONTROLS, LEAST, MOST, RANDOM, Faithfulness, statements
from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.precision import aligned, three_decimals
from lrp_ref.paper.report import findings_text, named_quartiles, quartiles_of, quartiles_text
from lrp_ref.paper.study import Numbers

SHOWN = {"between": "area between", MOST: "most first", LEAST: "least first", "box": "best box"}


def faithful_text(title: str, steps: int, fill: str, found: Mapping[str, Faithfulness]) -> str:
    """A table per model and the statements."""
    lines = [f"region perturbation (Samek et al. 2017) on {title}: {steps} regions of 9 x 9, filling {fill}",
             "mean share of the score lost on the way, median [lower and upper quartile] of explanations"]
    for name, f in found.items():
        count = len(f.of(RANDOM, MOST))
        lines += ["", f"{name}: {count} explained, {f.left_out} left out whose score is not positive", table_of(f)]
    lines += ["", "statements: median [quartiles] of a difference, and in how many pairs it is above 0"]
    for statement, some in groupby(statements(found), key=lambda one: one.statement):
        lines += [statement, findings_text(some)]
    return "\n".join(lines)


def table_of(f: Faithfulness) -> str:
    """A line per map and control; pointing as the mean, since it is mostly 1 or 0."""
    rows = [("", *SHOWN.values(), "pointing")]
    for label in (*f.labels, *CONTROLS):
        between, *others = (quartiles(f.of(label, measure)) for measure in SHOWN)
        name = f"  ({label})" if label in CONTROLS else f"  {label}"
        rows.append((name, quartiles_text(between), *(three_decimals(one[1]) for one in others),
                     three_decimals(mean_of(f.of(label, "pointing")))))
    return aligned(rows)


def mean_of(values: Numbers) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else float("nan")


def faithful_facts(title: str, found: Mapping[str, Faithfulness]) -> dict[str, Any]:
    return {"images": title, "models": {name: {
        "explained": len(f.of(RANDOM, MOST)), "left_out": f.left_out,
        "maps": {label: {**{measure: quartiles_of(f.of(label, measure)) for measure in (*SHOWN, "pointing")},
                         "curves": {way: [named_quartiles(quartiles(left)) for left in values.T]
                                    for way, values in f.curves[label].items()}}
                 for label in (*f.labels, *CONTROLS)}} for name, f in found.items()},
        "statements": [{"statement": one.statement, "where": one.where, "holds": one.holds, "above": one.above,
                        "count": one.count, **named_quartiles(one.quartiles)} for one in statements(found)]}
