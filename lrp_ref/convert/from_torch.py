"""torch.nn.Sequential to Network. torch is imported by whoever hands its network over, not here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.refused import refuse
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    ReLU,
    Tanh,
)
from lrp_ref.network import Network


def from_torch(module: Any) -> Network:
    """A torch.nn.Sequential, nested or not, in evaluation mode, as a Network with torch's own layer names.

    Dropout and Identity vanish. Functional calls and branches cannot be seen in a Sequential, so any other container
    is refused, and so is any module that is not in the table below. Weights keep float32 or float64.
    """
    layers = []
    for name, part in leaves(module, ""):
        if part.training:
            raise ValueError(f"from_torch got {name or 'a network'} in training mode: call network.eval() first")
        kind = type_name(part)
        if kind not in TORCH:
            raise ValueError(f"from_torch got {name}, a {kind}, needed one of {', '.join(sorted(TORCH))}")
        try:
            layer = TORCH[kind](part)
        except ValueError as error:
            raise ValueError(f"from_torch: {name}, a {kind}: {error}") from None
        if layer is not None:
            layers.append((name, layer))
    if not layers:
        raise ValueError("from_torch got a network without layers")
    return Network(layers)


def leaves(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The modules of nested Sequentials in the order they run, with torch's names; a module used twice comes twice."""
    if type_name(module) != "Sequential":
        if not name:
            raise ValueError(f"from_torch got a {type_name(module)}, needed a torch.nn.Sequential: put the parts "
                             "in one, in the order in which they run")
        yield name, module
        return
    for child, part in module._modules.items():
        yield from leaves(part, f"{name}.{child}" if name else child)


def type_name(module: Any) -> str:
    """The name of its class; with its module in front where it is not torch's own, which may compute anything."""
    kind = type(module)
    own = kind.__module__.startswith("torch.nn.modules.")
    return kind.__name__ if own else f"{kind.__module__}.{kind.__qualname__}"


def own_array(tensor: Any) -> Array | None:
    """A tensor's values as an array of its own, which training the network further does not touch; or None."""
    if tensor is None:
        return None
    try:
        return np.array(tensor.detach().cpu().numpy())
    except (TypeError, NotImplementedError):   # bfloat16, which NumPy does not have; the meta device
        raise ValueError(f"got weights of {tensor.dtype} on {tensor.device}, needed float32 or float64 numbers: "
                         "use network.float()") from None


def conv2d(part: Any) -> Layer:
    refuse(part.padding_mode != "zeros", f"padding_mode={part.padding_mode!r}, needed 'zeros'")
    pad = part.padding
    if isinstance(pad, str):
        extents = [(k - 1) * d for k, d in zip(part.kernel_size, part.dilation)]
        refuse(pad == "same" and any(e % 2 for e in extents), "padding='same' with an even window pads one side more")
        pad = tuple(e // 2 for e in extents) if pad == "same" else 0
    return Conv2D(own_array(part.weight), own_array(part.bias), part.stride, pad, part.dilation, part.groups)


def linear(part: Any) -> Layer:
    weight: Any = own_array(part.weight)
    return Linear(np.ascontiguousarray(weight.T), own_array(part.bias))


def max_pool(part: Any) -> Layer:
    refuse(part.dilation not in (1, (1, 1)), "dilation, which MaxPool does not have")
    refuse(part.return_indices, "return_indices=True, needed False")
    return MaxPool(part.kernel_size, part.stride, part.padding, part.ceil_mode)


def avg_pool(part: Any) -> Layer:
    refuse(part.divisor_override is not None, "divisor_override, needed None")
    return AvgPool(part.kernel_size, part.stride, part.padding, part.ceil_mode, part.count_include_pad)


def adaptive_avg_pool(part: Any) -> Layer:
    size = part.output_size if isinstance(part.output_size, tuple) else (part.output_size,) * 2
    refuse(None in size, "output_size with None, needed numbers")
    return AdaptiveAvgPool(size)


def batch_norm(part: Any) -> Layer:
    refuse(part.running_mean is None, "no running statistics, needed track_running_stats=True")
    mean, variance = own_array(part.running_mean), own_array(part.running_var)
    ones = np.ones_like(mean)
    scale, shift = (ones, 0 * ones) if part.weight is None else (own_array(part.weight), own_array(part.bias))
    return BatchNorm(mean, variance, scale, shift, part.eps)


def lrn(part: Any) -> Layer:
    return LRN(part.size, part.alpha, part.beta, part.k)


def flatten(part: Any) -> Layer:
    refuse((part.start_dim, part.end_dim) != (1, -1), "start_dim and end_dim other than 1 and -1")
    return Flatten()


TORCH: dict[str, Callable[[Any], Layer | None]] = {
    "Conv2d": conv2d, "Linear": linear, "MaxPool2d": max_pool, "AvgPool2d": avg_pool,
    "AdaptiveAvgPool2d": adaptive_avg_pool, "BatchNorm1d": batch_norm, "BatchNorm2d": batch_norm,
    "LocalResponseNorm": lrn, "Flatten": flatten, "ReLU": lambda part: ReLU(), "Tanh": lambda part: Tanh(),
    "Dropout": lambda part: None, "Dropout2d": lambda part: None, "Identity": lambda part: None,
}
