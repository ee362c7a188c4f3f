"""The paper's Figure 1 for a model and photographs of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, cutoff
from lrp_ref.heatmap import heatmap
from lrp_ref.layers import Conv2D, Layer
from lrp_ref.layers.pool import Pool
from lrp_ref.models import Model
from lrp_ref.network import Network
from lrp_ref.picture import Figure, Panel, Row, figure
from lrp_ref.relevance import relevances, start


def pixel_cutoff(network: Network) -> str:
    """The layer above the lowest convolution: the cut-off below it is the paper's cut-off at R(1)."""
    return above(network, Conv2D, 1)


def pool_cutoff(network: Network) -> str:
    """The layer above the second pooling (or the only one): below it, relevance spreads over what that pooling sees."""
    return above(network, Pool, 2)


def above(network: Network, kind: type[Layer], count: int) -> str:
    """The name of the layer above the `count`th layer of a kind, or above the last where there are fewer."""
    found = [n for n, (_, layer) in enumerate(network) if isinstance(layer, kind)][:count]
    if not found or found[-1] + 1 == len(network):
        raise ValueError(f"the network has no {kind.__name__} with a layer above it to cut off below: "
                         "use lrp-ref explain with --cutoff LAYER")
    return network.names[found[-1] + 1]


def paper_figure(model: Model, photographs: Mapping[str, Array], rules: Callable[[Network], Rules], target: int | None,
                 below: str | None = None, colours: str = "paper", watch: Callable[[str], object] = str) -> Figure:
    """A row per photograph: input; heatmap without cut-off; with cut-off at R(1); that one as alpha; with a higher one.

    photographs  {label: (H, W) or (H, W, 3) in [0, 1]}
    target       a class index, or None for each photograph's top score
    below        the higher cut-off; None: the layer above the second pooling
    """
    rows, titles = [], []
    for label, pixels in photographs.items():
        x = model.prepare(pixels)
        network = model.network(x.shape)
        low, high = pixel_cutoff(network), below or pool_cutoff(network)
        network.index(high)
        full = rules(network)
        titles = ["input", "no cut-off", f"cut-off at R(1), below {low}", "input with that heatmap as alpha",
                  f"cut-off below {high}"]
        watch(f"{label}: {network.names[0]}")
        xs = network.activations(x, lambda name, label=label: watch(f"{label}: {name}"))  # type: ignore[misc]
        R = start(xs[-1], target)
        maps = []
        for chosen in (full, cutoff(full, low), cutoff(full, high)):
            Rs, _ = relevances(network, xs, chosen, R, lambda name, label=label: watch(f"{label}: {name}"))  # type: ignore[misc]
            maps.append(heatmap(Rs[0])[0].astype(float))
        best = int(xs[-1][0].argmax()) if target is None else target
        caption = f"{label}\n{model.classes[best]}: {float(xs[-1][0, best]):.2f}"
        rows.append(Row(caption, panels(pixels, maps)))
    return figure(titles, rows, colours)


def panels(pixels: Array, maps: Sequence[Array]) -> list[Panel]:
    """The five panels of a row; each heatmap has a scale of its own."""
    without, low, high = maps
    return [Panel(pixels), Panel(relevance=without), Panel(relevance=low), Panel(pixels, low), Panel(relevance=high)]
