"""An ONNX file as onnx's ModelProto, read within limits: its bytes, its structure, and what its graph may hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lrp_ref.convert.refused import refuse
from lrp_ref.files import read_regular
from lrp_ref.hints import LISTED, quotable, shown
from lrp_ref.outside import LETTERS

BYTES = 3 << 29       # of a file, 1.5 GiB, as of other model files: protobuf itself ends at 2 GiB
STRUCTURE = 1 << 25   # bytes besides the numbers of tensors, 32 MiB: exporters write some kilobytes per node
PARTS = 1_000_000     # fields of these: a node with its inputs and attributes has thirty, a network some thousand nodes
OLDEST = 9            # operator set: of December 2018, before which BatchNormalization and Upsample meant other things
AGAIN = "export the model again"

# Which fields of which message are looked into (onnx.proto), and which of a tensor are its numbers.
INSIDE = {
    "ModelProto": {7: "GraphProto"}, "GraphProto": {1: "NodeProto", 5: "TensorProto"},
    "NodeProto": {5: "AttributeProto"}, "AttributeProto": {5: "TensorProto", 10: "TensorProto"},
    "TensorProto": {4: "numbers", 9: "numbers", 10: "numbers"},   # float_data, raw_data, double_data
}


def read_onnx(path: Any) -> Any:
    """The ModelProto in a file; an error in one line where there is none, or more than the limits."""
    onnx = imported()
    name = quotable(path, LETTERS)
    try:
        data = read_regular(Path(path), BYTES)
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise ValueError(f"from_onnx {quotable(error, LETTERS + LISTED)}") from None
    except OSError as error:
        raise ValueError(f"from_onnx cannot read {name}: {error.strerror}") from None
    try:
        measure(data)
    except ValueError as error:
        raise ValueError(f"from_onnx got {name}, which {error}") from None
    try:
        model = onnx.load_model_from_string(data)
    except MemoryError:
        raise
    except Exception as error:   # protobuf's DecodeError, and what its versions raise besides
        raise ValueError(f"from_onnx got {name}, which is no complete ONNX file ({type(error).__name__}): copy or "
                         f"{AGAIN}") from None
    refuse(not model.graph.node, f"from_onnx got {name}, whose graph has no nodes: is it an ONNX file? Copy or {AGAIN}")
    return model


def imported() -> Any:
    """The onnx package, which only this converter needs."""
    try:
        import onnx
        import onnx.reference
    except ImportError:
        raise ValueError("from_onnx needs the package onnx: pip install 'lrp-ref[onnx]'") from None
    return onnx


def measure(data: bytes) -> None:
    """An error where the file is no protobuf message, or has more structure than the limits: before it is unpacked.

    A message of two bytes becomes a hundred when it is unpacked; the numbers of a tensor stay what they are.
    """
    structure, left = 0, [(0, len(data), "ModelProto")]
    parts = 0
    while left:
        begin, end, kind = left.pop()
        for number, start, stop in fields_of(data, begin, end):
            parts += 1
            inside = INSIDE[kind].get(number) if stop is not None else None
            if inside is None:
                structure += (stop or start) - start + 2
            elif inside != "numbers":
                left.append((start, stop or start, inside))
            if structure > STRUCTURE or parts > PARTS:
                raise ValueError(f"has more than {STRUCTURE >> 20} MiB or {PARTS:,} parts besides the numbers of its "
                                 "tensors, needed less: is it a classifier's network?")


def fields_of(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int | None]]:
    """(number, where its bytes begin, where they end; None: it is a number) of every field of a message."""
    at = begin
    while at < end:
        key, at = varint(data, at, end)
        wire = key & 7
        if wire == 2:
            length, at = varint(data, at, end)
            start, at = at, at + length
            yield key >> 3, start, at
        elif wire in (0, 1, 5):
            at = varint(data, at, end)[1] if wire == 0 else at + (8 if wire == 1 else 4)
            yield key >> 3, at, None
        else:
            raise ValueError(f"is no ONNX file, or a damaged one: copy or {AGAIN}")
        if at > end:
            raise ValueError(f"is truncated, or no ONNX file: copy or {AGAIN}")


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of seven bits per byte, and where the next field begins."""
    if at < end and data[at] < 128:   # Same result without these two lines; most are of one byte.
        return data[at], at + 1
    value = 0
    for n in range(min(10, end - at)):
        byte = data[at + n]
        value |= (byte & 127) << 7 * n
        if byte < 128:
            return value, at + n + 1
    raise ValueError(f"is truncated, or no ONNX file: copy or {AGAIN}")


def operator_set(model: Any) -> int:
    """The version of the standard operators; an error where this program or its onnx package does not know it."""
    newest = imported().defs.onnx_opset_version()
    versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    refuse(len(set(versions)) != 1, f"from_onnx got a model with {len(versions)} versions of ONNX's operators, needed "
           "one")
    refuse(not OLDEST <= versions[0] <= newest, f"from_onnx got a model of operator set {versions[0]}, needed {OLDEST} "
           f"to {newest}: onnx.version_converter.convert_version(model, {newest}) makes it one of these" +
           (", or a newer onnx package reads it" if versions[0] > newest else ""))
    return int(versions[0])


def check_graph(model: Any) -> None:
    """An error where the model holds what is not converted whatever its nodes are."""
    graph = model.graph
    refuse(bool(model.functions), f"from_onnx got a model with functions of its own ("
           f"{quotable(model.functions[0].name) if model.functions else ''}): "
           "onnx.inliner.inline_local_functions(model) puts nodes in their place")
    refuse(bool(graph.sparse_initializer), "from_onnx got sparse weights, needed dense ones")
    texts = [text for node in graph.node for text in (node.name, node.op_type, node.domain, *node.input, *node.output,
                                                      *(one.name for one in node.attribute))]
    texts += [one.name for part in (graph.initializer, graph.input, graph.output) for one in part]
    refuse(any(not isinstance(text, str) for text in texts), f"from_onnx got names that are no text in UTF-8: {AGAIN}")
    for tensor in graph.initializer:
        inside_file(tensor)
    made = Counter(name for node in graph.node for name in node.output if name)
    made.update(tensor.name for tensor in graph.initializer)
    twice = next((name for name, count in made.items() if count > 1), None)
    refuse(twice is not None, f"from_onnx got two tensors named {shown(twice)}, needed a name of its own for each: "
           f"{AGAIN}")


def inside_file(tensor: Any) -> None:
    """An error where a tensor's numbers are in another file, which is never opened."""
    refuse(tensor.data_location == tensor.EXTERNAL or bool(tensor.external_data), f"from_onnx got the weights "
           f"{quotable(tensor.name)} in another file, needed all in one: onnx.save(onnx.load(PATH), NEW) writes it")
