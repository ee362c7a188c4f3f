"""LXT 2.1 beside us: what it answers is as expected, and the diagnosis says what its functions compute."""

from pathlib import Path

import numpy as np
import pytest

from lrp_ref import Epsilon, Flat, Linear, MatMul, Multiply, Network, Pass, RMSNorm, SiLU, Softmax, Transpose
from lrp_ref.assignment import attnlrp
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters import find
from lrp_ref.relevance import explain

torch = pytest.importorskip("torch")
pytest.importorskip("lxt.explicit.functional")
RNG = np.random.default_rng(5)


def halves(*shape):
    """No neutral numbers, both signs, and no z that is 0."""
    return RNG.choice([-2.5, -1.5, -0.5, 0.5, 1.5, 3.5], shape)


@pytest.fixture(scope="module")
def lxt():
    return find("lxt")


def same(lxt, network, rules, x, off=1e-12):
    """LXT's relevance is ours, to 1e-12 of the largest: sums of a few terms in float64, in another order."""
    R = halves(*network(x).shape)
    ours = explain(network, x, rules, R).relevance
    theirs = np.asarray(lxt.relevance(network, rules, x, R))
    assert np.abs(theirs - ours).max() <= off * np.abs(ours).max()
    assert np.abs(ours).max() > 0.01


def test_a_head_of_attention_is_theirs(lxt):
    """Scores, softmax, what is read, and the product with a gate: every function of theirs that knows no epsilon."""
    network = Network([
        ("k", Linear(halves(4, 3))), ("q", Linear(halves(4, 3), halves(3)), "input"),
        ("v", Linear(halves(4, 5)), "input"), ("turned", Transpose((0, 2, 1)), "k"),
        ("scores", MatMul((6, 3), (3, 6)), ("q", "turned")), ("softmax", Softmax()),
        ("read", MatMul((6, 6), (6, 5)), ("softmax", "v")), ("gate", SiLU(), "v"),
        ("gated", Multiply(), ("read", "gate")), ("out", Linear(halves(5, 2))),
    ])
    same(lxt, network, attnlrp(network, 0), RNG.normal(size=(2, 6, 4)))   # no z that is 0, where theirs is no number


def test_the_root_of_rms_norm_is_float32_there(lxt):
    network = Network([("norm", RMSNorm(halves(5), 1e-6)), ("fc", Linear(halves(5, 3)))])
    x = halves(2, 4, 5)
    rules = {"norm": Pass(), "fc": Epsilon(0)}
    same(lxt, network, rules, x, 1e-6)   # eight digits of the norm's output, which the Linear's z are made of


def test_what_it_has_no_function_for_is_unsupported(lxt):
    network = Network([("fc", Linear(halves(3, 2)))])
    with pytest.raises(Unsupported, match="LXT has no function for Flat on Linear"):
        lxt.relevance(network, {"fc": Flat()}, halves(2, 3), halves(2, 2))


def test_the_diagnosis_says_what_its_functions_compute(lxt):
    """Of reports in full: what its source says, found from its answers alone."""
    from lrp_ref.command.conform import conform_command
    from lrp_ref.command.failed import Failed
    from lrp_ref.command.options import parser

    options = parser().parse_args(["conform", "lxt"])
    try:
        text = conform_command(options, lambda text: None)
    except Failed as failed:
        text = str(failed)
    first = " ".join(text.split("\n\n")[1].split())
    for words in ("Epsilon has no sign: 18 of 35 failures.", "Epsilon(0) where z = 0: not a number",
                  "Epsilon on LayerNorm: the denominator has a stabiliser of 1e-06, whatever its sign",
                  "Epsilon on MatMul: the stabiliser is epsilon / 2 without a sign"):   # LXT adds epsilon to 2 z
        assert words in first


def test_the_expectations_say_why(lxt):
    lines = (Path(__file__).parents[2] / "data_fixtures" / "expectations" / "lxt.txt").read_text().splitlines()
    failed = [line for line in lines if line.endswith(" failed")]
    assert len(failed) == 35
