"""What eight libraries compute, number by number as they print it; every dialect obeys the ledger's law.

D1 to D20 are the disagreements of docs/dialects.md. Each case is one number that a library gave (or, for the two that
were read and not run, that its formula gives). They run in Fractions, so that what differs from the printed digits is
the dialect and not rounding.
"""

from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toolbox_small
from helpers import F, distance, fractions, image, mixed, refused, total, types_in

from lrp_ref import (
    LRN,
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
    Network,
    Pass,
    ReLU,
    SumPool,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    explain,
)
from lrp_ref.arrays import convert_numbers
from lrp_ref.conformance.dialects import (
    CANONICAL,
    DIALECTS,
    Conventions,
    caffe,
    captum,
    innvestigate,
    lxt,
    parts,
    relevance_propagation_jl,
    toolbox,
    torchlrp,
    zennit,
)
from lrp_ref.conformance.dialects.parts import First, Gradient
from lrp_ref.rules import Rule
from lrp_ref.step import step

# ---- One neuron ----


@dataclass(frozen=True)
class Neuron:
    """One output: weights, bias, inputs and the relevance that arrives."""

    w: str
    b: Any
    x: str
    R: Any

    def relevance(self, rule: Rule, number: type = Fraction) -> list[Any]:
        numbers = fractions(self.w)[:, None], fractions([self.b]), fractions(self.x)[None], fractions([[self.R]])
        w, b, x, R = (convert_numbers(array, number) for array in numbers)
        a, m = Linear(w, b).linearize(x)
        return list(step(rule, m, a, R)[0][0])


def as_printed(got: list[Any], printed: str, exact: bool) -> bool:
    """Whether numbers are the printed ones: to half a unit of the last of four digits or more; short ones exactly.

    Where a rule has a stabiliser, a short number is what the library prints without it: one part in a million.
    """
    for number, text in zip(got, printed.split(), strict=True):
        decimals = len(text.partition(".")[2].partition("e")[0])
        wanted = F(text)
        margin = F(1, 2 * 10**decimals) if decimals >= 4 else 0 if exact else abs(wanted) / 10**6
        if abs(F(number) - wanted) > margin:
            return False
    return True


def unstabilised(rule: Rule) -> bool:
    """toolbox.AlphaBeta has its stabilisers among the biases."""
    return rule.guard(fractions("1")) is None and not isinstance(rule, toolbox.AlphaBeta)


D1 = Neuron("1 2", F(-9, 2), "1 1", F(-3, 2))
D1B = Neuron("1 -1", 0, "1 1", 1)
D2 = D1
D2B = Neuron("1 -1", -1, "1 1", -1)
D2C = Neuron("3 -1", F(-1, 2), "1 1", F(3, 2))
D3 = Neuron("2 1 -1 1", F(1, 2), "1 -2 3 1", F(-3, 2))
D4 = Neuron("1 2", 2, "3 -5", 1)
D6 = Neuron("1 -2", 3, "1/2 1/4", 1)
D8 = Neuron("2 -1", 1, "1 1", 2)
D8B = Neuron("2 -1", 1, "-1 1", -2)
D9 = Neuron("1 -1", 3, "1 2", 2)
D17 = Neuron("1 -1 2 -2", F(1, 2), "1 -1 -1 1", F(-3, 2))
D19 = Neuron("1 1", 0, "0 0", 1)
TENTH, QUARTER = F(1, 10), F(1, 4)

NUMBERS = {
    "D1 zennit adds a signed epsilon": (D1, zennit.Epsilon(TENTH), ".9375 1.875"),
    "D1 captum adds a signed epsilon": (D1, captum.Epsilon(TENTH), ".9375 1.875"),
    "D1 lrp_toolbox adds a signed epsilon": (D1, Epsilon(TENTH), ".9375 1.875"),
    "D1 iNNvestigate adds a signed epsilon": (D1, innvestigate.Epsilon(TENTH), ".9375 1.875"),
    "D1 LXT's epsilon has no sign": (D1, lxt.Epsilon(TENTH), "1.071428571429 2.142857142857"),
    "D1 zennit clips": (D1, zennit.EpsilonClipped(TENTH), "1 2"),
    "D1 zennit scales epsilon by the root mean square": (
        D1, zennit.EpsilonScaled(TENTH), ".909090909091 1.818181818182"),
    "D1 zennit leaves out the bias": (D1, zennit.EpsilonNoBias(TENTH), "-.483870967742 -.967741935484"),
    "D1 TorchLRP's 0.1 is that of float32": (D1, torchlrp.Epsilon(), ".937499999127 1.874999998254"),
    "D1b zennit: sign 0 is +1": (D1B, zennit.Epsilon(TENTH), "10 -10"),
    "D1b lrp_toolbox: sign 0 is +1": (D1B, Epsilon(TENTH), "10 -10"),
    "D1b LXT adds epsilon": (D1B, lxt.Epsilon(TENTH), "10 -10"),
    "D1b TorchLRP: sign 0 is -1": (D1B, torchlrp.Epsilon(), "-10 10"),
    "D1b Caffe does not divide by 0": (D1B, caffe.Epsilon(TENTH), "1 -1"),
    "D1b lrp_toolbox's simple": (D1B, toolbox.Simple(), "1e16 -1e16"),
    "D1c zennit has no pole": (Neuron("1", 0, "-1/2", 1), zennit.Epsilon(F(1, 2)), ".5"),
    "D2 zennit": (D2, zennit.ZPlus(), "-.5 -1"),
    "D2 lrp_toolbox": (D2, toolbox.AlphaBeta(1), "-.5 -1"),
    "D2 TorchLRP": (D2, torchlrp.AlphaBeta(1, 0), "-.5 -1"),
    "D2 iNNvestigate has the whole bias under z+": (D2, innvestigate.AlphaBeta(1, 0), "1 2"),
    "D2 captum keeps a negative bias": (D2, captum.Alpha1Beta0(), ".999999999333 1.999999998667"),
    "D2 iNNvestigate without bias": (D2, innvestigate.AlphaBetaIgnoreBias(1, 0), "-.5 -1"),
    "D2 iNNvestigate's z+": (D2, innvestigate.ZPlus(), "-.5 -1"),
    "D2 captum without bias": (D2, captum.Alpha1Beta0NoBias(), "-.5 -1"),
    "D2b lrp_toolbox, alpha 1": (D2B, toolbox.AlphaBeta(1), "-1 0"),
    "D2b zennit, alpha 1": (D2B, zennit.AlphaBeta(1, 0), "-.999999000001 0"),
    "D2b iNNvestigate, alpha 1": (D2B, innvestigate.AlphaBeta(1, 0), "-1e7 0"),
    "D2b captum, alpha 1": (D2B, captum.Alpha1Beta0(), "-1e9 0"),
    "D2b lrp_toolbox, alpha 2": (D2B, toolbox.AlphaBeta(2), "-2 .5"),
    "D2b zennit, alpha 2": (D2B, zennit.AlphaBeta(2, 1), "-1.999998000002 .49999975"),
    "D2b TorchLRP, alpha 2": (D2B, torchlrp.AlphaBeta(2, 1), "-2 1"),
    "D2b iNNvestigate, alpha 2": (D2B, innvestigate.AlphaBeta(2, 1), "-2e7 .5"),
    "D2c zennit, alpha 2": (D2C, zennit.AlphaBeta(2, 1), "3 -1"),
    "D2c lrp_toolbox, alpha 2": (D2C, toolbox.AlphaBeta(2), "3 -1"),
    "D2c TorchLRP, alpha 2": (D2C, torchlrp.AlphaBeta(2, 1), "3 -1.5"),
    "D2c iNNvestigate, alpha 2": (D2C, innvestigate.AlphaBeta(2, 1), "3.6 -1"),
    "D2c zennit, alpha 1": (D2C, zennit.AlphaBeta(1, 0), "1.5 0"),
    "D2c lrp_toolbox, alpha 1": (D2C, toolbox.AlphaBeta(1), "1.5 0"),
    "D2c TorchLRP, alpha 1": (D2C, torchlrp.AlphaBeta(1, 0), "1.5 0"),
    "D2c iNNvestigate, alpha 1": (D2C, innvestigate.AlphaBeta(1, 0), "1.8 0"),
    "D2c captum, alpha 1": (D2C, captum.Alpha1Beta0(), "1.8 0"),
    "D3 zennit splits products": (D3, zennit.ZPlus(), "-.857143 0 0 -.428571"),
    "D3 lrp_toolbox splits products": (D3, toolbox.AlphaBeta(1), "-.857142857143 0 0 -.428571428571"),
    "D3 iNNvestigate, alpha 1": (D3, innvestigate.AlphaBeta(1, 0), "-.857142857143 0 0 -.428571428571"),
    "D3 captum splits weights": (D3, captum.Alpha1Beta0(), "-2 2 0 -1"),
    "D3 captum without bias": (D3, captum.Alpha1Beta0NoBias(), "-3 3 0 -1.5"),
    "D3 iNNvestigate's fast z+ splits weights": (D3, innvestigate.ZPlusFast(), "-3 3 0 -1.5"),
    "D3 TorchLRP": (D3, torchlrp.AlphaBeta(1, 0), "-1 0 0 -.5"),
    "D3 iNNvestigate's z+": (D3, innvestigate.ZPlus(), "-1 0 0 -.5"),
    "D3 iNNvestigate, alpha 2": (D3, innvestigate.AlphaBeta(2, 1), "-1.7143 .6667 1 -.8571"),
    "D3 zennit, alpha 2": (D3, zennit.AlphaBeta(2, 1), "-1.7143 .6 .9 -.8571"),
    "D3 lrp_toolbox, alpha 2": (D3, toolbox.AlphaBeta(2), "-1.7143 .6 .9 -.8571"),
    "D4 lrp_toolbox": (D4, toolbox.WSquare(), ".2 .8"),
    "D4 iNNvestigate": (D4, innvestigate.WSquare(), ".2 .8"),
    "D4 zennit squares the bias": (D4, zennit.WSquare(), ".111111098765 .444444395062"),
    "D4 zennit without bias": (D4, zennit.WSquareNoBias(), ".2 .8"),
    "D6 zennit": (D6, zennit.ZBox(-1, 1), ".5 .5"),
    "D6 iNNvestigate": (D6, innvestigate.Bounded(-1, 1), ".5 .5"),
    "D6 Caffe keeps b+": (D6, caffe.ZBox(-1, 1), ".25 .25"),
    "D8 zennit raises the bias": (D8, zennit.Gamma(QUARTER), "1.818181157025 -.72727246281"),
    "D8 captum keeps the bias": (D8, captum.Gamma(QUARTER), "1.9999999992 -.79999999968"),
    "D8 zennit without bias": (D8, zennit.GammaNoBias(QUARTER), "3.3333 -1.3333"),
    "D8 captum without bias": (D8, captum.GammaNoBias(QUARTER), "3.3333 -1.3333"),
    "D8 zennit, gamma 0.1": (D8, zennit.Gamma(TENTH), "1.9130426 -.8695648"),
    "D8 captum, gamma 0.1": (D8, captum.Gamma(TENTH), "2 -.9090909"),
    "D8 TorchLRP squares the positive weights": (D8, torchlrp.Gamma(), "1.92 -.8"),
    "D8b zennit, a negative input": (D8B, zennit.Gamma(QUARTER), "-1.8181812 -.9090906"),
    "D8b captum, a negative input": (D8B, captum.Gamma(QUARTER), "-2 -.8"),
    "D9 zennit takes the sign with the bias": (D9, zennit.GammaNoBias(QUARTER), "-3.3333 5.3333"),
    "D9 zennit, a layer built without bias": (
        Neuron("1 -1", 0, "1 2", 2), zennit.GammaNoBias(QUARTER), "-1.3333 3.3333"),
    "D9 zennit's gamma at z = 0": (D1B, zennit.Gamma(QUARTER), "0 0"),
    "D9 zennit's epsilon at z = 0": (D1B, zennit.Epsilon(), "1e6 -1e6"),
    "D16 lrp_toolbox, alpha 0, dense": (Neuron("-1", 0, "1e-16", 1), toolbox.AlphaBeta(0), ".5"),
    "D17 iNNvestigate's X1000": (D17, innvestigate.AlphaBetaX((1, 0), (0, 0)), "-1 0 0 0"),
    "D17 iNNvestigate's X1001 never reads its second alpha": (
        D17, innvestigate.AlphaBetaX((1, 1), (0, 0)), "-1 0 0 0"),
    "D17 iNNvestigate's X1010 takes beta for alpha": (D17, innvestigate.AlphaBetaX((1, 0), (0, -1)), "-1 1.5 -2 0"),
    "D19 lrp_toolbox, a dead neuron": (D19, Epsilon(TENTH), "0 0"),
    "D19 zennit, a dead neuron": (D19, zennit.Epsilon(), "0 0"),
    "D19 w-square of a dead neuron": (D19, toolbox.WSquare(), ".5 .5"),
    "D19 flat of a dead neuron": (D19, toolbox.Flat(), ".5 .5"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_dialect_gives_the_numbers_of_its_library(case: str) -> None:
    neuron, rule, printed = NUMBERS[case]
    got = neuron.relevance(rule)
    assert types_in(np.array(got, dtype=object)) == {Fraction}
    assert as_printed(got, printed, unstabilised(rule)), [float(number) for number in got]


def test_caffes_average_of_a_zero_sum_is_dead_here() -> None:
    """What Caffe hands down there, the inputs themselves, is not linear in R."""
    for x, wanted in (("1 -1 0 0", [0, 0, 0, 0]), ("1 -1 0 2", [3, -3, 0, 6])):
        assert relevance(AvgPool((1, 4)), image(x), caffe.Average(), image("6")) == wanted


def test_relevance_propagation_jl_has_one_gamma_for_all_signs_and_one_that_drops_negative_outputs() -> None:
    """D8: 2.5, -1 and a bias of 1.25. D8b: -2.5 and -1 and 1.25 are -2.25; the general form has -2.5, -1.25 and 1.

    After a ReLU the negative z of D8b is 0, and R is dropped.
    """
    julia = relevance_propagation_jl
    assert as_printed(D8.relevance(julia.Gamma(QUARTER)), "1.81818182 -.72727273", False)
    assert as_printed(D8B.relevance(julia.Gamma(QUARTER)), "-2.22222222 -.88888889", False)
    assert as_printed(D8B.relevance(julia.GeneralizedGamma(QUARTER)), "-1.81818182 -.90909091", False)
    assert D8B.relevance(julia.GeneralizedGammaReLU(QUARTER)) == [0, 0]
    assert D8.relevance(julia.GeneralizedGammaReLU(QUARTER)) == D8.relevance(julia.GeneralizedGamma(QUARTER))


def test_the_numbers_are_far_apart_where_dialects_disagree() -> None:
    """Otherwise printed digits would say nothing: D1 alone has seven answers."""
    answers = {tuple(neuron.relevance(rule)) for neuron, rule, _ in NUMBERS.values() if neuron is D1}
    assert len(answers) >= 7


# ---- What only floats show ----


def in_floats(neuron: Neuron, rule: Rule) -> list[float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return [float(number) for number in neuron.relevance(rule, np.float64)]


CANCELLING = {
    "fast": (Neuron("1 -1e-8", 0, "1 1e-9", 1), toolbox.AlphaBeta(2), [2, -0.1]),
    "slow": (Neuron("1 -1e-8", 0, "1 1e-9", 1), toolbox.AlphaBetaSlow(2), [2, -1]),
    "zennit": (Neuron("1 -1e-8", 0, "1 1e-9", 1), zennit.AlphaBeta(2, 1, 0), [2, -1]),
    "fast, large": (Neuron("1 -1e-9", 0, "1e8 1", 10**8), toolbox.AlphaBeta(2), [2e8, -1e15]),
    "slow, large": (Neuron("1 -1e-9", 0, "1e8 1", 10**8), toolbox.AlphaBetaSlow(2), [2e8, -1e8]),
}


@pytest.mark.parametrize("case", CANCELLING)
def test_d7_the_toolboxs_fast_path_cancels_in_floats(case: str) -> None:
    """The second number is z-_ij R / (z - z+): of the sum 1 - 1e-17 in floats nothing is left but the stabiliser."""
    neuron, rule, wanted = CANCELLING[case]
    # 1e-16 beside 1e-9 is rounded to 1e-25, twice
    assert in_floats(neuron, rule) == pytest.approx(wanted, rel=2e-9, abs=0)


def test_d7_without_rounding_the_fast_path_is_the_slow_one() -> None:
    neuron = Neuron("1 -1/4", 0, "1 2", 1)
    for fast, slow in zip(neuron.relevance(toolbox.AlphaBeta(2)), neuron.relevance(AlphaBeta(2, 1)), strict=True):
        assert abs(fast - slow) < F(1, 10**15)   # the stabilisers of 1e-16


def test_d1c_lxt_has_a_pole_at_minus_epsilon() -> None:
    assert in_floats(Neuron("1", 0, "-1/2", 1), lxt.Epsilon(0.5)) == [-np.inf]


def test_d16_the_toolboxs_alpha_0_has_a_pole_in_convolutions() -> None:
    assert in_floats(Neuron("-1", 0, "1e-16", 1), toolbox.Alpha0Convolution())[0] in (-np.inf, np.inf)


@pytest.mark.parametrize("rule", [zennit.Epsilon(0), toolbox.AlphaBetaSlow(2)], ids=["zennit", "lrp_toolbox"])
def test_d19_zero_over_zero_is_not_a_number(rule: Rule) -> None:
    a, m = Linear(np.ones((2, 1))).linearize(np.zeros((1, 2)))
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(step(rule, m, a, np.ones((1, 1)))[1].handed).all()


def test_what_is_not_a_number_is_reported_by_layer() -> None:
    network = Network([("fc", Linear(np.ones((2, 1))))])
    with refused("layer fc: relevance overflows at …"):
        explain(network, np.zeros((1, 2)), {"fc": zennit.Epsilon(0)}, target=np.ones((1, 1)))


# ---- Windows: padding, pools ----


def relevance(layer: Any, x: Any, rule: Rule, R: Any) -> list[Any]:
    a, m = layer.linearize(x)
    return [*step(rule, m, a, R)[0].flat]


CORNER = Conv2D(image("1 2 3, 4 5 6, 7 8 9"), None, 1, 1)
ONE_CORNER = image("1 0 0, 0 0 0, 0 0 0")
PICTURE = image("2 -1 3, 0 4 1, -2 5 1")
CORNERS = {
    "zennit, flat": (zennit.Flat(), ".25 .25 0 .25 .25 0 0 0 0"),
    "iNNvestigate, flat": (Flat(), ".25 .25 0 .25 .25 0 0 0 0"),
    "lrp_toolbox, flat": (toolbox.Flat(), ".1111 .1111 0 .1111 .1111 0 0 0 0"),
    "Caffe, flat": (caffe.Flat(), ".1111 .1111 0 .1111 .1111 0 0 0 0"),
    "zennit, w-square": (zennit.WSquareNoBias(), ".12136 .17476 0 .31068 .39320 0 0 0 0"),
    "iNNvestigate, w-square": (innvestigate.WSquare(), ".12136 .17476 0 .31068 .39320 0 0 0 0"),
}


@pytest.mark.parametrize("case", CORNERS)
def test_d5_a_padded_corner_gives_the_numbers_of_its_library(case: str) -> None:
    rule, printed = CORNERS[case]
    assert as_printed(relevance(CORNER, PICTURE, rule, ONE_CORNER), printed, unstabilised(rule))


def test_d5_what_the_padding_gets_is_lost() -> None:
    """Of the squares 1 .. 81, 285 in all, 25 + 36 + 64 + 81 = 206 are inside."""
    for rule, kept, digits in ((toolbox.WSquare(), F(206, 285), ".72281"), (toolbox.Flat(), F(4, 9), ".4444"),
                               (caffe.WSquare(), F(206, 285), ".72281"), (caffe.Flat(), F(4, 9), ".4444")):
        assert sum(relevance(CORNER, PICTURE, rule, ONE_CORNER)) == kept
        assert as_printed([kept], digits, True)


def test_d5_caffe_gives_every_channel_the_whole() -> None:
    """R = 1 in the middle of three channels: 27 inputs get 1/9 each."""
    layer, R = Conv2D(mixed((1, 3, 3, 3), 1) + 6, None, 1, 1), image("0 0 0, 0 1 0, 0 0 0")
    got = relevance(layer, mixed((1, 3, 3, 3), 2), caffe.Flat(), R)
    assert got == [F(1, 9)] * 27
    assert sum(relevance(layer, mixed((1, 3, 3, 3), 2), toolbox.Flat(), R)) == 1


def test_caffes_padding_is_a_pixel_of_a_box_of_its_own() -> None:
    """w = -1 twice, x = 1 beside a padded 0, box -1 to 2: the input gives -1 + 2 = 1, padding, with 3 above it, 3."""
    layer, x = Conv2D(image("-1 -1"), None, 1, (0, 1)), image("1")
    got = relevance(layer, x, caffe.ZBox(-1, 2), image("8 0"))
    assert got == [2] and relevance(layer, x, ZBox(-1, 2), image("8 0")) == [8]


POOLS = {
    "D10 lrp_toolbox: ties share": (MaxPool((1, 4)), "2 2 1 0", Winner(), 1, ".5 .5 0 0"),
    "D10 zennit, iNNvestigate, TorchLRP, Caffe: the first wins": (MaxPool((1, 4)), "2 2 1 0", First(), 1, "1 0 0 0"),
    "D10 lrp_toolbox's flat": (MaxPool((1, 4)), "2 2 1 0", toolbox.Flat(), 1, ".25 .25 .25 .25"),
    "D10 zennit's flat: the first pixel": (MaxPool((1, 4)), "0 2 1 0", zennit.Flat(), 1, "1 0 0 0"),
    "D10 lrp_toolbox, maximum 0": (MaxPool((1, 2)), "0 -1", Winner(), 1, "1 0"),
    "D10 zennit, maximum 0": (MaxPool((1, 4)), "0 -1 -2 -3", First(), 1, "1 0 0 0"),
    "D10 captum, maximum 0": (MaxPool((1, 2)), "0 -1", captum.Epsilon(), 3, "0 0"),
    "D10 captum, maximum 1": (MaxPool((1, 2)), "-1 1", captum.Epsilon(), 4, "0 4"),
    "D11 lrp_toolbox: epsilon on the sum": (
        SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox.SumPoolEpsilon(TENTH), 1, ".2439 -.2439 .4878 .4878"),
    "D11 zennit: epsilon on the mean": (
        AvgPool((1, 4)), "1 -1 2 2", zennit.Epsilon(TENTH), 1, ".2273 -.2273 .4545 .4545"),
    "D11 lrp_toolbox, sum 0": (SumPool((1, 4), scale=F(1, 2)), "1 -1 0 0", toolbox.SumPoolEpsilon(), 1,
                               "1e12 -1e12 0 0"),
    "D11 zennit, sum 0": (AvgPool((1, 4)), "1 -1 0 0", zennit.Epsilon(), 1, "2.5e5 -2.5e5 0 0"),
    "D11 lrp_toolbox, alpha 1": (SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox.SumPoolAlphaBeta(1), 1,
                                 ".2 0 .4 .4"),
    "D16 lrp_toolbox, alpha 2, slow": (SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox.SumPoolAlphaBeta(2), 3,
                                       "1.2 -3 2.4 2.4"),
}


@pytest.mark.parametrize("case", POOLS)
def test_a_pool_gives_the_numbers_of_its_library(case: str) -> None:
    layer, x, rule, R, printed = POOLS[case]
    assert as_printed(relevance(layer, image(x), rule, image(str(R))), printed, unstabilised(rule))


def test_d11b_alpha_2_doubles_relevance_at_a_pool_of_positive_inputs() -> None:
    got = relevance(SumPool((1, 3), scale=F(1, 2)), image("1 2 5"), toolbox.SumPoolAlphaBeta(2), image("4"))
    assert sum(got) == pytest.approx(8, rel=1e-15, abs=0)   # what its own stabiliser of 1e-16 takes


def test_the_first_winner_is_one_per_window_also_where_windows_overlap_and_padding_ties() -> None:
    """Windows of two, stride one, over 0 0 7 7 and a padding of zeros: each gives to its first maximum in the image."""
    layer, R = MaxPool((1, 2), stride=1, pad=(0, 1)), image("1 2 4 8 16")
    assert relevance(layer, image("0 0 7 7"), First(), R) == [3, 0, 12, 16]
    assert relevance(layer, image("0 0 7 7"), zennit.Flat(), R) == [n / (1 + F(1e-6)) for n in (3, 4, 8, 16)]


# ---- Norms, the start ----

BATCH_NORM = BatchNorm(fractions("1"), fractions("4"), fractions("2"), fractions("1/2"), 0)
NORMS = {
    "zennit passes": (Pass(), "2.5"), "captum's IdentityRule passes": (Pass(), "2.5"),
    "captum's default": (captum.Epsilon(), "3"), "iNNvestigate's own formula": (innvestigate.Z(), "3"),
}


@pytest.mark.parametrize("case", NORMS)
def test_d13_batch_norm_gives_the_numbers_of_its_library(case: str) -> None:
    """g = 2 / 2 and b = 1/2 - 1, so that y = 3 - 1/2 = 5/2, and x g / y R = 3."""
    rule, printed = NORMS[case]
    got = relevance(BATCH_NORM, fractions([[3]]), rule, fractions([[F(5, 2)]]))
    assert as_printed(got, printed, unstabilised(rule))


def test_d13_innvestigate_fuses_batch_norm_with_the_square_of_its_variance() -> None:
    """sqrt(16) = 4: g = 1/2, b = 1/2 - 1/4; 3/2 of 7/4 of 5/2 is 15/7. Its preset A takes alpha 2."""
    fused, x, R = innvestigate.fused(BATCH_NORM), fractions([[3]]), fractions([[F(5, 2)]])
    assert relevance(fused, x, innvestigate.Z(), R) == [F(15, 7)]
    assert as_printed(relevance(fused, x, innvestigate.AlphaBetaX((2, 0), (1, 0)), R), "4.2857", True)
    nearly = innvestigate.fused(BatchNorm(*(np.array([v]) for v in (1.0, 4 - 1e-5, 2.0, 0.5)), 1e-5))
    [got] = relevance(nearly, np.array([[3.0]]), innvestigate.Z(), np.array([[2.5]]))
    assert round(got, 6) == 2.142858


def test_d13_zennits_merge_leaves_a_batch_norm_that_divides() -> None:
    layer = BatchNorm(*(np.array([v]) for v in (1.0, 4.0, 2.0, 0.5)), 1e-2)
    network = Network([("fc", Linear(np.ones((1, 1)))), ("norm", layer)])
    x = np.array([[3.0]])
    assert (round(network(x).item(), 6), round(zennit.merged(network)(x).item(), 6)) == (2.497505, 2.485110)


def test_d13_relevance_propagation_jl_leaves_out_the_batch_norms_epsilon() -> None:
    layer = BatchNorm(*(np.array([v]) for v in (1.0, 4.0, 2.0, 0.5)), 1e-2)
    assert relevance_propagation_jl.fused(layer)(np.array([[3.0]])).item() == 2.5


def test_d14_caffes_local_response_norm_lets_relevance_grow() -> None:
    layer, x = LRN(5, 1e-4, 0.75, 1.0, taylor=True), np.array([3.0, 5, 0, 7, 2]).reshape(1, 5, 1, 1)
    got = relevance(layer, x, caffe.LocalResponse(), x)
    assert np.round(got, 3).tolist() == [8.992, 24.947, 0, 48.922, 3.994]
    assert round(sum(got), 2) == 86.85


def test_d15d_zennit_starts_from_all_scores() -> None:
    network, x = Network([("fc", Linear(fractions(["1 0", "0 4"])))]), fractions(["1 1"])
    starts = {"all scores": network(x), "one": fractions(["0 1"]), "score": fractions(["0 4"])}
    for name, wanted in (("zennit", "1 4"), ("relevance_propagation_jl", "0 1"), ("captum", "0 4")):
        rules = DIALECTS[name].translate(network, assign(network))
        e = explain(network, x, rules, starts[DIALECTS[name].conventions.start])
        assert as_printed([*e.start.flat], wanted, True)
        assert as_printed([*e.relevance.flat], wanted, False)


# ---- All dialects ----

MODULES = (caffe, captum, innvestigate, lxt, parts, relevance_propagation_jl, toolbox, torchlrp, zennit)
KINDS = [kind for module in MODULES for kind in vars(module).values()
         if isinstance(kind, type) and issubclass(kind, Rule) and kind.__module__ == module.__name__
         and kind.shares is not Rule.shares]


def named(kind: type[Rule]) -> str:
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


kinds = pytest.mark.parametrize("kind", KINDS, ids=named)
PARAMETERS = {"epsilon": F(1, 7), "gamma": QUARTER, "alpha": F(2), "beta": F(1), "low": F(-4), "high": F(5)}
LAYERS = {
    "Linear": Linear(mixed((5, 3), 52), mixed((3,), 53)),
    "Conv2D": Conv2D(mixed((4, 1, 2, 3), 4), mixed((4,), 5), (1, 2), (2, 1), (2, 1), 2),
    "AvgPool": AvgPool((2, 3), 1, 1), "MaxPool": MaxPool((2, 3), 1, 1),
}


def made(kind: type[Rule]) -> Rule:
    """A rule of that kind, its parameters small fractions."""
    if kind is innvestigate.AlphaBetaX:
        return innvestigate.AlphaBetaX((F(2), F(1)), (F(1), F(3)))
    assert is_dataclass(kind)
    return kind(**{field.name: PARAMETERS[field.name] for field in fields(kind)})


IRRATIONAL = (zennit.EpsilonScaled, toolbox.AlphaBetaSlow)   # a root of a mean square; 0 / 0


def asked(name: str) -> tuple[Any, Any, Any]:
    """The layer, inputs and relevance."""
    layer, x = LAYERS[name], mixed((2, 5) if name == "Linear" else (2, 2, 4, 5), 3)
    return layer, x, mixed(layer(x).shape, 9)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in IRRATIONAL], ids=named)
@pytest.mark.parametrize("name", LAYERS)
def test_the_ledgers_law_holds_for_every_dialect(kind: type[Rule], name: str) -> None:
    layer, x, R = asked(name)
    a, m = layer.linearize(x)
    below, account = step(made(kind), m, a, R)
    assert types_in(below) == types_in(account.stabiliser) == {Fraction}
    assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all()
    assert total(below) == total(account.handed)


@pytest.mark.parametrize(("kind", "name"), [     # EpsilonScaled is for Linear alone
    pytest.param(kind, name, id=f"{named(kind)}-{name}") for kind in KINDS for name in LAYERS
    if kind is not zennit.EpsilonScaled or name == "Linear"])
def test_every_dialect_keeps_single_precision(kind: type[Rule], name: str) -> None:
    layer, x, R = asked(name)
    a, m = layer.astype(np.float32).linearize(x.astype(np.float32))
    with np.errstate(divide="ignore", invalid="ignore"):
        below, account = step(made(kind), m, a, R.astype(np.float32))
    assert below.dtype == account.stabiliser.dtype == np.float32


def test_epsilon_scaled_obeys_the_law_too_where_roots_are_rational() -> None:
    """z = 1 and 7 have the root mean square 5, so 1 + 5/7 and 7 + 5/7 divide 12 and 54: 7, and 7 times 7."""
    a, m = Linear(fractions(["1 7"])).linearize(fractions(["1"]))
    below, account = step(zennit.EpsilonScaled(F(1, 7)), m, a, fractions([[12, 54]]))
    assert below.tolist() == [[F(7) + F(49)]]
    assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all()
    with refused("EpsilonScaled needs all outputs of a sample at once: use it on Linear"):
        zennit.EpsilonScaled(1).shares(LAYERS["Conv2D"].linearize(mixed((1, 2, 4, 5), 3))[1], mixed((1, 2, 4, 5), 3))


@kinds
def test_every_dialect_rule_states_its_formula_and_how_it_departs(kind: type[Rule]) -> None:
    """The formula first, then the departure with its D-number or the option that makes it."""
    text = kind.__doc__ or ""
    first, _, rest = text.partition("\n\n")
    assert first.startswith(("R_i = sum", "As ")), first
    assert rest.strip().startswith(("Departs", "The option", "`")), rest


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_translates_canonical_rules_by_their_names(name: str) -> None:
    dialect = DIALECTS[name]
    canonical = (Epsilon(QUARTER), Epsilon(0), AlphaBeta(1, 0), ZPlus(), Gamma(TENTH), ZBox(-1, 2), WSquare(), Flat(),
                 Winner(), Pass())
    for rule in canonical:
        if type(rule).__name__ in dialect.rules:
            assert isinstance(dialect.rule(rule), Rule)
        else:
            with refused(f"{dialect.name} {dialect.version} has no rule {type(rule).__name__}, needed one of …"):
                dialect.rule(rule)
    assert set(dialect.rules) <= {type(rule).__name__ for rule in canonical}


def test_captum_knows_one_alpha_and_one_beta() -> None:
    with refused("captum 0.9.0 has no AlphaBeta(2, 1), needed alpha = 1, beta = 0"):
        DIALECTS["captum"].rule(AlphaBeta(2, 1))


def test_a_layer_may_have_rules_of_its_own() -> None:
    network = Network([("conv", LAYERS["Conv2D"]), ("relu", ReLU()), ("pool", AvgPool(2)), ("top", MaxPool(1)),
                       ("flat", Flatten())])
    rules = {**assign(network), "conv": AlphaBeta(2, 1), "pool": AlphaBeta(2, 1)}
    got = DIALECTS["toolbox"].translate(network, rules)
    assert got == {"conv": toolbox.AlphaBeta(2), "relu": Pass(), "pool": toolbox.SumPoolAlphaBeta(2),
                   "top": Winner(), "flat": Pass()}
    assert DIALECTS["torchlrp"].rule(Pass(), ReLU()) == Gradient() and DIALECTS["torchlrp"].rule(Pass()) == Pass()


# ---- Conventions are what the rules do ----


def one(weights: str, bias: Any = 0) -> Linear:
    return Linear(fractions(weights)[:, None], fractions([bias]))


SPLIT = Linear(fractions(["3 3", "-1 -1"]), fractions("-1/2 1/2"))
TWO_CHANNELS = Conv2D(np.concatenate([CORNER.weight, CORNER.weight], axis=1), None, 1, 1)

# question: a layer, its input, R, a canonical rule, and for every answer what the input gets (of two, their sum)
QUESTIONS: dict[str, tuple[Any, Any, Any, Rule, dict[Any, str]]] = {
    "epsilon_sign": (one("1"), fractions([[-1]]), fractions([[1]]), Epsilon(QUARTER),
                     {"z": ".8", "none": "1.33333333"}),
    "sign_of_zero": (one("1 -1"), fractions([[1, 1]]), fractions([[1]]), Epsilon(QUARTER),
                     {1: "4 -4", -1: "-4 4", 0: "1 -1"}),
    "bias_epsilon": (one("1", 1), fractions([[1]]), fractions([[1]]), Epsilon(QUARTER),
                     {"kept": ".44444444", "left out": ".8"}),
    "zero_rule": (one("1 -1"), fractions([[1, 1]]), fractions([[1]]), Epsilon(0),
                  {"dead": "0 0", 1: "1 -1", **{10.0**-n: f"1e{n} -1e{n}" for n in (7, 9, 16)}}),
    "pool_epsilon": (AvgPool((1, 2)), image("1 1"), image("1"), Epsilon(QUARTER),
                     {"output": ".4 .4", "sum": ".44444444 .44444444"}),
    "bias_alpha_beta": (SPLIT, fractions([[1, 1]]), fractions([["3/2", "7/2"]]), AlphaBeta(1, 0),
                        {"split": "4.5 0", "whole": "4.8 0", "left out": "5 0"}),
    "split": (one("2 1 -1 1"), fractions(["1 -2 3 1"]), fractions([[3]]), ZPlus(),
              {"products": "2 0 0 1", "weights": "6 -6 0 3"}),
    "gamma": (one("2 -1"), fractions(["-1 1"]), fractions([[3]]), Gamma(TENTH),
              {"general": "2 1", "weights": "2.0625 .9375", "squares": "2.11764706 .88235294"}),
    "bias_gamma": (one("2", 1), fractions([[1]]), fractions([[1]]), Gamma(TENTH),
                   {"raised": ".66666667", "kept": ".6875"}),
    "bias_w_square": (one("1 2", 2), fractions(["3 -5"]), fractions([[1]]), WSquare(),
                      {"left out": ".2 .8", "squared": ".11111111 .44444444"}),
    "bias_z_box": (one("1 -2", 3), fractions(["1/2 1/4"]), fractions([[1]]), ZBox(-1, 1),
                   {"cancels": ".5 .5", "positive": ".25 .25"}),
    "flat": (TWO_CHANNELS, np.concatenate([PICTURE, -PICTURE], axis=1), ONE_CORNER, Flat(),
             {answer: " ".join([f"{n} {n} 0 {n} {n} 0 0 0 0"] * 2)
              for answer, n in (("inside", ".125"), ("window", ".05555556"), ("channel", ".11111111"))}),
    "w_square": (Conv2D(image("3 4"), None, 1, (0, 1)), image("1"), image("25 0"), WSquare(),
                 {"inside": "25", "window": "16"}),
    "max_pool": (MaxPool((1, 2)), image("2 2 0 0"), image("1 1"), Winner(),
                 {"ties share": ".5 .5 .5 .5", "first": "1 0 1 0", "contribution": "1 0 0 0"}),
    "flat_max_pool": (MaxPool((1, 4)), image("0 2 1 1"), image("1"), Flat(),
                      {"even": ".25 .25 .25 .25", "first": "1 0 0 0", "winner": "0 1 0 0"}),
    "batch_norm": (BATCH_NORM, fractions([[3]]), fractions([[F(5, 2)]]), Pass(), {"pass": "2.5", "contribution": "3"}),
}
UNASKED = {
    "start": "where to begin is the caller's", "alpha_beta": "how parameters are written is no number",
    "epsilon": "no library clips unless asked", "default_epsilon": "the rule is always given one",
    "stabiliser": "another size for each", "small_negative": "exact numbers do not cancel",
    "lrn": "one library has a rule for it",
}
# captum's IdentityRule passes; epsilon is what it takes unless told. TorchLRP raises the bias by its own square.
OTHERWISE = {("captum", "batch_norm"), ("torchlrp", "bias_gamma")}


def test_every_question_is_asked_or_says_why_not() -> None:
    assert QUESTIONS.keys() | UNASKED.keys() == {field.name for field in fields(Conventions)}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answers_to_a_question_are_different_numbers(question: str) -> None:
    answers = QUESTIONS[question][-1]
    assert len(set(answers.values())) == len(answers) > 1


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_canonical_answer_is_what_canonical_rules_do(question: str) -> None:
    layer, x, R, rule, answers = QUESTIONS[question]
    assert as_printed(relevance(layer, x, rule, R), answers[getattr(CANONICAL, question)], True)


@pytest.mark.parametrize(("name", "question"), [
    (name, question) for name, dialect in DIALECTS.items() for question in QUESTIONS
    if getattr(dialect.conventions, question) not in (None, "nan") and (name, question) not in OTHERWISE])
def test_a_dialects_convention_is_what_its_rules_do(name: str, question: str) -> None:
    """Its answer's numbers come out, and no other answer's; a library without the rule answers nothing."""
    layer, x, R, canonical, answers = QUESTIONS[question]
    dialect = DIALECTS[name]
    answer = getattr(dialect.conventions, question)
    got = relevance(layer, x, dialect.rule(canonical, layer), R)
    assert {one for one, printed in answers.items() if near(got, printed)} == {answer}


def near(got: list[Any], printed: str) -> bool:
    """To a part in 1e5: a stabiliser of 1e-6 moves these sums, of about 1, by less."""
    wanted = [F(text) for text in printed.split()]
    return all(abs(F(number) - want) <= max(abs(want), F(1, 10)) / 10**5 for number, want in zip(got, wanted))


@pytest.mark.parametrize("name", ["zennit", "captum", "innvestigate", "toolbox", "relevance_propagation_jl"])
def test_the_stabiliser_of_alpha_beta_is_the_stated_one(name: str) -> None:
    """A positive sum as large as the stabiliser keeps half; without one it keeps all."""
    dialect = DIALECTS[name]
    size = dialect.conventions.stabiliser
    layer = Linear(fractions([[F(size or 1)]]))
    [got] = relevance(layer, fractions([[1]]), dialect.rule(AlphaBeta(1, 0), layer), fractions([[1]]))
    assert got == (F(1, 2) if size else 1)


def test_departures_are_the_answers_that_are_not_canonical() -> None:
    assert DIALECTS["lxt"].departures()["epsilon_sign"] == "none"
    assert DIALECTS["relevance_propagation_jl"].departures() == {
        "start": "one", "default_epsilon": 1e-6, "zero_rule": 1e-9, "stabiliser": 1e-9, "gamma": "weights",
        "max_pool": "contribution", "flat_max_pool": None, "lrn": None}


def written(answer: Any) -> str:
    """An answer in the table of docs/dialects.md."""
    return "-" if answer is None else answer if isinstance(answer, str) else f"{answer:g}".replace("e-0", "e-")


def test_the_table_of_conventions_in_the_docs_is_that_of_the_dialects() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    [head] = [line for line in lines if line.startswith("| convention ")]
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["convention", "canonical", *DIALECTS]
    for row, question in zip(rows, fields(Conventions), strict=True):
        canonical = getattr(CANONICAL, question.name)
        answers = [getattr(dialect.conventions, question.name) for dialect in DIALECTS.values()]
        cells = ["·" if answer == canonical else written(answer) for answer in answers]
        assert row == [f"`{question.name}`", written(canonical), *cells]


# ---- A library's own output ----


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
@pytest.mark.parametrize("key", toolbox_small.RULES)
def test_the_toolboxs_dialect_gives_what_lrp_toolbox_gave(pooling: str, key: str) -> None:
    network, x, numbers = toolbox_small.case(pooling)
    wanted = numbers[f"relevance_{key}"].transpose(0, 3, 1, 2)
    rules = DIALECTS["toolbox"].translate(network, toolbox_small.RULES[key](network))
    # Rounding alone is left, of some hundred additions of numbers no larger than the largest.
    assert distance(explain(network, x, rules, numbers["target"]).relevance, wanted) < 1e-14
