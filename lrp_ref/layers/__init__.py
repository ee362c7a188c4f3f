"""The layers, one kind per file: each is its forward pass and the linear map it is at an input."""

from lrp_ref.layers.base import Layer
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.elementwise import Flatten, ReLU, Tanh
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AdaptiveAvgPool, AvgPool, MaxPool, SumPool

LAYERS: dict[str, type[Layer]] = {
    "AdaptiveAvgPool": AdaptiveAvgPool, "AvgPool": AvgPool, "BatchNorm": BatchNorm, "Conv2D": Conv2D,
    "Flatten": Flatten, "LRN": LRN, "Linear": Linear, "MaxPool": MaxPool, "ReLU": ReLU, "SumPool": SumPool,
    "Tanh": Tanh,
}

__all__ = ["LAYERS", "LRN", "AdaptiveAvgPool", "AvgPool", "BatchNorm", "Conv2D", "Flatten", "Layer", "Linear",
           "MaxPool", "ReLU", "SumPool", "Tanh"]
