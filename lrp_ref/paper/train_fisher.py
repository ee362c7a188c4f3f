"""The paper's Fisher pipeline, fitted to a data set: a photograph in memory at a time, what is done kept in a file.

Dense SIFT, PCA, a mixture of Gaussians, Fisher vectors and an SVM per class, as in the reference setup (Chatfield et
al. 2011). A linear SVM needs no vectors but their products: with G = X X^T it finds alpha, and w = X^T alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.convert.from_sklearn import from_sklearn
from lrp_ref.hints import Watch, unwatched
from lrp_ref.layers import DenseSift, Linear
from lrp_ref.layers.fisher.sift import LENGTH
from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.paper.precision import Collection, kept
from lrp_ref.paper.record import Task, tasks
from lrp_ref.paper.results import RunFile, sqlites_words
from lrp_ref.paper.tasks import AHEAD, Progress, run_tasks

CHUNK = 8192   # numbers of a vector in one row: of 5,011 photographs 160 megabytes
SAMPLE, VECTOR = "sample", "vector"
VARIANCE = 1e-3   # that a Gaussian has at least, of descriptors whose length is 1


@dataclass(frozen=True)
class Recipe:
    """What is fitted: 80 dimensions, 256 Gaussians and eight regions are the paper's.

    descriptors  to fit PCA and mixture, drawn from all photographs
    cost         C of the SVMs
    """

    components: int = 80
    gaussians: int = 256
    regions: str = "2x2+3x1+1x1"
    step: int = 3
    descriptors: int = 256_000
    cost: float = 1.0
    seed: int = 0
    tallest: int = 480

    @property
    def sift(self) -> DenseSift:
        return DenseSift((4, 6, 8, 10), step=self.step)


class Parts(RunFile):
    """What is known of each photograph: a sample of its descriptors, its vector; and what was fitted."""

    tables = """
        create table photographs (stage text, position integer, error text,
          primary key (stage, position)) without rowid;
        create table parts (stage text, chunk integer, position integer, value blob,
          primary key (stage, chunk, position)) without rowid;
        create table fitted (name text primary key, value blob) without rowid;"""

    def known(self, stage: str, bad: bool = False) -> list[int]:
        """The positions that are done; with `bad`, only those that could not be read."""
        asked = "select position from photographs where stage = ?" + " and error != ''" * bad + " order by position"
        with sqlites_words(self.path):
            return [position for position, in self.file.execute(asked, (stage,))]

    def add(self, stage: str, position: int, values: Array | None, error: str) -> None:
        flat = np.zeros(0, "<f4") if values is None else np.ascontiguousarray(values, "<f4").ravel()
        most = CHUNK if stage == VECTOR else max(flat.size, 1)
        with sqlites_words(self.path), self.transaction():
            self.file.execute("insert or replace into photographs values (?, ?, ?)", (stage, position, error))
            self.file.executemany("insert or replace into parts values (?, ?, ?, ?)", (
                (stage, n, position, flat[at : at + most].tobytes())
                for n, at in enumerate(range(0, flat.size, most))))

    def columns(self) -> Iterator[Array]:
        """(N, CHUNK) of all vectors, one after another."""
        chunks = [n for n, in self.file.execute("select distinct chunk from parts where stage = ? order by chunk",
                                                (VECTOR,))]
        for chunk in chunks:
            yield np.stack([*self.rows(VECTOR, chunk)])

    def rows(self, stage: str, chunk: int = 0) -> Iterator[Array]:
        """Every photograph's numbers, or those of a chunk, in the photographs' order."""
        for value, in self.file.execute("select value from parts where stage = ? and chunk = ? order by position",
                                        (stage, chunk)):
            yield np.frombuffer(value, "<f4")

    def fitted(self, name: str, make: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
        """Arrays that are there, or that are made now."""
        row = self.file.execute("select value from fitted where name = ?", (name,)).fetchone()
        if row is None:
            packed = BytesIO()
            np.savez(packed, **dict(make()))   # type: ignore[arg-type]
            row = (packed.getvalue(),)
            with sqlites_words(self.path), self.transaction():
                self.file.execute("insert or replace into fitted values (?, ?)", (name, *row))
        with np.load(BytesIO(row[0])) as arrays:
            return {key: arrays[key] for key in arrays.files}


@dataclass(frozen=True)
class Sampling:
    """Of every photograph as many descriptors that have contrast, drawn by the seed."""

    recipe: Recipe
    model: Model
    each: int

    def __call__(self) -> Callable[[Task], tuple[int, Array | None, str]]:
        return partial(attempt, self.one)

    def one(self, task: Task) -> Array:
        x = self.model.prepare(task.seen.image)
        found = self.recipe.sift(x)[0]
        found = found[found.any(axis=1)]
        drawn = np.random.PCG64(self.recipe.seed + task.position).random_raw(len(found)).argsort(kind="stable")
        return np.asarray(found[np.sort(drawn[: self.each])])


@dataclass(frozen=True)
class Encoding:
    """The normalised Fisher vector of every photograph."""

    model: Model

    def __call__(self) -> Callable[[Task], tuple[int, Array | None, str]]:
        return partial(attempt, partial(vector, self.model, kept(self.model)))


def vector(model: Model, network: Callable[[tuple[int, ...]], Network], task: Task) -> Array:
    x = model.prepare(task.seen.image)
    return network(x.shape)(x)[0]


def attempt(work: Callable[[Task], Array], task: Task) -> tuple[int, Array | None, str]:
    """The photograph's position, its numbers, and why there are none."""
    try:
        return task.position, work(task), ""
    except (ValueError, OSError) as error:
        return not_read(task, error)


def not_read(task: Task, error: Exception) -> tuple[int, None, str]:
    return task.position, None, f"{task.name}: {error}"


def train_fisher(collection: Collection, recipe: Recipe, parts: Parts, watch: Watch = unwatched,
                 executor: Executor | None = None, ahead: int = AHEAD, provenance: str = "") -> Model:
    """The fitted pipeline as a model whose classes are the collection's."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    blank = from_sklearn_parts(recipe, PCA, GaussianMixture)
    count = len(collection.scenes)
    stage(collection, Sampling(recipe, blank, -(-recipe.descriptors // count)), SAMPLE, parts, watch, executor, ahead)

    def codebook() -> dict[str, Array]:
        sample = np.concatenate([np.zeros(0, "<f4"), *parts.rows(SAMPLE)]).reshape(-1, LENGTH)
        if len(sample) < max(recipe.components, recipe.gaussians):
            raise ValueError(f"got {len(sample)} descriptors of {count} photographs, needed at least "
                             f"{max(recipe.components, recipe.gaussians)}: more photographs, or --descriptors N")
        watch(f"fitting PCA and {recipe.gaussians} Gaussians to {len(sample)} descriptors")
        pca = PCA(recipe.components, random_state=recipe.seed).fit(sample)
        pca.mean_ = np.zeros_like(pca.mean_)   # y = P x, a linear projection as in the paper
        gmm = GaussianMixture(recipe.gaussians, covariance_type="diag", reg_covar=VARIANCE, random_state=recipe.seed)
        gmm.fit(pca.transform(sample))
        return {"components": pca.components_, "weights": gmm.weights_, "means": gmm.means_,
                "variances": gmm.covariances_}

    model = fisher_model(recipe, parts.fitted("codebook", codebook), PCA, GaussianMixture, provenance)
    stage(collection, Encoding(model), VECTOR, parts, watch, executor, ahead)
    bad = parts.known(VECTOR, bad=True)
    return scored(model, parts, [n for n in range(count) if n not in bad], collection, recipe, watch)


def stage(collection: Collection, job: Any, name: str, parts: Parts, watch: Watch, executor: Executor | None,
          ahead: int) -> None:
    """Every photograph that has not been done."""
    before = parts.known(name)
    progress = Progress(watch, f"photographs, {name}", len(collection.scenes), len(before))

    def done(got: tuple[int, Array | None, str]) -> None:
        parts.add(name, *got)
        progress.one_more()

    run_tasks(job, tasks(replace(collection, explain=[]), set(before)), done, executor, ahead, not_read)


def from_sklearn_parts(recipe: Recipe, PCA: Any, GaussianMixture: Any) -> Model:
    """A pipeline before anything is fitted, whose preprocessing is that of the fitted one."""
    nothing = {"components": np.eye(1, LENGTH), "weights": np.ones(1), "means": np.zeros((1, 1)),
               "variances": np.ones((1, 1))}
    return fisher_model(recipe, nothing, PCA, GaussianMixture, "")


def fisher_model(recipe: Recipe, fitted: Mapping[str, Array], PCA: Any, GaussianMixture: Any, provenance: str) -> Model:
    """The pipeline up to the normalised Fisher vector, in float32: half the memory, twice the speed."""
    pca, gmm = PCA(), GaussianMixture(covariance_type="diag")
    pca.components_, pca.mean_ = fitted["components"], np.zeros(LENGTH)
    gmm.weights_, gmm.means_, gmm.covariances_ = (fitted[name] for name in ("weights", "means", "variances"))
    model = from_sklearn(recipe.sift, pca, gmm, None, recipe.regions, tallest=recipe.tallest, provenance=provenance)
    return replace(model, chain=model.chain.astype(np.float32))


def scored(model: Model, parts: Parts, read: list[int], collection: Collection, recipe: Recipe, watch: Watch) -> Model:
    """The model with an SVM per class: w = X^T alpha y, alpha from the products of all vectors."""
    from sklearn.svm import SVC

    watch(f"products of {len(read)} vectors")
    G: Any = sum(X.astype(np.float64) @ X.T.astype(np.float64) for X in parts.columns())
    duals, bias = np.zeros((len(read), len(collection.classes))), np.zeros(len(collection.classes))
    for c, name in enumerate(collection.classes):
        watch(f"SVM of {name}, {c + 1} of {len(collection.classes)}")
        known = [k for k, n in enumerate(read) if collection.scenes[n].counted[c]]
        truth = np.array([collection.scenes[read[k]].labels[c] for k in known], bool)
        if truth.all() or not truth.any():
            raise ValueError(f"got {int(truth.sum())} of {len(truth)} photographs with the class {name}, needed some "
                             "with and some without it: give another set")
        svm = SVC(C=recipe.cost, kernel="precomputed", random_state=recipe.seed).fit(G[np.ix_(known, known)], truth)
        duals[np.array(known)[svm.support_], c], bias[c] = svm.dual_coef_[0], svm.intercept_[0]
    weight: NDArray[np.float64] = np.concatenate(
        [X.T.astype(np.float64) @ duals for X in parts.columns()])
    svm_layer = Linear(weight, bias).astype(np.float32)
    return replace(model, chain=Network([*model.chain, ("svm", svm_layer)]), classes=collection.classes)
