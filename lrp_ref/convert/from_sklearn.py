"""The parts of a Fisher pipeline, fitted with scikit-learn, to a Model. Whoever hands them over imports it, not we."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import listed, shown
from lrp_ref.layers import (
    DenseSift,
    FisherVector,
    L2Norm,
    Layer,
    Linear,
    SignedSqrt,
)
from lrp_ref.layers.fisher.regions import PYRAMID, counted_regions
from lrp_ref.layers.fisher.sift import LENGTH
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network
from lrp_ref.outside import as_float

T = TypeVar("T")


def from_sklearn(sift: DenseSift, pca: Any, gmm: Any, svm: Any, regions: Any = PYRAMID, *, tallest: int | None = 480,
                 provenance: str = "") -> Model:
    """sift, pca, fisher, norm (region by region), root, norm_all, svm: a Fisher pipeline of scikit-learn's parts.

    sift     the DenseSift layer whose descriptors `pca` was fitted on
    pca      PCA; its mean_ becomes a bias (zeros in it, before the mixture is fitted, give the paper's y = P x), and
             whiten=True is folded into the weights
    gmm      GaussianMixture(covariance_type="diag"), fitted on pca.transform(descriptors)
    svm      LinearSVC, SVC(kernel="linear") of two classes, or OneVsRestClassifier of either, fitted on the normalised
             Fisher vectors, which are what the model gives with svm=None. Two classes have one score, the second's
    regions  as `regions_of` takes them
    tallest  a photograph with more rows is made so tall, in its own proportions (480 as in the reference setup); None:
             the model asks for a size, model.at_size((H, W))
    """
    refuse(not isinstance(sift, DenseSift), f"from_sklearn got sift={shown(sift)}, needed a DenseSift layer")
    weight, bias = as_made(projection, pca)
    fisher = as_made(mixture, gmm)
    fits("the PCA", weight.shape[0], LENGTH, "coordinates of a descriptor")
    fits("the mixture", fisher.means.shape[1], weight.shape[1], "components of the PCA")
    count = counted_regions(regions)
    layers: list[tuple[str, Layer]] = [
        ("sift", sift), ("pca", Linear(weight, bias)), ("fisher", fisher), ("norm", L2Norm(count)),
        ("root", SignedSqrt()), ("norm_all", L2Norm())]
    classes: tuple[str, ...] = ()
    if svm is not None:
        weight, bias, classes = as_made(linear_scores, svm)
        fits("the SVM", len(weight), count * 2 * fisher.means.size,
             f"dimensions of a Fisher vector ({count} regions x 2 x K x D)")
        layers.append(("svm", Linear(weight, bias)))
    chain = Network((name, layer.astype(np.float64)) for name, layer in layers)   # some parts may have come in float32
    return Model(chain, classes, Preprocessing(None, tallest=tallest), provenance=provenance, regions=regions)


def as_made(read: Callable[[Any], T], part: Any) -> T:
    """What is read from a part; an error where that is not what scikit-learn's fit has put there."""
    try:
        return read(part)
    except ValueError:
        raise
    except Exception as error:   # its attributes are whatever somebody made them
        raise ValueError(f"from_sklearn got a {type(part).__name__} that is not as its fit makes it "
                         f"({type(error).__name__}): fit it again") from None


def fitted(part: Any, *kinds: str) -> None:
    """An error unless the part is of one of these kinds of scikit-learn's, and fitted."""
    kind, own = type(part).__name__, type(part).__module__.startswith("sklearn.")
    refuse(not own or kind not in kinds, f"from_sklearn got a {kind}, needed a {' or '.join(kinds)} of scikit-learn")
    refuse(not any(name.endswith("_") and not name.startswith("_") for name in vars(part)),
           f"from_sklearn got a {kind} that is not fitted: call its fit first")


def fits(what: str, got: int, needed: int, unit: str) -> None:
    refuse(got != needed, f"from_sklearn: {what} is for {got} numbers, needed {needed}, the {unit}: fit it on those")


def learned(part: Any, name: str, *shape: int) -> Array:
    """What a fit has put there, as an array of finite numbers of its own; -1 is an axis of any length."""
    value: Any = getattr(part, name, None)
    value = value.toarray() if hasattr(value, "toarray") else value   # sparse, or not
    value = np.array(float(value)) if as_float(value) is not None else value
    fine = isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == len(shape)
    if not fine or any(n not in (-1, m) for n, m in zip(shape, value.shape)) or not np.isfinite(value).all():
        got = f"of shape {value.shape}, of {value.dtype}" if isinstance(value, np.ndarray) else shown(value)
        raise ValueError(f"from_sklearn got a {type(part).__name__} whose {name} is {got}, needed finite numbers of "
                         f"shape ({listed('any' if n < 0 else str(n) for n in shape)}): fit it again")
    return np.array(value)


def projection(pca: Any) -> tuple[Array, Array | None]:
    """Weight (128, D) and bias (D,) of y = P (x - mean), with whitening y / sqrt(explained variance)."""
    fitted(pca, "PCA")
    weight = learned(pca, "components_", -1, -1).T
    mean = learned(pca, "mean_", weight.shape[0])
    if pca.whiten:
        deviations = np.sqrt(learned(pca, "explained_variance_", weight.shape[1]))
        # PCA itself takes those below its rounding to be that large
        refuse(not (deviations >= np.finfo(deviations.dtype).eps).all(), "from_sklearn got a whitened PCA with a "
               "component of variance 0, or as small as its rounding: fit it with fewer components")
        weight = weight / deviations
    return weight, -(mean @ weight) if np.any(mean) else None


def mixture(gmm: Any) -> FisherVector:
    fitted(gmm, "GaussianMixture")
    refuse(gmm.covariance_type != "diag", "from_sklearn got a mixture with covariance_type="
           f"{shown(gmm.covariance_type)}, but a Fisher vector needs a variance per dimension: fit it with "
           "covariance_type='diag'")
    means = learned(gmm, "means_", -1, -1)
    return FisherVector(learned(gmm, "weights_", len(means)), means, learned(gmm, "covariances_", *means.shape))


def linear_scores(svm: Any) -> tuple[Array, Array, tuple[str, ...]]:
    """Weight (I, classes), bias (classes,) and class names, one score per class; of two classes the second's alone."""
    fitted(svm, "LinearSVC", "SVC", "OneVsRestClassifier")
    if type(svm).__name__ == "OneVsRestClassifier":
        for name, part in zip(svm.classes_, svm.estimators_):
            refuse(type(part).__name__ == "_ConstantPredictor", f"from_sklearn got an SVM whose class {name} was in "
                   "all of its training images or in none: leave that class out")
        parts = [linear_scores(part)[:2] for part in svm.estimators_]
        names = svm.classes_ if len(parts) == len(svm.classes_) else svm.classes_[-1:]
        return np.hstack([w for w, _ in parts]), np.concatenate([b for _, b in parts]), tuple(map(str, names))
    if type(svm).__name__ == "SVC":
        refuse(svm.kernel != "linear", f"from_sklearn got an SVC with kernel={shown(svm.kernel)}, needed 'linear': see "
               "lrp_ref.layers.fisher.svm for other kernels")
        refuse(len(svm.classes_) > 2, f"from_sklearn got an SVC of {len(svm.classes_)} classes, which compares them "
               "one versus one and has no score per class: use OneVsRestClassifier(SVC(kernel='linear')) or LinearSVC")
    weight = learned(svm, "coef_", -1, -1)
    names = svm.classes_ if len(weight) > 1 else svm.classes_[-1:]
    refuse(len(names) != len(weight), f"from_sklearn got an SVM of {len(weight)} scores for {len(names)} classes: fit "
           "it again")
    axes = getattr(svm.intercept_, "ndim", 0)   # 0.0 where it was fitted without
    bias = learned(svm, "intercept_", *[len(weight)] * min(axes, 1))
    return weight.T, np.array(np.broadcast_to(bias.astype(weight.dtype), len(weight))), tuple(map(str, names))
