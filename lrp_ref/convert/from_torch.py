"""torch.nn.Sequential to Network. torch is imported by whoever hands its network over, not here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import quotable, shown
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

CURES = {f"torch.nn.utils.{module}": f"torch.nn.utils.{cure} does" for module, cure in {
    "weight_norm": "remove_weight_norm(module)", "spectral_norm": "remove_spectral_norm(module)",
    "prune": "prune.remove(module, name)"}.items()}


def from_torch(module: Any) -> Network:
    """A torch.nn.Sequential, nested or not, in evaluation mode, as a Network with torch's own layer names.

    Dropout and Identity vanish. Functional calls and branches cannot be seen in a Sequential, so any other container
    is refused, and so is any module that is not in the table below. Weights keep float32 or float64.
    """
    layers = []
    for name, part in leaves(module, "", ()):
        kind = type_name(part)
        if getattr(part, "training", False) is not False:
            raise ValueError(f"from_torch got {quotable(name)} in training mode: call network.eval() first")
        if kind not in TORCH:
            raise ValueError(f"from_torch got {quotable(name)}, a {kind}, needed one of {', '.join(sorted(TORCH))}")
        try:
            layer = TORCH[kind](part)
        except ValueError as error:
            raise ValueError(f"from_torch: {quotable(name)}, a {kind}: {error}") from None
        except Exception as error:   # its attributes are whatever somebody made them
            raise ValueError(f"from_torch: {quotable(name)}, a {kind}, is not as torch makes it "
                             f"({type(error).__name__}): build that module anew") from None
        if layer is not None:
            layers.append((name, layer))
    if not layers:
        raise ValueError("from_torch got a network without layers")
    return Network(layers)


def leaves(module: Any, name: str, around: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The modules of nested Sequentials in the order they run, with torch's names; a module used twice comes twice.

    around: the Sequentials that this module is in.
    """
    refuse(any(module is one for one in around), f"from_torch got {quotable(name)}, a Sequential that holds itself")
    own_forward(module, name or "the network")
    if type_name(module) != "Sequential":
        if not name:
            raise ValueError(f"from_torch got a {type_name(module)}, needed a torch.nn.Sequential: put the parts "
                             "in one, in the order in which they run")
        yield name, module
        return
    for child, part in module._modules.items():
        yield from leaves(part, f"{name}.{child}" if name else child, (*around, module))


def own_forward(module: Any, name: str) -> None:
    """An error unless calling the module is its class's forward on its parameters, and nothing else.

    A hook may change what goes in and what comes out, or compute the weights anew (weight_norm, spectral_norm and prune
    of torch.nn.utils do), and a method may be replaced. None of that is in the weights.
    """
    here, kind = getattr(module, "__dict__", {}), type(module)
    if "_modules" not in here:   # no module
        return
    what = f"from_torch got {quotable(name)}, a {type_name(module)},"
    refuse("parametrizations" in here["_modules"], f"{what} whose weights are computed anew in every call: "
           "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight') makes them its own")
    every = vars(sys.modules.get("torch.nn.modules.module", object))
    for hooks in ("_forward_pre_hooks", "_forward_hooks"):
        for hook in [*here[hooks].values(), *every.get(f"_global{hooks}", {}).values()]:
            cure = CURES.get(type(hook).__module__, "the handle that register_forward_hook returned has a remove()")
            called = quotable(getattr(hook, "__name__", type(hook).__name__), 40)
            raise ValueError(f"{what} with the hook {called}, which may change its numbers and is not converted: "
                             f"remove it first, {cure}")
    for method in here:
        refuse(callable(getattr(kind, method, None)), f"{what} whose {quotable(method)} was replaced, which may "
               "compute anything: build that module anew")
    ours = type_name(module) in {"Sequential", *TORCH} and not kind.forward.__module__.startswith("torch.")
    refuse(ours, f"{what} whose class has another forward than torch's, which may compute anything")


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
    except (TypeError, NotImplementedError, RuntimeError):   # bfloat16, which NumPy does not have; the meta device
        raise ValueError(f"got weights of {tensor.dtype} on {tensor.device}, needed float32 or float64 numbers: "
                         "use network.float()") from None


def conv2d(part: Any) -> Layer:
    refuse(part.padding_mode != "zeros", f"padding_mode={shown(part.padding_mode)}, needed 'zeros'")
    pad = part.padding
    if isinstance(pad, str):
        refuse(pad not in ("same", "valid"), f"padding={shown(pad)}, needed numbers, 'same' or 'valid'")
        extents = [(k - 1) * d for k, d in zip(part.kernel_size, part.dilation)]
        refuse(pad == "same" and any(e % 2 for e in extents), "padding='same' with an even window pads one side more")
        pad = tuple(e // 2 for e in extents) if pad == "same" else 0
    return Conv2D(own_array(part.weight), own_array(part.bias), both(part.stride), both(pad), both(part.dilation),
                  part.groups)


def both(size: Any) -> tuple[Any, ...]:
    """Torch's sizes, a number or a tuple or list of one or two, as rows and columns."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    known = len(sides) in (1, 2) and all(side is None or isinstance(side, (int, np.integer)) for side in sides)
    refuse(not known, f"the size {shown(size)}, needed an int, or one for rows and one for columns")
    return sides * 2 if len(sides) == 1 else sides


def linear(part: Any) -> Layer:
    weight: Any = own_array(part.weight)
    return Linear(np.ascontiguousarray(weight.T), own_array(part.bias))


def max_pool(part: Any) -> Layer:
    refuse(both(part.dilation) != (1, 1), "dilation, which MaxPool does not have")
    refuse(part.return_indices, "return_indices=True, needed False")
    return MaxPool(both(part.kernel_size), both(part.stride), both(part.padding), part.ceil_mode)


def avg_pool(part: Any) -> Layer:
    refuse(part.divisor_override is not None, "divisor_override, needed None")
    return AvgPool(both(part.kernel_size), both(part.stride), both(part.padding), part.ceil_mode,
                   part.count_include_pad)


def adaptive_avg_pool(part: Any) -> Layer:
    size = both(part.output_size)
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
