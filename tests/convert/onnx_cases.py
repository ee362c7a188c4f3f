"""The node cases of onnx.backend.test, each as a network with one input, and what becomes of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lrp_ref.convert.from_onnx import converted
from lrp_ref.convert.onnx_table import ROWS

CHECKED, REFUSED, WRONG = "agrees", "refused", "WRONG"
FORM = "no network: "   # what is none with one input: a case of text, of sequences, of several batches


class Outcome(NamedTuple):
    name: str
    op: str
    what: str      # CHECKED, REFUSED or WRONG
    why: str


def cases() -> list[Any]:
    """All of them; making them warns of things that are none of ours."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(collect_testcases(None))


def operator(case: Any) -> str:
    """The operator that the case is about; of one written out in several nodes (expanded) its name."""
    nodes = case.model.graph.node
    return str(nodes[0].op_type) if len(nodes) == 1 else "several nodes"


def outcomes() -> Iterator[Outcome]:
    for case in cases():
        yield outcome(case, operator(case))


def outcome(case: Any, op: str) -> Outcome:
    """The case with its first input as the network's and the others as weights; else with all of them side by side."""
    first = tried(case, op, weights_as_constants)
    if first.what == REFUSED and len(case.model.graph.input) > 1:
        second = tried(case, op, side_by_side)
        return first if second.what == REFUSED else second
    return first


def tried(case: Any, op: str, form: Any) -> Outcome:
    try:
        model, x = form(case)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network, _ = converted(model, output=case.model.graph.output[0].name)
    except ValueError as error:
        said = str(error)
        one_line = len(said) <= 500 and "\n" not in said and said.startswith(("from_onnx", FORM))
        return Outcome(case.name, op, REFUSED if one_line else WRONG, said)
    except Exception as error:
        return Outcome(case.name, op, WRONG, f"{type(error).__name__}: {error}")
    (expected,) = arrays_of(case.data_sets[0][1][:1])
    if expected.ndim > 2 and set(expected.shape[2:]) == {1}:   # scores, which end in Flatten
        expected = expected[:, :, *[0] * (expected.ndim - 2)]
    with np.errstate(all="ignore"):
        found = network(x.astype(network.number or np.result_type(x.dtype, np.float32)))
    close = found.shape == expected.shape and np.allclose(found, expected, rtol=case.rtol, atol=max(case.atol, 1e-6))
    return Outcome(case.name, op, CHECKED if close else WRONG, "" if close else f"{found.shape} {expected.shape}")


def arrays_of(given: Any) -> list[np.ndarray]:
    found = [numpy_helper.to_array(one) if isinstance(one, onnx.TensorProto) else one for one in given]
    if not found or not all(isinstance(one, (np.ndarray, np.generic)) for one in found):
        raise ValueError(f"{FORM}its inputs are no arrays")
    return [np.asarray(one) for one in found]


def inputs_of(case: Any) -> list[np.ndarray]:
    return arrays_of(case.data_sets[0][0])


def weights_as_constants(case: Any) -> tuple[Any, np.ndarray]:
    """The first input is the network's; all others are in the file."""
    arrays = inputs_of(case)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    infos = list(model.graph.input)
    try:
        model.graph.initializer.extend(numpy_helper.from_array(array, info.name)
                                       for info, array in zip(infos[1:], arrays[1:]))
    except Exception:
        raise ValueError(f"{FORM}its inputs cannot be weights") from None
    del model.graph.input[1:]
    return model, arrays[0]


def side_by_side(case: Any) -> tuple[Any, np.ndarray]:
    """All inputs are parts of one, cut out of it and put in shape: images of several tensors."""
    arrays = inputs_of(case)
    n = arrays[0].shape[:1]
    if any(array.dtype != arrays[0].dtype or array.shape[:1] != n or not array.ndim for array in arrays):
        raise ValueError(f"{FORM}its inputs are not of one batch")
    x = np.concatenate([array.reshape(*n, -1) for array in arrays], axis=1)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    opset = next(one.version for one in model.opset_import if one.domain == "")
    nodes, at = [], 0
    for k, (info, array) in enumerate(zip(case.model.graph.input, arrays)):
        size = int(np.prod(array.shape[1:]))
        limits = [np.array([number], np.int64) for number in (at, at + size, 1)]
        for what, value in zip(("from", "to", "axis"), limits):
            model.graph.initializer.append(numpy_helper.from_array(value, f"{what}{k}"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(array.shape, np.int64), f"shape{k}"))
        if opset < 10:
            nodes.append(helper.make_node("Slice", ["all"], [f"part{k}"], starts=[at], ends=[at + size], axes=[1]))
        else:
            nodes.append(helper.make_node("Slice", ["all", f"from{k}", f"to{k}", f"axis{k}"], [f"part{k}"]))
        nodes.append(helper.make_node("Reshape", [f"part{k}", f"shape{k}"], [info.name]))
        at += size
    old = list(model.graph.node)
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend([*nodes, *old])
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    model.graph.input.append(helper.make_tensor_value_info("all", kind, x.shape))
    return model, x


def table(found: list[Outcome]) -> list[str]:
    """A line for every operator that is converted, one for the others: how many cases agree and are refused."""
    rows = ["| operator | cases | agree | refused |", "|---|---|---|---|"]
    names = [*sorted(ROWS), *({one.op for one in found} & {"several nodes"})]
    for op in names:
        own = [one for one in found if one.op == op]
        counts = [sum(one.what == what for one in own) for what in (CHECKED, REFUSED)]
        rows.append(f"| {op} | {len(own)} | {counts[0]} | {counts[1]} |")
    others = [one for one in found if one.op not in names]
    rows.append(f"| {len({one.op for one in others})} others | {len(others)} | "
                f"{sum(one.what == CHECKED for one in others)} | {sum(one.what == REFUSED for one in others)} |")
    rows.append(f"| all | {len(found)} | {sum(one.what == CHECKED for one in found)} | "
                f"{sum(one.what == REFUSED for one in found)} |")
    return rows


if __name__ == "__main__":
    print("\n".join(table(list(outcomes()))))
