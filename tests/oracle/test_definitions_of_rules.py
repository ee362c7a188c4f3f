"""The definitions of rules by loops, held to numbers worked by hand."""

from fractions import Fraction as F

import pytest
from test_definitions import fractions, image, one_output, outputs_at, vector

from lrp_ref.checks.definitions import (
    Map,
    Step,
    Units,
    alpha_beta,
    avg_pool,
    batch_norm,
    conv2d,
    epsilon,
    flat,
    gamma,
    linear,
    lists,
    max_pool,
    passed,
    relu,
    sum_pool,
    units,
    w_square,
    winner,
    z_box,
    z_plus,
)


def check(step: Step, relevance: str, **columns: str) -> None:
    """The relevance of the inputs and the named ledger columns of the one output, as fractions."""
    assert [*step.relevance.values()] == fractions(relevance)
    for column, value in columns.items():
        assert [*getattr(step, column).values()] == fractions(value), column


def test_epsilon_moves_a_negative_denominator_away_from_zero() -> None:
    # z = 1 + 2 - 9/2 = -3/2, denominator -16/10
    m, a = one_output("1 2", "-9/2", "1 1")
    step = epsilon(m, a, m.output, F(1, 10))
    # each part of R = -3/2 is (part of z) * 15/16; the stabiliser's part is -1/10 * 15/16
    check(step, "15/16 15/8", handed="45/16", bias="-135/32", stabiliser="-3/32", dead="0")


def test_epsilon_takes_the_sign_of_zero_to_be_plus() -> None:
    m, a = one_output("1 -1", "0", "1 1")
    check(epsilon(m, a, vector("1"), F(1, 10)), "10 -10", handed="0", stabiliser="1", dead="0")


def test_epsilon_has_no_pole_at_minus_epsilon() -> None:
    m, a = one_output("1", "0", "-1/2")
    check(epsilon(m, a, vector("1"), F(1, 2)), "1/2", stabiliser="1/2", dead="0")


def test_zero_denominator_hands_nothing_down_and_is_dead() -> None:
    m, a = one_output("1 -1", "0", "1 1")  # x/0: contributions that cancel
    check(epsilon(m, a, vector("3")), "0 0", handed="0", bias="0", stabiliser="0", dead="3")
    m, a = one_output("1 1", "0", "0 0")  # 0/0: no contribution
    check(epsilon(m, a, vector("3")), "0 0", dead="3")
    check(alpha_beta(m, a, vector("3"), 2, 1), "0 0", dead="3")


def test_dead_unit_still_shares_under_flat_and_w_square() -> None:
    m, a = one_output("1 1", "0", "0 0")
    check(flat(m, a, vector("1")), "1/2 1/2", dead="0")
    check(w_square(m, a, vector("1")), "1/2 1/2", dead="0")


def test_alpha1_beta0_leaves_a_negative_bias_out_of_the_denominator() -> None:
    m, a = one_output("1 2", "-9/2", "1 1")  # z+ = 3
    check(alpha_beta(m, a, m.output, 1, 0), "-1/2 -1", bias="0", dead="0")


@pytest.mark.parametrize(
    ("weight", "bias", "x", "R", "one_zero", "two_one"),
    [
        # z+ = 1, z- = -1 - 1: 2 * -1 * 1/1 and -1 * -1 * 1/2
        ("1 -1", "-1", "1 1", "-1", "-1 0", "-2 1/2"),
        # z+ = 3, z- = -1 - 1/2: 2 * 3/2 and -3/2 * 2/3
        ("3 -1", "-1/2", "1 1", "3/2", "3/2 0", "3 -1"),
        # products 2, -2, -3, 1: z+ = 3 + 1/2, z- = -5; the products are split, not the weights
        ("2 1 -1 1", "1/2", "1 -2 3 1", "-3/2", "-6/7 0 0 -3/7", "-12/7 3/5 9/10 -6/7"),
    ],
)
def test_alpha_beta_splits_products_and_bias_by_sign(
    weight: str, bias: str, x: str, R: str, one_zero: str, two_one: str
) -> None:
    m, a = one_output(weight, bias, x)
    check(alpha_beta(m, a, vector(R), 1, 0), one_zero)
    check(z_plus(m, a, vector(R)), one_zero)
    check(alpha_beta(m, a, vector(R), 2, 1), two_one)


def test_alpha_beta_bias_is_absorbed_by_sign() -> None:
    # z+ = 3 + 1/2, R = -3/2, alpha 2: bias gets -3 * 1/7
    m, a = one_output("2 1 -1 1", "1/2", "1 -2 3 1")
    check(alpha_beta(m, a, vector("-3/2"), 2, 1), "-12/7 3/5 9/10 -6/7", handed="-15/14", bias="-3/7", dead="0")
    # z- = -1 - 1, R = -1, beta 1: bias gets 1 * 1/2
    m, a = one_output("1 -1", "-1", "1 1")
    check(alpha_beta(m, a, vector("-1"), 2, 1), "-2 1/2", handed="-3/2", bias="1/2", dead="0")


def test_alpha_beta_leaves_an_absent_sign_dead() -> None:
    m, a = one_output("1 3", "2", "1 1")  # nothing negative: -beta R is dead
    check(alpha_beta(m, a, vector("5"), F(3, 2), F(1, 2)), "5/4 15/4", bias="5/2", dead="-5/2")
    m, a = one_output("-1 -3", "0", "1 1")  # nothing positive: alpha R is dead
    check(alpha_beta(m, a, vector("5"), F(3, 2), F(1, 2)), "-5/8 -15/8", bias="0", dead="15/2")


def test_alpha_beta_does_not_lose_a_small_negative_part() -> None:
    m, a = one_output("1 -1/100000000", "0", "1 1/1000000000")
    check(alpha_beta(m, a, vector("1"), 2, 1), "2 -1")


def test_gamma_strengthens_positive_parts_and_positive_bias() -> None:
    m, a = one_output("2 -1", "1", "1 1")  # z = 2: (5/2, -1, bias 5/4), denominator 11/4
    check(gamma(m, a, vector("2"), F(1, 4)), "20/11 -8/11", handed="12/11", bias="10/11", dead="0")
    # gamma 1/10: (22/10, -1, bias 11/10), denominator 23/10
    check(gamma(m, a, vector("2"), F(1, 10)), "44/23 -20/23", bias="22/23")


def test_gamma_strengthens_negative_parts_where_z_is_negative() -> None:
    m, a = one_output("2 -1", "1", "-1 1")  # z = -2: (-5/2, -5/4, bias 1), denominator -11/4
    check(gamma(m, a, vector("-2"), F(1, 4)), "-20/11 -10/11", bias="8/11")


def test_gamma_takes_the_sign_with_the_bias() -> None:
    m, a = one_output("1 -1", "0", "1 2")  # z = -1: (1, -5/2), denominator -3/2
    check(gamma(m, a, vector("2"), F(1, 4)), "-4/3 10/3")
    m, a = one_output("1 -1", "3", "1 2")  # z = 2: (5/4, -2, bias 15/4), denominator 3
    check(gamma(m, a, vector("2"), F(1, 4)), "5/6 -4/3", bias="5/2")


def test_gamma_at_zero_is_dead_though_its_denominator_would_not_be() -> None:
    m, a = one_output("1 -1", "1", "1 2")  # z = 1 - 2 + 1
    check(gamma(m, a, vector("5"), F(1, 4)), "0 0", handed="0", bias="0", stabiliser="0", dead="5")


def test_gamma_equals_the_four_quadrants_of_inputs_and_weights() -> None:
    m, a = one_output("2 -3 5 -7", "-11", "-1 2 3 -4")  # -2 - 6 + 15 + 28 - 11 = 24
    # a+ (w + w+/3) + a- (w + w-/3): -1 * 2, 2 * -3, 3 * 20/3, -4 * -28/3; the sum with b is -19 + 20 + 112/3
    check(gamma(m, a, vector("115/3"), F(1, 3)), "-2 -6 20 112/3", bias="-11")


def test_z_box_cancels_the_bias() -> None:
    m, a = one_output("1 -2", "3", "1/2 1/4")
    # 1/2 + 1 and -1/2 + 2; low and high for the vector's two channels
    check(z_box(m, a, vector("1"), low=[-1, -1], high=[1, 1]), "1/2 1/2", bias="0")


def test_z_box_bounds_belong_to_channels() -> None:
    a = units([image("1 2"), image("3 4")])
    m = conv2d(a, [[image("2 -1"), image("3 -5")]], [F(7)])
    # channel 0 in [-1, 3]: 2 + 2, -2 + 3; channel 1 in [1, 6]: 9 - 3, -20 + 30; in all 21
    step = z_box(m, a, {(0, 0, 0): F(21)}, low=[-1, 1], high=[3, 6])
    assert lists(step.relevance) == [[[4, 1]], [[6, 10]]]


def test_w_square_leaves_the_bias_out() -> None:
    m, a = one_output("1 2", "2", "3 0")
    check(w_square(m, a, vector("1")), "1/5 4/5", bias="0")


def test_w_square_is_flat_where_the_weights_are_the_images() -> None:
    a = units([image("2 0 -1 2")])
    for m in (max_pool(a, (1, 3), (1, 1)), avg_pool(a, (1, 3), (1, 1)), relu(a)):
        R = dict.fromkeys(m.output, F(3))
        assert w_square(m, a, R) == flat(m, a, R)


def test_flat_and_w_square_give_padding_nothing_at_a_corner() -> None:
    a = units([image("1 1 1, 1 1 1, 1 1 1")])
    m = conv2d(a, [[image("1 2 3, 4 5 6, 7 8 9")]], [0], pad=(1, 1))
    corner: Units = {(0, 0, 0): F(1)}
    assert lists(flat(m, a, corner).relevance) == [image("1/4 1/4 0, 1/4 1/4 0, 0 0 0")]
    # 25 + 36 + 64 + 81 = 206
    assert lists(w_square(m, a, corner).relevance) == [image("25/206 36/206 0, 64/206 81/206 0, 0 0 0")]


def test_winner_hands_all_to_the_winner_even_where_the_maximum_is_zero() -> None:
    a = units([image("2 2 1 0")])
    m = max_pool(a, (1, 4), (1, 4))
    check(winner(m, a, outputs_at(m, "1")), "1/2 1/2 0 0", dead="0")
    check(flat(m, a, outputs_at(m, "1")), "1/4 1/4 1/4 1/4", dead="0")
    a = units([image("0 -1 -2 -3")])
    m = max_pool(a, (1, 4), (1, 4))
    check(winner(m, a, outputs_at(m, "3")), "3 0 0 0", dead="0")


def test_epsilon_on_pools_stabilises_the_layers_own_output() -> None:
    a = units([image("1 -1 2 2")])
    m = avg_pool(a, (1, 4), (1, 4))  # z = 1, denominator 11/10
    check(epsilon(m, a, outputs_at(m, "1"), F(1, 10)), "5/22 -5/22 5/11 5/11", stabiliser="1/11")
    m = sum_pool(a, (1, 4), (1, 4))  # z = 4, denominator 41/10
    check(epsilon(m, a, outputs_at(m, "1"), F(1, 10)), "10/41 -10/41 20/41 20/41", stabiliser="1/41")
    check(z_plus(m, a, outputs_at(m, "1")), "1/5 0 2/5 2/5")
    a = units([image("1 -1 0 0")])
    m = avg_pool(a, (1, 4), (1, 4))
    check(epsilon(m, a, outputs_at(m, "1")), "0 0 0 0", dead="1")


def test_pass_hands_relevance_through_closed_gates() -> None:
    a = vector("-2 0 3")
    m = relu(a)
    check(passed(m, a, vector("5 -7 11")), "5 -7 11", dead="0 0 0")
    check(epsilon(m, a, vector("5 -7 11")), "0 0 11", dead="5 -7 0")


def test_pass_on_batch_norm_differs_from_epsilon() -> None:
    a = vector("3")
    m = batch_norm(a, mean=[1], deviation=[2], scale=[2], shift=[F(1, 2)])  # w = 1, b = -1/2, z = 5/2
    check(passed(m, a, vector("5/2")), "5/2", bias="0")
    check(epsilon(m, a, vector("5/2")), "3", bias="-1/2")


def test_pass_refuses_a_map_that_mixes_units() -> None:
    for weight, bias in ([[2], [3]], [5]), ([[2, 3]], [5, 7]):
        a = units([F(1)] * len(weight))
        m = linear(a, weight, bias)
        with pytest.raises(ValueError, match=r"Pass needs a gate.*mixes units"):
            passed(m, a, m.output)


def test_coverage_multiplies_what_every_rule_shares_by() -> None:
    a = vector("2 -1")
    m = Map({(0,): [((0,), F(1, 4), F(3)), ((1,), F(3, 4), F(-4))]}, vector("1/2"), {}, learned=True)
    # products 1/4 * 2 * 3 and 3/4 * -1 * -4: with the bias, z = 3/2 + 3 + 1/2
    check(epsilon(m, a, vector("5")), "3/2 3", bias="1/2")
    check(flat(m, a, vector("4")), "1 3")
    check(w_square(m, a, vector("57")), "9 48")  # 1/4 * 9 and 3/4 * 16
    check(winner(m, a, vector("3")), "-1 4")  # 1/4 * 3 and 3/4 * -4
    # low -2 and -3, high 4 and 5: 1/4 * (6 + 6) and 3/4 * (4 + 20)
    check(z_box(m, a, vector("7"), low=[-2, -3], high=[4, 5]), "1 6")


def test_messages_go_to_inputs_from_outputs() -> None:
    a = vector("1 3")
    m = linear(a, [[2, 5], [4, -1]], [0, 0])  # z = (14, 2); products 2, 12 and 5, -3
    step = epsilon(m, a, vector("7 6"))
    assert step.messages == {((0,), (0,)): 1, ((1,), (0,)): 6, ((0,), (1,)): 15, ((1,), (1,)): -9}
    assert lists(step.relevance) == [16, -3] and lists(step.handed) == [7, 6]


def test_relevance_of_inputs_that_reach_nothing_is_zero() -> None:
    a = units([image("1 2 3")])
    m = sum_pool(a, (1, 1), (1, 3))
    assert lists(flat(m, a, m.output).relevance) == [[[1, 0, 0]]]
