"""sigma_i: how far rounding at unit roundoff u typically carries a relevance, from runs with random rounding errors.

Every run is float64 with errors of an evaluation at u put in: a sum of n products in an order of its own is off by

    u sqrt((n - 1) z^2 / 9 + ((n - 1) / 6 + 1) Q / 3) xi,        Q = sum of the squares of the products,

which is what n - 1 partial sums and n products come to whose roundings are independent and even on -u .. u (a partial
sum of k has mean square k^2 / n^2 z^2 + k (n - k) / n^2 Q). xi is normal. Quotients, and R itself, are off by u times
a number even on -1 .. 1. A gate or winner that such errors turn is turned in some of the runs, and its sigma is
large. Where numbers leave the format on the way to a layer's weights (`layer.vanishing`), every sigma is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, as_array, convert_numbers, ones_like, same
from lrp_ref.assignment import assign
from lrp_ref.checks.rounding.arithmetic import arithmetic, present
from lrp_ref.hints import shown
from lrp_ref.layers import Layer
from lrp_ref.layers.base import whole
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import checked, every_layer, handed_down, through_network
from lrp_ref.rules import Guard, Rule, Share
from lrp_ref.starts import start
from lrp_ref.step import step

COVERS = ("regions", "mask")   # arrays of a layer that say what reaches what: a rounding does not move them
RUNS, MOST_RUNS = 32, 1_000_000
BATCH = 1 << 18   # numbers of the largest tensor worked on at a time: runs are one batch, or several


@dataclass(frozen=True)
class Squared:
    """f(w)^2, f(w) not 0 being at least eta / u: u times that is what a smaller one may be off by."""

    f: Function
    u: float

    def __call__(self, w: Array) -> Array:
        return np.maximum(abs(self.f(w)), present(self.f)(w) * arithmetic(self.u).eta / self.u) ** 2


def squared(f: Function, u: float) -> Function:
    return f if f is ones_like else Squared(f, u)


@dataclass(frozen=True, eq=False)
class Noisy(LinearMap):
    """A map whose sums are rounded at u: the map's own, and an error of the size above."""

    m: LinearMap
    u: float
    rng: np.random.Generator

    @property
    def weight(self) -> Array:  # type: ignore[override]
        return self.m.weight

    @property
    def bias(self) -> Array:  # type: ignore[override]
        return self.m.bias

    @property
    def learned(self) -> bool:  # type: ignore[override]
        return self.m.learned

    @property
    def gate(self) -> bool:  # type: ignore[override]
        return self.m.gate

    def __call__(self, a: Array) -> Array:
        return perturbed(self.apply(a, same) + self.m.bias, self.u, self.rng)

    def apply(self, a: Array, f: Function) -> Array:
        if f is ones_like and not (a != 1).any():   # a count is exact
            return self.m.apply(a, f)
        there = self.m.apply(np.where(a != 0, 1.0, 0.0), present(f))
        return self.off(self.m.apply(a, f), self.m.apply(a * a, squared(f, self.u)), there)

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        if f is ones_like and self.m.gate:   # Pass and its equals: nothing to round
            return self.m.transpose(s, f, shape)
        s = perturbed(s, self.u, self.rng)
        there = self.m.transpose(np.where(s != 0, 1.0, 0.0), present(f), shape)
        squares = self.m.transpose(s * s, squared(f, self.u), shape)
        return perturbed(self.off(self.m.transpose(s, f, shape), squares, there), self.u, self.rng)

    def off(self, z: Array, Q: Array, n: Array) -> Array:
        """The sum z of n products, whose squares are Q in all, as an evaluation at u might have it."""
        if self.m.gate:   # one product
            return perturbed(z, self.u, self.rng)
        sums = np.maximum(n - 1, 0)
        return z + self.u * np.sqrt(sums * z * z / 9 + (sums / 6 + 1) * Q / 3) * self.rng.standard_normal(z.shape)


def perturbed(x: Array, u: float, rng: np.random.Generator) -> Array:
    """x with a relative error, even on -u .. u."""
    return vanishing(x * (1 + u * rng.uniform(-1, 1, x.shape)), u, rng)


def vanishing(x: Array, u: float, rng: np.random.Generator) -> Array:
    """x with an error, even on -eta .. eta, and as a multiple of eta, where it is below the smallest normal number."""
    to = arithmetic(u)
    small = (x != 0) & (abs(x) < to.least)
    return np.where(small, np.rint(x / to.eta + rng.uniform(-1, 1, x.shape)) * to.eta, x) if small.any() else x


def noisy_layer(layer: Layer, x: Array, u: float, rng: np.random.Generator) -> Array:
    """The layer's output with errors: in its sums, or, where it is no plain sum, in its input and output."""
    if layer.roundings.output == 0:   # nothing is rounded
        return layer(x)
    if layer.affine:
        a, m = layer.linearize(x)
        return Noisy(m, u, rng)(a)
    return perturbed(layer(perturbed(x, u, rng)), u, rng)


def noisy_step(rule: Rule, layer: Layer, x: Array, R: Array, u: float, rng: np.random.Generator) -> Array:
    """The relevance of x with errors, piece by piece."""
    a, m = layer.linearize(x)
    m = noisy_weights(layer, x, u, rng) if weights_are_off(layer) else m
    below = np.zeros(x.shape)
    for inputs, outputs, piece in m.pieces(a.shape):
        seen = rule.seen(piece, a[inputs])
        below[inputs] += step(AsSeen(rule), Noisy(seen, u, rng), a[inputs], R[outputs])[0]
    return vanishing(below, u, rng)


@dataclass(frozen=True)
class AsSeen(Rule):
    """A rule whose own map is there already."""

    rule: Rule

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return self.rule.shares(m, a)

    def guard(self, z: Array) -> Guard:
        return self.rule.guard(z)


def weights_are_off(layer: Layer) -> bool:
    """Whether a run has weights of its own: they are sums over the image that may cancel."""
    return bool(layer.roundings.unknown and layer.arrays())


def noisy_weights(layer: Layer, x: Array, u: float, rng: np.random.Generator) -> LinearMap:
    """The map at x where weights are sums over the image that may cancel: that of parameters and an x that are off."""
    arrays: dict[str, Any] = {
        name: perturbed(array, u, rng) for name, array in layer.arrays().items() if name not in COVERS}
    m = replace(layer, **arrays).linearize(perturbed(x, u, rng))[1]  # type: ignore[type-var]
    if isinstance(m, FisherMap):
        # (l - mu)^2 / sigma^2 - 1 may be summed as powers of l, which cancel near the mean. Each has a coefficient of
        # three roundings, and a sum of n descriptors, whose partial sums of k are off by k / n of it: as n / 3 more.
        given = {field.name: getattr(m, field.name) for field in fields(m)}
        return WithPolynomial(**given, off=perturbed(m.polynomial, u * np.sqrt(3 + x.shape[1] / 3), rng))
    return m


@dataclass(frozen=True, eq=False)
class WithPolynomial(FisherMap):
    """The map of a Fisher vector with another P in its place."""

    off: Any = None

    @property
    def polynomial(self) -> Array:
        return np.asarray(self.off)


def monte_carlo(network: Network, x: Array, rules: Mapping[str, Rule] | None = None, target: Any = None,
                u: float = 2.0**-24, runs: int = RUNS, seed: int = 0) -> dict[str, Array]:
    """{tensor: sigma of its relevance}: the root mean square error of `runs` runs at unit roundoff u.

    Arguments as `explain` takes them, floats. The class with target=None is that of the run without errors.
    """
    if not (whole(runs) and 0 < runs <= MOST_RUNS and whole(seed) and seed >= 0):
        raise ValueError(f"monte_carlo got runs={shown(runs)}, seed={shown(seed)}, needed 1 to {MOST_RUNS} runs and a "
                         "seed of at least 0, whole numbers")
    x = convert_numbers(checked(network, x), np.float64)
    network = network.astype(np.float64)
    rules, rng = assign(network) if rules is None else every_layer(network, rules), np.random.default_rng(seed)
    clean = network.activations(x)
    target = clean[network.output].argmax(axis=1) if target is None else as_array(target)
    target = convert_numbers(target, np.float64) if target.dtype == np.float32 else target
    centre = through_network(network, rules, x, start(clean[network.output], target), clean)
    squares, to = {t: np.zeros(R.shape) for t, R in centre.items()}, arithmetic(u)
    alone = any(weights_are_off(layer) for _, layer in network)
    most = 1 if alone else max(1, BATCH // max(tensor.size for tensor in clean.values()))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for together in [most] * (runs // most) + [runs % most] * (runs % most > 0):
            xs = {INPUT: np.concatenate([x] * together)}
            for name, layer in network:
                xs[name] = noisy_layer(layer, network.read(name, xs), u, rng)
            wanted = np.concatenate([target] * together) if target.ndim else target
            Rs, _ = handed_down(network, xs, start(xs[network.output], wanted), lambda name, layer, a, R: (
                noisy_step(rules[name], layer, a, R, u, rng)))
            squares = {t: square + ((Rs[t].reshape(together, *square.shape) - centre[t]) ** 2).sum(axis=0)
                       for t, square in squares.items()}
    lost = any(np.any(layer.vanishing(network.read(name, clean), to.least, to.largest)) for name, layer in network)
    return {t: np.full(square.shape, np.inf) if lost else np.nan_to_num(np.sqrt(square / runs), nan=np.inf)
            for t, square in squares.items()}

