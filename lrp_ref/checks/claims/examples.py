"""Small exact examples of every layer and every rule: no dimension twice, both signs, zeros, ties, dead units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import inf, prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers, number_type, ones_like, same
from lrp_ref.checks.numbers.exact import GuardedFraction, exact_map, guarded
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    ExponentialChiSquareSVM,
    FisherVector,
    Flatten,
    GaussianSVM,
    IntersectionSVM,
    L2Norm,
    Layer,
    Linear,
    MaxPool,
    NegativeChiSquareSVM,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tanh,
)
from lrp_ref.layers.fisher.sift import Coverage
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

F = GuardedFraction
MASK = (1 << 64) - 1


def drawn(count: int, seed: int) -> Iterator[int]:
    """Whole numbers below 2^64 from a seed: SplitMix64, the same on every machine and under every NumPy."""
    state = seed * 0x9E3779B97F4A7C15 & MASK
    for _ in range(count):
        state = state + 0x9E3779B97F4A7C15 & MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        yield z ^ z >> 31


def whole_numbers(shape: tuple[int, ...], seed: int, low: int, high: int) -> Array:
    """An array of ints from low to high, drawn from a seed."""
    numbers = [low + n % (high - low + 1) for n in drawn(prod(shape), seed)]
    return np.array(numbers, dtype=np.int64).reshape(shape)


def image(*channels: str) -> Array:
    """A batch of one image; channels are texts whose rows are separated by commas."""
    return guarded([[[row.split() for row in channel.split(",")] for channel in channels]])


def mixed(shape: tuple[int, ...], seed: int = 0, number: Any = F) -> Array:
    """Small fractions of both signs, with zeros and ties among them, in any number type."""
    tops, bottoms = whole_numbers(shape, seed, -4, 5), whole_numbers(shape, seed + 1000, 0, 3)
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        out[index] = F(int(tops[index]), (1, 1, 2, 4)[bottoms[index]])
    return converted(out, number)


def converted(x: Array, number: Any) -> Array:
    """Guarded Fractions in another number type."""
    return x if number is F else convert_numbers(x, number)


@dataclass(frozen=True)
class Example:
    """A layer, the shape of one sample that it takes, and what makes any numbers an input for it.

    A histogram has no negative numbers, and a root is rational of squares alone.
    """

    layer: Any
    shape: tuple[int, ...]
    suited: Callable[[Array], Array] = same

    def x(self, samples: int = 2, seed: int = 0, number: Any = F) -> Array:
        """An input of that many samples, drawn from the seed."""
        return converted(self.suited(mixed((samples, *self.shape), seed)), number)

    def at(self, number: Any, samples: int = 2, seed: int = 0) -> tuple[Any, Array]:
        """The layer and an input, both in a number type."""
        return self.layer.astype(number), self.x(samples, seed, number)

    @property
    def rational(self) -> bool:
        """Whether the layer itself is exact; else its map in float64 is taken as the rationals it is."""
        return self not in IRRATIONAL.values()

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        """(a, m) at x in guarded Fractions."""
        if self.rational:
            return self.layer.linearize(x)
        return exact_map(self.layer.astype(np.float64), convert_numbers(x, np.float64))

    def map(self, samples: int = 2, seed: int = 0) -> tuple[Array, LinearMap]:
        """(a, m) at an input drawn from the seed, in guarded Fractions."""
        return self.linearize(self.x(samples, seed))

    def rules(self) -> dict[str, Rule]:
        """The rules that take the layer."""
        layer, x = self.at(np.float64, 1)
        m = layer.linearize(x)[1]
        return {name: rule for name, rule in RULES.items() if takes(m, rule)}


def twins(x: Array) -> Array:
    """The second number of the last axis equal to the first, so that opposite weights cancel."""
    out = x.copy()
    out[..., 1] = out[..., 0]
    return out


def cancelling(x: Array) -> Array:
    """The first number 3/2, at which a batch norm of `STATISTICS` is 3/4 - 3/4 = 0."""
    out = x.copy()
    out[0, 0] = F(3, 2)
    return out


def coarse(x: Array) -> Array:
    """-1, 0 or 1: full of ties."""
    return (x > 0) * F(1) - (x < 0) * F(1)


def signed_squares(x: Array) -> Array:
    """x |x|, whose signed root is x"""
    return x * abs(x)


def pythagorean(x: Array) -> Array:
    """Pairs (p, q) of the last axis as (p^2 - q^2, 2 p q), whose norm is p^2 + q^2."""
    p, q = x[..., ::2], x[..., 1::2]
    return np.reshape(np.stack([p * p - q * q, 2 * p * q], axis=-1), x.shape)


def two_with_a_rational_mean_square(x: Array) -> Array:
    """Descriptors p, q as |p^2 - q^2 + 2 p q| and |p^2 - q^2 - 2 p q|, whose mean square is (p^2 + q^2)^2."""
    p, q = x[:, 0], x[:, 1]
    return abs(np.stack([p * p - q * q + 2 * p * q, p * p - q * q - 2 * p * q], axis=1))


Three = tuple[Array, Array, Array]
STATISTICS: tuple[Array, Array, Array, Array] = (   # mean, variance, scale, shift
    guarded(["1", "-1/2", "3"]), guarded(["4", "9/4", "1/9"]), guarded(["-1", "3/2", "2"]), guarded(["1/4", "-2", "0"]))
MACHINE: Three = (abs(mixed((4, 3), 61)), mixed((2, 4), 63), guarded(["1/4", "-2"]))   # support, alphas, bias
ROOT = guarded(["1/2", "1", "0"])
MIXTURE: Three = (   # weights, means, variances
    guarded(["2/7", "5/7"]), mixed((2, 3), 63), abs(mixed((2, 3), 64)) + F(1, 2))
REGIONS = guarded([["1", "0", "1", "1"], ["1/2", "1", "0", "1/4"], ["0", "0", "0", "0"]])
DENSE = np.concatenate([mixed((5, 2), 52), guarded([["2"], ["-2"], ["0"], ["0"], ["0"]])], axis=1)   # of twins: z = 0
KERNEL = mixed((4, 1, 2, 3), 5)

RATIONAL: dict[str, Example] = {
    "Linear": Example(Linear(DENSE, guarded(["2", "-3/2", "0"])), (5,), twins),
    "Linear on rows, no bias": Example(Linear(mixed((4, 2), 3)), (3, 4)),
    "Conv2D": Example(Conv2D(KERNEL, guarded(["1/2", "-1", "0", "2"]), (1, 2), (2, 1), (2, 1), 2), (2, 3, 5)),
    "Conv2D, no bias": Example(Conv2D(mixed((3, 2, 3, 2), 6), pad=1), (2, 3, 4)),
    "MaxPool": Example(MaxPool((3, 2), (2, 1), (1, 1)), (2, 4, 3), coarse),
    "MaxPool, ceil": Example(MaxPool(2, (3, 2), (0, 1), ceil=True), (2, 4, 3), coarse),
    "AvgPool": Example(AvgPool((2, 3), (1, 2), (1, 2)), (2, 3, 4)),
    "AvgPool inside, ceil": Example(AvgPool((2, 3), 2, (1, 1), ceil=True, count_pad=False), (2, 4, 3)),
    "AvgPool, ceil": Example(AvgPool((3, 2), (2, 3), (1, 1), ceil=True), (2, 4, 5)),
    "SumPool": Example(SumPool((3, 2), (1, 2), Fraction(2, 3)), (2, 4, 5)),
    "AdaptiveAvgPool": Example(AdaptiveAvgPool((2, 3)), (2, 3, 5)),   # cells of 2 x 2 and of 2 x 3
    "ReLU": Example(ReLU(), (2, 3, 4)),
    "Flatten": Example(Flatten(), (2, 3, 4)),
    "BatchNorm": Example(BatchNorm(*STATISTICS, epsilon=0), (3, 2, 4)),
    "BatchNorm on vectors": Example(BatchNorm(*STATISTICS, epsilon=0), (3,), cancelling),
    "LRN": Example(LRN(3, F(3, 4), 2, 2), (4, 2, 3)),
    "LRN, taylor": Example(LRN(3, F(3, 4), 2, 2, taylor=True), (4, 2, 3)),
    "SignedSqrt": Example(SignedSqrt(), (2, 3, 4), signed_squares),
    "L2Norm": Example(L2Norm(3), (6,), pythagorean),
    "L2Norm, one part": Example(L2Norm(), (3, 2), pythagorean),
    "RegionMean": Example(RegionMean(guarded(["4", "0", "3/2"])), (6,)),
    "PMeans, mean": Example(PMeans(1), (4, 3), abs),
    "PMeans, p = 2": Example(PMeans(2), (2, 5), two_with_a_rational_mean_square),
    "PMeans, maximum": Example(PMeans(inf), (4, 3), lambda x: abs(coarse(x))),
    "SpreadLinear": Example(SpreadLinear(DENSE, guarded(["2", "-3/2", "0"])), (5,), twins),
    "SpreadLinear on rows, no bias": Example(SpreadLinear(mixed((4, 2), 3)), (3, 4)),
    "IntersectionSVM": Example(IntersectionSVM(*MACHINE), (3,), abs),
    "ChiSquareSVM": Example(ChiSquareSVM(*MACHINE), (3,), abs),
    "NegativeChiSquareSVM": Example(NegativeChiSquareSVM(*MACHINE), (3,), abs),
}
"""Layers that are rational end to end."""

IRRATIONAL: dict[str, Example] = {
    "Tanh": Example(Tanh(), (2, 3, 4)),
    "BatchNorm, epsilon": Example(BatchNorm(*STATISTICS), (3, 2, 4)),
    "LRN, Caffe": Example(LRN(5, 1e-4, 0.75, 1), (6, 2, 3)),
    "LRN, Caffe, taylor": Example(LRN(5, 0.3, 0.75, 1, taylor=True), (6, 2, 3)),
    "SignedSqrt of any numbers": Example(SignedSqrt(), (2, 3, 4)),
    "L2Norm of any numbers": Example(L2Norm(2), (3, 8)),
    "PMeans, p = 5/2": Example(PMeans(F(5, 2)), (4, 3), abs),
    "GaussianSVM": Example(GaussianSVM(*MACHINE, ROOT, gamma=F(1, 4)), (3,)),
    "ExponentialChiSquareSVM": Example(ExponentialChiSquareSVM(*MACHINE, ROOT, gamma=F(1, 3)), (3,), abs),
    "FisherVector": Example(FisherVector(*MIXTURE, REGIONS, F(1, 50)), (4, 3)),
    "DenseSift": Example(DenseSift((2, 1), 3), (1, 7, 8), abs),
}
"""Layers whose forward pass has no exact form; the rationals that their float64 map at an input is do."""

LAYERS = RATIONAL | IRRATIONAL

RULES: dict[str, Rule] = {
    "Epsilon(0)": Epsilon(0), "Epsilon(1/4)": Epsilon(F(1, 4)), "AlphaBeta(2, 1)": AlphaBeta(2, 1),
    "AlphaBeta(4/3, 1/3)": AlphaBeta(F(4, 3), F(1, 3)), "ZPlus": ZPlus(), "Gamma(1/4)": Gamma(F(1, 4)),
    "ZBox(-4, 5)": ZBox(-4, 5), "WSquare": WSquare(), "Flat": Flat(), "Winner": Winner(), "Pass": Pass(),
}


def takes(m: LinearMap, rule: Rule) -> bool:
    """Whether the rule is for such a map."""
    if isinstance(m, Coverage):
        return isinstance(rule, (Flat, WSquare))
    return m.gate if isinstance(rule, Pass) else not (m.learned and isinstance(rule, Winner))


@dataclass(frozen=True, eq=False)
class Pair:
    """A rule on an example layer that takes it; the map is made when it is asked for, once for all rules."""

    name: str
    example: Example
    rule_name: str
    rule: Rule
    map: Callable[[], tuple[Any, Any]]

    @property
    def what(self) -> str:
        return f"{self.rule_name} on {self.name}"

    def exactly(self, *results: Array) -> tuple[Array, ...]:
        """What belongs in a digest: nothing that comes from floats, which another machine rounds otherwise."""
        return results if self.example.rational else ()


def pairs(layers: dict[str, Example], samples: int = 2, seed: int = 0) -> Iterator[Pair]:
    """Every layer and every rule that takes it, at inputs drawn from the seed."""
    for name, example in layers.items():
        made = cache(partial(example.map, samples, seed))
        for rule_name, rule in example.rules().items():
            yield Pair(name, example, rule_name, rule, made)


def relevance_for(z: Array, seed: int = 9) -> Array:
    """Relevance for every output, in its number type, of both signs and with zeros, and else unlike the output."""
    return mixed(z.shape, seed, number_type(z))


def output_of(a: Array, m: LinearMap) -> Array:
    """Something of the outputs' shape."""
    return m.apply(a, ones_like)


# ---- Networks ----


def small_network(seed: int = 0) -> Network:
    """A CNN of guarded Fractions with every kind of layer a CNN of small numbers has: (N, 1, 6, 5) to 4 scores."""
    return Network([
        ("conv1", Conv2D(mixed((2, 1, 2, 2), seed), mixed((2,), seed + 1), pad=(0, 1))), ("relu1", ReLU()),
        ("pool1", MaxPool((2, 3), (1, 2))), ("conv2", Conv2D(mixed((3, 2, 1, 2), seed + 2))), ("relu2", ReLU()),
        ("avg", AvgPool((2, 1))), ("flat", Flatten()), ("fc", Linear(mixed((6, 4), seed + 3), mixed((4,), seed + 4))),
    ])


def sixteenths(shape: tuple[int, ...], seed: int, reach: int = 8, part: int = 16) -> Array:
    """Float64 multiples of 1/16, exact in binary, up to reach/16 either way."""
    return whole_numbers(shape, seed, -reach, reach) / part


def lenet(seed: int = 0) -> Network:
    """LeNet-sized: 28 x 28 pixels, two convolutions (6 and 16 channels), 120, 84, 10; float64 multiples of 1/16."""
    def both(*shape: int, outputs: int, n: int) -> tuple[Array, Array]:
        return sixteenths(shape, seed + n), sixteenths((outputs,), seed + n + 50)

    layers: list[tuple[str, Layer]] = [
        ("conv1", Conv2D(*both(6, 1, 5, 5, outputs=6, n=1), pad=2)), ("relu1", ReLU()), ("pool1", AvgPool(2)),
        ("conv2", Conv2D(*both(16, 6, 5, 5, outputs=16, n=2))), ("relu2", ReLU()), ("pool2", MaxPool(2)),
        ("flat", Flatten()), ("fc1", Linear(*both(400, 120, outputs=120, n=3))), ("relu3", ReLU()),
        ("fc2", Linear(*both(120, 84, outputs=84, n=4))), ("relu4", ReLU()),
        ("fc3", Linear(*both(84, 10, outputs=10, n=5)))]
    return Network(layers)


def lenet_image(seed: int = 0, samples: int = 1) -> Array:
    """(N, 1, 28, 28), multiples of 1/256 from 0 to 1."""
    return whole_numbers((samples, 1, 28, 28), seed + 7, 0, 256) / 256


VGG = ((8, 2), (16, 2), (32, 3), (64, 3), (64, 3))   # channels, an eighth of VGG-16's; convolutions


def vgg(seed: int = 0) -> Network:
    """VGG-16's thirteen convolutions and three fully connected layers at an eighth of the channels, 32 x 32 pixels."""
    layers: list[tuple[str, Layer]] = []
    channels = 3
    for block, (width, convolutions) in enumerate(VGG, 1):
        for n in range(1, convolutions + 1):
            reach = max(1, round(64 * (6 / (9 * channels)) ** 0.5))   # so that activations keep their size
            kernel = sixteenths((width, channels, 3, 3), seed + 10 * block + n, reach, 64)
            bias = sixteenths((width,), seed + 10 * block + n + 5, 8, 64)
            layers += [(f"conv{block}_{n}", Conv2D(kernel, bias, pad=1)), (f"relu{block}_{n}", ReLU())]
            channels = width
        layers.append((f"pool{block}", MaxPool(2)))
    layers.append(("flat", Flatten()))
    for n, outputs in ((6, 64), (7, 64), (8, 10)):
        weight = sixteenths((64, outputs), seed + 100 + n, 20, 64)
        layers.append((f"fc{n}", Linear(weight, sixteenths((outputs,), seed + 110 + n, 8, 64))))
        layers += [(f"relu{n}", ReLU())] if n < 8 else []
    return Network(layers)


def vgg_image(seed: int = 0) -> Array:
    """(1, 3, 32, 32), multiples of 1/256 from -1 to 1: with the mean subtracted."""
    return whole_numbers((1, 3, 32, 32), seed + 8, -256, 256) / 256


def rational(values: Array) -> Array:
    """Floats as the rationals they are."""
    return convert_numbers(values, Fraction)
