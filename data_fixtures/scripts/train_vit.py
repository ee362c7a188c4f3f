"""Train the bundled vision transformer on scenes of the training halves; print its average precision on test halves.

    python data_fixtures/scripts/train_vit.py             (needs PyTorch and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_vit.py --validate  stay inside the training halves: train on one half
                                                          of each, test on the other. For choices.

Every scene is seen once, the same ones in the same order as the CNN sees. Seeded; on another machine the weights differ
by rounding, and soon in all digits.
"""

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from make_photographs import halves
from torch import nn
from training_scenes import BATCH, Photographs, batches, half, report

from lrp_ref import Model, Preprocessing, merge_batchnorm, save_model
from lrp_ref.convert import from_torch
from lrp_ref.paper.scenes import CLASSES, SIDE

STEPS = 800
RATE, DECAY = 1e-3, 5e-2
MEAN, STD = 0.5, 0.25  # of pixels in [0, 1]: black is -2, white is 2
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


def prepared(images: list[np.ndarray]) -> torch.Tensor:
    return torch.tensor((np.stack(images)[:, None] / 255 - MEAN) / STD, dtype=torch.float32)


def train(photographs: Photographs, steps: int, seed: int) -> nn.Module:
    """AdamW on the binary cross-entropy per class; the rate rises for 100 steps, then falls along a cosine."""
    torch.manual_seed(seed)
    network = Transformer()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 100) * (1 + np.cos(np.pi * step / steps)) / 2)
    for step, made in enumerate(batches(photographs, np.random.default_rng(seed), steps)):
        y = torch.tensor(np.stack([scene.labels for scene in made]), dtype=torch.float32)
        loss = nn.functional.binary_cross_entropy_with_logits(network(prepared([scene.image for scene in made])), y)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rate.step()
        if step % 200 == 199:
            print(f"step {step + 1:5}  loss {loss.item():.3f}", flush=True)
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description="train the bundled vision transformer")
    parser.add_argument("--validate", action="store_true", help="stay inside the training halves")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "vit.npz")
    options = parser.parse_args()
    torch.set_num_threads(2)
    training, test = halves()
    if options.validate:
        training, test = ({name: half(p, part) for name, p in training.items()} for part in (0, 1))
    module = train(training, options.steps, options.seed)
    example = prepared([np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)) for _ in range(2)])
    network = merge_batchnorm(from_torch(module, example))
    provenance = (f"data_fixtures/scripts/train_vit.py, {options.steps} steps of {BATCH} scenes, seed "
                  f"{options.seed}; scenes of scikit-image's photographs, all CC0 or public domain")
    model = Model(network, CLASSES, Preprocessing((SIDE, SIDE), "grey", mean=(MEAN,), std=(STD,)),
                  provenance=provenance)
    if not options.validate:
        save_model(model, options.output)
    weights = sum(array.size for _, layer in network for array in layer.arrays().values())
    print(f"{weights} weights\n{report('vit', model, test)}")


if __name__ == "__main__":
    main()
