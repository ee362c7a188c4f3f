"""Shapes and signs that every rule meets: kernels of 3 x 3 with padding 1, groups with a bias, one output, one sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.conformance.make.grid import MIXING, SECTIONS, others, relevance_for, slug, suits
from lrp_ref.conformance.make.made import Other, one, other
from lrp_ref.conformance.make.numbers import F, first, halves, small
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Conv2D, Layer, Linear
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus


@dataclass(frozen=True)
class Place:
    """A layer with weights at inputs of a shape.

    bias     whether there is one
    weights  the least and the largest of them, where they have one sign; inputs are then not negative
    """

    name: str
    layer: type[Layer]
    weight: tuple[int, ...]
    x: tuple[int, ...]
    comment: str
    flags: Sequence[str]
    more: dict[str, Any] = field(default_factory=dict)
    bias: bool = False
    weights: tuple[int, int] | None = None
    seed: int = 0

    @property
    def below(self) -> bool:
        """Whether weights, and biases if there are any, are below 0."""
        return self.weights is not None and self.weights[1] < 0

    def drawn(self, rule: Rule) -> tuple[Layer, Array]:
        return first(lambda n: self.built(rule, self.seed + 10 * n), lambda made: self.fits(rule, *made))

    def fits(self, rule: Rule, layer: Layer, x: Array) -> bool:
        """As in the grid; of one sign below 0 no output is above it, gamma's neither."""
        return suits(rule, layer, x) or (self.below and bool((layer(x) < 0).all()))

    def built(self, rule: Rule, seed: int) -> tuple[Any, Array]:
        up = isinstance(rule, Gamma)
        low, high = self.weights or (-1 if up else -3, 3)
        outputs = self.weight[0 if self.layer is Conv2D else 1]
        bias = halves((outputs,), seed + 2, low, high) if self.bias else None
        rectified = up or self.weights is not None
        return (self.layer(small(self.weight, seed + 1, low, high), bias, **self.more),   # type: ignore[call-arg]
                small(self.x, seed + 3, 0 if rectified else -3, 3))


PLACES = (
    Place("same", Conv2D, (3, 2, 3, 3), (2, 2, 4, 5), "Kernels of 3 x 3, a padding and a stride of 1: images keep "
          "their "
          "size", ("PADDING", "OVERLAP", "BATCH"), {"pad": 1}, seed=5000),
    Place("same-bias", Conv2D, (2, 3, 3, 3), (1, 3, 3, 4), "Kernels of 3 x 3, a padding and a stride of 1, with a bias",
          ("PADDING", "OVERLAP", "BIAS"), {"pad": 1}, bias=True, seed=5100),
    Place("groups-bias", Conv2D, (6, 2, 2, 1), (2, 4, 3, 2), "Two groups, each with biases of its own",
          ("GROUPS", "BATCH", "BIAS"), {"groups": 2}, bias=True, seed=5200),
    Place("one-output", Linear, (5, 1), (4, 5), "One output, four samples", ("ONE_OUTPUT", "BATCH"), seed=5300),
    Place("one-output", Conv2D, (1, 3, 3, 2), (4, 3, 3, 2), "One output, four images as large as the kernel",
          ("ONE_OUTPUT", "BATCH"), seed=5400),
    Place("no-bias", Linear, (4, 3), (2, 4), "No bias", ("NO_BIAS", "BATCH"), seed=5500),
    Place("no-bias", Conv2D, (3, 2, 2, 3), (1, 2, 4, 5), "No bias", ("NO_BIAS", "OVERLAP"), seed=5600),
    Place("all-positive", Linear, (4, 3), (2, 4), "Every product is at least 0", ("ONE_SIGN", "NO_SIGN", "BATCH"),
          weights=(0, 3), seed=5700),
    Place("all-positive", Conv2D, (2, 3, 2, 2), (1, 3, 3, 4), "Every product is at least 0, and the biases too",
          ("ONE_SIGN", "NO_SIGN", "BIAS"), bias=True, weights=(0, 2), seed=5800),
    Place("all-negative", Linear, (4, 3), (2, 4), "Every product is at most 0", ("ONE_SIGN", "NO_SIGN", "BATCH"),
          weights=(-3, -1), seed=5900),
    Place("all-negative", Conv2D, (2, 3, 2, 2), (1, 3, 3, 4), "Every product is at most 0, and the biases too",
          ("ONE_SIGN", "NO_SIGN", "BIAS"), bias=True, weights=(-3, -1), seed=6000),
)


def cases() -> Iterator[Case]:
    """Every rule that shares among weights at every place."""
    for n, place in enumerate(PLACES):
        for rule in (Epsilon(F(1, 4) if n % 2 else 0), *MIXING[1:]):
            layer, x = place.drawn(rule)
            R = relevance_for(slug(rule, layer, place.name), layer, x, place.seed + 7)
            yield one(slug(rule, layer, place.name), rule, layer, x, R, comment=place.comment,
                      section=SECTIONS[type(rule)], topic="geometry", flags=place.flags,
                      level="convention" if asks(place, rule) else "required", maybe=others_answer(rule))


def asks(place: Place, rule: Rule) -> bool:
    """Whether formulas leave open what comes out: what becomes of padding, and of the bias that cancels."""
    if isinstance(rule, ZBox) and place.below:   # of biases below 0 nobody keeps a part
        return False
    padded = bool(place.more.get("pad")) and isinstance(rule, (Flat, WSquare, ZBox))
    return padded or (place.bias and isinstance(rule, (Gamma, WSquare, ZBox)))


def others_answer(rule: Rule) -> list[Other]:
    """Those of the grid, and what libraries do with a bias and with groups."""
    own: list[Other] = []
    match rule:
        case AlphaBeta() | ZPlus():
            own = [other(groups="first")]
        case Gamma():
            own = [other(bias_gamma="kept"), other(bias_gamma="left out")]
        case ZBox():
            own = [other(bias_z_box="positive"), other(z_box="window"), other(groups="first")]
        case WSquare():
            own = [other(bias_w_square="squared")]
    return [*others(rule), *own]
