from .parts import Convolution, Flatten, Linear, MaxPool, Rect, SumPool, Tanh

__all__ = ["Convolution", "Flatten", "Linear", "MaxPool", "Rect", "SumPool", "Tanh"]
