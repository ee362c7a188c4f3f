"""What torch's modules and functions with weights, windows or one formula for every unit are here.

Every function takes the tensor that a call is about and torch's own arguments by torch's own names: those of a module
are its attributes. It gives back a Tensor, or refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_tensor import Tensor, both, integers, own_array
from lrp_ref.hints import shown
from lrp_ref.layers import (
    ELU,
    GELU,
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Hardsigmoid,
    Hardswish,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Tanh,
    Upsample,
)

# ---- With weights ----


def linear(x: Tensor, weight: Any, bias: Any = None) -> Tensor:
    array: Any = own_array(weight)
    return x.then(Linear(np.ascontiguousarray(array.T), own_array(bias)))


def transposed_linear(x: Tensor, weight: Any, bias: Any = None) -> Tensor:
    """Hugging Face's Conv1D, whose weight is (inputs, outputs)."""
    return x.then(Linear(own_array(weight), own_array(bias)))


def conv2d(x: Tensor, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: Any = 1, padding_mode: Any = "zeros") -> Tensor:
    refuse(padding_mode != "zeros", f"padding_mode={shown(padding_mode)}, needed 'zeros'")
    array: Any = own_array(weight)
    pad = padded(padding, array.shape[2:], both(dilation)) if isinstance(padding, str) else both(padding)
    return x.then(Conv2D(array, own_array(bias), both(stride), pad, both(dilation), groups))


def padded(padding: str, sizes: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """(before, after) of rows and of columns: a 'same' padding that is odd has one more after."""
    refuse(padding not in ("same", "valid"), f"padding={shown(padding)}, needed numbers, 'same' or 'valid'")
    around = [(k - 1) * d if padding == "same" else 0 for k, d in zip(sizes, dilation)]
    return tuple((n // 2, n - n // 2) for n in around) if any(n % 2 for n in around) else tuple(n // 2 for n in around)


def conv_transpose2d(x: Tensor, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: Any = 1, dilation: Any = 1) -> Tensor:
    return x.then(ConvTranspose2D(own_array(weight), own_array(bias), both(stride), both(padding), both(dilation),
                                  groups, both(output_padding)))


def batch_norm(x: Tensor, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
               training: Any = False, momentum: Any = 0.1, eps: Any = 1e-5) -> Tensor:
    refuse(running_mean is None, "no running statistics, needed track_running_stats=True")
    refuse(training is not False, "training=True, whose statistics are those of the batch: needed training=False")
    mean, variance = own_array(running_mean), own_array(running_var)
    ones = np.ones_like(mean)
    scale = ones if weight is None else own_array(weight)
    shift = 0 * ones if bias is None else own_array(bias)
    return x.then(BatchNorm(mean, variance, scale, shift, eps))


# ---- Windows ----


def max_pool(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: Any = False, return_indices: Any = False) -> Tensor:
    refuse(both(dilation) != (1, 1), "dilation, which MaxPool does not have")
    refuse(return_indices, "return_indices=True, needed False")
    return x.then(MaxPool(both(kernel_size), stride_of(stride), both(padding), ceil_mode))


def avg_pool(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: Any = False,
               count_include_pad: Any = True, divisor_override: Any = None) -> Tensor:
    refuse(divisor_override is not None, "divisor_override, needed None")
    return x.then(AvgPool(both(kernel_size), stride_of(stride), both(padding), ceil_mode, count_include_pad))


def stride_of(stride: Any) -> Any:
    """None, the window's own size, or rows and columns."""
    return None if stride is None or stride in ([], ()) else both(stride)


def adaptive_avg_pool2d(x: Tensor, output_size: Any) -> Tensor:
    return x.then(AdaptiveAvgPool(adaptive(x, output_size)))


def adaptive_max_pool2d(x: Tensor, output_size: Any, return_indices: Any = False) -> Tensor:
    refuse(return_indices, "return_indices=True, needed False")
    outputs, image = adaptive(x, output_size), x.shape[2:]
    refuse(any(n % v for n, v in zip(image, outputs)), f"windows of several sizes, {image} pixels in {outputs}")
    return x.then(MaxPool(tuple(n // v for n, v in zip(image, outputs))))


def adaptive(x: Tensor, output_size: Any) -> tuple[int, ...]:
    """Rows and columns of an adaptive pooling; None is as many as there are."""
    size = both(output_size)
    refuse(None in size and x.sizes is None, "output_size with None, needed numbers, or an example")
    return tuple(x.shape[axis] if n is None else n for axis, n in zip((2, 3), size))


# ---- One axis of pixels: an image of one row ----


def in_a_row(two: Callable[..., Tensor], sizes: str) -> Callable[..., Tensor]:
    """The function for rows (N, C, L) by that for images: as (N, C, 1, L), in which `sizes` are of columns alone."""
    own = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_size": 1}

    def one(x: Tensor, *args: Any, **given: Any) -> Tensor:
        names = sizes.split()
        given |= dict(zip(names, args))
        for name in names:
            value: Any = given.get(name)
            if name == "weight":
                given[name] = value.unsqueeze(2)
            elif name in own and value is not None and not isinstance(value, str) and value != []:
                given[name] = (own[name], *integers(value, 1))
        refuse(x.sizes is not None and len(x.shape) != 3, "a row without a batch or channels, needed (N, C, L)")
        image = x.then(Reshape((-1, 1, x.shape[-1])), "as_image")
        made = two(image, **given)
        named = Tensor(made.sizes, made.number, made.layer, made.reads)
        return named.then(Reshape((-1, made.shape[-1])), "as_row")

    one.takes = sizes.split()   # type: ignore[attr-defined]
    return one


conv1d = in_a_row(conv2d, "weight bias stride padding dilation groups padding_mode")
max_pool1d = in_a_row(max_pool, "kernel_size stride padding dilation ceil_mode return_indices")
avg_pool1d = in_a_row(avg_pool, "kernel_size stride padding ceil_mode count_include_pad")
adaptive_avg_pool1d = in_a_row(adaptive_avg_pool2d, "output_size")


# ---- One formula for every unit ----


def relu(x: Tensor, inplace: Any = False) -> Tensor:
    return x.then(ReLU())


def relu6(x: Tensor, inplace: Any = False) -> Tensor:
    return x.then(Clip(0, 6))


def hardtanh(x: Tensor, min_val: Any = -1.0, max_val: Any = 1.0, inplace: Any = False) -> Tensor:
    return x.then(Clip(min_val, max_val))


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    return x.then(Clip(min, max))


def clamp_max(x: Tensor, max: Any) -> Tensor:
    return x.then(Clip(None, max))


def leaky_relu(x: Tensor, negative_slope: Any = 0.01, inplace: Any = False) -> Tensor:
    return x.then(LeakyReLU(negative_slope))


def prelu(x: Tensor, weight: Any) -> Tensor:
    slopes: Any = own_array(weight)
    return x.then(LeakyReLU(slopes if slopes.size > 1 else slopes.reshape(-1)[0].item()))


def elu(x: Tensor, alpha: Any = 1.0, inplace: Any = False) -> Tensor:
    return x.then(ELU(alpha))


def gelu(x: Tensor, approximate: Any = "none") -> Tensor:
    return x.then(GELU(approximate == "tanh"))


def gelu_by_tanh(x: Tensor) -> Tensor:
    """Hugging Face's, written out there."""
    return x.then(GELU(True))


def bare(kind: type[Layer]) -> Callable[..., Tensor]:
    """A function without parameters."""
    def function(x: Tensor, inplace: Any = False) -> Tensor:
        return x.then(kind())

    return function


silu, sigmoid, tanh, hardswish, hardsigmoid = map(bare, (SiLU, Sigmoid, Tanh, Hardswish, Hardsigmoid))


def lrn(x: Tensor, size: Any, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0) -> Tensor:
    return x.then(LRN(size, alpha, beta, k))


def interpolate(x: Tensor, size: Any = None, scale_factor: Any = None, mode: Any = "nearest",
                align_corners: Any = None, recompute_scale_factor: Any = None, antialias: Any = False) -> Tensor:
    refuse(mode not in ("nearest", "nearest-exact"), f"mode={shown(mode)}, needed 'nearest'")
    if size is not None:
        rows, columns = (n / m for n, m in zip(both(size), x.shape[2:]))
    else:
        given = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * 2
        rows, columns = (float(factor) for factor in given)
    refuse(any(factor != int(factor) or factor < 1 for factor in (rows, columns)), f"makes {rows:g} rows of one and "
           f"{columns:g} columns of one, needed whole numbers")
    return x.then(Upsample((int(rows), int(columns))))


# ---- Nothing, in evaluation ----


def identity(x: Tensor, *more: Any, **named: Any) -> Tensor:
    return x


def dropout(x: Tensor, p: Any = 0.5, training: Any = True, inplace: Any = False) -> Tensor:
    refuse(training is not False, "training=True, which drops at random: needed training=self.training, after eval()")
    return x


def stochastic_depth(x: Tensor, p: Any, mode: Any, training: Any = True) -> Tensor:
    return dropout(x, p, training)
