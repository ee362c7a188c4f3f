"""lrp_toolbox's text format for networks: one record per layer, lowest first, numbers in plain text.

    Linear I J               then I J weights, w_ij with i first, then J biases
    Convolution h w C O s t  then h w C O weights in that order of axes, then O biases; strides s (rows), t (columns)
    SumPool h w s t          sum / sqrt(h w)
    MaxPool h w s t
    Rect, Tanh, Flatten, SoftMax

Images are (H, W, C) there and (C, H, W) here, so the rows of the Linear behind a Flatten change their order.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left
from dataclasses import dataclass
from math import isfinite, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Pair
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.layers import Conv2D, Flatten, Layer, Linear, MaxPool, ReLU, SumPool, Tanh
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network
from lrp_ref.outside import LETTERS, counted

SIZES = {"Linear": 2, "Convolution": 6, "SumPool": 4, "MaxPool": 4, "Rect": 0, "Tanh": 0, "Flatten": 0, "SoftMax": 0}
NUMPY_NUMBER = re.compile(r"np\.float\d+\(([^()]*)\)")
TOKEN = re.compile(r"\S+")
LARGEST = 1 << 27     # bytes of a text, 6 million weights in full; all of them are in memory as text and as numbers
SIDES = 512           # pixels of the largest square image that is thought of


@dataclass
class Lines:
    """The lines of a file that are not blank, with their numbers, read one after the other."""

    path: str
    lines: list[tuple[int, str]]
    at: int = 0

    def next(self, wanted: str) -> tuple[int, str]:
        if self.at == len(self.lines):
            last = self.lines[-1][0] if self.lines else 0
            raise ValueError(f"{self.path} ends after line {last}, needed {wanted}: is the file complete?")
        self.at += 1
        return self.lines[self.at - 1]

    def numbers(self, count: int, what: str) -> Array:
        """The next line as `count` numbers. There is room for no more than it has, whatever a size before it says."""
        line, text = self.next(f"{count} numbers for {what}")
        has = tokens_in(text)
        if has != count:
            raise ValueError(f"{self.path} line {line}: got {has} numbers for {what}, needed {count}")
        tokens = (token[0] for token in TOKEN.finditer(text))
        return np.fromiter((self.number(line, n, token) for n, token in enumerate(tokens, 1)), np.float64, count)

    def number(self, line: int, n: int, token: str) -> float:
        if "(" in token:
            token = NUMPY_NUMBER.sub(r"\1", token)
        try:
            value = float(token)
        except ValueError:
            raise ValueError(f"{self.path} line {line}: token {n}, {shown(token)}, is no number") from None
        if not isfinite(value) or "_" in token:   # Python reads 1_0 as 10
            raise ValueError(f"{self.path} line {line}: token {n} is {quotable(token)}, needed a finite number")
        return value


def tokens_in(text: str) -> int:
    """How many words a line has: one more than there are blanks between words."""
    return sum(1 for _ in TOKEN.finditer(text))


def read_text(path: Path) -> Model:
    """The model in a text file of lrp_toolbox, in its new form or the legacy one (a weight matrix over I lines).

    A SoftMax at the end is dropped, with a warning: relevance starts at the score. The format knows no input size, no
    preprocessing and no class names: pixels go to [-1, 1] as in lrp_toolbox's demonstrations, the size is the smallest
    square that fits, classes are numbered. Behind a Flatten at the very end, the scores are in the order (C, H, W).
    """
    name = quotable(path, LETTERS)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ValueError(f"{name} has {size} bytes, needed at most {LARGEST}: save the model as .npz")
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text file of lrp_toolbox: it is not ASCII") from None
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}: may you read it?") from None
    lines = Lines(name, [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()])
    layers: list[tuple[str, Layer]] = []
    counts: dict[str, int] = {}
    axes, dropped = Axes(), ""
    while lines.at < len(lines.lines):
        line, record = lines.next("a layer")
        word, *tokens = record[:LETTERS].split()
        if word not in SIZES:
            raise ValueError(f"{name} line {line}: got {shown(word)}, needed one of {listed(SIZES)}")
        sizes = [count for token in tokens if (count := counted(token))]
        if len(tokens) != SIZES[word] or len(sizes) != SIZES[word] or len(record) > LETTERS:
            raise ValueError(f"{name} line {line}: got {shown(' '.join([word, *tokens]))}, needed {word} and "
                             f"{SIZES[word]} positive whole numbers")
        if word == "SoftMax":
            if lines.at < len(lines.lines):
                raise ValueError(f"{name} line {line}: got a SoftMax before other layers, which LRP has no rule for")
            dropped = ", its final SoftMax dropped"
            warnings.warn(f"{quotable(path.name)}: the final SoftMax was dropped, relevance starts at the score",
                          stacklevel=4)
            break
        try:
            layer = read_layer(word, sizes, lines)
            channels = axes.after(layer)
            if isinstance(layer, Linear):
                layer = Linear(channels_first(layer.weight, channels), layer.bias)
        except ValueError as error:
            where = "" if str(error).startswith(name) else f"{name} line {line}: "
            raise ValueError(f"{where}{error}") from None
        counts[word] = counts.get(word, 0) + 1
        layers.append((f"{word.lower()}{counts[word]}", layer))
    if not layers:
        raise ValueError(f"{name} holds no layer: is it a text file of lrp_toolbox?")
    network = Network(layers)
    first = next((layer for _, layer in layers if isinstance(layer, Conv2D)), None)
    colour = "rgb" if first is not None and first.weight.shape[1] == 3 else "grey"
    preprocessing = Preprocessing(smallest_square(network), colour, mean=(0.5,), std=(0.5,))
    classes = [str(n) for n in range(outputs(network))]
    provenance = f"read from lrp_toolbox's text format, {quotable(path.name)}{dropped}"
    return Model(network, classes, preprocessing, provenance=provenance)


def read_layer(word: str, sizes: list[int], lines: Lines) -> Layer:
    """The layer of one record, whose numbers follow on the next lines."""
    if word == "Linear":
        i, j = sizes
        here = lines.lines[lines.at : lines.at + 1]
        if i > 1 and here and tokens_in(here[0][1]) == j:   # legacy: a line per input
            weight = np.stack([lines.numbers(j, f"row {n} of {i} of a legacy Linear") for n in range(1, i + 1)])
        else:
            weight = lines.numbers(i * j, f"the weights of Linear {i} {j}").reshape(i, j)
        return Linear(weight, lines.numbers(j, f"the biases of Linear {i} {j}"))
    if word == "Convolution":
        h, w, c, o, s, t = sizes
        weight = lines.numbers(h * w * c * o, f"the weights of Convolution {h} {w} {c} {o}").reshape(h, w, c, o)
        bias = lines.numbers(o, f"the biases of Convolution {h} {w} {c} {o}")
        return Conv2D(np.ascontiguousarray(weight.transpose(3, 2, 0, 1)), bias, stride=(s, t))
    if word == "SumPool":
        h, w, s, t = sizes
        return SumPool((h, w), (s, t), 1 / sqrt(h * w))
    if word == "MaxPool":
        h, w, s, t = sizes
        return MaxPool((h, w), (s, t))
    return {"Rect": ReLU, "Tanh": Tanh, "Flatten": Flatten}[word]()


@dataclass
class Axes:
    """What the data are as they go up: images of so many channels (0: not known), or flat."""

    channels: int = 0
    flat: bool = False

    def after(self, layer: Layer) -> int:
        """Go up through a layer. For a Linear: the channels of the image it was flattened from; else 1."""
        if isinstance(layer, Conv2D):
            self.channels = len(layer.weight)
        if isinstance(layer, Flatten) and not self.flat:
            if not self.channels:
                raise ValueError("got Flatten before any Convolution, so the number of channels is not known: "
                                 "save the model as .npz")
            self.flat = True
        if not isinstance(layer, Linear):
            return 1
        if self.channels and not self.flat:
            raise ValueError("got a Linear on images, which lrp_toolbox applies along the channels and this program "
                             "along the rows: put a Flatten before it")
        channels, self.channels, self.flat = self.channels or 1, 0, True
        if len(layer.weight) % channels:
            raise ValueError(f"got a Linear of {len(layer.weight)} inputs behind Flatten, needed a multiple of the "
                             f"{channels} channels before it")
        return channels


def channels_first(weight: Array, channels: int) -> Array:
    """Rows in the order (H, W, C) to rows in the order (C, H, W)."""
    return np.ascontiguousarray(weight.reshape(-1, channels, weight.shape[1]).transpose(1, 0, 2)).reshape(weight.shape)


def channels_last(weight: Array, channels: int) -> Array:
    """Rows in the order (C, H, W) to rows in the order (H, W, C)."""
    return channels_first(weight, len(weight) // channels)


def outputs(network: Network) -> int:
    """How many scores the last layer with weights gives."""
    layers = [layer for _, layer in network if isinstance(layer, (Linear, Conv2D))]
    if not layers:
        return 0
    return layers[-1].weight.shape[1] if isinstance(layers[-1], Linear) else len(layers[-1].weight)


def smallest_square(network: Network) -> Pair | None:
    """The smallest square image that the network can take; None where there is none up to SIDES, or no convolution.

    What reaches the first Linear grows with the image, so that its size is found by halving.
    """
    layers = [layer for _, layer in network]
    channels = next((layer.weight.shape[1] for layer in layers if isinstance(layer, Conv2D)), None)
    at, needed = next(((n, len(layer.weight)) for n, layer in enumerate(layers) if isinstance(layer, Linear)),
                      (len(layers), 1))
    if channels is None or at == 0:
        return None
    below = network[:at]

    def reached(n: int) -> int:
        try:
            return prod(below.shapes((1, channels, n, n))[below.output])
        except ValueError:   # too small
            return 0

    n = bisect_left(range(1, SIDES + 1), needed, key=reached) + 1
    try:
        network.shapes((1, channels, n, n))
    except ValueError:
        return None
    return (n, n) if n <= SIDES else None


def to_text(model: Model) -> str:
    """The model in lrp_toolbox's text format (new form), every number in full; errors name a layer it does not know."""
    lines: list[str] = []
    axes = Axes()
    for name, layer in model.chain:
        try:
            channels = axes.after(layer)
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from None
        weight: Any = getattr(layer, "weight", None)
        if type(layer) is Linear:   # not a SpreadLinear, whose bias is read otherwise
            weight = channels_last(weight, channels)
            lines.append("Linear {} {}".format(*weight.shape))
        elif isinstance(layer, Conv2D):
            if layer.pad != (0, 0) or layer.dilation != (1, 1) or layer.groups != 1:
                raise ValueError(f"layer {name} has padding, dilation or groups, which lrp_toolbox's text cannot say: "
                                 "save as .npz")
            weight = weight.transpose(2, 3, 1, 0)
            lines.append("Convolution " + " ".join(map(str, (*weight.shape, *layer.stride))))
        else:
            lines.append(weightless_line(name, layer))
        if weight is not None:
            j = weight.shape[-1]
            bias: Any = layer.bias  # type: ignore[attr-defined]
            lines.append(" ".join(repr(float(w)) for w in weight.flat))
            lines.append(" ".join(repr(float(b)) for b in (np.zeros(j) if bias is None else bias)))
    return "\n".join(lines) + "\n"


def weightless_line(name: str, layer: Layer) -> str:
    """The line of a layer without weights."""
    what = type(layer).__name__
    if isinstance(layer, SumPool):
        scale = 1 / sqrt(layer.size[0] * layer.size[1])
        if float(layer.scale) == scale:
            return "SumPool {} {} {} {}".format(*layer.size, *layer.stride)
        what += f" with scale={float(layer.scale)} and not 1/sqrt(h w) = {scale}"
    if isinstance(layer, MaxPool):
        if layer.pad == (0, 0) and not layer.ceil:
            return "MaxPool {} {} {} {}".format(*layer.size, *layer.stride)
        what += " with padding or ceil=True"
    for kind, word in ((ReLU, "Rect"), (Tanh, "Tanh"), (Flatten, "Flatten")):
        if isinstance(layer, kind):
            return word
    raise ValueError(f"layer {name}, a {what}, has no record in lrp_toolbox's text format: save as .npz")
