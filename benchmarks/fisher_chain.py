"""The paper's Fisher-vector chain at its full size, with seeded parameters: nothing is fitted, all has the right size.

DenseSift (sizes 4, 6, 8, 10, step 3), PCA to 80, 256 Gaussians, 8 regions, norms, an SVM of 20 classes.
"""

from functools import cache

import numpy as np

from lrp_ref import DenseSift, FisherVector, L2Norm, Linear, Network, SignedSqrt, regions_of

SIFT = DenseSift((4, 6, 8, 10), 3)
SHAPE = (1, 1, 375, 500)
GAUSSIANS, DIMENSIONS, CLASSES = 256, 80, 20


def image(shape=SHAPE, number=np.float64):
    """Noise whose amplitude falls with frequency as a photograph's does, in [0, 1]."""
    *_, height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    spectrum = np.fft.rfft2(np.random.default_rng(1).normal(size=(height, width))) / np.maximum(frequency, 1 / width)
    x = np.fft.irfft2(spectrum, s=(height, width))
    return ((x - x.min()) / (x.max() - x.min())).astype(number).reshape(shape)


@cache
def parameters(number=np.float64):
    """The PCA's weight from a sample of descriptors; means from another, variances and weights about theirs."""
    rng = np.random.default_rng(2)
    descriptors = SIFT(image())[0]
    sample = descriptors[rng.choice(len(descriptors), 4000, replace=False)]
    _, _, axes = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    pca = axes[:DIMENSIONS].T
    means = descriptors[rng.choice(len(descriptors), GAUSSIANS, replace=False)] @ pca
    variances = (sample @ pca).var(axis=0) * rng.uniform(0.3, 1, means.shape)
    weights = rng.uniform(0.5, 1.5, GAUSSIANS)
    return tuple(array.astype(number) for array in (pca, weights / weights.sum(), means, variances))


def fisher_chain(shape=SHAPE, number=np.float64):
    """The network for images of that shape."""
    pca, *mixture = parameters(number)
    regions = regions_of(SIFT.frames(shape), shape)
    outputs = len(regions) * 2 * GAUSSIANS * DIMENSIONS
    rng = np.random.default_rng(3)
    svm = Linear(rng.normal(size=(outputs, CLASSES)).astype(number), rng.normal(size=CLASSES).astype(number))
    return Network([("sift", SIFT), ("pca", Linear(pca)), ("fisher", FisherVector(*mixture, regions)),
                    ("regions", L2Norm(len(regions))), ("root", SignedSqrt()), ("norm", L2Norm()), ("svm", svm)])
