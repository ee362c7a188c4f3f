"""A Network as a torch.nn.Sequential of the same weights: what the adapters to torch's libraries start from.

torch is imported here, and this module only by those adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import nn

from lrp_ref.arrays import Array, Shape
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.torch_functions import FUNCTIONS
from lrp_ref.layers import (
    ELU,
    GELU,
    LRN,
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Flatten,
    Hardsigmoid,
    Hardswish,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MatMul,
    MaxPool,
    ReLU,
    RMSNorm,
    Sigmoid,
    SiLU,
    SumPool,
    Tanh,
    Upsample,
)
from lrp_ref.network import INPUT, Network


def to_torch(network: Network, shape: Shape) -> Any:
    """A module in evaluation mode whose children are one module per layer, in their order, for inputs of this shape.

    A Sequential, or where there are branches a module that hands every layer what it reads. Weights are copies and keep
    float32 or float64. Raises Unsupported, by the layer's name, for what torch.nn has not.
    """
    shapes = network.shapes(shape)
    parts = [module_of(name, layer, layer.joined(*(shapes[t] for t in reads))) for name, layer, reads in network.nodes]
    return (nn.Sequential(*parts) if network.is_chain else Branched(network, parts)).eval()


class Branched(nn.Module):  # type: ignore[misc]
    """Modules of which each takes what the network's layer reads: several tensors joined into one, as it joins them."""

    def __init__(self, network: Network, parts: Sequence[Any]) -> None:
        super().__init__()
        self.parts, self.nodes, self.output = nn.ModuleList(parts), network.nodes, network.output

    def __iter__(self) -> Iterator[Any]:
        return iter(self.parts)

    def forward(self, x: Any) -> Any:
        xs = {INPUT: x}
        for (name, layer, reads), part in zip(self.nodes, self.parts):
            xs[name] = part(joined(layer, [xs[t] for t in reads]))
        return xs[self.output]


def joined(layer: Layer, tensors: Sequence[Any]) -> Any:
    """What `layer.join` makes of arrays."""
    if len(tensors) == 1:
        return tensors[0]
    if isinstance(layer, MatMul):
        return torch.cat([one.flatten(1) for one in tensors], 1)
    return torch.cat(tensors, 1) if isinstance(layer, Concat) else torch.stack(torch.broadcast_tensors(*tensors), 1)


class Summed(nn.Module):  # type: ignore[misc]
    """sum_k c_k x_k along the second axis."""

    def __init__(self, coefficients: Array | None) -> None:
        super().__init__()
        self.coefficients = None if coefficients is None else torch.from_numpy(coefficients.copy())

    def forward(self, x: Any) -> Any:
        c = self.coefficients
        return torch.sum(x if c is None else x * c.reshape(1, -1, *(1,) * (x.dim() - 2)), 1)


def module_of(name: str, layer: Layer, shape: Shape) -> Any:
    make = MODULES.get(type(layer))
    if make is None:
        raise Unsupported(f"{name}: torch.nn has no {type(layer).__name__}")
    try:
        return make(layer, shape)
    except Unsupported as error:
        raise Unsupported(f"{name}: {error.reason}") from None


def one_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method while torch has one thread: on networks this small several would only wait for each other."""
    @wraps(method)
    def alone(*given: Any) -> Any:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return method(*given)
        finally:
            torch.set_num_threads(threads)
    return alone


class SummingPool(nn.AvgPool2d):  # type: ignore[misc]
    """scale * sum of the window: an average over one number, times the scale."""

    def __init__(self, size: Any, stride: Any, scale: float) -> None:
        super().__init__(size, stride, divisor_override=1)
        self.scale = scale

    def forward(self, x: Any) -> Any:
        return super().forward(x) * self.scale


def with_values(module: Any, **values: Array | None) -> Any:
    """The module with these numbers as its parameters and statistics, in their own number type."""
    given = {name: torch.from_numpy(value.copy()) for name, value in values.items() if value is not None}
    module.to(next(iter(given.values())).dtype).load_state_dict(given, strict=False)
    return module


def linear(layer: Any, shape: Shape) -> Any:
    return with_values(nn.Linear(*layer.weight.shape, bias=layer.bias is not None),
                       weight=layer.weight.T, bias=layer.bias)


class SidedConv(nn.Conv2d):  # type: ignore[misc]
    """A convolution that pads above and below, left and right by numbers of their own."""

    sides = (0, 0, 0, 0)

    def forward(self, x: Any) -> Any:
        return super().forward(nn.functional.pad(x, self.sides))


def conv2d(layer: Any, shape: Shape) -> Any:
    if layer.bias is not None and layer.bias.ndim > 1:
        raise Unsupported("torch has no bias per position")
    outputs, per_group, *size = layer.weight.shape
    sizes = per_group * layer.groups, outputs, size, layer.stride
    others = layer.dilation, layer.groups, layer.bias is not None
    if one_sided(layer):
        module = nn.Conv2d(*sizes, layer.pad, *others)
    else:
        module = SidedConv(*sizes, 0, *others)
        (top, bottom), (left, right) = ((side, side) if isinstance(side, int) else side for side in layer.pad)
        module.sides = (left, right, top, bottom)
    return with_values(module, weight=layer.weight, bias=layer.bias)


def one_sided(layer: Any) -> bool:
    return all(isinstance(side, int) for side in layer.pad)


def conv_transpose2d(layer: Any, shape: Shape) -> Any:
    if not one_sided(layer):
        raise Unsupported(f"torch's transposed convolution pads both sides alike, and not by {layer.pad}")
    inputs, per_group, *size = layer.weight.shape
    module = nn.ConvTranspose2d(inputs, per_group * layer.groups, size, layer.stride, layer.pad, layer.output_pad,
                                layer.groups, layer.bias is not None, layer.dilation)
    return with_values(module, weight=layer.weight, bias=layer.bias)


def clip(layer: Any, shape: Shape) -> Any:
    if None in (layer.low, layer.high):
        raise Unsupported("torch has no module that clips one side alone")
    return nn.Hardtanh(float(layer.low), float(layer.high))


def leaky_relu(layer: Any, shape: Shape) -> Any:
    if isinstance(layer.slope, np.ndarray):
        return with_values(nn.PReLU(len(layer.slope)), weight=layer.slope)
    return nn.LeakyReLU(float(layer.slope))


def hardsigmoid(layer: Any, shape: Shape) -> Any:
    if layer.width != 6:
        raise Unsupported(f"torch's hard sigmoid has the width 6, and not {layer.width}")
    return nn.Hardsigmoid()


def half_window(layer: Any) -> None:
    if not one_sided(layer):
        raise Unsupported(f"torch's pooling pads both sides alike, and not by {layer.pad}")
    if any(2 * p > k for p, k in zip(layer.pad, layer.size)):
        raise Unsupported(f"torch's pooling takes no padding {layer.pad} of more than half its window {layer.size}")


def max_pool(layer: Any, shape: Shape) -> Any:
    half_window(layer)
    return nn.MaxPool2d(layer.size, layer.stride, layer.pad, ceil_mode=layer.ceil)


def avg_pool(layer: Any, shape: Shape) -> Any:
    half_window(layer)
    return nn.AvgPool2d(layer.size, layer.stride, layer.pad, layer.ceil, layer.count_pad)


def batch_norm(layer: Any, shape: Shape) -> Any:
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    return with_values(kind(len(layer.mean), float(layer.epsilon)), weight=layer.scale, bias=layer.shift,
                       running_mean=layer.mean, running_var=layer.variance)


def row_norm(kind: Any) -> Callable[[Any, Shape], Any]:
    """torch's norm of the last axis, whose weight and bias are there or not as the layer's scale and shift are."""
    def make(layer: Any, shape: Shape) -> Any:
        module = kind(shape[-1], float(layer.epsilon), elementwise_affine=layer.scale is not None)
        shift = getattr(layer, "shift", None)
        if shift is not None and layer.scale is None:
            raise Unsupported("torch has no norm with a shift and no scale")
        if layer.scale is None:
            return module
        zero = {"bias": np.zeros_like(layer.scale)} if kind is nn.LayerNorm else {}
        return with_values(module, weight=layer.scale, **(zero if shift is None else {"bias": shift}))
    return make


def lrn(layer: Any, shape: Shape) -> Any:
    if layer.taylor:
        raise Unsupported("torch has no local response norm with the map LRN(taylor=True)")
    return nn.LocalResponseNorm(layer.size, float(layer.alpha), float(layer.beta), float(layer.k))


MODULES: dict[type[Layer], Callable[[Any, Shape], Any]] = {
    AdaptiveAvgPool: lambda layer, shape: nn.AdaptiveAvgPool2d(layer.size), AvgPool: avg_pool, BatchNorm: batch_norm,
    Add: lambda layer, shape: Summed(layer.coefficients), Concat: lambda layer, shape: nn.Identity(), Conv2D: conv2d,
    ConvTranspose2D: conv_transpose2d, Clip: clip, LeakyReLU: leaky_relu, Hardsigmoid: hardsigmoid,
    ELU: lambda layer, shape: nn.ELU(float(layer.alpha)), Hardswish: lambda layer, shape: nn.Hardswish(),
    SiLU: lambda layer, shape: nn.SiLU(), Sigmoid: lambda layer, shape: nn.Sigmoid(),
    GELU: lambda layer, shape: nn.GELU(approximate="tanh" if layer.tanh else "none"),
    Upsample: lambda layer, shape: nn.Upsample(scale_factor=layer.factor),
    Flatten: lambda layer, shape: nn.Flatten(), Linear: linear, LRN: lrn, MaxPool: max_pool,
    ReLU: lambda layer, shape: nn.ReLU(), Tanh: lambda layer, shape: nn.Tanh(),
    SumPool: lambda layer, shape: SummingPool(layer.size, layer.stride, float(layer.scale)),
    LayerNorm: row_norm(nn.LayerNorm), RMSNorm: row_norm(nn.RMSNorm), **FUNCTIONS,
}
