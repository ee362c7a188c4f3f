"""What may become of relevance itself: at the start, between two layers, at the end, and where messages meet.

Every function takes arrays of samples first and is compared with answers to networks of which each layer hands
relevance on unchanged, or with the sum of messages that are known one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.pairs import divided
from lrp_ref.conformance.diagnose.probes import Asker
from lrp_ref.layers import Conv2D, Linear
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZPlus

Change = Callable[[Array, Array], Array]   # of R, and of the layer's numbers there (z at the start, x at the end)


def of_each_sample(x: Array, of: Callable[..., Any]) -> Array:
    """A number per sample."""
    axes = tuple(range(1, x.ndim))
    found: Array = np.asarray(of(x, axis=axes, keepdims=True)) + 0 * x
    return found


def axis_of(x: Array) -> int:
    return 1 if x.ndim == 4 else x.ndim - 1


def softmax_along(z: Array, axis: Any) -> Array:
    e = np.exp(z - z.max(axis, keepdims=True))
    found: Array = e / e.sum(axis, keepdims=True)
    return found


def chosen(z: Array) -> Array:
    flat = z.reshape(len(z), -1)
    found: Array = (np.arange(flat.shape[1]) == flat.argmax(1)[:, None]).reshape(z.shape) * 1.0
    return found


def magnitude(x: Array) -> Array:
    return of_each_sample(abs(x), np.sum)


# What R is multiplied by or replaced with, where there are numbers of the layer beside it.
OF_NUMBERS: dict[str, Change] = {
    "times {}": lambda R, z: R * z, "times |{}|": lambda R, z: R * abs(z), "divided by {}": lambda R, z: divided(R, z),
    "divided by |{}|": lambda R, z: divided(R, abs(z)), "times {} squared": lambda R, z: R * z * z,
    "times the sign of {}": lambda R, z: R * np.sign(z), "where {} is positive alone": lambda R, z: R * (z > 0),
    "where {} is not 0 alone": lambda R, z: R * (z != 0),
    "times the softmax of {} over the outputs": lambda R, z: R * softmax_along(z, tuple(range(1, z.ndim))),
    "times the softmax of {} over the channels": lambda R, z: R * softmax_along(z, axis_of(z)),
    "times the sigmoid of {}": lambda R, z: R / (1 + np.exp(-z)), "times tanh of {}": lambda R, z: R * np.tanh(z),
    "times 1 - softmax of {}": lambda R, z: R * (1 - softmax_along(z, axis_of(z))),
    "times softmax (1 - softmax) of {}": lambda R, z: R * softmax_along(z, axis_of(z)) * (
        1 - softmax_along(z, axis_of(z))),
    "less its mean weighted by the softmax of {}, times it": lambda R, z: softmax_along(z, axis_of(z)) * (
        R - (softmax_along(z, axis_of(z)) * R).sum(axis_of(z), keepdims=True)),
    "at the largest of {} alone": lambda R, z: R * chosen(z),
    "divided by the sum of {}": lambda R, z: divided(R, of_each_sample(z, np.sum)),
    "divided by the sum of |{}|": lambda R, z: divided(R, magnitude(z)),
    "divided by the largest |{}|": lambda R, z: divided(R, of_each_sample(abs(z), np.max)),
    "times {} over the sum of {}": lambda R, z: divided(R * z, of_each_sample(z, np.sum)),
    "divided by 1 + |{}|": lambda R, z: R / (1 + abs(z)),
    "replaced with {}": lambda R, z: z + 0 * R, "replaced with {} at the largest alone": lambda R, z: z * chosen(z),
    "replaced with 1 at the largest of {}": lambda R, z: chosen(z)}
# What becomes of R alone.
OF_ITSELF: dict[str, Change] = {
    "without what is negative": lambda R, z: np.maximum(R, 0), "by its magnitude": lambda R, z: abs(R),
    "without what is positive": lambda R, z: np.minimum(R, 0), "with the other sign": lambda R, z: -R,
    "divided by its sum": lambda R, z: divided(R, of_each_sample(R, np.sum)),
    "divided by the sum of its magnitudes": lambda R, z: divided(R, magnitude(R)),
    "divided by its largest magnitude": lambda R, z: divided(R, of_each_sample(abs(R), np.max)),
    "divided by the largest magnitude of the batch": lambda R, z: R / (abs(R).max() or 1),
    "divided by its root mean square": lambda R, z: divided(R, np.sqrt(of_each_sample(R * R, np.mean))),
    "divided by its length": lambda R, z: divided(R, np.sqrt(of_each_sample(R * R, np.sum))),
    "less its mean": lambda R, z: R - of_each_sample(R, np.mean), "clipped to -1 .. 1": lambda R, z: np.clip(R, -1, 1),
    "squared": lambda R, z: R * R, "by its sign": lambda R, z: np.sign(R),
    "at its largest alone": lambda R, z: R * chosen(R),
    "at its largest magnitude alone": lambda R, z: R * chosen(abs(R)),
    "of the first sample for every one": lambda R, z: R[:1] + 0 * R,
    "summed over the batch": lambda R, z: R.sum(0, keepdims=True) + 0 * R,
    "averaged over the batch": lambda R, z: R.mean(0, keepdims=True) + 0 * R,
    "divided by the size of the batch": lambda R, z: R / len(R),
    "times the size of the batch": lambda R, z: R * len(R),
    "divided by the number of outputs": lambda R, z: R / R[0].size,
    "rounded to float32": lambda R, z: R.astype(np.float32).astype(float),
    "rounded to float16": lambda R, z: R.astype(np.float16).astype(float),
    "replaced with 1": lambda R, z: np.ones_like(R),
    "with rows and columns of images transposed": lambda R, z: of_images(
        R, lambda r: r.swapaxes(2, 3).reshape(r.shape)),
    "with the rows of images in reverse order": lambda R, z: of_images(R, lambda r: r[:, :, ::-1]),
    "with the columns of images in reverse order": lambda R, z: of_images(R, lambda r: r[:, :, :, ::-1]),
    "with the channels in the last axis": lambda R, z: of_images(R, lambda r: np.moveaxis(r, 1, 3).reshape(r.shape)),
    "with the channels in reverse order": lambda R, z: of_images(R, lambda r: r[:, ::-1]),
    "with the samples in reverse order": lambda R, z: R[::-1]}


def of_images(R: Array, change: Callable[[Array], Array]) -> Array:
    """Images changed; what is no image as it is."""
    return change(R) if R.ndim == 4 else R


def changes(symbol: str) -> dict[str, Change]:
    """All of them, of numbers with that name."""
    return {**OF_ITSELF, **{words.replace("{}", symbol): change for words, change in OF_NUMBERS.items()}}


# ---- Start, between, end ----


PLACES = {"start": "z", "between": "a", "end": "the input"}
CHAINS = (1, 1), (1, 2), (2, 1), (3, 2), (2, 2)   # how many layers, how many samples
SLOPES = (np.array([2.0, 3.0, 5.0]), np.array([-1.0, 4.0, 2.0]), np.array([3.0, 0.5, -2.0]))


def diagonal_chain(depth: int, x: Array) -> Network:
    """Layers of one connection per unit, so that R passes each under every rule of proportion."""
    if x.ndim == 4:
        return Network([(f"conv{n}", Conv2D(np.diag(SLOPES[n])[:, :, None, None])) for n in range(depth)])
    return Network([(f"fc{n}", Linear(np.diag(SLOPES[n]))) for n in range(depth)])


def expected(where: str, change: Change, depth: int, xs: list[Array], R: Array) -> Array:
    """What comes out of a chain if relevance is changed there and nowhere else."""
    if where == "start":
        R = change(R, xs[-1])
    for n in reversed(range(depth)):
        if where == "between" and n:
            R = change(R, xs[n])
    return change(R, xs[0]) if where == "end" else R


def ends(asker: Asker) -> tuple[bool, list[tuple[str, str]]]:
    """(whether chains hand relevance on unchanged, or all changes that explain every chain: (where, words))."""
    rng = np.random.default_rng(5)
    for rule in (Epsilon(0.0), ZPlus(), WSquare(), Flat(), Gamma(0.5), AlphaBeta(2.0, 1.0)):
        answers = []
        chains = [(depth, (samples, 3, *image)) for image in ((), (2, 3)) for depth, samples in CHAINS]
        for depth, shape in chains:
            x = (rng.integers(1, 9, shape) / 4) * rng.choice([-1.0, 1.0], shape)
            if isinstance(rule, (ZPlus, Gamma, AlphaBeta)):   # which share otherwise where signs differ
                continue
            R = rng.integers(1, 9, shape) * rng.choice([-1.0, 1.0], shape) / 2
            network = diagonal_chain(depth, x)
            answer = asker(network, dict.fromkeys(network.names, rule), x, R)
            if answer is None:
                break
            answers.append((depth, [x, *network.activations(x).values()], R, answer))
        if len(answers) >= len(CHAINS):   # who has no convolutions answers these alone
            return ends_judged(answers, asker.tolerance)
    return True, []


def ends_judged(answers: list[Any], tolerance: float) -> tuple[bool, list[tuple[str, str]]]:
    if all(close(answer, R, tolerance) for _, _, R, answer in answers):
        return True, []
    found = []
    for where, symbol in PLACES.items():
        for words, change in changes(symbol).items():
            if all(close(answer, expected(where, change, depth, activations(xs), R), tolerance)
                   for depth, xs, R, answer in answers):
                found.append((where, words))
    return False, found


def activations(xs: list[Any]) -> list[Array]:
    """x, then every layer's output; Network.activations begins with the input."""
    return xs[1:] if xs[0].shape == xs[1].shape and np.array_equal(xs[0], xs[1]) else xs


def close(got: Array, wanted: Array, tolerance: float) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((abs(got - wanted) <= tolerance * np.maximum(1.0, abs(wanted).max())).all())


# ---- Where messages meet ----


def last(C: Array, least: float = 0.0) -> Array:
    """Of every input the last message that is not 0."""
    there = C != 0
    at = C.shape[2] - 1 - there[:, :, ::-1].argmax(2)
    found: Array = np.where(there.any(2), np.take_along_axis(C, at[:, :, None], 2)[..., 0], 0)
    return found


def of_largest(C: Array) -> Array:
    found: Array = np.take_along_axis(C, abs(C).argmax(2)[:, :, None], 2)[..., 0]
    return found


MEETING: dict[str, Callable[[Array], Array]] = {
    "the last message overwrites the others": last,
    "the first message alone counts": lambda C: last(C[:, :, ::-1]),
    "the largest message alone counts": of_largest, "the largest message (by value) counts": lambda C: C.max(2),
    "messages are averaged": lambda C: divided(C.sum(2), (C != 0).sum(2)),
    "messages are averaged over all outputs": lambda C: C.mean(2),
    "negative messages are dropped": lambda C: np.maximum(C, 0).sum(2),
    "sums of messages that are negative are dropped": lambda C: np.maximum(C.sum(2), 0),
    "the magnitudes of messages are added": lambda C: abs(C).sum(2)}


def given(C: Array, R: Array) -> Iterator[tuple[str, Array]]:
    """What is handed down in all where a layer changes R first: messages are those of R_j = 1."""
    for words, change in OF_ITSELF.items():
        yield f"R arrives {words}", (C * change(R, R)[:, None]).sum(2)
    total = (C * R[:, None]).sum(2)
    scale = divided(R.sum(1, keepdims=True), total.sum(1, keepdims=True))
    yield "what is handed down is scaled to the sum of R", total * scale
    for words, change in OF_ITSELF.items():
        yield f"what is handed down goes on {words}", change(total, total)


def meetings(asker: Asker, found: list[Any]) -> tuple[bool, list[str]]:
    """(whether messages are simply added, R being scaled as it should, or what happens instead)."""
    rng = np.random.default_rng(11)
    left: list[str] | None = None
    plain = True
    for probe in found:
        for signs in ((1.0,), (-1.0, 1.0)):
            p = probe.pairs
            R = rng.integers(1, 9, (len(p.x), p.b.size)) * rng.choice(signs, (len(p.x), p.b.size))
            answer = asker.layer(probe.rule, p.layer, p.x, R.reshape(p.outputs))
            if answer is None:
                continue
            got, C = answer.reshape(len(p.x), -1), probe.M
            if close(got, (C * R[:, None]).sum(2), asker.tolerance):
                want = {words for words, made in ways_to_meet(C, R) if close(got, made, asker.tolerance)}
            else:
                plain = False
                want = {words for words, made in ways_to_meet(C, R) if close(got, made, asker.tolerance)}
            left = [words for words in (left if left is not None else want) if words in want]
    return plain, [] if plain else left or []


def ways_to_meet(C: Array, R: Array) -> Iterator[tuple[str, Array]]:
    for words, of in MEETING.items():
        yield words, of(C * R[:, None])
    yield from given(C, R)

