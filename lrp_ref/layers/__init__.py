"""The layers, one kind per file: each is its forward pass and the linear map it is at an input."""

from lrp_ref.layers.activation import ELU, Clip, Hardsigmoid, LeakyReLU, Sigmoid, Tanh
from lrp_ref.layers.attention import MatMul, Softmax
from lrp_ref.layers.base import Layer
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.conv_transpose import ConvTranspose2D
from lrp_ref.layers.elementwise import Flatten, ReLU
from lrp_ref.layers.embedding import ClassToken, Embedding, Rotary
from lrp_ref.layers.fisher.norms import L2Norm, RegionMean, SignedSqrt
from lrp_ref.layers.fisher.pmeans import PMeans
from lrp_ref.layers.fisher.sift import DenseSift
from lrp_ref.layers.fisher.svm import (
    ChiSquareSVM,
    ExponentialChiSquareSVM,
    GaussianSVM,
    IntersectionSVM,
    KernelSVM,
    NegativeChiSquareSVM,
    SpreadLinear,
)
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.layers.gated import GELU, Hardswish, SiLU
from lrp_ref.layers.layer_norm import LayerNorm, RMSNorm
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.merge import Add, Concat, Multiply
from lrp_ref.layers.normalize import LRN, BatchNorm, Scale
from lrp_ref.layers.pool import AdaptiveAvgPool, AvgPool, MaxPool, SumPool
from lrp_ref.layers.reduce import Mean, Sum
from lrp_ref.layers.shape import Pad, Reshape, Slice, Transpose, Upsample

LAYERS: dict[str, type[Layer]] = {
    "Linear": Linear, "Conv2D": Conv2D, "MaxPool": MaxPool, "AvgPool": AvgPool, "SumPool": SumPool,
    "AdaptiveAvgPool": AdaptiveAvgPool, "Sum": Sum, "Mean": Mean, "Upsample": Upsample,
    "ConvTranspose2D": ConvTranspose2D,
    "ReLU": ReLU, "Clip": Clip, "LeakyReLU": LeakyReLU, "ELU": ELU, "SiLU": SiLU, "GELU": GELU,
    "Hardswish": Hardswish, "Hardsigmoid": Hardsigmoid, "Sigmoid": Sigmoid, "Tanh": Tanh,
    "Flatten": Flatten, "Reshape": Reshape, "Transpose": Transpose, "Slice": Slice, "Pad": Pad,
    "BatchNorm": BatchNorm, "Scale": Scale, "LRN": LRN, "Add": Add, "Multiply": Multiply, "Concat": Concat,
    "MatMul": MatMul, "Softmax": Softmax, "LayerNorm": LayerNorm, "RMSNorm": RMSNorm, "Embedding": Embedding,
    "ClassToken": ClassToken, "Rotary": Rotary,
    "DenseSift": DenseSift, "FisherVector": FisherVector, "RegionMean": RegionMean, "SignedSqrt": SignedSqrt,
    "L2Norm": L2Norm, "PMeans": PMeans, "SpreadLinear": SpreadLinear, "IntersectionSVM": IntersectionSVM,
    "ChiSquareSVM": ChiSquareSVM, "NegativeChiSquareSVM": NegativeChiSquareSVM,
    "ExponentialChiSquareSVM": ExponentialChiSquareSVM, "GaussianSVM": GaussianSVM,
}

__all__ = ["ELU", "GELU", "LAYERS", "LRN", "AdaptiveAvgPool", "Add", "AvgPool", "BatchNorm", "ChiSquareSVM",
           "ClassToken", "Clip", "Concat", "Conv2D", "ConvTranspose2D", "DenseSift", "Embedding",
           "ExponentialChiSquareSVM", "FisherVector", "Flatten", "GaussianSVM", "Hardsigmoid", "Hardswish",
           "IntersectionSVM", "KernelSVM", "L2Norm", "Layer", "LayerNorm", "LeakyReLU", "Linear", "MatMul", "MaxPool",
           "Mean", "Multiply", "NegativeChiSquareSVM", "PMeans", "Pad", "RMSNorm", "ReLU", "RegionMean", "Reshape",
           "Rotary", "Scale", "SiLU", "Sigmoid", "SignedSqrt", "Slice", "Softmax", "SpreadLinear", "Sum", "SumPool",
           "Tanh", "Transpose", "Upsample"]
