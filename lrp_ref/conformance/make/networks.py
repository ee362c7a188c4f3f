"""Small whole networks: presets, batches, batch norm merged and not, shapes of LeNet and CaffeNet, Fisher pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lrp_ref.assignment import (
    Rules,
    assign,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    paper_cnn,
    paper_fv,
)
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.cut_offs import Question, fisher
from lrp_ref.conformance.make.made import made, other
from lrp_ref.conformance.make.numbers import F, halves, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    Flatten,
    L2Norm,
    Linear,
    MaxPool,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tanh,
)
from lrp_ref.merging import merge_batchnorm
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZPlus

EPSILON = F(1, 4)


def cases() -> Iterator[Case]:
    yield from lenets()
    yield from caffenets()
    yield from batch_norms()
    yield from perceptrons()
    yield from pipelines()


def whole(slug: str, question: Question, rules: Rules, comment: str, flags: Sequence[str] = (), topic: str = "cnn",
          **about: object) -> Case:
    network, x, R = question
    return made(slug, "network", topic, network, rules, x, R, comment=comment, flags=flags,
                **{"section": "Section 2", **about})   # type: ignore[arg-type]


def lenet(seed: int, samples: int = 2) -> Question:
    """LeNet's order of layers at 2 x 7 x 6 pixels: convolution, average, convolution, maximum, two fully connected."""
    network = Network([
        ("conv1", Conv2D(small((2, 2, 2, 1), seed, -1, 3), halves((2,), seed + 1, 0, 2))), ("relu1", ReLU()),
        ("pool1", AvgPool((2, 1))), ("conv2", Conv2D(small((3, 2, 2, 3), seed + 2, -2, 3), halves((3,), seed + 3))),
        ("relu2", ReLU()), ("pool2", MaxPool((2, 2), (1, 2))), ("flat", Flatten()),
        ("fc1", Linear(small((6, 4), seed + 4, -2, 3), halves((4,), seed + 5))), ("relu3", ReLU()),
        ("fc2", Linear(small((4, 3), seed + 6), halves((3,), seed + 7)))])
    return network, small((samples, 2, 7, 6), seed + 8, 0, 3), small((samples, 3), seed + 9, -3, 4)


def lenets() -> Iterator[Case]:
    """Every preset; one image and two."""
    network, x, R = question = lenet(10)
    presets = {
        "paper": (paper_cnn(network), "the paper's: alpha 2, beta 1 on everything with weights"),
        "epsilon-plus": (epsilon_plus(network, EPSILON), "z+ on convolutions, epsilon on fully connected layers"),
        "epsilon-plus-flat": (epsilon_plus_flat(network, EPSILON), "the same with flat on the first"),
        "alpha2-beta1": (epsilon_alpha2_beta1(network, EPSILON), "alpha-beta on convolutions, epsilon above"),
        "alpha2-beta1-flat": (epsilon_alpha2_beta1_flat(network, EPSILON), "the same with flat on the first"),
        "gamma-box": (epsilon_gamma_box(network, -1, 4, EPSILON, F(1, 2)),
                      "gamma on convolutions, epsilon above, z-box on the first"),
        "zplus": (assign(network, {Conv2D: ZPlus(), Linear: ZPlus()}), "z+ on everything"),
        "w-square-first": (assign(network, {Conv2D: ZPlus(), Linear: Epsilon(EPSILON)}, first=WSquare()),
                           "w-square on the first, z+ and epsilon above"),
        "named": (assign(network, {Conv2D: AlphaBeta(3, 2), Linear: Epsilon(EPSILON)},
                         by_name={"conv2": Gamma(F(1, 4)), "fc1": ZPlus(), "pool1": Flat()}),
                  "another rule for every layer"),
    }
    for slug, (rules, comment) in presets.items():
        yield whole(f"network-lenet-{slug}", question, rules, f"LeNet's layers, {comment}.", ("BATCH", "PRESET"))
    paper = paper_cnn(network)
    for n in (0, 1):
        alone = network, x[n : n + 1], R[n : n + 1]
        yield whole(f"network-lenet-alone-{n}", alone, paper, f"Image {n} of the batch by itself, which gives the same "
                    "as in it.", ("ALONE",))
    summed = Network([("conv", Conv2D(small((3, 1, 2, 2), 41, -1, 3), halves((3,), 42))), ("relu", ReLU()),
                      ("sum", SumPool((2, 2), scale=F(1, 2))), ("flat", Flatten()),
                      ("fc", Linear(small((6, 2), 43), halves((2,), 44)))])
    cells = Network([("conv", Conv2D(small((2, 1, 2, 2), 51, -1, 3), halves((2,), 52))), ("relu", ReLU()),
                     ("cells", AdaptiveAvgPool((2, 3))), ("flat", Flatten()),
                     ("fc", Linear(small((12, 2), 53), halves((2,), 54)))])
    image, R = small((1, 1, 3, 5), 45, -1, 4), row("3 -2")
    yield whole("network-sum-pool", (summed, image, R), epsilon_plus(summed, EPSILON), "A sum pooling of scale 1/2, as "
                "lrp_toolbox's of 2 x 2.")
    yield whole("network-cells", (cells, small((1, 1, 5, 6), 55, 0, 4), R), epsilon_plus(cells, EPSILON),
                "Adaptive pooling: cells that overlap.", ("OVERLAP",))


def caffenet(seed: int, beta: object) -> Question:
    """CaffeNet's order of layers: grouped convolutions, poolings of 3 at a stride of 2 that hang over, LRN between."""
    network = Network([
        ("conv1", Conv2D(small((4, 2, 3, 2), seed, -2, 3), halves((4,), seed + 1), stride=(2, 1))), ("relu1", ReLU()),
        ("pool1", MaxPool((3, 2), (2, 1), ceil=True)), ("norm1", LRN(3, F(1, 2), beta, 1)),
        ("conv2", Conv2D(small((4, 2, 1, 3), seed + 2, -2, 3), halves((4,), seed + 3), pad=(0, 1), groups=2)),
        ("relu2", ReLU()), ("pool2", MaxPool((2, 3), (1, 2), ceil=True)), ("flat", Flatten()),
        ("fc", Linear(small((8, 3), seed + 4), halves((3,), seed + 5)))])
    return network, small((1, 2, 9, 6), seed + 6, -1, 3), small((1, 3), seed + 7, -3, 4)


def caffenets() -> Iterator[Case]:
    """Presets; LRN of a rational and of Caffe's power."""
    for slug, beta, irrational in (("rational", 1, False), ("three-quarters", F(3, 4), True)):
        question = caffenet(40, beta)
        network = question[0]
        how = "s^-1" if beta == 1 else "s^-3/4, as Caffe's"
        for name, rules, what in (
                ("paper", paper_cnn(network), "alpha 2, beta 1"),
                ("epsilon-plus-flat", epsilon_plus_flat(network, EPSILON), "epsilon, z+, and flat on the first"),
                ("zplus", assign(network, {Conv2D: ZPlus(), Linear: ZPlus()}), "z+")):
            yield whole(f"network-caffenet-{slug}-{name}", question, rules, f"CaffeNet's layers, local response norm "
                        f"{how}, which passes relevance on: {what}.", ("GROUPS", "OVERLAP", "CEIL", "STRIDE"),
                        irrational=irrational)


def batch_norms() -> Iterator[Case]:
    """A convolution and batch norm, passed and merged; the same after a fully connected layer."""
    norm = BatchNorm(guarded(["1", "-1/2", "2"]), guarded(["4", "9/4", "1"]), guarded(["-2", "3/2", "1/2"]),
                     guarded(["1/4", "-5/4", "5/8"]), 0)
    conv = Network([("conv", Conv2D(small((3, 2, 2, 2), 71), halves((3,), 72), pad=(1, 0))), ("bn", norm),
                    ("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(small((24, 2), 73), halves((2,), 74)))])
    dense = Network([("fc1", Linear(small((4, 3), 75), halves((3,), 76))), ("bn", norm), ("relu", ReLU()),
                     ("fc2", Linear(small((3, 2), 77), halves((2,), 78)))])
    image, vector, R = small((1, 2, 3, 3), 79), small((2, 4), 80), row("3 -2")
    for name, network, x, start in (("conv", conv, image, R), ("dense", dense, vector, small((2, 2), 81, -3, 4))):
        for slug, chain in (("passed", network), ("merged", merge_batchnorm(network))):
            rules = assign(chain, {Conv2D: AlphaBeta(2, 1), Linear: ZPlus()})
            either = [other(batch_norm="contribution")] if slug == "passed" else []
            yield whole(f"network-batch-norm-{name}-{slug}", (chain, x, start), rules, "Batch norm after a layer with "
                        + ("weights passes relevance on." if either else "weights, folded into it."), ("BATCH_NORM",),
                        either=either, level="convention" if either else "required")


def perceptrons() -> Iterator[Case]:
    """Fully connected networks: one rule everywhere, tanh, many layers."""
    network = Network([("fc1", Linear(small((3, 5), 91), halves((5,), 92))), ("relu1", ReLU()),
                       ("fc2", Linear(small((5, 4), 93), halves((4,), 94))), ("relu2", ReLU()),
                       ("fc3", Linear(small((4, 2), 95), halves((2,), 96)))])
    x, R = small((2, 3), 97, -3, 4), small((2, 2), 98, -3, 4)
    for slug, rule in (("epsilon", Epsilon(EPSILON)), ("gamma", Gamma(F(1, 4))), ("alpha2-beta1", AlphaBeta(2, 1)),
                       ("w-square", WSquare()), ("flat", Flat())):
        yield whole(f"network-perceptron-{slug}", (network, x, R), assign(network, {Linear: rule}),
                    f"Three fully connected layers, all with {rule}.", ("BATCH",), "perceptron")
    tanh = Network([("fc1", Linear(F(1, 4) * small((3, 4), 101), F(1, 4) * halves((4,), 102))), ("tanh", Tanh()),
                    ("fc2", Linear(small((4, 2), 103), halves((2,), 104)))])
    for slug, rule in (("epsilon", Epsilon(EPSILON)), ("alpha2-beta1", AlphaBeta(2, 1))):
        yield whole(f"network-tanh-{slug}", (tanh, small((1, 3), 105), row("3 -2")), assign(tanh, {Linear: rule}),
                    "Tanh passes relevance on; its outputs are of both signs.", ("GATE",), "perceptron",
                    irrational=True)
    deep = Network([(f"fc{n}", Linear(small((2, 2), 110 + n, 1, 3), halves((2,), 120 + n, 0, 2))) for n in range(12)])
    yield whole("network-twelve-layers", (deep, row("1 2"), row("3 -1")), assign(deep, {Linear: ZPlus()}),
                "Twelve layers: where a wrong one is, is found in five runs.", ("DEEP",), "perceptron")


def pipelines() -> Iterator[Case]:
    """Fisher pipelines from descriptors to scores."""
    network, x, R = question = fisher(1)
    about = {"topic": "fisher", "section": "Section 2.2", "irrational": True, "least": F(1, 10**30)}
    flags = ("RAW_SUM", "REGIONS")

    def pipeline(slug: str, question: Question, rules: Rules, comment: str, *more: str) -> Case:
        return whole(f"network-fisher-{slug}", question, rules, comment, (*flags, *more), **about)   # type: ignore[arg-type]

    yield pipeline("paper", question, paper_fv(network), "PCA, Fisher vector over two regions, their norms, the signed "
                   "root, the norm, an SVM; the paper's rule, epsilon 100 on sums that are of the order of 1: little "
                   "passes.")
    yield pipeline("epsilon", question, paper_fv(network, F(1, 2)), "The same with an epsilon of the sums' order.")
    large = Network([(name, layer) for name, layer in network if name != "pca"])
    yield pipeline("no-pca", (large, 32 * small((1, 5, 2), 131, -3, 4) + F(1, 4), R), paper_fv(large),
                   "Descriptors of the scale of 0 .. 255, for which epsilon 100 is meant.")
    yield pipeline("batch", fisher(3, 2), paper_fv(network, F(1, 2)), "Two images.", "BATCH")
    yield pipeline("alpha2-beta1", fisher(2), assign(network, by_name={"fisher": AlphaBeta(2, 1), "pca": ZPlus()}),
                   "Alpha-beta in the Fisher vector, z+ in PCA.")
    spread = Network([(name, SpreadLinear(layer.weight, layer.bias) if name == "svm" else layer)   # type: ignore[attr-defined]
                      for name, layer in network])
    yield pipeline("spread", (spread, x, R), paper_fv(spread, F(1, 2)), "The SVM's bias is shared by the dimensions.",
                   "BIAS_SPREAD")
    means = Network([*network.layers[:2], ("mean", RegionMean(guarded(["5/2", "5"]))), *network.layers[2:]])
    yield pipeline("means", (means, x, R), paper_fv(means, F(1, 2)), "1 / N after the sum: epsilon stands beside the "
                   "sum all the same, and nothing changes.")
    pooled = Network([("pca", Linear(small((3, 2), 141, 0, 3))), ("pool", PMeans(F(5, 2))), ("root", SignedSqrt()),
                      ("norm", L2Norm()), ("svm", Linear(small((2, 3), 142), halves((3,), 143)))])
    yield whole("network-p-means", (pooled, small((2, 4, 3), 144, 1, 5), small((2, 3), 145, -3, 4)),
                assign(pooled, {Linear: Epsilon(EPSILON), PMeans: Epsilon(0)}), "p-means of projected descriptors, "
                "p = 5/2, in the place of a Fisher vector.", ("BATCH", "ROWS"), **about)   # type: ignore[arg-type]
