"""Every layer and every rule, unit by unit: loops over outputs j and inputs i, straight from the formulas.

A unit is a tuple, (c, y, x) in an image and (i,) in a vector, and an array of one sample is a dict from units
to numbers. What lies outside the image is no unit, so padding needs no number. Sizes, strides, pads and
dilations are pairs (height, width); weights, biases and statistics are nested lists.

Numbers may be ints, Fractions, floats or Decimals (Python does not mix the second with the last). Ints and
Fractions stay exact: two ints divide to a Fraction.

A layer at an image is a `Map`, z_j = sum_i c_ij a_i w_ij + b_j. A rule turns a map, its inputs a and the
relevance R of its outputs into a `Step`: the messages R_i<-j, their sums R_i, and what became of each R_j.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

Number = Any
Unit = tuple[int, ...]
Units = dict[Unit, Number]
Pair = tuple[int, int]


def units(nested: Any, at: Unit = ()) -> Units:
    """{(c, y, x): value} from lists [c][y][x], {(i,): value} from a list."""
    if not isinstance(nested, list):
        return {at: nested}
    return {unit: value for n, part in enumerate(nested) for unit, value in units(part, (*at, n)).items()}


def lists(a: Units) -> Any:
    """Lists [c][y][x] from {(c, y, x): value}: `units` undone."""
    if () in a:
        return a[()]
    length = 1 + max(i[0] for i in a)
    return [lists({i[1:]: value for i, value in a.items() if i[0] == n}) for n in range(length)]


def divide(p: Number, q: Number) -> Number:
    """p / q, a Fraction where both are ints."""
    return Fraction(p, q) if isinstance(p, int) and isinstance(q, int) else p / q


def positive(x: Number) -> Number:
    """x+ = max(x, 0)."""
    return x if x > 0 else 0


def negative(x: Number) -> Number:
    """x- = min(x, 0)."""
    return x if x < 0 else 0


# ---- Layers ----


Connections = dict[Unit, list[tuple[Unit, Number, Number]]]
"""By output j the inputs (i, c_ij, w_ij) that reach it: coverage c_ij > 0, and a weight that may be 0."""


@dataclass(frozen=True)
class Map:
    """z_j = sum_i c_ij a_i w_ij + b_j: the connections and bias of every j, and the x_j the layer puts out.

    `learned`: the weights are the model's, and not the image's (winners, gates) or mere windows.
    """

    connections: Connections
    bias: Units
    output: Units
    learned: bool


def affine(a: Units, connections: Connections, bias: Units, learned: bool) -> Map:
    """A layer that is its map: x_j = z_j."""
    output = {j: sum(c * a[i] * w for i, c, w in connections[j]) + bias[j] for j in connections}
    return Map(connections, bias, output, learned)


def gate(weight: Units, output: Units) -> Map:
    """x_i = a_i w_i: one weight for each unit, set by the image."""
    connections = {i: [(i, 1, weight[i])] for i in weight}
    return Map(connections, dict.fromkeys(weight, 0), output, learned=False)


def linear(a: Units, weight: Sequence[Sequence[Number]], bias: Sequence[Number]) -> Map:
    """z_j = sum_i a_i weight[i][j] + bias[j], over the last axis of a."""
    outputs = [(*row, j) for row in sorted({i[:-1] for i in a}) for j in range(len(bias))]
    connections = {(*row, j): [((*row, i), 1, weight[i][j]) for i in range(len(weight))] for *row, j in outputs}
    return affine(a, connections, {j: bias[j[-1]] for j in outputs}, learned=True)


def shape(a: Units) -> tuple[int, int, int]:
    """(channels, height, width) of an image."""
    c, y, x = max(a)
    return c + 1, y + 1, x + 1


def starts(n: int, size: int, stride: int, pad: int, ceil: bool = False) -> list[int]:
    """Where the floor((n + 2 pad - size) / stride) + 1 windows along an axis of n pixels begin, from -pad on.

    With `ceil` (Caffe) the quotient is rounded up, so that the last window may hang over the end of the
    padding; a window that would begin behind the last pixel is dropped.
    """
    room = n + 2 * pad - size
    count = (-(-room // stride) if ceil else room // stride) + 1
    begins = [t * stride - pad for t in range(count)]
    return [begin for begin in begins if begin < n] if ceil else begins


def corners(a: Units, size: Pair, stride: Pair, pad: Pair, ceil: bool = False) -> dict[Pair, Pair]:
    """The pixel (top, left) at which the window of each output pixel (y, x) begins."""
    _, height, width = shape(a)
    tops = starts(height, size[0], stride[0], pad[0], ceil)
    lefts = starts(width, size[1], stride[1], pad[1], ceil)
    return {(y, x): (top, left) for y, top in enumerate(tops) for x, left in enumerate(lefts)}


def conv2d(
    a: Units, weight: Any, bias: Sequence[Number],
    stride: Pair = (1, 1), pad: Pair = (0, 0), dilation: Pair = (1, 1), groups: int = 1,
) -> Map:  # fmt: skip
    """z_oyx = sum_cvu a[first + c, top + v dilation, left + u dilation] weight[o][c][v][u] + bias[o].

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
    return affine(a, connections, {j: bias[j[0]] for j in connections}, learned=True)


def windows(a: Units, size: Pair, stride: Pair, pad: Pair, ceil: bool) -> dict[Unit, list[Unit]]:
    """The pixels of the image in the window of each output unit of a pooling layer (pad < size)."""
    inside: dict[Unit, list[Unit]] = {}
    for c in range(shape(a)[0]):
        for (y, x), (top, left) in corners(a, size, stride, pad, ceil).items():
            window = [(c, top + v, left + u) for v in range(size[0]) for u in range(size[1])]
            inside[c, y, x] = [i for i in window if i in a]
    return inside


def max_pool(a: Units, size: Pair, stride: Pair, pad: Pair = (0, 0), ceil: bool = False) -> Map:
    """x_j = max of a_i over the window; w_ij = 1 / (number of winners) for the winners, 0 for the others."""
    inside = windows(a, size, stride, pad, ceil)
    connections, output = {}, {}
    for j in inside:
        best = output[j] = max(a[i] for i in inside[j])
        winners = [i for i in inside[j] if a[i] == best]
        w = divide(0 * best + 1, len(winners))  # this 1 has the number type of the image
        connections[j] = [(i, 1, w if i in winners else 0) for i in inside[j]]
    return Map(connections, dict.fromkeys(inside, 0), output, learned=False)


def avg_pool(a: Units, size: Pair, stride: Pair, pad: Pair = (0, 0), ceil: bool = False, count_pad: bool = True) -> Map:
    """x_j = sum of a_i over the window / number of pixels in it.

    With `count_pad` the padding counts, but never what hangs over its end; without, only the image counts.
    """
    _, height, width = shape(a)
    inside = windows(a, size, stride, pad, ceil)
    connections, output = {}, {}
    for j in inside:
        rows = min(size[0], height + 2 * pad[0] - j[1] * stride[0])
        columns = min(size[1], width + 2 * pad[1] - j[2] * stride[1])
        number = rows * columns if count_pad else len(inside[j])
        connections[j] = [(i, 1, divide(0 * a[i] + 1, number)) for i in inside[j]]
        output[j] = divide(sum(a[i] for i in inside[j]), number)
    return Map(connections, dict.fromkeys(inside, 0), output, learned=False)


def sum_pool(a: Units, size: Pair, stride: Pair, scale: Number = 1) -> Map:
    """x_j = scale * sum of a_i over the window."""
    inside = windows(a, size, stride, (0, 0), ceil=False)
    connections = {j: [(i, 1, scale) for i in inside[j]] for j in inside}
    return affine(a, connections, dict.fromkeys(inside, 0), learned=False)


def relu(a: Units) -> Map:
    """x_i = max(a_i, 0): the gate is 1 where a_i > 0, else 0."""
    return gate({i: 1 if a[i] > 0 else 0 for i in a}, {i: max(a[i], 0 * a[i]) for i in a})


def tanh(a: Units) -> Map:
    """x_i = tanh a_i (floats): the gate is tanh(a_i) / a_i, and 1 at 0."""
    output = {i: math.tanh(a[i]) for i in a}
    return gate({i: output[i] / a[i] if a[i] != 0 else 1 for i in a}, output)


def flatten(a: Units) -> Map:
    """x_n = a_cyx, where n counts along x first, then y, then c."""
    connections = {j: [(i, 1, 1)] for j, i in zip(units([*a]), sorted(a), strict=True)}
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


# ---- Rules ----


class Step(NamedTuple):
    """R_i = sum_j R_i<-j with messages[i, j] = R_i<-j, and R_j = handed + bias + stabiliser + dead by j."""

    relevance: Units
    messages: dict[tuple[Unit, Unit], Number]
    handed: Units
    bias: Units
    stabiliser: Units
    dead: Units


def share(x: Number, z: Number, R: Number) -> Number:
    """x / z R. The paper's 0/0 = 0 holds for x/0 too."""
    return divide(x * R, z) if z != 0 else 0


def equation_1(a: Units, R: Units, z: dict[Unit, Units], b: Units, eps: Number = 0) -> Step:
    """R_i<-j = z_ij / (z_j + eps sign z_j) R_j with z_j = sum_i z_ij + b_j, and sign 0 = +1."""
    step = Step(dict.fromkeys(a, 0), {}, {}, {}, {}, {})
    for j in R:
        z_j = sum(z[j].values()) + b[j]
        stabiliser = eps if z_j >= 0 else -eps
        denominator = z_j + stabiliser
        for i in z[j]:
            step.messages[i, j] = share(z[j][i], denominator, R[j])
            step.relevance[i] += step.messages[i, j]
        step.handed[j] = sum(step.messages[i, j] for i in z[j])
        step.bias[j] = share(b[j], denominator, R[j])
        step.stabiliser[j] = share(stabiliser, denominator, R[j])
        step.dead[j] = R[j] if denominator == 0 else 0
    return step


def contributions(m: Map, z: Callable[[Unit, Number, Number], Number]) -> dict[Unit, Units]:
    """z_ij = z(i, c_ij, w_ij) by j and i."""
    return {j: {i: z(i, c, w) for i, c, w in m.connections[j]} for j in m.connections}


def without_bias(m: Map, a: Units, R: Units, z: Callable[[Unit, Number, Number], Number]) -> Step:
    """Eq. 1 with z_ij = z(i, c_ij, w_ij) and b_j = 0."""
    return equation_1(a, R, contributions(m, z), dict.fromkeys(R, 0))


def epsilon(m: Map, a: Units, R: Units, eps: Number = 0) -> Step:
    """z_ij = c_ij a_i w_ij, stabilised by eps; with eps = 0 this is Eq. 1 and 2 of the paper."""
    return equation_1(a, R, contributions(m, lambda i, c, w: c * a[i] * w), m.bias, eps)


def alpha_beta(m: Map, a: Units, R: Units, alpha: Number, beta: Number) -> Step:
    """R_i<-j = (alpha z_ij+ / z_j+ - beta z_ij- / z_j-) R_j; z_j+ = sum_i z_ij+ + b_j+, alpha - beta = 1.

    Where a sign is absent, its alpha R_j or -beta R_j is dead: the sum of its z_ij is 0.
    """

    def signed(part: Callable[[Number], Number], factor: Number) -> Step:
        z = contributions(m, lambda i, c, w: part(c * a[i] * w))
        return equation_1(a, {j: factor * R[j] for j in R}, z, {j: part(m.bias[j]) for j in R})

    both: Any = zip(signed(positive, alpha), signed(negative, -beta), strict=True)
    return Step(*({key: up[key] + down[key] for key in up} for up, down in both))


def z_plus(m: Map, a: Units, R: Units) -> Step:
    """R_i<-j = z_ij+ / z_j+ R_j."""
    return alpha_beta(m, a, R, alpha=1, beta=0)


def gamma(m: Map, a: Units, R: Units, gamma: Number) -> Step:
    """z_ij + gamma z_ij+ instead of z_ij where z_j > 0, z_ij + gamma z_ij- where z_j < 0; b_j likewise.

    With z_j > 0 that is a+ (w + gamma w+) + a- (w + gamma w-), since (a w)+ = a+ w+ + a- w-. z_j = 0 is dead.
    """
    z, b = contributions(m, lambda i, c, w: c * a[i] * w), {}
    for j in R:
        z_j = sum(z[j].values()) + m.bias[j]
        if z_j == 0:  # no sign to follow: nothing claims R_j
            z[j], b[j] = dict.fromkeys(z[j], 0), 0
        else:
            part = positive if z_j > 0 else negative
            z[j] = {i: z[j][i] + gamma * part(z[j][i]) for i in z[j]}
            b[j] = m.bias[j] + gamma * part(m.bias[j])
    return equation_1(a, R, z, b)


def z_box(m: Map, a: Units, R: Units, low: Sequence[Number], high: Sequence[Number]) -> Step:
    """z_ij = c_ij (a_i w_ij - low w_ij+ - high w_ij-), low and high per channel i[0]; the bias cancels."""
    return without_bias(m, a, R, lambda i, c, w: c * (a[i] * w - low[i[0]] * positive(w) - high[i[0]] * negative(w)))


def w_square(m: Map, a: Units, R: Units) -> Step:
    """z_ij = c_ij w_ij^2, without bias; flat where the weights are not the model's."""
    return without_bias(m, a, R, lambda i, c, w: c * w * w) if m.learned else flat(m, a, R)


def flat(m: Map, a: Units, R: Units) -> Step:
    """z_ij = c_ij, without bias."""
    return without_bias(m, a, R, lambda i, c, w: c)


def winner(m: Map, a: Units, R: Units) -> Step:
    """z_ij = c_ij w_ij, without bias: max-pooling hands R_j to the winner, and evenly to tied winners."""
    return without_bias(m, a, R, lambda i, c, w: c * w)


def passed(m: Map, a: Units, R: Units) -> Step:
    """R_i = R_j, for a map that connects units one to one."""
    inputs = [i for j in R for i, c, w in m.connections[j]]
    if not len(R) == len(inputs) == len(set(inputs)):
        raise ValueError("Pass needs a gate, but this map mixes units: use epsilon or flat.")
    return flat(m, a, R)


# ---- The same again, derived otherwise ----


def matrix_form(m: Map, a: Units, R: Units) -> Units:
    """R = a * W' (R / z), z = W a + b, over the whole matrix W_ji = c_ij w_ij: `epsilon` with eps = 0."""
    W = {(j, i): 0 for j in R for i in a} | {(j, i): c * w for j in R for i, c, w in m.connections[j]}
    z = {j: sum(W[j, i] * a[i] for i in a) + m.bias[j] for j in R}
    s = {j: divide(R[j], z[j]) if z[j] != 0 else 0 for j in R}
    return {i: a[i] * sum(W[j, i] * s[j] for j in R) for i in a}


def descend(maps: Sequence[Map], s: Units, entry: Callable[[Number, Number, Number], Number]) -> Units:
    """s_i = sum_j entry(c_ij, w_ij, n_j) s_j, from the last map down to the first; n_j = sum_i c_ij."""
    for m in reversed(maps):
        below: Units = {}
        for j in s:
            n = sum(c for _, c, _ in m.connections[j])
            for i, c, w in m.connections[j]:
                below[i] = below.get(i, 0) + entry(c, w, n) * s[j]
        s = below
    return s


def gradient_times_input(maps: Sequence[Map], a: Units, s: Units) -> Units:
    """R_i = a_i d/da_i sum_j s_j z_j: from R_j = s_j z_j `epsilon` with eps = 0 comes here if no z_j is 0."""
    slope = descend(maps, s, lambda c, w, n: c * w)
    return {i: a[i] * slope.get(i, 0) for i in a}


def walk(maps: Sequence[Map], R: Units) -> Units:
    """R_0 = T_1' T_2' ... T_n' R_n, T[j, i] = c_ij / n_j: a random walk downwards, `flat` on every map."""
    return descend(maps, R, lambda c, w, n: divide(c, n))


def paths(maps: Sequence[Map], j: Unit) -> Units:
    """The part of all paths from unit j that ends in each input unit: what the walk is not, in general."""
    count = descend(maps, {j: 1}, lambda c, w, n: c)
    return {i: divide(count[i], sum(count.values())) for i in count}


def receptive_field(maps: Sequence[Map], j: Unit) -> set[Unit]:
    """The input units in which some path from unit j ends."""
    return set(paths(maps, j))
