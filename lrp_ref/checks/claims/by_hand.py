"""Claims about conventions and settled choices, on numbers worked by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from lrp_ref import assignment, relevance, starts
from lrp_ref.arrays import Array
from lrp_ref.checks.claims.claim import FRACTIONS, Case, Claim, Found
from lrp_ref.checks.claims.examples import LAYERS, F, image, mixed, small_network
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.heatmap import heatmap
from lrp_ref.layers import (
    LRN,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    FisherVector,
    IntersectionSVM,
    L2Norm,
    Layer,
    Linear,
    MaxPool,
    ReLU,
    SignedSqrt,
)
from lrp_ref.network import Network
from lrp_ref.pictures.colours import limit_of, parts
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus
from lrp_ref.step import step

Row = tuple[str, Rule, str, str, str, str, str, str]

# what; rule; weights of one output; bias; x; R; the relevance of each input; handed, bias, stabiliser, dead
ONE_OUTPUT: list[Row] = [
    ("z = 0, eps > 0: sign 0 = +1, the stabiliser takes R", Epsilon(F(1, 4)), "1 1", "0", "1 -1", "3", "12 -12",
     "0 0 3 0"),
    ("z = 0, eps = 0: dead", Epsilon(0), "1 1", "0", "1 -1", "3", "0 0", "0 0 0 3"),
    ("z = 1e-9 is not 0", Epsilon(0), "1 -1", "0", "3 2999999999/1000000000", "2", "6000000000 -5999999998", "2 0 0 0"),
    ("z = -2, eps 1/2: -2 - 1/2", Epsilon(F(1, 2)), "1 -3", "0", "1 1", "5", "-2 6", "4 0 1 0"),
    ("the bias' share is absorbed", Epsilon(0), "2 1", "-1", "1 3", "8", "4 6", "10 -2 0 0"),
    # products 4 -3 2, bias -1: up 6, down -3 - 1
    ("b- with beta", AlphaBeta(2, 1), "4 -1 2", "-1", "1 3 1", "12", "16 -9 8", "15 -3 0 0"),
    ("b+ with alpha", AlphaBeta(2, 1), "4 -1 2", "2", "1 3 1", "12", "12 -12 6", "6 6 0 0"),
    ("no negative product: -beta R is dead", AlphaBeta(2, 1), "4 1", "0", "1 2", "6", "8 4", "12 0 0 -6"),
    ("no positive product: alpha R is dead", AlphaBeta(2, 1), "-4 1", "0", "1 -2", "6", "-4 -2", "-6 0 0 12"),
    ("no input, but a bias: it takes alpha R", AlphaBeta(2, 1), "4 1", "3", "0 0", "6", "0 0", "0 12 0 -6"),
    # z = 4 - 3 + 1 > 0: 4 + 2, -3, 1 + 1/2;  z = -2 < 0: 1, -3 - 3/2
    ("gamma, z > 0", Gamma(F(1, 2)), "4 -1", "1", "1 3", "9", "12 -6", "6 3 0 0"),
    ("gamma, z < 0", Gamma(F(1, 2)), "1 -1", "0", "1 3", "7", "-2 9", "7 0 0 0"),
    ("gamma, z = 0: dead", Gamma(F(1, 2)), "1 -1", "0", "3 3", "7", "0 0", "0 0 0 7"),
    # 2 + 3, -1 * 1 + 2 * 1 (high 2), no bias: 5 and 1
    ("z-box", ZBox(-3, 2), "1 -1", "9", "2 1", "6", "5 1", "6 0 0 0"),
    ("w-square, no bias", WSquare(), "1 -3", "9", "7 0", "20", "2 18", "20 0 0 0"),
    ("flat, no bias", Flat(), "1 -3", "9", "7 0", "20", "10 10", "20 0 0 0"),
]

# what; rule; layer; image; relevance of the outputs, both as rows; the relevance of the pixels
IMAGES: list[tuple[str, Rule, Layer, str, str, str]] = [
    ("tied winners share evenly, also at 0", Winner(), MaxPool(2), "0 -1 5 2, 0 -3 5 5", "6 9", "3 0 3 0, 3 0 3 3"),
    ("padding never wins and never ties", Winner(), MaxPool(2, 1, 1), "-2", "1 2, 4 8", "15"),
    # means 3/2, 4, 5/2, each and 1
    ("average pooling counts its padding", Epsilon(1), AvgPool((1, 2), 1, (0, 1)), "3 5", "2 4 6", "12/5 44/7"),
    ("flat: one over the pixels inside the image", Flat(), Conv2D(guarded([[[["1", "2", "3"]]]]), pad=(0, 1)), "7 0",
     "6 8", "7 7"),
    ("stride, padding and an uneven kernel", Epsilon(0),
     Conv2D(guarded([[[["1", "2", "-1"]]]]), stride=(1, 2), pad=(0, 1)), "3 1 4", "5 18", "6 1 16"),
    ("Pass hands R through a closed gate", Pass(), ReLU(), "-1 0 2", "3 4 5", "3 4 5"),
]


def of_one_output(rule: Rule, weight: str, bias: str, x: str, R: str) -> tuple[Array, list[Any]]:
    """The relevance of the inputs of a fully connected layer of one output, and the columns of its account."""
    layer = Linear(guarded(weight.split())[:, None], guarded(bias.split()))
    a, m = layer.linearize(guarded([x.split()]))
    below, account = step(rule, m, a, guarded([[R]]))
    return below, [column.item() for column in account.parts()]


def is_worked_by_hand(rule: Rule, weight: str, bias: str, x: str, R: str, wanted: str, columns: str) -> Found:
    below, account = of_one_output(rule, weight, bias, x, R)
    holds = [below[0].tolist(), account] == [guarded(text.split()).tolist() for text in (wanted, columns)]
    return Found(holds, (below,))


def of_an_image(rule: Rule, layer: Layer, x: str, R: str, wanted: str) -> Found:
    a, m = layer.linearize(image(x))
    below, _ = step(rule, m, a, image(R))
    return Found(below.tolist() == image(wanted).tolist(), (below,))


def bounds_by_channel() -> Found:
    # 1 + 1 and 2 + 3, the lows being -1 and -3
    a, m = Conv2D(guarded([[[["1"]], [["1"]]]])).linearize(image("1", "2"))
    below, _ = step(ZBox(np.array([-1, -3]), np.array([2, 4])), m, a, image("14"))
    return Found([*below.flat] == [4, 10], (below,))


def three_outputs() -> Found:
    layer = Linear(guarded([["1", "2", "0"], ["1", "-3", "4"], ["5", "1", "-1"]]), guarded(["0", "-2", "1"]))
    a, m = layer.linearize(guarded([["1", "-1", "0"]]))
    below, account = step(Epsilon(F(1, 4)), m, a, guarded([["3", "-5", "7"]]))
    sums: list[Any] = [sum(column.flat) for column in account.parts()]
    return Found(below.tolist() == [[F(116, 13), -8, 0]]
                 and sums == [F(116, 13) - 8, F(12, 13), F(41, 13), 0], (below,))


ONE = guarded([["1"]])


def a_float_is_what_it_is() -> Found:
    below, _ = relevance.through_layer(Epsilon(0.1), Linear(ONE), ONE, ONE)
    return Found(below.item() == 1 / (1 + F(0.1)), (below,))


def at_a_root(spread: bool, R_i: int, absorbed: int) -> Found:
    # f = 2 x / (1 + x): 3/2 at 3, 1 at the root 1, where its slope is 1/2: (3 - 1) / 2 and 1/2 that nobody accounts for
    machine = ChiSquareSVM(ONE, ONE, guarded(["0"]), guarded(["1"]), spread)
    below, account = relevance.through_layer(Epsilon(0), machine, 3 * ONE, 3 * ONE)
    return Found(below.item() == R_i and account.bias.item() == absorbed, (below,))


def the_middle_of_five() -> Found:
    # one channel of five is not 0: the others' outputs have no products
    lonely, middle = image("0", "0", "2", "0", "0"), LRN(5, 5, 1, 1, taylor=True)
    below, account = relevance.through_layer(Epsilon(0), middle, lonely, image("0", "0", "5", "7", "0"))
    return Found([*below.flat] == [0, 0, 5, 0, 0] and account.dead.sum() == 7, (below,))


def squares_of_slopes() -> Found:
    # the slopes at a root, 2 v^2 / (v + 1)^2, are the model's weights: 1/2 and 9/8
    machine = ChiSquareSVM(guarded([["1", "3"]]), ONE, guarded(["0"]), guarded(["1", "1"]))
    below, _ = relevance.through_layer(WSquare(), machine, guarded([["5", "2"]]), guarded([["97"]]))
    return Found(below.tolist() == [[16, 81]], (below,))


def a_large_image() -> bool:
    # as many windows as reach a pixel; float64 holds quarters exactly
    height, width = 30, 20000
    below, account = relevance.through_layer(Flat(), Conv2D(np.ones((1, 1, 2, 2))), np.zeros((1, 1, height, width)),
                                         np.ones((1, 1, height - 1, width - 1)))
    down, across = (np.minimum(2, 1 + np.minimum(np.arange(n), np.arange(n)[::-1])) for n in (height, width))
    return (bool((4 * below[0, 0] == down[:, None] * across).all())
            and bool((account.received == 1).all()) and bool((account.handed == 1).all()))


def many_weights() -> bool:
    layer, x = Linear(np.ones((3, 30000))), np.array([[1.0, 2, 1]])
    below, _ = relevance.through_layer(ZPlus(), layer, x, np.ones((1, 30000)))
    return below.tolist() == [[7500, 15000, 7500]]


def a_bias_that_is_spread() -> Found:
    # min(1, 3) and min(2, 2), each and half of 4
    even = IntersectionSVM(guarded([["1", "2"]]), ONE, guarded(["4"]), spread=True)
    below, _ = relevance.through_layer(Epsilon(0), even, guarded([["3", "2"]]), guarded([["14"]]))
    return Found(below.tolist() == [[6, 8]], (below,))


def worked_conventions() -> Iterator[Case]:
    for what, rule, *texts in ONE_OUTPUT:
        yield Case(what, partial(is_worked_by_hand, rule, *texts))
    for what, rule, layer, x, R, wanted in IMAGES:
        yield Case(what, partial(of_an_image, rule, layer, x, R, wanted))
    yield Case("z-box, each channel with its own bounds", bounds_by_channel)
    yield Case("three outputs of which one is 0", three_outputs)
    yield Case("a stabiliser of 0.1 is that float, and no tenth", a_float_is_what_it_is)
    yield Case("an expansion at a root", partial(at_a_root, False, 2, 1))
    yield Case("an expansion at a root, which is spread", partial(at_a_root, True, 4, -1))
    yield Case("the middle of five channels", the_middle_of_five)
    yield Case("w-square of an expansion", squares_of_slopes)
    yield Case("an image so large that it goes in pieces", a_large_image)
    yield Case("as many weights as go in pieces", many_weights)
    yield Case("a bias that is spread", a_bias_that_is_spread)


# ---- Choices ----

DEFAULTS: dict[Rule, tuple[str, ...]] = {
    Epsilon(0): ("Linear", "Conv2D", "ConvTranspose2D", "AvgPool", "AdaptiveAvgPool", "SumPool", "Sum", "Mean", "Add",
                 "Multiply", "MatMul", "Softmax", "LayerNorm", "Rotary", "PMeans", "FisherVector", "SpreadLinear",
                 "IntersectionSVM", "ChiSquareSVM", "NegativeChiSquareSVM", "GaussianSVM", "ExponentialChiSquareSVM"),
    Winner(): ("MaxPool",), Flat(): ("DenseSift", "Upsample", "Embedding"),
    Pass(): ("ReLU", "Clip", "LeakyReLU", "ELU", "SiLU", "GELU", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh",
             "Flatten", "Reshape", "Transpose", "Slice", "Pad", "ClassToken", "Concat", "BatchNorm", "RMSNorm", "Scale",
             "LRN", "SignedSqrt", "L2Norm", "RegionMean"),
}
CHAIN = small_network()
SMALL = Epsilon(1e-6)
PRESETS: dict[str, tuple[Callable[[], dict[str, Rule]], Rule, Rule, Rule]] = {   # and the rules of conv1, conv2, fc
    "epsilon_plus": (lambda: assignment.epsilon_plus(CHAIN), ZPlus(), ZPlus(), SMALL),
    "epsilon_plus_flat": (lambda: assignment.epsilon_plus_flat(CHAIN), Flat(), ZPlus(), SMALL),
    "epsilon_alpha2_beta1": (lambda: assignment.epsilon_alpha2_beta1(CHAIN), AlphaBeta(2, 1), AlphaBeta(2, 1), SMALL),
    "epsilon_alpha2_beta1_flat": (lambda: assignment.epsilon_alpha2_beta1_flat(CHAIN), Flat(), AlphaBeta(2, 1), SMALL),
    "epsilon_gamma_box": (lambda: assignment.epsilon_gamma_box(CHAIN, -3, 2), ZBox(-3, 2), Gamma(0.25), SMALL),
}


def is_the_default(name: str, rule: Rule) -> bool:
    return assignment.assign(Network([("one", LAYERS[name].layer)])) == {"one": rule}


def is_the_preset(name: str) -> bool:
    preset, *three = PRESETS[name]
    return preset() == {**assignment.assign(CHAIN), **dict(zip(("conv1", "conv2", "fc"), three))}


def first_with_weights() -> bool:
    above = assignment.assign(Network([("relu", ReLU()), ("fc", Linear(mixed((3, 3), 1)))]), first=Flat())
    return above == {"relu": Pass(), "fc": Flat()}


def rules_of_a_fisher_pipeline() -> bool:
    linear = Linear(mixed((3, 3), 1))
    fisher = Network([("sift", DenseSift(3, 3)), ("pca", linear), ("fisher", LAYERS["FisherVector"].layer),
                      ("root", SignedSqrt()), ("svm", linear)])
    wanted = {"sift": Flat(), "pca": Epsilon(100), "fisher": Epsilon(100), "root": Pass(), "svm": Epsilon(0)}
    return assignment.paper_fv(fisher) == wanted


def starts_at_the_target() -> Found:
    e = relevance.explain(CHAIN, mixed((2, 1, 6, 5), 1), target=2)
    only = 0 * e.scores
    only[:, 2] = e.scores[:, 2]
    return Found(e.start.tolist() == only.tolist() and bool(only.any()), (e.start,))


def starts_at_the_top() -> Found:
    e = relevance.explain(CHAIN, mixed((2, 1, 6, 5), 1))
    return Found(all(sum(R) == max(f) for R, f in zip(e.start, e.scores)), (e.start,))


def what_is_not_given() -> bool:
    sift = DenseSift(1, 1)
    given = (sift.smoothing, sift.window, sift.contrast, sift.flat, sift.exact_angle, sift.truncate)
    return (given == (6, 1.5, 0.005, True, True, False) and FisherVector.threshold == 0
            and AvgPool(2).count_pad and BatchNorm.epsilon == 1e-5 and L2Norm().parts == 1)


def start_of(target: Any, wanted: list[list[int]]) -> Found:
    start = starts.start(guarded([["1", "-5", "2"], ["4", "3", "-6"]]), target)
    return Found(start.tolist() == wanted, (start,))


TABLES = ("fc 4 50.000% 12.500% 37.500% 0.000%", "relu 2.5 20.000% 20.000% 0.000% 0.000%",
          "total 4 50.000% 12.500% 37.500% 0.000%"), (
          "fc 8 100.000% 75.000% 25.000% 0.000%", "relu 6 100.000% 100.000% 0.000% 0.000%",
          "total 8 100.000% 75.000% 25.000% 0.000%")


def table_of(sample: int) -> bool:
    # z = (4, 1) and (6, 1): of 3 half is the bias's, of 6 a third; 1.5 and -1 go on, 4 and 2
    chain = Network([("relu", ReLU()), ("fc", Linear(guarded([["2", "0"], ["0", "1"]]), guarded(["2", "0"])))])
    x, R = guarded([["1", "1"], ["2", "1"]]), guarded([["3", "-1"], ["6", "2"]])
    lines = relevance.explain(chain, x, None, R).ledger.table(sample).splitlines()[1:]
    return [" ".join(line.split()[:-1]) for line in lines] == [*TABLES[sample]]


def scaled_by_the_largest() -> bool:
    plane = np.array([[-4.0, 2.0], [0.0, 1.0]])
    return parts(plane, limit_of(plane)).tolist() == [[-1, 0.5], [0, 0.25]]


def channels_are_summed() -> Found:
    R = mixed((2, 3, 2, 4), 5)
    return Found(heatmap(R).tolist() == (R[:, 0] + R[:, 1] + R[:, 2]).tolist(), (R,))


def settled_choices() -> Iterator[Case]:
    assign = assignment.assign
    for rule, names in DEFAULTS.items():
        for name in names:
            yield Case(f"{rule!r} for {name}", partial(is_the_default, name, rule))
    yield Case("paper_cnn", lambda: assignment.paper_cnn(CHAIN)
               == {**assign(CHAIN), **dict.fromkeys(("conv1", "conv2", "fc"), AlphaBeta(2, 1))})
    yield Case("first", lambda: assign(CHAIN, first=Flat(), by_name={"fc": ZPlus()})
               == {**assign(CHAIN), "conv1": Flat(), "fc": ZPlus()})
    for name in PRESETS:
        yield Case(name, partial(is_the_preset, name))
    yield Case("first is the lowest layer with weights", first_with_weights)
    yield Case("a name goes before first", lambda: assign(CHAIN, first=Flat(), by_name={"conv1": ZPlus()})
               == {**assign(CHAIN), "conv1": ZPlus()})
    yield Case("a type that is given, before every default",
               lambda: assign(CHAIN, {Layer: Flat()}) == dict.fromkeys(CHAIN.names, Flat()))
    yield Case("paper_fv", rules_of_a_fisher_pipeline)
    yield Case("R_L is the target's score", starts_at_the_target)
    yield Case("the top score's without one", starts_at_the_top)
    yield Case("what is not given", what_is_not_given)
    yield Case("of each image, the largest and not the largest in size",
               partial(start_of, None, [[0, 0, 2], [4, 0, 0]]))
    yield Case("a target for each image", partial(start_of, np.array([1, 2]), [[0, -5, 0], [0, 0, -6]]))
    for sample in range(len(TABLES)):
        yield Case(f"the table of sample {sample}", partial(table_of, sample))
    yield Case("maps are scaled by max |R|, and 0 is neutral", scaled_by_the_largest)
    yield Case("channels are summed", channels_are_summed)


CLAIMS = (
    Claim("conventions", "sign 0 = +1, x/0 = 0, bias with its sign, absent signs dead, gamma by the sign of z, ties, "
          "padding: by hand.", FRACTIONS, worked_conventions),
    Claim("choices", "Each type's default rule, the presets, rules by name before first= before those by type, R_L = "
          "the target's score, the ledger's table, a heatmap as the sum over channels, scaled by max |R|, are the "
          "settled ones.", "by name", settled_choices),
)
