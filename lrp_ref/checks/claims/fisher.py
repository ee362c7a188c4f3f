"""Claims about the Fisher pipeline: Eq. 5 in Fractions, the whole chain in Decimals at two precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, convert_numbers, divide, ones_like, same, square
from lrp_ref.checks import definitions as loops
from lrp_ref.checks.claims.by_loops import defined_fisher
from lrp_ref.checks.claims.claim import DECIMALS, FRACTIONS, SEEDS, WITHIN, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import (
    IRRATIONAL,
    MACHINE,
    STATISTICS,
    F,
    mixed,
    relevance_for,
    sixteenths,
)
from lrp_ref.checks.claims.laws import closes, per_sample
from lrp_ref.checks.definitions import fisher
from lrp_ref.checks.numbers.exact import guarded, settled
from lrp_ref.layers import (
    ChiSquareSVM,
    ExponentialChiSquareSVM,
    FisherVector,
    GaussianSVM,
    KernelSVM,
    L2Norm,
    Linear,
    NegativeChiSquareSVM,
    SignedSqrt,
)
from lrp_ref.layers.example import whole_numbers
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import Epsilon
from lrp_ref.step import step

REGIONS = guarded([["1", "0", "1/3", "1", "0"], ["1", "1/2", "0", "1/4", "1"], ["0"] * 5])

MANY = guarded([["1", "0", "1", "0", "0"], ["0", "1", "0", "0", "1"], *[["1"] * 5] * 8])


def fisher_map(seed: int = 0) -> FisherMap:
    """A Fisher vector's map of rational roots and posteriors: two samples, three regions, two Gaussians."""
    parts = abs(mixed((2, 5, 2), seed + 5)) + F(1, 3)
    return FisherMap(mixed((2, 5, 3), seed + 1), parts / parts.sum(axis=2, keepdims=True), mixed((2, 3), seed + 2),
                     abs(mixed((2, 3), seed + 3)) + F(1, 2), guarded(["3/2", "5/4"]), guarded(["1", "7/8"]), REGIONS)


def is_equation_5(seed: int, epsilon: F) -> Found:
    m = fisher_map(seed)
    a = ones_like(m.x)
    z, R = m(a), relevance_for(m(a), seed + 9)
    below, account = step(Epsilon(epsilon), m, a, R)
    holds = True
    for n in range(len(a)):
        there = defined_fisher(m, n)
        wanted = fisher.equation_5(there, R[n].tolist(), epsilon)
        holds = holds and all(below[n][i] == wanted.get(i, 0) for i in np.ndindex(below[n].shape))
        whole = fisher.per_descriptor(there, R[n].tolist(), epsilon, below.shape[1])
        holds = holds and below[n].sum(axis=1).tolist() == whole
    kept = divide(R * abs(z), abs(z) + epsilon) * (z != 0)
    holds = holds and per_sample(below) == per_sample(kept) == per_sample(account.handed)
    # NumPy 1's `any` of an array of Fractions is one of the Fractions
    dead, stabilised = bool(account.dead.any()), bool(account.stabiliser.any())
    holds = holds and closes(account) and dead == (epsilon == 0) != stabilised
    return Found(bool(holds), (below,))


def is_dead_without_descriptors() -> Found:
    m = fisher_map()
    z = m(ones_like(m.x))
    return Found(not z[:, 24:].any() and bool(z[:, :24].all()), (z,))


def equation_5() -> Iterator[Case]:
    for seed in SEEDS:
        for epsilon in (F(0), F(3, 2), F(100)):
            yield Case(f"map {seed}, eps {epsilon}", partial(is_equation_5, seed, epsilon), seed > 0)
    yield Case("the dimension of a region without descriptors is dead", is_dead_without_descriptors)


def inputs_of(m: FisherMap, seed: int) -> dict[str, Array]:
    return {"presence": ones_like(m.x), "any input": mixed(m.x.shape, seed + 17)}


def is_the_direct_sum(seed: int, name: str) -> Found:
    m = fisher_map(seed)
    a = inputs_of(m, seed)[name]
    s = relevance_for(m(a), seed + 3)
    direct: Callable[[Array], Array] = lambda w: w   # not `same`, and so by every psi  # noqa: E731
    up, down = m.apply(a, same), m.transpose(s, same, a.shape)
    return Found(equal(up, m.apply(a, direct)) and equal(down, m.transpose(s, direct, a.shape)), (up, down))


def is_the_sum_of_squares(seed: int) -> bool:
    m = fisher_map(seed)
    a = inputs_of(m, seed)["any input"]
    every = np.reshape(m.weight * m.weight * a[:, :, None, None], (2, 5, -1))
    return equal(m.apply(a, square), np.reshape(m.coverage @ every, (2, -1)))


def is_the_sum_in_ten_regions(seed: int) -> bool:
    m = fisher_map(seed)
    many = replace(m, regions=MANY, groups=())
    return equal(many(ones_like(m.x)), np.reshape(MANY @ np.reshape(many.weight, (2, 5, -1)), (2, -1)))


def is_the_sum_of_five_thousand() -> bool:
    x = np.arange(5000.0).reshape(1, -1, 1)   # more descriptors than are worked on at a time; mu = 0, sigma = 1
    halves = np.concatenate([x[:, :, 0] < 2500, x[:, :, 0] >= 2500]).astype(float)
    m = FisherMap(x, np.ones((1, 5000, 1)), np.zeros((1, 1)), np.ones((1, 1)), np.ones(1), np.ones(1), halves)
    sums = [(sum(part), sum(l * l - 1 for l in part)) for part in (range(2500), range(2500, 5000))]
    return m(ones_like(x)).tolist() == [[*sums[0], *sums[1]]]


def three_products() -> Iterator[Case]:
    for seed in SEEDS:
        for name in ("presence", "any input"):
            yield Case(f"map {seed}, {name}", partial(is_the_direct_sum, seed, name), seed > 0)
        yield Case(f"map {seed}, squares", partial(is_the_sum_of_squares, seed), seed > 0)
        yield Case(f"map {seed}, ten regions", partial(is_the_sum_in_ten_regions, seed), seed > 0)
    yield Case("five thousand descriptors", is_the_sum_of_five_thousand)


def is_the_pyramid(width: int, height: int) -> Found:
    centres = [(x, y) for y in range(height) for x in range(width)]
    got = regions_of(centres, (height, width))
    wanted = [fisher.pyramid(x, y, width, height) for x, y in centres]
    return Found([np.flatnonzero(column).tolist() for column in got.T] == wanted, (got,))


def holds_its_far_borders() -> bool:
    points = [(0, 1), (1, 0), (1, 1), (2, 2), (3, 2), (2, 3)]   # counted from 0
    corners = regions_of(points, (9, 9), [(1, 1, 3, 3), (6, 6, 8, 8)])
    return corners.tolist() == [[0, 0, 1, 1, 0, 0], [0] * 6]


def regions() -> Iterator[Case]:
    for width, height in ((9, 8), (10, 7), (13, 12)):
        yield Case(f"{width} x {height}", partial(is_the_pyramid, width, height))
    yield Case("a rectangle holds its right and lower border, an empty one nothing", holds_its_far_borders)


# ---- Decimals ----


def decimals(x: Any) -> Array:
    return convert_numbers(x, Decimal)


def round_alike(code: Callable[[], Array], formula: Callable[[], Array]) -> Found:
    """Whether the code and the formula round to the same float64, each being settled by 34 and 50 digits."""
    got, wanted = settled(code), settled(formula)
    return Found(equal(got, wanted), (got,))


def eighths(shape: tuple[int, ...], seed: int) -> Array:
    return sixteenths(shape, seed, 20, 8)


def chain(seed: int = 0, threshold: float = 0) -> tuple[Network, Array]:
    """A Fisher vector over three regions, the norms above it, two classes; nine descriptors of 2 numbers; float64."""
    centres = whole_numbers((9, 2), seed + 1, 0, 7)
    mixture = FisherVector(np.array([2, 3, 4]) / 16, eighths((3, 2), seed + 2), abs(eighths((3, 2), seed + 3)) + 0.5,
                           regions=regions_of(centres, (8, 8), "1x2+1x1"), threshold=threshold)
    layers = [("fisher", mixture), ("l2", L2Norm(3)), ("root", SignedSqrt()), ("norm", L2Norm()),
              ("svm", Linear(eighths((36, 2), seed + 4), eighths((2,), seed + 5)))]
    return Network(layers), eighths((1, 9, 2), seed + 6) + 1 / 32   # so that no descriptor is a mean: a 0 never settles


def chain_by_code(seed: int, threshold: float, epsilon: int, which: int) -> Array:
    """By the code: 0 the normalised vector, 1 R of the Fisher vector's dimensions, 2 R of its input."""
    network, x = chain(seed, threshold)
    exact = network.astype(Decimal)
    e = explain(exact, decimals(x), assignment.assign(exact, {FisherVector: Epsilon(epsilon)}), target=1)
    return (e.activations[network.reads["svm"][0]], e.relevances[network.reads["l2"][0]], e.relevance)[which][0]


def chain_by_formulas(seed: int, threshold: float, epsilon: int, which: int) -> Array:
    """The same from the formulas alone."""
    network, x = chain(seed, threshold)
    layer: Any = network["fisher"].astype(Decimal)
    svm: Any = network["svm"].astype(Decimal)
    points, pi, mu, variance, coverage = (part.tolist() for part in (
        decimals(x)[0], layer.weights, layer.means, layer.variances, layer.regions))
    gamma = fisher.posteriors(points, pi, mu, variance, Decimal.exp, Decimal.sqrt, threshold)
    sigma = [[v.sqrt() for v in row] for row in variance]
    m = fisher.fisher_map(points, gamma, mu, sigma, [p.sqrt() for p in pi], [(2 * p).sqrt() for p in pi], coverage)
    z = [m.output[d,] for d in range(36)]
    top = fisher.improved([z[12 * r : 12 * r + 12] for r in range(3)], Decimal.sqrt)
    R = [w * value for w, value in zip(svm.weight[:, 1], top)]
    below = fisher.equation_5(m, R, Decimal(epsilon))
    descriptors = [[below.get((l, i), Decimal(0)) for i in range(2)] for l in range(9)]
    return np.array((top, R, descriptors)[which], dtype=object)


def stays_at_the_threshold() -> Found:
    layer = FisherVector(np.array([0.5, 0.5]), np.zeros((2, 1)), np.ones((2, 1)), threshold=0.5).astype(Decimal)
    halves = layer.posteriors(decimals([[[3.0]]]))
    return Found(halves.tolist() == [[[Decimal("0.5")] * 2]], (halves,))


def fisher_chain() -> Iterator[Case]:
    for seed in SEEDS:
        for epsilon, threshold in ((0, 0), (100, 0), (1, 0.25)):
            for n, what in enumerate(("the vector", "R of its dimensions", "R of the descriptors")):
                code, formula = (partial(by, seed, threshold, epsilon, n) for by in (chain_by_code, chain_by_formulas))
                yield Case(f"chain {seed}, eps {epsilon}, posteriors from {threshold}: {what}",
                           partial(round_alike, code, formula), seed > 0)
    yield Case("a posterior at the threshold stays", stays_at_the_threshold)


def machine_formula(name: str, x: Any) -> list[Any]:
    """f_c = sum_s alpha_cs k(v_s, x) + b_c of one sample in Decimals."""
    def squares(v: Any, y: Any) -> Any:
        return sum((p - q) ** 2 for p, q in zip(v, y))

    def chi_squares(v: Any, y: Any) -> Any:
        return -sum(fisher.negative_chi_square(p, q) for p, q in zip(v, y))

    distance, rate = {"GaussianSVM": (squares, Decimal(1) / 4),
                      "ExponentialChiSquareSVM": (chi_squares, Decimal(1) / 3)}[name]
    support, alphas, bias = (decimals(part).tolist() for part in MACHINE)
    return fisher.machine(lambda v, y: (-rate * distance(v, y)).exp(), support, alphas, bias, x)


def by_formula(name: str, x: Array) -> Array:
    """A layer without a rational form at one sample, from its formula in Decimals."""
    layer = IRRATIONAL[name].layer
    if name == "BatchNorm, epsilon":
        mean, variance, scale, shift = (decimals(part).tolist() for part in STATISTICS)
        deviation = [(v + Decimal(layer.epsilon)).sqrt() for v in variance]
        output = loops.batch_norm(dict(np.ndenumerate(x)), mean, deviation, scale, shift).output
    elif name == "LRN, Caffe":
        alpha, beta = Decimal(layer.alpha), Decimal(layer.beta)
        output = loops.lrn(dict(np.ndenumerate(x)), 5, alpha, beta, Decimal(1)).output
    elif name == "PMeans, p = 5/2":
        columns = [fisher.p_means(column, Decimal(5) / 2, lambda b, e: b ** e) for column in x.T.tolist()]
        output = {(d,): z for d, (z, _) in enumerate(columns)}
    else:
        output = {(c,): f for c, f in enumerate(machine_formula(name, x.tolist()))}
    out = np.empty([1 + max(i) for i in zip(*output)], dtype=object)
    for i, value in output.items():
        out[i] = value
    return out


def is_its_formula(name: str, seed: int) -> Found:
    example = IRRATIONAL[name]
    x = example.x(1, seed)
    return round_alike(lambda: example.layer.astype(Decimal)(decimals(x))[0], lambda: by_formula(name, decimals(x)[0]))


def decimal_layers() -> Iterator[Case]:
    for seed in SEEDS:
        for name in ("BatchNorm, epsilon", "LRN, Caffe", "PMeans, p = 5/2", "GaussianSVM", "ExponentialChiSquareSVM"):
            yield Case(f"{name} {seed}", partial(is_its_formula, name, seed), seed > 0)
    root = guarded(["1/2", "1", "3/4"])
    machines: dict[str, KernelSVM] = {
        "ChiSquareSVM": ChiSquareSVM(*MACHINE, root), "NegativeChiSquareSVM": NegativeChiSquareSVM(*MACHINE, root),
        "GaussianSVM": GaussianSVM(*MACHINE, root, gamma=F(1, 4)),
        "ExponentialChiSquareSVM": ExponentialChiSquareSVM(*MACHINE, root, gamma=F(1, 3)),
    }
    for name, layer in machines.items():
        code, formula = (partial(by, layer) for by in (weights_at_root, slopes_at_root))
        yield Case(f"weights of {name}", partial(round_alike, code, formula))


def weights_at_root(layer: KernelSVM) -> Array:
    """w_dc of the expansion at the root, by the code."""
    exact = layer.astype(Decimal)
    return exact.linearize(exact.root[None])[1].weight[0]


def slopes_at_root(layer: KernelSVM) -> Array:
    """(f_c(x0 + h e_d) - f_c(x0 - h e_d)) / 2h, whose error is of the order h^2 = 1e-24."""
    exact, h = layer.astype(Decimal), Decimal("1e-12")
    steps = h * decimals(np.eye(len(layer.root)))
    return (exact(exact.root + steps) - exact(exact.root - steps)) / (2 * h)


CLAIMS = (
    Claim("Eq. 5", "Epsilon on a Fisher vector is Eq. 5; summed over the coordinates of a descriptor it is the rule "
          "for descriptors, and sum R_l = sum_d R_d |z_d| / (|z_d| + eps).", FRACTIONS, equation_5),
    Claim("three products", "The Fisher vector's sums as three products of matrices are the direct sums over every "
          "psi, up and down.", FRACTIONS, three_products),
    Claim("regions", "The regions of a descriptor are those of 2x2 + 3x1 + 1x1, in the order left top, left bottom, "
          "right top, .. .", "whole numbers", regions),
    Claim("Fisher chain", "Posteriors, Fisher vector, L2 per region, signed root, L2, SVM and LRP down to the "
          "descriptors by Eq. 5 with eps: the code and the formulas round to the same float64.", DECIMALS, fisher_chain,
          WITHIN),
    Claim("roots and powers", "Layers with roots, powers or exponentials round to the same float64 as their formulas: "
          "BatchNorm, LRN, p-means, Gaussian and exponential chi-square machines, and the weights of kernel machines "
          "expanded at a root.", DECIMALS, decimal_layers, WITHIN),
)
