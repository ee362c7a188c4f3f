"""What the core's tests share: arrays of any number type, example layers and rules, and both by loops."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pytest

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    Epsilon,
    ExponentialChiSquareSVM,
    FisherVector,
    Flat,
    Flatten,
    Gamma,
    GaussianSVM,
    IntersectionSVM,
    L2Norm,
    Linear,
    MaxPool,
    NegativeChiSquareSVM,
    Pass,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tanh,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
)
from lrp_ref.arrays import Array, convert_numbers, ones_like, same
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.definitions import Map, Step, Units, fisher
from lrp_ref.layers.sift import Coverage
from lrp_ref.ledger import Account
from lrp_ref.linear_map import LinearMap
from lrp_ref.relevance import step
from lrp_ref.rules import Rule

F = Fraction
QUARTER, THIRD = F(1, 4), F(1, 3)


# ---- Arrays ----


def fractions(nested: Any) -> Array:
    """An array of Fractions from nested lists of numbers or of texts such as "1/2 -3", which are rows."""
    if isinstance(nested, str):
        nested = [F(word) for word in nested.split()]
    if isinstance(nested, list) and any(isinstance(part, str) for part in nested):
        nested = [[F(word) for word in row.split()] for row in nested]
    return convert_numbers(np.array(nested, dtype=object), F)


def image(*channels: str) -> Array:
    """A batch of one image of Fractions; channels are texts whose rows are separated by commas."""
    return fractions([[[[F(word) for word in row.split()] for row in channel.split(",")] for channel in channels]])


def mixed(shape: tuple[int, ...], seed: int = 0, number: type = F) -> Array:
    """Small fractions of both signs, with zeros and ties among them, in any number type."""
    rng = np.random.default_rng([seed, *shape])
    tops, bottoms = rng.integers(-4, 6, shape), rng.choice([1, 1, 2, 4], shape)
    exact = [F(int(p), int(q)) for p, q in zip(tops.flat, bottoms.flat)]
    return convert_numbers(np.array(exact, dtype=object).reshape(shape), number)


def types_in(x: Array) -> set[type]:
    """The types of an array's numbers, every one looked at."""
    return set(map(type, x.flat))


def total(x: Array) -> Any:
    """The sum of all numbers, exact for Fractions."""
    return sum(x.flat)


def refused(message: str) -> Any:
    """A ValueError of one line with this message, in which … stands for anything."""
    return pytest.raises(ValueError, match="^" + "[^\n]*".join(map(re.escape, message.split("…"))) + "$")


# ---- Example layers and rules ----


@dataclass(frozen=True)
class Example:
    """A layer, the shape of one sample that it takes, and what makes any numbers an input for it.

    A histogram has no negative numbers, and a root is rational of squares alone.
    """

    layer: Any
    shape: tuple[int, ...]
    suited: Callable[[Array], Array] = same

    def x(self, number: type = F, samples: int = 2, seed: int = 0) -> Array:
        return convert_numbers(self.suited(mixed((samples, *self.shape), seed)), number)

    def at(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Any, Array]:
        """The layer and an input, both in a number type."""
        return self.layer.astype(number), self.x(number, samples, seed)

    def map(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Array, LinearMap]:
        layer, x = self.at(number, samples, seed)
        return layer.linearize(x)


def signed_squares(x: Array) -> Array:
    """x |x|, whose signed root is x"""
    return x * abs(x)


def pythagorean(x: Array) -> Array:
    """Pairs (p, q) of the last axis as (p^2 - q^2, 2 p q), which has the norm p^2 + q^2."""
    p, q = x[..., ::2], x[..., 1::2]
    return np.reshape(np.stack([p * p - q * q, 2 * p * q], axis=-1), x.shape)


def two_with_a_rational_mean_square(x: Array) -> Array:
    """Descriptors p, q as |p^2 - q^2 + 2 p q| and |p^2 - q^2 - 2 p q|: their mean square is (p^2 + q^2)^2."""
    p, q = x[:, 0], x[:, 1]
    return abs(np.stack([p * p - q * q + 2 * p * q, p * p - q * q - 2 * p * q], axis=1))


STATISTICS = [fractions("1 -1/2 3"), fractions("4 9/4 1/9"), fractions("-1 3/2 2"), fractions("1/4 -2 0")]
MACHINE = [abs(mixed((4, 3), 61)), mixed((2, 4), 63), fractions("1/4 -2")]      # support, alphas, bias
ROOT = fractions("1/2 1 0")
MIXTURE = [fractions("2/7 5/7"), mixed((2, 3), 63), abs(mixed((2, 3), 64)) + F(1, 2)]      # weights, means, variances
REGIONS = fractions(["1 0 1 1", "1/2 1 0 1/4", "0 0 0 0"])

RATIONAL: dict[str, Example] = {
    "Linear": Example(Linear(mixed((5, 3), 52), mixed((3,), 53)), (5,)),
    "Linear on rows, no bias": Example(Linear(mixed((4, 2), 3)), (3, 4)),
    "Conv2D": Example(Conv2D(mixed((4, 1, 2, 3), 4), mixed((4,), 5), (1, 2), (2, 1), (2, 1), 2), (2, 3, 5)),
    "Conv2D, no bias": Example(Conv2D(mixed((3, 2, 3, 2), 6), pad=1), (2, 3, 4)),
    "MaxPool": Example(MaxPool((3, 2), (2, 1), (1, 1)), (2, 4, 3)),
    "MaxPool, ceil": Example(MaxPool(2, (3, 2), (0, 1), ceil=True), (2, 4, 3)),
    "AvgPool": Example(AvgPool((2, 3), (1, 2), (1, 2)), (2, 3, 4)),
    "AvgPool inside, ceil": Example(AvgPool((2, 3), 2, (1, 1), ceil=True, count_pad=False), (2, 4, 3)),
    "AvgPool, ceil": Example(AvgPool((3, 2), (2, 3), (1, 1), ceil=True), (2, 4, 5)),
    "SumPool": Example(SumPool((3, 2), (1, 2), F(2, 3)), (2, 4, 5)),
    "AdaptiveAvgPool": Example(AdaptiveAvgPool((2, 3)), (2, 3, 4)),
    "ReLU": Example(ReLU(), (2, 3, 4)),
    "Flatten": Example(Flatten(), (2, 3, 4)),
    "BatchNorm": Example(BatchNorm(*STATISTICS, epsilon=0), (3, 2, 4)),
    "BatchNorm on vectors": Example(BatchNorm(*STATISTICS, epsilon=0), (3,)),
    "LRN": Example(LRN(3, F(3, 4), 2, 2), (4, 2, 3)),
    "LRN, taylor": Example(LRN(3, F(3, 4), 2, 2, taylor=True), (4, 2, 3)),
    "SignedSqrt": Example(SignedSqrt(), (2, 3, 4), signed_squares),
    "L2Norm": Example(L2Norm(), (3, 2), pythagorean),
    "L2Norm, parts": Example(L2Norm(3), (6,), pythagorean),
    "RegionMean": Example(RegionMean(fractions("4 0 3/2")), (6,)),
    "PMeans, mean": Example(PMeans(1), (4, 3), abs),
    "PMeans, p = 2": Example(PMeans(2), (2, 5), two_with_a_rational_mean_square),
    "PMeans, maximum": Example(PMeans(inf), (4, 3), abs),
    "SpreadLinear": Example(SpreadLinear(mixed((5, 3), 52), mixed((3,), 53)), (5,)),
    "SpreadLinear on rows, no bias": Example(SpreadLinear(mixed((4, 2), 3)), (3, 4)),
    "IntersectionSVM": Example(IntersectionSVM(*MACHINE), (3,), abs),
    "ChiSquareSVM": Example(ChiSquareSVM(*MACHINE), (3,), abs),
    "NegativeChiSquareSVM": Example(NegativeChiSquareSVM(*MACHINE), (3,), abs),
}
"""Layers that are rational end to end."""

IRRATIONAL: dict[str, Example] = {
    "Tanh": Example(Tanh(), (2, 3, 4)),
    "BatchNorm, epsilon": Example(BatchNorm(*STATISTICS), (3, 2, 4)),
    "LRN, Caffe": Example(LRN(5, 1e-4, 0.75, 1), (6, 2, 3)),
    "LRN, Caffe, taylor": Example(LRN(5, 0.3, 0.75, 1, taylor=True), (6, 2, 3)),
    "SignedSqrt of any numbers": Example(SignedSqrt(), (2, 3, 4)),
    "L2Norm of any numbers": Example(L2Norm(2), (3, 8)),
    "PMeans, p = 5/2": Example(PMeans(F(5, 2)), (4, 3), abs),
    "GaussianSVM": Example(GaussianSVM(*MACHINE, ROOT, gamma=QUARTER), (3,)),
    "ExponentialChiSquareSVM": Example(ExponentialChiSquareSVM(*MACHINE, ROOT, gamma=THIRD), (3,), abs),
    "FisherVector": Example(FisherVector(*MIXTURE, REGIONS, F(1, 50)), (4, 3)),
}
"""Layers whose forward pass has no exact form; their maps at an input do (`exact`)."""

LAYERS = RATIONAL | IRRATIONAL

COVERAGES: dict[str, Example] = {"DenseSift": Example(DenseSift((2, 1), 2), (1, 7, 8))}
"""A layer whose map has no weights: its forward pass is no sum over inputs, and rules that ask for weights refuse."""

RULES: dict[str, Rule] = {
    "Epsilon(0)": Epsilon(0), "Epsilon(1/4)": Epsilon(QUARTER), "AlphaBeta(2, 1)": AlphaBeta(2, 1),
    "AlphaBeta(4/3, 1/3)": AlphaBeta(1 + THIRD, THIRD), "ZPlus": ZPlus(), "Gamma(1/4)": Gamma(QUARTER),
    "ZBox": ZBox(-4, 5), "WSquare": WSquare(), "Flat": Flat(), "Winner": Winner(), "Pass": Pass(),
}


def takes(m: LinearMap, rule: Rule) -> bool:
    """Whether the rule is for such a map."""
    if isinstance(m, Coverage):
        return isinstance(rule, (Flat, WSquare))
    return m.gate if isinstance(rule, Pass) else not (m.learned and isinstance(rule, Winner))


def pairs(layers: dict[str, Example]) -> list[Any]:
    """Every layer with every rule that takes it, for parametrize, with ids that read."""
    return [pytest.param(example, rule, id=f"{rule_name} on {name}")
            for name, example in layers.items() for rule_name, rule in RULES.items()
            if takes(example.map(np.float64 if name in IRRATIONAL else F, samples=1)[1], rule)]


def converted(m: Any, number: type) -> Any:
    """A map with the arrays it is made of in another number type."""
    arrays = {f.name: getattr(m, f.name) for f in fields(m) if isinstance(getattr(m, f.name), np.ndarray)}
    return replace(m, **{name: convert_numbers(array, number) for name, array in arrays.items()})


def exact(m: LinearMap) -> LinearMap:
    """A map computed in floats, its numbers taken as the rationals they are."""
    return converted(m, F)


def relevance_for(z: Array, seed: int = 9) -> Array:
    """Relevance for every output, of both signs and with zeros, that has nothing to do with the output."""
    return mixed(z.shape, seed, z.dtype.type if z.dtype != object else type(z.flat[0]))


# ---- The same, as definitions by loops ----


def units(x: Array) -> Units:
    """{unit: number} of one sample."""
    return dict(np.ndenumerate(x))


def arrayed(values: Units, shape: tuple[int, ...]) -> Array:
    """One sample from {unit: number}; a unit that is not listed is 0."""
    return fractions([values.get(unit, 0) for unit in np.ndindex(*shape)]).reshape(shape)


def defined(layer: Any, x: Array) -> Map:
    """The layer at one sample x, by loops from its formula."""
    a = units(x)
    match layer:
        case SpreadLinear():
            i, j = layer.weight.shape
            bias = bias_of(layer, j)
            connections = {(*row, c): [((*row, d), 1, a[*row, d] * layer.weight[d, c] + bias[c] / i) for d in range(i)]
                           for row in {unit[:-1] for unit in a} for c in range(j)}
            return by_loops.affine(dict.fromkeys(a, 1), connections, dict.fromkeys(connections, 0), learned=False)
        case Linear():
            return by_loops.linear(a, layer.weight.tolist(), bias_of(layer, layer.weight.shape[1]))
        case Conv2D():
            bias = bias_of(layer, len(layer.weight))
            return by_loops.conv2d(a, layer.weight.tolist(), bias, layer.stride, layer.pad, layer.dilation,
                                   layer.groups)
        case MaxPool():
            return by_loops.max_pool(a, layer.size, layer.stride, layer.pad, layer.ceil)
        case AvgPool():
            return by_loops.avg_pool(a, layer.size, layer.stride, layer.pad, layer.ceil, layer.count_pad)
        case SumPool():
            return by_loops.sum_pool(a, layer.size, layer.stride, layer.scale)
        case AdaptiveAvgPool():
            return by_loops.adaptive_avg_pool(a, layer.size)
        case ReLU():
            return by_loops.relu(a)
        case Flatten():
            return by_loops.flatten(a)
        case BatchNorm():
            root = [rational_root(v + F(layer.epsilon)) for v in layer.variance]
            return by_loops.batch_norm(a, layer.mean.tolist(), root, layer.scale.tolist(), layer.shift.tolist())
        case LRN():
            return by_loops.lrn(a, layer.size, F(layer.alpha), layer.beta, F(layer.k), layer.taylor)
        case SignedSqrt():
            roots = {i: rational_root(abs(value)) for i, value in a.items()}
            return gate({i: 1 / root if root else 0 for i, root in roots.items()}, a)
        case L2Norm():
            slices = {i: (*i[:-1], i[-1] * layer.parts // x.shape[-1]) for i in a}
            norms = {part: rational_root(sum(a[i] ** 2 for i in a if slices[i] == part)) for part in slices.values()}
            return gate({i: 1 / norms[slices[i]] if norms[slices[i]] else 0 for i in a}, a)
        case RegionMean():
            counts = {i: layer.counts[i[-1] * len(layer.counts) // x.shape[-1]] for i in a}
            return gate({i: 1 / count if count else 0 for i, count in counts.items()}, a)
        case PMeans():
            return p_means(x.tolist(), layer.p)
        case IntersectionSVM() | ChiSquareSVM() | NegativeChiSquareSVM():
            w, f = fisher.additive(KERNELS[type(layer)], layer.support.tolist(), layer.alphas.tolist(),
                                              layer.bias.tolist(), x.tolist())
            connections = {(c,): [((d,), 1, w[d][c]) for d in range(len(w))] for c in range(len(f))}
            return by_loops.affine(dict.fromkeys(a, 1), connections, units(layer.bias), learned=False)
    raise TypeError(f"no definition of {layer!r}")


KERNELS: dict[type, Callable[[Any, Any], Any]] = {
    IntersectionSVM: fisher.intersection, ChiSquareSVM: fisher.chi_square,
    NegativeChiSquareSVM: fisher.negative_chi_square,
}


def input_of_map(layer: Any, x: Array) -> Array:
    """a: the layer's input; or 1 for each, where the weights say what an input amounts to ("presence")."""
    return ones_like(x) if isinstance(layer, (SpreadLinear, *KERNELS)) else x


def gate(weight: Units, a: Units) -> Map:
    """z_i = a_i w_i"""
    return by_loops.gate(weight, {i: a[i] * weight[i] for i in a})


def p_means(x: list[list[Any]], p: Any) -> Map:
    """z_d = sum_l a_ld w_ld, for p = 1 with w = 1 / L and for p = inf with w shared by the winners."""
    connections: by_loops.Connections = {}
    for d, column in enumerate(zip(*x)):
        if p in (1, inf):
            chosen = [p == 1 or value == max(column) for value in column]
            w = [F(one, sum(chosen)) for one in chosen]
        else:
            w = fisher.p_means(column, F(p), rational_power)[1]
        connections[d,] = [((l, d), 1, w[l]) for l in range(len(column))]
    return by_loops.affine(by_loops.units(x), connections, dict.fromkeys(connections, 0), learned=False)


def rational_power(number: Fraction, exponent: Fraction) -> Fraction:
    return rational_root(number) if exponent == F(1, 2) else number ** int(exponent)


def bias_of(layer: Any, outputs: int) -> list[Any]:
    return [F(0)] * outputs if layer.bias is None else layer.bias.tolist()


def rational_root(q: Fraction) -> Fraction:
    root = F(round(float(q.numerator) ** 0.5), round(float(q.denominator) ** 0.5))
    assert root * root == q
    return root


def defined_step(rule: Rule, m: Map, x: Array, R: Array) -> Step:
    """The rule at a map and one sample's input and relevance, by loops from its formula."""
    a, R_j = units(x), units(R)
    match rule:
        case Epsilon():
            return by_loops.epsilon(m, a, R_j, F(rule.epsilon))
        case AlphaBeta():
            return by_loops.alpha_beta(m, a, R_j, F(rule.alpha), F(rule.beta))
        case ZPlus():
            return by_loops.z_plus(m, a, R_j)
        case Gamma():
            return by_loops.gamma(m, a, R_j, F(rule.gamma))
        case ZBox():
            low, high = (np.broadcast_to(np.asarray(bound), x.shape[:1]).tolist() for bound in (rule.low, rule.high))
            return by_loops.z_box(m, a, R_j, [F(c) for c in low], [F(c) for c in high])
        case WSquare():
            return by_loops.w_square(m, a, R_j)
        case Flat():
            return by_loops.flat(m, a, R_j)
        case Winner():
            return by_loops.winner(m, a, R_j)
        case Pass():
            return by_loops.passed(m, a, R_j)
    raise TypeError(f"no definition of {rule!r}")


COLUMNS = ("handed", "bias", "stabiliser", "dead")


def assert_as_defined(layer: Any, rule: Rule, x: Array, R: Array) -> None:
    """Relevance and all four ledger columns of every sample are exactly those of the definition."""
    a, m = layer.linearize(x)
    relevance, account = step(rule, m, a, R)
    for n in range(len(x)):
        wanted = defined_step(rule, defined(layer, x[n]), input_of_map(layer, x[n]), R[n])
        assert units(relevance[n]) == wanted.relevance
        for column in COLUMNS:
            assert units(getattr(account, column)[n]) == getattr(wanted, column), column
    assert (account.received == R).all()


# ---- The smallest layers: one output, or a map of one row ----


def one_output(rule: Rule, weight: str, bias: str, x: str, R: str) -> tuple[list[Any], Account]:
    """Relevance of the inputs of one fully connected output, and its account; all from texts of fractions."""
    layer = Linear(fractions(weight)[:, None], fractions(bias))
    a, m = layer.linearize(fractions(x)[None])
    relevance, account = step(rule, m, a, fractions([[F(R)]]))
    return relevance[0].tolist(), account


def columns(account: Account) -> list[Any]:
    """[handed, bias, stabiliser, dead] of a single output."""
    return [column.item() for column in account.parts()]

