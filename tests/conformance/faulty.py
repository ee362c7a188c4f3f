"""Implementations with one planted fault each, for the diagnosis: LRP on layers written out pair by pair.

`Right` is canonical; a fault overrides one method. `words`: what a diagnosis must say, and `never` what it must not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.diagnose.pairs import Pairs, Share, TooLarge, low, shares, sign, up, written_out
from lrp_ref.layers import Conv2D, Layer, MaxPool
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import handed_down, through_layer
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, Rule, Winner, WSquare, ZBox, ZPlus


class Right:
    """No fault."""

    name, version, unit_roundoff = "right", "1", 2.0**-53
    conventions: Mapping[str, Any] = {}
    words: tuple[tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()   # of the cases it is asked in a test; none: all

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        for name, layer in network:
            if type(layer).__name__ not in ("Linear", "Conv2D", "ReLU", "MaxPool", "AvgPool", "Flatten"):
                raise Unsupported(f"no {type(layer).__name__}")
            if type(rules[name]).__name__ == "Winner" and hasattr(layer, "weight"):
                raise ValueError("no pooling, no winner")
        xs = network.activations(x)
        with np.errstate(all="ignore"):
            return self.end(handed_down(network, xs, self.start(R, xs[network.output]),
                                        lambda name, *task: self.step(rules[name], *task))[0][INPUT], x)

    def start(self, R: Array, z: Array) -> Array:
        return R

    def end(self, R: Array, x: Array) -> Array:
        return R

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        try:
            p = self.seen(written_out(layer, x))
        except TooLarge as error:
            raise Unsupported(str(error)) from None
        M = sum((self.messages(rule, p, share) for share in shares(rule, p)), np.zeros_like(p.w))
        return self.after(self.met(M * R.reshape(len(x), 1, -1)).reshape(x.shape), R, layer)

    def seen(self, p: Pairs) -> Pairs:
        return p

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        return self.share(rule, p, share).messages + np.zeros_like(p.w)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        return share

    def met(self, C: Array) -> Array:
        total: Array = C.sum(2)
        return total

    def after(self, below: Array, R: Array, layer: Layer) -> Array:
        return below


class HalfTheBias(Right):
    """Under z+ and alpha-beta twice the bias stands in the denominators."""

    words = (("bias",), ("twice", "2 b"))
    never = ("stabiliser", "padding")
    rules = ("ZPlus",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        return replace(share, bias=2 * share.bias) if isinstance(rule, (AlphaBeta, ZPlus)) else share


class LargestZ(Right):
    """Epsilon is relative to the largest |z| among the outputs."""

    words = (("largest",), ("|z|",), ("epsilon",))
    never = ("bias", "mean")
    rules = ("Epsilon",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        if not isinstance(rule, Epsilon):
            return share
        return replace(share, guard=share.guard * abs(p.z).max(2, keepdims=True))


class NoPositiveZ(Right):
    """Under epsilon outputs below 0 hand nothing down."""

    words = (("z is negative",), ("nothing is handed down",))
    never = ("bias", "stabiliser")
    rules = ("Epsilon",)

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        M = super().messages(rule, p, share)
        return M * (p.z >= 0) if isinstance(rule, Epsilon) else M


class FlippedKernel(Right):
    """What the inputs of a window get is put back with rows and columns reversed."""

    words = (("reversed",), ("rows",))
    never = ("bias", "stride", "dilat")
    rules = ("Epsilon", "Flat")

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        if not isinstance(layer, Conv2D):
            return super().step(rule, layer, x, R)
        from lrp_ref.conformance.diagnose.coverage import alternatives, rows_moved

        p = written_out(layer, x)
        other = dict(alternatives(p))["with the kernel's rows and columns reversed"]
        M = sum((share.messages for share in shares(rule, p)), np.zeros_like(p.w))
        assert other.put is not None
        return (rows_moved(M, other.put) * R.reshape(len(x), 1, -1)).sum(2).reshape(x.shape)


class SwappedBox(Right):
    """z-box has low and high exchanged."""

    words = (("high w+", "high and low"), ("zbox",))
    never = ("bias", "padding", "stabiliser")
    rules = ("ZBox",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        if not isinstance(rule, ZBox):
            return share
        least, most = (p.of_channels(bound) for bound in (rule.low, rule.high))
        w = np.where(p.covered, p.w, 0.0)
        return replace(share, c=p.products - most * up(w) - least * low(w))


class ClippedBetween(Right):
    """Every layer but the lowest hands down what is positive alone."""

    words = (("between",), ("without what is negative",))
    never = ("bias", "stabiliser")

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        self.lowest = id(network[network.names[0]])
        return super().relevance(network, rules, x, R)

    def after(self, below: Array, R: Array, layer: Layer) -> Array:
        return below if id(layer) == self.lowest else np.maximum(below, 0)


class Normalised(Right):
    """The relevance that is returned is divided by the sum of its magnitudes."""

    words = (("returned",), ("sum of its magnitudes",))
    never = ("bias", "stabiliser")

    def end(self, R: Array, x: Array) -> Array:
        total = abs(R).sum(axis=tuple(range(1, R.ndim)), keepdims=True)
        return np.where(total == 0, 0, R / np.where(total == 0, 1, total))


class TimesBatch(Right):
    """Relevance is averaged over the batch at the start."""

    words = (("batch",), ("start",))
    never = ("bias", "stabiliser")

    def start(self, R: Array, z: Array) -> Array:
        return R / len(R)


class AbsoluteWeights(Right):
    """w-square uses |w|."""

    words = (("|w|",),)
    never = ("bias", "padding", "stabiliser")
    rules = ("WSquare",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        return replace(share, c=abs(p.w)) if isinstance(rule, WSquare) and p.learned else share


class GammaOfTheInputs(Right):
    """Gamma with gamma squared."""

    words = (("gamma^2",),)
    never = ("stabiliser", "padding")
    rules = ("Gamma",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        if not isinstance(rule, Gamma):
            return share
        g, of = float(rule.gamma) ** 2, up if share.kind == "positive" else low
        return replace(share, c=p.products + g * of(p.products), bias=p.b + g * of(p.b))


class ARowTooLow(Right):
    """With a padding, what the windows of a convolution hand back lies a row and a column too low."""

    words = (("padding",),)
    never = ("bias", "dilat", "stabiliser")
    rules = ("Epsilon", "Flat")

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        if not isinstance(layer, Conv2D) or not np.any(layer.pad):
            return super().step(rule, layer, x, R)
        from lrp_ref.conformance.diagnose.coverage import alternatives, rows_moved

        p = written_out(layer, x)
        made = dict(alternatives(p)).get("as if there were no padding")
        M = sum((share.messages for share in shares(rule, p)), np.zeros_like(p.w))
        assert made is not None and made.put is not None
        return (rows_moved(M, made.put) * R.reshape(len(x), 1, -1)).sum(2).reshape(x.shape)


class LargestMessage(Right):
    """Of several messages an input keeps the largest."""

    words = (("largest message",),)
    never = ("bias", "stabiliser")
    rules = ("Epsilon", "Winner")

    def met(self, C: Array) -> Array:
        found: Array = np.take_along_axis(C, abs(C).argmax(2)[:, :, None], 2)[..., 0]
        return found


class SmallNumber(Right):
    """Every denominator but epsilon's has 1e-4 with its sign added."""

    words = (("stabiliser",), ("0.0001", "1e-04", "1e-4"))
    never = ("bias is", "padding")
    rules = ("ZPlus", "WSquare")

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        if isinstance(rule, Epsilon) or type(rule).__name__ in ("Pass", "Winner"):
            return share
        return replace(share, guard=1e-4 * sign(share.s + share.bias))


class BiasInEqualParts(Right):
    """Under epsilon the inputs share the bias of an output evenly."""

    words = (("bias",),)
    never = ("padding", "stabiliser")
    rules = ("Epsilon",)

    def share(self, rule: Rule, p: Pairs, share: Share) -> Share:
        if not isinstance(rule, Epsilon):
            return share
        n = np.maximum(p.covered.sum(1, keepdims=True), 1)
        return replace(share, c=share.c + p.covered * p.b / n, bias=0 * p.b)


class BiasTiled(Right):
    """The biases of a convolution are laid out one after another, over and over, where each stands at all positions."""

    words = (("bias",), ("one after another",))
    never = ("stabiliser", "padding", "stride")
    rules = ("Epsilon", "ZPlus", "Gamma")

    def seen(self, p: Pairs) -> Pairs:
        if not isinstance(p.layer, Conv2D) or p.layer.bias is None:
            return p
        return replace(p, b=np.tile(p.layer.bias, p.b.size // len(p.layer.bias)).reshape(1, 1, -1))


class UndividedTies(Right):
    """Of tied winners each gets all of R."""

    words = (("tied winner takes all",),)
    never = ("sum over", "denominator", "padding")
    rules = ("Winner",)

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        return (p.w != 0) * 1.0 if isinstance(rule, Winner) else super().messages(rule, p, share)


class OnlyRowsPadded(Right):
    """What the windows of a padded convolution hand back is cut out of the image by the padding of its rows alone."""

    words = (("padding",), ("columns",))
    never = ("rows", "bias", "stabiliser")
    rules = ("Epsilon", "Flat")

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        M = super().messages(rule, p, share)
        if not isinstance(p.layer, Conv2D) or not p.layer.pad[1]:
            return M
        images, left = M.reshape(len(M), *p.x.shape[1:], -1), p.layer.pad[1]
        moved = np.zeros_like(images)
        moved[:, :, :, left:] = images[:, :, :, :-left]
        return moved.reshape(M.shape)


class InAnotherLayersPlace(Right):
    """A max-pooling without its padding, or with the stride of its window, is run in the pooling's place."""

    never = ("bias", "stabiliser", "tied")
    rules = ("Winner", "Flat")
    field = ""

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        if not isinstance(layer, MaxPool):
            return super().step(rule, layer, x, R)
        other = replace(layer, **{self.field: {"pad": 0, "stride": None}[self.field]})   # type: ignore[arg-type]
        given = np.zeros_like(other(x))
        rows, columns = (min(sizes) for sizes in zip(R.shape[2:], given.shape[2:]))
        given[..., :rows, :columns] = R[..., :rows, :columns]
        return through_layer(rule, other, x, given)[0]


class PaddingLost(InAnotherLayersPlace):
    words = (("pad were 0",),)
    field = "pad"


class StrideLost(InAnotherLayersPlace):
    words = (("stride were none",),)
    field = "stride"


class GroupsReversed(Right):
    """What the inputs of a grouped convolution get lies in the other group's channels."""

    words = (("groups in reverse order",), ("put back",))
    never = ("bias", "weight", "padding")
    rules = ("Epsilon", "Flat")

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        M = super().messages(rule, p, share)
        return M.reshape(len(M), p.groups, -1, M.shape[2])[:, ::-1].reshape(M.shape)


class SamplesAsTheFirst(Right):
    """Every sample of a batch is taken for the first."""

    words = (("every sample", "first"),)
    never = ("bias", "stabiliser")
    rules = ("Epsilon",)

    def step(self, rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
        return super().step(rule, layer, x[:1] + 0 * x, R)


class TransposedImages(Right):
    """Images come back with rows and columns transposed, in an array of the right shape."""

    words = (("returned",), ("transposed",))
    never = ("bias", "stabiliser", "kernel")
    rules = ("Epsilon",)

    def end(self, R: Array, x: Array) -> Array:
        return R.swapaxes(2, 3).reshape(x.shape) if x.ndim == 4 else R


class InFloat32(Right):
    """Every message is rounded to float32."""

    words = (("float32",),)
    never = ("bias", "stabiliser", "epsilon")
    rules = ("Epsilon", "ZPlus")

    def messages(self, rule: Rule, p: Pairs, share: Share) -> Array:
        return super().messages(rule, p, share).astype(np.float32).astype(np.float64)

    def end(self, R: Array, x: Array) -> Array:
        return R.astype(np.float32).astype(np.float64)


FAULTS: tuple[Callable[[], Right], ...] = (
    TransposedImages,
    BiasTiled, UndividedTies, OnlyRowsPadded, PaddingLost, StrideLost, GroupsReversed, SamplesAsTheFirst,
    HalfTheBias, LargestZ, NoPositiveZ, FlippedKernel, SwappedBox, ClippedBetween, Normalised, TimesBatch,
    AbsoluteWeights, GammaOfTheInputs, ARowTooLow, LargestMessage, SmallNumber, BiasInEqualParts)
