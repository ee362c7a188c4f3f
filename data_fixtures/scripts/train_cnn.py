"""Train the bundled CNN on scenes of the training halves; print its average precision on the test halves.

    python data_fixtures/scripts/train_cnn.py             (needs PyTorch and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_cnn.py --validate  stay inside the training halves: train on one half
                                                          of each, test on the other. For choices.

Every scene is seen once. Seeded; on another machine the weights differ by rounding, and soon in all digits.
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

STEPS = 1600
RATE, DECAY = 3e-3, 5e-2
MEAN, STD = 0.5, 0.25  # of pixels in [0, 1]: black is -2, white is 2


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


def train(photographs: Photographs, steps: int, seed: int) -> nn.Sequential:
    """AdamW on the binary cross-entropy per class; the rate rises for 50 steps, then falls along a cosine."""
    torch.manual_seed(seed)
    network = architecture()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 50) * (1 + np.cos(np.pi * step / steps)) / 2)
    for step, made in enumerate(batches(photographs, np.random.default_rng(seed), steps)):
        pixels = np.stack([scene.image for scene in made])[:, None] / 255
        x = torch.tensor((pixels - MEAN) / STD, dtype=torch.float32)
        y = torch.tensor(np.stack([scene.labels for scene in made]), dtype=torch.float32)
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        if step % 200 == 199:
            print(f"step {step + 1:5}  loss {loss.item():.3f}", flush=True)
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description="train the bundled CNN")
    parser.add_argument("--validate", action="store_true", help="stay inside the training halves")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "cnn.npz")
    options = parser.parse_args()
    torch.set_num_threads(2)
    training, test = halves()
    if options.validate:
        training, test = ({name: half(p, part) for name, p in training.items()} for part in (0, 1))
    network = merge_batchnorm(from_torch(train(training, options.steps, options.seed)))
    provenance = (f"data_fixtures/scripts/train_cnn.py, {options.steps} steps of {BATCH} scenes, seed "
                  f"{options.seed}; scenes of scikit-image's photographs, all CC0 or public domain")
    model = Model(network, CLASSES, Preprocessing((SIDE, SIDE), "grey", mean=(MEAN,), std=(STD,)),
                  provenance=provenance)
    if not options.validate:
        save_model(model, options.output)
    weights = sum(array.size for _, layer in network for array in layer.arrays().values())
    print(f"{weights} weights\n{report('cnn', model, test)}")


if __name__ == "__main__":
    main()
