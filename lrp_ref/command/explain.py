"""lrp-ref explain and figure: photographs in, heatmaps and ledgers out."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, is_fisher
from lrp_ref.command import report
from lrp_ref.command.beginning import for_bounds, notes, start_of, through_of
from lrp_ref.command.layer_table import by
from lrp_ref.command.outputs import dumped, save_arrays, spare, writes_arrays
from lrp_ref.command.rule_names import rules_for, usual_rule
from lrp_ref.command.which_model import ready_model
from lrp_ref.heatmap import heatmap
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import knows, ready, usual_model
from lrp_ref.network import Network
from lrp_ref.paper.figures import Subject, one_figure, paper_figure
from lrp_ref.pictures.colours import limit_of
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.pictures.picture import image_format, save_heatmap, save_image
from lrp_ref.relevance import explain


def explain_command(options: Namespace, watch: Watch) -> str:
    name = options.model or usual_model()
    spare("--output", options.output, options.image, name)   # before the work, not after it
    writes_arrays(options.save, options.image, name)
    if options.output:
        image_format(options.output)
    for_bounds(options)
    model = ready_model(name, options, options.size)
    target = None if options.target is None else model.class_index(options.target)
    rules = rules_for(model, model.chain, options.rule or usual_rule(name), options.first, options.cutoff)
    start, through = start_of(options.start, target, model), through_of(options.through, model.chain)
    watch(f"reading {options.image}")
    pixels = read_photograph(options.image)
    x = model.prepare(pixels)
    seen = model.seen(pixels).shape[:2]
    network = model.network(x.shape)
    e = explain(network, x, rules, start, watch, through)
    index = int(e.scores[0].argmax()) if target is None else target
    bound = {}
    if options.bound:
        from lrp_ref.checks.rounding.bounds import bounds

        watch("bounding")
        b = bounds(network, x, rules, index)
        bound = {"bound": {"relative": report.finite(b.relative), "undecided": dict(b.undecided),
                           "infinite": b.infinite}}
    values = heatmap(e.relevance)
    limit = limit_of(values[0], percentile=options.percentile)
    if options.output:
        watch(f"writing {options.output}")
        save_heatmap(options.output, values[0], seen, options.colours,
                     None if options.percentile == 100 else limit)
    if options.save:
        save_arrays(options.save, {"relevance": e.relevance, "heatmap": values, "scores": e.scores, "target": index,
                                   "rules": json.dumps(report.names(rules))})
    if options.json:
        return dumped({"image": options.image, "model": name, **report.facts(model, network, e, index, rules),
                       "start": options.start or "logit", "through": through or {}, **bound,
                       "output": options.output, "save": options.save})
    middle = "" if seen == pixels.shape[:2] else f", the middle {by(seen)} of them"
    lines = [f"{Path(options.image).name}: {by(pixels.shape[:2])} pixels (height x width){middle}, seen by the model "
             f"as {by(x.shape[2:])} {model.preprocessing.colour}",
             *knows(name, model, chosen=options.model is not None), *notes(options), "",
             report.text(model, network, e, index, rules)]
    if options.bound:
        lines += ["", f"bound: {b}"]
    written = {"heatmap": options.output, "arrays": options.save}
    return "\n".join(lines + [f"{what} written to {path}" for what, path in written.items() if path])


def figure_command(options: Namespace, watch: Watch) -> str:
    asked = {"cnn": options.cnn, "fv": options.fv}
    asked = {kind: name for kind, name in asked.items() if name} or {kind: kind for kind in asked}
    one_figure(len(options.images), len(asked))
    spare("--output", options.output, *options.images, *asked.values())
    image_format(options.output)
    cut = next(iter(asked))   # the CNN, unless the pipeline is alone: whose layers --cutoff names
    subjects = {kind: subject(kind, name, options, options.cutoff if kind == cut else None)
                for kind, name in asked.items()}
    names = [Path(image).name for image in options.images]
    count = Counter(names)

    def photographs() -> Iterator[tuple[str, Array]]:
        for name, image in zip(names, options.images):
            watch(f"reading {image}")
            yield name if count[name] == 1 else image, read_photograph(image)

    drawn = paper_figure(subjects, photographs(), options.colours, watch, options.percentile)
    watch(f"writing {options.output}")
    save_image(options.output, drawn.pixels)
    size = by(drawn.pixels.shape[:2])
    known = [line for kind, name in asked.items() for line in knows(name, subjects[kind].model)]
    return "\n".join([*known, f"figure written to {options.output}, {size} pixels"])


def subject(kind: str, name: str, options: Namespace, below: str | None) -> Subject:
    """The model for the figure's rows and how it is explained; an error, before the work, where something is wrong."""
    model = ready_model(name, options, options.size) if kind == "cnn" else ready(name)
    if is_fisher(model.chain) != (kind == "fv"):
        other = "--fv" if kind == "cnn" else "--cnn"
        raise ValueError(f"got --{kind} {name}, which is a model of the other kind: write {other} {name}")
    rule = options.rule or usual_rule(name)
    rules_for(model, model.chain, rule, options.first, below)   # misspelt? now, not later

    def rules(network: Network) -> Rules:
        return rules_for(model, network, rule, options.first)

    return Subject(model, rules, None if options.target is None else model.class_index(options.target), below)
