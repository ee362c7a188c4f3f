"""Train the bundled vision transformer on scenes of the training halves; print its average precision on test halves.

    python data_fixtures/scripts/train_vit.py             (needs PyTorch and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_vit.py --validate  stay inside the training halves: train on one half
                                                          of each, test on the other. For choices.

Every scene is seen once, the same ones in the same order as the CNN sees. Seeded; on another machine the weights differ
by rounding, and soon in all digits.
"""

from collections import OrderedDict

import torch
from torch import nn
from training import program

from lrp_ref.paper.scenes import CLASSES

WIDTH, HEADS, HIDDEN, BLOCKS, TOKENS = 64, 4, 128, 3, 100


class Transformer(nn.Module):
    """128 -> 40 -> 20 -> 10 a side: 100 tokens that see 20 x 20 pixels each, a class token, and three blocks.

    The convolution in front of the tokens is the CNN's own (Xiao et al. 2021: transformers train better so).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(OrderedDict([
            ("conv", nn.Conv2d(1, 24, 11, stride=3, bias=False)), ("norm", nn.BatchNorm2d(24)), ("relu", nn.ReLU()),
            ("pool", nn.MaxPool2d(2)), ("patches", nn.Conv2d(24, WIDTH, 2, stride=2)),
        ]))
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)
        self.places = nn.Parameter(torch.randn(1, TOKENS + 1, WIDTH) * 0.02)
        block = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, BLOCKS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.scores = nn.Linear(WIDTH, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1) + self.places
        scores: torch.Tensor = self.scores(self.blocks(tokens)[:, 0])
        return scores


if __name__ == "__main__":
    program("vit", Transformer, steps=800, rate=1e-3, rising=100, longest=1.0)
