"""The steps of a Fisher pipeline, one layer each: dense SIFT, PCA, Fisher vectors, norms, p-means, kernel machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks.claims.by_loops import defined, defined_step
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.draws import DRAWS
from lrp_ref.conformance.make.made import one, total_text
from lrp_ref.conformance.make.numbers import F, halves, row, small
from lrp_ref.conformance.vectors.case import Case, identity
from lrp_ref.layers import (
    ChiSquareSVM,
    DenseSift,
    ExponentialChiSquareSVM,
    FisherVector,
    GaussianSVM,
    IntersectionSVM,
    KernelSVM,
    L2Norm,
    Linear,
    NegativeChiSquareSVM,
    PMeans,
    RegionMean,
    SignedSqrt,
    SpreadLinear,
)
from lrp_ref.ledger import COLUMNS
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZPlus
from lrp_ref.step import step

EQ_5, FISHER, CUT = "Eq. 5", "Section 2.2", "Section 3"

PRIORS, MEANS = guarded(["1/4", "3/4"]), guarded([["1", "-1/2", "2"], ["-2", "1/4", "0"]])
VARIANCES = guarded([["1/2", "2", "3"], ["4", "1/4", "3/2"]])
POINTS = guarded([[["1/2", "3", "-1"], ["-3", "1/8", "2"], ["2", "-2", "1/4"], ["-1", "1", "-2"]],
                  [["2", "-1", "1"], ["-3/2", "2", "-1"], ["1/16", "1/2", "2"], ["-2", "-1", "5/4"]]])
BESIDE = POINTS + F(1, 16)   # no statistic is 0: where the sign of one decides, rounding must not
REGIONS = guarded([["1", "0", "1", "1"], ["1/2", "1", "0", "1/4"], ["0", "0", "0", "0"]])


def cases() -> Iterator[Case]:
    yield from fisher_vectors()
    yield from projections()
    yield from norms()
    yield from p_means()
    yield from sift()
    yield from machines()
    yield from spread()


def uneven(shape: tuple[int, int], seed: int) -> Array:
    """Numbers of both signs that do not cancel each other, and zeros."""
    R = small(shape, seed, -4, 5) + F(1, 64) * small(shape, seed + 1, 1, 31)
    R[:, 3::5] = F(0)
    return R


def fisher_vectors() -> Iterator[Case]:
    """R_li = sum over k, Psi of Psi(l)_i / (sum_l Psi(l)_i + eps sign) R_delta(i, Psi)."""
    def case(slug: str, rule: Rule, comment: str, regions: Array | None = None, threshold: Any = 0, samples: int = 1,
             scale: int = 1, section: str = EQ_5, points: Array = POINTS, **about: Any) -> Case:
        layer = FisherVector(PRIORS, MEANS, VARIANCES, regions, threshold)
        x = points[:samples]
        R = F(scale) * uneven((samples, layer.output_shape(x.shape)[1]), DRAWS.get(slug, 0))
        return one(slug, rule, layer, x, R, comment=comment, section=section, irrational=True, least=F(1, 10**30),
                   **about)

    yield case("fisher-eq-5", Epsilon(0), "Eq. 5 itself: every dimension of the Fisher vector goes to the coordinates "
               "it is made of, in proportion to the descriptors' statistics; priors and variances all differ")
    yield case("fisher-epsilon-100", Epsilon(100), "epsilon = 100 stands beside the raw sum over descriptors, without "
               "1 / N, as the paper's pipeline has it", scale=64, flags=("RAW_SUM",))
    yield case("fisher-epsilon-small", Epsilon(F(1, 4)), "an epsilon of the size of the sums takes the sign of each")
    yield case("fisher-regions", Epsilon(0), "three regions: one shares, one has descriptors in part, one has none: "
               "what arrives at its dimensions is dead", REGIONS, level="stress", flags=("REGIONS", "EMPTY_REGION"))
    yield case("fisher-regions-100", Epsilon(100), "regions, stabilised: each has a sum and an epsilon of its own; "
               "those of the empty one are taken by the stabiliser", REGIONS, scale=64,
               flags=("REGIONS", "EMPTY_REGION", "RAW_SUM"))
    yield case("fisher-threshold", Epsilon(0), "a posterior below 1/4 counts as 0 forwards and backwards, and the "
               "others stay as they are: they are not made to add up to 1 again", threshold=F(1, 4),
               flags=("POSTERIOR_THRESHOLD",))
    yield case("fisher-threshold-100", Epsilon(100), "the posterior threshold with epsilon 100 and regions", REGIONS,
               F(1, 4), scale=64, flags=("POSTERIOR_THRESHOLD", "REGIONS", "EMPTY_REGION", "RAW_SUM"))
    yield case("fisher-batch", Epsilon(8), "two images: each has posteriors and sums of its own", samples=2,
               flags=("BATCH",))
    yield case("fisher-alpha2-beta1", AlphaBeta(2, 1), "statistics of both signs, presence as the input: alpha-beta "
               "splits the statistics", section=FISHER, points=BESIDE)
    yield case("fisher-zplus", ZPlus(), "the positive statistics alone", REGIONS, section=FISHER,
               flags=("REGIONS", "EMPTY_REGION"), points=BESIDE)
    yield case("fisher-gamma", Gamma(F(1, 4)), "the sign of each dimension says which statistics gamma raises",
               section=FISHER)
    yield case("fisher-flat", Flat(), "a coordinate's share is its descriptor's part in the region, whatever the "
               "statistics; the empty region's is dead", REGIONS, section=CUT, flags=("REGIONS", "EMPTY_REGION"))
    yield case("fisher-w-square", WSquare(), "statistics are the image's and no weights of the model: w-square is flat",
               REGIONS, samples=2, section=CUT, flags=("REGIONS", "EMPTY_REGION", "NOT_LEARNED", "BATCH"))
    single = FisherVector(guarded(["1"]), guarded([["1", "-2"]]), guarded([["4", "1/4"]]))
    yield one("fisher-one-gaussian", Epsilon(0), single, guarded([[["3", "-3"], ["-1", "0"], ["4", "5/2"]]]),
              row("2 -3 4 1"), comment="one Gaussian has posteriors of 1: Eq. 3 and 4 can be worked out by hand",
              section="Eq. 3 and 4", irrational=True)


def projections() -> Iterator[Case]:
    """A Linear on (N, L, D): PCA of every descriptor."""
    x, weight = small((2, 3, 5), 11, -6, 9), small((5, 4), 12, -3, 4)
    R = small((2, 3, 4), 13, -5, 5)
    for slug, rule, comment in (
            ("pca-epsilon-100", Epsilon(100), "PCA without a mean, stabilised by 100: descriptors are rows and only "
             "the last axis is weighed"),
            ("pca-zplus", ZPlus(), "PCA under z+: products of both signs, no bias"),
            ("pca-flat", Flat(), "PCA below a cut-off: every coordinate of a descriptor gets the same"),
            ("pca-w-square", WSquare(), "PCA below a cut-off that spreads by squared weights"),
            ("pca-gamma", Gamma(F(1, 2)), "PCA under gamma")):
        about: dict[str, Any] = {"topic": "pca"}
        layer = Linear(weight, None if rule != Gamma(F(1, 2)) else halves((4,), 14))
        yield one(slug, rule, layer, x, R, comment=comment, section=CUT if "low" in comment else FISHER,
                  flags=("ROWS", "BATCH"), **about)
    yield one("pca-mean", Epsilon(1), Linear(weight, -halves((4,), 15)), x,
              small((2, 3, 4), DRAWS.get("pca-mean", 0), -5, 5), topic="pca", section=FISHER,
              comment="the mean of a PCA is a bias, whose share no coordinate gets", flags=("ROWS", "BATCH", "BIAS"))


def norms() -> Iterator[Case]:
    """SignedSqrt, L2Norm, RegionMean: gates."""
    x, R = row("4 -9 0 1/4 -2 3"), row("1 -2 5 3 -7 4")
    squares = row("4 -9 0 1/4 -16 25/4")
    yield one("root-pass", Pass(), SignedSqrt(), x, R, comment="the signed root passes relevance on, also at 0",
              section=FISHER, irrational=True, flags=("GATE", "ZERO_INPUT"))
    yield one("root-epsilon-0", Epsilon(0), SignedSqrt(), squares, R, level="stress", section=FISHER,
              comment="under the z-rule what arrives at a root of 0 is dead", flags=("ZERO_INPUT",))
    yield one("root-epsilon", Epsilon(F(1, 2)), SignedSqrt(), squares, R, section=FISHER,
              comment="epsilon stands beside the root, not beside its input", flags=("ZERO_INPUT",))
    yield one("root-epsilon-irrational", Epsilon(F(1, 2)), SignedSqrt(), row("2 -3 5 3/8 -2 7"), R, section=FISHER,
              comment="the same of numbers whose roots are irrational", irrational=True)
    yield one("root-flat", Flat(), SignedSqrt(), x, R, comment="a gate has one input per output: flat passes",
              section=CUT, irrational=True, flags=("GATE", "ZERO_INPUT"))
    slices, R_slices = row("3 -4 0 0 5 12"), row("2 1 -3 4 5 -1")
    yield one("norm-pass", Pass(), L2Norm(3), slices, R_slices, comment="the norm passes relevance on, in a slice of "
              "norm 0 too", section=FISHER, flags=("GATE", "ZERO_SLICE"))
    yield one("norm-epsilon", Epsilon(F(1, 4)), L2Norm(3), slices, R_slices, comment="each of three slices by its own "
              "norm; what arrives at the slice of norm 0 is the stabiliser's", section=FISHER, flags=("ZERO_SLICE",))
    yield one("norm-epsilon-0", Epsilon(0), L2Norm(3), slices, R_slices, level="stress", section=FISHER,
              comment="under the z-rule what arrives at a slice of norm 0 is dead", flags=("ZERO_SLICE",))
    yield one("norm-whole", Epsilon(F(1, 4)), L2Norm(), row("1 -2 3 5 -1 2"), R_slices, irrational=True, section=FISHER,
              comment="one norm over all dimensions, irrational")
    yield one("norm-batch", Epsilon(F(1, 4)), L2Norm(2), guarded([["3", "4", "-8", "6"], ["5", "-12", "7", "24"]]),
              guarded([["2", "-1", "3", "4"], ["-5", "1", "1", "2"]]), section=FISHER, flags=("BATCH",),
              comment="two samples, two slices each: four norms")
    counts = RegionMean(guarded(["4", "0", "3/2"]))
    yield one("mean-pass", Pass(), counts, slices, R_slices, comment="sums to means, passing relevance on; a region "
              "of no descriptors too", section=FISHER, flags=("GATE", "EMPTY_REGION"))
    yield one("mean-epsilon", Epsilon(F(1, 4)), counts, row("3 -4 2 -5 5 12"), R_slices, section=FISHER,
              comment="epsilon beside the mean; a region of no descriptors has a mean of 0", flags=("EMPTY_REGION",))


def p_means() -> Iterator[Case]:
    """z_d = (mean over l of a_ld^p)^(1/p)."""
    x = guarded([[["1", "3", "0"], ["2", "3", "0"], ["6", "0", "0"], ["3", "1/2", "0"]]])
    R = row("3 -2 5")
    square = guarded([[["1", "7", "4"], ["7", "17", "28"]]])   # mean squares 25, 169, 400
    rule: Rule
    for slug, rule, comment, flags in (
            ("mean", Epsilon(0), "p = 1 is the mean: in proportion to the inputs; a column of zeros is dead",
             ("ZERO_INPUT",)),
            ("mean-epsilon", Epsilon(F(1, 4)), "p = 1, epsilon beside the mean and not the sum", ("ZERO_INPUT",)),
            ("mean-flat", Flat(), "p = 1 below a cut-off: every descriptor the same", ("ZERO_INPUT",))):
        level = "stress" if rule == Epsilon(0) else "required"
        yield one(f"p-means-{slug}", rule, PMeans(1), x, R, comment=comment, flags=flags, level=level, section=FISHER)
    for slug, rule, comment in (
            ("maximum", Winner(), "p = inf is the maximum: tied winners share, in a column of zeros all of them"),
            ("maximum-epsilon", Epsilon(F(1, 4)), "p = inf as a sum of winners, stabilised; a maximum of 0 is the "
             "stabiliser's"),
            ("maximum-flat", Flat(), "p = inf below a cut-off: losers get as much as winners")):
        yield one(f"p-means-{slug}", rule, PMeans(inf), x, R, comment=comment, flags=("TIES", "ZERO_INPUT"),
                  section=FISHER)
    yield one("p-means-2", Epsilon(0), PMeans(2), square, R, comment="p = 2: in proportion to the squares",
              section=FISHER)
    yield one("p-means-2-epsilon", Epsilon(2), PMeans(2), square, R, comment="p = 2, epsilon beside the root of the "
              "mean square", section=FISHER)
    yield one("p-means-5-halves", Epsilon(F(1, 4)), PMeans(F(5, 2)), x[:, :, :2], row("3 -2"), irrational=True,
              comment="p = 5/2, between the mean and the maximum", section=FISHER, flags=("TIES",))


def sift() -> Iterator[Case]:
    """The pixels of a bin get the same of what its 8 orientations have."""
    for slug, rule, layer, shape, comment in (
            ("one-size", Flat(), DenseSift(1, 1), (1, 1, 4, 5), "bins of one pixel"),
            ("even", Flat(), DenseSift(2, 2), (1, 1, 7, 9), "bins of an even size are centred on pixels: those at "
             "their edges count by half, and bins clipped by the image keep all of their relevance"),
            ("odd", Flat(), DenseSift(3, 2), (1, 1, 10, 11), "bins of an odd size"),
            ("two-sizes", Flat(), DenseSift((2, 1), 3), (1, 1, 7, 8), "two sizes with the same first centre, step 3"),
            ("batch", Flat(), DenseSift(1, 1), (2, 1, 4, 4), "two images, one descriptor each"),
            ("bounds", Flat(), DenseSift(1, 2, bounds=(1, 0, 5, 3)), (1, 1, 5, 7), "frames within bounds: pixels "
             "outside get nothing"),
            ("w-square", WSquare(), DenseSift(2, 1), (1, 1, 7, 8), "dense SIFT has no weights: w-square is flat")):
        x = F(1, 8) * small(shape, 31, 0, 8)
        flags = ("COVERAGE",) + (("BATCH",) if shape[0] > 1 else ()) + (("NOT_LEARNED",) if rule == WSquare() else ())
        R = small(layer.output_shape(shape), 32, -1, 4)
        R[:, :, ::3] = F(0)
        yield covered(f"sift-{slug}", rule, layer, x, R, f"dense SIFT: {comment}", flags)


def covered(slug: str, rule: Rule, layer: DenseSift, x: Array, R: Array, comment: str, flags: Sequence[str]) -> Case:
    """A case of dense SIFT, whose map is exact though its descriptors are not: the rule looks at the coverage alone."""
    a, m = layer.linearize(x)
    below, account = step(rule, m, a, R)
    for n, sample in enumerate(x):
        found = defined_step(rule, defined(layer, sample), sample, R[n])
        if any(below[n][i] != found.relevance[i] for i in np.ndindex(sample.shape)):
            raise ValueError(f"{slug}: the definition by loops gives another relevance")
    total = {column: total_text(getattr(account, column).sum()) for column in COLUMNS}
    case = Case("", type(rule).__name__, "densesift", "required", comment, CUT, Network([("densesift", layer)]),
                {"densesift": rule}, x, R, convert_numbers(below, np.float64), below, {"densesift": total},
                flags=flags, exact_in=("f32", "f64"))
    return replace(case, id=f"{slug}-{identity(case)}")


SUPPORT, ALPHAS = guarded([["1", "2", "0"], ["3", "1/2", "1"], ["0", "1", "4"], ["2", "0", "3"]]), guarded(
    [["1", "-2", "1/2", "3"], ["-1", "1", "2", "-1/2"]])
OFFSET, ROOT = guarded(["1/2", "-3/4"]), guarded(["1/2", "1", "3/2"])


def machines() -> Iterator[Case]:
    """f_c(x) = sum_s alpha_cs k(v_s, x) + b_c"""
    x, R = guarded([["2", "1", "1/2"], ["1", "3", "2"]]), guarded([["3", "-2"], ["1", "4"]])
    kinds: tuple[tuple[str, type[KernelSVM]], ...] = (
        ("intersection", IntersectionSVM), ("chi-square", ChiSquareSVM), ("negative-chi-square", NegativeChiSquareSVM))
    for name, kind in kinds:
        layer = kind(SUPPORT, ALPHAS, OFFSET)
        yield one(f"{name}-epsilon-0", Epsilon(0), layer, x, R, section=FISHER, flags=("BATCH", "BIAS"),
                  comment="a kernel that is a sum over dimensions: each dimension's part of the score; the bias keeps "
                  "its own")
        yield one(f"{name}-epsilon", Epsilon(F(1, 2)), layer, x, R, section=FISHER, flags=("BATCH", "BIAS"),
                  comment="the same, stabilised")
        yield one(f"{name}-spread", Epsilon(0), kind(SUPPORT, ALPHAS, OFFSET, spread=True), x, R, section=FISHER,
                  irrational=True, flags=("BATCH", "BIAS_SPREAD"),
                  comment="the bias is shared evenly by the dimensions")
        yield one(f"{name}-flat", Flat(), layer, x, R, section=CUT, flags=("BATCH",),
                  comment="below a cut-off every dimension gets the same")
    yield one("intersection-alpha2-beta1", AlphaBeta(2, 1), IntersectionSVM(SUPPORT, ALPHAS, OFFSET), x, R,
              section=FISHER, flags=("BATCH", "BIAS"), comment="support vectors of both labels under alpha-beta")
    yield one("intersection-zeros", Epsilon(F(1, 4)), IntersectionSVM(SUPPORT, ALPHAS, OFFSET), row("0 0 0"),
              row("1 -2"), section=FISHER, flags=("ZERO_INPUT", "BIAS"), comment="an empty histogram: the bias has all")
    halved = guarded([["1", "0", "2"], ["0", "3", "2"], ["1", "3", "0"], ["1", "0", "2"]])   # sums are powers of two
    root, points = guarded(["3", "1", "2"]), guarded([["1", "5", "6"], ["7", "5", "2"]])
    for name, layer in (
            ("chi-square-root", ChiSquareSVM(halved, ALPHAS, OFFSET, root)),
            ("negative-chi-square-root", NegativeChiSquareSVM(halved, ALPHAS, OFFSET, root, spread=True)),
            ("gaussian", GaussianSVM(SUPPORT, ALPHAS, OFFSET, ROOT, gamma=F(1, 8))),
            ("gaussian-spread", GaussianSVM(SUPPORT, ALPHAS, OFFSET, ROOT, spread=True, gamma=F(1, 8))),
            ("exponential-chi-square", ExponentialChiSquareSVM(SUPPORT, ALPHAS, OFFSET, ROOT, gamma=F(3, 8)))):
        yield one(name, Epsilon(F(1, 4)), layer, points if layer.root is root else x, R, section=FISHER,
                  irrational=True, flags=("BATCH", "TAYLOR") + (("BIAS_SPREAD",) if layer.spread else ("BIAS",)),
                  comment="a kernel that is no sum over dimensions is expanded at a root point; what the expansion "
                  "gives to no dimension " + ("is shared evenly" if layer.spread else "is the bias's"))


def spread() -> Iterator[Case]:
    """R_i = (x_i w_ij + b_j / I) / z_j R_j."""
    weight, bias = small((5, 3), 41, -3, 4), halves((3,), 42)
    x, R = small((2, 5), 43, -3, 4), small((2, 3), 44, -4, 5)
    for slug, rule, comment in (
            ("epsilon-0", Epsilon(0), "the bias of the last layer, spread evenly: nothing of the score is lost"),
            ("epsilon", Epsilon(F(1, 4)), "the same, stabilised"),
            ("zplus", ZPlus(), "z+ splits products with the bias's part in them"),
            ("alpha2-beta1", AlphaBeta(2, 1), "alpha-beta likewise"),
            ("flat", Flat(), "below a cut-off: evenly")):
        yield one(f"spread-{slug}", rule, SpreadLinear(weight, bias), x, R, comment=comment, section=FISHER,
                  flags=("BATCH", "BIAS_SPREAD"))
