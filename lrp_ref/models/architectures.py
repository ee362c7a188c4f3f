"""The paper's network at its real size: BVLC reference CaffeNet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.layers import LRN, Conv2D, Flatten, Layer, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.outside import among, integer, refused

MOST = 1 << 15   # classes, ImageNet has 22,000: their weights and those below take 1.4 GB in float64
# name: shape of the weights (outputs last for Linear), stride, pad, groups
CAFFENET = {
    "conv1": ((96, 3, 11, 11), 4, 0, 1), "conv2": ((256, 48, 5, 5), 1, 2, 2), "conv3": ((384, 256, 3, 3), 1, 1, 1),
    "conv4": ((384, 192, 3, 3), 1, 1, 2), "conv5": ((256, 192, 3, 3), 1, 1, 2),
}


def caffenet(classes: int = 20, weights: Mapping[str, Array] | None = None, seed: int = 0) -> Network:
    """BVLC reference CaffeNet, images (N, 3, 227, 227): grouped convolutions, LRN, overlapping pooling, fc6 to fc8.

    weights  {"conv1.weight": (96, 3, 11, 11), "conv1.bias": (96,), .., "fc8.weight": (4096, classes), ..}; None draws
             them from the seed (He et al. 2015: scores of ordinary size), for runs in which only the size matters
    """
    classes = integer(1, MOST)("caffenet", "classes", classes)
    if not isinstance(weights, (Mapping, type(None))):
        raise refused("caffenet", "weights", weights, "{name: array}, or None to draw them")
    given = dict(weights or {})
    rng = np.random.default_rng(integer()("caffenet", "seed", seed))

    def array(name: str, shape: tuple[int, ...], fan_in: int) -> Array:
        if weights is None:
            return rng.normal(0, (2 / fan_in) ** 0.5, shape) if len(shape) > 1 else rng.normal(0, 0.01, shape)
        if name not in given or np.shape(given[name]) != shape:
            got = f"shape {np.shape(given[name])}" if name in given else "nothing"
            raise ValueError(f"caffenet got {got} for {name}, needed {shape}")
        return given.pop(name)

    layers: list[tuple[str, Layer]] = []
    for n, (name, (shape, stride, pad, groups)) in enumerate(CAFFENET.items(), 1):
        weight = array(f"{name}.weight", shape, int(np.prod(shape[1:])))
        layers += [(name, Conv2D(weight, array(f"{name}.bias", shape[:1], 1), stride, pad, 1, groups)),
                   (f"relu{n}", ReLU())]
        if n in (1, 2, 5):
            layers.append((f"pool{n}", MaxPool(3, 2, ceil=True)))
        if n in (1, 2):
            layers.append((f"norm{n}", LRN(5, 1e-4, 0.75, 1)))
    layers.append(("flatten", Flatten()))
    for n, (i, j) in zip((6, 7, 8), ((9216, 4096), (4096, 4096), (4096, classes))):
        layers.append((f"fc{n}", Linear(array(f"fc{n}.weight", (i, j), i), array(f"fc{n}.bias", (j,), 1))))
        if n < 8:
            layers.append((f"relu{n}", ReLU()))
    if given:
        raise ValueError(f"caffenet got weights it has no layer for: {among([*map(str, given)])}")
    return Network(layers)
