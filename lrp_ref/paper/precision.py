"""Average precision per class, beside what needs no eyes: prevalence and a histogram of grey levels.

A table is columns and rows; every question asked of the scenes (how well does a model rank them, where does
its relevance lie) answers with one, and `str` prints it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrp_ref.hints import Watch, quotable, unwatched
from lrp_ref.outside import among
from lrp_ref.paper.scenes import CLASSES, Scene, bundled_photographs, generate

COUNT, SEED = 300, 2016  # of the scenes whose numbers are committed
OTHERS = 2000  # scenes from which the histogram baseline learns
BINS, WIDTH, RIDGE = 32, 4.0, 1.0  # of the histogram baseline

Numbers = NDArray[np.floating[Any]]
Labels = NDArray[np.bool_]


class Classifier(Protocol):
    """What is asked of a model: its classes, an image made ready (1, ...), a network for that shape."""

    @property
    def classes(self) -> Sequence[str]: ...
    def prepare(self, image: Any, /) -> Any: ...
    def network(self, shape: Any, /) -> Any: ...


@dataclass(frozen=True)
class Table:
    """A name and as many numbers per row as there are columns; the first column is the names'."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, *tuple[float, ...]], ...]

    def __getitem__(self, place: tuple[str, str]) -> float:
        """table["cat", "cnn"]: row, column."""
        row, column = place
        return {r[0]: r for r in self.rows}[row][self.columns.index(column)]  # type: ignore[return-value]

    def __str__(self) -> str:
        """Columns aligned, three decimals, a dash where there is no number."""
        return aligned([self.columns, *((name, *map(three_decimals, numbers)) for name, *numbers in self.rows)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Names to the left, numbers to the right of their columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]),
                                *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
                     for line in lines)


def three_decimals(number: float) -> str:
    """Three decimals, never -0.000; a dash where there is no number."""
    return "-" if math.isnan(number) else f"{number:z.3f}"


class Seen(Protocol):
    """An image whose truth is known: what is in it, and where; per class, in a collection's order."""

    @property
    def image(self) -> Any: ...     # as a model prepares it
    @property
    def masks(self) -> Labels: ...      # (C, H, W): where each class is to be seen
    @property
    def labels(self) -> Labels: ...     # (C,): the class is to be seen
    @property
    def counted(self) -> Labels: ...    # (C,): and where it is not, that is certain


@dataclass(frozen=True, eq=False)
class Collection:
    """What models are tested on: images with their names, and scores (N, C) of baselines that are no models.

    title    what the images are, in words that follow "on": 300 test scenes, seed 2016
    explain  the positions of those whose maps are looked at; every image counts in the average precision
    """

    title: str
    classes: tuple[str, ...]
    names: Sequence[str]
    scenes: Sequence[Seen]
    explain: Sequence[int]
    baselines: Mapping[str, Numbers]


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """AP = 1/11 sum over t = 0, .1, .., 1 of max {precision_n : recall_n >= t}, as in VOC 2007.

    scores (N,), labels (N,): precision_n and recall_n are those of the n highest scores, equal scores in the
    order given. Recall is compared as 10 tp >= 10 t positives, in integers: in floating point .3 < 3 * .1.
    Without a positive, recall is 0/0 and so is the answer: NaN. Every t is reached, so no maximum is empty.
    """
    scores, positive = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    if scores.ndim != 1 or scores.shape != positive.shape or np.isnan(scores).any():
        raise ValueError(f"average_precision got scores of shape {scores.shape} and labels of shape "
                         f"{positive.shape}, needed one score that is no NaN and one label per image")
    hits = np.cumsum(positive[np.argsort(-scores, kind="stable")])
    if not positive.any():
        return math.nan
    precision = hits / np.arange(1, hits.size + 1)
    return math.fsum(precision[10 * hits >= t * hits[-1]].max() for t in range(11)) / 11


def knows_all(model: Classifier, classes: Sequence[str], name: str = "the model") -> None:
    """An error unless the model knows every class, and each by a name of its own."""
    count = Counter(model.classes)
    missing = [one for one in classes if not count[one]]
    if missing:
        raise ValueError(f"{quotable(name)} knows {among(list(model.classes))} but not {among(missing)}: "
                         f"it can only be evaluated on images of its own classes")
    if twice := [one for one in classes if count[one] > 1]:
        raise ValueError(f"{quotable(name)} has several classes named {among(twice)}: give each a name of its own")


def predictions(model: Classifier, images: Iterable[Any], classes: Sequence[str] = CLASSES) -> Numbers:
    """f_c(image): the scores (N, C) of a model, its columns in the order of `classes`."""
    knows_all(model, classes)
    columns = [list(model.classes).index(name) for name in classes]
    network, scores = kept(model), []
    for image in images:
        x = model.prepare(image)
        scores.append(network(x.shape)(x))
    return np.concatenate(scores)[:, columns]


def kept(model: Classifier) -> Callable[[tuple[int, ...]], Any]:
    """model.network, the last one kept for as long as the shape stays: building one can cost more than running it."""
    last: list[Any] = [None, None]

    def network(shape: tuple[int, ...]) -> Any:
        if last[0] != shape:
            last[:] = shape, model.network(shape)
        return last[1]
    return network


def histogram_baseline(scenes: Sequence[Scene], others: Sequence[Scene]) -> Numbers:
    """f(h) = k(h, H) (k(H, H) + ridge I)^-1 (Y - mean of Y): scores (N, C) of one who sees no shapes.

    h is the square root of a scene's histogram of grey levels, k(h, h') = exp(-width |h - h'|^2), H and Y the
    histograms and labels of `others`. Nothing of it is stored: it learns anew, in a second. The others may be
    cut from the same photographs as the scenes, an advantage over any model that was trained on other halves.
    """
    known, labels = _histograms(others), np.stack([scene.labels for scene in others]).astype(float)
    kernel = _kernel(known, known) + RIDGE * np.eye(len(known))
    weights = np.linalg.solve(kernel, labels - labels.mean(axis=0))
    return np.asarray(_kernel(_histograms(scenes), known) @ weights)


def _histograms(scenes: Sequence[Scene]) -> Numbers:
    counts = [np.bincount(scene.image.ravel() // (256 // BINS), minlength=BINS) for scene in scenes]
    return np.sqrt(np.stack(counts) / scenes[0].image.size)


def _kernel(h: Numbers, k: Numbers) -> Numbers:
    return np.exp(-WIDTH * ((h * h).sum(axis=1)[:, None] + (k * k).sum(axis=1) - 2 * h @ k.T))


def precision_table(labels: Labels, columns: Mapping[str, Numbers], classes: Sequence[str] = CLASSES,
                    counted: Labels | None = None) -> Table:
    """AP of each column's scores (N, C) per class, beside prevalence; the last row is the mean of the rows.

    Prevalence is what scores without any meaning reach. A class that is never to be seen has no average
    precision (NaN) and does not count in the mean. Where `counted` (N, C) is False, an image is neither positive
    nor negative for a class.
    """
    use = np.ones(labels.shape, bool) if counted is None else counted
    numbers = np.array([(labels & use).sum(axis=0) / np.maximum(use.sum(axis=0), 1), *(
        [average_precision(s[use[:, c], c], labels[use[:, c], c]) for c in range(len(classes))]
        for s in columns.values())]).T
    seen = numbers[labels.any(axis=0)]
    mean = seen.mean(axis=0) if seen.size else np.full(1 + len(columns), math.nan)
    rows = zip([*classes, "mean"], [*numbers.tolist(), mean.tolist()], strict=True)
    return Table(("class", "prevalence", *columns), tuple((name, *row) for name, row in rows))


def bundled(count: int = COUNT, seed: int = SEED, watch: Watch = unwatched, baseline: bool = True) -> Collection:
    """`count` scenes of a seed, cut from the bundled test halves; baseline: with the histogram's scores."""
    watch(f"cutting {count} scenes" + f" and {OTHERS} for the histogram baseline" * baseline)
    photographs, backgrounds = bundled_photographs()
    scenes, baselines = generate(photographs, backgrounds, count, seed), {}
    if baseline:
        others = generate(photographs, backgrounds, OTHERS, seed + 1)
        baselines = {"histogram": histogram_baseline(scenes, others)}
    return Collection(f"{count} test scenes, seed {seed}", CLASSES, [str(n) for n in range(count)], scenes,
                      range(count), baselines)


def evaluate(models: Mapping[str, Classifier], collection: Collection, watch: Watch = unwatched) -> Table:
    """AP of every model and baseline on all images. `watch` hears what is being done: for a progress line."""
    columns = dict(collection.baselines)
    for name, model in models.items():
        columns[name] = predictions(model, _watched(collection.scenes, name, watch), collection.classes)
    labels = np.stack([scene.labels for scene in collection.scenes])
    counted = np.stack([scene.counted for scene in collection.scenes])
    return precision_table(labels, columns, collection.classes, counted)


def _watched(scenes: Sequence[Seen], name: str, watch: Watch) -> Iterator[Any]:
    for n, scene in enumerate(scenes, 1):
        watch(f"{name}: scene {n} of {len(scenes)}")
        yield scene.image
