"""What must be refused: parameters that define no rule, rules for other layers, numbers and shapes that cannot be.

An implementation refuses by an error of any kind. An array that comes back is a failure: someone would take it for
relevance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.numbers import F, column, row, small
from lrp_ref.conformance.vectors.case import Case, identity, unchecked
from lrp_ref.layers import Conv2D, DenseSift, IntersectionSVM, Layer, Linear, MaxPool, PMeans
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, ZBox, ZPlus

DENSE, CONV = Linear(column("1 2 -1")), Conv2D(small((2, 3, 2, 2), 1))
x, R, IMAGE, SEEN = row("1 2 3"), row("4"), small((1, 3, 4, 5), 2), small((1, 2, 3, 4), 3)


def cases() -> Iterator[Case]:
    yield from parameters()
    yield from places()
    yield from numbers()
    yield from shapes()


def refused(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, error: str, section: str) -> Case:
    kind = type(layer).__name__.lower()
    case = Case("", type(rule).__name__, "negative", "negative", comment, section, Network([(kind, layer)]),
                {kind: rule}, x, R, error=error, flags=("REFUSED",))
    return replace(case, id=f"refused-{slug}-{identity(case)}")


def parameters() -> Iterator[Case]:
    """Rules that their constructors refuse."""
    for slug, kind, given, error in (
            ("alpha2-beta2", AlphaBeta, {"alpha": 2, "beta": 2}, "alpha - beta is 0, not 1"),
            ("alpha2-beta-minus-1", AlphaBeta, {"alpha": 2, "beta": -1}, "beta is negative: that is the form in which "
             "alpha + beta = 1"),
            ("alpha-half", AlphaBeta, {"alpha": F(1, 2), "beta": F(-1, 2)}, "beta is negative, alpha less than 1"),
            ("epsilon-negative", Epsilon, {"epsilon": F(-1, 4)}, "epsilon is negative: it would move z towards 0"),
            ("epsilon-nan", Epsilon, {"epsilon": nan}, "epsilon is no number"),
            ("gamma-negative", Gamma, {"gamma": F(-1, 4)}, "gamma is negative"),
            ("gamma-infinite", Gamma, {"gamma": inf}, "gamma is infinite"),
            ("box-inverted", ZBox, {"low": 2, "high": -2}, "the box's lower bound is above its upper one")):
        rule: Any = unchecked(kind, {name: F(n) if isinstance(n, int) else n for name, n in given.items()})
        yield refused(slug, rule, DENSE, x, R, f"{kind.__name__} with " + " and ".join(
            f"{name} = {n}" for name, n in given.items()) + ".", error, "Section 2.1" if kind is AlphaBeta else "Eq. 2")
    inverted: Any = unchecked(ZBox, {"low": guarded(["-1", "2", "-1"]), "high": guarded(["1", "-2", "1"])})
    yield refused("box-one-channel-inverted", inverted, CONV, IMAGE, SEEN, "A box per channel, of which the second is "
                  "inverted.", "the second channel's lower bound is above its upper one", "Montavon et al. 2017")


def places() -> Iterator[Case]:
    """Rules that a layer has no meaning for."""
    section = "Section 3"
    yield refused("winner-linear", Winner(), DENSE, x, R, "Winner on a fully connected layer.", "nobody won: the "
                  "weights are the model's", section)
    yield refused("winner-conv2d", Winner(), CONV, IMAGE, SEEN, "Winner on a convolution.", "nobody won: the weights "
                  "are the model's", section)
    yield refused("pass-conv2d", Pass(), CONV, IMAGE, SEEN, "Pass on a convolution.", "an output has several inputs",
                  section)
    square = Linear(small((3, 3), 4))
    yield refused("pass-linear", Pass(), square, x, row("4 5 6"), "Pass on a fully connected layer with as many "
                  "outputs as inputs, so that the shapes fit.", "an output has several inputs", section)
    yield refused("pass-max-pool", Pass(), MaxPool(2), small((1, 1, 2, 2), 5), guarded([[[["3"]]]]), "Pass on a "
                  "max-pooling.", "an output has several inputs", section)
    yield refused("box-channels", ZBox(guarded(["-1", "-1"]), guarded(["1", "1"])), CONV, IMAGE, SEEN, "Bounds for "
                  "two channels of an image of three.", "the bounds are not those of three channels",
                  "Montavon et al. 2017")
    sift = DenseSift(1, 1)
    yield refused("epsilon-sift", Epsilon(F(1, 4)), sift, F(1, 8) * small((1, 1, 4, 4), 6, 0, 8), small((1, 1, 128), 7),
                  "Epsilon on dense SIFT.", "dense SIFT has no weights, and every rule but flat asks for some", section)


def numbers() -> Iterator[Case]:
    """What is no number, and what a layer's definition leaves out."""
    section = "Eq. 1"
    for name, number in (("nan", nan), ("infinity", inf)):
        spoilt, wrong = row("1 2 3"), row("4")
        spoilt[0, 1] = wrong[0, 0] = number
        yield refused(f"{name}-in-x", Epsilon(F(1, 4)), DENSE, spoilt, R, f"An input that is {name}.",
                      f"x has {name} at (0, 1)", section)
        yield refused(f"{name}-in-relevance", Epsilon(F(1, 4)), DENSE, x, wrong, f"Relevance that is {name}.",
                      f"R has {name} at (0, 0)", section)
        hidden = row("1 2 3")
        hidden[0, 1] = number
        yield refused(f"{name}-under-flat", Flat(), DENSE, hidden, R, f"An input that is {name}, under a rule that "
                      "does not look at inputs: a number would come back.", f"x has {name} at (0, 1)", section)
    machine = IntersectionSVM(small((2, 3), 8, 0, 3), small((1, 2), 9, 1, 3), guarded(["1/2"]))
    yield refused("negative-histogram", Epsilon(0), machine, row("1 -2 3"), R, "A histogram with a negative number.",
                  "x has -2 at (0, 1), and a histogram has no negative numbers", "Section 2.2")
    yield refused("negative-p-means", Epsilon(0), PMeans(2), guarded([[["1", "2"], ["-1", "3"]]]), row("4 5"),
                  "p-means of negative numbers.", "x has -1 at (0, 1, 0), whose root mean power is none", "Section 2.2")


def shapes() -> Iterator[Case]:
    """Arrays that do not belong together."""
    section = "Eq. 1"
    yield refused("inputs", Epsilon(F(1, 4)), DENSE, row("1 2 3 4"), R, "Four inputs for weights of three.",
                  "x has 4 inputs, the weights are for 3", section)
    yield refused("channels", ZPlus(), CONV, small((1, 2, 4, 5), 10), SEEN, "Two channels for kernels of three.",
                  "x has 2 channels, the weights are for 3", section)
    yield refused("window", ZPlus(), CONV, small((1, 3, 1, 5), 11), small((1, 2, 1, 4), 12), "One row of pixels under "
                  "a window of two.", "the image is smaller than the window", section)
    yield refused("batch", Epsilon(F(1, 4)), DENSE, guarded(["1", "2", "3"]), guarded(["4"]), "No axis of samples.",
                  "x has shape (3,), needed (N, 3)", section)
    yield refused("outputs", Epsilon(F(1, 4)), Linear(small((3, 2), 13, 1, 3)), x, row("4 5 6"), "Relevance of three "
                  "outputs for a layer of two.", "R has 3 outputs, the layer 2", section)
    yield refused("samples", Epsilon(F(1, 4)), DENSE, small((3, 3), 14), row("4"), "Relevance of one sample for "
                  "three: broadcasting would make it everyone's.", "R has 1 sample, x has 3", section)
    yield refused("transposed", Flat(), Linear(small((3, 2), 15, 1, 3)), small((3, 3), 16), small((2, 3), 17),
                  "Relevance of three samples and two outputs, transposed.", "R is (2, 3), needed (3, 2)", section)
