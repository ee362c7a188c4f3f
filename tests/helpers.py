"""What the core's tests share: arrays of any number type, example layers and rules, and both by loops."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Pass,
    ReLU,
    SumPool,
    Tanh,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
)
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks import definitions as by_loops
from lrp_ref.checks.definitions import Map, Step, Units
from lrp_ref.ledger import Account
from lrp_ref.linear_map import LinearMap
from lrp_ref.relevance import step
from lrp_ref.rules import Rule

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
    """A layer, and the shape of one sample that it takes."""

    layer: Any
    shape: tuple[int, ...]

    def x(self, number: type = F, samples: int = 2, seed: int = 0) -> Array:
        return mixed((samples, *self.shape), seed, number)

    def at(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Any, Array]:
        """The layer and an input, both in a number type."""
        return self.layer.astype(number), self.x(number, samples, seed)

    def map(self, number: type = F, samples: int = 2, seed: int = 0) -> tuple[Array, LinearMap]:
        layer, x = self.at(number, samples, seed)
        return layer.linearize(x)


STATISTICS = [fractions("1 -1/2 3"), fractions("4 9/4 1/9"), fractions("-1 3/2 2"), fractions("1/4 -2 0")]

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
}
"""Layers that are rational end to end."""

IRRATIONAL: dict[str, Example] = {
    "Tanh": Example(Tanh(), (2, 3, 4)),
    "BatchNorm, epsilon": Example(BatchNorm(*STATISTICS), (3, 2, 4)),
    "LRN, Caffe": Example(LRN(5, 1e-4, 0.75, 1), (6, 2, 3)),
    "LRN, Caffe, taylor": Example(LRN(5, 0.3, 0.75, 1, taylor=True), (6, 2, 3)),
}
"""Layers whose forward pass has no exact form; their maps at an input do (`exact`)."""

LAYERS = RATIONAL | IRRATIONAL

RULES: dict[str, Rule] = {
    "Epsilon(0)": Epsilon(0), "Epsilon(1/4)": Epsilon(QUARTER), "AlphaBeta(2, 1)": AlphaBeta(2, 1),
    "AlphaBeta(4/3, 1/3)": AlphaBeta(1 + THIRD, THIRD), "ZPlus": ZPlus(), "Gamma(1/4)": Gamma(QUARTER),
    "ZBox": ZBox(-4, 5), "WSquare": WSquare(), "Flat": Flat(), "Winner": Winner(), "Pass": Pass(),
}


def takes(m: LinearMap, rule: Rule) -> bool:
    """Whether the rule is for such a map."""
    return m.gate if isinstance(rule, Pass) else not (m.learned and isinstance(rule, Winner))


def pairs(layers: dict[str, Example]) -> list[Any]:
    """Every layer with every rule that takes it, for parametrize, with ids that read."""
    return [pytest.param(example, rule, id=f"{rule_name} on {name}")
            for name, example in layers.items() for rule_name, rule in RULES.items()
            if takes(example.map(F if name in RATIONAL else np.float64, samples=1)[1], rule)]


def exact(m: LinearMap) -> LinearMap:
    """A gate or band computed in floats, its numbers taken as the rationals they are."""
    return replace(m, weight=convert_numbers(m.weight, F), bias=convert_numbers(m.bias, F))  # type: ignore[type-var]


def relevance_for(z: Array, seed: int = 9) -> Array:
    """Relevance for every output, of both signs and with zeros, that has nothing to do with the output."""
    return mixed(z.shape, seed, z.dtype.type if z.dtype != object else type(z.flat[0]))


# ---- The same, as definitions by loops ----


def units(x: Array) -> Units:
    """{unit: number} of one sample."""
    return dict(np.ndenumerate(x))


def arrayed(values: Units, shape: tuple[int, ...]) -> Array:
    """One sample from {unit: number}; a unit that is not listed is 0."""
    return fractions([values.get(unit, 0) for unit in np.ndindex(*shape)]).reshape(shape)


def defined(layer: Any, x: Array) -> Map:
    """The layer at one sample x, by loops from its formula."""
    a = units(x)
    match layer:
        case Linear():
            return by_loops.linear(a, layer.weight.tolist(), bias_of(layer, layer.weight.shape[1]))
        case Conv2D():
            bias = bias_of(layer, len(layer.weight))
            return by_loops.conv2d(a, layer.weight.tolist(), bias, layer.stride, layer.pad, layer.dilation,
                                   layer.groups)
        case MaxPool():
            return by_loops.max_pool(a, layer.size, layer.stride, layer.pad, layer.ceil)
        case AvgPool():
            return by_loops.avg_pool(a, layer.size, layer.stride, layer.pad, layer.ceil, layer.count_pad)
        case SumPool():
            return by_loops.sum_pool(a, layer.size, layer.stride, layer.scale)
        case AdaptiveAvgPool():
            return by_loops.adaptive_avg_pool(a, layer.size)
        case ReLU():
            return by_loops.relu(a)
        case Flatten():
            return by_loops.flatten(a)
        case BatchNorm():
            root = [rational_root(v + F(layer.epsilon)) for v in layer.variance]
            return by_loops.batch_norm(a, layer.mean.tolist(), root, layer.scale.tolist(), layer.shift.tolist())
        case LRN():
            return by_loops.lrn(a, layer.size, F(layer.alpha), layer.beta, F(layer.k), layer.taylor)
    raise TypeError(f"no definition of {layer!r}")


def bias_of(layer: Any, outputs: int) -> list[Any]:
    return [F(0)] * outputs if layer.bias is None else layer.bias.tolist()


def rational_root(q: Fraction) -> Fraction:
    root = F(round(float(q.numerator) ** 0.5), round(float(q.denominator) ** 0.5))
    assert root * root == q
    return root


def defined_step(rule: Rule, m: Map, x: Array, R: Array) -> Step:
    """The rule at a map and one sample's input and relevance, by loops from its formula."""
    a, R_j = units(x), units(R)
    match rule:
        case Epsilon():
            return by_loops.epsilon(m, a, R_j, F(rule.epsilon))
        case AlphaBeta():
            return by_loops.alpha_beta(m, a, R_j, F(rule.alpha), F(rule.beta))
        case ZPlus():
            return by_loops.z_plus(m, a, R_j)
        case Gamma():
            return by_loops.gamma(m, a, R_j, F(rule.gamma))
        case ZBox():
            low, high = (np.broadcast_to(np.asarray(bound), x.shape[:1]).tolist() for bound in (rule.low, rule.high))
            return by_loops.z_box(m, a, R_j, [F(c) for c in low], [F(c) for c in high])
        case WSquare():
            return by_loops.w_square(m, a, R_j)
        case Flat():
            return by_loops.flat(m, a, R_j)
        case Winner():
            return by_loops.winner(m, a, R_j)
        case Pass():
            return by_loops.passed(m, a, R_j)
    raise TypeError(f"no definition of {rule!r}")


COLUMNS = ("handed", "bias", "stabiliser", "dead")


def assert_as_defined(layer: Any, rule: Rule, x: Array, R: Array) -> None:
    """Relevance and all four ledger columns of every sample are exactly those of the definition."""
    a, m = layer.linearize(x)
    relevance, account = step(rule, m, a, R)
    for n in range(len(x)):
        wanted = defined_step(rule, defined(layer, x[n]), x[n], R[n])
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

