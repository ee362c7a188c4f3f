"""Train the bundled CNN on scenes of the training halves; print its average precision on the test halves.

    python data_fixtures/scripts/train_cnn.py             (needs PyTorch and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_cnn.py --validate  stay inside the training halves: train on one half
                                                          of each, test on the other. For choices.

Every scene is seen once. Seeded; on another machine the weights differ by rounding, and soon in all digits.
"""

from collections import OrderedDict

from torch import nn
from training import program

from lrp_ref.paper.scenes import CLASSES


def architecture() -> nn.Sequential:
    """128 -> 40 -> 20 -> 17 -> 8 -> 6 -> 3 a side: no window hangs over an edge and no pixel is left out."""
    return nn.Sequential(OrderedDict([
        ("conv1", nn.Conv2d(1, 24, 11, stride=3, bias=False)), ("norm1", nn.BatchNorm2d(24)),
        ("relu1", nn.ReLU()), ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(24, 40, 4, bias=False)), ("norm2", nn.BatchNorm2d(40)),
        ("relu2", nn.ReLU()), ("pool2", nn.MaxPool2d(3, 2)),
        ("conv3", nn.Conv2d(40, 64, 3, bias=False)), ("norm3", nn.BatchNorm2d(64)),
        ("relu3", nn.ReLU()), ("pool3", nn.MaxPool2d(2)),
        ("flat", nn.Flatten()), ("fc", nn.Linear(576, len(CLASSES))),
    ]))


if __name__ == "__main__":
    program("cnn", architecture, steps=1600, rate=3e-3, rising=50)
