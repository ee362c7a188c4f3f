"""What a layer's derivatives are at an image, unit by unit: w_ij = dx_j / da_i, and the bias that they leave over."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from lrp_ref.checks.definitions import attention, layers
from lrp_ref.checks.definitions.units import Connections, Map, Number, Unit, Units, divide, rational_root


def around(a: Units, m: Map, derivative: Callable[[Unit, Unit], Number]) -> Map:
    """The inputs and outputs of m with these derivatives: b_j = x_j - sum_i a_i w_ij."""
    connections: Connections = {j: [(i, c, derivative(i, j)) for i, c, _ in m.connections[j]] for j in m.connections}
    bias = {j: m.output[j] - sum(c * a[i] * w for i, c, w in connections[j]) for j in connections}
    return Map(connections, bias, m.output, learned=False)


def multiply(a: Units, shares: Sequence[Number] | None) -> Map:
    """dx_j / da_kj is the product of the other factors."""
    def derivative(i: Unit, j: Unit) -> Number:
        return math.prod(value for (k, *unit), value in a.items() if tuple(unit) == j and k != i[0])

    return around(a, layers.multiply(a), derivative)


def mat_mul(a: Units, left: Sequence[int], right: Sequence[int], shares: Any) -> Map:
    """dz_td / dA_ts = B_sd and dz_td / dB_sd = A_ts: twice what either has where both have a half."""
    m = attention.mat_mul(a, left, right, None)
    weights = {(i, j): 2 * w for j, several in m.connections.items() for i, _, w in several}
    return around(a, m, lambda i, j: weights[i, j])


def of_a_norm(a: Units, m: Map, scale: Any, epsilon: Number, centre: bool) -> Map:
    """z_j = g_j y_j / r with y_j = a_j (- mean) and r^2 the mean of y^2: the quotient's rule.

    dy_j / da_i = d_ij (- 1/n), and r dr / da_i = y_i / n.
    """
    y: Units = {}
    roots: Units = {}
    sizes: dict[Unit, int] = {}
    for row in attention.rows(a).values():
        mean = divide(sum(a[i] for i in row), len(row)) if centre else 0
        for i in row:
            y[i] = a[i] - mean
        for i in row:
            sizes[i] = len(row)
            roots[i] = rational_root(divide(sum(y[k] * y[k] for k in row), len(row)) + epsilon)

    def derivative(i: Unit, j: Unit) -> Number:
        if i[:-1] != j[:-1]:
            return 0
        n, r = sizes[j], roots[j]
        dy = (1 if i == j else 0) - (divide(1, n) if centre else 0)
        dr = divide(y[i], n) / r
        return (scale[j[-1]] if scale else 1) * (dy * r - y[j] * dr) / (r * r)

    return around(a, m, derivative)


def layer_norm(a: Units, scale: Any, shift: Any, epsilon: Number) -> Map:
    return of_a_norm(a, attention.layer_norm(a, scale, shift, epsilon), scale, epsilon, centre=True)


def rms_norm(a: Units, scale: Any, epsilon: Number) -> Map:
    m = attention.rms_norm(a, scale, epsilon)   # whose derivatives reach the whole row
    rows: Connections = {j: [(i, 1, 0) for i in sorted(a) if i[:-1] == j[:-1]] for j in m.connections}
    return of_a_norm(a, Map(rows, m.bias, m.output, m.learned), scale, epsilon, centre=False)


def lrn(a: Units, size: int, alpha: Number, beta: Number, k: Number, taylor: bool) -> Map:
    """d (a_j s_j^-beta) / da_i = d_ij s_j^-beta - beta a_j s_j^(-beta - 1) 2 alpha / size a_i, s_j of the window."""
    reach = size // 2
    near = {j: [i for i in a if i[1:] == j[1:] and abs(i[0] - j[0]) <= reach] for j in a}
    s = {j: k + divide(alpha * sum(a[i] * a[i] for i in near[j]), size) for j in a}
    m = layers.lrn(a, size, alpha, beta, k)
    windows: Connections = {j: [(i, 1, 0) for i in near[j]] for j in a}

    def derivative(i: Unit, j: Unit) -> Number:
        own = s[j] ** -beta if i == j else 0
        return own - beta * a[j] * s[j] ** (-beta - 1) * divide(2 * alpha * a[i], size)

    return around(a, Map(windows, m.bias, m.output, m.learned), derivative)


def of_pieces(definition: Callable[..., Map], ends: Callable[..., Sequence[Number]], slope: Callable[..., Number]
              ) -> Callable[..., Map]:
    """Of a function whose derivative differs between the ends of its pieces; at an end it is that of the left."""
    def derivatives(a: Units, *fields: Any) -> Map:
        m = definition(a, *fields)
        return around(a, m, lambda i, j: slope(a[i], sum(a[i] > end for end in ends(*fields)), *fields))
    return derivatives


def clip_ends(low: Number | None, high: Number | None) -> Sequence[Number]:
    """Without a bound below, the first piece ends nowhere: there are at most two of three."""
    return [end for end in (low, high) if end is not None]


def clip_slope(x: Number, piece: int, low: Number | None, high: Number | None) -> Number:
    """1 on the piece between the bounds."""
    return 1 if piece == (0 if low is None else 1) else 0


LAYERS: dict[str, Callable[..., Map]] = {   # whose derivatives are no weights of their map
    "Multiply": multiply, "MatMul": mat_mul, "LayerNorm": layer_norm, "RMSNorm": rms_norm, "LRN": lrn,
    "Clip": of_pieces(layers.LAYERS["Clip"], clip_ends, clip_slope),
    "Hardsigmoid": of_pieces(layers.LAYERS["Hardsigmoid"], lambda width: (divide(-width, 2), divide(width, 2)),
                             lambda x, piece, width: divide(1, width) if piece == 1 else 0),
    "Hardswish": of_pieces(layers.LAYERS["Hardswish"], lambda: (-3, 3),
                           lambda x, piece: (0, divide(1, 6) * (2 * x + 3), 1)[piece]),
}
