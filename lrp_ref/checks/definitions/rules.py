"""Every rule, message by message, with what became of each R_j."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lrp_ref.checks.definitions.units import Map, Number, Unit, Units, divide, negative, positive


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


def z_box(m: Map, a: Units, R: Units, low: Number | Sequence[Number], high: Number | Sequence[Number]) -> Step:
    """z_ij = c_ij (a_i w_ij - low w_ij+ - high w_ij-), low and high for all or per channel i[0]; the bias cancels."""

    def at(bound: Any, i: Unit) -> Number:
        return bound[i[0]] if isinstance(bound, Sequence) else bound

    return without_bias(m, a, R, lambda i, c, w: c * (a[i] * w - at(low, i) * positive(w) - at(high, i) * negative(w)))


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
    """R_i = R_j, for a map that gives an output one input of its own, or none, as in the frame of a padding."""
    inputs = [i for j in R for i, c, w in m.connections[j]]
    if any(len(m.connections[j]) > 1 for j in R) or len(inputs) > len(set(inputs)):
        raise ValueError("Pass needs a gate, but this map mixes units: use epsilon or flat.")
    return flat(m, a, R)


RULES: dict[str, Callable[..., Step]] = {   # by the rule's name; called with m, a, R and the rule's parameters in order
    "Epsilon": epsilon, "AlphaBeta": alpha_beta, "ZPlus": z_plus, "Gamma": gamma, "ZBox": z_box,
    "WSquare": w_square, "Flat": flat, "Winner": winner, "Pass": passed,
}
