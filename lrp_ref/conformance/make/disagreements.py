"""The numbers on which libraries are known to disagree, D1 to D19: what is canonical, and who gives what else.

D12, D15, D18 and D20 are about graphs, layers and defects that no case can hold: they are records. D16's are not linear
in R. Where a library gives NaN or infinity, the comment says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.dialects.bugs import AlphaBetaX
from lrp_ref.conformance.make.grid import SECTIONS
from lrp_ref.conformance.make.made import INNVESTIGATE, TORCHLRP, TORCHLRP_GAMMA, Other, one, other
from lrp_ref.conformance.make.numbers import F, batch_norm, column, picture, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import LRN, AvgPool, Conv2D, Layer, Linear, MaxPool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

TENTH, QUARTER = F(1, 10), F(1, 4)


def found(d: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, *either: Other, required: bool = False,
          flags: Any = (), irrational: bool = False) -> Case:
    """A disagreement; `required` where one answer is an error by anyone's formula."""
    return one(d.lower(), rule, layer, x, R, comment=comment, section=SECTIONS[type(rule)], either=either,
               level="required" if required else "convention", topic="disagreements", irrational=irrational,
               flags=[d.split("-")[0].rstrip("bcd").upper(), *flags])


def neuron(w: str, b: Any) -> Linear:
    """One output with a bias, w from "1 -2"."""
    return Linear(column(w), guarded([b]))


def cases() -> Iterator[Case]:
    yield from of_epsilon()
    yield from of_alpha_beta()
    yield from of_filling()
    yield from of_gamma()
    yield from of_pools()
    yield from of_norms()


def of_epsilon() -> Iterator[Case]:
    d1 = neuron("1 2", "-9/2")
    yield found("d1", Epsilon(TENTH), d1, row("1 1"), row("-3/2"), "z = -3/2: zennit, captum, lrp_toolbox and "
                "iNNvestigate give 15/16 and 15/8, LXT, without a sign, 15/14 and 15/7; zennit can also clip, scale "
                "and leave out the bias; TorchLRP's 0.1 is that of float32",
                other(epsilon_sign="none"),
                other(epsilon="clipped"),
                other(epsilon="scaled"),
                other(bias_epsilon="left out", zero_rule="nan"), flags=["BIAS"])
    cancelling = neuron("1 -1", 0)
    yield found("d1b", Epsilon(TENTH), cancelling, row("1 1"), row("1"), "z = 0: zennit, lrp_toolbox and LXT give 10 "
                "and -10, TorchLRP -10 and 10, lrp_toolbox's Caffe version does not divide",
                other(sign_of_zero=-1), other(sign_of_zero=-1, parameters="float32"),
                other(sign_of_zero=0), flags=["CANCELLATION"])
    yield found("d1b-simple", Epsilon(0), cancelling, row("1 1"), row("1"), "z = 0 and no epsilon: lrp_toolbox gives "
                "1e16 and -1e16, captum 1e9, iNNvestigate 1e7; zennit divides by 0",
                other(zero_rule=1e-16), other(zero_rule=1e-9),
                other(zero_rule=INNVESTIGATE), other(zero_rule=1e-6),
                other(zero_rule=("at 0", 1)), flags=["CANCELLATION"])
    yield found("d1c", Epsilon(F(1, 2)), neuron("1", 0), row("-1/2"), row("1"), "z = -epsilon: without a sign this is "
                "a pole, and LXT gives minus infinity", other(epsilon="clipped"))
    yield found("d1c-near", Epsilon(F(1, 2)), neuron("1", 0), row("-9/16"), row("1"), "Near that pole LXT gives 9",
                other(epsilon_sign="none"),
                other(epsilon="clipped"))
    yield found("d19", Epsilon(TENTH), neuron("1 1", 0), row("0 0"), row("1"), "A neuron without input: 0 / epsilon "
                "is 0", required=True, flags=["ZERO_INPUT"])
    yield found("d19-alphabeta", AlphaBeta(2, 1), neuron("1 1", 0), row("0 0"), row("1"), "A neuron without input: 0 "
                "/ 0 is 0 under either sign; lrp_toolbox's slow path gives NaN", required=True,
                flags=["ZERO_INPUT", "NO_SIGN"])
    for rule in (WSquare(), Flat()):
        yield found(f"d19-{type(rule).__name__}", rule, neuron("1 1", 0), row("0 0"), row("1"), "A neuron without "
                    "input still has weights: each gets a half", required=True, flags=["ZERO_INPUT"])


def of_alpha_beta() -> Iterator[Case]:
    negative = neuron("1 2", "-9/2")
    exploding, typical = neuron("1 -1", -1), neuron("3 -1", "-1/2")
    mixed = neuron("2 1 -1 1", "1/2")
    one_zero: list[Rule] = [ZPlus(), AlphaBeta(1, 0)]
    for rule in one_zero:
        name = type(rule).__name__.lower()
        whole = [other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                 other(bias_alpha_beta="whole", split="weights", stabiliser=1e-9)]
        yield found(f"d2-{name}", rule, negative, row("1 1"), row("-3/2"), "A negative bias is no part of the positive "
                    "sum; iNNvestigate and captum leave it there, and the sign of relevance changes", *whole,
                    required=True, flags=["NEGATIVE_BIAS"])
        yield found(f"d2b-{name}", rule, exploding, row("1 1"), row("-1"), "The same where it cancels the sum: "
                    "iNNvestigate gives -1e7, captum -1e9", *whole, other(stabiliser=1e-6),
                    required=True, flags=["NEGATIVE_BIAS"])
        yield found(f"d2c-{name}", rule, typical, row("1 1"), row("3/2"), "The typical case below a ReLU: 3/2, and 9/5 "
                    "with the bias in the denominator", *whole, required=True, flags=["NEGATIVE_BIAS"])
        yield found(f"d3-{name}", rule, mixed, row("1 -2 3 1"), row("-3/2"), "Products have a sign, not weights: "
                    "captum gives -2, 2, 0, -1", other(split="weights", bias_alpha_beta="whole", stabiliser=1e-9),
                    other(split="weights", bias_alpha_beta="left out", stabiliser=1e-9),
                    other(bias_alpha_beta="left out", stabiliser=INNVESTIGATE), required=True,
                    flags=["NEGATIVE_INPUT"])
    two_one = AlphaBeta(2, 1)
    yield found("d2b-alpha2", two_one, exploding, row("1 1"), row("-1"), "TorchLRP has no bias and gives -2 and 1, "
                "iNNvestigate -2e7 and 1/2", other(bias_alpha_beta="left out", stabiliser=TORCHLRP),
                other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                other(stabiliser=1e-6), required=True, flags=["NEGATIVE_BIAS"])
    yield found("d2c-alpha2", two_one, typical, row("1 1"), row("3/2"), "zennit and lrp_toolbox give 3 and -1, "
                "TorchLRP 3 and -3/2, iNNvestigate 18/5 and -1", other(bias_alpha_beta="left out", stabiliser=TORCHLRP),
                other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE), required=True,
                flags=["NEGATIVE_BIAS"])
    yield found("d3-alpha2", two_one, mixed, row("1 -2 3 1"), row("-3/2"), "iNNvestigate, with the whole bias, gives "
                "2/3 and 1 where 3/5 and 9/10 are right", other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                other(bias_alpha_beta="left out", stabiliser=TORCHLRP),
                required=True, flags=["NEGATIVE_INPUT"])
    yield found("d7", two_one, Linear(guarded([[1], [F(-1, 10**8)]])), guarded([[1, F(1, 10**9)]]), row("1"),
                "A negative product of -1e-17 beside 1: as z - z+ it cancels, and lrp_toolbox's fast path gives -1/10",
                other(small_negative="difference"), flags=["SCALE"])
    yield found("d7-large", two_one, Linear(guarded([[1], [F(-1, 10**9)]])), guarded([[10**8, 1]]), row("100000000"),
                "A negative product of -1e-9 beside 1e8: lrp_toolbox's fast path gives -1e15 for -1e8",
                other(small_negative="difference"), flags=["SCALE"])
    quadrants = neuron("1 -1 2 -2", "1/2")
    yield found("d17", AlphaBeta(1, 0), quadrants, row("1 -1 -1 1"), row("-3/2"), "iNNvestigate's AlphaBetaX gives "
                "each pair of signs a sum of its own. X1001 is meant to give -1 and -3/2, and gives -1 and 0: it "
                "never reads its second alpha; X1010 reads beta in its "
                "place", other(split="quadrants"),
                Other({"split": "quadrants"}, AlphaBetaX((1, 1), (0, 0))),
                Other({"split": "quadrants"}, AlphaBetaX((1, 0), (0, -1))))


def of_filling() -> Iterator[Case]:
    yield found("d4", WSquare(), neuron("1 2", 2), row("3 -5"), row("1"), "lrp_toolbox and iNNvestigate give 1/5 and "
                "4/5, zennit, with the bias squared in the denominator, 1/9 and 4/9",
                other(bias_w_square="squared"),
                other(bias_w_square="squared", stabiliser=1e-6), flags=["BIAS"])
    corner = Conv2D(picture("1 2 3, 4 5 6, 7 8 9"), None, 1, 1)
    image, upper_left = picture("2 -1 3, 0 4 1, -2 5 1"), picture("1 0 0, 0 0 0, 0 0 0")
    yield found("d5", Flat(), corner, image, upper_left, "One output in a padded corner: zennit and iNNvestigate give "
                "1/4 each, lrp_toolbox 1/9 and loses 5/9", other(flat="window"), flags=["PADDING"])
    yield found("d5-wsquare", WSquare(), corner, image, upper_left, "The same under w-square: of the squares 25, 36, "
                "64 and 81 inside, their sum is 206; lrp_toolbox divides by 285",
                other(w_square="window"), flags=["PADDING"])
    interior = Conv2D(small((1, 3, 3, 3), 501), None)
    yield found("d5-channels", Flat(), interior, small((1, 3, 3, 3), 502), guarded([[[[1]]]]), "Three channels: 1/27 "
                "each, and 1/9 each in lrp_toolbox's Caffe version, which sums to 3", other(flat="channel"),
                required=True)
    yield found("d6", ZBox(-1, 1), neuron("1 -2", 3), row("1/2 1/4"), row("1"), "zennit and iNNvestigate give a half "
                "each, lrp_toolbox's Caffe version, with b+ in the denominator, a quarter",
                other(bias_z_box="positive"), flags=["BIAS"])


def of_gamma() -> Iterator[Case]:
    d8 = neuron("2 -1", 1)
    for gamma, name in ((QUARTER, "d8"), (TENTH, "d8-tenth")):
        yield found(name, Gamma(gamma), d8, row("1 1"), row("2"), "zennit raises the bias as the weights, captum keeps "
                    "it, TorchLRP raises by the square of a weight",
                    other(bias_gamma="kept", gamma="weights"),
                    other(bias_gamma="kept", gamma="weights", stabiliser=1e-9),
                    other(bias_gamma="left out", stabiliser=1e-6),
                    other(gamma="squares", stabiliser=TORCHLRP_GAMMA), other(stabiliser=1e-6),
                    flags=["BIAS"])
    yield found("d8-squares", Gamma(TENTH), neuron("2 -1", 0), row("1 1"), row("2"), "w + gamma w+, not w + gamma "
                "(w+)^2: 22/6 and -10/6", other(gamma="squares", stabiliser=TORCHLRP_GAMMA), required=True)
    yield found("d8b", Gamma(QUARTER), d8, row("-1 1"), row("-2"), "A negative input and output: the general form "
                "gives -20/11 and -10/11, captum's one form -2 and -4/5",
                other(gamma="weights", bias_gamma="kept", stabiliser=1e-9), other(gamma="weights"),
                other(gamma="weights", stabiliser=1e-9), other(stabiliser=1e-6),
                other(gamma="squares", stabiliser=TORCHLRP_GAMMA),
                flags=["NEGATIVE_INPUT", "BIAS"])
    yield found("d9", Gamma(QUARTER), neuron("1 -1", 3), row("1 2"), row("2"), "zennit with its bias left out takes "
                "the sign of z with it: -10/3 and 16/3", other(bias_gamma="left out"),
                other(bias_gamma="kept", gamma="weights"), flags=["BIAS"])
    yield found("d9-without", Gamma(QUARTER), neuron("1 -1", 0), row("1 2"), row("2"), "A layer built without that "
                "bias is another: -4/3 and 10/3", other(gamma="weights"),
                other(gamma="squares", stabiliser=TORCHLRP_GAMMA))
    yield found("d9-zero", Gamma(QUARTER), neuron("1 -1", 0), row("1 1"), row("1"), "z = 0 has no sign: nothing is "
                "handed down", other(gamma="weights"),
                other(gamma="squares", stabiliser=TORCHLRP_GAMMA), flags=["CANCELLATION"])


def of_pools() -> Iterator[Case]:
    first, contribution = other(max_pool="first"), other(max_pool="contribution")
    row_of_four, window = MaxPool((1, 4)), AvgPool((1, 4))
    yield found("d10", Winner(), row_of_four, picture("2 2 1 0"), picture("1"), "Two winners: lrp_toolbox gives each a "
                "half, automatic differentiation all to the first", first, flags=["TIES"])
    yield found("d10-zero", Winner(), MaxPool((1, 2)), picture("0 -1"), picture("3"), "A maximum of 0 has a winner; "
                "as a contribution 0 / 0 it loses its relevance", contribution)
    yield found("d10-one", Winner(), MaxPool((1, 2)), picture("1 -1"), picture("4"), "The winner takes all, whatever "
                "it is", required=True)
    yield found("d10-flat", Flat(), row_of_four, picture("0 2 1 1"), picture("1"), "Flat is even: 1/4 each; zennit "
                "gives all to the first pixel, automatic differentiation to the winner",
                other(flat_max_pool="first"), other(flat_max_pool="winner", max_pool="first"))
    yield found("d11", Epsilon(TENTH), window, picture("1 -1 2 2"), picture("1"), "zennit stabilises the mean, "
                "lrp_toolbox the sum", other(pool_epsilon="sum"))
    yield found("d11-zero", Epsilon(0), window, picture("1 -1 0 0"), picture("1"), "A window that sums to 0: dead; "
                "lrp_toolbox gives 1e12 and -1e12, zennit 2.5e5, captum 2.5e8; Caffe hands down the inputs themselves, "
                "whatever R", other(zero_rule=1e-12, pool_epsilon="sum"),
                other(zero_rule=1e-6), other(zero_rule=1e-9),
                flags=["CANCELLATION"])
    yield found("d11-alpha1", ZPlus(), window, picture("1 -1 2 2"), picture("1"), "Positive inputs share: 1/5, 2/5, "
                "2/5",
                required=True, flags=["NEGATIVE_INPUT"])
    yield found("d11b", AlphaBeta(2, 1), window, picture("1 3 2 2"), picture("1"), "No negative input: alpha R "
                "arrives, twice what was there, and nothing takes beta R", required=True, flags=["NO_SIGN"])


def of_norms() -> Iterator[Case]:
    norm = batch_norm("1", "15/4", "2", "1/2", QUARTER)
    yield found("d13", Pass(), norm, row("3"), row("5/2"), "zennit passes 5/2 on, captum's epsilon rule and "
                "iNNvestigate's layer give 3; iNNvestigate's fused one 2.142858, by the square of the variance",
                other(batch_norm="contribution"))
    response, R = LRN(5, F(1, 10000), F(3, 4), 1), guarded([[[[n]] for n in (3, 5, 0, 7, 2)]])
    yield found("d14", Pass(), response, R, R, "Relevance passes; lrp_toolbox's Caffe version multiplies first-order "
                "weights and divides by nothing: of 17 it makes 86.85", other(lrn="undivided"),
                other(lrn="gradient"), irrational=True)
