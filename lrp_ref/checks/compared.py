"""What an implementation gave against what it should have given: the tolerance, the verdict, what it looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, same
from lrp_ref.checks.ball import Ball
from lrp_ref.checks.bounds import raised, start_ball
from lrp_ref.checks.faults import at_a_glance, off, rounded_to_float32
from lrp_ref.checks.looks_like import BOTH, GUARDED, alternatives
from lrp_ref.checks.monte_carlo import monte_carlo
from lrp_ref.checks.radius import one_layer
from lrp_ref.checks.rounding import FORMATS, arithmetic, source
from lrp_ref.layers import Layer
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network
from lrp_ref.relevance import hand_down, start, step
from lrp_ref.rules import Flat, Pass, Rule, WSquare

SIGMAS = 6
VERDICTS = ("exact", "pass", "loose", "fail", "undetermined")

Rules = Mapping[str, Rule]


@dataclass(frozen=True, eq=False)
class Compared:
    """One array of relevance against its value: element by element, how far off and how far it may be.

    radius  a bound (one layer), or 6 sigma (several): |actual - value| <= radius
    exact   how far the float64 value may be from the exact one; None where that is not known
    """

    what: str
    actual: Array
    value: Array
    radius: Array
    exact: Array | None
    sigma: Callable[[], Array] = field(repr=False)

    @property
    def error(self) -> Array:
        with np.errstate(invalid="ignore"):
            error = abs(self.actual.astype(np.float64) - self.value)
        return np.where(np.isnan(error), np.inf, error)

    @property
    def failed(self) -> Array:
        return (self.error > self.radius) | ~np.isfinite(self.actual)

    @property
    def undetermined(self) -> Array:
        """Not known to be wrong, but the bound exceeds the value: it could have been anything of that size."""
        return ~self.failed & (self.radius > abs(self.value))

    @property
    def excess(self) -> Array:
        """Error over bound; 0 where there is no error, infinite where none is allowed."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.error == 0, 0.0, np.nan_to_num(self.error / self.radius, nan=np.inf, posinf=np.inf))

    def verdicts(self) -> Counter[str]:
        """How many elements are exact (correctly rounded, and known to be), pass (within half a unit in the last
        place or 6 sigma), loose (within the bound), fail, undetermined."""
        pass_ = self.error <= np.maximum(SIGMAS * self.sigma(), abs(self.value) * np.finfo(self.actual.dtype).eps / 2)
        rounded = np.zeros(self.value.shape, bool)
        if self.exact is not None:
            ends = [(self.value + side * self.exact).astype(self.actual.dtype) for side in (-1, 1)]
            rounded = (ends[0] == ends[1]) & (self.actual == ends[0])
        kinds = np.select([self.failed, self.undetermined, rounded, pass_], ["fail", "undetermined", "exact", "pass"],
                          "loose")
        return Counter({str(kind): int(n) for kind, n in zip(*np.unique(kinds, return_counts=True))})


@dataclass(frozen=True, eq=False)
class Report:
    """What was compared, highest layer first; print it for a table of verdicts."""

    compared: Sequence[Compared]

    def __str__(self) -> str:
        width = max(len(c.what) for c in self.compared)
        lines = [" ".join([" " * width, *(f"{v:>12}" for v in VERDICTS), "  error/bound"])]
        for c in self.compared:
            verdicts = c.verdicts()
            lines.append(" ".join([c.what.ljust(width), *(f"{verdicts[v]:12}" for v in VERDICTS),
                                   f"{float(c.excess.max()):13.2g}"]))
        return "\n".join(lines)


# ---- What is compared with what ----


@dataclass(frozen=True, eq=False)
class Task:
    """The network in float64, the ball of every layer's input, and of R_L."""

    network: Network
    x: Array
    rules: Rules
    R: Ball
    target: Any
    u: float
    inputs: Mapping[str, Ball]

    @classmethod
    def of(cls, network: Network, x: Any, rules: Rules, R: Any, u: float,
           activations: Mapping[str, Any] | None) -> Task:
        arithmetic(u)
        x = numbers(x, "x")
        missing = [name for name in network.names if name not in rules]
        if missing:
            raise ValueError(f"got no rule for {', '.join(missing)}: make the rules with lrp_ref.assign(network, ...)")
        for name, layer in network:
            for array, values in layer.arrays().items():
                held(values, u, f"{array} of {name}")
        held(x, u, "x")
        network, x64 = network.astype(np.float64), x.astype(np.float64)
        given = {name: numbers(a, f"the activation of {name}") for name, a in (activations or {}).items()}
        for name in given:
            network.index(name)
        balls, inputs = Ball.exact(x64), {}
        for (name, layer), shape in zip(network, network.shapes(x.shape)):
            if name in given:
                fits(given[name], shape, f"the activation of {name}", f"the input of {name}")
                balls = Ball.exact(given[name].astype(np.float64))
            inputs[name] = balls
            balls = lifted(name, layer, balls, u)
        target = R
        if R is not None and np.shape(R) == balls.value.shape:
            target = numbers(R, "R")
            held(target, u, "R")
            target = target.astype(np.float64)
        return cls(network, x64, rules, start_ball(balls, target), target, u, inputs)

    def layer(self, name: str) -> Layer:
        return self.network[name]

    def given(self, relevances: Mapping[str, Any], name: str) -> Array:
        if name not in relevances:
            raise ValueError(f"got relevances of {', '.join(relevances)}, needed one of every layer's input: "
                             f"{name}'s is missing")
        here = numbers(relevances[name], f"the relevance of {name}")
        fits(here, self.inputs[name].value.shape, f"the relevance of {name}", f"the input of {name}")
        return here

    def above(self, name: str, relevances: Mapping[str, Any]) -> Ball:
        """The relevance of the layer's outputs: what the implementation says that the next layer's inputs have."""
        n = self.network.index(name) + 1
        if n == len(self.network):
            return self.R
        return Ball.exact(self.given(relevances, self.network.names[n]).astype(np.float64))

    def compare(self, actual: Any) -> Iterator[Compared]:
        """Layer by layer from the score down, or the image's relevance alone."""
        if isinstance(actual, Mapping):
            for name in actual:
                self.network.index(name)
            for name in reversed(self.network.names):
                yield self.compare_layer(name, self.given(actual, name), self.above(name, actual))
            return
        name = self.network.names[0]
        actual = self.given({name: actual}, name)
        if len(self.network) == 1:
            yield self.compare_layer(name, actual, self.R)
            return
        sigma = monte_carlo(self.network, self.x, self.rules, self.target, self.u)[name]
        value = backwards(self, lambda name, a, R: hand_down(self.rules[name], self.layer(name), a, R)[0])
        radius = np.maximum(SIGMAS * sigma, self.u * abs(value))
        yield Compared("the relevance of the image", actual, value, radius, None, lambda: sigma)

    def compare_layer(self, name: str, actual: Array, R: Ball) -> Compared:
        rule, layer, x = self.rules[name], self.layer(name), self.inputs[name]

        def sigma() -> Array:
            return monte_carlo(Network([(name, layer)]), x.value, {name: rule}, R.value, self.u)[name]

        what = f"layer {name}"
        if source(layer).unknown and not isinstance(rule, (Flat, Pass)):   # its weights have no bound
            value = hand_down(rule, layer, x.value, R.value)[0]
            spread = sigma()
            radius = np.maximum(SIGMAS * spread, self.u * abs(value))
            return Compared(what, actual, value, radius, None, lambda: spread)
        one = one_layer(rule, layer, x, R, self.u)
        return Compared(what, actual, one.value, one.radius, one.exact, sigma)

    def looks_like(self, what: str, actual: Any) -> str:
        """The fault or convention that explains the layer's relevance, or the image's, better than none does."""
        name = what.removeprefix("layer ")
        if name not in self.network.names:
            got = numbers(actual, "the relevance")
            names, R = self.network.names, self.start()
        else:
            whole = not isinstance(actual, Mapping)
            got, R = (numbers(actual, "the relevance"), self.R.value) if whole else (
                self.given(actual, name), self.above(name, actual).value)
            names = (name,)
        sentence = next(filter(None, self.explained(got, names, R)), "")
        if sentence:
            return f"it looks as if {sentence}"
        return "" if len(names) == 1 else (
            f"give {{layer: relevance of its input}} to see at which of {', '.join(names)} it begins")

    def explained(self, got: Array, names: Sequence[str], R: Array) -> Iterator[str]:
        """What may explain the relevance of the lowest of the layers, from R above the highest: the likeliest first."""
        yield self.single(got, names, R)
        if len(names) == 1:
            yield self.convention(names[0], got, R)
        yield at_a_glance(got, self.right(names, R))
        yield self.times_input(got, names, R)
        if len(names) == 1:
            yield self.less_precise(names[0], got, R)
        else:
            yield self.whole_convention(got)

    def start(self) -> Array:
        return start(self.network(self.x), self.target)

    def single(self, got: Array, names: Sequence[str], R: Array) -> str:
        """Whether the numbers are float32's, where the implementation's are said to be float64's."""
        single = self.u < 2.0**-24 and rounded_to_float32(got, self.right(names, R))
        return "it were computed in float32" if single else ""

    def right(self, names: Sequence[str], R: Array) -> Array:
        """Relevance of the lowest of the layers, from R above the highest."""
        return self.through(names, R, lambda name, a, R: self.as_if(name, a, R))

    def times_input(self, got: Array, names: Sequence[str], R: Array) -> str:
        def gradient(name: str, a: Array, R: Array) -> Array:
            a, m = self.layer(name).linearize(a)
            return m.transpose(R + np.zeros(m(a).shape), same, a.shape)

        wanted = self.through(names, R, gradient) * self.inputs[names[0]].value
        near = off(got, wanted) <= min(self.u**0.5, off(got, self.right(names, R)) / 2)
        return "relevance were the gradient times the input" if near else ""

    def through(self, names: Sequence[str], R: Array, below: Callable[[str, Array, Array], Array]) -> Array:
        """R of the lowest of the layers, by some way to hand relevance down a layer."""
        for name in reversed(names):
            R = below(name, self.inputs[name].value, R)
        return R

    def less_precise(self, name: str, got: Array, R: Array) -> str:
        """Whether float32 would have been allowed to give this, though its numbers are float64's."""
        if self.u >= 2.0**-24:
            return ""
        one = one_layer(self.rules[name], self.layer(name), self.inputs[name], R, 2.0**-24)
        near = 2.0**-28 <= off(got, one.value) <= 2.0**-12 and bool((abs(got - one.value) <= one.radius).all())
        return "it were computed in float32" if near else ""

    def convention(self, name: str, got: Array, R: Array) -> str:
        """The alternative at one layer that explains its relevance."""
        a = self.inputs[name].value
        found = [(distance(got, self.as_if(name, a, R, how), self.u), s) for s, how in self.sentences(name)]
        best = max(2 * min((far for far, _ in found), default=0), 16 * self.u)   # and the first of equals
        near = min(best, self.u**0.5, distance(got, self.as_if(name, a, R), self.u) / 2)
        return next((sentence for far, sentence in found if far <= near), "")

    def whole_convention(self, got: Array) -> str:
        """The same of the image's relevance: a convention at every layer that knows it, or at one."""
        hows = {name: dict(self.sentences(name)) for name in self.network.names}

        def far(hows: Mapping[str, tuple[Rule, LinearMap]]) -> float:
            return distance(got, backwards(self, lambda name, a, R: self.as_if(name, a, R, hows.get(name))), self.u)

        near = min(self.u**0.5, far({}) / 2)
        for sentence, others in self.cut_higher():
            if far(others) <= near:
                return sentence
        for sentence in dict.fromkeys(s for name in hows for s in hows[name]):
            if BOTH in sentence:   # two conventions at once: a search through them all would take minutes
                continue
            having = {name: hows[name][sentence] for name in hows if sentence in hows[name]}
            if len(having) > 1 and far(having) <= near:
                return f"{sentence}, at {', '.join(having)}"
            for name in having if GUARDED not in sentence else []:
                if far({name: having[name]}) <= near:
                    return f"{sentence}, at layer {name}"
        return ""

    def cut_higher(self) -> Iterator[tuple[str, Mapping[str, tuple[Rule, LinearMap]]]]:
        """The same with a cut-off that reaches further up than the lowest layers' Flat or WSquare does."""
        names = self.network.names
        filler, others = self.rules[names[0]], {}
        if not isinstance(filler, (Flat, WSquare)):
            return
        for name in names:
            if self.rules[name] != filler:
                others[name] = (filler, self.layer(name).linearize(self.inputs[name].value)[1])
                yield f"the cut-off included {', '.join(others)}", dict(others)

    def sentences(self, name: str) -> Iterator[tuple[str, tuple[Rule, LinearMap]]]:
        a, m = self.layer(name).linearize(self.inputs[name].value)
        return ((sentence, (rule, its_map)) for sentence, rule, its_map in alternatives(self.rules[name], m, a))

    def as_if(self, name: str, a: Array, R: Array, how: tuple[Rule, LinearMap] | None = None) -> Array:
        """The layer's step as it should be, or under another convention."""
        rule, m = how or (self.rules[name], self.layer(name).linearize(self.inputs[name].value)[1])
        with np.errstate(all="ignore"):
            return step(rule, m, self.layer(name).linearize(a)[0], R)[0]


def lifted(name: str, layer: Layer, x: Ball, u: float) -> Ball:
    """The ball of the layer's output at u; as if exact where no ball is known: its error is then not allowed for."""
    try:
        return raised(name, layer, x, arithmetic(u))
    except ValueError:
        return Ball.exact(layer(x.value))


def backwards(task: Task, below: Callable[[str, Array, Array], Array]) -> Array:
    """R_0 from R_L, by some way to hand relevance down a layer."""
    return task.through(task.network.names, task.start(), below)


def distance(got: Array, other: Array, u: float) -> float:
    """The largest relative difference; numbers of less than half of u's digits of the largest count as that large."""
    if not (np.isfinite(other).all() and np.isfinite(got).all()):
        return np.inf
    size = np.maximum(abs(other), abs(other).max() * u**0.5)
    error = abs(got.astype(np.float64) - other)
    return float(np.where(error == 0, 0.0, error / np.maximum(size, np.finfo(np.float32).tiny)).max())


def per_sample(x: Array) -> Array:
    return x.reshape(len(x), -1).sum(axis=1)


# ---- What is given ----


def numbers(given: Any, what: str) -> Array:
    """The numbers as an array of floats: of a torch tensor too, or anything with `__array__`."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    array = np.asarray(given)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise ValueError(f"got {what} as {array.dtype}, needed float16, float32 or float64 numbers")
    return array


def fits(array: Array, shape: tuple[int, ...], what: str, other: str) -> None:
    if array.shape != shape:
        hint = ""
        if sorted(array.shape) == sorted(shape):
            hint = ": transpose it?"
        elif array.size == int(np.prod(shape)):
            hint = ": reshape it?"
        raise ValueError(f"got {what} of shape {array.shape}, but {other} has shape {shape}{hint}")


def held(values: Any, u: float, what: str) -> None:
    """An error unless a format of that unit roundoff holds the numbers exactly: else what is computed is not theirs."""
    number, values = FORMATS.get(u, np.float64), np.asarray(values)
    if values.dtype == object:
        raise ValueError(f"got {what} as exact numbers, needed the floats that the implementation had")
    if number is not np.float64 and not (values.astype(number).astype(values.dtype) == values).all():
        name = np.dtype(number).name
        raise ValueError(f"got numbers in {what} that {name} does not hold, and u={u:.3g} is {name}'s: give those that "
                         f"the implementation had, as .astype(numpy.{name})")
