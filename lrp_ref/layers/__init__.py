"""The layers, one kind per file: each is its forward pass and the linear map it is at an input."""

from lrp_ref.layers.base import Layer
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.elementwise import Flatten, ReLU, Tanh
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
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.merge import Add, Concat, Multiply
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AdaptiveAvgPool, AvgPool, MaxPool, SumPool

LAYERS: dict[str, type[Layer]] = {
    "Linear": Linear, "Conv2D": Conv2D, "MaxPool": MaxPool, "AvgPool": AvgPool, "SumPool": SumPool,
    "AdaptiveAvgPool": AdaptiveAvgPool, "ReLU": ReLU, "Tanh": Tanh, "Flatten": Flatten, "BatchNorm": BatchNorm,
    "LRN": LRN, "Add": Add, "Multiply": Multiply, "Concat": Concat, "DenseSift": DenseSift,
    "FisherVector": FisherVector, "RegionMean": RegionMean, "SignedSqrt": SignedSqrt, "L2Norm": L2Norm,
    "PMeans": PMeans, "SpreadLinear": SpreadLinear, "IntersectionSVM": IntersectionSVM, "ChiSquareSVM": ChiSquareSVM,
    "NegativeChiSquareSVM": NegativeChiSquareSVM, "ExponentialChiSquareSVM": ExponentialChiSquareSVM,
    "GaussianSVM": GaussianSVM,
}

__all__ = ["LAYERS", "LRN", "AdaptiveAvgPool", "Add", "AvgPool", "BatchNorm", "ChiSquareSVM", "Concat", "Conv2D",
           "DenseSift", "ExponentialChiSquareSVM", "FisherVector", "Flatten", "GaussianSVM", "IntersectionSVM",
           "KernelSVM", "L2Norm", "Layer", "Linear", "MaxPool", "Multiply", "NegativeChiSquareSVM", "PMeans", "ReLU",
           "RegionMean", "SignedSqrt", "SpreadLinear", "SumPool", "Tanh"]
