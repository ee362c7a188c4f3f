"""The layers, one kind per file: each is its forward pass and the linear map it is at an input."""

from lrp_ref.layers.base import Layer
from lrp_ref.layers.conv import Conv2D
from lrp_ref.layers.elementwise import Flatten, ReLU, Tanh
from lrp_ref.layers.linear import Linear
from lrp_ref.layers.normalize import LRN, BatchNorm
from lrp_ref.layers.pool import AvgPool, MaxPool, SumPool

__all__ = ["LRN", "AvgPool", "BatchNorm", "Conv2D", "Flatten", "Layer", "Linear", "MaxPool", "ReLU", "SumPool", "Tanh"]
