"""Every rule by hand: relevance and the four columns of the ledger as fractions, derived in the comments."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import QUARTER, THIRD, F, assert_holds, columns, fractions, image, law, refused

from lrp_ref import (
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flat,
    Gamma,
    Linear,
    MaxPool,
    Pass,
    ReLU,
    SumPool,
    Winner,
    WSquare,
    ZBox,
    ZPlus,
)
from lrp_ref.arrays import Array, constant, same
from lrp_ref.checks.claims.by_hand import of_one_output
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import RULES
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share
from lrp_ref.step import step

TENTH = F(1, 10)


def check(rule: Rule, weight: str, bias: str, x: str, R: str, relevance: str, account: str) -> None:
    """One fully connected output: relevance of its inputs, and handed, bias, stabiliser, dead."""
    got, where = of_one_output(rule, weight, bias, x, R)
    assert got[0].tolist() == fractions(relevance).tolist()
    assert where == fractions(account).tolist()


@law("conventions")
def test_conventions_are_kept(claim: Claim) -> None:
    assert_holds(claim)


# ---- Epsilon ----


def test_epsilon_zero_divides_by_the_sum_with_the_bias() -> None:
    # z = 3 - 1 - 1/2 = 3/2, R = 2: every part times 4/3
    check(Epsilon(), "3 -1", "-1/2", "1 1", "2", "4 -4/3", "8/3 -2/3 0 0")


def test_epsilon_moves_a_negative_z_away_from_zero() -> None:
    # z = 1 + 2 - 9/2 = -3/2 and -1/10 more; R = -3/2: every part times 15/16
    check(Epsilon(TENTH), "1 2", "-9/2", "1 1", "-3/2", "15/16 15/8", "45/16 -135/32 -3/32 0")


def test_epsilon_takes_the_sign_of_zero_to_be_plus() -> None:
    # z = 0, denominator 1/10, R = 1: every part times 10; the stabiliser takes all
    check(Epsilon(TENTH), "1 -1", "0", "1 1", "1", "10 -10", "0 0 1 0")


def test_epsilon_takes_the_relevance_of_a_unit_without_input() -> None:
    check(Epsilon(TENTH), "1 1", "0", "0 0", "1", "0 0", "0 0 1 0")


def test_epsilon_has_no_pole_at_minus_epsilon() -> None:
    # z = -1/2, denominator -1
    check(Epsilon(F(1, 2)), "1", "0", "-1/2", "1", "1/2", "1/2 0 1/2 0")


def test_a_zero_denominator_hands_nothing_down_and_is_dead() -> None:
    check(Epsilon(0), "1 -1", "0", "1 1", "3", "0 0", "0 0 0 3")    # contributions that cancel: x/0
    check(Epsilon(0), "1 1", "0", "0 0", "3", "0 0", "0 0 0 3")     # no contributions: 0/0
    check(Epsilon(0), "1 -1", "1", "1 2", "-3", "0 0", "0 0 0 -3")  # the bias cancels them


def test_epsilon_is_absolute_and_not_relative_to_z() -> None:
    # z = 30 and 3: denominators 31 and 4
    check(Epsilon(1), "10 20", "0", "1 1", "31", "10 20", "30 0 1 0")
    check(Epsilon(1), "1 2", "0", "1 1", "4", "1 2", "3 0 1 0")


# ---- AlphaBeta, ZPlus ----


@pytest.mark.parametrize(("weight", "bias", "x", "R", "one_zero", "account_10", "two_one", "account_21"), [
    # a negative bias is in no positive sum: z+ = 3; z- = -9/2, all bias
    ("1 2", "-9/2", "1 1", "-3/2", "-1/2 -1", "-3/2 0 0 0", "-1 -2", "-3 3/2 0 0"),
    # z+ = 1, z- = -1 - 1: 2 * -1 * 1 and 1 * -1/2, the bias as much
    ("1 -1", "-1", "1 1", "-1", "-1 0", "-1 0 0 0", "-2 1/2", "-3/2 1/2 0 0"),
    # z+ = 3, z- = -1 - 1/2: 2 * 3/2 and -3/2 * 2/3
    ("3 -1", "-1/2", "1 1", "3/2", "3/2 0", "3/2 0 0 0", "3 -1", "2 -1/2 0 0"),
    # products 2, -2, -3, 1 (not weights) are split: z+ = 3 + 1/2, z- = -5
    ("2 1 -1 1", "1/2", "1 -2 3 1", "-3/2", "-6/7 0 0 -3/7", "-9/7 -3/14 0 0", "-12/7 3/5 9/10 -6/7",
     "-15/14 -3/7 0 0"),
])
def test_alpha_beta_splits_products_and_bias_by_sign(weight: str, bias: str, x: str, R: str, one_zero: str,
                                                     account_10: str, two_one: str, account_21: str) -> None:
    for rule in (AlphaBeta(1, 0), ZPlus()):
        check(rule, weight, bias, x, R, one_zero, account_10)
    check(AlphaBeta(2, 1), weight, bias, x, R, two_one, account_21)


def test_alpha_weighs_the_positive_and_beta_the_negative_products() -> None:
    # z+ = 3, z- = -2; R = 6: 5/3 * 6 * (1, 2)/3 and -2/3 * 6 * (1, 1)/2
    check(AlphaBeta(F(5, 3), F(2, 3)), "1 2 -1 1", "0", "1 1 1 -1", "6", "10/3 20/3 -2 -2", "6 0 0 0")


def test_alpha_beta_leaves_an_absent_sign_dead_and_never_renormalises() -> None:
    # nothing negative: z+ = 4 + 2, -beta R is dead
    check(AlphaBeta(F(3, 2), F(1, 2)), "1 3", "2", "1 1", "5", "5/4 15/4", "5 5/2 0 -5/2")
    # nothing positive: alpha R is dead
    check(AlphaBeta(F(3, 2), F(1, 2)), "-1 -3", "0", "1 1", "5", "-5/8 -15/8", "-5/2 0 0 15/2")
    check(ZPlus(), "-1 -3", "0", "1 1", "5", "0 0", "0 0 0 5")
    # nothing at all
    check(AlphaBeta(2, 1), "1 1", "0", "0 0", "3", "0 0", "0 0 0 3")


def test_alpha_beta_shares_negative_relevance_like_positive() -> None:
    plus, _ = of_one_output(AlphaBeta(2, 1), "3 -1", "-1/2", "1 1", "3/2")
    minus, _ = of_one_output(AlphaBeta(2, 1), "3 -1", "-1/2", "1 1", "-3/2")
    assert minus.tolist() == (-plus).tolist() == [[-3, 1]]


@pytest.mark.parametrize(("x", "w", "z"), [([1, 1e-9], [1, -1e-8], 1.0), ([1e8, 1], [1, -1e-9], 1e8)])
def test_alpha_beta_does_not_lose_a_small_negative_sum_in_floats(x: list[float], w: list[float], z: float) -> None:
    a, m = Linear(np.array(w)[:, None]).linearize(np.array([x]))
    # the only negative product gets all of -R, however small it is beside the positive one (z+ - z would be 0)
    assert step(AlphaBeta(2, 1), m, a, np.array([[z]]))[0].tolist() == [[2 * z, -z]]


def test_alpha_beta_takes_alpha_within_rounding_of_one_plus_beta_and_uses_one_plus_beta() -> None:
    for beta in (0.3, 0.4, 1.2, 3.14, 1e6 + 0.1):
        rule = AlphaBeta(1 + beta, beta)
        relevance, account = of_one_output(rule, "1 -1", "0", "2 1", "1")
        assert relevance.tolist() == [[1 + F(beta), -F(beta)]] and account == [1, 0, 0, 0]
    assert 1.4 - 0.4 != 1 and 1 + F(0.4) != F(1.4)


@pytest.mark.parametrize(("alpha", "beta", "cure"), [
    (1, 1, "AlphaBeta(2, 1)"), (2, 0.5, "AlphaBeta(1.5, 0.5)"), (1.001, 0, "AlphaBeta(1, 0)"),
    (F(1, 2), F(1, 2), "AlphaBeta(3/2, 1/2)"), (1 + 1e-9, 0, "AlphaBeta(1, 0)"),
])
def test_alpha_beta_refuses_alpha_minus_beta_other_than_one(alpha: Any, beta: Any, cure: str) -> None:
    with refused(f"AlphaBeta got alpha={alpha}, beta={beta}, needed alpha - beta = 1: {cure}?"):
        AlphaBeta(alpha, beta)


# ---- Gamma ----


def test_gamma_strengthens_positive_products_and_a_positive_bias_where_z_is_positive() -> None:
    # z = 2: 5/2, -1 and bias 5/4, in all 11/4; R = 2: times 8/11
    check(Gamma(QUARTER), "2 -1", "1", "1 1", "2", "20/11 -8/11", "12/11 10/11 0 0")
    # gamma 1/10: 22/10, -1 and bias 11/10, in all 23/10; times 20/23
    check(Gamma(TENTH), "2 -1", "1", "1 1", "2", "44/23 -20/23", "24/23 22/23 0 0")


def test_gamma_strengthens_negative_products_and_a_negative_bias_where_z_is_negative() -> None:
    # z = -2: -5/2, -5/4 and bias 1, in all -11/4; R = -2: times 8/11
    check(Gamma(QUARTER), "2 -1", "1", "-1 1", "-2", "-20/11 -10/11", "-30/11 8/11 0 0")
    # z = 1 - 2 - 3 = -4: 1, -5/2 and bias -15/4, in all -21/4; R = 21: times -4
    check(Gamma(QUARTER), "1 -1", "-3", "1 2", "21", "-4 10", "6 15 0 0")


def test_gamma_takes_the_sign_of_z_with_the_bias() -> None:
    # z = -1: 1 and -5/2, in all -3/2; R = 2: times -4/3
    check(Gamma(QUARTER), "1 -1", "0", "1 2", "2", "-4/3 10/3", "2 0 0 0")
    # the same products, z = 2: 5/4, -2 and bias 15/4, in all 3; times 2/3
    check(Gamma(QUARTER), "1 -1", "3", "1 2", "2", "5/6 -4/3", "-1/2 5/2 0 0")


def test_gamma_at_z_zero_is_dead_though_its_denominator_would_not_be() -> None:
    # 1 - 2 + 1 = 0, though 5/4 - 2 + 5/4 is not
    check(Gamma(QUARTER), "1 -1", "1", "1 2", "5", "0 0", "0 0 0 5")


def test_gamma_splits_products_and_not_weights() -> None:
    # products 2, -6, 15, 28, bias -11: z = 28; the positive times 4/3: 8/3, -6, 20, 112/3, -11, in all 43
    check(Gamma(THIRD), "-2 -3 5 -7", "-11", "-1 2 3 -4", "43", "8/3 -6 20 112/3", "54 -11 0 0")


def test_gamma_on_non_negative_inputs_adds_gamma_times_the_positive_weights() -> None:
    # w + w+/4 = 5, -2, 5/4; times a = 10, -2, 0; bias 5/2, in all 21/2
    check(Gamma(QUARTER), "4 -2 1", "2", "2 1 0", "21/2", "10 -2 0", "8 5/2 0 0")


# ---- ZBox, WSquare, Flat ----


def test_z_box_leaves_the_bias_out() -> None:
    # low -1, high 1: 1/2 + 1 = 3/2 and -1/2 + 2 = 3/2
    check(ZBox(-1, 1), "1 -2", "3", "1/2 1/4", "1", "1/2 1/2", "1 0 0 0")


def test_z_box_takes_low_from_positive_and_high_from_negative_weights() -> None:
    # low -1, high 4: 2 * (3 + 1) = 8, -3 * (1 - 4) = 9, 0
    check(ZBox(-1, 4), "2 -3 0", "5", "3 1 2", "17", "8 9 0", "17 0 0 0")


def test_z_box_bounds_belong_to_channels_and_the_padding_has_none() -> None:
    layer = Conv2D(fractions([[[["2", "-1"]], [["3", "-5"]]]]), fractions("7"), pad=(0, 1))
    x = image("1 2", "3 4")
    a, m = layer.linearize(x)
    # the middle window. Channel 0 in [-1, 3]: 2 * 2 = 4, -1 * (2 - 3) = 1; channel 1 in [1, 6]: 3 * 2, -5 * (4 - 6); 21
    R = fractions([[[["0", "21", "0"]]]])
    rule = ZBox(np.array([-1, 1]), np.array([3, 6]))
    assert step(rule, m, a, R)[0].tolist() == image("4 1", "6 10").tolist()
    # the first window covers one pixel, with the negative weights: -1 * (1 - 3) = 2 and -5 * (3 - 6) = 15; 17
    R = fractions([[[["17", "0", "0"]]]])
    got, account = step(rule, m, a, R)
    assert got.tolist() == image("2 0", "15 0").tolist() and total_of(account) == [17, 0, 0, 0]
    assert step(ZBox([-1, 1], (3, 6)), m, a, R)[0].tolist() == got.tolist()


def total_of(account: Any) -> list[Any]:
    return [sum(column.flat) for column in account.parts()]


def test_w_square_leaves_inputs_and_bias_out() -> None:
    check(WSquare(), "1 2", "2", "3 0", "1", "1/5 4/5", "1 0 0 0")
    check(WSquare(), "-1 2 0", "-2", "0 -5 9", "5", "1 4 0", "5 0 0 0")
    check(WSquare(), "0 0", "2", "3 1", "5", "0 0", "0 0 0 5")   # learned weights, all 0


def test_flat_leaves_inputs_weights_and_bias_out() -> None:
    check(Flat(), "-7 0 1/3 9", "2", "3 0 0 -5", "10", "5/2 5/2 5/2 5/2", "10 0 0 0")


def test_a_dead_unit_still_shares_under_flat_and_w_square() -> None:
    check(Flat(), "1 1", "0", "0 0", "1", "1/2 1/2", "1 0 0 0")
    check(WSquare(), "1 1", "0", "0 0", "1", "1/2 1/2", "1 0 0 0")


def test_flat_and_w_square_give_the_padding_nothing_at_a_corner() -> None:
    x = image("1 1 1, 1 1 1, 1 1 1")
    a, m = Conv2D(image("1 2 3, 4 5 6, 7 8 9"), pad=1).linearize(x)
    corner = image("1 0 0, 0 0 0, 0 0 0")
    assert step(Flat(), m, a, corner)[0].tolist() == image("1/4 1/4 0, 1/4 1/4 0, 0 0 0").tolist()
    # 25 + 36 + 64 + 81 = 206 of the squares lie inside
    assert step(WSquare(), m, a, corner)[0].tolist() == image("25/206 36/206 0, 64/206 81/206 0, 0 0 0").tolist()


def test_flat_counts_inputs_of_all_channels() -> None:
    x = image("5 0 2", "1 -1 3")
    a, m = Conv2D(fractions([[["1", "0"]], [["3", "-1"]]]).reshape(1, 2, 1, 2)).linearize(x)
    # 2 channels times 2 pixels: quarters
    assert step(Flat(), m, a, image("4 8"))[0].tolist() == image("1 3 2", "1 3 2").tolist()


def test_flat_hands_over_weights_of_zero() -> None:
    a, m = Linear(fractions(["0 1", "0 0"])).linearize(fractions(["3 4"]))
    assert step(Flat(), m, a, fractions(["6 10"]))[0].tolist() == [[8, 8]]


def test_a_window_wholly_in_the_padding_is_dead_under_every_rule_without_bias() -> None:
    a, m = Conv2D(fractions(["5"]).reshape(1, 1, 1, 1), fractions("7"), pad=(1, 0)).linearize(image("3 4"))
    R = image("1 2, 0 0, 3 -9")
    for rule in (Flat(), WSquare(), ZBox(0, 9)):
        below, account = step(rule, m, a, R)
        assert below.tolist() == image("0 0").tolist() and account.dead.tolist() == R.tolist()
    below, account = step(Epsilon(0), m, a, R)
    assert account.bias.tolist() == R.tolist() and not account.dead.any() and not below.any()


# ---- Pools and gates ----


def test_winner_takes_all_and_tied_winners_share_evenly() -> None:
    a, m = MaxPool((1, 4)).linearize(image("2 2 1 0"))
    assert step(Winner(), m, a, image("1"))[0].tolist() == image("1/2 1/2 0 0").tolist()
    assert step(Flat(), m, a, image("1"))[0].tolist() == image("1/4 1/4 1/4 1/4").tolist()


def test_winner_takes_all_also_where_the_maximum_is_zero_or_negative() -> None:
    for x in ("0 -1 -2 -3", "-1 -4 -2 -3"):
        a, m = MaxPool((1, 4)).linearize(image(x))
        got, account = step(Winner(), m, a, image("3"))
        assert got.tolist() == image("3 0 0 0").tolist() and columns(account) == [3, 0, 0, 0]


def test_epsilon_on_a_max_pooling_divides_by_the_maximum() -> None:
    a, m = MaxPool((1, 3)).linearize(image("4 4 1"))
    # winners of weight 1/2: 2 and 2, over 4 + 1
    got, account = step(Epsilon(1), m, a, image("5"))
    assert got.tolist() == image("2 2 0").tolist() and columns(account) == [4, 0, 1, 0]


def test_epsilon_on_pools_stabilises_the_layers_own_output() -> None:
    x = image("1 -1 2 2")
    a, m = AvgPool((1, 4)).linearize(x)     # the mean is 1: denominator 11/10
    got, account = step(Epsilon(TENTH), m, a, image("1"))
    assert got.tolist() == image("5/22 -5/22 5/11 5/11").tolist() and columns(account) == [F(10, 11), 0, F(1, 11), 0]
    a, m = SumPool((1, 4)).linearize(x)     # the sum is 4: denominator 41/10
    got, account = step(Epsilon(TENTH), m, a, image("1"))
    assert got.tolist() == image("10/41 -10/41 20/41 20/41").tolist()
    assert step(ZPlus(), m, a, image("1"))[0].tolist() == image("1/5 0 2/5 2/5").tolist()


def test_a_pooling_whose_inputs_cancel_is_dead() -> None:
    for layer in (AvgPool((1, 4)), SumPool((1, 4))):
        a, m = layer.linearize(image("1 -1 0 0"))
        got, account = step(Epsilon(0), m, a, image("1"))
        assert not got.any() and columns(account) == [0, 0, 0, 1]


def test_w_square_on_pools_and_gates_is_flat() -> None:
    for layer in (MaxPool((1, 3)), AvgPool((1, 3)), SumPool((1, 3), scale=2), ReLU()):
        a, m = layer.linearize(image("2 0 -1"))
        R = fractions([3] * m(a).size).reshape(m(a).shape)
        assert step(WSquare(), m, a, R)[0].tolist() == step(Flat(), m, a, R)[0].tolist() != image("0 0 0").tolist()


def test_pass_hands_relevance_through_closed_gates_and_epsilon_does_not() -> None:
    a, m = ReLU().linearize(fractions(["-2 0 3"]))
    R = fractions(["5 -7 11"])
    got, account = step(Pass(), m, a, R)
    assert got.tolist() == R.tolist() == account.handed.tolist() and not account.dead.any()
    got, account = step(Epsilon(0), m, a, R)
    assert got.tolist() == [[0, 0, 11]] and account.dead.tolist() == [[5, -7, 0]]


def test_pass_on_batch_norm_differs_from_epsilon() -> None:
    # w = 2 / sqrt(4) = 1, b = 1/2 - 1 = -1/2, z = 3 - 1/2
    layer = BatchNorm(fractions("1"), fractions("4"), fractions("2"), fractions("1/2"), epsilon=0)
    a, m = layer.linearize(fractions(["3"]))
    got, account = step(Pass(), m, a, fractions(["5/2"]))
    assert got.tolist() == [[F(5, 2)]] and columns(account) == [F(5, 2), 0, 0, 0]
    got, account = step(Epsilon(0), m, a, fractions(["5/2"]))
    assert got.tolist() == [[3]] and columns(account) == [3, F(-1, 2), 0, 0]


# ---- What rules refuse ----


@pytest.mark.parametrize("layer", [Linear(fractions(["1 2"])), Linear(fractions(["1", "2"])),
                                   Conv2D(fractions(["3"]).reshape(1, 1, 1, 1)), AvgPool(1), MaxPool(1)],
                         ids=lambda layer: type(layer).__name__)
def test_pass_refuses_a_layer_that_mixes_units(layer: Any) -> None:
    x = image("1") if not isinstance(layer, Linear) else fractions([[1] * len(layer.weight)])
    with refused("Pass needs a gate, and this layer mixes units; use Epsilon(0) or Flat()"):
        Pass().shares(layer.linearize(x)[1], x)


@pytest.mark.parametrize("layer", [Conv2D(fractions(["3"]).reshape(1, 1, 1, 1)), Linear(fractions(["3"])),
                                   BatchNorm(*fractions(["0", "1", "1", "0"]), epsilon=0)],
                         ids=lambda layer: type(layer).__name__)
def test_winner_refuses_learned_weights(layer: Any) -> None:
    x = fractions(["1"]) if isinstance(layer, Linear) else image("1")
    with refused("Winner needs a pooling, whose weights say who won; use Epsilon(0) or Flat…"):
        Winner().shares(layer.linearize(x)[1], x)


@pytest.mark.parametrize("bad", [-1, -1e-9, float("nan"), float("inf"), "1", None, F(-1, 3), Decimal("NaN"), 1j,
                                 np.array(0.5)])
@pytest.mark.parametrize(("rule", "name"), [(Epsilon, "epsilon"), (Gamma, "gamma")], ids=["Epsilon", "Gamma"])
def test_parameters_are_finite_numbers_of_at_least_zero(rule: Any, name: str, bad: Any) -> None:
    text = f"{rule.__name__} got {name}={bad!r}, needed a finite number of at least 0"
    with refused(text):
        rule(bad)


@pytest.mark.parametrize(("alpha", "beta", "name"), [(1, -0.5, "beta"), (0.5, -0.5, "beta"), (-1, 2, "alpha"),
                                                     (float("nan"), 0, "alpha"), (2, None, "beta")])
def test_alpha_and_beta_are_finite_numbers_of_at_least_zero(alpha: Any, beta: Any, name: str) -> None:
    with refused(f"AlphaBeta got {name}=…, needed a finite number of at least 0"):
        AlphaBeta(alpha, beta)


@pytest.mark.parametrize(("low", "high"), [(2, 1), ([0, 2], [1, 1]), (float("nan"), 1), (0, float("nan")),
                                           (float("-inf"), 1), (0, float("inf"))])
def test_z_box_refuses_low_above_high_in_any_channel(low: Any, high: Any) -> None:
    text = f"ZBox got low={low}, high={high}, needed finite low <= high in every channel"
    with refused(text):
        ZBox(low, high)


def test_z_box_needs_as_many_bounds_as_channels() -> None:
    layer = Conv2D(fractions(["3", "4"]).reshape(1, 2, 1, 1))
    a, m = layer.linearize(image("1 2 3", "4 5 6"))
    text = "ZBox got bounds of shape (3,) for an input of shape (1, 2, 1, 3), needed one number or (2,)"
    with refused(text):
        ZBox([0, 0, 0], [9, 9, 9]).shares(m, a)


def test_rules_are_values_that_print_as_they_are_made() -> None:
    assert Epsilon() == Epsilon(0) != Epsilon(1) and AlphaBeta(2, 1) == AlphaBeta(2, 1) and Flat() == Flat()
    assert repr(AlphaBeta(2, 1)) == "AlphaBeta(alpha=2, beta=1)" and len({*RULES.values()}) == len(RULES)
    for rule in RULES.values():
        with pytest.raises(AttributeError):
            rule.epsilon = 3    # type: ignore[misc]


def test_rules_share_all_of_the_relevance_or_say_what_is_left() -> None:
    m = Linear(fractions(["1 2", "-3 0"]), fractions("1 -2"))
    a, m = m.linearize(fractions(["1 -1"]))
    for name, rule in RULES.items():
        if name not in ("Winner", "Pass", "Gamma(1/4)"):
            assert sum(share.part for share in rule.shares(m, a)) == 1, name
    # z = 5, 0: Gamma claims the first output only
    assert sum(share.part for share in Gamma(1).shares(m, a)).tolist() == [[1, 0]]


# ---- A denominator of one's own ----


@dataclass(frozen=True)
class Over(Rule):
    """R_i = sum_j a_i w_ij / (d + epsilon sign d) R_j: any number d for the sum of the terms."""

    d: Any
    epsilon: Any = 0

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, same, m.bias)], over=0 * m(a) + constant(self.d, a))]


def test_what_a_denominator_has_beyond_its_terms_is_the_stabilisers() -> None:
    # z = 3 - 1 - 1/2 = 3/2; R / 5 = 2: the terms take 2 * 3/2, and 2 * (5 - 3/2) is left over
    check(Over(5), "3 -1", "-1/2", "1 1", "10", "6 -2", "4 -1 7 0")
    # guarded as it is itself, -4 - 1: R / -5 = -2, and -2 * (-5 - 3/2)
    check(Over(-4, epsilon=1), "3 -1", "-1/2", "1 1", "10", "-6 2", "-4 1 13 0")
    check(Over(0), "3 -1", "-1/2", "1 1", "10", "0 0", "0 0 0 10")
    # the sum of the terms, said again
    check(Over(F(3, 2)), "3 -1", "-1/2", "1 1", "2", "4 -4/3", "8/3 -2/3 0 0")


def test_a_denominator_is_divided_by_as_given_however_small_beside_the_terms() -> None:
    a, m = Linear(np.ones((1, 1))).linearize(np.ones((1, 1)))
    # as a bias, 1 + (2^-70 - 1), it would be 0
    assert step(Over(2.0**-70), m, a, np.ones((1, 1)))[0].item() == 2.0**70


def test_alpha_less_beta_may_miss_one_by_four_units_in_the_last_place_of_alpha() -> None:
    ulp = 2.0**-51     # of 2
    assert AlphaBeta(2.0, 1 - 4 * ulp).beta == 1 - 4 * ulp
    with refused(f"AlphaBeta got alpha=2.0, beta={1 - 5 * ulp}, needed alpha - beta = 1: …"):
        AlphaBeta(2.0, 1 - 5 * ulp)
