"""lrp-ref: explain photographs from the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrp_ref.version import __version__

if TYPE_CHECKING:
    from lrp_ref.assignment import Rules
    from lrp_ref.models import Model
    from lrp_ref.network import Network
    from lrp_ref.relevance import Explanation

ABOUT = """Explain a classifier's decision by Layer-wise Relevance Propagation: hand its score back to the pixels, layer
by layer, and account for every bit of it."""
KNOWS = """The bundled model knows six textures (brick, grass, gravel, cat, text, stars), seen in grey at 128 x 128. It
shows how LRP works and has nothing to say about other photographs: for your own, bring your own model (--model FILE; see
lrp_ref.save_model and lrp_ref.convert.from_torch)."""
BUNDLED = ("cnn",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 with one line on stderr where the input is wrong."""
    options = parser().parse_args(arguments)
    try:
        with warnings.catch_warnings(), progress() as watch:
            warnings.showwarning = lambda message, *_, **__: print(f"lrp-ref: note: {message}", file=sys.stderr)
            warnings.simplefilter("always", UserWarning)
            options.run(options, watch)
            sys.stdout.flush()
    except (ValueError, OSError, MemoryError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"lrp-ref: error: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lrp-ref: interrupted", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="lrp-ref", description=ABOUT, epilog=KNOWS)
    top.add_argument("--version", action="version", version=f"lrp-ref {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str, **more: Any) -> argparse.ArgumentParser:
        new = commands.add_parser(name, help=text.partition(".")[0], description=text, epilog=KNOWS, **more)
        new.set_defaults(run=run)
        return new

    def how(new: argparse.ArgumentParser) -> None:
        new.add_argument("--model", default="cnn", metavar="cnn|FILE",
                         help="the bundled model, or an .npz or lrp_toolbox .txt file (default: cnn)")
        new.add_argument("--size", metavar="HxW", help="input size, for model files that do not say it")
        new.add_argument("--class", dest="target", metavar="NAME_OR_INDEX", help="what to explain (default: top score)")
        new.add_argument("--rule", default="paper", metavar="RULE", help="paper (default), or: " + rule_help())
        new.add_argument("--first", metavar="zbox|wsquare|flat", help="another rule for the lowest weighted layer; "
                         "zbox takes its bounds from the model's preprocessing, or zbox:low,high")
        new.add_argument("--colours", default="paper", choices=("paper", "safe"),
                         help="the paper's colours, or ones for every colour vision")

    new = command("explain", explain_command, "Explain one photograph. Prints the scores and the ledger.")
    new.add_argument("image", metavar="IMAGE", help="a photograph: PNG, JPEG, TIFF, ...")
    how(new)
    new.add_argument("--cutoff", metavar="LAYER", help="spread relevance evenly below this layer (see lrp-ref layers)")
    new.add_argument("--percentile", type=float, default=100, metavar="P",
                     help="strongest colour at this percentile of |relevance| (default: 100, the largest)")
    new.add_argument("--output", metavar="FILE.png", help="write the heatmap at the photograph's own size")
    new.add_argument("--save", metavar="FILE.npz", help="write relevance, heatmap, scores, target and rules")
    new.add_argument("--json", action="store_true", help="print JSON instead of text")

    new = command("figure", figure_command, "Draw the paper's Figure 1. A row per photograph: input, heatmap without "
                  "cut-off, heatmap with cut-off at R(1), the input with that heatmap as alpha channel, and a heatmap "
                  "with a higher cut-off; each heatmap has its own scale.")
    new.add_argument("images", nargs="+", metavar="IMAGE")
    how(new)
    new.add_argument("--cutoff", metavar="LAYER", help="the higher cut-off (default: above the second pooling)")
    new.add_argument("--output", default="figure.png", metavar="FILE.png", help="default: figure.png")

    new = command("demo", demo_command, "Explain the bundled scene. Prints scores and ledger and writes the figure.")
    new.add_argument("--output", default="figure1.png", metavar="FILE.png", help="default: figure1.png")

    new = command("models", models_command, "List the bundled models. What they know, and who made them.")
    new.add_argument("--json", action="store_true", help="print JSON instead of text")

    new = command("layers", layers_command, "List a model's layers. Names, types, shapes and receptive fields, to "
                  "choose a cut-off by.")
    new.add_argument("model", metavar="MODEL", help="cnn, or a model file")
    new.add_argument("--size", metavar="HxW", help="input size, for model files that do not say it")
    new.add_argument("--json", action="store_true", help="print JSON instead of text")

    new = command("evaluate", evaluate_command, "Average precision on test scenes. Scenes are cut from the bundled "
                  "photographs and made anew from a seed; VOC 2007's measure with 11 points, per class.")
    new.add_argument("--model", default="cnn", metavar="cnn|FILE", help="default: cnn")
    new.add_argument("--count", type=int, default=300, help="how many scenes (default: 300)")
    new.add_argument("--seed", type=int, default=2016, help="default: 2016, whose numbers the documentation shows")
    new.add_argument("--json", action="store_true", help="print JSON instead of text")
    return top


def rule_help() -> str:
    return ("epsilon:E, alphabeta:A,B with A - B = 1, zplus, gamma:G, wsquare, flat on every weighted layer; or a preset "
            "(epsilon_plus, epsilon_plus_flat, epsilon_alpha2_beta1, epsilon_alpha2_beta1_flat, epsilon_gamma_box)")


@contextmanager
def progress() -> Iterator[Any]:
    """A function that shows a line on stderr where that is a terminal, and wipes it at the end."""
    shown = sys.stderr.isatty()

    def watch(text: str) -> None:
        if shown:
            print(f"\r\x1b[K{text[:78]}", end="", file=sys.stderr, flush=True)
    try:
        yield watch
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def find_model(name: str, size: str | None = None) -> Model:
    """A bundled model by its name, or one from a file."""
    from importlib import resources

    from lrp_ref.models import load_model

    if name in BUNDLED:
        with resources.as_file(resources.files("lrp_ref.data_fixtures") / f"{name}.npz") as path:
            model = load_model(path)
    elif not Path(name).exists() and not Path(name).suffix:
        raise ValueError(f"got the model {name!r}, needed {' or '.join(BUNDLED)}, or the path of a model file")
    else:
        model = load_model(name)
    if size is None:
        return model
    height, _, width = size.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise ValueError(f"got --size {size}, needed height x width in pixels, as in 227x227")
    return model.at_size((int(height), int(width)))


def explain_command(options: argparse.Namespace, watch: Any) -> None:
    from lrp_ref.files import writable
    from lrp_ref.heatmap import heatmap, limit_of
    from lrp_ref.photograph import read_photograph
    from lrp_ref.relevance import explain
    from lrp_ref.rule_names import rules_for

    for path in filter(None, (options.output, options.save)):   # before the work, not after it
        writable(path)
    if options.save and Path(options.save).suffix != ".npz":
        raise ValueError(f"got --save {options.save}, needed a name that ends in .npz")
    model = find_model(options.model, options.size)
    pixels = read_photograph(options.image)
    x = model.prepare(pixels)
    network = model.network(x.shape)
    rules = rules_for(model, network, options.rule, options.first, options.cutoff)
    target = None if options.target is None else model.class_index(options.target)
    e = explain(network, x, rules, target, watch)
    index = int(e.scores[0].argmax()) if target is None else target
    values = heatmap(e.relevance)
    if options.output:
        from lrp_ref.picture import save_heatmap

        limit = limit_of(values[0], percentile=options.percentile)
        save_heatmap(options.output, values[0], pixels.shape[:2], options.colours, limit)
    if options.save:
        save(options.save, e, values, index, rules)
    if options.json:
        print(json.dumps(facts(options, model, e, index, rules), indent=2))
        return
    size = " x ".join(map(str, pixels.shape[:2]))
    print(f"{options.image}: {size} pixels, seen by the model as {x.shape[2]} x {x.shape[3]} {model.preprocessing.colour}")
    if options.model in BUNDLED:
        print(f"(the bundled model {options.model} knows {', '.join(model.classes)} and nothing else)")
    print_scores(model, e.scores[0], index)
    print(f"\nrules: {describe(rules)}\n\nledger: where the relevance went, in per cent of the sum of |R| that arrives at each "
          f"layer\n{e.ledger.table()}")
    for what, path in (("heatmap", options.output), ("arrays", options.save)):
        if path:
            print(f"{what} written to {path}")


def print_scores(model: Model, scores: Any, index: int) -> None:
    """The scores, highest first, at most ten; the explained one is marked."""
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    shown = order[:10] if index in order[:10] else [*order[:9], index]
    width = max(len(model.classes[n]) for n in shown)
    print("\nscores")
    for n in shown:
        print(f"  {model.classes[n]:<{width}} {scores[n]:10.4f}{'   <- explained' if n == index else ''}")


def describe(rules: Rules) -> str:
    """The rules of the layers that do not just pass relevance on."""
    return ", ".join(f"{name} {rule!r}" for name, rule in rules.items() if type(rule).__name__ not in ("Pass", "Winner"))


def save(path: str, e: Explanation, values: Any, index: int, rules: Rules) -> None:
    """relevance, heatmap, scores, target, and the rules as JSON text {layer: rule}."""
    import numpy as np

    from lrp_ref.files import writing

    text = json.dumps({name: repr(rule) for name, rule in rules.items()})
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, relevance=e.relevance, heatmap=values, scores=e.scores, target=index, rules=text)


def facts(options: argparse.Namespace, model: Model, e: Explanation, index: int, rules: Rules) -> dict[str, Any]:
    """What --json prints."""
    from lrp_ref.ledger import COLUMNS

    total = {column: float(values[0]) for column, values in e.ledger.total().items()}
    return {
        "image": options.image, "model": options.model,
        "target": {"index": index, "name": model.classes[index], "score": float(e.scores[0, index])},
        "scores": dict(zip(model.classes, map(float, e.scores[0]))),
        "rules": {name: repr(rule) for name, rule in rules.items()},
        "ledger": {name: {column: float(values[0]) for column, values in zip(COLUMNS, account.totals())}
                   for name, account in e.ledger},
        "total": total, "output": options.output, "save": options.save,
    }


def figure_command(options: argparse.Namespace, watch: Any) -> None:
    from lrp_ref.files import writable
    from lrp_ref.figures import paper_figure
    from lrp_ref.photograph import read_photograph
    from lrp_ref.picture import save_image
    from lrp_ref.rule_names import rules_for

    writable(options.output)
    model = find_model(options.model, options.size)
    target = None if options.target is None else model.class_index(options.target)
    labels = [Path(image).name for image in options.images]
    photographs = {label if labels.count(label) == 1 else image: read_photograph(image)
                   for label, image in zip(labels, options.images)}

    def rules(network: Network) -> Rules:
        return rules_for(model, network, options.rule, options.first)

    drawn = paper_figure(model, photographs, rules, target, options.cutoff, options.colours, watch)
    save_image(options.output, drawn.pixels)
    print(f"figure written to {options.output}")


def demo_command(options: argparse.Namespace, watch: Any) -> None:
    from importlib import resources

    scene = resources.files("lrp_ref.data_fixtures") / "scenes" / "scene.png"
    with resources.as_file(scene) as path:
        image = str(path)
        both = parser().parse_args(["explain", image])
        explain_command(both, watch)
        figure_command(parser().parse_args(["figure", image, "--output", options.output]), watch)


def models_command(options: argparse.Namespace, watch: Any) -> None:
    models = {name: find_model(name) for name in BUNDLED}
    if options.json:
        print(json.dumps({name: {"classes": list(m.classes), "size": m.preprocessing.size, "parameters": parameters(m),
                                 "provenance": m.provenance} for name, m in models.items()}, indent=2))
        return
    for name, model in models.items():
        height, width = model.preprocessing.size or (0, 0)
        print(f"{name}: {len(model.chain)} layers, {parameters(model)} parameters, input {height} x {width} "
              f"{model.preprocessing.colour}\n  knows {', '.join(model.classes)}\n  {model.provenance}")
    print("\n" + " ".join(KNOWS.split()))


def parameters(model: Model) -> int:
    """How many numbers the model learned."""
    return sum(array.size for _, layer in model.chain for array in layer.arrays().values())


def layers_command(options: argparse.Namespace, watch: Any) -> None:
    from lrp_ref.network import receptive_field

    model = find_model(options.model, options.size)
    if model.preprocessing.size is None:
        raise ValueError("the model file does not say the size of its input: give one with --size HxW")
    shapes = model.chain.shapes((1, model.preprocessing.channels, *model.preprocessing.size))
    fields = [receptive_field(model.chain, name) for name in model.chain.names]
    rows = []
    for n, (name, layer) in enumerate(model.chain):
        sees, under = fields[n], fields[n - 1] if n else None
        rows.append({"name": name, "type": type(layer).__name__, "input": list(shapes[n][1:]),
                     "output": list(shapes[n + 1][1:]), "sees": sees and vars(sees),
                     "cutoff_below_spreads_over": [1, 1] if n == 0 else under and list(under.size)})
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    head = ("layer", "type", "input", "output", "an output sees", "a cut-off below it spreads over")
    cells = [head] + [(r["name"], r["type"], by(r["input"]), by(r["output"]), field(r["sees"]),
                       by(r["cutoff_below_spreads_over"]) if r["cutoff_below_spreads_over"] else "the whole image")
                      for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def field(sees: Any) -> str:
    """A receptive field in words: size, step from one output to the next, where the first begins."""
    if sees is None:
        return "the whole image"
    return f"{by(sees['size'])}, step {by(sees['step'])}, from {', '.join(map(str, sees['start']))}"


def evaluate_command(options: argparse.Namespace, watch: Any) -> None:
    from lrp_ref.evaluate import evaluate

    if options.count < 1:
        raise ValueError(f"got --count {options.count}, needed at least 1")
    model = find_model(options.model)
    watch(f"{options.count} scenes")
    table = evaluate({options.model: model}, options.count, options.seed)
    if options.json:
        rows = {name: dict(zip(table.columns[1:], values)) for name, *values in table.rows}
        print(json.dumps({"count": options.count, "seed": options.seed, "average_precision": rows}, indent=2))
        return
    print(f"average precision (VOC 2007, 11 points) on {options.count} test scenes, seed {options.seed}\n{table}")
