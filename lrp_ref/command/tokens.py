"""lrp-ref explain --tokens: a text in, the relevance of every token and the ledger out."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.command import report
from lrp_ref.command.beginning import notes, start_of, through_of
from lrp_ref.command.outputs import Pictured, dumped, lines_on, save_arrays, spare, writes_arrays
from lrp_ref.command.rule_names import rules_for
from lrp_ref.command.which_model import with_options
from lrp_ref.files import read_regular, writing
from lrp_ref.hints import Watch, did_you_mean, quotable, shown
from lrp_ref.layers import Embedding
from lrp_ref.ledger import COLUMNS
from lrp_ref.models.bundled import find_model
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import INPUT, Network
from lrp_ref.outside import counted
from lrp_ref.relevance import explain

RULE = "attnlrp"       # where no rule is given
VOCABULARY = 1 << 25   # bytes: the largest of those with a quarter of a million tokens have 17 million
PHOTOGRAPHS = ("images", "panels", "output_dir", "bound", "size", "mean", "std", "colour", "maximum", "percentile")


@dataclass(frozen=True)
class Text:
    """A text as a network reads it: the numbers of its tokens, and what they are called."""

    ids: list[int]
    tokens: list[str]


def tokens_command(options: Namespace, watch: Watch) -> str:
    """One text in full."""
    for_texts(options)
    text = text_of(options.tokens, options.vocabulary)
    model = model_for(options, len(text.ids))
    network = model.chain
    target = None if options.target is None else model.class_index(options.target)
    rules = rules_for(model, network, options.rule or RULE, options.first, options.cutoff)
    x: Array = np.array([text.ids], dtype=network.number or np.float64)
    start, through = start_of(options.start, target, model), through_of(options.through, network)
    e = explain(network, x, rules, target if start is None else start, watch, through)
    index = int(e.scores[0].argmax()) if target is None else target
    return report_of_text(options, text, model, e, index, rules)


def report_of_text(options: Namespace, text: Text, model: Model, e: Any, index: int, rules: Any) -> str:
    """What is printed, after the files are written."""
    from lrp_ref.pictures.tokens import words
    from lrp_ref.pictures.views import draws

    line = words(text.tokens, e.relevance[0], options.colours)
    if options.output:
        with writing(options.output) as temporary:
            temporary.write_text(line.page(f"Relevance for {quotable(model.classes[index])}"), encoding="utf-8")
    if options.save:
        accounts = np.array([[float(column[0]) for column in columns] for columns in e.ledger.sums().values()])
        save_arrays(options.save, {
            "relevance": e.relevance, "ids": np.array(text.ids), "tokens": np.array(text.tokens), "scores": e.scores,
            "target": index, "classes": np.array(model.classes), "rules": json.dumps(report.names(rules)),
            "ledger": accounts, "ledger_layers": np.array(e.ledger.names), "ledger_columns": np.array(COLUMNS)})
    if options.json:
        each = [{"token": token, "id": n, "relevance": float(R)}
                for token, n, R in zip(text.tokens, text.ids, e.relevance[0], strict=True)]
        return dumped({"tokens": each, "model": options.model, **report.facts(model, model.chain, e, index, rules),
                       "start": options.start or "logit", "output": options.output, "save": options.save})
    plural = "s" if len(text.ids) > 1 else ""
    lines = [f"{len(text.ids)} token{plural}", *notes(options), "", "relevance", str(line), "",
             report.text(model, model.chain, e, index, rules, options.ledger),
             *lines_on({"save": options.save, "page": options.output})]
    return Pictured("\n".join(lines), line.terminal() if draws() else "")


def for_texts(options: Namespace) -> None:
    """An error, before the work, where an option is for photographs, or a file cannot be written."""
    wrong = [name for name in PHOTOGRAPHS if getattr(options, name)] + ["smooth"] * (options.smooth != 1)
    if wrong:
        what = "a photograph" if wrong[0] == "images" else f"--{wrong[0].replace('_', '-')}"
        raise ValueError(f"got {what} with --tokens, which explains a text: leave one of them out")
    if options.model is None:
        raise ValueError("got --tokens without --model, and no bundled model reads a text: give --model FILE.onnx")
    inputs = [path for path in (options.model, options.vocabulary, options.classes) if path]
    writes_arrays(options.save, *inputs)
    spare("--output", options.output, *inputs)
    if options.output and Path(options.output).suffix not in (".html", ".htm"):
        raise ValueError(f"got --output {quotable(options.output)} with --tokens, which writes a page: needed a name "
                         "that ends in .html")


def model_for(options: Namespace, length: int) -> Model:
    """The model of a file; an error unless it reads token ids and gives named scores."""
    path = options.model
    if Path(path).suffix.lower() == ".onnx":
        from lrp_ref.convert.from_onnx import from_onnx

        network = from_onnx(path, shape=None if fixed(path) else (length,))
        model = Model(network, (), Preprocessing(None), provenance=f"from {quotable(Path(path).name)}")
    else:
        model = find_model(path)
    reads_ids(model.chain, path)
    model = with_options(model, options)
    scores = model.chain.shapes((1, length))[model.chain.output][1:]
    if len(scores) != 1:
        raise ValueError(f"got the model {quotable(path)}, whose output has the shape {scores} for one text, needed a "
                         "score for every class")
    if model.classes and len(model.classes) != scores[0]:
        raise ValueError(f"got {len(model.classes)} class names for the {scores[0]} scores of {quotable(path)}: needed "
                         "a name for every score")
    return model if model.classes else Model(model.chain, [str(n) for n in range(scores[0])], Preprocessing(None))


def fixed(path: str) -> bool:
    """Whether an ONNX file says how many tokens it reads."""
    from lrp_ref.convert.onnx_read import read_onnx

    graph = read_onnx(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    sources = [one for one in graph.input if one.name not in weights]
    return len(sources) != 1 or all(axis.dim_value for axis in sources[0].type.tensor_type.shape.dim[1:])


def reads_ids(network: Network, path: str) -> None:
    """An error where what reads the input is no Embedding."""
    others = [name for name, layer, reads in network.nodes if INPUT in reads and not isinstance(layer, Embedding)]
    if others:
        raise ValueError(f"got --tokens for {quotable(path)}, whose layer {others[0]} reads numbers that are no token "
                         "ids: needed a network that begins with an Embedding")


def text_of(given: str, vocabulary: str | None) -> Text:
    """The text's tokens: ids where there is no vocabulary, else what a tokenizer, or a list of tokens, makes of it."""
    if vocabulary is None:
        ids = [counted(word) for word in given.split()]
        if not ids or None in ids:
            raise ValueError(f"got --tokens {shown(given)} without --vocabulary, needed token ids with spaces between")
        return Text([n for n in ids if n is not None], given.split())
    try:
        data = read_regular(Path(vocabulary), VOCABULARY)
    except FileNotFoundError as error:
        raise ValueError(f"got --vocabulary: {error}") from None
    if Path(vocabulary).suffix == ".json":
        return tokenized(given, data, vocabulary)
    try:
        names = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"got --vocabulary {quotable(vocabulary)}, which is no text in UTF-8, needed a token per "
                         "line, or a tokenizer.json") from None
    places, words = {name: n for n, name in reversed([*enumerate(names)])}, given.split()
    if not words:
        raise ValueError(f"got --tokens {shown(given)}, needed at least one token")
    missing = [word for word in words if word not in places]
    if missing:
        raise ValueError(f"got --tokens {shown(given)}, of which {quotable(missing[0])} is no token in "
                         f"{quotable(vocabulary)}: {did_you_mean(quotable(missing[0]), names)}a tokenizer.json cuts "
                         "texts itself")
    return Text([places[word] for word in words], words)


def tokenized(given: str, data: bytes, path: str) -> Text:
    """What the tokenizer in a tokenizer.json makes of the text, its special tokens included."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ValueError(f"got --vocabulary {quotable(path)}, which the package tokenizers reads: pip install "
                         '"lrp-ref[tokens]"') from None
    try:
        made = Tokenizer.from_buffer(data).encode(given)
    except Exception as error:   # the package raises Exception itself
        raise ValueError(f"got --vocabulary {quotable(path)}, which is no tokenizer that the package tokenizers reads: "
                         f"{quotable(error)}") from None
    if not made.ids:
        raise ValueError(f"got --tokens {shown(given)}, of which the tokenizer makes no token")
    return Text(list(made.ids), list(made.tokens))
