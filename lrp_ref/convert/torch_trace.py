"""What a module does, call by call, as torch.fx sees it, and what every call gives on an input.

torch is imported by whoever hands the module over: here it is what `sys.modules` has.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from linecache import getline
from pathlib import Path
from traceback import extract_tb
from typing import Any

from lrp_ref.convert.refused import refuse
from lrp_ref.hints import quotable, shown


def torch() -> Any:
    """torch, which whoever made a module has imported."""
    return sys.modules["torch"]


@dataclass(frozen=True)
class Traced:
    """A module's calls in their order: torch.fx's graph.

    around    {node: the path of the module in whose forward the call stands; of a module's call its own path}
    defaults  the arguments of forward after the first, as they are by default
    """

    module: Any
    graph: Any
    around: dict[Any, str]
    defaults: tuple[Any, ...]


@contextmanager
def traced(module: Any) -> Iterator[Traced]:
    """The module's calls. What torch.fx leaves in the module is gone afterwards."""
    before, tracer = set(vars(module)), paths()
    buffers = set(module._buffers)
    defaults = by_default(module)
    try:
        try:
            graph = tracer.trace(module, concrete_args=defaults or None)
        except Exception as error:   # whatever a forward does with what is no tensor
            raise ValueError(untraceable(module, error)) from None
        yield Traced(module, graph, tracer.around, tuple(defaults.values()))
    finally:
        for name in set(vars(module)) - before:
            delattr(module, name)
        for name in set(module._buffers) - buffers:
            del module._buffers[name]


def paths() -> Any:
    """A tracer that knows by which path a module is called: one module may be in several places."""
    class Paths(import_module("torch.fx").Tracer):  # type: ignore[misc]
        def trace(self, root: Any, concrete_args: Any = None) -> Any:
            self.stack, self.around = [("", root, Counter[Any]())], dict[Any, str]()
            return super().trace(root, concrete_args)

        def call_module(self, m: Any, forward: Any, args: Any, kwargs: Any) -> Any:
            path, parent, calls = self.stack[-1]
            own = [name for name, child in parent._modules.items() if child is m]
            called = f"{path}.{own[calls[m] % len(own)]}".strip(".") if own else self.path_of_module(m)
            calls[m] += 1
            self.stack.append((called, m, Counter()))
            try:
                return super().call_module(m, forward, args, kwargs)
            finally:
                self.stack.pop()

        def create_node(self, *args: Any, **kwargs: Any) -> Any:
            node = super().create_node(*args, **kwargs)
            self.around[node] = self.stack[-1][0]
            return node

    return Paths(param_shapes_constant=True)


def by_default(module: Any) -> dict[str, Any]:
    """{name: value} of the arguments that forward may be called without, but for its first."""
    given = list(inspect.signature(type(module).forward).parameters.values())[2:]
    return {p.name: p.default for p in given if p.default is not p.empty}


def untraceable(module: Any, error: Exception) -> str:
    """Which line of a forward torch.fx does not get through."""
    home = str(Path(torch().__file__).parent)
    frames = [frame for frame in extract_tb(error.__traceback__)
              if not frame.filename.startswith((home, str(Path(__file__).parent), "<"))]
    where = "its forward"
    if frames:
        line = getline(frames[-1].filename, frames[-1].lineno or 0).strip()
        where = f"line {frames[-1].lineno} of {Path(frames[-1].filename).name}, {quotable(line, 120)}"
    return (f"from_torch got a {quotable(type(module).__name__)} that torch.fx cannot trace: {where}: "
            f"{quotable(str(error).splitlines()[0] if str(error) else type(error).__name__, 100)}. Decide by plain "
            "attributes and not by the image, and write sizes out as numbers")


def recorded(trace: Traced, x: Any) -> dict[Any, Any]:
    """{node: what its call gives on x}, before anything changes that in place."""
    values: dict[Any, Any] = {}
    fx = import_module("torch.fx")

    class Recorder(fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            values[n] = fx.node.map_aggregate(result, kept)
            return result

    with torch().no_grad():
        Recorder(trace.module, graph=trace.graph).run(x, *trace.defaults, enable_io_processing=False)
    return values


def kept(value: Any) -> Any:
    """A tensor as it is now."""
    return value.detach().clone() if isinstance(value, torch().Tensor) else value


def called(module: Any, x: Any) -> Any:
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
    own = next((t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()), None)
    if own is not None:
        return x.to(own.device, own.dtype)
    return x if x.is_floating_point() else x.double()
