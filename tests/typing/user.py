"""Every public name as a user would use it, with types: `mypy --strict` passes on this file, and it runs."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lrp_ref
from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    Epsilon,
    Explanation,
    ExponentialChiSquareSVM,
    Factors,
    FisherVector,
    Flat,
    Flatten,
    Gamma,
    GaussianSVM,
    IntersectionSVM,
    L2Norm,
    Linear,
    MaxPool,
    Model,
    NegativeChiSquareSVM,
    Network,
    Pass,
    PMeans,
    Preprocessing,
    ReceptiveField,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tangent,
    Tanh,
    Unscaled,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    ali,
    assign,
    attnlrp,
    caffenet,
    cp_lrp,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    explain,
    gradient_times_input,
    heatmap,
    load_model,
    logit_difference,
    merge_batchnorm,
    of_probabilities,
    one_hot,
    paper_cnn,
    paper_fv,
    read_photograph,
    receptive_field,
    regions_of,
    save_model,
    softmax_gradient,
    top_channels,
    weight_relevance,
)
from lrp_ref.convert import from_sklearn, from_torch

Floats = NDArray[np.float64]
rng: np.random.Generator = np.random.default_rng(0)


def small() -> Network:
    """Every type of layer of a CNN once."""
    weight: Floats = rng.normal(size=(6, 3, 3, 3))
    statistics: list[Floats] = [rng.random(6) + 0.5 for _ in range(4)]
    mean, variance, scale, shift = statistics
    return Network([
        ("conv1", Conv2D(weight, rng.normal(size=6), stride=2, pad=(1, 1), dilation=1, groups=1)),
        ("norm1", BatchNorm(mean, variance, scale, shift, epsilon=1e-3)), ("relu1", ReLU()),
        ("pool1", MaxPool((2, 2), stride=(1, 1), pad=0, ceil=True)), ("lrn", LRN(5, alpha=1e-4, beta=0.75, k=1)),
        ("pool2", AvgPool(2, stride=1, pad=1, count_pad=False)), ("pool3", SumPool(2, stride=1, scale=0.5)),
        ("pool4", AdaptiveAvgPool((2, 3))), ("tanh", Tanh()), ("flat", Flatten()),
        ("fc", Linear(rng.normal(size=(36, 4)), bias=rng.normal(size=4))),
    ])


def fisher() -> Network:
    """A Fisher pipeline, for images of 24 x 30 pixels."""
    sift = DenseSift(sizes=(4, 3), step=5, smoothing=None, bounds=(2, 2, 27, 21))
    centres: NDArray[Any] = sift.frames((1, 1, 24, 30))
    regions: NDArray[Any] = regions_of(centres, (24, 30), "1x2+1x1")
    mixture = FisherVector(np.array([0.25, 0.75]), rng.normal(size=(2, 3)), rng.random((2, 3)) + 0.5, regions,
                           threshold=1e-6)
    return Network([
        ("sift", sift), ("pca", Linear(rng.normal(size=(128, 3)) / 100)), ("fisher", mixture),
        ("mean", RegionMean(regions.sum(axis=1))), ("norm", L2Norm(parts=3)), ("root", SignedSqrt()),
        ("svm", SpreadLinear(rng.normal(size=(36, 2)), bias=rng.normal(size=2))),
    ])


def machines() -> list[Network]:
    """Every kernel machine, on descriptors pooled by their p-means."""
    support, alphas, bias, root = rng.random((4, 6)), rng.normal(size=(2, 4)), rng.normal(size=2), rng.random(6)
    kinds = [IntersectionSVM(support, alphas, bias, spread=True), ChiSquareSVM(support, alphas, bias, root),
             NegativeChiSquareSVM(support, alphas, bias), GaussianSVM(support, alphas, bias, root, gamma=0.5),
             ExponentialChiSquareSVM(support, alphas, bias, root, gamma=2)]
    return [Network([("pool", PMeans(2)), ("svm", kind)]) for kind in kinds]


def look_at(network: Network, x: Floats) -> list[str]:
    """What a network says of itself."""
    top: Network = network[-2:]
    scores: NDArray[Any] = network(x)
    field: ReceptiveField | None = receptive_field(network, "pool1")
    assert field is not None
    rows, columns = field.size
    shape: tuple[int, ...] = network.shapes(x.shape)[network.output]
    weight: NDArray[Any] | None = network["conv1"].arrays().get("weight")
    return [*network.names, f"{rows} x {columns}", str(len(top)), str(shape == scores.shape), str(weight is not None)]


def explained(network: Network, x: Floats, target: int | Sequence[int] | None = None) -> Floats:
    """A heatmap (N, H, W) with the cut-off at the lowest convolution."""
    rules = assign(network, {Conv2D: AlphaBeta(2, 1), Linear: Epsilon(0.01), MaxPool: Winner(), ReLU: Pass()},
                   first=ZBox(low=-3, high=np.array([3.0, 4, 5])), by_name={"pool2": Flat()})
    rules = cutoff(rules, below="norm1", rule=WSquare())
    e: Explanation = explain(network, x, rules, target=target)
    received: NDArray[Any] = e.ledger["fc"].received
    total: dict[str, NDArray[Any]] = e.ledger.total()
    assert e.relevance.shape == x.shape and e.scores.shape == received.shape
    assert e.activations["conv1"].shape == e.relevances["conv1"].shape
    parts: float = sum(float(total[column][0]) for column in list(total)[1:])
    assert abs(float(total["received"][0]) - parts) < 1e-12    # 1e-16 for each of some thousand additions
    assert "conv1" in str(e.ledger)
    pixels: Floats = heatmap(e.relevance)
    return pixels


def other_ways(network: Network, x: Floats) -> Floats:
    """Other starts, concepts, the relevance of weights, and rules by another map."""
    rules = attnlrp(network, epsilon=1e-3) | {"tanh": Tangent(0.25)}
    e: Explanation = explain(network, x, rules, target=logit_difference(0, [1] * len(x)))
    channels: list[list[tuple[int, Any]]] = e.top("conv1", 2)
    assert channels == top_channels(e.relevances["conv1"], count=2)
    through: Explanation = explain(network, x, rules, one_hot(), through={"conv1": [c for c, _ in channels[0]]})
    gradient = explain(network, x, gradient_times_input(network), softmax_gradient(2))
    found: dict[str, NDArray[Any]] = weight_relevance(network, e, rules, "fc")
    assert found["weight"].shape == (len(x), 36, 4) and through.relevance.shape == gradient.relevance.shape
    begun: NDArray[Any] = of_probabilities(np.array([[0.5, 0.5]]), 1)
    parts: Factors = Factors((0, 1), epsilon=1e-3)
    assert begun.shape == (1, 2) and parts.parts == (0, 1) and Unscaled() == Unscaled(epsilon=0)
    return explain(network, x, target={"conv1": e.relevances["conv1"]}).relevance


def presets(network: Network) -> list[dict[str, Any]]:
    """Every preset, and a rule given by name over one."""
    chosen: list[Any] = [paper_cnn, epsilon_plus, epsilon_plus_flat, epsilon_alpha2_beta1, epsilon_alpha2_beta1_flat,
                         attnlrp, cp_lrp, ali, gradient_times_input]
    all_rules: list[dict[str, Any]] = [preset(network) for preset in chosen]
    return [*all_rules, dict(epsilon_gamma_box(network, -3.0, 3.0)), {**paper_cnn(network), "fc": Gamma(0.25)},
            {**epsilon_plus(network, epsilon=1e-3), "conv1": ZPlus()}]


def kept(network: Network, folder: Path) -> Model:
    """A model written and read again."""
    wanted = Preprocessing((9, 11), colour="rgb", maximum=255, mean=(104.0, 117.0, 123.0), std=(1.0,))
    model = Model(network, ["one", "two", "three", "four"], wanted, provenance="drawn at random")
    save_model(model, folder / "model.npz")
    return load_model(folder / "model.npz")


def converted(module: Any) -> Network:
    """A torch.nn.Module in evaluation mode, and a batch such as it takes."""
    return from_torch(module, np.zeros((1, 3, 32, 32)))


def pipeline(pca: Any, gmm: Any, svm: Any) -> Model:
    """A Fisher pipeline of scikit-learn's parts."""
    model: Model = from_sklearn(DenseSift((4, 6), 3), pca, gmm, svm, regions="2x2+1x1", tallest=480, provenance="mine")
    return model


def large() -> Network:
    """The paper's network with weights drawn from a seed: 60 million of them, so not called below."""
    return caffenet(classes=20, seed=1)


def main() -> None:
    network = merge_batchnorm(small())
    x: Floats = rng.normal(size=(2, 3, 9, 11))
    assert look_at(network, x)[-4:] == ["5 x 5", "2", "True", "True"]
    network = small()
    assert explained(network, x, target=3).shape == explained(network, x, [0, 2]).shape == (2, 9, 11)
    for rules in presets(network):
        assert explain(network, x, rules).scores.shape == (2, 4)
    assert other_ways(network, x).shape == x.shape
    photograph: NDArray[np.uint8] = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with TemporaryDirectory() as folder:
        model = kept(network, Path(folder))
        file = Path(folder) / "photograph.ppm"
        file.write_bytes(b"P6 30 20 255\n" + photograph.tobytes())
        light: Floats = read_photograph(file)
    assert (model.prepare(light) == model.prepare(photograph)).all()
    prepared: NDArray[Any] = model.prepare(photograph)
    assert model.network(prepared.shape)(prepared).shape == (1, 4)
    assert model.class_index("three") == 2
    network, x = fisher(), rng.random((1, 1, 24, 30))
    for rules in (paper_fv(network), cutoff(paper_fv(network, epsilon=10), below="fisher")):
        assert explain(network, x, rules, target=1).relevance.shape == x.shape
    for machine in machines():
        assert explain(machine, rng.random((2, 5, 6))).relevance.shape == (2, 5, 6)
    assert lrp_ref.__version__


if __name__ == "__main__":
    main()
