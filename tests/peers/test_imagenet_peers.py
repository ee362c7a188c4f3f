"""The network imagenet beside PyTorch and zennit: the same tensors, scores and relevance of a photograph.

zennit wants modules. Here they are made of our network node by node, sums too, which zennit knows nothing of; that the
scores are those of the package that the weights were made for is tested apart.
"""

import numpy as np
import pytest
from helpers import distance

from lrp_ref import (
    Add,
    AlphaBeta,
    Clip,
    Conv2D,
    Epsilon,
    Flatten,
    Gamma,
    Linear,
    ZPlus,
    assign,
    cutoff,
    epsilon_gamma_box,
    explain,
    load_model,
)
from lrp_ref.models.imagenet import imagenet_model, tensors, weights_file

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("zennit.rules")
composites = pytest.importorskip("zennit.composites")
core = pytest.importorskip("zennit.core")
package = pytest.importorskip("efficientnet_lite_pytorch")
data = pytest.importorskip("skimage.data")
nn = torch.nn

MODEL = load_model("imagenet")
X = MODEL.prepare(data.rocket())   # nobody has looked at it while rules or layers were written
MISSILE = 657


def exactly(z):
    return torch.where(z == 0, torch.ones_like(z), z)


class Padded(nn.Conv2d):
    """A convolution that pads each side for itself."""

    sides = (0, 0, 0, 0)

    def forward(self, x):
        return super().forward(nn.functional.pad(x, self.sides))


class Sum(nn.Module):
    """What zennit's rules hook into: one tensor in, one out."""

    def forward(self, stacked):
        return stacked.sum(dim=1)


def as_module(layer):
    """The same layer of PyTorch's, in float64."""
    match layer:
        case Conv2D():
            outputs, inputs, *kernel = layer.weight.shape
            made = Padded(inputs * layer.groups, outputs, kernel, layer.stride, groups=layer.groups)
            (top, left), (bottom, right) = layer.window.before, layer.window.after
            made.sides = (left, right, top, bottom)
            weight = layer.weight
        case Linear():
            made, weight = nn.Linear(*layer.weight.shape), layer.weight.T
        case Clip():
            return nn.ReLU6()
        case Add():
            return Sum()
        case Flatten():
            return nn.Flatten()
        case _:
            return nn.AdaptiveAvgPool2d(1)
    made = made.double()
    made.weight.data, made.bias.data = torch.tensor(weight.copy()), torch.tensor(layer.bias)
    return made


class Graph(nn.Module):
    """A network of ours in PyTorch's modules, by its own wiring."""

    def __init__(self, network):
        super().__init__()
        self.made = nn.ModuleList([as_module(layer) for _, layer in network])
        self.nodes = network.nodes

    def forward(self, x):
        xs = {"input": x}
        for module, (name, _, reads) in zip(self.made, self.nodes):
            parts = [xs[t] for t in reads]
            xs[name] = module(parts[0] if len(parts) == 1 else torch.stack(parts, dim=1))
        return xs[name]


GRAPH = Graph(MODEL.chain).eval()


def by_zennit(conv, dense, first=None):
    """Relevance of the rocket's pixels for its class, by zennit's rules."""
    def rule_of(context, name, module):
        if isinstance(module, nn.Conv2d):
            lowest = first is not None and not context
            context["seen"] = True
            return first() if lowest else conv()
        if isinstance(module, nn.Linear):
            return dense()
        if isinstance(module, (Sum, nn.AdaptiveAvgPool2d)):
            return theirs.Norm(exactly)
        return theirs.Pass() if isinstance(module, nn.ReLU6) else None

    with core.Composite(rule_of).context(GRAPH) as hooked:
        x = torch.tensor(X, requires_grad=True)
        scores = hooked(x)
        start = torch.zeros_like(scores)
        start[0, MISSILE] = scores[0, MISSILE].detach()
        return torch.autograd.grad(scores, x, start)[0].numpy()


def low_and_high():
    return [torch.full((1, 3, 1, 1), bound, dtype=torch.float64) for bound in MODEL.preprocessing.box]


# Rounding, as a part of the largest relevance: 1e-16 for each of the hundreds of sums on a path, over denominators in
# which terms cancel, more so under Epsilon than under rules whose terms have one sign. Thirty times what is seen.
RULES = {
    "AlphaBeta(2, 1)": (AlphaBeta(2, 1), lambda: theirs.AlphaBeta(2, 1, exactly), 1e-12),
    "ZPlus": (ZPlus(), lambda: theirs.ZPlus(exactly), 1e-13),
    "Gamma(0.25)": (Gamma(0.25), lambda: theirs.Gamma(0.25, exactly), 1e-13),
    "Epsilon(1e-6)": (Epsilon(1e-6), lambda: theirs.Epsilon(1e-6), 2e-10),
}


@pytest.mark.parametrize("rule", RULES)
def test_relevance_of_a_photograph_agrees_with_zennit(rule):
    ours, zennits, rounding = RULES[rule]
    e = explain(MODEL.chain, X, assign(MODEL.chain, {Conv2D: ours, Linear: ours}), MISSILE)
    assert distance(e.relevance, by_zennit(zennits, zennits)) < rounding


def test_the_usual_rules_agree_with_zennit():
    """Gamma, Epsilon on the dense layer, and the box of black and white on the lowest."""
    rules = epsilon_gamma_box(MODEL.chain, *MODEL.preprocessing.box)
    wanted = by_zennit(lambda: theirs.Gamma(0.25, exactly), lambda: theirs.Epsilon(1e-6),
                       lambda: theirs.ZBox(*low_and_high(), exactly))
    assert distance(explain(MODEL.chain, X, rules, MISSILE).relevance, wanted) < RULES["Gamma(0.25)"][2]


def test_these_maps_are_far_apart():
    """Otherwise agreement would say nothing; nor would it of a cut-off that changed little."""
    every = [assign(MODEL.chain, {Conv2D: ours, Linear: ours}) for ours, _, _ in RULES.values()]
    every.append(cutoff(every[0], "_blocks.3._expand_conv"))
    maps = [explain(MODEL.chain, X, rules, MISSILE).relevance for rules in every]
    for n, one in enumerate(maps):
        assert all(distance(one, other) > 0.1 for other in maps[:n])


def test_every_tensor_is_the_one_that_torch_loads():
    wanted, got = torch.load(weights_file(), weights_only=True), tensors(weights_file())
    assert list(got) == list(wanted) and len(got) == 296
    for name, array in got.items():
        assert array.dtype == wanted[name].numpy().dtype and np.array_equal(array, wanted[name].numpy())


@pytest.mark.parametrize(("number", "rounding"), [   # some 50 layers of sums of up to 1,280 numbers; seen: 3e-15, 2e-6
    (np.float64, 1e-13), (np.float32, 1e-5)])
@pytest.mark.parametrize("merged", [True, False])
def test_the_scores_are_those_of_the_package_that_the_weights_were_made_for(merged, number, rounding):
    peer = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights_file())).eval()
    network, x = imagenet_model(merged).chain.astype(number), X.astype(number)
    with torch.no_grad():
        wanted = peer.to(torch.float64 if number is np.float64 else torch.float32)(torch.tensor(x)).numpy()
    assert distance(network(x), wanted) < rounding
