"""Where a model's relevance lies and how sparse it is, without a cut-off and with each that says something new.

Every class that is seen in an image is explained. Maps are measured at the size of the network's input, and a class's
region is brought there as the photograph was: squeezed to fit, each pixel counting by the part of it that lies inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, paper_rules
from lrp_ref.heatmap import heatmap
from lrp_ref.hints import Watch, unwatched
from lrp_ref.layers import Conv2D, Layer
from lrp_ref.layers.fisher.sift import DenseSift
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.layers.pool import Pool
from lrp_ref.models.model import Model
from lrp_ref.network import INPUT, Network
from lrp_ref.paper.below import cut_off
from lrp_ref.paper.measures import gini, holding, inside
from lrp_ref.paper.precision import Collection, kept
from lrp_ref.paper.record import Found, Record, Task, counting, recorded, tasks, unread
from lrp_ref.paper.tasks import Progress, run_tasks
from lrp_ref.pictures.photograph import resize
from lrp_ref.relevance import relevances
from lrp_ref.starts import start

MEASURES = ("inside", "gini", "holding")
NO_CUTOFF, PIXELS = "no cut-off", "R(1), below {}"
SIGNS, CONTRAST = "random signs", "|x - mean|"   # maps without a model's meaning

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Study:
    """What was measured of one model's E explanations, each a class that is seen in an image.

    kinds     the types of the model's layers
    cutoffs   {how the map is called: the layer that it is cut off below, or None}
    scenes    (E,) positions of the images in the collection;  classes (E,) of the classes
    scores    (E,) of those classes
    areas     (E,) the part of the image that the class's region covers
    measures  {map or control: (E, 3)}, the share of positive relevance inside the region, the Gini index of |R| and the
              share of pixels that holds nine tenths of it; NaN where the score is not positive: such an explanation
              says what speaks against the class
    """

    kinds: frozenset[type[Layer]]
    cutoffs: Mapping[str, str | None]
    scenes: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: Numbers
    areas: Numbers
    measures: Mapping[str, Numbers]

    def of(self, name: str, measure: str) -> Numbers:
        """A measure (E,) of a map or control, by their names; "excess" is the share inside less the region's area."""
        if measure == "excess":
            return self.of(name, "inside") - self.areas
        values: Numbers = self.measures[name][:, MEASURES.index(measure)]
        return values

    @property
    def left_out(self) -> int:
        """How many explanations have a score that is not positive."""
        return int((self.scores <= 0).sum())


def cutoffs(network: Network) -> dict[str, str | None]:
    """{label: the layer to cut off below, or None}: every cut-off of a network that says something new.

    A Fisher network is cut off below its FisherVector: all that a descriptor was given is spread over what it sees, the
    paper's cut-off at R(1). Any other network: above the lowest convolution (R(1)) and above every pooling.
    """
    names, found = network.names, {NO_CUTOFF: None}
    fisher = next((n for n, (_, layer) in enumerate(network) if isinstance(layer, FisherVector)), None)
    if fisher is not None:
        evenly = all(isinstance(layer, DenseSift) for _, layer in network.layers[:fisher])   # with or without
        return found | ({} if evenly else {PIXELS.format(names[fisher]): names[fisher]})
    above = [(type(layer), names[n]) for n, (_, layer) in enumerate(network.layers[:-1], 1)]
    lowest = next((name for kind, name in above if issubclass(kind, Conv2D)), None)
    pools = [name for kind, name in above if issubclass(kind, Pool)]
    return (found | ({PIXELS.format(lowest): lowest} if lowest is not None else {})
            | {f"below {name}": name for name in pools})


def maps(network: Network, xs: Mapping[str, Array], rules: Rules, target: int,
         below: Mapping[str, str | None]) -> dict[str, Array]:
    """{label: (H, W)}: the relevance of an image's pixels, channels summed, for every cut-off.

    xs is what `network.activations` gave for one image.
    """
    begin = start(xs[network.output], target)
    Rs = relevances(network, xs, rules, begin).of
    return {label: heatmap(Rs[INPUT] if layer is None else cut_off(network, rules, layer, xs, Rs, begin))[0]
            for label, layer in below.items()}


def random_signs(shape: tuple[int, ...], seed: int) -> Numbers:
    """+1 or -1 at every pixel, as likely: a map of equal strength everywhere. PCG64's raw words, the highest bit."""
    words = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return 1 - 2 * (words >> np.uint64(63)).astype(np.float64).reshape(shape)


def contrast(x: Array) -> Numbers:
    """sum_c |x_pc - mean_c|: how far each pixel is from its image's mean, as the network sees it. x (1, C, H, W)."""
    x = np.asarray(x, dtype=np.float64)
    return np.abs(x - x.mean(axis=(2, 3), keepdims=True)).sum(axis=1)[0]


def measured(values: Array, region: Numbers) -> tuple[float, float, float]:
    """MEASURES of a map; + 0.0 turns -0 to 0, as files of results keep it."""
    return inside(values, region) + 0.0, gini(values) + 0.0, holding(values)


@dataclass(frozen=True, eq=False)
class Studying:
    """What a worker is sent: models and rules, from which it makes a task's record."""

    models: Mapping[str, Model]
    classes: tuple[str, ...]
    rules: Callable[[Network], Rules] = paper_rules

    def __call__(self) -> Callable[[Task], Record]:
        return partial(studied, self, {name: kept(model) for name, model in self.models.items()})


def studied(job: Studying, networks: Mapping[str, Callable[[tuple[int, ...]], Any]], task: Task) -> Record:
    """One photograph, read and run once per model: its scores, and its maps of every class that is seen in it."""
    try:
        image = task.seen.image
        prepared = {name: model.prepare(image) for name, model in job.models.items()}
        masks = task.seen.masks if task.explain else None
    except (ValueError, OSError) as error:
        return unread(task, error)
    scores: dict[str, tuple[float, ...]] = {}
    found: list[Found] = []
    for name, model in job.models.items():
        x = prepared[name]
        network, columns, xs, scores[name] = scored(model, networks[name], x, job.classes)
        if masks is not None:
            rules, below = job.rules(network), cutoffs(model.chain)
            for n, c in enumerate(np.flatnonzero(task.seen.labels).tolist()):
                region, score = resize(model.seen(masks[c]).astype(float), x.shape[2:]), scores[name][c]
                seen: dict[str, Array] = {}
                if score > 0:
                    seen = maps(network, xs, rules, columns[c], below)
                    seen |= {SIGNS: random_signs(region.shape, task.first + n), CONTRAST: contrast(x)}
                found.append(Found(name, c, score, float(region.mean()),
                                   {label: measured(values, region) for label, values in seen.items()}))
    return recorded(task, scores, tuple(found))


def scored(model: Model, network_for: Callable[[tuple[int, ...]], Network], x: Array, classes: Iterable[str]
           ) -> tuple[Network, list[int], dict[str, Array], tuple[float, ...]]:
    """The network for x, where the classes are among its scores, all its tensors, and these scores."""
    network, columns = network_for(x.shape), [model.class_index(one) for one in classes]
    xs = network.activations(x)
    return network, columns, xs, tuple((xs[network.output][0, columns] + 0.0).tolist())


def study(model: Model, collection: Collection, rules: Callable[[Network], Rules] = paper_rules, name: str = "model",
          watch: Watch = unwatched, executor: Executor | None = None) -> Study:
    """A model's maps of every class that is seen in the images to explain, and the two controls, measured.

    executor  whose workers do it, an image each; None: this process. The numbers are the same.
    """
    asked, records = list(tasks(collection, explained_only=True)), list[Record]()
    progress = Progress(watch, f"images, {name}", len(asked))

    def done(one: Record) -> None:
        if one.error:
            raise ValueError(one.error)
        records.append(one)
        progress.one_more()

    run_tasks(Studying({name: model}, collection.classes, rules), asked, done, executor)
    return study_of(records, name, cutoffs(model.chain), {type(layer) for _, layer in model.chain})


def study_of(records: Iterable[Record], name: str, below: Mapping[str, str | None],
             kinds: Iterable[type[Layer]]) -> Study:
    """A model's study from the records of photographs, in the photographs' order."""
    rows = [(one.position, found) for one in counting(records) for found in one.found if found.model == name]
    nothing = (np.nan,) * len(MEASURES)
    return Study(frozenset(kinds), below, np.array([scene for scene, _ in rows], int),
                 np.array([found.place for _, found in rows], int), np.array([found.score for _, found in rows], float),
                 np.array([found.area for _, found in rows], float),
                 {label: np.array([found.measures.get(label, nothing) for _, found in rows], float)
                  .reshape(-1, len(MEASURES)) for label in (*below, SIGNS, CONTRAST)})
