"""The map of a Fisher vector, exact in Fractions: by hand, by loops, its laws; its three products in floats."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from fisher_model import descriptors, mixture
from helpers import FUNCTIONS, QUARTER, F, assert_holds, fractions, law, mixed, total, types_in

from lrp_ref import AlphaBeta, Epsilon, Flat
from lrp_ref.arrays import Array, convert_numbers, ones_like, positive, same, zeros
from lrp_ref.checks.claims.by_loops import defined_fisher, defined_step, units
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import RULES, relevance_for, takes
from lrp_ref.checks.claims.laws import departs
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.checks.numbers.exact import exact
from lrp_ref.layers.fisher import vector_map as fisher_map
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.rules import Rule
from lrp_ref.step import step

functions = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)


def batch(*samples: list[str]) -> Array:
    """(N, rows, columns) from texts, one per row."""
    return np.stack([fractions(rows) for rows in samples])


# Three regions over five descriptors: the second covers parts of different size, the third nothing.
REGIONS = fractions(["1 0 1 1 0", "1 1/2 0 1/4 1", "0 0 0 0 0", "1/3 1/3 1/3 1/3 1/3"])
POSTERIORS = batch(["1/2 1/2", "0 1", "1/3 2/3", "1 0", "1/4 3/4"], ["1/5 4/5", "1/2 1/2", "1 0", "2/7 5/7", "0 1"])
MIXTURE = {"means": fractions(["1 -2 1/2", "0 3 -1"]), "deviations": fractions(["2 1/2 3", "1 4 2/3"]),
           "u": fractions("3/2 5/4"), "v": fractions("1 7/8")}


def rational(regions: Array | None = REGIONS, number: type = F) -> tuple[Array, FisherMap]:
    """Two samples of five descriptors in three dimensions, two Gaussians; all given, roots and posteriors too."""
    x = mixed((2, 5, 3), 1)
    m = FisherMap(x, POSTERIORS, **MIXTURE, regions=regions)
    return ones_like(convert_numbers(x, number)), exact(m, number)


# ---- By hand ----


def test_one_descriptor_of_two_gaussians_by_hand() -> None:
    # l = (3, 1); gamma = 1/4, 3/4; sqrt pi taken as 1/2 and 1/3, sqrt 2 pi as 2/3 and 1/5
    # k = 1: mu (1, 1), sigma (2, 5):  steps 1, 0;    Psi_mu = (1/4)/(1/2) (1, 0),     Psi_sigma = (1/4)/(2/3) (0, -1)
    # k = 2: mu (0, 2), sigma (1, 2):  steps 3, -1/2; Psi_mu = (3/4)/(1/3) (3, -1/2),  Psi_sigma = (3/4)/(1/5) (8, -3/4)
    m = FisherMap(batch(["3 1"]), batch(["1/4 3/4"]), fractions(["1 1", "0 2"]), fractions(["2 5", "1 2"]),
                  fractions("2 3"), fractions("3/2 5"))
    z = m(ones_like(m.x))
    assert z.tolist() == [[F(1, 2), 0, F(27, 4), F(-9, 8), 0, F(-3, 8), 30, F(-45, 16)]]


def test_equation_5_by_hand() -> None:
    # steps of the two descriptors: 1 and 3; gamma 1/2 and 1/4; u = v = 1
    # Psi_mu: 1/2, 3/4, sum 5/4;  Psi_sigma: 0, 2, sum 2.  R = 10, 6
    m = FisherMap(batch(["2", "4"]), batch(["1/2", "1/4"]), fractions(["1"]), fractions(["1"]),
                  fractions("1"), fractions("1"))
    R, account = step(Epsilon(0), m, ones_like(m.x), fractions(["10 6"]))
    assert R.tolist() == [[[4], [6 + 6]]]
    # epsilon 3/4: 10 / 2 * (1/2, 3/4), 6 / (11/4) * (0, 2); the stabiliser keeps 3/4 * 5 and 3/4 * 24/11
    R, account = step(Epsilon(F(3, 4)), m, ones_like(m.x), fractions(["10 6"]))
    assert R.tolist() == [[[F(5, 2)], [F(15, 4) + F(48, 11)]]]
    assert account.stabiliser.tolist() == [[F(15, 4), F(18, 11)]] and not account.dead.any() and not account.bias.any()


def test_flat_counts_the_descriptors_of_a_region_and_no_statistics() -> None:
    a, m = rational()
    z = m.apply(a, ones_like)
    assert z.shape == (2, 4 * 12) and not m.posteriors.all()
    counts = np.repeat(fractions("3 11/4 0 5/3"), 12)
    assert (z == counts).all()
    R = relevance_for(z)
    below, account = step(Flat(), m, a, R)
    assert (account.dead[:, 24:36] == R[:, 24:36]).all() and not account.dead[:, :24].any()
    per_coordinate = np.reshape(R, (2, 4, 4, 3)).sum(axis=2)   # two Gaussians, two statistics each
    wanted = sum(REGIONS[r][:, None] / REGIONS[r].sum() * per_coordinate[:, r, None] for r in (0, 1, 3))
    assert (below == wanted).all()


def test_coordinate_i_feeds_only_the_dimensions_made_of_it() -> None:
    a, m = rational()
    alone = zeros(a.shape, a)
    alone[:, :, 1] = F(1)
    z = np.reshape(m.apply(alone, ones_like), (2, 4, 2, 2, 3))
    assert z[:, :2, :, :, 1].all() and not z[..., 0].any() and not z[..., 2].any()


# ---- What selfcheck claims ----


@law("Eq. 5")
def test_epsilon_is_equation_5(claim: Claim) -> None:
    assert_holds(claim)


@law("three products")
def test_three_products_are_the_direct_sum(claim: Claim) -> None:
    assert_holds(claim)


# ---- The same by loops ----


@pytest.mark.parametrize("regions", [None, REGIONS], ids=["one region", "four regions"])
def test_the_map_is_the_definition_exactly(regions: Array | None) -> None:
    a, m = rational(regions)
    for n in range(2):
        assert units(m(a)[n]) == defined_fisher(m, n).output


@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("rule", [rule for name, rule in RULES.items() if name != "Pass"],
                         ids=[name for name in RULES if name != "Pass"])
def test_every_rule_on_it_is_as_defined_whatever_the_chunks(rule: Rule, rows: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(fisher_map, "ROWS", rows)
    monkeypatch.setattr(fisher_map, "NUMBERS", 25)   # two descriptors' statistics, and a bit
    a, m = rational()
    R = relevance_for(m(a))
    below, account = step(rule, m, a, R)
    for n in range(2):
        assert not departs(below[n], account, n, defined_step(rule, defined_fisher(m, n), a[n], R[n]))


def test_weights_are_every_statistic_and_say_nothing_of_reach() -> None:
    _, m = rational()
    psi = by_loops.statistics(m.x[1, 3].tolist(), m.posteriors[1, 3].tolist(), m.means.tolist(), m.deviations.tolist(),
                              (1 / m.u).tolist(), (1 / m.v).tolist())
    assert m.weight.shape == (2, 5, 2, 2, 3) and units(m.weight[1, 3]) == psi
    assert not m.learned and not m.gate and not m.bias.any()


# ---- Laws ----


@functions
def test_forward_and_backward_are_adjoint(f: Callable[[Array], Array]) -> None:
    a, m = rational()
    for inputs in (a, mixed(a.shape, 17)):   # a map is linear: any input will do
        forward = m.apply(inputs, f)
        s = relevance_for(forward)
        assert forward.any() and total(s * forward) == total(inputs * m.transpose(s, f, a.shape))


@functions
def test_a_function_of_the_weights_is_summed_over_every_weight(f: Callable[[Array], Array]) -> None:
    a, m = rational()
    inputs = mixed(a.shape, 5)
    each = m.coverage[:, :, None, None, None] * (f(m.weight) * inputs[:, :, None, None])[:, None]   # N, r, l, 2, k, i
    assert (m.apply(inputs, f) == np.reshape(each.sum(axis=2), (2, -1))).all()


def test_several_functions_together_are_each_of_them() -> None:
    a, m = rational()
    chosen = [positive, same, ones_like, FUNCTIONS["w - 3 w+"], same]
    each = [m.apply(a, f) for f in chosen]
    assert all((z == w).all() for z, w in zip(m.apply_each(a, chosen), each, strict=True))
    s = [relevance_for(z, n) for n, z in enumerate(each)]
    parts = [m.transpose(s_f, f, a.shape) for s_f, f in zip(s, chosen)]
    assert (m.transpose_sum(s, chosen, a.shape) == sum(parts[1:], start=parts[0])).all()


def test_a_batch_is_its_samples_one_by_one() -> None:
    a, m = rational()
    R = relevance_for(m(a))
    for rule in (Epsilon(QUARTER), AlphaBeta(2, 1), Flat()):
        below, _ = step(rule, m, a, R)
        for n in range(2):
            alone = replace(m, x=m.x[n : n + 1], posteriors=m.posteriors[n : n + 1])
            assert (step(rule, alone, a[n : n + 1], R[n : n + 1])[0][0] == below[n]).all()


@pytest.mark.parametrize("number", [np.float32, np.float64, F, Decimal], ids=lambda number: number.__name__)
def test_the_map_returns_the_number_type_it_is_given(number: type) -> None:
    a, m = rational(number=number)
    assert types_in(m.bias) == types_in(m.weight) == {number}
    for f in FUNCTIONS.values():
        if number is F or f is not FUNCTIONS["w - 3 w+"]:
            z = m.apply(a, f)
            assert types_in(z) == types_in(m.transpose(z, f, a.shape)) == {number}
    for rule in RULES.values():
        if takes(m, rule):
            below, account = step(rule, m, a, relevance_for(m(a)))
            assert types_in(below) == set.union(*map(types_in, account.parts())) == {number}, rule


# ---- Three products against the direct sum, in floats ----


def magnitude(m: FisherMap, a: Array) -> Array:
    """sum_l c_rl |a| gamma u (|y| + |mu'|) / sigma, and gamma v ((|y| + |mu'|)^2 / sigma^2 + 1): of what it rounds."""
    [(_, point)] = m.seen
    reach = (abs(m.x - point)[:, :, None] + abs(m.means - point)) / m.deviations
    gamma = m.posteriors[..., None] * abs(a)[:, :, None]
    psi = np.stack([gamma * m.u[:, None] * reach, gamma * m.v[:, None] * (reach ** 2 + 1)], axis=2)
    return np.reshape(np.einsum("rl,nlmkd->nrmkd", m.coverage, psi), (len(a), -1))


@pytest.mark.parametrize("regions", [False, True], ids=["one region", "eight regions"])
@pytest.mark.parametrize("present", [False, True], ids=["any input", "presence"])
def test_three_products_are_the_direct_sum_within_rounding(regions: bool, present: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr(fisher_map, "ROWS", 16)
    count, rng = 70, np.random.default_rng(1)
    centres = rng.integers(0, 20, (count, 2))
    layer = mixture(gaussians=5, dimensions=4, regions=regions_of(centres, (20, 20)) if regions else None)
    x = descriptors(2, count, 4)
    a, m = layer.linearize(x)
    inputs = a if present else rng.normal(size=a.shape)
    direct = m.apply(inputs, lambda w: w)      # any function but `same` looks at every psi
    # count additions, and about ten operations to make each term, forwards and in the bound itself
    bound = (count + 20) * np.finfo(float).eps * magnitude(m, inputs)
    assert (abs(m.apply(inputs, same) - direct) <= bound).all()
    s = rng.normal(size=direct.shape)
    back, slow = m.transpose(s, same, x.shape), m.transpose(s, lambda w: w, x.shape)
    # backwards the sum is over the dimensions that a coordinate feeds
    share = np.einsum("nj,nlij->nli", abs(s), np.stack([np.stack([
        magnitude(m, one_hot(a.shape, l, i)) for i in range(4)], axis=1) for l in range(count)], axis=1))
    assert (abs(back - slow) <= (8 * 2 * 5 + 20) * np.finfo(float).eps * share).all()


def one_hot(shape: tuple[int, ...], l: int, i: int) -> Array:
    a = np.zeros(shape)
    a[:, l, i] = 1
    return a
