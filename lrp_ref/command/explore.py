"""lrp-ref explore: photographs and models in, one page to explore their explanations in out."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrp_ref.assignment import Rules
from lrp_ref.command.explain import photographs
from lrp_ref.command.layer_table import by
from lrp_ref.command.outputs import dumped, spare
from lrp_ref.command.rule_names import rules_for
from lrp_ref.command.which_model import ready_model
from lrp_ref.explorer import View, page, view
from lrp_ref.hints import Watch
from lrp_ref.models.bundled import usual_model
from lrp_ref.models.explained import Given
from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.pictures.photograph import read_photograph

MOST_MODELS = 4   # side by side
MEGA = 1_000_000


def explore_command(options: Namespace, watch: Watch) -> str:
    names = options.model or [usual_model()]
    images = photographs(options.images)
    can_be_made(options, names, images)
    models = {name: ready_model(name, options, options.size) for name in names}
    for model in models.values():   # an error, before the work, for a class that a model does not have
        for one in options.target:
            model.class_index(one)
    subjects, heads = list[tuple[str, Sequence[View]]](), list[str]()
    for image in images:
        pixels, views = read_photograph(image), list[View]()
        for name, model in models.items():
            rules = rules_typed(options, model)
            views.append(view(pixels, name, model, options.target, rules, naming_image(watch, image)))
        subjects.append((Path(image).name, views))
        heads.append(f"{Path(image).name}: {by(pixels.shape[:2])} pixels (height x width)")
    watch(f"writing {options.output}")
    made = page(subjects, int(options.megabytes * MEGA))
    made.save(options.output)
    size = len(made.html.encode())
    if options.json:
        facts = [{"image": image, "views": [on_the_page(one) for one in views]}
                 for image, (_, views) in zip(images, subjects)]
        return dumped({"photographs": facts, "left_out": list(made.left_out), "output": options.output, "bytes": size})
    lines = [text for head, (_, views) in zip(heads, subjects) for text in (head, *map(view_line, views))]
    return "\n".join([*lines, "", *(f"to stay under {options.megabytes:g} MB: {text}" for text in made.left_out),
                      f"page written to {options.output}, {size / MEGA:.1f} MB: open it in a browser"])


def can_be_made(options: Namespace, names: Sequence[str], images: Sequence[str]) -> None:
    """An error, before the work, for what cannot be."""
    spare("--output", options.output, *images, *names)
    if Path(options.output).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"got --output {options.output}, needed a name that ends in .html")
    if len({*names}) < len(names) or len(names) > MOST_MODELS:
        raise ValueError(f"got --model {len(names)} times, needed at most {MOST_MODELS} different ones")
    if len({*options.rule}) < len(options.rule):
        raise ValueError("got the same --rule twice, needed different ones")
    if not 0.1 <= options.megabytes <= 1000:
        raise ValueError(f"got --megabytes {options.megabytes:g}, needed a number from 0.1 to 1000")


def rules_typed(options: Namespace, model: Model) -> Mapping[str, Given] | None:
    """{what was typed: the rules of a network}; None where nothing was."""
    def one(text: str) -> Given:
        def rules(network: Network) -> Rules:
            return rules_for(model, network, text, options.first)
        return rules
    return {text: one(text) for text in options.rule} or None


def naming_image(watch: Watch, image: str) -> Watch:
    return lambda text: watch(f"{Path(image).name}: {text}")


def on_the_page(one: View) -> dict[str, Any]:
    """What of a view is there, after what was left out."""
    facts = one.kept()
    return {"model": one.name, "classes": facts["classes"], "rules": [rule["name"] for rule in facts["rules"]],
            "cutoffs": len(facts["layers"])}


def view_line(one: View) -> str:
    facts = on_the_page(one)
    scores = ", ".join(f"{c['name']} {c['score']:.2f}" for c in facts["classes"])
    return f"  {one.name}: {scores}; {', '.join(facts['rules'])}; {facts['cutoffs']} cut-offs"
