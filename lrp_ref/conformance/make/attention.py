"""What transformers are made of: norms of rows, softmax, matrix products, activations, tokens and their positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lrp_ref.arrays import Array
from lrp_ref.assignment import assign
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.grid import SECTIONS, suits
from lrp_ref.conformance.make.made import Other, conditioned, made, one, other
from lrp_ref.conformance.make.numbers import F, first, halves, row, small
from lrp_ref.conformance.make.refused import refused
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import (
    ELU,
    GELU,
    Add,
    ClassToken,
    Clip,
    Embedding,
    Hardsigmoid,
    Hardswish,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MatMul,
    Mean,
    ReLU,
    RMSNorm,
    Rotary,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Transpose,
)
from lrp_ref.layers.layer_norm import of_rational_spread, rooted
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Pass, Rule, ZPlus

ATTENTION, NORMS = "Achtibat et al. 2024, Proposition 3.3", "Ba et al. 2016; Ali et al. 2022"
QUARTER, TINY = F(1, 4), F(1, 10**30)


def cases() -> Iterator[Case]:
    yield from layer_norms()
    yield from rms_norms()
    yield from softmaxes()
    yield from matrix_products()
    yield from own_gates()
    yield from tokens()
    yield from blocks()
    yield from refusals()


def alone(slug: str, rule: Rule, layer: Layer, x: Array, R: Array, comment: str, *either: Other, flags: Any = (),
          section: str = ATTENTION, **about: Any) -> Case:
    """One layer; of level convention where others answer otherwise."""
    return one(slug, rule, layer, x, R, comment=comment, section=section, either=either, flags=flags,
               **{"level": "convention" if either else "required", **about})


# ---- Norms of rows ----


def layer_norms() -> Iterator[Case]:
    pair = LayerNorm(guarded([2, 2]), guarded([1, 1]), 0)
    yield alone("layer-norm-pair", Epsilon(0), pair, row("1 3"), row("0 3"), "z = -1, 3: -1 and 3 for the inputs, 1 "
                "for "
                "the bias. LXT and RelevancePropagation.jl the same but for an epsilon, Chefer et al. pass 0 3 on, Ali "
                "et al. pass scale and shift, -3/2 and 9/2, and zennit has the gradient, 0 0",
                other(layer_norm="gradient"), other(layer_norm="pass"), other(layer_norm="scale passed"),
                flags=["ROW_NORM", "D20"], section=NORMS)
    yield alone("layer-norm-moved", Epsilon(0), LayerNorm(epsilon=0), guarded([[1, 3], [0, 2], [-1, 1]]),
                guarded([[0, 1]] * 3), "Three rows with one output, -1 1: what the inputs get is not the same when all "
                "of a row is moved", other(layer_norm="pass"), flags=["ROW_NORM", "BATCH"], section=NORMS)
    scale, shift = guarded(["2", "-1/2", "3", "1"]), guarded(["1/2", "0", "-1", "2"])
    norm, R = LayerNorm(scale, shift, 0), small((2, 3, 4), 8000, -4, 5)
    for rule in (Epsilon(QUARTER), AlphaBeta(2, 1), ZPlus(), Flat()):
        rows = [other(layer_norm="gradient"), other(layer_norm="pass")] if isinstance(rule, Epsilon) else []
        x = first(lambda n: of_rational_spread(small((2, 3, 4), 7001 + 100 * n, -3, 4)),
                  lambda x, rule=rule: suits(rule, norm, x))   # type: ignore[misc]
        yield alone(f"layer-norm-{type(rule).__name__.lower()}", rule, norm, x, R, "Rows of four numbers whose "
                    "spread is "
                    "rational, with scale and shift", *rows, flags=["ROW_NORM", "ROWS", "BATCH"], section=NORMS)
    yield alone("layer-norm-irrational", Epsilon(QUARTER), replace(norm, epsilon=F(1, 8)),
                small((1, 3, 4), 7003, -3, 4), small((1, 3, 4), 7004, -4, 5),
                "Rows of any spread, and an epsilon beside the variance",
                other(layer_norm="gradient"), other(layer_norm="pass"), flags=["ROW_NORM", "ROWS"], section=NORMS,
                irrational=True)


def rms_norms() -> Iterator[Case]:
    norm = RMSNorm(guarded(["2", "-1/2", "3", "1"]), 0)
    x, R = rooted(small((2, 3, 4), 7011, 1, 4)), small((2, 3, 4), 7012, -4, 5)
    for rule in (Pass(), Epsilon(QUARTER), Flat()):
        yield alone(f"rms-norm-{type(rule).__name__.lower()}", rule, norm, x, R, "A gate at the root mean square "
                    "that the "
                    "row has", flags=["ROW_NORM", "GATE", "BATCH"], section="Zhang and Sennrich 2019; Achtibat et al. "
                    "2024")
    yield alone("rms-norm-irrational", Epsilon(QUARTER), replace(norm, epsilon=F(1, 8)), small((1, 3, 4), 7013, -3, 4),
                small((1, 3, 4), 7014, -4, 5), "Rows of any norm, and an epsilon beside the mean square",
                flags=["ROW_NORM", "GATE"], section="Zhang and Sennrich 2019", irrational=True)


# ---- Softmax ----


def softmaxes() -> Iterator[Case]:
    section = "Achtibat et al. 2024, Proposition 3.1"
    rows = other(softmax="gradient"), other(softmax="pass"), other(softmax="dead")
    for slug, c in (("one", 1), ("minus-three", -3)):
        yield alone(f"softmax-equal-{slug}", Epsilon(0),
                    Softmax(), row(f"{c} {c}"), row("1 0"), "Equal scores c: c/2 and -c/2, and 1 for the bias. "
                    "zennit has "
                    "1/4 and -1/4, Chefer et al. pass 1 0 on, and where attention is kept constant nothing comes "
                    "through",
                    *rows, flags=["SOFTMAX"], section=section)
    mask = Softmax(guarded([1, 0, 1, 1]))
    yield alone("softmax-masked", Epsilon(0), mask, guarded([[[2, 7, 2, 2], [-1, 0, -1, -1]]]), guarded([[[3, 0, -2, 2],
                [1, 0, 4, -3]]]), "Equal scores, one of which is left out: it gets nothing", *rows[1:],
                flags=["SOFTMAX", "MASK"], section=section)
    yield alone("softmax-flat", Flat(), mask, guarded([[[2, 7, 2, 2], [-1, 0, -1, -1]]]), guarded([[[3, 0, -2, 1],
                [1, 0, 4, -2]]]), "Flat over the scores that take part", flags=["SOFTMAX", "MASK"], section="Section 3")
    yield alone("softmax-irrational", Epsilon(0), Softmax(), QUARTER * small((1, 3, 4), 7021, -4, 5),
                small((1, 3, 4), 7026, -4, 5), "Any scores: R_i = x_i (R_i - s_i sum R)", *rows,
                flags=["SOFTMAX"], section=section,
                irrational=True)
    yield alone("softmax-irrational-masked", Epsilon(0), Softmax(guarded([[1, 0, 0], [1, 1, 0], [1, 1, 1]])),
                QUARTER * small((1, 3, 3), 7023, -4, 5), small((1, 3, 3), 7027, -4, 5), "A causal mask: every row sees "
                "those before it and itself", other(softmax="gradient"), flags=["SOFTMAX", "MASK"], section=section,
                irrational=True)


# ---- Matrix products ----


def matrix_products() -> Iterator[Case]:
    read = other(mat_mul="gradient"), other(mat_mul="second")
    yield alone("mat-mul-pair", Epsilon(0), MatMul((1, 2), (2, 1)), row("1/4 3/4 4 8"), guarded([[[7]]]), "A = 1/4 "
                "3/4 and V = 4 8, "
                "z = 7: 1/2 and 3 for either. LXT and Chefer et al. the same; where attention is kept constant V has 1 "
                "and 6; zennit, which knows no rule for it, hands down 91 of 7", *read, flags=["PRODUCT"])
    x, R = small((2, 18), 7031, -3, 4), small((2, 2, 1, 2), 8001, -4, 5)
    for slug, shares in (("half", None), ("uneven", guarded(["1/4", "3/4"])), ("second", guarded([0, 1]))):
        for rule in (Epsilon(QUARTER), Flat()):
            rows = read[: 1 + (slug != "second")] if isinstance(rule, Epsilon) else ()
            yield alone(f"mat-mul-{slug}-{type(rule).__name__.lower()}", rule, MatMul((2, 1, 3), (2, 3, 2), shares), x,
                        R,
                        "Two heads; the factors have " + {"half": "half each", "uneven": "1/4 and 3/4", "second":
                        "nothing and all"}[slug], *rows, flags=["PRODUCT", "BATCH"])


# ---- Activations ----


def own_gates() -> Iterator[Case]:
    table: tuple[tuple[str, Layer, bool], ...] = (
        ("leaky-relu", LeakyReLU(F(1, 8)), False), ("p-re-lu", LeakyReLU(guarded(["1/8", "-1/2", "2"])), False),
        ("relu6", Clip(0, 6), False), ("hardswish", Hardswish(), False), ("hardsigmoid", Hardsigmoid(), False),
        ("elu", ELU(F(3, 4)), True), ("silu", SiLU(), True), ("gelu", GELU(), True), ("gelu-tanh", GELU(True), True),
        ("sigmoid", Sigmoid(), True))
    for n, (name, layer, irrational) in enumerate(table):
        R = small((2, 3, 4), 7042 + 2 * n, -4, 5)
        low = -5 if isinstance(layer, Hardsigmoid) else -3 if isinstance(layer, GELU) else -14
        off = QUARTER if isinstance(layer, (Clip, Hardswish, Hardsigmoid)) else F(0)   # from kinks
        rules: tuple[Rule, ...] = (Pass(),) if isinstance(layer, (GELU, Hardsigmoid)) else (Pass(), Epsilon(QUARTER))
        for rule in rules:
            x = first(lambda k, n=n, low=low, off=off: F(1, 2) * small(   # type: ignore[misc]
                (2, 3, 4), 7041 + 2 * n + 100 * k, low, 15) + off,
                      lambda x, rule=rule, layer=layer: conditioned(rule, layer, x, TINY))   # type: ignore[misc]
            slopes = isinstance(rule, Epsilon) and not isinstance(layer, LeakyReLU)   # whose chord is its slope
            yield alone(f"{name}-{type(rule).__name__.lower()}", rule, layer, x, R, "A gate, f(x) over x, which passes "
                        "relevance on" if isinstance(rule, Pass) else "Eq. 1 on the chord from f(0)",
                        *([other(without_weights="layer")] if slopes else []), flags=["GATE", "BATCH"],
                        section=SECTIONS[type(rule)], irrational=irrational, least=TINY)
    yield alone("silu-rest", Pass(), SiLU(), row("0 1/8589934592 -1/8589934592 3"), row("3 -2 1 5"), "At 0 and "
                "beside it: "
                "the gate is 1/2 there, and relevance passes. LXT divides by x and has 0 and minus infinity",
                flags=["GATE", "ZERO_INPUT"], section=SECTIONS[Pass], irrational=True)


# ---- Tokens ----


def tokens() -> Iterator[Case]:
    table, ids = small((5, 3), 7071, -3, 4), guarded([[2, 0, 4, 2], [1, 3, 3, 0]])
    R = small((2, 4, 3), 8003, -4, 5)
    for rule in (Flat(), Epsilon(QUARTER), ZPlus()):
        yield alone(f"embedding-{type(rule).__name__.lower()}", rule, Embedding(table), ids, R, "A token is there or "
                    "not: "
                    "it receives of what its row amounts to" if not isinstance(rule, Flat) else "A token receives the "
                    "sum over its row", flags=["TOKENS", "BATCH"], section=SECTIONS[type(rule)])
    token, x = ClassToken(guarded(["1/2", "-3"])), small((2, 3, 2), 7073, -3, 4)
    sent = small((2, 4, 2), 7074, -4, 5)
    gates: tuple[Rule, ...] = Pass(), Epsilon(QUARTER)
    for gate in gates:
        yield alone(f"class-token-{type(gate).__name__.lower()}", gate, token, x, sent, "What the "
                    "class token receives goes to no input", flags=["TOKENS", "BATCH"], section=SECTIONS[type(gate)])
    quarters = Rotary(guarded([[1, 1], [0, "-1"], [0, 1]]), guarded([[0, 0], [1, 0], ["-1", 0]]))
    angles = Rotary(guarded([[1, 1], ["3/5", "4/5"], ["5/13", "-3/5"]]),
                    guarded([[0, 0], ["4/5", "3/5"], ["12/13", "4/5"]]))
    for slug, layer, level, comment in (("quarters", quarters, "required", "by quarters of a turn"),
                                        ("angles", angles, "stress", "by angles whose sines are fractions, which "
                                         "float64 "
                                         "does not hold")):
        for rule in (Epsilon(QUARTER), Flat()):
            x = first(lambda n: small((2, 3, 4), 7075 + 100 * n, -3, 4),
                      lambda x, rule=rule, layer=layer: suits(rule, layer, x))   # type: ignore[misc]
            yield alone(f"rotary-{slug}-{type(rule).__name__.lower()}", rule, layer, x, small((2, 3, 4), 8001, -4, 5),
                        f"Pairs of numbers turned, {comment}, one for every position", flags=["TOKENS", "BATCH"],
                        section="Su et al. 2021", level=level)


# ---- Attention ----


def attended(seed: int, shares: Any, norm: Layer) -> tuple[Network, Array, Array]:
    """A block of one head over three tokens: attention and two fully connected layers, each with x added."""
    def dense(n: int, inputs: int, outputs: int, scale: Any = 1) -> Linear:
        return Linear(scale * small((inputs, outputs), seed + n, -2, 3), scale * halves((outputs,), seed + n + 50))

    network = Network([
        ("norm1", norm), ("q", dense(1, 4, 2, QUARTER), "norm1"), ("k", dense(2, 4, 2, QUARTER), "norm1"),
        ("v", dense(3, 4, 4), "norm1"), ("turned", Transpose((0, 2, 1)), "k"),
        ("scores", MatMul((3, 2), (2, 3), shares), ("q", "turned")), ("weights", Softmax()),
        ("heads", MatMul((3, 3), (3, 4), shares), ("weights", "v")), ("out", dense(4, 4, 4)),
        ("add1", Add(), ("out", "input")), ("norm2", norm), ("fc1", dense(5, 4, 5)), ("gelu", GELU()),
        ("fc2", dense(6, 5, 4)), ("add2", Add(), ("fc2", "add1")), ("mean", Mean(1)), ("fc3", dense(7, 4, 2))])
    return network, F(1, 2) * small((1, 3, 4), seed + 20, -4, 5), small((1, 2), seed + 21, -3, 4)


def blocks() -> Iterator[Case]:
    about: dict[str, Any] = {"irrational": True, "least": TINY, "section": "Achtibat et al. 2024"}
    for slug, shares, norm, comment in (
            ("halves", None, LayerNorm(guarded([1, 2, "-1", "1/2"]), guarded(["1/2", 0, "1/4", "-1"]), F(1, 8)),
             "matrix products in halves, layer norms by contribution"),
            ("values", guarded([0, 1]), LayerNorm(epsilon=F(1, 8)), "attention is kept constant: values have all, the "
             "scores nothing"),
            ("rms", None, RMSNorm(guarded([1, 2, "-1", "1/2"]), F(1, 8)), "matrix products in halves, root mean square "
             "norms, which pass relevance on")):
        network, x, R = attended(7100, shares, norm)
        rules = assign(network, {Linear: Epsilon(QUARTER), Add: Epsilon(QUARTER), MatMul: Epsilon(QUARTER),
                                 LayerNorm: Epsilon(QUARTER)})
        row = other(softmax="gradient", mat_mul="gradient", layer_norm="gradient")   # all of it at once
        yield made(f"attention-{slug}", "graph", "attention", network, rules, x, R, either=[row],
                   comment=f"A transformer's block over three tokens: {comment}.",
                   flags=("GRAPH", "FAN_OUT", "SUM", "SOFTMAX", "PRODUCT"), **about)
    heads = Network([
        ("first", Slice(2, 0, 2), "input"), ("rest", Slice(2, 2, 4), "input"),
        ("embedded", ClassToken(guarded(["1/2", "-1"])), "first"),
        ("others", ClassToken(guarded(["3", "1/4"])), "rest"),
        ("turned", Transpose((0, 2, 1)), "others"), ("scores", MatMul((4, 2), (2, 4)), ("embedded", "turned")),
        ("relu", ReLU()), ("read", MatMul((4, 4), (4, 2)), ("relu", "others")), ("class", Slice(1, 0, 1)),
        ("mean", Mean((1,))), ("fc", Linear(small((2, 3), 7151), halves((3,), 7152)))])
    rules = assign(heads, {Linear: Epsilon(QUARTER), MatMul: Epsilon(QUARTER), Mean: Epsilon(QUARTER)})
    yield made("attention-rational", "graph", "attention", heads, rules, small((2, 3, 4), 7153, -3, 4), small((2, 3),
               7154, -3, 4), comment="Attention with ReLU for softmax, so that all of it is rational, and class "
               "tokens.",
               either=[other(mat_mul="gradient")], level="convention", section=ATTENTION,
               flags=("GRAPH", "FAN_OUT", "PRODUCT", "TOKENS", "BATCH"))


# ---- What must be refused ----


def refusals() -> Iterator[Case]:
    for case in (
            refused("token-beyond", Flat(), Embedding(small((5, 3), 7201)), row("2 7"), small((1, 2, 3), 7202),
                    "A token that the table does not have.", "token 7 of 5", "Eq. 1"),
            refused("token-between", Flat(), Embedding(small((5, 3), 7201)), row("2 3/2"), small((1, 2, 3), 7202),
                    "A token that is no whole number.", "3/2 is no token", "Eq. 1"),
            refused("row-without-spread", Epsilon(0), LayerNorm(epsilon=0), row("2 2 2"), row("1 3 4"), "A row whose "
                    "numbers are all equal, and no epsilon.", "the spread is 0", NORMS),
            refused("softmax-pass", Pass(), Softmax(), row("2 1 2"), row("1 3 4"), "Pass on a softmax.", "an output "
                    "has "
                    "several inputs", ATTENTION)):
        yield replace(case, topic="refused")
