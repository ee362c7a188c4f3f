"""The cut-off below every layer of a small CNN and of a small Fisher pipeline (Section 3)."""

from __future__ import annotations

from collections.abc import Iterator

from lrp_ref.arrays import Array
from lrp_ref.assignment import cutoff, epsilon_plus, paper_cnn, paper_fv
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.made import made
from lrp_ref.conformance.make.numbers import F, halves, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import AvgPool, Conv2D, FisherVector, Flatten, L2Norm, Linear, MaxPool, ReLU, SignedSqrt
from lrp_ref.network import Network
from lrp_ref.rules import Flat, Rule, WSquare

CUT = "Section 3"
FILLERS: dict[str, Rule] = {"flat": Flat(), "w-square": WSquare()}
Question = tuple[Network, Array, Array]   # network, x, R


def cases() -> Iterator[Case]:
    yield from of_the_cnn()
    yield from of_the_fisher_pipeline()


# ---- CNN ----


def cnn(seed: int) -> Question:
    """Of 5 x 6 pixels: padding, windows that overlap, both poolings, three classes."""
    network = Network([
        ("conv1", Conv2D(small((2, 1, 2, 3), seed), halves((2,), seed + 1), pad=1, stride=(1, 2))), ("relu1", ReLU()),
        ("pool1", MaxPool((3, 2), (1, 1))),
        ("conv2", Conv2D(small((3, 2, 2, 2), seed + 2, -2, 3), halves((3,), seed + 3))), ("relu2", ReLU()),
        ("pool2", AvgPool((2, 1), (1, 1))), ("flat", Flatten()),
        ("fc", Linear(small((6, 3), seed + 4), halves((3,), seed + 5)))])
    return network, small((2, 1, 5, 6), seed + 6, -2, 4), small((2, 3), seed + 7, -3, 4)


def of_the_cnn() -> Iterator[Case]:
    """The paper's rules, cut off below every layer."""
    network, x, R = cnn(0)
    paper = paper_cnn(network)
    for n, below in enumerate(network.names[1:], 1):
        for name, filler in FILLERS.items():
            flags = ["CUT_OFF", "BATCH", "PADDING", *["CUT_POOL"] * (n > 2)]
            what = f"Alpha 2, beta 1 as far down as {below}, which keeps its rule; "
            what += "everything under it is spread " + ("evenly" if filler == Flat() else "by squared weights")
            what += ", inside the image" + (", the pooling too." if n > 2 else ".")
            yield made(f"cutoff-cnn-{below}-{name}", "cutoff", "cnn", network, cutoff(paper, below, filler), x, R,
                       comment=what, section=CUT, flags=flags)
    yield made("cutoff-cnn-none", "cutoff", "cnn", network, paper, x, R, section=CUT, flags=("BATCH", "PADDING"),
               comment="The same network without a cut-off, which is a cut-off below the lowest layer.")
    mixed = epsilon_plus(network, F(1, 4))
    for below in ("pool1", "fc"):
        yield made(f"cutoff-cnn-epsilon-plus-{below}", "cutoff", "cnn", network, cutoff(mixed, below), x, R,
                   section=CUT, flags=("CUT_OFF", "BATCH", "PADDING"), comment="Epsilon on the fully connected layer, "
                   f"z+ on convolutions, evenly below {below}: a cut-off takes the place of whatever rule there was.")


# ---- Fisher pipeline ----


def fisher(seed: int, samples: int = 1) -> Question:
    """Five descriptors of three numbers, two of them after PCA; two Gaussians, two regions; two classes."""
    mixture = FisherVector(guarded(["1/4", "3/4"]), guarded([["1", "-2"], ["-1/2", "3"]]),
                           guarded([["2", "1/2"], ["3", "4"]]), guarded([["1", "1", "0", "1/2", "0"], ["1"] * 5]))
    network = Network([
        ("pca", Linear(small((3, 2), seed, -2, 3))), ("fisher", mixture), ("l2", L2Norm(2)), ("root", SignedSqrt()),
        ("norm", L2Norm()), ("svm", Linear(small((16, 2), seed + 1, -4, 5), halves((2,), seed + 2)))])
    return network, F(1, 4) * small((samples, 5, 3), seed + 3, -6, 9), small((samples, 2), seed + 4, 1, 5)


def of_the_fisher_pipeline() -> Iterator[Case]:
    """The paper's rules with an epsilon of the size of these sums, cut off below every layer."""
    network, x, R = fisher(1)
    paper = paper_fv(network, F(1, 2))
    for below in network.names[1:]:
        for name, filler in FILLERS.items():
            flags = ["CUT_OFF", "ROWS", "REGIONS", *["NOT_LEARNED"] * (filler == WSquare())]
            how = "evenly" if filler == Flat() else "by squared weights, of which a Fisher vector has none"
            what = (f"The paper's rules as far down as {below}; under it every dimension is spread {how}, over the "
                    "descriptors of its region.")
            if below == "fisher":
                what = f"R(1): Eq. 5 in the Fisher vector, and under it every coordinate before PCA gets R {how}."
            yield made(f"cutoff-fisher-{below}-{name}", "cutoff", "fisher", network, cutoff(paper, below, filler), x, R,
                       irrational=True, least=F(1, 10**30), section=CUT, flags=flags, comment=what)
