"""Batch norm folds into a neighbour: the same function, and where Epsilon(0) says so the same relevance."""

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from helpers import assert_holds, fractions, image, law, mixed, refused

from lrp_ref import Add, BatchNorm, Conv2D, Flatten, Linear, MaxPool, Network, ReLU, merge_batchnorm
from lrp_ref.checks.claims.claim import Claim

NETWORK = Network([
    ("conv1", Conv2D(mixed((2, 1, 2, 3), 1), mixed((2,), 2), pad=(0, 1))), ("relu1", ReLU()),
    ("pool1", MaxPool((2, 1))), ("flat", Flatten()), ("fc", Linear(mixed((12, 4), 3), mixed((4,), 4))),
])
BN = BatchNorm(fractions("1 -1/2 3"), fractions("4 9/4 1/9"), fractions("-1 3/2 2"), fractions("1/4 -2 1"), epsilon=0)
CONV = Network([("conv", Conv2D(mixed((3, 2, 2, 1), 3), None, (1, 2), (1, 0))), ("bn", BN), ("relu", ReLU())])

@law("batch norm")
def test_merged_batch_norm_is_the_same(claim: Claim) -> None:
    assert_holds(claim)


def test_several_batch_norms_fold_one_after_another() -> None:
    network = Network([*CONV[:2], ("bn2", BN), ("conv2", Conv2D(mixed((3, 3, 1, 1), 6))), ("bn3", BN)])
    merged = merge_batchnorm(network)
    assert merged.names == ("conv", "conv2")
    x = mixed((1, 2, 3, 4), 7)
    assert (merged(x) == network(x)).all()


def test_merging_leaves_the_network_and_a_network_without_batch_norm_alone() -> None:
    before = CONV["conv"].arrays()["weight"].copy()
    merge_batchnorm(CONV)
    assert CONV["conv"].arrays().keys() == {"weight"} and (CONV["conv"].arrays()["weight"] == before).all()
    assert merge_batchnorm(NETWORK).layers == NETWORK.layers


@pytest.mark.parametrize(("layers", "what"), [
    ([("bn", BN)], "bn after the input"), ([("relu", ReLU()), ("bn", BN), ("out", ReLU())], "bn after relu"),
    ([("fc", Linear(mixed((3, 3), 1))), ("relu", ReLU()), ("bn", BN), ("bn2", BN)], "bn after relu, bn2 after bn"),
])
def test_a_batch_norm_that_cannot_be_merged_stays_and_a_warning_says_which(layers: Any, what: str) -> None:
    network, x = Network(layers), mixed((2, 3), 7)
    with pytest.warns(UserWarning, match=f"^merge_batchnorm leaves {what}: it merges into a Linear or Conv2D directly"):
        merged = merge_batchnorm(network)
    assert merged.names == network.names and (merged(x) == network(x)).all()


def test_merging_asks_for_as_many_channels_as_outputs() -> None:
    one = np.array([2.0])
    network = Network([("conv", Conv2D(np.ones((5, 1, 1, 1)))), ("norm", BatchNorm(one, one, one, one))])
    with pytest.raises(ValueError, match="got norm after conv: numbers for 1 channels, but there are 5 outputs"):
        merge_batchnorm(network)


def test_a_norm_is_merged_where_nobody_else_reads_what_it_norms() -> None:
    norm = BatchNorm(mixed((2,), 3), np.array([F(3), F(8)]), mixed((2,), 5) + 1, mixed((2,), 6), epsilon=F(1))
    conv = Conv2D(mixed((2, 2, 1, 1), 7), mixed((2,), 8))
    network = Network([("conv", conv), ("bn", norm), ("relu", ReLU()), ("add", Add(), ("relu", "input")),
                       ("out", conv, "add")])
    merged, x = merge_batchnorm(network), mixed((2, 2, 3, 2), 9)
    assert merged.names == ("conv", "relu", "add", "out") and merged.reads["add"] == ("relu", "input")
    assert (merged(x) == network(x)).all()
    shared = Network([("conv", conv), ("bn", norm), ("add", Add(), ("bn", "conv"))])
    with pytest.warns(UserWarning, match=r"^merge_batchnorm leaves bn after conv: "):
        assert merge_batchnorm(shared).names == shared.names


def norm(gain: str, shift: str) -> BatchNorm:
    """z = gain a + shift"""
    g, s = fractions(gain), fractions(shift)
    return BatchNorm(0 * g, 0 * g + 1, g, s, epsilon=0)


def test_a_norm_before_a_padding_is_a_bias_at_every_position() -> None:
    # g = 2, s = 3, w = (1, 2, 1), x = (1, 4, 2): g x + s = 5 11 7, and 0 beside it
    network = Network([("bn", norm("2", "3")), ("conv", Conv2D(image("1 2 1"), None, pad=(0, 1)))])
    x = image("1 4 2")
    merged = merge_batchnorm(network, x.shape)
    assert merged.names == ("conv",) and merged["conv"].bias.tolist() == [[[9, 12, 9]]]
    assert merged(x).tolist() == network(x).tolist() == [[[[21, 34, 25]]]]


def test_merging_before_a_padding_asks_for_the_images_size() -> None:
    network = Network([("bn", norm("2", "3")), ("conv", Conv2D(image("1 2 1"), None, pad=(0, 1)))])
    with refused("merge_batchnorm got bn after the input: what the norm adds is another number beside the padding: "
                 "give the shape of the input, merge_batchnorm(network, x.shape)"):
        merge_batchnorm(network)
    merged = merge_batchnorm(network, (1, 1, 1, 3))
    with refused("…Conv2D got an input of shape (1, 1, 1, 4), which has 1 x 4 outputs, but its bias is for 1 x 3: use "
                 "images of one size"):
        merged(image("1 4 2 0"))


@pytest.mark.parametrize("above", [
    Conv2D(mixed((4, 1, 2, 2), 1), mixed((4,), 2), (1, 2), groups=2),
    Conv2D(mixed((4, 1, 2, 3), 3), mixed((4, 3, 5), 4), (2, 1), ((0, 2), (1, 2)), groups=2),
    Conv2D(mixed((3, 2, 2, 2), 5), None, 1, (0, 1))], ids=["no padding", "a bias map", "no bias"])
def test_a_norm_is_merged_into_the_convolution_that_reads_it(above: Conv2D) -> None:
    x, two = mixed((2, 2, 5, 4), 9), norm("-1/2 3", "2 -5/4")
    network = Network([("relu", ReLU()), ("bn", two), ("conv", above), ("bn2", norm(" ".join("2" * len(above.weight)), (
        " ".join("1" * len(above.weight)))))])
    merged = merge_batchnorm(network, x.shape)
    assert merged.names == ("relu", "conv") and (merged(x) == network(x)).all()


def test_a_norm_is_merged_into_the_linear_layer_that_reads_it() -> None:
    for bias in (None, mixed((2,), 4)):
        network = Network([("relu", ReLU()), ("bn", BN), ("fc", Linear(mixed((3, 2), 3), bias))])
        x, merged = mixed((2, 3), 5), merge_batchnorm(network)
        assert merged.names == ("relu", "fc") and (merged(x) == network(x)).all()


def test_a_norm_that_two_read_is_not_merged_into_one_of_them() -> None:
    network = Network([("relu", ReLU()), ("bn", BN), ("fc", Linear(mixed((3, 3), 3))), ("add", Add(), ("fc", "bn"))])
    with pytest.warns(UserWarning, match=r"^merge_batchnorm leaves bn after relu"):
        assert merge_batchnorm(network).names == network.names


@pytest.mark.parametrize("layer", [Conv2D(mixed((2, 2, 1, 1), 3)), Linear(mixed((2, 2), 3))])
def test_a_norm_of_other_channels_than_the_layer_above_takes_is_refused(layer: Any) -> None:
    with refused("merge_batchnorm got bn after the input: numbers for 3 channels, but the layer above takes 2"):
        merge_batchnorm(Network([("bn", BN), ("it", layer)]))
