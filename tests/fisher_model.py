"""A small Fisher pipeline that tests share: two sizes of descriptors, three Gaussians, three regions, two classes."""

import numpy as np

from lrp_ref import DenseSift, FisherVector, L2Norm, Linear, Model, Network, Preprocessing, SignedSqrt

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
