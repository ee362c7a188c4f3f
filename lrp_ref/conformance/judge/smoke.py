"""Before anything else: is the adapter broken, or the implementation?

What is asked here any implementation of LRP can do, right or wrong in its rules: inputs of 1 through a layer of one
connection per unit. Relevance takes the one way there is, whatever a rule says about shares (and a gradient times the
input takes it too). What comes back elsewhere, or does not come back, says that the adapter lost or swapped something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from sys import float_info
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, PARTS, Adapter, Unsupported, happened, roundoff
from lrp_ref.conformance.judge.outcome import ask
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES
from lrp_ref.conventions.table import TABLE
from lrp_ref.hints import brief, did_you_mean, listed
from lrp_ref.layers import Linear
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, Rule, WSquare, ZPlus

RULES: tuple[Rule, ...] = (   # the first that it has
    Epsilon(0.25), ZPlus(), Gamma(0.25), AlphaBeta(2.0, 1.0), WSquare())
WAY = (1, 2, 0)   # input i is connected with output WAY[i]: transposed weights are not the same
START = ((3.0, -5.0, 7.0), (-2.0, 11.0, 13.0))


class Broken(ValueError):
    """The adapter does not do what adapters do, so that nothing is said about the implementation."""

    def __init__(self, how: str) -> None:
        super().__init__(brief(f"broken adapter: {how}"))


def smoke(adapter: Adapter) -> None:
    """An error that says how the adapter is broken, if it is."""
    check_parts(adapter)
    name = adapter.name
    number = NUMBERS[roundoff(adapter)]
    for factor, what in ((1, "the identity, its units in another order"), (4, "4 times that")):
        weight: Array = factor * np.eye(3, dtype=number)[list(WAY)]
        R: Array = np.array(START, dtype=number)
        answer = first_answer(adapter, weight, R)
        if answer is None:   # it has none of these rules
            return
        rule, got = answer
        asked = f"{rule} on a Linear layer that is {what}, with x = 1 and R = {said(R)}"
        if got.shape != R.shape:
            raise Broken(f"{name}: relevance has shape {got.shape}, needed x's {R.shape}: {asked}")
        if not np.isfinite(got).all():
            raise Broken(f"{name}: relevance is {said(got)}, needed finite numbers: {asked}")
        if not got.any():
            raise Broken(f"{name}: all relevance is 0, needed {said(R[:, list(WAY)])} or so: does what it returns "
                         f"come from R? {asked}")
        if not along(got, R[:, list(WAY)]) and not shares_epsilon(adapter, weight, R, rule):
            order = ", and what came back is in the order of transposed weights" if along(got, R[:, [2, 0, 1]]) else ""
            raise Broken(f"{name}: relevance is {said(got)}, needed {said(R[:, list(WAY)])} or so{order}: {asked}")
        again = once_more(adapter, weight, R, rule)
        if not np.array_equal(got, again):
            raise Broken(f"{name}: two calls gave {said(got)} and {said(again)}: seed it, or keep nothing between "
                         f"calls; {asked}")
        nothing = once_more(adapter, weight, 0 * R, rule)
        if nothing.shape != R.shape or nothing.any():
            raise Broken(f"{name}: relevance is {said(nothing)} for R = 0, needed 0: does it start from R, or from a "
                         "score of its own?")


def check_parts(adapter: Any) -> None:
    """An error unless it has a name, a version, a format, known conventions and the method."""
    missing = [part for part in PARTS if not hasattr(adapter, part)]
    if missing:
        raise Broken(f"{type(adapter).__name__} has no {listed(missing)}: see "
                     "lrp_ref.conformance.adapter.Adapter")
    try:
        known_format = roundoff(adapter) in NUMBERS
    except (TypeError, ValueError, OverflowError):
        known_format = False
    if not known_format:
        raise Broken(f"{adapter.name}: got unit_roundoff {adapter.unit_roundoff!r}, needed 2.0**-53 (float64) or "
                     "2.0**-24 (float32)")
    claimed = getattr(adapter, "capabilities", None)
    if isinstance(claimed, str) or not isinstance(claimed, (Collection, type(None))):
        raise Broken(f"{adapter.name}: got capabilities {claimed!r}, needed some of {listed(CAPABILITIES)} in a list")
    for one in claimed or ():
        if one not in CAPABILITIES:
            raise Broken(f"{adapter.name}: got the capability {one!r}, which is none: "
                         f"{did_you_mean(str(one), CAPABILITIES)}"
                         f"they are {listed(CAPABILITIES)}")
    if not isinstance(adapter.conventions, Mapping):
        raise Broken(f"{adapter.name}: got conventions {adapter.conventions!r}, needed {{question: answer}} or {{}}")
    for question, answer in adapter.conventions.items():
        if question not in TABLE:
            raise Broken(f"{adapter.name}: got the convention {question!r}, which is no question: "
                         f"{did_you_mean(question, TABLE)}they are {listed(TABLE)}")
        if not answers(question, answer):
            numeric = TABLE[question].number is not None
            known = [repr(one) for one in TABLE[question].answers if not numeric or one != 0]
            known += ["any number from 0 on"] if numeric else []
            raise Broken(f"{adapter.name}: got the convention {question} = {answer!r}, which is no answer: needed "
                         f"{listed(known)}, or None where it has none")


def answers(question: str, answer: Any) -> bool:
    """Whether it is one of the question's answers, or a number where any number is."""
    if answer is None:
        return True
    if TABLE[question].number and isinstance(answer, (int, float)) and not isinstance(answer, bool):
        return 0 <= answer <= float_info.max
    return type(answer) in (str, int, float) and answer in TABLE[question].answers


def first_answer(adapter: Adapter, weight: Array, R: Array) -> tuple[Rule, Array] | None:
    """The first of the rules that it has, and what it answers."""
    for rule in RULES:
        try:
            return rule, call(adapter, weight, R, rule)
        except Unsupported:
            continue
    return None


def once_more(adapter: Adapter, weight: Array, R: Array, rule: Rule) -> Array:
    """As `call`, of a rule that has been answered."""
    try:
        return call(adapter, weight, R, rule)
    except Unsupported as error:
        raise Broken(f"{adapter.name}: it answered {rule} on a Linear layer and then said that it does not have it "
                     f"({error.reason}): what it has may not change between calls") from None


def call(adapter: Adapter, weight: Array, R: Array, rule: Rule) -> Array:
    """R_0 of one layer at x = 1; an error where the adapter raises, or changes what it is given."""
    x, given = np.ones(R.shape, R.dtype), (weight.copy(), R.copy())
    network = Network([("fc", Linear(weight.copy(), np.zeros(R.shape[1], R.dtype)))])
    try:
        got = ask(adapter, network, {"fc": rule}, x, given[1])
    except Unsupported:
        raise
    except Exception as error:
        raise Broken(f"{adapter.name}: {happened(error)}, for {rule} on a Linear layer with weight "
                     f"{weight.shape}, x {x.shape} and R {R.shape} of {R.dtype}") from error
    changed = [what for what, now, was in (("the weights", network["fc"].arrays()["weight"], weight),
                                           ("x", x, np.ones_like(x)), ("R", given[1], R))
               if not np.array_equal(now, was)]
    if changed:
        raise Broken(f"{adapter.name}: it changed {' and '.join(changed)} that it was given: work on a copy")
    return got


def shares_epsilon(adapter: Adapter, weight: Array, R: Array, rule: Rule) -> bool:
    """Whether the way is right with Epsilon(0): an epsilon that is shared out among all inputs leaves it."""
    if not isinstance(rule, Epsilon):
        return False
    try:
        return along(call(adapter, weight, R, Epsilon(0.0)), R[:, list(WAY)])
    except Unsupported:
        return False


def along(got: Array, R: Array) -> bool:
    """Whether it is R times a positive number, or nearly: a stabiliser takes some."""
    ratio = got / R
    return bool(ratio.min() > 0 and ratio.max() < 2 * ratio.min())


def said(x: Array) -> str:
    return str(x.tolist())


