"""What the commands of lrp-ref do: options in, files written, and the text to print out."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, is_fisher
from lrp_ref.command import report
from lrp_ref.command.evaluate import evaluate_command
from lrp_ref.command.layer_table import by, layer_rows, layer_table
from lrp_ref.command.options import KNOWS, parser
from lrp_ref.command.outputs import dumped, save_arrays, spare, writes_arrays
from lrp_ref.command.rule_names import rules_for
from lrp_ref.heatmap import heatmap
from lrp_ref.models.bundled import BUNDLED, find_model, knows, learned_numbers, ready
from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.pictures.colours import limit_of
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.relevance import explain

if TYPE_CHECKING:
    from lrp_ref.paper.figures import Subject

Watch = Callable[[str], object]


class Failed(Exception):
    """A command's whole output, which says that something failed: it is printed, and the program ends with 1."""


def run(options: Namespace, watch: Watch) -> str:
    """The text that a command prints, after all its files are written."""
    commands: dict[str, Callable[[Namespace, Watch], str]] = {
        "explain": explain_command, "figure": figure_command, "demo": demo_command, "models": models_command,
        "layers": layers_command, "evaluate": evaluate_command, "selfcheck": selfcheck_command,
        "vectors": vectors_command, "conform": conform_command, "compare": compare_command,
    }
    return commands[options.command](options, watch)


def explain_command(options: Namespace, watch: Watch) -> str:
    spare("--output", options.output, options.image, options.model)   # before the work, not after it
    writes_arrays(options.save, options.image, options.model)
    if options.output:
        from lrp_ref.pictures.picture import image_format, save_heatmap

        image_format(options.output)
    model = ready(options.model, options.size)
    target = None if options.target is None else model.class_index(options.target)
    rules = rules_for(model, model.chain, options.rule, options.first, options.cutoff)
    watch(f"reading {options.image}")
    pixels = read_photograph(options.image)
    x = model.prepare(pixels)
    network = model.network(x.shape)
    e = explain(network, x, rules, target, watch)
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
        save_heatmap(options.output, values[0], pixels.shape[:2], options.colours,
                     None if options.percentile == 100 else limit)
    if options.save:
        save_arrays(options.save, {"relevance": e.relevance, "heatmap": values, "scores": e.scores, "target": index,
                                   "rules": json.dumps(report.names(rules))})
    if options.json:
        return dumped({"image": options.image, "model": options.model, **report.facts(model, network, e, index, rules),
                       **bound, "output": options.output, "save": options.save})
    lines = [f"{Path(options.image).name}: {by(pixels.shape[:2])} pixels (height x width), seen by the model "
             f"as {by(x.shape[2:])} {model.preprocessing.colour}", *knows(options.model, model), "",
             report.text(model, network, e, index, rules)]
    if options.bound:
        lines += ["", f"bound: {b}"]
    written = {"heatmap": options.output, "arrays": options.save}
    return "\n".join(lines + [f"{what} written to {path}" for what, path in written.items() if path])


def figure_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.paper.figures import one_figure, paper_figure
    from lrp_ref.pictures.picture import image_format, save_image

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
    from lrp_ref.paper.figures import Subject

    model = ready(name, options.size if kind == "cnn" else None)
    if is_fisher(model.chain) != (kind == "fv"):
        other = "--fv" if kind == "cnn" else "--cnn"
        raise ValueError(f"got --{kind} {name}, which is a model of the other kind: write {other} {name}")
    rules_for(model, model.chain, options.rule, options.first, below)   # misspelt? now, not later

    def rules(network: Network) -> Rules:
        return rules_for(model, network, options.rule, options.first)

    return Subject(model, rules, None if options.target is None else model.class_index(options.target), below)


def demo_command(options: Namespace, watch: Watch) -> str:
    with resources.as_file(resources.files("lrp_ref.data_fixtures") / "scenes" / "scene.png") as scene:
        asked = [str(scene), "--class", "cat"]   # the same for every model, so that their maps can be compared
        drawn = run(parser().parse_args(["figure", *asked, "--output", options.output]), watch)
        explained = [run(parser().parse_args(["explain", *asked, "--model", name]), watch) for name in BUNDLED]
    return "\n\n".join([*explained, drawn.splitlines()[-1]])


def models_command(options: Namespace, watch: Watch) -> str:
    models = {name: find_model(name) for name in BUNDLED}
    if options.json:
        return dumped({name: {"classes": m.classes, "size": m.preprocessing.size, "colour": m.preprocessing.colour,
                              "tallest": m.preprocessing.tallest, "parameters": learned_numbers(m),
                              "provenance": m.provenance}
                       for name, m in models.items()})
    lines = [f"{name}: {len(m.chain)} layers, {learned_numbers(m)} parameters, input {size_text(m)} "
             f"{m.preprocessing.colour}\n  knows {', '.join(m.classes)}\n"
             + fill(m.provenance, report.WIDTH, initial_indent="  ", subsequent_indent="  ")
             for name, m in models.items()]
    return "\n".join([*lines, "", fill(KNOWS, report.WIDTH)])


def size_text(model: Model) -> str:
    """The size of the model's input in words."""
    size, tallest = model.preprocessing.size, model.preprocessing.tallest
    return by(size) if size else f"of up to {tallest} rows"


def layers_command(options: Namespace, watch: Watch) -> str:
    model = find_model(options.model, options.size)
    rows = layer_rows(model)
    return dumped(rows) if options.json else layer_table(model, rows)


def selfcheck_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.checks.claims import selfcheck

    outcomes = selfcheck.selfcheck(options.full, watch)
    printed = dumped(selfcheck.facts(outcomes)) if options.json else selfcheck.text(outcomes)
    if selfcheck.failed(outcomes):
        raise Failed(printed)
    return printed


def vectors_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.command import vectors as vectors_command

    return vectors_command.vectors_command(options, watch)


def conform_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.command import conform as command

    return command.conform(options, watch)


def compare_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.command import conform as command

    return command.compare(options, watch)
