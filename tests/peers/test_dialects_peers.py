"""zennit's and captum's own output is that of their dialects, to 1e-14: layers, options, small networks.

Inputs and weights have zeros, ties and both signs; relevance has nothing to do with outputs.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from helpers import distance

from lrp_ref import assign, explain
from lrp_ref.conformance.dialects import DIALECTS, Dialect, bugs
from lrp_ref.convert import from_torch
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus
from lrp_ref.step import step

torch = pytest.importorskip("torch")
their = pytest.importorskip("zennit.rules")
core = pytest.importorskip("zennit.core")
composites = pytest.importorskip("zennit.composites")
canonizers = pytest.importorskip("zennit.canonizers")
captum_rules = pytest.importorskip("captum.attr._utils.lrp_rules")
captum_attr = pytest.importorskip("captum.attr")
nn = torch.nn
MODULES = pytest.importorskip("torch_modules").MODULES
torch.set_num_threads(1)


@dataclass(frozen=True)
class In:
    """A canonical rule as a library has it, at whichever layer."""

    dialect: Dialect
    rule: Rule

    def at(self, layer):
        return self.dialect.rule(self.rule, layer)


def zennit(rule, **options):
    return In(DIALECTS["zennit"].but(**options), rule)


def captum(rule, **options):
    return In(DIALECTS["captum"].but(**options), rule)


# Rounding, as a part of the largest relevance: 1e-16 for each of a hundred additions, one layer after the other.
ROUNDING = 1e-14
HALVES = np.arange(-6, 7) / 2


def trained(module, seed=1):
    """In evaluation mode and float64; parameters are halves, so that sums are exact; variances are positive."""
    rng = np.random.default_rng(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                drawn = rng.choice(HALVES, tuple(tensor.shape))
                tensor.copy_(torch.from_numpy(abs(drawn) + 0.5 if name.endswith("running_var") else np.asarray(drawn)))
    return module


def halves(shape, seed=2):
    return np.random.default_rng(seed).choice(HALVES, shape)


def relevance_of_outputs(module, x):
    return halves(tuple(module(torch.from_numpy(x)).shape), 3)


def by_dialect(module, x, rule, R):
    [(_, layer)] = from_torch(nn.Sequential(module).eval())
    a, m = layer.linearize(x)
    rule = rule.at(layer) if isinstance(rule, In) else rule
    with np.errstate(divide="ignore", invalid="ignore"):
        return step(rule, m, a, R)[0]


# Averages of 1, 2, 4 or 8 numbers are exact. Of 9 they round, in another order here than there, and a mean of 0 that is
# 1e-17 instead moves relevance by 1e-17 / 1e-9: those are asked with a large epsilon, below.
POOLS = {
    "average": (lambda: nn.AvgPool2d((2, 4), 2, 1), (2, 3, 7, 8)),
    "average, padding not counted": (lambda: nn.AvgPool2d(2, 2, 1, count_include_pad=False), (2, 3, 7, 8)),
    "adaptive average": (lambda: nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 7, 8)),
    "maximum": (lambda: nn.MaxPool2d((2, 3), (2, 1), (1, 1)), (2, 3, 7, 8)),
    "maximum of overlapping windows": (lambda: nn.MaxPool2d(3, 1, 1), (2, 3, 5, 6)),
}


ROUNDED = {
    "average of 6": (lambda: nn.AvgPool2d((2, 3), 2, 1), (2, 3, 7, 8)),
    "average of 9, padding not counted": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 3, 7, 8)),
}


# ---- zennit ----

ZENNIT = {
    "Epsilon": (zennit(Epsilon(1e-6)), lambda: their.Epsilon()),
    "Epsilon(0.25)": (zennit(Epsilon(0.25)), lambda: their.Epsilon(0.25)),
    "Epsilon, clipped": (
        zennit(Epsilon(0.7), epsilon="clipped"), lambda: their.Epsilon(core.Stabilizer(0.7, clip=True))),
    "Epsilon without bias": (
        zennit(Epsilon(0.25), bias_epsilon="left out"), lambda: their.Epsilon(0.25, zero_params="bias")),
    "AlphaBeta(2, 1)": (zennit(AlphaBeta(2, 1)), lambda: their.AlphaBeta(2, 1)),
    "AlphaBeta(1.5, 0.5)": (zennit(AlphaBeta(1.5, 0.5), stabiliser=0.25), lambda: their.AlphaBeta(1.5, 0.5, 0.25)),
    "ZPlus": (zennit(ZPlus()), lambda: their.ZPlus()),
    "Gamma(0.25)": (zennit(Gamma(0.25)), lambda: their.Gamma(0.25)),
    "Gamma(3) without bias": (zennit(Gamma(3), bias_gamma="left out"), lambda: their.Gamma(3, zero_params="bias")),
    "ZBox(-4, 5)": (zennit(ZBox(-4, 5)), lambda: their.ZBox(-4, 5)),
    "WSquare": (zennit(WSquare()), lambda: their.WSquare()),
    "WSquare without bias": (zennit(WSquare(), bias_w_square="left out"), lambda: their.WSquare(zero_params="bias")),
    "Flat": (zennit(Flat()), lambda: their.Flat()),
}
ZENNIT_POOLS = {
    "Norm": (zennit(Epsilon(1e-6)), lambda: their.Norm()),
    "Norm(0.25)": (zennit(Epsilon(0.25)), lambda: their.Norm(0.25)),
    "Flat": (zennit(Flat()), lambda: their.Flat()),
}


def by_zennit(module, x, rule, R):
    handles = rule.register(module) if rule is not None else None
    t = torch.from_numpy(x.copy()).requires_grad_()
    out = torch.autograd.grad(module(t), t, torch.from_numpy(R.copy()))[0].numpy()
    if handles is not None:
        handles.remove()
    return out


@pytest.mark.parametrize("module_of", MODULES)
@pytest.mark.parametrize("rule", ZENNIT)
def test_zennits_rules_are_those_of_its_dialect(rule, module_of):
    make, shape = MODULES[module_of]
    module, x = trained(make()), halves(shape)
    ours, theirs = ZENNIT[rule]
    R = relevance_of_outputs(module, x)
    assert distance(by_dialect(module, x, ours, R), by_zennit(module, x, theirs(), R)) < ROUNDING


def test_zennits_scaled_epsilon_is_that_of_its_dialect():
    module, x = trained(nn.Linear(5, 4)), halves((6, 5))
    R = relevance_of_outputs(module, x)
    wanted = by_zennit(module, x, their.Epsilon(core.Stabilizer(0.25, norm_scale=True)), R)
    assert distance(by_dialect(module, x, zennit(Epsilon(0.25), epsilon="scaled"), R), wanted) < ROUNDING


def test_zennits_epsilon_0_divides_by_0_and_so_does_its_dialect():
    module, x, R = trained(nn.Linear(5, 4, bias=False)), halves((6, 5)), np.ones((6, 4))
    x[2], R[3] = 0, 0
    wanted = by_zennit(module, x, their.Epsilon(0), R)
    assert np.isnan(wanted[2]).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(np.isnan(by_dialect(module, x, zennit(Epsilon(0)), R)), np.isnan(wanted))


@pytest.mark.parametrize("module_of", POOLS)
@pytest.mark.parametrize("rule", ZENNIT_POOLS)
def test_zennits_rules_on_pools_are_those_of_its_dialect(rule, module_of):
    make, shape = POOLS[module_of]
    module, x = make(), halves(shape)
    ours, theirs = ZENNIT_POOLS[rule]
    R = relevance_of_outputs(module, x)
    assert distance(by_dialect(module, x, ours, R), by_zennit(module, x, theirs(), R)) < ROUNDING


@pytest.mark.parametrize("module_of", ROUNDED)
def test_averages_that_round_are_those_of_both_dialects(module_of):
    make, shape = ROUNDED[module_of]
    module, x = make(), halves(shape)
    R = relevance_of_outputs(module, x)
    wanted = by_zennit(module, x, their.Norm(0.25), R)
    assert distance(by_dialect(module, x, zennit(Epsilon(0.25)), R), wanted) < ROUNDING
    wanted = by_zennit(module, x, their.Flat(), R)
    assert distance(by_dialect(module, x, zennit(Flat()), R), wanted) < ROUNDING
    module.rule = captum_rules.EpsilonRule(0.25)
    assert distance(by_dialect(module, x, captum(Epsilon(0.25)), R), by_captum(Weighed(module, R), x)) < ROUNDING


@pytest.mark.parametrize("module_of", ["maximum", "maximum of overlapping windows"])
def test_the_gradient_of_a_maximum_goes_to_the_first_winner(module_of):
    make, shape = POOLS[module_of]
    module, x = make(), halves(shape)
    R = relevance_of_outputs(module, x)
    wanted = by_zennit(module, x, None, R)
    assert distance(by_dialect(module, x, zennit(Winner()), R), wanted) < ROUNDING
    assert distance(by_dialect(module, x, Winner(), R), wanted) > 0.1   # there are ties


def network():
    """ReLUs give zeros, whose windows are tied; halves give ties elsewhere."""
    return trained(nn.Sequential(
        nn.Conv2d(3, 6, (3, 2), (2, 1), (1, 0)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1, groups=2),
        nn.ReLU(), nn.AvgPool2d((2, 3), 2), nn.Flatten(), nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 4)))


COMPOSITES = {
    "epsilon_plus": (ZPlus(), None, lambda: composites.EpsilonPlus()),
    "epsilon_plus_flat": (ZPlus(), Flat(), lambda: composites.EpsilonPlusFlat()),
    "epsilon_alpha2_beta1": (AlphaBeta(2, 1), None, lambda: composites.EpsilonAlpha2Beta1()),
    "epsilon_gamma_box": (Gamma(0.25), ZBox(-4, 5), lambda: composites.EpsilonGammaBox(-4.0, 5.0)),
}


@pytest.mark.parametrize("preset", COMPOSITES)
def test_zennits_composites_are_those_of_its_dialect(preset):
    on_convolutions, first, composite = COMPOSITES[preset]
    module, x = network(), halves((3, 3, 11, 12))
    ours = from_torch(module)
    canonical = {name: on_convolutions if type(layer).__name__ == "Conv2D"
                 else Epsilon(1e-6) if type(layer).__name__ in ("Linear", "AvgPool") else rule
                 for (name, layer), rule in zip(ours, assign(ours).values())}
    canonical[ours.names[0]] = first or canonical[ours.names[0]]
    t = torch.from_numpy(x.copy()).requires_grad_()
    R = halves((3, 4), 5)
    with composite().context(module) as hooked:
        wanted = torch.autograd.grad(hooked(t), t, torch.from_numpy(R))[0].numpy()
    got = explain(ours, x, DIALECTS["zennit"].translate(ours, canonical), R).relevance
    assert distance(got, wanted) < ROUNDING
    assert distance(explain(ours, x, canonical, R).relevance, wanted) > 1e-3   # the dialect is what makes it so


def test_zennits_merge_is_that_of_its_dialect():
    module = trained(nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6, 0.25), nn.ReLU(), nn.Flatten(),
                                   nn.Linear(120, 4)))
    x = halves((2, 3, 9, 11))
    ours = bugs.merged_by_zennit(from_torch(module))
    composite = composites.EpsilonPlus(canonizers=[canonizers.SequentialMergeBatchNorm()])
    with composite.context(module) as hooked:
        wanted = hooked(torch.from_numpy(x)).detach().numpy()
    assert distance(ours(x), wanted) < ROUNDING


# ---- captum ----

CAPTUM = {
    "EpsilonRule": (captum(Epsilon(0)), lambda: captum_rules.EpsilonRule()),
    "EpsilonRule(0.25)": (captum(Epsilon(0.25)), lambda: captum_rules.EpsilonRule(0.25)),
    "GammaRule(0.25)": (captum(Gamma(0.25)), lambda: captum_rules.GammaRule(0.25)),
    "GammaRule(3), bias 0": (
        captum(Gamma(3), bias_gamma="left out"), lambda: captum_rules.GammaRule(3, set_bias_to_zero=True)),
    "Alpha1_Beta0_Rule": (captum(ZPlus()), lambda: captum_rules.Alpha1_Beta0_Rule()),
    "Alpha1_Beta0_Rule, bias 0": (
        captum(ZPlus(), bias_alpha_beta="left out"), lambda: captum_rules.Alpha1_Beta0_Rule(set_bias_to_zero=True)),
}


class Weighed(nn.Module):
    """sum_j R_j y_j + c: its gradient hands the layer R, which captum multiplies by the sum at the end.

    c = 1000 keeps the sum from 0. Flatten is a function, for captum has no rule for the module.
    """

    def __init__(self, lower, R, upper=None):
        super().__init__()
        self.lower, self.upper, self.R = lower, upper, torch.from_numpy(R.reshape(len(R), -1).copy())

    def forward(self, x):
        y = self.lower(x).flatten(1)
        y = y if self.upper is None else self.upper(y)
        return (self.R * y).sum(1, keepdim=True) + 1000


def by_captum(weighed, x):
    t = torch.from_numpy(x.copy())
    score = weighed(t).detach().numpy().reshape(-1, *[1] * (x.ndim - 1))
    return captum_attr.LRP(weighed).attribute(t.clone().requires_grad_(), target=0).detach().numpy() / score


@pytest.mark.parametrize("module_of", MODULES)
@pytest.mark.parametrize("rule", CAPTUM)
def test_captums_rules_are_those_of_its_dialect(rule, module_of):
    make, shape = MODULES[module_of]
    module, x = trained(make()), halves(shape)
    ours, theirs = CAPTUM[rule]
    R = relevance_of_outputs(module, x)
    wanted = by_dialect(module, x, ours, R)
    module.rule = theirs()
    assert distance(by_captum(Weighed(module, R), x), wanted) < ROUNDING


@pytest.mark.parametrize("module_of", POOLS)
@pytest.mark.parametrize("rule", ["EpsilonRule", "EpsilonRule(0.25)", "GammaRule(0.25)", "Alpha1_Beta0_Rule"])
def test_captums_rules_on_pools_are_those_of_its_dialect(rule, module_of):
    make, shape = POOLS[module_of]
    module, x = make(), halves(shape)
    ours, theirs = CAPTUM[rule]
    R = relevance_of_outputs(module, x)
    module.rule = theirs()
    assert distance(by_captum(Weighed(module, R), x), by_dialect(module, x, ours, R)) < ROUNDING


def test_captums_default_on_batch_norm_is_epsilon_and_its_identity_passes():
    module, x = trained(nn.BatchNorm2d(3, 0.25)), halves((2, 3, 4, 5))
    R = relevance_of_outputs(module, x)
    assert distance(by_captum(Weighed(module, R), x), by_dialect(module, x, captum(Epsilon(0)), R)) < ROUNDING
    module.rule = captum_rules.IdentityRule()
    assert distance(by_captum(Weighed(module, R), x), by_dialect(module, x, Pass(), R)) < ROUNDING


@pytest.mark.parametrize("on_convolutions", [Epsilon(0), ZPlus(), Gamma(0.25), Epsilon(0.25)], ids=repr)
def test_captum_on_a_network_is_its_dialect(on_convolutions):
    module, x, R = network(), halves((3, 3, 11, 12)), halves((3, 4), 5)
    ours = from_torch(module)
    kinds = {name: type(layer).__name__ for name, layer in ours}
    canonical = {name: on_convolutions if kinds[name] == "Conv2D" else rule for name, rule in assign(ours).items()}
    rules = DIALECTS["captum"].translate(ours, canonical)
    theirs = {"Epsilon(epsilon=0)": captum_rules.EpsilonRule, "ZPlus()": captum_rules.Alpha1_Beta0_Rule,
              "Gamma(gamma=0.25)": lambda: captum_rules.GammaRule(0.25),
              "Epsilon(epsilon=0.25)": lambda: captum_rules.EpsilonRule(0.25)}[repr(on_convolutions)]
    lower, upper = module[:6], module[7:]
    for layer in lower:
        if isinstance(layer, nn.Conv2d):
            layer.rule = theirs()
    wanted = by_captum(Weighed(lower, R, upper), x)
    assert distance(explain(ours, x, rules, R).relevance, wanted) < ROUNDING
    assert distance(explain(ours, x, canonical, R).relevance, wanted) > 1e-3   # likewise
