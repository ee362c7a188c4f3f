"""The paper's Table 1 stands beside our numbers on VOC 2007, and beside no others."""

import json

import numpy as np
import pytest

from lrp_ref.paper.precision import Table, precision_table
from lrp_ref.paper.record import Record
from lrp_ref.paper.report import facts, text
from lrp_ref.paper.runs import from_records
from lrp_ref.paper.table1 import DNN, FV, PERCENT, SAID, with_table1

CLASSES = [name for name in PERCENT if name != "mean"]
RUN = {"set": "", "images": "5 photographs of VOC2007, set test", "classes": json.dumps(CLASSES), "models": '["m"]',
       "baselines": "[]", "photographs": "5", "cut-offs of m": '{"no cut-off": null}', "layers of m": '["Linear"]'}
rng = np.random.default_rng(20)
RECORDS = [Record(n, str(n), tuple(k % 5 == n for k in range(20)), (True,) * 20, True,
                  {"m": tuple(rng.standard_normal(20).tolist())}, ()) for n in range(5)]


def test_the_means_are_those_that_the_paper_prints_of_which_the_network_s_is_not_that_of_its_classes():
    fv, dnn = (sum(round(10 * PERCENT[name][k]) for name in CLASSES) for k in (0, 1))
    assert len(CLASSES) == 20 and PERCENT["mean"] == (60.0, 72.1)
    assert (fv, dnn) == (11998, 14353)   # tenths of a per cent: 59.99 and 71.765 in the mean
    assert "its network's classes have a mean of 71.8, not the 72.1 that it prints" in " ".join(SAID.split())


def test_it_is_printed_beside_ours_on_voc_and_in_json():
    seen = from_records(RUN, RECORDS)
    printed = text(seen.collection, seen.precisions, seen.studies)
    [header] = [line for line in printed.splitlines() if line.startswith("class ")]
    assert header.split("  ")[-2:] == [FV, DNN]
    assert next(line for line in printed.splitlines() if line.startswith("bird ")).split()[-2:] == ["0.459", "0.808"]
    assert "of its own two models on VOC 2007, whose test set has 4,952 photographs" in printed
    rows = facts(seen.collection, seen.precisions, seen.studies)["average_precision"]
    assert (rows["mean"][FV], rows["sofa"][DNN]) == (60.0 / 100, 49.5 / 100)
    assert 0 < rows["sofa"]["m"] <= 1


@pytest.mark.parametrize(("classes", "which"), [(CLASSES, "val"), (CLASSES[:-1], "test"), ([*CLASSES[1:], "brick"], ""),
                                                ([*CLASSES, "brick"], "test")], ids=str)
def test_nothing_of_it_stands_beside_other_classes_or_another_set(classes, which):
    labels = np.arange(len(classes)) % 2 == [[0], [1]]
    ours = precision_table(labels, {"m": rng.standard_normal(labels.shape)}, classes)
    assert with_table1(ours, {"set": which}) is ours
    assert "Table 1" not in text(from_records(RUN, RECORDS).collection, ours, from_records(RUN, RECORDS).studies)


def test_the_classes_may_come_in_any_order():
    ours = Table(("class", "m"), tuple((name, 0.25) for name in reversed([*CLASSES, "mean"])))
    assert with_table1(ours, {"set": "test"})["cow", DNN] == 61.1 / 100
