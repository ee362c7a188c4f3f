"""Claims about the measures of an experiment, by hand: average precision, where relevance lies, the truth's boxes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from lrp_ref.checks.claims.claim import Case, Claim
from lrp_ref.paper.measures import gini, inside
from lrp_ref.paper.precision import average_precision, precision_table
from lrp_ref.paper.voc import Annotated


def at_eleven_recalls() -> bool:
    # three of ten positives, seven negatives, the other positives: precision 1 up to recall 3/10, then 10/17
    labels = [True] * 3 + [False] * 7 + [True] * 7
    wanted = float((4 + 7 * Fraction(10, 17)) / 11)
    return abs(average_precision(range(17, 0, -1), labels) - wanted) < 2.0**-50


def counts_certain_images() -> bool:
    found, counted = np.array([[False], [True]]), np.array([[False], [True]])
    table = precision_table(found, {"scores": np.array([[2.0], [1.0]])}, ("one",), counted)
    return table["one", "scores"] == table["one", "prevalence"] == 1


def gini_of_four() -> bool:
    # sizes 0 0 1 3: (1 * 1 + 3 * 3) / (4 * 4)
    return gini(np.array([[1.0, -3.0], [0.0, 0.0]])) == 0.625


def counted_from_one() -> bool:
    boxed = Annotated(Path(), (3, 4), (((2, 1, 3, 1),),), np.array([True]), np.array([True])).masks
    return np.argwhere(boxed).tolist() == [[0, 0, 1], [0, 0, 2]]


def measures() -> Iterator[Case]:
    yield Case("eleven recalls", at_eleven_recalls)
    yield Case("the best precision from a recall on",
               lambda: average_precision([4, 3, 2, 1], [False, True, False, True]) == 0.5)
    yield Case("equal scores in the order given", lambda: average_precision([1, 1], [True, False]) == 1)
    yield Case("an uncertain image does not count", counts_certain_images)
    yield Case("the Gini index", gini_of_four)
    yield Case("the share inside",
               lambda: inside(np.array([[2.0, -6.0], [1.0, 1.0]]), np.array([[1, 1], [0, 0]])) == 0.5)
    yield Case("a box from column 2 to 3 of row 1", counted_from_one)


CLAIMS = (
    Claim("measures", "Average precision at 11 recalls compared as whole numbers, the Gini index of |R|, the share of "
          "positive relevance inside a region, VOC's boxes, counted from 1: by hand.", "float64", measures),
)
