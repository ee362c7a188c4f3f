"""Functions of one number, unit by unit: x_i = f(a_i) as w_i a_i + f(0)."""

import math
from collections.abc import Sequence

from lrp_ref.checks.definitions.units import Map, Number, Units, divide, gate


def relu(a: Units) -> Map:
    """x_i = max(a_i, 0): the gate is 1 where a_i > 0, else 0."""
    return gate({i: 1 if a[i] > 0 else 0 for i in a}, {i: max(a[i], 0 * a[i]) for i in a})


def tanh(a: Units) -> Map:
    """x_i = tanh a_i (floats): the gate is tanh(a_i) / a_i, and 1 at 0."""
    output = {i: math.tanh(a[i]) for i in a}
    return gate({i: output[i] / a[i] if a[i] != 0 else 1 for i in a}, output)


def risen(a: Units, output: Units, rest: Number, slope: Number) -> Map:
    """w_i = (x_i - f(0)) / a_i, and the slope where a_i = 0; the bias of every unit is f(0)."""
    connections = {i: [(i, 1, divide(output[i] - rest, a[i]) if a[i] != 0 else slope)] for i in a}
    return Map(connections, dict.fromkeys(a, rest), output, learned=False)


def clip(a: Units, low: Number | None, high: Number | None) -> Map:
    """x_i = a_i, but low where it is less and high where it is more. At 0 the slope is 1 if low < 0 < high, else 0."""

    def f(x: Number) -> Number:
        return low if low is not None and x < low else high if high is not None and x > high else x

    inside = (low is None or low < 0) and (high is None or high > 0)
    return risen(a, {i: f(a[i]) for i in a}, f(0), 1 if inside else 0)


def leaky_relu(a: Units, slope: Number | Sequence[Number]) -> Map:
    """x_i = a_i where a_i > 0, else slope a_i, with one slope or one for each channel i[0]."""
    w = {i: 1 if a[i] > 0 else slope[i[0]] if isinstance(slope, Sequence) else slope for i in a}
    return gate(w, {i: w[i] * a[i] for i in a})


def hardsigmoid(a: Units, width: Number) -> Map:
    """x_i = 0 below -width / 2, 1 above width / 2, and a straight line between, on which it is 1/2 at 0."""
    half = divide(width, 2)
    output = {i: 0 * a[i] if a[i] <= -half else 0 * a[i] + 1 if a[i] >= half else divide(a[i] + half, width) for i in a}
    return risen(a, output, divide(1, 2), divide(1, width))


def hardswish(a: Units) -> Map:
    """x_i = a_i times the hard sigmoid of width 6."""
    w = hardsigmoid(a, 6).output
    return gate(w, {i: a[i] * w[i] for i in a})
