"""Implementations that are wrong in one way each, and the words by which that way must be named.

They are written for the suite's own test (test_wrong_adapters.py): each is LRP as it should be, but for one mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array, negative, positive, same
from lrp_ref.conventions.table import spoken
from lrp_ref.layers import Conv2D, Layer
from lrp_ref.layers.conv import Convolution
from lrp_ref.layers.pool import Pooling
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Pass, Rule, Share, Winner, ZPlus
from lrp_ref.step import step

Rules = Mapping[str, Rule]
Step = Callable[[Rule, Layer, Array, Array], Array]


def right_step(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
    """R_i of a layer's inputs, all samples at once."""
    a, m = layer.linearize(x)
    return step(rule, m, a, R)[0]


def downwards(network: Network, rules: Rules, x: Array, R: Array, below: Step = right_step) -> Array:
    xs = network.activations(x)
    for (name, layer), a in reversed(list(zip(network, xs.values()))):
        R = below(rules[name], layer, a, R)
    return R


@dataclass(frozen=True)
class Wrong:
    """An implementation that hands down a layer in some other way."""

    name: str
    below: Step
    conventions: Mapping[str, Any] = field(default_factory=dict)
    version: str = "1"
    unit_roundoff: float = 2.0**-53

    def relevance(self, network: Network, rules: Rules, x: Array, R: Array) -> Array:
        with np.errstate(all="ignore"):
            return downwards(network, rules, x, R, self.below)


@dataclass(frozen=True)
class WrongAltogether(Wrong):
    """An implementation that does something else: `whole` of network, rules, x, R."""

    below: Step = right_step
    whole: Callable[[Network, Rules, Array, Array], Array] = downwards

    def relevance(self, network: Network, rules: Rules, x: Array, R: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.whole(network, rules, x, R)


# ---- Whole answers ----


def gradient_times_input(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    def gradient(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        a, m = layer.linearize(x)
        return m.transpose(R + 0 * m(a), same, a.shape)

    return downwards(network, rules, x, R, gradient) * x


def in_float32(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    got = downwards(network.astype(np.float32), rules, x.astype(np.float32), R.astype(np.float32))
    return got.astype(np.float64)


def not_a_number(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    """Where an input is 0: of the answer divided and multiplied by it."""
    return downwards(network, rules, x, R) / x * x


def transposed(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    """Rows and columns of an image in the other order, in an array of the right shape."""
    got = downwards(network, rules, x, R)
    return np.swapaxes(got, 2, 3).reshape(x.shape) if x.ndim == 4 else got


def cut_off_too_high(network: Network, rules: Rules, x: Array, R: Array) -> Array:
    """The lowest rule, where it is Flat, reaches up to and including the next layer with another rule but Pass."""
    rules, filler = dict(rules), rules[network.names[0]]
    if isinstance(filler, Flat):
        for name in network.names:
            kept, rules[name] = rules[name], filler
            if kept != filler and not isinstance(kept, Pass):
                break
    return downwards(network, rules, x, R)


class Forgetful:
    """Adds what is left of the call before, every third call with images."""

    name, version, unit_roundoff = "kept between calls", "1", 2.0**-53
    conventions: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self.calls, self.left = 0, np.zeros(1)

    def relevance(self, network: Network, rules: Rules, x: Array, R: Array) -> Array:
        got = downwards(network, rules, x, R)
        if x.ndim != 4:
            return got
        self.calls += 1
        self.left, left = got, self.left
        return got + left.sum() + 1 if self.calls % 3 == 0 else got


# ---- Rules ----


@dataclass(frozen=True)
class Changed(Rule):
    """A rule with another guard, or other shares."""

    rule: Rule
    guard_of: Callable[[Rule, Array], Array | None] = lambda rule, z: rule.guard(z)
    shares_of: Callable[[Rule, LinearMap, Array], list[Share]] = lambda rule, m, a: rule.shares(m, a)

    def guard(self, z: Array) -> Array | None:
        return self.guard_of(self.rule, z)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.shares_of(self.rule, m, a)


def of_rule(change: Callable[[Rule], Rule]) -> Step:
    return lambda rule, layer, x, R: right_step(change(rule), layer, x, R)


def batch_summed(rule: Rule) -> Rule:
    def guard(rule: Rule, z: Array) -> Array:
        """What is missing in z of the sum over samples and its stabiliser; where the sum is 0, nothing goes on."""
        total = z.sum(axis=0) + 0 * z
        return np.where(total == 0, np.inf, total - z + rule.epsilon * np.where(total < 0, -1, 1))

    return Changed(rule, guard)


def swapped_bias(rule: Rule, m: LinearMap, a: Array) -> list[Share]:
    """b- with alpha, b+ with beta."""
    biases = iter([negative(m.bias), positive(m.bias)])
    shares = []
    for share in rule.shares(m, a):
        first, *rest = share.terms
        shares.append(Share(share.part, [Term(first.a, first.f, next(biases)), *rest]))
    return shares


def relative(rule: Rule) -> Rule:
    return Changed(rule, lambda rule, z: rule.epsilon * z if rule.epsilon else None)


def ignored(rule: Rule) -> Rule:
    return rule if isinstance(rule, (Pass, Winner, Epsilon)) else Epsilon(0)


# ---- Windows ----


def of_map(change: Callable[[Convolution, Array], LinearMap]) -> Step:
    """Backwards through another map than forwards, in convolutions."""
    def below(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        if not isinstance(layer, Conv2D):
            return right_step(rule, layer, x, R)
        a, m = layer.linearize(x)
        return step(rule, Backwards(m, change(m, a)), a, R)[0]   # type: ignore[arg-type]

    return below


@dataclass(frozen=True, eq=False)
class Backwards(LinearMap):
    """Forwards m, backwards another map."""

    m: LinearMap
    other: LinearMap

    def __getattr__(self, name: str) -> Any:
        return getattr(self.m, name)

    learned = True

    def apply_each(self, a: Array, functions: Any) -> list[Array]:
        return self.m.apply_each(a, functions)

    def transpose_sum(self, s: Any, functions: Any, shape: Any) -> Array:
        return self.other.transpose_sum(s, functions, shape)


def shifted(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
    """Backwards the padding is one less: what belongs to a pixel goes to its neighbour."""
    a, m = layer.linearize(x)
    if not isinstance(m, (Convolution, Pooling)) or min(m.window.before) < 1:
        return right_step(rule, layer, x, R)
    top, left = m.window.before
    bottom, right = (v * s + k for v, s, k in zip(R.shape[2:], m.window.stride, m.window.extent))
    window = replace(m.window, before=(top - 1, left - 1), after=(bottom, right))
    return step(rule, Backwards(m, replace(m, window=window)), a, R)[0]


def no_dilation(m: Convolution, a: Array) -> LinearMap:
    rows, columns = m.window.extent
    return replace(m, window=replace(m.window, dilation=(1, 1), after=(8 * rows, 8 * columns)), stacks={})


def no_groups(m: Convolution, a: Array) -> LinearMap:
    return replace(m, weight=np.concatenate([m.weight] * m.groups, axis=1), groups=1, stacks={})


def kernel_swapped(m: Convolution, a: Array) -> LinearMap:
    h, w = m.weight.shape[2:]
    return replace(m, weight=np.swapaxes(m.weight, 2, 3), stacks={}) if h == w else m


def kernel_flipped(m: Convolution, a: Array) -> LinearMap:
    return replace(m, weight=m.weight[:, :, ::-1, ::-1], stacks={})


def only(kinds: tuple[type[Rule], ...], change: Callable[[Rule], Rule]) -> Step:
    return of_rule(lambda rule: change(rule) if isinstance(rule, kinds) else rule)


# the adapter, and words by which what its answers look like must name it
WRONG: list[tuple[Any, str]] = [
    (WrongAltogether("always zero", whole=lambda network, rules, x, R: 0 * x), "all relevance is 0"),
    (WrongAltogether("gradient times input", whole=gradient_times_input), "the gradient times the input"),
    (Wrong("one denominator per batch", of_rule(batch_summed)), "all samples of the batch shared one denominator"),
    (WrongAltogether("float32 inside", whole=in_float32), "it were computed in float32"),
    (Wrong("sign(0) liar", of_rule(lambda rule: spoken({"sign_of_zero": -1, "parameters": "float32"}, rule, None)),
           {"sign_of_zero": 1}), "sign(0) = -1"),
    (Wrong("padding off by one", shifted), "backwards the padding were"),
    (Wrong("bias swapped", only((AlphaBeta, ZPlus), lambda rule: Changed(rule, shares_of=swapped_bias))),
     "b+ stood in the negative sum and b- in the positive"),
    (WrongAltogether("not a number at times", whole=not_a_number), "numbers are not finite"),
    (WrongAltogether("image transposed", whole=transposed), "rows and columns of the image were swapped"),
    (Forgetful(), "None"),   # its numbers look like nothing: a report asks again
    (Wrong("rule ignored", of_rule(ignored)), "the rule were Epsilon(0)"),
    (Wrong("epsilon relative", only((Epsilon,), relative)), "the stabiliser were relative to z itself"),
    (WrongAltogether("cut-off too high", whole=cut_off_too_high), "the cut-off included"),
    (Wrong("kernel rows and columns swapped", of_map(kernel_swapped)), "rows and columns of the kernel were swapped"),
    (Wrong("kernel flipped", of_map(kernel_flipped)), "the kernel were flipped"),
    (Wrong("groups ignored", of_map(no_groups)), "groups were ignored"),
    (Wrong("dilation ignored", of_map(no_dilation)), "there were no dilation"),
]


class Said(NamedTuple):
    """What a report must say of most failures, in the cases whose ids begin so."""

    words: str
    begin: tuple[str, ...]


UNTOLD = "not explained"   # no formula of the diagnosis does that: it must not name another
SAID = {
    "gradient times input": Said("the denominator is 1, in place of the sum", ("epsilon-linear", "epsilon-conv2d")),
    "one denominator per batch": Said("the denominator is the sum over the samples of the batch", ("zplus-linear",)),
    "float32 inside": Said("right to float32's accuracy", ("epsilon-linear",)),
    "sign(0) liar": Said("sign(0) = -1", ("sign-of-zero", "epsilon-linear")),
    "padding off by one": Said("the way back goes through windows as if there were no padding", ("flat-conv2d", "d5")),
    # Of a z+ the bias b+ is then left out: (a w)+ (1 + b+ / sum) / (sum + b), which is the share without it.
    "bias swapped": Said("its part of the bias by magnitude in the numerator", (
        "zplus-linear", "alphabeta-linear", "bias-alpha-beta-linear")),
    "not a number at times": Said("not explained: numbers that are not finite", ("epsilon-linear",)),
    "image transposed": Said("rows and columns of images transposed", ("epsilon-conv2d",)),
    "kept between calls": Said("something kept between calls: the same question had", ("epsilon-conv2d",)),
    "rule ignored": Said("an input contributes a w in place of (a w)+", ("zplus-linear", "zplus-conv2d")),
    "epsilon relative": Said("the stabiliser is epsilon z in place of epsilon sign z", ("epsilon-linear",)),
    "cut-off too high": Said("Flat of the lowest layers reaches too high", ("cutoff-cnn-relu1", "cutoff-cnn-conv2")),
    "kernel rows and columns swapped": Said("windows with the kernel transposed", ("alphabeta-conv2d",)),
    "kernel flipped": Said("the kernel's rows and columns reversed", ("epsilon-conv2d",)),
    "groups ignored": Said("as if there were no groups", ("epsilon-conv2d", "flat-conv2d")),
    "dilation ignored": Said("as if the kernel were not dilated", ("epsilon-conv2d", "flat-conv2d")),
}
