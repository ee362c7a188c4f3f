"""The smallest numbers in which a library departs, worked out by hand and given by the library itself.

RelevancePropagation.jl's are read off its code: it was not run.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lrp_ref import Network
from lrp_ref.arrays import Array
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.layers import Flatten, ReLU, Tanh
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AvgPool, MaxPool
from lrp_ref.relevance import through_network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, WSquare, ZBox, ZPlus


def handed(library: str, layer: Any, rule: Any, x: Array, R: Array) -> Array:
    network = Network([("it", layer)])
    with np.errstate(all="ignore"):
        return through_network(network, DIALECTS[library].translate(network, {"it": rule}), x, R)["input"]


def numbers(text: str) -> Array:
    return np.array([float(number) for number in text.split()])


def as_printed(got: Array, printed: str) -> bool:
    """Whether every number is the printed one, to half a unit of its last digit; nan is nan."""
    def near(number: float, text: str) -> bool:
        digits = len(text.partition(".")[2])
        return text == "nan" if np.isnan(number) else abs(number - float(text)) <= 0.5 * 10.0**-digits
    return all(near(number, text) for number, text in zip(got.flat, printed.split(), strict=True))


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a library hands down: x, R and relevance as texts; `shape` is x's without the samples, `outputs` R's."""

    layer: Any
    rule: Any
    x: str
    R: str
    printed: str
    shape: tuple[int, ...] = (-1,)
    outputs: tuple[int, ...] = (-1,)

    def by(self, library: str) -> Array:
        return handed(library, self.layer, self.rule, numbers(self.x).reshape(1, *self.shape),
                      numbers(self.R).reshape(1, *self.outputs))


CHANNELS: Any = {"shape": (-1, 1, 1), "outputs": (-1, 1, 1)}
PIXELS: Any = {"shape": (1, 1, -1), "outputs": (1, 1, -1)}


def batch_norm() -> BatchNorm:
    """y = (x - 1) / 2 * 2 + 1/2"""
    return BatchNorm(*(np.array([number]) for number in (1.0, 4.0, 2.0, 0.5)), 0)


def grouped(*bias: float) -> Conv2D:
    """A convolution of as many groups, each of one weight of 1."""
    return Conv2D(np.ones((len(bias), 1, 1, 1)), np.array(bias, float), groups=len(bias))


def dense(*weights: float, bias: float = 0) -> Linear:
    return Linear(np.array(weights, float)[:, None], np.array([bias], float))


WINDOW, FOUR = "1 -1 2 2", AvgPool((1, 4))
THIRDS = Linear(np.array([[2.0, -1], [-3, 1], [1, 2]]), np.array([0.5, -1.5]))

CAFFE = {
    # x_i times the first-order map: (x_i / s^3/4, s = 1 + 1e-4 / 5 of the squares in the window) is near x_i^2 of R_i.
    "a local response norm hands down by its first-order map": Numbers(
        LRN(5, 1e-4, 0.75, 1), Pass(), "3 5 0 7 2", "3 5 0 7 2", "8.992055 24.947237 0 48.921503 3.993896",
        **CHANNELS),
    # x / (x + b+), b of the first group for both; of alpha-beta twice that, for no product is negative.
    "z+ in groups, b = 1 and 3": Numbers(grouped(1, 3), ZPlus(), "1 1", "1 1", "0.500000 0.500000", **CHANNELS),
    "z+ in groups, b = 0 and 1": Numbers(grouped(0, 1), ZPlus(), "1 1", "1 1", "1.000000 1.000000", **CHANNELS),
    "alpha-beta in groups": Numbers(grouped(1, 3), AlphaBeta(2, 1), "1 1", "1 1", "1.000000 1.000000", **CHANNELS),
    # (x + 1) / (x + 1 + b+) in a box from -1 to 1
    "z-box in groups": Numbers(grouped(1, 3), ZBox(-1, 1), "1 1", "1 1", "0.666667 0.666667", **CHANNELS),
    # 2 * 1.5 / 1.6 is 1.875; float32's 0.1 is 0.1 + 1.49e-9
    "epsilon is float32's": Numbers(
        dense(1, 2, bias=-4.5), Epsilon(0.1), "1 1", "-1.5", "0.937499999 1.874999998"),
    # 4/3 2/2 (-2) - 1/3 6/7 3 = -74/21 = -3.523809524; float32's 1/3 and 4/3 are larger by 1e-8 and 4e-8
    "beta is float32's": Numbers(THIRDS, AlphaBeta(4 / 3, 1 / 3), "1 2 -1", "3 -2",
                                 "3.348148248 -3.523809629 0.153439158"),
}
INNVESTIGATE = {
    # x (y - 1/2) / ((x - 1) y + 1e-7): 3 * 2 / (2 * 2.5), and 1 * 0 / 1e-7
    "a batch norm": Numbers(batch_norm(), Pass(), "3", "1", "1.19999998"),
    "a batch norm hands nothing down from its mean": Numbers(batch_norm(), Pass(), "1", "1", "0.00000000"),
}
TOOLBOX = {
    "w-square of weights 0 is 0 / 0": Numbers(dense(0, 0), WSquare(), "1 2", "1", "nan nan"),
    "one weight 0 spoils w-square": Numbers(Linear(np.array([[1.0, 0]])), WSquare(), "1", "1 1", "nan"),
    "epsilon passes a ReLU": Numbers(ReLU(), Epsilon(1 / 4), "1", "1", "1.000000"),
    "z+ passes a ReLU from a negative input": Numbers(ReLU(), ZPlus(), "-1", "1", "1.000000"),
    "epsilon passes a Tanh": Numbers(Tanh(), Epsilon(1 / 4), "1", "1", "1.000000"),
    "epsilon passes a Flatten": Numbers(Flatten(), Epsilon(1 / 4), "1", "1", "1.000000", (1, 1, 1)),
}
CAPTUM = {
    "epsilon passes a ReLU": Numbers(ReLU(), Epsilon(1 / 4), "1", "1", "1.000000"),
    "epsilon passes a Tanh": Numbers(Tanh(), Epsilon(1 / 4), "1", "1", "1.000000"),
    # f = x / s, s = 1 + 1/6 (1 + 4) = 11/6; df_i/dx_j = [i = j] / s - x_i x_j / (3 s^2) are 54, -24, 18 over 121;
    # R_j over f_j is 11/6, 11/12: 9/11 - 2/11 and 2 (-4/11 + 3/22).
    "a local response norm is differentiated": Numbers(
        LRN(3, 0.5, 1, 1), Epsilon(0), "1 2", "1 1", "0.636364 -0.454545", **CHANNELS),
}
ZENNIT = {
    # Nothing is clamped, so that every sum is the layer's, z = 1, and alpha - beta of it is handed down: x_i / 4 over
    # 1 + 1e-6.
    **{f"an average under {type(rule).__name__}": Numbers(
        FOUR, rule, WINDOW, "1", "0.24999975 -0.24999975 0.49999950 0.49999950", **PIXELS)
       for rule in (AlphaBeta(2, 1), ZPlus(), Gamma(1 / 4))},
    # 2 / (1 + 1e-6) - 1 / (1 + 1e-6)
    "alpha-beta on a ReLU": Numbers(ReLU(), AlphaBeta(2, 1), "1", "1", "0.99999900"),
    "alpha-beta on a maximum goes to the first winner": Numbers(
        MaxPool((1, 4)), AlphaBeta(2, 1), WINDOW, "1", "0.00000000 0.00000000 0.99999950 0.00000000", **PIXELS),
    # Maxima of x, low and high are 2, -1 and 3, and 2 + 1 - 3 is 0; all pixels at a bound tie: 2 and 1 - 3 over 1e-6.
    "z-box on a maximum": Numbers(
        MaxPool((1, 2)), ZBox(-1, 3), "1 2", "1", "-2000000.000 2000000.000", **PIXELS),
    # The positive sum is (3 - 1) 2/2 + 1/2 = 5/2, of which x gets 3 2/2; no input is negative.
    "alpha-beta on a batch norm": Numbers(batch_norm(), AlphaBeta(2, 1), "3", "1", "2.39999904"),
    "z+ on a batch norm": Numbers(batch_norm(), ZPlus(), "3", "1", "1.19999952"),
    # An input of 1 less the mean is 0: of the weights 1 and no bias 1/2 over 1e-6, of the squares 4/2 over 1/4 + 1e-6.
    "flat on a batch norm": Numbers(batch_norm(), Flat(), "3", "1", "500000.000000"),
    "w-square on a batch norm": Numbers(batch_norm(), WSquare(), "3", "1", "7.99996800"),
    # (1 - tanh^2) / (tanh + 1/4), tanh 1 = 0.761594: 0.419974 / 1.011594
    "epsilon on a Tanh": Numbers(Tanh(), Epsilon(1 / 4), "1", "1", "0.415161"),
}
JULIA = {
    "flat on a dense layer has no stabiliser": Numbers(
        dense(3, -1), Flat(), "1 2", "1", "0.500000000000 0.500000000000"),
    "epsilon passes a Flatten": Numbers(Flatten(), Epsilon(1 / 4), "1", "1", "1.000000", (1, 1, 1)),
    # float32's 1e-9 is 9.99999971718e-10
    "its 1e-9 is float32's": Numbers(dense(1, -1), Epsilon(0), "1 1", "1", "1000000028.28 -1000000028.28"),
}
LIBRARIES = {"caffe": CAFFE, "innvestigate": INNVESTIGATE, "toolbox": TOOLBOX, "captum": CAPTUM, "zennit": ZENNIT,
             "relevance_propagation_jl": JULIA}


@pytest.mark.parametrize(("library", "one"), [
    pytest.param(library, one, id=f"{library}: {what}") for library, table in LIBRARIES.items()
    for what, one in table.items()])
def test_a_library_gives_these_numbers(library: str, one: Numbers) -> None:
    got = one.by(library)
    assert as_printed(got, one.printed), f"{got.ravel()}, and not {one.printed}"


@pytest.mark.parametrize("layer", [AvgPool(2), MaxPool(2), batch_norm(), ReLU(), Tanh()],
                         ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("rule", [AlphaBeta(2, 1), ZPlus(), Gamma(1 / 4), ZBox(-1, 1), WSquare()],
                         ids=lambda rule: type(rule).__name__)
def test_relevance_propagation_jl_modifies_no_weights_of_a_layer_without(layer: Any, rule: Any) -> None:
    network = Network([("it", layer)])
    with pytest.raises(ValueError, match=r"RelevancePropagation.jl .* has no"):
        DIALECTS["relevance_propagation_jl"].translate(network, {"it": rule})


@pytest.mark.parametrize(("got", "printed", "same"), [
    ([0.5], "0.5000", True), ([0.50004], "0.5000", True), ([0.50006], "0.5000", False), ([1.0], "1", True),
    ([np.nan], "nan", True), ([np.nan], "1", False), ([1.0], "nan", False), ([-0.5], "0.5", False),
])
def test_printed_digits_are_taken_at_their_word(got: list[float], printed: str, same: bool) -> None:
    assert as_printed(np.array(got), printed) is same
