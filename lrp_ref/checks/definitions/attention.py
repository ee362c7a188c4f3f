"""What transformers are made of, unit by unit."""

import math
from collections.abc import Sequence
from typing import Any

from lrp_ref.checks.definitions.units import Connections, Map, Number, Unit, Units, affine, divide, rational_root


def rows(a: Units) -> dict[Unit, list[Unit]]:
    """The units of every row, along the last axis."""
    found: dict[Unit, list[Unit]] = {}
    for i in sorted(a):
        found.setdefault(i[:-1], []).append(i)
    return found


def mat_mul(a: Units, left: Sequence[int], right: Sequence[int], shares: Sequence[Number] | None) -> Map:
    """z_td = sum_s A_ts B_sd, of which A_ts is given shares[0] and B_sd shares[1]; what has no share does not reach z.

    The inputs are numbered: those of A in the order of its axes, then those of B.
    """
    def place(index: Sequence[int], sizes: Sequence[int], first: int) -> Unit:
        n = 0
        for k, size in zip(index, sizes, strict=True):
            n = n * size + k
        return (first + n,)

    of_a, of_b = shares or (divide(1, 2), divide(1, 2))
    heads: list[Unit] = [()]
    for n in left[:-2]:
        heads = [(*head, k) for head in heads for k in range(n)]
    connections: Connections = {}
    output: Units = {}
    for head in heads:
        for t in range(left[-2]):
            for d in range(right[-1]):
                j = (*head, t, d)
                connections[j], output[j] = [], 0
                for s in range(left[-1]):
                    A = place((*head, t, s), left, 0)
                    B = place((*head, s, d), right, math.prod(left))
                    connections[j] += [(A, 1, of_a * a[B])] if of_a else []
                    connections[j] += [(B, 1, of_b * a[A])] if of_b else []
                    output[j] += a[A] * a[B]
    return Map(connections, dict.fromkeys(connections, 0), output, learned=False)


def softmax(a: Units, mask: Any) -> Map:
    """z_j = e^a_j over the sum of e^a_i along a row, for equal a_i 1 over their number: w_ij = z_j (d_ij - z_i).

    mask: 0 where a unit is left out, along the last axes; it reaches no output, and nothing reaches it.
    """
    def there(i: Unit) -> bool:
        kept, axes = mask, 0
        while isinstance(kept, list):
            kept, axes = kept[0], axes + 1
        kept = mask
        for k in i[len(i) - axes:] if axes else ():
            kept = kept[k if len(kept) > 1 else 0]
        return mask is None or kept != 0

    connections: Connections = {}
    bias: Units = {}
    output: Units = {}
    for row in rows(a).values():
        inside = [i for i in row if there(i)]
        powers = {i: 1 if a[i] == a[inside[0]] else math.exp(a[i] - a[inside[0]]) for i in inside}
        z = {i: divide(powers[i], sum(powers.values())) for i in inside}
        for j in row:
            output[j] = z.get(j, 0 * a[j])
            connections[j] = [(i, 1, z[j] * ((1 if i == j else 0) - z[i])) for i in inside] if j in z else []
            bias[j] = output[j] - sum(w * a[i] for i, _, w in connections[j])
    return Map(connections, bias, output, learned=False)


def layer_norm(a: Units, scale: Any, shift: Any, epsilon: Number) -> Map:
    """z_j = (a_j - mean) / deviation scale_j + shift_j over a row: w_ij = (d_ij - 1/n) scale_j / deviation."""
    connections: Connections = {}
    bias: Units = {}
    for row in rows(a).values():
        n = len(row)
        mean = divide(sum(a[i] for i in row), n)
        deviation = rational_root(divide(sum((a[i] - mean) ** 2 for i in row), n) + epsilon)
        for j in row:
            gain = divide(scale[j[-1]] if scale else 1, deviation)
            connections[j] = [(i, 1, gain * ((1 if i == j else 0) - divide(1, n))) for i in row]
            bias[j] = shift[j[-1]] if shift else 0
    return affine(a, connections, bias, learned=False)


def rms_norm(a: Units, scale: Any, epsilon: Number) -> Map:
    """z_i = a_i scale_i / root of the row's mean of squares."""
    connections: Connections = {}
    for row in rows(a).values():
        root = rational_root(divide(sum(a[i] * a[i] for i in row), len(row)) + epsilon)
        for i in row:
            connections[i] = [(i, 1, divide(scale[i[-1]] if scale else 1, root))]
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)


def embedding(a: Units, weight: Any) -> Map:
    """z_td = weight[a_t][d]; the token t is there, as 1."""
    output = {(*t, d): w for t in a for d, w in enumerate(weight[int(a[t])])}
    connections: Connections = {j: [(j[:-1], 1, output[j])] for j in output}
    return Map(connections, dict.fromkeys(output, 0), output, learned=True)


def class_token(a: Units, token: Sequence[Number]) -> Map:
    """z_0 = token, and z_t = a_t-1 after it."""
    connections: Connections = {(0, d): [] for d in range(len(token))}
    connections |= {(t + 1, d): [((t, d), 1, 1)] for t, d in a}
    return affine(a, connections, {j: token[j[1]] if j[0] == 0 else 0 for j in connections}, learned=False)


def rotary(a: Units, cos: Any, sin: Any) -> Map:
    """The numbers d and d + half of position t, turned by the angle of t and d."""
    half = (1 + max(i[-1] for i in a)) // 2
    connections: Connections = {}
    for *head, t, d in a:
        first, second, k = (*head, t, d % half), (*head, t, d % half + half), d % half
        weights = (cos[t][k], -sin[t][k]) if d < half else (sin[t][k], cos[t][k])
        connections[(*head, t, d)] = [(first, 1, weights[0]), (second, 1, weights[1])]
    return affine(a, connections, dict.fromkeys(connections, 0), learned=False)
