"""Every type of layer with parameters of every form, and what makes two networks the same; for tests of files."""

from dataclasses import fields
from math import inf

import numpy as np

from lrp_ref import Preprocessing
from lrp_ref.layers import LAYERS as KINDS
from lrp_ref.layers import Flatten, ReLU, Tanh
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.fisher.norms import L2Norm, RegionMean, SignedSqrt
from lrp_ref.layers.fisher.pmeans import PMeans
from lrp_ref.layers.fisher.sift import DenseSift
from lrp_ref.layers.fisher.svm import (
    ChiSquareSVM,
    ExponentialChiSquareSVM,
    GaussianSVM,
    IntersectionSVM,
    NegativeChiSquareSVM,
    SpreadLinear,
)
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AdaptiveAvgPool, AvgPool, MaxPool, SumPool

GREY = Preprocessing((5, 7))
SUBNORMAL, LARGE = 5e-324, 1.7976931348623157e308


def numbers(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def layers(dtype):
    """Every type of layer, its parameters given as ints, as pairs and by default."""
    extremes = np.array([[0.0, -0.0, 1 / 3], [SUBNORMAL, LARGE, -1e-45]])
    with np.errstate(over="ignore"):
        extremes = np.nan_to_num(extremes.astype(dtype), posinf=3)
    variance = np.abs(numbers(3, dtype=dtype)) + dtype(0.125)
    machine = [np.abs(numbers(4, 3, dtype=dtype)), numbers(2, 4, dtype=dtype), numbers(2, dtype=dtype)]
    mixture = [np.array([0.25, 0.75], dtype), numbers(2, 3, dtype=dtype), np.abs(numbers(2, 3, dtype=dtype)) + dtype(1)]
    root = np.abs(numbers(3, dtype=dtype))
    made = {
        "Linear": Linear(extremes, numbers(3, dtype=dtype)),
        "Linear, no bias": Linear(numbers(3, 2, dtype=dtype)),
        "Linear, columns first": Linear(np.asfortranarray(numbers(3, 4, dtype=dtype))),
        "Conv2D": Conv2D(numbers(6, 2, 3, 2, dtype=dtype), numbers(6, dtype=dtype), (2, 1), (0, 3), (1, 2), 3),
        "Conv2D, ints, no bias": Conv2D(numbers(2, 1, 1, 4, dtype=dtype), None, 3, 2, 4),
        "MaxPool": MaxPool((3, 2), (1, 2), (1, 0), True),
        "MaxPool, one int": MaxPool(2),
        "AvgPool": AvgPool((2, 3), 4, (0, 1), False, False),
        "AvgPool, ceil": AvgPool(3, (2, 1), 1, True),
        "SumPool": SumPool((2, 3), (3, 1), 1 / 6**0.5),
        "SumPool, whole scale": SumPool(4, None, 2),
        "AdaptiveAvgPool": AdaptiveAvgPool((3, 2)),
        "BatchNorm": BatchNorm(numbers(3, dtype=dtype), variance, numbers(3, dtype=dtype, seed=1), 0 * variance, 1e-3),
        "LRN": LRN(5, 1e-4, 0.75, 2, taylor=True),
        "LRN, plain": LRN(3, 0.1, 1, 1.5),
        "ReLU": ReLU(), "Tanh": Tanh(), "Flatten": Flatten(), "SignedSqrt": SignedSqrt(),
        "L2Norm": L2Norm(), "L2Norm, parts": L2Norm(8),
        "RegionMean": RegionMean(np.array([7, 0, 1.5], dtype)),
        "PMeans": PMeans(1), "PMeans, no whole p": PMeans(2.5), "PMeans, maximum": PMeans(inf),
        "DenseSift": DenseSift((4, 6), 3),
        "DenseSift, all given": DenseSift(8, 2, None, 2, 0, False, False, True, (1, 2, 60, 50)),
        "FisherVector": FisherVector(*mixture),
        "FisherVector, regions": FisherVector(*mixture, np.array([[1, 0.5, 0, 1], [0, 1, 0.25, 1]], dtype), 1e-6),
        "SpreadLinear": SpreadLinear(numbers(3, 2, dtype=dtype), numbers(2, dtype=dtype)),
        "SpreadLinear, no bias": SpreadLinear(numbers(3, 2, dtype=dtype)),
        "IntersectionSVM": IntersectionSVM(*machine, spread=True), "ChiSquareSVM": ChiSquareSVM(*machine),
        "NegativeChiSquareSVM": NegativeChiSquareSVM(*machine, root),
        "GaussianSVM": GaussianSVM(*machine, root, gamma=0.1),
        "ExponentialChiSquareSVM": ExponentialChiSquareSVM(*machine, root, True, gamma=3),
    }
    return made | {name: kind.example().layer.astype(dtype) for name, kind in KINDS.items() if name not in made}


def assert_same_layer(got, wanted):
    """The same type, and every parameter the same: arrays bit for bit, other values with their types."""
    assert type(got) is type(wanted)
    for field in fields(wanted):
        value, other = getattr(got, field.name), getattr(wanted, field.name)
        assert type(value) is type(other), field.name
        if isinstance(other, np.ndarray):
            assert (value.dtype, value.shape, value.tobytes()) == (other.dtype, other.shape, other.tobytes())
        else:
            assert value == other, field.name


def assert_same_network(got, wanted):
    assert got.names == wanted.names
    for name in wanted.names:
        assert_same_layer(got[name], wanted[name])
