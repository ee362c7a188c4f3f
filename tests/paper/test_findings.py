"""Which of the paper's statements hold, by hand: differences pair by pair, and what does not count."""

import json
import math
import re

import numpy as np
import pytest

from lrp_ref import Conv2D, ReLU
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.paper.findings import CNN_BETTER, CNN_SPARSER, INSIDE, MEANING, SPARSER, Finding, finding, findings
from lrp_ref.paper.precision import Collection, Table
from lrp_ref.paper.report import arrays, facts, text
from lrp_ref.paper.study import CONTRAST, MEASURES, SIGNS, Study

NAN = math.nan
SCORES, AREAS = np.array([3.0, -1, 2, 5, 4]), np.array([1 / 4, 1 / 8, 1 / 2, 1 / 4, 1 / 2])


def of(inside, gini):
    """Measures (5, 3) of five explanations, of which the second is left out."""
    rows = [(i, g, 1 - g) for i, g in zip(inside, gini)]
    return np.array([rows[0], (NAN,) * 3, *rows[1:]])


def a_study(kinds, cutoffs, measures):
    scenes, classes = np.array([0, 0, 2, 3, 3]), np.array([0, 1, 1, 0, 1])
    return Study(frozenset(kinds), cutoffs, scenes, classes, SCORES, AREAS, measures)


CONTROLS = {SIGNS: of([1 / 4, 1 / 2, 1 / 4, 1 / 2], [0, 0, 0, 0]),
            CONTRAST: of([1 / 2, 1 / 2, 1 / 2, 1], [1 / 2, 1 / 2, 1 / 2, 1 / 2])}
CNN = a_study([Conv2D, ReLU], {"no cut-off": None, "below relu1": "relu1"},
              {"no cut-off": of([3 / 4, 1 / 2, 1, 1 / 4], [1 / 2, 3 / 4, 1 / 4, 7 / 8]),
               "below relu1": of([1 / 2, 1 / 2, 1, 1 / 8], [1 / 4, 3 / 4, 1 / 2, 3 / 8]), **CONTROLS})
FV = a_study([FisherVector], {"no cut-off": None},
             {"no cut-off": of([1, 1, 1, 1], [1 / 4, 1 / 4, 1 / 4, NAN]), **CONTROLS})
TABLE = Table(("class", "prevalence", "histogram", "cnn", "fv"),
              (("cat", 1 / 4, 0, 3 / 4, 1 / 2), ("dog", 1 / 2, 0, 1 / 4, 1 / 2), ("cow", 0, NAN, NAN, NAN),
               ("mean", 3 / 8, 0, 9, 0)))


def said(statement, studies):
    return {one.where: (one.quartiles, one.above, one.count) for one in findings(studies, TABLE)
            if one.statement == statement}


def test_relevance_falls_inside_by_the_share_less_the_area():
    # No cut-off: 3/4 - 1/4, 1/2 - 1/2, 1 - 1/4, 1/4 - 1/2 are -1/4 0 1/2 3/4 in order; with it 1/4 0 3/4 -3/8.
    assert said(INSIDE, {"cnn": CNN}) == {"cnn, no cut-off": ((-1 / 16, 1 / 4, 9 / 16), 2, 4),
                                          "cnn, below relu1": ((-3 / 32, 1 / 8, 3 / 8), 2, 4)}


def test_relevance_has_a_meaning_by_what_it_is_above_the_contrast():
    # 1/4 0 1/2 -3/4, and 0 0 1/2 -7/8.
    assert said(MEANING, {"cnn": CNN}) == {"cnn, no cut-off": ((-3 / 16, 1 / 8, 5 / 16), 2, 4),
                                           "cnn, below relu1": ((-7 / 32, 0, 1 / 8), 1, 4)}


def test_maps_are_compared_with_and_without_a_cut_off_pair_by_pair():
    # 1/4 0 -1/4 1/2. The medians alone, 5/8 and 7/16, would differ by 3/16.
    assert said(SPARSER, {"cnn": CNN, "fv": FV}) == {"cnn, below relu1": ((-1 / 16, 1 / 8, 5 / 16), 2, 4)}


def test_a_cnn_is_compared_with_a_fisher_network_where_both_have_a_map():
    # 1/4 1/2 0; the last has no map of the Fisher network's. Average precision: 1/4 and -1/4; a cow is never seen.
    for studies in ({"cnn": CNN, "fv": FV}, {"fv": FV, "cnn": CNN}):
        assert said(CNN_SPARSER, studies) == {"cnn, fv": ((1 / 8, 1 / 4, 3 / 8), 2, 3)}
        assert said(CNN_BETTER, studies) == {"cnn, fv": ((-1 / 8, 0, 1 / 8), 1, 2)}
    for one in ({"cnn": CNN}, {"fv": FV}, {"cnn": CNN, "other": CNN}):
        assert said(CNN_SPARSER, one) == said(CNN_BETTER, one) == {}


@pytest.mark.parametrize(("differences", "holds"), [
    ([1, 2, -9], True), ([1, -9], False), ([1, 0, 0], False), ([], False), ([NAN, 1], True)])
def test_a_statement_holds_if_it_holds_in_more_than_half_of_the_pairs(differences, holds):
    assert finding("", "", differences).holds is holds


def test_without_a_pair_there_is_nothing_to_say():
    empty = finding("it rains", "here", [NAN, NAN])
    assert isinstance(empty, Finding) and (empty.above, empty.count) == (0, 0) and all(map(math.isnan, empty.quartiles))


# ---- As text, as values, as arrays ----


COLLECTION = Collection("four images", ("cat", "dog"), ["a", "b", "c", "d"], [], [0, 2, 3], {})
STUDIES = {"cnn": CNN, "fv": FV}


def test_the_text_shows_every_map_with_its_controls_and_every_statement():
    lines = text(COLLECTION, TABLE, STUDIES).splitlines()
    assert lines[0] == "average precision (VOC 2007, 11 points) on four images"
    assert lines[1:6] == str(TABLE).splitlines()
    assert lines[7] == ("relevance maps of the 5 classes seen in 3 of them: median [lower and upper quartile]")
    # Areas 1/4 1/2 1/4 1/2. Inside 1/4 1/2 3/4 1 in order; Gini 1/4 1/2 3/4 7/8, and 1 less that.
    assert lines[9:16] == [
        "cnn: 4 explained, 1 left out whose score is not positive; regions cover 0.375 [0.250 0.500]",
        "                  inside         inside - area    Gini index of |R|     pixels with 9/10",
        "  no cut-off       0.625  0.250 [-0.062 0.562]  0.625 [0.438 0.781]  0.375 [0.219 0.562]",
        "  below relu1      0.500  0.125 [-0.094 0.375]  0.438 [0.344 0.562]  0.562 [0.438 0.656]",
        "  (random signs)   0.375   0.000 [0.000 0.000]  0.000 [0.000 0.000]  1.000 [1.000 1.000]",
        "  (|x - mean|)     0.500   0.250 [0.188 0.312]  0.500 [0.500 0.500]  0.500 [0.500 0.500]",
        ""]
    assert lines[lines.index(SPARSER) + 1] == "  cnn, below relu1  does not hold  0.125 [-0.062 0.312]  in 2 of 4"
    assert lines[lines.index(CNN_SPARSER) + 1] == "  cnn, fv  holds  0.250 [0.125 0.375]  in 2 of 3"
    assert lines.index(INSIDE) < lines.index(MEANING) < lines.index(SPARSER) < lines.index(CNN_BETTER)


def test_where_no_map_is_there_are_dashes_and_null():
    nothing = {name: values[:0] for name, values in CNN.measures.items()}
    none = {"cnn": Study(CNN.kinds, CNN.cutoffs, *([np.array([])] * 4), nothing)}
    shown = text(COLLECTION, TABLE, none)
    assert re.search(r"^  no cut-off +- +- \[- -\] ", shown, re.MULTILINE) and "no pair  - [- -]  in 0 of 0" in shown
    dumped = json.loads(json.dumps(facts(COLLECTION, TABLE, none), allow_nan=False))
    assert dumped["models"]["cnn"]["maps"]["no cut-off"]["gini"] == {"lower": None, "median": None, "upper": None}
    assert dumped["average_precision"]["cow"]["cnn"] is None


def test_the_values_are_those_of_the_text():
    dumped = json.loads(json.dumps(facts(COLLECTION, TABLE, STUDIES), allow_nan=False))
    cnn = dumped["models"]["cnn"]
    assert (cnn["explained"], cnn["left_out"], dumped["explained_images"]) == (4, 1, 3)
    assert cnn["maps"]["below relu1"]["cutoff"] == "relu1" and cnn["maps"]["no cut-off"]["cutoff"] is None
    assert cnn["maps"]["no cut-off"]["excess"] == {"lower": -1 / 16, "median": 1 / 4, "upper": 9 / 16}
    assert cnn["controls"][CONTRAST]["inside"]["median"] == 1 / 2 and list(cnn["controls"]) == [SIGNS, CONTRAST]
    statements = {(one["statement"], one["where"]): one for one in dumped["statements"]}
    assert statements[CNN_SPARSER, "cnn, fv"] == {
        "statement": CNN_SPARSER, "where": "cnn, fv", "holds": True, "above": 2, "count": 3, "lower": 1 / 8,
        "median": 1 / 4, "upper": 3 / 8}


def test_the_arrays_hold_every_explanation():
    found = arrays(COLLECTION, STUDIES)
    assert found["image"].tolist() == ["a", "a", "c", "d", "d"]
    assert found["class"].tolist() == ["cat", "dog", "dog", "cat", "dog"]
    assert found["cnn.map"].tolist() == ["no cut-off", "below relu1", SIGNS, CONTRAST]
    assert found["cnn.measures"].shape == (4, 5, 3) and found["fv.measures"].shape == (3, 5, 3)
    assert found["measure"].tolist() == list(MEASURES) and found["cnn.score"].tolist() == SCORES.tolist()
    assert found["cnn.measures"][1, 3].tolist() == [1, 1 / 2, 1 / 2] and found["fv.area"].tolist() == AREAS.tolist()
