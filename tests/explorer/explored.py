"""Small networks to explore, every dimension different: one with branches, one whose middle the walk does not know."""

from __future__ import annotations

import numpy as np

from lrp_ref import Model, Network, Preprocessing
from lrp_ref.layers import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv2D,
    Flatten,
    Linear,
    MaxPool,
    Pad,
    ReLU,
    Transpose,
)

rng = np.random.default_rng(16)


def drawn(*shape: int) -> np.ndarray:
    return rng.normal(size=shape)


NORM = BatchNorm(drawn(4), 1 + drawn(4) ** 2, drawn(4), drawn(4), epsilon=0.01)
# 3 x 19 x 26 -> 4 x 10 x 13 -> 4 x 10 x 13 (a residual) -> 4 x 5 x 7 -> 4 x 4 x 5 -> 4 x 2 x 3 -> 24 -> 5 -> 3
LAYERS = [
    ("conv1", Conv2D(drawn(4, 3, 3, 2), drawn(4), stride=2, pad=(1, 0))), ("norm", NORM), ("relu1", ReLU()),
    ("deep", Conv2D(drawn(4, 2, 3, 3), drawn(4), pad=2, dilation=2, groups=2)), ("relu2", ReLU()),
    ("add", Add(), ("relu2", "relu1")),
    ("pool1", MaxPool((2, 2), (2, 2), ceil=True)), ("pool2", AvgPool((2, 3), (1, 1))),
    ("pool3", AdaptiveAvgPool((2, 3))), ("flat", Flatten()),
    ("fc1", Linear(drawn(24, 5), drawn(5))), ("relu3", ReLU()), ("fc2", Linear(drawn(5, 3), drawn(3)))]
NETWORK = Network(LAYERS)
CLASSES = ["hen", "owl", "a <b> & \u00fc"]
RGB = Preprocessing((19, 26), "rgb", mean=(0.4, 0.5, 0.6), std=0.25)
MODEL = Model(NETWORK, CLASSES, RGB, provenance="drawn. By nobody")
PIXELS = rng.random((38, 41, 3))
GREY = Preprocessing((9, 12))
# known to the walk up to relu; beside each other, transposed and mixed above that
MIXED = Network([
    ("conv", Conv2D(drawn(2, 1, 3, 4), drawn(2), stride=(2, 1))), ("relu", ReLU()),
    ("wide", Conv2D(drawn(3, 2, 1, 3), drawn(3), pad=(0, 1))), ("both", Concat(), ("relu", "wide")),
    ("turned", Transpose((0, 1, 3, 2))), ("framed", Pad((0, 1, 0), (1, 0, 0), 2)),
    ("again", Conv2D(drawn(2, 6, 2, 2), drawn(2))), ("flat", Flatten()), ("fc", Linear(drawn(54, 2), drawn(2)))])
# the pixels are read from above too, past layers of which one turns rows into columns and back
SKIP = Network([
    ("conv", Conv2D(drawn(1, 1, 3, 3), drawn(1), pad=1)), ("turned", Transpose((0, 1, 3, 2))),
    ("back", Transpose((0, 1, 3, 2))), ("add", Add(), ("back", "input")), ("flat", Flatten()),
    ("fc", Linear(drawn(108, 2), drawn(2)))])
SKIP_MODEL = Model(SKIP, ["hen", "owl"], GREY)
MIXED_MODEL = Model(MIXED, ["hen", "owl"], GREY)
