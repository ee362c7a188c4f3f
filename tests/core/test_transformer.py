"""A transformer of two blocks, three heads, class token and positions: relevance by closed formulas, number by number.

The formulas are those of the papers, written here as loops over plain lists; they take nothing from the package.
"""

from functools import cache
from math import erf, exp, sqrt
from typing import Any

import numpy as np
import pytest
from helpers import assert_holds, law

from lrp_ref import (
    GELU,
    Add,
    ClassToken,
    Embedding,
    LayerNorm,
    Linear,
    MatMul,
    Network,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Transpose,
    ali,
    attnlrp,
    cp_lrp,
    explain,
    gradient_times_input,
)
from lrp_ref.arrays import convert_numbers
from lrp_ref.checks.claims.claim import Claim, equal
from lrp_ref.checks.claims.transformers import exactly
from lrp_ref.checks.numbers.exact import GuardedFraction as F
from lrp_ref.checks.numbers.exact import exact
from lrp_ref.checks.numbers.modular import modulo_primes
from lrp_ref.checks.rounding.monte_carlo import AsSeen
from lrp_ref.ledger import per_sample
from lrp_ref.step import step

T, D, H, K, M, V, C = 4, 6, 3, 2, 9, 7, 5   # words of a sentence, width, heads of K, MLP, words that there are, classes
BLOCKS, SMALL = (1, 2), 1e-3
Rows = list[list[float]]


@cache
def weights() -> dict[str, Any]:
    """Arrays of both signs and no size twice, as lists and as arrays."""
    rng = np.random.default_rng(7)
    shapes = {"words": (V, D), "token": (D,), "positions": (T + 1, D), "top.w": (D, C), "top.b": (C,), "end.g": (D,),
              "end.b": (D,)}
    for n in BLOCKS:
        shapes |= {f"{n}.{one}.g": (D,) for one in ("norm1", "norm2")} | {f"{n}.{one}.b": (D,) for one in (
            "norm1", "norm2", "q", "k", "v", "out", "down")}
        shapes |= {f"{n}.{one}.w": (D, D) for one in ("q", "k", "v", "out")}
        shapes |= {f"{n}.up.w": (D, M), f"{n}.up.b": (M,), f"{n}.down.w": (M, D)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def built() -> Network:
    """The network in the package's layers."""
    w = weights()
    layers: list[Any] = [("words", Embedding(w["words"])), ("class", ClassToken(w["token"])),
                         ("positions", Scale(None, w["positions"]))]
    before = "positions"
    for n in BLOCKS:
        layers.append((f"{n}.norm1", LayerNorm(w[f"{n}.norm1.g"], w[f"{n}.norm1.b"]), before))
        for one, axes in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
            layers += [(f"{n}.{one}", Linear(w[f"{n}.{one}.w"], w[f"{n}.{one}.b"]), f"{n}.norm1"),
                       (f"{n}.{one}.heads", Reshape((T + 1, H, K))), (f"{n}.{one}.turned", Transpose(axes))]
        layers += [
            (f"{n}.scores", MatMul((H, T + 1, K), (H, K, T + 1)), (f"{n}.q.turned", f"{n}.k.turned")),
            (f"{n}.scaled", Scale(np.array([1 / sqrt(K)]))), (f"{n}.weights", Softmax()),
            (f"{n}.read", MatMul((H, T + 1, T + 1), (H, T + 1, K)), (f"{n}.weights", f"{n}.v.turned")),
            (f"{n}.back", Transpose((0, 2, 1, 3))), (f"{n}.rows", Reshape((T + 1, D))),
            (f"{n}.out", Linear(w[f"{n}.out.w"], w[f"{n}.out.b"])), (f"{n}.add1", Add(), (f"{n}.out", before)),
            (f"{n}.norm2", LayerNorm(w[f"{n}.norm2.g"], w[f"{n}.norm2.b"])),
            (f"{n}.up", Linear(w[f"{n}.up.w"], w[f"{n}.up.b"])), (f"{n}.gelu", GELU()),
            (f"{n}.down", Linear(w[f"{n}.down.w"], w[f"{n}.down.b"])),
            (f"{n}.add2", Add(), (f"{n}.down", f"{n}.add1"))]
        before = f"{n}.add2"
    layers += [("end", LayerNorm(w["end.g"], w["end.b"])), ("first", Slice(1, 0, 1)), ("flat", Reshape((D,))),
               ("top", Linear(w["top.w"], w["top.b"]))]
    return Network(layers)


# ---- The formulas ----

def guarded(z: float, epsilon: float) -> float:
    return z + (epsilon if z >= 0 else -epsilon)


def linear(x: Rows, w: Any, b: Any) -> Rows:
    return [[sum(row[i] * float(w[i][j]) for i in range(len(row))) + float(b[j]) for j in range(len(b))] for row in x]


def linear_down(x: Rows, w: Any, b: Any, R: Rows, epsilon: float) -> Rows:
    """R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j"""
    z = linear(x, w, b)
    return [[sum(row[i] * float(w[i][j]) / guarded(z[t][j], epsilon) * R[t][j] for j in range(len(b)))
             for i in range(len(row))] for t, row in enumerate(x)]


def statistics(row: list[float]) -> tuple[float, float]:
    mean = sum(row) / len(row)
    return mean, sqrt(sum((a - mean) ** 2 for a in row) / len(row) + 1e-5)


def norm(x: Rows, g: Any, b: Any) -> Rows:
    out = []
    for row in x:
        mean, s = statistics(row)
        out.append([(a - mean) / s * float(g[j]) + float(b[j]) for j, a in enumerate(row)])
    return out


def norm_down(x: Rows, g: Any, b: Any, R: Rows, epsilon: float, affine: bool) -> Rows:
    """R_i = sum_j x_i g_j (d_ij - 1/n) / s / (z_j + epsilon sign z_j) R_j; without affine g = 1, b = 0 in it."""
    z, out, n = norm(x, g, b), [], len(x[0])
    for t, row in enumerate(x):
        mean, s = statistics(row)
        received = [0.0] * n
        for j in range(n):
            gain, z_j = (float(g[j]), z[t][j]) if affine else (1.0, (row[j] - mean) / s)
            for i in range(n):
                received[i] += row[i] * gain * ((i == j) - 1 / n) / s / guarded(z_j, epsilon) * R[t][j]
        out.append(received)
    return out


def add_down(a: Rows, b: Rows, R: Rows, epsilon: float) -> tuple[Rows, Rows]:
    """a / (a + b) R and b / (a + b) R"""
    both = [[[one[t][i] / guarded(a[t][i] + b[t][i], epsilon) * R[t][i] for i in range(len(R[0]))]
             for t in range(len(R))] for one in (a, b)]
    return both[0], both[1]


def product_down(a: Rows, b: Rows, R: Rows, epsilon: float, shares: tuple[float, float]) -> tuple[Rows, Rows]:
    """share a_ts b_sd / (z_td + epsilon sign z_td) R_td: summed over d for a, over t for b."""
    S, E = len(b), len(b[0])
    to_a, to_b = [[0.0] * S for _ in a], [[0.0] * E for _ in b]
    for t in range(len(a)):
        for d in range(E):
            z = sum(a[t][s] * b[s][d] for s in range(S))
            for s in range(S):
                part = a[t][s] * b[s][d] / guarded(z, epsilon) * R[t][d]
                to_a[t][s] += shares[0] * part
                to_b[s][d] += shares[1] * part
    return to_a, to_b


def softmax(x: Rows) -> Rows:
    return [[exp(a) / sum(exp(c) for c in row) for a in row] for row in x]


def turned(x: Rows) -> Rows:
    return [list(column) for column in zip(*x)]


def attention(n: int, x: Rows) -> dict[str, Any]:
    """What a block's heads compute of the rows x: each head's q, k, v, scores, weights, and all that is read."""
    w = weights()
    q, k, v = (linear(x, w[f"{n}.{one}.w"], w[f"{n}.{one}.b"]) for one in "qkv")
    heads, read = [], [[0.0] * D for _ in x]
    for h in range(H):
        here = slice(h * K, (h + 1) * K)
        Q, keys, values = ([row[here] for row in one] for one in (q, k, v))
        products = [[sum(Q[t][d] * keys[s][d] for d in range(K)) for s in range(len(x))] for t in range(len(x))]
        scores = [[a / sqrt(K) for a in row] for row in products]
        A = softmax(scores)
        heads.append((Q, keys, values, scores, A))
        for t in range(len(x)):
            for d in range(K):
                read[t][h * K + d] = sum(A[t][s] * values[s][d] for s in range(len(x)))
    return {"heads": heads, "read": read}


def attention_down(n: int, x: Rows, R: Rows, epsilon: float, detached: bool) -> Rows:
    """From what was read to x, by way of the values, and unless the weights are detached by queries and keys."""
    w, of, E = weights(), attention(n, x), len(x)
    to = {one: [[0.0] * D for _ in x] for one in "qkv"}
    for h, (Q, keys, values, scores, A) in enumerate(of["heads"]):
        here = slice(h * K, (h + 1) * K)
        to_A, to_v = product_down(A, values, [row[here] for row in R], epsilon, (0, 1) if detached else (0.5, 0.5))
        to_scores = [[scores[t][i] * (to_A[t][i] - A[t][i] * sum(to_A[t])) for i in range(E)] for t in range(E)]
        to_q, to_kt = product_down(Q, turned(keys), to_scores, epsilon, (0.5, 0.5))
        for one, part in (("q", to_q), ("k", turned(to_kt)), ("v", to_v)):
            for t in range(E):
                to[one][t][here] = part[t]
    downs = [linear_down(x, w[f"{n}.{one}.w"], w[f"{n}.{one}.b"], to[one], epsilon) for one in "qkv"]
    return [[sum(down[t][i] for down in downs) for i in range(D)] for t in range(E)]


def formulas(ids: list[int], target: int, epsilon: float, detached: bool, affine: bool) -> tuple[float, list[float]]:
    """The target's score, and the relevance of every word."""
    w = weights()
    rows = [list(map(float, w["token"])), *(list(map(float, w["words"][n])) for n in ids)]
    x = [[a + float(p) for a, p in zip(row, position)] for row, position in zip(rows, w["positions"])]
    kept = []
    for n in BLOCKS:
        normed = norm(x, w[f"{n}.norm1.g"], w[f"{n}.norm1.b"])
        read = attention(n, normed)["read"]
        out = linear(read, w[f"{n}.out.w"], w[f"{n}.out.b"])
        middle = [[a + b for a, b in zip(*both)] for both in zip(out, x)]
        second = norm(middle, w[f"{n}.norm2.g"], w[f"{n}.norm2.b"])
        up = linear(second, w[f"{n}.up.w"], w[f"{n}.up.b"])
        bent = [[a * (1 + erf(a / sqrt(2))) / 2 for a in row] for row in up]
        down = linear(bent, w[f"{n}.down.w"], w[f"{n}.down.b"])
        kept.append((n, x, normed, read, out, middle, second, bent, down))
        x = [[a + b for a, b in zip(*both)] for both in zip(down, middle)]
    last = norm(x, w["end.g"], w["end.b"])
    scores = linear(last[:1], w["top.w"], w["top.b"])
    R = linear_down(last[:1], w["top.w"], w["top.b"], [[a if c == target else 0.0 for c, a in enumerate(scores[0])]],
                    epsilon)
    R = norm_down(x, w["end.g"], w["end.b"], [*R, *([0.0] * D for _ in ids)], epsilon, affine)
    for n, below, normed, read, out, middle, second, bent, down in reversed(kept):
        to_down, to_middle = add_down(down, middle, R, epsilon)
        R = linear_down(bent, w[f"{n}.down.w"], w[f"{n}.down.b"], to_down, epsilon)   # the gate of GELU passes it on
        R = linear_down(second, w[f"{n}.up.w"], w[f"{n}.up.b"], R, epsilon)
        R = norm_down(middle, w[f"{n}.norm2.g"], w[f"{n}.norm2.b"], R, epsilon, affine)
        R = [[a + b for a, b in zip(*both)] for both in zip(R, to_middle)]
        to_out, to_below = add_down(out, below, R, epsilon)
        R = linear_down(read, w[f"{n}.out.w"], w[f"{n}.out.b"], to_out, epsilon)
        R = attention_down(n, normed, R, epsilon, detached)
        R = norm_down(below, w[f"{n}.norm1.g"], w[f"{n}.norm1.b"], R, epsilon, affine)
        R = [[a + b for a, b in zip(*both)] for both in zip(R, to_below)]
    return scores[0][target], [sum(row) for row in R[1:]]   # a position passes, a word has the sum of its row


@law("transformers")
def test_what_holds_of_every_transformer(claim: Claim) -> None:
    assert_holds(claim)


IDS = [[3, 0, 6, 3], [1, 5, 2, 0]]
VARIANTS = {"attnlrp": (attnlrp, False, True), "cp_lrp": (cp_lrp, True, True), "ali": (ali, True, False)}


@pytest.mark.parametrize("epsilon", [0, SMALL])
@pytest.mark.parametrize("name", VARIANTS)
def test_relevance_of_words_is_that_of_the_formulas(name: str, epsilon: float) -> None:
    preset, detached, affine = VARIANTS[name]
    network, x = built(), np.array(IDS, dtype=float)
    e = explain(network, x, preset(network, epsilon), [4, 2])
    for n, target in enumerate((4, 2)):
        score, wanted = formulas(IDS[n], target, epsilon, detached, affine)
        # a thousand roundings of numbers of 1, and quotients by sums that are a thousandth of their parts
        assert e.scores[n, target] == pytest.approx(score, rel=1e-12, abs=0)
        assert np.abs(e.relevance[n] - wanted).max() <= 1e-10 * np.abs(wanted).max()


def test_the_variants_are_not_the_same() -> None:
    found = [formulas(IDS[0], 4, SMALL, *VARIANTS[name][1:])[1] for name in VARIANTS]
    for one in range(3):
        assert np.abs(np.subtract(found[one], found[one - 1])).max() > 1e-3 * np.abs(found[one]).max()


PRESETS = {name: variant[0] for name, variant in VARIANTS.items()} | {
    "gradient_times_input": lambda network, epsilon: gradient_times_input(network)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_layer_s_ledger_closes_on_its_map_taken_as_rationals(name: str) -> None:
    network, x = built(), np.array(IDS, dtype=float)
    rules = PRESETS[name](network, SMALL)
    e = explain(network, x, rules, [4, 2])
    for one, layer in network:
        a, m = layer.linearize(network.read(one, e.activations))
        m, R = exact(rules[one].seen(m, a), F), convert_numbers(e.relevances[one], F)
        below, account = step(AsSeen(rules[one]), m, convert_numbers(a, F), R)
        assert (account.received == account.handed + account.bias + account.stabiliser + account.dead).all(), one
        assert (account.received == R).all() and sum(account.handed.flat) == sum(below.flat)


@pytest.mark.parametrize("name", PRESETS)
def test_the_whole_ledger_closes_on_these_maps(name: str) -> None:
    network, x = built(), np.array(IDS, dtype=float)
    rules = PRESETS[name](network, SMALL)
    xs, R = network.activations(x), explain(network, x, rules, [4, 2]).start

    def closes(number: Any) -> bool:
        e = exactly(network, xs, rules, R, number)
        total = e.ledger.total()
        lost = total["bias"] + total["stabiliser"] + total["dead"]
        return equal(total["received"], per_sample(e.of["input"]) + lost) and bool((e.of["input"] != 0).any())

    assert modulo_primes(closes)   # Fractions of the whole take minutes, and close too


def test_relevance_is_that_of_these_maps() -> None:
    network, x = built(), np.array(IDS, dtype=float)
    e = explain(network, x, attnlrp(network, SMALL), [4, 2])
    found = modulo_primes(lambda number: exactly(network, e.activations, attnlrp(network, SMALL), e.start, number))
    # the same roundings as above
    assert np.allclose(found.of["input"].value, e.relevance, rtol=0, atol=1e-10 * np.abs(e.relevance).max())
