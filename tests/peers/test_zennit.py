"""zennit on the same networks: every preset and every rule agree to rounding; where zennit differs, it is shown how.

zennit adds a stabiliser of 1e-6 to every denominator. Where the two are to agree it is given `exactly` instead, which
divides by z itself, and by 1 where z is 0 and nothing can be handed down.
"""

import numpy as np
import pytest
from helpers import distance

from lrp_ref import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Pass,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    explain,
    merge_batchnorm,
)
from lrp_ref.convert import from_torch

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("zennit.rules")
composites = pytest.importorskip("zennit.composites")
canonizers = pytest.importorskip("zennit.canonizers")
nn = torch.nn
modules = pytest.importorskip("torch_modules")
MODULES, trained = modules.MODULES, modules.trained
torch.set_num_threads(1)   # these networks are so small that threads would only wait for each other

# Rounding, as a part of the largest relevance: a few 1e-16 for each of some tens of additions, over denominators a few
# times smaller than their terms; 1e-14 is the most that is seen.
ROUNDING = 1e-13
LOW, HIGH = (-5.0, -4.0, -4.5), (4.0, 6.0, 5.0)   # per channel; no pixel is outside


def nearly(number):
    """Up to the roundings of one layer of one or two inputs: a product, a sum, a quotient, a product."""
    return pytest.approx(number, rel=4 * 2.0**-52, abs=0)


def exactly(z):
    return torch.where(z == 0, torch.ones_like(z), z)


def images(*shape):
    return np.random.default_rng(2).normal(size=shape)


def by_zennit(module, x, composite, target):
    """Relevance of x for one class index per image, started at its score."""
    with composite.context(module) as hooked:
        t = torch.from_numpy(x.copy()).requires_grad_()
        scores = hooked(t)
        start = torch.zeros_like(scores)
        at = torch.arange(len(x)), torch.from_numpy(target)
        start[at] = scores[at].detach()
        return torch.autograd.grad(scores, t, start)[0].numpy(), scores.detach().numpy()


def by_zennits_rule(module, x, rule, R):
    """Relevance of one module's input, for relevance R of its outputs; rule None is the gradient."""
    handles = rule.register(module) if rule is not None else None
    t = torch.from_numpy(x.copy()).requires_grad_()
    relevance = torch.autograd.grad(module(t), t, torch.from_numpy(R.copy()))[0].numpy()
    if handles is not None:
        handles.remove()
    return relevance


def by_ours(module, x, rule, R):
    return explain(from_torch(nn.Sequential(module).eval()), x, {"0": rule}, R).relevance


# ---- Presets on networks ----


def strided():
    return trained(nn.Conv2d(3, 6, (3, 2), (2, 1), (1, 0)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1),
                   nn.ReLU(), nn.AvgPool2d((2, 3), 2), nn.Flatten(), nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 4))


def grouped():
    return trained(nn.Conv2d(3, 6, 3, dilation=(1, 2), padding=2, groups=3), nn.BatchNorm2d(6), nn.Tanh(),
                   nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
                   nn.Conv2d(6, 4, 2, stride=(1, 2), groups=2, bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU(),
                   nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.Conv2d(4, 5, 1), nn.Tanh(), nn.AdaptiveAvgPool2d((2, 3)),
                   nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(30, 6, bias=False), nn.BatchNorm1d(6)),
                   nn.Linear(6, 4))


def dense():
    """Epsilon and Pass below a first convolution that sees the whole image."""
    return trained(nn.Conv2d(3, 9, (11, 12)), nn.Flatten(), nn.Tanh(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 4))


def merged():
    """eps = 1e-16, because the batch norm that zennit leaves behind still divides by sqrt(1 + eps)."""
    return trained(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6, 1e-16), nn.ReLU(), nn.Conv2d(6, 4, 2, bias=False),
                   nn.BatchNorm2d(4, 1e-16), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 5),
                   nn.BatchNorm1d(5, 1e-16), nn.ReLU(), nn.Linear(5, 4))


NETWORKS = {"strided": strided, "grouped": grouped, "dense": dense, "merged": merged}


def box(values):
    return torch.tensor(values, dtype=torch.float64)[None, :, None, None]


PRESETS = {
    "epsilon_plus": (epsilon_plus, lambda **more: composites.EpsilonPlus(**more)),
    "epsilon_plus_flat": (epsilon_plus_flat, lambda **more: composites.EpsilonPlusFlat(**more)),
    "epsilon_alpha2_beta1": (epsilon_alpha2_beta1, lambda **more: composites.EpsilonAlpha2Beta1(**more)),
    "epsilon_alpha2_beta1_flat": (epsilon_alpha2_beta1_flat, lambda **more: composites.EpsilonAlpha2Beta1Flat(**more)),
    "epsilon_gamma_box": (lambda network: epsilon_gamma_box(network, np.array(LOW), np.array(HIGH)),
                          lambda **more: composites.EpsilonGammaBox(box(LOW), box(HIGH), **more)),
}


@pytest.mark.parametrize("network_of", NETWORKS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_agrees_with_zennits_composite_of_that_name(preset, network_of):
    ours, composite = PRESETS[preset]
    module, x, target = NETWORKS[network_of](), images(3, 3, 11, 12), np.array([2, 0, 3])
    network, first = from_torch(module), []
    if network_of == "merged":
        network, first = merge_batchnorm(network), [canonizers.SequentialMergeBatchNorm()]
    e = explain(network, x, ours(network), target)
    wanted, scores = by_zennit(module, x, composite(stabilizer=exactly, canonizers=first), target)
    assert distance(e.scores, scores) < ROUNDING
    assert distance(e.relevance, wanted) < ROUNDING


def test_the_presets_are_far_apart_on_these_networks():
    """Otherwise agreement would say nothing. (`dense` has but one convolution: its two flat presets are the same.)"""
    for make in (strided, grouped, merged):
        network, x = from_torch(make()), images(3, 3, 11, 12)
        maps = [explain(network, x, ours(network), 1).relevance for ours, _ in PRESETS.values()]
        for n, one in enumerate(maps):
            assert all(distance(one, other) > 0.1 for other in maps[:n])


def test_the_default_epsilon_on_dense_layers_is_zennits():
    """On z near 1e-6 it shows: an epsilon of 0 gives another answer."""
    module, x = trained(nn.Linear(3, 2)), images(4, 3)
    with torch.no_grad():
        module[0].weight.mul_(1e-6)
        module[0].bias.mul_(1e-6)
    network, target = from_torch(module), np.array([0, 1, 1, 0])
    wanted, _ = by_zennit(module, x, composites.EpsilonPlus(), target)
    assert distance(explain(network, x, epsilon_plus(network), target).relevance, wanted) < ROUNDING
    assert distance(explain(network, x, epsilon_plus(network, epsilon=0), target).relevance, wanted) > 0.1


# ---- Rules on one layer ----


RULES = {
    "Epsilon(0)": (Epsilon(0), lambda: theirs.Epsilon(exactly)),
    "Epsilon(0.25)": (Epsilon(0.25), lambda: theirs.Epsilon(0.25)),
    "AlphaBeta(2, 1)": (AlphaBeta(2, 1), lambda: theirs.AlphaBeta(2, 1, exactly)),
    "AlphaBeta(1.5, 0.5)": (AlphaBeta(1.5, 0.5), lambda: theirs.AlphaBeta(1.5, 0.5, exactly)),
    "ZPlus": (ZPlus(), lambda: theirs.ZPlus(exactly)),
    "Gamma(0.25)": (Gamma(0.25), lambda: theirs.Gamma(0.25, exactly)),
    "Gamma(3)": (Gamma(3), lambda: theirs.Gamma(3, exactly)),
    "ZBox(-4, 5)": (ZBox(-4, 5), lambda: theirs.ZBox(-4, 5, exactly)),
    "WSquare": (WSquare(), lambda: theirs.WSquare(exactly, zero_params="bias")),
    "Flat": (Flat(), lambda: theirs.Flat(exactly)),
}


def relevance_of_outputs(module, x):
    """Of both signs and with zeros; it has nothing to do with the outputs."""
    shape = module(torch.from_numpy(x)).shape
    R = np.random.default_rng(3).normal(size=shape)
    R[R > 1] = 0
    return R


@pytest.mark.parametrize("module_of", MODULES)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_agrees_with_zennit_on_one_layer(rule, module_of):
    make, shape = MODULES[module_of]
    module, x = trained(make())[0], images(*shape)
    ours, zennits = RULES[rule]
    R = relevance_of_outputs(module, x)
    assert distance(by_ours(module, x, ours, R), by_zennits_rule(module, x, zennits(), R)) < ROUNDING


WITHOUT_WEIGHTS = {
    "average, Epsilon(0)": (lambda: nn.AvgPool2d((2, 3), 2, 1), Epsilon(0), lambda: theirs.Norm(exactly)),
    "average, Epsilon(0.25) on the mean": (lambda: nn.AvgPool2d((2, 3)), Epsilon(0.25), lambda: theirs.Norm(0.25)),
    "average, padding not counted": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), Epsilon(0),
                                     lambda: theirs.Norm(exactly)),
    "average, Flat": (lambda: nn.AvgPool2d((3, 2), (2, 1), 1), Flat(), lambda: theirs.Flat(exactly)),
    "adaptive average": (lambda: nn.AdaptiveAvgPool2d((3, 2)), Epsilon(0), lambda: theirs.Norm(exactly)),
    "adaptive average, Flat": (lambda: nn.AdaptiveAvgPool2d((3, 2)), Flat(), lambda: theirs.Flat(exactly)),
    "maximum without ties": (lambda: nn.MaxPool2d((2, 3), (2, 1), (1, 1)), Winner(), lambda: None),
    "batch norm": (lambda: nn.BatchNorm2d(3), Pass(), lambda: theirs.Pass()),
    "ReLU": (lambda: nn.ReLU(), Pass(), lambda: theirs.Pass()),
    "Tanh": (lambda: nn.Tanh(), Pass(), lambda: theirs.Pass()),
}


@pytest.mark.parametrize("case", WITHOUT_WEIGHTS)
def test_pooling_and_gates_agree_with_zennit(case):
    make, ours, zennits = WITHOUT_WEIGHTS[case]
    module, x = trained(make())[0], images(2, 3, 7, 8)
    R = relevance_of_outputs(module, x)
    assert distance(by_ours(module, x, ours, R), by_zennits_rule(module, x, zennits(), R)) < ROUNDING


def test_z_box_agrees_with_a_box_per_channel():
    module, x = trained(nn.Conv2d(3, 4, 3, 2, 1))[0], images(2, 3, 7, 8)
    R = relevance_of_outputs(module, x)
    wanted = by_zennits_rule(module, x, theirs.ZBox(box(LOW), box(HIGH), exactly), R)
    assert distance(by_ours(module, x, ZBox(np.array(LOW), np.array(HIGH)), R), wanted) < ROUNDING


# ---- Where zennit differs ----


def window(*values):
    return np.array(values, float).reshape(1, 1, 1, -1)


def linear(weight, bias=None):
    module = nn.Linear(len(weight), 1, bias=bias is not None).double()
    with torch.no_grad():
        module.weight[:] = torch.tensor([weight], dtype=torch.float64)
        if bias is not None:
            module.bias[:] = bias
    return module


def test_tied_winners_share_evenly_where_zennit_gives_all_to_the_first():
    module, x, R = nn.MaxPool2d((1, 4)), window(1, 2, 2, 0), window(1)
    assert by_zennits_rule(module, x, None, R).ravel().tolist() == [0, 1, 0, 0]
    assert by_ours(module, x, Winner(), R).ravel().tolist() == [0, 0.5, 0.5, 0]


def test_flat_on_max_pooling_is_even_where_zennit_gives_all_to_the_first():
    """A rule by way of a gradient at equal inputs inherits how the gradient breaks ties."""
    module, x, R = nn.MaxPool2d((1, 4)), window(1, 3, 2, 0), window(1)
    assert by_zennits_rule(module, x, theirs.Flat(exactly), R).ravel().tolist() == [1, 0, 0, 0]
    assert by_ours(module, x, Flat(), R).ravel().tolist() == [0.25, 0.25, 0.25, 0.25]


def test_w_square_leaves_out_the_bias_whose_square_zennit_counts_among_the_weights():
    """Weights 1 and 2, bias 2: 1/9 and 4/9 of 1 + 4 + 4, or 1/5 and 4/5 of 1 + 4."""
    module, x, R = linear([1.0, 2.0], 2.0), np.array([[3.0, -5.0]]), np.array([[1.0]])
    assert by_zennits_rule(module, x, theirs.WSquare(exactly), R)[0] == nearly([1 / 9, 4 / 9])
    assert by_ours(module, x, WSquare(), R)[0] == nearly([1 / 5, 4 / 5])


@pytest.mark.parametrize("rule", ["AlphaBeta(2, 1)", "ZPlus", "Gamma(3)", "WSquare"])
def test_only_epsilon_has_a_stabiliser_where_zennit_adds_1e_minus_6_to_every_rule(rule):
    """z = 1e-6, so the stabiliser takes half; with gamma 3 z is 4e-6, and it takes a fifth."""
    zennits = {"AlphaBeta(2, 1)": theirs.AlphaBeta(2, 1), "ZPlus": theirs.ZPlus(), "Gamma(3)": theirs.Gamma(3),
               "WSquare": theirs.WSquare()}[rule]
    ours = RULES[rule][0]
    weight = 1e-3 if rule == "WSquare" else 1e-6
    module, x, R = linear([weight]), np.array([[1.0]]), np.array([[1.0]])
    whole = 2 if rule == "AlphaBeta(2, 1)" else 1   # no negative part: R is handed down alpha times
    left = 0.8 if rule == "Gamma(3)" else 0.5
    assert by_zennits_rule(module, x, zennits, R).item() == nearly(whole * left)
    assert by_ours(module, x, ours, R).item() == whole


def test_average_pooling_has_no_stabiliser_where_zennit_adds_1e_minus_6_to_the_mean():
    module, x, R = nn.AvgPool2d((1, 2)), window(3e-6, -1e-6), window(1)
    assert by_zennits_rule(module, x, theirs.Norm(), R).ravel() == nearly([0.75, -0.25])
    network = from_torch(nn.Sequential(module).eval())
    assert assign(network)["0"] == Epsilon(0)
    assert by_ours(module, x, Epsilon(0), R).ravel() == nearly([1.5, -0.5])


def test_local_response_norm_passes_relevance_where_zennit_applies_the_gradient():
    """y = x / (1 + x^2) has slope 0 at x = 1: zennit, which knows no rule for it, hands down nothing."""
    module, x, R = nn.LocalResponseNorm(1, 1.0, 1.0, 1.0), np.ones((1, 1, 1, 1)), window(1)
    wanted, scores = by_zennit(nn.Sequential(module, nn.Flatten()), x, composites.EpsilonPlus(), np.array([0]))
    assert (scores.item(), wanted.item()) == (0.5, 0)
    assert by_ours(module, x, Pass(), R).item() == 1


def test_merged_batch_norm_keeps_the_scores_where_zennit_divides_them_by_root_of_1_plus_eps():
    """variance 0.79 + eps 0.21 = 1, so the batch norm does nothing; what zennit leaves of it divides by sqrt(1.21)."""
    module = nn.Sequential(linear([2.0]), nn.BatchNorm1d(1, eps=0.21)).double().eval()
    module[1].running_var.fill_(0.79)
    x = np.array([[1.1]])
    network = merge_batchnorm(from_torch(module))
    _, scores = by_zennit(module, x, composites.EpsilonPlus(canonizers=[canonizers.SequentialMergeBatchNorm()]),
                          np.array([0]))
    assert scores.item() == nearly(2.0)
    assert network(x).item() == nearly(2.2)


def test_epsilon_gamma_box_boxes_a_dense_first_layer_where_zennit_boxes_convolutions_alone():
    """x = 2 and 1, both weights 1, R = 3. Epsilon gives 2 and 1; above the lowest value of the box are 1 and 0 of 1."""
    module, x = nn.Sequential(linear([1.0, 1.0])).eval(), np.array([[2.0, 1.0]])
    network = from_torch(module)
    wanted, _ = by_zennit(module, x, composites.EpsilonGammaBox(1.0, 4.0, epsilon=exactly, stabilizer=exactly),
                          np.array([0]))
    assert wanted[0].tolist() == [2, 1]
    assert explain(network, x, epsilon_gamma_box(network, 1, 4), 0).relevance[0].tolist() == [3, 0]
