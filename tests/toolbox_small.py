"""lrp_toolbox's own answers for two small networks: data_fixtures/toolbox_small."""

from math import sqrt
from pathlib import Path

import numpy as np

from lrp_ref import assign, load_model
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.pool import MaxPool, SumPool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, WSquare

FOLDER = Path(__file__).parents[1] / "data_fixtures" / "toolbox_small"
ALL = (Conv2D, Linear, SumPool, MaxPool)


def weighted(rule, **more):
    """The rule on convolutions and dense layers; pooling keeps its default."""
    return lambda network: assign(network, {Conv2D: rule, Linear: rule}, **more)


RULES = {
    "simple": assign,
    "epsilon_0p25": weighted(Epsilon(0.25)),
    "alphabeta_2": weighted(AlphaBeta(2, 1)),
    "alphabeta_1": weighted(AlphaBeta(1, 0)),
    "wsquare": weighted(WSquare()),
    "flat_all": lambda network: assign(network, dict.fromkeys(ALL, Flat())),
    "alphabeta_2_flat_first": weighted(AlphaBeta(2, 1), first=Flat()),
}


def case(pooling):
    """The network, its images (N, C, H, W), and all that lrp_toolbox computed."""
    with np.load(FOLDER / f"{pooling}.npz") as file:
        numbers = dict(file)
    x = numbers.pop("x").transpose(0, 3, 1, 2)
    return load_model(FOLDER / f"{pooling}.txt").network(x.shape), x, numbers


def as_lrp_toolbox(network, rules):
    """The same rules, with its stabiliser: 1e-12 on sum x is 1e-12 / sqrt(h w) on z = sum x / sqrt(h w)."""
    guards = {name: Epsilon(1e-12 / sqrt(layer.size[0] * layer.size[1]))
              for name, layer in network if isinstance(layer, SumPool) and rules[name] == Epsilon(0)}
    return {**rules, **guards}
