"""Kernel machines decomposed to the dimensions of what they classify."""

import decimal
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import FUNCTIONS, F, assert_holds, fractions, law, mixed, total, types_in

from lrp_ref import Epsilon, Flat, Linear, Network, Winner, WSquare, assign, explain
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import RULES, relevance_for, takes
from lrp_ref.checks.claims.laws import closes
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.layers.fisher.svm import (
    ChiSquareSVM,
    ExponentialChiSquareSVM,
    GaussianSVM,
    IntersectionSVM,
    KernelSVM,
    NegativeChiSquareSVM,
    SpreadLinear,
    linear_svm,
)
from lrp_ref.step import step

# Four support vectors in three dimensions, two classes; zeros and ties with the inputs among them.
SUPPORT = fractions(["1 0 2", "0 1/2 3", "3 0 1", "1/2 2 0"])
ALPHAS = fractions(["1 -1/2 2 -1", "-3/4 1 0 5/2"])
BIAS = fractions("1/4 -2")
X = fractions(["1 0 1/2", "2 3 0"])
ROOT = fractions("1/2 1 0")
@dataclass(frozen=True, eq=False)
class QuadraticSVM(KernelSVM):
    """A kernel of one's own: k(v, x) = (v . x + 1)^2"""

    def kernel(self, x: Array) -> Array:
        product = self.support @ x + 1
        return product * product

    def gradient(self, x: Array) -> Array:
        return 2 * (self.support @ x + 1)[:, None] * self.support


def machines(number: type = F, **more: Any) -> dict[str, KernelSVM]:
    """Every kind that is rational, and one from outside."""
    parts = [convert_numbers(array, number) for array in (SUPPORT, ALPHAS, BIAS, ROOT)]
    plain, rooted = parts[:3], dict(zip(("support", "alphas", "bias", "root"), parts))
    return {"intersection": IntersectionSVM(*plain, **more), "chi square": ChiSquareSVM(*plain, **more),
            "negative chi square": NegativeChiSquareSVM(*plain, **more),
            "chi square at a root": ChiSquareSVM(**rooted, **more),
            "negative chi square at a root": NegativeChiSquareSVM(**rooted, **more),
            "quadratic at a root": QuadraticSVM(**rooted, **more)}


def exponential(number: type, **more: Any) -> dict[str, KernelSVM]:
    parts = [convert_numbers(array, number) for array in (SUPPORT, ALPHAS, BIAS, ROOT)]
    return {"gaussian": GaussianSVM(*parts, gamma=0.25, **more),
            "exponential chi square": ExponentialChiSquareSVM(*parts, gamma=F(1, 3), **more)}


every = pytest.mark.parametrize("name", machines())
AT_A_ROOT = [name for name in machines() if "root" in name]


# ---- What selfcheck claims ----


@law("roots and powers")
def test_a_layer_without_a_rational_form_rounds_to_what_its_formula_does(claim: Claim) -> None:
    assert_holds(claim)


# ---- Additive kernels ----


def test_intersection_by_hand() -> None:
    # v = (1, 2), (3, 0); x = (2, 1): minima (1, 1), (2, 0); alpha 1, -1/2: w = (1 - 1, 1 - 0); b = 3
    layer = IntersectionSVM(fractions(["1 2", "3 0"]), fractions(["1 -1/2"]), fractions("3"))
    a, m = layer.linearize(fractions(["2 1"]))
    assert m.weight.tolist() == [[[0], [1]]] and a.tolist() == [[1, 1]] and m.bias.tolist() == [3]
    below, account = step(Epsilon(0), m, a, fractions(["8"]))
    assert below.tolist() == [[0, 2]] and account.bias.tolist() == [[6]]


def test_chi_square_by_hand_with_nothing_over_nothing_as_nothing() -> None:
    # v = (1, 0, 2); x = (3, 0, 2): 2 v x / (v + x) = 3/2, 0, 2; -(v - x)^2 / (v + x) = -1, 0, 0
    support, alphas, bias, x = fractions(["1 0 2"]), fractions(["2"]), fractions("1"), fractions(["3 0 2"])
    assert ChiSquareSVM(support, alphas, bias).linearize(x)[1].weight.ravel().tolist() == [3, 0, 4]
    assert NegativeChiSquareSVM(support, alphas, bias).linearize(x)[1].weight.ravel().tolist() == [-2, 0, 0]


def test_the_three_chi_squares_are_three_kernels() -> None:
    x = np.array([1.0, 0.5, 2])
    support, alphas, bias = np.array([[2.0, 0.5, 0]]), np.eye(1), np.zeros(1)
    additive = ChiSquareSVM(support, alphas, bias)(x[None])
    minus = NegativeChiSquareSVM(support, alphas, bias)(x[None])
    exp = ExponentialChiSquareSVM(support, alphas, bias, root=x, gamma=2)(x[None])
    # 4/3 + 1/2 + 0; -(1/3 + 0 + 2); exp(-2 * 7/3): a few roundings each
    assert np.allclose([additive, minus, exp], [[[11 / 6]], [[-7 / 3]], [[np.exp(-14 / 3)]]], rtol=1e-15, atol=0)


def test_a_linear_kernel_is_a_linear_layer() -> None:
    layer = linear_svm(SUPPORT, ALPHAS, BIAS)
    assert isinstance(layer, Linear)
    wanted = [by_loops.machine(lambda v, x: sum(p * q for p, q in zip(v, x)), SUPPORT.tolist(), ALPHAS.tolist(),
                               BIAS.tolist(), x) for x in X.tolist()]
    assert layer(X).tolist() == wanted


# ---- Taylor expansions ----


def test_an_expansion_by_hand() -> None:
    # k = (v . x + 1)^2, v = (1, 2), alpha = 3, b = 1; x0 = (1, 0): k = 4, gradient 2 * 2 * (1, 2)
    # f(x0) = 13, w = (12, 24); x = (2, -1): v . x = 0, f = 4; a = (1, -1), a . w = -12, so the bias is 16
    layer = QuadraticSVM(fractions(["1 2"]), fractions(["3"]), fractions("1"), fractions("1 0"))
    a, m = layer.linearize(fractions(["2 -1"]))
    assert layer.residual().tolist() == [13]
    assert (a.tolist(), m.weight.tolist(), m.bias.tolist()) == ([[1, -1]], [[[12], [24]]], [[16]])
    below, account = step(Epsilon(0), m, a, fractions(["4"]))
    assert below.tolist() == [[12, -24]] and account.bias.tolist() == [[16]]


@every
def test_the_map_is_the_machine_exactly(name: str) -> None:
    for spread in (False, True):
        layer = machines(spread=spread)[name]
        a, m = layer.linearize(X)
        assert (m(a) == layer(X)).all()


@pytest.mark.parametrize("name", exponential(Decimal))
def test_expansions_of_exponential_kernels_are_their_machines_to_forty_eight_digits(name: str) -> None:
    with decimal.localcontext() as context:
        context.prec = 50     # two digits more than are compared
        layer, x = exponential(Decimal)[name], convert_numbers(X, Decimal)
        a, m = layer.linearize(x)
        assert abs(m(a) - layer(x)).max() < Decimal("1e-48")

        def kernel(v: Any, x: Any) -> Any:
            if name == "gaussian":
                return (-sum((p - q) ** 2 for p, q in zip(v, x)) / 4).exp()
            return (sum(by_loops.negative_chi_square(p, q) for p, q in zip(v, x)) / 3).exp()

        wanted = [by_loops.machine(kernel, layer.support.tolist(), layer.alphas.tolist(), layer.bias.tolist(), x_n)
                  for x_n in x.tolist()]
        assert abs(layer(x) - np.array(wanted)).max() < Decimal("1e-48")
        assert m.learned and types_in(m.weight) == {Decimal}


@pytest.mark.parametrize("name", [*list(machines())[3:], *exponential(Decimal)])
def test_the_weights_are_the_slopes_at_the_root(name: str) -> None:
    # where an input is 0 the kernel ends, and its slope is that to the right: steps go up only
    with decimal.localcontext() as context:
        context.prec = 60
        layer = {**machines(Decimal), **exponential(Decimal)}[name]
        h, slope = Decimal("1e-25"), layer.linearize(layer.root[None])[1].weight[0]
        for d in range(3):
            up, further = layer.root.copy(), layer.root.copy()
            up[d], further[d] = up[d] + h, further[d] + 2 * h
            f0, f1, f2 = (layer(point[None])[0] for point in (layer.root, up, further))
            # the error of (4 f1 - 3 f0 - f2) / 2h is of the order of h^2 = 1e-50, that of rounding 1e-59 / h
            assert abs((4 * f1 - 3 * f0 - f2) / (2 * h) - slope[d]).max() < Decimal("1e-33")


def test_at_its_root_a_machine_has_nothing_to_share_out() -> None:
    layer = machines()["chi square at a root"]
    a, m = layer.linearize(ROOT[None])
    below, account = step(Epsilon(0), m, a, fractions(["2 3"]))
    assert not below.any() and account.bias.tolist() == [[2, 3]] and (m.bias[0] == layer.residual()).all()


# ---- The bias ----


def test_a_bias_may_be_spread_evenly_over_the_dimensions() -> None:
    # R_d = w_d + b / 3 when all of f is handed down
    layer, spread = machines()["chi square"], machines(spread=True)["chi square"]
    f, w = layer(X), layer.linearize(X)[1].weight
    a, m = spread.linearize(X)
    for c in (0, 1):
        R = np.where(np.arange(2) == c, f, 0 * f)
        below, account = step(Epsilon(0), m, a, R)
        assert (below == w[:, :, c] + BIAS[c] / 3).all() and not account.bias.any()
        assert below.sum(axis=1).tolist() == f[:, c].tolist()


def test_spreading_an_expansion_spreads_what_is_left_at_the_root_and_keeps_the_remainder() -> None:
    layer, spread = machines()["quadratic at a root"], machines(spread=True)["quadratic at a root"]
    a, m = layer.linearize(X)
    b, n = spread.linearize(X)
    assert set(b.flat) == {1} and not n.learned
    assert (n.weight == a[:, :, None] * m.weight + layer.residual() / 3).all()
    assert (n.bias == m.bias - layer.residual()).all() and (n.bias != 0).any()


def test_a_linear_layer_may_spread_its_bias() -> None:
    weight, bias, x = mixed((4, 3), 1), fractions("1 -2 1/2"), mixed((2, 4), 3)
    layer, plain = SpreadLinear(weight, bias), Linear(weight, bias)
    assert (layer(x) == plain(x)).all()
    network = Network([("svm", layer)])
    e = explain(network, x, assign(network), target=1)   # Linear's default, Epsilon(0)
    f = plain(x)[:, 1]
    assert (e.relevance == x * weight[:, 1] + F(-2, 4)).all() and e.relevance.sum(axis=1).tolist() == f.tolist()
    assert not e.ledger["svm"].bias.any()
    assert (SpreadLinear(weight)(x) == Linear(weight)(x)).all()
    rows = mixed((2, 3, 4), 5)
    assert (SpreadLinear(weight, bias)(rows) == plain(rows)).all()


# ---- Laws, beside test_laws.py, which holds additive kernels and SpreadLinear to them ----


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("name", AT_A_ROOT)
def test_forward_and_backward_are_adjoint(name: str, f: Any) -> None:
    a, m = machines()[name].linearize(X)
    forward = m.apply(a, f)
    s = relevance_for(forward)
    assert total(s * forward) == total(a * m.transpose(s, f, a.shape))


@pytest.mark.parametrize(("name", "spread"), [*((name, False) for name in AT_A_ROOT),
                                              *((name, True) for name in machines())])
def test_the_ledger_closes_at_every_class_under_every_rule_but_that_of_gates(name: str, spread: bool) -> None:
    a, m = machines(spread=spread)[name].linearize(X)
    R = relevance_for(m(a))
    taken = {rule_name: rule for rule_name, rule in RULES.items() if takes(m, rule)}
    assert RULES.keys() - taken.keys() == ({"Pass", "Winner"} if m.learned else {"Pass"})
    for rule_name, rule in taken.items():
        below, account = step(rule, m, a, R)
        assert closes(account), rule_name
        assert total(account.handed) == total(below), rule_name


def test_slopes_are_the_models_weights_and_kernel_values_the_images() -> None:
    a, m = machines()["chi square"].linearize(X)
    R = relevance_for(m(a))
    assert (step(WSquare(), m, a, R)[0] == step(Flat(), m, a, R)[0]).all()
    a, m = machines()["chi square at a root"].linearize(X)
    assert (step(WSquare(), m, a, R)[0] != step(Flat(), m, a, R)[0]).any()
    with pytest.raises(ValueError, match=r"^Winner needs a pooling"):
        step(Winner(), m, a, R)


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal], ids=lambda number: number.__name__)
@pytest.mark.parametrize("spread", [False, True], ids=["bias", "spread"])
def test_the_number_type_is_kept(number: type, spread: bool) -> None:
    x = convert_numbers(X, number)
    spread_linear = SpreadLinear(mixed((3, 2), 1, number), mixed((2,), 1, number))
    own = [layer for name, layer in machines(number, spread=spread).items() if name != "quadratic at a root"]
    for layer in (*own, *exponential(number, spread=spread).values(), spread_linear):
        a, m = layer.linearize(x)
        assert types_in(layer(x)) == types_in(m(a)) == types_in(m.weight) == types_in(m.bias) == types_in(a) == {number}
        assert layer(x).shape == layer.output_shape(x.shape) == (2, 2)
        assert layer.astype(np.float64)(convert_numbers(x, np.float64)).dtype == np.float64


# ---- Refusals ----


def test_kernels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^GaussianSVM is no sum over dimensions: give root=, a point of"):
        GaussianSVM(SUPPORT, ALPHAS, BIAS, gamma=1)
    with pytest.raises(ValueError, match=r"^IntersectionSVM got a root, but min\(v, x\) has no slope at v = x: leave"):
        IntersectionSVM(SUPPORT, ALPHAS, BIAS, ROOT)
    for gamma in (0, -1, True, float("inf")):
        with pytest.raises(ValueError, match=r"^GaussianSVM got gamma=.*, needed a positive number"):
            GaussianSVM(SUPPORT, ALPHAS, BIAS, ROOT, gamma=gamma)
    with pytest.raises(ValueError, match=r"^GaussianSVM has no exact form, for its kernel is an exponential: use"):
        GaussianSVM(SUPPORT, ALPHAS, BIAS, ROOT, gamma=1)(X)
    with pytest.raises(ValueError, match=r"^ChiSquareSVM has no root, so nothing is left over but its bias"):
        ChiSquareSVM(SUPPORT, ALPHAS, BIAS).residual()


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^IntersectionSVM got support of shape \(4,\), needed \(S, D\): one row"):
        IntersectionSVM(SUPPORT[:, 0], ALPHAS, BIAS)
    with pytest.raises(ValueError, match=r"^IntersectionSVM got alphas of shape \(2, 3\), needed \(2, 4\)"):
        IntersectionSVM(SUPPORT, ALPHAS[:, 1:], BIAS)
    with pytest.raises(ValueError, match=r"^IntersectionSVM got bias of shape \(1,\), needed \(2,\)"):
        IntersectionSVM(SUPPORT, ALPHAS, BIAS[:1])
    with pytest.raises(ValueError, match=r"^IntersectionSVM got an input of shape \(2, 2\), but support .* \(N, 3\)"):
        IntersectionSVM(SUPPORT, ALPHAS, BIAS)(X[:, 1:])


@pytest.mark.parametrize("kind", [IntersectionSVM, ChiSquareSVM, NegativeChiSquareSVM, ExponentialChiSquareSVM])
def test_histograms_have_no_negative_entries(kind: Any) -> None:
    more = {"root": ROOT, "gamma": 1} if kind is ExponentialChiSquareSVM else {}
    below = X.copy()
    below[1, 2] = F(-1)
    with pytest.raises(ValueError, match=rf"^{kind.__name__} got -1 at \(1, 2\), needed histograms: numbers"):
        kind(SUPPORT, ALPHAS, BIAS, **more)(below)
    with pytest.raises(ValueError, match=rf"^{kind.__name__} got -1 at \(0, 0\), needed histograms"):
        kind(-SUPPORT, ALPHAS, BIAS, **more)
    if kind is not IntersectionSVM:
        with pytest.raises(ValueError, match=r"got -1/2 at \(0, 0\), needed histograms"):
            kind(SUPPORT, ALPHAS, BIAS, **{**more, "root": -ROOT})


def test_a_root_is_a_point_of_the_support_vectors_space() -> None:
    support, alphas, bias = np.ones((2, 3)), np.ones((1, 2)), np.ones(1)
    for kind, more in ((ChiSquareSVM, {}), (GaussianSVM, {"gamma": 1.0}), (ExponentialChiSquareSVM, {"gamma": 1.0})):
        for shape in ((2,), (1, 3), (4,)):
            with pytest.raises(ValueError, match=rf"^{kind.__name__} got root of shape .*, needed \(3,\)"):
                kind(support, alphas, bias, np.ones(shape), **more)


@pytest.mark.parametrize("classes", [1, 3])
def test_every_class_spreads_its_own_bias(classes: int) -> None:
    support, alphas, bias = mixed((4, 5), 1), mixed((classes, 4), 2), mixed((classes,), 3) + 1
    x = abs(mixed((2, 5), 4))
    layers = [IntersectionSVM(abs(support), alphas, bias, spread=spread) for spread in (False, True)]
    (a, m), (_, even) = (layer.linearize(x) for layer in layers)
    assert (even.weight == m.weight + bias / 5).all() and not even.bias.any()
    assert (layers[0](x) == layers[1](x)).all() and even(a).shape == (2, classes)


def test_an_exponential_of_fractions_is_refused_by_the_machines_name() -> None:
    for kind in (GaussianSVM, ExponentialChiSquareSVM):
        layer = kind(abs(mixed((2, 3), 1)), mixed((1, 2), 2), mixed((1,), 3), abs(mixed((3,), 4)), gamma=F(1, 2))
        with pytest.raises(ValueError, match=f"^{kind.__name__} has no exact form, for its kernel is an exponential"):
            layer(abs(mixed((1, 3), 5)))
