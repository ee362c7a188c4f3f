"""What all failed cases have that no passed case has: the smallest conjunction of facts that splits them exactly.

Facts are worked out from the case: rules, layers and their fields, signs of x, w, b and R, zeros, sizes; never its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lrp_ref.conformance.diagnose.conditions import of_fields
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Conv2D


@dataclass(frozen=True)
class Separation:
    """Facts that hold in all failed cases; `passed` of the cases that passed have them too."""

    facts: tuple[str, ...]
    failed: int
    passed: int
    without: int

    @property
    def exact(self) -> bool:
        return self.passed == 0


def facts_of(case: Case) -> dict[str, bool]:
    network, rules, x, R = case.task()
    found = {f"{type(rules[name]).__name__}": True for name, _ in network}
    for name, layer in network:
        found[f"{type(layer).__name__}"] = True
        for words, truth in of_fields(layer).items():
            found[words] = found.get(words, False) or truth
        bias, weight = getattr(layer, "bias", None), getattr(layer, "weight", None)
        if bias is not None and np.any(bias):
            found |= {"a bias": True, "a negative bias": found.get("a negative bias", False) or bool((bias < 0).any())}
        if weight is not None and np.ndim(weight) > 1:
            found["a negative weight"] = found.get("a negative weight", False) or bool((weight < 0).any())
        if isinstance(layer, Conv2D) and layer.groups > 1:
            found["groups"] = True
        for parameter, value in vars(rules[name]).items():
            found[f"{parameter} is not 0"] = found.get(f"{parameter} is not 0", False) or bool(np.any(value))
            found[f"one {parameter} for every channel"] = bool(np.ndim(value))
    try:
        z = [layer(network.read(name, network.activations(x))) for name, layer in network]
        found["an output that is 0"] = any((one == 0).any() for one in z)
        found["a negative output"] = any((one < 0).any() for one in z)
        found["an input of a layer that is negative"] = any(
            (network.read(name, network.activations(x)) < 0).any() for name, _ in network)
    except (ValueError, ArithmeticError):
        pass
    found |= {"several layers": len(network) > 1, "several samples": len(x) > 1, "one output": R[0].size == 1,
              "several outputs": R[0].size > 1, "a negative number in x": bool((x < 0).any()),
              "an x of 0": bool((x == 0).any()), "a negative R": bool((R < 0).any()), "an R of 0": bool((R == 0).any()),
              "several R that are not 0": bool(((R != 0).reshape(len(R), -1).sum(1) > 1).any()),
              "images": x.ndim == 4, "more than two axes": x.ndim > 2,
              "numbers that are not whole": bool((x != np.round(x)).any())}
    return {words: truth for words, truth in found.items() if truth}


def separate(failed: Sequence[Outcome], passed: Sequence[Outcome]) -> Separation | None:
    """The best one fact, else two; None where none holds in all failed cases, or most of what passed has it too."""
    if not failed or not passed:
        return None
    with np.errstate(all="ignore"):
        these = [facts_of(one.case) for one in failed]
        those = [facts_of(one.case) for one in passed]
    shared = [words for words in these[0] if all(words in one for one in these)]
    best: Separation | None = None
    for size in (1, 2):
        for facts in combinations(shared, size):
            n = sum(all(words in one for words in facts) for one in those)
            if best is None or n < best.passed:
                best = Separation(facts, len(failed), n, len(passed) - n)
        if best is not None and best.exact:
            return best
    return best if best is not None and best.passed <= len(failed) // 2 else None


def sentence(found: Separation) -> str:
    what = " and ".join(fact.removeprefix("there is ") for fact in found.facts)
    beside = f"the {found.without} that pass without" if found.exact else (
        f"of those that pass {found.passed} have it as well and {found.without} have not")
    return f"all {found.failed} have {what}; {beside}"

