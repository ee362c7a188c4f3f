"""A case of one layer as some ten lines of Python against the library itself, without this package.

Of a library or a layer that no lines are known for, the numbers stand ready for a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import AvgPool, Conv2D, Layer, Linear, MaxPool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, Winner, WSquare, ZPlus

TORCH = ("zennit", "zennit-crp", "captum")


def snippet(library: str, version: str, case: Case, answer: Array | None) -> str:
    _, rules, _, _ = case.task()
    if len(case.network) == 1:
        [(name, layer)] = case.task()[0]
        rule = rules[name]
        lines = library_lines(library, case, layer, rule)
        if lines:
            return "\n".join(lines)
    return "\n".join(numbers_only(library, version, case, answer))


def library_lines(library: str, case: Case, layer: Layer, rule: Rule) -> list[str]:
    """The lines, if there are any for that library, layer and rule."""
    call: list[str] | None = None
    if library in TORCH and (module := torch_module(layer)):
        call = zennit(rule) if library != "captum" else captum(rule)
        call = [*module, *call] if call else None
    elif library == "LXT explicit" and isinstance(layer, Linear) and isinstance(rule, Epsilon):
        bias = "None" if layer.bias is None else tensor(layer.bias)
        call = ["from lxt.explicit.functional import linear_epsilon",
                f"y = linear_epsilon(x, {tensor(layer.weight.T)}, {bias}, {float(rule.epsilon)!r})",
                "got = torch.autograd.grad(y, x, R)[0]"]
    elif library == "autoLRP" and isinstance(layer, Linear) and isinstance(rule, ZPlus) and layer.weight.shape[1] == 1:
        call = ["import autolrp", *torch_module(layer),
                "x = autolrp.tensor(x.detach())",
                "rules = {**autolrp.BASE, 'AddmmBackward': 'zplus'}",
                "layer(x)[0, 0].lrp(config=autolrp.LRPConfig(rule=rules))",
                "got = R * x.relevance   # it starts from 1"]
    return [*begin(case), *call, *end(case)] if call else []


def begin(case: Case) -> Iterator[str]:
    _, _, x, R = case.task()
    yield "import torch"
    yield f"x = {tensor(x)}.requires_grad_()"
    yield f"R = {tensor(R)}"


def end(case: Case) -> Iterator[str]:
    yield f"print(got)        # needed: {listed_numbers(wanted(case), 12)}"


def wanted(case: Case) -> Array:
    assert case.relevance is not None
    return case.relevance


def torch_module(layer: Layer) -> list[str]:
    """The module with its weights; nothing where these lines know none."""
    match layer:
        case Linear() if type(layer) is Linear:
            made = f"torch.nn.Linear({layer.weight.shape[0]}, {layer.weight.shape[1]}, bias={layer.bias is not None})"
            weight = layer.weight.T
        case Conv2D(dilation=(1, 1)):
            shape = layer.weight.shape
            made = (f"torch.nn.Conv2d({shape[1] * layer.groups}, {shape[0]}, {shape[2:]}, {layer.stride}, {layer.pad}, "
                    f"groups={layer.groups}, bias={layer.bias is not None})")
            weight = layer.weight
        case MaxPool(ceil=False):
            return [f"layer = torch.nn.MaxPool2d({layer.size}, {layer.stride}, {layer.pad})"]
        case AvgPool(ceil=False):
            return [f"layer = torch.nn.AvgPool2d({layer.size}, {layer.stride}, {layer.pad}, "
                    f"count_include_pad={layer.count_pad})"]
        case _:
            return []
    lines = [f"layer = {made}.double()", f"layer.weight.data = {tensor(weight)}"]
    return lines + ([f"layer.bias.data = {tensor(layer.bias)}"] if layer.bias is not None else [])


def zennit(rule: Rule) -> list[str] | None:
    match rule:
        case Epsilon() | AlphaBeta() | Gamma():
            values = ", ".join(repr(float(value)) for value in vars(rule).values())
            made = f"{type(rule).__name__}({values})"
        case ZPlus() | WSquare() | Flat():
            made = f"{type(rule).__name__}()"
        case _:
            return None
    return ["import zennit.rules", f"zennit.rules.{made}.register(layer)",
            "got = torch.autograd.grad(layer(x), x, R)[0]"]


def captum(rule: Rule) -> list[str] | None:
    """One score whose gradient is R: captum starts from a gradient, and multiplies by the score."""
    match rule:
        case ZPlus():
            chosen = "layer.rule = Alpha1_Beta0_Rule()"
        case Epsilon():
            chosen = f"layer.rule = EpsilonRule({float(rule.epsilon) or 1e-9!r})"
        case Gamma():
            chosen = f"layer.rule = GammaRule({float(rule.gamma)!r})"
        case Winner():
            chosen = "layer.rule = EpsilonRule()   # what captum gives a pooling by itself"
        case _:
            return None
    return ["from captum.attr import LRP", "from captum.attr._utils.lrp_rules import *", chosen,
            "model = torch.nn.ModuleList([layer])",
            "score = lambda y: ((y - y.detach()) * R).flatten(1).sum(1) + 1   # 1, with the gradient R",
            "model.forward = lambda x: score(layer(x))",
            "got = LRP(model).attribute(x)"]


def numbers_only(library: str, version: str, case: Case, answer: Array | None) -> Iterator[str]:
    network, rules, x, R = case.task()
    yield "from numpy import array"
    yield f"x = {array(x)}"
    yield f"R = {array(R)}"
    for name, layer in network:
        values = ", ".join(f"{field}={value!r}" for field, value in vars(rules[name]).items() if np.ndim(value) == 0)
        yield f"# {name}: {type(layer).__name__}, {type(rules[name]).__name__}({values})"
        for field, value in sorted(vars(layer).items()):
            if isinstance(value, np.ndarray):
                yield f"{name}_{field} = {array(value)}"
            elif value is not None and isinstance(value, (int, float, tuple, bool)):
                yield f"{name}_{field} = {value!r}"
    came = "raised an error" if answer is None else f"gave {listed_numbers(answer, 12)}"
    yield f"# got = ...   your call; {library} {version} {came}"
    yield f"# needed: {listed_numbers(wanted(case), 12)}" if case.relevance is not None else "# needed: an error"


def tensor(x: Array) -> str:
    return f"torch.tensor({plain(x)}, dtype=torch.float64)"


def array(x: Array) -> str:
    return f"array({plain(x)})"


def plain(x: Any) -> list[Any]:
    numbers: list[Any] = convert_numbers(np.asarray(x), np.float64).tolist()
    return numbers


def listed_numbers(x: Any, digits: int) -> str:
    """Nested lists of numbers in so many digits."""
    if np.ndim(x):
        return f"[{', '.join(listed_numbers(part, digits) for part in x)}]"
    return f"{float(x) + 0.0:.{digits}g}"
