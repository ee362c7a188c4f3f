"""Fisher pipelines of scikit-learn's parts give the numbers that scikit-learn gives."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import refused
from scipy.sparse import csr_array
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

from lrp_ref import DenseSift, Model, explain, load_model, paper_fv, regions_of, save_model
from lrp_ref.arrays import Array
from lrp_ref.convert import from_sklearn

EPS = np.finfo(float).eps
SIFT, REGIONS, COUNT = DenseSift((2, 3), 3), "1x2+1x1", 3
NAMES = np.array(["brick", "grass", "moss"])


def photograph(seed: int, shape: tuple[int, int] = (17, 20)) -> Array:
    """Squares of 2 x 2 pixels; the first columns have no contrast."""
    rng = np.random.default_rng(seed)
    rows, columns = shape
    grey = np.kron(rng.random((rows // 2 + 1, columns // 2 + 1)), np.ones((2, 2)))[:rows, :columns]
    grey[:, :12] = 0.5
    return grey


PHOTOGRAPHS = [photograph(n) for n in range(18)]
DESCRIPTORS = np.concatenate([SIFT(grey[None, None])[0] for grey in PHOTOGRAPHS])
KINDS = np.arange(18) % 3
LABELS = np.stack([KINDS == 0, KINDS >= 1, np.arange(18) % 5 < 2], axis=1).astype(int)   # each photograph has several
PROJECTION = PCA(5, random_state=0).fit(DESCRIPTORS)
MIXTURE = GaussianMixture(4, covariance_type="diag", random_state=0, reg_covar=1.0).fit(
    PROJECTION.transform(DESCRIPTORS))


def outputs(model: Model, photographs: list[Array] = PHOTOGRAPHS) -> Array:
    """The network's output for every photograph, each at its own size."""
    inputs = [model.prepare(grey) for grey in photographs]
    return np.concatenate([model.network(x.shape)(x) for x in inputs])


VECTORS = outputs(from_sklearn(SIFT, PROJECTION, MIXTURE, None, REGIONS))
TWO = LinearSVC().fit(VECTORS[KINDS < 2], NAMES[KINDS[KINDS < 2]])


# ---- Scores ----

SVMS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "LinearSVC of three classes": (LinearSVC().fit(VECTORS, NAMES[KINDS]), ("brick", "grass", "moss")),
    "LinearSVC of two classes": (TWO, ("grass",)),
    "LinearSVC without intercept": (LinearSVC(fit_intercept=False).fit(VECTORS, KINDS), ("0", "1", "2")),
    "SVC of two classes": (SVC(kernel="linear").fit(VECTORS, KINDS < 1), ("True",)),
    "sparse weights": (LinearSVC(penalty="l1", C=9, max_iter=10_000).fit(VECTORS, NAMES[KINDS]).sparsify(),
                       ("brick", "grass", "moss")),
    "SVC of sparse vectors": (SVC(kernel="linear").fit(csr_array(VECTORS), KINDS < 1), ("True",)),
    "one against the rest, several labels": (OneVsRestClassifier(LinearSVC(C=3)).fit(VECTORS, LABELS), ("0", "1", "2")),
    "one against the rest, two classes": (OneVsRestClassifier(LinearSVC()).fit(VECTORS, NAMES[LABELS[:, 0]]),
                                          ("grass",)),
    "one SVC against the rest": (OneVsRestClassifier(SVC(kernel="linear")).fit(VECTORS, NAMES[KINDS]),
                                 ("brick", "grass", "moss")),
}


@pytest.mark.parametrize(("svm", "classes"), SVMS.values(), ids=SVMS)
def test_scores_are_decision_function_of_the_models_own_vectors(svm: Any, classes: tuple[str, ...]) -> None:
    model = from_sklearn(SIFT, PROJECTION, MIXTURE, svm, REGIONS)
    wanted = svm.decision_function(VECTORS).reshape(len(VECTORS), -1)
    assert model.classes == classes and outputs(model).shape == wanted.shape == (18, len(classes))
    layer = model.chain["svm"]
    size = abs(VECTORS) @ abs(layer.weight) + abs(layer.bias)    # type: ignore[attr-defined]
    # one rounding per dimension and the bias, in each of the two sums
    assert (abs(outputs(model) - wanted) <= 2 * (VECTORS.shape[1] + 1) * EPS * size).all()


def test_the_one_score_of_two_classes_is_that_of_the_second() -> None:
    model = from_sklearn(SIFT, PROJECTION, MIXTURE, TWO, REGIONS)
    scores = outputs(model, [grey for grey, kind in zip(PHOTOGRAPHS, KINDS) if kind < 2])[:, 0]
    assert ((scores > 0) == (TWO.predict(VECTORS[KINDS < 2]) == "grass")).all() and (scores > 0).any()


def test_the_layers_are_those_of_the_reference_setup() -> None:
    model = from_sklearn(SIFT, PROJECTION, MIXTURE, None)
    assert model.chain.names == ("sift", "pca", "fisher", "norm", "root", "norm_all") and model.regions == "2x2+3x1+1x1"
    assert (model.chain["norm"].parts, model.chain["norm_all"].parts) == (8, 1)     # type: ignore[attr-defined]
    assert from_sklearn(SIFT, PROJECTION, MIXTURE, TWO, REGIONS).chain.names[-1] == "svm" and model.classes == ()
    assert from_sklearn(SIFT, PROJECTION, MIXTURE, None, provenance="ours").provenance == "ours"


def test_a_mixture_of_single_precision_makes_a_network_of_one_number_type() -> None:
    single = PCA(3, random_state=0).fit(DESCRIPTORS.astype(np.float32))
    assert single.components_.dtype == np.float32
    mixture = GaussianMixture(2, covariance_type="diag").fit(single.transform(DESCRIPTORS).astype(np.float64))
    assert from_sklearn(SIFT, single, mixture, None).chain.number is np.float64


# ---- PCA ----


def without_mean(pca: PCA) -> PCA:
    pca.mean_ = np.zeros_like(pca.mean_)
    return pca


@pytest.mark.parametrize("pca", [
    PROJECTION, PCA(4, whiten=True, random_state=0).fit(DESCRIPTORS), without_mean(PCA(5).fit(DESCRIPTORS)),
    without_mean(PCA(3, whiten=True).fit(DESCRIPTORS)),
], ids=["mean", "mean, whitened", "no mean", "no mean, whitened"])
def test_the_projection_is_pca_transform_and_a_mean_of_zeros_is_no_bias(pca: PCA) -> None:
    mixture = GaussianMixture(2, covariance_type="diag", random_state=0).fit(pca.transform(DESCRIPTORS))
    layer: Any = from_sklearn(SIFT, pca, mixture, None).chain["pca"]
    assert (layer.bias is None) == (not pca.mean_.any())
    bias = 0 if layer.bias is None else layer.bias
    got, wanted = DESCRIPTORS @ layer.weight + bias, pca.transform(DESCRIPTORS)
    # a rounding per coordinate in each sum, of descriptor and of mean; whitening adds a root and a division
    size = (abs(DESCRIPTORS) + abs(pca.mean_)) @ abs(layer.weight)
    assert (abs(got - wanted) <= 2 * (128 + 4) * EPS * size).all()


# ---- The mixture ----


def test_posteriors_are_predict_proba() -> None:
    y = PROJECTION.transform(DESCRIPTORS)
    got = from_sklearn(SIFT, PROJECTION, MIXTURE, None).chain["fisher"].posteriors(y[None])[0]   # type: ignore
    # exponents of up to a thousand, rounded in either way of computing them, are a relative error of what exp gives
    assert abs(got - MIXTURE.predict_proba(y)).max() <= 1e-12
    assert got.max(axis=1).min() < 0.9 and len(set(got.argmax(axis=1))) == 4


# ---- Sizes and regions ----


def test_one_model_takes_photographs_of_any_size() -> None:
    model = from_sklearn(SIFT, PROJECTION, MIXTURE, SVMS["LinearSVC of three classes"][0], REGIONS)
    for shape in ((17, 20), (23, 14)):
        x = model.prepare(photograph(40, shape))
        network = model.network(x.shape)
        assert x.shape == (1, 1, *shape)
        assert (network["fisher"].regions == regions_of(SIFT.frames(x.shape), shape, REGIONS)).all()   # type: ignore
        e = explain(network, x, paper_fv(network), target=model.class_index("moss"))
        assert e.relevance.shape == x.shape and e.relevance.any() and np.isfinite(e.relevance).all()


def test_a_tall_photograph_is_shrunk_keeping_its_proportions() -> None:
    x = from_sklearn(SIFT, PROJECTION, MIXTURE, None, tallest=20).prepare(photograph(41, (40, 50)))
    assert x.shape == (1, 1, 20, 25)
    assert from_sklearn(SIFT, PROJECTION, MIXTURE, None).preprocessing.tallest == 480
    with refused("the model does not say the size of its input: give one with model.at_size((H, W))"):
        from_sklearn(SIFT, PROJECTION, MIXTURE, None, tallest=None).prepare(PHOTOGRAPHS[0])


def test_a_region_without_descriptors_is_zeros_and_harms_no_other() -> None:
    whole = from_sklearn(SIFT, PROJECTION, MIXTURE, None, "1x1")
    empty = replace(whole, regions=((0, 0, 17, 20), (0, 0, 1, 1)),
                    chain=from_sklearn(SIFT, PROJECTION, MIXTURE, None, "2x1").chain)
    got, size = outputs(empty), 2 * MIXTURE.means_.size
    assert not got[:, size:].any()
    # the same sums over the same descriptors; a norm of twice as many numbers, half of them 0, may be added otherwise
    assert np.allclose(got[:, :size], outputs(whole), rtol=1e-14, atol=0)


@pytest.mark.parametrize("regions", [REGIONS, ((0.0, 0.0, 9.0, 20.0), (4.0, 0.0, 17.0, 14.5), (0.0, 0.0, 17.0, 20.0))],
                         ids=["grids", "rectangles"])
def test_a_pipeline_comes_back_from_its_file(tmp_path: Any, regions: Any) -> None:
    model = from_sklearn(SIFT, PROJECTION, MIXTURE, SVMS["LinearSVC of three classes"][0], regions, provenance="ours")
    save_model(model, tmp_path / "fv.npz")
    loaded = load_model(tmp_path / "fv.npz")
    assert (loaded.regions, loaded.preprocessing, loaded.classes) == (regions, model.preprocessing, model.classes)
    assert outputs(loaded).tobytes() == outputs(model).tobytes()


# ---- What it refuses ----


def gaussians(kind: str) -> GaussianMixture:
    return GaussianMixture(2, covariance_type=kind, random_state=0).fit(PROJECTION.transform(DESCRIPTORS[:80]))


def whitened(solver: str) -> PCA:
    """Of descriptors that fill three dimensions only: the fourth component has no variance, or that of rounding."""
    flat = np.where(np.arange(128) < 3, DESCRIPTORS, 0) / 512
    return PCA(4, whiten=True, svd_solver=solver).fit(flat)


def unlabelled() -> Any:
    with pytest.warns(UserWarning, match="Label 1 is present in all"):
        return OneVsRestClassifier(LinearSVC()).fit(VECTORS, np.stack([KINDS == 0, KINDS >= 0], axis=1).astype(int))


UNFITTED = "that is not fitted: call its fit first"
SMALL_VARIANCE = ("from_sklearn got a whitened PCA with a component of variance 0, or as small as its rounding: "
                  "fit it with fewer components")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no DenseSift": ({"sift": "sift"}, "from_sklearn got sift='sift', needed a DenseSift layer"),
    "another PCA": ({"pca": IncrementalPCA(5)}, "from_sklearn got a IncrementalPCA, needed a PCA of scikit-learn"),
    "no PCA": ({"pca": None}, "from_sklearn got a NoneType, needed a PCA of scikit-learn"),
    "PCA not fitted": ({"pca": PCA(5)}, f"from_sklearn got a PCA {UNFITTED}"),
    "PCA of other descriptors": ({"pca": PCA(5).fit(DESCRIPTORS[:, :64])}, "from_sklearn: the PCA is for 64 numbers, "
                                 "needed 128, the coordinates of a descriptor: fit it on those"),
    "whitened, variance 0": ({"pca": whitened("covariance_eigh")}, SMALL_VARIANCE),
    "whitened, variance of rounding": ({"pca": whitened("full")}, SMALL_VARIANCE),
    "Bayesian mixture": ({"gmm": BayesianGaussianMixture()},
                         "from_sklearn got a BayesianGaussianMixture, needed a GaussianMixture of scikit-learn"),
    "mixture not fitted": ({"gmm": GaussianMixture(2)}, f"from_sklearn got a GaussianMixture {UNFITTED}"),
    **{kind: ({"gmm": gaussians(kind)}, f"from_sklearn got a mixture with covariance_type='{kind}', but a Fisher "
              "vector needs a variance per dimension: fit it with covariance_type='diag'")
       for kind in ("full", "tied", "spherical")},
    "mixture of other dimensions": ({"pca": PCA(4).fit(DESCRIPTORS)}, "from_sklearn: the mixture is for 5 numbers, "
                                    "needed 4, the components of the PCA: fit it on those"),
    "no SVM": ({"svm": PROJECTION}, "from_sklearn got a PCA, needed a LinearSVC or SVC or OneVsRestClassifier of "
               "scikit-learn"),
    "SVM not fitted": ({"svm": LinearSVC()}, f"from_sklearn got a LinearSVC {UNFITTED}"),
    "rest not fitted": ({"svm": OneVsRestClassifier(TWO)}, f"from_sklearn got a OneVsRestClassifier {UNFITTED}"),
    "SVM of other vectors": ({"svm": LinearSVC().fit(VECTORS[:, 1:], KINDS)}, "from_sklearn: the SVM is for 119 "
                             "numbers, needed 120, the dimensions of a Fisher vector (3 regions x 2 x K x D): fit it "
                             "on those"),
    "SVC of three classes": ({"svm": SVC(kernel="linear").fit(VECTORS, KINDS)}, "from_sklearn got an SVC of 3 classes, "
                             "which compares them one versus one and has no score per class: use "
                             "OneVsRestClassifier(SVC(kernel='linear')) or LinearSVC"),
    "another kernel": ({"svm": SVC().fit(VECTORS, KINDS < 1)}, "from_sklearn got an SVC with kernel='rbf', needed "
                       "'linear': see lrp_ref.layers.fisher.svm for other kernels"),
    "a class that all have": ({"svm": unlabelled()}, "from_sklearn got an SVM whose class 1 was in all of its training "
                              "images or in none: leave that class out"),
    "regions that are none": ({"regions": "2x"}, "regions_of got '2x', needed grids such as '2x2+3x1+1x1', or …"),
}


@pytest.mark.parametrize(("changed", "message"), REFUSED.values(), ids=REFUSED)
def test_parts_that_make_no_pipeline_are_refused(changed: dict[str, Any], message: str) -> None:
    parts = {"sift": SIFT, "pca": PROJECTION, "gmm": MIXTURE, "svm": TWO, "regions": REGIONS}
    with refused(message):
        from_sklearn(**{**parts, **changed})


ALTERED: dict[str, tuple[int, str, Any]] = {
    "components a text": (0, "components_", "a"), "components of another shape": (0, "components_", np.zeros(5)),
    "a mean of another shape": (0, "mean_", np.zeros(4)), "a mean of NaN": (0, "mean_", np.full(128, np.nan)),
    "no means": (1, "means_", None), "weights of another shape": (1, "weights_", np.ones(3)),
    "covariances in a list": (1, "covariances_", [[1.0], [2.0, 3.0]]), "coefficients a list": (2, "coef_", [[1.0]]),
    "an intercept in words": (2, "intercept_", "0.5"), "intercepts of unequal rows": (2, "intercept_", [[1, 2], [3]]),
    "classes a number": (2, "classes_", 3),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_part_that_is_not_as_its_fit_made_it_is_refused_by_what_is_not(name: str) -> None:
    n, attribute, value = ALTERED[name]
    parts = [copy.deepcopy(part) for part in (PROJECTION, MIXTURE, TWO)]
    setattr(parts[n], attribute, value)
    kind = type(parts[n]).__name__
    with pytest.raises(ValueError, match=rf"^from_sklearn got a {kind} (whose {attribute} is|that is not as its fit)"):
        from_sklearn(SIFT, *parts, REGIONS)
