"""Functions of one number on their chord from f(0): z = g a + f(0)."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, refused, types_in

from lrp_ref import (
    ELU,
    GELU,
    Clip,
    Epsilon,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    Network,
    Pass,
    Sigmoid,
    SiLU,
    Tanh,
    explain,
)
from lrp_ref.checks import bounds
from lrp_ref.checks.numbers.decimals import decimal_layer, pi
from lrp_ref.layers import Layer

X = fractions(["-4 -3 -1 0 1/2 3 8"])
BY_HAND: dict[str, tuple[Layer, str, str, str]] = {   # at X: the output, the gate, and f(0)
    "Clip(0, 6), ReLU6": (Clip(0, 6), "0 0 0 0 1/2 3 6", "0 0 0 0 1 1 3/4", "0"),
    "Clip(-1, 2)": (Clip(-1, 2), "-1 -1 -1 0 1/2 2 2", "1/4 1/3 1 1 1 2/3 1/4", "0"),
    "Clip from 2": (Clip(2), "2 2 2 2 2 3 8", "0 0 0 0 0 1/3 3/4", "2"),
    "Clip to -2": (Clip(high=-2), "-4 -3 -2 -2 -2 -2 -2", "1/2 1/3 0 0 0 0 0", "-2"),
    "LeakyReLU": (LeakyReLU(F(1, 4)), "-1 -3/4 -1/4 0 1/2 3 8", "1/4 1/4 1/4 1/4 1 1 1", "0"),
    "Hardswish": (Hardswish(), "0 0 -1/3 0 7/24 3 8", "0 0 1/3 1/2 7/12 1 1", "0"),
    "Hardsigmoid": (Hardsigmoid(), "0 0 1/3 1/2 7/12 1 1", "1/8 1/6 1/6 1/6 1/6 1/6 1/16", "1/2"),
    "Hardsigmoid of Keras": (Hardsigmoid(5), "0 0 3/10 1/2 3/5 1 1", "1/8 1/6 1/5 1/5 1/5 1/6 1/16", "1/2"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_of_a_rational_function_output_and_gate_are_these_fractions(name: str) -> None:
    layer, output, gate, rest = BY_HAND[name]
    a, m = layer.linearize(X)
    assert layer(X).tolist() == fractions([output]).tolist() and a is X
    assert m.weight.tolist() == fractions([gate]).tolist() and m.bias.tolist() == [F(rest)]
    assert m(a).tolist() == layer(X).tolist() and m.gate and not m.learned


def test_a_slope_for_every_channel() -> None:
    layer, x = LeakyReLU(np.array([F(1, 2), F(-3)])), fractions(["-2 1", "-4 -1"])
    assert layer(x).tolist() == [[-1, 1], [-2, 3]]
    assert layer(x[:, :, None, None])[:, :, 0, 0].tolist() == layer(x).tolist()


def test_relevance_passes_and_under_epsilon_a_bias_takes_its_part() -> None:
    network, x, R = Network([("gate", Hardsigmoid())]), fractions(["-1 3"]), fractions(["6 8"])
    assert explain(network, x, target=R).relevance.tolist() == [[6, 8]]
    e = explain(network, x, {"gate": Epsilon(0)}, R)   # 1/3 = -1/6 + 1/2, 1 = 1/2 + 1/2
    assert e.relevance.tolist() == [[-3, 4]] and e.ledger["gate"].bias.tolist() == [[9, 4]]


# ---- Functions without an exact form ----

def erf_series(x: float) -> Fraction:
    """erf x = 2 / sqrt(pi) sum_n (-1)^n x^(2n+1) / (n! (2n+1)): the sum, exactly, to 80 terms."""
    t = Fraction(x)
    return sum((-1) ** n * t ** (2 * n + 1) / (math.factorial(n) * (2 * n + 1)) for n in range(80))


FLOATS: dict[str, tuple[Layer, Callable[[float], float], Callable[[float], float], float]] = {   # f, gate, f(0)
    "Tanh": (Tanh(), math.tanh, lambda x: math.tanh(x) / x, 0),
    "ELU": (ELU(0.75), lambda x: x if x > 0 else 0.75 * math.expm1(x),
            lambda x: 1 if x > 0 else 0.75 * math.expm1(x) / x, 0),
    "Sigmoid": (Sigmoid(), lambda x: 1 / (1 + math.exp(-x)), lambda x: (1 / (1 + math.exp(-x)) - 0.5) / x, 0.5),
    "SiLU": (SiLU(), lambda x: x / (1 + math.exp(-x)), lambda x: 1 / (1 + math.exp(-x)), 0),
    "GELU": (GELU(), lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
             lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, 0),
    "GELU, tanh": (GELU(tanh=True),
                   lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
                   lambda x: (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2, 0),
}
AT = [-2.5, -1.0, -0.375, 0.25, 1.5, 3.0]
SLOPES = {"Tanh": 1, "ELU": 0.75, "Sigmoid": 0.25, "SiLU": 0.5, "GELU": 0.5, "GELU, tanh": 0.5}   # at 0


@pytest.mark.parametrize("name", FLOATS)
def test_of_other_functions_output_and_gate_are_those_of_pythons_own(name: str) -> None:
    layer, f, gate, rest = FLOATS[name]
    a, m = layer.linearize(np.array([[*AT, 0.0]]))
    close = pytest.approx   # two libraries' e^x and erf differ in last places, and 1 + erf(-1.8) = 0.012 keeps 46 bits
    assert layer(a)[0].tolist() == close([*map(f, AT), rest], rel=2.0**-46, abs=0)
    assert m.weight[0].tolist() == close([*map(gate, AT), SLOPES[name]], rel=2.0**-46, abs=0)
    assert m.bias.tolist() == [rest] and np.allclose(m(a), layer(a), rtol=2.0**-50, atol=2.0**-50)   # g a + f(0) again


@pytest.mark.parametrize("name", FLOATS)
def test_far_out_nothing_overflows(name: str) -> None:
    layer, x = FLOATS[name][0], np.array([[-1e4, 1e4, -60.0, 1e-300, -1e-300]])
    m = layer.linearize(x)[1]
    assert np.isfinite(layer(x)).all() and np.isfinite(m.weight).all() and (m.weight >= 0).all()
    assert m.weight[0, 3:] == pytest.approx([1 if name == "ELU" else SLOPES[name], SLOPES[name]], rel=2.0**-50, abs=0)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("number", [F, Decimal])
def test_without_an_exact_form_they_say_so(name: str, number: type) -> None:
    layer, x = FLOATS[name][0], mixed((1, 3), 1, number)
    for use in (layer, layer.linearize):
        with refused(f"{type(layer).__name__} has no exact form: use float64, or take its map in floats…"):
            use(x)


@pytest.mark.parametrize("name", FLOATS)
def test_in_decimals_they_are_the_same_function_to_all_digits(name: str) -> None:
    layer, f, gate, _ = FLOATS[name]
    x = np.array([list(map(Decimal, AT))], dtype=object)
    with localcontext() as context:
        context.prec = 50
        there = decimal_layer(layer)
        z, m = there(x), there.linearize(x)[1]
        assert types_in(z) == types_in(m.weight) == {Decimal}
        assert [float(n) for n in z[0]] == pytest.approx([*map(f, AT)], rel=2.0**-46, abs=0)   # as above
        assert [float(n) for n in m.weight[0]] == pytest.approx([*map(gate, AT)], rel=2.0**-46, abs=0)
        assert max(abs(m(x) - z)[0]) < Decimal(10) ** -47   # of numbers up to 3, three products and sums


def test_phi_and_pi_in_decimals_are_the_tables() -> None:
    with localcontext() as context:
        context.prec = 40
        assert str(pi()).startswith("3.14159265358979323846264338327950288419")
        one = np.array([[Decimal(1)]])
        # Abramowitz and Stegun, Table 26.1: P(1) = .84134 47460 68543
        assert str(decimal_layer(GELU())(one)[0, 0]).startswith("0.841344746068543"[:16])
        for x in AT:   # Phi = 1/2 + erf(x / sqrt 2) / 2, of a root that is a float: a relation of its own
            t = math.sqrt(0.5) * x
            phi = decimal_layer(GELU()).linearize(np.array([[Decimal(2).sqrt() * Decimal(t)]]))[1].weight[0, 0]
            series = erf_series(t)
            wanted = Decimal("0.5") + Decimal(series.numerator) / Decimal(series.denominator) / pi().sqrt()
            assert abs(phi - wanted) < Decimal(10) ** -35, x


# ---- Bounds ----

@pytest.mark.parametrize("layer", [Clip(0, 6), LeakyReLU(0.25), Sigmoid(), Hardsigmoid(), ELU()], ids=repr)
def test_what_is_monotone_has_bounds(layer: Layer) -> None:
    b = bounds(Network([("it", layer)]), np.array([[-3.0, 0.5, 7.0]]), {"it": Pass()}, np.array([[1.0, 2.0, 3.0]]))
    assert b.relevances["input"].tolist() == [[1, 2, 3]] and b.radius.max() < 1e-14   # a copy, and one sum counted


@pytest.mark.parametrize("layer", [LeakyReLU(-1.0), SiLU(), GELU(), Hardswish()], ids=repr)
def test_what_turns_back_has_none(layer: Layer) -> None:
    with refused("bounds knows no ball for layer it, a …"):
        bounds(Network([("it", layer)]), np.array([[-3.0, 0.5]]), {"it": Pass()}, np.array([[1.0, 2.0]]))


# ---- Bad input ----

@pytest.mark.parametrize(("make", "text"), [
    (lambda: Clip("0"), "Clip got low='0', needed a finite number or None"),
    (lambda: Clip(0, math.inf), "Clip got high=inf, needed a finite number or None"),
    (lambda: Clip(3, 3), "Clip got low=3, high=3, needed low below high"),
    (lambda: Clip(np.int64(2), F(1, 10**400)), "Clip got low=np.int64(2), high=Fraction(1, 1…, needed low below high"),
    (lambda: LeakyReLU("a"), "LeakyReLU got slope='a', needed a finite number, or one per channel, (C,)"),
    (lambda: LeakyReLU(np.ones((2, 2))), "LeakyReLU got slope=…, needed a finite number, or one per channel, (C,)"),
    (lambda: LeakyReLU(np.array([1.0, math.nan])), "LeakyReLU slope is nan at (1,), needed finite numbers: …"),
    (lambda: ELU(-1), "ELU got alpha=-1, needed a finite number of at least 0"),
    (lambda: Hardsigmoid(0), "Hardsigmoid got width=0, needed a positive number"),
    (lambda: GELU(tanh="tanh"), "GELU got tanh='tanh', needed True or False"),
    (lambda: LeakyReLU(np.ones(3))(np.ones((2, 4))), "LeakyReLU got an input of shape (2, 4), needed (N, 3, ...)"),
])
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with refused(text):
        make()
