"""What the paper says of its heatmaps, held against what was measured: each statement, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lrp_ref.layers import Conv2D
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.paper.measures import quartiles
from lrp_ref.paper.precision import Table
from lrp_ref.paper.study import CONTRAST, NO_CUTOFF, Study

INSIDE = "relevance falls inside the object: share inside - share of the area"
MEANING = f"more so than {CONTRAST} does, which any model sees: share inside - share inside of {CONTRAST}"
SPARSER = "maps without a cut-off are sparser than with one: difference of Gini indices"
CNN_SPARSER = "without a cut-off the CNN's maps are sparser than the Fisher network's: difference of Gini indices"
CNN_BETTER = "the CNN predicts better than the Fisher network: difference of average precisions, class by class"


@dataclass(frozen=True)
class Finding:
    """A statement that some difference is positive: its quartiles over `count` pairs, and in how many it is."""

    statement: str
    where: str
    quartiles: tuple[float, float, float]
    above: int
    count: int

    @property
    def holds(self) -> bool:
        """In more than half of the pairs, of which there are some."""
        return 2 * self.above > self.count


def finding(statement: str, where: str, differences: object) -> Finding:
    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values)]
    return Finding(statement, where, quartiles(values), int((values > 0).sum()), values.size)


def findings(studies: Mapping[str, Study], precisions: Table) -> Iterator[Finding]:
    """Every statement for every model, cut-off and pair of models that it speaks of, statement by statement.

    The studies are of the same images and classes, so that maps are compared pair by pair.
    """
    every = [(name, study, label) for name, study in studies.items() for label in study.cutoffs]
    for name, study, label in every:
        yield finding(INSIDE, f"{name}, {label}", study.of(label, "excess"))
    for name, study, label in every:
        yield finding(MEANING, f"{name}, {label}", study.of(label, "inside") - study.of(CONTRAST, "inside"))
    for name, study, label in every:
        if label != NO_CUTOFF:
            yield finding(SPARSER, f"{name}, {label}", study.of(NO_CUTOFF, "gini") - study.of(label, "gini"))
    pairs = [(one, other) for one in studies if Conv2D in studies[one].kinds
             for other in studies if FisherVector in studies[other].kinds and other != one]
    for one, other in pairs:
        ours, theirs = (studies[name].of(NO_CUTOFF, "gini") for name in (one, other))
        yield finding(CNN_SPARSER, f"{one}, {other}", ours - theirs)
    classes = [name for name, *_ in precisions.rows[:-1]]   # the last row is the mean
    for one, other in pairs:
        differences = [precisions[name, one] - precisions[name, other] for name in classes]
        yield finding(CNN_BETTER, f"{one}, {other}", differences)
