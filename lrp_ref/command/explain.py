"""lrp-ref explain and figure: photographs in, heatmaps and ledgers out; texts go to tokens.py."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, is_fisher
from lrp_ref.command import report
from lrp_ref.command.again import digest_of, made_before, same_command, stamp, with_files
from lrp_ref.command.beginning import for_bounds, notes, start_of, through_of
from lrp_ref.command.failed import Unwritten
from lrp_ref.command.layer_table import by
from lrp_ref.command.outputs import Pictured, dumped, save_arrays, spare, writes_arrays
from lrp_ref.command.rule_names import rules_for, usual_rule
from lrp_ref.command.which_model import ready_model
from lrp_ref.command.workers import workers, workers_asked
from lrp_ref.hints import Watch, listed, unwatched
from lrp_ref.ledger import COLUMNS
from lrp_ref.models.bundled import knows, ready, usual_model
from lrp_ref.models.explained import Explained
from lrp_ref.models.model import Model
from lrp_ref.models.usual import named_cutoff
from lrp_ref.network import INPUT, Network
from lrp_ref.paper.figures import Subject, one_figure, paper_figure
from lrp_ref.paper.tasks import Progress, run_tasks
from lrp_ref.pictures.colours import limit_of
from lrp_ref.pictures.photograph import is_photograph, read_photograph
from lrp_ref.pictures.picture import image_format, save_heatmap, save_image

PERCENTILE = 99.5   # of |relevance| in a picture's strongest colour: of some rules the largest is all that is seen


def explain_command(options: Namespace, watch: Watch) -> str:
    """One photograph in full; of several, or of a folder, scores and files."""
    if not options.images or options.vocabulary is not None:
        raise ValueError("got --vocabulary without --tokens TEXT, which it is for" if options.images else
                         "got nothing to explain, needed an IMAGE, or --tokens TEXT: see lrp-ref explain --help")
    name = options.model or usual_model()
    images = photographs(options.images)
    several = len(images) > 1 or images != options.images
    workers_asked(options)
    if not several and (options.workers or options.dask):
        raise ValueError("got --workers or --dask with one photograph, which is one task: leave it out, or name a "
                         "folder")
    writes(options, images, name, several)
    for_bounds(options)
    job = Explaining(options, name, ready_model(name, options, options.size))
    given = job.given()   # misspelt? now, not later
    if several:
        return all_photographs(job, images, watch)
    one = one_photograph(options, name, job.model, {**given, "watch": watch}, images[0])
    return dumped(one) if options.json else one


@dataclass(frozen=True, eq=False)
class Explaining:
    """What a worker is sent: the model, and the options, of which it makes the rest."""

    options: Namespace
    name: str
    model: Model

    def given(self) -> dict[str, Any]:
        """What `model.explain` is given besides the photograph."""
        options, model = self.options, self.model
        target = None if options.target is None else model.class_index(options.target)
        return {"target": target, "watch": unwatched, "start": start_of(options.start, target, model),
                "rules": rules_for(model, model.chain, options.rule or usual_rule(model.chain), options.first,
                                   options.cutoff),
                "through": through_of(options.through, model.chain)}

    def __call__(self) -> Callable[[tuple[int, str]], tuple[int, Any, str]]:
        given, command = self.given(), same_command(self.options, self.name, self.model)

        def one(task: tuple[int, str]) -> tuple[int, Any, str]:
            """The photograph's position, what is printed of it, and why there is nothing."""
            n, image = task
            try:
                of = command + digest_of(image)
                found = made_before(files_of(self.options, image), of)
                if found is None:
                    found = one_photograph(self.options, self.name, self.model, given, image, of)
                return n, found, ""
            except (ValueError, OSError) as error:
                return not_explained(task, error)
        return one


def not_explained(task: tuple[int, str], error: Exception) -> tuple[int, None, str]:
    return task[0], None, f"{task[1]}: {error}"


def one_photograph(options: Namespace, name: str, model: Model, given: dict[str, Any], image: str, of: str = "") -> Any:
    """What is printed of a photograph, after its files are written: text, or facts.

    of  one of several: of which command and photograph the files are, which is kept in them; no rules and ledger
    """
    watch, rules = given["watch"], given["rules"]
    watch(f"reading {image}")
    pixels = read_photograph(image)
    e = model.explain(pixels, **given)
    network, index = model.network(e.relevance.shape), e.target
    bound = {}
    if options.bound:
        from lrp_ref.checks.rounding.bounds import bounds

        watch("bounding")
        b = bounds(network, e.activations[INPUT], rules, index)
        bound = {"bound": {"relative": report.finite(b.relative), "undecided": dict(b.undecided),
                           "infinite": b.infinite}}
    written = files_of(options, image)
    drawn = draw(options, e, written, watch)
    found: Any
    if options.json:
        found = {"image": image, "model": name, **report.facts(model, network, e, index, rules),
                 "start": options.start or "logit", "through": given["through"] or {}, **bound}
    else:
        seen, shape = e.photograph.shape[:2], e.relevance.shape
        middle = "" if seen == pixels.shape[:2] else f", the middle {by(seen)} of them"
        lines = [f"{Path(image).name}: {by(pixels.shape[:2])} pixels (height x width){middle}, seen by the model "
                 f"as {by(shape[2:])} {model.preprocessing.colour}"]
        if of:
            lines.append(report.scores_text(model, e.scores[0], index))
        else:
            lines += [*knows(name, model, chosen=options.model is not None), *notes(options), "",
                      report.text(model, network, e, index, rules, options.ledger)]
        if options.bound:
            lines += ["", f"bound: {b}"]
        found = "\n".join(lines)
    if arrays := written["save"]:
        save_arrays(arrays, arrays_of(e) | (stamp(of, found) if of else {}))
    printed = with_files(found, written)
    return printed if of or options.json else Pictured(printed, drawn)


def all_photographs(job: Explaining, images: Sequence[str], watch: Watch) -> str:
    """All that can be read; what cannot is told at the end, and the program ends with 2."""
    found: dict[int, tuple[Any, str]] = {}
    with workers(job.options) as (executor, ahead):
        progress = Progress(watch, "photographs", len(images))

        def done(one: tuple[int, Any, str]) -> None:
            found[one[0]] = one[1:]
            progress.one_more()

        run_tasks(job, enumerate(images), done, executor, ahead, not_explained)
    printed = [found[n][0] for n in range(len(images)) if not found[n][1]]
    wrong = [found[n][1] for n in range(len(images)) if found[n][1]]
    text = dumped(printed) if job.options.json else "\n\n".join(printed)
    if wrong:
        raise Unwritten(ValueError(f"{len(wrong)} of {len(images)} photographs are not explained: {wrong[0]}"), text)
    return text


def photographs(given: Sequence[str]) -> list[str]:
    """The photographs, and in the place of a folder those in it, by their names; other files in it are passed over."""
    found: list[str] = []
    for path in given:
        inside = [path]
        if os.path.isdir(path):
            inside = [str(one) for one in sorted(Path(path).iterdir()) if is_photograph(one)]
        if not inside:
            raise ValueError(f"got the folder {path}, in which no file is an image: give photographs")
        found += inside
    return found


def writes(options: Namespace, images: Sequence[str], model: str, several: bool) -> None:
    """An error, before the work, unless all files that are asked for can be written."""
    alone = [f"--{name}" for name in ("output", "panels", "save", "bound") if getattr(options, name)]
    if several and alone:
        raise ValueError(f"got {len(images)} photographs with {alone[0]}, which is for one: --output-dir FOLDER writes "
                         "a picture and an .npz file for each")
    if options.output_dir:
        folder, own = options.output_dir, [f"--{name}" for name in ("panels", "save") if getattr(options, name)]
        if own:
            raise ValueError(f"got {own[0]} with --output-dir, which writes such a file itself: leave one of them out")
        if not os.path.isdir(folder) and (os.path.lexists(folder) or not os.path.isdir(os.path.dirname(folder) or ".")):
            raise ValueError(f"got --output-dir {folder}, needed a folder, or a new one in a folder that there is")
        twice = [stem for stem, count in Counter(Path(image).stem for image in images).items() if count > 1]
        if twice:
            raise ValueError(f"got two photographs named {listed(twice)}, whose files in {folder} would be one: "
                             "explain them apart")
        os.makedirs(folder, exist_ok=True)
    for image in images:
        for what, path in files_of(options, image).items():
            if what == "save":
                writes_arrays(path, *images, model)
            elif path:
                spare(f"--{what}", path, *images, model)
                image_format(path)


def files_of(options: Namespace, image: str) -> dict[str, str | None]:
    """{what: the file that is written of it, or None}"""
    if not options.output_dir:
        return {what: getattr(options, what) for what in ("output", "panels", "save")}
    path = str(Path(options.output_dir) / Path(image).stem)
    return {"output": options.output, "panels": f"{path}.png", "save": f"{path}.npz"}


def draw(options: Namespace, e: Explained, written: Mapping[str, str | None], watch: Watch) -> str:
    """The pictures in their files; and, where someone looks who has asked for none, one for the terminal."""
    from lrp_ref.pictures.views import draws, half_blocks, overlay, panels, smoothed

    values = e.heatmap if options.smooth == 1 else smoothed(e.heatmap, options.smooth)
    percentile = options.percentile
    if percentile is None:   # where fewer pixels have any relevance all of it is shown
        percentile = PERCENTILE if np.percentile(abs(values), PERCENTILE) > 0 else 100
    limit = limit_of(values, percentile=percentile)
    if written["output"]:
        watch(f"writing {written['output']}")
        save_heatmap(written["output"], values, e.photograph.shape[:2], options.colours,
                     None if percentile == 100 else limit)
    if written["panels"]:
        watch(f"writing {written['panels']}")
        what = ["relevance"] + [f"cut off below {options.cutoff}"] * (options.cutoff is not None)
        what += [f"smoothed over {options.smooth} x {options.smooth}"] * (options.smooth > 1)
        made = panels(e.photograph, {e.caption: values}, options.colours, percentile, ", ".join(what))
        save_image(written["panels"], made.pixels)
    if any(written.values()) or options.json or not draws():
        return ""
    return half_blocks(overlay(e.photograph, values, options.colours, limit))


def arrays_of(e: Explained) -> dict[str, Any]:
    """What --save writes."""
    accounts = np.array([[float(column[0]) for column in columns] for columns in e.ledger.sums().values()])
    return {"relevance": e.relevance, "heatmap": e.heatmap[None], "scores": e.scores, "target": e.target,
            "classes": np.array(e.classes), "rules": json.dumps(report.names(e.rules)),
            "ledger": accounts, "ledger_layers": np.array(e.ledger.names), "ledger_columns": np.array(COLUMNS)}


def figure_command(options: Namespace, watch: Watch) -> str:
    kinds = {"cnn": options.cnn, "fv": options.fv}
    asked = {kind: name for kind, name in kinds.items() if name} | {name: name for name in options.model}
    asked = asked or {kind: kind for kind in kinds}
    one_figure(len(options.images), len(asked))
    spare("--output", options.output, *options.images, *asked.values())
    image_format(options.output)
    cut = next(iter(asked))   # the first, a CNN unless there is none: whose layers --cutoff names
    subjects = {kind: subject(kind, name, options, options.cutoff if kind == cut else None)
                for kind, name in asked.items()}
    names = [Path(image).name for image in options.images]
    count = Counter(names)

    def pairs() -> Iterator[tuple[str, Array]]:
        for name, image in zip(names, options.images):
            watch(f"reading {image}")
            yield name if count[name] == 1 else image, read_photograph(image)

    drawn = paper_figure(subjects, pairs(), options.colours, watch, options.percentile)
    watch(f"writing {options.output}")
    save_image(options.output, drawn.pixels)
    size = by(drawn.pixels.shape[:2])
    known = [line for kind, name in asked.items() for line in knows(name, subjects[kind].model)]
    return "\n".join([*known, f"figure written to {options.output}, {size} pixels"])


def subject(kind: str, name: str, options: Namespace, below: str | None) -> Subject:
    """The model for the figure's rows and how it is explained; an error, before the work, where something is wrong."""
    model = ready(name) if kind == "fv" else ready_model(name, options, options.size)
    if kind in ("cnn", "fv") and is_fisher(model.chain) != (kind == "fv"):
        other = "--fv" if kind == "cnn" else "--cnn"
        raise ValueError(f"got --{kind} {name}, which is a model of the other kind: write {other} {name}")
    rule = options.rule or usual_rule(model.chain)
    rules_for(model, model.chain, rule, options.first, below)   # misspelt? now, not later

    def rules(network: Network) -> Rules:
        return rules_for(model, network, rule, options.first)

    target = None if options.target is None else model.class_index(options.target)
    return Subject(model, rules, target, None if below is None else named_cutoff(model.chain, below))
