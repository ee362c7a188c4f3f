"""Arithmetic modulo two primes: residues are those of the exact rationals, and the same code runs on them."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrp_ref import (
    AdaptiveAvgPool,
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Network,
    ReLU,
    SumPool,
    WSquare,
    ZBox,
    ZPlus,
    assign,
    explain,
)
from lrp_ref.arrays import constant, convert_numbers, number_type, ones_like, zeros
from lrp_ref.checks.claims.examples import lenet, sixteenths, vgg
from lrp_ref.checks.numbers import modular
from lrp_ref.checks.numbers.modular import PRIMES, modulo, modulo_primes
from lrp_ref.checks.numbers.residues import Unlucky
from lrp_ref.layers.example import drawn

M = modulo(*PRIMES[:2])
P, Q = PRIMES[:2]


def exactly(x: Any, p: int) -> Any:
    """Residues by Python's own integers."""
    return [n.numerator * pow(n.denominator, -1, p) % p for n in map(Fraction, np.asarray(x, dtype=object).flat)]


def assert_is(got: Any, wanted: Any) -> None:
    """The residues and the value are those of the exact numbers."""
    wanted = np.asarray(wanted, dtype=object)
    assert got.shape == wanted.shape
    for p, r in zip(got.primes, got.residues, strict=True):
        assert r.dtype == np.int64 and [int(n) for n in r.flat] == exactly(wanted, p)
    # the float is only for comparisons: it has been rounded some hundred times on its way
    assert np.allclose(got.value, wanted.astype(float), rtol=1e-13, atol=1e-300)


# ---- Numbers ----


def test_the_primes_are_primes_of_31_bits() -> None:
    for p in PRIMES:
        assert 2**30 < p < 2**31 and all(p % d for d in range(2, 46341)), p
    assert len(set(PRIMES)) == len(PRIMES)


@pytest.mark.parametrize("x", [[[0.1, -3.0], [2.0**-60, 1e300]], [Fraction(1, 3), Fraction(-22, 7)], [1, -2, 0], 5,
                               -0.75, [5e-324, 2.0**1000], Fraction(1, 1 << 80)], ids=str)
def test_numbers_enter_at_their_exact_value(x: Any) -> None:
    exact = np.vectorize(Fraction, otypes=[object])(np.asarray(x, dtype=object))
    assert_is(M(np.asarray(x) if isinstance(x, list) else x), exact)


def test_integers_enter_exactly_though_no_float_holds_them() -> None:
    x = M(np.array([2**53 + 1, -(2**62) - 1]))
    assert [int(n) for n in x.residues[1]] == [(2**53 + 1) % Q, (-(2**62) - 1) % Q]
    assert int(M(np.array([2**64 - 1], dtype=np.uint64)).residues[0][0]) == (2**64 - 1) % P
    assert M(True) == 1 and M(np.array([True, False])).value.tolist() == [1, 0]


@pytest.mark.parametrize("x", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(x: float) -> None:
    with pytest.raises(ValueError, match=f"^got {x} to take modulo primes, needed finite numbers"):
        M(np.array([[1.0, x]]))


def test_residues_modulo_other_primes_are_refused() -> None:
    with pytest.raises(TypeError, match=f"^got residues modulo .* among those modulo .*{P}"):
        M(1) + modulo(PRIMES[2], PRIMES[3])(1)


def test_arrays_are_views_where_numpy_has_views() -> None:
    x = M(np.arange(12.0).reshape(3, 4))
    x[1:, ::2] += M(10)
    assert x.value.tolist() == [[0, 1, 2, 3], [14, 5, 16, 7], [18, 9, 20, 11]]
    assert_is(x, x.value)
    x.reshape(2, 6)[0, 0] = Fraction(1, 3)
    assert x.value[0, 0] == 1 / 3 and int(x.residues[0][0, 0]) == exactly([Fraction(1, 3)], P)[0]
    assert not any(ones_like(x).strides) and ones_like(x).shape == (3, 4) and zeros((2,), x).shape == (2,)


# ---- Arithmetic ----

rationals = st.fractions(min_value=-50, max_value=50, max_denominator=64)
lists = st.lists(rationals, min_size=4, max_size=4)


@given(lists, lists)
def test_sums_products_and_quotients_are_those_of_the_rationals(first: list[Any], second: list[Any]) -> None:
    x, y = (np.array(numbers, dtype=object) for numbers in (first, second))
    a, b = M(x), M(y)
    for got, wanted in ((a + b, x + y), (a - b, x - y), (a * b, x * y), (-a, -x), (abs(a), abs(x)), (a**3, x**3),
                        (3 - a, 3 - x), (0.5 * b, Fraction(1, 2) * y), (np.maximum(a, b), np.maximum(x, y)),
                        (np.minimum(a, 0), np.minimum(x, 0)), (a.sum(), x.sum()), (a @ b, x @ y)):
        assert_is(got, wanted)
    whole = np.array([n if n else Fraction(1) for n in second], dtype=object)
    assert_is(a / M(whole), x / whole)
    for got, wanted in ((a == b, x == y), (a != b, x != y), (a < b, x < y), (a > b, x > y), (a <= b, x <= y),
                        (a >= b, x >= y)):
        assert got.tolist() == wanted.tolist()


@pytest.mark.parametrize(("one", "two"), [((3, 5), (5, 2)), ((2, 1, 3, 4), (2, 4, 5)), ((4,), (4, 3)), ((3, 4), (4,)),
                                          ((2, 70001), (70001, 3))], ids=str)
def test_matrix_products_are_exact_however_long(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    # 31 bits by 31 bits, 70 001 terms: 79 bits, so they are reduced on the way
    def integers(shape: tuple[int, ...], seed: int) -> Any:
        return np.array([n >> 12 for n in drawn(int(np.prod(shape)), seed)], dtype=object).reshape(shape)

    x, y = integers(one, 1), integers(two, 2)
    got = M(x) @ M(y)
    wanted = x @ y
    for p, r in zip(PRIMES[:2], got.residues, strict=True):
        assert r.shape == wanted.shape and [int(n) for n in r.flat] == [n % p for n in wanted.flat]


def test_the_values_are_summed_in_order_on_every_machine() -> None:
    x = sixteenths((3, 400), 1) / 3
    got = (M(x) @ M(x.T)).value
    for i, j in np.ndindex(3, 3):
        total = 0.0
        for p, q in zip(x[i].tolist(), x[j].tolist()):
            total += p * q
        assert got[i, j] == total
    total = 0.0
    for p in x[0].tolist():
        total += p
    assert M(x[0]).sum().value == total


def test_zero_and_equality_are_decided_by_the_residues_and_order_by_the_values() -> None:
    tenth = M(np.array([0.1, 0.2, 0.3]))
    rest = tenth[0] + tenth[1] - tenth[2]       # what floats round to 2^-54 is 2^-55 in truth
    assert rest != 0 and rest == Fraction(0.1) + Fraction(0.2) - Fraction(0.3)
    third = M(1) / M(3)
    assert third * 3 - 1 == 0 and (third * 3 - 1).value == 0 and not (third + third + third - 1).any()
    seventh = M(1) / M(49) * 49 - 1             # in floats 1/49 * 49 is not 1
    assert 1 / 49 * 49 - 1 != 0 == seventh.value and not seventh
    tiny = M(1e300) + M(1) - M(1e300)           # in floats 0, in truth 1: not zero, and never less than zero
    assert tiny.value == 0 and tiny != 0 and tiny > 0 and tiny >= 0 and not tiny < 0
    assert (np.maximum(tiny, 0) + np.minimum(tiny, 0) - tiny == 0).all()


# ---- Primes that divide ----


def test_a_prime_that_divides_a_denominator_is_replaced_by_the_next() -> None:
    used = []

    def compute(number: Any) -> Any:
        used.append(number.primes)
        return number(1) / number(P) + number(np.array([Fraction(1, 3)], dtype=object))

    got = modulo_primes(compute)
    assert used == [(P, Q), (PRIMES[2], Q)] and got.primes == used[-1]
    assert_is(got, [Fraction(1, P) + Fraction(1, 3)])
    with pytest.raises(Unlucky, match=f"^{P} divides a denominator that is not 0: take another prime"):
        modulo_primes(compute, (P, Q))
    with pytest.raises(Unlucky, match=f"^{Q} divides"):
        M(np.array([Fraction(1, Q)], dtype=object))


def test_small_primes_restart_until_one_serves_and_the_ledger_closes() -> None:
    def compute(number: Any) -> Any:
        network = Network([("fc", Linear(np.array([[3.0, 1.0], [2.0, 5.0]]), np.array([1.0, -2.0])))]).astype(number)
        e = explain(network, number(np.array([[2.0, 2.0]])), {"fc": Epsilon(0)}, target=0)   # z = 11, 10
        return number, e

    number, e = modulo_primes(compute, (11, 7, 5, 13))
    assert number.primes == (13, 7)             # 11 divides z = 11; with 13 and 7 neither of 11 and 10 is 0
    account = e.ledger["fc"]
    assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all()


def test_a_division_by_zero_is_no_matter_of_primes() -> None:
    with pytest.raises(ZeroDivisionError, match="residues are all 0"):
        modulo_primes(lambda number: number(1) / (number(0.5) - number(0.5)))


@pytest.mark.parametrize("call", [np.sqrt, np.exp, np.sin, lambda x: x**0.5, lambda x: np.add.reduce(x),
                                  np.linalg.norm, np.median],
                         ids=["sqrt", "exp", "sin", "x ** 0.5", "add.reduce", "norm", "median"])
def test_what_has_no_form_modulo_primes_raises(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(M(np.array([4.0, 9.0])))


def test_code_that_looks_past_the_residues_finds_nothing_to_compute_with() -> None:
    with pytest.raises(TypeError):
        np.asarray(M(np.array([4.0]))) + 1
    with pytest.raises(TypeError, match="can be seen as float64 only"):
        M(1).astype(np.float32)


# ---- The same layers, rules, steps and ledger ----


def chain(number: Any) -> Network:
    def w(*shape: int) -> Any:
        return sixteenths(shape, sum(shape))
    layers = [("conv", Conv2D(w(4, 1, 3, 2), w(4), (1, 2), (1, 2), (2, 1), 2)), ("relu", ReLU()),
              ("max", MaxPool((2, 3), 1, (1, 1), ceil=True)),
              ("avg", AvgPool(2, (1, 2), 1, ceil=True, count_pad=False)),
              ("sum", SumPool((2, 1), 1, 0.75)), ("cells", AdaptiveAvgPool((3, 2))), ("flat", Flatten()),
              ("fc", Linear(w(24, 5), w(5)))]
    return Network(layers).astype(number)   # type: ignore[arg-type]


IMAGE = sixteenths((2, 2, 7, 6), 3)


@pytest.mark.parametrize("rule", [Epsilon(0), Epsilon(0.25), AlphaBeta(2, 1), ZPlus(), Gamma(0.5), ZBox(-1, [1, 2]),
                                  WSquare(), Flat()], ids=repr)
def test_residues_of_relevance_and_ledger_are_those_of_the_fractions(rule: Any) -> None:
    exact, network = chain(Fraction), chain(M)
    kinds = {Conv2D: rule, Linear: Epsilon(0) if isinstance(rule, ZBox) else rule, AvgPool: Epsilon(0)}
    wanted = explain(exact, convert_numbers(IMAGE, Fraction), assign(exact, kinds), target=1)
    got = explain(network, M(IMAGE), assign(network, kinds), target=1)
    assert_is(got.scores, wanted.scores)
    for name in network.names:
        assert_is(got.relevances[name], wanted.relevances[name])
        for column, other in zip(got.ledger[name].parts(), wanted.ledger[name].parts()):
            assert_is(column, other)
    for column, values in got.ledger.total().items():
        assert_is(values, wanted.ledger.total()[column])
    assert number_type(got.relevance) is M and "total" in str(got.ledger)


def test_a_parameter_enters_at_the_value_of_its_float() -> None:
    assert_is(constant(0.1, M(np.ones(2))), Fraction(0.1))
    assert_is(convert_numbers(np.array([0.1, 3.0]), M), [Fraction(0.1), 3])


def test_a_float_image_is_refused_by_a_network_modulo_primes() -> None:
    with pytest.raises(ValueError, match=r"^got an input of float64 for a network of Modulo_"):
        explain(chain(M), IMAGE)


def test_the_large_networks_are_what_they_are_called() -> None:
    shapes = [layer.weight.shape for _, layer in vgg() if isinstance(layer, Conv2D)]
    assert len(shapes) == 13 and [shape[0] for shape in shapes] == [n // 8 for n in (
        64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)]
    numbers = sum(layer.weight.size + layer.bias.size for _, layer in lenet() if isinstance(layer, (Conv2D, Linear)))
    assert numbers == 61706 and lenet().shapes((1, 1, 28, 28))[lenet().output] == (1, 10)
    assert vgg().shapes((1, 3, 32, 32))[vgg().output] == (1, 10)


def test_division_uses_the_inverse_of_every_residue() -> None:
    r = np.array([1, 2, 3, 12345, P - 1], dtype=np.int64)
    assert (r * modular.inverse(r, P) % P == 1).all()
