"""What tests of Fisher vectors share: a pipeline of three Gaussians, three regions and two classes; and its parts."""

from typing import Any

import numpy as np

from lrp_ref import DenseSift, FisherVector, L2Norm, Linear, Model, Network, Preprocessing, SignedSqrt
from lrp_ref.arrays import Array, convert_numbers

REGIONS = "2x1+1x1"


def fisher_model(bias: bool = False, tallest: int = 40, seed: int = 0) -> Model:
    """Descriptors of 128 numbers to 4, 3 Gaussians, 3 regions x 2 x 3 x 4 = 72 dimensions, classes near and far."""
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(128, 4)) / 11
    pca = Linear(projection, 30 * rng.normal(size=4) if bias else None)
    mixture = FisherVector(np.array([0.5, 0.2, 0.3]), 60 * rng.normal(size=(3, 4)), 900 * (1 + rng.random((3, 4))))
    svm = Linear(rng.normal(size=(72, 2)), np.array([0.25, -0.75]))
    chain = Network([("sift", DenseSift((3, 4), 2, contrast=0.02)), ("pca", pca), ("fisher", mixture),
                     ("norm", L2Norm(3)), ("root", SignedSqrt()), ("norm_all", L2Norm()), ("svm", svm)])
    return Model(chain, ("near", "far"), Preprocessing(None, tallest=tallest), regions=REGIONS)


def half_flat(height: int = 21, width: int = 30, seed: int = 1) -> np.ndarray:
    """A photograph (height, width) whose right half has no contrast."""
    pixels = np.random.default_rng(seed).random((height, width))
    pixels[:, width // 2 :] = 0.625
    return pixels


def mixture(number: type = np.float64, gaussians: int = 3, dimensions: int = 2, **more: Any) -> FisherVector:
    """A layer whose Gaussians overlap, all of different weight."""
    rng = np.random.default_rng(gaussians)
    weights = np.arange(2, gaussians + 2) / sum(range(2, gaussians + 2))
    layer = FisherVector(weights, rng.normal(size=(gaussians, dimensions)),
                         rng.uniform(0.5, 2, (gaussians, dimensions)), **more)
    return layer.astype(number)


def descriptors(samples: int, count: int, dimensions: int = 2, number: type = np.float64) -> Array:
    return convert_numbers(2 * np.random.default_rng(count).normal(size=(samples, count, dimensions)), number)
