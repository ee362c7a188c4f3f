"""The one table of conventions: every question that formulas leave open, its answers, and what each does to a rule.

    TABLE[question].answers[answer] = phrase, what it looks like, disagreement, change(rule, layer, value) -> Rule

A row is {question: answer}; the canonical answer, the first of each question, stands for those that it leaves out.
`spoken(row, rule, layer)` applies a row's answers in the table's order: parameters, which rule a layer has, terms,
bias, padding, map, and last what a denominator gets added. A change that gives back the rule itself is not asked there.
Dialects, the rows of the vectors, likeness, detection and the table of docs/conventions.md are all made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lrp_ref.arrays import positive, same, square
from lrp_ref.conventions import changes as c
from lrp_ref.conventions.changes import SPLIT, Change, when
from lrp_ref.layers import (
    ELU,
    GELU,
    LRN,
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Clip,
    Conv2D,
    Flatten,
    Hardsigmoid,
    Hardswish,
    LayerNorm,
    LeakyReLU,
    Linear,
    MatMul,
    MaxPool,
    Mean,
    Multiply,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Sum,
    SumPool,
    Tanh,
)
from lrp_ref.network import Network
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, Winner, WSquare, ZBox

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """phrase: in reports; looks: "it looks as if .."; disagreement: its number in docs/conventions.md, or ""."""

    phrase: str
    change: Change = c.unchanged
    looks: str = ""
    disagreement: str = ""


@dataclass(frozen=True)
class Question:
    """answers: the canonical one first; number: what any number means, or (form, number), where it may be one."""

    title: str
    answers: Mapping[Any, Answer]
    number: Answer | None = None
    rules: Any = Rule
    layers: Any = None

    @property
    def canonical(self) -> Any:
        return next(iter(self.answers))

    def answer(self, value: Any) -> Answer:
        """The answer that a value is."""
        numeric = not isinstance(value, str) and value not in self.answers
        return self.number if numeric and self.number else self.answers[value]

    def at(self, value: Any, rule: Rule, layer: Any) -> Any:
        """The answer there, exceptions allowed for."""
        return value.at(rule, layer) if isinstance(value, But) else value

    def applied(self, value: Any, rule: Rule, layer: Any) -> Rule:
        """The rule of a library that answers so; the rule itself where the question is not about it."""
        value = self.at(value, rule, layer)
        if value is None or value == self.canonical:
            return rule
        return when(self.rules, self.layers, self.answer(value).change)(rule, layer, value)


@dataclass(frozen=True)
class But:
    """An answer with exceptions: But(1e-6, Flat="dead", Epsilon_AvgPool=0), by rule, layer, or both of them."""

    mostly: Any
    exceptions: Mapping[str, Any] = field(default_factory=dict)

    def at(self, rule: Rule, layer: Any) -> Any:
        by_rule, by_layer = type(c.kind(rule)).__name__, type(layer).__name__
        return next((self.exceptions[place] for place in (f"{by_rule}/{by_layer}", by_rule, by_layer)
                     if place in self.exceptions), self.mostly)


def spoken(row: Row, rule: Rule, layer: Any) -> Rule:
    """What a row's library does under the name of a canonical rule at a layer."""
    for name, question in TABLE.items():
        if name in row:
            rule = question.applied(row[name], rule, layer)
    return rule


def spoken_in(row: Row, rules: Mapping[str, Rule], network: Network) -> dict[str, Rule]:
    """The same of every layer of a network."""
    return {name: spoken(row, rules[name], layer) for name, layer in network}


# ---- Kinds ----

FILLERS = (Flat, WSquare)
OTHERS = (*SPLIT, ZBox, Gamma, *FILLERS)
AVERAGES = (AvgPool, SumPool)
GATES = (ReLU, Tanh)
ACTIVATIONS = (Clip, ELU, GELU, Hardsigmoid, Hardswish, LeakyReLU, Sigmoid, SiLU)
WITHOUT_WEIGHTS = (*AVERAGES, AdaptiveAvgPool, MaxPool, *GATES, Flatten, LRN, *ACTIVATIONS, Add, Mean, Sum)

GIVEN = {"given": Answer("the rule it is given")}
PASSES = {"pass": Answer("R passes", c.passes)}
PASSED_ON = {"pass": Answer("R passes", c.passed_on, "R passed")}
GIVES_SHARES = {"shared": Answer("a share of the product for every factor")}
GRADIENT = {"gradient": Answer("the gradient", c.gradient, "the gradient were handed down")}
INSIDE = {"inside": Answer("over the weights inside the image")}
WINDOW = {"window": Answer("over the whole window", c.window(), "the padding had a share, which is lost", "D5")}
IGNORED = "the bias were ignored"
STABILISED = "z had a stabiliser of {:g}"


def unmapped(disagreement: str) -> dict[str, Answer]:
    """What a layer gives that a library has no rule for."""
    return {"gradient": Answer("the gradient", c.gradient, GRADIENT["gradient"].looks, disagreement)}


def contribution(phrase: str, looks: str, disagreement: str = "") -> dict[str, Answer]:
    return {"contribution": Answer(phrase, c.contribution, looks, disagreement)}


TABLE: dict[str, Question] = {
    # ---- What the caller decides: no change of a rule ----
    "start": Question("where relevance starts", {
        "score": Answer("the target's score"), "all scores": Answer("all scores", disagreement="D15"),
        "one": Answer("1", disagreement="D15"), "chosen": Answer("what the caller gives")}),
    "default_epsilon": Question("epsilon where none is given", {0: Answer("0")}, Answer("{}")),
    "alpha_beta": Question("alpha and beta", {
        "difference": Answer("alpha - beta = 1"), "sum": Answer("alpha + beta = 1"),
        "one, zero": Answer("alpha = 1, beta = 0 alone", c.only_one_zero)}, rules=AlphaBeta),
    # ---- Which parameters, and which rule a layer has ----
    "parameters": Question("epsilon, alpha and beta", {
        "given": Answer("as they are given"),
        "float32": Answer("rounded to float32", c.rounded, "epsilon, alpha and beta were rounded to float32", "D1")}),
    "activation": Question("activations", GIVEN | PASSES | GRADIENT, layers=GATES),
    "flatten": Question("flatten", GIVEN | PASSES, layers=Flatten),
    "average": Question("average pooling", GIVEN | GRADIENT | contribution(
        "a w R / z", "", "D11") | {"sum": Answer("a R / (the sum of a)", c.sum_contribution, "", "D11")},
        layers=(*AVERAGES, AdaptiveAvgPool, Mean)),
    "batch_norm": Question("batch norm", PASSES | contribution(
        "a g R / z", "R were shared with the batch norm's bias", "D13"), layers=BatchNorm),
    "lrn": Question("local response norm", PASSES | GRADIENT | {
        "undivided": Answer("first-order terms, undivided", c.undivided, "first-order terms were handed down undivided",
                            "D14")}, layers=LRN),
    "other_max_pool": Question("other rules in max-pooling", GIVEN | {
        "winner": Answer("as under Winner", c.winner, "the winner took all", "D10")},
        rules=(Epsilon, *SPLIT), layers=MaxPool),
    "flat_max_pool": Question("flat in max-pooling", {
        "even": Answer("even"),
        "first": Answer("the first pixel of the window", c.to_first_pixel, "the first pixel of a window took all",
                        "D10"),
        "winner": Answer("the winner", c.winner, "the winner took all", "D10")}, rules=FILLERS, layers=MaxPool),
    "max_pool": Question("max-pooling", {
        "ties share": Answer("tied winners share"),
        "first": Answer("the first winner takes all", c.gradient, "the first of tied winners took all", "D10"),
        **contribution("a w R / z, nothing where the maximum is 0", "relevance were lost where the maximum is 0",
                       "D10"),
        "average": Answer("run back as an average pooling, a R / (the sum of the window's a)", c.as_average,
                          "a maximum were run back as an average")}, rules=Winner, layers=MaxPool),
    "add": Question("a sum of branches", {
        "shared": Answer("shared by what each branch contributes"),
        "whole": Answer("R whole to every branch", c.gradient, "every branch of a sum received R whole", "D15")},
        layers=Add),
    "multiply": Question("a product of branches", GIVES_SHARES | GRADIENT | {
        "first": Answer("the first factor alone", c.one_factor(0), "the first factor took all")}, layers=Multiply),
    "mat_mul": Question("a matrix product", GIVES_SHARES | GRADIENT | {
        "second": Answer("the second factor alone", c.one_factor(1), "the second factor took all")}, layers=MatMul),
    "softmax": Question("softmax", {"tangent": Answer("its first-order map")} | unmapped("D15") | PASSED_ON | {
        "dead": Answer("nothing", c.hands_nothing, "nothing came through the softmax")}, layers=Softmax),
    "left_out": Question("relevance of a score that softmax leaves out", {
        "dead": Answer("nobody's"), "shared": Answer(
            "shared by the scores that take part, as theirs is", c.shares_left_out,
            "relevance of scores that softmax leaves out was shared by the others", "D20")},
        rules=Epsilon, layers=Softmax),
    "layer_norm": Question("layer norm", {"centred": Answer("each row's mean taken away, at the spread that it has")}
                           | unmapped("D20") | PASSED_ON | {
        "scale passed": Answer("the same, and scale and shift pass", c.without_scale,
                               "scale and shift passed relevance on", "D20")}, layers=LayerNorm),
    # ---- Which terms ----
    "split": Question("what alpha-beta splits by sign", {
        "products": Answer("products"),
        "weights": Answer("weights, not products", c.split_weights, "weights were split, not products", "D3"),
        "weights alone": Answer("weights, and inputs are not asked", c.weights_alone,
                                "weights were split, and inputs not asked"),
        "quadrants": Answer("inputs and weights: four sums", c.quadrants, "each pair of signs had a sum of its own",
                            "D17")}, rules=SPLIT),
    "gamma": Question("gamma", {
        "general": Answer("by the signs of z and of the inputs"),
        "weights": Answer("w + gamma w+ whatever the signs", c.one_form(c.raised),
                          "w + gamma w+ stood for every sign of z and a", "D8"),
        "squares": Answer("w + gamma w w+", c.one_form(c.Squared), "w + gamma (w+)^2 stood for the weights", "D8"),
        "positive products": Answer("a w + gamma (a w)+ whatever the sign of z", c.whatever_sign,
                                    "a w + gamma (a w)+ stood for every sign of z"),
        "positive outputs": Answer("nothing where z < 0", c.of_positive_outputs, "R were dead where z < 0", "D8")},
        rules=Gamma),
    "pool_epsilon": Question("epsilon in average pooling", {
        "output": Answer("added to the output"),
        "sum": Answer("added to the sum", c.on_the_sum, "the stabiliser were added to the sum, not the mean", "D11")},
        rules=(Epsilon, *SPLIT), layers=AVERAGES),
    # ---- Which bias ----
    "groups": Question("the bias of groups", {
        "own": Answer("each has its own"),
        "first": Answer("all have the first's", c.first_bias, "all groups had the bias of the first")},
        rules=(*SPLIT, ZBox), layers=Conv2D),
    "bias_epsilon": Question("bias in epsilon", {
        "kept": Answer("kept in the denominator"),
        "left out": Answer("left out of the denominator", c.bias(c.nothing), IGNORED, "D1")}, rules=Epsilon),
    "bias_alpha_beta": Question("bias in alpha-beta", {
        "split": Answer("split by sign"),
        "whole": Answer("whole in every denominator", c.bias(same), "the whole bias stood in every denominator", "D2"),
        "left out": Answer("left out", c.bias(c.nothing), IGNORED, "D2")}, rules=SPLIT),
    "bias_gamma": Question("bias in gamma", {
        "raised": Answer("raised as the weights are"),
        "kept": Answer("as it is", c.bias(same), "b stood for b + gamma b+", "D8"),
        "left out": Answer("left out", c.bias(c.nothing), f"{IGNORED}, but for the sign of z", "D9")}, rules=Gamma),
    "bias_w_square": Question("bias in w-square", {
        "left out": Answer("left out"),
        "squared": Answer("squared into the denominator", c.bias(square), "b^2 stood in the denominator", "D4")},
        rules=WSquare),
    "bias_z_box": Question("bias in z-box", {
        "cancels": Answer("cancels"),
        "positive": Answer("b+ stays in the denominator", c.bias(positive), "b+ stood in the denominator", "D6")},
        rules=ZBox),
    # ---- What becomes of padding ----
    "flat": Question("flat", {
        "inside": Answer("1 over the inputs inside the image"),
        "window": Answer("1 over the whole window", c.window(), WINDOW["window"].looks, "D5"),
        "channel": Answer("1 over the window of one channel", c.window(per_channel=True),
                          "every input channel were shared out by itself", "D5")}, rules=Flat),
    "w_square": Question("w-square at a border", INSIDE | WINDOW, rules=WSquare),
    "z_box": Question("z-box at a border", INSIDE | WINDOW, rules=ZBox),
    # ---- Which map ----
    "convolution": Question("convolutions", {
        "own": Answer("handed back through their own windows"),
        "padding 1": Answer("handed back as if padding and stride were 1, without groups", c.misreturned,
                            "backwards padding and stride were 1, without groups", "D18")}, layers=Conv2D),
    "batch_norm_rules": Question("rules in batch norm", {
        "factor": Answer("f of the factor"),
        "parameters": Answer("f of scale and shift", c.own_parameters, "f were taken of scale and shift", "D13")},
        rules=OTHERS, layers=BatchNorm),
    "without_weights": Question("rules in layers without weights", {
        "map": Answer("f of a gate or of the weights of a pooling"),
        "layer": Answer("the layer itself at every term's input", c.differentiated,
                        "every term were the layer itself at that term's input", "D10")},
        rules=(Epsilon, *OTHERS), layers=WITHOUT_WEIGHTS),
    # ---- What a denominator gets added ----
    "epsilon": Question("what epsilon does to z", {
        "added": Answer("added to z"),
        "clipped": Answer("|z| is raised to epsilon", c.own_epsilon("clipped"), "the stabiliser raised |z| to epsilon",
                          "D1"),
        "scaled": Answer("times the root mean square of z", c.scaled,
                         "the stabiliser were relative to z's root mean square", "D1")}, rules=Epsilon),
    "epsilon_sign": Question("the sign of epsilon", {
        "z": Answer("that of z"),
        "none": Answer("epsilon has no sign", c.own_epsilon("unsigned"), "the stabiliser had no sign", "D1")},
        rules=Epsilon),
    "sign_of_zero": Question("the sign of 0", {
        1: Answer("sign(0) = +1"), -1: Answer("sign(0) = -1", c.own_epsilon("sign(0) = -1"), "sign(0) = -1", "D1"),
        0: Answer("z = 0 is not divided by", c.own_epsilon("undivided at 0"), "z = 0 were not divided by", "D1"),
        "nan": Answer("sign(0) = 0, and R is divided by 0", c.own_epsilon("sign(0) = 0"), "sign(0) = 0"),
        "dead": Answer("sign(0) = 0, and R over 0 is 0", c.dead_at_zero, "sign(0) = 0, and R over 0 were 0")},
        rules=Epsilon),
    "zero_rule": Question("Epsilon(0) where z = 0", {
        "dead": Answer("hands nothing down"), "nan": Answer("not a number", c.no_epsilon, disagreement="D1")},
        Answer("{}", c.no_epsilon, STABILISED, "D1"), rules=Epsilon),
    "stabiliser": Question("stabiliser of the other rules", {
        0: Answer("none"), "nan": Answer("none, and 0 / 0 is not a number", c.stabilised, disagreement="D19")},
        Answer("{}", c.stabilised, STABILISED, "D1"), rules=OTHERS),
    "small_negative": Question("the negative sum of alpha-beta", {
        "own": Answer("from its own products"),
        "difference": Answer("z - z+, which cancels", c.difference, "z- were computed as z - z+", "D7")},
        rules=SPLIT, layers=(Linear, Conv2D)),
}


# ---- In words ----


def phrase(question: str, value: Any) -> str:
    """An answer in words, or the number it is: phrase("stabiliser", 1e-6) == "1e-6"."""
    if value is None:
        return "none known"
    answers = TABLE[question].answers if question in TABLE else {}
    return answers[value].phrase if not isinstance(value, But) and value in answers else plain(value)


def plain(value: Any) -> str:
    """1e-6, or "at 0: 1e-7", or either with its exceptions."""
    match value:
        case But():
            return "; ".join([plain(value.mostly), *(f"{place} {plain(v)}" for place, v in value.exceptions.items())])
        case (form, number):
            return f"{'without a sign' if form == 'unsigned' else form}: {plain(number)}"
    return value if isinstance(value, str) else "none" if value is None else f"{value:.9g}".replace("e-0", "e-")


def stated(question: str, value: Any) -> str:
    """Question and answer in one phrase: "bias in w-square: squared into the denominator"."""
    if question in ("sign_of_zero", "epsilon_sign") and value in (-1, 0, 1, "none", "nan", "dead"):
        return phrase(question, value)   # which says what it is about
    return f"{TABLE[question].title}: {phrase(question, value)}"


def number(value: Any) -> Any:
    """The answer that a report shows: of exceptions and forms nothing but the answer or number itself."""
    value = value.mostly if isinstance(value, But) else value
    return value[1] if isinstance(value, tuple) else value
