"""What relevance begins with and what it passes through, as a person types it: `--start`, `--through`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.starts import logit_difference, one_hot, softmax_gradient

STARTS = "logit, one-hot, softmax-gradient, difference:CLASS"


def start_of(text: str | None, target: int | None, model: Model) -> Any:
    """What `explain` takes as its target: the class itself, or a function of the scores."""
    name, _, other = ("logit" if text is None else text).partition(":")
    plain = name.strip().lower().replace("_", "-")
    if plain == "difference" and other:
        return lambda scores: logit_difference(scores.argmax(axis=1) if target is None else target,
                                               model.class_index(other))(scores)
    if plain == "difference":
        raise ValueError(f"got --start {text}, needed the other class: --start difference:CLASS")
    starts = {"logit": target, "one-hot": one_hot(target), "softmax-gradient": softmax_gradient(target)}
    if plain not in starts or other:
        raise ValueError(f"got --start {text}, needed one of {STARTS}")
    return starts[plain]


def through_of(texts: Sequence[str], network: Network) -> dict[str, list[int]] | None:
    """{layer: channels} of `layer:0,5`, given once for every layer; None where nothing is."""
    found: dict[str, list[int]] = {}
    for text in texts:
        name, _, numbers = text.rpartition(":") if ":" in text else (text, "", "")
        network.index(name)
        if name in found:
            raise ValueError(f"got --through {name} twice, needed all channels of a layer at once: {name}:0,5")
        try:
            found[name] = [int(number) for number in numbers.split(",")]
        except ValueError:
            raise ValueError(f"got --through {text}, needed LAYER:CHANNEL,CHANNEL, as in {name}:0,5") from None
    return found or None


def for_bounds(options: Namespace) -> None:
    """An error where a bound is asked for of another beginning than the class's score."""
    if options.bound and (options.start or options.through):
        raise ValueError("got --bound with --start or --through, needed the relevance of the class's score: leave one "
                         "of them out")


def notes(options: Namespace) -> list[str]:
    """Lines that say what was asked for besides the class."""
    return [*([f"relevance begins with {options.start}"] if options.start else []),
            *(f"through {text} alone, where the ledger begins" for text in options.through)]
