"""Every rule on every layer of a CNN: required of all, so with denominators that no small stabiliser changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.draws import DRAWS
from lrp_ref.conformance.make.made import INNVESTIGATE, TORCHLRP, TORCHLRP_GAMMA, Other, conditioned, one, other
from lrp_ref.conformance.make.numbers import F, first, halves, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    ReLU,
    SumPool,
)
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

SECTIONS = {   # where a rule is from
    Epsilon: "Eq. 1 and 2", AlphaBeta: "Section 2.1; Bach et al. 2015, Eq. 60", ZPlus: "Montavon et al. 2017",
    Gamma: "Montavon et al. 2019; Andeol et al. 2021", ZBox: "Montavon et al. 2017",
    WSquare: "Section 3; Montavon et al. 2017", Flat: "Section 3; Lapuschkin et al. 2019",
    Winner: "Eq. 1: the maximum is its winner", Pass: "Eq. 1: z_ij = z_j",
}
MIXING: tuple[Rule, ...] = (Epsilon(F(1, 4)), AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 4)), ZBox(-4, 5), WSquare(), Flat())


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: what makes it of a weight and a bias, their shapes, the input's."""

    name: str
    layer: Callable[..., Any]
    weight: tuple[int, ...]
    x: tuple[int, ...]
    comment: str
    flags: Sequence[str]
    more: dict[str, Any] = field(default_factory=dict)
    biased: bool = True       # under alpha-beta and z+, where libraries differ in it
    rectified: bool = False   # no input below 0, as after a ReLU: products split or weights is one
    epsilon: Any = 0

    def bias(self) -> tuple[int]:
        return (self.weight[0 if self.layer is Conv2D else 1],)

    def drawn(self, rule: Rule, seed: int) -> tuple[Any, Array]:
        return first(lambda n: self.built(rule, seed + 10 * n), lambda made: suits(rule, *made))

    def built(self, rule: Rule, seed: int) -> tuple[Any, Array]:
        """Numbers that suit the rule: z is never 0, and what conventions differ in is mostly left out."""
        up = isinstance(rule, Gamma)   # of non-negative inputs all gamma rules are one
        weight = small(self.weight, seed + 1, -1 if up else -3, 3)
        biased = isinstance(rule, Epsilon) or (isinstance(rule, (AlphaBeta, ZPlus)) and self.biased)
        bias = halves(self.bias(), seed + 2) if biased else None
        return self.layer(weight, bias, **self.more), small(self.x, seed + 3, 0 if up or self.rectified else -3, 3)


LARGEST = (8, 3, 4, 5)
WEIGHTED = (
    Weighted("distinct", Linear, (5, 3), (2, 5), "Samples, inputs and outputs are three different numbers",
             ("DISTINCT_SIZES", "BATCH"), epsilon=F(1, 4)),
    Weighted("square", Linear, (3, 3), (3, 3), "Samples, inputs and outputs are one number: a transposed weight fits",
             ("SQUARE", "BATCH"), biased=False),
    Weighted("rows", Linear, (3, 2), (2, 4, 3), "Four rows in each sample, of which each is an input of its own",
             ("ROWS", "DISTINCT_SIZES"), biased=False, rectified=True),
    Weighted("distinct", Conv2D, LARGEST, (2, 3, 6, 7), "Seven different sizes, and strides of 2 and 1",
             ("DISTINCT_SIZES", "STRIDE", "BATCH"), {"stride": (2, 1)}),
    Weighted("square", Conv2D, (2, 2, 2, 2), (2, 2, 3, 3), "Square images and kernels, as many outputs as inputs",
             ("SQUARE", "BATCH", "OVERLAP"), biased=False),
    Weighted("padded", Conv2D, (3, 2, 3, 2), (1, 2, 4, 3), "Rows and columns padded by 2 and 1, strides of 2 and 1",
             ("PADDING", "STRIDE"), {"pad": (2, 1), "stride": (2, 1)}, epsilon=F(1, 4)),
    Weighted("dilated", Conv2D, (2, 3, 2, 2), (1, 3, 5, 4), "Taps 2 rows and 3 columns apart", ("DILATION",),
             {"dilation": (2, 3)}, epsilon=F(1, 8)),
    Weighted("groups", Conv2D, (6, 2, 1, 2), (2, 4, 2, 3), "Two groups, of two channels and three outputs each",
             ("GROUPS", "BATCH"), {"groups": 2}, biased=False, rectified=True),
)

POOLS: dict[str, tuple[Layer, tuple[int, ...], str, Sequence[str]]] = {
    "window": (AvgPool((2, 3)), (2, 3, 4, 6), "Windows side by side, more columns than rows",
               ("DISTINCT_SIZES", "BATCH")),
    "overlap": (AvgPool((3, 2), (1, 2)), (1, 2, 4, 5), "Windows overlap in one direction; the last column is in none",
                ("OVERLAP", "STRIDE")),
    "padding-counts": (AvgPool((2, 3), (2, 2), (1, 1)), (1, 2, 3, 4), "The padding counts in the average",
                       ("PADDING", "COUNT_PAD")),
    "padding-left-out": (AvgPool((2, 3), (2, 2), (1, 1), count_pad=False), (1, 2, 3, 4),
                         "The padding does not count in the average", ("PADDING", "COUNT_PAD")),
    "ceil": (AvgPool(2, 2, ceil=True), (1, 2, 3, 5), "The last windows hang over the end and average what is inside",
             ("CEIL",)),
    "sum": (SumPool((2, 3)), (2, 3, 4, 6), "Windows side by side, more columns than rows", ("DISTINCT_SIZES", "BATCH")),
    "sum-scaled": (SumPool((3, 2), (1, 2), F(1, 2)), (1, 2, 4, 5), "Overlapping windows, their sum halved",
                   ("OVERLAP", "STRIDE")),
    "cells": (AdaptiveAvgPool((2, 3)), (2, 3, 4, 6), "Cells of equal size", ("DISTINCT_SIZES", "BATCH")),
    "cells-overlap": (AdaptiveAvgPool((2, 3)), (1, 2, 3, 5), "Cells of several sizes, which overlap", ("OVERLAP",)),
}
FILLERS = (WSquare(), Flat())
POOLED: tuple[Rule, ...] = (Epsilon(0), AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 2)), ZBox(-4, 5), *FILLERS)
ALL_RULES = ("window", "padding-left-out", "sum", "cells-overlap")   # the rest has the rule of Eq. 1 and Flat


def cases() -> Iterator[Case]:
    yield from weighted()
    yield from pools()
    yield from maxima()
    yield from gates()


def weighted() -> Iterator[Case]:
    for n, place in enumerate(WEIGHTED):
        for rule in (Epsilon(place.epsilon), *MIXING[1:]):
            layer, x = place.drawn(rule, 100 * n)
            R = relevance_for(slug(rule, layer, place.name), layer, x, 100 * n + 7)
            padded = place.name == "padded" and rule in FILLERS
            comment = place.comment + (". What the padding would get is shared out inside" if padded else "")
            flags = [*place.flags, *["BIAS"] * (layer.bias is not None)]
            maybe = others(rule) if place.weight != LARGEST else []
            if isinstance(rule, ZPlus) and layer.bias is not None:   # both at once
                maybe += [other(split="weights", bias_alpha_beta="whole", stabiliser=1e-9)]
            yield one(slug(rule, layer, place.name), rule, layer, x, R, comment=comment, section=SECTIONS[type(rule)],
                      level="convention" if padded else "required", flags=flags, maybe=maybe)


def others(rule: Rule) -> list[Other]:
    """The answers to open questions that may show under a rule."""
    match rule:
        case Epsilon():
            signs = [other(epsilon_sign="none")] if rule.epsilon else []
            return [*signs, other(bias_epsilon="left out", zero_rule="nan")]
        case AlphaBeta() | ZPlus():
            return [other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                    other(bias_alpha_beta="left out", stabiliser=TORCHLRP),
                    other(split="weights")]
        case Gamma():
            return [other(gamma="weights"),
                    other(gamma="squares", stabiliser=TORCHLRP_GAMMA)]
        case WSquare():
            return [other(w_square="window")]
        case Flat():
            return [other(flat="window"), other(flat="channel")]
    return []


def pools() -> Iterator[Case]:
    for n, (name, (layer, shape, comment, flags)) in enumerate(POOLS.items()):
        for rule in POOLED if name in ALL_RULES else (Epsilon(0), Flat()):
            x = input_for(rule, layer, shape, 50 + n)
            R = relevance_for(slug(rule, layer, name), layer, x, 60 + n)
            hanging = rule in FILLERS and name in ("padding-counts", "padding-left-out", "ceil")
            yield one(slug(rule, layer, name), rule, layer, x, R, comment=comment, section=SECTIONS[type(rule)],
                      flags=flags, level="convention" if hanging else "required", maybe=others(rule))


MAXIMA: dict[str, tuple[MaxPool, tuple[int, ...], str, Sequence[str]]] = {
    "window": (MaxPool((2, 3)), (2, 3, 4, 6), "Windows side by side, no ties", ("DISTINCT_SIZES", "BATCH")),
    "overlap": (MaxPool((3, 2), (1, 1)), (1, 2, 4, 3), "Overlapping windows: one winner of several", ("OVERLAP",)),
    "padding": (MaxPool((2, 3), (2, 2), (1, 1)), (1, 2, 3, 4),
                "A padded border: all inputs are below 0, so that a padding of zeros would win", ("PADDING",)),
    "ceil": (MaxPool(2, 2, ceil=True), (1, 2, 3, 5), "The last windows hang over the end", ("CEIL",)),
}


def maxima() -> Iterator[Case]:
    """No two inputs of a map are equal, and none is 0: the winner is one, and its share is all."""
    for n, (name, (layer, shape, comment, flags)) in enumerate(MAXIMA.items()):
        for rule in POOLED[:-2] + (Winner(),) if name == "window" else (Winner(), Epsilon(0)):
            signed = isinstance(rule, (AlphaBeta, ZPlus, Gamma))
            x = distinct(shape, 70 + n, negative=name == "padding", positive=signed)
            R = relevance_for(slug(rule, layer, name), layer, x, 80 + n)
            yield one(slug(rule, layer, name), rule, layer, x, R, comment=comment, section=SECTIONS[type(rule)],
                      flags=flags)


def gates() -> Iterator[Case]:
    mean, variance, scale, shift = (guarded(numbers.split()) for numbers in (
        "1 -1/2 3", "15/4 2 35/4", "-1 3/2 6", "1/4 -2 1/2"))
    norm = BatchNorm(mean, variance, scale, shift, F(1, 4))
    centred = BatchNorm(0 * mean, variance, scale, 0 * shift, F(1, 4))
    response = LRN(3, F(3, 64), 2, 1)
    table: list[tuple[str, Layer, tuple[int, ...], str, Sequence[Rule]]] = [
        ("gate", ReLU(), (2, 3, 4), "A closed gate passes relevance on, as an open one does", (Pass(), *FILLERS)),
        ("vectors", ReLU(), (3, 5), "Inputs above and below 0", POOLED[1:5] + (Pass(), Epsilon(F(1, 4)))),
        ("order", Flatten(), (2, 3, 4, 2), "Channel, row, column is the order", (Pass(), Flat(), Epsilon(F(1, 4)))),
        ("images", norm, (2, 3, 2, 4), "A gate with a bias, one for each channel",
         (Epsilon(F(1, 4)), AlphaBeta(2, 1), ZPlus(), Flat())),
        ("vectors", norm, (2, 3), "A gate with a bias, of vectors", (Epsilon(0),)),
        ("centred", centred, (2, 3, 2, 4), "Mean and shift are 0, so that passing on and contribution are one",
         (Pass(), Epsilon(0), ZPlus(), ZBox(-4, 5), WSquare())),
        ("gate", response, (1, 4, 2, 3), "A gate s^-2 of three channels' squares",
         (Epsilon(0), AlphaBeta(2, 1), ZPlus(), Gamma(F(1, 2)), *FILLERS)),
        ("first-order", LRN(3, F(3, 64), 2, 1, taylor=True), (1, 4, 2, 1), "The first-order map, which mixes channels",
         (Epsilon(0),)),
    ]
    for n, (name, layer, shape, comment, rules) in enumerate(table):
        for rule in rules:
            nonzero = isinstance(rule, Epsilon) or layer is centred   # where z = 0 would be 0 / 0
            x = input_for(rule, layer, shape, 90 + n, halves if nonzero else small)
            R = relevance_for(slug(rule, layer, name), layer, x, 95 + n)
            yield one(slug(rule, layer, name), rule, layer, x, R, comment=comment, section=SECTIONS[type(rule)],
                      flags=["GATE"] if name != "first-order" else [], maybe=others(rule))


def slug(rule: Rule, layer: Layer, name: str) -> str:
    return f"{type(rule).__name__}-{type(layer).__name__}-{name}".lower()


def input_for(rule: Rule, layer: Layer, shape: tuple[int, ...], seed: int,
              numbers: Callable[..., Array] = small) -> Array:
    """Numbers of both signs that keep every denominator away from 0; none below 0 under Gamma."""
    low = 0 if isinstance(rule, Gamma) else -3
    return first(lambda n: numbers(shape, seed + 100 * n, low, 4), lambda x: suits(rule, layer, x))


def suits(rule: Rule, layer: Layer, x: Array) -> bool:
    """Whether the case can be required: under Gamma only where all its forms are one, at a >= 0 and z > 0."""
    return conditioned(rule, layer, x) and (not isinstance(rule, Gamma) or bool((layer(x) > 0).all()))


def relevance_for(slug: str, layer: Layer, x: Array, seed: int) -> Array:
    """Whole numbers of both signs, with zeros, that have nothing to do with the output and cancel nowhere below."""
    return small(layer.output_shape(x.shape), seed + 1000 * DRAWS.get(slug, 0), -4, 5)


def distinct(shape: tuple[int, ...], seed: int, negative: bool, positive: bool) -> Array:
    """Every number of an image another one, none 0, in an order drawn from a seed; in eighths."""
    size = shape[-1] * shape[-2]
    order = small(shape, seed, 0, 10**6).reshape(-1, size).argsort(axis=1).reshape(shape)
    lowest = -size if negative else 1 if positive else -size // 2
    return small(shape, 0, 1, 1) * F(1, 8) * (order + lowest + (order + lowest >= 0) * (not negative and not positive))
