"""One case per question, in which nothing but that question matters: what the other answers are is told by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lrp_ref.arrays import Array, constant
from lrp_ref.checks.exact import guarded
from lrp_ref.conformance.case import Case
from lrp_ref.conformance.dialects import caffe, captum, innvestigate, lxt, relevance_propagation_jl, toolbox, torchlrp, zennit
from lrp_ref.conformance.dialects.parts import First
from lrp_ref.conformance.make.made import Other, one
from lrp_ref.conformance.make.numbers import F, column, picture, row
from lrp_ref.layers import AvgPool, BatchNorm, Conv2D, Linear, MaxPool
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Share, Term, Winner, WSquare, ZBox, ZPlus

QUARTER, HALF = F(1, 4), F(1, 2)


@dataclass(frozen=True)
class Cancelled(Rule):
    """AlphaBeta(2, 1) where nothing but 1e-16 is left of z - z+: the rounded difference of two numbers that are equal.

    A difference that is not stabilised leaves 0, which hands nothing down.
    """

    left: Any = Fraction(1, 10**16)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        up, down = AlphaBeta(2, 1).shares(m, a)
        first, second = down.terms
        z = m.apply(first.a, first.f) + m.apply(second.a, second.f)
        return [up, Share(down.part, [Term(first.a, first.f, -constant(self.left, z) - z), second])]


def cases() -> Iterator[Case]:
    yield from of_epsilon()
    yield from of_signs()
    yield from of_fillers()
    yield from of_pools()


def asked(slug: str, rule: Rule, layer: Any, x: Array, R: Array, question: str, answers: dict[Any, Rule],
          comment: str) -> Case:
    return one(slug, rule, layer, x, R, topic="told-apart", level="convention", section="conventions.md",
               comment=comment, either=[Other(question, value, other) for value, other in answers.items()])


def neuron(weights: str, bias: Any = None) -> Linear:
    return Linear(column(weights), None if bias is None else row(bias)[0])


def of_epsilon() -> Iterator[Case]:
    yield asked("eps-negative-z", Epsilon(HALF), neuron("2 -3"), row("1 2"), row("3"), "epsilon_sign",
                {"none": lxt.Epsilon(HALF)}, "z = -4: an epsilon without a sign moves it towards 0")
    yield asked("eps-zero-z", Epsilon(QUARTER), neuron("2 -1"), row("1 2"), row("3"), "sign_of_zero",
                {-1: torchlrp.Epsilon(QUARTER), 0: caffe.Epsilon(QUARTER)}, "2 and -2 cancel: the sign of 0")
    yield asked("eps-added", Epsilon(F(1)), neuron("2 -1"), row("3 2"), row("5"), "epsilon",
                {"clipped": zennit.EpsilonClipped(F(1))}, "z = 4 is larger than epsilon")
    yield asked("eps-bias", Epsilon(QUARTER), neuron("2 -1", "3"), row("3 1"), row("7"), "bias_epsilon",
                {"left out": zennit.EpsilonNoBias(QUARTER)}, "3 of z = 8 is the bias")
    yield asked("eps-pool", Epsilon(HALF), AvgPool((1, 2)), picture("1 3"), picture("5"), "pool_epsilon",
                {"sum": toolbox.SumPoolEpsilon(HALF)}, "the mean is 2, the sum 4")
    yield asked("zero-rule", Epsilon(F(0)), neuron("2 -1"), row("1 2"), row("3"), "zero_rule",
                {1: caffe.Epsilon(F(0)), 1e-7: innvestigate.Z(), 1e-9: captum.Epsilon(), 1e-16: toolbox.Simple()},
                "z is exactly 0: what it is divided by is what was added")
    yield asked("stabiliser", ZPlus(), neuron("1"), guarded([[F(1, 2**60)], [F(1, 2**40)], [F(1, 2**20)], [F(1)]]),
                guarded([[3], [5], [7], [11]]), "stabiliser",
                {1e-6: zennit.ZPlus(), 1e-9: relevance_propagation_jl.ZPlus(), 1e-16: toolbox.AlphaBeta(1)},
                "denominators from 2^-60 to 1, of which a stabiliser takes its share")


def of_signs() -> Iterator[Case]:
    yield asked("ab-bias", AlphaBeta(1, 0), Linear(guarded([[3, 3], [-1, -1]]), guarded(["-1/2", "1/2"])), row("1 2"),
                row("3 7"), "bias_alpha_beta",
                {"whole": innvestigate.AlphaBeta(1, 0), "left out": innvestigate.AlphaBetaIgnoreBias(1, 0)},
                "a bias of either sign under alpha alone")
    yield asked("z-plus-negative-inputs", ZPlus(), neuron("2 1 -1 1"), row("1 -2 3 1"), row("6"), "split",
                {"weights": captum.Alpha1Beta0NoBias()}, "a negative input at a positive weight")
    yield asked("ab-cancelled", AlphaBeta(2, 1), Linear(guarded([[1], [F(-1, 2**27)]])), guarded([[1, F(1, 2**30)]]), row("3"),
                "small_negative", {"difference": Cancelled()}, "z = 1 - 2^-57, whose difference from 1 no float holds")
    yield asked("gamma-negative-z", Gamma(QUARTER), neuron("2 -1"), row("-1 1"), row("3"), "gamma",
                {"weights": captum.GammaNoBias(QUARTER), "squares": torchlrp.Gamma(QUARTER)},
                "z = -3 from a negative input and a negative weight")
    # w = b = 1, so that w w+ is w+: the bias alone tells the answers apart
    yield asked("gamma-bias", Gamma(QUARTER), neuron("1", "1"), row("2"), row("3"), "bias_gamma",
                {"kept": captum.Gamma(QUARTER)}, "1 of z = 3 is the bias")


def of_fillers() -> Iterator[Case]:
    yield asked("w-square-bias", WSquare(), neuron("1 2", "2"), row("3 -5"), row("7"), "bias_w_square",
                {"squared": zennit.WSquare(F(0))}, "w = (1, 2), b = 2")
    yield asked("z-box-bias", ZBox(F(-1), F(1)), neuron("1 -2", "3"), row("1/2 1/4"), row("5"), "bias_z_box",
                {"positive": caffe.ZBox(F(-1), F(1))}, "b = 3, and the box is -1 .. 1")
    corner = Conv2D(guarded([[[[1, 2, -1], [3, 0, 4]], [[-2, 1, 5], [1, -1, 2]]]]), None, 1, (0, 1))
    x = guarded([[[[1, -2, 3], [2, 1, -1]], [[4, 1, 0], [-3, 2, 5]]]])
    yield asked("flat-corner", Flat(), corner, x, picture("5 0 0"), "flat",
                {"window": toolbox.Flat(), "channel": caffe.Flat()}, "a window of two channels, a third of it padding")
    yield asked("w-square-corner", WSquare(), Conv2D(picture("3 4"), None, 1, (0, 1)), picture("2"), picture("25 0"),
                "w_square", {"window": toolbox.WSquare()}, "9 of 25 lie in the padding")
    yield asked("batch-norm", Pass(), BatchNorm(row("1")[0], row("3")[0], row("2")[0], row("1/2")[0], F(1)),
                row("3"), row("5/2"), "batch_norm", {"contribution": innvestigate.Z()}, "g = 1 at z = 5/2")


def of_pools() -> Iterator[Case]:
    yield asked("max-pool-ties", Winner(), MaxPool((1, 2)), picture("2 2 0 0"), picture("3 5"), "max_pool",
                {"first": First(), "contribution": relevance_propagation_jl.Epsilon(F(0))},
                "two maxima, of 2 and of 0, that both inputs share")
    yield asked("max-pool-flat", Flat(), MaxPool((1, 4)), picture("0 2 1 1"), picture("3"), "flat_max_pool",
                {"first": zennit.Flat(F(0)), "winner": First()}, "the winner is the second of four")
