"""A torch.nn.Module to Network. torch is imported by whoever hands its module over, not here."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_graph import converted
from lrp_ref.convert.torch_proof import prove, ran
from lrp_ref.convert.torch_run import as_example, given_by, torch
from lrp_ref.convert.torch_table import INSIDE, NO_LAYER, TORCH
from lrp_ref.convert.torch_trace import traced, type_name
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.network import Network

CURES = {f"torch.nn.utils.{module}": f"torch.nn.utils.{cure} does" for module, cure in {
    "weight_norm": "remove_weight_norm(module)", "spectral_norm": "remove_spectral_norm(module)",
    "prune": "prune.remove(module, name)"}.items()}
GIVE = ", which may do anything: give an example, from_torch(module, example), a batch such as the module takes"


def from_torch(module: Any, example: Any = None) -> Network:
    """A torch.nn.Module in evaluation mode as a Network that gives the same numbers, with torch's own layer names.

    module   any that torch.fx can trace: branches, functional calls, modules of your own. Dropout and Identity vanish
    example  a batch (N, ...) such as it takes, of torch or NumPy. On it, and on random batches, the network
             is shown to give torch's numbers, layer by layer; else the first layer that differs is named. A Sequential
             of torch's own modules, nested or not, hides nothing and needs none

    What is not in the table TORCH (`lrp_ref/convert/torch_table.py`) is refused by name. Weights keep float32 or
    float64.
    """
    a_module(module)
    for name, part in modules_in(module, "", ()):
        refuse(getattr(part, "training", False) is not False,
               f"from_torch got {quotable(name or 'the network')} in training mode: call network.eval() first")
        own_forward(part, name or "the network")
    if example is None:
        hides_nothing(module, "")
        with traced(module) as trace:
            return converted(trace, None, None)[0]
    one_input(module)
    x = as_example(module, example)
    wanted = given_by(module, x)
    one_tensor(wanted, len(x))
    tried = several(module, x)
    with traced(module, tried) as trace:
        torchs = ran(trace, x, wanted, "the example")
        sized = torchs if tried is x else ran(trace, tried, given_by(module, tried), "the example, twice")
        network, origins, compared = converted(trace, sized.values, tried)
        if compared:
            warnings.warn("which token ids are padding, or another that the module compares them with, stays as it is "
                          "in the example: for texts with these at the same places", UserWarning, stacklevel=2)
        prove(trace, network, origins, torchs, compared)
    return network


def several(module: Any, x: Any) -> Any:
    """An example of one image as one of two, where the module takes that: then sizes tell where the batch is."""
    if len(x) > 1:
        return x
    twice = torch().cat([x, x])
    try:
        return twice if len(given_by(module, twice)) == 2 else x
    except ValueError:
        return x


def a_module(module: Any) -> None:
    """An error unless it is a module that torch.fx could trace."""
    kind = type(module).__name__
    if kind in INSIDE:
        raise ValueError(f"from_torch got a {kind}, a wrapping around another module: give {INSIDE[kind]}")
    refuse("_modules" not in getattr(module, "__dict__", {}), f"from_torch got {shown(module)}, needed a "
           "torch.nn.Sequential, or any torch.nn.Module with an example")


def one_input(module: Any) -> None:
    """An error where forward cannot be called with one tensor alone."""
    given = list(inspect.signature(type(module).forward).parameters.values())[1:]
    needed = [p.name for p in given if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    refuse(len(needed) > 1, f"from_torch got a module that takes {listed(needed)}, needed one that takes one tensor: "
           "wrap it in one whose forward gives it the others")


def one_tensor(output: Any, images: int) -> None:
    """An error unless a module gives one tensor, with the batch's axis first."""
    if not isinstance(output, torch().Tensor):
        names = f" ({listed(output)})" if isinstance(output, dict) else ""
        count = f"{len(output)} of them{names}" if isinstance(output, (tuple, list, dict)) else shown(output)
        raise ValueError(f"from_torch got a module that gives {count}, needed one tensor: which one is to be "
                         "explained? Wrap the module in one whose forward returns that alone")
    refuse(output.ndim < 2 or len(output) != images, f"from_torch got a module that makes {tuple(output.shape)} of "
           f"{images} images, needed scores (N, ...) with the batch's axis first")


def modules_in(module: Any, name: str, around: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """The module and all that it is made of, with torch's names; a module that is there twice comes twice."""
    refuse(any(module is one for one in around), f"from_torch got {quotable(name)}, a {type_name(module)} that holds "
           "itself")
    yield name, module
    for child, part in getattr(module, "_modules", {}).items():
        if part is not None or type_name(module) == "Sequential":
            yield from modules_in(part, f"{name}.{child}" if name else child, (*around, module))


def hides_nothing(module: Any, name: str) -> None:
    """An error unless it is a Sequential, nested or not, of modules in the table, of which nothing is hidden."""
    kind = type_name(module)
    if kind == "Sequential":
        for child, part in module._modules.items():
            hides_nothing(part, f"{name}.{child}" if name else child)
    elif not name:
        raise ValueError(f"from_torch got a {quotable(kind)}, no torch.nn.Sequential{GIVE}")
    elif kind not in TORCH:
        cure = NO_LAYER if kind.isidentifier() else GIVE
        raise ValueError(f"from_torch got {quotable(name)}, a {quotable(kind)}{cure}")


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
    home = type_name(module).rpartition(".")[0] or "torch."   # of a class that is no torch's, its own file
    ours = type_name(module) in {"Sequential", *TORCH} and not kind.forward.__module__.startswith(home)
    refuse(ours, f"{what} whose class has another forward than {home.split('.')[0]}'s, which may compute anything")
