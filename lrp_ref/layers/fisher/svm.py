"""Kernel machines f_c(x) = sum_s alpha_cs k(v_s, x) + b_c as maps over the dimensions of x (the paper, Section 2.2).

    k(v, x) = sum_d v_d x_d                                      linear_svm, which is a Linear layer
              sum_d min(v_d, x_d)                                IntersectionSVM
              sum_d 2 v_d x_d / (v_d + x_d)                      ChiSquareSVM
              -sum_d (v_d - x_d)^2 / (v_d + x_d)                 NegativeChiSquareSVM
              exp(-gamma sum_d (v_d - x_d)^2 / (v_d + x_d))      ExponentialChiSquareSVM
              exp(-gamma sum_d (v_d - x_d)^2)                    GaussianSVM

with 0 / 0 = 0. (The literature calls three of them chi-square.) For another differentiable kernel make a KernelSVM of
your own with `kernel` and `gradient`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Function, Shape, constant, divide, is_fraction, is_number, ones_like, zeros
from lrp_ref.hints import shown
from lrp_ref.layers.base import Layer, Roundings, parameter
from lrp_ref.layers.example import Example, fractions, mixed
from lrp_ref.layers.linear import Linear
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True, eq=False)
class KernelSVM(Layer):
    """f_c(x) = sum_s alpha_cs k(v_s, x) + b_c: x (N, D) to (N, classes); a kind defines its kernel k.

    support  v (S, D)
    alphas   alpha_cs, the label's sign included (alpha_s y_s), (classes, S)
    bias     b (classes,)
    root     x0 (D,), the point of the Taylor expansion; None: a kernel that is a sum over dimensions needs none
    spread   True: what no dimension accounts for (b_c; f_c(x0) in an expansion) is shared evenly by all of them

    Without a root the map has a = 1 (presence) and w_dc = sum_s alpha_cs k_d(v_sd, x_d). With one it has a = x - x0 and
    w = the gradient of f_c at x0; its bias f_c(x) - a . w holds f_c(x0) (see `residual`) and the remainder.
    """

    support: Any
    alphas: Any
    bias: Any
    root: Any = None
    spread: bool = False

    additive = False
    hands_down = "by contribution"
    roundings = Roundings(unknown="computes its weights from sums that may cancel")

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self).__name__
        shape = parameter(self, "support").shape
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{kind} got support of shape {shape}, needed (S, D): one row per support vector")
        classes = parameter(self, "alphas").shape[:1]
        parameter(self, "alphas", (*classes, shape[0]))
        parameter(self, "bias", classes)
        if self.root is not None:
            parameter(self, "root", shape[1:])
        elif not self.additive:
            raise ValueError(f"{kind} is no sum over dimensions: give root=, a point of shape ({shape[1]},) near the "
                             "decision boundary, for a Taylor expansion")

    def kernel(self, x: Array) -> Array:
        """k(v_s, x) of one x (D,): (S,)"""
        raise NotImplementedError

    def gradient(self, x: Array) -> Array:
        """dk(v_s, x) / dx_d at one x (D,): (S, D)"""
        raise NotImplementedError

    def __call__(self, x: Array) -> Array:
        self.check(x)
        return np.stack([self.alphas @ self.kernel(x_n) for x_n in x]) + self.bias

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        a, m = self.by_dimension(x)
        if not self.spread:
            return a, m
        even = self.bias if self.root is None else self.residual()
        weight = a[:, :, None] * m.weight + even / constant(x.shape[1], x)
        return ones_like(x), PerSample(weight, m.bias - even)

    def by_dimension(self, x: Array) -> tuple[Array, PerSample]:
        """a = x - x0 and the map from it to f(x): the gradient at x0, and as a bias what that leaves over."""
        slope, a = self.alphas @ self.gradient(self.root), x - self.root
        weight = np.broadcast_to(slope.T, (len(x), *slope.T.shape))
        return a, PerSample(weight, self(x) - a @ slope.T, learned=True)

    def check(self, x: Array) -> None:
        """An error unless x is a batch that the kernel can take."""
        self.output_shape(x.shape)

    def residual(self) -> Array:
        """f_c(x0), the part of the score that the expansion gives to no dimension: 0 at a good root; (classes,)."""
        if self.root is None:
            raise ValueError(f"{type(self).__name__} has no root, so nothing is left over but its bias: give root=")
        return self(self.root[None])[0]

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2 or shape[1] != self.support.shape[1]:
            raise ValueError(f"{type(self).__name__} got an input of shape {shape}, but support vectors of shape "
                             f"{self.support.shape} need (N, {self.support.shape[1]})")
        return shape[0], len(self.alphas)


@dataclass(frozen=True, eq=False)
class AdditiveSVM(KernelSVM):
    """k(v, x) = sum_d k_d(v_d, x_d) of numbers that are not negative (histograms)."""

    additive = True

    @classmethod
    def example(cls) -> Example:
        return Example(cls(*machine()), (3,), abs)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check(self.support)
        if self.root is not None:
            self.check(self.root[None])

    def check(self, x: Array) -> None:
        super().check(x)
        histograms(self, x)

    def __call__(self, x: Array) -> Array:
        if self.root is not None:
            return super().__call__(x)
        a, m = self.linearize(x)
        return m(a)

    def terms(self, x: Array) -> Array:
        """k_d(v_sd, x_d) of one x (D,): (S, D)"""
        raise NotImplementedError

    def kernel(self, x: Array) -> Array:
        return self.terms(x).sum(axis=1)

    def by_dimension(self, x: Array) -> tuple[Array, PerSample]:
        """a = 1 and the sum over dimensions that f(x) is; with a root, the expansion around it."""
        if self.root is not None:
            return super().by_dimension(x)
        self.check(x)
        return ones_like(x), PerSample(np.stack([(self.alphas @ self.terms(x_n)).T for x_n in x]), self.bias)


@dataclass(frozen=True, eq=False)
class IntersectionSVM(AdditiveSVM):
    """Histogram intersection: k(v, x) = sum_d min(v_d, x_d)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.root is not None:
            raise ValueError("IntersectionSVM got a root, but min(v, x) has no slope at v = x: leave root=None")

    def terms(self, x: Array) -> Array:
        return np.minimum(self.support, x)


@dataclass(frozen=True, eq=False)
class ChiSquareSVM(AdditiveSVM):
    """k(v, x) = sum_d 2 v_d x_d / (v_d + x_d), 0 / 0 = 0"""

    def terms(self, x: Array) -> Array:
        return divide((self.support + self.support) * x, self.support + x)

    def gradient(self, x: Array) -> Array:
        part = divide(self.support, self.support + x)
        return constant(2, x) * part * part


@dataclass(frozen=True, eq=False)
class NegativeChiSquareSVM(AdditiveSVM):
    """k(v, x) = -sum_d (v_d - x_d)^2 / (v_d + x_d), 0 / 0 = 0"""

    def terms(self, x: Array) -> Array:
        return -chi_square_distance(self.support, x)

    def gradient(self, x: Array) -> Array:
        return -chi_square_slope(self.support, x)


@dataclass(frozen=True, eq=False)
class ExponentialChiSquareSVM(KernelSVM):
    """k(v, x) = exp(-gamma sum_d (v_d - x_d)^2 / (v_d + x_d)), 0 / 0 = 0: needs a root."""

    gamma: Any = field(kw_only=True)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(*machine(), fractions("1/2 1 0"), gamma=Fraction(1, 3)), (3,), abs, rational=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        rate(self)
        self.check(self.support)
        self.check(self.root[None])

    def check(self, x: Array) -> None:
        super().check(x)
        histograms(self, x)

    def kernel(self, x: Array) -> Array:
        return exp(self, -constant(self.gamma, x) * chi_square_distance(self.support, x).sum(axis=1))

    def gradient(self, x: Array) -> Array:
        return -constant(self.gamma, x) * self.kernel(x)[:, None] * chi_square_slope(self.support, x)


@dataclass(frozen=True, eq=False)
class GaussianSVM(KernelSVM):
    """k(v, x) = exp(-gamma sum_d (v_d - x_d)^2): needs a root."""

    gamma: Any = field(kw_only=True)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(*machine(), fractions("1/2 1 0"), gamma=Fraction(1, 4)), (3,), rational=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        rate(self)

    def kernel(self, x: Array) -> Array:
        steps = x - self.support
        return exp(self, -constant(self.gamma, x) * (steps * steps).sum(axis=1))

    def gradient(self, x: Array) -> Array:
        return -constant(2 * self.gamma, x) * self.kernel(x)[:, None] * (x - self.support)


@dataclass(frozen=True, eq=False)
class SpreadLinear(Linear):
    """z_j = sum_i (a_i w_ij + b_j / I): a Linear whose bias all inputs share evenly, in place of the ledger's column.

    The same numbers as Linear. Its map has a = 1 (presence) and weights x_i w_ij + b_j / I; with Epsilon(0) this is
    R_i = (x_i w_ij + b_j / I) / z_j R_j.
    """

    affine = False
    roundings = Roundings(unknown="sums a_i w_ij + b_j / I as weights")

    def __call__(self, x: Array) -> Array:
        a, m = self.linearize(x)
        return m(a)

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        self.output_shape(x.shape)
        weight = x[..., None] * self.weight
        if self.bias is not None:
            weight = weight + self.bias / constant(len(self.weight), x)
        return ones_like(x), PerSample(weight, zeros((1,), x))


@dataclass(frozen=True, eq=False)
class PerSample(LinearMap):
    """c_ij = 1: every input reaches every output, each sample with weights of its own. weight (N, ..., I, J)"""

    weight: Array
    bias: Array
    learned: bool = False
    coverages = (1,)

    def apply(self, a: Array, f: Function) -> Array:
        return (a[..., None, :] @ f(self.weight))[..., 0, :]

    def transpose(self, s: Array, f: Function, shape: Shape) -> Array:
        return (f(self.weight) @ s[..., None])[..., 0]


def machine() -> tuple[Array, Array, Array]:
    """Support (4, 3), alphas (2, 4) and bias of an example."""
    return abs(mixed((4, 3), 61)), mixed((2, 4), 63), fractions("1/4 -2")


def linear_svm(support: Array, alphas: Array, bias: Array) -> Linear:
    """k(v, x) = sum_d v_d x_d: the Linear layer with w_dc = sum_s alpha_cs v_sd."""
    return Linear((alphas @ support).T, bias)


def chi_square_distance(v: Array, x: Array) -> Array:
    """(v - x)^2 / (v + x), 0 / 0 = 0"""
    return divide((v - x) * (v - x), v + x)


def chi_square_slope(v: Array, x: Array) -> Array:
    """d/dx (v - x)^2 / (v + x) = 1 - (2 v / (v + x))^2; 1 at v = x = 0, where x can only grow."""
    part = divide(v + v, v + x)
    return constant(1, x) - part * part


def histograms(layer: KernelSVM, x: Array) -> None:
    """An error where a number is negative."""
    if (x < 0).any():
        index = tuple(map(int, np.argwhere(x < 0)[0]))
        raise ValueError(f"{type(layer).__name__} got {x[index]} at {index}, needed histograms: numbers of at least 0")


def rate(layer: Any) -> None:
    """An error unless the layer's gamma is a positive number."""
    if not is_number(layer.gamma, above=0):
        raise ValueError(f"{type(layer).__name__} got gamma={shown(layer.gamma)}, needed a positive number")


def exp(layer: Layer, x: Array) -> Array:
    if is_fraction(x):
        raise ValueError(f"{type(layer).__name__} has no exact form, for its kernel is an exponential: use Decimal "
                         "or a float")
    return np.exp(x)
