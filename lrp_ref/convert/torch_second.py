"""Tensors that torch has with the batch second, (T, N, ..), as its attention does by default; here they are (N, T, ..).

`Second` holds what is (N, T, ..) here. Calls that work on every row alike, or along an axis that they name, are carried
out on that; a transpose that brings the batch back to the front ends it, and costs no layer, as the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lrp_ref.arrays import Shape
from lrp_ref.convert.refused import refuse
from lrp_ref.convert.torch_tensor import Second, Tensor, dims
from lrp_ref.hints import shown

ROWS = {"Linear", "linear", "ReLU", "relu", "GELU", "gelu", "SiLU", "silu", "Sigmoid", "sigmoid", "Tanh", "tanh",
        "Hardswish", "hardswish", "Hardsigmoid", "hardsigmoid", "Dropout", "dropout", "Identity", "contiguous", "clone",
        "detach", "to", "float", "double", "LayerNorm", "layer_norm", "RMSNorm", "rms_norm", "MultiheadAttention",
        "TransformerEncoderLayer", "TransformerEncoder"}
SPREAD = {"add", "iadd", "sub", "isub", "subtract", "mul", "imul", "multiply", "div", "truediv", "itruediv", "divide",
          "neg", "negative"}
ALONG = {"softmax": 1, "chunk": 2, "split": 2, "cat": 1, "concat": 1, "concatenate": 1, "mean": 1, "sum": 1}
ITSELF = {"transpose", "swapaxes", "swapdims", "permute", "getattr", "getitem"}   # know of Second, or are done here


def has_second(value: Any) -> bool:
    """Whether a Second is among a call's arguments."""
    if isinstance(value, dict):
        return any(map(has_second, value.values()))
    return any(map(has_second, value)) if isinstance(value, (list, tuple)) else isinstance(value, Second)


def in_order(part: Any, args: Any) -> None:
    """An error where torch's attention takes another axis for the batch than it is."""
    orders = {one.batch_first for one in part.modules() if hasattr(one, "batch_first")} if part is not None else set()
    refuse(False in orders and not has_second(args), "batch_first=False, whose first axis is not the batch's, of a "
           "tensor whose first axis is: transpose(0, 1) before it, or make it with batch_first=True and the same "
           "weights")
    refuse(True in orders and has_second(args), "batch_first=True, of a tensor whose batch was put second: leave out "
           "the transposing before and after it")


def carried_through(kind: str, make: Callable[..., Any], args: Any, kwargs: Any, asked: dict[str, Any]) -> Any:
    """What a call makes of tensors of which some are Second."""
    if kind == "getitem":
        return item(make, *args, **asked)
    if kind in ITSELF:
        return make(*args, **kwargs, **asked)
    refuse(kind not in ROWS | SPREAD | set(ALONG), "the batch was put second, (T, N, ..), and this works on other axes "
           "than rows: bring it back to the front before, transpose(0, 1)")
    if kind in SPREAD:
        refuse(not all(map(comes_along, args)), "puts together tensors whose batch is first and second")
    if "out" in asked and asked["out"] is not None:
        asked = asked | {"out": turned_shapes(asked["out"])}
    ends = False
    if kind in ALONG:
        args, kwargs, ends = along(kind, list(args), dict(kwargs))
    result = make(*turned(args), **turned(kwargs), **asked)
    return result if ends else wrapped(result)


def comes_along(value: Any) -> bool:
    """Whether a value is a Second, or alike for every image: a number, or a tensor of size 1 along the batch's axis."""
    if isinstance(value, Tensor):
        return False
    shape = tuple(getattr(value, "shape", ()))
    return isinstance(value, Second) or len(shape) < 2 or shape[-2] == 1 or len(shape) > 2


def along(kind: str, args: list[Any], kwargs: dict[str, Any]) -> tuple[Any, Any, bool]:
    """The arguments with torch's axes as they are here, and whether the first, T, ends in the call."""
    place = ALONG[kind]
    key: Any = "axis" if "axis" in kwargs else "dim"
    given = args[place] if len(args) > place else kwargs.get(key, 0)
    refuse(given is None, "dim=None, needed the axes")
    first = next(one for one in (args[0] if isinstance(args[0], (list, tuple)) else [args[0]]) if has_second(one))
    count = len(first.tensor.shape)
    several = dims((given,))
    axes = [{0: 1, 1: 0}.get(n % count, n % count) if isinstance(n, int) else n for n in several]
    new = axes[0] if isinstance(given, int) else tuple(axes)
    if len(args) > place:
        args[place] = new
    else:
        kwargs[key] = new
    keepdim = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    return args, kwargs, kind in ("mean", "sum") and 1 in axes and not keepdim


def item(make: Callable[..., Any], x: Any, index: Any, *, out: Any) -> Any:
    """x[k] and x[a:b] of (T, N, ..): here the second axis."""
    if not isinstance(x, Second):
        return x[index]
    given = index if isinstance(index, tuple) else (index,)
    count = len(x.tensor.shape)
    refuse(any(one is None for one in given), "a new axis of a tensor whose batch is second")
    where = next((n for n, one in enumerate(given) if one is Ellipsis), len(given))
    inside = sum(one is not Ellipsis for one in given)
    full = [*given[:where], *[slice(None)] * (count - inside), *given[where + 1 :]]
    full[0], full[1] = full[1], full[0]
    ends = not isinstance(full[1], slice)
    result = make(x.tensor, tuple(full), out=out if ends or out is None else turned_shapes(out))
    return result if ends else wrapped(result)


def turned(value: Any) -> Any:
    """Tensors as they are here; a constant of three axes or more with the first two exchanged."""
    if isinstance(value, dict):
        return {name: turned(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "numel"):
        return type(value)(map(turned, value))
    if isinstance(value, Second):
        return value.tensor
    return value.transpose(0, 1) if hasattr(value, "detach") and value.ndim > 2 else value


def wrapped(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(wrapped, value))
    return Second(value) if isinstance(value, Tensor) else value


def turned_shapes(out: Any) -> Any:
    if isinstance(out, list):
        return [turned_shapes(one) for one in out]
    return None if out is None else turned_shape(out)


def turned_shape(shape: Shape) -> Shape:
    return (shape[1], shape[0], *shape[2:])


def reordered(x: Tensor | Second, order: Sequence[int], put: Callable[[Tensor, Sequence[int]], Tensor]) -> Any:
    """The axes in another order, which has the batch first, or second."""
    tensor = x.tensor if isinstance(x, Second) else x
    here = {0: 1, 1: 0} if isinstance(x, Second) else {}
    own = [here.get(n, n) for n in order]
    refuse(0 not in own[:2], f"puts the axes in the order {shown(tuple(order))}, and the batch's own axis has to stay "
           "the first, or become the second")
    rest = [n for n in own if n != 0]
    moved = put(tensor, (0, *rest))
    return moved if own[0] == 0 else Second(moved)
