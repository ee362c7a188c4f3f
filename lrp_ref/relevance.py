"""R_i = sum_j z_ij / z_j R_j, layer by layer from the score to the input (Eq. 1): the whole of LRP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from lrp_ref.arrays import (
    Array,
    constant,
    divide,
    everywhere,
    finite,
    not_finite,
    number_type,
    plus,
    same,
    thin,
    times,
    zeros,
)
from lrp_ref.assignment import a_rule, assign
from lrp_ref.layers import Layer
from lrp_ref.ledger import COLUMNS, Account, Ledger
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network, same_numbers
from lrp_ref.rules import Rule, Share, Term

Guard = Callable[[Array], Array | None]   # of a denominator, what is added to it
BATCH = 1 << 20   # numbers of a layer worked on at a time: larger batches go in pieces


def step(rule: Rule, m: LinearMap, a: Array, R: Array, z: Array | None = None) -> tuple[Array, Account]:
    """R_i = sum over shares, sum_j z_ij / (z_j + guard(z_j)) part_j R_j, and the account of every R_j.

    a: the map's input; R: relevance of its outputs; z: its output m(a), where the forward pass has left it. One pass
    gives both. See rules.py for shares and terms; the guard is epsilon sign z_j, or a rule's own.
    """
    own, m = m, rule.seen(m, a)
    shares = rule.shares(m, a)
    needed = [[t for t in share.terms if thin(t.a).any()] for share in shares]   # a term of zeros needs no product
    known = [z if z is not None and m is own and is_output(share, m, a) else None for share in shares]
    products = apply_all(m, [t for terms, z_j in zip(needed, known) if z_j is None for t in terms])
    nothing = zeros((1,) * R.ndim, R)
    unclaimed, accounts, to_inputs = constant(1, R) + nothing, [], []
    for share, terms, z_j in zip(shares, needed, known):
        part = share.part if isinstance(share.part, np.ndarray) else constant(share.part, R) + nothing
        b = reduce(plus, (t.b + nothing for t in share.terms), nothing)
        if z_j is None:
            z_inputs = reduce(plus, (next(products) for _ in terms), nothing)
            z_j = plus(z_inputs, b)
        else:
            z_inputs = plus(z_j, -b)
        over = z_j if share.over is None else share.over
        s, account = share_out(times(R, part), over, z_inputs, b, rule.guard)
        if share.over is not None:
            account = replace(account, stabiliser=account.stabiliser + s * (over - z_j))
        to_inputs += [(t, s) for t in terms]
        accounts.append(account.parts())
        unclaimed = unclaimed - part
    handed, bias, stabiliser, dead = (reduce(plus, column, nothing) for column in zip(*accounts))
    if unclaimed.any():
        dead = plus(dead, unclaimed * R)
    columns = [c if c.shape == R.shape else np.broadcast_to(c, R.shape) for c in (handed, bias, stabiliser, dead)]
    return transpose_all(m, to_inputs, a), Account(R, *columns)


def is_output(share: Share, m: LinearMap, a: Array) -> bool:
    """Whether the share's z_j is the map's own output: its one term is the input with the weights and bias as they are.

    Same result with False; the forward pass's products are then worked out again.
    """
    t = share.terms[0]
    return len(share.terms) == 1 and t.a is a and t.f is same and np.array_equal(t.b, m.bias)


def share_out(R: Array, z: Array, z_inputs: Array, b: Array, guard_of: Guard) -> tuple[Array, Account]:
    """s_j = R_j / (z_j + guard(z_j)), z_j = sum_i z_ij + b_j, and the account of this R, a share's part."""
    nothing = zeros((1,) * R.ndim, R)
    given = guard_of(z)
    if given is None:
        guard, s = nothing, divide(R, z)
        dead = R * (z == 0) if (z == 0).any() else nothing
    else:
        guard, dead = given, nothing
        s = R / (z + guard)
    bias, stabiliser = (s * c if c.any() else nothing for c in (b, guard))
    return s, Account(R, times(s, z_inputs), bias, stabiliser, dead)


def apply_all(m: LinearMap, terms: Sequence[Term]) -> Iterator[Array]:
    """sum_i c_ij a_i f(w_ij) of every term, in their order; terms with the same input are worked on together."""
    products = {}
    for group in grouped([t.a for t in terms]):
        for n, product in zip(group, m.apply_each(terms[group[0]].a, [terms[n].f for n in group]), strict=True):
            products[n] = product
    return (thin(products[n]) for n in range(len(terms)))


def transpose_all(m: LinearMap, terms: Sequence[tuple[Term, Array]], a: Array) -> Array:
    """sum over the terms and their s_j of  a'_i sum_j c_ij f(w_ij) s_j: what every input i receives."""
    received = []
    for group in grouped([t.a for t, _ in terms]):
        s, functions = [terms[n][1] for n in group], [terms[n][0].f for n in group]
        received.append(times(m.transpose_sum(s, functions, a.shape), terms[group[0]][0].a))
    return sum(received[1:], start=received[0]) if received else zeros(a.shape, a)


def grouped(arrays: Sequence[Array]) -> Iterable[list[int]]:
    """The positions of each array that is there: one list for those that are the very same object."""
    groups: dict[int, list[int]] = {}
    for n, array in enumerate(arrays):
        groups.setdefault(id(array), []).append(n)
    return groups.values()


def hand_down(rule: Rule, layer: Layer, x: Array, R: Array, z: Array | None = None) -> tuple[Array, Account]:
    """`step` at the map that the layer is at x, some samples and then piece by piece, so that memory stays small.

    z: the layer's output at x, where it is there already.
    """
    samples = len(x) if layer.lean else max(1, BATCH // max(x[0].size, R[0].size))
    below, columns = zeros(x.shape, R), dict.fromkeys(COLUMNS[1:], np.broadcast_to(zeros((1,) * R.ndim, R), R.shape))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):   # relevances() reports by name
        for n in range(0, len(x), samples):
            batch = slice(n, n + samples)
            a, m = layer.linearize(x[batch])
            for inputs, outputs, piece in m.pieces(a.shape):
                known = None if z is None or layer.tangent else z[batch][outputs]
                received, account = step(rule, piece, a[inputs], R[batch][outputs], known)
                if (received.shape, account.received.shape) == (x.shape, R.shape):   # Same result without; no copies.
                    return received, account
                below[batch][inputs] += received
                for name, values in zip(columns, account.parts()):
                    if not everywhere(0, values):   # a column in which nothing is needs no memory of its own
                        if everywhere(0, columns[name]):
                            columns[name] = zeros(R.shape, R)
                        columns[name][batch][outputs] = values
    return below, Account(R, **columns)


def handed_down(network: Network, rules: Mapping[str, Rule], x: Array, R: Array,
                activations: Sequence[Array] | None = None) -> list[Array]:
    """[R_0, .., R_L] from R_L = R, whatever comes of it: `relevances` without its ledger and its errors.

    activations: the layers' inputs [x, x_1, ..], where they are there already.
    """
    Rs, xs = [R], network.activations(x) if activations is None else activations
    for (name, layer), a in reversed(list(zip(network, xs))):
        Rs.append(hand_down(rules[name], layer, a, Rs[-1])[0])
    return Rs[::-1]


def relevances(network: Network, activations: Sequence[Array], rules: Mapping[str, Rule], R: Array,
               watch: Callable[[str], object] = str) -> tuple[list[Array], Ledger]:
    """[R_0, .., R_L] and the ledger, from R_L = R and the activations [x_0, .., x_L]: the whole of LRP."""
    missing = [name for name in network.names if name not in rules]
    if missing:
        raise ValueError(f"got no rule for {', '.join(missing)}: make the rules with assign(network, ...)")
    if [name for name in rules if name in network.names] != list(network.names):
        raise ValueError(f"got rules in the order {', '.join(rules)}, needed the network's, lowest first, by which "
                         "cutoff goes: make them with assign(network, ...)")
    Rs, accounts = [R], []
    for (name, layer), x, z in reversed(list(zip(network, activations, activations[1:]))):
        watch(name)
        try:
            below, account = hand_down(a_rule(rules[name]), layer, x, Rs[-1], z)
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from None
        if not all(map(finite, (column for column in (below, *account.parts()) if column is not Rs[-1]))):
            raise ValueError(overflow(name, account, below))
        Rs.append(below)
        accounts.append(account)
    return Rs[::-1], Ledger(network.names[::-1], accounts)


def overflow(name: str, account: Account, below: Array) -> str:
    """Which layer and unit made a number too large, and what to do."""
    columns = [("output", column) for column in account.parts()] + [("input", below)]
    side, column = next((side, column) for side, column in columns if not finite(column))
    return (f"layer {name}: relevance overflows at {side} unit {not_finite(column)}, where R is divided by a z that is "
            f"almost 0: give the layer a stabiliser, by_name={{{name!r}: Epsilon(1e-6)}}")


@dataclass(frozen=True, eq=False)
class Explanation:
    """An image's scores, and the relevance of everything on the way to the top score or another target.

    scores       the last layer's output, (N, classes)
    activations  {name: input of that layer}
    relevances   {name: relevance of that input}, of the same shapes
    relevance    R_0, shaped like the image batch
    ledger       where every bit of relevance went; print it
    start        R_L, the relevance that everything began with
    """

    scores: Array
    activations: Mapping[str, Array]
    relevances: Mapping[str, Array]
    ledger: Ledger
    start: Array

    @property
    def relevance(self) -> Array:
        """R_0, shaped like the input."""
        return next(iter(self.relevances.values()))


def explain(network: Network, x: Array, rules: Mapping[str, Rule] | None = None, target: Any = None,
            watch: Callable[[str], object] = str) -> Explanation:
    """Run the network on x and hand the target's score back to the input.

    x       a batch, as the first layer wants it: images (N, C, H, W)
    rules   {layer name: rule} from assign, a preset or cutoff; None: every layer's default
    target  a class index, indices (N,), an array R_L shaped like the scores, or None: each image's top score
    watch   called with every layer's name when its turn comes, upwards and then downwards: for a progress line
    """
    x = checked(network, x)
    xs = network.activations(x, watch)
    for (name, _), output in zip(network, xs[1:]):
        if not finite(output):
            raise ValueError(f"layer {name} gives NaN or infinity for this input: are its weights too large?")
    R = start(xs[-1], target)
    Rs, ledger = relevances(network, xs, assign(network) if rules is None else rules, R, watch)
    return Explanation(xs[-1], dict(zip(network.names, xs)), dict(zip(network.names, Rs)), ledger, R)


def checked(network: Network, x: Array) -> Array:
    """x as an array; an error unless it is a batch of finite numbers of the network's type."""
    x = np.asanyarray(x)
    if isinstance(x, (np.matrix, np.ma.MaskedArray)):
        raise ValueError(f"got a {type(x).__name__}, whose products are not those of an array: use numpy.asarray(x), "
                         "filled where it is masked")
    same_numbers(network, x)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"got an input of shape {x.shape}, needed a batch (N, ...) of at least one: x[None]?")
    if not finite(x):
        index = not_finite(x)
        raise ValueError(f"got {x[index]} at {index} of the input, needed finite numbers: fill it first")
    return x


def start(scores: Array, target: Any = None) -> Array:
    """R_L: the target's score, and 0 elsewhere; or the target itself where it is an array of that shape."""
    target = target if target is None else np.asarray(target)
    if target is not None and target.shape == scores.shape:
        if number_type(target) is not number_type(scores):
            raise ValueError(f"got a target of {target.dtype}, needed the scores' {scores.dtype}: use target.astype")
        if not finite(target):
            raise ValueError("got a target with NaN or infinity, needed finite relevance")
        return target
    if scores.ndim != 2:
        raise ValueError(f"the scores have shape {scores.shape}, needed (N, classes) to choose a class: end the "
                         f"network with Flatten(), or give an array of that shape as the target")
    n, classes = scores.shape
    index = scores.argmax(axis=1) if target is None else target
    if index.dtype.kind not in "iu" or index.shape not in ((), (n,)):
        raise ValueError(f"got a target of shape {index.shape} and type {index.dtype}, needed a class index, {n} "
                         f"indices, or an array of shape {scores.shape}")
    if index.min() < 0 or index.max() >= classes:
        raise ValueError(f"got target {target}, needed class indices from 0 to {classes - 1}")
    R = zeros(scores.shape, scores)
    R[np.arange(n), index] = scores[np.arange(n), index]
    return R
