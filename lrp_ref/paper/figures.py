"""The paper's Figure 1 for one or more models and photographs of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, is_fisher
from lrp_ref.heatmap import heatmap
from lrp_ref.hints import Watch, unwatched
from lrp_ref.models.explained import title
from lrp_ref.models.model import Model
from lrp_ref.models.usual import higher_cutoff, pixel_cutoff
from lrp_ref.network import Network
from lrp_ref.paper.below import cut_off
from lrp_ref.pictures.colours import limit_of
from lrp_ref.pictures.photograph import resize
from lrp_ref.pictures.picture import LARGEST, Figure, Panel, Row, figure
from lrp_ref.relevance import explain

ROWS = 100   # of one figure, which is then some 30,000 pixels high


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and how it is explained: a row of the figure for every photograph.

    rules   the rules of its network, without a cut-off
    target  a class index, or None for each photograph's top score
    below   the higher cut-off, or several; None: `higher_cutoff`, and none in a Fisher network
    """

    model: Model
    rules: Callable[[Network], Rules]
    target: int | None = None
    below: str | Sequence[str] | None = None

    def cutoffs(self) -> list[str]:
        """The layers below which relevance is spread evenly: at R(1), and at the higher cut-offs if there are any."""
        low, high = pixel_cutoff(self.model.chain), self.below
        if high is None:
            high = () if is_fisher(self.model.chain) else higher_cutoff(self.model.chain)
        return [low, *((high,) if isinstance(high, str) else high)]


def paper_figure(subjects: Mapping[str, Subject], photographs: Mapping[str, Any] | Iterable[tuple[str, Any]],
                 colours: str = "paper", watch: Watch = unwatched, percentile: float = 100) -> Figure:
    """A row per photograph and model: input; heatmap; with cut-off at R(1); that one as alpha; higher cut-offs.

    Of a photograph a model's rows show the part that it sees.


    photographs  {label: (H, W) or (H, W, 3) in [0, 1]} or such pairs; only what a panel shows is kept of them
    percentile   of |relevance|, shown in each heatmap's strongest colour; every heatmap has a scale of its own
    """
    pairs = photographs.items() if isinstance(photographs, Mapping) else photographs
    seen = [(label, {name: (subject.model.prepare(pixels), thumbnail(subject.model.seen(pixels)))
                     for name, subject in subjects.items()}) for label, pixels in pairs]
    one_figure(len(seen), len(subjects))
    cutoffs = {name: subject.cutoffs() for name, subject in subjects.items()}
    most, rows = max(map(len, cutoffs.values())), []
    for n, (label, inputs) in enumerate(seen, 1):
        for name, subject in subjects.items():
            one_of = f"{n} of {len(seen)}, {label}: " + (f"{name}: " if len(subjects) > 1 else "")
            x, shown = inputs[name]
            caption, maps = explained_subject(subject, x, cutoffs[name], prefixed(watch, one_of))
            drawn: list[Panel | None] = [*panels(shown, maps, percentile)]
            drawn += [None] * (1 + most - len(maps))
            rows.append(Row("\n".join([label, *([name] if len(subjects) > 1 else []), caption]), drawn))
    low, *high = (", ".join(dict.fromkeys(names[n] for names in cutoffs.values() if n < len(names)))
                  for n in range(most))
    titles = ["input", "no cut-off", f"cut-off at R(1), below {low}", "input with that heatmap as alpha"]
    return figure(titles + [f"cut-off below {names}" for names in high], rows, colours)


def explained_subject(subject: Subject, x: Array, cutoffs: Sequence[str], watch: Watch
              ) -> tuple[str, list[Array]]:
    """The class with its score, and which is higher if one is; and the heatmaps without a cut-off and with each."""
    network = subject.model.network(x.shape)
    rules = subject.rules(network)
    whole = explain(network, x, rules, subject.target, watch)
    scores = whole.scores[0]
    best = int(scores.argmax()) if subject.target is None else subject.target
    made = [whole.relevance, *(
        cut_off(network, rules, name, whole.activations, whole.relevances, whole.start, watch) for name in cutoffs)]
    return title(subject.model.classes, scores, best), [heatmap(R)[0] for R in made]


def one_figure(photographs: int, models: int = 1) -> None:
    """An error if there are too many rows for one figure, or none."""
    if not 0 < photographs * models <= ROWS:
        raise ValueError(f"got {photographs} photographs, needed 1 to {ROWS // models} for a figure: make several")


def panels(photograph: Array, maps: Sequence[Array], percentile: float = 100) -> list[Panel]:
    """The panels of a row: the photograph, the heatmaps, and the second of them also as alpha."""
    limits = [None if percentile == 100 else limit_of(values, percentile=percentile) for values in maps]
    without, low, *high = (Panel(relevance=values, limit=limit) for values, limit in zip(maps, limits))
    return [Panel(photograph), without, low, Panel(photograph, maps[1], limits[1]), *high]


def prefixed(watch: Watch, text: str) -> Watch:
    return lambda name: watch(text + name)


def thumbnail(pixels: Array) -> Array:
    """The photograph, or where it is larger than two panels, as large as those: 40 would fill the memory."""
    height, width = pixels.shape[:2]
    shrink = 2 * LARGEST / max(height, width)
    size = max(1, round(shrink * height)), max(1, round(shrink * width))
    return resize(pixels, size) if shrink < 1 else pixels
