"""Networks of other libraries to ours. The library is imported by whoever hands its network over, not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    DenseSift,
    FisherVector,
    Flatten,
    L2Norm,
    Layer,
    Linear,
    MaxPool,
    ReLU,
    SignedSqrt,
    Tanh,
)
from lrp_ref.layers.fisher.regions import PYRAMID, regions_of
from lrp_ref.layers.fisher.sift import LENGTH
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network


def from_torch(module: Any) -> Network:
    """A torch.nn.Sequential, nested or not, in evaluation mode, as a Network with torch's own layer names.

    Dropout and Identity vanish. Functional calls and branches cannot be seen in a Sequential, so any other container
    is refused, and so is any module that is not in the table below. Weights keep float32 or float64.
    """
    layers = []
    for name, part in leaves(module, ""):
        if part.training:
            raise ValueError(f"from_torch got {name or 'a network'} in training mode: call network.eval() first")
        kind = type_name(part)
        if kind not in TORCH:
            raise ValueError(f"from_torch got {name}, a {kind}, needed one of {', '.join(sorted(TORCH))}")
        try:
            layer = TORCH[kind](part)
        except ValueError as error:
            raise ValueError(f"from_torch: {name}, a {kind}: {error}") from None
        if layer is not None:
            layers.append((name, layer))
    if not layers:
        raise ValueError("from_torch got a network without layers")
    return Network(layers)


def leaves(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The modules of nested Sequentials in the order they run, with torch's names; a module used twice comes twice."""
    if type_name(module) != "Sequential":
        if not name:
            raise ValueError(f"from_torch got a {type_name(module)}, needed a torch.nn.Sequential: put the parts "
                             "in one, in the order in which they run")
        yield name, module
        return
    for child, part in module._modules.items():
        yield from leaves(part, f"{name}.{child}" if name else child)


def type_name(module: Any) -> str:
    """The name of its class; with its module in front where it is not torch's own, which may compute anything."""
    kind = type(module)
    own = kind.__module__.startswith("torch.nn.modules.")
    return kind.__name__ if own else f"{kind.__module__}.{kind.__qualname__}"


def numbers(tensor: Any) -> Array | None:
    """A tensor's values as an array of its own, which training the network further does not touch; or None."""
    if tensor is None:
        return None
    try:
        return np.array(tensor.detach().cpu().numpy())
    except (TypeError, NotImplementedError):   # bfloat16, which NumPy does not have; the meta device
        raise ValueError(f"got weights of {tensor.dtype} on {tensor.device}, needed float32 or float64 numbers: "
                         "use network.float()") from None


def refuse(condition: bool, reason: str) -> None:
    if condition:
        raise ValueError(reason)


def conv2d(part: Any) -> Layer:
    refuse(part.padding_mode != "zeros", f"padding_mode={part.padding_mode!r}, needed 'zeros'")
    pad = part.padding
    if isinstance(pad, str):
        extents = [(k - 1) * d for k, d in zip(part.kernel_size, part.dilation)]
        refuse(pad == "same" and any(e % 2 for e in extents), "padding='same' with an even window pads one side more")
        pad = tuple(e // 2 for e in extents) if pad == "same" else 0
    return Conv2D(numbers(part.weight), numbers(part.bias), part.stride, pad, part.dilation, part.groups)


def linear(part: Any) -> Layer:
    weight: Any = numbers(part.weight)
    return Linear(np.ascontiguousarray(weight.T), numbers(part.bias))


def max_pool(part: Any) -> Layer:
    refuse(part.dilation not in (1, (1, 1)), "dilation, which MaxPool does not have")
    refuse(part.return_indices, "return_indices=True, needed False")
    return MaxPool(part.kernel_size, part.stride, part.padding, part.ceil_mode)


def avg_pool(part: Any) -> Layer:
    refuse(part.divisor_override is not None, "divisor_override, needed None")
    return AvgPool(part.kernel_size, part.stride, part.padding, part.ceil_mode, part.count_include_pad)


def adaptive_avg_pool(part: Any) -> Layer:
    size = part.output_size if isinstance(part.output_size, tuple) else (part.output_size,) * 2
    refuse(None in size, "output_size with None, needed numbers")
    return AdaptiveAvgPool(size)


def batch_norm(part: Any) -> Layer:
    refuse(part.running_mean is None, "no running statistics, needed track_running_stats=True")
    mean, variance = numbers(part.running_mean), numbers(part.running_var)
    ones = np.ones_like(mean)
    scale, shift = (ones, 0 * ones) if part.weight is None else (numbers(part.weight), numbers(part.bias))
    return BatchNorm(mean, variance, scale, shift, part.eps)


def lrn(part: Any) -> Layer:
    return LRN(part.size, part.alpha, part.beta, part.k)


def flatten(part: Any) -> Layer:
    refuse((part.start_dim, part.end_dim) != (1, -1), "start_dim and end_dim other than 1 and -1")
    return Flatten()


TORCH: dict[str, Callable[[Any], Layer | None]] = {
    "Conv2d": conv2d, "Linear": linear, "MaxPool2d": max_pool, "AvgPool2d": avg_pool,
    "AdaptiveAvgPool2d": adaptive_avg_pool, "BatchNorm1d": batch_norm, "BatchNorm2d": batch_norm,
    "LocalResponseNorm": lrn, "Flatten": flatten, "ReLU": lambda part: ReLU(), "Tanh": lambda part: Tanh(),
    "Dropout": lambda part: None, "Dropout2d": lambda part: None, "Identity": lambda part: None,
}


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
    refuse(not isinstance(sift, DenseSift), f"from_sklearn got sift={sift!r}, needed a DenseSift layer")
    weight, bias = projection(pca)
    fisher = mixture(gmm)
    fits("the PCA", weight.shape[0], LENGTH, "coordinates of a descriptor")
    fits("the mixture", fisher.means.shape[1], weight.shape[1], "components of the PCA")
    count = len(regions_of(np.zeros((1, 2)), (1, 1), regions))
    layers: list[tuple[str, Layer]] = [
        ("sift", sift), ("pca", Linear(weight, bias)), ("fisher", fisher), ("norm", L2Norm(count)),
        ("root", SignedSqrt()), ("norm_all", L2Norm())]
    classes: tuple[str, ...] = ()
    if svm is not None:
        weight, bias, classes = linear_scores(svm)
        fits("the SVM", len(weight), count * 2 * fisher.means.size,
             f"dimensions of a Fisher vector ({count} regions x 2 x K x D)")
        layers.append(("svm", Linear(weight, bias)))
    chain = Network((name, layer.astype(np.float64)) for name, layer in layers)   # some parts may have come in float32
    return Model(chain, classes, Preprocessing(None, tallest=tallest), provenance=provenance, regions=regions)


def fitted(part: Any, *kinds: str) -> None:
    """An error unless the part is of one of these kinds of scikit-learn's, and fitted."""
    kind, own = type(part).__name__, type(part).__module__.startswith("sklearn.")
    refuse(not own or kind not in kinds, f"from_sklearn got a {kind}, needed a {' or '.join(kinds)} of scikit-learn")
    refuse(not any(name.endswith("_") and not name.startswith("_") for name in vars(part)),
           f"from_sklearn got a {kind} that is not fitted: call its fit first")


def fits(what: str, got: int, needed: int, unit: str) -> None:
    refuse(got != needed, f"from_sklearn: {what} is for {got} numbers, needed {needed}, the {unit}: fit it on those")


def projection(pca: Any) -> tuple[Array, Array | None]:
    """Weight (128, D) and bias (D,) of y = P (x - mean), with whitening y / sqrt(explained variance)."""
    fitted(pca, "PCA")
    weight = np.array(pca.components_.T)
    if pca.whiten:
        deviations = np.sqrt(pca.explained_variance_)   # PCA itself takes those below its rounding to be that large
        refuse(not (deviations >= np.finfo(deviations.dtype).eps).all(), "from_sklearn got a whitened PCA with a "
               "component of variance 0, or as small as its rounding: fit it with fewer components")
        weight = weight / deviations
    return weight, -(pca.mean_ @ weight) if np.any(pca.mean_) else None


def mixture(gmm: Any) -> FisherVector:
    fitted(gmm, "GaussianMixture")
    refuse(gmm.covariance_type != "diag", f"from_sklearn got a mixture with covariance_type={gmm.covariance_type!r}, "
           "but a Fisher vector needs a variance per dimension: fit it with covariance_type='diag'")
    return FisherVector(gmm.weights_, gmm.means_, gmm.covariances_)


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
        refuse(svm.kernel != "linear", f"from_sklearn got an SVC with kernel={svm.kernel!r}, needed 'linear': see "
               "lrp_ref.layers.fisher.svm for other kernels")
        refuse(len(svm.classes_) > 2, f"from_sklearn got an SVC of {len(svm.classes_)} classes, which compares them "
               "one versus one and has no score per class: use OneVsRestClassifier(SVC(kernel='linear')) or LinearSVC")
    weight = np.array(svm.coef_.toarray() if hasattr(svm.coef_, "toarray") else svm.coef_)   # sparse, or not
    names = svm.classes_ if len(weight) > 1 else svm.classes_[-1:]
    bias = np.broadcast_to(np.asarray(svm.intercept_, dtype=weight.dtype), len(weight))
    return weight.T, np.array(bias), tuple(map(str, names))

