"""An ONNX graph of the zoo as a torch module, written for itself alone: what its network is compared with by zennit."""

import numpy as np
import torch
from onnx import helper
from torch import nn
from torch.nn import functional as F
from zennit.layer import Sum


class Scale(nn.Module):
    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x):
        return x * self.scale + self.shift


class Average(nn.Module):
    """The average of what a window holds of the image, whose padding has two sides."""

    def __init__(self, size, strides, pads):
        super().__init__()
        self.size, self.strides, self.pads = size, strides, pads

    def forward(self, x):
        total, n = (F.avg_pool2d(F.pad(y, self.pads), self.size, self.strides) for y in (x, torch.ones_like(x)))
        return total / n


class Graph(nn.Module):
    """The nodes one after the other; those with rules in zennit are modules."""

    def __init__(self, arrays, nodes, source):
        super().__init__()
        self.source, self.nodes = source, [node for node in nodes if node.op_type != "Softmax"]
        self.constants = {name: torch.from_numpy(np.array(array, np.float64 if array.dtype.kind == "f" else np.int64))
                          for name, array in arrays.items()}
        self.parts = nn.ModuleDict()
        for node in self.nodes:
            if all(name in self.constants for name in node.input):
                self.constant(node, attributes(node))
                continue
            made = self.part(node, attributes(node))
            if made is not None:
                self.parts[key(node)] = made
        self.double().eval()

    def constant(self, node, given):
        """Unsqueeze of a scale, or Reshape of a matrix."""
        value = self.constants[node.input[0]]
        for axis in given.get("axes", ()):
            value = value.unsqueeze(axis)
        if node.op_type == "Reshape":
            value = value.reshape(self.constants[node.input[1]].tolist())
        self.constants[node.output[0]] = value

    def part(self, node, given):
        weights = [self.constants[name] for name in node.input if name in self.constants]
        match node.op_type:
            case "Conv":
                pads = given.get("pads", [0] * 4)
                assert pads[:2] == pads[2:]
                weight = weights[0]
                made = nn.Conv2d(weight.shape[1] * given.get("group", 1), len(weight), weight.shape[2:],
                                 given.get("strides", [1, 1]), pads[:2], groups=given.get("group", 1),
                                 bias=len(weights) > 1)
                return filled(made, weight, *weights[1:])
            case "Gemm":
                return filled(nn.Linear(weights[0].shape[1], len(weights[0])), *weights)
            case "BatchNormalization":
                scale, shift, mean, variance = weights
                made = nn.BatchNorm2d(len(scale), given.get("epsilon", float(np.float32(1e-5))))
                made.running_mean, made.running_var = mean.clone(), variance.clone()
                return filled(made, scale, shift)
            case "Mul":
                return Scale(weights[0], 0)
            case "Add":
                return Scale(1, weights[0])
            case "Relu":
                return nn.ReLU()
            case "LRN":
                return nn.LocalResponseNorm(given["size"], given["alpha"], given["beta"], given["bias"])
            case "Sum":
                return Sum()
            case "GlobalAveragePool":
                return nn.AdaptiveAvgPool2d(1)
            case "MaxPool" | "AveragePool":
                return pooling(node.op_type, given)
        return None

    def forward(self, x):
        made = {self.source: x}
        for node in self.nodes:
            given = [made.get(name, self.constants.get(name)) for name in node.input]
            if node.output[0] in self.constants:
                continue
            match node.op_type:
                case "Dropout":
                    out = given[0]
                case "Reshape":
                    target = [len(x) if k == 0 else n for k, n in enumerate(given[1].tolist())]
                    out = given[0].reshape(target)
                case "Transpose":
                    out = given[0].permute(*attributes(node)["perm"])
                case "Concat":
                    out = torch.cat(given, attributes(node)["axis"])
                case "Sum":
                    out = self.parts[key(node)](torch.stack(given, -1))
                case _:
                    out = self.parts[key(node)](given[0])
            made[node.output[0]] = out
        return out.flatten(1)


def attributes(node):
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def key(node):
    return node.output[0].replace(".", "_")


def filled(module, weight, bias=None):
    module.weight = nn.Parameter(weight)
    if bias is not None:
        module.bias = nn.Parameter(bias)
    return module


def pooling(op, given):
    """Where the padding is not the same on both sides it is laid around the image first."""
    pads, size, strides = given.get("pads", [0] * 4), given["kernel_shape"], given.get("strides", [1, 1])
    top, left, bottom, right = pads
    same = (top, left) == (bottom, right)
    inside = [top, left] if same else [0, 0]
    if op == "MaxPool":
        made = nn.MaxPool2d(size, strides, inside)
        return made if same else nn.Sequential(nn.ConstantPad2d((left, right, top, bottom), -torch.inf), made)
    if not same:
        assert not given.get("count_include_pad", 0)
        return Average(size, strides, (left, right, top, bottom))
    return nn.AvgPool2d(size, strides, inside, count_include_pad=bool(given.get("count_include_pad", 0)))
