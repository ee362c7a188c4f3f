"""VGG-16 with seeded weights: thirteen 3 x 3 convolutions, three fully connected layers (Simonyan, Zisserman 2015)."""

import numpy as np

from lrp_ref import Conv2D, Flatten, Linear, MaxPool, Network, ReLU

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(number=np.float64, classes=1000, seed=0):
    rng = np.random.default_rng(seed)

    def normal(shape, fan_in):
        return (rng.standard_normal(shape, dtype=np.float32) * (2 / fan_in) ** 0.5).astype(number)

    layers, channels = [], 3
    for b, block in enumerate(BLOCKS, 1):
        for n, outputs in enumerate(block, 1):
            weight = normal((outputs, channels, 3, 3), 9 * channels)
            layers += [(f"conv{b}_{n}", Conv2D(weight, normal((outputs,), 1e4), pad=1)), (f"relu{b}_{n}", ReLU())]
            channels = outputs
        layers.append((f"pool{b}", MaxPool(2)))
    layers.append(("flatten", Flatten()))
    for n, (i, j) in enumerate(((25088, 4096), (4096, 4096), (4096, classes)), 6):
        layers.append((f"fc{n}", Linear(normal((i, j), i), normal((j,), 1e4))))
        if n < 8:
            layers.append((f"relu{n}", ReLU()))
    return Network(layers)
