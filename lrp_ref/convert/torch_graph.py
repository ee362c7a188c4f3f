"""torch.fx's graph to Network, one call after another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from lrp_ref.convert.laid import Groups
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_attention import LEAVE_OUT
from lrp_ref.convert.torch_laid_calls import carried_through, has_laid, in_order
from lrp_ref.convert.torch_run import torch
from lrp_ref.convert.torch_table import CALLED, NO_LAYER, TORCH
from lrp_ref.convert.torch_tensor import InverseRoot, Laid, Tensor, holds_tensor
from lrp_ref.convert.torch_trace import Traced, called_by, sizes_alone, type_name
from lrp_ref.hints import quotable
from lrp_ref.layers import Flatten, Layer, Reshape, Softmax, Transpose
from lrp_ref.network import INPUT, NAME, Network, made_of

TAKE_ROOTS = {"mul", "imul", "multiply", "to", "float", "double", "type_as", "type"}
OTHER = {"axis": "dim", "mat2": "other"}
COMPARED = {"ne", "eq", "not_equal", "lt", "gt", "le", "ge"}
LONGEST = NAME - 6   # letters of a name, before a number that makes it its own
Values = Mapping[Any, Any] | None
Origin = tuple[Any, int | None, Groups | None]


@dataclass(frozen=True)
class Built:
    """Layers that have their names already.

    compared  calls that compare token ids with constants, as with that of padding
    origins  {layer: (node, position, groups)}: which value of the graph it makes, and how torch has that, if otherwise
    """

    names: dict[Tensor, str] = field(default_factory=dict)
    layers: list[tuple[str, Layer, tuple[str, ...]]] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    compared: list[Any] = field(default_factory=list)

    def place(self, tensor: Tensor, base: str) -> str:
        """The name of a tensor; its layer, and those before it, are put at the end of the network if they are new."""
        if tensor not in self.names:
            reads = tuple(self.place(one, base) for one in tensor.reads)
            stem = last_letters(f"{base}.{tensor.suffix}" if tensor.suffix else base)
            name = next(one for one in (stem, *(f"{stem}_{n}" for n in range(1, len(self.names) + 2)))
                        if one not in self.names.values())
            self.names[tensor] = name
            if tensor.layer is not None:
                self.layers.append((name, tensor.layer, reads))
        return self.names[tensor]

    def settle(self, value: Any, base: str, node: Any) -> None:
        """What a call gives is put into the network: a tensor, or a tuple of them."""
        in_tuple = isinstance(value, (tuple, list))
        several = in_tuple and sum(map(holds_tensor, value)) > 1
        for position, given in enumerate(value if in_tuple else [value]):
            one = given.tensor if isinstance(given, Laid) else given
            if isinstance(one, Tensor) and one not in self.names:
                name = self.place(one, f"{base}.{position}" if several else base)
                if one.mask is None:   # else torch's numbers have -inf where a softmax is to leave them out
                    self.origins[name] = (node, position if in_tuple else None,
                                          given.groups if isinstance(given, Laid) else None)

    def network(self, output: Tensor) -> Network:
        """All that the output is made of."""
        last = self.names[output]
        refuse(last == INPUT, "from_torch got a network without layers")
        needed = made_of({name: reads for name, _, reads in self.layers}, last) | {last}
        return Network(one for one in self.layers if one[0] in needed)


def converted(trace: Traced, values: Values, x: Any) -> tuple[Network, dict[str, Origin], list[Any]]:
    """The network, what its layers are in the graph, and calls that compare token ids, which stay as at the example.

    values  what the calls gave at the example x, if there is one
    """
    built, env = Built(), dict[Any, Any]()
    first = next(node for node in trace.graph.nodes if node.op == "placeholder")
    for node in trace.graph.nodes:
        args, kwargs = (import_module("torch.fx").node.map_arg(given, env.__getitem__)
                        for given in (node.args, node.kwargs))
        if node is first:
            env[node] = start(x)
            built.place(env[node], INPUT)
        elif node.op == "output":
            refuse(isinstance(args[0], Laid), "from_torch got a module whose output has the batch elsewhere than in "
                   "front, as (T, N, ..) has it: end it with a transpose")
            refuse(not isinstance(args[0], Tensor), "from_torch got a module whose output is not made of its input")
            refuse(probabilities(args[0]), f"from_torch got a network that ends in a softmax: {LEAVE_OUT}")
            return built.network(args[0]), built.origins, built.compared
        elif not holds_tensor([args, kwargs]) or sizes_alone(node):
            env[node] = None if values is None else values[node]
        elif values is not None and kind_of(trace, node) in COMPARED and of_ids_alone((*args, *kwargs.values())):
            env[node] = values[node]
            built.compared.append(node)
        else:
            env[node] = carried_out(trace, node, args, kwargs, values)
            built.settle(env[node], base_name(trace, node), node)
            before = env[node.args[0]] if in_place(trace, node) else None
            if isinstance(before, (Tensor, Laid)):
                env.update({one: env[node] for one, value in env.items() if value is before})
    raise ValueError("from_torch got a graph without an output")


def last_letters(name: str) -> str:
    """A name of many modules in each other without the first of them, so that there is room for a number."""
    return name if len(name) <= LONGEST else f"..{name[2 - LONGEST :]}"


def of_ids_alone(given: tuple[Any, ...]) -> bool:
    """Whether of a call's arguments one is made of the image, of whole numbers as token ids are."""
    made = [one.tensor if isinstance(one, Laid) else one for one in given if holds_tensor(one)]
    return len(made) == 1 and isinstance(made[0], Tensor) and made[0].number is np.int64


def probabilities(output: Tensor) -> bool:
    """Whether a softmax is the last that is worked out."""
    while isinstance(output.layer, (Transpose, Reshape, Flatten)):
        output = output.reads[0]
    return isinstance(output.layer, Softmax)


def start(x: Any) -> Tensor:
    """The network's input."""
    return Tensor(None) if x is None else Tensor(tuple(x.shape), number_of(x))


def number_of(tensor: Any) -> Any:
    """NumPy's type of a tensor's numbers."""
    names = {str(torch().float32): np.float32, str(torch().float64): np.float64, str(torch().int64): np.int64}
    refuse(str(tensor.dtype) not in names, f"got numbers of {tensor.dtype}, needed float32 or float64: use "
           "network.float()")
    return names[str(tensor.dtype)]


def kind_of(trace: Traced, node: Any) -> str:
    """By what name a call stands in the table."""
    if node.op != "call_module":
        return called_by(node).rstrip("_")
    return type_name(trace.module.get_submodule(node.target))


def in_place(trace: Traced, node: Any) -> bool:
    """Whether a call changes its first argument, so that whoever reads that later reads what the call gives."""
    if not node.args or not hasattr(node.args[0], "op"):
        return False
    if node.op == "call_module":
        return getattr(trace.module.get_submodule(node.target), "inplace", False) is True
    name = called_by(node)
    return name.endswith("_") or name in ("iadd", "isub", "imul", "itruediv") or node.kwargs.get("inplace") is True


def base_name(trace: Traced, node: Any) -> str:
    """torch's own name of a module; of another call the path of the module that makes it, and what is called."""
    path = trace.around[node]
    if node.op == "call_module":
        return path
    called = CALLED[kind_of(trace, node)]
    return f"{path}.{called}" if path else called


def carried_out(trace: Traced, node: Any, args: Any, kwargs: Any, values: Values) -> Any:
    """What a call makes of its tensors, by its row in the table."""
    kind = kind_of(trace, node)
    name = trace.around[node] if node.op == "call_module" else node.name
    part = trace.module.get_submodule(node.target) if node.op == "call_module" else None
    where = f"{quotable(name)}, a {quotable(kind)}" if part is not None else (
        f"{quotable(kind)} in {quotable(trace.around[node] or 'forward')}")
    if kind not in TORCH:
        raise ValueError(f"from_torch got {where}{NO_LAYER}")
    make, out = TORCH[kind], None if values is None else shapes(values[node])
    try:
        asked = {name: value for name, value in (("out", out), ("part", part)) if name in takes(make)}
        args, kwargs = by_our_names(make, args, kwargs)
        in_order(part, [args, kwargs])
        roots = [one for one in (*args, *kwargs.values()) if isinstance(one, InverseRoot)]
        refuse(bool(roots) and kind not in TAKE_ROOTS, "of the inverse root of a mean of squares, which is taken where "
               "it is multiplied with what is squared alone: x * rsqrt(mean(x^2) + epsilon) is an RMSNorm")
        if has_laid([args, kwargs]):
            result = carried_through(make, args, kwargs, attributes(part, make) | asked)
        else:
            result = make(*args, **kwargs, **attributes(part, make), **asked)
        if values is not None and isinstance(result, (Tensor, Laid)):
            made, here = number_of(values[node]), (result.tensor if isinstance(result, Laid) else result).number
            refuse(made is not here, f"makes {made.__name__} of {here.__name__}, needed one number "
                   "type throughout")
        return result
    except ValueError as error:
        raise ValueError(f"from_torch: {where}: {error}") from None
    except Exception as error:   # its attributes are whatever somebody made them
        what = "is not as torch makes it" if part is not None else "is called in a way that is not known here"
        cure = "build that module anew" if part is not None else "give its arguments in torch's order"
        raise ValueError(f"from_torch: {where}, {what} ({type(error).__name__}): {cure}") from None


def by_our_names(make: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Torch's other names of arguments: input, of the first; axis, of dim; mat2, of other."""
    names = list(inspect.signature(make).parameters)
    kwargs = {OTHER.get(name, name) if OTHER.get(name) in names and name not in names else name: value
              for name, value in kwargs.items()}
    if "input" in kwargs and "input" not in names:
        args = (kwargs.pop("input"), *args)
    return args, kwargs


def attributes(part: Any, make: Callable[..., Any]) -> dict[str, Any]:
    """A module's own arguments: its attributes by the names of the function's parameters."""
    if part is None:
        return {}
    names = getattr(make, "takes", None) or [
        p.name for p in list(inspect.signature(make).parameters.values())[1:] if p.kind is p.POSITIONAL_OR_KEYWORD]
    return {name: getattr(part, name) for name in names if hasattr(part, name)}


def takes(make: Callable[..., Any]) -> Mapping[str, Any]:
    return {} if hasattr(make, "takes") else inspect.signature(make).parameters


def shapes(value: Any) -> Any:
    """The shape of a tensor, or of each in a tuple."""
    if isinstance(value, (tuple, list)):
        return [shapes(one) for one in value]
    return tuple(value.shape) if hasattr(value, "shape") else None
