"""lrp_toolbox's trained LeNet-5 and its relevance of twenty digits, where that data lies beside the project."""

from pathlib import Path

import numpy as np
import pytest
from helpers import distance
from toolbox_small import as_lrp_toolbox

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Flat, SumPool, WSquare, assign, cutoff, explain, load_model
from lrp_ref.conformance.dialects import DIALECTS

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference" / "lenet5"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="LeNet-5 may not be copied into the project")

# All its weights are in convolutions, the dense layers too.
RULES = {
    "simple": assign,
    "epsilon_0.01": lambda network: assign(network, {Conv2D: Epsilon(0.01)}),
    "alphabeta_2": lambda network: assign(network, {Conv2D: AlphaBeta(2, 1)}),
    "alphabeta_1": lambda network: assign(network, {Conv2D: AlphaBeta(1, 0)}),
    "wsquare": lambda network: assign(network, {Conv2D: WSquare()}),
    "flat_all": lambda network: assign(network, {Conv2D: Flat(), SumPool: Flat()}),
    "alphabeta_2_flat_first_conv": lambda network: assign(network, {Conv2D: AlphaBeta(2, 1)}, first=Flat()),
}


@pytest.fixture(scope="module")
def lenet():
    """The network, the digits (20, 1, 32, 32) in [-1, 1], and all that lrp_toolbox computed."""
    with np.load(FOLDER / "toolbox.npz") as file:
        numbers = dict(file)
    pixels = numbers.pop("images") / 127.5 - 1
    x = np.pad(pixels, ((0, 0), (2, 2), (2, 2)), constant_values=-1)[:, None]
    return load_model(FOLDER / "LeNet-5.txt").network(x.shape), x, numbers


def test_scores_agree_with_lrp_toolbox(lenet):
    network, x, numbers = lenet
    # Sums of at most 400 products round by less than 400 * 1.1e-16 of their sizes, which are below 100.
    assert np.abs(network(x) - numbers["scores"]).max() < 1e-10


def test_nineteen_of_the_twenty_digits_are_recognised(lenet):
    network, x, numbers = lenet
    assert (network(x).argmax(axis=1) == numbers["labels"]).sum() == 19


@pytest.mark.parametrize("key", RULES)
def test_relevance_of_the_top_score_agrees_with_lrp_toolbox(lenet, key):
    network, x, numbers = lenet
    wanted = numbers[f"relevance_{key}"][:, None]
    rules = RULES[key](network)
    # Rounding alone is left: sums of 400 products of both signs, a few times smaller than their terms.
    assert distance(explain(network, x, as_lrp_toolbox(network, rules)).relevance, wanted) < 1e-12
    # Without the stabiliser what a sum passes on changes by 1e-12 / sum. The sums are 0 or above 4e-5, and those below
    # 1e-3 pass on little: 5.5e-10 of the largest relevance is the most it comes to.
    assert distance(explain(network, x, rules).relevance, wanted) < 1e-9


def test_the_lowest_convolution_alone_flat_is_the_cut_off_below_the_layer_above_it(lenet):
    network, x, _ = lenet
    rules = assign(network, {Conv2D: AlphaBeta(2, 1)})
    below = explain(network, x, cutoff(rules, below="rect1")).relevance
    first = explain(network, x, RULES["alphabeta_2_flat_first_conv"](network)).relevance
    assert below.tobytes() == first.tobytes()


def test_every_number_in_the_file_is_compared(lenet):
    assert set(lenet[2]) == {"scores", "labels"} | {f"relevance_{key}" for key in RULES}


def test_what_prepare_makes_of_a_digit_is_the_reference_input(lenet):
    """On a 32 x 32 photograph (the digit in its black frame) the model's own preprocessing is x / 127.5 - 1."""
    _, x, _ = lenet
    photographs = np.rint((x[:, 0] + 1) * 127.5).astype(np.uint8)
    model = load_model(FOLDER / "LeNet-5.txt")
    prepared = np.concatenate([model.prepare(photograph) for photograph in photographs])
    # (p / 255 - 1/2) / (1/2) and p / 127.5 - 1 round differently, by an ulp of 1 each.
    assert np.abs(prepared - x).max() <= 4 * np.spacing(1.0)


# ---- Dialects: of the first digit's score 23.5436, what libraries hand down ----


@pytest.mark.parametrize("key", RULES)
def test_the_toolboxs_dialect_gives_what_lrp_toolbox_gave(lenet, key):
    network, x, numbers = lenet
    rules = DIALECTS["toolbox"].translate(network, RULES[key](network))
    # Rounding alone is left: sums of 400 products of both signs, a few times smaller than their terms.
    assert distance(explain(network, x, rules).relevance, numbers[f"relevance_{key}"][:, None]) < 1e-12


def test_zennits_squared_bias_takes_a_thirtieth_of_the_score(lenet):
    """D4, without zennit's stabilisers: 22.8171 of 23.5436."""
    network, x, _ = lenet
    kept = explain(network, x[:1], assign(network, {Conv2D: WSquare(), SumPool: Flat()})).relevance.sum()
    rules = assign(network, {Conv2D: DIALECTS["zennit"].but(stabiliser=0).rule(WSquare()), SumPool: Flat()})
    assert (round(kept, 4), round(explain(network, x[:1], rules).relevance.sum(), 4)) == (23.5436, 22.8171)


def test_alpha_2_on_pools_too_makes_ten_times_the_score(lenet):
    """D11b: 247.45 where zennit, which keeps alpha from pools, has 30.93; they differ by 700 % of the largest."""
    network, x, _ = lenet
    canonical = {kind: assign(network, {Conv2D: AlphaBeta(2, 1), SumPool: pool})
                 for kind, pool in (("toolbox", AlphaBeta(2, 1)), ("zennit", Epsilon(1e-6)))}
    maps = {name: explain(network, x[:1], DIALECTS[name].translate(network, rules)).relevance
            for name, rules in canonical.items()}
    assert {name: round(relevance.sum(), 2) for name, relevance in maps.items()} == {"toolbox": 247.45, "zennit": 30.93}
    assert round(distance(maps["toolbox"], maps["zennit"]), 2) == 7
