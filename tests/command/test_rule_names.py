"""Rules by the names a person types: every name, every number, the bounds of the pixels, and every error."""

from dataclasses import fields

import numpy as np
import pytest

from lrp_ref import (
    AlphaBeta,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Model,
    Network,
    Pass,
    Preprocessing,
    ReLU,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    explain,
    paper_cnn,
)
from lrp_ref.command.rule_names import PRESETS, RULE_HELP, RULES, rules_for

rng = np.random.default_rng(0)
NETWORK = Network([("conv", Conv2D(rng.normal(size=(4, 3, 2, 3)))), ("relu", ReLU()),
                   ("pool", MaxPool((2, 1))), ("flat", Flatten()), ("fc", Linear(rng.normal(size=(24, 5))))])
# (maximum pixel - mean) / std by hand: black (0 - 10) / 2 = -5, -20 / 4 = -5, -30 / 5 = -6; white 245 / 2 ...
COLOUR = Preprocessing((5, 5), "rgb", 255, (10, 20, 30), (2, 4, 5))
LOW, HIGH = (-5.0, -5.0, -6.0), (122.5, 58.75, 45.0)


def model(preprocessing=COLOUR):
    return Model(NETWORK, [str(n) for n in range(5)], preprocessing)


def rules(text="paper", first=None, below=None):
    return rules_for(model(), NETWORK, text, first, below)


@pytest.mark.parametrize(("text", "rule"), [
    ("epsilon:0", Epsilon(0)), ("epsilon:0.01", Epsilon(0.01)), ("epsilon:100", Epsilon(100)),
    ("alphabeta:2,1", AlphaBeta(2, 1)), ("alphabeta:1.5,0.5", AlphaBeta(1.5, 0.5)), ("zplus", ZPlus()),
    ("gamma:0.25", Gamma(0.25)), ("wsquare", WSquare()), ("flat", Flat()),
    ("Epsilon:1e-2", Epsilon(0.01)), ("ALPHABETA: 2, 1", AlphaBeta(2, 1)),
])
def test_a_rule_goes_to_every_layer_with_weights_and_to_no_other(text, rule):
    assert rules(text) == {"conv": rule, "relu": Pass(), "pool": Winner(), "flat": Pass(), "fc": rule}


@pytest.mark.parametrize(("text", "wanted"), [
    ("paper", paper_cnn(NETWORK)), ("epsilon_plus", epsilon_plus(NETWORK)),
    ("epsilon-plus-flat", epsilon_plus_flat(NETWORK)),
    ("epsilon_alpha2_beta1", epsilon_alpha2_beta1(NETWORK)),
    ("Epsilon_Alpha2-Beta1_flat", epsilon_alpha2_beta1_flat(NETWORK)),
    ("epsilon_gamma_box", epsilon_gamma_box(NETWORK, LOW, HIGH)),
])
def test_a_preset_is_the_function_of_that_name(text, wanted):
    assert rules(text) == wanted


def test_the_default_is_the_paper_s_alpha_beta():
    assert rules()["conv"] == rules()["fc"] == AlphaBeta(2, 1)


def typed(rule):
    """AlphaBeta(2, 1) as alphabeta:2,1"""
    values = [str(float(getattr(rule, field.name))) for field in fields(rule)]
    return type(rule).__name__ + (f":{','.join(values)}" if values else "")


@pytest.mark.parametrize("text", [*(typed(kind.examples()[0]) for kind, _ in RULES.values()), "epsilon:0", *PRESETS])
@pytest.mark.parametrize("first", [None, "zbox", "zbox:-6,123", "wsquare", "flat"])
def test_every_name_explains_an_image(text, first):
    x = model().prepare(np.random.default_rng(1).random((7, 9, 3)))
    e = explain(NETWORK, x, rules(text, first))
    assert np.isfinite(e.relevance).all() and e.relevance.any()


# ---- The lowest layer ----


@pytest.mark.parametrize(("first", "rule"), [
    ("zbox", ZBox(LOW, HIGH)), ("zbox:-6,123", ZBox(-6, 123)), ("wsquare", WSquare()), ("flat", Flat()),
    ("epsilon:0.5", Epsilon(0.5)), ("epsilon:0", Epsilon(0)), ("ZBox", ZBox(LOW, HIGH)),
])
def test_first_changes_the_lowest_layer_with_weights_alone(first, rule):
    assert rules("gamma:0.25", first) == {**rules("gamma:0.25"), "conv": rule}


def test_first_wins_against_a_preset_and_a_cut_off_wins_against_first():
    assert rules("epsilon_gamma_box", "flat")["conv"] == Flat()
    assert rules("zplus", "wsquare", "relu")["conv"] == Flat()
    assert rules("zplus", "wsquare", "pool") == cutoff(rules("zplus"), "pool")


def test_the_lowest_layer_with_weights_may_stand_above_others():
    ones = [("one", Linear(np.ones((3, 2)))), ("two", Linear(np.ones((2, 5))))]
    network = Network([("flat", Flatten()), *ones])
    got = rules_for(Model(network, [*"abcde"], COLOUR), network, "flat", "wsquare")
    assert got == {"flat": Pass(), "one": WSquare(), "two": Flat()}


def test_the_box_holds_black_and_white_exactly():
    black, white = (model().prepare(np.full((5, 5, 3), light)) for light in (0.0, 1.0))
    assert model().preprocessing.box == (LOW, HIGH)
    assert (black[0, :, 0, 0] == LOW).all() and (white[0, :, 0, 0] == HIGH).all()


def test_one_mean_for_all_channels_makes_a_box_of_numbers():
    # (0 - 0.5) / 0.25 = -2; (1 - 0.5) / 0.25 = 2. And 0 - 0 is 0, not -0.
    assert model(Preprocessing(None, "bgr", mean=0.5, std=0.25)).preprocessing.box == (-2.0, 2.0)
    assert repr(model(Preprocessing(None, "grey")).preprocessing.box) == "(0.0, 1.0)"


def test_bounds_of_a_float32_network_are_what_black_and_white_become():
    preprocessing = Preprocessing((5, 5), "rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    network = NETWORK.astype(np.float32)
    small = Model(network, [*"abcde"], preprocessing)
    x = small.prepare(np.zeros((5, 5, 3)))
    assert (x[0, :, 0, 0] == np.float32(small.preprocessing.box[0])).all()
    e = explain(network, x, rules_for(small, network, "zplus", "zbox"), 0)
    assert e.relevance.dtype == np.float32


# ---- Errors ----


@pytest.mark.parametrize(("text", "words"), [
    ("alfabeta:2,1", ["'alfabeta:2,1'", "did you mean 'alphabeta'?", "epsilon:EPSILON", "epsilon_gamma_box"]),
    ("epsilon_pluss", ["did you mean 'epsilon_plus'?"]),
    ("winner", ["'winner': choose from epsilon:EPSILON"]),
    ("", ["'': choose from"]),
    ("paper:3", ["'paper:3'", "takes no numbers"]),
    ("zbox:0,1", ["'zbox:0,1'", "--first zbox:0,1"]),
    ("alphabeta", ["'alphabeta' with 0 numbers", "alphabeta:ALPHA,BETA with ALPHA - BETA = 1"]),
    ("epsilon", ["'epsilon' with 0 numbers: write epsilon:EPSILON"]),
    ("epsilon:1,2", ["'epsilon:1,2' with 2 numbers", "epsilon:EPSILON"]),
    ("zplus:1", ["'zplus:1' with 1 numbers: write zplus"]),
    ("gamma:x", ["'x' in the rule 'gamma:x'", "separated by commas"]),
    ("alphabeta:2,", ["'2,' in the rule"]),
    ("epsilon:-1", ["epsilon=-1.0", "at least 0"]),
    ("gamma:nan", ["gamma=nan", "finite"]),
    ("alphabeta:3,1", ["alpha=3.0, beta=1.0", "alpha - beta = 1", "AlphaBeta(2.0, 1.0)?"]),
])
def test_a_rule_that_cannot_be_is_refused_with_the_cure(text, words):
    with pytest.raises(ValueError) as error:
        rules(text)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize(("first", "words"), [
    ("zbocks", ["did you mean 'zbox'?", "zbox:LOW,HIGH"]),
    ("paper", ["'paper': choose from zbox"]),
    ("zbox:1", ["'zbox:1' with 1 numbers", "zbox:LOW,HIGH"]),
    ("zbox:2,1", ["low=2.0, high=1.0", "low <= high"]),
    ("zbox:a,b", ["'a,b'", "separated by commas"]),
    ("", ["'': choose from"]),
])
def test_a_first_rule_that_cannot_be_is_refused_with_the_cure(first, words):
    with pytest.raises(ValueError) as error:
        rules("paper", first)
    assert [word for word in words if word not in str(error.value)] == []


def test_a_misspelt_cut_off_suggests_the_nearest_layer():
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        rules(below="rellu")


def test_a_network_without_weights_has_no_first_layer():
    network = Network([("relu", ReLU())])
    with pytest.raises(ValueError, match="no Conv2D and no Linear"):
        rules_for(Model(network, ["a"], COLOUR), network, "flat", "zbox")


def test_the_help_names_every_rule_and_preset():
    assert [name for name in (*RULES, *PRESETS) if name not in RULE_HELP] == []
