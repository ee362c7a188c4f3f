"""What a wrong relevance looks like: the fault, or the convention of a layer or of all, that explains it best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lrp_ref.arrays import Array, same
from lrp_ref.checks.rounding.arithmetic import FLOAT32
from lrp_ref.checks.rounding.ball import Ball
from lrp_ref.checks.rounding.bounds import taken
from lrp_ref.checks.rounding.radius import one_layer
from lrp_ref.layers import Layer
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import handed_down
from lrp_ref.rules import Flat, Rule, WSquare
from lrp_ref.step import step
from lrp_ref.testing.compared import distance
from lrp_ref.testing.faults import at_a_glance, off, rounded_to_float32
from lrp_ref.testing.looks_like import Likeness, likenesses, pairs


@dataclass(frozen=True, eq=False)
class Answer:
    """What was given as the relevance of a network's input, and what it should have been made of.

    rules  {layer: its rule}
    balls  {tensor: its ball}
    R      the relevance of the network's outputs
    u      unit roundoff of the implementation
    """

    got: Array
    network: Network
    rules: Mapping[str, Rule]
    balls: Mapping[str, Ball]
    R: Array
    u: float

    def explained(self) -> Iterator[Likeness | None]:
        """What may explain it, the likeliest first; None where something does not."""
        right, alone = self.as_if({}), len(self.network) == 1
        yield self.single(right)
        if alone:
            yield self.convention(right)
        yield likeness(at_a_glance(self.got, right))
        yield self.times_input(right)
        yield self.less_precise() if alone else self.whole_convention(right)

    # ---- Of what is right, or as if ----

    def as_if(self, rules: Mapping[str, Rule]) -> Array:
        """The relevance of the input as it should be, or with other rules in some layers."""
        def below(name: str, R: Array) -> Array:
            a, m = self.at(name)
            with np.errstate(all="ignore"):
                return step(rules.get(name, self.rules[name]), m, a, R)[0]
        return self.through(below)

    def through(self, below: Callable[[str, Array], Array]) -> Array:
        """The relevance of the input, by some way to hand relevance down a layer."""
        xs = {t: ball.value for t, ball in self.balls.items()}
        return handed_down(self.network, xs, self.R, lambda name, layer, x, R: below(name, R))[0][INPUT]

    def at(self, name: str) -> tuple[Array, LinearMap]:
        """The layer's map at its input."""
        return self.network[name].linearize(taken(self.network, name, self.balls).value)

    def asked(self, name: str) -> tuple[Rule, Layer, LinearMap, Array]:
        """What likenesses are asked of."""
        a, m = self.at(name)
        return self.rules[name], self.network[name], m, a

    def apart(self, rules: Mapping[str, Rule]) -> float:
        """How far what is given is from that; infinitely far from what such a library, or map, has no answer to."""
        try:
            return distance(self.got, self.as_if(rules), self.u)
        except ValueError:
            return np.inf

    # ---- Faults ----

    def single(self, right: Array) -> Likeness | None:
        """Whether the numbers are float32's, where the implementation's are said to be float64's."""
        single = self.u < FLOAT32.u and rounded_to_float32(self.got, right)
        return IN_FLOAT32 if single else None

    def less_precise(self) -> Likeness | None:
        """Whether float32 would have been allowed to give this of a layer, though its numbers are float64's."""
        [(name, layer)] = self.network
        if self.u >= FLOAT32.u or layer.roundings.unknown:   # without a bound nothing is allowed
            return None
        one = one_layer(self.rules[name], layer, taken(self.network, name, self.balls), self.R, FLOAT32.u)
        near = 2.0**-28 <= off(self.got, one.value) <= 2.0**-12 and bool(
            (abs(self.got - one.value) <= one.radius).all())
        return IN_FLOAT32 if near else None

    def times_input(self, right: Array) -> Likeness | None:
        if any(self.at(name)[1].weightless for name in self.network.names):   # no gradient either
            return None

        def gradient(name: str, R: Array) -> Array:
            a, m = self.at(name)
            return m.transpose(R + np.zeros(m(a).shape), same, a.shape)

        wanted = self.through(gradient) * self.balls[INPUT].value
        near = off(self.got, wanted) <= min(self.u**0.5, off(self.got, right) / 2)
        return likeness("relevance were the gradient times the input" if near else "")

    # ---- Conventions ----

    def convention(self, right: Array) -> Likeness | None:
        """The fewest answers or mistakes at the one layer that explain its relevance."""
        [name] = self.network.names
        rule, layer, m, a = self.asked(name)

        def tried(some: Iterable[Likeness]) -> list[tuple[float, Likeness]]:
            return [(self.apart({name: one.rule}), one) for one in some if one.rule]

        found = tried(likenesses(rule, layer, m, a))
        if min((far for far, _ in found), default=0.0) > 16 * self.u:
            found += tried(pairs(rule, layer, m, a))
        best = max(2 * min((far for far, _ in found), default=0), 16 * self.u)   # and the first of equals
        near = min(best, self.u**0.5, distance(self.got, right, self.u) / 2)
        return next((one for far, one in found if far <= near), None)

    def whole_convention(self, right: Array) -> Likeness | None:
        """The same of the image's relevance: one answer or mistake at every layer that knows it, or at one."""
        known = {name: dict(numbered(likenesses(*self.asked(name)))) for name in self.network.names}
        near = min(self.u**0.5, distance(self.got, right, self.u) / 2)

        def explains(rules: Mapping[str, Rule]) -> bool:
            return self.apart(rules) <= near

        for cut in self.cut_higher():
            if explains(dict.fromkeys(cut, self.rules[self.network.names[0]])):
                return Likeness(f"the cut-off included {', '.join(cut)}")
        for key in dict.fromkeys(key for name in known for key in known[name]):
            having = {name: known[name][key] for name in known if key in known[name]}
            rules = {name: one.rule for name, one in having.items() if one.rule}
            first = next(iter(having.values()))
            if len(having) > 1 and explains(rules):
                return first.at(*having)
            for name, one in having.items() if not first.sized else []:   # too many sizes, and all alike
                if explains({name: rules[name]}):
                    return one.at(name)
        return None

    def cut_higher(self) -> Iterator[list[str]]:
        """The layers above the lowest ones' Flat or WSquare to which a cut-off may reach too."""
        filler = self.rules[self.network.names[0]]
        others = [name for name in self.network.names if self.rules[name] != filler]
        if isinstance(filler, (Flat, WSquare)):
            yield from (others[: n + 1] for n in range(len(others)))


IN_FLOAT32 = Likeness("it were computed in float32")


def likeness(looks: str) -> Likeness | None:
    return Likeness(looks) if looks else None


def numbered(found: Iterable[Likeness]) -> Iterator[tuple[tuple[str, int], Likeness]]:
    """Several ways of doing what one sentence says, told apart: (sentence, how many were before it)."""
    before: Counter[str] = Counter()
    for one in found:
        yield (one.looks, before[one.looks]), one
        before[one.looks] += 1
