"""What a wrong relevance looks like: the fault, or the convention of a layer or of all, that explains it best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lrp_ref.arrays import Array, same
from lrp_ref.checks.rounding.arithmetic import FLOAT32
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network
from lrp_ref.rules import Flat, Rule, WSquare
from lrp_ref.step import step
from lrp_ref.testing.compared import distance
from lrp_ref.testing.faults import at_a_glance, off, rounded_to_float32
from lrp_ref.testing.looks_like import BOTH, GUARDED, alternatives

How = tuple[Rule, LinearMap]


@dataclass(frozen=True, eq=False)
class Answer:
    """What was given as the relevance of a network's input, and what it should have been made of.

    rules, inputs  {layer: its rule, the ball of its input}
    R              the relevance of the network's outputs
    u              unit roundoff of the implementation
    """

    got: Array
    network: Network
    rules: Mapping[str, Rule]
    inputs: Mapping[str, Ball]
    R: Array
    u: float

    def explained(self) -> Iterator[str]:
        """What may explain it, the likeliest first: it looks as if .., or "" where it does not."""
        right, alone = self.as_if({}), len(self.network) == 1
        yield self.single(right)
        if alone:
            yield self.convention(right)
        yield at_a_glance(self.got, right)
        yield self.times_input(right)
        yield self.less_precise() if alone else self.whole_convention(right)

    # ---- Of what is right, or as if ----

    def as_if(self, hows: Mapping[str, How]) -> Array:
        """The relevance of the input as it should be, or with layers under another convention."""
        def below(name: str, R: Array) -> Array:
            a, m = self.at(name)
            rule, m = hows.get(name, (self.rules[name], m))
            with np.errstate(all="ignore"):
                return step(rule, m, a, R)[0]
        return self.through(below)

    def through(self, below: Callable[[str, Array], Array]) -> Array:
        """The relevance of the input, by some way to hand relevance down a layer."""
        R = self.R
        for name in reversed(self.network.names):
            R = below(name, R)
        return R

    def at(self, name: str) -> tuple[Array, LinearMap]:
        """The layer's map at its input."""
        return self.network[name].linearize(self.inputs[name].value)

    def sentences(self, name: str) -> Iterator[tuple[str, How]]:
        a, m = self.at(name)
        return ((sentence, (rule, its_map)) for sentence, rule, its_map in alternatives(self.rules[name], m, a))

    # ---- Faults ----

    def single(self, right: Array) -> str:
        """Whether the numbers are float32's, where the implementation's are said to be float64's."""
        single = self.u < FLOAT32.u and rounded_to_float32(self.got, right)
        return "it were computed in float32" if single else ""

    def less_precise(self) -> str:
        """Whether float32 would have been allowed to give this of a layer, though its numbers are float64's."""
        if self.u >= FLOAT32.u:
            return ""
        [(name, layer)] = self.network
        one = one_layer(self.rules[name], layer, self.inputs[name], self.R, FLOAT32.u)
        near = 2.0**-28 <= off(self.got, one.value) <= 2.0**-12 and bool(
            (abs(self.got - one.value) <= one.radius).all())
        return "it were computed in float32" if near else ""

    def times_input(self, right: Array) -> str:
        def gradient(name: str, R: Array) -> Array:
            a, m = self.at(name)
            return m.transpose(R + np.zeros(m(a).shape), same, a.shape)

        wanted = self.through(gradient) * self.inputs[self.network.names[0]].value
        near = off(self.got, wanted) <= min(self.u**0.5, off(self.got, right) / 2)
        return "relevance were the gradient times the input" if near else ""

    # ---- Conventions ----

    def convention(self, right: Array) -> str:
        """The alternative at the one layer that explains its relevance."""
        [name] = self.network.names
        found = [(distance(self.got, self.as_if({name: how}), self.u), s) for s, how in self.sentences(name)]
        best = max(2 * min((far for far, _ in found), default=0), 16 * self.u)   # and the first of equals
        near = min(best, self.u**0.5, distance(self.got, right, self.u) / 2)
        return next((sentence for far, sentence in found if far <= near), "")

    def whole_convention(self, right: Array) -> str:
        """The same of the image's relevance: a convention at every layer that knows it, or at one."""
        hows = {name: dict(numbered(self.sentences(name))) for name in self.network.names}
        near = min(self.u**0.5, distance(self.got, right, self.u) / 2)

        def explains(hows: Mapping[str, How]) -> bool:
            return distance(self.got, self.as_if(hows), self.u) <= near

        for sentence, others in self.cut_higher():
            if explains(others):
                return sentence
        for key in dict.fromkeys(key for name in hows for key in hows[name]):
            sentence, _ = key
            if BOTH in sentence:   # two conventions at once: a search through them all would take minutes
                continue
            having = {name: hows[name][key] for name in hows if key in hows[name]}
            if len(having) > 1 and explains(having):
                return f"{sentence}, at {', '.join(having)}"
            for name in having if GUARDED not in sentence else []:
                if explains({name: having[name]}):
                    return f"{sentence}, at layer {name}"
        return ""

    def cut_higher(self) -> Iterator[tuple[str, Mapping[str, How]]]:
        """The same with a cut-off that reaches further up than the lowest layers' Flat or WSquare does."""
        names = self.network.names
        filler, others = self.rules[names[0]], {}
        if not isinstance(filler, (Flat, WSquare)):
            return
        for name in names:
            if self.rules[name] != filler:
                others[name] = (filler, self.at(name)[1])
                yield f"the cut-off included {', '.join(others)}", dict(others)


def numbered(sentences: Iterable[tuple[str, How]]) -> Iterator[tuple[tuple[str, int], How]]:
    """Several ways of doing what one sentence says, told apart: (sentence, how many were before it)."""
    before: Counter[str] = Counter()
    for sentence, how in sentences:
        yield (sentence, before[sentence]), how
        before[sentence] += 1
