"""The smallest numbers in which a library departs, worked out by hand and given by the library itself.

RelevancePropagation.jl's were read in its code: it was not run.
"""

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from helpers import refused

from lrp_ref import (
    LRN,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    Tanh,
    WSquare,
    ZBox,
    ZPlus,
)
from lrp_ref.arrays import Array
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.relevance import handed_down


def handed(library: str, layer: Any, rule: Any, x: Array, R: Array) -> Array:
    network = Network([("it", layer)])
    with np.errstate(all="ignore"):
        return handed_down(network, DIALECTS[library].translate(network, {"it": rule}), x, R)[0]


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a library hands down from R to x; an image is a row of pixels, or a column of channels."""

    layer: Any
    rule: Any
    x: Any
    R: Any
    wanted: Any


def row(*pixels: float) -> Array:
    return np.array(pixels, float).reshape(1, 1, 1, -1)


def column(*channels: float) -> Array:
    return np.array(channels, float).reshape(1, -1, 1, 1)


def vector(*inputs: float) -> Array:
    return np.array([inputs], float)


def batch_norm(mean: float, variance: float, scale: float, shift: float) -> BatchNorm:
    return BatchNorm(*(np.array([number], float) for number in (mean, variance, scale, shift)), 0)


def grouped(*bias: float) -> Conv2D:
    """A convolution of as many groups, each of one weight of 1."""
    return Conv2D(np.ones((len(bias), 1, 1, 1)), np.array(bias, float), groups=len(bias))


def dense(*weights: float, bias: float = 0) -> Linear:
    return Linear(np.array(weights, float)[:, None], np.array([bias], float))


WINDOW, CAFFE_LRN = row(1, -1, 2, 2), LRN(5, 1e-4, 0.75, 1)
THIRDS = Linear(np.array([[2.0, -1], [-3, 1], [1, 2]]), np.array([0.5, -1.5]))

CAFFE = {
    # f_i = x_i s^-beta, s = 1 + 2e-5 (9 + 25 + 49 + ..) over five channels; R_i is x_i times the first-order map of R.
    "a local response norm hands down by its first-order map": Numbers(
        CAFFE_LRN, Pass(), column(3, 5, 0, 7, 2), column(3, 5, 0, 7, 2),
        column(8.992055, 24.947237, 0, 48.921503, 3.993896)),
    # x / (x + b), b of the first group for both.
    "a group has the bias of the first, larger": Numbers(
        grouped(1, 3), AlphaBeta(2, 1), column(1, 1), column(1, 1), column(1, 1)),
    "z+ in groups, b = 1 and 3": Numbers(grouped(1, 3), ZPlus(), column(1, 1), column(1, 1), column(1 / 2, 1 / 2)),
    "z+ in groups, b = 0 and 1": Numbers(grouped(0, 1), ZPlus(), column(1, 1), column(1, 1), column(1, 1)),
    # (x + 1) / (x + 1 + b+) in a box from -1 to 1
    "z-box in groups, b = 1 and 3": Numbers(
        grouped(1, 3), ZBox(-1, 1), column(1, 1), column(1, 1), column(2 / 3, 2 / 3)),
    # float32's 0.1 is 0.1 + 1.49e-9: 2 * 1.5 / (1.5 + 0.1)
    "epsilon is float32's": Numbers(
        dense(1, 2, bias=-4.5), Epsilon(0.1), vector(1, 1), vector(-1.5), vector(0.937499999, 1.874999998)),
    # float32's 1/3 is larger by 9.9e-9; column by column 4/3 2/3.5 3 = 16/7 and so on
    "beta is float32's": Numbers(
        THIRDS, AlphaBeta(4 / 3, 1 / 3), vector(1, 2, -1), vector(3, -2),
        vector(2.146031746, -3.523809629, 0.317460357)),
}
INNVESTIGATE = {
    # x (y - shift) R / ((x - mean) y + 1e-7 sign): y = x - 1 + 1/2 for scale / deviation = 1
    "a batch norm at its mean hands nothing down": Numbers(
        batch_norm(1, 4, 2, 0.5), Pass(), vector(1), vector(1), vector(0)),
    "a batch norm beside it": Numbers(batch_norm(1, 4, 2, 0.5), Pass(), vector(3), vector(1), vector(1.19999998)),
}
TOOLBOX = {
    "w-square of weights 0 is 0 / 0": Numbers(dense(0, 0), WSquare(), vector(1, 2), vector(1), vector(nan, nan)),
    "w-square of one output of weight 0 spoils the sample": Numbers(
        Linear(np.array([[1.0, 0]])), WSquare(), vector(1), vector(1, 1), vector(nan)),
    "epsilon passes a ReLU": Numbers(ReLU(), Epsilon(1 / 4), vector(1), vector(1), vector(1)),
    "z+ passes a ReLU, negative as it is": Numbers(ReLU(), ZPlus(), vector(-1), vector(1), vector(1)),
    "epsilon passes a Tanh": Numbers(Tanh(), Epsilon(1 / 4), vector(1), vector(1), vector(1)),
    "epsilon passes a Flatten": Numbers(Flatten(), Epsilon(1 / 4), column(1), vector(1), column(1)),
}
CAPTUM = {
    "epsilon passes a ReLU": Numbers(ReLU(), Epsilon(1 / 4), vector(1), vector(1), vector(1)),
    "epsilon passes a Tanh": Numbers(Tanh(), Epsilon(1 / 4), vector(1), vector(1), vector(1)),
    # s = 1 + (1 + 4) / 6 = 11/6; f = x s^-1; df_i/dx_j = d_ij / s - x_i x_j / (3 s^2). R = 1 each:
    # 1 * (6/11 - ..) / z, epsilon left out of account: x_i (sum_j df_j/dx_i R_j / f_j)
    "a local response norm is differentiated": Numbers(
        LRN(3, 0.5, 1, 1), Epsilon(0), column(1, 2), column(1, 1), column(0.6364, -0.4545)),
}
ZENNIT = {
    # Nothing is clamped: every half is the whole layer, z = 1: x_i / 4 each, alpha - beta = 1 of it.
    **{f"an average under {rule}": Numbers(AvgPool((1, 4)), rule, WINDOW, row(1), row(0.25, -0.25, 0.5, 0.5))
       for rule in (AlphaBeta(2, 1), ZPlus(), Gamma(1 / 4))},
    "alpha-beta on a ReLU": Numbers(ReLU(), AlphaBeta(2, 1), vector(1), vector(1), vector(0.999999)),
    "alpha-beta on a maximum goes to the first winner": Numbers(
        MaxPool((1, 4)), AlphaBeta(2, 1), WINDOW, row(1), row(0, 0, 1, 0)),
    # 6/5 of R = x (scale / deviation) / y; z+ is 3 / 2.5; alpha-beta twice that, for shift - mean has no negative half
    "alpha-beta on a batch norm": Numbers(
        batch_norm(1, 4, 2, 0.5), AlphaBeta(2, 1), vector(3), vector(1), vector(2.4)),
    "z+ on a batch norm": Numbers(batch_norm(1, 4, 2, 0.5), ZPlus(), vector(3), vector(1), vector(1.2)),
    # 1 * 1 / 2 over 0 + 1e-6: with weight 1 and input 1 the mean takes all away
    "flat on a batch norm": Numbers(batch_norm(1, 4, 2, 0.5), Flat(), vector(3), vector(1), vector(500000)),
    "w-square on a batch norm": Numbers(batch_norm(1, 4, 2, 0.5), WSquare(), vector(3), vector(1), vector(8)),
    # tanh(1) (1 - tanh(1)^2) / (tanh(1) + 1/4) ..
    "epsilon on a Tanh": Numbers(Tanh(), Epsilon(1 / 4), vector(1), vector(1), vector(0.4152)),
}
JULIA = {
    "flat on a dense layer has no stabiliser": Numbers(dense(3, -1), Flat(), vector(1, 2), vector(1), vector(0.5, 0.5)),
    "epsilon passes a Flatten": Numbers(Flatten(), Epsilon(1 / 4), column(1), vector(1), column(1)),
}
LIBRARIES = {"caffe": CAFFE, "innvestigate": INNVESTIGATE, "toolbox": TOOLBOX, "captum": CAPTUM, "zennit": ZENNIT,
             "relevance_propagation_jl": JULIA}


@pytest.mark.parametrize(("library", "one"), [
    pytest.param(library, one, id=f"{library}: {what}") for library, table in LIBRARIES.items()
    for what, one in table.items()])
def test_a_library_gives_these_numbers(library: str, one: Numbers) -> None:
    got = handed(library, one.layer, one.rule, one.x, one.R)
    print(library, got.ravel())
    assert got.shape == one.wanted.shape
    np.testing.assert_allclose(got, one.wanted, rtol=3e-6, atol=5e-5)
