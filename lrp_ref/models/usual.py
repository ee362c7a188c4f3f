"""What explains a model where nobody says: its rules, and the paper's two cut-offs, by what its layers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrp_ref.assignment import Rules, epsilon_gamma_box, paper_rules
from lrp_ref.layers import Conv2D, FisherVector, Layer
from lrp_ref.layers.pool import Pool
from lrp_ref.network import Network

DEEP = 20   # layers with weights: VGG-19 is not deep, a ResNet-18 with its shortcuts is
AT_PIXELS = "R1"   # the paper's name, R(1), of the cut-off below which relevance goes evenly over what the lowest see


def deep(network: Network) -> bool:
    """Whether alpha-beta leaves grain of both signs on the pixels: more than DEEP layers with weights."""
    return sum(layer.weighted for _, layer in network) > DEEP


def usual_rules(network: Network, low: Any, high: Any) -> Rules:
    """The paper's preset; of a deep network epsilon_gamma_box(network, low, high), whose maps show objects."""
    return epsilon_gamma_box(network, low, high) if deep(network) else paper_rules(network)


def named_cutoff(network: Network, below: str) -> str:
    """The layer that a cut-off's name means: R1 or R(1) is `pixel_cutoff`, unless a layer has that name."""
    at_pixels = below.upper().replace("(", "").replace(")", "") == AT_PIXELS and below not in network.places
    return pixel_cutoff(network) if at_pixels else below


def pixel_cutoff(network: Network) -> str:
    """The FisherVector, or the layer above the lowest convolution: below it the cut-off is the paper's at R(1)."""
    for name, layer in network:
        if isinstance(layer, FisherVector):
            return name
    return above(network, convolution, 1, "convolution", "name the layer of the cut-off; a figure has one at R(1)")


def higher_cutoff(network: Network) -> str:
    """The layer above the second pooling (or the only one): R spreads below over what that pooling sees.

    In a network without pooling the layers that make images smaller are convolutions: the third of them, the lowest
    being one that R(1) is about.
    """
    cure = "name the layer of the higher cut-off, --cutoff LAYER"
    if any(isinstance(layer, Pool) for _, layer in network):
        return above(network, lambda layer: isinstance(layer, Pool), 2, "pooling", cure)
    return above(network, strided, 3, "pooling", cure)


def convolution(layer: Layer) -> bool:
    return isinstance(layer, Conv2D)


def strided(layer: Layer) -> bool:
    return isinstance(layer, Conv2D) and max(layer.stride) > 1


def above(network: Network, wanted: Callable[[Layer], bool], count: int, what: str, cure: str) -> str:
    """The name of the layer above the `count`th of those that are wanted, or above the last where there are fewer."""
    found = [n for n, (_, layer) in enumerate(network) if wanted(layer)][:count]
    if not found or found[-1] + 1 == len(network):
        raise ValueError(f"got a network without a {what} that has a layer above it, needed one to "
                         f"cut off there: {cure}")
    return network.names[found[-1] + 1]
