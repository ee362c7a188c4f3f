"""What an evaluation says: as text of about 100 columns, as plain values for JSON, as arrays for a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.paper.findings import Finding, findings
from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.precision import Collection, Table, aligned, three_decimals
from lrp_ref.paper.study import CONTRAST, MEASURES, SIGNS, Study
from lrp_ref.paper.table1 import DNN, SAID

SHOWN = {"inside": "inside", "excess": "inside - area", "gini": "Gini index of |R|", "holding": "pixels with 9/10"}
CONTROLS = (SIGNS, CONTRAST)


def text(collection: Collection, precisions: Table, studies: Mapping[str, Study]) -> str:
    """Average precision, the measures of every model's maps, and the paper's statements."""
    seen, classes = len(collection.explain), max(len(study.scores) for study in studies.values())
    lines = [f"average precision (VOC 2007, 11 points) on {collection.title}", str(precisions),
             *([SAID] if DNN in precisions.columns else []), "",
             f"relevance maps of the {classes} classes seen in {seen} of them: median [lower and upper quartile]"]
    for name, study in studies.items():
        lines += ["", f"{name}: {classes - study.left_out} explained, {study.left_out} left out whose score is not "
                  f"positive; regions cover {quartiles_text(quartiles(areas_counted(study)))}", maps_text(study)]
    lines += ["", "the paper's statements: median [quartiles] of a difference, and in how many pairs it is above 0"]
    for statement, found in groupby(findings(studies, precisions), key=lambda one: one.statement):
        lines += [statement, findings_text(found)]
    return "\n".join(lines)


def maps_text(study: Study) -> str:
    """A line per map and control: the median share inside; median and quartiles of the rest."""
    rows = [("", *SHOWN.values())]
    for label in (*study.cutoffs, *CONTROLS):
        share, *others = (quartiles(study.of(label, measure)) for measure in SHOWN)
        name = f"  ({label})" if label in CONTROLS else f"  {label}"
        rows.append((name, three_decimals(share[1]), *map(quartiles_text, others)))
    return aligned(rows)


def findings_text(found: Iterable[Finding]) -> str:
    rows = [(f"  {one.where}", ("holds" if one.holds else "does not hold") if one.count else "no pair",
             quartiles_text(one.quartiles), f"in {one.above} of {one.count}") for one in found]
    return aligned(rows)


def quartiles_text(values: Sequence[float]) -> str:
    """median [lower upper]"""
    low, middle, high = map(three_decimals, values)
    return f"{middle} [{low} {high}]"


def areas_counted(study: Study) -> Array:
    """The areas of the regions that count: those of classes with a positive score."""
    return study.areas[study.scores > 0]


def facts(collection: Collection, precisions: Table, studies: Mapping[str, Study]) -> dict[str, Any]:
    """The same as plain values; None where there is no number, as of a class in no scene."""
    rows = {name: dict(zip(precisions.columns[1:], map(or_none, values))) for name, *values in precisions.rows}
    return {
        "images": collection.title, "average_precision": rows, "explained_images": len(collection.explain),
        "models": {name: {
            "explained": len(study.scores) - study.left_out, "left_out": study.left_out,
            "area": quartiles_of(areas_counted(study)),
            "maps": {label: {"cutoff": below, **measures(study, label)} for label, below in study.cutoffs.items()},
            "controls": {label: measures(study, label) for label in CONTROLS},
        } for name, study in studies.items()},
        "statements": [{"statement": one.statement, "where": one.where, "holds": one.holds, "above": one.above,
                        "count": one.count, **named_quartiles(one.quartiles)} for one in findings(studies, precisions)],
    }


def measures(study: Study, label: str) -> dict[str, Any]:
    return {measure: quartiles_of(study.of(label, measure)) for measure in SHOWN}


def quartiles_of(values: Any) -> dict[str, float | None]:
    return named_quartiles(quartiles(values))


def named_quartiles(values: Sequence[float]) -> dict[str, float | None]:
    return dict(zip(("lower", "median", "upper"), map(or_none, values)))


def or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def arrays(collection: Collection, studies: Mapping[str, Study]) -> dict[str, Any]:
    """Every explanation by itself: image, class; and of every model score, area, and measures (maps, E, 3)."""
    first = next(iter(studies.values()))
    found: dict[str, Any] = {
        "image": np.array([collection.names[n] for n in first.scenes], str),
        "class": np.array([collection.classes[n] for n in first.classes], str), "measure": np.array(MEASURES),
    }
    for name, study in studies.items():
        found |= {f"{name}.score": study.scores, f"{name}.area": study.areas,
                  f"{name}.map": np.array([*study.measures]), f"{name}.measures": np.stack([*study.measures.values()])}
    return found
