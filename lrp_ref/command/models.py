"""lrp-ref models and layers: which models come along, and what a model consists of."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from textwrap import fill

from lrp_ref.command import report
from lrp_ref.command.layer_table import by, layer_rows, layer_table
from lrp_ref.command.options import KNOWS
from lrp_ref.command.outputs import dumped
from lrp_ref.command.which_model import model_of
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import BUNDLED, IMAGENET, find_model, learned_numbers
from lrp_ref.models.imagenet import weights_file
from lrp_ref.models.model import Model

SHOWN = 100   # names that a list shows


def models_command(options: Namespace, watch: Watch) -> str:
    models = {name: find_model(name) for name in ([IMAGENET] if weights_file() else []) + [*BUNDLED]}
    if options.json:
        return dumped({name: {"classes": m.classes, "size": m.preprocessing.size, "colour": m.preprocessing.colour,
                              "tallest": m.preprocessing.tallest, "parameters": learned_numbers(m),
                              "provenance": m.provenance}
                       for name, m in models.items()})
    lines = [f"{name}: {len(m.chain)} layers, {learned_numbers(m)} parameters, input {size_text(m)} "
             f"{m.preprocessing.colour}\n  knows {classes_text(m.classes)}\n"
             + fill(m.provenance, report.WIDTH, initial_indent="  ", subsequent_indent="  ")
             for name, m in models.items()]
    return "\n".join([*lines, "", fill(KNOWS, report.WIDTH, break_on_hyphens=False)])


def classes_text(classes: Sequence[str]) -> str:
    """The names of a few classes, or of many their number and the first."""
    return ", ".join(classes) if len(classes) <= SHOWN else f"{len(classes):,} classes: {', '.join(classes[:3])}, ..."


def size_text(model: Model) -> str:
    """The size of the model's input in words."""
    size, tallest = model.preprocessing.size, model.preprocessing.tallest
    return by(size) if size else f"of up to {tallest} rows"


def layers_command(options: Namespace, watch: Watch) -> str:
    model = model_of(options.model, options, options.size)
    rows = layer_rows(model)
    return dumped(rows) if options.json else layer_table(model, rows)
