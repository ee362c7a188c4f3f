"""What the core's tests share: arrays of any number type, example layers and rules, and both by loops."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pytest

from lrp_ref.arrays import Array, convert_numbers, same
from lrp_ref.checks.claims.by_loops import defined, defined_step, input_of, units
from lrp_ref.checks.claims.examples import RULES as EXAMPLES_OF_RULES
from lrp_ref.checks.claims.examples import takes
from lrp_ref.checks.definitions import Units
from lrp_ref.layers import LAYERS as TYPES
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.elementwise import Flatten, ReLU, Tanh
from lrp_ref.layers.fisher.norms import L2Norm, RegionMean, SignedSqrt, pythagorean, signed_squares
from lrp_ref.layers.fisher.pmeans import PMeans, two_with_a_rational_mean_square
from lrp_ref.layers.fisher.sift import DenseSift
from lrp_ref.layers.fisher.svm import (
    ChiSquareSVM,
    ExponentialChiSquareSVM,
    GaussianSVM,
    IntersectionSVM,
    NegativeChiSquareSVM,
    SpreadLinear,
)
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AdaptiveAvgPool, AvgPool, MaxPool, SumPool
from lrp_ref.ledger import Account
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Rule
from lrp_ref.step import step

F = Fraction
QUARTER, THIRD = F(1, 4), F(1, 3)


# ---- Arrays ----


def fractions(nested: Any) -> Array:
    """An array of Fractions from nested lists of numbers or of texts such as "1/2 -3", which are rows."""
    if isinstance(nested, str):
        nested = [F(word) for word in nested.split()]
    if isinstance(nested, list) and any(isinstance(part, str) for part in nested):
        nested = [[F(word) for word in row.split()] for row in nested]
    return convert_numbers(np.array(nested, dtype=object), F)


def image(*channels: str) -> Array:
    """A batch of one image of Fractions; channels are texts whose rows are separated by commas."""
    return fractions([[[[F(word) for word in row.split()] for row in channel.split(",")] for channel in channels]])


def mixed(shape: tuple[int, ...], seed: int = 0, number: type = F) -> Array:
    """Small fractions of both signs, with zeros and ties among them, in any number type."""
    rng = np.random.default_rng([seed, *shape])
    tops, bottoms = rng.integers(-4, 6, shape), rng.choice([1, 1, 2, 4], shape)
    exact = [F(int(p), int(q)) for p, q in zip(tops.flat, bottoms.flat)]
    return convert_numbers(np.array(exact, dtype=object).reshape(shape), number)


def types_in(x: Array) -> set[type]:
    """The types of an array's numbers, every one looked at."""
    return set(map(type, x.flat))


def total(x: Array) -> Any:
    """The sum of all numbers, exact for Fractions."""
    return sum(x.flat)


def refused(message: str) -> Any:
    """A ValueError of one line with this message, in which … stands for anything."""
    return pytest.raises(ValueError, match="^" + "[^\n]*".join(map(re.escape, message.split("…"))) + "$")


# ---- Example layers and rules ----


@dataclass(frozen=True)
class Example:
    """A layer, the shape of one sample that it takes, and what makes any numbers an input for it.

    A histogram has no negative numbers, and a root is rational of squares alone.
    """

    layer: Any
    shape: tuple[int, ...]
    suited: Callable[[Array], Array] = same

    def x(self, number: type = F, samples: int = 2, seed: int = 0) -> Array:
        return convert_numbers(self.suited(mixed((samples, *self.shape), seed)), number)

    def at(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Any, Array]:
        """The layer and an input, both in a number type."""
        return self.layer.astype(number), self.x(number, samples, seed)

    def map(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Array, LinearMap]:
        layer, x = self.at(number, samples, seed)
        return layer.linearize(x)


STATISTICS = [fractions("1 -1/2 3"), fractions("4 9/4 1/9"), fractions("-1 3/2 2"), fractions("1/4 -2 0")]
MACHINE = [abs(mixed((4, 3), 61)), mixed((2, 4), 63), fractions("1/4 -2")]      # support, alphas, bias
ROOT = fractions("1/2 1 0")
MIXTURE = [fractions("2/7 5/7"), mixed((2, 3), 63), abs(mixed((2, 3), 64)) + F(1, 2)]      # weights, means, variances
REGIONS = fractions(["1 0 1 1", "1/2 1 0 1/4", "0 0 0 0"])

RATIONAL: dict[str, Example] = {
    "Linear": Example(Linear(mixed((5, 3), 52), mixed((3,), 53)), (5,)),
    "Linear on rows, no bias": Example(Linear(mixed((4, 2), 3)), (3, 4)),
    "Conv2D": Example(Conv2D(mixed((4, 1, 2, 3), 4), mixed((4,), 5), (1, 2), (2, 1), (2, 1), 2), (2, 3, 5)),
    "Conv2D, no bias": Example(Conv2D(mixed((3, 2, 3, 2), 6), pad=1), (2, 3, 4)),
    "MaxPool": Example(MaxPool((3, 2), (2, 1), (1, 1)), (2, 4, 3)),
    "MaxPool, ceil": Example(MaxPool(2, (3, 2), (0, 1), ceil=True), (2, 4, 3)),
    "AvgPool": Example(AvgPool((2, 3), (1, 2), (1, 2)), (2, 3, 4)),
    "AvgPool inside, ceil": Example(AvgPool((2, 3), 2, (1, 1), ceil=True, count_pad=False), (2, 4, 3)),
    "AvgPool, ceil": Example(AvgPool((3, 2), (2, 3), (1, 1), ceil=True), (2, 4, 5)),
    "SumPool": Example(SumPool((3, 2), (1, 2), F(2, 3)), (2, 4, 5)),
    "AdaptiveAvgPool": Example(AdaptiveAvgPool((2, 3)), (2, 3, 4)),
    "ReLU": Example(ReLU(), (2, 3, 4)),
    "Flatten": Example(Flatten(), (2, 3, 4)),
    "BatchNorm": Example(BatchNorm(*STATISTICS, epsilon=0), (3, 2, 4)),
    "BatchNorm on vectors": Example(BatchNorm(*STATISTICS, epsilon=0), (3,)),
    "LRN": Example(LRN(3, F(3, 4), 2, 2), (4, 2, 3)),
    "LRN, taylor": Example(LRN(3, F(3, 4), 2, 2, taylor=True), (4, 2, 3)),
    "SignedSqrt": Example(SignedSqrt(), (2, 3, 4), signed_squares),
    "L2Norm": Example(L2Norm(), (3, 2), pythagorean),
    "L2Norm, parts": Example(L2Norm(3), (6,), pythagorean),
    "RegionMean": Example(RegionMean(fractions("4 0 3/2")), (6,)),
    "PMeans, mean": Example(PMeans(1), (4, 3), abs),
    "PMeans, p = 2": Example(PMeans(2), (2, 5), two_with_a_rational_mean_square),
    "PMeans, maximum": Example(PMeans(inf), (4, 3), abs),
    "SpreadLinear": Example(SpreadLinear(mixed((5, 3), 52), mixed((3,), 53)), (5,)),
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
    "GaussianSVM": Example(GaussianSVM(*MACHINE, ROOT, gamma=QUARTER), (3,)),
    "ExponentialChiSquareSVM": Example(ExponentialChiSquareSVM(*MACHINE, ROOT, gamma=THIRD), (3,), abs),
    "FisherVector": Example(FisherVector(*MIXTURE, REGIONS, F(1, 50)), (4, 3)),
}
"""Layers whose forward pass has no exact form; their maps at an input do (`exact`)."""

COVERAGES: dict[str, Example] = {"DenseSift": Example(DenseSift((2, 1), 2), (1, 7, 8))}
"""A layer whose map has no weights: its forward pass is no sum over inputs, and rules that ask for weights refuse."""

MET = {type(example.layer) for example in (RATIONAL | IRRATIONAL | COVERAGES).values()}
for kind in set(TYPES.values()) - MET:   # of a kind that is not above, its own
    own = kind.example()
    (RATIONAL if own.rational else IRRATIONAL)[kind.__name__] = Example(own.layer, own.shape, own.suited)

LAYERS = RATIONAL | IRRATIONAL

RULES: dict[str, Rule] = EXAMPLES_OF_RULES


def pairs(layers: dict[str, Example]) -> list[Any]:
    """Every layer with every rule that takes it, for parametrize, with ids that read."""
    return [pytest.param(example, rule, id=f"{rule_name} on {name}")
            for name, example in layers.items() for rule_name, rule in RULES.items()
            if takes(example.map(np.float64 if name in IRRATIONAL else F, samples=1)[1], rule)]


def converted(m: Any, number: type) -> Any:
    """A map with the arrays it is made of in another number type."""
    arrays = {f.name: getattr(m, f.name) for f in fields(m) if isinstance(getattr(m, f.name), np.ndarray)}
    return replace(m, **{name: convert_numbers(array, number) for name, array in arrays.items()})


def exact(m: LinearMap) -> LinearMap:
    """A map computed in floats, its numbers taken as the rationals they are."""
    return converted(m, F)


def relevance_for(z: Array, seed: int = 9) -> Array:
    """Relevance for every output, of both signs and with zeros, that has nothing to do with the output."""
    return mixed(z.shape, seed, z.dtype.type if z.dtype != object else type(z.flat[0]))


# ---- The same, as definitions by loops ----


def distance(got: Any, wanted: Any) -> Any:
    """The largest difference, as a part of the largest number of the batch."""
    return np.abs(np.asarray(got) - wanted).max() / np.abs(wanted).max()


def arrayed(values: Units, shape: tuple[int, ...]) -> Array:
    """One sample from {unit: number}; a unit that is not listed is 0."""
    return fractions([values.get(unit, 0) for unit in np.ndindex(*shape)]).reshape(shape)


COLUMNS = ("handed", "bias", "stabiliser", "dead")


def assert_as_defined(layer: Any, rule: Rule, x: Array, R: Array) -> None:
    """Relevance and all four ledger columns of every sample are exactly those of the definition."""
    a, m = layer.linearize(x)
    relevance, account = step(rule, m, a, R)
    for n in range(len(x)):
        wanted = defined_step(rule, defined(layer, x[n]), input_of(layer, x[n]), R[n])
        assert units(relevance[n]) == wanted.relevance
        for column in COLUMNS:
            assert units(getattr(account, column)[n]) == getattr(wanted, column), column
    assert (account.received == R).all()


# ---- The smallest layers: one output, or a map of one row ----


def one_output(rule: Rule, weight: str, bias: str, x: str, R: str) -> tuple[list[Any], Account]:
    """Relevance of the inputs of one fully connected output, and its account; all from texts of fractions."""
    layer = Linear(fractions(weight)[:, None], fractions(bias))
    a, m = layer.linearize(fractions(x)[None])
    relevance, account = step(rule, m, a, fractions([[F(R)]]))
    return relevance[0].tolist(), account


def columns(account: Account) -> list[Any]:
    """[handed, bias, stabiliser, dead] of a single output."""
    return [column.item() for column in account.parts()]

