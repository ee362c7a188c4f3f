"""The paper's Figure 1 for a model and photographs of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, cutoff
from lrp_ref.heatmap import heatmap, limit_of
from lrp_ref.layers import Conv2D, Layer
from lrp_ref.layers.pool import Pool
from lrp_ref.models import Model
from lrp_ref.network import Network
from lrp_ref.photograph import resize
from lrp_ref.picture import LARGEST, Figure, Panel, Row, figure
from lrp_ref.relevance import explain

ROWS = 100   # of one figure, which is then some 30,000 pixels high


def pixel_cutoff(network: Network) -> str:
    """The layer above the lowest convolution: the cut-off below it is the paper's cut-off at R(1)."""
    return above(network, Conv2D, 1, "convolution", "explain the photographs one by one, without a figure")


def pool_cutoff(network: Network) -> str:
    """The layer above the second pooling (or the only one): R spreads below over what that pooling sees."""
    return above(network, Pool, 2, "pooling", "name the layer of the higher cut-off, --cutoff LAYER")


def above(network: Network, kind: type[Layer], count: int, what: str, cure: str) -> str:
    """The name of the layer above the `count`th layer of a kind, or above the last where there are fewer."""
    found = [n for n, (_, layer) in enumerate(network) if isinstance(layer, kind)][:count]
    if not found or found[-1] + 1 == len(network):
        raise ValueError(f"got a network without a {what} that has a layer above it, needed one to "
                         f"cut off there: {cure}")
    return network.names[found[-1] + 1]


def paper_figure(model: Model, photographs: Mapping[str, Any] | Iterable[tuple[str, Any]],
                 rules: Callable[[Network], Rules], target: int | None, below: str | None = None,
                 colours: str = "paper", watch: Callable[[str], object] = str,
                 percentile: float = 100) -> Figure:
    """A row per photograph: input; heatmap; with cut-off at R(1); that one as alpha; with a higher cut-off.

    photographs  {label: (H, W) or (H, W, 3) in [0, 1]} or such pairs; only what a panel shows is kept of them
    target       a class index, or None for each photograph's top score
    below        the higher cut-off; None: the layer above the second pooling
    percentile   of |relevance|, shown in each heatmap's strongest colour
    """
    pairs = photographs.items() if isinstance(photographs, Mapping) else photographs
    seen = [(label, model.prepare(pixels), thumbnail(pixels)) for label, pixels in pairs]
    one_figure(len(seen))
    low, high = pixel_cutoff(model.chain), below or pool_cutoff(model.chain)
    rows = []
    for n, (label, x, shown) in enumerate(seen, 1):
        network, named = model.network(x.shape), prefixed(watch, f"{n} of {len(seen)}, {label}: ")
        full = rules(network)
        columns = full, cutoff(full, low), cutoff(full, high)
        explained = [explain(network, x, column, target, named) for column in columns]
        scores = explained[0].scores[0]
        best = int(scores.argmax()) if target is None else target
        caption = f"{label}\n{model.classes[best]}: {float(scores[best]):.2f}"
        rows.append(Row(caption, panels(shown, [heatmap(e.relevance)[0] for e in explained], percentile)))
    titles = ["input", "no cut-off", f"cut-off at R(1), below {low}", "input with that heatmap as alpha",
              f"cut-off below {high}"]
    return figure(titles, rows, colours)


def one_figure(photographs: int) -> None:
    """An error if there are too many photographs for one figure, or none."""
    if not 0 < photographs <= ROWS:
        raise ValueError(f"got {photographs} photographs, needed 1 to {ROWS} for a figure: make several")


def panels(photograph: Array, maps: Sequence[Array], percentile: float = 100) -> list[Panel]:
    """The five panels of a row; each heatmap has a scale of its own."""
    limits = [None if percentile == 100 else limit_of(values, percentile=percentile) for values in maps]
    without, low, high = (Panel(relevance=values, limit=limit) for values, limit in zip(maps, limits))
    return [Panel(photograph), without, low, Panel(photograph, maps[1], limits[1]), high]


def prefixed(watch: Callable[[str], object], text: str) -> Callable[[str], object]:
    return lambda name: watch(text + name)


def thumbnail(pixels: Array) -> Array:
    """The photograph, or where it is larger than two panels, as large as those: 40 would fill the memory."""
    height, width = pixels.shape[:2]
    shrink = 2 * LARGEST / max(height, width)
    size = max(1, round(shrink * height)), max(1, round(shrink * width))
    return resize(pixels, size) if shrink < 1 else pixels
