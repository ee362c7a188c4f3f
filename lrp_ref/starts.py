"""R_L: what relevance begins with, made of the scores z: one class, a difference of two, a probability's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, as_array, constant, finite, number_type, zeros
from lrp_ref.hints import LISTED, SHOWN, shown
from lrp_ref.layers import Softmax

Start = Callable[[Array], Array]


def start(scores: Array, target: Any = None) -> Array:
    """R_L: the target's score, and 0 elsewhere; or the target itself where it is an array of that shape.

    A function of the scores is called with them, and gives that array.
    """
    target = target(scores) if callable(target) else target
    target = target if target is None else as_array(target)
    if target is not None and target.shape == scores.shape:
        return an_array(target, scores, "a target", "the scores'")
    R, place = zeros(scores.shape, scores), place_of(scores, target)
    R[place] = scores[place]
    return R


def begins(xs: Mapping[str, Array], output: str, target: Any) -> dict[str, Array]:
    """{tensor: R} to begin with: what `start` makes of the target, at the output, or the tensors that are named."""
    if not isinstance(target, Mapping):
        return {output: start(xs[output], target)}
    for name, R in target.items():
        if name not in xs:
            raise ValueError(f"got relevance to begin with at {shown(name)}, which is no tensor: needed layers' names")
        if as_array(R).shape != xs[name].shape:
            raise ValueError(f"got relevance of shape {as_array(R).shape} to begin with at {name}, needed "
                             f"{xs[name].shape}")
    if not target:
        raise ValueError("got no relevance to begin with, needed {layer name: R}")
    return {name: an_array(as_array(R), xs[name], f"relevance at {name}", "its") for name, R in target.items()}


def an_array(R: Array, z: Array, what: str, whose: str) -> Array:
    """R; an error unless it is finite and of z's number type."""
    if number_type(R) is not number_type(z):
        raise ValueError(f"got {what} of {str(R.dtype)[:SHOWN]}, needed {whose} {z.dtype}: use target.astype")
    if not finite(R):
        raise ValueError(f"got {what} with NaN or infinity, needed finite relevance")
    return R


def place_of(scores: Array, target: Any) -> tuple[Array, Array]:
    """Where the target's score is in every sample: an index, indices (N,), or None, the top score."""
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"the scores have shape {scores.shape}, needed (N, classes) to choose a class: end the "
                         f"network with Flatten(), or give an array of that shape as the target")
    n, classes = scores.shape
    index = scores.argmax(axis=1) if target is None else as_array(target)
    if index.dtype.kind not in "iu" or index.shape not in ((), (n,)):
        raise ValueError(f"got a target of shape {index.shape} and type {str(index.dtype)[:SHOWN]}, needed a class "
                         f"index, {n} indices, or an array of shape {scores.shape}")
    if index.min() < 0 or index.max() >= classes:
        raise ValueError(f"got target {str(index)[:LISTED]}, needed class indices from 0 to {classes - 1}")
    return np.arange(n), np.broadcast_to(index, (n,))


# ---- Functions of the scores: explain(network, x, rules, target=one_hot(3)) ----


def one_hot(target: Any = None) -> Start:
    """R_L = 1 at the target and 0 elsewhere: as many libraries begin. target: an index, indices (N,), None: the top."""
    def of(scores: Array) -> Array:
        R = zeros(scores.shape, scores)
        R[place_of(scores, target)] = constant(1, scores)
        return R
    return of


def logit_difference(target: Any, other: Any) -> Start:
    """R_L = z_t at the target, -z_s at the other class: what speaks for t and not for s. Both an index or (N,)."""
    def of(scores: Array) -> Array:
        R, plus, minus = zeros(scores.shape, scores), place_of(scores, target), place_of(scores, other)
        if (plus[1] == minus[1]).any():
            raise ValueError(f"logit_difference got class {plus[1][plus[1] == minus[1]][0]} on both sides, needed two")
        R[plus], R[minus] = scores[plus], -scores[minus]
        return R
    return of


def softmax_gradient(target: Any = None) -> Start:
    """R_L = p_t (1 - p_t) at the target, -p_t p_n at every other class n, p the softmax of the scores.

    The derivative of p_t, whose sum is 0: what speaks for t more than for others (Iwana et al. 2019, SGLRP). The scores
    are logits; where the network ends in a Softmax, begin with {layer below it: of_probabilities(scores, t)}.
    """
    return lambda scores: of_probabilities(Softmax()(scores), target)


def of_probabilities(p: Array, target: Any = None) -> Array:
    """p_t (1 - p_t) at the target, -p_t p_n elsewhere, of probabilities p (N, classes)."""
    p = as_array(p)
    if not (number_type(p) and finite(p)):
        raise ValueError("got probabilities with NaN or infinity, needed finite numbers")
    n, t = place_of(p, target)
    p_t = p[n, t]
    R = -p_t[:, None] * p
    R[n, t] = p_t * (constant(1, p) - p_t)
    return R
