"""What a layer is: a forward pass, and the linear map it is at a given input."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, Literal, Protocol, Self

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, as_array, convert_numbers, finite, not_finite, number_type
from lrp_ref.hints import shown
from lrp_ref.layers.example import Example
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


@dataclass(frozen=True)
class Roundings:
    """In how many roundings a layer's numbers are made: the map's w (1 + gamma_k) and b + gamma_k size.

    weight   k of a weight; 0 where it is a parameter as it stands. Transcendental functions count as four
    bias     k of a bias
    size     of the numbers of which a bias is the sum, (channels,)
    output   k of layer(x) where that is no sum, 0 where it is numbers as they stand; None: it is the map's sum
    unknown  why there is no such k; then only rules that ask for no weights (Pass, Flat) have a bound
    """

    weight: int = 0
    bias: int = 0
    size: Any = 0.0
    output: int | None = None
    unknown: str = ""


class Drawn(Protocol):
    """The numbers of a small layer, as somebody draws them: choices, arrays of whole numbers, a bias or zeros."""

    @property
    def outputs(self) -> int: ...
    def one_of(self, *choices: Any) -> Any: ...
    def array(self, *shape: int) -> Array: ...
    def bias(self, outputs: int) -> Array: ...


class Layer:
    """layer(x) is the forward pass; `a, m = layer.linearize(x)` the map it is at x, with m(a) = layer(x).

    All that others need to know of a kind of layer are facts that it states itself. By default it states nothing.

    joins       whether it reads several tensors, joined into one array; all that follows is about that array
    lean        the map takes no more memory than its input, so that whole batches can go at once
    approximate the documented exception: a map near the layer, whose m(a) is not layer(x)
    hands_down  the rule it has where none is given: "by contribution" Epsilon(0), "as it is" Pass(), "to the winners"
                Winner(), "evenly" Flat(); None: one must be given
    sees        the window of inputs that an output sees, in rows and columns; None: not one window, or not known
    affine      the map is the same at every x, with a = x
    monotone    no output falls where an input grows
    alike       whether equal windows of inputs have equal outputs: "everywhere", "everywhere, in any order" of the
                window's inputs, "in a channel" of outputs; None: not known
    roundings   in how many roundings its numbers are made
    rowwise     a row of the last axis is made of the input's row in the same place, and of nothing else
    squares     where its rows are descriptors: the sides of the squares of pixels that a row and one number of it see
    """

    joins = False
    lean = False
    approximate = False
    hands_down: Literal["by contribution", "as it is", "to the winners", "evenly"] | None = None
    affine = False
    monotone = False
    alike: Literal["everywhere", "everywhere, in any order", "in a channel"] | None = None
    rowwise = False

    def __post_init__(self) -> None:
        """An error where a parameter that is True or False by default is neither; NumPy's become Python's."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, (bool, np.bool_)):
                    raise ValueError(f"{type(self).__name__} got {field.name}={shown(value)}, needed True or False")
                object.__setattr__(self, field.name, bool(value))

    @property
    def sees(self) -> Window | None:
        return None

    def sees_in(self, shape: Shape) -> Window | None:
        """The same of an input of that shape, which may say more."""
        return self.sees

    @property
    def roundings(self) -> Roundings:
        return Roundings(unknown="does not say in how many roundings its weights are made")

    @property
    def weighted(self) -> bool:
        """Whether weights of the model share relevance out here: a rule for every layer with weights is for this."""
        return self.hands_down == "by contribution" and bool(self.arrays())

    @property
    def doubt(self) -> str:
        """What is odd in the layer's parameters, said where it becomes part of a model; "": nothing."""
        return ""

    @classmethod
    def example(cls) -> Example:
        """A small layer of this kind in Fractions, every dimension different, with padding if it has any."""
        raise NotImplementedError(f"{cls.__name__} has no example: give it a classmethod example()")

    def undecided(self, low: Array, high: Array, value: Array, alike: Array) -> Array:
        """The outputs whose weights are not known to be the same at every x, low <= x <= high; value is one of these.

        alike: units of the same number have the same x.
        """
        outputs = np.ones(self.output_shape(low.shape), bool)
        return outputs & (not self.affine and bool((low != high).any()))

    @property
    def squares(self) -> tuple[Pair, ...]:
        return ()

    def outside(self, x: Array) -> Array | None:
        """What part of every output's square lies outside the image (1, ..); None: none does, or it is not known."""
        return None

    def vanishing(self, x: Array, least: float, largest: float) -> Array | bool:
        """The outputs whose weights at x are made of a number above the largest, or not 0 but below the least.

        Of the weights themselves only those that come out as 0: others can be seen. False: none.
        """
        return False

    def normalised(self, mean: Array, gain: Array, shift: Array) -> Layer | None:
        """(layer(x) - mean) gain + shift, each (outputs,), as one layer of this kind; None: there is none."""
        return None

    def scaled(self, gain: Array, shift: Array, shape: Shape | None) -> Layer | None:
        """layer(x gain + shift), each (channels,) of x, as one layer of this kind; None: there is none.

        shape: that of x, where the sum depends on it; None: not known.
        """
        return None

    def smaller(self, shape: Shape, drawn: Drawn) -> Layer | None:
        """A small layer of this kind for inputs of that shape; None: none is drawn.

        What has no numbers of its own is taken as it is. Strides, padding and groups it has only if this layer has.
        """
        return None if self.arrays() else self

    def join(self, *parts: Array) -> Array:
        """The tensors that the layer reads as the one array that it takes."""
        return parts[0]

    def joined(self, *shapes: Shape) -> Shape:
        """The shape of `join` of tensors of these shapes; an error where they do not go together."""
        return shapes[0]

    def split(self, x: Array, *shapes: Shape) -> tuple[Array, ...]:
        """What `join` put together taken apart again, into tensors of these shapes."""
        return (x,)

    def __call__(self, x: Array) -> Array:
        raise NotImplementedError

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        raise NotImplementedError

    def derivative(self, x: Array) -> LinearMap:
        """w_ij = dz_j / dx_i and b_j = z_j - sum_i x_i w_ij: the tangent at x; an error where it is not stated.

        Of a layer whose map is straight it is that map. Where there is a kink it is that of one side, and among tied
        winners that of their mean.
        """
        return self.linearize(x)[1].tangent(x)

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of layer(x) for an x of that shape; an error where the layer cannot take it."""
        return shape

    def arrays(self) -> dict[str, Array]:
        """The layer's arrays by the names of its constructor."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    def astype(self, number: type) -> Self:
        """The layer with its arrays in another number type: numpy.float32, numpy.float64, Fraction, Decimal."""
        new = {name: convert_numbers(value, number) for name, value in self.arrays().items()}
        return replace(self, **new) if new else self  # type: ignore[type-var]


PIXELS = 1 << 16     # rows or columns of a window, a stride, a padding: no image file is longer on both sides
NUMBERS = 1 << 27    # numbers of an output that is not made of as many inputs: a gigabyte of float64
WINDOWS = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2))   # of small layers, for inputs of at most three numbers


def parameter(layer: Layer, name: str, shape: Shape | None = None) -> Array:
    """The parameter as an array, checked: its number type, that it is finite, its shape."""
    given = getattr(layer, name)
    kind = type(layer).__name__
    try:
        value = as_array(given)
        number_type(value)
    except ValueError as error:
        raise ValueError(f"{kind} {name}: {error}") from None
    if not finite(value):
        index = not_finite(value)
        raise ValueError(f"{kind} {name} is {value[index]} at {index}, needed finite numbers: was training stable?")
    if shape is not None and value.shape != shape:
        raise ValueError(f"{kind} got {name} of shape {value.shape}, needed {shape}")
    object.__setattr__(layer, name, value)
    return value


def normalised_bias(bias: Array | None, mean: Array, gain: Array, shift: Array, outputs: int) -> Array:
    """(b - mean) gain + shift, each (outputs,)"""
    if len(mean) != outputs:
        raise ValueError(f"numbers for {len(mean)} channels, but there are {outputs} outputs")
    return ((0 * mean if bias is None else bias) - mean) * gain + shift


def same_channels(gain: Array, inputs: int) -> None:
    """An error unless there is one number for each channel that a layer takes."""
    if len(gain) != inputs:
        raise ValueError(f"numbers for {len(gain)} channels, but the layer above takes {inputs}")


def whole(value: Any) -> bool:
    """Whether the value is an int, of Python or NumPy, that an index can be."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and abs(int(value)) < 1 << 63


def several(value: Any) -> tuple[Any, ...]:
    """What a tuple, a list or a vector holds; any other value alone."""
    some = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim == 1)
    return tuple(value) if some else (value,)


def pair(value: Any, kind: str, name: str, least: int) -> Pair:
    """An int for both axes, or one for rows and one for columns."""
    numbers = several(value)
    numbers = numbers if isinstance(value, (tuple, list, np.ndarray)) else 2 * numbers
    if len(numbers) != 2 or not all(map(whole, numbers)) or min(numbers) < least:
        raise ValueError(f"{kind} got {name}={shown(value)}, needed an int or a pair of ints of at least {least}")
    if max(numbers) > PIXELS:
        raise ValueError(f"{kind} got {name}={shown(value)}, needed at most {PIXELS}, more than the pixels of an image")
    return int(numbers[0]), int(numbers[1])


Sides = Pair | tuple[Pair, Pair]


def sides(value: Any, kind: str) -> Sides:
    """A padding: an int, (rows, columns), or ((above, below), (left, right)) where the sides differ."""
    both = several(value)
    if len(both) != 2 or not any(isinstance(side, (tuple, list, np.ndarray)) for side in both):
        return pair(value, kind, "pad", 0)
    try:
        rows, columns = (pair(side, kind, "pad", 0) for side in both)
    except ValueError:
        raise ValueError(f"{kind} got pad={shown(value)}, needed an int, (rows, columns), or ((above, below), (left, "
                         f"right)), all from 0 to {PIXELS}") from None
    same = rows[0] == rows[1] and columns[0] == columns[1]
    return (rows[0], columns[0]) if same else (rows, columns)


def ends(pad: Sides) -> tuple[Pair, Pair]:
    """Before and after: above and left, below and right."""
    (top, bottom), (left, right) = ((side, side) if isinstance(side, int) else side for side in pad)
    return (top, left), (bottom, right)


def must_fit(kind: str, inputs: Shape, outputs: Shape) -> None:
    """An error where the outputs are too many numbers to begin with."""
    if prod(outputs) > max(NUMBERS, 16 * prod(inputs)):
        raise ValueError(f"{kind} makes {prod(outputs):,} numbers of an input of shape {inputs}, needed at most "
                         f"{NUMBERS:,}: is its padding or size a mistake?")


def windowed(layer: Layer, window: Window, shape: Shape) -> Pair:
    """The output's rows and columns; an error where the input is no batch of images or too small."""
    kind = type(layer).__name__
    if len(shape) != 4:
        raise ValueError(f"{kind} got an input of shape {shape}, needed (N, C, H, W)")
    outputs = window.outputs((shape[2], shape[3]))
    if min(outputs) < 1:
        least = " x ".join(str(max(1, k - p - q)) for k, p, q in zip(window.extent, window.before, window.after))
        raise ValueError(f"{kind} got an image of {shape[2]} x {shape[3]} (shape {shape}), but its window needs "
                         f"at least {least}: use a larger image")
    must_fit(kind, shape, (*shape[:2], *outputs))
    return outputs
