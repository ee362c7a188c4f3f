"""A diagnosis is the same in every process: nothing in it depends on the order of a set."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrp_ref import Epsilon
from lrp_ref.layers import MatMul
from lrp_ref.network import INPUT
from lrp_ref.relevance import relevances


class Halved:
    """Half of epsilon counts at a product of matrices."""

    name, version, unit_roundoff = "halved", "1", 2.0**-53
    conventions: Mapping[str, Any] = {}

    def relevance(self, network, rules, x, R):
        changed = {name: Epsilon(float(rule.epsilon) / 2) if isinstance(network[name], MatMul) and isinstance(
            rule, Epsilon) else rule for name, rule in rules.items()}
        return relevances(network, network.activations(x), changed, {network.output: R}).of[INPUT]


def told(seed: int) -> Any:
    """The diagnosis of a process that puts sets in another order."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    here = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
    ran = subprocess.run([sys.executable, "-m", "lrp_ref", "conform", "test_diagnose_order:Halved", "--layer", "MatMul",
                          "--json"], capture_output=True, env=here, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    return json.loads(ran.stdout)["diagnosis"]


def test_a_diagnosis_does_not_depend_on_the_order_of_sets():
    first, second, third = map(told, range(3))
    assert [one["sentence"] for one in first] == [
        "Epsilon on MatMul: the stabiliser is epsilon / 2 sign(z) in place of epsilon sign z"]
    assert first == second == third
