"""The same again, derived otherwise: the whole matrix, gradient times input, walks and paths."""

from collections.abc import Callable, Sequence

from lrp_ref.checks.definitions.units import Map, Number, Unit, Units, divide


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
