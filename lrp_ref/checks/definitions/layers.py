"""Every layer of a CNN, unit by unit; and which definition belongs to which kind of layer."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from lrp_ref.checks.definitions import activations, attention, fisher, shapes, sift
from lrp_ref.checks.definitions.units import (
    Connections,
    Map,
    Number,
    Pair,
    Unit,
    Units,
    affine,
    divide,
    gate,
    rational_root,
    shape,
    units,
)


def linear(a: Units, weight: Sequence[Sequence[Number]], bias: Sequence[Number] | None = None) -> Map:
    """z_j = sum_i a_i weight[i][j] + bias[j], over the last axis of a."""
    outputs = [(*row, j) for row in sorted({i[:-1] for i in a}) for j in range(len(weight[0]))]
    connections = {(*row, j): [((*row, i), 1, weight[i][j]) for i in range(len(weight))] for *row, j in outputs}
    return affine(a, connections, {j: bias[j[-1]] if bias else 0 for j in outputs}, learned=True)


def spread_linear(a: Units, weight: Sequence[Sequence[Number]], bias: Sequence[Number] | None = None) -> Map:
    """w_ij = a_i weight[i][j] + bias[j] / I at a = 1: every input has an equal part of the bias."""
    count, columns = len(weight), range(len(weight[0]))
    connections = {(*row, j): [((*row, i), 1, a[*row, i] * weight[i][j] + (divide(bias[j], count) if bias else 0))
                               for i in range(count)] for row in {i[:-1] for i in a} for j in columns}
    return affine(dict.fromkeys(a, 1), connections, dict.fromkeys(connections, 0), learned=False)


def starts(n: int, size: int, stride: int, pad: Pair, ceil: bool = False) -> list[int]:
    """Where the floor((n + pad - size) / stride) + 1 windows along an axis of n pixels begin, from -pad[0] on.

    With `ceil` (Caffe) the quotient is rounded up, so that the last window may hang over the end of the
    padding; a window that would begin behind the last pixel is dropped.
    """
    room = n + pad[0] + pad[1] - size
    count = (-(-room // stride) if ceil else room // stride) + 1
    begins = [t * stride - pad[0] for t in range(count)]
    return [begin for begin in begins if begin < n] if ceil else begins


def frame(pad: Any) -> tuple[Pair, Pair]:
    """((above, below), (left, right)) of a padding that may be one number for rows and one for columns."""
    rows, columns = (side if isinstance(side, tuple) else (side, side) for side in pad)
    return rows, columns


def corners(a: Units, size: Pair, stride: Pair, pad: Any, ceil: bool = False) -> dict[Pair, Pair]:
    """The pixel (top, left) at which the window of each output pixel (y, x) begins."""
    _, height, width = shape(a)
    rows, columns = frame(pad)
    tops = starts(height, size[0], stride[0], rows, ceil)
    lefts = starts(width, size[1], stride[1], columns, ceil)
    return {(y, x): (top, left) for y, top in enumerate(tops) for x, left in enumerate(lefts)}


def conv2d(
    a: Units, weight: Any, bias: Any,
    stride: Pair = (1, 1), pad: Any = (0, 0), dilation: Pair = (1, 1), groups: int = 1,
) -> Map:  # fmt: skip
    """z_oyx = sum_cvu a[first + c, top + v dilation, left + u dilation] weight[o][c][v][u] + bias[o], or bias[o][y][x].

    `first` is the first input channel of the group to which the output channel o belongs.
    """
    depth, rows, columns = shape(units(weight[0]))
    extent = (dilation[0] * (rows - 1) + 1, dilation[1] * (columns - 1) + 1)
    connections: Connections = {}
    for o in range(len(weight)):
        first = o // (len(weight) // groups) * depth
        for (y, x), (top, left) in corners(a, extent, stride, pad).items():
            connections[o, y, x] = []
            for (c, v, u), w in units(weight[o]).items():
                i = (first + c, top + v * dilation[0], left + u * dilation[1])
                if i in a:
                    connections[o, y, x].append((i, 1, w))
    own: Units = dict.fromkeys(connections, 0)
    for o, y, x in connections:
        if bias:
            own[o, y, x] = bias[o][y][x] if isinstance(bias[o], list) else bias[o]
    return affine(a, connections, own, learned=True)


def conv_transpose2d(
    a: Units, weight: Any, bias: Sequence[Number] | None, stride: Pair, pad: Any, dilation: Pair, groups: int,
    output_pad: Pair,
) -> Map:  # fmt: skip
    """z_oyx = sum of a_cij weight[c][o'][v][u] + bias[o] where y = i stride + v dilation - above, x alike.

    Channel c gives to the outputs o = o' + those of the groups before its own.
    """
    _, high, wide = shape(a)
    (above, below), (left, right) = frame(pad)
    parts, kh, kw = shape(units(weight[0]))
    height = (high - 1) * stride[0] + dilation[0] * (kh - 1) + 1 - above - below + output_pad[0]
    width = (wide - 1) * stride[1] + dilation[1] * (kw - 1) + 1 - left - right + output_pad[1]
    connections: Connections = {(o, y, x): [] for o in range(parts * groups) for y in range(height)
                                for x in range(width)}
    for c, i, j in sorted(a):
        first = c // (len(weight) // groups) * parts
        for (o, v, u), w in units(weight[c]).items():
            at = (first + o, i * stride[0] + v * dilation[0] - above, j * stride[1] + u * dilation[1] - left)
            if at in connections:
                connections[at].append(((c, i, j), 1, w))
    return affine(a, connections, {j: bias[j[0]] if bias else 0 for j in connections}, learned=True)


def windows(a: Units, size: Pair, stride: Pair, pad: Any, ceil: bool) -> dict[Unit, list[Unit]]:
    """The pixels of the image in the window of each output unit of a pooling layer (pad < size)."""
    inside: dict[Unit, list[Unit]] = {}
    for c in range(shape(a)[0]):
        for (y, x), (top, left) in corners(a, size, stride, pad, ceil).items():
            window = [(c, top + v, left + u) for v in range(size[0]) for u in range(size[1])]
            inside[c, y, x] = [i for i in window if i in a]
    return inside


def max_pool(a: Units, size: Pair, stride: Pair, pad: Any = (0, 0), ceil: bool = False) -> Map:
    """x_j = max of a_i over the window; w_ij = 1 / (number of winners) for the winners, 0 for the others."""
    inside = windows(a, size, stride, pad, ceil)
    connections, output = {}, {}
    for j in inside:
        best = output[j] = max(a[i] for i in inside[j])
        winners = [i for i in inside[j] if a[i] == best]
        w = divide(0 * best + 1, len(winners))  # this 1 has the number type of the image
        connections[j] = [(i, 1, w if i in winners else 0) for i in inside[j]]
    return Map(connections, dict.fromkeys(inside, 0), output, learned=False)


def avg_pool(a: Units, size: Pair, stride: Pair, pad: Any = (0, 0), ceil: bool = False, count_pad: bool = True) -> Map:
    """x_j = sum of a_i over the window / number of pixels in it.

    With `count_pad` the padding counts, but never what hangs over its end; without, only the image counts.
    """
    _, height, width = shape(a)
    inside = windows(a, size, stride, pad, ceil)
    tall, wide = frame(pad)
    connections, output = {}, {}
    for j in inside:
        rows = min(size[0], height + sum(tall) - j[1] * stride[0])
        columns = min(size[1], width + sum(wide) - j[2] * stride[1])
        number = rows * columns if count_pad else len(inside[j])
        connections[j] = [(i, 1, divide(0 * a[i] + 1, number)) for i in inside[j]]
        output[j] = divide(sum(a[i] for i in inside[j]), number)
    return Map(connections, dict.fromkeys(inside, 0), output, learned=False)


def sum_pool(a: Units, size: Pair, stride: Pair, scale: Number = 1) -> Map:
    """x_j = scale * sum of a_i over the window."""
    inside = windows(a, size, stride, (0, 0), ceil=False)
    connections = {j: [(i, 1, scale) for i in inside[j]] for j in inside}
    return affine(a, connections, dict.fromkeys(inside, 0), learned=False)


def adaptive_avg_pool(a: Units, size: Pair) -> Map:
    """x_j = mean of a_i over a cell: pixel y belongs to row v of the V cells where v H < (y + 1) V and y V < (v + 1) H.

    That is where the cell and the pixel overlap; columns likewise.
    """
    channels, height, width = shape(a)
    connections: Connections = {}
    for c in range(channels):
        for v in range(size[0]):
            for u in range(size[1]):
                inside = [(c, y, x) for y in range(height) for x in range(width)
                          if v * height < (y + 1) * size[0] and y * size[0] < (v + 1) * height
                          and u * width < (x + 1) * size[1] and x * size[1] < (u + 1) * width]
                connections[c, v, u] = [(i, 1, divide(0 * a[i] + 1, len(inside))) for i in inside]
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)


def batch_norm(a: Units, mean: Any, deviation: Any, scale: Any, shift: Any) -> Map:
    """x_i = (a_i - mean[c]) / deviation[c] * scale[c] + shift[c], where c = i[0] is the channel.

    deviation[c] = sqrt(variance[c] + epsilon) is the caller's to take, because a root is seldom rational.
    """
    w = [divide(scale[c], deviation[c]) for c in range(len(scale))]
    connections = {i: [(i, 1, w[i[0]])] for i in a}
    bias = {i: shift[i[0]] - mean[i[0]] * w[i[0]] for i in a}
    output = {i: divide(a[i] - mean[i[0]], deviation[i[0]]) * scale[i[0]] + shift[i[0]] for i in a}
    return Map(connections, bias, output, learned=True)


def lrn(a: Units, size: int, alpha: Number, beta: Number, k: Number, taylor: bool = False) -> Map:
    """x_i = a_i s_i^-beta, s_i = k + alpha/size * sum of a_j^2 over the `size` channels j centred on i.

    The map is the gate s_i^-beta. With `taylor` it is that of Binder et al. 2016, whose z_j is not x_j:
    w_ii = (k + alpha/size a_i^2)^-beta, else w_ij = -2 alpha/size beta a_i a_j s_j^(-beta-1) in the window.
    Rational for an integer beta.
    """
    if size % 2 == 0:
        raise ValueError(f"LRN got a window of {size} channels, which has no centre: give it an odd size.")
    reach = range(-(size // 2), size // 2 + 1)
    window = {(c, *at): [(c + d, *at) for d in reach if (c + d, *at) in a] for c, *at in a}
    s = {i: k + divide(alpha * sum(a[j] * a[j] for j in window[i]), size) for i in a}
    output = {i: a[i] * s[i] ** -beta for i in a}
    if not taylor:
        return gate({i: s[i] ** -beta for i in a}, output)

    def w(i: Unit, j: Unit) -> Number:
        if i == j:
            return (k + divide(alpha * a[i] * a[i], size)) ** -beta
        return divide(-2 * alpha * beta * a[i] * a[j] * s[j] ** (-beta - 1), size)

    connections = {j: [(i, 1, w(i, j)) for i in window[j]] for j in a}
    return Map(connections, dict.fromkeys(a, 0), output, learned=False)


def batch_norm_of_variances(a: Units, mean: Any, variance: Any, scale: Any, shift: Any, epsilon: Number) -> Map:
    """The same of variances, where variance[c] + epsilon has a rational root."""
    return batch_norm(a, mean, [rational_root(v + epsilon) for v in variance], scale, shift)


# ---- Which definition belongs to which kind of layer ----

def add(a: Units, coefficients: Sequence[Number] | None = None) -> Map:
    """x_j = sum_k coefficients[k] a_kj, for the tensors k = 0, 1, ..; each counts once where there are none."""
    connections: Connections = {}
    for k, *j in sorted(a):
        connections.setdefault(tuple(j), []).append(((k, *j), 1, coefficients[k] if coefficients else 1))
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)


def multiply(a: Units, shares: Sequence[Number] | None = None) -> Map:
    """x_j = prod_k a_kj, of which a_kj is given shares[k]: w_kj = shares[k] prod of a_lj over all l but k."""
    factors: dict[Unit, list[Unit]] = {}
    for k, *j in sorted(a):
        factors.setdefault(tuple(j), []).append((k, *j))
    connections: Connections = {}
    output: Units = {}
    for unit, those in factors.items():
        output[unit] = math.prod(a[i] for i in those)
        connections[unit] = [(i, 1, (shares[i[0]] if shares else divide(1, len(those))) * math.prod(
            a[other] for other in those if other != i)) for i in those]
    return Map(connections, dict.fromkeys(connections, 0), output, learned=False)


def concat(a: Units) -> Map:
    """x_j = a_j"""
    return gate(dict.fromkeys(a, 1), dict(a))


LAYERS: dict[str, Callable[..., Map]] = {   # by its name; called with the inputs and the layer's fields in their order
    "Linear": linear, "SpreadLinear": spread_linear, "Conv2D": conv2d,
    "MaxPool": max_pool, "AvgPool": avg_pool, "SumPool": sum_pool, "AdaptiveAvgPool": adaptive_avg_pool,
    "Add": add, "Multiply": multiply, "Concat": concat,
    "ReLU": activations.relu, "Clip": activations.clip, "LeakyReLU": activations.leaky_relu,
    "Hardswish": activations.hardswish, "Hardsigmoid": activations.hardsigmoid,
    "Flatten": shapes.flatten, "Reshape": shapes.reshape, "Transpose": shapes.transpose, "Slice": shapes.slice_of,
    "Pad": shapes.pad, "Upsample": shapes.upsample, "Sum": shapes.sums, "Mean": shapes.means, "Scale": shapes.scale,
    "ConvTranspose2D": conv_transpose2d, "MatMul": attention.mat_mul, "Softmax": attention.softmax,
    "LayerNorm": attention.layer_norm,
    "RMSNorm": attention.rms_norm, "Embedding": attention.embedding, "ClassToken": attention.class_token,
    "Rotary": attention.rotary,
    "BatchNorm": batch_norm_of_variances, "LRN": lrn,
    "SignedSqrt": fisher.signed_sqrt, "L2Norm": fisher.l2_norm, "RegionMean": fisher.region_mean,
    "PMeans": fisher.rational_p_means,
    "IntersectionSVM": fisher.additive_map(fisher.intersection), "ChiSquareSVM": fisher.additive_map(fisher.chi_square),
    "NegativeChiSquareSVM": fisher.additive_map(fisher.negative_chi_square),
    "DenseSift": lambda a, sizes, step, *others: sift.coverage(a, sizes, step, others[-1]),
}
# whose map is one at a = 1
PRESENCE = {"Embedding", "SpreadLinear", "IntersectionSVM", "ChiSquareSVM", "NegativeChiSquareSVM"}
