"""w' = w g, b' = (b - mean) g + shift: the same function without BatchNorm, g = scale / sqrt(variance + epsilon)."""

from __future__ import annotations

import warnings

from lrp_ref.arrays import Shape
from lrp_ref.hints import listed
from lrp_ref.layers import BatchNorm, Layer
from lrp_ref.network import INPUT, Network, Node, a_network


def merge_batchnorm(network: Network, shape: Shape | None = None) -> Network:
    """Every BatchNorm folded into the layer before it, or into the one above, where that leaves the function as it is.

    The layer before it must be a Conv2D, or a Linear on (N, I), whose output nobody else reads. (A Linear on (N, L, D)
    has its outputs on the last axis and BatchNorm its channels on the second: that pair is not to be merged.) The layer
    above must be one of these, and the only one that reads the norm: z = sum w (g a + s) + b has the weights w g and
    the bias b + sum w s. Beside a padding that is another number than inside, for images of one size: shape, that of
    the input.

    A norm that cannot be merged stays, and a warning says which and why. Epsilon(0) gives the same relevance before and
    after, where no number between the two layers is 0; other rules do not.
    """
    nodes = {one.name: one for one in a_network(network).nodes}
    shapes = None if shape is None else network.shapes(shape)
    stay = []
    for name, layer, reads in network.nodes:
        if not isinstance(layer, BatchNorm):
            continue
        (read,) = nodes[name].reads
        try:
            if not (into_below(nodes, name, layer, read)
                    or into_above(nodes, name, layer, read, shapes[reads[0]] if shapes else None)):
                stay.append(f"{name} after {'the input' if read == INPUT else read}")
        except ValueError as error:
            what = "the input" if read == INPUT else read
            raise ValueError(f"merge_batchnorm got {name} after {what}: {error}") from None
    if stay:
        warnings.warn(f"merge_batchnorm leaves {listed(stay)}: it merges into a Linear or Conv2D directly before the "
                      "norm, whose output nobody else reads, or directly above, where it alone reads the norm",
                      UserWarning, stacklevel=2)
    return Network(nodes.values())


def into_below(nodes: dict[str, Node], name: str, norm: BatchNorm, read: str) -> bool:
    """Whether the norm is now part of the layer that it reads."""
    both = None if read == INPUT or len(readers(nodes, read)) > 1 else nodes[read].layer.normalised(
        norm.mean, norm.factor(), norm.shift)
    if both is None:
        return False
    replace_by(nodes, name, read)
    nodes[read] = nodes[read]._replace(layer=both)
    return True


def into_above(nodes: dict[str, Node], name: str, norm: BatchNorm, read: str, shape: Shape | None) -> bool:
    """Whether the norm is now part of the layer that reads it."""
    above = readers(nodes, name)
    both: Layer | None = None
    if len(above) == 1 and nodes[above[0]].reads == (name,):
        gain = norm.factor()
        both = nodes[above[0]].layer.scaled(gain, norm.shift - norm.mean * gain, shape)
    if both is None:
        return False
    replace_by(nodes, name, read)
    nodes[above[0]] = nodes[above[0]]._replace(layer=both)
    return True


def readers(nodes: dict[str, Node], tensor: str) -> list[str]:
    return [one.name for one in nodes.values() if tensor in one.reads]


def replace_by(nodes: dict[str, Node], name: str, read: str) -> None:
    """Leave a layer out: who reads it reads what it has read."""
    del nodes[name]
    for one in [one for one in nodes.values() if name in one.reads]:
        nodes[one.name] = one._replace(reads=tuple(read if t == name else t for t in one.reads))
