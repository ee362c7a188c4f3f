"""A small model and its photograph, which tests of commands explain, and how what they print is read."""

import json
from pathlib import Path

import numpy as np

from lrp_ref import (
    AvgPool,
    Conv2D,
    Flatten,
    Linear,
    MaxPool,
    Model,
    Network,
    Preprocessing,
    ReLU,
    explain,
    paper_cnn,
)

FIXTURES = Path(__file__).parents[2] / "data_fixtures"
rng = np.random.default_rng(0)
# 3 x 11 x 10 -> 4 x 9 x 8 -> 4 x 4 x 4 -> 2 x 3 x 3 -> 2 x 1 x 3 -> 6 -> 3
LAYERS = [("conv1", Conv2D(rng.normal(size=(4, 3, 3, 3)))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
          ("conv2", Conv2D(rng.normal(size=(2, 4, 2, 2)))), ("pool2", AvgPool((3, 1))), ("relu2", ReLU()),
          ("flat", Flatten()), ("fc", Linear(rng.normal(size=(6, 3)), rng.normal(size=3)))]
NETWORK = Network(LAYERS)
RGB = Preprocessing((11, 10), "rgb", mean=0.5, std=0.25)
MODEL = Model(NETWORK, ["left", "right", "both"], RGB)
PIXELS = rng.integers(0, 256, (21, 30, 3), dtype=np.uint8)


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


def parsed(text):
    return json.loads(text, parse_constant=no_constant)


def explained(rules=None, target=None):
    return explain(NETWORK, MODEL.prepare(PIXELS), rules or paper_cnn(NETWORK), target)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
