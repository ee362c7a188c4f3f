"""What a run is a run of, as text beside its results: whoever has the results alone can print what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from lrp_ref.hints import quotable
from lrp_ref.layers import LAYERS
from lrp_ref.models.model import Model
from lrp_ref.paper.precision import Collection, Table
from lrp_ref.paper.record import Record, digest, precisions
from lrp_ref.paper.study import Study, cutoffs, study_of
from lrp_ref.paper.table1 import with_table1
from lrp_ref.version import __version__

SHOWN = 3   # photographs that could not be read, with what is wrong


def description(collection: Collection, models: Mapping[str, Model], options: Mapping[str, str]) -> dict[str, str]:
    """{name: value} of all that the results of a run depend on: two runs that are alike in it may share a file."""
    return {
        "lrp_ref": __version__, "numpy": np.__version__, **options, **of_collection(collection),
        "baselines": json.dumps(list(collection.baselines)), "models": json.dumps(list(models)),
        **{f"model {name}": digest(model) for name, model in models.items()},
        **{f"cut-offs of {name}": json.dumps(cutoffs(model.chain)) for name, model in models.items()},
        **{f"layers of {name}": json.dumps(sorted({type(layer).__name__ for _, layer in model.chain}))
           for name, model in models.items()}}


def of_collection(collection: Collection) -> dict[str, str]:
    """What a collection is, its names and labels as a digest."""
    labels = np.stack([seen.labels for seen in collection.scenes]) if len(collection.scenes) else np.zeros(0, bool)
    names = sha256(json.dumps([list(collection.names), labels.tolist(), list(collection.explain)]).encode())
    return {"images": collection.title, "photographs": str(len(collection.scenes)),
            "explained": str(len(collection.explain)), "names and labels": names.hexdigest()[:16],
            "classes": json.dumps(collection.classes)}


@dataclass(frozen=True, eq=False)
class FromRecords:
    """What a report is made of: the same for one process and many, for a run at one go and one that was resumed."""

    collection: Collection
    precisions: Table
    studies: Mapping[str, Study]
    unread: Mapping[str, str]


def from_records(run: Mapping[str, str], records: Sequence[Record]) -> FromRecords:
    classes, models = tuple(json.loads(run["classes"])), json.loads(run["models"])
    read = [one for one in records if not one.error]
    names = {one.position: one.name for one in records}
    places = [names.get(n, "") for n in range(max(names, default=-1) + 1)]
    explained = sorted(one.position for one in read if one.explain)
    collection = Collection(run["images"], classes, places, (), explained, {})
    kinds = {name: [LAYERS[kind] for kind in json.loads(run[f"layers of {name}"]) if kind in LAYERS]
             for name in models}
    return FromRecords(
        collection, with_table1(precisions(read, classes, [*json.loads(run["baselines"]), *models]), run),
        {name: study_of(read, name, json.loads(run[f"cut-offs of {name}"]), kinds[name]) for name in models},
        {one.name: one.error for one in sorted(records, key=lambda one: one.position) if one.error})


def unread_text(unread: Mapping[str, str], total: int) -> str:
    """The line on photographs that could not be used."""
    said = "; ".join(f"{quotable(name)}: {quotable(why, 200)}" for name, why in [*unread.items()][:SHOWN])
    more = f"; and {len(unread) - SHOWN} more" if len(unread) > SHOWN else ""
    return f"{len(unread)} of {total} photographs could not be used and count nowhere: {said}{more}"
