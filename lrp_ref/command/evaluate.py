"""lrp-ref evaluate: models on images whose truth is known."""

from __future__ import annotations

import os
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lrp_ref.command.failed import losing_nothing
from lrp_ref.command.measuring import measured_by
from lrp_ref.command.outputs import dumped, save_arrays, spare, writes_arrays
from lrp_ref.command.which_model import ready_model
from lrp_ref.command.workers import workers_asked
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import PAPERS
from lrp_ref.paper import report as experiment_report
from lrp_ref.paper.plot import plot
from lrp_ref.paper.precision import Collection, bundled, knows_all
from lrp_ref.paper.record import Record
from lrp_ref.paper.runs import description, from_records, unread_text
from lrp_ref.paper.study import MEASURES, Studying
from lrp_ref.paper.voc import read_voc
from lrp_ref.pictures.picture import image_format, save_image

SCENES = 5000             # are made and kept, which takes a gigabyte; to explain them takes hours
PHOTOGRAPHS = 1_000_000   # are explained: more than any set of photographs has
SEEDS = 2**64 - 2         # of 64 bits, as are the words that are drawn; the next one is taken too
FOLDERS = ("JPEGImages", "ImageSets/Main", "Annotations")   # of VOC's layout, which are read


def evaluate_command(options: Namespace, watch: Watch) -> str:
    images_asked(options)
    workers_asked(options)
    given = options.model or PAPERS
    spare("--results", options.results, *given)   # among photographs too: no file but its own is written over
    spare("--plot", options.plot, *given, *lost(options.plot, options.scenes))
    writes_arrays(options.save, *given, *lost(options.save, options.scenes))
    if options.plot:
        image_format(options.plot)
    models = {name: ready_model(path, options, options.size) for name, path in labelled(given).items()}
    tested = collected(options, watch)
    for name, model in models.items():
        knows_all(model, tested.classes, name)
    described = description(tested, models, {
        "command": "evaluate", "count": str(options.count), "seed": str(options.seed), "set": options.set or "",
        "difficult": options.difficult or "", "truth": options.truth or "", "measures": dumped(list(MEASURES)),
        **{f"rules of {name}": "paper" for name in models}})
    job = Studying(models, tested.classes)
    records = measured_by(options, described, job, tested, watch)
    return report_of(options, described, records, watch)


def images_asked(options: Namespace) -> None:
    """An error, before any work, where the options that say which images cannot be."""
    counted = SCENES if options.scenes is None else PHOTOGRAPHS
    for option, value, least, most in (("--count", options.count, 1, counted), ("--seed", options.seed, 0, SEEDS)):
        if not least <= value <= most:
            raise ValueError(f"got {option} {value}, needed at least {least} and at most {most}")
    for option, value in (("--set", options.set), ("--difficult", options.difficult), ("--truth", options.truth)):
        if value is not None and options.scenes is None:
            raise ValueError(f"got {option} {value} without a folder of photographs, needed SCENES: the bundled scenes "
                             "have neither sets nor difficult objects")


def collected(options: Namespace, watch: Watch, baseline: bool = True) -> Collection:
    """The images that the options ask for: the bundled scenes, or those of a folder."""
    if options.scenes is None:
        return bundled(options.count, options.seed, watch, baseline)
    return read_voc(options.scenes, options.set or "test", options.difficult == "count", options.count, options.seed,
                    watch, options.truth == "masks")


def report_of(options: Namespace, described: dict[str, str], records: Sequence[Record], watch: Watch) -> str:
    """What is printed of a run, after its files are written."""
    seen = from_records(described, records)
    found = experiment_report.text(seen.collection, seen.precisions, seen.studies)
    if options.json:
        found = dumped({"count": int(described["count"]), "seed": int(described["seed"]),
                        **experiment_report.facts(seen.collection, seen.precisions, seen.studies), "plot": options.plot,
                        "save": options.save, "unread": dict(seen.unread)})
    elif seen.unread:
        found += "\n\n" + unread_text(seen.unread, int(described["photographs"]))
    with losing_nothing(found):
        if options.plot:
            watch(f"writing {options.plot}")
            save_image(options.plot, plot(seen.studies).pixels)
        if options.save:
            save_arrays(options.save, experiment_report.arrays(seen.collection, seen.studies))
    written = {} if options.json else {"plot": options.plot, "arrays": options.save}
    return "\n".join([found, *(f"{what} written to {path}" for what, path in written.items() if path)])


def lost(path: str | None, folder: str | None) -> list[str]:
    """The inputs among which the file at `path`, which would be replaced, must not be: itself, where it lies below the
    folder of photographs; and what stands in the folders that are read, which may be links to where it lies."""
    if not (path and folder and Path(path).exists()):
        return []
    found = [path] if Path(path).resolve().is_relative_to(Path(folder).resolve()) else []
    for part in FOLDERS:
        with suppress(OSError):   # it is not there, which is said later
            found += [entry.path for entry in os.scandir(Path(folder) / part)]
    return found


def labelled(paths: Sequence[str]) -> dict[str, str]:
    """{file name: path}; the whole path where two files have the same name."""
    names = [Path(path).name for path in paths]
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise ValueError(f"got --model {twice[0]} twice, needed every model once")
    return {name if names.count(name) == 1 else path: path for name, path in zip(names, paths)}
