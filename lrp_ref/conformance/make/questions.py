"""Every question of the table by itself: its answers differ, and nothing else that libraries differ in matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.grid import SECTIONS, distinct
from lrp_ref.conformance.make.made import INNVESTIGATE, TORCHLRP, TORCHLRP_GAMMA, Other, one, other
from lrp_ref.conformance.make.numbers import F, batch_norm, first, halves, picture, row, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import LRN, AvgPool, Conv2D, Layer, Linear, MaxPool, SumPool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

QUARTER = F(1, 4)
STABILISERS = (1e-16, 1e-12, 1e-9, 1e-7, 1e-6)


def asked(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, *either: Other, flags: Any = (),
          irrational: bool = False) -> Case:
    """A case that tells the answers to one question apart; two and more answers may also be of one library."""
    questions = list(dict.fromkeys(other.question for other in either))
    return one(f"{'-'.join(questions[:1])}-{slug}".replace("_", "-"), rule, layer, x, R, comment=comment,
               section=SECTIONS[type(rule)], level="convention", either=either, irrational=irrational,
               topic="conventions", flags=[*flags, *(question.upper() for question in questions)])


def cases() -> Iterator[Case]:
    yield from of_epsilon()
    yield from of_alpha_beta()
    yield from of_gamma()
    yield from of_spreading()
    yield from of_stabilisers()
    yield from of_pools()
    yield from of_norms()


def of_epsilon() -> Iterator[Case]:
    signed = Linear(guarded([[1, -2, 3], [2, 1, -1]]))
    yield asked("signs", Epsilon(F(1, 2)), signed, row("-1 2"), row("3 -2 1"), "z is 3, 4, -5: the stabiliser "
                "takes the sign of z", other(epsilon_sign="none"))
    kernel, image = small((2, 2, 2, 1), 401), small((1, 2, 3, 2), 402)
    yield asked("conv", Epsilon(QUARTER), Conv2D(kernel, halves((2,), 403)), image, small((1, 2, 2, 2), 404, -4, 5),
                "Outputs of both signs, none of them 0", other(epsilon_sign="none"),
                other(epsilon="clipped"))
    small_z = Linear(guarded([["1/8", "7/8"]]))
    yield asked("size", Epsilon(F(1, 2)), small_z, row("1"), row("5 -3"), "z is 1/8 and 7/8, their root mean square "
                "5/8; clipping raises the first to 1/2 and leaves the second alone",
                other(epsilon="clipped"),
                other(epsilon="scaled"))
    zeros = Linear(guarded([[1, 2, -1], [-1, 0, 1], [0, -1, 2]]))
    yield asked("linear", Epsilon(QUARTER), zeros, row("2 2 1"), row("3 -1 2"), "z is 0, 3 and 2",
                other(sign_of_zero=-1), other(sign_of_zero=0),
                flags=["CANCELLATION"])
    yield asked("conv", Epsilon(F(1, 2)), Conv2D(guarded([[[[1, -1]], [[2, -2]]]])), guarded(
        [[[[3, 3, 1]], [[1, 1, -2]]], [[[0, 2, 2]], [[-1, 4, 4]]]]), guarded([[[[5, -2]]], [[[1, 7]]]]),
        "Equal neighbours: an even patch under an edge filter gives z = "
        "0", other(sign_of_zero=-1),
        other(sign_of_zero=0), flags=["CANCELLATION"])
    some = Linear(guarded([[1, 0, 2], [1, 0, 0], [0, 1, 1], [0, -1, 0]]))
    zero_rules = [other(zero_rule=1e-16), other(zero_rule=1e-9),
                  other(zero_rule=INNVESTIGATE), other(zero_rule=("at 0", 1))]
    yield asked("linear", Epsilon(0), some, row("0 0 3 3"), row("2 -1 6"), "The first output has inputs of 0 and is "
                "0 / 0, those of the second cancel. NaN is another answer", *zero_rules,
                flags=["CANCELLATION", "ZERO_INPUT"])
    yield asked("conv", Epsilon(0), Conv2D(guarded([[[[1], [-1]]]])), picture("1 2, 1 3, 4 3"), picture("1 2, -3 5"),
                "An edge filter: equal neighbours cancel. NaN is another answer", *zero_rules, flags=["CANCELLATION"])
    biased = Linear(guarded([[1, 2], [-2, 1]]), guarded([3, "-5/2"]))
    yield asked("linear", Epsilon(QUARTER), biased, row("1 1"), row("4 -1"), "The bias stands in the denominator",
                other(bias_epsilon="left out", zero_rule="nan"), flags=["BIAS"])
    yield asked("conv", Epsilon(0), Conv2D(guarded([[[[1, 2]]], [[[-1, 1]]]]), guarded([-1, 2])), picture("2 1 -3"),
                guarded([[[[3, 1]], [[-2, 4]]]]), "The bias stands in the denominator",
                other(bias_epsilon="left out", zero_rule="nan"), flags=["BIAS"])


def of_alpha_beta() -> Iterator[Case]:
    signs = Linear(guarded([[3, 2], [-1, -4]]), guarded(["-1/2", "3/2"]))
    for rule in (AlphaBeta(2, 1), ZPlus()):
        name = type(rule).__name__.lower()
        yield asked(f"linear-{name}", rule, signs, row("1 1"), row("3/2 -3"), "b+ belongs to the positive sum, b- to "
                    "the negative one", other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                    other(bias_alpha_beta="left out", stabiliser=TORCHLRP), flags=["NEGATIVE_BIAS"])
        kernel, bias = guarded([[[[2, -1]], [[1, -3]]], [[[-2, 1]], [[3, 2]]]]), guarded(["-5/2", "7/2"])
        yield asked(f"conv-{name}", rule, Conv2D(kernel, bias), guarded([[[[1, 2, 1]], [[3, 1, 2]]]]),
                    guarded([[[[4, -1]], [[2, 3]]]]), "b+ belongs to the positive sum, b- to the negative one",
                    other(bias_alpha_beta="whole", stabiliser=INNVESTIGATE),
                    other(bias_alpha_beta="left out", stabiliser=TORCHLRP), flags=["NEGATIVE_BIAS"])
        mixed = Linear(guarded([[2, 1], [1, -3], [-1, 2], [1, 1]]))
        yield asked(f"linear-{name}", rule, mixed, row("1 -2 3 2"), row("-3/2 4"), "Inputs of both signs: a negative "
                    "input with a negative weight is a positive "
                    "product", other(split="weights"),
                    flags=["NEGATIVE_INPUT"])
        yield asked(f"conv-{name}", rule, Conv2D(guarded([[[[2, -1], [1, 3]]]])), picture("1 -2 4, 3 -1 -5"),
                    picture("2 -3"), "Inputs of both signs", other(split="weights"),
                    flags=["NEGATIVE_INPUT"])
    tiny = Linear(guarded([[1], [F(1, 2**20)]]))
    yield asked("powers", AlphaBeta(2, 1), tiny, guarded([[1, F(-1, 2**36)]]), row("1"), "The negative product is "
                "-2^-56: z - z+ in float64 has nothing of it", other(small_negative="difference"),
                flags=["SCALE"])


def of_gamma() -> Iterator[Case]:
    mixed = Linear(guarded([[2, -1], [-1, 3], [3, 1]]))
    forms = [other(gamma="weights"), other(gamma="squares", stabiliser=TORCHLRP_GAMMA)]
    yield asked("linear", Gamma(QUARTER), mixed, guarded([[-1, 2, 1], [1, -1, 2]]), guarded([[3, -2], [1, 5]]),
                "Inputs and outputs of both signs: the sign of z says whether w+ or w- is raised", *forms,
                flags=["NEGATIVE_INPUT"])
    kernel = guarded([[[[2, -1], [1, 3]]], [[[-3, 1], [2, -1]]]])
    yield asked("conv", Gamma(QUARTER), Conv2D(kernel), picture("1 -2 3, 2 1 -1"), guarded([[[[3, -1]], [[2, 4]]]]),
                "Inputs and outputs of both signs", *forms, flags=["NEGATIVE_INPUT"])
    yield asked("zero", Gamma(F(1, 2)), Linear(guarded([[1, 2], [-1, 1]])), row("2 2"), row("3 -1"),
                "z is 0 and 6: where z has no sign, nothing is handed down", *forms, flags=["CANCELLATION"])
    biased = Linear(guarded([[1, 1], [1, -2]]), guarded([1, -1]))
    biases = [other(bias_gamma="kept", gamma="weights"),
              other(bias_gamma="left out")]
    yield asked("linear", Gamma(QUARTER), biased, row("5 1"), row("5 -3"), "b+ is raised with w+: 1 counts as 5/4, -1 "
                "as it is", *biases, flags=["BIAS"])
    yield asked("conv", Gamma(QUARTER), Conv2D(guarded([[[[1, 1]]], [[[1, -1]]]]), guarded([1, 1])), picture("3 2 1"),
                guarded([[[[3, -1]], [[2, 5]]]]), "b+ is raised with w+", *biases, flags=["BIAS"])


def of_spreading() -> Iterator[Case]:
    weights, bias = guarded([[1, 2], [3, -1], [-2, 0]]), guarded([2, -3])
    squared = other(bias_w_square="squared")
    yield asked("linear", WSquare(), Linear(weights, bias), row("3 -5 1"), row("14 -10"),
                "The bias has no square in the denominator", squared, flags=["BIAS"])
    kernel = guarded([[[[1, -2]], [[3, 1]]], [[[2, 0]], [[-1, 2]]]])
    yield asked("conv", WSquare(), Conv2D(kernel, guarded([-2, 1])), small((1, 2, 1, 3), 411), small((1, 2, 1, 2), 412,
                -4, 5), "The bias has no square in the denominator", squared, flags=["BIAS"])
    box = other(bias_z_box="positive")
    yield asked("linear", ZBox(-1, 1), Linear(weights, bias), row("1/2 -1/4 3/4"), row("3 -2"), "The bias cancels: "
                "b - b+ - b-", box, flags=["BIAS"])
    inside = guarded([[[["1/2", "-1/2", "3/4"]], [["1/4", 0, "-3/4"]]]])
    yield asked("conv", ZBox(-1, 1), Conv2D(kernel, guarded([3, -1])), inside,
                guarded([[[[3, -1]], [[2, 5]]]]), "The bias cancels: b - b+ - b-", box, flags=["BIAS"])
    three = Conv2D(small((2, 3, 2, 2), 421), None, pad=1)
    image, R = small((1, 3, 2, 3), 422), small((1, 2, 3, 4), 423, -4, 5)
    yield asked("three-channels", Flat(), three, image, R, "Three channels, padded: an input gets 1 over the inputs "
                "inside the image", other(flat="window"), other(flat="channel"),
                flags=["PADDING"])
    yield asked("three-channels", WSquare(), three, image, R, "Squares inside the image alone",
                other(w_square="window"), flags=["PADDING"])
    yield asked("pool", Flat(), AvgPool((2, 3), 2, (1, 1)), small((1, 2, 3, 4), 424), small((1, 2, 2, 2), 425, -4, 5),
                "A padded pooling spreads inside the image", other(flat="window"), flags=["PADDING"])


def of_stabilisers() -> Iterator[Case]:
    """Denominators of 2^-8 .. 2^-48, one of which every stabiliser can be told by."""
    outputs = [F(1, 2**k) for k in (8, 18, 28, 38, 48)]
    falling = guarded([[3 * n for n in outputs], [5 * n for n in outputs]])
    R = row("1 -2 3 -1 2")
    table: list[tuple[str, Rule, Linear, Array]] = [
        ("zplus", ZPlus(), Linear(falling), row("1 2")),
        ("alphabeta", AlphaBeta(2, 1), Linear(falling * guarded([[1], [-1]])), row("1 2")),
        ("gamma", Gamma(QUARTER), Linear(falling), row("1 2")),
        ("zbox", ZBox(-1, 1), Linear(falling), row("1/2 -1/4")),
        ("wsquare", WSquare(), Linear(guarded([[3 * F(1, 2**k) for k in (4, 9, 14, 19, 24)],
                                               [F(1, 2**k) for k in (4, 9, 14, 19, 24)]])), row("1 2")),
    ]
    for name, rule, layer, x in table:
        yield asked(name, rule, layer, x, R, "Denominators from 2^-8 down: what is added to them takes its share",
                    *(other(stabiliser=epsilon) for epsilon in STABILISERS),
                    flags=["SCALE"])
    yield asked("flat", Flat(), Linear(small((2, 3), 431)), row("1 -2"), row("4 -2 3"), "The denominator is 2: a "
                "stabiliser takes its share there too",
                *(other(stabiliser=epsilon) for epsilon in STABILISERS[1:]))


def of_pools() -> Iterator[Case]:
    ends = other(pool_epsilon="sum")
    yield asked("average", Epsilon(QUARTER), AvgPool((2, 3), (1, 2)), first_sums((1, 2, 3, 5)),
                small((1, 2, 2, 2), 441, -4, 5), "The stabiliser is added to the mean", ends)
    yield asked("sum", Epsilon(QUARTER), SumPool(2, 1, F(1, 2)), first_sums((1, 2, 2, 3)), small((1, 2, 1, 2), 442,
                -4, 5), "The stabiliser is added to the layer's own output, which is half the sum", ends)
    winners = [other(max_pool="first"), other(max_pool="contribution")]
    yield asked("ties", Winner(), MaxPool((2, 2), (1, 1)), picture("2 2 1, 0 1 1, 0 0 -1"), picture("4 -1, 6 3"),
                "Tied winners share evenly; windows overlap", winners[0], flags=["TIES", "OVERLAP"])
    yield asked("rectified", Winner(), MaxPool((2, 3)), guarded([[[[0, 0, 0, 3, 0, 1], [0, 0, 0, 0, 2, 1]]], [[
                [1, 0, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0]]]]), guarded([[[[6, 2]]], [[[-4, 3]]]]), "After a ReLU: windows "
                "of zeros, all of which tie", *winners, flags=["TIES", "ZERO_INPUT"])
    yield asked("padded", Winner(), MaxPool(2, 2, 1), picture("0 -1 -4, -2 -5 0, -3 0 0"), picture("4 -2, 6 8"),
                "The padding never ties with a maximum of 0, and never beats one below", *winners,
                flags=["TIES", "PADDING"])
    fillers = [other(flat_max_pool="first"), other(flat_max_pool="winner", max_pool="first")]
    for rule in (Flat(), WSquare()):
        name = type(rule).__name__.lower()
        yield asked(f"window-{name}", rule, MaxPool((2, 3)), distinct((2, 1, 2, 6), 451, False, False),
                    small((2, 1, 1, 2), 452, 1, 5), "Evenly over the window, whoever won", *fillers)
    yield asked("padded", Flat(), MaxPool(2, 2, 1), distinct((1, 2, 3, 3), 453, False, False), small((1, 2, 2, 2), 454,
                1, 5), "Evenly over the part of the window inside the image", *fillers, flags=["PADDING"])


def first_sums(shape: tuple[int, ...]) -> Array:
    """Whole numbers of both signs with few zeros, odd sums in small windows."""
    return small(shape, 443, -2, 4)


def of_norms() -> Iterator[Case]:
    norm = batch_norm("1 -1/2", "15/4 2", "-1 3/2", "1/4 -2", F(1, 4))
    yield asked("images", Pass(), norm, first(lambda n: small((2, 2, 1, 3), 460 + n), lambda x: (norm(x) != 0).all()),
                small((2, 2, 1, 3), 461, -4, 5), "Relevance passes; as a contribution the bias would take its part",
                other(batch_norm="contribution"))
    yield asked("vectors", Pass(), norm, row("2 -3"), row("3 -2"), "Relevance passes; as a contribution the bias would "
                "take its part", other(batch_norm="contribution"))
    response = LRN(3, F(3, 2), 1, 2)
    x, R = guarded([[[[1]], [[-2]], [[0]], [[3]]]]), guarded([[[[4]], [[-1]], [[2]], [[5]]]])
    yield asked("channels", Pass(), response, x, R, "Relevance passes through the gate",
                other(lrn="gradient"),
                other(lrn="undivided"))
