"""The smallest network of whole numbers that still goes wrong: at most three inputs, found by hypothesis.

Small networks of the failing kind are drawn and asked, and one that fails is made smaller as long as it fails. The draw
is the same every time, and nothing is left on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import product
from math import prod
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.bisect import Agrees, Relevance, Rules
from lrp_ref.layers import Layer, Linear
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import through_network
from lrp_ref.rules import Rule, ZBox

INPUTS = 3
DRAWN, EVALUATIONS = 50, 300   # networks drawn at a level before one fails; questions asked in all
Shape = tuple[int, ...]
Draw = Callable[[Any], Any]   # of a hypothesis strategy


class Size(NamedTuple):
    """Of a layer that is drawn."""

    inputs: int
    outputs: int
    biased: bool


SIZES = (   # the fewest numbers first, so that sizes need not shrink
    Size(1, 1, False), Size(1, 1, True), Size(2, 1, False), Size(2, 1, True), Size(1, 2, True), Size(3, 1, True),
    Size(2, 2, True))


@dataclass(frozen=True, eq=False)
class Question:
    """A network, its rules, an input and R_L."""

    network: Network
    rules: Rules
    x: Array
    R: Array

    @property
    def text(self) -> str:
        """Rule, x, weights, R."""
        parts = [f"x={unbatched(self.x)}"]
        for name, layer, reads in self.network.nodes:
            wires = "" if self.network.is_chain else f"{name} of {' and '.join(reads)}: "
            parts += [wires + rule_text(self.rules[name]), layer_text(layer)]
        if len(self.network) == 1:   # rule, x, weights
            parts[:2] = parts[1::-1]
        parts.append(f"R={unbatched(self.R)}")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, eq=False)
class Counterexample(Question):
    """A question whose answer is wrong; print it for one line.

    got, expected  R_0, as texts
    """

    got: str
    expected: str
    evaluations: int

    def __str__(self) -> str:
        return f"{self.text} -> {self.got}, spec {self.expected}"


@dataclass(frozen=True)
class NoCounterexample:
    """None was found, and why; it is false."""

    reason: str

    def __bool__(self) -> Literal[False]:
        return False


def shrink(relevance: Relevance, network: Network, rules: Rules, x: Array, agrees: Agrees
           ) -> Counterexample | NoCounterexample:
    """A question of the kinds of these layers and of these rules whose answer does not agree.

    x says in what number format to ask. At most 300 questions are asked.
    """
    try:
        from hypothesis import find, settings, strategies
        from hypothesis.errors import NoSuchExample
    except ImportError:
        return NoCounterexample("hypothesis is not installed: pip install hypothesis")
    if strange := [type(layer).__name__ for _, layer in network if not drawable(layer)]:
        return NoCounterexample(f"no small networks of {', '.join(strange)} are drawn")
    asked: dict[str, Any] = {}   # {question: its wrong answer, or None}: who is asked once more may answer otherwise

    def wrong(question: Question | None) -> bool:
        if question is None:
            return False
        if question.text not in asked and len(asked) < EVALUATIONS:
            asked[question.text] = disagreeing(question, relevance, agrees)
        return asked.get(question.text) is not None

    how = settings(max_examples=DRAWN, derandomize=True, database=None, deadline=None)
    for size in SIZES:
        shapes = [shape for shape in product(range(1, size.inputs + 1), repeat=x.ndim) if prod(shape) == size.inputs]
        drawn = strategies.composite(a_question)(strategies, network, rules, x.dtype, shapes, size)
        with nothing_left():
            try:
                found = find(drawn, wrong, settings=how)
            except NoSuchExample:
                continue
        assert found is not None
        task = found.network, found.rules, found.x, found.R
        return Counterexample(*task, result(asked[found.text]), result(through_network(*task)["input"]), len(asked))
    return NoCounterexample(f"no network of at most {INPUTS} inputs and small whole numbers goes wrong")


@contextmanager
def nothing_left() -> Iterator[None]:
    """hypothesis's own folder is a temporary one for a while: it notes constants of the program there."""
    from hypothesis import configuration

    before = vars(configuration)["__hypothesis_home_directory"]
    with TemporaryDirectory() as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)


def disagreeing(question: Question, relevance: Relevance, agrees: Agrees) -> Any:
    """The answer if it is wrong, else None; one that is refused, and a question without a right answer, is not."""
    task = question.network, question.rules, question.x, question.R
    try:
        answer = relevance(*task)
        return None if agrees(*task, answer) else answer
    except Exception:
        return None


# ---- Drawing ----


@dataclass(frozen=True, eq=False)
class Drawn:
    """What small layers are made of (`layer.smaller`): sizes and whole numbers that hypothesis draws."""

    draw: Draw
    strategies: Any
    number: Any
    size: Size

    @property
    def outputs(self) -> int:
        return self.size.outputs

    def one_of(self, *choices: Any) -> Any:
        return self.draw(self.strategies.sampled_from(choices))

    def array(self, *shape: int) -> Array:
        whole = self.strategies.integers(-3, 3)
        return np.array([self.draw(whole) for _ in range(prod(shape))], dtype=self.number).reshape(shape)

    def bias(self, outputs: int) -> Array:
        return self.array(outputs) if self.size.biased else np.zeros(outputs, dtype=self.number)


def drawable(layer: Layer) -> bool:
    """Whether small layers of its kind are drawn; what has no numbers of its own is taken as it is."""
    return type(layer).smaller is not Layer.smaller or not layer.arrays()


def a_question(draw: Draw, st: Any, network: Network, rules: Rules, number: Any,
               shapes: Sequence[Shape], size: Size) -> Question | None:
    """A small network of the same kinds on an input of one of the shapes; None where its shapes do not fit."""
    drawn = Drawn(draw, st, number, size)
    x = drawn.array(*drawn.one_of(*shapes))
    shapes_of, layers = {INPUT: x.shape}, list[tuple[str, Layer, tuple[str, ...]]]()
    try:
        for name, layer, reads in network.nodes:
            shape = layer.joined(*(shapes_of[t] for t in reads))
            small = layer.smaller(shape, drawn)
            if small is None:
                return None
            layers.append((name, small, reads))
            shapes_of[name] = small.output_shape(shape)
        drawn_network = Network(layers)
        R = drawn.array(*shapes_of[network.output]) if draw(st.booleans()) else drawn_network(x)
    except ValueError:
        return None
    return Question(drawn_network, {name: scalar(rules[name]) for name in network.names}, x, R)


def scalar(rule: Rule) -> Rule:
    """A z-box of one box for all channels; any other rule as it is."""
    return ZBox(float(np.min(rule.low)), float(np.max(rule.high))) if isinstance(rule, ZBox) else rule


# ---- In words ----


def rule_text(rule: Rule) -> str:
    """AlphaBeta(2, 1)"""
    values = (getattr(rule, f.name) for f in fields(rule))  # type: ignore[arg-type]
    return f"{type(rule).__name__}({', '.join(f'{float(value):g}' for value in values)})"


def layer_text(layer: Layer) -> str:
    """The kind, and what is not its default; of a fully connected layer W and b alone."""
    names = {"weight": "W", "bias": "b"}
    own = [(names.get(f.name, f.name), getattr(layer, f.name), f.default) for f in fields(layer)]  # type: ignore[arg-type]
    parts = [f"{name}={number_text(value)}" for name, value, default in own if not is_default(value, default)]
    return ", ".join(([] if isinstance(layer, Linear) else [type(layer).__name__]) + parts)


def is_default(value: Any, default: Any) -> bool:
    """Whether a field has its default; sizes are pairs of it."""
    return not isinstance(value, np.ndarray) and value in (default, (default, default))


def number_text(value: Any) -> str:
    """An array as nested lists, one number of a bias without them; anything else as it prints."""
    if not isinstance(value, np.ndarray):
        return str(value)
    return nested(value[0] if value.shape == (1,) else value)


def unbatched(x: Array) -> str:
    """Numbers as nested lists, a batch of one without its axis."""
    return nested(x[0] if len(x) == 1 else x)


def result(relevance: Any) -> str:
    """The same; one number alone without brackets."""
    relevance = np.asarray(relevance)
    return nested(relevance.reshape(-1)[0]) if relevance.size == 1 else unbatched(relevance)


def nested(x: Any) -> str:
    return f"[{', '.join(map(nested, x))}]" if np.ndim(x) else f"{float(x) + 0:.9g}"
