"""What torch's parts of tensors, frames around them and changes of their order are here. As in `torch_shapes`."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import accumulate
from typing import Any

from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_shapes import cat, reshape, unsuffixed
from lrp_ref.convert.torch_tensor import Tensor, indexes
from lrp_ref.hints import shown
from lrp_ref.layers import Pad, Reshape, Slice, Transpose


def chunk(x: Tensor, chunks: Any, dim: Any = 0, *, out: Any) -> tuple[Tensor, ...]:
    axis = x.axis(dim)
    ends = list(accumulate(shape[axis] for shape in out))
    return tuple(x.then(Slice(axis, end - shape[axis], end)) for end, shape in zip(ends, out))


def split(x: Tensor, split_size_or_sections: Any = None, dim: Any = 0, *, split_size: Any = None,
          out: Any) -> tuple[Tensor, ...]:
    return chunk(x, split_size_or_sections, dim, out=out)


def unbind(x: Tensor, dim: Any = 0, *, out: Any) -> tuple[Tensor, ...]:
    axis = x.axis(dim)
    return tuple(reshape(x.then(Slice(axis, n, n + 1), "part"), out=shape) for n, shape in enumerate(out))


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """The last entries along an axis put before the others."""
    refuse(dims is None, "dims=None, which shifts images into each other: needed the axes")
    pairs = list(zip(*(one if isinstance(one, (tuple, list)) else (one,) for one in (shifts, dims))))
    for n, (shift, dim) in enumerate(pairs):
        axis = x.axis(dim)
        size = x.shape[axis]
        if shift % size:
            ends = [x.then(Slice(axis, *part), f"axis_{axis}")
                    for part in ((size - shift % size, size), (0, size - shift % size))]
            x = cat(ends, axis) if n == len(pairs) - 1 else replace(cat(ends, axis), suffix=f"along_{axis}")
    return unsuffixed(x)


def getitem(x: Any, index: Any, *, out: Any) -> Any:
    """x[k] of a list; x[:, a:b, ..., k, None] of a tensor."""
    if not isinstance(x, Tensor):
        return x[index]
    given = index if isinstance(index, tuple) else (index,)
    given = indexes(given)
    if 0 in out:   # as the rest of a rotation that turns all
        return sys.modules["torch"].empty(out)
    taken = sum(one is not None and one is not Ellipsis for one in given)
    where = next((n for n, one in enumerate(given) if one is Ellipsis), len(given))
    full = (*given[:where], *[slice(None)] * (len(x.shape) - taken), *given[where + 1 :])
    result = x
    for axis, one in enumerate(one for one in full if one is not None):
        start, stop, step = (one if isinstance(one, slice) else slice(one, one + 1 or None)).indices(x.shape[axis])
        whole = (start, stop, step) == (0, x.shape[axis], 1)
        refuse(axis == 0 and (not whole or not isinstance(one, slice)), "takes some images of the batch, which has "
               "to stay whole")
        result = result if whole else result.then(Slice(axis, start, stop, step), f"axis_{axis}")
    return reshape(result, out=out) if result.shape != out else unsuffixed(result)


def pad(x: Tensor, pad: Any, mode: Any = "constant", value: Any = None) -> Tensor:
    """Torch's padding: before and after the last axis, then those of the one before it, and so on."""
    refuse(mode != "constant", f"mode={shown(mode)}, needed 'constant'")
    pairs = list(zip(pad[::2], pad[1::2]))[::-1]
    refuse(any(n < 0 for two in pairs for n in two), f"a padding {shown(pad)}, needed at least 0: x[:, :, 1:-1] crops")
    every = [(0, 0)] * (len(x.shape) - 1 - len(pairs)) + pairs
    refuse(len(every) >= len(x.shape), "a padding of the batch")
    before, after = (tuple(two[n] for two in every) for n in (0, 1))
    return x.then(Pad(before, after, value or 0))


def constant_pad(x: Tensor, padding: Any, value: Any = 0) -> Tensor:
    """The modules."""
    return pad(x, padding, "constant", value)


def channel_shuffle(x: Tensor, groups: Any) -> Tensor:
    _, channels, *image = x.shape
    wide = x.then(Reshape((groups, channels // groups, *image)), "groups")
    turned = wide.then(Transpose((0, 2, 1, *range(3, len(wide.shape)))), "turned")
    return turned.then(Reshape((channels, *image)))


def pixel_shuffle(x: Tensor, upscale_factor: Any) -> Tensor:
    r = upscale_factor
    _, channels, rows, columns = x.shape
    wide = x.then(Reshape((channels // r**2, r, r, rows, columns)), "pixels")
    return wide.then(Transpose((0, 1, 4, 2, 5, 3)), "turned").then(Reshape((channels // r**2, rows * r, columns * r)))
