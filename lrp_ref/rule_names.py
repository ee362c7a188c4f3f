"""Rules by the names a person types: `alphabeta:2,1`, `epsilon:0.01`, `zplus`, or a preset such as `paper`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.assignment import (
    Rules,
    assign,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    paper_cnn,
)
from lrp_ref.layers import Conv2D, Linear
from lrp_ref.models import Model
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus

RULES: dict[str, Callable[..., Rule]] = {
    "epsilon": Epsilon, "alphabeta": AlphaBeta, "zplus": ZPlus, "gamma": Gamma, "wsquare": WSquare, "flat": Flat,
}
PRESETS: dict[str, Callable[[Network, Model], Rules]] = {
    "paper": lambda network, model: paper_cnn(network),
    "epsilon_plus": lambda network, model: epsilon_plus(network),
    "epsilon_plus_flat": lambda network, model: epsilon_plus_flat(network),
    "epsilon_alpha2_beta1": lambda network, model: epsilon_alpha2_beta1(network),
    "epsilon_alpha2_beta1_flat": lambda network, model: epsilon_alpha2_beta1_flat(network),
    "epsilon_gamma_box": lambda network, model: epsilon_gamma_box(network, *box(model)),
}
RULE_HELP = ("epsilon:E, alphabeta:A,B (A - B = 1), zplus, gamma:G, wsquare, flat, on every convolution and fully "
             "connected layer; or a preset: " + ", ".join(PRESETS))
FIRST = ("zbox", "wsquare", "flat")


def rules_for(model: Model, network: Network, text: str = "paper", first: str | None = None,
              below: str | None = None) -> Rules:
    """The rule of every layer: `text` names a rule or a preset, `first` the lowest layer's, `below` a cut-off."""
    name = text.partition(":")[0].replace("-", "_")
    if name in PRESETS:
        if ":" in text:
            raise ValueError(f"got the rule {text!r}, but the preset {name} takes no parameters")
        rules = PRESETS[name](network, model)
    else:
        rule = named(text)
        rules = assign(network, {Conv2D: rule, Linear: rule})
    if first is not None:
        lowest = next(name for name, rule in assign(network, first=Flat()).items() if rule == Flat())
        rules[lowest] = first_rule(first, model)
    return rules if below is None else cutoff(rules, below)


def named(text: str) -> Rule:
    """`name` or `name:number,number` as a rule."""
    name, _, given = text.partition(":")
    if name not in RULES:
        near = get_close_matches(name, [*RULES, *PRESETS], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"got the rule {text!r}: {hint}choose from {RULE_HELP}")
    try:
        return RULES[name](*numbers(given))
    except TypeError:
        raise ValueError(f"got the rule {text!r} with {len(numbers(given))} parameters: write {RULE_HELP}") from None


def first_rule(text: str, model: Model) -> Rule:
    """`zbox` (bounds from the model's preprocessing), `zbox:low,high`, `wsquare`, `flat`, or any other rule."""
    name, _, given = text.partition(":")
    if name != "zbox":
        return named(text)
    bounds = numbers(given) if given else box(model)
    if len(bounds) != 2:
        raise ValueError(f"got the first rule {text!r}, needed zbox or zbox:low,high")
    return ZBox(*bounds)


def numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ValueError(f"got {text!r}, needed numbers separated by commas, as in alphabeta:2,1") from None


def box(model: Model) -> tuple[Array, Array]:
    """What black and white become in the model's preprocessing, per channel: the box in which all inputs lie."""
    p = model.preprocessing
    mean, std = (np.broadcast_to(np.array(v), (p.channels,)) for v in (p.mean, p.std))
    return -mean / std, (p.maximum - mean) / std


def written(rule: Any) -> str:
    """A rule as its constructor call."""
    return repr(rule).replace("array(", "").replace("])", "]") if isinstance(rule, ZBox) else repr(rule)
