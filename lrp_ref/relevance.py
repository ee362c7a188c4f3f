"""R_L -> .. -> R_0: relevance from the score to the input, layer by layer, and its ledger."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np

from lrp_ref.arrays import (
    Array,
    Index,
    added_at,
    as_array,
    constant,
    everywhere,
    finite,
    not_finite,
    nothing,
    plus,
)
from lrp_ref.assignment import Rules, a_rule, assign, the_rules
from lrp_ref.concepts import Top, highest_first, mask_of, top_channels
from lrp_ref.hints import Watch, listed, nearest_float, shown, unwatched
from lrp_ref.layers import Layer
from lrp_ref.ledger import Account, Again, Ledger, itself
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import INPUT, Network, a_network, named, no_batch, same_numbers
from lrp_ref.rules import Rule
from lrp_ref.starts import begins
from lrp_ref.step import step

KEPT = 1 << 12    # numbers of a layer's output up to which its account is kept, and not its sums alone
BATCH = 1 << 20   # numbers of a layer worked on at a time: larger batches go in pieces


def pieces(layer: Layer, x: Array, R: Array, z: Array | None) -> Iterator[tuple[Index, Index, Array, LinearMap]]:
    """Where inputs and outputs are, the inputs a, and the map between them: some samples, and of them some outputs.

    Together they are the map that the layer is at x; so memory stays small, and numbers stay in the processor's cache.
    """
    samples = len(x) if layer.lean else max(1, BATCH // max(x[0].size, R[0].size))
    for first in range(0, len(x), samples):
        batch = slice(first, first + samples)
        a, m = layer.linearize(x[batch])
        for inputs, outputs, piece in m.pieces(a.shape):
            a_piece, outputs = a[inputs], shifted(outputs, first, samples)
            if z is not None and not layer.approximate:
                piece = piece.recalling(a_piece, z[outputs])
            yield shifted(inputs, first, samples), outputs, a_piece, piece


def through_layer(rule: Rule, layer: Layer, x: Array, R: Array, z: Array | None = None, sums: Again | None = None
                  ) -> tuple[Array, Any]:
    """`step` at the map that the layer is at x, piece by piece: what its inputs receive, and the account of every R_j.

    z     the layer's output at x, where it is there already
    sums  what is to be given in place of the account, where its sums are enough
    """
    below, account = nothing(x.shape, R), Account.of(R) if sums is None else sums
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):   # relevances() reports by name
        for inputs, outputs, a, m in pieces(layer, x, R, z):
            received, part = step(rule, m, a, R[outputs])
            below, account = added_at(below, inputs, received), account.put(outputs, part)
    return below, account


def masked_layer(rule: Rule, layer: Layer, x: Array, R: Array, z: Array, keep: Array | None, sums: Again | None = None
                 ) -> tuple[Array, Any]:
    """`through_layer` of keep * R; (1 - keep) R is dead, and the account is given whole.

    Where R is 0 everywhere, above what relevance begins with: same result without these lines, and no work.
    """
    if everywhere(0, R):
        return nothing(x.shape, R), Account.of(R)
    if keep is None:
        return through_layer(rule, layer, x, R, z, sums)
    below, account = through_layer(rule, layer, x, R * keep, z)
    return below, replace(account, received=R).plus(R, dead=constant(1, R) - keep)


def shifted(place: Index, first: int, samples: int) -> Index:
    """The place of some samples of a batch, counted from there, among all samples."""
    start, stop, _ = (place[0] if place else slice(None)).indices(samples)
    return (slice(first + start, first + stop), *place[1:])


Through = Callable[[str, Layer, Array, Array], Array]
Messages = dict[str, tuple[Array, ...]]


def handed_down(network: Network, xs: Mapping[str, Array], R: Array | Mapping[str, Array], through: Through
                ) -> tuple[dict[str, Array], Messages]:
    """R_t = sum over the layers that read t of the message of each: {tensor: R_t} from R_L = R, and all messages.

    R: that of the output, or {tensor: what it begins with}, to which messages are added.
    through(name, layer, x, R): what the layer hands to all that it takes. Messages: {layer: one per tensor it reads}.
    """
    Rs, messages = dict(R) if isinstance(R, Mapping) else {network.output: R}, Messages()
    for name, layer, reads in reversed(network.nodes):
        if name not in Rs:   # above what relevance begins with
            Rs[name] = nothing(xs[name].shape, xs[name])
        below = through(name, layer, network.read(name, xs), Rs[name])
        messages[name] = layer.split(below, *(xs[t].shape for t in reads))
        for t, message in zip(reads, messages[name], strict=True):
            Rs[t] = plus(Rs[t], message) if t in Rs else message
    return {t: Rs[t] for t in (INPUT, *network.names)}, {name: messages[name] for name in network.names}


def through_network(network: Network, rules: Mapping[str, Rule], x: Array, R: Array | Mapping[str, Array],
                    activations: Mapping[str, Array] | None = None) -> dict[str, Array]:
    """{tensor: its relevance} from R_L = R: `relevances` without a ledger, and without raising on overflow.

    activations: what `network.activations(x)` gives, where it is there already.
    """
    xs = network.activations(x) if activations is None else activations
    with np.errstate(over="ignore", invalid="ignore"):   # where messages meet
        return handed_down(network, xs, R, lambda name, *task: through_layer(rules[name], *task)[0])[0]


@dataclass(frozen=True, eq=False)
class Relevances:
    """The relevance of every tensor, what every layer hands to each tensor that it reads, and where all of it went."""

    of: Mapping[str, Array]
    messages: Mapping[str, tuple[Array, ...]]
    ledger: Ledger


def relevances(network: Network, activations: Mapping[str, Array], rules: Mapping[str, Rule],
               R: Array | Mapping[str, Array], watch: Watch = unwatched, keep: Mapping[str, Array] | None = None
               ) -> Relevances:
    """All relevances from R_L = R, or {tensor: R}, and `network.activations(x)`: the whole of LRP.

    keep: {layer: what part of its relevance it hands on}; the rest is dead.
    """
    begin = R if isinstance(R, Mapping) else {network.output: R}
    every_layer(network, rules)
    if [name for name in rules if name in network.places] != list(network.names):
        raise ValueError(f"got rules in the order {listed(rules)}, needed the network's, lowest first, by which "
                         "cutoff goes: make them with assign(network, ...)")
    accounts = []

    def through(name: str, layer: Layer, x: Array, R: Array) -> Array:
        watch(name)
        with named(name):
            near_misses(name, layer, rules[name], x)
            sums = Again.of(R, partial(accounted, network, activations, name, rules[name], R))
            below, account = masked_layer(rules[name], layer, x, R, activations[name], (keep or {}).get(name),
                                          sums if R.size > KEPT and R.dtype != object else None)
        arrays = {id(array): array for array in (below, *account.parts())}   # a layer may hand down what it received
        if not all(map(finite, arrays.values())):   # sums may be too large where none of their numbers is
            whole = itself(account)
            if not all(map(finite, (below, *whole.parts()))):
                raise ValueError(overflow(name, whole, below))
        accounts.append(account)
        return below

    Rs, messages = handed_down(network, activations, begin, through)
    if not finite(Rs[INPUT]):
        raise ValueError(f"relevance overflows at input unit {not_finite(Rs[INPUT])}, where messages meet that are "
                         "finite each: give the layers that read the input a stabiliser, Epsilon(1e-6)")
    return Relevances(Rs, messages, Ledger(network.names[::-1], accounts, Rs[INPUT], begin))


def accounted(network: Network, xs: Mapping[str, Array], name: str, rule: Rule, R: Array) -> Account:
    """The account of what a layer hands down of R."""
    with named(name):
        whole: Account = through_layer(rule, network[name], network.read(name, xs), R, xs[name])[1]
    return whole


def every_layer(network: Network, rules: Mapping[str, Rule], how: str = "assign") -> Mapping[str, Rule]:
    """The rules, or an error where a layer has none."""
    the_rules(rules)
    own = network.reads
    others = [name for name in own if isinstance(rules, Rules) and not follows(rules.reads, own, name)]
    if others:
        raise ValueError(f"got rules by which {listed(others)} reads other layers than in the network, so that a "
                         f"cut-off went another way: make the rules with {how}(network, ...), and cut these off")
    missing = [name for name in network.names if name not in rules]
    if missing:
        raise ValueError(f"got no rule for {listed(missing)}: make the rules with {how}(network, ...)")
    for name in network.names:
        with named(name):
            a_rule(rules[name])
    return rules


def follows(reads: Mapping[str, Sequence[str]], own: Mapping[str, Sequence[str]], name: str) -> bool:
    """Whether a layer reads there what it reads in the network, or in the network that this is a part of."""
    here, there = own[name], reads.get(name, ())
    return len(here) == len(there) and all(t == u or (t == INPUT and u not in own) for t, u in zip(here, there))


def near_misses(name: str, layer: Layer, rule: Rule, x: Array) -> None:
    """A warning where the rule is for other inputs than these."""
    if rule.only_for == "a box":
        note = rule.doubt(x if layer.affine else layer.linearize(x)[0])
        if note:
            warnings.warn(f"layer {name}: {note}", UserWarning, stacklevel=6)


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
    activations  {name: output of that layer}, and "input": the image
    relevances   {name: relevance of that output}, and "input", of the same shapes
    messages     {name: what that layer hands to each tensor that it reads}
    relevance    R_0, that of the input, shaped like the image batch
    ledger       where every bit of relevance went; print it
    start        R_L, the relevance that everything began with; {tensor: R} where it began elsewhere
    """

    scores: Array
    activations: Mapping[str, Array]
    relevances: Mapping[str, Array]
    messages: Mapping[str, tuple[Array, ...]]
    ledger: Ledger
    start: Any

    @property
    def relevance(self) -> Array:
        """R_0, shaped like the input."""
        return self.relevances[INPUT]

    def __repr__(self) -> str:
        """Shapes, the highest scores of each input by their index, and what the others are called."""
        tops = "; ".join(top_scores(scores) for scores in self.scores[:3].reshape(min(3, len(self.scores)), -1))
        more = f"; ... of {len(self.scores)} inputs" if len(self.scores) > 3 else ""
        return (f"Explanation(relevance {self.relevance.shape}, scores {self.scores.shape}: {tops}{more}; relevances "
                f"and activations of {len(self.relevances)} tensors: {listed(self.relevances)}; print(e.ledger))")

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, and the ledger of the first input."""
        return f"<pre>{escape(repr(self))}\n\n{escape(str(self.ledger))}</pre>"

    def top(self, name: str, count: int = 5) -> Top:
        """The channels of layer `name` that have most relevance, and how much: [(channel, R), ..] of every sample."""
        if not isinstance(name, str) or name not in self.relevances:
            raise ValueError(f"got the layer name {shown(name)}, needed one of {listed(self.relevances)}")
        return top_channels(self.relevances[name], count)


def top_scores(scores: Array, names: Sequence[str] = ()) -> str:
    """The three highest scores of one input, `282 tiger cat 9.32`: by index, and by name where there are any."""
    labels = [f"{n} {name}" for n, name in enumerate(names)] if names else [*range(len(scores))]
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    return ", ".join(f"{labels[n]} {nearest_float(scores[n]):.4g}" for n in order[:3])


def explain(network: Network, x: Array, rules: Mapping[str, Rule] | None = None, target: Any = None,
            watch: Watch = unwatched, through: Mapping[str, Any] | None = None) -> Explanation:
    """Run the network on x and hand the target's score back to the input.

    x        a batch, as the first layer wants it: images (N, C, H, W)
    rules    {layer name: rule} from assign, a preset or cutoff; None: every layer's default
    target   a class index, indices (N,), an array R_L shaped like the scores, a function that makes one of them such as
             one_hot(3), {tensor: R} for relevance that begins elsewhere, or None: each image's top score
    watch    called with every layer's name when its turn comes, upwards and then downwards: for a progress line
    through  {layer: channels, or a mask}: the relevance that passes through these units of its output, not by others
             nor beside it. It begins there: of what arrives at the layer the rest is dead, and layers above have none
    """
    x = checked(network, x)
    rules = assign(network) if rules is None else every_layer(network, rules)
    if not callable(watch):
        raise ValueError(f"explain got watch={shown(watch)}, needed a function that takes a layer's name")
    names = [] if through is None else highest_first(network, through)
    xs = network.activations(x, watch)
    for name, output in xs.items():
        must_be_finite(name, output)
    keep = {name: mask_of(name, units, xs[name]) for name, units in (through or {}).items()}
    begin = begins(xs, network.output, target)
    found = relevances(network, xs, rules, begin, watch)
    for name in names:
        begin = {name: found.of[name]}
        found = relevances(network, xs, rules, begin, watch, {name: keep[name]})
    R = begin[network.output] if [*begin] == [network.output] else begin
    return Explanation(xs[network.output], xs, found.of, found.messages, found.ledger, R)


def must_be_finite(name: str, output: Array) -> None:
    """An error where the layer's output is not."""
    if not finite(output):
        raise ValueError(f"layer {name} gives NaN or infinity for this input: are its weights too large?")


def checked(network: Network, x: Array) -> Array:
    """x as an array; an error unless it is a batch of finite numbers of the network's type."""
    a_network(network)
    x = as_array(x)
    same_numbers(network, x)
    if x.ndim < 2 or x.size == 0:
        raise no_batch(x)
    if not finite(x):
        index = not_finite(x)
        raise ValueError(f"got {x[index]} at {index} of the input, needed finite numbers: fill it first")
    return x
