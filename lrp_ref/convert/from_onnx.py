"""An ONNX file, as Keras, TensorFlow, JAX, MATLAB and PyTorch export it, to Network. The onnx package reads it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrp_ref.arrays import Shape
from lrp_ref.convert.laid import MOVES
from lrp_ref.convert.onnx_fold import BUDGET, FOLDED, numbers_of, worked_out
from lrp_ref.convert.onnx_fused import Fused, fused
from lrp_ref.convert.onnx_laid_nodes import carried_out, on_rows
from lrp_ref.convert.onnx_node import Layers, Node
from lrp_ref.convert.onnx_norms import LAST, written_out
from lrp_ref.convert.onnx_proof import prove
from lrp_ref.convert.onnx_read import check_graph, operator_set, read_onnx
from lrp_ref.convert.onnx_table import QUANTISED, ROWS
from lrp_ref.convert.onnx_values import Known, Laid, Tensor, name_of
from lrp_ref.convert.refused import refuse
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.layers import Flatten, Layer
from lrp_ref.network import INPUT, MOST, Network

TRIED = (2, 3)   # numbers of images, where the file leaves them open
NUMBERS = {1: np.float32, 10: np.float32, 11: np.float64,   # by ONNX's type of the input; float16 is widened
           6: np.float32, 7: np.float32}                       # int32 and int64: token ids
AT_THE_TOP = ("Softmax", "LogSoftmax")


def from_onnx(path: Any, *, output: str | None = None, shape: Sequence[int] | None = None) -> Network:
    """The network in an ONNX file, proved node by node against onnx.reference; without the Softmax at its top.

    path    the file, all of it: weights in files beside it are refused
    output  which tensor is the score, where the graph has several outputs; or one further down
    shape   that of one image, (C, H, W), where the file leaves it open; axis 0 is the batch, of any size

    Dropout, Identity and casts vanish, constants are worked out, activations written out in several nodes become one
    layer, and scores (N, classes, 1, 1) are flattened. Layers have the names of nodes, or of what these make. What
    cannot be converted is refused by its node.
    Notes come as warnings: a Softmax left out, float16 widened to float32.
    """
    return converted(read_onnx(path), output, shape)[0]


def converted(model: Any, output: str | None = None, shape: Sequence[int] | None = None) -> tuple[Network, Shape]:
    """The network of a ModelProto, and the shape of one image; `from_onnx` says the rest."""
    opset = operator_set(model)
    check_graph(model)
    graph = model.graph
    top = scores(graph, chosen(graph, output))
    protos, source = needed(graph, top)
    batches, sample, number = described(source, shape)
    layers = Layers(opset, batches, number, shapes={INPUT: sample}, origin={INPUT: source.name})
    values: dict[str, Any] = {source.name: Tensor(INPUT, sample)}
    fusions = filled(graph, protos, layers, values, top)
    result = values[top]
    if isinstance(result, str):
        raise ValueError(result)
    if isinstance(result, Laid):
        proto = moved_by(protos, values, top)
        raise ValueError(f"from_onnx: node {quotable(proto.name or proto.output[0])}, {proto.op_type}: {MOVES}, or in "
                         f"front again in {quotable(top)}")
    refuse(not isinstance(result, Tensor) or result.name == INPUT, f"from_onnx got a model whose output "
           f"{quotable(top)} is its input or a constant: there is no layer")
    live = alive(protos, values, fusions, top)
    try:
        prove(live, values, fusions, layers, source.name)
    except ValueError as error:
        raise ValueError(f"from_onnx got a model of which {error}") from None
    if len(result.shape) > 1 and set(result.shape[1:]) == {1}:   # (N, classes, 1, 1)
        result = layers.add("flatten", Flatten(), [result.name])
    return network_of(layers, result.name), sample


def chosen(graph: Any, output: str | None) -> str:
    """The tensor that is explained."""
    names = [one.name for one in graph.output]
    made = {name for node in graph.node for name in node.output if name}
    if output is not None:
        refuse(output not in made, f"from_onnx got output={shown(output)}, which no node makes: its outputs are "
               f"{listed(names)}")
        return output
    refuse(len(names) != 1, f"from_onnx got a model with {len(names)} outputs, {listed(names)}: choose one with "
           "output='NAME'")
    return str(names[0])


def scores(graph: Any, top: str) -> str:
    """The tensor under the Softmax at the top, which is left out with a warning: relevance starts at the score."""
    makers = {name: node for node in graph.node for name in node.output if name}
    seen = top
    while seen in makers and makers[seen].op_type in ("Identity", *AT_THE_TOP):
        node = makers.pop(seen)   # each once: a damaged file may have a circle of them
        seen, before = (node.input[0] if node.input else ""), seen
        if node.op_type in AT_THE_TOP:
            warnings.warn(f"{quotable(node.name or before)}, the {node.op_type} at the top, is left out: relevance "
                          "starts at the score", UserWarning, stacklevel=4)
            top = seen
    return top


def needed(graph: Any, top: str) -> tuple[list[Any], Any]:
    """The nodes that `top` is made of, in the graph's order, and the one input of the graph among them."""
    makers = {name: n for n, node in enumerate(graph.node) for name in node.output if name}
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {one.name: one for one in graph.input if one.name not in constants}
    found, left = set[int](), [top]
    while left:
        name = left.pop()
        if name in makers and makers[name] not in found:
            found.add(makers[name])
            left += [one for one in graph.node[makers[name]].input if one]
    there, used = set(constants), dict[str, None]()
    for n in sorted(found):
        for name in graph.node[n].input:
            if name in inputs and name not in there:
                used[name] = None
            elif name and name not in there:
                raise ValueError(f"from_onnx got a graph in which nothing makes {shown(name)} before "
                                 f"{quotable(graph.node[n].name or n)} reads it: export the model again")
        there.update(graph.node[n].output)
    refuse(not used, f"from_onnx got a model of which {quotable(top)} is made of no input: it is a constant")
    refuse(len(used) != 1, f"from_onnx got a model of which {quotable(top)} is made of {len(used)} inputs, "
           f"{listed(used)}, needed one: fix the others as constants when it is exported, or "
           "choose another tensor with output='NAME'")
    return [graph.node[n] for n in sorted(found)], inputs[next(iter(used))]


def described(source: Any, shape: Sequence[int] | None) -> tuple[tuple[int, ...], Shape, type]:
    """The numbers of images that are tried, the shape of one, and the network's number type."""
    kind = source.type.tensor_type.elem_type
    refuse(kind not in NUMBERS, f"from_onnx got an input {quotable(source.name)} of ONNX's type {kind}, needed float32 "
           "or float64: leave what makes floats of it out of the model")
    if kind == 10:
        warnings.warn("the model's float16 numbers are widened to float32", UserWarning, stacklevel=4)
    axes = list(source.type.tensor_type.shape.dim)
    known = [one.dim_value if one.dim_value > 0 else None for one in axes]   # some write 0 or -1 for an open size
    if shape is not None:
        fine = isinstance(shape, (tuple, list)) and all(isinstance(n, int) and n > 0 for n in shape)
        refuse(not fine, f"from_onnx got shape={shown(shape)}, needed the sizes of one image, (C, H, W)")
        differ = axes and (len(shape) != len(axes) - 1 or any(
            had not in (None, n) for had, n in zip(known[1:], shape)))
        refuse(bool(differ), f"from_onnx got shape={tuple(shape)}, but the model's input is "
               f"{quotable(described_axes(axes))}")
        sample = tuple(shape)
    else:
        refuse(not axes or None in known[1:], f"from_onnx got a model whose input {quotable(source.name)} is "
               f"{quotable(described_axes(axes))}: say how large one image is, shape=(C, H, W)")
        sample = tuple(int(n) for n in known[1:] if n is not None)
    refuse(len(sample) > 8, f"from_onnx got an input of shape {quotable(described_axes(axes))}, needed at most 9 axes")
    n = known[0] if known else None
    return (TRIED if n is None else (int(n),)), sample, NUMBERS[kind]


def described_axes(axes: Sequence[Any]) -> str:
    return "(" + ", ".join(str(one.dim_value) if one.HasField("dim_value") else str(one.dim_param or "?")
                           for one in axes) + ")"


def filled(graph: Any, protos: list[Any], layers: Layers, values: dict[str, Any], top: str) -> dict[str, Fused]:
    """Into `values` what every tensor is, into `layers` what makes it; a message where it cannot be made.

    Such a message is an error only where the score is made of it: an activation in several nodes may have others in it.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter([name for proto in protos for name in proto.input if name] + [top])
    makers = {name: n for n, proto in enumerate(protos) for name in proto.output if name}
    fusions, budget = dict[str, Fused](), 0
    for proto in protos:
        what = f"from_onnx: node {quotable(proto.name or next(iter(proto.output), ''))}, {quotable(proto.op_type)}:"
        try:
            for name in proto.input:
                if name in weights and name not in values:
                    values[name] = Known((numbers_of(weights[name]),) * len(layers.batches))
            given = [values[name] if name else None for name in proto.input]
            constant = constants_of(proto, given, layers, BUDGET - budget)
            if constant is not None:
                made: list[Any] = list(constant)
                budget += sum(array.nbytes for one in constant for array in {id(v): v for v in one.values}.values())
            else:
                made = layered(proto, given, layers, readers, values, fusions, makers, protos)
        except ValueError as error:
            made = [f"{what} {error}"] * len(proto.output)
        values.update((name, one) for name, one in zip(proto.output, made) if name)
    return fusions


def constants_of(proto: Any, given: list[Any], layers: Layers, left: int) -> list[Known] | None:
    """What a node makes of constants, or of the shape of a tensor; None: it works on tensors."""
    if proto.domain not in ("", "ai.onnx"):
        return None
    if proto.op_type == "Constant":
        return [Known((constant_in(proto),) * len(layers.batches))]
    first, second = (*given, None, None)[:2]   # a damaged node may have no inputs
    if proto.op_type in ("Shape", "Size") and isinstance(first, (Tensor, Laid)):
        given = [Known(tuple(np.broadcast_to(np.int8(0), first.sizes(n)) for n in layers.batches))]
    if proto.op_type == "CastLike" and isinstance(first, Known) and isinstance(second, (Tensor, Laid)):
        return [Known(tuple(value.astype(layers.number) for value in first.values))]
    if any(isinstance(one, (Tensor, Laid, str)) for one in given) or proto.op_type not in FOLDED:
        return None
    present = [one for one in given if one is not None]
    if all(len({id(v) for v in one.values}) == 1 for one in present):   # the same for every number of images
        once = worked_out(proto, [one.values[0] for one in present], layers.opset, left)
        return [Known((array,) * len(layers.batches)) for array in once]
    each = (worked_out(proto, [one.values[k] for one in present], layers.opset, left)
            for k in range(len(layers.batches)))
    return [Known(tuple(arrays)) for arrays in zip(*each)]


def constant_in(proto: Any) -> Any:
    """The number or numbers of a Constant."""
    refuse(len(proto.attribute) != 1, f"has {len(proto.attribute)} values, needed one")
    (one,) = proto.attribute
    forms: dict[str, Any] = {"value": lambda: numbers_of(one.t), "value_float": lambda: np.float32(one.f),
                             "value_int": lambda: np.int64(one.i),
                             "value_floats": lambda: np.array(one.floats, np.float32),
                             "value_ints": lambda: np.array(one.ints, np.int64)}
    refuse(one.name not in forms, f"has a {quotable(one.name)}, needed numbers")
    return np.asarray(forms[one.name]())


def moved_by(protos: list[Any], values: dict[str, Any], top: str) -> Any:
    """The node that took the batch from the front, of which `top` is made."""
    makers = {name: proto for proto in protos for name in proto.output if name}
    before: str | None = top
    while before is not None:
        proto = makers[before]
        before = next((name for name in proto.input if isinstance(values.get(name), Laid)), None)
    return proto


def layered(proto: Any, given: list[Any], layers: Layers, readers: Counter[str], values: dict[str, Any],
            fusions: dict[str, Fused], makers: dict[str, int], protos: list[Any]) -> list[Any]:
    """The tensors that a node makes, and the layers for it."""
    name = proto.output[0] if proto.output else ""
    node = Node(proto, tuple(one if not isinstance(one, str) else None for one in given), layers, readers)
    if proto.op_type in ("Mul", "Div", "Sum", *LAST):   # what the last of several nodes is
        found = (fused(name, makers, protos, values, layers.opset) if proto.op_type != "Add" else None) or (
            written_out(name, makers, protos, values, layers.opset) if proto.op_type in LAST else None)
        source = None if found is None else values.get(found.source)
        if found is not None and isinstance(source, (Tensor, Laid)):
            fusions[name] = found
            made = on_rows(node, found.layer, source)
            layers.origin[name_of(made)] = name
            return [made]
    wrong = next((one for one in given if isinstance(one, str)), None)
    if wrong is not None:
        return [wrong] * len(proto.output)
    refuse(proto.domain not in ("", "ai.onnx"), f"is an operator of the domain {quotable(proto.domain)}, which is not "
           "ONNX's own")
    if proto.op_type not in ROWS:
        quantised = any(part in proto.op_type for part in QUANTISED)
        hint = ("a quantised model: give the one before it was quantised" if quantised else
                "relevance starts at the score: give the tensor below it as output='NAME'"
                if proto.op_type in AT_THE_TOP else f"needed one of {listed(ROWS)}")
        raise ValueError(f"an operator that is not converted, {hint}")
    row = ROWS[proto.op_type]
    made = carried_out(node, row) if any(isinstance(one, Laid) for one in given) else row(node)
    tensors = made if isinstance(made, list) else [made]
    for tensor, one in zip(tensors, proto.output):
        if tensor is not None:
            layers.origin.setdefault(name_of(tensor), one)
    return tensors


def alive(protos: list[Any], values: dict[str, Any], fusions: dict[str, Fused], top: str) -> list[Any]:
    """The nodes whose layers the score is made of: not those inside an activation, nor those that say a shape alone."""
    makers = {name: n for n, proto in enumerate(protos) for name in proto.output if name}
    found, left = set[int](), [top]
    while left:
        name = left.pop()
        if name not in makers or makers[name] in found or not isinstance(values[name], (Tensor, Laid)):
            continue
        found.add(makers[name])
        left += [fusions[name].source] if name in fusions else list(protos[makers[name]].input)
    return [protos[n] for n in sorted(found)]


def network_of(layers: Layers, top: str) -> Network:
    """The layers that `top` is made of, itself the last."""
    found, left = set[str](), [top]
    while left:
        name = left.pop()
        if name not in found and name != INPUT:
            found.add(name)
            left += layers.nodes[name][1]
    refuse(len(found) > MOST, f"from_onnx got a model of {len(found):,} layers, needed at most {MOST:,}")
    return Network((name, of_type(layer, layers.number), reads) for name, (layer, reads) in layers.nodes.items()
                   if name in found)


def of_type(layer: Layer, number: type) -> Layer:
    """The layer, its arrays rounded to the network's number type where they are not of it."""
    return layer if all(array.dtype == number for array in layer.arrays().values()) else layer.astype(number)
