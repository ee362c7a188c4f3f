"""The one table of examples: every layer, every rule, both signs, zeros, ties, dead units."""

import numpy as np
from helpers import F

from lrp_ref import relevance, rules
from lrp_ref.arrays import negative, positive
from lrp_ref.checks.claims.examples import IRRATIONAL, LAYERS, RATIONAL, RULES, output_of, pairs
from lrp_ref.checks.numbers.exact import GuardedFraction
from lrp_ref.layers import LAYERS as TYPES
from lrp_ref.rules import Rule

# of no layer of these kinds has the forward pass a rational form
NO_EXACT_FORM = {"Tanh", "ELU", "SiLU", "GELU", "Sigmoid", "Softmax", "FisherVector", "DenseSift", "GaussianSVM",
                 "ExponentialChiSquareSVM"}


def test_every_layer_and_every_rule_is_among_the_examples() -> None:
    assert {type(example.layer) for example in LAYERS.values()} == set(TYPES.values())
    assert {type(example.layer).__name__ for example in RATIONAL.values()} == set(TYPES) - NO_EXACT_FORM
    assert {type(rule) for rule in RULES.values()} == {
        kind for kind in Rule.__subclasses__() if kind.__module__ == rules.__name__}


def test_every_rule_meets_layers_that_take_it_and_pass_meets_gates_only() -> None:
    met = {rule: [name for name, example in LAYERS.items() if rule in example.rules()] for rule in RULES}
    assert min(len(names) for names in met.values()) >= 6
    gates = {type(LAYERS[name].layer).__name__ for name in met["Pass"]}
    assert gates == {"ReLU", "Clip", "LeakyReLU", "ELU", "SiLU", "GELU", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh",
                     "Flatten", "Reshape", "Transpose", "Slice", "Pad", "ClassToken", "Concat", "BatchNorm", "RMSNorm",
                     "Scale", "LRN", "SignedSqrt", "L2Norm", "RegionMean"}
    assert not {"LRN, taylor", "LRN, Caffe, taylor"} & {*met["Pass"]}
    learned = {type(LAYERS[name].layer).__name__ for name in {*LAYERS} - {*met["Winner"]}}
    assert learned == {"Linear", "Conv2D", "ConvTranspose2D", "GaussianSVM", "ExponentialChiSquareSVM", "BatchNorm",
                       "Scale", "Embedding", "DenseSift"}


def test_the_examples_mix_signs_zeros_and_cancelling_units() -> None:
    for name in ("Linear", "Conv2D", "BatchNorm"):
        a, m = RATIONAL[name].map()
        for part in (positive(a), negative(a)):
            assert m.apply(part, positive).any() and m.apply(part, negative).any(), name
        assert (m.bias > 0).any() and (m.bias < 0).any() and (a == 0).any(), name
    for name in ("Linear", "Conv2D", "BatchNorm on vectors"):
        a, m = RATIONAL[name].map()
        assert ((m(a) == 0) & (m.apply(abs(a), abs) != 0)).any(), name
    for name in ("Linear", "Conv2D"):
        assert (RATIONAL[name].layer.weight == 0).any()


def test_the_examples_meet_dead_units_biases_and_stabilisers_of_both_signs() -> None:
    columns = dict.fromkeys(("handed", "bias", "stabiliser", "dead"), 0)
    for pair in pairs(LAYERS):
        a, m = pair.map()
        R = output_of(a, m) * 0 + 1
        account = relevance.step(pair.rule, m, a, R)[1]
        for column in columns:
            columns[column] += int((getattr(account, column) != 0).any())
        if pair.rule_name == "Epsilon(1/4)" and pair.name in ("Linear", "Conv2D", "Conv2D, no bias"):
            z = m(a)   # and products that cancel: there the sign of 0 decides
            assert (z > 0).any() and (z < 0).any() and ((z == 0) & (m.apply(abs(a), abs) != 0)).any(), pair.what
        if pair.rule_name == "Winner" and pair.name in ("MaxPool", "MaxPool, ceil", "PMeans, maximum"):
            assert np.logical_and(m.weight > 0, m.weight < 1).any(), pair.what     # ties
    assert min(columns.values()) >= 12, columns


def test_an_example_comes_in_any_number_type_and_its_map_in_guarded_fractions() -> None:
    for name, example in LAYERS.items():
        for number in (F, np.float32, np.float64):
            x = example.at(number, 3, 1)[1]
            assert x.shape == (3, *example.shape) and {type(c) for c in x.flat} == {number}, name
        a, _ = example.map(1)
        assert {type(c) for c in a.flat} == {GuardedFraction} and example.rational == (name not in IRRATIONAL)
