"""The questions that formulas leave open, in words: a title for each, and a phrase for each answer.

The fields of `dialects.Conventions`, whose docstring says what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLES = {
    "start": "where relevance starts", "epsilon": "what epsilon does to z", "epsilon_sign": "the sign of epsilon",
    "sign_of_zero": "the sign of 0", "default_epsilon": "epsilon where none is given",
    "zero_rule": "Epsilon(0) where z = 0", "stabiliser": "stabiliser of the other rules",
    "pool_epsilon": "epsilon in average pooling", "bias_epsilon": "bias in epsilon",
    "bias_alpha_beta": "bias in alpha-beta", "split": "what alpha-beta splits by sign",
    "alpha_beta": "alpha and beta", "small_negative": "the negative sum of alpha-beta", "gamma": "gamma",
    "bias_gamma": "bias in gamma", "bias_w_square": "bias in w-square", "bias_z_box": "bias in z-box",
    "flat": "flat", "w_square": "w-square at a border", "max_pool": "max-pooling",
    "flat_max_pool": "flat in max-pooling", "batch_norm": "batch norm", "lrn": "local response norm",
}

PHRASES: dict[str, dict[Any, str]] = {
    "start": {"score": "the target's score", "all scores": "all scores", "one": "1", "chosen": "what the caller gives"},
    "epsilon": {"added": "added to z", "clipped": "|z| is raised to epsilon",
                "scaled": "times the root mean square of z"},
    "epsilon_sign": {"z": "that of z", "none": "epsilon has no sign"},
    "sign_of_zero": {1: "sign(0) = +1", -1: "sign(0) = -1", 0: "z = 0 is not divided by"},
    "zero_rule": {"dead": "hands nothing down", "nan": "not a number"},
    "stabiliser": {0: "none"},
    "pool_epsilon": {"output": "added to the output", "sum": "added to the sum"},
    "bias_epsilon": {"kept": "kept in the denominator", "left out": "left out of the denominator"},
    "bias_alpha_beta": {"split": "split by sign", "whole": "whole in every denominator", "left out": "left out"},
    "split": {"products": "products", "weights": "weights, not products",
              "quadrants": "inputs and weights: four sums"},
    "alpha_beta": {"difference": "alpha - beta = 1", "sum": "alpha + beta = 1"},
    "small_negative": {"own": "from its own products", "difference": "z - z+, which cancels"},
    "gamma": {"general": "by the signs of z and of the inputs", "weights": "w + gamma w+ whatever the signs",
              "squares": "w + gamma w w+"},
    "bias_gamma": {"raised": "raised as the weights are", "kept": "as it is", "left out": "left out"},
    "bias_w_square": {"left out": "left out", "squared": "squared into the denominator"},
    "bias_z_box": {"cancels": "cancels", "positive": "b+ stays in the denominator"},
    "flat": {"inside": "1 over the inputs inside the image", "window": "1 over the whole window",
             "channel": "1 over the window of one channel"},
    "w_square": {"inside": "over the weights inside the image", "window": "over the whole window"},
    "max_pool": {"ties share": "tied winners share", "first": "the first winner takes all",
                 "contribution": "a w R / z, nothing where the maximum is 0"},
    "flat_max_pool": {"even": "even", "first": "the first pixel of the window", "winner": "the winner"},
    "batch_norm": {"pass": "R passes", "contribution": "a g R / z"},
    "lrn": {"pass": "R passes", "gradient": "the gradient", "undivided": "first-order terms, undivided"},
}
NUMERIC = ("default_epsilon", "zero_rule", "stabiliser")   # whose answers may be any number


def departs(entry: Mapping[str, Any]) -> bool:
    """Whether an answer is known, and not the canonical one: where none is known, it may be."""
    return entry.get("value") is not None and bool(entry["value"] != entry["canonical"])


def phrase(question: str, value: Any) -> str:
    """An answer in words, or the number it is: phrase("stabiliser", 1e-6) == "1e-6"."""
    if value is None:
        return "none known"
    return PHRASES.get(question, {}).get(value) or plain(value)


def plain(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.9g}".replace("e-0", "e-")


def stated(question: str, value: Any) -> str:
    """Question and answer in one phrase: "bias in w-square: squared into the denominator"."""
    if question in ("sign_of_zero", "epsilon_sign") and value in (-1, 0, 1, "none"):
        return phrase(question, value)   # which says what it is about
    return f"{TITLES[question]}: {phrase(question, value)}"
