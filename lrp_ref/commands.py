"""What the commands of lrp-ref do: options in, files written, and the text to print out."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from lrp_ref import report
from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules
from lrp_ref.bundled import BUNDLED, channels, find_model, knows, parameters, ready, sized
from lrp_ref.files import writable, writing
from lrp_ref.heatmap import heatmap, limit_of
from lrp_ref.network import Network, ReceptiveField, receptive_field
from lrp_ref.options import KNOWS, parser
from lrp_ref.photograph import read_photograph
from lrp_ref.relevance import explain
from lrp_ref.rule_names import rules_for

WHOLE = "the whole image"
Watch = Callable[[str], object]


def run(options: Namespace, watch: Watch) -> str:
    """The text that a command prints, after all its files are written."""
    commands: dict[str, Callable[[Namespace, Watch], str]] = {
        "explain": explain_command, "figure": figure_command, "demo": demo_command, "models": models_command,
        "layers": layers_command, "evaluate": evaluate_command,
    }
    return commands[options.command](options, watch)


def explain_command(options: Namespace, watch: Watch) -> str:
    spare("--output", options.output, options.image, options.model)   # before the work, not after it
    writes_arrays(options.save, options.image, options.model)
    if options.output:
        from lrp_ref.picture import image_format, save_heatmap

        image_format(options.output)
    model, network = ready(options.model, options.size)
    target = None if options.target is None else model.class_index(options.target)
    rules = rules_for(model, network, options.rule, options.first, options.cutoff)
    watch(f"reading {options.image}")
    pixels = read_photograph(options.image)
    e = explain(network, model.prepare(pixels), rules, target, watch)
    index = int(e.scores[0].argmax()) if target is None else target
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
        return dumped({"image": options.image, "model": options.model, **report.facts(model, e, index, rules),
                       "output": options.output, "save": options.save})
    lines = [f"{Path(options.image).name}: {by(pixels.shape[:2])} pixels (height x width), seen by the model "
             f"as {by(sized(model))} {model.preprocessing.colour}", *knows(options.model, model), "",
             report.text(model, e, index, rules)]
    written = {"heatmap": options.output, "arrays": options.save}
    return "\n".join(lines + [f"{what} written to {path}" for what, path in written.items() if path])


def figure_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref.figures import one_figure, paper_figure
    from lrp_ref.picture import image_format, save_image

    one_figure(len(options.images))
    spare("--output", options.output, *options.images, options.model)
    image_format(options.output)
    model, network = ready(options.model, options.size)
    target = None if options.target is None else model.class_index(options.target)

    def rules(network: Network) -> Rules:
        return rules_for(model, network, options.rule, options.first)

    rules_for(model, network, options.rule, options.first, options.cutoff)   # misspelt? now, not later
    names = [Path(image).name for image in options.images]
    count = Counter(names)

    def photographs() -> Iterator[tuple[str, Array]]:
        for name, image in zip(names, options.images):
            watch(f"reading {image}")
            yield name if count[name] == 1 else image, read_photograph(image)

    drawn = paper_figure(model, photographs(), rules, target, options.cutoff, options.colours, watch,
                         options.percentile)
    watch(f"writing {options.output}")
    save_image(options.output, drawn.pixels)
    size = by(drawn.pixels.shape[:2])
    return "\n".join([*knows(options.model, model), f"figure written to {options.output}, {size} pixels"])


def demo_command(options: Namespace, watch: Watch) -> str:
    with resources.as_file(resources.files("lrp_ref.data_fixtures") / "scenes" / "scene.png") as scene:
        drawn = run(parser().parse_args(["figure", str(scene), "--output", options.output]), watch)
        return run(parser().parse_args(["explain", str(scene)]), watch) + "\n" + drawn.splitlines()[-1]


def models_command(options: Namespace, watch: Watch) -> str:
    models = {name: find_model(name) for name in BUNDLED}
    if options.json:
        return dumped({name: {"classes": m.classes, "size": sized(m), "colour": m.preprocessing.colour,
                              "parameters": parameters(m), "provenance": m.provenance}
                       for name, m in models.items()})
    lines = [f"{name}: {len(m.chain)} layers, {parameters(m)} parameters, input {by(sized(m))} "
             f"{m.preprocessing.colour}\n  knows {', '.join(m.classes)}\n"
             + fill(m.provenance, report.WIDTH, initial_indent="  ", subsequent_indent="  ")
             for name, m in models.items()]
    return "\n".join([*lines, "", fill(KNOWS, report.WIDTH)])


def layers_command(options: Namespace, watch: Watch) -> str:
    model = find_model(options.model, options.size)
    shapes = model.chain.shapes((1, channels(model), *sized(model)))
    pixel = ReceptiveField((1, 1), (1, 1), (0, 0))
    fields = [pixel, *(receptive_field(model.chain, name) for name in model.chain.names)]
    rows: list[dict[str, Any]] = [
        {"name": name, "type": type(layer).__name__, "input": shapes[n][1:], "output": shapes[n + 1][1:],
         "sees": sees and vars(sees), "cutoff_below_spreads_over": under and under.size}
        for n, ((name, layer), under, sees) in enumerate(zip(model.chain, fields, fields[1:]))]
    if options.json:
        return dumped(rows)
    cells = [("layer", "type", "input", "output", "an output sees", "a cut-off below it spreads over")]
    cells += [(row["name"], row["type"], by(row["input"]), by(row["output"]), seen(row["sees"]),
               by(row["cutoff_below_spreads_over"] or ()) or WHOLE) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def evaluate_command(options: Namespace, watch: Watch) -> str:
    from lrp_ref import experiment_report
    from lrp_ref.evaluate import bundled, evaluate, knows_all
    from lrp_ref.experiment import study

    for option, value, least in (("--count", options.count, 1), ("--seed", options.seed, 0)):
        if value < least:
            raise ValueError(f"got {option} {value}, needed at least {least}")
    for option, value in (("--set", options.set), ("--difficult", options.difficult)):
        if value is not None and options.scenes is None:
            raise ValueError(f"got {option} {value} without a folder of photographs, needed SCENES: the bundled scenes "
                             "have neither sets nor difficult objects")
    given = options.model or BUNDLED
    inputs = [*given, *(map(str, Path(options.scenes).rglob("*")) if options.scenes else ())]
    spare("--plot", options.plot, *inputs)
    writes_arrays(options.save, *inputs)
    if options.plot:
        from lrp_ref.picture import image_format

        image_format(options.plot)
    models = {name: ready(path, options.size)[0] for name, path in labelled(given).items()}
    if options.scenes is None:
        tested = bundled(options.count, options.seed, watch)
    else:
        from lrp_ref.voc import read_voc

        tested = read_voc(options.scenes, options.set or "test", options.difficult == "count", options.count,
                          options.seed, watch)
    for name, model in models.items():
        knows_all(model, tested.classes, name)
    precisions = evaluate(models, tested, watch)
    studies = {name: study(model, tested, name=name, watch=watch) for name, model in models.items()}
    if options.plot:
        from lrp_ref.picture import save_image
        from lrp_ref.plot import plot

        watch(f"writing {options.plot}")
        save_image(options.plot, plot(studies).pixels)
    if options.save:
        save_arrays(options.save, experiment_report.arrays(tested, studies))
    if options.json:
        return dumped({"count": options.count, "seed": options.seed,
                       **experiment_report.facts(tested, precisions, studies), "plot": options.plot,
                       "save": options.save})
    written = {"plot": options.plot, "arrays": options.save}
    return "\n".join([experiment_report.text(tested, precisions, studies),
                      *(f"{what} written to {path}" for what, path in written.items() if path)])


def labelled(paths: Sequence[str]) -> dict[str, str]:
    """{file name: path}; the whole path where two files have the same name."""
    names = [Path(path).name for path in paths]
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise ValueError(f"got --model {twice[0]} twice, needed every model once")
    return {name if names.count(name) == 1 else path: path for name, path in zip(names, paths)}


def writes_arrays(path: str | None, *inputs: str) -> None:
    """An error unless arrays can be written there, if anywhere."""
    spare("--save", path, *inputs)
    if path and Path(path).suffix != ".npz":
        raise ValueError(f"got --save {path}, needed a name that ends in .npz")


def save_arrays(path: str, arrays: dict[str, Any]) -> None:
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def spare(option: str, path: str | None, *inputs: str) -> None:
    """An error if nothing can be written to `path`, or if it is one of the files that are read."""
    for other in inputs if path and writable(path).exists() else ():
        if path and Path(other).exists() and Path(path).samefile(other):
            raise ValueError(f"got {option} {path}, an input that would be lost: choose another path")


def by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def seen(sees: Any) -> str:
    """A receptive field in words: size, step from one output to the next, where the first begins."""
    if sees is None:
        return WHOLE
    return f"{by(sees['size'])}, step {by(sees['step'])}, from {', '.join(map(str, sees['start']))}"


def dumped(values: Any) -> str:
    return json.dumps(values, indent=2, allow_nan=False)
