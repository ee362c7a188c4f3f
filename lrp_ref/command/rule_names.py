"""Rules by the names a person types: `alphabeta:2,1`, `epsilon:0.01`, `zplus`, or a preset: `paper`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from difflib import get_close_matches

from lrp_ref.assignment import (
    Rules,
    ali,
    assign,
    attnlrp,
    cp_lrp,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    gradient_times_input,
    paper_rules,
)
from lrp_ref.models.model import Model
from lrp_ref.models.usual import DEEP, deep, named_cutoff
from lrp_ref.network import Network
from lrp_ref.rules import RULES as KINDS
from lrp_ref.rules import Rule, ZBox


def as_typed(kind: type[Rule]) -> str:
    """How a rule is typed: its name, and its parameters' in capitals."""
    name, parameters = kind.__name__.lower(), ",".join(field.name for field in fields(kind))  # type: ignore[arg-type]
    return (name + (f":{parameters.upper()}" if parameters else "")
            + (f" with {kind.condition.upper()}" if kind.condition else ""))


RULES: dict[str, tuple[Callable[..., Rule], str]] = {   # what it makes, how it is written
    kind.__name__.lower(): (kind, as_typed(kind)) for kind in KINDS.values() if kind.only_for is None}
PRESETS: dict[str, Callable[[Network, Model], Rules]] = {
    "paper": lambda network, model: paper_rules(network),
    "epsilon_plus": lambda network, model: epsilon_plus(network),
    "epsilon_plus_flat": lambda network, model: epsilon_plus_flat(network),
    "epsilon_alpha2_beta1": lambda network, model: epsilon_alpha2_beta1(network),
    "epsilon_alpha2_beta1_flat": lambda network, model: epsilon_alpha2_beta1_flat(network),
    "epsilon_gamma_box": lambda network, model: epsilon_gamma_box(network, *model.preprocessing.box),
    "attnlrp": lambda network, model: attnlrp(network),
    "cp_lrp": lambda network, model: cp_lrp(network),
    "ali": lambda network, model: ali(network),
    "gradient_times_input": lambda network, model: gradient_times_input(network),
}
LEGIBLE = "epsilon_gamma_box"
WRITTEN = ", ".join(text for _, text in RULES.values())
RULE_HELP = (f"a preset: {', '.join(PRESETS)} (default: paper; of a network with more "
             f"than {DEEP} layers with weights, such as imagenet, {LEGIBLE}); or one rule for every layer "
             f"with weights: {WRITTEN}")


def rules_for(model: Model, network: Network, text: str = "paper", first: str | None = None,
              below: str | None = None) -> Rules:
    """Every layer's rule: `text` names a rule or a preset, `first` the lowest layer's, `below` a cut-off."""
    name, _, given = plain_name(text).partition(":")
    if name in PRESETS:
        if given:
            raise ValueError(f"got the rule {text!r}, but the preset {name} takes no numbers: write {name}")
        rules = PRESETS[name](network, model)
    elif name == "zbox":
        raise ValueError(f"got the rule {text!r}, which is for the lowest layer alone: write --first {text}")
    else:
        rule = one_rule(text, [*RULES, *PRESETS], f"{WRITTEN}; or a preset: {', '.join(PRESETS)}")
        rules = assign(network, rule)
    if first is not None:
        lowest = first_rule(first, model)
        rules |= {name: rule for name, rule in assign(network, first=lowest).items() if rule is lowest}
    return rules if below is None else cutoff(rules, named_cutoff(network, below))


def usual_rule(network: Network) -> str:
    """The name of the preset where no rule is given, `usual_rules`."""
    return LEGIBLE if deep(network) else "paper"


def first_rule(text: str, model: Model) -> Rule:
    """`zbox` (bounds from the model's preprocessing), `zbox:low,high`, `wsquare`, `flat`, or any other."""
    name, _, given = plain_name(text).partition(":")
    if name != "zbox":
        return one_rule(text, ["zbox", *RULES], f"zbox, zbox:LOW,HIGH, {WRITTEN}")
    bounds = numbers_in(text, given) if given else model.preprocessing.box
    if len(bounds) != 2:
        raise ValueError(f"got the rule {text!r} with {len(bounds)} numbers: write zbox, or zbox:LOW,HIGH")
    return ZBox(*bounds)


def one_rule(text: str, names: Iterable[str], choices: str) -> Rule:
    """`name` or `name:number,number` as a rule; an error that suggests the nearest of `names`."""
    name, _, given = plain_name(text).partition(":")
    if name not in RULES:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"got the rule {text!r}: {hint}choose from {choices}")
    make, written = RULES[name]
    values = numbers_in(text, given)
    if len(values) != len(fields(make)):  # type: ignore[arg-type]
        raise ValueError(f"got the rule {text!r} with {len(values)} numbers: write {written}")
    return make(*values)


def plain_name(text: str) -> str:
    """Hyphens and capitals do not matter in names."""
    name, colon, given = text.partition(":")
    return name.strip().lower().replace("-", "_") + colon + given


def numbers_in(text: str, given: str) -> list[float]:
    try:
        return [float(part) for part in given.split(",")] if given else []
    except ValueError:
        raise ValueError(f"got {given!r} in the rule {text!r}, needed numbers separated by commas, as in "
                         "alphabeta:2,1") from None


