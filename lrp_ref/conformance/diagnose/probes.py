"""Questions of one small layer in whole numbers, asked output by output: the messages M_ij themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import NUMBERS, Adapter, Unsupported, roundoff
from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.diagnose.pairs import Pairs, TooLarge, written_out
from lrp_ref.conformance.judge.outcome import ask
from lrp_ref.layers import AvgPool, Conv2D, Flatten, Layer, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

OUTPUTS = 12   # of which each is asked by itself
PARAMETERS: dict[str, tuple[Rule, ...]] = {
    "Epsilon": (Epsilon(0.5), Epsilon(0.0), Epsilon(2.0)), "AlphaBeta": (AlphaBeta(2.0, 1.0), AlphaBeta(3.0, 2.0)),
    "ZPlus": (ZPlus(),), "Gamma": (Gamma(0.5), Gamma(2.0)), "ZBox": (ZBox(-5.0, 7.0),), "WSquare": (WSquare(),),
    "Flat": (Flat(),), "Winner": (Winner(),), "Pass": (Pass(),)}


def near(got: Array, wanted: Array, tolerance: float) -> Array:
    """Which are the same to rounding."""
    with np.errstate(invalid="ignore"):
        return abs(got - wanted) <= tolerance * np.maximum(1e-3 + abs(wanted), abs(got))


def same_numbers(got: Array, wanted: Array, tolerance: float) -> bool:
    """Whether all are the same to rounding; what is not finite in the same places."""
    return bool((near(got, wanted, tolerance) | (~np.isfinite(got) & ~np.isfinite(wanted))).all())


class Spent(Exception):
    """The budget of questions or of seconds is used up."""


@dataclass(eq=False)
class Asker:
    """An adapter that is asked so many questions, for so many seconds, and no more.

    u  of its answers, where that is more than its own unit_roundoff
    """

    adapter: Adapter
    questions: int = 12_000
    seconds: float = 25.0
    asked: int = 0
    u: float = 0.0
    begin: float = field(default_factory=perf_counter)

    @property
    def spent(self) -> bool:
        return (isinstance(self.adapter, Recorded) or self.asked >= self.questions
                or perf_counter() - self.begin >= self.seconds)

    @property
    def number(self) -> Any:
        return NUMBERS[roundoff(self.adapter)]

    @property
    def tolerance(self) -> float:
        """How far numbers of moderate size may be off by rounding, relative to the largest."""
        return max(1e-10, 100 * max(self.u, roundoff(self.adapter)))

    def __call__(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array | None:
        """What it answers; None where it has no such rule or raises."""
        if self.spent:
            raise Spent
        self.asked += 1
        number = self.number
        try:
            found = ask(self.adapter, network.astype(number), dict(rules), x.astype(number), R.astype(number))
        except Unsupported:
            return None
        except Exception:
            return None
        return found if found.shape == x.shape else None

    def layer(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array | None:
        return self(Network([("layer", layer)]), {"layer": rule}, x, R)


@dataclass(frozen=True, eq=False)
class Probe:
    """One layer, its pairs, and what an implementation hands each input of each output's 1: M (N, I, J).

    known  of which pairs that is known; M is 0 of the others
    own    what is known to be handed down; None: what the canonical rule hands down
    """

    rule: Rule
    pairs: Pairs
    M: Array
    known: Array = field(default_factory=lambda: np.ones((1, 1, 1), bool))
    own: Array | None = None

    def has(self, M: Array, tolerance: float) -> bool:
        """Whether these are its messages; what is not finite in the same places."""
        return M.shape == self.M.shape and same_numbers(M, self.M, tolerance)


def probes(asker: Asker, rule: str, kind: str, given: Iterable[tuple[Rule, Layer, Array]] = ()) -> Iterator[Probe]:
    """Of a rule on a kind of layer: layers made for it, and given ones; what it does not have is left out."""
    for one, layer, x in [*made_for(rule, kind), *given]:
        try:
            p = written_out(layer, x)
        except (TooLarge, ValueError):
            continue
        if p.b.size > OUTPUTS:
            continue
        M = messages(asker, one, p)
        if M is not None:
            yield Probe(one, p, M)


def messages(asker: Asker, rule: Rule, p: Pairs) -> Array | None:
    """Every output's message by itself, all samples at once."""
    columns = []
    for j in range(p.b.size):
        R = np.zeros((len(p.x), p.b.size))
        R[:, j] = 1
        answer = asker.layer(rule, p.layer, p.x, R.reshape(p.outputs))
        if answer is None:
            return None
        columns.append(answer.reshape(len(p.x), -1, 1))
    return np.concatenate(columns, axis=2)


def made_for(rule: str, kind: str) -> list[tuple[Rule, Layer, Array]]:
    """Layers of that kind, in general position, with all that distinguishes regimes."""
    rng = np.random.default_rng(7)
    rules = PARAMETERS.get(rule, ())
    maker = MAKERS.get(kind)
    if maker is None:
        return []
    return [(rules[n % len(rules)], *one) for n, one in enumerate(maker(rng))] if rules else []


def whole_numbers(rng: Any, most: int, *shape: int) -> Array:
    """Whole numbers but 0, of both signs."""
    x: Array = rng.integers(1, most + 1, shape) * rng.choice([-1.0, 1.0], shape)
    return x


def linears(rng: Any) -> Iterator[tuple[Layer, Array]]:
    for n in range(42):
        inputs, outputs, samples = int(rng.integers(2, 5)), (1, 2, 3)[n % 3], (1, 2)[n % 2]
        x, w = whole_numbers(rng, 5, samples, inputs), whole_numbers(rng, 7, inputs, outputs)
        b = whole_numbers(rng, 6, outputs) if n % 4 else np.zeros(outputs)
        if n % 5 == 1:
            x = abs(x)
        if n % 7 == 2:
            w, b = abs(w), abs(b)
        if n % 7 == 3:
            w, x, b = -abs(w), abs(x), -abs(b)
        if n % 11 == 4:
            x[:, 0] = 0
        yield Linear(w, b if n % 8 else None), x


CONVOLUTIONS: tuple[Any, ...] = (   # kernel, image, input and output channels, what is not the default
    ((2, 2), (2, 3), 2, 2, {}), ((2, 3), (3, 3), 1, 2, {}), ((3, 2), (3, 2), 2, 1, {"pad": (1, 0)}),
    ((2, 2), (2, 2), 1, 1, {"pad": 1}), ((2, 2), (4, 4), 1, 1, {"stride": 2}),
    ((2, 3), (4, 3), 1, 2, {"stride": (2, 1)}),
    ((3, 2), (3, 5), 2, 1, {"stride": (1, 2)}), ((2, 2), (3, 4), 1, 2, {"dilation": 2}),
    ((2, 2), (3, 3), 2, 1, {"dilation": (2, 1)}), ((2, 2), (2, 4), 1, 2, {"dilation": (1, 2)}),
    ((2, 2), (2, 3), 2, 4, {"groups": 2}), ((1, 2), (1, 3), 4, 2, {"groups": 2}), ((2, 1), (3, 2), 1, 2, {}),
    ((3, 3), (2, 2), 2, 2, {"pad": 1, "groups": 2}), ((3, 3), (3, 3), 1, 1, {"pad": 1}),
    ((1, 1), (2, 2), 2, 2, {}), ((3, 3), (4, 4), 1, 1, {"pad": 1, "stride": 2}), ((2, 2), (3, 3), 2, 1, {}))


def convolutions(rng: Any) -> Iterator[tuple[Layer, Array]]:
    for n, (kernel, size, channels, outputs, how) in enumerate(CONVOLUTIONS):
        w = whole_numbers(rng, 5, outputs, channels // how.get("groups", 1), *kernel)
        x = whole_numbers(rng, 6, 1 + n % 2, channels, *size)
        b = None if n % 4 == 1 else whole_numbers(rng, 7, outputs)
        yield Conv2D(w, b, **how), abs(x) if n % 4 == 2 else x


def poolings(kind: Any) -> Callable[[Any], Iterator[tuple[Layer, Array]]]:
    def all_of(rng: Any) -> Iterator[tuple[Layer, Array]]:
        for n, (size, stride, pad) in enumerate([((2, 2), (2, 2), 0), ((2, 3), (1, 1), 0), ((3, 2), (2, 1), (1, 0)),
                                                 ((1, 2), (1, 2), 0), ((2, 2), (1, 1), (1, 1)), ((2, 3), (2, 3), 0)]):
            shape = (1 + n % 2, 1 + n % 2, 4 if size[0] == 2 and stride[0] == 2 else 3, 3 if n != 5 else 6)
            x = rng.permutation(np.arange(1.0, np.prod(shape) + 1)).reshape(shape)
            yield kind(size, stride, pad), x if n in (0, 3) else x * rng.choice([-1.0, 1.0], shape)
        tied = np.array([[[[3.0, 3.0, 1.0], [2.0, 3.0, 5.0]]]])
        yield kind((2, 2), (1, 1)), tied
        yield kind((2, 2), (1, 1)), -abs(tied)
    return all_of


def elementwise(kind: Any) -> Callable[[Any], Iterator[tuple[Layer, Array]]]:
    def all_of(rng: Any) -> Iterator[tuple[Layer, Array]]:
        for n in range(6):
            shape = ((1, 4), (2, 3), (1, 2, 2, 2))[n % 3]
            yield kind(), whole_numbers(rng, 6, *shape) if n > 2 else abs(whole_numbers(rng, 6, *shape))
    return all_of


MAKERS: dict[str, Callable[[Any], Iterator[tuple[Layer, Array]]]] = {
    "Linear": linears, "Conv2D": convolutions, "MaxPool": poolings(MaxPool), "AvgPool": poolings(AvgPool),
    "ReLU": elementwise(ReLU), "Flatten": elementwise(Flatten)}

