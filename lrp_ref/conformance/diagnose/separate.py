"""What failed cases have that no passed case has: the smallest conjunction of facts that splits them exactly.

Facts are worked out from the case: rules, layers and their fields, signs of x, w, b and R, zeros, sizes; never its id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lrp_ref.conformance.diagnose.conditions import of_fields
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Conv2D

LEAST, PART, GROUPS = 2, 4, 3   # failures of which something is told: so many, and a quarter of all; sentences
Facts = Mapping[str, bool]


@dataclass(frozen=True)
class Separation:
    """Facts that hold in failed cases, in all or in some `of` them; `passed` of the cases that passed have them too."""

    facts: tuple[str, ...]
    failed: int
    passed: int
    without: int
    of: int = 0

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
    numbers = [x, R, *(array for _, layer in network for array in layer.arrays().values())]
    found["numbers of less than 2^-30"] = any(((one != 0) & (abs(one) < 2.0**-30)).any() for one in numbers)
    found |= {"several layers": len(network) > 1, "several samples": len(x) > 1, "one output": R[0].size == 1,
              "several outputs": R[0].size > 1, "a negative number in x": bool((x < 0).any()),
              "an x of 0": bool((x == 0).any()), "a negative R": bool((R < 0).any()), "an R of 0": bool((R == 0).any()),
              "several R that are not 0": bool(((R != 0).reshape(len(R), -1).sum(1) > 1).any()),
              "images": x.ndim == 4, "more than two axes": x.ndim > 2,
              "numbers that are not whole": bool((x != np.round(x)).any())}
    return {words: truth for words, truth in found.items() if truth}


def separate(failed: Sequence[Outcome], passed: Sequence[Outcome]) -> list[Separation]:
    """The best one fact of all failed cases, else two, of which most that passed have none; else of some, exactly.

    [] where there are too few to tell, or nothing is.
    """
    if len(failed) < LEAST or not passed:
        return []
    with np.errstate(all="ignore"):
        these = [facts_of(one.case) for one in failed]
        those = [facts_of(one.case) for one in passed]
    whole = of_all(these, those)
    if whole is not None and whole.exact:
        return [whole]
    return of_some(these, those) or ([whole] if whole is not None and whole.passed <= len(failed) // 2 else [])


def of_all(these: Sequence[Facts], those: Sequence[Facts]) -> Separation | None:
    shared = [words for words in these[0] if all(words in one for one in these)]
    best: Separation | None = None
    for facts in (facts for size in (1, 2) for facts in combinations(shared, size)):
        n = having(those, facts)
        if best is None or n < best.passed:
            best = Separation(facts, len(these), n, len(those) - n)
        if best.exact:
            break
    return best


def of_some(these: Sequence[Facts], those: Sequence[Facts]) -> list[Separation]:
    """One fact, else two, that no passed case has and most failed ones have; then of the others; LEAST at least."""
    left, found, least = list(these), list[Separation](), max(LEAST, len(these) / PART)
    while len(left) >= least and len(found) < GROUPS:
        count = Counter(words for one in left for words in one)
        few = [words for words, n in count.items() if n >= LEAST]
        options = (facts for size in (1, 2) for facts in combinations(few, size))
        best = max(((having(left, facts), -len(facts), facts) for facts in options if not having(those, facts)),
                   key=lambda one: one[:2], default=None)
        if best is None or best[0] < least:
            break
        found.append(Separation(best[2], best[0], 0, len(those), len(these)))
        left = [one for one in left if not all(words in one for words in best[2])]
    return found


def having(cases: Sequence[Facts], facts: Sequence[str]) -> int:
    """How many have all these facts."""
    return sum(all(words in one for words in facts) for one in cases)


def sentence(found: Separation, of: str = " of them", rest: str = "that pass") -> str:
    """of: what some are of; rest: what the others are."""
    some = found.failed < found.of
    who = f"{found.failed}{of}" if some else f"all {found.failed}"
    facts = [fact.removeprefix("there is ") for fact in found.facts]
    nouns, clauses = ([fact for fact in facts if bool(CLAUSE.match(fact)) == wanted] for wanted in (False, True))
    what = f"{who} have {' and '.join(nouns)}" if nouns else f"in {who}"
    what = f"{what}{', and' * bool(nouns)} {' and '.join(clauses)}" if clauses else what
    if some:
        return f"{what}, as {'' if nouns else 'in '}none of the {found.without} {rest}"
    has = "is so" if not nouns else "has" if len(found.facts) == 1 else "has both"
    return f"{what}; {f'none of the {found.without} {rest} {has}' if found.exact else more(found, rest)}"


def more(found: Separation, rest: str) -> str:
    return f"of those {rest} {found.passed} have it as well and {found.without} have not"


CLAUSE = re.compile(r"the .* (is|has) |windows |.* is (not|set)")   # a fact that is a sentence of its own
