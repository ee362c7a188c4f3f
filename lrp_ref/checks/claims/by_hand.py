"""Claims about conventions, on numbers worked by hand; and dense SIFT, which is floats, within a bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lrp_ref import assignment, relevance
from lrp_ref.arrays import Array
from lrp_ref.checks.claims.case import Case
from lrp_ref.checks.claims.examples import LAYERS, F, mixed, small_network
from lrp_ref.checks.definitions import sift
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
from lrp_ref.layers.example import whole_numbers
from lrp_ref.network import Network
from lrp_ref.pictures.colours import limit_of, parts
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

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


def numbers(text: str) -> Array:
    return guarded(text.split())


def image(text: str) -> Array:
    return guarded([[[row.split() for row in text.split(",")]]])


def conventions(full: bool) -> Iterator[Case]:
    """sign 0 = +1, x/0 = 0, bias with its sign, absent signs dead, gamma by the sign of z, ties, padding: by hand."""
    for what, rule, weight, bias, x, R, wanted, columns in ONE_OUTPUT:
        layer = Linear(numbers(weight)[:, None], numbers(bias))
        a, m = layer.linearize(numbers(x)[None])
        below, account = relevance.step(rule, m, a, numbers(R)[None])
        holds = below[0].tolist() == numbers(wanted).tolist()
        holds = holds and [column.item() for column in account.parts()] == numbers(columns).tolist()
        yield Case(what, holds, (below,))
    for what, rule, pooling, x, R, wanted in IMAGES:
        a, m = pooling.linearize(image(x))
        below, _ = relevance.step(rule, m, a, image(R))
        yield Case(what, below.tolist() == image(wanted).tolist(), (below,))
    # 1 + 1 and 2 + 3, the lows being -1 and -3
    a, m = Conv2D(guarded([[[["1"]], [["1"]]]])).linearize(guarded([[[["1"]], [["2"]]]]))
    below, _ = relevance.step(ZBox(np.array([-1, -3]), np.array([2, 4])), m, a, guarded([[[["14"]]]]))
    yield Case("z-box, each channel with its own bounds", [*below.flat] == [4, 10], (below,))
    layer = Linear(guarded([["1", "2", "0"], ["1", "-3", "4"], ["5", "1", "-1"]]), guarded(["0", "-2", "1"]))
    a, m = layer.linearize(guarded([["1", "-1", "0"]]))
    below, account = relevance.step(Epsilon(F(1, 4)), m, a, guarded([["3", "-5", "7"]]))
    sums: list[Any] = [sum(column.flat) for column in account.parts()]
    yield Case("three outputs of which one is 0", below.tolist() == [[F(116, 13), -8, 0]]
               and sums == [F(116, 13) - 8, F(12, 13), F(41, 13), 0], (below,))
    below, _ = relevance.hand_down(Epsilon(0.1), Linear(guarded([["1"]])), guarded([["1"]]), guarded([["1"]]))
    yield Case("a stabiliser of 0.1 is that float, and no tenth", below.item() == 1 / (1 + F(0.1)), (below,))
    # f = 2 x / (1 + x): 3/2 at 3, 1 at the root 1, where its slope is 1/2: (3 - 1) / 2 and 1/2 that nobody accounts for
    one = guarded([["1"]])
    for spread, R_i, absorbed in ((False, 2, 1), (True, 4, -1)):
        machine = ChiSquareSVM(one, one, guarded(["0"]), guarded(["1"]), spread)
        below, account = relevance.hand_down(Epsilon(0), machine, 3 * one, 3 * one)
        yield Case(f"an expansion at a root{', which is spread' * spread}",
                   below.item() == R_i and account.bias.item() == absorbed, (below,))
    # one channel of five is not 0: the others' outputs have no products
    lonely, middle = guarded([[[["0"]], [["0"]], [["2"]], [["0"]], [["0"]]]]), LRN(5, 5, 1, 1, taylor=True)
    arrives = guarded([[[["0"]], [["0"]], [["5"]], [["7"]], [["0"]]]])
    below, account = relevance.hand_down(Epsilon(0), middle, lonely, arrives)
    yield Case("the middle of five channels", [*below.flat] == [0, 0, 5, 0, 0] and account.dead.sum() == 7, (below,))
    # the slopes at a root, 2 v^2 / (v + 1)^2, are the model's weights: 1/2 and 9/8
    machine = ChiSquareSVM(guarded([["1", "3"]]), one, guarded(["0"]), guarded(["1", "1"]))
    below, _ = relevance.hand_down(WSquare(), machine, guarded([["5", "2"]]), guarded([["97"]]))
    yield Case("w-square of an expansion", below.tolist() == [[16, 81]], (below,))
    # as many windows as reach a pixel; float64 holds quarters exactly
    height, width = 30, 20000
    below, account = relevance.hand_down(Flat(), Conv2D(np.ones((1, 1, 2, 2))), np.zeros((1, 1, height, width)),
                                         np.ones((1, 1, height - 1, width - 1)))
    down, across = (np.minimum(2, 1 + np.minimum(np.arange(n), np.arange(n)[::-1])) for n in (height, width))
    yield Case("an image so large that it goes in pieces", bool((4 * below[0, 0] == down[:, None] * across).all())
               and bool((account.received == 1).all()) and bool((account.handed == 1).all()))
    below, _ = relevance.hand_down(ZPlus(), Linear(np.ones((3, 30000))), np.array([[1.0, 2, 1]]),
                                   np.ones((1, 30000)))
    yield Case("as many weights as go in pieces", below.tolist() == [[7500, 15000, 7500]])
    # min(1, 3) and min(2, 2), each and half of 4
    even = IntersectionSVM(guarded([["1", "2"]]), one, guarded(["4"]), spread=True)
    below, _ = relevance.hand_down(Epsilon(0), even, guarded([["3", "2"]]), guarded([["14"]]))
    yield Case("a bias that is spread", below.tolist() == [[6, 8]], (below,))


DEFAULTS: dict[Rule, tuple[str, ...]] = {
    Epsilon(0): ("Linear", "Conv2D", "AvgPool", "AdaptiveAvgPool", "SumPool", "PMeans", "FisherVector",
                 "SpreadLinear", "IntersectionSVM", "ChiSquareSVM", "NegativeChiSquareSVM", "GaussianSVM",
                 "ExponentialChiSquareSVM"),
    Winner(): ("MaxPool",), Flat(): ("DenseSift",),
    Pass(): ("ReLU", "Tanh", "Flatten", "BatchNorm", "LRN", "SignedSqrt", "L2Norm", "RegionMean"),
}


def choices(full: bool) -> Iterator[Case]:
    """Each type's default rule, the presets, rules by name before first= before those by type, R_L = the target's
    score, the ledger's table, a heatmap as the sum over channels, scaled by max |R|, are the settled ones."""
    for rule, names in DEFAULTS.items():
        for name in names:
            chain = Network([("one", LAYERS[name].layer)])
            yield Case(f"{rule!r} for {name}", assignment.assign(chain) == {"one": rule})
    chain = small_network()
    by_type = assignment.assign(chain)
    pairs = {"conv1": AlphaBeta(2, 1), "conv2": AlphaBeta(2, 1), "fc": AlphaBeta(2, 1)}
    yield Case("paper_cnn", assignment.paper_cnn(chain) == {**by_type, **pairs})
    yield Case("first", assignment.assign(chain, first=Flat(), by_name={"fc": ZPlus()})
               == {**by_type, "conv1": Flat(), "fc": ZPlus()})
    small = Epsilon(1e-6)
    presets = {
        "epsilon_plus": (assignment.epsilon_plus(chain), ZPlus(), ZPlus(), small),
        "epsilon_plus_flat": (assignment.epsilon_plus_flat(chain), Flat(), ZPlus(), small),
        "epsilon_alpha2_beta1": (assignment.epsilon_alpha2_beta1(chain), AlphaBeta(2, 1), AlphaBeta(2, 1), small),
        "epsilon_alpha2_beta1_flat": (assignment.epsilon_alpha2_beta1_flat(chain), Flat(), AlphaBeta(2, 1), small),
        "epsilon_gamma_box": (assignment.epsilon_gamma_box(chain, -3, 2), ZBox(-3, 2), Gamma(0.25), small),
    }
    for name, (got, *three) in presets.items():
        yield Case(name, got == {**by_type, **dict(zip(("conv1", "conv2", "fc"), three))})
    linear = Linear(mixed((3, 3), 1))
    above = assignment.assign(Network([("relu", ReLU()), ("fc", linear)]), first=Flat())
    yield Case("first is the lowest layer with weights", above == {"relu": Pass(), "fc": Flat()})
    named = assignment.assign(chain, first=Flat(), by_name={"conv1": ZPlus()})
    yield Case("a name goes before first", named == {**by_type, "conv1": ZPlus()})
    yield Case("a type that is given, before every default", assignment.assign(chain, {Layer: Flat()})
               == dict.fromkeys(chain.names, Flat()))
    fisher = Network([("sift", DenseSift(3, 3)), ("pca", linear), ("fisher", LAYERS["FisherVector"].layer),
                      ("root", SignedSqrt()), ("svm", linear)])
    wanted = {"sift": Flat(), "pca": Epsilon(100), "fisher": Epsilon(100), "root": Pass(), "svm": Epsilon(0)}
    yield Case("paper_fv", assignment.paper_fv(fisher) == wanted)
    e = relevance.explain(chain, mixed((2, 1, 6, 5), 1), target=2)
    only = 0 * e.scores
    only[:, 2] = e.scores[:, 2]
    yield Case("R_L is the target's score", e.start.tolist() == only.tolist() and bool(only.any()), (e.start,))
    top = relevance.explain(chain, mixed((2, 1, 6, 5), 1)).start
    yield Case("the top score's without one", all(sum(R) == max(f) for R, f in zip(top, e.scores)), (top,))
    sift = DenseSift(1, 1)
    given = (sift.smoothing, sift.window, sift.contrast, sift.flat, sift.exact_angle, sift.truncate)
    yield Case("what is not given", given == (6, 1.5, 0.005, True, True, False) and FisherVector.threshold == 0
               and AvgPool(2).count_pad and BatchNorm.epsilon == 1e-5 and L2Norm().parts == 1)
    scores = guarded([["1", "-5", "2"], ["4", "3", "-6"]])
    start = relevance.start(scores)
    yield Case("of each image, the largest and not the largest in size", start.tolist() == [[0, 0, 2], [4, 0, 0]],
               (start,))
    start = relevance.start(scores, np.array([1, 2]))
    yield Case("a target for each image", start.tolist() == [[0, -5, 0], [0, 0, -6]], (start,))
    # z = (4, 1) and (6, 1): of 3 half is the bias's, of 6 a third; 1.5 and -1 go on, 4 and 2
    chain = Network([("relu", ReLU()), ("fc", Linear(guarded([["2", "0"], ["0", "1"]]), guarded(["2", "0"])))])
    x, R = guarded([["1", "1"], ["2", "1"]]), guarded([["3", "-1"], ["6", "2"]])
    ledger = relevance.explain(chain, x, None, R).ledger
    tables = ("fc 4 50.000% 12.500% 37.500% 0.000%", "relu 2.5 20.000% 20.000% 0.000% 0.000%",
              "total 4 50.000% 12.500% 37.500% 0.000%"), (
              "fc 8 100.000% 75.000% 25.000% 0.000%", "relu 6 100.000% 100.000% 0.000% 0.000%",
              "total 8 100.000% 75.000% 25.000% 0.000%")
    for sample, rows in enumerate(tables):
        lines = [" ".join(line.split()[:-1]) for line in ledger.table(sample).splitlines()[1:]]
        yield Case(f"the table of sample {sample}", lines == [*rows])
    plane = np.array([[-4.0, 2.0], [0.0, 1.0]])
    scaled = parts(plane, limit_of(plane))
    yield Case("maps are scaled by max |R|, and 0 is neutral", scaled.tolist() == [[-1, 0.5], [0, 0.25]])
    R = mixed((2, 3, 2, 4), 5)
    yield Case("channels are summed", heatmap(R).tolist() == (R[:, 0] + R[:, 1] + R[:, 2]).tolist(), (R,))


ROUNDINGS = 1 << 11   # of a sum of some hundred terms, smoothed, filtered and normalised, on the scale of 512
BOUND = 512 * ROUNDINGS * 2.0**-53


def descriptors(full: bool) -> Iterator[Case]:
    """Dense SIFT in float64 is the loops over frames, bins, pixels and orientations up to 2^-33, on a scale of 255."""
    for seed in range(4 if full else 1):
        pixels = whole_numbers((1, 1, 15, 18), seed + 3, 0, 255) / 255
        other = DenseSift(3, 4, smoothing=None, window=2, flat=False, bounds=(1, 0, 16, 13))
        for layer in (DenseSift((3, 4), 3), other, DenseSift((3, 4), 3, contrast=0.1)):   # of which not all have that
            wanted = sift.descriptors(pixels[0, 0].tolist(), layer.sizes, layer.step, layer.smoothing, layer.window,
                                      layer.contrast, layer.flat, layer.bounds)
            off = float(abs(layer(pixels)[0] - wanted).max())
            yield Case(f"sizes {layer.sizes}, contrast {layer.contrast}, seed {seed}", off <= BOUND, (),
                       f"at most {off:.1g} off")
        rounded = DenseSift(3, 4, truncate=True)(pixels)
        yield Case(f"in whole numbers, rounded down, seed {seed}",
                   rounded.tolist() == np.floor(DenseSift(3, 4)(pixels)).tolist())
