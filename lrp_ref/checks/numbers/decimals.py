"""Layers without an exact form, in Decimals of the precision of the moment: their formulas with Decimal's own e^x."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal, getcontext, localcontext
from itertools import count

import numpy as np

from lrp_ref.arrays import Array, constant
from lrp_ref.layers import ELU, GELU, Layer, Sigmoid, SiLU, Tanh
from lrp_ref.layers.activation import logistic, over
from lrp_ref.network import Network


@dataclass(frozen=True, eq=False)
class DecimalTanh(Tanh):
    """z = (e^2a - 1) / (e^2a + 1)"""

    def __call__(self, x: Array) -> Array:
        one = constant(1, x)
        power = np.exp(x + x)
        return (power - one) / (power + one)


@dataclass(frozen=True, eq=False)
class DecimalELU(ELU):
    """z = a where a > 0, else alpha (e^a - 1)"""

    def __call__(self, x: Array) -> Array:
        below = constant(self.alpha, x) * (np.exp(np.minimum(x, constant(0, x))) - constant(1, x))
        return np.where(x > 0, x, below)

    def gradient(self, x: Array) -> Array:
        return np.where(x > 0, constant(1, x), constant(self.alpha, x) * np.exp(np.minimum(x, constant(0, x))))


@dataclass(frozen=True, eq=False)
class DecimalSigmoid(Sigmoid):
    """z = 1 / (1 + e^-a)"""

    def __call__(self, x: Array) -> Array:
        return logistic(x)

    def chord(self, x: Array) -> Array:
        return over(logistic(x) - constant(0.5, x), x, constant(0.25, x))

    def gradient(self, x: Array) -> Array:
        return logistic(x) * (constant(1, x) - logistic(x))


@dataclass(frozen=True, eq=False)
class DecimalSiLU(SiLU):
    """z = a / (1 + e^-a)"""

    def chord(self, x: Array) -> Array:
        return logistic(x)

    def gradient(self, x: Array) -> Array:
        return logistic(x) * (constant(1, x) + x - self(x))


@dataclass(frozen=True, eq=False)
class DecimalGELU(GELU):
    """z = a Phi(a), or with the approximation of Phi by tanh"""

    def chord(self, x: Array) -> Array:
        if not self.tanh:
            return np.asarray(np.frompyfunc(normal, 1, 1)(x), dtype=object)
        root = (2 / pi()).sqrt()
        inner = root * (x + constant(Decimal("0.044715"), x) * x * x * x)
        return constant(0.5, x) * (constant(1, x) + DecimalTanh()(inner))


def normal(x: Decimal) -> Decimal:
    """Phi(x) = 1/2 + e^(-x^2 / 2) / sqrt(2 pi) sum_n x^(2n+1) / (1 3 5 .. (2n+1))

    Below 0 the two parts cancel to about e^(-x^2 / 2): so many digits more are taken.
    """
    with localcontext() as context:
        context.prec += 10 + int(x * x / 2)
        term = total = x
        for n in count(1):
            term = term * x * x / (2 * n + 1)
            if total + term == total:
                break
            total += term
        out = Decimal("0.5") + (-x * x / 2).exp() / (2 * pi()).sqrt() * total
    return +out


def pi() -> Decimal:
    """16 arctan 1/5 - 4 arctan 1/239 (Machin), in the precision of the moment."""
    with localcontext() as context:
        context.prec += 10
        out = 16 * arctan_of_one_over(5) - 4 * arctan_of_one_over(239)
    return +out


def arctan_of_one_over(q: int) -> Decimal:
    """sum_n (-1)^n / ((2n+1) q^(2n+1))"""
    power = total = Decimal(1) / q
    for n in count(1):
        power /= -q * q
        if abs(power) < abs(total).scaleb(-getcontext().prec - 2):
            return total
        total += power / (2 * n + 1)
    raise AssertionError   # count has no end


DECIMALS: dict[type[Layer], type[Layer]] = {
    Tanh: DecimalTanh, ELU: DecimalELU, Sigmoid: DecimalSigmoid, SiLU: DecimalSiLU, GELU: DecimalGELU,
}


def decimal_layer(layer: Layer) -> Layer:
    """The layer in Decimals of the precision of the moment."""
    kind = DECIMALS.get(type(layer))
    if kind is None:
        return layer.astype(Decimal)
    return kind(*(getattr(layer, field.name) for field in fields(layer)))  # type: ignore[arg-type]


def in_decimals(network: Network) -> Network:
    """The network in Decimals of the precision of the moment."""
    return network.mapped(lambda _, layer: decimal_layer(layer))
