"""What a case needs of an implementation, so that each is judged on what it claims to have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lrp_ref.conformance.vectors.case import LEVELS, Case


@dataclass(frozen=True)
class Capability:
    """title: in a report; ops: the kinds of layers that need it."""

    title: str
    ops: Sequence[str]


GRAPH = "graph"   # what the network needs, and not its layers alone
CAPABILITIES: dict[str, Capability] = {   # the most special last: a case is counted under the last that it needs
    "dense": Capability("fully connected layers, ReLU, flattening", ("Linear", "ReLU", "Flatten")),
    "convolution": Capability("convolutions", ("Conv2D", "ConvTranspose2D")),
    "pooling": Capability("maxima, averages and sums of windows", ("MaxPool", "AvgPool", "SumPool", "AdaptiveAvgPool")),
    "activation": Capability("activations other than ReLU", (
        "Tanh", "Sigmoid", "Clip", "LeakyReLU", "ELU", "SiLU", "GELU", "Hardswish", "Hardsigmoid")),
    "normalisation": Capability("batch norm, local response norm, factors", ("BatchNorm", "LRN", "Scale")),
    "shape": Capability("numbers that are moved, repeated, left out or added up", (
        "Reshape", "Transpose", "Slice", "Pad", "Upsample", "Sum", "Mean")),
    GRAPH: Capability("layers that read several tensors, and tensors that several layers read", (
        "Add", "Multiply", "Concat")),
    "attention": Capability("what transformers are made of", (
        "MatMul", "Softmax", "LayerNorm", "RMSNorm", "Embedding", "ClassToken", "Rotary")),
    "fisher": Capability("descriptors, Fisher vectors, kernel machines", (
        "DenseSift", "FisherVector", "RegionMean", "SignedSqrt", "L2Norm", "PMeans", "SpreadLinear", "IntersectionSVM",
        "ChiSquareSVM", "NegativeChiSquareSVM", "ExponentialChiSquareSVM", "GaussianSVM")),
}


def needs(case: Case) -> tuple[str, ...]:
    """The capabilities that the case needs, in the table's order."""
    branched = not case.network.is_chain
    return tuple(name for name, one in CAPABILITIES.items()
                 if (name == GRAPH and branched) or any(kind in one.ops for kind in case.layers))


def special(case: Case) -> str:
    """The most special of them."""
    return needs(case)[-1]


def unclaimed(case: Case, claimed: Collection[str] | None) -> tuple[str, ...]:
    """What the case needs and is not claimed; None claims everything."""
    return () if claimed is None else tuple(name for name in needs(case) if name not in claimed)


def counted(cases: Iterable[Case]) -> dict[str, Any]:
    """{capability: title, ops, and how many cases of every level need it}, as the manifest has it."""
    cases = list(cases)
    found = {}
    for name, one in CAPABILITIES.items():
        there = [case for case in cases if name in needs(case)]
        found[name] = {"title": one.title, "ops": list(one.ops), "count": len(there), "levels": levels(there)}
    return found


def levels(cases: Sequence[Case]) -> dict[str, int]:
    """{level: how many cases}"""
    return {level: sum(case.level == level for case in cases) for level in LEVELS}
