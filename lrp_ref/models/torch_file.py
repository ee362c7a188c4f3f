"""Tensors from a file that torch.save wrote before version 1.6, without torch: a few pickles, then raw numbers.

The pickles are a magic number, the format's version, facts of the machine, {name: tensor} and the keys of the storages;
then come the storages in the order of their keys, each as its count and its numbers. A pickle can name any function of
Python's: here an OrderedDict, torch's own way of writing a tensor and its storages exist, and nothing else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from io import BytesIO
from math import prod
from typing import Any, NamedTuple

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.hints import quotable, shown

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}   # little-endian in every such file
TENSORS = 10_000   # of a file: ResNet-1001 has 5,000
AXES = 8


class Storage(NamedTuple):
    """Numbers that tensors are views of, before they are read."""

    key: str
    dtype: str
    size: int


class View(NamedTuple):
    """A tensor: number i, j, .. is at offset + i strides[0] + j strides[1] + .. of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: Array) -> Array:
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides))
        if prod(self.shape) and not 0 <= self.offset <= last < len(numbers):
            raise ValueError(f"a tensor of shape {self.shape} goes beyond its {len(numbers)} numbers")
        steps = tuple(numbers.itemsize * step for step in self.strides)
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps).copy()


def rebuilt(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> View:
    """What stands in a pickle in the place of torch._utils._rebuild_tensor_v2."""
    sizes = (offset, *shape, *strides)
    if not isinstance(storage, Storage) or not all(type(n) is int and 0 <= n <= storage.size for n in sizes):
        raise ValueError(f"a tensor has the shape {shown(shape)} and the strides {shown(strides)}")
    if len(shape) != len(strides) or len(shape) > AXES or prod(shape) > storage.size:
        raise ValueError(f"a tensor has the shape {shown(shape)} and the strides {shown(strides)}")
    return View(storage, offset, tuple(shape), tuple(strides))


class Unpickler(pickle._Unpickler):
    """Of all that a pickle can ask for, what is written here.

    Python's own one, in Python: the one in C makes room for as many objects as a file says that it has.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuilt
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ValueError(f"it asks for {quotable(module)}.{quotable(name)}, which no tensor needs")

    def persistent_load(self, pid: Any) -> Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(n), None) if n >= 0 and dtype in STORAGES.values():
                return Storage(key, dtype, n)
        raise ValueError(f"it has {shown(pid)}, needed a storage")


def read_tensors(data: bytes) -> dict[str, Array]:
    """{name: array} of all tensors; a ValueError in one line where the bytes are no such file, or not all of it."""
    try:
        return tensors_in(BytesIO(data), len(data))
    except MemoryError:
        raise
    except Exception as error:   # UnpicklingError, EOFError, IndexError, TypeError, .. have no other common parent
        why = str(error) if isinstance(error, ValueError) else f"it is damaged ({type(error).__name__})"
        raise ValueError(f"cannot read the tensors: {quotable(why, 300)}") from None


def tensors_in(file: BytesIO, size: int) -> dict[str, Array]:
    if Unpickler(file).load() != MAGIC or Unpickler(file).load() != VERSION:
        raise ValueError("it is no file of torch's format before 1.6")
    Unpickler(file).load()
    views, keys = Unpickler(file).load(), Unpickler(file).load()
    if not isinstance(views, dict) or not isinstance(keys, list) or max(len(views), len(keys)) > TENSORS:
        raise ValueError(f"it has {shown(views)}, needed at most {TENSORS} tensors by their names")
    for name, view in views.items():
        if not isinstance(name, str) or not isinstance(view, View):
            raise ValueError(f"it has {shown(name)}, needed tensors by their names")
    known = {view.storage.key: view.storage for view in views.values()}
    numbers = {key: numbers_of(file, known, key) for key in keys}
    if file.tell() != size:
        raise ValueError(f"{size - file.tell()} bytes are left at its end")
    return {name: view.of(numbers[view.storage.key]) for name, view in views.items()}


def numbers_of(file: BytesIO, known: dict[str, Storage], key: Any) -> Array:
    """The next storage: its count in 8 bytes, then its numbers."""
    storage = known[key]
    count, dtype = int.from_bytes(file.read(8), "little"), np.dtype(storage.dtype)
    if count != storage.size:
        raise ValueError(f"a storage has {count} numbers, needed {storage.size}")
    raw = file.read(count * dtype.itemsize)
    if len(raw) < count * dtype.itemsize:
        raise ValueError(f"it ends after {len(raw)} of {count * dtype.itemsize} bytes of a storage")
    return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
