"""Counterexamples: at most three inputs, whole numbers, the same ones every time, nothing left on disk."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dialect_adapters import speaker

from lrp_ref import AlphaBeta, AvgPool, Conv2D, Epsilon, Flat, Linear, MaxPool, Network, ReLU, Winner, WSquare, ZPlus
from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.shrink import Counterexample, NoCounterexample, shrink
from lrp_ref.layers import FisherVector, Layer
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule, ZBox

WIDE, VECTORS, IMAGES = Linear(np.ones((4, 3)), np.ones(3)), np.ones((2, 4)), np.ones((2, 2, 5, 4))


def agrees(network: Network, rules: Any, x: Array, R: Array, answer: Any) -> bool:
    """To a part in 1e5: a stabiliser of 1e-6 or less is no counterexample here."""
    wanted = through_network(network, rules, x, R)["input"]
    return bool((abs(np.asarray(answer) - wanted) <= 1e-5 * abs(wanted).max()).all())


def smallest(name: str, layer: Layer, rule: Rule, x: Array,
             same: Callable[..., bool] = agrees) -> Counterexample | NoCounterexample:
    network = Network([("layer", layer)])
    with np.errstate(all="ignore"):
        return shrink(speaker(name).relevance, network, {"layer": rule}, x, same)


KNOWN: list[tuple[str, Layer, Rule, Array, str]] = [
    ("captum", WIDE, ZPlus(), VECTORS, "ZPlus(), x=[-1], W=[[1]], b=0, R=[-1] -> -0.999999999, spec 0"),
    ("captum", WIDE, AlphaBeta(1, 0), VECTORS, "AlphaBeta(1, 0), x=[-1], W=[[1]], b=0, R=[-1] -> -0.999999999, spec 0"),
    ("torchlrp", WIDE, Epsilon(0.25), VECTORS, "Epsilon(0.25), x=[1], W=[[1]], b=-1, R=[1] -> -4, spec 4"),
    ("lxt", WIDE, Epsilon(0.25), VECTORS, "Epsilon(0.25), x=[1], W=[[-1]], b=0, R=[-1] -> -1.33333333, spec -0.8"),
    ("zennit", WIDE, WSquare(), VECTORS, "WSquare(), x=[0], W=[[1]], b=1, R=[1] -> 0.49999975, spec 1"),
    ("zennit", MaxPool(2), Winner(), IMAGES, "Winner(), x=[[[1, 1]]], MaxPool, size=(1, 2), stride=(1, 2), "
                                             "R=[[[1]]] -> [[[1, 0]]], spec [[[0.5, 0.5]]]"),
    ("toolbox", AvgPool(2), Epsilon(0.5), IMAGES, "Epsilon(0.5), x=[[[0, 1]]], AvgPool, size=(1, 2), stride=(1, 2), "
                                                  "R=[[[0.5]]] -> [[[0, 0.333333333]]], spec [[[0, 0.25]]]"),
]


@pytest.mark.parametrize(("name", "layer", "rule", "x", "printed"), KNOWN,
                         ids=[f"{name} {type(rule).__name__}" for name, _, rule, _, _ in KNOWN])
def test_a_known_departure_comes_out_small(name: str, layer: Layer, rule: Rule, x: Array, printed: str) -> None:
    found = smallest(name, layer, rule, x)
    assert found and str(found) == printed
    assert found.x.size <= 3 and found.evaluations <= 300


def test_innvestigates_whole_bias_comes_out_small() -> None:
    found = smallest("innvestigate", WIDE, AlphaBeta(2, 1), VECTORS)
    assert found and found.x.size == 1 and "b=-" in found.text and found.got != found.expected


def test_a_padded_window_comes_out_with_its_padding() -> None:
    found = smallest("caffe", Conv2D(np.ones((2, 2, 2, 2)), np.ones(2), 2, 1), Flat(), IMAGES)
    assert found and found.x.size <= 3 and "Conv2D, " in found.text and "pad=(1, 1)" in found.text


def test_an_undeclared_stabiliser_is_a_counterexample_where_nothing_is_allowed_for() -> None:
    def exactly(network: Network, rules: Any, x: Array, R: Array, answer: Any) -> bool:
        # rounding of a sum of four or fewer; the stabiliser's 1e-9 is far larger
        return bool((abs(answer - through_network(network, rules, x, R)["input"]) <= 1e-14 * abs(R).max()).all())

    found = smallest("captum", WIDE, ZPlus(), VECTORS, exactly)
    assert str(found) == "ZPlus(), x=[1], W=[[1]], b=0, R=[1] -> 0.999999999, spec 1"


def test_an_implementation_that_is_right_has_no_counterexample() -> None:
    found = smallest("zennit", WIDE, Epsilon(0.5), VECTORS)
    assert not found and isinstance(found, NoCounterexample)
    assert found.reason == "no network of at most 3 inputs and small whole numbers goes wrong"


def test_several_layers_shrink_together() -> None:
    network = Network([("fc1", WIDE), ("relu", ReLU()), ("fc2", Linear(np.ones((3, 2)), np.ones(2)))])
    rules: dict[str, Rule] = {"fc1": WSquare(), "relu": Epsilon(0), "fc2": Epsilon(0)}
    found = shrink(speaker("zennit").relevance, network, rules, VECTORS, agrees)
    assert found and len(found.network) == 3 and found.x.size == 1 and found.text.startswith("x=[")


def test_it_is_the_same_in_float32_and_every_time() -> None:
    single = WIDE.astype(np.float32)
    found = [smallest("captum", layer, ZPlus(), x) for layer, x in
             ((single, np.float32(VECTORS)), (WIDE, VECTORS), (WIDE, VECTORS))]
    assert found[0] and found[0].x.dtype == np.float32 and len({one.text for one in found if one}) == 1


def test_bounds_per_channel_become_one_box() -> None:
    found = smallest("caffe", Conv2D(np.ones((2, 2, 2, 2)), np.ones(2)), ZBox(np.array([-1.0, -2]), np.array([1.0, 2])),
                     IMAGES)
    assert found and found.text.startswith("ZBox(-2, 2), ")


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    """In a program of its own, whose constants hypothesis would note once."""
    program = tmp_path / "program.py"
    program.write_text("from test_shrink import *\nassert not smallest('zennit', WIDE, Epsilon(0.5), VECTORS)\n")
    paths = [str(Path(__file__).parents[1]), *sys.path]
    result = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    assert (result.returncode, result.stderr, list(tmp_path.iterdir())) == (0, "", [program])


def test_without_hypothesis_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert smallest("captum", WIDE, ZPlus(), VECTORS) == NoCounterexample(
        "hypothesis is not installed: pip install hypothesis")


def test_a_layer_of_which_no_small_ones_are_drawn_is_named() -> None:
    layer = FisherVector(np.ones(2) / 2, np.zeros((2, 3)), np.ones((2, 3)))
    network, x = Network([("fisher", layer)]), np.ones((1, 4, 3))
    found = shrink(speaker("zennit").relevance, network, {"fisher": Epsilon(0)}, x, agrees)
    assert found == NoCounterexample("no small networks of FisherVector are drawn")


def test_what_an_implementation_refuses_is_no_counterexample() -> None:
    def refuses(*_: Any) -> Any:
        raise RuntimeError("not today")

    network = Network([("layer", WIDE)])
    assert not shrink(refuses, network, {"layer": ZPlus()}, VECTORS, agrees)


def test_an_implementation_that_is_right_is_asked_300_times_and_no_more() -> None:
    asked = []

    def right(network: Network, rules: Any, x: Array, R: Array) -> Array:
        asked.append(network)
        return through_network(network, rules, x, R)["input"]

    network = Network([("layer", WIDE)])
    assert not shrink(right, network, {"layer": ZPlus()}, VECTORS, agrees)
    assert len(asked) == 300   # 340 different questions are drawn


def test_what_is_asked_but_once_has_a_counterexample_of_that_answer() -> None:
    """Asked a second time it would raise."""
    heard: set[str] = set()

    def once(network: Network, rules: Any, x: Array, R: Array) -> Array:
        question = repr((network.layers, rules, x, R))
        if question in heard:
            raise RuntimeError("hook is registered already")
        heard.add(question)
        return 0 * x

    network = Network([("layer", WIDE)])
    found = shrink(once, network, {"layer": ZPlus()}, VECTORS, agrees)
    assert isinstance(found, Counterexample) and found.got == "0" != found.expected
