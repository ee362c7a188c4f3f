"""docs/experiment.md shows what `lrp-ref evaluate` measures of the bundled models on all 300 scenes: half a minute."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrp_ref.models.bundled import PAPERS

if not os.environ.get("LRP_REF_EXPERIMENT"):
    pytest.skip("needs half a minute (LRP_REF_EXPERIMENT=1; the gate has it)", allow_module_level=True)


@pytest.fixture(scope="module")
def models():
    # On one thread: on a busy machine the threads of these many small products mostly wait for each other.
    alone = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    result = subprocess.run([sys.executable, "-m", "lrp_ref", "evaluate", "--json"], check=True, capture_output=True,
                            env=os.environ | alone)
    return json.loads(result.stdout)["models"]


def test_the_page_on_the_experiment_shows_the_measures_of_the_bundled_models(models):
    page = (Path(__file__).parents[2] / "docs" / "experiment.md").read_text(encoding="utf-8")
    assert list(models) == list(PAPERS)
    for name, model in models.items():
        heading, _, *lines = page.partition(f"\n{name}: ")[2].partition("\n\n")[0].splitlines()
        assert heading.startswith(f"{model['explained']} explained, {model['left_out']} left out")
        measured = {**model["maps"], **model["controls"]}
        shown = {label.strip(" ()"): re.findall(r"-?\d\.\d{3}", numbers)
                 for label, numbers in (re.split(r"  +(?=\d)", line, maxsplit=1) for line in lines)}
        assert list(shown) == list(measured) and len(shown) >= 4
        for label, numbers in shown.items():
            now = [measured[label]["inside"]["median"], *(measured[label][measure][part] for measure in (
                "excess", "gini", "holding") for part in ("median", "lower", "upper"))]
            # Printed to three decimals; another machine's rounding may turn a winner of a pooling here and there.
            assert now == pytest.approx([float(number) for number in numbers], abs=0.003)

