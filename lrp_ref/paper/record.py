"""What is known of one photograph when it is done: scores, what was found of its classes, or why it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.models.model import Model
from lrp_ref.paper.precision import Collection, Seen, Table, precision_table


@dataclass(frozen=True, eq=False)
class Task:
    """A photograph of a collection, by its position; first: how many explanations those before it ask for."""

    position: int
    name: str
    seen: Seen
    explain: bool
    first: int
    baselines: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Found:
    """What was measured of a class that is seen in a photograph; measures {map: numbers}, curves {map: numbers}."""

    model: str
    place: int    # of the class, in the collection
    score: float
    area: float
    measures: Mapping[str, tuple[float, ...]]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A photograph that is done. scores {model or baseline: (C,)}; error: why it cannot be read, and counts nowhere."""

    position: int
    name: str
    labels: tuple[bool, ...]
    counted: tuple[bool, ...]
    explain: bool
    scores: Mapping[str, tuple[float, ...]]
    found: tuple[Found, ...]
    error: str = ""


def tasks(collection: Collection, but: Any = (), explained_only: bool = False) -> Iterator[Task]:
    """Every photograph of a collection, those at the positions `but` left out."""
    asked, first = set(collection.explain), 0
    for position, (name, seen) in enumerate(zip(collection.names, collection.scenes, strict=True)):
        explain = position in asked
        if position not in but and (explain or not explained_only):
            rows = {column: tuple(scores[position].tolist()) for column, scores in collection.baselines.items()}
            yield Task(position, name, seen, explain, first, rows)
        first += int(np.sum(seen.labels)) if explain else 0


def unread(task: Task, error: Exception) -> Record:
    """The record of a photograph that cannot be read."""
    return recorded(task, {}, (), str(error))


def recorded(task: Task, scores: Mapping[str, tuple[float, ...]], found: tuple[Found, ...], error: str = "") -> Record:
    labels, counted = (tuple(map(bool, of)) for of in (task.seen.labels, task.seen.counted))
    return Record(task.position, task.name, labels, counted, task.explain, {**task.baselines, **scores}, found, error)


def counting(records: Iterable[Record]) -> list[Record]:
    """Those that could be read, by their positions, whatever order they were done in."""
    return sorted((one for one in records if not one.error), key=lambda one: one.position)


def precisions(records: Iterable[Record], classes: Sequence[str], columns: Iterable[str]) -> Table:
    """Average precision of every model and baseline on the photographs that could be read."""
    there, shape = counting(records), (-1, len(classes))
    scores = {name: np.array([one.scores[name] for one in there], float).reshape(shape) for name in columns}
    labels, counted = (np.array(rows, bool).reshape(shape) for rows in (
        [one.labels for one in there], [one.counted for one in there]))
    return precision_table(labels, scores, tuple(classes), counted)


def digest(model: Model) -> str:
    """Of all that a model's answers depend on: the same numbers, layers and preprocessing give the same digest."""
    found = sha256(repr((model.preprocessing, list(model.classes), model.regions)).encode())
    for name, layer, reads in model.chain.nodes:
        found.update(repr((name, type(layer).__name__, reads)).encode())
        for key, value in vars(layer).items():
            found.update(key.encode())
            for part in value if isinstance(value, (tuple, list)) else (value,):
                found.update(in_bytes(part))
    return found.hexdigest()[:16]


def in_bytes(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        numbers: NDArray[Any] = np.ascontiguousarray(value)
        content = repr(value.tolist()).encode() if value.dtype == object else numbers.tobytes()
        return f"{value.dtype}{value.shape}".encode() + content
    return repr(value).encode()
