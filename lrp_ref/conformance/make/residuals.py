"""Networks whose blocks add what they read: presets, batch norms merged and not, means over axes, cut-offs."""

from __future__ import annotations

from collections.abc import Iterator

from lrp_ref.assignment import assign, cutoff, epsilon_gamma_box, epsilon_plus, paper_cnn
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.cut_offs import CUT, FILLERS, Question
from lrp_ref.conformance.make.graphs import EQ1, QUARTER, WHOLE, graph
from lrp_ref.conformance.make.grid import SECTIONS, input_for
from lrp_ref.conformance.make.made import made, one, other
from lrp_ref.conformance.make.numbers import batch_norm, halves, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Add, BatchNorm, Clip, Conv2D, Flatten, Linear, Mean, ReLU, Sum
from lrp_ref.merging import merge_batchnorm
from lrp_ref.network import Network
from lrp_ref.rules import Epsilon, Flat, Rule, ZPlus


def cases() -> Iterator[Case]:
    yield from residuals()
    yield from batch_norms()
    yield from reductions()
    yield from cut_offs()


# ---- Residual networks ----


def residual(seed: int) -> Question:
    """Of 2 x 4 x 5 pixels: a block that keeps the size, one that halves it with a projection beside."""
    network = Network([
        ("conv1", Conv2D(small((2, 2, 3, 3), seed, -2, 3), halves((2,), seed + 1), pad=1)), ("relu1", ReLU()),
        ("conv2", Conv2D(small((2, 2, 3, 3), seed + 2, -2, 3), halves((2,), seed + 3), pad=1)),
        ("add1", Add(), ("conv2", "input")), ("relu2", ReLU()),
        ("conv3", Conv2D(small((3, 2, 3, 3), seed + 4, -2, 3), halves((3,), seed + 5), pad=1, stride=2)),
        ("project", Conv2D(small((3, 2, 1, 1), seed + 6, -2, 3), halves((3,), seed + 7), stride=2), "relu2"),
        ("add2", Add(), ("conv3", "project")), ("relu3", ReLU()), ("mean", Mean((2, 3))),
        ("fc", Linear(small((3, 2), seed + 8), halves((2,), seed + 9)))])
    return network, small((2, 2, 4, 5), seed + 10, -2, 4), small((2, 2), seed + 11, -3, 4)


def mobile(seed: int) -> Question:
    """An inverted bottleneck: 1 x 1 up, 3 x 3 of each channel by itself, 1 x 1 down, ReLU6 between, and x added."""
    network = Network([
        ("up", Conv2D(small((4, 2, 1, 1), seed, -2, 3), halves((4,), seed + 1))), ("clip1", Clip(0, 6)),
        ("depth", Conv2D(small((4, 1, 3, 3), seed + 2, -1, 2), halves((4,), seed + 3), pad=1, groups=4)),
        ("clip2", Clip(0, 6)), ("down", Conv2D(small((2, 4, 1, 1), seed + 4, -2, 3), halves((2,), seed + 5))),
        ("add", Add(), ("input", "down")), ("mean", Mean((2, 3))),
        ("fc", Linear(small((2, 3), seed + 6), halves((3,), seed + 7)))])
    return network, small((1, 2, 4, 3), seed + 8, -2, 4), small((1, 3), seed + 9, -3, 4)


def residuals() -> Iterator[Case]:
    for slug, (network, x, R), comment in (
            ("residual", residual(RESIDUAL), "A residual network of two blocks, the second with a projection"),
            ("mobile", mobile(MOBILE), "An inverted bottleneck: depthwise convolution, ReLU6, a sum")):
        for name, rules, how in (
                ("paper", paper_cnn(network), "alpha 2, beta 1"),
                ("epsilon-plus", epsilon_plus(network, QUARTER), "z+ on convolutions, epsilon above"),
                ("gamma-box", epsilon_gamma_box(network, -2, 4, QUARTER, QUARTER), "z-box, gamma, epsilon above")):
            yield graph(f"{slug}-{name}", "residual", network, {**rules, **stabilised(network)}, x, R,
                        f"{comment}: {how}; the sums with an epsilon of 1/4.", WHOLE, section="Section 2",
                        flags=["SUM", "FAN_OUT", "PADDING"], level="convention")


def stabilised(network: Network) -> dict[str, Rule]:
    """An epsilon for every sum, which may cancel."""
    return {name: Epsilon(QUARTER) for name, layer in network if isinstance(layer, Add)}


RESIDUAL, MOBILE = 6640, 6600   # seeds of which no sum and no output is 0


# ---- Batch norm ----


def batch_norms() -> Iterator[Case]:
    norm = batch_norm("1 -1/2", "4 9/4", "-2 3/2", "1/4 -5/4", 0)
    conv = Conv2D(small((2, 2, 3, 3), 6701, -2, 3), halves((2,), 6702), pad=1)
    block = Network([("conv", conv), ("bn", norm), ("add", Add(), ("bn", "input")), ("relu", ReLU()),
                     ("flat", Flatten()), ("fc", Linear(small((24, 2), 6703), halves((2,), 6704)))])
    x, R = small((1, 2, 3, 4), 6705, -2, 4), row("3 -2")
    merged = merge_batchnorm(block)
    for slug, network, bn, comment in (
            ("passed", block, {}, "passes relevance on"), ("epsilon", block, {"bn": Epsilon(0)}, "under Epsilon(0)"),
            ("merged", merged, {}, "folded into the convolution: under Epsilon(0) the same relevance as apart")):
        either = [other(batch_norm="contribution")] if slug == "passed" else []
        yield graph(f"batch-norm-residual-{slug}", "batch-norm", network,
                    {"conv": Epsilon(0), "fc": Epsilon(QUARTER), "add": Epsilon(QUARTER), **bn}, x, R,
                    f"Batch norm in a residual branch {comment}.", *either, flags=["BATCH_NORM", "SUM"],
                    level="convention" if either else "required")
    before = Network([("bn", BatchNorm(guarded([0]), guarded([1]), guarded([2]), guarded([3]), 0)),
                      ("conv", Conv2D(guarded([[[[1, 2, 1]]]]), pad=(0, 1)))])
    image, start = guarded([[[[1, 4, 2]]]]), guarded([[[[21, 34, 25]]]])
    for slug, network, comment in (("apart", before, "Batch norm before a padded convolution"),
                                   ("merged", merge_batchnorm(before, image.shape), "The same folded into it, with a "
                                    "bias for every "
                                    "position: 9 12 9, because the padding has no shift")):
        yield made(f"batch-norm-before-{slug}", "network", "batch-norm", network,
                   {name: Epsilon(0) for name in network.names}, image, start, comment=comment, section=EQ1,
                   flags=("BATCH_NORM", "PADDING"))


# ---- Means and sums over axes ----


def reductions() -> Iterator[Case]:
    yield one("mean-one", Epsilon(0), Mean(2), guarded([[[1, 3, 0, 4]]]), row("8"), comment="A mean is shared by "
              "what each number "
              "contributes, 1 3 0 4; as a function and no layer it has the gradient in zennit, 2 2 2 2",
              section=EQ1, flags=("MEAN",), level="convention", either=[other(average="gradient")])
    for layer, R in ((Mean((2, 3)), small((2, 3), 6802, -4, 5)), (Mean((1, 3), True), small((2, 1, 2, 1), 6803, -4, 5)),
                     (Sum((1, 2)), small((2, 4), 6804, -4, 5))):
        kind, axes = type(layer).__name__.lower(), "".join(map(str, layer.axes))
        for rule in (Epsilon(QUARTER), ZPlus(), Flat()):
            image = input_for(rule, layer, (2, 3, 2, 4), 6801)
            yield one(f"{type(rule).__name__.lower()}-{kind}-{axes}", rule, layer, image, R,
                      section=SECTIONS[type(rule)],
                      comment=f"The {kind} over the axes {', '.join(map(str, layer.axes))}", flags=("MEAN", "BATCH"))


# ---- Cut-offs ----


def cut_offs() -> Iterator[Case]:
    """Below a sum, and inside one of its branches: what a cut-off spreads is all that the named tensor is made of."""
    network, x, R = residual(RESIDUAL)
    rules = {**epsilon_plus(network, QUARTER), **stabilised(network)}
    rules = assign(network, by_name=rules)
    for below, comment in (("add1", "Below the first sum both of its branches are spread"),
                           ("conv2", "Below one branch's convolution the other branch keeps its rules"),
                           ("add2", "Below the second sum all of both blocks is spread"),
                           ("project", "Below the projection what both branches read is spread")):
        for name, filler in FILLERS.items():
            if name == "w-square" and below in ("conv2", "project"):
                continue
            yield graph(f"cutoff-residual-{below}-{name}", "cutoff", network, cutoff(rules, below, filler), x, R,
                        f"{comment}.", flags=["CUT_OFF", "SUM", "FAN_OUT"], section=CUT)
