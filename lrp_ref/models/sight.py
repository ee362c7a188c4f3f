"""What units see of an image, where receptive fields are not all that there is to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrp_ref.arrays import Pair
from lrp_ref.layers import AdaptiveAvgPool
from lrp_ref.network import INPUT, Network, ReceptiveField

WHOLE, SEVERAL = "the whole image", "windows of several sizes"


def words_for(network: Network, fields: Mapping[str, ReceptiveField | None], image: Sequence[int]) -> dict[str, str]:
    """{tensor: what its units see where these are no windows of one size, or a single window that covers the image}"""
    said = {INPUT: ""}
    for name, layer, reads in network.nodes:
        field, parts = fields[name], layer.sees is not None or (
            isinstance(layer, AdaptiveAvgPool) and layer.size != (1, 1))
        if field is None:
            said[name] = SEVERAL if parts and WHOLE not in [said[t] for t in reads] else WHOLE
        else:
            said[name] = WHOLE if all(start <= 0 and start + size >= n and step >= n for n, size, step, start in
                                      zip(image, field.size, field.step, field.start)) else ""
    return said


def described(network: Network, n: int) -> tuple[Pair, ...]:
    """The squares of the descriptors (`layer.squares`) that go into layer n row by row; none where rows are mixed."""
    below = reversed([layer for _, layer in network.layers[:n]])
    return next((layer.squares for layer in below if layer.squares or not layer.rowwise), ())


def squares(network: Network, n: int) -> list[int] | None:
    """The sides of the descriptors' squares, 4 s pixels, where descriptors (N, L, D) go into layer n; else None."""
    return [side for side, _ in described(network, n)] or None


def bins(network: Network, n: int) -> list[int] | None:
    """Likewise the squares over which relevance below layer n spreads evenly: right above descriptors those of bins."""
    own = network.layers[n - 1][1].squares if n else ()
    return [side for _, side in own] or squares(network, n)
