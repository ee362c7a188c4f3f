"""lrp-ref demo: what the models that have names make of photographs that come along."""

from __future__ import annotations

from argparse import Namespace
from importlib import resources
from pathlib import Path

from lrp_ref.command.explain import explain_command, figure_command
from lrp_ref.command.layer_table import by
from lrp_ref.command.options import parser
from lrp_ref.command.outputs import spare
from lrp_ref.command.report import scores_text
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import IMAGENET, PAPERS, load_model
from lrp_ref.models.imagenet import INSTALL, weights_file
from lrp_ref.paper.photographs import photographs_figure, whole_photographs
from lrp_ref.pictures.picture import image_format, save_image

NOT_THERE = f"(for photographs and the 1,000 classes of ImageNet: {INSTALL})"


def demo_command(options: Namespace, watch: Watch) -> str:
    if weights_file() is None:
        return f"{the_scene(options.output, watch)}\n{NOT_THERE}"
    path = Path(options.output)
    spare("--output", options.output)
    image_format(options.output)
    return f"{the_photographs(options.output, watch)}\n\n{the_scene(str(path.with_stem(path.stem + '_scene')), watch)}"


def the_photographs(output: str, watch: Watch) -> str:
    """Three photographs by the network that knows ImageNet: the scores of each, and their figure."""
    model, told = load_model(IMAGENET), []
    for name, pixels in whole_photographs().items():
        x = model.prepare(pixels)
        scores = model.network(x.shape)(x)[0]
        told.append(f"{name}: {by(pixels.shape[:2])} pixels (height x width), the middle "
                    f"{by(model.seen(pixels).shape[:2])} of them seen by the model imagenet\n"
                    f"{scores_text(model, scores, int(scores.argmax()))}")
    drawn = photographs_figure(model, watch)
    watch(f"writing {output}")
    save_image(output, drawn.pixels)
    return "\n\n".join([*told, f"figure written to {output}, {by(drawn.pixels.shape[:2])} pixels"])


def the_scene(output: str, watch: Watch) -> str:
    """The bundled scene by the paper's two kinds of model: what `explain` says, and the figure."""
    with resources.as_file(resources.files("lrp_ref.data_fixtures") / "scenes" / "scene.png") as scene:
        asked = [str(scene), "--class", "cat"]   # the same for every model, so that their maps can be compared
        drawn = figure_command(parser().parse_args(["figure", *asked, "--output", output]), watch)
        explained = [explain_command(parser().parse_args(["explain", *asked, "--model", name]), watch)
                     for name in PAPERS]
    return "\n\n".join([*explained, drawn.splitlines()[-1]])
