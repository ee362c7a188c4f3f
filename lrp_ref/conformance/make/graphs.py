"""Branches: sums, products and tensors beside each other, what is read twice, batch norms merged and not, cut-offs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import assign, epsilon_alpha2_beta1, epsilon_plus
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.cut_offs import Question
from lrp_ref.conformance.make.grid import distinct
from lrp_ref.conformance.make.made import INNVESTIGATE, Other, made, one, other
from lrp_ref.conformance.make.numbers import F, halves, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import (
    Add,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Flatten,
    Hardsigmoid,
    Linear,
    MaxPool,
    Mean,
    Multiply,
    ReLU,
    Slice,
    Upsample,
)
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Rule, WSquare, ZPlus

EQ1, QUARTER = "Eq. 1 and 2", F(1, 4)
WHOLE = other(add="whole")


def cases() -> Iterator[Case]:
    yield from added_up()
    yield from read_twice()
    yield from products()
    yield from beside()


def graph(slug: str, topic: str, network: Network, rules: dict[str, Rule] | Any, x: Array, R: Array, comment: str,
          *either: Other, flags: Sequence[str] = (), **about: Any) -> Case:
    return made(slug, "graph", topic, network, rules, x, R, comment=comment, either=either,
                flags=["GRAPH", *flags], **{"section": EQ1, **about})


# ---- Sums ----


def with_itself(weight: Any, rule: Rule | None = None, bias: Any = None) -> tuple[Network, dict[str, Rule]]:
    """x + W x"""
    network = Network([("fc", Linear(guarded(weight), bias)), ("add", Add(), ("input", "fc"))])
    return network, {"add": rule or Epsilon(0)}


def added_up() -> Iterator[Case]:
    network, rules = with_itself([[1, 1], [1, 1]])
    yield graph("add-two", "sum", network, rules, row("3 -2"), row("4 2"), "The branches 3 -2 and 1 1 receive 3 4 and "
                "1 -2; a bare + hands 4 2 to both", WHOLE, flags=["SUM"], level="convention")
    network, rules = with_itself([[-1, 0], [2, 1]])
    yield graph("add-zero", "sum", network, rules, row("0 -3"), row("5 -2"), "The first sum is 0 - 6: a branch that is "
                "0 receives nothing", WHOLE, flags=["SUM"], level="convention")
    yield one("add-cancelling", Epsilon(0), Add(), guarded([[[3, -2], [-3, -4]]]), row("5 -2"), section=EQ1,
              comment="Two tensors in one array: the first sum is 3 - 3 = 0 and hands nothing down; zennit adds 1e-6 "
              "to it, captum 1e-9, and iNNvestigate 1e-7 where it is 0", level="convention",
              flags=("SUM", "CANCELLATION"), either=[
                  WHOLE, other(zero_rule=1e-6), other(zero_rule=1e-9), other(zero_rule=INNVESTIGATE)])
    network, rules = with_itself([["-7/8", "-1"], ["1/2", "-3"]], Epsilon(QUARTER))
    yield graph("add-epsilon", "sum", network, rules, row("2 -3"), row("5 -2"), "Sums that nearly cancel, of either "
                "sign, with a stabiliser: LXT's has no sign", WHOLE, other(epsilon_sign="none"),
                flags=["SUM"], level="convention")
    network, rules = with_itself([[2]])
    yield graph("add-doubled", "sum", network, rules, row("3"), row("9"), "x + 2 x: all of 9 arrives; with a bare + "
                "18 in "
                "zennit and, where the layer's hook multiplies by x once more, 36 in captum", WHOLE, flags=["SUM"],
                level="convention")
    ten = Network([(f"add{n}", Add(), ("input", "input") if n == 1 else (f"add{n - 1}", f"add{n - 1}"))
                   for n in range(1, 11)])
    yield graph("add-ten", "sum", ten, {}, row("1/2 -3"), row("1 2"), "x + x, ten times over: with a bare + "
                "relevance is "
                "1024 times as large, as in networks with ten bare sums", WHOLE, flags=["SUM", "DEEP"],
                level="convention")
    nodes = [(f"fc{n}", Linear(small((3, 4), 6400 + 2 * n), halves((4,), 6401 + 2 * n)), "input") for n in (1, 2, 3)]
    summed = Network([*nodes, ("add", Add(), ("fc1", "fc2", "fc3"))])
    weighed = Network([*nodes, ("add", Add(guarded(["1", "-2", "1/2"])), ("fc1", "fc2", "fc3"))])
    x, R = small((2, 3), 6410, -3, 4), small((2, 4), 6411, -4, 5)
    for slug, network, comment in (("three", summed, "Three branches with rules of their own"),
                                   ("coefficients", weighed, "The same, counted 1, -2 and 1/2 times")):
        yield graph(f"add-{slug}", "sum", network, {"fc1": Epsilon(QUARTER), "fc2": ZPlus(), "fc3": AlphaBeta(2, 1)}, x,
                    R, comment, WHOLE, flags=["SUM", "BATCH"], level="convention")
    alone = Network([*nodes[:2], ("add", Add(), ("fc1", "fc2"))])
    for rule in (ZPlus(), AlphaBeta(2, 1), Flat(), WSquare()):
        name = type(rule).__name__.lower()
        yield graph(f"add-{name}", "sum", alone, {"fc1": Epsilon(QUARTER), "fc2": Epsilon(QUARTER), "add": rule}, x, R,
                    f"{type(rule).__name__} in a sum: its weights are 1 and nobody's", flags=["SUM", "BATCH"])


# ---- A tensor that several read ----


def read_twice() -> Iterator[Case]:
    twice = Network([("beside", Concat(), ("input", "input"))])
    yield graph("twice-beside", "fan-out", twice, {}, row("0 4"), row("2 1 3 -2"), "x is read twice, and its first "
                "number "
                "is 0: it receives 2 + 3. Chefer et al.'s clone shares by x R / x and gives it nothing",
                flags=["FAN_OUT", "ZERO_INPUT"])
    f, g = Linear(guarded([[1, "-1"], ["1/2", 2]])), Linear(guarded([[2, 1], [1, 3]]), guarded([1, "-1/2"]))
    for first, second in (("f", "g"), ("g", "f")):
        layers = {"f": f, "g": g}
        network = Network([(first, layers[first], "input"), (second, layers[second], "input"),
                           ("add", Add(), (first, second))])
        yield graph(f"twice-{first}-first", "fan-out", network, {"f": ZPlus(), "g": Epsilon(QUARTER)}, row("1 2"),
                    row("3 -2"), f"Two layers with rules of their own read x, {first} first: the order is nobody's "
                    "business. captum hooks a tensor once, so that the order decides whose rule it gets",
                    WHOLE, flags=["FAN_OUT", "D12", "SUM"], level="convention")
    thrice = Network([("fc1", Linear(small((3, 3), 6421), halves((3,), 6422))), ("relu", ReLU()),
                      ("fc2", Linear(small((3, 3), 6423), halves((3,), 6424)), "relu"),
                      ("fc3", Linear(small((3, 2), 6425), halves((2,), 6426)), "relu"),
                      ("beside", Concat(), ("relu", "fc2", "fc3")),
                      ("fc4", Linear(small((8, 2), 6427), halves((2,), 6428)))])
    yield graph("twice-inside", "fan-out", thrice, {"fc1": ZPlus(), "fc2": Epsilon(QUARTER), "fc3": AlphaBeta(2, 1),
                "fc4": Epsilon(QUARTER)}, small((2, 3), 6429, -3, 4), small((2, 2), 6430, -4, 5),
                "Three layers read what a ReLU makes, and it receives all three messages",
                flags=["FAN_OUT", "BATCH"])
    heads = Network([("fc", Linear(small((4, 3), 6431), halves((3,), 6432))), ("relu", ReLU()),
                     ("first", Linear(small((3, 2), 6433), halves((2,), 6434)), "relu"),
                     ("second", Linear(small((3, 3), 6435), halves((3,), 6436)), "relu"),
                     ("heads", Concat(), ("first", "second"))])
    yield graph("twice-heads", "fan-out", heads, {"fc": AlphaBeta(2, 1), "first": Epsilon(QUARTER), "second": ZPlus()},
                small((2, 4), 6437, -3, 4), small((2, 5), 6438, -4, 5), "Relevance starts at two heads at once: that "
                "is "
                "a start at what sets them beside each other", flags=["FAN_OUT", "BATCH"])


# ---- Products ----


def excited(seed: int, shares: Any = None) -> Question:
    """Squeeze and excitation: channels times a gate that a mean over all pixels and two 1 x 1 convolutions make."""
    network = Network([
        ("conv", Conv2D(small((3, 2, 2, 2), seed, -2, 3), halves((3,), seed + 1, 0, 2))), ("relu", ReLU()),
        ("squeeze", Mean((2, 3), True)), ("down", Conv2D(small((2, 3, 1, 1), seed + 2, -1, 3), halves((2,), seed + 3))),
        ("bend", ReLU()),
        ("up", Conv2D(F(1, 8) * small((3, 2, 1, 1), seed + 4, -3, 3), F(1, 4) * halves((3,), seed + 5))),
        ("gate", Hardsigmoid()), ("excite", Multiply(shares), ("relu", "gate")), ("flat", Flatten()),
        ("fc", Linear(small((18, 2), seed + 6), halves((2,), seed + 7)))])
    return network, small((2, 2, 3, 4), seed + 8, -2, 4), small((2, 2), seed + 9, -3, 4)


def products() -> Iterator[Case]:
    factors = Network([("left", Slice(1, 0, 2), "input"), ("right", Slice(1, 2, 4), "input"),
                       ("times", Multiply(), ("left", "right"))])
    yield graph("multiply-two", "product", factors, {}, row("3 -2 1/2 4"), row("5 -3"), "Either factor of a product "
                "has "
                "half of it", other(multiply="gradient"), other(multiply="first"), flags=["PRODUCT"],
                level="convention")
    yield graph("multiply-zero", "product", factors, {}, row("3 0 2 4"), row("5 -3"), "The second product is 0 and "
                "hands "
                "nothing down", other(multiply="gradient"), flags=["PRODUCT", "ZERO_INPUT"], level="convention")
    for slug, shares, comment in (("half", None, "channels and gate have half of the product each"),
                                  ("gate-decides", guarded([1, 0]), "the channels have all, the gate decides")):
        network, x, R = excited(6450, shares)
        rules = assign(network, {Conv2D: ZPlus(), Linear: Epsilon(QUARTER)})
        rows = [other(multiply="gradient"), *([other(multiply="first")] if shares is None else [])]
        yield graph(f"excited-{slug}", "product", network, rules, x, R, f"Squeeze and excitation: {comment}", *rows,
                    flags=["PRODUCT", "FAN_OUT", "BATCH"], level="convention")


# ---- Tensors beside each other ----


def inception(seed: int) -> Question:
    """Kernels of 1 x 1 and of 3 x 3 and a maximum beside each other."""
    network = Network([
        ("one", Conv2D(small((2, 2, 1, 1), seed), halves((2,), seed + 1)), "input"), ("relu1", ReLU()),
        ("three", Conv2D(small((3, 2, 3, 3), seed + 2, -2, 3), halves((3,), seed + 3), pad=1), "input"),
        ("relu3", ReLU()), ("pool", MaxPool(3, 1, 1), "input"), ("beside", Concat(), ("relu1", "relu3", "pool")),
        ("flat", Flatten()), ("fc", Linear(small((84, 2), seed + 4), halves((2,), seed + 5)))])
    return network, distinct((1, 2, 3, 4), seed + 6, False, False), small((1, 2), seed + 7, 1, 4)


def dense_block(seed: int) -> Question:
    """Every convolution reads all tensors before it."""
    network = Network([
        ("conv1", Conv2D(small((3, 2, 3, 3), seed, -2, 3), halves((3,), seed + 1), pad=1)), ("relu1", ReLU()),
        ("beside1", Concat(), ("input", "relu1")),
        ("conv2", Conv2D(small((2, 5, 3, 3), seed + 2, -2, 3), halves((2,), seed + 3), pad=1)), ("relu2", ReLU()),
        ("beside2", Concat(), ("input", "relu1", "relu2")), ("mean", Mean((2, 3))),
        ("fc", Linear(small((7, 3), seed + 4), halves((3,), seed + 5)))])
    return network, small((2, 2, 3, 4), seed + 6, -2, 4), small((2, 3), seed + 7, -3, 4)


def u_net(seed: int) -> Question:
    """Down by a maximum, up by repeating pixels or by a transposed convolution, beside what was there before."""
    network = Network([
        ("conv1", Conv2D(small((2, 1, 3, 3), seed, -2, 3), halves((2,), seed + 1), pad=1)), ("relu1", ReLU()),
        ("pool", MaxPool((2, 2))), ("conv2", Conv2D(small((3, 2, 1, 1), seed + 2, -2, 3), halves((3,), seed + 3))),
        ("relu2", ReLU()), ("repeat", Upsample((2, 2)), "relu2"),
        ("widen", ConvTranspose2D(small((3, 2, 2, 2), seed + 4, -2, 3), halves((2,), seed + 5), stride=2), "relu2"),
        ("beside", Concat(), ("relu1", "repeat", "widen")),
        ("last", Conv2D(small((2, 7, 1, 1), seed + 6), halves((2,), seed + 7)))])
    return network, small((1, 1, 4, 6), seed + 8, -2, 4), small((1, 2, 4, 6), seed + 9, -3, 4)


def beside() -> Iterator[Case]:
    for slug, (network, x, R), comment in (
            ("inception", inception(6500), "Three branches of channels beside each other"),
            ("dense", dense_block(6520), "Each convolution reads everything before it, beside each other"),
            ("u-net", u_net(6540), "Down and up again, beside what was there before")):
        for name, rules, how in (
                ("epsilon-plus", epsilon_plus(network, QUARTER), "z+ on convolutions, epsilon above"),
                ("alpha2-beta1", epsilon_alpha2_beta1(network, QUARTER), "alpha 2, beta 1 on convolutions, epsilon "
                 "above")):
            yield graph(f"concat-{slug}-{name}", "concat", network, rules, x, R, f"{comment}: {how}.",
                        flags=["CONCAT", "FAN_OUT", "PADDING"], section="Section 2")
