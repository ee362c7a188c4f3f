"""A map is what it says: coverage, weights and bias apart; one of each pair of methods is enough to define it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from helpers import F, columns, fractions

from lrp_ref.arrays import Array, Function, Shape, negative, ones_like, positive, same, square
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, Winner, WSquare, ZBox, ZPlus
from lrp_ref.step import step


@dataclass(frozen=True, eq=False)
class Covered(LinearMap):
    """c, weight (I, J): inputs that reach outputs in part, as pixels reach the bins they lie in."""

    coverage: Array
    weight: Array
    bias: Array
    learned: bool = True

    def apply(self, a: Array, f: Function) -> Array:
        return a @ (self.coverage * f(self.weight))

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return s @ (self.coverage * f(self.weight)).T


@dataclass(frozen=True, eq=False)
class CoveredTogether(LinearMap):
    """The same, written the other way."""

    coverage: Array
    weight: Array
    bias: Array
    learned: bool = True

    def apply_each(self, a: Array, functions: Sequence[Function]) -> list[Array]:
        return [a @ (self.coverage * f(self.weight)) for f in functions]

    def transpose_sum(self, s: Sequence[Array], functions: Sequence[Function], shape: Shape) -> Array:
        return sum(s_f @ (self.coverage * f(self.weight)).T for s_f, f in zip(s, functions))


ONE = Covered(fractions([["1/4"], ["3/4"]]), fractions([["3"], ["-4"]]), fractions("1/2"))
A = fractions(["2 -1"])


@pytest.mark.parametrize(("rule", "R", "relevance", "account"), [
    # products 1/4 * 2 * 3 = 3/2 and 3/4 * -1 * -4 = 3; with the bias z = 5
    (Epsilon(0), "5", "3/2 3", "9/2 1/2 0 0"),
    (Epsilon(F(5)), "20", "3 6", "9 1 10 0"),
    (AlphaBeta(F(3, 2), F(1, 2)), "20", "9 18", "27 3 0 -10"),
    (ZPlus(), "10", "3 6", "9 1 0 0"),
    # z > 0: every product and the bias times 3/2; the same shares
    (Gamma(F(1, 2)), "10", "3 6", "9 1 0 0"),
    # low -2 and -3, high 4 and 5: 1/4 * (6 + 6) = 3 and 3/4 * (4 + 20) = 18
    (ZBox(fractions("-2 -3"), fractions("4 5")), "7", "1 6", "7 0 0 0"),
    # 1/4 * 9 and 3/4 * 16
    (WSquare(), "57", "9 48", "57 0 0 0"),
    (Flat(), "4", "1 3", "4 0 0 0"),
], ids=lambda value: repr(value) if isinstance(value, Rule) else None)
def test_every_rule_shares_in_proportion_to_the_coverage(rule: Rule, R: str, relevance: str, account: str) -> None:
    got, where = step(rule, ONE, A, fractions([R]))
    assert got[0].tolist() == fractions(relevance).tolist()
    assert columns(where) == fractions(account).tolist()


def test_winner_shares_by_coverage_and_the_images_weights() -> None:
    m = Covered(ONE.coverage, fractions([["3"], ["4"]]), fractions("1/2"), learned=False)
    # 1/4 * 3 and 3/4 * 4; without bias
    assert step(Winner(), m, A, fractions(["15"]))[0].tolist() == [[3, 12]]


def test_w_square_is_flat_where_the_weights_are_not_the_models() -> None:
    m = Covered(ONE.coverage, ONE.weight, ONE.bias, learned=False)
    assert step(WSquare(), m, A, fractions(["4"]))[0].tolist() == [[1, 3]]


def test_a_map_is_its_product_plus_its_bias() -> None:
    assert ONE(A).tolist() == [[5]] and ONE.apply(A, same).tolist() == [[F(9, 2)]]


def test_a_map_defined_by_either_pair_of_methods_has_the_other_pair() -> None:
    c, w, b = fractions(["1 1/2 0", "1/4 0 2"]), fractions(["-1 2 7", "3 -4 1/2"]), fractions("1 -1 0")
    apart, together = Covered(c, w, b), CoveredTogether(c, w, b)
    a, s, u = fractions(["2 -3", "1/2 5"]), fractions(["1 -2 3", "0 4 -1"]), fractions(["1 1 -1/2", "2 0 1/3"])
    functions = [same, positive, negative, square, ones_like, lambda w: 2 * w - abs(w)]
    for f in functions:
        assert apart.apply(a, f).tolist() == together.apply(a, f).tolist()
        assert apart.transpose(s, f, a.shape).tolist() == together.transpose(s, f, a.shape).tolist()
    each = [apart.apply(a, f).tolist() for f in functions]
    assert [z.tolist() for z in apart.apply_each(a, functions)] == each
    assert [z.tolist() for z in together.apply_each(a, functions)] == each
    both = apart.transpose(s, square, a.shape) + apart.transpose(u, negative, a.shape)
    for m in (apart, together):
        assert m.transpose_sum([s, u], [square, negative], a.shape).tolist() == both.tolist()
        assert (m(a) == a @ (c * w) + b).all()


def test_a_map_is_one_piece_of_its_own() -> None:
    [(inputs, outputs, piece)] = ONE.pieces(A.shape)
    assert piece is ONE and A[inputs].tolist() == A.tolist() and outputs == ()


def test_a_map_that_says_nothing_is_neither_learned_nor_a_gate() -> None:
    assert not LinearMap.learned and not LinearMap.gate



@dataclass(frozen=True, eq=False)
class Counting(Covered):
    """Covered, and a list of the products it was asked for."""

    asked: list[Function] = field(default_factory=list)

    def apply(self, a: Array, f: Function) -> Array:
        self.asked.append(f)
        return super().apply(a, f)


@pytest.mark.parametrize(("x", "products"), [("2 1", [positive, negative]), ("-2 0", [negative, positive]),
                                             ("2 -1", [positive, negative, negative, positive]), ("0 0", [])])
def test_terms_of_zeros_take_no_product(x: str, products: list[Function]) -> None:
    m = Counting(ONE.coverage, ONE.weight, ONE.bias)
    below, account = step(AlphaBeta(2, 1), m, fractions([x]), fractions(["20"]))
    assert sorted(map(repr, m.asked)) == sorted(map(repr, products))
    assert below.shape == (1, 2) and account.received.item() == sum(columns(account))


def test_z_plus_takes_the_two_positive_products_only() -> None:
    m = Counting(ONE.coverage, ONE.weight, ONE.bias)
    step(ZPlus(), m, A, fractions(["10"]))
    assert m.asked == [positive, negative]
