"""What can be true of a pair, of its output, of the layer: the conditions under which a formula may hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrp_ref.conformance.diagnose.pairs import Pairs, Share, low, up
from lrp_ref.rules import Rule

Named = dict[str, Any]


def facts(rule: Rule, p: Pairs, share: Share) -> Named:
    """What can be true of a pair, of its output, of the layer: {words after "where": truth}."""
    z, b, every = p.z, p.b, np.zeros((1, 1, p.b.size))
    plus, minus = up(p.products).sum(1, keepdims=True) + up(b), low(p.products).sum(1, keepdims=True) + low(b)
    layer = p.layer
    found: Named = {
        "there is a bias": b != 0, "the bias is positive": b > 0, "the bias is negative": b < 0,
        "z is positive": z > 0, "z is negative": z < 0, "z is 0": z == 0, "z is not 0": z != 0,
        "there is no negative contribution": minus == 0, "there is no positive contribution": plus == 0,
        "contributions have one sign only": (minus == 0) | (plus == 0),
        "contributions have both signs": (minus != 0) & (plus != 0),
        "no input contributes negatively": (p.products >= 0).all(1, keepdims=True),
        "no input contributes positively": (p.products <= 0).all(1, keepdims=True),
        "inputs contribute with one sign only": (p.products >= 0).all(1, keepdims=True) | (
            p.products <= 0).all(1, keepdims=True),
        "the sum without the bias is negative": share.s < 0, "bias and sum have different signs": share.s * b < 0,
        "|z| is below 1": abs(z) < 1, "|z| is below epsilon": abs(z) < getattr(rule, "epsilon", 0),
        "the input is negative": p.a < 0, "the input is positive": p.a > 0, "the input is 0": p.a == 0,
        "the weight is negative": p.w < 0, "the weight is positive": p.w > 0, "the weight is 0": p.covered & (p.w == 0),
        "the contribution is negative": p.products < 0, "the contribution is positive": p.products > 0,
        "the contribution has not the sign of z": p.products * z < 0,
        "the window reaches into the padding": of_window(p),
        "the output is not in the first group": (p.channel >= p.channel.max() // p.groups + 1) & (p.groups > 1),
        "there are groups": every + p.groups > 1, "the output is not the first": p.channel > 0,
        "the sample is not the first": (np.arange(len(p.a)) > 0).reshape(-1, 1, 1) | (every > 0),
        "there is more than one sample": every + len(p.a) > 1, "there is one sample": every + len(p.a) == 1,
        "there is more than one output": every + p.b.size > 1, "there is one output": every + p.b.size == 1,
        "there is more than one input": every + p.covered.sum(1, keepdims=True) > 1,
        "winners tie": (abs(p.w) > 0).sum(1, keepdims=True) > 1,
        "some input is negative": (p.a < 0).any(1, keepdims=True) | (every > 0),
        "z is the largest output": z == z.max(2, keepdims=True),
        "z is not the largest output": z < z.max(2, keepdims=True)}
    given: Any = getattr(layer, "bias", None)
    found["the layer has a bias, be it 0"] = every + (given is not None) > 0
    for words, truth in of_fields(layer).items():
        found[words] = every + truth > 0
    for name, value in vars(rule).items():
        if np.ndim(value) == 0:
            found |= {f"{name} is 0": every + (value == 0) > 0, f"{name} is not 0": every + (value != 0) > 0}
        else:
            found["there are bounds for every channel"] = every == 0
    return found


def of_window(p: Pairs) -> Any:
    if not hasattr(p.layer, "pad"):
        return np.zeros((1, 1, p.b.size)) > 0
    return abs(p.beyond(np.ones_like)) > 0


def count_of(layer: Any, name: str) -> int:
    """How many numbers a field has; 0 where there is none."""
    value: Any = getattr(layer, name, ())
    return int(np.size(value))


def of_fields(layer: Any) -> dict[str, bool]:
    """What is special about a layer: its fields, as the words of a condition."""
    found: dict[str, bool] = {}
    weight: Any = getattr(layer, "weight", None)
    size: Any = getattr(layer, "size", None) or (weight.shape[2:] if np.ndim(weight) == 4 else None)
    if count_of(layer, "stride") == 2:
        found["the stride is not 1"] = tuple(layer.stride) != (1, 1)
        if np.size(size) == 2:
            found["windows overlap"] = any(k > s for k, s in zip(size, layer.stride))
            found["windows do not overlap"] = not found["windows overlap"]
            found["the window is not square"] = size[0] != size[1]
            found["the window has an even size"] = any(k % 2 == 0 for k in size)
    if count_of(layer, "dilation") == 2:
        found["the kernel is dilated"] = tuple(layer.dilation) != (1, 1)
    if hasattr(layer, "pad"):
        found["there is a padding"] = bool(np.any(layer.pad))
    for name in ("ceil", "count_pad"):
        if hasattr(layer, name):
            found[f"{name} is set"] = bool(getattr(layer, name))
    return found

