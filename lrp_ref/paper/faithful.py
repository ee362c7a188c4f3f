"""Does the score go when a map's most relevant regions go? Every rule and cut-off, beside maps that know no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules
from lrp_ref.models.model import Model
from lrp_ref.paper.findings import Finding, finding
from lrp_ref.paper.measures import box_overlap, pointing
from lrp_ref.paper.perturb import aopc, curve, filling, ranking, region_sums
from lrp_ref.paper.precision import kept
from lrp_ref.paper.record import Found, Record, Task, counting, recorded, unread
from lrp_ref.paper.study import CONTRAST, NO_CUTOFF, Numbers, contrast, cutoffs, maps, scored
from lrp_ref.pictures.photograph import resize

RANDOM, EDGES = "random order", "edges"   # beside CONTRAST
CONTROLS = (RANDOM, CONTRAST, EDGES)
MEASURES = ("most", "least", "pointing", "box")
MOST, LEAST = "most", "least"   # relevant first

BEST = "{} represents the decision best: area between its curves - that of another rule"
MEANS = "a map says more than {} does: area between its curves - between those of {}"
BETTER = "a map with a cut-off explains better: area between its curves - that of the map without"
LOCALISES = "a low resolution localises: overlap of the best box with the highest cut-off - without a cut-off"
POINTS = "a low resolution localises: pointing with the highest cut-off - without a cut-off"
VERIFIES = "a high resolution verifies: area between the curves without a cut-off - with the highest"


@dataclass(frozen=True, eq=False)
class Perturbing:
    """What a worker is sent. rules {model: {rule: every layer's rule}}; steps: how many regions are replaced."""

    models: Mapping[str, Model]
    classes: tuple[str, ...]
    rules: Mapping[str, Mapping[str, Rules]]
    fill: str
    steps: int
    seed: int

    def __call__(self) -> Callable[[Task], Record]:
        return partial(perturbed, self, {name: kept(model) for name, model in self.models.items()})


def perturbed(job: Perturbing, networks: Mapping[str, Callable[[tuple[int, ...]], Any]], task: Task) -> Record:
    """One photograph: every class that is seen in it and has a positive score, under every rule with every cut-off."""
    try:
        image, masks = task.seen.image, task.seen.masks
        prepared = {name: model.prepare(image) for name, model in job.models.items()}
    except (ValueError, OSError) as error:
        return unread(task, error)
    scores: dict[str, tuple[float, ...]] = {}
    found: list[Found] = []
    for name, model in job.models.items():
        x = prepared[name]
        network, columns, xs, scores[name] = scored(model, networks[name], x, job.classes)
        low, high = (np.resize(np.array(end, x.dtype), x.shape[1]) for end in model.preprocessing.box)
        fill = filling(x[0], job.fill, job.seed + task.position, low, high).astype(x.dtype)
        for c in np.flatnonzero(task.seen.labels).tolist():
            region, score = resize(model.seen(masks[c]).astype(float), x.shape[2:]), scores[name][c]
            measures: dict[str, tuple[float, ...]] = {}
            curves: dict[str, tuple[float, ...]] = {}
            if score > 0:
                run = partial(score_of, network, columns[c])
                for label, values in all_maps(job, name, model, network, xs, columns[c]):
                    sums = region_sums(values)
                    ordered = {way: ranking(sums, job.seed + task.position, way == LEAST) for way in (MOST, LEAST)}
                    lost, left = {}, np.zeros(0)
                    for way, order in ordered.items():
                        if way == MOST or label != RANDOM:   # whose order is the same either way
                            left = curve(run, x[0], fill, order, job.steps)
                        curves[f"{label}, {way}"] = tuple((left / left[0] + 0.0).tolist())
                        lost[way] = float(aopc(left) / left[0]) + 0.0
                    measures[label] = (lost[MOST], lost[LEAST], pointing(values, region), box_overlap(values, region))
            found.append(Found(name, c, score, float(region.mean()), measures, curves))
    return recorded(task, scores, tuple(found))


def all_maps(job: Perturbing, name: str, model: Model, network: Any, xs: Mapping[str, Array],
             target: int) -> Iterable[tuple[str, Array]]:
    """(label, map) of every rule and cut-off, then of the controls; equal sums everywhere are a random order."""
    below = cutoffs(model.chain)
    for rule, rules in job.rules[name].items():
        for label, values in maps(network, xs, rules, target, below).items():
            yield labelled_map(rule, label), values
    x = xs["input"]
    yield RANDOM, np.zeros(x.shape[2:])
    yield CONTRAST, contrast(x)
    yield EDGES, gradient_size(x)


def score_of(network: Any, target: int, images: Array) -> Array:
    return network(images)[:, target]


def labelled_map(rule: str, cutoff: str) -> str:
    return f"{rule}, {cutoff}"


def gradient_size(x: Array) -> Numbers:
    """|grad| of the mean over the channels, by central differences: the photograph's edges. x (1, C, H, W)."""
    light = np.asarray(x[0], dtype=np.float64).mean(axis=0)
    rows, columns = np.gradient(light)
    return np.hypot(rows, columns)


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """What was found of one model's E explanations.

    rules     the rules' names, the first being the one that others are compared with
    cutoffs   {how a map is called: the layer it is cut off below, or None}, the lowest first
    measures  {map or control: (E, 4)}: the mean share of the score that is lost, most relevant regions first and least
              relevant first; pointing; overlap of the best box. NaN where the score is not positive
    curves    {map or control: {"most" or "least": (E, L + 1)}}, the score that is left as a share of the first
    """

    rules: Sequence[str]
    cutoffs: Mapping[str, str | None]
    measures: Mapping[str, Numbers]
    curves: Mapping[str, Mapping[str, Numbers]]
    left_out: int

    @property
    def labels(self) -> list[str]:
        return [labelled_map(rule, label) for rule in self.rules for label in self.cutoffs]

    def of(self, label: str, measure: str) -> Numbers:
        """A measure (E,); "between" is what is lost most relevant first less what is lost least relevant first."""
        if measure == "between":
            return self.of(label, MOST) - self.of(label, LEAST)
        values: Numbers = self.measures[label][:, MEASURES.index(measure)]
        return values


def faithfulness_of(records: Iterable[Record], name: str, rules: Sequence[str],
                    below: Mapping[str, str | None]) -> Faithfulness:
    """A model's explanations from the records of photographs, in the photographs' order."""
    rows = [found for one in counting(records) for found in one.found if found.model == name]
    there = [found for found in rows if found.measures]
    labels = [*(labelled_map(rule, label) for rule in rules for label in below), *CONTROLS]
    return Faithfulness(
        rules, below, {label: np.array([found.measures[label] for found in there], float).reshape(-1, len(MEASURES))
                       for label in labels},
        {label: {way: np.array([found.curves[f"{label}, {way}"] for found in there], float) for way in (MOST, LEAST)}
         for label in labels}, len(rows) - len(there))


def statements(found: Mapping[str, Faithfulness]) -> Iterable[Finding]:
    """What is said of rules and cut-offs, held against the numbers, explanation by explanation."""
    for name, f in found.items():
        first = labelled_map(f.rules[0], NO_CUTOFF)
        for rule in f.rules[1:]:
            yield finding(BEST.format(f.rules[0]), f"{name}, {rule}",
                          f.of(first, "between") - f.of(labelled_map(rule, NO_CUTOFF), "between"))
    for control in CONTROLS:
        for name, f in found.items():
            for rule in f.rules:
                label = labelled_map(rule, NO_CUTOFF)
                yield finding(MEANS.format(control, control), f"{name}, {rule}", f.of(label, "between")
                              - f.of(control, "between"))
    for name, f in found.items():
        for rule in f.rules:
            for label in [*f.cutoffs][1:]:
                yield finding(BETTER, f"{name}, {rule}, {label}", f.of(labelled_map(rule, label), "between")
                              - f.of(labelled_map(rule, NO_CUTOFF), "between"))
    for statement, measure, sign in ((LOCALISES, "box", 1), (POINTS, "pointing", 1), (VERIFIES, "between", -1)):
        for name, f in found.items():
            highest = [*f.cutoffs][-1]
            for rule in f.rules if highest != NO_CUTOFF else ():
                low, high = (f.of(labelled_map(rule, label), measure) for label in (highest, NO_CUTOFF))
                yield finding(statement, f"{name}, {rule}", sign * (low - high))
