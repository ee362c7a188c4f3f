"""Torch's older files: every tensor as it was written; and no file runs, hangs or half succeeds."""

import pickle
import sys
from collections import OrderedDict
from io import BytesIO
from types import ModuleType

import numpy as np
import pytest

from lrp_ref.models.torch_file import MAGIC, VERSION, read_tensors


class Storage:
    def __init__(self, key, numbers, kind="FloatStorage", count=None):
        self.key, self.numbers, self.kind = key, np.array(numbers), kind
        self.count = len(self.numbers) if count is None else count


class Tensor:
    """Pickled as torch pickles tensors."""

    def __init__(self, storage, offset, shape, strides):
        self.given = storage, offset, shape, strides

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (*self.given, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, Storage):
            return "storage", getattr(sys.modules["torch"], thing.kind), thing.key, "cpu", thing.count, None
        return None


@pytest.fixture
def written(monkeypatch):
    """The bytes of a file with these tensors, and with these storages in place of theirs if given."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        """Named in the file, and never called."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    def write(tensors, storages=()):
        file = BytesIO()
        used = {tensor.given[0].key: tensor.given[0] for tensor in tensors.values() if isinstance(tensor, Tensor)
                and isinstance(tensor.given[0], Storage)}
        used |= {storage.key: storage for storage in storages}
        for part in (MAGIC, VERSION, {"little_endian": True}, OrderedDict(tensors), sorted(used)):
            Pickler(file, 2).dump(part)
        for key in sorted(used):
            file.write(len(used[key].numbers).to_bytes(8, "little") + used[key].numbers.tobytes())
        return file.getvalue()
    return write


def two():
    """Three tensors over two storages: rows, the same numbers by columns from the second on, and one whole number."""
    floats = Storage("b", np.arange(7, dtype="<f4") / 4)
    return {"rows": Tensor(floats, 0, (2, 3), (3, 1)), "columns": Tensor(floats, 1, (3, 2), (1, 3)),
            "count": Tensor(Storage("a", np.array([-5], dtype="<i8"), "LongStorage"), 0, (), ())}


def test_tensors_are_views_of_storages_by_offset_and_strides(written):
    got = read_tensors(written(two()))
    assert list(got) == ["rows", "columns", "count"]
    assert got["rows"].tolist() == [[0, 0.25, 0.5], [0.75, 1, 1.25]] and got["rows"].dtype == np.float32
    assert got["columns"].tolist() == [[0.25, 1], [0.5, 1.25], [0.75, 1.5]]
    assert got["count"].tolist() == -5 and got["count"].dtype == np.int64
    got["rows"][0, 1] = 9
    assert got["columns"][0, 0] == 0.25   # each has numbers of its own


def test_a_file_cut_anywhere_or_with_bytes_too_many_is_refused_in_one_line(written):
    data = written(two())
    for part in [*(data[:n] for n in range(len(data))), data + b"\0"]:
        with pytest.raises(ValueError, match="cannot read the tensors: ") as caught:
            read_tensors(part)
        assert "\n" not in str(caught.value) and len(str(caught.value)) <= 500


def test_a_changed_byte_of_a_pickle_is_refused_or_leaves_arrays(written):
    data = written(two())
    for n in range(len(data)):
        for bit in (1, 128):
            try:
                got = read_tensors(data[:n] + bytes([data[n] ^ bit]) + data[n + 1:])
            except ValueError as error:
                assert "\n" not in str(error)
            else:
                assert all(isinstance(array, np.ndarray) for array in got.values())


class Evil:
    def __reduce__(self):
        return print, ("this must not be printed",)


@pytest.mark.parametrize(("tensors", "words"), [
    ({"w": Evil()}, "it asks for __builtin__.print, which no tensor needs"),
    ({"w": Tensor(Storage("a", np.zeros(3, "<f2"), "HalfStorage"), 0, (3,), (1,))}, "torch.HalfStorage"),
    ({"w": 3}, "needed tensors by their names"),
    ({"w": Tensor(Storage("a", np.zeros(6, "<f4")), 1, (2, 3), (3, 1))}, "goes beyond its 6 numbers"),
    ({"w": Tensor(Storage("a", np.zeros(6, "<f4")), 0, (2, 3), (-3, 1))}, "the strides (-3, 1)"),
    ({"w": Tensor(Storage("a", np.zeros(6, "<f4")), 0, (2, 4), (0, 1))}, "the shape (2, 4)"),
    ({"w": Tensor(Storage("a", np.zeros(6, "<f4")), 0, (2,), (3, 1))}, "the shape (2,) and the strides (3, 1)"),
    ({"w": Tensor("a", 0, (2,), (3,))}, "the shape (2,)"),
    ({"w": Tensor(Storage("a", np.zeros(6, "<f4"), count=7), 0, (2,), (3,))}, "a storage has 6 numbers, needed 7"),
])
def test_what_is_no_tensor_is_refused_and_nothing_is_run(written, capsys, tensors, words):
    with pytest.raises(ValueError) as caught:
        read_tensors(written(tensors))
    assert words in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("data", [b"", b"PK\3\4", pickle.dumps(MAGIC, 2), pickle.dumps({"a": 1}, 2) * 5,
                                  b"\x80\x02" * 9])
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match="cannot read the tensors"):
        read_tensors(data)
