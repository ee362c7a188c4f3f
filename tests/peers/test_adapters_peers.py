"""zennit and captum behind their adapters: the same network in torch, their own numbers, from any R.

Inputs and weights are halves, with zeros, ties and both signs; relevance has nothing to do with outputs.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import distance

from lrp_ref import (
    ELU,
    GELU,
    LRN,
    AdaptiveAvgPool,
    Add,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Hardsigmoid,
    Hardswish,
    L2Norm,
    LeakyReLU,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    Sigmoid,
    SignedSqrt,
    SiLU,
    SumPool,
    Tanh,
    Upsample,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
)
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters import find
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.smoke import smoke
from lrp_ref.relevance import relevances

torch = pytest.importorskip("torch")
pytest.importorskip("zennit")
captum_attr = pytest.importorskip("captum.attr")
to_torch = pytest.importorskip("lrp_ref.conformance.adapters.to_torch").to_torch
torch.set_num_threads(1)

# Rounding, as a part of the largest relevance: 1e-16 for each of a hundred additions, one layer after the other.
ROUNDING = 1e-14
RNG = np.random.default_rng(0)
WHOLE = np.random.default_rng(1).integers(-2, 3, (5, 3, 2, 3)).astype(float)


def halves(*shape):
    return RNG.integers(-6, 7, shape) / 2


# ---- The same network in torch ----

IMAGES, VECTORS, ROWS = (2, 3, 7, 8), (4, 5), (2, 6, 5)
LAYERS = {
    "Linear": (lambda: Linear(halves(5, 4), halves(4)), VECTORS),
    "Linear, its weight backwards": (lambda: Linear(halves(5, 4)[::-1]), VECTORS),
    "Linear on rows, no bias": (lambda: Linear(halves(5, 4)), ROWS),
    "Conv2D, stride": (lambda: Conv2D(halves(4, 3, 3, 2), halves(4), (2, 3)), IMAGES),
    "Conv2D, padding": (lambda: Conv2D(halves(4, 3, 2, 3), halves(4), (1, 2), (1, 2)), IMAGES),
    "Conv2D, groups": (lambda: Conv2D(halves(6, 1, 2, 2), None, groups=3), IMAGES),
    "Conv2D, dilation": (lambda: Conv2D(halves(2, 3, 3, 2), None, 1, (2, 1), (2, 3)), IMAGES),
    "MaxPool": (lambda: MaxPool((2, 3), (2, 1), (1, 0)), IMAGES),
    "MaxPool, ceil": (lambda: MaxPool((2, 3), 3, (0, 1), ceil=True), IMAGES),
    "MaxPool, a window that would begin outside": (lambda: MaxPool(2, 3, 1, ceil=True), IMAGES),
    "AvgPool": (lambda: AvgPool((2, 4), 2, 1), IMAGES),
    "AvgPool, ceil": (lambda: AvgPool((4, 3), (3, 2), (1, 0), ceil=True), IMAGES),   # the last rows: 2 in, 1 padded
    "AvgPool, padding left out": (lambda: AvgPool(3, (2, 1), 1, ceil=True, count_pad=False), IMAGES),
    "SumPool": (lambda: SumPool((2, 3), (1, 2)), IMAGES),
    "SumPool, scaled": (lambda: SumPool(2, scale=0.3), IMAGES),
    "AdaptiveAvgPool": (lambda: AdaptiveAvgPool((3, 5)), IMAGES),
    "ReLU": (ReLU, IMAGES), "Tanh": (Tanh, VECTORS), "Flatten": (Flatten, IMAGES),
    "BatchNorm": (lambda: BatchNorm(halves(3), abs(halves(3)), halves(3), halves(3), 0.25), IMAGES),
    "BatchNorm on vectors": (lambda: BatchNorm(halves(5), abs(halves(5)), halves(5), halves(5), 0.25), VECTORS),
    "BatchNorm on rows": (lambda: BatchNorm(halves(6), abs(halves(6)), halves(6), halves(6), 0.25), ROWS),
    "LRN": (lambda: LRN(3, 0.5, 0.75, 2), IMAGES),
    "Conv2D, sides": (lambda: Conv2D(WHOLE[:4], None, 2, ((0, 2), (1, 0))), IMAGES),
    "Conv2D transposed": (
        lambda: ConvTranspose2D(WHOLE[:3], WHOLE[0, 0, 0], (2, 1), (1, 0), (1, 2), 1, (1, 0)), IMAGES),
    "Clip": (lambda: Clip(-1, 2), IMAGES), "LeakyReLU": (lambda: LeakyReLU(0.25), IMAGES),
    "LeakyReLU of channels": (lambda: LeakyReLU(WHOLE[0, 0, 0]), IMAGES), "ELU": (lambda: ELU(0.5), IMAGES),
    "SiLU": (SiLU, IMAGES), "GELU": (GELU, IMAGES), "GELU, tanh": (lambda: GELU(tanh=True), IMAGES),
    "Hardswish": (Hardswish, IMAGES), "Hardsigmoid": (Hardsigmoid, IMAGES), "Sigmoid": (Sigmoid, IMAGES),
    "Upsample": (lambda: Upsample((2, 3)), IMAGES),
}


@pytest.mark.parametrize("number", [np.float64, np.float32])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_torch_computes_what_ours_does(name, number):
    make, shape = LAYERS[name]
    network = Network([("it", make().astype(number))])
    x = halves(*shape).astype(number)
    got = to_torch(network, shape)(torch.from_numpy(x)).detach().numpy()
    wanted = network(x)
    assert got.dtype == number and got.shape == wanted.shape
    exactly = name.startswith(("Linear", "Conv2D", "MaxPool", "ReLU", "Flatten")) or name == "SumPool"
    # halves are summed exactly; else a handful of roundings
    assert np.abs(got - wanted).max() <= (0 if exactly else 8 * np.finfo(number).eps * np.abs(wanted).max())


def test_layers_in_torch_are_in_their_order_with_weights_of_their_own():
    network, x = net(), halves(2, 3, 11, 12)
    module = to_torch(network, x.shape)
    assert len(module) == len(network) and not module.training
    before = network(x)
    # a division by 6, then sums of 16 and of 7 products: 1e-16 each, and some cancel
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach().numpy(), before, rtol=1e-14, atol=0)
    with torch.no_grad():
        module[0].weight.zero_()
    np.testing.assert_array_equal(network(x), before)


@pytest.mark.parametrize(("layer", "shape", "wanted"), [
    (SignedSqrt(), VECTORS, "it: torch.nn has no SignedSqrt"), (L2Norm(), VECTORS, "it: torch.nn has no L2Norm"),
    (LRN(3, 1, 1, 1, taylor=True), IMAGES, r"it: torch has no local response norm with the map LRN\(taylor=True\)"),
    (MaxPool(3, 1, 2), IMAGES, r"it: torch's pooling takes no padding \(2, 2\) of more than half its window \(3, 3\)"),
    (AvgPool((4, 3), 1, (2, 2)), IMAGES, r"it: torch's pooling takes no padding"),
    (AvgPool(3, 1, ((0, 1), (1, 1))), IMAGES, "it: torch's pooling pads both sides alike, and not by "),
    (ConvTranspose2D(np.ones((3, 2, 1, 1)), pad=((0, 1), 0)), IMAGES, "it: torch's transposed convolution pads both"),
    (Clip(0), IMAGES, "it: torch has no module that clips one side alone"),
    (Hardsigmoid(5), IMAGES, "it: torch's hard sigmoid has the width 6, and not 5"),
    (Conv2D(np.ones((2, 3, 1, 1)), np.ones((2, 7, 8))), IMAGES, "it: torch has no bias per position"),
], ids=lambda value: type(value).__name__ if not isinstance(value, (str, tuple)) else "")
def test_what_torch_has_not_is_unsupported_by_name(layer, shape, wanted):
    with pytest.raises(Unsupported, match=f"^{wanted}"):
        to_torch(Network([("it", layer)]), shape)


# ---- Networks with branches ----


def branched():
    """A residual block with a weighted sum, whose input and output are laid beside each other."""
    return Network([
        ("conv1", Conv2D(halves(4, 3, 3, 2), halves(4), (2, 1), (1, 0))), ("relu1", ReLU()),
        ("conv2", Conv2D(halves(4, 4, 1, 3), halves(4), 1, (0, 1))),
        ("add", Add(np.array([1.0, -0.5, 2.0])), ("conv2", "relu1", "conv2")), ("relu2", ReLU()),
        ("cat", Concat(), ("relu1", "relu2")), ("flat", Flatten()), ("fc", Linear(halves(200, 4), halves(4)))])


def test_a_network_with_branches_in_torch_computes_what_ours_does():
    network, x = branched(), halves(2, 3, 9, 7)[:, :, :, :6]
    module = to_torch(network, x.shape)
    assert len(list(module)) == len(network) and not module.training
    assert (module(torch.from_numpy(x)).detach().numpy() == network(x)).all()   # halves are summed exactly


def test_zennit_hands_down_a_network_with_branches_as_its_dialect_does():
    network, x, R = branched(), halves(2, 3, 9, 7)[:, :, :, :6], halves(2, 4)
    rules = assign(network, {Conv2D: ZPlus(), Linear: Epsilon(0.25)}, by_name={"add": Epsilon(1e-6)})
    wanted = relevances(network, network.activations(x), DIALECTS["zennit"].translate(network, rules), R).of["input"]
    assert distance(find("zennit").relevance(network, rules, x, R), wanted) < ROUNDING


# ---- Their own numbers ----


def net():
    """ReLUs give zeros, whose windows are tied; halves give ties elsewhere."""
    return Network([
        ("conv1", Conv2D(halves(6, 3, 3, 2), halves(6), (2, 1), (1, 0))), ("relu1", ReLU()), ("max", MaxPool(2)),
        ("conv2", Conv2D(halves(8, 3, 3, 3), halves(8), 1, 1, 1, 2)), ("relu2", ReLU()), ("avg", AvgPool((2, 3), 2)),
        ("flat", Flatten()), ("fc", Linear(halves(16, 7), halves(7))), ("relu3", ReLU()),
        ("fc2", Linear(halves(7, 4)))])


NETWORK, X, R = net(), halves(3, 3, 11, 12), halves(3, 4)
ON_CONVOLUTIONS = {
    "zennit": [Epsilon(0.25), ZPlus(), AlphaBeta(1.5, 0.5), Gamma(0.25), ZBox(-4, 5),
               ZBox([-4, -3, -5], [3, 4, 6]), Flat(), WSquare()],
    "captum": [Epsilon(0), Epsilon(0.25), ZPlus(), AlphaBeta(1, 0), Gamma(0.25)],
}
WITH_RULES = [(name, rule) for name, rules in ON_CONVOLUTIONS.items() for rule in rules]


@pytest.mark.parametrize(("name", "rule"), WITH_RULES, ids=str)
def test_an_adapter_gives_what_the_librarys_dialect_does(name, rule):
    by_name = {"fc": Epsilon(0.25), "fc2": Epsilon(0.5), "avg": Epsilon(0.125)}
    if isinstance(rule, ZBox):   # for the channels of the image
        by_name["conv2"] = Epsilon(0.25)
    rules = assign(NETWORK, {Conv2D: rule}, by_name=by_name)
    dialect = DIALECTS[name].translate(NETWORK, rules)
    wanted = relevances(NETWORK, NETWORK.activations(X), dialect, R).of["input"]
    assert distance(find(name).relevance(NETWORK, rules, X, R), wanted) < ROUNDING


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
def test_an_adapter_passes_the_smoke_test_and_says_what_it_is(name):
    adapter = find(name)
    smoke(adapter)
    assert adapter.name == name and adapter.version == DIALECTS[name].version
    departures = DIALECTS[name].departures()
    assert {question: departures[question] for question in adapter.conventions} == adapter.conventions


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
def test_a_batch_is_its_images_alone(name):
    rules, adapter = assign(NETWORK, {Conv2D: ZPlus(), Linear: Epsilon(0.25)}), find(name)
    together = np.asarray(adapter.relevance(NETWORK, rules, X, R))
    alone = [np.asarray(adapter.relevance(NETWORK, rules, X[n:n + 1], R[n:n + 1])) for n in range(len(X))]
    assert distance(together, np.concatenate(alone)) < ROUNDING


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
def test_an_adapter_leaves_torch_the_threads_that_it_had(name):
    seen = []
    network = Network([("fc", Linear(halves(5, 4)))])
    torch.set_num_threads(2)
    try:
        hook = torch.nn.modules.module.register_module_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
        find(name).relevance(network, {"fc": Epsilon(0.25)}, halves(3, 5), halves(3, 4))
        with pytest.raises(Unsupported):
            find(name).relevance(network, {"fc": Winner()}, halves(3, 5), halves(3, 4))
        assert torch.get_num_threads() == 2 and set(seen) == {1}
    finally:
        hook.remove()
        torch.set_num_threads(1)


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
def test_float32_stays_float32(name):
    rules = assign(NETWORK, {Linear: Epsilon(0.25)})
    got = find(name).relevance(NETWORK.astype(np.float32), rules, X.astype(np.float32), R.astype(np.float32))
    assert got.dtype == torch.float32 and got.shape == X.shape


def test_captum_starts_from_any_R_as_it_does_from_one_score():
    """Its own way is one target per image, whose score it multiplies by at the end."""
    flat = Network([(name, layer) for name, layer in NETWORK if name != "flat"][6:])   # captum takes no Flatten
    x, targets = halves(3, 16), [2, 0, 3]
    module = to_torch(flat, x.shape)
    theirs = captum_attr.LRP(module).attribute(torch.from_numpy(x).requires_grad_(), target=targets).detach().numpy()
    start = np.zeros((3, 4))
    start[range(3), targets] = flat(x)[range(3), targets]
    got = find("captum").relevance(flat, assign(flat), x, start)
    assert distance(got, theirs) < ROUNDING


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
def test_scores_and_relevance_may_be_as_large_as_float64_goes(name):
    network, R = Network([("fc", Linear(np.array([[2.0**900, 1.0], [2.0**900, 3.0]])))]), np.array([[2.0**1000, 1.0]])
    got = find(name).relevance(network, {"fc": Epsilon(0.25)}, np.array([[1.0, 1.0]]), R)
    wanted = [[2.0**999 + 1 / 4.25, 2.0**999 + 3 / 4.25]]
    np.testing.assert_allclose(got, wanted, rtol=4 * 2.0**-53, atol=0)   # a quotient, two products and a sum


@pytest.mark.parametrize("name", ON_CONVOLUTIONS)
@pytest.mark.parametrize("shape", [(1, 4), (3, 1), (2, 4), (3, 5)], ids=str)
def test_relevance_of_another_shape_than_the_outputs_is_not_broadcast(name, shape):
    with pytest.raises((RuntimeError, ValueError)):
        find(name).relevance(NETWORK, assign(NETWORK), X, np.ones(shape))


UNSUPPORTED = {
    "zennit": [(AvgPool(2), Winner(), "zennit has no rule for Winner on AvgPool")],
    "captum": [(Conv2D(halves(2, 3, 2, 2)), rule, f"captum has no rule for {type(rule).__name__} on Conv2D")
               for rule in (Flat(), WSquare(), ZBox(-4, 5), AlphaBeta(2, 1), Winner())]
    + [(Flatten(), rule, f"captum has no rule for {type(rule).__name__} on Flatten")
       for rule in (Epsilon(0.25), Flat())],
}


@pytest.mark.parametrize(("name", "layer", "rule", "wanted"), [
    (name, *case) for name, cases in UNSUPPORTED.items() for case in cases], ids=str)
def test_rules_that_a_library_lacks_are_unsupported(name, layer, rule, wanted):
    network = Network([("it", layer)])
    with pytest.raises(Unsupported, match=wanted) as caught:
        find(name).relevance(network, {"it": rule}, X, network(X))
    asked = name == "captum" and isinstance(rule, (Flat, WSquare, ZBox, AlphaBeta))
    assert caught.value.url == ("https://github.com/meta-pytorch/captum/issues/485" if asked else "")


def test_zennit_is_given_a_maximum_and_a_reshaping_without_rules():
    """First winners, all relevance, in the order channel, row, column."""
    network = Network([("max", MaxPool(2)), ("flat", Flatten())])
    x = np.zeros((1, 2, 4, 2))
    x[0, 1] = [[1, 3], [3, 2], [0, 5], [5, 5]]
    R = np.array([[10.0, 20, 30, 40]])
    got = np.asarray(find("zennit").relevance(network, {"max": Winner(), "flat": Pass()}, x, R))
    np.testing.assert_array_equal(got[0, 0], [[10, 0], [0, 0], [20, 0], [0, 0]])
    np.testing.assert_array_equal(got[0, 1], [[0, 30], [0, 0], [0, 40], [0, 0]])


def test_captum_loses_what_arrives_at_a_maximum_of_0():
    """Issue D10: a maximum is to it a sum of one term; its own default for the module."""
    network, x = Network([("max", MaxPool((1, 2)))]), np.array([[[[0.0, -1.0], [2.0, 1.0]]]])
    got = np.asarray(find("captum").relevance(network, {"max": Winner()}, x, np.array([[[[3.0], [4.0]]]])))
    # a sum, a quotient and a product; captum's stabiliser takes 5e-10 of it
    np.testing.assert_allclose(got, [[[[0, 0], [4 / (2 + 1e-9) * 2, 0]]]], rtol=4 * 2.0**-53, atol=0)


def test_the_pages_adapter_by_torchs_gradient_runs(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```python\n# gradient_adapter.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "gradient_adapter.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    adapter = find("gradient_adapter:GradientTimesInput")
    smoke(adapter)
    network = Network([("fc", Linear(np.array([[2.0], [-3.0]])))])
    got = adapter.relevance(network, {"fc": Epsilon(0)}, np.array([[5.0, 7.0]]), np.array([[10.0]]))
    np.testing.assert_array_equal(got.detach(), [[100, -210]])
