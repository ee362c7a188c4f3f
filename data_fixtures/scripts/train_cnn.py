"""Train the bundled CNN on scenes of the training halves; print its average precision on the test halves.

    python data_fixtures/scripts/train_cnn.py             (needs PyTorch and scikit-image: the `train` extra)
    python data_fixtures/scripts/train_cnn.py --validate  stay inside the training halves: train on one half
                                                          of each, test on the other. For choices.

Every scene is seen once; after eight batches the photographs are warped anew (turned, zoomed, sheared a
little, with some noise). Seeded; on another machine the weights differ by rounding, and soon in all digits.
"""

import argparse
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from make_photographs import halves
from scipy import ndimage
from torch import nn

from lrp_ref import Model, Preprocessing, merge_batchnorm, save_model
from lrp_ref.convert import from_torch
from lrp_ref.evaluate import COUNT, OTHERS, SEED, Table, histogram_baseline, precision_table, predictions
from lrp_ref.scenes import BACKGROUNDS, CLASSES, SIDE, Grey, Scene, generate

STEPS, BATCH, CHUNK = 1600, 64, 8  # steps; scenes per step; steps between two warps
RATE, DECAY = 3e-3, 5e-2
MEAN, STD = 0.5, 0.25  # of pixels in [0, 1]: black is -2, white is 2
Photographs = Mapping[str, Grey]


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


def warped(photograph: Grey, rng: np.random.Generator) -> Grey:
    """Turned by up to 10 degrees, zoomed by 0.8 to 1.2, sheared, with noise of up to 4 grey levels."""
    angle, zoom = np.deg2rad(rng.uniform(-10, 10)), np.exp(rng.uniform(-0.25, 0.2))
    c, s, shear = np.cos(angle), np.sin(angle), rng.uniform(-0.1, 0.1)
    matrix = np.array([[c, shear - s], [s, c]]) / zoom
    centre = (np.array(photograph.shape) - 1) / 2
    pixels = ndimage.affine_transform(photograph.astype(float), matrix, centre - matrix @ centre,
                                      mode="reflect")
    pixels += rng.normal(0, rng.uniform(0, 4), pixels.shape)
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def scenes(photographs: Photographs, count: int, seed: int) -> list[Scene]:
    return generate({name: photographs[name] for name in CLASSES},
                    {name: photographs[name] for name in BACKGROUNDS}, count, seed)


def batches(photographs: Photographs, rng: np.random.Generator, steps: int):
    """Inputs (BATCH, 1, 128, 128) and labels (BATCH, 6), every scene fresh."""
    for step in range(steps):
        if step % CHUNK == 0:
            fresh = {name: warped(photograph, rng) for name, photograph in photographs.items()}
            made = scenes(fresh, CHUNK * BATCH, int(rng.integers(2 ** 32)))
        part = made[step % CHUNK * BATCH:][:BATCH]
        pixels = np.stack([scene.image for scene in part])[:, None] / 255
        labels = np.stack([scene.labels for scene in part])
        yield (torch.tensor((pixels - MEAN) / STD, dtype=torch.float32),
               torch.tensor(labels, dtype=torch.float32))


def train(photographs: Photographs, steps: int, seed: int) -> nn.Sequential:
    """AdamW on the binary cross-entropy per class; the rate rises for 50 steps, then falls along a cosine."""
    torch.manual_seed(seed)
    network = architecture()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / 50) * (1 + np.cos(np.pi * step / steps)) / 2)
    for step, (x, y) in enumerate(batches(photographs, np.random.default_rng(seed), steps)):
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
        if step % 200 == 199:
            print(f"step {step + 1:5}  loss {loss.item():.3f}", flush=True)
    return network.eval()


def half(photograph: Grey, part: int) -> Grey:
    """Part 0 or 1 of a photograph, cut across its longer side."""
    return np.array_split(photograph, 2, axis=int(photograph.shape[1] > photograph.shape[0]))[part]


def report(model: Model, photographs: Photographs) -> Table:
    """Average precision on the scenes that `lrp-ref evaluate` regenerates, beside the baselines."""
    asked, others = scenes(photographs, COUNT, SEED), scenes(photographs, OTHERS, SEED + 1)
    columns = {"histogram": histogram_baseline(asked, others),
               "cnn": predictions(model, [scene.image for scene in asked])}
    return precision_table(np.stack([scene.labels for scene in asked]), columns)


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
    print(f"{weights} weights\n{report(model, test)}")


if __name__ == "__main__":
    main()
