"""EfficientNet-Lite0 (Tan and Le 2019; Lite: no squeeze-and-excitation, ReLU6 in place of swish), layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrp_ref.arrays import Array, Pair
from lrp_ref.layers import AdaptiveAvgPool, Add, BatchNorm, Clip, Conv2D, Flatten, Linear
from lrp_ref.network import Network
from lrp_ref.outside import among

STEM, HEAD, CLASSES, EPSILON = 32, 1280, 1000, 1e-3
# How often, kernel, stride of the first, by how much its channels are expanded, channels that it puts out.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))


def efficientnet_lite0(weights: Mapping[str, Array], size: int = 224) -> Network:
    """Images (N, 3, size, size) to 1,000 scores: a stem, 16 inverted residual blocks, a head, a mean over all pixels.

    weights  {"_conv_stem.weight": (32, 3, 3, 3), "_bn0.weight": (32,), .., "_fc.bias": (1000,)}, names and axes as
             PyTorch's; layers have the names of their weights

    A block expands its channels (1 x 1), convolves each alone and projects them (1 x 1); where it changes neither
    their number nor the size, its input is added (`_blocks.2._add`). Paddings are TensorFlow's SAME: of an odd number
    of rows the larger half stands below.
    """
    build = Building(weights, size)
    build.convolution("_conv_stem", "_bn0", STEM, 3, 2, clipped="_relu0")
    number = 0
    for repeats, kernel, stride, expand, outputs in STAGES:
        for n in range(repeats):
            block(build, f"_blocks.{number}.", kernel, stride if n == 0 else 1, expand, outputs)
            number += 1
    build.convolution("_conv_head", "_bn1", HEAD, 1, clipped="_relu1")
    build.layer("_avg_pooling", AdaptiveAvgPool(1))
    build.layer("_flatten", Flatten())
    weight = build.take("_fc.weight", (CLASSES, HEAD))
    build.layer("_fc", Linear(weight.T.copy(), build.take("_fc.bias", (CLASSES,))))
    if build.left:
        raise ValueError(f"efficientnet_lite0 got weights it has no layer for: {among(sorted(build.left))}")
    return Network(build.nodes)


def block(build: Building, name: str, kernel: int, stride: int, expand: int, outputs: int) -> None:
    """Expand, convolve each channel alone, project, and add the input where the shapes are one."""
    entered, inputs = build.last, build.channels
    if expand > 1:
        build.convolution(f"{name}_expand_conv", f"{name}_bn0", expand * inputs, 1, clipped=f"{name}_relu0")
    wide = build.channels
    build.convolution(f"{name}_depthwise_conv", f"{name}_bn1", wide, kernel, stride, wide, f"{name}_relu1")
    build.convolution(f"{name}_project_conv", f"{name}_bn2", outputs, 1)
    if stride == 1 and inputs == outputs:
        build.layer(f"{name}_add", Add(), (build.last, entered))


class Building:
    """A network while it is built: its nodes, the channels and the size of the last, and the weights that are left."""

    def __init__(self, weights: Mapping[str, Array], size: int) -> None:
        self.left, self.size = dict(weights), size
        self.nodes: list[Any] = []
        self.last, self.channels = "input", 3

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """The array of that name; an error unless it has that shape."""
        if name not in self.left or self.left[name].shape != shape:
            got = f"shape {self.left[name].shape}" if name in self.left else "nothing"
            raise ValueError(f"efficientnet_lite0 got {got} for {name}, needed {shape}")
        return self.left.pop(name)

    def layer(self, name: str, layer: Any, reads: tuple[str, ...] = ()) -> None:
        self.nodes.append((name, layer, reads or (self.last,)))
        self.last = name

    def convolution(self, name: str, norm: str, outputs: int, kernel: int, stride: int = 1, groups: int = 1,
                    clipped: str = "") -> None:
        """Convolution without a bias, BatchNorm, and ReLU6 where `clipped` names it."""
        weight = self.take(f"{name}.weight", (outputs, self.channels // groups, kernel, kernel))
        pad = same_padding(self.size, kernel, stride)
        self.layer(name, Conv2D(weight, None, stride, (pad, pad), 1, groups))
        scale, shift, mean, variance = (self.take(f"{norm}.{one}", (outputs,))
                                        for one in ("weight", "bias", "running_mean", "running_var"))
        self.left.pop(f"{norm}.num_batches_tracked", None)   # which training counted, and nothing reads
        self.layer(norm, BatchNorm(mean, variance, scale, shift, EPSILON))
        self.channels, self.size = outputs, -(-self.size // stride)
        if clipped:
            self.layer(clipped, Clip(0, 6))


def same_padding(size: int, kernel: int, stride: int) -> Pair:
    """Rows of padding above and below, so that there is an output for every `stride` rows."""
    rows = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return rows // 2, rows - rows // 2
