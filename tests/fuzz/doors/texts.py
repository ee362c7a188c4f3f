"""Texts and vocabularies: words, ids, files of tokens in any encoding; tokens and numbers for a coloured line."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import Attempt, Door

from lrp_ref.command.tokens import text_of
from lrp_ref.pictures import words

FOLDER = Path(tempfile.mkdtemp(prefix="texts"))
WORDS = ("the", "film", "##ed", "0", "3", "-1", "1e9", "9" * 400, "\u0663", "\x1b[2J", "\0", "", " ", "x" * 5000,
         "\ud800", "é")
ENDINGS = (b"", b"\n", b"\xff\xfe", b"\0" * 3, b"\xef\xbb\xbf", "é".encode("latin-1"))


def one_of(rng: np.random.Generator, choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def given(rng: np.random.Generator) -> list[str]:
    return [one_of(rng, WORDS) for _ in range(rng.integers(0, 5))]


def text(rng: np.random.Generator) -> Attempt:
    """A text beside a file of tokens, a file that is something else, or none."""
    path = FOLDER / one_of(rng, ("words.txt", "tokenizer.json", "none.txt", ""))
    if path.name.startswith("words") or path.suffix == ".json":
        lines = "\n".join(rng.permutation(WORDS[:6]).tolist() + given(rng)).encode("utf-8", "surrogatepass")
        path.write_bytes(b"".join((one_of(rng, ENDINGS), lines, one_of(rng, ENDINGS))))
    vocabulary, said = one_of(rng, (None, str(path), str(path))), " ".join(given(rng))
    return Attempt(f"text: {said[:80]!r}, {vocabulary}", lambda: text_of(said, vocabulary))


def line(rng: np.random.Generator) -> Attempt:
    """Tokens and numbers, and all that is made of them."""
    tokens: Any = one_of(rng, (given(rng), "text", None, [1, "a"], tuple(given(rng)), np.array(["a", "b"]), {"a": 1}))
    count = len(tokens) if tokens is not None and rng.integers(4) else 2
    numbers: Any = rng.choice([0.0, 1.0, -2.0, 1e-320, 1e308, np.nan, np.inf], size=count,
                              p=[.3, .3, .2, .06, .06, .04, .04])
    numbers = one_of(rng, (numbers, numbers, numbers.tolist(), numbers.astype(object), numbers[None], None, "1"))
    colours = one_of(rng, ("safe", "paper", "paper", "red", None, ["safe"]))

    def made() -> None:
        one = words(tokens, numbers, colours)
        one.terminal().encode(), one.page("title").encode(), str(one).encode()

    return Attempt(f"line: {str(tokens)[:80]!r}, {numbers!r}, {colours!r}", made)


DOORS = (Door("a text", text), Door("coloured tokens", line))
