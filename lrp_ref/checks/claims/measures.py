"""Claims about the measures of an experiment, by hand: average precision, where relevance lies, the truth's boxes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from lrp_ref.checks.claims.case import Case
from lrp_ref.paper.measures import gini, inside
from lrp_ref.paper.precision import average_precision, precision_table
from lrp_ref.paper.voc import Annotated


def measures(full: bool) -> Iterator[Case]:
    """Average precision at 11 recalls compared as whole numbers, the Gini index of |R|, the share of positive relevance
    inside a region, VOC's boxes, counted from 1: by hand."""
    # three of ten positives, seven negatives, the other positives: precision 1 up to recall 3/10, then 10/17
    labels = [True] * 3 + [False] * 7 + [True] * 7
    wanted = float((4 + 7 * Fraction(10, 17)) / 11)
    yield Case("eleven recalls", abs(average_precision(range(17, 0, -1), labels) - wanted) < 2.0**-50)
    half = average_precision([4, 3, 2, 1], [False, True, False, True])
    yield Case("the best precision from a recall on", half == 0.5)
    yield Case("equal scores in the order given", average_precision([1, 1], [True, False]) == 1)
    found, counted = np.array([[False], [True]]), np.array([[False], [True]])
    table = precision_table(found, {"scores": np.array([[2.0], [1.0]])}, ("one",), counted)
    yield Case("an uncertain image does not count", table["one", "scores"] == table["one", "prevalence"] == 1)
    # sizes 0 0 1 3: (1 * 1 + 3 * 3) / (4 * 4)
    yield Case("the Gini index", gini(np.array([[1.0, -3.0], [0.0, 0.0]])) == 0.625)
    yield Case("the share inside", inside(np.array([[2.0, -6.0], [1.0, 1.0]]), np.array([[1, 1], [0, 0]])) == 0.5)
    boxed = Annotated(Path(), (3, 4), (((2, 1, 3, 1),),), np.array([True]), np.array([True])).masks
    yield Case("a box from column 2 to 3 of row 1", np.argwhere(boxed).tolist() == [[0, 0, 1], [0, 0, 2]])
