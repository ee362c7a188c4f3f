"""What eight libraries compute, number by number as they print it; every dialect obeys the ledger's law.

D1 to D20 are the disagreements of docs/conventions.md. Each case is one number that a library gave (or, for those that
were read and not run, that its formula gives). They run in Fractions, so that what differs from the printed digits is
the dialect and not rounding.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import recorded
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
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS, Dialect, bugs
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions.changes import kind
from lrp_ref.conventions.maps import NoRule
from lrp_ref.conventions.table import TABLE, But, number, spoken
from lrp_ref.layers import Add, LayerNorm, MatMul, Multiply, Softmax, Tanh
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule
from lrp_ref.step import step

# ---- A rule as a library has it ----


@dataclass(frozen=True)
class In:
    """A canonical rule as a library has it, at whichever layer; options are other answers of the library's."""

    dialect: Dialect
    rule: Rule

    def at(self, layer: Any) -> Rule:
        return self.dialect.rule(self.rule, layer)


@dataclass(frozen=True)
class Library:
    name: str

    def __call__(self, rule: Rule, **options: Any) -> In:
        return In(DIALECTS[self.name].but(**options), rule)


zennit, captum, innvestigate, toolbox, caffe, torchlrp, lxt, julia = (Library(name) for name in (
    "zennit", "captum", "innvestigate", "toolbox", "caffe", "torchlrp", "lxt", "relevance_propagation_jl"))


def at(rule: In | Rule, layer: Any) -> Rule:
    return rule.at(layer) if isinstance(rule, In) else rule


# ---- One neuron ----


@dataclass(frozen=True)
class Neuron:
    """One output: weights, bias, inputs and the relevance that arrives."""

    w: str
    b: Any
    x: str
    R: Any

    def relevance(self, rule: In | Rule, number: type = Fraction) -> list[Any]:
        numbers = fractions(self.w)[:, None], fractions([self.b]), fractions(self.x)[None], fractions([[self.R]])
        w, b, x, R = (convert_numbers(array, number) for array in numbers)
        return relevance(Linear(w, b), x, rule, R)


def as_printed(got: list[Any], printed: str, exact: bool) -> bool:
    """Whether numbers are the printed ones: to half a unit of the last of four digits or more; short ones exactly.

    Where a rule has a stabiliser, a short number is what the library prints without it: one part in a million.
    """
    for got_one, text in zip(got, printed.split(), strict=True):
        decimals = len(text.partition(".")[2].partition("e")[0])
        wanted = F(text)
        margin = F(1, 2 * 10**decimals) if decimals >= 4 else 0 if exact else abs(wanted) / 10**6
        if abs(F(got_one) - wanted) > margin:
            return False
    return True


def unstabilised(rule: In | Rule, layer: Any = None) -> bool:
    """Whether nothing is added to a denominator; a difference z - z+ has 1e-16 in it."""
    guard = at(rule, layer).guard(fractions("0 1"))
    own = isinstance(rule, In) and "small_negative" in rule.dialect.row
    return (guard is None or not np.any(guard)) and not own


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
    "D1 zennit adds a signed epsilon": (D1, zennit(Epsilon(TENTH)), ".9375 1.875"),
    "D1 captum adds a signed epsilon": (D1, captum(Epsilon(TENTH)), ".9375 1.875"),
    "D1 lrp_toolbox adds a signed epsilon": (D1, Epsilon(TENTH), ".9375 1.875"),
    "D1 iNNvestigate adds a signed epsilon": (D1, innvestigate(Epsilon(TENTH)), ".9375 1.875"),
    "D1 LXT's epsilon has no sign": (D1, lxt(Epsilon(TENTH)), "1.071428571429 2.142857142857"),
    "D1 zennit clips": (D1, zennit(Epsilon(TENTH), epsilon="clipped"), "1 2"),
    "D1 zennit scales epsilon by the root mean square": (
        D1, zennit(Epsilon(TENTH), epsilon="scaled"), ".909090909091 1.818181818182"),
    "D1 zennit leaves out the bias": (
        D1, zennit(Epsilon(TENTH), bias_epsilon="left out"), "-.483870967742 -.967741935484"),
    "D1 TorchLRP's 0.1 is that of float32": (D1, torchlrp(Epsilon(TENTH)), ".937499999127 1.874999998254"),
    "D1b zennit: sign 0 is +1": (D1B, zennit(Epsilon(TENTH)), "10 -10"),
    "D1b lrp_toolbox: sign 0 is +1": (D1B, Epsilon(TENTH), "10 -10"),
    "D1b LXT adds epsilon": (D1B, lxt(Epsilon(TENTH)), "10 -10"),
    "D1b TorchLRP: sign 0 is -1": (D1B, torchlrp(Epsilon(TENTH)), "-10 10"),
    "D1b Caffe does not divide by 0": (D1B, caffe(Epsilon(TENTH)), "1 -1"),
    "D1b lrp_toolbox's simple": (D1B, toolbox(Epsilon(0)), "1e16 -1e16"),
    "D1c zennit has no pole": (Neuron("1", 0, "-1/2", 1), zennit(Epsilon(F(1, 2))), ".5"),
    "D2 zennit": (D2, zennit(ZPlus()), "-.5 -1"),
    "D2 lrp_toolbox": (D2, toolbox(AlphaBeta(1, 0)), "-.5 -1"),
    "D2 TorchLRP": (D2, torchlrp(AlphaBeta(1, 0)), "-.5 -1"),
    "D2 iNNvestigate has the whole bias under z+": (D2, innvestigate(AlphaBeta(1, 0)), "1 2"),
    "D2 captum keeps a negative bias": (D2, captum(ZPlus()), ".999999999333 1.999999998667"),
    "D2 iNNvestigate without bias": (D2, innvestigate(AlphaBeta(1, 0), bias_alpha_beta="left out"), "-.5 -1"),
    "D2 iNNvestigate's z+": (D2, innvestigate(ZPlus()), "-.5 -1"),
    "D2 captum without bias": (D2, captum(ZPlus(), bias_alpha_beta="left out"), "-.5 -1"),
    "D2b lrp_toolbox, alpha 1": (D2B, toolbox(AlphaBeta(1, 0)), "-1 0"),
    "D2b zennit, alpha 1": (D2B, zennit(AlphaBeta(1, 0)), "-.999999000001 0"),
    "D2b iNNvestigate, alpha 1": (D2B, innvestigate(AlphaBeta(1, 0)), "-1e7 0"),
    "D2b captum, alpha 1": (D2B, captum(ZPlus()), "-1e9 0"),
    "D2b lrp_toolbox, alpha 2": (D2B, toolbox(AlphaBeta(2, 1)), "-2 .5"),
    "D2b zennit, alpha 2": (D2B, zennit(AlphaBeta(2, 1)), "-1.999998000002 .49999975"),
    "D2b TorchLRP, alpha 2": (D2B, torchlrp(AlphaBeta(2, 1)), "-2 1"),
    "D2b iNNvestigate, alpha 2": (D2B, innvestigate(AlphaBeta(2, 1)), "-2e7 .5"),
    "D2c zennit, alpha 2": (D2C, zennit(AlphaBeta(2, 1)), "3 -1"),
    "D2c lrp_toolbox, alpha 2": (D2C, toolbox(AlphaBeta(2, 1)), "3 -1"),
    "D2c TorchLRP, alpha 2": (D2C, torchlrp(AlphaBeta(2, 1)), "3 -1.5"),
    "D2c iNNvestigate, alpha 2": (D2C, innvestigate(AlphaBeta(2, 1)), "3.6 -1"),
    "D2c zennit, alpha 1": (D2C, zennit(AlphaBeta(1, 0)), "1.5 0"),
    "D2c lrp_toolbox, alpha 1": (D2C, toolbox(AlphaBeta(1, 0)), "1.5 0"),
    "D2c TorchLRP, alpha 1": (D2C, torchlrp(AlphaBeta(1, 0)), "1.5 0"),
    "D2c iNNvestigate, alpha 1": (D2C, innvestigate(AlphaBeta(1, 0)), "1.8 0"),
    "D2c captum, alpha 1": (D2C, captum(ZPlus()), "1.8 0"),
    "D3 zennit splits products": (D3, zennit(ZPlus()), "-.857143 0 0 -.428571"),
    "D3 lrp_toolbox splits products": (D3, toolbox(AlphaBeta(1, 0)), "-.857142857143 0 0 -.428571428571"),
    "D3 iNNvestigate, alpha 1": (D3, innvestigate(AlphaBeta(1, 0)), "-.857142857143 0 0 -.428571428571"),
    "D3 captum splits weights": (D3, captum(ZPlus()), "-2 2 0 -1"),
    "D3 captum without bias": (D3, captum(ZPlus(), bias_alpha_beta="left out"), "-3 3 0 -1.5"),
    "D3 iNNvestigate's fast z+ splits weights": (D3, innvestigate(ZPlus(), split="weights"), "-3 3 0 -1.5"),
    "D3 TorchLRP": (D3, torchlrp(AlphaBeta(1, 0)), "-1 0 0 -.5"),
    "D3 iNNvestigate's z+": (D3, innvestigate(ZPlus()), "-1 0 0 -.5"),
    "D3 iNNvestigate, alpha 2": (D3, innvestigate(AlphaBeta(2, 1)), "-1.7143 .6667 1 -.8571"),
    "D3 zennit, alpha 2": (D3, zennit(AlphaBeta(2, 1)), "-1.7143 .6 .9 -.8571"),
    "D3 lrp_toolbox, alpha 2": (D3, toolbox(AlphaBeta(2, 1)), "-1.7143 .6 .9 -.8571"),
    "D4 lrp_toolbox": (D4, toolbox(WSquare()), ".2 .8"),
    "D4 iNNvestigate": (D4, innvestigate(WSquare()), ".2 .8"),
    "D4 zennit squares the bias": (D4, zennit(WSquare()), ".111111098765 .444444395062"),
    "D4 zennit without bias": (D4, zennit(WSquare(), bias_w_square="left out"), ".2 .8"),
    "D6 zennit": (D6, zennit(ZBox(-1, 1)), ".5 .5"),
    "D6 iNNvestigate": (D6, innvestigate(ZBox(-1, 1)), ".5 .5"),
    "D6 Caffe keeps b+": (D6, caffe(ZBox(-1, 1)), ".25 .25"),
    "D8 zennit raises the bias": (D8, zennit(Gamma(QUARTER)), "1.818181157025 -.72727246281"),
    "D8 captum keeps the bias": (D8, captum(Gamma(QUARTER)), "1.9999999992 -.79999999968"),
    "D8 zennit without bias": (D8, zennit(Gamma(QUARTER), bias_gamma="left out"), "3.3333 -1.3333"),
    "D8 captum without bias": (D8, captum(Gamma(QUARTER), bias_gamma="left out"), "3.3333 -1.3333"),
    "D8 zennit, gamma 0.1": (D8, zennit(Gamma(TENTH)), "1.9130426 -.8695648"),
    "D8 captum, gamma 0.1": (D8, captum(Gamma(TENTH)), "2 -.9090909"),
    "D8 TorchLRP squares the positive weights": (D8, torchlrp(Gamma(TENTH)), "1.92 -.8"),
    "D8b zennit, a negative input": (D8B, zennit(Gamma(QUARTER)), "-1.8181812 -.9090906"),
    "D8b captum, a negative input": (D8B, captum(Gamma(QUARTER)), "-2 -.8"),
    "D9 zennit takes the sign with the bias": (D9, zennit(Gamma(QUARTER), bias_gamma="left out"), "-3.3333 5.3333"),
    "D9 zennit, a layer built without bias": (
        Neuron("1 -1", 0, "1 2", 2), zennit(Gamma(QUARTER), bias_gamma="left out"), "-1.3333 3.3333"),
    "D9 zennit's gamma at z = 0": (D1B, zennit(Gamma(QUARTER)), "0 0"),
    "D9 zennit's epsilon at z = 0": (D1B, zennit(Epsilon(1e-6)), "1e6 -1e6"),
    "D16 lrp_toolbox, alpha 0, dense": (Neuron("-1", 0, "1e-16", 1), bugs.Alpha0OfToolbox(-1e-16), ".5"),
    "D17 iNNvestigate's X1000": (D17, bugs.AlphaBetaX((1, 0), (0, 0)), "-1 0 0 0"),
    "D17 iNNvestigate's X1001 never reads its second alpha": (
        D17, bugs.AlphaBetaX((1, 1), (0, 0)), "-1 0 0 0"),
    "D17 iNNvestigate's X1010 takes beta for alpha": (D17, bugs.AlphaBetaX((1, 0), (0, -1)), "-1 1.5 -2 0"),
    "D19 lrp_toolbox, a dead neuron": (D19, Epsilon(TENTH), "0 0"),
    "D19 zennit, a dead neuron": (D19, zennit(Epsilon(1e-6)), "0 0"),
    "D19 w-square of a dead neuron": (D19, toolbox(WSquare()), ".5 .5"),
    "D19 flat of a dead neuron": (D19, toolbox(Flat()), ".5 .5"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_dialect_gives_the_numbers_of_its_library(case: str) -> None:
    neuron, rule, printed = NUMBERS[case]
    got = neuron.relevance(rule)
    assert types_in(np.array(got, dtype=object)) == {Fraction}
    assert as_printed(got, printed, unstabilised(rule)), [float(number) for number in got]


def test_caffes_average_of_a_zero_sum_is_its_inputs_times_R_here() -> None:
    """What Caffe hands down there, the inputs themselves, is that for R = 1, and not linear in R."""
    for x, wanted in (("1 -1 0 0", [6, -6, 0, 0]), ("1 -1 0 2", [3, -3, 0, 6])):
        assert relevance(AvgPool((1, 4)), image(x), caffe(ZPlus()), image("6")) == wanted


def test_relevance_propagation_jl_has_one_gamma_for_all_signs_and_one_that_drops_negative_outputs() -> None:
    """D8: 2.5, -1 and a bias of 1.25. D8b: -2.5 and -1 and 1.25 are -2.25; the general form has -2.5, -1.25 and 1.

    After a ReLU the negative z of D8b is 0, and R is dropped.
    """
    one, generalized, after_relu = (julia(Gamma(QUARTER), gamma=gamma) for gamma in (
        "weights", "general", "positive outputs"))
    assert julia(Gamma(QUARTER)) == one
    assert as_printed(D8.relevance(one), "1.81818182 -.72727273", False)
    assert as_printed(D8B.relevance(one), "-2.22222222 -.88888889", False)
    assert as_printed(D8B.relevance(generalized), "-1.81818182 -.90909091", False)
    assert D8B.relevance(after_relu) == [0, 0]
    assert D8.relevance(after_relu) == D8.relevance(generalized)


def test_the_numbers_are_far_apart_where_dialects_disagree() -> None:
    """Otherwise printed digits would say nothing: D1 alone has seven answers."""
    answers = {tuple(neuron.relevance(rule)) for neuron, rule, _ in NUMBERS.values() if neuron is D1}
    assert len(answers) >= 7


# ---- What only floats show ----


def in_floats(neuron: Neuron, rule: In | Rule) -> list[float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return [float(number) for number in neuron.relevance(rule, np.float64)]


SLOW = toolbox(AlphaBeta(2, 1), small_negative="own", stabiliser="nan")   # lrp_toolbox's `alphabeta_slow`
CANCELLING = {
    "fast": (Neuron("1 -1e-8", 0, "1 1e-9", 1), toolbox(AlphaBeta(2, 1)), [2, -0.1]),
    "slow": (Neuron("1 -1e-8", 0, "1 1e-9", 1), SLOW, [2, -1]),
    "zennit": (Neuron("1 -1e-8", 0, "1 1e-9", 1), zennit(AlphaBeta(2, 1), stabiliser=0), [2, -1]),
    "fast, large": (Neuron("1 -1e-9", 0, "1e8 1", 10**8), toolbox(AlphaBeta(2, 1)), [2e8, -1e15]),
    "slow, large": (Neuron("1 -1e-9", 0, "1e8 1", 10**8), SLOW, [2e8, -1e8]),
}


@pytest.mark.parametrize("case", CANCELLING)
def test_d7_the_toolboxs_fast_path_cancels_in_floats(case: str) -> None:
    """The second number is z-_ij R / (z - z+): of the sum 1 - 1e-17 in floats nothing is left but the stabiliser."""
    neuron, rule, wanted = CANCELLING[case]
    # 1e-16 beside 1e-9 is rounded to 1e-25, twice
    assert in_floats(neuron, rule) == pytest.approx(wanted, rel=2e-9, abs=0)


def test_d7_without_rounding_the_fast_path_is_the_slow_one() -> None:
    neuron = Neuron("1 -1/4", 0, "1 2", 1)
    for fast, slow in zip(neuron.relevance(toolbox(AlphaBeta(2, 1))), neuron.relevance(AlphaBeta(2, 1)), strict=True):
        assert abs(fast - slow) < F(1, 10**15)   # the stabilisers of 1e-16


def test_d1c_lxt_has_a_pole_at_minus_epsilon() -> None:
    assert in_floats(Neuron("1", 0, "-1/2", 1), lxt(Epsilon(0.5))) == [-np.inf]


def test_d16_the_toolboxs_alpha_0_has_a_pole_in_convolutions() -> None:
    assert in_floats(Neuron("-1", 0, "1e-16", 1), bugs.Alpha0OfToolbox(1e-16))[0] in (-np.inf, np.inf)


@pytest.mark.parametrize("rule", [zennit(Epsilon(0)), SLOW], ids=["zennit", "lrp_toolbox"])
def test_d19_zero_over_zero_is_not_a_number(rule: In) -> None:
    layer = Linear(np.ones((2, 1)))
    a, m = layer.linearize(np.zeros((1, 2)))
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(step(rule.at(layer), m, a, np.ones((1, 1)))[1].handed).all()


def test_lrp_toolboxs_w_square_of_weights_of_zero_is_not_a_number() -> None:
    """It has no guard: of W = [[1, 0]] and R = (1, 1) the whole sample is NaN, and of W = 0."""
    for weight in ([[1.0, 0.0]], [[0.0], [0.0]]):
        layer = Linear(np.array(weight))
        x = np.ones((1, len(weight)))
        with np.errstate(invalid="ignore", divide="ignore"):
            assert np.isnan(relevance(layer, x, toolbox(WSquare()), np.ones((1, len(weight[0]))))).all()


def test_what_is_not_a_number_is_reported_by_layer() -> None:
    network = Network([("fc", Linear(np.ones((2, 1))))])
    with refused("layer fc: relevance overflows at …"):
        explain(network, np.zeros((1, 2)), {"fc": zennit(Epsilon(0)).at(network["fc"])}, target=np.ones((1, 1)))


# ---- Windows: padding, pools ----


def relevance(layer: Any, x: Any, rule: In | Rule, R: Any) -> list[Any]:
    a, m = layer.linearize(x)
    return [*step(at(rule, layer), m, a, R)[0].flat]


CORNER = Conv2D(image("1 2 3, 4 5 6, 7 8 9"), None, 1, 1)
ONE_CORNER = image("1 0 0, 0 0 0, 0 0 0")
PICTURE = image("2 -1 3, 0 4 1, -2 5 1")
CORNERS = {
    "zennit, flat": (zennit(Flat()), ".25 .25 0 .25 .25 0 0 0 0"),
    "iNNvestigate, flat": (Flat(), ".25 .25 0 .25 .25 0 0 0 0"),
    "lrp_toolbox, flat": (toolbox(Flat()), ".1111 .1111 0 .1111 .1111 0 0 0 0"),
    "Caffe, flat": (caffe(Flat()), ".1111 .1111 0 .1111 .1111 0 0 0 0"),
    "zennit, w-square": (zennit(WSquare(), bias_w_square="left out"), ".12136 .17476 0 .31068 .39320 0 0 0 0"),
    "iNNvestigate, w-square": (innvestigate(WSquare()), ".12136 .17476 0 .31068 .39320 0 0 0 0"),
}


@pytest.mark.parametrize("case", CORNERS)
def test_d5_a_padded_corner_gives_the_numbers_of_its_library(case: str) -> None:
    rule, printed = CORNERS[case]
    assert as_printed(relevance(CORNER, PICTURE, rule, ONE_CORNER), printed, unstabilised(rule))


def test_d5_what_the_padding_gets_is_lost() -> None:
    """Of the squares 1 .. 81, 285 in all, 25 + 36 + 64 + 81 = 206 are inside."""
    for rule, kept, digits in ((toolbox(WSquare()), F(206, 285), ".72281"), (toolbox(Flat()), F(4, 9), ".4444"),
                               (caffe(WSquare()), F(206, 285), ".72281"), (caffe(Flat()), F(4, 9), ".4444")):
        assert sum(relevance(CORNER, PICTURE, rule, ONE_CORNER)) == kept
        assert as_printed([kept], digits, True)


def test_d5_caffe_gives_every_channel_the_whole() -> None:
    """R = 1 in the middle of three channels: 27 inputs get 1/9 each."""
    layer, R = Conv2D(mixed((1, 3, 3, 3), 1) + 6, None, 1, 1), image("0 0 0, 0 1 0, 0 0 0")
    got = relevance(layer, mixed((1, 3, 3, 3), 2), caffe(Flat()), R)
    assert got == [F(1, 9)] * 27
    assert sum(relevance(layer, mixed((1, 3, 3, 3), 2), toolbox(Flat()), R)) == 1


def test_caffes_padding_is_a_pixel_of_a_box_of_its_own() -> None:
    """w = -1 twice, x = 1 beside a padded 0, box -1 to 2: the input gives -1 + 2 = 1, padding, with 3 above it, 3."""
    layer, x = Conv2D(image("-1 -1"), None, 1, (0, 1)), image("1")
    got = relevance(layer, x, caffe(ZBox(-1, 2)), image("8 0"))
    assert got == [2] and relevance(layer, x, ZBox(-1, 2), image("8 0")) == [8]


POOLS = {
    "D10 lrp_toolbox: ties share": (MaxPool((1, 4)), "2 2 1 0", Winner(), 1, ".5 .5 0 0"),
    **{f"D10 {name}: the first wins": (MaxPool((1, 4)), "2 2 1 0", Library(name)(Winner()), 1, "1 0 0 0")
       for name in ("zennit", "innvestigate", "torchlrp", "caffe")},
    "D10 lrp_toolbox's flat": (MaxPool((1, 4)), "2 2 1 0", toolbox(Flat()), 1, ".25 .25 .25 .25"),
    "D10 zennit's flat: the first pixel": (MaxPool((1, 4)), "0 2 1 0", zennit(Flat()), 1, "1 0 0 0"),
    "D10 lrp_toolbox, maximum 0": (MaxPool((1, 2)), "0 -1", Winner(), 1, "1 0"),
    "D10 zennit, maximum 0": (MaxPool((1, 4)), "0 -1 -2 -3", zennit(Winner()), 1, "1 0 0 0"),
    "D10 captum, maximum 0": (MaxPool((1, 2)), "0 -1", captum(Epsilon(0)), 3, "0 0"),
    "D10 captum, maximum 1": (MaxPool((1, 2)), "-1 1", captum(Epsilon(0)), 4, "0 4"),
    "D11 lrp_toolbox: epsilon on the sum": (
        SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox(Epsilon(TENTH)), 1, ".2439 -.2439 .4878 .4878"),
    "D11 zennit: epsilon on the mean": (
        AvgPool((1, 4)), "1 -1 2 2", zennit(Epsilon(TENTH)), 1, ".2273 -.2273 .4545 .4545"),
    "D11 lrp_toolbox, sum 0": (SumPool((1, 4), scale=F(1, 2)), "1 -1 0 0", toolbox(Epsilon(0)), 1,
                               "1e12 -1e12 0 0"),
    "D11 zennit, sum 0": (AvgPool((1, 4)), "1 -1 0 0", zennit(Epsilon(1e-6)), 1, "2.5e5 -2.5e5 0 0"),
    "D11 lrp_toolbox, alpha 1": (SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox(AlphaBeta(1, 0)), 1,
                                 ".2 0 .4 .4"),
    "D16 lrp_toolbox, alpha 2, slow": (SumPool((1, 4), scale=F(1, 2)), "1 -1 2 2", toolbox(AlphaBeta(2, 1)), 3,
                                       "1.2 -3 2.4 2.4"),
}


@pytest.mark.parametrize("case", POOLS)
def test_a_pool_gives_the_numbers_of_its_library(case: str) -> None:
    layer, x, rule, R, printed = POOLS[case]
    assert as_printed(relevance(layer, image(x), rule, image(str(R))), printed, unstabilised(rule, layer))


def test_d11b_alpha_2_doubles_relevance_at_a_pool_of_positive_inputs() -> None:
    got = relevance(SumPool((1, 3), scale=F(1, 2)), image("1 2 5"), toolbox(AlphaBeta(2, 1)), image("4"))
    assert sum(got) == pytest.approx(8, rel=1e-15, abs=0)   # what its own stabiliser of 1e-16 takes


def test_the_first_winner_is_one_per_window_also_where_windows_overlap_and_padding_ties() -> None:
    """Windows of two, stride one, over 0 0 7 7 and a padding of zeros: each gives to its first maximum in the image."""
    layer, R = MaxPool((1, 2), stride=1, pad=(0, 1)), image("1 2 4 8 16")
    assert relevance(layer, image("0 0 7 7"), zennit(Winner()), R) == [3, 0, 12, 16]
    assert relevance(layer, image("0 0 7 7"), zennit(Flat()), R) == [n / (1 + F(1e-6)) for n in (3, 4, 8, 16)]


# ---- Norms, the start ----

BATCH_NORM = BatchNorm(fractions("1"), fractions("4"), fractions("2"), fractions("1/2"), 0)
NORMS = {
    "zennit passes": (Pass(), "2.5"), "captum's IdentityRule passes": (Pass(), "2.5"),
    "captum's default": (captum(Epsilon(0)), "3"), "iNNvestigate's own formula": (innvestigate(Pass()), "3"),
}


@pytest.mark.parametrize("case", NORMS)
def test_d13_batch_norm_gives_the_numbers_of_its_library(case: str) -> None:
    """g = 2 / 2 and b = 1/2 - 1, so that y = 3 - 1/2 = 5/2, and x g / y R = 3."""
    rule, printed = NORMS[case]
    got = relevance(BATCH_NORM, fractions([[3]]), rule, fractions([[F(5, 2)]]))
    assert as_printed(got, printed, unstabilised(rule, BATCH_NORM))


def test_d13_innvestigate_fuses_batch_norm_with_the_square_of_its_variance() -> None:
    """sqrt(16) = 4: g = 1/2, b = 1/2 - 1/4; 3/2 of 7/4 of 5/2 is 15/7. Its preset A takes alpha 2."""
    z = spoken({"zero_rule": ("at 0", 1e-7)}, Epsilon(0), None)   # its LRPZ
    fused, x, R = bugs.fused_by_innvestigate(BATCH_NORM), fractions([[3]]), fractions([[F(5, 2)]])
    assert relevance(fused, x, z, R) == [F(15, 7)]
    assert as_printed(relevance(fused, x, bugs.AlphaBetaX((2, 0), (1, 0)), R), "4.2857", True)
    nearly = bugs.fused_by_innvestigate(BatchNorm(*(np.array([v]) for v in (1.0, 4 - 1e-5, 2.0, 0.5)), 1e-5))
    [got] = relevance(nearly, np.array([[3.0]]), z, np.array([[2.5]]))
    assert round(got, 6) == 2.142858


def test_d13_zennits_merge_leaves_a_batch_norm_that_divides() -> None:
    layer = BatchNorm(*(np.array([v]) for v in (1.0, 4.0, 2.0, 0.5)), 1e-2)
    network = Network([("fc", Linear(np.ones((1, 1)))), ("norm", layer)])
    x = np.array([[3.0]])
    assert (round(network(x).item(), 6), round(bugs.merged_by_zennit(network)(x).item(), 6)) == (2.497505, 2.485110)


def test_d13_relevance_propagation_jl_leaves_out_the_batch_norms_epsilon() -> None:
    layer = BatchNorm(*(np.array([v]) for v in (1.0, 4.0, 2.0, 0.5)), 1e-2)
    assert bugs.fused_by_relevance_propagation_jl(layer)(np.array([[3.0]])).item() == 2.5


@pytest.mark.parametrize("taylor", [False, True])
def test_d14_caffes_local_response_norm_lets_relevance_grow(taylor: bool) -> None:
    layer, x = LRN(5, 1e-4, 0.75, 1.0, taylor=taylor), np.array([3.0, 5, 0, 7, 2]).reshape(1, 5, 1, 1)
    got = relevance(layer, x, caffe(Pass()), x)
    assert np.round(got, 6).tolist() == [8.992055, 24.947237, 0, 48.921503, 3.993896]
    assert round(sum(got), 2) == 86.85


def test_innvestigates_batch_norm_gives_nothing_at_the_mean() -> None:
    """x (y - shift) R / ((x - mean) y + 1e-7): at x = 1, the mean, 0 where a g R / z is 2; at 3 6 / (5 + 1e-7)."""
    norm = BatchNorm(fractions("1"), fractions("4"), fractions("2"), fractions("1/2"), 0)
    for x, wanted, shared in (("1", 0, 2), ("3", F(6) / (5 + F(1e-7)), F(6, 5))):
        assert relevance(norm, fractions([[x]]), innvestigate(Pass()), fractions([["1"]])) == [wanted]
        contributed = spoken({"batch_norm": "contribution"}, Pass(), norm)
        assert relevance(norm, fractions([[x]]), contributed, fractions([["1"]])) == [shared]
    [sentence] = DIALECTS["innvestigate"].says(Network([("norm", norm)]), {"norm": Pass()})
    assert "TypeError" in sentence and not DIALECTS["zennit"].says(Network([("norm", norm)]), {"norm": Pass()})


def test_d15d_zennit_starts_from_all_scores() -> None:
    network, x = Network([("fc", Linear(fractions(["1 0", "0 4"])))]), fractions(["1 1"])
    starts = {"all scores": network(x), "one": fractions(["0 1"]), "score": fractions(["0 4"])}
    for name, wanted in (("zennit", "1 4"), ("relevance_propagation_jl", "0 1"), ("captum", "0 4")):
        rules = DIALECTS[name].translate(network, assign(network))
        e = explain(network, x, rules, starts[DIALECTS[name].conventions.start])
        assert as_printed([*e.start.flat], wanted, True)
        assert as_printed([*e.relevance.flat], wanted, False)


# ---- All dialects ----

LAYERS = {
    "Linear": Linear(mixed((5, 3), 52), mixed((3,), 53)),
    "Conv2D": Conv2D(mixed((4, 1, 2, 3), 4), mixed((4,), 5), (1, 2), (2, 1), (2, 1), 2),
    "AvgPool": AvgPool((2, 3), 1, 1), "MaxPool": MaxPool((2, 3), 1, 1), "ReLU": ReLU(),
    "BatchNorm": BatchNorm(*(fractions(text) for text in ("1 -1/2", "15/4 2", "-1 3/2", "1/4 -2")), F(1, 4)),
}
CANONICAL_RULES = {repr(rule): rule for rule in (
    Epsilon(F(1, 7)), Epsilon(0), AlphaBeta(F(2), F(1)), AlphaBeta(1, 0), ZPlus(), Gamma(QUARTER), ZBox(F(-4), F(5)),
    WSquare(), Flat(), Winner(), Pass())}
OPTIONS = {
    "zennit, clipped": zennit(Epsilon(F(1, 7)), epsilon="clipped"),
    "zennit without bias": zennit(Epsilon(F(1, 7)), bias_epsilon="left out"),
    "zennit's gamma without bias": zennit(Gamma(QUARTER), bias_gamma="left out"),
    "zennit's w-square without bias": zennit(WSquare(), bias_w_square="left out"),
    "captum's gamma without bias": captum(Gamma(QUARTER), bias_gamma="left out"),
    "captum's alpha-beta without bias": captum(ZPlus(), bias_alpha_beta="left out"),
    "iNNvestigate's alpha-beta without bias": innvestigate(AlphaBeta(2, 1), bias_alpha_beta="left out"),
    "iNNvestigate's fast z+": innvestigate(ZPlus(), split="weights"),
    "RelevancePropagation.jl's general gamma": julia(Gamma(QUARTER), gamma="general"),
    "RelevancePropagation.jl's gamma after a ReLU": julia(Gamma(QUARTER), gamma="positive outputs"),
    "iNNvestigate's AlphaBetaX": bugs.AlphaBetaX((F(2), F(1)), (F(1), F(3))),
    "lrp_toolbox's alpha 0": bugs.Alpha0OfToolbox(-1e-16),
}
SPOKEN = {**{f"{name}: {rule}": In(dialect, one) for name, dialect in DIALECTS.items()
             for rule, one in CANONICAL_RULES.items()}, **OPTIONS}


def has(rule: In | Rule, name: str) -> bool:
    """Whether the library has the rule there, and the canonical one is one of that layer."""
    if not isinstance(rule, In):
        return name in ("Linear", "Conv2D")
    a, m = linearized(name)
    try:
        rule.rule.shares(m, a)
        rule.at(LAYERS[name])
    except ValueError:
        return False
    return True


@cache
def linearized(name: str) -> Any:
    return LAYERS[name].linearize(inputs(name))


def inputs(name: str) -> Any:
    return mixed((2, 5) if name == "Linear" else (2, 2, 4, 5), 3)


def asked(name: str) -> tuple[Any, Any, Any]:
    """The layer, inputs and relevance."""
    layer, x = LAYERS[name], inputs(name)
    return layer, x, mixed(layer(x).shape, 9)


PLACES = {spoken: [name for name in LAYERS if has(SPOKEN[spoken], name)
                   and not (spoken.startswith("torchlrp") and name == "Conv2D")]   # D18: no map
          for spoken in SPOKEN}


@pytest.mark.parametrize("rule", PLACES)
def test_the_ledgers_law_holds_for_every_dialect(rule: str) -> None:
    for name in PLACES[rule]:
        layer, x, R = asked(name)
        a, m = layer.linearize(x)
        try:
            below, account = step(at(SPOKEN[rule], layer), m, a, R)
        except ZeroDivisionError:   # what is not a number in floats
            assert "nan" in str(SPOKEN[rule].dialect.row), name
            continue
        assert types_in(below) == types_in(account.stabiliser) == {Fraction}, name
        assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all(), name
        assert total(below) == total(account.handed), name


@pytest.mark.parametrize("rule", [*PLACES, "scaled", "slow"])
def test_every_dialect_keeps_single_precision(rule: str) -> None:
    spoken = {"scaled": zennit(Epsilon(F(1, 7)), epsilon="scaled"), "slow": SLOW, **SPOKEN}[rule]
    for name in PLACES.get(rule, ["Linear"]):
        layer, x, R = asked(name)
        layer = layer.astype(np.float32)
        a, m = layer.linearize(x.astype(np.float32))
        with np.errstate(divide="ignore", invalid="ignore"):
            below, account = step(at(spoken, layer), m, a, R.astype(np.float32))
        assert below.dtype == account.stabiliser.dtype == np.float32, name


def test_epsilon_scaled_obeys_the_law_too_where_roots_are_rational() -> None:
    """z = 1 and 7 have the root mean square 5, so 1 + 5/7 and 7 + 5/7 divide 12 and 54: 7, and 7 times 7."""
    layer = Linear(fractions(["1 7"]))
    a, m = layer.linearize(fractions(["1"]))
    rule = zennit(Epsilon(F(1, 7)), epsilon="scaled")
    below, account = step(rule.at(layer), m, a, fractions([[12, 54]]))
    assert below.tolist() == [[F(7) + F(49)]]
    assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all()
    with refused("zennit 0.5.1 has no all outputs of a sample at once, which … needs: use it on Linear"):
        rule.at(LAYERS["Conv2D"])


@pytest.mark.parametrize("kind", [bugs.BatchNormOfINNvestigate, bugs.AlphaBetaX, bugs.Alpha0OfToolbox])
def test_every_rule_that_is_a_bug_states_its_formula_and_its_disagreement(kind: type[Rule]) -> None:
    assert (kind.__doc__ or "").startswith("R_i = ") and "(D" in (kind.__doc__ or "")


@pytest.mark.parametrize("name", DIALECTS)
def test_every_departure_that_changes_a_rule_has_a_number_and_looks_like_something(name: str) -> None:
    """Its disagreement in docs/conventions.md; but for what is no disagreement among the libraries compared there."""
    own = {"activation", "average", "flatten", "groups", "z_box", "other_max_pool", "alpha_beta", "multiply",
           "mat_mul"}
    for question, value in DIALECTS[name].row.items():
        answer = TABLE[question].answer(number(value)) if value is not None else None
        if answer is not None and answer.change is not TABLE["start"].answers["one"].change:
            assert answer.phrase and (answer.disagreement or question in own), question


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_translates_canonical_rules_by_their_names(name: str) -> None:
    dialect = DIALECTS[name]
    canonical = (Epsilon(QUARTER), Epsilon(0), AlphaBeta(1, 0), ZPlus(), Gamma(TENTH), ZBox(-1, 2), WSquare(), Flat(),
                 Winner(), Pass())
    for rule in canonical:
        if type(rule).__name__ in dialect.rules:
            assert type(kind(dialect.rule(rule))) is type(rule)
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
    assert {name: got[name] for name in ("relu", "top", "flat")} == {"relu": Pass(), "top": Winner(), "flat": Pass()}
    assert kind(got["conv"]) == kind(got["pool"]) == AlphaBeta(2, 1)
    assert got["conv"].guard(np.ones(1)) is None and got["pool"].guard(np.ones(1)) == 1e-16   # another at every layer
    torchlrp = DIALECTS["torchlrp"]
    assert torchlrp.rule(Pass(), ReLU()) != Pass() and torchlrp.rule(Pass()) == Pass()


# ---- Conventions are what the rules do ----


def one(weights: str, bias: Any = 0) -> Linear:
    return Linear(fractions(weights)[:, None], fractions([bias]))


def channels(text: str) -> Any:
    """One pixel."""
    return fractions(text).reshape(1, -1, 1, 1)


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
    "activation": (ReLU(), fractions(["1 -1"]), fractions(["1 1"]), Epsilon(QUARTER),
                   {"given": ".8 0", "pass": "1 1", "gradient": "1 0"}),
    "flatten": (Flatten(), image("1"), fractions(["1"]), Epsilon(QUARTER), {"given": ".8", "pass": "1"}),
    "other_max_pool": (MaxPool((1, 2)), image("2 1"), image("1"), Epsilon(QUARTER),
                       {"given": ".88888889 0", "winner": "1 0"}),
    "without_weights": (LRN(3, F(1, 2), 1, 1), channels("1 2"), channels("1 1"), Epsilon(0),
                        {"map": "1 1", "layer": ".63636364 -.45454545"}),
    # 3 + 1 and -2 + 1, of which the branches have 3 4 and 1 -2; the first sum's 4 is all of its R
    "add": (Add(), fractions("3 -2 1 1").reshape(1, 2, 2), fractions(["4 2"]), Epsilon(0),
            {"shared": "3 4 1 -2", "whole": "4 2 4 2"}),
    "multiply": (Multiply(), fractions("3 1/2").reshape(1, 2, 1), fractions(["5"]), Epsilon(0),
                 {"shared": "2.5 2.5", "gradient": "2.5 15", "first": "5 0"}),
    "mat_mul": (MatMul((1, 2), (2, 1)), fractions(["1/4 3/4 4 8"]), fractions("7").reshape(1, 1, 1), Epsilon(0),
                {"shared": ".5 3 .5 3", "gradient": "28 56 1.75 5.25", "second": "0 0 1 6"}),
    "softmax": (Softmax(), fractions(["1 1"]), fractions(["1 0"]), Epsilon(0),
                {"tangent": ".5 -.5", "gradient": ".25 -.25", "pass": "1 0", "dead": "0 0"}),
    "left_out": (Softmax(fractions("1 1 0")), fractions(["1 1 5"]), fractions(["1 0 3"]), Epsilon(0),
                 {"dead": ".5 -.5 0", "shared": "-1 -2 0"}),
    "layer_norm": (LayerNorm(fractions("2 2"), fractions("1 1"), 0), fractions(["1 3"]), fractions(["0 3"]), Epsilon(0),
                   {"centred": "-1 3", "gradient": "0 0", "pass": "0 3", "scale passed": "-1.5 4.5"}),
}
BY_HAND = "by hand, below"
UNASKED = {
    "start": "where to begin is the caller's", "alpha_beta": "how parameters are written is no number",
    "epsilon": "no library clips unless asked", "default_epsilon": "the rule is always given one",
    "stabiliser": "another size for each", "small_negative": "exact numbers do not cancel",
    "lrn": "one library has a rule for it", "parameters": BY_HAND, "groups": BY_HAND, "average": BY_HAND,
    "z_box": BY_HAND, "batch_norm_rules": BY_HAND, "convolution": BY_HAND,
}
# TorchLRP raises the bias by its own square; Caffe's rule for local response norm is there whatever it is given; zennit
# gives a softmax its gradient.
OTHERWISE = {("torchlrp", "bias_gamma"), ("caffe", "without_weights"), ("zennit", "left_out")}


def test_every_question_is_asked_or_says_why_not() -> None:
    assert QUESTIONS.keys() | UNASKED.keys() == TABLE.keys()


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
    if getattr(dialect.conventions, question) not in (None, "nan") and (name, question) not in OTHERWISE
    and type(QUESTIONS[question][0]).__name__ not in dialect.lacks])
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
    assert abs(got - (F(1, 2) if size else 1)) < F(1, 10**7)   # RelevancePropagation.jl's 1e-9 is float32's


def test_departures_are_the_answers_that_are_not_canonical() -> None:
    assert DIALECTS["lxt"].departures()["epsilon_sign"] == "none"
    assert DIALECTS["relevance_propagation_jl"].departures() == {
        "start": "one", "default_epsilon": 1e-6, "zero_rule": 1e-9, "stabiliser": 1e-9, "gamma": "weights",
        "max_pool": "contribution", "flatten": "pass", "lrn": None, "multiply": None, "mat_mul": None, "softmax": None,
        "left_out": None}


# ---- By hand: what layers without weights do, and one library alone ----

WINDOW = "1 -1 2 2"
TWO_GROUPS = {bias: Conv2D(fractions("1 1").reshape(2, 1, 1, 1), fractions(bias), groups=2) for bias in ("1 3", "0 1")}
NORM = BatchNorm(fractions("1"), fractions("4"), fractions("2"), fractions("1/2"), 0)
HAND: dict[str, tuple[Any, Any, Any, In, str]] = {
    **{f"zennit, {rule}: no half of an average is clamped": (AvgPool((1, 4)), image(WINDOW), image("1"), zennit(rule),
                                                             ".2500 -.2500 .5000 .5000")
       for rule in (AlphaBeta(2, 1), ZPlus(), Gamma(QUARTER))},
    "zennit: nor of a ReLU": (ReLU(), fractions(["1"]), fractions(["1"]), zennit(AlphaBeta(2, 1)), ".999999"),
    "zennit, a maximum under alpha-beta": (MaxPool((1, 4)), image(WINDOW), image("1"), zennit(AlphaBeta(2, 1)),
                                           "0 0 1 0"),
    "zennit, alpha-beta of scale and shift": (NORM, fractions(["3"]), fractions(["1"]), zennit(AlphaBeta(2, 1)), "2.4"),
    "zennit, z+ of scale and shift": (NORM, fractions(["3"]), fractions(["1"]), zennit(ZPlus()), "1.2"),
    "zennit, flat without a mean": (NORM, fractions(["3"]), fractions(["1"]), zennit(Flat()), "500000"),
    "zennit, w-square of scale and shift": (NORM, fractions(["3"]), fractions(["1"]), zennit(WSquare()), "7.999968"),
    "lrp_toolbox passes at a ReLU": (ReLU(), fractions(["1"]), fractions(["1"]), toolbox(Epsilon(QUARTER)), "1"),
    "lrp_toolbox passes a closed gate too": (ReLU(), fractions(["-1"]), fractions(["1"]), toolbox(ZPlus()), "1"),
    "lrp_toolbox passes at Flatten": (Flatten(), image("1"), fractions(["1"]), toolbox(Epsilon(QUARTER)), "1"),
    "captum passes at a ReLU": (ReLU(), fractions(["1"]), fractions(["1"]), captum(Epsilon(QUARTER)), "1"),
    "captum's local response norm is its gradient": (
        LRN(3, F(1, 2), 1, 1), channels("1 2"), channels("1 1"),
        captum(Epsilon(0)), ".6364 -.4545"),
    "Caffe gives all groups the bias of the first": (
        TWO_GROUPS["1 3"], channels("1 1"), channels("1 1"), caffe(ZPlus()),
        ".5 .5"),
    "Caffe gives all groups a first bias of 0": (
        TWO_GROUPS["0 1"], channels("1 1"), channels("1 1"), caffe(ZPlus()),
        "1 1"),
    "Caffe's average has one rule": (AvgPool((1, 2)), image("1 -1/2"), image("1"), caffe(ZPlus()), "2 -1"),
    "iNNvestigate's average has one rule": (
        AvgPool((1, 2)), image("1 -1/2"), image("1"), innvestigate(ZPlus()), "2 -1"),
    "TorchLRP hands down the gradient of an average": (
        AvgPool((1, 2)), image("1 -1/2"), image("1"), torchlrp(Epsilon(TENTH)), ".5 .5"),
    "RelevancePropagation.jl's flat has no stabiliser in a dense layer": (
        Linear(fractions(["3", "-5"])), fractions(["1 2"]), fractions([["1"]]), julia(Flat()), ".5 .5"),
    "RelevancePropagation.jl passes at Flatten": (
        Flatten(), image("1"), fractions(["1"]), julia(Epsilon(QUARTER)), "1"),
}


@pytest.mark.parametrize("case", HAND)
def test_what_one_library_alone_does_is_worked_out_by_hand(case: str) -> None:
    layer, x, R, rule, printed = HAND[case]
    assert as_printed(relevance(layer, x, rule, R), printed, unstabilised(rule, layer))


@pytest.mark.parametrize(("name", "wanted"), [("zennit", "0.4152"), ("captum", "1"), ("toolbox", "1")])
def test_tanh_under_epsilon_is_differentiated_by_zennit_and_passed_by_others(name: str, wanted: str) -> None:
    """The canonical gate gives tanh 1 / (tanh 1 + 1/4) = 0.7529; the slope 1 - tanh^2 1 instead of it 0.4152."""
    one, rule = np.ones((1, 1)), Epsilon(0.25)
    assert f"{relevance(Tanh(), one, Library(name)(rule), one)[0]:.4g}" == wanted
    assert f"{relevance(Tanh(), one, rule, one)[0]:.4g}" == "0.7529"


def test_caffes_parameters_are_those_of_float32() -> None:
    """epsilon 1/10 is 0.100000001490116, beta 1/3 0.333333343267441."""
    assert as_printed(D1.relevance(caffe(Epsilon(TENTH))), ".937499999 1.874999998", False)
    third = F(1, 3)
    _, ours = D2C.relevance(AlphaBeta(1 + third, third))
    _, theirs = D2C.relevance(caffe(AlphaBeta(1 + third, third)))
    assert ours == F(-1, 3) and theirs == -F(float(np.float32(1 / 3)))


def test_torchlrps_convolutions_are_right_for_padding_1_alone() -> None:
    """A kernel of 3 with stride 2 hands back an image of another size; alpha-beta has another size forwards too."""
    kernel = mixed((2, 2, 3, 3), 1).astype(np.float64)
    right, wrong = Conv2D(kernel, None, 1, 1), Conv2D(kernel, None, 2, 1)
    x = mixed((1, 2, 5, 5), 2).astype(np.float64)
    for rule in (Epsilon(0.25), AlphaBeta(2.0, 1.0)):
        got = relevance(right, x, torchlrp(rule), right(x))
        same_stabilisers = torchlrp(rule, convolution="own")
        assert got == relevance(right, x, same_stabilisers, right(x))
        with pytest.raises((ValueError, NoRule), match=r"has no|relevance of shape \(1, 2, 5, 5\), but one of"):
            relevance(wrong, x, torchlrp(rule), wrong(x))


def test_relevance_propagation_jl_has_no_changed_weights_in_layers_without_any() -> None:
    with refused("RelevancePropagation.jl 3.0.0 has no rule Gamma for AvgPool"):
        DIALECTS["relevance_propagation_jl"].rule(Gamma(QUARTER), AvgPool(2))


# ---- What is marked as read ----


def answers(dialect: Dialect, case: Case) -> Any:
    """R_0 in the dialect; None where it refuses the case."""
    network, rules, x, R = case.task()
    with np.errstate(all="ignore"):
        try:
            return through_network(network, dialect.translate(network, rules), x, R)["input"]
        except ValueError:
            return None


@pytest.mark.parametrize("name", [name for name in DIALECTS if name in recorded.NAMES])
def test_what_is_marked_as_read_changes_no_recorded_answer(name: str) -> None:
    """And it is a question of the row, or an exception of one of its answers."""
    dialect = DIALECTS[name]
    for mark in dialect.read:
        question, _, place = mark.partition("/")
        value = dialect.row[question]
        assert not place or place in value.exceptions, mark
        without = But(value.mostly, {p: v for p, v in value.exceptions.items() if p != place}) if place else None
        other = dialect.but(**{question: without if place else TABLE[question].canonical})
        for id, theirs in recorded.theirs(name).answers.items():
            case = recorded.suite()[id]
            if theirs.relevance is not None and case.level not in ("stress", "negative"):
                one, two = answers(dialect, case), answers(other, case)
                assert one is two is None or recorded.off(one, two) <= recorded.ROUNDING, (mark, id)


# ---- A library's own output ----


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
@pytest.mark.parametrize("key", toolbox_small.RULES)
def test_the_toolboxs_dialect_gives_what_lrp_toolbox_gave(pooling: str, key: str) -> None:
    network, x, numbers = toolbox_small.case(pooling)
    wanted = numbers[f"relevance_{key}"].transpose(0, 3, 1, 2)
    rules = DIALECTS["toolbox"].translate(network, toolbox_small.RULES[key](network))
    # Rounding alone is left, of some hundred additions of numbers no larger than the largest.
    assert distance(explain(network, x, rules, numbers["target"]).relevance, wanted) < 1e-14
