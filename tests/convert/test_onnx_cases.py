"""The cases that the onnx package has of its operators: their outputs, or a refusal, and the table in the docs."""

from pathlib import Path

import numpy as np
import pytest

from lrp_ref.convert.onnx_reference import evaluated
from lrp_ref.convert.onnx_table import ROWS

onnx = pytest.importorskip("onnx")
cases = pytest.importorskip("onnx_cases")

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


@pytest.fixture(scope="module")
def found():
    return list(cases.outcomes())


def test_every_case_agrees_or_is_refused_in_one_line(found):
    assert [one for one in found if one.what == cases.WRONG] == [] and len(found) > 1800


def test_every_operator_has_a_case_that_agrees_or_passes_its_input_on(found):
    agree = {one.op for one in found if one.what == cases.CHECKED}
    # Div, PRelu, ..: all of their cases have a constant for every image, one per column, or 5 axes; see test_onnx.py
    assert set(ROWS) - agree <= {"Cast", "CastLike", "Dropout", "Expand", "Gather", "Identity", "Max", "Min",
                                   "PRelu", "Softmax", "Where"}


def test_the_page_has_the_table(found):
    if onnx.__version__ not in PAGE.read_text(encoding="utf-8"):
        pytest.skip(f"the table is of another onnx than {onnx.__version__}")
    assert "\n".join(cases.table(found)) in PAGE.read_text(encoding="utf-8")


OURS = ("LRN", "BatchNormalization", "Upsample", "MaxPool", "AveragePool", "ConvTranspose", "Resize")


def test_operators_put_right_give_the_outputs_of_the_cases():
    """Of those that are worked out here and not by onnx.reference."""
    tried = dict.fromkeys(OURS, 0)
    for case in cases.cases():
        nodes = case.model.graph.node
        op = nodes[0].op_type
        given = {one.name: onnx.helper.get_attribute_value(one) for one in nodes[0].attribute}
        smooth = given.get("mode", b"nearest") != b"nearest" or "keep_aspect_ratio_policy" in given
        other = ((op == "Resize" and smooth)
                 or (max(given.get("dilations", [1])) > 1 and "Pool" in op) or given.get("training_mode"))
        if op not in OURS or len(nodes) > 1 or len(nodes[0].output) > 1 or other:
            continue
        inputs, wanted = (np.asarray(one) for one in case.data_sets[0][0]), np.asarray(case.data_sets[0][1][0])
        names = [name for name in nodes[0].input if name]
        got = evaluated(nodes[0], dict(zip(names, inputs)), case.model.opset_import[0].version)[0]
        # as the cases say themselves: 1e-3, some outputs being written with four digits
        assert got.shape == wanted.shape and np.allclose(got, wanted, rtol=case.rtol, atol=1e-6), case.name
        tried[op] += 1
    assert min(tried.values()) >= 1 and sum(tried.values()) > 30
