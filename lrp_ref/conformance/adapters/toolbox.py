"""lrp_toolbox's Python modules as their users run them, each with its rule preset; their images are (N, H, W, C)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.layers import Conv2D, Flatten, Layer, Linear, MaxPool, ReLU, SumPool, Tanh
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Pass, Rule, Winner, WSquare, ZPlus


class Toolbox:
    """The modules in PATH/modules with their own stabilisers, and with a NumPy that has what they ask of it."""

    name, version, unit_roundoff = "lrp_toolbox", "Python", 2.0**-53
    conventions: Mapping[str, Any] = {"stabiliser": 1e-16, "zero_rule": 1e-16}

    def __init__(self, path: str) -> None:
        file = Path(path) / "modules" / "__init__.py"
        spec = spec_from_file_location("lrp_toolbox_modules", file) if file.is_file() else None
        if spec is None or spec.loader is None:
            raise ValueError(f"got toolbox:{path}, which has no modules/__init__.py: give lrp_toolbox's python folder")
        for name in imported(spec.name):   # those of another folder
            del sys.modules[name]
        self.modules = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(self.modules)
        for name in imported(spec.name):
            vars(sys.modules[name])["np"] = OldNumpy()

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        steps = []
        for name, layer in network:
            turn = x.ndim == 4 and not isinstance(layer, Flatten)   # which is to flatten channel, row, column
            steps.append((part := module_of(self.modules, layer, x.ndim), turn))
            part.set_lrp_parameters(*variant_of(rules[name], layer))
            x = turned(part.forward, x, turn)
        for part, turn in reversed(steps):
            R = turned(part.lrp, R, turn)
        return R


class OldNumpy:
    """NumPy, and `np.float`, which it had until 1.24.

    All else is asked of NumPy when it is wanted: what its dictionary holds lacks `np.random`, loaded on demand.
    """

    float = float

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def imported(package: str) -> list[str]:
    """The names of a package and its modules, if they are imported."""
    return [name for name in sys.modules if name == package or name.startswith(f"{package}.")]


def turned(function: Any, images: Array, turn: bool) -> Array:
    return np.moveaxis(function(np.moveaxis(images, 1, -1)), -1, 1) if turn else function(images)


def module_of(theirs: Any, layer: Layer, axes: int) -> Any:
    """Their module with the layer's weights: convolutions without padding, dilation or groups; sums over sqrt(h w)."""
    match layer:
        case Linear() if axes == 2 and type(layer) is Linear:   # and no SpreadLinear
            return with_weights(theirs.Linear(*layer.weight.shape), layer.weight, layer.bias)
        case Conv2D(pad=(0, 0), dilation=(1, 1), groups=1):
            weight = np.transpose(layer.weight, (2, 3, 1, 0))
            return with_weights(theirs.Convolution(weight.shape, layer.stride), weight, layer.bias)
        case MaxPool(pad=(0, 0), ceil=False):
            return theirs.MaxPool(layer.size, layer.stride)
        case SumPool() if layer.scale == 1 / sqrt(prod(layer.size)):
            return theirs.SumPool(layer.size, layer.stride)
        case ReLU() | Tanh() | Flatten():
            return getattr(theirs, "Rect" if isinstance(layer, ReLU) else type(layer).__name__)()
    raise Unsupported(f"lrp_toolbox has no {type(layer).__name__} with these parameters")


def with_weights(part: Any, weight: Array, bias: Array | None) -> Any:
    part.W, part.B = weight, part.B if bias is None else bias
    return part


def variant_of(rule: Rule, layer: Layer) -> tuple[str, float]:
    """Their name of a rule, and its parameter."""
    match rule:
        case Epsilon():
            return ("epsilon", float(rule.epsilon)) if rule.epsilon else ("simple", 0)
        case AlphaBeta():
            return "alphabeta", float(rule.alpha)
        case ZPlus():
            return "alphabeta", 1
        case Flat() | WSquare():
            return "flat" if isinstance(rule, Flat) else "ww", 0
        case Winner() | Pass() if isinstance(layer, (MaxPool, ReLU, Tanh, Flatten)):   # all that these modules do
            return "simple", 0
    raise Unsupported(f"lrp_toolbox has no rule for {type(rule).__name__} on {type(layer).__name__}")
