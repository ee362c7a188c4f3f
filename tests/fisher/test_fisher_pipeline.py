"""A whole Fisher pipeline from the score to the pixels: what each step keeps, and the cut-off at R(1)."""

from typing import Any

import numpy as np
import pytest

from lrp_ref import (
    DenseSift,
    Epsilon,
    Explanation,
    FisherVector,
    L2Norm,
    Linear,
    Network,
    SignedSqrt,
    cutoff,
    explain,
    paper_fv,
    regions_of,
)
from lrp_ref.arrays import Array

EPS = np.finfo(float).eps
SHAPE = (1, 1, 26, 43)
INSIDE = DenseSift((4, 3), 3, bounds=(2, 3, 40, 23))   # bins of 4 are 2 pixels or more from the border: none clipped
CLIPPED = DenseSift((4, 3), 3)
STABILISED = (1, 100)


def photograph() -> Array:
    """Squares of 3 x 3 pixels; two thirds of the columns have no contrast."""
    rng = np.random.default_rng(1)
    x = np.kron(rng.random((1, 1, 9, 15)), np.ones((3, 3)))[..., :26, :43]
    x[..., 13:] = 0.25
    return x


def pipeline(sift: DenseSift = INSIDE, pca_bias: bool = False) -> Network:
    """The reference setup's chain, small, of weights drawn from a seed; PCA to 6, four Gaussians, three regions."""
    rng = np.random.default_rng(2)
    x = photograph()
    descriptors = sift(x)[0]
    axes = np.linalg.svd(descriptors - descriptors.mean(axis=0), full_matrices=False)[2][:6].T
    pca = Linear(axes, -descriptors.mean(axis=0) @ axes if pca_bias else None)
    y = pca(descriptors[None])[0]
    y = y[descriptors.any(axis=1)]
    regions = regions_of(sift.frames(SHAPE), SHAPE, "1x2+1x1")
    fisher = FisherVector(np.array([1, 2, 3, 4]) / 10, y[rng.permutation(len(y))[:4]],
                          y.var(axis=0) * rng.uniform(0.2, 1, (4, 6)), regions)
    svm = Linear(rng.normal(size=(3 * 2 * 4 * 6, 2)), np.array([0.75, -1.5]))
    return Network([("sift", sift), ("pca", pca), ("fisher", fisher), ("norm", L2Norm(3)), ("root", SignedSqrt()),
                    ("norm_all", L2Norm()), ("svm", svm)])


def explained(network: Network, epsilon: Any, below: str | None = None) -> Explanation:
    rules = paper_fv(network, epsilon)
    return explain(network, photograph(), rules if below is None else cutoff(rules, below), target=1)


def assert_sums(got: Array, wanted: Array, rounding: float) -> None:
    """The same sum, but for `rounding` of the sum of absolute values."""
    assert abs(got.sum() - wanted.sum()) <= rounding * (abs(got).sum() + abs(wanted).sum())


def passed(s: Array, epsilon: float) -> Array:
    """|s| / (|s| + epsilon), 0 where s is"""
    return abs(s) / (abs(s) + epsilon) if epsilon else (s != 0).astype(float)


# ---- Conservation, step by step ----


@pytest.mark.parametrize("epsilon", STABILISED)
def test_of_the_score_all_but_the_bias_reaches_the_fisher_dimensions(epsilon: float) -> None:
    network = pipeline()
    e, svm = explained(network, epsilon), network["svm"]
    f, R3 = e.scores[0, 1], e.relevances["fisher"]
    # R_d = w_d x_d: a product, divided by f and multiplied again; the gates copy it. f sums 144 such products
    wanted = e.activations["norm_all"][0] * svm.weight[:, 1]    # type: ignore[attr-defined]
    assert np.allclose(R3[0], wanted, rtol=4 * EPS, atol=0)
    assert abs(R3.sum() - (f + 1.5)) <= 2 * 146 * EPS * (abs(R3).sum() + 1.5)
    assert paper_fv(network)["svm"] == Epsilon(0)
    assert e.ledger["svm"].bias[0, 1] == pytest.approx(-1.5, rel=4 * EPS, abs=0)


@pytest.mark.parametrize("epsilon", [0, *STABILISED])
def test_a_fisher_dimension_passes_what_its_sum_has_beside_the_stabiliser(epsilon: float) -> None:
    e = explained(pipeline(), epsilon)
    s, R3, R2 = e.activations["fisher"], e.relevances["fisher"], e.relevances["pca"]
    # the squares of Eq. 4 are expanded, which costs up to five digits (SPREAD in fisher_map.py)
    assert_sums(R2, R3 * passed(s, epsilon), 1e5 * EPS)
    assert abs(R2).sum() > 0.05 * abs(R3).sum()    # there is something to lose


@pytest.mark.parametrize("pca_bias", [False, True], ids=["no mean", "a mean"])
@pytest.mark.parametrize("epsilon", [0, *STABILISED])
def test_a_pca_coordinate_passes_what_it_has_beside_stabiliser_and_mean(epsilon: float, pca_bias: bool) -> None:
    network = pipeline(pca_bias=pca_bias)
    e, pca = explained(network, epsilon), network["pca"]
    y, R2, R128 = e.activations["pca"], e.relevances["pca"], e.relevances["sift"]
    b = pca.bias if pca_bias else 0    # type: ignore[attr-defined]
    share = np.divide(y - b, y + np.where(y >= 0, epsilon, -epsilon), out=np.zeros_like(y), where=y != 0)
    # 128 products in each sum, and as many again where they cancel
    assert_sums(R128, R2 * share, 1000 * EPS)
    if not pca_bias:
        assert (abs(share - passed(y, epsilon)) <= 4 * EPS).all()


def test_all_that_reaches_a_descriptor_reaches_the_pixels_of_its_bins() -> None:
    for sift in (INSIDE, CLIPPED):
        e = explained(pipeline(sift), 100)
        # a sum over bins of pixels, and of pixels over bins: some hundred additions of a running sum
        assert_sums(e.relevance, e.relevances["sift"], 1000 * EPS)
        assert not e.ledger["sift"].dead.any() and not e.ledger["sift"].stabiliser.any()


def test_a_descriptor_without_contrast_leaves_its_relevance_to_the_pcas_stabiliser() -> None:
    network = pipeline()
    e = explained(network, 100)
    empty = ~e.activations["sift"][0].any(axis=1)
    assert 5 < empty.sum() < len(empty) - 5 and e.relevances["pca"][0, empty].any()
    assert not e.relevances["sift"][0, empty].any()
    account = e.ledger["pca"]
    # R / 100 * 100: two roundings
    assert np.allclose(account.stabiliser[0, empty], e.relevances["pca"][0, empty], rtol=2 * EPS, atol=0)
    assert not account.dead.any()
    account = explained(network, 0).ledger["pca"]     # nothing to divide by: dead
    assert (account.dead[0, empty] == account.received[0, empty]).all() and not account.stabiliser.any()


@pytest.mark.parametrize("epsilon", [0, *STABILISED])
def test_the_ledger_of_the_whole_pipeline_closes(epsilon: float) -> None:
    total = explained(pipeline(CLIPPED, pca_bias=True), epsilon).ledger.total()
    parts = [total[column][0] for column in ("handed", "bias", "stabiliser", "dead")]
    assert abs(total["received"][0] - sum(parts)) <= 1e5 * EPS * sum(map(abs, parts))    # as above
    assert parts[1] and bool(parts[2]) == bool(epsilon)


# ---- The cut-off at R(1) ----


def square(frame: Array) -> Array:
    """The part of each pixel inside the 4 s x 4 s pixels around a descriptor's centre, (H, W)"""
    x, y, s = frame
    down, across = (np.clip(np.minimum(c + 2 * s, n + 0.5) - np.maximum(c - 2 * s, n - 0.5), 0, 1)
                    for c, n in ((y, np.arange(SHAPE[2])), (x, np.arange(SHAPE[3]))))
    return down[:, None] * across


def test_the_cutoff_spreads_a_descriptors_relevance_evenly_over_its_square() -> None:
    network = pipeline()
    e = explained(network, 100, below="fisher")
    R_l = e.relevances["pca"].sum(axis=2)[0]
    # R_l / 128 to every coordinate: sums of 6 and a product
    assert np.allclose(e.relevances["sift"][0], np.repeat(R_l[:, None], 128, axis=1) / 128, rtol=0,
                       atol=10 * EPS * abs(e.relevances["pca"]).max())
    frames = network["sift"].frames(SHAPE)    # type: ignore[attr-defined]
    squares = np.stack([square(frame) for frame in frames])
    sizes = squares.sum(axis=(1, 2))
    assert (sizes == (4 * frames[:, 2]) ** 2).all() and set(frames[:, 2]) == {3, 4}    # none is clipped
    wanted = np.einsum("l,lyx->yx", R_l / sizes, squares)
    # as many additions of a pixel as descriptors, and of a bin
    assert abs(e.relevance[0, 0] - wanted).max() <= 2 * len(R_l) * EPS * abs(R_l).max()
    assert abs(wanted).max() > 1e6 * len(R_l) * EPS * abs(R_l).max()


def test_the_cutoff_leaves_the_layers_above_as_they_were_and_loses_nothing_below() -> None:
    network = pipeline(CLIPPED)
    e, whole = explained(network, 100, below="fisher"), explained(network, 100)
    assert all((e.relevances[name] == whole.relevances[name]).all() for name in ("pca", "fisher", "norm"))
    assert_sums(e.relevance, e.relevances["pca"], 1000 * EPS)    # some hundred additions, as above
    for name in ("sift", "pca"):
        assert not any(getattr(e.ledger[name], column).any() for column in ("bias", "stabiliser", "dead"))


def test_the_cutoff_shows_descriptors_without_contrast_which_the_fine_map_drops() -> None:
    network = pipeline()
    fine, coarse = explained(network, 100), explained(network, 100, below="fisher")
    empty = ~fine.activations["sift"][0].any(axis=1)
    frames = network["sift"].frames(SHAPE)    # type: ignore[attr-defined]
    reached, elsewhere = (sum(map(square, frames[some])) > 0 for some in (empty, ~empty))
    alone = reached & ~elsewhere
    assert alone.any() and coarse.relevance[0, 0, alone].all() and not fine.relevance[0, 0, alone].any()
