"""Train the bundled Fisher pipeline on the CNN's first scenes; print its average precision on the test halves.

    python data_fixtures/scripts/train_fv.py             (needs scikit-learn and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_fv.py --validate  stay inside the training halves: train on one half
                                                         of each, test on the other. For choices.

Dense SIFT, PCA, mixture of Gaussians and linear SVMs as in the reference setup (Chatfield et al. 2011), smaller.
Seeded; on another machine the weights differ by rounding.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from make_photographs import halves
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from training_scenes import BATCH, Photographs, batches, half, report

from lrp_ref import DenseSift, Model, save_model
from lrp_ref.convert import from_sklearn
from lrp_ref.paper.scenes import CLASSES, Scene

SIFT = DenseSift((4, 6, 8, 10), step=4)
COMPONENTS, GAUSSIANS, REGIONS = 80, 32, "2x2+3x1+1x1"
SCENES, DESCRIPTORS = 2048, 100_000  # to train the SVMs; to fit PCA and mixture
COST = 1.0


def descriptors(scenes: list[Scene], rng: np.random.Generator) -> np.ndarray:
    """(n, 128): some of every scene's that have contrast."""
    some = []
    for scene in scenes:
        found = SIFT(scene.image[None, None].astype(np.float32) / 255)[0]
        found = found[found.any(axis=1)]
        some.append(found[rng.permutation(len(found))[: -(-DESCRIPTORS // len(scenes))]])
    return np.concatenate(some)


def vectors(model: Model, scenes: list[Scene]) -> np.ndarray:
    """The normalised Fisher vectors of the scenes, (n, dimensions)"""
    network = model.network((1, 1, *scenes[0].image.shape))
    return np.concatenate([network(model.prepare(scene.image)) for scene in scenes])


def train(photographs: Photographs, components: int, gaussians: int, regions: str, count: int, cost: float,
          seed: int) -> Model:
    rng = np.random.default_rng(seed)
    scenes = [scene for batch in batches(photographs, rng, count // BATCH) for scene in batch]
    sample = descriptors(scenes, np.random.default_rng(seed))
    pca = PCA(components, random_state=seed).fit(sample)
    pca.mean_ = np.zeros_like(pca.mean_)  # y = P x, a linear projection as in the paper
    print(f"{len(sample)} descriptors, {pca.explained_variance_ratio_.sum():.1%} of their variance kept", flush=True)
    gmm = GaussianMixture(gaussians, covariance_type="diag", reg_covar=1e-3, random_state=seed, max_iter=100)
    gmm.fit(pca.transform(sample))
    print(f"mixture: {gmm.n_iter_} steps, weights {gmm.weights_.min():.3f} to {gmm.weights_.max():.3f}", flush=True)
    seen = vectors(single(from_sklearn(SIFT, pca, gmm, None, regions)), scenes)
    print(f"{len(seen)} Fisher vectors of {seen.shape[1]} numbers", flush=True)
    labels = np.stack([scene.labels for scene in scenes])
    svm = OneVsRestClassifier(LinearSVC(C=cost, random_state=seed)).fit(seen, labels)
    provenance = (f"data_fixtures/scripts/train_fv.py, {count} scenes, {components} dimensions, {gaussians} Gaussians, "
                  f"seed {seed}; scenes of scikit-image's photographs, all CC0 or public domain")
    return replace(single(from_sklearn(SIFT, pca, gmm, svm, regions, provenance=provenance)), classes=CLASSES)


def single(model: Model) -> Model:
    """The model in float32: half the file, twice the speed."""
    return replace(model, chain=model.chain.astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description="train the bundled Fisher pipeline")
    parser.add_argument("--validate", action="store_true", help="stay inside the training halves")
    parser.add_argument("--components", type=int, default=COMPONENTS)
    parser.add_argument("--gaussians", type=int, default=GAUSSIANS)
    parser.add_argument("--regions", default=REGIONS)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--cost", type=float, default=COST)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "fv.npz")
    options = parser.parse_args()
    training, test = halves()
    if options.validate:
        training, test = ({name: half(p, part) for name, p in training.items()} for part in (0, 1))
    model = train(training, options.components, options.gaussians, options.regions, options.scenes, options.cost,
                  options.seed)
    if not options.validate:
        save_model(model, options.output)
    weights = sum(array.size for _, layer in model.chain for array in layer.arrays().values())
    print(f"{weights} numbers\n{report('fv', model, test)}")


if __name__ == "__main__":
    main()
