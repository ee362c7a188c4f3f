"""The cut-off below every layer of a CNN of convolutions, ReLU, max-pooling and fully connected layers alone."""

from __future__ import annotations

from collections.abc import Iterator

from lrp_ref.assignment import assign, cutoff, epsilon_plus, paper_cnn
from lrp_ref.conformance.make.cut_offs import CUT, FILLERS, Question
from lrp_ref.conformance.make.made import made
from lrp_ref.conformance.make.numbers import F, halves, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Conv2D, Flatten, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.rules import Flat, ZPlus


def cases() -> Iterator[Case]:
    network, x, R = plain(6200)
    paper = paper_cnn(network)
    for below in network.names[1:]:
        for name, filler in FILLERS.items():
            how = "evenly" if filler == Flat() else "by squared weights"
            yield made(f"cutoff-plain-{below}-{name}", "cutoff", "plain", network, cutoff(paper, below, filler), x, R,
                       section=CUT, flags=flags(network, below), comment=f"Alpha 2, beta 1 as far down as {below}, "
                       f"which keeps its rule; under it relevance is spread {how}. No padding: nothing but the "
                       "cut-off is asked.")
    yield made("cutoff-plain-none", "cutoff", "plain", network, paper, x, R, section=CUT, flags=("BATCH",),
               comment="The same network without a cut-off, which is a cut-off below the lowest layer.")
    mixed = epsilon_plus(network, F(1, 4))
    for below in ("conv2", "fc1"):
        yield made(f"cutoff-plain-epsilon-plus-{below}", "cutoff", "plain", network, cutoff(mixed, below), x, R,
                   section=CUT, flags=flags(network, below), comment="Epsilon on fully connected layers, z+ on "
                   f"convolutions, evenly below {below}.")
    network, x, R = padded_alike(6300)
    rules = assign(network, {Conv2D: ZPlus(), Linear: ZPlus()})
    for below in ("pool1", "relu2", "fc"):
        yield made(f"cutoff-same-{below}", "cutoff", "plain", network, cutoff(rules, below), x, R, section=CUT,
                   flags=[*flags(network, below), "PADDING"], comment="Kernels of 3 x 3, a padding and a stride of "
                   "1; z+ "
                   f"as far down as {below}, and evenly inside the image under it.")


def flags(network: Network, below: str) -> list[str]:
    pooled = any(isinstance(network[name], MaxPool) for name in network.below(below))
    return ["CUT_OFF", "BATCH", *["CUT_POOL"] * pooled]


def plain(seed: int) -> Question:
    """Of 2 x 7 x 6 pixels: two convolutions, two maxima, two fully connected layers."""
    network = Network([
        ("conv1", Conv2D(small((3, 2, 2, 2), seed, -2, 3), halves((3,), seed + 1))), ("relu1", ReLU()),
        ("pool1", MaxPool((2, 1), (2, 1))),
        ("conv2", Conv2D(small((2, 3, 2, 3), seed + 2, -2, 3), halves((2,), seed + 3))), ("relu2", ReLU()),
        ("pool2", MaxPool((2, 2), (1, 1))), ("flat", Flatten()),
        ("fc1", Linear(small((4, 5), seed + 4), halves((5,), seed + 5))), ("relu3", ReLU()),
        ("fc2", Linear(small((5, 3), seed + 6), halves((3,), seed + 7)))])
    return network, small((2, 2, 7, 6), seed + 8, -2, 4), small((2, 3), seed + 9, -3, 4)


def padded_alike(seed: int) -> Question:
    """Of 2 x 4 x 5 pixels: convolutions of 3 x 3 that keep the size, and a maximum between."""
    network = Network([
        ("conv1", Conv2D(small((3, 2, 3, 3), seed, -2, 3), halves((3,), seed + 1), pad=1)), ("relu1", ReLU()),
        ("pool1", MaxPool((2, 2), (2, 1))),
        ("conv2", Conv2D(small((2, 3, 3, 3), seed + 2, -2, 3), halves((2,), seed + 3), pad=1)), ("relu2", ReLU()),
        ("flat", Flatten()), ("fc", Linear(small((16, 2), seed + 4), halves((2,), seed + 5)))])
    return network, small((2, 2, 4, 5), seed + 6, -2, 4), small((2, 2), seed + 7, -3, 4)
