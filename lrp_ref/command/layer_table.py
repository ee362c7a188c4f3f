"""A model's layers as a table: shapes, what an output sees of the image, how far a cut-off below a layer spreads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrp_ref.models.bundled import channels, sized
from lrp_ref.models.model import Model
from lrp_ref.models.sight import SEVERAL, bins, squares, words_for
from lrp_ref.network import receptive_fields, where_they_meet


def layer_rows(model: Model) -> list[dict[str, Any]]:
    """A row per layer, lowest first, for images of the model's size (`bundled.sized`)."""
    shape = (1, channels(model), *sized(model))
    network = model.network(shape)
    shapes, fields, rows = network.shapes(shape), receptive_fields(network, shape), []
    said = words_for(network, fields, shape[2:])
    for n, (name, layer, reads) in enumerate(network.nodes):
        under = where_they_meet([fields[t] for t in reads])
        below = next((said[t] for t in reads if said[t]), SEVERAL)
        rows.append({
            "name": name, "type": type(layer).__name__, "input": layer.joined(*(shapes[t] for t in reads))[1:],
            "output": shapes[name][1:], "sees": fields[name] and vars(fields[name]),
            "sees_in_words": said[name] or None, "cutoff_below_spreads_over": under and under.size,
            "spreads_in_words": None if under else below,
            "sees_squares": squares(network, n + 1),
            "cutoff_below_spreads_over_squares": bins(network, n)})
    return rows


def layer_table(model: Model, rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text."""
    cells = [("layer", "type", "input", "output", "an output sees", "a cut-off below it spreads over")]
    for row in rows:
        sees = sides_of(row["sees_squares"]) or row["sees_in_words"] or seen(row["sees"])
        over = (sides_of(row["cutoff_below_spreads_over_squares"]) or row["spreads_in_words"]
                or by(row["cutoff_below_spreads_over"]))
        cells.append((row["name"], row["type"], by(row["input"]), by(row["output"]), sees, over))
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    if model.preprocessing.size is None:
        lines.insert(0, f"(for photographs of {by(sized(model))}; --size HxW for others)")
    return "\n".join(lines)


def sides_of(sides: Sequence[int] | None) -> str:
    return f"squares of {', '.join(map(str, sides))}" if sides else ""


def by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def seen(sees: Any) -> str:
    """A receptive field in words: size, step from one output to the next, where the first begins."""
    return f"{by(sees['size'])}, step {by(sees['step'])}, from {', '.join(map(str, sees['start']))}"
