"""Small exact examples of every layer and every rule: no dimension twice, both signs, zeros, ties, dead units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache, partial
from math import inf
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers, number_type, ones_like
from lrp_ref.checks.numbers.exact import GuardedFraction, exact_map, guarded
from lrp_ref.layers import (
    GELU,
    LRN,
    AvgPool,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Flatten,
    L2Norm,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool,
    Mean,
    PMeans,
    ReLU,
    Reshape,
    Scale,
    SignedSqrt,
    Slice,
    SpreadLinear,
    Sum,
)
from lrp_ref.layers import LAYERS as KINDS
from lrp_ref.layers.example import Example as Plain
from lrp_ref.layers.example import mixed as fractions_of_both_signs
from lrp_ref.layers.example import whole_numbers
from lrp_ref.layers.fisher.norms import pythagorean
from lrp_ref.layers.pool import coarse
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network
from lrp_ref.rules import RULES as RULE_KINDS
from lrp_ref.rules import Rule

F = GuardedFraction


def mixed(shape: tuple[int, ...], seed: int = 0, number: Any = F) -> Array:
    """Small fractions of both signs, with zeros and ties among them, guarded or in another number type."""
    return convert_numbers(fractions_of_both_signs(shape, seed), number)


def image(*channels: str) -> Array:
    """A batch of one image; channels are texts whose rows are separated by commas."""
    return guarded([[[row.split() for row in channel.split(",")] for channel in channels]])


class Example(Plain):
    """A layer's example in guarded Fractions, or in any number type."""

    def x(self, samples: int = 2, seed: int = 0, number: Any = F) -> Array:
        """An input of that many samples, drawn from the seed."""
        x = self.suited(mixed((samples, *self.shape), seed))
        return x if number is F else convert_numbers(x, number)

    def at(self, number: Any, samples: int = 2, seed: int = 0) -> tuple[Any, Array]:
        """The layer and an input, both in a number type."""
        return self.layer.astype(number), self.x(samples, seed, number)

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


def of_kind(kind: type[Layer]) -> Example:
    """The example that a kind of layer gives itself."""
    own = kind.example()
    return Example(own.layer.astype(F), own.shape, own.suited, own.rational)


OWN = {name: of_kind(kind) for name, kind in KINDS.items()}
NORM = OWN["BatchNorm"].layer
STATISTICS: tuple[Array, Array, Array, Array] = (NORM.mean, NORM.variance, NORM.scale, NORM.shift)
SVM = OWN["IntersectionSVM"].layer
MACHINE: tuple[Array, Array, Array] = (SVM.support, SVM.alphas, SVM.bias)


def cancelling(x: Array) -> Array:
    """The first number 3/2, at which a batch norm of `STATISTICS` is 3/4 - 3/4 = 0."""
    out = x.copy()
    out[0, 0] = F(3, 2)
    return out


MORE = {   # what another bias, padding, or power may do
    "Linear on rows, no bias": Example(Linear(mixed((4, 2), 3)), (3, 4)),
    "Conv2D, no bias": Example(Conv2D(mixed((3, 2, 3, 2), 6), pad=1), (2, 3, 4)),
    "Conv2D, sides and a bias per position": Example(
        Conv2D(mixed((2, 1, 3, 2), 8), mixed((2, 3, 2), 7), (2, 3), ((0, 2), (1, 0))), (1, 5, 4)),
    "ConvTranspose2D, groups": Example(
        ConvTranspose2D(mixed((4, 1, 2, 3), 19), None, (1, 2), (1, 0), (2, 1), groups=2), (4, 3, 2)),
    "MaxPool, sides": Example(MaxPool((3, 2), 2, ((0, 2), (1, 0)), ceil=True), (2, 4, 3), coarse),
    "AvgPool, sides": Example(AvgPool((3, 2), (2, 1), ((0, 2), (1, 0))), (2, 4, 3)),
    "Clip, a floor above 0": Example(Clip(F(1, 2)), (2, 3, 4)),
    "Clip, nothing": Example(Clip(), (2, 3)),
    "LeakyReLU, one slope": Example(LeakyReLU(F(1, 4)), (2, 3, 4)),
    "GELU, tanh": Example(GELU(tanh=True), (2, 3, 4), rational=False),
    "Slice, backwards": Example(Slice(1, 3, None, -2), (5, 2, 3)),
    "Reshape, back to an image": Example(Reshape((2, 3, -1)), (12,)),
    "Scale, one number": Example(Scale(guarded(["-3/2"])), (2, 3)),
    "Scale, shift of rows": Example(Scale(None, mixed((3, 1), 31)), (2, 3, 4)),
    "Sum, kept": Example(Sum(2, keep=True), (2, 3, 4)),
    "Mean over rows": Example(Mean(1), (5, 3)),
    "MaxPool, ceil": Example(MaxPool(2, (3, 2), (0, 1), ceil=True), (2, 4, 3), coarse),
    "AvgPool inside, ceil": Example(AvgPool((2, 3), 2, (1, 1), ceil=True, count_pad=False), (2, 4, 3)),
    "AvgPool, ceil": Example(AvgPool((3, 2), (2, 3), (1, 1), ceil=True), (2, 4, 5)),
    "BatchNorm, epsilon": Example(BatchNorm(*STATISTICS), (3, 2, 4), rational=False),
    "BatchNorm on vectors": Example(BatchNorm(*STATISTICS, epsilon=0), (3,), cancelling),
    "LRN, taylor": Example(LRN(3, F(3, 4), 2, 2, taylor=True), (4, 2, 3)),
    "LRN, Caffe": Example(LRN(5, 1e-4, 0.75, 1), (6, 2, 3), rational=False),
    "LRN, Caffe, taylor": Example(LRN(5, 0.3, 0.75, 1, taylor=True), (6, 2, 3), rational=False),
    "SignedSqrt of any numbers": Example(SignedSqrt(), (2, 3, 4), rational=False),
    "L2Norm, one part": Example(L2Norm(), (3, 2), pythagorean),
    "L2Norm of any numbers": Example(L2Norm(2), (3, 8), rational=False),
    "PMeans, mean": Example(PMeans(1), (4, 3), abs),
    "PMeans, maximum": Example(PMeans(inf), (4, 3), lambda x: abs(coarse(x))),
    "PMeans, p = 5/2": Example(PMeans(F(5, 2)), (4, 3), abs, rational=False),
    "SpreadLinear on rows, no bias": Example(SpreadLinear(mixed((4, 2), 3)), (3, 4)),
}

LAYERS = OWN | MORE
RATIONAL = {name: one for name, one in LAYERS.items() if one.rational}
IRRATIONAL = {name: one for name, one in LAYERS.items() if not one.rational}
"""Layers whose forward pass has no exact form; the rationals that their float64 map at an input is do."""


def rule_name(rule: Rule) -> str:
    """AlphaBeta(4/3, 1/3)"""
    values = ", ".join(str(getattr(rule, field.name)) for field in fields(rule))  # type: ignore[arg-type]
    return type(rule).__name__ + (f"({values})" if values else "")


RULES: dict[str, Rule] = {rule_name(rule): rule for kind in RULE_KINDS.values() for rule in kind.examples()}


def takes(m: LinearMap, rule: Rule) -> bool:
    """Whether the rule is for such a map."""
    fits = {"gates": m.gate, "winners": not m.learned}.get(rule.only_for or "", True)
    return fits and not (m.weightless and rule.sees_activations)


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
        for title, rule in example.rules().items():
            yield Pair(name, example, title, rule, made)


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
