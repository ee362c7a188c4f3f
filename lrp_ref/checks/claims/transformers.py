"""Claims about transformers, on the maps that float64 layers are at their inputs, taken as the rationals they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, convert_numbers, plus, same
from lrp_ref.checks.claims.claim import PRIMES, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import sixteenths
from lrp_ref.checks.claims.graphs import Nothing
from lrp_ref.checks.claims.laws import closes
from lrp_ref.checks.numbers.exact import exact
from lrp_ref.checks.numbers.modular import modulo_primes
from lrp_ref.checks.rounding.monte_carlo import AsSeen
from lrp_ref.layers import (
    GELU,
    Add,
    ClassToken,
    Embedding,
    Layer,
    LayerNorm,
    Linear,
    MatMul,
    Multiply,
    Reshape,
    RMSNorm,
    Scale,
    SiLU,
    Slice,
    Softmax,
    Transpose,
)
from lrp_ref.ledger import Account, Ledger, per_sample
from lrp_ref.network import INPUT, Network
from lrp_ref.relevance import Relevances, handed_down
from lrp_ref.rules import Epsilon, Rule
from lrp_ref.step import step

T, D, H, K, M, WORDS = 3, 6, 3, 2, 4, 5   # tokens, the class token among them; width, heads of K, MLP; words
Preset = Callable[[Network], assignment.Rules]
PRESETS: dict[str, Preset] = {"attnlrp": assignment.attnlrp, "cp_lrp": assignment.cp_lrp, "ali": assignment.ali,
                              "gradient_times_input": assignment.gradient_times_input}


def transformer(seed: int = 0) -> Network:
    """A block with three heads, a gated MLP, a class token and positions: words (N, 2) to 4 scores."""
    def array(*shape: int, n: int) -> Array:
        return sixteenths(shape, 100 * seed + n, 16)

    def linear(inputs: int, outputs: int, n: int) -> Linear:
        return Linear(array(inputs, outputs, n=n), array(outputs, n=n + 40))

    layers: list[Any] = [("words", Embedding(array(WORDS, D, n=1))), ("class", ClassToken(array(D, n=2))),
                         ("positions", Scale(None, array(T, D, n=3) + 1 / 64)),   # so that no sum with a word is 0
                         ("norm", LayerNorm(array(D, n=4), array(D, n=5)))]
    for n, (one, axes) in enumerate((("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))), 6):
        layers += [(one, linear(D, D, n), "norm"), (f"{one}.heads", Reshape((T, H, K))),
                   (f"{one}.turned", Transpose(axes))]
    return Network([
        *layers, ("scores", MatMul((H, T, K), (H, K, T)), ("q.turned", "k.turned")), ("weights", Softmax()),
        ("read", MatMul((H, T, T), (H, T, K)), ("weights", "v.turned")), ("back", Transpose((0, 2, 1, 3))),
        ("rows", Reshape((T, D))), ("out", linear(D, D, 9)), ("add", Add(), ("out", "positions")),
        ("rms", RMSNorm(array(D, n=10))), ("up", linear(D, M, 11)), ("gelu", GELU()), ("gate", linear(D, M, 12), "rms"),
        ("silu", SiLU()), ("times", Multiply(), ("gelu", "silu")), ("down", linear(M, D, 13)),
        ("add2", Add(), ("down", "add")), ("first", Slice(1, 0, 1)), ("flat", Reshape((D,))),
        ("top", linear(D, 4, 14))])


def exactly(network: Network, xs: Mapping[str, Array], rules: Mapping[str, Rule], R: Any, number: type) -> Relevances:
    """All relevances and the ledger, in exact numbers, of the maps that the rules see at the activations xs."""
    accounts = list[Account]()

    def through(name: str, layer: Layer, x: Array, R: Array) -> Array:
        a, m = layer.linearize(x)
        m = exact(rules[name].seen(m, a), number)
        below, account = step(AsSeen(rules[name]), m, convert_numbers(a, number), R)
        accounts.append(account)
        return below

    begin = R if isinstance(R, Mapping) else {network.output: R}
    begin = {name: convert_numbers(array, number) for name, array in begin.items()}
    nothing = {name: convert_numbers(0 * x, number) for name, x in xs.items()}   # of that type, above what begins
    Rs, messages = handed_down(network, xs, nothing | begin, through)
    return Relevances(Rs, messages, Ledger(network.names[::-1], accounts, Rs[INPUT], begin))


@dataclass(frozen=True, eq=False)
class Read:
    """A transformer at two sentences, the rules of a preset, and relevance to begin with."""

    preset: str
    seed: int
    number: Any

    @cached_property
    def network(self) -> Network:
        return transformer(self.seed)

    @cached_property
    def rules(self) -> assignment.Rules:
        return PRESETS[self.preset](self.network)

    @cached_property
    def xs(self) -> dict[str, Array]:
        return self.network.activations(np.array([[1.0, 4.0], [3.0, 0.0]]))

    @cached_property
    def whole(self) -> Relevances:
        return self.down(self.R())

    def R(self, n: int = 20) -> Array:
        return sixteenths((2, 4), self.seed + n)

    def down(self, R: Any, network: Network | None = None, xs: Mapping[str, Array] | None = None,
             rules: Mapping[str, Rule] | None = None) -> Relevances:
        return exactly(network or self.network, xs or self.xs, rules or self.rules, R, self.number)


def balances(of: Read) -> Found:
    """Every unit's account, every layer's messages, and the whole."""
    e = of.whole
    holds = all(closes(account) for _, account in e.ledger)
    for name, account in e.ledger:
        sent = sum(map(per_sample, e.messages[name][1:]), start=per_sample(e.messages[name][0]))
        holds = holds and equal(per_sample(account.handed), sent)
    total = e.ledger.total()
    whole = equal(total["received"], total["handed"] + total["bias"] + total["stabiliser"] + total["dead"])
    return Found(holds and whole and equal(total["handed"], per_sample(e.of[INPUT])))


def is_linear(of: Read) -> Found:
    r, s, both = (of.down(R) for R in (of.R(20), of.R(21), 2 * of.R(20) - 3 * of.R(21)))
    return Found(all(equal(both.of[t], r.of[t] + r.of[t] - s.of[t] - s.of[t] - s.of[t]) for t in both.of))


def is_its_sentences(of: Read) -> Found:
    whole, xs, R, holds = of.whole, of.xs, of.R(), True
    for n in range(2):
        alone = of.down(R[n : n + 1], xs={t: x[n : n + 1] for t, x in xs.items()})
        holds = holds and all(equal(alone.of[t][0], whole.of[t][n]) for t in whole.of)
    return Found(holds)


def heads_in_another_order(of: Read) -> Found:
    """Weights, activations and relevance of the heads 2, 0, 1 are those of 0, 1, 2 in that order; the rest stays."""
    heads = [2, 0, 1]
    columns = [h * K + d for h in heads for d in range(K)]
    all_of = slice(None)
    places: dict[str, Any] = dict.fromkeys(("q", "k", "v", "rows"), (..., columns))
    places |= dict.fromkeys(("q.heads", "k.heads", "v.heads", "back"), (all_of, all_of, heads))
    places |= dict.fromkeys(("q.turned", "k.turned", "v.turned", "scores", "weights", "read"), (all_of, heads))

    def moved(name: str, layer: Layer) -> Layer:
        match layer:
            case Linear() if name in ("q", "k", "v"):
                return Linear(layer.weight[:, columns], layer.bias[columns])
            case Linear() if name == "out":
                return Linear(layer.weight[columns], layer.bias)
        return layer

    xs, whole = of.xs, of.whole
    turned = of.down(of.R(), network=of.network.mapped(moved), xs={t: x[places.get(t, ...)] for t, x in xs.items()})
    same_heads = not equal(whole.of["read"][:, heads], whole.of["read"])
    return Found(same_heads and all(equal(turned.of[t], whole.of[t][places.get(t, ...)]) for t in whole.of))


def by_heads(of: Read) -> Found:
    """Through each head's reading, and beside all of it by the skip: the whole."""
    whole = of.whole
    beside = of.down(of.R(), rules=of.rules | {"read": Nothing()})
    summed = beside.of[INPUT]
    for h in range(H):
        keep = np.zeros((1, H, 1, 1))
        keep[:, h] = 1
        kept = whole.of["read"] * convert_numbers(keep, of.number)
        summed = plus(summed, of.down({"read": kept}).of[INPUT])
    return Found(equal(summed, whole.of[INPUT]) and not equal(beside.of[INPUT], whole.of[INPUT]))


def tangents_are_gradients(of: Read) -> Found:
    """R = a * df/da, f the sum of s_j z_j with s_j = R_j / z_j: of the tangents, each at what those below it give."""
    network, number = of.network, of.number
    maps, a = dict[str, Any](), {INPUT: convert_numbers(np.ones(of.xs[INPUT].shape), number)}   # every word is there
    for name, layer, reads in network.nodes:
        x, m = layer.linearize(network.read(name, of.xs))
        maps[name] = exact(m.tangent(x), number)
        a[name] = maps[name](layer.join(*(a[t] for t in reads)))
    R = convert_numbers(of.R(), number)
    none = {t: 0 * x for t, x in a.items()}
    e, _ = handed_down(network, a, none | {network.output: R}, lambda name, layer, x, R: step(
        Epsilon(0), maps[name], x, R)[0])
    slopes, _ = handed_down(network, a, none | {network.output: R / a[network.output]}, lambda name, layer, x, s: maps[
        name].transpose(s, same, x.shape))
    return Found(all(equal(e[t], a[t] * slopes[t]) for t in a))


LAWS: dict[str, Callable[[Read], Found]] = {
    "the ledger": balances, "linear": is_linear, "sentences": is_its_sentences, "heads": heads_in_another_order,
    "through heads": by_heads}


def cases() -> Iterator[Case]:
    for seed in range(3):
        for preset in PRESETS:
            for what, law in LAWS.items():
                first = seed == 0 and (preset == "attnlrp" or law is balances)
                yield Case(f"{what}, {preset}, seed {seed}", partial(of_primes, law, preset, seed), not first)
        yield Case(f"gradients, seed {seed}", partial(of_primes, tangents_are_gradients, "gradient_times_input", seed),
                   seed > 0)


def of_primes(law: Callable[[Read], Found], preset: str, seed: int) -> Found:
    """The law modulo the first primes that divide no denominator."""
    return modulo_primes(lambda number: law(Read(preset, seed, number)))


CLAIMS = (
    Claim("transformers", "A transformer under each preset: the ledger at every unit and in all; relevance linear; "
          "batch = singles; heads in another order; heads and what bypasses them = the whole; Tangent(0) = gradient x "
          "input.", PRIMES, cases),
)
