"""What a module does, call by call, as torch.fx sees it, and what every call gives on an input.

torch is imported by whoever hands the module over: here it is what `sys.modules` has.
"""

from __future__ import annotations

import inspect
import operator
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
from lrp_ref.convert.torch_run import kept, recorded, torch
from lrp_ref.convert.torch_table import LIKE, SIZES, TORCH
from lrp_ref.hints import quotable


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


class Size(int):
    """A size at the example, which stands in the graph as the call that asks for it: another batch has another one."""

    node: Any
    tracer: Any

    def __new__(cls, value: int, node: Any, tracer: Any) -> Size:
        self = super().__new__(cls, value)
        self.node, self.tracer = node, tracer
        return self


def of_size(name: str) -> Any:
    """A function of numbers as a call of the graph."""
    def call(self: Any, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        two = (other, self) if name.startswith("r") else (self, other)
        return self.tracer.create_proxy("call_function", getattr(operator, name.removeprefix("r")), two, {})

    return call


for each in ("add", "sub", "mul", "floordiv", "truediv", "mod", "pow"):
    for side in ("", "r"):
        setattr(Size, f"__{side}{each}__", of_size(f"{side}{each}"))


@contextmanager
def traced(module: Any, x: Any = None) -> Iterator[Traced]:
    """The module's calls; sizes by which it decides are those at x. What torch.fx leaves in it is gone afterwards."""
    before, defaults = set(vars(module)), by_default(module)
    tracer = paths(module, x, tuple(defaults.values()))
    try:
        try:
            graph = tracer.trace(module, concrete_args=defaults or None)
        except Exception as error:   # whatever a forward does with what is no tensor
            raise ValueError(untraceable(module, error)) from None
        yield Traced(module, graph, tracer.around, tuple(defaults.values()))
    finally:
        for name in set(vars(module)) - before:
            delattr(module, name)


def type_name(module: Any) -> str:
    """The name of its class; with its module in front where it is not torch's own, which may compute anything."""
    kind = type(module)
    own = kind.__module__.startswith("torch.nn.modules.")
    return kind.__name__ if own else f"{kind.__module__}.{kind.__qualname__}"


def paths(module: Any, x: Any, defaults: tuple[Any, ...]) -> Any:
    """A tracer that knows by which path a module is called, as one module may be in several places; and sizes at x."""
    fx: Any = import_module("torch.fx")
    methods = module_methods()

    class Sized(fx.Proxy):  # type: ignore[misc]
        """What stands for a value, and for a size is that number where Python asks for one."""

        def __getattr__(self, name: str) -> Any:
            if name in ("shape", "ndim") or (   # else they are asked for only when something is done with them
                    name in ("device", "is_cuda", "itemsize") and x is not None):
                return self.tracer.create_proxy("call_function", getattr, (self, name), {})
            if name == "dtype" and x is not None:   # what torch.finfo takes, and nothing in its place
                return self.tracer.known(self.node).dtype
            return super().__getattr__(name)

        def __index__(self) -> int:
            return int(self.tracer.value(self.node))

        def __int__(self) -> int:
            return int(self.tracer.value(self.node))

        def __float__(self) -> float:
            return float(self.tracer.value(self.node))

        def __len__(self) -> int:
            return len(self.tracer.known(self.node))

    class Paths(fx.Tracer):  # type: ignore[misc]
        proxy_buffer_attributes = True   # tensors like others, which sizes of the input may spread

        def trace(self, root: Any, concrete_args: Any = None) -> Any:
            self.stack, self.around = [("", root, Counter[Any]())], dict[Any, str]()
            self.values, self.free = dict[Any, Any](), set[Any]()
            return super().trace(root, concrete_args)

        def is_leaf_module(self, m: Any, qualified_name: str) -> bool:
            return type_name(m) in TORCH or super().is_leaf_module(m, qualified_name)

        def call_module(self, m: Any, forward: Any, args: Any, kwargs: Any) -> Any:
            if all(m is not one for one in self.root.modules()):   # made in a forward: its calls are that forward's
                return forward(*args, **kwargs)
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

        def proxy(self, node: Any) -> Any:
            """What stands for a value; what is made of sizes alone, as a causal mask is, stands there itself."""
            if x is not None and made_of_sizes(node, self.free):
                self.free.add(node)
                value = kept(self.known(node))
                if type(value) is int:
                    return Size(value, node, self)
                if isinstance(value, (torch().Tensor, torch().device, bool, float)):
                    return value
            return Sized(node, self)

        def create_arg(self, a: Any) -> Any:
            return a.node if isinstance(a, Size) else super().create_arg(a)

        def to_bool(self, obj: Any) -> bool:
            return bool(self.value(obj.node))

        def iter(self, obj: Any) -> Any:
            parts = self.known(obj.node)
            return iter([obj[n] for n in range(len(parts))]) if isinstance(parts, (tuple, list)) else super().iter(obj)

        def value(self, node: Any) -> Any:
            """What a call gives that asks for nothing but sizes and constants."""
            refuse(not of_sizes(node), "the image decides, which is another one every time")
            return self.known(node)

        def known(self, node: Any) -> Any:
            """What a call gives at the example."""
            refuse(x is None, "sizes decide: give an example")
            with calling(*methods):
                self.values |= recorded(module, self.graph, x, defaults, self.values)
            return self.values[node]

    return Paths()


def module_methods() -> tuple[Any, Any]:
    """Two methods of all modules, which torch.fx replaces while it traces."""
    kind = vars(torch().nn.Module)
    return kind["__call__"], kind["__getattr__"]


@contextmanager
def calling(call: Any, attribute: Any) -> Iterator[None]:
    """Modules as they are when nobody traces, so that the calls so far can be carried out."""
    kind, replaced = torch().nn.Module, module_methods()
    kind.__call__, kind.__getattr__ = call, attribute
    try:
        yield
    finally:
        kind.__call__, kind.__getattr__ = replaced


def of_sizes(node: Any) -> bool:
    """Whether a value is made of sizes and constants alone."""
    asked, seen = [node], {node}
    while asked:
        one = asked.pop()
        if one.op == "placeholder":
            return False
        new = [] if sizes_alone(one) else [before for before in one.all_input_nodes if before not in seen]
        asked += new
        seen.update(new)
    return True


def made_of_sizes(node: Any, free: set[Any]) -> bool:
    """Whether a call takes nothing but sizes and what is made of them, no parameter and no buffer either."""
    return node.op in ("call_function", "call_method") and (
        sizes_alone(node) or all(one in free for one in node.all_input_nodes))


def sizes_alone(node: Any) -> bool:
    """Whether a call asks for nothing but sizes: x.size(0), x.shape, torch.zeros_like(x), c.expand_as(x)."""
    if called_by(node) in LIKE and node.op != "call_module":
        return of_sizes(node.args[0])
    if node.op == "call_function" and called_by(node) == "getattr":
        return node.args[1] in SIZES
    return node.op != "call_module" and called_by(node) in SIZES


def called_by(node: Any) -> str:
    """The name of the function or method that is called; with its module in front where it is not torch's."""
    if node.op == "call_method":
        return str(node.target)
    function = node.target
    home, name = getattr(function, "__module__", None) or "torch", getattr(function, "__name__", str(function))
    if name == "stochastic_depth" or home.split(".")[0] in ("torch", "_operator", "builtins"):
        return str(name)
    return f"{home}.{name}"


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
            f"{quotable(str(error).splitlines()[0] if str(error) else type(error).__name__, 100)}. Decide by "
            "attributes or sizes, which stay, and compute with torch's functions alone")
