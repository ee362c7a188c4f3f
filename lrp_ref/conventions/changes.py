"""What an answer does to a rule: change(rule, layer, value) -> Rule, and the rule itself where it is not asked.

`value` is the answer's number, where it has one. `Changed` keeps a rule's kind, by which later changes know whether
they are meant: `kind(rule)` is the canonical rule inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, constant, negative, ones_like, positive, same, sign, sqrt, zeros
from lrp_ref.conventions.maps import (
    At,
    Misreturned,
    Normal,
    NoRule,
    Switched,
    average_of,
    first_pixel,
    first_winner,
    per_output,
    product,
    tangent,
    whole_window,
)
from lrp_ref.layers import Linear
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.elementwise import Gate
from lrp_ref.layers.pool import Pooling
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import AlphaBeta, Epsilon, Pass, Raised, Rule, Share, Winner, ZBox, ZPlus

SPLIT = (AlphaBeta, ZPlus)

Change = Callable[[Rule, Any, Any], Rule]
Guard = Callable[[Array], Array | None]


@dataclass(frozen=True, repr=False)
class Changed(Rule):
    """A rule with another map, other shares or another guard, each made of the rule's own."""

    rule: Rule
    sees: Callable[[Any, Array], LinearMap] = lambda m, a: m
    divides: Callable[[list[Share], Any, Array], list[Share]] = lambda shares, m, a: shares
    stabilises: Guard | None = None
    epsilon = property(lambda self: self.rule.epsilon)

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return self.sees(self.rule.seen(m, a), a)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.divides(self.rule.shares(m, a), m, a)

    def guard(self, z: Array) -> Array | None:
        return self.stabilises(z) if self.stabilises else self.rule.guard(z)

    def __repr__(self) -> str:
        return f"Changed({self.rule})"


@dataclass(frozen=True)
class Stabilised(Rule):
    """The shares of a rule, with another stabiliser: z + epsilon sign z; with 0, R over 0 is dead."""

    rule: Rule
    epsilon: Any

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return self.rule.seen(m, a)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.rule.shares(m, a)


def kind(rule: Rule) -> Any:
    """The rule inside all changes."""
    return kind(rule.rule) if isinstance(rule, (Changed, Stabilised)) else rule


def when(rules: Any, layers: Any, change: Change) -> Change:
    """The change, for these kinds of rules on these kinds of layers (None: on any)."""
    def asked(rule: Rule, layer: Any, value: Any) -> Rule:
        meant = isinstance(kind(rule), rules) and (layers is None or isinstance(layer, layers))
        return change(rule, layer, value) if meant else rule
    return asked


def unchanged(rule: Rule, layer: Any, value: Any) -> Rule:
    return rule


# ---- Which rule a layer has ----


@dataclass(frozen=True)
class Bare(Rule):
    """R_i = sum_j w_ij R_j or sum_j a_i w_ij R_j: divided by nothing, and of no kind that a change is meant for."""

    by_input: bool

    def guard(self, z: Array) -> Array:
        return constant(1, z) - z   # every denominator is 1

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a if self.by_input else ones_like(a), same)])]


def passes(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_i = R_j"""
    return Pass()


def passed_on(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_i = R_j of a layer that mixes its inputs, output i standing for input i."""
    return Changed(Bare(False), lambda m, a: Gate(ones_like(a), zeros((1,), a), a.shape))


def winner(rule: Rule, layer: Any, value: Any) -> Rule:
    """To the winner, as under Winner: max_pool says which of tied ones."""
    return Winner()


def gradient(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_i = sum_j dz_j/da_i R_j; of a maximum to its first winner."""
    return Changed(Bare(False), lambda m, a: tangent(layer, a)[0])


def contribution(rule: Rule, layer: Any, value: Any) -> Rule:
    """Eq. 1, of a maximum to its first winner; what is asked of Epsilon(0) later is asked of it too."""
    return Changed(Epsilon(0), first_winner)


def as_average(rule: Rule, layer: Any, value: Any) -> Rule:
    """Eq. 1 of the average over the same windows; what is asked of Epsilon(0) later is asked of it too."""
    return Changed(Epsilon(0), lambda m, a: average_of(layer, a))


def sum_contribution(rule: Rule, layer: Any, value: Any) -> Rule:
    """Eq. 1 of the plain sum of a window's inputs, which is what is 0 or not."""
    return on_the_sum(Epsilon(0), layer, value)


def undivided(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_i = sum_j a_i w_ij R_j, w the weights of LRN(taylor=True)."""
    return Changed(Bare(True), lambda m, a: replace(layer, taylor=True).linearize(a)[1])


def to_first_pixel(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_j to the first pixel of the window: of ones all tie, and the first wins."""
    return Changed(rule, first_pixel, lambda shares, m, a: [Share(1, [Term(ones_like(a), same)])])


def one_factor(n: int) -> Change:
    """A product of two, of which factor n has the whole share."""
    def change(rule: Rule, layer: Any, value: Any) -> Rule:
        def sees(m: Any, a: Array) -> LinearMap:
            whole = np.array([constant(k == n, a) for k in range(2)], dtype=a.dtype)
            return replace(layer, shares=whole).linearize(a)[1]
        return Changed(rule, sees)
    return change


def hands_nothing(rule: Rule, layer: Any, value: Any) -> Rule:
    """No share of R: all of it is dead."""
    return Changed(rule, divides=lambda shares, m, a: [])


def shares_left_out(rule: Rule, layer: Any, value: Any) -> Rule:
    """R_i = x_i (R_i - z_i sum_j R_j) of a softmax, the sum over scores that are left out too."""
    return Changed(rule, per_output)


def without_scale(rule: Rule, layer: Any, value: Any) -> Rule:
    """A layer norm's own map without scale and shift, which pass R on as a gate does."""
    return Changed(rule, lambda m, a: replace(layer, scale=None, shift=None).linearize(a)[1])


# ---- Which parameters ----


def rounded(rule: Rule, layer: Any, value: Any) -> Rule:
    """epsilon, or alpha and beta, rounded to float32."""
    match rule:
        case Epsilon() if rule.epsilon:
            return Epsilon(single(rule.epsilon))
        case AlphaBeta():
            parts = rule.alpha, -rule.beta
            return Changed(rule, divides=lambda shares, m, a: [
                replace(s, part=constant(single(part), a)) for s, part in zip(shares, parts)])
    return rule


def single(c: Any) -> float:
    return float(np.float32(c))


def only_one_zero(rule: Rule, layer: Any, value: Any) -> Rule:
    if kind(rule).beta:
        raise NoRule(f"AlphaBeta({kind(rule).alpha}, {kind(rule).beta}), needed alpha = 1, beta = 0")
    return rule


# ---- Which terms, which bias ----


def terms(new: Callable[[Share, Any, Array], list[Term]]) -> Change:
    """new(share, m, a): other terms in every share."""
    return lambda rule, layer, value: Changed(rule, divides=lambda shares, m, a: [
        replace(s, terms=new(s, m, a)) for s in shares])


split_weights = terms(lambda s, m, a: [replace(s.terms[0], a=a)])
weights_alone = terms(lambda s, m, a: [replace(s.terms[0], a=ones_like(a))])
on_the_sum = terms(lambda s, m, a: [replace(t, f=ones_like) for t in s.terms if t.f is not negative])


def quadrants(rule: Rule, layer: Any, value: Any) -> Rule:
    """Every term has a share, and b+ or b-, of its own."""
    return Changed(rule, divides=lambda shares, m, a: [
        Share(s.part, [replace(t, b=(positive if (s is shares[0]) == (n == 0) else negative)(m.bias))])
        for s in shares for n, t in enumerate(s.terms)])


@dataclass(frozen=True)
class Squared:
    """f(w) = w + gamma w w+"""

    gamma: Any

    def __call__(self, w: Array) -> Array:
        return w + constant(self.gamma, w) * w * positive(w)


def raised(gamma: Any) -> Function:
    return Raised(gamma, positive)


def one_form(f_of: Callable[[Any], Function]) -> Change:
    """One share of a and f(w), with f(b), whatever the signs."""
    def change(rule: Rule, layer: Any, value: Any) -> Rule:
        f = f_of(kind(rule).gamma)
        return Changed(rule, divides=lambda shares, m, a: [Share(1, [Term(a, f, f(m.bias))])])
    return change


def whatever_sign(rule: Rule, layer: Any, value: Any) -> Rule:
    """The share of z > 0 for every z."""
    return Changed(rule, divides=lambda shares, m, a: [replace(shares[0], part=constant(1, a))])


def of_positive_outputs(rule: Rule, layer: Any, value: Any) -> Rule:
    """The share of z > 0 alone: where z < 0, R is dead."""
    return Changed(rule, divides=lambda shares, m, a: shares[:1])


def bias(of: Callable[[Array], Any]) -> Change:
    """of(b) in every denominator."""
    return terms(lambda s, m, a: [replace(t, b=0 if n else of(m.bias)) for n, t in enumerate(s.terms)])


def nothing(b: Array) -> Any:
    return 0


def first_bias(rule: Rule, layer: Any, value: Any) -> Rule:
    """Every group has the biases of the first."""
    n = len(layer.weight) // layer.groups
    if layer.bias is None or layer.groups == 1:
        return rule
    return Changed(rule, lambda m, a: replace(m, bias=np.tile(m.bias[:n], (layer.groups, 1, 1))))


# ---- Windows whose padding counts ----


def window(per_channel: bool = False) -> Change:
    """A sum over the whole window, padding included; or over that of one channel."""
    def wider(s: Share, m: Any, a: Array) -> list[Term]:
        if not isinstance(m, (Convolution, Pooling)):
            return list(s.terms)
        t, *bounds = s.terms
        out = Term(bounds[1].a - bounds[0].a, negative) if bounds else t   # z-box: 0, in a box of 0 to high - low
        parts = m.weight.shape[1] if per_channel and m.learned else 1
        whole = whole_window(m, out) / constant(parts, a)
        return [replace(t, b=t.b + whole - m.apply(out.a, out.f)), *bounds]
    return terms(wider)


# ---- Which map ----


def outward(rule: Rule, n: int) -> int:
    """-1 for the terms at the bounds of a z-box, which are subtracted."""
    return -1 if n and isinstance(kind(rule), ZBox) else 1


def own_parameters(rule: Rule, layer: Any, value: Any) -> Rule:
    """A batch norm of whose scale and shift f is taken; its mean goes into the bias of every term."""
    def column(p: Array, a: Array) -> Array:
        return p[(slice(None), *(None,) * (a.ndim - 2))]

    def sees(m: Any, a: Array) -> LinearMap:
        return Normal(*(column(p, a) for p in (layer.scale, layer.shift, sqrt(layer.deviation2()))))

    centred = terms(lambda s, m, a: [
        replace(t, b=t.b - m.apply(outward(rule, n) * column(layer.mean, a) + 0 * a, t.f))
        for n, t in enumerate(s.terms)])
    return centred(Changed(rule, sees), layer, value)


def differentiated(rule: Rule, layer: Any, value: Any) -> Rule:
    """Every term is the layer itself at that term's input, handed down by its derivatives there."""
    def at(t: Term, c: int) -> Term:
        m, z = tangent(layer, c * t.a)
        return Term(t.a, At(m), c * z - product(m, t.a))

    each = terms(lambda s, m, a: [at(t, outward(rule, n)) for n, t in enumerate(s.terms)])
    return each(Changed(rule, lambda m, a: Switched(m)), layer, value)


def misreturned(rule: Rule, layer: Any, value: Any) -> Rule:
    """Backwards with padding and stride of 1; alpha-beta forwards too, whose sums have another shape then."""
    if (layer.pad, layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), (1, 1), 1):
        return rule
    if isinstance(kind(rule), SPLIT):
        raise NoRule(f"{type(kind(rule)).__name__} for a convolution with padding {layer.pad}, stride {layer.stride}, "
                     f"dilation {layer.dilation} and groups={layer.groups}, but for padding and stride of 1 alone")
    return Changed(rule, lambda m, a: Misreturned(m, layer))


# ---- What a denominator gets added ----

# form of a guard: what it makes of a number
FORMS: dict[str, Callable[[Any], Guard]] = {
    "signed": lambda c: lambda z: constant(c, z) * sign(z),
    "signed float32": lambda c: lambda z: constant(single(c), z) * sign(z),
    "sign(0) = -1": lambda c: lambda z: constant(c, z) * ((z > 0) * constant(2, z) - constant(1, z)),
    "sign(0) = 0": lambda c: lambda z: constant(c, z) * sign(z) * (z != 0),
    "undivided at 0": lambda c: lambda z: constant(c, z) * sign(z) * (z != 0) + constant(1, z) * (z == 0),
    "unsigned": lambda c: lambda z: constant(c, z) + 0 * z,
    "at 0": lambda c: lambda z: constant(c, z) * (z == 0),
    "clipped": lambda c: lambda z: sign(z) * np.maximum(abs(z), constant(c, z)) - z,
    "scaled": lambda c: lambda z: constant(c, z) * sign(z) * root_mean_square(z),
}


def root_mean_square(z: Array) -> Array:
    """Of all outputs of a sample."""
    return sqrt(np.mean(z * z, axis=tuple(range(1, z.ndim)), keepdims=True))


def guarded(rule: Rule, form: str, c: Any) -> Rule:
    return Changed(rule, stabilises=FORMS[form](c))


def stabilised(rule: Rule, layer: Any, value: Any) -> Rule:
    """value: a number that takes z's sign, (form, number), or "nan": divided by 0 as floats are."""
    if value == "nan":
        return guarded(rule, "signed", 0)
    return guarded(rule, *value) if isinstance(value, tuple) else Stabilised(rule, value)


def no_epsilon(rule: Rule, layer: Any, value: Any) -> Rule:
    return rule if kind(rule).epsilon else stabilised(rule, layer, value)


def own_epsilon(form: str, layers: Any = None) -> Change:
    """The rule's own epsilon in another form."""
    def change(rule: Rule, layer: Any, value: Any) -> Rule:
        epsilon = kind(rule).epsilon
        if epsilon and layers is not None and layer is not None and not isinstance(layer, layers):
            raise NoRule(f"all outputs of a sample at once, which an epsilon that is {form} needs: use it on Linear")
        return guarded(rule, form, epsilon) if epsilon else rule
    return change


scaled = own_epsilon("scaled", Linear)   # convolutions are worked on piece by piece


def dead_at_zero(rule: Rule, layer: Any, value: Any) -> Rule:
    """Where z = 0 nothing is handed down, whatever epsilon is."""
    return Changed(rule, divides=lambda shares, m, a: [
        replace(s, part=s.part * (denominator(s, m) != 0)) for s in shares]) if kind(rule).epsilon else rule


def denominator(s: Share, m: LinearMap) -> Any:
    """The sum over the terms of a share, its biases with it."""
    return sum(m.apply(t.a, t.f) + t.b for t in s.terms)


def difference(rule: Rule, layer: Any, value: Any) -> Rule:
    """z- as z - (z+ + 1e-16) - 1e-16, a difference of float64 numbers: what is left when they cancel."""
    def cancel(shares: list[Share], m: LinearMap, a: Array) -> list[Share]:
        up, *downs = shares
        plus = denominator(up, m)
        guard = rule.guard(plus)
        return [replace(up, over=plus if guard is None else plus + guard),
                *(replace(s, over=left(m(a), plus)) for s in downs)]
    return Changed(rule, divides=cancel, stabilises=lambda z: None)


def left(z: Array, plus: Array, number: Any = np.float64, c: float = 1e-16) -> Any:
    """z - (z+ + c) - c in floats, c of their type; in z's own type."""
    c = number(c)
    return constant((z.astype(number) - (plus.astype(number) + c)) - c, z)


