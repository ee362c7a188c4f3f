"""lrp-ref train-fv: the paper's Fisher pipeline, fitted to a folder in VOC's layout."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from importlib.util import find_spec

from lrp_ref.command.measuring import going_on
from lrp_ref.command.outputs import spare
from lrp_ref.command.workers import workers, workers_asked
from lrp_ref.hints import Watch, quotable
from lrp_ref.layers.fisher.regions import counted_regions
from lrp_ref.models.bundled import learned_numbers
from lrp_ref.models.files import save_model
from lrp_ref.paper.runs import of_collection
from lrp_ref.paper.train_fisher import VECTOR, Parts, Recipe, train_fisher
from lrp_ref.paper.voc import read_voc
from lrp_ref.version import __version__

MOST = {"components": 128, "gaussians": 4096, "step": 64, "descriptors": 10_000_000}


def train_fv_command(options: Namespace, watch: Watch) -> str:
    workers_asked(options)
    for name, most in MOST.items():
        if not 1 <= getattr(options, name) <= most:
            raise ValueError(f"got --{name} {getattr(options, name)}, needed at least 1 and at most {most}")
    if not 0 < options.cost < float("inf"):
        raise ValueError(f"got --cost {options.cost}, needed a number above 0")
    counted_regions(options.regions)
    if not options.output.endswith(".npz"):
        raise ValueError(f"got --output {quotable(options.output)}, needed a name that ends in .npz")
    spare("--output", options.output, options.folder)
    spare("--results", options.results)
    if find_spec("sklearn") is None:
        raise ValueError('train-fv needs scikit-learn: pip install "lrp-ref[fisher]"')
    tested = read_voc(options.folder, options.set, options.difficult == "count", watch=watch)
    recipe = Recipe(options.components, options.gaussians, options.regions, options.step, options.descriptors,
                    options.cost, options.seed)
    run = {"lrp_ref": __version__, "command": "train-fv", **of_collection(tested),
           **{name: str(value) for name, value in asdict(recipe).items()}}
    provenance = (f"lrp-ref train-fv, {tested.title}, {recipe.components} dimensions, {recipe.gaussians} Gaussians, "
                  f"seed {recipe.seed}")
    with Parts(options.results, run) as parts, workers(options) as (executor, ahead):
        with going_on(options.results, lambda: len(parts.known(VECTOR))):
            model = train_fisher(tested, recipe, parts, watch, executor, ahead, provenance)
        bad = [error for error, in parts.file.execute("select error from photographs where stage = ? and error != ''",
                                                      (VECTOR,))]
    watch(f"writing {options.output}")
    save_model(model, options.output)
    lines = [f"trained on {len(tested.scenes) - len(bad)} photographs: {len(tested.classes)} classes, "
             f"{learned_numbers(model)} numbers", f"model written to {options.output}"]
    if bad:
        lines.append(f"{len(bad)} of {len(tested.scenes)} photographs could not be used: {quotable(bad[0], 200)}")
    return "\n".join(lines)
