"""The edges of number formats: tiny and huge numbers, sums that cancel, many terms. All are of level stress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lrp_ref.arrays import Array
from lrp_ref.assignment import assign
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.made import Rules, made
from lrp_ref.conformance.make.numbers import F, column, halves, picture, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import AvgPool, Conv2D, Flatten, Layer, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus

SECTION = "Eq. 1 and 2"
TINY, HUGE = F(1, 2**40), F(2**40)
ETA = F(1, 2**1074)      # float64's smallest number, as in checks/rounding


def cases() -> Iterator[Case]:
    yield from scaled()
    yield from huge()
    yield from subnormal()
    yield from cancelling()
    yield from wide()
    yield from absent()


def hard(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, flags: Sequence[str] = ()) -> Case:
    """A case of one layer."""
    kind = type(layer).__name__.lower()
    return chain(slug, type(rule).__name__, Network([(kind, layer)]), {kind: rule}, x, R, comment, flags)


def chain(slug: str, rule: str, network: Network, rules: Rules, x: Array, R: Array, comment: str,
          flags: Sequence[str] = ()) -> Case:
    return made(f"stress-{slug}", rule, "stress", network, rules, x, R, comment=comment, section=SECTION,
                level="stress", flags=flags)


def scaled() -> Iterator[Case]:
    """2^-40 in inputs, weights, relevance or all: an absolute tolerance or a hidden stabiliser is seen."""
    weight, bias = small((4, 3), 1), halves((3,), 2)
    x, R = small((2, 4), 3), small((2, 3), 4, -3, 4)
    for name, rule in (("epsilon-0", Epsilon(0)), ("alpha2-beta1", AlphaBeta(2, 1)), ("zplus", ZPlus()),
                       ("gamma", Gamma(F(1, 4)))):
        yield hard(f"scaled-{name}", rule, Linear(TINY * weight, TINY * bias), x, TINY * R, "Weights, bias and "
                   "relevance of 2^-40: R_0 is 2^-40 of what it is without.", ("SCALE", "BATCH"))
    yield hard("scaled-epsilon", Epsilon(TINY / 4), Linear(TINY * weight, TINY * bias), x, R, "Weights, bias and "
               "epsilon of 2^-40: R_0 is what it is without; float32 must not lose that epsilon.", ("SCALE", "BATCH"))
    yield hard("scaled-inputs", Epsilon(0), Linear(weight, TINY * bias), TINY * x, R, "Inputs and bias of 2^-40.",
               ("SCALE", "BATCH"))
    yield hard("scaled-w-square", WSquare(), Linear(TINY * TINY * weight), x, R, "Weights of 2^-80, whose squares "
               "float32 does not hold.", ("SCALE", "BATCH"))
    yield hard("scaled-box", ZBox(-3 * TINY, 3 * TINY), Linear(weight), TINY * x, R, "A box of 2^-40.",
               ("SCALE", "BATCH"))
    network = Network([("conv", Conv2D(HUGE * small((2, 1, 2, 2), 5, -1, 3), pad=1)), ("relu", ReLU()),
                       ("pool", MaxPool(2)), ("flat", Flatten()), ("fc", Linear(TINY * small((8, 2), 6), None))])
    yield chain("scaled-network", "network", network, assign(network, {Conv2D: ZPlus(), Linear: Epsilon(F(1, 4))}),
                TINY * small((1, 1, 3, 4), 7, 0, 5), row("3 -2"), "Layers that undo each other's powers of two, and an "
                "epsilon that is larger than the last layer's sums.", ("SCALE", "PADDING"))


def huge() -> Iterator[Case]:
    """Numbers near float64's largest, 2^1024: an order of operations that overflows gives infinity."""
    top = F(2**1000)
    flags = ("HUGE",)
    yield hard("huge-inputs", Epsilon(0), Linear(column("1 2 -1")), top * row("3 1 4"), row("5"), "Inputs of 2^1000, "
               "whose sum is as large; R is not: R / z is 2^-1000 and times a it is of order 1.", flags)
    yield hard("huge-relevance", Epsilon(0), Linear(column("1 2 -1")), row("3 1 4"), top * row("5"), "Relevance of "
               "2^1000: R a w must not be taken before it is divided by z where that overflows.", flags)
    yield hard("huge-both", Epsilon(0), Linear(column("1 2 -1")), top * row("3 1 4"), top * row("5"), "Inputs and "
               "relevance of 2^1000: their product is no float64, and their quotients are.", flags)
    yield hard("huge-squares", WSquare(), Linear(F(2**600) * column("1 2 -2")), row("3 1 4"), row("9"), "Weights of "
               "2^600, whose squares are no float64: only w / |w| can be squared.", flags)
    yield hard("huge-alpha-beta", AlphaBeta(2, 1), Linear(top * column("1 2 -1 -1/2")), row("3 1 4 2"), row("5"),
               "Weights of 2^1000 under alpha-beta.", flags)
    yield hard("huge-average", Epsilon(0), AvgPool(2), top * F(2**22) * picture("3 1, 2 2"), guarded([[[["5"]]]]), "An "
               "average of numbers of 2^1022, whose sum is larger than 2^1024.", flags)


def subnormal() -> Iterator[Case]:
    """Numbers below 2^-1022, of which float64 holds fewer digits; some processors take them for 0."""
    flags = ("SUBNORMAL",)
    yield hard("subnormal-inputs", Epsilon(0), Linear(column("1 2 -1")), ETA * row("3 1 4"), row("5"), "Inputs of a "
               "few times the smallest number: taken for 0, nothing is handed down.", flags)
    yield hard("subnormal-weights", ZPlus(), Linear(ETA * column("1 2 -1")), row("3 1 4"), row("5"), "Weights of a "
               "few times the smallest number.", flags)
    yield hard("subnormal-relevance", Flat(), Linear(column("1 2 -1 1")), row("3 1 4 2"), ETA * row("8"), "Relevance "
               "of eight times the smallest number, evenly over four inputs.", flags)
    yield hard("subnormal-epsilon", Epsilon(ETA), Linear(column("1 -1")), ETA * row("3 1"), row("5"), "Inputs and "
               "epsilon of the smallest number.", flags)


def cancelling() -> Iterator[Case]:
    """Sums that cancel: to exactly 0, to little, in the right order only."""
    flags = ("ROUNDING",)
    yield hard("cancel-exactly", Epsilon(0), Linear(guarded([["1", "1"], ["-1", "2"], ["0", "1"]])), row("3 3 5"),
               row("4 7"), "z = 0 exactly where its inputs are not: nothing is handed down there.",
               ("CANCELLATION",))
    yield hard("cancel-exactly-epsilon", Epsilon(F(1, 4)), Linear(column("1 -1 0")), row("3 3 5"), row("4"), "z = 0 "
               "exactly with an epsilon: large shares of both signs, sign 0 = +1.", ("CANCELLATION",))
    yield hard("cancel-to-one", Epsilon(0), Linear(column("1 1 -1")), guarded([[F(2**53), F(1), F(2**53)]]), row("4"),
               "2^53 + 1 - 2^53: one order of summation gives 0 and another 1, and float32 no order.", flags)
    yield hard("cancel-rounded", Epsilon(0), Linear(guarded([[F(0.1)], [F(0.2)], [F(-0.3)]])), row("1 1 1"), row("1"),
               "0.1 + 0.2 - 0.3 of float64's tenths, which is 2^-55 and not 0.", flags)
    yield hard("cancel-small-negative", AlphaBeta(2, 1), Linear(guarded([["1"], [F(-1e-9)]])), guarded([[F(1e8), 1]]),
               row("1"), "A negative sum that z - z+ loses.", (*flags, "SMALL_NEGATIVE"))
    yield hard("cancel-gamma", Gamma(F(1, 4)), Linear(column("1 -1"), guarded([F(1, 2**30)])), row("3 3"), row("4"),
               "What the inputs give cancels, and the sign of z is that of a bias of 2^-30.", flags)
    yield hard("cancel-bias", Epsilon(0), Linear(column("1 2"), guarded([F(-5) + F(1, 2**40)])), row("1 2"), row("1"),
               "The bias cancels all but 2^-40 of the inputs: shares of 2^40.", flags)


def wide() -> Iterator[Case]:
    """Many inputs, or many outputs."""
    flags = ("FAN_IN",)
    for name, rule in (("epsilon-0", Epsilon(0)), ("zplus", ZPlus()), ("w-square", WSquare()), ("flat", Flat())):
        yield hard(f"wide-{name}", rule, Linear(small((200, 1), 11, -3, 4)), small((1, 200), 12, -2, 5), row("7"),
                   "200 inputs of one output: the error of a sum grows with their number.", flags)
    yield hard("wide-outputs", ZPlus(), Linear(small((2, 100), 13, 1, 5)), row("1 3"), small((1, 100), 14, -3, 4), "A "
               "hundred outputs of two inputs: messages of both signs are added up.", flags)
    yield hard("wide-convolution", AlphaBeta(2, 1), Conv2D(small((1, 16, 3, 3), 15)), small((1, 16, 3, 3), 16), guarded(
        [[[["5"]]]]), "16 channels under a window of 3 x 3: 144 terms.", flags)


def absent() -> Iterator[Case]:
    """Zeros everywhere."""
    layer = Linear(small((3, 2), 17), halves((2,), 18))
    yield hard("absent-relevance", AlphaBeta(2, 1), layer, row("1 -2 3"), row("0 0"), "No relevance arrives, and none "
               "is handed down.", ("ZERO_RELEVANCE",))
    yield hard("absent-inputs", ZPlus(), layer, row("0 0 0"), row("3 -2"), "All inputs are 0: a positive bias has all, "
               "and elsewhere it is dead.", ("ZERO_INPUT", "BIAS"))
    yield hard("absent-weights", WSquare(), Linear(column("0 0 0")), row("1 2 3"), row("5"), "All weights are 0: the "
               "sum of their squares is 0, and R is dead.", ("ZERO_WEIGHT",))
    yield hard("absent-weights-flat", Flat(), Linear(column("0 0 0")), row("1 2 3"), row("6"), "All weights are 0, and "
               "are connections: flat gives every input the same.", ("ZERO_WEIGHT",))
