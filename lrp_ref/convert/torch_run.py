"""What a module gives on an input, and what every call of its graph does."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from lrp_ref.convert.refused import refuse
from lrp_ref.hints import quotable, shown


def torch() -> Any:
    """torch, which whoever made a module has imported."""
    return sys.modules["torch"]


def recorded(module: Any, graph: Any, x: Any, defaults: tuple[Any, ...], known: Any = None) -> dict[Any, Any]:
    """{node: what its call gives on x}, before anything changes that in place; of a graph, or the beginning of one.

    known: what some calls have given already, which are not carried out again.
    """
    values: dict[Any, Any] = {}
    fx: Any = import_module("torch.fx")

    class Recorder(fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            values[n] = fx.node.map_aggregate(result, kept)
            return result

    with torch().no_grad():
        Recorder(module, graph=graph).run(kept(x), *defaults, initial_env=dict(known or {}),
                                             enable_io_processing=False)
    return values


def kept(value: Any) -> Any:
    """A tensor as it is now."""
    return value.detach().clone() if isinstance(value, torch().Tensor) else value


def given_by(module: Any, x: Any) -> Any:
    """module(x), or an error where the module does not take it."""
    try:
        with torch().no_grad():
            return kept(module(kept(x)))
    except Exception as error:   # of a forward, whatever it is
        line = quotable((str(error).splitlines() or [type(error).__name__])[0], 200)
        raise ValueError(f"from_torch: the {quotable(type(module).__name__)} does not take the example of shape "
                         f"{tuple(x.shape)}: {line}") from None


def as_example(module: Any, example: Any) -> Any:
    """The example as a tensor of the module's own number type, where the module is."""
    try:
        x = torch().as_tensor(example)
    except Exception:   # of what it does not know
        raise ValueError(f"from_torch got the example {shown(example)}, needed a batch such as the module takes: "
                         "torch.zeros(1, 3, 224, 224)?") from None
    refuse(x.ndim < 2 or x.numel() == 0, f"from_torch got an example of shape {tuple(x.shape)}, needed a batch, "
           "(N, C, H, W) or (N, ...)")
    if not x.is_floating_point() and any(
            isinstance(part, torch().nn.Embedding) for part in module.modules()):
        return x.long()   # token ids
    for name, own in (*module.named_parameters(), *module.named_buffers()):
        if own.is_floating_point():
            refuse(own.dtype not in (torch().float32, torch().float64) or own.device.type == "meta",
                   f"from_torch got {quotable(name)} of {own.dtype} on {own.device}, needed float32 or float64 "
                   "numbers: use network.float()")
            return x.to(own.device, own.dtype)
    return x if x.is_floating_point() else x.double()
