"""Rules that other layers have got than were assigned: a cut-off that reaches too far, names that are one off.

No case of one layer shows it. Each is a function of a network and its rules to the rules that were used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lrp_ref.network import Network
from lrp_ref.rules import Epsilon, Flat, Pass, Rule, Winner, WSquare, ZBox

Rules = Mapping[str, Rule]
DEFAULTS: dict[str | None, Rule] = {"by contribution": Epsilon(0), "as it is": Pass(), "to the winners": Winner(),
                                    "evenly": Flat()}


def same_rule(one: Rule, other: Rule) -> bool:
    """Whether two rules are of one kind with the same parameters, bounds of channels among them."""
    return type(one) is type(other) and all(np.array_equal(value, vars(other)[name])
                                            for name, value in vars(one).items())


def block(rules: Rules, names: list[str]) -> int:
    """How many of the first layers have the rule of the first."""
    return next((n for n, name in enumerate(names) if not same_rule(rules[name], rules[names[0]])), len(names))


def further(rules: Rules, names: list[str], weighted: bool) -> Rules:
    """The rule of the first layers for the next one as well; weighted: up to the next that is not handed through."""
    found, n = dict(rules), block(rules, names)
    for name in names[n:]:
        found[name] = rules[names[0]]
        if not weighted or not isinstance(rules[name], Pass):
            break
    return found


def less_far(rules: Rules, names: list[str]) -> Rules:
    """The last of the layers with the rule of the first has the rule of the next above instead."""
    n = block(rules, names)
    return dict(rules) if n == len(names) else {**rules, names[n - 1]: rules[names[n]]}


def shifted(rules: Rules, names: list[str], by: int) -> Rules:
    taken = [names[min(max(n + by, 0), len(names) - 1)] for n in range(len(names))]
    return {name: rules[other] for name, other in zip(names, taken)}


def defaults(network: Network, rules: Rules) -> Rules:
    return {name: DEFAULTS.get(layer.hands_down, rules[name]) for name, layer in network}


def of_lowest(kind: type[Rule], change: Callable[[Rules, list[str]], Rules]) -> Callable[[Network, Rules], Rules]:
    """The change where the lowest layer has a rule of that kind."""
    return lambda n, r: change(r, [*n.names]) if isinstance(r[n.names[0]], kind) else r


LOWEST: dict[str, Callable[[Rules, list[str]], Rules]] = {
    "reaches one layer too high": lambda r, names: further(r, names, False),
    "reaches too high, up to and with the next layer that has a rule but Pass": lambda r, names: further(
        r, names, True),
    "ends one layer too low": less_far}
KINDS: dict[str, type[Rule]] = {"the rule": Rule, "Flat": Flat, "WSquare": WSquare, "ZBox": ZBox}
ASSIGNMENTS: dict[str, Callable[[Network, Rules], Rules]] = {
    **{f"{named} of the lowest layers {words}": of_lowest(kind, change) for named, kind in KINDS.items()
       for words, change in LOWEST.items()},
    "the rule of the highest layers reaches one layer too low": lambda n, r: further(r, [*n.names][::-1], False),
    "the rule of the highest layers reaches too low, down to and with the next layer that has a rule but Pass":
        lambda n, r: further(r, [*n.names][::-1], True),
    "every layer has the rule of the lowest": lambda n, r: dict.fromkeys(n.names, r[n.names[0]]),
    "every layer has the rule of the highest": lambda n, r: dict.fromkeys(n.names, r[n.names[-1]]),
    "every layer has the rule of the one above": lambda n, r: shifted(r, [*n.names], 1),
    "every layer has the rule of the one below": lambda n, r: shifted(r, [*n.names], -1),
    "the layers have the rules in reverse order": lambda n, r: dict(zip(n.names, [r[t] for t in n.names[::-1]])),
    "every layer has the rule that it has by default": defaults}
