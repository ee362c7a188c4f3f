"""zennit on the same networks, with its canonizers: every preset agrees to rounding.

What is needed for that, each because zennit does another thing by default:

- zennit adds a stabiliser of 1e-6 to every denominator; it is given `exactly` instead, as in test_zennit.py. Its
  sums and averages have the rule Norm, which is Epsilon(0) here then, the default of Add and AdaptiveAvgPool.
- A bare `a + b` is handed all of R twice by automatic differentiation; zennit needs a module `zennit.layer.Sum` for it,
  and `Summed` has one. from_torch takes the same module: a stack that is summed is Add.
- Automatic differentiation of `gate * x` gives x the gate times R and the gate x R. zennit has no rule for it, so
  `Gated` passes R to x and nothing to the gate, which is Multiply((1, 0)) here.
- Merged batch norms stay behind and divide by sqrt(1 + eps): eps is 1e-16. `SequentialMergeBatchNorm` goes by the
  order of modules, and in a DenseNet merges a norm into the convolution that stands before it in that order, whose
  output it does not read; there `NamedMergeBatchNorm` is told which. Those that stay are Pass on both sides.
- zennit's compositions give a transposed convolution the rule of convolutions.
"""

import warnings

import numpy as np
import pytest
from helpers import distance

from lrp_ref import (
    AlphaBeta,
    Epsilon,
    Gamma,
    Multiply,
    Pass,
    ZPlus,
    assign,
    epsilon_alpha2_beta1,
    epsilon_gamma_box,
    epsilon_plus,
    explain,
    merge_batchnorm,
)
from lrp_ref.convert import from_torch
from lrp_ref.layers import BatchNorm, ConvTranspose2D

torch = pytest.importorskip("torch")
composites = pytest.importorskip("zennit.composites")
canonizers = pytest.importorskip("zennit.canonizers")
Sum = pytest.importorskip("zennit.layer").Sum
networks = pytest.importorskip("torch_networks")
nn = torch.nn
torch.set_num_threads(1)   # these networks are so small that threads would only wait for each other
SHAPE, TARGET = (3, 3, 13, 18), np.array([2, 0, 3])
LOW, HIGH = (-5.0, -4.0, -4.5), (4.0, 6.0, 5.0)   # per channel; no pixel is outside

# Rounding, as a part of the largest relevance: a few 1e-16 for each of some tens of additions in each of ten layers,
# over denominators that may be a hundred times smaller than their terms; 1.3e-14 is the most that is seen.
ROUNDING = 1e-12


def exactly(z):
    return torch.where(z == 0, torch.ones_like(z), z)


def box(values):
    return torch.tensor(values, dtype=torch.float64)[None, :, None, None]


class Summed(nn.Module):
    """a + b as zennit knows it."""

    def __init__(self):
        super().__init__()
        self.sum = Sum()

    def forward(self, a, b):
        return self.sum(torch.stack([a, b], -1))


class Passing(torch.autograd.Function):
    """gate x, and back R to x and nothing to the gate."""

    @staticmethod
    def forward(ctx, x, gate):
        return gate * x

    @staticmethod
    def backward(ctx, R):
        return R, 0 * R.sum((2, 3), True)


class Gated(nn.Module):
    def forward(self, x, gate):
        return Passing.apply(x, gate)


DECIDES = Multiply(np.array([1.0, 0.0]))   # the second factor, which receives nothing
RULES = {   # of a convolution, in each of the presets
    "epsilon_plus": (epsilon_plus, ZPlus(), lambda **more: composites.EpsilonPlus(**more)),
    "epsilon_alpha2_beta1": (epsilon_alpha2_beta1, AlphaBeta(2, 1),
                             lambda **more: composites.EpsilonAlpha2Beta1(**more)),
    "epsilon_gamma_box": (lambda network: epsilon_gamma_box(network, np.array(LOW), np.array(HIGH)), Gamma(0.25),
                          lambda **more: composites.EpsilonGammaBox(box(LOW), box(HIGH), **more)),
}


def by_zennit(module, x, composite):
    with composite.context(module) as hooked:
        t = torch.from_numpy(x.copy()).requires_grad_()
        scores = hooked(t)
        start = torch.zeros_like(scores)
        at = torch.arange(len(x)), torch.from_numpy(TARGET)
        start[at] = scores[at].detach()
        return torch.autograd.grad(scores, t, start)[0].numpy(), scores.detach().numpy()


def modules(name):
    """The module for us and the same for zennit."""
    options = {"plus": Summed, "eps": 1e-16}
    more = {"times": Gated} if name == "mobilenet_v3" else {}
    return networks.network(name, **options), networks.network(name, **options, **more)


def ours(module, name):
    """The network as it is explained: merged, the gates decide, and receive nothing."""
    network = from_torch(module, np.zeros(SHAPE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # which norms of a DenseNet stay
        network = merge_batchnorm(network)
    return network.mapped(lambda name, layer: DECIDES if isinstance(layer, Multiply) else layer)


def canonized(name):
    if name != "densenet":
        return [canonizers.SequentialMergeBatchNorm()]
    return [canonizers.NamedMergeBatchNorm([([f"block.layer{n}.conv1"], f"block.layer{n}.norm2") for n in (1, 2, 3)])]


def test_a_densenet_keeps_the_norms_that_no_convolution_stands_before():
    network = ours(modules("densenet")[0], "densenet")
    assert [one for one, layer in network if isinstance(layer, BatchNorm)] == [
        "block.layer1.norm1", "block.layer2.norm1", "block.layer3.norm1", "transition.0", "norm"]


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("preset", RULES)
def test_a_preset_agrees_with_zennits_composite_of_that_name(preset, name):
    preset_rules, rule, composite = RULES[preset]
    module, theirs = modules(name)
    x = np.random.default_rng(2).normal(size=SHAPE)
    network = ours(module, name)
    rules = preset_rules(network) | {one: rule for one, layer in network if isinstance(layer, ConvTranspose2D)}
    e = explain(network, x, rules, TARGET)
    wanted, scores = by_zennit(theirs, x, composite(stabilizer=exactly, canonizers=canonized(name)))
    assert distance(e.scores, scores) < ROUNDING
    assert distance(e.relevance, wanted) < ROUNDING


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_the_presets_are_far_apart_on_these_networks(name):
    """Otherwise agreement would say nothing."""
    network, x = ours(modules(name)[0], name), np.random.default_rng(2).normal(size=SHAPE)
    maps = [explain(network, x, preset(network), TARGET).relevance for preset, _, _ in RULES.values()]
    for n, one in enumerate(maps):
        assert all(distance(one, other) > 0.01 for other in maps[:n])


# ---- What the page on top says of zennit's defaults ----


def small(plus):
    """x + 2 x on one number."""
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice, self.plus = nn.Linear(1, 1, bias=False), plus()

        def forward(self, x):
            return self.plus(x, self.twice(x))

    module = Skip().double().eval()
    with torch.no_grad():
        module.twice.weight.fill_(2.0)
    return module


def small_by_zennit(plus, x):
    with composites.EpsilonPlus(epsilon=exactly, stabilizer=exactly).context(small(plus)) as hooked:
        t = torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
        scores = hooked(t)
        return torch.autograd.grad(scores, t, scores.detach())[0].item()


def test_a_bare_sum_is_handed_all_of_r_on_both_sides_by_zennit_and_once_by_us():
    """x = 3, z = 9: 3 and 6. Both branches of a bare sum are handed 9."""
    x = np.array([[3.0]])
    assert small_by_zennit(networks.Plus, 3.0) == pytest.approx(18, rel=1e-15, abs=0)   # four roundings at most
    assert small_by_zennit(Summed, 3.0) == pytest.approx(9, rel=1e-15, abs=0)
    for plus in (networks.Plus, Summed):
        network = from_torch(small(plus), x)
        assert network.reads[network.output] == ("input", "twice")
        assert explain(network, x, assign(network), np.array([0])).relevance.tolist() == [[9.0]]


def test_sums_have_no_stabiliser_where_zennit_adds_1e_minus_6():
    """3e-6 - 1e-6 = 2e-6, R = 1: 3/2 of it to the first; over 3e-6 it is 1, as Epsilon(1e-6) by name gives."""
    a, b = (torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in (3e-6, -1e-6))
    module = Summed().eval()
    with composites.EpsilonPlus().context(module) as hooked:
        wanted = torch.autograd.grad(hooked(a, b), a, torch.ones(1, 1, dtype=torch.float64))[0].item()

    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.plus = Summed()

        def forward(self, x):
            return self.plus(x[:, :1], x[:, 1:])

    x = np.array([[3e-6, -1e-6]])
    network = from_torch(Split().eval(), x)
    rules = assign(network, by_name={network.output: Epsilon(1e-6)})
    given = explain(network, x, rules, np.array([[1.0]])).relevance[0]
    assert wanted == pytest.approx(1, rel=1e-15, abs=0) == pytest.approx(given[0], rel=1e-15, abs=0)
    unstabilised = explain(network, x, assign(network), np.array([[1.0]])).relevance[0]
    assert unstabilised == pytest.approx([1.5, -0.5], rel=1e-15, abs=0)


def test_a_product_hands_half_to_each_factor_unless_the_gate_is_to_receive_nothing():
    """x = 2, gate 3 of 2: R = 1 is 1/2 and 1/2, or 1 and 0."""
    class Product(nn.Module):
        def forward(self, x):
            return x[:, :1] * x[:, 1:]

    network = from_torch(Product().eval(), np.array([[2.0, 3.0]]))
    x, R = np.array([[2.0, 3.0]]), np.array([[1.0]])
    assert explain(network, x, target=R).relevance.tolist() == [[0.5, 0.5]]
    decides = network.mapped(lambda name, layer: DECIDES if isinstance(layer, Multiply) else layer)
    assert explain(decides, x, target=R).relevance.tolist() == [[1.0, 0.0]]
    assert assign(network)["mul"] == Epsilon(0) and assign(decides)["getitem"] == Pass()
