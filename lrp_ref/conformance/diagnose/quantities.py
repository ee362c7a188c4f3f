"""What a formula of LRP may be made of, pair by pair: contributions, sums, biases, stabilisers, factors, conditions.

Generated from a few functions of inputs and weights and from what one can sum, average or take the largest over; each
has the words by which a report names it. Nothing here is known of any implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.pairs import LEARNED, Pairs, Share, divided, low, sign, up
from lrp_ref.layers.pool import Pool
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, WSquare, ZBox

Named = dict[str, Any]
OWN = "own"   # of every slot: what the rule has there
OF_A: dict[str, Callable[[Any], Any]] = {"a": lambda a: a, "": np.ones_like, "|a|": abs, "a+": up, "a-": low,
                                         "a^2": np.square}
OF_W: dict[str, Callable[[Any], Any]] = {"w": lambda w: w, "": np.ones_like, "|w|": abs, "w+": up, "w-": low,
                                         "w^2": np.square}


# ---- Contributions ----


def contributions(rule: Rule, p: Pairs, share: Share) -> Named:
    """What an input may contribute: OWN, then products of functions of a and w, and what parameters make of them."""
    found: Named = {OWN: share.c}
    basic: Named = {}
    for (of_a, f), (of_w, g) in product(OF_A.items(), OF_W.items()):
        name = " ".join(filter(None, (of_a, of_w))) or "1"
        name = "|a w|" if name == "|a| |w|" else name
        basic[name] = f(p.a) * np.where(p.covered, g(p.w), 0.0)
    zw = p.products
    basic |= {"(a w)+": up(zw), "(a w)-": low(zw), "1 where w is not 0, and else nothing,": (p.w != 0) * 1.0,
              "1 where a is not 0, and else nothing,": (p.a != 0) * p.covered * 1.0}
    found |= basic
    if share.kind != "all":
        by_sign = up if share.kind == "positive" else low
        found["a w, split by the sign of w"] = p.a * np.where(p.covered, by_sign(p.w), 0.0)
        found["a+ w, split by the sign of w"] = up(p.a) * np.where(p.covered, by_sign(p.w), 0.0)
        found["a w, split by the sign of a"] = by_sign(p.a) * np.where(p.covered, p.w, 0.0)
    if isinstance(rule, LEARNED):
        n, size = np.maximum(p.covered.sum(1, keepdims=True), 1), abs(share.c).sum(1, keepdims=True)
        found["its contribution and an equal part of the bias"] = share.c + p.covered * share.bias / n
        found["its contribution and its part of the bias by magnitude"] = share.c + share.bias * divided(
            abs(share.c), size)
    if isinstance(rule, Gamma):
        gamma = float(rule.gamma)
        side = 1 if share.kind == "positive" else -1
        found["a w + gamma |a w| (minus where z < 0)"] = zw + side * gamma * basic["|a w|"]
        for more in ("a w+", "a+ w+", "(a w)+", "|a| w+", "w+"):
            mirrored = basic[more if side > 0 else more.replace("+", "-") if "a+" not in more else "a+ w-"]
            below = "a+ w-" if "a+" in more else more.replace("+", "-")
            found[f"a w + gamma {more} ({below} where z < 0)"] = zw + gamma * mirrored
        for more in ("|a w|", "a w+", "a+ w+", "(a w)+", "(a w)-", "a w-", "|a| w+", "w+", "|w|", "a w^2"):
            found[f"a w + gamma {more}"] = zw + gamma * basic[more]
        found["gamma a w + (a w)+"] = gamma * zw + basic["(a w)+"]
        found["a w + gamma a w w+"] = zw + gamma * zw * up(p.w)
        found["a w + gamma^2 (a w)+"] = zw + gamma * gamma * basic["(a w)+"]
    if isinstance(rule, ZBox):
        least, most = (p.of_channels(bound) for bound in (rule.low, rule.high))
        w, wp, wn = np.where(p.covered, p.w, 0.0), up(p.w), low(p.w)
        found |= {"a w - high w+ - low w-": zw - most * wp - least * wn, "a w - low w+": zw - least * wp,
                  "a w - high w-": zw - most * wn, "a w - low w": zw - least * w, "a w - high w": zw - most * w,
                  "a w - (low + high) w / 2": zw - (least + most) * w / 2, "|a w - low w+ - high w-|": abs(share.c),
                  "a w + low w+ + high w-": zw + least * wp + most * wn}
        for where, keep in (("the input", None), ("the sample", (1, 2))):
            found[f"a w - low w+ - high w- with the smallest and the largest number of {where} for bounds"] = (
                zw - p.a.min(keep, keepdims=True) * wp - p.a.max(keep, keepdims=True) * wn)
        for k, bound in (("lowest", np.min(rule.low)), ("first", np.ravel(rule.low)[0])):
            top = np.max(rule.high) if k == "lowest" else np.ravel(rule.high)[0]
            found[f"a w - low w+ - high w- with the {k} channel's bounds"] = zw - bound * wp - top * wn
    return found


def of_padding(rule: Rule, p: Pairs, share: Share) -> Any:
    """The sum of what inputs of 0 would contribute from a window's padding, (1, 1, J)."""
    match rule:
        case ZBox():
            high, least = (-np.asarray(bound, dtype=np.float64) for bound in (rule.high, rule.low))
            return p.beyond(low, high) + p.beyond(up, least)
        case Flat() | Pass():
            return p.beyond(np.ones_like)
        case WSquare():
            return p.beyond(np.square if p.learned else np.ones_like)
    return np.zeros((1, 1, p.b.size))


# ---- Denominators: the sum, the bias, the stabiliser ----


def sums(rule: Rule, p: Pairs, share: Share, c: Array) -> Named:
    """What the contributions c may be divided by in place of their own sum."""
    s = c.sum(1, keepdims=True)
    zw = p.products.sum(1, keepdims=True)
    at_position = {} if isinstance(p.layer, Pool) else {   # of a pooling an input reaches its own channel alone
        "the sum over the outputs of the input at one position": over_channels(p, c)}
    return {OWN: s, "the sum of all its contributions": zw,
            "the sum of the absolute contributions": abs(c).sum(1, keepdims=True),
            "the sum of all absolute contributions": abs(p.products).sum(1, keepdims=True),
            "the sum of the positive contributions": up(p.products).sum(1, keepdims=True),
            "the sum over the window with the padding": s + of_padding(rule, p, share),
            "the sum over the outputs of the input": c.sum(2, keepdims=True), **at_position,
            "the sum over all inputs and outputs": c.sum((1, 2), keepdims=True),
            "the sum over the samples of the batch": s.sum(0, keepdims=True) + 0 * s,
            "the sum of the first sample": s[:1] + 0 * s,
            "the largest sum among the outputs": s.max(2, keepdims=True) + 0 * s,
            "the largest contribution": c.max(1, keepdims=True),
            "the largest absolute contribution": abs(c).max(1, keepdims=True),
            "the number of inputs": (p.covered * 1.0).sum(1, keepdims=True),
            "1": np.ones_like(s)}


def over_channels(p: Pairs, c: Array) -> Array:
    """Contributions of an input summed over its group's outputs at the same position; without positions over all."""
    channels = p.outputs[1] if len(p.outputs) == 4 else p.outputs[-1]
    if len(p.outputs) == 4:
        apart = c.reshape(*c.shape[:2], p.groups, channels // p.groups, -1)
        return np.broadcast_to(apart.sum(3, keepdims=True), apart.shape).reshape(c.shape)
    apart = c.reshape(*c.shape[:2], -1, channels)
    return np.broadcast_to(apart.sum(3, keepdims=True), apart.shape).reshape(c.shape)


def biases(rule: Rule, p: Pairs, share: Share, s: Array) -> Named:
    """What may stand for the bias."""
    b = p.b
    found: Named = {OWN: share.bias + 0 * b, "0": 0 * b, "b": b, "b+": up(b), "b-": low(b), "|b|": abs(b),
                    "|b| sign(sum)": abs(b) * sign(s), "-|b| sign(sum)": -abs(b) * sign(s), "-b": -b, "b^2": b * b,
                    "2 b": 2 * b}
    width = p.outputs[1] if len(p.outputs) == 4 else p.outputs[-1]
    first = {int(channel): n for n, channel in reversed(list(enumerate(p.channel.reshape(-1))))}
    def taken(name: str, of: Array) -> None:
        found[name] = as_taken(rule, share, b[..., [first[int(k)] for k in of.reshape(-1)]])

    each = width // p.groups
    taken("the bias of the first output", 0 * p.channel)
    taken("the bias of the same output in the first group", p.channel % max(each, 1))
    position, flat = np.arange(b.size) % max(b.size // width, 1), np.arange(b.size)
    taken("the biases one after another, repeated whole over positions where each is to be repeated,", flat % width)
    taken("the bias of the channel with the position's number", position % width)
    taken("the bias of the last output", 0 * p.channel + width - 1)
    taken("the bias of the outputs in reverse order", width - 1 - p.channel)
    taken("the bias of the next output", (p.channel + 1) % width)
    found["the mean of the biases"] = as_taken(rule, share, b.mean(2, keepdims=True) + 0 * b)
    found["the sum of the biases"] = as_taken(rule, share, b.sum(2, keepdims=True) + 0 * b)
    n = np.maximum(p.covered.sum(1, keepdims=True), 1)
    found["the bias over the number of inputs"] = share.bias / n
    found["twice the bias"] = 2 * share.bias + 0 * b
    if isinstance(rule, Gamma):
        g = float(rule.gamma)
        found |= {"(1 + gamma) b": (1 + g) * b, "gamma b+": g * up(b), "b + gamma b+": b + g * up(b),
                  "b + gamma |b|": b + g * abs(b), "gamma b": g * b, "b+ + gamma b+": (1 + g) * up(b)}
    if isinstance(rule, AlphaBeta):
        found |= {"alpha b": float(rule.alpha) * b}
    return found


def as_taken(rule: Rule, share: Share, b: Array) -> Any:
    """A bias as the rule puts it beside that kind of share."""
    if isinstance(rule, Gamma):
        return b + float(rule.gamma) * (up(b) if share.kind == "positive" else low(b))
    if share.kind == "all":
        return b if isinstance(rule, Epsilon) else 0 * b
    return up(b) if share.kind == "positive" else low(b)


def over_outputs(quantity: Any) -> Iterator[tuple[str, Any]]:
    """A number per output, made of all outputs of the sample or of all samples."""
    keep = quantity + np.zeros((1, 1, 1))
    yield "the mean of {} over the outputs", keep.mean(2, keepdims=True) + 0 * keep
    yield "the largest {} among the outputs", keep.max(2, keepdims=True) + 0 * keep
    yield "the root mean square of {} over the outputs", np.sqrt((keep ** 2).mean(2, keepdims=True)) + 0 * keep
    yield "the sum of {} over the outputs", keep.sum(2, keepdims=True) + 0 * keep
    yield "the standard deviation of {} over the outputs", keep.std(2, keepdims=True) + 0 * keep
    yield "the median of {} over the outputs", np.median(keep, axis=2, keepdims=True) + 0 * keep
    yield "the smallest {} among the outputs", keep.min(2, keepdims=True) + 0 * keep
    yield "the mean of {} over all samples and outputs", keep.mean() + 0 * keep
    yield "the largest {} of all samples and outputs", keep.max() + 0 * keep
    yield "the root mean square of {} over all samples and outputs", np.sqrt((keep ** 2).mean()) + 0 * keep
    yield "the mean of {} over the samples", keep.mean(0, keepdims=True) + 0 * keep


def guards(rule: Rule, p: Pairs, share: Share, s: Array) -> Named:
    """What may stand for the stabiliser; of Epsilon made of epsilon and what can be told of z."""
    none = np.zeros((1, 1, p.b.size))
    found: Named = {OWN: share.guard + none, "0": none}
    if not isinstance(rule, Epsilon):
        return found
    e, z = float(rule.epsilon), p.z
    found |= {"epsilon without a sign": e + none, "-epsilon sign(z)": -e * sign(z),
              "epsilon sign(z) with sign(0) = -1": e * np.where(z > 0, 1.0, -1.0),
              "epsilon sign(z) with sign(0) = 0": e * np.sign(z), "epsilon z": e * z, "epsilon sign(sum)": e * sign(s),
              "epsilon^2 sign(z)": e * e * sign(z), "sqrt(epsilon) sign(z)": np.sqrt(e) * sign(z),
              "2 epsilon sign(z)": 2 * e * sign(z), "epsilon / 2 sign(z)": e / 2 * sign(z),
              "2 epsilon without a sign": 2 * e + none, "epsilon / 2 without a sign": e / 2 + none,
              "|z| raised to epsilon": sign(z) * np.maximum(abs(z), e) - z,
              "|z| raised to epsilon where it is below": np.where(abs(z) < e, sign(z) * e - z, 0.0),
              "epsilon times the number of inputs": e * sign(z) * p.covered.sum(1, keepdims=True),
              "epsilon over the number of inputs": e * sign(z) / np.maximum(p.covered.sum(1, keepdims=True), 1),
              "epsilon times the number of outputs": e * sign(z) * p.b.size,
              "sqrt(z^2 + epsilon^2)": sign(z) * np.sqrt(z * z + e * e) - z,
              "sqrt(z^2 + epsilon)": sign(z) * np.sqrt(z * z + e) - z,
              "epsilon times |b|": e * sign(z) * abs(p.b), "epsilon times the sum of |a w|": e * sign(z) * abs(
                  p.products).sum(1, keepdims=True)}
    found |= {"|z| raised to epsilon, and without a sign below it": np.where(abs(z) < e, e - z, 0.0),
              "z raised to epsilon": np.maximum(z, e) - z, "epsilon where z is 0": e * (z == 0)}
    for words, value in over_outputs(abs(z)):
        found[f"epsilon times {words.format('|z|')}"] = e * sign(z) * value
        found[f"epsilon times {words.format('|z|')}, without a sign"] = e * value + none
    for words, value in (("over the outputs", z.std(2, keepdims=True)), ("over all samples and outputs", z.std())):
        found[f"epsilon times the standard deviation of z {words}"] = e * sign(z) * value
        found[f"epsilon times the standard deviation of z {words}, without a sign"] = e * value + none
    for words, value in over_outputs(abs(s)):
        found[f"epsilon times {words.format('|z without its bias|')}"] = e * sign(z) * value
    for words, value in over_outputs(abs(p.a).swapaxes(1, 2)):
        if value.shape[2] == p.a.shape[1]:
            found[f"epsilon times {words.format('|a|').replace('outputs', 'inputs')}"] = e * sign(z) * value[..., :1]
    return found


# ---- Factors: of a whole message ----


def factors(rule: Rule, p: Pairs, share: Share) -> Named:
    """Numbers by which a message may be multiplied or divided, alone or as a ratio of two."""
    s, b, c, z = share.s, p.b, share.c, p.z
    n = p.covered.sum(1, keepdims=True) * 1.0
    every = np.zeros((1, 1, p.b.size))
    found: Named = {
        "|sum|": abs(s), "|b|": abs(b), "|z without its bias|": abs(p.products.sum(1, keepdims=True)),
        "z": z, "|z|": abs(z), "sum": s, "the rule's |bias|": abs(share.bias + every),
        "the sum of the absolute contributions": abs(c).sum(1, keepdims=True),
        "the sum of all |a w|": abs(p.products).sum(1, keepdims=True),
        "z+": up(p.products).sum(1, keepdims=True) + up(b),
        "|z-|": abs(low(p.products).sum(1, keepdims=True) + low(b)), "the denominator": share.d,
        "the positive contributions": up(p.products).sum(1, keepdims=True),
        "the size of the negative contributions": abs(low(p.products).sum(1, keepdims=True)),
        "the input": p.a, "|input|": abs(p.a), "the weight": p.w, "|weight|": abs(p.w),
        "the number of inputs": n, "the number of outputs": every + p.b.size, "the size of the batch": every + len(p.a),
        "the number of outputs that the input reaches": (p.covered * 1.0).sum(2, keepdims=True),
        "the input squared": p.a ** 2, "the softmax of z": softmax_of_outputs(z),
        "sigmoid(z)": 1 / (1 + np.exp(-np.clip(z, -50, 50))),
        "the inputs that are not 0": ((p.a != 0) & p.covered).sum(1, keepdims=True) * 1.0,
        "the sum of |w|": abs(p.w).sum(1, keepdims=True), "the sum of w^2": (p.w ** 2).sum(1, keepdims=True)}
    if isinstance(rule, Epsilon):
        found["|b| + epsilon"] = abs(b) + float(rule.epsilon)
    if len(p.outputs) == 4:
        found |= {"the number of channels": every + p.outputs[1],
                  "the number of positions": every + p.outputs[2] * p.outputs[3]}
    for name in ("size", "stride", "dilation"):
        if hasattr(p.layer, name):
            words = "window size" if name == "size" else name
            found[f"the layer's {words}"] = every + float(np.prod(getattr(p.layer, name)))
    if hasattr(p.layer, "groups"):
        found["the number of groups"] = every + p.groups
    if hasattr(p.layer, "weight") and np.ndim(p.layer.weight) == 4:
        found["the layer's window size"] = every + float(np.prod(p.layer.weight.shape[2:]))
    for name, value in vars(rule).items():
        if np.ndim(value) == 0:
            found |= {name: every + float(value), f"1 + {name}": every + 1 + float(value),
                      f"1 - {name}": every + 1 - float(value)}
    for words, value in over_outputs(abs(z)):
        found[words.format("|z|")] = value
    return found


def softmax_of_outputs(z: Array) -> Array:
    e = np.exp(z - z.max(2, keepdims=True))
    total: Array = e / e.sum(2, keepdims=True)
    return total
