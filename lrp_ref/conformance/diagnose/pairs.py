"""A small layer written out: every pair of an input i and an output j, and what each rule shares between them.

R_i = sum over shares, sum_j  part c_ij / (s_j + b'_j + guard_j) R_j,   s_j = sum_i c_ij.  All arrays broadcast to
(samples, inputs, outputs); so that what an implementation computes can be compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape, ones_like, same
from lrp_ref.layers import Conv2D, Layer
from lrp_ref.layers.pool import Pool
from lrp_ref.relevance import through_layer
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, WSquare, ZBox, ZPlus

LARGEST = 4_000_000   # numbers of an array of pairs
LEARNED = (AlphaBeta, ZPlus, Epsilon, Gamma)   # rules in whose denominators a bias stands


class TooLarge(ValueError):
    """A layer with too many pairs to write out, or of which no map is known."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """A layer at an input: a (N, I, 1), w and covered (N, I, J), b (1, 1, J), z (N, 1, J).

    handed  {what: M_ij} that was worked out by conventions already
    """

    layer: Layer
    x: Array
    a: Array
    w: Array
    covered: Array
    b: Array
    learned: bool
    outputs: tuple[int, ...]
    handed: dict[Any, Array] = field(default_factory=dict, init=False)

    @cached_property
    def products(self) -> Array:
        return self.a * self.w

    @cached_property
    def z(self) -> Array:
        return self.products.sum(1, keepdims=True) + self.b

    @cached_property
    def channel(self) -> Array:
        """The channel of every output, (1, 1, J); of a layer without channels its number."""
        axis = 1 if len(self.outputs) == 4 else len(self.outputs) - 1
        shape = [1] * (len(self.outputs) - 1)
        shape[axis - 1] = self.outputs[axis]
        count: Array = np.arange(self.outputs[axis]).reshape(shape) + np.zeros(self.outputs[1:], int)
        return count.reshape(1, 1, -1)

    @property
    def groups(self) -> int:
        return self.layer.groups if isinstance(self.layer, Conv2D) else 1

    def of_channels(self, values: Any) -> Array:
        """A number, or one per input channel, at every input: (1, I, 1)."""
        values = np.asarray(values, dtype=np.float64)
        if values.ndim:
            values = values.reshape(-1, *(1,) * (self.x.ndim - 2))
        return np.broadcast_to(values, self.x.shape[1:]).reshape(1, -1, 1)

    def beyond(self, f: Any, per_channel: Any = 1.0) -> Array:
        """sum of f(w) times a number per channel over what of a window lies in the padding, (1 or N, 1, J)."""
        match self.layer:
            case Conv2D():
                w = self.layer.weight
                per = np.broadcast_to(np.asarray(per_channel, dtype=np.float64), (w.shape[1] * self.groups,))
                within = per.reshape(self.groups, -1)[self.channel.reshape(-1) // (len(w) // self.groups)]
                whole = (f(w)[self.channel.reshape(-1)] * within[:, :, None, None]).sum((1, 2, 3))
                inside = (np.where(self.covered, f(self.w), 0) * self.of_channels(per_channel)).sum(1, keepdims=True)
                return self.exactly(whole.reshape(1, 1, -1) - inside)
            case Pool():
                missing = prod(self.layer.size) - self.covered.sum(1, keepdims=True)
                of_one = self.w.max(1, keepdims=True) if type(self.layer).__name__ == "AvgPool" else 0 * self.b
                per = np.broadcast_to(np.asarray(per_channel, dtype=np.float64), (self.outputs[1],))
                return self.exactly(missing * f(of_one) * per[self.channel])
        return np.zeros((1, 1, self.b.size))

    @staticmethod
    def exactly(x: Array) -> Array:
        """Rounding of a difference is no padding."""
        return np.where(abs(x) < 1e-9, 0.0, x)


def written_out(layer: Layer, x: Array) -> Pairs:
    """All pairs of a layer at x; TooLarge where they cannot be written out."""
    x = x.astype(np.float64)
    layer = layer.astype(np.float64)
    a, m = layer.linearize(x)
    z = layer(x)
    inputs, outputs = prod(x.shape[1:]), prod(z.shape[1:])
    if a.shape != x.shape or len(x) * inputs * outputs * 2 > LARGEST or not inputs * outputs:
        raise TooLarge(f"{type(layer).__name__} with {inputs} inputs and {outputs} outputs")
    several, hot = output_by_output(x, z.shape)
    _, wide = layer.linearize(several)

    def dense(f: Any) -> Array:
        found = np.asarray(wide.transpose(hot, f, several.shape))
        return found.reshape(len(x), outputs, inputs).swapaxes(1, 2)

    covered = dense(ones_like) != 0
    bias = np.broadcast_to(np.asarray(m.bias, dtype=np.float64), z.shape)[:1]
    return Pairs(layer, x, a.reshape(len(x), inputs, 1), np.where(covered, dense(same), 0.0), covered,
                 bias.reshape(1, 1, -1), bool(m.learned), z.shape)


def messages_of(rule: Rule, p: Pairs) -> Array:
    """M_ij of a layer under a rule, output by output."""
    several, hot = output_by_output(p.x, p.outputs)
    M: Array = through_layer(rule, p.layer, several, hot)[0].reshape(len(p.x), p.b.size, -1).swapaxes(1, 2)
    return M


def output_by_output(x: Array, outputs: Shape) -> tuple[Array, Array]:
    """x once for every output of its sample, and the 1 at that output."""
    count = prod(outputs[1:])
    return np.repeat(x, count, axis=0), np.tile(np.eye(count), (len(x), 1)).reshape(-1, *outputs[1:])


def up(x: Any) -> Any:
    return np.maximum(x, 0)


def low(x: Any) -> Any:
    return np.minimum(x, 0)


def sign(x: Any) -> Any:
    """-1 below 0, else 1"""
    return np.where(np.asarray(x) < 0, -1.0, 1.0)


def divided(c: Any, d: Any) -> Array:
    """c / d, and 0 where d = 0."""
    d = np.asarray(d)
    return np.where(d == 0, 0.0, c / np.where(d == 0, 1.0, d))


@dataclass(frozen=True, eq=False)
class Share:
    """What a rule shares out by one sum: which part of R_j, where (Gamma's sign of z), c_ij, the bias beside them.

    kind  "all", "positive", "negative": of which contributions, as rules name them
    """

    kind: str
    part: float
    on: Any
    c: Array
    bias: Any
    guard: Any

    @cached_property
    def s(self) -> Array:
        total: Array = self.c.sum(1, keepdims=True)
        return total

    @property
    def d(self) -> Array:
        total: Array = self.s + self.bias + self.guard
        return total

    @property
    def messages(self) -> Array:
        """M_ij, what input i gets of R_j = 1."""
        return divided(self.part * self.on * self.c, self.d)


def shares(rule: Rule, p: Pairs, declared: Mapping[str, Any] | None = None) -> list[Share]:
    """The shares of a canonical rule; declared: the stabiliser and zero rule that an implementation says it has."""
    zw, b, one = p.products, p.b, np.ones((1, 1, 1))
    more = (declared or {}).get("stabiliser", 0)
    own = 0.0 if isinstance(more, str) else float(more)
    match rule:
        case Epsilon():
            return [Share("all", 1, one, zw, b, float(rule.epsilon) * sign(p.z))]
        case AlphaBeta() | ZPlus():
            alpha, beta = (float(rule.alpha), float(rule.beta)) if isinstance(rule, AlphaBeta) else (1.0, 0.0)
            plus = Share("positive", alpha, one, up(zw), up(b), own)
            return [plus, Share("negative", -beta, one, low(zw), low(b), -own)] if beta else [plus]
        case Gamma():
            g = float(rule.gamma)
            return [Share("positive", 1, p.z > 0, zw + g * up(zw), b + g * up(b), own),
                    Share("negative", 1, p.z < 0, zw + g * low(zw), b + g * low(b), -own)]
        case ZBox():
            least, most = (p.of_channels(bound) for bound in (rule.low, rule.high))
            c = zw - least * up(p.w) - most * low(p.w)
            return [Share("all", 1, one, c, 0.0, own * sign(c.sum(1, keepdims=True)))]
        case WSquare() if p.learned:
            return [Share("all", 1, one, p.w * p.w, 0.0, own)]
        case WSquare() | Flat() | Pass():
            return [Share("all", 1, one, p.covered * 1.0, 0.0, 0.0 if isinstance(rule, Pass) else own)]
        case Winner():
            return [Share("all", 1, one, p.w, 0.0, 0.0)]
    raise TooLarge(f"the rule {type(rule).__name__}")
