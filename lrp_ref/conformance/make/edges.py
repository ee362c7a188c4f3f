"""Zeros, absent signs, cancellation, scale and the smallest layers; and layers that only Decimals can compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.grid import MIXING, SECTIONS, input_for, others, suits
from lrp_ref.conformance.make.made import made, one
from lrp_ref.conformance.make.numbers import F, batch_norm, column, first, halves, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import LRN, AdaptiveAvgPool, AvgPool, Conv2D, Layer, Linear, MaxPool, Tanh
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

QUARTER, TINY, HUGE = F(1, 4), F(1, 2**40), F(2**40)


def edge(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, *flags: str, **more: Any) -> Case:
    kind = type(layer).__name__.lower()
    return one(f"{slug}-{type(rule).__name__}".lower(), rule, layer, x, R, comment=comment, flags=flags,
               section=SECTIONS[type(rule)], **{"topic": kind, "maybe": others(rule), **more})


def cases() -> Iterator[Case]:
    yield from zeros()
    yield from signs()
    yield from scales()
    yield from smallest()
    yield from parameters()
    yield from in_decimals()


def zeros() -> Iterator[Case]:
    weight = guarded([[2, 0, -1], [0, 3, 1], [-3, 1, 0], [1, 0, 2]])
    for rule in MIXING:
        bias = None if isinstance(rule, (Gamma, ZBox, WSquare, Flat)) else guarded(["1/2", "-3/2", "5/2"])
        x = row("2 0 0 3") if not isinstance(rule, Gamma) else row("2 1 0 3")
        yield edge("zeros", rule, Linear(weight, bias), x, row("4 0 -3"), "Zeros in x, w and R: a weight of 0 is a "
                   "connection of weight 0", "ZERO_INPUT", "ZERO_WEIGHT")
    yield edge("no-weight", WSquare(), Linear(guarded([[1, 0], [-2, 0]])), row("3 1"), row("5 7"), "All weights of the "
               "second output are 0: 0 / 0 is 0, and nothing arrives", "ZERO_WEIGHT")
    yield edge("no-weight", ZPlus(), Linear(guarded([[1, 0], [2, 0]])), row("3 1"), row("5 7"), "All weights of the "
               "second output are 0: 0 / 0 is 0, and nothing arrives", "ZERO_WEIGHT", "NO_SIGN")
    for rule in (Epsilon(QUARTER), AlphaBeta(2, 1), Flat()):
        layer = Conv2D(small((2, 2, 2, 1), 601), None if rule == Flat() else halves((2,), 602))
        x, R = small((2, 2, 2, 3), 604), small((2, 2, 1, 3), 603, -4, 5)
        x[0] = 0 * x[0]
        yield edge("empty-sample", rule, layer, x, R, "The first sample is 0 throughout, the second is not: neither "
                   "knows of the other", "BATCH", "ZERO_INPUT")
    for rule in MIXING[:2]:
        layer = Conv2D(small((2, 1, 2, 2), 605), halves((2,), 606))
        yield edge("no-relevance", rule, layer, small((1, 1, 3, 3), 607), 0 * small((1, 2, 2, 2), 608), "Where nothing "
                   "starts nothing arrives")


def signs() -> Iterator[Case]:
    up, down = Linear(guarded([[2, 1], [1, 3]])), Linear(guarded([[-2, -1], [-1, -3]]))
    for name, two in (("2", AlphaBeta(2, 1)), ("half", AlphaBeta(F(3, 2), F(1, 2)))):
        yield edge(f"all-positive-{name}", two, up, row("1 2"), row("3 -5"), "No product is negative: alpha R "
                   "arrives, and beta R goes nowhere", "NO_SIGN")
        yield edge(f"all-negative-{name}", two, down, row("1 2"), row("3 -5"), "No product is positive: -beta R "
                   "arrives, and alpha R goes nowhere", "NO_SIGN")
    yield edge("all-negative", ZPlus(), down, row("1 2"), row("3 -5"), "No product is positive: nothing arrives",
               "NO_SIGN")
    only_bias = Linear(guarded([[-1], [-2]]), guarded([3]))
    yield edge("bias-alone", ZPlus(), only_bias, row("1 2"), row("4"), "The bias is all there is of the positive sum, "
               "and takes all", "NO_SIGN", "BIAS")
    yield edge("bias-alone", AlphaBeta(2, 1), only_bias, row("1 2"), row("4"), "The bias is all there is of the "
               "positive sum; the negative share is the inputs'", "NO_SIGN", "BIAS")
    both = guarded([[2, -1], [-1, 3], [1, -2]])
    for rule in MIXING[1:3]:
        yield edge("negative-inputs", rule, Linear(both), row("-1 -2 -3"), row("3 -4"), "All inputs are negative: "
                   "negative weights make the positive products", "NEGATIVE_INPUT")
        yield edge("negative-bias", rule, Linear(both, guarded([-2, "-1/2"])), row("1 2 3"), row("3 "
                   "-4"), "Non-negative inputs and negative biases, as below a ReLU", "NEGATIVE_BIAS")
        kernel, biases = small((3, 2, 2, 2), 621), halves((3,), 622, -4, -1)
        yield edge("negative-bias-conv", rule, Conv2D(kernel, biases), small((1, 2, 3, 3), 623, 0, 3), small((1, 3, 2,
                   2), 624, -4, 5), "Non-negative inputs and negative biases, as below a ReLU", "NEGATIVE_BIAS")
    big = 2**11
    for rule in MIXING[:2]:
        yield edge("cancellation", rule, Linear(column("1 1 1")), guarded([[big, -big, 1]]), row("3"), "2^11 and -2^11 "
                   "cancel exactly and leave 1: no sum of such numbers is rounded", "CANCELLATION")


def scales() -> Iterator[Case]:
    weight, bias = small((3, 2), 631), halves((2,), 632)
    for rule in MIXING:
        layer, x = suited(rule, bias)
        yield edge("tiny-relevance", rule, layer, x, small((2, 2), 634, -4, 5) * TINY, "R of 2^-40: an absolute "
                   "tolerance would take anything for right", "SCALE")
    yield edge("huge-relevance", Epsilon(QUARTER), Linear(weight, bias), small((1, 3), 635), row("3 -1") * HUGE,
               "R of 2^40", "SCALE")
    yield edge("tiny-forward", Epsilon(QUARTER * TINY), Linear(weight, bias * TINY), small((1, 3), 636) * TINY,
               row("3 -2"), "x, b and epsilon of 2^-40: epsilon is absolute, so relevance is as without the factor",
               "SCALE", least=TINY / 8)
    yield edge("tiny-weights", WSquare(), Linear(small((3, 2), 637) * F(1, 2**10)), row("1 2 3"), row("3 -2"),
               "Weights of 2^-10: their squares are 2^-20", "SCALE", level="stress")


def suited(rule: Rule, bias: Array) -> tuple[Linear, Array]:
    """Three inputs, two outputs, two samples, and the bias where the rule has a use for it."""
    biased = bias if isinstance(rule, (Epsilon, AlphaBeta, ZPlus)) else None
    low = 0 if isinstance(rule, Gamma) else -3
    return first(lambda n: (Linear(small((3, 2), 631 + n), biased), small((2, 3), 633 + n, low, 3)),
                 lambda made: suits(rule, *made))


def smallest() -> Iterator[Case]:
    for rule in MIXING:
        bias = None if isinstance(rule, (Gamma, ZBox, WSquare, Flat)) else guarded([2])
        yield edge("one-unit", rule, Linear(guarded([[3]]), bias), row("2"), row("5"), "One input, one output")
    pixel = Conv2D(small((3, 2, 1, 1), 651), halves((3,), 652))
    whole = Conv2D(small((2, 3, 2, 3), 653), halves((2,), 654))
    depth = Conv2D(small((3, 1, 2, 2), 655), halves((3,), 656), groups=3)
    kernels: tuple[tuple[str, Conv2D, tuple[int, ...], str], ...] = (
        ("pixelwise", pixel, (2, 2, 2, 3), "A kernel of one pixel is a layer of each pixel's channels"),
        ("whole-image", whole, (2, 3, 2, 3), "A kernel of the image's size is fully connected"),
        ("depthwise", depth, (1, 3, 3, 2), "As many groups as channels"))
    for name, layer, shape, comment in kernels:
        for rule in MIXING[:2]:
            yield edge(name, rule, layer, small(shape, 657), small(layer.output_shape(shape), 658, -4, 5), comment)
    means: tuple[tuple[Layer, tuple[int, ...]], ...] = (
        (AdaptiveAvgPool(1), (2, 3, 2, 4)), (AvgPool((3, 2)), (2, 3, 3, 2)))
    for mean, shape in means:
        yield edge(f"global-{type(mean).__name__}", Epsilon(0), mean, input_for(Epsilon(0), mean, shape, 661),
                   small((2, 3, 1, 1), 662, -4, 5), "One number of each channel")
    yield edge("one-winner", Winner(), MaxPool((3, 2)), small((2, 3, 3, 2), 663, -4, -1)
               + guarded([[[[0, 0], [0, 5], [0, 0]]]]), small((2, 3, 1, 1), 665, -4, 5), "The same pixel wins in every "
               "channel: relevance stays in its channel")


def parameters() -> Iterator[Case]:
    weight, bias = guarded([[2, -1], [-3, 1], [1, 2]]), guarded(["1/2", "-3/2"])
    yield edge("thirds", AlphaBeta(F(4, 3), F(1, 3)), Linear(weight, bias), row("1 2 -1"), row("3 -2"), "alpha = 4/3 "
               "and beta = 1/3, which no float holds")
    yield edge("large-alpha", AlphaBeta(5, 4), Linear(weight, bias), row("1 2 -1"), row("3 -2"), "alpha = 5, beta = 4")
    yield edge("large-epsilon", Epsilon(100), Linear(weight, bias), row("1 2 -1"), row("300 -200"), "epsilon = 100, as "
               "for Fisher vectors: most is the stabiliser's")
    yield edge("gamma-zero", Gamma(0), Linear(guarded([[2, 1], [1, 3]])), row("1 2"), row("3 -2"), "gamma = 0 is Eq. 1")
    yield edge("gamma-large", Gamma(8), Linear(guarded([[2, 1], [-1, 3]])), row("3 2"), row("3 -2"), "gamma = 8: "
               "nearly z+")
    low, high = guarded([-1, "-1/2", "-1/4"]), guarded([2, "3/2", "5/4"])
    kernel = small((2, 3, 2, 2), 671)
    x = small((1, 3, 3, 3), 672, 1, 4) * QUARTER
    yield edge("bounds-by-channel", ZBox(low, high), Conv2D(kernel), x, small((1, 2, 2, 2), 673, -4, 5), "Every "
               "channel has bounds of its own")
    yield edge("bounds-positive", ZBox(0, 5), Conv2D(kernel), x * 4, small((1, 2, 2, 2), 674, -4, 5), "low = 0: of "
               "positive weights nothing is taken off", least=F(0))


def in_decimals() -> Iterator[Case]:
    network = Network([("fc1", Linear(small((3, 4), 681), halves((4,), 682))), ("tanh", Tanh()),
                       ("fc2", Linear(small((4, 2), 683), halves((2,), 694)))])
    x, R = small((2, 3), 685) * QUARTER, small((2, 2), 686, 1, 5)
    table: tuple[tuple[str, Rule, str], ...] = (
        ("passed", Pass(), "Relevance passes the tanh, whose output shares out what is above"),
        ("gate", Epsilon(QUARTER), "The tanh as a gate tanh(a) / a"))
    for name, rule, comment in table:
        yield made(f"tanh-{name}", type(rule).__name__, "tanh", network, {"fc1": Epsilon(QUARTER), "tanh": rule,
                   "fc2": Epsilon(QUARTER)}, x, R, comment=comment, section="Eq. 1 and 2", irrational=True)
    norm = batch_norm("1 -1/2", "4 9/4", "-1 3/2", "1/4 -2", F(1, 100000))
    yield edge("small-epsilon", Epsilon(QUARTER), norm, small((2, 2, 1, 3), 687), small((2, 2, 1, 3), 688, -4, 5),
               "The usual epsilon of 1e-5 stands under the root", irrational=True)
    yield edge("caffe", Epsilon(0), LRN(5, F(1, 10000), F(3, 4), 1), small((1, 6, 1, 2), 689, 1, 9), small((1, 6, 1, 2),
               690, -4, 5), "Caffe's numbers: alpha 1e-4, beta 3/4, five channels", irrational=True)
