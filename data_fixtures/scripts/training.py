"""How the bundled networks are trained, and what is kept of them: one loop and one program for all."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from make_photographs import halves
from torch import nn
from training_scenes import BATCH, Photographs, batches, half, report

from lrp_ref import Model, Preprocessing, merge_batchnorm, save_model
from lrp_ref.convert import from_torch
from lrp_ref.paper.scenes import CLASSES, SIDE

DECAY = 5e-2
MEAN, STD = 0.5, 0.25  # of pixels in [0, 1]: black is -2, white is 2


def prepared(images: list[np.ndarray]) -> torch.Tensor:
    return torch.tensor((np.stack(images)[:, None] / 255 - MEAN) / STD, dtype=torch.float32)


def train(architecture: Callable[[], nn.Module], photographs: Photographs, steps: int, seed: int, rate: float,
          rising: int, longest: float) -> nn.Module:
    """AdamW on the binary cross-entropy per class; the rate rises for so many steps, then falls along a cosine.

    longest: gradients are shortened to that length
    """
    torch.manual_seed(seed)
    network = architecture()
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / rising) * (1 + np.cos(np.pi * step / steps)) / 2)
    for step, made in enumerate(batches(photographs, np.random.default_rng(seed), steps)):
        y = torch.tensor(np.stack([scene.labels for scene in made]), dtype=torch.float32)
        loss = nn.functional.binary_cross_entropy_with_logits(network(prepared([scene.image for scene in made])), y)
        optimiser.zero_grad()
        loss.backward()
        if longest < np.inf:
            nn.utils.clip_grad_norm_(network.parameters(), longest)
        optimiser.step()
        schedule.step()
        if step % 200 == 199:
            print(f"step {step + 1:5}  loss {loss.item():.3f}", flush=True)
    return network.eval()


def program(name: str, architecture: Callable[[], nn.Module], steps: int, rate: float, rising: int,
            longest: float = np.inf) -> None:
    """The command line: trains, proves that the network here gives the same numbers, keeps it, prints its precision."""
    parser = argparse.ArgumentParser(description=f"train the bundled {name}")
    parser.add_argument("--validate", action="store_true", help="stay inside the training halves")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / f"{name}.npz")
    options = parser.parse_args()
    torch.set_num_threads(2)
    training, test = halves()
    if options.validate:
        training, test = ({name: half(p, part) for name, p in training.items()} for part in (0, 1))
    module = train(architecture, training, options.steps, options.seed, rate, rising, longest)
    example = prepared([np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)) for _ in range(2)])
    network = merge_batchnorm(from_torch(module, example))
    provenance = (f"data_fixtures/scripts/train_{name}.py, {options.steps} steps of {BATCH} scenes, seed "
                  f"{options.seed}; scenes of scikit-image's photographs, all CC0 or public domain")
    model = Model(network, CLASSES, Preprocessing((SIDE, SIDE), "grey", mean=(MEAN,), std=(STD,)),
                  provenance=provenance)
    if not options.validate:
        save_model(model, options.output)
    weights = sum(array.size for _, layer in network for array in layer.arrays().values())
    print(f"{weights} weights\n{report(name, model, test)}")
