"""lrp-ref sanity: how like itself a map stays when the network's weights, or the class, are others."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules
from lrp_ref.checks.sanity import Compared, Likeness, Sanity, facts_of, sanity
from lrp_ref.command.layer_table import by
from lrp_ref.command.outputs import dumped, spare
from lrp_ref.command.rule_names import rules_for, usual_rule
from lrp_ref.command.which_model import ready_model
from lrp_ref.hints import Watch, quotable
from lrp_ref.models.bundled import usual_model
from lrp_ref.models.model import Model
from lrp_ref.pictures.colours import limit_of
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.pictures.picture import Panel, Row, figure, image_format, save_image

OTHERS = 4        # other classes: those with the next scores, and the one with the lowest
DRAWN = 3, 2      # stages and other classes that a picture has room for
COLUMNS = {"rank": "rank", "absolute": "|rank|", "cosine": "cosine"}
WIDE, WIDEST = 7, 34   # of a column, of what stands before them
MOST_RULES = 4    # in a table of 100 columns
PERCENTILE = 99.5
ABOUT = """1: as the map of the class; 0: nothing in common with it. rank: Spearman's correlation of R, |rank|:
of |R|; cosine: of the angle between the maps; edges: those of the photograph. A map that stays
like itself when weights are shuffled does not show what was learned."""


def sanity_command(options: Namespace, watch: Watch) -> str:
    name = options.model or usual_model()
    spare("--output", options.output, options.image, name)
    if options.output:
        image_format(options.output)
    if options.seed < 0:
        raise ValueError(f"got --seed {options.seed}, needed a number of at least 0")
    model = ready_model(name, options, options.size)
    asked = options.rule or [usual_rule(model.chain)]
    if len(asked) > MOST_RULES or len({*asked}) < len(asked):
        raise ValueError(f"got {len(asked)} times --rule, needed at most {MOST_RULES} different ones")
    rules = {rule: rules_for(model, model.chain, rule, None, options.cutoff) for rule in asked}
    target = None if options.target is None else model.class_index(options.target)
    pixels = read_photograph(options.image)
    x = model.prepare(pixels)
    network = model.network(x.shape)
    scores = network(x)[0]
    index = int(scores.argmax()) if target is None else target
    others = other_classes(scores, index)
    found = {rule: sanity(network, x, every, index, others, options.seed, watch_of(watch, rule))
             for rule, every in rules.items()}
    if options.output:
        save_image(options.output, picture(model, model.seen(pixels), found, index).pixels)
    if options.json:
        return dumped(facts(options, name, model, found, rules, index))
    lines = [f"{Path(options.image).name}: {by(pixels.shape[:2])} pixels (height x width), class "
             f"{quotable(model.classes[index], 60)} ({float(scores[index]):.2f}) of {name}, seed {options.seed}",
             "", text(model, found, scores), "", ABOUT]
    return "\n".join(lines + [f"picture written to {options.output}"] * bool(options.output))


def watch_of(watch: Watch, rule: str) -> Watch:
    return lambda what: watch(f"{rule}: {what}")


def other_classes(scores: Array, index: int) -> list[int]:
    """The classes with the highest scores but for the explained one, and the one with the lowest."""
    order = [n for n in sorted(range(len(scores)), key=lambda n: -scores[n]) if n != index]
    return order if len(order) <= OTHERS + 1 else [*order[:OTHERS], order[-1]]


def text(model: Model, found: Mapping[str, Sanity], scores: Array) -> str:
    """A line per comparison, three columns per rule."""
    first = next(iter(found.values())).compared
    labels = [label(one, model, scores) for one in first]
    width = min(2 + max(map(len, labels)), WIDEST)
    rows = [(labels[n], [each.compared[n].likeness for each in found.values()]) for n in range(len(first))]
    shuffles = sum(one.kind == "weights" for one in first)
    lines = [" " * width + "".join(f"  {rule:>{WIDE * len(COLUMNS)}}" for rule in found),
             " " * width + "".join("  " + "".join(f"{head:>{WIDE}}" for head in COLUMNS.values()) for _ in found),
             "layers shuffled, from the top", *(table_line(*row, width) for row in rows[:shuffles]),
             "another class", *(table_line(*row, width) for row in rows[shuffles:]),
             table_line("edges", [each.edges for each in found.values()], width, "")]
    return "\n".join(row.rstrip() for row in lines)


def label(one: Compared, model: Model, scores: Array) -> str:
    """`fc`, `3 layers, down to conv2`; `stars (5.30)`."""
    if isinstance(one.what, int):
        return f"{quotable(model.classes[one.what], 30)} ({float(scores[one.what]):.2f})"
    return one.what[0] if len(one.what) == 1 else f"{len(one.what)} layers, down to {one.what[-1]}"


def table_line(name: str, each: Sequence[Likeness], width: int, indent: str = "  ") -> str:
    cells = ("".join(f"{cell(getattr(one, column)):>{WIDE}}" for column in COLUMNS) for one in each)
    name = indent + name
    name = name if len(name) <= width else name[:width - 3] + "..."
    return f"{name:<{width}}" + "".join(f"  {part}" for part in cells)


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".replace("-0.000", "0.000")


def picture(model: Model, photograph: Array, found: Mapping[str, Sanity], index: int) -> Any:
    """A row per rule: the photograph, the map, maps of the network with layers shuffled, maps of other classes."""
    compared = next(iter(found.values())).compared
    stages = [n for n, one in enumerate(compared) if one.kind == "weights"]
    if len(stages) > DRAWN[0]:   # the first, one in the middle, the last
        stages = [stages[round(n * (len(stages) - 1) / (DRAWN[0] - 1))] for n in range(DRAWN[0])]
    others = [n for n, one in enumerate(compared) if one.kind == "class"]
    others = [*others[:DRAWN[1] - 1], others[-1]] if len(others) > DRAWN[1] else others
    titles = ["what the model sees", f"{model.classes[index]}: orange for it, blue against it",
              *(shuffled_title(compared[n]) for n in stages),
              *(f"{model.classes[compared[n].what]} instead" for n in others)]   # type: ignore[index]
    rows = [Row(rule, [Panel(photograph), panel(each.values), *(panel(each.compared[n].values)
                                                                for n in (*stages, *others))])
            for rule, each in found.items()]
    return figure(titles, rows, "safe")


def shuffled_title(one: Compared) -> str:
    names: tuple[str, ...] = one.what   # type: ignore[assignment]
    return f"{names[0]} shuffled" if len(names) == 1 else f"{len(names)} layers shuffled, down to {names[-1]}"


def panel(values: Any) -> Panel | None:
    """A heatmap with a scale of its own; none where there is no map."""
    if values is None:
        return None
    limit = limit_of(values, percentile=PERCENTILE) if (abs(values) > 0).mean() > 1 - PERCENTILE / 100 else None
    return Panel(relevance=values, limit=limit)


def facts(options: Namespace, name: str, model: Model, found: Mapping[str, Sanity], rules: Mapping[str, Rules],
          index: int) -> dict[str, Any]:
    """The same as plain values."""
    return {"image": options.image, "model": name, "class": model.classes[index], "seed": options.seed,
            "rules": {rule: {"layers": {layer: repr(one) for layer, one in rules[rule].items()},
                             "compared": [facts_of(one, model.classes) for one in each.compared],
                             "edges": vars(each.edges)} for rule, each in found.items()},
            "output": options.output}
