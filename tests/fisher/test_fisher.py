"""Fisher vectors forwards (Eq. 3, 4) and in their chain; VLFeat, enceval and scikit-image on the same numbers."""

import decimal
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fisher_model import descriptors, mixture
from helpers import F, assert_holds, fractions, law, mixed, types_in

from lrp_ref import Epsilon
from lrp_ref.arrays import Array, convert_numbers, ones_like, same
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.fisher import chain_by_code, chain_by_formulas
from lrp_ref.checks.definitions import fisher as by_loops
from lrp_ref.layers.fisher.norms import L2Norm, SignedSqrt
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.step import step

PARTS = np.array([[1, 0, 1, 1, 0], [1, 0.5, 0, 0.25, 1], [0, 0, 0, 0, 0]])   # regions; the second holds parts
FIXTURE = Path(__file__).parents[2] / "data_fixtures" / "vlfeat_fisher.npz"


# ---- The layer ----


def test_one_gaussian_takes_every_descriptor_whole() -> None:
    # K = 1: gamma = 1, pi = 1. mu 1, sigma 2; l = 3, 1, -3: steps 1, 0, -2; squares less one 0, -1, 3
    layer = FisherVector(np.array([1.0]), np.array([[1.0]]), np.array([[4.0]]))
    z = layer(np.array([[[3.0], [1.0], [-3.0]]]))
    assert z.tolist() == [[-1.0, 2 / math.sqrt(2)]]
    a, m = layer.linearize(np.array([[[3.0], [1.0], [-3.0]]]))
    R, _ = step(Epsilon(0), m, a, np.array([[3.0, 5.0]]))
    # Eq. 5: mu (1, 0, -2) / -1 * 3, sigma (0, -1, 3) / 2 * 5
    assert np.allclose(R[0, :, 0], [-3, -2.5, 13.5], rtol=1e-15, atol=0)   # a root and a division each way


@pytest.mark.parametrize("number", [np.float32, np.float64, Decimal], ids=lambda number: number.__name__)
@pytest.mark.parametrize("threshold", [0, 1e-3, F(1, 1000)], ids=repr)
def test_the_layer_returns_the_number_type_it_is_given(number: type, threshold: Any) -> None:
    layer = mixture(number, regions=PARTS, threshold=threshold)
    x = descriptors(2, 5, number=number)
    a, m = layer.linearize(x)
    assert types_in(layer(x)) == types_in(layer.posteriors(x)) == types_in(m(a)) == types_in(a) == {number}
    assert layer(x).shape == layer.output_shape(x.shape) == (2, 3 * 2 * 3 * 2)
    assert (m(a) == layer(x)).all()


def test_gaussians_on_equal_descriptors_keep_their_digits() -> None:
    # Descriptors without contrast are all the same, and a mixture may keep Gaussians of hardly any variance for them:
    # in (l - mu)^2 / sigma^2 = l^2 / sigma^2 - .. every digit would cancel.
    rng = np.random.default_rng(2)
    x = np.concatenate([np.full((6, 3), 0.1), rng.normal(20, 9, (9, 3)), rng.normal(-20, 9, (8, 3))])[None]
    x[0, 3] += 1e-7
    means = np.array([[0.1, 0.1, 0.1], [21.0, 19, 18], [0.1, 0.1 + 1e-7, 0.1 - 2e-7], [-20.0, -19, -22]])
    variances = np.array([[1e-13, 2e-13, 3e-13], [80.0, 90, 70], [2e-13, 1e-13, 4e-13], [60.0, 90, 75]])
    layer = FisherVector(np.array([0.25, 0.375, 0.25, 0.125]), means, variances)
    a, m = layer.linearize(x)
    assert len(m.seen) == 3 and (layer.posteriors(x)[0, :6, ::2] > 0.1).all()
    with decimal.localcontext() as context:
        context.prec = 50
        y, exact = convert_numbers(x, Decimal), layer.astype(Decimal)
        b, n = exact.linearize(y)
        gamma, z, R = exact.posteriors(y), exact(y), convert_numbers(rng.normal(size=(1, 24)), Decimal)
        below = step(Epsilon(Decimal(1)), n, b, R)[0]
    # (l - mu) / sigma is right to a few digits of 1e-16; it is squared, and exp turns it into a relative error
    assert (abs(layer.posteriors(x) - gamma.astype(float)) < 1e-14).all()
    assert (abs(layer(x) - z.astype(float)) < 1e-14 * float(abs(z).max())).all()
    got = step(Epsilon(1.0), m, a, R.astype(float))[0]
    assert (abs(got - below.astype(float)) < 1e-13 * float(abs(below).max())).all()


def test_gaussians_that_are_all_narrow_are_each_seen_from_their_own_mean() -> None:
    layer = FisherVector(np.array([0.25, 0.75]), np.array([[0.0], [1e4]]), np.array([[1.0], [4.0]]))
    x = np.array([[[1.0], [1e4 + 4], [-2.0]]])
    _, m = layer.linearize(x)
    assert len(m.seen) == 2 and m.posteriors[0].tolist() == [[1, 0], [0, 1], [1, 0]]
    # gamma is 0 or 1, so z = ((1 - 2) / (1/2), 2 / sqrt(3/4), (0 + 3) / sqrt(1/2), 3 / sqrt(3/2))
    wanted = [-2, 2 / math.sqrt(0.75), 3 / math.sqrt(0.5), 3 / math.sqrt(1.5)]
    assert np.allclose(layer(x), [wanted], rtol=1e-15, atol=0)   # a root and a division
    s = np.array([[1.0, 2, 3, 4]])
    # the same few products, expanded or not
    assert np.allclose(m.transpose(s, same, x.shape), m.transpose(s, lambda w: w, x.shape), rtol=1e-14, atol=0)


# ---- Posteriors ----


def test_posteriors_are_the_definition_to_fifty_digits() -> None:
    with decimal.localcontext() as context:
        context.prec = 50
        layer, x = mixture(Decimal, 3, 2, threshold=F(1, 50)), descriptors(1, 6, number=Decimal)
        got = layer.posteriors(x)[0]
        wanted = by_loops.posteriors(x[0].tolist(), layer.weights.tolist(), layer.means.tolist(),
                                     layer.variances.tolist(), Decimal.exp, Decimal.sqrt, Decimal("0.02"))
        assert (got == 0).any() and (got[got > 0] > Decimal("0.02")).all()
        # fifty digits, of which a sum of a few terms loses the last
        assert all(abs(g - w) <= Decimal("1e-47") for l, row in enumerate(wanted) for g, w in zip(got[l], row))


def test_posteriors_sum_to_one_and_survive_any_distance() -> None:
    layer = mixture(gaussians=4)
    gamma = layer.posteriors(np.array([[[0.0, 0.0], [1e6, -1e6], [-3e150, 2e150]]]))
    assert np.isfinite(gamma).all() and np.allclose(gamma.sum(axis=2), 1, rtol=1e-15, atol=0)   # three additions


def test_a_posterior_below_the_threshold_is_dropped_and_the_others_stay() -> None:
    x = descriptors(1, 30)
    layer = mixture(threshold=0.1)
    every, kept = mixture().posteriors(x), layer.posteriors(x)
    assert (kept == np.where(every < 0.1, 0, every)).all() and (kept == 0).any() and (kept.sum(axis=2) < 1).any()
    assert (mixture(threshold=float(every[0, 3, 1])).posteriors(x)[0, 3, 1]) == every[0, 3, 1]   # not below itself


@pytest.mark.parametrize(("number", "kept", "dropped"), [(np.float32, 9, 10), (np.float64, 26, 27)], ids=str)
def test_posteriors_whose_products_would_be_subnormal_are_dropped(number: type, kept: int, dropped: int) -> None:
    # exp(-9^2 / 2) = 3e-18, exp(-10^2 / 2) = 2e-22; exp(-26^2 / 2) = 2e-147, exp(-27^2 / 2) = 5e-159
    for mean, gone in ((kept, False), (dropped, True)):
        layer = FisherVector(*(np.array(a, dtype=number) for a in ([0.5, 0.5], [[0], [mean]], [[1], [1]])))
        small = layer.posteriors(np.zeros((1, 1, 1), dtype=number))[0, 0, 1]
        # exponents of up to 40.5, rounded to float32, are that much of a relative error: 40.5 * 2^-24
        assert small == (0 if gone else pytest.approx(math.exp(-mean * mean / 2), rel=1e-5, abs=0))


def test_the_threshold_of_the_sum_is_that_of_its_relevance() -> None:
    # the descriptor's posterior of the far Gaussian is dropped: nothing of that Gaussian's relevance may reach it
    layer = FisherVector(np.array([0.5, 0.5]), np.array([[0.0], [6.0]]), np.array([[1.0], [1.0]]), threshold=1e-6)
    x = np.array([[[-0.5], [6.5], [3.0]]])
    a, m = layer.linearize(x)
    assert layer.posteriors(x)[0, 0, 1] == 0 < replace(layer, threshold=0).posteriors(x)[0, 0, 1]
    R = np.array([[0.0, 1.0, 0.0, 1.0]])
    below, _ = step(Epsilon(0), m, a, R)
    assert below[0, 0, 0] == 0 != below[0, 1, 0]
    assert below.sum() == pytest.approx(R.sum(), rel=1e-15, abs=0)   # three terms


# ---- Other libraries ----


def reference(name: str) -> dict[str, Array]:
    with np.load(FIXTURE) as file:
        return {key.removeprefix(f"{name}_"): file[key] for key in file if key.startswith(name)}


CASES = {"small": 1, "sift": 19}   # of the larger one every nineteenth dimension is kept


@pytest.mark.parametrize("name", CASES)
def test_the_fisher_vector_is_vlfeats_to_twelve_digits(name: str) -> None:
    r = reference(name)
    layer = FisherVector(r["priors"], r["means"], r["covs"], threshold=1e-6)
    z = layer(r["x"][None])[0] / len(r["x"])
    # up to 400 additions of 1e-16 each, relative to the largest
    assert abs(z[:: CASES[name]] - r["vl_plain"]).max() <= 1e-13 * abs(r["vl_plain"]).max()


@pytest.mark.parametrize("name", CASES)
def test_the_fisher_vector_is_encevals_but_for_its_posteriors_below_a_ten_thousandth(name: str) -> None:
    r = reference(name)
    z = FisherVector(r["priors"], r["means"], r["covs"])(r["x"][None])[0] / len(r["x"])
    assert abs(z[:: CASES[name]] - r["enceval_plain"]).max() <= 2e-4   # dropped from some sums, not from others


@pytest.mark.parametrize("name", CASES)
def test_the_fisher_vector_is_scikit_images_without_its_weights_and_with_the_other_sign_of_sigma(name: str) -> None:
    r = reference(name)
    z = np.reshape(FisherVector(r["priors"], r["means"], r["covs"])(r["x"][None])[0] / len(r["x"]), (2, -1))
    theirs = np.concatenate([z[0], -z[1]])[:: CASES[name]]
    assert abs(theirs - r["skimage_plain"][-len(theirs) :]).max() <= 1e-13 * abs(theirs).max()   # as above


@pytest.mark.parametrize("improved", [False, True], ids=["plain", "improved"])
def test_the_fisher_vector_is_that_of_scikit_image_at_work(improved: bool) -> None:
    # theirs is [weights (K) | mu | -sigma], means over the descriptors; `improved` is root and norm over all of it
    from skimage.feature import fisher_vector
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 6)) * [1, 2, 3, 4, 5, 6] + rng.choice([-4, 0, 7], (300, 1))
    gmm = GaussianMixture(5, covariance_type="diag", random_state=0).fit(x)
    theirs = fisher_vector(x[:90], gmm, improved=improved)[5:]
    z = FisherVector(gmm.weights_, gmm.means_, gmm.covariances_)(x[None, :90])
    ours = np.reshape((L2Norm()(SignedSqrt()(z)) if improved else z / 90)[0], (2, -1)) * [[1], [-1]]
    wanted = np.reshape(theirs / np.linalg.norm(theirs) if improved else theirs, (2, -1))
    # both expand (l - mu)^2: a mean of 90 numbers of some hundred, which cancel; the root's slope is 20 at most
    assert abs(ours - wanted).max() <= 1e-12 and abs(wanted).min() > 1e-6


def test_posteriors_and_normalised_vectors_are_vlfeats() -> None:
    r = reference("small")
    layer = FisherVector(r["priors"], r["means"], r["covs"], threshold=1e-6)
    every = replace(layer, threshold=0).posteriors(r["x"][None])[0]
    # exponents of some ten, and means of 21 numbers of size 1: 1e-16 each
    assert abs(every - r["post"]).max() <= 1e-14
    z = layer(r["x"][None])
    for kind, chain in (("l2", [L2Norm()]), ("sqrt", [SignedSqrt()]), ("improved", [SignedSqrt(), L2Norm()])):
        y = z / len(r["x"]) if kind == "sqrt" else z
        for following in chain:
            y = following(y)
        assert abs(y[0] - r[f"vl_{kind}"]).max() <= 1e-14, kind
        if kind == "improved":
            assert abs(y[0] - r["enceval_improved"]).max() <= 2e-4   # as above


# ---- The chain above it ----


@law("Fisher chain")
def test_the_chain_rounds_to_what_its_formulas_do(claim: Claim) -> None:
    assert_holds(claim)


@pytest.mark.parametrize("which", range(3), ids=["the vector", "R of its dimensions", "R of the descriptors"])
def test_the_chain_is_its_formulas_to_forty_five_digits(which: int) -> None:
    with decimal.localcontext() as context:
        context.prec = 50     # less what some hundred operations cost
        got, wanted = (by(3, 0, 100, which) for by in (chain_by_code, chain_by_formulas))
        assert abs(got - wanted).max() < Decimal("1e-45") and got.any()


def test_an_empty_region_is_zero_and_its_relevance_is_dead() -> None:
    count = 6
    regions = np.stack([np.ones(count), np.zeros(count)])
    layer, x = mixture(regions=regions), descriptors(1, count)
    a, m = layer.linearize(x)
    z = layer(x)
    assert z[0, :12].all() and not z[0, 12:].any()
    R = np.ones(z.shape)
    below, account = step(Epsilon(0), m, a, R)
    assert account.dead.tolist() == [[0] * 12 + [1] * 12]
    assert (step(Epsilon(0), mixture().linearize(x)[1], a, R[:, :12])[0] == below).all()
    none = replace(layer, regions=0 * regions)
    assert not none(x).any() and not none.linearize(x)[1].transpose(R, same, x.shape).any()
    assert (none.at(x, layer.posteriors(x)).transpose(R, ones_like, x.shape) == 0).all()


def test_regions_may_be_booleans_and_travel_with_the_layers_number_type() -> None:
    layer = mixture(regions=np.array([[True, False, True]]))
    assert layer.regions.tolist() == [[1, 0, 1]] and types_in(layer.astype(Decimal).regions) == {Decimal}
    x = descriptors(1, 3)
    assert np.allclose(layer(x), mixture()(x[:, ::2]), rtol=1e-14, atol=0)   # the same sums, grouped otherwise


def test_a_layer_without_an_exact_form_says_so_and_a_map_with_given_roots_has_one() -> None:
    layer, x = mixture(F), mixed((1, 4, 2))
    with pytest.raises(ValueError, match=r"^FisherVector has no exact form, for posteriors are exponentials: use Dec"):
        layer(x)
    with pytest.raises(ValueError, match=r"^FisherVector has no exact form here: the square root of .* give FisherMap"):
        layer.at(x, fractions(["1 0 0"] * 4)[None])


def bad(**changes: Any) -> FisherVector:
    good = {"weights": np.array([0.25, 0.75]), "means": np.zeros((2, 3)), "variances": np.ones((2, 3))}
    return FisherVector(**{**good, **changes})


@pytest.mark.parametrize(("changes", "message"), [
    ({"means": np.zeros(3)}, r"got means of shape \(3,\), needed \(K, D\): one row per Gaussian"),
    ({"variances": np.ones((2, 3, 3))}, r"got variances of shape \(2, 3, 3\) .*: fit the mixture with diagonal cov"),
    ({"weights": np.ones(3) / 3}, r"got weights of shape \(3,\) .*: transpose means and variances to \(K, D\)\?"),
    ({"weights": np.array([1.0, 0])}, r"got a weight of 0\.0 at \(1,\), needed weights above 0: leave that Gaussian"),
    ({"variances": np.array([[1, 2, 3], [4, 0, 6.0]])}, r"got a variance of 0\.0 at \(1, 1\), needed variances above"),
    ({"means": np.array([[0, np.nan, 0], [0, 0, 0]])}, r"means is nan at \(0, 1\), needed finite numbers"),
    ({"threshold": 1}, r"got threshold=1, needed a number from 0 to below 1"),
    ({"threshold": True}, r"got threshold=True, needed a number"),
    ({"regions": np.ones(4)}, r"got regions of shape \(4,\), needed \(regions, L\)"),
    ({"regions": np.full((2, 4), 1.5)}, r"got regions .* the part of each descriptor in each region, from 0 to 1"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_a_mixture_that_is_none_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^FisherVector {message}") as error:
        bad(**changes)
    assert "\n" not in str(error.value)


def test_descriptors_that_do_not_fit_are_refused() -> None:
    for shape in ((1, 5, 4), (5, 3), (1, 0, 3)):
        with pytest.raises(ValueError, match=r"^FisherVector got descriptors of .* means \(2, 3\) need \(N, L, 3\)"):
            bad()(np.zeros(shape))
    with pytest.raises(ValueError, match=r"^FisherVector got 5 descriptors, but its regions are those of 4: make the"):
        bad(regions=np.ones((2, 4)))(np.zeros((1, 5, 3)))
    with pytest.raises(ValueError, match=r"^FisherMap got posteriors of shape \(1, 5, 3\), needed .*: \(1, 5, 2\)"):
        bad().at(np.zeros((1, 5, 3)), np.zeros((1, 5, 3)))


def test_one_region_of_one_descriptor_will_do_and_none_will_not() -> None:
    mixture = np.ones(1), np.array([[1.0, 0.0]]), np.ones((1, 2))
    layer = FisherVector(*mixture, regions=np.ones((1, 1)))
    assert layer(np.array([[[3.0, 0.0]]])).tolist() == FisherVector(*mixture)(np.array([[[3.0, 0.0]]])).tolist()
    for shape in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match=r"^FisherVector got regions of shape .*, needed \(regions, L\)"):
            FisherVector(*mixture, regions=np.ones(shape))
