"""Which definition belongs to which layer and to which rule: the same thing again, by loops."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf, isqrt
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, ones_like, same
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.definitions import Map, Step, Units, fisher, sift
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    Flatten,
    IntersectionSVM,
    L2Norm,
    Linear,
    MaxPool,
    NegativeChiSquareSVM,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
)
from lrp_ref.layers.fisher.sift import Coverage
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

KERNELS: dict[type, Callable[[Any, Any], Any]] = {
    IntersectionSVM: fisher.intersection, ChiSquareSVM: fisher.chi_square,
    NegativeChiSquareSVM: fisher.negative_chi_square,
}


def units(x: Array) -> Units:
    """{unit: number} of one sample."""
    return dict(np.ndenumerate(x))


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
            roots = [rational_root(v + Fraction(layer.epsilon)) for v in layer.variance]
            return by_loops.batch_norm(a, layer.mean.tolist(), roots, layer.scale.tolist(), layer.shift.tolist())
        case LRN():
            return by_loops.lrn(a, layer.size, Fraction(layer.alpha), layer.beta, Fraction(layer.k), layer.taylor)
        case SignedSqrt():
            return gate({i: reciprocal(rational_root(abs(value))) for i, value in a.items()}, a)
        case L2Norm():
            part = {i: (*i[:-1], i[-1] * layer.parts // x.shape[-1]) for i in a}
            norms = {p: rational_root(sum(a[i] ** 2 for i in a if part[i] == p)) for p in part.values()}
            return gate({i: reciprocal(norms[part[i]]) for i in a}, a)
        case RegionMean():
            return gate({i: reciprocal(layer.counts[i[-1] * len(layer.counts) // x.shape[-1]]) for i in a}, a)
        case PMeans():
            return defined_p_means(x.tolist(), layer.p)
        case IntersectionSVM() | ChiSquareSVM() | NegativeChiSquareSVM():
            w, f = fisher.additive(KERNELS[type(layer)], layer.support.tolist(), layer.alphas.tolist(),
                                   layer.bias.tolist(), x.tolist())
            connections = {(c,): [((d,), 1, w[d][c]) for d in range(len(w))] for c in range(len(f))}
            return by_loops.affine(dict.fromkeys(a, 1), connections, units(layer.bias), learned=False)
        case DenseSift():
            return sift.coverage(a, layer.sizes, layer.step, layer.bounds)
    raise TypeError(f"no definition of {layer!r}")


def defined_fisher(m: FisherMap, n: int) -> Map:
    """Sample n of a Fisher vector's map, by loops from Eq. 3 and 4."""
    return fisher.fisher_map(m.x[n].tolist(), m.posteriors[n].tolist(), m.means.tolist(), m.deviations.tolist(),
                             (1 / m.u).tolist(), (1 / m.v).tolist(), m.coverage.tolist())


def read_off(m: LinearMap, a: Array) -> Map:
    """The map of a batch of one as connections, each read off with an input of 1 at one unit and 0 elsewhere."""
    shape = m.apply(a, ones_like).shape
    bias = np.broadcast_to(m.bias, shape)[0]
    connections: by_loops.Connections = {j: [] for j in np.ndindex(shape[1:])}
    for i in np.ndindex(a.shape[1:]):
        alone = 0 * a
        alone[0][i] = alone[0][i] + 1
        covered = m.apply(alone, ones_like)[0]
        weights = covered if isinstance(m, Coverage) else m.apply(alone, same)[0]   # which has none: 1 for each
        for j, c in np.ndenumerate(covered):
            if c != 0:
                connections[j].append((i, c, weights[j] / c))
    return Map(connections, units(bias), {}, m.learned)


def input_of(layer: Any, x: Array) -> Array:
    """a: the layer's input; or 1 for each, where the weights say what an input amounts to ("presence")."""
    return ones_like(x) if isinstance(layer, (SpreadLinear, *KERNELS)) else x


def defined_step(rule: Rule, m: Map, a: Array, R: Array) -> Step:
    """The rule at a map and one sample's input and relevance, by loops from its formula."""
    x, R_j = units(a), units(R)
    match rule:
        case Epsilon():
            return by_loops.epsilon(m, x, R_j, Fraction(rule.epsilon))
        case AlphaBeta():
            return by_loops.alpha_beta(m, x, R_j, Fraction(rule.alpha), Fraction(rule.beta))
        case ZPlus():
            return by_loops.z_plus(m, x, R_j)
        case Gamma():
            return by_loops.gamma(m, x, R_j, Fraction(rule.gamma))
        case ZBox():
            low, high = (np.broadcast_to(np.asarray(bound), a.shape[:1]).tolist() for bound in (rule.low, rule.high))
            return by_loops.z_box(m, x, R_j, [Fraction(c) for c in low], [Fraction(c) for c in high])
        case WSquare():
            return by_loops.w_square(m, x, R_j)
        case Flat():
            return by_loops.flat(m, x, R_j)
        case Winner():
            return by_loops.winner(m, x, R_j)
        case Pass():
            return by_loops.passed(m, x, R_j)
    raise TypeError(f"no definition of {rule!r}")


def bias_of(layer: Any, outputs: int) -> list[Any]:
    return [Fraction(0)] * outputs if layer.bias is None else layer.bias.tolist()


def gate(weight: Units, a: Units) -> Map:
    """z_i = a_i w_i"""
    return by_loops.gate(weight, {i: a[i] * weight[i] for i in a})


def reciprocal(number: Any) -> Any:
    """1 / x, and 0 of 0"""
    return 1 / number if number else 0


def defined_p_means(x: list[list[Any]], p: Any) -> Map:
    """z_d = sum_l a_ld w_ld, for p = 1 with w = 1 / L and for p = inf with w shared by the winners."""
    connections: by_loops.Connections = {}
    for d, column in enumerate(zip(*x)):
        if p in (1, inf):
            chosen = [p == 1 or value == max(column) for value in column]
            w = [Fraction(one, sum(chosen)) for one in chosen]
        else:
            w = fisher.p_means(column, Fraction(p), rational_power)[1]
        connections[d,] = [((l, d), 1, w[l]) for l in range(len(column))]
    return by_loops.affine(by_loops.units(x), connections, dict.fromkeys(connections, 0), learned=False)


def rational_root(q: Fraction) -> Fraction:
    root = Fraction(isqrt(q.numerator), isqrt(q.denominator))
    if root * root != q:
        raise ValueError(f"{q} has no rational root")
    return root


def rational_power(number: Fraction, exponent: Fraction) -> Fraction:
    return rational_root(number) if exponent == Fraction(1, 2) else number ** int(exponent)
