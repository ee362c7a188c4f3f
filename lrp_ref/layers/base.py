"""What a layer is: a forward pass, and the linear map it is at a given input."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Self

import numpy as np

from lrp_ref.arrays import Array, Pair, Shape, convert_numbers, finite, not_finite, number_type
from lrp_ref.layers.window import Window
from lrp_ref.linear_map import LinearMap


class Layer:
    """layer(x) is the forward pass; `a, m = layer.linearize(x)` the map it is at x, with m(a) = layer(x).

    lean     the map takes no more memory than its input, so that whole batches can go at once
    tangent  the documented exception: a map near the layer, whose m(a) is not layer(x)
    """

    lean = False
    tangent = False

    def __call__(self, x: Array) -> Array:
        raise NotImplementedError

    def linearize(self, x: Array) -> tuple[Array, LinearMap]:
        raise NotImplementedError

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


def parameter(layer: Layer, name: str, shape: Shape | None = None) -> Array:
    """The parameter as an array, checked: its number type, that it is finite, its shape."""
    given = getattr(layer, name)
    value = given if isinstance(given, np.ndarray) else np.asarray(given)
    kind = type(layer).__name__
    try:
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


def whole(value: Any) -> bool:
    """Whether the value is an int, of Python or NumPy."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def pair(value: Any, kind: str, name: str, least: int) -> Pair:
    """An int for both axes, or one for rows and one for columns."""
    numbers = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    if len(numbers) != 2 or not all(map(whole, numbers)) or min(numbers) < least:
        raise ValueError(f"{kind} got {name}={value!r}, needed an int or a pair of ints of at least {least}")
    return int(numbers[0]), int(numbers[1])


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
    return outputs
