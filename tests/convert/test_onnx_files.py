"""ONNX files that are cut off, changed, far too large or no files at all: refused within limits of time and memory."""

import sys
import time
import tracemalloc

import numpy as np
import pytest
from onnx_said import said

from lrp_ref.convert import from_onnx, onnx_fold, onnx_read
from lrp_ref.convert.from_onnx import converted

onnx = pytest.importorskip("onnx")
graphs = pytest.importorskip("onnx_graphs")

helper = onnx.helper
model, node, weights, written = graphs.model, graphs.node, graphs.weights, graphs.written
FLAT, IMAGE = (2, 5), (2, 4, 7, 6)


def ints(*values):
    return np.array(values, np.int64)


# ---- Memory, time, and files ----

BOMBS = {
    "ConstantOfShape": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(2**20, 2**20)}),
    "ConstantOfShape of many axes": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(*[64] * 12)}),
    "Expand": ([node("Expand", "o s", "c"), node("Add", "x c")], {"o": np.float32(1),
                                                                  "s": ints(2**20, 2**20)}),
    "Tile": ([node("Tile", "o s", "c"), node("Add", "x c")], {"o": np.ones((1, 1), np.float32),
                                                              "s": ints(2**20, 2**20)}),
    "Range": ([node("Range", "z n o", "c"), node("Add", "x c")], {"z": np.float32(0), "n": np.float32(1e30),
                                                                  "o": np.float32(1e-3)}),
    "Gather": ([node("Gather", "w i", "c"), node("Add", "x c")], {"w": np.ones((2, 4096), np.float32),
                                                                  "i": np.zeros((700, 700), np.int64)}),
    "an outer sum": ([node("Add", "a b", "c"), node("Add", "x c")], {"a": np.zeros((30000, 1), np.float32),
                                                                     "b": np.zeros((1, 30000), np.float32)}),
}


@pytest.mark.parametrize("case", BOMBS)
def test_constants_have_a_budget(case):
    nodes, constants = BOMBS[case]
    tracemalloc.start()
    text = said(model(nodes, FLAT, constants))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "makes a constant of" in text and peak < 1 << 25


def test_many_constants_share_one_budget(monkeypatch):
    monkeypatch.setattr(onnx_fold, "BUDGET", 10_000)
    monkeypatch.setattr(sys.modules["lrp_ref.convert.from_onnx"], "BUDGET", 10_000)
    nodes = [node("ConstantOfShape", "s", f"c{n}") for n in range(7)]
    nodes += [node("Sum", " ".join(["x", *(f"c{n}" for n in range(7))]))]
    text = said(model(nodes, FLAT, {"s": ints(1, 500)}))   # 2,000 bytes each
    assert "node c5, ConstantOfShape: makes a constant of 500 numbers, and all have 10,000 bytes already" in text


@pytest.fixture
def whole(tmp_path):
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Flatten", "r")]
    return written(tmp_path / "whole.onnx", model(nodes, IMAGE, {"w": weights(3, 4, 2, 2)}))


def test_a_file_cut_off_anywhere_is_refused_in_one_line(whole, tmp_path):
    data = whole.read_bytes()
    assert from_onnx(whole)
    for size in range(0, len(data), 7):
        (tmp_path / "cut.onnx").write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"^from_onnx.*") as caught:
            from_onnx(tmp_path / "cut.onnx")
        assert len(str(caught.value)) <= 500 and "\n" not in str(caught.value)


def test_a_file_with_any_byte_changed_is_read_or_refused(whole, tmp_path):
    data, rng = bytearray(whole.read_bytes()), np.random.default_rng(0)
    for at in rng.choice(len(data), 150, replace=False):
        changed = data.copy()
        changed[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "changed.onnx").write_bytes(changed)
        try:
            from_onnx(tmp_path / "changed.onnx")
        except ValueError as error:
            assert len(str(error)) <= 500 and "\n" not in str(error)


def test_what_is_no_file_of_a_model_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "zeros.onnx").write_bytes(bytes(1000))
    for path in (tmp_path / "none.onnx", tmp_path, "a\0b", 3, tmp_path / "text.onnx", tmp_path / "zeros.onnx"):
        with pytest.raises(ValueError, match=r"^from_onnx") as caught:
            from_onnx(path)
        assert len(str(caught.value)) <= 500


def test_a_file_of_nothing_but_structure_is_not_unpacked(tmp_path, monkeypatch):
    """Four million empty nodes: 8 MB that would become half a gigabyte."""
    nodes = b"\x0a\x00" * (1 << 22)
    data = b"\x3a" + varint(len(nodes)) + nodes
    monkeypatch.setattr(onnx, "load_model_from_string", lambda data: pytest.fail("was unpacked"))
    (tmp_path / "many.onnx").write_bytes(data)
    with pytest.raises(ValueError, match="1,000,000 parts besides the numbers of its tensors"):
        from_onnx(tmp_path / "many.onnx")
    monkeypatch.setattr(onnx_read, "BYTES", 100)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        from_onnx(tmp_path / "many.onnx")


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def test_graphs_in_graphs_are_refused(tmp_path):
    """protobuf itself reads a hundred messages in each other; two hundred branches are four hundred."""
    inner = helper.make_graph([node("Relu", "x")], "in", [], [helper.make_tensor_value_info("y", 1, None)])
    for depth in (3, 20):
        graph = inner
        for _ in range(depth):
            graph = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=inner)], "g",
                                      [], [helper.make_tensor_value_info("y", 1, None)])
        made = model([*graph.node], FLAT, {"c": np.array(True)})
        path = written(tmp_path / "nested.onnx", made)
        with pytest.raises(ValueError, match="made of no input"):
            from_onnx(path)
    data = b""
    for _ in range(300):   # graph in attribute in node in graph
        data = wrapped(1, wrapped(5, wrapped(6, data)))
    (tmp_path / "deep.onnx").write_bytes(wrapped(7, data))
    with pytest.raises(ValueError, match=r"^from_onnx"):
        from_onnx(tmp_path / "deep.onnx")


def wrapped(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch, whole):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"needs the package onnx: pip install 'lrp-ref\[onnx\]'"):
        from_onnx(whole)


def test_a_deep_network_is_read_in_time():
    """A work that grew with the square of the layers would take minutes."""
    nodes = [node("Relu", "x", "t0"), *(node("Neg", f"t{n}", f"t{n + 1}") for n in range(3000)), node("Relu", "t3000")]
    began = time.perf_counter()
    assert len(converted(model(nodes, FLAT))[0]) == 3002
    assert time.perf_counter() - began < 60   # some ten seconds, mostly of making 3,000 evaluators
