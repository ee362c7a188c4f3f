"""What cures every failing question is the condition: each is asked again with one thing left out.

The things are the fields of the layer and of the rule that are not at their defaults, how many samples, rows, columns,
channels and outputs there are, and what the numbers are like. A question that has not the thing fails without it, and
so it is no condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.again import agrees_with, asking, first_layer, task
from lrp_ref.conformance.diagnose.assignments import same_rule
from lrp_ref.conformance.diagnose.bisect import Agrees, Relevance
from lrp_ref.conformance.diagnose.instead import Instead
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.layers import Layer
from lrp_ref.network import Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule

SECONDS = 6.0
FIRST = 8   # questions that everything is left out of; of the others what has cured all of these
NETWORKS = 6   # networks that are taken to their first wrong layers
LEAST = 3   # questions of a second condition
NUMBERS: dict[str, Callable[[Array], Array]] = {
    "without negative numbers": abs, "without positive numbers": lambda a: -abs(a),
    "without zeros": lambda a: np.where(a == 0, np.ones_like(a), a), "of whole numbers": np.round,
    "of distinct numbers": lambda a: a + np.arange(1, a.size + 1, dtype=a.dtype).reshape(a.shape),
    "of ones alone": np.ones_like}


@dataclass(frozen=True, eq=False)
class Asked:
    """A question of one layer."""

    rule: Rule
    layer: Layer
    x: Array
    R: Array

    @property
    def task(self) -> Any:
        return Network([("layer", self.layer)]), {"layer": self.rule}, self.x, self.R

    def same(self, other: Asked) -> bool:
        """Whether it asks the same."""
        return (same_rule(self.rule, other.rule) and np.array_equal(self.x, other.x) and np.array_equal(self.R, other.R)
                and all(np.array_equal(getattr(self.layer, f.name), getattr(other.layer, f.name))
                        for f in fields(self.layer)))   # type: ignore[arg-type]


@dataclass(frozen=True)
class Condition:
    """What cures these failures if it is left out, in words after "right again"; of how many that were asked again."""

    words: str
    ids: tuple[str, ...]
    asked: int

    def __str__(self) -> str:
        """all 7 that were asked again are right with stride=1"""
        count = f"all {self.asked}" if len(self.ids) == self.asked else f"{len(self.ids)} of {self.asked}"
        return f"{count} that were asked again are right {self.words}"


# ---- What can be left out ----


def omissions(q: Asked) -> Iterator[tuple[str, Asked]]:
    """The question with one thing left out, by words after "right again", what changes least first."""
    made = [*of_layer(q), *of_rule(q), *of_sizes(q), *of_numbers(q)]
    for words, other in made:
        fitted = fitting(other)
        if fitted is not None and not q.same(fitted):
            yield words, fitted


def of_layer(q: Asked) -> Iterator[tuple[str, Asked]]:
    """Every field that has a default: of rows, of columns, and whole; and windows beside each other."""
    for field in fields(q.layer):   # type: ignore[arg-type]
        if field.default is MISSING:
            continue
        own = getattr(q.layer, field.name)
        plain = changed(q, field.name, field.default)
        if plain is None:
            continue
        default = getattr(plain.layer, field.name)
        text = "without a bias" if field.name == "bias" else f"with {field.name}={field.default}"
        if np.shape(own) == np.shape(default) == (2,) and own[0] != default[0] and own[1] != default[1]:
            for where, value in (("rows", (default[0], own[1])), ("columns", (own[0], default[1]))):
                some = changed(q, field.name, value)
                if some is not None:
                    yield f"{text} in the {where}", some
        yield text, plain
    window: Any = getattr(q.layer, "window", None)
    if window is not None:
        beside = changed(q, "stride", tuple(map(max, window.stride, window.extent)))
        if beside is not None:
            yield "with windows that do not overlap", beside


def changed(q: Asked, name: str, value: Any) -> Asked | None:
    try:
        return replace(q, layer=replace(q.layer, **{name: value}))   # type: ignore[type-var]
    except ValueError:
        return None


def of_rule(q: Asked) -> Iterator[tuple[str, Asked]]:
    rule: Any = q.rule   # of any kind
    for name, value in vars(rule).items():
        other = Instead(f"{name} = 0").rule(q.rule)
        if other is not None:
            yield f"with {name}=0", replace(q, rule=other)
        if np.ndim(value):
            one: dict[str, Any] = {each: float(np.mean(bound)) for each, bound in vars(rule).items()}
            yield f"with one {name} for all channels", replace(q, rule=type(rule)(*one.values()))


def of_sizes(q: Asked) -> Iterator[tuple[str, Asked]]:
    yield "with one sample", replace(q, x=q.x[:1], R=q.R[:1])
    largest = abs(q.R) == abs(q.R).reshape(len(q.R), -1).max(1).reshape(-1, *(1,) * (q.R.ndim - 1))
    first = np.cumsum(largest.reshape(len(q.R), -1), axis=1).reshape(q.R.shape) == 1
    yield "with R at one output", replace(q, R=np.where(largest & first, q.R, 0 * q.R))
    weight: Any = getattr(q.layer, "weight", None)
    if np.ndim(weight) in (2, 4) and getattr(q.layer, "groups", 1) == 1:
        outputs, inputs = (slice(1), slice(None)) if np.ndim(weight) == 4 else (slice(None), slice(1))
        bias: Any = getattr(q.layer, "bias", None)
        one = {"weight": weight[outputs, inputs], **({} if bias is None else {"bias": bias[:1]})}
        yield ("with one channel of outputs" if np.ndim(weight) == 4 else "with one output"), replace(
            q, layer=replace(q.layer, **one))   # type: ignore[type-var]
        if np.ndim(weight) == 4:
            yield "with one channel of inputs", replace(
                q, x=q.x[:, :1], layer=replace(q.layer, weight=weight[:, :1]))   # type: ignore[type-var]
    if q.x.ndim == 4:
        yield "with one row", replace(q, x=q.x[:, :, :1])
        yield "with one column", replace(q, x=q.x[:, :, :, :1])
        side = min(q.x.shape[2:])
        yield "with a square image", replace(q, x=q.x[:, :, :side, :side])


def of_numbers(q: Asked) -> Iterator[tuple[str, Asked]]:
    """Each array of the question, and x and weights together, without what is special about numbers."""
    arrays = {f.name: getattr(q.layer, f.name) for f in fields(q.layer)   # type: ignore[arg-type]
              if isinstance(getattr(q.layer, f.name), np.ndarray)}
    for words, of in NUMBERS.items():
        yield f"with an x {words}", replace(q, x=of(q.x))
        yield f"with an R {words}", replace(q, R=of(q.R))
        for name, value in arrays.items():
            one = changed(q, name, of(value))
            if one is not None:
                yield f"with a {name} {words}", one
        if "weight" in arrays:
            both = changed(replace(q, x=of(q.x)), "weight", of(arrays["weight"]))
            if both is not None:
                yield f"with x and weight {words}", both


def fitting(q: Asked) -> Asked | None:
    """With as many channels as the layer takes, their bounds, and R in the shape of its output; None: nothing fits."""
    channels = q.x.shape[1] if q.x.ndim == 4 else 0
    for x in [q.x, *(q.x[:, :n] for n in range(channels - 1, 0, -1))]:
        try:
            shape = q.layer.output_shape(x.shape)
        except ValueError:
            continue
        if 0 in shape:
            return None
        R = q.R if q.R.shape == shape else np.resize(q.R, shape)
        of_channels: Any = {name: value[:x.shape[1]] for name, value in vars(q.rule).items() if np.ndim(value)}
        rule = replace(q.rule, **of_channels) if of_channels else q.rule   # type: ignore[type-var]
        return replace(q, x=x, R=R, rule=rule) if R.any() else None
    return None


# ---- What cures ----


@dataclass(eq=False)
class Trial:
    """Who is asked, and until when."""

    relevance: Relevance
    agrees: Agrees
    end: float

    @property
    def late(self) -> bool:
        return perf_counter() > self.end

    def right(self, q: Asked) -> bool:
        """Whether it is answered, rightly, with numbers that are not all 0."""
        try:
            network, rules, x, R = q.task
            answer = self.relevance(network, rules, x, R)
            return bool(np.any(answer)) and self.agrees(network, rules, x, R, answer)
        except Exception:   # of what it has not, or raises at, nothing is known
            return False

    def cures(self, q: Asked, some: Sequence[str] | None = None) -> list[str]:
        """The words of what is left out where the answer is right, of some things or of all."""
        return [words for words, other in omissions(q) if (some is None or words in some) and not self.late
                and self.right(other)]


def conditions(run: Run, failed: Sequence[Outcome], seconds: float = SECONDS) -> tuple[Condition, ...]:
    """What cures them all if it is left out; else what cures most, and then what cures most of the rest."""
    trial = Trial(asking(run), agrees_with(run), perf_counter() + seconds)
    questions = spread({one.case.id: q for one in failed[:400] if (q := question(one)) is not None}
                       or first_layers(run, failed))
    found: list[Condition] = []
    while len(questions) >= (LEAST if found else 1) and not trial.late:
        one = common(trial, questions)
        if one is None:
            break
        found.append(one)
        questions = {id: q for id, q in questions.items() if id not in one.ids}
    return tuple(found)


def common(trial: Trial, questions: dict[str, Asked]) -> Condition | None:
    """What cures most questions; what cures the first few alone is tried at the others."""
    first = dict([*questions.items()][:FIRST])
    cured = {id: trial.cures(q) for id, q in first.items()}
    order = list(dict.fromkeys(words for q in first.values() for words, _ in omissions(q)))
    count = {words: sum(words in some for some in cured.values()) for words in order}
    most = max(count.values(), default=0)
    if most < min(2, len(first)):
        return None
    best = [words for words in order if count[words] == most]
    for id, q in questions.items():
        if id not in first and not trial.late:
            cured[id] = trial.cures(q, best)
    words = max(best, key=lambda words: sum(words in some for some in cured.values()))
    return Condition(words, tuple(id for id, some in cured.items() if words in some), len(cured))


def question(one: Outcome) -> Asked | None:
    """Of a case of one layer."""
    if len(one.case.network) != 1:
        return None
    network, rules, x, R = one.case.task()
    (name, layer), = network
    return Asked(rules[name], layer, x, R)


def first_layers(run: Run, failed: Sequence[Outcome]) -> dict[str, Asked]:
    """Of networks, taken to their first wrong layer."""
    found = {}
    for one in failed[:NETWORKS]:
        name = first_layer(one, run)
        if name is not None:
            network, rules, x, R = task(one, run)
            xs = network.activations(x)
            Rs = through_network(network, rules, x, R, xs)
            found[one.case.id] = Asked(rules[name], network[name], network.read(name, xs), Rs[name])
    return found


def spread(questions: dict[str, Asked]) -> dict[str, Asked]:
    """Of every rule and kind of layer one, then of every one another."""
    places: dict[Any, int] = {}
    at = []
    for id, q in questions.items():
        place = type(q.rule), type(q.layer)
        places[place] = places.get(place, -1) + 1
        at.append((places[place], id))
    return {id: questions[id] for _, id in sorted(at, key=lambda pair: pair[0])}
